/** The commands of sessions and of RADIUS-initiated disconnect. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { dynamicRequestCommands } from '../domain/junose/dynamic-request-commands.ts'
import { complete, execute, newSession } from '../domain/junose/session.ts'
import { subscriberCommands } from '../domain/junose/subscriber-commands.ts'
import { fakeOperator, screenOf, typeLines } from './fake-operator.ts'
import { configurationOf } from './simulated-relay.ts'

const server = ['configure terminal', 'radius dynamic-request server 192.0.2.9']

async function configured(...lines: readonly string[]): Promise<readonly string[]> {
	const operator = fakeOperator()
	const { last } = await typeLines(operator, lines)
	assert.ok(last.ok, last.lines.join('\n'))
	const shown = await execute(newSession('privileged'), 'show configuration', operator)
	return shown.lines
}

test('a dynamic-request server is configured in a mode of its own, as the router has it', async () => {
	const screen = await screenOf(
		fakeOperator(),
		...['configure terminal', 'radius dynamic-request server 192.0.2.9', 'key mysecret'],
		...['udp-port 3799', 'subscriber disconnect', 'authorization change', 'exit'],
		...['radius dynamic-request server 192.0.2.10', 'end', 'show radius dynamic-request servers'],
	)
	assert.is(
		screen,
		`radledger#configure terminal
radledger(config)#radius dynamic-request server 192.0.2.9
radledger(config-radius)#key mysecret
radledger(config-radius)#udp-port 3799
radledger(config-radius)#subscriber disconnect
radledger(config-radius)#authorization change
radledger(config-radius)#exit
radledger(config)#radius dynamic-request server 192.0.2.10
radledger(config-radius)#end
radledger#show radius dynamic-request servers
RADIUS Request Configuration
----------------------------
IP Address  Udp Port  Disconnect  Change of Authorization  Secret
----------  --------  ----------  -----------------------  --------
192.0.2.9   3799      enabled     enabled                  mysecret
192.0.2.10  1700      disabled    disabled                 <none>`,
	)
})

const table: readonly (readonly [readonly string[], string, string, string])[] = [
	[
		['configure terminal'],
		'radius relay idle-timeout 600',
		'no radius relay idle-timeout',
		'radius relay idle-timeout 600',
	],
	[
		['configure terminal'],
		'radius relay disconnect-client 10.0.0.1 key s',
		'no radius relay disconnect-client 10.0.0.1',
		'radius relay disconnect-client 10.0.0.1 key s',
	],
	[
		['configure terminal'],
		'retention authentication days 90',
		'no retention authentication days',
		'retention authentication days 90',
	],
	[
		['configure terminal'],
		'retention accounting days 90',
		'no retention accounting days',
		'retention accounting days 90',
	],
	[
		['configure terminal'],
		'retention lease days 90',
		'no retention lease days',
		'retention lease days 90',
	],
	[
		['configure terminal'],
		'radius dynamic-request server 192.0.2.9',
		'no radius dynamic-request server 192.0.2.9',
		'radius dynamic-request server 192.0.2.9',
	],
	[server, 'key s', 'no key', ' key s'],
	[server, 'udp-port 3799', 'no udp-port', ' udp-port 3799'],
	[server, 'subscriber disconnect', 'no subscriber disconnect', ' subscriber disconnect'],
	[server, 'authorization change', 'no authorization change', ' authorization change'],
]

test('every command shows in the configuration, and its no form takes it out', async () => {
	for (const [before, line, negated, shown] of table) {
		const without = await configured(...before)
		const there = await configured(...before, line)
		assert.ok(there.includes(shown), line)
		if (line.startsWith('radius dynamic')) {
			assert.equal(await configured('configure terminal', line, negated), without)
		} else assert.equal(await configured(...before, line, negated), without, line)
	}
	const negatable = [...dynamicRequestCommands, ...subscriberCommands].filter(
		({ noRows }) => noRows.length > 0,
	)
	assert.is(negatable.length, table.length, 'and the table above has them all')
})

test('a disconnect client has the standard port unless told, and is changed by saying it anew', async () => {
	const client = 'radius relay disconnect-client 10.0.0.1 key'
	const lines = await configured('configure terminal', `${client} a`, `${client} b udp-port 1700`)
	assert.equal(
		lines.filter(line => line.includes('disconnect-client')),
		[`${client} b udp-port 1700`],
	)
	const again = await configured('configure terminal', `${client} b udp-port 3799`)
	assert.ok(again.includes(`${client} b`))
})

test('secrets stay out of what is recorded', async () => {
	const operator = fakeOperator()
	await typeLines(operator, [
		'configure terminal',
		'radius relay disconnect-client 10.0.0.1 key topsecret udp-port 3800',
		'radius dynamic-request server 192.0.2.9',
		'key topsecret',
	])
	assert.equal(
		operator.changes.map(({ context, command }) => [context, command]),
		[
			['', 'radius relay disconnect-client 10.0.0.1 key <secret> udp-port 3800'],
			['', 'radius dynamic-request server 192.0.2.9'],
			['radius dynamic-request server 192.0.2.9', 'key <secret>'],
		],
	)
})

test('what cannot be is refused with a sentence', async () => {
	const refusals: readonly (readonly [readonly string[], string, string])[] = [
		[['configure terminal'], 'radius relay idle-timeout 0', 'from 1 to 31536000'],
		[['configure terminal'], 'radius relay disconnect-client 0.0.0.0 key s', 'unicast'],
		[['configure terminal'], 'radius dynamic-request server h.example', 'four numbers'],
		[['configure terminal'], 'no radius dynamic-request server 1.2.3.4', 'There is no'],
		[['configure terminal'], 'no radius relay disconnect-client 1.2.3.4', 'There is no'],
		[server, 'udp-port 0', 'from 1 to 65535'],
		[[], 'clear subscriber alice', 'twelve hexadecimal digits'],
		[[], 'show subscribers mac 1', 'twelve hexadecimal digits'],
	]
	for (const [before, line, sentence] of refusals) {
		const { last } = await typeLines(fakeOperator(), [...before, line])
		assert.not.ok(last.ok, line)
		assert.match(last.lines.at(-1) ?? '', sentence, line)
	}
})

test('servers in one place exclude each other only where nothing tells them apart', async () => {
	const relay = 'radius relay authentication server\n key 10.0.0.0 255.0.0.0 s\n udp-port 1700\n'
	const dynamic = 'radius dynamic-request server 192.0.2.9\n key s\n'
	assert.throws(() => configurationOf(relay + dynamic), /UDP port 1700/)
	assert.throws(
		() => configurationOf(`${dynamic}virtual-router vr1\n${dynamic}`),
		/Virtual router default expects dynamic requests from 192.0.2.9 on UDP port 1700 already/,
	)
	configurationOf(
		`${dynamic}virtual-router vr1\n${dynamic} udp-port 1701\n`.replace(
			' key s\n udp-port 1701',
			' udp-port 1701\n key s',
		),
	)
	configurationOf(`${dynamic}virtual-router vr1\n${dynamic.replace('.9', '.10')}`)
	configurationOf(`${relay}radius dynamic-request server 192.0.2.9\n`)
})

test('subscribers are shown and cleared in the virtual router where one is', async () => {
	const operator = fakeOperator()
	await typeLines(operator, [
		...['configure terminal', 'virtual-router vr1', 'end', 'show subscribers'],
		...['show subscribers mac 0200.0000.0001', 'clear subscriber 02:00:00:00:00:01'],
	])
	assert.equal(operator.shown, [
		['vr1', { kind: 'subscribers' }],
		['vr1', { kind: 'subscribers', mac: '02-00-00-00-00-01' }],
	])
	assert.equal(operator.cleared, ['vr1: 02-00-00-00-00-01'])
	operator.refusal = '02-00-00-00-00-01 has no session.'
	const { last } = await typeLines(operator, ['clear subscriber 020000000001'])
	assert.equal(last.lines, ['% 02-00-00-00-00-01 has no session.'])
})

test('clearing needs Privileged Exec mode, where completion knows it', async () => {
	const operator = fakeOperator()
	const user = newSession('user')
	assert.not.ok((await execute(user, 'clear subscriber 020000000001', operator)).ok)
	assert.not.ok((await execute(user, 'show subscribers', operator)).ok)
	const completed = complete(newSession('privileged'), 'clear sub', operator.configuration())
	assert.is(completed.line, 'clear subscriber ')
})

test('statistics and their baseline reach the relay', async () => {
	const operator = fakeOperator()
	await typeLines(operator, [
		'show radius dynamic-request statistics',
		'show radius dynamic-request statistics delta',
		'baseline radius dynamic-request',
	])
	assert.equal(
		operator.shown.map(([, what]) => what),
		[
			{ kind: 'dynamic-request-statistics', delta: false },
			{ kind: 'dynamic-request-statistics', delta: true },
		],
	)
	assert.equal(operator.baselines, ['default: radius dynamic-request'])
})

test.run()
