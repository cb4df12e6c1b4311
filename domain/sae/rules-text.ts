/**
 * The text of a rules file:
 *
 *     time-zone Europe/Berlin
 *     service gold
 *       class gold-2026
 *     rule staff
 *       match realm example.org
 *       match time mon-fri 08:00-18:00
 *       pool staff-pool weight 3
 *       pool staff-pool-2
 *       service gold
 *     default
 *       pool guests
 *
 * A line without indentation begins a section, the indented ones below belong to it. `default`
 * must be there and be last, so that a file of which a part was lost is refused as a whole.
 */
import { parseIpv4 } from '../address.ts'
import { maximumValueLength } from '../radius/packet.ts'
import { classOctets, octetsOfHex } from './class.ts'
import { encodeOctets } from './dhcp-options.ts'
import type { Criterion, DecisionValues, Rule, RuleOutcome, Rules, WeightedPool } from './rules.ts'
import { behind, list, readCriterion, readZone } from './rules-criteria.ts'
import { RulesFault, readWords, type Word } from './rules-words.ts'
import type { WeekClock } from './week-time.ts'

export type RulesError = {
	/** From 1, as the column. */
	readonly line: number
	readonly column: number
	/** What is wrong and what to write instead. */
	readonly message: string
}

export const maximumTextLength = 4 * 2 ** 20
export const maximumLineLength = 1024
const maximumRules = 10_000
const maximumWeight = 1_000_000
/** Of all options of a rule in base64: a decision must fit into a message. */
const maximumOptionsLength = 4096
/** A text with more is no rules file at all; the rest is not looked at. */
const maximumErrors = 100

type RuleSection = {
	readonly kind: 'rule' | 'default'
	readonly name: string
	readonly line: number
	readonly criteria: Criterion[]
	readonly pools: WeightedPool[]
	/** Optional fields of the decision, and the DHCP options in the making. */
	readonly values: DecisionValues
	readonly options: Record<string, string>
	/** First words of the lines so far: most may stand only once. */
	readonly seen: Set<string>
	reject: { reason?: string } | undefined
	/** What one of its lines was to be is not known, so neither is what the section lacks. */
	broken: boolean
}
type ServiceSection = { readonly kind: 'service'; readonly name: string }
/** Below a line that could not be read: what follows is checked no further. */
type LostSection = { readonly kind: 'lost' }
type Section = RuleSection | ServiceSection | LostSection

type Reading = {
	readonly errors: RulesError[]
	readonly sections: RuleSection[]
	readonly names: Set<string>
	readonly services: Map<string, string | undefined>
	/** Where services are used: they are checked when all definitions are known. */
	readonly uses: { readonly word: Word; readonly line: number }[]
	zone: WeekClock | undefined
	current: Section | undefined
}

/** The rules of a text, or every error in it. */
export function parseRules(
	text: string,
): { readonly rules: Rules } | { readonly errors: readonly RulesError[] } {
	if (text.length > maximumTextLength) {
		const message = `The file has more than ${maximumTextLength} characters; it has no rules.`
		return { errors: [{ line: 1, column: 1, message }] }
	}
	const reading: Reading = {
		errors: [],
		sections: [],
		names: new Set(),
		services: new Map(),
		uses: [],
		zone: undefined,
		current: undefined,
	}
	const lines = text.replace(/^\uFEFF/, '').split(/\r?\n/)
	for (const [index, line] of lines.entries()) {
		catchFault(reading, index + 1, () => readLine(reading, line, index + 1))
		if (reading.errors.length >= maximumErrors) break
	}
	checkWhole(reading, lines.length)
	if (reading.errors.length > 0) {
		return { errors: reading.errors.sort((a, b) => a.line - b.line || a.column - b.column) }
	}
	return { rules: { rules: reading.sections.map(ruleOf), services: reading.services } }
}

/** `rules.txt:3:9: There is no criterion ...` */
export function describeRulesError(file: string, error: RulesError): string {
	return `${file}:${error.line}:${error.column}: ${error.message}`
}

function catchFault(reading: Reading, line: number, read: () => void): void {
	try {
		read()
	} catch (error) {
		if (!(error instanceof RulesFault)) throw error
		reading.errors.push({ line, column: error.column, message: error.message })
	}
}

