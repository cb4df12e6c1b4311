import { spawn, spawnSync } from 'node:child_process'
import fs, {
	appendFileSync,
	cpSync,
	existsSync,
	mkdirSync,
	mkdtempSync,
	readdirSync,
	readFileSync,
	rmSync,
	statSync,
	writeFileSync,
} from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { checkPositions } from '../adapters/journal/check.ts'
import { JournalFailure } from '../adapters/journal/failure.ts'
import { openJournal } from '../adapters/journal/journal.ts'
import { openMemoryJournal } from '../adapters/journal/memory.ts'
import { openReader } from '../adapters/journal/reader.ts'
import { openToCheckpoint, openToWrite } from '../adapters/journal/schema.ts'
import { streamHash } from '../adapters/journal/stream-hash.ts'
import { openIndexBuilder, openStreamIndex } from '../adapters/journal/stream-index.ts'
import { encodeEvents } from '../domain/event-text.ts'
import { type JournalUnderTest, journalContract } from './journal-contract.ts'
import { macOf, numberedEvent, numberedEvents } from './journal-events.ts'

const base = mkdtempSync(join(tmpdir(), 'radledger-journal-'))
let folders = 0

function newFolder(): string {
	folders++
	return join(base, String(folders))
}

test.after(() => rmSync(base, { recursive: true, force: true }))

journalContract(test, 'SQLite journal', () => sqliteUnderTest(newFolder()))
journalContract(test, 'memory journal', () => memoryUnderTest(openMemoryJournal()))

function sqliteUnderTest(folder: string): JournalUnderTest {
	const journal = openJournal({ folder })
	return {
		journal,
		close: journal.close,
		reopen() {
			journal.close()
			return sqliteUnderTest(folder)
		},
	}
}

function memoryUnderTest(journal: ReturnType<typeof openMemoryJournal>): JournalUnderTest {
	return { journal, close: journal.close, reopen: () => memoryUnderTest(journal.restart()) }
}

function failureOf(action: () => unknown): string {
	try {
		action()
	} catch (error) {
		assert.instance(error, JournalFailure)
		return (error as JournalFailure).message
	}
	throw new Error('A JournalFailure was expected, and nothing was thrown.')
}

// Owning a folder

test('a second owner in the same process is refused', () => {
	const folder = newFolder()
	const journal = openJournal({ folder })
	const sentence = failureOf(() => openJournal({ folder }))
	assert.match(sentence, `The data folder ${folder} is in use by process ${process.pid}: stop`)
	journal.append(numberedEvents(1, 1))
	journal.close()
	openJournal({ folder }).close()
})

/** Starts test/journal-writer.ts and resolves when it has acknowledged `acknowledgements` batches. */
async function startWriter(folder: string, acknowledgements: number, logBytesMax: number) {
	const file = new URL('./journal-writer.ts', import.meta.url).pathname
	const child = spawn(process.execPath, [file, folder, String(logBytesMax)], {
		stdio: ['ignore', 'pipe', 'inherit'],
	})
	let acknowledged = 0
	let lines = 0
	const ended = new Promise<void>(resolve => child.on('close', () => resolve()))
	const reached = new Promise<void>(resolve => {
		createInterface(child.stdout).on('line', line => {
			// A line cut off by the kill is shorter than the last whole one, so never a greater number.
			acknowledged = Math.max(acknowledged, Number(line))
			if (++lines === acknowledgements) resolve()
		})
	})
	await Promise.race([reached, ended])
	return {
		pid: child.pid!,
		async kill() {
			child.kill('SIGKILL')
			await ended
			return acknowledged
		},
	}
}

