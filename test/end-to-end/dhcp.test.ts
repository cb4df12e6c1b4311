/**
 * The DHCP local server and real clients, each in a network namespace of its own: udhcpc and dhclient
 * at the other end of a cable, and behind ISC's relay agent with option 82.
 */
import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join as path } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import {
	addAddress,
	addNamespace,
	forwardIn,
	join,
	type Namespace,
	networkObstacle,
	route,
	setMac,
} from './network.ts'
import {
	aloud,
	canRun,
	endAll,
	leaveOut,
	type Program,
	start,
	temporaryFolder,
	until,
} from './processes.ts'
import { type RelayProcess, startRelay } from './relay-process.ts'

const dhcp = [
	'service dhcp-local standalone',
	'ip dhcp-local pool cable',
	' network 10.90.0.0 255.255.255.0',
	' default-router 10.90.0.1',
	' dns-server 192.0.2.53 192.0.2.54',
	' domain-name example.org',
	' lease 0 1',
	'exit',
	'ip dhcp-local pool beyond',
	' network 10.92.0.0 255.255.255.0',
	' default-router 10.92.0.1',
	' lease 0 1',
	'exit',
	'ip dhcp-local excluded-address 10.90.0.1 10.90.0.9',
]

let relay: RelayProcess
let server: Namespace
let near: Namespace
let agent: Namespace
let far: Namespace
let agentProgram: Program
const folder = temporaryFolder('dhcp')
const script = path(folder, 'configure')

/** Puts the address on the interface and keeps what the client was told; both clients call it. */
const scriptText = `#!/bin/sh
reason=\${reason:-$1}
address=\${ip:-$new_ip_address}
old=\${old_ip_address:-$address}
length=\${mask:-24}
case $reason in
bound|BOUND|REBOOT|renew|RENEW) ip address replace $address/$length dev $interface
	[ -n "$router$new_routers" ] && ip route replace default via \${router:-$new_routers} ;;
deconfig|EXPIRE|RELEASE|STOP) ip address flush dev $interface ;;
esac
echo "$reason $address \${subnet:-$new_subnet_mask} \${router:-$new_routers} \${dns:-$new_domain_name_servers} \${domain:-$new_domain_name} \${lease:-$new_dhcp_lease_time} \${serverid:-$new_dhcp_server_identifier}" >> $LOG
`

/** What the script wrote for one client. */
function told(log: string): string[][] {
	if (!existsSync(log)) return []
	return readFileSync(log, 'utf8')
		.trim()
		.split('\n')
		.map(line => line.split(' '))
}

function lastOf(log: string, ...reasons: string[]): string | undefined {
	return told(log).findLast(([reason]) => reasons.includes(reason!))?.[1]
}

function inside({ within }: Namespace, log: string, ...command: string[]): Program {
	const [program, ...args] = [...within, 'env', `LOG=${log}`, ...command] as [string, ...string[]]
	return start(program, args)
}

function udhcpc(namespace: Namespace, log: string, ...more: string[]): Program {
	return inside(namespace, log, 'udhcpc', '-f', '-i', 'c0', '-s', script, '-A', '1', ...more)
}

function dhclient(namespace: Namespace, log: string, ...more: string[]): Program {
	const files = ['-lf', path(folder, 'dhclient.leases'), '-pf', path(folder, 'dhclient.pid')]
	const settings = ['-cf', '/dev/null', '-sf', script, '-e', `LOG=${log}`]
	return inside(namespace, log, 'dhclient', '-4', '-d', ...settings, ...files, ...more, 'c0')
}

function types(...wanted: string[]): string[] {
	return relay.events(...wanted).map(({ type, data }) => `${type} ${data['address']}`)
}

