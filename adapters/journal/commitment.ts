/**
 * What the tree has of an event: SHA-256 over 0x00 (a leaf, RFC 6962 §2.1), the event's salt and its
 * canonical octets, which are the stored line with its position in front. The salt keeps what was
 * erased from being guessed out of the hash that stays.
 */
import { type NodeHash, nodeHashing } from '../../domain/seal/merkle.ts'
import { sha256 } from './sha256.ts'

export const saltOctets = 16

export const nodeHash: NodeHash = nodeHashing(sha256)

/** Leaf hashes, written into one buffer that is used again. */
export function leafHashing(): (
	salt: Uint8Array,
	position: number,
	text: Uint8Array,
	begin: number,
	end: number,
) => Uint8Array {
	let octets = Buffer.alloc(4096)
	return (salt, position, text, begin, end) => {
		const needed = 1 + saltOctets + 32 + end - begin
		if (needed > octets.length) octets = Buffer.alloc(2 * needed)
		octets.set(salt, 1)
		let at = 1 + saltOctets
		at += octets.write(canonicalStart(position), at, 'latin1')
		// Without its opening brace, which stands before the position.
		octets.set(text.subarray(begin + 1, end), at)
		return sha256(octets.subarray(0, at + end - begin - 1))
	}
}

function canonicalStart(position: number): string {
	return `{"position":${position},`
}

/** The canonical text of a stored line. */
export function canonicalText(position: number, line: string): string {
	return canonicalStart(position) + line.slice(1)
}

const newline = 0x0a
const comma = 0x2c
const openBracket = 0x5b
const closeBracket = 0x5d
const openBrace = 0x7b
const closeBrace = 0x7d

/**
 * Where the lines of a stored batch begin and end, as pairs. Undefined when the octets are not
 * exactly of the stored form (domain/event-text.ts): nothing may stand where no hash covers it.
 */
export function lineEnds(text: Uint8Array, count: number): Uint32Array | undefined {
	const ends = new Uint32Array(2 * count)
	if (text[0] !== openBracket || text[1] !== newline) return undefined
	let begin = 2
	for (let index = 0; index < count; index++) {
		const end = text.indexOf(newline, begin)
		const last = index === count - 1
		const close = last ? end : end - 1
		if (end === -1 || text[begin] !== openBrace || text[close - 1] !== closeBrace) return undefined
		if (!last && text[close] !== comma) return undefined
		ends[2 * index] = begin
		ends[2 * index + 1] = close
		begin = end + 1
	}
	return begin === text.length - 1 && text[begin] === closeBracket ? ends : undefined
}
