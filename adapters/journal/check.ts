/** Checks of a journal's own rules: positions without gaps, batches that hold what they say. */
import type { DatabaseSync } from 'node:sqlite'
import { isLeft } from 'fp-ts/lib/Either.js'
import { counted } from '../../domain/count-text.ts'
import type { RecordedEvent } from '../../domain/event.ts'
import { catalogue } from '../../domain/event.ts'
import { decodeEvents } from '../../domain/event-text.ts'
import { JournalFailure, reason } from './failure.ts'
import { openToRead } from './schema.ts'
import { hashesOf, streamHash } from './stream-hash.ts'

/** How many of the newest batches are checked at every opening. */
const tailBatches = 256

/** Checks the chain of the newest batches and returns the position of the newest event. */
export function checkTail(db: DatabaseSync, folder: string): number {
	const rows = db
		.prepare(`SELECT first, count FROM batch ORDER BY first DESC LIMIT ${tailBatches}`)
		.all() as { first: number; count: number }[]
	const newest = rows[0]
	if (newest === undefined) return 0
	let next = newest.first + newest.count
	for (const { first, count } of rows) {
		if (count < 1 || first + count !== next) throw gap(folder, first, count, next)
		next = first
	}
	if (rows.length < tailBatches && next !== 1) throw gap(folder, 1, 0, next)
	return newest.first + newest.count - 1
}

function gap(folder: string, first: number, count: number, next: number): JournalFailure {
	return new JournalFailure(
		`The journal in ${folder} is damaged: ${counted(count, 'event')} from position ${first} on, ` +
			`followed by position ${next}. Restore the folder from a copy.`,
	)
}

export type JournalCheck = {
	readonly batches: number
	readonly events: number
	/** Sentences, at most `faultsMax`; none when the journal is whole. */
	readonly faults: readonly string[]
}

const faultsMax = 20

/**
 * Reads a whole journal and checks every position, count, stream hash and event, and SQLite's own
 * pages. Works beside a running relay. Throws JournalFailure when there is nothing to read.
 */
export function checkPositions(folder: string): JournalCheck {
	const { db } = openToRead(folder)
	const faults: string[] = []
	let batches = 0
	let next = 1
	try {
		for (const { integrity_check } of db.prepare('PRAGMA integrity_check(1)').all()) {
			if (integrity_check !== 'ok') faults.push(`The database is damaged: ${integrity_check}.`)
		}
		for (const row of db.prepare('SELECT * FROM batch ORDER BY first').iterate()) {
			const batch = row as unknown as Batch
			if (batch.first !== next) {
				faults.push(`Position ${next} should follow, but the next batch begins at ${batch.first}.`)
			}
			faults.push(...batchFaults(batch))
			next = batch.first + batch.count
			batches++
			if (faults.length >= faultsMax) break
		}
	} catch (error) {
		faults.push(`Reading ended after ${batches} batches: ${reason(error)}.`)
	} finally {
		db.close()
	}
	return { batches, events: next - 1, faults: faults.slice(0, faultsMax) }
}

type Batch = { first: number; count: number; streams: Uint8Array; events: string }

function batchFaults({ first, count, streams, events: text }: Batch): string[] {
	const faults: string[] = []
	try {
		const events = decodeEvents(text, first)
		const hashes = hashesOf(streams)
		if (events.length !== count || hashes.length !== count) {
			return [
				`The batch at position ${first} should have ${counted(count, 'event')} and has ${events.length}.`,
			]
		}
		for (const [index, event] of events.entries()) {
			if (hashes[index] !== streamHash(event.stream)) {
				faults.push(`Event ${event.position} is not filed under its stream ${event.stream}.`)
			}
			if (isLeft(catalogue[event.type].data.decode(event.data))) {
				faults.push(`Event ${event.position} is no ${event.type} of version ${event.v}.`)
			}
		}
	} catch (error) {
		faults.push(`The batch at position ${first}: ${reason(error)}`)
	}
	return faults
}

/**
 * Whether events are filed under their streams, asked in order: gives the position of the first that
 * is not. The hashes are no part of what is sealed, for they follow from it.
 */
export function openFilingCheck(folder: string): {
	misfiled(events: readonly RecordedEvent[]): number | undefined
	close(): void
} {
	const { db } = openToRead(folder)
	const rows = db.prepare('SELECT first, count, streams FROM batch WHERE first >= ? LIMIT 256')
	let portion: { first: number; count: number; streams: Uint8Array }[] = []
	let at = 0
	return {
		misfiled(events) {
			for (const { position, stream } of events) {
				const hash = hashAt(position)
				if (typeof stream !== 'string' || hash !== streamHash(stream)) return position
			}
			return undefined
		},
		close: () => db.close(),
	}

	function hashAt(position: number): number | undefined {
		while (at < portion.length && position >= portion[at]!.first + portion[at]!.count) at++
		if (portion[at] === undefined) {
			portion = rows.all(position) as typeof portion
			at = 0
		}
		// A part of the batch may have been asked for before: reading begins within it then.
		const batch = portion[at]
		if (batch === undefined || position < batch.first) return undefined
		const begin = 4 * (position - batch.first)
		const { buffer, byteOffset, byteLength } = batch.streams
		if (begin + 4 > byteLength) return undefined
		return new DataView(buffer, byteOffset + begin, 4).getUint32(0, true)
	}
}
