/**
 * A question about history, answered: the part that runs in a thread of its own. What crosses the
 * border is plain data, and the answer is text already.
 */
import { createHash } from 'node:crypto'
import { type Key, queryName, writeCursor } from './cursor.ts'
import { type Format, itemText, pageText } from './format.ts'
import { type Problem, ProblemError } from './problem.ts'
import { type Found, type RawRow, type RowRoute, type Sources, shaped } from './route.ts'

export type Question = {
	readonly operation: string
	/** Checked already. */
	readonly values: RawRow
	readonly limit: number
	readonly after: Key | undefined
	readonly format: Format
	/** Path and query of the request without its cursor, to make the next page's of. */
	readonly address: string
}

export type Answer =
	| {
			readonly kind: 'text'
			readonly body: string
			readonly etag: string
			/** Address of the next page. */
			readonly next: string | null
			/** Position up to which the journal is in the answer. */
			readonly position: number
	  }
	| { readonly kind: 'problem'; readonly problem: Problem }
	/** For the log: nothing that a client may see. */
	| { readonly kind: 'error'; readonly error: string }

/** Answers from journal and read models. Never throws. */
export function answerFromHistory(
	routes: readonly RowRoute[],
	sources: Sources,
	question: Question,
): Answer {
	try {
		const route = routes.find(({ operation }) => operation === question.operation)
		if (route?.query === undefined) throw new Error(`${question.operation} is no query of history.`)
		let position = sources.last()
		const counted: Sources = {
			...sources,
			views() {
				const views = sources.views()
				// They are behind the journal by what is not folded yet: the answer says so.
				position = Math.min(position, views.position())
				return views
			},
		}
		const page = { limit: question.limit, after: question.after }
		const found = route.query(counted, question.values, page)
		return rendered(route, found, question, position)
	} catch (error) {
		return failureOf(error)
	}
}

export function failureOf(error: unknown): Answer {
	if (error instanceof ProblemError) return { kind: 'problem', problem: error.problem }
	return {
		kind: 'error',
		error: error instanceof Error ? (error.stack ?? error.message) : String(error),
	}
}

/** What was found as the text of an answer. */
export function rendered(
	route: RowRoute,
	found: Found,
	question: Question,
	position: number,
): Answer {
	const columns = Object.keys(route.columns)
	const shape = (row: RawRow) => shaped(route.columns, row)
	if (found.kind === 'item') {
		const body = itemText(question.format, columns, shape(found.row))
		return { kind: 'text', body, etag: etagOf(body), next: null, position }
	}
	const next = found.next === undefined ? null : nextAddress(question, found.next)
	const body = pageText(question.format, columns, found.rows.map(shape), next)
	return { kind: 'text', body, etag: etagOf(`${body}${next}`), next, position }
}

function nextAddress({ operation, values, address }: Question, key: Key): string {
	const cursor = writeCursor(queryName(operation, values), key)
	return `${address}${address.includes('?') ? '&' : '?'}cursor=${cursor}`
}

function etagOf(body: string): string {
	return `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"`
}
