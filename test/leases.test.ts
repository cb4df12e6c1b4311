/** Who has which address, as the journal tells it and `show ip dhcp-local binding` prints it. */
import fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { formatIpv4 } from '../domain/address.ts'
import type { NewEvent } from '../domain/event.ts'
import { addressesEndingIn, sliceOf } from '../domain/lease-deadlines.ts'
import { leasesOfMac as allOfMac, everyLease, leaseAt, leaseCount } from '../domain/lease-state.ts'
import { noRow } from '../domain/row-index.ts'
import { bindingLimit, bindingsText } from '../projections/dhcp-text.ts'
import {
	allLeases,
	type Leases,
	leaseOf,
	leasesOf,
	leasesOfMac,
	poolUse,
} from '../projections/leases.ts'
import { stateProjection } from '../src/recover.ts'
import {
	alice,
	bob,
	clockStepped,
	declined,
	discarded,
	expired,
	given,
	leased,
	refused,
	released,
	savedAndLoaded,
	start,
} from './dhcp-events.ts'

/** What is shown `seconds` after the start. */
function shown(state: Leases, seconds: number, query: { address?: string; mac?: string } = {}) {
	return bindingsText(state, { virtualRouter: 'default', now: start + seconds * 1000, ...query })
}

/** `address mac pool state seconds-left` of each. */
function rows(state: Leases, seconds: number): string[] {
	return shown(state, seconds)
		.slice(4)
		.map(line => line.replace(/ {2,}/g, ' '))
}

function campus(events: readonly NewEvent[], seconds: number) {
	const router = leasesOf(given(stateProjection, events), 'default')
	return router && poolUse(router, start + seconds * 1000).get('campus')
}

test('a lease from its offer to its end', () => {
	const events = [
		leased('LeaseOffered', { lease: 60 }),
		leased('LeaseGranted', { at: 1, lease: 3600 }),
		leased('LeaseRenewed', { at: 1801, lease: 3600 }),
		expired({ at: 5401, held: 300 }),
	]
	const at = (count: number, seconds: number) =>
		rows(given(stateProjection, events.slice(0, count)), seconds)
	assert.equal(at(0, 0), [])
	assert.equal(at(1, 0), [`10.1.0.9 ${alice} campus offered 60`])
	assert.equal(at(1, 60), [], 'an offer lapses without an event')
	assert.equal(at(2, 1), [`10.1.0.9 ${alice} campus bound 3600`])
	assert.equal(at(2, 9999), [`10.1.0.9 ${alice} campus bound 0`], 'until its end is recorded')
	assert.equal(at(3, 1801), [`10.1.0.9 ${alice} campus bound 3600`])
	assert.equal(at(4, 5401), [`10.1.0.9 ${alice} campus held 300`])
	assert.equal(at(4, 5701), [], 'the grace period is over')
})

test('bindings are shown as a table, in the order of addresses', () => {
	const state = given(stateProjection, [
		leased('LeaseGranted', { address: '200.0.0.1', lease: 0, mac: bob, pool: 'b' }),
		leased('LeaseGranted', { address: '10.1.0.10', interface: 'eth0', giaddr: '10.1.0.1' }),
		leased('LeaseGranted', { address: '10.1.0.9', mac: bob, interface: 'eth0' }),
	])
	assert.equal(shown(state, 600), [
		'DHCP Local Server Bindings',
		'--------------------------',
		'Address    Hardware Address   Pool    State  Seconds Left  Seen At',
		'---------  -----------------  ------  -----  ------------  --------',
		'10.1.0.9   02-00-00-00-00-02  campus  bound  3000          eth0',
		'10.1.0.10  02-00-00-00-00-01  campus  bound  3000          10.1.0.1',
		'200.0.0.1  02-00-00-00-00-02  b       bound  infinite',
	])
	assert.equal(shown(given(stateProjection, []), 0), [
		'DHCP Local Server Bindings',
		'--------------------------',
		'No client has an address.',
	])
})

