/**
 * Sealing: events that are on disk become leaves of the tree, and from time to time its root is
 * signed. One transaction adds rows, tiles and checkpoint together, so that a crash leaves neither a
 * gap nor a leaf twice: what was lost is sealed again, and no checkpoint had spoken of it.
 */
import { randomFillSync } from 'node:crypto'
import { existsSync } from 'node:fs'
import type { DatabaseSync } from 'node:sqlite'
import { checkpointText, originOf } from '../../domain/seal/checkpoint.ts'
import { rootOf } from '../../domain/seal/merkle.ts'
import { signedNote, verifierKeyText } from '../../domain/seal/note.ts'
import { utf8 } from '../../domain/seal/octets.ts'
import { hashLeaf, leafOctets, lineEnds, nodeHash, saltOctets } from './commitment.ts'
import { JournalFailure } from './failure.ts'
import { lastPosition, openToRead } from './schema.ts'
import { defaultKeyFile, makeSealKey, readSealKey, type SealKey } from './seal-key.ts'
import {
	hasSeal,
	newestCheckpoint,
	openSealToWrite,
	readTree,
	verifierKeyIn,
} from './seal-store.ts'
import { addLeaves, copyOf, frontierOf, type SealTree, sizeOf } from './seal-tree.ts'
import { sha256 } from './sha256.ts'

export type SealingSettings = {
	readonly folder: string
	/** `seal.key` in the folder unless told. */
	readonly keyFile?: string | undefined
	/** Wall-clock milliseconds. */
	readonly now: () => number
}

export type Sealing = {
	/** Seals events up to `durable`, at most about `stepEvents`; tells how many. */
	step(durable: number): number
	/** Number of events sealed. */
	size(): number
	/** Signs the tree if it is time for that, or at once. */
	checkpoint(force: boolean): boolean
	close(): void
}

/** What one transaction seals at most. */
export const stepEvents = 4096
/** A checkpoint is due after so many events, or that long after the last one when there are any. */
const eventsPerCheckpoint = 65_536
const checkpointEveryMs = 60_000

type Batch = { readonly first: number; readonly count: number; readonly text: Uint8Array }

/** Opens key, seal and journal of a folder. Throws JournalFailure with a sentence. */
export function openSealing(settings: SealingSettings): Sealing {
	const { db: journal, id } = openToRead(settings.folder)
	let seal: DatabaseSync | undefined
	try {
		const opened = openWithKey(settings, id)
		seal = opened.seal
		const tree = readTree(seal)
		const last = lastPosition(journal)()
		if (sizeOf(tree) > last) {
			throw new JournalFailure(
				`The seal in ${settings.folder} has ${sizeOf(tree)} events and the journal ${last}: the ` +
					'journal was put back to an older state. Nothing is sealed any more; keep the folder, ' +
					'and ask verify what is missing.',
			)
		}
		return sealing({ ...opened, journal, tree, origin: originOf(id), now: settings.now })
	} catch (error) {
		seal?.close()
		journal.close()
		throw error
	}
}

/** The key that has signed so far; a new one only where nothing was signed yet. */
function openWithKey(
	{ folder, keyFile = defaultKeyFile(folder) }: SealingSettings,
	journalId: string,
): { seal: DatabaseSync; key: SealKey } {
	// Checkpoints of another tree under the same key would contradict those that somebody may have.
	if (!hasSeal(folder) && existsSync(keyFile)) {
		throw new JournalFailure(
			`There is a seal's key in ${keyFile} and no seal.db in ${folder}: put seal.db back from a ` +
				'copy; if there is none, move the key away, and a new log begins.',
		)
	}
	const seal = openSealToWrite(folder, journalId)
	try {
		const name = originOf(journalId)
		const known = verifierKeyIn(seal)
		let key = readSealKey(keyFile, name)
		if (known !== undefined && (key === undefined || verifierKeyText(key.verifier) !== known)) {
			throw new JournalFailure(
				`The log of ${folder} is signed with the key ${known}, and ${keyFile} ` +
					`${key === undefined ? 'is missing' : 'has another'}: put the key back from a copy.`,
			)
		}
		key ??= makeSealKey(keyFile, name)
		seal.prepare('UPDATE log SET verifier_key = ?').run(verifierKeyText(key.verifier))
		return { seal, key }
	} catch (error) {
		seal.close()
		throw error
	}
}

