/**
 * What retention notes while it reads the whole journal: how many events each subscriber has, and
 * SRC's ids of its sessions. A file in the data folder holds what is more than a bounded part, for
 * both grow with the journal; it is there only meanwhile.
 */
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'

export type RetentionTally = {
	/** An event of a subscriber; `isKept`: it is too new to go. */
	saw(mac: string, isKept: boolean): void
	/** One of SRC's ids of its sessions. */
	sawSrcSession(id: string): void
	readonly srcSessions: { has(id: string): boolean }
	/** Subscribers none of whose events is kept, with the number of these, in order of their MACs. */
	quiet(): Iterable<readonly [mac: string, events: number]>
	close(): void
}

/** Of either so many are kept in memory at most. */
const inMemoryMax = 50_000

export function openRetentionTally(folder: string, most = inMemoryMax): RetentionTally {
	const file = join(folder, 'retention.tmp')
	rmSync(file, { force: true })
	const db = new DatabaseSync(file)
	// Nothing of it is needed after a crash but that it goes: the next run begins anew.
	db.exec(`
		PRAGMA journal_mode = OFF;
		PRAGMA synchronous = OFF;
		CREATE TABLE subscriber (mac TEXT PRIMARY KEY, events INTEGER NOT NULL) WITHOUT ROWID;
		CREATE TABLE src (id TEXT PRIMARY KEY) WITHOUT ROWID;
	`)
	// 0: of one with an event that is kept.
	const add = db.prepare(`
		INSERT INTO subscriber (mac, events) VALUES (?, ?) ON CONFLICT DO UPDATE
		SET events = CASE WHEN events = 0 OR excluded.events = 0 THEN 0 ELSE events + excluded.events END
	`)
	const addSrc = db.prepare('INSERT OR IGNORE INTO src (id) VALUES (?)')
	const findSrc = db.prepare('SELECT 1 FROM src WHERE id = ?')
	const counts = new Map<string, number>()
	const ids = new Set<string>()
	let hasMoreIds = false

	return {
		saw(mac, isKept) {
			const before = counts.get(mac)
			counts.set(mac, isKept || before === 0 ? 0 : (before ?? 0) + 1)
			if (counts.size > most) flush()
		},
		sawSrcSession(id) {
			ids.add(id)
			if (ids.size > most) flush()
		},
		srcSessions: { has: id => ids.has(id) || (hasMoreIds && findSrc.get(id) !== undefined) },
		*quiet() {
			flush()
			const rows = db.prepare('SELECT mac, events FROM subscriber WHERE events > 0 ORDER BY mac')
			for (const { mac, events } of rows.iterate()) yield [String(mac), Number(events)] as const
		},
		close() {
			db.close()
			rmSync(file, { force: true })
		},
	}

	function flush(): void {
		db.exec('BEGIN')
		for (const [mac, events] of counts) add.run(mac, events)
		if (ids.size > most) {
			for (const id of ids) addSrc.run(id)
			hasMoreIds = true
			ids.clear()
		}
		db.exec('COMMIT')
		counts.clear()
	}
}
