/** Reading a journal: from a position on, or one stream. Serves the owner and other processes. */
import { closeSync, existsSync, fdatasyncSync, openSync } from 'node:fs'
import type { DatabaseSync } from 'node:sqlite'
import type { RecordedEvent } from '../../domain/event.ts'
import { decodeEvents, eventCutter } from '../../domain/event-text.ts'
import type { JournalReader } from '../../domain/journal.ts'
import type { PlacedEvent, StoredEvent } from '../../domain/upcast.ts'
import { JournalFailure, reason, remedy } from './failure.ts'
import { journalFile, lastPosition, openToRead } from './schema.ts'
import { hashesOf, streamHash } from './stream-hash.ts'
import { type Candidates, openStreamIndex } from './stream-index.ts'

export type Reader = JournalReader & {
	/** Random text that names this journal for ever. */
	readonly id: string
	/** As `read`, but each event as it was written and not as today's version has it. */
	readStored(from: number, limit: number): PlacedEvent[]
	close(): void
}

/**
 * Opens a live or a copied data folder to read. `durable`: position up to which events are on disk,
 * beyond which nothing is read; whoever shows events outside gives it. Throws JournalFailure with a
 * sentence.
 */
export function openReader(folder: string, durable = () => Number.POSITIVE_INFINITY): Reader {
	const { db, id } = openToRead(folder)
	const index = openStreamIndex(folder, id)
	const last = lastPosition(db)
	const bounded =
		<Given extends unknown[], Event extends { readonly position: number }>(
			reading: (...given: Given) => Event[],
		) =>
		(...given: Given) =>
			upTo(reading(...given), durable())
	return {
		id,
		last: () => Math.min(last(), durable()),
		read: bounded(eventReading(db, decodeEvents)),
		readStored: bounded(eventReading(db, decodeStored)),
		readStream: bounded(positionReading(db, index.candidates)),
		close() {
			index.close()
			db.close()
		},
	}
}

/**
 * Opens a data folder for a process of its own, beside a relay perhaps: another process sees a commit
 * a moment before it is synced. What is there now is synced here, and nothing that comes later read.
 */
export function openDurably(folder: string, sync: (folder: string) => void = syncLog): Reader {
	let end = Number.POSITIVE_INFINITY
	const reader = openReader(folder, () => end)
	try {
		end = reader.last()
		sync(folder)
		return reader
	} catch (error) {
		// Where nothing can be written, as on a read-only medium, everything is there already.
		if (needsNoSync.includes((error as NodeJS.ErrnoException).code ?? '')) return reader
		reader.close()
		throw new JournalFailure(
			`The journal in ${folder} cannot be synced: ${reason(error)}. ${remedy(error)}`,
			{ cause: error },
		)
	}
}

const needsNoSync = ['EROFS', 'EINVAL', 'ENOTSUP']

/** The database itself is synced by whoever takes something out of its log. */
function syncLog(folder: string): void {
	const log = `${journalFile(folder)}-wal`
	if (!existsSync(log)) return
	const descriptor = openSync(log, 'r')
	try {
		fdatasyncSync(descriptor)
	} finally {
		closeSync(descriptor)
	}
}

/** The events up to a position. */
function upTo<Event extends { readonly position: number }>(events: Event[], end: number): Event[] {
	while (events.length > 0 && events.at(-1)!.position > end) events.pop()
	return events
}

type Batch = [first: number, events: string, end: number]
/** The same without the time that a text of a quarter of a megabyte takes to become a string. */
type Octets = [first: number, events: Uint8Array, end: number]

function decodeStored(text: string, first: number): PlacedEvent[] {
	const events: StoredEvent[] = JSON.parse(text)
	return events.map((event, index) => ({ position: first + index, ...event }))
}

function eventReading<Event>(
	db: DatabaseSync,
	decode: (text: string, first: number) => Event[],
): (from: number, limit: number) => Event[] {
	const batches = db.prepare(`
		SELECT first, events, first + count FROM batch
		WHERE first >= coalesce((SELECT max(first) FROM batch WHERE first <= ?1), 1)
			AND first < ?1 + ?2
		ORDER BY first
	`)
	batches.setReturnArrays(true)

	return (from, limit) => {
		const start = Math.max(from, 1)
		const found: Event[] = []
		for (const [first, text] of batches.all(start, Math.max(limit, 1)) as unknown as Batch[]) {
			const events = decode(text, first)
			for (let index = Math.max(start - first, 0); index < events.length; index++) {
				found.push(events[index]!)
			}
		}
		return found
	}
}

/** How many rows of hashes are fetched at once where the index does not reach yet. */
const scanRows = 512

function positionReading(db: DatabaseSync, candidates: Candidates): JournalReader['readStream'] {
	const holder = db.prepare(`
		SELECT first, CAST(events AS BLOB), first + count FROM batch
		WHERE first <= ? ORDER BY first DESC LIMIT 1
	`)
	const streams = db.prepare(`
		SELECT first, streams FROM batch
		WHERE first >= coalesce((SELECT max(first) FROM batch WHERE first <= ?1), 1)
		ORDER BY first LIMIT ${scanRows}
	`)
	for (const statement of [holder, streams]) statement.setReturnArrays(true)

	return (stream, from, limit) => {
		const hash = streamHash(stream)
		const found: RecordedEvent[] = []
		let batch: Octets = [0, new Uint8Array(), 0]
		let cut = eventCutter(batch[1], 0)
		const { indexed } = candidates(hash, from, take)
		scan(Math.max(from, indexed + 1))
		return found

		/** Keeps the event unless its stream only shares the hash; false when there are enough. */
		function take(position: number): boolean {
			if (found.length >= limit) return false
			if (position >= batch[2]) {
				batch = holder.get(position) as unknown as Octets
				cut = eventCutter(batch[1], batch[0])
			}
			const event = cut(position - batch[0])
			if (event.stream === stream) found.push(event)
			return found.length < limit
		}

		function scan(start: number): void {
			for (let next = start; found.length < limit; ) {
				const rows = streams.all(next) as unknown as [number, Uint8Array][]
				for (const [first, bytes] of rows) {
					const hashes = hashesOf(bytes)
					for (
						let index = hashes.indexOf(hash);
						index !== -1;
						index = hashes.indexOf(hash, index + 1)
					) {
						if (first + index >= next && !take(first + index)) return
					}
					next = first + hashes.length
				}
				if (rows.length < scanRows) return
			}
		}
	}
}

/** The stored line of one event, octet for octet; undefined where there is none. */
export function storedLine(db: DatabaseSync, position: number): string | undefined {
	const row = db
		.prepare('SELECT first, events FROM batch WHERE first <= ? ORDER BY first DESC LIMIT 1')
		.get(position) as { first: number; events: string } | undefined
	if (row === undefined) return undefined
	const lines = row.events.split('\n')
	const index = position - row.first + 1
	// Between the brackets.
	return index < lines.length - 1 ? lines[index]!.replace(/,$/, '') : undefined
}
