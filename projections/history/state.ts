/** What was so at an instant: a subscriber's session, addresses and both accounting domains. */
import { pointInTimeText } from '../../domain/point-in-time.ts'
import type { Row } from '../../domain/view.ts'
import { printable } from '../printable.ts'
import type { Ask } from './question.ts'

/** Rows of the read models, folded up to that instant. */
export type SubscriberState = {
	readonly virtualRouter: string
	readonly mac: string
	readonly session: Row | undefined
	/** The session that ended last. */
	readonly lastSession: Row | undefined
	readonly leases: readonly Row[]
	readonly wapAccounting: readonly Row[]
	readonly srcAccounting: readonly Row[]
}

/** `ask` is about read models that were folded up to the instant. */
export function subscriberState(ask: Ask, virtualRouter: string, mac: string): SubscriberState {
	const of = 'mac = ?1 AND virtual_router = ?2'
	const first = (sql: string) => ask(sql, mac, virtualRouter)[0]
	const accounting = (domain: string) =>
		ask(
			`SELECT * FROM accounting WHERE ${of} AND domain = ?3 AND ended_at IS NULL ORDER BY id`,
			mac,
			virtualRouter,
			domain,
		)
	return {
		virtualRouter,
		mac,
		session: first(
			`SELECT * FROM session WHERE ${of} AND ended_at IS NULL ORDER BY id DESC LIMIT 1`,
		),
		lastSession: first(
			`SELECT * FROM session WHERE ${of} AND ended_at IS NOT NULL ORDER BY id DESC LIMIT 1`,
		),
		leases: ask(
			`SELECT * FROM lease WHERE ${of} AND granted_at IS NOT NULL AND ended_at IS NULL ORDER BY id`,
			mac,
			virtualRouter,
		),
		wapAccounting: accounting('wap'),
		srcAccounting: accounting('src'),
	}
}

/** The addresses that the subscriber had: leased, else as the session has them. */
export function addressesIn({ session, leases, wapAccounting }: SubscriberState): string[] {
	const all = [
		...leases.map(row => row['address']),
		...wapAccounting.map(row => row['address']),
		session?.['framed_address'] ?? null,
	]
	return [...new Set(all.filter(address => typeof address === 'string'))]
}

/** Lines for people. */
export function stateText(state: SubscriberState): string[] {
	const { session, leases, wapAccounting, srcAccounting } = state
	const lines: [string, string][] = [
		['Session', session === undefined ? noSession(state) : sessionText(session)],
		...labelled('Address', leases.map(leaseText), noLease(state)),
		...labelled('Accounting, WAPs', wapAccounting.map(wapText), 'none is open'),
		...labelled('Accounting, SRC', srcAccounting.map(srcText), 'none is open'),
	]
	return lines.map(([label, text]) => `  ${`${label}:`.padEnd(18)}${printable(text)}`)
}

function labelled(label: string, texts: readonly string[], none: string): [string, string][] {
	return texts.length === 0 ? [[label, none]] : texts.map(text => [label, text])
}

function time(row: Row, column: string): string {
	return pointInTimeText(Number(row[column]))
}

function known(row: Row, column: string, before: string): string {
	return row[column] === null ? '' : `${before}${row[column]}`
}

function noSession({ lastSession }: SubscriberState): string {
	if (lastSession === undefined) return 'none, and there had been none before'
	return `none; the last one ended ${time(lastSession, 'ended_at')} (${lastSession['cause']})`
}

function sessionText(row: Row): string {
	return `since ${time(row, 'began_at')}${known(row, 'user', ', user ')}, at WAP ${row['wap']}${known(row, 'ssid', ', SSID ')}${known(row, 'class', ', class ')}${known(row, 'service_bundle', ', service bundle ')}${known(row, 'server', ', accepted by ')}`
}

function noLease(state: SubscriberState): string {
	const [address] = addressesIn(state)
	return address === undefined ? 'none' : `${address}, not leased here`
}

function leaseText(row: Row): string {
	const until = row['expires_at'] === 0 ? 'for ever' : `until ${time(row, 'expires_at')}`
	return `${row['address']} from pool ${row['pool']}, since ${time(row, 'granted_at')}, ${until} unless renewed`
}

function wapText(row: Row): string {
	return `Acct-Session-Id ${row['accounting_session']} at WAP ${row['wap']} since ${time(row, 'began_at')}; octets in ${row['input_octets']}, out ${row['output_octets']}; heard ${time(row, 'heard_at')}`
}

function srcText(row: Row): string {
	return `session ${row['accounting_session']} at ${row['server']} since ${time(row, 'began_at')}${known(row, 'service', ', service ')}${known(row, 'class', ', class ')}${known(row, 'address', ', address ')}`
}
