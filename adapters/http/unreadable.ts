/** Requests that never get to a route: nobody can read them. They are refused like any other. */
import { STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import { securityHeaders } from './page.ts'
import { type Problem, problemMediaType, problemText, statusOf } from './problem.ts'

export const headerOctetsAtMost = 16 * 1024
export const pathPartAtMost = 256

/** What fastify cannot find a route for. */
export function unreadableAddress(code: string): Problem {
	const detail =
		code === 'FST_ERR_MAX_PARAM_LENGTH'
			? `A part of the path has more than ${pathPartAtMost} characters.`
			: 'The address cannot be read: in its path, after a % there must be two hexadecimal digits, and what they stand for must be UTF-8.'
	return { kind: 'invalid-request', detail }
}

/** What node cannot even read as a request is answered, too, before the connection ends. */
export function refuseUnreadable(error: Error & { code?: string }, socket: Socket): void {
	if (error.code === 'ECONNRESET' || !socket.writable) {
		socket.destroy()
		return
	}
	const problem = unreadableProblem(error.code)
	const body = problemText(problem)
	const status = statusOf(problem)
	const lines = [
		`HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
		`content-type: ${problemMediaType}`,
		`content-length: ${Buffer.byteLength(body)}`,
		...Object.entries(securityHeaders).map(([name, value]) => `${name}: ${value}`),
		'connection: close',
	]
	socket.end(`${lines.join('\r\n')}\r\n\r\n${body}`)
}

function unreadableProblem(code: string | undefined): Problem {
	switch (code) {
		case 'HPE_HEADER_OVERFLOW':
			return {
				kind: 'headers-too-large',
				detail: `Address and headers together have at most ${headerOctetsAtMost} octets.`,
			}
		case 'ERR_HTTP_REQUEST_TIMEOUT':
			return { kind: 'too-slow-request', detail: 'Send the whole request within ten seconds.' }
		default:
			return { kind: 'invalid-request', detail: 'This is no HTTP request that can be read.' }
	}
}
