/** Who may ask the HTTP server, and what it says to everybody else. */
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { type AddressInfo, connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { isLoopback, newGuard, parseListening, readToken } from '../adapters/http/access.ts'
import { openPage } from '../adapters/http/page.ts'
import { httpSettings } from '../src/settings.ts'
import { testServer } from './http-server.ts'

const folder = mkdtempSync(join(tmpdir(), 'radledger-http-'))
process.on('exit', () => rmSync(folder, { recursive: true, force: true }))

const token = 'a-token-of-32-characters-0123456'
const host = 'localhost:8080'
const headers = { host }

function tokenFile(text: string, mode: number): string {
	const file = join(folder, `token-${Math.round(performance.now() * 1000)}`)
	writeFileSync(file, text)
	chmodSync(file, mode)
	return file
}

test('an address is ADDRESS:PORT', () => {
	assert.equal(parseListening('127.0.0.1:8080'), { host: '127.0.0.1', port: 8080 })
	assert.equal(parseListening('[::1]:0'), { host: '::1', port: 0 })
	assert.equal(parseListening('localhost:80'), { host: 'localhost', port: 80 })
	for (const wrong of [
		'8080',
		':8080',
		'::1:80',
		'[127.0.0.1]:80',
		'10.0.0.1:65536',
		'a.b:80',
		'',
	]) {
		assert.is(parseListening(wrong), undefined, wrong)
	}
	for (const name of ['127.0.0.1', '127.1.2.3', '::1', 'localhost']) assert.ok(isLoopback(name))
	for (const name of ['0.0.0.0', '::', '10.0.0.1', '128.0.0.1']) assert.not(isLoopback(name))
})

test('beyond loopback it does not start without a token', () => {
	assert.is(httpSettings(undefined, undefined), undefined)
	assert.is(httpSettings('127.0.0.1:8080', undefined)?.token, undefined)
	for (const address of ['0.0.0.0:8080', '10.0.0.1:80', '[::]:80']) {
		assert.throws(() => httpSettings(address, undefined), /--http-token-file FILE/)
	}
	assert.throws(() => httpSettings('nowhere', undefined), /127\.0\.0\.1:8080/)
	assert.throws(() => httpSettings(undefined, 'file'), /--http, which is missing/)
	const file = tokenFile(`${token}\nanything\n`, 0o600)
	assert.is(httpSettings('0.0.0.0:8080', file)?.token, token)
})

test('a token that others could read or guess is refused', () => {
	assert.equal(readToken(tokenFile(`${token}\n`, 0o400)), { token })
	const refused = (file: string) => {
		const read = readToken(file)
		return 'refused' in read ? read.refused : ''
	}
	assert.match(refused(tokenFile(token, 0o640)), /mode 640.*chmod 600/)
	assert.match(refused(tokenFile(token, 0o604)), /mode 604/)
	assert.match(refused(tokenFile('short', 0o600)), /at least 16 characters/)
	assert.match(refused(tokenFile('sixteen or more characters', 0o600)), /A-Z a-z/)
	assert.match(refused(join(folder, 'none')), /cannot be read/)
	assert.not(refused(tokenFile('secret!', 0o600)).includes('secret!'), 'a token is never shown')
})

test('with a token everything that tells something needs it', async () => {
	const { app } = testServer({ token })
	const asked = (headers: Record<string, string>, url = '/api/v1/relay') =>
		app.inject({ url, headers: { host: 'relay.example.org', ...headers } })
	const none = await asked({})
	assert.is(none.statusCode, 401)
	assert.is(none.headers['www-authenticate'], 'Bearer realm="radledger"')
	assert.match(none.headers['content-type'] as string, /^application\/problem\+json/)
	for (const wrong of [
		'Bearer x',
		`Basic ${token}`,
		`Bearer ${token}x`,
		`Bearer x ${token}`,
		token,
	]) {
		assert.is((await asked({ authorization: wrong })).statusCode, 401, wrong)
	}
	assert.is((await asked({ authorization: `Bearer ${token}` })).statusCode, 200)
	assert.is((await asked({ authorization: `bearer ${token}` })).statusCode, 200)
	for (const url of ['/metrics', '/openapi.json', '/api/v1/events/live', '/nothing']) {
		assert.is((await asked({}, url)).statusCode, 401, url)
	}
	for (const url of ['/healthz', '/readyz']) assert.is((await asked({}, url)).statusCode, 200, url)
	await app.close()
})

test('why it is not ready is told to those with the token only', async () => {
	const readiness = async () => ({ ready: false, reasons: ['Server 192.0.2.20 is down.'] })
	const { app } = testServer({ token, guard: newGuard(token), readiness })
	const asked = async (headers: Record<string, string>) => {
		const reply = await app.inject({ url: '/readyz', headers: { host, ...headers } })
		assert.is(reply.statusCode, 503)
		return reply.body
	}
	assert.not.match(await asked({}), /192\.0\.2\.20/)
	assert.match(await asked({ authorization: `Bearer ${token}` }), /192\.0\.2\.20 is down/)
})

test('without a token only requests that name this machine are answered', async () => {
	const { app } = testServer()
	const asked = async (name: string) =>
		(await app.inject({ url: '/healthz', headers: { host: name } })).statusCode
	for (const name of ['localhost', 'LOCALHOST:9', '127.0.0.1:8080', '127.9.9.9', '[::1]:80']) {
		assert.is(await asked(name), 200, name)
	}
	for (const name of [
		'evil.example',
		'127.0.0.1.evil.example',
		'localhost.evil.example',
		'10.0.0.1',
	]) {
		assert.is(await asked(name), 421, name)
	}
	await app.close()
})

test('refusals are counted', () => {
	const guard = newGuard(token)
	assert.ok(guard.refusal({ host }, false))
	assert.is(guard.refusal({ host }, true), undefined)
	assert.is(guard.counts.unauthorized, 1)
})

test('only the own page and programs may set a baseline', async () => {
	const { app, baselines } = testServer()
	const post = async (headers: Record<string, string>, payload: unknown = { scope: 'radius' }) => {
		const { statusCode } = await app.inject({
			method: 'POST',
			url: '/api/v1/baselines',
			headers: { host, 'content-type': 'application/json', ...headers },
			payload: payload as object,
		})
		return statusCode
	}
	assert.is(await post({}), 204)
	assert.is(await post({ origin: `http://${host}`, 'sec-fetch-site': 'same-origin' }), 204)
	assert.is(await post({ origin: 'http://evil.example' }), 403)
	assert.is(await post({ origin: 'null' }), 403)
	assert.is(await post({ 'sec-fetch-site': 'same-site' }), 403)
	assert.is(await post({ 'sec-fetch-site': 'cross-site' }), 403)
	// What a form of another site can send without asking first.
	assert.is(await post({ 'content-type': 'text/plain' }, '{"scope":"radius"}' as never), 415)
	assert.is(await post({}, { scope: 'everything' }), 400)
	assert.is(await post({}, { scope: 'radius', more: 1 }), 400)
	assert.is(await post({}, { scope: 'radius', virtualRouter: 'none' }), 409)
	assert.is(await post({}, { scope: 'radius', virtualRouter: 'x'.repeat(20_000) }), 413)
	assert.equal(baselines.length, 3)
	await app.close()
})

test('every answer has the headers that keep a browser from doing more than it should', async () => {
	const { app } = testServer()
	for (const url of ['/healthz', '/api/v1/relay', '/nothing', '/api/v1/relay?x=1']) {
		const { headers } = await app.inject({ url, headers: { host } })
		assert.match(headers['content-security-policy'] as string, /default-src 'none'/)
		assert.is(headers['x-content-type-options'], 'nosniff', url)
		assert.is(headers['referrer-policy'], 'no-referrer')
		assert.is(headers['access-control-allow-origin'], undefined)
		assert.match(headers['cache-control'] as string, /no-store|no-cache/)
	}
	await app.close()
})

test('what does not exist, and what another method does, is said as a problem', async () => {
	const { app } = testServer()
	const none = await app.inject({ url: '/api/v1/nothing', headers: { host } })
	assert.is(none.statusCode, 404)
	assert.is(none.json().type, 'urn:radledger:problem:not-found')
	const wrong = await app.inject({ method: 'DELETE', url: '/api/v1/relay', headers: { host } })
	assert.is(wrong.statusCode, 405)
	assert.match(wrong.json().detail, /takes GET only/)
	const head = await app.inject({ method: 'HEAD', url: '/api/v1/relay', headers: { host } })
	assert.is(head.statusCode, 200)
	assert.is(head.body, '')
	await app.close()
})

test('a method that does nothing says which one does', async () => {
	const { app } = testServer()
	for (const [method, url, allow] of [
		['DELETE', '/api/v1/sessions', 'GET, HEAD'],
		['GET', '/api/v1/baselines', 'POST'],
		['HEAD', '/api/v1/events/live', 'GET'],
	] as const) {
		const reply = await app.inject({ method, url, headers })
		assert.is(reply.statusCode, 405, url)
		assert.is(reply.headers['allow'], allow, url)
	}
})

test('what cannot be read is refused as everything else is', async () => {
	const { app } = testServer()
	await app.listen({ host: '127.0.0.1', port: 0 })
	const { port } = app.server.address() as AddressInfo
	const get = (path: string) => `GET ${path} HTTP/1.1\r\nHost: localhost\r\n`
	const long = 'a'.repeat(20_000)
	for (const [request, status, kind] of [
		[`${get('/api/v1/%zz')}\r\n`, 400, 'invalid-request'],
		[`${get('/api/v1/subscribers/%ff')}\r\n`, 400, 'invalid-request'],
		[`${get(`/api/v1/subscribers/${long.slice(0, 300)}`)}\r\n`, 400, 'invalid-request'],
		[`${get(`/api/v1/sessions?user=${long}`)}\r\n`, 431, 'headers-too-large'],
		[`${get('/')}no colon here\r\n\r\n`, 400, 'invalid-request'],
		[`\u0016\u0003\u0001 hello`, 400, 'invalid-request'],
	] as const) {
		const answer = await sent(port, request)
		const [head = '', body = ''] = answer.split('\r\n\r\n')
		assert.match(head, new RegExp(`^HTTP/1.1 ${status} `), request.slice(0, 60))
		assert.match(head, /content-type: application\/problem\+json/i)
		assert.match(head, /content-security-policy: default-src 'none'/i)
		assert.is(JSON.parse(body).type, `urn:radledger:problem:${kind}`)
		assert.ok(JSON.parse(body).detail.length > 20)
	}
	await app.close()
})

/** All that comes back for some octets. */
function sent(port: number, octets: string): Promise<string> {
	return new Promise((resolve, reject) => {
		let text = ''
		const socket = connect(port, '127.0.0.1', () => socket.end(octets, 'latin1'))
		socket.setEncoding('utf8')
		socket.on('data', chunk => {
			text += chunk
		})
		socket.on('close', () => resolve(text)).on('error', reject)
	})
}

test('a body that is no JSON is told how to be one', async () => {
	const { app } = testServer()
	const form = { ...headers, 'content-type': 'application/x-www-form-urlencoded' }
	const url = '/api/v1/baselines'
	const reply = await app.inject({ method: 'POST', url, headers: form, payload: 'scope=radius' })
	assert.is(reply.statusCode, 415)
	assert.match(reply.json().detail, /Content-Type: application\/json/)
})

test('more requests at once than may be are turned away, and room comes back', async () => {
	const waiting = Promise.withResolvers<void>()
	const { app } = testServer({
		requestsAtMost: 2,
		history: {
			async ask() {
				await waiting.promise
				return { kind: 'text', body: '', etag: '""', next: null, position: 0 }
			},
		},
	})
	const ask = () => app.inject({ url: '/api/v1/events', headers: { host } })
	const first = [ask(), ask()]
	await new Promise(resolve => setImmediate(resolve))
	const third = await ask()
	assert.is(third.statusCode, 503)
	assert.is(third.headers['retry-after'], '1')
	waiting.resolve()
	assert.equal(
		(await Promise.all(first)).map(reply => reply.statusCode),
		[200, 200],
	)
	assert.is((await ask()).statusCode, 200)
	await app.close()
})

test('a client that leaves takes no room from others', async () => {
	const waiting = Promise.withResolvers<void>()
	const { app } = testServer({
		requestsAtMost: 1,
		history: {
			async ask() {
				await waiting.promise
				return { kind: 'text', body: 'x', etag: '""', next: null, position: 0 }
			},
		},
	})
	await app.listen({ port: 0, host: '127.0.0.1' })
	const { port } = app.server.address() as { port: number }
	const socket = connect(port, '127.0.0.1')
	socket.write('GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\n\r\n')
	await new Promise(resolve => app.server.once('request', resolve))
	socket.destroy()
	for (let status = 503, tries = 0; status === 503; tries++) {
		assert.ok(tries < 2_000, 'the room never came back')
		await new Promise(resolve => setImmediate(resolve))
		status = (await app.inject({ url: '/healthz', headers: { host } })).statusCode
	}
	waiting.resolve()
	await app.close()
})

test('our own faults say nothing of what is inside, and are reported', async () => {
	const { app, troubles } = testServer({
		history: { ask: async () => ({ kind: 'error', error: 'Error: secret of the inside' }) },
	})
	const reply = await app.inject({ url: '/api/v1/events', headers: { host } })
	assert.is(reply.statusCode, 500)
	assert.not(reply.body.includes('secret'))
	assert.equal(troubles, ['Error: secret of the inside'])
	await app.close()
})

test('files of the page are kept for ever by their hash, asked for each time otherwise', async () => {
	writeFileSync(join(folder, 'index.html'), '<!doctype html>')
	writeFileSync(join(folder, 'main.0123abcd.js'), '1')
	writeFileSync(join(folder, 'notes.txt'), 'not part of it')
	const { app } = testServer({ token, page: openPage(folder) })
	const get = (url: string, headers = {}) => app.inject({ url, headers: { host, ...headers } })
	const page = await get('/')
	assert.is(page.statusCode, 200)
	assert.is(page.headers['content-type'], 'text/html; charset=utf-8')
	assert.is(page.headers['cache-control'], 'no-cache')
	assert.is((await get('/', { 'if-none-match': page.headers.etag })).statusCode, 304)
	const script = await get('/main.0123abcd.js')
	assert.match(script.headers['cache-control'] as string, /immutable/)
	assert.is((await get('/notes.txt')).statusCode, 401)
	assert.is((await get('/../package.json')).statusCode, 401)
	await app.close()
})

test.run()
