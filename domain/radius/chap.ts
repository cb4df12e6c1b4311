/** CHAP as a home server checks it (RFC 2865 §5.3, RFC 1994 §4.1); the relay passes it on. */
import { digestLength, md5Into } from './md5.ts'

/** The 16 octets of MD5(identifier, password, challenge). */
export function chapResponse(
	identifier: number,
	password: Uint8Array,
	challenge: Uint8Array,
): Uint8Array {
	const identified = new Uint8Array(1 + password.length)
	identified[0] = identifier
	identified.set(password, 1)
	const response = new Uint8Array(digestLength)
	md5Into(response, 0, identified, 0, identified.length, challenge, 0, challenge.length)
	return response
}

/**
 * Whether CHAP-Password's 17 octets, identifier and response, answer the challenge: CHAP-Challenge
 * [60], or the Request Authenticator without one.
 */
export function verifyChapPassword(
	chapPassword: Uint8Array,
	password: Uint8Array,
	challenge: Uint8Array,
): boolean {
	if (chapPassword.length !== 1 + digestLength) return false
	const expected = chapResponse(chapPassword[0]!, password, challenge)
	let difference = 0
	for (let i = 0; i < digestLength; i++) difference |= expected[i]! ^ chapPassword[1 + i]!
	return difference === 0
}
