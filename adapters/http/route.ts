/**
 * What a route is: one record that says where it is, what it takes, what it gives and how. The
 * server, the OpenAPI document and the tests all go by these records.
 */
import type { JournalReader } from '../../domain/journal.ts'
import type { Key } from './cursor.ts'
import type { Cell, Row } from './format.ts'
import type {
	IntegrityStatus,
	Live,
	Statistic,
	StatisticsSelection,
	StatisticsSubject,
} from './live.ts'
import type { JsonSchema, Value } from './value.ts'

export type Parameter<A> = {
	readonly in: 'path' | 'query'
	readonly value: Value<A>
	readonly description: string
	/** Holds where the parameter is left out. */
	readonly fallback?: A
}
type Required<A> = Parameter<A> & { readonly always: true }

/** A parameter that may be left out. */
export function optional<A>(value: Value<A>, description: string): Parameter<A> {
	return { in: 'query', value, description }
}

/** A parameter with a value of its own where it is left out. */
export function otherwise<A>(value: Value<A>, fallback: A, description: string): Required<A> {
	return { in: 'query', value, description, fallback, always: true }
}

/** A part of the path. */
export function inPath<A>(value: Value<A>, description: string): Required<A> {
	return { in: 'path', value, description, always: true }
}

export type Parameters = Readonly<Record<string, Parameter<unknown>>>

/** The values that a route's handler is given. */
export type ValuesOf<P> = {
	readonly [K in keyof P]: P[K] extends Required<infer A>
		? A
		: P[K] extends Parameter<infer A>
			? A | undefined
			: never
}

export type Column = {
	readonly schema: JsonSchema
	readonly description: string
	/** Milliseconds that are given as RFC 3339 text; 0 or 1 that is given as false or true. */
	readonly kind?: 'time' | 'flag'
}
export type Columns = Readonly<Record<string, Column>>

const column = (schema: JsonSchema) => (description: string) => ({ schema, description })
export const textColumn = column({ type: 'string' })
export const textOrNull = column({ type: ['string', 'null'] })
export const countColumn = column({ type: 'integer', minimum: 0 })
export const countOrNull = column({ type: ['integer', 'null'], minimum: 0 })
export const differenceOrNull = column({ type: ['integer', 'null'] })
export const numberOrNull = column({ type: ['number', 'null'] })
export const objectColumn = column({ type: 'object' })
export const textsColumn = column({ type: 'array', items: { type: 'string' } })

export function flagColumn(description: string): Column {
	return { schema: { type: 'boolean' }, description, kind: 'flag' }
}
export function timeColumn(description: string): Column {
	return { schema: { type: 'string', format: 'date-time' }, description, kind: 'time' }
}
export function timeOrNull(description: string): Column {
	return { schema: { type: ['string', 'null'], format: 'date-time' }, description, kind: 'time' }
}
export function wordColumn(words: readonly string[], description: string): Column {
	return { schema: { type: 'string', enum: words }, description }
}
export function wordOrNull(words: readonly string[], description: string): Column {
	return { schema: { type: ['string', 'null'], enum: [...words, null] }, description }
}

/** A row before times are written out; what is missing is null. */
export type RawRow = Readonly<Record<string, unknown>>

export type Page = {
	/** Rows at most. */
	readonly limit: number
	/** The key of the last row of the page before this one. */
	readonly after: Key | undefined
}
export type Found =
	| { readonly kind: 'page'; readonly rows: readonly RawRow[]; readonly next?: Key | undefined }
	| { readonly kind: 'item'; readonly row: RawRow }

/** Read models in SQLite. */
export type Views = {
	/** Position up to which the journal is in them. */
	position(): number
	/**
	 * Rows of a SELECT. `within_time(x)` in its WHERE is true until the query has had its time, and
	 * then ends it: there must be one for every table that could be long.
	 */
	select(sql: string, ...parameters: readonly (string | number | null)[]): RawRow[]
}

