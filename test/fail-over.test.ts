/** Upstream servers that are slow, silent, gone, back again, full or elsewhere. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { verifyAccountingRequest } from '../domain/radius/authenticator.ts'
import { hideUserPassword, revealUserPassword } from '../domain/radius/hidden.ts'
import {
	chooseUpstream,
	newWatchdog,
	nextStart,
	type UpstreamState,
	type Watchdog,
	watchdogHeard,
	watchdogSilence,
	watchdogTimer,
} from '../domain/upstream.ts'
import { recordDurably } from '../src/engine/commit.ts'
import { resolveUpstreams } from '../src/engine/configure.ts'
import { purpose } from '../src/engine/upstream-link.ts'
import {
	assertAnswers,
	assertInvariants,
	assertSignedFirst,
	discardsOf,
	ofType,
	responseDiscardsOf,
	settled,
} from './relay-invariants.ts'
import {
	accessRequest,
	accountingRequest,
	answerPacket,
	attributesOf,
	homeSecret,
	key,
	type Left,
	oneServer,
	type PacketOptions,
	relayServers,
	type SimulatedRelay,
	simulatedRelay,
	type TestAttribute,
	twoServers,
	wapSecret,
} from './simulated-relay.ts'

const first = '192.0.2.1'
const second = '192.0.2.2'

/** Servers with settings of their own, for authentication and accounting alike. */
function servers(settings: Readonly<Record<string, string>>): string {
	return Object.entries(settings)
		.flatMap(([address, lines]) =>
			['authentication', 'accounting'].map(
				service => `radius ${service} server ${address}\n${lines}\nexit\n`,
			),
		)
		.join('')
}
const plain = `key ${homeSecret}`

function host(left: Left | undefined): string | undefined {
	return left?.to.split(':')[0]
}

function requests(left: readonly Left[]): Left[] {
	return left.filter(({ code }) => code === 1 || code === 4)
}

function watchdogs(left: readonly Left[]): Left[] {
	return left.filter(({ code }) => code === 12)
}

function answered(relay: SimulatedRelay, forwarded: Left, code = 2): Left {
	const [answer] = relay.fromHome(forwarded, answerPacket(forwarded.bytes, { code }))
	assert.ok(answer, 'the answer goes to the client')
	return answer
}

function stateOf(relay: SimulatedRelay, n = 0): string {
	return relay.engine.routers.get('default')!.upstreams.authentication[n]!.watchdog.state
}

test('a request is transmitted again after the timeout, the same octets from the same socket', async () => {
	const relay = await simulatedRelay()
	const [forwarded] = relay.fromWap(accessRequest())
	assert.is(relay.pass(2950).length, 0)
	const again = relay.pass(100)
	assert.is(again.length, 1)
	assert.equal(again[0]!.bytes, forwarded!.bytes)
	assert.is(again[0]!.from, forwarded!.from)
	assertInvariants(relay)
})

test('timeout and retransmit count as configured, then the request is given up', async () => {
	const relay = await simulatedRelay(
		servers({ [first]: `${plain}\ntimeout 5\nretransmit 2` }) + relayServers,
	)
	relay.fromWap(accountingRequest('start'))
	const again = requests(relay.pass(14_900))
	assert.is(again.length, 2)
	assert.is(ofType(relay, 'AccountingUnanswered').length, 0)
	relay.pass(200)
	const [unanswered] = ofType(relay, 'AccountingUnanswered')
	const [opened] = ofType(relay, 'AccountingStarted')
	assert.equal(unanswered!.data, {
		exchange: opened!.position,
		client: '10.0.0.1',
		status: 'start',
		reason: 'timeout',
		tries: [[first, 3]],
	})
	assertInvariants(relay)
})

test('an answer to a retransmission says how many transmissions it took', async () => {
	const relay = await simulatedRelay()
	const [forwarded] = relay.fromWap(accessRequest())
	relay.pass(3100)
	answered(relay, forwarded!)
	const [accepted] = ofType(relay, 'AccessAccepted')
	assert.equal(accepted!.data.tries, [[first, 2]])
	assert.is(accepted!.data.roundTripUs, 3_100_000)
})

test('a request rolls over to the next server, with its secret and a fresh authenticator', async () => {
	const relay = await simulatedRelay(
		servers({
			[first]: `${plain}\nretransmit 1`,
			[second]: 'key another-secret\nretransmit 1',
		}) + relayServers,
	)
	const request = accessRequest({ messageAuthenticator: 'none' })
	const hidden = hideUserPassword(
		new TextEncoder().encode('open sesame'),
		key(wapSecret),
		request,
		4,
	)
	const packet = accessRequest({
		attributes: [
			[2, hidden],
			[33, 'one'],
			[33, 'two'],
		],
	})
	const [forwarded] = relay.fromWap(packet)
	const [rolled] = requests(relay.pass(6100)).slice(1)
	assert.is(host(rolled), second)
	assertSignedFirst(rolled!.bytes, 'another-secret')
	assert.not.equal(rolled!.bytes.slice(4, 20), forwarded!.bytes.slice(4, 20))
	const password = attributesOf(rolled!.bytes).find(([type]) => type === 2)![1]
	const clear = revealUserPassword(password, key('another-secret'), rolled!.bytes, 4)
	assert.is(new TextDecoder().decode(clear), 'open sesame')
	const rest = (bytes: Uint8Array) =>
		attributesOf(bytes).filter(([type]) => type !== 80 && type !== 2)
	assert.equal(rest(rolled!.bytes), rest(packet))
	const answer = answerPacket(rolled!.bytes, { code: 2, secret: 'another-secret' })
	const [left] = relay.fromHome(rolled!, answer)
	assertAnswers(left!.bytes, packet, wapSecret)
	const [accepted] = ofType(relay, 'AccessAccepted')
	assert.is(accepted!.data.server, second)
	assert.equal(accepted!.data.tries, [
		[first, 2],
		[second, 1],
	])
	assertInvariants(relay)
})

