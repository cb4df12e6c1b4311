/** What was counted minute by minute, for plots. */
import type { Key } from './cursor.ts'
import { refuse } from './problem.ts'
import { vr } from './relay-routes.ts'
import {
	type Columns,
	countColumn,
	historyRoute,
	numberOrNull,
	optional,
	otherwise,
	pageOf,
	textColumn,
	timeColumn,
} from './route.ts'
import { where } from './search.ts'
import { integer, time } from './value.ts'

/** Columns of the table `minute` that are summed up, and what they count. */
const counted = {
	events: 'Events',
	accessRequests: 'Access-Requests relayed',
	accessAccepts: 'Access-Accepts',
	accessRejects: 'Access-Rejects',
	accessChallenges: 'Access-Challenges',
	accessUnanswered: 'Access-Requests that nobody answered',
	accountingStarts: 'Accounting-Requests: Start',
	accountingInterims: 'Accounting-Requests: Interim-Update',
	accountingStops: 'Accounting-Requests: Stop',
	accountingOthers: 'Accounting-Requests: Accounting-On and -Off',
	accountingResponses: 'Accounting-Responses',
	accountingUnanswered: 'Accounting-Requests that nobody answered',
	requestsDiscarded: 'Requests discarded',
	responsesDiscarded: 'Answers of servers discarded',
	answersRepeated: 'Answers sent once more to a repeated request',
	serverAnswers: 'Answers of servers',
	sessionsBegun: 'Sessions begun',
	sessionsEnded: 'Sessions ended',
	poolsSelected: 'Pools chosen',
	leasesOffered: 'Leases offered',
	leasesGranted: 'Leases granted',
	leasesRenewed: 'Leases renewed',
	leasesRefused: 'Leases refused',
	leasesEnded: 'Leases released, expired or declined',
	disconnects: 'Disconnect- and CoA-Requests',
} as const

const columns: Columns = {
	at: timeColumn('Beginning of the interval'),
	virtualRouter: textColumn('Virtual router'),
	...Object.fromEntries(
		Object.entries(counted).map(([name, what]) => [name, countColumn(`${what} in it`)]),
	),
	serverMs: numberOrNull('Milliseconds that a server took for an answer, on average'),
	serverMsMax: numberOrNull('Milliseconds of the slowest answer'),
}

const minuteMs = 60_000
const hourMs = 3_600_000

export const seriesRoutes = [
	historyRoute({
		operation: 'listStatisticsSeries',
		path: '/api/v1/statistics/series',
		tag: 'Statistics',
		summary: 'What was counted, minute by minute or in longer steps, the oldest first',
		description: 'Steps in which nothing happened are left out.',
		gives: 'page',
		row: 'StatisticsInterval',
		columns,
		parameters: {
			from: optional(time, 'Where it begins; an hour before `to` where it is left out'),
			to: optional(time, 'Before which it ends; now where it is left out'),
			step: otherwise(integer(1, 1440), 1, 'Minutes of an interval'),
			vr,
		},
		query(sources, { from, to, step, vr }, page) {
			const end = to ?? sources.now()
			const begin = from ?? end - hourMs
			if (begin >= end) {
				return refuse('invalid-parameter', 'from must be before to: exchange them.', 'from')
			}
			const stepMs = step * minuteMs
			const sums = Object.keys(counted).map(name => `sum(${snakeCase(name)}) AS ${name}`)
			const [at, router] = keyOf(page.after)
			// A number that comes in as a parameter is REAL, and division would leave a fraction.
			const interval = `(minute.at / ${stepMs} * ${stepMs})`
			// A first interval that has only begun would look like a dip: it is given whole.
			const first = Math.floor(begin / stepMs) * stepMs
			const conditions = [
				...where('at >= ?', first),
				...where('at < ?', end),
				...where('virtual_router = ?', vr),
			]
			const rows = sources.views().select(
				`SELECT ${interval} AS at, virtual_router AS virtualRouter, ${sums.join(', ')},
					round(sum(server_us) / 1000.0 / nullif(sum(server_answers), 0), 3) AS serverMs,
					nullif(max(server_us_max), 0) / 1000.0 AS serverMsMax
				FROM minute
				WHERE within_time(at) AND ${conditions.map(({ sql }) => sql).join(' AND ')}
				GROUP BY 1, 2 HAVING ? OR (${interval}, virtual_router) > (?, ?)
				ORDER BY 1, 2 LIMIT ?`,
				...conditions.flatMap(({ values }) => values),
				...[at === undefined ? 1 : 0, at ?? 0, router ?? ''],
				page.limit + 1,
			)
			return pageOf(rows, page.limit, ['at', 'virtualRouter'])
		},
	}),
]

function keyOf(key: Key | undefined): [number?, string?] {
	if (key === undefined) return []
	const [at, router] = key
	if (typeof at === 'number' && typeof router === 'string') return [at, router]
	return refuse('invalid-cursor', 'Use a cursor as an earlier answer gave it.', 'cursor')
}

function snakeCase(name: string): string {
	return name.replace(/[A-Z]/g, letter => `_${letter.toLowerCase()}`)
}
