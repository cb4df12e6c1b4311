/**
 * Any datagram changes a counter at most. `SEED=n` repeats a run; `FUZZ_SECONDS=n` makes it longer
 * than the two seconds that it takes otherwise.
 */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { hideUserPassword } from '../domain/radius/hidden.ts'
import { assertInvariants } from './relay-invariants.ts'
import {
	accessRequest,
	accountingRequest,
	answerPacket,
	key,
	type Left,
	type PacketOptions,
	requestPacket,
	type SimulatedRelay,
	simulatedRelay,
	type TestAttribute,
	wapSecret,
} from './simulated-relay.ts'
import { stateToJson } from './state-json.ts'

const seed = Number(process.env['SEED'] ?? 20250603)
const seconds = Number(process.env['FUZZ_SECONDS'] ?? 2)
const replay = `SEED=${seed} FUZZ_SECONDS=${seconds * 10} node_modules/.bin/node test/fuzz.test.ts`
console.log(`seed ${seed}; to repeat: ${replay}`)

/** xorshift32: the same numbers on every machine. */
function randomFrom(start: number): (below: number) => number {
	let state = start | 1
	return below => {
		state ^= state << 13
		state ^= state >>> 17
		state ^= state << 5
		return (state >>> 0) % below
	}
}

type Random = ReturnType<typeof randomFrom>

function octets(random: Random, length: number): Uint8Array {
	return Uint8Array.from({ length }, () => random(256))
}

/** Attributes whose lengths mostly fit, so that more than the first check is reached. */
function attributes(random: Random): TestAttribute[] {
	return Array.from({ length: random(8) }, (): TestAttribute => {
		const type =
			random(4) === 0 ? random(256) : [1, 2, 3, 24, 26, 33, 40, 69, 79, 80, 241][random(11)]!
		const sizes = [0, 1, 4, 16, 17, 18, 32, 34, random(254)]
		const value = octets(random, sizes[random(sizes.length)]!)
		// Vendors that have hidden values.
		if (type === 26 && value.length > 4) value.set([0, 0, 1, 55, [11, 12, 16, 17][random(4)]!])
		return [type, value]
	})
}

/** Changes a few octets, the length or the end of a valid packet. */
function mutate(random: Random, packet: Uint8Array): Uint8Array {
	const bytes = packet.slice()
	for (let n = 1 + random(4); n > 0; n--) bytes[random(bytes.length)] = random(256)
	switch (random(6)) {
		case 0:
			return bytes.slice(0, random(bytes.length))
		case 1: {
			const longer = new Uint8Array(bytes.length + random(64))
			longer.set(bytes)
			return longer
		}
		case 2:
			bytes[20 + 1] = random(256)
			return bytes
		default:
			return bytes
	}
}

const secrets = [wapSecret, wapSecret, 'wrong']

function valid(random: Random): PacketOptions {
	return {
		code: [1, 4, 12, 2, 5, 11, 40][random(7)]!,
		identifier: random(256),
		nonce: random(256),
		secret: secrets[random(3)]!,
		messageAuthenticator: (['first', 'last', 'none'] as const)[random(3)]!,
		attributes: [
			[30, '00-11-22-33-44-55'],
			[31, random(3) === 0 ? octets(random, 1 + random(30)) : '02-00-00-00-00-01'],
			[40, [0, 0, 0, random(16)]],
			...attributes(random),
		],
	}
}

function datagram(random: Random): Uint8Array {
	switch (random(4)) {
		case 0:
			return octets(random, random(80))
		case 1: {
			const bytes = octets(random, 20 + random(4200))
			// A Length that is right leads further.
			bytes.set([[1, 4, 12][random(3)]!, random(256), bytes.length >> 8, bytes.length & 255])
			return bytes
		}
		case 2:
			return mutate(random, requestPacket(valid(random)))
		default:
			return requestPacket(valid(random))
	}
}

