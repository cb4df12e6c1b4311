/**
 * The configuration as text: a file's text is read with the grammar of the shell, and a
 * configuration is written as the commands that make it. Reading what was written gives the same
 * configuration again.
 */
import {
	type Configuration,
	dynamicRequestServerDefaults,
	initialConfiguration,
	newDhcpPool,
	newVirtualRouter,
	relayServerDefaults,
	upstreamServerDefaults,
} from '../configuration.ts'
import type { Command, Context, Outcome, Step } from './command.ts'
import { commandText, pathFor } from './command-text.ts'
import { commands, hostnameCommand, parseIn, virtualRouterCommand } from './commands.ts'
import { configurationConflict } from './conflicts.ts'
import { isConfiguring, type Mode } from './mode.ts'
import { outcomeOf } from './negation.ts'
import type { Parsed } from './parse.ts'
import { transportCommand } from './sscc-commands.ts'

export type ConfigurationError = {
	readonly file: string
	/** From 1. */
	readonly line: number
	/** In characters, from 1. */
	readonly column: number
	/** What is wrong and what to write instead. */
	readonly message: string
}

/** Characters of a configuration file, and of one line of it. */
export const maximumTextLength = 4 * 2 ** 20
export const maximumLineLength = 1024

/** A text with more is no configuration at all; the rest is not looked at. */
const maximumErrors = 1000

const configurationMode: Mode = { kind: 'configuration' }

type Reading = {
	readonly context: Context
	/** A command that enters a mode failed: what follows may belong below it. */
	readonly lost: boolean
	readonly errors: readonly Omit<ConfigurationError, 'file'>[]
	/** The line where each conflict arose. */
	readonly conflicts: ReadonlyMap<string, number>
}

/** The configuration of a file's text, or every error in it. `file` is its name in the errors. */
export function parseConfiguration(
	text: string,
	file: string,
): { readonly configuration: Configuration } | { readonly errors: readonly ConfigurationError[] } {
	if (text.length > maximumTextLength) {
		const message = `The file has more than ${maximumTextLength} characters; it is no configuration.`
		return { errors: [{ file, line: 1, column: 1, message }] }
	}
	const start = { configuration: initialConfiguration(), virtualRouter: 'default' }
	let reading: Reading = {
		context: { ...start, mode: configurationMode },
		lost: false,
		errors: [],
		conflicts: new Map(),
	}
	const lines = text.replace(/^\uFEFF/, '').split(/\r?\n/)
	for (const [index, line] of lines.entries()) {
		reading = readLine(reading, line, index + 1)
		if (reading.errors.length >= maximumErrors) break
	}
	const { configuration } = reading.context
	const conflict = configurationConflict(configuration)
	if (conflict === undefined && reading.errors.length === 0) return { configuration }
	const at = conflict === undefined ? undefined : (reading.conflicts.get(conflict) ?? lines.length)
	const found = at === undefined ? [] : [{ line: at, column: 1, message: conflict! }]
	return { errors: [...reading.errors, ...found].map(error => ({ file, ...error })) }
}

/** `radledger.conf:3:11: A UDP port is ...` */
export function describeError(error: ConfigurationError): string {
	return `${error.file}:${error.line}:${error.column}: ${error.message}`
}

function readLine(reading: Reading, line: string, number: number): Reading {
	const indent = line.length - line.trimStart().length
	if (indent === line.length || line[indent] === '!') return reading
	const fail = (column: number, message: string, lost = reading.lost): Reading => ({
		...reading,
		lost,
		errors: [...reading.errors, { line: number, column: column + 1, message }],
	})
	if (line.length > maximumLineLength) {
		return fail(0, `A line has at most ${maximumLineLength} characters; shorten it.`)
	}
	const { parsed, mode } = reading.lost ? parseLost(line) : parseIn(reading.context.mode, line)
	if (parsed.kind === 'empty') return reading
	if (parsed.kind !== 'command') {
		const column = parsed.column
		return fail(column, faultSentence(parsed, line), reading.lost || mode.kind === 'configuration')
	}
	const lost = reading.lost && mode.kind !== 'configuration'
	const context = { ...(lost ? scratchContext : reading.context), mode }
	const outcome = outcomeOf(parsed.path, parsed.bindings, context)
	// Well-formed, but there is nothing that it could be applied to.
	if (lost && (outcome.kind === 'configure' || parsed.path.negated)) return reading
	if (lost && outcome.kind === 'move') {
		return { ...reading, lost: false, context: { ...reading.context, mode: configurationMode } }
	}
	return applyOutcome(reading, outcome, number, message => fail(indent, message))
}

