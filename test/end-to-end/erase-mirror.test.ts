/** A subscriber is erased in the journal and in EventStoreDB; what is restored from there has nothing of him. */
import { readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { openReader } from '../../adapters/journal/reader.ts'
import { spellingsOf } from '../../domain/erasure.ts'
import { freePorts } from '../../infra/free-ports.ts'
import { type EventStoreNode, startEventStoreNode } from '../eventstoredb/server.ts'
import { startHomeServer } from './home-server.ts'
import { startLoad } from './load.ts'
import { aloud, canRun, endAll, run, temporaryFolder, until } from './processes.ts'
import { type RelayProcess, startRelay, upstreamSecret, wapSecret } from './relay-process.ts'
import { calledStation, openWap, radclient } from './wap.ts'
import { accountingRequest, attribute, type } from './wire.ts'

const main = resolve(import.meta.dirname, '../../src/main.ts')
const radledger = (...args: string[]) => run(process.execPath, [main, ...args])
const dynamicSecret = 'secret-of-the-dynamic-server'
let dynamicPort: number
let node: EventStoreNode
let relay: RelayProcess
const url = () => `esdb://127.0.0.1:${node.port}?tls=false`

test.before(
	aloud(async () => {
		const home = await startHomeServer(upstreamSecret)
		node = await startEventStoreNode()
		const server = { address: '127.0.0.1', authentication: home.port, accounting: home.port }
		const [dynamic] = (await freePorts(1)) as [number]
		dynamicPort = dynamic
		relay = await startRelay({
			servers: [server],
			global: [
				'radius dynamic-request server 127.0.0.1',
				` key ${dynamicSecret}`,
				` udp-port ${dynamic}`,
				' subscriber disconnect',
				'exit',
			],
			flags: ['--eventstore', url()],
		})
		const load = await startLoad(relay, wapSecret, 4)
		await load.answers(100)
		load.stop()
		await visitOfErika()
	}),
)
test.after(async () => {
	await endAll()
	node.stop()
})

function found(folder: string, texts: readonly string[]): string[] {
	return readdirSync(folder, { recursive: true, withFileTypes: true }).flatMap(entry => {
		if (!entry.isFile()) return []
		const octets = readFileSync(join(entry.parentPath, entry.name))
		return texts.some(text => octets.includes(text)) ? [entry.name] : []
	})
}

async function untilMirrored(): Promise<void> {
	await until('the mirror has everything', 20_000, async () =>
		/Lag +0 events/.test(await relay.exec('show radius relay mirrors')),
	)
}

const mac = '02-AB-CD-EF-01-23'
const user = 'erika.mustermann'
const address = '10.77.3.9'
/** Whatever may tell of her: no other text of the test has any of it. */
const traces = [...spellingsOf(mac), user, address, '0a4d0309', '0A4D0309', '10-77-3-9']

/** Accounting, a command that names her, and a Disconnect-Request after she is gone. */
async function visitOfErika(): Promise<void> {
	const wap = await openWap(relay.accounting)
	for (const [identifier, status] of [1, 3].entries()) {
		const request = accountingRequest(wapSecret, identifier, [
			attribute(type.acctStatusType, status),
			attribute(type.acctSessionId, `${user}-1`),
			attribute(type.userName, user),
			attribute(type.callingStationId, mac),
			attribute(type.calledStationId, calledStation),
			attribute(8, Buffer.from([10, 77, 3, 9])),
		])
		assert.ok(await wap.ask(request.bytes), 'the accounting is answered')
	}
	wap.close()
	const commands = ['ip dhcp-local pool a', 'network 10.1.0.0 255.255.0.0']
	const typed = [...commands, `reserve 10.1.0.9 ${mac}`, 'no reserve 10.1.0.9', 'end', 'exit']
	const input = ['enable', 'configure terminal', ...typed, ''].join('\n')
	await run(process.execPath, [main, 'shell', '--data', relay.data], { input })
	assert.is(relay.events('ConfigurationChanged').length, 4)
	await relay.exec(`clear subscriber ${mac}`)
	if (!canRun('a Disconnect-Request', 'radclient')) return
	const named = `User-Name = "${user}"\nAcct-Session-Id = "gone"`
	await radclient(dynamicPort, 'disconnect', dynamicSecret, named)
	assert.is(relay.events('DisconnectRequested').length, 1)
}

test('erase says what it could not reach, erase-mirror does that, and restore finds nothing', async () => {
	await untilMirrored()
	const done = await radledger(
		'erase',
		'--data',
		relay.data,
		'--subscriber',
		mac,
		'--reason',
		'asked',
	)
	assert.is(done.code, 0, done.output)
	assert.match(done.output, /Not reached:\n - EventStoreDB.*: radledger erase-mirror --subscriber/)
	for (const place of ['JetStream', 'Exports', 'Copies and backups', 'configuration']) {
		assert.match(done.output, new RegExp(`\\n - .*${place}`))
	}
	await untilMirrored()

	const before = join(temporaryFolder('restored'), 'data')
	assert.is((await radledger('restore', '--from', url(), '--data', before)).code, 0)
	assert.ok(found(before, traces).length > 0, 'it was not reached')

	const mirror = await radledger(
		...['erase-mirror', '--subscriber', mac, '--from', url(), '--data', relay.data],
	)
	assert.is(mirror.code, 0, mirror.output)
	assert.match(mirror.output, /^Replaced by the erased form in EventStoreDB at /)
	assert.match(mirror.output, / - \d+ events of subscriber-default\.[-0-9A-F]+\n/)
	assert.match(mirror.output, / - [12] events? outside the streams of subscribers\n/)
	assert.not.match(mirror.output, /Left in|has events that no relay wrote|run this once more/)
	await untilMirrored()

	const after = join(temporaryFolder('restored'), 'data')
	const restored = await radledger('restore', '--from', url(), '--data', after)
	assert.is(restored.code, 0, restored.output)
	assert.equal(found(after, traces), [])
	await relay.stop()
	assert.equal(eventsOf(after), eventsOf(relay.data).slice(0, eventsOf(after).length))
	for (const folder of [after, relay.data]) {
		const verified = await radledger('verify', '--data', folder)
		assert.is(verified.code, 0, verified.output)
	}
	node.store.scavenge()
	const left = node.store.all().map(event => ({ ...event, text: plain(event) }))
	// The names of streams stay, as the command says.
	const has = ({ text }: { readonly text: string }) => traces.some(trace => text.includes(trace))
	assert.equal(
		left.filter(has).map(({ stream, type }) => `${stream} ${type}`),
		[],
	)
	const names = new Set(left.map(({ stream }) => stream).filter(name => name.includes(mac)))
	assert.equal(names, new Set([`subscriber-default.${mac}`, `$$subscriber-default.${mac}`]))
	const scavenged = join(temporaryFolder('restored'), 'data')
	assert.is((await radledger('restore', '--from', url(), '--data', scavenged)).code, 0)
	assert.equal(found(scavenged, traces), [])
	assert.equal(eventsOf(scavenged), eventsOf(relay.data).slice(0, eventsOf(scavenged).length))
})

test('erase-mirror says so where the mirror has not come as far as the erasure', async () => {
	const empty = await startEventStoreNode()
	try {
		const from = `esdb://127.0.0.1:${empty.port}?tls=false`
		const done = await radledger(
			...['erase-mirror', '--subscriber', mac, '--from', from, '--data', relay.data],
		)
		assert.is(done.code, 0, done.output)
		assert.match(done.output, /to position 0, and the erasure reaches to \d+: run this once more/)
	} finally {
		empty.stop()
	}
})

function eventsOf(folder: string) {
	const reader = openReader(folder)
	const events = reader.read(1, 1_000_000)
	reader.close()
	return events
}

function plain({ data, metadata }: { readonly data: Uint8Array; readonly metadata: Uint8Array }) {
	return `${Buffer.from(data)} ${Buffer.from(metadata)}`
}

test.run()
