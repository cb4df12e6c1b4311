/** The pools and the messages of the DHCP local server, as the journal tells them and `show` prints. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { type DhcpPool, newDhcpPool } from '../domain/configuration.ts'
import type { NewEvent } from '../domain/event.ts'
import { type DhcpStatistics, dhcpStatistics } from '../projections/dhcp-statistics.ts'
import { dhcpStatisticsText, poolsText } from '../projections/dhcp-text.ts'
import { pools } from '../projections/pools.ts'
import { stateProjection } from '../src/recover.ts'
import {
	baselineSet,
	bob,
	declined,
	discarded,
	expired,
	given,
	leased,
	poolSelected,
	refused,
	released,
	savedAndLoaded,
	start,
	warningChanged,
} from './dhcp-events.ts'

const campus: DhcpPool = {
	...newDhcpPool('campus'),
	network: { address: '10.1.0.0', mask: '255.255.255.0' },
}

function shown(
	events: readonly NewEvent[],
	query: { pool?: string; seconds?: number; pools?: readonly DhcpPool[]; sizes?: number } = {},
): string[] {
	const { pool, seconds = 0, pools: configured = [campus], sizes = 254 } = query
	return poolsText(given(stateProjection, events), given(pools, events), {
		virtualRouter: 'default',
		pools: configured,
		sizeOf: ({ network }) => (network === undefined ? 0 : sizes),
		pool,
		now: start + seconds * 1000,
	})
}

/** The value of a line of the details; undefined where there is no such line. */
function detail(lines: readonly string[], label: string): string | undefined {
	const line = lines.find(one => one.startsWith(`${label}  `))
	return line?.slice(label.length).trim()
}

const busy = [
	poolSelected('giaddr'),
	leased('LeaseGranted', { address: '10.1.0.1', at: 1 }),
	leased('LeaseGranted', { address: '10.1.0.2', at: 2, mac: bob }),
	leased('LeaseOffered', { address: '10.1.0.3', at: 3, lease: 60 }),
	declined({ address: '10.1.0.4', at: 4 }),
	expired({ address: '10.1.0.2', at: 5, mac: bob, held: 600 }),
	warningChanged(true, 216, { at: 6 }),
	refused('no-address', { pool: 'campus', silent: true, at: 7 }),
]

test('pools are shown as a table, in the order of the configuration', () => {
	const second = { ...newDhcpPool('a second pool'), link: 'campus' }
	assert.equal(shown(busy, { seconds: 10, pools: [campus, second] }), [
		'DHCP Local Server Pools',
		'-----------------------',
		'Pool           Network                 Size  In Use  %  Bound  Offered  Held  Declined  High Water  No Addresses  Warning',
		'-------------  ----------------------  ----  ------  -  -----  -------  ----  --------  ----------  ------------  -------',
		'campus         10.1.0.0 255.255.255.0  254   4       1  1      1        1     1         2           1             high',
		'a second pool  <none>                  0     0       -  0      0        0     0         0           0',
	])
	assert.equal(shown([], { pools: [] }), [
		'DHCP Local Server Pools',
		'-----------------------',
		'No pool is configured.',
	])
})

test('one pool is shown with its settings and its history', () => {
	const pool: DhcpPool = {
		...campus,
		defaultRouters: ['10.1.0.254'],
		dnsServers: ['192.0.2.53', '192.0.2.54'],
		domainName: 'example.org',
		link: 'second',
		leaseSeconds: 0,
		reservations: [{ address: '10.1.0.9', mac: bob }],
		gracePeriodSeconds: 600,
	}
	const events = [...busy, poolSelected('giaddr'), poolSelected('src')]
	assert.equal(shown(events, { pool: 'campus', pools: [pool], seconds: 10, sizes: 8 }), [
		'DHCP Local Server Pool campus',
		'-----------------------------',
		'Network            10.1.0.0 255.255.255.0',
		'Default Routers    10.1.0.254',
		'DNS Servers        192.0.2.53 192.0.2.54',
		'Domain Name        example.org',
		'NetBIOS Node Type  h-node',
		'Lease              infinite',
		'Grace Period       600 seconds',
		'Linked Pool        second',
		'Warning            high 85 %, abated 75 %',
		'Reservations       1',
		'Size               8',
		'In Use             4 (50 %)',
		'  Bound            1',
		'  Offered          1',
		'  Held             1',
		'  Declined         1',
		'High-Water Mark    2 bound, FRI APR 02 2004 19:01:54 UTC',
		'Selected By        giaddr 2, src 1',
		'No Addresses       1',
		'Declines           1',
		'Warnings           1',
		'Warning Since      FRI APR 02 2004 19:01:58 UTC',
	])
	assert.equal(shown([], { pool: 'x' }), ['% There is no pool x.'])
})