function readLine(reading: Reading, line: string, number: number): void {
	if (line.length > maximumLineLength) {
		throw new RulesFault(1, `A line has at most ${maximumLineLength} characters; shorten it.`)
	}
	const indented = line[0] === ' ' || line[0] === '\t'
	const words = withinSection(reading, indented, () => readWords(line))
	const first = words[0]
	if (first === undefined) return
	if (!indented) {
		withinSection(reading, indented, () => {
			reading.current = readHeader(reading, words, first, number)
		})
		return
	}
	const section = reading.current
	if (section === undefined) {
		const mend = 'write "rule NAME", "default" or "service NAME" above it, without indentation'
		throw new RulesFault(first.column, `"${first.text}" belongs to no section; ${mend}.`)
	}
	switch (section.kind) {
		case 'rule':
		case 'default':
			readStatement(reading, section, words, number)
			return
		case 'service':
			readServiceStatement(reading, section, words)
			return
		case 'lost':
			return
		default:
			section satisfies never
	}
}

/** What cannot be read must not make another line, or the lack of one, look wrong. */
function withinSection<T>(reading: Reading, indented: boolean, read: () => T): T {
	try {
		return read()
	} catch (error) {
		if (!indented) reading.current = { kind: 'lost' }
		else if (isRule(reading.current)) reading.current.broken = true
		throw error
	}
}

function isRule(section: Section | undefined): section is RuleSection {
	return section?.kind === 'rule' || section?.kind === 'default'
}

function readHeader(
	reading: Reading,
	words: readonly Word[],
	first: Word,
	line: number,
): Section | undefined {
	switch (first.text) {
		case 'rule': {
			const name = nameBehind(words, 'rule')
			if (name.text === 'default') {
				throw new RulesFault(name.column, 'No rule may be named default; write "default" alone.')
			}
			return newRule(reading, 'rule', name.text, name.column, line)
		}
		case 'default': {
			const section = newRule(reading, 'default', 'default', first.column, line)
			noMore(words, 1)
			return section
		}
		case 'service': {
			const name = nameBehind(words, 'service')
			if (reading.services.has(name.text)) {
				const mend = 'give one of them another name'
				throw new RulesFault(name.column, `Service ${name.text} is defined already; ${mend}.`)
			}
			reading.services.set(name.text, undefined)
			return { kind: 'service', name: name.text }
		}
		case 'time-zone': {
			const zone = words[1]
			if (zone === undefined) {
				throw new RulesFault(behind(words), 'A name such as Europe/Berlin is missing; write it.')
			}
			if (reading.zone !== undefined || reading.sections.length > 0) {
				throw new RulesFault(1, 'The time zone must stand once, above all rules; move it there.')
			}
			noMore(words, 2)
			reading.zone = readZone(zone)
			return undefined
		}
		default: {
			const indent = ruleStatements.includes(first.text) ? ', or indent what belongs to one' : ''
			const mend = `write rule, default, service or time-zone${indent}`
			throw new RulesFault(first.column, `"${first.text}" begins no section; ${mend}.`)
		}
	}
}

function newRule(
	reading: Reading,
	kind: 'rule' | 'default',
	name: string,
	column: number,
	line: number,
): RuleSection {
	if (reading.names.has('default')) {
		const mend = 'move this above "default"'
		throw new RulesFault(1, `Nothing behind "default" would ever be reached; ${mend}.`)
	}
	if (reading.names.has(name)) {
		throw new RulesFault(column, `There is a rule ${name} already; give one another name.`)
	}
	if (reading.sections.length >= maximumRules) {
		throw new RulesFault(1, `A file has at most ${maximumRules} rules; put some together.`)
	}
	reading.names.add(name)
	const section: RuleSection = {
		kind,
		name,
		line,
		criteria: [],
		pools: [],
		values: {},
		options: {},
		seen: new Set(),
		reject: undefined,
		broken: false,
	}
	reading.sections.push(section)
	return section
}

/** Statements that set one text field of the decision. */
const textStatements: Readonly<
	Record<
		string,
		| 'serviceBundle'
		| 'radiusClass'
		| 'userName'
		| 'bootServerName'
		| 'bootFileName'
		| 'virtualRouter'
		| 'localInterface'
	>
> = {
	service: 'serviceBundle',
	class: 'radiusClass',
	'user-name': 'userName',
	'boot-server': 'bootServerName',
	'boot-file': 'bootFileName',
	'virtual-router': 'virtualRouter',
	'local-interface': 'localInterface',
}

const ruleStatements: readonly string[] = [
	'match',
	'pool',
	'address',
	'lease',
	'option',
	'reject',
	...Object.keys(textStatements),
]
const repeatable: readonly string[] = ['match', 'pool', 'option']

