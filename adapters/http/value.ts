/**
 * Values that come in with a request: each has the io-ts codec that checks it and the JSON Schema
 * that describes it in one record, so that the OpenAPI document cannot say anything else than
 * what is checked.
 */
import * as t from 'io-ts'
import { parseIpv4 } from '../../domain/address.ts'
import { normaliseMac, parseCalledStation } from '../../domain/radius/station-id.ts'

/** JSON Schema 2020-12, as OpenAPI 3.1 has it. */
export type JsonSchema = { readonly [keyword: string]: unknown }

export type Value<A> = {
	/** Decodes what a query or a path has, which is always text. */
	readonly codec: t.Decoder<unknown, A>
	readonly schema: JsonSchema
	/** Ends the sentence "P must be ...". */
	readonly expects: string
}

function value<A>(
	name: string,
	schema: JsonSchema,
	expects: string,
	read: (text: string) => A | undefined,
	is: (u: unknown) => u is A,
): Value<A> {
	const codec = new t.Type<A, unknown, unknown>(
		name,
		is,
		(u, context) => {
			const found = typeof u === 'string' ? read(u) : undefined
			return found === undefined ? t.failure(u, context) : t.success(found)
		},
		String,
	)
	return { codec, schema, expects }
}

const isText = (u: unknown): u is string => typeof u === 'string'
const isNumber = (u: unknown): u is number => typeof u === 'number'

/** One of these words. */
export function choice<const W extends string>(words: readonly W[]): Value<W> {
	return value(
		'choice',
		{ type: 'string', enum: words },
		`one of ${words.join(', ')}`,
		text => words.find(word => word === text),
		(u): u is W => words.includes(u as W),
	)
}

/** Several of these words, separated by commas. */
export function choices<const W extends string>(words: readonly W[]): Value<readonly W[]> {
	const inner = words.join('|')
	return value(
		'choices',
		{ type: 'string', pattern: `^(${inner})(,(${inner}))*$` },
		`one or more of ${words.join(', ')}, separated by commas`,
		text => {
			const found = text.split(',').map(part => words.find(word => word === part))
			return found.every(word => word !== undefined) ? found : undefined
		},
		(u): u is readonly W[] => Array.isArray(u) && u.every(word => words.includes(word)),
	)
}

export function integer(minimum: number, maximum: number): Value<number> {
	return value(
		'integer',
		{ type: 'integer', minimum, maximum },
		`a whole number from ${minimum} to ${maximum}`,
		text => {
			const number = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN
			return number >= minimum && number <= maximum ? number : undefined
		},
		isNumber,
	)
}

/** A position in the journal. */
export const position = integer(0, Number.MAX_SAFE_INTEGER)

export const flag: Value<boolean> = value(
	'flag',
	{ type: 'boolean' },
	'true or false',
	text => (text === 'true' ? true : text === 'false' ? false : undefined),
	(u): u is boolean => typeof u === 'boolean',
)

/** Text of 1 to `maximum` characters without control characters. */
export function text(maximum: number): Value<string> {
	return value(
		'text',
		{ type: 'string', minLength: 1, maxLength: maximum },
		`text of 1 to ${maximum} characters without control characters`,
		given => (given.length <= maximum && /^[^\p{Cc}\p{Cs}]+$/u.test(given) ? given : undefined),
		isText,
	)
}

/** The same as `text`, for a key that only this program makes and reads. */
export const opaque: Value<string> = value(
	'opaque',
	{ type: 'string', pattern: '^[A-Za-z0-9_-]{1,1024}$' },
	'a cursor as an earlier answer gave it',
	given => (/^[A-Za-z0-9_-]{1,1024}$/.test(given) ? given : undefined),
	isText,
)

/** A MAC address however equipment spells it, in normal form: `02-00-00-00-00-01`. */
export const mac: Value<string> = value(
	'mac',
	{ type: 'string', minLength: 12, maxLength: 17, examples: ['02-00-00-00-00-01'] },
	'a MAC address of twelve hexadecimal digits, such as 02-00-00-00-00-01',
	given => {
		const octets = new TextEncoder().encode(given)
		return normaliseMac(octets, 0, octets.length)
	},
	isText,
)

/** An access point as the journal names it: its MAC address in normal form, else its name. */
export const accessPoint: Value<string> = value(
	'access point',
	{ type: 'string', minLength: 1, maxLength: 64, examples: ['02-00-00-00-AA-01'] },
	'an access point: its MAC address, such as 02-00-00-00-AA-01, or the name it has in the journal',
	given => {
		if (given === '' || given.length > 64 || /[\p{Cc}\p{Cs}]/u.test(given)) return undefined
		const octets = new TextEncoder().encode(given)
		const mac = normaliseMac(octets, 0, octets.length)
		// Already in the journal's spelling: to encode it once more would find nothing.
		if (mac === undefined && /[%~]/.test(given)) return given
		return parseCalledStation(octets, 0, octets.length).wap
	},
	isText,
)

export const ipv4: Value<string> = value(
	'IPv4 address',
	{ type: 'string', format: 'ipv4' },
	'an IPv4 address of four decimal numbers, such as 10.20.3.7',
	given => (parseIpv4(given) === undefined ? undefined : given),
	isText,
)

const dateTime = /^\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:Z|[+-]\d\d:\d\d)?)?$/

/** Milliseconds since 1970; later than 9999 is a slip of the pen. */
const latestMs = 253_402_300_799_999

/** An instant; RFC 3339, or a part of it which is then UTC, or milliseconds since 1970. */
export const time: Value<number> = value(
	'time',
	{
		type: 'string',
		pattern:
			'^(\\d{1,15}|\\d{4}-\\d\\d-\\d\\d([T ]\\d\\d:\\d\\d(:\\d\\d(\\.\\d{1,9})?)?(Z|[+-]\\d\\d:\\d\\d)?)?)$',
		examples: ['2027-01-15T08:00:00Z'],
	},
	'a time such as 2027-01-15T08:00:00Z or 2027-01-15 (UTC unless it says otherwise; a + is written %2B), or milliseconds since 1970',
	given => {
		if (/^\d{1,15}$/.test(given)) return Number(given) <= latestMs ? Number(given) : undefined
		if (!dateTime.test(given)) return undefined
		const zoned = /(?:Z|[+-]\d\d:\d\d)$/.test(given) && given.length > 10
		const iso = given.replace(' ', 'T')
		const ms = Date.parse(zoned ? iso : iso.length === 10 ? `${iso}T00:00Z` : `${iso}Z`)
		// Date.parse turns 30 February into 2 March; a date that is none is refused.
		if (Number.isNaN(ms) || ms < 0 || !isCalendarDate(given.slice(0, 10))) return undefined
		return ms
	},
	isNumber,
)

function isCalendarDate(text: string): boolean {
	const ms = Date.parse(`${text}T00:00Z`)
	return !Number.isNaN(ms) && new Date(ms).toISOString().slice(0, 10) === text
}