test('a warning is counted when it is given, and over when it is taken back', () => {
	const events = [
		...[warningChanged(true, 216, { at: 1 }), warningChanged(false, 190, { at: 2 })],
		...[warningChanged(true, 217, { at: 3 }), warningChanged(true, 1, { pool: 'b' })],
		warningChanged(true, 1, { router: 'other' }),
	]
	const after = (count: number) => shown(events.slice(0, count), { pool: 'campus' })
	assert.is(detail(after(1), 'Warnings'), '1')
	assert.is(detail(after(1), 'Warning Since'), 'FRI APR 02 2004 19:01:53 UTC')
	assert.is(detail(after(2), 'Warnings'), '1')
	assert.is(detail(after(2), 'Warning Since'), undefined)
	assert.is(detail(after(5), 'Warnings'), '2')
	assert.is(detail(after(5), 'Warning Since'), 'FRI APR 02 2004 19:01:55 UTC')
})

test('no address is counted for the pool that was empty, and nothing else that is refused', () => {
	const events = [
		refused('no-address', { pool: 'campus', silent: true }),
		refused('no-address', { pool: 'b', silent: true }),
		refused('not-yours', { address: '10.1.0.9' }),
		refused('limit', { silent: true }),
	]
	assert.is(detail(shown(events, { pool: 'campus' }), 'No Addresses'), '1')
})

test('a deleted pool is shown until its addresses are given back', () => {
	const granted = [
		leased('LeaseGranted'),
		leased('LeaseGranted', { pool: 'gone', address: '10.9.0.1' }),
	]
	assert.match(shown(granted).at(-1) ?? '', /^gone +<deleted> +- +1 +- +1 +0 +0 +0 +1 +-$/)
	const back = released('session', { pool: 'gone', address: '10.9.0.1' })
	assert.is(shown([...granted, back]).length, 5)
})

test('the names of pools may be anything', () => {
	const events = [poolSelected('src', { pool: '__proto__' }), poolSelected('src', { pool: 'a b' })]
	const configured = [newDhcpPool('__proto__'), newDhcpPool('a b')]
	for (const { name } of configured) {
		assert.is(detail(shown(events, { pool: name, pools: configured }), 'Selected By'), 'src 1')
	}
})

// ---- Statistics ----

function statistics(state: DhcpStatistics, delta = false, virtualRouter = 'default'): string[] {
	return dhcpStatisticsText(state, { virtualRouter, delta })
}

/** The rows that are not zero. */
function counted(state: DhcpStatistics, delta = false, virtualRouter = 'default'): string[] {
	return statistics(state, delta, virtualRouter)
		.slice(4)
		.map(line => line.replace(/ {2,}(?=\d)/, ' '))
		.filter(line => / [1-9-]\d*$/.test(line))
}

test('statistics are laid out as those of the relay', () => {
	assert.equal(statistics(given(dhcpStatistics, [discarded('discover', 'no-session', 3)]), true), [
		'DHCP Local Server Statistics',
		'----------------------------',
		'Statistic           Total',
		'------------------  -----',
		'Discovers Received  3',
		'Requests Received   0',
		'Declines Received   0',
		'Releases Received   0',
		'Informs Received    0',
		'Others Received     0',
		'Offers Sent         0',
		'Acks Sent           0',
		'Naks Sent           0',
		'Leases Expired      0',
		'Leases Terminated   0',
		'No Addresses        0',
		'Messages Discarded  3',
		'  no-session        3',
		'',
		'Statistics baseline not set',
	])
})

