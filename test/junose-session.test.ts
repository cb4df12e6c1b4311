import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { commands } from '../domain/junose/commands.ts'
import { dhcpCommands } from '../domain/junose/dhcp-commands.ts'
import { dhcpExternalCommands } from '../domain/junose/dhcp-external-commands.ts'
import { dynamicRequestCommands } from '../domain/junose/dynamic-request-commands.ts'
import {
	complete,
	execute,
	help,
	leaveConfiguration,
	newSession,
	prompt,
} from '../domain/junose/session.ts'
import { ssccCommands } from '../domain/junose/sscc-commands.ts'
import { subscriberCommands } from '../domain/junose/subscriber-commands.ts'
import { fakeOperator, screenOf, typeLines } from './fake-operator.ts'

const authentication = ['configure terminal', 'radius relay authentication server']
const upstream = ['configure terminal', 'radius authentication server 10.0.0.1']

/** The relay's or upstream server's commands and what `show configuration` then says. */
async function configured(...lines: string[]): Promise<readonly string[]> {
	const operator = fakeOperator()
	const { last } = await typeLines(operator, lines)
	assert.ok(last.ok, last.lines.join('\n'))
	const shown = await execute(newSession('privileged'), 'show configuration', operator)
	return shown.lines
}

test("the seed's example, typed line by line, gives the seed's output", async () => {
	const operator = fakeOperator()
	await screenOf(
		operator,
		...['configure terminal', 'hostname host1', 'radius relay authentication server'],
		...['key 192.168.102.5 255.255.255.255 999Y2K', 'key 10.10.8.15 255.255.255.255 newsecret'],
		...['key 10.10.15.0 255.255.255.0 secret', 'exit', 'radius relay accounting server'],
		...['key 192.168.102.5 255.255.255.255 12BE$56', 'key 10.10.1.0 255.255.255.0 NO8pxq'],
	)
	const screen = await screenOf(
		operator,
		'configure terminal',
		'radius relay authentication server',
		'key 192.168.25.9 255.255.255.255 mysecret',
		'udp-port 1812',
		'exit',
		'exit',
		'show radius relay servers',
	)
	assert.is(
		screen,
		`host1#configure terminal
host1(config)#radius relay authentication server
host1(config-radius-relay)#key 192.168.25.9 255.255.255.255 mysecret
host1(config-radius-relay)#udp-port 1812
host1(config-radius-relay)#exit
host1(config)#exit
host1#show radius relay servers
RADIUS Relay Authentication Server Configuration

10.10.15.0     255.255.255.0    secret
10.10.8.15     255.255.255.255  newsecret
192.168.25.9   255.255.255.255  mysecret
192.168.102.5  255.255.255.255  999Y2K
Udp Port: 1812

RADIUS Relay Accounting Server Configuration

10.10.1.0      255.255.255.0    NO8pxq
192.168.102.5  255.255.255.255  12BE$56
Udp Port: 1813`,
	)
})

test('show radius relay servers: one service, other settings, none', async () => {
	const operator = fakeOperator()
	const none = await screenOf(operator, 'show radius relay servers')
	assert.match(none, 'No RADIUS relay server is configured.')
	await typeLines(operator, [...authentication, 'listen-address 10.0.0.9', 'udp-port 1645'])
	await typeLines(operator, [...authentication, 'message-authenticator require'])
	assert.is(
		await screenOf(operator, 'show radius relay authentication servers'),
		`radledger#show radius relay authentication servers
RADIUS Relay Authentication Server Configuration

Udp Port: 1645
Listen Address: 10.0.0.9
Message Authenticator: require`,
	)
	const other = await screenOf(operator, 'show radius relay accounting servers')
	assert.match(other, 'No RADIUS relay accounting server is configured.')
})

