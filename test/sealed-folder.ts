/** A data folder with a journal of realistic events that is sealed, for tests. */
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { openJournal } from '../adapters/journal/journal.ts'
import { openSealing } from '../adapters/journal/sealing.ts'
import type { NewEvent } from '../domain/event.ts'
import { follow } from '../projections/follow.ts'
import { relayStatistics } from '../projections/statistics.ts'
import { stateProjection } from '../src/recover.ts'
import { type Verdict, verifyFolder } from '../src/verify.ts'

export function temporaryFolder(): string {
	return mkdtempSync(join(tmpdir(), 'radledger-seal-'))
}

/** Appends events in batches of some sizes, and saves snapshots of what they fold to. */
export function record(folder: string, events: readonly NewEvent[], save = true): void {
	const journal = openJournal({ folder, reserveLog: false })
	for (let at = 0, size = 1; at < events.length; at += size, size = (size % 7) + 1) {
		journal.append(events.slice(at, at + size))
	}
	if (save) {
		for (const projection of [stateProjection, relayStatistics]) {
			// biome-ignore lint/suspicious/noExplicitAny: each has a state of its own.
			const view = follow<any>({ reader: journal, snapshots: journal, projection })
			view.catchUp()
			view.save()
		}
	}
	journal.close()
}

/** Seals what is there; a checkpoint after every `every` events and at the end. */
export function seal(folder: string, upTo: number, every = upTo): void {
	const sealing = openSealing({ folder, now: () => 0 })
	try {
		while (sealing.size() < upTo) {
			sealing.step(Math.min(sealing.size() + every, upTo))
			sealing.checkpoint(true)
		}
	} finally {
		sealing.close()
	}
}

export function verified(folder: string, kept?: string): Promise<Verdict> {
	return verifyFolder({ folder, key: undefined, kept, progress: () => undefined })
}

/** Changes a database behind the program's back. */
export function tamper(folder: string, file: 'journal' | 'seal', sql: string, ...values: never[]) {
	const db = new DatabaseSync(join(folder, `${file}.db`))
	try {
		const statement = db.prepare(sql)
		return values.length === 0 ? statement.run() : statement.run(...values)
	} finally {
		db.close()
	}
}
