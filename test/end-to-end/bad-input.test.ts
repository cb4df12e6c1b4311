/** Whatever must not be answered: counted in the right row, recorded in gathered form, no more. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { type HomeServer, startHomeServer } from './home-server.ts'
import { aloud, endAll, pause, until } from './processes.ts'
import {
	figureIn,
	type RelayProcess,
	startRelay,
	upstreamSecret,
	wapSecret,
} from './relay-process.ts'
import { openWap, subscriber, type Wap } from './wap.ts'
import {
	accessRequest,
	accountingRequest,
	answer,
	attribute,
	code,
	decode,
	emptyMessageAuthenticator,
	encode,
	faultOf,
	statusServer,
	type,
} from './wire.ts'

type Row =
	| 'Duplicate Requests'
	| 'Malformed Requests'
	| 'Bad Authenticators'
	| 'Unknown Requests'
	| 'Invalid Requests'

let home: HomeServer
let relay: RelayProcess
let wap: Wap
let accountingWap: Wap
/** While false, the home server stays silent. */
let answering = true

test.before(
	aloud(async () => {
		home = await startHomeServer(upstreamSecret, request =>
			answering
				? {
						code:
							request.code === code.accountingRequest ? code.accountingResponse : code.accessAccept,
						attributes: [],
					}
				: undefined,
		)
		const server = { address: '127.0.0.1', authentication: home.port, accounting: home.port }
		relay = await startRelay({
			servers: [server],
			clients: '127.0.0.1 255.255.255.255',
			upstream: ['timeout 5', 'retransmit 0'],
			relay: ['message-authenticator optional'],
		})
		wap = await openWap(relay.authentication)
		accountingWap = await openWap(relay.accounting)
	}),
)
test.after(endAll)

const good = (identifier: number) => accessRequest(wapSecret, identifier, subscriber(1))
const accountingStart = [attribute(type.acctStatusType, 1), attribute(type.acctSessionId, '1')]

/** Sends datagrams that must raise `row` by their number and get no answer, nor reach the server. */
async function counted(
	service: 'authentication' | 'accounting',
	row: Row,
	datagrams: readonly Buffer[],
	from?: Wap,
): Promise<void> {
	const sender = from ?? (service === 'authentication' ? wap : accountingWap)
	const before = await relay.figure(service, row)
	const answers = sender.received.length
	const forwarded = home.requests.length
	for (const bytes of datagrams) sender.send(bytes)
	await relay.expectFigure(service, row, before + datagrams.length)
	assert.is(sender.received.length, answers, 'answered')
	assert.is(home.requests.length, forwarded, 'forwarded')
}

/** A copy with one octet, or a 16-bit length, changed. */
function patched(bytes: Buffer, at: number, ...octets: number[]): Buffer {
	const copy = Buffer.from(bytes)
	copy.set(octets, at)
	return copy
}

test('a wrong secret is a bad authenticator, wherever it can be seen', async () => {
	const signed = [emptyMessageAuthenticator, ...subscriber(1)]
	const wrong = 'not-the-secret'
	await counted('authentication', 'Bad Authenticators', [
		accessRequest(wrong, 1, signed).bytes,
		statusServer(wrong, 2).bytes,
	])
	const start = [...accountingStart, ...subscriber(1)]
	await counted('accounting', 'Bad Authenticators', [
		accountingRequest(wrong, 1, start).bytes,
		statusServer(wrong, 2).bytes,
	])
})

test('an address outside of every client network is unknown', async () => {
	const stranger = await openWap(relay.authentication, '127.0.0.3')
	await counted('authentication', 'Unknown Requests', [good(1).bytes, good(2).bytes], stranger)
	stranger.close()
})

test('a request without a required attribute is invalid', async () => {
	const [user, calling, called] = subscriber(1)
	const eap = attribute(type.eapMessage, Buffer.from([2, 1, 0, 6, 1, 97]))
	await counted('authentication', 'Invalid Requests', [
		accessRequest(wapSecret, 1, [user!, called!]).bytes,
		accessRequest(wapSecret, 2, [user!, calling!]).bytes,
		// RFC 3579 §3.2: EAP-Message without Message-Authenticator is to be discarded in silence.
		accessRequest(wapSecret, 3, [...subscriber(1), eap]).bytes,
	])
	await counted('accounting', 'Invalid Requests', [
		accountingRequest(wapSecret, 1, [...accountingStart, calling!]).bytes,
		accountingRequest(wapSecret, 2, [...accountingStart, called!]).bytes,
		accountingRequest(wapSecret, 3, [attribute(type.acctStatusType, 7)]).bytes,
		accountingRequest(wapSecret, 4, [calling!, called!]).bytes,
	])
})

