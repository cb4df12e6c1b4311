import { createHash, createHmac } from 'node:crypto'
import fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import {
	signAccessRequest,
	signAccountingRequest,
	signResponse,
	verifyAccountingRequest,
	verifyMessageAuthenticator,
	verifyResponse,
	verifyResponseMessageAuthenticator,
} from '../domain/radius/authenticator.ts'
import { createMd5Key } from '../domain/radius/md5.ts'
import { codes } from '../domain/radius/packet.ts'

fc.configureGlobal({ seed: 20250602 })

const zeros = new Uint8Array(16)
/** Where Message-Authenticator's value is in the packets of this file: it is the first attribute. */
const signatureAt = 22

/** An unsigned packet of that code: Message-Authenticator, then Class with `body`. */
function unsigned(code: number, authenticator: Uint8Array, body: Uint8Array): Uint8Array {
	const length = 38 + 2 + body.length
	const bytes = new Uint8Array(length)
	bytes.set([code, 42, length >> 8, length & 255])
	bytes.set(authenticator, 4)
	bytes.set([80, 18], 20)
	bytes.set([25, 2 + body.length], 38)
	bytes.set(body, 40)
	return bytes
}

/** A copy of a packet with another 16 octets somewhere. */
function withOctets(bytes: Uint8Array, at: number, octets: Uint8Array): Uint8Array {
	const copy = bytes.slice()
	copy.set(octets, at)
	return copy
}

function md5(...parts: Uint8Array[]): Uint8Array {
	const hash = createHash('md5')
	for (const part of parts) hash.update(part)
	return new Uint8Array(hash.digest())
}

/** HMAC-MD5 with Message-Authenticator zero and `authenticator` in the header. */
function referenceSignature(bytes: Uint8Array, secret: Uint8Array, authenticator: Uint8Array) {
	const input = withOctets(withOctets(bytes, signatureAt, zeros), 4, authenticator)
	return new Uint8Array(createHmac('md5', secret).update(input).digest())
}

const octets16 = fc.uint8Array({ minLength: 16, maxLength: 16 })
const secrets = fc.uint8Array({ minLength: 1, maxLength: 32 })
const bodies = fc.uint8Array({ maxLength: 200 })

/** Every packet that differs from a valid one in a single bit must be refused. */
function refusesEveryFlip(bytes: Uint8Array, verify: (bytes: Uint8Array) => boolean): void {
	assert.ok(verify(bytes))
	for (let bit = 0; bit < bytes.length * 8; bit++) {
		const flipped = bytes.slice()
		flipped[bit >> 3]! ^= 1 << (bit & 7)
		const before = flipped.slice()
		assert.not(verify(flipped), `bit ${bit} was flipped`)
		assert.equal(flipped, before, 'verifying must not change the packet')
	}
}

test('responses are signed as node:crypto does it, and verify', () => {
	const property = fc.property(octets16, secrets, bodies, (request, secret, body) => {
		const key = createMd5Key(secret)
		const bytes = unsigned(codes.accessAccept, zeros, body)
		signResponse(bytes, bytes.length, request, 0, key, signatureAt)
		assert.equal(
			bytes.slice(signatureAt, signatureAt + 16),
			referenceSignature(bytes, secret, request),
		)
		assert.equal(bytes.slice(4, 20), md5(withOctets(bytes, 4, request), secret))
		const signed = bytes.slice()
		assert.ok(verifyResponse(bytes, bytes.length, request, 0, key))
		assert.ok(verifyResponseMessageAuthenticator(bytes, bytes.length, request, 0, key, signatureAt))
		assert.equal(bytes, signed)
	})
	fc.assert(property, { numRuns: 300 })
})

test('a response without Message-Authenticator gets its authenticator alone', () => {
	const request = Uint8Array.from({ length: 16 }, (_, i) => i)
	const bytes = Uint8Array.of(5, 9, 0, 20, ...zeros)
	signResponse(bytes, 20, request, 0, createMd5Key(Uint8Array.of(1, 2, 3)))
	const expected = md5(Uint8Array.of(5, 9, 0, 20), request, Uint8Array.of(1, 2, 3))
	assert.equal(bytes.slice(4), expected)
})

