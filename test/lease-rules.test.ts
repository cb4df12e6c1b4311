/** The rules of the DHCP local server: given what happened, when a message comes, then what follows. */
import fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { formatIpv4 } from '../domain/address.ts'
import type { DhcpLocal } from '../domain/configuration.ts'
import type { NewEvent } from '../domain/event.ts'
import { addressesEndingIn } from '../domain/lease-deadlines.ts'
import { declineHoldMs } from '../domain/lease-message.ts'
import { offerMs } from '../domain/lease-offer.ts'
import { everyLease, isTaken, type LeaseTable } from '../domain/lease-state.ts'
import { routerState } from '../domain/state.ts'
import {
	alice,
	beyond,
	bob,
	cable,
	discover,
	equalAccess,
	ip,
	lease,
	local,
	pool,
	reboot,
	refusal,
	renew,
	select,
	standalone,
	told,
	types,
} from './lease-client.ts'
import { createLeaseServer, type LeaseServer } from './lease-server.ts'
import { stateThroughJson, stateToJson } from './state-json.ts'

test('DISCOVER and REQUEST: the pool is chosen, an address offered and granted', () => {
	const server = createLeaseServer(standalone)
	const offered = discover(server, alice, { hostname: 'phone' })
	assert.equal(types(offered.events), ['PoolSelected', 'LeaseOffered'])
	assert.is(told(offered), 'offer 10.0.0.2')
	const { data } = server.events[1] as Extract<NewEvent, { type: 'LeaseOffered' }>
	assert.is(data.expiresAt, server.wall() + offerMs)
	assert.is(data.hostname, 'phone')
	const granted = select(server, alice, '10.0.0.2')
	assert.equal(types(granted.events), ['LeaseGranted'])
	assert.is(granted.reply?.kind === 'ack' && granted.reply.leaseSeconds, 100)
	const again = select(server, alice, '10.0.0.2')
	assert.equal(types(again.events), ['LeaseRenewed'], 'the ACK was lost')
})

test('a repeated DISCOVER gets the same offer without another event, until it is half over', () => {
	const server = createLeaseServer(standalone)
	discover(server, alice)
	server.pass(10_000)
	const repeated = discover(server, alice)
	assert.equal([told(repeated), repeated.events.length], ['offer 10.0.0.2', 0])
	server.pass(25_000)
	const prolonged = discover(server, alice)
	assert.equal([told(prolonged), ...types(prolonged.events)], ['offer 10.0.0.2', 'LeaseOffered'])
})

test('an offer keeps its address from others, and lapses', () => {
	const server = createLeaseServer(standalone)
	discover(server, alice)
	assert.is(told(discover(server, bob, { requested: ip('10.0.0.2') })), 'offer 10.0.0.3')
	server.pass(offerMs + 10_000)
	assert.is(
		told(discover(server, '02-00-00-00-00-0C', { requested: ip('10.0.0.2') })),
		'offer 10.0.0.2',
	)
	assert.is(refusal(select(server, alice, '10.0.0.2')), 'not-offered')
})

test('another server was chosen: nothing is said', () => {
	const server = createLeaseServer(standalone)
	discover(server, alice)
	const { discard, reply } = select(server, alice, '10.0.0.2', { forUs: false })
	assert.equal([discard, reply], ['other-server', undefined])
})

test('in a pool: what is reserved, what the client has, what it asks for, what it had, the next free', () => {
	const reservations = [{ address: '10.0.0.6', mac: alice }]
	const server = createLeaseServer(local('standalone', { ...cable, reservations }))
	assert.is(told(discover(server, alice, { requested: ip('10.0.0.3') })), 'offer 10.0.0.6')
	assert.is(told(discover(server, bob, { requested: ip('10.0.0.6') })), 'offer 10.0.0.2')
	const carol = '02-00-00-00-00-0C'
	assert.is(told(discover(server, carol, { requested: ip('10.0.0.4') })), 'offer 10.0.0.4')
	select(server, carol, '10.0.0.4')
	assert.is(told(discover(server, carol, { requested: ip('10.0.0.5') })), 'offer 10.0.0.4')
	server.ask({ message: 'release', mac: carol, ciaddr: ip('10.0.0.4') })
	assert.is(told(discover(server, carol)), 'offer 10.0.0.4', 'its last one')
	select(server, carol, '10.0.0.4')
	server.ask({ message: 'release', mac: carol, ciaddr: ip('10.0.0.4') })
	assert.is(told(discover(server, carol, { requested: ip('10.0.0.5') })), 'offer 10.0.0.5')
	const dave = '02-00-00-00-00-0D'
	assert.is(told(discover(server, dave)), 'offer 10.0.0.3', 'round and round')
})

