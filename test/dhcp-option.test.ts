import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import {
	checkOptions,
	type DhcpOption,
	encodeOption,
	findOption,
	findSubOption,
	formatOption,
	mergeOptions,
	optionOf,
	options,
	parseOption,
	readableText,
	readOptions,
} from '../domain/dhcp/option.ts'

fc.configureGlobal({ seed: 20250604 })

function octetsOf(text: string): Uint8Array {
	return text.trim() === '-'
		? new Uint8Array(0)
		: Uint8Array.from(Buffer.from(text.replace(/ /g, ''), 'hex'))
}

function linesOf(name: string): [number, string][] {
	const text = readFileSync(new URL(`./vectors/${name}`, import.meta.url), 'utf8')
	return [...text.split('\n').entries()]
		.filter(([, line]) => line.trim() !== '' && !line.trim().startsWith('#'))
		.map(([index, line]) => [index + 1, line])
}

function parsed(code: number, text: string): Uint8Array {
	const option = parseOption(code, text)
	if ('error' in option) throw new Error(option.error)
	assert.is(option.value.code, code)
	return option.value.value
}

let current = 0
for (const [number, line] of linesOf('dhcp-options.txt')) {
	const [, digits, name] = /^option (\d+) (.*)$/.exec(line) ?? []
	if (digits !== undefined) {
		current = Number(digits)
		const code = current
		test(`option ${code} is ${name}`, () => assert.is(optionOf(code).name, name))
		continue
	}
	const code = current
	test(`dhcp-options.txt:${number} ${optionOf(code).name} ${line.trim()}`, () => {
		const [, left = '', arrow, right = ''] =
			/^ {2}(error: .*|[0-9a-f ]+?|-) +(<=>|<=|=>)(?: (.*))?$/.exec(line) ?? []
		assert.ok(arrow, 'write OCTETS <=> TEXT, OCTETS => TEXT or OCTETS <= TEXT')
		if (left.startsWith('error: ')) {
			assert.equal(parseOption(code, right), { error: left.slice(7) })
			return
		}
		if (arrow !== '<=') assert.is(formatOption(code, octetsOf(left)), right)
		if (arrow !== '=>') assert.equal(parsed(code, right), octetsOf(left))
	})
}

const handedIn: { readonly octets: string; readonly number: number; readonly says: string[] }[] = []
for (const [number, line] of linesOf('dhcp-raw-options.txt')) {
	if (line.startsWith(' ')) handedIn.at(-1)!.says.push(line.trim())
	else handedIn.push({ octets: line, number, says: [] })
}

for (const { octets, number, says } of handedIn) {
	test(`dhcp-raw-options.txt:${number} ${octets}`, () => {
		const bytes = octetsOf(octets)
		const verdict = checkOptions(bytes)
		if (verdict !== true) {
			assert.equal([`refuse: ${verdict}`], says)
			return
		}
		const read = readOptions(bytes).map(({ code, value }) => {
			return `= ${optionOf(code).name} ${formatOption(code, value)}`
		})
		assert.equal(read.length === 0 ? ['= nothing'] : read, says)
	})
}

test('every option is found by number and by name, and no two share one', () => {
	for (const option of Object.values(options)) {
		assert.is(optionOf(option.code), option)
		assert.is(findOption(option.name), option)
		assert.is(findOption(String(option.code)), option)
		assert.is(findOption(`option-${option.code}`), option)
	}
	const all = Array.from({ length: 256 }, (_, code) => optionOf(code))
	assert.is(new Set(all.map(option => option.name)).size, 256)
	assert.ok(all.every((option, code) => option.code === code))
})

test('what is no option has no name', () => {
	for (const name of ['0', '255', '256', 'option-0', 'option-255', 'gateway', '', '-1']) {
		assert.is(findOption(name), undefined, name)
	}
})

test('a sub-option is found behind others; what does not fit ends the search', () => {
	const information = octetsOf('01 02 61 62 00 01 07 09 02 01')
	assert.equal(findSubOption(information, 1), octetsOf('61 62'))
	assert.equal(findSubOption(information, 0), octetsOf('07'), 'there is no Pad in sub-options')
	assert.is(findSubOption(information, 9), undefined)
	assert.is(findSubOption(information, 2), undefined)
})

