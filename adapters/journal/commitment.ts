/**
 * What the tree has of an event: SHA-256 over 0x00 (a leaf, RFC 6962 §2.1), the event's salt and its
 * canonical octets, which are the stored line with its position in front. The salt keeps what was
 * erased from being guessed out of the hash that stays.
 */
import { writeInteger } from '../../domain/event-text.ts'
import { type NodeHash, nodeHashing } from '../../domain/seal/merkle.ts'
import { hashOctets, openHasher, sha256 } from './sha256.ts'

export const saltOctets = 16
export const leafOctets = hashOctets

export const nodeHash: NodeHash = nodeHashing(sha256)

const hasher = openHasher()
/** RFC 6962 §2.1: no leaf can be taken for a node. */
const leafPrefix = 0
const nodePrefix = 1

/**
 * Writes a leaf hash into `leaves` at `leafAt`: of the salt at `saltAt` in `salts`, and of the stored
 * line from `begin` to before `end` in `text`.
 */
export function hashLeaf(
	leaves: Uint8Array,
	leafAt: number,
	salts: Uint8Array,
	saltAt: number,
	position: number,
	text: Uint8Array,
	begin: number,
	end: number,
): void {
	const octets = hasher.room(1 + saltOctets + 32 + end - begin)
	octets[0] = leafPrefix
	let at = 1
	for (let i = 0; i < saltOctets; i++) octets[at++] = salts[saltAt + i]!
	at = writeStart(octets, at, position)
	// Without its opening brace, which stands before the position.
	octets.set(text.subarray(begin + 1, end), at)
	hasher.hash(at + end - begin - 1, leaves, leafAt)
}

/** A leaf hash by itself. */
export function leafOf(salt: Uint8Array, position: number, line: Uint8Array): Uint8Array {
	const leaf = new Uint8Array(leafOctets)
	hashLeaf(leaf, 0, salt, 0, position, line, 0, line.length)
	return leaf
}

/** The root over leaf hashes that lie one behind the other; their number is a power of two. */
export function completeRoot(leaves: Uint8Array): Uint8Array {
	const level = leaves.slice()
	for (let octets = level.length; octets > hashOctets; octets /= 2) {
		for (let pair = 0; pair < octets; pair += 2 * hashOctets) {
			const input = hasher.room(1 + 2 * hashOctets)
			input[0] = nodePrefix
			for (let i = 0; i < 2 * hashOctets; i++) input[1 + i] = level[pair + i]!
			hasher.hash(1 + 2 * hashOctets, level, pair / 2)
		}
	}
	return level.slice(0, hashOctets)
}

const start = '{"position":'

/** What stands in front of a line: its position, of which no text need be made. */
function writeStart(octets: Uint8Array, begin: number, position: number): number {
	for (let i = 0; i < start.length; i++) octets[begin + i] = start.charCodeAt(i)
	const end = writeInteger(octets, begin + start.length, position)
	octets[end] = comma
	return end + 1
}

/** The canonical text of a stored line. */
export function canonicalText(position: number, line: string): string {
	return `${start}${position},${line.slice(1)}`
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