test('an address in a linked pool stays with its client when the first pool has room again', () => {
	const reservations = [{ address: '10.0.1.6', mac: bob }]
	const linked = { ...cable, link: 'beyond' }
	const server = createLeaseServer(local('standalone', linked, { ...beyond, reservations }))
	const others = Array.from({ length: 5 }, (_, n) => `02-00-00-00-01-0${n}`)
	const taken = others.map(mac => lease(server, mac))
	assert.is(lease(server, alice), '10.0.1.1')
	server.ask({ message: 'release', mac: others[0]!, ciaddr: ip(taken[0]!) })
	assert.is(told(discover(server, alice, { requested: ip(taken[0]!) })), 'offer 10.0.1.1')
	assert.is(told(discover(server, bob)), 'offer 10.0.1.6', 'a reservation there counts, too')
	server.ask({ message: 'release', mac: alice, ciaddr: ip('10.0.1.1') })
	assert.is(told(discover(server, alice)), `offer ${taken[0]}`, 'but not what it only had')
})

test('a full pool: the linked one, then nothing, and that is recorded', () => {
	const linked = { ...cable, link: 'beyond' }
	const circle = { ...beyond, link: 'cable' }
	const server = createLeaseServer(local('standalone', linked, circle))
	const given = new Set<string>()
	for (let n = 0; n < 11; n++)
		given.add(lease(server, `02-00-00-00-01-${String(n).padStart(2, '0')}`))
	assert.is(given.size, 11)
	const none = discover(server, alice)
	assert.equal([told(none), refusal(none)], ['', 'no-address'])
	assert.equal(none.events[0]!.data, {
		...{ mac: alice, client: 'hw:0102000000000a', reason: 'no-address' },
		...{ silent: true, pool: 'cable' },
	})
	const first = server.events.find(({ type }) => type === 'PoolWarningChanged')
	assert.is(first, undefined, 'warnings come with time')
	server.pass(1000)
	const warnings = server.events.flatMap(e => (e.type === 'PoolWarningChanged' ? [e.data] : []))
	assert.equal(warnings, [
		{ pool: 'cable', high: true, inUse: 5, size: 5 },
		{ pool: 'beyond', high: true, inUse: 6, size: 6 },
	])
	server.pass(200_000)
	server.pass(1000)
	const changes = server.events.flatMap(e => (e.type === 'PoolWarningChanged' ? [e.data.high] : []))
	assert.equal(changes, [true, true, false, false])
})

test('equal access: only who is logged in is served, and a subscriber has one address', () => {
	const server = createLeaseServer(equalAccess)
	assert.is(discover(server, alice).discard, 'no-session')
	server.login(alice)
	assert.is(lease(server, alice, { client: 'id:ff01' }), '10.0.0.2')
	assert.is(
		lease(server, alice, { client: 'id:ff02' }),
		'10.0.0.2',
		'its boot loader has another id',
	)
	server.logout(alice)
	assert.equal(types(server.events).slice(-2), ['SubscriberTerminated', 'LeaseReleased'])
	assert.is(refusal(renew(server, alice, '10.0.0.2')), 'no-session')
	server.login(bob)
	assert.is(lease(server, bob, { requested: ip('10.0.0.2') }), '10.0.0.2')
})