function applyOutcome(
	reading: Reading,
	outcome: Outcome,
	number: number,
	fail: (message: string) => Reading,
): Reading {
	switch (outcome.kind) {
		case 'refused':
			return fail(outcome.why)
		case 'move':
		case 'configure': {
			const { virtualRouter } = outcome
			// `end`, or an `exit` too many, as scripts for a router have at their end.
			const mode = isConfiguring(outcome.mode) ? outcome.mode : configurationMode
			if (outcome.kind === 'move') {
				return { ...reading, lost: false, context: { ...reading.context, mode, virtualRouter } }
			}
			const { configuration } = outcome
			const conflict = configurationConflict(configuration)
			const known = conflict === undefined || reading.conflicts.has(conflict)
			const conflicts = known
				? reading.conflicts
				: new Map([...reading.conflicts, [conflict, number]])
			return { ...reading, lost: false, context: { configuration, virtualRouter, mode }, conflicts }
		}
		case 'print':
		case 'show':
		case 'baseline':
		case 'clear-bindings':
		case 'clear-subscriber':
		case 'erase-subscriber':
		case 'apply-retention':
		case 'restart-src':
		case 'page-length':
		case 'history':
		case 'configuration':
		case 'close':
			return fail('This command configures nothing; take it out of the file.')
		default:
			return outcome satisfies never
	}
}

const scratchModes: readonly Mode[] = [
	{ kind: 'radius-relay', service: 'authentication' },
	{ kind: 'radius', service: 'authentication', server: 'scratch' },
	{ kind: 'radius-dynamic-request', server: 'scratch' },
	{ kind: 'dhcp-pool', pool: 'scratch' },
]

/** Servers and a pool for the commands below one that failed, so that their own errors are found as well. */
const scratchContext: Omit<Context, 'mode'> = {
	configuration: {
		...initialConfiguration(),
		virtualRouters: [
			{
				...newVirtualRouter('default'),
				relay: relayServerDefaults,
				upstream: {
					authentication: [{ address: 'scratch', ...upstreamServerDefaults.authentication }],
					accounting: [],
				},
				dynamicRequest: [{ address: 'scratch', ...dynamicRequestServerDefaults }],
				dhcpLocal: { ...newVirtualRouter('default').dhcpLocal, pools: [newDhcpPool('scratch')] },
			},
		],
	},
	virtualRouter: 'default',
}

/** What a line means below a command that failed: a command of either sub-mode, or a global one. */
function parseLost(line: string): ReturnType<typeof parseIn> {
	const tries = scratchModes.map(mode => parseIn(mode, line))
	const rank = ({ parsed }: ReturnType<typeof parseIn>) =>
		parsed.kind === 'command'
			? Number.POSITIVE_INFINITY
			: parsed.kind === 'empty'
				? 0
				: parsed.column
	return tries.reduce((best, next) => (rank(next) > rank(best) ? next : best))
}

/** What is wrong with a line, and what could stand there. */
function faultSentence(
	fault: Exclude<Parsed, { kind: 'command' | 'empty' }>,
	line: string,
): string {
	const word =
		[...line]
			.slice(fault.column)
			.join('')
			.match(/^[^ \t]*/)?.[0] ?? ''
	switch (fault.kind) {
		case 'invalid': {
			if (fault.why !== undefined) return fault.why
			const typed = fault.secret ? 'This' : `"${word.slice(0, 64)}"`
			if (fault.expected.length === 0) {
				return `${typed} is too much here; take it out, or put a text that contains spaces in quotes.`
			}
			return `${typed} is not understood here; write ${listOf(fault.expected)}.`
		}
		case 'ambiguous':
			return `"${word}" is short for ${fault.words.join(' and ')}; write more of the word.`
		case 'incomplete':
			return `The command is incomplete; after it comes ${listOf(fault.expected)}.`
		default:
			return fault satisfies never
	}
}

