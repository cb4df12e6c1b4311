/**
 * The mirror: ships committed events to EventStoreDB in the order of the journal, so that none is
 * missing and none is there twice. What it knows of the target it asks the target: a stream
 * `mirror-<journal id>` tells how far the copy is complete, and the newest event of each stream tells
 * what the stream has beyond that.
 */
import type { MirrorState } from '../../domain/mirror.ts'
import type { PlacedEvent } from '../../domain/upcast.ts'
import { openCheckpoint } from './checkpoint.ts'
import { proposalOf } from './envelope.ts'
import { compareWithOwn, type Finding, MirrorStop, newestOf } from './findings.ts'
import { type Target, TargetFailure } from './target.ts'

export type MirrorSource = {
	readonly journal: string
	/** Position up to which events are on disk: nothing beyond it may be shown outside. */
	durable(): number
	/** Events at `from` and after it as they were written, at least one if there is one. */
	read(from: number, limit: number): readonly PlacedEvent[]
}

export type MirrorLimits = {
	/** Events that wait for their acknowledgement at most. */
	readonly windowEvents: number
	/** Streams whose revision is remembered. */
	readonly streams: number
	/** A checkpoint after so many events, or after so much time with new ones. */
	readonly checkpointEvents: number
	readonly checkpointMs: number
	/** How often an idle mirror looks for new events. */
	readonly idleMs: number
	/** Between attempts at a server that is away. */
	readonly firstPauseMs: number
	readonly longestPauseMs: number
}

export const mirrorLimits: MirrorLimits = {
	windowEvents: 1024,
	streams: 200_000,
	checkpointEvents: 8192,
	checkpointMs: 2_000,
	idleMs: 20,
	firstPauseMs: 250,
	longestPauseMs: 30_000,
}

export type MirrorParts = {
	readonly source: MirrorSource
	readonly target: Target
	/** Names this process among those that ever mirrored the journal. */
	readonly run: string
	readonly limits?: Partial<MirrorLimits>
	/** Is told of every change of the state that is worth showing. */
	readonly changed?: (state: MirrorState) => void
	readonly warn?: (sentence: string) => void
}

export type Mirror = {
	state(): MirrorState
	/** Set once the mirror has stopped for good. */
	stopped(): MirrorStop | undefined
	/** Ships what is on disk by now, as far as two seconds go, and ends. */
	close(): Promise<void>
	/** Resolves when it has ended, by `close` or for good. */
	readonly ended: Promise<void>
}

/** Consecutive events of one stream: one append, of at most so many events. */
const runEventsMax = 64
const chunkEvents = 512
const lookupsAtOnce = 32
const closingMs = 2_000

type Run = { readonly last: number; readonly events: number; done: boolean }