test('standalone: client identifiers tell clients of one machine apart, up to a limit', () => {
	const wide = { ...cable, network: { address: '10.0.0.0', mask: '255.255.255.0' } }
	const server = createLeaseServer(local('standalone', wide))
	const given = new Set<string>()
	for (let n = 0; n < 8; n++) given.add(lease(server, alice, { client: `id:ff0${n}` }))
	assert.is(given.size, 8)
	assert.is(refusal(discover(server, alice, { client: 'id:ff08' })), 'too-many-identifiers')
	assert.is(told(discover(server, alice, { client: 'id:ff03' })), 'offer 10.0.0.5')
	const byMac = createLeaseServer(standalone)
	assert.is(lease(byMac, alice, { client: 'id:0102000000000a' }), lease(byMac, alice))
})

test('a session that ends where the lease is not for a session leaves it alone', () => {
	const server = createLeaseServer(standalone)
	server.login(alice)
	const address = lease(server, alice)
	server.logout(alice)
	assert.is(told(renew(server, alice, address)), `ack ${address}`)
})

test("RADIUS' wishes choose pool and address, and bound the lease", () => {
	const server = createLeaseServer(equalAccess)
	server.login(alice, { framedAddress: '10.0.1.5', sessionTimeoutSeconds: 40 })
	const { reply } = discover(server, alice)
	assert.is(reply?.kind === 'offer' && reply.leaseSeconds, 40)
	assert.is(told(select(server, alice, '10.0.1.5')), 'ack 10.0.1.5')
	const selected = server.events.find(({ type }) => type === 'PoolSelected')!
	assert.is((selected.data as { address: string }).address, '10.0.1.5')
	server.login(bob, { framedAddress: '10.0.1.5' })
	assert.match(told(discover(server, bob)), /^offer 10\.0\.1\.[^5]$/)
	const timeless = local('equal-access', { ...cable, leaseSeconds: 0 })
	const other = createLeaseServer(timeless)
	other.login(alice, { sessionTimeoutSeconds: 40 })
	const bounded = discover(other, alice).reply
	assert.is(bounded?.kind === 'offer' && bounded.leaseSeconds, 40)
	other.login(bob)
	lease(other, bob)
	other.pass(10 * 365 * 86_400_000)
	assert.not.ok(types(other.events).includes('LeaseExpired'))
})

test('plain standalone goes by the place alone', () => {
	const server = createLeaseServer(standalone)
	server.login(alice, { framedPool: 'beyond' })
	assert.match(told(discover(server, alice)), /^offer 10\.0\.0\./)
	assert.match(told(discover(server, bob, { giaddr: ip('10.0.1.1') })), /^offer 10\.0\.1\./)
	assert.is(refusal(discover(server, bob, { giaddr: ip('172.16.0.1') })), 'no-pool')
})

test('PoolSelected comes with a new choice, not with a renewal or a return', () => {
	const server = createLeaseServer(standalone)
	const count = () => types(server.events).filter(type => type === 'PoolSelected').length
	const address = lease(server, alice)
	renew(server, alice, address)
	server.pass(200_000)
	lease(server, alice)
	assert.is(count(), 1)
	lease(server, alice, { giaddr: ip('10.0.1.1') })
	assert.is(count(), 2)
})

test('who moves to another network gets another address, and the old one is given back', () => {
	const server = createLeaseServer(standalone)
	const here = lease(server, alice)
	const moved = { giaddr: ip('10.0.1.1'), interface: 'eth1' }
	assert.is(refusal(reboot(server, alice, here, moved)), 'other-network')
	const there = lease(server, alice, moved)
	assert.equal(types(server.events).slice(-2), ['LeaseReleased', 'LeaseGranted'])
	const released = server.events.at(-2) as Extract<NewEvent, { type: 'LeaseReleased' }>
	assert.equal([released.data.cause, released.data.address], ['moved', here])
	assert.match(there, /^10\.0\.1\./)
})

