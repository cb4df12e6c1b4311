/**
 * The grammar of commands. A command's syntax is a row of elements; it expands into paths, each a
 * plain row of steps, and a typed line is followed along all paths at once. Parsing, `?`, Tab,
 * `no` and the text of a saved configuration all read the same paths, so they cannot disagree.
 */
import type { Configuration } from '../configuration.ts'
import type { Matcher } from './filter.ts'
import type { Mode, ModeKind } from './mode.ts'
import { wholeRows } from './negation.ts'
import type { BaselineScope, DhcpServerKind, Show } from './operator.ts'

/** Where a command is typed, and what it finds there. */
export type Context = {
	readonly configuration: Configuration
	readonly virtualRouter: string
	readonly mode: Mode
}

/** What a command amounts to; the session or the configuration file's reader carries it out. */
export type Outcome =
	| { readonly kind: 'refused'; readonly why: string }
	| {
			readonly kind: 'configure'
			readonly configuration: Configuration
			readonly mode: Mode
			readonly virtualRouter: string
			/** What is accepted but may not be meant; told once the change is made. */
			readonly warning?: string
	  }
	| { readonly kind: 'move'; readonly mode: Mode; readonly virtualRouter: string }
	| { readonly kind: 'print'; readonly lines: readonly string[] }
	| { readonly kind: 'show'; readonly what: Show }
	| { readonly kind: 'baseline'; readonly scope: BaselineScope }
	/** DHCP bindings to be given up: of one address, or all of the virtual router's. */
	| {
			readonly kind: 'clear-bindings'
			readonly server: DhcpServerKind
			readonly address?: string
	  }
	/** A subscriber's session to be ended; the MAC in normal form. */
	| { readonly kind: 'clear-subscriber'; readonly mac: string }
	/** A subscriber's personal data to be taken out of the journal. */
	| { readonly kind: 'erase-subscriber'; readonly mac: string; readonly reason: string }
	/** What is older than `retention` says to lose its personal data now. */
	| { readonly kind: 'apply-retention' }
	| { readonly kind: 'restart-src' }
	/** Undefined: as long as the terminal is. */
	| { readonly kind: 'page-length'; readonly rows: number | undefined }
	| { readonly kind: 'history' }
	| { readonly kind: 'configuration' }
	| { readonly kind: 'close' }

/** A typed parameter. */
export type Parameter<T> = {
	/** What `?` shows in its place: `A.B.C.D`, `<1-65535>`, `WORD`. */
	readonly placeholder: string
	/** The value, or the sentence that says what is wanted instead. Never quotes a secret. */
	read(text: string): { readonly value: T } | { readonly why: string }
	write(value: T): string
	readonly secret?: true
	/** Takes the rest of the line as it stands. */
	readonly rest?: true
}

export type Step =
	| {
			readonly kind: 'keyword'
			readonly word: string
			readonly help: string
			/** The binding that takes the word as its value. */
			readonly binds?: string
	  }
	| {
			readonly kind: 'parameter'
			readonly name: string
			readonly help: string
			readonly type: Parameter<unknown>
			/** Values that Tab and `?` offer. */
			readonly values?: (context: Context) => readonly string[]
	  }

/** A part of a syntax: the rows of steps it may be. `bound` is there for its type only. */
export type Element<Bound> = {
	readonly alternatives: readonly (readonly Step[])[]
	readonly bound?: Bound
}

type Nothing = Record<never, never>
type Merged<U> = (U extends unknown ? (u: U) => void : never) extends (u: infer I) => void
	? I
	: never
/** What a syntax binds, from the types of its elements. */
export type Bindings<S extends readonly Element<unknown>[]> = Merged<
	{ [K in keyof S]: S[K] extends Element<infer B> ? B : never }[number]
>
type AnyBindings = Readonly<Record<string, unknown>>

export function keyword(word: string, help: string): Element<Nothing> {
	return { alternatives: [[{ kind: 'keyword', word, help }]] }
}

/** `{ a | b }`: one of the words, which becomes the value of `name`. */
export function choice<const N extends string, const W extends string>(
	name: N,
	words: Readonly<Record<W, string>>,
): Element<Readonly<Record<N, W>>> {
	const entries = Object.entries(words) as [W, string][]
	return {
		alternatives: entries.map(([word, help]) => [{ kind: 'keyword', word, help, binds: name }]),
	}
}

export function parameter<const N extends string, T>(
	name: N,
	type: Parameter<T>,
	help: string,
	values?: (context: Context) => readonly string[],
): Element<Readonly<Record<N, T>>> {
	// A step's type forgets T; `read` and `write` of one step always meet the same values.
	const step = { kind: 'parameter', name, help, type: type as Parameter<unknown> } as const
	return { alternatives: [[values === undefined ? step : { ...step, values }]] }
}