test('after kill -9 every acknowledged event is there, and the folder is free again', async () => {
	const folder = newFolder()
	for (const batches of [40, 700, 150]) {
		const writer = await startWriter(folder, batches, 256 * 1024)
		const sentence = failureOf(() => openJournal({ folder }))
		assert.match(sentence, `${folder} is in use by process ${writer.pid}: `)
		const acknowledged = await writer.kill()
		const journal = openJournal({ folder })
		assert.ok(acknowledged > 0 && journal.last() >= acknowledged, 'nothing acknowledged is lost')
		journal.close()
		const check = checkPositions(folder)
		assert.equal(check.faults, [])
		assert.is(check.events, journal.last())
	}
})

// Recovery

test('whatever happens to the end of the log, whole batches without a gap are read', () => {
	const folder = newFolder()
	const journal = openJournal({ folder, reserveLog: false })
	const ends = [0]
	const logBytes: number[] = []
	for (let batch = 1; batch <= 12; batch++) {
		journal.append(numberedEvents(journal.last() + 1, 3 * batch))
		ends.push(journal.last())
		logBytes.push(statSync(join(folder, 'journal.db-wal')).size)
	}
	const log = readFileSync(join(folder, 'journal.db-wal'))
	const main = readFileSync(join(folder, 'journal.db'))
	journal.close()

	const copy = newFolder()
	mkdirSync(copy)
	let shortest = ends.length
	for (let cut = logBytes[7]!; cut < log.length; cut += 100) {
		const whole = logBytes.filter(bytes => bytes <= cut).length
		check(log.subarray(0, cut), whole, whole)
		const damaged = Buffer.from(log)
		damaged[cut]! ^= 0x10
		check(damaged, whole, whole + 1)
	}
	assert.is(shortest, 8)
	check(log, 12, 12)

	function check(damagedLog: Buffer, atLeast: number, atMost: number): void {
		for (const file of readdirSync(copy)) rmSync(join(copy, file), { recursive: true })
		writeFileSync(join(copy, 'journal.db'), main)
		writeFileSync(join(copy, 'journal.db-wal'), damagedLog)
		const { faults, events } = checkPositions(copy)
		assert.equal(faults, [])
		const batches = ends.indexOf(events)
		assert.ok(batches >= atLeast && batches <= atMost, `${batches} whole batches`)
		shortest = Math.min(shortest, batches)
	}
})

test('a log that was emptied gets its length again, and nothing of what is written meanwhile is lost', async () => {
	const folder = newFolder()
	const logBytesMax = 2 ** 20
	const journal = openJournal({ folder, logBytesMax })
	const bytes = () => statSync(join(folder, 'journal.db-wal')).size
	journal.append(numberedEvents(1, 50))
	assert.ok(journal.scrub())
	assert.is(bytes(), 0)
	for (let turns = 0; bytes() < logBytesMax; turns++) {
		assert.ok(turns < 1000, 'it does not grow')
		journal.append(numberedEvents(journal.last() + 1, 3))
		await new Promise(resolve => setTimeout(resolve, 5))
	}
	journal.append(numberedEvents(journal.last() + 1, 3))
	const copy = newFolder()
	mkdirSync(copy)
	for (const file of ['journal.db', 'journal.db-wal']) cpSync(join(folder, file), join(copy, file))
	const { faults, events } = checkPositions(copy)
	assert.equal(faults, [])
	assert.is(events, journal.last(), 'as after a crash')
	journal.close()
})

test('a log that a reader still needs is not emptied, and that is said', () => {
	const folder = newFolder()
	const journal = openJournal({ folder, reserveLog: false })
	journal.append(numberedEvents(1, 50))
	const other = new DatabaseSync(join(folder, 'journal.db'), { readOnly: true })
	other.exec('BEGIN')
	other.prepare('SELECT count(*) FROM batch').get()
	journal.append(numberedEvents(51, 50))
	const bytes = () => statSync(join(folder, 'journal.db-wal')).size
	assert.not(journal.scrub())
	assert.ok(bytes() > 0)
	other.close()
	assert.ok(journal.scrub())
	assert.is(bytes(), 0)
	journal.close()
})

