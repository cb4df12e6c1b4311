/** 802.1X logins of a real supplicant, through the relay, at a real server. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { certificateFolder, type FreeRadius, password, startFreeRadius } from './freeradius.ts'
import { aloud, canRun, endAll } from './processes.ts'
import { type RelayProcess, startRelay, upstreamSecret, wapSecret } from './relay-process.ts'
import { eapolTest } from './wap.ts'

let home: FreeRadius
let relay: RelayProcess

const bob = `identity="bob"\npassword="${password}"`
const stranger = 'identity="bob"\npassword="wrong"'
const authority = () => `ca_cert="${certificateFolder()}/ca.pem"`
const clientCertificate = () =>
	`client_cert="${certificateFolder()}/client.pem"\nprivate_key="${certificateFolder()}/client.key"`

const methods: { name: string; network: () => string; keys?: false }[] = [
	{ name: 'EAP-MD5', network: () => `eap=MD5\n${bob}`, keys: false },
	{
		name: 'EAP-TLS',
		network: () => `eap=TLS\nidentity="bob"\n${authority()}\n${clientCertificate()}`,
	},
	{ name: 'EAP-TTLS/PAP', network: () => `eap=TTLS\n${bob}\n${authority()}\nphase2="auth=PAP"` },
	{
		name: 'EAP-TTLS/MSCHAPv2',
		network: () => `eap=TTLS\n${bob}\n${authority()}\nphase2="auth=MSCHAPV2"`,
	},
	{
		name: 'PEAP/MSCHAPv2',
		network: () => `eap=PEAP\n${bob}\n${authority()}\nphase2="auth=MSCHAPV2"`,
	},
]

if (canRun('802.1X logins', 'freeradius', 'eapol_test', 'openssl')) {
	test.before(
		aloud(async () => {
			home = await startFreeRadius(upstreamSecret)
			relay = await startRelay({ servers: [home] })
		}),
	)
	test.after(endAll)

	for (const method of methods) {
		test(`${method.name} succeeds${method.keys === false ? '' : ' and its MPPE keys match'}`, async () => {
			const options = method.keys === false ? { keys: false } : {}
			const login = await eapolTest(relay.authentication, wapSecret, method.network(), options)
			assert.ok(login.success, login.output.slice(-3000))
			assert.is(login.keysMatch, method.keys !== false)
		})
	}

	test('a wrong password is rejected, and the rejection is recorded', async () => {
		const mac = '02:00:00:00:00:99'
		const login = await eapolTest(relay.authentication, wapSecret, `eap=MD5\n${stranger}`, {
			keys: false,
			mac,
		})
		assert.not.ok(login.success)
		assert.match(login.output, /code=3 \(Access-Reject\)/)
		const [stream] = relay.events('AccessRejected').map(event => event.stream)
		assert.is(stream, 'subscriber-default.02-00-00-00-00-99')
	})

	test('every login stands in the journal with its subscriber, WAP, SSID and server', () => {
		const accepted = relay.events('AccessAccepted')
		assert.is(accepted.length, methods.length)
		for (const event of accepted) {
			assert.is(event.stream, 'subscriber-default.02-00-00-00-00-01')
			assert.is(event.data['mac'], '02-00-00-00-00-01')
			assert.is(event.data['wap'], '00-11-22-33-44-55')
			assert.is(event.data['ssid'], 'campus')
			assert.is(event.data['client'], '127.0.0.1')
			assert.match(String(event.data['server']), /^127\.0\.0\.1/)
		}
		// PEAP and TTLS hide the reply of the inner tunnel; EAP-MD5 shows it.
		assert.is(accepted[0]!.data['class'], 'gold')
		assert.is(accepted[0]!.data['serviceBundle'], 'gold')
	})

	test('the figures of the statistics are those of the journal', async () => {
		const requests = relay.events('AccessRequested').length
		await relay.expectFigure('authentication', 'Access Requests', requests)
		await relay.expectFigure('authentication', 'Access Accepts', methods.length)
		await relay.expectFigure('authentication', 'Access Rejects', 1)
		const challenges = relay.events('AccessChallenged').length
		assert.ok(challenges > 10, `${challenges} challenges`)
		assert.is(requests, challenges + methods.length + 1)
		await relay.expectFigure('authentication', 'Access Challenges', challenges)
		await relay.expectFigure('authentication', 'Pending Requests', 0)
		for (const row of ['Malformed Requests', 'Bad Authenticators', 'Invalid Requests']) {
			await relay.expectFigure('authentication', row, 0)
		}
	})
}

test.run()
