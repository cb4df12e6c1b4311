/**
 * Lengths that attributes can have: what is outside of them makes a packet Malformed. Only clear
 * violations count, because deployed equipment is not exact: text and octets may be empty
 * (RFC 2865 §5 forbids it, senders do it, and nobody is misled), EAP-Message is empty in EAP-Start
 * (RFC 3579 §2.1), and extended attributes judge themselves (RFC 6929 §2.1 has the packet live on).
 */
import { attribute } from './attribute.ts'
import { type Attribute, builtInDictionary } from './dictionary.ts'
import type { ValueType } from './value.ts'

const header = 2

/** Whole attributes, header included, that depart from their type's range: [least, most]. */
const exceptions: readonly (readonly [number, number, number])[] = [
	// RFC 2865 §5.2: one to eight blocks of 16 octets.
	[attribute.userPassword, 18, 130],
	// RFC 2865 §5.24: an empty State names no conversation, and would join all that are empty.
	[attribute.state, 3, 255],
	// RFC 2865 §5.26: a vendor's number and something of the vendor's.
	[attribute.vendorSpecific, 7, 255],
	// RFC 2865 §5.30, §5.31: the relay needs them, and empty ones name nobody.
	[attribute.calledStationId, 3, 255],
	[attribute.callingStationId, 3, 255],
	// RFC 2868 §3.5: tag, salt, and at least something hidden.
	[attribute.tunnelPassword, 6, 255],
]

/** Octets of a value, without header. */
function valueRange(type: ValueType): readonly [number, number] {
	switch (type) {
		case 'byte':
			return [1, 1]
		case 'short':
			return [2, 2]
		case 'integer':
		case 'signed':
		case 'date':
		case 'ipaddr':
		case 'tagged-integer':
			return [4, 4]
		case 'ether':
		case 'ipv4prefix':
			return [6, 6]
		case 'integer64':
		case 'ifid':
			return [8, 8]
		case 'ipv6addr':
			return [16, 16]
		case 'ipv6prefix':
			return [2, 18]
		case 'combo-ip':
			return [4, 16]
		case 'string':
		case 'octets':
		case 'abinary':
		case 'tlv':
		case 'vsa':
		case 'extended':
		case 'long-extended':
		case 'evs':
		case 'tagged-string':
			return [0, 253]
		default: {
			const never: never = type
			return never
		}
	}
}

function rangeOf(known: Attribute | undefined): readonly [number, number] {
	if (!known) return [header, 255]
	if (known.length !== undefined) return [header + known.length, header + known.length]
	const [least, most] = valueRange(known.type)
	return [header + least, header + most]
}

// Only the built-in table counts: an added dictionary must not make packets invalid.
const ranges = builtInDictionary.byNumber.map(rangeOf)

/** The least and the greatest Length of an attribute, header included, by its type. */
export const minimumLength: Uint8Array = Uint8Array.from(ranges, range => range[0])
export const maximumLength: Uint8Array = Uint8Array.from(ranges, range => range[1])
for (const [type, least, most] of exceptions) {
	minimumLength[type] = least
	maximumLength[type] = most
}

/** Least and greatest Length, header included, of an attribute type. */
export function lengthRange(type: number): readonly [number, number] {
	return [minimumLength[type]!, maximumLength[type]!]
}

/** Whether an attribute of this type can have this Length octet. */
export function lengthFits(type: number, length: number): boolean {
	if (length < minimumLength[type]! || length > maximumLength[type]!) return false
	return type !== attribute.userPassword || ((length - header) & 15) === 0
}
