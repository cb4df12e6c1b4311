/**
 * Checks the journal's octets against the seal: every leaf, tile and checkpoint from the first event
 * on. A generator, so that whoever drives it shows how far it is and ends it when told.
 */

import { hash } from 'node:crypto'
import type { DatabaseSync } from 'node:sqlite'
import { counted } from '../../domain/count-text.ts'
import { originOf, parseCheckpoint } from '../../domain/seal/checkpoint.ts'
import { type Frontier, rootOf } from '../../domain/seal/merkle.ts'
import { openNote, type VerifierKey } from '../../domain/seal/note.ts'
import { hashLeaf, leafOctets, lineEnds, nodeHash, saltOctets } from './commitment.ts'
import { lastPosition, openToRead } from './schema.ts'
import { isSignedBy } from './seal-key.ts'
import {
	openSealToRead,
	type SealedRow,
	type StoredCheckpoint,
	sealedRows,
	sealedSize,
} from './seal-store.ts'
import { addLeaves, frontierOf, newTree, sizeOf, tileLeaves } from './seal-tree.ts'
import { sha256 } from './sha256.ts'

/** `position`: the first that is wrong. */
export type Fault = { readonly position: number; readonly sentence: string }

export type SealCheck = {
	/** Events of the journal when the check began, how many of them are sealed, and signed for. */
	readonly events: number
	readonly sealed: number
	readonly signed: number
	readonly checkpoints: number
	readonly erased: number
	/** By the name of each erasure, SHA-256 over the leaf hashes of what it left, in hexadecimal digits. */
	readonly erasures: readonly Erasure[]
	readonly fault: Fault | undefined
}
export type Erasure = {
	readonly name: string
	readonly count: number
	readonly digest: string
	/** Position of the first event that it left, and of the first that stands there already; 0: none. */
	readonly first: number
	readonly rewritten: number
	readonly complete: boolean
}

export type SealVerification = {
	readonly folder: string
	readonly key: VerifierKey
	/** A note that somebody kept: the tree must have had that root. */
	readonly kept: string | undefined
}

type Batch = { readonly first: number; readonly count: number; readonly text: Uint8Array }
const zeroSalt = new Uint8Array(saltOctets)
/** Events between two reports of how far it is. */
const reportEvents = 16_384

/** Yields positions that are done. Throws JournalFailure when there is nothing to read. */
export function* verifySeal(verification: SealVerification): Generator<number, SealCheck> {
	const { db: journal, id } = openToRead(verification.folder)
	const seal = openSealToRead(verification.folder, id)
	try {
		if (seal === undefined) {
			return { events: lastPosition(journal)(), ...nothing, fault: undefined }
		}
		// One state of it from here on, and the journal after it: a relay that goes on seals meanwhile.
		seal.exec('BEGIN')
		const sealed = sealedSize(seal)
		const extent = { sealed, events: lastPosition(journal)() }
		return yield* verifyTree(journal, seal, extent, originOf(id), verification)
	} finally {
		seal?.close()
		journal.close()
	}
}

const nothing = { sealed: 0, signed: 0, checkpoints: 0, erased: 0, erasures: [] }

function* verifyTree(
	journal: DatabaseSync,
	seal: DatabaseSync,
	{ sealed, events }: Pick<SealCheck, 'sealed' | 'events'>,
	origin: string,
	{ key, kept }: SealVerification,
): Generator<number, SealCheck> {
	const checkpoints = checkpointChecks(seal, origin, key, kept)
	const tiles = tileChecks(seal)
	const replaced = replacements(seal)
	const nextEvent = eventReading(journal, events)
	let erased = 0
	const rewrittenBy = new Map<number, number>()

	const result = (fault: Fault | undefined): SealCheck => ({
		events,
		sealed,
		signed: checkpoints.newest(),
		checkpoints: checkpoints.count(),
		erased,
		erasures: fault === undefined ? erasuresOf(seal, rewrittenBy) : [],
		fault,
	})
	for (const row of eachSealed(seal, sealed)) {
		if ('fault' in row) return result(row.fault)
		for (let at = 0; at < row.count; at++) {
			const position = row.first + at
			const event = nextEvent(position)
			if ('fault' in event) return result(event.fault)
			const instead = replaced(position)
			if (instead !== undefined && isLeaf(event, position, instead.salt, instead.leaf, 0)) {
				erased++
				if (!rewrittenBy.has(instead.erasure)) rewrittenBy.set(instead.erasure, position)
			} else if (
				hasAt(row.salts, at * saltOctets, zeroSalt) ||
				!isLeaf(event, position, row.salts, row.leaves, at)
			) {
				return result(changed(position))
			}
			const fault = tiles.add(row.leaves, at) ?? checkpoints.check(position, tiles.whole)
			if (fault !== undefined) return result(fault)
			if (position % reportEvents === 0) yield position
		}
	}
	return result(tiles.rest() ?? checkpoints.rest(sealed))
}

