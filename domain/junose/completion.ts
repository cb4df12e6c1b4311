/** What can follow the words of a line: for `?` and Tab. */
import type { Context, Path, Step } from './command.ts'
import { type Fault, stepOf, walk } from './parse.ts'
import { lastWord } from './quotation.ts'

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
