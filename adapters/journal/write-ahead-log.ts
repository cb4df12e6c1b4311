/**
 * The write-ahead log's length. Written in place, a log syncs in half the time of one that grows, so
 * it is kept and begun anew from time to time: the keeper checkpoints nearly all of it, the writer
 * the small rest, because only a checkpoint without a write beside it reaches the end.
 */
import {
	closeSync,
	fdatasyncSync,
	fstatSync,
	fsyncSync,
	ftruncateSync,
	openSync,
	writeSync,
} from 'node:fs'
import type { DatabaseSync } from 'node:sqlite'
import { Worker } from 'node:worker_threads'
import { JournalFailure, reason, remedy } from './failure.ts'
import * as keeper from './keeper-signal.ts'
import { journalFile } from './schema.ts'

export type WriteAheadLog = ReturnType<typeof openLog>

const frameBytes = 4096
/**
 * The keeper is asked to checkpoint whenever about so much was added: what it syncs is in the way of
 * the commits beside it, and a commit waits only as long as a small piece takes.
 */
const checkpointFrames = 128
/** Not sooner than that after the last time, and on a slow disk so many times as long as that took. */
const askEveryMs = 10
const restFactor = 4
/** After the log was emptied it has its length again within some seconds; no commit waits long for it. */
const refillBytes = 2 ** 18
const refillEveryMs = 20
/** What the writer may be left to checkpoint itself when it begins the log anew. */
const restartFrames = 64

/** From one checkpoint's beginning to the next one's, at least, when one took that many microseconds. */
export function checkpointPauseMs(checkpointUs: number): number {
	return Math.max(askEveryMs, (restFactor * checkpointUs) / 1000)
}

export function openLog(
	db: DatabaseSync,
	folder: string,
	bytesMax: number,
	reserve: boolean,
	onWarning: (sentence: string) => void,
) {
	const restart = db.prepare('PRAGMA wal_checkpoint(RESTART)')
	const truncate = db.prepare('PRAGMA wal_checkpoint(TRUNCATE)')
	const descriptor = openLogFile(folder, reserve ? bytesMax : 0)
	const framesMax = Math.max(Math.floor(bytesMax / frameBytes), 1)
	const step = Math.min(checkpointFrames, Math.ceil(framesMax / 4))
	const signal = keeper.newKeeperSignal()
	const worker = startKeeper({ folder, signal }, onWarning)
	/** The log's length when the keeper was last asked, and what was added since: both estimated. */
	let before = 0
	let added = 0
	let askedAt = 0
	let warned = false
	let refilling: NodeJS.Timeout | undefined

	return {
		grown,
		sync: () => fdatasyncSync(descriptor),
		wakeKeeper: () => keeper.wake(signal),
		scrub,
		close,
	}

	/** After a commit of `bytes`. Throws what the disk says against a checkpoint. */
	function grown(bytes: number): void {
		added += 2 + Math.ceil(bytes / frameBytes)
		if (Atomics.load(signal, keeper.checkpoint) === keeper.checkpointAsked) {
			// Not even a keeper that hangs or has ended lets the log grow for ever.
			if (before + added >= 4 * framesMax) beginAnew()
			return
		}
		const known = Atomics.load(signal, keeper.logFrames)
		const rest = known - Atomics.load(signal, keeper.checkpointedFrames) + added
		const isLong = known + added >= framesMax
		if (isLong && (rest <= restartFrames || known + added >= 2 * framesMax)) {
			if (beginAnew()) return
		}
		if (!isLong && (added < step || performance.now() < askedAt + pauseMs())) return
		askedAt = performance.now()
		before = known + added
		added = 0
		Atomics.store(signal, keeper.checkpoint, keeper.checkpointAsked)
		keeper.wake(signal)
	}

	function pauseMs(): number {
		return checkpointPauseMs(Atomics.load(signal, keeper.checkpointUs))
	}

	/** False when a reader still needs the log as it is. */
	function beginAnew(): boolean {
		const { busy, log } = restart.get()!
		if (busy !== 0) {
			if (Number(log) > 4 * framesMax) warnOfLength(Number(log))
			return false
		}
		before = 0
		added = 0
		warned = false
		Atomics.store(signal, keeper.logFrames, 0)
		Atomics.store(signal, keeper.checkpointedFrames, 0)
		return true
	}

	function scrub(): boolean {
		const { busy } = truncate.get()!
		if (busy !== 0) return false
		before = 0
		added = 0
		Atomics.store(signal, keeper.logFrames, 0)
		Atomics.store(signal, keeper.checkpointedFrames, 0)
		if (reserve) refill()
		Atomics.store(signal, keeper.reindex, 1)
		keeper.wake(signal)
		return true
	}

	/**
	 * Gives the log its full length again, a piece at a time between the commits. Only this thread
	 * writes to the log, and zeros only behind its end, which is behind everything that counts.
	 */
	function refill(): void {
		clearTimeout(refilling)
		refilling = setTimeout(() => {
			if (!growLogFile(descriptor, bytesMax, refillBytes)) return
			refill()
		}, refillEveryMs)
		refilling.unref()
	}

	function warnOfLength(frames: number): void {
		if (warned) return
		warned = true
		onWarning(
			`The write-ahead log in ${folder} has ${Math.round((frames * frameBytes) / 2 ** 20)} MB, because ` +
				'a program keeps reading an old state of the journal: end it.',
		)
	}

	function close(): void {
		clearTimeout(refilling)
		Atomics.store(signal, keeper.stop, 1)
		keeper.wake(signal)
		Atomics.wait(signal, keeper.stopped, 0, keeperStopMs)
		void worker.terminate()
		closeSync(descriptor)
	}
}

