/** The engine's promises: what is told is on disk, nothing in flight is lost, limits hold. */
import fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { openMemoryJournal } from '../adapters/journal/memory.ts'
import { hideSalted, hideUserPassword } from '../domain/radius/hidden.ts'
import { recordDurably } from '../src/engine/commit.ts'
import { configure } from '../src/engine/configure.ts'
import type { Peer } from '../src/engine/exchange.ts'
import { queueAnswer } from '../src/engine/record.ts'
import { turn } from '../src/engine/turn.ts'
import {
	assertAnswers,
	assertInvariants,
	discardsOf,
	ofType,
	responseDiscardsOf,
	settled,
} from './relay-invariants.ts'
import {
	accessRequest,
	accountingRequest,
	answerPacket,
	configurationOf,
	homeSecret,
	key,
	type Left,
	oneServer,
	relayServers,
	requestPacket,
	type SimulatedRelay,
	simulatedRelay,
	twoServers,
	wapSecret,
} from './simulated-relay.ts'

const isForward = ({ code }: Left) => code === 1 || code === 4
const isAnswer = ({ code }: Left) => code === 2 || code === 3 || code === 5 || code === 11

test('a forward leaves at once, before anything is on disk', async () => {
	const relay = await simulatedRelay()
	assert.is(relay.fromWap(accessRequest()).length, 1)
	assert.is(relay.journal.last(), 0)
	assert.is(relay.events().length, 2)
})

test('events that nobody waits for are on disk at the next tick', async () => {
	const relay = await simulatedRelay()
	relay.fromWap(accessRequest())
	relay.pass(50)
	assert.is(relay.journal.last(), 2)
})

test('request and answer share one commit where the server is quick', async () => {
	let appends = 0
	const journal = openMemoryJournal({
		appendFault: append => {
			appends = append
			return undefined
		},
	})
	const relay = await simulatedRelay(oneServer + relayServers, { journal })
	const [forwarded] = relay.fromWap(accountingRequest('start'))
	relay.fromHome(forwarded!, answerPacket(forwarded!.bytes, { code: 5 }))
	assert.is(appends, 1)
	assert.is(journal.last(), 2)
})

test('what arrives in one turn is one commit', async () => {
	let appends = 0
	const journal = openMemoryJournal({
		appendFault: append => {
			appends = append
			return undefined
		},
	})
	const relay = await simulatedRelay(oneServer + relayServers, { journal })
	const forwarded = Array.from(
		{ length: 50 },
		(_, identifier) => relay.fromWap(accountingRequest('start', { identifier }))[0]!,
	)
	const socket = relay.transport.sockets.get(forwarded[0]!.from)!
	for (const { bytes } of forwarded) {
		relay.transport.deliver(socket, 0xc0000201, 1813, answerPacket(bytes, { code: 5 }))
	}
	assert.is(relay.turn().filter(isAnswer).length, 50)
	assert.is(appends, 1)
})

/** A relay whose clock a test turns itself, with requests that wait at the home server. */
async function withWaiting(count: number) {
	const relay = await simulatedRelay()
	const clock = { now: relay.engine.now + 1000 }
	Object.assign(relay.engine.parts.clock, { monotonic: () => clock.now })
	const forwarded = Array.from(
		{ length: count },
		(_, n) =>
			relay.fromWap(accountingRequest('start', { identifier: n & 255 }), {
				port: 5000 + (n >> 8),
			})[0]!,
	)
	const arrive = (n: number) => {
		const { bytes, from } = forwarded[n]!
		const socket = relay.transport.sockets.get(from)!
		relay.transport.deliver(socket, 0xc0000201, 1813, answerPacket(bytes, { code: 5 }))
	}
	const once = () => {
		const waitUs = turn(relay.engine, relay.transport.ready())
		const answers = relay.transport.sent.splice(0).map(({ bytes }) => bytes[1]!)
		return { waits: waitUs !== undefined, answers }
	}
	return { relay, clock, arrive, once }
}

test('answers wait while datagrams come, and leave together when none does', async () => {
	const { relay, arrive, once } = await withWaiting(3)
	for (let n = 0; n < 3; n++) {
		arrive(n)
		assert.equal(once(), { waits: true, answers: [] })
		assert.is(relay.journal.last(), 0)
	}
	assert.equal(once(), { waits: false, answers: [0, 1, 2] })
	assert.is(relay.journal.last(), 6)
})

