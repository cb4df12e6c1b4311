/** `radledger export`: the journal, or a part of it, as a file for others. */

import { parquetRows } from '../adapters/export/parquet.ts'
import { openPartFile, type PartFile } from '../adapters/export/part-file.ts'
import { openDurably, type Reader } from '../adapters/journal/reader.ts'
import { harmlessText } from '../domain/csv-text.ts'
import type { RecordedEvent } from '../domain/event.ts'
import { exportColumns } from '../projections/export-columns.ts'
import {
	type ExportFormat,
	type ExportSettings,
	exportSettings,
	exportUsage,
} from './export-settings.ts'
import { UsageError } from './settings.ts'

/** Events between two places where an export can be gone on with; rows of a Parquet row group. */
const eventsPerPart = 65_536
const eventsPerReading = 4_096
const progressMs = 1_000

/** What is written where an export is interrupted. */
type Place = {
	readonly journal: string
	readonly format: ExportFormat
	readonly from: number
	readonly to: number
	readonly next: number
	readonly encoder: string
}

type Encoder = {
	/** At the beginning of a file. */
	readonly head: Uint8Array
	encode(events: readonly RecordedEvent[]): Uint8Array
	end(): Uint8Array
	state(): string
}

export async function exportJournal(args: readonly string[]): Promise<number> {
	if (args.includes('--help')) {
		console.log(exportUsage)
		return 0
	}
	const settings = exportSettings(args, process.env)
	const reader = openDurably(settings.data)
	try {
		const count = writeExport(reader, settings, sentence => console.error(sentence))
		console.error(
			`${settings.out} is whole: ${count.toLocaleString('en-US')} ${count === 1 ? 'event' : 'events'}.`,
		)
		return 0
	} finally {
		reader.close()
	}
}

/** Writes the export, or the rest of it; tells how many events it has. Throws UsageError. */
export function writeExport(
	reader: Reader,
	settings: ExportSettings,
	onProgress: (sentence: string) => void,
): number {
	const file = openOut(settings.out)
	try {
		const begun = file.resumed === undefined ? undefined : (JSON.parse(file.resumed) as Place)
		if (begun !== undefined) checkSame(settings, reader.id, begun)
		const place = begun ?? beginning(reader, settings)
		const encoder = encoders[settings.format](begun?.encoder)
		if (begun === undefined) file.write(encoder.head)
		else onProgress(`Going on with ${settings.out}.part at position ${begun.next}.`)
		const size = settings.eventsPerPart ?? eventsPerPart
		writeParts(reader, file, encoder, place, size, onProgress)
		file.write(encoder.end())
		file.finish()
		return place.to - place.from + 1
	} catch (error) {
		file.close()
		throw error
	}
}

function openOut(out: string): PartFile {
	try {
		return openPartFile(out)
	} catch (error) {
		throw new UsageError(`The export cannot be written: ${(error as Error).message}`)
	}
}

function beginning(reader: Reader, { format, from = 1, to }: ExportSettings): Place {
	const last = reader.last()
	if (to !== undefined && to > last) {
		throw new UsageError(
			`The journal ends at position ${last}: --to-position ${to} is not there yet.`,
		)
	}
	if (from > last + 1) {
		throw new UsageError(
			`The journal ends at position ${last}: --from-position ${from} is not there yet.`,
		)
	}
	return { journal: reader.id, format, from, to: to ?? last, next: from, encoder: '' }
}

function checkSame({ out, format, from, to }: ExportSettings, journal: string, begun: Place): void {
	const same =
		begun.journal === journal &&
		begun.format === format &&
		begun.from === (from ?? 1) &&
		(to === undefined || begun.to === to)
	if (same) return
	throw new UsageError(
		`${out}.part is of another export (${begun.format}, positions ${begun.from} to ${begun.to}${begun.journal === journal ? '' : ', another journal'}): go on with that one, name another file, or delete ${out}.part.`,
	)
}

function writeParts(
	reader: Reader,
	file: PartFile,
	encoder: Encoder,
	place: Place,
	size: number,
	onProgress: (sentence: string) => void,
): void {
	const begin = performance.now()
	let told = begin
	for (let next = place.next; next <= place.to; ) {
		const end = Math.min(next + size - 1, place.to)
		file.write(encoder.encode(eventsOf(reader, next, end)))
		next = end + 1
		file.save(JSON.stringify({ ...place, next, encoder: encoder.state() } satisfies Place))
		if (performance.now() - told < progressMs) continue
		told = performance.now()
		const perSecond = ((next - place.next) * 1000) / (told - begin)
		onProgress(progress(next - place.from, place.to - place.from + 1, perSecond))
	}
}

function progress(done: number, all: number, perSecond: number): string {
	const text = (value: number) => Math.round(value).toLocaleString('en-US')
	return `${text(done)} of ${text(all)} events (${Math.floor((100 * done) / all)} %), ${text(perSecond)}/s`
}

function eventsOf(reader: Reader, from: number, to: number): RecordedEvent[] {
	const events: RecordedEvent[] = []
	for (let next = from; next <= to; ) {
		const read = reader.read(next, Math.min(eventsPerReading, to - next + 1))
		if (read[0]?.position !== next) throw missing(next)
		for (const event of read) {
			if (event.position > to) break
			if (event.position !== next) throw missing(next)
			events.push(event)
			next++
		}
	}
	return events
}

function missing(position: number): UsageError {
	return new UsageError(`The journal has no event ${position}: check it with verify.`)
}

const none = new Uint8Array(0)
const utf8 = new TextEncoder()

const encoders: Readonly<Record<ExportFormat, (state: string | undefined) => Encoder>> = {
	ndjson: () => ({
		head: none,
		encode: events => utf8.encode(events.map(event => `${JSON.stringify(event)}\n`).join('')),
		end: () => none,
		state: () => '',
	}),
	// RFC 4180, with a header line.
	csv: () => ({
		head: utf8.encode(`${exportColumns.map(({ name }) => name).join(',')}\r\n`),
		encode: events => utf8.encode(events.map(csvLine).join('')),
		end: () => none,
		state: () => '',
	}),
	parquet: state => {
		const rows = parquetRows(exportColumns, state)
		return {
			head: none,
			encode: events => rows.group(exportColumns.map(({ value }) => events.map(value))),
			end: rows.end,
			state: rows.state,
		}
	},
}

function csvLine(event: RecordedEvent): string {
	return `${exportColumns.map(({ value }) => csvCell(value(event))).join(',')}\r\n`
}

function csvCell(value: number | string | null): string {
	if (value === null) return ''
	const text = typeof value === 'string' ? harmlessText(value) : String(value)
	return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}
