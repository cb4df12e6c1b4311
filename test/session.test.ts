/** A subscriber's session: what begins, moves and ends it, and that it is only folded. */
import fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { decide } from '../domain/decide.ts'
import { idleSessions } from '../domain/session.ts'
import type { Session } from '../domain/session-table.ts'
import { evolve, initialState, type State } from '../domain/state.ts'
import { stateFromPieces, statePieces } from '../domain/state-snapshot.ts'
import {
	isLateStart,
	noteStop,
	type StoppedSessions,
	stoppedLimits,
} from '../src/engine/stopped-sessions.ts'
import { recoverState, saveState } from '../src/recover.ts'
import { assertInvariants, ofType } from './relay-invariants.ts'
import {
	accessRequest,
	answerPacket,
	called,
	oneServer,
	type PacketOptions,
	relayServers,
	requestPacket,
	type SimulatedRelay,
	simulatedRelay,
	type TestAttribute,
	u32,
} from './simulated-relay.ts'
import { stateToJson } from './state-json.ts'

const mac = '02-00-00-00-00-01'
const firstWap = '00-11-22-33-44-55'
const otherWap = '00-11-22-33-44-66'
const day = 24 * 3600 * 1000

let identifier = 0
function next(): { identifier: number; nonce: number } {
	identifier = (identifier + 1) & 255
	return { identifier, nonce: identifier }
}

function sessions(relay: SimulatedRelay): Session[] {
	return [...(relay.state.routers.get('default')?.sessions.values() ?? [])]
}

function at(wap: string, subscriber = mac): TestAttribute[] {
	return [
		[1, 'alice@example.org'],
		[30, `${wap}:campus`],
		[31, subscriber],
	]
}

function authenticate(
	relay: SimulatedRelay,
	wap: string,
	attributes: TestAttribute[] = [],
	place: TestAttribute[] = [],
): void {
	const asked = [...at(wap), ...place]
	const [forwarded] = relay.fromWap(requestPacket({ code: 1, ...next(), attributes: asked }))
	relay.fromHome(forwarded!, answerPacket(forwarded!.bytes, { code: 2, attributes }))
}

const statuses = { start: 1, stop: 2, interim: 3, on: 7, off: 8 } as const

function account(
	relay: SimulatedRelay,
	status: keyof typeof statuses,
	wap: string,
	session = 's1',
	place: TestAttribute[] = [],
): void {
	const about = at(wap).slice(0, status === 'on' || status === 'off' ? 2 : 3)
	const attributes: TestAttribute[] = [[40, u32(statuses[status])], ...about, [44, session]]
	attributes.push(...place)
	const [forwarded] = relay.fromWap(requestPacket({ code: 4, ...next(), attributes }))
	relay.fromHome(forwarded!, answerPacket(forwarded!.bytes, { code: 5 }))
}

test('an Access-Accept begins a session with what it says', async () => {
	const relay = await simulatedRelay()
	authenticate(relay, firstWap, [
		[1, 'alice'],
		[25, 'gold'],
		[26, [0, 0, 0x13, 0x0a, 31, 6, 118, 111, 105, 112]],
	])
	const [session, ...none] = sessions(relay)
	assert.is(none.length, 0)
	assert.is(session!.mac, mac)
	assert.is(session!.wap, firstWap)
	assert.is(session!.user, 'alice')
	assert.is(session!.class, 'gold')
	assert.is(session!.serviceBundle, 'voip')
	assert.is(session!.since, relay.engine.at)
})

test('an Access-Reject and a Challenge begin none', async () => {
	const relay = await simulatedRelay()
	for (const code of [3, 11]) {
		const [forwarded] = relay.fromWap(accessRequest(next()))
		relay.fromHome(forwarded!, answerPacket(forwarded!.bytes, { code }))
	}
	assert.equal(sessions(relay), [])
})

