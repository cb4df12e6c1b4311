/** The OpenAPI 3.1 document, made of the same records that the server goes by. */
import { formats, mediaTypes } from './format.ts'
import { type ProblemKind, problemMediaType, problems } from './problem.ts'
import {
	type Columns,
	optional,
	otherwise,
	type Parameter,
	type Parameters,
	type RowRoute,
} from './route.ts'
import { choice, integer, type JsonSchema, opaque } from './value.ts'

export const pageLimit = 100
export const pageLimitMaximum = 10_000

/** What every route with rows takes besides its own. */
export const formatParameter = optional(
	choice(formats),
	'Format of the answer; goes before Accept. JSON where neither says otherwise.',
)
export const pageParameters = {
	limit: otherwise(integer(1, pageLimitMaximum), pageLimit, 'Rows at most'),
	cursor: optional(opaque, 'Where the page begins: `next` of the page before it'),
} as const

/** Every parameter of a route, its own first. */
export function parametersOf({ parameters, gives }: RowRoute): Parameters {
	const shared = { format: formatParameter }
	return gives === 'page'
		? { ...parameters, ...pageParameters, ...shared }
		: { ...parameters, ...shared }
}

/** A route that gives no rows, as the document shows it. */
export type OtherRoute = {
	readonly operation: string
	readonly method: 'get' | 'post'
	readonly path: string
	readonly tag: string
	readonly summary: string
	readonly description?: string
	readonly parameters?: Parameters
	/** Headers that it goes by. */
	readonly headers?: Parameters
	readonly body?: JsonSchema
	readonly status: number
	readonly mediaType?: string
	readonly schema?: JsonSchema
	readonly problems: readonly ProblemKind[]
	/** Answered without a token, where one is demanded. */
	readonly open?: true
}

export type Document = JsonSchema & {
	readonly paths: Readonly<Record<string, Readonly<Record<string, JsonSchema>>>>
}

export type DocumentSettings = {
	readonly release: string
	readonly routes: readonly RowRoute[]
	readonly others: readonly OtherRoute[]
}

export function openApiDocument({ release, routes, others }: DocumentSettings): Document {
	const paths: Record<string, Record<string, JsonSchema>> = {}
	const schemas: Record<string, JsonSchema> = { Problem: problemSchema }
	const put = (path: string, method: string, operation: JsonSchema) => {
		paths[path] = { ...paths[path], [method]: operation }
	}
	for (const route of routes) {
		schemas[route.row] = rowSchema(route.columns)
		put(route.path, 'get', rowOperation(route))
	}
	for (const route of others) put(route.path, route.method, otherOperation(route))
	return {
		openapi: '3.1.1',
		info: {
			title: 'radledger',
			version: release,
			summary: 'What a RADIUS relay has recorded, and how it stands',
			description: introduction,
			license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
		},
		servers: [{ url: '/' }],
		security: [{}, { token: [] }],
		tags: [...new Set([...routes, ...others].map(({ tag }) => tag))].map(name => ({ name })),
		paths,
		components: {
			schemas,
			securitySchemes: {
				token: {
					type: 'http',
					scheme: 'bearer',
					description: 'The first line of the file that `--http-token-file` names',
				},
			},
		},
	}
}

const introduction = [
	'Everything that is read here comes from events that are on disk.',
	'A page of rows is `{"items": [...], "next": ADDRESS or null}` in JSON; in every format the header `Link` has the next page’s address, and `radledger-position` says up to which position of the journal the answer knows it.',
	'Times are given in RFC 3339, UTC. In CSV, text that a spreadsheet would take for a formula has an apostrophe before it, and objects are JSON.',
	'`If-None-Match` with the `ETag` of an earlier answer gives 304 while nothing in it has changed.',
].join('\n\n')

const problemSchema: JsonSchema = {
	type: 'object',
	description: 'RFC 9457',
	required: ['type', 'title', 'status', 'detail'],
	properties: {
		type: {
			type: 'string',
			enum: Object.keys(problems).map(kind => `urn:radledger:problem:${kind}`),
		},
		title: { type: 'string' },
		status: { type: 'integer' },
		detail: { type: 'string', description: 'What is wrong, and what to do' },
		parameter: { type: 'string', description: 'Name of the parameter that is wrong' },
	},
	additionalProperties: false,
}

