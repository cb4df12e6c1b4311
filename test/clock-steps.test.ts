/**
 * The wall clock is set between two turns of the loop, and what comes next is not a turn: an operator's
 * command, a ping that ends, the stop. It must look at the clocks first, as a turn does; else the step
 * counts as time that has passed, and an address is given away before its time.
 */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { parseIpv4 } from '../domain/address.ts'
import { newDhcpPool } from '../domain/configuration.ts'
import { isTaken, leaseAt } from '../domain/lease-state.ts'
import { routerState } from '../domain/state.ts'
import { clockText } from '../domain/steady.ts'
import { presentTime } from '../src/engine/record.ts'
import { stopEngine } from '../src/engine/stop.ts'
import { openOperator } from '../src/operate.ts'
import { recoverState } from '../src/recover.ts'
import { ask, deliverDhcp, dhcpMessage, join, machine } from './dhcp-client.ts'
import { createLeaseServer } from './lease-server.ts'
import { ofType, settled } from './relay-invariants.ts'
import { type SimulatedRelay, simulatedRelay } from './simulated-relay.ts'

const dayMs = 24 * 3600 * 1000
const standalone = `
service dhcp-local standalone
ip dhcp-local pool near
 network 10.0.0.0 255.255.255.0
 lease 0 1
exit
`

/** Steady time of the latest event, and how far the clocks had come by then, less the steps. */
function assertSteady(relay: SimulatedRelay, passedMs: number): void {
	const last = relay.events().at(-1)!
	const first = relay.events()[0]!
	const steadyMs = last.at - relay.state.clockShiftMs - first.at
	assert.ok(Math.abs(steadyMs - passedMs) <= 1000, `${steadyMs} ms of steady time`)
}

for (const byMs of [dayMs, -dayMs]) {
	test(`a stop right after a step of ${byMs} ms records the step`, async () => {
		const relay = await simulatedRelay(standalone, { dhcp: machine() })
		join(relay)
		relay.pass(2000)
		relay.setClock(byMs)
		await stopEngine(relay.engine, 'test')
		assert.is(ofType(relay, 'ClockStepped')[0]?.data.byMs, byMs)
		// The next process sees that nothing more has happened than 10 s of standstill.
		const journal = relay.journal.restart()
		const state = recoverState(journal, journal, () => undefined)
		assert.is(state.clockShiftMs, byMs)
	})
}

test('what a step is called in the log and in the history', () => {
	const text = (byMs: number, reason: 'step' | 'stopped') => clockText({ byMs, reason })
	const rest = 'leases and sessions last as long as without that.'
	assert.is(text(3_600_000, 'step'), `The clock was set forward by 3600.0 s: ${rest}`)
	assert.is(text(-1500, 'step'), `The clock was set back by 1.5 s: ${rest}`)
	assert.match(text(90_000, 'stopped'), /^For 90\.0 s no relay ran: that time does not count/)
	assert.match(text(-90_000, 'stopped'), /^The clock is 90\.0 s behind the newest event/)
})

test('a command right after a step does not take the step for time', async () => {
	const relay = await simulatedRelay(standalone, { dhcp: machine() })
	join(relay)
	relay.pass(2000)
	relay.setClock(dayMs)
	const view = { state: () => ({}) } as never
	const operator = openOperator({
		engine: relay.engine,
		configurationFile: '/nowhere',
		save() {},
		relayStatistics: view,
		upstreamStatistics: view,
		pools: view,
		dhcpStatistics: view,
		dynamicRequestStatistics: view,
		srcStatistics: view,
		erasures: view,
		mirrors: () => [],
		viewReader: () => undefined,
		startedAt: 0,
	})
	assert.is(await operator.clearBindings('default', 'local', '10.0.0.2'), undefined)
	assert.is(ofType(relay, 'ClockStepped').length, 1)
	assertSteady(relay, 2000)
	// What was cleared is free at once, and not in a day.
	assert.is(join(relay, { who: 2 }).address, '10.0.0.3')
	const { leases } = routerState(relay.state, 'default')
	const steadyAt = presentTime(relay.engine) - relay.state.clockShiftMs
	assert.not(isTaken(leaseAt(leases, parseIpv4('10.0.0.2')!), steadyAt))
	for (const change of ['baseline', 'configure'] as const) {
		relay.setClock(dayMs)
		const done =
			change === 'baseline'
				? operator.baseline('default', 'radius')
				: operator.configure(relay.engine.configuration, {
						virtualRouter: 'default',
						context: '',
						command: 'nothing',
					})
		assert.is(await done, undefined)
		assertSteady(relay, 2000)
	}
})

test('a ping that ends right after a step offers for no longer than it should', async () => {
	const ping = Promise.withResolvers<boolean>()
	const dhcp = machine(() => ping.promise)
	const relay = await simulatedRelay(`${standalone}ip dhcp-local ping\n`, { dhcp })
	const message = { type: 'discover' } as const
	assert.equal(deliverDhcp(relay, dhcpMessage(message), message), [])
	relay.setClock(dayMs)
	ping.resolve(false)
	await settled()
	assert.is(ofType(relay, 'LeaseOffered').length, 1)
	relay.pass(70_000)
	const { leases } = routerState(relay.state, 'default')
	const steadyAt = relay.engine.at - relay.state.clockShiftMs
	assert.not(isTaken(leaseAt(leases, parseIpv4('10.0.0.2')!), steadyAt))
})

test('what was free when it was given back stays so where the clock goes back a little', async () => {
	const relay = await simulatedRelay(standalone, { dhcp: machine() })
	join(relay)
	ask(relay, { type: 'release', ciaddr: '10.0.0.2', unicast: true })
	const { leases } = routerState(relay.state, 'default')
	const steadyAt = relay.engine.at - relay.state.clockShiftMs
	const lease = leaseAt(leases, parseIpv4('10.0.0.2')!)
	assert.not(isTaken(lease, steadyAt))
	// Less than what is recorded as a step: nothing would ever make the address free again.
	assert.not(isTaken(lease, steadyAt - 900))
	relay.setClock(-900)
	await relay.configure(`${standalone}ip dhcp-local excluded-address 10.0.0.99\n`)
	assert.is(relay.engine.dhcp.services.get('default')!.pools.byName.get('near')!.inUse, 0)
})

for (const clockSetMs of [0, dayMs, -dayMs]) {
	test(`a standstill lengthens a lease, however the clock was set meanwhile (${clockSetMs} ms)`, () => {
		const near = { ...newDhcpPool('near'), leaseSeconds: 3600 }
		near.network = { address: '10.0.0.0', mask: '255.255.255.0' }
		const server = createLeaseServer({
			...{ service: 'standalone', pools: [near], excluded: [], ping: false, interfaces: [] },
		})
		const [mac, requested] = ['02-00-00-00-00-01', parseIpv4('10.0.0.2')!]
		server.ask({ message: 'discover', mac, requested })
		server.ask({ message: 'request', kind: 'selecting', mac, requested })
		server.pass(1_800_000)
		// The journal is quiet since the grant: that half an hour is lost, too.
		server.restart(7_200_000, clockSetMs)
		const isOfferedTo = (other: string) => {
			const { reply } = server.ask({ message: 'discover', mac: other, requested })
			return reply?.kind === 'offer' && reply.address === requested
		}
		server.pass(3_590_000)
		assert.not(isOfferedTo('02-00-00-00-00-02'), 'it is held for all of its time')
		server.pass(30_000)
		assert.ok(isOfferedTo('02-00-00-00-00-03'), 'and for no more than that')
	})
}

test.run()
