/**
 * The index by stream, built behind the write path in a file of its own that may be deleted at any
 * time. It is made of runs: a run of level 0 covers 4,096 events, one of level 1 sixteen of those,
 * one of level 2 sixteen of these; the runs of a lower level go when a higher one covers them. A run
 * spreads its events over buckets by the upper bits of their stream's hash, one row a bucket, so a
 * look-up reads one small row in each run. Which runs there are follows from how many events are
 * indexed. What is not indexed yet is scanned in the journal: an index that lags is slow, never wrong.
 */
import { existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { lastPosition, openToRead, pragma } from './schema.ts'
import { hashesOf } from './stream-hash.ts'

const applicationId = 0x524c4931
const schemaVersion = 1

/** Events in a run and bits of the hash that choose its bucket, by level. */
export type Levels = readonly { readonly events: number; readonly bits: number }[]
const ownLevels: Levels = [
	{ events: 2 ** 12, bits: 0 },
	{ events: 2 ** 16, bits: 8 },
	{ events: 2 ** 20, bits: 12 },
]

/**
 * Visits the positions whose stream has that hash, from `from` on and in order, until `visit` says
 * false. Tells how many events the index covers: further ones are to be looked for in the journal.
 */
export type Candidates = (
	hash: number,
	from: number,
	visit: (position: number) => boolean,
) => { indexed: number }

type Run = { readonly level: number; readonly number: number }

/** The smallest number of events that is worth waking the builder for. */
export const smallestRun = ownLevels[0]!.events

function indexFile(folder: string): string {
	return join(folder, 'index.db')
}

function deleteIndex(folder: string): void {
	for (const suffix of ['', '-wal', '-shm']) rmSync(indexFile(folder) + suffix, { force: true })
}

/** Row of a bucket; below 2^53 for as many positions as fit into a number. */
function rowId({ level, number }: Run, bucket: number): number {
	return (level * 2 ** 38 + number) * 2 ** 12 + bucket
}

function bucketOf(hash: number, bits: number): number {
	return bits === 0 ? 0 : hash >>> (32 - bits)
}

/** The runs over the first `indexed` events, in order of position. */
function* runsOf(levels: Levels, indexed: number): Generator<Run> {
	let covered = 0
	for (let level = levels.length - 1; level >= 0; level--) {
		const size = levels[level]!.events
		for (; covered + size <= indexed; covered += size) yield { level, number: covered / size }
	}
}

/** The look-up. An index that is missing, foreign or unreadable counts as empty. */
export function openStreamIndex(
	folder: string,
	journalId: string,
	levels: Levels = ownLevels,
): { candidates: Candidates; close(): void } {
	let open: { db: DatabaseSync; find: Candidates } | undefined

	return {
		candidates(hash, from, visit) {
			try {
				open ??= openLookUp(folder, journalId, levels)
				if (open !== undefined) return open.find(hash, from, visit)
			} catch (error) {
				if (!isSqlite(error)) throw error
				open?.db.close()
				open = undefined
			}
			return { indexed: 0 }
		},
		close() {
			open?.db.close()
		},
	}
}

function isSqlite(error: unknown): boolean {
	return error instanceof Error && 'errcode' in error
}

function openLookUp(folder: string, journalId: string, levels: Levels) {
	if (!existsSync(indexFile(folder))) return undefined
	const db = new DatabaseSync(indexFile(folder), { readOnly: true, timeout: 1_000 })
	if (!isUsable(db, journalId)) {
		db.close()
		return undefined
	}
	const progress = db.prepare('SELECT indexed FROM progress')
	const bucket = db.prepare('SELECT entries FROM run WHERE id = ?')
	for (const statement of [progress, bucket]) statement.setReturnArrays(true)

	const find: Candidates = (hash, from, visit) => {
		// One snapshot of the index, because the builder replaces small runs by bigger ones.
		db.exec('BEGIN')
		try {
			const [indexed] = progress.get() as unknown as [number]
			for (const run of runsOf(levels, indexed)) {
				const { events, bits } = levels[run.level]!
				const begin = run.number * events + 1
				if (begin + events <= from) continue
				const row = bucket.get(rowId(run, bucketOf(hash, bits))) as unknown as
					| [Uint8Array]
					| undefined
				if (row !== undefined && !visitBucket(row[0], begin, hash, from, visit)) break
			}
			return { indexed }
		} finally {
			db.exec('COMMIT')
		}
	}
	return { db, find }
}

/** A bucket: the hashes of its events, then as many offsets from the run's first position. */
function visitBucket(
	bytes: Uint8Array,
	begin: number,
	hash: number,
	from: number,
	visit: (position: number) => boolean,
): boolean {
	const numbers = hashesOf(bytes)
	const size = numbers.length >>> 1
	for (let index = numbers.indexOf(hash); index !== -1; index = numbers.indexOf(hash, index + 1)) {
		if (index >= size) return true
		const position = begin + numbers[size + index]!
		if (position >= from && !visit(position)) return false
	}
	return true
}

function isUsable(db: DatabaseSync, journalId: string): boolean {
	if (pragma(db, 'application_id') !== applicationId) return false
	if (pragma(db, 'user_version') !== schemaVersion) return false
	return db.prepare('SELECT journal FROM progress').get()?.['journal'] === journalId
}

export type IndexBuilder = {
	/** Indexes one more run; false when there is none to index yet. */
	step(): boolean
	/** Forgets everything, leaving nothing of it in the file. */
	reset(): void
	close(): void
}

/** Opens the index of a data folder to build it further, anew if it is unusable. */
export function openIndexBuilder(folder: string, levels: Levels = ownLevels): IndexBuilder {
	const { db: journal, id } = openToRead(folder)
	const last = lastPosition(journal)
	const index = openToBuild(folder, id, last())
	const streams = journal.prepare(`
		SELECT first, streams FROM batch
		WHERE first >= (SELECT max(first) FROM batch WHERE first <= ?1) AND first < ?2
		ORDER BY first
	`)
	streams.setReturnArrays(true)
	const insert = index.prepare('INSERT INTO run (id, entries) VALUES (?, ?)')
	const remove = index.prepare('DELETE FROM run WHERE id >= ? AND id < ?')
	const advance = index.prepare('UPDATE progress SET indexed = ?')
	let indexed = Number(index.prepare('SELECT indexed FROM progress').get()!['indexed'])

	return {
		step() {
			const run = nextRun(levels, indexed, last())
			if (run === undefined) return false
			const { events, bits } = levels[run.level]!
			const begin = run.number * events + 1
			const hashes = hashesFrom(begin, events)
			index.exec('BEGIN')
			bucketed(hashes, bits, (bucket, entries) => insert.run(rowId(run, bucket), entries))
			removeBelow(run)
			advance.run(begin + events - 1)
			index.exec('COMMIT')
			indexed = begin + events - 1
			return true
		},
		reset() {
			index.exec(
				'PRAGMA secure_delete = ON; BEGIN; DELETE FROM run; UPDATE progress SET indexed = 0; COMMIT',
			)
			index.exec('PRAGMA wal_checkpoint(TRUNCATE)')
			indexed = 0
		},
		close() {
			index.close()
			journal.close()
		},
	}

	function hashesFrom(begin: number, count: number): Uint32Array {
		const hashes = new Uint32Array(count)
		// Row by row: a run may cover a million rows.
		for (const row of streams.iterate(begin, begin + count)) {
			const [first, bytes] = row as unknown as [number, Uint8Array]
			const skip = Math.max(begin - first, 0)
			const at = first + skip - begin
			hashes.set(hashesOf(bytes).subarray(skip, skip + count - at), at)
		}
		return hashes
	}

	function removeBelow(run: Run): void {
		for (let level = 0; level < run.level; level++) {
			const ratio = levels[run.level]!.events / levels[level]!.events
			const lower = rowId({ level, number: run.number * ratio }, 0)
			remove.run(lower, rowId({ level, number: (run.number + 1) * ratio }, 0))
		}
	}
}

/**
 * The biggest run that ends within `last` events and either begins right behind the indexed ones or
 * swallows whole runs before them. A run of a higher level is read from the journal anew: that is
 * cheaper than to put it together out of the lower ones.
 */
function nextRun(levels: Levels, indexed: number, last: number): Run | undefined {
	for (let level = levels.length - 1; level >= 0; level--) {
		const size = levels[level]!.events
		const number = Math.floor(indexed / size)
		if ((number + 1) * size <= last) return { level, number }
	}
	return undefined
}

/** A counting sort by bucket; within a bucket positions stay in order. */
function bucketed(
	hashes: Uint32Array,
	bits: number,
	write: (bucket: number, entries: Uint8Array) => void,
): void {
	const ends = new Uint32Array(2 ** bits)
	for (const hash of hashes) ends[bucketOf(hash, bits)]!++
	for (let bucket = 1; bucket < ends.length; bucket++) ends[bucket]! += ends[bucket - 1]!
	const offsets = new Uint32Array(hashes.length)
	for (let offset = hashes.length - 1; offset >= 0; offset--) {
		offsets[--ends[bucketOf(hashes[offset]!, bits)]!] = offset
	}
	// `ends` now has the beginnings.
	for (let bucket = 0; bucket < ends.length; bucket++) {
		const own = offsets.subarray(ends[bucket]!, ends[bucket + 1] ?? offsets.length)
		if (own.length === 0) continue
		const entries = new Uint32Array(2 * own.length)
		for (let index = 0; index < own.length; index++) entries[index] = hashes[own[index]!]!
		entries.set(own, own.length)
		write(bucket, new Uint8Array(entries.buffer))
	}
}

function openToBuild(folder: string, journalId: string, last: number): DatabaseSync {
	if (existsSync(indexFile(folder)) && !fits(folder, journalId, last)) deleteIndex(folder)
	const db = new DatabaseSync(indexFile(folder), { timeout: 1_000 })
	// NORMAL: losing the newest runs costs nothing but building them again.
	db.exec('PRAGMA page_size = 4096; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL')
	if (db.prepare('SELECT count(*) AS n FROM sqlite_schema').get()!['n'] !== 0) return db
	db.exec(`
		BEGIN;
		CREATE TABLE progress (journal TEXT NOT NULL, indexed INTEGER NOT NULL);
		CREATE TABLE run (id INTEGER PRIMARY KEY, entries BLOB NOT NULL);
		PRAGMA application_id = ${applicationId};
		PRAGMA user_version = ${schemaVersion};
	`)
	db.prepare('INSERT INTO progress (journal, indexed) VALUES (?, 0)').run(journalId)
	db.exec('COMMIT')
	return db
}

/** Whether the index belongs to this journal and is not ahead of it (a journal put back from a copy). */
function fits(folder: string, journalId: string, last: number): boolean {
	let db: DatabaseSync | undefined
	try {
		db = new DatabaseSync(indexFile(folder))
		if (!isUsable(db, journalId)) return false
		return Number(db.prepare('SELECT indexed FROM progress').get()!['indexed']) <= last
	} catch {
		return false
	} finally {
		db?.close()
	}
}
