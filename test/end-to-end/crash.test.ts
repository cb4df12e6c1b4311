/** Told means durable: whatever an answer says has happened is found in the journal after a crash. */
import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { type HomeServer, startHomeServer } from './home-server.ts'
import { type Load, startLoad } from './load.ts'
import { aloud, canRun, endAll, pause, until } from './processes.ts'
import {
	figureIn,
	type RecordedEvent,
	type RelayProcess,
	startRelay,
	upstreamSecret,
	wapSecret,
} from './relay-process.ts'

let home: HomeServer
let relay: RelayProcess
/** Before the crash, in the order of the journal. */
let recorded: RecordedEvent[]

test.before(
	aloud(async () => {
		home = await startHomeServer(upstreamSecret)
		const server = { address: '127.0.0.1', authentication: home.port, accounting: home.port }
		relay = await startRelay({ servers: [server] })
	}),
)
test.after(endAll)

/** The numbers of the requests whose answer stands in the journal. */
function answeredIn(events: readonly RecordedEvent[], outcome: string, field: string): Set<string> {
	const requests = new Map(events.map(event => [event.position, event]))
	const exchanges = events.filter(event => event.type === outcome)
	return new Set(
		exchanges.map(event => String(requests.get(Number(event.data['exchange']))?.data[field])),
	)
}

function everyAnswerRecorded(load: Load, events: readonly RecordedEvent[]): void {
	const logins = answeredIn(events, 'AccessAccepted', 'user')
	const starts = answeredIn(events, 'AccountingAnswered', 'session')
	for (const n of load.accepted) assert.ok(logins.has(`user${n}`), `login ${n} was answered`)
	for (const n of load.accounted) assert.ok(starts.has(String(n)), `start ${n} was answered`)
}

test('`kill -9` under load loses no answer that a client got, time and again', async () => {
	for (let crash = 1; crash <= 5; crash++) {
		if (crash > 1) await relay.restart()
		const earlier = relay.events().length
		const load = await startLoad(relay, wapSecret, 32)
		// Killed within microseconds of an answer: one that left before its commit would be found out.
		await load.answers(crash * 200)
		await relay.kill()
		await pause(100) // what was on its way to the clients arrives
		load.stop()
		recorded = relay.events()
		everyAnswerRecorded(load, recorded.slice(earlier))
	}
	assert.equal(
		recorded.map(event => event.position),
		recorded.map((_, i) => i + 1),
	)
})

test('no password and no secret stands anywhere in the data folder', () => {
	for (const name of readdirSync(relay.data)) {
		if (!statSync(join(relay.data, name)).isFile()) continue
		const bytes = readFileSync(join(relay.data, name))
		for (const secret of [wapSecret, upstreamSecret]) {
			assert.not.ok(bytes.includes(secret), `${secret} in ${name}`)
		}
	}
	assert.not.ok(relay.log().includes(wapSecret))
	assert.not.ok(relay.log().includes(upstreamSecret))
})

test('started again it goes on from there, with the figures of the journal', async () => {
	await relay.restart()
	const requested = recorded.filter(event => event.type === 'AccessRequested').length
	const accepted = recorded.filter(event => event.type === 'AccessAccepted').length
	const statistics = await until('the statistics have caught up', 5000, async () => {
		const text = await relay.exec('show radius relay authentication statistics')
		return figureIn(text, 'Access Requests') === requested ? text : undefined
	})
	assert.is(figureIn(statistics, 'Access Accepts'), accepted)
	assert.is(figureIn(statistics, 'Pending Requests'), 0)
	assert.equal(relay.events().slice(0, recorded.length), recorded)

	const load = await startLoad(relay, wapSecret, 4)
	await load.answers(20)
	load.stop()
})

test('two relays cannot own one data folder', async () => {
	const intruder = await startRelay({ servers: [], data: relay.data }).then(
		() => undefined,
		error => String(error.message),
	)
	assert.ok(intruder, 'the second relay started')
	assert.match(intruder, /The relay ended/)
	assert.ok(relay.program().running())
})

if (canRun("reading the journal with SQLite's own shell", 'sqlite3')) {
	test("SQLite's own shell reads the journal and finds it sound", async () => {
		const journal = join(relay.data, 'journal.db')
		const query = (sql: string) => execFileSync('sqlite3', ['-readonly', journal, sql]).toString()
		assert.is(query('PRAGMA integrity_check').trim(), 'ok')
		const sql = "SELECT count(*) FROM event WHERE type = 'AccessAccepted' AND position <="
		const accepted = recorded.filter(event => event.type === 'AccessAccepted').length
		assert.is(query(`${sql} ${recorded.length}`).trim(), String(accepted))
	})
}

test.run()
