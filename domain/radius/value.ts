/**
 * The value types of RADIUS attributes (RFC 8044, with FreeRADIUS' names and additions): for each
 * one codec between octets, plain data, and text. `domain/radius/dictionary.ts` says which
 * attribute has which type.
 */

import { formatIpv4, parseIpv4 } from '../address.ts'
import { readUint32 } from './packet.ts'

export type Decoded<T> = { readonly value: T } | { readonly error: string }

export type Codec<T> = {
	/** Reads the value in `length` octets from `offset`; an error is a sentence. */
	decode(bytes: Uint8Array, offset: number, length: number): Decoded<T>
	/** Writes the value and returns the offset behind it. */
	encode(value: T, target: Uint8Array, offset: number): number
	/** Octets that `encode` writes. */
	size(value: T): number
	format(value: T): string
	/** Reads what `format` writes. */
	parse(text: string): Decoded<T>
}

/** A prefix as RFC 3162 §2.3 and RFC 8044 §3.10, §3.11 have it; bits behind `length` are zero. */
export type Ipv6Prefix = { readonly address: Uint8Array; readonly length: number }
export type Ipv4Prefix = { readonly address: number; readonly length: number }
export type Tlv = { readonly type: number; readonly value: Uint8Array }
/** Vendor-Specific: `data` still has the vendor's own framing. */
export type VendorSpecific = { readonly vendor: number; readonly data: Uint8Array }
/** RFC 6929 §2.2; `flags` holds More (0x80) and the reserved bits. */
export type LongExtended = Tlv & { readonly flags: number }
export type ExtendedVendorSpecific = Tlv & { readonly vendor: number }
/** RFC 2868 §3.3: a string need not have a tag. */
export type TaggedString = { readonly tag?: number; readonly text: string }
/** RFC 2868 §3.1: 0 where the tag is unused; the number has 24 bits. */
export type TaggedInteger = { readonly tag: number; readonly value: number }

/** What each type is as plain data. IPv4 addresses are unsigned numbers, dates are seconds. */
export type ValueTypes = {
	string: string
	octets: Uint8Array
	/** Ascend's binary filters: kept as they are. */
	abinary: Uint8Array
	ipaddr: number
	ipv4prefix: Ipv4Prefix
	ipv6addr: Uint8Array
	ipv6prefix: Ipv6Prefix
	/** An IPv4 or an IPv6 address: 4 or 16 octets. */
	'combo-ip': Uint8Array
	byte: number
	short: number
	integer: number
	integer64: bigint
	signed: number
	date: number
	ifid: Uint8Array
	ether: Uint8Array
	tlv: readonly Tlv[]
	vsa: VendorSpecific
	extended: Tlv
	'long-extended': LongExtended
	evs: ExtendedVendorSpecific
	'tagged-string': TaggedString
	'tagged-integer': TaggedInteger
}
export type ValueType = keyof ValueTypes

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const hexPairs = Array.from({ length: 256 }, (_, octet) => octet.toString(16).padStart(2, '0'))

function wrongLength(type: string, wanted: string, length: number): { error: string } {
	return { error: `${type} has ${wanted}, not ${length}` }
}

function unreadable(text: string, wanted: string): { error: string } {
	return { error: `'${text}' is not ${wanted}` }
}

/** Lower-case hexadecimal digits, without prefix. */
export function formatHex(bytes: Uint8Array, offset = 0, length = bytes.length - offset): string {
	let text = ''
	for (let index = offset; index < offset + length; index++) text += hexPairs[bytes[index]!]
	return text
}

function parseHex(text: string): Uint8Array | undefined {
	if (text.length % 2 !== 0 || !/^[0-9a-f]*$/i.test(text)) return undefined
	const bytes = new Uint8Array(text.length / 2)
	for (let index = 0; index < bytes.length; index++) {
		bytes[index] = Number.parseInt(text.slice(index * 2, index * 2 + 2), 16)
	}
	return bytes
}

/** Reads a whole number written in decimal or as `0x` and hexadecimal digits. */
export function parseUnsigned(text: string, maximum: number): number | undefined {
	if (!/^(?:0x[0-9a-f]{1,16}|[0-9]{1,16})$/i.test(text)) return undefined
	const number = Number(text)
	return number <= maximum ? number : undefined
}

