/**
 * The read models beside a running relay: a thread of its own follows the journal, so that no packet
 * waits for them. It looks for new events by itself: the relay does not even tell it of them.
 */
import { setPriority } from 'node:os'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { openReader } from '../adapters/journal/reader.ts'
import { viewsFile } from '../adapters/views/database.ts'
import { openViewReader, type SqlFunction, type ViewReader } from '../adapters/views/reader.ts'
import { viewSchema } from '../projections/views/schema.ts'
import { openViewFollower } from './view-follower.ts'

export type Views = {
	/** Resolves when the thread has ended; it catches up before, within bounds. */
	close(): Promise<void>
}

type ViewsData = { readonly viewsOf: string; readonly stop: Int32Array }

/** How often the thread looks for new events, and waits after a failure. */
const lookMs = 100
const retryMs = 10_000
/** Time to catch up when the relay stops. */
const lastMs = 2_000

export function openViews(folder: string, onWarning: (sentence: string) => void): Views {
	const stop = new Int32Array(new SharedArrayBuffer(4))
	const { promise, resolve } = Promise.withResolvers<void>()
	const workerData: ViewsData = { viewsOf: folder, stop }
	const worker = new Worker(new URL(import.meta.url), { name: 'views', workerData, execArgv: [] })
	worker.on('message', (sentence: string) => onWarning(sentence))
	worker.on('error', error =>
		onWarning(`The read models are not kept any further: ${error}. The relay goes on without.`),
	)
	worker.on('exit', () => resolve())
	worker.unref()
	return {
		close() {
			worker.ref()
			Atomics.store(stop, 0, 1)
			Atomics.notify(stop, 0)
			return promise
		},
	}
}

/** The read models as they are at each call; undefined while there are none. `close` when done. */
export function openViewReading(
	folder: string,
	functions: Readonly<Record<string, SqlFunction>> = {},
): { reader(): ViewReader | undefined; close(): void } {
	let reader: ViewReader | undefined
	return {
		reader() {
			if (reader?.isInPlace() === false) {
				reader.close()
				reader = undefined
			}
			reader ??= openViewReader(folder, viewSchema.version, functions)
			return reader
		},
		close: () => reader?.close(),
	}
}

if (!isMainThread && typeof workerData?.viewsOf === 'string') run(workerData as ViewsData)

function run({ viewsOf: folder, stop }: ViewsData): void {
	try {
		// On Linux 0 is this thread, not the process: packets go before whatever is done here.
		setPriority(0, 19)
	} catch {
		// A matter of speed only.
	}
	const onWarning = (sentence: string) => parentPort?.postMessage(sentence)
	const reader = openReader(folder)
	const follower = openViewFollower({ reader, file: viewsFile(folder), onWarning })
	let warned = false
	const stopped = () => Atomics.load(stop, 0) !== 0
	while (!stopped()) {
		try {
			if (follower.step() === 0) Atomics.wait(stop, 0, 0, lookMs)
			warned = false
		} catch (error) {
			const what = error instanceof Error ? error.message : String(error)
			if (!warned) onWarning(`${what} It is tried again every ${retryMs / 1000} seconds.`)
			warned = true
			Atomics.wait(stop, 0, 0, retryMs)
		}
	}
	if (!warned) {
		const end = performance.now() + lastMs
		while (performance.now() < end && follower.step() > 0);
	}
	follower.close()
	reader.close()
}
