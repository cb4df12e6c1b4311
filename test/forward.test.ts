/** What changes in a packet on its way through the relay, and that nothing else does. */
import fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { lengthRange } from '../domain/radius/attribute-rules.ts'
import {
	verifyAccountingRequest,
	verifyResponseMessageAuthenticator,
} from '../domain/radius/authenticator.ts'
import { chapResponse, verifyChapPassword } from '../domain/radius/chap.ts'
import {
	hideSalted,
	hideUserPassword,
	revealSalted,
	revealUserPassword,
} from '../domain/radius/hidden.ts'
import { assertAnswers, assertInvariants, assertSignedFirst, ofType } from './relay-invariants.ts'
import {
	accessRequest,
	accountingRequest,
	answerPacket,
	attributesOf,
	called,
	calling,
	homeSecret,
	key,
	type Left,
	oneServer,
	relayServers,
	requestPacket,
	type SimulatedRelay,
	simulatedRelay,
	type TestAttribute,
	wapSecret,
} from './simulated-relay.ts'

const text = (value: string) => new TextEncoder().encode(value)
const wapKey = key(wapSecret)
const homeKey = key(homeSecret)
const seed = Number(process.env['SEED'] ?? 20250603)
fc.configureGlobal({ seed })

function find(bytes: Uint8Array, type: number): Uint8Array {
	const found = attributesOf(bytes).find(([each]) => each === type)
	assert.ok(found, `attribute ${type} is there`)
	return found[1]
}

/** Everything but the signature, in order. */
function others(bytes: Uint8Array, ...without: number[]): [number, Uint8Array][] {
	return attributesOf(bytes).filter(([type]) => type !== 80 && !without.includes(type))
}

function vendorAttribute(
	vendor: number,
	type: number,
	value: Uint8Array | number[],
): TestAttribute {
	return [26, [0, 0, vendor >> 8, vendor & 255, type, value.length + 2, ...value]]
}

/** Sends a request through, and an answer back. */
async function through(
	request: Uint8Array,
	answer: (forwarded: Uint8Array) => Uint8Array,
): Promise<{ relay: SimulatedRelay; forwarded: Left; answer: Left }> {
	const relay = await simulatedRelay()
	const [forwarded, ...more] = relay.fromWap(request)
	assert.ok(forwarded, 'the request is forwarded')
	assert.is(more.length, 0)
	const [left] = relay.fromHome(forwarded, answer(forwarded.bytes))
	assert.ok(left, 'the answer is passed on')
	assert.is(left.to, '10.0.0.1:5000')
	return { relay, forwarded, answer: left }
}

for (const where of ['none', 'first', 'last'] as const) {
	test(`a forwarded Access-Request begins with Message-Authenticator: client's was ${where}`, async () => {
		const relay = await simulatedRelay()
		const request = accessRequest({ messageAuthenticator: where, attributes: [[33, 'proxy']] })
		// limit-proxy-state would discard the unsigned one.
		const unsigned = accessRequest({ messageAuthenticator: where })
		const sent = where === 'none' ? unsigned : request
		const [forwarded] = relay.fromWap(sent)
		assertSignedFirst(forwarded!.bytes)
		assert.equal(others(forwarded!.bytes), others(sent))
		assert.not.equal(forwarded!.bytes.slice(4, 20), sent.slice(4, 20))
	})
}

test('every Accept, Reject and Challenge begins with Message-Authenticator, signed for the client', async () => {
	for (const code of [2, 3, 11]) {
		for (const messageAuthenticator of ['none', 'first', 'last'] as const) {
			const request = accessRequest({ identifier: 77 })
			const attributes: TestAttribute[] = [
				[18, 'hello'],
				[27, [0, 0, 14, 16]],
			]
			const { answer } = await through(request, forwarded =>
				answerPacket(forwarded, { code, attributes, messageAuthenticator }),
			)
			assert.is(answer.code, code)
			assertAnswers(answer.bytes, request, wapSecret)
			assert.equal(
				others(answer.bytes),
				attributes.map(([type, value]) => [
					type,
					typeof value === 'string' ? text(value) : Uint8Array.from(value),
				]),
			)
		}
	}
})

