/**
 * Calling-Station-Id [31] and Called-Station-Id [30] as equipment spells them, in one normal form:
 * RFC 3580 §3.20's, upper-case with hyphens (`02-00-00-00-00-01`). On the packet path, so without
 * regular expressions and without looking at an octet twice.
 */
import { readTextOrHex } from './packet.ts'

export type CalledStation = {
	/** The access point's MAC address in normal form; other text where there is none. */
	readonly wap: string
	readonly ssid?: string
}

const notHex = 255
const space = 0x20
const hyphen = 0x2d
const dot = 0x2e
const colon = 0x3a
const underscore = 0x5f

/** Upper-case character codes of hexadecimal digits by character code; 255 for all others. */
const upperDigit = new Uint8Array(256).fill(notHex)
for (const digit of '0123456789ABCDEF') {
	upperDigit[digit.charCodeAt(0)] = digit.charCodeAt(0)
	upperDigit[digit.toLowerCase().charCodeAt(0)] = digit.charCodeAt(0)
}

/** What may stand between the digits of a MAC address. */
const separators = new Uint8Array(256)
for (const separator of [hyphen, colon, dot, space, underscore]) separators[separator] = 1

/** Letters, digits, and octets of UTF-8 beyond ASCII: what cannot part a MAC from an SSID. */
const wordly = new Uint8Array(256).fill(1, 0x80)
for (let code = 0x30; code < 0x7b; code++) {
	if (/[0-9A-Za-z]/.test(String.fromCharCode(code))) wordly[code] = 1
}

/** A name longer than this is cut, and a checksum keeps it distinct. */
const maximumName = 64
/**
 * Octets of a name that stay as they are. Not the dot: a stream's name ends with `.` and the access
 * point, and must come apart again.
 */
const plain = new Uint8Array(256)
for (let code = 0x21; code < 0x7f; code++) {
	if (/[0-9A-Za-z_:@+=-]/.test(String.fromCharCode(code))) plain[code] = 1
}

/** Twelve upper-case digits in normal form; undefined when one of them is no digit. */
function join(
	a: number,
	b: number,
	c: number,
	d: number,
	e: number,
	f: number,
	g: number,
	h: number,
	i: number,
	j: number,
	k: number,
	l: number,
): string | undefined {
	// 255 has a bit above 0x7F, which no digit has.
	if ((a | b | c | d | e | f | g | h | i | j | k | l) > 0x7f) return undefined
	return String.fromCharCode(
		a,
		b,
		hyphen,
		c,
		d,
		hyphen,
		e,
		f,
		hyphen,
		g,
		h,
		hyphen,
		i,
		j,
		hyphen,
		k,
		l,
	)
}

/**
 * The MAC address in twelve digits at `at`, with a separator octet after every `group` digits.
 * `group` is 2 (17 octets), 4 (14), 6 (13) or 12 (12).
 */
function macAt(bytes: Uint8Array, at: number, group: 2 | 4 | 6 | 12): string | undefined {
	// Offsets of the six pairs: a pair is never split.
	const p1 = at + (group === 2 ? 3 : 2)
	const p2 = at + (group === 2 ? 6 : group === 4 ? 5 : 4)
	const p3 = at + (group === 2 ? 9 : group === 4 || group === 6 ? 7 : 6)
	const p4 = at + (group === 2 ? 12 : group === 4 ? 10 : group === 6 ? 9 : 8)
	const p5 = at + (group === 2 ? 15 : group === 4 ? 12 : group === 6 ? 11 : 10)
	return join(
		upperDigit[bytes[at]!]!,
		upperDigit[bytes[at + 1]!]!,
		upperDigit[bytes[p1]!]!,
		upperDigit[bytes[p1 + 1]!]!,
		upperDigit[bytes[p2]!]!,
		upperDigit[bytes[p2 + 1]!]!,
		upperDigit[bytes[p3]!]!,
		upperDigit[bytes[p3 + 1]!]!,
		upperDigit[bytes[p4]!]!,
		upperDigit[bytes[p4 + 1]!]!,
		upperDigit[bytes[p5]!]!,
		upperDigit[bytes[p5 + 1]!]!,
	)
}

