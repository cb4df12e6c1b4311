/** Proofs as files: what they prove without the journal, and that nothing else passes for them. */
import { rmSync } from 'node:fs'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { nodeHash } from '../adapters/journal/commitment.ts'
import { openReader } from '../adapters/journal/reader.ts'
import { isSignedBy } from '../adapters/journal/seal-key.ts'
import { checkpointOf, openSealToRead, verifierKeyIn } from '../adapters/journal/seal-store.ts'
import { sha256 } from '../adapters/journal/sha256.ts'
import { parseVerifierKey } from '../domain/seal/note.ts'
import { checkProof, parseProof, proofText } from '../domain/seal/proof.ts'
import { proofFrom } from '../src/prove.ts'
import { numberedEvents } from './journal-events.ts'
import { record, seal, temporaryFolder } from './sealed-folder.ts'

const folder = temporaryFolder()
const other = temporaryFolder()
test.before(() => {
	record(folder, numberedEvents(0, 2300), false)
	// Within a tile, at its end, between tiles and at a single leaf behind one.
	for (const size of [1, 700, 1024, 2048, 2049, 2200]) seal(folder, size)
	record(other, numberedEvents(0, 2300), false)
	seal(other, 2200)
})
test.after(() => {
	for (const one of [folder, other]) rmSync(one, { recursive: true, force: true })
})

function kept(from: string, size: number) {
	const reader = openReader(from)
	const db = openSealToRead(from, reader.id)!
	reader.close()
	const { note } = checkpointOf(db, size)!
	const key = parseVerifierKey(sha256, verifierKeyIn(db)!)!
	db.close()
	return { kept: note, key, sha256, node: nodeHash, verify: isSignedBy }
}

/** What a file proves, as text goes from one to the other. */
function checked(text: string, checking: ReturnType<typeof kept>) {
	const proof = parseProof(text)
	return proof === undefined ? { fault: 'no proof' } : checkProof(proof, checking)
}

test('an event is proven under every checkpoint that has it', () => {
	for (const size of [1, 700, 1024, 2048, 2049, 2200]) {
		const checking = kept(folder, size)
		for (const position of [1, 2, 699, 700, 701, 1024, 1025, 2048, 2049, 2200]) {
			if (position > size) {
				assert.throws(
					() => proofFrom(folder, { position, to: size }),
					/is not under the checkpoint/,
				)
				continue
			}
			const text = proofText(proofFrom(folder, { position, to: size }))
			const result = checked(text, checking)
			assert.ok('proven' in result, `${position} of ${size}: ${JSON.stringify(result)}`)
			assert.match(text, new RegExp(`\nevent {"position":${position},"stream":"subscriber-`))
		}
	}
})

test('a changed proof proves nothing', () => {
	const checking = kept(folder, 2200)
	const text = proofText(proofFrom(folder, { position: 1500, to: undefined }))
	assert.ok('proven' in checked(text, checking))
	const lines = text.split('\n')
	for (const changed of [
		text.replace('"at":1', '"at":2'),
		text.replace('leaf-index 1499', 'leaf-index 1498'),
		text
			.replace('leaf-index 1499', 'leaf-index 1498')
			.replace('"position":1500', '"position":1499'),
		text.replace('"position":1500', '"position":1501'),
		text.replace(/salt ../, 'salt 00'),
		text.replace(/hash ....../, 'hash AAAAAA'),
		text.replace('tree-size 2200', 'tree-size 2049'),
		[...lines.slice(0, 6), ...lines.slice(7)].join('\n'),
		text.replace('inclusion', 'consistency'),
		text.replace('\n\n', '\n'),
		'',
	]) {
		assert.ok('fault' in checked(changed, checking), changed.slice(0, 200))
	}
	assert.match(JSON.stringify(checked(text, kept(folder, 2049))), /prove --checkpoint makes one/)
	assert.match(JSON.stringify(checked(text, kept(other, 2200))), /is not in the tree/)
	const forged = { ...checking, kept: checking.kept.replace('2200', '2201') }
	assert.match(JSON.stringify(checked(text, forged)), /not to be trusted/)
	const foreign = { ...checking, key: kept(other, 2200).key }
	assert.match(JSON.stringify(checked(text, foreign)), /not to be trusted/)
})

test('a newer checkpoint is proven to add to an older one, and to no other', () => {
	const sizes = [1, 700, 1024, 2048, 2049, 2200]
	for (const from of sizes) {
		for (const to of sizes.filter(size => size >= from)) {
			const text = proofText(proofFrom(folder, { from, to }))
			const result = checked(text, kept(folder, from))
			assert.ok('proven' in result, `${from} to ${to}: ${JSON.stringify(result)}`)
			if (from === to) continue
			assert.ok('fault' in checked(text.replace(/hash ..../, 'hash AAAA'), kept(folder, from)))
		}
	}
	const text = proofText(proofFrom(folder, { from: 700, to: 2200 }))
	assert.match(JSON.stringify(checked(text, kept(folder, 1024))), /between other checkpoints/)
	assert.throws(() => proofFrom(folder, { from: 2200, to: 700 }), /is not older/)
	assert.throws(() => proofFrom(folder, { from: 700, to: 701 }), /no checkpoint of 701/)
})

test('there is nothing to prove where nothing is', () => {
	assert.throws(() => proofFrom(folder, { position: 9999, to: undefined }), /no event at position/)
	const empty = temporaryFolder()
	record(empty, numberedEvents(0, 3), false)
	assert.throws(() => proofFrom(empty, { position: 1, to: undefined }), /Nothing has been signed/)
	rmSync(empty, { recursive: true })
})

test.run()
