/** Sealing step by step: how much at once, when a checkpoint is due, and what a failure leaves. */
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync, type SQLInputValue } from 'node:sqlite'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { openJournal } from '../adapters/journal/journal.ts'
import { openReader } from '../adapters/journal/reader.ts'
import { makeSealKey } from '../adapters/journal/seal-key.ts'
import { openSealing } from '../adapters/journal/sealing.ts'
import { originOf } from '../domain/seal/checkpoint.ts'
import { numberedEvents } from './journal-events.ts'
import { seal, tamper, temporaryFolder, verified } from './sealed-folder.ts'

const base = temporaryFolder()
test.after(() => rmSync(base, { recursive: true, force: true }))

let folders = 0
/** A journal of so many events, in batches of so many. */
function journalOf(events: number, together = 100): string {
	const folder = join(base, String(++folders))
	const journal = openJournal({ folder, reserveLog: false })
	for (let at = 1; at <= events; at += together) {
		journal.append(numberedEvents(at, Math.min(together, events - at + 1)))
	}
	journal.close()
	return folder
}

function rowsOf(folder: string, sql: string): unknown[] {
	const db = new DatabaseSync(join(folder, 'seal.db'), { readOnly: true })
	try {
		return db.prepare(sql).all().map(Object.values)
	} finally {
		db.close()
	}
}

test('a step seals 4,096 events at most, and nothing where nothing is new', () => {
	const folder = journalOf(4100)
	const sealing = openSealing({ folder, now: () => 0 })
	assert.is(sealing.step(4100), 4096)
	assert.is(sealing.step(4096), 0)
	assert.is(sealing.step(5), 0)
	assert.is(sealing.step(4098), 2)
	assert.is(sealing.step(4100), 2)
	assert.is(sealing.size(), 4100)
	sealing.close()
	assert.equal(rowsOf(folder, 'SELECT first, count FROM sealed'), [
		[1, 4096],
		[4097, 2],
		[4099, 2],
	])
})

test('a checkpoint is due a minute after the last one, wherever the clock was set to', () => {
	const folder = journalOf(10)
	let now = 1_000_000
	const open = () => openSealing({ folder, now: () => now })
	let sealing = open()
	assert.not(sealing.checkpoint(true), 'of nothing')
	sealing.step(1)
	assert.ok(sealing.checkpoint(false))
	assert.not(sealing.checkpoint(true), 'of the same')
	sealing.step(2)
	now += 59_999
	assert.not(sealing.checkpoint(false))
	sealing.close()
	sealing = open()
	assert.not(sealing.checkpoint(false), 'nor after a start')
	now += 1
	assert.ok(sealing.checkpoint(false))
	now += 60_000
	assert.not(sealing.checkpoint(false), 'nothing is new')
	now -= 60_000
	sealing.step(3)
	now -= 59_999
	assert.not(sealing.checkpoint(false))
	now -= 1
	assert.ok(sealing.checkpoint(false), 'the clock was set back')
	sealing.step(4)
	assert.ok(sealing.checkpoint(true))
	sealing.close()
	assert.equal(rowsOf(folder, 'SELECT size FROM checkpoint ORDER BY size'), [[1], [2], [3], [4]])
})

test('a checkpoint is due after 65,536 events, however little time has passed', async () => {
	const folder = journalOf(65_537, 4096)
	const sealing = openSealing({ folder, now: () => 5 })
	while (sealing.size() < 65_535) sealing.step(65_535)
	assert.not(sealing.checkpoint(false))
	sealing.step(65_536)
	assert.ok(sealing.checkpoint(false))
	sealing.step(65_537)
	assert.not(sealing.checkpoint(false))
	sealing.close()
	assert.equal((await verified(folder)).faults, [], 'the size is a multiple of a tile')
})

test('a checkpoint is synced before anybody can read it, and no step waits for the disk', () => {
	const folder = journalOf(10)
	const { prepare } = DatabaseSync.prototype
	const modes: [string, unknown][] = []
	DatabaseSync.prototype.prepare = function (sql) {
		const statement = prepare.call(this, sql)
		const table = /^INSERT INTO (sealed|checkpoint)/.exec(sql)?.[1]
		if (table === undefined) return statement
		const { run } = statement
		const mode = () => prepare.call(this, 'PRAGMA synchronous').get()!['synchronous']
		statement.run = ((...values: SQLInputValue[]) => {
			modes.push([table, mode()])
			return Reflect.apply(run, statement, values)
		}) as typeof run
		return statement
	}
	try {
		const sealing = openSealing({ folder, now: () => 0 })
		sealing.step(5)
		sealing.checkpoint(true)
		sealing.step(10)
		sealing.close()
	} finally {
		DatabaseSync.prototype.prepare = prepare
	}
	const [normal, full] = [1, 2]
	assert.equal(modes, [
		['sealed', normal],
		['checkpoint', full],
		['sealed', normal],
	])
})

