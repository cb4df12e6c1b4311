/** The HTTP API of a running relay, with traffic: what it says is what the shell and the journal say. */
import { chmodSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { freePorts } from '../../infra/free-ports.ts'
import { type HomeServer, startHomeServer } from './home-server.ts'
import { startLoad } from './load.ts'
import { aloud, canRun, endAll, run, temporaryFolder, until } from './processes.ts'
import { type RelayProcess, startRelay, upstreamSecret, wapSecret } from './relay-process.ts'

type Row = Record<string, string | number | null>
type Page = { readonly items: Row[]; readonly next: string | null }

let home: HomeServer
let relay: RelayProcess
let address: string

const root = join(import.meta.dirname, '../..')

test.before(
	aloud(async () => {
		home = await startHomeServer(upstreamSecret)
		const [port] = (await freePorts(1)) as [number]
		address = `http://127.0.0.1:${port}`
		const server = { address: '127.0.0.1', authentication: home.port, accounting: home.port }
		const flags = ['--http', `127.0.0.1:${port}`]
		relay = await startRelay({ servers: [server], flags })
	}),
)
test.after(endAll)

async function get(path: string): Promise<Row[]> {
	const response = await fetch(address + path)
	const body = await response.text()
	assert.is(response.status, 200, `${path}: ${body}`)
	return JSON.parse(body).items
}

/** Every row of every page. */
async function all(path: string): Promise<Row[]> {
	const rows: Row[] = []
	for (let next: string | null = path; next !== null; ) {
		const page = (await (await fetch(address + next)).json()) as Page
		rows.push(...page.items)
		next = page.next
	}
	return rows
}

/** Positions of live events until `enough` of them; the connection is closed then. */
async function follow(after: number | undefined, enough: number): Promise<number[]> {
	const stop = new AbortController()
	const response = await fetch(`${address}/api/v1/events/live`, {
		signal: stop.signal,
		headers: after === undefined ? {} : { 'last-event-id': String(after) },
	})
	assert.is(response.status, 200)
	const positions: number[] = []
	let rest = ''
	for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
		rest += chunk
		const messages = rest.split('\n\n')
		rest = messages.pop()!
		for (const message of messages) {
			const data = /^data: (.*)$/m.exec(message)?.[1]
			if (data === undefined || message.startsWith('event:')) continue
			positions.push((JSON.parse(data) as { position: number }).position)
		}
		if (positions.length >= enough) break
	}
	stop.abort()
	return positions
}

async function settled(): Promise<number> {
	const position = relay.events().length
	await until('the read models are there', 20_000, async () => {
		const response = await fetch(`${address}/api/v1/sessions?limit=1`)
		return response.ok && Number(response.headers.get('radledger-position')) >= position
	})
	return position
}

test('who was let in is who is shown, and nobody else', async () => {
	const load = await startLoad(relay, wapSecret, 8)
	await load.answers(300)
	load.stop()
	await until('every answer is in', 5000, async () => {
		return (await relay.figure('authentication', 'Pending Requests')) === 0
	})
	await settled()
	const sessions = await all('/api/v1/sessions?state=live&limit=50')
	const users = new Set(sessions.map(row => row['user']))
	for (const n of load.accepted) assert.ok(users.has(`user${n}`), `user${n}`)
	const shown = (await relay.exec('show subscribers')).match(/Subscribers: (\d+)/)?.[1]
	assert.is(String(sessions.length), shown)
	const attempts = await all('/api/v1/attempts?outcome=accepted&limit=100')
	assert.is(attempts.length, await relay.figure('authentication', 'Access Accepts'))
})

test('statistics are those of the shell, and a baseline is one of the shell', async () => {
	const accepts = async () =>
		(await get('/api/v1/statistics?service=authentication')).find(
			row => row['statistic'] === 'accepts',
		)!
	const before = await accepts()
	assert.is(before['total'], await relay.figure('authentication', 'Access Accepts'))
	assert.is(before['baselineAt'], null)
	const posted = await fetch(`${address}/api/v1/baselines`, {
		method: 'POST',
		headers: { 'content-type': 'application/json' },
		body: '{"scope":"radius relay"}',
	})
	assert.is(posted.status, 204)
	const after = await accepts()
	assert.equal([after['total'], after['delta']], [before['total'], 0])
	assert.match(await relay.exec('show radius relay statistics delta'), /baseline set \w{3} /)
	assert.is(relay.events('BaselineSet').length, 1)
	const then = await get(`/api/v1/statistics?service=authentication&at=${Date.now()}`)
	await settled()
	assert.is(then.find(row => row['statistic'] === 'accepts')?.['total'], before['total'])
})

test('the seal covers what was recorded', async () => {
	await until('everything is sealed', 20_000, async () => {
		const response = await fetch(`${address}/api/v1/integrity`)
		const { state, sealed, signed, position } = (await response.json()) as Row
		const whole = state === 'sealed' || state === 'signed'
		return whole && Number(sealed) >= Number(position) && Number(signed) > 0
	})
	const { key } = (await (await fetch(`${address}/api/v1/integrity`)).json()) as Row
	assert.match(String(key), /\+/)
})

