/**
 * Kea as the external DHCP server behind radledger: udhcpc and dhclient on a cable of the relay's
 * machine, which routes between them and the server.
 */
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join as path } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { addNamespace, forwardIn, join, type Namespace, networkObstacle, route } from './network.ts'
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

const external = [
	'ip dhcp-external server-address 10.94.0.67',
	'ip dhcp-external interface s0',
	'service dhcp-external',
]
/** Kea's leases: short enough to see one end. */
const leaseSeconds = 30

let relay: RelayProcess
let router: Namespace
let cable: Namespace
let beyond: Namespace
let kea: Program
const folder = temporaryFolder('dhcp-external')
const script = path(folder, 'configure')

/** Puts the address on the interface and keeps what the client was told; both clients call it. */
const scriptText = `#!/bin/sh
reason=\${reason:-$1}
address=\${ip:-$new_ip_address}
length=\${mask:-24}
case $reason in
bound|BOUND|REBOOT|renew|RENEW) ip address replace $address/$length dev $interface
	ip route replace default via \${router:-$new_routers} ;;
deconfig|EXPIRE|RELEASE|STOP) ip address flush dev $interface ;;
esac
echo "$reason $address \${lease:-$new_dhcp_lease_time} \${serverid:-$new_dhcp_server_identifier}" >> $LOG
`

const keaText = JSON.stringify({
	Dhcp4: {
		authoritative: true,
		'interfaces-config': { interfaces: ['k0'], 'dhcp-socket-type': 'udp' },
		'lease-database': { type: 'memfile', persist: false },
		'valid-lifetime': leaseSeconds,
		subnet4: [
			{
				id: 1,
				subnet: '10.93.0.0/24',
				pools: [{ pool: '10.93.0.50 - 10.93.0.90' }],
				'option-data': [{ name: 'routers', data: '10.93.0.1' }],
			},
		],
		loggers: [{ name: 'kea-dhcp4', output_options: [{ output: 'stderr' }], severity: 'INFO' }],
	},
})

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

function inside(
	{ within }: Namespace,
	variables: readonly string[],
	...command: string[]
): Program {
	const [program, ...args] = [...within, 'env', ...variables, ...command] as [string, ...string[]]
	return start(program, args)
}

function udhcpc(log: string, ...more: string[]): Program {
	const settings = ['-f', '-i', 'c0', '-s', script, '-A', '1']
	return inside(cable, [`LOG=${log}`], 'udhcpc', ...settings, ...more)
}

function dhclient(log: string, ...more: string[]): Program {
	const files = ['-lf', path(folder, 'dhclient.leases'), '-pf', path(folder, 'dhclient.pid')]
	const settings = ['-cf', '/dev/null', '-sf', script, '-e', `LOG=${log}`]
	return inside(cable, [`LOG=${log}`], 'dhclient', '-4', '-d', ...settings, ...files, ...more, 'c0')
}

function startKea(): Program {
	const config = path(folder, 'kea.conf')
	writeFileSync(config, keaText)
	for (const name of ['state', 'lock']) mkdirSync(path(folder, name), { recursive: true })
	const folders = [`KEA_PIDFILE_DIR=${folder}/state`, `KEA_LOCKFILE_DIR=${folder}/lock`]
	return inside(beyond, folders, 'kea-dhcp4', '-c', config)
}

async function prepare(): Promise<void> {
	writeFileSync(script, scriptText)
	chmodSync(script, 0o755)
	router = addNamespace('router')
	cable = addNamespace('cable')
	beyond = addNamespace('beyond')
	join(
		{ namespace: router, device: 's0', address: '10.93.0.1/24' },
		{ namespace: cable, device: 'c0' },
	)
	join(
		{ namespace: router, device: 's1', address: '10.94.0.1/24' },
		{ namespace: beyond, device: 'k0', address: '10.94.0.67/24' },
	)
	route(beyond, '10.93.0.0/24', '10.94.0.1')
	forwardIn(router)
	kea = startKea()
	await until('Kea serves', 15_000, () => kea.output().includes('DHCP4_STARTED'))
	relay = await startRelay({ servers: [], global: external, within: router.within })
}

function observed(): Record<string, unknown>[] {
	return relay.events('LeaseObserved').map(({ data }) => data)
}