test('an Accounting-Response is signed by its authenticator alone', async () => {
	for (const messageAuthenticator of ['none', 'first'] as const) {
		const request = accountingRequest('start')
		const { answer } = await through(request, forwarded =>
			answerPacket(forwarded, { code: 5, messageAuthenticator }),
		)
		assertAnswers(answer.bytes, request, wapSecret)
		assert.is(answer.bytes.length, 20)
	}
})

test('User-Password of every length is encrypted anew', async () => {
	const relay = await simulatedRelay()
	for (const [identifier, length] of [0, 1, 15, 16, 17, 32, 100, 128].entries()) {
		const password = new Uint8Array(length).map((_, i) => 33 + (i % 90))
		const plain = accessRequest({ identifier, messageAuthenticator: 'none' })
		const hidden = hideUserPassword(password, wapKey, plain, 4)
		for (const messageAuthenticator of ['first', 'last'] as const) {
			const request = accessRequest({
				identifier,
				nonce: messageAuthenticator === 'first' ? 0 : 1,
				messageAuthenticator,
				attributes: [
					[2, hidden],
					[33, 'behind it'],
				],
			})
			const right = hideUserPassword(password, wapKey, request, 4)
			const again = accessRequest({
				identifier,
				nonce: messageAuthenticator === 'first' ? 0 : 1,
				messageAuthenticator,
				attributes: [
					[2, right],
					[33, 'behind it'],
				],
			})
			const [forwarded] = relay.fromWap(again)
			const value = find(forwarded!.bytes, 2)
			assert.is(value.length, right.length)
			assert.not.equal(value, right)
			assert.equal(revealUserPassword(value, homeKey, forwarded!.bytes, 4), password)
			assert.equal(others(forwarded!.bytes, 2), others(again, 2))
		}
	}
})

test('CHAP without CHAP-Challenge gets one: the Request Authenticator that it was made with', async () => {
	const relay = await simulatedRelay()
	const plain = accessRequest()
	const response = [7, ...chapResponse(7, text('secret word'), plain.slice(4, 20))]
	const request = accessRequest({ attributes: [[3, response]] })
	const [forwarded] = relay.fromWap(request)
	assertSignedFirst(forwarded!.bytes)
	assert.equal(find(forwarded!.bytes, 60), request.slice(4, 20))
	const chap = find(forwarded!.bytes, 3)
	assert.ok(verifyChapPassword(chap, text('secret word'), find(forwarded!.bytes, 60)))
	assert.equal(others(forwarded!.bytes, 60), others(request))
})

test('CHAP with CHAP-Challenge keeps it, whatever its length', async () => {
	const challenge = text('a challenge of its own length')
	const response = [9, ...chapResponse(9, text('word'), challenge)]
	const relay = await simulatedRelay()
	const request = accessRequest({
		attributes: [
			[60, challenge],
			[3, response],
		],
	})
	const [forwarded] = relay.fromWap(request)
	assert.equal(others(forwarded!.bytes), others(request))
})

test('Tunnel-Password is encrypted anew behind its tag, each with another salt', async () => {
	const passwords = ['first tunnel', 'second', 'x'.repeat(100)]
	const request = accessRequest()
	const { forwarded, answer } = await through(request, bytes =>
		answerPacket(bytes, {
			code: 2,
			attributes: passwords.map((password, i): TestAttribute => {
				const hidden = hideSalted(text(password), homeKey, bytes.slice(4, 20), 0x8100 + i)
				return [69, [i + 1, ...hidden]]
			}),
		}),
	)
	assert.is(forwarded.code, 1)
	const values = others(answer.bytes).map(([, value]) => value)
	const salts = new Set(values.map(value => (value[1]! << 8) | value[2]!))
	assert.is(salts.size, 3)
	for (const salt of salts) assert.ok(salt & 0x8000, 'the top bit is set')
	for (const [i, value] of values.entries()) {
		assert.is(value[0], i + 1, 'the tag stays')
		const clear = revealSalted(value.slice(1), wapKey, request.slice(4, 20))
		assert.equal(clear, text(passwords[i]!))
	}
})

