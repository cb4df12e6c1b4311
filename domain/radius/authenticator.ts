/**
 * Signatures of RADIUS packets: the authenticator in the header and Message-Authenticator [80].
 * Packets begin at 0 of `bytes`, have passed `checkPacket` or were made here, and are `length`
 * octets long. `messageAuthenticatorAt` and `at` are offsets of the 16-octet value, not of the
 * attribute. Verifying leaves the packet as it was.
 */
import { hmacMd5Into, type Md5Key, md5Into } from './md5.ts'
import { codes, headerLength } from './packet.ts'

const authenticatorAt = 4
const size = 16

const zeros = new Uint8Array(size)
const digest = new Uint8Array(size)
const header = new Uint8Array(size)
const signature = new Uint8Array(size)

/**
 * Completes a response to the request with that authenticator: Message-Authenticator first, where
 * there is one (RFC 3579 §3.2), then the Response Authenticator (RFC 2865 §3).
 */
export function signResponse(
	bytes: Uint8Array,
	length: number,
	requestAuthenticator: Uint8Array,
	requestAuthenticatorOffset: number,
	key: Md5Key,
	messageAuthenticatorAt: number = -1,
): void {
	copy(bytes, authenticatorAt, requestAuthenticator, requestAuthenticatorOffset)
	if (messageAuthenticatorAt >= 0) signMessage(bytes, length, key, messageAuthenticatorAt)
	md5Into(bytes, authenticatorAt, bytes, 0, length, key.secret, 0, key.secret.length)
}

/** Whether the Response Authenticator answers the request with that authenticator. */
export function verifyResponse(
	bytes: Uint8Array,
	length: number,
	requestAuthenticator: Uint8Array,
	requestAuthenticatorOffset: number,
	key: Md5Key,
): boolean {
	copy(header, 0, bytes, authenticatorAt)
	copy(bytes, authenticatorAt, requestAuthenticator, requestAuthenticatorOffset)
	md5Into(digest, 0, bytes, 0, length, key.secret, 0, key.secret.length)
	copy(bytes, authenticatorAt, header, 0)
	return equal(digest, header)
}

/**
 * Message-Authenticator of a response: computed with the request's authenticator (RFC 3579 §3.2).
 * No RFC says so of an answer to an Accounting-Request, where FreeRADIUS takes zeros: both count.
 */
export function verifyResponseMessageAuthenticator(
	bytes: Uint8Array,
	length: number,
	requestAuthenticator: Uint8Array,
	requestAuthenticatorOffset: number,
	key: Md5Key,
	at: number,
): boolean {
	return (
		verifyMessage(bytes, length, requestAuthenticator, requestAuthenticatorOffset, key, at) ||
		(bytes[0] === codes.accountingResponse && verifyMessage(bytes, length, zeros, 0, key, at))
	)
}

/**
 * Completes an Accounting-Request, Disconnect-Request or CoA-Request: its authenticator is computed
 * over 16 zero octets (RFC 2866 §3, RFC 5176 §2.3).
 */
export function signAccountingRequest(
	bytes: Uint8Array,
	length: number,
	key: Md5Key,
	messageAuthenticatorAt: number = -1,
): void {
	copy(bytes, authenticatorAt, zeros, 0)
	if (messageAuthenticatorAt >= 0) signMessage(bytes, length, key, messageAuthenticatorAt)
	md5Into(bytes, authenticatorAt, bytes, 0, length, key.secret, 0, key.secret.length)
}

/** The authenticator of an Accounting-Request, Disconnect-Request or CoA-Request. */
export function verifyAccountingRequest(bytes: Uint8Array, length: number, key: Md5Key): boolean {
	return verifyResponse(bytes, length, zeros, 0, key)
}

/**
 * Completes an Access-Request or Status-Server whose Request Authenticator is in place already
 * (RFC 3579 §3.2, RFC 5997 §3).
 */
export function signAccessRequest(
	bytes: Uint8Array,
	length: number,
	key: Md5Key,
	messageAuthenticatorAt: number,
): void {
	signMessage(bytes, length, key, messageAuthenticatorAt)
}

/**
 * Message-Authenticator of a request of any kind. Where the Request Authenticator is a signature
 * itself it counts as zeros, because it was computed afterwards (RFC 5176 §3.4).
 */
export function verifyMessageAuthenticator(
	bytes: Uint8Array,
	length: number,
	key: Md5Key,
	at: number,
): boolean {
	switch (bytes[0]) {
		case codes.accountingRequest:
		case codes.disconnectRequest:
		case codes.coaRequest:
			return verifyMessage(bytes, length, zeros, 0, key, at)
		default:
			return verifyMessage(bytes, length, bytes, authenticatorAt, key, at)
	}
}

/** RFC 3579 §3.2: computed with its own 16 octets zero. */
function signMessage(bytes: Uint8Array, length: number, key: Md5Key, at: number): void {
	copy(bytes, at, zeros, 0)
	hmacMd5Into(bytes, at, key, bytes, 0, length)
}

function verifyMessage(
	bytes: Uint8Array,
	length: number,
	authenticator: Uint8Array,
	authenticatorOffset: number,
	key: Md5Key,
	at: number,
): boolean {
	if (at < headerLength || at + size > length) return false
	copy(header, 0, bytes, authenticatorAt)
	copy(signature, 0, bytes, at)
	copy(bytes, authenticatorAt, authenticator, authenticatorOffset)
	copy(bytes, at, zeros, 0)
	hmacMd5Into(digest, 0, key, bytes, 0, length)
	copy(bytes, authenticatorAt, header, 0)
	copy(bytes, at, signature, 0)
	return equal(digest, signature)
}

function copy(target: Uint8Array, to: number, source: Uint8Array, from: number): void {
	for (let i = 0; i < size; i++) target[to + i] = source[from + i]!
}

/** Takes the same time wherever the first difference is: a forger learns nothing from it. */
function equal(a: Uint8Array, b: Uint8Array): boolean {
	let difference = 0
	for (let i = 0; i < size; i++) difference |= a[i]! ^ b[i]!
	return difference === 0
}
