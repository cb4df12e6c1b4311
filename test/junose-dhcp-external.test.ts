/** The commands of the DHCP external server, and what they show. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { NewEvent } from '../domain/event.ts'
import { configurationText, parseConfiguration } from '../domain/junose/configuration-text.ts'
import { execute, newSession } from '../domain/junose/session.ts'
import { evolve, initialState } from '../domain/state.ts'
import { dhcpStatistics } from '../projections/dhcp-statistics.ts'
import { bindingsText, dhcpExternalStatisticsText } from '../projections/dhcp-text.ts'
import { withPositions } from '../projections/follow.ts'
import { fakeOperator, screenOf, typeLines } from './fake-operator.ts'

const global = ['configure terminal']
const chosenElsewhere =
	'% The DHCP external server of virtual router default chooses the addresses, so that neither the relay nor RADIUS nor SRC selects a pool; enter "no service dhcp-external" first.'

/** The last line's sentences; the lines before it are accepted. */
async function said(...lines: readonly string[]): Promise<readonly string[]> {
	return (await typeLines(fakeOperator(), lines)).last.lines
}

function errorsOf(text: string): readonly string[] {
	const result = parseConfiguration(text, 'f')
	return 'errors' in result ? result.errors.map(({ line, message }) => `${line}: ${message}`) : []
}

test('a server is configured, shown and read back', async () => {
	const operator = fakeOperator()
	const screen = await screenOf(
		operator,
		...[...global, 'ip dhcp-external server-address 192.0.2.67'],
		...['ip dhcp-external server-address 192.0.2.68', 'ip dhcp-external interface eth1'],
		...['ip dhcp-external trust-all', 'service dhcp-external', 'end', 'show configuration'],
	)
	const shown = screen.slice(screen.indexOf('virtual-router default'))
	assert.is(
		shown.split('\n').slice(0, 6).join('\n'),
		`virtual-router default
ip dhcp-external server-address 192.0.2.67
ip dhcp-external server-address 192.0.2.68
ip dhcp-external interface eth1
ip dhcp-external trust-all
service dhcp-external`,
	)
	const text = configurationText(operator.configuration())
	const read = parseConfiguration(text, 'f')
	assert.equal('errors' in read ? read.errors : read.configuration, operator.configuration())
	const { last } = await typeLines(operator, ['show ip dhcp-external configuration'])
	assert.equal(last.lines.slice(2), [
		'Service: enabled',
		'Server Addresses: 192.0.2.67 192.0.2.68',
		'Interfaces: eth1',
		'Option 82 Of Clients: passed on',
	])
	await typeLines(operator, [
		...[...global, 'no service dhcp-external', 'no ip dhcp-external server-address 192.0.2.67'],
		...['no ip dhcp-external server-address', 'no ip dhcp-external interface eth1'],
		'no ip dhcp-external trust-all',
	])
	assert.equal(operator.configuration(), fakeOperator().configuration())
})

test('local and external server exclude each other', async () => {
	assert.equal(await said(...global, 'service dhcp-local standalone', 'service dhcp-external'), [
		'% Virtual router default is a DHCP local server, and cannot watch an external one as well; enter "no service dhcp-local" first.',
	])
	const external = [...global, 'service dhcp-external']
	assert.equal(await said(...external, 'service dhcp-local equal-access'), [chosenElsewhere])
	assert.equal(await said(...external, 'service dhcp-local standalone'), [chosenElsewhere])
})

test('nobody selects a pool where an external server chooses', async () => {
	assert.equal(await said(...global, 'service dhcp-external', 'ip dhcp-local pool campus'), [
		chosenElsewhere,
	])
	const [warning] = await said(
		...global,
		'ip dhcp-local pool campus',
		'exit',
		'service dhcp-external',
	)
	assert.match(warning ?? '', 'stay configured and give no addresses')
	const [refused] = errorsOf('service dhcp-external\nip dhcp-local pool a\n')
	assert.is(refused, `2: ${chosenElsewhere.slice(2)}`)
	// Pools that were there before are written before the service: such a file can be read again.
	assert.equal(
		errorsOf('ip dhcp-local pool a\n network 10.0.0.0 255.0.0.0\nservice dhcp-external'),
		[],
	)
})

test('SRC that would select pools is told that it selects none', async () => {
	const sentence =
		'The DHCP external server of virtual router default chooses the addresses: SRC is told of them, and selects no pool.'
	const external = [...global, 'service dhcp-external']
	for (const line of ['sscc enable', 'sscc local rules src.rules']) {
		assert.match((await said(...external, line)).join(' '), sentence)
		assert.not.match((await said(...global, line)).join(' '), 'external')
	}
})

test('two virtual routers do not share the clients of an interface', () => {
	const both = 'service dhcp-external\nvirtual-router b\nservice dhcp-local standalone\n'
	assert.match(errorsOf(both)[0] ?? '', 'would both serve the DHCP clients of every interface')
	const named = 'ip dhcp-external interface eth1\n'
	assert.equal(errorsOf(`${named}${both}`), [])
})

