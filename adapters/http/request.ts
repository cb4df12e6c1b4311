/** What a request asks for, checked against its route's own records. */
import { isLeft } from 'fp-ts/lib/Either.js'
import { type Key, queryName, readCursor } from './cursor.ts'
import { chosenFormat, type Format, formats, mediaTypes } from './format.ts'
import type { Question } from './history.ts'
import { parametersOf } from './openapi.ts'
import { refuse } from './problem.ts'
import type { Parameters, RawRow, RowRoute } from './route.ts'

export type Asked = {
	/** Path and query as they were sent. */
	readonly url: string
	readonly path: Readonly<Record<string, unknown>>
	readonly query: Readonly<Record<string, unknown>>
	readonly accept: string
}

/** The question that a request is. Throws a ProblemError where it is none. */
export function questionOf(route: RowRoute, asked: Asked): Question {
	const parameters = parametersOf(route)
	const values = checkedValues(parameters, asked.path, asked.query)
	const { format, limit, cursor, ...own } = values
	for (const [from, to] of spans) checkSpan(own, from, to)
	return {
		operation: route.operation,
		values: own,
		limit: typeof limit === 'number' ? limit : 1,
		after: keyOf(route, own, cursor as string | undefined),
		format: formatOf(format as Format | undefined, asked.accept),
		address: withoutCursor(asked.url),
	}
}

/** Parameters that a time begins and ends with. */
const spans = [
	['from', 'to'],
	['since', 'until'],
] as const

function checkSpan(values: RawRow, from: string, to: string): void {
	const [begin, end] = [values[from], values[to]]
	if (typeof begin !== 'number' || typeof end !== 'number' || begin <= end) return
	refuse('invalid-parameter', `${from} must not be after ${to}: exchange them.`, from)
}

/** Every parameter's value; refuses what is unknown, given twice or not as its codec has it. */
export function checkedValues(
	parameters: Parameters,
	path: Readonly<Record<string, unknown>>,
	query: Readonly<Record<string, unknown>>,
): RawRow {
	for (const name of Object.keys(query)) {
		if (parameters[name]?.in === 'query') continue
		const known = Object.keys(parameters).filter(key => parameters[key]!.in === 'query')
		refuse(
			'unknown-parameter',
			`There is no parameter ${JSON.stringify(name.slice(0, 64))} here. ${
				known.length === 0 ? 'There are none' : `These are there: ${known.join(', ')}`
			}; /openapi.json describes them.`,
			name.slice(0, 64),
		)
	}
	const values: Record<string, unknown> = {}
	for (const [name, parameter] of Object.entries(parameters)) {
		const given = (parameter.in === 'path' ? path : query)[name]
		if (given === undefined) {
			if (parameter.fallback !== undefined) values[name] = parameter.fallback
			continue
		}
		if (Array.isArray(given)) refuse('invalid-parameter', `Give ${name} once only.`, name)
		const checked = parameter.value.codec.decode(given)
		if (isLeft(checked)) {
			const shown = JSON.stringify(String(given).slice(0, 64))
			refuse(
				'invalid-parameter',
				`${name} cannot be ${shown}: it must be ${parameter.value.expects}.`,
				name,
			)
		}
		values[name] = checked.right
	}
	return values
}

function keyOf(route: RowRoute, values: RawRow, cursor: string | undefined): Key | undefined {
	if (cursor === undefined) return undefined
	const key = readCursor(queryName(route.operation, values), cursor)
	if (key !== undefined) return key
	return refuse(
		'invalid-cursor',
		'This cursor belongs to another query. Follow "next" as it is given, or ask for the first page without a cursor.',
		'cursor',
	)
}

function formatOf(format: Format | undefined, accept: string): Format {
	const chosen = chosenFormat(format, accept)
	if (chosen !== undefined) return chosen
	return refuse(
		'not-acceptable',
		`There are ${formats.map(name => mediaTypes[name].split(';')[0]).join(', ')}. Accept one of them, or name one with format=${formats.join(' | ')}.`,
	)
}

function withoutCursor(url: string): string {
	const [path = '', query = ''] = url.split('?', 2)
	const kept = query.split('&').filter(part => part !== '' && !part.startsWith('cursor='))
	return kept.length === 0 ? path : `${path}?${kept.join('&')}`
}