export function writeUint32(value: number, target: Uint8Array, offset: number): number {
	target[offset] = value >>> 24
	target[offset + 1] = value >>> 16
	target[offset + 2] = value >>> 8
	target[offset + 3] = value
	return offset + 4
}

function copy(bytes: Uint8Array, target: Uint8Array, offset: number): number {
	target.set(bytes, offset)
	return offset + bytes.length
}

function utf8Size(text: string): number {
	let size = text.length
	for (let index = 0; index < text.length; index++) {
		const unit = text.charCodeAt(index)
		if (unit < 0x80) continue
		size += unit < 0x800 ? 1 : 2
		// A pair of surrogates is four octets; a lone one becomes U+FFFD, three.
		if (unit >= 0xd800 && unit < 0xdc00 && (text.charCodeAt(index + 1) & 0xfc00) === 0xdc00) index++
	}
	return size
}

/** Control characters and backslashes become `\xHH`, so that text stays on its line. */
function escapeText(text: string): string {
	return text.replace(/[\u0000-\u001f\u007f-\u009f\\]/g, character => {
		return character === '\\' ? '\\\\' : `\\x${hexPairs[character.charCodeAt(0)]}`
	})
}

function unescapeText(text: string): Decoded<string> {
	const rest = text.replace(/\\(?:\\|x[0-9a-f]{2})/gi, '')
	if (rest.includes('\\')) return { error: `'${text}': write a backslash as \\\\ or \\xHH` }
	const value = text.replace(/\\(?:\\|x([0-9a-f]{2}))/gi, (_, digits?: string) =>
		digits === undefined ? '\\' : String.fromCharCode(Number.parseInt(digits, 16)),
	)
	return { value }
}

const string: Codec<string> = {
	decode(bytes, offset, length) {
		try {
			return { value: decoder.decode(bytes.subarray(offset, offset + length)) }
		} catch {
			return { error: 'string is not UTF-8 text; read it as octets' }
		}
	},
	encode(value, target, offset) {
		return offset + encoder.encodeInto(value, target.subarray(offset)).written
	},
	size: utf8Size,
	format: escapeText,
	parse: unescapeText,
}

const octets: Codec<Uint8Array> = {
	decode: (bytes, offset, length) => ({ value: bytes.slice(offset, offset + length) }),
	encode: copy,
	size: value => value.length,
	format: value => `0x${formatHex(value)}`,
	parse(text) {
		const value = /^0x/i.test(text) ? parseHex(text.slice(2)) : undefined
		return value ? { value } : unreadable(text, '0x and pairs of hexadecimal digits')
	},
}

function unsigned(type: string, width: 1 | 2 | 4): Codec<number> {
	const maximum = 2 ** (8 * width) - 1
	return {
		decode(bytes, offset, length) {
			if (length !== width) return wrongLength(type, octetCount(width), length)
			let value = 0
			for (let index = 0; index < width; index++) value = value * 256 + bytes[offset + index]!
			return { value }
		},
		encode(value, target, offset) {
			for (let index = 0; index < width; index++) {
				target[offset + index] = value >>> (8 * (width - 1 - index))
			}
			return offset + width
		},
		size: () => width,
		format: String,
		parse(text) {
			const value = parseUnsigned(text, maximum)
			return value === undefined ? unreadable(text, `a number from 0 to ${maximum}`) : { value }
		},
	}
}

function octetCount(width: number): string {
	return width === 1 ? '1 octet' : `${width} octets`
}

const integer = unsigned('integer', 4)

const signed: Codec<number> = {
	decode(bytes, offset, length) {
		if (length !== 4) return wrongLength('signed', '4 octets', length)
		return { value: readUint32(bytes, offset) | 0 }
	},
	encode: writeUint32,
	size: () => 4,
	format: String,
	parse(text) {
		const value = Number(text)
		const fits = /^-?[0-9]{1,10}$/.test(text) && value === (value | 0)
		return fits ? { value: value | 0 } : unreadable(text, 'a number from -2147483648 to 2147483647')
	},
}

