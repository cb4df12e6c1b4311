/**
 * The read models beside a running relay: a thread of its own follows the journal, so that no packet
 * waits for them. It looks for new events by itself: the relay says nothing but how far the journal is
 * on disk, in a number that is there for every thread.
 */
import { setPriority } from 'node:os'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { openReader } from '../adapters/journal/reader.ts'
import { viewsFile } from '../adapters/views/database.ts'
import { openViewReader, type SqlFunction, type ViewReader } from '../adapters/views/reader.ts'
import { viewSchema } from '../projections/views/schema.ts'
import { type Horizon, newestOnDisk } from './horizon.ts'
import { eventsPerCommit, openViewFollower } from './view-follower.ts'

export type Views = {
	/** Resolves when the thread has ended; it catches up before, within bounds. */
	close(): Promise<void>
}

type ViewsData = {
	readonly viewsOf: string
	readonly horizon: Horizon
	readonly stop: Int32Array
}

/**
 * Between two commits passes at least so long, and under load more: what changes again meanwhile, and
 * what stands on the same page, is written once.
 */
const pauseMsMin = 250
const pauseMsMax = 1_000
/** The pause is so many times the CPU time of the commit before. */
const pausePerWork = 9
/** How long the thread waits after a failure. */
const retryMs = 10_000
/** Time to catch up when the relay stops. */
const lastMs = 2_000

/** What a relay without read models says where they are needed. */
export const noViews =
	'This relay keeps no read models: start it with --views (or RADLEDGER_VIEWS), or with --http.'

/** What helps where read models are missing, or are those of an earlier time. */
export function viewsRemedy(folder: string): string {
	return `Start the relay with --views, or run "radledger views --data ${folder}".`
}

/** Starts the thread. */
export function openViews(
	folder: string,
	horizon: Horizon,
	onWarning: (sentence: string) => void,
): Views {
	const stop = new Int32Array(new SharedArrayBuffer(4))
	const { promise, resolve } = Promise.withResolvers<void>()
	const workerData: ViewsData = { viewsOf: folder, horizon, stop }
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

function run({ viewsOf: folder, horizon, stop }: ViewsData): void {
	try {
		// On Linux 0 is this thread, not the process: packets go before whatever is done here.
		setPriority(0, 19)
	} catch {
		// A matter of speed only.
	}
	const onWarning = (sentence: string) => parentPort?.postMessage(sentence)
	const reader = openReader(folder)
	const last = newestOnDisk(reader, horizon)
	const follower = openViewFollower({ reader, last, file: viewsFile(folder), onWarning })
	let warned = false
	const stopped = () => Atomics.load(stop, 0) !== 0
	while (!stopped()) {
		try {
			const begun = process.threadCpuUsage()
			const count = follower.step()
			warned = false
			// Far behind there is no waiting.
			if (count < eventsPerCommit) Atomics.wait(stop, 0, 0, pauseMs(begun))
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

function pauseMs(begun: NodeJS.CpuUsage): number {
	const { user, system } = process.threadCpuUsage(begun)
	return Math.min(Math.max((pausePerWork * (user + system)) / 1000, pauseMsMin), pauseMsMax)
}
