import { existsSync, readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import * as constants from '../domain/radius/attribute.ts'
import {
	lengthFits,
	lengthRange,
	maximumLength,
	minimumLength,
} from '../domain/radius/attribute-rules.ts'
import { attributeTable } from '../domain/radius/attribute-table.ts'
import { describeAttributes } from '../domain/radius/attribute-text.ts'
import {
	type Additions,
	type Attribute,
	attributeByExtended,
	attributeByName,
	attributeByNumber,
	attributeByPath,
	attributeByVendor,
	builtInDictionary,
	extendDictionary,
	formatValue,
	hiddenAttributes,
	hiding,
	isSaltEncrypted,
	isVendorSaltEncrypted,
	makeAttribute,
	parseValue,
} from '../domain/radius/dictionary.ts'
import { type DictionaryText, parseDictionary } from '../domain/radius/dictionary-file.ts'

const installed = '/usr/share/freeradius'
const missing = `${installed} is not there: install the package freeradius-common to compare with it`

function vectorLines(name: string): string[] {
	const text = readFileSync(new URL(`./vectors/${name}`, import.meta.url), 'utf8')
	return text.split('\n').filter(line => line.trim() !== '' && !line.startsWith('#'))
}

// Whole attributes.
const decodings: { octets: string; lines: string[] }[] = []
for (const line of vectorLines('attributes.txt')) {
	const octets = /^decode (.*)$/.exec(line)
	if (octets) decodings.push({ octets: octets[1]!, lines: [] })
	else decodings.at(-1)!.lines.push(line.trim())
}
for (const { octets, lines } of decodings) {
	test(`attributes.txt: ${octets}`, () => {
		const bytes = Buffer.from(`ffff${octets.replace(/ /g, '')}ffff`, 'hex')
		const described = describeAttributes(builtInDictionary, bytes, 2, bytes.length - 2)
		assert.equal(
			described.map(line => line.trim()),
			lines,
		)
	})
}

for (const line of vectorLines('attribute-lengths.txt')) {
	test(`attribute-lengths.txt: ${line}`, () => {
		const match = /^(\S+) +fits ([0-9 ]+?)(?: +refuses ([0-9 ]+))?$/.exec(line)
		assert.ok(match, 'write NAME fits LENGTHS refuses LENGTHS')
		const attribute = attributeByName(builtInDictionary, match[1]!)
		assert.ok(attribute, `no attribute ${match[1]}`)
		const type = attribute.path[0]!
		for (const length of match[2]!.split(' ').map(Number)) assert.ok(lengthFits(type, length))
		for (const length of (match[3] ?? '').split(' ').filter(Boolean).map(Number)) {
			assert.not.ok(lengthFits(type, length), `${length} fits`)
		}
	})
}

test('every type has a range of lengths that can be', () => {
	assert.is(minimumLength.length, 256)
	for (let type = 0; type < 256; type++) {
		const [least, most] = lengthRange(type)
		assert.ok(least >= 2 && least <= most && most === maximumLength[type], `type ${type}`)
	}
	assert.equal(lengthRange(192), [2, 255])
})

test('look-ups by number, vendor, extended type, path and name agree', () => {
	let [standard, ofVendors, extended] = [0, 0, 0]
	for (const attribute of builtInDictionary.byPath.values()) {
		const [type, second, third] = attribute.path
		assert.is(attributeByPath(builtInDictionary, attribute.path), attribute)
		assert.is(attributeByName(builtInDictionary, attribute.name.toUpperCase()), attribute)
		if (attribute.path.length === 1) {
			assert.is(attributeByNumber(builtInDictionary, type!), attribute)
			standard++
		} else if (type === 26 && attribute.path.length === 3) {
			assert.is(attributeByVendor(builtInDictionary, second!, third!), attribute)
			ofVendors++
		} else if (attribute.path.length === 2 && type! > 240) {
			assert.is(attributeByExtended(builtInDictionary, type!, second!), attribute)
			extended++
		}
	}
	assert.ok(standard > 160 && ofVendors > 280 && extended >= 14)
	assert.is(attributeByNumber(builtInDictionary, 255), undefined)
	assert.is(attributeByVendor(builtInDictionary, 311, 250), undefined)
	assert.is(attributeByVendor(builtInDictionary, 1, 1), undefined)
	assert.is(attributeByExtended(builtInDictionary, 246, 255), undefined)
	assert.is(attributeByName(builtInDictionary, 'constructor'), undefined)
})

test('no row of the table hides another', () => {
	const rows = attributeTable.flatMap(section => section.rows)
	assert.is(builtInDictionary.byPath.size, rows.length)
	assert.is(builtInDictionary.byName.size, rows.length)
	for (const section of attributeTable) {
		for (const name of Object.keys(section.values ?? {})) {
			assert.ok(
				section.rows.some(row => row[1] === name),
				`values of ${name}`,
			)
		}
	}
	for (const attribute of builtInDictionary.byPath.values()) {
		for (const number of attribute.numbers.values()) assert.ok(Number.isInteger(number))
	}
})

test('the constants of the packet path are the numbers of the dictionary', () => {
	const plain = (name: string) => name.replace(/-/g, '').toLowerCase()
	for (const [name, type] of Object.entries(constants.attribute)) {
		assert.is(plain(attributeByNumber(builtInDictionary, type)?.name ?? ''), name.toLowerCase())
	}
	const vendors = [
		[constants.vendor.microsoft, constants.microsoft],
		[constants.vendor.juniperErx, constants.erx],
	] as const
	for (const [vendor, types] of vendors) {
		for (const [name, type] of Object.entries(types)) {
			const known = plain(attributeByVendor(builtInDictionary, vendor, type)?.name ?? '')
			assert.ok(known.includes(name.toLowerCase()), `${name} is ${known}`)
		}
	}
})

test('values are shown and read by name', () => {
	const status = attributeByName(builtInDictionary, 'Acct-Status-Type')!
	assert.is(formatValue(status, 3), 'Interim-Update')
	assert.is(formatValue(status, 99), '99')
	assert.equal(parseValue(status, 'alive'), { value: 3 })
	assert.equal(parseValue(status, '0x07'), { value: 7 })
	const refused = parseValue(status, 'Begin')
	assert.ok('error' in refused && refused.error.includes('Start, Stop'))
	const tunnel = attributeByName(builtInDictionary, 'Tunnel-Type')!
	assert.equal(parseValue(tunnel, '1:vlan'), { value: { tag: 1, value: 13 } })
	assert.is(formatValue(tunnel, { tag: 0, value: 3 }), ':L2TP')
	const pool = attributeByName(builtInDictionary, 'ERX-Address-Pool-Name')!
	assert.equal(parseValue(pool, 'gold'), { value: 'gold' })
})

test('what is bound to the hop is known by number', () => {
	const hidden = hiddenAttributes(builtInDictionary)
	const standard = [...hidden.standard.entries()].filter(([, how]) => how !== hiding.none)
	assert.equal(standard, [
		[2, hiding.password],
		[69, hiding.saltedBehindOctet],
	])
	const microsoft = hidden.vendors.get(311)!.types
	assert.equal(
		[12, 16, 17, 18].map(type => microsoft[type]),
		[hiding.password, hiding.salted, hiding.salted, hiding.none],
	)
	assert.equal(
		[52, 58, 59, 60, 61].map(type => isVendorSaltEncrypted(4874, type)),
		[0, 1, 1, 1, 1],
	)
	// LANCOM's has a tag before the salt, WiMAX an octet of flags.
	assert.is(isVendorSaltEncrypted(2356, 19), 2)
	assert.is(isVendorSaltEncrypted(24757, 5), 2)
	// Ascend's is hidden, but not salted; Lucent's framing is its own.
	assert.is(hidden.vendors.get(529)!.types[214], hiding.ascend)
	assert.is(isVendorSaltEncrypted(529, 214), 0)
	assert.is(isVendorSaltEncrypted(4846, 214), 0)
	assert.is(isVendorSaltEncrypted(1, 16), 0)
	assert.is(isSaltEncrypted(69), true)
	assert.is(isSaltEncrypted(2), false)
})

test('whatever is hidden on the hop is secret', () => {
	for (const attribute of builtInDictionary.byPath.values()) {
		if (attribute.encrypt > 0) assert.ok(attribute.secret, attribute.name)
	}
	const names = ['CHAP-Password', 'MS-CHAP2-Response', 'ERX-Tunnel-Password', 'ERX-PPP-Password']
	for (const name of names) assert.ok(attributeByName(builtInDictionary, name)!.secret, name)
})

const none: Additions = { vendors: [], attributes: [], values: [] }

test('an extended dictionary leaves the one below as it is', () => {
	const attribute = makeAttribute({
		name: 'Example-Level',
		path: [26, 32473, 1],
		type: 'integer',
		source: 'example',
	})
	const vendor = {
		number: 32473,
		name: 'Example',
		typeOctets: 1,
		lengthOctets: 1,
		continuation: false,
	} as const
	const extended = extendDictionary(builtInDictionary, {
		vendors: [vendor],
		attributes: [attribute],
		values: [
			{ attribute: 'example-level', name: 'High', number: 2 },
			{ attribute: 'Service-Type', name: 'Example-Service', number: 1000 },
		],
	})
	const level = attributeByVendor(extended, 32473, 1)!
	assert.is(formatValue(level, 2), 'High')
	const service = attributeByNumber(extended, 6)!
	assert.is(formatValue(service, 1000), 'Example-Service')
	assert.is(formatValue(service, 2), 'Framed-User')
	assert.is(attributeByVendor(builtInDictionary, 32473, 1), undefined)
	assert.is(builtInDictionary.vendors.get(32473), undefined)
	assert.is(formatValue(attributeByNumber(builtInDictionary, 6)!, 1000), '1000')
	assert.is(extendDictionary(builtInDictionary, none).byPath.size, builtInDictionary.byPath.size)
})

test('an addition cannot make a hidden value plain, only a plain one hidden', () => {
	const given = { source: 'example', type: 'octets' } as const
	const extended = extendDictionary(builtInDictionary, {
		...none,
		attributes: [
			makeAttribute({ ...given, name: 'Link-Key', path: [26, 311, 16] }),
			makeAttribute({ ...given, name: 'Bundle', path: [26, 4874, 31], encrypt: 2 }),
		],
	})
	assert.is(attributeByVendor(extended, 311, 16)!.name, 'Link-Key')
	const hidden = hiddenAttributes(extended)
	assert.is(isVendorSaltEncrypted(311, 16, hidden), 1)
	assert.is(isVendorSaltEncrypted(4874, 31, hidden), 1)
	assert.is(isVendorSaltEncrypted(4874, 31), 0)
})

// Against FreeRADIUS' dictionaries, where they are installed.

function readInstalled(name: string, from: string): DictionaryText | undefined {
	const file = resolve(dirname(from), name)
	return existsSync(file) ? { file, text: readFileSync(file, 'utf8') } : undefined
}

function parseInstalled(name: string): Additions {
	const source = readInstalled(name, `${installed}/dictionary`)
	assert.ok(source, `no ${name}`)
	const parsed = parseDictionary(source, readInstalled, builtInDictionary)
	if ('errors' in parsed) throw new Error(parsed.errors.join('\n'))
	return parsed.additions
}

const compared = (
	'rfc2865 rfc2866 rfc2867 rfc2868 rfc2869 rfc3162 rfc3576 rfc3580 rfc4072 rfc4372 rfc4603 rfc4675 ' +
	'rfc4818 rfc4849 rfc5090 rfc5176 rfc5447 rfc5580 rfc5607 rfc5904 rfc6519 rfc6572 rfc6677 rfc6911 ' +
	'rfc6929 rfc6930 rfc7055 rfc7155 rfc7268 rfc7499 rfc7930 rfc8045 rfc8559 microsoft erx'
).split(' ')

/** What both must have alike: not the fixed lengths, which FreeRADIUS gives to some only. */
function essence(attribute: Attribute): string {
	const { name, path, type, tagged, encrypt } = attribute
	return `${name} ${path.join('.')} ${type} tagged=${tagged} encrypt=${encrypt}`
}

if (existsSync(`${installed}/dictionary`)) {
	for (const name of compared) {
		test(`the table has what dictionary.${name} has`, () => {
			const { attributes, values } = parseInstalled(`dictionary.${name}`)
			for (const theirs of attributes) {
				// A former name of Microsoft's attribute 8.
				if (theirs.name === 'MS-MPPE-Encryption-Type') continue
				const ours = attributeByPath(builtInDictionary, theirs.path)
				assert.is(ours ? essence(ours) : undefined, essence(theirs))
				if (theirs.length !== undefined) assert.is(ours!.length, theirs.length)
			}
			for (const { attribute, name: value, number } of values) {
				const ours = attributeByName(builtInDictionary, attribute)!
				assert.is(ours.numbers.get(value.toLowerCase()), number, `${attribute} ${value}`)
			}
		})
	}

	test('every row of the table is in the dictionaries', () => {
		const files = ['dictionary', 'dictionary.rfc5090'].map(parseInstalled)
		const theirs = new Set(files.flatMap(({ attributes }) => attributes).map(essence))
		for (const attribute of builtInDictionary.byPath.values()) {
			assert.ok(theirs.has(essence(attribute)), essence(attribute))
		}
		const vendors = new Map(files[0]!.vendors.map(vendor => [vendor.number, vendor]))
		for (const vendor of builtInDictionary.vendors.values()) {
			assert.equal(vendors.get(vendor.number), vendor)
		}
	})

	test('whatever the dictionaries hide, the built-in one hides', () => {
		const { attributes } = parseInstalled('dictionary')
		for (const theirs of attributes) {
			// Ascend's old attributes without a vendor, and those inside WiMAX' TLVs.
			if (theirs.encrypt === 0 || theirs.path.length > 3 || theirs.name.startsWith('X-')) continue
			const ours = attributeByPath(builtInDictionary, theirs.path)
			assert.is(ours?.encrypt, theirs.encrypt, essence(theirs))
		}
	})
} else {
	console.log(`left out: ${missing}`)
}

test.run()