test('one address, or all of one client, in every detail', () => {
	const state = given(stateProjection, [
		leased('LeaseGranted', { interface: 'eth0', hostname: 'laptop' }),
		leased('LeaseGranted', { address: '10.1.0.10', at: 5, lease: 0, giaddr: '10.1.0.1' }),
		leased('LeaseGranted', { address: '10.1.0.11', mac: bob }),
	])
	const first = [
		'DHCP Local Server Binding 10.1.0.9',
		'----------------------------------',
		'Hardware Address  02-00-00-00-00-01',
		'Client            hw:01020000000001',
		'Host Name         laptop',
		'Pool              campus',
		'State             bound',
		'Since             FRI APR 02 2004 19:01:52 UTC',
		'Until             FRI APR 02 2004 20:01:52 UTC',
		'Seconds Left      3590',
		'Lease             3600 seconds',
		'Interface         eth0',
	]
	assert.equal(shown(state, 10, { address: '10.1.0.9' }), first)
	const both = shown(state, 10, { mac: alice })
	assert.equal(both.slice(0, first.length + 1), [...first, ''])
	assert.ok(both.some(line => /^Until +never$/.test(line)))
	assert.ok(both.some(line => /^Relay Agent +10\.1\.0\.1$/.test(line)))
	assert.equal(shown(state, 10, { address: '10.1.0.1' }), ['% Nobody has 10.1.0.1.'])
	assert.equal(shown(state, 10, { mac: '02-00-00-00-00-09' }), [
		'% 02-00-00-00-00-09 has no address.',
	])
	assert.equal(shown(given(stateProjection, []), 10, { mac: alice }), [
		`% ${alice} has no address.`,
	])
})

test('a new offer of the address that a client has leaves it bound', () => {
	const events = [leased('LeaseGranted'), leased('LeaseOffered', { at: 10, lease: 60 })]
	assert.equal(rows(given(stateProjection, events), 10), [`10.1.0.9 ${alice} campus bound 3590`])
	// Somebody else can only be offered it once it is free.
	const other = [...events, expired({ at: 3600 }), leased('LeaseOffered', { mac: bob, at: 3601 })]
	assert.equal(rows(given(stateProjection, other), 3601), [`10.1.0.9 ${bob} campus offered 3600`])
})

test('a release frees the address at once, or holds it for its last holder', () => {
	for (const cause of ['client', 'session', 'operator', 'moved'] as const) {
		const free = given(stateProjection, [leased('LeaseGranted'), released(cause, { at: 5 })])
		assert.equal(rows(free, 5), [], cause)
		const held = given(stateProjection, [
			leased('LeaseGranted'),
			released(cause, { at: 5, held: 60 }),
		])
		assert.equal(rows(held, 5), [`10.1.0.9 ${alice} campus held 60`], cause)
	}
})

test('an end that is not of the present holder changes nothing', () => {
	const state = given(stateProjection, [
		leased('LeaseGranted', { mac: bob }),
		released('client', { mac: alice, at: 1 }),
		expired({ mac: alice, at: 2 }),
		released('client', { address: '10.1.0.77', at: 3 }),
		refused('not-yours', { address: '10.1.0.9', at: 4 }),
		discarded('discover', 'no-session', 3),
	])
	assert.equal(rows(state, 5), [`10.1.0.9 ${bob} campus bound 3595`])
})

test("a declined address is nobody's until its time is over", () => {
	const events = [leased('LeaseGranted'), declined({ at: 5, wait: 600 })]
	assert.equal(rows(given(stateProjection, events), 5), [`10.1.0.9 ${alice} campus declined 600`])
	assert.equal(rows(given(stateProjection, events), 605), [])
	assert.is(campus(events, 5)?.bound, 0)
	const pinged = [declined({ address: '10.1.0.50' })]
	assert.is(campus(pinged, 5)?.declined, 1, 'also one that nobody had')
})

test('since when a client has its address survives renewals, and ends with the lease', () => {
	const since = (...events: NewEvent[]) => {
		const router = leasesOf(given(stateProjection, events), 'default')!
		return (leaseOf(router, '10.1.0.9', start)!.since - start) / 1000
	}
	const renewed = [leased('LeaseGranted', { at: 1 }), leased('LeaseRenewed', { at: 9 })]
	assert.is(since(...renewed), 1)
	assert.is(since(...renewed, leased('LeaseGranted', { at: 12 })), 1, 'granted once more')
	assert.is(
		since(...renewed, released('client', { at: 10 }), leased('LeaseGranted', { at: 20 })),
		20,
	)
	assert.is(since(...renewed, leased('LeaseGranted', { at: 30, mac: bob })), 30)
})