/** Answers that may wait 2 ms after a commit, and fewer than 3 of them do. */
async function withPatient() {
	const { relay, clock, arrive, once } = await withWaiting(1)
	const { engine, transport } = relay
	const patient = { socket: { flush() {} } as never, touched: false }
	once()
	engine.committedAt = clock.now
	const queue = () => queueAnswer(engine, patient, { spacingMs: 2, enough: 3 })
	/** Something that waits for no commit comes. */
	const disturb = (identifier: number) => {
		const socket = transport.sockets.get(1812)!
		transport.deliver(socket, 0x0a000001, 6000, accessRequest({ identifier }))
	}
	return { relay, clock, arrive, once, queue, disturb }
}

test('answers that may wait keep commits apart while datagrams come', async () => {
	const { relay, clock, once, queue, disturb } = await withPatient()
	queue()
	for (let n = 0; n < 4; n++) {
		clock.now += 0.45
		disturb(n)
		assert.is(once().waits, true, `the last commit was ${0.45 * (n + 1)} ms ago`)
	}
	clock.now += 0.25
	assert.is(once().waits, false, 'and now it was more than two')
	assert.is(relay.engine.answersQueued, 0)
})

test('and leave as soon as nothing comes any more: whoever would send something waits for them', async () => {
	const { relay, clock, once, queue, disturb } = await withPatient()
	queue()
	clock.now += 0.1
	disturb(0)
	assert.is(turn(relay.engine, relay.transport.ready()), 400, 'microseconds')
	clock.now += 0.4
	assert.is(once().waits, false)
	assert.is(relay.engine.answersQueued, 0)
})

test('and leave when enough of them share the commit', async () => {
	const { relay, clock, once, queue, disturb } = await withPatient()
	queue()
	queue()
	clock.now += 0.1
	disturb(0)
	assert.is.not(turn(relay.engine, relay.transport.ready()), 0)
	queue()
	disturb(1)
	assert.is(turn(relay.engine, relay.transport.ready()), 0, 'only what is there already is taken')
	assert.is(once().waits, false)
	assert.is(relay.engine.answersQueued, 0)
})

test('and leave with one that does not wait', async () => {
	const { relay, clock, arrive, once, queue, disturb } = await withPatient()
	queue()
	clock.now += 0.5
	disturb(0)
	assert.is(once().waits, true)
	arrive(0)
	once()
	assert.is(once().waits, false)
	assert.is(relay.engine.answersQueued, 0)
})

test('while they wait, forwards leave', async () => {
	const { relay, arrive } = await withWaiting(1)
	arrive(0)
	const socket = relay.transport.sockets.get(1812)!
	relay.transport.deliver(socket, 0x0a000001, 5000, accessRequest())
	assert.is.not(turn(relay.engine, relay.transport.ready()), undefined)
	assert.equal(
		relay.transport.sent.splice(0).map(({ bytes }) => bytes[0]),
		[1],
	)
})

test('however many datagrams come, an answer waits a few milliseconds at most', async () => {
	const { clock, arrive, once } = await withWaiting(100)
	const begin = clock.now
	for (let n = 0; n < 100; n++) {
		arrive(n)
		const { answers } = once()
		if (answers.length > 0) {
			assert.ok(clock.now - begin <= 5, `${clock.now - begin} ms`)
			return
		}
		clock.now += 0.1
	}
	assert.unreachable('they leave')
})

/** Ten exchanges of every kind: the answers that left, what left in the turn of a failure and after. */
function liveThrough(relay: SimulatedRelay): { told: Left[]; after: Left[]; during: Left[] } {
	const told: Left[] = []
	const during: Left[] = []
	const after: Left[] = []
	const keep = (left: Left[], failedBefore: boolean) => {
		if (failedBefore) after.push(...left)
		else if (relay.failures.length > 0) during.push(...left)
		return left
	}
	const step = (act: () => Left[]) => {
		const failedBefore = relay.failures.length > 0
		return keep(act(), failedBefore)
	}
	for (let n = 0; n < 10; n++) {
		const packet =
			n % 2 === 0
				? accessRequest({ identifier: n })
				: accountingRequest(n % 4 === 1 ? 'start' : 'stop', { identifier: n })
		const [forwarded] = step(() => relay.fromWap(packet))
		if (n % 3 === 0) step(() => relay.pass(50))
		if (forwarded !== undefined && isForward(forwarded)) {
			const code = packet[0] === 4 ? 5 : ([2, 11, 3] as const)[n % 3]!
			told.push(...step(() => relay.fromHome(forwarded, answerPacket(forwarded.bytes, { code }))))
		}
		step(() => relay.fromWap(packet))
		step(() => relay.fromWap(requestPacket({ code: 12, identifier: n })))
	}
	step(() => relay.pass(31_000))
	return { told, after, during }
}

