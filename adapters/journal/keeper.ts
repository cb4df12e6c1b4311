/**
 * The keeper: a worker thread beside the writer. It copies the write-ahead log into the database
 * file (PASSIVE: it waits for nobody and nobody for it), so that no append pays for that, and builds
 * the index by stream. It sleeps until the writer wakes it.
 */
import { setPriority } from 'node:os'
import { parentPort, workerData } from 'node:worker_threads'
import { reason } from './failure.ts'
import * as keeper from './keeper-signal.ts'
import { openToCheckpoint } from './schema.ts'
import { openIndexBuilder } from './stream-index.ts'

const { folder, signal } = workerData as keeper.KeeperData

try {
	// On Linux 0 is this thread, not the process: appends go before whatever is done here.
	setPriority(0, 10)
} catch {
	// A matter of speed only.
}

try {
	keep()
} catch (error) {
	warn(`The keeper of the journal in ${folder} ended: ${reason(error)}`)
} finally {
	Atomics.store(signal, keeper.stopped, 1)
	Atomics.notify(signal, keeper.stopped)
}

function keep(): void {
	const db = openToCheckpoint(folder)
	const passive = db.prepare('PRAGMA wal_checkpoint(PASSIVE)')
	const index = guardedIndex()
	while (Atomics.load(signal, keeper.stop) === 0) {
		const seen = Atomics.load(signal, keeper.wakeups)
		const asked = Atomics.load(signal, keeper.checkpoint) === keeper.checkpointAsked
		if (asked) checkpoint()
		if (Atomics.exchange(signal, keeper.reindex, 0) === 1) index.reset()
		if (!index.step() && !asked) Atomics.wait(signal, keeper.wakeups, seen)
	}
	index.close()
	db.close()

	function checkpoint(): void {
		const begun = performance.now()
		try {
			const { log, checkpointed } = passive.get()!
			Atomics.store(signal, keeper.logFrames, Number(log))
			Atomics.store(signal, keeper.checkpointedFrames, Number(checkpointed))
		} catch (error) {
			// The log goes on growing; when it is too long the writer tries itself, and stops if it fails.
			warn(`The journal in ${folder} could not be checkpointed: ${reason(error)}`)
		}
		Atomics.store(signal, keeper.checkpointUs, Math.round((performance.now() - begun) * 1000))
		Atomics.store(signal, keeper.checkpoint, keeper.checkpointDone)
	}
}

/** An index that cannot be built costs look-ups their speed, not the relay its journal. */
function guardedIndex(): { step(): boolean; reset(): void; close(): void } {
	let builder: ReturnType<typeof openIndexBuilder> | undefined
	attempt(() => {
		builder = openIndexBuilder(folder)
		return false
	})
	return {
		step: () => attempt(() => builder?.step() ?? false),
		reset: () =>
			void attempt(() => {
				builder?.reset()
				return true
			}),
		close: () => builder?.close(),
	}

	function attempt(work: () => boolean): boolean {
		try {
			return work()
		} catch (error) {
			warn(
				`The index by stream in ${folder} is not built further: ${reason(error)}. ` +
					'Reading a stream gets slow; delete index.db and start again.',
			)
			builder?.close()
			builder = undefined
			return false
		}
	}
}

function warn(warning: string): void {
	parentPort?.postMessage({ warning } satisfies keeper.KeeperWarning)
}
