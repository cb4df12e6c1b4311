/** `radledger verify`, `prove` and `erase` beside a relay that runs, as an operator uses them. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { spellingsOf } from '../../domain/erasure.ts'
import { startHomeServer } from './home-server.ts'
import { startLoad } from './load.ts'
import { aloud, endAll, run, temporaryFolder, until } from './processes.ts'
import { type RelayProcess, startRelay, upstreamSecret, wapSecret } from './relay-process.ts'

let relay: RelayProcess
const main = resolve(import.meta.dirname, '../../src/main.ts')
const radledger = (...args: string[]) => run(process.execPath, [main, ...args])

test.before(
	aloud(async () => {
		const home = await startHomeServer(upstreamSecret)
		const server = { address: '127.0.0.1', authentication: home.port, accounting: home.port }
		relay = await startRelay({ servers: [server] })
		await traffic(400)
	}),
)
test.after(endAll)

async function traffic(answers: number): Promise<void> {
	const load = await startLoad(relay, wapSecret, 8)
	await load.answers(answers)
	load.stop()
}

/** Names of files of the folder that have one of the texts. */
function found(texts: readonly string[]): string[] {
	return readdirSync(relay.data, { recursive: true, withFileTypes: true }).flatMap(entry => {
		if (!entry.isFile()) return []
		const octets = readFileSync(join(entry.parentPath, entry.name))
		return texts.some(text => octets.includes(text)) ? [entry.name] : []
	})
}

test('a live folder verifies, against a checkpoint kept elsewhere, and proves an event', async () => {
	const folder = temporaryFolder('auditor')
	const checkpoint = join(folder, 'checkpoint')
	await until('a checkpoint', 15_000, async () => {
		const { code, output } = await radledger('checkpoint', '--data', relay.data)
		writeFileSync(checkpoint, output)
		return code === 0
	})
	const key = (await radledger('seal-key', '--data', relay.data)).output.trim()
	const verified = await radledger(
		'verify',
		'--data',
		relay.data,
		'--key',
		key,
		'--checkpoint',
		checkpoint,
	)
	assert.is(verified.code, 0, verified.output)
	assert.match(verified.output, /Everything is right/)
	const proof = join(folder, 'proof')
	const made = await radledger(
		'prove',
		'--data',
		relay.data,
		'--position',
		'1',
		'--checkpoint',
		checkpoint,
		'--out',
		proof,
	)
	assert.is(made.code, 0, made.output)
	const proven = await radledger(
		'verify',
		'--proof',
		proof,
		'--checkpoint',
		checkpoint,
		'--key',
		key,
	)
	assert.is(proven.code, 0, proven.output)
	assert.match(proven.output, /The event was recorded at position 1 of radledger\//)
	assert.match(await relay.exec('show radius relay integrity'), /Events sealed +\d+/)
})

test('a subscriber is erased by the running relay, which goes on', async () => {
	const { data } = relay.events('AccessAccepted').at(-1)!
	const mac = String(data['mac'])
	const ask = () =>
		radledger('erase', '--data', relay.data, '--subscriber', mac, '--reason', 'asked for it')
	const refused = await ask()
	assert.is(refused.code, 1)
	assert.match(refused.output, /is on the network; end the session with "clear subscriber/)
	await relay.exec(`clear subscriber ${mac}`)
	const done = await ask()
	assert.is(done.code, 0, done.output)
	assert.match(done.output, /events up to position \d+ have F3-/)
	await until('the relay has forgotten', 15_000, () => found(spellingsOf(mac)).length === 0)
	const verified = await radledger('verify', '--data', relay.data)
	assert.is(verified.code, 0, verified.output)
	assert.match(verified.output, /Erased: \d+ events?\./)
	assert.is(relay.events('SubscriberErased').length, 1)
	await relay.stop()
	await relay.restart()
	const again = await radledger('verify', '--data', relay.data)
	assert.is(again.code, 0, again.output)
	await traffic(100)
})

test.run()
