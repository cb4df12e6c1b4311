/**
 * The sealer: a worker thread that follows the journal and seals it. The relay tells it ten
 * times a second how far the journal is on disk, and nothing waits for it: a sealer that fails is told of,
 * and the relay goes on. What is not sealed yet is sealed after the next start.
 */
import { setPriority } from 'node:os'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { reason } from './failure.ts'
import { openSealing } from './sealing.ts'

export type Sealer = {
	/** Told of the position that the journal has on disk. */
	at(durable: number): void
	/** Seals up to that position and signs; resolves when the thread has ended, or after `closeMs`. */
	close(durable: number): Promise<void>
}

export type SealerSettings = {
	readonly folder: string
	readonly keyFile: string | undefined
	readonly onWarning: (sentence: string) => void
}

type ThreadData = Pick<SealerSettings, 'folder' | 'keyFile'> & { readonly sealer: true }
type Told = { readonly durable: number; readonly close: boolean }

/** A backlog that takes longer is left for the next start. */
const closeMs = 5_000

export function openSealer({ folder, keyFile, onWarning }: SealerSettings): Sealer {
	const data: ThreadData = { sealer: true, folder, keyFile }
	const worker = new Worker(new URL(import.meta.url), { name: 'sealer', workerData: data })
	const ended = Promise.withResolvers<void>()
	let told = 0
	worker.on('message', (sentence: string) => onWarning(sentence))
	worker.on('error', error => onWarning(`Nothing is sealed any more: ${reason(error)}`))
	worker.on('exit', () => ended.resolve())
	return {
		at(durable) {
			if (durable === told) return
			told = durable
			worker.postMessage({ durable, close: false } satisfies Told)
		},
		async close(durable) {
			worker.postMessage({ durable, close: true } satisfies Told)
			const timer = setTimeout(() => void worker.terminate(), closeMs)
			await ended.promise
			clearTimeout(timer)
		},
	}
}

if (!isMainThread && (workerData as Partial<ThreadData> | null)?.sealer === true) {
	try {
		// On Linux 0 is this thread, not the process.
		setPriority(0, 15)
	} catch {
		// A matter of speed only.
	}
	run(workerData as ThreadData)
}

/** Between two steps messages are taken: what matters is the newest position. */
function run({ folder, keyFile }: ThreadData): void {
	const port = parentPort!
	let told: Told = { durable: 0, close: false }
	let due: NodeJS.Immediate | undefined
	let sealing: ReturnType<typeof openSealing> | undefined
	const timer = setInterval(work, 1_000)
	port.on('message', (next: Told) => {
		told = next
		due ??= setImmediate(work)
	})
	attempt(() => {
		sealing = openSealing({ folder, keyFile, now: Date.now })
	})

	function work(): void {
		due = undefined
		attempt(() => {
			const sealed = sealing?.step(told.durable) ?? 0
			const more = sealing !== undefined && sealing.size() < told.durable && sealed > 0
			if (!more) sealing?.checkpoint(told.close)
			else sealing?.checkpoint(false)
			if (more) due = setImmediate(work)
			else if (told.close) end()
		})
	}

	function attempt(task: () => void): void {
		try {
			task()
		} catch (error) {
			port.postMessage(`Nothing is sealed any more: ${reason(error)}`)
			end()
		}
	}

	function end(): void {
		clearInterval(timer)
		if (due !== undefined) clearImmediate(due)
		sealing?.close()
		sealing = undefined
		port.close()
	}
}
