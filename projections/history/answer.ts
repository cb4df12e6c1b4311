/** The answer to an auditor's question in one line, and how things stood at an instant. */

import type { RecordedEvent } from '../../domain/event.ts'
import { pointInTimeText } from '../../domain/point-in-time.ts'
import type { Row } from '../../domain/view.ts'
import { printable } from '../printable.ts'
import type { Ask, Question } from './question.ts'
import { addressesIn, type SubscriberState } from './state.ts'

/** Somebody's time with an address: a row of `address_holder`. */
export type Holding = {
	readonly virtualRouter: string
	readonly mac: string
	readonly user: string | undefined
	readonly fromAt: number
	/** Infinity: still. */
	readonly toAt: number
	readonly source: string
	readonly cause: string | undefined
}

/** Holdings listed at most. */
const holdingsMax = 1_000

/** Who held an address, in order of time; `ask` is about read models that know of all of them. */
export function holdingsOf(ask: Ask, { value, virtualRouter, from, to }: Question): Holding[] {
	const rows = ask(
		`SELECT * FROM address_holder WHERE address = ?1 AND from_at <= ?3 AND coalesce(to_at, 9e15) >= ?2
			AND (?4 IS NULL OR virtual_router = ?4) ORDER BY from_at, source DESC LIMIT ${holdingsMax}`,
		value,
		from,
		to,
		virtualRouter ?? null,
	)
	const holdings = rows.map(holdingIn)
	// What a WAP accounts for while the address is leased to the same subscriber says nothing more.
	return holdings.filter(
		({ source, mac, fromAt }) =>
			source === 'lease' ||
			!holdings.some(
				lease =>
					lease.source === 'lease' &&
					lease.mac === mac &&
					lease.fromAt <= fromAt &&
					lease.toAt >= fromAt,
			),
	)
}

function holdingIn(row: Row): Holding {
	return {
		virtualRouter: String(row['virtual_router']),
		mac: String(row['mac']),
		user: row['user'] === null ? undefined : String(row['user']),
		fromAt: Number(row['from_at']),
		toAt: row['to_at'] === null ? Number.POSITIVE_INFINITY : Number(row['to_at']),
		source: String(row['source']),
		cause: row['cause'] === null ? undefined : String(row['cause']),
	}
}

/** Who held the address at an instant, and if nobody did, who before and who afterwards. */
export function holderAnswer(address: string, holdings: readonly Holding[], at: number): string {
	const then = pointInTimeText(at)
	const holders = holdings.filter(({ fromAt, toAt }) => fromAt <= at && at < toAt)
	if (holders.length > 0) {
		const each = holders.map(one => `${named(one)}, ${how(one)} ${period(one)}`)
		return printable(`${address} was held on ${then} by ${each.join('; and by ')}.`)
	}
	const before = holdings.findLast(({ toAt }) => toAt <= at)
	const after = holdings.find(({ fromAt }) => fromAt > at)
	const parts = [`Nobody held ${address} on ${then}.`]
	if (before !== undefined)
		parts.push(`Before: ${named(before)}, until ${pointInTimeText(before.toAt)}.`)
	if (after !== undefined)
		parts.push(`Afterwards: ${named(after)}, from ${pointInTimeText(after.fromAt)}.`)
	if (before === undefined && after === undefined)
		parts.push('Nothing is recorded of anybody else.')
	return printable(parts.join(' '))
}

function how({ source }: Holding): string {
	return source === 'lease' ? 'leased' : 'as its WAP accounted,'
}

function period({ fromAt, toAt, cause }: Holding): string {
	const end = toAt === Number.POSITIVE_INFINITY ? 'and still' : `until ${pointInTimeText(toAt)}`
	const why = cause === undefined || toAt === Number.POSITIVE_INFINITY ? '' : ` (${cause})`
	return `from ${pointInTimeText(fromAt)} ${end}${why}`
}

function named({ mac, user }: { readonly mac: string; readonly user: string | undefined }): string {
	return user === undefined ? mac : `${mac} (${user})`
}

/** The holders of an address, one a line. */
export function holdingLines(holdings: readonly Holding[]): string[] {
	return holdings.map(one => printable(`  ${named(one)}, ${how(one)} ${period(one)}`))
}

/** How many events there are, about whom, and from when to when. */
export function eventsAnswer(
	{ kind, value }: Question,
	events: readonly RecordedEvent[],
	hasMore: boolean,
	holdings: readonly Holding[] | undefined,
): string {
	const about = `${kind} ${value}`
	const [first, last] = [events[0], events.at(-1)]
	if (first === undefined || last === undefined) {
		return printable(`Nothing is recorded about ${about} in that time.`)
	}
	const count = hasMore ? `The first ${events.length}` : `${events.length}`
	const held =
		holdings === undefined
			? ''
			: ` It was held ${times(holdings.length)} by ${many(new Set(holdings.map(({ mac }) => mac)).size, 'subscriber')}.`
	return printable(
		`${count} ${events.length === 1 ? 'event' : 'events'} about ${about}, from ${pointInTimeText(first.at)} to ${pointInTimeText(last.at)}.${held}`,
	)
}

/** Who was on the network at an instant. */
export function stateAnswer(
	{ kind, value }: Question,
	states: readonly SubscriberState[],
	at: number,
): string {
	const then = pointInTimeText(at)
	const online = states.filter(({ session }) => session !== undefined)
	if (kind === 'wap') {
		return printable(
			`${many(online.length, 'subscriber')} had a session at WAP ${value} on ${then}.`,
		)
	}
	if (online.length === 0) return printable(`${value} was not on the network on ${then}.`)
	const each = online.map(state => {
		const { user, wap } = state.session!
		const who =
			kind === 'user' ? `as ${state.mac}` : user === null ? 'without a user name' : `as ${user}`
		const addresses = addressesIn(state)
		const address =
			addresses.length === 0 ? 'without an address' : `with ${addresses.join(' and ')}`
		return `${who} at WAP ${wap} ${address}`
	})
	return printable(`${value} was on the network on ${then}: ${each.join('; ')}.`)
}

function many(count: number, what: string): string {
	return `${count} ${what}${count === 1 ? '' : 's'}`
}

function times(count: number): string {
	return count === 1 ? 'once' : count === 2 ? 'twice' : `${count} times`
}
