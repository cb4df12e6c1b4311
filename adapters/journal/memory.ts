/** A journal in memory, for simulations and tests: it forgets as much as a restart would. */
import type { NewEvent, RecordedEvent } from '../../domain/event.ts'
import { decodeEvents, encodeEvents } from '../../domain/event-text.ts'
import type { Journal, Snapshots } from '../../domain/journal.ts'
import { JournalFailure } from './failure.ts'

/**
 * What happens to an append: `lost` throws and nothing is written; `torn` throws with a part of the
 * batch written, which the next start finds and cuts off; `unacknowledged` writes and then throws, as
 * when the disk reports an error for what it has kept after all.
 */
export type AppendFault = 'lost' | 'torn' | 'unacknowledged'

export type MemorySettings = {
	readonly id?: string
	/** Asked before every append with its number, from 1. */
	readonly appendFault?: (append: number) => AppendFault | undefined
}

export type MemoryJournal = Journal &
	Snapshots & {
		/** The journal as the next process finds it: same id, events and snapshots, no failure. */
		restart(settings?: Pick<MemorySettings, 'appendFault'>): MemoryJournal
		/** Deletes every snapshot. */
		forgetSnapshots(): void
	}

/** Contents are kept as the text that a disk would have, so nothing is shared with the caller. */
type Contents = {
	readonly batches: { readonly first: number; readonly text: string; readonly whole: boolean }[]
	readonly snapshots: Map<string, { version: number; position: number; texts: string[] }>
	last: number
}

export function openMemoryJournal(settings: MemorySettings = {}): MemoryJournal {
	return openContents({ batches: [], snapshots: new Map(), last: 0 }, settings)
}

function openContents(contents: Contents, settings: MemorySettings): MemoryJournal {
	const id = settings.id ?? 'memory'
	let appends = 0
	let failure: JournalFailure | undefined
	let open = true

	return {
		id,
		last: () => contents.last,
		append,
		read: (from, limit) => readBatches(contents, from, limit),
		readStream(stream, from, limit) {
			const all = readBatches(contents, from, Number.POSITIVE_INFINITY)
			return all.filter(event => event.stream === stream).slice(0, limit)
		},
		load(name, version) {
			const snapshot = contents.snapshots.get(name)
			if (snapshot?.version !== version || snapshot.position > contents.last) return undefined
			const { position, texts } = snapshot
			return { position, pieces: texts.map(text => JSON.parse(text) as unknown) }
		},
		save(name, version, position, pieces) {
			const texts = Array.from(pieces, piece => JSON.stringify(piece))
			contents.snapshots.set(name, { version, position, texts })
		},
		restart(more = {}) {
			open = false
			if (contents.batches.at(-1)?.whole === false) contents.batches.pop()
			return openContents(contents, { id, ...more })
		},
		forgetSnapshots: () => contents.snapshots.clear(),
		close() {
			open = false
		},
	}

	function append(events: readonly NewEvent[]): number {
		if (failure !== undefined) throw failure
		if (!open) throw new JournalFailure('The journal in memory is closed.')
		const first = contents.last + 1
		if (events.length === 0) return first
		appends++
		const fault = settings.appendFault?.(appends)
		if (fault === 'torn') {
			const text = encodeEvents(events)
			contents.batches.push({ first, text: text.slice(0, text.length >> 1), whole: false })
		} else if (fault !== 'lost') {
			contents.batches.push({ first, text: encodeEvents(events), whole: true })
			contents.last += events.length
		}
		if (fault === undefined) return first
		failure = new JournalFailure(
			`The journal in memory cannot be written any more: append ${appends} was to fail (${fault}).`,
		)
		throw failure
	}
}

function readBatches({ batches }: Contents, from: number, limit: number): RecordedEvent[] {
	const start = Math.max(from, 1)
	const found: RecordedEvent[] = []
	for (let index = holder(batches, start); index < batches.length; index++) {
		const { first, text, whole } = batches[index]!
		if (found.length >= limit || !whole) break
		for (const event of decodeEvents(text, first)) if (event.position >= start) found.push(event)
	}
	return found
}

/** Index of the batch that holds `position`: the last one that begins at or before it. */
function holder(batches: Contents['batches'], position: number): number {
	let low = 0
	let high = batches.length
	while (low < high) {
		const middle = (low + high) >>> 1
		if (batches[middle]!.first <= position) low = middle + 1
		else high = middle
	}
	return Math.max(low - 1, 0)
}