test('a reauthentication is recorded as one and changes nothing in the session', async () => {
	const relay = await simulatedRelay()
	authenticate(relay, firstWap, [
		[1, 'alice'],
		[25, 'gold'],
	])
	const before = structuredClone(sessions(relay))
	relay.pass(1000)
	authenticate(relay, firstWap, [
		[1, 'bob'],
		[25, 'silver'],
		[26, [0, 0, 0x13, 0x0a, 31, 6, 118, 111, 105, 112]],
	])
	assert.equal(sessions(relay), before)
	const requested = ofType(relay, 'AccessRequested').map(({ data }) => data.reauthentication)
	const accepted = ofType(relay, 'AccessAccepted').map(({ data }) => data.reauthentication)
	assert.equal(requested, [undefined, true])
	assert.equal(accepted, [undefined, true])
	assert.is(ofType(relay, 'AccessAccepted')[1]!.data.class, 'silver', 'but it is on record')
})

test('a rejected reauthentication leaves the session alone', async () => {
	const relay = await simulatedRelay()
	authenticate(relay, firstWap)
	const [forwarded] = relay.fromWap(accessRequest(next()))
	relay.fromHome(forwarded!, answerPacket(forwarded!.bytes, { code: 3 }))
	assert.is(sessions(relay).length, 1)
})

test('a Start of a subscriber who is unknown begins a session', async () => {
	const relay = await simulatedRelay()
	account(relay, 'start', firstWap)
	assert.is(sessions(relay)[0]!.accounting, 's1')
	assert.is(sessions(relay)[0]!.wap, firstWap)
})

test('roaming moves the session and changes nothing else', async () => {
	const relay = await simulatedRelay()
	authenticate(relay, firstWap, [[25, 'gold']])
	account(relay, 'start', firstWap)
	const before = structuredClone(sessions(relay)[0]!)
	authenticate(relay, otherWap, [[25, 'silver']])
	assert.equal(sessions(relay), [{ ...before, wap: otherWap }])
	const router = relay.state.routers.get('default')!
	assert.equal([...router.subscribersByWap], [[otherWap, new Set([mac])]])
})

test('the port goes with the access point, and a packet without one takes it from nobody', async () => {
	const relay = await simulatedRelay()
	const port = () => sessions(relay)[0]!.port
	const nasPort: TestAttribute = [5, u32(17)]
	authenticate(relay, firstWap, [], [nasPort, [87, 'wlan0']])
	assert.is(port(), 'wlan0')
	account(relay, 'start', firstWap)
	assert.is(port(), 'wlan0')
	account(relay, 'start', firstWap, 's2', [nasPort])
	assert.is(port(), 17)
	account(relay, 'start', otherWap, 's3')
	assert.is(port(), undefined, 'another access point has other ports')
	authenticate(relay, firstWap, [], [nasPort])
	assert.is(port(), 17)
})

test('sessions are saved and put back, with a port or without one', async () => {
	const places: TestAttribute[][] = [[], [[5, u32(17)]], [[87, 'wlan0']]]
	const addressed: TestAttribute = [8, [10, 0, 0, 9]]
	for (const place of places) {
		for (const attributes of [[], [addressed]]) {
			const relay = await simulatedRelay()
			authenticate(relay, firstWap, attributes, place)
			const saved = JSON.parse(JSON.stringify([...statePieces(relay.state)]))
			assert.equal(stateFromPieces(saved), relay.state)
		}
	}
})

test('the Stop of a WAP that was left ends nothing', async () => {
	const relay = await simulatedRelay()
	authenticate(relay, firstWap)
	account(relay, 'start', firstWap, 's1')
	authenticate(relay, otherWap)
	account(relay, 'stop', firstWap, 's1')
	account(relay, 'start', otherWap, 's2')
	account(relay, 'stop', firstWap, 's1')
	assert.is(sessions(relay).length, 1)
	// Nor does a Stop of an earlier session at the WAP where the subscriber is now.
	account(relay, 'stop', otherWap, 's0')
	assert.is(sessions(relay).length, 1)
	assert.is(ofType(relay, 'SubscriberTerminated').length, 0)
	account(relay, 'stop', otherWap, 's2')
	assert.equal(sessions(relay), [])
})

