/**
 * MAC addresses as numbers of 48 bits, and the two texts that are made of them for every DHCP message.
 * One call of `String.fromCharCode` takes a third of what adding the pieces up does, and what it gives
 * need not be copied together when somebody looks into it.
 */
import { readUint32 } from './radius/packet.ts'

const hyphen = 0x2d
const upper = charCodes('0123456789ABCDEF')
const lower = charCodes('0123456789abcdef')
const values = new Int8Array(128).fill(-1)
for (let digit = 0; digit < 16; digit++) values[upper[digit]!] = digit

function charCodes(text: string): Uint8Array {
	return Uint8Array.from(text, character => character.charCodeAt(0))
}

/** The six octets at `at`. */
export function readMac(bytes: Uint8Array, at: number): number {
	return readUint32(bytes, at) * 0x1_0000 + ((bytes[at + 4]! << 8) | bytes[at + 5]!)
}

/** In normal form, as RADIUS has it in Calling-Station-Id: `02-00-00-00-00-01`. */
export function macText(mac: number): string {
	const high = Math.floor(mac / 2 ** 24)
	const low = mac % 2 ** 24
	return String.fromCharCode(
		upper[high >>> 20]!,
		upper[(high >>> 16) & 15]!,
		hyphen,
		upper[(high >>> 12) & 15]!,
		upper[(high >>> 8) & 15]!,
		hyphen,
		upper[(high >>> 4) & 15]!,
		upper[high & 15]!,
		hyphen,
		upper[low >>> 20]!,
		upper[(low >>> 16) & 15]!,
		hyphen,
		upper[(low >>> 12) & 15]!,
		upper[(low >>> 8) & 15]!,
		hyphen,
		upper[(low >>> 4) & 15]!,
		upper[low & 15]!,
	)
}

/** The number of a MAC in normal form; -1 of any other text. */
export function macNumber(text: string): number {
	if (text.length !== 17) return -1
	let number = 0
	for (let at = 0; at < 17; at += 3) {
		const high = values[text.charCodeAt(at)] ?? -1
		const low = values[text.charCodeAt(at + 1)] ?? -1
		if (high < 0 || low < 0 || (at > 0 && text.charCodeAt(at - 1) !== hyphen)) return -1
		number = number * 256 + high * 16 + low
	}
	return number
}

/** Ethernet's hardware type and the MAC, as `clientKey` has them: `hw:01020000000001`. */
export function ethernetKey(prefix: 'hw' | 'id', mac: number): string {
	const high = Math.floor(mac / 2 ** 24)
	const low = mac % 2 ** 24
	return String.fromCharCode(
		prefix.charCodeAt(0),
		prefix.charCodeAt(1),
		0x3a,
		0x30,
		0x31,
		lower[high >>> 20]!,
		lower[(high >>> 16) & 15]!,
		lower[(high >>> 12) & 15]!,
		lower[(high >>> 8) & 15]!,
		lower[(high >>> 4) & 15]!,
		lower[high & 15]!,
		lower[low >>> 20]!,
		lower[(low >>> 16) & 15]!,
		lower[(low >>> 12) & 15]!,
		lower[(low >>> 8) & 15]!,
		lower[(low >>> 4) & 15]!,
		lower[low & 15]!,
	)
}