function readStatement(
	reading: Reading,
	section: RuleSection,
	words: readonly Word[],
	line: number,
): void {
	const first = words[0]!
	if (!ruleStatements.includes(first.text)) {
		section.broken = true
		const mend = `write ${list(ruleStatements)}`
		throw new RulesFault(first.column, `A rule has no "${first.text}"; ${mend}.`)
	}
	const repeated = section.seen.has(first.text) && !repeatable.includes(first.text)
	section.seen.add(first.text)
	if (repeated) {
		const mend = 'keep one of them'
		throw new RulesFault(first.column, `This rule has a ${first.text} already; ${mend}.`)
	}
	checkReject(section, first)
	switch (first.text) {
		case 'match':
			if (section.kind === 'default') {
				const mend = 'make it a rule, or take the match away'
				throw new RulesFault(first.column, `"default" holds always; ${mend}.`)
			}
			section.criteria.push(readCriterion(words, reading.zone))
			return
		case 'pool':
			section.pools.push(readPool(section, words))
			return
		case 'address':
			section.values.ipAddress = readAddress(oneValue(words))
			return
		case 'lease':
			section.values.leaseTime = readNumber(oneValue(words), 1, 2 ** 32 - 1, 'seconds')
			return
		case 'option':
			readOption(section, words)
			return
		case 'reject':
			noMore(words, 2)
			section.reject = words[1] === undefined ? {} : { reason: words[1].text }
			return
		default: {
			const value = oneValue(words)
			if (first.text === 'service') reading.uses.push({ word: value, line })
			if (first.text === 'class') checkClass(value)
			section.values[textStatements[first.text]!] = value.text
		}
	}
}

/** A rule turns away or gives; it cannot do both. */
function checkReject(section: RuleSection, { text, column }: Word): void {
	if (text === 'match') return
	const others = [...section.seen].filter(word => word !== 'match' && word !== 'reject')
	if (!section.seen.has('reject') || others.length === 0) return
	const mend = 'take the reject away, or all but its matches'
	throw new RulesFault(column, `A rule that rejects cannot have ${others[0]} too; ${mend}.`)
}

function readPool(section: RuleSection, words: readonly Word[]): WeightedPool {
	const name = words[1]
	if (name === undefined) {
		throw new RulesFault(behind(words), "The pool's name is missing; write it here.")
	}
	if (section.pools.some(pool => pool.name === name.text)) {
		const mend = 'give it a larger weight instead'
		throw new RulesFault(name.column, `This rule has the pool ${name.text} already; ${mend}.`)
	}
	const keyword = words[2]
	if (keyword === undefined) return { name: checkedName(name), weight: 1 }
	if (keyword.text !== 'weight') {
		throw new RulesFault(keyword.column, `"${keyword.text}" cannot stand here; write "weight N".`)
	}
	noMore(words, 4)
	const weight = words[3]
	if (weight === undefined) {
		throw new RulesFault(behind(words), `The weight is missing; write 1 to ${maximumWeight}.`)
	}
	return { name: checkedName(name), weight: readNumber(weight, 1, maximumWeight, 'a weight') }
}

/** `option CODE VALUE`: octets as 0x..., an IPv4 address, or text. */
function readOption(section: RuleSection, words: readonly Word[]): void {
	const [, code, value] = words
	if (code === undefined || value === undefined) {
		const mend = 'write it such as "option 12 laptop" or "option 43 0x0104"'
		throw new RulesFault(behind(words), `An option has a number and a value; ${mend}.`)
	}
	noMore(words, 3)
	const number = readNumber(code, 1, 254, 'an option')
	if (section.options[number] !== undefined) {
		throw new RulesFault(code.column, `This rule has option ${number} already; keep one of them.`)
	}
	const octets = optionValue(value)
	if (octets.length > 255) {
		throw new RulesFault(value.column, 'An option has at most 255 octets; shorten it.')
	}
	section.options[number] = encodeOctets(octets)
	const total = Object.values(section.options).reduce((sum, { length }) => sum + length, 0)
	if (total > maximumOptionsLength) {
		const mend = 'leave some to the pool'
		throw new RulesFault(value.column, `The rule's options are too long together; ${mend}.`)
	}
}

function optionValue({ text, kind, column }: Word): Uint8Array {
	if (kind === 'plain' && text.startsWith('0x')) {
		if (/^0x(?:[0-9A-Fa-f]{2})+$/.test(text)) return octetsOfHex(text.slice(2))
		throw new RulesFault(column, 'Octets have two hexadecimal digits each; write them all.')
	}
	const address = kind === 'plain' ? parseIpv4(text) : undefined
	if (address === undefined) return new TextEncoder().encode(text)
	return Uint8Array.of(address >>> 24, address >>> 16, address >>> 8, address)
}

