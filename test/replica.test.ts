/** A relay's history kept on another machine: what gets into its journal there. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { PlacedEvent } from '../domain/upcast.ts'
import { openReplica } from '../src/replica.ts'

const folder = mkdtempSync(join(tmpdir(), 'radledger-replica-'))
process.on('exit', () => rmSync(folder, { recursive: true, force: true }))

const log = { info() {}, warn() {}, error() {}, fatal() {} }
const open = () =>
	openReplica({
		folder,
		journal: '6f1a0c9e-52d1-4c3b-9a55-0e7d2c1b4a10',
		http: undefined,
		log,
		source: () => ({ name: 'esdb://127.0.0.1', trouble: null, fleet: [] }),
	})

function event(position: number, type = 'BaselineSet'): PlacedEvent {
	const data = { scope: 'radius relay' }
	return { position, stream: 'relay-default', type, v: 1, at: position, data }
}

test('events are kept in the order of their positions, whatever order they come in', async () => {
	const replica = await open()
	replica.take(event(2))
	replica.flush()
	assert.is(replica.last(), 0)
	assert.is(replica.waiting(), 1)
	replica.take(event(1))
	replica.flush()
	assert.is(replica.last(), 2)
	await replica.close()
})

test('an event that this release does not know is told, and does not get into the journal', async () => {
	const replica = await open()
	replica.take(event(3, 'OfAnotherRelease'))
	assert.throws(() => replica.flush(), /OfAnotherRelease/)
	assert.is(replica.last(), 2)
	await replica.close()
	const again = await open()
	again.take(event(3))
	again.flush()
	assert.is(again.last(), 3)
	await again.close()
})

test.run()
