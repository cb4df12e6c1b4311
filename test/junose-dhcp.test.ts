/** The commands of the DHCP local server. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { DhcpPool } from '../domain/configuration.ts'
import { configurationText, parseConfiguration } from '../domain/junose/configuration-text.ts'
import { dhcpCommands } from '../domain/junose/dhcp-commands.ts'
import { complete, execute, help, newSession } from '../domain/junose/session.ts'
import { type FakeOperator, fakeOperator, screenOf, typeLines } from './fake-operator.ts'

const global = ['configure terminal']
const pool = [...global, 'ip dhcp-local pool campus']
const network = [...pool, 'network 10.1.0.0 255.255.0.0']

/** What `show configuration` says after the lines, all of which are accepted. */
async function configured(...lines: readonly string[]): Promise<readonly string[]> {
	const operator = fakeOperator()
	let session = newSession('privileged')
	for (const line of lines) {
		const executed = await execute(session, line, operator)
		assert.ok(executed.ok, `${line}: ${executed.lines.join('\n')}`)
		session = executed.session
	}
	return (await execute(newSession('privileged'), 'show configuration', operator)).lines
}

/** The last line's sentences; the lines before it are accepted. */
async function said(...lines: readonly string[]): Promise<readonly string[]> {
	return (await typeLines(fakeOperator(), lines)).last.lines
}

function poolsOf(operator: FakeOperator): readonly DhcpPool[] {
	return operator.configuration().virtualRouters[0]!.dhcpLocal.pools
}

test('a server is configured in the manner of the router, and read back as it is shown', async () => {
	const operator = fakeOperator()
	const screen = await screenOf(
		operator,
		...[...global, 'service dhcp-local equal-access', 'ip dhcp-local excluded-address 10.1.0.1'],
		...['ip dhcp-local excluded-address 10.1.0.8 10.1.0.15', 'ip dhcp-local limit 500'],
		...['ip dhcp-local ping', 'ip dhcp-local interface eth0.100', 'ip dhcp-local pool campus'],
		...['network 10.1.0.0 255.255.0.0', 'default-router 10.1.0.1', 'link "second floor"'],
		...['dns-server 192.0.2.53 192.0.2.54', 'domain-name example.org'],
		...['netbios-name-server 192.0.2.60', 'netbios-node-type p-node', 'lease 0 8'],
		...['reserve 10.1.0.20 0200.0000.0001', 'warning 90 80', 'grace-period 300'],
		...['ip dhcp-local pool "second floor"', 'network 10.2.0.0 255.255.255.0', 'lease infinite'],
		...['end', 'show configuration'],
	)
	assert.match(screen, 'radledger(config-dhcp-local)#network 10.1.0.0 255.255.0.0')
	assert.is(
		screen.slice(screen.indexOf('virtual-router default')),
		`virtual-router default
ip dhcp-local excluded-address 10.1.0.1
ip dhcp-local excluded-address 10.1.0.8 10.1.0.15
ip dhcp-local limit 500
ip dhcp-local ping
ip dhcp-local interface eth0.100
service dhcp-local equal-access
ip dhcp-local pool campus
 network 10.1.0.0 255.255.0.0
 default-router 10.1.0.1
 dns-server 192.0.2.53 192.0.2.54
 domain-name example.org
 netbios-name-server 192.0.2.60
 netbios-node-type p-node
 lease 0 8
 link "second floor"
 reserve 10.1.0.20 02-00-00-00-00-01
 warning 90 80
 grace-period 300
ip dhcp-local pool "second floor"
 network 10.2.0.0 255.255.255.0
 lease infinite`,
	)
	const text = configurationText(operator.configuration())
	assert.equal(parseConfiguration(text, 'test.conf'), { configuration: operator.configuration() })
	assert.is(operator.changes.at(-1)?.context, 'ip dhcp-local pool "second floor"')
	assert.is(operator.changes.find(c => c.command.startsWith('lease'))?.command, 'lease 0 8')
})

