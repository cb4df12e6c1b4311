/** The file of the read models: how it is made from a schema, and told from any other file. */
import { existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { DatabaseSync } from 'node:sqlite'
import type { Column, Index, SqlView, Table, ViewSchema } from '../../domain/view.ts'

/** `RLV1`: tells the file from any other SQLite database. */
export const applicationId = 0x524c5631

export function viewsFile(folder: string): string {
	return join(folder, 'views.db')
}

export function deleteViews(file: string): void {
	for (const suffix of ['', '-wal', '-shm']) {
		if (existsSync(file + suffix)) rmSync(file + suffix)
	}
}

/** Makes all tables and views, their description, and the checkpoint at position 0. */
export function createSchema(db: DatabaseSync, schema: ViewSchema, journal: string): void {
	db.exec(`
		BEGIN;
		CREATE TABLE checkpoint (journal TEXT NOT NULL, position INTEGER NOT NULL, at INTEGER NOT NULL);
		CREATE TABLE docs (name TEXT NOT NULL, "column" TEXT NOT NULL, type TEXT NOT NULL, text TEXT NOT NULL);
		${schema.tables.map(tableText).join('\n')}
		${schema.views.map(({ name, select }) => `CREATE VIEW ${name} AS ${select};`).join('\n')}
		PRAGMA application_id = ${applicationId};
		PRAGMA user_version = ${schema.version};
	`)
	db.prepare('INSERT INTO checkpoint VALUES (?, 0, 0)').run(journal)
	const describe = db.prepare('INSERT INTO docs VALUES (?, ?, ?, ?)')
	for (const row of [...ownDocs, ...schema.tables.flatMap(tableDocs)]) describe.run(...row)
	for (const row of schema.views.flatMap(viewDocs)) describe.run(...row)
	db.exec('COMMIT')
}

type Doc = readonly [name: string, column: string, type: string, text: string]

const ownDocs: readonly Doc[] = [
	[
		'checkpoint',
		'',
		'table',
		'How far the journal has been folded: all rows are of this position.',
	],
	['checkpoint', 'journal', 'TEXT', 'Id of the journal that the rows come from.'],
	['checkpoint', 'position', 'INTEGER', 'Position of the last event that is in the rows.'],
	['checkpoint', 'at', 'INTEGER', 'Its time, in milliseconds since 1970.'],
	['docs', '', 'table', 'What every table, view and column means.'],
	['docs', 'name', 'TEXT', 'Table or view.'],
	['docs', 'column', 'TEXT', 'Column; empty: the table or view as a whole.'],
	['docs', 'type', 'TEXT', 'Of the column; else table or view.'],
	['docs', 'text', 'TEXT', 'The meaning.'],
]

function tableDocs({ name, doc, columns }: Table): Doc[] {
	const own = Object.entries(columns).map(([column, { type, doc: text }]): Doc => {
		return [name, column, type, text]
	})
	return [[name, '', 'table', doc], ...own]
}

function viewDocs({ name, doc, columns }: SqlView): Doc[] {
	const own = Object.entries(columns).map(([column, text]): Doc => [name, column, '', text])
	return [[name, '', 'view', doc], ...own]
}

function tableText({ name, columns, key, indexes }: Table): string {
	const isRowId = key.length === 1 && columns[key[0]!]?.type === 'INTEGER'
	const lines: string[] = Object.entries(columns).map(([column, shape]) =>
		columnText(column, shape, isRowId && column === key[0]),
	)
	if (!isRowId) lines.push(`\tPRIMARY KEY (${key.join(', ')})`)
	const create = `CREATE TABLE ${name} (\n${lines.join(',\n')}\n)${isRowId ? '' : ' WITHOUT ROWID'};`
	return [create, ...indexes.map((index, number) => indexText(name, number, index))].join('\n')
}

/** The comment stays in the stored schema: `.schema` in a database shell shows it. */
function columnText(column: string, { type, nullable, doc }: Column, isKey: boolean): string {
	const rule = isKey ? ' PRIMARY KEY' : nullable ? '' : ' NOT NULL'
	return `\t"${column}" ${type}${rule} /* ${doc.replaceAll('*/', '* /')} */`
}

function indexText(table: string, number: number, { columns, where }: Index): string {
	const condition = where === undefined ? '' : ` WHERE ${where}`
	return `CREATE INDEX ${table}_${number + 1} ON ${table} (${columns.join(', ')})${condition};`
}

export function pragma(db: DatabaseSync, name: string): number {
	return Number(db.prepare(`PRAGMA ${name}`).get()![name])
}