/** `[ ... ]`: all of the elements, or none. */
export function optional<const S extends readonly Element<unknown>[]>(
	...elements: S
): Element<Partial<Bindings<S>>> {
	return { alternatives: [[], ...expand(elements)] }
}

function expand(elements: readonly Element<unknown>[]): readonly (readonly Step[])[] {
	return elements.reduce<readonly (readonly Step[])[]>(
		(rows, element) => rows.flatMap(row => element.alternatives.map(more => [...row, ...more])),
		[[]],
	)
}

/** One row of the command table, its types forgotten. */
export type Command = {
	readonly modes: readonly ModeKind[]
	/** May be issued from a configuration mode through `do` or `run`. */
	readonly exec: boolean
	/** `| {begin | include | exclude} REGEX` may follow. */
	readonly filterable: boolean
	readonly rows: readonly (readonly Step[])[]
	readonly noRows: readonly (readonly Step[])[]
	run(context: Context, bindings: AnyBindings): Outcome
	undo(context: Context, bindings: AnyBindings): Outcome
	/** The bindings with which the command stands in the configuration of a mode. */
	current(context: Context): readonly AnyBindings[]
}

export function command<
	const S extends readonly Element<unknown>[],
	const N extends readonly Element<unknown>[] = readonly [],
>(spec: {
	readonly modes: readonly ModeKind[]
	readonly exec?: true
	readonly filterable?: true
	readonly syntax: S
	run(context: Context, bindings: Bindings<S>): Outcome
	/** The syntax of the `no` form, without the word `no`. */
	readonly no?: N
	undo?(context: Context, bindings: Bindings<N>): Outcome
	current?(context: Context): readonly Bindings<S>[]
}): Command {
	const { run, undo, current } = spec
	return {
		modes: spec.modes,
		exec: spec.exec ?? false,
		filterable: spec.filterable ?? false,
		rows: expand(spec.syntax),
		noRows: spec.no === undefined ? [] : expand(spec.no),
		run: (context, bindings) => run(context, bindings as Bindings<S>),
		undo: (context, bindings) =>
			undo?.(context, bindings as Bindings<N>) ?? {
				kind: 'refused',
				why: 'The command has no "no" form.',
			},
		current: context => (current?.(context) ?? []) as readonly AnyBindings[],
	}
}

/** A row of steps that makes a whole command. */
export type Path = {
	readonly command: Command
	readonly negated: boolean
	/** The `no` form has the whole command behind it. */
	readonly whole?: true
	readonly steps: readonly Step[]
}

const no = { kind: 'keyword', word: 'no', help: 'Negate a command or restore its default' } as const
const pipe = { kind: 'keyword', word: '|', help: 'Filter the output' } as const

/** Every path of a command; `filterRows` are put behind each of a command that can be filtered. */
export function pathsOf(
	command: Command,
	filterRows: readonly (readonly Step[])[],
): readonly Path[] {
	const plain = command.rows.map(steps => ({ command, negated: false, steps }))
	const negative: readonly Path[] = [
		...command.noRows.map(row => ({ command, negated: true, steps: [no, ...row] })),
		...wholeRows(command).map(row => {
			return { command, negated: true, whole: true as const, steps: [no, ...row] }
		}),
	]
	if (!command.filterable) return [...plain, ...negative]
	const filtered = plain.flatMap(path =>
		filterRows.map(row => ({ ...path, steps: [...path.steps, pipe, ...row] })),
	)
	return [...plain, ...filtered]
}

/** The path, issued from a configuration mode through `word`. */
export function prefixed(path: Path, word: string, help: string): Path {
	return { ...path, steps: [{ kind: 'keyword', word, help }, ...path.steps] }
}

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
type Fault = Extract<Parsed, { kind: 'invalid' | 'ambiguous' }>
type Word = {
	readonly text: string
	readonly start: number
	readonly end: number
	readonly quoted: boolean
	/** A quoted word whose closing quote is missing. */
	readonly open: boolean
}

const blank = /[ \t]/
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

type Walked = { readonly branches: readonly Branch[]; readonly words: number; readonly end: number }