test('accounting rolls over with the same content, and one Radius-Client-Address', async () => {
	const relay = await simulatedRelay(
		servers({ [first]: `${plain}\nretransmit 0`, [second]: 'key other' }) + relayServers,
	)
	const [forwarded] = relay.fromWap(accountingRequest('start'))
	const [rolled] = requests(relay.pass(3100))
	assert.is(host(rolled), second)
	assert.ok(verifyAccountingRequest(rolled!.bytes.slice(), rolled!.bytes.length, key('other')))
	assert.equal(attributesOf(rolled!.bytes), attributesOf(forwarded!.bytes))
	const answer = answerPacket(rolled!.bytes, { code: 5, secret: 'other' })
	assert.is(relay.fromHome(rolled!, answer).length, 1)
})

test('Radius-Client-Address after a roll-over is the address that faces the new server', async () => {
	const relay = await simulatedRelay(
		servers({ [first]: `${plain}\nretransmit 0`, [second]: plain }) + relayServers,
	)
	const sockets = relay.engine.routers.get('default')!.upstreams.accounting
	for (const [i, upstream] of sockets.entries()) {
		// As the kernel would say of two interfaces.
		const [link] = upstream.sockets
		Object.assign(link!.socket, { address: 0x0a640001 + i })
	}
	const clientAddress = (left: Left) => [...left.bytes.slice(-12)]
	const [forwarded] = relay.fromWap(accountingRequest('start'))
	assert.equal(clientAddress(forwarded!), [26, 12, 0, 0, 0x13, 0x0a, 52, 6, 10, 100, 0, 1])
	const [rolled] = requests(relay.pass(3100))
	assert.equal(clientAddress(rolled!), [26, 12, 0, 0, 0x13, 0x0a, 52, 6, 10, 100, 0, 2])
	assert.is(rolled!.bytes.length, forwarded!.bytes.length)
})

test('when every server stayed silent the request is given up, and says which were tried', async () => {
	const relay = await simulatedRelay(
		servers({ [first]: `${plain}\nretransmit 1`, [second]: `${plain}\nretransmit 0` }) +
			relayServers,
	)
	relay.fromWap(accessRequest())
	relay.pass(9200)
	const [unanswered] = ofType(relay, 'AccessUnanswered')
	assert.is(unanswered!.data.reason, 'timeout')
	assert.equal(unanswered!.data.tries, [
		[first, 2],
		[second, 1],
	])
	assertInvariants(relay)
})

test('what one exchange has tried says nothing about the next under the same identifier', async () => {
	const relay = await simulatedRelay(
		servers({ [first]: `${plain}\nretransmit 0`, [second]: `${plain}\nretransmit 0` }) +
			relayServers,
	)
	relay.fromWap(accessRequest({ nonce: 1 }))
	const [rolled] = requests(relay.pass(3100))
	answered(relay, rolled!)
	const before = structuredClone(ofType(relay, 'AccessAccepted')[0]!.data.tries)
	relay.pass(100)
	const [next] = relay.fromWap(accessRequest({ nonce: 2 }))
	answered(relay, next!)
	const accepted = ofType(relay, 'AccessAccepted')
	assert.equal(accepted[0]!.data.tries, before)
	assert.is(accepted[1]!.data.tries, undefined)
})

test('direct: requests go to the first server while it is okay', async () => {
	const relay = await simulatedRelay(twoServers + relayServers)
	for (let identifier = 0; identifier < 5; identifier++) {
		const [forwarded] = relay.fromWap(accessRequest({ identifier }))
		assert.is(host(forwarded), first)
		answered(relay, forwarded!)
	}
})

test('round-robin: requests go to one server after the other, for each service on its own', async () => {
	const relay = await simulatedRelay(`radius algorithm round-robin\n${twoServers}${relayServers}`)
	const access: (string | undefined)[] = []
	const accounting: (string | undefined)[] = []
	for (let identifier = 0; identifier < 4; identifier++) {
		const [request] = relay.fromWap(accessRequest({ identifier }))
		access.push(host(request))
		answered(relay, request!)
		const [start] = relay.fromWap(accountingRequest('start', { identifier, nonce: identifier }))
		accounting.push(host(start))
		answered(relay, start!, 5)
	}
	assert.equal(access, [first, second, first, second])
	assert.equal(accounting, [first, second, first, second])
})

test('round-robin: the requests of a conversation take no turn', async () => {
	const relay = await simulatedRelay(`radius algorithm round-robin\n${twoServers}${relayServers}`)
	const begun: (string | undefined)[] = []
	for (let n = 0; n < 4; n++) {
		const [opening] = relay.fromWap(accessRequest({ identifier: 2 * n }))
		begun.push(host(opening))
		const state = `state ${n}`
		relay.fromHome(opening!, answerPacket(opening!.bytes, { code: 11, attributes: [[24, state]] }))
		const [going] = relay.fromWap(
			accessRequest({ identifier: 2 * n + 1, attributes: [[24, state]] }),
		)
		assert.is(host(going), host(opening), 'a conversation stays where it began')
		answered(relay, going!)
	}
	assert.equal(begun, [first, second, first, second])
})