/** What a query is answered from, in a thread beside the packets. */
export type Sources = {
	readonly journal: JournalReader & { readonly id: string }
	/** Refuses where there are none yet. */
	views(): Views
	/** Position of the newest event that is on disk. */
	last(): number
	/** Positions at which the clock may have been set. */
	clockEpochs(): readonly number[]
	/** Wall-clock milliseconds. */
	now(): number
	/** Throws when the query has had its time. */
	checkTime(): void
	/** How far the journal is sealed; undefined where nothing is. */
	integrity(): IntegrityStatus | undefined
	/** Statistics as the event at that position left them. */
	statisticsAt(
		position: number,
		of: StatisticsSubject,
		selection: StatisticsSelection,
	): readonly Statistic[]
}

type Common = {
	/** Names it in the OpenAPI document and in cursors. */
	readonly operation: string
	readonly method: 'GET' | 'POST'
	/** As OpenAPI writes it: `/api/v1/subscribers/{mac}`. */
	readonly path: string
	readonly tag: string
	readonly summary: string
	readonly description?: string
}

/** A route that gives rows, or one row, in every format. */
export type RowRoute = Common & {
	readonly method: 'GET'
	readonly gives: 'page' | 'item'
	/** Name of the row's schema. */
	readonly row: string
	readonly columns: Columns
	readonly parameters: Parameters
	/** Whether the answer may be none, with 404. */
	readonly mayBeMissing?: true
} & (
		| {
				readonly from: 'history'
				readonly query: (sources: Sources, values: RawRow, page: Page) => Found
		  }
		| {
				readonly from: 'relay'
				readonly ask: (live: Live, values: RawRow, page: Page) => Promise<Found>
				/** Answers for an instant (`at`), and where no relay runs beside. */
				readonly query?: (sources: Sources, values: RawRow, page: Page) => Found
		  }
	)

type Described = Omit<Common, 'method'> &
	Pick<RowRoute, 'gives' | 'row' | 'columns' | 'mayBeMissing'>

/** A route that is answered from journal and read models. */
export function historyRoute<P extends Parameters>(
	described: Described & {
		readonly parameters: P
		readonly query: (sources: Sources, values: ValuesOf<P>, page: Page) => Found
	},
): RowRoute {
	return { method: 'GET', from: 'history', ...described } as RowRoute
}

/** A route that the running relay answers. */
export function relayRoute<P extends Parameters>(
	described: Described & {
		readonly parameters: P
		readonly ask: (live: Live, values: ValuesOf<P>, page: Page) => Promise<Found>
		readonly query?: (sources: Sources, values: ValuesOf<P>, page: Page) => Found
	},
): RowRoute {
	return { method: 'GET', from: 'relay', ...described } as RowRoute
}

/** A row as it is given: every column in its order, times as text. */
export function shaped(columns: Columns, raw: RawRow): Row {
	const row: Record<string, Cell> = {}
	for (const name in columns) {
		const cell = raw[name] as Cell
		row[name] = written(columns[name]!, cell)
	}
	return row
}

function written({ kind }: Column, cell: Cell): Cell {
	switch (kind) {
		case 'time':
			return timeText(cell)
		case 'flag':
			return typeof cell === 'number' ? cell !== 0 : (cell ?? null)
		case undefined:
			return cell ?? null
		default:
			return kind satisfies never
	}
}

function timeText(cell: Cell): string | null {
	return typeof cell === 'number' ? new Date(cell).toISOString() : null
}

/**
 * The first `limit` of rows of which one more was fetched, and the key that the next page begins
 * after, made of these columns.
 */
export function pageOf(rows: readonly RawRow[], limit: number, key: readonly string[]): Found {
	if (rows.length <= limit) return { kind: 'page', rows }
	const shown = rows.slice(0, limit)
	const last = shown.at(-1)!
	return { kind: 'page', rows: shown, next: key.map(name => last[name] as string | number) }
}
