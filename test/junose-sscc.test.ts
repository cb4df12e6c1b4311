/** The commands of the SRC client. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { complete, execute, help, newSession } from '../domain/junose/session.ts'
import { ssccCommands } from '../domain/junose/sscc-commands.ts'
import { fakeOperator, screenOf, typeLines } from './fake-operator.ts'

async function configured(...lines: readonly string[]): Promise<readonly string[]> {
	const operator = fakeOperator()
	const { last } = await typeLines(operator, ['configure terminal', ...lines])
	assert.ok(last.ok, last.lines.join('\n'))
	const shown = await execute(newSession('privileged'), 'show configuration', operator)
	return shown.lines
}

const table: readonly (readonly [string, string, string])[] = [
	[
		'sscc primary address 10.10.2.2 port 3288',
		'no sscc primary',
		'sscc primary address 10.10.2.2 port 3288',
	],
	[
		'sscc tertiary address nats.example.org',
		'no sscc tertiary',
		'sscc tertiary address nats.example.org port 4222',
	],
	['sscc local rules src.rules', 'no sscc local rules', 'sscc local rules src.rules'],
	['sscc retryTimer 30', 'no sscc retryTimer', 'sscc retryTimer 30'],
	['sscc sourceAddress 10.13.5.61', 'no sscc sourceAddress', 'sscc sourceAddress 10.13.5.61'],
	['sscc transportRouter vr9', 'no sscc transportRouter', 'sscc transportRouter vr9'],
	['sscc enable', 'no sscc enable', 'sscc enable'],
]

test('every command shows in the configuration, and its no form takes it out', async () => {
	const without = await configured()
	for (const [line, negated, shown] of table) {
		assert.not.ok(without.includes(shown), line)
		assert.ok((await configured(line)).includes(shown), line)
		assert.equal(await configured(line, negated), without, line)
	}
	const negatable = ssccCommands.filter(({ noRows }) => noRows.length > 0)
	assert.is(negatable.length, table.length - 1, 'a server has one command for its three roles')
})

test('words in mixed case are typed in any, and short', async () => {
	assert.ok((await configured('sscc retrytimer 30')).includes('sscc retryTimer 30'))
	assert.ok((await configured('SSC RETRY 30')).includes('sscc retryTimer 30'))
	assert.ok((await configured('ssc so 10.0.0.1')).includes('sscc sourceAddress 10.0.0.1'))
	const { mode } = (await typeLines(fakeOperator(), ['configure terminal'])).session
	const session = { ...newSession('privileged'), mode }
	const { configuration } = fakeOperator()
	assert.is(complete(session, 'sscc transportr', configuration()).line, 'sscc transportRouter ')
	const words = help(session, 'sscc ', configuration()).map(line => line.split(' ')[0])
	assert.equal(words, [
		...['enable', 'local', 'primary', 'restart', 'retryTimer', 'secondary', 'sourceAddress'],
		...['tertiary', 'transportRouter'],
	])
})

test('what is wrong is refused, and what may not be meant is said', async () => {
	const refusals = [
		['sscc retryTimer 4', 'A retry timer in seconds is a whole number from 5 to 300.'],
		['sscc primary address 10.10.2.2 port 0', 'A TCP port is a whole number from 1 to 65535.'],
		['no sscc secondary', '% There is no secondary SRC server.'],
		['no sscc local rules', '% There are no local rules.'],
	] as const
	for (const [line, why] of refusals) {
		assert.match(await screenOf(fakeOperator(), 'configure terminal', line), why)
	}
	const warnings = [
		[['sscc enable'], 'Warning: No SRC server is configured'],
		[['sscc local rules x', 'sscc enable'], undefined],
		[['service dhcp-local standalone', 'sscc enable'], 'Warning: A standalone DHCP server'],
		[['sscc sourceAddress 10.0.0.1'], 'give the route to the servers "src 10.0.0.1"'],
		[['sscc transportRouter default'], "all virtual routers share this system's routes"],
	] as const
	for (const [lines, warning] of warnings) {
		const screen = await screenOf(fakeOperator(), 'configure terminal', ...lines)
		if (warning === undefined) assert.not.match(screen, 'Warning')
		else assert.match(screen, warning)
	}
})

test('SRC is of the virtual router in which it is configured', async () => {
	const lines = await configured('virtual-router vr1', 'sscc primary address 10.10.2.2')
	const at = lines.indexOf('virtual-router vr1')
	assert.ok(lines.indexOf('sscc primary address 10.10.2.2 port 4222') > at)
})

test('restart and show reach the operator', async () => {
	const operator = fakeOperator()
	operator.output = ['shown']
	const lines = ['sscc restart', 'show sscc info', 'show sscc statistics | include shown']
	const { screen } = await typeLines(operator, [...lines, 'configure terminal', 'sscc restart'])
	assert.equal(operator.cleared, ['default: sscc', 'default: sscc'])
	assert.equal(
		operator.shown.map(([, what]) => what),
		[{ kind: 'sscc-info' }, { kind: 'sscc-statistics' }],
	)
	assert.ok(screen.includes('shown'))
	operator.refusal = 'SRC is not on.'
	assert.match(await screenOf(operator, 'sscc restart'), '% SRC is not on.')
})

test.run()
