/** What a rule compares text with: a text, a glob (`*` and `?`) or an expression between slashes. */
import { compile, type Matcher, maximumExpressionLength } from '../expression.ts'

export type Pattern = Matcher

export function literalPattern(text: string, ignoreCase: boolean): Pattern {
	if (!ignoreCase) return value => value === text
	const lower = text.toLowerCase()
	return value => value.toLowerCase() === lower
}

/** `*` is any text, also none; `?` is one character. The whole value must match. */
export function globPattern(glob: string, ignoreCase: boolean): Pattern {
	if (!/[*?]/.test(glob)) return literalPattern(glob, ignoreCase)
	const wanted = [...(ignoreCase ? glob.toLowerCase() : glob)]
	return value => globMatches(wanted, [...(ignoreCase ? value.toLowerCase() : value)])
}

/**
 * Only the last `*` ever has to give way, so that the time is bounded by the product of the lengths.
 */
function globMatches(wanted: readonly string[], value: readonly string[]): boolean {
	let at = 0
	let star = -1
	let resumeAt = 0
	for (let i = 0; i < value.length; ) {
		if (wanted[at] === '*') {
			star = at++
			resumeAt = i
		} else if (wanted[at] === '?' || (at < wanted.length && wanted[at] === value[i])) {
			at++
			i++
		} else if (star >= 0) {
			at = star + 1
			i = ++resumeAt
		} else {
			return false
		}
	}
	while (wanted[at] === '*') at++
	return at === wanted.length
}

/** An expression that may match anywhere in the value, or what is wrong with it. */
export function expressionPattern(
	expression: string,
	ignoreCase: boolean,
): { readonly value: Pattern } | { readonly why: string } {
	if (expression.length > maximumExpressionLength) {
		return { why: `it has more than ${maximumExpressionLength} characters` }
	}
	// Case is folded on both sides. `\D`, `\W` and `\S` must not become their opposites.
	const folded = ignoreCase
		? expression.replace(/\\.|[^\\]+/gs, part => (part[0] === '\\' ? part : part.toLowerCase()))
		: expression
	const compiled = compile(folded, 'customary')
	if ('why' in compiled || !ignoreCase) return compiled
	return { value: value => compiled.value(value.toLowerCase()) }
}