test('who moves gives back what it has, not what is only held for it', () => {
	const gracious = [cable, beyond].map(one => ({ ...one, gracePeriodSeconds: 300 }))
	const server = createLeaseServer(local('standalone', ...gracious))
	discover(server, alice)
	select(server, alice, '10.0.0.2')
	// Its lease is over, and the address is kept for it.
	server.pass(150_000)
	const there = { giaddr: ip('10.0.1.1'), link: ip('10.0.1.1') }
	discover(server, alice, there)
	assert.equal(types(select(server, alice, '10.0.1.1', there).events), ['LeaseGranted'])
	assert.is(told(discover(server, bob)), 'offer 10.0.0.3')
})

test('INIT-REBOOT: the same address, a refusal of what is wrong, silence about what is unknown', () => {
	const server = createLeaseServer(standalone)
	const address = lease(server, alice)
	assert.is(told(reboot(server, alice, address)), `ack ${address}`)
	assert.is(refusal(reboot(server, bob, address)), 'not-yours')
	assert.is(refusal(reboot(server, bob, '172.16.0.9')), 'other-network')
	assert.is(reboot(server, bob, '10.0.0.5').discard, 'unknown-lease')
	server.pass(200_000)
	const back = reboot(server, alice, address)
	assert.equal(types(back.events), ['LeaseGranted'], 'it has expired, and nobody else has it')
})

test('RENEWING: prolonged; refused on another interface, of another, and out of the pools', () => {
	const server = createLeaseServer(standalone)
	const address = lease(server, alice)
	server.pass(50_000)
	const { events } = renew(server, alice, address)
	const [event] = events
	assert.is(event!.type === 'LeaseRenewed' && event!.data.expiresAt, server.wall() + 100_000)
	assert.is(refusal(renew(server, alice, address, { interface: 'eth1' })), 'other-interface')
	assert.is(refusal(renew(server, bob, address)), 'unknown-lease')
	assert.is(refusal(renew(server, bob, '172.16.0.9')), 'outside-pools')
	const rebinding = { kind: 'rebinding' as const }
	assert.is(told(renew(server, alice, address, rebinding)), `ack ${address}`)
	assert.is(renew(server, bob, '172.16.0.9', rebinding).discard, 'unknown-lease')
	server.configure({ ...standalone, excluded: [{ from: address, to: address }] })
	assert.is(refusal(renew(server, alice, address)), 'outside-pools')
})

test('a client behind a relay agent renews without it', () => {
	const server = createLeaseServer(standalone)
	const address = lease(server, alice, { giaddr: ip('10.0.1.1'), interface: 'eth1' })
	const { events, reply } = renew(server, alice, address, { interface: 'eth2' })
	assert.is(reply?.kind, 'ack')
	assert.is((events[0]!.data as { giaddr: string }).giaddr, '10.0.1.1')
})

test('a lease expires, and its address is held for its last holder during the grace period', () => {
	const gracious = { ...cable, gracePeriodSeconds: 300 }
	const server = createLeaseServer(local('standalone', gracious))
	const address = lease(server, alice)
	server.pass(99_000)
	assert.not.ok(types(server.events).includes('LeaseExpired'))
	server.pass(12_000)
	assert.ok(types(server.events).includes('LeaseExpired'))
	assert.is.not(told(discover(server, bob, { requested: ip(address) })), `offer ${address}`)
	assert.is(told(discover(server, alice)), `offer ${address}`)
	server.pass(400_000)
	const carol = '02-00-00-00-00-0C'
	assert.is(told(discover(server, carol, { requested: ip(address) })), `offer ${address}`)
})

test('DECLINE takes an address out of use for a day; only its holder can', () => {
	const server = createLeaseServer(standalone)
	const address = lease(server, alice)
	const decline = (mac: string) => server.ask({ message: 'decline', mac, requested: ip(address) })
	assert.is(decline(bob).discard, 'unknown-lease')
	assert.equal(types(decline(alice).events), ['LeaseDeclined'])
	const other = told(discover(server, alice, { requested: ip(address) })).slice('offer '.length)
	assert.is.not(other, address)
	select(server, alice, other)
	assert.is(decline(alice).discard, 'unknown-lease')
	server.pass(declineHoldMs + 10_000)
	assert.is(told(discover(server, bob, { requested: ip(address) })), `offer ${address}`)
})

