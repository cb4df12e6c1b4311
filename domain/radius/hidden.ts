/**
 * Attribute values that are hidden with a hop's secret and the request's authenticator, and have to
 * be hidden anew for the next hop. The relay exchanges one key stream for the other in place, so
 * that a password never stands in memory in clear. Hiding and revealing proper are for the peers
 * that the demo and the tests play.
 */
import { type Md5Key, md5Into } from './md5.ts'

const blockLength = 16
const saltLength = 2
/** RFC 2865 §5.2: a User-Password has 16 to 128 octets. */
const maximumPasswordLength = 128
const topBit = 0x8000

/** What the next block of each key stream is chained to: authenticator and salt, or a block. */
const fromChain = new Uint8Array(blockLength + saltLength)
const toChain = new Uint8Array(blockLength + saltLength)
const fromStream = new Uint8Array(blockLength)
const toStream = new Uint8Array(blockLength)

/**
 * User-Password (RFC 2865 §5.2), and MS-CHAP-MPPE-Keys, which is hidden alike (RFC 2548 §2.4.1):
 * `length` octets at `offset` change hands in place. False, with nothing changed, when a hidden
 * password cannot have that length.
 */
export function rehideUserPassword(
	bytes: Uint8Array,
	offset: number,
	length: number,
	fromKey: Md5Key,
	fromAuthenticator: Uint8Array,
	fromAuthenticatorOffset: number,
	toKey: Md5Key,
	toAuthenticator: Uint8Array,
	toAuthenticatorOffset: number,
): boolean {
	if (length < blockLength || length > maximumPasswordLength) return false
	if (length % blockLength !== 0) return false
	copyBlock(fromChain, fromAuthenticator, fromAuthenticatorOffset)
	copyBlock(toChain, toAuthenticator, toAuthenticatorOffset)
	rehideBlocks(bytes, offset, offset + length, fromKey, toKey, blockLength)
	return true
}

/**
 * Tunnel-Password (RFC 2868 §3.5) and the MPPE keys (RFC 2548 §2.4.2, §2.4.3): `length` octets at
 * `offset`, of which the first two are the salt, change hands in place under `newSalt`. Its top bit
 * is set here. False, with nothing changed, when the lengths outside or inside cannot be.
 */
export function rehideSalted(
	bytes: Uint8Array,
	offset: number,
	length: number,
	fromKey: Md5Key,
	fromAuthenticator: Uint8Array,
	fromAuthenticatorOffset: number,
	toKey: Md5Key,
	toAuthenticator: Uint8Array,
	toAuthenticatorOffset: number,
	newSalt: number,
): boolean {
	const hiddenLength = length - saltLength
	if (hiddenLength < 0 || hiddenLength % blockLength !== 0) return false
	copyBlock(fromChain, fromAuthenticator, fromAuthenticatorOffset)
	fromChain[blockLength] = bytes[offset]!
	fromChain[blockLength + 1] = bytes[offset + 1]!
	const begin = offset + saltLength
	if (hiddenLength > 0) {
		// The first octet in clear says how many of the rest are not padding.
		nextStream(fromStream, fromKey, fromChain, blockLength + saltLength)
		if ((bytes[begin]! ^ fromStream[0]!) > hiddenLength - 1) return false
	}
	copyBlock(toChain, toAuthenticator, toAuthenticatorOffset)
	bytes[offset] = toChain[blockLength] = (newSalt | topBit) >>> 8
	bytes[offset + 1] = toChain[blockLength + 1] = newSalt
	rehideBlocks(bytes, begin, offset + length, fromKey, toKey, blockLength + saltLength)
	return true
}

/** `chainLength`: what the first block is chained to, a salt included. Later blocks: 16 octets. */
function rehideBlocks(
	bytes: Uint8Array,
	begin: number,
	end: number,
	fromKey: Md5Key,
	toKey: Md5Key,
	chainLength: number,
): void {
	let chained = chainLength
	for (let at = begin; at < end; at += blockLength) {
		nextStream(fromStream, fromKey, fromChain, chained)
		nextStream(toStream, toKey, toChain, chained)
		copyBlock(fromChain, bytes, at)
		for (let i = 0; i < blockLength; i++) {
			bytes[at + i] = bytes[at + i]! ^ fromStream[i]! ^ toStream[i]!
		}
		copyBlock(toChain, bytes, at)
		chained = blockLength
	}
}