test('a Stop ends the session, and names its beginning', async () => {
	const relay = await simulatedRelay()
	authenticate(relay, firstWap)
	const { since } = sessions(relay)[0]!
	account(relay, 'start', firstWap)
	account(relay, 'stop', firstWap)
	assert.equal(sessions(relay), [])
	const [terminated] = ofType(relay, 'SubscriberTerminated')
	assert.equal(terminated!.data, { mac, wap: firstWap, cause: 'accounting-stop', since })
	assert.is(terminated!.stream, `subscriber-default.${mac}`)
	assert.is(relay.state.routers.get('default')!.subscribersByWap.size, 0)
})

test('late Interim-Updates and repeated Stops resurrect nothing', async () => {
	const relay = await simulatedRelay()
	account(relay, 'start', firstWap)
	account(relay, 'stop', firstWap)
	account(relay, 'interim', firstWap)
	account(relay, 'stop', firstWap)
	assert.equal(sessions(relay), [])
	assert.is(ofType(relay, 'SubscriberTerminated').length, 1)
	assert.is(ofType(relay, 'AccountingStopped').length, 2, 'they are on record all the same')
})

test('a Start that is repeated after its Stop begins nothing, and names no later session', async () => {
	const delay = (seconds: number): TestAttribute[] => [[41, u32(seconds)]]
	const relay = await simulatedRelay()
	account(relay, 'start', firstWap, 's1', delay(0))
	relay.pass(5000)
	account(relay, 'stop', firstWap, 's1', delay(0))
	relay.pass(5000)
	account(relay, 'start', firstWap, 's1', delay(10))
	assert.equal(sessions(relay), [])
	const lateness = () => ofType(relay, 'AccountingStarted').map(({ data }) => data.late ?? false)
	assert.equal(lateness(), [false, true])
	account(relay, 'start', firstWap, 's2', delay(0))
	account(relay, 'start', firstWap, 's1', delay(11))
	assert.is(sessions(relay)[0]!.accounting, 's2')
	account(relay, 'stop', firstWap, 's2', delay(0))
	// The name again, sent after the Stop; and by an access point that counts from one again.
	account(relay, 'start', firstWap, 's1', delay(0))
	assert.is(sessions(relay)[0]!.accounting, 's1')
	account(relay, 'stop', firstWap, 's1', delay(0))
	account(relay, 'on', firstWap)
	account(relay, 'start', firstWap, 's1', delay(11))
	assert.is(sessions(relay).length, 1)
	account(relay, 'stop', firstWap, 's1')
	// The same name without Acct-Delay-Time: nothing says that it is not new.
	account(relay, 'start', firstWap, 's1')
	assert.is(sessions(relay).length, 1)
	account(relay, 'start', otherWap, 's2')
	assert.is(sessions(relay)[0]!.wap, otherWap, 'of another access point')
	const folded = recoverState(relay.journal, relay.journal, () => {})
	assert.equal(stateToJson(folded), stateToJson(relay.state))
})