test('what each event says about messages', () => {
	const cases: readonly (readonly [NewEvent, readonly string[]])[] = [
		[leased('LeaseOffered'), ['Discovers Received 1', 'Offers Sent 1']],
		[leased('LeaseGranted'), ['Requests Received 1', 'Acks Sent 1']],
		[leased('LeaseRenewed'), ['Requests Received 1', 'Acks Sent 1']],
		[refused('not-yours'), ['Requests Received 1', 'Naks Sent 1']],
		[refused('no-pool', { silent: true }), ['Discovers Received 1']],
		[
			refused('no-address', { silent: true, pool: 'campus' }),
			['Discovers Received 1', 'No Addresses 1'],
		],
		[declined(), ['Declines Received 1']],
		[declined({ ping: true }), []],
		[
			discarded('discover', 'no-address', 2),
			['Discovers Received 2', 'No Addresses 2', 'Messages Discarded 2', ' no-address 2'],
		],
		[released('client'), ['Releases Received 1']],
		[released('session'), ['Leases Terminated 1']],
		[released('operator'), ['Leases Terminated 1']],
		[released('moved'), []],
		[expired(), ['Leases Expired 1']],
		[poolSelected('src'), []],
		[discarded('discover', 'repeated', 2), ['Discovers Received 2', 'Offers Sent 2']],
		[discarded('inform', 'answered', 2), ['Informs Received 2', 'Acks Sent 2']],
		[
			discarded('request', 'other-server', 2),
			['Requests Received 2', 'Messages Discarded 2', ' other-server 2'],
		],
		[discarded('bootp', 'bootp', 1), ['Others Received 1', 'Messages Discarded 1', ' bootp 1']],
	]
	for (const [event, expected] of cases) {
		const found = counted(given(dhcpStatistics, [event]))
		assert.equal(
			found.map(line => line.replace(/^ +/, ' ')),
			expected,
			JSON.stringify(event.data),
		)
	}
})

test('from the baseline on, reasons included; other baselines are none of it', () => {
	const events = [
		...[leased('LeaseOffered'), discarded('discover', 'no-pool', 5)],
		baselineSet('ip dhcp-local', { at: 60 }),
		...[leased('LeaseOffered'), discarded('discover', 'no-pool', 2)],
		...[discarded('request', 'invalid', 1), baselineSet('radius'), baselineSet('radius relay')],
		baselineSet('ip dhcp-local', { router: 'b' }),
	]
	const state = given(dhcpStatistics, events)
	assert.equal(counted(state, true), [
		...['Discovers Received 3', 'Requests Received 1', 'Offers Sent 1', 'Messages Discarded 3'],
		...['  invalid 1', '  no-pool 2'],
	])
	assert.is(statistics(state, true).at(-1), 'Statistics baseline set FRI APR 02 2004 19:02:52 UTC')
	assert.is(counted(state)[0], 'Discovers Received 9')
	assert.equal(counted(state, false, 'b'), [])
	assert.equal(counted(state, false, 'never'), [])
})

test('reasons beyond measure are counted together', () => {
	const events = Array.from({ length: 70 }, (_, n) => discarded('discover', `reason-${n}`, 1))
	const state = given(dhcpStatistics, [...events, discarded('discover', 'reason-1', 1)])
	const reasons = counted(state).filter(line => line.startsWith('  '))
	assert.is(reasons.length, 65)
	assert.ok(reasons.includes('  other 6'))
	assert.ok(reasons.includes('  reason-1 2'))
})

test('views that were saved and loaded go on like those that were not', () => {
	const events = [
		...[...busy, baselineSet('ip dhcp-local'), discarded('discover', 'no-pool', 2)],
		...[
			warningChanged(false, 1),
			poolSelected('interface'),
			leased('LeaseRenewed', { router: 'b' }),
		],
		...[discarded('request', 'invalid', 1, 'b'), baselineSet('ip dhcp-local'), declined()],
	]
	for (let cut = 0; cut <= events.length; cut++) {
		const before = events.slice(0, cut)
		const after = events.slice(cut)
		assert.equal(
			given(pools, after, savedAndLoaded(pools, given(pools, before))),
			given(pools, events),
		)
		assert.equal(
			given(dhcpStatistics, after, savedAndLoaded(dhcpStatistics, given(dhcpStatistics, before))),
			given(dhcpStatistics, events),
		)
	}
})

test.run()
