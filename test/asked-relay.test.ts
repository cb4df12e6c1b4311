/** What the HTTP server asks the relay for: how often, how long it waits, and what it gives again. */
import { EventEmitter } from 'node:events'
import type { MessagePort } from 'node:worker_threads'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { openAskedRelay } from '../src/asked-relay.ts'
import type { FromThread } from '../src/http-messages.ts'

/** A port whose other side the test is, and a clock that it turns. */
function asking() {
	const asked: Extract<FromThread, { kind: 'ask' }>[] = []
	const port = Object.assign(new EventEmitter(), {
		postMessage: (message: Extract<FromThread, { kind: 'ask' }>) => asked.push(message),
	})
	const clock = { now: 5000 }
	const live = openAskedRelay(port as unknown as MessagePort, () => clock.now)
	const answer = (at: number, told: unknown) =>
		port.emit('message', { kind: 'answer', id: asked[at]!.id, answer: told })
	return { live, asked, answer, clock, port }
}

/** Runs with timers that end when the test says so. */
async function withTimers(task: (end: () => void) => Promise<void>): Promise<void> {
	const { setTimeout, clearTimeout } = globalThis
	const open = new Map<object, { readonly end: () => void; readonly ms: number }>()
	globalThis.setTimeout = ((end: () => void, ms: number) => {
		const timer = {}
		open.set(timer, { end, ms })
		return timer
	}) as unknown as typeof setTimeout
	globalThis.clearTimeout = ((timer: object) => open.delete(timer)) as typeof clearTimeout
	try {
		await task(() => {
			for (const { end, ms } of open.values()) if (ms === 2000) end()
			open.clear()
		})
	} finally {
		Object.assign(globalThis, { setTimeout, clearTimeout })
	}
}

test('a status is given again for a second, and no longer', async () => {
	const { live, asked, answer, clock } = asking()
	const first = live.status()
	const beside = live.status()
	answer(0, 'first')
	assert.equal([await first, await beside, asked.length], ['first', 'first', 1])
	clock.now += 1000
	assert.is(await live.status(), 'first')
	clock.now += 1
	const second = live.status()
	answer(1, 'second')
	assert.is(await second, 'second')
	assert.equal(
		asked.map(({ question }) => question.kind),
		['status', 'status'],
	)
})

test('statistics and baselines are asked for each time, and every answer goes to its question', async () => {
	const { live, asked, answer, port } = asking()
	const one = live.statistics({ of: 'dhcp' })
	const other = live.statistics({ of: 'dhcp' })
	const baseline = live.setBaseline('default', 'radius relay')
	port.emit('message', { kind: 'answer', id: 99, answer: 'nobody asked' })
	for (const at of [2, 0, 1]) answer(at, at)
	assert.equal(await Promise.all([one, other, baseline]), [0, 1, 2])
	assert.is(asked.length, 3)
})

test('a relay that does not answer is waited for two seconds, and asked again no sooner than else', () =>
	withTimers(async end => {
		const { live, asked, answer, clock } = asking()
		const silent = live.status()
		clock.now += 1001
		const next = live.status()
		assert.is(asked.length, 2)
		answer(1, 'next')
		end()
		await silent.then(
			() => assert.unreachable('nobody has answered'),
			error => assert.match(error.message, /within two seconds/),
		)
		assert.is(await live.status(), 'next')
		assert.is(asked.length, 2, 'what the first question came to does not touch the second')
		assert.is(await next, 'next')
		clock.now += 1001
		const late = live.status()
		answer(0, 'too late')
		answer(2, 'fresh')
		assert.is(await late, 'fresh')
	}))

test.run()
