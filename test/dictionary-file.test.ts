import { existsSync, readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import {
	type Additions,
	attributeByName,
	attributeByPath,
	attributeByVendor,
	builtInDictionary,
	extendDictionary,
	formatValue,
} from '../domain/radius/dictionary.ts'
import { type DictionaryText, parseDictionary } from '../domain/radius/dictionary-file.ts'

fc.configureGlobal({ seed: 20250604 })

type Files = Readonly<Record<string, string>>

/** Reads files that exist in memory only; the first is the one to begin with. */
function parse(files: Files) {
	const read = (file: string): DictionaryText | undefined =>
		Object.hasOwn(files, file) ? { file, text: files[file]! } : undefined
	return parseDictionary(read(Object.keys(files)[0]!)!, read, builtInDictionary)
}

function additions(text: string, others: Files = {}): Additions {
	const parsed = parse({ main: text, ...others })
	if ('errors' in parsed) throw new Error(parsed.errors.join('\n'))
	return parsed.additions
}

function errors(text: string, others: Files = {}): readonly string[] {
	const parsed = parse({ main: text, ...others })
	return 'errors' in parsed ? parsed.errors : []
}

function paths(text: string, others: Files = {}): string[] {
	return additions(text, others).attributes.map(({ name, path }) => `${name} ${path.join('.')}`)
}

test('a vendor with attributes, values and comments', () => {
	const { vendors, attributes, values } = additions(`
# A comment.
VENDOR	Example	32473
BEGIN-VENDOR	Example
ATTRIBUTE	Example-Level	1	integer	# behind a statement
  ATTRIBUTE	Example-Key	0x02	octets[16]	encrypt=2
ATTRIBUTE	Example-Tag	3	string	has_tag,encrypt=2
VALUE	Example-Level	High	0x10
END-VENDOR	Example
`)
	assert.equal(vendors, [
		{ name: 'Example', number: 32473, typeOctets: 1, lengthOctets: 1, continuation: false },
	])
	const [level, key, tag] = attributes
	assert.equal(level!.path, [26, 32473, 1])
	assert.is(level!.source, 'main')
	assert.equal(
		[key!.path[2], key!.type, key!.length, key!.encrypt, key!.secret],
		[2, 'octets', 16, 2, true],
	)
	assert.equal([tag!.tagged, tag!.encrypt], [true, 2])
	assert.equal(values, [{ attribute: 'Example-Level', name: 'High', number: 16 }])
	const extended = extendDictionary(builtInDictionary, { vendors, attributes, values })
	assert.is(formatValue(attributeByVendor(extended, 32473, 1)!, 16), 'High')
})

test('carriage returns, a missing last line feed and lower-case keywords', () => {
	const text = 'vendor Example 32473\r\nATTRIBUTE A 200 String\r\nATTRIBUTE B 26.32473.9 UINT32'
	assert.equal(paths(text), ['A 200', 'B 26.32473.9'])
})

test('framing of vendors', () => {
	const { vendors } = additions(
		'VENDOR A 1 format=2,1\nVENDOR B 2 format=4,0\nVENDOR C 3 format=1,1,c\nVENDOR WiMAX 24757\n',
	)
	assert.equal(
		vendors.map(vendor => [vendor.typeOctets, vendor.lengthOctets, vendor.continuation]),
		[
			[2, 1, false],
			[4, 0, false],
			[1, 1, true],
			[1, 1, true],
		],
	)
})

test('dotted numbers, TLVs and vendors in the extended space', () => {
	const text = `
VENDOR Example 32473
ATTRIBUTE Outer 241.200 tlv
ATTRIBUTE Outer-Inner 241.200.1 integer
BEGIN-TLV Outer
ATTRIBUTE Outer-Second 2 tlv
BEGIN-TLV Outer-Second
ATTRIBUTE Outer-Deep 7 string
END-TLV Outer-Second
END-TLV Outer
BEGIN-VENDOR Example parent=Extended-Vendor-Specific-1
ATTRIBUTE Evs-One 1 string
END-VENDOR Example
BEGIN-VENDOR Example format=Extended-Vendor-Specific-5
ATTRIBUTE Evs-Five 1 string
END-VENDOR Example
BEGIN-VENDOR Example
ATTRIBUTE Vsa 1 tlv
ATTRIBUTE Vsa-Inner 1.2 string
END-VENDOR Example
ATTRIBUTE Direct 26.32473.9 string
ATTRIBUTE Old-Form 10 string Example
ATTRIBUTE Own 3000 string virtual
`
	assert.equal(paths(text), [
		'Outer 241.200',
		'Outer-Inner 241.200.1',
		'Outer-Second 241.200.2',
		'Outer-Deep 241.200.2.7',
		'Evs-One 241.26.32473.1',
		'Evs-Five 245.26.32473.1',
		'Vsa 26.32473.1',
		'Vsa-Inner 26.32473.1.2',
		'Direct 26.32473.9',
		'Old-Form 26.32473.10',
		'Own 3000',
	])
})

test('values of built-in attributes, and of attributes further down', () => {
	const { values } = additions(
		'VALUE Service-Type X 1000\nVALUE Later Y 1\nATTRIBUTE Later 200 byte\n',
	)
	assert.is(values.length, 2)
})

test('included files', () => {
	const others = { a: '$INCLUDE b\nATTRIBUTE A 200 string\n', b: 'ATTRIBUTE B 201 string\n' }
	assert.equal(paths('$INCLUDE a\n$INCLUDE- absent\n$INCLUDE b\n', others), [
		'B 201',
		'A 200',
		'B 201',
	])
})

/** Each mistake, and the error in full. */
const mistakes: readonly (readonly [string, string])[] = [
	['ATTRIBUT A 200 string', `main:1:1: 'ATTRIBUT' begins no statement; did you mean ATTRIBUTE?`],
	['ATTRIBUTE A 200 strin', `main:1:17: 'strin' is no type; did you mean string?`],
	['ATTRIBUTE A 200', 'main:1:1: too few words; write ATTRIBUTE NAME NUMBER TYPE [FLAGS]'],
	[
		'ATTRIBUTE A 200 string array concat',
		'main:1:30: too many words; write ATTRIBUTE NAME NUMBER TYPE [FLAGS]',
	],
	['ATTRIBUTE A x string', `main:1:13: 'x' is no number here; write 0 to 65535`],
	['ATTRIBUTE A 241.256 string', `main:1:17: '256' is no number here; write 0 to 255`],
	[
		'ATTRIBUTE A 1.2 string',
		'main:1:15: 1 holds no attributes; define it before this line, with type tlv',
	],
	[
		'ATTRIBUTE A 200 string array,tagged',
		`main:1:30: 'tagged' is no flag; use has_tag, encrypt=1, encrypt=2, encrypt=3, concat, array, virtual, secret`,
	],
	[
		'ATTRIBUTE A 200 ipaddr has_tag',
		'main:1:24: a ipaddr has no tag (RFC 2868); remove has_tag, or use string or integer',
	],
	[
		'ATTRIBUTE A 200 string\nATTRIBUTE a 201 string',
		'main:2:11: a is 200 already (main); use another name',
	],
	['VENDOR V 0', `main:1:10: '0' is no vendor number; write 1 to 4294967295`],
	[
		'VENDOR V 1 format=3,1',
		`main:1:12: 'format=3,1' is no format; write format=T,L[,c] with T 1, 2 or 4 and L 0, 1 or 2`,
	],
	['VENDOR ERX 1', 'main:1:8: vendor ERX is 4874 already; use another name'],
	[
		'BEGIN-VENDOR Nobody\nEND-VENDOR Nobody',
		`main:1:14: there is no vendor 'Nobody'; write VENDOR Nobody NUMBER before it`,
	],
	[
		'BEGIN-VENDOR ERX parent=User-Name\nEND-VENDOR ERX',
		`main:1:18: 'parent=User-Name' is no place for a vendor; write parent=Extended-Vendor-Specific-1 (to -6)`,
	],
	['BEGIN-VENDOR ERX', 'main:1:14: BEGIN-VENDOR ERX has no end; add END-VENDOR ERX'],
	['END-VENDOR ERX', 'main:1:1: nothing is open here; remove END-VENDOR ERX'],
	[
		'BEGIN-VENDOR ERX\nEND-VENDOR ERY\nEND-VENDOR ERX',
		'main:2:12: line 1 opened ERX; write END-VENDOR ERX before this',
	],
	[
		'BEGIN-TLV User-Name\nEND-TLV User-Name',
		'main:1:11: User-Name has type string; give its ATTRIBUTE the type tlv',
	],
	[
		'BEGIN-TLV Nothing\nEND-TLV Nothing',
		`main:1:11: there is no attribute 'Nothing'; define it before this line, with type tlv`,
	],
	['$INCLUDE absent', `main:1:10: there is no file 'absent'; put it there or remove this line`],
	['$INCLUDE main', `main:1:10: 'main' includes itself; remove this line`],
	[
		'VALUE Service-Type X y',
		`main:1:22: 'y' is no number; write it in decimal, or as 0x and digits`,
	],
	['VALUE Unknown X 1', `main:1:7: there is no attribute 'Unknown'; define it with ATTRIBUTE`],
	[
		'ATTRIBUTE Levels 200 byte\nVALUE Level X 1',
		`main:2:7: there is no attribute 'Level'; did you mean Levels?`,
	],
	['ATTRIBUTE A 200 byte\nVALUE A X 256', 'main:2:11: 256 does not fit type byte; write 0 to 255'],
	[
		'VALUE User-Name X 1',
		'main:1:7: User-Name has type string; only numbers can be named: remove the line, or make the type integer',
	],
]

for (const [text, expected] of mistakes) {
	test(`mistake: ${text.replace(/\n/g, ' / ')}`, () => {
		assert.equal(errors(text), [expected])
	})
}

test('an error in an included file names that file', () => {
	assert.equal(errors('$INCLUDE a\n', { a: '\n BEGIN-VENDOR ERX\n' }), [
		'a:2:15: BEGIN-VENDOR ERX has no end; add END-VENDOR ERX',
	])
	// A block cannot be closed from another file.
	const crossed = errors('BEGIN-VENDOR ERX\n$INCLUDE a\nEND-VENDOR ERX\n', {
		a: 'END-VENDOR ERX\n',
	})
	assert.equal(crossed, ['a:1:1: nothing is open here; remove END-VENDOR ERX'])
})

test('all errors come at once, but not without end', () => {
	assert.is(errors('nonsense\nnonsense\n').length, 2)
	const many = errors('nonsense\n'.repeat(1000))
	assert.is(many.length, 21)
	assert.is(many.at(-1), 'More errors follow; mend these first.')
})

test('includes end', () => {
	const files: Record<string, string> = {}
	for (let level = 0; level < 100; level++) files[`f${level}`] = `$INCLUDE f${level + 1}\n`
	const found = errors('$INCLUDE f0\n', files)
	assert.is(found.length, 1)
	assert.match(found[0]!, '$INCLUDE goes beyond 16 levels or 2000 files; include fewer files')
	// Two includes of the next level in each file would be two to the power of levels.
	for (let level = 0; level < 15; level++) files[`g${level}`] = `$INCLUDE g${level + 1}\n`.repeat(2)
	files['g14'] = ''
	assert.match(errors('$INCLUDE g0\n', files)[0]!, '2000 files')
})

test('any text parses, or has errors that name their place', () => {
	const words = [
		...['ATTRIBUTE', 'VALUE', 'VENDOR', 'BEGIN-VENDOR', 'END-VENDOR', 'BEGIN-TLV', 'END-TLV'],
		...['$INCLUDE', 'ERX', 'main', 'A', 'B', '1', '241.1', '26.4874.1', '0x10', 'string', 'tlv'],
		...['integer', 'has_tag', 'encrypt=2', 'format=1,1', '#', '\n', '\n', '\n', '__proto__'],
	]
	const text = fc
		.array(fc.oneof(fc.constantFrom(...words), fc.string({ maxLength: 5 })), { maxLength: 40 })
		.map(tokens => tokens.join(' '))
	fc.assert(
		fc.property(text, given => {
			const parsed = parse({ main: given })
			if ('additions' in parsed) {
				extendDictionary(builtInDictionary, parsed.additions)
				return
			}
			for (const error of parsed.errors) assert.match(error, /^(main:\d+:\d+: .*; |.*; ).+/s)
		}),
		{ numRuns: 1000 },
	)
})

// FreeRADIUS' own dictionaries, where they are installed.

const installed = '/usr/share/freeradius/dictionary'

if (existsSync(installed)) {
	test('the whole tree of FreeRADIUS is read, statement by statement', () => {
		let [attributes, values] = [0, 0]
		const read = (name: string, from: string): DictionaryText | undefined => {
			const file = resolve(dirname(from), name)
			if (!existsSync(file)) return undefined
			const text = readFileSync(file, 'latin1')
			attributes += text.match(/^\s*ATTRIBUTE\s/gm)?.length ?? 0
			values += text.match(/^\s*VALUE\s/gm)?.length ?? 0
			return { file, text }
		}
		const source = read(installed, installed)!
		const parsed = parseDictionary(source, read, builtInDictionary)
		if ('errors' in parsed) throw new Error(parsed.errors.join('\n'))
		assert.ok(attributes > 5000)
		assert.is(parsed.additions.attributes.length, attributes)
		assert.is(parsed.additions.values.length, values)

		const extended = extendDictionary(builtInDictionary, parsed.additions)
		assert.is(attributeByName(extended, 'Cisco-AVPair')!.path.join('.'), '26.9.1')
		assert.is(attributeByName(extended, 'WiMAX-Release')!.path.join('.'), '26.24757.1.1')
		assert.equal(attributeByPath(extended, [245, 26, 11344, 1])!.type, 'octets')
		assert.is(extended.vendors.get(429)!.typeOctets, 4)
		// Old names come first in the tree, so that the standard ones win; RFC 5090 is not in it.
		for (const attribute of builtInDictionary.byNumber) {
			if (!attribute || attribute.source === 'RFC 5090') continue
			const now = extended.byNumber[attribute.path[0]!]!
			assert.is(now.name, attribute.name)
			for (const [name, number] of attribute.numbers) assert.is(now.numbers.get(name), number)
		}
	})
} else {
	console.log(`left out: ${installed} is not there: install the package freeradius-common`)
}

test.run()