for (const fault of ['lost', 'unacknowledged'] as const) {
	test(`told means durable: no answer leaves before its event is on disk (append ${fault})`, async () => {
		let appends = 0
		const whole = openMemoryJournal({
			appendFault: append => {
				appends = append
				return undefined
			},
		})
		liveThrough(await simulatedRelay(oneServer + relayServers, { journal: whole }))
		assert.ok(appends > 10)
		for (let n = 1; n <= appends; n++) {
			const journal = openMemoryJournal({
				appendFault: append => (append === n ? fault : undefined),
			})
			const relay = await simulatedRelay(oneServer + relayServers, { journal })
			const { told, during, after } = liveThrough(relay)
			assert.is(relay.failures.length, 1, `append ${n} fails, and that is said once`)
			assert.equal(during.filter(isAnswer), [], 'no answer leaves in that turn')
			assert.equal(after, [], 'and nothing leaves any more')
			const recorded = journal.restart().read(1, 1000)
			const outcomes = recorded.filter(
				({ type }) =>
					type === 'AccessAccepted' ||
					type === 'AccessRejected' ||
					type === 'AccessChallenged' ||
					type === 'AccountingAnswered',
			)
			assert.ok(outcomes.length >= told.length, `append ${n}`)
			if (fault === 'lost') assert.is(outcomes.length, told.length, `append ${n}`)
		}
	})
}

test('after a failed journal nothing leaves, whatever comes and however long it takes', async () => {
	const journal = openMemoryJournal({ appendFault: append => (append === 2 ? 'lost' : undefined) })
	const relay = await simulatedRelay(twoServers + relayServers, { journal })
	const [first] = relay.fromWap(accessRequest({ identifier: 1 }))
	const [second] = relay.fromWap(accessRequest({ identifier: 2 }))
	assert.is(relay.fromHome(first!, answerPacket(first!.bytes, { code: 2 })).length, 1)
	assert.is(relay.fromHome(second!, answerPacket(second!.bytes, { code: 2 })).length, 0)
	assert.is(relay.failures.length, 1)
	assert.is(relay.fromWap(accessRequest({ identifier: 1 })).length, 0, 'no repeated answer')
	assert.is(relay.fromWap(accessRequest({ identifier: 3 })).length, 0, 'no forward')
	assert.is(relay.fromWap(requestPacket({ code: 12 })).length, 0, 'no sign of life')
	assert.is(relay.pass(120_000).length, 0, 'no watchdog, no retransmission')
	await relay.configure(twoServers + relayServers.replaceAll('10.0.0.1', '10.0.0.2'))
	assert.equal(relay.turn(), [])
	let refused: unknown
	await recordDurably(relay.engine, [baseline()]).catch(error => {
		refused = error
	})
	assert.ok(refused === relay.failures[0], 'who wants something recorded is told')
	assert.equal(relay.turn(), [])
	assert.is(relay.failures.length, 1, 'the failure is said once')
})

function baseline() {
	return {
		stream: 'relay-default',
		type: 'BaselineSet',
		v: 1,
		at: 5,
		data: { scope: 'radius' },
	} as const
}

test('whoever waits for the disk when it fails is told', async () => {
	const journal = openMemoryJournal({ appendFault: () => 'lost' })
	const relay = await simulatedRelay(oneServer + relayServers, { journal })
	let refused = false
	await recordDurably(relay.engine, [baseline()]).catch(() => {
		refused = true
	})
	assert.ok(refused)
})

test('recording durably takes along what was decided before it', async () => {
	const relay = await simulatedRelay()
	relay.fromWap(accessRequest())
	await recordDurably(relay.engine, [baseline()])
	assert.equal(
		relay.journal.read(1, 10).map(({ type }) => type),
		['MessageAuthenticatorSeen', 'AccessRequested', 'BaselineSet'],
	)
})

test('discards are gathered by the second, client and reason', async () => {
	const relay = await simulatedRelay()
	relay.pass(1000)
	for (let n = 0; n < 20; n++) relay.fromWap(accessRequest({ secret: 'wrong' }))
	for (let n = 0; n < 5; n++)
		relay.fromWap(accessRequest({ secret: 'wrong' }), { address: '10.1.0.9' })
	relay.fromWap(accountingRequest('start', { secret: 'wrong' }))
	relay.pass(2000)
	const discarded = ofType(relay, 'RequestsDiscarded')
	assert.equal(
		discarded.map(({ data }) => data),
		[
			{ service: 'authentication', client: '10.0.0.1', reason: 'bad-authenticator', count: 20 },
			{ service: 'authentication', client: '10.1.0.9', reason: 'bad-authenticator', count: 5 },
			{ service: 'accounting', client: '10.0.0.1', reason: 'bad-authenticator', count: 1 },
		],
	)
	assert.is(discarded[0]!.stream, 'relay-default')
})