const computed = new Uint8Array(leafOctets)

/** Whether the leaf hash at that index is the one of the event with the salt at that index. */
function isLeaf(
	{ text, begin, end }: Line,
	position: number,
	salts: Uint8Array,
	leaves: Uint8Array,
	index: number,
): boolean {
	hashLeaf(computed, 0, salts, index * saltOctets, position, text, begin, end)
	return hasAt(leaves, index * leafOctets, computed)
}

function changed(position: number): Fault {
	return {
		position,
		sentence: 'the event, or its salt or leaf hash in the seal, is not what was sealed',
	}
}

function same(a: Uint8Array, b: Uint8Array): boolean {
	return Buffer.compare(a, b) === 0
}

function hasAt(octets: Uint8Array, at: number, wanted: Uint8Array): boolean {
	for (let i = 0; i < wanted.length; i++) if (octets[at + i] !== wanted[i]) return false
	return true
}

function* eachSealed(
	seal: DatabaseSync,
	size: number,
): Generator<SealedRow | { readonly fault: Fault }> {
	const rows = sealedRows(seal)
	for (let next = 1; next <= size; ) {
		const found = rows(next, 16)
		for (const row of found) {
			const { first, count, salts, leaves } = row
			const whole = salts.length === count * saltOctets && leaves.length === count * leafOctets
			if (first !== next || !whole || count < 1) {
				const sentence = 'the seal has a gap: salts and leaf hashes are missing from here on'
				yield { fault: { position: next, sentence } }
				return
			}
			yield row
			next += count
		}
	}
}

type Line = { readonly text: Uint8Array; readonly begin: number; readonly end: number }

/** The events in order, as octets. Reads in portions, so that the log is not held. */
function eventReading(journal: DatabaseSync, last: number) {
	const batches = journal.prepare(`
		SELECT first, count, CAST(events AS BLOB) AS text FROM batch
		WHERE first >= ? ORDER BY first LIMIT 64
	`)
	let portion: Batch[] = []
	let at = 0
	let ends: Uint32Array = new Uint32Array(0)
	return (position: number): Line | { readonly fault: Fault } => {
		let batch = portion[at]
		if (batch === undefined || position >= batch.first + batch.count) {
			at++
			if (portion[at] === undefined) {
				portion = batches.all(position) as unknown as Batch[]
				at = 0
			}
			batch = portion[at]
			const fault = batchFault(batch, position, last)
			if (fault !== undefined) return { fault }
			const lines = lineEnds(batch!.text, batch!.count)
			if (lines === undefined) {
				return { fault: { position, sentence: 'its batch does not have the stored form' } }
			}
			ends = lines
		}
		const index = position - batch!.first
		return { text: batch!.text, begin: ends[2 * index]!, end: ends[2 * index + 1]! }
	}
}

function batchFault(batch: Batch | undefined, position: number, last: number): Fault | undefined {
	if (batch === undefined || position > last) {
		return { position, sentence: 'sealed events are missing from here to the end of the journal' }
	}
	if (batch.first === position) return undefined
	return { position, sentence: `there is a gap: the next batch begins at ${batch.first}` }
}

/** The tree, tile by tile: each complete one against its stored root; and that there is one, and none too many. */
function tileChecks(seal: DatabaseSync) {
	const stored = seal.prepare('SELECT root FROM tile WHERE number = ?')
	const count = Number(seal.prepare('SELECT count(*) AS n FROM tile').get()!['n'])
	const tree = newTree()
	return { add, rest, whole: () => frontierOf(tree) }

	/** The leaf that is there at an index of a row. */
	function add(leaves: Uint8Array, index: number): Fault | undefined {
		let fault: Fault | undefined
		addLeaves(tree, leaves, index, index + 1, (number, root) => {
			fault = tileFault(number, root)
		})
		return fault
	}

	/** When all leaves are there, and with them every tile that they complete. */
	function rest(): Fault | undefined {
		if (count === tree.tiles.size / tileLeaves) return undefined
		const sentence = 'the seal has hashes of events that it does not have'
		return { position: sizeOf(tree) + 1, sentence }
	}

	function tileFault(number: number, root: Uint8Array): Fault | undefined {
		const known = stored.get(number) as { root: Uint8Array } | undefined
		if (known !== undefined && same(known.root, root)) return undefined
		const first = number * tileLeaves + 1
		const last = first + tileLeaves - 1
		const sentence = `the tree's stored hash over the positions up to ${last} is wrong`
		return { position: first, sentence }
	}
}

