import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, unlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { openJournal } from '../adapters/journal/journal.ts'
import { openReader } from '../adapters/journal/reader.ts'
import { viewsFile } from '../adapters/views/database.ts'
import { openViewReader } from '../adapters/views/reader.ts'
import { openViewStore } from '../adapters/views/store.ts'
import type { NewEvent } from '../domain/event.ts'
import type { Cell, Row } from '../domain/view.ts'
import { allStatistics } from '../projections/all-statistics.ts'
import { questionKinds, spansOf } from '../projections/history/question.ts'
import { viewSchema } from '../projections/views/schema.ts'
import { openViewFollower } from '../src/view-follower.ts'
import { buildViews } from '../src/views-command.ts'
import { allRows, ask, followed, journalOf, lifeEvents } from './view-database.ts'

const folder = mkdtempSync(join(tmpdir(), 'radledger-views-'))
process.on('exit', () => rmSync(folder, { recursive: true, force: true }))

const events = lifeEvents(3000)
const journal = journalOf(events)
let files = 0
const newFile = () => join(folder, `views-${files++}.db`)

const whole = newFile()
followed(journal, whole)

function countOf(...types: readonly string[]): number {
	return events.filter(({ type }) => types.includes(type)).length
}

test('the rows do not depend on where commits fall', () => {
	const expected = allRows(whole)
	for (const eventsPerCommit of [1, 2, 7, 250]) {
		const file = newFile()
		assert.equal(followed(journal, file, eventsPerCommit), [])
		assert.equal(allRows(file), expected, `${eventsPerCommit} events a commit`)
	}
})

test('the rows do not depend on how much is in memory', () => {
	const file = newFile()
	// Opened anew after every commit: nothing is remembered but what is in the database.
	for (let position = 0; position < events.length; ) {
		const follower = openViewFollower({
			reader: journal,
			file,
			onWarning: assert.unreachable,
			eventsPerCommit: 150,
		})
		follower.step()
		position = follower.position()
		follower.close()
	}
	assert.equal(allRows(file), allRows(whole))
})

test('what an auditor asks for is found by indexes: no table is gone through as a whole', () => {
	for (const kind of questionKinds) {
		const plans: string[] = []
		const explain = (sql: string, ...parameters: readonly Cell[]) => {
			for (const { detail } of ask(whole, `EXPLAIN QUERY PLAN ${sql}`, ...parameters)) {
				plans.push(String(detail))
			}
			return []
		}
		spansOf(explain, { kind, value: '', virtualRouter: undefined, from: 0, to: 1 })
		assert.ok(plans.length > 0)
		assert.equal(
			plans.filter(detail => detail.startsWith('SCAN')),
			[],
			kind,
		)
	}
})

test('killed at any point, it goes on and nothing counts twice', async () => {
	const data = join(folder, 'killed')
	const writer = openJournal({ folder: data })
	writer.append(events)
	writer.close()
	for (const [turn, lines] of [3, 8, 1, 12].entries()) {
		const program = resolve(import.meta.dirname, 'view-writer.ts')
		const child = spawn(process.execPath, [program, data, '60'], {
			stdio: ['ignore', 'pipe', 'inherit'],
		})
		let text = ''
		child.stdout.on('data', chunk => {
			text += chunk
			if (text.split('\n').length > lines) child.kill('SIGKILL')
		})
		const [, signal] = await once(child, 'exit')
		assert.is(signal, 'SIGKILL', `turn ${turn} ended by itself`)
	}
	const reader = openReader(data)
	const file = viewsFile(data)
	const [{ position } = { position: 0 }] = ask(file, 'SELECT position FROM checkpoint')
	assert.ok(Number(position) > 0 && Number(position) < events.length)
	assert.equal(followed(reader, file), [])
	const continued = allRows(file)
	rmSync(file)
	followed(reader, file)
	assert.equal(continued, allRows(file))
	assert.equal({ ...continued, checkpoint: [] }, { ...allRows(whole), checkpoint: [] })
	reader.close()
})

