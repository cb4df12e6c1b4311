/** SHA-256 called directly gives what Node gives. */
import { hash } from 'node:crypto'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { openHasher, openViaNode, sha256 } from '../adapters/journal/sha256.ts'

test('texts of every length around the blocks of SHA-256, and longer ones than there is room for at first', () => {
	for (const length of [0, 1, 55, 56, 63, 64, 65, 119, 250, 8191, 8192, 8193, 100_000]) {
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

test.run()
