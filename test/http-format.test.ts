/** What goes in and out of the HTTP server: formats, parameters, cursors, paging of events. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { queryName, readCursor, writeCursor } from '../adapters/http/cursor.ts'
import { chosenFormat, pageText } from '../adapters/http/format.ts'
import * as value from '../adapters/http/value.ts'
import { testServer } from './http-server.ts'
import { macOf, numberedEvent, numberedEvents } from './journal-events.ts'

const headers = { host: 'localhost' }

function decoded<A>(from: value.Value<A>, text: string): A | undefined {
	const result = from.codec.decode(text)
	return result._tag === 'Right' ? result.right : undefined
}

test('times are RFC 3339 or milliseconds, UTC unless they say otherwise', () => {
	const eight = Date.UTC(2027, 0, 15, 8)
	for (const text of [
		...['2027-01-15T08:00:00Z', '2027-01-15T08:00', '2027-01-15 08:00:00', `${eight}`],
		...['2027-01-15T08:00:00.000Z', '2027-01-15T09:00:00+01:00', '2027-01-15T08:00:00.000000Z'],
	]) {
		assert.is(decoded(value.time, text), eight, text)
	}
	assert.is(decoded(value.time, '2027-01-15'), Date.UTC(2027, 0, 15))
	for (const wrong of [
		...['', 'now', '2027-02-30', '2027-13-01', '2027-01-15T25:00', '15.1.2027', '-1', '1e3'],
		...['2027-01-15T08:00:00 01:00', '9999999999999999', '2027-01-15T08', '1969-12-31'],
	]) {
		assert.is(decoded(value.time, wrong), undefined, wrong)
	}
})

test('a MAC address comes in any spelling', () => {
	for (const text of ['02-00-00-00-aa-01', '02:00:00:00:AA:01', '0200.0000.aa01', '02000000AA01']) {
		assert.is(decoded(value.mac, text), '02-00-00-00-AA-01', text)
	}
	for (const wrong of ['', '02-00-00-00-aa', 'bob', '02-00-00-00-aa-01-02']) {
		assert.is(decoded(value.mac, wrong), undefined, wrong)
	}
	assert.is(decoded(value.accessPoint, '0200.0000.aa01'), '02-00-00-00-AA-01')
	assert.is(decoded(value.accessPoint, 'hall'), 'hall')
	assert.is(decoded(value.accessPoint, 'a%2Eb'), 'a%2Eb')
})

test('numbers, words and text have their bounds', () => {
	const few = value.integer(1, 10)
	assert.is(decoded(few, '10'), 10)
	for (const wrong of ['0', '11', '1.5', '1e1', '-1', ' 1', '0x1', '']) {
		assert.is(decoded(few, wrong), undefined, wrong)
	}
	assert.equal(decoded(value.choices(['a', 'b']), 'b,a'), ['b', 'a'])
	assert.is(decoded(value.choices(['a', 'b']), 'a,c'), undefined)
	assert.is(decoded(value.text(3), 'a\nb'), undefined)
	assert.is(decoded(value.text(3), 'abcd'), undefined)
	assert.is(decoded(value.ipv4, '10.0.0.256'), undefined)
	assert.is(decoded(value.flag, 'yes'), undefined)
})

test('Accept chooses the format, and format goes before it', () => {
	assert.is(chosenFormat(undefined, ''), 'json')
	assert.is(chosenFormat(undefined, '*/*'), 'json')
	assert.is(chosenFormat(undefined, 'text/csv'), 'csv')
	assert.is(chosenFormat(undefined, 'text/csv;q=0.5, application/x-ndjson'), 'ndjson')
	assert.is(chosenFormat(undefined, 'text/html,application/xhtml+xml,*/*;q=0.8'), 'json')
	assert.is(chosenFormat(undefined, 'text/csv;q=0, application/json'), 'json')
	assert.is(chosenFormat(undefined, 'image/png'), undefined)
	assert.is(chosenFormat('csv', 'application/json'), 'csv')
})

/** RFC 4180, as a reader that did not see the writer takes it. */
function readCsv(text: string): string[][] {
	const rows: string[][] = []
	for (let at = 0; at < text.length; ) {
		const row: string[] = []
		for (;;) {
			const quoted = /"((?:[^"]|"")*)"/y
			quoted.lastIndex = at
			const match = quoted.exec(text)
			const end = match === null ? text.slice(at).search(/,|\r\n/) + at : quoted.lastIndex
			row.push(match === null ? text.slice(at, end) : match[1]!.replaceAll('""', '"'))
			at = end + 1
			if (text[end] !== ',') break
		}
		rows.push(row)
		at++
	}
	return rows
}

const nasty = ['a,b', 'a"b', 'a\r\nb', ' a ', '', 'ä€😀', '\u2028', "O'Neil", '"', ',']

