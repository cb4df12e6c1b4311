/** The whole history out of EventStoreDB, event by event, across broken connections. */
import type { Position } from '@eventstore/db-client'
import { type Mirrored, mirroredEvent, type ReadEvent, streamPrefixes } from './envelope.ts'
import { type Target, TargetFailure } from './target.ts'

const usualPatienceMs = 30_000
const firstPauseMs = 250
const longestPauseMs = 4_000

/**
 * Every event of every relay in the order in which it was written, which for one relay is nearly
 * that of its journal: an event that was sent again may come later. After a broken connection the
 * last event comes again. Throws TargetFailure when the server stays away for `patienceMs`.
 */
export async function* readHistory(
	target: Target,
	patienceMs = usualPatienceMs,
): AsyncGenerator<Mirrored> {
	let from: Position | undefined
	let failures = 0
	let heardAt = performance.now()
	for (;;) {
		try {
			for await (const { event } of target.readAll(from)) {
				if (event === undefined) continue
				failures = 0
				heardAt = performance.now()
				if (event.position !== undefined) from = event.position
				if (!streamPrefixes.some(prefix => event.streamId.startsWith(prefix))) continue
				const mirrored = mirroredEvent(event as ReadEvent)
				if (mirrored !== undefined) yield mirrored
			}
			return
		} catch (error) {
			if (!(error instanceof TargetFailure) || error.kind !== 'away') throw error
			const pauseMs = Math.min(firstPauseMs * 2 ** failures, longestPauseMs)
			if (performance.now() + pauseMs - heardAt > patienceMs) throw error
			failures++
			await target.reset()
			await new Promise(resolve => setTimeout(resolve, pauseMs))
		}
	}
}
