/**
 * Erasing events in place. First a plan is made and put on disk (`seal.db`): for every event that is
 * to change, what will stand in its place, with a salt and a leaf hash of its own. Then the erasure is
 * recorded as an event, then the journal is rewritten, then the salts go, and last the plan. Whatever
 * moment it is interrupted at, the plan says how to go on, and verify finds every position in order.
 */
import { randomFillSync } from 'node:crypto'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import type { DatabaseSync } from 'node:sqlite'
import {
	type Erased,
	eraseFrom,
	learnNames,
	mentions,
	type Names,
	noNames,
	spellingsOf,
	withoutNames,
} from '../../domain/erasure.ts'
import type { NewEvent } from '../../domain/event.ts'
import { encodeEvents } from '../../domain/event-text.ts'
import type { StoredEvent } from '../../domain/upcast.ts'
import { leafOf, saltOctets } from './commitment.ts'
import { lastPosition, openToRead } from './schema.ts'
import { openSealToRead, openSealToWrite, sealedRows } from './seal-store.ts'
import { hashesOf, streamHash } from './stream-hash.ts'
import { digestOf } from './verify-seal.ts'

export type What =
	| { readonly kind: 'subscriber'; readonly mac: string; readonly reason: string }
	| { readonly kind: 'retention'; readonly subscribers: number }

/** What is kept of an erasure until it is complete. The MAC goes with it. */
export type Plan = {
	readonly id: number
	/** Of an erasure the pseudonym, else a name of its own. */
	readonly name: string
	readonly what: What
	/** Position of the last event that was looked at. */
	readonly upTo: number
	readonly events: number
	readonly byType: Readonly<Record<string, number>>
	/** Hash over the leaf hashes of what is left, in order of position. */
	readonly digest: string
	/** Of a subscriber: what stays, and is told. */
	readonly kept?: Kept
}

export type Kept = {
	/** Addresses that lease events have, now under the pseudonym. */
	readonly addresses: readonly string[]
	/** Positions of commands that have a word which is also the subscriber's user name. */
	readonly commands: readonly number[]
}
/** More of them are only counted. */
const keptMax = 1000

/** Looks through the whole journal and puts the plan on disk; undefined where there is nothing. */
export function planErasure(folder: string, erased: Erased, reason: string): Plan | undefined {
	const { db: journal, id: journalId } = openToRead(folder)
	const seal = openSealToWrite(folder, journalId)
	try {
		const upTo = lastPosition(journal)()
		const kept = { addresses: new Set<string>(), commands: [] as number[] }
		const names = noNames()
		const changes = [...changesIn(journal, upTo, erased, names, kept)]
		if (changes.length === 0) return undefined
		const { mac, pseudonym: name } = erased
		const what: What = { kind: 'subscriber', mac, reason: withoutNames(reason, erased, names) }
		const told = { ...kept, addresses: [...kept.addresses] }
		return savePlan(seal, { name, what, upTo, kept: told }, changes)
	} finally {
		seal.close()
		journal.close()
	}
}

export type Change = { readonly position: number; readonly type: string; readonly line: string }

/** Two readings: what the subscriber is called may be said after it was used. */
function* changesIn(
	journal: DatabaseSync,
	upTo: number,
	erased: Erased,
	names: Names,
	kept: { readonly addresses: Set<string>; readonly commands: number[] },
): Generator<Change> {
	const spellings = spellingsOf(erased.mac)
	for (const { stored } of eventsWith(journal, upTo, spellings)) {
		learnNames(names, stored, erased.mac)
	}
	// A request of a RADIUS server may have the name alone.
	const texts = [...spellings, ...unnamed]
	for (const { position, stored } of eventsWith(journal, upTo, texts)) {
		const left = eraseFrom(stored, erased, names)
		const { type, data } = left ?? stored
		// No command takes a user name: whether a word that is one is meant so nobody can tell.
		if (isTyped(type) && kept.commands.length < keptMax && mentions(data, names.users)) {
			kept.commands.push(position)
		}
		if (left === undefined) continue
		const { address } = data as { readonly address?: unknown }
		if (typeof address === 'string' && kept.addresses.size < keptMax) kept.addresses.add(address)
		yield { position, type, line: lineOf(left) }
	}
}

const unnamed = ['"DisconnectRequested"', '"ConfigurationChanged"', '"RelayStarted"']

function isTyped(type: string): boolean {
	return type === 'ConfigurationChanged' || type === 'RelayStarted'
}