type Open = {
	readonly journal: DatabaseSync
	readonly seal: DatabaseSync
	readonly key: SealKey
	readonly tree: SealTree
	readonly origin: string
	readonly now: () => number
}

function sealing({ journal, seal, key, tree: sealed, origin, now }: Open): Sealing {
	const batches = journal.prepare(`
		SELECT first, count, CAST(events AS BLOB) AS text FROM batch
		WHERE first >= (SELECT max(first) FROM batch WHERE first <= ?1) ORDER BY first
	`)
	const addRow = seal.prepare(
		'INSERT INTO sealed (first, count, salts, leaves) VALUES (?, ?, ?, ?)',
	)
	const addTile = seal.prepare('INSERT INTO tile (number, root) VALUES (?, ?)')
	const addCheckpoint = seal.prepare('INSERT INTO checkpoint (size, at, note) VALUES (?, ?, ?)')
	let tree = sealed
	const newest = newestCheckpoint(seal)
	let signedSize = newest?.size ?? 0
	let signedAt = newest?.at ?? 0

	return {
		size: () => sizeOf(tree),
		step,
		checkpoint,
		close() {
			seal.close()
			journal.close()
		},
	}

	function step(durable: number): number {
		const first = sizeOf(tree) + 1
		const count = Math.min(durable - sizeOf(tree), stepEvents)
		if (count <= 0) return 0
		const salts = randomFillSync(new Uint8Array(count * saltOctets))
		const leaves = new Uint8Array(count * leafOctets)
		hashInto(leaves, salts, first, count)
		// The tree in memory moves only with the one on disk.
		const next = copyOf(tree)
		seal.exec('BEGIN IMMEDIATE')
		try {
			addRow.run(first, count, salts, leaves)
			addLeaves(next, leaves, 0, count, (number, root) => addTile.run(number, root))
			seal.exec('COMMIT')
		} catch (error) {
			seal.exec('ROLLBACK')
			throw error
		}
		tree = next
		return count
	}

	function hashInto(leaves: Uint8Array, salts: Uint8Array, first: number, count: number): void {
		let next = first
		for (const row of batches.iterate(first)) {
			// What is damaged behind them keeps no events from being sealed.
			if (next === first + count) return
			const batch = row as unknown as Batch
			const ends = lineEnds(batch.text, batch.count)
			if (ends === undefined || batch.first > next) throw damaged(next)
			const end = Math.min(batch.count, first + count - batch.first)
			for (let index = next - batch.first; index < end; index++) {
				const at = next - first
				const [from, to] = [ends[2 * index]!, ends[2 * index + 1]!]
				hashLeaf(leaves, at * leafOctets, salts, at * saltOctets, next, batch.text, from, to)
				next++
			}
		}
		if (next < first + count) throw damaged(next)
	}

	function checkpoint(force: boolean): boolean {
		const size = sizeOf(tree)
		const fresh = size - signedSize
		if (fresh === 0) return false
		const at = now()
		// A clock that was set back must not keep checkpoints away.
		const due = fresh >= eventsPerCheckpoint || Math.abs(at - signedAt) >= checkpointEveryMs
		if (!force && !due) return false
		const root = rootOf(frontierOf(tree), sha256, nodeHash)
		const text = checkpointText({ origin, size, root })
		const note = signedNote(text, key.verifier, key.sign(utf8(text)))
		// On disk, with all that it speaks of, before anybody can read it.
		seal.exec('PRAGMA synchronous = FULL')
		addCheckpoint.run(size, at, note)
		seal.exec('PRAGMA synchronous = NORMAL')
		signedSize = size
		signedAt = at
		return true
	}
}

function damaged(position: number): JournalFailure {
	return new JournalFailure(
		`The journal cannot be sealed from position ${position} on: the batch there is damaged. ` +
			'Check the folder with verify.',
	)
}
