/**
 * Filters behind a `show` command: `| {begin | include | exclude} REGEX`. The expressions are
 * matched by simulating all alternatives at once, so that the time is bounded by the length of
 * the expression times that of the line: no expression that an operator types can hang the relay.
 * Known are `. * + ? ^ $ [] () |`, `\` before a character that stands for itself, and JunosE's
 * `_`: start, end, comma, space or brace.
 */

export type FilterKind = 'begin' | 'include' | 'exclude'
export type Matcher = (line: string) => boolean

const maximumLength = 200

type Instruction =
	| { readonly kind: 'character'; readonly accepts: (character: string) => boolean }
	| { readonly kind: 'begin' }
	| { readonly kind: 'end' }
	| { readonly kind: 'split'; readonly targets: readonly number[] }
	| { readonly kind: 'match' }

/** Targets are relative to the instruction, so that pieces can be put together freely. */
type Program = readonly Instruction[]

class ExpressionError extends Error {}

/** A matcher, or the sentence that says what is wrong with the expression. */
export function compileExpression(
	expression: string,
): { readonly value: Matcher } | { readonly why: string } {
	if (expression.length > maximumLength) {
		return { why: `A filter's expression has at most ${maximumLength} characters.` }
	}
	const reader = { characters: [...expression], at: 0 }
	try {
		const body = readAlternatives(reader)
		if (reader.at < reader.characters.length) throw new ExpressionError('a ")" has no "("')
		const program: Program = [...body, { kind: 'match' }]
		return { value: line => matches(program, line) }
	} catch (error) {
		if (!(error instanceof ExpressionError)) throw error
		return {
			why: `The filter's expression cannot be read: ${error.message}; put "\\" before a character that stands for itself.`,
		}
	}
}

export function applyFilter(
	lines: readonly string[],
	kind: FilterKind,
	matcher: Matcher,
): readonly string[] {
	switch (kind) {
		case 'begin': {
			const first = lines.findIndex(matcher)
			return first < 0 ? [] : lines.slice(first)
		}
		case 'include':
			return lines.filter(matcher)
		case 'exclude':
			return lines.filter(line => !matcher(line))
		default:
			return kind satisfies never
	}
}

type Reader = { readonly characters: readonly string[]; at: number }

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
		case '_': {
			const delimiter = [{ kind: 'character', accepts: isDelimiter }] as const
			return eitherOf([{ kind: 'begin' }], eitherOf([{ kind: 'end' }], delimiter))
		}
		case '*':
		case '+':
		case '?':
			throw new ExpressionError(`"${character}" repeats nothing`)
		case '\\': {
			const literal = reader.characters[reader.at++]
			if (literal === undefined) throw new ExpressionError('nothing follows its last "\\"')
			return [{ kind: 'character', accepts: other => other === literal }]
		}
		default:
			return [{ kind: 'character', accepts: other => other === character }]
	}
}

function isDelimiter(character: string): boolean {
	return ', {}'.includes(character)
}

/** What follows a `[`: characters and ranges up to `]`, which may itself stand first. */
function readSet(reader: Reader): (character: string) => boolean {
	const negated = reader.characters[reader.at] === '^'
	if (negated) reader.at++
	const ranges: [string, string][] = []
	while (ranges.length === 0 || reader.characters[reader.at] !== ']') {
		const from = reader.characters[reader.at++]
		if (from === undefined) throw new ExpressionError('a "[" has no "]"')
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
	return character => ranges.some(([a, b]) => a <= character && character <= b) !== negated
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

function matches(program: Program, line: string): boolean {
	const characters = [...line]
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
