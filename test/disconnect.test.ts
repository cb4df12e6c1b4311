/** RADIUS-initiated disconnect: what a server is told, and what must be on disk before that. */
import fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { type AppendFault, openMemoryJournal } from '../adapters/journal/memory.ts'
import { verifyMessageAuthenticator, verifyResponse } from '../domain/radius/authenticator.ts'
import { type MacIndex, macsUnder, type Session } from '../domain/session-table.ts'
import { evolve, initialState } from '../domain/state.ts'
import { askLimit } from '../src/engine/disconnector.ts'
import { join, machine } from './dhcp-client.ts'
import { assertInvariants, ofType } from './relay-invariants.ts'
import {
	answerPacket,
	attributesOf,
	key,
	type Left,
	oneServer,
	type PacketOptions,
	relayServers,
	requestPacket,
	type SimulatedRelay,
	simulatedRelay,
	type TestAttribute,
	u32,
	wapAddress,
} from './simulated-relay.ts'
import { stateThroughJson, stateToJson } from './state-json.ts'

const mac = '02-00-00-00-00-01'
const otherMac = '02-00-00-00-00-02'
const wap = '00-11-22-33-44-55'
const otherWap = '00-11-22-33-44-66'
const serverAddress = '192.0.2.9'
const serverSecret = 'server-secret'
const portSecret = 'port-secret'

const dynamicServer = `
radius dynamic-request server ${serverAddress}
 key ${serverSecret}
 subscriber disconnect
 authorization change
exit
`
const plain = oneServer + relayServers + dynamicServer
const withClient = `${plain}radius relay disconnect-client ${wapAddress} key ${portSecret}\n`

const code = {
	disconnect: 40,
	disconnectAck: 41,
	disconnectNak: 42,
	coa: 43,
	coaAck: 44,
	coaNak: 45,
}

let identifier = 0
function next(): { identifier: number; nonce: number } {
	identifier = (identifier + 1) & 255
	return { identifier, nonce: identifier }
}

const statuses = { start: 1, stop: 2, interim: 3 } as const

/** Accounting of a subscriber, answered by the home server. */
function account(
	relay: SimulatedRelay,
	status: keyof typeof statuses,
	about: {
		mac?: string
		wap?: string
		session?: string
		user?: string
		more?: TestAttribute[]
	} = {},
): void {
	const attributes: TestAttribute[] = [
		[40, u32(statuses[status])],
		[1, about.user ?? 'alice'],
		[30, `${about.wap ?? wap}:campus`],
		[31, about.mac ?? mac],
		[44, about.session ?? 's1'],
		...(about.more ?? []),
	]
	const [forwarded] = relay.fromWap(requestPacket({ code: 4, ...next(), attributes }))
	relay.fromHome(forwarded!, answerPacket(forwarded!.bytes, { code: 5 }))
}

function request(options: Partial<PacketOptions> & { attributes: TestAttribute[] }): Uint8Array {
	return requestPacket({ code: code.disconnect, ...next(), secret: serverSecret, ...options })
}

function fromServer(
	relay: SimulatedRelay,
	bytes: Uint8Array,
	at: { address?: string; port?: number; to?: number } = {},
): Left[] {
	return relay.fromWap(bytes, { address: serverAddress, port: 6000, to: 1700, ...at })
}

/** The one answer that left, verified: its code and Error-Cause. */
function answerIn(left: readonly Left[], asked: Uint8Array): { code: number; cause?: number } {
	assert.is(left.length, 1)
	const { bytes, to, from } = left[0]!
	assert.is(to, `${serverAddress}:6000`)
	assert.is(from, 1700)
	assert.is(bytes[1], asked[1])
	assert.ok(verifyResponse(bytes.slice(), bytes.length, asked, 4, key(serverSecret)))
	const cause = attributesOf(bytes).find(([type]) => type === 101)?.[1]
	if (cause === undefined) return { code: bytes[0]! }
	return { code: bytes[0]!, cause: new DataView(cause.buffer).getUint32(0) }
}

function ask(
	relay: SimulatedRelay,
	attributes: TestAttribute[],
	options: Partial<PacketOptions> = {},
) {
	const bytes = request({ ...options, attributes })
	return answerIn(fromServer(relay, bytes), bytes)
}

function live(relay: SimulatedRelay): string[] {
	return [...(relay.state.routers.get('default')?.sessions.keys() ?? [])].sort()
}

function typesFrom(relay: SimulatedRelay, position: number): string[] {
	return relay
		.events()
		.slice(position)
		.map(({ type }) => type)
}

/** What was gathered, after the second in which it was. */
function discards(relay: SimulatedRelay): Record<string, number> {
	relay.pass(2000)
	const counts: Record<string, number> = {}
	for (const { data } of ofType(relay, 'DynamicRequestsDiscarded')) {
		counts[data.reason] = (counts[data.reason] ?? 0) + data.count
	}
	for (const { data } of ofType(relay, 'DisconnectAnswersDiscarded')) {
		counts[`answer ${data.reason}`] = (counts[`answer ${data.reason}`] ?? 0) + data.count
	}
	return counts
}