test('RELEASE is taken from its holder only', () => {
	const server = createLeaseServer(standalone)
	const address = lease(server, alice)
	const release = (mac: string) => server.ask({ message: 'release', mac, ciaddr: ip(address) })
	assert.is(release(bob).discard, 'unknown-lease')
	assert.equal(types(release(alice).events), ['LeaseReleased'])
	assert.is(release(alice).discard, 'unknown-lease')
})

test('INFORM gets the options of the pool where the address is, without a lease', () => {
	const server = createLeaseServer(equalAccess)
	const inform = () => server.ask({ message: 'inform', mac: alice, ciaddr: ip('10.0.1.3') })
	assert.is(inform().discard, 'no-session')
	server.login(alice)
	const { reply, events } = inform()
	assert.is(reply?.kind === 'inform' && reply.pool.name, 'beyond')
	assert.equal(events, [])
})

test('the limit of an interface counts clients who have an address', () => {
	const server = createLeaseServer({ ...standalone, limitPerInterface: 2 })
	const address = lease(server, alice)
	discover(server, bob)
	discover(server, '02-00-00-00-00-0C')
	assert.is(told(select(server, bob, '10.0.0.3')), 'ack 10.0.0.3')
	assert.is(refusal(select(server, '02-00-00-00-00-0C', '10.0.0.4')), 'limit')
	assert.is(refusal(discover(server, '02-00-00-00-00-0D')), 'limit')
	assert.is(told(renew(server, alice, address)), `ack ${address}`)
	server.ask({ message: 'release', mac: alice, ciaddr: ip(address) })
	assert.match(told(discover(server, '02-00-00-00-00-0D')), /^offer/)
})

test('an address is tried before it is offered, unless it is its own of lately', () => {
	const server = createLeaseServer({ ...standalone, ping: true })
	const first = discover(server, alice)
	assert.equal([first.ping, told(first), first.events.length], [ip('10.0.0.2'), '', 0])
	const silent = { silent: ip('10.0.0.2') }
	assert.is(told(discover(server, alice, silent)), 'offer 10.0.0.2')
	select(server, alice, '10.0.0.2')
	assert.is(told(discover(server, alice)), 'offer 10.0.0.2', 'it would answer itself')
	server.ask({ message: 'release', mac: alice, ciaddr: ip('10.0.0.2') })
	assert.is(told(discover(server, alice)), 'offer 10.0.0.2', 'seen lately')
	server.ask({ message: 'request', kind: 'selecting', mac: alice, requested: ip('10.0.0.2') })
	server.pass(200_000)
	server.pass(3 * 86_400_000)
	assert.is(discover(server, alice).ping, ip('10.0.0.2'))
})

test('a clock that is set forwards ends no lease, one that is set back keeps none', () => {
	const server = createLeaseServer(standalone)
	lease(server, alice)
	server.setClock(365 * 86_400_000)
	server.pass(1000)
	assert.is(types(server.events).filter(type => type === 'LeaseExpired').length, 0)
	server.setClock(-2 * 365 * 86_400_000)
	server.pass(90_000)
	assert.is(types(server.events).filter(type => type === 'LeaseExpired').length, 0)
	server.pass(20_000)
	assert.is(types(server.events).filter(type => type === 'LeaseExpired').length, 1)
	assert.is(types(server.events).filter(type => type === 'ClockStepped').length, 2)
})

// ---- nobody has an address twice

type Step =
	| { kind: 'discover' | 'select' | 'reboot' | 'renew' | 'release' | 'decline'; who: number }
	/** Wants exactly what another one has. */
	| { kind: 'covet'; who: number; whose: number }
	/** Discovers and selects. */
	| { kind: 'join' | 'login' | 'logout'; who: number }
	| { kind: 'pass' | 'set-clock'; ms: number }
	| { kind: 'restart'; stoppedMs: number; clockSetMs: number }
	| { kind: 'configure'; which: number }