test('MS-MPPE keys are encrypted anew, alone or together in one Vendor-Specific', async () => {
	const send = Uint8Array.from({ length: 32 }, (_, i) => i * 3)
	const receive = Uint8Array.from({ length: 32 }, (_, i) => 255 - i)
	const request = accessRequest()
	const { answer } = await through(request, bytes => {
		const authenticator = bytes.slice(4, 20)
		const hiddenSend = hideSalted(send, homeKey, authenticator, 0x9000)
		const hiddenReceive = hideSalted(receive, homeKey, authenticator, 0x9001)
		const together = [
			...[0, 0, 1, 55],
			...[16, hiddenSend.length + 2, ...hiddenSend],
			...[7, 6, 0, 0, 0, 1],
			...[17, hiddenReceive.length + 2, ...hiddenReceive],
		]
		return answerPacket(bytes, {
			code: 2,
			attributes: [
				vendorAttribute(311, 17, hiddenReceive),
				vendorAttribute(311, 7, [0, 0, 0, 1]),
				vendorAttribute(311, 16, hiddenSend),
				[26, together],
			],
		})
	})
	const authenticator = request.slice(4, 20)
	const values = others(answer.bytes).map(([, value]) => value)
	const reveal = (value: Uint8Array, at: number) =>
		revealSalted(value.slice(at + 2, at + value[at + 1]!), wapKey, authenticator)
	assert.equal(reveal(values[0]!, 4), receive)
	assert.equal(values[1], Uint8Array.of(0, 0, 1, 55, 7, 6, 0, 0, 0, 1))
	assert.equal(reveal(values[2]!, 4), send)
	const all = values[3]!
	const second = 4 + all[5]!
	assert.equal(reveal(all, 4), send)
	assert.equal(all.slice(second, second + 6), Uint8Array.of(7, 6, 0, 0, 0, 1))
	assert.equal(reveal(all, second + 6), receive)
})

test('MS-CHAP-MPPE-Keys are hidden as a password is, and encrypted anew', async () => {
	const keys = Uint8Array.from({ length: 32 }, (_, i) => (i < 24 ? i + 1 : 0))
	const request = accessRequest()
	const { answer } = await through(request, bytes => {
		const hidden = hideUserPassword(keys, homeKey, bytes, 4)
		return answerPacket(bytes, { code: 2, attributes: [vendorAttribute(311, 12, hidden)] })
	})
	const value = find(answer.bytes, 26)
	const clear = revealUserPassword(value.slice(6), wapKey, request, 4)
	assert.equal(clear, keys.slice(0, 24))
})

test('a hidden value that cannot be what it says is not passed on', async () => {
	const relay = await simulatedRelay()
	const [forwarded] = relay.fromWap(accessRequest())
	const broken = answerPacket(forwarded!.bytes, {
		code: 2,
		attributes: [vendorAttribute(311, 16, new Uint8Array(17))],
	})
	assert.is(relay.fromHome(forwarded!, broken).length, 0)
	const whole = answerPacket(forwarded!.bytes, { code: 2 })
	assert.is(relay.fromHome(forwarded!, whole).length, 1, 'the request still waits')
	assertInvariants(relay)
})

const proxyStates: TestAttribute[] = [
	[33, 'one'],
	[33, [0, 255, 0]],
	[33, 'one'],
]

test('Proxy-State goes through untouched, in order, and no other is added', async () => {
	const relay = await simulatedRelay()
	const request = accessRequest({ attributes: proxyStates })
	const [forwarded] = relay.fromWap(request)
	assert.equal(others(forwarded!.bytes), others(request))
})

test('Proxy-State comes back in order, though the server lost, reordered or doubled it', async () => {
	const lists: TestAttribute[][] = [
		[],
		proxyStates,
		[...proxyStates].reverse(),
		[proxyStates[1]!],
		[...proxyStates, [33, 'foreign']],
	]
	for (const list of lists) {
		const request = accessRequest({ attributes: proxyStates })
		const { answer } = await through(request, bytes =>
			answerPacket(bytes, { code: 2, attributes: [...list, [18, 'hi']] }),
		)
		const back = attributesOf(answer.bytes).filter(([type]) => type === 33)
		assert.equal(
			back,
			attributesOf(request).filter(([type]) => type === 33),
		)
		assert.equal(find(answer.bytes, 18), text('hi'))
		assertAnswers(answer.bytes, request, wapSecret)
	}
})

