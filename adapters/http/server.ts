/** The HTTP server: who may ask, what is answered, and how much of it at once. */
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from 'fastify'
import { type Guard, isForeign } from './access.ts'
import type { Key } from './cursor.ts'
import { mediaTypes } from './format.ts'
import { type Answer, failureOf, type Question, rendered } from './history.ts'
import type { Live } from './live.ts'
import type { LiveEvents } from './live-events.ts'
import { type Document, openApiDocument } from './openapi.ts'
import { baselineOf, otherRoutes, subscriptionOf } from './other-routes.ts'
import { type PageFile, securityHeaders } from './page.ts'
import {
	type Problem,
	ProblemError,
	type ProblemKind,
	problemMediaType,
	problemText,
	refuse,
	statusOf,
} from './problem.ts'
import type { Readiness } from './readiness.ts'
import { questionOf } from './request.ts'
import type { Found, RowRoute } from './route.ts'
import { rowRoutes } from './routes.ts'
import {
	headerOctetsAtMost,
	pathPartAtMost,
	refuseUnreadable,
	unreadableAddress,
} from './unreadable.ts'

export type HttpCounts = {
	/** Requests that were answered, by route and status: `/api/v1/leases 200`. */
	readonly answered: ReadonlyMap<string, number>
	/** Seconds that they took, by route, summed up. */
	readonly seconds: ReadonlyMap<string, number>
	readonly inFlight: number
	/** Requests that found too many others. */
	readonly turnedAway: number
}

export type HttpSettings = {
	readonly release: string
	readonly guard: Guard
	readonly history: { ask(question: Question): Promise<Answer> }
	/** Undefined where no relay runs beside: what it would be asked is answered from history or not. */
	readonly live: Live | undefined
	readonly events: LiveEvents
	/** Position of the newest event that is on disk. */
	readonly last: () => number
	readonly readiness: () => Promise<Readiness>
	readonly metrics: (counts: HttpCounts) => Promise<string>
	readonly page: ReadonlyMap<string, PageFile>
	/** Told of what is our own fault, for the log. */
	readonly onTrouble: (error: string) => void
	readonly requestsAtMost?: number
	readonly connectionsAtMost?: number
}

const bodyOctetsAtMost = 16 * 1024

export function createServer(settings: HttpSettings): FastifyInstance {
	const { guard, requestsAtMost = 64, connectionsAtMost = 512 } = settings
	const counts = newCounts()
	const app = fastify({
		bodyLimit: bodyOctetsAtMost,
		requestTimeout: 10_000,
		keepAliveTimeout: 30_000,
		connectionTimeout: 0,
		forceCloseConnections: true,
		exposeHeadRoutes: true,
		routerOptions: { maxParamLength: pathPartAtMost },
		http: { maxHeaderSize: headerOctetsAtMost, headersTimeout: 10_000 },
		frameworkErrors: (error, _request, reply) => {
			reply.headers(securityHeaders)
			return sendProblem(reply as unknown as FastifyReply, unreadableAddress(error.code))
		},
		clientErrorHandler: refuseUnreadable,
	})
	app.server.maxConnections = connectionsAtMost
	// Text is what a form of another site may send without asking first: bodies are JSON only.
	app.removeContentTypeParser('text/plain')
	const document = openApiDocument({
		release: settings.release,
		routes: rowRoutes,
		others: otherRoutes,
	})
	const openPaths = new Set(otherRoutes.filter(route => route.open).map(route => route.path))

	app.addHook('onRequest', async (request, reply) => {
		reply.headers(securityHeaders)
		const hasRoom = counts.begins(request, reply, requestsAtMost)
		const path = request.url.split('?', 1)[0]!
		const problem = guard.refusal(request.headers, openPaths.has(path) || settings.page.has(path))
		if (problem !== undefined) throw new ProblemError(problem)
		if (!hasRoom) {
			refuse(
				'too-many-requests',
				`${requestsAtMost} requests are being answered already. Ask again in a moment.`,
			)
		}
	})
	app.addHook('onResponse', async (request, reply) => counts.ends(request, reply))
	app.setErrorHandler((error, _request, reply) => sendProblem(reply, problemOf(error, settings)))
	app.setNotFoundHandler((request, reply) => sendProblem(reply, notFound(app, request, reply)))
	for (const route of rowRoutes) addRowRoute(app, settings, route)
	addOtherRoutes(app, settings, document, counts)
	for (const [path, file] of settings.page) addFile(app, path, file)
	return app
}

type Counts = ReturnType<typeof newCounts>

