/**
 * How packets change on their way through the relay. Everything that is bound to one hop (the
 * identifier, authenticators, hidden attributes) is made anew with the next hop's secret; every
 * other attribute passes as it is and in its order.
 */
import type { Service } from './configuration.ts'
import { attribute, erx, vendor } from './radius/attribute.ts'
import {
	signAccessRequest,
	signAccountingRequest,
	signResponse,
	verifyResponse,
	verifyResponseMessageAuthenticator,
} from './radius/authenticator.ts'
import { type HiddenAttributes, hiding } from './radius/dictionary.ts'
import { rehideSalted, rehideUserPassword } from './radius/hidden.ts'
import type { Md5Key } from './radius/md5.ts'
import {
	checkPacket,
	codes,
	headerLength,
	maximumLength,
	packetLength,
	readUint32,
} from './radius/packet.ts'
import { type AttributeIndex, indexAttributes } from './request.ts'

const messageAuthenticatorSize = 18
export const radiusClientAddressSize = 12
/** Offset of the value of a Message-Authenticator that is the first attribute. */
const signatureValueAt = headerLength + 2

function copy(
	target: Uint8Array,
	at: number,
	source: Uint8Array,
	from: number,
	length: number,
): void {
	// `set(subarray)` costs more than this loop for the lengths that RADIUS has.
	for (let i = 0; i < length; i++) target[at + i] = source[from + i]!
}

function writeLength(target: Uint8Array, length: number): void {
	target[2] = length >>> 8
	target[3] = length & 255
}

/**
 * Writes a zeroed Message-Authenticator as the first attribute: first, because an attacker who
 * searches for collisions must not choose what stands before it (CVE-2024-3596).
 */
function beginWithMessageAuthenticator(target: Uint8Array): number {
	target[headerLength] = attribute.messageAuthenticator
	target[headerLength + 1] = messageAuthenticatorSize
	target.fill(0, signatureValueAt, signatureValueAt + 16)
	return headerLength + messageAuthenticatorSize
}

/**
 * Writes the Access-Request for the next hop into `target` and returns its length, or 0 when it
 * would be longer than a RADIUS packet can be. `index` describes `bytes`; `authenticator` holds 16
 * unpredictable octets at `authenticatorAt` (RFC 2865 §3).
 */
export function forwardAccessRequest(
	bytes: Uint8Array,
	length: number,
	index: AttributeIndex,
	fromKey: Md5Key,
	target: Uint8Array,
	identifier: number,
	toKey: Md5Key,
	authenticator: Uint8Array,
	authenticatorAt: number,
): number {
	const { first } = index
	// CHAP without CHAP-Challenge uses the Request Authenticator as its challenge (RFC 2865 §5.3).
	const needsChallenge = first[attribute.chapPassword] !== 0 && first[attribute.chapChallenge] === 0
	const oldSignatureAt = first[attribute.messageAuthenticator]!
	const total =
		length +
		(oldSignatureAt === 0 ? messageAuthenticatorSize : 0) +
		(needsChallenge ? messageAuthenticatorSize : 0)
	if (total > maximumLength) return 0

	target[0] = codes.accessRequest
	target[1] = identifier
	writeLength(target, total)
	copy(target, 4, authenticator, authenticatorAt, 16)
	let at = beginWithMessageAuthenticator(target)
	const before = (oldSignatureAt === 0 ? length : oldSignatureAt) - headerLength
	copy(target, at, bytes, headerLength, before)
	at += before
	if (oldSignatureAt !== 0) {
		const rest = oldSignatureAt + messageAuthenticatorSize
		copy(target, at, bytes, rest, length - rest)
		at += length - rest
	}
	const passwordAt = first[attribute.userPassword]!
	if (passwordAt !== 0) {
		const shift = oldSignatureAt === 0 || passwordAt < oldSignatureAt ? messageAuthenticatorSize : 0
		const valueLength = bytes[passwordAt + 1]! - 2
		const valueAt = passwordAt + shift + 2
		rehideUserPassword(target, valueAt, valueLength, fromKey, bytes, 4, toKey, target, 4)
	}
	if (needsChallenge) {
		target[at] = attribute.chapChallenge
		target[at + 1] = messageAuthenticatorSize
		copy(target, at + 2, bytes, 4, 16)
	}
	signAccessRequest(target, total, toKey, signatureValueAt)
	return total
}

/**
 * Writes the Accounting-Request for the next hop and returns its length, or 0 when it would be too
 * long. Radius-Client-Address [26-52] is appended with `relayAddress`: its last
 * `radiusClientAddressSize` octets.
 */