test('a database of another version, of another journal or ahead of it is built anew', () => {
	const cases: [change: string, why: RegExp][] = [
		['PRAGMA user_version = 999', /built anew: it has version 999, and version \d+ is needed/],
		["UPDATE checkpoint SET journal = 'another'", /built anew: it belongs to another journal/],
		[
			'UPDATE checkpoint SET position = 7000',
			/it is of position 7000, and the journal ends at 3000/,
		],
		['PRAGMA application_id = 5', /built anew: it is none of this program/],
	]
	for (const [change, why] of cases) {
		const file = newFile()
		followed(journal, file)
		const db = new DatabaseSync(file)
		db.exec(change)
		db.close()
		const [warning] = followed(journal, file)
		assert.match(warning ?? '', why)
		assert.equal(allRows(file), allRows(whole))
	}
})

test('a database that is deleted while it is kept is built anew', () => {
	const file = newFile()
	const warnings: string[] = []
	const onWarning = (sentence: string) => warnings.push(sentence)
	const follower = openViewFollower({ reader: journal, file, onWarning, eventsPerCommit: 1000 })
	follower.step()
	for (const suffix of ['', '-wal', '-shm']) unlinkSync(file + suffix)
	while (follower.step() > 0);
	follower.close()
	assert.match(warnings.join(), /were deleted and are built anew/)
	assert.equal(allRows(file), allRows(whole))
})

test('a commit that fails writes nothing and is made the next time', () => {
	const file = newFile()
	const settings = {
		file,
		schema: viewSchema,
		journal: { id: 'x', last: 9 },
		onWarning: assert.unreachable,
	}
	const store = openViewStore(settings)
	const broken = new Map([[viewSchema.tables[0]!, [{ id: 1 }]]])
	assert.throws(
		() => store.commit({ inserted: broken, updated: new Map() }, 5, 1),
		/read models in .* cannot be written/,
	)
	assert.is(store.position(), 0)
	store.commit({ inserted: new Map(), updated: new Map() }, 5, 1)
	store.close()
	assert.equal(ask(file, 'SELECT position FROM checkpoint'), [{ position: 5 }])
})

test('a row that is there already is not replaced: the commit fails as a whole', () => {
	const file = newFile()
	const of = { id: 'x', last: 99 }
	const onWarning = assert.unreachable
	const table = viewSchema.tables.find(({ key }) => key.length === 1)!
	const row = (id: number, number: number): Row => {
		const cells = Object.entries(table.columns).map(([name, { type }]) => [
			name,
			type === 'TEXT' ? `${number}` : number,
		])
		return { ...Object.fromEntries(cells), [table.key[0]!]: id }
	}
	const rows = (from: number, count: number, number: number) =>
		Array.from({ length: count }, (_, i) => row(from + i, number))
	const store = openViewStore({ file, schema: viewSchema, journal: of, onWarning })
	const commit = (inserted: Row[], position: number) =>
		store.commit({ inserted: new Map([[table, inserted]]), updated: new Map() }, position, 1)
	assert.ok(commit(rows(1, 20, 1), 5))
	const there = () => ask(file, `SELECT * FROM ${table.name} ORDER BY ${table.key[0]}`)
	const before = there()
	assert.is(before.length, 20)
	// By itself, and among those of one statement.
	for (const twice of [[row(3, 2)], [...rows(100, 15, 2), row(3, 2)]]) {
		assert.throws(() => commit(twice, 6), /cannot be written/)
		assert.equal([there(), store.position()], [before, 5])
	}
	store.close()
})

test('the statistics are saved at fixed positions, whatever happened in between', () => {
	const file = newFile()
	for (let position = 0; position < events.length; ) {
		const follower = openViewFollower({
			reader: journal,
			file,
			onWarning: assert.unreachable,
			eventsPerCommit: 700,
			eventsPerSnapshot: 1000,
		})
		follower.step()
		position = follower.position()
		follower.close()
	}
	let state = allStatistics.initial()
	const expected: object[] = []
	for (const event of journal.read(1, events.length)) {
		state = allStatistics.fold(state, event)
		if (event.position % 1000 === 0) {
			expected.push({ id: event.position, at: event.at, state: JSON.stringify(state) })
		}
	}
	assert.is(expected.length, 3)
	assert.equal(ask(file, 'SELECT id, at, state FROM statistics_snapshot ORDER BY id'), expected)
})

