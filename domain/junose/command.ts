/**
 * The grammar of commands. A command's syntax is a row of elements; it expands into paths, each a
 * plain row of steps, and a typed line is followed along all paths at once. Parsing, `?`, Tab,
 * `no` and the text of a saved configuration all read the same paths, so they cannot disagree.
 */
import type { Configuration } from '../configuration.ts'
import type { Mode, ModeKind } from './mode.ts'
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
			/** An interface that it names: the operator is told where the machine has none of it now. */
			readonly interface?: string
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
export type AnyBindings = Readonly<Record<string, unknown>>

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
export const pipe = { kind: 'keyword', word: '|', help: 'Filter the output' } as const

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

/** The rows of a command that go on where its `no` form ends. */
export function wholeRows({ rows, noRows }: Command): readonly (readonly Step[])[] {
	return rows.filter(row =>
		noRows.some(
			short => short.length < row.length && short.every((step, i) => isSame(step, row[i]!)),
		),
	)
}

function isSame(a: Step, b: Step): boolean {
	if (a.kind === 'keyword') return b.kind === 'keyword' && a.word === b.word
	return b.kind === 'parameter' && a.name === b.name
}
