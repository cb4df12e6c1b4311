/**
 * MD5 (RFC 1321) and HMAC-MD5 (RFC 2104) for the packet path: nothing is allocated per call, and a
 * secret's HMAC states are computed once. RADIUS over UDP knows no other digest; nothing else here
 * may rely on MD5.
 */

/** A shared secret and what HMAC-MD5 derives from it. */
export type Md5Key = {
	readonly secret: Uint8Array
	/** MD5 states after the block of the inner and of the outer pad (RFC 2104 §4). */
	readonly inner: Int32Array
	readonly outer: Int32Array
}

export const digestLength = 16
const blockLength = 64

// Buffers of more than 64 octets live outside V8's heap, where compiled code knows their address.
const state = new Int32Array(new ArrayBuffer(128), 0, 4)
const words = new Int32Array(new ArrayBuffer(128), 0, 16)
/** The unfinished block: the end of the input, then the padding. */
const block = new Uint8Array(new ArrayBuffer(128), 0, blockLength)
const innerDigest = new Uint8Array(new ArrayBuffer(128), 0, digestLength)
const nothing = new Uint8Array(0)

/** Keeps a copy of `secret`. */
export function createMd5Key(secret: Uint8Array): Md5Key {
	const pad = new Uint8Array(blockLength)
	// RFC 2104 §3: a key longer than a block is replaced by its digest.
	if (secret.length > blockLength) md5Into(pad, 0, secret, 0, secret.length, nothing, 0, 0)
	else pad.set(secret)
	return {
		secret: secret.slice(),
		inner: stateAfter(pad.map(octet => octet ^ 0x36)),
		outer: stateAfter(pad.map(octet => octet ^ 0x5c)),
	}
}

/** Writes the 16 octets of MD5(a || b). `target` may be `a` or `b`: it is written at the end. */
export function md5Into(
	target: Uint8Array,
	targetOffset: number,
	a: Uint8Array,
	aOffset: number,
	aLength: number,
	b: Uint8Array,
	bOffset: number,
	bLength: number,
): void {
	begin()
	let used = absorb(a, aOffset, aLength, 0)
	if (bLength > 0) used = absorb(b, bOffset, bLength, used)
	finish(used, aLength + bLength)
	writeState(target, targetOffset)
}

/** Writes the 16 octets of HMAC-MD5(key, bytes[offset, offset + length)), written at the end. */
export function hmacMd5Into(
	target: Uint8Array,
	targetOffset: number,
	key: Md5Key,
	bytes: Uint8Array,
	offset: number,
	length: number,
): void {
	resume(key.inner)
	finish(absorb(bytes, offset, length, 0), blockLength + length)
	writeState(innerDigest, 0)
	resume(key.outer)
	finish(absorb(innerDigest, 0, digestLength, 0), blockLength + digestLength)
	writeState(target, targetOffset)
}

function stateAfter(pad: Uint8Array): Int32Array {
	begin()
	compress(pad, 0)
	return state.slice()
}

function begin(): void {
	state[0] = 0x67452301
	state[1] = 0xefcdab89
	state[2] = 0x98badcfe
	state[3] = 0x10325476
}

function resume(from: Int32Array): void {
	state[0] = from[0]!
	state[1] = from[1]!
	state[2] = from[2]!
	state[3] = from[3]!
}

/** Takes in octets behind the `used` ones of `block`; returns how many are waiting there then. */
function absorb(bytes: Uint8Array, offset: number, length: number, used: number): number {
	let at = offset
	const end = offset + length
	let filled = used
	if (filled > 0) {
		while (at < end && filled < blockLength) block[filled++] = bytes[at++]!
		if (filled < blockLength) return filled
		compress(block, 0)
		filled = 0
	}
	for (; at + blockLength <= end; at += blockLength) compress(bytes, at)
	while (at < end) block[filled++] = bytes[at++]!
	return filled
}

/** Pads with 0x80, zeros and the length in bits (RFC 1321 §3.1, §3.2). */
function finish(used: number, length: number): void {
	let filled = used
	block[filled++] = 0x80
	if (filled > 56) {
		while (filled < blockLength) block[filled++] = 0
		compress(block, 0)
		filled = 0
	}
	while (filled < blockLength) block[filled++] = 0
	// Inputs stay far below 2^29 octets: 32 bits hold the length.
	block[56] = length << 3
	block[57] = length >>> 5
	block[58] = length >>> 13
	block[59] = length >>> 21
	compress(block, 0)
}

