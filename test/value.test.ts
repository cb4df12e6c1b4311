import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { codecOf, codecs, type ValueType } from '../domain/radius/value.ts'

fc.configureGlobal({ seed: 20250602 })

const file = new URL('./vectors/values.txt', import.meta.url)

function octetsOf(text: string): Uint8Array {
	return text === '-'
		? new Uint8Array(0)
		: Uint8Array.from(Buffer.from(text.replace(/ /g, ''), 'hex'))
}

/** Decodes from the middle of other octets: nothing around a value may count. */
function decode(type: ValueType, octets: Uint8Array) {
	const around = new Uint8Array(octets.length + 7).fill(0xa5)
	around.set(octets, 3)
	return codecOf(type).decode(around, 3, octets.length)
}

/** Encodes into the middle of other octets, and checks the size that was announced. */
function encode(type: ValueType, value: unknown): Uint8Array {
	const codec = codecOf(type)
	const size = codec.size(value)
	const target = new Uint8Array(size + 7).fill(0xa5)
	assert.is(codec.encode(value, target, 3), 3 + size)
	assert.ok([...target.subarray(0, 3), ...target.subarray(3 + size)].every(octet => octet === 0xa5))
	return target.slice(3, 3 + size)
}

function expectValue<T>(decoded: { value: T } | { error: string }): T {
	if ('error' in decoded) throw new Error(decoded.error)
	return decoded.value
}

function checkVector(type: ValueType, left: string, arrow: string, right: string): void {
	const codec = codecOf(type)
	if (right.startsWith('error: ')) {
		assert.equal(decode(type, octetsOf(left)), { error: right.slice(7) })
		return
	}
	if (left.startsWith('error: ')) {
		assert.equal(codec.parse(right), { error: left.slice(7) })
		return
	}
	const octets = octetsOf(left)
	if (arrow !== '<=') assert.is(codec.format(expectValue(decode(type, octets))), right)
	if (arrow !== '=>') assert.equal(encode(type, expectValue(codec.parse(right))), octets)
}

const tested = new Set<string>()
let current = 'string' as ValueType
for (const [index, line] of readFileSync(file, 'utf8').split('\n').entries()) {
	if (line.startsWith('#') || line.trim() === '') continue
	if (line.startsWith('type ')) {
		current = line.slice(5).trim() as ValueType
		tested.add(current)
		continue
	}
	const type = current
	// The arrow of a refusal may follow text with arrows of its own: the last or first one counts.
	const match =
		/^ {2}(error: .*|[0-9a-f ]+?|-) +(<=>|<=|=>)(?: (.*))?$/.exec(line) ??
		/^ {2}(error: .*) (<=)()$/.exec(line)
	test(`values.txt:${index + 1} ${type} ${line.trim()}`, () => {
		assert.ok(match, 'write OCTETS <=> TEXT, OCTETS => TEXT or OCTETS <= TEXT')
		checkVector(type, match[1]!, match[2]!, match[3] ?? '')
	})
}

test('every type has vectors', () => {
	assert.equal([...tested].sort(), Object.keys(codecs).sort())
})

const octets = (minLength: number, maxLength = minLength) => fc.uint8Array({ minLength, maxLength })
const text = fc.string({ unit: 'binary', maxLength: 60 })
const uint = (bits: number) => fc.integer({ min: 0, max: 2 ** bits - 1 })

/** Plain objects, as the codecs make them. */
function record(model: Record<string, fc.Arbitrary<unknown>>): fc.Arbitrary<unknown> {
	return fc.record(model, { noNullPrototype: true })
}

const tlv = record({ type: uint(8), value: octets(0, 40) })