test('what is remembered of Stops has a limit, and an end', () => {
	const stopped: StoppedSessions = new Map()
	const about = (n: number, wap = firstWap) => {
		return { client: 'c', mac, wap, session: `s${n}`, delaySeconds: 7200 }
	}
	const isLate = (n: number, now = 0, wap = firstWap) =>
		isLateStart(stopped, 'default', about(n, wap), now)
	for (let n = 0; n <= stoppedLimits.sessions; n++) noteStop(stopped, 'default', about(n), 0)
	assert.equal([isLate(0), isLate(1)], [false, true])
	assert.equal([isLate(1, 3_600_000), isLate(1, 3_600_001)], [true, false])
	assert.not.ok(isLateStart(stopped, 'default', { ...about(1), mac: '02-00' }, 0), 'of another one')
	assert.not.ok(isLateStart(stopped, 'east', about(1), 0), 'of another virtual router')
	for (let n = 0; n < stoppedLimits.accessPoints; n++) {
		noteStop(stopped, 'default', about(1, `wap ${n}`), 0)
	}
	assert.equal([isLate(1), isLate(1, 0, 'wap 0')], [false, true])
	// What was heard of anew is not the oldest any more.
	noteStop(stopped, 'default', about(1, 'wap 0'), 1)
	noteStop(stopped, 'default', about(1, 'one more'), 1)
	assert.equal([isLate(1, 1, 'wap 0'), isLate(1, 1, 'wap 1')], [true, false])
	for (let n = 2; n <= stoppedLimits.sessions; n++)
		noteStop(stopped, 'default', about(n, 'wap 0'), 1)
	noteStop(stopped, 'default', about(1, 'wap 0'), 2)
	noteStop(stopped, 'default', about(0, 'wap 0'), 2)
	assert.equal([isLate(1, 2, 'wap 0'), isLate(2, 2, 'wap 0')], [true, false])
})

test('a Start is late when it was sent no later than the Stop came, to the millisecond', () => {
	const stopped: StoppedSessions = new Map()
	const about = (delaySeconds: number) => ({
		client: 'c',
		mac,
		wap: firstWap,
		session: 's',
		delaySeconds,
	})
	noteStop(stopped, 'default', about(0), 10_000)
	const isLate = (delaySeconds: number, now: number) =>
		isLateStart(stopped, 'default', about(delaySeconds), now)
	assert.equal([isLate(5, 14_999), isLate(5, 15_000), isLate(5, 15_001)], [true, true, false])
	assert.not.ok(isLate(0, 10_000), 'a new session in the same millisecond')
})

test('Accounting-On and -Off of a WAP end its sessions and no others', async () => {
	for (const status of ['on', 'off'] as const) {
		const relay = await simulatedRelay()
		const online = async (wap: string, subscriber: string) => {
			const packet = requestPacket({ code: 1, ...next(), attributes: at(wap, subscriber) })
			const [forwarded] = relay.fromWap(packet)
			relay.fromHome(forwarded!, answerPacket(forwarded!.bytes, { code: 2 }))
		}
		await online(firstWap, '02-00-00-00-00-01')
		await online(firstWap, '02-00-00-00-00-02')
		await online(otherWap, '02-00-00-00-00-03')
		account(relay, status, firstWap)
		assert.equal(
			sessions(relay).map(session => session.mac),
			['02-00-00-00-00-03'],
		)
		const terminated = ofType(relay, 'SubscriberTerminated')
		assert.equal(
			terminated.map(({ data }) => data.cause),
			[`accounting-${status}`, `accounting-${status}`],
		)
		const type = status === 'on' ? 'AccountingTurnedOn' : 'AccountingTurnedOff'
		assert.is(ofType(relay, type)[0]!.stream, `wap-default.${firstWap}`)
	}
})

/**
 * A relay at work `age` milliseconds after the last accounting of a subscriber; where it was `stopped`
 * for all that time, what passed meanwhile.
 */
async function restartedAfter(age: number, stopped = false): Promise<SimulatedRelay> {
	const before = await simulatedRelay()
	authenticate(before, firstWap)
	account(before, 'start', firstWap)
	before.pass(100)
	const state = initialState()
	for (const event of before.events()) evolve(state, { ...event, at: event.at - age })
	if (!stopped) state.lastAt += age
	const { journal } = before
	return simulatedRelay(oneServer + relayServers, { journal: journal.restart(), state })
}

test('a session without accounting for 24 hours ends', async () => {
	const relay = await restartedAfter(day - 10_000)
	relay.pass(9000)
	assert.is(sessions(relay).length, 1)
	relay.pass(3000)
	assert.equal(sessions(relay), [])
	assert.is(ofType(relay, 'SubscriberTerminated')[0]!.data.cause, 'idle-timeout')
})