test('a code that is not for this server is invalid', async () => {
	const request = good(1)
	await counted('authentication', 'Invalid Requests', [
		accountingRequest(wapSecret, 2, [...accountingStart, ...subscriber(1)]).bytes,
		answer(request, code.accessAccept, [], wapSecret),
		encode(255, 3, Buffer.alloc(16), []),
	])
	await counted('accounting', 'Invalid Requests', [request.bytes])
})

test('lengths that cannot be are malformed', async () => {
	const { bytes } = good(1)
	const longest = Buffer.alloc(5000, 1)
	longest.set(bytes)
	await counted('authentication', 'Malformed Requests', [
		Buffer.alloc(0),
		bytes.subarray(0, 1),
		bytes.subarray(0, 19), // shorter than the header
		bytes.subarray(0, bytes.length - 1), // cut off
		patched(bytes, 2, 0, 19), // Length below 20
		patched(bytes, 2, 16, 1), // Length above 4,096, the datagram shorter
		patched(longest, 2, 16, 1), // Length above 4,096, the datagram long enough
		patched(bytes, 21, 0), // an attribute of length 0
		patched(bytes, 21, 1), // of length 1
		patched(bytes, 21, 255), // longer than the packet
	])
})

test('octets beyond Length are padding, not an error (RFC 2865 §3)', async () => {
	const request = good(20)
	const padded = Buffer.concat([request.bytes, Buffer.alloc(40, 0xff)])
	const response = await wap.ask(padded)
	assert.is(faultOf(response!, request, wapSecret), undefined)
})

test('a repeat while the first is pending is a duplicate; after the answer it gets that answer', async () => {
	answering = false
	const pending = good(30)
	wap.send(pending.bytes)
	await relay.expectFigure('authentication', 'Pending Requests', 1)
	await counted('authentication', 'Duplicate Requests', [pending.bytes, pending.bytes])
	answering = true

	const request = good(31)
	const first = await wap.ask(request.bytes)
	const forwarded = home.requests.length
	const second = await wap.ask(request.bytes)
	assert.equal(second, first)
	assert.is(home.requests.length, forwarded, 'the repeat was not forwarded')
})

test('an answer with a wrong authenticator is not believed', async () => {
	const before = wap.received.length
	const forger = await startHomeServer('a-forger-without-the-secret')
	const server = { address: '127.0.0.1', authentication: forger.port, accounting: forger.port }
	const other = await startRelay({ servers: [server], upstream: ['timeout 1', 'retransmit 0'] })
	const victim = await openWap(other.authentication)
	assert.is(await victim.ask(good(1).bytes, 2500), undefined)
	assert.is(forger.requests.length, 1)
	const forged = forger.requests.length + forger.watchdogs.length
	const row = 'Bad Authenticators'
	await until('the forged answers are counted', 5000, async () => {
		return figureIn(await other.exec('show radius statistics'), row) === forged
	})
	victim.close()
	await other.stop()
	await forger.close()
	assert.is(wap.received.length, before)
})

test('a flood of garbage is counted, never answered, and gathered in the journal', async () => {
	let seed = 20_250_101
	const random = () => {
		seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0
		return seed >>> 16
	}
	const rows: Row[] = ['Malformed Requests', 'Bad Authenticators', 'Invalid Requests']
	const sum = async () => {
		const text = await relay.exec('show radius relay authentication statistics')
		return rows.reduce((total, row) => total + Number(text.match(`${row} +(\\d+)`)?.[1]), 0)
	}
	const flood = 2000
	const before = await sum()
	const recorded = relay.events().length
	const answers = wap.received.length
	const { bytes } = good(40)
	for (let i = 0; i < flood; i++) {
		// Half of it is noise of any length, half a good request with its attributes' lengths broken.
		const noise = Buffer.from(Array.from({ length: random() % 300 }, () => random() & 255))
		if (noise.length > 0) noise[0] = noise[0]! | 0x80 // no code that would be answered
		wap.send(i % 2 ? noise : patched(bytes, 21, random() % 2))
		if (i % 50 === 0) await pause(1)
	}
	const end = performance.now() + 5000
	while ((await sum()) < before + flood && performance.now() < end);
	assert.is((await sum()) - before, flood)
	assert.is(wap.received.length, answers)
	const written = relay.events().length - recorded
	assert.ok(written < 100, `${written} events for ${flood} datagrams`)
})

test('after all of this a good request is answered as ever', async () => {
	const request = good(50)
	const response = (await wap.ask(request.bytes))!
	assert.is(decode(response).code, code.accessAccept)
	assert.is(faultOf(response, request, wapSecret), undefined)
	assert.ok(relay.program().running())
})

test.run()
