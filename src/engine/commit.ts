/**
 * The end of a turn: forwards leave, the batch is put on disk, and what rests on it leaves. If the
 * journal cannot be written nothing more leaves (fail-stop).
 */
import type { NewEvent } from '../../domain/event.ts'
import type { Engine } from './engine.ts'
import { record } from './record.ts'
import { tellSrc } from './src-telling.ts'

/** Events that wait for a commit: with so many it is made at once. */
const batchLimit = 4096

/** A commit that takes longer than this is told of, though not more often than that. */
const slowCommitMs = 100

const slowReportEveryMs = 10_000

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

/** Forwards rest on nothing that must be on disk: they leave as soon as they are written. */
export function flushUpstreams(engine: Engine): void {
	for (const socket of engine.touchedUpstreams) {
		socket.touched = false
		socket.socket.flush()
	}
	engine.touchedUpstreams.length = 0
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
	const tookMs = engine.committedAt - begun
	if (tookMs > slowCommitMs) reportSlowCommit(engine, tookMs)
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
