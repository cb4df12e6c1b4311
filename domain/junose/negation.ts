/**
 * `no`: with as many words as the command's own `no` form has, or with the whole command, as it stands in the
 * configuration.
 */
import type { Command, Context, Outcome, Path } from './command.ts'

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
