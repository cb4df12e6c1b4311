/** Statistics are folded from the journal: without views and snapshots they come out the same. */
import { existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { type HomeServer, startHomeServer } from './home-server.ts'
import { startLoad } from './load.ts'
import { aloud, endAll } from './processes.ts'
import { type RelayProcess, startRelay, upstreamSecret, wapSecret } from './relay-process.ts'

let home: HomeServer
let relay: RelayProcess

const shown = [
	'show radius relay statistics',
	'show radius relay statistics delta',
	'show radius relay statistics 127.0.0.1 delta',
	'show radius statistics delta',
]
const figures = async () => Promise.all(shown.map(command => relay.exec(command)))

test.before(
	aloud(async () => {
		home = await startHomeServer(upstreamSecret)
		const server = { address: '127.0.0.1', authentication: home.port, accounting: home.port }
		relay = await startRelay({ servers: [server] })
	}),
)
test.after(endAll)

async function traffic(answers: number): Promise<void> {
	const load = await startLoad(relay, wapSecret, 8)
	await load.answers(answers)
	load.stop()
}

test('a baseline counts from where it was set', async () => {
	await traffic(300)
	await relay.exec('baseline radius relay')
	await relay.exec('baseline radius')
	assert.match(await relay.exec(shown[1]!), /Access Requests +0\n/)
	await traffic(200)
	assert.match(await relay.exec(shown[1]!), /Access Requests +[1-9]\d*\n/)
})

test('after a restart without any snapshot every figure is the same, baselines too', async () => {
	await relay.stop()
	await relay.restart()
	const before = await figures()
	assert.match(before[1]!, /Statistics baseline set /)
	await relay.stop()
	const snapshots = join(relay.data, 'snapshots')
	assert.ok(existsSync(snapshots))
	rmSync(snapshots, { recursive: true })
	rmSync(join(relay.data, 'index.db'), { force: true })
	await relay.restart()
	assert.equal(await figures(), before)
})

test.run()
