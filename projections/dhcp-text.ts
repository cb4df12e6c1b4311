/** What the DHCP local server's `show` commands print. */
import type { DhcpPool } from '../domain/configuration.ts'
import {
	type DhcpDiscard,
	type DhcpRouterStatistics,
	type DhcpStatistics,
	type dhcpExternalRow,
	dhcpExternalStatisticsOf,
	type dhcpRow,
	dhcpStatisticsOf,
} from './dhcp-statistics.ts'
import {
	allLeases,
	type Lease,
	type Leases,
	leaseOf,
	leasesOf,
	leasesOfMac,
	type PoolUse,
	poolUse,
} from './leases.ts'
import { type PoolHistory, type Pools, poolHistory } from './pools.ts'
import { baselineText, heading, routerDate, table } from './statistics-text.ts'

/** A table with more rows is of no use on a terminal, and costs the relay time. */
export const bindingLimit = 10_000

export type BindingsQuery = {
	readonly virtualRouter: string
	/** Whose leases a table of all of them has; those of this relay where it is left out. */
	readonly server?: 'local' | 'external'
	/** Dotted text. */
	readonly address?: string | undefined
	/** In normal form. */
	readonly mac?: string | undefined
	/** Milliseconds since 1970. */
	readonly now: number
}

/**
 * Lines of `show ip dhcp-local binding` and `show ip dhcp-external binding`: a table, or everything
 * about one address or client.
 */
export function bindingsText(state: Leases, query: BindingsQuery): string[] {
	const { virtualRouter, address, mac, now, server = 'local' } = query
	const router = leasesOf(state, virtualRouter)
	if (address !== undefined) {
		const lease = router && leaseOf(router, address, now)
		return lease === undefined ? [`% Nobody has ${address}.`] : bindingDetails(lease, now)
	}
	if (mac !== undefined) {
		const found = router === undefined ? [] : leasesOfMac(router, mac, now)
		if (found.length === 0) return [`% ${mac} has no address.`]
		return found.flatMap((lease, i) => [...(i === 0 ? [] : ['']), ...bindingDetails(lease, now)])
	}
	const external = server === 'external'
	const title = `DHCP ${external ? 'External' : 'Local'} Server Bindings`
	const { leases, count } = router
		? allLeases(router, now, bindingLimit, server)
		: { leases: [], count: 0 }
	if (count === 0) return [...heading(title), 'No client has an address.']
	const givenBy = external ? 'Server' : 'Pool'
	const header = ['Address', 'Hardware Address', givenBy, 'State', 'Seconds Left', 'Seen At']
	const rows = leases.map(lease => [
		lease.address,
		lease.mac,
		lease.server ?? lease.pool,
		lease.state,
		secondsLeft(lease, now),
		lease.giaddr ?? lease.interface ?? '',
	])
	const more = count - leases.length
	const rest = `${more} more; "show ip dhcp-${server} binding" with an address or "mac" shows any of them.`
	return [...table(title, header, rows), ...(more > 0 ? ['', rest] : [])]
}

function secondsLeft({ until }: Lease, now: number): string {
	return until === 0 ? 'infinite' : String(Math.max(0, Math.ceil((until - now) / 1000)))
}

function bindingDetails(lease: Lease, now: number): string[] {
	const { until, leaseSeconds } = lease
	const end = until === 0 ? 'never' : routerDate(until)
	const kind = lease.server === undefined ? 'Local' : 'External'
	return details(`DHCP ${kind} Server Binding ${lease.address}`, [
		['Hardware Address', lease.mac],
		['Client', lease.client],
		['Host Name', lease.hostname],
		['Pool', lease.pool],
		['Server', lease.server],
		['State', lease.state],
		['Since', routerDate(lease.since)],
		['Until', end],
		['Seconds Left', secondsLeft(lease, now)],
		['Lease', leaseText(leaseSeconds)],
		['Relay Agent', lease.giaddr],
		['Interface', lease.interface],
	])
}

function leaseText(leaseSeconds: number): string {
	return leaseSeconds === 0 ? 'infinite' : `${leaseSeconds} seconds`
}

type Detail = readonly [label: string, value: string | number | undefined]

