/** The journal's file: what is in it, and how it is opened to write or to read. */
import { statSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { pathToFileURL } from 'node:url'
import { JournalFailure, reason, remedy } from './failure.ts'

/** `RLJ1`: tells the file from any other SQLite database. */
const applicationId = 0x524c4a31
const schemaVersion = 1

/**
 * One row is one append. `first` is the position of its first event; `streams` holds the hash of
 * each event's stream (stream-hash.ts) and stands before `events`, so that it can be read without
 * them. The view is for people with a database shell.
 */
const schema = `
	CREATE TABLE journal (id TEXT NOT NULL);
	CREATE TABLE batch (
		first INTEGER PRIMARY KEY,
		count INTEGER NOT NULL,
		streams BLOB NOT NULL,
		events TEXT NOT NULL
	);
	CREATE VIEW event AS
		SELECT
			batch.first + item.key AS position,
			item.value ->> 'stream' AS stream,
			item.value ->> 'type' AS type,
			item.value ->> 'v' AS v,
			item.value ->> 'at' AS at,
			item.value -> 'data' AS data
		FROM batch, json_each(batch.events) AS item;
	PRAGMA application_id = ${applicationId};
	PRAGMA user_version = ${schemaVersion};
`

export function journalFile(folder: string): string {
	return join(folder, 'journal.db')
}

/** Opens the one writing connection; makes the journal, named `newId`, where there is none. */
export function openToWrite(folder: string, newId: string): { db: DatabaseSync; id: string } {
	const file = journalFile(folder)
	return opening(folder, () => {
		const db = new DatabaseSync(file)
		try {
			// The keeper checkpoints, not a commit. NORMAL, because the writer syncs the log itself at every
			// commit (journal.ts): as durable as FULL, but with fdatasync, where Node's SQLite has fsync,
			// which waits for the data of other files too.
			db.exec(`
				PRAGMA page_size = 4096;
				PRAGMA journal_mode = WAL;
				PRAGMA synchronous = NORMAL;
				PRAGMA wal_autocheckpoint = 0;
				PRAGMA secure_delete = ON;
			`)
			if (isEmpty(db)) create(db, newId)
			else checkSchema(db, file)
			return { db, id: journalId(db) }
		} catch (error) {
			db.close()
			throw error
		}
	})
}

/** The keeper's connection, for a journal that is there. FULL: a checkpoint takes only what is synced in the log. */
export function openToCheckpoint(folder: string): DatabaseSync {
	const db = new DatabaseSync(journalFile(folder))
	db.exec('PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0')
	return db
}

/** Throws JournalFailure where the folder does not let us see. */
function isThere(file: string): boolean {
	try {
		return statSync(file, { throwIfNoEntry: false }) !== undefined
	} catch (error) {
		throw new JournalFailure(
			`${file} cannot be seen: ${reason(error)}. Only the user who runs the relay may: become that user.`,
		)
	}
}

/** Opens a live or a copied journal to read. */
export function openToRead(folder: string): { db: DatabaseSync; id: string } {
	const file = journalFile(folder)
	if (!isThere(file)) {
		throw new JournalFailure(
			`There is no journal in ${folder}: name the data folder of a relay, one that has journal.db.`,
		)
	}
	return opening(folder, () => {
		const db = openReadOnly(file)
		try {
			checkSchema(db, file)
			return { db, id: journalId(db) }
		} catch (error) {
			db.close()
			throw error
		}
	})
}

/** A reader gives way to the writer's short exclusive moments (recovery, restart of the log). */
const readTimeoutMs = 2_000

/** Opens a database in WAL mode to read, also from where nothing can be written. */
export function openReadOnly(file: string): DatabaseSync {
	const db = new DatabaseSync(file, { readOnly: true, timeout: readTimeoutMs })
	try {
		db.prepare('PRAGMA user_version').get()
		return db
	} catch (error) {
		db.close()
		// A copy on a disk that cannot be written to has no place for the shared memory of a WAL; it is
		// read as it stands, which is right only where no log remains to be applied.
		const log = statSync(`${file}-wal`, { throwIfNoEntry: false })
		if (log !== undefined && log.size > 0) throw error
		const url = pathToFileURL(file)
		url.searchParams.set('immutable', '1')
		return new DatabaseSync(url, { readOnly: true })
	}
}

function opening<T>(folder: string, open: () => T): T {
	try {
		return open()
	} catch (error) {
		if (error instanceof JournalFailure) throw error
		throw new JournalFailure(
			`The journal in ${folder} cannot be opened: ${reason(error)}. ${remedy(error)}`,
			{ cause: error },
		)
	}
}

function isEmpty(db: DatabaseSync): boolean {
	return db.prepare('SELECT count(*) AS n FROM sqlite_schema').get()!['n'] === 0
}

function create(db: DatabaseSync, id: string): void {
	db.exec(`BEGIN; ${schema}`)
	db.prepare('INSERT INTO journal (id) VALUES (?)').run(id)
	db.exec('COMMIT')
}

function checkSchema(db: DatabaseSync, file: string): void {
	const application = pragma(db, 'application_id')
	if (application !== applicationId) {
		throw new JournalFailure(
			`${file} is not a journal of radledger: name another data folder, or move that file away.`,
		)
	}
	const version = pragma(db, 'user_version')
	if (version > schemaVersion) {
		throw new JournalFailure(
			`${file} has schema version ${version}, and this release knows up to ${schemaVersion}: ` +
				'use the release that wrote it, or a later one.',
		)
	}
}

export function pragma(db: DatabaseSync, name: string): number {
	return Number(db.prepare(`PRAGMA ${name}`).get()![name])
}

function journalId(db: DatabaseSync): string {
	return String(db.prepare('SELECT id FROM journal').get()!['id'])
}

/** Asks for the position of the newest event; 0 in an empty journal. */
export function lastPosition(db: DatabaseSync): () => number {
	const newest = db.prepare('SELECT first + count - 1 FROM batch ORDER BY first DESC LIMIT 1')
	newest.setReturnArrays(true)
	return () => (newest.get() as unknown as [number] | undefined)?.[0] ?? 0
}