test('what cannot be is refused with a sentence', async () => {
	const servers = [1, 2, 3, 4].map(n => `ip dhcp-external server-address 192.0.2.${n}`)
	assert.equal(await said(...global, ...servers, 'ip dhcp-external server-address 192.0.2.5'), [
		'% There are at most 4 DHCP servers; delete one first.',
	])
	assert.equal(await said(...global, 'no ip dhcp-external server-address 192.0.2.5'), [
		'% There is no DHCP server 192.0.2.5; "show configuration" lists those there are.',
	])
	assert.equal(await said(...global, 'no ip dhcp-external interface eth1'), [
		'% The interface eth1 is not named; "show configuration" lists those that are.',
	])
})

test('show, baseline and clear reach the relay', async () => {
	const operator = fakeOperator()
	await typeLines(operator, [
		...['show ip dhcp-external binding', 'show ip dhcp-external binding 10.9.0.9'],
		...['show ip dhcp-external binding mac 0200.0000.0001'],
		...['show ip dhcp-external statistics', 'show ip dhcp-external statistics delta'],
		...['baseline ip dhcp-external', 'clear ip dhcp-external binding all'],
		'clear ip dhcp-external binding 10.9.0.9',
	])
	assert.equal(
		operator.shown.map(([, what]) => what),
		[
			{ kind: 'dhcp-bindings', server: 'external' },
			{ kind: 'dhcp-bindings', server: 'external', address: '10.9.0.9' },
			{ kind: 'dhcp-bindings', server: 'external', mac: '02-00-00-00-00-01' },
			{ kind: 'dhcp-statistics', server: 'external', delta: false },
			{ kind: 'dhcp-statistics', server: 'external', delta: true },
		],
	)
	assert.equal(operator.baselines, ['default: ip dhcp-external'])
	assert.equal(operator.cleared, ['default: external all', 'default: external 10.9.0.9'])
	assert.not.ok((await execute(newSession('user'), 'show ip dhcp-external binding', operator)).ok)
})

// ---- What is shown ----

const mac = '02-00-00-00-00-0A'
const start = 1_080_932_512_000
const lease = { mac, client: 'hw:0102000000000a', pool: '', address: '10.9.0.20' }

function events(): NewEvent[] {
	const stream = `subscriber-default.${mac}`
	const relay = 'relay-default'
	const { pool: _, ...observed } = lease
	const ack = {
		...observed,
		...{ leaseSeconds: 600, expiresAt: start + 600_000, server: '192.0.2.67' },
		...{ interface: 'eth1', giaddr: '10.9.0.1' },
	}
	const ended = { ...lease, heldUntil: start }
	const of = <T extends NewEvent['type']>(type: T, stream: string, data: unknown) =>
		({ stream, type, v: 1, at: start, data }) as NewEvent
	return [
		of('DhcpForwarded', relay, { message: 'discover', count: 3 }),
		of('DhcpForwarded', relay, { message: 'ack', count: 2 }),
		of('DhcpForwarded', relay, { message: 'ack', count: 4, seen: true }),
		of('DhcpDiscarded', relay, { message: 'other', reason: 'hops', count: 5, external: true }),
		of('LeaseObserved', stream, ack),
		of('LeaseObserved', stream, { ...ack, renewed: true }),
		of('LeaseRefused', stream, { ...observed, reason: 'external-server' }),
		of('LeaseReleased', stream, { ...ended, cause: 'server' }),
		of('LeaseReleased', stream, { ...ended, cause: 'client' }),
		of('LeaseReleased', stream, { ...ended, cause: 'session' }),
		of('LeaseExpired', stream, ended),
		of('LeaseObserved', stream, ack),
	]
}

test('statistics of the external server are its own, and have a baseline of their own', () => {
	const state = dhcpStatistics.initial()
	const baseline: NewEvent = {
		...{ stream: 'relay-default', type: 'BaselineSet', v: 1, at: start },
		data: { scope: 'ip dhcp-external' },
	}
	for (const event of withPositions(1, [...events(), baseline])) dhcpStatistics.fold(state, event)
	const query = { virtualRouter: 'default', delta: false }
	const counted = (lines: readonly string[]) =>
		lines
			.slice(4)
			.filter(line => / [1-9]\d*$/.test(line))
			.map(line => line.replace(/ {2,}(?=\d)/, ' '))
	assert.equal(counted(dhcpExternalStatisticsText(state, query)), [
		...['Discovers Forwarded 3', 'Acks Forwarded 2', 'Messages Seen Passing 4'],
		...['Leases Observed 2', 'Renewals Observed 1', 'Leases Released 1', 'Leases Refused 1'],
		...['Leases Expired 1', 'Leases Terminated 1', 'Messages Discarded 5', '  hops 5'],
	])
	assert.equal(counted(dhcpExternalStatisticsText(state, { ...query, delta: true })), [])
	assert.equal(state.routers, [], 'nothing is counted for the local server')
})

test('bindings of the external server name it, and are not among the local ones', () => {
	const state = initialState()
	for (const event of events()) evolve(state, event)
	const query = { virtualRouter: 'default', now: start + 60_000 }
	assert.equal(bindingsText(state, { ...query, server: 'external' }).slice(-1), [
		'10.9.0.20  02-00-00-00-00-0A  192.0.2.67  bound  540           10.9.0.1',
	])
	assert.equal(bindingsText(state, query).slice(-1), ['No client has an address.'])
	assert.match(
		bindingsText(state, { ...query, address: '10.9.0.20' }).join('\n'),
		/Server +192\.0\.2\.67/,
	)
})

test.run()
