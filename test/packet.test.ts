import fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import {
	appendAttribute,
	checkPacket,
	codeNames,
	codes,
	findAttribute,
	findVendorAttribute,
	packetLength,
	readText,
	readTextOrHex,
	readUint32,
} from '../domain/radius/packet.ts'

fc.configureGlobal({ seed: 20250601 })

/** A packet with these attributes, `[type, ...value]` each, and a Length that fits. */
function packet(...attributes: number[][]): Uint8Array {
	const body = attributes.flatMap(([type, ...value]) => [type!, value.length + 2, ...value])
	const length = 20 + body.length
	const header = [1, 7, length >> 8, length & 255, ...Array.from({ length: 16 }, (_, i) => i)]
	return Uint8Array.from([...header, ...body])
}

const text = (value: string) => new TextEncoder().encode(value)

function check(bytes: Uint8Array): string {
	return checkPacket(bytes, bytes.length)
}

/** What RFC 2865 §3 and §5 say, step by step and with copies. */
function naiveCheck(datagram: Uint8Array): boolean {
	if (datagram.length < 20) return false
	const length = datagram[2]! * 256 + datagram[3]!
	if (length < 20 || length > 4096 || length > datagram.length) return false
	let attributes = [...datagram.slice(20, length)]
	while (attributes.length > 0) {
		const size = attributes[1]
		if (size === undefined || size < 2 || size > attributes.length) return false
		attributes = attributes.slice(size)
	}
	return true
}

test('every code has its name in the standards', () => {
	for (const code of Object.values(codes)) assert.ok(codeNames[code])
	assert.is(codeNames[codes.accessRequest], 'Access-Request')
	assert.is(codeNames[codes.coaNak], 'CoA-NAK')
})

test('a header alone is a packet', () => {
	assert.is(check(packet()), 'ok')
	assert.is(packetLength(packet()), 20)
})

test('octets after Length are padding', () => {
	const padded = new Uint8Array(64).fill(0xff)
	padded.set(packet([1, 65]))
	assert.is(check(padded), 'ok')
	assert.is(packetLength(padded), 23)
})

test('a datagram shorter than a header or than its Length is short', () => {
	const whole = packet([1, 65, 66])
	for (let length = 0; length < whole.length; length++) {
		assert.is(checkPacket(whole, length), 'short')
	}
	assert.is(checkPacket(new Uint8Array(0), 0), 'short')
})

test('Length is 20 to 4096', () => {
	const bytes = new Uint8Array(5000)
	bytes[3] = 19
	assert.is(check(bytes), 'length')
	bytes[2] = 0x10
	bytes[3] = 1
	assert.is(check(bytes), 'length')
	const longest = packet(...Array.from({ length: 15 }, () => [25, ...new Array(253).fill(7)]), [
		25,
		...new Array(249).fill(7),
	])
	assert.is(longest.length, 4096)
	assert.is(check(longest), 'ok')
})

test('attributes have at least two octets and end with the packet', () => {
	assert.is(check(packet([1])), 'ok')
	const zero = packet([1, 65])
	zero[21] = 0
	assert.is(check(zero), 'attributes')
	zero[21] = 1
	assert.is(check(zero), 'attributes')
	zero[21] = 4
	assert.is(check(zero), 'attributes')
	const lone = packet([1])
	lone[3] = 21
	assert.is(check(lone), 'attributes')
})

test('an attribute may not reach into the padding', () => {
	const bytes = new Uint8Array(60)
	bytes.set(packet([1, 65]))
	bytes[21] = 10
	assert.is(check(bytes), 'attributes')
})