test('an EAP conversation stays on its server even when another becomes the first choice', async () => {
	const relay = await simulatedRelay(twoServers + relayServers)
	const [lost] = relay.fromWap(accessRequest({ identifier: 1 }))
	relay.pass(12_100)
	assert.is(stateOf(relay), 'suspect')
	const [opening] = relay.fromWap(accessRequest({ identifier: 2 }))
	assert.is(host(opening), second)
	relay.fromHome(opening!, answerPacket(opening!.bytes, { code: 11, attributes: [[24, 's']] }))
	// The first is back.
	relay.fromHome(lost!, answerPacket(lost!.bytes, { code: 3 }))
	assert.is(stateOf(relay), 'okay')
	assert.is(host(relay.fromWap(accessRequest({ identifier: 3 }))[0]), first)
	const going = accessRequest({ identifier: 4, attributes: [[24, 's']] })
	assert.is(host(relay.fromWap(going)[0]), second)
	const foreign = accessRequest({ identifier: 5, attributes: [[24, 'unheard of']] })
	assert.is(host(relay.fromWap(foreign)[0]), first)
})

test('a conversation whose server is down goes on elsewhere', async () => {
	const relay = await simulatedRelay(twoServers + relayServers, { watchdogSeconds: 6 })
	const [opening] = relay.fromWap(accessRequest({ identifier: 1 }))
	relay.fromHome(opening!, answerPacket(opening!.bytes, { code: 11, attributes: [[24, 's']] }))
	relay.fromWap(accessRequest({ identifier: 2 }))
	relay.pass(19_000)
	assert.is(stateOf(relay), 'down')
	const [going] = relay.fromWap(accessRequest({ identifier: 3, attributes: [[24, 's']] }))
	assert.is(host(going), second)
})

test('a conversation is forgotten after a minute', async () => {
	const relay = await simulatedRelay(twoServers + relayServers)
	const [opening] = relay.fromWap(accessRequest())
	relay.fromHome(opening!, answerPacket(opening!.bytes, { code: 11, attributes: [[24, 's']] }))
	const { conversations } = relay.engine.routers.get('default')!
	assert.is(conversations.size, 1)
	relay.pass(62_000)
	assert.is(conversations.size, 0)
})

test('a server that used up its transmissions is suspect: the next request goes to another', async () => {
	const relay = await simulatedRelay(twoServers + relayServers)
	const [silent] = relay.fromWap(accessRequest({ identifier: 1 }))
	relay.pass(12_100)
	assert.is(stateOf(relay), 'suspect')
	assert.is(host(relay.fromWap(accessRequest({ identifier: 2 }))[0]), second)
	const [changed] = ofType(relay, 'UpstreamChanged')
	assert.equal(changed!.data, {
		service: 'authentication',
		server: first,
		from: 'okay',
		to: 'suspect',
		reason: 'It did not answer a request.',
	})
	relay.fromHome(silent!, answerPacket(silent!.bytes, { code: 2 }))
	assert.is(stateOf(relay), 'okay', 'any answer fails back')
	assert.is(host(relay.fromWap(accessRequest({ identifier: 3 }))[0]), first)
})

test('requests under way to a suspect server move over at their next timeout', async () => {
	const relay = await simulatedRelay(twoServers + relayServers)
	relay.fromWap(accessRequest({ identifier: 1 }))
	relay.pass(11_000)
	relay.fromWap(accessRequest({ identifier: 2 }))
	const left = requests(relay.pass(3200))
	assert.equal(
		left.map(each => host(each)),
		[second, second],
	)
	assertInvariants(relay)
})

test('when no server is okay all are asked again, the least bad first', () => {
	const settings = { intervalMs: 30_000, deadtimeMs: 0 }
	const candidate = (state: UpstreamState) => ({
		watchdog: { ...newWatchdog(0, settings, 0.5), state },
		ready: true,
		inFlight: 0,
		maxSessions: 10,
	})
	const choose = (...states: UpstreamState[]) => chooseUpstream(states.map(candidate), 0, [])
	assert.is(choose('down', 'okay'), 1)
	assert.is(choose('down', 'reopen', 'suspect'), 2)
	assert.is(choose('down', 'reopen'), 1)
	assert.is(choose('down', 'down'), 0)
	assert.is(chooseUpstream([candidate('down')], 0, [0]), -1)
	assert.is(chooseUpstream([], 0, []), -1)
	assert.is(chooseUpstream([{ ...candidate('okay'), ready: false }], 0, []), -1)
	const full = { ...candidate('okay'), inFlight: 10 }
	assert.is(chooseUpstream([full, candidate('okay')], 0, []), 1)
	assert.is(chooseUpstream([full, candidate('down')], 0, []), -2)
	assert.is(chooseUpstream([candidate('okay'), candidate('okay')], 1, []), 1)
	assert.is(nextStart('direct', 7, 2), 0)
	assert.is(nextStart('round-robin', 7, 2), 1)
	assert.is(nextStart('round-robin', 7, 0), 0)
})

test('max-sessions: a request beyond the limit goes to the next server, and then is dropped', async () => {
	const relay = await simulatedRelay(
		servers({ [first]: `${plain}\nmax-sessions 10`, [second]: `${plain}\nmax-sessions 10` }) +
			relayServers,
	)
	const hosts = new Map<string, number>()
	const forwarded: Left[] = []
	for (let identifier = 0; identifier < 25; identifier++) {
		const [left] = relay.fromWap(accessRequest({ identifier }))
		if (left === undefined) continue
		forwarded.push(left)
		hosts.set(host(left)!, (hosts.get(host(left)!) ?? 0) + 1)
	}
	assert.equal(
		[...hosts],
		[
			[first, 10],
			[second, 10],
		],
	)
	relay.pass(1000)
	assert.equal(discardsOf(relay), { 'queue-full': 5 })
	assert.is(ofType(relay, 'AccessRequested').length, 20)
	answered(relay, forwarded[0]!)
	assert.is(host(relay.fromWap(accessRequest({ identifier: 30 }))[0]), first)
	assertInvariants(relay)
})

