/**
 * Who may ask. On loopback everybody on this machine, provided that the request names this machine:
 * a page of another site whose name was made to point here (DNS rebinding) does not. Anywhere else,
 * and on loopback where a token is set, whoever has the token.
 */
import { createHash, timingSafeEqual } from 'node:crypto'
import { readFileSync, statSync } from 'node:fs'
import { isIP } from 'node:net'
import type { Problem } from './problem.ts'

export type Listening = { readonly host: string; readonly port: number }

/** `HOST:PORT`; IPv6 in brackets. Undefined where it is not that. */
export function parseListening(text: string): Listening | undefined {
	const parts = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text)
	if (parts === null) return undefined
	const host = parts[1] ?? parts[2]!
	const port = Number(parts[3])
	const isAddress =
		parts[1] === undefined ? isIP(host) === 4 || host === 'localhost' : isIP(host) === 6
	return isAddress && port <= 65_535 ? { host, port } : undefined
}

export function isLoopback(host: string): boolean {
	return host === 'localhost' || host === '::1' || /^127\./.test(host)
}

/** A token shorter than this could be guessed. */
const tokenMinimum = 16

/** Reads the token from the file's first line; a sentence where it cannot be used. */
export function readToken(file: string): { token: string } | { refused: string } {
	try {
		const { mode } = statSync(file)
		if ((mode & 0o077) !== 0) {
			const octal = (mode & 0o777).toString(8).padStart(3, '0')
			return {
				refused: `The token's file ${file} has mode ${octal}, so others can read it; run: chmod 600 ${file}`,
			}
		}
		const token = readFileSync(file, 'utf8').split(/\r?\n/, 1)[0]!.trim()
		// RFC 6750 §2.1: b64token.
		if (/^[A-Za-z0-9\-._~+/]+=*$/.test(token) && token.length >= tokenMinimum) return { token }
		return {
			refused: `The first line of the token's file ${file} must be a token of at least ${tokenMinimum} characters out of A-Z a-z 0-9 - . _ ~ + /, such as: openssl rand -hex 32`,
		}
	} catch (error) {
		return { refused: `The token's file ${file} cannot be read: ${(error as Error).message}.` }
	}
}

export type Guard = {
	/** What is wrong with who asks; undefined: nothing. */
	refusal(headers: Headers, open: boolean): Problem | undefined
	/** Whether who asks may be told what is behind a token; nothing is counted. */
	isTrusted(headers: Headers): boolean
	/** Requests that were refused, by kind. */
	readonly counts: Record<'unauthorized' | 'misdirected-host' | 'foreign-origin', number>
}
type Headers = {
	readonly host?: string | undefined
	readonly authorization?: string | undefined
	readonly origin?: string | undefined
	readonly 'sec-fetch-site'?: string | string[] | undefined
}

/** `token`: undefined where none is demanded, which is for loopback only. */
export function newGuard(token: string | undefined): Guard {
	const expected = token === undefined ? undefined : digest(token)
	const counts = { unauthorized: 0, 'misdirected-host': 0, 'foreign-origin': 0 }
	const isTrusted = (headers: Headers) =>
		expected === undefined || missingToken(headers, expected) === undefined
	return { refusal, isTrusted, counts }

	function refusal(headers: Headers, open: boolean): Problem | undefined {
		const problem =
			expected === undefined
				? foreignHost(headers)
				: open
					? undefined
					: missingToken(headers, expected)
		if (problem !== undefined) counts[problem.kind as keyof typeof counts]++
		return problem
	}
}

function foreignHost({ host }: Headers): Problem | undefined {
	const name = host?.replace(/:\d*$/, '').toLowerCase()
	if (name === 'localhost' || name === '[::1]' || isLoopbackAddress(name)) return undefined
	return {
		kind: 'misdirected-host',
		detail:
			'Without a token only requests to localhost, 127.0.0.1 or [::1] are answered. Ask under one of these names, or start with --http-token-file to allow others.',
	}
}

function isLoopbackAddress(name: string | undefined): boolean {
	return name !== undefined && isIP(name) === 4 && name.startsWith('127.')
}

function missingToken({ authorization }: Headers, expected: Buffer): Problem | undefined {
	const given = /^Bearer +(\S+)$/i.exec(authorization ?? '')?.[1]
	// Digests have one length, whatever was sent, and are compared in constant time.
	if (given !== undefined && timingSafeEqual(digest(given), expected)) return undefined
	return {
		kind: 'unauthorized',
		detail:
			given === undefined
				? 'Send the header "Authorization: Bearer TOKEN" with the token of the file that the server was started with.'
				: 'This token is not the one of the file that the server was started with.',
	}
}

function digest(text: string): Buffer {
	return createHash('sha256').update(text).digest()
}

/**
 * A request that changes something must not come from a page of another site: browsers say where it
 * comes from, and other programs do not need to.
 */
export function isForeign({ host, origin, 'sec-fetch-site': site }: Headers): boolean {
	if (site !== undefined && site !== 'same-origin' && site !== 'none') return true
	if (origin === undefined) return false
	return !URL.canParse(origin) || new URL(origin).host !== host
}