test('a session is ended by its Acct-Session-Id, recorded, and then acknowledged', async () => {
	const relay = await simulatedRelay(plain)
	account(relay, 'start')
	const before = relay.events().length
	assert.equal(ask(relay, [[44, 's1']]), { code: code.disconnectAck })
	assert.equal(live(relay), [])
	assert.equal(typesFrom(relay, before), [
		'DisconnectRequested',
		'SubscriberTerminated',
		'DisconnectAnswered',
	])
	const [terminated] = ofType(relay, 'SubscriberTerminated')
	assert.is(terminated!.data.cause, 'disconnect')
	const [requested] = ofType(relay, 'DisconnectRequested')
	assert.is(requested!.stream, `subscriber-default.${mac}`)
	assert.is(ofType(relay, 'DisconnectAnswered')[0]!.data.exchange, requested!.position)
	assert.is(relay.journal.last(), relay.state.position, 'all of it on disk')
	assertInvariants(relay)
})

test('by its Acct-Multi-Session-Id, too, and with whatever else is true of it', async () => {
	const relay = await simulatedRelay(plain)
	const more: TestAttribute[] = [
		[50, 'm1'],
		[4, [10, 0, 0, 1]],
		[32, 'wap-1'],
	]
	account(relay, 'start', { more })
	const identification: TestAttribute[] = [
		...more,
		[1, 'alice'],
		[31, '0200.0000.0001'],
		[30, wap],
		[55, u32(Math.floor(relay.engine.at / 1000))],
	]
	assert.equal(ask(relay, identification), { code: code.disconnectAck })
	assert.equal(live(relay), [])
})

test('Proxy-States come back in their order, and a signed request gets a signed answer', async () => {
	const relay = await simulatedRelay(plain)
	account(relay, 'start')
	const bytes = request({
		attributes: [
			[33, 'a'],
			[44, 's1'],
			[33, 'b'],
		],
	})
	const left = fromServer(relay, bytes)
	answerIn(left, bytes)
	const answer = left[0]!.bytes
	assert.equal(
		attributesOf(answer).map(([type]) => type),
		[80, 33, 33],
	)
	assert.equal(attributesOf(answer)[1]![1], Uint8Array.of(0x61))
	const asSigned = answer.slice()
	asSigned.set(bytes.subarray(4, 20), 4)
	assert.ok(verifyMessageAuthenticator(asSigned, asSigned.length, key(serverSecret), 22))

	const unsigned = request({ messageAuthenticator: 'none', attributes: [[44, 's1']] })
	const [refusal] = fromServer(relay, unsigned)
	assert.equal(
		attributesOf(refusal!.bytes).map(([type]) => type),
		[101],
	)
})

test('a packet full of Proxy-States is answered as well as it can be', async () => {
	const relay = await simulatedRelay(plain)
	const states = Array.from({ length: 15 }, (): TestAttribute => [33, new Uint8Array(253)])
	const bytes = request({ attributes: [...states, [33, new Uint8Array(229)]] })
	assert.is(bytes.length, 4094)
	assert.equal(answerIn(fromServer(relay, bytes), bytes), { code: code.disconnectNak })
})

test('each refusal has its Error-Cause, is recorded, and leaves the session alone', async () => {
	const session: TestAttribute = [44, 's1']
	const refusals: readonly (readonly [string, number, TestAttribute[]])[] = [
		['an attribute that the relay would have to ignore', 401, [session, [5, u32(7)]]],
		['State', 401, [session, [24, 'x']]],
		['Service-Type', 401, [session, [6, u32(17)]]],
		['a vendor attribute', 401, [session, [26, [0, 0, 0, 9, 1, 3, 65]]]],
		['no session id', 402, [[1, 'alice']]],
		['nothing at all', 402, []],
		['an address that it does not have', 503, [session, [8, [10, 0, 0, 9]]]],
		['another NAS', 403, [session, [4, [10, 0, 0, 9]]]],
		['another NAS by name', 403, [session, [32, 'wap-9']]],
		['two session ids', 404, [session, [44, 's2']]],
		['an empty session id', 404, [[44, '']]],
		['a NAS-IP-Address of three octets', 404, [session, [4, [10, 0, 0]]]],
		['a MAC that is none', 404, [session, [31, 'alice']]],
		['an unknown session id', 503, [[44, 's9']]],
		['a session id in another case', 503, [[44, 'S1']]],
		['another user', 503, [session, [1, 'bob']]],
		[
			'the right subscriber with an unknown session id',
			503,
			[
				[44, 's9'],
				[31, mac],
			],
		],
		['another multi-session id', 503, [session, [50, 'm9']]],
		['another subscriber', 503, [session, [31, otherMac]]],
		['another access point', 503, [session, [30, otherWap]]],
	]
	for (const [what, cause, attributes] of refusals) {
		const relay = await simulatedRelay(plain)
		account(relay, 'start', {
			more: [
				[50, 'm1'],
				[4, [10, 0, 0, 1]],
				[32, 'wap-1'],
			],
		})
		assert.equal(ask(relay, attributes), { code: code.disconnectNak, cause }, what)
		assert.equal(live(relay), [mac], what)
		assert.is(ofType(relay, 'SubscriberTerminated').length, 0)
		assert.is(ofType(relay, 'DisconnectRequested').length, 1, what)
		const [answered] = ofType(relay, 'DisconnectAnswered')
		assert.equal([answered!.data.accepted, answered!.data.errorCause], [false, cause], what)
		assert.is(relay.journal.last(), relay.state.position)
	}
})

