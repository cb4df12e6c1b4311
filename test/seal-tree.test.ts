/** The tree by tiles is the tree of RFC 6962, however its leaves are handed over. */
import { hash } from 'node:crypto'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import {
	hashLeaf,
	leafOctets,
	leafOf,
	lineEnds,
	saltOctets,
} from '../adapters/journal/commitment.ts'
import {
	addLeaves,
	copyOf,
	frontierOf,
	newTree,
	sizeOf,
	tileLeaves,
} from '../adapters/journal/seal-tree.ts'
import { growBy, newFrontier } from '../domain/seal/merkle.ts'

const sha256 = (...parts: readonly Uint8Array[]) =>
	Uint8Array.from(hash('sha256', Buffer.concat(parts), 'buffer'))
const node = (left: Uint8Array, right: Uint8Array) => sha256(Uint8Array.of(1), left, right)
const count = 2 * tileLeaves + 77
const hashes = Array.from({ length: count }, (_, i) => sha256(Buffer.from(`leaf ${i}`)))
const leaves = Uint8Array.from(Buffer.concat(hashes))

test('in portions of any size it has the roots that single leaves give', () => {
	for (const portion of [1, 7, tileLeaves - 1, tileLeaves, tileLeaves + 1, count]) {
		const tree = newTree()
		const told: number[] = []
		for (let at = 0; at < count; at += portion) {
			addLeaves(tree, leaves, at, Math.min(count, at + portion), number => told.push(number))
		}
		const single = newFrontier()
		for (const leaf of hashes) growBy(single, leaf, 1, node)
		assert.is(sizeOf(tree), count)
		assert.equal(frontierOf(tree), single)
		assert.equal(told, [0, 1])
	}
})

test('a copy grows by itself', () => {
	const tree = newTree()
	addLeaves(tree, leaves, 0, 1000, () => {})
	const before = frontierOf(tree)
	const copy = copyOf(tree)
	addLeaves(copy, leaves, 1000, 1500, () => {})
	assert.equal(frontierOf(tree), before)
	assert.is(sizeOf(copy), 1500)
})

test('what was told of a tree stays what it is while that grows', () => {
	const tree = newTree()
	const single = newFrontier()
	// An odd number: the last root is a leaf itself.
	for (const leaf of hashes.slice(0, 1001)) growBy(single, leaf, 1, node)
	addLeaves(tree, leaves, 0, 1001, () => {})
	const told = frontierOf(tree)
	addLeaves(tree, leaves, 1001, count, () => {})
	addLeaves(tree, leaves, 0, count, () => {})
	assert.equal(told, single)
})

test('a position is written as its digits', () => {
	const salt = new Uint8Array(saltOctets)
	const powers = Array.from({ length: 15 }, (_, power) => 10 ** power)
	for (const position of [...powers, ...powers.map(power => 10 * power - 1), 2 ** 53 - 1]) {
		const wanted = sha256(Uint8Array.of(0), salt, Buffer.from(`{"position":${position},}`))
		assert.equal(leafOf(salt, position, Buffer.from('{}')), wanted, `${position}`)
	}
})

test('a leaf is the hash over 0x00, salt, position and the rest of the line', () => {
	const salt = Uint8Array.from({ length: saltOctets }, (_, i) => i + 1)
	for (const text of ['{"stream":"relay-default"}', `{"long":"${'x'.repeat(20_000)}"}`]) {
		const line = Buffer.from(text)
		const canonical = Buffer.from(`{"position":12345678901,${text.slice(1)}`)
		const wanted = sha256(Uint8Array.of(0), salt, canonical)
		assert.equal(leafOf(salt, 12_345_678_901, line), wanted)
		const out = new Uint8Array(3 * leafOctets)
		const salts = Buffer.concat([new Uint8Array(5), salt])
		const lines = Buffer.concat([Buffer.from('[\n'), line, Buffer.from('\n]')])
		hashLeaf(out, leafOctets, salts, 5, 12_345_678_901, lines, 2, 2 + line.length)
		assert.equal(out.subarray(leafOctets, 2 * leafOctets), wanted)
		assert.equal(out.subarray(0, leafOctets), new Uint8Array(leafOctets))
	}
})

test('lines are found in exactly the stored form, with nothing where no hash covers it', () => {
	const text = '[\n{"a":"é"},\n{}\n]'
	const octets = (stored: string) => Buffer.from(stored)
	assert.equal([...lineEnds(octets(text), 2)!], [2, 12, 14, 16])
	assert.equal([...lineEnds(octets('[\n{}\n]'), 1)!], [2, 4])
	for (const count of [0, 1, 3]) assert.is(lineEnds(octets(text), count), undefined, `${count}`)
	const wrong = [
		'',
		'[',
		text.slice(0, -1),
		`${text} `,
		` ${text}`,
		text.replace('[', ' '),
		text.replace('[\n', '[ '),
		text.replace('[\n', '[\n '),
		text.replace('[\n', '[\n\n'),
		text.replace('{"a"', ' "a"'),
		text.replace('"},', '"] ,'),
		text.replace('},', '}'),
		text.replace('},', '};'),
		text.replace('},', '}, '),
		text.replace('},', '} ,'),
		text.replace('{}\n', '{},\n'),
		text.replace('{}\n', '{} \n'),
		text.replace('{}\n', '{}'),
		text.replace('\n]', '\n}'),
		text.replace('\n]', '\n ]'),
		text.replace('\n]', '\n]\n'),
	]
	for (const stored of wrong) {
		assert.is(lineEnds(octets(stored), 2), undefined, JSON.stringify(stored))
	}
})

test.run()