test('a flood from unknown clients is counted to the last one, in a bounded number of events', async () => {
	const relay = await simulatedRelay()
	relay.pass(1000)
	const socket = relay.transport.sockets.get(1812)!
	const packet = accessRequest()
	for (let n = 0; n < 5000; n++) relay.transport.deliver(socket, 0xc6336400 + n, 4000, packet)
	while (relay.transport.ready().length > 0) assert.is(relay.turn().length, 0)
	relay.pass(1000)
	const discarded = ofType(relay, 'RequestsDiscarded')
	assert.ok(discarded.length <= 1025, `${discarded.length} events`)
	assert.equal(discardsOf(relay), { 'unknown-client': 5000 })
	assert.is(discarded.filter(({ data }) => data.client === '').length, 1)
	const { peers } = relay.engine.routers.get('default')!.listeners.authentication!
	assert.is(peers.size, 0, 'and nothing is remembered of them')
})

test('what the kernel lost for want of room is counted without a client', async () => {
	const relay = await simulatedRelay()
	relay.transport.overflow(relay.transport.sockets.get(1813)!, 17)
	relay.pass(2000)
	assert.equal(ofType(relay, 'RequestsDiscarded')[0]!.data, {
		service: 'accounting',
		client: '',
		reason: 'queue-full',
		count: 17,
	})
})

test('no secret and no password is in any event', async () => {
	const relay = await simulatedRelay(
		`${oneServer.replaceAll(homeSecret, 'upstream-mystery')}${relayServers}`,
	)
	const plain = accessRequest()
	const password = hideUserPassword(
		new TextEncoder().encode('open-sesame'),
		key(wapSecret),
		plain,
		4,
	)
	const [forwarded] = relay.fromWap(accessRequest({ attributes: [[2, password]] }))
	const tunnel = hideSalted(
		new TextEncoder().encode('tunnel-word'),
		key('upstream-mystery'),
		forwarded!.bytes.slice(4, 20),
		0x8001,
	)
	relay.fromHome(
		forwarded!,
		answerPacket(forwarded!.bytes, {
			code: 2,
			secret: 'upstream-mystery',
			attributes: [
				[25, 'gold'],
				[69, [1, ...tunnel]],
			],
		}),
	)
	relay.fromWap(accessRequest({ identifier: 2, secret: 'guess-work' }))
	relay.pass(40_000)
	const written = JSON.stringify(relay.events())
	for (const secret of [
		wapSecret,
		'upstream-mystery',
		'open-sesame',
		'guess-work',
		'tunnel-word',
	]) {
		assert.not(written.includes(secret), secret)
		assert.not(written.includes(Buffer.from(secret).toString('hex')), secret)
	}
	assert.not(written.includes(Buffer.from(password).toString('hex')))
	assert.ok(written.includes('gold'))
})

// Configuration changes while packets are in flight.

test("a client's new key: what is pending is answered with the old one", async () => {
	const relay = await simulatedRelay()
	const request = accessRequest({ identifier: 1 })
	const [forwarded] = relay.fromWap(request)
	assert.is(
		await relay.configure((oneServer + relayServers).replaceAll(wapSecret, 'new')),
		undefined,
	)
	const [answer] = relay.fromHome(forwarded!, answerPacket(forwarded!.bytes, { code: 2 }))
	assertAnswers(answer!.bytes, request, wapSecret)
	assert.is(relay.fromWap(accessRequest({ identifier: 2 })).length, 0)
	const anew = accessRequest({ identifier: 3, secret: 'new' })
	const [again] = relay.fromWap(anew)
	const [second] = relay.fromHome(again!, answerPacket(again!.bytes, { code: 2 }))
	assertAnswers(second!.bytes, anew, 'new')
	assertInvariants(relay)
})

test("a server's new key: what is pending is answered with the old one, and rolls over with both", async () => {
	const text = oneServer.replaceAll(' key home', ' retransmit 0\n key home') + relayServers
	const relay = await simulatedRelay(text)
	const answered = accessRequest({ identifier: 1 })
	const [first] = relay.fromWap(answered)
	relay.fromWap(accessRequest({ identifier: 2 }))
	await relay.configure(text.replaceAll(homeSecret, 'new'))
	assert.is(relay.fromHome(first!, answerPacket(first!.bytes, { code: 2 })).length, 1)
	const [third] = relay.fromWap(accessRequest({ identifier: 3 }))
	assert.is(
		relay.fromHome(third!, answerPacket(third!.bytes, { code: 2, secret: 'new' })).length,
		1,
	)
	// The second was never answered: the server under its new key is another try.
	const [rolled] = relay.pass(3100).filter(isForward)
	const answer = answerPacket(rolled!.bytes, { code: 2, secret: 'new' })
	assert.is(relay.fromHome(rolled!, answer).length, 1)
	relay.pass(12_000)
	assert.is(relay.engine.retiring.size, 0)
	assertInvariants(relay)
})