/** What erasures left at positions, asked for in rising order: of several the latest. */
function replacements(seal: DatabaseSync) {
	type Row = { position: number; erasure: number; salt: Uint8Array; leaf: Uint8Array }
	const rows = seal
		.prepare('SELECT position, erasure, salt, leaf FROM rewritten ORDER BY position, erasure')
		.iterate() as IterableIterator<unknown>
	let next = (rows.next().value ?? undefined) as Row | undefined
	return (position: number): Row | undefined => {
		let found: Row | undefined
		while (next !== undefined && next.position <= position) {
			if (next.position === position) found = next
			next = (rows.next().value ?? undefined) as Row | undefined
		}
		return found
	}
}

function erasuresOf(seal: DatabaseSync, rewrittenBy: ReadonlyMap<number, number>): Erasure[] {
	const leaves = seal.prepare(
		'SELECT position, leaf FROM rewritten WHERE erasure = ? ORDER BY position',
	)
	return seal
		.prepare('SELECT id, name, plan FROM erasure ORDER BY id')
		.all()
		.map(row => {
			const rows = leaves.all(row['id']!) as { position: number; leaf: Uint8Array }[]
			return {
				name: String(row['name']),
				count: rows.length,
				digest: digestOf(rows.map(({ leaf }) => leaf)),
				first: rows[0]?.position ?? 0,
				rewritten: rewrittenBy.get(Number(row['id'])) ?? 0,
				complete: row['plan'] === null,
			}
		})
}

/** What the event of an erasure has of all that the erasure left, in order of position. */
export function digestOf(leaves: readonly Uint8Array[]): string {
	return hash('sha256', Buffer.concat(leaves), 'hex')
}

/** Every stored checkpoint, in order, and the one that somebody kept. */
function checkpointChecks(
	seal: DatabaseSync,
	origin: string,
	key: VerifierKey,
	kept: string | undefined,
) {
	const stored = seal
		.prepare('SELECT size, at, note FROM checkpoint ORDER BY size')
		.iterate() as IterableIterator<unknown>
	let next = (stored.next().value ?? undefined) as StoredCheckpoint | undefined
	let size = 0
	let count = 0
	const opened = kept === undefined ? undefined : open(kept)

	return { check, rest, newest: () => size, count: () => count }

	function open(note: string) {
		const found = openNote(note, key, isSignedBy)
		if ('fault' in found) return found
		const checkpoint = parseCheckpoint(found.text)
		if (checkpoint === undefined) return { fault: 'It is no checkpoint.' }
		return checkpoint.origin === origin ? checkpoint : { fault: `It is of ${checkpoint.origin}.` }
	}

	/** `events`: how many leaves the tree has now. */
	function check(events: number, tree: () => Frontier): Fault | undefined {
		if (opened !== undefined && !('fault' in opened) && opened.size === events) {
			if (!same(opened.root, rootOf(tree(), sha256, nodeHash))) return contradicts(1, 'you gave')
		}
		if (next === undefined || next.size > events) return undefined
		const checkpoint = open(next.note)
		const { size: position } = next
		if ('fault' in checkpoint) {
			return { position, sentence: `the checkpoint there is wrong: ${checkpoint.fault}` }
		}
		const isOfTree = checkpoint.size === position && position === events
		if (!isOfTree || !same(checkpoint.root, rootOf(tree(), sha256, nodeHash))) {
			return contradicts(size + 1, 'was signed')
		}
		size = position
		count++
		next = (stored.next().value ?? undefined) as StoredCheckpoint | undefined
		return undefined
	}

	function contradicts(from: number, which: string): Fault {
		const sentence = `the tree is not the one whose checkpoint ${which}: something at this position or after it was changed together with its seal`
		return { position: from, sentence }
	}

	/** When all leaves are there. */
	function rest(sealed: number): Fault | undefined {
		if (next !== undefined) {
			const sentence = `there is a checkpoint of ${counted(next.size, 'event')}, and only ${sealed} sealed`
			return { position: sealed + 1, sentence }
		}
		if (opened === undefined) return undefined
		if ('fault' in opened) {
			return { position: 1, sentence: `the checkpoint that you gave is wrong: ${opened.fault}` }
		}
		if (opened.size <= sealed) return undefined
		const sentence = `the checkpoint that you gave is of ${counted(opened.size, 'event')}, and only ${sealed} sealed`
		return { position: sealed + 1, sentence }
	}
}
