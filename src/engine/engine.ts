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
import { type EventOf, type NewEvent, virtualRouterOf } from '../../domain/event.ts'
import type { Journal } from '../../domain/journal.ts'
import { releaseOfSession } from '../../domain/lease-end.ts'
import type { HiddenAttributes } from '../../domain/radius/dictionary.ts'
import { type AttributeIndex, createAttributeIndex } from '../../domain/request.ts'
import { evolve, routerState, type State } from '../../domain/state.ts'
import { clockStepped, clockText, stoppedMeanwhile } from '../../domain/steady.ts'
import { type AnswerCache, answerCacheOctets, createAnswerCache } from './answer-cache.ts'
import { receiveAnswers } from './answers.ts'
import { newDynamicRequests } from './configure-dynamic.ts'
import { followLeaseEvent, formerAddresses, receiveDhcp } from './dhcp.ts'
import { type Dhcp, type DhcpListener, type DhcpSystem, newDhcp } from './dhcp-service.ts'
import type { Discards } from './discards.ts'
import { type Disconnector, receiveDisconnectAnswers } from './disconnect-client.ts'
import type { DynamicListener, DynamicRequests } from './dynamic-listener.ts'
import { receiveDynamicRequests } from './dynamic-requests.ts'
import type { Listener } from './listener.ts'
import { receiveRequests } from './requests.ts'
import type { OpenSrc, SrcBridge } from './src-bridge.ts'
import { followLogin, tellSrc } from './src-telling.ts'
import type { StoppedSessions } from './stopped-sessions.ts'
import { tick } from './timers.ts'
import type { Upstream, UpstreamSocket } from './upstream-link.ts'

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
type Flushable = { readonly socket: DatagramSocket; touched: boolean }
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
 * Events that nobody outside waits for may stay unwritten this long, so that a request and its
 * answer share one commit where the upstream server is quick.
 */
const commitDelayMs = 5
const batchLimit = 4096
/** A commit that takes longer than this is told of, though not more often than that. */
const slowCommitMs = 100
const slowReportEveryMs = 10_000
/**
 * While datagrams keep coming, answers wait for each other: a commit costs the same for one as for
 * many. As soon as nothing comes, or at these limits, they leave.
 */
const answersPerCommit = 256
const answerDelayMs = 2
/**
 * Where datagrams come one by one, commits keep a distance, and the first after a pause does not
 * wait. Fewer answers than `enough` wait for that, unless nothing comes any more: then everybody who
 * would send something is waiting for these answers.
 */
export type CommitSharing = { readonly spacingMs: number; readonly enough: number }
const radiusSharing: CommitSharing = { spacingMs: 0.4, enough: answersPerCommit }
const quietMs = 0.4
/** Datagrams taken from one socket in one turn, in batches: the others get their turn, too. */
const batchesPerSocket = 4

export function createEngine(
	parts: EngineParts,
	state: State,
	configuration: Configuration,
): Engine {
	const at = parts.clock.wall()
	const now = parts.clock.monotonic()
	const engine: Engine = {
		parts,
		state,
		configuration,
		routers: new Map(),
		sockets: new Map(),
		retiring: new Set(),
		dynamic: newDynamicRequests(),
		dhcp: newDhcp(),
		src: new Map(),
		at,
		now,
		anchor: { wall: at, monotonic: now },
		batch: [],
		batchDue: 0,
		answersQueued: 0,
		answersDue: 0,
		sharing: radiusSharing,
		committedAt: Number.NEGATIVE_INFINITY,
		touchedListeners: [],
		touchedUpstreams: [],
		waiting: [],
		answerCache: createAnswerCache(parts.transport, parts.answerCacheOctets ?? answerCacheOctets),
		stoppedSessions: new Map(),
		index: createAttributeIndex(),
		scratch: new Uint8Array(4096),
		authenticator: new Uint8Array(16),
		entropy: new Uint8Array(8192),
		entropyAt: 8192,
		nextTickAt: 0,
		nextSecondAt: 0,
		nextSlowReportAt: 0,
		ending: false,
		stopped: false,
		failure: undefined,
	}
	const stopped = stoppedMeanwhile(state, at)
	if (stopped !== undefined) recordStep(engine, stopped)
	return engine
}