test('options that override take the place of those they override; others follow', () => {
	const pool = [
		encodeOption(options.subnetMask, 0xffffff00),
		encodeOption(options.domainName, 'pool.example'),
		encodeOption(options.router, [1]),
	]
	const subscriber = [
		encodeOption(options.ntpServer, [2]),
		encodeOption(options.domainName, 'own.example'),
	]
	const merged = mergeOptions(pool, subscriber)
	assert.equal(
		merged.map(option => option.code),
		[1, 15, 3, 42],
	)
	assert.equal(merged[1], subscriber[1])
	assert.equal(mergeOptions([], []), [])
})

test('text of clients is readable whatever it is', () => {
	assert.is(readableText(octetsOf('61 62 00')), 'ab')
	assert.is(readableText(octetsOf('61 1b 62')), '0x611b62')
	assert.is(readableText(octetsOf('00')), '')
})

const ip = fc.integer({ min: 0, max: 0xffffffff })
const value = fc.uint8Array({ maxLength: 60 })

test('property: text is read back as the octets it came from', () => {
	fc.assert(
		fc.property(fc.integer({ min: 1, max: 254 }), value, (code, octets) => {
			const { codec } = optionOf(code)
			const decoded = codec.decode(octets, 0, octets.length)
			if ('error' in decoded) {
				assert.match(formatOption(code, octets), /^0x[0-9a-f]* \(/)
				return
			}
			const again = parsed(code, formatOption(code, octets))
			assert.is(codec.size(decoded.value), again.length)
			assert.equal(codec.decode(again, 0, again.length), decoded)
		}),
		{ numRuns: 5000 },
	)
})

test('property: lists, routes and text survive encoding', () => {
	const list = fc.array(ip, { minLength: 1, maxLength: 9 })
	const route = fc.record(
		{ network: ip, length: fc.integer({ min: 0, max: 32 }), router: ip },
		{ noNullPrototype: true },
	)
	fc.assert(
		fc.property(list, fc.array(route, { minLength: 1 }), (addresses, routes) => {
			const { value: octets } = encodeOption(options.router, addresses)
			assert.equal(options.router.codec.decode(octets, 0, octets.length), { value: addresses })
			const masked = routes.map(each => {
				const host = 2 ** (32 - each.length)
				return { ...each, network: Math.floor(each.network / host) * host }
			})
			const encoded = encodeOption(options.classlessRoute, routes).value
			const decoded = options.classlessRoute.codec.decode(encoded, 0, encoded.length)
			assert.equal(decoded, { value: masked })
		}),
	)
})

test('property: sub-options survive text, whatever is in them', () => {
	const subOption = fc.record(
		{ code: fc.integer({ min: 0, max: 255 }), value },
		{ noNullPrototype: true },
	)
	fc.assert(
		fc.property(fc.array(subOption, { maxLength: 5 }), given => {
			const { value: octets } = encodeOption(options.relayAgentInformation, given)
			assert.equal(parsed(82, formatOption(82, octets)), octets)
		}),
		{ numRuns: 2000 },
	)
})

test('property: no octets make the check of raw options throw, and what it lets pass is read', () => {
	const chunk = fc.tuple(fc.integer({ min: 0, max: 255 }), fc.uint8Array({ maxLength: 8 }))
	const wellFormed = fc
		.array(chunk, { maxLength: 6 })
		.map(chunks => Uint8Array.from(chunks.flatMap(([code, of]) => [code, of.length, ...of])))
	let passed = 0
	fc.assert(
		fc.property(fc.oneof(value, wellFormed), octets => {
			if (checkOptions(octets) !== true) return
			passed++
			const read: DhcpOption[] = readOptions(octets)
			assert.is(new Set(read.map(option => option.code)).size, read.length)
			for (const { code, value } of read) {
				assert.not.ok('error' in optionOf(code).codec.decode(value, 0, value.length))
			}
		}),
		{ numRuns: 3000 },
	)
	assert.ok(passed > 100, `only ${passed} passed`)
})

test.run()
