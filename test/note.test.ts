/** Signed notes and checkpoints, with notes that others have signed. */
import { generateKeyPairSync, sign } from 'node:crypto'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { isSignedBy } from '../adapters/journal/seal-key.ts'
import { sha256 } from '../adapters/journal/sha256.ts'
import { checkpointText, parseCheckpoint } from '../domain/seal/checkpoint.ts'
import {
	keyId,
	openNote,
	parseVerifierKey,
	signedNote,
	type VerifierKey,
	verifierKeyText,
} from '../domain/seal/note.ts'
import { fromBase64, utf8 } from '../domain/seal/octets.ts'

/** Signed by Go's note package and by an independent implementation. */
const known = [
	{
		key: 'PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW',
		note:
			'If you think cryptography is the answer to your problem,\n' +
			"then you don't know what your problem is.\n\n" +
			'— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n',
	},
	{
		key: 'example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k',
		note:
			'This is an example message.\n\n' +
			'— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n',
	},
]

function keyFrom(text: string): VerifierKey {
	const key = parseVerifierKey(sha256, text)
	assert.ok(key, text)
	return key!
}

test('notes that others have signed', () => {
	for (const { key, note } of known) {
		const verifier = keyFrom(key)
		assert.is(verifierKeyText(verifier), key)
		const opened = openNote(note, verifier, isSignedBy)
		assert.ok('text' in opened && note.startsWith(`${opened.text}\n—`))
		for (const other of [
			note.replace('e', 'a'),
			note.replace('\n\n', '\n'),
			note.slice(0, -1),
			note.replace(/[A-Za-z]=\n$/, 'AA=\n'),
			note.replaceAll(verifier.name, 'somebody'),
			note.replace('\n', '\r\n'),
		]) {
			assert.ok('fault' in openNote(other, verifier, isSignedBy), JSON.stringify(other))
		}
	}
})

test('a key whose id does not follow from it is none', () => {
	const [, id, octets] = known[0]!.key.split('+')
	for (const text of [
		`Peter Neumann+${id}+${octets}`,
		`PeterNeumann+00000000+${octets}`,
		`Other+${id}+${octets}`,
		`PeterNeumann+${id}+${octets!.slice(4)}`,
		'',
	]) {
		assert.is(parseVerifierKey(sha256, text), undefined, text)
	}
})

test('signatures of unknown keys are ignored, and a wrong one of the known key is not', () => {
	const { privateKey, publicKey } = generateKeyPairSync('ed25519')
	const raw = new Uint8Array(publicKey.export({ format: 'der', type: 'spki' }).subarray(12))
	const name = 'radledger/test'
	const key = { name, id: keyId(sha256, name, raw), key: raw }
	const text = 'radledger/test\n1\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n'
	const note = signedNote(text, key, sign(null, utf8(text), privateKey))
	assert.equal(openNote(note, key, isSignedBy), { text })
	const foreign = '— witness.example/a AAAAAAECAwQF\n'
	assert.equal(openNote(note + foreign, key, isSignedBy), { text })
	const wrong = signedNote(text, key, new Uint8Array(64)).slice(text.length + 1)
	assert.ok('fault' in openNote(note + wrong, key, isSignedBy))
	assert.ok('fault' in openNote(`${text}\n${foreign}`, key, isSignedBy))
})

test('checkpoints', () => {
	const root = fromBase64('CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=')!
	const text =
		'example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n'
	const checkpoint = { origin: 'example.com/behind-the-sofa', size: 20852163, root }
	assert.equal(parseCheckpoint(text), checkpoint)
	assert.is(checkpointText(checkpoint), text)
	assert.equal(parseCheckpoint(`${text}an extension\n`), checkpoint)
	for (const other of [
		text.slice(0, -1),
		`${text}\n`,
		text.replace('2085', '02085'),
		text.replace('2085', '-2085'),
		text.replace('q2I=', 'q2I'),
		text.replace('CsUY', 'CsU'),
		text.replace('20852163', '99999999999999999'),
		'',
	]) {
		assert.is(parseCheckpoint(other), undefined, JSON.stringify(other))
	}
})

test.run()