test('CSV: every text comes back as it went in', () => {
	const rows = nasty.map(user => ({ user, n: 1 }))
	const [head, ...lines] = readCsv(pageText('csv', ['user', 'n'], rows, null))
	assert.equal(head, ['user', 'n'])
	assert.equal(
		lines,
		nasty.map(user => [user, '1']),
	)
	assert.is(
		pageText('csv', ['a', 'b'], [{ a: null, b: [1, { c: 2 }] }], null).split('\r\n')[1],
		',"[1,{""c"":2}]"',
	)
})

test('CSV: text that a spreadsheet would run has an apostrophe before it', () => {
	const formulas = ['=1+1', '+1', '-1', '@SUM(A1)', '\t=1', '=HYPERLINK("http://x","y")']
	const rows = formulas.map(user => ({ user }))
	const [, ...lines] = readCsv(pageText('csv', ['user'], rows, null))
	assert.equal(
		lines.flat(),
		formulas.map(text => `'${text}`),
	)
	assert.is(pageText('csv', ['n'], [{ n: -5 }], null), 'n\r\n-5\r\n', 'a number is a number')
})

test('NDJSON: one line for each row, whatever is in it', () => {
	const rows = nasty.map(user => ({ user }))
	const lines = pageText('ndjson', ['user'], rows, null).trimEnd().split('\n')
	assert.equal(
		lines.map(line => JSON.parse(line)),
		rows,
	)
})

test('a cursor belongs to its query and to nothing else', () => {
	const query = queryName('listSessions', { mac: 'a', limit: 5, cursor: 'x', format: 'csv' })
	assert.is(query, queryName('listSessions', { mac: 'a' }))
	assert.is.not(query, queryName('listSessions', { mac: 'b' }))
	assert.is.not(query, queryName('listLeases', { mac: 'a' }))
	const cursor = writeCursor(query, [7, 'default'])
	assert.equal(readCursor(query, cursor), [7, 'default'])
	assert.is(readCursor('other', cursor), undefined)
	for (const wrong of ['', 'x', 'bnVsbA', Buffer.from('[1]').toString('base64url'), '____']) {
		assert.is(readCursor(query, wrong), undefined, wrong)
	}
	const object = Buffer.from(JSON.stringify([query, { a: 1 }])).toString('base64url')
	assert.is(readCursor(query, object), undefined)
})

test('malformed parameters are refused with what they should be', async () => {
	const { app } = testServer()
	const refused = async (url: string) => {
		const reply = await app.inject({ url, headers })
		assert.is(reply.statusCode, 400, url)
		return reply.json() as { type: string; parameter: string; detail: string }
	}
	const time = await refused('/api/v1/sessions?at=yesterday')
	assert.is(time.parameter, 'at')
	assert.match(time.detail, /such as 2027-01-15T08:00:00Z/)
	assert.match((await refused('/api/v1/sessions?mac=a&mac=b')).detail, /once only/)
	assert.match((await refused('/api/v1/sessions?nix=1')).detail, /These are there: mac, user/)
	assert.is((await refused('/api/v1/events?limit=0')).parameter, 'limit')
	assert.is((await refused('/api/v1/events?limit=10001')).parameter, 'limit')
	assert.is((await refused('/api/v1/events?type=Nothing')).parameter, 'type')
	assert.is((await refused('/api/v1/subscribers/bob')).parameter, 'mac')
	assert.is(
		(await refused('/api/v1/events?cursor=abc')).type,
		'urn:radledger:problem:invalid-cursor',
	)
	assert.is((await refused('/api/v1/events?__proto__=1')).parameter, '__proto__')
	const reply = await app.inject({
		url: '/api/v1/events',
		headers: { ...headers, accept: 'image/png' },
	})
	assert.is(reply.statusCode, 406)
	await app.close()
})

type EventPage = { items: { position: number; type: string }[]; next: string | null }

test('a time that ends before it begins is refused, and not answered with nothing', async () => {
	const { app } = testServer({ views: { position: () => 0, select: () => [] } })
	const status = async (url: string) => (await app.inject({ url, headers })).statusCode
	for (const list of ['sessions', 'attempts', 'leases', 'pool-decisions', 'accounting-domains']) {
		assert.is(await status(`/api/v1/${list}?from=2027-01-02&to=2027-01-01`), 400, list)
		assert.is(await status(`/api/v1/${list}?from=2027-01-01&to=2027-01-01`), 200, list)
	}
	assert.is(await status('/api/v1/events?since=2027-01-02&until=2027-01-01'), 400)
	assert.is(await status('/api/v1/events?from=9&until=2'), 200, 'a position is no time')
})