async function prepare(): Promise<void> {
	writeFileSync(script, scriptText)
	chmodSync(script, 0o755)
	server = addNamespace('server')
	near = addNamespace('near')
	agent = addNamespace('agent')
	far = addNamespace('far')
	join(
		{ namespace: server, device: 's0', address: '10.90.0.1/24' },
		{ namespace: near, device: 'c0' },
	)
	join(
		{ namespace: server, device: 's1', address: '10.91.0.1/24' },
		{ namespace: agent, device: 'r0', address: '10.91.0.2/24' },
	)
	join(
		{ namespace: agent, device: 'r1', address: '10.92.0.1/24' },
		{ namespace: far, device: 'c0' },
	)
	route(server, '10.92.0.0/24', '10.91.0.2')
	forwardIn(agent)
	relay = await startRelay({ servers: [], global: dhcp, within: server.within })
	const relaying = ['dhcrelay', '-4', '-d', '-a', '-iu', 'r0', '-id', 'r1', '10.91.0.1']
	agentProgram = inside(agent, '/dev/null', ...relaying)
	await until('the relay agent listens', 5000, () => agentProgram.output().includes('Sending on'))
}

async function udhcpcLives(namespace: Namespace, log: string, first: RegExp): Promise<void> {
	const client = udhcpc(namespace, log)
	const address = await until('udhcpc has an address', 15_000, () => lastOf(log, 'bound'))
	assert.match(address, first)
	const before = relay.events('LeaseRenewed').length
	process.kill(client.pid, 'SIGUSR1')
	await until('udhcpc has renewed', 10_000, () => lastOf(log, 'renew') === address)
	// The relay agent picks up what passes through its machine, so the server may see it twice.
	assert.ok(relay.events('LeaseRenewed').length > before)
	const released = relay.events('LeaseReleased').length
	process.kill(client.pid, 'SIGUSR2')
	await until('the release is recorded', 10_000, () => {
		return relay.events('LeaseReleased').length > released
	})
	await client.end('SIGTERM')
}