/** A line for each value that there is. */
function details(title: string, rows: readonly Detail[]): string[] {
	const known = rows.filter(([, value]) => value !== undefined && value !== '')
	const width = Math.max(...known.map(([label]) => label.length))
	return [...heading(title), ...known.map(([label, value]) => `${label.padEnd(width)}  ${value}`)]
}

// ---- Pools ----

export type PoolsQuery = {
	readonly virtualRouter: string
	/** The pools as they are configured, in their order. */
	readonly pools: readonly DhcpPool[]
	/** How many addresses a pool has for clients. */
	readonly sizeOf: (pool: DhcpPool) => number
	/** One pool in every detail; all of them as a table where it is left out. */
	readonly pool?: string | undefined
	/** Milliseconds since 1970. */
	readonly now: number
}

const unused: PoolUse = { offered: 0, bound: 0, held: 0, declined: 0, highWater: 0, highWaterAt: 0 }

/** A pool at the time of display. */
type PoolNow = {
	readonly settings: DhcpPool
	readonly size: number
	readonly use: PoolUse
	readonly past: PoolHistory | undefined
}

/** Lines of `show ip dhcp-local pool`. */
export function poolsText(leases: Leases, history: Pools, query: PoolsQuery): string[] {
	const { virtualRouter, pools, sizeOf, pool: name, now } = query
	const router = leasesOf(leases, virtualRouter)
	const uses = router === undefined ? new Map<string, PoolUse>() : poolUse(router, now)
	const poolNow = (settings: DhcpPool): PoolNow => ({
		settings,
		size: sizeOf(settings),
		use: uses.get(settings.name) ?? unused,
		past: poolHistory(history, virtualRouter, settings.name),
	})
	if (name !== undefined) {
		const settings = pools.find(one => one.name === name)
		return settings === undefined ? [`% There is no pool ${name}.`] : poolDetails(poolNow(settings))
	}
	const configured = new Set(pools.map(one => one.name))
	const deleted = [...uses].filter(([pool, use]) => !configured.has(pool) && takenOf(use) > 0)
	const rows = [
		...pools.map(settings => poolRow(poolNow(settings))),
		...deleted.map(([pool, use]) => deletedRow(pool, use)),
	]
	const title = 'DHCP Local Server Pools'
	if (rows.length === 0) return [...heading(title), 'No pool is configured.']
	return table(title, poolHeader, rows)
}

const poolHeader = [
	...['Pool', 'Network', 'Size', 'In Use', '%', 'Bound', 'Offered', 'Held', 'Declined'],
	...['High Water', 'No Addresses', 'Warning'],
]

/** Addresses that nobody else can get now. */
function takenOf(use: PoolUse): number {
	return use.bound + use.offered + use.held + use.declined
}

function networkText({ network }: DhcpPool): string {
	return network === undefined ? '<none>' : `${network.address} ${network.mask}`
}

function percentOf(use: PoolUse, size: number): string {
	return size === 0 ? '-' : String(Math.floor((100 * takenOf(use)) / size))
}

function useCells(use: PoolUse): readonly string[] {
	const { bound, offered, held, declined, highWater } = use
	return [bound, offered, held, declined, highWater].map(String)
}

function poolRow({ settings, size, use, past }: PoolNow): string[] {
	return [
		...[settings.name, networkText(settings), `${size}`, `${takenOf(use)}`, percentOf(use, size)],
		...useCells(use),
		...[`${past?.noAddresses ?? 0}`, past?.warning ? 'high' : ''],
	]
}

/** A pool that is configured no longer, whose addresses are not all given back. */
function deletedRow(pool: string, use: PoolUse): string[] {
	return [pool, '<deleted>', '-', `${takenOf(use)}`, '-', ...useCells(use), '-', '']
}

