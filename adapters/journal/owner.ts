/**
 * One process owns a data folder. The lock is an SQLite database held in an exclusive transaction
 * for the whole life of the owner: the kernel drops it however the process ends, `kill -9`
 * included, so that there is no stale lock to clear away.
 *
 * The kernel also drops a process's locks on a file when that process closes any descriptor of it:
 * the owner must not open owner.db, journal.db or index.db other than through SQLite (copying the
 * folder is a matter for another process).
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { JournalFailure, reason, remedy, sqliteBusy, sqliteCode } from './failure.ts'

/** Takes the folder, or throws a sentence that names the owner. */
export function ownFolder(folder: string): { release(): void } {
	let db: DatabaseSync | undefined
	try {
		db = new DatabaseSync(join(folder, 'owner.db'))
		db.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE')
	} catch (error) {
		db?.close()
		if (sqliteCode(error) === sqliteBusy) throw new JournalFailure(inUse(folder))
		throw new JournalFailure(
			`The data folder ${folder} cannot be locked: ${reason(error)}. ${remedy(error)}`,
			{ cause: error },
		)
	}
	const owned = db
	// Only to name the owner in another process's refusal; not the lock. Never read by the owner.
	try {
		writeFileSync(pidFile(folder), `${process.pid}\n`)
	} catch (error) {
		owned.close()
		throw new JournalFailure(
			`The data folder ${folder} cannot be written to: ${reason(error)}. ` +
				'Become the user that it belongs to, or give that file to the one who runs this.',
			{ cause: error },
		)
	}
	return { release: () => owned.close() }
}

/** Whether some process owns the folder now. */
export function isOwned(folder: string): boolean {
	let db: DatabaseSync | undefined
	try {
		db = new DatabaseSync(join(folder, 'owner.db'), { readOnly: true })
		db.prepare('SELECT count(*) FROM sqlite_schema').get()
		return false
	} catch (error) {
		return sqliteCode(error) === sqliteBusy
	} finally {
		db?.close()
	}
}

function inUse(folder: string): string {
	return (
		`The data folder ${folder} is in use by process ${ownerPid(folder)}: ` +
		'stop that process, or give this one a data folder of its own.'
	)
}

function pidFile(folder: string): string {
	return join(folder, 'owner.pid')
}

function ownerPid(folder: string): string {
	try {
		return readFileSync(pidFile(folder), 'utf8').trim()
	} catch {
		return '(unknown)'
	}
}
