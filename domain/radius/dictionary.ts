/**
 * What attribute numbers mean: the built-in table and what operators add to it, indexed for
 * look-ups. A dictionary is immutable; `extendDictionary` makes another one.
 */
import { attributeTable, type Row, type Section } from './attribute-table.ts'
import { codecOf, type Decoded, isNumeric, type ValueType } from './value.ts'

/** How a value is hidden on its hop: RFC 2865 §5.2, RFC 2868 §3.5, Ascend-Send-Secret. */
export type Encrypt = 0 | 1 | 2 | 3

export type Attribute = {
	readonly name: string
	/**
	 * Numbers from the outside in: `[1]`, `[26, 4874, 52]` (vendor), `[241, 5, 1]` (extended, TLV),
	 * `[245, 26, 11344, 1]` (extended vendor). Single numbers above 255 never are in a packet.
	 */
	readonly path: readonly number[]
	readonly type: ValueType
	/** Octets of the value, where the type leaves them open and the attribute does not. */
	readonly length?: number
	/** RFC 2868: a tag octet precedes the value. */
	readonly tagged: boolean
	readonly encrypt: Encrypt
	/** Not to be shown, whether hidden on the hop or not. */
	readonly secret: boolean
	/** The document that defines it: an RFC, or a dictionary file. */
	readonly source: string
	/** Numbers by lower-case name, and names by number. */
	readonly numbers: ReadonlyMap<string, number>
	readonly names: ReadonlyMap<number, string>
}

/** A vendor and how it frames its attributes within Vendor-Specific (RFC 2865 §5.26). */
export type Vendor = {
	readonly number: number
	readonly name: string
	readonly typeOctets: 1 | 2 | 4
	/** 0: one attribute fills the rest of its Vendor-Specific. */
	readonly lengthOctets: 0 | 1 | 2
	/** WiMAX: an octet of flags follows the length. */
	readonly continuation: boolean
}

export type Dictionary = {
	readonly vendors: ReadonlyMap<number, Vendor>
	readonly vendorNames: ReadonlyMap<string, Vendor>
	/** Keys are paths joined by dots. */
	readonly byPath: ReadonlyMap<string, Attribute>
	/** Keys are lower-case: names differ in more than their case. */
	readonly byName: ReadonlyMap<string, Attribute>
	readonly byNumber: readonly (Attribute | undefined)[]
	readonly byVendor: ReadonlyMap<number, ReadonlyMap<number, Attribute>>
	/** Extended attributes (RFC 6929): index is (type - 241) * 256 + extended type. */
	readonly byExtended: readonly (Attribute | undefined)[]
}

/** A name for a number of the attribute with that name. */
export type NamedValue = {
	readonly attribute: string
	readonly name: string
	readonly number: number
}

export type Additions = {
	readonly vendors: readonly Vendor[]
	readonly attributes: readonly Attribute[]
	readonly values: readonly NamedValue[]
}

const noNumbers: ReadonlyMap<string, number> = new Map()
const noNames: ReadonlyMap<number, string> = new Map()

/** An attribute without flags and value names; `given` has what differs. */
export function makeAttribute(
	given: Pick<Attribute, 'name' | 'path' | 'type' | 'source'> & Partial<Attribute>,
): Attribute {
	return {
		tagged: false,
		encrypt: 0,
		secret: (given.encrypt ?? 0) > 0,
		numbers: noNumbers,
		names: noNames,
		...given,
	}
}