/** The schema of a row in JSON. */
export function rowSchema(columns: Columns): JsonSchema {
	const properties: Record<string, JsonSchema> = {}
	for (const [name, { schema, description }] of Object.entries(columns)) {
		properties[name] = { ...schema, description }
	}
	return {
		type: 'object',
		required: Object.keys(columns),
		properties,
		additionalProperties: false,
	}
}

const reference = (name: string) => ({ $ref: `#/components/schemas/${name}` })

function rowOperation(route: RowRoute): JsonSchema {
	const row = reference(route.row)
	const page = {
		type: 'object',
		required: ['items', 'next'],
		properties: {
			items: { type: 'array', items: row },
			next: {
				type: ['string', 'null'],
				format: 'uri-reference',
				description: 'Address of the next page; null after the last',
			},
		},
		additionalProperties: false,
	}
	const always: ProblemKind[] = ['invalid-parameter', 'unknown-parameter', 'unauthorized']
	const kinds: ProblemKind[] = [
		...always,
		'not-acceptable',
		'misdirected-host',
		'not-ready',
		...(route.gives === 'page' ? (['invalid-cursor'] as const) : []),
		...(route.mayBeMissing === true ? (['not-found'] as const) : []),
	]
	return {
		operationId: route.operation,
		tags: [route.tag],
		summary: route.summary,
		...(route.description === undefined ? {} : { description: route.description }),
		parameters: parameterObjects(parametersOf(route)),
		responses: {
			200: {
				description: 'As asked for',
				headers: {
					etag: { schema: { type: 'string' } },
					'radledger-position': { schema: { type: 'integer' } },
					...(route.gives === 'page'
						? { link: { description: '`rel="next"`', schema: { type: 'string' } } }
						: {}),
				},
				content: {
					[mediaTypes.json]: { schema: route.gives === 'page' ? page : row },
					[mediaTypes.ndjson]: { schema: row },
					'text/csv': { schema: { type: 'string' } },
				},
			},
			304: { description: 'Nothing has changed since the answer with that ETag' },
			...problemResponses(kinds),
		},
	}
}

function otherOperation(route: OtherRoute): JsonSchema {
	const { mediaType, schema = { type: 'string' } } = route
	return {
		operationId: route.operation,
		tags: [route.tag],
		summary: route.summary,
		...(route.description === undefined ? {} : { description: route.description }),
		...(route.open === true ? { security: [{}] } : {}),
		parameters: [
			...parameterObjects(route.parameters ?? {}),
			...parameterObjects(route.headers ?? {}, 'header'),
		],
		...(route.body === undefined
			? {}
			: {
					requestBody: { required: true, content: { 'application/json': { schema: route.body } } },
				}),
		responses: {
			[route.status]: {
				description: 'As asked for',
				...(mediaType === undefined ? {} : { content: { [mediaType]: { schema } } }),
			},
			...problemResponses(route.problems),
		},
	}
}

function parameterObjects(parameters: Parameters, place?: 'header'): JsonSchema[] {
	return Object.entries(parameters).map(([name, parameter]) => ({
		name,
		in: place ?? parameter.in,
		required: parameter.in === 'path',
		description: parameter.description,
		schema: withDefault(parameter),
	}))
}

function withDefault({ value, fallback }: Parameter<unknown>): JsonSchema {
	return fallback === undefined ? value.schema : { ...value.schema, default: fallback }
}

/** One response for each status: several kinds may share one. */
function problemResponses(kinds: readonly ProblemKind[]): Record<string, JsonSchema> {
	const responses: Record<string, JsonSchema> = {}
	for (const kind of kinds) {
		const [status, title] = problems[kind]
		const known = responses[status]?.['description']
		responses[status] = {
			description: known === undefined ? `${title} (${kind})` : `${known}; ${title} (${kind})`,
			content: { [problemMediaType]: { schema: reference('Problem') } },
		}
	}
	return responses
}
