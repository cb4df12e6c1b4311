/**
 * Writes read models into SQLite: the rows of a commit and the position that they stand at in one
 * transaction, so that nothing is ever counted twice, wherever the process ends. The file may be
 * deleted at any time; it is built anew then, and also where it is of another version, belongs to
 * another journal, or is ahead of the journal (one that was put back from a copy).
 */
import { existsSync, statSync } from 'node:fs'
import { DatabaseSync, type StatementSync } from 'node:sqlite'
import type { Cell, Row, Table, ViewChanges, ViewLookup, ViewSchema } from '../../domain/view.ts'
import { applicationId, createSchema, deleteViews, pragma } from './database.ts'
import { reason, ViewFailure } from './failure.ts'

export type ViewStore = {
	/** Position of the last event that is in the rows; 0: none. */
	position(): number
	readonly lookup: ViewLookup
	/** Rows of a query over what is committed. */
	query(sql: string, ...parameters: readonly Cell[]): Row[]
	/**
	 * Writes all of it, or throws and nothing is written. `at`: time of the event at `position`. False
	 * when another process has written meanwhile: nothing is written then, `position` is that one's,
	 * and rows that were looked up before may have changed.
	 */
	commit(changes: ViewChanges, position: number, at: number): boolean
	/** False when the file was deleted, or another put in its place: the store is of no more use. */
	isInPlace(): boolean
	close(): void
}

export type ViewStoreSettings = {
	/** Its path; `:memory:` for one that nobody else reads. */
	readonly file: string
	readonly schema: ViewSchema
	/** Id of the journal, and position of its newest event. */
	readonly journal: { readonly id: string; readonly last: number }
	/** Is told, in a sentence, why a database is built anew. */
	readonly onWarning: (sentence: string) => void
}

/** Opens the database, made or made anew where need be. Throws ViewFailure with a sentence. */
export function openViewStore(settings: ViewStoreSettings): ViewStore {
	const { file, schema, journal } = settings
	try {
		const unfit = whyUnfit(settings)
		if (unfit !== undefined) {
			settings.onWarning(`The read models in ${file} are built anew: ${unfit}.`)
			deleteViews(file)
		}
		const db = new DatabaseSync(file, { timeout: 5_000 })
		// NORMAL: a power failure costs the newest commits, which are folded again. Few and large
		// checkpoints, because their syncs are felt by the journal on the same disk.
		db.exec(`
			PRAGMA page_size = 4096;
			PRAGMA journal_mode = WAL;
			PRAGMA synchronous = NORMAL;
			PRAGMA wal_autocheckpoint = 4000;
			PRAGMA cache_size = -65536;
			PRAGMA temp_store = MEMORY;
		`)
		const isNew = db.prepare('SELECT count(*) AS n FROM sqlite_schema').get()!['n'] === 0
		if (isNew) createSchema(db, schema, journal.id)
		return assemble(db, settings)
	} catch (error) {
		throw new ViewFailure(
			`The read models in ${file} cannot be kept: ${reason(error)}. Make room there, or delete the file.`,
			{ cause: error },
		)
	}
}

/** Why an existing file cannot be gone on with; undefined: it can, or there is none. */
function whyUnfit({ file, schema, journal }: ViewStoreSettings): string | undefined {
	if (!existsSync(file)) return undefined
	let db: DatabaseSync | undefined
	try {
		db = new DatabaseSync(file, { timeout: 5_000 })
		if (pragma(db, 'application_id') !== applicationId) return 'it is none of this program'
		const version = pragma(db, 'user_version')
		if (version !== schema.version) {
			return `it has version ${version}, and version ${schema.version} is needed`
		}
		const { journal: of, position } = db.prepare('SELECT * FROM checkpoint').get()!
		if (of !== journal.id) return 'it belongs to another journal'
		if (Number(position) > journal.last) {
			return `it is of position ${position}, and the journal ends at ${journal.last}`
		}
		return undefined
	} catch (error) {
		return reason(error)
	} finally {
		db?.close()
	}
}

