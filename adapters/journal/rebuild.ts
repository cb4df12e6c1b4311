/**
 * A journal made anew from events that come in any order: they are sorted on disk first, and the
 * folder gets its name only when everything is in it.
 */
import {
	closeSync,
	existsSync,
	fsyncSync,
	mkdirSync,
	openSync,
	readdirSync,
	renameSync,
	rmdirSync,
	rmSync,
} from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { NewEvent } from '../../domain/event.ts'
import type { PlacedEvent, StoredEvent } from '../../domain/upcast.ts'
import { JournalFailure, reason } from './failure.ts'
import { openJournal } from './journal.ts'

/** Positions `from` to `to`, both missing. */
export type Gap = { readonly from: number; readonly to: number }

export type Rebuild = {
	/** Where the same position comes again, the later event counts. */
	put(event: PlacedEvent): void
	/** Position of the last event, and the first few gaps before it. */
	last(): number
	gaps(limit: number): Gap[]
	/** Writes the journal named `id` with the events up to `last`, and puts the folder in its place. */
	finish(id: string, last: number): void
	/** Leaves nothing behind. */
	discard(): void
}

const eventsPerTransaction = 10_000
/** As a busy relay's own batches. */
const eventsPerBatch = 256

/** Throws JournalFailure where `folder` has anything in it. */
export function openRebuild(folder: string): Rebuild {
	const place = resolve(folder)
	refuseContents(place)
	// Beside it, and so on the same disk: the last step is a renaming.
	const workplace = `${place}.restoring`
	rmSync(workplace, { recursive: true, force: true })
	const db = openSorting(workplace)
	const insert = db.prepare('INSERT OR REPLACE INTO found (position, event) VALUES (?, ?)')
	const newest = db.prepare('SELECT coalesce(max(position), 0) AS last FROM found')
	let open = 0

	return { put, last: () => Number(newest.get()!['last']), gaps, finish, discard }

	function put({ position, ...event }: PlacedEvent): void {
		if (open === 0) db.exec('BEGIN')
		insert.run(position, JSON.stringify(event))
		if (++open >= eventsPerTransaction) commit()
	}

	function commit(): void {
		if (open > 0) db.exec('COMMIT')
		open = 0
	}

	function gaps(limit: number): Gap[] {
		commit()
		const rows = db.prepare(`
			SELECT before + 1 AS "from", position - 1 AS "to" FROM (
				SELECT position, lag(position, 1, 0) OVER (ORDER BY position) AS before FROM found
			) WHERE position > before + 1 ORDER BY position LIMIT ?
		`)
		return rows.all(limit).map(row => ({ from: Number(row['from']), to: Number(row['to']) }))
	}

	function finish(id: string, last: number): void {
		commit()
		writeJournal(db, workplace, id, last)
		db.close()
		for (const file of sortingFiles(workplace)) rmSync(file, { force: true })
		if (existsSync(place)) rmdirSync(place)
		renameSync(workplace, place)
		syncFolder(dirname(place))
	}

	function discard(): void {
		if (db.isOpen) db.close()
		rmSync(workplace, { recursive: true, force: true })
	}
}

function refuseContents(folder: string): void {
	if (!existsSync(folder)) return
	const contents = readdirSync(folder)
	if (contents.length === 0) return
	throw new JournalFailure(
		`The folder ${folder} is not empty (it has ${contents.slice(0, 3).join(', ')}): name a folder that is not there yet, or move away what is in it.`,
	)
}

const sortingFiles = (folder: string) =>
	['', '-journal'].map(end => join(folder, `sorting.db${end}`))

function openSorting(folder: string): DatabaseSync {
	try {
		mkdirSync(folder, { recursive: true, mode: 0o700 })
		const db = new DatabaseSync(sortingFiles(folder)[0]!)
		// Nothing of it is needed after a crash.
		db.exec(`
			PRAGMA journal_mode = OFF;
			PRAGMA synchronous = OFF;
			CREATE TABLE found (position INTEGER PRIMARY KEY, event TEXT NOT NULL);
		`)
		return db
	} catch (error) {
		throw new JournalFailure(`The folder ${folder} cannot be made: ${reason(error)}.`, {
			cause: error,
		})
	}
}

function writeJournal(db: DatabaseSync, folder: string, id: string, last: number): void {
	const journal = openJournal({ folder, newId: id, reserveLog: false })
	try {
		const rows = db.prepare('SELECT event FROM found WHERE position <= ? ORDER BY position')
		let batch: StoredEvent[] = []
		for (const row of rows.iterate(last)) {
			batch.push(JSON.parse(String(row['event'])))
			if (batch.length === eventsPerBatch) flush()
		}
		flush()

		function flush(): void {
			// Of the versions that they were written in, which reading brings to today's.
			journal.append(batch as unknown as NewEvent[])
			batch = []
		}
	} finally {
		journal.close()
	}
}

function syncFolder(folder: string): void {
	const descriptor = openSync(folder, 'r')
	try {
		fsyncSync(descriptor)
	} finally {
		closeSync(descriptor)
	}
}