/** A follower of the whole journal, and how many events it has read. */
function counting(file: string, more: { readonly eventsPerSaving?: number } = {}) {
	let read = 0
	const reader = {
		...journal,
		read(from: number, limit: number) {
			const found = journal.read(from, limit)
			read += found.length
			return found
		},
	}
	const settings = { reader, file, onWarning: assert.unreachable, eventsPerCommit: 300 }
	return { follower: openViewFollower({ ...settings, ...more }), read: () => read }
}

test('a start after an orderly end folds nothing again, and goes on as if there had been none', () => {
	const file = newFile()
	const { follower } = counting(file)
	for (let steps = 0; steps < 5; steps++) follower.step()
	follower.close()
	const next = counting(file)
	assert.is(next.read(), 0)
	while (next.follower.step() > 0);
	next.follower.close()
	const [{ id, state } = { id: 0, state: '' }] = ask(
		file,
		'SELECT id, state FROM statistics_newest',
	)
	assert.is(id, events.length)
	let whole = allStatistics.initial()
	for (const event of journal.read(1, events.length)) whole = allStatistics.fold(whole, event)
	assert.equal(JSON.parse(String(state)), JSON.parse(JSON.stringify(whole)))
})

test('a start after a crash folds the events since the last saving, no more', () => {
	const file = newFile()
	const killed = counting(file, { eventsPerSaving: 1000 })
	for (let steps = 0; steps < 8; steps++) killed.follower.step()
	assert.is(killed.follower.position(), 2400)
	const next = counting(file, { eventsPerSaving: 1000 })
	// Saved by the commits at 1200 and 2400.
	assert.is(next.read(), 0)
	killed.follower.step()
	killed.follower.step()
	assert.is(counting(file).read(), 600)
})

test('a gap in the journal is told, and nothing is written', () => {
	const gap = {
		...journal,
		read: (from: number, limit: number) => journal.read(from < 100 ? from : from + 1, limit),
	}
	const file = newFile()
	const follower = openViewFollower({ reader: gap, file, onWarning: () => {}, eventsPerCommit: 60 })
	follower.step()
	assert.throws(() => {
		follower.step()
		follower.step()
	}, /journal has a gap/)
	follower.close()
})

test('every event counts once in its minute, and every session and attempt has one row', () => {
	const [sums] = ask(
		whole,
		`SELECT sum(events) AS events, sum(access_requests) AS requests, sum(access_accepts) AS accepts,
			sum(accounting_interims) AS interims, sum(sessions_begun) AS begun, sum(sessions_ended) AS ended,
			sum(server_answers) AS answers FROM minute`,
	)
	assert.equal(sums, {
		events: events.length,
		requests: countOf('AccessRequested'),
		accepts: countOf('AccessAccepted'),
		interims: countOf('AccountingUpdated'),
		begun: countOf('AccessAccepted'),
		ended: countOf('SubscriberTerminated'),
		answers: countOf('AccessAccepted', 'AccessRejected', 'AccessChallenged', 'AccountingAnswered'),
	})
	const [sessions] = ask(whole, 'SELECT count(*) AS begun, count(ended_at) AS ended FROM session')
	assert.equal(sessions, { begun: sums!['begun'], ended: sums!['ended'] })
	const outcomes = ask(
		whole,
		'SELECT outcome, count(*) AS n, max(rounds) AS rounds FROM attempt GROUP BY 1 ORDER BY 1',
	)
	const of = (outcome: string) => outcomes.find(row => row['outcome'] === outcome)
	assert.equal(of('accepted'), { outcome: 'accepted', n: countOf('AccessAccepted'), rounds: 4 })
	assert.equal(of('rejected'), { outcome: 'rejected', n: countOf('AccessRejected'), rounds: 4 })
})