/** Any value of each type, in its normal form. */
const anyValue: { readonly [T in ValueType]: fc.Arbitrary<unknown> } = {
	string: text,
	octets: octets(0, 253),
	abinary: octets(0, 60),
	ipaddr: uint(32),
	ipv4prefix: uint(32).chain(address =>
		fc.integer({ min: 0, max: 32 }).map(length => ({
			address: length === 0 ? 0 : (address & (-1 << (32 - length))) >>> 0,
			length,
		})),
	),
	ipv6addr: octets(16),
	ipv6prefix: fc
		.tuple(octets(16), fc.integer({ min: 0, max: 128 }))
		.map(([address, length]) => ({ address: clearBits(address, length), length })),
	'combo-ip': fc.oneof(octets(4), octets(16)),
	byte: uint(8),
	short: uint(16),
	integer: uint(32),
	integer64: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
	signed: fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }),
	date: uint(32),
	ifid: octets(8),
	ether: octets(6),
	tlv: fc.array(tlv, { maxLength: 5 }),
	vsa: record({ vendor: uint(32), data: octets(1, 40) }),
	extended: record({ type: uint(8), value: octets(1, 40) }),
	'long-extended': record({ type: uint(8), flags: uint(8), value: octets(1, 40) }),
	evs: record({ vendor: uint(32), type: uint(8), value: octets(1, 40) }),
	'tagged-string': fc.oneof(
		record({ tag: uint(5), text }),
		text
			.filter(value => value === '' || value.charCodeAt(0) > 0x1f)
			.map(value => ({ text: value })),
	),
	'tagged-integer': record({ tag: uint(5), value: uint(24) }),
}

function clearBits(address: Uint8Array, length: number): Uint8Array {
	return address.map((octet, index) => {
		let kept = 0
		for (let bit = 0; bit < 8; bit++) {
			if (index * 8 + bit < length) kept |= octet & (0x80 >> bit)
		}
		return kept
	})
}

for (const name of Object.keys(codecs) as ValueType[]) {
	const codec = codecOf(name)

	test(`${name}: what is encoded decodes to the same`, () => {
		fc.assert(
			fc.property(anyValue[name], value => {
				assert.equal(expectValue(decode(name, encode(name, value))), value)
			}),
		)
	})

	test(`${name}: what is formatted parses to the same, on one line`, () => {
		fc.assert(
			fc.property(anyValue[name], value => {
				const formatted = codec.format(value)
				assert.not.match(formatted, /[\n\r]/)
				assert.equal(expectValue(codec.parse(formatted)), value)
			}),
		)
	})

	test(`${name}: any octets decode to a value that is stable, or to a sentence`, () => {
		fc.assert(
			fc.property(octets(0, 30), bytes => {
				const decoded = decode(name, bytes)
				if ('error' in decoded) {
					assert.ok(decoded.error.length > 10)
					return
				}
				assert.equal(expectValue(decode(name, encode(name, decoded.value))), decoded.value)
			}),
		)
	})

	test(`${name}: any text parses to a value or to a sentence`, () => {
		fc.assert(
			fc.property(fc.string({ maxLength: 30 }), given => {
				const parsed = codec.parse(given)
				if ('error' in parsed) assert.ok(parsed.error.includes(`'`))
				else encode(name, parsed.value)
			}),
		)
	})
}

test('dates agree with the calendar of the platform', () => {
	fc.assert(
		fc.property(uint(32), seconds => {
			const expected = new Date(seconds * 1000).toISOString().replace('.000', '')
			assert.is(codecs.date.format(seconds), expected)
		}),
	)
})

test('a byte order mark is part of the text', () => {
	const decoded = codecs.string.decode(Uint8Array.of(0xef, 0xbb, 0xbf, 0x61), 0, 4)
	assert.equal(decoded, { value: '\ufeffa' })
})

test('a decoded value stays when the buffer is used again', () => {
	const buffer = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8)
	const values = (['octets', 'ifid', 'tlv', 'vsa', 'extended'] as const).map(name => {
		const source = name === 'tlv' ? Uint8Array.of(1, 4, 3, 4) : buffer
		const decoded = codecOf(name).decode(source, 0, source.length)
		const before = codecOf(name).format(expectValue(decoded))
		source.fill(0)
		const same = codecOf(name).format(expectValue(decoded)) === before
		buffer.set([1, 2, 3, 4, 5, 6, 7, 8])
		return same
	})
	assert.equal(values, [true, true, true, true, true])
})

test.run()