function newCounts() {
	const answered = new Map<string, number>()
	const seconds = new Map<string, number>()
	/** Requests that are being answered. */
	const present = new Set<FastifyRequest>()
	let turnedAway = 0
	return {
		/** False where there are too many. */
		begins(request: FastifyRequest, reply: FastifyReply, most: number): boolean {
			reply.raw.once('close', () => present.delete(request))
			present.add(request)
			if (present.size <= most) return true
			turnedAway++
			return false
		},
		lasts(request: FastifyRequest) {
			present.delete(request)
		},
		/** By route and never by what was asked: nobody can make more names of them. */
		ends(request: FastifyRequest, reply: FastifyReply) {
			const route = request.routeOptions.url ?? 'none'
			const key = `${route} ${reply.statusCode}`
			answered.set(key, (answered.get(key) ?? 0) + 1)
			seconds.set(route, (seconds.get(route) ?? 0) + reply.elapsedTime / 1000)
		},
		read: (): HttpCounts => ({ answered, seconds, inFlight: present.size, turnedAway }),
	}
}

function addRowRoute(app: FastifyInstance, settings: HttpSettings, route: RowRoute): void {
	app.get(fastifyPath(route.path), async (request, reply) => {
		const question = questionOf(route, {
			url: request.url,
			path: request.params as Record<string, unknown>,
			query: request.query as Record<string, unknown>,
			accept: request.headers.accept ?? '',
		})
		const answer = await answerTo(settings, route, question)
		return sendAnswer(request, reply, settings, question, answer)
	})
}

async function answerTo(
	{ live, history, last }: HttpSettings,
	route: RowRoute,
	question: Question,
): Promise<Answer> {
	if (route.from === 'history') return history.ask(question)
	const historical = live === undefined || question.values['at'] !== undefined
	if (historical && route.query !== undefined) return history.ask(question)
	if (live === undefined) return refuse('not-available', noRelay)
	const position = last()
	try {
		const { limit, after } = question
		const found = await route.ask(live, question.values, { limit, after })
		return rendered(route, portion(found, limit, after), question, position)
	} catch (error) {
		return failureOf(error)
	}
}

/** What the relay tells is short, and told whole: pages are cut out of it by number. */
function portion(found: Found, limit: number, after: Key | undefined): Found {
	if (found.kind === 'item') return found
	const begin = Number(after?.[0] ?? 0)
	const rows = found.rows.slice(begin, begin + limit)
	const more = found.rows.length > begin + limit
	return { kind: 'page', rows, ...(more ? { next: [begin + limit] } : {}) }
}

const noRelay =
	'No relay runs here: this server only follows a history. Ask the relay’s own server.'

function sendAnswer(
	request: FastifyRequest,
	reply: FastifyReply,
	settings: HttpSettings,
	question: Question,
	answer: Answer,
) {
	switch (answer.kind) {
		case 'problem':
			return sendProblem(reply, answer.problem)
		case 'error':
			return sendProblem(reply, ourFault(settings, answer.error))
		case 'text': {
			reply.headers({
				etag: answer.etag,
				vary: 'accept',
				// It is about persons: nobody between keeps it, and a browser asks each time.
				'cache-control': 'private, no-cache',
				'radledger-position': answer.position,
			})
			if (answer.next !== null) reply.header('link', `<${answer.next}>; rel="next"`)
			if (isKnown(request, answer.etag)) return reply.code(304).send()
			return reply.type(mediaTypes[question.format]).send(answer.body)
		}
		default:
			return answer satisfies never
	}
}

