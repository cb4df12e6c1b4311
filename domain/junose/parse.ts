/** Which command a typed line is, or at which column it ceases to be one. */
import { type AnyBindings, type Path, pipe, type Step } from './command.ts'
import type { Matcher } from './filter.ts'
import { blank, quotedWord, type Word } from './quotation.ts'

export type Filter = { readonly how: 'begin' | 'include' | 'exclude'; readonly matcher: Matcher }

/** What a typed line turned out to be. Columns count characters from 0. */
export type Parsed =
	| { readonly kind: 'command'; readonly path: Path; readonly bindings: AnyBindings }
	| { readonly kind: 'empty' }
	| {
			readonly kind: 'invalid'
			readonly column: number
			readonly expected: readonly Step[]
			readonly why?: string
			/** What was typed may be a secret, or a part of one: no message may repeat it. */
			readonly secret: boolean
	  }
	| { readonly kind: 'ambiguous'; readonly column: number; readonly words: readonly string[] }
	| { readonly kind: 'incomplete'; readonly column: number; readonly expected: readonly Step[] }

type Branch = { readonly path: Path; readonly at: number; readonly bindings: AnyBindings }

export type Fault = Extract<Parsed, { kind: 'invalid' | 'ambiguous' }>

type Walked = { readonly branches: readonly Branch[]; readonly words: number; readonly end: number }

const unterminated = 'The quotation mark that opens here is not closed; put one behind the text.'

/** Follows a line along the paths. */
export function parse(paths: readonly Path[], line: string): Parsed {
	const walked = walk(paths, line, line.length)
	if ('kind' in walked) return walked
	const { branches, words, end } = walked
	if (words === 0) return { kind: 'empty' }
	const whole = branches.find(branch => branch.at === branch.path.steps.length)
	if (whole !== undefined) return { kind: 'command', path: whole.path, bindings: whole.bindings }
	return { kind: 'incomplete', column: end, expected: nextSteps(branches) }
}

/** Follows the words that begin before `until`. */
export function walk(paths: readonly Path[], line: string, until: number): Walked | Fault {
	let branches: readonly Branch[] = paths.map(path => ({ path, at: 0, bindings: {} }))
	let end = 0
	for (let words = 0; ; words++) {
		const word = nextWord(line.slice(0, until), end, branches)
		if (word === undefined) return { branches, words, end }
		if (word.open) {
			return { ...invalid(branches, columnAt(line, word.start)), why: unterminated }
		}
		const followed = follow(branches, word, columnAt(line, word.start))
		if ('kind' in followed) return followed
		branches = followed
		end = word.end
	}
}

/** Characters, not UTF-16 units: the `^` must stand below what it means. */
function columnAt(line: string, index: number): number {
	return [...line.slice(0, index)].length
}

export function stepOf(branch: Branch): Step | undefined {
	return branch.path.steps[branch.at]
}

function nextSteps(branches: readonly Branch[]): readonly Step[] {
	return branches.map(stepOf).filter(step => step !== undefined)
}

/** The next word. A `|` ends it where a filter may follow; elsewhere it is part of the word. */
function nextWord(line: string, from: number, branches: readonly Branch[]): Word | undefined {
	let start = from
	while (start < line.length && blank.test(line[start]!)) start++
	if (start === line.length) return undefined
	const steps = nextSteps(branches)
	if (steps.length > 0 && steps.every(step => step.kind === 'parameter' && step.type.rest)) {
		const text = line.slice(start).trimEnd()
		return { text, start, end: line.length, quoted: false, open: false }
	}
	if (line[start] === '"') return quotedWord(line, start)
	const filterable = branches.some(branch => branch.path.steps.includes(pipe, branch.at))
	if (filterable && line[start] === '|') {
		return { text: '|', start, end: start + 1, quoted: false, open: false }
	}
	let end = start
	while (end < line.length && !blank.test(line[end]!) && !(filterable && line[end] === '|')) end++
	return { text: line.slice(start, end), start, end, quoted: false, open: false }
}

function follow(
	branches: readonly Branch[],
	word: Word,
	column: number,
): readonly Branch[] | Fault {
	const keywords = word.quoted ? [] : branches.filter(branch => stepOf(branch)?.kind === 'keyword')
	const lower = word.text.toLowerCase()
	const exact = keywords.filter(branch => keywordOf(branch).toLowerCase() === lower)
	const begun = keywords.filter(branch => keywordOf(branch).toLowerCase().startsWith(lower))
	const meant = exact.length > 0 ? exact : begun
	const words = [...new Set(meant.map(keywordOf))]
	if (words.length > 1) return { kind: 'ambiguous', column, words }
	if (meant.length > 0) return meant.map(takeKeyword)
	let why: string | undefined
	const taken: Branch[] = []
	for (const branch of branches) {
		const step = stepOf(branch)
		if (step?.kind !== 'parameter') continue
		const result = step.type.read(word.text)
		if ('why' in result) {
			why ??= result.why
			continue
		}
		const bindings = { ...branch.bindings, [step.name]: result.value }
		taken.push({ ...branch, at: branch.at + 1, bindings })
	}
	if (taken.length > 0) return taken
	return { ...invalid(branches, column), ...(why === undefined ? {} : { why }) }
}

/** From the first parameter on: a secret may stand where something else was left out. */
function mayBeSecret({ at, path: { steps } }: Branch): boolean {
	const first = steps.findIndex(step => step.kind === 'parameter')
	return at >= first && steps.some(step => step.kind === 'parameter' && step.type.secret)
}

function invalid(
	branches: readonly Branch[],
	column: number,
): Extract<Parsed, { kind: 'invalid' }> {
	const secret = branches.some(mayBeSecret)
	return { kind: 'invalid', column, expected: nextSteps(branches), secret }
}

function keywordOf(branch: Branch): string {
	const step = stepOf(branch)
	return step?.kind === 'keyword' ? step.word : ''
}

function takeKeyword(branch: Branch): Branch {
	const step = stepOf(branch)
	const at = branch.at + 1
	if (step?.kind !== 'keyword' || step.binds === undefined) return { ...branch, at }
	return { ...branch, at, bindings: { ...branch.bindings, [step.binds]: step.word } }
}
