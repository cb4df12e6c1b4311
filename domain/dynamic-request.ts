/**
 * Disconnect- and CoA-Requests on the wire (RFC 5176), in both directions: as RADIUS servers send
 * them to the relay, and as the relay sends them to access points. Rare enough to be plain.
 */
import { formatIpv4 } from './address.ts'
import { errorCause, type Identification, type Verdict } from './disconnect.ts'
import type { DynamicDiscardReason, DynamicRequest, ResponseDiscardReason } from './event.ts'
import { attribute } from './radius/attribute.ts'
import { lengthFits } from './radius/attribute-rules.ts'
import {
	signAccountingRequest,
	signResponse,
	verifyAccountingRequest,
	verifyMessageAuthenticator,
	verifyResponse,
	verifyResponseMessageAuthenticator,
} from './radius/authenticator.ts'
import type { Md5Key } from './radius/md5.ts'
import {
	appendAttribute,
	checkPacket,
	codes,
	findAttribute,
	headerLength,
	maximumLength,
	packetLength,
	readText,
	readTextOrHex,
	readUint32,
} from './radius/packet.ts'
import { normaliseMac, parseCalledStation } from './radius/station-id.ts'

/** RFC 5176 §6.3: an Event-Timestamp further from now than this may be a replay. */
const timeWindowMs = 300_000

/** A request whose sender is proven, and what it asks. */
export type GenuineRequest = {
	readonly kind: 'request'
	readonly request: DynamicRequest
	readonly asked: Identification
	/** Error-Cause of what is wrong with it. */
	readonly fault: number | undefined
}
type Discarded = { readonly kind: 'discard'; readonly reason: DynamicDiscardReason }

/** Judges a datagram of `datagramLength` octets; `now` in milliseconds since 1970. */
export function examineDynamicRequest(
	bytes: Uint8Array,
	datagramLength: number,
	key: Md5Key,
	now: number,
): GenuineRequest | Discarded {
	if (checkPacket(bytes, datagramLength) !== 'ok') return discard('malformed')
	const request = requestOf(bytes[0]!)
	if (request === 'other') return discard('invalid')
	const length = packetLength(bytes)
	if (!verifyAccountingRequest(bytes, length, key)) return discard('bad-authenticator')
	const signatureAt = findAttribute(bytes, length, attribute.messageAuthenticator)
	if (signatureAt !== -1) {
		const whole = bytes[signatureAt + 1] === 18
		if (!whole || !verifyMessageAuthenticator(bytes, length, key, signatureAt + 2)) {
			return discard('bad-authenticator')
		}
	}
	const stampAt = findAttribute(bytes, length, attribute.eventTimestamp)
	if (stampAt !== -1 && bytes[stampAt + 1] === 6) {
		const off = Math.abs(readUint32(bytes, stampAt + 2) * 1000 - now)
		if (off > timeWindowMs) return discard('stale')
	}
	return { kind: 'request', request, ...readIdentification(bytes, length) }
}

function discard(reason: DynamicDiscardReason): Discarded {
	return { kind: 'discard', reason }
}

export function requestOf(code: number): DynamicRequest | 'other' {
	if (code === codes.disconnectRequest) return 'disconnect'
	return code === codes.coaRequest ? 'change-of-authorization' : 'other'
}

/** Whose value is looked at; any of them may stand there once (RFC 5176 §3.6). */
const once: ReadonlySet<number> = new Set([
	attribute.userName,
	attribute.nasIpAddress,
	attribute.framedIpAddress,
	attribute.calledStationId,
	attribute.callingStationId,
	attribute.nasIdentifier,
	attribute.acctSessionId,
	attribute.acctMultiSessionId,
	attribute.eventTimestamp,
	attribute.messageAuthenticator,
])

/**
 * RFC 5176 §2.3: every attribute is mandatory, so one that the relay could only ignore is refused.
 * That leaves a change of authorization nothing to change.
 */