/**
 * Opens the log's file and fills it with zeros up to the length that it will have, so that it is
 * written in place from the first event on: a file that grows takes twice as long to sync. Where the
 * disk has no room for that, the log grows as it must. Throws JournalFailure.
 */
function openLogFile(folder: string, bytesMax: number): number {
	const descriptor = openSync(`${journalFile(folder)}-wal`, 'r+')
	try {
		// What a process that was killed left in it counts from now on, and may not be on disk yet.
		fsyncSync(descriptor)
	} catch (error) {
		closeSync(descriptor)
		throw new JournalFailure(
			`The journal in ${folder} cannot be synced: ${reason(error)}. ${remedy(error)}`,
			{ cause: error },
		)
	}
	const { size } = fstatSync(descriptor)
	const zeros = new Uint8Array(2 ** 20)
	try {
		for (let at = size; at < bytesMax; at += zeros.length) {
			writeSync(descriptor, zeros, 0, Math.min(zeros.length, bytesMax - at), at)
		}
		if (size < bytesMax) fsyncSync(descriptor)
	} catch {
		ftruncateSync(descriptor, size)
	}
	return descriptor
}

/** Adds at most `bytes` of zeros; false where it has its length, or the disk has no room for that. */
function growLogFile(descriptor: number, bytesMax: number, bytes: number): boolean {
	const { size } = fstatSync(descriptor)
	if (size >= bytesMax) return false
	try {
		writeSync(descriptor, new Uint8Array(Math.min(bytes, bytesMax - size)), 0, undefined, size)
		return true
	} catch {
		ftruncateSync(descriptor, size)
		return false
	}
}

const keeperStopMs = 5_000

function startKeeper(data: keeper.KeeperData, onWarning: (sentence: string) => void): Worker {
	const worker = new Worker(new URL('./keeper.ts', import.meta.url), {
		name: 'journal-keeper',
		workerData: data,
		execArgv: [],
	})
	worker.on('message', ({ warning }: keeper.KeeperWarning) => onWarning(warning))
	worker.on('error', error => onWarning(`The keeper of the journal ended: ${reason(error)}`))
	worker.unref()
	return worker
}
