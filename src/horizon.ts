/** How far the journal is on disk, for threads beside the relay that read it by themselves. */
import type { JournalReader } from '../domain/journal.ts'

/** One number in shared memory: the position of the newest event that is on disk. */
export type Horizon = BigInt64Array<SharedArrayBuffer>

/**
 * Another thread may see a commit in the journal a moment before it is durable; the relay says here
 * when it is.
 */
export function newHorizon(position: number): Horizon {
	const horizon = new BigInt64Array(new SharedArrayBuffer(8))
	moveHorizon(horizon, position)
	return horizon
}

export function moveHorizon(horizon: Horizon, position: number): void {
	Atomics.store(horizon, 0, BigInt(position))
}

/** For readers of the journal: nothing beyond it is on disk yet. Without a relay all is. */
export function durableUpTo(horizon: Horizon | undefined): () => number {
	return horizon === undefined
		? () => Number.POSITIVE_INFINITY
		: () => Number(Atomics.load(horizon, 0))
}

/** Position of the newest event on disk; where no relay tells, of the newest one to be read. */
export function newestOnDisk(journal: JournalReader, horizon: Horizon | undefined): () => number {
	return horizon === undefined ? journal.last : () => Number(Atomics.load(horizon, 0))
}
