/**
 * Cursors: where the next page begins, as opaque text. A page begins after a key and not at a
 * number of rows, so rows that come and go meanwhile neither repeat nor hide others. A cursor belongs
 * to one query, and says so.
 */
import { createHash } from 'node:crypto'

/** The values of the ordering columns in the last row that was given. */
export type Key = readonly (string | number)[]

const keyLimit = 8

/** What names a query: its operation and every parameter but those about paging and format. */
export function queryName(operation: string, values: Readonly<Record<string, unknown>>): string {
	const { cursor, limit, format, ...filters } = values
	const text = JSON.stringify([operation, Object.entries(filters).sort()])
	return createHash('sha256').update(text).digest('base64url').slice(0, 11)
}

export function writeCursor(query: string, key: Key): string {
	return Buffer.from(JSON.stringify([query, ...key])).toString('base64url')
}

/** The key of a cursor; undefined where it is none, or one of another query. */
export function readCursor(query: string, cursor: string): Key | undefined {
	let parts: unknown
	try {
		parts = JSON.parse(Buffer.from(cursor, 'base64url').toString())
	} catch {
		return undefined
	}
	if (!Array.isArray(parts) || parts.length < 2 || parts.length > keyLimit + 1) return undefined
	const [name, ...key] = parts as unknown[]
	const usable = key.every(part => typeof part === 'string' || Number.isFinite(part))
	return name === query && usable ? (key as Key) : undefined
}