function poolDetails({ settings, size, use, past }: PoolNow): string[] {
	const highWaterAt = use.highWater === 0 ? '' : `, ${routerDate(use.highWaterAt)}`
	const selected = Object.entries(past?.selected ?? {}).map(([by, count]) => `${by} ${count}`)
	return details(`DHCP Local Server Pool ${settings.name}`, [
		['Network', networkText(settings)],
		['Default Routers', settings.defaultRouters.join(' ')],
		['DNS Servers', settings.dnsServers.join(' ')],
		['Domain Name', settings.domainName],
		['NetBIOS Name Servers', settings.netbiosNameServers.join(' ')],
		['NetBIOS Node Type', settings.netbiosNodeType],
		['Lease', leaseText(settings.leaseSeconds)],
		['Grace Period', `${settings.gracePeriodSeconds} seconds`],
		['Linked Pool', settings.link],
		['Warning', `high ${settings.warningHigh} %, abated ${settings.warningAbated} %`],
		['Reservations', settings.reservations.length],
		['Size', size],
		['In Use', size === 0 ? takenOf(use) : `${takenOf(use)} (${percentOf(use, size)} %)`],
		['  Bound', use.bound],
		['  Offered', use.offered],
		['  Held', use.held],
		['  Declined', use.declined],
		['High-Water Mark', `${use.highWater} bound${highWaterAt}`],
		['Selected By', selected.join(', ')],
		['No Addresses', past?.noAddresses ?? 0],
		['Declines', past?.declined ?? 0],
		['Warnings', past?.warnings ?? 0],
		['Warning Since', past?.warning ? routerDate(past.warning.at) : undefined],
	])
}

// ---- Statistics ----

export const dhcpLabels: Readonly<Record<keyof typeof dhcpRow, string>> = {
	discovers: 'Discovers Received',
	requests: 'Requests Received',
	declines: 'Declines Received',
	releases: 'Releases Received',
	informs: 'Informs Received',
	others: 'Others Received',
	offers: 'Offers Sent',
	acks: 'Acks Sent',
	naks: 'Naks Sent',
	expired: 'Leases Expired',
	terminated: 'Leases Terminated',
	noAddresses: 'No Addresses',
	discarded: 'Messages Discarded',
}

export type DhcpStatisticsQuery = { readonly virtualRouter: string; readonly delta: boolean }

/** Lines of `show ip dhcp-local statistics`; below what was discarded, a row for each reason. */
export function dhcpStatisticsText(state: DhcpStatistics, query: DhcpStatisticsQuery): string[] {
	const counted = dhcpStatisticsOf(state, query.virtualRouter)
	const title = 'DHCP Local Server Statistics'
	return countersText(title, Object.values(dhcpLabels), counted, query.delta)
}

const externalLabels: Readonly<Record<keyof typeof dhcpExternalRow, string>> = {
	discovers: 'Discovers Forwarded',
	requests: 'Requests Forwarded',
	declines: 'Declines Forwarded',
	releases: 'Releases Forwarded',
	informs: 'Informs Forwarded',
	offers: 'Offers Forwarded',
	acks: 'Acks Forwarded',
	naks: 'Naks Forwarded',
	seen: 'Messages Seen Passing',
	granted: 'Leases Observed',
	renewed: 'Renewals Observed',
	released: 'Leases Released',
	refused: 'Leases Refused',
	expired: 'Leases Expired',
	terminated: 'Leases Terminated',
	discarded: 'Messages Discarded',
}

/** Lines of `show ip dhcp-external statistics`. */
export function dhcpExternalStatisticsText(
	state: DhcpStatistics,
	query: DhcpStatisticsQuery,
): string[] {
	const counted = dhcpExternalStatisticsOf(state, query.virtualRouter)
	const title = 'DHCP External Server Statistics'
	return countersText(title, Object.values(externalLabels), counted, query.delta)
}

/** `labels` in the order of the counters' rows. */
function countersText(
	title: string,
	labels: readonly string[],
	{ counters, discards, baseline }: DhcpRouterStatistics,
	delta: boolean,
): string[] {
	const before = delta ? baseline : null
	const rows = labels.map((label, row) => {
		return [label, `${counters[row]! - (before?.counters[row] ?? 0)}`]
	})
	const reasons = discards.map(({ reason, count }) => [
		`  ${reason}`,
		`${count - countOf(before?.discards, reason)}`,
	])
	const sorted = reasons.sort((a, b) => (a[0]! < b[0]! ? -1 : 1))
	const lines = table(title, ['Statistic', 'Total'], [...rows, ...sorted])
	return delta ? [...lines, '', baselineText(baseline?.at)] : lines
}

function countOf(discards: readonly DhcpDiscard[] | undefined, reason: string): number {
	return discards?.find(one => one.reason === reason)?.count ?? 0
}