function withKea(): void {
	test.before(aloud(prepare))
	test.after(endAll)

	test('udhcpc: a lease by Kea, a renewal past the relay, and the release are known', async () => {
		const log = path(folder, 'udhcpc')
		const client = udhcpc(log)
		const address = await until('udhcpc has an address', 20_000, () => lastOf(log, 'bound'))
		assert.match(address, /^10\.93\.0\.[5-9]\d$/)
		assert.is(told(log).find(([reason]) => reason === 'bound')![3], '10.94.0.67', 'Kea’s own name')
		const [lease] = observed()
		assert.is(lease!['address'], address)
		assert.is(lease!['server'], '10.94.0.67')
		assert.equal([lease!['interface'], lease!['giaddr']], ['s0', '10.93.0.1'])
		assert.is(lease!['leaseSeconds'], leaseSeconds)
		process.kill(client.pid, 'SIGUSR1')
		await until('the renewal is seen', 10_000, () => observed().length > 1)
		assert.is(observed()[1]!['renewed'], true)
		assert.is(observed()[1]!['interface'], 's0')
		const binding = await relay.exec('show ip dhcp-external binding')
		assert.match(binding, `${address} `)
		assert.match(binding, '10.94.0.67')
		process.kill(client.pid, 'SIGUSR2')
		await until('the release is seen', 10_000, () => relay.events('LeaseReleased').length > 0)
		assert.is(relay.events('LeaseReleased')[0]!.data['cause'], 'client')
		await client.end('SIGTERM')
		// What passes is counted on record once a second.
		const passed = () => relay.events('DhcpForwarded').filter(({ data }) => data['seen'])
		await until('the release is counted', 5000, () =>
			passed().some(({ data }) => data['message'] === 'release'),
		)
		const statistics = await relay.exec('show ip dhcp-external statistics')
		assert.match(statistics, /Leases Observed +1\n/)
		assert.match(statistics, /Renewals Observed +1\n/)
		assert.match(statistics, /Messages Seen Passing +[3-9]\n/)
		assert.match(statistics, /Messages Discarded +0\n/)
	})

	test('dhclient: a crash of the relay loses no lease; without renewals it ends by its own timer', async () => {
		const log = path(folder, 'dhclient')
		const client = dhclient(log)
		const address = await until('dhclient has an address', 20_000, () => lastOf(log, 'BOUND'))
		await relay.kill()
		await relay.restart()
		assert.match(await relay.exec(`show ip dhcp-external binding ${address}`), 'bound')
		// Half of the lease has to go by: dhclient renews by itself, past the relay.
		const before = observed().length
		await until('dhclient renews', 25_000, () => observed().length > before)
		assert.equal([observed().at(-1)!['address'], observed().at(-1)!['renewed']], [address, true])
		await client.end('SIGKILL')
		await until('the shadow ends', 45_000, () => relay.events('LeaseExpired').length > 0)
		const [expired] = relay.events('LeaseExpired')
		assert.is(expired!.data['address'], address)
		const last = relay.events('LeaseObserved').at(-1)!
		assert.ok(Date.now() >= Number(last.data['expiresAt']), 'not before the lease')
	})

	test('what Kea refuses is a lease no longer', async () => {
		const log = path(folder, 'refused')
		const client = dhclient(log)
		const address = await until('dhclient has an address', 20_000, () => lastOf(log, 'BOUND'))
		await client.end('SIGKILL')
		await kea.end('SIGKILL')
		// It forgets its leases, and has another network now.
		const other = keaText.replaceAll('10.93.0.50', '10.93.0.100').replaceAll('.90"', '.120"')
		kea = inside(
			beyond,
			[`KEA_PIDFILE_DIR=${folder}/state`, `KEA_LOCKFILE_DIR=${folder}/lock`],
			'kea-dhcp4',
			...['-c', writeConfig(other)],
		)
		await until('Kea serves again', 15_000, () => kea.output().includes('DHCP4_STARTED'))
		// It remembers its address and asks for it, by way of the relay (RFC 2131 §3.2).
		const again = dhclient(log)
		await until('dhclient has another address', 40_000, () => {
			const latest = lastOf(log, 'BOUND')
			return latest !== address ? latest : undefined
		})
		assert.is(relay.events('LeaseRefused').at(-1)!.data['address'], address)
		const released = relay
			.events('LeaseReleased')
			.map(({ data }) => [data['address'], data['cause']])
		assert.equal(released.at(-1), [address, 'server'])
		await again.end('SIGTERM')
	})
}

function writeConfig(text: string): string {
	const file = path(folder, 'kea-other.conf')
	writeFileSync(file, text)
	return file
}

const obstacle = networkObstacle()
if (obstacle !== undefined) leaveOut('DHCP by an external server', obstacle)
else if (canRun('DHCP by an external server', 'udhcpc', 'dhclient', 'kea-dhcp4')) withKea()

test.run()
