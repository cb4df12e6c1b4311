/**
 * The key that signs checkpoints: Ed25519, in a file of one line as Go's note package writes it,
 * `PRIVATE+KEY+name+id+base64(type, seed)`. Made at the first start; only its owner may read it.
 */
import {
	createPrivateKey,
	createPublicKey,
	randomBytes,
	sign as signWith,
	verify as verifyWith,
} from 'node:crypto'
import { closeSync, existsSync, fsyncSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { keyId, type VerifierKey, verifierKeyText } from '../../domain/seal/note.ts'
import { fromBase64, toBase64, toHex } from '../../domain/seal/octets.ts'
import { JournalFailure, reason } from './failure.ts'
import { sha256 } from './sha256.ts'

export type SealKey = {
	readonly verifier: VerifierKey
	sign(text: Uint8Array): Uint8Array
}

export function defaultKeyFile(folder: string): string {
	return join(folder, 'seal.key')
}

/** DER of a PKCS #8 Ed25519 key up to the seed, and of a SubjectPublicKeyInfo up to the key (RFC 8410). */
const privateHead = Buffer.from('302e020100300506032b657004220420', 'hex')
const publicHead = Buffer.from('302a300506032b6570032100', 'hex')
const ed25519 = 1

function keyOf(name: string, seed: Uint8Array): SealKey {
	const der = Buffer.concat([privateHead, seed])
	const key = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })
	const exported = createPublicKey(key).export({ format: 'der', type: 'spki' })
	const raw = new Uint8Array(exported.subarray(publicHead.length))
	return {
		verifier: { name, id: keyId(sha256, name, raw), key: raw },
		sign: text => signWith(null, text, key),
	}
}

/** For `openNote`. */
export function isSignedBy(text: Uint8Array, signature: Uint8Array, raw: Uint8Array): boolean {
	const der = Buffer.concat([publicHead, raw])
	try {
		const key = createPublicKey({ key: der, format: 'der', type: 'spki' })
		return verifyWith(null, text, key, signature)
	} catch {
		return false
	}
}

/** Makes a key of that name. The file must not be there yet. */
export function makeSealKey(file: string, name: string): SealKey {
	const seed = randomBytes(32)
	const key = keyOf(name, seed)
	const secret = toBase64(Uint8Array.of(ed25519, ...seed))
	const line = `PRIVATE+KEY+${name}+${toHex(key.verifier.id)}+${secret}\n`
	try {
		writeFileSync(file, line, { mode: 0o600, flag: 'wx', flush: true })
		const folder = openSync(dirname(file), 'r')
		fsyncSync(folder)
		closeSync(folder)
	} catch (error) {
		throw new JournalFailure(`The seal's key cannot be written to ${file}: ${reason(error)}.`)
	}
	return key
}

/** The key in a file; undefined without one. Throws JournalFailure when it is not for `name`. */
export function readSealKey(file: string, name: string): SealKey | undefined {
	if (!existsSync(file)) return undefined
	const line = readFileSync(file, 'utf8').trim()
	const parts = /^PRIVATE\+KEY\+([^+\s]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/]+=*)$/.exec(line)
	const octets = parts === null ? undefined : fromBase64(parts[3]!)
	if (octets?.length !== 33 || octets[0] !== ed25519) {
		throw new JournalFailure(`${file} has no key of a seal: put the right file there from a copy.`)
	}
	if (parts![1] !== name) {
		throw new JournalFailure(
			`The key in ${file} is for ${parts![1]}, and this journal's log is ${name}: ` +
				'give each journal a key file of its own.',
		)
	}
	const key = keyOf(name, octets.subarray(1))
	if (toHex(key.verifier.id) === parts![2]) return key
	throw new JournalFailure(
		`The key in ${file} is damaged (its id should be ${verifierKeyText(key.verifier).split('+')[1]}): ` +
			'put it back from a copy.',
	)
}
