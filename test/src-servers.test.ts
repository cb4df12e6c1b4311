/** Rotation among SRC servers, with simulated time. */
import fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import {
	firstPauseMs,
	newRotation,
	type Rotation,
	type RotationInput,
	rotate,
	type SrcServer,
	serverRoles,
	tryMs,
	unansweredLimit,
} from '../domain/sae/servers.ts'

const retryMs = 90_000
const servers: readonly SrcServer[] = serverRoles.map((role, i) => ({
	role,
	address: `10.0.0.${i + 1}`,
	port: 4222,
}))

/** Given so many servers, when these things happen at these times, then ... */
function scenario(count = 3) {
	let rotation = newRotation(servers.slice(0, count), retryMs)
	const done: string[] = []
	let now = 0
	const scene = {
		rotation: (): Rotation => rotation,
		/** What was done with connections since it was last asked: `connect 0`. */
		effects: () => done.splice(0).join(', '),
		after(ms: number) {
			now += ms
			return scene.when({ kind: 'tick' })
		},
		when(...inputs: RotationInput[]) {
			for (const input of inputs) {
				const step = rotate(rotation, input, now)
				rotation = step.rotation
				done.push(...step.effects.map(({ kind, server }) => `${kind} ${server}`))
			}
			return scene
		},
		expect(state: Rotation['state'], current: number, effects: string) {
			assert.is(scene.effects(), effects)
			assert.is(rotation.state, state)
			assert.is(rotation.current, current)
			return scene
		},
	}
	return scene
}

const start: RotationInput = { kind: 'start' }
const connected = (server: number): RotationInput => ({ kind: 'connected', server })
const failed = (server: number): RotationInput => ({ kind: 'failed', server })
const answered = (server: number): RotationInput => ({ kind: 'answered', server })
const silent = (server: number): RotationInput => ({ kind: 'unanswered', server, nobody: false })
const nobody = (server: number): RotationInput => ({ kind: 'unanswered', server, nobody: true })

test('the primary is tried first, and asked once it is connected', () => {
	scenario()
		.expect('NoConnection', -1, '')
		.when(start)
		.expect('trying', 0, 'connect 0')
		.when(connected(0))
		.expect('connected', 0, '')
})

test('without a server there is nothing to try', () => {
	scenario(0).when(start).after(retryMs).expect('NoConnection', -1, '')
})

test('servers that fail are passed by; then comes a pause, which doubles up to the retry timer', () => {
	const scene = scenario().when(start, failed(0), failed(1))
	scene.expect('trying', 2, 'connect 0, connect 1, connect 2')
	scene.when(failed(2)).expect('NoConnection', -1, '')
	scene.after(firstPauseMs - 1).expect('NoConnection', -1, '')
	scene.after(1).expect('trying', 0, 'connect 0')
	let pause = firstPauseMs
	for (let round = 0; round < 12; round++) {
		scene.when(failed(0), failed(1), failed(2)).expect('NoConnection', -1, 'connect 1, connect 2')
		pause = Math.min(pause * 2, retryMs)
		scene.after(pause - 1).expect('NoConnection', -1, '')
		scene.after(1).expect('trying', 0, 'connect 0')
	}
	assert.is(pause, retryMs)
})

test('a server that accepts no connection in time is left', () => {
	scenario()
		.when(start)
		.after(tryMs - 1)
		.expect('trying', 0, 'connect 0')
		.after(1)
		.expect('trying', 1, 'close 0, connect 1')
})

test('a broken connection: the next server; a single one is tried again', () => {
	scenario()
		.when(start, connected(0), answered(0), failed(0))
		.expect('trying', 1, 'connect 0, connect 1')
		.when(failed(1), failed(2))
		.expect('trying', 0, 'connect 2, connect 0')
	scenario(1)
		.when(start, connected(0), answered(0), failed(0))
		.expect('trying', 0, 'connect 0, connect 0')
		.when(failed(0))
		.expect('NoConnection', -1, '')
})

test('questions in a row without an answer move to the next server', () => {
	const scene = scenario().when(start, connected(0))
	scene.effects()
	for (let i = 1; i < unansweredLimit; i++) scene.when(silent(0)).expect('connected', 0, '')
	// One answer, and the count begins anew.
	scene.when(answered(0))
	for (let i = 1; i < unansweredLimit; i++) scene.when(silent(0)).expect('connected', 0, '')
	scene.when(silent(0)).expect('trying', 1, 'close 0, connect 1')
	// What the server that was left still owes counts no more.
	scene.when(silent(0), silent(0), silent(0)).expect('trying', 1, '')
})

test('where nobody listens, the first question is enough', () => {
	scenario()
		.when(start, connected(0), nobody(0))
		.expect('trying', 1, 'connect 0, close 0, connect 1')
})

test('servers that connect and never answer end in a pause, not in a circle', () => {
	const scene = scenario(2).when(start, connected(0), nobody(0), connected(1), nobody(1))
	scene.expect('NoConnection', -1, 'connect 0, close 0, connect 1, close 1')
})

