/**
 * Events as every release wrote them are folded for ever. A file here is never changed: a new
 * version of an event, or a new event, comes in a new file.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { type Either, isRight } from 'fp-ts/lib/Either.js'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { formatIpv4 } from '../domain/address.ts'
import { catalogue, type RecordedEvent } from '../domain/event.ts'
import { decodeEvents, encodeEvents } from '../domain/event-text.ts'
import { everyLease, leasesOfMac } from '../domain/lease-state.ts'
import { evolve, initialState } from '../domain/state.ts'
import { dhcpStatistics } from '../projections/dhcp-statistics.ts'
import { dynamicRequestStatistics } from '../projections/dynamic-request-statistics.ts'
import { pools } from '../projections/pools.ts'
import { srcStatistics } from '../projections/src-statistics.ts'
import { authenticationRow, relayStatistics, routerStatistics } from '../projections/statistics.ts'
import { upstreamStatistics } from '../projections/upstream-statistics.ts'

const folder = new URL('./golden/', import.meta.url)
const files = readdirSync(folder).sort()
const lines = files.flatMap(file =>
	readFileSync(new URL(file, folder), 'utf8').trimEnd().split('\n'),
)
const events: RecordedEvent[] = decodeEvents(`[${lines.join(',')}]`, 1)
const projections = [
	...[relayStatistics, upstreamStatistics, pools, dhcpStatistics],
	...[srcStatistics, dynamicRequestStatistics],
]

test('every event type, in every version up to today, has stood in a golden file', () => {
	const written = new Set(
		lines.map(line => {
			const { type, v } = JSON.parse(line) as { type: string; v: number }
			return `${type} ${v}`
		}),
	)
	for (const [type, { version }] of Object.entries(catalogue)) {
		for (let v = 1; v <= version; v++) assert.ok(written.has(`${type} ${v}`), `${type} ${v}`)
	}
})

test('every golden event reads as an event of today', () => {
	for (const event of events) {
		const { version, data } = catalogue[event.type]
		assert.is(event.v, version, event.type)
		const decoded: Either<unknown, unknown> = data.decode(event.data)
		assert.ok(isRight(decoded), `${event.type} at ${event.position}`)
	}
})

test('golden events are written again as they were read', () => {
	assert.equal(decodeEvents(encodeEvents(events), 1), events)
})

test('golden events fold to the state and the statistics that they always folded to', () => {
	const state = initialState()
	const statistics = relayStatistics.initial()
	for (const event of events) {
		evolve(state, event)
		relayStatistics.fold(statistics, event)
	}
	assert.is(state.position, lines.length)
	const router = state.routers.get('default')!
	assert.is(router.sessions.size, 0)
	assert.equal([...router.messageAuthenticatorSeen], [0x0a000001])
	const { authentication } = routerStatistics(statistics, 'default')!.total
	assert.is(authentication[authenticationRow.requests], 5)
	assert.is(authentication[authenticationRow.accepts], 3)
	assert.is(authentication[authenticationRow.pending], 0)
})

test('a golden session lives from its Accept to its Stop, whatever a reauthentication says', () => {
	const state = initialState()
	for (const event of events) {
		evolve(state, event)
		const session = state.routers.get('default')?.sessions.get('02-00-00-00-00-01')
		const live = event.position >= 13 && event.position < 21
		assert.is(session !== undefined, live, `at ${event.position}`)
		if (session !== undefined) assert.is(session.user, 'alice')
	}
})

test('a projection that is not given the events that it does not name misses nothing', () => {
	// Twice, so that a start finds what was pending before it.
	const again = events.map(event => ({ ...event, position: event.position + events.length }))
	for (const { name, types, initial, fold } of projections) {
		let state: unknown = initial()
		let all = JSON.stringify(state)
		for (const event of [...events, ...again]) {
			state = fold(state as never, event)
			const next = JSON.stringify(state)
			if (types?.includes(event.type) === false) assert.is(next, all, `${name}: ${event.type}`)
			all = next
		}
		assert.is.not(all, JSON.stringify(initial()), name)
	}
})

test('golden leases fold to who has which address, in steady time', () => {
	const state = initialState()
	for (const event of events) evolve(state, event)
	assert.is(state.clockShiftMs, 2 * 3_600_000)
	const { leases } = state.routers.get('default')!
	const { warned } = leases
	const folded = [...everyLease(leases)].map(({ address, mac, status, until }) => [
		formatIpv4(address),
		mac.slice(-2),
		status,
		until,
	])
	const steady = (at: number) => at - 2 * 3_600_000
	assert.equal(folded, [
		['10.8.0.8', '08', 'held', steady(1800006563017)],
		['10.8.0.9', '09', 'held', steady(1800006500014)],
		['10.8.0.10', '0A', 'declined', steady(1800092900008)],
		['10.8.0.11', '0A', 'declined', steady(1800092900009)],
		['10.8.0.12', '0B', 'held', steady(1800010163015)],
		['10.8.0.13', '0C', 'held', steady(1800010163111)],
		['10.9.0.21', '0D', 'held', steady(1800010163226)],
	])
	const macs = ['08', '09', '0A', '0B', '0C', '0D']
	assert.equal(
		macs.map(mac => leasesOfMac(leases, `02-00-00-00-00-${mac}`).length),
		[1, 1, 0, 1, 1, 1],
	)
	assert.equal([...warned], ['guests'])
})

test.run()