function withClients(): void {
	test.before(aloud(prepare))
	test.after(endAll)

	test('udhcpc on the cable: an address with its options, renewal and release', async () => {
		const log = path(folder, 'near-udhcpc')
		await udhcpcLives(near, log, /^10\.90\.0\.\d+$/)
		const bound = told(log).find(([reason]) => reason === 'bound')!
		assert.equal(bound.slice(2), [
			'255.255.255.0',
			'10.90.0.1',
			'192.0.2.53',
			'192.0.2.54',
			'example.org',
			'3600',
			'10.90.0.1',
		])
		assert.ok(Number(bound[1]!.split('.')[3]) > 9, 'what is excluded is given to nobody')
		assert.equal(types('LeaseGranted', 'LeaseRenewed', 'LeaseReleased'), [
			`LeaseGranted ${bound[1]}`,
			`LeaseRenewed ${bound[1]}`,
			`LeaseReleased ${bound[1]}`,
		])
		assert.is(relay.events('PoolSelected')[0]!.data['by'], 'interface')
	})

	test('dhclient on the cable: the same address again after a restart of both, and a release', async () => {
		const log = path(folder, 'near-dhclient')
		const client = dhclient(near, log)
		const address = await until('dhclient has an address', 20_000, () => lastOf(log, 'BOUND'))
		await client.end('SIGTERM')
		await relay.kill()
		await relay.restart()
		const again = dhclient(near, log)
		const rebooted = await until('it has it again', 20_000, () => lastOf(log, 'REBOOT'))
		assert.is(rebooted, address)
		await again.end('SIGTERM')
		const count = relay.events('LeaseReleased').length
		const releasing = dhclient(near, log, '-r')
		await until('the release is recorded', 10_000, () => {
			return relay.events('LeaseReleased').length > count
		})
		await releasing.exited
		const output = await relay.exec('show ip dhcp-local binding')
		assert.not.match(output, address)
	})

	test('udhcpc behind a relay agent: the pool by giaddr, renewal past the agent, release', async () => {
		const log = path(folder, 'far-udhcpc')
		await udhcpcLives(far, log, /^10\.92\.0\.\d+$/)
		const selected = relay.events('PoolSelected').at(-1)!
		assert.is(selected.data['by'], 'giaddr')
		assert.is(selected.data['pool'], 'beyond')
		const granted = relay.events('LeaseGranted').at(-1)!
		assert.is(granted.data['giaddr'], '10.92.0.1')
		assert.is(granted.data['interface'], 's1')
		// Sent to the server itself, across the router, it is still the agent's client.
		assert.is(relay.events('LeaseRenewed').at(-1)!.data['giaddr'], '10.92.0.1')
		const binding = await relay.exec('show ip dhcp-local binding')
		assert.not.match(binding, /10\.92\.0\./)
	})

	test('an address that is no longer given is refused at renewal, and another one found', async () => {
		const log = path(folder, 'near-moved')
		const client = udhcpc(near, log)
		const address = await until('udhcpc has an address', 15_000, () => lastOf(log, 'bound'))
		await relay.stop()
		const commands = readFileSync(relay.config, 'utf8')
		writeFileSync(relay.config, `${commands}ip dhcp-local excluded-address ${address}\n`)
		await relay.restart()
		process.kill(client.pid, 'SIGUSR1')
		const other = await until('udhcpc has another address', 20_000, () => {
			const latest = lastOf(log, 'bound')
			return latest !== address ? latest : undefined
		})
		assert.match(other, /^10\.90\.0\.\d+$/)
		const refused = relay.events('LeaseRefused').at(-1)!
		assert.is(refused.data['reason'], 'outside-pools')
		assert.is(refused.data['address'], address)
		await client.end('SIGTERM')
	})

	test('perfdhcp: fifty clients a second, none of them unanswered, none with the address of another', async () => {
		addAddress(near, 'c0', '10.90.0.9/24')
		const limits = ['-r', '50', '-R', '60', '-p', '2', '-W', '500000']
		const load = inside(near, '/dev/null', 'perfdhcp', '-4', '-l', 'c0', ...limits, '10.90.0.1')
		await load.exited
		assert.equal(load.output().match(/^drops: \d+/gm), ['drops: 0', 'drops: 0'])
		const holders = new Map<unknown, unknown>()
		for (const { data } of relay.events('LeaseGranted')) {
			if (!String(data['mac']).startsWith('00-0C')) continue
			assert.not.ok(holders.has(data['address']), `${data['address']} was granted twice`)
			holders.set(data['address'], data['mac'])
		}
		assert.is(new Set(holders.values()).size, holders.size)
		assert.ok(holders.size >= 50, `${holders.size} clients have an address`)
	})

	test('an address that somebody uses already is not offered: a ping finds out', async () => {
		const log = path(folder, 'near-ping')
		await relay.stop()
		writeFileSync(relay.config, `${readFileSync(relay.config, 'utf8')}ip dhcp-local ping\n`)
		await relay.restart()
		setMac(near, 'c0', '02:00:00:00:00:77')
		addAddress(agent, 'lo', '10.90.0.77/32')
		route(server, '10.90.0.77/32', '10.91.0.2')
		const client = udhcpc(near, log, '-r', '10.90.0.77')
		const address = await until('udhcpc has an address', 20_000, () => lastOf(log, 'bound'))
		assert.is.not(address, '10.90.0.77')
		const [declined, ...more] = relay.events('LeaseDeclined')
		assert.equal(more, [])
		assert.is(declined!.data['address'], '10.90.0.77')
		assert.is(declined!.data['ping'], true)
		await client.end('SIGTERM')
	})
}

const obstacle = networkObstacle()
if (obstacle !== undefined) leaveOut('DHCP with real clients', obstacle)
else if (canRun('DHCP with real clients', 'udhcpc', 'dhclient', 'dhcrelay', 'perfdhcp'))
	withClients()

test.run()
