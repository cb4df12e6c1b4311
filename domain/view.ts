/**
 * Read models as plain data: tables, their columns and what each means. `projections/views` says
 * which there are and folds events into rows; `adapters/views` keeps the rows in SQLite.
 */

/** What a cell may be. Times are milliseconds since 1970-01-01 UTC. */
export type Cell = string | number | null

export type Column<T extends Cell = Cell> = {
	readonly type: 'INTEGER' | 'TEXT'
	readonly nullable: boolean
	/** Never changes once the row is there: an update leaves it, and its indexes, alone. */
	readonly fixed: boolean
	readonly doc: string
	/** Only for the type checker. */
	readonly of?: T
}

export type Columns = { readonly [name: string]: Column }

export type Index = {
	/** Names of columns, each possibly followed by how it is compared. */
	readonly columns: readonly string[]
	readonly where?: string
}

/** A table. The columns of `key` are fixed; a key of one INTEGER column is SQLite's row id. */
export type Table<C extends Columns = Columns> = {
	readonly name: string
	readonly doc: string
	readonly columns: C
	readonly key: readonly string[]
	readonly indexes: readonly Index[]
}

export type RowOf<T extends Table> = {
	-readonly [K in keyof T['columns']]: T['columns'][K] extends Column<infer V> ? V : never
}
export type Row = { [column: string]: Cell }

/** An SQL view on the tables, with what its columns mean. */
export type SqlView = {
	readonly name: string
	readonly doc: string
	readonly columns: Readonly<Record<string, string>>
	readonly select: string
}

/** Everything that a database of read models is made of. */
export type ViewSchema = {
	/** Raised whenever tables or folding change: a database of another version is built anew. */
	readonly version: number
	readonly tables: readonly Table[]
	readonly views: readonly SqlView[]
	/** Look-ups that the folding needs: the end of `SELECT * FROM table WHERE …`, with parameters. */
	readonly lookups: Readonly<Record<string, { readonly table: Table; readonly where: string }>>
}

/** Rows of the last commit. What has been folded since then is not among them. */
export type ViewLookup = (name: string, ...parameters: readonly Cell[]) => Row[]

/** What a commit writes: new rows, and rows that have changed. */
export type ViewChanges = {
	readonly inserted: ReadonlyMap<Table, Iterable<Row>>
	readonly updated: ReadonlyMap<Table, Iterable<Row>>
}

/** An integer column. */
export function integer(doc: string): Column<number> {
	return { type: 'INTEGER', nullable: false, fixed: false, doc }
}

/** A text column. */
export function text(doc: string): Column<string> {
	return { type: 'TEXT', nullable: false, fixed: false, doc }
}

export function maybe<T extends Cell>(column: Column<T>): Column<T | null> {
	return { ...column, nullable: true } as Column<T | null>
}

export function fixed<T extends Cell>(column: Column<T>): Column<T> {
	return { ...column, fixed: true }
}

/** A column of an index in which small and capital letters are the same. */
export function anyCase(column: string): string {
	return `${column} COLLATE NOCASE`
}

/** A table, checked by the type checker to have the columns of its key. */
export function table<C extends Columns>(
	name: string,
	doc: string,
	columns: C,
	key: readonly (keyof C & string)[],
	indexes: readonly Index[] = [],
): Table<C> {
	return { name, doc, columns, key, indexes }
}