const integer64: Codec<bigint> = {
	decode(bytes, offset, length) {
		if (length !== 8) return wrongLength('integer64', '8 octets', length)
		return {
			value: (BigInt(readUint32(bytes, offset)) << 32n) | BigInt(readUint32(bytes, offset + 4)),
		}
	},
	encode(value, target, offset) {
		writeUint32(Number(value >> 32n), target, offset)
		return writeUint32(Number(value & 0xffffffffn), target, offset + 4)
	},
	size: () => 8,
	format: String,
	parse(text) {
		const value = /^(?:0x[0-9a-f]{1,16}|[0-9]{1,20})$/i.test(text) ? BigInt(text) : -1n
		if (value >= 0n && value < 1n << 64n) return { value }
		return unreadable(text, 'a number from 0 to 18446744073709551615')
	},
}

const ipaddr: Codec<number> = {
	decode(bytes, offset, length) {
		if (length !== 4) return wrongLength('ipaddr', '4 octets', length)
		return { value: readUint32(bytes, offset) }
	},
	encode: writeUint32,
	size: () => 4,
	format: formatIpv4,
	parse(text) {
		const value = parseIpv4(text)
		return value === undefined ? unreadable(text, 'an IPv4 address') : { value }
	},
}

/** RFC 5952 §4: lower case, no leading zeros, `::` for the longest run of two or more zeros. */
function formatIpv6(address: Uint8Array): string {
	const words = ifidWords(address)
	let [start, longest] = [-1, 1]
	for (let begin = 0; begin < words.length; begin++) {
		let end = begin
		while (end < words.length && words[end] === '0') end++
		if (end - begin > longest) [start, longest] = [begin, end - begin]
		begin = Math.max(begin, end)
	}
	if (start < 0) return words.join(':')
	return `${words.slice(0, start).join(':')}::${words.slice(start + longest).join(':')}`
}

function ifidWords(bytes: Uint8Array): string[] {
	const words: string[] = []
	for (let index = 0; index < bytes.length; index += 2) {
		words.push(((bytes[index]! << 8) | bytes[index + 1]!).toString(16))
	}
	return words
}

function parseWords(text: string): number[] | undefined {
	if (text === '') return []
	const words: number[] = []
	for (const word of text.split(':')) {
		if (!/^[0-9a-f]{1,4}$/i.test(word)) return undefined
		words.push(Number.parseInt(word, 16))
	}
	return words
}

function parseIpv6(text: string): Uint8Array | undefined {
	const dotted = /^(.*:)([0-9.]+)$/.exec(text)
	if (dotted?.[2]?.includes('.')) {
		const tail = parseIpv4(dotted[2]!)
		if (tail === undefined) return undefined
		return parseIpv6(`${dotted[1]}${(tail >>> 16).toString(16)}:${(tail & 0xffff).toString(16)}`)
	}
	const halves = text.split('::')
	const front = parseWords(halves[0]!)
	const back = parseWords(halves[1] ?? '')
	if (halves.length > 2 || !front || !back) return undefined
	const missing = 8 - front.length - back.length
	if (halves.length === 1 ? missing !== 0 : missing < 1) return undefined
	const words = [...front, ...new Array<number>(missing).fill(0), ...back]
	return Uint8Array.from(words.flatMap(word => [word >> 8, word & 255]))
}

/** Address-like types: a fixed count of octets with a text of its own. */
function fixedOctets(
	type: ValueType,
	width: number,
	format: (value: Uint8Array) => string,
	parse: (text: string) => Uint8Array | undefined,
	wanted: string,
): Codec<Uint8Array> {
	return {
		decode(bytes, offset, length) {
			if (length !== width) return wrongLength(type, `${width} octets`, length)
			return { value: bytes.slice(offset, offset + width) }
		},
		encode: copy,
		size: () => width,
		format,
		parse(text) {
			const value = parse(text)
			return value ? { value } : unreadable(text, wanted)
		},
	}
}

const ipv6addr = fixedOctets('ipv6addr', 16, formatIpv6, parseIpv6, 'an IPv6 address')

