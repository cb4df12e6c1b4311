/** Refusals as RFC 9457 has them: what is wrong, where, and what to do about it. */

/** Every kind of refusal, its status and its title. They are part of the interface. */
export const problems = {
	'invalid-parameter': [400, 'A parameter is not as it should be'],
	'unknown-parameter': [400, 'There is no such parameter'],
	'invalid-cursor': [400, 'The cursor does not belong to this query'],
	'invalid-request': [400, 'The request is malformed'],
	unauthorized: [401, 'A token is needed'],
	'foreign-origin': [403, 'The request comes from another site'],
	'not-found': [404, 'There is no such thing'],
	'method-not-allowed': [405, 'This method does nothing here'],
	'not-acceptable': [406, 'No such format'],
	refused: [409, 'The relay refuses'],
	'too-slow-request': [408, 'The request did not come to its end in time'],
	'too-large': [413, 'The request is too large'],
	'unsupported-media-type': [415, 'The body must be JSON'],
	'headers-too-large': [431, 'The address or a header is too long'],
	'misdirected-host': [421, 'The request names another host'],
	'too-many-requests': [503, 'Too many requests at once'],
	'too-slow': [503, 'The query took too long'],
	'not-ready': [503, 'What this is read from is not ready'],
	'not-available': [501, 'This server cannot do that'],
	'internal-error': [500, 'Something went wrong here'],
} as const

export type ProblemKind = keyof typeof problems

export type Problem = {
	readonly kind: ProblemKind
	/** Sentences. */
	readonly detail: string
	/** Name of the parameter that is wrong. */
	readonly parameter?: string
}

/** The way a handler refuses. */
export class ProblemError extends Error {
	override readonly name = 'ProblemError'
	readonly problem: Problem
	constructor(problem: Problem) {
		super(problem.detail)
		this.problem = problem
	}
}

export function refuse(kind: ProblemKind, detail: string, parameter?: string): never {
	throw new ProblemError(parameter === undefined ? { kind, detail } : { kind, detail, parameter })
}

export const problemMediaType = 'application/problem+json'

export function statusOf({ kind }: Problem): number {
	return problems[kind][0]
}

/** The body of a refusal. `type` names the kind for ever; the rest is for people. */
export function problemText(problem: Problem): string {
	const [status, title] = problems[problem.kind]
	const { kind, detail, parameter } = problem
	return JSON.stringify({
		type: `urn:radledger:problem:${kind}`,
		title,
		status,
		detail,
		...(parameter === undefined ? {} : { parameter }),
	})
}