export function openMirror(parts: MirrorParts): Mirror {
	const { source, target, warn = () => {} } = parts
	const limits = { ...mirrorLimits, ...parts.limits }
	let state: MirrorState = {
		store: 'EventStoreDB',
		target: target.name,
		state: 'connecting',
		position: 0,
		events: 0,
		reconnects: 0,
		reason: '',
	}
	let closing = false
	let closeBy = Number.POSITIVE_INFINITY
	let stopped: MirrorStop | undefined
	let wake = () => {}
	const checkpoint = openCheckpoint({ source, target, run: parts.run })
	/** Revisions that no event tells: of streams that are there and have nothing to read. */
	const unreadable = new Map<string, bigint>()
	const warned = new Set<string>()
	const ended = run()

	return {
		state: () => state,
		stopped: () => stopped,
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
		parts.changed?.(state)
	}

	async function run(): Promise<void> {
		let pauseMs = limits.firstPauseMs
		while (!closing && stopped === undefined) {
			const before = state.events
			try {
				await session()
			} catch (error) {
				if (error instanceof MirrorStop) stopped = error
				else update({ state: 'waiting', reason: sentence(error) })
				await target.reset()
			}
			if (closing || stopped !== undefined) break
			if (state.events > before) pauseMs = limits.firstPauseMs
			// Not all relays of a fleet at the same moment.
			await pause(pauseMs * (0.75 + Math.random() / 2))
			pauseMs = Math.min(2 * pauseMs, limits.longestPauseMs)
			update({ reconnects: state.reconnects + 1 })
		}
		if (stopped !== undefined) update({ state: 'stopped', reason: stopped.message })
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
		const known = new Map<string, Finding>()
		const pending: Run[] = []
		let inFlight = 0
		let failing = false
		let failure: { readonly error: unknown } | undefined
		const resumed = await checkpoint.resume()
		// Then subscribers' streams need not be looked for, unless the relay's own say otherwise.
		let isNew = resumed === undefined
		let next = (resumed ?? 0) + 1
		let savedAt = performance.now()
		update({ position: next - 1, state: 'catching up', reason: '' })

		while (failure === undefined) {
			const events = readDurable(next)
			if (events.length === 0) {
				if (closing) break
				if (checkpointIsDue()) await saveCheckpoint()
				if (pending.length === 0 && state.state !== 'following') update({ state: 'following' })
				await pause(limits.idleMs)
				continue
			}
			// What is left when the server is slow waits for the next start.
			if (performance.now() > closeBy) break
			if (known.size > limits.streams) await forgetStreams()
			await lookUp(events)
			for (const run of runsOf(events)) await ship(run)
			next = events.at(-1)!.position + 1
			if (checkpointIsDue()) await saveCheckpoint()
		}
		await settled(() => pending.length === 0)
		if (state.position > checkpoint.position()) await saveCheckpoint()

		function readDurable(from: number): readonly PlacedEvent[] {
			const room = source.durable() - from + 1
			if (room <= 0) return []
			return source.read(from, Math.min(room, chunkEvents)).slice(0, Math.min(room, chunkEvents))
		}

		/** A stream's revision is what the newest append in flight will make it: none may be in flight. */
		async function forgetStreams(): Promise<void> {
			await settled(() => pending.length === 0)
			known.clear()
			isNew = false
		}

		/** What the target has of the streams that are to be written and have not been seen yet. */
		async function lookUp(events: readonly PlacedEvent[]): Promise<void> {
			const unknown = [...new Set(events.map(({ stream }) => stream))].filter(s => !known.has(s))
			const isSubscriber = (stream: string) => stream.startsWith('subscriber-')
			await lookUpAll(unknown.filter(stream => !isSubscriber(stream)))
			const subscribers = unknown.filter(isSubscriber)
			if (isNew) for (const stream of subscribers) known.set(stream, { revision: -1n })
			else await lookUpAll(subscribers)
		}

		async function lookUpAll(missing: readonly string[]): Promise<void> {
			for (let i = 0; i < missing.length; i += lookupsAtOnce) {
				const some = missing.slice(i, i + lookupsAtOnce)
				const found = await Promise.all(some.map(stream => newestOf(target, stream)))
				for (const [index, finding] of found.entries()) learn(some[index]!, finding)
			}
		}

		function learn(stream: string, finding: Finding): void {
			if (finding.revision >= 0n) isNew = false
			if (finding.newest !== undefined) compareWithOwn(source, stream, finding.newest)
			else if (finding.revision >= 0n) warnOnce(stream)
			const revision = finding.revision < 0n ? unreadable.get(stream) : undefined
			known.set(stream, revision === undefined ? finding : { ...finding, revision })
		}

		async function ship(events: readonly PlacedEvent[]): Promise<void> {
			const stream = events[0]!.stream
			const there = known.get(stream)!
			const done = there.newest?.event.position ?? 0
			const fresh = events.filter(({ position }) => position > done)
			const run: Run = {
				last: events.at(-1)!.position,
				events: fresh.length,
				done: fresh.length === 0,
			}
			// The first event in a virtual router's stream claims it: nothing else goes out before.
			const isClaim = there.revision < 0n && stream.startsWith('relay-')
			await settled(() => (isClaim ? inFlight === 0 : inFlight < limits.windowEvents))
			pending.push(run)
			if (fresh.length > 0) append(stream, there, fresh, run)
			else advance()
			if (isClaim) await settled(() => inFlight === 0)
		}

		function append(stream: string, there: Finding, events: readonly PlacedEvent[], run: Run) {
			const { journal } = source
			inFlight += events.length
			const proposals = events.map(event => proposalOf(journal, event))
			const sent = target.append(stream, there.revision, proposals)
			const newest = { journal, event: events.at(-1)! }
			known.set(stream, { revision: there.revision + BigInt(events.length), newest })
			sent.then(
				() => {
					if (failure !== undefined) return
					inFlight -= events.length
					run.done = true
					state = { ...state, events: state.events + events.length }
					advance()
				},
				async error => {
					// The first one is the cause, and what follows in the same stream its consequence.
					if (failing) return
					failing = true
					failure = { error: await explain(error, stream, there) }
					wake()
				},
			)
		}

		/** The copy is complete up to the last run before which every other one is done. */
		function advance(): void {
			let position = state.position
			while (pending[0]?.done) position = pending.shift()!.last
			if (position !== state.position) update({ position })
			wake()
		}

		async function settled(isSo: () => boolean): Promise<void> {
			while (failure === undefined && !isSo()) await new Promise<void>(resolve => (wake = resolve))
			if (failure !== undefined) throw failure.error
		}

		function checkpointIsDue(): boolean {
			const behind = state.position - checkpoint.position()
			if (behind >= limits.checkpointEvents) return true
			return behind > 0 && performance.now() - savedAt >= limits.checkpointMs
		}

		async function saveCheckpoint(): Promise<void> {
			await checkpoint.save(state.position)
			savedAt = performance.now()
		}
	}

	/** A wrong revision is either an earlier attempt of this mirror or another writer: look. */
	async function explain(error: unknown, stream: string, there: Finding): Promise<unknown> {
		if (!(error instanceof TargetFailure)) return error
		if (error.kind === 'deleted') return MirrorStop.tombstone(stream, target.name)
		if (error.kind !== 'wrong-revision') return error
		try {
			const finding = await newestOf(target, stream)
			if (finding.newest !== undefined) compareWithOwn(source, stream, finding.newest)
			if (finding.revision < 0n && error.actual !== undefined && error.actual > there.revision) {
				unreadable.set(stream, error.actual)
			}
			return new TargetFailure(
				'away',
				`${stream} was written to meanwhile: the mirror looks again.`,
			)
		} catch (problem) {
			return problem
		}
	}

	function warnOnce(stream: string): void {
		if (warned.has(stream) || warned.size >= 100) return
		warned.add(stream)
		warn(
			`The stream ${stream} in EventStoreDB has events that no relay wrote: they are passed over.`,
		)
	}
}

function runsOf(events: readonly PlacedEvent[]): (readonly PlacedEvent[])[] {
	const runs: PlacedEvent[][] = []
	for (const event of events) {
		const run = runs.at(-1)
		if (run !== undefined && run[0]!.stream === event.stream && run.length < runEventsMax) {
			run.push(event)
		} else runs.push([event])
	}
	return runs
}

function sentence(error: unknown): string {
	return error instanceof Error ? error.message : String(error)
}