test('the return: the primary is tried beside, and its first answer takes over', () => {
	const scene = scenario().when(start, failed(0), connected(1), answered(1))
	scene.effects()
	scene.after(retryMs - 1).expect('connected', 1, '')
	scene.after(1).expect('connected', 1, 'connect 0')
	scene.when(connected(0)).expect('connected', 1, '')
	assert.ok(scene.rotation().probeConnected)
	// However long no question comes.
	scene.after(10 * retryMs).expect('connected', 1, '')
	scene.when(answered(1)).expect('connected', 1, '')
	scene.when(answered(0)).expect('connected', 0, 'close 1')
	scene.after(10 * retryMs).expect('connected', 0, '')
})

test('a primary that connects and does not answer takes nothing away', () => {
	for (const silence of [silent(0), nobody(0)]) {
		const scene = scenario().when(start, failed(0), connected(1), answered(1)).after(retryMs)
		scene.effects()
		scene.when(connected(0), silence).expect('connected', 1, 'close 0')
		scene.after(retryMs).expect('connected', 1, 'connect 0')
	}
})

test('the tertiary may return to the secondary while the primary stays away', () => {
	const scene = scenario().when(start, failed(0), failed(1), connected(2), answered(2))
	scene.effects()
	scene.after(retryMs).expect('connected', 2, 'connect 0')
	scene.after(tryMs).expect('connected', 2, 'close 0, connect 1')
	scene.when(connected(1), answered(1)).expect('connected', 1, 'close 2')
	// And from there to the primary.
	scene.after(retryMs).when(failed(0)).expect('connected', 1, 'connect 0')
	scene.after(retryMs).when(connected(0), answered(0)).expect('connected', 0, 'connect 0, close 1')
})

test('where the current server fails, one that is tried beside it takes its place', () => {
	const ready = scenario().when(start, failed(0), connected(1), answered(1)).after(retryMs)
	ready.effects()
	ready.when(connected(0), failed(1)).expect('connected', 0, '')
	const trying = scenario().when(start, failed(0), connected(1), answered(1)).after(retryMs)
	trying.effects()
	trying.when(failed(1)).expect('trying', 0, '').when(connected(0)).expect('connected', 0, '')
})

test('a connection that lasted makes the next pause short again', () => {
	const scene = scenario(1).when(start, failed(0)).after(firstPauseMs).when(failed(0))
	assert.is(scene.rotation().pauseMs, 4 * firstPauseMs)
	scene
		.after(2 * firstPauseMs)
		.when(connected(0))
		.after(retryMs)
		.when(failed(0))
	scene.effects()
	scene.after(firstPauseMs).expect('trying', 0, 'connect 0')
})

test('restart and stop let go of every connection', () => {
	const scene = scenario().when(start, failed(0), connected(1), answered(1)).after(retryMs)
	scene.effects()
	scene.when(start).expect('trying', 0, 'close 1, close 0, connect 0')
	scene.when({ kind: 'stop' }).expect('NoConnection', -1, 'close 0')
	scene.after(10 * retryMs).expect('NoConnection', -1, '')
})

test('whatever happens: a connection has one owner, and there is always a way on', () => {
	const input = fc.oneof(
		fc
			.constantFrom<RotationInput['kind']>('connected', 'failed', 'answered', 'unanswered')
			.chain(kind =>
				fc
					.tuple(fc.nat(2), fc.boolean())
					.map(
						([server, none]) =>
							(kind === 'unanswered'
								? { kind, server, nobody: none }
								: { kind, server }) as RotationInput,
					),
			),
		fc.nat(2 * retryMs),
	)
	const check = (inputs: readonly (RotationInput | number)[]) => {
		const scene = scenario().when(start)
		const open = new Set<number>()
		const follow = () => {
			for (const effect of scene.effects().split(', ')) {
				const [kind, server] = [effect.split(' ')[0], Number(effect.split(' ')[1])]
				if (kind === 'connect') {
					assert.not.ok(open.has(server), `${server} was connected twice`)
					open.add(server)
				} else if (kind === 'close') open.delete(server)
			}
		}
		follow()
		for (const next of inputs) {
			if (typeof next === 'number') scene.after(next)
			// Only what is connected, or being connected, can be heard of.
			else if ('server' in next && open.has(next.server)) {
				if (next.kind === 'failed') open.delete(next.server)
				scene.when(next)
			}
			follow()
			const { state, current, probe, timerAt } = scene.rotation()
			assert.equal([...open].sort(), [current, probe].filter(server => server >= 0).sort())
			assert.is(state === 'NoConnection', current < 0)
			assert.ok(state !== 'trying' || timerAt < Number.POSITIVE_INFINITY)
			assert.ok(probe < 0 || probe < current)
		}
	}
	fc.assert(fc.property(fc.array(input, { maxLength: 40 }), check), { seed: 4, numRuns: 500 })
})

test.run()