test('a new port: the old one answers what it has begun, and then is closed', async () => {
	const relay = await simulatedRelay()
	const request = accessRequest({ identifier: 1 })
	const [forwarded] = relay.fromWap(request)
	const moved = relayServers.replace('server\n', 'server\n udp-port 1912\n')
	await relay.configure(oneServer + moved)
	relay.pass(2000)
	assert.ok(relay.transport.sockets.has(1812), 'open while an answer is due')
	assert.is(relay.fromWap(accessRequest({ identifier: 2 }), { to: 1812 }).length, 0)
	const [answer] = relay.fromHome(forwarded!, answerPacket(forwarded!.bytes, { code: 2 }))
	assertAnswers(answer!.bytes, request, wapSecret)
	assert.is(answer!.from, 1812)
	assert.is(relay.fromWap(accessRequest({ identifier: 2 }), { to: 1912 }).length, 1)
	relay.pass(1100)
	assert.not(relay.transport.sockets.has(1812))
	assertInvariants(relay)
})

test('a server that is removed answers what it has, and is asked nothing more', async () => {
	const relay = await simulatedRelay(twoServers + relayServers)
	const [forwarded] = relay.fromWap(accessRequest({ identifier: 1 }))
	const [silent] = relay.fromWap(accessRequest({ identifier: 2 }))
	await relay.configure(
		twoServers.replace('radius authentication server 192.0.2.1\n key home-secret\nexit', '') +
			relayServers,
	)
	assert.is(relay.fromHome(forwarded!, answerPacket(forwarded!.bytes, { code: 2 })).length, 1)
	const [third] = relay.fromWap(accessRequest({ identifier: 3 }))
	assert.match(third!.to, '192.0.2.2')
	relay.fromHome(third!, answerPacket(third!.bytes, { code: 2 }))
	const left = relay.pass(12_100).filter(isForward)
	assert.equal(
		left.map(({ to }) => to),
		['192.0.2.1:1812', '192.0.2.1:1812', '192.0.2.1:1812', '192.0.2.2:1812'],
		'what it does not answer is asked of it as often as ever, and then of another',
	)
	assert.is(relay.fromHome(left[3]!, answerPacket(left[3]!.bytes, { code: 2 })).length, 1)
	assert.is(ofType(relay, 'AccessUnanswered').length, 0)
	relay.pass(1100)
	assert.not(relay.transport.sockets.has(silent!.from))
	assert.is(relay.engine.retiring.size, 0)
	assertInvariants(relay)
})

const secondRouter = `virtual-router second
${oneServer}${relayServers
	.replaceAll('server\n', 'server\n udp-port 1912\n')
	.replace('accounting server\n udp-port 1912', 'accounting server\n udp-port 1913')}`

test('a virtual router that is removed answers what it has, and records what it counted', async () => {
	const relay = await simulatedRelay(oneServer + relayServers + secondRouter)
	relay.pass(1000)
	const [forwarded] = relay.fromWap(accessRequest({ identifier: 1 }), { to: 1912 })
	relay.fromWap(accessRequest({ secret: 'wrong' }), { to: 1912 })
	await relay.configure(oneServer + relayServers)
	assert.is(relay.fromHome(forwarded!, answerPacket(forwarded!.bytes, { code: 2 })).length, 1)
	// An answer that nobody waits for is counted as well.
	relay.fromHome(forwarded!, answerPacket(forwarded!.bytes, { code: 2 }))
	relay.pass(3000)
	assert.not(relay.engine.routers.has('second'))
	assert.not(relay.transport.sockets.has(1912))
	const second = (stream: string) => stream === 'relay-second'
	assert.equal(
		ofType(relay, 'RequestsDiscarded').map(({ stream, data }) => [second(stream), data.count]),
		[[true, 1]],
	)
	assert.equal(
		ofType(relay, 'ResponsesDiscarded').map(({ stream, data }) => [second(stream), data.reason]),
		[[true, 'unknown']],
	)
	assert.is(ofType(relay, 'AccessAccepted')[0]!.stream.startsWith('subscriber-second.'), true)
	assertInvariants(relay)
})

test('what a virtual router counted in its last moment is recorded, with nothing in flight', async () => {
	const relay = await simulatedRelay(oneServer + relayServers + secondRouter)
	relay.pass(1000)
	relay.fromWap(accessRequest({ secret: 'wrong' }), { to: 1912 })
	await relay.configure(oneServer + relayServers)
	relay.pass(3000)
	assert.not(relay.engine.routers.has('second'))
	assert.is(ofType(relay, 'RequestsDiscarded').length, 1)
})

