/** A subscriber's history as it is drawn: lanes of spans and marks over one time axis. */
import { instant } from './format.ts'
import type { Accounting, Attempt, Lease, Session } from './model.ts'

export type Span = {
	readonly begin: number
	/** Undefined: it still lasts. */
	readonly end: number | undefined
	readonly label: string
	readonly title: string
	/** A class of the style sheet: the page's policy allows no style in an attribute. */
	readonly tone: string
}

export type Mark = { readonly at: number; readonly title: string; readonly tone: string }

export type Lane = {
	readonly name: string
	readonly spans: readonly Span[]
	readonly marks: readonly Mark[]
}

export type History = {
	readonly sessions: readonly Session[]
	readonly attempts: readonly Attempt[]
	readonly leases: readonly Lease[]
	readonly accounting: readonly Accounting[]
	/** Whether there is nothing older of any kind. */
	readonly isWhole: boolean
}

/** When everything in it began, in milliseconds. */
export function beginnings({ sessions, attempts, leases, accounting }: History): number[] {
	return [
		...[...sessions, ...attempts, ...accounting].map(({ beganAt }) => Date.parse(beganAt)),
		...leases.map(({ offeredAt }) => Date.parse(offeredAt)),
	]
}

/** Instants at which something began or ended, in order. */
export function changesOf(history: History, begin: number, end: number): number[] {
	const { sessions, attempts, leases, accounting } = history
	const ends = [...sessions, ...attempts, ...leases, ...accounting].flatMap(({ endedAt }) =>
		endedAt === null ? [] : [Date.parse(endedAt)],
	)
	const all = [...beginnings(history), ...ends].filter(at => at >= begin && at <= end)
	return [...new Set(all)].sort((a, b) => a - b)
}

const outcomeTones: Readonly<Record<string, string>> = {
	accepted: 'good',
	rejected: 'bad',
	unanswered: 'warn',
}

/** Logins as marks; sessions, leases and both accounting domains as spans. */
export function lanesOf({ sessions, attempts, leases, accounting }: History): Lane[] {
	const domain = (which: Accounting['domain'], tone: string) =>
		accounting
			.filter(each => each.domain === which)
			.map(each => ({
				...spanOf(each.beganAt, each.endedAt),
				label: each.accountingSession,
				title: `${each.accountingSession} ${period(each.beganAt, each.endedAt)} ${each.cause ?? ''}`,
				tone,
			}))
	return [
		{
			name: 'Logins',
			spans: [],
			marks: attempts.map(({ beganAt, outcome, reason, server }) => ({
				at: Date.parse(beganAt),
				title: `${instant(beganAt)} ${outcome ?? 'open'} ${reason ?? ''} by ${server ?? 'nobody'}`,
				tone: outcomeTones[outcome ?? ''] ?? 'faint',
			})),
		},
		{
			name: 'Session',
			spans: sessions.map(({ beganAt, endedAt, wap, cause }) => ({
				...spanOf(beganAt, endedAt),
				label: wap,
				title: `At ${wap} ${period(beganAt, endedAt)} ${cause ?? ''}`,
				tone: 'good',
			})),
			marks: [],
		},
		{
			name: 'Address',
			spans: leases.map(({ grantedAt, offeredAt, endedAt, address, pool, cause }) => ({
				...spanOf(grantedAt ?? offeredAt, endedAt),
				label: address,
				title: `${address} from ${pool} ${period(grantedAt ?? offeredAt, endedAt)} ${cause ?? ''}`,
				tone: 'third',
			})),
			marks: [],
		},
		{ name: 'WAP accounting', spans: domain('wap', 'second'), marks: [] },
		{ name: 'SRC accounting', spans: domain('src', 'fourth'), marks: [] },
	]
}

function spanOf(begin: string, end: string | null) {
	return { begin: Date.parse(begin), end: end === null ? undefined : Date.parse(end) }
}

function period(begin: string, end: string | null): string {
	return `from ${instant(begin)} to ${end === null ? 'now' : instant(end)}.`
}