function assemble(db: DatabaseSync, { file, schema }: ViewStoreSettings): ViewStore {
	const writers = new Map(schema.tables.map(table => [table, openWriter(db, table)]))
	const checkpoint = db.prepare('UPDATE checkpoint SET position = ?, at = ? WHERE position = ?')
	const stored = db.prepare('SELECT position FROM checkpoint')
	let position = Number(stored.get()!['position'])
	const identity = fileIdentity(file)

	return {
		position: () => position,
		lookup: openLookup(db, schema),
		query: (sql, ...parameters) => db.prepare(sql).all(...parameters) as Row[],
		commit(changes, next, at) {
			db.exec('BEGIN IMMEDIATE')
			try {
				if (checkpoint.run(next, at, position).changes === 0) {
					position = Number(stored.get()!['position'])
					db.exec('ROLLBACK')
					return false
				}
				for (const [table, rows] of changes.inserted) writers.get(table)!.insert(rows)
				for (const [table, rows] of changes.updated) writers.get(table)!.update(rows)
				db.exec('COMMIT')
			} catch (error) {
				for (const writer of writers.values()) writer.rolledBack()
				db.exec('ROLLBACK')
				throw new ViewFailure(`The read models in ${file} cannot be written: ${reason(error)}.`, {
					cause: error,
				})
			}
			position = next
			return true
		},
		isInPlace: () => file === ':memory:' || fileIdentity(file) === identity,
		close: () => db.close(),
	}
}

function fileIdentity(file: string): string | undefined {
	const found = statSync(file, { throwIfNoEntry: false })
	return found === undefined ? undefined : `${found.dev} ${found.ino}`
}

/** Rows of one statement: the way into SQLite costs as much as a row. */
const rowsTogether = 16

/** Statements that are made when they are needed first: most commits need few of them. */
function openWriter(db: DatabaseSync, table: Table) {
	const { name, columns, key } = table
	const all = Object.keys(columns)
	const changing = all.filter(column => !columns[column]!.fixed)
	const indexed = indexedOf(table, changing)
	const plain = changing.filter(column => !indexed.includes(column))
	const places = `(${all.map(() => '?').join(', ')})`
	const insertionOf = (rows: number) =>
		once(() => db.prepare(`INSERT INTO ${name} VALUES ${Array(rows).fill(places).join(', ')}`))
	const updateOf = (sets: readonly string[]) =>
		once(() => {
			const equal = (column: string) => `"${column}" = ?`
			const where = key.map(equal).join(' AND ')
			return db.prepare(`UPDATE ${name} SET ${sets.map(equal).join(', ')} WHERE ${where}`)
		})
	const [insertOne, insertMany] = [insertionOf(1), insertionOf(rowsTogether)]
	const [updatePlain, updateAll] = [updateOf(plain), updateOf(changing)]
	const [plainCells, allCells] = [plain, changing].map(set => [...set, ...key]) as [
		string[],
		string[],
	]
	/** What the indexed columns of rows are in the database, of rows that were written before. */
	let known = new WeakMap<Row, Cell[]>()

	return {
		insert(rows: Iterable<Row>) {
			let block: Cell[] = []
			for (const row of rows) {
				for (const column of all) block.push(row[column]!)
				noteIndexed(row)
				if (block.length < rowsTogether * all.length) continue
				insertMany().run(...block)
				block = []
			}
			for (let from = 0; from < block.length; from += all.length) {
				insertOne().run(...block.slice(from, from + all.length))
			}
		},
		update(rows: Iterable<Row>) {
			for (const row of rows) {
				if (noteIndexed(row)) updatePlain().run(...plainCells.map(column => row[column]!))
				else updateAll().run(...allCells.map(column => row[column]!))
			}
		},
		rolledBack() {
			known = new WeakMap()
		},
	}

	/**
	 * Tells whether the indexed columns are in the database as they are in the row: SQLite writes an
	 * index entry anew when its column is set, to the same value too.
	 */
	function noteIndexed(row: Row): boolean {
		if (indexed.length === 0) return true
		const before = known.get(row)
		if (before === undefined) {
			known.set(
				row,
				indexed.map(column => row[column]!),
			)
			return false
		}
		let same = true
		for (const [index, column] of indexed.entries()) {
			if (before[index] === row[column]) continue
			before[index] = row[column]!
			same = false
		}
		return same
	}
}

/** Those of the columns that an index is made of, or depends on. */
function indexedOf({ indexes }: Table, columns: readonly string[]): string[] {
	const words = indexes.flatMap(({ columns: own, where = '' }) =>
		[...own, where].join(' ').split(' '),
	)
	return columns.filter(column => words.includes(column))
}

function once<T>(make: () => T): () => T {
	let made: T | undefined
	return () => {
		made ??= make()
		return made
	}
}

function openLookup(db: DatabaseSync, schema: ViewSchema): ViewLookup {
	const statements = new Map<string, StatementSync>()
	return (name, ...parameters) => {
		let statement = statements.get(name)
		if (statement === undefined) {
			const { table, where } = schema.lookups[name]!
			statement = db.prepare(`SELECT * FROM ${table.name} WHERE ${where}`)
			statements.set(name, statement)
		}
		return statement.all(...parameters) as Row[]
	}
}
