import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { chapResponse, verifyChapPassword } from '../domain/radius/chap.ts'
import {
	hideSalted,
	hideUserPassword,
	rehideSalted,
	rehideUserPassword,
	revealSalted,
	revealUserPassword,
} from '../domain/radius/hidden.ts'
import { createMd5Key, type Md5Key } from '../domain/radius/md5.ts'

fc.configureGlobal({ seed: 20250603 })

const text = (value: string) => new TextEncoder().encode(value)
const authenticator = (seed: number) => Uint8Array.from({ length: 16 }, (_, i) => seed + i * 5)

/** RFC 2865 §5.2 and RFC 2868 §3.5 with node:crypto: what hides `padded` behind `chain`. */
function referenceHide(padded: Uint8Array, secret: Uint8Array, chain: Uint8Array): Uint8Array {
	const blocks: Uint8Array[] = []
	let previous = chain
	for (let at = 0; at < padded.length; at += 16) {
		const stream = createHash('md5').update(secret).update(previous).digest()
		previous = padded.slice(at, at + 16).map((octet, i) => octet ^ stream[i]!)
		blocks.push(previous)
	}
	return Uint8Array.from(Buffer.concat(blocks))
}

function padded(value: Uint8Array): Uint8Array {
	const bytes = new Uint8Array(Math.max(16, Math.ceil(value.length / 16) * 16))
	bytes.set(value)
	return bytes
}

const octets16 = fc.uint8Array({ minLength: 16, maxLength: 16 })
const secrets = fc.uint8Array({ minLength: 1, maxLength: 40 })
const passwords = fc
	.uint8Array({ maxLength: 128 })
	// Padding is zeros: a password cannot end in one.
	.filter(password => password.length === 0 || password[password.length - 1] !== 0)
const values = fc.uint8Array({ maxLength: 239 })
const salts = fc.integer({ min: 0x8000, max: 0xffff })

test('a hidden User-Password is that of node:crypto, and is revealed again', () => {
	const property = fc.property(passwords, secrets, octets16, (password, secret, request) => {
		const key = createMd5Key(secret)
		const hidden = hideUserPassword(password, key, request)
		assert.equal(hidden, referenceHide(padded(password), secret, request))
		assert.equal(revealUserPassword(hidden, key, request), password)
	})
	fc.assert(property, { numRuns: 300 })
})

test('a hidden User-Password has 16 to 128 octets', () => {
	const key = createMd5Key(text('secret'))
	assert.is(hideUserPassword(text(''), key, authenticator(1)).length, 16)
	assert.is(hideUserPassword(new Uint8Array(16), key, authenticator(1)).length, 16)
	assert.is(hideUserPassword(new Uint8Array(17), key, authenticator(1)).length, 32)
	assert.throws(() => hideUserPassword(new Uint8Array(129), key, authenticator(1)), /128/)
	for (const length of [0, 1, 15, 17, 130, 144]) {
		assert.is(revealUserPassword(new Uint8Array(length), key, authenticator(1)), undefined)
	}
})

test('a User-Password changes hands in place', () => {
	const property = fc.property(
		fc.tuple(passwords, secrets, octets16, secrets, octets16),
		([password, fromSecret, from, toSecret, to]) => {
			const fromKey = createMd5Key(fromSecret)
			const toKey = createMd5Key(toSecret)
			const hidden = hideUserPassword(password, fromKey, from)
			const bytes = new Uint8Array(hidden.length + 10).fill(0xaa)
			bytes.set(hidden, 5)
			assert.ok(rehideUserPassword(bytes, 5, hidden.length, fromKey, from, 0, toKey, to, 0))
			const rehidden = bytes.slice(5, 5 + hidden.length)
			assert.equal(rehidden, hideUserPassword(password, toKey, to))
			assert.ok(bytes.slice(0, 5).every(octet => octet === 0xaa))
			assert.ok(bytes.slice(5 + hidden.length).every(octet => octet === 0xaa))
		},
	)
	fc.assert(property, { numRuns: 300 })
})

test('both authenticators may lie in packets, at their offsets', () => {
	const [fromKey, toKey] = [createMd5Key(text('one')), createMd5Key(text('two'))]
	const request = new Uint8Array(60)
	request.set(authenticator(3), 4)
	const forwarded = new Uint8Array(60)
	forwarded.set(authenticator(77), 4)
	forwarded.set(hideUserPassword(text('correct horse battery'), fromKey, request, 4), 22)
	assert.ok(rehideUserPassword(forwarded, 22, 32, fromKey, request, 4, toKey, forwarded, 4))
	const clear = revealUserPassword(forwarded.slice(22, 54), toKey, forwarded, 4)
	assert.equal(clear, text('correct horse battery'))
})

test('a User-Password of a length that cannot be stays as it is', () => {
	const key = createMd5Key(text('secret'))
	const bytes = authenticator(9)
	for (const length of [-2, 0, 1, 15, 17, 129, 144]) {
		assert.not(rehideUserPassword(bytes, 0, length, key, bytes, 0, key, zeros, 0))
	}
	assert.equal(bytes, authenticator(9))
})

const zeros = new Uint8Array(16)

test('a salted value is that of node:crypto, and is revealed again', () => {
	const property = fc.property(values, secrets, octets16, salts, (value, secret, request, salt) => {
		const key = createMd5Key(secret)
		const hidden = hideSalted(value, key, request, salt)
		const clear = padded(Uint8Array.of(value.length, ...value))
		const chain = Uint8Array.of(...request, salt >> 8, salt & 255)
		assert.equal(hidden, Uint8Array.of(...chain.slice(16), ...referenceHide(clear, secret, chain)))
		assert.equal(revealSalted(hidden, key, request), value)
	})
	fc.assert(property, { numRuns: 300 })
})

