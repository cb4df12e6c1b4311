/** What must pass untouched, and what must change: octet by octet, between a WAP and a home server. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { type HomeServer, startHomeServer } from './home-server.ts'
import { aloud, endAll } from './processes.ts'
import { type RelayProcess, startRelay, upstreamSecret, wapSecret } from './relay-process.ts'
import { openWap, subscriber, type Wap } from './wap.ts'
import {
	type Attribute,
	accessRequest,
	accountingRequest,
	attribute,
	code,
	decode,
	emptyMessageAuthenticator,
	encode,
	faultOf,
	hidePassword,
	revealPassword,
	signedFirst,
	type,
	valuesOf,
	vendorAttribute,
} from './wire.ts'

let home: HomeServer
let relay: RelayProcess
let wap: Wap
/** What the home server answers beside Proxy-State. */
let reply: Attribute[] = []

/** Unknown to every dictionary, and every form that RFC 6929 adds. */
const foreign: Attribute[] = [
	attribute(222, Buffer.from('an attribute that nobody registered')),
	vendorAttribute(99_999, 7, Buffer.from([0, 1, 2, 255])),
	attribute(type.vendorSpecific, Buffer.from([0, 1, 0x86, 0x9f, 1])), // a vendor with its own format
	attribute(241, Buffer.from([7, 1, 2, 3])), // Extended-Type-1
	attribute(241, Buffer.from([26, 0, 0, 0x13, 0x0a, 9, 1])), // Extended-Vendor-Specific-1
	attribute(245, Buffer.from([200, 0x80, ...Buffer.alloc(251, 1)])), // a fragment with More set
	attribute(245, Buffer.from([200, 0, 4, 5, 6])), // and its end
]

test.before(
	aloud(async () => {
		home = await startHomeServer(upstreamSecret, request => ({
			code: request.code === code.accountingRequest ? code.accountingResponse : code.accessAccept,
			attributes: [
				...reply,
				...valuesOf(request, type.proxyState).map(value => attribute(type.proxyState, value)),
			],
		}))
		const server = { address: '127.0.0.1', authentication: home.port, accounting: home.port }
		relay = await startRelay({ servers: [server] })
		wap = await openWap(relay.authentication)
	}),
)
test.before.each(() => {
	reply = []
})
test.after(endAll)

test('unknown, vendor and extended attributes reach the server untouched and in order', async () => {
	const sent = [...subscriber(1), ...foreign, attribute(type.state, Buffer.from([0, 255, 0]))]
	const answer = await wap.ask(accessRequest(wapSecret, 1, sent).bytes)
	assert.is(answer?.[0], code.accessAccept)
	const arrived = home.requests.at(-1)!
	assert.ok(signedFirst(arrived, upstreamSecret), 'Message-Authenticator first and valid')
	assert.equal(
		arrived.attributes.filter(a => a.type !== type.messageAuthenticator),
		sent,
	)
})

test('and come back untouched and in order, behind a valid Message-Authenticator', async () => {
	reply = [...foreign, attribute(type.class, 'a'), attribute(type.class, 'b')]
	const request = accessRequest(wapSecret, 2, [emptyMessageAuthenticator, ...subscriber(2)])
	const answer = (await wap.ask(request.bytes))!
	assert.is(faultOf(answer, request, wapSecret), undefined)
	assert.equal(decode(answer).attributes.slice(1), reply)
})

test('Proxy-State passes both ways unchanged, each one, in order (RFC 2865 §5.33)', async () => {
	const states = ['first', '\0', 'x'.repeat(253)].map(text => attribute(type.proxyState, text))
	const sent = [emptyMessageAuthenticator, ...subscriber(3), ...states]
	const request = accessRequest(wapSecret, 3, sent)
	const answer = (await wap.ask(request.bytes))!
	const values = states.map(a => a.value)
	assert.equal(valuesOf(home.requests.at(-1)!, type.proxyState), values)
	assert.equal(valuesOf(decode(answer), type.proxyState), values)
	assert.is(faultOf(answer, request, wapSecret), undefined)
})

