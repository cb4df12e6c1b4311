/** The relay's end of a thread that copies the history: what becomes of one that breaks or has ended. */
import { once } from 'node:events'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { MirrorState } from '../domain/mirror.ts'
import { type MirrorThread, openMirrorThread } from '../src/mirror-thread.ts'

const log = { info() {}, warn() {}, fatal() {} }

// The threads alone do not keep the process.
const awake = setInterval(() => {}, 1_000)
test.after(() => clearInterval(awake))

/** A thread that runs `body`, in which `tell(state)` tells a state; each state that is told arrives. */
function threadOf(body: string): {
	thread: MirrorThread
	states: MirrorState['state'][]
	told: EventTarget
} {
	const code = `
		import { parentPort } from 'node:worker_threads'
		const tell = state => parentPort.postMessage({ state: { state, position: 1, reason: '' } })
		${body}`
	const states: MirrorState['state'][] = []
	const told = new EventTarget()
	const thread = openMirrorThread({
		module: new URL(`data:text/javascript,${encodeURIComponent(code)}`),
		workerData: {},
		...{ store: 'EventStoreDB', target: 'nowhere', id: 'mirror', subject: 'The mirror', log },
		heard({ state }) {
			states.push(state.state)
			told.dispatchEvent(new Event('told'))
		},
		restartMs: 20,
	})
	return { thread, states, told }
}

test('a thread that breaks is started again', async () => {
	const { thread, states, told } = threadOf("tell('catching up'); throw new Error('it broke')")
	while (states.length < 2) await once(told, 'told')
	await thread.close()
})

test('a thread that breaks while it is told to end is not started again', async () => {
	const { thread, states, told } = threadOf(
		"tell('following'); parentPort.on('message', () => { throw new Error('it broke') })",
	)
	await once(told, 'told')
	await thread.close()
	assert.is(thread.state().state, 'waiting')
	// Longer than it takes to be started again, which would be seen by what it tells.
	await new Promise(resolve => setTimeout(resolve, 300))
	assert.is(thread.state().state, 'waiting')
	assert.equal(states, ['following'])
})

test('to close what has ended by itself takes no time', async () => {
	const { thread, told } = threadOf("tell('stopped'); setTimeout(() => process.exit(0), 1)")
	await once(told, 'told')
	await new Promise(resolve => setTimeout(resolve, 200))
	const begun = performance.now()
	await thread.close()
	assert.ok(performance.now() - begun < 2_000)
})

test.run()
