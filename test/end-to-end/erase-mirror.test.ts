/** A subscriber is erased in the journal and in EventStoreDB; what is restored from there has nothing of him. */
import { readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { openReader } from '../../adapters/journal/reader.ts'
import { spellingsOf } from '../../domain/erasure.ts'
import { type EventStoreNode, startEventStoreNode } from '../eventstoredb/server.ts'
import { startHomeServer } from './home-server.ts'
import { startLoad } from './load.ts'
import { aloud, endAll, run, temporaryFolder, until } from './processes.ts'
import { type RelayProcess, startRelay, upstreamSecret, wapSecret } from './relay-process.ts'

const main = resolve(import.meta.dirname, '../../src/main.ts')
const radledger = (...args: string[]) => run(process.execPath, [main, ...args])
let node: EventStoreNode
let relay: RelayProcess
const url = () => `esdb://127.0.0.1:${node.port}?tls=false`

test.before(
	aloud(async () => {
		const home = await startHomeServer(upstreamSecret)
		node = await startEventStoreNode()
		const server = { address: '127.0.0.1', authentication: home.port, accounting: home.port }
		relay = await startRelay({ servers: [server], flags: ['--eventstore', url()] })
		const load = await startLoad(relay, wapSecret, 4)
		await load.answers(100)
		load.stop()
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

test('erase says what it could not reach, erase-mirror does that, and restore finds nothing', async () => {
	const { data } = relay.events('AccessAccepted').at(-1)!
	const mac = String(data['mac'])
	const traces = spellingsOf(mac)
	await relay.exec(`clear subscriber ${mac}`)
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
	assert.match(mirror.output, /^\d+ events of subscriber-default\.[-0-9A-F]+ in EventStoreDB/)
	assert.not.match(mirror.output, /events of subscriber-default\.\S+ stay/)
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
	// The newest event stays, so that the stream goes on counting; so do the streams' names, in their
	// metadata and in the mirror's newest checkpoints.
	const left = node.store.all().filter(event => JSON.stringify(plain(event)).includes(mac))
	const events = left.filter(({ stream }) => !/^(\$\$|mirror-)/.test(stream))
	assert.ok(events.length <= 1, events.map(({ stream, type }) => `${stream} ${type}`).join('\n'))
})

function eventsOf(folder: string) {
	const reader = openReader(folder)
	const events = reader.read(1, 1_000_000)
	reader.close()
	return events
}

function plain({ stream, data }: { readonly stream: string; readonly data: Uint8Array }) {
	return { stream, data: String(Buffer.from(data)) }
}

test.run()
