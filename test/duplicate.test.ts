/** Repeated requests: RFC 5080 §2.2.2. */
import fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { openSimulatedTransport } from '../adapters/radius/transport-simulated.ts'
import { createAnswerCache, isKept, reserve } from '../src/engine/answer-cache.ts'
import { assertInvariants, discardsOf, ofType } from './relay-invariants.ts'
import {
	accessRequest,
	accountingRequest,
	answerPacket,
	oneServer,
	relayServers,
	requestPacket,
	simulatedRelay,
} from './simulated-relay.ts'

test('a repeat of a pending request is dropped and counted', async () => {
	const relay = await simulatedRelay()
	const request = accessRequest()
	assert.is(relay.fromWap(request).length, 1)
	assert.is(relay.fromWap(request).length, 0)
	assert.is(relay.fromWap(request).length, 0)
	relay.pass(1000)
	assert.equal(discardsOf(relay), { duplicate: 2 })
	assert.is(ofType(relay, 'AccessRequested').length, 1)
	assertInvariants(relay)
})

test('two copies in one turn are one request', async () => {
	const relay = await simulatedRelay()
	const socket = relay.transport.sockets.get(1812)!
	const request = accessRequest()
	for (let i = 0; i < 3; i++) relay.transport.deliver(socket, 0x0a000001, 5000, request)
	assert.is(relay.turn().length, 1)
	assert.is(ofType(relay, 'AccessRequested').length, 1)
})

test('a repeat of an answered request gets the same octets again', async () => {
	const relay = await simulatedRelay()
	const request = accessRequest()
	const [forwarded] = relay.fromWap(request)
	const [answer] = relay.fromHome(
		forwarded!,
		answerPacket(forwarded!.bytes, { code: 2, attributes: [[18, 'welcome']] }),
	)
	assert.is(answer!.code, 2)
	const events = relay.events().length
	for (let i = 0; i < 2; i++) {
		const again = relay.fromWap(request)
		assert.is(again.length, 1)
		assert.equal(again[0]!.bytes, answer!.bytes)
		assert.is(again[0]!.to, answer!.to)
	}
	assert.is(relay.events().length, events, 'nothing is recorded for each repeat')
	relay.pass(1000)
	const [repeated] = ofType(relay, 'AnswersRepeated')
	assert.equal(repeated!.data, { service: 'authentication', client: '10.0.0.1', count: 2 })
})

test('an Accounting-Response is repeated, too', async () => {
	const relay = await simulatedRelay()
	const request = accountingRequest('start')
	const [forwarded] = relay.fromWap(request)
	const [answer] = relay.fromHome(forwarded!, answerPacket(forwarded!.bytes, { code: 5 }))
	assert.equal(relay.fromWap(request)[0]!.bytes, answer!.bytes)
	assert.is(ofType(relay, 'AccountingStarted').length, 1)
})

test('an answer is repeated for 30 s and not longer', async () => {
	const relay = await simulatedRelay()
	const request = accessRequest()
	const [forwarded] = relay.fromWap(request)
	relay.fromHome(forwarded!, answerPacket(forwarded!.bytes, { code: 2 }))
	relay.pass(29_900)
	assert.is(relay.fromWap(request)[0]!.code, 2)
	relay.pass(200)
	const [anew] = relay.fromWap(request)
	assert.is(anew!.code, 1, 'it is a new request then')
	assert.is(ofType(relay, 'AccessRequested').length, 2)
})

test('the same identifier with another authenticator is a new request that retires the old', async () => {
	const relay = await simulatedRelay()
	const [first] = relay.fromWap(accessRequest({ nonce: 1 }))
	const [second] = relay.fromWap(accessRequest({ nonce: 2 }))
	assert.is(second!.code, 1)
	const [unanswered] = ofType(relay, 'AccessUnanswered')
	const [opened] = ofType(relay, 'AccessRequested')
	assert.is(unanswered!.data.reason, 'superseded')
	assert.is(unanswered!.data.exchange, opened!.position)
	// The answer to the retired request comes too late.
	assert.is(relay.fromHome(first!, answerPacket(first!.bytes, { code: 2 })).length, 0)
	const [answer] = relay.fromHome(second!, answerPacket(second!.bytes, { code: 3 }))
	assert.is(answer!.code, 3)
	assertInvariants(relay)
})

