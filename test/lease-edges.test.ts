/** The edges of the DHCP local server's rules: what else could follow, and must not. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { NewEvent } from '../domain/event.ts'
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
	reboot,
	refusal,
	renew,
	select,
	standalone,
	told,
	types,
} from './lease-client.ts'
import { createLeaseServer } from './lease-server.ts'

const day = 86_400_000

test('who is not logged in any more is refused an offer, and told nothing of an address from before', () => {
	const server = createLeaseServer(equalAccess)
	server.login(alice)
	assert.is(told(discover(server, alice)), 'offer 10.0.0.2')
	server.logout(alice)
	const selected = select(server, alice, '10.0.0.2')
	assert.equal([told(selected), refusal(selected)], ['nak', 'no-session'])
	const rebooted = reboot(server, alice, '10.0.0.2')
	assert.equal([told(rebooted), rebooted.discard], ['', 'no-session'])
	assert.equal(told(renew(server, alice, '10.0.0.2')), 'nak')
})

test('an address of a pool elsewhere is refused to who comes back, free or not', () => {
	const server = createLeaseServer(standalone)
	const rebooted = reboot(server, alice, '10.0.1.5')
	assert.equal([told(rebooted), refusal(rebooted)], ['nak', 'other-network'])
	const linked = createLeaseServer(local('standalone', { ...cable, link: 'beyond' }, beyond))
	assert.is(
		reboot(linked, alice, '10.0.1.5').discard,
		'unknown-lease',
		'of a linked pool it is not',
	)
})

test('what is meant for another server changes nothing here', () => {
	const server = createLeaseServer(standalone)
	const address = ip(lease(server, alice))
	const other = { mac: alice, forUs: false }
	const declined = server.ask({ message: 'decline', requested: address, ...other })
	const released = server.ask({ message: 'release', ciaddr: address, ...other })
	for (const { events, discard } of [declined, released]) {
		assert.equal([events.length, discard], [0, 'other-server'])
	}
})

test('an address that was given back cannot be declined', () => {
	const server = createLeaseServer(standalone)
	const address = ip(lease(server, alice))
	server.ask({ message: 'release', mac: alice, ciaddr: address })
	const declined = server.ask({ message: 'decline', mac: alice, requested: address })
	assert.equal([declined.events.length, declined.discard], [0, 'unknown-lease'])
})

test('INFORM: not without an address; of an address in no pool, the options of the place', () => {
	const server = createLeaseServer(standalone)
	assert.is(server.ask({ message: 'inform', mac: alice }).discard, 'invalid')
	const { reply } = server.ask({ message: 'inform', mac: alice, ciaddr: ip('172.16.0.9') })
	assert.is(reply?.kind === 'inform' && reply.pool.name, 'cable')
	const nowhere = { giaddr: ip('172.16.0.1'), ciaddr: ip('172.16.0.9') }
	assert.is(server.ask({ message: 'inform', mac: alice, ...nowhere }).discard, 'no-pool')
})

test('a full interface still serves those who have an address there', () => {
	const server = createLeaseServer({ ...standalone, limitPerInterface: 1 })
	const address = lease(server, alice)
	assert.is(told(discover(server, alice)), `offer ${address}`)
	assert.is(told(reboot(server, alice, address)), `ack ${address}`)
	assert.is(refusal(discover(server, bob)), 'limit')
	assert.is(told(discover(server, bob, { interface: 'eth1' })), 'offer 10.0.0.3')
})

test('the address that a client has is not pinged, however long it has had it', () => {
	const forEver = local('standalone', { ...cable, leaseSeconds: 0 })
	const server = createLeaseServer(forEver)
	const address = lease(server, alice)
	server.configure({ ...forEver, ping: true })
	server.pass(2 * day)
	assert.is(told(discover(server, alice)), `offer ${address}`)
	assert.is(discover(server, bob).ping, ip('10.0.0.3'))
})

test('an offer to another client identifier, relay agent or interface is made anew', () => {
	for (const changed of [
		{ client: 'id:00aa' },
		{ giaddr: ip('10.0.0.3') },
		{ interface: 'eth1' },
	]) {
		const server = createLeaseServer(equalAccess)
		server.login(alice)
		discover(server, alice)
		assert.equal(types(discover(server, alice).events), [])
		const [event] = discover(server, alice, changed).events
		assert.is(event?.type, 'LeaseOffered', Object.keys(changed)[0])
		const { client, giaddr, interface: on } = event!.data as Record<string, unknown>
		const [value] = Object.values(changed)
		const shown = value === changed.giaddr ? '10.0.0.3' : value
		assert.ok([client, giaddr, on].includes(shown))
	}
})

test('a host name stays known when a renewal does not have it', () => {
	const server = createLeaseServer(standalone)
	const address = lease(server, alice, { hostname: 'phone' })
	const [renewed] = renew(server, alice, address).events
	assert.is((renewed!.data as { hostname?: string }).hostname, 'phone')
	const [again] = renew(server, alice, address, { hostname: 'tablet' }).events
	assert.is((again!.data as { hostname?: string }).hostname, 'tablet')
})

test('a Session-Timeout of 0 bounds no lease', () => {
	const server = createLeaseServer(equalAccess)
	server.login(alice, { sessionTimeoutSeconds: 0 })
	const { reply } = discover(server, alice)
	assert.is(reply?.kind === 'offer' && reply.leaseSeconds, 100)
})

test('the end of a session releases what is leased and offered for it, and nothing else', () => {
	const served = createLeaseServer(equalAccess)
	served.login(alice)
	discover(served, alice)
	served.logout(alice)
	assert.is(types(served.events).at(-1), 'LeaseReleased', 'the offer')
	assert.is(told(served.ask({ message: 'discover', mac: bob })), '')
	served.login(bob)
	assert.is(told(discover(served, bob, { requested: ip('10.0.0.2') })), 'offer 10.0.0.2')
	const plain = createLeaseServer(standalone)
	plain.login(alice)
	lease(plain, alice)
	plain.logout(alice)
	assert.not.ok(types(plain.events).includes('LeaseReleased'))
})

test('a warning is taken back only below the lower threshold', () => {
	const pool = { ...cable, warningHigh: 80, warningAbated: 40 }
	const server = createLeaseServer(local('standalone', pool))
	const clients = [0, 1, 2, 3].map(n => `02-00-00-00-02-0${n}`)
	const addresses = clients.map(mac => lease(server, mac))
	const warnings = () =>
		server.events.flatMap((event: NewEvent) =>
			event.type === 'PoolWarningChanged' ? [`${event.data.high} ${event.data.inUse}`] : [],
		)
	const giveBack = (n: number) => {
		server.ask({ message: 'release', mac: clients[n]!, ciaddr: ip(addresses[n]!) })
		server.pass(1000)
	}
	server.pass(1000)
	assert.equal(warnings(), ['true 4'], '4 of 5 are 80 %')
	giveBack(0)
	giveBack(1)
	assert.equal(warnings(), ['true 4'], '40 % are not less than 40 %')
	giveBack(2)
	assert.equal(warnings(), ['true 4', 'false 1'])
})

test.run()
