/** The Merkle tree against RFC 6962's definition, its known roots, and naive versions of the proofs. */
import fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { nodeHash } from '../adapters/journal/commitment.ts'
import { sha256 } from '../adapters/journal/sha256.ts'
import {
	consistencyProof,
	growBy,
	inclusionProof,
	isConsistent,
	isIncluded,
	leafHash,
	newFrontier,
	rootOf,
	splitOf,
} from '../domain/seal/merkle.ts'

/** The entries and roots that implementations of Certificate Transparency test themselves with. */
const entries = [
	'',
	'00',
	'10',
	'2021',
	'3031',
	'40414243',
	'5051525354555657',
	'606162636465666768696a6b6c6d6e6f',
].map(hex => Buffer.from(hex, 'hex'))
const roots = [
	'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
	'6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
	'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
	'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77',
	'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
	'4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4',
	'76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef',
	'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c',
	'5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328',
]
const leaves = entries.map(entry => leafHash(sha256, entry))

/** MTH of RFC 6962 §2.1, word for word. */
function naiveRoot(hashes: readonly Uint8Array[]): Uint8Array {
	if (hashes.length === 0) return sha256(new Uint8Array(0))
	if (hashes.length === 1) return hashes[0]!
	const k = splitOf(hashes.length)
	return nodeHash(naiveRoot(hashes.slice(0, k)), naiveRoot(hashes.slice(k)))
}

function grown(hashes: readonly Uint8Array[]) {
	const frontier = newFrontier()
	for (const leaf of hashes) growBy(frontier, leaf, 1, nodeHash)
	return frontier
}

function hex(octets: Uint8Array): string {
	return Buffer.from(octets).toString('hex')
}

function someLeaves(count: number): Uint8Array[] {
	return Array.from({ length: count }, (_, index) => leafHash(sha256, Buffer.from(`leaf ${index}`)))
}

test('the known roots', () => {
	for (const [size, root] of roots.entries()) {
		assert.is(hex(rootOf(grown(leaves.slice(0, size)), sha256, nodeHash)), root)
		assert.is(hex(naiveRoot(leaves.slice(0, size))), root)
	}
})

test('the known proofs of the first of eight leaves', () => {
	const subtree = (begin: number, end: number) => naiveRoot(leaves.slice(begin, end))
	assert.equal(inclusionProof(0, 1, subtree), [])
	assert.equal(inclusionProof(0, 8, subtree).map(hex), [
		'96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7',
		'5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e',
		'6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4',
	])
	assert.equal(consistencyProof(1, 8, subtree).map(hex), [
		'96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7',
		'5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e',
		'6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4',
	])
})

test('every inclusion proof of trees of up to 40 leaves holds, and for nothing else', () => {
	for (let size = 1; size <= 40; size++) {
		const hashes = someLeaves(size)
		const root = naiveRoot(hashes)
		const subtree = (begin: number, end: number) => naiveRoot(hashes.slice(begin, end))
		for (let index = 0; index < size; index++) {
			const proof = inclusionProof(index, size, subtree)
			assert.ok(isIncluded(hashes[index]!, index, size, proof, root, nodeHash))
			assert.not(isIncluded(hashes[index]!, index, size, [...proof, root], root, nodeHash))
			assert.not(isIncluded(hashes[index]!, size, size, proof, root, nodeHash))
			if (size === 1) continue
			assert.not(isIncluded(root, index, size, proof, hashes[0]!, nodeHash))
			assert.not(isIncluded(hashes[index]!, (index + 1) % size, size, proof, root, nodeHash))
			assert.not(isIncluded(hashes[index]!, index, size, proof.slice(1), root, nodeHash))
		}
	}
})

test('every consistency proof of trees of up to 40 leaves holds, and for nothing else', () => {
	const hashes = someLeaves(40)
	const rootAt = (size: number) => naiveRoot(hashes.slice(0, size))
	const subtree = (begin: number, end: number) => naiveRoot(hashes.slice(begin, end))
	for (let size = 1; size <= 40; size++) {
		for (let from = 1; from <= size; from++) {
			const first = { size: from, root: rootAt(from) }
			const second = { size, root: rootAt(size) }
			const proof = consistencyProof(from, size, subtree)
			assert.ok(isConsistent(first, second, proof, nodeHash), `${from} ${size}`)
			if (from === size) continue
			const other = { size: from, root: sha256(first.root) }
			assert.not(isConsistent(other, second, proof, nodeHash))
			assert.not(isConsistent(first, { size, root: sha256(second.root) }, proof, nodeHash))
			assert.not(isConsistent(first, second, proof.slice(1), nodeHash))
			assert.not(isConsistent(first, second, [...proof, first.root], nodeHash))
		}
	}
})

test('a tree grown by complete subtrees is the tree grown by leaves', () => {
	fc.assert(
		fc.property(fc.integer({ min: 0, max: 300 }), fc.constantFrom(1, 2, 4, 8, 16), (size, step) => {
			const hashes = someLeaves(size)
			const frontier = newFrontier()
			let at = 0
			for (; at + step <= size; at += step) {
				growBy(frontier, naiveRoot(hashes.slice(at, at + step)), step, nodeHash)
			}
			for (; at < size; at++) growBy(frontier, hashes[at]!, 1, nodeHash)
			assert.is(hex(rootOf(frontier, sha256, nodeHash)), hex(naiveRoot(hashes)))
		}),
		{ numRuns: 60 },
	)
})

test.run()
