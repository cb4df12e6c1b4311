/** Answers as text: JSON, one JSON object a line, or comma-separated values (RFC 4180). */
import { harmlessText } from '../../domain/csv-text.ts'

export const formats = ['json', 'ndjson', 'csv'] as const
export type Format = (typeof formats)[number]

export const mediaTypes: Readonly<Record<Format, string>> = {
	json: 'application/json',
	ndjson: 'application/x-ndjson',
	csv: 'text/csv; charset=utf-8; header=present',
}

/** What a row may hold. Objects and arrays are written as JSON where a format has no such thing. */
export type Cell = string | number | boolean | null | undefined | object
export type Row = Readonly<Record<string, Cell>>

/**
 * Which format a request wants: `format` goes before Accept (RFC 9110 §12.5.1). Undefined where
 * nothing that is accepted can be given.
 */
export function chosenFormat(format: Format | undefined, accept: string): Format | undefined {
	if (format !== undefined) return format
	const wanted = accept
		.split(',', 32)
		.map(readRange)
		.filter(range => range.quality > 0)
		.sort((a, b) => b.quality - a.quality)
	if (accept.trim() === '') return 'json'
	for (const { type } of wanted) {
		const found = byMediaType.get(type)
		if (found !== undefined) return found
	}
	return undefined
}

const byMediaType = new Map<string, Format>([
	['application/json', 'json'],
	['application/*', 'json'],
	['*/*', 'json'],
	// A browser that follows a link accepts this first; there is no other page than this one.
	['text/html', 'json'],
	['application/x-ndjson', 'ndjson'],
	['application/ndjson', 'ndjson'],
	['application/jsonl', 'ndjson'],
	['text/csv', 'csv'],
	['text/*', 'csv'],
])

function readRange(text: string): { type: string; quality: number } {
	const [type = '', ...parameters] = text.split(';').map(part => part.trim().toLowerCase())
	const given = parameters.find(parameter => parameter.startsWith('q='))
	const quality = given === undefined ? 1 : Number(given.slice(2))
	return { type, quality: Number.isNaN(quality) ? 0 : quality }
}

/** Rows in that format. `next`: where the page after this one is; null: there is none. */
export function pageText(
	format: Format,
	columns: readonly string[],
	rows: readonly Row[],
	next: string | null,
): string {
	switch (format) {
		case 'json':
			return `${JSON.stringify({ items: rows, next })}\n`
		case 'ndjson':
			return rows.map(row => `${JSON.stringify(row)}\n`).join('')
		case 'csv':
			return csvText(columns, rows)
		default:
			return format satisfies never
	}
}

/** One thing in that format. */
export function itemText(format: Format, columns: readonly string[], row: Row): string {
	return format === 'json' ? `${JSON.stringify(row)}\n` : pageText(format, columns, [row], null)
}

function csvText(columns: readonly string[], rows: readonly Row[]): string {
	const lines = [columns.join(',')]
	for (const row of rows) lines.push(columns.map(column => csvField(row[column])).join(','))
	// RFC 4180 §2: lines end with CRLF.
	return `${lines.join('\r\n')}\r\n`
}

function csvField(cell: Cell): string {
	if (cell === null || cell === undefined) return ''
	if (typeof cell === 'number' || typeof cell === 'boolean') return String(cell)
	const text = typeof cell === 'string' ? harmlessText(cell) : JSON.stringify(cell)
	// Alone on its line an empty field would be no row at all for some readers: text is quoted then.
	if (text === '') return '""'
	return /[",\r\n]/.test(text) || text !== text.trim() ? `"${text.replaceAll('"', '""')}"` : text
}