test('an access point that never said who it is goes by its address, or is taken for the relay', async () => {
	const relay = await simulatedRelay(`${plain}radius update-source-addr 10.0.0.8\n`)
	account(relay, 'start')
	const nas = (last: number) =>
		ask(relay, [
			[44, 's1'],
			[4, [10, 0, 0, last]],
		])
	assert.equal(nas(9), { code: code.disconnectNak, cause: 403 })
	assert.equal(live(relay), [mac])
	assert.equal(nas(8), { code: code.disconnectAck }, 'the relay')
	account(relay, 'start')
	assert.equal(nas(1), { code: code.disconnectAck }, `the access point, ${wapAddress}`)
})

test('Framed-IP-Address must be that of the subscriber', async () => {
	const served = `${plain}service dhcp-local equal-access
ip dhcp-local pool near
 network 10.0.0.0 255.255.255.0
exit
`
	const relay = await simulatedRelay(served, { dhcp: machine() })
	account(relay, 'start')
	const { address } = join(relay)
	const framed = (text: string): TestAttribute => [8, text.split('.').map(Number)]
	const session: TestAttribute = [44, 's1']
	assert.equal(ask(relay, [session, framed('10.0.0.200')]), {
		...{ code: code.disconnectNak, cause: 503 },
	})
	assert.equal(ask(relay, [session, framed(address)]), { code: code.disconnectAck })
})

test('a CoA-Request with a service that there is not', async () => {
	const relay = await simulatedRelay(plain)
	account(relay, 'start')
	const authorizeOnly: TestAttribute[] = [
		[44, 's1'],
		[6, u32(17)],
		[24, 'x'],
	]
	const told = ask(relay, authorizeOnly, { code: code.coa })
	assert.equal(told, { code: code.coaNak, cause: 405 })
})

test('a name that two sessions have ends neither, until more is said', async () => {
	const relay = await simulatedRelay(plain)
	account(relay, 'start')
	account(relay, 'start', { mac: otherMac, wap: otherWap, user: 'bob' })
	assert.equal(ask(relay, [[44, 's1']]), { code: code.disconnectNak, cause: 508 })
	assert.equal(live(relay), [mac, otherMac])
	assert.equal(
		ask(relay, [
			[44, 's1'],
			[1, 'bob'],
		]),
		{ code: code.disconnectAck },
	)
	assert.equal(live(relay), [mac])
	assert.equal(
		ask(relay, [
			[44, 's1'],
			[31, mac],
		]),
		{ code: code.disconnectAck },
	)
	assert.equal(live(relay), [])
})

test('a server that may not disconnect is told that it is prohibited', async () => {
	const relay = await simulatedRelay(
		`${oneServer}${relayServers}radius dynamic-request server ${serverAddress}\n key ${serverSecret}\n`,
	)
	account(relay, 'start')
	assert.equal(ask(relay, [[44, 's1']]), { code: code.disconnectNak, cause: 501 })
	const change = ask(relay, [[44, 's1']], { code: code.coa })
	assert.equal(change, { code: code.coaNak, cause: 501 })
	assert.equal(live(relay), [mac])
})

test('a change of authorization is accepted where there is nothing to change, and only there', async () => {
	const relay = await simulatedRelay(plain)
	account(relay, 'start')
	const before = structuredClone(stateToJson(relay.state))
	assert.equal(ask(relay, [[44, 's1']], { code: code.coa }), { code: code.coaAck })
	const refused = ask(
		relay,
		[
			[44, 's1'],
			[27, u32(60)],
		],
		{ code: code.coa },
	)
	assert.equal(refused, { code: code.coaNak, cause: 401 })
	assert.equal(ask(relay, [[44, 's9']], { code: code.coa }), { code: code.coaNak, cause: 503 })
	// The first piece has position and time.
	assert.equal(stateToJson(relay.state).slice(1), before.slice(1))
	const requests = ofType(relay, 'DisconnectRequested').map(({ data }) => data.request)
	assert.equal(new Set(requests), new Set(['change-of-authorization']))
})

