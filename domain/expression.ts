/**
 * Regular expressions that cannot hang the process: all alternatives are simulated at once, so that
 * the time is bounded by the length of the expression times that of the text. Known are
 * `. * + ? ^ $ [] () |`, and `\` before a character that stands for itself. Two dialects add to
 * that: JunosE's `_` (start, end, comma, space or brace), and the customary `\d \w \s`.
 */

export type Matcher = (text: string) => boolean
export type Dialect = 'junose' | 'customary'

export const maximumExpressionLength = 200

type Instruction =
	| { readonly kind: 'character'; readonly accepts: (character: string) => boolean }
	| { readonly kind: 'begin' }
	| { readonly kind: 'end' }
	| { readonly kind: 'split'; readonly targets: readonly number[] }
	| { readonly kind: 'match' }

/** Targets are relative to the instruction, so that pieces can be put together freely. */
type Program = readonly Instruction[]

class ExpressionError extends Error {}

/**
 * A matcher that finds the expression anywhere in a text, or what is wrong with the expression, as a
 * part of a sentence.
 */
export function compile(
	expression: string,
	dialect: Dialect,
): { readonly value: Matcher } | { readonly why: string } {
	const reader = { characters: [...expression], at: 0, dialect }
	try {
		const body = readAlternatives(reader)
		if (reader.at < reader.characters.length) throw new ExpressionError('a ")" has no "("')
		const program: Program = [...body, { kind: 'match' }]
		return { value: text => matches(program, text) }
	} catch (error) {
		if (!(error instanceof ExpressionError)) throw error
		return { why: error.message }
	}
}

type Reader = { readonly characters: readonly string[]; at: number; readonly dialect: Dialect }

function readAlternatives(reader: Reader): Program {
	const alternatives = [readSequence(reader)]
	while (reader.characters[reader.at] === '|') {
		reader.at++
		alternatives.push(readSequence(reader))
	}
	return alternatives.reduceRight((rest, first) => eitherOf(first, rest))
}

function readSequence(reader: Reader): Program {
	const sequence: Instruction[] = []
	while (reader.at < reader.characters.length) {
		const next = reader.characters[reader.at]!
		if (next === '|' || next === ')') break
		sequence.push(...readRepeated(reader))
	}
	return sequence
}

function readRepeated(reader: Reader): Program {
	let atom = readAtom(reader)
	for (;;) {
		const next = reader.characters[reader.at]
		if (next === '*') atom = optionally(repeatedly(atom))
		else if (next === '+') atom = repeatedly(atom)
		else if (next === '?') atom = optionally(atom)
		else return atom
		reader.at++
	}
}

function readAtom(reader: Reader): Program {
	const character = reader.characters[reader.at++]!
	switch (character) {
		case '(': {
			const group = readAlternatives(reader)
			if (reader.characters[reader.at++] !== ')') throw new ExpressionError('a "(" has no ")"')
			return group
		}
		case '[':
			return [{ kind: 'character', accepts: readSet(reader) }]
		case '.':
			return [{ kind: 'character', accepts: () => true }]
		case '^':
			return [{ kind: 'begin' }]
		case '$':
			return [{ kind: 'end' }]
		case '*':
		case '+':
		case '?':
			throw new ExpressionError(`"${character}" repeats nothing`)
		case '\\':
			return [{ kind: 'character', accepts: readEscaped(reader) }]
		default:
			return readPlain(character, reader.dialect)
	}
}

function readPlain(character: string, dialect: Dialect): Program {
	switch (dialect) {
		case 'junose': {
			if (character !== '_') break
			const delimiter = [{ kind: 'character', accepts: isDelimiter }] as const
			return eitherOf([{ kind: 'begin' }], eitherOf([{ kind: 'end' }], delimiter))
		}
		case 'customary':
			// Elsewhere a brace counts repetitions: taken for itself it would never match.
			if (character === '{') throw new ExpressionError('"{" does not count repetitions here')
			break
		default:
			dialect satisfies never
	}
	return [{ kind: 'character', accepts: other => other === character }]
}