test('every table, view and column is described, in the file too', () => {
	const described = ask(whole, 'SELECT name, "column" FROM docs WHERE length(text) > 2')
	const names = new Set(described.map(({ name, column }) => `${name}.${column}`))
	const objects = ask(whole, "SELECT name FROM sqlite_schema WHERE type IN ('table', 'view')")
	assert.ok(objects.length > 12)
	for (const { name } of objects) {
		assert.ok(names.has(`${name}.`), `${name} is not described`)
		for (const { name: column } of ask(whole, `SELECT name FROM pragma_table_info('${name}')`)) {
			assert.ok(names.has(`${name}.${column}`), `${name}.${column} is not described`)
		}
	}
	const [{ sql } = { sql: '' }] = ask(whole, "SELECT sql FROM sqlite_schema WHERE name = 'session'")
	assert.match(String(sql), /"cause" TEXT \/\* Why it ended/)
})

test('an indexed column is written again after a commit that failed', () => {
	const file = newFile()
	followed(journal, file)
	const of = { id: journal.id, last: journal.last() }
	const onWarning = assert.unreachable
	const store = openViewStore({ file, schema: viewSchema, journal: of, onWarning })
	const [{ id } = { id: 0 }] = ask(file, 'SELECT max(id) AS id FROM session')
	const [row] = store.lookup('session', id!)
	const table = viewSchema.tables.find(({ name }) => name === 'session')!
	const commit = (rows: Row[]) => {
		const updated = new Map([[table, rows]])
		return store.commit({ inserted: new Map(), updated }, journal.last(), 1)
	}
	const ended = () => ask(file, 'SELECT ended_at FROM session WHERE id = ?', id!)[0]!['ended_at']
	row!['ended_at'] = 4_000_000_000_000
	assert.throws(() => commit([row!, { ...row!, wap: null }]), /cannot be written/)
	assert.ok(commit([row!]))
	assert.is(ended(), 4_000_000_000_000)
	// What is there already stays, and what changes is noticed.
	row!['cause'] = 'operator'
	commit([row!])
	row!['ended_at'] = 5_000_000_000_000
	commit([row!])
	assert.is(ended(), 5_000_000_000_000)
	store.close()
})

test('nothing beyond what is on disk is folded', () => {
	const file = newFile()
	let onDisk = 700
	const last = () => onDisk
	const follower = openViewFollower({ reader: journal, last, file, onWarning: assert.unreachable })
	assert.is(follower.step(), 700)
	assert.is(follower.step(), 0)
	onDisk = 701
	assert.is(follower.step(), 1)
	follower.close()
	assert.equal(ask(file, 'SELECT position FROM checkpoint'), [{ position: 701 }])
})

test('two that keep the same file count nothing twice', () => {
	const file = newFile()
	const settings = { reader: journal, file, onWarning: assert.unreachable, eventsPerCommit: 170 }
	const one = openViewFollower(settings)
	const other = openViewFollower(settings)
	let lost = 0
	for (let turn = 0; one.position() < 3000 || other.position() < 3000; turn++) {
		// In turns of different length, so that each finds what it has folded taken over by the other.
		if ((turn % 5 < 3 ? one : other).step() === 0) lost++
	}
	one.close()
	other.close()
	assert.ok(lost > 5, `${lost}`)
	assert.equal(allRows(file), allRows(whole))
})

test('the read models of a folder without a relay are built, and brought up to date', () => {
	const data = join(folder, 'built')
	const writer = openJournal({ folder: data })
	for (const end of [1000, 3000]) {
		writer.append(events.slice(writer.last(), end))
		const reader = openReader(data)
		assert.is(buildViews(data, reader, assert.unreachable), end)
		assert.is(buildViews(data, reader, assert.unreachable), end)
		reader.close()
	}
	writer.close()
	const { checkpoint: _, ...built } = allRows(viewsFile(data))
	const { checkpoint: __, ...expected } = allRows(whole)
	assert.equal(built, expected)
})