test('an answer to a request without Proxy-State has none', async () => {
	const { answer } = await through(accessRequest(), bytes =>
		answerPacket(bytes, { code: 2, attributes: proxyStates }),
	)
	assert.equal(others(answer.bytes), [])
})

test('Proxy-State comes back in accounting and in Status-Server, too', async () => {
	const request = accountingRequest('interim', { attributes: proxyStates })
	const { answer } = await through(request, bytes => answerPacket(bytes, { code: 5 }))
	assert.equal(
		attributesOf(answer.bytes),
		attributesOf(request).filter(([type]) => type === 33),
	)
	const relay = await simulatedRelay()
	const status = requestPacket({ code: 12, attributes: proxyStates })
	const [alive] = relay.fromWap(status)
	assert.equal(others(alive!.bytes), others(status))
})

test('Radius-Client-Address is appended to accounting, octet for octet', async () => {
	const relay = await simulatedRelay(
		`${oneServer}${relayServers}radius update-source-addr 10.9.8.7\n`,
	)
	for (const status of ['start', 'stop', 'interim', 'on', 'off'] as const) {
		const request = accountingRequest(status)
		const [forwarded] = relay.fromWap(request)
		const { bytes } = forwarded!
		const expected = '1a0c0000130a34060a090807'
		assert.is(Buffer.from(bytes.slice(-12)).toString('hex'), expected)
		assert.equal(attributesOf(bytes).slice(0, -1), attributesOf(request))
		assert.ok(verifyAccountingRequest(bytes.slice(), bytes.length, homeKey))
	}
})

test('without update-source-addr it is the address that faces the server', async () => {
	const relay = await simulatedRelay()
	const [forwarded] = relay.fromWap(accountingRequest('start'))
	assert.equal([...forwarded!.bytes.slice(-4)], [127, 0, 0, 1])
})

test('Access-Requests get no Radius-Client-Address', async () => {
	const relay = await simulatedRelay()
	const [forwarded] = relay.fromWap(accessRequest())
	assert.is(attributesOf(forwarded!.bytes).filter(([type]) => type === 26).length, 0)
})

test("a client's Message-Authenticator in accounting is left out, wherever it stands", async () => {
	const relay = await simulatedRelay()
	for (const messageAuthenticator of ['first', 'last'] as const) {
		const request = accountingRequest('start', {
			messageAuthenticator,
			attributes: [[44, messageAuthenticator]],
		})
		const [forwarded] = relay.fromWap(request)
		assert.equal(attributesOf(forwarded!.bytes).slice(0, -1), others(request))
		assert.ok(verifyAccountingRequest(forwarded!.bytes.slice(), forwarded!.bytes.length, homeKey))
	}
})

test("an Accounting-Response's Message-Authenticator is verified where it is", async () => {
	const relay = await simulatedRelay()
	const [forwarded] = relay.fromWap(accountingRequest('start'))
	const forged = answerPacket(forwarded!.bytes, { code: 5, attributes: [[80, new Uint8Array(16)]] })
	assert.is(relay.fromHome(forwarded!, forged).length, 0)
	const signed = answerPacket(forwarded!.bytes, { code: 5, messageAuthenticator: 'first' })
	assert.is(relay.fromHome(forwarded!, signed).length, 1)
})

/** A request filled up to `octets` in all. */
function filled(make: (attributes: TestAttribute[]) => Uint8Array, octets: number): Uint8Array {
	const attributes: TestAttribute[] = []
	for (let left = octets - make([]).length; left > 0; ) {
		const size = left > 255 ? Math.min(255, left - 3) : left
		attributes.push([18 + 4, new Uint8Array(size - 2).fill(0x20)])
		left -= size
	}
	const bytes = make(attributes)
	assert.is(bytes.length, octets)
	return bytes
}