function isDelimiter(character: string): boolean {
	return ', {}'.includes(character)
}

const classes: Readonly<Record<string, (character: string) => boolean>> = {
	d: character => character >= '0' && character <= '9',
	w: character => /^\w$/.test(character),
	s: character => /^\s$/.test(character),
}

function readEscaped(reader: Reader): (character: string) => boolean {
	const escaped = reader.characters[reader.at++]
	if (escaped === undefined) throw new ExpressionError('nothing follows its last "\\"')
	if (reader.dialect === 'junose') return character => character === escaped
	const known = classes[escaped]
	if (known !== undefined) return known
	const opposite = classes[escaped.toLowerCase()]
	if (opposite !== undefined) return character => !opposite(character)
	if (/^[A-Za-z0-9]$/.test(escaped)) {
		throw new ExpressionError(`"\\${escaped}" has no meaning here`)
	}
	return character => character === escaped
}

/** What follows a `[`: characters and ranges up to `]`, which may itself stand first. */
function readSet(reader: Reader): (character: string) => boolean {
	const negated = reader.characters[reader.at] === '^'
	if (negated) reader.at++
	const ranges: [string, string][] = []
	const escapes: ((character: string) => boolean)[] = []
	let empty = true
	while (empty || reader.characters[reader.at] !== ']') {
		empty = false
		const from = reader.characters[reader.at++]
		if (from === undefined) throw new ExpressionError('a "[" has no "]"')
		if (from === '\\' && reader.dialect === 'customary') {
			escapes.push(readEscaped(reader))
			continue
		}
		const until = reader.characters[reader.at + 1]
		if (reader.characters[reader.at] !== '-' || until === undefined || until === ']') {
			ranges.push([from, from])
			continue
		}
		reader.at += 2
		if (until < from) throw new ExpressionError(`the range "${from}-${until}" runs backwards`)
		ranges.push([from, until])
	}
	reader.at++
	return character => {
		const inside =
			ranges.some(([a, b]) => a <= character && character <= b) ||
			escapes.some(accepts => accepts(character))
		return inside !== negated
	}
}

function eitherOf(first: Program, second: Program): Program {
	return [
		{ kind: 'split', targets: [1, first.length + 2] },
		...first,
		{ kind: 'split', targets: [second.length + 1] },
		...second,
	]
}

function optionally(program: Program): Program {
	return [{ kind: 'split', targets: [1, program.length + 1] }, ...program]
}

function repeatedly(program: Program): Program {
	return [...program, { kind: 'split', targets: [-program.length, 1] }]
}

function matches(program: Program, text: string): boolean {
	const characters = [...text]
	let threads = new Set<number>()
	for (let at = 0; at <= characters.length; at++) {
		// A match may begin at every place.
		enter(program, 0, at, characters.length, threads)
		if (threads.has(program.length - 1)) return true
		const next = new Set<number>()
		const character = characters[at]
		if (character === undefined) return false
		for (const thread of threads) {
			const instruction = program[thread]!
			if (instruction.kind === 'character' && instruction.accepts(character)) {
				enter(program, thread + 1, at + 1, characters.length, next)
			}
		}
		threads = next
	}
	return false
}

/** Adds what is reachable without taking a character. */
function enter(program: Program, from: number, at: number, end: number, threads: Set<number>) {
	const waiting = [from]
	for (let index = waiting.pop(); index !== undefined; index = waiting.pop()) {
		if (threads.has(index)) continue
		threads.add(index)
		const instruction = program[index]!
		if (instruction.kind === 'split')
			for (const step of instruction.targets) waiting.push(index + step)
		else if (instruction.kind === 'begin' && at === 0) waiting.push(index + 1)
		else if (instruction.kind === 'end' && at === end) waiting.push(index + 1)
	}
}
