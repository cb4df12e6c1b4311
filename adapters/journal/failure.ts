/** The journal cannot be used, or no longer: the caller stops (fail-stop) and says the sentence. */
export class JournalFailure extends Error {
	override readonly name = 'JournalFailure'
}

/** SQLite's result code of an error of node:sqlite, without its extended part. */
export function sqliteCode(error: unknown): number | undefined {
	const code = error instanceof Error && 'errcode' in error ? error.errcode : undefined
	return typeof code === 'number' ? code & 0xff : undefined
}

export const sqliteBusy = 5
export const sqliteFull = 13
const sqliteReadonly = 8
const sqliteIoError = 10
const sqliteCorrupt = 11
const sqliteCannotOpen = 14
const sqliteNotADatabase = 26

/** What to do about an error of SQLite, as a sentence. */
export function remedy(error: unknown): string {
	switch (sqliteCode(error)) {
		case sqliteFull:
			return 'Free space on its disk, then start again.'
		case sqliteReadonly:
		case sqliteCannotOpen:
			return 'Check the permissions of the folder and whether its disk is mounted read-only.'
		case sqliteIoError:
			return "Look for disk errors in the kernel's log (dmesg), then start again."
		case sqliteCorrupt:
		case sqliteNotADatabase:
			return 'Restore the folder from a copy.'
		case sqliteBusy:
			return 'End whatever else writes to that folder, then start again.'
		default:
			return 'Start again; if it happens again, check the disk.'
	}
}

const outsideCodes: readonly (number | undefined)[] = [
	...[sqliteBusy, sqliteFull, sqliteReadonly, sqliteIoError],
	...[sqliteCorrupt, sqliteCannotOpen, sqliteNotADatabase],
]

/** The sentence for an error of SQLite that whoever runs us can mend; undefined for any other. */
export function databaseSentence(error: unknown): string | undefined {
	if (!outsideCodes.includes(sqliteCode(error))) return undefined
	return `A database in the data folder cannot be used: ${reason(error)}. ${remedy(error)}`
}

export function reason(error: unknown): string {
	return error instanceof Error ? error.message : String(error)
}
