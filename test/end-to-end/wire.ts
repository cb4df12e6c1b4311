/**
 * RADIUS on the wire, for the tests alone and written apart from `domain/radius` on purpose:
 * a mistake there is not repeated here. Plain and slow, with `node:crypto`.
 */
import { createHash, createHmac, randomBytes } from 'node:crypto'

export type Attribute = { readonly type: number; readonly value: Buffer }
export type Packet = {
	readonly code: number
	readonly identifier: number
	readonly authenticator: Buffer
	readonly attributes: readonly Attribute[]
	readonly bytes: Buffer
}

export const code = {
	accessRequest: 1,
	accessAccept: 2,
	accessReject: 3,
	accountingRequest: 4,
	accountingResponse: 5,
	accessChallenge: 11,
	statusServer: 12,
} as const

/** The attributes that the tests name; numbers of RFC 2865, 2866 and 2869. */
export const type = {
	userName: 1,
	userPassword: 2,
	chapPassword: 3,
	nasIpAddress: 4,
	replyMessage: 18,
	state: 24,
	class: 25,
	vendorSpecific: 26,
	calledStationId: 30,
	callingStationId: 31,
	nasIdentifier: 32,
	proxyState: 33,
	acctStatusType: 40,
	acctSessionId: 44,
	chapChallenge: 60,
	tunnelPassword: 69,
	eapMessage: 79,
	messageAuthenticator: 80,
} as const

const zero = Buffer.alloc(16)

function md5(...parts: Buffer[]): Buffer {
	return createHash('md5').update(Buffer.concat(parts)).digest()
}

export function attribute(number: number, value: Buffer | string | number): Attribute {
	if (typeof value !== 'number') return { type: number, value: Buffer.from(value) }
	const octets = Buffer.alloc(4)
	octets.writeUInt32BE(value)
	return { type: number, value: octets }
}

export function vendorAttribute(vendor: number, number: number, value: Buffer | string): Attribute {
	const octets = Buffer.from(value)
	const head = Buffer.alloc(6)
	head.writeUInt32BE(vendor)
	head[4] = number
	head[5] = octets.length + 2
	return { type: type.vendorSpecific, value: Buffer.concat([head, octets]) }
}

export function encode(
	packetCode: number,
	identifier: number,
	authenticator: Buffer,
	attributes: readonly Attribute[],
): Buffer {
	const body = attributes.map(a =>
		Buffer.concat([Buffer.from([a.type, a.value.length + 2]), a.value]),
	)
	const head = Buffer.alloc(4)
	head[0] = packetCode
	head[1] = identifier
	head.writeUInt16BE(20 + body.reduce((sum, octets) => sum + octets.length, 0), 2)
	return Buffer.concat([head, authenticator, ...body])
}

export function decode(bytes: Buffer): Packet {
	const attributes: Attribute[] = []
	for (let at = 20; at < bytes.readUInt16BE(2); at += bytes[at + 1]!) {
		attributes.push({ type: bytes[at]!, value: bytes.subarray(at + 2, at + bytes[at + 1]!) })
	}
	return {
		code: bytes[0]!,
		identifier: bytes[1]!,
		authenticator: bytes.subarray(4, 20),
		attributes,
		bytes,
	}
}

/** Fills in the (zero) Message-Authenticator of a packet whose field Authenticator is final. */
function seal(bytes: Buffer, secret: string): Buffer {
	let at = 20
	while (at < bytes.length && bytes[at] !== type.messageAuthenticator) at += bytes[at + 1]!
	if (at < bytes.length)
		createHmac('md5', secret)
			.update(bytes)
			.digest()
			.copy(bytes, at + 2)
	return bytes
}

export const emptyMessageAuthenticator: Attribute = {
	type: type.messageAuthenticator,
	value: zero,
}

