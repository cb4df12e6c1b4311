/**
 * The journal in SQLite: one append-only table with one row a batch, in write-ahead-log mode, synced
 * at every commit (as synchronous FULL does). An append is one insert and one fdatasync; everything else that a database does
 * (checkpoints, the index by stream) is done behind it by the keeper's thread.
 */
import { randomUUID } from 'node:crypto'
import { closeSync, fsyncSync, mkdirSync, openSync, statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import type { DatabaseSync } from 'node:sqlite'
import type { NewEvent } from '../../domain/event.ts'
import { eventEncoder } from '../../domain/event-text.ts'
import type { Journal, Snapshots } from '../../domain/journal.ts'
import { checkTail } from './check.ts'
import type { RewrittenBatch } from './erasure.ts'
import { JournalFailure, reason, remedy } from './failure.ts'
import { ownFolder } from './owner.ts'
import { openReader } from './reader.ts'
import { openToWrite } from './schema.ts'
import { openSnapshots } from './snapshots.ts'
import { streamHash } from './stream-hash.ts'
import { smallestRun } from './stream-index.ts'
import { openLog, type WriteAheadLog } from './write-ahead-log.ts'

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
	// Or what is synced in it would have no place after a power failure.
	syncFolder(dirname(folder))
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

function openWriter(db: DatabaseSync, folder: string, newest: number, log: WriteAheadLog) {
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
