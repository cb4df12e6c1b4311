/**
 * The EventStoreDB mirror of a running relay: a worker thread of its own with one client, which reads
 * the journal by itself. The relay's thread only tells it how far the journal is on disk, by one
 * number in shared memory, and hears how the mirror is doing.
 */
import { randomUUID } from 'node:crypto'
import { setPriority } from 'node:os'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import type { StopKind } from '../adapters/eventstoredb/findings.ts'
import { openMirror } from '../adapters/eventstoredb/mirror.ts'
import { openTarget, targetName } from '../adapters/eventstoredb/target.ts'
import { openReader } from '../adapters/journal/reader.ts'
import type { MirrorState } from '../domain/mirror.ts'
import type { EngineLog } from './engine/engine.ts'
import { type Horizon, newestOnDisk } from './horizon.ts'

export type EventStoreMirror = {
	state(): MirrorState
	/** Ships what is on disk, as far as a few seconds go, and ends. */
	close(): Promise<void>
}

export type EventStoreMirrorSettings = {
	/** A connection string of EventStoreDB, which may hold a password. */
	readonly url: string
	/** The data folder, and how far its journal is on disk. */
	readonly folder: string
	readonly horizon: Horizon
	readonly log: EngineLog
	/** This relay has no right to its streams, and found out before it wrote anything to them. */
	readonly intruder: (sentence: string) => void
}

/** For one call to EventStoreDB. */
const deadlineMs = 10_000
const closeMs = 4_000
const restartMs = 5_000
const reportMs = 200

type Told =
	| { readonly state: MirrorState }
	| { readonly warning: string }
	| { readonly stopped: StopKind; readonly state: MirrorState }
type Thread = {
	readonly eventStore: string
	readonly folder: string
	readonly run: string
	readonly horizon: Horizon
}

/** Throws TargetFailure where `url` is no connection string. */
export function checkAddress(url: string): void {
	openTarget(url, deadlineMs)
}

export function openEventStoreMirror(settings: EventStoreMirrorSettings): EventStoreMirror {
	const { url, folder, horizon, log, intruder } = settings
	const target = targetName(url)
	let state: MirrorState = {
		...{ store: 'EventStoreDB', target, state: 'connecting', reason: '' },
		...{ position: 0, events: 0, reconnects: 0 },
	}
	let closing = false
	let restart: NodeJS.Timeout | undefined
	const data: Thread = { eventStore: url, folder, run: randomUUID(), horizon }
	let worker = launch()

	return {
		state: () => state,
		async close() {
			closing = true
			clearTimeout(restart)
			const { promise, resolve } = Promise.withResolvers<void>()
			const limit = setTimeout(resolve, closeMs)
			worker.once('exit', resolve)
			worker.postMessage('close')
			await promise
			clearTimeout(limit)
			await worker.terminate()
		},
	}

	function launch(): Worker {
		const started = new Worker(new URL(import.meta.url), {
			workerData: data,
			name: 'eventstore',
			execArgv: [],
		})
		started.on('message', hear)
		// The client throws where nobody can catch it; a new thread begins where the target says.
		started.on('error', error => {
			show({ ...state, state: 'waiting', reason: `The mirror's thread ended: ${error}.` })
			restart = setTimeout(() => {
				worker = launch()
			}, restartMs)
		})
		started.unref()
		return started
	}

	function hear(told: Told): void {
		if ('warning' in told) {
			log.warn('mirror', { target }, told.warning)
			return
		}
		show(told.state)
		if (!('stopped' in told) || closing) return
		const { reason, events } = told.state
		if (told.stopped === 'tombstone' || events > 0) {
			log.warn(
				'mirror-stopped',
				{ target, kind: told.stopped },
				`The mirror has stopped. ${reason}`,
			)
		} else intruder(reason)
	}

	function show(next: MirrorState): void {
		const before = state
		state = next
		if (next.state === before.state) return
		const fields = { target, position: next.position }
		if (next.state === 'waiting') log.warn('mirror-waiting', fields, next.reason)
		if (before.state === 'waiting' && next.state === 'catching up') {
			log.info('mirror-connected', fields, `The mirror at ${target} is catching up.`)
		}
	}
}

if (!isMainThread && typeof workerData?.eventStore === 'string') mirrorThread(workerData as Thread)

function mirrorThread({ eventStore, folder, run, horizon }: Thread): void {
	const port = parentPort!
	const tell = (told: Told) => port.postMessage(told)
	try {
		// On Linux 0 is this thread, not the process: packets come first.
		setPriority(0, 10)
	} catch {
		// A matter of speed only.
	}
	// The client leaves promises that nobody awaits where a connection breaks while it writes. What
	// they say is known from the append itself, or from its deadline.
	process.on('unhandledRejection', () => {})
	const reader = openReader(folder)
	let unreported = false
	let told: MirrorState['state'] | undefined
	const mirror = openMirror({
		source: {
			journal: reader.id,
			durable: newestOnDisk(reader, horizon),
			read: reader.readStored,
		},
		target: openTarget(eventStore, deadlineMs),
		run,
		changed(state) {
			if (state.state === told) unreported = true
			else report(state)
		},
		warn: warning => tell({ warning }),
	})
	const timer = setInterval(() => unreported && report(mirror.state()), reportMs)
	port.on('message', () => void mirror.close())
	void mirror.ended.then(() => {
		clearInterval(timer)
		const stopped = mirror.stopped()
		if (stopped === undefined) tell({ state: mirror.state() })
		else tell({ stopped: stopped.kind, state: mirror.state() })
		reader.close()
		// The client's channel would keep the thread.
		process.exit(0)
	})

	function report(state: MirrorState): void {
		unreported = false
		told = state.state
		tell({ state })
	}
}
