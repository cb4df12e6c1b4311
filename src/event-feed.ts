/**
 * The event feed of a running relay: a worker thread of its own with one connection, which reads the
 * journal by itself. The relay's thread only hears how it is doing.
 */
import { setPriority } from 'node:os'
import { join } from 'node:path'
import { isMainThread, parentPort, workerData } from 'node:worker_threads'
import { openReader } from '../adapters/journal/reader.ts'
import { openFeed } from '../adapters/nats/feed.ts'
import { openFeedCheckpoint } from '../adapters/nats/feed-checkpoint.ts'
import type { EngineLog } from './engine/engine.ts'
import { type Horizon, newestOnDisk } from './horizon.ts'
import {
	type MirrorThread,
	openMirrorThread,
	openStateReports,
	type Told,
} from './mirror-thread.ts'
import type { NatsServers } from './nats-settings.ts'

export type EventFeedSettings = {
	readonly nats: NatsServers
	readonly folder: string
	readonly horizon: Horizon
	readonly log: EngineLog
}

type Thread = Pick<EventFeedSettings, 'folder' | 'horizon'> & { readonly feedTo: NatsServers }

export function openEventFeed({ nats, folder, horizon, log }: EventFeedSettings): MirrorThread {
	const target = nats.servers.join(', ')
	const workerData: Thread = { feedTo: nats, folder, horizon }
	let stopped = false
	return openMirrorThread<Told>({
		...{ module: new URL(import.meta.url), workerData, store: 'NATS JetStream', target },
		...{ id: 'feed', subject: `The event feed to ${target}`, log },
		heard({ state }) {
			if (stopped || state.state !== 'stopped') return
			stopped = true
			const fields = { target, position: state.position }
			log.warn('feed-stopped', fields, `The event feed has stopped. ${state.reason}`)
		},
	})
}

if (!isMainThread && workerData?.feedTo !== undefined) feedThread(workerData as Thread)

function feedThread({ feedTo, folder, horizon }: Thread): void {
	const port = parentPort!
	const reports = openStateReports(port)
	try {
		// On Linux 0 is this thread, not the process: packets come first.
		setPriority(0, 10)
	} catch {
		// A matter of speed only.
	}
	const reader = openReader(folder)
	const feed = openFeed({
		source: {
			journal: reader.id,
			durable: newestOnDisk(reader, horizon),
			read: reader.readStored,
		},
		...feedTo,
		checkpoint: openFeedCheckpoint(join(folder, 'feed.json')),
		changed: reports.changed,
		warn: warning => port.postMessage({ warning } satisfies Told),
	})
	// Of a feed that has stopped for good the thread stays, and costs nothing.
	port.on('message', () => {
		void feed.close().then(() => {
			reports.close()
			port.postMessage({ state: feed.state() } satisfies Told)
			reader.close()
			process.exit(0)
		})
	})
}