test('a packet that would grow beyond 4096 octets is refused, and says so', async () => {
	const signed = (attributes: TestAttribute[]) => accessRequest({ attributes })
	const bare = (attributes: TestAttribute[]) =>
		accessRequest({ messageAuthenticator: 'none', attributes })
	const chap = (attributes: TestAttribute[]) =>
		accessRequest({ attributes: [[3, new Uint8Array(17)], ...attributes] })
	const stop = (attributes: TestAttribute[]) => accountingRequest('stop', { attributes })
	for (const [make, most] of [
		[signed, 4096],
		[bare, 4096 - 18],
		[chap, 4096 - 18],
		[stop, 4096 - 12],
	] as const) {
		const fits = await simulatedRelay()
		assert.is(fits.fromWap(filled(make, most))[0]!.bytes.length, 4096)
		if (most === 4096) continue
		const relay = await simulatedRelay()
		assert.is(relay.fromWap(filled(make, most + 1)).length, 0)
		const type = make === stop ? 'AccountingUnanswered' : 'AccessUnanswered'
		assert.is(ofType(relay, type)[0]!.data.reason, 'too-long')
		assertInvariants(relay)
	}
})

test('packets that are too long take no slot from others', async () => {
	const relay = await simulatedRelay()
	const long = (identifier: number) =>
		filled(attributes => accountingRequest('stop', { identifier, attributes }), 4096)
	for (let n = 0; n < 300; n++)
		assert.is(relay.fromWap(long(n & 255), { port: 5000 + n }).length, 0)
	const [link] = relay.engine.routers.get('default')!.upstreams.accounting[0]!.sockets
	assert.is(link!.freeCount, 256)
	assert.is(relay.fromWap(accountingRequest('stop', { identifier: 9 })).length, 1)
	assertInvariants(relay)
})

test('an answer that would grow beyond 4096 octets is dropped, and the request waits on', async () => {
	const relay = await simulatedRelay()
	const [forwarded] = relay.fromWap(accessRequest())
	const big = filled(
		attributes =>
			answerPacket(forwarded!.bytes, { code: 2, attributes, messageAuthenticator: 'none' }),
		4090,
	)
	assert.is(relay.fromHome(forwarded!, big).length, 0)
	assert.is(relay.fromHome(forwarded!, answerPacket(forwarded!.bytes, { code: 2 })).length, 1)
})

test('EAP fragments stay in order and together', async () => {
	const fragments = [0, 1, 2, 3].map((n): TestAttribute => [79, new Uint8Array(253).fill(n)])
	const request = accessRequest({ attributes: [...fragments, [24, 'x'], [33, 'p']] })
	const { forwarded, answer } = await through(request, bytes =>
		answerPacket(bytes, { code: 11, attributes: [[24, 's'], ...fragments, [27, [0, 0, 0, 9]]] }),
	)
	const places = (bytes: Uint8Array) =>
		attributesOf(bytes).flatMap(([type, value], i) => (type === 79 ? [[i, value[0]]] : []))
	const first = places(forwarded.bytes)[0]![0]!
	assert.equal(
		places(forwarded.bytes),
		[0, 1, 2, 3].map(n => [first + n, n]),
	)
	const back = places(answer.bytes)[0]![0]!
	assert.equal(
		places(answer.bytes),
		[0, 1, 2, 3].map(n => [back + n, n]),
	)
})

// Not these: hidden by hop, the signature, CHAP's addition, and what needs a value of its own.
const special = new Set([2, 3, 26, 33, 30, 31, 60, 69, 79, 80])
const ordinary = fc
	.integer({ min: 1, max: 255 })
	.filter(type => !special.has(type))
	.chain(type => {
		const [least, most] = lengthRange(type)
		return fc
			.uint8Array({ minLength: least - 2, maxLength: Math.min(most - 2, 40) })
			.map((value): TestAttribute => [type, value])
	})
