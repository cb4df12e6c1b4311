/**
 * The relay, SRC adapters behind real NATS servers, and a DHCP client on a cable: who chooses the
 * pool, what SRC is told, and what becomes of it when servers and the relay itself are killed.
 */
import { chmodSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join as path } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { type Adapter, type NatsServer, startAdapter, startNats } from './nats.ts'
import {
	addAddress,
	addNamespace,
	join,
	type Namespace,
	networkObstacle,
	setMac,
} from './network.ts'
import {
	aloud,
	canRun,
	endAll,
	leaveOut,
	type Program,
	run,
	start,
	temporaryFolder,
	until,
} from './processes.ts'
import { type RecordedEvent, type RelayProcess, startRelay, wapSecret } from './relay-process.ts'

const mac = '02-00-00-00-00-07'
const folder = temporaryFolder('sscc')
const script = path(folder, 'configure')
const log = path(folder, 'udhcpc')
const scriptText = `#!/bin/sh
case $1 in
bound|renew) ip address replace $ip/24 dev $interface; ip route replace 10.90.0.0/24 dev $interface ;;
deconfig) ip address flush dev $interface ;;
esac
echo "$1 $ip" >> ${log}
`

/** Everybody of example.org gets the pool; others are turned away. */
const rules = (pool: string) => `service gold
  class gold-2026
rule staff
  match realm example.org
  match if-alias "the cable"
  match if-desc "ethernet s0"
  match nas-port-id 17
  pool ${pool}
  service gold
  lease 1200
default
  reject "not of this house"
`

const pools = [
	'service dhcp-local equal-access',
	...['cable', 'staff', 'other'].flatMap((name, n) => [
		`ip dhcp-local pool ${name}`,
		` network 10.9${n}.0.0 255.255.255.0`,
		` default-router 10.9${n}.0.1`,
		'exit',
	]),
]

let server: Namespace
let client: Namespace
let relay: RelayProcess
let udhcpc: Program | undefined
const nats: NatsServer[] = []
const adapters: Adapter[] = []

async function prepare(): Promise<void> {
	writeFileSync(script, scriptText)
	chmodSync(script, 0o755)
	server = addNamespace('server')
	client = addNamespace('client')
	join(
		{ namespace: server, device: 's0', address: '10.90.0.1/24' },
		{ namespace: client, device: 'c0' },
	)
	addAddress(server, 's0', '10.91.0.1/24')
	const [command, ...args] = [...server.within, 'ip', 'link', 'set', 's0', 'alias', 'the cable']
	assert.is((await run(command!, args)).code, 0)
	setMac(client, 'c0', mac.replaceAll('-', ':'))
	for (let n = 0; n < 2; n++) nats.push(await startNats('', server.within))
	for (const [n, pool] of ['staff', 'other'].entries()) {
		adapters.push(await startAdapter(nats[n]!.port, rules(pool), { within: server.within }))
	}
	const sscc = [
		`sscc primary address 127.0.0.1 port ${nats[0]!.port}`,
		`sscc secondary address 127.0.0.1 port ${nats[1]!.port}`,
		...['sscc retryTimer 5', 'sscc enable'],
	]
	relay = await startRelay({ servers: [], global: [...pools, ...sscc], within: server.within })
	await until('SRC is connected', 10_000, () => serversNow() === `127.0.0.1:${nats[0]!.port}`)
}

/** Whom the journal says is asked. */
function serversNow(): unknown {
	return relay.events('SrcServerChanged').at(-1)?.data['to']
}

/** An accounting request of the access point, which begins and ends sessions. */
async function account(status: 'Start' | 'Stop', user = 'alice@example.org'): Promise<void> {
	const attributes = path(folder, 'attributes')
	const lines = [`Acct-Status-Type = ${status}`, 'Acct-Session-Id = "s1"', 'Class = 0x7374616666']
	lines.push('NAS-Port = 17', `User-Name = "${user}"`, `Calling-Station-Id = "${mac}"`)
	lines.push('Called-Station-Id = "02-AA-00-00-00-07:campus"')
	writeFileSync(attributes, `${lines.join('\n')}\n`)
	const seen = relay.events(`Accounting${status === 'Start' ? 'Started' : 'Stopped'}`).length
	const radclient = ['radclient', '-x', '-r', '1', '-t', '1', '-f', attributes]
	const to = [`127.0.0.1:${relay.accounting}`, 'acct', wapSecret]
	const [command, ...args] = [...server.within, ...radclient, ...to]
	// No home server is configured: nobody answers it, and it is on record all the same.
	await run(command!, args)
	await until(`the ${status} is on record`, 5000, () => {
		return relay.events(`Accounting${status === 'Start' ? 'Started' : 'Stopped'}`).length > seen
	})
}