test('a new request under the identifier of an answered one forgets the old answer', async () => {
	const relay = await simulatedRelay()
	const old = accessRequest({ nonce: 1 })
	const [first] = relay.fromWap(old)
	relay.fromHome(first!, answerPacket(first!.bytes, { code: 2 }))
	relay.fromWap(accessRequest({ nonce: 2 }))
	assert.is(relay.fromWap(old)[0]!.code, 1, 'the old request is a new one now')
	assert.is(ofType(relay, 'AccessRequested').length, 3)
})

test('another source port, another address or another service is another request', async () => {
	const relay = await simulatedRelay()
	const request = accessRequest()
	relay.fromWap(request, { port: 5000 })
	assert.is(relay.fromWap(request, { port: 5001 }).length, 1)
	assert.is(relay.fromWap(request, { address: '10.1.2.3' }).length, 1)
	assert.is(relay.fromWap(accountingRequest('on', { identifier: 1 })).length, 1)
	relay.pass(1000)
	assert.equal(discardsOf(relay), {})
	assertInvariants(relay)
})

test('the same packet at two receiving sockets is two requests', async () => {
	const other = (relayServers + oneServer).replaceAll('server\n', 'server\n udp-port 1912\n')
	const relay = await simulatedRelay(
		`${oneServer}${relayServers}virtual-router second\n${other.replace(
			'radius relay accounting server\n udp-port 1912',
			'radius relay accounting server\n udp-port 1913',
		)}`,
	)
	const request = accessRequest()
	assert.is(relay.fromWap(request, { to: 1812 }).length, 1)
	assert.is(relay.fromWap(request, { to: 1912 }).length, 1)
	assert.is(ofType(relay, 'AccessRequested').length, 2)
})

test('a packet that fails verification neither retires a pending request', async () => {
	const relay = await simulatedRelay()
	const [forwarded] = relay.fromWap(accessRequest({ nonce: 1 }))
	assert.is(relay.fromWap(accessRequest({ nonce: 2, secret: 'wrong' })).length, 0)
	assert.is(ofType(relay, 'AccessUnanswered').length, 0)
	const [answer] = relay.fromHome(forwarded!, answerPacket(forwarded!.bytes, { code: 2 }))
	assert.is(answer!.code, 2)
})

test('nor gets a cached answer, nor makes one forgotten', async () => {
	const relay = await simulatedRelay()
	const request = accessRequest()
	const [forwarded] = relay.fromWap(request)
	relay.fromHome(forwarded!, answerPacket(forwarded!.bytes, { code: 2 }))
	const forged = request.slice()
	forged[forged.length - 1]! ^= 1
	assert.is(relay.fromWap(forged).length, 0)
	assert.is(relay.fromWap(accessRequest({ nonce: 9, secret: 'wrong' })).length, 0)
	assert.is(relay.fromWap(request)[0]!.code, 2)
	relay.pass(1000)
	assert.equal(discardsOf(relay), { 'bad-authenticator': 2 })
})

test('a request without a MAC address is invalid and touches nothing', async () => {
	const relay = await simulatedRelay()
	const [forwarded] = relay.fromWap(accessRequest({ nonce: 1 }))
	const nobody = requestPacket({
		code: 1,
		nonce: 2,
		attributes: [
			[30, '00-11-22-33-44-55:campus'],
			[31, 'nobody'],
		],
	})
	assert.is(relay.fromWap(nobody).length, 0)
	relay.pass(1000)
	assert.equal(discardsOf(relay), { invalid: 1 })
	const [answer] = relay.fromHome(forwarded!, answerPacket(forwarded!.bytes, { code: 2 }))
	assert.is(answer!.code, 2)
})

