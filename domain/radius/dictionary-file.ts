/**
 * Reads dictionaries in FreeRADIUS' format (`--dictionary FILE`), version 3: ATTRIBUTE, VALUE,
 * VENDOR, BEGIN-VENDOR, END-VENDOR, BEGIN-TLV, END-TLV and $INCLUDE. All errors of all files are
 * found in one go; each is `file:line:column: what is wrong; what to do`.
 */
import {
	type Additions,
	type Attribute,
	attributeByName,
	attributeByPath,
	type Dictionary,
	type Encrypt,
	isExtended,
	makeAttribute,
	type NamedValue,
	parseRowType,
	parseVendorFormat,
	type Vendor,
} from './dictionary.ts'
import { codecs, numericLimit, parseUnsigned, type ValueType } from './value.ts'

export type DictionaryText = { readonly file: string; readonly text: string }

/** Finds the file that `$INCLUDE name` in `from` means; undefined where there is none. */
export type DictionaryReader = (name: string, from: string) => DictionaryText | undefined

type Token = { readonly text: string; readonly column: number }
type Place = { readonly file: string; readonly line: number; readonly column: number }

/** What BEGIN-VENDOR or BEGIN-TLV opened: numbers in it continue `prefix`. */
type Scope = {
	readonly end: 'END-VENDOR' | 'END-TLV'
	readonly name: string
	readonly prefix: readonly number[]
	readonly place: Place
}

type Reading = {
	readonly base: Dictionary
	readonly read: DictionaryReader
	readonly vendors: Map<string, Vendor>
	readonly vendorsByNumber: Map<number, Vendor>
	readonly attributes: Attribute[]
	readonly byName: Map<string, Attribute>
	readonly byPath: Map<string, Attribute>
	readonly values: { value: NamedValue; place: Place; attributeAt: Place }[]
	readonly errors: string[]
	/** Files being read, the innermost last. */
	readonly files: string[]
	readonly scopes: Scope[]
	included: number
}

const maximumErrors = 20
const maximumDepth = 16
const maximumFiles = 2000
/** FreeRADIUS keeps numbers of its own above 255; they never are in a packet. */
const maximumInternal = 0xffff

/** Names that other versions and RFC 8044 use for a type. */
const typeAliases: Readonly<Record<string, ValueType>> = {
	text: 'string',
	uint8: 'byte',
	uint16: 'short',
	uint32: 'integer',
	uint64: 'integer64',
	int32: 'signed',
	time: 'date',
	ipv4addr: 'ipaddr',
	ethernet: 'ether',
	'interface-id': 'ifid',
}

const flagNames = 'has_tag, encrypt=1, encrypt=2, encrypt=3, concat, array, virtual, secret'
const keywords = [
	'ATTRIBUTE',
	'VALUE',
	'VENDOR',
	'BEGIN-VENDOR',
	'END-VENDOR',
	'BEGIN-TLV',
	'END-TLV',
	'$INCLUDE',
	'$INCLUDE-',
]

/**
 * Reads a dictionary file and what it includes. `base` is what its names and numbers may refer to
 * without defining them.
 */
export function parseDictionary(
	source: DictionaryText,
	read: DictionaryReader,
	base: Dictionary,
): { readonly additions: Additions } | { readonly errors: readonly string[] } {
	const reading: Reading = {
		base,
		read,
		vendors: new Map(),
		vendorsByNumber: new Map(),
		attributes: [],
		byName: new Map(),
		byPath: new Map(),
		values: [],
		errors: [],
		files: [],
		scopes: [],
		included: 0,
	}
	readFile(reading, source)
	checkValues(reading)
	if (reading.errors.length > 0) return { errors: reading.errors }
	return {
		additions: {
			vendors: [...reading.vendors.values()],
			attributes: reading.attributes,
			values: reading.values.map(({ value }) => value),
		},
	}
}

function fail(reading: Reading, place: Place, sentence: string): void {
	if (reading.errors.length > maximumErrors) return
	const { file, line, column } = place
	reading.errors.push(
		reading.errors.length < maximumErrors
			? `${file}:${line}:${column}: ${sentence}`
			: `More errors follow; mend these first.`,
	)
}

