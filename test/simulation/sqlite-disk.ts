/**
 * The relay's real journal, in SQLite, and what a crash leaves of its files: all that was synced, and of
 * what was being written any part. The next process opens a copy that was made in that moment. The
 * keeper's thread may be copying the log into the database meanwhile; only the writer, which stands
 * still here, writes to the log, so a copy of first the one and then the other is what a crash leaves.
 */
import {
	cpSync,
	existsSync,
	mkdirSync,
	mkdtempSync,
	readFileSync,
	rmSync,
	writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { JournalFailure } from '../../adapters/journal/failure.ts'
import { openJournal, type SqliteJournal } from '../../adapters/journal/journal.ts'
import type { MemoryJournal, MemorySettings } from '../../adapters/journal/memory.ts'
import { type Chance, createChance } from './chance.ts'

type Image = { readonly folder: string; readonly database: Uint8Array; readonly log: Uint8Array }
type Fault = MemorySettings['appendFault']

const sectorOctets = 512

/** Its folder is removed with `remove`. */
export function openSqliteDisk(seed: number): { journal: MemoryJournal; remove(): void } {
	const root = mkdtempSync(join(tmpdir(), 'radledger-simulation-'))
	// Chance of its own: a seed does the same on whatever disk, as long as that keeps the same.
	const chance = createChance(seed + 2 ** 33)
	const reserveLog = chance.happens(0.5)
	// Short enough for the keeper to come by, and for the log to be begun anew.
	const logBytesMax = chance.pick([2 ** 18, 2 ** 20, 2 ** 22])
	let folders = 0
	const newFolder = () => join(root, String(++folders))
	const open = (folder: string) =>
		openJournal({ folder, newId: 'simulated', reserveLog, logBytesMax })
	let inner = open(newFolder())

	/** What the disk has from now on is this. */
	function crash(image: Image): void {
		inner.close()
		const folder = newFolder()
		mkdirSync(folder, { recursive: true })
		const snapshots = join(image.folder, 'snapshots')
		if (existsSync(snapshots)) cpSync(snapshots, join(folder, 'snapshots'), { recursive: true })
		writeFileSync(join(folder, 'journal.db'), image.database)
		writeFileSync(join(folder, 'journal.db-wal'), image.log)
		rmSync(image.folder, { recursive: true })
		inner = open(folder)
	}

	const next = (fault?: Fault): MemoryJournal => process(fault, () => inner, crash, chance, next)
	return {
		journal: next(),
		remove() {
			inner.close()
			rmSync(root, { recursive: true })
		},
	}
}

/** The journal as one process has it. */
function process(
	appendFault: Fault,
	inner: () => SqliteJournal,
	crash: (image: Image) => void,
	chance: Chance,
	next: (fault?: Fault) => MemoryJournal,
): MemoryJournal {
	let failure: JournalFailure | undefined
	let open = true
	let appends = 0
	const { id } = inner()

	return {
		id,
		last: () => inner().last(),
		read: (from, limit) => inner().read(from, limit),
		readStream: (stream, from, limit) => inner().readStream(stream, from, limit),
		load: (name, version) => inner().load(name, version),
		save: (name, version, position, pieces) => inner().save(name, version, position, pieces),
		append(events) {
			if (failure !== undefined) throw failure
			if (!open) throw new JournalFailure('The journal is closed.')
			const fault = appendFault?.(++appends)
			if (fault === undefined) return inner().append(events)
			const before = imageOf(inner().folder)
			if (fault !== 'lost') inner().append(events)
			const after = imageOf(inner().folder)
			if (fault === 'lost') crash(before)
			else crash(fault === 'torn' ? torn(before, after, chance) : after)
			failure = new JournalFailure(`An append was to fail (${fault}).`)
			throw failure
		},
		restart({ appendFault: fault } = {}) {
			open = false
			// A process that crashed elsewhere closed nothing. After a failure that is done already.
			if (failure === undefined && chance.happens(0.7)) {
				crash(checkpointing(imageOf(inner().folder), chance))
			}
			return next(fault)
		},
		forgetSnapshots() {
			rmSync(join(inner().folder, 'snapshots'), { recursive: true, force: true })
		},
		close() {
			open = false
		},
	}
}

/** Of the database first: what leaves the log is in it by then. */
function imageOf(folder: string): Image {
	const database = readFileSync(join(folder, 'journal.db'))
	return { folder, database, log: readFileSync(join(folder, 'journal.db-wal')) }
}

/** A crash in the middle of an append: some of the octets that it wrote into the log are there. */
function torn(before: Image, after: Image, chance: Chance): Image {
	const log = new Uint8Array(Math.max(before.log.length, after.log.length))
	log.set(before.log)
	const { from, to } = changed(log, after.log)
	const cut = chance.between(from, to)
	switch (chance.pick(['cut', 'short', 'sectors', 'garbage'] as const)) {
		case 'cut':
			log.set(after.log.subarray(from, cut), from)
			return { ...before, log }
		case 'short':
			// The file's new length is not there either, where it has grown.
			log.set(after.log.subarray(from, cut), from)
			return { ...before, log: log.subarray(0, Math.max(cut, before.log.length)) }
		case 'sectors':
			for (let at = from - (from % sectorOctets); at < to; at += sectorOctets) {
				const sector = after.log.subarray(at, at + sectorOctets)
				if (chance.happens(0.8)) log.set(sector, at)
			}
			return { ...before, log }
		case 'garbage': {
			log.set(after.log.subarray(from, cut), from)
			chance.fill(log.subarray(cut, chance.between(cut, to)))
			return { ...before, log }
		}
	}
}

/** Where two texts differ: the first octet, and the one after the last. */
function changed(a: Uint8Array, b: Uint8Array): { from: number; to: number } {
	let from = 0
	let to = Math.max(a.length, b.length)
	while (from < to && a[from] === b[from]) from++
	while (to > from && a[to - 1] === b[to - 1]) to--
	return { from, to }
}

/** A crash while the log is copied into the database: any of its pages may be old, new or both. */
function checkpointing(image: Image, chance: Chance): Image {
	if (chance.happens(0.3)) return image
	const folder = `${image.folder}-copied`
	mkdirSync(folder)
	const file = join(folder, 'journal.db')
	writeFileSync(file, image.database)
	writeFileSync(`${file}-wal`, image.log)
	const db = new DatabaseSync(file)
	db.exec('PRAGMA wal_checkpoint(PASSIVE)')
	const copied = readFileSync(file)
	db.close()
	rmSync(folder, { recursive: true })
	const database = new Uint8Array(Math.max(copied.length, image.database.length))
	database.set(image.database)
	for (let at = 0; at < copied.length; at += sectorOctets) {
		if (chance.happens(0.5)) database.set(copied.subarray(at, at + sectorOctets), at)
	}
	return { ...image, database }
}