test('what a removed server was counted for is recorded', async () => {
	const relay = await simulatedRelay(twoServers + relayServers)
	const [forwarded] = relay.fromWap(accessRequest())
	await relay.configure(twoServers.replace(oneServer, '') + relayServers)
	relay.fromHome(forwarded!, answerPacket(forwarded!.bytes, { code: 2, secret: 'wrong' }))
	relay.pass(2000)
	assert.equal(responseDiscardsOf(relay), { 'bad-authenticator': 1 })
})

test('a relay server that is removed and configured again at once goes on at its port', async () => {
	const relay = await simulatedRelay()
	const request = accessRequest({ identifier: 1 })
	const [forwarded] = relay.fromWap(request)
	assert.is(await relay.configure(oneServer), undefined)
	assert.is(await relay.configure(oneServer + relayServers), undefined)
	const [answer] = relay.fromHome(forwarded!, answerPacket(forwarded!.bytes, { code: 2 }))
	assertAnswers(answer!.bytes, request, wapSecret)
	relay.pass(2000)
	assert.ok(relay.transport.sockets.has(1812))
	assert.is(relay.fromWap(accessRequest({ identifier: 2 })).length, 1)
	// Once more, with answers due from both the removed and the new one.
	await relay.configure(oneServer)
	await relay.configure(oneServer + relayServers)
	const [third] = relay.fromWap(accessRequest({ identifier: 3 }))
	await relay.configure(oneServer)
	relay.pass(1100)
	assert.is(relay.fromHome(third!, answerPacket(third!.bytes, { code: 2 })).length, 1)
	relay.pass(15_000)
	assert.not(relay.transport.sockets.has(1812))
	assertInvariants(relay)
})

test('two removed relay servers at one port both answer what they have', async () => {
	const relay = await simulatedRelay()
	const [first] = relay.fromWap(accessRequest({ identifier: 1 }))
	await relay.configure(oneServer)
	await relay.configure(oneServer + relayServers)
	const [second] = relay.fromWap(accessRequest({ identifier: 2 }))
	await relay.configure(oneServer)
	assert.is(relay.fromHome(second!, answerPacket(second!.bytes, { code: 2 })).length, 1)
	relay.pass(1100)
	assert.is(relay.fromHome(first!, answerPacket(first!.bytes, { code: 2 })).length, 1)
	relay.pass(1100)
	assert.not(relay.transport.sockets.has(1812))
	assertInvariants(relay)
})

test('an answer that waits for company leaves before its socket is replaced', async () => {
	const { relay, arrive, once } = await withWaiting(1)
	arrive(0)
	assert.equal(once(), { waits: true, answers: [] })
	const narrow = relayServers.replaceAll('server\n', 'server\n listen-address 127.0.0.1\n')
	assert.is(await relay.configure(oneServer + narrow), undefined)
	assert.equal(once(), { waits: false, answers: [0] })
})

test('a port that is changed to and fro within a second stays in service', async () => {
	const relay = await simulatedRelay()
	const moved = relayServers.replace('server\n', 'server\n udp-port 1912\n')
	assert.is(await relay.configure(oneServer + moved), undefined)
	assert.is(await relay.configure(oneServer + relayServers), undefined)
	relay.pass(2000)
	assert.is(relay.fromWap(accessRequest()).length, 1)
	assert.not(relay.transport.sockets.has(1912))
})

test('another listen-address at the same port takes the place of the old one', async () => {
	const relay = await simulatedRelay()
	const request = accessRequest({ identifier: 1 })
	const [forwarded] = relay.fromWap(request)
	const narrow = relayServers.replace('server\n', 'server\n listen-address 127.0.0.1\n')
	assert.is(await relay.configure(oneServer + narrow), undefined)
	assert.is(relay.transport.sockets.get(1812)!.address, 0x7f000001)
	const [answer] = relay.fromHome(forwarded!, answerPacket(forwarded!.bytes, { code: 2 }))
	assertAnswers(answer!.bytes, request, wapSecret)
	assert.is(answer!.from, 1812)
	assert.is(await relay.configure(oneServer + relayServers), undefined)
	assert.is(relay.transport.sockets.get(1812)!.address, 0)
	assert.is(await relay.configure(oneServer + narrow), undefined)
	assert.is(relay.transport.sockets.get(1812)!.address, 0x7f000001)
	relay.pass(3000)
	assert.is(relay.fromWap(accessRequest({ identifier: 2 })).length, 1)
	assertInvariants(relay)
})