const clients = 7
const who = fc.nat({ max: clients - 1 })
const jump = fc.oneof(
	fc.integer({ min: -900, max: 900 }),
	fc.integer({ min: -400_000, max: 400_000 }),
	fc.constantFrom(-1e11, 1e11),
)
const step: fc.Arbitrary<Step> = fc.oneof(
	{
		weight: 12,
		arbitrary: fc.record({
			kind: fc.constantFrom('discover', 'select', 'reboot', 'renew', 'release', 'decline'),
			who,
		}) as fc.Arbitrary<Step>,
	},
	{ weight: 12, arbitrary: fc.record({ kind: fc.constant('join' as const), who }) },
	{
		weight: 10,
		arbitrary: fc.record({ kind: fc.constant('covet' as const), who, whose: who }),
	},
	{
		weight: 3,
		arbitrary: fc.record({ kind: fc.constantFrom('login', 'logout'), who }) as fc.Arbitrary<Step>,
	},
	{
		weight: 4,
		arbitrary: fc.record({
			kind: fc.constant('pass' as const),
			ms: fc.constantFrom(500, 500, 5000, 70_000, 130_000),
		}),
	},
	{ weight: 3, arbitrary: fc.record({ kind: fc.constant('set-clock' as const), ms: jump }) },
	{
		weight: 2,
		arbitrary: fc.record({
			kind: fc.constant('restart' as const),
			stoppedMs: fc.constantFrom(0, 5000, 80_000, 1_000_000),
			clockSetMs: jump,
		}),
	},
	{
		weight: 1,
		arbitrary: fc.record({ kind: fc.constant('configure' as const), which: fc.nat({ max: 3 }) }),
	},
)

function configurations(service: DhcpLocal['service']): DhcpLocal[] {
	const reservations = [{ address: '10.0.0.3', mac: macOf(1) }]
	const linked = { ...cable, link: 'beyond', reservations, gracePeriodSeconds: 60 }
	const circle = { ...beyond, link: 'cable' }
	const small = { from: '10.0.0.4', to: '10.0.1.3' }
	return [
		local(service, linked, circle),
		{ ...local(service, linked, circle), excluded: [small] },
		local(service, { ...cable, leaseSeconds: 300 }),
		local(
			service,
			pool('other', '10.0.0.0', { network: { address: '10.0.0.0', mask: '255.255.254.0' } }),
		),
	]
}

function macOf(n: number): string {
	return `02-00-00-00-00-0${n}`
}

/** What each client believes to have, and until when in real time. */
type Belief = { offered?: string; address?: string; until: number }

function run(service: DhcpLocal['service'], steps: readonly Step[]): LeaseServer {
	const settings = configurations(service)
	const server = createLeaseServer(settings[0]!)
	const beliefs: Belief[] = Array.from({ length: clients }, () => ({ until: 0 }))
	for (let n = 0; n < clients; n++) if (n % 2 === 0) server.login(macOf(n))
	for (const each of steps) {
		take(server, settings, beliefs, each)
		assertOneHolder(server, beliefs)
	}
	return server
}

function take(server: LeaseServer, settings: DhcpLocal[], beliefs: Belief[], step: Step): void {
	switch (step.kind) {
		case 'pass':
			server.pass(step.ms)
			return
		case 'set-clock':
			server.setClock(step.ms)
			return
		case 'restart':
			server.restart(step.stoppedMs, step.clockSetMs)
			return
		case 'configure':
			server.configure(settings[step.which]!)
			return
		case 'login':
			server.login(macOf(step.who))
			return
		case 'logout':
			server.logout(macOf(step.who))
			// Off the network: it has no address any more.
			beliefs[step.who] = { until: 0 }
			return
		case 'covet': {
			const { address } = beliefs[step.whose]!
			if (address === undefined) return
			const mac = macOf(step.who)
			const { reply } = discover(server, mac, { requested: ip(address) })
			if (reply?.kind === 'offer') beliefs[step.who]!.offered = formatIpv4(reply.address)
			talk(server, beliefs[step.who]!, 'select', mac)
			return
		}
		case 'join':
			talk(server, beliefs[step.who]!, 'discover', macOf(step.who))
			talk(server, beliefs[step.who]!, 'select', macOf(step.who))
			return
		default:
			talk(server, beliefs[step.who]!, step.kind, macOf(step.who))
	}
}

