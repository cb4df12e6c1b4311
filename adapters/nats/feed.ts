/**
 * The event feed on JetStream: committed events in the order of the journal, each on
 * `radledger.event.<virtual router>.<type>`, at least once. A virtual router's events are in a
 * stream of their own with one writer: every message names the sequence that must be the stream's
 * last (`Nats-Expected-Last-Sequence`), so that what is lost on the way holds up what comes after
 * it, and a second relay is found out. How far a stream has come, its last message tells.
 */
import { createInbox, headers, type JetStreamManager, type Msg, type NatsConnection } from 'nats'
import { virtualRouterOf } from '../../domain/event.ts'
import type { MirrorState } from '../../domain/mirror.ts'
import { subjectToken } from '../../domain/sae/protocol.ts'
import type { PlacedEvent } from '../../domain/upcast.ts'
import { connect } from './connect.ts'
import { connectionOptions, type NatsSecurity } from './connection.ts'
import type { FedStream, FeedCheckpoint } from './feed-checkpoint.ts'
import {
	ensureStream,
	lastMessage,
	messageId,
	payloadOf,
	positionIn,
	refusalOf,
	streamName,
} from './feed-stream.ts'

export type FeedSource = {
	/** Id of the journal. */
	readonly journal: string
	/** Position up to which events are on disk: nothing beyond it may be shown outside. */
	durable(): number
	/** Events at `from` and after it as they were written, at least one if there is one. */
	read(from: number, limit: number): readonly PlacedEvent[]
}

export type FeedSettings = {
	readonly source: FeedSource
	readonly servers: readonly string[]
	readonly security: NatsSecurity
	/** Copies of each stream that this feed makes; without it 3, or 1 where there is no cluster. */
	readonly replicas?: number
	readonly checkpoint: FeedCheckpoint
	readonly limits?: Partial<FeedLimits>
	readonly changed?: (state: MirrorState) => void
	readonly warn?: (sentence: string) => void
}

export type FeedLimits = {
	/** Messages that wait for their acknowledgement at most. */
	readonly window: number
	/** Without any acknowledgement for so long the connection is given up. */
	readonly patienceMs: number
	readonly checkpointEvents: number
	readonly checkpointMs: number
	/** How often an idle feed looks for new events. */
	readonly idleMs: number
	/** Between attempts at servers that are away. */
	readonly firstPauseMs: number
	readonly longestPauseMs: number
}

const usual: FeedLimits = {
	window: 1024,
	patienceMs: 10_000,
	checkpointEvents: 8192,
	checkpointMs: 2000,
	idleMs: 20,
	firstPauseMs: 250,
	longestPauseMs: 15_000,
}

export type Feed = {
	state(): MirrorState
	/** Ships what is on disk by now, as far as two seconds go, and ends. */
	close(): Promise<void>
	readonly ended: Promise<void>
}

const closingMs = 2000
const chunkEvents = 512

/** Somebody has to decide: the feed goes no further. */
class FeedStop extends Error {
	override readonly name = 'FeedStop'
}

/** A virtual router's stream as this session knows it. */
type Chain = {
	readonly name: string
	readonly prefix: string
	readonly created: string
	/** Sequence of the last message, those in flight included. */
	sequence: number
	/** The newest that was acknowledged, and the position of its event. */
	acknowledged: number
	position: number
	/** Where the last message is gone, what it was is not known: one message at a time, then. */
	certain: boolean
}

type Sent = {
	readonly position: number
	readonly chain: Chain
	readonly sequence: number
	done: boolean
}