const table: readonly (readonly [readonly string[], string, string, string])[] = [
	[global, 'service dhcp-local equal-access', 'no service dhcp-local', ''],
	[global, 'service dhcp-local standalone', 'no service dhcp-local', ''],
	[global, 'ip dhcp-local limit 7', 'no ip dhcp-local limit', ''],
	[global, 'ip dhcp-local ping', 'no ip dhcp-local ping', ''],
	[global, 'ip dhcp-local interface eth0', 'no ip dhcp-local interface eth0', ''],
	[
		global,
		'ip dhcp-local excluded-address 10.0.0.1 10.0.0.9',
		'no ip dhcp-local excluded-address 10.0.0.1 10.0.0.9',
		'',
	],
	[global, 'ip dhcp-local pool campus', 'no ip dhcp-local pool campus', ''],
	[pool, 'network 10.0.0.0 255.0.0.0', 'no network', ' '],
	[pool, 'default-router 10.0.0.1', 'no default-router', ' '],
	[pool, 'dns-server 10.0.0.1 10.0.0.2', 'no dns-server', ' '],
	[pool, 'domain-name example.org', 'no domain-name', ' '],
	[pool, 'netbios-name-server 10.0.0.1', 'no netbios-name-server', ' '],
	[pool, 'netbios-node-type b-node', 'no netbios-node-type', ' '],
	[pool, 'lease 2', 'no lease', ' '],
	[pool, 'lease infinite', 'no lease', ' '],
	[pool, 'link other', 'no link', ' '],
	[network, 'reserve 10.1.0.9 02-00-00-00-00-01', 'no reserve 10.1.0.9', ' '],
	[pool, 'warning 50 40', 'no warning', ' '],
	[pool, 'grace-period 60', 'no grace-period', ' '],
]

test('every command shows in the configuration, and its no form takes it out', async () => {
	for (const [before, line, negated, indent] of table) {
		const without = await configured(...before)
		assert.not.ok(without.includes(indent + line), line)
		const there = await configured(...before, line)
		assert.ok(there.includes(indent + line), line)
		// A global command is negated from Global Configuration; it may have entered a mode.
		const back = indent === '' && line.includes('pool') ? ['exit'] : []
		assert.equal(await configured(...before, line, ...back, negated), without, line)
		assert.equal(await configured(...before, line, ...back, `no ${line}`), without, 'in full')
	}
	const negatable = dhcpCommands.filter(({ noRows }) => noRows.length > 0)
	assert.is(negatable.length, table.length, 'the table above misses none')
})

test('a no with other values than those that are configured takes nothing back', async () => {
	for (const [before, line, other] of [
		[global, 'service dhcp-local equal-access', 'no service dhcp-local standalone'],
		[pool, 'dns-server 10.0.0.1 10.0.0.2', 'no dns-server 10.0.0.2'],
		[pool, 'lease 2', 'no lease 3'],
		[network, 'reserve 10.1.0.9 020000000001', 'no reserve 10.1.0.9 020000000002'],
	] as const) {
		assert.match((await said(...before, line, other)).join(), 'That is not configured')
	}
})

test('the three services exclude each other', async () => {
	for (const service of ['equal-access', 'standalone', 'standalone authenticate']) {
		const lines = await configured(
			...[...global, 'service dhcp-local standalone', 'service dhcp-local equal-access'],
			`service dhcp-local ${service}`,
		)
		assert.equal(
			lines.filter(line => line.startsWith('service')),
			[`service dhcp-local ${service}`],
		)
	}
	assert.not.ok(
		(await typeLines(fakeOperator(), [...global, 'service dhcp-local equal auth'])).last.ok,
	)
})

test('a lease is written with as few units as say it', async () => {
	for (const [typed, shown] of [
		['lease 0 1 0 0', ' lease 0 1'],
		['lease 0 0 0 30', ' lease 0 0 0 30'],
		['lease 3 0 5', ' lease 3 0 5'],
		['lease 7 0 0 0', ' lease 7'],
		['lease 1', undefined],
		['lease infinite', ' lease infinite'],
	] as const) {
		const found = (await configured(...pool, typed)).filter(line => line.startsWith(' lease'))
		assert.equal(found, shown === undefined ? [] : [shown], typed)
	}
	assert.match((await said(...pool, 'lease 0')).join(), '"lease infinite"')
	assert.match((await said(...pool, 'lease 0 24')).at(-1) ?? '', 'from 0 to 23')
})