/** RFC 9110 §13.1.2: compared weakly, one of a list, or any. */
function isKnown(request: FastifyRequest, etag: string): boolean {
	const known = request.headers['if-none-match']
	if (known === undefined) return false
	return known === '*' || known.split(',').some(tag => tag.trim().replace(/^W\//, '') === etag)
}

function sendProblem(reply: FastifyReply, problem: Problem) {
	const status = statusOf(problem)
	if (status === 401) reply.header('www-authenticate', 'Bearer realm="radledger"')
	if (problem.kind === 'too-many-requests') reply.header('retry-after', '1')
	return reply
		.code(status)
		.header('cache-control', 'no-store')
		.type(problemMediaType)
		.send(problemText(problem))
}

function ourFault({ onTrouble }: HttpSettings, error: string): Problem {
	onTrouble(error)
	return {
		kind: 'internal-error',
		detail: 'This is a fault of the server; its log says more. Please report it.',
	}
}

/** What fastify itself refuses has a status; everything else is ours. */
function problemOf(error: unknown, settings: HttpSettings): Problem {
	if (error instanceof ProblemError) return error.problem
	const { statusCode, message, stack } = error as Error & { statusCode?: number }
	const kinds: Readonly<Record<number, ProblemKind>> = {
		413: 'too-large',
	}
	if (statusCode === undefined || statusCode >= 500) {
		return ourFault(settings, stack ?? String(error))
	}
	if (statusCode === 415) return { kind: 'unsupported-media-type', detail: jsonOnly }
	return { kind: kinds[statusCode] ?? 'invalid-request', detail: `${message}.`.replace('..', '.') }
}

/** Reasons name servers and files: they are not for whoever comes by. */
const askWithToken = 'Ask with the token to be told why.'

const jsonOnly = 'Send a JSON object, and with it the header "Content-Type: application/json".'

function notFound(
	app: FastifyInstance,
	{ method, url }: FastifyRequest,
	reply: FastifyReply,
): Problem {
	const path = url.split('?', 1)[0]!
	const there = (['GET', 'POST'] as const).find(
		other => other !== method && app.findRoute({ method: other, url: path }) !== null,
	)
	if (there !== undefined) {
		// RFC 9110 §15.5.6: it MUST say what may be done instead.
		reply.header('allow', there === 'GET' ? 'GET, HEAD' : there)
		return { kind: 'method-not-allowed', detail: `${path.slice(0, 200)} takes ${there} only.` }
	}
	return {
		kind: 'not-found',
		detail: `There is nothing at ${path.slice(0, 200)}; /openapi.json lists what there is.`,
	}
}

function addOtherRoutes(
	app: FastifyInstance,
	settings: HttpSettings,
	document: Document,
	counts: Counts,
): void {
	const text = JSON.stringify(document)
	app.get('/openapi.json', async (_request, reply) =>
		reply.header('cache-control', 'no-cache').type('application/json').send(text),
	)
	app.get('/healthz', async (_request, reply) => reply.type('text/plain').send('ok\n'))
	app.get('/readyz', async (request, reply) => {
		const { ready, reasons } = await settings.readiness()
		const told = ready || settings.guard.isTrusted(request.headers) ? reasons : [askWithToken]
		return reply.code(ready ? 200 : 503).send({ ready, reasons: told })
	})
	app.get('/metrics', async (_request, reply) =>
		reply
			.type('text/plain; version=0.0.4; charset=utf-8')
			.send(await settings.metrics(counts.read())),
	)
	const live = '/api/v1/events/live'
	app.get(live, { exposeHeadRoute: false }, (request, reply) =>
		followEvents(settings, counts, request, reply),
	)
	// It would be the event of a position otherwise; there is no end whose length could be told.
	app.head(live, (_request, reply) => {
		const detail = `${live} takes GET only.`
		return sendProblem(reply.header('allow', 'GET'), { kind: 'method-not-allowed', detail })
	})
	app.post('/api/v1/baselines', async (request, reply) => {
		if (isForeign(request.headers)) {
			settings.guard.counts['foreign-origin']++
			refuse('foreign-origin', 'Only this server’s own page may do that, or a program.')
		}
		if (settings.live === undefined) refuse('not-available', noRelay)
		const { virtualRouter, scope } = baselineOf(request.body)
		const refused = await settings.live.setBaseline(virtualRouter, scope)
		if (refused !== undefined) refuse('refused', refused)
		return reply.code(204).send()
	})
}

function followEvents(
	{ events, last }: HttpSettings,
	counts: Counts,
	request: FastifyRequest,
	reply: FastifyReply,
): void {
	const query = request.query as Record<string, unknown>
	const subscription = subscriptionOf(query, request.headers['last-event-id'], last())
	if (!events.hasRoom()) {
		refuse(
			'too-many-requests',
			'Too many others follow the events already. Ask again later, or page /api/v1/events.',
		)
	}
	reply.hijack()
	// It lasts: it is counted with the consumers and not with the requests.
	counts.lasts(request)
	const headers = { ...reply.getHeaders(), 'content-type': 'text/event-stream' }
	reply.raw.writeHead(200, headers as Record<string, string>)
	events.serve(subscription, reply.raw)
}

function addFile(app: FastifyInstance, path: string, file: PageFile): void {
	app.get(path, async (request, reply) => {
		reply.headers({ etag: file.etag, 'cache-control': file.cacheControl })
		if (isKnown(request, file.etag)) return reply.code(304).send()
		return reply.type(file.mediaType).send(file.body)
	})
}

/** `/a/{b}` as fastify writes it. */
function fastifyPath(path: string): string {
	return path.replace(/\{(\w+)\}/g, ':$1')
}
