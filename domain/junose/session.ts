/**
 * A session at the command line: its mode, its virtual router, and what a line does to them. All
 * effects go through the `Operator`; a terminal, a socket or a test may stand in front.
 */
import type { Configuration } from '../configuration.ts'
import type { Command, Context, Outcome } from './command.ts'
import { commandText } from './command-text.ts'
import { parseIn, scopesOf } from './commands.ts'
import { type Candidate, type Candidates, candidatesFor } from './completion.ts'
import { configurationLines, maximumLineLength } from './configuration-text.ts'
import { configurationConflict } from './conflicts.ts'
import { applyFilter } from './filter.ts'
import { isConfiguring, type Mode, modePath, promptText } from './mode.ts'
import { outcomeOf } from './negation.ts'
import type { Operator } from './operator.ts'
import type { Filter, Parsed } from './parse.ts'

export type Session = {
	readonly mode: Mode
	readonly virtualRouter: string
	/** `terminal length`: rows of a page, 0 for no paging; undefined: as the terminal is. */
	readonly pageLength?: number
	/** The latest commands, oldest first. */
	readonly history: readonly string[]
	/** False once `exit` ended the session. */
	readonly open: boolean
}

export type Executed = {
	readonly session: Session
	readonly lines: readonly string[]
	/** False when the command failed: the last line begins with `%`. */
	readonly ok: boolean
	/** The first line is a `^` that stands below the prompt and the command. */
	readonly marked: boolean
}

const historyLength = 100

/** A session as a terminal opens it, in User Exec mode, or privileged for `exec`. */
export function newSession(level: 'user' | 'privileged'): Session {
	const mode: Mode = { kind: level === 'user' ? 'user-exec' : 'privileged-exec' }
	return { mode, virtualRouter: 'default', history: [], open: true }
}

export function prompt(session: Session, configuration: Configuration): string {
	return promptText(configuration.hostname, session.virtualRouter, session.mode)
}

/** Ctrl-Z: leaves the configuration modes, whatever stands on the line. */
export function leaveConfiguration(session: Session): Session {
	return isConfiguring(session.mode) ? { ...session, mode: { kind: 'privileged-exec' } } : session
}

/**
 * Executes one line. A change is made from the configuration that the operator has now; callers
 * that serve several sessions let them execute one after the other.
 */
export async function execute(
	session: Session,
	line: string,
	operator: Operator,
): Promise<Executed> {
	const configuration = operator.configuration()
	if (!configuration.virtualRouters.some(r => r.name === session.virtualRouter)) {
		const next = { ...leaveConfiguration(session), virtualRouter: 'default' }
		const why = `Virtual router ${session.virtualRouter} was deleted; you are in default now, and the command was not executed.`
		return refuse(next, why)
	}
	if (line.length > maximumLineLength) {
		return refuse(session, `A command has at most ${maximumLineLength} characters; shorten it.`)
	}
	if (line.trimStart().startsWith('!')) return done(session, [])
	const { parsed, mode } = parseIn(session.mode, line)
	if (parsed.kind === 'empty') return done(session, [])
	const history = [...session.history, line.trim()].slice(-historyLength)
	const remembered = { ...session, history }
	if (parsed.kind !== 'command') {
		return faulty(remembered, parsed, prompt(session, configuration))
	}
	const { path, bindings } = parsed
	const context: Context = { configuration, virtualRouter: session.virtualRouter, mode }
	const outcome = outcomeOf(path, bindings, context)
	const written = commandText(path, bindings, true)
	const executed = await carryOut(remembered, context, outcome, written, operator)
	const filter = filterOf(path.command, bindings)
	if (filter === undefined || !executed.ok) return executed
	return { ...executed, lines: applyFilter(executed.lines, filter.how, filter.matcher) }
}

function filterOf(
	command: Command,
	bindings: Readonly<Record<string, unknown>>,
): Filter | undefined {
	if (!command.filterable || bindings['how'] === undefined) return undefined
	return bindings as Filter
}

async function carryOut(
	session: Session,
	context: Context,
	outcome: Outcome,
	command: string,
	operator: Operator,
): Promise<Executed> {
	switch (outcome.kind) {
		case 'refused':
			return refuse(session, outcome.why)
		case 'configure':
			return configure(session, context, outcome, command, operator)
		case 'move': {
			const { mode, virtualRouter } = outcome
			return done({ ...session, mode, virtualRouter }, [])
		}
		case 'print':
			return done(session, outcome.lines)
		case 'show':
			return done(session, await operator.show(session.virtualRouter, outcome.what))
		case 'configuration':
			return done(session, configurationLines(context.configuration, 'clear'))
		case 'baseline': {
			const why = await operator.baseline(session.virtualRouter, outcome.scope)
			return why === undefined ? done(session, []) : refuse(session, why)
		}
		case 'clear-bindings': {
			const { server, address } = outcome
			const why = await operator.clearBindings(session.virtualRouter, server, address)
			return why === undefined ? done(session, []) : refuse(session, why)
		}
		case 'clear-subscriber': {
			const why = await operator.clearSubscriber(session.virtualRouter, outcome.mac)
			return why === undefined ? done(session, []) : refuse(session, why)
		}
		case 'erase-subscriber': {
			const erased = await operator.eraseSubscriber(outcome.mac, outcome.reason)
			return 'refused' in erased ? refuse(session, erased.refused) : done(session, erased.lines)
		}
		case 'apply-retention': {
			const applied = await operator.applyRetention()
			return 'refused' in applied ? refuse(session, applied.refused) : done(session, applied.lines)
		}
		case 'restart-src': {
			const why = await operator.restartSrc(session.virtualRouter)
			return why === undefined ? done(session, []) : refuse(session, why)
		}
		case 'page-length': {
			const { pageLength: _, ...rest } = session
			return done(outcome.rows === undefined ? rest : { ...rest, pageLength: outcome.rows }, [])
		}
		case 'history':
			return done(session, session.history)
		case 'close':
			return done({ ...session, open: false }, [])
		default:
			return outcome satisfies never
	}
}