/** Any vendor's, in any format; of the vendors with hidden values only types that are not. */
const vendorSpecific = fc
	.tuple(
		fc.constantFrom(9, 311, 4874, 24757, 16_777_215),
		fc.uint8Array({ minLength: 1, maxLength: 60 }),
	)
	.filter(([vendor]) => vendor !== 311 && vendor !== 24757)
	.map(
		([vendor, value]): TestAttribute => [
			26,
			[vendor >>> 24, (vendor >>> 16) & 255, (vendor >>> 8) & 255, vendor & 255, ...value],
		],
	)
const extended = fc
	.tuple(fc.integer({ min: 241, max: 246 }), fc.uint8Array({ maxLength: 60 }))
	.map(([type, value]): TestAttribute => [type, value])
const eap = fc
	.array(fc.uint8Array({ minLength: 1, maxLength: 253 }), { minLength: 1, maxLength: 3 })
	.map(fragments => fragments.map((value): TestAttribute => [79, value]))
const lists = fc
	.array(
		fc.oneof(
			ordinary.map(each => [each]),
			vendorSpecific.map(each => [each]),
			extended.map(each => [each]),
			fc.uint8Array({ maxLength: 20 }).map((value): TestAttribute[] => [[33, value]]),
		),
		{ maxLength: 12 },
	)
	.map(groups => groups.flat())

test('any attributes pass through in both directions, untouched and in order', async () => {
	const relay = await simulatedRelay()
	let identifier = 0
	const property = fc.property(
		lists,
		lists,
		fc.option(eap, { nil: [] }),
		fc.constantFrom('first' as const, 'last' as const),
		(toServer, toClient, fragments, messageAuthenticator) => {
			identifier = (identifier + 1) & 255
			const request = requestPacket({
				code: 1,
				identifier,
				messageAuthenticator,
				attributes: [called, ...toServer, ...fragments, calling],
			})
			const [forwarded] = relay.fromWap(request)
			assertSignedFirst(forwarded!.bytes)
			assert.equal(others(forwarded!.bytes), others(request))
			const answer = answerPacket(forwarded!.bytes, {
				code: 11,
				messageAuthenticator,
				attributes: [...toClient, ...fragments],
			})
			const [left] = relay.fromHome(forwarded!, answer)
			assertAnswers(left!.bytes, request, wapSecret)
			const proxied = others(request).filter(([type]) => type === 33)
			assert.equal(others(left!.bytes), [...others(answer, 33), ...proxied])
			relay.pass(50)
		},
	)
	fc.assert(property, { numRuns: 200 })
	assertInvariants(relay)
})

test('any attributes of accounting pass through, untouched and in order', async () => {
	const relay = await simulatedRelay()
	let identifier = 0
	const property = fc.property(lists, all => {
		const list = all.filter(([type]) => type !== 18 && type !== 24 && type !== 40)
		identifier = (identifier + 1) & 255
		const request = accountingRequest('interim', { identifier, attributes: list })
		const [forwarded] = relay.fromWap(request)
		assert.equal(attributesOf(forwarded!.bytes).slice(0, -1), attributesOf(request))
		const [left] = relay.fromHome(forwarded!, answerPacket(forwarded!.bytes, { code: 5 }))
		assertAnswers(left!.bytes, request, wapSecret)
		relay.pass(50)
	})
	fc.assert(property, { numRuns: 100 })
})

test('Status-Server of a client is answered here, signed first, and goes nowhere', async () => {
	const relay = await simulatedRelay()
	for (const [to, code] of [
		[1812, 2],
		[1813, 5],
	] as const) {
		const status = requestPacket({ code: 12, identifier: 200 })
		const left = relay.fromWap(status, { to })
		assert.equal(
			left.map(each => each.code),
			[code],
		)
		const { bytes } = left[0]!
		assert.is(bytes[1], 200)
		assert.is(bytes[20], 80)
		assertAnswers(bytes, status, wapSecret)
		const verified = verifyResponseMessageAuthenticator(
			bytes.slice(),
			bytes.length,
			status,
			4,
			wapKey,
			22,
		)
		assert.ok(verified)
	}
	relay.pass(2000)
	assert.equal(relay.events(), [])
})

test.run()