test('events page in both directions, by time, stream and type', async () => {
	const { app, journal } = testServer()
	for (let n = 0; n < 300; n++) journal.append([numberedEvent(n, macOf(n % 3))])
	const positions = async (url: string) => {
		const found: number[] = []
		for (let next: string | null = url; next !== null; ) {
			const reply = await app.inject({ url: next, headers })
			assert.is(reply.statusCode, 200, reply.body)
			const page = reply.json() as EventPage
			found.push(...page.items.map(({ position }) => position))
			next = page.next
			assert.is(reply.headers['link'], next === null ? undefined : `<${next}>; rel="next"`)
		}
		return found
	}
	const all = Array.from({ length: 300 }, (_, i) => i + 1)
	assert.equal(await positions('/api/v1/events?limit=7'), all)
	assert.equal(await positions('/api/v1/events?limit=100&from=101'), all.slice(100))
	assert.equal(await positions('/api/v1/events?limit=7&order=newest'), all.toReversed())
	const third = all.filter(position => (position - 1) % 3 === 1)
	const stream = `subscriber-default.${macOf(1)}`
	assert.equal(await positions(`/api/v1/events?limit=7&stream=${stream}`), third)
	assert.equal(
		await positions(`/api/v1/events?limit=7&order=newest&stream=${stream}`),
		third.toReversed(),
	)
	// numberedEvent n has position n + 1 and time 1,000,000 + n.
	assert.equal(await positions('/api/v1/events?since=1000100&until=1000110'), all.slice(100, 110))
	assert.equal(
		await positions('/api/v1/events?since=1000100&until=1000110&order=newest&limit=3'),
		all.slice(100, 110).toReversed(),
	)
	assert.equal(await positions('/api/v1/events?type=AccessAccepted'), [])
	await app.close()
})

test('a page that is followed while events come neither repeats nor skips any', async () => {
	const { app, journal } = testServer()
	journal.append(numberedEvents(0, 10))
	const found: number[] = []
	for (let next: string | null = '/api/v1/events?limit=4&order=newest'; next !== null; ) {
		const page: EventPage = (await app.inject({ url: next, headers })).json()
		found.push(...page.items.map(({ position }) => position))
		next = page.next
		journal.append(numberedEvents(100, 3))
	}
	assert.equal(found, [10, 9, 8, 7, 6, 5, 4, 3, 2, 1])
	await app.close()
})

test('an answer that has not changed is not sent again', async () => {
	const { app, journal } = testServer()
	journal.append(numberedEvents(0, 3))
	const get = (more: Record<string, string>) =>
		app.inject({ url: '/api/v1/events?until=1000002', headers: { ...headers, ...more } })
	const first = await get({})
	const { etag } = first.headers as { etag: string }
	assert.match(etag, /^"[\w-]{22}"$/)
	assert.is((await get({ 'if-none-match': etag })).statusCode, 304)
	assert.is((await get({ 'if-none-match': `"x", W/${etag}` })).statusCode, 304)
	assert.is((await get({ 'if-none-match': '"x"' })).statusCode, 200)
	assert.is((await get({ 'if-none-match': etag, accept: 'text/csv' })).statusCode, 200)
	// Later events are no part of it: the same answer, of a later position.
	journal.append(numberedEvents(10, 3))
	const again = await get({ 'if-none-match': etag })
	assert.is(again.statusCode, 304)
	assert.is(again.headers['radledger-position'], '6')
	await app.close()
})

test('one event, and one that is not there', async () => {
	const { app, journal } = testServer()
	journal.append(numberedEvents(0, 3))
	const one = await app.inject({ url: '/api/v1/events/2', headers })
	assert.is(one.json().position, 2)
	assert.is(one.json().at, new Date(1_000_001).toISOString())
	assert.is((await app.inject({ url: '/api/v1/events/4', headers })).statusCode, 404)
	const csv = await app.inject({ url: '/api/v1/events/2?format=csv', headers })
	assert.is(readCsv(csv.body).length, 2)
	await app.close()
})

test('lists of the relay page too', async () => {
	const { app } = testServer({
		relay: {
			upstreams: [1, 2, 3].map(n => ({
				virtualRouter: 'default',
				service: 'accounting',
				server: `192.0.2.${n}`,
				udpPort: 1813,
				state: 'okay',
				pending: 0,
			})),
		},
	})
	const found: string[] = []
	for (let next: string | null = '/api/v1/upstreams?limit=2'; next !== null; ) {
		const page: { items: { server: string }[]; next: string | null } = (
			await app.inject({ url: next, headers })
		).json()
		found.push(...page.items.map(({ server }) => server))
		next = page.next
	}
	assert.equal(found, ['192.0.2.1', '192.0.2.2', '192.0.2.3'])
	await app.close()
})

test.run()
