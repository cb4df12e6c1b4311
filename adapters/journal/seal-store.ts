/**
 * `seal.db`: the salts and leaf hashes of the journal's events, the roots of complete subtrees of
 * 1,024 leaves, and the signed checkpoints. A row of `sealed` is what was sealed at once; leaf i is
 * the event at position i + 1. Unlike snapshots and indexes this file cannot be made again: without
 * the salts nothing can be checked against a checkpoint that somebody else keeps.
 *
 * An erased event keeps its leaf; its salt becomes zeros. What stands at its position instead has a
 * salt and a leaf hash of its own in `rewritten`, and the event that records the erasure has the
 * hash of all of these. `line` and `plan` are there only until an erasure is complete.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { growBy, type Subtree, splitOf } from '../../domain/seal/merkle.ts'
import { leafOctets, nodeHash, saltOctets } from './commitment.ts'
import { JournalFailure, reason, remedy } from './failure.ts'
import { openReadOnly, pragma } from './schema.ts'
import { addLeaves, newTree, type SealTree, sizeOf, tileLeaves } from './seal-tree.ts'

/** `RLS1`. */
const applicationId = 0x524c5331
const schemaVersion = 1

const schema = `
	CREATE TABLE log (journal TEXT NOT NULL, verifier_key TEXT);
	CREATE TABLE sealed (
		first INTEGER PRIMARY KEY,
		count INTEGER NOT NULL,
		salts BLOB NOT NULL,
		leaves BLOB NOT NULL
	);
	CREATE TABLE tile (number INTEGER PRIMARY KEY, root BLOB NOT NULL);
	CREATE TABLE erasure (
		id INTEGER PRIMARY KEY,
		name TEXT NOT NULL,
		event INTEGER,
		plan TEXT
	);
	CREATE TABLE rewritten (
		position INTEGER NOT NULL,
		erasure INTEGER NOT NULL,
		salt BLOB NOT NULL,
		leaf BLOB NOT NULL,
		line TEXT,
		PRIMARY KEY (position, erasure)
	) WITHOUT ROWID;
	CREATE TABLE checkpoint (size INTEGER PRIMARY KEY, at INTEGER NOT NULL, note TEXT NOT NULL);
	PRAGMA application_id = ${applicationId};
	PRAGMA user_version = ${schemaVersion};
`

export function sealFile(folder: string): string {
	return join(folder, 'seal.db')
}

export function hasSeal(folder: string): boolean {
	return existsSync(sealFile(folder))
}

/** Opens it to write, made where there is none. Throws JournalFailure with a sentence. */
export function openSealToWrite(folder: string, journalId: string): DatabaseSync {
	return opening(folder, journalId, () => {
		const db = new DatabaseSync(sealFile(folder), { timeout: 10_000 })
		// NORMAL: what a failing power supply takes is sealed anew. Checkpoints are synced (sealer.ts).
		// Salts that are taken out must not be found in the file any more.
		db.exec(`
			PRAGMA page_size = 4096;
			PRAGMA journal_mode = WAL;
			PRAGMA synchronous = NORMAL;
			PRAGMA secure_delete = ON;
		`)
		if (db.prepare('SELECT count(*) AS n FROM sqlite_schema').get()!['n'] === 0) {
			db.exec(`BEGIN; ${schema}`)
			db.prepare('INSERT INTO log (journal) VALUES (?)').run(journalId)
			db.exec('COMMIT')
		}
		return db
	})
}

/** Opens it to read; undefined where nothing was sealed yet. */
export function openSealToRead(folder: string, journalId: string): DatabaseSync | undefined {
	if (!hasSeal(folder)) return undefined
	return opening(folder, journalId, () => openReadOnly(sealFile(folder)))
}

function opening(folder: string, journalId: string, open: () => DatabaseSync): DatabaseSync {
	let db: DatabaseSync | undefined
	try {
		db = open()
		check(db, folder, journalId)
		return db
	} catch (error) {
		db?.close()
		if (error instanceof JournalFailure) throw error
		throw new JournalFailure(
			`The seal in ${folder} cannot be opened: ${reason(error)}. ${remedy(error)}`,
			{ cause: error },
		)
	}
}

function check(db: DatabaseSync, folder: string, journalId: string): void {
	if (pragma(db, 'application_id') !== applicationId) {
		throw new JournalFailure(`${sealFile(folder)} is not the seal of a journal: move it away.`)
	}
	if (pragma(db, 'user_version') > schemaVersion) {
		throw new JournalFailure(
			`${sealFile(folder)} was written by a later release: use that one, or a later one.`,
		)
	}
	const owner = db.prepare('SELECT journal FROM log').get()?.['journal']
	if (owner === journalId) return
	throw new JournalFailure(
		`${sealFile(folder)} belongs to the journal ${owner}, and this one is ${journalId}: ` +
			'put the seal back that belongs to it.',
	)
}

export function verifierKeyIn(db: DatabaseSync): string | undefined {
	const key = db.prepare('SELECT verifier_key AS key FROM log').get()?.['key']
	return typeof key === 'string' ? key : undefined
}

/** Number of events sealed. */
export function sealedSize(db: DatabaseSync): number {
	const row = db.prepare('SELECT first + count - 1 AS n FROM sealed ORDER BY first DESC LIMIT 1')
	return Number(row.get()?.['n'] ?? 0)
}

export type StoredCheckpoint = { readonly size: number; readonly at: number; readonly note: string }