type Configuring = Extract<Outcome, { kind: 'configure' }>

async function configure(
	session: Session,
	context: Context,
	outcome: Configuring,
	command: string,
	operator: Operator,
): Promise<Executed> {
	const { configuration, mode, virtualRouter } = outcome
	const next = { ...session, mode, virtualRouter }
	// Said once more, a command changes nothing, and nothing is recorded.
	if (JSON.stringify(configuration) === JSON.stringify(context.configuration)) return done(next, [])
	const conflict = configurationConflict(configuration)
	if (conflict !== undefined) return refuse(session, conflict)
	const why = await operator.configure(configuration, {
		virtualRouter: context.virtualRouter,
		context: modePath(context.mode),
		command,
	})
	if (why !== undefined) return refuse(session, why)
	return done(
		next,
		warningsOf(outcome, operator).map(warning => `Warning: ${warning}`),
	)
}

function warningsOf(outcome: Configuring, operator: Operator): readonly string[] {
	const warnings = outcome.warning === undefined ? [] : [outcome.warning]
	const name = outcome.interface
	if (name === undefined || operator.hasInterface(name)) return warnings
	return [
		...warnings,
		`This machine has no interface ${name} now that is up and has an IPv4 address; clients are served there once it has.`,
	]
}

function done(session: Session, lines: readonly string[]): Executed {
	return { session, lines, ok: true, marked: false }
}

function refuse(session: Session, why: string): Executed {
	// Of a file every error is told, a line each.
	return { session, lines: why.split('\n').map(line => `% ${line}`), ok: false, marked: false }
}

function faulty(
	session: Session,
	fault: Exclude<Parsed, { kind: 'command' | 'empty' }>,
	before: string,
): Executed {
	const lines = faultLines(fault, before)
	return { session, lines, ok: false, marked: fault.kind === 'invalid' }
}

function faultLines(
	fault: Exclude<Parsed, { kind: 'command' | 'empty' }>,
	before: string,
): readonly string[] {
	switch (fault.kind) {
		case 'invalid': {
			const mark = `${' '.repeat([...before].length + fault.column)}^`
			const why = fault.why === undefined ? [] : [`% ${fault.why}`]
			return [mark, "% Invalid input detected at '^' marker.", ...why]
		}
		case 'ambiguous':
			return [`% Ambiguous command: it may go on with ${fault.words.join(' or ')}.`]
		case 'incomplete':
			return ['% Incomplete command.']
		default:
			return fault satisfies never
	}
}

/** What `?` prints behind `line`. */
export function help(
	session: Session,
	line: string,
	configuration: Configuration,
): readonly string[] {
	const found = findCandidates(session, line, configuration)
	if ('kind' in found) return faultLines(found, prompt(session, configuration))
	const { candidates } = found
	if (candidates.length === 0) return ['% Nothing can follow here.']
	const width = Math.max(...candidates.map(({ label }) => label.length))
	return candidates.map(({ label, help: text }) => `${label.padEnd(width)}   ${text}`)
}

/**
 * What Tab makes of `line`: the word completed, and a space behind it when it is the only one
 * possible. Where several are, they come along for display.
 */
export function complete(
	session: Session,
	line: string,
	configuration: Configuration,
): { readonly line: string; readonly candidates: readonly string[] } {
	const found = findCandidates(session, line, configuration)
	if ('kind' in found) return { line, candidates: [] }
	const texts = found.candidates.flatMap(({ text }) => (text === undefined ? [] : [text]))
	const typed = line.slice(found.start)
	// An empty word is only completed where there is no choice at all.
	if (texts.length === 0 || (typed === '' && found.candidates.length > 1)) {
		return { line, candidates: texts }
	}
	if (texts.length === 1)
		return { line: `${line.slice(0, found.start)}${texts[0]} `, candidates: [] }
	const common = texts.reduce(commonPrefix)
	const longer = common.length > typed.length ? line.slice(0, found.start) + common : line
	return { line: longer, candidates: texts }
}

function commonPrefix(a: string, b: string): string {
	let length = 0
	while (length < a.length && a[length] === b[length]) length++
	return a.slice(0, length)
}

/** Candidates of the mode; of Global Configuration where the mode itself has none. */
function findCandidates(
	session: Session,
	line: string,
	configuration: Configuration,
): Candidates | Extract<Parsed, { kind: 'invalid' | 'ambiguous' }> {
	const { virtualRouter } = session
	const tries = scopesOf(session.mode).map(scope =>
		candidatesFor(scope.paths, line, { configuration, virtualRouter, mode: scope.mode }),
	)
	const some = (found: readonly Candidate[]) => found.length > 0
	const useful = tries.find(found => 'candidates' in found && some(found.candidates))
	return useful ?? tries.find(found => 'candidates' in found) ?? tries.at(-1)!
}
