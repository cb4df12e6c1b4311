import { createHash, createHmac } from 'node:crypto'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { createMd5Key, hmacMd5Into, md5Into } from '../domain/radius/md5.ts'

// Octets without a pattern that could hide a mistake; the same in every run.
const noise = new Uint8Array(8192)
for (let i = 0, x = 1; i < noise.length; i++) {
	x = (Math.imul(x, 1664525) + 1013904223) >>> 0
	noise[i] = x >>> 24
}

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')
const text = (value: string) => new TextEncoder().encode(value)

function md5(a: Uint8Array, b: Uint8Array = new Uint8Array(0)): string {
	const digest = new Uint8Array(16)
	md5Into(digest, 0, a, 0, a.length, b, 0, b.length)
	return hex(digest)
}

test('RFC 1321 §A.5: the test suite', () => {
	const suite = {
		'': 'd41d8cd98f00b204e9800998ecf8427e',
		a: '0cc175b9c0f1b6a831c399e269772661',
		abc: '900150983cd24fb0d6963f7d28e17f72',
		'message digest': 'f96b697d7cb7938d525a2f31aaf161d0',
		abcdefghijklmnopqrstuvwxyz: 'c3fcd3d76192e4007dfb496cca67e13b',
		ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789:
			'd174ab98d277d9f5a5611c2c9f419d9f',
		'12345678901234567890123456789012345678901234567890123456789012345678901234567890':
			'57edf4a22be3c955ac49da2e2107b67a',
	}
	for (const [input, digest] of Object.entries(suite)) assert.is(md5(text(input)), digest)
})

test('RFC 2104 §2 appendix: the HMAC test vectors', () => {
	const hmac = (secret: Uint8Array, data: Uint8Array) => {
		const digest = new Uint8Array(16)
		hmacMd5Into(digest, 0, createMd5Key(secret), data, 0, data.length)
		return hex(digest)
	}
	const jefe = hmac(text('Jefe'), text('what do ya want for nothing?'))
	assert.is(jefe, '750c783e6ab0b503eaa86e310a5db738')
	const repeated = (octet: number, length: number) => new Uint8Array(length).fill(octet)
	assert.is(hmac(repeated(0x0b, 16), text('Hi There')), '9294727a3638bb1c13f48ef8158bfc9d')
	assert.is(hmac(repeated(0xaa, 16), repeated(0xdd, 50)), '56be34521d144c88dbb8c733f0e8b3f6')
})

test('MD5 of every length from 0 to 300 octets is that of node:crypto', () => {
	for (let length = 0; length <= 300; length++) {
		const input = noise.subarray(7, 7 + length)
		assert.is(md5(input), createHash('md5').update(input).digest('hex'), `${length} octets`)
	}
})

test('MD5 of a followed by b is that of node:crypto, around every block boundary', () => {
	const lengths = [0, 1, 8, 16, 54, 55, 56, 57, 63, 64, 65, 118, 119, 120, 121, 127, 128, 129, 191]
	for (const aLength of lengths) {
		for (const bLength of lengths) {
			const a = noise.subarray(100, 100 + aLength)
			const b = noise.subarray(900, 900 + bLength)
			const expected = createHash('md5').update(a).update(b).digest('hex')
			assert.is(md5(a, b), expected, `${aLength} and ${bLength} octets`)
		}
	}
})

test('MD5 of the longest packets, and of inputs that fill every octet of the length', () => {
	for (const length of [4095, 4096, 4097, 8192, 70_000, 2 ** 21 + 5]) {
		const input = new Uint8Array(length).fill(0x5a)
		assert.is(md5(input), createHash('md5').update(input).digest('hex'), `${length} octets`)
	}
})

test('HMAC-MD5 of every length from 0 to 300 octets is that of node:crypto', () => {
	const secret = text('testing123')
	const key = createMd5Key(secret)
	const digest = new Uint8Array(16)
	for (let length = 0; length <= 300; length++) {
		hmacMd5Into(digest, 0, key, noise, 11, length)
		const input = noise.subarray(11, 11 + length)
		assert.is(hex(digest), createHmac('md5', secret).update(input).digest('hex'))
	}
})

test('HMAC-MD5 with secrets of every length from 0 to 130 octets', () => {
	const digest = new Uint8Array(16)
	for (let length = 0; length <= 130; length++) {
		const secret = noise.subarray(50, 50 + length)
		hmacMd5Into(digest, 0, createMd5Key(secret), noise, 0, 99)
		const expected = createHmac('md5', secret).update(noise.subarray(0, 99)).digest('hex')
		assert.is(hex(digest), expected, `a secret of ${length} octets`)
	}
})

test('offsets are kept: only the 16 octets of the target change', () => {
	const key = createMd5Key(text('secret'))
	const target = new Uint8Array(40).fill(0xee)
	md5Into(target, 12, noise, 3, 77, noise, 400, 5)
	const expected = createHash('md5')
		.update(noise.subarray(3, 80))
		.update(noise.subarray(400, 405))
		.digest()
	assert.equal(target.subarray(12, 28), new Uint8Array(expected))
	hmacMd5Into(target, 12, key, noise, 3, 77)
	assert.ok(target.subarray(0, 12).every(octet => octet === 0xee))
	assert.ok(target.subarray(28).every(octet => octet === 0xee))
})

test('the target may lie within what is digested', () => {
	const bytes = noise.slice(0, 100)
	const expected = createHash('md5').update(bytes).digest()
	md5Into(bytes, 4, bytes, 0, 100, bytes, 0, 0)
	assert.equal(bytes.subarray(4, 20), new Uint8Array(expected))
})

test('a key keeps its own copy of the secret', () => {
	const secret = text('secret')
	const key = createMd5Key(secret)
	secret.fill(0)
	assert.equal(key.secret, text('secret'))
})

test.run()
