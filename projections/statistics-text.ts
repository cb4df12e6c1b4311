/** The statistics as the router lays them out: a title, a table, and when the baseline was set. */
import { type Service, services, type VirtualRouter } from '../domain/configuration.ts'
import {
	type ClientStatistics,
	type Counters,
	clientBaseline,
	clientLimit,
	pendingRow,
	type RelayStatistics,
	routerStatistics,
	type ServiceCounters,
} from './statistics.ts'
import {
	accountingServerRow,
	authenticationServerRow,
	serverStatistics,
	type UpstreamStatistics,
} from './upstream-statistics.ts'

const serviceTitle = { authentication: 'Authentication', accounting: 'Accounting' } as const

/** In the order of `authenticationRow` and `accountingRow`. */
export const relayLabels: Readonly<Record<Service, readonly string[]>> = {
	authentication: [
		'Access Requests',
		'Access Accepts',
		'Access Challenges',
		'Access Rejects',
		'Pending Requests',
		'Duplicate Requests',
		'Malformed Requests',
		'Bad Authenticators',
		'Unknown Requests',
		'Dropped Packets',
		'Invalid Requests',
	],
	accounting: [
		'Accounting Requests',
		'  Start',
		'  Stop',
		'  Interim',
		'Accounting Responses',
		'  Start',
		'  Stop',
		'  Interim',
		'Pending Requests',
		'Duplicate Requests',
		'Malformed Requests',
		'Bad Authenticators',
		'Unknown Requests',
		'Dropped Packets',
		'Invalid Requests',
	],
}

/** In the order of `authenticationServerRow` and `accountingServerRow`. */
export const upstreamLabels: Readonly<Record<Service, readonly string[]>> = {
	authentication: [
		'Round Trip Time',
		'Access Requests',
		'Rollover Requests',
		'Retransmissions',
		'Access Accepts',
		'Access Rejects',
		'Access Challenges',
		'Malformed Responses',
		'Bad Authenticators',
		'Requests Pending',
		'Request Timeouts',
		'Unknown Responses',
		'Packets Dropped',
	],
	accounting: [
		'Round Trip Time',
		'Requests',
		'Start Requests',
		'Interim Requests',
		'Stop Requests',
		'Reject Requests',
		'Rollover Requests',
		'Retransmissions',
		'Responses',
		'Start Responses',
		'Interim Responses',
		'Stop Responses',
		'Reject Responses',
		'Malformed Responses',
		'Bad Authenticators',
		'Requests Pending',
		'Request Timeouts',
		'Unknown Responses',
		'Packets Dropped',
	],
}

/** Rows that say how things stand now: a baseline changes nothing in them. */
export const upstreamGauges: Readonly<Record<Service, readonly number[]>> = {
	authentication: [authenticationServerRow.roundTrip, authenticationServerRow.pending],
	accounting: [accountingServerRow.roundTrip, accountingServerRow.pending],
}

export type RelayStatisticsQuery = {
	readonly virtualRouter: string
	/** Both services where it is left out. */
	readonly service?: Service | undefined
	/** One client's address as dotted text; all clients together where it is left out. */
	readonly client?: string | undefined
	readonly delta: boolean
}

/** Lines of `show radius relay statistics`; one line that begins with `%` for a strange client. */
export function relayStatisticsText(state: RelayStatistics, query: RelayStatisticsQuery): string[] {
	const { client: address, delta } = query
	const router = routerStatistics(state, query.virtualRouter)
	let now: ServiceCounters | undefined = router?.total
	let baseline: ServiceCounters | undefined = router?.baseline?.total
	if (address !== undefined) {
		const client = clientStatistics(router?.clients, address)
		if (router === undefined || client === undefined) {
			return [noClientStatistics(address, (router?.uncounted ?? 0) > 0)]
		}
		now = client.now
		baseline = clientBaseline(router, client)
	}
	const baselineAt = router?.baseline?.at
	const shown = query.service === undefined ? services : [query.service]
	return shown.flatMap((service, i) => {
		const column = difference(
			now?.[service],
			delta ? baseline?.[service] : undefined,
			relayLabels[service].length,
			[pendingRow[service]],
		)
		const lines = table(
			`RADIUS Relay ${serviceTitle[service]} Server Statistics`,
			['Statistic', 'Total'],
			relayLabels[service].map((label, row) => [label, `${column[row]}`]),
		)
		if (delta) lines.push('', baselineText(baselineAt))
		return i === 0 ? lines : ['', ...lines]
	})
}

