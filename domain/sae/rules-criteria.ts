/** What may follow `match` in a rules file. */
import { parseIpv4 } from '../address.ts'
import { expressionPattern, globPattern, literalPattern, type Pattern } from './pattern.ts'
import { type Condition, type Criterion, type TextField, textFields } from './rules.ts'
import { RulesFault, type Word } from './rules-words.ts'
import { type TimeWindow, utcClock, type WeekClock, weekClock } from './week-time.ts'

const dayNames: readonly string[] = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun']
const everyDay: readonly boolean[] = dayNames.map(() => true)

/** Names that mean the same whatever the case of their letters. */
const ignoringCase: readonly TextField[] = ['realm', 'wap']

export const criterionNames: readonly string[] = [...textFields, 'mac-prefix', 'giaddr', 'time']

/** The criterion of a line `match [not] CRITERION VALUE...`; throws a RulesFault. */
export function readCriterion(words: readonly Word[], usual: WeekClock | undefined): Criterion {
	const negated = words[1]?.text === 'not'
	const name = words[negated ? 2 : 1]
	const values = words.slice(negated ? 3 : 2)
	if (name === undefined) {
		throw new RulesFault(behind(words), `A criterion is missing; write ${list(criterionNames)}.`)
	}
	if (!criterionNames.includes(name.text)) {
		const mend = `write ${list(criterionNames)}`
		throw new RulesFault(name.column, `There is no criterion "${name.text}"; ${mend}.`)
	}
	if (values.length === 0) {
		throw new RulesFault(behind(words), `What ${name.text} must be is missing; write it here.`)
	}
	return { negated, condition: readCondition(name.text, values, usual) }
}

function readCondition(
	name: string,
	values: readonly Word[],
	usual: WeekClock | undefined,
): Condition {
	switch (name) {
		case 'mac-prefix':
			return { kind: 'mac-prefix', prefixes: values.map(readMacPrefix) }
		case 'giaddr':
			return { kind: 'giaddr', networks: values.map(readNetwork) }
		case 'time':
			return readTimes(values, usual ?? utcClock)
		default: {
			const field = name as TextField
			return { kind: 'text', field, patterns: values.map(word => readPattern(word, field)) }
		}
	}
}

function readPattern(word: Word, field: TextField): Pattern {
	const ignoreCase = ignoringCase.includes(field)
	switch (word.kind) {
		case 'plain':
			return globPattern(word.text, ignoreCase)
		case 'quoted':
			return literalPattern(word.text, ignoreCase)
		case 'expression':
		case 'expression-ignoring-case': {
			const fold = ignoreCase || word.kind === 'expression-ignoring-case'
			const compiled = expressionPattern(word.text, fold)
			if ('value' in compiled) return compiled.value
			const mend = 'put "\\" before a character that stands for itself'
			throw new RulesFault(word.column, `The expression cannot be read: ${compiled.why}; ${mend}.`)
		}
		default:
			return word.kind satisfies never
	}
}

function readMacPrefix(word: Word): string {
	const digits = word.text.replace(/[-:.]/g, '').toUpperCase()
	if (/^[0-9A-F]{1,12}$/.test(digits)) return digits
	const mend = 'write up to six octets such as 02-00-DE'
	throw new RulesFault(word.column, `"${word.text}" begins no MAC address; ${mend}.`)
}

function readNetwork(word: Word): { network: number; mask: number } {
	const [text, bitsText = '32', ...rest] = word.text.split('/')
	const address = parseIpv4(text!)
	const bits = /^\d{1,2}$/.test(bitsText) ? Number(bitsText) : 33
	if (address === undefined || bits > 32 || rest.length > 0) {
		const mend = 'write an address, or a network such as 10.1.0.0/16'
		throw new RulesFault(word.column, `"${word.text}" is no IPv4 network; ${mend}.`)
	}
	const mask = bits === 0 ? 0 : (-1 << (32 - bits)) >>> 0
	if ((address & mask) >>> 0 !== address) {
		const mend = 'make the bits behind the prefix zero, or the prefix longer'
		throw new RulesFault(word.column, `"${word.text}" is a host in its network; ${mend}.`)
	}
	return { network: address, mask }
}

/** `[DAYS] HH:MM-HH:MM`, several times, and then perhaps a time zone for all of them. */
function readTimes(words: readonly Word[], usual: WeekClock): Condition {
	const windows: TimeWindow[] = []
	let clock = usual
	let days: readonly boolean[] | undefined
	for (const [index, word] of words.entries()) {
		const range = readRange(word)
		if (range !== undefined) {
			windows.push({ days: days ?? everyDay, ...range })
			days = undefined
			continue
		}
		const named = readDays(word.text)
		if (named !== undefined && days === undefined) days = named
		else if (windows.length > 0 && index === words.length - 1) clock = readZone(word)
		else {
			const mend = 'write days and hours such as mon-fri 08:00-18:00'
			throw new RulesFault(word.column, `"${word.text}" cannot stand here; ${mend}.`)
		}
	}
	if (days !== undefined || windows.length === 0) {
		throw new RulesFault(behind(words), 'The hours are missing; write them, such as 08:00-18:00.')
	}
	return { kind: 'time', windows, clock }
}

function readRange(word: Word): { from: number; until: number } | undefined {
	const match = /^(\d\d?):(\d\d)-(\d\d?):(\d\d)$/.exec(word.text)
	if (match === null) return undefined
	const [hour, minute, lastHour, lastMinute] = match.slice(1).map(Number) as [
		number,
		number,
		number,
		number,
	]
	const from = hour * 60 + minute
	const until = lastHour * 60 + lastMinute
	const possible = minute < 60 && lastMinute < 60 && from < 24 * 60 && until <= 24 * 60
	if (possible && from !== until) return { from, until }
	const mend = 'write a beginning and a later or earlier end from 00:00 to 24:00'
	throw new RulesFault(word.column, `"${word.text}" is no time of day; ${mend}.`)
}

/** `mon-fri`, `sat,sun`, `fri-mon`, `daily`; undefined where the word names no days. */
function readDays(text: string): readonly boolean[] | undefined {
	if (text === 'daily') return everyDay
	const days = dayNames.map(() => false)
	for (const part of text.toLowerCase().split(',')) {
		const [first, last = first, ...rest] = part.split('-')
		const from = dayNames.indexOf(first!)
		const until = dayNames.indexOf(last!)
		if (from < 0 || until < 0 || rest.length > 0) return undefined
		for (let day = from; ; day = (day + 1) % 7) {
			days[day] = true
			if (day === until) break
		}
	}
	return days
}

export function readZone(word: Word): WeekClock {
	const clock = weekClock(word.text)
	if (clock !== undefined) return clock
	const mend = 'write a name such as Europe/Berlin or UTC'
	throw new RulesFault(word.column, `There is no time zone "${word.text}"; ${mend}.`)
}

/** The column behind the last word, where something is missing. */
export function behind(words: readonly Word[]): number {
	const last = words.at(-1)!
	const marks = { plain: 0, quoted: 2, expression: 2, 'expression-ignoring-case': 3 }
	return last.column + last.text.length + marks[last.kind] + 1
}

export function list(names: readonly string[]): string {
	return `${names.slice(0, -1).join(', ')} or ${names.at(-1)}`
}
