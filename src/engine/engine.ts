/**
 * The engine: datagrams in, events and datagrams out. Everything that changes while it runs is in
 * one record, seen whole below; the functions around it are in the files beside this one, in the
 * order in which a packet meets them: `requests` (from clients), `dispatch` (to upstream servers),
 * `answers` (back again), `timers` and `configure`.
 *
 * One turn takes what has arrived, decides, sends forwards at once, commits, and then sends what
 * rests on the commit. If the journal cannot be written nothing more leaves (fail-stop).
 */
import type { DatagramSocket, Transport } from '../../adapters/radius/transport.ts'
import type { Configuration, Service, VirtualRouter } from '../../domain/configuration.ts'
import type { NewEvent } from '../../domain/event.ts'
import type { Journal } from '../../domain/journal.ts'
import type { HiddenAttributes } from '../../domain/radius/dictionary.ts'
import type { AttributeIndex } from '../../domain/request.ts'
import type { State } from '../../domain/state.ts'
import type { AnswerCache } from './answer-cache.ts'
import type { Dhcp, DhcpListener, DhcpSystem } from './dhcp-service.ts'
import type { Discards } from './discards.ts'
import type { Disconnector } from './disconnector.ts'
import type { DynamicListener } from './dynamic-listener.ts'
import type { DynamicRequests } from './dynamic-service.ts'
import type { Listener, Upstream, UpstreamSocket } from './exchange.ts'
import type { OpenSrc, SrcBridge } from './src-link.ts'
import type { StoppedSessions } from './stopped-sessions.ts'

/** Time and chance, handed in so that a simulation can hand in its own. */
export type Clock = {
	/** Milliseconds since 1970-01-01 UTC. */
	wall(): number
	/** Milliseconds that never jump, with fractions. */
	monotonic(): number
}
export type Entropy = {
	/** Fills the array with unpredictable octets. */
	fill(bytes: Uint8Array): void
	/** A number in [0, 1) for jitter; not for secrets. */
	random(): number
}

export type EngineLog = {
	info(id: string, fields: Record<string, unknown>, message: string): void
	warn(id: string, fields: Record<string, unknown>, message: string): void
	fatal(id: string, fields: Record<string, unknown>, message: string): void
}

/** What an engine is made of; `main.ts` puts it together, a simulation does so differently. */
export type EngineParts = {
	readonly transport: Transport
	readonly journal: Journal
	readonly clock: Clock
	readonly entropy: Entropy
	readonly log: EngineLog
	/** IPv4 addresses of a host name; rejects when there are none. */
	readonly resolve: (name: string) => Promise<readonly number[]>
	/** Told of every batch once it is on disk. */
	readonly committed: (first: number, events: readonly NewEvent[]) => void
	/** The engine cannot go on: the journal failed. Called once. */
	readonly failed: (error: Error) => void
	readonly watchdogSeconds: number
	/** Which attributes are hidden with the secret of a hop, as the dictionaries know. */
	readonly hidden: HiddenAttributes
	/** Without it there are no interfaces, and the DHCP server has nobody to serve. */
	readonly dhcp?: DhcpSystem
	/** Where the DHCP server listens; 67 unless told. */
	readonly dhcpPort?: number
	/** Without it `sscc enable` is refused. */
	readonly openSrc?: OpenSrc
	/** Calls back once what arrives at the same time was looked at; at the turn's end unless given. */
	readonly soon?: (work: () => void) => void
	readonly answerCacheOctets?: number
}

/** A virtual router while it runs. */
export type Router = {
	readonly name: string
	settings: VirtualRouter
	readonly listeners: Partial<Record<Service, Listener>>
	readonly upstreams: Record<Service, Upstream[]>
	readonly discards: Discards
	/** Counts the requests that had a choice, for `radius algorithm round-robin`. */
	readonly turns: Record<Service, number>
	/** The server that began an EAP conversation, by the State it gave (RFC 3579 §2.1). */
	readonly conversations: Map<string, Conversation>
}
/** What sends: `touched` while it is in a list of sockets to flush. */
export type Flushable = { readonly socket: DatagramSocket; touched: boolean }
export type Conversation = { readonly upstream: Upstream; readonly at: number }

type SocketOwner = Listener | UpstreamSocket | DynamicListener | Disconnector | DhcpListener

export type Engine = {
	readonly parts: EngineParts
	readonly state: State
	configuration: Configuration
	readonly routers: Map<string, Router>
	/** What each open socket is for. */
	readonly sockets: Map<DatagramSocket, SocketOwner>
	/** Listeners and upstream servers that are no longer configured but still have exchanges. */
	readonly retiring: Set<Listener | Upstream>
	/** RADIUS-initiated disconnect. */
	readonly dynamic: DynamicRequests
	readonly dhcp: Dhcp
	/** By virtual router: those where SRC is on. */
	readonly src: Map<string, SrcBridge>

	/** Wall-clock and monotonic milliseconds of the present turn. */
	at: number
	now: number
	/** Both clocks when they were last compared: where they part, the wall clock was set. */
	readonly anchor: { wall: number; monotonic: number }
	/** Events of this and earlier turns that are not yet on disk. */
	batch: NewEvent[]
	/** Monotonic milliseconds at which the batch is committed even if nobody waits for it. */
	batchDue: number
	/** Answers that rest on the batch and leave when it is on disk, and when that is at the latest. */
	answersQueued: number
	answersDue: number
	/** How they share a commit: as the one of them that waits least. */
	sharing: CommitSharing
	/** Monotonic milliseconds of the last commit. */
	committedAt: number
	readonly touchedListeners: Flushable[]
	readonly touchedUpstreams: Flushable[]
	/** Those who wait for the present batch to be on disk. */
	waiting: PromiseWithResolvers<void>[]

	readonly answerCache: AnswerCache
	readonly stoppedSessions: StoppedSessions
	readonly index: AttributeIndex
	readonly scratch: Uint8Array
	readonly authenticator: Uint8Array
	/** Unpredictable octets in stock, from `entropyAt` on. */
	readonly entropy: Uint8Array
	entropyAt: number

	nextTickAt: number
	nextSecondAt: number
	nextSlowReportAt: number
	/** The end of the turn is called for already. */
	ending: boolean
	stopped: boolean
	/** Why the engine stopped, when it was the journal. */
	failure: Error | undefined
}

/**
 * While datagrams keep coming, answers wait for each other: a commit costs the same for one as for
 * many. As soon as nothing comes, or at these limits, they leave.
 */
export const answersPerCommit = 256
/**
 * Where datagrams come one by one, commits keep a distance, and the first after a pause does not
 * wait. Fewer answers than `enough` wait for that, unless nothing comes any more: then everybody who
 * would send something is waiting for these answers.
 */
export type CommitSharing = { readonly spacingMs: number; readonly enough: number }
export const radiusSharing: CommitSharing = { spacingMs: 0.4, enough: answersPerCommit }

/** Copies 16 unpredictable octets to the engine's `authenticator`. */
export function nextAuthenticator(engine: Engine): Uint8Array {
	const { entropy, authenticator } = engine
	if (engine.entropyAt + 16 > entropy.length) {
		engine.parts.entropy.fill(entropy)
		engine.entropyAt = 0
	}
	for (let i = 0; i < 16; i++) {
		authenticator[i] = entropy[engine.entropyAt + i]!
		// Used once: what is spent must not be found in memory later.
		entropy[engine.entropyAt + i] = 0
	}
	engine.entropyAt += 16
	return authenticator
}
