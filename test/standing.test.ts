/** How a relay stands as its history tells: what a server shows that has nothing but the history. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { openMemoryJournal } from '../adapters/journal/memory.ts'
import type { ViewReader } from '../adapters/views/reader.ts'
import type { EventData, EventType, NewEvent } from '../domain/event.ts'
import { relayStream } from '../domain/event.ts'
import { follow } from '../projections/follow.ts'
import { configurationOf, type Standing, standing } from '../projections/standing.ts'
import { openCounts, relayAsTold } from '../src/relay-as-told.ts'

const nobody = { sessions: new Map(), bound: new Map() }
const started = [
	'hostname campus',
	'virtual-router default',
	'radius authentication server 192.0.2.20',
	' key <secret>',
	'radius authentication server 192.0.2.21',
	'service dhcp-local equal-access',
	'ip dhcp-local pool staff',
	' network 10.1.0.0 255.255.255.0',
	' default-router 10.1.0.1',
	'sscc primary address 192.0.2.30',
	'sscc enable',
]

function of<T extends EventType>(
	type: T,
	data: EventData<T>,
	at = 1,
	router = 'default',
): NewEvent {
	return { stream: relayStream(router), type, v: 1, at, data } as unknown as NewEvent
}

function fold(...events: NewEvent[]): Standing {
	const journal = openMemoryJournal()
	journal.append(events)
	const snapshots = { load: () => [], save: () => {} }
	const following = follow({
		reader: journal,
		snapshots: snapshots as unknown as Parameters<typeof follow>[0]['snapshots'],
		projection: standing,
	})
	following.catchUp()
	return following.state()
}

const start = (at = 1) => of('RelayStarted', { release: '0', configuration: started }, at)
const changed = (context: string, command: string, router = 'default') =>
	of('ConfigurationChanged', { context, command }, 2, router)
const told = (...events: NewEvent[]) => relayAsTold(fold(...events), nobody)

test('servers, SRC and pools are those of the configuration that was in force last', () => {
	const { hostname, upstreams, peers, pools } = told(start())
	assert.is(hostname, 'campus')
	assert.equal(
		upstreams.map(({ server, state, pending }) => [server, state, pending]),
		[
			['192.0.2.20', 'okay', null],
			['192.0.2.21', 'unused', null],
		],
		'without a key a server is not used',
	)
	assert.is(peers[0]!.state, 'waiting')
	assert.equal(
		pools.map(({ pool, size, bound, highWater }) => [pool, size, bound, highWater]),
		[['staff', 253, 0, null]],
	)
})

test('a change of the configuration counts, in its mode and its virtual router', () => {
	const { hostname, virtualRouters, upstreams, pools } = told(
		start(),
		changed('', 'hostname library'),
		changed('ip dhcp-local pool staff', 'network 10.1.0.0 255.255.0.0'),
		changed('', 'no radius authentication server 192.0.2.21'),
		changed('', 'virtual-router guests'),
		changed('', 'radius accounting server 192.0.2.40', 'guests'),
		changed('radius accounting server 192.0.2.40', 'key <secret>', 'guests'),
	)
	assert.is(hostname, 'library')
	assert.is(pools[0]!.size, 65_533)
	assert.equal(
		virtualRouters.map(({ name }) => name),
		['default', 'guests'],
	)
	assert.equal(
		upstreams.map(({ virtualRouter, service, server }) => `${virtualRouter} ${service} ${server}`),
		['default authentication 192.0.2.20', 'guests accounting 192.0.2.40'],
	)
})

test('what is typed a thousand times does not make the text longer', () => {
	const changes = Array.from({ length: 1000 }, (_, i) => changed('', `hostname h${i}`))
	const { lines } = fold(start(), ...changes)
	assert.ok(lines.length < 1000, `${lines.length} lines`)
	const few = changes.slice(0, 256)
	assert.is(fold(start(), ...few).lines.length, started.length + 3 * 256, 'not at every change')
	const anew = fold(start(), ...changes.slice(0, 257))
	assert.ok(anew.lines.length < 30, `${anew.lines.length} lines`)
	assert.is(anew.changes, 0)
	assert.is(configurationOf(lines).hostname, 'h999')
})

test('the state of a server is the newest one that was recorded, until the next start', () => {
	const down = of('UpstreamChanged', {
		...{ service: 'authentication', server: '192.0.2.20', reason: 'Silent.' },
		...({ from: 'okay', to: 'down' } as const),
	})
	assert.is(told(start(), down).upstreams[0]!.state, 'down')
	assert.is(told(start(), down, start(5)).upstreams[0]!.state, 'okay')
})

test('SRC is the server that is asked; rules inside the relay are always there', () => {
	const connected = of('SrcServerChanged', { from: '', to: '192.0.2.30:4222', role: 'primary' })
	const lost = of('SrcServerChanged', { from: '192.0.2.30:4222', to: '' })
	const src = (...events: NewEvent[]) => told(start(), ...events).peers.map(p => [p.name, p.state])
	assert.equal(src(connected), [['192.0.2.30:4222', 'connected']])
	assert.equal(src(connected, lost), [['', 'waiting']])
	assert.equal(src(changed('', 'sscc local rules src.rules')), [['local', 'connected']])
	assert.equal(src(changed('', 'no sscc enable')), [])
})

test('starts of several virtual routers are one, and a later start begins anew', () => {
	const guests = { release: '0', configuration: ['virtual-router guests'] }
	const names = (...events: NewEvent[]) => told(...events).virtualRouters.map(({ name }) => name)
	const both = [start(7), of('RelayStarted', guests, 7, 'guests')]
	assert.equal(names(...both), ['default', 'guests'])
	assert.equal(names(...both, start(8)), ['default'])
})

test('a start in the very millisecond of a stop begins anew, too', () => {
	const stopped = of('RelayStopped', { reason: 'test' }, 7)
	const guests = { release: '0', configuration: ['virtual-router guests'] }
	assert.is(fold(start(7), stopped).stoppedAt, 7)
	const again = fold(start(7), stopped, of('RelayStarted', guests, 7, 'guests'))
	assert.equal([again.startedAt, again.stoppedAt, again.lines], [7, null, guests.configuration])
})

test('a server is one of its virtual router and service, SRC one of its virtual router', () => {
	const turned = (
		to: 'okay' | 'down',
		server = 'a',
		router = 'default',
		service: 'authentication' | 'accounting' = 'authentication',
	) => of('UpstreamChanged', { service, server, from: 'okay', to, reason: '' }, 2, router)
	const { upstreams } = fold(
		start(),
		turned('down'),
		turned('down', 'b'),
		turned('down', 'a', 'guests'),
		turned('down', 'a', 'default', 'accounting'),
		turned('okay'),
	)
	assert.equal(upstreams.map(one => Object.values(one).join(' ')).sort(), [
		'default accounting a down',
		'default authentication a okay',
		'default authentication b down',
		'guests authentication a down',
	])
	const asked = (to: string, router: string) =>
		of(
			'SrcServerChanged',
			to === '' ? { from: 'x', to } : { from: '', to, role: 'primary' },
			2,
			router,
		)
	const both = [asked('one', 'default'), asked('two', 'guests')]
	const src = (...events: NewEvent[]) => fold(start(), ...events).src.map(({ server }) => server)
	assert.equal(src(...both), ['one', 'two'])
	assert.equal(src(...both, asked('three', 'default')), ['two', 'three'])
	assert.equal(src(...both, asked('', 'guests')), ['one'])
})

test('commands that this release does not know are left out, and nothing else', () => {
	const configuration = configurationOf([...started, 'teleport subscribers', 'hostname after'])
	assert.is(configuration.hostname, 'after')
	assert.is(configuration.virtualRouters[0]!.upstream.authentication.length, 2)
})

test('who is on the network and who has addresses is as the read models count', () => {
	const { virtualRouters, pools } = relayAsTold(fold(start()), {
		sessions: new Map([['["default",""]', 12]]),
		bound: new Map([['["default","staff"]', 11]]),
	})
	assert.is(virtualRouters[0]!.sessions, 12)
	assert.is(pools[0]!.bound, 11)
})

test('counting takes a twentieth of the time at most, however long it takes once', () => {
	let now = 0
	let asked = 0
	const reader = {
		query() {
			asked++
			now += 50
			return [{ virtual_router: 'default', name: 'staff', count: asked }]
		},
	} as unknown as ViewReader
	let there: ViewReader | undefined
	const counts = openCounts(
		() => there,
		() => now,
	)
	assert.is(counts().bound.size, 0, 'there are no read models yet')
	there = reader
	const first = counts()
	assert.is(first.bound.get('["default","staff"]'), 2)
	now += 1900
	assert.is(counts(), first)
	now += 200
	assert.is.not(counts(), first)
	assert.is(asked, 4)
})

test.run()
