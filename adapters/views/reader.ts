/** Reads the read models: queries over a database that a relay keeps, or a copy of one. */
import { existsSync, statSync } from 'node:fs'
import { DatabaseSync, type StatementSync } from 'node:sqlite'
import type { Cell, Row } from '../../domain/view.ts'
import { applicationId, pragma, viewsFile } from './database.ts'

export type ViewReader = {
	/** Id of the journal that the rows come from. */
	readonly journal: string
	/** Position of the last event that is in the rows, and its time. */
	checkpoint(): { readonly position: number; readonly at: number }
	/** Rows of a query. Its statement is kept: give parameters rather than new texts. */
	query(sql: string, ...parameters: readonly Cell[]): Row[]
	/** Runs `read` on one state of the database, whatever is written meanwhile. */
	snapshot<T>(read: () => T): T
	/** False when the file was deleted or built anew: open it again. */
	isInPlace(): boolean
	close(): void
}

/** Statements kept at most; the oldest goes. */
const statementsMax = 100

/** A function for queries: given what stands in the brackets, once for each row that is looked at. */
export type SqlFunction = (argument: Cell) => number

/**
 * Opens the read models of a data folder; undefined where there are none of that version.
 * `functions`: by name, what queries may call; one that throws ends the query.
 */
export function openViewReader(
	folder: string,
	version: number,
	functions: Readonly<Record<string, SqlFunction>> = {},
): ViewReader | undefined {
	const file = viewsFile(folder)
	if (!existsSync(file)) return undefined
	let db: DatabaseSync | undefined
	try {
		db = new DatabaseSync(file, { readOnly: true, timeout: 2_000 })
		const fits =
			pragma(db, 'application_id') === applicationId && pragma(db, 'user_version') === version
		if (fits) {
			for (const [name, call] of Object.entries(functions)) {
				db.function(name, argument => call(argument as Cell))
			}
			return assemble(db, file)
		}
	} catch {
		// Not readable, or being made this moment: as good as missing.
	}
	db?.close()
	return undefined
}

function assemble(db: DatabaseSync, file: string): ViewReader {
	const { ino } = statSync(file)
	const checkpoint = db.prepare('SELECT journal, position, at FROM checkpoint')
	const statements = new Map<string, StatementSync>()

	return {
		journal: String(checkpoint.get()!['journal']),
		checkpoint() {
			const { position, at } = checkpoint.get()!
			return { position: Number(position), at: Number(at) }
		},
		query(sql, ...parameters) {
			let statement = statements.get(sql)
			if (statement === undefined) {
				statement = db.prepare(sql)
				const [oldest] = statements.keys()
				if (statements.size >= statementsMax) statements.delete(oldest!)
				statements.set(sql, statement)
			}
			return statement.all(...parameters) as Row[]
		},
		snapshot(read) {
			db.exec('BEGIN')
			try {
				return read()
			} finally {
				db.exec('COMMIT')
			}
		},
		isInPlace: () => statSync(file, { throwIfNoEntry: false })?.ino === ino,
		close: () => db.close(),
	}
}
