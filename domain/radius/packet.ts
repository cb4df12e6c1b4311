/**
 * RADIUS packets where they lie: octets in a buffer, read and written in place. A packet's first
 * octet is at 0. Nothing here makes objects of attributes, and no datagram makes anything throw.
 */

/** RFC 2865 §4, RFC 2866 §4, RFC 5176 §4, RFC 5997 §4. */
export const codes = {
	accessRequest: 1,
	accessAccept: 2,
	accessReject: 3,
	accountingRequest: 4,
	accountingResponse: 5,
	accessChallenge: 11,
	statusServer: 12,
	disconnectRequest: 40,
	disconnectAck: 41,
	disconnectNak: 42,
	coaRequest: 43,
	coaAck: 44,
	coaNak: 45,
} as const

/** The standards' names of the codes. */
export const codeNames: Readonly<Record<number, string>> = {
	[codes.accessRequest]: 'Access-Request',
	[codes.accessAccept]: 'Access-Accept',
	[codes.accessReject]: 'Access-Reject',
	[codes.accountingRequest]: 'Accounting-Request',
	[codes.accountingResponse]: 'Accounting-Response',
	[codes.accessChallenge]: 'Access-Challenge',
	[codes.statusServer]: 'Status-Server',
	[codes.disconnectRequest]: 'Disconnect-Request',
	[codes.disconnectAck]: 'Disconnect-ACK',
	[codes.disconnectNak]: 'Disconnect-NAK',
	[codes.coaRequest]: 'CoA-Request',
	[codes.coaAck]: 'CoA-ACK',
	[codes.coaNak]: 'CoA-NAK',
}

/** Octets before the first attribute. */
export const headerLength = 20
/** RFC 2865 §3. */
export const maximumLength = 4096
/** What one attribute can carry beside its type and length. */
export const maximumValueLength = 253

const vendorSpecific = 26
/** Type, length and Vendor-Id. */
const vendorHeaderLength = 6

/** The Length field: how many octets a checked packet has. */
export function packetLength(bytes: Uint8Array): number {
	return (bytes[2]! << 8) | bytes[3]!
}

/**
 * Whether a datagram of `length` octets holds a packet whose attributes fill its Length exactly.
 * `short`: fewer octets than a header or than Length says. `length`: Length is below 20 or above
 * 4096. `attributes`: one is shorter than 2 or ends after the packet. Octets after Length are
 * padding and stay unread (RFC 2865 §3).
 */
export function checkPacket(
	bytes: Uint8Array,
	length: number,
): 'ok' | 'short' | 'length' | 'attributes' {
	if (length < headerLength) return 'short'
	const end = packetLength(bytes)
	if (end < headerLength || end > maximumLength) return 'length'
	if (length < end) return 'short'
	let at = headerLength
	while (at + 1 < end) {
		const size = bytes[at + 1]!
		if (size < 2) return 'attributes'
		at += size
	}
	return at === end ? 'ok' : 'attributes'
}

/**
 * Offset of the first attribute of that type at or after `from`, which is where an attribute
 * begins; -1 without one. The next one is sought from `at + bytes[at + 1]`.
 */
export function findAttribute(
	bytes: Uint8Array,
	length: number,
	type: number,
	from: number = headerLength,
): number {
	let at = from
	while (at + 2 <= length) {
		if (bytes[at] === type) return at
		const size = bytes[at + 1]!
		if (size < 2) return -1
		at += size
	}
	return -1
}

/**
 * Offset of the first sub-attribute of that vendor and type that begins at or after `from`; -1
 * without one. The next one is sought from `at + 1`. Format: RFC 2865 §5.26, type and length of
 * an octet each; content that does not fit it belongs to the vendor and is passed over.
 */
export function findVendorAttribute(
	bytes: Uint8Array,
	length: number,
	vendor: number,
	vendorType: number,
	from: number = headerLength,
): number {
	let at = findAttribute(bytes, length, vendorSpecific)
	while (at !== -1) {
		const end = at + bytes[at + 1]!
		if (end > length) return -1
		if (end > from && end - at > vendorHeaderLength && readUint32(bytes, at + 2) === vendor) {
			const found = findSubAttribute(bytes, at + vendorHeaderLength, end, vendorType, from)
			if (found !== -1) return found
		}
		at = findAttribute(bytes, length, vendorSpecific, end)
	}
	return -1
}

function findSubAttribute(
	bytes: Uint8Array,
	begin: number,
	end: number,
	vendorType: number,
	from: number,
): number {
	let at = begin
	while (at + 2 <= end) {
		const size = bytes[at + 1]!
		if (size < 2 || at + size > end) return -1
		if (at >= from && bytes[at] === vendorType) return at
		at += size
	}
	return -1
}

/**
 * Writes an attribute at `at` and returns where the next one goes. The value has at most 253
 * octets; the packet's Length field is the caller's.
 */
export function appendAttribute(
	target: Uint8Array,
	at: number,
	type: number,
	value: Uint8Array,
	valueOffset: number,
	valueLength: number,
): number {
	if (valueLength > maximumValueLength) {
		throw new RangeError(
			`Attribute ${type} cannot carry ${valueLength} octets: ${maximumValueLength} is the most. Split the value.`,
		)
	}
	target[at] = type
	target[at + 1] = valueLength + 2
	for (let i = 0; i < valueLength; i++) target[at + 2 + i] = value[valueOffset + i]!
	return at + 2 + valueLength
}

/** An unsigned 32-bit number, most significant octet first. */
export function readUint32(bytes: Uint8Array, at: number): number {
	return (
		((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0
	)
}

// A byte order mark is part of the value: dropping it would make two values one.
const utf8 = new TextDecoder('utf-8', { ignoreBOM: true })

/** UTF-8 (RFC 2865 §5, `text`); what is not becomes U+FFFD. */
export function readText(bytes: Uint8Array, offset: number, length: number): string {
	return utf8.decode(bytes.subarray(offset, offset + length))
}

/**
 * What a person could not read: controls, invisible formatting, private use, line breaks, and
 * U+FFFD, which stands for octets that are no UTF-8.
 */
const unprintable = /[\p{Cc}\p{Cf}\p{Co}\p{Zl}\p{Zp}\uFFFD]/u

/**
 * The value as text where it is printable UTF-8, else `0x` and lower-case hexadecimal digits. Text
 * that begins with `0x` is given as digits too, so that no two values read the same.
 */
export function readTextOrHex(bytes: Uint8Array, offset: number, length: number): string {
	const end = offset + length
	if (length >= 2 && bytes[offset] === 0x30 && bytes[offset + 1] === 0x78) {
		return hexadecimal(bytes, offset, end)
	}
	let ascii = true
	for (let at = offset; at < end; at++) {
		const octet = bytes[at]!
		if (octet < 0x20 || octet === 0x7f) return hexadecimal(bytes, offset, end)
		if (octet > 0x7f) ascii = false
	}
	const text = readText(bytes, offset, length)
	return ascii || !unprintable.test(text) ? text : hexadecimal(bytes, offset, end)
}

const octetDigits: readonly string[] = Array.from({ length: 256 }, (_, octet) =>
	octet.toString(16).padStart(2, '0'),
)

function hexadecimal(bytes: Uint8Array, offset: number, end: number): string {
	let text = '0x'
	for (let at = offset; at < end; at++) text += octetDigits[bytes[at]!]
	return text
}
