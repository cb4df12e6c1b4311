/** Wireshark's dissector as second opinion on every packet that the relay sends. */
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { certificateFolder, type FreeRadius, password, startFreeRadius } from './freeradius.ts'
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
import { type RelayProcess, startRelay, upstreamSecret, wapSecret } from './relay-process.ts'
import { calledStation, eapolTest, openWap, radclient } from './wap.ts'
import { type Packet, statusServer } from './wire.ts'

type Dissected = {
	readonly code: number
	readonly attributes: string[]
	/** The answer's authenticator, checked with the secret of its hop. */
	readonly valid: boolean
	readonly invalid: boolean
	readonly broken: string
}

const fields = [
	'radius.code',
	'radius.avp.type',
	'radius.authenticator.valid',
	'radius.authenticator.invalid',
	'_ws.malformed',
	'radius.invalid_length',
]

let home: FreeRadius
let relay: RelayProcess
let file: string

async function startCapture(ports: readonly number[]): Promise<Program> {
	const filter = ports.map(port => `udp port ${port}`).join(' or ')
	const capture = start('dumpcap', ['-q', '-i', 'lo', '-f', filter, '-w', file])
	await until('the capture runs', 10_000, () => existsSync(file))
	await untilCaptured()
	return capture
}

/** Sends probes until one is in the file; whatever was on its way before is in it then, too. */
async function untilCaptured(): Promise<void> {
	const wap = await openWap(relay.authentication)
	const probes: Packet[] = []
	await until('a probe is in the capture', 10_000, () => {
		const captured = readFileSync(file)
		if (probes.some(probe => captured.includes(probe.authenticator))) return true
		probes.push(statusServer(wapSecret, probes.length & 255))
		wap.send(probes.at(-1)!.bytes)
		return false
	})
	wap.close()
}

/** The packets of one hop, dissected with its secret. */
async function dissect(ports: readonly number[], secret: string): Promise<Dissected[]> {
	const decodeAs = ports.flatMap(port => ['-d', `udp.port==${port},radius`])
	const { code, output } = await run('tshark', [
		...['-r', file, '-n', '-Q', '-Y', ports.map(port => `udp.port==${port}`).join('||')],
		...decodeAs,
		...['-o', `radius.shared_secret:${secret}`, '-o', 'radius.validate_authenticator:TRUE'],
		...['-T', 'fields', '-E', 'separator=;', ...fields.flatMap(field => ['-e', field])],
	])
	assert.is(code, 0, output)
	const lines = output.split('\n').filter(line => /^\d+;/.test(line))
	return lines.map(line => {
		const [packetCode, attributes, valid, invalid, ...broken] = line.split(';')
		return {
			code: Number(packetCode),
			attributes: attributes ? attributes.split(',') : [],
			valid: valid === '1' || valid === 'True',
			invalid: invalid === '1' || invalid === 'True',
			broken: broken.join(''),
		}
	})
}

async function traffic(): Promise<void> {
	const bob = `identity="bob"\npassword="${password}"`
	const peap = `eap=PEAP\n${bob}\nca_cert="${certificateFolder()}/ca.pem"\nphase2="auth=MSCHAPV2"`
	assert.ok((await eapolTest(relay.authentication, wapSecret, peap)).success)
	const station = `Called-Station-Id = "${calledStation}"\nCalling-Station-Id = "02-00-00-00-00-01"`
	for (const given of [password, 'wrong']) {
		const login = `User-Name = "tunnel"\nUser-Password = "${given}"\n${station}`
		await radclient(relay.authentication, 'auth', wapSecret, login)
	}
	const start = `Acct-Status-Type = Start\nAcct-Session-Id = "1"\n${station}`
	await radclient(relay.accounting, 'acct', wapSecret, start)
	await radclient(relay.authentication, 'status', wapSecret, 'Message-Authenticator = 0x00')
}

const wanted = ['dumpcap', 'tshark', 'freeradius', 'eapol_test', 'radclient', 'openssl']
const subject = "Wireshark's second opinion"
// Lists the link types of the interface, which takes the right to capture on it.
const mayCapture = () => spawnSync('dumpcap', ['-L', '-i', 'lo']).status === 0

if (!canRun(subject, ...wanted)) {
	// canRun has said why.
} else if (!mayCapture()) leaveOut(subject, 'this user may not capture on lo (run as root)')
else {
	test.before(
		aloud(async () => {
			home = await startFreeRadius(upstreamSecret)
			relay = await startRelay({ servers: [home] })
			file = join(temporaryFolder('capture'), 'lo.pcapng')
			const ports = [relay.authentication, relay.accounting, home.authentication, home.accounting]
			const capture = await startCapture(ports)
			await traffic()
			await untilCaptured()
			await capture.end('SIGINT')
		}),
	)
	test.after(endAll)

	test('towards the server: Message-Authenticator first in every Access-Request', async () => {
		const packets = await dissect([home.authentication, home.accounting], upstreamSecret)
		const requests = packets.filter(packet => packet.code === 1)
		assert.ok(requests.length >= 8, `${requests.length} Access-Requests`)
		for (const packet of requests) assert.is(packet.attributes[0], '80')
		for (const packet of packets) {
			assert.is(packet.broken, '', JSON.stringify(packet))
			assert.not.ok(packet.invalid, JSON.stringify(packet))
		}
	})

	test('towards the WAP: Message-Authenticator first in every Accept, Reject and Challenge', async () => {
		const packets = await dissect([relay.authentication, relay.accounting], wapSecret)
		const access = packets.filter(packet => [2, 3, 11].includes(packet.code))
		const codes = [...new Set(access.map(packet => packet.code))].sort((a, b) => a - b)
		assert.equal(codes, [2, 3, 11])
		for (const packet of access) assert.is(packet.attributes[0], '80', JSON.stringify(packet))
		for (const packet of packets) {
			assert.is(packet.broken, '', JSON.stringify(packet))
			assert.not.ok(packet.invalid, JSON.stringify(packet))
		}
		// Wireshark pairs no answer with a Status-Server; the answers to those hold nothing else.
		const answers = packets.filter(
			packet => [2, 3, 5, 11].includes(packet.code) && packet.attributes.join() !== '80',
		)
		for (const packet of answers) assert.ok(packet.valid, JSON.stringify(packet))
	})
}

test.run()