test('a port that is taken is refused, and everything is as before', async () => {
	const relay = await simulatedRelay()
	const [forwarded] = relay.fromWap(accessRequest({ identifier: 1 }))
	await relay.transport.bind(0, 1999)
	const configuration = relay.engine.configuration
	const sockets = [...relay.transport.sockets.keys()]
	const text =
		oneServer +
		relayServers
			.replace('server\n', 'server\n listen-address 127.0.0.1\n')
			.replace('accounting server\n', 'accounting server\n udp-port 1999\n')
	const refused = await relay.configure(text)
	assert.match(refused!, 'accounting relay server cannot listen on 0.0.0.0 port 1999')
	assert.ok(relay.engine.configuration === configuration)
	assert.equal([...relay.transport.sockets.keys()].sort(), sockets.sort())
	assert.is(relay.transport.sockets.get(1812)!.address, 0, 'the first relay server, too')
	assert.is(relay.fromHome(forwarded!, answerPacket(forwarded!.bytes, { code: 2 })).length, 1)
	assert.is(relay.fromWap(accessRequest({ identifier: 2 })).length, 1)
	assert.is(relay.fromWap(accountingRequest('start')).length, 1)
	assertInvariants(relay)
})

test('settings of a server change without a new socket', async () => {
	const relay = await simulatedRelay()
	const sockets = relay.upstreamSockets()
	const text = oneServer.replaceAll(' key home', ' timeout 1\n key home')
	await relay.configure(text + relayServers)
	assert.equal(relay.upstreamSockets(), sockets)
	relay.fromWap(accessRequest())
	assert.is(relay.pass(1100).filter(isForward).length, 1)
})

test('a client port that is one too many is turned away and counted', async () => {
	const relay = await simulatedRelay()
	const { peers } = relay.engine.routers.get('default')!.listeners.authentication!
	const busy = { pending: 1 } as Peer
	for (let n = 0; n < 65_536; n++) peers.set(-n - 1, busy)
	assert.is(relay.fromWap(accessRequest()).length, 0)
	peers.clear()
	relay.pass(1000)
	assert.equal(discardsOf(relay), { 'queue-full': 1 })
})

// Any sequence of everything.

const seed = Number(process.env['SEED'] ?? 20250603)
const replay = `replay: SEED=${seed} node_modules/.bin/node test/engine.test.ts`

const configurations = [
	oneServer + relayServers,
	twoServers + relayServers,
	`radius algorithm round-robin\n${twoServers}${relayServers}`,
	twoServers.replaceAll(' key', ' retransmit 0\n timeout 1\n max-sessions 10\n key') + relayServers,
	oneServer.replaceAll(homeSecret, 'another') + relayServers.replaceAll(wapSecret, 'changed'),
	oneServer + relayServers.replace('server\n', 'server\n udp-port 1912\n'),
	oneServer + relayServers + secondRouter,
	twoServers,
	relayServers,
]
const identifiers = fc.integer({ min: 0, max: 5 })
const steps = fc.oneof(
	{
		weight: 8,
		arbitrary: fc.record({
			kind: fc.constant('request' as const),
			code: fc.constantFrom(1, 4),
			identifier: identifiers,
			nonce: fc.integer({ min: 0, max: 2 }),
			port: fc.constantFrom(5000, 5001),
			subscriber: fc.integer({ min: 1, max: 3 }),
			status: fc.constantFrom('start', 'interim', 'stop', 'on' as const),
			broken: fc.constantFrom(false, false, false, true),
		}),
	},
	{
		weight: 6,
		arbitrary: fc.record({
			kind: fc.constant('answer' as const),
			which: fc.nat(30),
			code: fc.constantFrom(2, 3, 11),
			twice: fc.boolean(),
			genuine: fc.constantFrom(true, true, true, false),
		}),
	},
	{
		weight: 3,
		arbitrary: fc.record({
			kind: fc.constant('pass' as const),
			ms: fc.constantFrom(50, 1000, 3100, 12_500),
		}),
	},
	{
		weight: 1,
		arbitrary: fc.record({ kind: fc.constant('refuse' as const), which: fc.nat(10) }),
	},
	{
		weight: 1,
		arbitrary: fc.record({
			kind: fc.constant('configure' as const),
			which: fc.nat(configurations.length - 1),
		}),
	},
)