test('checkPacket accepts what the naive reference accepts, whatever the octets', () => {
	const small = fc.uint8Array({ maxLength: 80 })
	const headed = fc
		.tuple(fc.uint8Array({ maxLength: 60 }), fc.integer({ min: -3, max: 3 }))
		.map(([body, error]) => {
			const bytes = new Uint8Array(20 + body.length)
			bytes.set(
				body.map(octet => octet % 16),
				20,
			)
			bytes[3] = bytes.length + error
			return bytes
		})
	fc.assert(
		fc.property(fc.oneof(small, headed), bytes => {
			assert.is(check(bytes) === 'ok', naiveCheck(bytes))
		}),
		{ numRuns: 5000 },
	)
})

test('finding never leaves a packet and ends on any octets', () => {
	fc.assert(
		fc.property(fc.uint8Array({ maxLength: 120 }), fc.nat(255), (bytes, type) => {
			const at = findAttribute(bytes, bytes.length, type)
			assert.ok(at === -1 || (at >= 20 && at + 2 <= bytes.length && bytes[at] === type))
			const sub = findVendorAttribute(bytes, bytes.length, 0, type)
			assert.ok(sub === -1 || (sub >= 26 && sub + bytes[sub + 1]! <= bytes.length))
		}),
		{ numRuns: 2000 },
	)
})

test('attributes of one type are found one after the other', () => {
	const bytes = packet([1, 65], [33, 1], [24], [33, 2, 3])
	const first = findAttribute(bytes, bytes.length, 33)
	assert.is(first, 23)
	const second = findAttribute(bytes, bytes.length, 33, first + bytes[first + 1]!)
	assert.is(second, 28)
	assert.is(findAttribute(bytes, bytes.length, 33, second + bytes[second + 1]!), -1)
	assert.is(findAttribute(bytes, bytes.length, 80), -1)
})

test('what looks like an attribute within a value is none', () => {
	const bytes = packet([25, 80, 18, 80, 18])
	assert.is(findAttribute(bytes, bytes.length, 80), -1)
})

test('vendor attributes: several in one, several of them, other vendors between', () => {
	const erx = [0, 0, 0x13, 0x0a]
	const bytes = packet(
		[26, 0, 0, 1, 0x37, 52, 3, 9],
		[26, ...erx, 2, 4, 65, 66, 52, 6, 10, 0, 0, 1],
		[1, 65],
		[26, ...erx, 52, 6, 10, 0, 0, 2],
	)
	const first = findVendorAttribute(bytes, bytes.length, 4874, 52)
	assert.equal([...bytes.subarray(first, first + 6)], [52, 6, 10, 0, 0, 1])
	const second = findVendorAttribute(bytes, bytes.length, 4874, 52, first + 1)
	assert.equal([...bytes.subarray(second, second + 6)], [52, 6, 10, 0, 0, 2])
	assert.is(findVendorAttribute(bytes, bytes.length, 4874, 52, second + 1), -1)
	assert.is(findVendorAttribute(bytes, bytes.length, 311, 52), 26)
	assert.is(findVendorAttribute(bytes, bytes.length, 4874, 31), -1)
})

test('vendor content of another format is passed over', () => {
	const erx = [0, 0, 0x13, 0x0a]
	const bytes = packet(
		[26, ...erx],
		[26, ...erx, 52, 0, 1],
		[26, ...erx, 52, 9, 1],
		[26, ...erx, 52],
		[26, 0, 0],
		[26, ...erx, 52, 2],
	)
	assert.is(check(bytes), 'ok')
	assert.is(findVendorAttribute(bytes, bytes.length, 4874, 52), bytes.length - 2)
})

test('Radius-Client-Address [26-52] as on the wire', () => {
	const wire = Buffer.from('1a0c0000130a3406c0000201', 'hex')
	const bytes = packet([...wire.subarray(0, 1), ...wire.subarray(2)])
	assert.equal(Buffer.from(bytes.subarray(20)), wire)
	const at = findVendorAttribute(bytes, bytes.length, 4874, 52)
	assert.is(readUint32(bytes, at + 2), 0xc0000201)
})