/** The events in whose stored text one of the texts stands. */
function* eventsWith(
	journal: DatabaseSync,
	upTo: number,
	texts: readonly string[],
): Generator<{ readonly position: number; readonly stored: StoredEvent }> {
	const rows = journal.prepare(
		'SELECT first, count, events FROM batch WHERE first >= ? AND first <= ? ORDER BY first LIMIT 64',
	)
	const isIn = (text: string) => texts.some(one => text.includes(one))
	for (let next = 1; next <= upTo; ) {
		const found = rows.all(next, upTo) as { first: number; count: number; events: string }[]
		if (found.length === 0) return
		for (const { first, count, events } of found) {
			next = first + count
			if (!isIn(events)) continue
			for (const [index, line] of linesOf(events).entries()) {
				if (isIn(line)) yield { position: first + index, stored: JSON.parse(line) as StoredEvent }
			}
		}
	}
}

/** The events of a stored batch as lines, without the commas between them. */
export function linesOf(text: string): string[] {
	return text
		.split('\n')
		.slice(1, -1)
		.map(line => (line.endsWith(',') ? line.slice(0, -1) : line))
}

export function lineOf(stored: StoredEvent): string {
	return linesOf(encodeEvents([stored as NewEvent]))[0]!
}

/** Puts a plan on disk: from then on it is found by `openPlans`. */
export function savePlan(
	seal: DatabaseSync,
	header: Pick<Plan, 'name' | 'what' | 'upTo' | 'kept'>,
	changes: readonly Change[],
): Plan {
	const byType: Record<string, number> = {}
	const leaves: Uint8Array[] = []
	// On disk before the event that speaks of it.
	seal.exec('PRAGMA synchronous = FULL; BEGIN IMMEDIATE')
	try {
		const id = Number(
			seal.prepare('SELECT coalesce(max(id), 0) + 1 AS id FROM erasure').get()!['id'],
		)
		const insert = seal.prepare(
			'INSERT INTO rewritten (position, erasure, salt, leaf, line) VALUES (?, ?, ?, ?, ?)',
		)
		for (const { position, type, line } of changes) {
			const salt = randomFillSync(new Uint8Array(saltOctets))
			const octets = Buffer.from(line, 'latin1')
			const leaf = leafOf(salt, position, octets)
			insert.run(position, id, salt, leaf, line)
			leaves.push(leaf)
			byType[type] = (byType[type] ?? 0) + 1
		}
		const plan = { id, ...header, events: changes.length, byType, digest: digestOf(leaves) }
		seal
			.prepare('INSERT INTO erasure (id, name, plan) VALUES (?, ?, ?)')
			.run(id, plan.name, JSON.stringify(plan))
		seal.exec('COMMIT')
		return plan
	} catch (error) {
		seal.exec('ROLLBACK')
		throw error
	}
}

/** The erasures that are not complete. */
export function openPlans(folder: string, journalId: string): Plan[] {
	const seal = openSealToWrite(folder, journalId)
	try {
		const rows = seal.prepare('SELECT plan FROM erasure WHERE plan IS NOT NULL ORDER BY id').all()
		return rows.map(row => JSON.parse(String(row['plan'])) as Plan)
	} finally {
		seal.close()
	}
}

/** Positions of the events that were rewritten because a subscriber was erased. */
export function erasedPositions(folder: string, journalId: string): number[] {
	const seal = openSealToRead(folder, journalId)
	try {
		const rows = seal?.prepare(`
			SELECT DISTINCT position FROM rewritten JOIN erasure ON erasure = id
			WHERE name GLOB 'F3-*' ORDER BY position
		`)
		return rows === undefined ? [] : rows.all().map(row => Number(row['position']))
	} finally {
		seal?.close()
	}
}

/** Forgets a plan of which nothing was recorded yet. */
export function cancelPlan(folder: string, journalId: string, plan: Plan): void {
	const seal = openSealToWrite(folder, journalId)
	try {
		seal.exec('BEGIN IMMEDIATE')
		seal.prepare('DELETE FROM rewritten WHERE erasure = ?').run(plan.id)
		seal.prepare('DELETE FROM erasure WHERE id = ?').run(plan.id)
		seal.exec('COMMIT')
	} finally {
		seal.close()
	}
}

/** A batch as it is to stand in the journal. */
export type RewrittenBatch = {
	readonly first: number
	readonly text: string
	readonly streams: Uint8Array
}

