/** Shadow leases: given what was seen, when a message passes, then what is known of the lease. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { parseIpv4 } from '../domain/address.ts'
import type { NewEvent } from '../domain/event.ts'
import { dueLeases, expiryMarginMs, releaseOfSession } from '../domain/lease-end.ts'
import { everyLease, leaseAt } from '../domain/lease-state.ts'
import {
	type ClientMessage,
	decideClientMessage,
	decideServerMessage,
	endShadows,
	type ServerMessage,
} from '../domain/shadow-lease.ts'
import { evolve, initialState, routerState } from '../domain/state.ts'
import { stateThroughJson } from './state-json.ts'

const ip = (text: string) => parseIpv4(text)!
const alice = '02-00-00-00-00-0A'
const bob = '02-00-00-00-00-0B'
const epoch = 1_800_000_000_000
const noPools = { byName: new Map(), byNetwork: [], excluded: [] }

type Server = Partial<Omit<ServerMessage, 'address'>> & { readonly address?: string }
type Client = Partial<Omit<ClientMessage, 'address'>> & { readonly address?: string }

/** A state that messages and time are applied to; each gives the events that follow. */
function watcher() {
	const state = initialState()
	let at = epoch
	let slice = 0
	const router = () => routerState(state, 'default')
	const context = () => ({ name: 'default', router: router(), at, tellsSrc: true })
	const hardware = (mac: string) => `hw:01${mac.replaceAll('-', '').toLowerCase()}`
	const record = (events: readonly NewEvent[]) => {
		for (const event of events) evolve(state, event)
		return events.map(summary)
	}
	return {
		state,
		answer(message: ServerMessage['message'], mac: string, more: Server = {}) {
			const { address = '10.9.0.20', ...rest } = more
			const answer: ServerMessage = {
				...{ message, mac, client: hardware(mac), leaseSeconds: 600, giaddr: ip('10.9.0.1') },
				...{ server: ip('192.0.2.67'), interface: 'eth1' },
				asked: { address: ip(address), hostname: undefined },
				...rest,
				address: message === 'nak' ? 0 : ip(address),
			}
			return record(decideServerMessage(context(), answer))
		},
		ask(message: ClientMessage['message'], mac: string, more: Client = {}) {
			const { address = '10.9.0.20', ...rest } = more
			const asked: ClientMessage = {
				...{ message, mac, client: hardware(mac), giaddr: 0, interface: 'eth1' },
				hostname: undefined,
				...rest,
				address: ip(address),
			}
			return record(decideClientMessage(context(), asked))
		},
		login(mac: string) {
			const answered = { exchange: 1, client: '10.0.0.1', server: 'a', roundTripUs: 1 }
			const data = { ...answered, mac, wap: '00-11-22-33-44-55' }
			const stream = `subscriber-default.${mac}`
			evolve(state, { stream, type: 'AccessAccepted', v: 1, at, data })
		},
		logout: (mac: string) => record(releaseOfSession(context().router, mac, at)),
		pass(seconds: number) {
			at += seconds * 1000
			const due = dueLeases({ ...context(), steadyAt: at, pools: noPools }, slice, 1000)
			slice = due.next
			return record(due.expired)
		},
		end: () => record(endShadows(context())),
		lease: (address = '10.9.0.20') => leaseAt(context().router.leases, ip(address)),
	}
}

function summary({ type, data }: NewEvent): string {
	const { address, cause, renewed, session, reason } = data as Record<string, unknown>
	const words = [type, address, cause, reason, renewed && 'renewed', session && 'session']
	return words.filter(Boolean).join(' ')
}

test('a DHCPACK is a shadow lease, the next one its renewal', () => {
	const seen = watcher()
	assert.equal(seen.answer('offer', alice), [])
	assert.equal(seen.answer('ack', alice), ['LeaseObserved 10.9.0.20'])
	const lease = seen.lease()!
	assert.equal([lease.mac, lease.status, lease.interface], [alice, 'bound', 'eth1'])
	assert.is(lease.until, epoch + 600_000)
	seen.pass(300)
	// Straight from the server: neither agent nor interface is told, and both stay.
	const past = { giaddr: 0, interface: '' }
	assert.equal(seen.answer('ack', alice, past), ['LeaseObserved 10.9.0.20 renewed'])
	const renewed = seen.lease()!
	assert.equal([renewed.interface, renewed.giaddr], ['eth1', ip('10.9.0.1')])
	assert.is(renewed.until, epoch + 900_000)
})

test('without a renewal it expires, a little later than the client was told; with one it does not', () => {
	const seen = watcher()
	seen.answer('ack', alice)
	seen.pass(500)
	seen.answer('ack', alice)
	assert.equal(seen.pass(598), [])
	assert.equal(seen.pass(2 + expiryMarginMs / 1000 + 5), ['LeaseExpired 10.9.0.20'])
	assert.is(seen.lease()!.status, 'held')
	assert.equal(seen.pass(10_000), [])
})