/** Follows the words that begin before `until`. */
function walk(paths: readonly Path[], line: string, until: number): Walked | Fault {
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

function stepOf(branch: Branch): Step | undefined {
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

/** `"..."`: within it `\` takes the next character as it is. */
function quotedWord(line: string, start: number): Word {
	let text = ''
	let at = start + 1
	while (at < line.length && line[at] !== '"') {
		if (line[at] === '\\' && at + 1 < line.length) at++
		text += line[at++]
	}
	const open = at >= line.length
	// What touches the closing quote belongs to the word, as typed.
	let end = open ? at : at + 1
	while (end < line.length && !blank.test(line[end]!)) text += line[end++]
	return { text, start, end, quoted: true, open }
}

/** Writes a word so that it is read back as one: quoted where it has to be. */
export function quoteWord(text: string): string {
	// `?` asks for help in a terminal unless it is quoted, and `|` begins a filter.
	const plain = text !== '' && !/[\s?|]/u.test(text) && !text.startsWith('"')
	return plain ? text : `"${text.replace(/["\\]/g, '\\$&')}"`
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

/** What can stand at the end of a line: a keyword or a value to complete, or a description. */
export type Candidate = {
	/** What is shown: a word, a placeholder, or `<cr>`. */
	readonly label: string
	readonly help: string
	/** What Tab writes; absent where only the operator knows. */
	readonly text?: string
}

export type Candidates = {
	readonly candidates: readonly Candidate[]
	/** Where the word that is being typed begins. */
	readonly start: number
}

/** What can follow, or complete the word that the line ends with. */
export function candidatesFor(
	paths: readonly Path[],
	line: string,
	context: Context,
): Candidates | Fault {
	const { start } = lastWord(line)
	const walked = walk(paths, line, start)
	if ('kind' in walked) return walked
	const partial = line.slice(start).toLowerCase()
	const found = new Map<string, Candidate>()
	const add = (candidate: Candidate) => {
		if (!found.has(candidate.label)) found.set(candidate.label, candidate)
	}
	for (const branch of walked.branches) {
		const step = stepOf(branch)
		if (step === undefined) {
			if (partial === '' && walked.words > 0) add({ label: '<cr>', help: 'Execute the command' })
		} else if (step.kind === 'keyword') {
			if (step.word.toLowerCase().startsWith(partial)) {
				add({ label: step.word, help: step.help, text: step.word })
			}
		} else {
			for (const candidate of parameterCandidates(step, line.slice(start), context)) add(candidate)
		}
	}
	return { candidates: [...found.values()].sort(byLabel), start }
}

function parameterCandidates(
	step: Extract<Step, { kind: 'parameter' }>,
	partial: string,
	context: Context,
): readonly Candidate[] {
	const described: Candidate = { label: step.type.placeholder, help: step.help }
	const values = (step.values?.(context) ?? []).filter(value => value.startsWith(partial))
	return [described, ...values.map(value => ({ label: value, help: step.help, text: value }))]
}

/** Keywords by name, then descriptions, `<cr>` last. */
function byLabel(a: Candidate, b: Candidate): number {
	const rank = (c: Candidate) => (c.label === '<cr>' ? 2 : c.text === undefined ? 1 : 0)
	return rank(a) - rank(b) || (a.label < b.label ? -1 : 1)
}

/** Where the word that a line ends with begins, and whether a quotation mark in it is open. */
function lastWord(line: string): { readonly start: number; readonly quoted: boolean } {
	let quoted = false
	let start = 0
	for (let at = 0; at < line.length; at++) {
		const character = line[at]!
		if (quoted && character === '\\') at++
		else if (character === '"' && (quoted || at === start)) quoted = !quoted
		else if (!quoted && (blank.test(character) || (character === '|' && at === start))) {
			start = at + 1
		}
	}
	return { start, quoted }
}

/** Within quotes a `?` is a character like any other, and asks for no help. */
export function isQuoteOpen(line: string): boolean {
	return lastWord(line).quoted
}

/** A command in full. `hideSecrets` writes `<secret>` for every one. */
export function commandText(path: Path, bindings: AnyBindings, hideSecrets: boolean): string {
	const words = path.steps.map(step => {
		if (step.kind === 'keyword') return step.word
		if (step.type.secret && hideSecrets) return '<secret>'
		return quoteWord(step.type.write(bindings[step.name]))
	})
	return words.join(' ')
}

/** The path with which a command is written for given bindings: the one that uses all of them. */
export function pathFor(command: Command, bindings: AnyBindings): Path {
	const names = Object.keys(bindings).filter(name => bindings[name] !== undefined)
	const steps = command.rows.find(row => {
		const bound = row.filter(step => bindingName(step) !== undefined)
		return bound.length === names.length && bound.every(step => agrees(step, bindings))
	})
	if (steps === undefined) throw new Error(`No syntax of the command binds ${names.join(', ')}.`)
	return { command, negated: false, steps }
}

function bindingName(step: Step): string | undefined {
	return step.kind === 'parameter' ? step.name : step.binds
}

function agrees(step: Step, bindings: AnyBindings): boolean {
	if (step.kind === 'parameter') return bindings[step.name] !== undefined
	return step.binds === undefined || bindings[step.binds] === step.word
}