test('a reader sees the checkpoint, queries and says when the file is another', () => {
	const data = join(folder, 'reading')
	const writer = openJournal({ folder: data })
	writer.append(events.slice(0, 100))
	assert.is(openViewReader(data, viewSchema.version), undefined)
	followed(writer, viewsFile(data))
	assert.is(openViewReader(data, viewSchema.version + 1), undefined)
	const reader = openViewReader(data, viewSchema.version)!
	assert.is(reader.journal, writer.id)
	assert.equal(reader.checkpoint(), { position: 100, at: events[99]!.at })
	assert.is(reader.query('SELECT count(*) AS n FROM attempt WHERE id < ?', 0)[0]?.['n'], 0)
	assert.is(
		reader.snapshot(() => reader.checkpoint().position),
		100,
	)
	assert.ok(reader.isInPlace())
	rmSync(viewsFile(data))
	assert.not.ok(reader.isInPlace())
	reader.close()
	writer.close()
})

/** Events of one subscriber, one second apart, whose exchange is the position of the last request. */
export function story(
	...steps: [type: NewEvent['type'], data: object, seconds?: number][]
): NewEvent[] {
	const mac = '02-00-00-00-00-01'
	const common = { client: '192.0.2.1', mac, wap: '02-AA-00-00-00-01', server: '192.0.2.20:1812' }
	let exchange = 0
	return steps.map(([type, data, seconds], index) => {
		if (type === 'AccessRequested' || /^Accounting(St|Up)/.test(type)) exchange = index + 1
		const own = { ...common, exchange, roundTripUs: 5, ...data }
		const at = 1_800_000_000_000 + (seconds ?? index) * 1000
		return { stream: `subscriber-default.${mac}`, type, v: 1, at, data: own } as NewEvent
	})
}

function viewsOf(steps: readonly NewEvent[]): string {
	const file = newFile()
	followed(journalOf(steps), file, 1)
	return file
}

const elsewhere = { wap: '02-AA-00-00-00-02', client: '192.0.2.2' }

test('a session that roams: visits, octets of all WAPs, its end', () => {
	const file = viewsOf(
		story(
			['AccessRequested', { user: 'anonymous@example.net' }],
			['AccessAccepted', { user: 'ada@example.net', class: 'gold' }],
			['AccountingStarted', { session: 'a' }],
			['AccountingUpdated', { session: 'a', inputOctets: '100', outputOctets: '5' }],
			['AccountingStarted', { ...elsewhere, session: 'b' }],
			['AccountingStopped', { session: 'a', inputOctets: '150', outputOctets: '6' }],
			['AccountingUpdated', { ...elsewhere, session: 'b', inputOctets: '10' }],
			// Overtaken on the way: a counter does not run backwards.
			['AccountingUpdated', { ...elsewhere, session: 'b', inputOctets: '7' }],
			['AccountingStopped', { ...elsewhere, session: 'b', inputOctets: '20', terminateCause: 1 }],
			['SubscriberTerminated', { ...elsewhere, cause: 'accounting-stop' }],
			['AccountingStopped', { ...elsewhere, session: 'b', inputOctets: '20', terminateCause: 1 }],
		),
	)
	const [session] = ask(file, 'SELECT * FROM session')
	assert.equal(
		[session!['user'], session!['waps'], session!['input_octets'], session!['output_octets']],
		['ada@example.net', 2, 170, 6],
	)
	assert.equal(
		[session!['cause'], session!['wap'], session!['end_position']],
		['accounting-stop', elsewhere.wap, 10],
	)
	assert.equal(ask(file, 'SELECT wap, to_position FROM session_wap ORDER BY id'), [
		{ wap: '02-AA-00-00-00-01', to_position: 5 },
		{ wap: elsewhere.wap, to_position: 10 },
	])
	assert.equal(
		ask(file, 'SELECT accounting_session, input_octets, stopped FROM accounting ORDER BY id'),
		[
			{ accounting_session: 'a', input_octets: 150, stopped: 1 },
			{ accounting_session: 'b', input_octets: 20, stopped: 1 },
		],
	)
	assert.equal(ask(file, 'SELECT user, session FROM attempt'), [
		{ user: 'ada@example.net', session: 2 },
	])
	assert.equal(
		ask(file, 'SELECT session, live.mac FROM subscriber LEFT JOIN live_session AS live'),
		[{ session: null, mac: null }],
	)
})