export function forwardAccountingRequest(
	bytes: Uint8Array,
	length: number,
	index: AttributeIndex,
	target: Uint8Array,
	identifier: number,
	toKey: Md5Key,
	relayAddress: number,
): number {
	const oldSignatureAt = index.first[attribute.messageAuthenticator]!
	const total =
		length - (oldSignatureAt === 0 ? 0 : messageAuthenticatorSize) + radiusClientAddressSize
	if (total > maximumLength) return 0

	target[0] = codes.accountingRequest
	target[1] = identifier
	writeLength(target, total)
	let at = headerLength
	const before = (oldSignatureAt === 0 ? length : oldSignatureAt) - headerLength
	copy(target, at, bytes, headerLength, before)
	at += before
	if (oldSignatureAt !== 0) {
		// Optional in accounting, where the Request Authenticator is a signature already: left out.
		const rest = oldSignatureAt + messageAuthenticatorSize
		copy(target, at, bytes, rest, length - rest)
		at += length - rest
	}
	writeRadiusClientAddress(target, at, relayAddress)
	signAccountingRequest(target, total, toKey)
	return total
}

function writeRadiusClientAddress(target: Uint8Array, at: number, address: number): void {
	target[at] = attribute.vendorSpecific
	target[at + 1] = radiusClientAddressSize
	target[at + 2] = 0
	target[at + 3] = 0
	target[at + 4] = vendor.juniperErx >>> 8
	target[at + 5] = vendor.juniperErx & 255
	target[at + 6] = erx.radiusClientAddress
	target[at + 7] = 6
	target[at + 8] = address >>> 24
	target[at + 9] = (address >>> 16) & 255
	target[at + 10] = (address >>> 8) & 255
	target[at + 11] = address & 255
}

export type AnswerVerdict = 'answer' | 'malformed' | 'bad-authenticator' | 'unexpected-code'

/**
 * Judges an upstream server's answer to the request whose first 20 octets are `request`'s. `index`
 * describes the answer afterwards. `requireMessageAuthenticator`: the server has signed before.
 */
export function examineAnswer(
	service: Service,
	bytes: Uint8Array,
	datagramLength: number,
	request: Uint8Array,
	key: Md5Key,
	requireMessageAuthenticator: boolean,
	index: AttributeIndex,
): AnswerVerdict {
	if (checkPacket(bytes, datagramLength) !== 'ok') return 'malformed'
	const length = packetLength(bytes)
	if (!answers(bytes[0]!, request[0]!, service)) return 'unexpected-code'
	if (!indexAttributes(index, bytes, length)) return 'malformed'
	if (!verifyResponse(bytes, length, request, 4, key)) return 'bad-authenticator'
	const signatureAt = index.first[attribute.messageAuthenticator]!
	if (signatureAt === 0) {
		// RFC 3579 §3.2: an answer with EAP-Message must be signed. For the rest see CVE-2024-3596.
		const needed = requireMessageAuthenticator || index.first[attribute.eapMessage] !== 0
		return needed && service === 'authentication' ? 'bad-authenticator' : 'answer'
	}
	return verifyResponseMessageAuthenticator(bytes, length, request, 4, key, signatureAt + 2)
		? 'answer'
		: 'bad-authenticator'
}

function answers(code: number, requestCode: number, service: Service): boolean {
	if (requestCode === codes.statusServer) {
		// RFC 5997 §4.2 names one answer for each port; servers with one port for both mix them up.
		return code === codes.accessAccept || code === codes.accountingResponse
	}
	if (service === 'accounting') return code === codes.accountingResponse
	return (
		code === codes.accessAccept || code === codes.accessReject || code === codes.accessChallenge
	)
}

/** What an answer is made with for the client that asked. */
export type ClientHop = {
	readonly key: Md5Key
	readonly identifier: number
	/** The 16 octets of the client's Request Authenticator. */
	readonly authenticator: Uint8Array
}

/**
 * Writes the answer for the client into `target` and returns its length, or 0 when an attribute in
 * it cannot be carried over (a hidden value of an impossible length, an answer too long).
 * `request` is the request as it was forwarded: it has the client's Proxy-State attributes, which
 * come back unchanged and in their order whatever the server did with them (RFC 2865 §5.33).
 * `salt`: 15 unpredictable bits.
 */
export function relayAnswer(
	bytes: Uint8Array,
	length: number,
	request: Uint8Array,
	requestHasProxyState: boolean,
	fromKey: Md5Key,
	target: Uint8Array,
	client: ClientHop,
	hidden: HiddenAttributes,
	salt: number,
): number {
	const hops: Hops = { fromKey, request, client }
	const code = bytes[0]!
	target[0] = code
	target[1] = client.identifier
	const signed = code !== codes.accountingResponse
	let at = signed ? beginWithMessageAuthenticator(target) : headerLength
	let salts = salt
	for (let from = headerLength; from < length; ) {
		const type = bytes[from]!
		const size = bytes[from + 1]!
		if (type !== attribute.messageAuthenticator && type !== attribute.proxyState) {
			if (at + size > maximumLength) return 0
			copy(target, at, bytes, from, size)
			if (type === attribute.vendorSpecific || hidden.standard[type] !== hiding.none) {
				salts = rehideAttribute(target, at, size, hidden, hops, salts)
				if (salts < 0) return 0
			}
			at += size
		}
		from += size
	}
	if (requestHasProxyState) {
		at = copyProxyState(request, target, at)
		if (at === 0) return 0
	}
	writeLength(target, at)
	signResponse(target, at, client.authenticator, 0, client.key, signed ? signatureValueAt : -1)
	return at
}