export function openFeed(settings: FeedSettings): Feed {
	const { source, servers, checkpoint, warn = () => {} } = settings
	const limits = { ...usual, ...settings.limits }
	let state: MirrorState = {
		...{ store: 'NATS JetStream', target: servers.join(', '), state: 'connecting' },
		...{ position: 0, events: 0, retries: 0, reason: '' },
	}
	let closing = false
	let closeBy = Number.POSITIVE_INFINITY
	let wake = () => {}
	/**
	 * By stream, the position of an event that was called a repeat although the stream's last message
	 * comes before it: a leader that went away had taken note of the id and lost the message.
	 */
	const doubted = new Map<string, number>()
	const ended = run()

	return {
		state: () => state,
		async close() {
			closing = true
			closeBy = performance.now() + closingMs
			wake()
			await ended
		},
		ended,
	}

	function update(change: Partial<MirrorState>): void {
		state = { ...state, ...change }
		settings.changed?.(state)
	}

	async function run(): Promise<void> {
		let pauseMs = limits.firstPauseMs
		while (!closing) {
			const before = state.events
			try {
				await session()
			} catch (error) {
				const message = error instanceof Error ? error.message : String(error)
				// What NATS answers where nobody listens to JetStream's subjects.
				const reason =
					message === '503'
						? 'this NATS server has no JetStream (503); turn it on, as "nats-server --jetstream" does'
						: message
				if (error instanceof FeedStop) {
					update({ state: 'stopped', reason })
					return
				}
				update({ state: 'waiting', reason: `JetStream at ${state.target}: ${reason}` })
			}
			if (closing) return
			if (state.events > before) pauseMs = limits.firstPauseMs
			await pause(pauseMs * (0.75 + Math.random() / 2))
			pauseMs = Math.min(2 * pauseMs, limits.longestPauseMs)
			update({ retries: state.retries + 1 })
		}
	}

	/** Until `close` or `wake`, at most `ms`. */
	function pause(ms: number): Promise<void> {
		return new Promise(resolve => {
			const timer = setTimeout(resolve, ms)
			wake = () => {
				clearTimeout(timer)
				resolve()
			}
		})
	}

	/** From one connection to its end: returns when closing, throws when something failed. */
	async function session(): Promise<void> {
		const connection = await connect({
			...connectionOptions('radledger event feed', settings.security),
			servers: [...servers],
			// What was in flight is found out anew after each connection, not sent again blindly.
			reconnect: false,
			timeout: limits.patienceMs,
		})
		try {
			await ship(connection)
		} finally {
			await connection.close().catch(() => {})
		}
	}

	async function ship(connection: NatsConnection): Promise<void> {
		const manager = await connection.jetstreamManager({ timeout: limits.patienceMs })
		const chains = new Map<string, Chain>()
		const pending: Sent[] = []
		const inbox = createInbox()
		let failure: Error | undefined
		let ackedAt = performance.now()
		let next = (await resume(manager, chains)) + 1
		let savedPosition = next - 1
		let savedAt = performance.now()
		void connection.closed().then(error => fail(error ?? new Error('the connection was closed')))
		const replies = connection.subscribe(`${inbox}.*`, {
			callback: (error, message) => {
				if (error === null) acknowledged(message)
				else fail(error)
			},
		})
		const watch = setInterval(() => {
			const silentMs = performance.now() - ackedAt
			if (pending.length > 0 && silentMs > limits.patienceMs) {
				fail(new Error(`no acknowledgement came for ${Math.round(silentMs / 1000)} seconds`))
			}
		}, limits.patienceMs / 4)
		update({ position: next - 1, state: 'catching up', reason: '' })
		try {
			while (failure === undefined) {
				const events = readDurable(next)
				if (events.length === 0) {
					if (closing) break
					if (pending.length === 0) restAt(next - 1)
					save(false)
					await pause(limits.idleMs)
					continue
				}
				if (performance.now() > closeBy) break
				for (const event of events) await send(event)
				next = events.at(-1)!.position + 1
				save(false)
			}
			await settled(() => pending.length === 0)
			save(true)
		} finally {
			clearInterval(watch)
			replies.unsubscribe()
		}

		function readDurable(from: number): readonly PlacedEvent[] {
			const room = Math.min(source.durable() - from + 1, chunkEvents)
			return room <= 0 ? [] : source.read(from, room).slice(0, room)
		}

		async function send(event: PlacedEvent): Promise<void> {
			const router = virtualRouterOf(event.stream)
			let chain = chains.get(router)
			if (chain === undefined) {
				chain = await learn(manager, router)
				chains.set(router, chain)
			}
			if (event.position <= chain.position) {
				return
			}
			const payload = payloadOf(event, connection.info?.max_payload)
			const certain = chain.certain
			await settled(() => pending.length < (certain ? limits.window : 1))
			chain.sequence++
			const sent = { position: event.position, chain, sequence: chain.sequence, done: false }
			if (pending.length === 0) ackedAt = performance.now()
			pending.push(sent)
			const head = headers()
			const isDoubted = doubted.get(chain.name) === event.position
			head.set('Nats-Msg-Id', messageId(source.journal, event.position, isDoubted))
			head.set('Nats-Expected-Last-Sequence', `${chain.sequence - 1}`)
			connection.publish(`${chain.prefix}${event.type}`, payload, {
				reply: `${inbox}.${event.position}`,
				headers: head,
			})
			if (!certain) await settled(() => pending.length === 0)
		}

		function acknowledged(message: Msg): void {
			const position = Number(message.subject.slice(inbox.length + 1))
			const sent = pending.find(each => each.position === position)
			if (sent === undefined || failure !== undefined) return
			const refusal = refusalOf(message)
			if (refusal !== undefined) {
				fail(refusal)
				return
			}
			const { seq, duplicate } = message.json<{ seq: number; duplicate?: boolean }>()
			ackedAt = performance.now()
			sent.done = true
			if (duplicate === true && sent.chain.certain) {
				doubted.set(sent.chain.name, position)
				fail(new Error(`${sent.chain.name} takes what it does not have for a repeat`))
				return
			}
			if (duplicate === true) sent.chain.sequence--
			else if (seq !== sent.sequence) {
				fail(new Error(`${sent.chain.name} took a message as number ${seq}, not ${sent.sequence}`))
				return
			} else sent.chain.certain = true
			sent.chain.position = Math.max(sent.chain.position, position)
			if (duplicate !== true) sent.chain.acknowledged = seq
			state = { ...state, events: state.events + 1 }
			let complete = 0
			while (pending[0]?.done) complete = pending.shift()!.position
			if (complete > 0) advance(complete)
		}

		/** Nothing is in flight, and everything up to here is there. */
		function restAt(position: number): void {
			if (state.position === position && state.state === 'following') return
			update({ position, state: 'following' })
		}

		function advance(position: number): void {
			update({ position })
			wake()
		}

		/** What failed first is the cause, the rest follows from it. */
		function fail(error: Error): void {
			failure ??= error
			wake()
		}

		async function settled(isSo: () => boolean): Promise<void> {
			while (failure === undefined && !isSo()) await new Promise<void>(resolve => (wake = resolve))
			if (failure !== undefined) throw failure
		}

		function save(atOnce: boolean): void {
			const { position } = state
			const behind = position - savedPosition
			const due =
				behind >= limits.checkpointEvents || performance.now() - savedAt >= limits.checkpointMs
			if (behind === 0 || !(atOnce || due)) return
			const streams: Record<string, FedStream> = {}
			for (const [router, { created, name, acknowledged: sequence }] of chains) {
				streams[router] = { created, name, sequence }
			}
			checkpoint.save({ journal: source.journal, position, streams })
			savedPosition = position
			savedAt = performance.now()
		}
	}

	/**
	 * Where to go on: at the checkpoint, if the streams that it speaks of are still the same and have
	 * what they had. One that was removed gets everything again; what the others have is passed over.
	 */
	async function resume(manager: JetStreamManager, chains: Map<string, Chain>): Promise<number> {
		const saved = checkpoint.load(source.journal)
		if (saved === undefined) return 0
		let position = saved.position
		for (const [router, { created, name, sequence }] of Object.entries(saved.streams)) {
			const chain = await learn(manager, router)
			chains.set(router, chain)
			if (chain.created !== created) {
				warn(`The stream ${name} is not the one that was fed before: it gets every event again.`)
				return 0
			}
			if (chain.sequence >= sequence) continue
			warn(`The stream ${name} has lost messages that it had acknowledged: it gets them again.`)
			position = Math.min(position, chain.position)
		}
		return position
	}

	/** What a virtual router's stream has; made where it is missing. */
	async function learn(manager: JetStreamManager, router: string): Promise<Chain> {
		const token = subjectToken(router)
		const name = streamName(router)
		const prefix = `radledger.event.${token}.`
		const { state: there, created } = await ensureStream(
			manager,
			name,
			`${prefix}>`,
			settings.replicas,
		)
		const chain = {
			...{ name, prefix, created, position: 0, certain: true },
			...{ sequence: there.last_seq, acknowledged: there.last_seq },
		}
		if (there.last_seq === 0) return chain
		const last = await lastMessage(manager, name, there.last_seq)
		if (last === undefined) return { ...chain, certain: false }
		const position = positionIn(source.journal, last)
		if (position === undefined) {
			throw new FeedStop(
				`The stream ${name} is written to by another relay or program (its last message is ${JSON.stringify(last)}): two relays have the virtual router ${router}, or this one has a new data folder. Feed to another NATS server, or remove the stream.`,
			)
		}
		return { ...chain, position }
	}
}