test('an answer that newer ones have overwritten is not sent again: the request is new', async () => {
	const relay = await simulatedRelay(oneServer + relayServers, { answerCacheOctets: 4096 })
	const answerTo = (identifier: number) => {
		const request = accessRequest({ identifier })
		const [forwarded] = relay.fromWap(request)
		const long = new Uint8Array(240).fill(65 + identifier)
		const [answer] = relay.fromHome(
			forwarded!,
			answerPacket(forwarded!.bytes, { code: 2, attributes: [[18, long]] }),
		)
		return { request, answer: answer!.bytes }
	}
	const kept: { request: Uint8Array; answer: Uint8Array }[] = []
	for (let identifier = 0; identifier < 40; identifier++) kept.push(answerTo(identifier))
	// 280 octets each: fourteen fit, and a few more or less where the ring begins anew.
	const again = kept.map(({ request }) => relay.fromWap(request)[0]!)
	const repeated = again.filter(left => left.code === 2)
	assert.ok(repeated.length >= 13 && repeated.length <= 14, `${repeated.length} are kept`)
	for (const [i, left] of again.entries()) {
		if (left.code === 2) assert.equal(left.bytes, kept[i]!.answer)
	}
	assert.is(again[39]!.code, 2)
	assert.is(again[0]!.code, 1)
})

test('an answer counts as kept exactly until something is written over it', () => {
	const lengths = fc.array(fc.integer({ min: 20, max: 400 }), { maxLength: 60 })
	const property = fc.property(lengths, sizes => {
		const cache = createAnswerCache(openSimulatedTransport(), 1024)
		const { bytes } = cache.memory
		const written = sizes.map((length, n) => {
			const at = reserve(cache, length)
			bytes.fill(n + 1, at, at + length)
			return { at, length, mark: cache.written, n }
		})
		for (const { at, length, mark, n } of written) {
			const whole = bytes.subarray(at, at + length).every(octet => octet === n + 1)
			if (isKept(cache, mark, length)) assert.ok(whole, `answer ${n} is whole`)
		}
		const last = written.at(-1)
		if (last !== undefined) assert.ok(isKept(cache, last.mark, last.length))
	})
	fc.assert(property, { seed: 20250603, numRuns: 500 })
})

test('peers are forgotten after a minute without a packet, but not while something is pending', async () => {
	const text = oneServer.replaceAll(' key home', ' timeout 20\n key home') + relayServers
	const relay = await simulatedRelay(text)
	const { peers } = relay.engine.routers.get('default')!.listeners.authentication!
	const [forwarded] = relay.fromWap(accessRequest())
	relay.pass(70_000)
	assert.is(peers.size, 1)
	const [answer] = relay.fromHome(forwarded!, answerPacket(forwarded!.bytes, { code: 2 }))
	assert.is(answer!.code, 2)
	relay.pass(62_000)
	assert.is(peers.size, 0)
	assertInvariants(relay)
})

test('what is queued as an answer leaves as it was queued, however small the cache is', async () => {
	const relay = await simulatedRelay(oneServer + relayServers, { answerCacheOctets: 1 << 16 })
	const forwarded = [1, 2, 3].map(identifier => relay.fromWap(accessRequest({ identifier }))[0]!)
	const socket = relay.transport.sockets.get(forwarded[0]!.from)!
	for (const { bytes } of forwarded) {
		const answer = answerPacket(bytes, { code: 2, attributes: [[18, `for ${bytes[1]}`]] })
		relay.transport.deliver(socket, 0xc0000201, 1812, answer)
	}
	const answers = relay.turn()
	assert.equal(
		answers.map(({ bytes }) => bytes[1]),
		[1, 2, 3],
	)
})

test.run()
