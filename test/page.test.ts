/** The rules of the web page that need no browser: numbers, times, rates, the time axis. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'

// Times are local ones: everybody who runs this must see the same.
process.env['TZ'] = 'Europe/Berlin'
const { abridged, instantAt, scale, ticks } = await import('../adapters/http/page/axis.ts')
const { age, count, instant, octets, summary } = await import('../adapters/http/page/format.ts')
const { changesOf, lanesOf } = await import('../adapters/http/page/history.ts')
const { byMinute, newRates } = await import('../adapters/http/page/rates.ts')

const folder = join(import.meta.dirname, '../adapters/http/page')
const noon = Date.UTC(2026, 10, 23, 11)
const second = 1000
const minute = 60 * second
const hour = 60 * minute
const day = 24 * hour

test('numbers', () => {
	assert.is(count(1_234_567), '1,234,567')
	assert.is(count(null), '–')
	assert.is(octets(null), '–')
	assert.is(octets(999), '999 octets')
	assert.is(octets(1000), '1.0 kB')
	assert.is(octets(999_949), '999.9 kB')
	assert.is(octets(999_950), '1.0 MB', 'not 1000.0 kB')
	assert.is(octets(2 ** 32), '4.3 GB')
})

test('times are local, on a clock of 24 hours', () => {
	assert.is(instant(noon), '2026-11-23 12:00:00')
	assert.is(instant('2026-07-01T22:30:05.999Z'), '2026-07-02 00:30:05')
	assert.is(instant(null), '–')
	assert.is(age(noon - 59 * second, noon), '59 s')
	assert.is(age(noon - 60 * second, noon), '1 min')
	assert.is(age(noon - 3 * hour, noon), '3 h')
	assert.is(age(noon - 49 * hour, noon), '2 d')
	assert.is(age(noon + minute, noon), '0 s', 'a clock that was ahead')
})

test('the data of an event in a line: times are readable, counts stay', () => {
	const data = { mac: '02-00-00-00-00-01', since: noon, expiresAt: noon, at: 5, seat: noon }
	assert.is(
		summary({ ...data, decision: { pool: 'one' } }),
		`mac 02-00-00-00-00-01 · since 2026-11-23 12:00:00 · expiresAt 2026-11-23 12:00:00 · at 1970-01-01 01:00:00 · seat ${noon} · decision {"pool":"one"}`,
	)
})

test('rates are what happened between two looks, whenever they were', () => {
	const rates = newRates(2, 10 * second)
	rates.add({ at: noon, values: [100, 0] })
	assert.equal(rates.series.seconds, [], 'one look is no rate')
	rates.add({ at: noon + 500, values: [150, 0] })
	rates.add({ at: noon + 4500, values: [550, 8] })
	assert.equal(rates.series.values, [
		[100, 100],
		[0, 2],
	])
	rates.add({ at: noon + 4500, values: [600, 8] })
	assert.is(rates.series.seconds.length, 2, 'no time has passed')
	rates.add({ at: noon + 5500, values: [10, 9] })
	assert.is(rates.series.values[0]!.at(-1), null, 'another journal')
	rates.add({ at: noon + 15_400, values: [10, 9] })
	assert.is(rates.series.seconds[0], (noon + 5500) / 1000, 'what is old goes')
	assert.is(rates.series.values[0]!.length, 2)
})

test('minutes: none is left out but the running one, and virtual routers are one', () => {
	const at = (n: number) => new Date(noon + n * minute).toISOString()
	const items = [
		{ at: at(0), virtualRouter: 'a', accepts: 3, serverMsMax: 5 },
		{ at: at(0), virtualRouter: 'b', accepts: 4, serverMsMax: 9 },
		{ at: at(2), virtualRouter: 'a', accepts: 5, serverMsMax: null },
		{ at: at(3), virtualRouter: 'a', accepts: 1, serverMsMax: 2 },
	]
	const names = ['accepts', 'serverMsMax']
	const { seconds, values } = byMinute(items, names, noon + 3.5 * minute)
	assert.equal(
		seconds,
		[0, 1, 2].map(n => noon / 1000 + n * 60),
	)
	assert.equal(values, [
		[7, 0, 5],
		[9, null, null],
	])
	assert.equal(byMinute(items.slice(3), names, noon + 3.5 * minute).values, [[1], [2]])
	assert.equal(byMinute([], names, noon), { seconds: [], values: [[], []] })
})

test('marks of the time axis are whole, and few', () => {
	const hours = ticks(noon - 6 * hour + 1, noon)
	assert.equal(
		hours.map(({ text }) => text),
		['07:00', '08:00', '09:00', '10:00', '11:00', '12:00'],
	)
	assert.equal(
		ticks(noon - 6 * day, noon).map(({ text }) => text),
		['11-18', '11-19', '11-20', '11-21', '11-22', '11-23'],
		'midnights of local time',
	)
	assert.is(ticks(noon, noon + 3 * second)[1]!.text, '12:00:01')
	for (const span of [1, second, minute, hour, day, 30 * day, 400 * day, 9000 * day]) {
		const marks = ticks(noon - span, noon)
		assert.ok(marks.length <= 9, `${span}: ${marks.length}`)
		assert.ok(marks.every(({ at }) => at >= noon - span && at <= noon))
	}
})

test('a place in the drawing and its instant are one another’s', () => {
	const x = scale(noon, noon + hour, 800)
	assert.is(x(noon - day), x(noon), 'what is before begins at the left')
	assert.is(x(noon + day), x(noon + hour))
	for (const at of [noon, noon + 17 * minute, noon + hour]) {
		assert.ok(Math.abs(instantAt(noon, noon + hour, 800, x(at)) - at) < 1)
	}
	assert.is(instantAt(noon, noon + hour, 800, 0), noon)
	assert.is(instantAt(noon, noon + hour, 800, 800), noon + hour)
	assert.ok(Number.isFinite(scale(noon, noon, 800)(noon)))
})

test('a label that has no room is cut, or left out', () => {
	assert.is(abridged('02-00-5E-20-00-01', 200), '02-00-5E-20-00-01')
	assert.is(abridged('02-00-5E-20-00-01', 66), '02-00-5E-…')
	assert.is(abridged('02-00-5E-20-00-01', 40), '')
	assert.is(abridged('one', 20), 'one')
})

test('a history is five lanes, and its changes are in order', () => {
	const iso = (n: number) => new Date(noon + n * minute).toISOString()
	const attempt = { id: 1, reason: null, server: null, wap: 'w', user: null }
	const counted = { id: 2, user: null, class: null, service: null, wap: 'w', address: null }
	const history = {
		sessions: [],
		attempts: [
			{ ...attempt, beganAt: iso(9), endedAt: null, outcome: null, reauthentication: false },
			{
				...attempt,
				beganAt: iso(1),
				endedAt: iso(1),
				outcome: 'rejected',
				reauthentication: false,
			},
		],
		leases: [
			{
				...{ id: 3, address: '192.0.2.7', pool: 'one', state: 'ended', cause: 'client' },
				...{ offeredAt: iso(2), grantedAt: iso(3), expiresAt: null, endedAt: iso(6) },
			},
		],
		accounting: (['wap', 'src'] as const).map(domain => ({
			...{ ...counted, domain, accountingSession: domain, beganAt: iso(4), endedAt: null },
			...{ cause: null, inputOctets: 0, outputOctets: 0 },
		})),
		isWhole: true,
	}
	const lanes = lanesOf(history)
	assert.equal(
		lanes.map(({ name }) => name),
		['Logins', 'Session', 'Address', 'WAP accounting', 'SRC accounting'],
	)
	assert.equal(
		lanes[0]!.marks.map(({ tone }) => tone),
		['faint', 'bad'],
	)
	assert.equal(
		[lanes[2]!.spans[0]!.begin, lanes[2]!.spans[0]!.end],
		[noon + 3 * minute, noon + 6 * minute],
		'an address is held from its grant on',
	)
	assert.is(lanes[3]!.spans[0]!.end, undefined)
	assert.is(lanes[4]!.spans[0]!.label, 'src')
	assert.equal(
		changesOf(history, noon, noon + 8 * minute),
		[1, 2, 4, 6].map(n => noon + n * minute),
	)
})

test('every module of the page is loaded at once, and none that is not there', () => {
	const index = readFileSync(join(folder, 'index.html'), 'utf8')
	const named = [...index.matchAll(/(?:href|src)="\/([a-z]+\.[tj]s)"/g)].map(([, name]) => name)
	// What only has types is never asked for.
	const there = readdirSync(folder).filter(name => name.endsWith('.ts') && name !== 'model.ts')
	assert.equal(named.sort(), [...there, 'uplot.js'].sort())
})

test.run()
