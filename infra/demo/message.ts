/** Making and reading the packets of the demo's two ends, with the codec of the relay. */
import { attribute, vendor } from '../../domain/radius/attribute.ts'
import {
	signAccessRequest,
	signAccountingRequest,
	signResponse,
} from '../../domain/radius/authenticator.ts'
import type { Md5Key } from '../../domain/radius/md5.ts'
import {
	appendAttribute,
	codes,
	findAttribute,
	headerLength,
	maximumLength,
	maximumValueLength,
	packetLength,
} from '../../domain/radius/packet.ts'

/** A packet in the making. */
export type Message = { readonly bytes: Uint8Array; length: number }

const authenticatorAt = 4
const signatureLength = 16
const text = new TextEncoder()

/** `signed`: Message-Authenticator stands first, as CVE-2024-3596 has taught. */
export function newMessage(code: number, identifier: number, signed: boolean): Message {
	const message = { bytes: new Uint8Array(maximumLength), length: headerLength }
	message.bytes[0] = code
	message.bytes[1] = identifier
	crypto.getRandomValues(message.bytes.subarray(authenticatorAt, headerLength))
	if (signed) addOctets(message, attribute.messageAuthenticator, new Uint8Array(signatureLength))
	return message
}

/** Adds a value; what one attribute cannot carry goes on in the next (RFC 3579 §3.1). */
export function addOctets(message: Message, type: number, value: Uint8Array): void {
	let from = 0
	do {
		const size = Math.min(value.length - from, maximumValueLength)
		message.length = appendAttribute(message.bytes, message.length, type, value, from, size)
		from += size
	} while (from < value.length)
}

export function addText(message: Message, type: number, value: string): void {
	addOctets(message, type, text.encode(value))
}

export function addNumber(message: Message, type: number, value: number): void {
	addOctets(message, type, uint32(value))
}

/** A text attribute of Juniper's E Series (RFC 2865 §5.26). */
export function addErxText(message: Message, vendorType: number, value: string): void {
	const octets = text.encode(value)
	const head = [...uint32(vendor.juniperErx), vendorType, octets.length + 2]
	addOctets(message, attribute.vendorSpecific, Uint8Array.from([...head, ...octets]))
}

function uint32(value: number): Uint8Array {
	return Uint8Array.of(value >>> 24, value >>> 16, value >>> 8, value)
}

/** The octets of a finished request. */
export function signedRequest(message: Message, key: Md5Key): Uint8Array {
	const { bytes, length } = sized(message)
	const at = signatureAt(bytes, length)
	const isDisconnect = bytes[0] === codes.disconnectRequest
	// RFC 5176 §3: signed as accounting is.
	if (isDisconnect || bytes[0] === codes.accountingRequest) {
		signAccountingRequest(bytes, length, key, at)
	} else if (at !== -1) signAccessRequest(bytes, length, key, at)
	return bytes.subarray(0, length)
}

/** The octets of a finished answer to a request. */
export function signedAnswer(message: Message, request: Uint8Array, key: Md5Key): Uint8Array {
	const { bytes, length } = sized(message)
	signResponse(bytes, length, request, authenticatorAt, key, signatureAt(bytes, length))
	return bytes.subarray(0, length)
}

function sized(message: Message): Message {
	message.bytes[2] = message.length >> 8
	message.bytes[3] = message.length
	return message
}

/** Where the value of Message-Authenticator is; -1 without one. */
export function signatureAt(bytes: Uint8Array, length: number): number {
	const at = findAttribute(bytes, length, attribute.messageAuthenticator)
	return at === -1 ? -1 : at + 2
}

/** The Request Authenticator. */
export function authenticatorOf(bytes: Uint8Array): Uint8Array {
	return bytes.subarray(authenticatorAt, headerLength)
}

/** The first value of a type in a checked packet. */
export function octetsOf(bytes: Uint8Array, type: number): Uint8Array | undefined {
	const at = findAttribute(bytes, packetLength(bytes), type)
	return at === -1 ? undefined : bytes.subarray(at + 2, at + bytes[at + 1]!)
}

export function textOf(bytes: Uint8Array, type: number): string | undefined {
	const octets = octetsOf(bytes, type)
	return octets === undefined ? undefined : new TextDecoder().decode(octets)
}

/** The EAP packet whose fragments are in the EAP-Message attributes; undefined without one. */
export function eapMessageOf(bytes: Uint8Array): Uint8Array | undefined {
	const length = packetLength(bytes)
	const octets: number[] = []
	let at = findAttribute(bytes, length, attribute.eapMessage)
	while (at !== -1) {
		octets.push(...bytes.subarray(at + 2, at + bytes[at + 1]!))
		at = findAttribute(bytes, length, attribute.eapMessage, at + bytes[at + 1]!)
	}
	return octets.length === 0 ? undefined : Uint8Array.from(octets)
}
