/**
 * A thread that copies the history elsewhere, seen from the relay: started, started again when it
 * breaks, heard, and told to end. What it copies it reads from the journal by itself.
 */
import type { MessagePort } from 'node:worker_threads'
import { Worker } from 'node:worker_threads'
import type { MirrorState } from '../domain/mirror.ts'
import type { EngineLog } from './engine/engine.ts'

export type MirrorThread = {
	state(): MirrorState
	/** Lets it ship what is on disk, as far as a few seconds go; resolves when it has ended. */
	close(): Promise<void>
}

export type Told = { readonly state: MirrorState } | { readonly warning: string }

export type MirrorThreadSettings<T extends Told> = {
	/** What the thread runs, and is given. */
	readonly module: URL
	readonly workerData: object
	readonly store: MirrorState['store']
	readonly target: string
	/** Begins the ids of log lines, and `subject` their sentences: `The mirror at HOST`. */
	readonly id: 'mirror' | 'feed'
	readonly subject: string
	readonly log: EngineLog
	/** Told of whatever the thread says of its state, until it is told to end. */
	readonly heard?: (told: Exclude<T, { readonly warning: string }>) => void
	readonly restartMs?: number
}

const closeMs = 4_000
const reportMs = 200

export function openMirrorThread<T extends Told>(settings: MirrorThreadSettings<T>): MirrorThread {
	const { module, workerData, store, target, id, subject, log, restartMs = 5_000 } = settings
	let state: MirrorState = {
		...{ store, target, state: 'connecting', reason: '' },
		...{ position: 0, events: 0, retries: 0 },
	}
	let closing = false
	let restart: NodeJS.Timeout | undefined
	/** Undefined when it has ended. */
	let worker: Worker | undefined
	launch()

	return {
		state: () => state,
		async close() {
			closing = true
			clearTimeout(restart)
			if (worker === undefined) return
			const { promise, resolve } = Promise.withResolvers<void>()
			const limit = setTimeout(resolve, closeMs)
			worker.once('exit', resolve)
			worker.postMessage('close')
			await promise
			clearTimeout(limit)
			await worker?.terminate()
		},
	}

	function launch(): void {
		const started = new Worker(module, { workerData, name: id, execArgv: [] })
		worker = started
		started.on('message', (told: T) => {
			if ('warning' in told) {
				log.warn(id, { target }, told.warning)
				return
			}
			show(told.state)
			if (!closing) settings.heard?.(told as Exclude<T, { readonly warning: string }>)
		})
		// Clients throw where nobody can catch it; a new thread begins where the target says.
		started.on('error', error => {
			show({ ...state, state: 'waiting', reason: `The thread of ${id} ended: ${error}.` })
			if (!closing) restart = setTimeout(launch, restartMs)
		})
		started.on('exit', () => {
			if (worker === started) worker = undefined
		})
		started.unref()
	}

	function show(next: MirrorState): void {
		const before = state.state
		state = next
		if (next.state === before) return
		const fields = { target, position: next.position }
		if (next.state === 'waiting') log.warn(`${id}-waiting`, fields, next.reason)
		if (before === 'waiting' && next.state === 'catching up') {
			log.info(`${id}-connected`, fields, `${subject} is catching up.`)
		}
	}
}

export type StateReports = {
	/** Tells the relay: at once where the state is another, else with the figures of a moment. */
	changed(state: MirrorState): void
	/** Nothing more is told. */
	close(): void
}

/** In the thread: how its state is told. */
export function openStateReports(port: MessagePort): StateReports {
	let waiting: MirrorState | undefined
	let told: MirrorState['state'] | undefined
	const timer = setInterval(() => {
		if (waiting !== undefined) tell(waiting)
	}, reportMs)
	return {
		changed(state) {
			if (state.state === told) waiting = state
			else tell(state)
		},
		close: () => clearInterval(timer),
	}

	function tell(state: MirrorState): void {
		waiting = undefined
		told = state.state
		port.postMessage({ state } satisfies Told)
	}
}
