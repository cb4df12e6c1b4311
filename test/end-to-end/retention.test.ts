/** `retention` on a running relay and on a stopped one's folder, with events of months ago. */
import { cpSync, readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { openJournal } from '../../adapters/journal/journal.ts'
import { spellingsOf } from '../../domain/erasure.ts'
import { type NewEvent, subscriberStream } from '../../domain/event.ts'
import { startHomeServer } from './home-server.ts'
import { startLoad } from './load.ts'
import { aloud, endAll, run, temporaryFolder } from './processes.ts'
import { type RelayProcess, startRelay, upstreamSecret, wapSecret } from './relay-process.ts'

const day = 86_400_000
const old = '02-AB-CD-EF-01-23'
const live = '02-AB-CD-EF-04-56'
const recent = '02-AB-CD-EF-07-89'
/** What must be in no file afterwards. */
const traces = [...spellingsOf(old), 'erika.mustermann', 'erikas-telefon', 'sess-0815', 'Frau M']
const main = resolve(import.meta.dirname, '../../src/main.ts')
const radledger = (...args: string[]) => run(process.execPath, [main, ...args])
const data = join(temporaryFolder('months'), 'data')
const copy = join(temporaryFolder('months'), 'copy')
let relay: RelayProcess

test.before(
	aloud(async () => {
		const journal = openJournal({ folder: data, reserveLog: false })
		const ago = (days: number) => Date.now() - days * day
		for (let number = 0; number < 20; number++) {
			journal.append(visit(old, 'erika.mustermann', ago(200 - number)))
		}
		journal.append(visit(live, 'still.here', ago(150)).slice(0, 3))
		journal.append(visit(recent, 'last.week', ago(7)))
		journal.close()
		cpSync(data, copy, { recursive: true })
		const home = await startHomeServer(upstreamSecret)
		const server = { address: '127.0.0.1', authentication: home.port, accounting: home.port }
		const days = ['authentication', 'accounting', 'lease'].map(kind => `retention ${kind} days 90`)
		const global = [...days, 'radius relay idle-timeout 31536000']
		relay = await startRelay({ servers: [server], data, global })
	}),
)
test.after(endAll)

function visit(mac: string, user: string, at: number): NewEvent[] {
	const stream = subscriberStream('default', mac)
	const wap = '0A-00-00-00-00-01'
	const server = '198.51.100.1:1812'
	const seen = { client: '192.0.2.1', mac, wap, user, server }
	const answered = { exchange: 1, client: '192.0.2.1', server, roundTripUs: 900 }
	const accounting = { ...seen, session: mac === old ? 'sess-0815' : 'sess', class: user }
	const lease = { mac, client: `id:${mac}`, pool: 'students', address: '10.0.0.5' }
	const granted = { leaseSeconds: 600, expiresAt: at + 600_000, hostname: 'erikas-telefon' }
	const own = mac === old
	return [
		{ stream, type: 'AccessRequested', v: 1, at, data: seen },
		{ stream, type: 'AccessAccepted', v: 1, at, data: { ...answered, mac, wap, user } },
		{ stream, type: 'AccountingStarted', v: 1, at, data: accounting },
		{ stream, type: 'AccessRequested', v: 1, at, data: seen },
		{
			stream,
			type: 'AccessRejected',
			v: 1,
			at,
			data: { ...answered, replyMessage: own ? 'Frau M: not today' : 'not today' },
		},
		...(own
			? [{ stream, type: 'LeaseGranted', v: 1, at, data: { ...lease, ...granted } } as const]
			: []),
		{ stream, type: 'AccountingStopped', v: 1, at: at + 5, data: accounting },
		{
			stream,
			type: 'SubscriberTerminated',
			v: 1,
			at: at + 5,
			data: { mac, wap, cause: 'accounting-stop', since: at },
		},
		...(own
			? [
					{
						stream,
						type: 'LeaseReleased',
						v: 1,
						at: at + 6,
						data: { ...lease, cause: 'session', heldUntil: at + 60_000 },
					} as const,
				]
			: []),
	]
}

/** Names of files of the folder that have one of the texts. */
function found(folder: string, texts: readonly string[]): string[] {
	return readdirSync(folder, { recursive: true, withFileTypes: true }).flatMap(entry => {
		if (!entry.isFile()) return []
		const octets = readFileSync(join(entry.parentPath, entry.name))
		return texts.filter(text => octets.includes(text)).map(text => `${entry.name}: ${text}`)
	})
}

test('a running relay lets go of what is old, when it is told to', async () => {
	assert.match(
		await relay.exec('show retention'),
		/authentication +90 days: since .*\n.*accounting/,
	)
	assert.match(await relay.exec('show retention'), /Last applied +never/)
	const load = await startLoad(relay, wapSecret, 4)
	await load.answers(100)
	load.stop()
	assert.ok(found(data, traces).length > 0)
	const shown = ['show radius relay statistics', 'show subscribers']
	const before = await Promise.all(shown.map(relay.exec))
	const said = await relay.exec('retention apply')
	assert.match(said, /^180 events up to position \d+ lost what is personal.*20 AccessAccepted/)
	assert.match(said, /Of 1 subscriber nothing is left but a pseudonym/)
	assert.match(said, /Not reached:\n - EventStoreDB/)
	assert.equal(found(data, traces), [])
	assert.equal(await Promise.all(shown.map(relay.exec)), before)
	assert.match(before[1]!, new RegExp(live), 'who is on the network stays')
	assert.ok(found(data, ['still.here']).length > 0)
	assert.ok(found(data, ['last.week']).length > 0)

	const lines = await relay.exec('show retention')
	assert.match(lines, /Events then +180\n/)
	assert.match(lines, /Subscribers +1 of whom/)
	assert.match(lines, /Last looked through +\d{4}-/)
	const verified = await radledger('verify', '--data', data)
	assert.is(verified.code, 0, verified.output)
	const [applied, ...others] = relay.events('RetentionApplied')
	assert.equal(others, [])
	assert.is(applied?.data['events'], 180)
	const again = await radledger('retain', '--data', data)
	assert.match(again.output, /Nothing that may go is older than its days/)
	assert.is(again.code, 0)
})

test('a start finds the same, and the statistics are those of before', async () => {
	const before = await relay.exec('show radius relay statistics')
	const retention = await relay.exec('show retention')
	await relay.stop()
	assert.equal(found(data, traces), [])
	await relay.restart()
	assert.is(await relay.exec('show radius relay statistics'), before)
	const line = (text: string) => text.split('\n').find(row => row.includes('Last applied'))
	assert.is(line(await relay.exec('show retention')), line(retention))
	const verified = await radledger('verify', '--data', data)
	assert.is(verified.code, 0, verified.output)
})

test('radledger retain does the same on a folder without a relay', async () => {
	assert.ok(found(copy, traces).length > 0)
	const without = await radledger('retain', '--data', copy)
	assert.is(without.code, 1)
	assert.match(without.output, /--config must say what its retention is/)
	const done = await radledger('retain', '--data', copy, '--config', relay.config)
	assert.is(done.code, 0, done.output)
	assert.match(done.output, /^180 events up to position/)
	assert.equal(found(copy, traces), [])
	assert.ok(found(copy, ['last.week']).length > 0)
	const verified = await radledger('verify', '--data', copy)
	assert.is(verified.code, 0, verified.output)
	const nowhere = join(copy, 'nowhere')
	const missing = await radledger('retain', '--data', nowhere, '--config', relay.config)
	assert.is(missing.code, 1)
	assert.not.ok(readdirSync(copy).includes('nowhere'))
})

test.run()
