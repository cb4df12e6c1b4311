/** Where a history is read from: a data folder (live, or a copy), or an export of one. */
import { closeSync, openSync, readSync } from 'node:fs'
import { openDurably, type Reader } from '../adapters/journal/reader.ts'
import { openViewReader, type ViewReader } from '../adapters/views/reader.ts'
import type { RecordedEvent } from '../domain/event.ts'
import { type StoredEvent, upcast } from '../domain/upcast.ts'
import { viewSchema } from '../projections/views/schema.ts'
import { positionAt } from './position-at.ts'
import { UsageError } from './settings.ts'

export type HistorySource = {
	/** Every event from a position on, in order, until `visit` says false. */
	scan(from: number, visit: (event: RecordedEvent) => boolean): void
	/** Events of a stream from a position on, in order, at most `limit`. */
	readStream(stream: string, from: number, limit: number): RecordedEvent[]
	/** Tells that these streams are about to be read: one pass over an export finds them all. */
	prepare(streams: ReadonlySet<string>): void
	/** The read models, where there are any. */
	readonly views: ViewReader | undefined
	/** An export has no read models, and is read as a whole in any case. */
	readonly isExport: boolean
	/** Position of the newest event; Infinity where only reading it would tell. */
	last(): number
	/** Position of the last event up to a time (domain/clock-epochs.ts); 0: there is none. */
	positionAt(ms: number): number
	close(): void
}

const eventsPerReading = 4096

/** Opens a data folder, whose journal `reader` reads. Throws JournalFailure with a sentence. */
export function openFolderSource(
	folder: string,
	reader: Reader = openDurably(folder),
): HistorySource {
	const found = openViewReader(folder, viewSchema.version)
	const views = found?.journal === reader.id ? found : undefined
	if (views === undefined) found?.close()
	return {
		scan(from, visit) {
			for (let next = from; ; ) {
				const events = reader.read(next, eventsPerReading)
				if (events.length === 0) return
				for (const event of events) if (!visit(event)) return
				next = events.at(-1)!.position + 1
			}
		},
		readStream: reader.readStream,
		prepare: () => {},
		views,
		isExport: false,
		last: reader.last,
		positionAt: ms => positionAt(reader, views, ms),
		close() {
			views?.close()
			reader.close()
		},
	}
}

/** Opens an export in NDJSON. Throws UsageError with a sentence. */
export function openExportSource(file: string): HistorySource {
	const streams = new Map<string, RecordedEvent[]>()
	function scan(from: number, visit: (event: RecordedEvent) => boolean): void {
		for (const event of readExport(file)) {
			if (event.position >= from && !visit(event)) return
		}
	}
	return {
		scan,
		readStream(stream, from, limit) {
			const events = streams.get(stream) ?? []
			return events.filter(({ position }) => position >= from).slice(0, limit)
		},
		prepare(wanted) {
			const missing = [...wanted].filter(name => !streams.has(name))
			if (missing.length === 0) return
			for (const name of missing) streams.set(name, [])
			const fresh = new Set(missing)
			scan(1, event => {
				if (fresh.has(event.stream)) streams.get(event.stream)!.push(event)
				return true
			})
		},
		views: undefined,
		isExport: true,
		last: () => Number.POSITIVE_INFINITY,
		positionAt(ms) {
			let found = 0
			scan(1, ({ position, at }) => {
				if (at <= ms) found = position
				return true
			})
			return found
		},
		close: () => {},
	}
}

const chunkBytes = 2 ** 20

/** The events of an export, one line after the other. */
export function* readExport(file: string): Generator<RecordedEvent> {
	let descriptor: number
	try {
		descriptor = openSync(file, 'r')
	} catch (error) {
		throw new UsageError(`The export ${file} cannot be read: ${(error as Error).message}.`)
	}
	try {
		const decoder = new TextDecoder()
		const chunk = new Uint8Array(chunkBytes)
		let rest = ''
		let number = 0
		for (;;) {
			const length = readSync(descriptor, chunk)
			rest += decoder.decode(chunk.subarray(0, length), { stream: length > 0 })
			const lines = rest.split('\n')
			rest = lines.pop()!
			for (const line of lines) yield eventOfLine(file, line, ++number)
			if (length === 0) break
		}
		if (rest !== '')
			throw new UsageError(
				`${file} ends in the middle of line ${number + 1}: it is no whole export. Export again.`,
			)
	} finally {
		closeSync(descriptor)
	}
}

function eventOfLine(file: string, line: string, number: number): RecordedEvent {
	try {
		const stored = JSON.parse(line) as StoredEvent & { readonly position: unknown }
		const { position } = stored
		if (typeof position !== 'number' || typeof stored.stream !== 'string') {
			throw new Error('it has no position and stream')
		}
		return upcast(stored, position)
	} catch (error) {
		throw new UsageError(
			`${file}, line ${number}, is no event: ${(error as Error).message}. Name a file that "radledger export --format ndjson" wrote.`,
		)
	}
}
