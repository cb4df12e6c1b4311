/** Commands written out, for the configuration file and the record of what was typed. */
import type { AnyBindings, Command, Path, Step } from './command.ts'
import { quoteWord } from './quotation.ts'

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