test('EAP-Message keeps its fragments together and in order (RFC 3579 §3.1)', async () => {
	const fragments = [253, 253, 40].map((length, i) =>
		attribute(type.eapMessage, Buffer.alloc(length, i + 1)),
	)
	const sent = [...subscriber(4), ...fragments, emptyMessageAuthenticator]
	assert.ok(await wap.ask(accessRequest(wapSecret, 4, sent).bytes))
	const arrived = home.requests.at(-1)!.attributes
	const first = arrived.findIndex(a => a.type === type.eapMessage)
	assert.equal(arrived.slice(first, first + 3), fragments)
	assert.is(arrived.filter(a => a.type === type.messageAuthenticator).length, 1)
})

test('User-Password is hidden anew for the next hop; CHAP gets its challenge', async () => {
	const authenticator = Buffer.alloc(16, 7)
	const hidden = hidePassword('sesame, open', wapSecret, authenticator)
	const pap = [...subscriber(5), attribute(type.userPassword, hidden)]
	assert.ok(await wap.ask(accessRequest(wapSecret, 5, pap, authenticator).bytes))
	const arrived = home.requests.at(-1)!
	const [password] = valuesOf(arrived, type.userPassword)
	const clear = revealPassword(password!, upstreamSecret, arrived.authenticator)
	assert.is(clear, 'sesame, open')
	assert.not.equal(arrived.authenticator, authenticator)

	const chap = [...subscriber(5), attribute(type.chapPassword, Buffer.alloc(17, 9))]
	assert.ok(await wap.ask(accessRequest(wapSecret, 6, chap, authenticator).bytes))
	const withChallenge = home.requests.at(-1)!
	assert.equal(valuesOf(withChallenge, type.chapChallenge), [authenticator])
	assert.equal(valuesOf(withChallenge, type.chapPassword), [Buffer.alloc(17, 9)])
})

test('accounting gains nothing but Radius-Client-Address, as 26-52', async () => {
	const accounting = await openWap(relay.accounting)
	const sent = [
		attribute(type.acctStatusType, 1),
		attribute(type.acctSessionId, '1'),
		...subscriber(6),
		...foreign,
		attribute(type.proxyState, 'hop'),
	]
	const request = accountingRequest(wapSecret, 9, sent)
	const answer = (await accounting.ask(request.bytes))!
	accounting.close()
	assert.is(faultOf(answer, request, wapSecret), undefined)
	assert.equal(valuesOf(decode(answer), type.proxyState), [Buffer.from('hop')])
	const arrived = home.requests.at(-1)!
	const clientAddress = vendorAttribute(4874, 52, Buffer.from([127, 0, 0, 1]))
	assert.is(clientAddress.value.toString('hex'), '0000130a34067f000001')
	const isOurs = (a: Attribute) => a.type === 26 && a.value.equals(clientAddress.value)
	assert.is(arrived.attributes.filter(isOurs).length, 1)
	assert.equal(
		arrived.attributes.filter(a => !isOurs(a)),
		sent,
	)
	const resigned = accountingRequest(upstreamSecret, arrived.identifier, arrived.attributes)
	assert.equal(arrived.authenticator, resigned.authenticator)
})

test('a packet of the greatest length passes when nothing has to be added', async () => {
	const base = [emptyMessageAuthenticator, ...subscriber(7)]
	const room = () => 4096 - encode(1, 0, Buffer.alloc(16), base).length
	while (room() > 257) base.push(attribute(222, Buffer.alloc(253, 1)))
	base.push(attribute(222, Buffer.alloc(room() - 2, 2)))
	const request = accessRequest(wapSecret, 10, base)
	assert.is(request.bytes.length, 4096)
	assert.ok(await wap.ask(request.bytes))
	assert.is(home.requests.at(-1)!.bytes.length, 4096)
})

test.run()
