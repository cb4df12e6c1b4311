/**
 * What the running relay tells the read side: its answers cross a thread's border, so they are
 * plain data. A server that only follows a history has none of it but `statistics`.
 */
import type { Service } from '../../domain/configuration.ts'
import type { BaselineScope } from '../../domain/junose/operator.ts'
import type { UpstreamState } from '../../domain/upstream.ts'

export type UpstreamStatus = {
	readonly virtualRouter: string
	readonly service: Service
	/** As configured: an address or a name. */
	readonly server: string
	readonly udpPort: number
	/** `unused`: without a key, or its name has no address yet. */
	readonly state: UpstreamState | 'unused'
	/** Requests that await its answer; null where only the history is known. */
	readonly pending: number | null
}

/** Another system that the relay speaks to: an SRC server, or what committed events are copied to. */
export type PeerStatus = {
	readonly kind: 'src' | 'eventstore' | 'nats'
	readonly virtualRouter: string | null
	readonly name: string
	readonly state: string
	/** Position up to which it has the journal, where it follows that. */
	readonly position: number | null
	/** A sentence on what is wrong. */
	readonly trouble: string | null
	/** Counters and gauges by name. */
	readonly figures: Readonly<Record<string, number>>
}

export type PoolStatus = {
	readonly virtualRouter: string
	readonly pool: string
	/** Addresses for clients, and how many of them somebody has now and had at most. */
	readonly size: number
	readonly bound: number
	/** Null where it is not known. */
	readonly highWater: number | null
	/** Milliseconds; 0: never. */
	readonly highWaterAt: number
	/** Per cent at which a warning is given. */
	readonly warningAt: number
}

/** How far the journal is sealed against tampering. */
export type IntegrityStatus = {
	/** Events in the tree, and those that the newest signed checkpoint covers. */
	readonly sealed: number
	readonly signed: number
	/** When that was signed, in milliseconds; null: nothing is signed yet. */
	readonly signedAt: number | null
	/** That checkpoint, a C2SP signed note. */
	readonly checkpoint: string | null
	/** The public key that it is verified with. */
	readonly key: string | null
}

/** Durations of commits: how many took at most so long (cumulative, in seconds). */
export type CommitTimes = {
	readonly bounds: readonly number[]
	readonly counts: readonly number[]
	readonly count: number
	readonly sumSeconds: number
	readonly events: number
}

export type Follows = {
	readonly name: string
	/** A sentence on what is wrong. */
	readonly trouble: string | null
	/** Copies of other relays' histories that are served beside this one. */
	readonly fleet: readonly { readonly name: string; readonly port: number }[]
}

export type RelayStatus = {
	readonly release: string
	readonly hostname: string
	/** Where this is a copy of a relay's history: what it comes from. Null: it is the relay itself. */
	readonly follows: Follows | null
	/** Milliseconds since 1970. */
	readonly startedAt: number
	readonly journal: string
	readonly position: number
	/** A sentence: why the relay answers nobody any more. */
	readonly failure: string | null
	readonly transport: string
	readonly virtualRouters: readonly {
		readonly name: string
		readonly sessions: number
		/** Whether its relay servers have clients and so must have somebody to ask. */
		readonly relays: readonly Service[]
	}[]
	readonly upstreams: readonly UpstreamStatus[]
	readonly peers: readonly PeerStatus[]
	readonly pools: readonly PoolStatus[]
	readonly commits: CommitTimes
	/** Sizes of what waits inside the relay, by name. */
	readonly queues: Readonly<Record<string, number>>
}

export const statisticsSubjects = ['relay', 'upstream', 'dhcp', 'dynamic-request'] as const
export type StatisticsSubject = (typeof statisticsSubjects)[number]

export type StatisticsSelection = {
	readonly virtualRouter?: string | undefined
	readonly service?: Service | undefined
	/** A client of the relay, or a server. */
	readonly peer?: string | undefined
}
export type StatisticsQuery = StatisticsSelection & { readonly of: StatisticsSubject }

export type Statistic = {
	readonly of: StatisticsSubject
	readonly virtualRouter: string
	readonly service: Service | null
	/** The client or server that this is of; null: all of them. */
	readonly peer: string | null
	/** As the shell prints it, and in one word. */
	readonly label: string
	readonly statistic: string
	/** A gauge stands for itself: a baseline changes nothing in it. */
	readonly gauge: boolean
	readonly total: number
	/** Counted since the baseline; the total where none was set. */
	readonly delta: number
	/** Milliseconds; null: none was set. */
	readonly baselineAt: number | null
}

export type Live = {
	/** May be up to a second old. Rejects where the relay does not answer. */
	status(): Promise<RelayStatus>
	statistics(query: StatisticsQuery): Promise<readonly Statistic[]>
	/** Sets a baseline; a sentence when refused. */
	setBaseline(virtualRouter: string, scope: BaselineScope): Promise<string | undefined>
}
