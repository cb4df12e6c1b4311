/** The statistics as rows, one a counter: for whoever reads them with a program. */
import { type Service, services } from '../domain/configuration.ts'
import { type DhcpStatistics, dhcpRow } from './dhcp-statistics.ts'
import { dhcpLabels } from './dhcp-text.ts'
import { type DynamicRequestStatistics, dynamicRow } from './dynamic-request-statistics.ts'
import { dynamicLabels } from './dynamic-request-text.ts'
import {
	accountingRow,
	authenticationRow,
	type Counters,
	clientBaseline,
	pendingRow,
	type RelayStatistics,
	type RouterStatistics,
} from './statistics.ts'
import { relayLabels, upstreamGauges, upstreamLabels } from './statistics-text.ts'
import {
	accountingServerRow,
	authenticationServerRow,
	type UpstreamStatistics,
} from './upstream-statistics.ts'

export type StatisticsSubject = 'relay' | 'upstream' | 'dhcp' | 'dynamic-request'

export type StatisticsSelection = {
	readonly virtualRouter?: string | undefined
	readonly service?: Service | undefined
	/** A client of the relay or a server, as configured; without it a relay's clients together. */
	readonly peer?: string | undefined
}

export type Statistic = {
	readonly of: StatisticsSubject
	readonly virtualRouter: string
	readonly service: Service | null
	/** Null: all of them together. */
	readonly peer: string | null
	readonly statistic: string
	/** As the shell prints it. */
	readonly label: string
	/** A baseline changes nothing in it. */
	readonly gauge: boolean
	readonly total: number
	/** Since the baseline; the total where none was set. */
	readonly delta: number
	/** Milliseconds; null: none was set. */
	readonly baselineAt: number | null
}

type Group = Pick<Statistic, 'of' | 'virtualRouter' | 'service' | 'peer' | 'baselineAt'>

const relayNames = {
	authentication: Object.keys(authenticationRow),
	accounting: Object.keys(accountingRow),
}
const upstreamNames = {
	authentication: Object.keys(authenticationServerRow),
	accounting: Object.keys(accountingServerRow),
}

function rowsOf(
	group: Group,
	names: readonly string[],
	labels: readonly string[],
	now: Counters | undefined,
	baseline: Counters | undefined,
	gauges: readonly number[] = [],
): Statistic[] {
	return names.map((statistic, row) => {
		const total = now?.[row] ?? 0
		const gauge = gauges.includes(row)
		const delta = gauge ? total : total - (baseline?.[row] ?? 0)
		return { ...group, statistic, label: labels[row]!.trim(), gauge, total, delta }
	})
}

function isSelected(selection: StatisticsSelection, virtualRouter: string): boolean {
	return selection.virtualRouter === undefined || selection.virtualRouter === virtualRouter
}

function servicesOf({ service }: StatisticsSelection): readonly Service[] {
	return service === undefined ? services : [service]
}

/** What clients asked and were told: all together, or one of them. */
export function relayStatisticsRows(
	state: RelayStatistics,
	selection: StatisticsSelection,
): Statistic[] {
	return state.routers
		.filter(({ virtualRouter }) => isSelected(selection, virtualRouter))
		.flatMap(router => servicesOf(selection).flatMap(service => relayRows(router, service)))

	function relayRows(router: RouterStatistics, service: Service): Statistic[] {
		const { peer } = selection
		const known = peer !== undefined && Object.hasOwn(router.clients, peer)
		const client = known ? router.clients[peer] : undefined
		if (peer !== undefined && client === undefined) return []
		const now = client === undefined ? router.total : client.now
		const baseline = client === undefined ? router.baseline?.total : clientBaseline(router, client)
		return rowsOf(
			{
				of: 'relay',
				virtualRouter: router.virtualRouter,
				service,
				peer: peer ?? null,
				baselineAt: router.baseline?.at ?? null,
			},
			relayNames[service],
			relayLabels[service],
			now[service],
			baseline?.[service],
			[pendingRow[service]],
		)
	}
}

/** What each upstream server was asked and answered. */
export function upstreamStatisticsRows(
	state: UpstreamStatistics,
	selection: StatisticsSelection,
): Statistic[] {
	const { service, peer } = selection
	return state.servers
		.filter(server => isSelected(selection, server.virtualRouter))
		.filter(server => service === undefined || server.service === service)
		.filter(server => peer === undefined || server.address === peer)
		.flatMap(server => {
			const { virtualRouter } = server
			const at = state.baselines.find(one => one.virtualRouter === virtualRouter)?.at
			return rowsOf(
				{
					of: 'upstream',
					virtualRouter,
					service: server.service,
					peer: server.address,
					baselineAt: at ?? null,
				},
				upstreamNames[server.service],
				upstreamLabels[server.service],
				server.now,
				server.baseline ?? undefined,
				upstreamGauges[server.service],
			)
		})
}

/** The messages of the DHCP local server. */
export function dhcpStatisticsRows(
	state: DhcpStatistics,
	selection: StatisticsSelection,
): Statistic[] {
	if (selection.service !== undefined || selection.peer !== undefined) return []
	const names = Object.keys(dhcpRow) as (keyof typeof dhcpRow)[]
	const labels = names.map(name => dhcpLabels[name])
	return state.routers
		.filter(({ virtualRouter }) => isSelected(selection, virtualRouter))
		.flatMap(({ virtualRouter, counters, baseline }) =>
			rowsOf(
				{ of: 'dhcp', virtualRouter, service: null, peer: null, baselineAt: baseline?.at ?? null },
				names,
				labels,
				counters,
				baseline?.counters,
			),
		)
}

/** What dynamic-request servers asked and were told. */
export function dynamicStatisticsRows(
	state: DynamicRequestStatistics,
	selection: StatisticsSelection,
): Statistic[] {
	if (selection.service !== undefined) return []
	return state.routers
		.filter(({ virtualRouter }) => isSelected(selection, virtualRouter))
		.flatMap(({ virtualRouter, servers, baseline }) =>
			Object.entries(servers)
				.filter(([address]) => selection.peer === undefined || selection.peer === address)
				.flatMap(([peer, now]) =>
					rowsOf(
						{
							of: 'dynamic-request',
							virtualRouter,
							service: null,
							peer,
							baselineAt: baseline?.at ?? null,
						},
						Object.keys(dynamicRow),
						dynamicLabels,
						now,
						baseline?.servers[peer],
					),
				),
		)
}