test('while the relay is stopped nobody can be heard: that time does not count', async () => {
	const relay = await restartedAfter(3 * day, true)
	relay.pass(9000)
	assert.is(sessions(relay).length, 1)
	const [stepped] = ofType(relay, 'ClockStepped')
	assert.is(stepped!.data.reason, 'stopped')
	assert.ok(Math.abs(stepped!.data.byMs - 3 * day) < 10_000)
})

test('accounting resets the idle clock, a reauthentication does not', async () => {
	const relay = await restartedAfter(day - 10_000)
	relay.pass(5000)
	authenticate(relay, firstWap)
	relay.pass(7000)
	assert.equal(sessions(relay), [])
	const other = await restartedAfter(day - 10_000)
	other.pass(5000)
	account(other, 'interim', firstWap)
	other.pass(100_000)
	assert.is(sessions(other).length, 1)
})

test('a session ends after more than its idle timeout, not at it', () => {
	const state = initialState()
	const input = {
		kind: 'accounting-request',
		at: 1000,
		router: 'default',
		status: 'start',
	} as const
	const accounting = { client: '10.0.0.1', mac, wap: firstWap }
	for (const event of decide(state, { ...input, accounting, server: 'a' }).events) {
		evolve(state, event)
	}
	const router = state.routers.get('default')!
	assert.is(idleSessions(router, 1000 + day, day, 9).length, 0)
	assert.is(idleSessions(router, 1001 + day, day, 9).length, 1)
})

test('an Interim-Update of the access point that was left names nothing anew', async () => {
	const relay = await simulatedRelay()
	authenticate(relay, firstWap)
	account(relay, 'start', firstWap, 'old')
	authenticate(relay, otherWap)
	const [moved] = sessions(relay)
	account(relay, 'interim', firstWap, 'old')
	assert.equal([moved!.wap, moved!.accountingWap], [otherWap, firstWap])
	account(relay, 'start', otherWap, 'new')
	account(relay, 'interim', firstWap, 'old')
	assert.equal([moved!.accounting, moved!.accountingWap], ['new', otherWap])
})

test('accounting of one subscriber keeps no other session alive', () => {
	const state = initialState()
	const account = (subscriber: string, at: number, status: 'start' | 'interim') => {
		const accounting = { client: '10.0.0.1', mac: subscriber, wap: firstWap }
		const input = { kind: 'accounting-request', at, router: 'default', status } as const
		const { events } = decide(state, { ...input, accounting, server: 'a' })
		for (const event of events) evolve(state, event)
	}
	account('02-00-00-00-00-01', 1000, 'start')
	account('02-00-00-00-00-02', 2000, 'start')
	account('02-00-00-00-00-01', 3000, 'interim')
	const { events } = decide(state, {
		kind: 'clock',
		at: 2001 + day,
		router: 'default',
		idleTimeoutMs: day,
	})
	assert.equal(
		events.map(({ stream }) => stream),
		['subscriber-default.02-00-00-00-00-02'],
	)
})

test('many idle sessions end a thousand at a time', () => {
	const state = initialState()
	for (let i = 0; i < 2500; i++) {
		const subscriber = `02-00-00-00-${String(i >> 8).padStart(2, '0')}-${i & 255}`
		const { events } = decide(state, {
			kind: 'accounting-request',
			at: 1000,
			router: 'default',
			status: 'start',
			accounting: { client: '10.0.0.1', mac: subscriber, wap: firstWap },
			server: 'a',
		})
		for (const event of events) evolve(state, event)
	}
	const clock = { kind: 'clock', at: 1001 + day, router: 'default', idleTimeoutMs: day } as const
	for (const expected of [1000, 1000, 500, 0]) {
		const { events } = decide(state, clock)
		assert.is(events.length, expected)
		for (const event of events) evolve(state, event)
	}
})