test('what cannot be is refused with a sentence, and nothing changes', async () => {
	const second = [...network, 'ip dhcp-local pool second']
	const reserved = [...network, 'reserve 10.1.0.9 020000000001']
	const chain = [...pool, 'link b', 'ip dhcp-local pool b', 'link c', 'ip dhcp-local pool c']
	const refusals: readonly (readonly [readonly string[], string, RegExp])[] = [
		[pool, 'network 10.1.2.3 255.255.0.0', /host of the network 10\.1\.0\.0 255\.255\.0\.0/],
		[pool, 'network 10.0.0.0 255.0.255.0', /contiguous/],
		[pool, 'network 10.0.0.0 255.255.255.254', /from 255\.0\.0\.0 to 255\.255\.255\.252/],
		[pool, 'network 0.0.0.0 0.0.0.0', /unicast/],
		[pool, 'network 64.0.0.0 192.0.0.0', /from 255\.0\.0\.0/],
		[second, 'network 10.1.128.0 255.255.128.0', /overlaps that of pool campus/],
		[second, 'network 10.0.0.0 255.0.0.0', /overlaps/],
		[reserved, 'network 10.2.0.0 255.255.0.0', /"no reserve 10\.1\.0\.9" first/],
		[reserved, 'no network', /"no reserve" first/],
		[reserved, 'reserve 10.1.0.10 020000000001', /has 10\.1\.0\.9 reserved/],
		[pool, 'reserve 10.1.0.9 020000000001', /network first/],
		[network, 'reserve 10.2.0.9 020000000001', /no host of the pool's network/],
		[network, 'reserve 10.1.0.0 020000000001', /no host/],
		[network, 'reserve 10.1.255.255 020000000001', /no host/],
		[network, 'reserve 10.1.0.9 0200000000', /twelve hexadecimal digits/],
		[network, 'no reserve 10.1.0.9', /not reserved/],
		[pool, 'link campus', /linked to itself/],
		[chain, 'link campus', /circle: c, campus, b, c/],
		[pool, 'warning 75 75', /lower second number/],
		[pool, 'warning 101 75', /from 1 to 100/],
		[pool, 'grace-period 99999999', /grace period is a whole number/],
		[pool, 'default-router 224.0.0.1', /unicast/],
		[pool, 'domain-name bad..name', /domain name/],
		[global, 'ip dhcp-local excluded-address 10.0.0.9 10.0.0.1', /lower address/],
		[global, 'no ip dhcp-local excluded-address 10.0.0.9', /There is no exclusion 10\.0\.0\.9/],
		[global, 'ip dhcp-local limit 0', /from 1 to/],
		[global, 'ip dhcp-local interface a/b', /without "\/"/],
		[global, 'no ip dhcp-local interface eth0', /is not named/],
		[global, `ip dhcp-local pool ${'x'.repeat(65)}`, /from 1 to 64/],
		[global, 'ip dhcp-local pool ""', /from 1 to 64/],
		[global, 'no ip dhcp-local pool campus', /There is no pool campus/],
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

test('what may not be meant is accepted with a warning', async () => {
	const away = await said(...network, 'default-router 10.2.0.1')
	assert.match(away.join(), /^Warning: The default router 10\.2\.0\.1 is not in the network/)
	assert.equal(await said(...network, 'default-router 10.1.0.1'), [])
	const late = await said(...pool, 'default-router 10.2.0.1', 'network 10.1.0.0 255.255.0.0')
	assert.match(late.join(), /^Warning: /)
	assert.match((await said(...pool, 'link later')).join(), /^Warning: There is no pool later yet/)
	const both = await said(...network, 'default-router 10.2.0.1', 'link later')
	assert.match(both.join(), /^Warning: There is no pool later yet/, 'of what was typed')
	const linked = ['ip dhcp-local pool other', 'link campus']
	assert.equal(await said(...pool, ...linked), [])
})

test('a name has up to 64 characters of any kind; an address is reserved for one client', async () => {
	const operator = fakeOperator()
	const name = '\u{1F3EB}'.repeat(64)
	await typeLines(operator, [...global, `ip dhcp-local pool ${name}`, 'link "a b"'])
	assert.is(poolsOf(operator)[0]?.name, name)
	assert.is(poolsOf(operator)[0]?.link, 'a b')
	const other = fakeOperator()
	const again = ['reserve 10.1.0.9 02:00:00:00:00:01', 'reserve 10.1.0.9 0200.0000.0002']
	await typeLines(other, [...network, ...again])
	assert.equal(poolsOf(other)[0]?.reservations, [{ address: '10.1.0.9', mac: '02-00-00-00-00-02' }])
})

test('two virtual routers serve different interfaces; one may have those that nobody names', async () => {
	const operator = fakeOperator()
	await typeLines(operator, [...global, 'service dhcp-local standalone'])
	const { session } = await typeLines(operator, [...global, 'virtual-router b'])
	const refused = await execute(session, 'service dhcp-local standalone', operator)
	assert.match(refused.lines.join(), /default and b would both serve .* of every interface/)
	await execute(session, 'ip dhcp-local interface eth1', operator)
	assert.ok((await execute(session, 'service dhcp-local standalone', operator)).ok)
	await typeLines(operator, [...global, 'ip dhcp-local interface eth0'])
	const same = await execute(session, 'ip dhcp-local interface eth0', operator)
	assert.match(
		same.lines.join(),
		/Virtual router default serves .* of interface eth0, and so would/,
	)
	const text = configurationText(operator.configuration())
	assert.equal(parseConfiguration(text, 'f'), { configuration: operator.configuration() })
	assert.match(text, 'interface eth1\nservice dhcp-local standalone\n')
	const back = await execute(session, 'no ip dhcp-local interface', operator)
	assert.ok(back.ok, 'the one that names none has the others')
})

test('a pool that was deleted while its mode is open says so', async () => {
	const operator = fakeOperator()
	const { session } = await typeLines(operator, pool)
	await typeLines(operator, [...global, 'no ip dhcp-local pool campus'])
	assert.match(
		(await execute(session, 'lease 2', operator)).lines.join(),
		/deleted in the meantime/,
	)
})

test('names of pools and reserved addresses are completed, and every keyword is described', async () => {
	const operator = fakeOperator()
	const { session } = await typeLines(operator, [...network, 'reserve 10.1.0.9 020000000001'])
	const now = operator.configuration()
	assert.is(complete(session, 'no res', now).line, 'no reserve ')
	assert.equal(complete(session, 'no reserve 10', now).line, 'no reserve 10.1.0.9 ')
	assert.is(complete(session, 'ip dhcp-local pool c', now).line, 'ip dhcp-local pool campus ')
	const lines = help(session, 'netbios-node-type ', now)
	assert.is(lines.length, 4)
	for (const line of lines) assert.match(line, /^[bpmh]-node {3}[A-Z]/)
})

test('show, baseline and clear reach the relay', async () => {
	const operator = fakeOperator()
	operator.output = ['output']
	await typeLines(operator, [
		...['show ip dhcp-local binding', 'show ip dhcp-local binding 10.1.0.9'],
		...['show ip dhcp-local binding mac 0200.0000.0001', 'show ip dhcp-local pool'],
		...['show ip dhcp-local statistics', 'show ip dhcp-local statistics delta'],
		...[...network, 'do show ip dhcp-local pool campus', 'end'],
		...['baseline ip dhcp-local', 'clear ip dhcp-local binding all'],
		'clear ip dhcp-local binding 10.1.0.9',
	])
	assert.equal(
		operator.shown.map(([, what]) => what),
		[
			{ kind: 'dhcp-bindings', server: 'local' },
			{ kind: 'dhcp-bindings', server: 'local', address: '10.1.0.9' },
			{ kind: 'dhcp-bindings', server: 'local', mac: '02-00-00-00-00-01' },
			{ kind: 'dhcp-pools' },
			{ kind: 'dhcp-statistics', server: 'local', delta: false },
			{ kind: 'dhcp-statistics', server: 'local', delta: true },
			{ kind: 'dhcp-pools', pool: 'campus' },
		],
	)
	assert.equal(operator.baselines, ['default: ip dhcp-local'])
	assert.equal(operator.cleared, ['default: local all', 'default: local 10.1.0.9'])
	operator.refusal = 'Nobody has 10.1.0.9.'
	const { last } = await typeLines(operator, ['clear ip dhcp-local binding 10.1.0.9'])
	assert.equal(last.lines, ['% Nobody has 10.1.0.9.'])
	assert.not.ok((await execute(newSession('user'), 'show ip dhcp-local pool', operator)).ok)
})

test('a file with mistakes names every one, also below a pool that failed', () => {
	const text = `ip dhcp-local poll x
 network 10.0.0.1 255.0.0.0
 lease 0 24
ip dhcp-local pool a
 network 10.0.0.0 255.255.0.0
ip dhcp-local pool b
 network 10.0.1.0 255.255.255.0
`
	const result = parseConfiguration(text, 'f')
	const errors = 'errors' in result ? result.errors : []
	assert.equal(
		errors.map(({ line, column }) => `${line}:${column}`),
		['1:15', '2:2', '3:10', '7:2'],
	)
})

test.run()
