/** Wireshark's dissector as second opinion on every packet that the relay sends. */
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { certificateFolder, type FreeRadius, password, startFreeRadius } from './freeradius.ts'
import {
	aloud,
	canRun,
	leaveOut,
	type Program,
	run,
	start,
	temporaryFolder,
	until,
} from './processes.ts'
import { type RelayProcess, startRelay, upstreamSecret, wapSecret } from './relay-process.ts'
import { calledStation, eapolTest, radclient } from './wap.ts'

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

async function startCapture(ports: readonly number[]): Promise<Program | undefined> {
	const filter = ports.map(port => `udp port ${port}`).join(' or ')
	const capture = start('dumpcap', ['-q', '-i', 'lo', '-f', filter, '-w', file])
	await until('the capture runs', 10_000, () => {
		if (!capture.running()) return true
		return capture.output().includes('File:')
	})
	return capture.running() ? capture : undefined
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
if (canRun("Wireshark's second opinion", ...wanted)) {
	let captured = false

	test.before(
		aloud(async () => {
			home = await startFreeRadius(upstreamSecret)
			relay = await startRelay({ servers: [home] })
			file = join(temporaryFolder('capture'), 'lo.pcapng')
			const ports = [relay.authentication, relay.accounting, home.authentication, home.accounting]
			const capture = await startCapture(ports)
			if (!capture) return leaveOut("Wireshark's second opinion", 'this user may not capture on lo')
			captured = true
			await traffic()
			await capture.end('SIGINT')
		}),
	)
	test.after(async () => {
		await relay?.stop()
		await home?.stop()
	})

	test('towards the server: Message-Authenticator first in every Access-Request', async () => {
		if (!captured) return
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
		if (!captured) return
		const packets = await dissect([relay.authentication, relay.accounting], wapSecret)
		const access = packets.filter(packet => [2, 3, 11].includes(packet.code))
		const codes = [...new Set(access.map(packet => packet.code))].sort((a, b) => a - b)
		assert.equal(codes, [2, 3, 11])
		for (const packet of access) assert.is(packet.attributes[0], '80', JSON.stringify(packet))
		for (const packet of packets) {
			assert.is(packet.broken, '', JSON.stringify(packet))
			assert.not.ok(packet.invalid, JSON.stringify(packet))
		}
		const answers = packets.filter(packet => [2, 3, 5, 11].includes(packet.code))
		for (const packet of answers) assert.ok(packet.valid, JSON.stringify(packet))
	})
}

test.run()