export function newestCheckpoint(db: DatabaseSync): StoredCheckpoint | undefined {
	return db.prepare('SELECT size, at, note FROM checkpoint ORDER BY size DESC LIMIT 1').get() as
		| StoredCheckpoint
		| undefined
}

/** Of exactly that size. */
export function checkpointOf(db: DatabaseSync, size: number): StoredCheckpoint | undefined {
	return db.prepare('SELECT size, at, note FROM checkpoint WHERE size = ?').get(size) as
		| StoredCheckpoint
		| undefined
}

export type SealedRow = {
	readonly first: number
	readonly count: number
	readonly salts: Uint8Array
	readonly leaves: Uint8Array
}

/** Reads what was sealed, at most `limit` rows, from the row on that has the position. */
export function sealedRows(db: DatabaseSync): (from: number, limit: number) => SealedRow[] {
	const rows = db.prepare(`
		SELECT first, count, salts, leaves FROM sealed
		WHERE first >= coalesce((SELECT max(first) FROM sealed WHERE first <= ?1), 1)
		ORDER BY first LIMIT ?2
	`)
	return (from, limit) => rows.all(from, limit) as unknown as SealedRow[]
}

/** Salt and leaf hash of a sealed event. */
export function leafAt(
	db: DatabaseSync,
	position: number,
): { readonly salt: Uint8Array; readonly leaf: Uint8Array } | undefined {
	const row = sealedRows(db)(position, 1)[0]
	const at = row === undefined ? -1 : position - row.first
	if (row === undefined || at < 0 || at >= row.count) return undefined
	return {
		salt: row.salts.slice(at * saltOctets, (at + 1) * saltOctets),
		leaf: row.leaves.slice(at * leafOctets, (at + 1) * leafOctets),
	}
}

/** The tree as it was sealed: tiles, and the leaves behind the last of them. */
export function readTree(db: DatabaseSync): SealTree {
	const tree = newTree()
	const size = sealedSize(db)
	for (const row of db.prepare('SELECT root FROM tile ORDER BY number').iterate()) {
		growBy(tree.tiles, (row as { root: Uint8Array }).root.slice(), tileLeaves, nodeHash)
	}
	const rows = sealedRows(db)
	while (sizeOf(tree) < size) {
		const found = rows(sizeOf(tree) + 1, 64)
		if (found.length === 0) throw damaged()
		for (const { first, count, leaves } of found) {
			// The tiles of these leaves were read already.
			addLeaves(tree, leaves, sizeOf(tree) + 1 - first, count, () => {
				throw damaged()
			})
		}
	}
	// More tiles than leaves: what comes next would have a place that is not its own.
	if (sizeOf(tree) !== size) throw damaged()
	return tree
}

function damaged(): JournalFailure {
	return new JournalFailure('The seal is damaged: check it with verify.')
}

/** Roots over ranges of leaves, for proofs: from tiles where they are whole, else from leaves. */
export function subtreesOf(db: DatabaseSync): Subtree {
	const tile = db.prepare('SELECT root FROM tile WHERE number = ?')
	const rows = sealedRows(db)
	let leaves: { begin: number; hashes: Uint8Array[] } | undefined
	return root

	function root(begin: number, end: number): Uint8Array {
		const count = end - begin
		if (count === tileLeaves && begin % tileLeaves === 0) {
			const known = tile.get(begin / tileLeaves) as { root: Uint8Array } | undefined
			if (known !== undefined) return known.root
		}
		if (count === 1) return leaf(begin)
		const middle = begin + splitOf(count)
		return nodeHash(root(begin, middle), root(middle, end))
	}

	/** Proofs need the leaves of one tile: they are read at once. */
	function leaf(index: number): Uint8Array {
		const begin = index - (index % tileLeaves)
		if (leaves?.begin !== begin) leaves = { begin, hashes: readLeaves(begin) }
		const hash = leaves.hashes[index - begin]
		if (hash === undefined) throw new JournalFailure(`Position ${index + 1} is not sealed yet.`)
		return hash
	}

	function readLeaves(begin: number): Uint8Array[] {
		const hashes: Uint8Array[] = []
		while (hashes.length < tileLeaves) {
			const next = begin + hashes.length + 1
			const row = rows(next, 1)[0]
			if (row === undefined || next >= row.first + row.count) break
			for (let at = next - row.first; at < row.count && hashes.length < tileLeaves; at++) {
				hashes.push(row.leaves.slice(at * leafOctets, (at + 1) * leafOctets))
			}
		}
		return hashes
	}
}

/** Whether something else stands at the position than what was sealed, or soon will. */
export function isErased(db: DatabaseSync, position: number): boolean {
	return (
		db.prepare('SELECT 1 FROM rewritten WHERE position = ? LIMIT 1').get(position) !== undefined
	)
}

export type ErasureMark = {
	/** Another text whenever an erasure has begun or is complete. */
	readonly mark: string
	/** Whether one is under way, or was interrupted. */
	readonly isOpen: boolean
}

/** How far erasures are. `seal`: undefined where there is none yet. */
export function erasureMark(seal: DatabaseSync | undefined): ErasureMark {
	const row = seal
		?.prepare('SELECT count(*) AS total, count(plan) AS open, max(id) AS newest FROM erasure')
		.get()
	if (row === undefined) return { mark: 'none', isOpen: false }
	return {
		mark: `${row['total']} ${row['open']} ${row['newest']}`,
		isOpen: Number(row['open']) > 0,
	}
}
