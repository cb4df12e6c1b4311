/**
 * Filters behind a `show` command: `| {begin | include | exclude} REGEX`. No expression that an
 * operator types can hang the relay: `domain/expression.ts` matches in linear time.
 */
import { compile, type Matcher, maximumExpressionLength } from '../expression.ts'

export type { Matcher } from '../expression.ts'

export type FilterKind = 'begin' | 'include' | 'exclude'

/** A matcher, or the sentence that says what is wrong with the expression. */
export function compileExpression(
	expression: string,
): { readonly value: Matcher } | { readonly why: string } {
	if (expression.length > maximumExpressionLength) {
		return { why: `A filter's expression has at most ${maximumExpressionLength} characters.` }
	}
	const compiled = compile(expression, 'junose')
	if ('value' in compiled) return compiled
	return {
		why: `The filter's expression cannot be read: ${compiled.why}; put "\\" before a character that stands for itself.`,
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
