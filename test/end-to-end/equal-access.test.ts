/**
 * A subscriber's way from login to address and out again, with real peers only: eapol_test logs in at
 * FreeRADIUS through the relay, udhcpc asks for an address on its cable, radclient ends the session.
 * The pool follows from the Access-Accept: Framed-Pool by itself, Service-Bundle by SRC's rules.
 */
import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join as path } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { type FreeRadius, password, startFreeRadius } from './freeradius.ts'
import {
	addAddress,
	addNamespace,
	join,
	type Namespace,
	networkObstacle,
	route,
	setMac,
} from './network.ts'
import { aloud, canRun, endAll, leaveOut, run, start, temporaryFolder, until } from './processes.ts'
import {
	figureIn,
	type RecordedEvent,
	type RelayProcess,
	startRelay,
	upstreamSecret,
	wapSecret,
} from './relay-process.ts'
import { calledStation, eapolTest, radclient } from './wap.ts'

/** The pool `staff` has one address that can be given: the other one is the server's. */
const only = '10.91.0.2'
const global = [
	'service dhcp-local equal-access',
	'ip dhcp-local pool cable',
	' network 10.90.0.0 255.255.255.0',
	'exit',
	'ip dhcp-local pool staff',
	' network 10.91.0.0 255.255.255.252',
	' default-router 10.91.0.1',
	'exit',
	'ip dhcp-local pool gold',
	' network 10.93.0.0 255.255.255.0',
	'exit',
]
const rules = 'rule gold\n  match service-bundle gold\n  pool gold\ndefault\n  reject "no gold"\n'

const folder = temporaryFolder('equal-access')
const script = path(folder, 'configure')
const scriptText = `#!/bin/sh
case $1 in
bound|renew) ip address replace $ip/$mask dev $interface; ip route replace $serverid dev $interface ;;
deconfig) ip address flush dev $interface ;;
esac
echo "$1 $ip" >> $LOG
`

type Subscriber = { readonly mac: string; readonly namespace: Namespace; readonly log: string }

let server: Namespace
let alice: Subscriber
let dave: Subscriber
let home: FreeRadius
let relay: RelayProcess

/** A machine at the other end of a cable to the relay's. */
function connect(n: number): Subscriber {
	const mac = `02-00-00-00-00-0${n}`
	const namespace = addNamespace(`client${n}`)
	join(
		{ namespace: server, device: `s${n}`, address: `10.9${n === 1 ? 0 : 2}.0.1/24` },
		{ namespace, device: 'c0' },
	)
	setMac(namespace, 'c0', mac.replaceAll('-', ':'))
	return { mac, namespace, log: path(folder, `udhcpc${n}`) }
}

async function prepare(): Promise<void> {
	writeFileSync(script, scriptText)
	chmodSync(script, 0o755)
	server = addNamespace('server')
	alice = connect(1)
	dave = connect(2)
	addAddress(server, 's1', '10.91.0.1/32')
	route(server, '10.91.0.0/30', '10.90.0.1')
	home = await startFreeRadius(upstreamSecret, '127.0.0.1', undefined, server.within)
	relay = await startRelay({ servers: [home], global, within: server.within })
}

/** An 802.1X login; whether it succeeded. */
async function login({ mac }: Subscriber, user: string, secret = password): Promise<boolean> {
	const network = `eap=MD5\nidentity="${user}"\npassword="${secret}"`
	const options = { keys: false, mac: mac.replaceAll('-', ':'), within: server.within }
	return (await eapolTest(relay.authentication, wapSecret, network, options)).success
}

/** What the access point sends when the subscriber leaves. */
async function stop({ mac }: Subscriber): Promise<void> {
	const text = ['Acct-Status-Type = Stop', 'Acct-Session-Id = "s1"', 'User-Name = "carol"']
	text.push(`Calling-Station-Id = "${mac}"`, `Called-Station-Id = "${calledStation}"`)
	const { within } = server
	const { accounting } = relay
	const { output } = await radclient(accounting, 'acct', wapSecret, text.join('\n'), [], within)
	assert.match(output, /Received Accounting-Response/)
}

function udhcpc({ namespace, log }: Subscriber, ...more: string[]): [string, string[]] {
	const client = [
		'udhcpc',
		'-f',
		'-i',
		'c0',
		'-s',
		script,
		'-A',
		'1',
		'-T',
		'1',
		'-t',
		'3',
		...more,
	]
	const [command, ...args] = [...namespace.within, 'env', `LOG=${log}`, ...client]
	return [command!, args]
}

