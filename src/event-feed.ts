/**
 * The event feed of a running relay: a worker thread of its own with one connection, which reads the
 * journal by itself. The relay's thread only hears how it is doing.
 */
import { setPriority } from 'node:os'
import { join } from 'node:path'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { openReader } from '../adapters/journal/reader.ts'
import { openFeed } from '../adapters/nats/feed.ts'
import { openFeedCheckpoint } from '../adapters/nats/feed-checkpoint.ts'
import type { MirrorState } from '../domain/mirror.ts'
import type { EngineLog } from './engine/engine.ts'
import { type Horizon, newestOnDisk } from './horizon.ts'
import type { NatsServers } from './nats-settings.ts'

export type EventFeed = {
	state(): MirrorState
	/** Ships what is on disk, as far as a few seconds go, and ends. */
	close(): Promise<void>
}

export type EventFeedSettings = {
	readonly nats: NatsServers
	readonly folder: string
	readonly horizon: Horizon
	readonly log: EngineLog
}

const closeMs = 4_000
const restartMs = 5_000
const reportMs = 200

type Told = { readonly state: MirrorState } | { readonly warning: string }
type Thread = Pick<EventFeedSettings, 'folder' | 'horizon'> & { readonly feedTo: NatsServers }

export function openEventFeed({ nats, folder, horizon, log }: EventFeedSettings): EventFeed {
	const target = nats.servers.join(', ')
	let state: MirrorState = {
		...{ store: 'NATS JetStream', target, state: 'connecting', reason: '' },
		...{ position: 0, events: 0, reconnects: 0 },
	}
	let closing = false
	let restart: NodeJS.Timeout | undefined
	const workerData: Thread = { feedTo: nats, folder, horizon }
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
			workerData,
			name: 'event-feed',
			execArgv: [],
		})
		started.on('message', (told: Told) => {
			if ('warning' in told) log.warn('feed', { target }, told.warning)
			else show(told.state)
		})
		started.on('error', error => {
			show({ ...state, state: 'waiting', reason: `The feed's thread ended: ${error}.` })
			if (closing) return
			restart = setTimeout(() => {
				worker = launch()
			}, restartMs)
		})
		started.unref()
		return started
	}

	function show(next: MirrorState): void {
		const before = state.state
		state = next
		if (next.state === before) return
		const fields = { target, position: next.position }
		if (next.state === 'waiting') log.warn('feed-waiting', fields, next.reason)
		if (next.state === 'stopped') {
			log.warn('feed-stopped', fields, `The event feed has stopped. ${next.reason}`)
		}
		if (before === 'waiting' && next.state === 'catching up') {
			log.info('feed-connected', fields, `The event feed to ${target} is catching up.`)
		}
	}
}

if (!isMainThread && workerData?.feedTo !== undefined) feedThread(workerData as Thread)

function feedThread({ feedTo, folder, horizon }: Thread): void {
	const port = parentPort!
	const tell = (told: Told) => port.postMessage(told)
	try {
		// On Linux 0 is this thread, not the process: packets come first.
		setPriority(0, 10)
	} catch {
		// A matter of speed only.
	}
	const reader = openReader(folder)
	let unreported = false
	let told: MirrorState['state'] | undefined
	const feed = openFeed({
		source: {
			journal: reader.id,
			durable: newestOnDisk(reader, horizon),
			read: reader.readStored,
		},
		...feedTo,
		checkpoint: openFeedCheckpoint(join(folder, 'feed.json')),
		changed(state) {
			if (state.state === told) unreported = true
			else report(state)
		},
		warn: warning => tell({ warning }),
	})
	const timer = setInterval(() => unreported && report(feed.state()), reportMs)
	// Of a feed that has stopped for good the thread stays, and costs nothing.
	port.on('message', () => {
		void feed.close().then(() => {
			clearInterval(timer)
			report(feed.state())
			reader.close()
			process.exit(0)
		})
	})

	function report(state: MirrorState): void {
		unreported = false
		told = state.state
		tell({ state })
	}
}