test('attempts: rounds of EAP are one; a pause, another WAP or two at once are several', () => {
	const file = viewsOf(
		story(
			['AccessRequested', {}],
			['AccessChallenged', { tries: [['192.0.2.20:1812', 2]] }],
			['AccessRequested', {}],
			['AccessRejected', { replyMessage: 'No' }],
			['AccessRequested', {}],
			['AccessChallenged', {}],
			['AccessRequested', {}, 500],
			['AccessUnanswered', { reason: 'timeout', tries: [['192.0.2.20:1812', 3]] }, 510],
			['AccessRequested', {}, 520],
			['AccessRequested', {}, 521],
			['AccessRejected', { exchange: 9 }, 522],
			['AccessAccepted', { exchange: 10 }, 523],
		),
	)
	assert.equal(
		ask(
			file,
			'SELECT id, rounds, outcome, reason, transmissions, duration_ms FROM attempt ORDER BY id',
		),
		[
			{ id: 1, rounds: 2, outcome: 'rejected', reason: 'No', transmissions: 3, duration_ms: 3000 },
			{
				id: 5,
				rounds: 1,
				outcome: 'challenged',
				reason: null,
				transmissions: 1,
				duration_ms: 1000,
			},
			{
				id: 7,
				rounds: 1,
				outcome: 'unanswered',
				reason: 'timeout',
				transmissions: 3,
				duration_ms: 10_000,
			},
			{ id: 9, rounds: 1, outcome: 'rejected', reason: null, transmissions: 1, duration_ms: 2000 },
			{ id: 10, rounds: 1, outcome: 'accepted', reason: null, transmissions: 1, duration_ms: 2000 },
		],
	)
})

test('leases: offers, holdings, renewals and ends; who held an address when', () => {
	const other = '02-00-00-00-00-02'
	const leased = {
		client: 'hw:01',
		pool: 'p',
		address: '10.20.3.7',
		leaseSeconds: 60,
		expiresAt: 1_800_000_060_000,
	}
	const steps = story(
		['PoolSelected', { client: 'hw:01', by: 'src', pool: 'p', reason: 'rule 3' }],
		['LeaseOffered', leased],
		['LeaseGranted', leased],
		['LeaseRenewed', { ...leased, expiresAt: 1_800_000_090_000 }],
		['LeaseReleased', { ...leased, cause: 'client', heldUntil: 0 }],
		['LeaseOffered', { ...leased, expiresAt: 1_800_000_007_000 }, 6],
		['LeaseOffered', { ...leased, mac: other }, 100],
		['LeaseGranted', { ...leased, mac: other }, 101],
		['LeaseExpired', { ...leased, mac: other, heldUntil: 0 }, 161],
	)
	const file = viewsOf(
		steps.map((event, index) =>
			index < 6 ? event : ({ ...event, stream: `subscriber-default.${other}` } as NewEvent),
		),
	)
	const seconds = '(ended_at - 1800000000000) / 1000'
	assert.equal(
		ask(
			file,
			`SELECT id, mac, granted_at IS NOT NULL AS held, renewals, cause, ${seconds} AS ended FROM lease`,
		),
		[
			{ id: 2, mac: '02-00-00-00-00-01', held: 1, renewals: 1, cause: 'client', ended: 4 },
			{ id: 6, mac: '02-00-00-00-00-01', held: 0, renewals: 0, cause: 'lapsed', ended: 7 },
			{ id: 7, mac: other, held: 1, renewals: 0, cause: 'expired', ended: 161 },
		],
	)
	const holder = (at: number) =>
		ask(
			file,
			`SELECT mac FROM address_holder WHERE address = '10.20.3.7' AND from_at <= ?1
				AND (to_at IS NULL OR to_at > ?1)`,
			1_800_000_000_000 + at * 1000,
		).map(({ mac }) => mac)
	assert.equal(holder(3), ['02-00-00-00-00-01'])
	assert.equal(holder(50), [])
	assert.equal(holder(120), [other])
	assert.equal(ask(file, 'SELECT chosen_by, reason FROM pool_decision'), [
		{ chosen_by: 'src', reason: 'rule 3' },
	])
})