test('what is in use is counted by pool, and the most there ever was with its time', () => {
	const at = (n: number) => ({ address: `10.1.0.${n}`, mac: `02-00-00-00-00-0${n}`, at: n })
	const events = [
		...[1, 2, 3].map(n => leased('LeaseGranted', at(n))),
		leased('LeaseRenewed', { ...at(3), at: 4 }),
		released('client', { ...at(2), at: 5 }),
		leased('LeaseOffered', { ...at(4), lease: 60 }),
		expired({ ...at(1), at: 6, held: 60 }),
		declined({ ...at(7), wait: 60 }),
		leased('LeaseGranted', { address: '10.2.0.1', pool: 'b' }),
	]
	assert.equal(campus(events, 7), {
		offered: 1,
		bound: 1,
		held: 1,
		declined: 1,
		highWater: 3,
		highWaterAt: start + 3000,
	})
	assert.is(campus(events, 1000)?.offered, 0)
	const moved = [leased('LeaseGranted'), leased('LeaseRenewed', { pool: 'b', at: 9 })]
	assert.is(campus(moved, 9)?.bound, 0, 'a renewal may come from another pool: it was renamed')
})

test('when the clock is set, what is left stays what it was', () => {
	const events = [
		leased('LeaseGranted', { lease: 600 }),
		leased('LeaseGranted', { address: '10.1.0.1', lease: 0, router: 'b' }),
		leased('LeaseGranted', { address: '10.1.0.2', lease: 600, router: 'b' }),
		clockStepped(86_400, 10),
	]
	const state = given(stateProjection, events)
	assert.equal(rows(state, 86_410), [`10.1.0.9 ${alice} campus bound 590`])
	const now = start + 86_410_000
	const b = allLeases(leasesOf(state, 'b')!, now, 9).leases
	assert.equal(
		b.map(({ until }) => until),
		[0, now + 590_000],
		'in every virtual router, as there is one clock',
	)
})

test('virtual routers are apart, even where they use the same addresses', () => {
	const state = given(stateProjection, [
		leased('LeaseGranted'),
		leased('LeaseGranted', { router: 'b', mac: bob }),
	])
	assert.equal(rows(state, 0), [`10.1.0.9 ${alice} campus bound 3600`])
	assert.is(leaseOf(leasesOf(state, 'b')!, '10.1.0.9', start)?.mac, bob)
	assert.is(leasesOf(state, 'c'), undefined)
})

test('a table that is too long for anybody ends with how to see the rest', () => {
	const events = Array.from({ length: bindingLimit + 3 }, (_, n) =>
		leased('LeaseGranted', { address: formatIpv4(0x0a000000 + n) }),
	)
	const lines = shown(given(stateProjection, events), 0)
	assert.is(lines.length, 4 + bindingLimit + 2)
	assert.match(lines.at(-1) ?? '', /^3 more; /)
})

// ---- Against a model, and through snapshots ----

const macs = [alice, bob, '02-00-00-00-00-03']
const anyEvent: fc.Arbitrary<(at: number) => NewEvent> = fc
	.record({
		mac: fc.constantFrom(...macs),
		n: fc.nat(4),
		kind: fc.nat(6),
		seconds: fc.constantFrom(0, 5, 50),
		pool: fc.constantFrom('campus', 'b', '__proto__'),
		interface: fc.constantFrom('eth0', 'eth1'),
	})
	.map(({ n, kind, seconds, ...rest }) => at => {
		const facts = { ...rest, address: `10.1.0.${n}`, at }
		switch (kind) {
			case 0:
				return leased('LeaseOffered', { ...facts, lease: seconds + 1 })
			case 1:
				return expired({ ...facts, held: seconds })
			case 2:
				return released('client', { ...facts, held: seconds })
			case 3:
				return declined({ ...facts, wait: seconds })
			case 4:
				return clockStepped(seconds - 5, at)
			case 5:
				return leased('LeaseRenewed', { ...facts, lease: seconds })
			default:
				return leased('LeaseGranted', { ...facts, lease: seconds })
		}
	})
const history = fc
	.array(anyEvent, { maxLength: 40 })
	.map(events => events.map((event, second) => event(second)))

/** Everything that can be asked. */
function everything(state: Leases, now: number): unknown {
	return [...state.routers.keys()]
		.map(name => leasesOf(state, name)!)
		.map(router => [
			allLeases(router, now, 100),
			macs.map(mac => leasesOfMac(router, mac, now)),
			[...poolUse(router, now)].sort(),
		])
}

