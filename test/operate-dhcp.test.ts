/** The DHCP server's commands, typed at a running relay: what is recorded and what is shown. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { formatIpv4 } from '../domain/address.ts'
import { everyLease } from '../domain/lease-state.ts'
import { routerState } from '../domain/state.ts'
import { recordDurably } from '../src/engine/commit.ts'
import { leased, start } from './dhcp-events.ts'
import { type OperatedRelay, operatedRelay } from './operated-relay.ts'

const campus = `
ip dhcp-local excluded-address 10.1.0.200 10.1.0.255
ip dhcp-local pool campus
 network 10.1.0.0 255.255.255.0
 default-router 10.1.0.1
exit
`

/** `count` addresses from 10.1.0.10 on, each of another client, granted now. */
async function grant(relay: OperatedRelay, count: number): Promise<void> {
	const now = relay.engine.parts.clock.wall()
	const events = Array.from({ length: count }, (_, n) => {
		const digits = n.toString(16).toUpperCase().padStart(4, '0')
		const mac = `02-00-00-00-${digits.slice(0, 2)}-${digits.slice(2)}`
		const address = formatIpv4(0x0a01000a + n)
		return leased('LeaseGranted', { mac, address, at: (now - start) / 1000 })
	})
	await recordDurably(relay.engine, events)
}

test('an operator takes one address back, which is recorded and can be given again', async () => {
	const relay = await operatedRelay(campus)
	await grant(relay, 2)
	const before = await relay.type('show ip dhcp-local binding')
	assert.is(before.lines.length, 6)
	assert.ok((await relay.type('clear ip dhcp-local binding 10.1.0.10')).ok)
	const { type, data, stream } = relay.journal.read(relay.journal.last(), 1)[0]!
	assert.is(type, 'LeaseReleased')
	assert.is(stream, 'subscriber-default.02-00-00-00-00-00')
	assert.match(JSON.stringify(data), '"address":"10.1.0.10","cause":"operator"')
	const { lines } = await relay.type('show ip dhcp-local binding')
	assert.is(lines.length, 5)
	assert.match(lines.at(-1) ?? '', /^10\.1\.0\.11 /)
	const again = await relay.type('clear ip dhcp-local binding 10.1.0.10')
	assert.equal(again.lines, [
		'% Nobody has 10.1.0.10; "show ip dhcp-local binding" lists the addresses in use.',
	])
})

test('all addresses are taken back, a part at a time, and nothing is recorded where there are none', async () => {
	const relay = await operatedRelay(campus)
	await grant(relay, 1100)
	assert.ok((await relay.type('clear ip dhcp-local binding all')).ok)
	const released = relay.events().filter(event => event.type === 'LeaseReleased')
	assert.is(released.length, 1100)
	for (const lease of everyLease(routerState(relay.state, 'default').leases)) {
		assert.is(lease.status, 'held')
		assert.ok(lease.until <= relay.engine.parts.clock.wall() - relay.state.clockShiftMs)
	}
	const last = relay.journal.last()
	assert.ok((await relay.type('clear ip dhcp-local binding all')).ok)
	assert.is(relay.journal.last(), last)
})

test('the size of a pool is what the server can give, whether it runs or not', async () => {
	for (const service of ['', 'service dhcp-local standalone\n']) {
		const relay = await operatedRelay(campus + service)
		await grant(relay, 5)
		const { lines } = await relay.type('show ip dhcp-local pool campus')
		// Hosts 1 to 199, less the default router.
		assert.ok(lines.includes('Size               198'), lines.join('\n'))
		assert.ok(lines.includes('In Use             5 (2 %)'), lines.join('\n'))
		const table = await relay.type('show ip dhcp-local pool | include campus')
		assert.is(table.lines.length, 1)
	}
})

test('a baseline is recorded, and statistics count from it on', async () => {
	const relay = await operatedRelay(campus)
	await grant(relay, 3)
	assert.ok((await relay.type('baseline ip dhcp-local')).ok)
	await grant(relay, 1)
	const { lines } = await relay.type('show ip dhcp-local statistics delta')
	assert.ok(lines.includes('Acks Sent           1'), lines.join('\n'))
	assert.match(lines.at(-1) ?? '', /^Statistics baseline set /)
	const { lines: total } = await relay.type('show ip dhcp-local statistics')
	assert.ok(total.includes('Acks Sent           4'))
})

test.run()
