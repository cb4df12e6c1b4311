/** Sealing and verifying: nothing in a data folder changes without verify naming where. */
import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { cpSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { leafOf, saltOctets } from '../adapters/journal/commitment.ts'
import { openReader } from '../adapters/journal/reader.ts'
import { newestCheckpoint, openSealToRead, sealedSize } from '../adapters/journal/seal-store.ts'
import { openSealer } from '../adapters/journal/sealer.ts'
import { openSealing } from '../adapters/journal/sealing.ts'
import { sha256 } from '../adapters/journal/sha256.ts'
import { type SealCheck, verifySeal } from '../adapters/journal/verify-seal.ts'
import { type NewEvent, relayStream, subscriberStream } from '../domain/event.ts'
import { encodeEvents } from '../domain/event-text.ts'
import { keyId, type VerifierKey } from '../domain/seal/note.ts'
import { sealKeyText } from '../src/seal-key.ts'
import { keyOf, verifyFolder } from '../src/verify.ts'
import { record, seal, tamper, temporaryFolder, verified } from './sealed-folder.ts'

const base = temporaryFolder()
test.after(() => rmSync(base, { recursive: true, force: true }))

let folders = 0
function copyOf(folder: string): string {
	const copy = join(base, `copy-${++folders}`)
	cpSync(folder, copy, { recursive: true })
	return copy
}

/** Sessions, leases and a baseline of a few subscribers. */
function history(count: number): NewEvent[] {
	const events: NewEvent[] = [
		{
			stream: relayStream('default'),
			type: 'RelayStarted',
			v: 1,
			at: 1,
			data: { release: '0', configuration: [] },
		},
	]
	for (let number = 0; events.length < count; number++) {
		const mac = `02-00-00-00-00-${(number % 40).toString(16).padStart(2, '0').toUpperCase()}`
		const stream = subscriberStream('default', mac)
		const at = 1000 * number
		const answered = {
			exchange: events.length + 1,
			client: '192.0.2.1',
			server: '198.51.100.1:1812',
			roundTripUs: 900,
		}
		const lease = {
			mac,
			client: `hw:01${number}`,
			pool: 'students',
			address: `10.0.0.${number % 40}`,
			leaseSeconds: 600,
			expiresAt: at + 600_000,
		}
		events.push(
			{
				stream,
				type: 'AccessRequested',
				v: 1,
				at,
				data: {
					client: '192.0.2.1',
					mac,
					wap: '0A',
					user: `user-${number}@é`,
					server: '198.51.100.1:1812',
				},
			},
			{
				stream,
				type: 'AccessAccepted',
				v: 1,
				at,
				data: { ...answered, mac, wap: '0A', user: `user-${number}` },
			},
			{ stream, type: 'LeaseGranted', v: 1, at, data: lease },
			{
				stream,
				type: 'SubscriberTerminated',
				v: 1,
				at,
				data: { mac, wap: '0A', cause: 'operator', since: at },
			},
		)
	}
	return events.slice(0, count)
}

/** 2,600 events: more than two tiles. Checkpoints at 1000, 2000 and 2500, so a hundred are unsealed. */
const whole = join(base, 'whole')
const total = 2600
test.before(() => {
	record(whole, history(total))
	seal(whole, 2500, 1000)
})

test('a whole folder, live or copied, is right, and says what is not sealed', async () => {
	const { faults, lines } = await verified(whole)
	assert.equal(faults, [])
	assert.match(lines.join('\n'), /2600 events from position 1 on/)
	assert.match(lines.join('\n'), /2500 events sealed.*3 checkpoints.*of 2500 events/)
	assert.match(lines.join('\n'), /Not under a signed checkpoint yet: the last 100 events\./)
	assert.match(lines.join('\n'), /state, relay-statistics\./)
	assert.equal((await verified(copyOf(whole))).faults, [])
})

test('a key that did not sign here is named, and not taken for a changed journal', async () => {
	const other = join(base, 'of-another')
	record(other, history(20))
	seal(other, 20)
	const foreign = keyOf(sealKeyText(other))
	const own = keyOf(sealKeyText(whole))
	const check = async (key: VerifierKey) =>
		verifyFolder({ folder: whole, key, kept: undefined, progress: () => {} })
	const { faults, lines } = await check(foreign)
	assert.is(faults.length, 1)
	assert.is(lines.length, 1)
	const shown = ({ name, id }: VerifierKey) => `${name}+${Buffer.from(id).toString('hex')}`
	assert.ok(lines[0]!.includes(`signed by the key ${shown(own)}, and --key is ${shown(foreign)}`))
	assert.match(lines[0]!, /^Not verified: .* That key is of another journal: give the one/)
	assert.not.match(lines[0]!, /not what was recorded/)
	// The same name and another key: exchanged, or another one was made.
	const id = keyId(sha256, own.name, foreign.key)
	const exchanged = await check({ name: own.name, id, key: foreign.key })
	assert.match(exchanged.lines[0]!, /somebody has put another in its place and signed anew/)
	assert.equal((await check(own)).faults, [])
})

test("the key is its owner's alone, and another key is not taken for it", () => {
	assert.is(statSync(join(whole, 'seal.key')).mode & 0o777, 0o600)
	const copy = copyOf(whole)
	rmSync(join(copy, 'seal.key'))
	assert.throws(() => openSealing({ folder: copy, now: () => 0 }), /is missing: put the key back/)
	const other = join(base, 'other')
	record(other, history(3))
	seal(other, 3)
	writeFileSync(join(copy, 'seal.key'), readFileSync(join(other, 'seal.key')))
	assert.throws(() => openSealing({ folder: copy, now: () => 0 }), /give each journal a key file/)
	rmSync(join(other, 'seal.db'))
	assert.throws(() => openSealing({ folder: other, now: () => 0 }), /put seal.db back/)
})

/** What is changed, and the first position that verify must name. */
const tampered: readonly (readonly [
	what: string,
	position: number,
	change: (folder: string) => void,
])[] = [
	[
		'the text of an event',
		1502,
		folder => changeEvent(folder, 1502, line => line.replace('user-', 'USER-')),
	],
	[
		'the time of an event',
		7,
		folder => changeEvent(folder, 7, line => line.replace('"at":', '"at":9')),
	],
	[
		'a space between events',
		1500,
		folder => changeBatch(folder, 1500, text => text.replace(',\n', ', \n')),
	],
	[
		'an event without its pair',
		2,
		folder => changeBatch(folder, 2, text => text.replace('[\n', '[\n{},\n')),
	],
	[
		'an unsealed event',
		2550,
		folder => changeEvent(folder, 2550, line => line.replace('"mac":', '"mec":')),
	],
	['the order of two events', 5, folder => changeBatch(folder, 4, swapTwo)],
	[
		'a missing batch',
		1495,
		folder => tamper(folder, 'journal', 'DELETE FROM batch WHERE first = 1495'),
	],
	[
		'a missing end',
		2475,
		folder => tamper(folder, 'journal', 'DELETE FROM batch WHERE first >= 2475'),
	],
	[
		'a batch filed under another stream',
		1495,
		folder =>
			tamper(
				folder,
				'journal',
				'UPDATE batch SET streams = zeroblob(length(streams)) WHERE first = 1495',
			),
	],
	[
		'a batch of the unsealed ones moved',
		2598,
		folder => tamper(folder, 'journal', 'UPDATE batch SET first = 3000 WHERE first = 2598'),
	],
	[
		'a salt',
		1001,
		folder =>
			tamper(
				folder,
				'seal',
				'UPDATE sealed SET salts = CAST(zeroblob(16) || substr(salts, 17) AS BLOB) WHERE first = 1001',
			),
	],
	[
		'a leaf',
		1001,
		folder =>
			tamper(
				folder,
				'seal',
				'UPDATE sealed SET leaves = CAST(zeroblob(32) || substr(leaves, 33) AS BLOB) WHERE first = 1001',
			),
	],
	[
		'missing salts',
		1001,
		folder => tamper(folder, 'seal', 'DELETE FROM sealed WHERE first = 1001'),
	],
	[
		'a tile',
		1025,
		folder => tamper(folder, 'seal', 'UPDATE tile SET root = zeroblob(32) WHERE number = 1'),
	],
	[
		'the text of a checkpoint',
		2000,
		folder =>
			tamper(
				folder,
				'seal',
				"UPDATE checkpoint SET note = replace(note, char(10) || '2000', char(10) || '2001') WHERE size = 2000",
			),
	],
	[
		'the signature of a checkpoint',
		2000,
		folder =>
			tamper(
				folder,
				'seal',
				"UPDATE checkpoint SET note = substr(note, 1, length(note) - 9) || 'AAAAAAA=' || char(10) WHERE size = 2000",
			),
	],
	[
		'a checkpoint put elsewhere',
		1001,
		folder => tamper(folder, 'seal', 'UPDATE checkpoint SET size = 1999 WHERE size = 2000'),
	],
	[
		'a salt that belongs to nothing',
		1001,
		folder =>
			tamper(
				folder,
				'seal',
				'UPDATE sealed SET salts = CAST(salts || zeroblob(16) AS BLOB) WHERE first = 1001',
			),
	],
	[
		'a leaf that belongs to nothing',
		1001,
		folder =>
			tamper(
				folder,
				'seal',
				'UPDATE sealed SET leaves = CAST(leaves || zeroblob(32) AS BLOB) WHERE first = 1001',
			),
	],
	[
		'a row of nothing',
		1001,
		folder =>
			tamper(
				folder,
				'seal',
				"UPDATE sealed SET count = 0, salts = x'', leaves = x'' WHERE first = 1001",
			),
	],
	['all leaves, not their checkpoints', 1, folder => tamper(folder, 'seal', 'DELETE FROM sealed')],
	['a missing tile', 1025, folder => tamper(folder, 'seal', 'DELETE FROM tile WHERE number = 1')],
	[
		'a tile of events that are not sealed',
		2501,
		folder => tamper(folder, 'seal', 'INSERT INTO tile VALUES (2, zeroblob(32))'),
	],
	[
		'a checkpoint of events that are not sealed',
		2501,
		folder =>
			tamper(
				folder,
				'seal',
				'INSERT INTO checkpoint SELECT 2501, at, note FROM checkpoint WHERE size = 2500',
			),
	],
	['an event sealed without a salt', 2520, sealedWithoutSalt],
	['event, salt and leaf together', 1001, forgeFrom1001],
]

for (const [what, position, change] of tampered) {
	test(`tampering is found: ${what}`, async () => {
		const copy = copyOf(whole)
		change(copy)
		const { faults, lines } = await verified(copy)
		assert.is(faults[0]?.position, position, lines.join('\n'))
		assert.match(lines.at(-1)!, new RegExp(`first position that is wrong is ${position}\\.$`))
	})
}

test('tampering is found: a snapshot, whose checksum was made to fit', async () => {
	const copy = copyOf(whole)
	const reader = openReader(copy)
	reader.close()
	const file = join(copy, 'snapshots', 'relay-statistics.json')
	const [head, body] = readFileSync(file, 'utf8').split('\n')
	const forged = body!.slice(65).replace(/"authentication":\[(\d+)/, '"authentication":[9$1')
	const sum = (before: string, text: string) =>
		createHash('sha256').update(before).update(text).digest('hex')
	const first = sum(sum('', head!), forged)
	writeFileSync(file, `${head}\n${first} ${forged}\n${sum(first, 'end')} end\n`)
	const { faults } = await verified(copy)
	assert.is(faults[0]?.position, total)
	assert.match(faults[0]!.sentence, /snapshot of relay-statistics .*routers\.0\.total/)
})

test('a checkpoint kept elsewhere finds what was sealed anew as a whole', async () => {
	const kept = checkpointIn(whole)
	assert.equal((await verified(whole, kept)).faults, [])
	const copy = copyOf(whole)
	tamper(copy, 'seal', 'DELETE FROM sealed')
	tamper(copy, 'seal', 'DELETE FROM tile')
	tamper(copy, 'seal', 'DELETE FROM checkpoint')
	changeEvent(copy, 1502, line => line.replace('user-', 'USER-'))
	rmSync(join(copy, 'snapshots'), { recursive: true })
	seal(copy, 2550)
	assert.equal((await verified(copy)).faults, [], 'by itself it looks right')
	const { faults } = await verified(copy, kept)
	assert.match(faults[0]!.sentence, /whose checkpoint you gave/)
	const shorter = copyOf(whole)
	tamper(shorter, 'seal', 'DELETE FROM checkpoint WHERE size > 1000')
	tamper(shorter, 'seal', 'DELETE FROM sealed WHERE first > 1000')
	tamper(shorter, 'seal', 'DELETE FROM tile')
	assert.is((await verified(shorter)).faults[0], undefined)
	assert.is((await verified(shorter, kept)).faults[0]?.position, 1001)
})

test('a checkpoint that is none, of another journal, or of one event more than there is', async () => {
	const wrong = async (kept: string) => (await verified(whole, kept)).faults[0]
	const nonsense = await wrong('nonsense')
	assert.is(nonsense?.position, 1)
	assert.match(nonsense!.sentence, /^the checkpoint that you gave is wrong: /)
	const other = join(base, 'another')
	record(other, history(3))
	seal(other, 3)
	assert.match(
		(await wrong(checkpointIn(other)))!.sentence,
		/^the checkpoint that you gave is wrong/,
	)
	const longer = copyOf(whole)
	seal(longer, 2501)
	const missing = await wrong(checkpointIn(longer))
	assert.is(missing?.position, 2501)
	assert.match(missing!.sentence, /is of 2501 events, and only 2500 sealed/)
})

test('sealing goes on where it was, in any steps, to the same tree', async () => {
	const copy = copyOf(whole)
	for (const size of [2501, 2559, 2560, 2600]) seal(copy, size)
	const { faults, lines } = await verified(copy)
	assert.equal(faults, [])
	assert.match(lines.join('\n'), /2600 events sealed, .* 7 checkpoints/)
	const sealing = openSealing({ folder: copy, now: () => 0 })
	assert.is(sealing.step(2600), 0)
	assert.not(sealing.checkpoint(true), 'no checkpoint of the same tree again')
	sealing.close()
})

test('what is recorded, sealed and signed while verify begins is no fault, whenever it comes', () => {
	const events = history(1100)
	const small = join(base, 'growing')
	record(small, events.slice(0, 1000), false)
	seal(small, 1000)
	const key = keyOf(sealKeyText(small))
	const { prepare } = DatabaseSync.prototype
	// `moment`: what verify has prepared by then, also where there is nothing more to prepare.
	for (let moment = 0, last = Number.POSITIVE_INFINITY; moment <= last; moment++) {
		const folder = copyOf(small)
		let prepared = 0
		const grow = () => {
			DatabaseSync.prototype.prepare = prepare
			record(folder, events.slice(1000), false)
			seal(folder, 1050, 30)
		}
		DatabaseSync.prototype.prepare = function (...given) {
			if (prepared++ === moment) grow()
			return prepare.apply(this, given)
		}
		try {
			const check = verifySeal({ folder, key, kept: undefined }).next().value as SealCheck
			assert.is(check.fault?.sentence, undefined, `at ${moment}`)
			assert.ok(check.sealed <= check.events, `at ${moment}`)
			assert.ok([1000, 1050].includes(check.sealed) && check.signed === check.sealed)
			if (prepared <= moment) last = moment
		} finally {
			DatabaseSync.prototype.prepare = prepare
		}
	}
})

test('a journal put back to an older state is not sealed any more', () => {
	const copy = copyOf(whole)
	tamper(copy, 'journal', 'DELETE FROM batch WHERE first >= 2475')
	assert.throws(() => openSealing({ folder: copy, now: () => 0 }), /put back to an older state/)
})

test('the sealer follows a journal in its thread and signs when it ends', async () => {
	const folder = join(base, 'followed')
	record(folder, history(50))
	const warnings: string[] = []
	const sealer = openSealer({ folder, keyFile: undefined, onWarning: w => warnings.push(w) })
	sealer.at(20)
	await sealer.close(50)
	assert.equal(warnings, [])
	assert.match(checkpointIn(folder), /\n50\n/)
	assert.equal((await verified(folder)).faults, [])
})

test('a sealer that cannot seal says why and stops nothing', async () => {
	const folder = join(base, 'unsealable')
	record(folder, history(5))
	writeFileSync(join(folder, 'seal.key'), 'nonsense\n')
	const warnings: string[] = []
	const sealer = openSealer({ folder, keyFile: undefined, onWarning: w => warnings.push(w) })
	await sealer.close(5)
	assert.is(warnings.length, 1)
	assert.match(warnings[0]!, /Nothing is sealed any more: There is a seal's key/)
})

test('killed at any moment, the sealer leaves neither a gap nor a leaf twice', async () => {
	const folder = join(base, 'killed')
	record(folder, history(1500))
	const program = `
		import { openSealing } from ${JSON.stringify(join(import.meta.dirname, '../adapters/journal/sealing.ts'))}
		const sealing = openSealing({ folder: process.argv[1], now: () => 0 })
		process.send('sealing')
		while (sealing.size() < 1500) { sealing.step(Math.min(sealing.size() + 7, 1500)); sealing.checkpoint(true) }
		process.send('done')
	`
	for (let round = 0; round < 5; round++) {
		const child = spawn(process.execPath, ['--input-type=module', '-e', program, folder], {
			stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
		})
		const exited = once(child, 'exit')
		await once(child, 'message')
		await new Promise(resolve => setTimeout(resolve, 3 + 11 * round))
		// Where the disk is fast it may have come to its end.
		child.kill('SIGKILL')
		await exited
		const { faults } = await verified(folder)
		assert.equal(faults, [])
	}
	seal(folder, 1500)
	const { lines } = await verified(folder)
	assert.match(lines.join('\n'), /1500 events sealed, all with the right hash/)
})

function checkpointIn(folder: string): string {
	const reader = openReader(folder)
	const db = openSealToRead(folder, reader.id)!
	reader.close()
	const { note, size } = newestCheckpoint(db)!
	assert.ok(size <= sealedSize(db))
	db.close()
	return note
}

/** Rewrites the text of the batch that has the position. */
function changeBatch(folder: string, position: number, change: (text: string) => string): void {
	const db = new DatabaseSync(join(folder, 'journal.db'))
	const row = db
		.prepare('SELECT first, events FROM batch WHERE first <= ? ORDER BY first DESC LIMIT 1')
		.get(position)!
	const text = change(String(row['events']))
	assert.is.not(text, row['events'])
	db.prepare('UPDATE batch SET events = ? WHERE first = ?').run(text, row['first']!)
	db.close()
}

function changeEvent(folder: string, position: number, change: (line: string) => string): void {
	const db = new DatabaseSync(join(folder, 'journal.db'))
	const { first } = db
		.prepare('SELECT first FROM batch WHERE first <= ? ORDER BY first DESC LIMIT 1')
		.get(position) as { first: number }
	db.close()
	changeBatch(folder, position, text => {
		const lines = text.split('\n')
		lines[position - first + 1] = change(lines[position - first + 1]!)
		return lines.join('\n')
	})
}

function swapTwo(text: string): string {
	const lines = text.split('\n')
	const [a, b] = [lines[2]!, lines[3]!]
	lines[2] = b.endsWith(',') ? b : `${b},`
	lines[3] = b.endsWith(',') ? a : a.slice(0, -1)
	return lines.join('\n')
}

/** An erased event is without its salt; this one is not erased, and no checkpoint has it yet. */
function sealedWithoutSalt(folder: string): void {
	const sealing = openSealing({ folder, now: () => 0 })
	sealing.step(2520)
	sealing.close()
	const reader = openReader(folder)
	const line = Buffer.from(encodeEvents(reader.read(2520, 1)).slice(2, -2))
	reader.close()
	const zeros = new Uint8Array(saltOctets)
	const db = new DatabaseSync(join(folder, 'seal.db'))
	db.prepare(`UPDATE sealed SET salts = CAST(substr(salts, 1, 19 * 16) || ? AS BLOB),
		leaves = CAST(substr(leaves, 1, 19 * 32) || ? AS BLOB)
		WHERE first = 2501`).run(zeros, leafOf(zeros, 2520, line))
	db.close()
}

/** What somebody does who knows the format but not the signing key: all hashes fit but the signed ones. */
function forgeFrom1001(folder: string): void {
	changeEvent(folder, 1502, line => line.replace('user-', 'USER-'))
	const notes = new DatabaseSync(join(folder, 'seal.db'))
	const kept = notes.prepare('SELECT size, at, note FROM checkpoint').all()
	notes.exec(
		'DELETE FROM sealed WHERE first > 1000; DELETE FROM tile WHERE number > 0; DELETE FROM checkpoint',
	)
	notes.exec('DELETE FROM tile')
	notes.close()
	resealLast(folder)
	const db = new DatabaseSync(join(folder, 'seal.db'))
	db.exec('DELETE FROM checkpoint')
	const put = db.prepare('INSERT INTO checkpoint (size, at, note) VALUES (?, ?, ?)')
	for (const { size, at, note } of kept) put.run(size!, at!, note!)
	db.close()
}

function resealLast(folder: string): void {
	// The first tile ends behind the sealed thousand: the sealer makes it and the next one anew.
	seal(folder, 2500)
}

test.run()