export type UpstreamStatisticsQuery = {
	readonly virtualRouter: string
	readonly service?: Service | undefined
	/** Tells which servers to show, and their ports. */
	readonly configuration: VirtualRouter
	readonly delta: boolean
}

/** Lines of `show radius statistics`: a column for each configured server, asked or not. */
export function upstreamStatisticsText(
	state: UpstreamStatistics,
	query: UpstreamStatisticsQuery,
): string[] {
	const { virtualRouter, configuration, delta } = query
	const baselineAt = state.baselines.find(one => one.virtualRouter === virtualRouter)?.at
	const shown = query.service === undefined ? services : [query.service]
	return shown.flatMap((service, i) => {
		const servers = configuration.upstream[service]
		const labels = upstreamLabels[service]
		const columns = servers.map(({ address }) => {
			const server = serverStatistics(state, virtualRouter, service, address)
			const baseline = delta ? (server?.baseline ?? undefined) : undefined
			return difference(server?.now, baseline, labels.length, upstreamGauges[service])
		})
		const title = `RADIUS ${serviceTitle[service]} Statistics`
		const lines =
			servers.length === 0
				? [...heading(title), `No RADIUS ${service} server is configured`]
				: table(
						title,
						['Statistic', ...servers.map(server => server.address)],
						[
							['UDP Port', ...servers.map(server => `${server.udpPort}`)],
							...labels.map((label, row) => [label, ...columns.map(column => `${column[row]}`)]),
						],
					)
		if (delta) lines.push('', baselineText(baselineAt))
		return i === 0 ? lines : ['', ...lines]
	})
}

/** What is shown for a client that has no statistics. */
export function noClientStatistics(address: string, tableFull: boolean): string {
	const reason = tableFull
		? `it has sent nothing, or came when ${clientLimit} clients were counted already`
		: 'it has sent nothing'
	return `% No statistics for client ${address}: ${reason}`
}

const weekdays = ['SUN', 'MON', 'TUE', 'WED', 'THU', 'FRI', 'SAT']
const months = 'JAN FEB MAR APR MAY JUN JUL AUG SEP OCT NOV DEC'.split(' ')

/** Milliseconds since 1970 as the router writes a date: `FRI APR 02 2004 19:01:52 UTC`. */
export function routerDate(ms: number): string {
	const iso = new Date(ms).toISOString()
	const weekday = weekdays[new Date(ms).getUTCDay()]
	const month = months[new Date(ms).getUTCMonth()]
	return `${weekday} ${month} ${iso.slice(8, 10)} ${iso.slice(0, 4)} ${iso.slice(11, 19)} UTC`
}

/** When the baseline was set, in milliseconds; undefined: never. */
export function baselineText(at: number | undefined): string {
	if (at === undefined) return 'Statistics baseline not set'
	return `Statistics baseline set ${routerDate(at)}`
}

function clientStatistics(
	clients: Record<string, ClientStatistics> | undefined,
	address: string,
): ClientStatistics | undefined {
	// The address may be anything that was typed: `constructor` is no client.
	if (clients === undefined || !Object.hasOwn(clients, address)) return undefined
	return clients[address]
}

function difference(
	now: Counters | undefined,
	baseline: Counters | undefined,
	rows: number,
	gauges: readonly number[],
): Counters {
	return Array.from({ length: rows }, (_, row) => {
		const value = now?.[row] ?? 0
		return gauges.includes(row) ? value : value - (baseline?.[row] ?? 0)
	})
}

/** A title, underlined with dashes of its own length. */
export function heading(title: string): string[] {
	return [title, '-'.repeat(title.length)]
}

/** Columns as wide as their widest cell, two spaces apart. */
export function table(
	title: string,
	header: readonly string[],
	rows: readonly string[][],
): string[] {
	const widths = header.map((cell, column) =>
		rows.reduce((width, row) => Math.max(width, row[column]!.length), cell.length),
	)
	const line = (cells: readonly string[]): string =>
		cells
			.map((cell, column) => cell.padEnd(widths[column]!))
			.join('  ')
			.trimEnd()
	return [
		...heading(title),
		line(header),
		line(widths.map(width => '-'.repeat(width))),
		...rows.map(line),
	]
}