/** Everything in the state, in the order in which it stands there. */
function inOrder(state: State): unknown {
	const routers = [...state.routers.values()].map(({ name, subscribersByWap }) => ({
		name,
		waps: [...subscribersByWap].map(([wap, macs]) => [wap, ...macs]),
	}))
	return { folded: stateToJson(state), routers }
}

test('deciding changes no state', () => {
	const state = initialState()
	decide(state, { kind: 'clock', at: 5, router: 'default', idleTimeoutMs: day })
	decide(state, {
		kind: 'access-request',
		at: 5,
		router: 'other',
		station: { client: '10.0.0.1', mac, wap: firstWap },
		server: '',
		firstMessageAuthenticator: false,
	})
	assert.equal(state, initialState())
})

test('a relay that only lets time pass has the state that its journal folds to', async () => {
	const relay = await simulatedRelay()
	relay.pass(5000)
	const { journal } = relay
	assert.equal(inOrder(recoverState(journal, journal, () => {})), inOrder(relay.state))
})

const seed = Number(process.env['SEED'] ?? 20250603)
const replay = `replay: SEED=${seed} node_modules/.bin/node test/session.test.ts`

const macs = fc.constantFrom('02-00-00-00-00-01', '02-00-00-00-00-02', '02-00-00-00-00-03')
const waps = fc.constantFrom(firstWap, otherWap, '00-11-22-33-44-77')
const steps = fc.oneof(
	fc.record({
		kind: fc.constant('access' as const),
		mac: macs,
		wap: waps,
		code: fc.constantFrom(2, 3, 11),
	}),
	fc.record({
		kind: fc.constant('accounting' as const),
		mac: macs,
		wap: waps,
		status: fc.constantFrom('start', 'interim', 'stop', 'on', 'off' as const),
		session: fc.constantFrom('s1', 's2'),
		answered: fc.boolean(),
	}),
	fc.record({ kind: fc.constant('pass' as const), ms: fc.constantFrom(50, 1000, 4000) }),
	fc.record({ kind: fc.constant('restart' as const), snapshot: fc.boolean() }),
)

test('after any sequence, the journal folds to the very state that lived through it', async () => {
	const property = fc.asyncProperty(fc.array(steps, { maxLength: 30 }), async sequence => {
		let relay = await simulatedRelay()
		for (const step of sequence) {
			switch (step.kind) {
				case 'access': {
					const attributes = at(step.wap, step.mac)
					const [forwarded] = relay.fromWap(requestPacket({ code: 1, ...next(), attributes }))
					if (forwarded === undefined) break
					relay.fromHome(forwarded, answerPacket(forwarded.bytes, { code: step.code }))
					break
				}
				case 'accounting': {
					const about = at(step.wap, step.mac)
					const status = statuses[step.status]
					const attributes: TestAttribute[] = [[40, u32(status)], ...about, [44, step.session]]
					const [forwarded] = relay.fromWap(requestPacket({ code: 4, ...next(), attributes }))
					if (forwarded === undefined || !step.answered) break
					relay.fromHome(forwarded, answerPacket(forwarded.bytes, { code: 5 }))
					break
				}
				case 'pass':
					relay.pass(step.ms)
					break
				default: {
					relay.pass(50)
					const journal = relay.journal.restart()
					const state = recoverState(journal, journal, () => {})
					if (step.snapshot) saveState(journal, state)
					relay = await simulatedRelay(oneServer + relayServers, { journal, state })
				}
			}
			assertInvariants(relay)
			assertIndexed(relay.state)
		}
		const folded = initialState()
		for (const event of relay.events()) evolve(folded, event)
		assert.equal(folded, relay.state)
		assert.equal(stateToJson(folded), stateToJson(relay.state))
	})
	await fc.assert(property, { seed, numRuns: 150 }).catch(error => {
		throw new Error(`${replay}\n${error}`)
	})
})