function nextStream(stream: Uint8Array, key: Md5Key, chain: Uint8Array, length: number): void {
	md5Into(stream, 0, key.secret, 0, key.secret.length, chain, 0, length)
}

function copyBlock(target: Uint8Array, source: Uint8Array, from: number): void {
	for (let i = 0; i < blockLength; i++) target[i] = source[from + i]!
}

/** Hides a password of at most 128 octets, padded with zeros (RFC 2865 §5.2). */
export function hideUserPassword(
	password: Uint8Array,
	key: Md5Key,
	authenticator: Uint8Array,
	authenticatorOffset: number = 0,
): Uint8Array {
	if (password.length > maximumPasswordLength) {
		throw new RangeError(
			`A User-Password has at most ${maximumPasswordLength} octets, not ${password.length}.`,
		)
	}
	const hidden = new Uint8Array(Math.max(1, blocksIn(password.length)) * blockLength)
	hidden.set(password)
	copyBlock(toChain, authenticator, authenticatorOffset)
	hideBlocks(hidden, 0, key, blockLength)
	return hidden
}

/** The password without its padding; undefined when it cannot have been hidden that way. */
export function revealUserPassword(
	hidden: Uint8Array,
	key: Md5Key,
	authenticator: Uint8Array,
	authenticatorOffset: number = 0,
): Uint8Array | undefined {
	if (hidden.length < blockLength || hidden.length > maximumPasswordLength) return undefined
	if (hidden.length % blockLength !== 0) return undefined
	const clear = hidden.slice()
	copyBlock(fromChain, authenticator, authenticatorOffset)
	revealBlocks(clear, 0, key, blockLength)
	let end = clear.length
	while (end > 0 && clear[end - 1] === 0) end--
	return clear.subarray(0, end)
}

/**
 * Salt and hidden string of a value of at most 239 octets (RFC 2868 §3.5), without a tag. The
 * salt's top bit is set here.
 */
export function hideSalted(
	value: Uint8Array,
	key: Md5Key,
	requestAuthenticator: Uint8Array,
	salt: number,
): Uint8Array {
	if (value.length > 239) {
		throw new RangeError(`A salt-encrypted value has at most 239 octets, not ${value.length}.`)
	}
	const hidden = new Uint8Array(saltLength + blocksIn(1 + value.length) * blockLength)
	copyBlock(toChain, requestAuthenticator, 0)
	hidden[0] = toChain[blockLength] = (salt | topBit) >>> 8
	hidden[1] = toChain[blockLength + 1] = salt
	hidden[saltLength] = value.length
	hidden.set(value, saltLength + 1)
	hideBlocks(hidden, saltLength, key, blockLength + saltLength)
	return hidden
}

/** The value behind salt and hidden string; undefined when the lengths cannot be. */
export function revealSalted(
	hidden: Uint8Array,
	key: Md5Key,
	requestAuthenticator: Uint8Array,
): Uint8Array | undefined {
	const hiddenLength = hidden.length - saltLength
	if (hiddenLength < blockLength || hiddenLength % blockLength !== 0) return undefined
	const clear = hidden.slice()
	copyBlock(fromChain, requestAuthenticator, 0)
	fromChain[blockLength] = hidden[0]!
	fromChain[blockLength + 1] = hidden[1]!
	revealBlocks(clear, saltLength, key, blockLength + saltLength)
	const valueLength = clear[saltLength]!
	if (valueLength > hiddenLength - 1) return undefined
	return clear.subarray(saltLength + 1, saltLength + 1 + valueLength)
}

function blocksIn(octets: number): number {
	return Math.ceil(octets / blockLength)
}

function hideBlocks(bytes: Uint8Array, begin: number, key: Md5Key, chainLength: number): void {
	let chained = chainLength
	for (let at = begin; at < bytes.length; at += blockLength) {
		nextStream(toStream, key, toChain, chained)
		for (let i = 0; i < blockLength; i++) bytes[at + i] = bytes[at + i]! ^ toStream[i]!
		copyBlock(toChain, bytes, at)
		chained = blockLength
	}
}

function revealBlocks(bytes: Uint8Array, begin: number, key: Md5Key, chainLength: number): void {
	let chained = chainLength
	for (let at = begin; at < bytes.length; at += blockLength) {
		nextStream(fromStream, key, fromChain, chained)
		copyBlock(fromChain, bytes, at)
		for (let i = 0; i < blockLength; i++) bytes[at + i] = bytes[at + i]! ^ fromStream[i]!
		chained = blockLength
	}
}