const ifid = fixedOctets(
	'ifid',
	8,
	value => ifidWords(value).join(':'),
	text => {
		const words = parseWords(text)
		return words?.length === 4
			? Uint8Array.from(words.flatMap(word => [word >> 8, word & 255]))
			: undefined
	},
	'an interface identifier such as 0:0:0:1',
)

const ether = fixedOctets(
	'ether',
	6,
	value =>
		formatHex(value)
			.toUpperCase()
			.replace(/(..)(?!$)/g, '$1-'),
	text =>
		/^..(?:([-:])..)(?:\1..){4}$/.test(text) ? parseHex(text.replace(/[-:]/g, '')) : undefined,
	'a MAC address such as 02-00-00-00-00-01',
)

const comboIp: Codec<Uint8Array> = {
	decode(bytes, offset, length) {
		if (length !== 4 && length !== 16) return wrongLength('combo-ip', '4 or 16 octets', length)
		return { value: bytes.slice(offset, offset + length) }
	},
	encode: copy,
	size: value => value.length,
	format: value => (value.length === 4 ? formatIpv4(readUint32(value, 0)) : formatIpv6(value)),
	parse(text) {
		const ipv4 = parseIpv4(text)
		if (ipv4 === undefined) return ipv6addr.parse(text)
		const value = new Uint8Array(4)
		writeUint32(ipv4, value, 0)
		return { value }
	},
}

/** Clears the bits behind a prefix: RFC 8044 §3.10 has them zero, not every sender does. */
function masked(address: Uint8Array, length: number): Uint8Array {
	return address.map(
		(octet, index) => octet & (0xff00 >> Math.min(8, Math.max(0, length - index * 8))),
	)
}

const ipv6prefix: Codec<Ipv6Prefix> = {
	decode(bytes, offset, length) {
		if (length < 2 || length > 18) return wrongLength('ipv6prefix', '2 to 18 octets', length)
		const prefixLength = bytes[offset + 1]!
		if (prefixLength > 128) return { error: `ipv6prefix has /${prefixLength}; 128 is the longest` }
		if (prefixLength > (length - 2) * 8) {
			return { error: `ipv6prefix has /${prefixLength}, but only ${(length - 2) * 8} bits` }
		}
		const address = new Uint8Array(16)
		address.set(bytes.subarray(offset + 2, offset + length))
		return { value: { address: masked(address, prefixLength), length: prefixLength } }
	},
	encode(value, target, offset) {
		target[offset] = 0
		target[offset + 1] = value.length
		return copy(value.address.subarray(0, Math.ceil(value.length / 8)), target, offset + 2)
	},
	size: value => 2 + Math.ceil(value.length / 8),
	format: value => `${formatIpv6(value.address)}/${value.length}`,
	parse(text) {
		const [network = '', digits = ''] = text.split(/\/(?=[0-9]+$)/)
		const address = parseIpv6(network)
		const length = parseUnsigned(digits, 128)
		if (!address || length === undefined) return unreadable(text, 'a prefix such as 2001:db8::/32')
		return { value: { address: masked(address, length), length } }
	},
}

function ipv4Mask(length: number): number {
	return length === 0 ? 0 : (-1 << (32 - length)) >>> 0
}

const ipv4prefix: Codec<Ipv4Prefix> = {
	decode(bytes, offset, length) {
		if (length !== 6) return wrongLength('ipv4prefix', '6 octets', length)
		// RFC 8044 §3.11: the length is the octet's low six bits.
		const prefixLength = bytes[offset + 1]! & 0x3f
		if (prefixLength > 32) return { error: `ipv4prefix has /${prefixLength}; 32 is the longest` }
		const address = (readUint32(bytes, offset + 2) & ipv4Mask(prefixLength)) >>> 0
		return { value: { address, length: prefixLength } }
	},
	encode(value, target, offset) {
		target[offset] = 0
		target[offset + 1] = value.length
		return writeUint32(value.address, target, offset + 2)
	},
	size: () => 6,
	format: value => `${formatIpv4(value.address)}/${value.length}`,
	parse(text) {
		const [network = '', digits = ''] = text.split(/\/(?=[0-9]+$)/)
		const address = parseIpv4(network)
		const length = parseUnsigned(digits, 32)
		if (address === undefined || length === undefined) {
			return unreadable(text, 'a prefix such as 192.0.2.0/24')
		}
		return { value: { address: (address & ipv4Mask(length)) >>> 0, length } }
	},
}

