/**
 * The web page's files, read once at the start and given from memory. There is nothing else below
 * `/`: no path of a request is ever looked up in the file system.
 */
import { createHash } from 'node:crypto'
import { existsSync, globSync, readFileSync, statSync } from 'node:fs'
import { stripTypeScriptTypes } from 'node:module'
import { extname, join } from 'node:path'

export type PageFile = {
	readonly body: Buffer
	readonly mediaType: string
	readonly etag: string
	/** How long it may be kept: for ever where its name has its hash, else it is asked for each time. */
	readonly cacheControl: string
}

const mediaTypes: Readonly<Record<string, string>> = {
	'.html': 'text/html; charset=utf-8',
	'.css': 'text/css; charset=utf-8',
	'.js': 'text/javascript; charset=utf-8',
	// Their types are taken out: what is left is JavaScript, line by line.
	'.ts': 'text/javascript; charset=utf-8',
	'.svg': 'image/svg+xml',
	'.png': 'image/png',
	'.ico': 'image/x-icon',
	'.json': 'application/json',
	'.woff2': 'font/woff2',
}

/** `name.0123abcd.js` says by its name what is in it. */
const hashed = /\.[0-9a-f]{8,64}\.\w+$/

/** Nothing is loaded from anywhere else, nothing is sent anywhere else, nobody frames it. */
export const contentSecurityPolicy =
	"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; font-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

/** What every answer has, so that a browser does nothing more with it than it should. */
export const securityHeaders = {
	'content-security-policy': contentSecurityPolicy,
	'x-content-type-options': 'nosniff',
	'x-frame-options': 'DENY',
	'referrer-policy': 'no-referrer',
	'cross-origin-resource-policy': 'same-origin',
	'cross-origin-opener-policy': 'same-origin',
	'permissions-policy': 'camera=(), geolocation=(), microphone=()',
	'cache-control': 'no-store',
} as const

/**
 * The files of a folder by their path in requests; `index.html` is `/`. `others`: further files by
 * the path that they get.
 */
export function openPage(
	folder: string,
	others: Readonly<Record<string, string>> = {},
): ReadonlyMap<string, PageFile> {
	const files = new Map<string, PageFile>()
	const names = existsSync(folder) ? globSync('**/*', { cwd: folder }) : []
	for (const name of names) {
		const file = join(folder, name)
		if (!statSync(file).isFile()) continue
		add(name === 'index.html' ? '/' : `/${name.replaceAll('\\', '/')}`, file)
	}
	for (const [path, file] of Object.entries(others)) add(path, file)
	return files

	function add(path: string, file: string): void {
		const mediaType = mediaTypes[path === '/' ? '.html' : extname(path)]
		if (mediaType === undefined || path === '/tsconfig.json') return
		const text = readFileSync(file)
		const isTypeScript = extname(path) === '.ts'
		const body = isTypeScript ? Buffer.from(stripTypeScriptTypes(text.toString())) : text
		const etag = `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"`
		const cacheControl = hashed.test(path) ? 'public, max-age=31536000, immutable' : 'no-cache'
		files.set(path, { body, mediaType, etag, cacheControl })
	}
}
