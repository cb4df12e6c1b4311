/** What the rest of the product knows of a journal. `adapters/journal` keeps one in SQLite. */
import type { NewEvent, RecordedEvent } from './event.ts'

export type JournalReader = {
	/** Position of the newest event; 0 in an empty journal. */
	last(): number
	/** Events at `from` and after it, in order; at most about `limit`, at least one if there is one. */
	read(from: number, limit: number): RecordedEvent[]
	/** Events of one stream at `from` and after it, in order, at most `limit`. */
	readStream(stream: string, from: number, limit: number): RecordedEvent[]
}

export type Journal = JournalReader & {
	/** Random text that names this journal for ever. */
	readonly id: string
	/**
	 * Writes a batch and returns the position of its first event. When it returns, the batch is on
	 * disk; when it throws, the caller must stop (fail-stop): nothing may be appended any more.
	 */
	append(events: readonly NewEvent[]): number
	close(): void
}

/**
 * A cache of folded state: may be deleted at any time. A snapshot is a number of pieces, JSON values
 * that are written and read one after the other, so that none needs memory for the whole.
 */
export type Snapshots = {
	/**
	 * The newest snapshot of that name and version, or undefined. Its pieces are read as they are
	 * asked for; where one is damaged, asking throws a sentence, and all that was read is void.
	 */
	load(name: string, version: number): LoadedSnapshot | undefined
	/** Takes the place of the old one when the last piece is there, or not at all. */
	save(name: string, version: number, position: number, pieces: Iterable<unknown>): void
}
export type LoadedSnapshot = { readonly position: number; readonly pieces: Iterable<unknown> }