function writeState(target: Uint8Array, offset: number): void {
	let at = offset
	for (let i = 0; i < 4; i++) {
		const word = state[i]!
		target[at++] = word
		target[at++] = word >>> 8
		target[at++] = word >>> 16
		target[at++] = word >>> 24
	}
}

function compress(bytes: Uint8Array, offset: number): void {
	// Words from octets, and not through a second view: any alignment and any machine will do.
	for (let i = 0, at = offset; i < 16; i++, at += 4) {
		words[i] = bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)
	}
	const a = state[0]!
	const b = state[1]!
	const c = state[2]!
	const d = state[3]!
	rounds1And2(words)
	rounds3And4(words)
	state[0] = state[0]! + a
	state[1] = state[1]! + b
	state[2] = state[2]! + c
	state[3] = state[3]! + d
}

// One line is one step of RFC 1321 §3.4. Constants from 2^31 on are subtracted as their two's
// complement: all numbers stay 32-bit integers, without which V8 would allocate.

// biome-ignore format: a line is a step
function rounds1And2(m: Int32Array): void {
	let a = state[0]!
	let b = state[1]!
	let c = state[2]!
	let d = state[3]!
	// Round 1: F = (b & c) | (~b & d)
	a = (a + (((c ^ d) & b) ^ d) + m[0]! - 0x28955b88) | 0; a = (((a << 7) | (a >>> 25)) + b) | 0
	d = (d + (((b ^ c) & a) ^ c) + m[1]! - 0x173848aa) | 0; d = (((d << 12) | (d >>> 20)) + a) | 0
	c = (c + (((a ^ b) & d) ^ b) + m[2]! + 0x242070db) | 0; c = (((c << 17) | (c >>> 15)) + d) | 0
	b = (b + (((d ^ a) & c) ^ a) + m[3]! - 0x3e423112) | 0; b = (((b << 22) | (b >>> 10)) + c) | 0
	a = (a + (((c ^ d) & b) ^ d) + m[4]! - 0x0a83f051) | 0; a = (((a << 7) | (a >>> 25)) + b) | 0
	d = (d + (((b ^ c) & a) ^ c) + m[5]! + 0x4787c62a) | 0; d = (((d << 12) | (d >>> 20)) + a) | 0
	c = (c + (((a ^ b) & d) ^ b) + m[6]! - 0x57cfb9ed) | 0; c = (((c << 17) | (c >>> 15)) + d) | 0
	b = (b + (((d ^ a) & c) ^ a) + m[7]! - 0x02b96aff) | 0; b = (((b << 22) | (b >>> 10)) + c) | 0
	a = (a + (((c ^ d) & b) ^ d) + m[8]! + 0x698098d8) | 0; a = (((a << 7) | (a >>> 25)) + b) | 0
	d = (d + (((b ^ c) & a) ^ c) + m[9]! - 0x74bb0851) | 0; d = (((d << 12) | (d >>> 20)) + a) | 0
	c = (c + (((a ^ b) & d) ^ b) + m[10]! - 0x0000a44f) | 0; c = (((c << 17) | (c >>> 15)) + d) | 0
	b = (b + (((d ^ a) & c) ^ a) + m[11]! - 0x76a32842) | 0; b = (((b << 22) | (b >>> 10)) + c) | 0
	a = (a + (((c ^ d) & b) ^ d) + m[12]! + 0x6b901122) | 0; a = (((a << 7) | (a >>> 25)) + b) | 0
	d = (d + (((b ^ c) & a) ^ c) + m[13]! - 0x02678e6d) | 0; d = (((d << 12) | (d >>> 20)) + a) | 0
	c = (c + (((a ^ b) & d) ^ b) + m[14]! - 0x5986bc72) | 0; c = (((c << 17) | (c >>> 15)) + d) | 0
	b = (b + (((d ^ a) & c) ^ a) + m[15]! + 0x49b40821) | 0; b = (((b << 22) | (b >>> 10)) + c) | 0
	// Round 2: F = (b & d) | (c & ~d)
	a = (a + (((b ^ c) & d) ^ c) + m[1]! - 0x09e1da9e) | 0; a = (((a << 5) | (a >>> 27)) + b) | 0
	d = (d + (((a ^ b) & c) ^ b) + m[6]! - 0x3fbf4cc0) | 0; d = (((d << 9) | (d >>> 23)) + a) | 0
	c = (c + (((d ^ a) & b) ^ a) + m[11]! + 0x265e5a51) | 0; c = (((c << 14) | (c >>> 18)) + d) | 0
	b = (b + (((c ^ d) & a) ^ d) + m[0]! - 0x16493856) | 0; b = (((b << 20) | (b >>> 12)) + c) | 0
	a = (a + (((b ^ c) & d) ^ c) + m[5]! - 0x29d0efa3) | 0; a = (((a << 5) | (a >>> 27)) + b) | 0
	d = (d + (((a ^ b) & c) ^ b) + m[10]! + 0x02441453) | 0; d = (((d << 9) | (d >>> 23)) + a) | 0
	c = (c + (((d ^ a) & b) ^ a) + m[15]! - 0x275e197f) | 0; c = (((c << 14) | (c >>> 18)) + d) | 0
	b = (b + (((c ^ d) & a) ^ d) + m[4]! - 0x182c0438) | 0; b = (((b << 20) | (b >>> 12)) + c) | 0
	a = (a + (((b ^ c) & d) ^ c) + m[9]! + 0x21e1cde6) | 0; a = (((a << 5) | (a >>> 27)) + b) | 0
	d = (d + (((a ^ b) & c) ^ b) + m[14]! - 0x3cc8f82a) | 0; d = (((d << 9) | (d >>> 23)) + a) | 0
	c = (c + (((d ^ a) & b) ^ a) + m[3]! - 0x0b2af279) | 0; c = (((c << 14) | (c >>> 18)) + d) | 0
	b = (b + (((c ^ d) & a) ^ d) + m[8]! + 0x455a14ed) | 0; b = (((b << 20) | (b >>> 12)) + c) | 0
	a = (a + (((b ^ c) & d) ^ c) + m[13]! - 0x561c16fb) | 0; a = (((a << 5) | (a >>> 27)) + b) | 0
	d = (d + (((a ^ b) & c) ^ b) + m[2]! - 0x03105c08) | 0; d = (((d << 9) | (d >>> 23)) + a) | 0
	c = (c + (((d ^ a) & b) ^ a) + m[7]! + 0x676f02d9) | 0; c = (((c << 14) | (c >>> 18)) + d) | 0
	b = (b + (((c ^ d) & a) ^ d) + m[12]! - 0x72d5b376) | 0; b = (((b << 20) | (b >>> 12)) + c) | 0
	state[0] = a
	state[1] = b
	state[2] = c
	state[3] = d
}

