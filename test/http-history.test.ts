/** The HTTP API's answers about history, against what the rules of the relay say themselves. */

import { mkdtempSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { statisticsSubjects } from '../adapters/http/live.ts'
import { openApiDocument } from '../adapters/http/openapi.ts'
import { rowRoutes } from '../adapters/http/routes.ts'
import { openJournal } from '../adapters/journal/journal.ts'
import { openReader } from '../adapters/journal/reader.ts'
import { viewsFile } from '../adapters/views/database.ts'
import { formatIpv4 } from '../domain/address.ts'
import { type NewEvent, type RecordedEvent, subscriberStream } from '../domain/event.ts'
import { everyLease } from '../domain/lease-state.ts'
import { evolve, initialState, type State } from '../domain/state.ts'
import { allStatistics, statisticsRows } from '../projections/all-statistics.ts'
import { openHistory } from '../src/http-history.ts'
import { testServer } from './http-server.ts'
import { followed, lifeEvents } from './view-database.ts'

const folder = mkdtempSync(join(tmpdir(), 'radledger-history-'))
process.on('exit', () => rmSync(folder, { recursive: true, force: true }))

const headers = { host: 'localhost' }
const made = lifeEvents(4000)
const writer = openJournal({ folder })
writer.append(made.slice(0, 3000))
followed(writer, viewsFile(folder))
const events = writer.read(1, 3000)
const end = events.at(-1)!.at
let clockMs = 0
const history = openHistory({
	folder,
	horizon: undefined,
	limitMs: 1000,
	clock: () => clockMs,
	now: () => end + 1,
})
const { app } = testServer({ history: { ask: async question => history.answer(question) } })

type Row = Record<string, string | number | boolean | null>

async function get(url: string): Promise<Row[]> {
	const reply = await app.inject({ url, headers })
	assert.is(reply.statusCode, 200, `${url}: ${reply.body}`)
	const body = reply.json() as { items: Row[]; next: string | null }
	return body.items
}

async function everyPage(url: string, between?: () => void): Promise<Row[]> {
	const found: Row[] = []
	for (let next: string | null = url; next !== null; ) {
		const reply = await app.inject({ url: next, headers })
		assert.is(reply.statusCode, 200, reply.body)
		const page = reply.json() as { items: Row[]; next: string | null }
		found.push(...page.items)
		next = page.next
		between?.()
	}
	return found
}

function stateAt(at: number): State {
	const state = initialState()
	for (const event of events) if (event.at <= at) evolve(state, event as RecordedEvent)
	return state
}

/** Instants in the middle of what happened, and just when something did. */
const instants = [events[400]!.at, events[900]!.at + 1, events[1700]!.at, events[2999]!.at]

test('sessions at an instant are those of the state folded up to it', async () => {
	for (const at of instants) {
		const sessions = [...stateAt(at).routers].flatMap(([vr, { sessions }]) =>
			[...sessions.values()].map(({ mac, wap, since }) => `${vr} ${mac} ${wap} ${since}`),
		)
		assert.ok(sessions.length > 0)
		const rows = await get(`/api/v1/sessions?at=${at}&limit=10000`)
		const found = rows.map(
			row =>
				`${row['virtualRouter']} ${row['mac']} ${row['wap']} ${Date.parse(String(row['beganAt']))}`,
		)
		assert.equal(found.sort(), sessions.sort(), `at ${at}`)
		assert.ok(rows.every(row => row['state'] === 'live' && row['endedAt'] === null))
	}
	const live = await get('/api/v1/sessions?state=live&limit=10000')
	const now = await get(`/api/v1/sessions?at=${end}&limit=10000`)
	assert.equal(
		live.map(row => row['id']),
		now.map(row => row['id']),
	)
})

test('leases at an instant are those of the state folded up to it', async () => {
	for (const at of instants) {
		const state = stateAt(at)
		const leases = [...state.routers].flatMap(([vr, { leases }]) =>
			[...everyLease(leases)]
				.filter(({ status }) => status === 'bound')
				.map(({ address, mac, pool }) => `${vr} ${formatIpv4(address)} ${mac} ${pool}`),
		)
		const rows = await get(`/api/v1/leases?at=${at}&limit=10000`)
		const found = rows.map(
			row => `${row['virtualRouter']} ${row['address']} ${row['mac']} ${row['pool']}`,
		)
		assert.equal(found.sort(), leases.sort(), `at ${at}`)
		const pools = await get(`/api/v1/pools?at=${at}`)
		assert.is(
			pools.reduce((sum, row) => sum + Number(row['bound']), 0),
			leases.length,
		)
	}
	assert.ok((await get(`/api/v1/leases?at=${end}`)).length > 0, 'somebody has an address')
})

test('who held an address then is one question', async () => {
	const [lease] = await get('/api/v1/leases?state=ended&limit=1')
	const granted = Date.parse(String(lease!['grantedAt']))
	const ended = Date.parse(String(lease!['endedAt']))
	const holder = async (at: number) =>
		(await get(`/api/v1/leases?address=${lease!['address']}&at=${at}`)).map(row => row['id'])
	assert.equal(await holder(granted), [lease!['id']])
	assert.equal(await holder(ended - 1), [lease!['id']])
	assert.not((await holder(ended)).includes(lease!['id']!))
	assert.not((await holder(granted - 1)).includes(lease!['id']!))
})

test('statistics of every kind at an instant are folded up to it', async () => {
	let counted = 0
	for (const at of instants) {
		let state = allStatistics.initial()
		for (const [index, event] of events.entries()) {
			const placed = { ...event, position: index + 1 } as RecordedEvent
			if (event.at <= at) state = allStatistics.fold(state, placed)
		}
		for (const of of statisticsSubjects) {
			const rows = await get(`/api/v1/statistics?of=${of}&at=${at}&limit=10000`)
			assert.equal(
				rows.map(row => [
					row['peer'],
					row['service'],
					row['statistic'],
					row['total'],
					row['delta'],
				]),
				statisticsRows(state, of, {}).map(({ peer, service, statistic, total, delta }) => [
					...[peer, service, statistic, total, delta],
				]),
			)
			if (rows.some(({ total }) => Number(total) > 0)) counted++
		}
	}
	// These events have no dynamic requests.
	assert.ok(counted >= 3 * (instants.length - 1), `${counted}`)
})

test('pages of any size make up the whole, also while the history grows', async () => {
	const routes = ['sessions', 'attempts', 'leases', 'subscribers', 'accounting-domains'] as const
	const whole = new Map<string, (string | number | boolean | null | undefined)[]>()
	for (const name of routes) {
		const rows = await get(`/api/v1/${name}?limit=10000`)
		assert.ok(rows.length > 10, name)
		const ids = rows.map(row => row['id'])
		whole.set(name, ids)
		assert.equal(
			(await everyPage(`/api/v1/${name}?limit=7`)).map(row => row['id']),
			ids,
			name,
		)
	}
	let grown = 3000
	for (const name of routes) {
		const before = (await get(`/api/v1/${name}?limit=10000`)).map(row => row['id'])
		const pages = await everyPage(`/api/v1/${name}?limit=${Math.ceil(before.length / 3)}`, () => {
			if (grown + 50 > made.length) return
			writer.append(made.slice(grown, grown + 50))
			grown += 50
			followed(writer, viewsFile(folder))
		})
		assert.equal(
			pages.map(row => row['id']),
			before,
			`${name}: neither again nor skipped`,
		)
	}
	assert.ok(grown > 3000)
	const intervals = await everyPage('/api/v1/statistics/series?from=0&step=1440&limit=1')
	assert.equal(intervals, await get('/api/v1/statistics/series?from=0&step=1440&limit=100'))
})

test('filters give what they say and nothing else', async () => {
	const some = (await get('/api/v1/sessions?limit=10000')).find(
		row => row['user'] !== null && row['address'] !== null && row['state'] === 'ended',
	)!
	const { mac, user, wap, address, virtualRouter } = some as Record<string, string>
	const begin = Date.parse(String(some['beganAt']))
	const over = Date.parse(String(some['endedAt']))
	const has = async (filter: string) =>
		(await get(`/api/v1/sessions?limit=10000&${filter}`)).some(row => row['id'] === some['id'])
	const enc = encodeURIComponent
	for (const filter of [
		...[`mac=${mac}`, `mac=${mac!.toLowerCase().replaceAll('-', ':')}`, `user=${enc(user!)}`],
		...[`wap=${wap}`, `address=${address}`, `vr=${virtualRouter}`, 'state=ended', 'state=all'],
		...[`from=${begin}&to=${begin + 1}`, `at=${begin}`, `at=${over - 1}`, `from=${over - 1}`],
		...[`wap=${wap}&at=${over - 1}`, `user=${enc(user!.toUpperCase())}`],
	]) {
		assert.ok(await has(filter), filter)
	}
	for (const filter of [
		...['mac=020000FFFFFF', 'user=nobody', 'wap=nowhere', 'address=192.0.2.1', 'vr=other'],
		...['state=live', `to=${begin}`, `from=${over}`, `at=${over}`, `at=${begin - 1}`],
	]) {
		assert.not(await has(filter), filter)
	}
	for (const row of await get('/api/v1/attempts?outcome=rejected,unanswered&limit=1000')) {
		assert.ok(['rejected', 'unanswered'].includes(String(row['outcome'])))
	}
	const hour = end - 3_600_000
	const attempts = await get('/api/v1/attempts?limit=10000')
	const recent = attempts.filter(row => Date.parse(String(row['beganAt'])) >= hour)
	assert.ok(recent.length > 0 && recent.length < attempts.length)
	assert.equal(
		(await get(`/api/v1/attempts?from=${hour}&limit=10000`)).map(row => row['id']),
		recent.map(row => row['id']),
	)
})

test('a subscriber is found by whatever people know', async () => {
	const [some] = (await get('/api/v1/sessions?limit=1000')).filter(row => row['address'] !== null)
	const { mac, user, wap, address } = some as Record<string, string>
	for (const q of [
		mac!.slice(0, 14),
		mac!.toLowerCase().replaceAll('-', ':'),
		mac!
			.replaceAll('-', '')
			.toLowerCase()
			.replace(/....(?=.)/g, '$&.')
			.slice(0, 12),
		user!,
		user!.toUpperCase(),
		address!,
		wap!,
	]) {
		const found = await get(`/api/v1/subscribers?limit=1000&q=${encodeURIComponent(q)}`)
		assert.ok(
			found.some(row => row['mac'] === mac),
			q,
		)
	}
	assert.equal(await get('/api/v1/subscribers?q=%25'), [])
	const begin = mac!.slice(0, 5).replace('-', '.').replaceAll('0', '')
	assert.equal(await get(`/api/v1/subscribers?q=${begin}`), [], 'part of an address, and no MAC')
})

test('an address is found that nobody leased, but access points accounted for', async () => {
	const own = mkdtempSync(join(tmpdir(), 'radledger-framed-'))
	const stored = openJournal({ folder: own })
	const mac = '02-00-00-00-00-77'
	const stream = subscriberStream('default', mac)
	const wap = { wap: '02-00-00-00-AA-01', client: '192.0.2.1', server: '192.0.2.20' }
	const data = { session: 'a', mac, user: 'framed', framedAddress: '198.51.100.7', ...wap }
	const event = { stream, type: 'AccountingStarted', v: 1, at: 1_800_000_000_000, data }
	stored.append([event as unknown as NewEvent])
	stored.close()
	followed(openReader(own), viewsFile(own))
	const history = openHistory({
		...{ folder: own, horizon: undefined, limitMs: 5000 },
		...{ clock: () => performance.now(), now: Date.now },
	})
	const server = testServer({ history: { ask: async question => history.answer(question) } })
	for (const query of ['address=198.51.100.7', 'q=198.51.100.7']) {
		const reply = await server.app.inject({ url: `/api/v1/subscribers?${query}`, headers })
		assert.is(reply.json().items[0]?.mac, mac, query)
	}
	const other = await server.app.inject({ url: '/api/v1/subscribers?q=198.51.100', headers })
	assert.equal(other.json().items, [])
	history.close()
	rmSync(own, { recursive: true })
})

test('names are found as people spell them, and by an index, however many there are', async () => {
	const [some] = (await get('/api/v1/sessions?limit=1000')).filter(row => row['user'] !== null)
	const { user } = some as Record<string, string>
	const odd = encodeURIComponent(`${user!.slice(0, 1)}${user!.slice(1).toUpperCase()}`)
	for (const list of ['sessions', 'attempts', 'accounting-domains', 'subscribers']) {
		const same = await get(`/api/v1/${list}?limit=1000&user=${encodeURIComponent(user!)}`)
		assert.ok(same.length > 0, list)
		assert.equal(await get(`/api/v1/${list}?limit=1000&user=${odd}`), same, list)
	}
	const like = odd.slice(0, -3)
	assert.ok((await get(`/api/v1/subscribers?limit=1000&q=${like}`)).length > 0, 'a mixed beginning')
	const db = new DatabaseSync(viewsFile(folder), { readOnly: true })
	for (const [table, condition] of [
		['session', 'user COLLATE NOCASE = ?'],
		['attempt', 'user COLLATE NOCASE = ?'],
		['session', 'user COLLATE NOCASE >= ? AND user COLLATE NOCASE < ?'],
		['attempt', 'user COLLATE NOCASE >= ? AND user COLLATE NOCASE < ?'],
		['session', '(framed_address = ? OR id IN (SELECT session FROM lease WHERE address = ?))'],
	]) {
		const plan = db.prepare(`EXPLAIN QUERY PLAN SELECT mac FROM ${table} WHERE ${condition}`).all()
		assert.not.match(JSON.stringify(plan), /SCAN (session|attempt)/, `${table}: ${condition}`)
	}
	db.close()
})

test('one subscriber: everything at an instant, with what had been counted by then', async () => {
	const counted = (await get('/api/v1/accounting-domains?domain=wap&limit=1000')).find(
		row => Number(row['updates']) > 1,
	)!
	const { mac, id } = counted as { mac: string; id: number }
	const all = writer.read(1, 100_000)
	const own = all.filter(
		event => event.type === 'AccountingUpdated' && event.data.mac === mac && event.position > id,
	) as Extract<RecordedEvent, { type: 'AccountingUpdated' }>[]
	const [first, second] = own
	const reply = await app.inject({ url: `/api/v1/subscribers/${mac}?at=${first!.at}`, headers })
	const state = reply.json()
	assert.is(state.at, new Date(first!.at).toISOString())
	assert.is(state.live.mac, mac)
	const row = state.accounting.find((one: Row) => one['id'] === id)
	assert.is(row.inputOctets, Number(first!.data.inputOctets))
	assert.is(row.updates, 1)
	assert.is(row.endedAt, null)
	assert.ok(second!.at > first!.at)
	const line = await everyPage(`/api/v1/subscribers/${mac}/timeline?limit=5`)
	const expected = all.filter(({ stream }) => stream === `subscriber-default.${mac}`)
	assert.equal(
		line.map(event => event['position']),
		expected.map(({ position }) => position),
	)
	const unknown = await app.inject({ url: '/api/v1/subscribers/02FFFFFFFFFF', headers })
	assert.is(unknown.statusCode, 404)
	assert.match(unknown.json().detail, /another virtual router is named with vr/)
})

test('at an instant the state is that of then', async () => {
	const [over] = await get('/api/v1/sessions?state=ended&limit=1')
	const at = Date.parse(String(over!['endedAt'])) - 1
	const live = await get(`/api/v1/sessions?state=live&at=${at}&limit=1000`)
	assert.ok(live.some(row => row['id'] === over!['id']))
	assert.equal(live, await get(`/api/v1/sessions?at=${at}&limit=1000`))
	const leases = await get('/api/v1/leases?state=ended&limit=1000')
	const given = leases.find(row => row['grantedAt'] !== null)!
	const then = Date.parse(String(given['grantedAt']))
	const bound = await get(`/api/v1/leases?state=bound&at=${then}&limit=1000`)
	assert.ok(bound.some(row => row['id'] === given['id']))
	const before = Date.parse(String(given['grantedAt'])) - 1
	const holders = async (instant: number) =>
		(await get(`/api/v1/sessions?address=${given['address']}&at=${instant}`)).map(row => row['id'])
	assert.ok((await holders(then)).includes(given['session'] as number))
	assert.not.ok((await holders(before)).includes(given['session'] as number), 'not yet')
	for (const url of [`sessions?state=ended&at=${at}`, `leases?state=offered&at=${at}`]) {
		const reply = await app.inject({ url: `/api/v1/${url}`, headers })
		assert.is(reply.statusCode, 400, url)
		assert.is(reply.json().parameter, 'state')
	}
})

test('at an instant nothing is known that came later', async () => {
	const attempts = await get('/api/v1/attempts?outcome=accepted&limit=1000')
	const some = attempts.find(row => row['endedAt'] !== row['beganAt'])!
	const { mac, beganAt, endedAt } = some as Record<string, string>
	const lastAt = async (at: string | number) =>
		(await app.inject({ url: `/api/v1/subscribers/${mac}?at=${at}`, headers })).json().attempt
	const asked = await lastAt(Date.parse(endedAt!) - 1)
	assert.is(asked.beganAt, beganAt)
	const later = ['outcome', 'reason', 'endedAt', 'durationMs', 'session', 'endPosition', 'serverMs']
	for (const name of later) assert.is(asked[name], null, name)
	assert.equal(await lastAt(endedAt!), some)
	const sessions = await get('/api/v1/sessions?limit=1000')
	const accounted = sessions.find(row => row['accountingSession'] !== null)!
	const [before] = await get(`/api/v1/sessions?mac=${accounted['mac']}&at=${accounted['beganAt']}`)
	assert.is(before!['id'], accounted['id'])
	assert.is(before!['accountingSession'], null, 'accounting had not begun')
})

test('who chose a pool is told, and what SRC was asked', async () => {
	const [some] = await get('/api/v1/pool-decisions?by=src&limit=1')
	assert.is(some!['server'], 'local')
	const asked = writer.read(Number(some!['request']), 1)[0]!
	assert.is(asked.type, 'PoolRequested')
	assert.is(asked.stream, `subscriber-default.${some!['mac']}`)
})

test('the series counts what the events say', async () => {
	const rows = await get(`/api/v1/statistics/series?from=0&to=${2 * end}&step=60&limit=10000`)
	const sum = (name: string) => rows.reduce((total, row) => total + Number(row[name]), 0)
	const all = writer.read(1, 100_000)
	const count = (type: string) => all.filter(event => event.type === type).length
	assert.is(sum('accessAccepts'), count('AccessAccepted'))
	assert.is(sum('leasesGranted'), count('LeaseGranted'))
	const times = rows.map(row => Date.parse(String(row['at'])))
	assert.ok(times.every(at => at % 3_600_000 === 0))
	const refused = await app.inject({ url: '/api/v1/statistics/series?from=10&to=5', headers })
	assert.is(refused.statusCode, 400)
})

test('a query that has had its time is ended, and the next is answered', async () => {
	const before = clockMs
	let calls = 0
	const slow = openHistory({
		folder,
		horizon: undefined,
		limitMs: 1000,
		// Every look at the clock takes a tenth of a second.
		clock: () => (clockMs += calls++ > 0 ? 100 : 0),
		now: Date.now,
	})
	const server = testServer({ history: { ask: async question => slow.answer(question) } })
	const ask = (url: string) => server.app.inject({ url, headers })
	const reply = await ask('/api/v1/attempts?limit=10000')
	assert.is(reply.statusCode, 503, reply.body)
	assert.is(reply.json().type, 'urn:radledger:problem:too-slow')
	assert.match(reply.json().detail, /a smaller limit/)
	assert.is((await ask('/api/v1/attempts?limit=1')).statusCode, 200)
	slow.close()
	await server.app.close()
	clockMs = before
})

test('events that are not on disk yet are in no answer', () => {
	const horizon = new BigInt64Array(new SharedArrayBuffer(8))
	horizon[0] = 10n
	const bounded = openHistory({
		folder,
		horizon,
		limitMs: 1000,
		clock: () => 0,
		now: () => end,
	})
	const question = {
		operation: 'listEvents',
		values: { order: 'newest' },
		limit: 100,
		after: undefined,
		format: 'json' as const,
		address: '/api/v1/events',
	}
	const answer = bounded.answer(question)
	assert.ok(answer.kind === 'text')
	assert.is(JSON.parse(answer.body).items[0].position, 10)
	bounded.close()
})

test('every answer is as the OpenAPI document says', async () => {
	const { default: Ajv } = createRequire(import.meta.url)('ajv/dist/2020.js')
	const ajv = new Ajv({ strict: false, validateFormats: false })
	const document = openApiDocument({ release: '1', routes: rowRoutes, others: [] })
	ajv.addSchema(document, 'document')
	const { mac } = (await get('/api/v1/sessions?limit=1'))[0] as { mac: string }
	for (const route of rowRoutes) {
		const path = route.path.replace('{mac}', mac).replace('{position}', '1')
		for (const at of route.parameters['at'] === undefined ? [''] : ['', `?at=${instants[2]}`]) {
			const reply = await app.inject({ url: `${path}${at}`, headers })
			assert.is(reply.statusCode, 200, `${path}${at}: ${reply.body}`)
			const pointer = `document#/paths/${route.path.replaceAll('/', '~1').replaceAll('{', '%7B').replaceAll('}', '%7D')}/get/responses/200/content/application~1json/schema`
			const valid = ajv.validate({ $ref: pointer }, reply.json())
			assert.ok(valid, `${path}${at}: ${JSON.stringify(ajv.errors?.slice(0, 3))}`)
			const csv = await app.inject({
				url: `${path}${at === '' ? '?' : `${at}&`}format=csv`,
				headers,
			})
			assert.is(csv.body.split('\r\n')[0], Object.keys(route.columns).join(','), path)
		}
	}
})

test.after(() => {
	history.close()
	writer.close()
})

test.run()