/** Runs rounds until the time is up; a failure names the round that repeats it. */
function fuzz(share: number, round: (random: Random, n: number) => void): number {
	const end = performance.now() + seconds * 1000 * share
	let n = 0
	for (; n < 200_000 && performance.now() < end; n++) {
		try {
			round(randomFrom(seed * 2_654_435 + n * 7919 + 1), n)
		} catch (error) {
			throw new Error(`round ${n}; to repeat: ${replay}\n${(error as Error).stack}`)
		}
	}
	return n
}

test('any datagram at either port throws nothing, and at most forwards or repeats', async () => {
	const relay = await simulatedRelay()
	const rounds = fuzz(0.5, (random, n) => {
		const to = random(2) === 0 ? 1812 : 1813
		const address = ['10.0.0.1', '10.1.2.3', '203.0.113.9'][random(3)]!
		for (const left of relay.fromWap(datagram(random), { to, address, port: random(4) + 5000 })) {
			assert.ok([1, 4, 2, 5].includes(left.code), `code ${left.code} left`)
			assert.ok(left.bytes.length <= 4096)
		}
		if (n % 500 === 499) {
			relay.pass(2000)
			assertInvariants(relay)
		}
	})
	assert.ok(rounds > 100)
	assert.equal(relay.failures, [])
})

test('what is not genuine changes a counter at most', async () => {
	const relay = await simulatedRelay()
	const before = stateToJson(relay.state)
	let events = 0
	fuzz(0.2, random => {
		const packet = { ...valid(random), secret: 'wrong', messageAuthenticator: 'last' as const }
		const bytes = random(2) === 0 ? requestPacket(packet) : octets(random, random(300))
		const to = random(2) === 0 ? 1812 : 1813
		// Unsigned Access-Requests are believed: not these.
		if (bytes[0] === 1 && to === 1812 && bytes.length >= 20 && bytes[20] !== 30) return
		assert.equal(relay.fromWap(bytes, { to }), [])
		events++
	})
	relay.pass(2000)
	assert.ok(events > 50)
	assert.ok(relay.events().every(({ type }) => type === 'RequestsDiscarded'))
	const sessions = [...relay.state.routers.values()].map(router => router.sessions.size)
	assert.ok(sessions.every(size => size === 0))
	const counted = relay
		.events()
		.reduce((sum, { data }) => sum + ('count' in data ? data.count : 0), 0)
	assert.is(counted, events, 'each of them in its row')
	// The first piece has position and time, which counting moves.
	assert.equal(stateToJson(relay.state).slice(1), before.slice(1))
})

/** Requests that wait at the home server. */
function waiting(relay: SimulatedRelay, random: Random): Left[] {
	const request = accessRequest({ identifier: random(256), nonce: random(256) })
	const password = hideUserPassword(octets(random, random(40)), key(wapSecret), request, 4)
	const attributes: TestAttribute[] = random(2) === 0 ? [] : [[2, password]]
	return [
		...relay.fromWap(accessRequest({ identifier: request[1]!, nonce: request[4]!, attributes })),
		...relay.fromWap(accountingRequest('start', { identifier: random(256) })),
	]
}

test('any datagram from a home server throws nothing, and forged ones answer nobody', async () => {
	const relay = await simulatedRelay()
	fuzz(0.3, (random, n) => {
		for (const left of waiting(relay, random)) {
			if (left.code !== 1 && left.code !== 4) continue
			const code = left.code === 4 ? 5 : [2, 3, 11][random(3)]!
			const genuine = answerPacket(left.bytes, {
				code,
				attributes: attributes(random),
				messageAuthenticator: (['first', 'last', 'none'] as const)[random(3)]!,
			})
			const changed = mutate(random, genuine)
			const padded =
				changed.length >= genuine.length && genuine.every((octet, i) => octet === changed[i])
			const answers = relay.fromHome(left, changed)
			if (!padded) assert.equal(answers, [], 'a changed answer is not passed on')
			relay.fromHome(left, octets(random, random(120)))
			const passed = relay.fromHome(left, genuine)
			for (const { bytes } of passed) assert.ok(bytes.length <= 4096)
		}
		if (n % 200 === 199) {
			relay.pass(15_000)
			assertInvariants(relay)
		}
	})
	assert.equal(relay.failures, [])
})

test.run()
