/** A rules file that is read again when it changes: bad rules never take the place of good ones. */
import { readFileSync, unwatchFile, watchFile } from 'node:fs'
import type { Rules } from '../domain/sae/rules.ts'
import { describeRulesError, parseRules } from '../domain/sae/rules-text.ts'

export type RulesFile = {
	/** The rules in force. */
	readonly rules: () => Rules
	/** Reads the file now, whether it has changed or not. */
	readonly reload: () => void
	readonly close: () => void
}

export type RulesFileEvents = {
	readonly onReload: (rules: Rules) => void
	/** Every error, a line each: file, line, column and the mend. The rules in force stay. */
	readonly onRefused: (errors: string) => void
}

/** How often the file is looked at. Polling sees every way of replacing a file, on any file system. */
const pollMs = 500

/** The rules of a file, followed from now on; or why it was refused, a line for each error. */
export function openRulesFile(
	file: string,
	events: RulesFileEvents,
): RulesFile | { readonly refused: string } {
	const first = readRules(file)
	if ('refused' in first) return first
	let current = first
	const reload = () => {
		const next = readRules(file)
		if ('refused' in next) {
			events.onRefused(next.refused)
			return
		}
		const changed = next.text !== current.text
		current = next
		if (changed) events.onReload(next.rules)
	}
	watchFile(file, { interval: pollMs, persistent: false }, reload)
	return {
		rules: () => current.rules,
		reload,
		close: () => unwatchFile(file, reload),
	}
}

/** Why the rules of a file cannot be used, a line for each error; undefined: they can. */
export function rulesFault(file: string): string | undefined {
	const read = readRules(file)
	return 'refused' in read ? read.refused : undefined
}

function readRules(
	file: string,
): { readonly rules: Rules; readonly text: string } | { readonly refused: string } {
	let text: string
	try {
		text = readFileSync(file, 'utf8')
	} catch (error) {
		const { code, message } = error as NodeJS.ErrnoException
		const refused =
			code === 'ENOENT'
				? `There is no rules file ${file}. Write one; its shortest is "default" with an indented "pool NAME" below it.`
				: `The rules file ${file} cannot be read: ${message}.`
		return { refused }
	}
	const parsed = parseRules(text)
	if ('rules' in parsed) return { rules: parsed.rules, text }
	return { refused: parsed.errors.map(error => describeRulesError(file, error)).join('\n') }
}