/** Indexes attributes; of two with one number or one name, the later counts. */
function makeDictionary(vendors: Iterable<Vendor>, attributes: Iterable<Attribute>): Dictionary {
	const byVendor = new Map<number, Map<number, Attribute>>()
	const byPath = new Map<string, Attribute>()
	const byName = new Map<string, Attribute>()
	const byNumber = new Array<Attribute | undefined>(256).fill(undefined)
	const byExtended = new Array<Attribute | undefined>(6 * 256).fill(undefined)
	for (const attribute of attributes) {
		const [type, second, third] = attribute.path
		byPath.set(attribute.path.join('.'), attribute)
		byName.set(attribute.name.toLowerCase(), attribute)
		if (attribute.path.length === 1 && type! < 256) byNumber[type!] = attribute
		if (attribute.path.length === 2 && isExtended(type!)) {
			byExtended[(type! - 241) * 256 + second!] = attribute
		}
		if (attribute.path.length === 3 && type === 26) {
			const ofVendor = byVendor.get(second!) ?? new Map<number, Attribute>()
			byVendor.set(second!, ofVendor.set(third!, attribute))
		}
	}
	const list = [...vendors]
	return {
		vendors: new Map(list.map(vendor => [vendor.number, vendor])),
		vendorNames: new Map(list.map(vendor => [vendor.name.toLowerCase(), vendor])),
		byPath,
		byName,
		byNumber,
		byVendor,
		byExtended,
	}
}

/** RFC 6929 §2.1, §2.2: 241 to 244 are extended, 245 and 246 long extended. */
export function isExtended(type: number): boolean {
	return type >= 241 && type <= 246
}

export function attributeByNumber(dictionary: Dictionary, type: number): Attribute | undefined {
	return dictionary.byNumber[type]
}

export function attributeByVendor(
	dictionary: Dictionary,
	vendor: number,
	type: number,
): Attribute | undefined {
	return dictionary.byVendor.get(vendor)?.get(type)
}

/** `type` 241 to 246. */
export function attributeByExtended(
	dictionary: Dictionary,
	type: number,
	extendedType: number,
): Attribute | undefined {
	return dictionary.byExtended[(type - 241) * 256 + extendedType]
}

export function attributeByPath(
	dictionary: Dictionary,
	path: readonly number[],
): Attribute | undefined {
	return dictionary.byPath.get(path.join('.'))
}

/** The name's case does not matter. */
export function attributeByName(dictionary: Dictionary, name: string): Attribute | undefined {
	return dictionary.byName.get(name.toLowerCase())
}

/** The type on the wire, tag included. */
export function wireType(attribute: Attribute): ValueType {
	if (!attribute.tagged) return attribute.type
	return attribute.type === 'integer' ? 'tagged-integer' : 'tagged-string'
}

/** A decoded value as text; a number by its name if it has one. */
export function formatValue(attribute: Attribute, value: unknown): string {
	const name = typeof value === 'number' ? attribute.names.get(value) : undefined
	if (name !== undefined) return name
	if (attribute.tagged && attribute.type === 'integer') {
		const { tag, value: number } = value as { tag: number; value: number }
		return `${tag === 0 ? '' : tag}:${attribute.names.get(number) ?? number}`
	}
	return codecOf(wireType(attribute)).format(value)
}

/** Reads what `formatValue` writes; names count in any case. */
export function parseValue(attribute: Attribute, text: string): Decoded<unknown> {
	const number = attribute.numbers.get(text.toLowerCase())
	if (number !== undefined && !attribute.tagged) return { value: number }
	const parsed = codecOf(wireType(attribute)).parse(numberInTag(attribute, text))
	if (!('error' in parsed) || attribute.names.size === 0) return parsed
	const names = [...attribute.names.values()].slice(0, 8).join(', ')
	return { error: `${parsed.error}, nor a name that ${attribute.name} has: ${names}` }
}

function numberInTag(attribute: Attribute, text: string): string {
	if (!attribute.tagged || attribute.type !== 'integer') return text
	const colon = text.indexOf(':')
	const number = attribute.numbers.get(text.slice(colon + 1).toLowerCase())
	return number === undefined ? text : `${text.slice(0, colon + 1)}${number}`
}

/**
 * How the packet path must treat a value between two secrets. What
 * precedes the salt is a tag, or WiMAX's octet of flags.
 */