/** The batches that a plan changes, those left out that have been changed already. */
export function* rewrittenBatches(folder: string, plan: Plan): Generator<RewrittenBatch> {
	const { db: journal, id } = openToRead(folder)
	const seal = openSealToWrite(folder, id)
	try {
		const next = seal.prepare(`
			SELECT position FROM rewritten
			WHERE erasure = ? AND position >= ? AND line IS NOT NULL ORDER BY position LIMIT 1
		`)
		const planned = seal.prepare(`
			SELECT position, line FROM rewritten
			WHERE erasure = ? AND position >= ? AND position < ? AND line IS NOT NULL
		`)
		const holder = journal.prepare(
			'SELECT first, count, streams, events FROM batch WHERE first <= ? ORDER BY first DESC LIMIT 1',
		)
		for (let from = 1; ; ) {
			const position = next.get(plan.id, from)?.['position']
			if (position === undefined) return
			const row = holder.get(position) as unknown as StoredBatch
			from = row.first + row.count
			const changes = planned.all(plan.id, row.first, from)
			const batch = rewrittenBatch(row, changes as { position: number; line: string }[])
			if (batch.text !== row.events) yield batch
		}
	} finally {
		seal.close()
		journal.close()
	}
}

type StoredBatch = {
	readonly first: number
	readonly count: number
	readonly streams: Uint8Array
	readonly events: string
}

function rewrittenBatch(
	{ first, streams, events }: StoredBatch,
	changes: readonly { readonly position: number; readonly line: string }[],
): RewrittenBatch {
	const lines = linesOf(events)
	const hashes = hashesOf(streams).slice()
	for (const { position, line } of changes) {
		lines[position - first] = line
		hashes[position - first] = streamHash((JSON.parse(line) as StoredEvent).stream)
	}
	return {
		first,
		text: `[\n${lines.join(',\n')}\n]`,
		streams: new Uint8Array(hashes.buffer, hashes.byteOffset, hashes.byteLength),
	}
}

/** The last steps, once the journal has nothing of it any more: salts, snapshots, and the plan. */
export function finishErasure(folder: string, journalId: string, plan: Plan): void {
	const seal = openSealToWrite(folder, journalId)
	try {
		clearSalts(seal, plan)
		deleteFoldedFiles(folder)
		seal.exec('BEGIN IMMEDIATE')
		seal.prepare('UPDATE rewritten SET line = NULL WHERE erasure = ?').run(plan.id)
		seal.prepare('UPDATE erasure SET plan = NULL WHERE id = ?').run(plan.id)
		seal.exec('COMMIT')
		// The log still has what was written over.
		seal.exec('PRAGMA wal_checkpoint(TRUNCATE)')
	} finally {
		seal.close()
	}
}

/** Snapshots of the state and read models are made anew out of the journal as it is now. */
function deleteFoldedFiles(folder: string): void {
	for (const name of ['snapshots/state.json', 'snapshots/state.json.new', 'retention.tmp']) {
		rmSync(join(folder, name), { force: true })
	}
	for (const suffix of ['', '-wal', '-shm']) {
		rmSync(join(folder, `views.db${suffix}`), { force: true })
	}
}

function clearSalts(seal: DatabaseSync, plan: Plan): void {
	const rows = sealedRows(seal)
	const planned = seal.prepare(
		'SELECT position FROM rewritten WHERE erasure = ? AND position >= ? ORDER BY position LIMIT 4096',
	)
	const older = seal.prepare(
		'UPDATE rewritten SET salt = zeroblob(16) WHERE position = ? AND erasure < ?',
	)
	const put = seal.prepare('UPDATE sealed SET salts = ? WHERE first = ?')
	for (let next = 1; ; ) {
		const positions = planned.all(plan.id, next).map(row => Number(row['position']))
		if (positions.length === 0) return
		seal.exec('BEGIN IMMEDIATE')
		for (let at = 0; at < positions.length; ) {
			const position = positions[at]!
			const row = rows(position, 1)[0]
			// Not sealed yet: it will be sealed as it is now, with a salt that nobody has to forget.
			if (row === undefined || position >= row.first + row.count) break
			const salts = row.salts.slice()
			for (; at < positions.length && positions[at]! < row.first + row.count; at++) {
				const begin = (positions[at]! - row.first) * saltOctets
				salts.fill(0, begin, begin + saltOctets)
				older.run(positions[at]!, plan.id)
			}
			put.run(salts, row.first)
		}
		seal.exec('COMMIT')
		next = positions.at(-1)! + 1
	}
}
