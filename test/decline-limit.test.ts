/** One client cannot empty a pool with DHCPDECLINEs: it may take a few addresses out of use in a day. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { parseIpv4 } from '../domain/address.ts'
import { declineHoldMs } from '../domain/lease-message.ts'
import { leaseAt } from '../domain/lease-state.ts'
import { routerState } from '../domain/state.ts'
import {
	type Declines,
	declinersRemembered,
	declinesPerClient,
	mayDecline,
} from '../src/engine/decline-limit.ts'
import { ask, join, machine } from './dhcp-client.ts'
import { ofType } from './relay-invariants.ts'
import { simulatedRelay } from './simulated-relay.ts'

const standalone = `
service dhcp-local standalone
ip dhcp-local pool near
 network 10.0.0.0 255.255.255.0
exit
`

test('what is declined over the limit stays with the client, and is counted', async () => {
	const relay = await simulatedRelay(standalone, { dhcp: machine() })
	const declined: string[] = []
	for (let i = 0; i < declinesPerClient; i++) {
		const { address } = join(relay)
		ask(relay, { type: 'decline', requested: address })
		declined.push(address)
	}
	assert.is(new Set(declined).size, declinesPerClient)
	const { address } = join(relay)
	for (let i = 0; i < 20; i++) {
		assert.is(ask(relay, { type: 'decline', requested: address }), undefined)
		assert.is(join(relay).address, address, 'it is given no other one')
	}
	assert.equal(
		ofType(relay, 'LeaseDeclined').map(({ data }) => data.address),
		declined,
	)
	const { leases } = routerState(relay.state, 'default')
	assert.is(leaseAt(leases, parseIpv4(address)!)?.status, 'bound')
	relay.pass(1100)
	const counted = ofType(relay, 'DhcpDiscarded').map(({ data }) => data)
	assert.equal(
		counted.filter(({ message }) => message === 'decline'),
		[{ message: 'decline', reason: 'too-many-declines', count: 20 }],
	)
	const other = join(relay, { who: 2 }).address
	assert.not([...declined, address].includes(other))
	ask(relay, { type: 'decline', who: 2, requested: other })
	assert.is(ofType(relay, 'LeaseDeclined').at(-1)!.data.address, other, 'each client has its own')
})

test('a decline counts for as long as its address rests', () => {
	const declines: Declines = new Map()
	const hourMs = 3_600_000
	for (let i = 0; i < declinesPerClient; i++) assert.ok(mayDecline(declines, 'a', i * hourMs))
	assert.not(mayDecline(declines, 'a', declineHoldMs - 1))
	assert.ok(mayDecline(declines, 'b', declineHoldMs - 1))
	assert.ok(mayDecline(declines, 'a', declineHoldMs), 'the first one rests no longer')
	assert.not(mayDecline(declines, 'a', declineHoldMs + hourMs - 1))
	assert.ok(mayDecline(declines, 'a', declineHoldMs + hourMs))
})

test('who declined lately is remembered, others are forgotten', () => {
	const declines: Declines = new Map()
	for (let i = 0; i < declinersRemembered + 10; i++) mayDecline(declines, `client ${i}`, i)
	assert.is(declines.size, declinersRemembered)
	assert.not(declines.has('client 9'))
	assert.ok(declines.has('client 10'))
	mayDecline(declines, 'a day later', 2 * declineHoldMs)
	assert.equal([...declines.keys()], ['a day later'])
})

test.run()
