/**
 * The journal in SQLite: one append-only table with one row a batch, in write-ahead-log mode, synced
 * at every commit (as synchronous FULL does). An append is one insert and one fdatasync; everything else that a database does
 * (checkpoints, the index by stream) is done behind it by the keeper's thread.
 */
import { randomUUID } from 'node:crypto'
import {
	closeSync,
	fdatasyncSync,
	fstatSync,
	fsyncSync,
	ftruncateSync,
	mkdirSync,
	openSync,
	statSync,
	writeSync,
} from 'node:fs'
import { dirname, resolve } from 'node:path'
import type { DatabaseSync } from 'node:sqlite'
import { Worker } from 'node:worker_threads'
import type { NewEvent } from '../../domain/event.ts'
import { eventEncoder } from '../../domain/event-text.ts'
import type { Journal, Snapshots } from '../../domain/journal.ts'
import { checkTail } from './check.ts'
import type { RewrittenBatch } from './erasure.ts'
import { JournalFailure, reason, remedy } from './failure.ts'
import * as keeper from './keeper-signal.ts'
import { ownFolder } from './owner.ts'
import { openReader } from './reader.ts'
import { journalFile, openToWrite } from './schema.ts'
import { openSnapshots } from './snapshots.ts'
import { streamHash } from './stream-hash.ts'
import { smallestRun } from './stream-index.ts'

export type JournalSettings = {
	/** The data folder; made if missing. */
	readonly folder: string
	/** Where the write-ahead log is begun anew. It may get somewhat longer under load. */
	readonly logBytesMax?: number
	/** Names a journal that is made here; random unless told. */
	readonly newId?: string
	/** Whether the log has its full length from the beginning, which makes it faster; true unless told. */
	readonly reserveLog?: boolean
	/** Is told, in sentences, of what is wrong but stops nothing: an unusable snapshot, a slow log. */
	readonly onWarning?: (sentence: string) => void
}

export type SqliteJournal = Journal &
	Snapshots & {
		readonly folder: string
		/** Puts other events of the same number in the place of batches, in one commit. Only erasure does. */
		rewrite(batches: readonly RewrittenBatch[]): void
		/**
		 * Empties the log, which has what was written over, and has the index by stream built anew.
		 * False while a reader needs the log: to be tried again.
		 */
		scrub(): boolean
	}

/** Opens the journal of a data folder as its only owner. Throws JournalFailure with a sentence. */
export function openJournal(settings: JournalSettings): SqliteJournal {
	const folder = resolve(settings.folder)
	makeFolder(folder)
	const owner = ownFolder(folder)
	let db: DatabaseSync | undefined
	try {
		const opened = openToWrite(folder, settings.newId ?? randomUUID())
		db = opened.db
		const last = checkTail(db, folder)
		syncFolder(folder)
		return assemble(settings, folder, opened, last, owner)
	} catch (error) {
		db?.close()
		owner.release()
		throw error
	}
}

function assemble(
	settings: JournalSettings,
	folder: string,
	{ db, id }: ReturnType<typeof openToWrite>,
	last: number,
	owner: ReturnType<typeof ownFolder>,
): SqliteJournal {
	const onWarning = settings.onWarning ?? (() => {})
	const reader = openReader(folder)
	const { logBytesMax = 64 * 2 ** 20, reserveLog = true } = settings
	const log = openLog(db, folder, logBytesMax, reserveLog, onWarning)
	const writer = openWriter(db, folder, last, log)
	const snapshots = openSnapshots({ folder, journalId: id, last: writer.last, onWarning })
	return {
		id,
		folder,
		append: writer.append,
		rewrite: writer.rewrite,
		scrub: log.scrub,
		last: writer.last,
		read: reader.read,
		readStream: reader.readStream,
		load: snapshots.load,
		save: snapshots.save,
		close() {
			if (!writer.close()) return
			// The keeper and the reader first: the last connection to close clears the logs away, and
			// the reader's may not write.
			reader.close()
			log.close()
			db.close()
			owner.release()
		},
	}
}

/**
 * Makes the folder and what is missing above it, one by one: `recursive` never returns where the
 * file system refuses with ENOENT although the folder above is there, as /proc does.
 */
function makeMissing(folder: string): void {
	if (statSync(folder, { throwIfNoEntry: false })?.isDirectory()) return
	makeMissing(dirname(folder))
	mkdirSync(folder, { mode: 0o700 })
}

function makeFolder(folder: string): void {
	try {
		// What is in it is about persons.
		makeMissing(folder)
	} catch (error) {
		throw new JournalFailure(
			`The data folder ${folder} cannot be made: ${reason(error)}. Name a folder that can.`,
			{ cause: error },
		)
	}
}