test('more than 256 requests at once need more sockets, and get them ahead of need', async () => {
	const relay = await simulatedRelay(
		servers({ [first]: `${plain}\nmax-sessions 1000` }) + relayServers,
	)
	const forwarded: Left[] = []
	for (let n = 0; n < 900; n++) {
		const left = relay.fromWap(accessRequest({ identifier: n & 255 }), { port: 5000 + (n >> 8) })
		assert.is(left.length, 1, `request ${n}`)
		forwarded.push(...left)
		if (n % 50 === 0) {
			relay.pass(50)
			await settled()
		}
	}
	assert.ok(new Set(forwarded.map(left => left.from)).size >= 4)
	const distinct = new Set(forwarded.map(left => `${left.from} ${left.bytes[1]}`))
	assert.is(distinct.size, 900, 'no identifier is used twice on a socket')
	assertInvariants(relay)
	for (const left of forwarded) answered(relay, left)
	assertInvariants(relay)
	assert.is(ofType(relay, 'AccessAccepted').length, 900)
})

test('a late answer is counted, goes nowhere and frees its slot', async () => {
	const relay = await simulatedRelay()
	const [forwarded] = relay.fromWap(accessRequest())
	relay.pass(12_100)
	assert.is(ofType(relay, 'AccessUnanswered').length, 1)
	assert.is(relay.fromHome(forwarded!, answerPacket(forwarded!.bytes, { code: 2 })).length, 0)
	relay.pass(1000)
	assert.equal(responseDiscardsOf(relay), { unknown: 1 })
	assert.is(ofType(relay, 'AccessAccepted').length, 0)
	assertInvariants(relay)
})

test('a slot that was given up is not used again while a late answer could come', async () => {
	const relay = await simulatedRelay(servers({ [first]: `${plain}\nretransmit 0` }) + relayServers)
	const [silent] = relay.fromWap(accessRequest({ identifier: 1 }))
	relay.pass(3100)
	const [link] = relay.engine.routers.get('default')!.upstreams.authentication[0]!.sockets
	const slot = silent!.bytes[1]!
	assert.is(link!.purposes[slot], purpose.quarantine)
	const memory = link!.packets[slot]!.slice(0, silent!.bytes.length)
	assert.equal(memory, silent!.bytes, 'what was asked is still known')
	for (let n = 0; n < 600; n++) {
		const [left] = relay.fromWap(accessRequest({ identifier: n & 255, nonce: n >> 8 }))
		assert.is.not(left!.bytes[1], slot)
		answered(relay, left!)
	}
	relay.pass(10_000)
	assert.is(link!.purposes[slot], purpose.free)
	assertInvariants(relay)
	for (let n = 0; n < 256; n++) {
		const [left] = relay.fromWap(accessRequest({ identifier: n, nonce: 9 }))
		if (left!.bytes[1] === slot) return
		answered(relay, left!)
	}
	assert.unreachable('the slot comes back into use')
})

test('a roll-over reads the old packet before anything else is written there', async () => {
	const relay = await simulatedRelay(
		servers({ [first]: `${plain}\nretransmit 0`, [second]: `${plain}\nretransmit 0` }) +
			relayServers,
	)
	const attributes = (n: number) => [[18, `request ${n}`]] as const
	for (let n = 0; n < 200; n++) {
		relay.fromWap(accessRequest({ identifier: n, attributes: attributes(n) }))
	}
	const rolled = requests(relay.pass(3100))
	assert.is(rolled.length, 200)
	for (const [n, left] of rolled.entries()) {
		assert.is(host(left), second)
		assertSignedFirst(left.bytes)
		const text = attributesOf(left.bytes).find(([type]) => type === 18)![1]
		assert.is(new TextDecoder().decode(text), `request ${n}`)
	}
	for (const left of rolled) answered(relay, left)
	assertInvariants(relay)
})

test('ECONNREFUSED moves what is under way to another server at once', async () => {
	const relay = await simulatedRelay(twoServers + relayServers)
	const [forwarded] = relay.fromWap(accessRequest())
	relay.transport.refuse(relay.transport.sockets.get(forwarded!.from)!)
	const left = requests(relay.pass(50))
	assert.equal(
		left.map(each => host(each)),
		[second],
	)
	assert.is(stateOf(relay), 'suspect')
	assert.is(ofType(relay, 'UpstreamChanged')[0]!.data.reason, 'Its host refuses the port.')
	answered(relay, left[0]!)
	assertInvariants(relay)
})

test('ECONNREFUSED of the only server leaves the request its time: the server may be starting', async () => {
	const relay = await simulatedRelay()
	const [forwarded] = relay.fromWap(accessRequest())
	const socket = relay.transport.sockets.get(forwarded!.from)!
	relay.transport.refuse(socket)
	assert.is(requests(relay.pass(2900)).length, 0)
	const [again] = requests(relay.pass(200))
	relay.transport.refuse(socket)
	assert.is(requests(relay.pass(2800)).length, 0)
	assert.is(ofType(relay, 'AccessUnanswered').length, 0)
	answered(relay, again!)
})