test('what a killed process left in the log counts only when it is synced', () => {
	const folder = newFolder()
	const journal = openJournal({ folder, reserveLog: false })
	journal.append(numberedEvents(1, 50))
	const copy = newFolder()
	cpSync(folder, copy, { recursive: true })
	journal.close()
	const log = join(copy, 'journal.db-wal')
	const sync = fs.fsyncSync
	let synced = 0
	fs.fsyncSync = descriptor => {
		if (fs.fstatSync(descriptor).ino === statSync(log).ino && synced++ === 0) {
			throw new Error('EIO: i/o error, fsync')
		}
		sync(descriptor)
	}
	syncBuiltinESMExports()
	try {
		for (const reserveLog of [true, false]) {
			synced = 0
			assert.match(
				failureOf(() => openJournal({ folder: copy, reserveLog })),
				`The journal in ${copy} cannot be synced: EIO`,
			)
		}
		const opened = openJournal({ folder: copy, reserveLog: false })
		assert.is(opened.last(), 50)
		opened.close()
	} finally {
		fs.fsyncSync = sync
		syncBuiltinESMExports()
	}
})

test('where the disk has no room for the length of the log, the log grows as it must', () => {
	const folder = newFolder()
	const write = fs.writeSync
	let pieces = 0
	fs.writeSync = ((descriptor: number, octets: Uint8Array, ...more: number[]) => {
		if (octets.length >= 2 ** 20 && ++pieces > 2) throw new Error('ENOSPC: no space left, write')
		return write(descriptor, octets, ...more)
	}) as typeof fs.writeSync
	syncBuiltinESMExports()
	try {
		const journal = openJournal({ folder, logBytesMax: 2 ** 23 })
		assert.is(pieces, 3)
		assert.ok(
			statSync(join(folder, 'journal.db-wal')).size < 2 ** 20,
			'what was tried is given back',
		)
		journal.append(numberedEvents(1, 50))
		journal.close()
		assert.is(checkPositions(folder).events, 50)
	} finally {
		fs.writeSync = write
		syncBuiltinESMExports()
	}
})

test('what is written into the database file is synced before its log is written over', () => {
	const folder = newFolder()
	openJournal({ folder, reserveLog: false }).close()
	for (const db of [openToWrite(folder, 'x').db, openToCheckpoint(folder)]) {
		const of = (name: string) => Object.values(db.prepare(`PRAGMA ${name}`).get()!)[0]
		assert.ok(Number(of('synchronous')) >= 1)
		assert.is(of('wal_autocheckpoint'), 0, 'and no commit pays for that')
		db.close()
	}
})

test('a journal with a torn log is opened, goes on at the next position, and stays whole', () => {
	const folder = newFolder()
	const journal = openJournal({ folder, reserveLog: false })
	for (let batch = 0; batch < 5; batch++) journal.append(numberedEvents(journal.last() + 1, 7))
	const copy = newFolder()
	mkdirSync(copy)
	cpSync(join(folder, 'journal.db'), join(copy, 'journal.db'))
	const log = readFileSync(join(folder, 'journal.db-wal'))
	writeFileSync(join(copy, 'journal.db-wal'), log.subarray(0, log.length - 1_000))
	journal.close()

	const torn = openJournal({ folder: copy })
	assert.is(torn.last(), 28)
	assert.is(torn.append(numberedEvents(29, 2)), 29)
	torn.close()
	assert.equal(checkPositions(copy), { batches: 5, events: 30, faults: [] })
})

test('a gap among the newest batches is refused at opening; the full check finds any', () => {
	const folder = newFolder()
	const journal = openJournal({ folder })
	for (let batch = 0; batch < 300; batch++) journal.append(numberedEvents(2 * batch + 1, 2))
	journal.close()
	const file = join(folder, 'journal.db')

	alter(file, 'DELETE FROM batch WHERE first = 5')
	openJournal({ folder }).close()
	assert.equal(checkPositions(folder).faults, [
		'Position 5 should follow, but the next batch begins at 7.',
	])
	alter(file, 'DELETE FROM batch WHERE first = 597')
	assert.match(
		failureOf(() => openJournal({ folder })),
		`The journal in ${folder} is damaged: 2 events from position 595 on, followed by position 599`,
	)
})

