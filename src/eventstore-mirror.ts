/**
 * The EventStoreDB mirror of a running relay: a worker thread of its own with one client, which reads
 * the journal by itself. The relay's thread only tells it how far the journal is on disk, by one
 * number in shared memory, and hears how the mirror is doing.
 */
import { randomUUID } from 'node:crypto'
import { setPriority } from 'node:os'
import { isMainThread, parentPort, workerData } from 'node:worker_threads'
import type { StopKind } from '../adapters/eventstoredb/findings.ts'
import { openMirror } from '../adapters/eventstoredb/mirror.ts'
import { openTarget, targetName } from '../adapters/eventstoredb/target.ts'
import { openReader } from '../adapters/journal/reader.ts'
import type { MirrorState } from '../domain/mirror.ts'
import type { EngineLog } from './engine/engine.ts'
import { type Horizon, newestOnDisk } from './horizon.ts'
import {
	type MirrorThread,
	openMirrorThread,
	openStateReports,
	type Told,
} from './mirror-thread.ts'

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
type MirrorTold = Told | { readonly stopped: StopKind; readonly state: MirrorState }
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

export function openEventStoreMirror(settings: EventStoreMirrorSettings): MirrorThread {
	const { url, folder, horizon, log, intruder } = settings
	const target = targetName(url)
	const workerData: Thread = { eventStore: url, folder, run: randomUUID(), horizon }
	return openMirrorThread<MirrorTold>({
		...{ module: new URL(import.meta.url), workerData, store: 'EventStoreDB', target },
		...{ id: 'mirror', subject: `The mirror at ${target}`, log },
		heard(told) {
			if (!('stopped' in told)) return
			const { reason, events } = told.state
			if (told.stopped !== 'tombstone' && events === 0) {
				intruder(reason)
				return
			}
			const fields = { target, kind: told.stopped }
			log.warn('mirror-stopped', fields, `The mirror has stopped. ${reason}`)
		},
	})
}

if (!isMainThread && typeof workerData?.eventStore === 'string') mirrorThread(workerData as Thread)

function mirrorThread({ eventStore, folder, run, horizon }: Thread): void {
	const port = parentPort!
	const tell = (told: MirrorTold) => port.postMessage(told)
	const reports = openStateReports(port)
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
	const mirror = openMirror({
		source: {
			journal: reader.id,
			durable: newestOnDisk(reader, horizon),
			read: reader.readStored,
		},
		target: openTarget(eventStore, deadlineMs),
		run,
		changed: reports.changed,
		warn: warning => tell({ warning }),
	})
	port.on('message', () => void mirror.close())
	void mirror.ended.then(() => {
		reports.close()
		const stopped = mirror.stopped()
		if (stopped === undefined) tell({ state: mirror.state() })
		else tell({ stopped: stopped.kind, state: mirror.state() })
		reader.close()
		// The client's channel would keep the thread.
		process.exit(0)
	})
}