test("the request's authenticator is read at its offset, and padding does not count", () => {
	const key = createMd5Key(Uint8Array.of(7))
	const request = new Uint8Array(100).fill(3)
	request.fill(9, 4, 20)
	const buffer = new Uint8Array(300).fill(0xcc)
	const bytes = unsigned(codes.accessReject, zeros, Uint8Array.of(1))
	buffer.set(bytes)
	signResponse(buffer, bytes.length, request, 4, key, signatureAt)
	assert.ok(buffer.subarray(bytes.length).every(octet => octet === 0xcc))
	const exact = buffer.slice(0, bytes.length)
	assert.ok(verifyResponse(exact, exact.length, new Uint8Array(16).fill(9), 0, key))
	assert.ok(verifyResponse(buffer, exact.length, request, 4, key))
	assert.not(verifyResponse(buffer, exact.length, request, 3, key))
})

test('a response with one bit flipped anywhere is refused', () => {
	const key = createMd5Key(Uint8Array.of(1, 2, 3, 4))
	const request = Uint8Array.from({ length: 16 }, (_, i) => 200 + i)
	const bytes = unsigned(codes.accessChallenge, zeros, Uint8Array.of(1, 2, 3))
	signResponse(bytes, bytes.length, request, 0, key, signatureAt)
	refusesEveryFlip(bytes, b => verifyResponse(b, b.length, request, 0, key))
})

test('Message-Authenticator of a response covers all but the Response Authenticator', () => {
	const key = createMd5Key(Uint8Array.of(1, 2, 3, 4))
	const request = Uint8Array.from({ length: 16 }, (_, i) => 100 + i)
	const bytes = unsigned(codes.accessAccept, zeros, Uint8Array.of(5, 6))
	signResponse(bytes, bytes.length, request, 0, key, signatureAt)
	const verify = (b: Uint8Array) =>
		verifyResponseMessageAuthenticator(b, b.length, request, 0, key, signatureAt)
	assert.ok(verify(withOctets(bytes, 4, zeros)))
	for (let at = 0; at < bytes.length; at++) {
		if (at >= 4 && at < 20) continue
		const flipped = bytes.slice()
		flipped[at]! ^= 0x10
		assert.not(verify(flipped), `octet ${at}`)
	}
})

for (const code of [codes.accountingRequest, codes.disconnectRequest, codes.coaRequest]) {
	test(`requests of code ${code} are signed over zeros`, () => {
		const property = fc.property(octets16, secrets, bodies, (noise, secret, body) => {
			const key = createMd5Key(secret)
			const bytes = unsigned(code, noise, body)
			bytes.set(noise, signatureAt)
			signAccountingRequest(bytes, bytes.length, key, signatureAt)
			assert.equal(
				bytes.slice(signatureAt, signatureAt + 16),
				referenceSignature(bytes, secret, zeros),
			)
			assert.equal(bytes.slice(4, 20), md5(withOctets(bytes, 4, zeros), secret))
			const signed = bytes.slice()
			assert.ok(verifyAccountingRequest(bytes, bytes.length, key))
			assert.ok(verifyMessageAuthenticator(bytes, bytes.length, key, signatureAt))
			assert.equal(bytes, signed)
		})
		fc.assert(property, { numRuns: 100 })
	})
}

test('an Accounting-Request with one bit flipped anywhere is refused', () => {
	const key = createMd5Key(Uint8Array.of(9, 8, 7))
	const bytes = unsigned(codes.accountingRequest, zeros, Uint8Array.of(1, 2, 3))
	signAccountingRequest(bytes, bytes.length, key)
	refusesEveryFlip(bytes, b => verifyAccountingRequest(b, b.length, key))
})