test('the full check finds a wrong count, a wrong stream and wrong data', () => {
	const folder = newFolder()
	const journal = openJournal({ folder })
	for (let batch = 0; batch < 3; batch++) journal.append(numberedEvents(batch + 1, 1))
	journal.close()
	alter(
		join(folder, 'journal.db'),
		`UPDATE batch SET streams = x'00000000' WHERE first = 1;
		UPDATE batch SET events = replace(events, '"roundTripUs":1', '"roundTripUs":"1"') WHERE first = 2;
		UPDATE batch SET events = '[]' WHERE first = 3;`,
	)
	assert.equal(checkPositions(folder).faults, [
		'Event 1 is not filed under its stream subscriber-default.02-00-00-00-00-01.',
		'Event 2 is no AccessRejected of version 1.',
		'The batch at position 3 should have 1 event and has 0.',
	])
})

function alter(file: string, sql: string): void {
	const db = new DatabaseSync(file)
	db.exec(sql)
	db.close()
}

// Failure

test('the log has its full length from the beginning, and a torn one of that length is whole again', () => {
	const folder = newFolder()
	const logBytesMax = 2 ** 20
	const journal = openJournal({ folder, logBytesMax })
	const log = join(folder, 'journal.db-wal')
	assert.is(statSync(log).size, logBytesMax)
	journal.append(numberedEvents(1, 7))
	journal.append(numberedEvents(8, 7))
	assert.is(statSync(log).size, logBytesMax)
	const copy = newFolder()
	mkdirSync(copy)
	cpSync(join(folder, 'journal.db'), join(copy, 'journal.db'))
	// What the disk keeps of a frame that was being written: its first half.
	const torn = readFileSync(log)
	const end = torn.findLastIndex(octet => octet !== 0)
	torn.fill(0, end - 2000)
	writeFileSync(join(copy, 'journal.db-wal'), torn)
	journal.close()
	const restarted = openJournal({ folder: copy, logBytesMax })
	assert.is(restarted.last(), 7)
	assert.is(restarted.append(numberedEvents(8, 1)), 8)
	restarted.close()
	assert.equal(checkPositions(copy).faults, [])
})

test('a full disk: the append says so, later ones are refused, acknowledged events stay', () => {
	const disk = newFolder()
	mkdirSync(disk)
	const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', disk])
	if (mounted.status !== 0) {
		console.log('Left out: the full-disk test, which needs root to mount a small tmpfs.')
		return
	}
	try {
		const folder = join(disk, 'data')
		const journal = openJournal({ folder })
		let acknowledged = 0
		const sentence = failureOf(() => {
			for (;;) {
				journal.append(numberedEvents(acknowledged + 1, 50))
				acknowledged += 50
			}
		})
		assert.match(sentence, `The journal in ${folder} cannot be written any more: `)
		assert.match(sentence, /Free space on its disk, then start again\.$/)
		assert.is(journal.last(), acknowledged)
		assert.is(
			failureOf(() => journal.append(numberedEvents(1, 1))),
			sentence,
		)
		journal.close()

		const copy = newFolder()
		cpSync(folder, copy, { recursive: true })
		const restarted = openJournal({ folder: copy })
		assert.ok(restarted.last() >= acknowledged)
		restarted.append(numberedEvents(restarted.last() + 1, 1))
		restarted.close()
		assert.equal(checkPositions(copy).faults, [])
	} finally {
		spawnSync('umount', ['-l', disk])
	}
})