test('prompts follow modes, host name and virtual router', async () => {
	const operator = fakeOperator()
	const { screen, session } = await typeLines(
		operator,
		[
			...['enable', 'configure terminal', 'hostname host1', 'virtual-router vr1'],
			...['radius accounting server radius.example.org', 'radius relay accounting server'],
			...['exit', 'end', 'virtual-router default', 'disable', 'exit'],
		],
		newSession('user'),
	)
	assert.equal(
		screen.map(line => line.replace(/([>#]).*/, '$1')),
		[
			...['radledger>', 'radledger#', 'radledger(config)#', 'host1(config)#'],
			...['host1:vr1(config)#', 'host1:vr1(config-radius)#', 'host1:vr1(config-radius-relay)#'],
			...['host1:vr1(config)#', 'host1:vr1#', 'host1#', 'host1>'],
		],
	)
	assert.not.ok(session.open)
})

test('Ctrl-Z leaves every configuration mode and changes nothing elsewhere', async () => {
	const { session } = await typeLines(fakeOperator(), authentication)
	assert.is(leaveConfiguration(session).mode.kind, 'privileged-exec')
	assert.is(leaveConfiguration(newSession('user')).mode.kind, 'user-exec')
})

test('User Exec mode has no more than it needs', async () => {
	const operator = fakeOperator()
	const user = newSession('user')
	for (const line of ['show configuration', 'show radius servers', 'baseline radius', 'conf t']) {
		assert.not.ok((await execute(user, line, operator)).ok, line)
	}
	assert.ok((await execute(user, 'show version', operator)).ok)
})

test('words may be shortened while they stay unique, and a whole word wins over longer ones', async () => {
	const operator = fakeOperator()
	await screenOf(operator, 'conf t', 'ra rel au s', 'k 10.0.0.0 255.0.0.0 s', 'UDP 1645')
	assert.equal(
		operator.changes.map(change => change.command),
		['radius relay authentication server', 'key 10.0.0.0 255.0.0.0 <secret>', 'udp-port 1645'],
	)
	const { last } = await typeLines(operator, ['conf t', 'radius a'])
	assert.equal(last.lines, [
		'% Ambiguous command: it may go on with algorithm or authentication or accounting.',
	])
})

test('the mark stands below the word, prompt included', async () => {
	const operator = fakeOperator()
	assert.is(
		await screenOf(operator, 'configure terminal', '  radius  rely x', 'hostname a b'),
		`radledger#configure terminal
radledger(config)#  radius  rely x
                            ^
% Invalid input detected at '^' marker.
radledger(config)#hostname a b
                             ^
% Invalid input detected at '^' marker.`,
	)
	// Characters count, not their UTF-16 units.
	const { last } = await typeLines(operator, [...authentication, 'key 1.0.0.0 255.0.0.0 "😀" x'])
	assert.is(
		last.lines[0]?.length,
		'radledger(config-radius-relay)#key 1.0.0.0 255.0.0.0 "x" x'.length,
	)
})

test('a command that ends too early is incomplete', async () => {
	for (const line of ['show', 'show radius relay', 'no', 'radius authentication server', 'do']) {
		const { last } = await typeLines(fakeOperator(), ['configure terminal', line])
		assert.equal(last.lines, ['% Incomplete command.'], line)
	}
})

test('every parameter says what it takes', async () => {
	const refusals: readonly (readonly [readonly string[], string, string])[] = [
		[authentication, 'udp-port 0', 'from 1 to 65535'],
		[authentication, 'udp-port 65536', 'from 1 to 65535'],
		[authentication, 'udp-port 1e3', 'from 1 to 65535'],
		[authentication, 'listen-address 224.0.0.1', 'unicast'],
		[authentication, 'listen-address 10.0.0.256', 'four numbers'],
		[authentication, 'listen-address 10.0.0.01', 'four numbers'],
		[authentication, 'key 10.0.0.0 255.0.255.0 x', 'contiguous'],
		[authentication, 'key 10.0.0.0 255.0.0 x', 'written like an address'],
		[authentication, 'key 10.0.0.1 255.0.0.0 x', 'host of the network 10.0.0.0 255.0.0.0'],
		[authentication, `key 10.0.0.0 255.0.0.0 ${'x'.repeat(33)}`, 'at most 32'],
		[authentication, 'key 10.0.0.0 255.0.0.0 ""', 'must not be empty'],
		[authentication, 'key 10.0.0.0 255.0.0.0 "a b', 'not closed'],
		[authentication, 'key 10.0.0.0 255.0.0.0 a\u0007', 'printable'],
		[upstream, `key ${'x'.repeat(201)}`, 'at most 200'],
		[upstream, 'timeout 0', 'from 1 to 1000'],
		[upstream, 'timeout 1001', 'from 1 to 1000'],
		[upstream, 'retransmit 101', 'from 0 to 100'],
		[upstream, 'deadtime 1441', 'from 0 to 1440'],
		[upstream, 'max-sessions 9', 'from 10 to 32000'],
		[upstream, 'max-sessions 32001', 'from 10 to 32000'],
		[['conf t'], 'radius update-source-addr 0.0.0.0', 'unicast'],
		[['conf t'], 'radius accounting server -x', 'host name'],
		[['conf t'], 'radius accounting server 10.0.0', 'four numbers'],
		[['conf t'], 'hostname -a', 'begins with a letter'],
		[['conf t'], `virtual-router ${'v'.repeat(33)}`, 'up to 32'],
		[[], 'terminal length 513', 'from 0 to 512'],
		[[], 'show version | include (', 'a "(" has no ")"'],
	]
	for (const [before, line, sentence] of refusals) {
		const operator = fakeOperator()
		const { session } = await typeLines(operator, before)
		const count = operator.changes.length
		const { ok, lines } = await execute(session, line, operator)
		assert.not.ok(ok, line)
		assert.match(lines.at(-1) ?? '', sentence, line)
		assert.match(lines.at(-1) ?? '', /^% .*\.$/, line)
		assert.is(operator.changes.length, count, line)
	}
})

test('the bounds themselves are accepted', async () => {
	for (const line of [
		'timeout 1',
		'timeout 1000',
		'retransmit 0',
		'retransmit 100',
		'deadtime 1440',
	]) {
		assert.ok((await configured(...upstream, line)).includes(` ${line}`), line)
	}
	assert.ok((await configured(...upstream, 'max-sessions 32000')).includes(' max-sessions 32000'))
	const key = `key 10.0.0.0 255.0.0.0 ${'x'.repeat(32)}`
	assert.ok((await configured(...authentication, key)).includes(` ${key}`))
	assert.ok((await configured(...authentication, 'key 0.0.0.0 0.0.0.0 any')).length > 0)
})

const settings: readonly (readonly [readonly string[], string, string, string])[] = [
	[['conf t'], 'hostname host1', 'no hostname', 'hostname host1'],
	[
		['conf t'],
		'radius algorithm round-robin',
		'no radius algorithm',
		'radius algorithm round-robin',
	],
	[
		['conf t'],
		'radius update-source-addr 10.0.0.9',
		'no radius update-source-addr',
		'radius update-source-addr 10.0.0.9',
	],
	[
		['conf t'],
		'radius accounting server h.example',
		'no radius accounting server h.example',
		'radius accounting server h.example',
	],
	[
		['conf t'],
		'radius relay accounting server',
		'no radius relay accounting server',
		'radius relay accounting server',
	],
	[
		['conf t'],
		'radius relay accounting server',
		'no radius relay',
		'radius relay accounting server',
	],
	[['conf t'], 'virtual-router vr1', 'no virtual-router vr1', 'virtual-router vr1'],
	[upstream, 'key s', 'no key', ' key s'],
	[upstream, 'udp-port 1645', 'no udp-port', ' udp-port 1645'],
	[upstream, 'timeout 9', 'no timeout', ' timeout 9'],
	[upstream, 'retransmit 9', 'no retransmit', ' retransmit 9'],
	[upstream, 'deadtime 9', 'no deadtime', ' deadtime 9'],
	[upstream, 'max-sessions 99', 'no max-sessions', ' max-sessions 99'],
	[authentication, 'udp-port 1645', 'no udp-port', ' udp-port 1645'],
	[authentication, 'listen-address 10.0.0.9', 'no listen-address', ' listen-address 10.0.0.9'],
	[
		authentication,
		'message-authenticator optional',
		'no message-authenticator',
		' message-authenticator optional',
	],
	[
		authentication,
		'key 10.0.0.0 255.0.0.0 s',
		'no key 10.0.0.0 255.0.0.0',
		' key 10.0.0.0 255.0.0.0 s',
	],
]

test('every configuration command shows in the configuration, and its no form takes it out', async () => {
	for (const [before, line, negated, shown] of settings) {
		const without = await configured(...before)
		assert.not.ok(without.includes(shown), line)
		assert.ok((await configured(...before, line)).includes(shown), line)
		assert.equal(await configured(...before, line, ...(line === negated ? [] : [negated])), without)
	}
})

test('the table of settings above misses no command that has a no form', () => {
	const elsewhere = [
		...[...dhcpCommands, ...dhcpExternalCommands, ...subscriberCommands],
		...[...dynamicRequestCommands, ...ssccCommands],
	]
	const negatable = commands.filter(
		c => c.noRows.length > 0 && !c.modes.includes('user-exec') && !elsewhere.includes(c),
	)
	// `no radius relay` appears twice above; `key` and `udp-port` are commands of two modes.
	assert.is(negatable.length, settings.length - 1)
})

test('a change is reported with its place and in full, and without its secret', async () => {
	const operator = fakeOperator()
	await typeLines(operator, [
		...['conf t', 'virtual-router vr1', 'radius accounting server 10.0.0.1', 'key topsecret'],
		...['radius relay auth server', 'key 10.0.0.0 255.0.0.0 topsecret', 'no radius relay'],
	])
	assert.equal(operator.changes, [
		{ virtualRouter: 'default', context: '', command: 'virtual-router vr1' },
		{ virtualRouter: 'vr1', context: '', command: 'radius accounting server 10.0.0.1' },
		{
			virtualRouter: 'vr1',
			context: 'radius accounting server 10.0.0.1',
			command: 'key <secret>',
		},
		{ virtualRouter: 'vr1', context: '', command: 'radius relay authentication server' },
		{
			virtualRouter: 'vr1',
			context: 'radius relay authentication server',
			command: 'key 10.0.0.0 255.0.0.0 <secret>',
		},
		{ virtualRouter: 'vr1', context: '', command: 'no radius relay' },
	])
})

test('a command that says what already holds changes and records nothing', async () => {
	const operator = fakeOperator()
	await typeLines(operator, [...upstream, 'timeout 3', 'exit', 'radius algorithm direct'])
	assert.is(operator.changes.length, 1)
})

test('what the relay refuses is told, and the session stays where it was', async () => {
	const operator = fakeOperator()
	operator.refusal = 'The journal cannot be written; free some space on its disk.'
	const { last, session } = await typeLines(operator, ['conf t', 'radius relay auth server'])
	assert.equal(last.lines, ['% The journal cannot be written; free some space on its disk.'])
	assert.is(session.mode.kind, 'configuration')
	assert.not.ok((await typeLines(operator, ['baseline radius'])).last.ok)
})

test('a key replaces that of the same network, and its order is kept', async () => {
	const lines = await configured(
		...authentication,
		...['key 10.0.0.0 255.0.0.0 a', 'key 11.0.0.0 255.0.0.0 b', 'key 10.0.0.0 255.0.0.0 c'],
	)
	assert.equal(
		lines.filter(line => line.startsWith(' key')),
		[' key 10.0.0.0 255.0.0.0 c', ' key 11.0.0.0 255.0.0.0 b'],
	)
})

test('what is not there cannot be taken out', async () => {
	for (const [before, line] of [
		[authentication, 'no key 10.0.0.0 255.0.0.0'],
		[['conf t'], 'no radius authentication server 10.0.0.1'],
		[['conf t'], 'no virtual-router vr1'],
		[['conf t'], 'no virtual-router default'],
		[[], 'virtual-router vr1'],
	] as const) {
		const { last } = await typeLines(fakeOperator(), [...before, line])
		assert.not.ok(last.ok, line)
		assert.not.ok(last.marked, line)
	}
})

test('two relay servers cannot listen in one place', async () => {
	const operator = fakeOperator()
	const vr1 = ['conf t', 'virtual-router vr1', 'radius relay auth server']
	await typeLines(operator, [...authentication, 'key 10.0.0.0 255.0.0.0 a'])
	const { last } = await typeLines(operator, [...vr1, 'key 10.0.0.0 255.0.0.0 b'])
	assert.match(
		last.lines[0] ?? '',
		'virtual router vr1 would listen on every address, UDP port 1812',
	)
	const mended = await typeLines(operator, [...vr1, 'udp-port 1645', 'key 10.0.0.0 255.0.0.0 b'])
	assert.ok(mended.last.ok)
	const back = await typeLines(operator, [...vr1, 'no udp-port'])
	assert.not.ok(back.last.ok)
})

test('a server or virtual router that another session deleted is not made again by accident', async () => {
	const operator = fakeOperator()
	const relay = await typeLines(operator, authentication)
	const server = await typeLines(operator, upstream)
	const router = await typeLines(operator, ['conf t', 'virtual-router vr1'])
	await typeLines(operator, ['conf t', 'no radius relay', 'no virtual-router vr1'])
	await typeLines(operator, ['conf t', 'no radius authentication server 10.0.0.1'])
	const count = operator.changes.length
	for (const line of ['udp-port 1645', 'key 10.0.0.0 255.0.0.0 s', 'no key 10.0.0.0 255.0.0.0']) {
		const { ok, lines } = await execute(relay.session, line, operator)
		assert.not.ok(ok)
		assert.match(lines[0] ?? '', 'enter "radius relay authentication server"')
	}
	assert.not.ok((await execute(server.session, 'timeout 5', operator)).ok)
	const moved = await execute(router.session, 'radius algorithm round-robin', operator)
	assert.match(moved.lines[0] ?? '', 'Virtual router vr1 was deleted')
	assert.is(prompt(moved.session, operator.configuration()), 'radledger#')
	assert.is(operator.changes.length, count)
})

test('a secret may hold any printable character', async () => {
	const secrets = [
		'a|b',
		'a?b',
		'"quoted"',
		'with space',
		'back\\slash',
		'!x',
		'ünï😀',
		'<secret>',
		'|',
	]
	for (const secret of secrets) {
		const operator = fakeOperator()
		const quoted = `"${secret.replace(/["\\]/g, '\\$&')}"`
		await typeLines(operator, [...authentication, `key 10.0.0.0 255.0.0.0 ${quoted}`])
		const relay = operator.configuration().virtualRouters[0]?.relay
		assert.is(relay?.authentication?.clients[0]?.secret, secret)
	}
	// Unquoted, all but spaces and a leading quotation mark stand for themselves.
	const operator = fakeOperator()
	await typeLines(operator, [...authentication, 'key 10.0.0.0 255.0.0.0 a"b\\c|include'])
	const relay = operator.configuration().virtualRouters[0]?.relay
	assert.is(relay?.authentication?.clients[0]?.secret, 'a"b\\c|include')
})

test('show commands reach the operator from every privileged mode, also through do and run', async () => {
	const operator = fakeOperator()
	await typeLines(operator, [
		...['show radius relay statistics', 'show radius relay accounting statistics 10.0.0.1 delta'],
		...['show radius relay udp-checksum', 'show radius servers', 'conf t'],
		...['show radius statistics', 'virtual-router vr1', 'radius relay auth server'],
		...['show radius statistics delta', 'do show version', 'run show version'],
		'show radius relay mirrors',
	])
	assert.equal(operator.shown, [
		['default', { kind: 'relay-statistics', delta: false }],
		[
			'default',
			{ kind: 'relay-statistics', service: 'accounting', client: '10.0.0.1', delta: true },
		],
		['default', { kind: 'udp-checksum' }],
		['default', { kind: 'radius-servers' }],
		['default', { kind: 'radius-statistics', delta: false }],
		['vr1', { kind: 'radius-statistics', delta: true }],
		['vr1', { kind: 'version' }],
		['vr1', { kind: 'version' }],
		['vr1', { kind: 'mirrors' }],
	])
})

test('baselines are set for the virtual router, in Privileged Exec mode or through do', async () => {
	const operator = fakeOperator()
	await typeLines(operator, ['baseline radius relay', 'conf t', 'virtual-router vr1'])
	await typeLines(operator, ['virtual-router vr1', 'baseline radius', 'conf t', 'do base rad rel'])
	assert.equal(operator.baselines, ['default: radius relay', 'vr1: radius', 'vr1: radius relay'])
	assert.not.ok((await typeLines(operator, ['conf t', 'baseline radius'])).last.ok)
	assert.not.ok((await typeLines(operator, ['no baseline radius'])).last.ok)
})

test('output is filtered, with or without spaces around the bar', async () => {
	const operator = fakeOperator()
	operator.output = ['Access Requests 10', 'Access Accepts 9', 'Pending 1']
	const lines = async (line: string) => (await typeLines(operator, [line])).last.lines
	assert.equal(await lines('show version | include Acc.*s 9'), ['Access Accepts 9'])
	assert.equal(await lines('show version|exclude _1'), ['Access Accepts 9'])
	assert.equal(await lines('show version |begin Accepts'), operator.output.slice(1))
	assert.equal(await lines('show version | inc 9|Pen'), operator.output.slice(1))
	assert.equal(await lines('show version | include'), ['% Incomplete command.'])
})

test('comments and empty lines do nothing; overlong lines are refused', async () => {
	const operator = fakeOperator()
	for (const line of ['', '   ', '! a comment', ' !']) {
		assert.ok((await typeLines(operator, [line])).last.ok)
	}
	const { last } = await typeLines(operator, [`hostname ${'x'.repeat(2000)}`])
	assert.match(last.lines[0] ?? '', 'at most 1024 characters')
})

test('terminal length and history belong to the session', async () => {
	const { session, last } = await typeLines(fakeOperator(), [
		...['terminal length 0', 'nonsense', 'show history'],
	])
	assert.is(session.pageLength, 0)
	assert.equal(last.lines, ['terminal length 0', 'nonsense', 'show history'])
	const reset = await execute(session, 'no terminal length', fakeOperator())
	assert.is(reset.session.pageLength, undefined)
})

test('help describes what can follow', async () => {
	const operator = fakeOperator()
	const { session } = await typeLines(operator, authentication)
	const at = (line: string) => help(session, line, operator.configuration()).join('\n')
	assert.is(
		at(''),
		`do                      Issue an Exec mode command
end                     Return to Privileged Exec mode
exit                    Leave the mode, or the session
help                    Describe how to get help
key                     Secret shared with the other side
listen-address          Address that the server listens on
message-authenticator   Whether requests must be signed
no                      Negate a command or restore its default
run                     Issue an Exec mode command
show                    Show what is configured and what happens
udp-port                UDP port`,
	)
	assert.is(
		at('message-authenticator '),
		`auto       Require it of a client from its first one on
optional   Require it with EAP alone
require    Discard every Access-Request without Message-Authenticator`,
	)
	assert.is(at('udp-port '), '<1-65535>   UDP port')
	assert.is(at('udp-port 1812 '), '<cr>   Execute the command')
	assert.is(at('u'), 'udp-port   UDP port')
	// Global Configuration's commands are found where the mode has none.
	assert.is(at('host'), 'hostname   Name of this system, which the prompt shows')
	assert.match(at('no '), 'listen-address')
	assert.match(at('show radius relay statistics '), '<cr>')
	assert.match(at('show version | '), 'exclude   Only lines that do not match')
	assert.match(at('udp-port x '), "% Invalid input detected at '^' marker.")
	assert.is(at('udp-port 1812 x'), '% Nothing can follow here.')
})

test('every keyword and parameter has a description that is a sentence-case phrase', () => {
	for (const step of commands.flatMap(c => [...c.rows, ...c.noRows]).flat()) {
		assert.match(step.help, /^[A-Z0-9].*[^.]$/)
	}
})

test('Tab completes what is unique, and lists what is not', async () => {
	const operator = fakeOperator()
	const { session } = await typeLines(operator, ['conf t', 'virtual-router vr1', 'end'])
	const at = (line: string) => complete(session, line, operator.configuration())
	assert.equal(at('sho'), { line: 'show ', candidates: [] })
	assert.equal(at('show ra'), { line: 'show radius ', candidates: [] })
	assert.equal(at('show radius relay s'), {
		line: 'show radius relay s',
		candidates: ['servers', 'statistics'],
	})
	assert.equal(at('show radius relay a'), {
		line: 'show radius relay a',
		candidates: ['accounting', 'accounting-domains', 'authentication'],
	})
	assert.equal(at('show radius relay au'), {
		line: 'show radius relay authentication ',
		candidates: [],
	})
	assert.equal(at('virtual-router v'), { line: 'virtual-router vr1 ', candidates: [] })
	assert.equal(at('show version | i'), { line: 'show version | include ', candidates: [] })
	assert.equal(at('nonsense x'), { line: 'nonsense x', candidates: [] })
	const there = await typeLines(operator, authentication)
	assert.is(complete(there.session, 'hos', operator.configuration()).line, 'hostname ')
})

test.run()