test('ECONNREFUSED of the last server to be tried leaves the request its time, too', async () => {
	const relay = await simulatedRelay(twoServers + relayServers)
	const [forwarded] = relay.fromWap(accessRequest())
	relay.transport.refuse(relay.transport.sockets.get(forwarded!.from)!)
	const [moved] = requests(relay.pass(50))
	relay.transport.refuse(relay.transport.sockets.get(moved!.from)!)
	assert.is(requests(relay.pass(2900)).length, 0)
	answered(relay, moved!)
})

test('a server without a key is never used', async () => {
	const relay = await simulatedRelay(
		`radius authentication server ${first}\nexit\n${servers({ [second]: plain })}${relayServers}`,
	)
	relay.pass(200)
	await settled()
	relay.pass(200)
	assert.is(host(relay.fromWap(accessRequest())[0]), second)
	const alone = await simulatedRelay(`radius authentication server ${first}\nexit\n${relayServers}`)
	alone.pass(200)
	await settled()
	assert.is(alone.fromWap(accessRequest()).length, 0)
	assert.is(ofType(alone, 'AccessUnanswered')[0]!.data.reason, 'no-server')
})

test('a name is resolved anew: requests go to the new address, old ones are answered still', async () => {
	let addresses: readonly number[] = [0xc0000201]
	const relay = await simulatedRelay(servers({ 'radius.example': plain }) + relayServers, {
		resolve: async () => addresses,
	})
	const [old] = relay.fromWap(accessRequest({ identifier: 1 }))
	assert.is(host(old), first)
	addresses = [0xc0000202]
	await resolveUpstreams(relay.engine)
	const [anew] = relay.fromWap(accessRequest({ identifier: 2 }))
	assert.is(host(anew), second)
	assertInvariants(relay)
	answered(relay, old!)
	answered(relay, anew!)
	const before = relay.upstreamSockets().length
	relay.pass(1100)
	assert.is(relay.upstreamSockets().length, before - 2, 'the old sockets are closed')
	assert.is(ofType(relay, 'AccessRequested')[1]!.data.server, 'radius.example')
})

test('until the new address has a socket, requests go to the old one', async () => {
	let addresses: readonly number[] = [0xc0000201]
	const relay = await simulatedRelay(servers({ 'radius.example': plain }) + relayServers, {
		resolve: async () => addresses,
	})
	addresses = [0xc0000202]
	const { connect } = relay.transport
	let tried = 0
	Object.assign(relay.transport, {
		connect: async () => {
			tried++
			throw Object.assign(new Error('no route leads there'), { code: 'ENETUNREACH' })
		},
	})
	await resolveUpstreams(relay.engine)
	assert.is(tried, 2)
	assert.is(host(relay.fromWap(accessRequest({ identifier: 1 }))[0]), first)
	Object.assign(relay.transport, { connect })
	await resolveUpstreams(relay.engine)
	assert.is(host(relay.fromWap(accessRequest({ identifier: 2 }))[0]), second)
	assertInvariants(relay)
})

test('a socket that cannot be opened is tried again every few seconds, not at every tick', async () => {
	const relay = await simulatedRelay(relayServers)
	const { connect } = relay.transport
	let tried = 0
	Object.assign(relay.transport, {
		connect: async () => {
			tried++
			throw Object.assign(new Error('no route leads there'), { code: 'ENETUNREACH' })
		},
	})
	await relay.configure(oneServer + relayServers)
	for (let second = 0; second < 20; second++) {
		relay.pass(1000)
		await settled()
	}
	assert.ok(tried >= 4 && tried <= 12, `${tried} attempts for two servers in 20 s`)
	assert.is(relay.warnings.length, tried)
	Object.assign(relay.transport, { connect })
	relay.pass(5100)
	await settled()
	assert.is(host(relay.fromWap(accessRequest())[0]), first)
})

test('refusals from an address that a name no longer has say nothing about the new one', async () => {
	let addresses: readonly number[] = [0xc0000201]
	const relay = await simulatedRelay(servers({ 'radius.example': plain }) + relayServers, {
		resolve: async () => addresses,
	})
	const [old] = relay.fromWap(accessRequest())
	addresses = [0xc0000202]
	await resolveUpstreams(relay.engine)
	relay.transport.refuse(relay.transport.sockets.get(old!.from)!)
	relay.pass(100)
	assert.is(stateOf(relay), 'okay')
})

test('an address that still serves is kept while the name has it, or has none', async () => {
	let addresses: readonly number[] = [0xc0000201]
	const relay = await simulatedRelay(servers({ 'radius.example': plain }) + relayServers, {
		resolve: async () => {
			if (addresses.length === 0) throw new Error('ENOTFOUND')
			return addresses
		},
	})
	const sockets = relay.upstreamSockets()
	addresses = [0xc0000202, 0xc0000201]
	await resolveUpstreams(relay.engine)
	addresses = []
	await resolveUpstreams(relay.engine)
	assert.equal(relay.upstreamSockets(), sockets)
	assert.is(relay.warnings.length, 2)
	assert.match(relay.warnings[0]!, 'radius.example')
	assert.is(host(relay.fromWap(accessRequest())[0]), first)
})

test('a name that nobody knows yet is used as soon as it has an address', async () => {
	let addresses: readonly number[] = []
	const relay = await simulatedRelay(servers({ 'radius.example': plain }) + relayServers, {
		resolve: async () => addresses,
	})
	relay.fromWap(accessRequest({ identifier: 1 }))
	assert.is(ofType(relay, 'AccessUnanswered')[0]!.data.reason, 'no-server')
	addresses = [0xc0000201]
	await resolveUpstreams(relay.engine)
	assert.is(host(relay.fromWap(accessRequest({ identifier: 2 }))[0]), first)
})