test('an append returns when what it wrote into the log is synced', () => {
	const folder = newFolder()
	const journal = openJournal({ folder, reserveLog: false })
	const sync = fs.fdatasyncSync
	/** Whether each mark stood in the log when that was synced last. */
	let synced = ''
	fs.fdatasyncSync = descriptor => {
		sync(descriptor)
		if (fs.fstatSync(descriptor).ino !== statSync(join(folder, 'journal.db-wal')).ino) return
		synced = readFileSync(join(folder, 'journal.db-wal'), 'latin1')
	}
	syncBuiltinESMExports()
	try {
		for (let n = 1; n <= 20; n++) {
			const event = numberedEvent(n)
			journal.append([{ ...event, at: 1_700_000_000_000 + n }])
			assert.ok(synced.includes(`${1_700_000_000_000 + n}`), `append ${n}`)
		}
	} finally {
		fs.fdatasyncSync = sync
		syncBuiltinESMExports()
		journal.close()
	}
})

test('after a sync that failed while batches were rewritten, nothing is appended any more', () => {
	const folder = newFolder()
	const journal = openJournal({ folder })
	journal.append(numberedEvents(1, 1))
	const text = encodeEvents(numberedEvents(2, 1))
	const streams = new Uint8Array(Uint32Array.of(streamHash(numberedEvent(2).stream)).buffer)
	const sync = fs.fdatasyncSync
	fs.fdatasyncSync = () => {
		throw new Error('EIO: i/o error, fdatasync')
	}
	syncBuiltinESMExports()
	let sentence: string
	try {
		sentence = failureOf(() => journal.rewrite([{ first: 1, text, streams }]))
	} finally {
		fs.fdatasyncSync = sync
		syncBuiltinESMExports()
	}
	assert.match(sentence, `The journal in ${folder} cannot be written any more: EIO`)
	assert.is(
		failureOf(() => journal.append(numberedEvents(2, 1))),
		sentence,
	)
	journal.close()
})

test('the memory journal fails as it is told, and says what a restart finds', () => {
	for (const [fault, kept] of [
		['lost', 1],
		['unacknowledged', 2],
	] as const) {
		const journal = openMemoryJournal({ appendFault: append => (append === 2 ? fault : undefined) })
		journal.append(numberedEvents(1, 1))
		failureOf(() => journal.append(numberedEvents(2, 1)))
		failureOf(() => journal.append(numberedEvents(3, 1)))
		const next = journal.restart()
		assert.is(next.last(), kept)
		assert.is(next.append(numberedEvents(9, 1)), kept + 1)
	}
})

test('a closed journal refuses to append, and closing twice is harmless', () => {
	const journal = openJournal({ folder: newFolder() })
	journal.close()
	journal.close()
	failureOf(() => journal.append(numberedEvents(1, 1)))
})

test('a folder that is no journal, or a newer one, is refused with a sentence', () => {
	const folder = newFolder()
	assert.match(
		failureOf(() => openReader(folder)),
		`There is no journal in ${folder}`,
	)
	openJournal({ folder }).close()
	const file = join(folder, 'journal.db')
	alter(file, 'PRAGMA user_version = 99')
	const newer = `${file} has schema version 99, and this release knows up to 1: use the release`
	assert.match(
		failureOf(() => openJournal({ folder })),
		newer,
	)
	assert.match(
		failureOf(() => openReader(folder)),
		newer,
	)
	alter(file, 'PRAGMA application_id = 7')
	assert.match(
		failureOf(() => openJournal({ folder })),
		`${file} is not a journal of radledger`,
	)
	writeFileSync(
		file,
		'not a database, only text that is long enough to be taken for one\n'.repeat(20),
	)
	assert.match(
		failureOf(() => openJournal({ folder })),
		`The journal in ${folder} cannot be opened: file is not a database. Restore`,
	)
	writeFileSync(join(base, 'file'), '')
	assert.match(
		failureOf(() => openJournal({ folder: join(base, 'file') })),
		'cannot be made',
	)
})

// The log