function tokensOf(line: string): Token[] {
	const hash = line.indexOf('#')
	const content = hash < 0 ? line : line.slice(0, hash)
	return [...content.matchAll(/\S+/g)].map(match => ({ text: match[0], column: match.index + 1 }))
}

function readFile(reading: Reading, source: DictionaryText): void {
	const outer = reading.scopes.length
	reading.files.push(source.file)
	const lines = source.text.split('\n')
	for (let index = 0; index < lines.length; index++) {
		const tokens = tokensOf(lines[index]!)
		if (tokens.length === 0) continue
		readStatement(reading, tokens, { file: source.file, line: index + 1, column: 1 })
		if (reading.errors.length > maximumErrors) break
	}
	// A block ends in the file that it began in.
	for (const scope of reading.scopes.splice(outer)) {
		const begin = scope.end.replace('END', 'BEGIN')
		fail(reading, scope.place, `${begin} ${scope.name} has no end; add ${scope.end} ${scope.name}`)
	}
	reading.files.pop()
}

function placeOf(place: Place, token: Token | undefined): Place {
	return token ? { ...place, column: token.column } : place
}

function readStatement(reading: Reading, tokens: readonly Token[], line: Place): void {
	const keyword = tokens[0]!
	const place = placeOf(line, keyword)
	switch (keyword.text.toUpperCase()) {
		case 'ATTRIBUTE':
			readAttribute(reading, tokens, place)
			break
		case 'VALUE':
			readValue(reading, tokens, place)
			break
		case 'VENDOR':
			readVendor(reading, tokens, place)
			break
		case 'BEGIN-VENDOR':
			beginVendor(reading, tokens, place)
			break
		case 'BEGIN-TLV':
			beginTlv(reading, tokens, place)
			break
		case 'END-VENDOR':
		case 'END-TLV':
			endScope(reading, tokens, place)
			break
		case '$INCLUDE':
		case '$INCLUDE-':
			include(reading, tokens, place)
			break
		default:
			fail(
				reading,
				place,
				`'${keyword.text}' begins no statement; ${suggest(keyword.text, keywords)}`,
			)
	}
}

/** False, with an error, when a statement has too few or too many words. */
function hasWords(
	reading: Reading,
	tokens: readonly Token[],
	place: Place,
	least: number,
	most: number,
	form: string,
): boolean {
	if (tokens.length >= least && tokens.length <= most) return true
	const at = tokens.length > most ? placeOf(place, tokens[most]) : place
	fail(reading, at, `${tokens.length > most ? 'too many' : 'too few'} words; write ${form}`)
	return false
}

function include(reading: Reading, tokens: readonly Token[], place: Place): void {
	if (!hasWords(reading, tokens, place, 2, 2, '$INCLUDE FILE')) return
	const name = tokens[1]!
	const at = placeOf(place, name)
	const source = reading.read(name.text, place.file)
	if (!source) {
		// $INCLUDE- reads a file if it is there.
		if (tokens[0]!.text.endsWith('-')) return
		fail(reading, at, `there is no file '${name.text}'; put it there or remove this line`)
		return
	}
	if (reading.files.includes(source.file)) {
		fail(reading, at, `'${name.text}' includes itself; remove this line`)
		return
	}
	if (reading.files.length >= maximumDepth || ++reading.included > maximumFiles) {
		const limit = `${maximumDepth} levels or ${maximumFiles} files`
		fail(reading, at, `$INCLUDE goes beyond ${limit}; include fewer files`)
		return
	}
	readFile(reading, source)
}

function readVendor(reading: Reading, tokens: readonly Token[], place: Place): void {
	const form = 'VENDOR NAME NUMBER [format=T,L[,c]]'
	if (!hasWords(reading, tokens, place, 3, 4, form)) return
	const [, name, numberWord, formatWord] = tokens
	const number = parseUnsigned(numberWord!.text, 0xffffffff)
	if (number === undefined || number === 0) {
		const at = placeOf(place, numberWord)
		fail(reading, at, `'${numberWord!.text}' is no vendor number; write 1 to 4294967295`)
		return
	}
	const known = vendorByName(reading, name!.text)
	if (known && known.number !== number) {
		const sentence = `vendor ${name!.text} is ${known.number} already; use another name`
		fail(reading, placeOf(place, name), sentence)
		return
	}
	const text = formatWord?.text ?? `format=${knownFormat(reading, number)}`
	const format = text.startsWith('format=') ? parseVendorFormat(text.slice(7)) : undefined
	if (!format) {
		const sentence = `'${text}' is no format; write format=T,L[,c] with T 1, 2 or 4 and L 0, 1 or 2`
		fail(reading, placeOf(place, formatWord), sentence)
		return
	}
	const vendor: Vendor = { number, name: name!.text, ...format }
	reading.vendors.set(name!.text.toLowerCase(), vendor)
	reading.vendorsByNumber.set(number, vendor)
}