function readServiceStatement(
	reading: Reading,
	section: ServiceSection,
	words: readonly Word[],
): void {
	const first = words[0]!
	if (first.text !== 'class') {
		throw new RulesFault(first.column, `A service has no "${first.text}"; write "class TEXT".`)
	}
	const value = oneValue(words)
	if (reading.services.get(section.name) !== undefined) {
		throw new RulesFault(first.column, 'This service has a class already; keep one of them.')
	}
	checkClass(value)
	reading.services.set(section.name, value.text)
}

/** A Class goes into one attribute: RFC 2865 §5.25. */
function checkClass({ text, column }: Word): void {
	if (classOctets(text).length <= maximumValueLength) return
	const mend = 'shorten it'
	throw new RulesFault(column, `A class has at most ${maximumValueLength} octets; ${mend}.`)
}

/** What only the whole file shows. */
function checkWhole(reading: Reading, lines: number): void {
	const { errors, sections, services } = reading
	for (const section of sections) {
		if (section.broken) continue
		const begin = { line: section.line, column: 1 }
		const given = [...section.seen].filter(word => word !== 'match')
		if (given.length === 0) {
			const what = section.kind === 'rule' ? `Rule ${section.name}` : 'The default'
			errors.push({ ...begin, message: `${what} decides nothing; add a pool or "reject".` })
		}
		if (section.kind === 'rule' && !section.seen.has('match')) {
			const message = `Rule ${section.name} holds always; add a match, or make it "default".`
			errors.push({ ...begin, message })
		}
	}
	for (const { word, line } of reading.uses) {
		// Where a file defines services, one that it does not define is a slip of the pen.
		if (services.size === 0 || services.has(word.text)) continue
		const mend = `define it, or write ${[...services.keys()].join(' or ')}`
		const message = `There is no service ${word.text}; ${mend}.`
		errors.push({ line, column: word.column, message })
	}
	if (!reading.names.has('default') && errors.length < maximumErrors) {
		const message = 'The last section, "default", is missing; write what holds where no rule does.'
		errors.push({ line: lines, column: 1, message })
	}
}

function ruleOf({ name, criteria, pools, values, options, reject }: RuleSection): Rule {
	const outcome: RuleOutcome =
		reject !== undefined
			? { kind: 'reject', ...reject }
			: {
					kind: 'accept',
					pools,
					values: Object.keys(options).length > 0 ? { ...values, dhcpOptions: options } : values,
				}
	return { name, criteria, outcome }
}

function nameBehind(words: readonly Word[], what: string): Word {
	const name = words[1]
	if (name === undefined) {
		throw new RulesFault(behind(words), `The ${what}'s name is missing; write it here.`)
	}
	noMore(words, 2)
	checkedName(name)
	return name
}

function checkedName(word: Word): string {
	if (/^[^\s"/#]{1,64}$/.test(word.text)) return word.text
	const mend = 'use up to 64 characters without blanks, quotes, slashes and "#"'
	throw new RulesFault(word.column, `"${word.text}" is no name; ${mend}.`)
}

function oneValue(words: readonly Word[]): Word {
	const value = words[1]
	if (value === undefined) {
		throw new RulesFault(behind(words), `What ${words[0]!.text} is to be is missing; write it.`)
	}
	noMore(words, 2)
	if (value.text !== '') return value
	throw new RulesFault(value.column, 'An empty text cannot stand here; write one.')
}

function noMore(words: readonly Word[], count: number): void {
	const word = words[count]
	if (word === undefined) return
	const mend = 'take it away, or put a text with blanks into double quotes'
	throw new RulesFault(word.column, `"${word.text}" is one word too many; ${mend}.`)
}

function readAddress(word: Word): string {
	if (parseIpv4(word.text) !== undefined) return word.text
	const mend = 'write one such as 10.1.0.9'
	throw new RulesFault(word.column, `"${word.text}" is no IPv4 address; ${mend}.`)
}

function readNumber({ text, column }: Word, least: number, most: number, what: string): number {
	const value = /^\d{1,10}$/.test(text) ? Number(text) : -1
	if (value >= least && value <= most) return value
	throw new RulesFault(column, `"${text}" cannot be ${what}; write ${least} to ${most}.`)
}