test('what is not genuine is never answered, only counted', async () => {
	const relay = await simulatedRelay(
		`${plain}radius dynamic-request server 192.0.2.10\n subscriber disconnect\n`,
	)
	account(relay, 'start')
	const attributes: TestAttribute[] = [[44, 's1']]
	const good = request({ attributes })
	const seconds = Math.floor(relay.engine.at / 1000)
	const badSignature = request({ attributes, messageAuthenticator: 'none' })
	const cut = good.slice(0, 30)
	const trials: readonly (readonly [Uint8Array, string, string?])[] = [
		[good, 'unknown-client', '192.0.2.11'],
		[good, 'no-key', '192.0.2.10'],
		[request({ attributes, secret: 'wrong' }), 'bad-authenticator'],
		[request({ attributes, secret: 'wrong', messageAuthenticator: 'none' }), 'bad-authenticator'],
		[withForgedSignature(badSignature), 'bad-authenticator'],
		[cut, 'malformed'],
		[requestPacket({ code: 1, secret: serverSecret, attributes }), 'invalid'],
		[request({ attributes: [...attributes, [55, u32(seconds - 302)]] }), 'stale'],
		[request({ attributes: [...attributes, [55, u32(seconds + 302)]] }), 'stale'],
	]
	const expected: Record<string, number> = {}
	for (const [bytes, reason, address] of trials) {
		assert.equal(fromServer(relay, bytes, address === undefined ? {} : { address }), [], reason)
		expected[reason] = (expected[reason] ?? 0) + 1
	}
	assert.equal(discards(relay), expected)
	assert.equal(live(relay), [mac])
	assert.is(ofType(relay, 'DisconnectRequested').length, 0)
	const unknown = ofType(relay, 'DynamicRequestsDiscarded').find(
		({ data }) => data.reason === 'unknown-client',
	)
	assert.is(unknown!.data.server, '192.0.2.11')
	const late = request({ attributes: [...attributes, [55, u32(seconds - 290)]] })
	assert.equal(answerIn(fromServer(relay, late), late), { code: code.disconnectAck })
})

/** The request with a Message-Authenticator that is wrong, and an authenticator that is right. */
function withForgedSignature(request: Uint8Array): Uint8Array {
	return requestPacket({
		code: code.disconnect,
		...next(),
		secret: serverSecret,
		messageAuthenticator: 'none',
		attributes: [...attributesOf(request), [80, new Uint8Array(16)]],
	})
}

test('a repeat gets the same octets again, and nothing is done or recorded twice', async () => {
	const relay = await simulatedRelay(plain)
	account(relay, 'start')
	const bytes = request({ attributes: [[44, 's1']] })
	const [first] = fromServer(relay, bytes)
	const events = relay.events().length
	const [again] = fromServer(relay, bytes)
	assert.equal(again!.bytes, first!.bytes)
	assert.is(again!.to, first!.to)
	assert.is(relay.events().length, events)
	assert.equal(discards(relay), { repeated: 1 })
	// From another port, or with another authenticator, it is a request of its own.
	const elsewhere = fromServer(relay, bytes, { port: 6001 })
	assert.is(elsewhere[0]!.bytes[0], code.disconnectNak)
	const other = request({
		attributes: [
			[44, 's1'],
			[1, 'alice'],
		],
		identifier: bytes[1]!,
	})
	assert.equal(answerIn(fromServer(relay, other), other), { code: code.disconnectNak, cause: 503 })
	relay.pass(31_000)
	const asked = ofType(relay, 'DisconnectRequested').length
	assert.equal(answerIn(fromServer(relay, other), other), { code: code.disconnectNak, cause: 503 })
	assert.is(ofType(relay, 'DisconnectRequested').length, asked + 1, 'too late to be a repeat')
})

test('a repeat is still one after a change of the configuration', async () => {
	const relay = await simulatedRelay(plain)
	account(relay, 'start')
	const bytes = request({ attributes: [[44, 's1']] })
	const [first] = fromServer(relay, bytes)
	await relay.configure(plain.replace(' authorization change', ''))
	assert.equal(fromServer(relay, bytes)[0]!.bytes, first!.bytes)
})

test('the user is who the Access-Accept says, or else its request, and nobody later', async () => {
	const relay = await simulatedRelay(plain)
	const [forwarded] = relay.fromWap(
		requestPacket({
			code: 1,
			...next(),
			attributes: [
				[1, 'outer'],
				[30, wap],
				[31, mac],
			],
		}),
	)
	relay.fromHome(forwarded!, answerPacket(forwarded!.bytes, { code: 2 }))
	account(relay, 'start', { user: 'alice' })
	account(relay, 'start', { user: 'mallory' })
	const as = (user: string) =>
		ask(relay, [
			[44, 's1'],
			[1, user],
		])
	assert.equal(as('mallory'), { code: code.disconnectNak, cause: 503 })
	assert.equal(as('alice'), { code: code.disconnectNak, cause: 503 })
	assert.equal(as('outer'), { code: code.disconnectAck })
})