export const hiding = {
	none: 0,
	/** RFC 2548 §2.4.2: the salt comes first. */
	salted: 1,
	/** RFC 2868 §3.5: an octet, then the salt. */
	saltedBehindOctet: 2,
	/** RFC 2865 §5.2. */
	password: 3,
	/** Ascend's 16 octets. */
	ascend: 4,
} as const

export type HiddenVendor = {
	readonly vendor: Vendor
	/** One of `hiding` by vendor type; shorter than the number space: undefined means none. */
	readonly types: Uint8Array
}

export type HiddenAttributes = {
	/** One of `hiding` by attribute type. */
	readonly standard: Uint8Array
	readonly vendors: ReadonlyMap<number, HiddenVendor>
}

function hidingOf(attribute: Attribute, vendor?: Vendor): number {
	switch (attribute.encrypt) {
		case 0:
			return hiding.none
		case 1:
			return hiding.password
		case 2:
			return attribute.tagged || vendor?.continuation ? hiding.saltedBehindOctet : hiding.salted
		case 3:
			return hiding.ascend
		default: {
			const never: never = attribute.encrypt
			return never
		}
	}
}

/**
 * Tables that tell which values are bound to the hop, for one look-up per attribute. Values hidden
 * inside TLVs are not among them: nothing but WiMAX has them.
 */
export function hiddenAttributes(dictionary: Dictionary): HiddenAttributes {
	const vendors = new Map<number, HiddenVendor>()
	for (const [number, attributes] of dictionary.byVendor) {
		const hidden = [...attributes].filter(([, attribute]) => attribute.encrypt > 0)
		const vendor = dictionary.vendors.get(number)
		if (hidden.length === 0 || !vendor) continue
		const highest = Math.min(0xffff, Math.max(...hidden.map(([type]) => type)))
		const types = new Uint8Array(Math.max(256, highest + 1))
		for (const [type, attribute] of hidden) types[type] = hidingOf(attribute, vendor)
		vendors.set(number, { vendor, types })
	}
	const standard = Uint8Array.from(dictionary.byNumber, attribute =>
		attribute ? hidingOf(attribute) : hiding.none,
	)
	return { standard, vendors }
}

/** Reads a vendor's `format=type octets,length octets[,c]`; undefined where it is none. */
export function parseVendorFormat(
	text: string,
): Pick<Vendor, 'typeOctets' | 'lengthOctets' | 'continuation'> | undefined {
	const match = /^([124]),([012])(,c)?$/.exec(text)
	if (!match) return undefined
	return {
		typeOctets: Number(match[1]) as 1 | 2 | 4,
		lengthOctets: Number(match[2]) as 0 | 1 | 2,
		continuation: match[3] !== undefined,
	}
}

/** Splits `octets[16]` into its type and its length. */
export function parseRowType(text: string): { type: string; length?: number } {
	const match = /^(octets|string)\[([0-9]{1,3})\]$/.exec(text)
	return match ? { type: match[1]!, length: Number(match[2]) } : { type: text }
}

function attributeOfRow(section: Section, row: Row): Attribute {
	const [number, name, rowType, flags = ''] = row
	const inner = String(number).split('.').map(Number)
	const names = new Map<number, string>()
	const numbers = new Map<string, number>()
	for (const word of (section.values?.[name] ?? '').split(/\s+/).filter(word => word !== '')) {
		const equals = word.lastIndexOf('=')
		const value = Number(word.slice(equals + 1))
		names.set(value, word.slice(0, equals))
		numbers.set(word.slice(0, equals).toLowerCase(), value)
	}
	const { type, length } = parseRowType(rowType)
	const encrypt = Number(/encrypt=([123])/.exec(flags)?.[1] ?? 0) as Encrypt
	return makeAttribute({
		name,
		path: section.vendor ? [26, section.vendor[0], ...inner] : inner,
		type: type as ValueType,
		...(length === undefined ? {} : { length }),
		tagged: flags.includes('has_tag'),
		encrypt,
		secret: encrypt > 0 || flags.includes('secret'),
		source: section.source,
		names,
		numbers,
	})
}

