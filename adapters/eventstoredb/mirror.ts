/**
 * The mirror: ships committed events to EventStoreDB in the order of the journal, so that none is
 * missing and none is there twice. What it knows of the target it asks the target: a stream
 * `mirror-<journal id>` tells how far the copy is complete, and the newest event of each stream tells
 * what the stream has beyond that.
 */
import type { MirrorState } from '../../domain/mirror.ts'
import type { PlacedEvent } from '../../domain/upcast.ts'
import { openCheckpoint } from './checkpoint.ts'
import { copyStreamOf } from './envelope.ts'
import { compareWithOwn, type Finding, MirrorStop, newestOf } from './findings.ts'
import { openRevisions } from './revisions.ts'
import { openShipping } from './shipping.ts'
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

/** One append has at most so many events, and characters in their data: far less than is taken at once. */
const runEventsMax = 64
const runCharactersMax = 128 * 1024
const chunkEvents = 512
const closingMs = 2_000
/** Streams that are warned of by name. */
const warnedMax = 100

export function openMirror(parts: MirrorParts): Mirror {
	const { source, target, warn = () => {} } = parts
	const limits = { ...mirrorLimits, ...parts.limits }
	let state: MirrorState = {
		...{ store: 'EventStoreDB', target: target.name, state: 'connecting', reason: '' },
		...{ position: 0, events: 0, retries: 0 },
	}
	let closeBy: number | undefined
	let stopped: MirrorStop | undefined
	let wake = () => {}
	const checkpoint = openCheckpoint({ source, target, run: parts.run })
	const unreadable = new Map<string, bigint>()
	const foreign = warnings(warn)
	const ended = run()

	return {
		state: () => state,
		stopped: () => stopped,
		async close() {
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
		while (closeBy === undefined && stopped === undefined) {
			const before = state.events
			try {
				await session()
			} catch (error) {
				if (error instanceof MirrorStop) stopped = error
				else update({ state: 'waiting', reason: sentence(error) })
				await target.reset()
			}
			if (closeBy !== undefined || stopped !== undefined) break
			if (state.events > before) pauseMs = limits.firstPauseMs
			// Not all relays of a fleet at the same moment.
			await pause(pauseMs * (0.75 + Math.random() / 2))
			pauseMs = Math.min(2 * pauseMs, limits.longestPauseMs)
			update({ retries: state.retries + 1 })
		}
		if (stopped !== undefined) update({ state: 'stopped', reason: stopped.message })
	}

	/** At most `ms`, or until something happens. */
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
		const resumed = await checkpoint.resume()
		const isNew = resumed === undefined
		const streamsMax = limits.streams
		const revisions = openRevisions({ source, target, isNew, streamsMax, unreadable, foreign })
		const shipping = openShipping({
			journal: source.journal,
			target,
			revisions,
			windowEvents: limits.windowEvents,
			moved: (position, events) => update({ position, events: state.events + events }),
			stirred: () => wake(),
			explain,
		})
		let next = (resumed ?? 0) + 1
		let savedAt = performance.now()
		update({ position: next - 1, state: 'catching up', reason: '' })

		while (!shipping.failed()) {
			if (isDue(savedAt)) {
				await checkpoint.save(state.position)
				savedAt = performance.now()
			}
			const events = readDurable(next)
			if (events.length === 0) {
				if (closeBy !== undefined) break
				if (shipping.isEmpty() && state.state !== 'following') update({ state: 'following' })
				await pause(limits.idleMs)
				continue
			}
			// What is left when the server is slow waits for the next start.
			if (closeBy !== undefined && performance.now() > closeBy) break
			if (revisions.isFull()) {
				await shipping.drained()
				revisions.forget()
			}
			await revisions.lookUp(events)
			for (const run of runsOf(events)) await shipping.ship(run)
			next = events.at(-1)!.position + 1
		}
		await shipping.drained()
		if (state.position > checkpoint.position()) await checkpoint.save(state.position)
	}

	function readDurable(from: number): readonly PlacedEvent[] {
		const wanted = Math.min(source.durable() - from + 1, chunkEvents)
		return wanted <= 0 ? [] : source.read(from, wanted).slice(0, wanted)
	}

	function isDue(savedAt: number): boolean {
		const behind = state.position - checkpoint.position()
		if (behind >= limits.checkpointEvents) return true
		return behind > 0 && performance.now() - savedAt >= limits.checkpointMs
	}

	/** A wrong revision is either an earlier attempt of this mirror or another writer: look. */
	async function explain(error: unknown, stream: string, there: Finding): Promise<unknown> {
		if (!(error instanceof TargetFailure)) return error
		if (error.kind === 'deleted') return MirrorStop.tombstone(stream, target.name)
		if (error.kind !== 'wrong-revision') return error
		try {
			const { revision, newest } = await newestOf(target, stream)
			if (newest !== undefined) compareWithOwn(source, stream, newest)
			const { actual = -1n } = error
			if (revision < 0n && actual > there.revision) unreadable.set(stream, actual)
			return new TargetFailure(
				'away',
				`${stream} was written to meanwhile: the mirror looks again.`,
			)
		} catch (problem) {
			return problem
		}
	}
}

function warnings(warn: (sentence: string) => void): (stream: string) => void {
	const warned = new Set<string>()
	return stream => {
		if (warned.has(stream) || warned.size >= warnedMax) return
		warned.add(stream)
		warn(
			`The stream ${stream} in EventStoreDB has only events that no relay wrote: they are passed over.`,
		)
	}
}

function runsOf(events: readonly PlacedEvent[]): (readonly PlacedEvent[])[] {
	const runs: PlacedEvent[][] = []
	let stream = ''
	let characters = 0
	for (const event of events) {
		const run = runs.at(-1)
		const of = copyStreamOf(event)
		const own = JSON.stringify(event.data).length
		const fits = characters + own <= runCharactersMax && (run?.length ?? 0) < runEventsMax
		if (run !== undefined && stream === of && fits) {
			run.push(event)
			characters += own
		} else {
			runs.push([event])
			characters = own
		}
		stream = of
	}
	return runs
}

function sentence(error: unknown): string {
	return error instanceof Error ? error.message : String(error)
}