test('a session that was disconnected is not resurrected', async () => {
	const relay = await simulatedRelay(plain)
	account(relay, 'start')
	ask(relay, [[44, 's1']])
	account(relay, 'interim')
	account(relay, 'stop')
	account(relay, 'stop')
	assert.equal(live(relay), [])
	assert.is(ofType(relay, 'SubscriberTerminated').length, 1)
	account(relay, 'start', { session: 's2' })
	assert.equal(live(relay), [mac])
	assert.equal(ask(relay, [[44, 's1']]), { code: code.disconnectNak, cause: 503 })
	assert.equal(live(relay), [mac], 'the old name does not end the new session')
})

test('an Interim-Update names the session where its Start was lost', async () => {
	const relay = await simulatedRelay(plain)
	const [forwarded] = relay.fromWap(
		requestPacket({
			code: 1,
			...next(),
			attributes: [
				[1, 'alice'],
				[30, wap],
				[31, mac],
			],
		}),
	)
	relay.fromHome(forwarded!, answerPacket(forwarded!.bytes, { code: 2 }))
	assert.equal(ask(relay, [[44, 's1']]), { code: code.disconnectNak, cause: 503 })
	account(relay, 'interim')
	// Roaming, and again the Start is lost.
	const roamed = requestPacket({
		code: 1,
		...next(),
		attributes: [
			[1, 'alice'],
			[30, otherWap],
			[31, mac],
		],
	})
	const [again] = relay.fromWap(roamed)
	relay.fromHome(again!, answerPacket(again!.bytes, { code: 2 }))
	account(relay, 'interim', { session: 's0' })
	assert.is(live(relay).length, 1, 'what the first access point says names nothing any more')
	account(relay, 'interim', { wap: otherWap, session: 's2' })
	assert.equal(ask(relay, [[44, 's1']]), { code: code.disconnectNak, cause: 503 })
	assert.equal(ask(relay, [[44, 's2']]), { code: code.disconnectAck })
})

test('a Stop ends the session although the Start of its access point was lost', async () => {
	const relay = await simulatedRelay(plain)
	account(relay, 'start')
	const [forwarded] = relay.fromWap(
		requestPacket({
			code: 1,
			...next(),
			attributes: [
				[1, 'alice'],
				[30, otherWap],
				[31, mac],
			],
		}),
	)
	relay.fromHome(forwarded!, answerPacket(forwarded!.bytes, { code: 2 }))
	account(relay, 'stop')
	assert.equal(live(relay), [mac], 'the access point that was left behind ends nothing')
	account(relay, 'stop', { wap: otherWap, session: 's2' })
	assert.equal(live(relay), [])
})

for (const fault of ['lost', 'unacknowledged'] as const) {
	test(`told means durable: nothing leaves when the append is ${fault}`, async () => {
		const { relay, failNext } = await failing(plain)
		account(relay, 'start')
		failNext(fault)
		assert.equal(fromServer(relay, request({ attributes: [[44, 's1']] })), [])
		assert.is(relay.failures.length, 1)
		assert.equal(relay.pass(1000), [])
	})

	test(`neither when the access point's answer cannot be recorded: ${fault}`, async () => {
		const { relay, failNext } = await failing(withClient)
		account(relay, 'start')
		const [asked] = fromServer(relay, request({ attributes: [[44, 's1']] }))
		failNext(fault)
		assert.equal(relay.fromHome(asked!, portAnswer(asked!, code.disconnectAck)), [])
		assert.is(relay.failures.length, 1)
		const restarted = relay.journal.restart()
		const state = initialState()
		for (const event of restarted.read(1, 1000)) evolve(state, event)
		// What the disk has decides; the server was told nothing and asks again.
		assert.is(state.routers.get('default')!.sessions.size, fault === 'lost' ? 1 : 0)
	})
}

/** A relay whose next append can be made to fail. */
async function failing(text: string) {
	let fault: AppendFault | undefined
	const journal = openMemoryJournal({ appendFault: () => fault })
	const relay = await simulatedRelay(text, { journal })
	return {
		relay,
		failNext(next: AppendFault) {
			fault = next
		},
	}
}

// ---- Access points that are asked first ----

function portAnswer(asked: Left, answer: number, attributes: TestAttribute[] = []): Uint8Array {
	return answerPacket(asked.bytes, { code: answer, secret: portSecret, attributes })
}