/** Makes the names of new files durable. */
function syncFolder(folder: string): void {
	const descriptor = openSync(folder, 'r')
	try {
		fsyncSync(descriptor)
	} finally {
		closeSync(descriptor)
	}
}

function openWriter(db: DatabaseSync, folder: string, newest: number, log: Log) {
	// Bound as bytes and cast, which copies nothing: the text is ASCII already.
	const insert = db.prepare(
		'INSERT INTO batch (first, count, streams, events) VALUES (?, ?, ?, CAST(? AS TEXT))',
	)
	const replace = db.prepare('UPDATE batch SET events = ?, streams = ? WHERE first = ?')
	const encode = eventEncoder()
	let hashes = new Uint32Array(256)
	let last = newest
	let failure: JournalFailure | undefined
	let open = true

	return {
		last: () => last,
		append(events: readonly NewEvent[]): number {
			if (failure !== undefined) throw failure
			if (!open) throw new JournalFailure(`The journal in ${folder} is closed.`)
			const first = last + 1
			if (events.length === 0) return first
			try {
				const text = encode(events)
				insert.run(first, events.length, streamsOf(events), text)
				log.sync()
				last += events.length
				log.grown(text.length)
			} catch (error) {
				// Fail-stop: what is on disk is unknown now, until the journal is opened again.
				failure = failed(folder, error)
				// A commit that succeeded is told as such; it is the next append that fails.
				if (last < first) throw failure
			}
			if (last % smallestRun < events.length) log.wakeKeeper()
			return first
		},
		rewrite(batches: readonly RewrittenBatch[]): void {
			if (failure !== undefined) throw failure
			db.exec('BEGIN IMMEDIATE')
			try {
				for (const { first, text, streams } of batches) replace.run(text, streams, first)
			} catch (error) {
				db.exec('ROLLBACK')
				throw error
			}
			try {
				db.exec('COMMIT')
				log.sync()
				for (const { text } of batches) log.grown(text.length)
			} catch (error) {
				// As in append: after a failed sync no later one says what became of this one.
				failure = failed(folder, error)
				throw failure
			}
		},
		/** False when it was closed before. */
		close(): boolean {
			const wasOpen = open
			open = false
			return wasOpen
		},
	}

	function streamsOf(events: readonly NewEvent[]): Uint8Array {
		if (events.length > hashes.length) hashes = new Uint32Array(2 * events.length)
		for (let index = 0; index < events.length; index++) {
			hashes[index] = streamHash(events[index]!.stream)
		}
		return new Uint8Array(hashes.buffer, 0, 4 * events.length)
	}
}

function failed(folder: string, error: unknown): JournalFailure {
	return new JournalFailure(
		`The journal in ${folder} cannot be written any more: ${reason(error)}. ${remedy(error)}`,
		{ cause: error },
	)
}

type Log = ReturnType<typeof openLog>

const frameBytes = 4096
/** The keeper is asked to checkpoint whenever about so much was added: small enough to sync fast. */
const checkpointFrames = 256
/** Under full load larger ones, at this distance: each costs the appends beside it some time. */
const askEveryMs = 100
/** After the log was emptied it has its length again within some seconds; no commit waits long for it. */
const refillBytes = 2 ** 18
const refillEveryMs = 20
/** What the writer may be left to checkpoint itself when it begins the log anew. */
const restartFrames = 64

/**
 * The write-ahead log's length. Written in place, a log syncs in half the time of one that grows, so
 * it is kept and begun anew from time to time: the keeper checkpoints nearly all of it, the writer
 * the small rest, because only a checkpoint without a write beside it reaches the end.
 */
function openLog(
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
	let askAgainAt = 0
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
		if (!isLong && (added < step || performance.now() < askAgainAt)) return
		askAgainAt = performance.now() + askEveryMs
		before = known + added
		added = 0
		Atomics.store(signal, keeper.checkpoint, keeper.checkpointAsked)
		keeper.wake(signal)
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
 * disk has no room for that, the log grows as it must.
 */
function openLogFile(folder: string, bytesMax: number): number {
	const descriptor = openSync(`${journalFile(folder)}-wal`, 'r+')
	const { size } = fstatSync(descriptor)
	const zeros = new Uint8Array(2 ** 20)
	try {
		for (let at = size; at < bytesMax; at += zeros.length) {
			writeSync(descriptor, zeros, 0, Math.min(zeros.length, bytesMax - at), at)
		}
		fsyncSync(descriptor)
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
