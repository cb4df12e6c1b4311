/** One subscriber: who that is, everything now or at an instant, and the time line. */
import { type RecordedEvent, subscriberStream } from '../../domain/event.ts'
import { leaseColumns, leaseExpressions } from './address-routes.ts'
import { eventColumns, listEvents, typeParameter } from './event-routes.ts'
import { refuse } from './problem.ts'
import { vr } from './relay-routes.ts'
import {
	type Column,
	type Columns,
	countColumn,
	countOrNull,
	historyRoute,
	inPath,
	optional,
	otherwise,
	type RawRow,
	type Sources,
	shaped,
	textColumn,
	textOrNull,
	timeColumn,
	timeOrNull,
} from './route.ts'
import { type Condition, type Expressions, lasting, search, selection, where } from './search.ts'
import {
	accountingColumns,
	accountingExpressions,
	atParameter,
	attemptColumns,
	attemptExpressions,
	sessionColumns,
	sessionExpressions,
	wapParameter,
} from './subscriber-routes.ts'
import type { JsonSchema } from './value.ts'
import { choice, ipv4, mac, text, time } from './value.ts'

const subscriberColumns: Columns = {
	id: countColumn('Position of the first event about the subscriber'),
	virtualRouter: textColumn('Virtual router'),
	mac: textColumn('MAC address'),
	user: textOrNull('User name that was heard last'),
	wap: textOrNull('Access point where the subscriber was heard last'),
	ssid: textOrNull('SSID that was heard last'),
	firstAt: timeColumn('First event'),
	lastAt: timeColumn('Newest event'),
	lastPosition: countColumn('Position of the newest event'),
	session: countOrNull('The live session; null: none'),
}

const reference = (name: string): JsonSchema => ({ $ref: `#/components/schemas/${name}` })
const oneOrNull = (name: string, description: string): Column => ({
	schema: { anyOf: [reference(name), { type: 'null' }] },
	description,
})
const several = (name: string, description: string): Column => ({
	schema: { type: 'array', items: reference(name) },
	description,
})

const stateColumns: Columns = {
	...subscriberColumns,
	at: timeOrNull('The instant that this is the state of; null: now'),
	live: oneOrNull('Session', 'The session that lasts'),
	attempt: oneOrNull('Attempt', 'The newest attempt'),
	leases: several('Lease', 'Addresses that the subscriber holds'),
	accounting: several('Accounting', 'What both accounting domains have of it'),
}

/** A subscriber has few of these at once; more are found by their own routes. */
const partsAtMost = 100
const defaultRouter = otherwise(text(64), 'default', 'The virtual router')
const macInPath = inPath(mac, 'The subscriber’s MAC address')

export const subscriberHistoryRoutes = [
	historyRoute({
		operation: 'listSubscribers',
		path: '/api/v1/subscribers',
		tag: 'Subscribers',
		summary: 'Subscribers who were ever heard of, the newest first',
		gives: 'page',
		row: 'Subscriber',
		columns: subscriberColumns,
		parameters: {
			q: optional(
				text(253),
				'The beginning of a MAC address (in any grouping) or of a user name (in small or capital letters), an address that was held, or an access point',
			),
			mac: optional(mac, 'One MAC address'),
			user: optional(text(253), 'A user name that some session had, in small or capital letters'),
			address: optional(ipv4, 'An address that was held, by lease or Framed-IP-Address'),
			wap: wapParameter,
			live: optional(choice(['true']), 'Only those on the network'),
			vr,
		},
		query(sources, values, page) {
			return search(sources, page, {
				from: 'subscriber',
				id: 'id',
				columns: subscriberColumns,
				conditions: [
					...where('mac = ?', values.mac),
					...where('mac IN (SELECT mac FROM session WHERE user COLLATE NOCASE = ?)', values.user),
					...where(`mac IN (${byAddress.join(' UNION ')})`, values.address),
					...where('mac IN (SELECT mac FROM session_wap WHERE wap = ?)', values.wap),
					...where('virtual_router = ?', values.vr),
					...(values.live === undefined ? [] : [{ sql: 'session IS NOT NULL', values: [] }]),
					...(values.q === undefined ? [] : [anyName(values.q)]),
				],
			})
		},
	}),
	historyRoute({
		operation: 'getSubscriber',
		path: '/api/v1/subscribers/{mac}',
		tag: 'Subscribers',
		summary: 'One subscriber: session, addresses and both accounting domains, now or at an instant',
		gives: 'item',
		row: 'SubscriberState',
		columns: stateColumns,
		mayBeMissing: true,
		parameters: { mac: macInPath, vr: defaultRouter, at: atParameter },
		query(sources, { mac, vr, at }) {
			const [subscriber] = sources
				.views()
				.select(
					`SELECT ${selection(subscriberColumns, {}).sql} FROM subscriber WHERE mac = ? AND virtual_router = ?`,
					mac,
					vr,
				)
			if (subscriber === undefined) {
				return refuse(
					'not-found',
					`Nothing was ever heard of ${mac} in virtual router ${vr}. Subscribers are listed at /api/v1/subscribers; another virtual router is named with vr.`,
				)
			}
			return { kind: 'item', row: { ...subscriber, ...stateOf(sources, mac, vr, at) } }
		},
	}),
	historyRoute({
		operation: 'listTimeLine',
		path: '/api/v1/subscribers/{mac}/timeline',
		tag: 'Subscribers',
		summary: 'Everything that was recorded of one subscriber',
		gives: 'page',
		row: 'Event',
		columns: eventColumns,
		parameters: {
			mac: macInPath,
			vr: defaultRouter,
			from: optional(time, 'At this time or after it'),
			to: optional(time, 'Before this time'),
			type: typeParameter,
			order: otherwise(choice(['oldest', 'newest']), 'oldest', 'Which comes first'),
		},
		query(sources, { mac, vr, from, to, type, order }, page) {
			const wanted = { since: from, until: to, type, order, stream: subscriberStream(vr, mac) }
			return listEvents(sources, wanted, page)
		},
	}),
]