function talk(server: LeaseServer, belief: Belief, kind: string, mac: string): void {
	const address = belief.address ?? '10.0.0.2'
	const begun = server.truth()
	switch (kind) {
		case 'discover': {
			const { reply } = discover(server, mac, { requested: ip(address) })
			if (reply?.kind === 'offer') belief.offered = formatIpv4(reply.address)
			return
		}
		case 'release':
			server.ask({ message: 'release', mac, ciaddr: ip(address) })
			delete belief.address
			return
		case 'decline':
			server.ask({ message: 'decline', mac, requested: ip(address) })
			delete belief.address
			return
		default: {
			const { reply } =
				kind === 'select'
					? select(server, mac, belief.offered ?? address)
					: kind === 'reboot'
						? reboot(server, mac, address)
						: renew(server, mac, address)
			if (reply?.kind === 'nak') delete belief.address
			if (reply?.kind !== 'ack') return
			belief.address = formatIpv4(reply.address)
			belief.until = begun + reply.leaseSeconds * 1000
		}
	}
}

function assertOneHolder(server: LeaseServer, beliefs: readonly Belief[]): void {
	const holders = new Set<string>()
	for (const { address, until } of beliefs) {
		if (address === undefined || until <= server.truth()) continue
		assert.not.ok(holders.has(address), `${address} has two holders`)
		holders.add(address)
	}
}

for (const service of ['standalone', 'equal-access'] as const) {
	test(`${service}: no address has two holders, whatever happens`, () => {
		fc.assert(
			fc.property(fc.array(step, { minLength: 20, maxLength: 120 }), steps => {
				const server = run(service, steps)
				assertInStep(server)
			}),
			{ numRuns: 250 },
		)
	})
}

test('a long lease does not keep a shorter one, that comes after it, from its end', () => {
	const long = pool('long', '10.0.0.0', { leaseSeconds: 86_400 })
	const short = pool('short', '10.0.1.0', { leaseSeconds: 60 })
	const server = createLeaseServer(local('standalone', long, short))
	const there = { giaddr: ip('10.0.1.6'), link: ip('10.0.1.6') }
	const offered = told(discover(server, alice)).slice('offer '.length)
	select(server, alice, offered)
	// Nothing is due for so long that the empty slices are passed over.
	server.pass(600_000)
	select(server, bob, told(discover(server, bob, there)).slice('offer '.length), there)
	server.pass(70_000)
	server.pass(1000)
	assert.equal(
		server.events.filter(({ type }) => type === 'LeaseExpired').map(({ stream }) => stream),
		[`subscriber-default.${bob}`],
	)
})

test('a request from before the client took another address takes that one from nobody', () => {
	const server = createLeaseServer(standalone)
	const there = { giaddr: ip('10.0.1.6'), link: ip('10.0.1.6') }
	discover(server, alice, there)
	server.pass(10)
	discover(server, alice)
	server.pass(10)
	assert.is(told(select(server, alice, '10.0.0.2')), 'ack 10.0.0.2')
	server.pass(500)
	// Doubled on its way, or late: the client has gone on.
	assert.is(select(server, alice, '10.0.1.1', there).discard, 'late')
	// A new offer can be accepted: the client has really moved.
	server.pass(500)
	discover(server, alice, there)
	server.pass(10)
	assert.is(told(select(server, alice, '10.0.1.1', there)), 'ack 10.0.1.1')
	assert.equal(types(server.events).slice(-2), ['LeaseReleased', 'LeaseGranted'])
})

test('a doubled request for an address that was left behind takes the next one from nobody', () => {
	const server = createLeaseServer(standalone)
	const there = { giaddr: ip('10.0.1.6'), link: ip('10.0.1.6') }
	discover(server, alice, there)
	assert.is(told(select(server, alice, '10.0.1.1', there)), 'ack 10.0.1.1')
	server.pass(100)
	discover(server, alice)
	assert.is(told(select(server, alice, '10.0.0.2')), 'ack 10.0.0.2')
	assert.equal(types(server.events).slice(-2), ['LeaseReleased', 'LeaseGranted'])
	server.pass(500)
	assert.is(select(server, alice, '10.0.1.1', there).discard, 'late')
	// Whoever comes back for it says so as long as nobody else has it: by a new DHCPDISCOVER.
	server.pass(500)
	assert.is(told(discover(server, alice, there)), 'offer 10.0.1.1')
	assert.is(told(select(server, alice, '10.0.1.1', there)), 'ack 10.0.1.1')
})

