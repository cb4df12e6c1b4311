/**
 * `no`: with as many words as the command's own `no` form has, or with the whole command, as it stands in the
 * configuration.
 */
import type { Command, Context, Outcome, Path, Step } from './command.ts'

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

/** What a command amounts to. Values that are typed behind a `no` must be those that are configured. */
export function outcomeOf(
	{ command, negated, whole }: Path,
	bindings: Readonly<Record<string, unknown>>,
	context: Context,
): Outcome {
	if (!negated) return command.run(context, bindings)
	if (whole && !isConfigured(command, bindings, context)) {
		const why =
			'That is not configured; "show configuration" has what is, and "no" needs no values behind it.'
		return { kind: 'refused', why }
	}
	return command.undo(context, bindings)
}

/** To configure it once more would change nothing. */
function isConfigured(
	command: Command,
	bindings: Readonly<Record<string, unknown>>,
	context: Context,
): boolean {
	const outcome = command.run(context, bindings)
	if (outcome.kind === 'move') return true
	if (outcome.kind !== 'configure') return false
	return JSON.stringify(outcome.configuration) === JSON.stringify(context.configuration)
}
