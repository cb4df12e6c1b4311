/**
 * What the relay tells its HTTP server: how it stands, and its statistics. Asked at most once a
 * second, and of a size that its configuration bounds, so that packets do not notice.
 */
import type {
	CommitTimes,
	Live,
	PeerStatus,
	PoolStatus,
	RelayStatus,
	StatisticsQuery,
	UpstreamStatus,
} from '../adapters/http/live.ts'
import { services } from '../domain/configuration.ts'
import type { Operator } from '../domain/junose/operator.ts'
import type { MirrorState } from '../domain/mirror.ts'
import { statisticsRows } from '../projections/all-statistics.ts'
import { recordDurably } from './engine/commit.ts'
import type { Engine } from './engine/engine.ts'
import type { Operated } from './operate.ts'
import { poolSizesIn } from './pool-sizes.ts'
import { release } from './release.ts'
import { type FoldedStatistics, statisticsNow } from './shown-statistics.ts'

export type StatusSettings = {
	readonly operated: Operated
	readonly operator: Operator
	readonly commitTimes: () => CommitTimes
}

/** The running relay as its HTTP server knows it. */
export function liveRelay({ operated, operator, commitTimes }: StatusSettings): Live {
	return {
		async status() {
			// The live state is ahead of the disk by the batch that waits: what is told is on disk. Where the
			// journal has failed that is what is told.
			await recordDurably(operated.engine, []).catch(() => undefined)
			return relayStatus(operated, commitTimes())
		},
		statistics: async query => statisticsOf(operated, query),
		async setBaseline(virtualRouter, scope) {
			const { virtualRouters } = operator.configuration()
			if (virtualRouters.some(({ name }) => name === virtualRouter)) {
				return operator.baseline(virtualRouter, scope)
			}
			const names = virtualRouters.map(({ name }) => name).join(', ')
			return `There is no virtual router ${virtualRouter}; these are there: ${names}.`
		},
	}
}

export function statisticsOf(operated: FoldedStatistics, query: StatisticsQuery) {
	return statisticsRows(statisticsNow(operated), query.of, query)
}

function relayStatus(operated: Operated, commits: CommitTimes): RelayStatus {
	const { engine, startedAt } = operated
	const { configuration, parts, state } = engine
	return {
		release,
		hostname: configuration.hostname,
		follows: null,
		startedAt,
		journal: parts.journal.id,
		position: parts.journal.last(),
		failure: engine.failure?.message ?? null,
		transport: parts.transport.kind,
		virtualRouters: configuration.virtualRouters.map(({ name, relay }) => ({
			name,
			sessions: state.routers.get(name)?.sessions.size ?? 0,
			relays: services.filter(service => (relay[service]?.clients.length ?? 0) > 0),
		})),
		upstreams: upstreamsOf(engine),
		peers: [...srcStatus(engine), ...operated.mirrors().map(mirrorStatus)],
		pools: poolsOf(operated),
		commits,
		queues: queuesOf(engine),
	}
}

function srcStatus(engine: Engine): PeerStatus[] {
	return [...engine.src].map(([virtualRouter, { client }]) => {
		const { state, server } = client.info()
		const connected = state === 'connected'
		return {
			kind: 'src',
			virtualRouter,
			name: server ?? '',
			state,
			position: null,
			trouble: connected ? null : 'No SRC server answers: pools are chosen without SRC.',
			figures: { ...client.statistics() },
		}
	})
}

function mirrorStatus(mirror: MirrorState): PeerStatus {
	const { store, target, state, position, events, retries, reason } = mirror
	const kinds = { EventStoreDB: 'eventstore', 'NATS JetStream': 'nats' } as const
	return {
		kind: kinds[store],
		virtualRouter: null,
		name: target,
		state,
		position,
		trouble: reason === '' ? null : reason,
		figures: { events, retries },
	}
}

function upstreamsOf(engine: Engine): UpstreamStatus[] {
	return engine.configuration.virtualRouters.flatMap(({ name, upstream }) =>
		services.flatMap(service =>
			upstream[service].map(({ address, udpPort }) => {
				const running = engine.routers
					.get(name)
					?.upstreams[service].find(one => one.name === address)
				return {
					virtualRouter: name,
					service,
					server: address,
					udpPort,
					state: running?.ready === true ? running.watchdog.state : 'unused',
					pending: running?.inFlight ?? 0,
				} satisfies UpstreamStatus
			}),
		),
	)
}

/** Only what is counted already: looking at every lease would take too long here. */
function poolsOf({ engine }: Operated): PoolStatus[] {
	return engine.configuration.virtualRouters.flatMap(router => {
		const { name, dhcpLocal } = router
		const use = engine.state.routers.get(name)?.leases.boundIn
		const sizeOf = poolSizesIn(engine, router)
		return dhcpLocal.pools.map(settings => {
			const { name: pool, warningHigh } = settings
			const { bound = 0, highWater = 0, highWaterAt = 0 } = use?.get(pool) ?? {}
			return {
				virtualRouter: name,
				pool,
				size: sizeOf(settings),
				bound,
				highWater,
				highWaterAt,
				warningAt: warningHigh,
			}
		})
	})
}

function queuesOf(engine: Engine): Record<string, number> {
	let clients = 0
	let upstream = 0
	for (const router of engine.routers.values()) {
		for (const service of services) {
			clients += router.listeners[service]?.pending ?? 0
			for (const server of router.upstreams[service]) upstream += server.inFlight
		}
	}
	return {
		'requests-pending': clients,
		'requests-upstream': upstream,
		'events-uncommitted': engine.batch.length,
		'answers-uncommitted': engine.answersQueued,
	}
}