/** As many addresses as the pool has, offered to made-up MACs, one a second. */
function useUp(server: LeaseServer, addresses: number): string[] {
	return Array.from({ length: addresses }, (_, i) => {
		if (i > 0) server.pass(1000)
		return told(discover(server, `02-00-00-00-01-0${i}`))
	})
}

test('where no address is left, the oldest offer that nobody took goes to who asks now', () => {
	const server = createLeaseServer(local('standalone', cable))
	// The second one takes its address: that is no offer any more.
	assert.is(useUp(server, 2).at(-1), 'offer 10.0.0.3')
	select(server, '02-00-00-00-01-01', '10.0.0.3')
	useUp(server, 5)
	assert.is(
		discover(server, bob).events[0]!.type,
		'LeaseRefused',
		'the others may still want theirs',
	)
	server.pass(6000)
	const reclaimed = discover(server, bob)
	assert.is(told(reclaimed), 'offer 10.0.0.2')
	assert.is(reclaimed.reclaimed, true)
	assert.is(told(select(server, '02-00-00-00-01-00', '10.0.0.2')), 'nak', 'too late')
	assert.is(told(select(server, bob, '10.0.0.2')), 'ack 10.0.0.2')
	// A restart knows the order of the offers, too.
	server.restart(0, 0)
	server.pass(20_000)
	const next = Array.from({ length: 4 }, (_, i) => told(discover(server, `02-00-00-00-02-0${i}`)))
	assert.equal(next, ['offer 10.0.0.4', 'offer 10.0.0.5', 'offer 10.0.0.6', ''])
	assertInStep(server)
})

test('what was offered and never taken is free again after a minute, whoever asked for it', () => {
	const server = createLeaseServer(local('standalone', cable))
	useUp(server, 5)
	assert.is(server.pools().byName.get('cable')!.inUse, 5)
	server.pass(offerMs + 10_000)
	assert.is(server.pools().byName.get('cable')!.inUse, 0)
	assert.is(server.pools().byName.get('cable')!.offered.size, 0)
	assert.is(discover(server, bob).reclaimed, undefined)
})

function deadlinesOf(leases: LeaseTable): unknown {
	const slices = [...leases.deadlines.keys()].sort((a, b) => a - b)
	return slices.map(slice => [slice, addressesEndingIn(leases, slice).sort((a, b) => a - b)])
}

/** The state is its journal's, a snapshot's too; the pools say of every address what the leases say. */
function assertInStep(server: LeaseServer): void {
	const json = stateToJson(server.state())
	const restored = stateThroughJson(server.state())
	assert.equal(stateToJson(restored), json)
	const { leases } = routerState(server.state(), 'default')
	const again = routerState(restored, 'default').leases
	assert.equal(deadlinesOf(again), deadlinesOf(leases))
	assert.equal(again.boundOn, leases.boundOn)
	server.pass(0)
	server.restart(0, 0)
	const steadyAt = server.wall() - server.state().clockShiftMs
	for (const { free, network, size, inUse, reserved } of server.pools().byNetwork) {
		let taken = 0
		for (const lease of everyLease(routerState(server.state(), 'default').leases)) {
			const offset = lease.address - network
			if (offset < 0 || offset >= free.size || !isTaken(lease, steadyAt)) continue
			taken++
			const bit = free.levels[0]![offset >>> 5]! & (1 << (offset & 31))
			assert.is(bit, 0, `${formatIpv4(lease.address)} is taken and free`)
		}
		assert.ok(inUse <= taken && inUse <= size && free.count + inUse <= size + reserved.size)
	}
}

test.run()