test('the access point is asked first, and its ACK ends the session', async () => {
	const relay = await simulatedRelay(withClient)
	account(relay, 'start')
	const bytes = request({ attributes: [[44, 's1']] })
	const [asked, ...nothingElse] = fromServer(relay, bytes)
	assert.equal(nothingElse, [], 'the server is told nothing yet')
	assert.equal(live(relay), [mac])
	assert.is(asked!.to, `${wapAddress}:3799`)
	assert.is(asked!.code, code.disconnect)
	const { bytes: packet } = asked!
	assert.ok(verifyMessageAuthenticator(packet.slice(), packet.length, key(portSecret), 22))
	const sent = attributesOf(packet).map(([type, value]) => [type, new TextDecoder().decode(value)])
	assert.equal(sent.slice(1, 3), [
		[31, mac],
		[44, 's1'],
	])
	const [, stamp] = attributesOf(packet)[3]!
	assert.is(new DataView(stamp.buffer).getUint32(0), Math.floor(relay.engine.at / 1000))

	const left = relay.fromHome(asked!, portAnswer(asked!, code.disconnectAck))
	assert.equal(answerIn(left, bytes), { code: code.disconnectAck })
	assert.equal(live(relay), [])
	assert.is(ofType(relay, 'SubscriberTerminated')[0]!.data.cause, 'disconnect')
	assert.is(ofType(relay, 'DisconnectAnswered')[0]!.data.accessPoint, 'ack')
	assertInvariants(relay)
})

test('a refusal of the access point is passed on with its Error-Cause, and the session stays', async () => {
	for (const [attributes, cause] of [
		[[[101, u32(506)]], 506],
		[[[101, u32(503)]], 503],
		[[], 504],
	] as [TestAttribute[], number][]) {
		const relay = await simulatedRelay(withClient)
		account(relay, 'start')
		const bytes = request({ attributes: [[44, 's1']] })
		const [asked] = fromServer(relay, bytes)
		const left = relay.fromHome(asked!, portAnswer(asked!, code.disconnectNak, attributes))
		assert.equal(answerIn(left, bytes), { code: code.disconnectNak, cause })
		assert.equal(live(relay), [mac])
		assert.is(ofType(relay, 'DisconnectAnswered')[0]!.data.accessPoint, 'nak')
	}
})

test('a silent access point is asked three times, three seconds apart, and reported', async () => {
	const relay = await simulatedRelay(withClient)
	account(relay, 'start')
	const bytes = request({ attributes: [[44, 's1']] })
	const [asked] = fromServer(relay, bytes)
	assert.equal(fromServer(relay, bytes), [], 'a repeat in the meantime changes nothing')
	assert.equal(relay.pass(2900), [])
	assert.equal(relay.pass(200)[0]!.bytes, asked!.bytes, 'the same octets again')
	assert.equal(relay.pass(3100)[0]!.bytes, asked!.bytes)
	const left = relay.pass(3000)
	assert.equal(answerIn(left, bytes), { code: code.disconnectNak, cause: 506 })
	assert.equal(live(relay), [mac])
	assert.is(ofType(relay, 'DisconnectAnswered')[0]!.data.accessPoint, 'silent')
	assert.equal(relay.pass(20_000), [])
	relay.fromHome(asked!, portAnswer(asked!, code.disconnectAck))
	assert.equal(live(relay), [mac], 'an answer that comes too late ends nothing')
	assert.equal(discards(relay), { duplicate: 1, 'answer unknown': 1 })
	assertInvariants(relay)
})

test('an answer of the access point must be genuine', async () => {
	const relay = await simulatedRelay(withClient)
	account(relay, 'start')
	const bytes = request({ attributes: [[44, 's1']] })
	const [asked] = fromServer(relay, bytes)
	const ack = portAnswer(asked!, code.disconnectAck)
	const forged = ack.slice()
	forged[4]! ^= 1
	const unsigned = answerPacket(asked!.bytes, {
		code: code.disconnectAck,
		secret: portSecret,
		messageAuthenticator: 'none',
		attributes: [[80, new Uint8Array(16)]],
	})
	const trials: [Uint8Array, Left][] = [
		[forged, asked!],
		[unsigned, asked!],
		[ack.slice(0, 12), asked!],
		[portAnswer(asked!, code.coaAck), asked!],
		[ack, { ...asked!, to: '10.0.0.2:3799' }],
		[ack, { ...asked!, to: `${wapAddress}:3800` }],
	]
	for (const [answer, from] of trials) assert.equal(relay.fromHome(from, answer), [])
	assert.equal(live(relay), [mac])
	assert.equal(discards(relay), {
		'answer bad-authenticator': 2,
		'answer malformed': 1,
		'answer unexpected-code': 1,
		'answer unknown': 2,
	})
	assert.equal(answerIn(relay.fromHome(asked!, ack), bytes), { code: code.disconnectAck })
})

test('a Stop that overtakes the answer ends the session, once, and the server hears of success', async () => {
	for (const answer of [code.disconnectAck, code.disconnectNak]) {
		const relay = await simulatedRelay(withClient)
		account(relay, 'start')
		const bytes = request({ attributes: [[44, 's1']] })
		const [asked] = fromServer(relay, bytes)
		account(relay, 'stop')
		account(relay, 'start', { session: 's2' })
		const left = relay.fromHome(asked!, portAnswer(asked!, answer))
		assert.equal(answerIn(left, bytes), { code: code.disconnectAck })
		const causes = ofType(relay, 'SubscriberTerminated').map(({ data }) => data.cause)
		assert.equal(causes, ['accounting-stop'])
		assert.equal(live(relay), [mac], 'the session that came after it lives')
	}
})

