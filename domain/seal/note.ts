/**
 * Signed notes and their keys (c2sp.org/signed-note): a text, an empty line, and signatures. Only
 * Ed25519 (signature type 0x01). SHA-256 and the signature itself come from outside.
 */
import { fromBase64, toBase64, toHex, utf8 } from './octets.ts'

const ed25519 = 1
const keyOctets = 32
const signatureOctets = 64
/** A note of ours has one signature; witnesses may add theirs. The specification asks for 16. */
const signaturesMax = 100
const noteCharactersMax = 1_000_000

export type VerifierKey = {
	readonly name: string
	/** Four octets. */
	readonly id: Uint8Array
	/** 32 octets (RFC 8032). */
	readonly key: Uint8Array
}

/** First four octets of SHA-256(name, newline, signature type, public key). */
export function keyId(
	sha256: (octets: Uint8Array) => Uint8Array,
	name: string,
	key: Uint8Array,
): Uint8Array {
	return sha256(Uint8Array.of(...utf8(name), 0x0a, ed25519, ...key)).slice(0, 4)
}

export function isKeyName(name: string): boolean {
	return name !== '' && !/[\s+]/u.test(name)
}

/** `name+hexadecimal id+base64(type, key)`, as tools for transparency logs take it. */
export function verifierKeyText({ name, id, key }: VerifierKey): string {
	return `${name}+${toHex(id)}+${toBase64(Uint8Array.of(ed25519, ...key))}`
}

/** Undefined where the text is no verifier key, or its id does not follow from name and key. */
export function parseVerifierKey(
	sha256: (octets: Uint8Array) => Uint8Array,
	text: string,
): VerifierKey | undefined {
	const parts = /^([^+]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/]+=*)$/.exec(text.trim())
	if (parts === null || !isKeyName(parts[1]!)) return undefined
	const octets = fromBase64(parts[3]!)
	if (octets === undefined || octets.length !== 1 + keyOctets || octets[0] !== ed25519) {
		return undefined
	}
	const name = parts[1]!
	const key = octets.subarray(1)
	const id = keyId(sha256, name, key)
	return toHex(id) === parts[2] ? { name, id, key } : undefined
}

/** The note with its one signature. `text` ends with a newline. */
export function signedNote(text: string, { name, id }: VerifierKey, signature: Uint8Array): string {
	return `${text}\n— ${name} ${toBase64(Uint8Array.of(...id, ...signature))}\n`
}

/** What a note says when `key` has signed it; otherwise a sentence about what is wrong with it. */
export function openNote(
	note: string,
	key: VerifierKey,
	verify: (text: Uint8Array, signature: Uint8Array, key: Uint8Array) => boolean,
): { readonly text: string } | { readonly fault: string } {
	if (note.length > noteCharactersMax || /[\u0000-\u0009\u000b-\u001f]/.test(note)) {
		return { fault: 'It is no signed note.' }
	}
	const end = note.lastIndexOf('\n\n')
	if (end === -1 || !note.endsWith('\n')) return { fault: 'It is no signed note.' }
	const text = note.slice(0, end + 1)
	const lines = note.slice(end + 2, -1).split('\n')
	if (lines.length > signaturesMax) return { fault: 'It has too many signatures.' }
	let found = false
	for (const line of lines) {
		const parts = /^— (\S+) (\S+)$/u.exec(line)
		const octets = parts === null ? undefined : fromBase64(parts[2]!)
		if (octets === undefined || octets.length < 5) return { fault: 'A signature cannot be read.' }
		// Signatures of unknown keys are ignored, whatever they are.
		if (parts![1] !== key.name || toHex(octets.subarray(0, 4)) !== toHex(key.id)) continue
		const signature = octets.subarray(4)
		if (signature.length !== signatureOctets || !verify(utf8(text), signature, key.key)) {
			return { fault: `The signature of ${key.name} is wrong.` }
		}
		found = true
	}
	return found ? { text } : { fault: `The key ${verifierKeyText(key)} has not signed it.` }
}