/** Digits between separators in what begins at `at` and is `length` octets long; 0 for no MAC. */
function grouping(bytes: Uint8Array, at: number, length: number): 0 | 2 | 4 | 6 | 12 {
	if (length < 12) return 0
	const after2 = bytes[at + 2]!
	if (separators[after2] === 1) {
		const same =
			length >= 17 &&
			bytes[at + 5] === after2 &&
			bytes[at + 8] === after2 &&
			bytes[at + 11] === after2 &&
			bytes[at + 14] === after2
		return same ? 2 : 0
	}
	const after4 = bytes[at + 4]!
	if (separators[after4] === 1) return length >= 14 && bytes[at + 9] === after4 ? 4 : 0
	if (separators[bytes[at + 6]!] === 1) return length >= 13 ? 6 : 0
	return 12
}

/** Octets of a MAC address with that grouping. */
function macSize(group: 2 | 4 | 6 | 12): number {
	return group === 2 ? 17 : group === 4 ? 14 : group === 6 ? 13 : 12
}

/**
 * Calling-Station-Id in normal form, or undefined when it is not a MAC address. Blanks and NULs
 * around the address are tolerated: some equipment pads.
 */
export function normaliseMac(
	bytes: Uint8Array,
	offset: number,
	length: number,
): string | undefined {
	let at = offset
	let end = offset + length
	while (end > at && isPadding(bytes[end - 1]!)) end--
	while (at < end && isPadding(bytes[at]!)) at++
	const group = grouping(bytes, at, end - at)
	if (group === 0 || macSize(group) !== end - at) return undefined
	return macAt(bytes, at, group)
}

function isPadding(octet: number): boolean {
	return octet === 0 || octet === space
}

/**
 * Called-Station-Id: the access point's MAC address, and the SSID that follows it behind any
 * separator (RFC 3580 §3.20 has a colon) or, in some equipment, precedes it. Text without a MAC
 * address is the access point's name, percent-encoded where a stream's name could not bear it and
 * at most 64 characters long; `-` where nothing is there.
 */
export function parseCalledStation(
	bytes: Uint8Array,
	offset: number,
	length: number,
): CalledStation {
	let end = offset + length
	// An SSID may end in a blank, but hardly in NUL.
	while (end > offset && bytes[end - 1] === 0) end--
	const group = grouping(bytes, offset, end - offset)
	if (group !== 0) {
		const after = offset + macSize(group)
		if (after === end || wordly[bytes[after]!] === 0) {
			const wap = macAt(bytes, offset, group)
			if (wap !== undefined) return withSsid(wap, bytes, after + 1, end)
		}
	}
	return parseTrailingMac(bytes, offset, end)
}

function withSsid(wap: string, bytes: Uint8Array, from: number, end: number): CalledStation {
	if (from >= end) return { wap }
	return { wap, ssid: readTextOrHex(bytes, from, end - from) }
}

/** `SSID:02-00-00-00-00-01`, or text without any MAC address. */
function parseTrailingMac(bytes: Uint8Array, offset: number, end: number): CalledStation {
	for (const group of [2, 4, 6, 12] as const) {
		const at = end - macSize(group)
		if (at <= offset || wordly[bytes[at - 1]!] === 1) continue
		if (grouping(bytes, at, end - at) !== group) continue
		const wap = macAt(bytes, at, group)
		if (wap !== undefined) return { wap, ssid: readTextOrHex(bytes, offset, at - 1 - offset) }
	}
	return { wap: nameOf(bytes, offset, end) }
}

function nameOf(bytes: Uint8Array, offset: number, end: number): string {
	let name = ''
	for (let at = offset; at < end; at++) {
		const octet = bytes[at]!
		if (plain[octet] === 1) name += String.fromCharCode(octet)
		else name += `%${octet.toString(16).toUpperCase().padStart(2, '0')}`
	}
	if (name === '') return '-'
	if (name.length <= maximumName) return name
	return `${name.slice(0, maximumName - 9)}~${checksum(name)}`
}

/** FNV-1a, 32 bits, as eight digits. */
function checksum(text: string): string {
	let hash = 0x811c9dc5
	for (let index = 0; index < text.length; index++) {
		hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193)
	}
	return (hash >>> 0).toString(16).padStart(8, '0')
}