test('what is appended is found again', () => {
	const value = fc.uint8Array({ maxLength: 253 })
	const attributes = fc.array(fc.tuple(fc.nat(255), value), { maxLength: 15 })
	fc.assert(
		fc.property(attributes, list => {
			const bytes = new Uint8Array(4096)
			let at = 20
			for (const [type, octets] of list) {
				at = appendAttribute(bytes, at, type, octets, 0, octets.length)
			}
			bytes[2] = at >> 8
			bytes[3] = at
			assert.is(checkPacket(bytes, at), 'ok')
			for (const [type] of list) {
				const octets = list.find(([other]) => other === type)![1]
				const found = findAttribute(bytes, at, type)
				assert.is(bytes[found + 1], octets.length + 2)
				assert.equal(bytes.slice(found + 2, found + 2 + octets.length), octets)
			}
		}),
	)
})

test('appendAttribute takes a part of a buffer and refuses more than 253 octets', () => {
	const bytes = new Uint8Array(300)
	assert.is(appendAttribute(bytes, 20, 18, text('..hello..'), 2, 5), 27)
	assert.is(readText(bytes, 22, 5), 'hello')
	assert.throws(() => appendAttribute(bytes, 20, 18, new Uint8Array(254), 0, 254), /253/)
})

test('numbers are unsigned', () => {
	assert.is(readUint32(Uint8Array.of(9, 0xff, 0xff, 0xff, 0xfe), 1), 4294967294)
	assert.is(readUint32(Uint8Array.of(0, 0, 1, 2), 0), 258)
})

test('readText: UTF-8, with replacement characters where it is none', () => {
	const read = (bytes: Uint8Array) => readText(bytes, 0, bytes.length)
	assert.is(read(text('alice')), 'alice')
	assert.is(read(text('')), '')
	assert.is(read(text('zoë 東京 🛰')), 'zoë 東京 🛰')
	assert.is(read(Uint8Array.of(65, 0xff, 66)), 'A\uFFFDB')
	assert.is(read(Uint8Array.of(0xc3)), '\uFFFD')
	assert.is(readText(text('xxalicexx'), 2, 5), 'alice')
})

function textOrHex(bytes: Uint8Array): string {
	return readTextOrHex(bytes, 0, bytes.length)
}

test('readTextOrHex: printable text as it is', () => {
	for (const value of ['', 'gold', ' spaced out ', '0', '0X41', 'zoë 東京 🛰', '~!"\\']) {
		assert.is(textOrHex(text(value)), value)
	}
	assert.is(readTextOrHex(text('xxgoldxx'), 2, 4), 'gold')
})

test('readTextOrHex: all else as hexadecimal digits', () => {
	assert.is(textOrHex(Uint8Array.of(0)), '0x00')
	assert.is(textOrHex(Uint8Array.of(65, 10)), '0x410a')
	assert.is(textOrHex(Uint8Array.of(65, 0x7f)), '0x417f')
	assert.is(textOrHex(Uint8Array.of(0xff, 0xab)), '0xffab')
	assert.is(textOrHex(text('a\u0085')), '0x61c285')
	assert.is(textOrHex(text('a\u202eb')), '0x61e280ae62')
	assert.is(textOrHex(text('\ufeffa')), '0xefbbbf61')
	assert.is(textOrHex(text('0x41')), '0x30783431')
})

test('readTextOrHex: no two values read the same', () => {
	const octets = (shown: string) =>
		shown.startsWith('0x') ? new Uint8Array(Buffer.from(shown.slice(2), 'hex')) : text(shown)
	const utf8 = fc.string({ unit: 'grapheme' }).map(text)
	const prefixed = fc.string().map(value => text(`0x${value}`))
	fc.assert(
		fc.property(fc.oneof(fc.uint8Array(), utf8, prefixed), bytes => {
			assert.equal(octets(textOrHex(bytes)), bytes)
		}),
		{ numRuns: 2000 },
	)
})

test.run()