/** Signs a Message-Authenticator if `attributes` has an empty one (RFC 3579 §3.2). */
export function accessRequest(
	secret: string,
	identifier: number,
	attributes: readonly Attribute[],
	authenticator: Buffer = randomBytes(16),
): Packet {
	const bytes = encode(code.accessRequest, identifier, authenticator, attributes)
	return decode(seal(bytes, secret))
}

/** RFC 5997 §3: like an Access-Request with nothing but Message-Authenticator. */
export function statusServer(secret: string, identifier: number): Packet {
	const bytes = encode(code.statusServer, identifier, randomBytes(16), [emptyMessageAuthenticator])
	return decode(seal(bytes, secret))
}

/** RFC 2866 §3: the Request Authenticator is a digest over 16 zero octets in its place. */
export function accountingRequest(
	secret: string,
	identifier: number,
	attributes: readonly Attribute[],
): Packet {
	const bytes = encode(code.accountingRequest, identifier, zero, attributes)
	md5(bytes, Buffer.from(secret)).copy(bytes, 4)
	return decode(bytes)
}

/** RFC 2865 §3. An Access answer begins with Message-Authenticator. */
export function answer(
	request: Packet,
	answerCode: number,
	attributes: readonly Attribute[],
	secret: string,
): Buffer {
	const signed = answerCode === code.accountingResponse ? [] : [emptyMessageAuthenticator]
	const bytes = encode(answerCode, request.identifier, request.authenticator, [
		...signed,
		...attributes,
	])
	md5(seal(bytes, secret), Buffer.from(secret)).copy(bytes, 4)
	return bytes
}

/** What is wrong with an answer, as its client sees it; undefined when nothing is. */
export function faultOf(bytes: Buffer, request: Packet, secret: string): string | undefined {
	if (bytes[1] !== request.identifier) return 'another identifier'
	const asSigned = Buffer.from(bytes)
	request.authenticator.copy(asSigned, 4)
	if (!md5(asSigned, Buffer.from(secret)).equals(bytes.subarray(4, 20)))
		return 'wrong Response Authenticator'
	if (bytes[0] === code.accountingResponse) return undefined
	const packet = decode(bytes)
	const first = packet.attributes[0]
	if (first?.type !== type.messageAuthenticator) return 'Message-Authenticator is not first'
	zero.copy(asSigned, 22)
	return createHmac('md5', secret).update(asSigned).digest().equals(first.value)
		? undefined
		: 'wrong Message-Authenticator'
}

/** Whether a request's Message-Authenticator is its first attribute and valid. */
export function signedFirst(request: Packet, secret: string): boolean {
	if (request.attributes[0]?.type !== type.messageAuthenticator) return false
	const blank = Buffer.from(request.bytes)
	zero.copy(blank, 22)
	return createHmac('md5', secret).update(blank).digest().equals(request.attributes[0].value)
}

/** RFC 2865 §5.2, both ways alike but for what the chain runs over: here for hiding. */
export function hidePassword(password: string, secret: string, authenticator: Buffer): Buffer {
	const clear = Buffer.alloc(Math.max(16, Math.ceil(Buffer.byteLength(password) / 16) * 16))
	clear.write(password)
	let previous = authenticator
	for (let at = 0; at < clear.length; at += 16) {
		const pad = md5(Buffer.from(secret), previous)
		for (let i = 0; i < 16; i++) clear[at + i]! ^= pad[i]!
		previous = clear.subarray(at, at + 16)
	}
	return clear
}

export function revealPassword(hidden: Buffer, secret: string, authenticator: Buffer): string {
	const clear = Buffer.from(hidden)
	for (let at = 0; at < hidden.length; at += 16) {
		const previous = at === 0 ? authenticator : hidden.subarray(at - 16, at)
		const pad = md5(Buffer.from(secret), previous)
		for (let i = 0; i < 16; i++) clear[at + i]! ^= pad[i]!
	}
	return clear.toString().replace(/\0+$/, '')
}

export function valuesOf(packet: Packet, number: number): Buffer[] {
	return packet.attributes.filter(a => a.type === number).map(a => a.value)
}