/** Year, month and day of a count of days since 1970-01-01 in the Gregorian calendar. */
function civilDate(days: number): [number, number, number] {
	// Years are counted from March, so that the leap day is a year's last.
	const shifted = days + 719468
	const era = Math.floor(shifted / 146097)
	const dayOfEra = shifted - era * 146097
	const yearOfEra = Math.floor(
		(dayOfEra -
			Math.floor(dayOfEra / 1460) +
			Math.floor(dayOfEra / 36524) -
			Math.floor(dayOfEra / 146096)) /
			365,
	)
	const dayOfYear =
		dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100))
	const shiftedMonth = Math.floor((5 * dayOfYear + 2) / 153)
	const day = dayOfYear - Math.floor((153 * shiftedMonth + 2) / 5) + 1
	const month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
	return [era * 400 + yearOfEra + (month <= 2 ? 1 : 0), month, day]
}

/** Days since 1970-01-01; the inverse of `civilDate`. */
function daysSinceEpoch(year: number, month: number, day: number): number {
	const shiftedYear = month <= 2 ? year - 1 : year
	const era = Math.floor(shiftedYear / 400)
	const yearOfEra = shiftedYear - era * 400
	const dayOfYear = Math.floor((153 * (month > 2 ? month - 3 : month + 9) + 2) / 5) + day - 1
	const dayOfEra = yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100)
	return era * 146097 + dayOfEra + dayOfYear - 719468
}

function two(value: number): string {
	return String(value).padStart(2, '0')
}

const date: Codec<number> = {
	...unsigned('date', 4),
	format(value) {
		const [year, month, day] = civilDate(Math.floor(value / 86400))
		const seconds = value % 86400
		const time = [seconds / 3600, (seconds % 3600) / 60, seconds % 60].map(Math.floor).map(two)
		return `${year}-${two(month)}-${two(day)}T${time.join(':')}Z`
	},
	parse(text) {
		const match = /^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)Z$/.exec(text)
		if (!match) return integer.parse(text)
		const [year, month, day, hour, minute, second] = match.slice(1).map(Number) as number[]
		const value =
			daysSinceEpoch(year!, month!, day!) * 86400 + hour! * 3600 + minute! * 60 + second!
		// A date such as February 30th comes out as another one.
		if (value >= 0 && value < 2 ** 32 && date.format(value) === text) return { value }
		return unreadable(text, 'a time such as 2004-04-02T19:01:52Z')
	},
}

/** Reads `TYPE=0xHEX`, the text of one attribute inside another. */
function parseNested(text: string): Tlv | undefined {
	const [type = '', hex = ''] = text.split('=', 2)
	const number = parseUnsigned(type, 255)
	const value = octets.parse(hex)
	return number === undefined || 'error' in value ? undefined : { type: number, value: value.value }
}

function formatNested(nested: Tlv): string {
	return `${nested.type}=${octets.format(nested.value)}`
}

const tlv: Codec<readonly Tlv[]> = {
	decode(bytes, offset, length) {
		const value: Tlv[] = []
		const end = offset + length
		for (let at = offset; at < end; ) {
			// RFC 6929 §2.3: Length counts the two octets of the header.
			const nested = at + 1 < end ? bytes[at + 1]! : 0
			if (nested < 2) return { error: `tlv at octet ${at - offset} has no valid length` }
			if (at + nested > end) {
				return {
					error: `tlv at octet ${at - offset} goes ${at + nested - end} beyond its attribute`,
				}
			}
			value.push({ type: bytes[at]!, value: bytes.slice(at + 2, at + nested) })
			at += nested
		}
		return { value }
	},
	encode(value, target, offset) {
		let at = offset
		for (const nested of value) {
			target[at] = nested.type
			target[at + 1] = 2 + nested.value.length
			at = copy(nested.value, target, at + 2)
		}
		return at
	},
	size: value => value.reduce((size, nested) => size + 2 + nested.value.length, 0),
	format: value => value.map(formatNested).join(' '),
	parse(text) {
		const value: Tlv[] = []
		for (const word of text.split(' ').filter(word => word !== '')) {
			const nested = parseNested(word)
			if (!nested) return unreadable(word, 'TYPE=0xHEX')
			value.push(nested)
		}
		return { value }
	},
}