test('a step that fails leaves everything as it was, and is made the next time', async () => {
	const folder = journalOf(3000)
	const sealing = openSealing({ folder, now: () => 0 })
	sealing.step(1000)
	// The second tile of the step fails: the first and the leaves were written by then.
	tamper(
		folder,
		'seal',
		`CREATE TRIGGER broken BEFORE INSERT ON tile WHEN NEW.number = 1
			BEGIN SELECT RAISE(ABORT, 'no room'); END`,
	)
	assert.throws(() => sealing.step(3000), /no room/)
	assert.is(sealing.size(), 1000)
	assert.ok(sealing.checkpoint(true))
	tamper(folder, 'seal', 'DROP TRIGGER broken')
	assert.is(sealing.step(3000), 2000)
	assert.ok(sealing.checkpoint(true))
	sealing.close()
	assert.equal((await verified(folder)).faults, [])
})

test('two that seal the same folder: the second is refused, and no leaf is there twice', async () => {
	const folder = journalOf(3000)
	const [one, other] = [1, 2].map(at => openSealing({ folder, now: () => at })) as [
		ReturnType<typeof openSealing>,
		ReturnType<typeof openSealing>,
	]
	one.step(2000)
	for (const size of [5, 2000, 3000]) assert.throws(() => other.step(size), /UNIQUE/)
	const third = openSealing({ folder, now: () => 3 })
	assert.ok(one.checkpoint(true))
	assert.throws(() => third.checkpoint(true), /UNIQUE/)
	one.step(3000)
	assert.ok(one.checkpoint(true))
	for (const sealing of [one, other, third]) sealing.close()
	assert.equal((await verified(folder)).faults, [])
	assert.equal(rowsOf(folder, 'SELECT size, at FROM checkpoint ORDER BY size'), [
		[2000, 1],
		[3000, 1],
	])
})

test('what is damaged, missing or not there yet is not sealed, and its position is told', () => {
	const refused: [position: number, sql: string][] = [
		[
			21,
			"UPDATE batch SET events = replace(events, ',' || char(10), ', ' || char(10)) WHERE first = 21",
		],
		[21, 'DELETE FROM batch WHERE first = 21'],
		[31, 'DELETE FROM batch WHERE first = 31'],
	]
	for (const [position, sql] of refused) {
		const folder = journalOf(40, 10)
		const sealing = openSealing({ folder, now: () => 0 })
		tamper(folder, 'journal', sql)
		sealing.step(20)
		assert.throws(
			() => sealing.step(40),
			new RegExp(`cannot be sealed from position ${position} on`),
		)
		assert.is(sealing.step(20), 0)
		assert.is(sealing.size(), 20)
		sealing.close()
	}
	const sealing = openSealing({ folder: journalOf(40, 10), now: () => 0 })
	assert.throws(() => sealing.step(41), /cannot be sealed from position 41 on/)
	sealing.close()
})

test('a journal that lost one sealed event is not sealed any more', () => {
	const folder = journalOf(5, 1)
	seal(folder, 5)
	tamper(folder, 'journal', 'DELETE FROM batch WHERE first = 5')
	assert.throws(() => openSealing({ folder, now: () => 0 }), /has 5 events and the journal 4/)
})

test('tiles that are not those of the leaves are not gone on from', () => {
	const damages = [
		'DELETE FROM tile WHERE number = 0',
		'DELETE FROM tile WHERE number = 1',
		'INSERT INTO tile VALUES (2, zeroblob(32))',
		'DELETE FROM sealed',
	]
	for (const sql of damages) {
		const folder = journalOf(4000)
		seal(folder, 2500)
		tamper(folder, 'seal', sql)
		assert.throws(() => openSealing({ folder, now: () => 0 }), /The seal is damaged/, sql)
	}
})

test('another key of the same name signs nothing', () => {
	const folder = journalOf(5)
	seal(folder, 5)
	const file = join(folder, 'seal.key')
	rmSync(file)
	const reader = openReader(folder)
	reader.close()
	makeSealKey(file, originOf(reader.id))
	assert.throws(() => openSealing({ folder, now: () => 0 }), /and .*seal\.key has another/)
})

test.run()
