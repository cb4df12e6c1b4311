/**
 * A snapshot of the state while the relay runs: made beside it by a thread of its own, which folds
 * what the journal has had since the last snapshot, so that no packet waits for it. It bounds how
 * much a restart after a crash must fold.
 */
import { rmSync } from 'node:fs'
import { setPriority } from 'node:os'
import { join } from 'node:path'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { openReader } from '../adapters/journal/reader.ts'
import { openSnapshots } from '../adapters/journal/snapshots.ts'
import { durableUpTo, type Horizon } from './horizon.ts'
import { recoverState, saveState, stateProjection } from './recover.ts'

/** Events after which the next snapshot is due: two to four seconds of folding. */
const eventsPerSnapshot = 2_000_000

export type Snapshooter = {
	/** Told of the journal's position from time to time; begins a snapshot when one is due. */
	at(position: number): void
	/** Makes one at once, out of what the journal has now; resolves when it is there. */
	anew(): Promise<void>
	/** Resolves when none is being made any more. */
	close(): Promise<void>
}

/** `horizon`: a snapshot that is ahead of the disk would outlive what a power failure takes. */
export function openSnapshooter(
	folder: string,
	position: number,
	horizon: Horizon,
	onWarning: (sentence: string) => void,
): Snapshooter {
	let taken = position
	let worker: Promise<unknown> | undefined
	return {
		at(now) {
			if (worker !== undefined || now - taken < eventsPerSnapshot) return
			taken = now
			worker = run(folder, horizon, onWarning).finally(() => {
				worker = undefined
			})
		},
		async anew() {
			while (worker !== undefined) await worker
			// What was folded before must not be begun with.
			rmSync(join(folder, 'snapshots', `${stateProjection.name}.json`), { force: true })
			worker = run(folder, horizon, onWarning).finally(() => {
				worker = undefined
			})
			await worker
		},
		close: async () => void (await worker),
	}
}

function run(
	folder: string,
	horizon: Horizon,
	onWarning: (sentence: string) => void,
): Promise<void> {
	const { promise, resolve } = Promise.withResolvers<void>()
	const worker = new Worker(new URL(import.meta.url), { workerData: { folder, horizon } })
	worker.on('message', (sentence: string) => onWarning(sentence))
	// A snapshot is a cache: without it a restart takes longer, and nothing else is wrong.
	worker.on('error', error => onWarning(`No snapshot could be made: ${error}`))
	worker.on('exit', () => resolve())
	return promise
}

if (!isMainThread && typeof workerData?.folder === 'string') {
	try {
		// On Linux 0 is this thread, not the process.
		setPriority(0, 19)
	} catch {
		// A matter of speed only.
	}
	const { folder, horizon } = workerData as { folder: string; horizon: Horizon }
	const onWarning = (sentence: string) => parentPort?.postMessage(sentence)
	const reader = openReader(folder, durableUpTo(horizon))
	const snapshots = openSnapshots({ folder, journalId: reader.id, last: reader.last, onWarning })
	saveState(snapshots, recoverState(reader, snapshots, onWarning))
	reader.close()
}
