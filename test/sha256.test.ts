/** SHA-256 called directly gives what Node gives. */
import { hash } from 'node:crypto'
import { createRequire } from 'node:module'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { openHasher, openViaNode, sha256 } from '../adapters/journal/sha256.ts'

const lengths = [
	...[0, 1, 55, 56, 63, 64, 65, 119, 250, 8191, 8192, 8193],
	// Where there is room for the text, and not for what follows it.
	...[8183, 8184, 8247, 8248, 8249, 8255, 8256, 8311, 8312, 8319, 8320, 100_000],
]

test('texts of every length around the blocks of SHA-256, and longer ones than there is room for at first', () => {
	for (const length of lengths) {
		const octets = Uint8Array.from({ length }, (_, i) => (i * 31) & 255)
		assert.is(
			Buffer.from(sha256(octets)).toString('hex'),
			hash('sha256', octets, 'hex'),
			`${length}`,
		)
	}
})

test('a result stays what it is while others are made', () => {
	const first = sha256(Uint8Array.of(1))
	sha256(Uint8Array.of(2))
	assert.is(Buffer.from(first).toString('hex'), hash('sha256', Uint8Array.of(1), 'hex'))
})

test('both ways give the same, wherever the hash is written to', () => {
	for (const hasher of [openHasher(), openViaNode()]) {
		for (const length of [0, 55, 56, 64, 300, 9000]) {
			const octets = Uint8Array.from({ length }, (_, i) => (i * 7) & 255)
			const out = new Uint8Array(40).fill(9)
			hasher.room(length).set(octets)
			hasher.hash(length, out, 5)
			const wanted = hash('sha256', octets, 'hex')
			assert.is(Buffer.from(out).toString('hex'), `0909090909${wanted}090909`)
		}
	}
})

test('each text by itself in memory of its own size', () => {
	for (const open of [openHasher, openViaNode]) {
		for (const length of lengths) {
			const octets = Uint8Array.from({ length }, (_, i) => (i * 13) & 255)
			const out = new Uint8Array(32)
			const hasher = open()
			hasher.room(length).set(octets)
			hasher.hash(length, out, 0)
			assert.is(Buffer.from(out).toString('hex'), hash('sha256', octets, 'hex'), `${length}`)
		}
	}
})

test("OpenSSL's own function is used where it can be had", () => {
	try {
		const { load } = createRequire(import.meta.url)('koffi') as typeof import('koffi').default
		load(null).func('sha256_block_data_order', 'void', ['size_t', 'size_t', 'size_t'])
	} catch (error) {
		console.log(`left out: OpenSSL's function cannot be had here: ${(error as Error).message}`)
		return
	}
	assert.is.not(openHasher, openViaNode)
})

test('what is no length is refused before native code sees it', () => {
	for (const hasher of [openHasher(), openViaNode()]) {
		hasher.room(10)
		for (const length of [Number.NaN, -1, 0.5, 1_000_000]) {
			assert.throws(() => hasher.hash(length, new Uint8Array(32), 0), /RangeError|length/)
		}
	}
})

test.run()