function readIdentification(
	bytes: Uint8Array,
	length: number,
): { asked: Identification; fault: number | undefined } {
	const asked: { -readonly [K in keyof Identification]: Identification[K] } = {}
	const seen = new Set<number>()
	let invalid = false
	let unsupported = false
	let service = false
	for (let at = headerLength; at < length; at += bytes[at + 1]!) {
		const type = bytes[at]!
		if (type === attribute.proxyState) continue
		if (type === attribute.serviceType) service = true
		if (!once.has(type)) unsupported = true
		else if (seen.has(type) || !lengthFits(type, bytes[at + 1]!)) invalid = true
		else if (!readInto(asked, bytes, at)) invalid = true
		seen.add(type)
	}
	if (invalid) return { asked, fault: errorCause.invalidRequest }
	// RFC 5176 §3.2, and §3.5: this one answers no Disconnect-Request.
	if (service && bytes[0] === codes.coaRequest) {
		return { asked, fault: errorCause.unsupportedService }
	}
	if (unsupported) return { asked, fault: errorCause.unsupportedAttribute }
	// JunosE: one of the two must be there, whatever else identifies the session.
	const named = asked.session !== undefined || asked.multiSession !== undefined
	return { asked, fault: named ? undefined : errorCause.missingAttribute }
}

/** Reads the attribute at `at`; false when its value cannot be one. */
function readInto(
	asked: { -readonly [K in keyof Identification]: Identification[K] },
	bytes: Uint8Array,
	at: number,
): boolean {
	const begin = at + 2
	const size = bytes[at + 1]! - 2
	switch (bytes[at]) {
		case attribute.userName:
			asked.user = readText(bytes, begin, size)
			return size > 0
		case attribute.nasIpAddress:
			asked.nasAddress = formatIpv4(readUint32(bytes, begin))
			return true
		case attribute.framedIpAddress:
			asked.address = formatIpv4(readUint32(bytes, begin))
			return true
		case attribute.nasIdentifier:
			asked.nasIdentifier = readText(bytes, begin, size)
			return size > 0
		case attribute.calledStationId:
			asked.wap = parseCalledStation(bytes, begin, size).wap
			return true
		case attribute.callingStationId: {
			const mac = normaliseMac(bytes, begin, size)
			if (mac !== undefined) asked.mac = mac
			return mac !== undefined
		}
		case attribute.acctSessionId:
			asked.session = readTextOrHex(bytes, begin, size)
			return size > 0
		case attribute.acctMultiSessionId:
			asked.multiSession = readTextOrHex(bytes, begin, size)
			return size > 0
		default:
			return true
	}
}

/**
 * Writes the answer to `request` into `target` and returns its octets: signed as the request was,
 * with its Proxy-States in their order, and with Error-Cause in a refusal (RFC 5176 §3.1, §3.5).
 */
export function writeDynamicAnswer(
	request: Uint8Array,
	target: Uint8Array,
	verdict: Verdict,
	key: Md5Key,
): number {
	const length = packetLength(request)
	const disconnect = request[0] === codes.disconnectRequest
	const ack = disconnect ? codes.disconnectAck : codes.coaAck
	const nak = disconnect ? codes.disconnectNak : codes.coaNak
	target[0] = verdict.accepted ? ack : nak
	target[1] = request[1]!
	let end = headerLength
	let signatureAt = -1
	if (findAttribute(request, length, attribute.messageAuthenticator) !== -1) {
		signatureAt = end + 2
		end = appendAttribute(target, end, attribute.messageAuthenticator, zeros, 0, 16)
	}
	let at = findAttribute(request, length, attribute.proxyState)
	while (at !== -1) {
		const size = request[at + 1]!
		end = appendAttribute(target, end, attribute.proxyState, request, at + 2, size - 2)
		at = findAttribute(request, length, attribute.proxyState, at + size)
	}
	// Left out where Proxy-States fill the packet: the code says the same.
	if (!verdict.accepted && end + 6 <= maximumLength) {
		end = appendAttribute(target, end, attribute.errorCause, uint32(verdict.errorCause), 0, 4)
	}
	writeLength(target, end)
	signResponse(target, end, request, 4, key, signatureAt)
	return end
}