/** Every outcome names the very event that opened its exchange, and is the only one to do so. */
function assertExchanges(relay: SimulatedRelay): void {
	const events = relay.events()
	const seen = new Set<number>()
	for (const [i, event] of events.entries()) {
		assert.is(event.position, i + 1)
		if (!('exchange' in event.data) || !('client' in event.data)) continue
		const { exchange, client } = event.data
		const opening = events[exchange - 1]
		assert.ok(opening !== undefined && exchange < event.position, 'it was opened before')
		assert.is(opening.stream, event.stream)
		assert.ok('client' in opening.data && opening.data.client === client)
		const access = event.type.startsWith('Access')
		const opens = access
			? opening.type === 'AccessRequested'
			: /^Accounting(Started|Updated|Stopped|TurnedOn|TurnedOff)$/.test(opening.type)
		assert.ok(opens, `${event.type} answers ${opening.type}`)
		assert.not(seen.has(exchange), 'an exchange has one outcome')
		seen.add(exchange)
	}
}

function openExchanges(relay: SimulatedRelay): number {
	const events = relay.events()
	const opened = events.filter(({ type }) =>
		/^(AccessRequested|Accounting(Started|Updated|Stopped|TurnedOn|TurnedOff))$/.test(type),
	)
	const closed = events.filter(({ data }) => 'exchange' in data)
	return opened.length - closed.length
}

test('after any sequence the slots and counts add up, and each exchange has its one outcome', async () => {
	const property = fc.asyncProperty(fc.array(steps, { maxLength: 60 }), async sequence => {
		const relay = await simulatedRelay(configurations[1]!)
		const forwarded: { left: Left; secret: string }[] = []
		let [homes, waps] = [homeSecret, wapSecret]
		const keep = (left: Left[]) => {
			for (const each of left) {
				if (isForward(each) || each.code === 12) forwarded.push({ left: each, secret: homes })
			}
		}
		for (const step of sequence) {
			switch (step.kind) {
				case 'request': {
					const { identifier, nonce, port, subscriber, status, broken } = step
					const about = { identifier, nonce, secret: broken ? 'broken' : waps }
					const attributes = [[32, `nas ${nonce}`]] as [number, string][]
					const packet =
						step.code === 1
							? accessRequest({ ...about, attributes })
							: accountingRequest(status, { ...about, attributes: [[44, `s${subscriber}`]] })
					const to = step.code === 4 ? 1813 : relay.transport.sockets.has(1812) ? 1812 : 1912
					if (relay.transport.sockets.has(to)) keep(relay.fromWap(packet, { port, to }))
					break
				}
				case 'answer': {
					const found = forwarded[forwarded.length - 1 - (step.which % (forwarded.length || 1))]
					if (found === undefined || !relay.transport.sockets.has(found.left.from)) break
					const code = found.left.code === 1 ? step.code : found.left.code === 4 ? 5 : 2
					const secret = step.genuine ? found.secret : 'broken'
					const attributes = [[24, `state ${step.which}`]] as [number, string][]
					const answer = answerPacket(found.left.bytes, { code, secret, attributes })
					keep(relay.fromHome(found.left, answer))
					if (step.twice) keep(relay.fromHome(found.left, answer))
					break
				}
				case 'pass':
					keep(relay.pass(step.ms))
					break
				case 'refuse': {
					const sockets = relay.upstreamSockets()
					const socket = sockets[step.which % (sockets.length || 1)]
					if (socket !== undefined) relay.transport.refuse(socket)
					break
				}
				default: {
					const text = configurations[step.which]!
					homes = text.includes('another') ? 'another' : homeSecret
					waps = text.includes('changed') ? 'changed' : wapSecret
					assert.is(await configure(relay.engine, configurationOf(text)), undefined)
				}
			}
			await settled()
			assertInvariants(relay)
		}
		relay.pass(60_000)
		assertInvariants(relay)
		assertExchanges(relay)
		assert.is(openExchanges(relay), 0, 'every exchange has come to an end')
		assert.is(relay.engine.retiring.size, 0)
	})
	await fc.assert(property, { seed, numRuns: 150 }).catch(error => {
		throw new Error(`${replay}\n${error}`)
	})
})

test('what was counted in the last second is on disk when the relay stops', async () => {
	const { stopEngine } = await import('../src/engine/stop.ts')
	const relay = await simulatedRelay()
	relay.pass(1000)
	relay.fromWap(accessRequest({ secret: 'wrong' }))
	relay.fromWap(accessRequest({ identifier: 2 }))
	await stopEngine(relay.engine, 'test')
	const recorded = relay.journal.read(1, 1000)
	const [discarded] = recorded.filter(event => event.type === 'RequestsDiscarded')
	assert.is(discarded?.data.reason, 'bad-authenticator')
	const [unanswered] = recorded.filter(event => event.type === 'AccessUnanswered')
	assert.is(unanswered?.data.reason, 'stopped')
	assert.is(recorded.at(-1)?.type, 'RelayStopped')
	assert.equal(relay.turn(), [])
})

test.run()
