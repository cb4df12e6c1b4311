/** What `show subscribers` prints. */
import type { Session, SessionTable } from '../domain/session-table.ts'
import { printable } from './printable.ts'
import { heading, routerDate, table } from './statistics-text.ts'

/** The sessions of each virtual router that has had any: a part of the folded state. */
export type Sessions = ReadonlyMap<string, SessionTable>

/** Subscribers that one table lists, and its octets: a reply of the shell has an end. */
export const subscriberLimit = 100_000
const octetLimit = 14 * 2 ** 20

/** Longer names are cut in the table; `mac` shows them whole. */
const widths = { user: 24, ssid: 16, accounting: 20 } as const

const header = [
	'MAC Address',
	'User',
	'Access Point',
	'SSID',
	'Since',
	'Last Heard',
	'Acct-Session-Id',
] as const

/** Lines of `show subscribers`: a table by MAC. Where there are too many, those silent longest. */
export function subscribersText(state: Sessions, virtualRouter: string): string[] {
	const title = 'Subscribers'
	const sessions = state.get(virtualRouter)?.sessions
	if (sessions === undefined || sessions.size === 0) {
		return [...heading(title), 'No subscriber is on the network.']
	}
	const listed = sessions.values().take(subscriberLimit).toArray()
	listed.sort((a, b) => (a.mac < b.mac ? -1 : 1))
	const lines = fitting(table(title, header, listed.map(row)))
	const missing = sessions.size - (lines.length - headLength)
	lines.push('', `Subscribers: ${sessions.size}`)
	if (missing > 0) {
		lines.push(`${missing} of them are not listed; "show subscribers mac" shows any one.`)
	}
	return lines
}

/** A session as it was at some time. `until`: when it ended afterwards; undefined: it lives still. */
export type PastSession = {
	readonly mac: string
	readonly user: string | undefined
	readonly wap: string
	readonly ssid: string | undefined
	readonly since: number
	readonly until: number | undefined
	readonly accounting: string | undefined
}

/** Lines of `show subscribers at`: those who were on the network at that time, `count` in all. */
export function subscribersAtText(
	sessions: readonly PastSession[],
	count: number,
	at: number,
): string[] {
	const title = `Subscribers at ${routerDate(at)}`
	if (sessions.length === 0) return [...heading(title), 'No subscriber was on the network.']
	const heads = header.map(head => (head === 'Last Heard' ? 'Until' : head))
	const lines = fitting(table(title, heads, sessions.map(pastRow)))
	const missing = count - (lines.length - headLength)
	lines.push('', `Subscribers: ${count}`)
	if (missing > 0) {
		lines.push(`${missing} of them are not listed; "show subscribers mac M at" shows any one.`)
	}
	return lines
}

function pastRow(session: PastSession): string[] {
	return [
		session.mac,
		cut(session.user, widths.user),
		session.wap,
		cut(session.ssid, widths.ssid),
		shortDate(session.since),
		session.until === undefined ? '' : shortDate(session.until),
		cut(session.accounting, widths.accounting),
	]
}

/** Title, its rule, headings and theirs. */
const headLength = 4

const plain = /^[\x20-\x7e]*$/

function row(session: Session): string[] {
	return [
		session.mac,
		cut(session.user, widths.user),
		session.wap,
		cut(session.ssid, widths.ssid),
		shortDate(session.since),
		shortDate(session.heardAt),
		cut(session.accounting, widths.accounting),
	]
}

function cut(text: string | undefined, width: number): string {
	// Nearly every name: a hundred thousand of them must not hold up packets.
	if (text === undefined || (text.length <= width && plain.test(text))) return text ?? ''
	const characters = [...printable(text)]
	if (characters.length <= width) return characters.join('')
	return `${characters.slice(0, width - 1).join('')}…`
}

/** `2027-01-15 08:00:00`, UTC. */
function shortDate(ms: number): string {
	return new Date(ms).toISOString().slice(0, 19).replace('T', ' ')
}

/** As many lines from the first as have room in a reply. */
function fitting(lines: readonly string[]): string[] {
	let octets = 0
	let count = 0
	for (const line of lines) {
		// Beyond ASCII a UTF-16 unit takes up to 3 octets; quotes and comma come on top.
		octets += line.length * (plain.test(line) ? 1 : 3) + 3
		if (octets > octetLimit) break
		count++
	}
	return lines.slice(0, count)
}

/** Lines of `show subscribers mac M`: everything about one. `addresses`: those that it has. */
export function subscriberText(
	state: Sessions,
	virtualRouter: string,
	mac: string,
	addresses: readonly string[],
): string[] {
	const sessions = state.get(virtualRouter)
	const session = sessions?.sessions.get(mac)
	if (session === undefined) return [`% ${mac} has no session.`]
	const accessPoint = sessions?.accessPoints.get(session.wap)
	const rows: [string, string | undefined][] = [
		['MAC Address', session.mac],
		['User', session.user],
		['Access Point', session.wap],
		['Access Point Address', accessPoint?.client],
		['SSID', session.ssid],
		['Since', routerDate(session.since)],
		['Last Heard', routerDate(session.heardAt)],
		['Acct-Session-Id', session.accounting],
		['Acct-Multi-Session-Id', session.multiSession],
		['Class', session.class],
		['Service Bundle', session.serviceBundle],
		['Address', addresses.length === 0 ? undefined : addresses.join(', ')],
	]
	const known = rows.filter(([, value]) => value !== undefined && value !== '')
	return [
		...heading(`Subscriber ${mac}`),
		...known.map(([label, value]) => `${`${label}:`.padEnd(23)}${printable(value!)}`),
	]
}
