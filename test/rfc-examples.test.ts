import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import {
	signAccessRequest,
	signAccountingRequest,
	signResponse,
	verifyAccountingRequest,
	verifyMessageAuthenticator,
	verifyResponse,
} from '../domain/radius/authenticator.ts'
import { verifyChapPassword } from '../domain/radius/chap.ts'
import { hideUserPassword, revealUserPassword } from '../domain/radius/hidden.ts'
import { createMd5Key } from '../domain/radius/md5.ts'
import {
	appendAttribute,
	checkPacket,
	codes,
	findAttribute,
	findVendorAttribute,
	packetLength,
	readText,
	readUint32,
} from '../domain/radius/packet.ts'

const text = (value: string) => new TextEncoder().encode(value)
const hex = (digits: string) => Uint8Array.from(Buffer.from(digits.replace(/\s/g, ''), 'hex'))

/** Sections of a vector file: a title line, then octets in indented lines. */
function readVectors(file: string): { title: string; bytes: Uint8Array }[] {
	const lines = readFileSync(new URL(`vectors/${file}`, import.meta.url), 'utf8').split('\n')
	const sections: { title: string; digits: string }[] = []
	for (const line of lines) {
		if (line === '' || line.startsWith('#')) continue
		if (line.startsWith(' ')) sections.at(-1)!.digits += line
		else sections.push({ title: line, digits: '' })
	}
	return sections.map(({ title, digits }) => ({ title, bytes: hex(digits) }))
}

type Example = { bytes: Uint8Array; answers?: string; secret?: string }

const examples = new Map<string, Example>()
for (const { title, bytes } of readVectors('rfc-packets.txt')) {
	const [, name, ...pairs] = title.split(' ')
	const example: Example = { bytes }
	for (let i = 0; i < pairs.length; i += 2) {
		if (pairs[i] === 'answers') example.answers = pairs[i + 1]!
		else if (pairs[i] === 'secret') example.secret = pairs[i + 1]!
		else throw new Error(`rfc-packets.txt: "${title}" has an unknown word "${pairs[i]}".`)
	}
	examples.set(name!, example)
}

function example(name: string): Uint8Array {
	return examples.get(name)!.bytes.slice()
}

/** The value of a packet's first attribute of that type. */
function value(bytes: Uint8Array, type: number): Uint8Array {
	const at = findAttribute(bytes, bytes.length, type)
	assert.ok(at !== -1, `attribute ${type} is missing`)
	return bytes.slice(at + 2, at + bytes[at + 1]!)
}

const textOf = (bytes: Uint8Array, type: number) => {
	const octets = value(bytes, type)
	return readText(octets, 0, octets.length)
}
const numberOf = (bytes: Uint8Array, type: number) => readUint32(value(bytes, type), 0)

const key = createMd5Key(text('xyzzy5461'))

test('every example is a packet of its exact length', () => {
	assert.is(examples.size, 18)
	for (const [name, { bytes }] of examples) {
		assert.is(checkPacket(bytes, bytes.length), 'ok', name)
		assert.is(packetLength(bytes), bytes.length, name)
	}
})

test('every answer verifies against its request, and is signed to the same octets', () => {
	let count = 0
	for (const [name, { bytes, answers, secret }] of examples) {
		if (answers === undefined) continue
		const request = example(answers)
		const answerKey = createMd5Key(text(secret!))
		assert.ok(verifyResponse(bytes, bytes.length, request, 4, answerKey), name)
		const signed = bytes.slice().fill(0, 4, 20)
		signResponse(signed, signed.length, request, 4, answerKey)
		assert.equal(signed, bytes, name)
		count++
	}
	assert.is(count, 7)
})

test('RFC 2865 §7.1: User Telnet to Specified Host', () => {
	const request = example('rfc2865-7.1-request')
	assert.is(textOf(request, 1), 'nemo')
	assert.equal(revealUserPassword(value(request, 2), key, request, 4), text('arctangent'))
	assert.equal(hideUserPassword(text('arctangent'), key, request, 4), value(request, 2))
	assert.is(numberOf(request, 4), 0xc0a80110)
	assert.is(numberOf(request, 5), 3)
	const accept = example('rfc2865-7.1-accept')
	assert.is(accept[0], codes.accessAccept)
	assert.is(numberOf(accept, 14), 0xc0a80103)
})

test('RFC 2865 §7.2: Framed User Authenticating with CHAP', () => {
	const request = example('rfc2865-7.2-request')
	assert.is(textOf(request, 1), 'flopsy')
	// Without CHAP-Challenge the Request Authenticator is the challenge.
	assert.is(findAttribute(request, request.length, 60), -1)
	assert.ok(verifyChapPassword(value(request, 3), text('arctangent'), request.slice(4, 20)))
	assert.is(numberOf(example('rfc2865-7.2-accept'), 8), 0xfffffffe)
})

test('RFC 2865 §7.3: User with Challenge-Response card', () => {
	const request = example('rfc2865-7.3-request')
	assert.equal(revealUserPassword(value(request, 2), key, request, 4), text('challenge'))
	const challenge = example('rfc2865-7.3-challenge')
	assert.is(challenge[0], codes.accessChallenge)
	assert.is(textOf(challenge, 18), 'Challenge 32769430.  Enter response at prompt.')
	const second = example('rfc2865-7.3-second-request')
	assert.equal(revealUserPassword(value(second, 2), key, second, 4), text('99101462'))
	assert.equal(value(second, 24), value(challenge, 24))
	assert.is(example('rfc2865-7.3-reject')[0], codes.accessReject)
})

