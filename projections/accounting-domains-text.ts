/** What `show radius relay accounting-domains` prints. */
import {
	type AccountingPair,
	type AccountingRowFacts,
	accountingOfRows,
	accountingPairs,
	causeName,
	endOf,
	type SubscriberAccounting,
} from './accounting-domains.ts'
import { printable } from './printable.ts'
import { heading, routerDate, table } from './statistics-text.ts'

/** Lines about one subscriber: a table for each pair of sessions, the newest last. */
export function accountingDomainsText(
	mac: string,
	accounting: SubscriberAccounting,
	now: number,
): string[] {
	const title = `Accounting Domains of ${mac}`
	const pairs = accountingPairs(accounting, now)
	if (pairs.length === 0) {
		return [...heading(title), 'Neither an access point nor SRC has accounted for it.']
	}
	const lines = heading(title)
	for (const pair of pairs) lines.push('', ...pairLines(pair))
	if (accounting.dropped > 0) {
		lines.push('', `${accounting.dropped} older sessions are not shown; replay has them.`)
	}
	return lines
}

/** Accounting sessions that the list goes back. */
export const listedSessions = 1000

/** The list: one line for each pair, the newest first. `rows` are the newest, the newest first. */
export function accountingDomainsList(rows: readonly AccountingRowFacts[], now: number): string[] {
	const title = 'Accounting Domains'
	if (rows.length === 0) return [...heading(title), 'Nobody has been accounted for.']
	const lines: string[][] = []
	let twice = 0
	for (const [mac, accounting] of accountingOfRows(rows)) {
		for (const pair of accountingPairs(accounting, now).reverse()) {
			if (pair.countedTwice !== undefined) twice++
			lines.push(listLine(mac, pair))
		}
	}
	const header = ['MAC Address', 'User', 'Access Point Session', 'SRC Session', 'Remarks']
	const footer = [`Pairs: ${lines.length}, counted twice: ${twice}`]
	if (rows.length >= listedSessions) {
		footer.push(`Made of the newest ${listedSessions} sessions; "mac" shows all of a subscriber.`)
	}
	return [...table(title, header, lines), '', ...footer]
}

function listLine(mac: string, { wap, src, differences, countedTwice }: AccountingPair): string[] {
	const remarks: string[] = differences.map(({ field }) => field)
	if (countedTwice !== undefined) remarks.push('counted twice')
	const state = (end: number | undefined) => (end === undefined ? 'open' : 'closed')
	return [
		mac,
		printable(wap?.user ?? src?.user ?? ''),
		wap === undefined ? '-' : `${printable(wap.session ?? '(unnamed)')} ${state(endOf(wap))}`,
		src === undefined ? '-' : `${printable(src.session ?? '(unnamed)')} ${state(src.endedAt)}`,
		remarks.join(', '),
	]
}

function pairLines(pair: AccountingPair): string[] {
	const { wap, src } = pair
	const rows: [string, string | undefined, string | undefined][] = [
		['Session', wap?.session, src?.session],
		['Reported By', wap?.wap, src?.server],
		['User', wap?.user, src?.user],
		['Address', wap?.framedAddress, src?.address],
		['Start', date(wap?.startedAt), date(src?.since)],
		['Stop', wap && stopOf(wap), src && (date(src.endedAt) ?? 'open')],
		['Seconds', text(wap?.sessionSeconds), text(src?.sessionSeconds)],
		['Cause', wap && causeOf(wap), src?.cause ?? src?.unanswered],
		['Class', wap?.class, src?.class],
		['Service', undefined, serviceOf(src)],
		['Input Octets', wap?.inputOctets, undefined],
		['Output Octets', wap?.outputOctets, undefined],
	]
	const cells = rows
		.filter(([, left, right]) => left !== undefined || right !== undefined)
		.map(([label, left, right]) => [label, printable(left ?? '-'), printable(right ?? '-')])
	return [...table(matchText(pair), ['', 'Access Point', 'SRC'], cells), ...remarks(pair)]
}

/** How a pair came to be, in words. */
export function matchText({ wap, src, matchedBy }: AccountingPair): string {
	if (matchedBy !== undefined) return `Matched by ${matchedBy}`
	if (src === undefined) return 'Access point only'
	return wap === undefined ? 'SRC only' : 'Unmatched'
}

function remarks({ differences, countedTwice, src }: AccountingPair): string[] {
	const lines: string[] = []
	if (differences.length > 0) {
		lines.push(`Differs in: ${differences.map(({ field }) => field).join(', ')}`)
	}
	if (countedTwice !== undefined) {
		lines.push(
			`Counted twice: SRC wrote session ${printable(src?.session ?? '')} as RADIUS accounting as well.`,
		)
	}
	return lines
}

function stopOf(wap: NonNullable<AccountingPair['wap']>): string {
	const end = endOf(wap)
	if (end === undefined) return 'open'
	return wap.stoppedAt === undefined ? `${routerDate(end)} (no Stop)` : routerDate(end)
}

function causeOf(wap: NonNullable<AccountingPair['wap']>): string | undefined {
	return wap.terminateCause === undefined ? wap.terminatedBy : causeName(wap.terminateCause)
}

function serviceOf(src: AccountingPair['src']): string | undefined {
	if (src?.service === undefined) return src?.serviceClass
	return src.serviceClass === undefined ? src.service : `${src.service} (${src.serviceClass})`
}

function date(ms: number | undefined): string | undefined {
	return ms === undefined ? undefined : routerDate(ms)
}

function text(value: number | undefined): string | undefined {
	return value === undefined ? undefined : `${value}`
}
