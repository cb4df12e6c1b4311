/** A page of a table's rows, newest first: SQL put together from conditions, never from values. */
import type { Key } from './cursor.ts'
import { refuse } from './problem.ts'
import { type Columns, type Found, type Page, pageOf, type Sources } from './route.ts'

/** SQL with a `?` for each of its values. */
export type Condition = {
	readonly sql: string
	readonly values: readonly (string | number)[]
}

/** Holds where the value is given: `where('mac = ?', mac)`. The value stands for every `?`. */
export function where(sql: string, value: string | number | undefined): Condition[] {
	if (value === undefined) return []
	const count = sql.split('?').length - 1
	return [{ sql, values: new Array<string | number>(count).fill(value) }]
}

/** What each column is in SQL; the name in snake case where it is not told. */
export type Expressions = Readonly<Record<string, string | Condition>>

type Search = {
	readonly from: string
	readonly columns: Columns
	readonly expressions?: Expressions
	readonly conditions: readonly Condition[]
	/** The id, a position; it orders the rows. */
	readonly id: string
}

export function search(sources: Sources, page: Page, wanted: Search): Found {
	const { id, columns } = wanted
	const after = readId(page.after)
	const conditions = [...wanted.conditions, ...where(`${id} < ?`, after)]
	const selected = selection(columns, wanted.expressions ?? {})
	const sql = `SELECT ${selected.sql} FROM ${wanted.from} WHERE ${[
		`within_time(${id})`,
		...conditions.map(condition => condition.sql),
	].join(' AND ')} ORDER BY ${id} DESC LIMIT ?`
	const values = [...selected.values, ...conditions.flatMap(condition => condition.values)]
	const rows = sources.views().select(sql, ...values, page.limit + 1)
	return pageOf(rows, page.limit, ['id'])
}

export function selection(columns: Columns, expressions: Expressions): Condition {
	const values: (string | number)[] = []
	const parts = Object.keys(columns).map(name => {
		const expression = expressions[name] ?? snakeCase(name)
		if (typeof expression === 'string') return `${expression} AS "${name}"`
		values.push(...expression.values)
		return `${expression.sql} AS "${name}"`
	})
	return { sql: parts.join(', '), values }
}

function snakeCase(name: string): string {
	return name.replace(/[A-Z]/g, letter => `_${letter.toLowerCase()}`)
}

function readId(key: Key | undefined): number | undefined {
	if (key === undefined) return undefined
	const [id] = key
	if (typeof id === 'number' && key.length === 1) return id
	return refuse('invalid-cursor', 'Use a cursor as an earlier answer gave it.', 'cursor')
}

const minuteMs = 60_000

/**
 * Rows whose time is in `from` (included) to `to`. Ids are positions, and no event of a minute comes
 * before the first one of it or of a later minute, so that older rows need not be looked at.
 */
export function during(
	id: string,
	time: string,
	from: number | undefined,
	to: number | undefined,
): Condition[] {
	const oldest = `${id} >= (SELECT coalesce(min(first_position), 0) FROM minute WHERE at >= ?)`
	return [
		...where(oldest, from === undefined ? undefined : Math.floor(from / minuteMs) * minuteMs),
		...where(`${time} >= ?`, from),
		...where(`${time} < ?`, to),
	]
}

/** Rows that last from one time to another (NULL: still) and share some of `from` to `to`. */
export function overlapping(
	began: string,
	ended: string,
	from: number | undefined,
	to: number | undefined,
): Condition[] {
	return [...where(`(${ended} IS NULL OR ${ended} > ?)`, from), ...where(`${began} < ?`, to)]
}

/** Rows that were there at that instant. */
export function lasting(began: string, ended: string, at: number | undefined): Condition[] {
	return where(`${began} <= ? AND (${ended} IS NULL OR ${ended} > ?)`, at)
}