for (const section of ['6.1', '6.2', '6.3']) {
	test(`RFC 5997 §${section}: Status-Server`, () => {
		const request = example(`rfc5997-${section}-request`)
		assert.is(request[0], codes.statusServer)
		const at = findAttribute(request, request.length, 80) + 2
		assert.ok(verifyMessageAuthenticator(request, request.length, key, at))
		const signed = request.slice().fill(0, at, at + 16)
		signAccessRequest(signed, signed.length, key, at)
		assert.equal(signed, request)
	})
}

test('RFC 5997 §6.2: the answer is an Accounting-Response, whatever the dump says', () => {
	const request = example('rfc5997-6.2-request')
	const response = example('rfc5997-6.2-response')
	assert.is(response[0], codes.accountingResponse)
	response[0] = codes.accessAccept
	assert.not(verifyResponse(response, response.length, request, 4, key))
})

test('RFC 5997 §6.3: the verbose answer', () => {
	assert.is(textOf(example('rfc5997-6.3-accept'), 18), 'RADIUS Server up 2 days, 18:40')
})

test('RFC 5176 §7: Disconnect-Requests', () => {
	assert.is(textOf(example('rfc5176-7-user-name'), 1), 'mchiba')
	assert.is(textOf(example('rfc5176-7-acct-session-id'), 44), '90234567')
	assert.is(numberOf(example('rfc5176-7-framed-ip-address'), 8), 0x0a000203)
})

test('RFC 5176 §2.3, §3.4: both authenticators of a Disconnect-Request', () => {
	const request = example('capture-disconnect-request')
	const captureKey = createMd5Key(text('testing123'))
	assert.ok(verifyAccountingRequest(request, request.length, captureKey))
	assert.ok(verifyMessageAuthenticator(request, request.length, captureKey, 22))
	const signed = request.slice().fill(0, 4, 20).fill(0, 22)
	signAccountingRequest(signed, signed.length, captureKey, 22)
	assert.equal(signed, request)
})

test('RFC 6929 §9: extended attributes go through a copy attribute by attribute', () => {
	const vectors = readVectors('extended-attributes.txt')
	assert.is(vectors.length, 14)
	for (const { title, bytes } of vectors) {
		const length = 20 + bytes.length
		const packet = new Uint8Array(length)
		packet.set([1, 0, length >> 8, length & 255])
		packet.set(bytes, 20)
		assert.is(checkPacket(packet, length), 'ok', title)

		const copy = packet.slice(0, 20)
		const target = new Uint8Array(4096)
		target.set(copy)
		let end = 20
		for (let at = 20; at < length; at += packet[at + 1]!) {
			end = appendAttribute(target, end, packet[at]!, packet, at + 2, packet[at + 1]! - 2)
		}
		assert.equal(target.slice(0, end), packet, title)
		// Extended-Vendor-Specific [241.26] is no Vendor-Specific [26].
		assert.is(findVendorAttribute(packet, length, 1, 4), -1, title)
	}
})

test('RFC 2759 §9.2: MS-CHAPv2 is read unchanged out of its vendor attributes', () => {
	const challenge = hex('5B5D7C7D7B3F2F3E3C2C602132262628')
	const peerChallenge = hex('21402324255E262A28295F2B3A337C7E')
	const ntResponse = hex('82309ECD8D708B5EA08FAA3981CD83544233114A3D85D6DF')
	const passwordHashHash = hex('41C00C584BD2D91C4017A2A12FA59F3F')
	const vendor = [0, 0, 1, 0x37]
	const bytes = new Uint8Array(4096)
	let at = appendAttribute(bytes, 20, 1, text('User'), 0, 4)
	const first = Uint8Array.of(...vendor, 11, 18, ...challenge)
	at = appendAttribute(bytes, at, 26, first, 0, first.length)
	// RFC 2548 §2.3.2: Ident, Flags, Peer-Challenge, 8 reserved octets, Response.
	const response = [7, 0, ...peerChallenge, ...new Array(8).fill(0), ...ntResponse]
	const second = Uint8Array.of(...vendor, 25, 52, ...response)
	at = appendAttribute(bytes, at, 26, second, 0, second.length)

	const read = (type: number) => {
		const sub = findVendorAttribute(bytes, at, 311, type)
		return bytes.slice(sub + 2, sub + bytes[sub + 1]!)
	}
	const sha1 = (...parts: (Uint8Array | string)[]) => {
		const hash = createHash('sha1')
		for (const part of parts) hash.update(part)
		return hash.digest()
	}
	const msChap2 = read(25)
	const challengeHash = sha1(msChap2.slice(2, 18), read(11), value(bytes, 1)).subarray(0, 8)
	assert.is(challengeHash.toString('hex'), 'd02e4386bce91226')
	const digest = sha1(
		passwordHashHash,
		msChap2.slice(26, 50),
		'Magic server to client signing constant',
	)
	const proof = sha1(digest, challengeHash, 'Pad to make it do more than one iteration')
	assert.is(proof.toString('hex'), '407a5589115fd0d6209f510fe9c04566932cda56')
})

test.run()
