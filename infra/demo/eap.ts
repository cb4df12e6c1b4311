/** EAP (RFC 3748 §4) as far as EAP-MD5 needs it: both ends of the demo speak it, the relay does not. */

export const eapCodes = { request: 1, response: 2, success: 3, failure: 4 } as const
export const eapTypes = { identity: 1, md5Challenge: 4 } as const

export type Eap = {
	readonly code: number
	readonly identifier: number
	/** Success and Failure have neither type nor data: 0, and nothing. */
	readonly type: number
	readonly data: Uint8Array
}

const nothing = new Uint8Array(0)

export function encodeEap(
	code: number,
	identifier: number,
	type: number = 0,
	data: Uint8Array = nothing,
): Uint8Array {
	const length = type === 0 ? 4 : 5 + data.length
	const bytes = new Uint8Array(length)
	bytes.set([code, identifier, length >> 8, length & 255])
	if (type === 0) return bytes
	bytes[4] = type
	bytes.set(data, 5)
	return bytes
}

/** Undefined when the octets are no EAP packet. */
export function decodeEap(bytes: Uint8Array): Eap | undefined {
	if (bytes.length < 4) return undefined
	const length = (bytes[2]! << 8) | bytes[3]!
	if (length < 4 || length > bytes.length) return undefined
	const [code, identifier] = [bytes[0]!, bytes[1]!]
	if (length === 4) return { code, identifier, type: 0, data: nothing }
	return { code, identifier, type: bytes[4]!, data: bytes.subarray(5, length) }
}

/** The data of an MD5-Challenge (RFC 3748 §5.4): a size octet, then challenge or response. */
export function encodeMd5Value(value: Uint8Array): Uint8Array {
	const data = new Uint8Array(1 + value.length)
	data[0] = value.length
	data.set(value, 1)
	return data
}

export function decodeMd5Value(data: Uint8Array): Uint8Array | undefined {
	const size = data[0]
	if (size === undefined || size === 0 || data.length < 1 + size) return undefined
	return data.subarray(1, 1 + size)
}