test('an infinite lease never expires', () => {
	const seen = watcher()
	seen.answer('ack', alice, { leaseSeconds: 0xffff_ffff })
	assert.equal(seen.pass(10 * 365 * 24 * 3600), [])
	assert.is(seen.lease()!.status, 'bound')
})

test('the answer to a DHCPINFORM is no lease', () => {
	const seen = watcher()
	assert.equal(seen.answer('ack', alice, { address: '0.0.0.0', leaseSeconds: undefined }), [])
	assert.equal(seen.answer('ack', alice, { leaseSeconds: undefined }), [])
	assert.equal(seen.answer('ack', alice, { leaseSeconds: 0 }), [])
	assert.is(seen.lease(), undefined)
})

test('a session has its lease, which ends with it; what came before the session does not', () => {
	const seen = watcher()
	seen.login(alice)
	assert.equal(seen.answer('ack', alice), ['LeaseObserved 10.9.0.20 session'])
	assert.equal(seen.answer('ack', bob, { address: '10.9.0.21' }), ['LeaseObserved 10.9.0.21'])
	assert.equal(seen.logout(alice), ['LeaseReleased 10.9.0.20 session'])
	assert.equal(seen.logout(bob), [])
})

test('a client releases and declines what is its own, where it is', () => {
	const seen = watcher()
	seen.answer('ack', alice)
	assert.equal(seen.ask('release', bob), [], 'not his')
	assert.equal(seen.ask('release', alice, { address: '10.9.0.21' }), [], 'not that one')
	assert.equal(seen.ask('release', alice, { interface: 'eth2' }), [], 'not from there')
	assert.equal(seen.ask('request', alice), [])
	assert.equal(seen.ask('release', alice), ['LeaseReleased 10.9.0.20 client'])
	assert.equal(seen.ask('release', alice), [], 'once')
	seen.answer('ack', alice)
	assert.equal(seen.ask('decline', alice), ['LeaseReleased 10.9.0.20 declined'])
})

test('a DHCPNAK ends the lease of the address that was asked for, and no other', () => {
	const seen = watcher()
	seen.answer('ack', alice)
	assert.equal(seen.answer('nak', alice, { address: '10.9.0.30' }), [
		'LeaseRefused 10.9.0.30 external-server',
	])
	assert.equal(seen.answer('nak', bob), ['LeaseRefused 10.9.0.20 external-server'])
	assert.equal(seen.answer('nak', alice, { asked: undefined }), ['LeaseRefused external-server'])
	assert.is(seen.lease()!.status, 'bound')
	assert.equal(seen.answer('nak', alice), [
		'LeaseRefused 10.9.0.20 external-server',
		'LeaseReleased 10.9.0.20 server',
	])
})

test('an address that the server gives to somebody else is no longer the former holder’s', () => {
	const seen = watcher()
	seen.answer('ack', alice)
	assert.equal(seen.answer('ack', bob), [
		'LeaseReleased 10.9.0.20 server',
		'LeaseObserved 10.9.0.20',
	])
	assert.is(seen.lease()!.mac, bob)
})

test('a client with another address, or on another interface, has left the first one', () => {
	const seen = watcher()
	seen.answer('ack', alice)
	assert.equal(seen.answer('ack', alice, { address: '10.9.0.21' }), [
		'LeaseReleased 10.9.0.20 moved',
		'LeaseObserved 10.9.0.21',
	])
	assert.equal(seen.answer('ack', alice, { address: '10.9.0.21', interface: 'eth2' }), [
		'LeaseReleased 10.9.0.21 moved',
		'LeaseObserved 10.9.0.21',
	])
	// Another client identifier is another client of the same machine (RFC 2131 §4.2).
	assert.equal(seen.answer('ack', alice, { client: 'id:00626f6f74' }), ['LeaseObserved 10.9.0.20'])
	assert.is(seen.lease('10.9.0.21')!.status, 'bound')
})

test('a snapshot keeps the server and the session of a shadow', () => {
	const seen = watcher()
	seen.login(alice)
	seen.answer('ack', alice)
	seen.answer('ack', bob, { address: '10.9.0.21' })
	const { leases } = routerState(stateThroughJson(seen.state), 'default')
	assert.equal([...everyLease(leases)], [seen.lease(), seen.lease('10.9.0.21')])
	assert.is(leaseAt(leases, ip('10.9.0.20'))!.server, '192.0.2.67')
	assert.is(leaseAt(leases, ip('10.9.0.20'))!.forSession, true)
})

test('when nobody watches any more, nothing is left', () => {
	const seen = watcher()
	seen.answer('ack', alice)
	seen.answer('ack', bob, { address: '10.9.0.21' })
	assert.equal(seen.end(), ['LeaseReleased 10.9.0.20 operator', 'LeaseReleased 10.9.0.21 operator'])
	assert.equal(seen.end(), [])
})

test.run()