// biome-ignore format: a line is a step
function rounds3And4(m: Int32Array): void {
	let a = state[0]!
	let b = state[1]!
	let c = state[2]!
	let d = state[3]!
	// Round 3: F = b ^ c ^ d
	a = (a + (b ^ c ^ d) + m[5]! - 0x0005c6be) | 0; a = (((a << 4) | (a >>> 28)) + b) | 0
	d = (d + (a ^ b ^ c) + m[8]! - 0x788e097f) | 0; d = (((d << 11) | (d >>> 21)) + a) | 0
	c = (c + (d ^ a ^ b) + m[11]! + 0x6d9d6122) | 0; c = (((c << 16) | (c >>> 16)) + d) | 0
	b = (b + (c ^ d ^ a) + m[14]! - 0x021ac7f4) | 0; b = (((b << 23) | (b >>> 9)) + c) | 0
	a = (a + (b ^ c ^ d) + m[1]! - 0x5b4115bc) | 0; a = (((a << 4) | (a >>> 28)) + b) | 0
	d = (d + (a ^ b ^ c) + m[4]! + 0x4bdecfa9) | 0; d = (((d << 11) | (d >>> 21)) + a) | 0
	c = (c + (d ^ a ^ b) + m[7]! - 0x0944b4a0) | 0; c = (((c << 16) | (c >>> 16)) + d) | 0
	b = (b + (c ^ d ^ a) + m[10]! - 0x41404390) | 0; b = (((b << 23) | (b >>> 9)) + c) | 0
	a = (a + (b ^ c ^ d) + m[13]! + 0x289b7ec6) | 0; a = (((a << 4) | (a >>> 28)) + b) | 0
	d = (d + (a ^ b ^ c) + m[0]! - 0x155ed806) | 0; d = (((d << 11) | (d >>> 21)) + a) | 0
	c = (c + (d ^ a ^ b) + m[3]! - 0x2b10cf7b) | 0; c = (((c << 16) | (c >>> 16)) + d) | 0
	b = (b + (c ^ d ^ a) + m[6]! + 0x04881d05) | 0; b = (((b << 23) | (b >>> 9)) + c) | 0
	a = (a + (b ^ c ^ d) + m[9]! - 0x262b2fc7) | 0; a = (((a << 4) | (a >>> 28)) + b) | 0
	d = (d + (a ^ b ^ c) + m[12]! - 0x1924661b) | 0; d = (((d << 11) | (d >>> 21)) + a) | 0
	c = (c + (d ^ a ^ b) + m[15]! + 0x1fa27cf8) | 0; c = (((c << 16) | (c >>> 16)) + d) | 0
	b = (b + (c ^ d ^ a) + m[2]! - 0x3b53a99b) | 0; b = (((b << 23) | (b >>> 9)) + c) | 0
	// Round 4: F = c ^ (b | ~d)
	a = (a + ((b | ~d) ^ c) + m[0]! - 0x0bd6ddbc) | 0; a = (((a << 6) | (a >>> 26)) + b) | 0
	d = (d + ((a | ~c) ^ b) + m[7]! + 0x432aff97) | 0; d = (((d << 10) | (d >>> 22)) + a) | 0
	c = (c + ((d | ~b) ^ a) + m[14]! - 0x546bdc59) | 0; c = (((c << 15) | (c >>> 17)) + d) | 0
	b = (b + ((c | ~a) ^ d) + m[5]! - 0x036c5fc7) | 0; b = (((b << 21) | (b >>> 11)) + c) | 0
	a = (a + ((b | ~d) ^ c) + m[12]! + 0x655b59c3) | 0; a = (((a << 6) | (a >>> 26)) + b) | 0
	d = (d + ((a | ~c) ^ b) + m[3]! - 0x70f3336e) | 0; d = (((d << 10) | (d >>> 22)) + a) | 0
	c = (c + ((d | ~b) ^ a) + m[10]! - 0x00100b83) | 0; c = (((c << 15) | (c >>> 17)) + d) | 0
	b = (b + ((c | ~a) ^ d) + m[1]! - 0x7a7ba22f) | 0; b = (((b << 21) | (b >>> 11)) + c) | 0
	a = (a + ((b | ~d) ^ c) + m[8]! + 0x6fa87e4f) | 0; a = (((a << 6) | (a >>> 26)) + b) | 0
	d = (d + ((a | ~c) ^ b) + m[15]! - 0x01d31920) | 0; d = (((d << 10) | (d >>> 22)) + a) | 0
	c = (c + ((d | ~b) ^ a) + m[6]! - 0x5cfebcec) | 0; c = (((c << 15) | (c >>> 17)) + d) | 0
	b = (b + ((c | ~a) ^ d) + m[13]! + 0x4e0811a1) | 0; b = (((b << 21) | (b >>> 11)) + c) | 0
	a = (a + ((b | ~d) ^ c) + m[4]! - 0x08ac817e) | 0; a = (((a << 6) | (a >>> 26)) + b) | 0
	d = (d + ((a | ~c) ^ b) + m[11]! - 0x42c50dcb) | 0; d = (((d << 10) | (d >>> 22)) + a) | 0
	c = (c + ((d | ~b) ^ a) + m[2]! + 0x2ad7d2bb) | 0; c = (((c << 15) | (c >>> 17)) + d) | 0
	b = (b + ((c | ~a) ^ d) + m[9]! - 0x14792c6f) | 0; b = (((b << 21) | (b >>> 11)) + c) | 0
	state[0] = a
	state[1] = b
	state[2] = c
	state[3] = d
}