test('a view that was saved and loaded goes on like one that was not', () => {
	fc.assert(
		fc.property(history, fc.nat(40), (events, cut) => {
			const straight = given(stateProjection, events)
			const halfway = savedAndLoaded(stateProjection, given(stateProjection, events.slice(0, cut)))
			const resumed = given(stateProjection, events.slice(cut), halfway)
			const now = start + 41_000
			assert.equal(everything(resumed, now), everything(straight, now))
		}),
		{ numRuns: 300, seed: 11 },
	)
})

test('the columns stay in step, and what is in use is what is bound', () => {
	fc.assert(
		fc.property(history, events => {
			const state = given(stateProjection, events)
			for (const { leases } of state.routers.values()) {
				const { rows, boundIn } = leases
				const all = [...everyLease(leases)]
				assert.is(leaseCount(leases), all.length)
				for (const lease of all) {
					assert.equal(leaseAt(leases, lease.address), lease)
					const same = allOfMac(leases, lease.mac).filter(one => one.address === lease.address)
					assert.equal(same, lease.status === 'declined' ? [] : [lease])
				}
				let unused = 0
				for (let row = rows.unused; row !== noRow; row = rows.sameMac[row]!) unused++
				assert.is(rows.used, all.length + unused, 'a row is in use or can be used again')
				const due = [...leases.deadlines.keys()].flatMap(slice => {
					const found = addressesEndingIn(leases, slice)
					for (const address of found) assert.is(sliceOf(leaseAt(leases, address)!.until), slice)
					return found
				})
				const ending = all.filter(({ until, changedAt }) => until > changedAt)
				assert.equal(due.sort(), ending.map(({ address }) => address).sort())
				for (const [pool, { bound, highWater, highWaterAt }] of boundIn) {
					const held = all.filter(lease => lease.status === 'bound' && lease.pool === pool)
					assert.is(bound, held.length, pool)
					assert.ok(highWater >= bound)
					assert.is(highWaterAt === 0, highWater === 0)
				}
			}
		}),
		{ numRuns: 300, seed: 12 },
	)
})

test('a great many come and go, and everything is found', () => {
	const macOf = (n: number) => `02-00-00-00-${hex(n >> 8)}-${hex(n & 255)}`
	const hex = (n: number) => n.toString(16).toUpperCase().padStart(2, '0')
	const addressOf = (n: number) => formatIpv4(0x0a000000 + n * 257)
	const facts = (n: number) => ({ address: addressOf(n), mac: macOf(n) })
	const grants = Array.from({ length: 3000 }, (_, n) => leased('LeaseGranted', facts(n)))
	// Of each MAC only the latest address is kept once the others are over.
	const ends = Array.from({ length: 2000 }, (_, n) => released('client', { ...facts(n), at: 5 }))
	const moves = Array.from({ length: 2000 }, (_, n) =>
		leased('LeaseGranted', { address: addressOf(n + 5000), mac: macOf(n), at: 9 }),
	)
	const state = given(stateProjection, [...grants, ...ends, ...moves])
	const { leases } = state.routers.get('default')!
	assert.is(leaseCount(leases), 3000)
	for (let n = 0; n < 3000; n++) {
		const address = addressOf(n < 2000 ? n + 5000 : n)
		const found = leasesOfMac(leasesOf(state, 'default')!, macOf(n), start + 10_000)
		assert.equal(
			found.map(lease => lease.address),
			[address],
		)
	}
	assert.is(leaseAt(leases, 0x0a000000), undefined)
})

test('what should be a MAC and is none is kept as it is, and so is any client identity', () => {
	const odd = { mac: 'no-mac', address: '10.1.0.7' }
	const event = leased('LeaseGranted', { address: '10.1.0.8' })
	const identified = { ...event, data: { ...event.data, client: 'id:00' } } as NewEvent
	const state = given(stateProjection, [leased('LeaseGranted', odd), identified])
	for (const each of [state, savedAndLoaded(stateProjection, state)]) {
		const router = leasesOf(each, 'default')!
		assert.is(leaseOf(router, '10.1.0.7', start)?.mac, 'no-mac')
		assert.is(leaseOf(router, '10.1.0.7', start)?.client, 'hw:01nomac')
		assert.is(leasesOfMac(router, 'no-mac', start).length, 1)
		assert.is(leasesOfMac(router, 'another', start).length, 0)
		assert.is(leaseOf(router, '10.1.0.8', start)?.client, 'id:00')
	}
})

test.run()