/** From which hop to which a hidden value changes. */
type Hops = {
	readonly fromKey: Md5Key
	/** The request as it was forwarded: its header has the authenticator of that hop. */
	readonly request: Uint8Array
	readonly client: ClientHop
}

/**
 * Hides what is hidden in one attribute anew. Returns the next salt to use (RFC 2868 §3.5: each in
 * a packet is another), or -1 when a hidden value has a length that cannot be.
 */
function rehideAttribute(
	target: Uint8Array,
	at: number,
	size: number,
	hidden: HiddenAttributes,
	hops: Hops,
	salt: number,
): number {
	const type = target[at]!
	if (type !== attribute.vendorSpecific) {
		return rehideValue(target, at + 2, size - 2, hidden.standard[type]!, hops, salt)
	}
	if (size < 8) return salt
	const known = hidden.vendors.get(readUint32(target, at + 2))
	// Only the format that RFC 2865 §5.26 suggests is known to have hidden values on wireless links.
	if (known === undefined || known.vendor.typeOctets !== 1 || known.vendor.lengthOctets !== 1) {
		return salt
	}
	let salts = salt
	for (let sub = at + 6; sub + 2 <= at + size; sub += target[sub + 1]!) {
		const subSize = target[sub + 1]!
		// A vendor with a format of its own: nothing of it is known to be hidden.
		if (subSize < 2 || sub + subSize > at + size) break
		const how = known.types[target[sub]!] ?? hiding.none
		salts = rehideValue(target, sub + 2, subSize - 2, how, hops, salts)
		if (salts < 0) return -1
	}
	return salts
}

function rehideValue(
	target: Uint8Array,
	at: number,
	length: number,
	how: number,
	{ fromKey, request, client }: Hops,
	salt: number,
): number {
	const { key, authenticator } = client
	switch (how) {
		case hiding.password:
			return rehideUserPassword(target, at, length, fromKey, request, 4, key, authenticator, 0)
				? salt
				: -1
		case hiding.salted:
		case hiding.saltedBehindOctet: {
			const skip = how === hiding.saltedBehindOctet ? 1 : 0
			const begin = at + skip
			const rest = length - skip
			return rehideSalted(target, begin, rest, fromKey, request, 4, key, authenticator, 0, salt)
				? (salt + 1) & 0x7fff
				: -1
		}
		default:
			return salt
	}
}

/** Appends the request's Proxy-State attributes; the new end, or 0 when they do not fit. */
function copyProxyState(request: Uint8Array, target: Uint8Array, end: number): number {
	const length = packetLength(request)
	let at = end
	for (let from = headerLength; from < length; from += request[from + 1]!) {
		if (request[from] !== attribute.proxyState) continue
		const size = request[from + 1]!
		if (at + size > maximumLength) return 0
		copy(target, at, request, from, size)
		at += size
	}
	return at
}

/**
 * Writes the answer to a client's Status-Server (RFC 5997 §4): Access-Accept on the authentication
 * port, Accounting-Response on the accounting port. Returns its length.
 */
export function answerStatusServer(
	service: Service,
	request: Uint8Array,
	target: Uint8Array,
	client: ClientHop,
): number {
	target[0] = service === 'authentication' ? codes.accessAccept : codes.accountingResponse
	target[1] = client.identifier
	const at = copyProxyState(request, target, beginWithMessageAuthenticator(target))
	if (at === 0) return 0
	writeLength(target, at)
	signResponse(target, at, client.authenticator, 0, client.key, signatureValueAt)
	return at
}

/**
 * Writes a Status-Server for an upstream server: its watchdog (RFC 3539 §3.4.1, RFC 5997 §2).
 * Returns its length.
 */
export function writeStatusServer(
	target: Uint8Array,
	identifier: number,
	key: Md5Key,
	authenticator: Uint8Array,
	authenticatorAt: number,
): number {
	target[0] = codes.statusServer
	target[1] = identifier
	copy(target, 4, authenticator, authenticatorAt, 16)
	const at = beginWithMessageAuthenticator(target)
	writeLength(target, at)
	signAccessRequest(target, at, key, signatureValueAt)
	return at
}