/** The index by WAP has each session once, where it is. */
function assertIndexed(state: State): void {
	for (const { sessions, subscribersByWap } of state.routers.values()) {
		let indexed = 0
		for (const [wap, macs] of subscribersByWap) {
			assert.ok(macs.size > 0)
			indexed += macs.size
			for (const subscriber of macs) assert.is(sessions.get(subscriber)?.wap, wap)
		}
		assert.is(indexed, sessions.size)
		let heardAt = 0
		for (const session of sessions.values()) {
			assert.ok(session.heardAt >= heardAt, 'the longest silent session stands first')
			heardAt = session.heardAt
		}
	}
}

test('a session knows the SSID and the user of its request, and the user of the answer before that', async () => {
	const relay = await simulatedRelay()
	const [first] = relay.fromWap(accessRequest())
	relay.fromHome(first!, answerPacket(first!.bytes, { code: 2 }))
	const session = relay.state.routers.get('default')!.sessions.get('02-00-00-00-00-01')!
	assert.is(session.ssid, 'campus')
	assert.is(session.user, 'alice@example.org')

	const other = { identifier: 2, attributes: [[1, 'bob'], called, [31, '02-00-00-00-00-02']] }
	const request = requestPacket({ code: 1, ...other } as PacketOptions)
	const [second] = relay.fromWap(request)
	const named = { code: 2, attributes: [[1, 'robert@home']] } as PacketOptions
	relay.fromHome(second!, answerPacket(second!.bytes, named))
	assert.is(
		relay.state.routers.get('default')!.sessions.get('02-00-00-00-00-02')!.user,
		'robert@home',
	)
})

/** SRC has a session for the subscriber, as after a report of its address. */
function srcOpens(relay: SimulatedRelay, session: string): void {
	const stream = `subscriber-default.${mac}`
	const lease = { mac, client: 'hw:02', pool: 'p', address: '10.0.0.9' }
	const granted = { ...lease, leaseSeconds: 60, expiresAt: 60_000, src: true as const }
	const opened = { mac, address: '10.0.0.9', since: 1, session, server: 's', authenticated: true }
	evolve(relay.state, { stream, type: 'LeaseGranted', v: 1, at: 1, data: granted })
	evolve(relay.state, { stream, type: 'SrcSessionOpened', v: 1, at: 1, data: opened })
}

test("SRC's RADIUS accounting neither names the access point's session nor ends it", async () => {
	const relay = await simulatedRelay()
	authenticate(relay, firstWap)
	account(relay, 'start', firstWap, 'wap-1')
	srcOpens(relay, 'SAE-1')
	account(relay, 'start', firstWap, 'SAE-1')
	assert.is(sessions(relay)[0]!.accounting, 'wap-1')
	account(relay, 'stop', firstWap, 'SAE-1')
	assert.is(sessions(relay).length, 1)
	account(relay, 'stop', firstWap, 'wap-1')
	assert.is(sessions(relay).length, 0)
})

test("SRC's Stop ends no session whose access point has sent no accounting yet", async () => {
	const relay = await simulatedRelay()
	authenticate(relay, firstWap)
	srcOpens(relay, 'SAE-1')
	account(relay, 'stop', firstWap, 'SAE-1')
	assert.is(sessions(relay).length, 1)
})

test("SRC's accounting that comes before its answer is not the session's name either", async () => {
	const relay = await simulatedRelay()
	authenticate(relay, firstWap)
	account(relay, 'start', firstWap, 'wap-1')
	account(relay, 'start', firstWap, 'SAE-1')
	srcOpens(relay, 'SAE-1')
	assert.is(sessions(relay)[0]!.accounting, undefined)
	account(relay, 'interim', firstWap, 'wap-1')
	assert.is(sessions(relay)[0]!.accounting, 'wap-1')
	account(relay, 'stop', firstWap, 'wap-1')
	assert.is(sessions(relay).length, 0)
})

test.run()