test('the write-ahead log is begun anew: it stays bounded under load', () => {
	const folder = newFolder()
	const journal = openJournal({ folder, logBytesMax: 512 * 1024 })
	const pause = new Int32Array(new SharedArrayBuffer(4))
	let longest = 0
	let bytes = 0
	for (let batch = 0; batch < 1_500; batch++) {
		const events = numberedEvents(1 + 64 * batch, 64)
		journal.append(events)
		bytes += JSON.stringify(events).length
		// A load that leaves the keeper a chance on a slow disk, and on a processor that others want.
		if (batch % 32 === 0) Atomics.wait(pause, 0, 0, longest > bytes / 4 ? 50 : 2)
		longest = Math.max(longest, statSync(join(folder, 'journal.db-wal')).size)
	}
	journal.close()
	assert.ok(longest < bytes / 2, `${longest} bytes of log for ${bytes} bytes of events`)
	assert.not(existsSync(join(folder, 'journal.db-wal')), 'closing clears the log away')
	assert.is(checkPositions(folder).events, 1_500 * 64)
})

test('a reader that keeps an old state does not stop the journal, and is warned of', () => {
	const folder = newFolder()
	const warnings: string[] = []
	const onWarning = (sentence: string) => warnings.push(sentence)
	const journal = openJournal({ folder, logBytesMax: 64 * 1024, onWarning })
	journal.append(numberedEvents(1, 1))
	const other = new DatabaseSync(join(folder, 'journal.db'), { readOnly: true })
	other.exec('BEGIN')
	other.prepare('SELECT count(*) FROM batch').get()
	for (let batch = 0; batch < 200; batch++) journal.append(numberedEvents(journal.last() + 1, 64))
	other.close()
	journal.close()
	assert.is(warnings.length, 1)
	assert.match(
		warnings[0]!,
		/^The write-ahead log in .* has \d+ MB, because a program keeps reading/,
	)
	assert.is(checkPositions(folder).events, 12_801)
})

// Reading beside the owner

test('a reader follows the owner, also of a copied folder', () => {
	const folder = newFolder()
	const journal = openJournal({ folder })
	const reader = openReader(folder)
	assert.is(reader.id, journal.id)
	assert.is(reader.last(), 0)
	journal.append(numberedEvents(1, 3))
	assert.is(reader.last(), 3)
	assert.equal(reader.read(2, 10), journal.read(2, 10))
	const copy = newFolder()
	cpSync(folder, copy, { recursive: true })
	const copied = openReader(copy)
	assert.equal(copied.read(1, 10), journal.read(1, 10))
	for (const open of [copied, reader, journal]) open.close()
})

test('the view `event` shows every event to a database shell', () => {
	const folder = newFolder()
	const journal = openJournal({ folder })
	journal.append(numberedEvents(1, 2))
	journal.append(numberedEvents(3, 1))
	journal.close()
	const db = new DatabaseSync(join(folder, 'journal.db'), { readOnly: true })
	const rows = db.prepare('SELECT * FROM event ORDER BY position').all()
	db.close()
	const expected = [1, 2, 3].map(position => {
		const { data, ...envelope } = numberedEvent(position)
		return { position, ...envelope, data: JSON.stringify(data) }
	})
	assert.equal(
		rows.map(row => ({ ...row })),
		expected,
	)
})

// The index by stream

test('the hash of a stream never changes', () => {
	assert.is(streamHash(''), 0xab3e7c0b)
	assert.is(streamHash('relay-default'), 0x133dba74)
	assert.is(streamHash('subscriber-default.02-00-00-00-00-01'), 0x5b903694)
})

test('two streams that share a hash are told apart', () => {
	const [one, other] = ['relay-12vu', 'relay-cuea']
	assert.is(streamHash(one!), streamHash(other!))
	const folder = newFolder()
	const journal = openJournal({ folder })
	const events = numberedEvents(1, 4_200).map(event => {
		return { ...event, stream: event.at % 3 === 0 ? one! : other! }
	})
	journal.append(events)
	journal.close()
	for (const indexed of [true, false]) {
		if (!indexed) rmSync(join(folder, 'index.db'))
		const reader = openReader(folder)
		assert.is(reader.readStream(one!, 1, 5_000).length, 1_400)
		assert.is(reader.readStream(other!, 1, 5_000).length, 2_800)
		reader.close()
	}
})