/** They begin commands that have no place in a file. */
const terminalWords: readonly string[] = ['do', 'run', 'show', 'help', 'exit', 'end']

function listOf(expected: readonly Step[]): string {
	const labels = expected.map(step =>
		step.kind === 'keyword' ? step.word : `${step.type.placeholder} (${step.help})`,
	)
	const distinct = [...new Set(labels)].filter(label => !terminalWords.includes(label))
	return distinct.length === 1 ? distinct[0]! : `one of: ${distinct.join(', ')}`
}

// ---- Writing ----

export type Secrets = 'clear' | 'hidden'

/** The commands that make the configuration, as `show configuration` prints them. */
export function configurationLines(
	configuration: Configuration,
	secrets: Secrets,
): readonly string[] {
	const head = hostnameLines(configuration)
	const late = lateTransports(configuration)
	const routers = configuration.virtualRouters.flatMap(({ name }) => {
		const lines = virtualRouterLines(configuration, name, secrets)
		return ['!', ...lines.filter(line => !late.get(name)?.includes(line))]
	})
	const rest = [...late].flatMap(([name, lines]) => ['!', routerHeading(name), ...lines])
	return [...head, ...routers, ...rest]
}

/**
 * Lines that name a virtual router further down, by virtual router: they can be typed when it is there,
 * so they stand at the end.
 */
function lateTransports(configuration: Configuration): ReadonlyMap<string, readonly string[]> {
	const names = configuration.virtualRouters.map(({ name }) => name)
	const late = new Map<string, readonly string[]>()
	for (const { name, src } of configuration.virtualRouters) {
		const { transportRouter } = src
		if (transportRouter === undefined) continue
		if (names.indexOf(transportRouter) <= names.indexOf(name)) continue
		const context = { configuration, virtualRouter: name, mode: configurationMode }
		late.set(name, writtenCommands(transportCommand, context, 'clear', ''))
	}
	return late
}

function routerHeading(name: string): string {
	const bindings = { name }
	return commandText(pathFor(virtualRouterCommand, bindings), bindings, false)
}

/** The command that names the relay; none where it has the name that it has by itself. */
export function hostnameLines(configuration: Configuration): readonly string[] {
	const context = { configuration, virtualRouter: 'default', mode: configurationMode }
	return writtenCommands(hostnameCommand, context, 'hidden', '')
}

/** The commands that make one virtual router, as a start of the relay records them. */
export function virtualRouterLines(
	configuration: Configuration,
	name: string,
	secrets: Secrets,
): readonly string[] {
	const context = { configuration, virtualRouter: name, mode: configurationMode }
	return [routerHeading(name), ...modeLines(context, secrets, '')]
}

/** The text of the configuration file. */
export function configurationText(configuration: Configuration): string {
	const lines = [
		'! radledger writes this file anew whenever a command changes the configuration.',
		...configurationLines(configuration, 'clear'),
	]
	return lines.map(line => `${line}\n`).join('')
}

function modeLines(context: Context, secrets: Secrets, indent: string): readonly string[] {
	return commands
		.filter(c => c !== hostnameCommand && c.modes.includes(context.mode.kind))
		.flatMap(c => writtenCommands(c, context, secrets, indent))
}

/** A command as often as it stands in the mode, each time with what is configured below it. */
function writtenCommands(
	command: Command,
	context: Context,
	secrets: Secrets,
	indent: string,
): readonly string[] {
	return command.current(context).flatMap(bindings => {
		const line = indent + commandText(pathFor(command, bindings), bindings, secrets === 'hidden')
		// Only Global Configuration has modes below it.
		if (context.mode.kind !== 'configuration') return [line]
		const outcome = command.run(context, bindings)
		if (outcome.kind !== 'move') return [line]
		return [line, ...modeLines({ ...context, mode: outcome.mode }, secrets, `${indent} `)]
	})
}