// The watchdog of RFC 3539 §3.4.2, on its own.

const tw = 30_000
const settings = { intervalMs: tw, deadtimeMs: 0 }

function watchdog(part: Partial<Watchdog>): Watchdog {
	return { ...newWatchdog(0, settings, 0.5), answersStatusServer: true, ...part }
}

test('the timer is Tw with 2 s of jitter either way', () => {
	assert.is(newWatchdog(100, settings, 0).timerAt, 100 + tw - 2000)
	assert.is(newWatchdog(100, settings, 0.5).timerAt, 100 + tw)
	assert.is(newWatchdog(100, settings, 0.75).timerAt, 100 + tw + 1000)
	assert.is(newWatchdog(0, settings, 0.5).state, 'okay')
})

/** State, event, and what follows: RFC 3539's table, with Status-Server as the watchdog. */
type Row = {
	readonly title: string
	readonly from: Partial<Watchdog>
	readonly event: 'timer' | 'answer' | 'status' | 'silence'
	readonly to: Partial<Watchdog>
	readonly asks: boolean
}
const table: readonly Row[] = [
	{
		title: 'OKAY, timer, nothing pending: ask',
		from: { state: 'okay' },
		event: 'timer',
		to: { state: 'okay', pending: true },
		asks: true,
	},
	{
		title: 'OKAY, timer, pending: fail over, and ask once more because datagrams get lost',
		from: { state: 'okay', pending: true },
		event: 'timer',
		to: { state: 'suspect', pending: true },
		asks: true,
	},
	{
		title: 'OKAY, timer, pending at a server that never answered one: only ask again',
		from: { state: 'okay', pending: true, answersStatusServer: false },
		event: 'timer',
		to: { state: 'okay', pending: true },
		asks: true,
	},
	{
		title: 'OKAY, answer to the watchdog',
		from: { state: 'okay', pending: true },
		event: 'status',
		to: { state: 'okay', pending: false },
		asks: false,
	},
	{
		title: 'OKAY, any other answer: it lives, whatever became of the watchdog',
		from: { state: 'okay', pending: true },
		event: 'answer',
		to: { state: 'okay', pending: false },
		asks: false,
	},
	{
		title: 'OKAY, a request used up its transmissions: fail over and ask',
		from: { state: 'okay' },
		event: 'silence',
		to: { state: 'suspect', pending: true },
		asks: true,
	},
	{
		title: 'SUSPECT, answer to the watchdog: fail back',
		from: { state: 'suspect', pending: true },
		event: 'status',
		to: { state: 'okay', pending: false },
		asks: false,
	},
	{
		title: 'SUSPECT, any other answer: fail back',
		from: { state: 'suspect', pending: true },
		event: 'answer',
		to: { state: 'okay', pending: false },
		asks: false,
	},
	{
		title: 'SUSPECT, timer: down',
		from: { state: 'suspect', pending: true },
		event: 'timer',
		to: { state: 'down' },
		asks: false,
	},
	{
		title: 'SUSPECT, silence again: no change',
		from: { state: 'suspect', pending: true },
		event: 'silence',
		to: { state: 'suspect', pending: true },
		asks: false,
	},
	{
		title: 'DOWN, timer: try to reach it',
		from: { state: 'down' },
		event: 'timer',
		to: { state: 'down', pending: true },
		asks: true,
	},
	{
		title: 'DOWN, timer, a server that never answered Status-Server: a request must find out',
		from: { state: 'down', answersStatusServer: false },
		event: 'timer',
		to: { state: 'okay' },
		asks: false,
	},
	{
		title: 'DOWN, contact by an answer to the watchdog: the first of three',
		from: { state: 'down', pending: true },
		event: 'status',
		to: { state: 'reopen', answers: 1, pending: false },
		asks: false,
	},
	{
		title: 'DOWN, contact by a late answer: ask',
		from: { state: 'down' },
		event: 'answer',
		to: { state: 'reopen', answers: 0, pending: true },
		asks: true,
	},
	{
		title: 'DOWN, silence: no change',
		from: { state: 'down' },
		event: 'silence',
		to: { state: 'down' },
		asks: false,
	},
	{
		title: 'REOPEN, timer, nothing pending: ask',
		from: { state: 'reopen', answers: 1 },
		event: 'timer',
		to: { state: 'reopen', answers: 1, pending: true },
		asks: true,
	},
	{
		title: 'REOPEN, second answer to the watchdog',
		from: { state: 'reopen', answers: 1, pending: true },
		event: 'status',
		to: { state: 'reopen', answers: 2, pending: false },
		asks: false,
	},
	{
		title: 'REOPEN, third answer to the watchdog: fail back',
		from: { state: 'reopen', answers: 2, pending: true },
		event: 'status',
		to: { state: 'okay', pending: false },
		asks: false,
	},
	{
		title: 'REOPEN, any other answer: thrown away',
		from: { state: 'reopen', answers: 2, pending: true },
		event: 'answer',
		to: { state: 'reopen', answers: 2, pending: true },
		asks: false,
	},
	{
		title: 'REOPEN, timer, pending for the first time: once more',
		from: { state: 'reopen', answers: 2, pending: true },
		event: 'timer',
		to: { state: 'reopen', answers: -1, pending: true },
		asks: true,
	},
	{
		title: 'REOPEN, timer, pending for the second time: down',
		from: { state: 'reopen', answers: -1, pending: true },
		event: 'timer',
		to: { state: 'down' },
		asks: false,
	},
	{
		title: 'REOPEN, an answer after one that failed: counting begins anew',
		from: { state: 'reopen', answers: -1, pending: true },
		event: 'status',
		to: { state: 'reopen', answers: 1, pending: false },
		asks: false,
	},
]