/**
 * One turn of the loop: `ready` are the sockets that have something. A number when another turn
 * should follow, after that many microseconds at most: answers wait for a commit that takes in what
 * arrives meanwhile.
 */
export function turn(engine: Engine, ready: readonly DatagramSocket[]): number | undefined {
	if (engine.stopped) return undefined
	presentTime(engine)
	let received = 0
	for (let i = 0; i < ready.length; i++) received += receive(engine, ready[i]!)
	if (engine.now >= engine.nextTickAt) tick(engine)
	const waitUs = commitWaitUs(engine, received > 0)
	if (waitUs === undefined) endTurn(engine)
	else flushUpstreams(engine)
	return waitUs
}

/**
 * Reads the clocks, and tells the wall clock's milliseconds. Whatever decides or records outside of a
 * turn begins with it: a clock that was set must not look like time that has passed.
 */
export function presentTime(engine: Engine): number {
	engine.at = engine.parts.clock.wall()
	engine.now = engine.parts.clock.monotonic()
	compareClocks(engine)
	return engine.at
}

function compareClocks(engine: Engine): void {
	const { anchor, at, now } = engine
	const step = clockStepped(at - anchor.wall - (now - anchor.monotonic), at)
	if (step === undefined) return
	anchor.wall = at
	anchor.monotonic = now
	recordStep(engine, step)
}

function recordStep(engine: Engine, step: EventOf<'ClockStepped'>): void {
	record(engine, [step])
	const { byMs, reason } = step.data
	const { log } = engine.parts
	if (reason === 'step') log.warn('clock-stepped', { byMs }, clockText(step.data))
	else log.info('clock-stepped', { byMs }, clockText(step.data))
}

/** How long queued answers wait for others to share a commit with; undefined: not at all. */
function commitWaitUs(engine: Engine, busy: boolean): number | undefined {
	const { answersQueued, now } = engine
	if (answersQueued === 0 || answersQueued >= answersPerCommit || now >= engine.answersDue) {
		return undefined
	}
	const { spacingMs, enough } = engine.sharing
	const pauseMs = engine.committedAt + spacingMs - now
	if (pauseMs <= 0 || answersQueued >= enough) return busy ? 0 : undefined
	if (pauseMs <= quietMs) return pauseMs * 1000
	return busy ? quietMs * 1000 : undefined
}

/** Takes what a socket has, and tells how many datagrams that was. */
function receive(engine: Engine, socket: DatagramSocket): number {
	const owner = engine.sockets.get(socket)
	if (owner === undefined) return 0
	let taken = 0
	for (let n = 0; n < batchesPerSocket; n++) {
		const received = socket.receive()
		taken += received.count
		if (received.count === 0) break
		if ('upstream' in owner) receiveAnswers(engine, owner, received)
		else if ('peers' in owner) receiveRequests(engine, owner, received)
		else if ('dhcp' in owner) receiveDhcp(engine, owner, received)
		else if ('servers' in owner) receiveDynamicRequests(engine, owner, received)
		else receiveDisconnectAnswers(engine, owner, received)
		if (received.count < received.buffers.length) break
	}
	return taken
}

/** Forwards rest on nothing that must be on disk: they leave as soon as they are written. */
function flushUpstreams(engine: Engine): void {
	for (const socket of engine.touchedUpstreams) {
		socket.touched = false
		socket.socket.flush()
	}
	engine.touchedUpstreams.length = 0
}

/** Sends forwards, commits when it is time, and sends what was waiting for that. */
export function endTurn(engine: Engine): void {
	const { touchedListeners } = engine
	flushUpstreams(engine)
	if (engine.batch.length > 0) {
		const due =
			engine.answersQueued > 0 ||
			engine.waiting.length > 0 ||
			engine.now >= engine.batchDue ||
			engine.batch.length >= batchLimit
		if (due && !commit(engine)) return
	}
	for (const listener of touchedListeners) {
		listener.touched = false
		listener.socket.flush()
	}
	touchedListeners.length = 0
	// Everything that is folded is on disk now: SRC may hear of it.
	if (engine.src.size > 0 && engine.batch.length === 0) tellSrc(engine)
}