/** A vendor that is named once more keeps its framing. */
function knownFormat(reading: Reading, number: number): string {
	const known = reading.vendorsByNumber.get(number) ?? reading.base.vendors.get(number)
	if (!known) return '1,1'
	return `${known.typeOctets},${known.lengthOctets}${known.continuation ? ',c' : ''}`
}

function vendorByName(reading: Reading, name: string): Vendor | undefined {
	const key = name.toLowerCase()
	return reading.vendors.get(key) ?? reading.base.vendorNames.get(key)
}

function vendorByNumber(reading: Reading, number: number): Vendor | undefined {
	return reading.vendorsByNumber.get(number) ?? reading.base.vendors.get(number)
}

function byName(reading: Reading, name: string): Attribute | undefined {
	return reading.byName.get(name.toLowerCase()) ?? attributeByName(reading.base, name)
}

function byPath(reading: Reading, path: readonly number[]): Attribute | undefined {
	return reading.byPath.get(path.join('.')) ?? attributeByPath(reading.base, path)
}

function beginVendor(reading: Reading, tokens: readonly Token[], place: Place): void {
	if (!hasWords(reading, tokens, place, 2, 3, 'BEGIN-VENDOR NAME [parent=ATTRIBUTE]')) return
	const [, name, option] = tokens
	const vendor = vendorByName(reading, name!.text)
	if (!vendor) {
		const sentence = `there is no vendor '${name!.text}'; write VENDOR ${name!.text} NUMBER before it`
		fail(reading, placeOf(place, name), sentence)
	}
	const prefix = option ? extendedPrefix(reading, option, place) : [26]
	reading.scopes.push({
		end: 'END-VENDOR',
		name: name!.text,
		prefix: [...prefix, vendor?.number ?? 0],
		place: placeOf(place, name),
	})
}

/** RFC 6929 §2.4: `format=` (FreeRADIUS 3.0) or `parent=` an Extended-Vendor-Specific attribute. */
function extendedPrefix(reading: Reading, option: Token, place: Place): readonly number[] {
	const match = /^(?:format|parent)=(.+)$/.exec(option.text)
	const parent = match ? byName(reading, match[1]!) : undefined
	if (parent?.type === 'evs' || parent?.type === 'vsa') return parent.path
	fail(
		reading,
		placeOf(place, option),
		`'${option.text}' is no place for a vendor; write parent=Extended-Vendor-Specific-1 (to -6)`,
	)
	return [26]
}

function beginTlv(reading: Reading, tokens: readonly Token[], place: Place): void {
	if (!hasWords(reading, tokens, place, 2, 2, 'BEGIN-TLV ATTRIBUTE')) return
	const name = tokens[1]!
	const parent = byName(reading, name.text)
	if (parent?.type !== 'tlv') {
		const sentence = parent
			? `${name.text} has type ${parent.type}; give its ATTRIBUTE the type tlv`
			: `there is no attribute '${name.text}'; define it before this line, with type tlv`
		fail(reading, placeOf(place, name), sentence)
	}
	const prefix = parent?.path ?? reading.scopes.at(-1)?.prefix ?? []
	reading.scopes.push({ end: 'END-TLV', name: name.text, prefix, place: placeOf(place, name) })
}

function endScope(reading: Reading, tokens: readonly Token[], place: Place): void {
	const keyword = tokens[0]!.text.toUpperCase()
	if (!hasWords(reading, tokens, place, 2, 2, `${keyword} NAME`)) return
	const name = tokens[1]!
	const open = reading.scopes.at(-1)
	// Only what this very file began.
	if (!open || open.place.file !== place.file) {
		fail(reading, place, `nothing is open here; remove ${keyword} ${name.text}`)
		return
	}
	if (open.end !== keyword || open.name.toLowerCase() !== name.text.toLowerCase()) {
		const { line } = open.place
		const sentence = `line ${line} opened ${open.name}; write ${open.end} ${open.name} before this`
		fail(reading, placeOf(place, name), sentence)
		return
	}
	reading.scopes.pop()
}