test('a salted value changes hands in place, under a new salt', () => {
	const property = fc.property(
		fc.tuple(values, secrets, octets16, secrets, octets16, salts),
		([value, fromSecret, from, toSecret, to, salt]) => {
			const fromKey = createMd5Key(fromSecret)
			const toKey = createMd5Key(toSecret)
			const hidden = hideSalted(value, fromKey, from, 0x8001)
			const bytes = new Uint8Array(hidden.length + 10).fill(0xaa)
			bytes.set(hidden, 5)
			assert.ok(rehideSalted(bytes, 5, hidden.length, fromKey, from, 0, toKey, to, 0, salt))
			const rehidden = bytes.slice(5, 5 + hidden.length)
			assert.equal(rehidden, hideSalted(value, toKey, to, salt))
			assert.ok(bytes.slice(0, 5).every(octet => octet === 0xaa))
			assert.ok(bytes.slice(5 + hidden.length).every(octet => octet === 0xaa))
		},
	)
	fc.assert(property, { numRuns: 300 })
})

test('the top bit of a salt is always set (RFC 2868 §3.5)', () => {
	const key = createMd5Key(text('secret'))
	const hidden = hideSalted(text('tunnel'), key, zeros, 0x0123)
	assert.is(hidden[0], 0x81)
	assert.ok(rehideSalted(hidden, 0, hidden.length, key, zeros, 0, key, authenticator(1), 0, 0x7fff))
	assert.equal([...hidden.slice(0, 2)], [0xff, 0xff])
	assert.equal(revealSalted(hidden, key, authenticator(1)), text('tunnel'))
})

test('padding behind a salted value goes along', () => {
	const [fromKey, toKey] = [createMd5Key(text('one')), createMd5Key(text('two'))]
	const clear = Uint8Array.of(3, 65, 66, 67, ...new Array(12).fill(0x5a), ...new Array(16).fill(1))
	const chain = Uint8Array.of(...authenticator(1), 0x80, 1)
	const bytes = Uint8Array.of(0x80, 1, ...referenceHide(clear, text('one'), chain))
	const length = bytes.length
	assert.ok(rehideSalted(bytes, 0, length, fromKey, authenticator(1), 0, toKey, zeros, 0, 0x9000))
	const expected = referenceHide(clear, text('two'), Uint8Array.of(...zeros, 0x90, 0))
	assert.equal(bytes.slice(2), expected)
	assert.equal(revealSalted(bytes, toKey, zeros), text('ABC'))
})

test('a salted value of lengths that cannot be stays as it is', () => {
	const key = createMd5Key(text('secret'))
	const rehide = (bytes: Uint8Array, length: number, from: Md5Key = key) =>
		rehideSalted(bytes, 0, length, from, zeros, 0, key, authenticator(1), 0, 0x8000)
	const hidden = hideSalted(text('tunnel'), key, zeros, 0x8000)
	const before = hidden.slice()
	for (const length of [-1, 0, 1, 3, 16, 17, 19]) assert.not(rehide(hidden, length))
	assert.equal(hidden, before)

	// The length inside says more than there is.
	const chain = Uint8Array.of(...zeros, 0x80, 0)
	for (const [inside, fits] of [
		[15, true],
		[16, false],
		[255, false],
	] as const) {
		const clear = Uint8Array.of(inside, ...new Array(15).fill(1))
		const bytes = Uint8Array.of(0x80, 0, ...referenceHide(clear, text('secret'), chain))
		const unchanged = bytes.slice()
		assert.is(rehide(bytes, 18), fits)
		if (!fits) assert.equal(bytes, unchanged)
		if (!fits) assert.is(revealSalted(unchanged, key, zeros), undefined)
	}
})

test('a salt that hides nothing gets its new salt', () => {
	// RFC 2868 §3.5 allows Tunnel-Password a length of 5: tag and salt, and an empty string.
	const key = createMd5Key(text('secret'))
	const bytes = Uint8Array.of(0x80, 1, 7)
	assert.ok(rehideSalted(bytes, 0, 2, key, zeros, 0, key, zeros, 0, 0xabcd))
	assert.equal([...bytes], [0xab, 0xcd, 7])
})

test('a value of 239 octets is the longest that an attribute can hide', () => {
	const key = createMd5Key(text('secret'))
	assert.is(hideSalted(new Uint8Array(239), key, zeros, 0x8000).length, 242)
	assert.throws(() => hideSalted(new Uint8Array(240), key, zeros, 0x8000), /239/)
})

test('CHAP (RFC 2865 §5.3)', () => {
	const challenge = authenticator(4)
	const response = chapResponse(22, text('arctangent'), challenge)
	const expected = createHash('md5')
		.update(Uint8Array.of(22))
		.update('arctangent')
		.update(challenge)
	assert.equal(response, new Uint8Array(expected.digest()))
	const value = Uint8Array.of(22, ...response)
	assert.ok(verifyChapPassword(value, text('arctangent'), challenge))
	assert.not(verifyChapPassword(value, text('arctangenT'), challenge))
	assert.not(verifyChapPassword(value, text('arctangent'), authenticator(5)))
	assert.not(verifyChapPassword(Uint8Array.of(23, ...response), text('arctangent'), challenge))
	assert.not(verifyChapPassword(response, text('arctangent'), challenge))
})

test.run()
