/** What a datagram from a client is: `examineRequest`'s verdicts, and the policies behind them. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Client } from '../domain/client.ts'
import type { Service } from '../domain/configuration.ts'
import {
	createAttributeIndex,
	examineRequest,
	type MessageAuthenticatorRule,
} from '../domain/request.ts'
import { initialState } from '../domain/state.ts'
import { recoverState } from '../src/recover.ts'
import { discardsOf, ofType } from './relay-invariants.ts'
import {
	accessRequest,
	accountingRequest,
	called,
	calling,
	key,
	oneServer,
	relayServers,
	requestPacket,
	simulatedRelay,
	type TestAttribute,
	u32,
	wapSecret,
} from './simulated-relay.ts'

const client: Client = { singleHost: true, key: key(wapSecret) }

function judge(
	bytes: Uint8Array,
	service: Service = bytes[0] === 4 ? 'accounting' : 'authentication',
	rule: MessageAuthenticatorRule = 'optional',
): string {
	const before = bytes.slice()
	const verdict = examineRequest(service, bytes, bytes.length, client, rule, createAttributeIndex())
	assert.equal(bytes, before, 'examining leaves the packet as it was')
	return verdict
}

const password: TestAttribute = [2, new Uint8Array(16)]
const chap: TestAttribute = [3, new Uint8Array(17)]
const eap: TestAttribute = [79, [2, 1, 0, 5, 1]]
const unsigned = { messageAuthenticator: 'none' } as const

test('an Access-Request with both station identifiers is a request', () => {
	assert.is(judge(accessRequest()), 'request')
	assert.is(judge(accessRequest(unsigned)), 'request')
	assert.is(judge(accessRequest({ messageAuthenticator: 'first' })), 'request')
	for (const attribute of [password, chap, eap]) {
		assert.is(judge(accessRequest({ attributes: [attribute] })), 'request')
	}
})

test('accounting requests of all five kinds are requests', () => {
	for (const status of ['start', 'stop', 'interim', 'on', 'off'] as const) {
		assert.is(judge(accountingRequest(status)), 'request')
	}
})

test('octets after the packet are padding', () => {
	const packet = accessRequest()
	const padded = new Uint8Array(packet.length + 7).fill(0xff)
	padded.set(packet)
	assert.is(judge(padded), 'request')
})

test('malformed: a datagram shorter than its header or its Length', () => {
	const packet = accessRequest()
	for (const length of [0, 1, 19, 20, packet.length - 1]) {
		const verdict = examineRequest(
			'authentication',
			packet,
			length,
			client,
			'optional',
			createAttributeIndex(),
		)
		assert.is(verdict, 'malformed', `${length} octets`)
	}
})

test('malformed: a Length below 20 or above 4096', () => {
	const bytes = new Uint8Array(5000).fill(1)
	bytes.set([1, 1, 0, 19])
	assert.is(judge(bytes), 'malformed')
	bytes.set([1, 1, 0x10, 0x01])
	assert.is(judge(bytes), 'malformed')
})

test('malformed: attributes that do not fill the packet', () => {
	const packet = accessRequest(unsigned)
	for (const size of [0, 1, packet[21]! - 1, packet[21]! + 1, 255]) {
		const broken = packet.slice()
		broken[21] = size
		assert.is(judge(broken), 'malformed', `first attribute of ${size} octets`)
	}
})

test('malformed: a length that the attribute type cannot have', () => {
	const impossible: TestAttribute[] = [
		[4, [1, 2, 3]],
		[5, [1, 2, 3, 4, 5]],
		[24, []],
		[3, new Uint8Array(16)],
		[80, new Uint8Array(15)],
		[2, new Uint8Array(15)],
		[2, new Uint8Array(17)],
		[2, new Uint8Array(30)],
		[2, new Uint8Array(144)],
		[26, [0, 0, 1]],
	]
	for (const attribute of impossible) {
		const packet = accessRequest({ ...unsigned, attributes: [attribute] })
		assert.is(judge(packet), 'malformed', `type ${attribute[0]}, ${attribute[1].length} octets`)
	}
})

test('a User-Password has whole blocks of 16 octets, one to eight', () => {
	for (let blocks = 1; blocks <= 8; blocks++) {
		const attributes: TestAttribute[] = [[2, new Uint8Array(blocks * 16)]]
		assert.is(judge(accessRequest({ attributes })), 'request')
	}
})

test('malformed: attributes that cannot be together', () => {
	for (const attributes of [
		[password, chap],
		[eap, password],
		[eap, chap],
		[password, password],
		[chap, chap],
		[[80, new Uint8Array(16)] as TestAttribute],
	]) {
		assert.is(judge(accessRequest({ attributes })), 'malformed')
	}
})

test('malformed: what an Accounting-Request must not have', () => {
	const forbidden: TestAttribute[] = [password, chap, [18, 'text'], [24, 'state']]
	for (const attribute of forbidden) {
		assert.is(judge(accountingRequest('start', { attributes: [attribute] })), 'malformed')
	}
})

test('malformed comes before every other verdict', () => {
	const broken = requestPacket({ code: 99, attributes: [[4, [1]]] })
	assert.is(judge(broken), 'malformed')
	assert.is(judge(accessRequest({ secret: 'wrong', attributes: [[4, [1]]] })), 'malformed')
})

test('invalid: a code that is not for this server', () => {
	for (const code of [0, 2, 3, 5, 11, 13, 40, 43, 255]) {
		const attributes = [called, calling]
		assert.is(judge(requestPacket({ code, attributes }), 'authentication'), 'invalid')
		assert.is(judge(requestPacket({ code, attributes }), 'accounting'), 'invalid')
	}
	assert.is(judge(accountingRequest('start'), 'authentication'), 'invalid')
	assert.is(judge(accessRequest(), 'accounting'), 'invalid')
})

test('invalid: an Access-Request without Called- or Calling-Station-Id', () => {
	assert.is(judge(requestPacket({ code: 1, attributes: [called] })), 'invalid')
	assert.is(judge(requestPacket({ code: 1, attributes: [calling] })), 'invalid')
	assert.is(judge(requestPacket({ code: 1 })), 'invalid')
})

test('invalid: Start, Stop and Interim-Update without one of them; On and Off need only the WAP', () => {
	for (const value of [1, 2, 3]) {
		const status: TestAttribute = [40, u32(value)]
		assert.is(judge(requestPacket({ code: 4, attributes: [status, called] })), 'invalid')
		assert.is(judge(requestPacket({ code: 4, attributes: [status, calling] })), 'invalid')
	}
	for (const value of [7, 8]) {
		const status: TestAttribute = [40, u32(value)]
		assert.is(judge(requestPacket({ code: 4, attributes: [status, called] })), 'request')
		assert.is(judge(requestPacket({ code: 4, attributes: [status, calling] })), 'invalid')
	}
})

test('invalid: accounting without a status, or with one that is not relayed', () => {
	assert.is(judge(requestPacket({ code: 4, attributes: [called, calling] })), 'invalid')
	for (const value of [0, 4, 6, 9, 15, 0x01000000, 0xffffffff]) {
		const attributes: TestAttribute[] = [[40, u32(value)], called, calling]
		assert.is(judge(requestPacket({ code: 4, attributes })), 'invalid', `status ${value}`)
	}
})

test('bad authenticator: a signature of another secret, or of other octets', () => {
	assert.is(judge(accessRequest({ secret: 'wrong' })), 'bad-authenticator')
	assert.is(judge(accountingRequest('start', { secret: 'wrong' })), 'bad-authenticator')
	for (const packet of [accessRequest(), accountingRequest('stop')]) {
		const changed = packet.slice()
		changed[packet.length - 1]! ^= 1
		assert.is(judge(changed), 'bad-authenticator')
		const otherIdentifier = packet.slice()
		otherIdentifier[1]! ^= 1
		assert.is(judge(otherIdentifier), 'bad-authenticator')
	}
})

test('bad authenticator comes before a missing attribute', () => {
	assert.is(judge(requestPacket({ code: 1, secret: 'wrong' })), 'bad-authenticator')
	assert.is(judge(requestPacket({ code: 4, secret: 'wrong' })), 'bad-authenticator')
})

test('Message-Authenticator in accounting is optional, and verified where it is', () => {
	const signed = accountingRequest('start', { messageAuthenticator: 'last' })
	assert.is(judge(signed), 'request')
	// The Request Authenticator is right, Message-Authenticator is not.
	const forged = accountingRequest('start', { attributes: [[80, new Uint8Array(16)]] })
	assert.is(judge(forged), 'bad-authenticator')
})

test('EAP-Message without Message-Authenticator is invalid under every policy', () => {
	for (const rule of ['required', 'limit-proxy-state', 'optional'] as const) {
		const packet = accessRequest({ ...unsigned, attributes: [eap] })
		assert.is(judge(packet, 'authentication', rule), 'invalid-no-message-authenticator')
	}
})

test('required: an unsigned Access-Request is invalid', () => {
	assert.is(
		judge(accessRequest(unsigned), 'authentication', 'required'),
		'invalid-no-message-authenticator',
	)
	assert.is(judge(accessRequest(), 'authentication', 'required'), 'request')
})

test('limit-proxy-state: Proxy-State without Message-Authenticator is invalid', () => {
	const proxied = { attributes: [[33, 'x']] as TestAttribute[] }
	const rule = 'limit-proxy-state'
	assert.is(
		judge(accessRequest({ ...unsigned, ...proxied }), 'authentication', rule),
		'invalid-no-message-authenticator',
	)
	assert.is(judge(accessRequest(proxied), 'authentication', rule), 'request')
	assert.is(judge(accessRequest(unsigned), 'authentication', rule), 'request')
	assert.is(judge(accessRequest({ ...unsigned, ...proxied })), 'request', 'not under optional')
})

test('Status-Server must be signed, and needs nothing else', () => {
	for (const service of ['authentication', 'accounting'] as const) {
		assert.is(judge(requestPacket({ code: 12 }), service), 'status-server')
		assert.is(
			judge(requestPacket({ code: 12, ...unsigned }), service),
			'invalid-no-message-authenticator',
		)
		assert.is(judge(requestPacket({ code: 12, secret: 'wrong' }), service), 'bad-authenticator')
	}
})

test('an index that served one packet says nothing of it about the next', () => {
	const index = createAttributeIndex()
	const examine = (packet: Uint8Array) =>
		examineRequest('authentication', packet, packet.length, client, 'optional', index)
	assert.is(examine(accessRequest({ attributes: [password, password] })), 'malformed')
	assert.is(examine(accessRequest()), 'request')
	assert.is(index.first[2], 0)
	assert.is(examine(requestPacket({ code: 1 })), 'invalid')
})

test('each verdict is counted in its row', async () => {
	const relay = await simulatedRelay()
	relay.fromWap(accessRequest({ attributes: [[4, [1]]] }))
	relay.fromWap(accessRequest({ secret: 'wrong' }))
	relay.fromWap(requestPacket({ code: 1, attributes: [called] }))
	relay.fromWap(accessRequest({ ...unsigned, attributes: [eap] }))
	relay.fromWap(requestPacket({ code: 40 }))
	relay.fromWap(accessRequest(), { address: '198.51.100.7' })
	relay.pass(1000)
	assert.equal(discardsOf(relay), {
		malformed: 1,
		'bad-authenticator': 1,
		invalid: 3,
		'unknown-client': 1,
	})
	assert.is(relay.events().filter(e => e.type === 'AccessRequested').length, 0)
})

const spellings = [
	'02-00-00-00-00-0A',
	'02-00-00-00-00-0a',
	'02:00:00:00:00:0a',
	'0200.0000.000a',
	'0200-0000-000A',
	'02000000000a',
	'02000000000A',
	'020000-00000A',
]

test('MAC addresses in the spellings of all vendors are one subscriber and one WAP', async () => {
	const relay = await simulatedRelay()
	for (const [identifier, spelling] of spellings.entries()) {
		const attributes: TestAttribute[] = [
			[30, `${spelling}:campus`],
			[31, spelling],
		]
		assert.is(relay.fromWap(requestPacket({ code: 1, identifier, attributes })).length, 1, spelling)
	}
	for (const { stream, data } of ofType(relay, 'AccessRequested')) {
		assert.is(stream, 'subscriber-default.02-00-00-00-00-0A')
		assert.is(data.mac, '02-00-00-00-00-0A')
		assert.is(data.wap, '02-00-00-00-00-0A')
		assert.is(data.ssid, 'campus')
	}
	assert.is(ofType(relay, 'AccessRequested').length, spellings.length)
})

test('a Calling-Station-Id that is no MAC address is invalid, in accounting as well', async () => {
	const relay = await simulatedRelay()
	for (const text of ['alice', '02-00-00-00-00', '02-00-00-00-00-0G', '02-00:00-00-00-00', ' ']) {
		const attributes: TestAttribute[] = [called, [31, text]]
		assert.is(relay.fromWap(requestPacket({ code: 1, attributes })).length, 0, text)
		const start: TestAttribute[] = [[40, u32(1)], ...attributes]
		assert.is(relay.fromWap(requestPacket({ code: 4, attributes: start })).length, 0, text)
	}
	relay.pass(1000)
	assert.equal(discardsOf(relay), { invalid: 10 })
})

test('an EAP-Message passes through as it is', async () => {
	const relay = await simulatedRelay()
	const attributes: TestAttribute[] = [eap]
	const [forwarded] = relay.fromWap(accessRequest({ attributes }))
	const text = Buffer.from(forwarded!.bytes).toString('hex')
	assert.ok(text.includes(`4f07${Buffer.from(eap[1]).toString('hex')}`))
})

const policy = (name: string) =>
	oneServer + relayServers.replaceAll(`exit`, ` message-authenticator ${name}\nexit`)

test('policy require: an unsigned request of any client is discarded from the first on', async () => {
	const relay = await simulatedRelay(policy('require'))
	assert.is(relay.fromWap(accessRequest(unsigned)).length, 0)
	assert.is(
		relay.fromWap(accessRequest({ ...unsigned, nonce: 2 }), { address: '10.1.1.1' }).length,
		0,
	)
	assert.is(relay.fromWap(accessRequest()).length, 1)
	// Accounting has a signature of its own.
	assert.is(relay.fromWap(accountingRequest('start')).length, 1)
})

test('policy optional: an unsigned request is forwarded even after signed ones', async () => {
	const relay = await simulatedRelay(policy('optional'))
	assert.is(relay.fromWap(accessRequest()).length, 1)
	const proxied = { ...unsigned, identifier: 2, attributes: [[33, 'x']] as TestAttribute[] }
	assert.is(relay.fromWap(accessRequest(proxied)).length, 1)
	assert.is(ofType(relay, 'MessageAuthenticatorSeen').length, 0)
})

test('policy auto: the first valid Message-Authenticator of a single host makes it required', async () => {
	const relay = await simulatedRelay()
	assert.is(relay.fromWap(accessRequest({ ...unsigned, identifier: 1 })).length, 1)
	// One that is not valid turns nothing.
	relay.fromWap(accessRequest({ identifier: 2, secret: 'wrong' }))
	assert.is(relay.fromWap(accessRequest({ ...unsigned, identifier: 3 })).length, 1)
	assert.is(relay.fromWap(accessRequest({ identifier: 4 })).length, 1)
	assert.is(relay.fromWap(accessRequest({ ...unsigned, identifier: 5 })).length, 0)
	assert.is(relay.fromWap(accessRequest({ identifier: 6 })).length, 1)
	const seen = ofType(relay, 'MessageAuthenticatorSeen')
	assert.is(seen.length, 1)
	assert.equal(seen[0]!.data, { client: '10.0.0.1' })
	assert.is(seen[0]!.stream, 'relay-default')
})

test('policy auto: what one host of a network does says nothing about the others', async () => {
	const relay = await simulatedRelay()
	const address = '10.1.0.7'
	assert.is(relay.fromWap(accessRequest({ identifier: 1 }), { address }).length, 1)
	assert.is(relay.fromWap(accessRequest({ ...unsigned, identifier: 2 }), { address }).length, 1)
	assert.is(ofType(relay, 'MessageAuthenticatorSeen').length, 0)
	const proxied = { ...unsigned, identifier: 3, attributes: [[33, 'x']] as TestAttribute[] }
	assert.is(relay.fromWap(accessRequest(proxied), { address }).length, 0, 'limit-proxy-state')
})

test('policy auto: a restart does not forget it', async () => {
	const before = await simulatedRelay()
	before.fromWap(accessRequest())
	before.pass(100)
	const journal = before.journal.restart()
	const state = recoverState(journal, journal, () => {})
	const after = await simulatedRelay(oneServer + relayServers, { journal, state })
	assert.is(after.fromWap(accessRequest({ ...unsigned, identifier: 5 })).length, 0)
	const forgetful = await simulatedRelay(oneServer + relayServers, { state: initialState() })
	assert.is(forgetful.fromWap(accessRequest({ ...unsigned, identifier: 5 })).length, 1)
})

test('the longest prefix of the client networks decides about the secret', async () => {
	const text = `${oneServer}
radius relay authentication server
 key 10.0.0.0 255.0.0.0 eight
 key 10.2.0.0 255.255.0.0 sixteen
 key 10.2.3.4 255.255.255.255 host
exit
`
	const relay = await simulatedRelay(text)
	const accepted = (address: string, secret: string) =>
		relay.fromWap(accessRequest({ secret }), { address }).length === 1
	assert.ok(accepted('10.9.9.9', 'eight'))
	assert.ok(accepted('10.2.9.9', 'sixteen'))
	assert.ok(accepted('10.2.3.4', 'host'))
	assert.not(accepted('10.2.3.4', 'sixteen'))
	assert.not(accepted('10.2.9.9', 'eight'))
	assert.not(accepted('11.0.0.1', 'eight'))
})

test.run()