/** Who ever held an address: leased here, or given by somebody else and accounted for. */
const byAddress = [
	'SELECT mac FROM lease WHERE address = ?',
	'SELECT mac FROM session WHERE framed_address = ?',
]

/** One of the things that people search by, whichever it is. */
function anyName(q: string): Condition {
	const mac = macPrefix(q)
	// The last character of all ends a range of everything that begins so, which an index can find.
	const end = '\u{10FFFF}'
	const users = spellings(q)
	const byUser = (table: string) =>
		users.map(
			() => `SELECT mac FROM ${table} WHERE user COLLATE NOCASE >= ? AND user COLLATE NOCASE < ?`,
		)
	return {
		sql: `(mac >= ? AND mac < ? OR mac IN (${[
			...byUser('session'),
			...byUser('attempt'),
			...byAddress,
			'SELECT mac FROM session_wap WHERE wap = ?',
		].join(' UNION ')}))`,
		values: [
			...[mac, mac + end],
			...[...users, ...users].flatMap(user => [user, user + end]),
			...[...byAddress.map(() => q), mac],
		],
	}
}

/** A MAC address, or how one begins, in any grouping: `0200.5e` is `02-00-5E`, and 10.2.0.0 is not. */
function macPrefix(q: string): string {
	const separators = /^[0-9a-f]{4}\./i.test(q) ? /\./g : /[-:]/g
	const digits = q.replace(separators, '').toUpperCase()
	return /^[0-9A-F]{1,12}$/.test(digits) ? digits.match(/..?/g)!.join('-') : q
}

/** People do not know how a name was spelt at the login; the index of names folds A to Z only. */
function spellings(q: string): string[] {
	if (/^[ -~]*$/.test(q)) return [q]
	const lower = q.toLowerCase()
	const capitalised = lower.slice(0, 1).toUpperCase() + lower.slice(1)
	return [...new Set([q, lower, capitalised, q.toUpperCase()])]
}

function stateOf(sources: Sources, mac: string, router: string, at: number | undefined): RawRow {
	const views = sources.views()
	const parts = (
		from: string,
		columns: Columns,
		expressions: Expressions,
		conditions: readonly Condition[],
		limit: number,
	) => {
		const selected = selection(columns, expressions)
		const tests = conditions.map(condition => ` AND ${condition.sql}`).join('')
		return views
			.select(
				`SELECT ${selected.sql} FROM ${from} WHERE within_time(id) AND mac = ? AND virtual_router = ?${tests} ORDER BY id DESC LIMIT ?`,
				...selected.values,
				...[mac, router],
				...conditions.flatMap(({ values }) => values),
				limit,
			)
			.map(row => shaped(columns, row))
	}
	const lasts = (began: string) =>
		at === undefined
			? [{ sql: `${began} IS NOT NULL AND ended_at IS NULL`, values: [] }]
			: lasting(began, 'ended_at', at)
	const session = parts('session', sessionColumns, sessionExpressions(at), lasts('began_at'), 1)
	const attempts = parts(
		'attempt',
		attemptColumns,
		attemptExpressions(at),
		where('began_at <= ?', at),
		1,
	)
	const accounting = parts(
		'accounting',
		accountingColumns,
		accountingExpressions(at),
		lasts('began_at'),
		partsAtMost,
	)
	return {
		at: at ?? null,
		live: session[0] ?? null,
		attempt: attempts[0] ?? null,
		leases: parts('lease', leaseColumns, leaseExpressions(at), lasts('granted_at'), partsAtMost),
		accounting:
			at === undefined ? accounting : accounting.map(row => countedUntil(sources, row, at)),
	}
}

/** What an accounting session had counted by then, as its newest event before that says. */
function countedUntil(
	{ journal, last, checkTime }: Sources,
	row: ReturnType<typeof shaped>,
	at: number,
): RawRow {
	const stream = subscriberStream(String(row['virtualRouter']), String(row['mac']))
	let newest: RecordedEvent | undefined
	let updates = 0
	for (let next = Number(row['id']); next <= last(); ) {
		checkTime()
		const events = journal.readStream(stream, next, readAtOnce)
		for (const event of events) {
			if (event.at > at || event.position > last()) continue
			if (accountingSessionOf(event) !== row['accountingSession']) continue
			newest = event
			if (event.type === 'AccountingUpdated') updates++
		}
		if (events.length < readAtOnce || events.at(-1)!.at > at) break
		next = events.at(-1)!.position + 1
	}
	if (newest === undefined) return row
	const data = newest.data as Record<string, unknown>
	const count = (name: string) => (data[name] === undefined ? null : Number(data[name]))
	return {
		...row,
		heardAt: new Date(newest.at).toISOString(),
		lastPosition: newest.position,
		updates,
		seconds: count('sessionSeconds'),
		inputOctets: count('inputOctets'),
		outputOctets: count('outputOctets'),
		inputPackets: count('inputPackets'),
		outputPackets: count('outputPackets'),
	}
}

const readAtOnce = 500

function accountingSessionOf(event: RecordedEvent): string | undefined {
	switch (event.type) {
		case 'AccountingStarted':
		case 'AccountingUpdated':
		case 'AccountingStopped':
			return event.data.session
		default:
			return undefined
	}
}
