/**
 * Attributes as lines of text for people: names, nested attributes, named values; what is secret
 * stays out. Not for the packet path.
 */
import {
	type Attribute,
	type Dictionary,
	formatValue,
	type Vendor,
	wireType,
} from './dictionary.ts'
import { readUint32 } from './packet.ts'
import { codecOf, formatHex } from './value.ts'

/** What is described, and what its numbers mean. */
type Source = { readonly dictionary: Dictionary; readonly bytes: Uint8Array }

/** What stands in place of a secret value. */
export const hiddenValue = '<hidden>'

/**
 * `Name = value` for each attribute from `offset` to `end`, nested ones one by one; those that no
 * dictionary has as `Attr-26.4874.250 = 0x...`. What cannot be read is in octets, with the reason.
 */
export function describeAttributes(
	dictionary: Dictionary,
	bytes: Uint8Array,
	offset: number,
	end: number,
): string[] {
	return describeList({ dictionary, bytes }, [], offset, end)
}

/** A sequence of type, length, value, where the length counts itself and the type. */
function describeList(
	source: Source,
	outer: readonly number[],
	offset: number,
	end: number,
): string[] {
	const { bytes } = source
	const lines: string[] = []
	for (let at = offset; at < end; ) {
		const size = at + 1 < end ? bytes[at + 1]! : 0
		if (size < 2 || at + size > end) {
			const reason = 'no attribute has such a length'
			return [...lines, ...describeOctets(source, outer, at, end - at, reason)]
		}
		lines.push(...describeOne(source, [...outer, bytes[at]!], at + 2, size - 2))
		at += size
	}
	return lines
}

function describeOne(
	source: Source,
	path: readonly number[],
	offset: number,
	length: number,
): string[] {
	const { bytes, dictionary } = source
	const attribute = dictionary.byPath.get(path.join('.'))
	const end = offset + length
	if (!attribute) return describeOctets(source, path, offset, length)
	switch (attribute.type) {
		case 'tlv':
			return describeList(source, path, offset, end)
		case 'vsa':
			return describeVendor(source, path, offset, length)
		case 'extended':
			if (length < 2) break
			return describeOne(source, [...path, bytes[offset]!], offset + 1, length - 1)
		case 'long-extended':
			// A fragment (RFC 6929 §2.2, More) has no value of its own.
			if (length < 3 || (bytes[offset + 1]! & 0x80) !== 0) break
			return describeOne(source, [...path, bytes[offset]!], offset + 2, length - 2)
		case 'evs': {
			if (length < 6) break
			const inner = [...path, readUint32(bytes, offset), bytes[offset + 4]!]
			return describeOne(source, inner, offset + 5, length - 5)
		}
	}
	return [`${attribute.name} = ${valueText(attribute, bytes, offset, length)}`]
}

function valueText(
	attribute: Attribute,
	bytes: Uint8Array,
	offset: number,
	length: number,
): string {
	if (attribute.secret) return hiddenValue
	const decoded = codecOf(wireType(attribute)).decode(bytes, offset, length)
	const octets = `0x${formatHex(bytes, offset, length)}`
	if ('error' in decoded) return `${octets} (${decoded.error})`
	if (attribute.length !== undefined && attribute.length !== length) {
		return `${octets} (${attribute.name} has ${attribute.length} octets, not ${length})`
	}
	return formatValue(attribute, decoded.value)
}

function describeOctets(
	source: Source,
	path: readonly number[],
	offset: number,
	length: number,
	reason?: string,
): string[] {
	const octets = `0x${formatHex(source.bytes, offset, length)}`
	const name = `Attr${path.length > 0 ? `-${path.join('.')}` : ''}`
	return [`${name} = ${octets}${reason ? ` (${reason})` : ''}`]
}

/** RFC 2865 §5.26, with the vendor's own framing. */
function describeVendor(
	source: Source,
	outer: readonly number[],
	offset: number,
	length: number,
): string[] {
	const { bytes, dictionary } = source
	if (length < 5) return describeOctets(source, outer, offset, length)
	const number = readUint32(bytes, offset)
	const path = [...outer, number]
	const vendor = dictionary.vendors.get(number)
	const end = offset + length
	if (!vendor) return describeOctets(source, path, offset + 4, length - 4)
	const header = vendor.typeOctets + vendor.lengthOctets + (vendor.continuation ? 1 : 0)
	const lines: string[] = []
	for (let at = offset + 4; at < end; ) {
		const size = vendorSize(vendor, bytes, at, end)
		if (size < header || at + size > end) {
			const reason = `not framed as ${vendor.name} does`
			return [...lines, ...describeOctets(source, path, at, end - at, reason)]
		}
		const type = readNumber(bytes, at, vendor.typeOctets)
		lines.push(...describeOne(source, [...path, type], at + header, size - header))
		at += size
	}
	return lines
}

/** Octets of the vendor's attribute at `at`; 0 where its header is cut off. */
function vendorSize(vendor: Vendor, bytes: Uint8Array, at: number, end: number): number {
	const valueAt = at + vendor.typeOctets + vendor.lengthOctets
	if (valueAt > end) return 0
	if (vendor.lengthOctets === 0) return end - at
	return readNumber(bytes, at + vendor.typeOctets, vendor.lengthOctets)
}

function readNumber(bytes: Uint8Array, at: number, octets: number): number {
	let number = 0
	for (let index = 0; index < octets; index++) number = number * 256 + bytes[at + index]!
	return number
}