const vsa: Codec<VendorSpecific> = {
	decode(bytes, offset, length) {
		if (length < 5) return wrongLength('vsa', 'at least 5 octets', length)
		const data = bytes.slice(offset + 4, offset + length)
		return { value: { vendor: readUint32(bytes, offset), data } }
	},
	encode(value, target, offset) {
		return copy(value.data, target, writeUint32(value.vendor, target, offset))
	},
	size: value => 4 + value.data.length,
	format: value => `${value.vendor}=${octets.format(value.data)}`,
	parse(text) {
		const [number = '', hex = ''] = text.split('=', 2)
		const vendor = parseUnsigned(number, 0xffffffff)
		const data = octets.parse(hex)
		if (vendor === undefined || 'error' in data) return unreadable(text, 'VENDOR=0xHEX')
		return { value: { vendor, data: data.value } }
	},
}

const extended: Codec<Tlv> = {
	decode(bytes, offset, length) {
		if (length < 2) return wrongLength('extended', 'at least 2 octets', length)
		return { value: { type: bytes[offset]!, value: bytes.slice(offset + 1, offset + length) } }
	},
	encode(value, target, offset) {
		target[offset] = value.type
		return copy(value.value, target, offset + 1)
	},
	size: value => 1 + value.value.length,
	format: formatNested,
	parse(text) {
		const value = parseNested(text)
		return value ? { value } : unreadable(text, 'TYPE=0xHEX')
	},
}

const longExtended: Codec<LongExtended> = {
	decode(bytes, offset, length) {
		if (length < 3) return wrongLength('long-extended', 'at least 3 octets', length)
		const value = bytes.slice(offset + 2, offset + length)
		return { value: { type: bytes[offset]!, flags: bytes[offset + 1]!, value } }
	},
	encode(value, target, offset) {
		target[offset] = value.type
		target[offset + 1] = value.flags
		return copy(value.value, target, offset + 2)
	},
	size: value => 2 + value.value.length,
	format(value) {
		const flags = value.flags === 0 ? '' : `/0x${hexPairs[value.flags]}`
		return `${value.type}${flags}=${octets.format(value.value)}`
	},
	parse(text) {
		const match = /^([^/=]+)(?:\/(0x[0-9a-f]{2}))?(=.*)$/i.exec(text)
		const nested = match ? parseNested(`${match[1]}${match[3]}`) : undefined
		if (!match || !nested) return unreadable(text, 'TYPE=0xHEX or TYPE/0xFLAGS=0xHEX')
		return { value: { type: nested.type, flags: Number(match[2] ?? 0), value: nested.value } }
	},
}

const evs: Codec<ExtendedVendorSpecific> = {
	decode(bytes, offset, length) {
		if (length < 6) return wrongLength('evs', 'at least 6 octets', length)
		const value = bytes.slice(offset + 5, offset + length)
		return { value: { vendor: readUint32(bytes, offset), type: bytes[offset + 4]!, value } }
	},
	encode(value, target, offset) {
		const at = writeUint32(value.vendor, target, offset)
		target[at] = value.type
		return copy(value.value, target, at + 1)
	},
	size: value => 5 + value.value.length,
	format: value => `${value.vendor}.${formatNested(value)}`,
	parse(text) {
		const [number = '', ...rest] = text.split('.')
		const vendor = parseUnsigned(number, 0xffffffff)
		const nested = parseNested(rest.join('.'))
		if (vendor === undefined || !nested) return unreadable(text, 'VENDOR.TYPE=0xHEX')
		return { value: { vendor, type: nested.type, value: nested.value } }
	},
}

/** RFC 2868 §3.1: tags go up to 0x1F. */
export const highestTag = 0x1f

