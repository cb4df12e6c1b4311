/** The relay with its EventStoreDB mirror, as an operator runs it: both may go away at any time. */
import { readFileSync, rmSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { openMirror } from '../../adapters/eventstoredb/mirror.ts'
import { openTarget } from '../../adapters/eventstoredb/target.ts'
import { openMemoryJournal } from '../../adapters/journal/memory.ts'
import { openReader } from '../../adapters/journal/reader.ts'
import { relayStream, subscriberStream } from '../../domain/event.ts'
import { type EventStoreNode, startEventStoreNode } from '../eventstoredb/server.ts'
import { macOf, numberedEvent } from '../journal-events.ts'
import { selfSigned } from './credentials.ts'
import { type HomeServer, startHomeServer } from './home-server.ts'
import { startLoad } from './load.ts'
import {
	aloud,
	canRun,
	endAll,
	type Program,
	run,
	start,
	temporaryFolder,
	until,
} from './processes.ts'
import {
	type RelayProcess,
	readEvents,
	startRelay,
	upstreamSecret,
	wapSecret,
} from './relay-process.ts'

const main = resolve(import.meta.dirname, '../../src/main.ts')
const shown = ['show radius relay statistics', 'show radius relay statistics delta']
let home: HomeServer
let node: EventStoreNode
let relay: RelayProcess

const flags = () => ['--eventstore', `esdb://127.0.0.1:${node.port}?tls=false`]

test.before(
	aloud(async () => {
		home = await startHomeServer(upstreamSecret)
		node = await startEventStoreNode()
		relay = await startRelay({ servers: [server()], flags: flags() })
	}),
)
test.after(async () => {
	await endAll()
	node.stop()
})

function server() {
	return { address: '127.0.0.1', authentication: home.port, accounting: home.port }
}

async function traffic(answers: number): Promise<void> {
	const load = await startLoad(relay, wapSecret, 8)
	await load.answers(answers)
	load.stop()
}

/** What the store has of the relay, in the order of the journal. */
function mirrored() {
	return node.store
		.all()
		.filter(({ stream }) => !stream.startsWith('mirror-') && !stream.startsWith('$'))
		.map(({ stream, type, data, metadata }) => {
			const { position } = JSON.parse(String(Buffer.from(metadata)))
			return { position, stream, type, data: JSON.parse(String(Buffer.from(data))) }
		})
		.toSorted((a, b) => a.position - b.position)
}

async function untilMirrored(): Promise<void> {
	await until('the mirror has everything', 20_000, async () =>
		/Lag +0 events/.test(await relay.exec('show radius relay mirrors')),
	)
}

test('every event arrives, and the shell shows the mirror', async () => {
	await traffic(300)
	await untilMirrored()
	const shown = await relay.exec('show radius relay mirrors')
	assert.match(shown, new RegExp(`^EventStoreDB 127.0.0.1:${node.port}\n +State +following\n`))
	assert.equal(mirrored(), readEvents(relay.data).map(plain))
})

test('the relay answers while EventStoreDB is away, and the mirror catches up', async () => {
	node.stop()
	await traffic(200)
	await until('the shell says that it is away', 20_000, async () =>
		/State +waiting[\s\S]*Reason .*is away/.test(await relay.exec('show radius relay mirrors')),
	)
	await node.start()
	await untilMirrored()
	assert.equal(mirrored(), readEvents(relay.data).map(plain))
	assert.match(relay.log(), /"id":"mirror-waiting"/)
})

test('a relay that was killed goes on where the mirror stands', async () => {
	const load = await startLoad(relay, wapSecret, 8)
	await load.answers(200)
	await relay.kill()
	load.stop()
	await relay.restart()
	await untilMirrored()
	assert.equal(mirrored(), readEvents(relay.data).map(plain))
})

test('a relay that is stopped leaves nothing behind that is not mirrored', async () => {
	await traffic(100)
	await relay.stop()
	assert.equal(mirrored(), readEvents(relay.data).map(plain))
	assert.is(mirrored().at(-1)?.type, 'RelayStopped')
	await relay.restart()
})

test('a second relay with the same virtual router stops, and the first one goes on', async () => {
	const before = mirrored().length
	const second = await startRelay({ servers: [server()], flags: flags() })
	const { code } = await second.program().exited
	assert.is(code, 1)
	assert.match(second.log(), /"id":"second-relay"/)
	assert.match(second.log(), /two relays have the same virtual router/)
	await traffic(20)
	await untilMirrored()
	assert.equal(mirrored(), readEvents(relay.data).map(plain))
	assert.ok(mirrored().length > before)
})

test('an address that is none is refused at once', async () => {
	const args = ['serve', '--config', relay.config, '--data', `${relay.data}-2`]
	const { code, output } = await run(process.execPath, [main, ...args, '--eventstore', 'http://x'])
	assert.is(code, 1)
	assert.match(output, /^The EventStoreDB address is not a connection string/m)
})

test('TLS and a login: who is refused is told what to do, and no password is told to anybody', async () => {
	if (!canRun('TLS to EventStoreDB', 'openssl')) return
	const { certificate, keyFile } = await selfSigned()
	const guarded = await startEventStoreNode({
		tls: { certificate: readFileSync(certificate), key: readFileSync(keyFile) },
		login: 'mirror:s3same-open',
	})
	const url = (login: string) =>
		`esdb://${login}@127.0.0.1:${guarded.port}?tls=true&tlsCAFile=${certificate}`
	const mirrorsOf = async (login: string, shows: RegExp) => {
		const own = await startRelay({ servers: [server()], flags: ['--eventstore', url(login)] })
		let shown = ''
		await until(`the mirror shows ${shows}`, 20_000, async () => {
			shown = await own.exec('show radius relay mirrors')
			return shows.test(shown)
		})
		const told = own.log() + shown + JSON.stringify(own.events())
		assert.not.match(told, /s3same|wr0ng/)
		await own.stop()
	}
	await mirrorsOf('mirror:wr0ng-one', /State +waiting[\s\S]*refuses access: give .* a user who may/)
	assert.is(guarded.store.all().length, 0)
	await mirrorsOf('mirror:s3same-open', /State +following[\s\S]*Lag +0 events/)
	assert.ok(guarded.store.all().some(({ type }) => type === 'RelayStarted'))
	guarded.stop()
})

test('a lost relay is restored: the same journal, the same figures, and the mirror goes on', async () => {
	const figures = async (of: RelayProcess) =>
		Promise.all(shown.map(async command => of.exec(command)))
	await relay.exec('baseline radius relay')
	await traffic(100)
	await untilMirrored()
	const before = await figures(relay)
	await relay.stop()
	const data = join(temporaryFolder('restored'), 'data')
	const url = flags()[1]!
	const { code, output } = await run(process.execPath, [
		main,
		'restore',
		'--from',
		url,
		'--data',
		data,
	])
	assert.is(code, 0, output)
	assert.equal(journalOf(data), journalOf(relay.data))
	const verified = await run(process.execPath, [main, 'verify', '--data', data])
	assert.is(verified.code, 0, verified.output)
	const restored = await startRelay({ servers: [server()], flags: flags(), data })
	assert.equal(await figures(restored), before)
	relay = restored
	await traffic(50)
	await untilMirrored()
	assert.equal(mirrored(), readEvents(data).map(plain))
	await relay.stop()
	const sealed = await run(process.execPath, [main, 'verify', '--data', data])
	assert.is(sealed.code, 0, sealed.output)
	await relay.restart()
})

test('replay answers out of EventStoreDB what it answers out of the data folder', async () => {
	const replay = async (...from: string[]) =>
		run(process.execPath, [main, 'replay', '--subscriber', '02-00-00-00-00-01', '--json', ...from])
	await untilMirrored()
	const there = await replay('--eventstore', flags()[1]!)
	assert.is(there.code, 0, there.output)
	// Beside what it answers it may say how long reading takes.
	const answerIn = ({ output }: { output: string }) => JSON.parse(/^\{[\s\S]*^\}/m.exec(output)![0])
	assert.equal(answerIn(there), answerIn(await replay('--data', relay.data)))
	assert.match(there.output, /AccessRequested|AccountingStarted/)
})

test('serve-views shows every relay of the fleet, and follows them', async () => {
	await mirrorAnother()
	const data = join(temporaryFolder('fleet'), 'fleet')
	const args = [main, 'serve-views', '--from', flags()[1]!, '--data', data, '--http', '127.0.0.1:0']
	let fleet = start(process.execPath, args)
	const journal = openReader(relay.data).id
	await until('both relays are followed', 20_000, () => ports(fleet.output()).size === 2)
	await traffic(100)
	await untilMirrored()
	await untilSame(fleet, journal, data)
	const campus = await (await fetch(url(fleet, otherJournal, 'events'))).text()
	assert.match(campus, /relay-campus.*subscriber-campus/s)

	node.stop()
	await traffic(50)
	await node.start()
	await untilMirrored()
	await untilSame(fleet, journal, data)

	assert.is((await fleet.end('SIGTERM')).code, 0, fleet.output())
	assert.equal(journalOf(join(data, journal)), journalOf(relay.data))
	await traffic(50)
	await untilMirrored()
	rmSync(join(data, otherJournal), { recursive: true })
	fleet = start(process.execPath, args)
	await until('both relays are there again', 20_000, () => ports(fleet.output()).size === 2)
	assert.equal([...ports(fleet.output()).keys()].sort(), [journal, otherJournal].sort())
	await untilSame(fleet, journal, data)
	await until(
		'a folder that was deleted is filled again',
		20_000,
		() => readEvents(join(data, otherJournal)).length === 2,
	)
	await fleet.end('SIGTERM')
})

const otherJournal = 'c1a3a3d4-0c5e-4f0a-8e42-7d6f3b1e9a02'

/** A second relay, with the virtual router `campus`. */
async function mirrorAnother(): Promise<void> {
	const journal = openMemoryJournal({ id: otherJournal })
	const configuration = { release: '0', configuration: [] }
	journal.append([
		{ stream: relayStream('campus'), type: 'RelayStarted', v: 1, at: 1, data: configuration },
		{ ...numberedEvent(1), stream: subscriberStream('campus', macOf(1)) },
	])
	const target = openTarget(flags()[1]!, 10_000)
	const source = { journal: otherJournal, durable: journal.last, read: journal.read }
	const mirror = openMirror({ source, target, run: 'a' })
	await until('the other relay is mirrored', 10_000, () => mirror.state().position === 2)
	await mirror.close()
	await target.reset()
}

/** Ports of the HTTP servers by journal, as the log says. */
function ports(log: string): Map<string, number> {
	const found = log.matchAll(/"journal":"([^"]+)","port":(\d+)/g)
	return new Map([...found].map(([, journal, port]) => [journal!, Number(port)]))
}

function url(fleet: Program, journal: string, path: string): string {
	return `http://127.0.0.1:${ports(fleet.output()).get(journal)}/api/v1/${path}`
}

/** The read side has the relay's journal, and folds the same statistics from it. */
async function untilSame(fleet: Program, journal: string, data: string): Promise<void> {
	const { length } = readEvents(relay.data)
	await until('the read side has caught up', 20_000, async () => {
		const answer = await fetch(url(fleet, journal, 'relay'))
		return ((await answer.json()) as { position: number }).position === length
	})
	assert.equal(readEvents(join(data, journal)), readEvents(relay.data))
	const answer = await fetch(url(fleet, journal, 'statistics'))
	const text = await answer.text()
	assert.is(answer.status, 200, text)
	assert.match(
		text,
		new RegExp(`"total":${await relay.figure('authentication', 'Access Requests')}`),
	)
}

/** Id and events, as stored. */
function journalOf(data: string) {
	const reader = openReader(data)
	try {
		return { id: reader.id, events: reader.readStored(1, reader.last()) }
	} finally {
		reader.close()
	}
}

function plain({ position, stream, type, data }: ReturnType<typeof readEvents>[number]) {
	return { position, stream, type, data }
}

test.run()