test('a session whose Start alone is known, and accounting that belongs to none', () => {
	const file = viewsOf(
		story(
			['AccountingUpdated', { session: 'lost', inputOctets: '18446744073709551615' }],
			['AccountingStarted', { session: 'a', user: 'bob' }],
			['AccountingStarted', { session: 'a', user: 'bob' }],
			['SubscriberTerminated', { cause: 'idle-timeout' }],
		),
	)
	assert.equal(ask(file, 'SELECT id, began_by, user, cause FROM session'), [
		{ id: 2, began_by: 'accounting', user: 'bob', cause: 'idle-timeout' },
	])
	assert.equal(
		ask(
			file,
			'SELECT id, session, stopped, ended_at IS NULL AS open, input_octets FROM accounting',
		),
		[
			{ id: 1, session: null, stopped: 0, open: 1, input_octets: Number.MAX_SAFE_INTEGER },
			{ id: 2, session: 2, stopped: 0, open: 0, input_octets: 0 },
		],
	)
})

test('a Start that comes after its Stop begins neither a session nor accounting', () => {
	const file = viewsOf(
		story(
			['AccountingStarted', { session: 'a' }],
			['AccountingStopped', { session: 'a', sessionSeconds: 9 }],
			['SubscriberTerminated', { cause: 'accounting-stop' }],
			['AccountingUpdated', { session: 'a', delaySeconds: 30, sessionSeconds: 5 }],
			['AccountingStarted', { session: 'a', delaySeconds: 30, sessionSeconds: 0, late: true }],
		),
	)
	const ended = 'SELECT id, ended_at IS NOT NULL AS ended FROM'
	assert.equal(ask(file, `${ended} session`), [{ id: 1, ended: 1 }])
	assert.equal(ask(file, `${ended} accounting`), [{ id: 1, ended: 1 }])
	assert.equal(ask(file, 'SELECT seconds FROM accounting'), [{ seconds: 9 }], 'the greatest counts')
})

test('the SRC domain beside that of the WAPs', () => {
	const src = { address: '10.20.3.7', since: 1_800_000_002_000, user: 'ada', service: 'gold' }
	const file = viewsOf(
		story(
			['AccessRequested', { user: 'ada' }],
			['AccessAccepted', { user: 'ada' }],
			['PoolRequested', { client: 'hw:01', interface: 'eth0', dhcpOptions: {} }],
			[
				'PoolSelected',
				{ client: 'hw:01', by: 'src', pool: 'p', reason: 'r', request: 3, srcServer: 'local' },
			],
			[
				'SrcSessionOpened',
				{ ...src, session: 's1', server: 'local', authenticated: true, serviceClass: 'c' },
			],
			['AccountingStarted', { session: 'a' }],
			['AccountingStopped', { session: 'a', inputOctets: '9' }],
			['SubscriberTerminated', { cause: 'accounting-stop' }],
			[
				'SrcSessionClosed',
				{
					...src,
					session: 's1',
					server: 'local',
					cause: 'User-Request',
					endedAt: 1_800_000_007_500,
				},
			],
			[
				'SrcSessionClosed',
				{
					...src,
					cause: 'Lost-Carrier',
					endedAt: 1_800_000_008_000,
					unanswered: 'refused',
					server: undefined,
				},
			],
		),
	)
	assert.equal(ask(file, 'SELECT chosen_by, request, server FROM pool_decision'), [
		{ chosen_by: 'src', request: 3, server: 'local' },
	])
	const columns =
		'wap_sessions, src_sessions, wap_input_octets, src_began_at, src_ended_at, src_cause, src_class'
	assert.equal(ask(file, `SELECT ${columns} FROM accounting_domain`), [
		{
			wap_sessions: 1,
			src_sessions: 1,
			wap_input_octets: 9,
			src_began_at: src.since,
			src_ended_at: 1_800_000_007_500,
			src_cause: 'User-Request',
			src_class: 'c',
		},
	])
	assert.equal(
		ask(file, "SELECT id, session, stopped FROM accounting WHERE domain = 'src' ORDER BY id"),
		[
			{ id: 5, session: 2, stopped: 1 },
			{ id: 10, session: null, stopped: 0 },
		],
	)
})

test.run()
