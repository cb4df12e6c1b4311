/** Another proxy in front: WAP → radsecproxy → relay → FreeRADIUS. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { freePorts } from '../../infra/free-ports.ts'
import { certificateFolder, type FreeRadius, password, startFreeRadius } from './freeradius.ts'
import { aloud, canRun, endAll, type Program, start, temporaryFolder, until } from './processes.ts'
import { type RelayProcess, startRelay, upstreamSecret, wapSecret } from './relay-process.ts'
import { calledStation, eapolTest, openWap, radclient, subscriber } from './wap.ts'
import {
	accessRequest,
	attribute,
	code,
	decode,
	emptyMessageAuthenticator,
	hidePassword,
	type,
	valuesOf,
} from './wire.ts'

const outerSecret = 'secret-in-front-of-radsecproxy'
let home: FreeRadius
let relay: RelayProcess
let proxy: Program
let port = 0

async function startRadsecproxy(): Promise<void> {
	port = (await freePorts(1))[0]!
	const file = join(temporaryFolder('radsecproxy'), 'radsecproxy.conf')
	const server = (name: string, relayPort: number) => `
server ${name} {
	host 127.0.0.1
	type udp
	port ${relayPort}
	secret ${wapSecret}
	StatusServer on
}
`
	writeFileSync(
		file,
		`ListenUDP 127.0.0.1:${port}
LogLevel 3
client 127.0.0.1 {
	type udp
	secret ${outerSecret}
}
${server('authentication', relay.authentication)}
${server('accounting', relay.accounting)}
realm * {
	server authentication
	accountingServer accounting
}
`,
	)
	proxy = start('radsecproxy', ['-f', '-c', file])
	const wap = await openWap(port)
	const login = accessRequest(outerSecret, 0, [emptyMessageAuthenticator, ...subscriber(0)])
	await until('radsecproxy relays', 10_000, () => wap.ask(login.bytes, 200))
	wap.close()
}

if (
	canRun('radsecproxy in front', 'radsecproxy', 'freeradius', 'eapol_test', 'radclient', 'openssl')
) {
	test.before(
		aloud(async () => {
			home = await startFreeRadius(upstreamSecret)
			relay = await startRelay({ servers: [home], relay: ['message-authenticator require'] })
			await startRadsecproxy()
		}),
	)
	test.after(endAll)

	test('PEAP/MSCHAPv2 succeeds across three hops and its MPPE keys match', async () => {
		const network = [
			'eap=PEAP',
			`identity="bob"\npassword="${password}"`,
			`ca_cert="${certificateFolder()}/ca.pem"\nphase2="auth=MSCHAPV2"`,
		]
		const login = await eapolTest(port, outerSecret, network.join('\n'))
		assert.ok(login.success, `${login.output.slice(-2000)}\n${proxy.output().slice(-1000)}`)
		assert.ok(login.keysMatch)
	})

	test('Proxy-State comes back as it was sent', async () => {
		const wap = await openWap(port)
		const authenticator = Buffer.alloc(16, 3)
		const request = accessRequest(
			outerSecret,
			1,
			[
				emptyMessageAuthenticator,
				attribute(type.userName, 'bob'),
				...subscriber(1).slice(1),
				attribute(type.userPassword, hidePassword(password, outerSecret, authenticator)),
				attribute(type.proxyState, 'one'),
				attribute(type.proxyState, 'two'),
			],
			authenticator,
		)
		const answer = decode((await wap.ask(request.bytes))!)
		wap.close()
		assert.is(answer.code, code.accessAccept)
		assert.equal(valuesOf(answer, type.proxyState).map(String), ['one', 'two'])
	})

	test('accounting passes', async () => {
		const text = [
			'Acct-Status-Type = Start',
			'Acct-Session-Id = "1"',
			'User-Name = "bob"',
			`Called-Station-Id = "${calledStation}"`,
			'Calling-Station-Id = "02:00:00:00:00:01"',
		]
		const { output } = await radclient(port, 'acct', outerSecret, text.join('\n'))
		assert.match(output, /Received Accounting-Response/)
		assert.is(relay.events('AccountingStarted').length, 1)
	})
}

test.run()
