/** The HTTP API as this page uses it. */
import type { Page } from './model.ts'

/** What went wrong, as a sentence that says what to do; `kind` as the API names it. */
export class ApiError extends Error {
	override readonly name = 'ApiError'
	readonly kind: string
	constructor(message: string, kind: string) {
		super(message)
		this.kind = kind
	}
}

type Query = Readonly<Record<string, string | number | boolean | undefined>>

/** A path below `/api/v1/` with its parameters; those that are undefined or empty are left out. */
export function apiPath(path: string, query: Query = {}): string {
	const parameters = new URLSearchParams()
	for (const [name, value] of Object.entries(query)) {
		if (value !== undefined && value !== '') parameters.set(name, String(value))
	}
	return `/api/v1/${path}${parameters.size === 0 ? '' : `?${parameters}`}`
}

export async function get<T>(path: string, query: Query = {}, signal?: AbortSignal): Promise<T> {
	return read<T>(apiPath(path, query), signal)
}

/** A page by the path that the page before it gave as `next`. */
export async function getNext<T>(next: string, signal?: AbortSignal): Promise<Page<T>> {
	return read<Page<T>>(next, signal)
}

/** Every item, page by page. For what is known to be short. */
export async function getAll<T>(path: string, query: Query, signal?: AbortSignal): Promise<T[]> {
	let page = await get<Page<T>>(path, { ...query, limit: 1000 }, signal)
	const items = [...page.items]
	while (page.next !== null) {
		page = await getNext<T>(page.next, signal)
		items.push(...page.items)
	}
	return items
}

export async function post(path: string, body: unknown): Promise<void> {
	await ask(apiPath(path), {
		method: 'POST',
		headers: { 'content-type': 'application/json' },
		body: JSON.stringify(body),
	})
}

async function read<T>(url: string, signal?: AbortSignal): Promise<T> {
	const headers = { accept: 'application/json' }
	const response = await ask(url, signal === undefined ? { headers } : { headers, signal })
	return (await response.json()) as T
}

/** Asks with the token, where one was given; throws where the answer is a refusal. */
export async function ask(url: string, init: RequestInit): Promise<Response> {
	const token = sessionStorage.getItem(tokenKey)
	const authorization = token === null ? undefined : { authorization: `Bearer ${token}` }
	let response: Response
	try {
		response = await fetch(url, { ...init, headers: { ...init.headers, ...authorization } })
	} catch (error) {
		if ((error as Error).name === 'AbortError') throw error
		throw new ApiError('The relay cannot be reached. This page tries again by itself.', 'away')
	}
	if (response.ok) return response
	const isProblem = response.headers.get('content-type')?.includes('json') === true
	const problem = (isProblem ? await response.json() : {}) as Partial<Record<string, string>>
	const { type = '', title, detail } = problem
	const kind = type.slice(type.lastIndexOf(':') + 1)
	// Another token may have been given since this was asked.
	const isNewest = token === sessionStorage.getItem(tokenKey)
	if (kind === 'unauthorized' && isNewest) unauthorized.dispatchEvent(new Event('unauthorized'))
	throw new ApiError(detail ?? title ?? `The relay answered with ${response.status}.`, kind)
}

/** Kept as long as the browser's tab. */
const tokenKey = 'radledger-token'
/** Tells when a token is needed. */
export const unauthorized = new EventTarget()

export function setToken(token: string): void {
	sessionStorage.setItem(tokenKey, token)
}
