/** Read models in the tests: made from events, and compared as a whole. */

import { DatabaseSync } from 'node:sqlite'
import { openMemoryJournal } from '../adapters/journal/memory.ts'
import type { NewEvent, RecordedEvent } from '../domain/event.ts'
import type { Cell } from '../domain/view.ts'
import { lives } from '../infra/bench/lives.ts'
import { statisticsNewest } from '../projections/views/network-tables.ts'
import { viewSchema } from '../projections/views/schema.ts'
import { openViewFollower } from '../src/view-follower.ts'

/** Made-up life on a small network. */
export function lifeEvents(count: number): NewEvent[] {
	const settings = { subscribers: 40, live: 25, beginMs: Date.UTC(2027, 0, 5, 8) }
	return lives(settings).take(count).toArray()
}

export function journalOf(events: readonly NewEvent[]) {
	const journal = openMemoryJournal({ id: 'of-a-test' })
	for (let from = 0; from < events.length; from += 50) journal.append(events.slice(from, from + 50))
	return journal
}

export type ReaderWithId = {
	readonly id: string
	last(): number
	read(from: number, limit: number): RecordedEvent[]
	readStream(stream: string, from: number, limit: number): RecordedEvent[]
}

/** Follows to the journal's end. */
export function followed(reader: ReaderWithId, file: string, eventsPerCommit = 16_384): string[] {
	const warnings: string[] = []
	const onWarning = (sentence: string) => warnings.push(sentence)
	const follower = openViewFollower({ reader, file, onWarning, eventsPerCommit })
	while (follower.step() > 0);
	follower.close()
	return warnings
}

/** Every row of every table, in order of the keys; but for what was saved when a process happened to end. */
export function allRows(file: string): Record<string, unknown[]> {
	const db = new DatabaseSync(file, { readOnly: true })
	try {
		const kept = viewSchema.tables.filter(table => table !== statisticsNewest)
		const tables = kept.map(({ name, key }) => [
			name,
			db.prepare(`SELECT * FROM ${name} ORDER BY ${key.join(', ')}`).all(),
		])
		const checkpoint = db.prepare('SELECT * FROM checkpoint').all()
		return { ...Object.fromEntries(tables), checkpoint }
	} finally {
		db.close()
	}
}

export function ask(file: string, sql: string, ...parameters: Cell[]) {
	const db = new DatabaseSync(file, { readOnly: true })
	try {
		const rows = db.prepare(sql).all(...parameters) as Record<string, string | number | null>[]
		return rows.map(row => ({ ...row }))
	} finally {
		db.close()
	}
}