function readAttribute(reading: Reading, tokens: readonly Token[], place: Place): void {
	if (!hasWords(reading, tokens, place, 4, 5, 'ATTRIBUTE NAME NUMBER TYPE [FLAGS]')) return
	const [, name, number, typeWord, flagWord] = tokens
	const type = readType(reading, typeWord!, place)
	const flags = readFlags(reading, flagWord, type?.type, place)
	if (!type || !flags) return
	const prefix = flags.vendor ? [26, flags.vendor.number] : (reading.scopes.at(-1)?.prefix ?? [])
	const path = readNumber(reading, number!, prefix, place)
	if (!path) return
	const { encrypt, tagged, secret } = flags
	const attribute = makeAttribute({
		name: name!.text,
		path,
		...type,
		tagged,
		encrypt,
		secret,
		source: place.file,
	})
	const known = reading.byName.get(attribute.name.toLowerCase())
	if (known && known.path.join('.') !== path.join('.')) {
		const sentence = `${attribute.name} is ${known.path.join('.')} already (${known.source}); use another name`
		fail(reading, placeOf(place, name), sentence)
		return
	}
	reading.attributes.push(attribute)
	reading.byName.set(attribute.name.toLowerCase(), attribute)
	reading.byPath.set(path.join('.'), attribute)
}

function readType(
	reading: Reading,
	token: Token,
	place: Place,
): { type: ValueType; length?: number } | undefined {
	const { type, length } = parseRowType(token.text.toLowerCase())
	const known = Object.hasOwn(typeAliases, type) ? typeAliases[type]! : type
	const internal = known === 'tagged-string' || known === 'tagged-integer'
	if (Object.hasOwn(codecs, known) && !internal && (length === undefined || length < 254)) {
		return { type: known as ValueType, ...(length === undefined ? {} : { length }) }
	}
	const names = Object.keys(codecs).filter(name => !name.startsWith('tagged-'))
	fail(reading, placeOf(place, token), `'${token.text}' is no type; ${suggest(token.text, names)}`)
	return undefined
}

type Flags = { tagged: boolean; encrypt: Encrypt; secret: boolean; vendor?: Vendor }

function readFlags(
	reading: Reading,
	token: Token | undefined,
	type: ValueType | undefined,
	place: Place,
): Flags | undefined {
	const flags: Flags = { tagged: false, encrypt: 0, secret: false }
	let column = token?.column ?? 0
	for (const flag of token?.text.split(',') ?? []) {
		const at = { ...place, column }
		column += flag.length + 1
		// A vendor's name in place of flags is FreeRADIUS' oldest form.
		const vendor = vendorByName(reading, flag)
		const encrypt = /^encrypt=([123])$/.exec(flag)
		if (encrypt) flags.encrypt = Number(encrypt[1]) as Encrypt
		else if (flag === 'has_tag') flags.tagged = true
		else if (flag === 'secret') flags.secret = true
		else if (vendor) flags.vendor = vendor
		else if (!['concat', 'array', 'virtual', 'internal'].includes(flag)) {
			fail(reading, at, `'${flag}' is no flag; use ${flagNames}`)
			return undefined
		}
		if (flag === 'has_tag' && type !== undefined && type !== 'string' && type !== 'integer') {
			fail(reading, at, `a ${type} has no tag (RFC 2868); remove has_tag, or use string or integer`)
			return undefined
		}
	}
	flags.secret ||= flags.encrypt > 0
	return flags
}

/** Reads a decimal, hexadecimal or dotted number and puts it behind `prefix`. */
function readNumber(
	reading: Reading,
	token: Token,
	prefix: readonly number[],
	place: Place,
): readonly number[] | undefined {
	const path = [...prefix]
	let column = token.column
	const words = token.text.split('.')
	for (const word of words) {
		const at = { ...place, column }
		column += word.length + 1
		const highest = highestNumber(reading, path, words.length)
		if (highest === undefined) {
			const parent = path.join('.')
			fail(reading, at, `${parent} holds no attributes; define it before this line, with type tlv`)
			return undefined
		}
		const number = parseUnsigned(word, highest)
		if (number === undefined) {
			fail(reading, at, `'${word}' is no number here; write 0 to ${highest}`)
			return undefined
		}
		path.push(number)
	}
	return path
}