/** Ends the turn when all that has come from outside in the meantime is in it. */
export function endTurnSoon(engine: Engine): void {
	if (engine.ending) return
	engine.ending = true
	const { soon = queueMicrotask } = engine.parts
	soon(() => {
		engine.ending = false
		if (!engine.stopped) endTurn(engine)
	})
}

/** Puts the batch on disk. False when that failed: then nothing more is sent, ever. */
function commit(engine: Engine): boolean {
	const { batch, waiting } = engine
	const { clock } = engine.parts
	const begun = clock.monotonic()
	let first: number
	try {
		first = engine.parts.journal.append(batch)
	} catch (error) {
		engine.stopped = true
		engine.failure = error as Error
		engine.parts.failed(engine.failure)
		for (const { reject } of waiting) reject(engine.failure)
		return false
	}
	engine.batch = []
	engine.answersQueued = 0
	engine.committedAt = clock.monotonic()
	engine.waiting = []
	if (engine.committedAt - begun > slowCommitMs)
		reportSlowCommit(engine, engine.committedAt - begun)
	engine.parts.committed(first, batch)
	for (const { resolve } of waiting) resolve()
	return true
}

/** Everybody waits while the disk does; whoever runs the relay should know that it is the disk. */
function reportSlowCommit(engine: Engine, ms: number): void {
	if (engine.now < engine.nextSlowReportAt) return
	engine.nextSlowReportAt = engine.now + slowReportEveryMs
	engine.parts.log.warn(
		'journal-slow',
		{ ms: Math.round(ms) },
		`The disk took ${Math.round(ms)} ms for one commit; every answer waited for it. Look for what else uses that disk.`,
	)
}

/** Folds events into the state and puts them into the batch. */
export function record(engine: Engine, events: readonly NewEvent[]): void {
	if (events.length === 0) return
	if (engine.batch.length === 0) engine.batchDue = engine.now + commitDelayMs
	const { state, batch } = engine
	const ended: NewEvent[] = []
	for (let i = 0; i < events.length; i++) {
		const event = events[i]!
		const former = formerAddresses(engine, event)
		evolve(state, event)
		batch.push(event)
		followLeaseEvent(engine, event, former)
		if (engine.src.size > 0) followLogin(engine, event)
		if (event.type !== 'SubscriberTerminated') continue
		// Whatever ended the session: its address goes back into the pool with it.
		const router = routerState(state, virtualRouterOf(event.stream))
		ended.push(...releaseOfSession(router, event.data.mac, event.at))
	}
	record(engine, ended)
}

/** Records events and resolves when they are on disk; rejects when the journal fails. */
export async function recordDurably(engine: Engine, events: readonly NewEvent[]): Promise<void> {
	if (engine.failure !== undefined) throw engine.failure
	if (events.length === 0 && engine.batch.length === 0) return
	const durable = Promise.withResolvers<void>()
	engine.waiting.push(durable)
	record(engine, events)
	endTurn(engine)
	return durable.promise
}

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

/** An answer was queued that rests on the events of this turn. */
export function queueAnswer(engine: Engine, listener: Flushable, sharing = radiusSharing): void {
	if (engine.answersQueued === 0) {
		engine.answersDue = engine.now + answerDelayMs
		engine.sharing = sharing
	} else if (sharing.spacingMs < engine.sharing.spacingMs) engine.sharing = sharing
	engine.answersQueued++
	touchListener(engine, listener)
}

export function touchListener(engine: Engine, listener: Flushable): void {
	if (listener.touched) return
	listener.touched = true
	engine.touchedListeners.push(listener)
}

export function touchUpstream(engine: Engine, socket: Flushable): void {
	if (socket.touched) return
	socket.touched = true
	engine.touchedUpstreams.push(socket)
}