for (const code of [codes.accessRequest, codes.statusServer]) {
	test(`requests of code ${code} are signed with their own authenticator`, () => {
		const property = fc.property(octets16, secrets, bodies, (authenticator, secret, body) => {
			const key = createMd5Key(secret)
			const bytes = unsigned(code, authenticator, body)
			bytes.set(authenticator, signatureAt)
			signAccessRequest(bytes, bytes.length, key, signatureAt)
			const expected = referenceSignature(bytes, secret, authenticator)
			assert.equal(bytes.slice(signatureAt, signatureAt + 16), expected)
			assert.equal(bytes.slice(4, 20), authenticator)
			const signed = bytes.slice()
			assert.ok(verifyMessageAuthenticator(bytes, bytes.length, key, signatureAt))
			assert.equal(bytes, signed)
		})
		fc.assert(property, { numRuns: 100 })
	})
}

test('an Access-Request with one bit flipped anywhere is refused', () => {
	const key = createMd5Key(Uint8Array.of(9, 8, 7))
	const authenticator = Uint8Array.from({ length: 16 }, (_, i) => 30 + i)
	const bytes = unsigned(codes.accessRequest, authenticator, Uint8Array.of(1, 2, 3))
	signAccessRequest(bytes, bytes.length, key, signatureAt)
	refusesEveryFlip(bytes, b => verifyMessageAuthenticator(b, b.length, key, signatureAt))
})

test('Message-Authenticator of an Accounting-Response may rest on zeros, as FreeRADIUS has it', () => {
	const secret = Uint8Array.of(1, 2, 3)
	const key = createMd5Key(secret)
	const request = Uint8Array.from({ length: 16 }, (_, i) => 60 + i)
	const verify = (code: number, authenticator: Uint8Array) => {
		const bytes = unsigned(code, zeros, Uint8Array.of(1))
		bytes.set(referenceSignature(bytes, secret, authenticator), signatureAt)
		return verifyResponseMessageAuthenticator(bytes, bytes.length, request, 0, key, signatureAt)
	}
	assert.ok(verify(codes.accountingResponse, request))
	assert.ok(verify(codes.accountingResponse, zeros))
	assert.not(verify(codes.accountingResponse, new Uint8Array(16).fill(1)))
	assert.not(verify(codes.accessAccept, zeros))
	assert.not(verify(codes.disconnectAck, zeros))
})

test('another secret is refused', () => {
	const key = createMd5Key(Uint8Array.of(1, 2, 3))
	const other = createMd5Key(Uint8Array.of(1, 2, 4))
	const request = unsigned(codes.accessRequest, zeros, Uint8Array.of(1))
	signAccessRequest(request, request.length, key, signatureAt)
	assert.not(verifyMessageAuthenticator(request, request.length, other, signatureAt))
	const accounting = unsigned(codes.accountingRequest, zeros, Uint8Array.of(1))
	signAccountingRequest(accounting, accounting.length, key)
	assert.not(verifyAccountingRequest(accounting, accounting.length, other))
	const response = unsigned(codes.accessAccept, zeros, Uint8Array.of(1))
	signResponse(response, response.length, zeros, 0, key, signatureAt)
	assert.not(verifyResponse(response, response.length, zeros, 0, other))
})

test('a Message-Authenticator that is not wholly among the attributes is refused', () => {
	const key = createMd5Key(Uint8Array.of(1))
	const bytes = unsigned(codes.accessRequest, zeros, new Uint8Array(0))
	const length = bytes.length
	const before = bytes.slice()
	for (const at of [-1, 0, 4, 19, length - 15, length, 5000]) {
		assert.not(verifyMessageAuthenticator(bytes, length, key, at))
	}
	assert.equal(bytes, before)
	// Not even when the octets there are what the signature would be.
	for (const at of [4, length]) {
		const buffer = new Uint8Array(100)
		buffer.set(bytes)
		signAccessRequest(buffer, length, key, at)
		assert.not(verifyMessageAuthenticator(buffer, length, key, at))
	}
})

test.run()
