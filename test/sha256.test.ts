/** SHA-256 called directly gives what Node gives. */
import { hash } from 'node:crypto'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { sha256 } from '../adapters/journal/sha256.ts'

test('texts of every length around the blocks of SHA-256, and longer ones than are called directly', () => {
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

test.run()
