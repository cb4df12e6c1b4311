/** What auditors ask, and which part of the history answers it. */
import type { RecordedEvent } from '../../domain/event.ts'
import { isSameName } from '../../domain/user-name.ts'
import { anyCase, type Cell, type Row } from '../../domain/view.ts'

export const questionKinds = ['subscriber', 'user', 'address', 'wap'] as const
export type QuestionKind = (typeof questionKinds)[number]

export type Question = {
	readonly kind: QuestionKind
	/** MACs in normal form. */
	readonly value: string
	/** Undefined: every one. */
	readonly virtualRouter: string | undefined
	/** The first and the last millisecond of the history that is asked for. */
	readonly from: number
	readonly to: number
}

/** A part of a subscriber's history: the events from one position to another, both included. */
export type Span = {
	readonly virtualRouter: string
	readonly mac: string
	readonly first: number
	/** Infinity: to the end. */
	readonly last: number
}

/** Asks the read models: SQL with the parameters ?1, ?2, ... */
export type Ask = (sql: string, ...parameters: readonly Cell[]) => Row[]

/** Whoever asks may not know how the name was spelt. */
const user = anyCase('user')

const inTime = (began: string, ended: string) => `${began} <= ?3 AND coalesce(${ended}, 9e15) >= ?2`
const spanOf = (table: string, last: string) =>
	`${table}.virtual_router, ${table}.mac, ${table}.id AS first, ${last} AS last`

/** Leases and SRC sessions belong to a session, and end a little after it. */
function ofSessions(where: string): string {
	return `
		SELECT ${spanOf('lease', 'lease.end_position')} FROM session JOIN lease
			ON lease.mac = session.mac AND lease.session = session.id
			WHERE ${where} AND ${inTime('coalesce(lease.offered_at, lease.granted_at)', 'lease.ended_at')}
		UNION ALL
		SELECT ${spanOf('accounting', accountingEnd)} FROM session JOIN accounting
			ON accounting.session = session.id
			WHERE ${where} AND ${inTime('accounting.began_at', 'accounting.ended_at')}`
}

/** An accounting session that is open goes on. */
const accountingEnd = 'CASE WHEN accounting.ended_at IS NOT NULL THEN accounting.last_position END'

const attempts = (where: string) => `
	SELECT ${spanOf('attempt', 'max(attempt.exchange, coalesce(attempt.end_position, 0))')}
	FROM attempt WHERE ${where} AND ${inTime('began_at', 'ended_at')}`
const lonelyAccounting = (where: string) => `
	SELECT ${spanOf('accounting', accountingEnd)} FROM accounting
	WHERE session IS NULL AND ${where} AND ${inTime('began_at', 'ended_at')}`

/** ?1 is the value, ?2 and ?3 the times. */
const spanQueries: Readonly<Record<Exclude<QuestionKind, 'subscriber'>, string>> = {
	user: `${attempts(`${user} = ?1`)}
		UNION ALL
		SELECT ${spanOf('session', 'session.end_position')} FROM session
			WHERE ${user} = ?1 AND ${inTime('began_at', 'ended_at')}
		UNION ALL ${ofSessions(`session.${user} = ?1`)}
		UNION ALL ${lonelyAccounting(`${user} = ?1`)}`,
	address: `
		SELECT ${spanOf('lease', 'lease.end_position')} FROM lease
			WHERE address = ?1 AND ${inTime('coalesce(offered_at, granted_at)', 'ended_at')}
		UNION ALL
		SELECT ${spanOf('accounting', accountingEnd)} FROM accounting
			WHERE address = ?1 AND ${inTime('began_at', 'ended_at')}`,
	wap: `${attempts('wap = ?1')}
		UNION ALL
		SELECT ${spanOf('session_wap', 'session_wap.to_position')} FROM session_wap
			WHERE wap = ?1 AND ${inTime('from_at', 'to_at')}
		UNION ALL ${lonelyAccounting('wap = ?1')}`,
}

/** The parts of the history that a question is about, by subscriber and in order, none twice. */
export function spansOf(ask: Ask, question: Question): Span[] {
	const { kind, value, from, to } = question
	const rows =
		kind === 'subscriber'
			? ask(
					'SELECT virtual_router, mac, id AS first, NULL AS last FROM subscriber WHERE mac = ?1',
					value,
				)
			: ask(spanQueries[kind], value, from, to)
	const spans = rows.map(
		(row): Span => ({
			virtualRouter: String(row['virtual_router']),
			mac: String(row['mac']),
			first: Number(row['first']),
			last: row['last'] === null ? Number.POSITIVE_INFINITY : Number(row['last']),
		}),
	)
	const { virtualRouter } = question
	return merged(
		spans.filter(span => virtualRouter === undefined || span.virtualRouter === virtualRouter),
	)
}

function merged(spans: readonly Span[]): Span[] {
	const sorted = spans.toSorted(
		(a, b) => order(a.virtualRouter, b.virtualRouter) || order(a.mac, b.mac) || a.first - b.first,
	)
	const found: Span[] = []
	for (const span of sorted) {
		const before = found.at(-1)
		const sameSubscriber = before?.mac === span.mac && before.virtualRouter === span.virtualRouter
		if (before !== undefined && sameSubscriber && span.first <= before.last + 1) {
			found[found.length - 1] = { ...before, last: Math.max(before.last, span.last) }
		} else {
			found.push(span)
		}
	}
	return found
}

function order(a: string, b: string): number {
	return a < b ? -1 : a > b ? 1 : 0
}

/** Whether an event by itself names what is asked for: so a subscriber is found without an index. */
export function isNamedIn({ kind, value }: Question, event: RecordedEvent): boolean {
	if (!event.stream.startsWith('subscriber-')) return false
	if (kind === 'subscriber') return event.stream.endsWith(`.${value}`)
	const data = event.data as { readonly [field: string]: unknown }
	if (kind === 'address') return data['address'] === value || data['framedAddress'] === value
	return kind === 'user' ? isSameName(data['user'], value) : data[kind] === value
}
