import * as fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { catalogue, type NewEvent } from '../domain/event.ts'
import { decodeEvents, encodeEvents, eventCutter, eventEncoder } from '../domain/event-text.ts'
import { upcaster } from '../domain/upcast.ts'
import { numberedEvent, numberedEvents } from './journal-events.ts'

/** Any UTF-16, lone surrogates and control characters included. */
const text = fc
	.array(fc.oneof(fc.integer({ min: 0, max: 127 }), fc.integer({ min: 0, max: 0xffff })))
	.map(units => String.fromCharCode(...units))
const number = fc.oneof(fc.maxSafeInteger(), fc.nat(), fc.double(), fc.constantFrom(-0, 1e9, 1e21))
const value = fc.oneof(
	text,
	number,
	fc.boolean(),
	fc.constant(undefined),
	fc.array(fc.oneof(text, number, fc.tuple(text, number))),
	fc.record({ inner: text, other: number }, { requiredKeys: [] }),
)
const fields = fc.dictionary(fc.constantFrom('client', 'server', 'mac', 'tries', 'count'), value)
const type = fc.constantFrom(...Object.keys(catalogue))
const anyEvent = fc
	.record({ stream: text, type, v: fc.constant(1), at: fc.oneof(fc.nat(), number), data: fields })
	.map(event => event as unknown as NewEvent)

test('every event is encoded as JSON.stringify would, lone surrogates included', () => {
	const encode = eventEncoder()
	fc.assert(
		fc.property(fc.array(anyEvent), events => {
			const bytes = encode(events)
			assert.ok(
				bytes.every(byte => byte < 128),
				'ASCII only',
			)
			assert.equal(JSON.parse(Buffer.from(bytes).toString()), JSON.parse(JSON.stringify(events)))
		}),
		{ seed: 1, numRuns: 1_000 },
	)
})

test('whole numbers of every length are written as they are', () => {
	const numbers = [0, Number.MAX_SAFE_INTEGER, -1, 0.1, 1e-7]
	for (let power = 1; power < 2 ** 53; power *= 10)
		numbers.push(power - 1, power, power + 1, 7 * power)
	const safe = numbers.filter(number => number <= Number.MAX_SAFE_INTEGER)
	for (const at of safe) {
		assert.is(JSON.parse(encodeEvents([{ ...numberedEvent(1), at }]))[0].at, at)
	}
})

test('a batch bigger than the buffer grows it', () => {
	const encode = eventEncoder()
	const events = numberedEvents(1, 5_000)
	assert.equal(JSON.parse(Buffer.from(encode(events)).toString()), events)
	assert.equal(JSON.parse(Buffer.from(encode(events.slice(0, 2))).toString()), events.slice(0, 2))
})

test('single events are cut out by their lines, in any order', () => {
	fc.assert(
		fc.property(fc.array(anyEvent, { minLength: 1, maxLength: 6 }), events => {
			const batch = encodeEvents(events)
			const octets = Buffer.from(batch)
			const decoded = decodeEvents(batch, 10)
			const cut = eventCutter(octets, 10)
			const indexes = [...events.keys()]
			for (const index of [...indexes, ...indexes.toReversed()]) {
				assert.equal(cut(index), decoded[index])
			}
		}),
		{ seed: 2, numRuns: 300 },
	)
	const batch = Buffer.from(encodeEvents(numberedEvents(1, 3)))
	assert.throws(() => eventCutter(batch, 10)(3), 'The batch at position 10 has no event 13.')
	assert.throws(
		() => eventCutter(Buffer.from('[]'), 10)(0),
		'The batch at position 10 has no event 10.',
	)
})

test('an event of unknown type is refused with its position', () => {
	const batch = JSON.stringify([numberedEvent(1), { ...numberedEvent(2), type: 'AccessGuessed' }])
	assert.throws(
		() => decodeEvents(batch, 41),
		/^Event 42 has the unknown type "AccessGuessed"\. A newer/,
	)
})

test('an event of a newer version is refused with its position', () => {
	const batch = JSON.stringify([{ ...numberedEvent(1), v: 99 }])
	assert.throws(() => decodeEvents(batch, 7), /^Event 7 is version 99 of AccessRejected, of which/)
})

test('an old version is upcast step by step', () => {
	const upcast = upcaster(new Map([['Counted', 3]]), {
		Counted: {
			1: data => ({ ...(data as object), client: '' }),
			2: data => ({ ...(data as object), count: String((data as { count: number }).count) }),
		},
	})
	const stored = { stream: 's', type: 'Counted', at: 1 }
	const today = { position: 5, ...stored, v: 3 }
	assert.equal(upcast({ ...stored, v: 1, data: { count: 2 } }, 5), {
		...today,
		data: { count: '2', client: '' },
	})
	assert.equal(upcast({ ...stored, v: 2, data: { count: 2 } }, 5), {
		...today,
		data: { count: '2' },
	})
	assert.equal(upcast({ ...stored, v: 3, data: { count: 2 } }, 5), { ...today, data: { count: 2 } })
	assert.throws(() => upcast({ ...stored, v: 4, data: {} }, 5), /version 4 of Counted/)
	assert.throws(() => upcast({ ...stored, v: 0, data: {} }, 5), /no step from version 0 to 1/)
})

test.run()