function happen(w: Watchdog, event: Row['event'], now: number) {
	switch (event) {
		case 'timer':
			return watchdogTimer(w, now, settings, 0.5)
		case 'status':
			return watchdogHeard(w, now, settings, 0.5, true)
		case 'answer':
			return watchdogHeard(w, now, settings, 0.5, false)
		case 'silence':
			return watchdogSilence(w, now, settings, 0.5, 'It did not answer a request.')
		default:
			return event satisfies never
	}
}

for (const { title, from, event, to, asks } of table) {
	test(`RFC 3539: ${title}`, () => {
		const w = watchdog(from)
		const step = happen(w, event, 50_000)
		for (const [name, value] of Object.entries(to)) {
			assert.is(w[name as keyof Watchdog], value, name)
		}
		assert.is(step.sendStatusServer, asks, 'asks')
		const changed = from.state !== to.state
		assert.is(step.change !== undefined, changed)
		if (changed) assert.equal([step.change!.from, step.change!.to], [from.state, to.state])
		const thrownAway = event === 'answer' && from.state === 'reopen'
		const ignored = event === 'silence' && from.state !== 'okay'
		const reset = !thrownAway && !ignored
		assert.is(w.timerAt, reset ? 50_000 + tw : tw, 'the timer')
	})
}

test('a server that is down is left alone for its deadtime', () => {
	const dead = { intervalMs: tw, deadtimeMs: 5 * 60_000 }
	const w = watchdog({ state: 'suspect' })
	watchdogTimer(w, 1000, dead, 0.5)
	assert.is(w.state, 'down')
	assert.is(watchdogTimer(w, 1000 + 4 * 60_000, dead, 0.5).sendStatusServer, false)
	assert.is(watchdogTimer(w, 1000 + 5 * 60_000, dead, 0.5).sendStatusServer, true)
})

test('an idle server is asked every Tw, each time with a new Status-Server', async () => {
	const relay = await simulatedRelay()
	const first = watchdogs(relay.pass(30_100))
	assert.is(first.length, 2, 'one for each service')
	for (const { bytes } of first) assertSignedFirst(bytes)
	const second = watchdogs(relay.pass(30_100))
	assert.is(second.length, 2)
	for (const [i, left] of second.entries()) {
		assert.is(left.from, first[i]!.from)
		assert.not.equal(left.bytes.slice(4, 20), first[i]!.bytes.slice(4, 20))
		assert.is.not(left.bytes[1], first[i]!.bytes[1])
	}
	assertInvariants(relay)
})

test('answers put the watchdog off: a busy server is not asked', async () => {
	const relay = await simulatedRelay()
	for (let n = 0; n < 8; n++) {
		const [forwarded] = relay.fromWap(accessRequest({ identifier: n }))
		answered(relay, forwarded!)
		assert.is(watchdogs(relay.pass(20_000)).filter(left => left.to.endsWith(':1812')).length, 0)
	}
})

/** Answers every Status-Server while time passes. */
function passAlive(relay: SimulatedRelay, ms: number): void {
	for (let passed = 0; passed < ms; passed += 500) {
		for (const left of watchdogs(relay.pass(500))) {
			const code = left.to.endsWith(':1813') ? 5 : 2
			relay.fromHome(left, answerPacket(left.bytes, { code, messageAuthenticator: 'first' }))
		}
	}
}

test('a server fails, is down, and comes back by three answers: every step is an event', async () => {
	const relay = await simulatedRelay(twoServers + relayServers, { watchdogSeconds: 6 })
	passAlive(relay, 13_000)
	relay.pass(25_000)
	assert.is(stateOf(relay), 'down')
	passAlive(relay, 40_000)
	assert.is(stateOf(relay), 'okay')
	const steps = ofType(relay, 'UpstreamChanged')
		.filter(({ data }) => data.server === first && data.service === 'authentication')
		.map(({ data }) => `${data.from} ${data.to}`)
	assert.equal(steps, ['okay suspect', 'suspect down', 'down reopen', 'reopen okay'])
	assertInvariants(relay)
})

test('an answer to a Status-Server that is not verifiable changes nothing', async () => {
	const relay = await simulatedRelay()
	const [asked] = watchdogs(relay.pass(30_100))
	relay.fromHome(asked!, answerPacket(asked!.bytes, { code: 2, secret: 'wrong' }))
	relay.pass(1000)
	assert.equal(responseDiscardsOf(relay), { 'bad-authenticator': 1 })
	const { watchdog } = relay.engine.routers.get('default')!.upstreams.authentication[0]!
	assert.is(watchdog.pending, true)
	assert.is(watchdog.answersStatusServer, false)
})

test('a server that never answers Status-Server stays in use as long as it answers requests', async () => {
	const relay = await simulatedRelay(twoServers + relayServers)
	for (let n = 0; n < 6; n++) {
		const [forwarded] = relay.fromWap(accessRequest({ identifier: n }))
		assert.is(host(forwarded), first)
		answered(relay, forwarded!)
		relay.pass(65_000)
	}
	assert.is(ofType(relay, 'UpstreamChanged').length, 0)
})