function beginClient(): void {
	rmSync(log, { force: true })
	const command = ['udhcpc', '-f', '-i', 'c0', '-s', script, '-A', '1', '-T', '1', '-t', '20']
	const [program, ...args] = [...client.within, ...command]
	udhcpc = start(program!, args)
}

async function bound(): Promise<string> {
	return until('udhcpc has an address', 20_000, () => {
		if (!existsSync(log)) return undefined
		const lines = readFileSync(log, 'utf8').trim().split('\n')
		return lines.findLast(line => line.startsWith('bound '))?.split(' ')[1]
	})
}

async function endSession(): Promise<void> {
	await udhcpc?.end('SIGKILL')
	await account('Stop')
}

async function last(type: string, after: number): Promise<RecordedEvent> {
	return until(`a ${type}`, 15_000, () => {
		return relay.events(type).findLast(({ position }) => position > after)
	})
}

function positionNow(): number {
	return relay.events().at(-1)!.position
}

function withServers(): void {
	test.before(aloud(prepare))
	test.after(endAll)

	test('SRC names the pool, opens a session for the address, and closes it with the cause', async () => {
		const before = positionNow()
		await account('Start')
		beginClient()
		assert.match(await bound(), /^10\.91\.0\.\d+$/)
		const primary = `127.0.0.1:${nats[0]!.port}`
		const selected = await last('PoolSelected', before)
		assert.equal([selected.data['by'], selected.data['pool']], ['src', 'staff'])
		assert.is(selected.data['reason'], 'SRC names it (rule staff).')
		assert.is(selected.data['srcServer'], primary)
		const requested = await last('PoolRequested', before)
		assert.is(selected.data['request'], requested.position)
		assert.equal([requested.data['user'], requested.data['class']], ['alice@example.org', 'staff'])
		const opened = await last('SrcSessionOpened', before)
		assert.match(String(opened.data['session']), /^SAE-[0-9A-F]{24}$/)
		assert.equal([opened.data['service'], opened.data['serviceClass']], ['gold', 'gold-2026'])
		const granted = await last('LeaseGranted', before)
		assert.is(granted.data['leaseSeconds'], 1200)

		const info = await relay.exec('show sscc info')
		assert.match(info, `The SSC Client is currently connected to the primary server ${primary}`)
		const statistics = await relay.exec('show sscc statistics')
		assert.match(statistics, /Discovers Seen: +1\n/)
		assert.match(statistics, /Active Addresses: +1\n/)
		assert.match(statistics, /Connection attempts: +\d+ \*/)

		await endSession()
		const closed = await last('SrcSessionClosed', before)
		assert.is(closed.data['session'], opened.data['session'])
		assert.equal([closed.data['cause'], closed.data['server']], ['User-Request', primary])
		assert.ok(Number(closed.data['sessionSeconds']) < 60)
	})

	test('who SRC turns away gets no offer', async () => {
		const before = positionNow()
		await account('Start', 'mallory@elsewhere.example')
		beginClient()
		const refused = await last('LeaseRefused', before)
		assert.equal(
			[refused.data['reason'], refused.data['why']],
			['src-refused', 'not of this house'],
		)
		assert.is(
			relay.events('LeaseOffered').findLast(e => e.position > before),
			undefined,
		)
		await endSession()
	})

	test('the primary is killed amid a question: the secondary answers it, and the primary returns', async () => {
		const before = positionNow()
		await account('Start')
		process.kill(adapters[0]!.program.pid, 'SIGSTOP')
		beginClient()
		await last('PoolRequested', before)
		await nats[0]!.program().end('SIGKILL')
		assert.match(await bound(), /^10\.92\.0\.\d+$/)
		const secondary = `127.0.0.1:${nats[1]!.port}`
		const selected = await last('PoolSelected', before)
		assert.equal([selected.data['by'], selected.data['srcServer']], ['src', secondary])
		await until('the change is on record', 5000, () => serversNow() === secondary)

		process.kill(adapters[0]!.program.pid, 'SIGKILL')
		await nats[0]!.revive()
		adapters[0] = await startAdapter(nats[0]!.port, rules('staff'), { within: server.within })
		// A better server is tried with copies of the questions; its first answer brings the return.
		await until('the primary is asked again', 30_000, async () => {
			await endSession()
			await account('Start')
			beginClient()
			await bound()
			return serversNow() === `127.0.0.1:${nats[0]!.port}`
		})
		await endSession()
	})

	test('nobody answers: the pool is chosen here; what SRC is owed survives a killed relay', async () => {
		await until('every end was told', 15_000, () => {
			return relay.events('SrcSessionOpened').length === relay.events('SrcSessionClosed').length
		})
		await account('Start')
		const begun = positionNow()
		beginClient()
		await bound()
		const opened = await last('SrcSessionOpened', begun)
		for (const server of nats) await server.program().end('SIGKILL')
		await until('nobody is asked', 10_000, () => serversNow() === '')
		await endSession()
		const before = positionNow()
		await account('Start')
		beginClient()
		assert.match(await bound(), /^10\.90\.0\.\d+$/)
		const selected = await last('PoolSelected', before)
		assert.is(selected.data['by'], 'interface')
		assert.match(String(selected.data['srcFailure']), /^(no-connection|timeout)$/)
		assert.match(String(selected.data['reason']), /SRC server.*The interface's address 10.90.0.1/)
		const granted = await last('LeaseGranted', before)

		await relay.kill()
		for (const server of nats) await server.revive()
		for (const [n, pool] of ['staff', 'other'].entries()) {
			await adapters[n]!.program.end('SIGKILL')
			adapters[n] = await startAdapter(nats[n]!.port, rules(pool), { within: server.within })
		}
		await relay.restart()
		const closed = await last('SrcSessionClosed', before)
		assert.is(closed.data['session'], opened.data['session'], 'as another copy had named it')
		const late = await last('SrcSessionOpened', before)
		assert.is(late.data['address'], granted.data['address'])
		assert.ok(Number(late.data['since']) > Number(opened.data['since']))
		await endSession()
		await until('its end was told', 15_000, () => {
			const ended = relay.events('SrcSessionClosed').at(-1)!
			return ended.data['session'] === late.data['session']
		})
	})

	test('rules inside the relay: the same, without NATS; they reload, and bad ones are refused', async () => {
		const file = path(dirname(relay.config), 'src.rules')
		writeFileSync(file, rules('other'))
		await configure('sscc local rules src.rules')
		await until('the rules answer', 5000, () => serversNow() === 'local')
		const before = positionNow()
		await account('Start')
		beginClient()
		assert.match(await bound(), /^10\.92\.0\.\d+$/)
		const selected = await last('PoolSelected', before)
		assert.equal([selected.data['by'], selected.data['srcServer']], ['src', 'local'])
		await last('SrcSessionOpened', before)
		await endSession()
		assert.is((await last('SrcSessionClosed', before)).data['server'], 'local')

		writeFileSync(file, 'default\n  pol x\n')
		await until('the bad rules are refused', 5000, () => relay.log().includes('rules-refused'))
		writeFileSync(file, rules('staff'))
		await until('the new ones are in force', 5000, () => relay.log().includes('rules-loaded'))
		await account('Start')
		beginClient()
		assert.match(await bound(), /^10\.91\.0\.\d+$/)
		await endSession()
		assert.match(await relay.exec('show sscc info'), 'Local Rules: src.rules')

		const bad = path(dirname(relay.config), 'bad.rules')
		writeFileSync(bad, 'default\n  pol x\n')
		const refused = await configure('sscc local rules bad.rules')
		assert.match(refused, /bad\.rules:2:3: A rule has no "pol"/)
		assert.match(await configure('sscc local rules nowhere'), /There is no rules file/)
	})
}

/** Types a command of Global Configuration; what the shell said. */
async function configure(command: string): Promise<string> {
	const main = path(import.meta.dirname, '../../src/main.ts')
	const shell = start(
		process.execPath,
		[main, 'shell', '--data', relay.data],
		`enable\nconfigure terminal\n${command}\nend\nexit\n`,
	)
	await shell.exited
	return shell.output()
}

const obstacle = networkObstacle()
if (obstacle !== undefined) leaveOut('SRC with a DHCP client', obstacle)
else if (canRun('SRC with a DHCP client', 'nats-server', 'udhcpc', 'radclient')) withServers()

test.run()
