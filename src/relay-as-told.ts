/**
 * How a relay stands, told by its history alone: for a server that only follows it. Its
 * configuration, servers and pools are as recorded; who is on the network is as the read models say.
 */
import type { PeerStatus, PoolStatus, RelayStatus, UpstreamStatus } from '../adapters/http/live.ts'
import type { ViewReader } from '../adapters/views/reader.ts'
import { type Configuration, services, type VirtualRouter } from '../domain/configuration.ts'
import { configurationOf, type Standing } from '../projections/standing.ts'
import { poolSizes } from './pool-sizes.ts'

type Told = Pick<RelayStatus, 'hostname' | 'virtualRouters' | 'upstreams' | 'peers' | 'pools'>

/** Read once for each state: a projection makes a new one whenever anything in it changes. */
const configurations = new WeakMap<Standing, Configuration>()

export function relayAsTold(standing: Standing, { sessions, bound }: Counts): Told {
	const configuration = configurations.get(standing) ?? configurationOf(standing.lines)
	configurations.set(standing, configuration)
	const routers = configuration.virtualRouters
	return {
		hostname: configuration.hostname,
		// That its own servers are all away keeps nobody from reading: `relays` is for that.
		virtualRouters: routers.map(({ name }) => {
			return { name, sessions: sessions.get(keyOf(name, '')) ?? 0, relays: [] }
		}),
		upstreams: routers.flatMap(router => upstreamsOf(standing, router)),
		peers: routers.flatMap(router => srcOf(standing, router)),
		pools: routers.flatMap(({ name, dhcpLocal }) => {
			const sizes = poolSizes(dhcpLocal)
			return dhcpLocal.pools.map(
				({ name: pool, warningHigh }): PoolStatus => ({
					...{ virtualRouter: name, pool, size: sizes.get(pool) ?? 0 },
					bound: bound.get(keyOf(name, pool)) ?? 0,
					...{ highWater: null, highWaterAt: 0, warningAt: warningHigh },
				}),
			)
		}),
	}
}

export type Counts = {
	/** Who is on the network, by virtual router; and addresses that somebody has, by pool. */
	readonly sessions: ReadonlyMap<string, number>
	readonly bound: ReadonlyMap<string, number>
}

/** Counting may take so much of the time, and no more, however many there are. */
const shareOfTime = 0.05

/** Counts in the read models as they are at each call, or were a moment ago. */
export function openCounts(views: () => ViewReader | undefined, clock: () => number): () => Counts {
	let counts: Counts = { sessions: new Map(), bound: new Map() }
	let next = Number.NEGATIVE_INFINITY
	return () => {
		const begun = clock()
		const reader = views()
		if (begun < next || reader === undefined) return counts
		counts = {
			sessions: counted(reader, 'session', "''", 'ended_at IS NULL'),
			bound: counted(reader, 'lease', 'pool', 'ended_at IS NULL AND granted_at IS NOT NULL'),
		}
		next = clock() + (clock() - begun) / shareOfTime
		return counts
	}
}

const keyOf = (virtualRouter: string, name: string) => JSON.stringify([virtualRouter, name])

/** Rows for which the condition holds, by virtual router and one more thing. */
function counted(views: ViewReader, table: string, by: string, condition: string) {
	const rows = views.query(
		`SELECT virtual_router, ${by} AS name, count(*) AS count FROM ${table} WHERE ${condition} GROUP BY 1, 2`,
	)
	return new Map(
		rows.map(({ virtual_router, name, count }) => [
			keyOf(String(virtual_router), String(name)),
			Number(count),
		]),
	)
}

function upstreamsOf(standing: Standing, { name, upstream }: VirtualRouter): UpstreamStatus[] {
	return services.flatMap(service =>
		upstream[service].map(({ address, udpPort, key }): UpstreamStatus => {
			const known = standing.upstreams.find(
				one => one.virtualRouter === name && one.service === service && one.server === address,
			)
			return {
				...{ virtualRouter: name, service, server: address, udpPort, pending: null },
				state: key === undefined ? 'unused' : (known?.state ?? 'okay'),
			}
		}),
	)
}

function srcOf({ src }: Standing, { name, src: settings }: VirtualRouter): PeerStatus[] {
	if (!settings.enabled) return []
	// Rules inside the relay are always there, and no event says so.
	const asked = src.find(one => one.virtualRouter === name)?.server
	const server = settings.localRules === undefined ? asked : 'local'
	return [
		{
			...{ kind: 'src', virtualRouter: name, name: server ?? '', position: null, figures: {} },
			state: server === undefined ? 'waiting' : 'connected',
			trouble: server === undefined ? 'The relay is connected to no SRC server.' : null,
		},
	]
}