test('the index finds what a scan finds, at every length and level', () => {
	const folder = newFolder()
	mkdirSync(folder)
	// Without openJournal, whose keeper would build the index too, at its own levels.
	const { db } = openToWrite(folder, 'some-journal')
	const insert = db.prepare('INSERT INTO batch (first, count, streams, events) VALUES (?, ?, ?, ?)')
	let last = 0
	const levels = [
		{ events: 4, bits: 0 },
		{ events: 16, bits: 2 },
		{ events: 64, bits: 3 },
	]
	const streams = Array.from({ length: 5 }, (_, number) => numberedEvent(0, macOf(number)).stream)
	const expected = new Map<string, number[]>(streams.map(stream => [stream, []]))
	let builder = openIndexBuilder(folder, levels)
	for (let round = 0; last < 300; round++) {
		const batch = Array.from({ length: 1 + (round % 5) }, (_, index) => {
			const position = last + 1 + index
			const event = numberedEvent(position, macOf((position * position) % 5))
			expected.get(event.stream)!.push(position)
			return event
		})
		const hashes = Uint32Array.from(batch, event => streamHash(event.stream))
		insert.run(last + 1, batch.length, new Uint8Array(hashes.buffer), encodeEvents(batch))
		last += batch.length
		// Steps are left out now and then, so that the index lags and later takes bigger runs at once.
		if (round % 7 < 4) while (builder.step());
		if (round % 10 === 9) {
			builder.close()
			if (round % 20 === 19) rmSync(join(folder, 'index.db'))
			builder = openIndexBuilder(folder, levels)
		}
		const index = openStreamIndex(folder, 'some-journal', levels)
		for (const stream of streams) {
			const from = 1 + ((round * 13) % last)
			const found: number[] = []
			const { indexed } = index.candidates(streamHash(stream), from, position => {
				found.push(position)
				return true
			})
			const inRange = (position: number) => position >= from && position <= indexed
			assert.equal(found, expected.get(stream)!.filter(inRange))
		}
		index.close()
	}
	builder.close()
	db.close()
})

test('reading a stream is the same without an index, with one, with a foreign or damaged one', () => {
	const folder = newFolder()
	const journal = openJournal({ folder })
	for (let batch = 0; batch < 120; batch++) {
		const numbers = Array.from({ length: 80 }, (_, index) => batch * 80 + index)
		journal.append(numbers.map(number => numberedEvent(number, macOf(number % 200))))
	}
	const { stream } = numberedEvent(0, macOf(77))
	const expected = journal.read(1, 10_000).filter(event => event.stream === stream)
	assert.is(expected.length, 48)
	journal.close()
	const check = () => {
		const reader = openReader(folder)
		assert.equal(reader.readStream(stream, 1, 100), expected)
		assert.equal(reader.readStream(stream, 5_000, 3), expected.slice(25, 28))
		reader.close()
	}
	const rebuild = () => {
		const builder = openIndexBuilder(folder)
		const steps = [builder.step(), builder.step(), builder.step()]
		builder.close()
		return steps
	}
	const index = join(folder, 'index.db')
	rmSync(index)
	check()
	assert.equal(rebuild(), [true, true, false])
	check()
	alter(index, "UPDATE progress SET journal = 'another'; DELETE FROM run")
	check()
	assert.equal(rebuild(), [true, true, false])
	alter(index, 'UPDATE progress SET indexed = 9601; DELETE FROM run')
	assert.equal(rebuild(), [true, true, false], 'an index ahead of its journal is built anew')
	check()
	writeFileSync(index, 'no database\n'.repeat(100))
	check()
	assert.equal(rebuild(), [true, true, false])
	check()
})