test('and when it does not, it gets requests again after a while', async () => {
	const relay = await simulatedRelay(twoServers + relayServers, { watchdogSeconds: 6 })
	relay.fromWap(accessRequest({ identifier: 1 }))
	relay.pass(12_100)
	assert.is(stateOf(relay), 'suspect')
	relay.pass(12_100)
	assert.is(stateOf(relay), 'okay')
	assert.is(host(relay.fromWap(accessRequest({ identifier: 2 }))[0]), first)
})

test('unanswered Status-Servers do not use up the identifiers', async () => {
	const relay = await simulatedRelay(oneServer + relayServers, { watchdogSeconds: 6 })
	relay.pass(600_000)
	const { sockets } = relay.engine.routers.get('default')!.upstreams.authentication[0]!
	assert.is(sockets.length, 1)
	assert.ok(sockets[0]!.freeCount > 250)
	assertInvariants(relay)
})

test('answers that are foreign, broken or of another code are counted and dropped', async () => {
	const relay = await simulatedRelay()
	const [forwarded] = relay.fromWap(accessRequest())
	const drop = (bytes: Uint8Array) => assert.is(relay.fromHome(forwarded!, bytes).length, 0)
	drop(answerPacket(forwarded!.bytes, { code: 2, identifier: forwarded!.bytes[1]! + 1 }))
	drop(answerPacket(forwarded!.bytes, { code: 2, secret: 'wrong' }))
	drop(answerPacket(forwarded!.bytes, { code: 5 }))
	drop(answerPacket(forwarded!.bytes, { code: 2 }).subarray(0, 19))
	drop(answerPacket(forwarded!.bytes, { code: 2 }).subarray(0, 30))
	const forged = answerPacket(forwarded!.bytes, { code: 3, messageAuthenticator: 'none' })
	forged[0] = 2
	drop(forged)
	relay.pass(1000)
	assert.equal(responseDiscardsOf(relay), {
		unknown: 1,
		'bad-authenticator': 2,
		'unexpected-code': 1,
		malformed: 2,
	})
	answered(relay, forwarded!)
	assertInvariants(relay)
})

test('an answer with EAP-Message must be signed', async () => {
	const relay = await simulatedRelay()
	const [forwarded] = relay.fromWap(accessRequest())
	const attributes: TestAttribute[] = [[79, [3, 1, 0, 4]]]
	const unsigned: PacketOptions = { code: 2, attributes, messageAuthenticator: 'none' }
	assert.is(relay.fromHome(forwarded!, answerPacket(forwarded!.bytes, unsigned)).length, 0)
	const signed = answerPacket(forwarded!.bytes, { code: 2, attributes })
	assert.is(relay.fromHome(forwarded!, signed).length, 1)
})

test('a server that signs an answer which need not be signed must sign from then on', async () => {
	const relay = await simulatedRelay()
	const unsigned = { code: 2, messageAuthenticator: 'none' } as const
	const [a] = relay.fromWap(accessRequest({ identifier: 1 }))
	assert.is(relay.fromHome(a!, answerPacket(a!.bytes, unsigned)).length, 1)
	const [b] = relay.fromWap(accessRequest({ identifier: 2 }))
	assert.is(relay.fromHome(b!, answerPacket(b!.bytes, { code: 2 })).length, 1)
	const [c] = relay.fromWap(accessRequest({ identifier: 3 }))
	assert.is(relay.fromHome(c!, answerPacket(c!.bytes, unsigned)).length, 0)
})

test('but one that signs EAP and Status-Server only, as older servers do, may go on so', async () => {
	const relay = await simulatedRelay()
	const attributes: TestAttribute[] = [[79, [3, 1, 0, 4]]]
	const [a] = relay.fromWap(accessRequest({ identifier: 1 }))
	assert.is(relay.fromHome(a!, answerPacket(a!.bytes, { code: 2, attributes })).length, 1)
	passAlive(relay, 31_000)
	const [b] = relay.fromWap(accessRequest({ identifier: 2 }))
	const unsigned = answerPacket(b!.bytes, { code: 2, messageAuthenticator: 'none' })
	assert.is(relay.fromHome(b!, unsigned).length, 1)
})

test('stopping records everything in flight as unanswered', async () => {
	const { releaseAll } = await import('../src/engine/configure.ts')
	const relay = await simulatedRelay(twoServers + relayServers)
	relay.fromWap(accessRequest())
	relay.fromWap(accountingRequest('start'))
	releaseAll(relay.engine)
	await recordDurably(relay.engine, [
		{ stream: 'relay-default', type: 'RelayStopped', v: 1, at: 1, data: { reason: 'SIGTERM' } },
	])
	assert.is(ofType(relay, 'AccessUnanswered')[0]!.data.reason, 'stopped')
	assert.is(ofType(relay, 'AccountingUnanswered')[0]!.data.reason, 'stopped')
	assertInvariants(relay)
})

test('a burst of more requests than one socket has identifiers is forwarded whole', async () => {
	const wide = oneServer.replace('key home-secret', 'key home-secret\n max-sessions 2000')
	const relay = await simulatedRelay(wide + relayServers)
	let forwarded = 0
	for (let n = 0; n < 1000; n++) {
		const request = accessRequest({ identifier: n & 255, nonce: n >> 8 })
		forwarded += relay.fromWap(request, { port: 5000 + (n >> 8) }).length
		// A socket opens between turns, as it does in Node's loop.
		if (n % 64 === 63) await Promise.resolve().then(() => undefined)
	}
	assert.is(forwarded, 1000)
	assert.ok(relay.upstreamSockets().length >= 5)
})

test.run()
