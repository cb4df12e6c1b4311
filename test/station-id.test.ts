import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { virtualRouterOf, wapStream } from '../domain/event.ts'
import { normaliseMac, parseCalledStation } from '../domain/radius/station-id.ts'

fc.configureGlobal({ seed: 20250603 })

const encoder = new TextEncoder()

/** Octets of quoted text: UTF-8, and `\xHH` for any octet. */
function octetsOf(text: string): Uint8Array {
	const parts = text.split(/(\\x[0-9a-f]{2})/)
	return Uint8Array.from(
		parts.flatMap(part => {
			if (part.startsWith('\\x')) return [Number.parseInt(part.slice(2), 16)]
			return [...encoder.encode(part)]
		}),
	)
}

/** Puts the octets between digits: nothing around an attribute's value may count. */
function surrounded(octets: Uint8Array): Uint8Array {
	return Uint8Array.from([0x30, 0x31, 0x3a, ...octets, 0x30, 0x31, 0x2d, 0x30, 0x31])
}

function calling(octets: Uint8Array): string | undefined {
	return normaliseMac(surrounded(octets), 3, octets.length)
}

function called(octets: Uint8Array): { wap: string; ssid?: string } {
	return parseCalledStation(surrounded(octets), 3, octets.length)
}

const file = readFileSync(new URL('./vectors/station-ids.txt', import.meta.url), 'utf8')
for (const [index, line] of file.split('\n').entries()) {
	if (line.startsWith('#') || line.trim() === '') continue
	test(`station-ids.txt:${index + 1} ${line}`, () => {
		const match = /^(calling|called) "(.*)" +=> (\S+)(?: ssid (.+))?$/.exec(line)
		assert.ok(match, 'write calling "TEXT" => MAC, or called "TEXT" => WAP ssid SSID')
		const octets = octetsOf(match[2]!)
		if (match[1] === 'calling') {
			assert.is(calling(octets) ?? 'none', match[3])
			return
		}
		const ssid = match[4]?.replace(/^"(.*)"$/, '$1')
		assert.equal(called(octets), ssid === undefined ? { wap: match[3] } : { wap: match[3], ssid })
	})
}

const mac = fc.uint8Array({ minLength: 6, maxLength: 6 })
const grouping = fc.constantFrom(1, 2, 3, 6)
const separator = fc.constantFrom('-', ':', '.', ' ', '_')
const upper = fc.boolean()

/** One spelling: so many octets of the address between separators. */
function spell(octets: Uint8Array, group: number, between: string, inUpper: boolean): string {
	const digits = Buffer.from(octets).toString('hex')
	const text = digits.match(new RegExp(`.{${group * 2}}`, 'g'))!.join(between)
	return inUpper ? text.toUpperCase() : text
}

function normal(octets: Uint8Array): string {
	return spell(octets, 1, '-', true)
}

test('every spelling of a MAC address has one normal form', () => {
	fc.assert(
		fc.property(mac, grouping, separator, upper, (octets, group, between, inUpper) => {
			const text = encoder.encode(spell(octets, group, between, inUpper))
			assert.is(calling(text), normal(octets))
			assert.equal(called(text), { wap: normal(octets) })
		}),
	)
})

test('an SSID of any text behind any spelling is found whole', () => {
	const ssid = fc
		.string({
			unit: fc.constantFrom('a', 'Z', '9', ':', '-', '.', ' ', '/', 'ü', '📶'),
			minLength: 1,
		})
		.filter(text => encoder.encode(text).length <= 32)
	fc.assert(
		fc.property(mac, grouping, separator, upper, ssid, (octets, group, between, inUpper, name) => {
			const text = `${spell(octets, group, between, inUpper)}:${name}`
			assert.equal(called(encoder.encode(text)), { wap: normal(octets), ssid: name })
		}),
	)
})

test('a wrong digit or separator anywhere makes it no MAC address', () => {
	fc.assert(
		fc.property(mac, grouping, fc.nat(16), fc.nat(255), (octets, group, at, octet) => {
			const text = encoder.encode(spell(octets, group, '-', true))
			const place = at % text.length
			const isSeparator = text[place] === 0x2d
			const isDigit = /[0-9a-fA-F]/.test(String.fromCharCode(octet))
			if (isSeparator ? octet === 0x2d : isDigit) return
			// One separator may well be another; blanks and NULs at the ends are padding.
			if (isSeparator && group > 2) return
			text[place] = octet
			assert.is(calling(text), undefined)
		}),
		{ numRuns: 500 },
	)
})

test('any octets give a name that a stream can bear', () => {
	const octets = fc.uint8Array({ maxLength: 253 })
	fc.assert(
		fc.property(octets, bytes => {
			calling(bytes)
			const { wap, ssid } = called(bytes)
			assert.match(wap, /^[0-9A-Za-z_:@+=%~-]{1,64}$/)
			assert.is(virtualRouterOf(wapStream('vr.1', wap)), 'vr.1')
			if (ssid !== undefined) assert.not.match(ssid, /[\x00-\x1f\x7f]/)
		}),
		{ numRuns: 500 },
	)
})

test('long names are cut and stay distinct', () => {
	const name = 'access-point-'.repeat(18)
	const first = called(encoder.encode(`${name}1`)).wap
	const second = called(encoder.encode(`${name}2`)).wap
	assert.is(first.length, 64)
	assert.is.not(first, second)
	assert.is(first.slice(0, 55), name.slice(0, 55))
})

test.run()