function vendorOfSection(section: Section): Vendor[] {
	if (!section.vendor) return []
	const [number, name, format = '1,1'] = section.vendor
	return [{ number, name, ...parseVendorFormat(format)! }]
}

/** What radledger knows without any file. */
export const builtInDictionary: Dictionary = makeDictionary(
	attributeTable.flatMap(vendorOfSection),
	attributeTable.flatMap(section => section.rows.map(row => attributeOfRow(section, row))),
)

/** What is hidden by hop as far as the built-in dictionary knows. */
export const builtInHidden: HiddenAttributes = hiddenAttributes(builtInDictionary)

/** Whether a standard attribute's value is salt-encrypted behind a tag: Tunnel-Password's kind. */
export function isSaltEncrypted(type: number, hidden: HiddenAttributes = builtInHidden): boolean {
	return hidden.standard[type] === hiding.saltedBehindOctet
}

/**
 * Whether a vendor's value is salt-encrypted: 0 no; 1 yes; 2 yes, and an octet precedes the salt.
 * For vendors that frame their attributes as RFC 2865 §5.26 suggests.
 */
export function isVendorSaltEncrypted(
	vendor: number,
	type: number,
	hidden: HiddenAttributes = builtInHidden,
): 0 | 1 | 2 {
	const known = hidden.vendors.get(vendor)
	if (known === undefined || known.vendor.typeOctets !== 1 || known.vendor.lengthOctets !== 1) {
		return 0
	}
	const how = known.types[type]
	return how === hiding.salted || how === hiding.saltedBehindOctet ? how : 0
}

/**
 * A dictionary with more in it; `base` stays as it is. A later attribute takes the number and the
 * name of an earlier one, but cannot make a value plain that the earlier one knows as hidden: the
 * relay would forward it under the wrong secret.
 */
export function extendDictionary(base: Dictionary, additions: Additions): Dictionary {
	const attributes = new Map<string, Attribute>()
	for (const attribute of [...base.byPath.values(), ...additions.attributes]) {
		const key = `${attribute.name.toLowerCase()} ${attribute.path.join('.')}`
		const known = base.byPath.get(attribute.path.join('.'))
		// The later of two counts: it has to come last in the order of insertion too.
		attributes.delete(key)
		attributes.set(key, known ? withKnown(attribute, known) : attribute)
	}
	const named = new Map<string, NamedValue[]>()
	for (const value of additions.values) {
		const name = value.attribute.toLowerCase()
		named.set(name, [...(named.get(name) ?? []), value])
	}
	const vendors = [...base.vendors.values(), ...additions.vendors]
	const result = [...attributes.values()].map(attribute => {
		const values = named.get(attribute.name.toLowerCase())
		return values && isNumeric(attribute.type) ? withNames(attribute, values) : attribute
	})
	return makeDictionary(vendors, result)
}

/** Keeps what is known of a number: hop encryption, secrecy and, under one name, value names. */
function withKnown(attribute: Attribute, known: Attribute): Attribute {
	const sameName = attribute.name.toLowerCase() === known.name.toLowerCase()
	const sameNumbers = sameName && attribute.numbers.size === 0 && isNumeric(attribute.type)
	return {
		...attribute,
		...(sameNumbers ? { numbers: known.numbers, names: known.names } : {}),
		encrypt: attribute.encrypt || known.encrypt,
		secret: attribute.secret || known.secret,
	}
}

function withNames(attribute: Attribute, values: readonly NamedValue[]): Attribute {
	const numbers = new Map(attribute.numbers)
	const names = new Map(attribute.names)
	for (const value of values) {
		numbers.set(value.name.toLowerCase(), value.number)
		names.set(value.number, value.name)
	}
	return { ...attribute, numbers, names }
}