test('a subscriber who roams away from the access point that is asked stays on', async () => {
	const relay = await simulatedRelay(withClient)
	account(relay, 'start')
	const bytes = request({ attributes: [[44, 's1']] })
	const [asked] = fromServer(relay, bytes)
	account(relay, 'start', { wap: otherWap, session: 's2' })
	const left = relay.fromHome(asked!, portAnswer(asked!, code.disconnectAck))
	assert.equal(answerIn(left, bytes), { code: code.disconnectNak, cause: 504 })
	assert.equal(live(relay), [mac])
})

test('the access point is told no Acct-Session-Id that another one gave', async () => {
	const relay = await simulatedRelay(withClient)
	account(relay, 'start')
	const [forwarded] = relay.fromWap(
		requestPacket({
			code: 1,
			...next(),
			attributes: [
				[1, 'alice'],
				[30, otherWap],
				[31, mac],
			],
		}),
	)
	relay.fromHome(forwarded!, answerPacket(forwarded!.bytes, { code: 2 }))
	const [asked] = fromServer(relay, request({ attributes: [[44, 's1']] }))
	const types = attributesOf(asked!.bytes).map(([type]) => type)
	assert.equal(types, [80, 31, 55])
})

test('an Acct-Session-Id that is no text reaches the access point as it was', async () => {
	const relay = await simulatedRelay(withClient)
	const octets = [0, 255, 7, 0x30, 0x78]
	const named: TestAttribute[] = [
		[40, u32(1)],
		[1, 'alice'],
		[30, wap],
		[31, mac],
		[44, octets],
	]
	const [forwarded] = relay.fromWap(requestPacket({ code: 4, ...next(), attributes: named }))
	relay.fromHome(forwarded!, answerPacket(forwarded!.bytes, { code: 5 }))
	const [asked] = fromServer(relay, request({ attributes: [[44, octets]] }))
	assert.equal(attributesOf(asked!.bytes)[2], [44, Uint8Array.from(octets)])
})

test('more questions than an access point has identifiers, or the relay has room, are refused', async () => {
	const relay = await simulatedRelay(withClient)
	account(relay, 'start')
	const identifiers = new Set<number>()
	for (let n = 0; n < askLimit; n++) {
		const [asked] = fromServer(relay, request({ attributes: [[44, 's1']] }), { port: 7000 + n })
		identifiers.add(asked!.bytes[1]!)
	}
	assert.is(identifiers.size, askLimit)
	assertInvariants(relay)
	const bytes = request({ attributes: [[44, 's1']] })
	assert.equal(answerIn(fromServer(relay, bytes), bytes), { code: code.disconnectNak, cause: 506 })
	const unasked = ofType(relay, 'DisconnectAnswered').map(({ data }) => data.accessPoint)
	assert.equal(unasked, [undefined], 'and nobody says that the access point was silent')
	relay.pass(10_000)
	const [asked] = fromServer(relay, request({ attributes: [[44, 's1']] }))
	assert.is(asked!.code, code.disconnect, 'there is room again')
	assertInvariants(relay)
})

// ---- Configuration while requests are in flight ----

test('what waits for an access point is answered although its servers are no longer configured', async () => {
	const relay = await simulatedRelay(withClient)
	account(relay, 'start')
	const bytes = request({ attributes: [[44, 's1']] })
	const [asked] = fromServer(relay, bytes)
	assert.is(await relay.configure(oneServer + relayServers), undefined)
	relay.pass(2000)
	assert.ok(relay.transport.sockets.has(1700), 'the port is kept for the answer')
	const left = relay.fromHome(asked!, portAnswer(asked!, code.disconnectAck))
	assert.equal(answerIn(left, bytes), { code: code.disconnectAck })
	relay.pass(2000)
	assert.not.ok(relay.transport.sockets.has(1700), 'and then the port is given up')
	assert.not.ok(relay.transport.sockets.has(asked!.from))
	assert.is(await relay.configure(plain), undefined)
	account(relay, 'start')
	assert.equal(ask(relay, [[44, 's1']]), { code: code.disconnectAck })
})

test('servers share a port, and each virtual router knows its own sessions', async () => {
	const second = `
virtual-router vr1
radius dynamic-request server 192.0.2.10
 key other-secret
 subscriber disconnect
`
	const relay = await simulatedRelay(plain + second)
	account(relay, 'start')
	const bytes = request({ attributes: [[44, 's1']], secret: 'other-secret' })
	const [left] = fromServer(relay, bytes, { address: '192.0.2.10' })
	assert.is(left!.bytes[0], code.disconnectNak)
	assert.is(ofType(relay, 'DisconnectRequested')[0]!.stream, 'relay-vr1')
	assert.equal(live(relay), [mac])
	assert.equal(ask(relay, [[44, 's1']]), { code: code.disconnectAck })
})