// Snapshots

test('an unusable snapshot is ignored with a warning that names the file', () => {
	const folder = newFolder()
	const warnings: string[] = []
	const journal = openJournal({ folder, onWarning: sentence => warnings.push(sentence) })
	journal.append(numberedEvents(1, 5))
	const file = join(folder, 'snapshots', 'view.json')
	const ignored = (why: string, damage: (text: string) => string) => {
		journal.save('view', 1, 5, [{ count: 7 }, { count: 8 }])
		writeFileSync(file, damage(readFileSync(file, 'utf8')))
		assert.is(journal.load('view', 1), undefined, why)
		assert.is(warnings.length, 1)
		assert.match(
			warnings.pop()!,
			`The snapshot ${file} is ignored and the journal read instead: ${why}`,
		)
	}
	const found = (why: RegExp, damage: (text: string) => string) => {
		journal.save('view', 1, 5, [{ count: 7 }, { count: 8 }])
		writeFileSync(file, damage(readFileSync(file, 'utf8')))
		const { pieces } = journal.load('view', 1)!
		assert.throws(() => [...pieces], why)
	}
	const line = (text: string, n: number) => `${text.split('\n')[n]!}\n`
	found(/a checksum in .*view\.json does not match/, text => text.replace('"count":7', '"count":9'))
	found(/does not match/, text => text.replace('"position":5', '"position":4'))
	found(/does not match/, text => text.replace(line(text, 1), ''))
	found(/does not match/, text => text.replace(line(text, 2), line(text, 1)))
	found(/does not match/, text => text.slice(0, -3))
	found(/is cut off/, text => text.replace(line(text, 3), ''))
	ignored('it is empty', () => '')
	ignored('Unterminated', text => text.slice(0, 30))
	ignored('it belongs to another journal', text => text.replace(journal.id, 'another'))
	ignored('it is of position 6', text => text.replace('"position":5', '"position":6'))
	ignored('it has version 2', text => text.replace('"version":1', '"version":2'))
	ignored('its first line is of no known form', text => text.replace('"format":2', '"format":1'))
	ignored('Unexpected', () => 'x\n')

	journal.save('view', 1, 5, [{ count: 7 }])
	appendFileSync(`${file}.new`, 'left behind by a crash')
	assert.equal([...journal.load('view', 1)!.pieces], [{ count: 7 }])
	assert.throws(() => journal.save('../view', 1, 5, []), /cannot be named/)
	rmSync(join(folder, 'snapshots'), { recursive: true })
	writeFileSync(join(folder, 'snapshots'), 'in the way')
	journal.save('view', 1, 5, [])
	assert.match(warnings.pop()!, `The snapshot ${file} could not be written: `)
	journal.close()
})

test('a snapshot of many pieces, longer and shorter than what is read at once', () => {
	const folder = newFolder()
	const journal = openJournal({ folder, onWarning: assert.unreachable })
	journal.append(numberedEvents(1, 5))
	const lengths = [0, 2 ** 20 - 67, 2 ** 20, 3, 3 * 2 ** 20 + 1, ...Array(300).fill(9000)]
	const pieces = lengths.map((length, n) => [n, 'ü'.padEnd(length, 'x')])
	journal.save('view', 1, 5, pieces)
	assert.equal([...journal.load('view', 1)!.pieces], pieces)
	const [first] = journal.load('view', 1)!.pieces
	assert.equal(first, pieces[0], 'and one who does not want the rest')
	journal.close()
})

test('a data folder that cannot be made is refused, also where the system gives no good reason', () => {
	if (process.platform !== 'linux') {
		console.log('left out: only Linux has /proc')
		return
	}
	const sentence = failureOf(() => openJournal({ folder: '/proc/radledger/data' }))
	assert.match(sentence, 'The data folder /proc/radledger/data cannot be made: ')
})

test.run()