/** The greatest number that may follow `path`; undefined where nothing may. */
function highestNumber(
	reading: Reading,
	path: readonly number[],
	words: number,
): number | undefined {
	if (path.length === 0) return words === 1 ? maximumInternal : 255
	const [type, second] = path
	if (path.length === 1 && type === 26) return 0xffffffff
	if (path.length === 1 && isExtended(type!)) return 255
	if (path.length === 2 && type === 26) {
		const octets = vendorByNumber(reading, second!)?.typeOctets ?? 1
		return 256 ** octets - 1
	}
	// RFC 6929 §2.4: 26 within an extended space is Extended-Vendor-Specific.
	if (path.length === 2 && isExtended(type!) && second === 26) return 0xffffffff
	if (path.length === 3 && isExtended(type!) && second === 26) return 255
	return byPath(reading, path)?.type === 'tlv' ? 255 : undefined
}

function readValue(reading: Reading, tokens: readonly Token[], place: Place): void {
	if (!hasWords(reading, tokens, place, 4, 4, 'VALUE ATTRIBUTE NAME NUMBER')) return
	const [, attribute, name, numberWord] = tokens
	const number = parseUnsigned(numberWord!.text, Number.MAX_SAFE_INTEGER)
	if (number === undefined) {
		const sentence = `'${numberWord!.text}' is no number; write it in decimal, or as 0x and digits`
		fail(reading, placeOf(place, numberWord), sentence)
		return
	}
	// The attribute may be defined further down: `checkValues` looks for it in the end.
	reading.values.push({
		value: { attribute: attribute!.text, name: name!.text, number },
		place: placeOf(place, numberWord),
		attributeAt: placeOf(place, attribute),
	})
}

function checkValues(reading: Reading): void {
	for (const { value, place, attributeAt } of reading.values) {
		const attribute = byName(reading, value.attribute)
		if (!attribute) {
			const names = [...reading.byName.values()].map(known => known.name)
			const mend = suggest(value.attribute, names, 'define it with ATTRIBUTE')
			fail(reading, attributeAt, `there is no attribute '${value.attribute}'; ${mend}`)
			continue
		}
		const highest = numericLimit(attribute.type)
		// FreeRADIUS' own dictionaries name values of octets; they mean nothing here.
		if (attribute.type === 'octets') continue
		if (highest === 0) {
			const sentence = `${value.attribute} has type ${attribute.type}; only numbers can be named`
			fail(reading, attributeAt, `${sentence}: remove the line, or make the type integer`)
		} else if (value.number > highest) {
			const sentence = `${value.number} does not fit type ${attribute.type}; write 0 to ${highest}`
			fail(reading, place, sentence)
		}
	}
}

/** The mend for a misspelt word: the nearest of `words`, or all of them, or `otherwise`. */
function suggest(word: string, words: readonly string[], otherwise?: string): string {
	let [best, least] = ['', 3]
	for (const candidate of words) {
		const distance = editDistance(word.toLowerCase(), candidate.toLowerCase(), least)
		if (distance < least) [best, least] = [candidate, distance]
	}
	if (best !== '') return `did you mean ${best}?`
	return otherwise ?? `use ${words.join(', ')}`
}

/** Insertions, deletions and replacements between two words; `limit` when it is no fewer. */
function editDistance(from: string, to: string, limit: number): number {
	if (Math.abs(from.length - to.length) >= limit) return limit
	let row = Array.from({ length: to.length + 1 }, (_, index) => index)
	for (let i = 1; i <= from.length; i++) {
		const next = [i]
		for (let j = 1; j <= to.length; j++) {
			const replaced = row[j - 1]! + (from[i - 1] === to[j - 1] ? 0 : 1)
			next.push(Math.min(replaced, row[j]! + 1, next[j - 1]! + 1))
		}
		row = next
	}
	return Math.min(limit, row[to.length]!)
}
