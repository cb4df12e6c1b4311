/** The commands of the SRC client. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { parseConfiguration } from '../domain/junose/configuration-text.ts'
import { complete, execute, help, newSession } from '../domain/junose/session.ts'
import { ssccCommands } from '../domain/junose/sscc-commands.ts'
import { srcSource } from '../domain/sae/source.ts'
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
	assert.is(
		negatable.length,
		table.length,
		'one for three roles; that of a transport router is below',
	)
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
		[['sscc sourceAddress 10.0.0.1'], undefined],
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

const management = [
	'virtual-router mgmt',
	'radius update-source-addr 10.0.0.9',
	'virtual-router default',
]

test('a transport router is one that there is and that has an address', async () => {
	const operator = fakeOperator()
	const type = (...lines: readonly string[]) =>
		screenOf(operator, 'configure terminal', 'virtual-router default', ...lines)
	assert.match(
		await type('sscc transportRouter mgmt'),
		'% The SRC client of virtual router default would connect from virtual router mgmt, which does not exist',
	)
	assert.match(
		await type('sscc transportRouter default'),
		'% The SRC client of virtual router default would connect from virtual router default, which has no address of its own',
	)
	assert.not.match(await type(...management, 'sscc transportRouter mgmt'), '%')
	const [router] = operator.configuration().virtualRouters
	assert.is(srcSource(operator.configuration(), router!), '10.0.0.9')
	// What it rests on stays.
	assert.match(await type('no virtual-router mgmt'), '% The SRC client')
	assert.match(await type('virtual-router mgmt', 'no radius update-source-addr'), '% The SRC')
	// Two ways to say it that say two things.
	assert.match(await type('sscc sourceAddress 10.0.0.8'), 'take "sscc sourceAddress" or')
	assert.not.match(await type('sscc sourceAddress 10.0.0.9'), '%')
	assert.match(await type(...management.with(1, 'radius update-source-addr 10.0.0.7')), '% The SRC')
	assert.not.match(await type('no sscc sourceAddress'), '%')
	assert.not.match(await type(...management.with(1, 'radius update-source-addr 10.0.0.7')), '%')
	const [moved] = operator.configuration().virtualRouters
	assert.is(srcSource(operator.configuration(), moved!), '10.0.0.7')
	assert.not.match(await type('no sscc transportRouter', 'no virtual-router mgmt'), '%')
})

test('a transport router further down is named at the end, where it can be typed and read', async () => {
	const lines = await configured(...management, 'sscc transportRouter mgmt')
	assert.equal(lines.slice(-2), ['virtual-router default', 'sscc transportRouter mgmt'])
	assert.is(lines.filter(line => line.includes('transportRouter')).length, 1)
	const read = parseConfiguration(lines.join('\n'), 'file')
	assert.is(
		'configuration' in read && read.configuration.virtualRouters[0]!.src.transportRouter,
		'mgmt',
	)
	const without = lines.filter(line => !line.includes('update-source-addr'))
	const wrong = parseConfiguration(without.join('\n'), 'file')
	assert.match('errors' in wrong ? wrong.errors[0]!.message : '', 'has no address of its own')
	assert.is('errors' in wrong && wrong.errors[0]!.line, without.length)
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
