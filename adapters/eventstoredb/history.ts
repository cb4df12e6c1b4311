/** The whole history out of EventStoreDB, event by event, across broken connections. */
import type { Position } from '@eventstore/db-client'
import { type Mirrored, mirroredEvent, type ReadEvent, streamPrefixes } from './envelope.ts'
import { type Target, TargetFailure } from './target.ts'

const attempts = 8
const firstPauseMs = 250

/**
 * Every event of every relay in the order in which it was written, which for one relay is nearly
 * that of its journal: an event that was sent again may come later. After a broken connection the
 * last event comes again. Throws TargetFailure when the server stays away.
 */
export async function* readHistory(target: Target): AsyncGenerator<Mirrored> {
	let from: Position | undefined
	let failures = 0
	for (;;) {
		try {
			for await (const { event } of target.readAll(from)) {
				if (event === undefined) continue
				failures = 0
				if (event.position !== undefined) from = event.position
				if (!streamPrefixes.some(prefix => event.streamId.startsWith(prefix))) continue
				const mirrored = mirroredEvent(event as ReadEvent)
				if (mirrored !== undefined) yield mirrored
			}
			return
		} catch (error) {
			if (!(error instanceof TargetFailure) || error.kind !== 'away') throw error
			if (++failures === attempts) throw error
			await target.reset()
			await new Promise(resolve => setTimeout(resolve, firstPauseMs * 2 ** (failures - 1)))
		}
	}
}