test('metrics and readiness', async () => {
	const text = await (await fetch(`${address}/metrics`)).text()
	const value = (name: string) =>
		Number(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, 'm').exec(text)?.[1])
	const accepts = await relay.figure('authentication', 'Access Accepts')
	assert.is(value('radledger_relay_accepts_total'), accepts)
	assert.ok(value('radledger_journal_commit_duration_seconds_count') > 10)
	assert.ok(value('process_cpu_seconds_total') > 0)
	await until('it is ready', 10_000, async () => (await fetch(`${address}/readyz`)).ok)
	assert.is(await (await fetch(`${address}/healthz`)).text(), 'ok\n')
})

test('live events miss none and repeat none, also across connections and a restart', async () => {
	const begin = Number((await get('/api/v1/events?order=newest&limit=1'))[0]!['position'])
	const load = await startLoad(relay, wapSecret, 4)
	const first = await follow(begin, 100)
	const second = await follow(first.at(-1)!, 100)
	load.stop()
	await relay.stop()
	await relay.restart()
	const third = await follow(second.at(-1)!, 1)
	const seen = [...first, ...second, ...third]
	assert.equal(
		seen,
		seen.map((_, i) => begin + 1 + i),
	)
})

test('while the API is asked all the time, every request is answered', async () => {
	let asked = 0
	let going = true
	const paths = [
		...['/api/v1/sessions?state=live&limit=1000', '/api/v1/attempts?limit=500&format=csv'],
		...['/metrics', '/api/v1/events?order=newest&limit=500', '/api/v1/statistics'],
	]
	const analyst = async (path: string) => {
		while (going) {
			const response = await fetch(address + path)
			assert.is(response.status, 200, path)
			await response.arrayBuffer()
			asked++
		}
	}
	const analysts = paths.map(analyst)
	const load = await startLoad(relay, wapSecret, 8)
	await load.answers(1000)
	load.stop()
	going = false
	await Promise.all(analysts)
	assert.ok(load.accepted.size + load.accounted.size >= 1000)
	assert.ok(asked >= paths.length)
})

test('the journal of an idle relay is what the API has, event by event', async () => {
	const position = await settled()
	const events = await all('/api/v1/events?limit=1000')
	const recorded = relay.events()
	assert.is(events.length, recorded.length)
	assert.is(events.length, position)
	assert.equal(
		events.map(({ position, stream, type, data }) => ({ position, stream, type, data })),
		recorded.map(({ position, stream, type, data }) => ({ position, stream, type, data })),
	)
})

if (canRun('the README about HTTP', 'curl')) {
	test('the README’s examples work as printed', async () => {
		const readme = readFileSync(join(root, 'README.md'), 'utf8')
		const section = readme.split('## Analysts: over HTTP')[1]!.split('\n## ')[0]!
		const block = /```sh\n([\s\S]*?)```/.exec(section)![1]!
		const commands = block.split('\n').filter(line => line.startsWith('curl '))
		assert.ok(commands.length >= 9)
		for (const printed of commands) {
			const command = printed.replaceAll('http://127.0.0.1:8080', address)
			// One that follows events would never end by itself.
			const endless = command.includes('/events/live')
			const limit = endless ? '--max-time 2' : '--fail-with-body --max-time 10'
			const { code, output } = await run('sh', ['-c', command.replace('curl', `curl ${limit}`)])
			assert.is(code, endless ? 28 : 0, `${printed}\n${output}`)
			const silent = endless || command.includes('-d ')
			assert.ok(silent || output.length > 10, printed)
		}
	})
}

test('with a token nobody is answered without it', async () => {
	const file = join(temporaryFolder('token'), 'token')
	writeFileSync(file, 'the-token-of-this-test\n')
	chmodSync(file, 0o600)
	const [port] = (await freePorts(1)) as [number]
	const server = { address: '127.0.0.1', authentication: home.port, accounting: home.port }
	const flags = ['--http', `0.0.0.0:${port}`, '--http-token-file', file]
	const guarded = await startRelay({ servers: [server], flags })
	const url = `http://127.0.0.1:${port}/api/v1/relay`
	assert.is((await fetch(url)).status, 401)
	const authorization = 'Bearer the-token-of-this-test'
	assert.is((await fetch(url, { headers: { authorization } })).status, 200)
	assert.not(guarded.log().includes('the-token-of-this-test'))
	await guarded.stop()
})

test('what cannot be listened on is said, and the relay does not run without it', async () => {
	const main = join(root, 'src/main.ts')
	const serve = (...flags: string[]) =>
		run(process.execPath, [
			...[main, 'serve', '--config', relay.config, '--data', temporaryFolder('refused')],
			...flags,
		])
	const open = await serve('--http', '0.0.0.0:8080')
	assert.is(open.code, 1)
	assert.match(open.output, /--http-token-file FILE with a token in its first line/)
	await relay.stop()
	const { port } = new URL(address)
	const { createServer } = await import('node:net')
	const taken = createServer()
	await new Promise<void>(resolve => taken.listen(Number(port), '127.0.0.1', resolve))
	const busy = await serve('--http', `127.0.0.1:${port}`)
	taken.close()
	assert.is(busy.code, 1)
	assert.match(busy.output, /cannot be listened on.*EADDRINUSE.*Name another port/s)
})

test.run()