/** Asks three times and gives up; the address, or undefined. */
async function tryOnce(subscriber: Subscriber): Promise<string | undefined> {
	writeFileSync(subscriber.log, '')
	await run(...udhcpc(subscriber, '-n', '-q'))
	return addressOf(subscriber)
}

function addressOf({ log }: Subscriber): string | undefined {
	if (!existsSync(log)) return undefined
	const lines = readFileSync(log, 'utf8').trim().split('\n')
	return lines.findLast(line => line.startsWith('bound '))?.split(' ')[1]
}

function of({ mac }: Subscriber, ...types: string[]): RecordedEvent[] {
	return relay.events(...types).filter(({ data }) => data['mac'] === mac)
}

function withClients(): void {
	test.before(aloud(prepare))
	test.after(endAll)

	test('who has not logged in, or was rejected, gets no address', async () => {
		assert.is(await tryOnce(alice), undefined)
		assert.not.ok(await login(alice, 'carol', 'wrong'))
		assert.is(await tryOnce(alice), undefined)
		assert.equal(relay.events('LeaseOffered', 'LeaseGranted', 'PoolSelected'), [])
		await until('the DHCPDISCOVERs are counted', 5000, async () => {
			const output = await relay.exec('show ip dhcp-local statistics')
			return /no-session/.test(output) && figureIn(output, 'no-session') >= 6
		})
	})

	test('after the login the Access-Accept names the pool', async () => {
		assert.ok(await login(alice, 'carol'))
		const accepted = of(alice, 'AccessAccepted').at(-1)!
		assert.equal([accepted.data['framedPool'], accepted.data['serviceBundle']], ['staff', 'silver'])
		start(...udhcpc(alice))
		assert.is(await until('udhcpc has an address', 15_000, () => addressOf(alice)), only)
		const [selected, ...more] = of(alice, 'PoolSelected')
		assert.equal(more, [])
		assert.equal([selected!.data['by'], selected!.data['pool']], ['pool-name', 'staff'])
		assert.match(await relay.exec('show ip dhcp-local binding'), only)
	})

	test('its address is for nobody else while the session lives, and for the next one then', async () => {
		assert.ok(await login(dave, 'carol'))
		assert.is(await tryOnce(dave), undefined)
		assert.is(of(dave, 'LeaseRefused').at(-1)!.data['reason'], 'no-address')
		await stop(alice)
		const released = of(alice, 'LeaseReleased')
		assert.equal(
			released.map(({ data }) => [data['address'], data['cause']]),
			[[only, 'session']],
		)
		assert.is(of(alice, 'SubscriberTerminated')[0]!.data['cause'], 'accounting-stop')
		assert.is(await tryOnce(dave), only)
		assert.is(of(dave, 'LeaseGranted').length, 1)
	})

	test('the first one is not served without a new login', async () => {
		const granted = of(alice, 'LeaseGranted').length
		assert.is(await tryOnce(alice), undefined)
		assert.is(of(alice, 'LeaseGranted').length, granted)
		await stop(dave)
		assert.ok(await login(alice, 'carol'))
		assert.is(await tryOnce(alice), only)
	})

	test('Service-Bundle reaches SRC, and the pool follows from it', async () => {
		await relay.stop()
		writeFileSync(path(dirname(relay.config), 'rules'), rules)
		const commands = readFileSync(relay.config, 'utf8')
		writeFileSync(relay.config, `${commands}sscc local rules rules\nsscc enable\n`)
		await relay.restart()
		assert.ok(await login(dave, 'bob'))
		assert.match((await tryOnce(dave)) ?? '', /^10\.93\.0\.\d+$/)
		assert.is(of(dave, 'PoolRequested').at(-1)!.data['serviceBundle'], 'gold')
		const selected = of(dave, 'PoolSelected').at(-1)!
		assert.equal([selected.data['by'], selected.data['pool']], ['src', 'gold'])
		await stop(alice)
		assert.ok(await login(alice, 'carol'))
		assert.is(await tryOnce(alice), undefined, 'the rules turn everybody else away')
		assert.is(of(alice, 'LeaseRefused').at(-1)!.data['reason'], 'src-refused')
	})
}

const subject = 'DHCP after 802.1X logins'
const obstacle = networkObstacle()
if (obstacle !== undefined) leaveOut(subject, obstacle)
else if (canRun(subject, 'freeradius', 'eapol_test', 'radclient', 'udhcpc')) withClients()

test.run()