const taggedString: Codec<TaggedString> = {
	decode(bytes, offset, length) {
		// RFC 2868 §3.3: a first octet above 0x1F is the string's own.
		const tagged = length > 0 && bytes[offset]! <= highestTag
		const text = tagged
			? string.decode(bytes, offset + 1, length - 1)
			: string.decode(bytes, offset, length)
		if ('error' in text) return text
		return { value: tagged ? { tag: bytes[offset]!, text: text.value } : { text: text.value } }
	},
	encode(value, target, offset) {
		const tag = tagOf(value)
		if (tag === undefined) return string.encode(value.text, target, offset)
		target[offset] = tag
		return string.encode(value.text, target, offset + 1)
	},
	size: value => string.size(value.text) + (tagOf(value) === undefined ? 0 : 1),
	format: value => `${value.tag ?? ''}:${string.format(value.text)}`,
	parse(text) {
		const split = parseTag(text)
		if (!split) return unreadable(text, `TAG:TEXT with a tag from 0 to ${highestTag}, or :TEXT`)
		const rest = string.parse(split.rest)
		if ('error' in rest) return rest
		return {
			value: split.tag === undefined ? { text: rest.value } : { tag: split.tag, text: rest.value },
		}
	},
}

/** Text that begins like a tag needs one in front of it. */
function tagOf(value: TaggedString): number | undefined {
	if (value.tag !== undefined) return value.tag
	return value.text !== '' && value.text.charCodeAt(0) <= highestTag ? 0 : undefined
}

function parseTag(text: string): { tag: number | undefined; rest: string } | undefined {
	const colon = text.indexOf(':')
	const tag = colon > 0 ? parseUnsigned(text.slice(0, colon), highestTag) : undefined
	if (colon < 0 || (colon > 0 && tag === undefined)) return undefined
	return { tag, rest: text.slice(colon + 1) }
}

const taggedInteger: Codec<TaggedInteger> = {
	decode(bytes, offset, length) {
		if (length !== 4) return wrongLength('tagged integer', '4 octets', length)
		const tag = bytes[offset]!
		if (tag > highestTag) return { error: `tag ${tag} is above ${highestTag}` }
		return { value: { tag, value: readUint32(bytes, offset) & 0xffffff } }
	},
	encode: (value, target, offset) =>
		writeUint32(((value.tag << 24) | value.value) >>> 0, target, offset),
	size: () => 4,
	format: value => `${value.tag === 0 ? '' : value.tag}:${value.value}`,
	parse(text) {
		const split = parseTag(text)
		const value = split ? parseUnsigned(split.rest, 0xffffff) : undefined
		if (!split || value === undefined) {
			return unreadable(text, `TAG:NUMBER with a tag from 0 to ${highestTag}, or :NUMBER`)
		}
		return { value: { tag: split.tag ?? 0, value } }
	},
}

/** The codec of every type. */
export const codecs: { readonly [T in ValueType]: Codec<ValueTypes[T]> } = {
	string,
	octets,
	abinary: octets,
	ipaddr,
	ipv4prefix,
	ipv6addr,
	ipv6prefix,
	'combo-ip': comboIp,
	byte: unsigned('byte', 1),
	short: unsigned('short', 2),
	integer,
	integer64,
	signed,
	date,
	ifid,
	ether,
	tlv,
	vsa,
	extended,
	'long-extended': longExtended,
	evs,
	'tagged-string': taggedString,
	'tagged-integer': taggedInteger,
}

/** A codec whose type is known only at run time. */
export function codecOf(type: ValueType): Codec<unknown> {
	return codecs[type] as Codec<unknown>
}

/** Types whose values are numbers that a dictionary may name. */
export function isNumeric(type: ValueType): boolean {
	return numericLimit(type) > 0
}

/** The largest number of a type that a dictionary may name; 0 for other types. */
export function numericLimit(type: ValueType): number {
	switch (type) {
		case 'byte':
			return 0xff
		case 'short':
			return 0xffff
		case 'tagged-integer':
			return 0xffffff
		case 'signed':
			return 0x7fffffff
		case 'integer':
		case 'date':
			return 0xffffffff
		case 'integer64':
			return Number.MAX_SAFE_INTEGER
		default:
			return 0
	}
}