test('a key that changes counts at once, and a port that is taken is refused', async () => {
	const relay = await simulatedRelay(plain)
	account(relay, 'start')
	assert.is(await relay.configure(plain.replace(serverSecret, 'new-secret')), undefined)
	assert.equal(fromServer(relay, request({ attributes: [[44, 's1']] })), [])
	await relay.transport.bind(0, 1701)
	const moved = plain.replace(' subscriber disconnect', ' udp-port 1701\n subscriber disconnect')
	const refused = await relay.configure(moved)
	assert.match(refused ?? '', /UDP port 1701: another program/)
	assert.ok(relay.transport.sockets.has(1700), 'everything is as before')
})

// ---- Anything at all ----

test('octets that nobody signed are never answered, and those that the server signed always are', async () => {
	const relay = await simulatedRelay(plain)
	account(relay, 'start')
	const octets = fc.uint8Array({ maxLength: 200 })
	fc.assert(
		fc.property(octets, bytes => {
			assert.equal(fromServer(relay, bytes), [])
		}),
		{ numRuns: 300, seed: 5 },
	)
	const someType = fc.oneof(
		fc.constantFrom(1, 4, 24, 30, 31, 32, 33, 44, 50, 101),
		fc.integer({ min: 1, max: 255 }).filter(type => type !== 55 && type !== 80),
	)
	const attributes = fc.array(fc.tuple(someType, fc.uint8Array({ maxLength: 60 })), {
		maxLength: 12,
	})
	fc.assert(
		fc.property(attributes, fc.constantFrom(40, 43), (list, asked) => {
			const bytes = request({ code: asked, attributes: list })
			const { code: answer } = answerIn(fromServer(relay, bytes), bytes)
			assert.is(answer, asked + 2, 'for none of them names the session')
			relay.pass(31_000)
		}),
		{ numRuns: 60, seed: 6 },
	)
	assert.equal(live(relay), [mac])
	assertInvariants(relay)
})

// ---- The index of names ----

const someMac = fc.constantFrom(mac, otherMac, '02-00-00-00-00-03')
const someWap = fc.constantFrom(wap, otherWap)
const someName = fc.option(fc.constantFrom('a', 'b'), { nil: undefined })
const accountingEvent = fc
	.record({
		kind: fc.constantFrom('accept', 'start', 'interim', 'end'),
		mac: someMac,
		wap: someWap,
		session: someName,
		multiSession: someName,
	})
	.map(({ kind, ...about }, at = 1) => {
		const stream = `subscriber-default.${about.mac}`
		const client = '10.0.0.1'
		const { mac: who, wap: where } = about
		if (kind === 'end') {
			const data = { mac: who, wap: where, cause: 'operator', since: 0 } as const
			return { stream, type: 'SubscriberTerminated', v: 1, at, data } as const
		}
		if (kind === 'accept') {
			const data = { exchange: 1, client, server: 'a', roundTripUs: 1, mac: who, wap: where }
			return { stream, type: 'AccessAccepted', v: 1, at, data } as const
		}
		const data = JSON.parse(JSON.stringify({ ...about, client, server: 'a' })) as typeof about & {
			client: string
			server: string
		}
		const type = kind === 'start' ? 'AccountingStarted' : 'AccountingUpdated'
		return { stream, type, v: 1, at, data } as const
	})

function assertIndex(
	index: MacIndex,
	sessions: ReadonlyMap<string, Session>,
	name: (session: Session) => string | undefined,
): void {
	const expected = new Map<string, string[]>()
	for (const session of sessions.values()) {
		const under = name(session)
		if (under !== undefined) expected.set(under, [...(expected.get(under) ?? []), session.mac])
	}
	assert.equal([...index.keys()].sort(), [...expected.keys()].sort())
	for (const [under, macs] of expected) {
		assert.equal([...macsUnder(index, under)].sort(), macs.sort())
	}
}

test('whatever happens, each session is found under its names and nothing else is', () => {
	fc.assert(
		fc.property(fc.array(accountingEvent, { maxLength: 40 }), events => {
			const state = initialState()
			for (const event of events) evolve(state, event as never)
			for (const folded of [state, stateThroughJson(state)]) {
				for (const router of folded.routers.values()) {
					assertIndex(router.byAccounting, router.sessions, session => session.accounting)
					assertIndex(router.byMultiSession, router.sessions, session => session.multiSession)
					assert.equal(
						[...router.accessPoints.keys()].sort(),
						[...router.subscribersByWap.keys()].sort(),
					)
				}
				assert.equal(stateToJson(folded), stateToJson(state))
			}
		}),
		{ numRuns: 300, seed: 4 },
	)
})

test.run()