const zeros = new Uint8Array(16)

function uint32(value: number): Uint8Array {
	return Uint8Array.of(value >>> 24, value >>> 16, value >>> 8, value)
}

function writeLength(target: Uint8Array, length: number): void {
	target[2] = length >>> 8
	target[3] = length & 255
}

/** Octets that a Disconnect-Request to an access point has at most. */
export const disconnectRequestOctets = 512

/**
 * Writes the Disconnect-Request for an access point into `target` and returns its octets. No more
 * than identifies the session: an access point must refuse what it does not know. `at`:
 * milliseconds, for Event-Timestamp.
 */
export function writeDisconnectRequest(
	target: Uint8Array,
	identifier: number,
	session: { readonly mac: string; readonly accounting: string | undefined },
	at: number,
	key: Md5Key,
): number {
	target[0] = codes.disconnectRequest
	target[1] = identifier
	let end = headerLength
	const signatureAt = end + 2
	end = appendAttribute(target, end, attribute.messageAuthenticator, zeros, 0, 16)
	end = appendText(target, end, attribute.callingStationId, utf8.encode(session.mac))
	if (session.accounting !== undefined) {
		end = appendText(target, end, attribute.acctSessionId, octetsOf(session.accounting))
	}
	const seconds = uint32(Math.floor(at / 1000))
	end = appendAttribute(target, end, attribute.eventTimestamp, seconds, 0, 4)
	writeLength(target, end)
	signAccountingRequest(target, end, key, signatureAt)
	return end
}

const utf8 = new TextEncoder()

function appendText(target: Uint8Array, at: number, type: number, value: Uint8Array): number {
	return appendAttribute(target, at, type, value, 0, value.length)
}

/** The octets that `readTextOrHex` made this text of. */
function octetsOf(text: string): Uint8Array {
	if (!text.startsWith('0x')) return utf8.encode(text)
	const octets = new Uint8Array((text.length - 2) / 2)
	for (let i = 0; i < octets.length; i++) {
		octets[i] = Number.parseInt(text.slice(2 + 2 * i, 4 + 2 * i), 16)
	}
	return octets
}

export type DisconnectAnswer =
	| { readonly kind: 'ack' }
	| { readonly kind: 'nak'; readonly errorCause: number | undefined }
	| { readonly kind: 'discard'; readonly reason: ResponseDiscardReason }

/** Judges an access point's answer to the Disconnect-Request in `request`. */
export function examineDisconnectAnswer(
	bytes: Uint8Array,
	datagramLength: number,
	request: Uint8Array,
	key: Md5Key,
): DisconnectAnswer {
	if (checkPacket(bytes, datagramLength) !== 'ok') return { kind: 'discard', reason: 'malformed' }
	const length = packetLength(bytes)
	const forged = { kind: 'discard', reason: 'bad-authenticator' } as const
	if (!verifyResponse(bytes, length, request, 4, key)) return forged
	const signatureAt = findAttribute(bytes, length, attribute.messageAuthenticator)
	if (signatureAt !== -1) {
		if (bytes[signatureAt + 1] !== 18) return forged
		const at = signatureAt + 2
		if (!verifyResponseMessageAuthenticator(bytes, length, request, 4, key, at)) return forged
	}
	switch (bytes[0]) {
		case codes.disconnectAck:
			return { kind: 'ack' }
		case codes.disconnectNak: {
			const at = findAttribute(bytes, length, attribute.errorCause)
			const whole = at !== -1 && bytes[at + 1] === 6
			return { kind: 'nak', errorCause: whole ? readUint32(bytes, at + 2) : undefined }
		}
		default:
			return { kind: 'discard', reason: 'unexpected-code' }
	}
}
