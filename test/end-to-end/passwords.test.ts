/** PAP, CHAP and MS-CHAPv2, whose secrets are bound to the hop, and what answers carry encrypted. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { type FreeRadius, password, startFreeRadius } from './freeradius.ts'
import { aloud, canRun, endAll } from './processes.ts'
import { type RelayProcess, startRelay, upstreamSecret, wapSecret } from './relay-process.ts'
import { calledStation, radclient } from './wap.ts'

let home: FreeRadius
let relay: RelayProcess

const station = `Called-Station-Id = "${calledStation}"\nCalling-Station-Id = "02-00-00-00-00-01"`
const auth = (text: string) =>
	radclient(relay.authentication, 'auth', wapSecret, `${station}\n${text}`)

if (canRun('PAP, CHAP and MS-CHAPv2', 'freeradius', 'radclient', 'openssl')) {
	test.before(
		aloud(async () => {
			home = await startFreeRadius(upstreamSecret)
			relay = await startRelay({ servers: [home] })
		}),
	)
	test.after(endAll)

	test('PAP: the password arrives, whatever its length', async () => {
		const right = await auth(`User-Name = "bob"\nUser-Password = "${password}"`)
		assert.match(right.output, /Received Access-Accept/)
		for (const length of [1, 15, 16, 17, 32, 128]) {
			const long = 'x'.repeat(length)
			const wrong = await auth(`User-Name = "bob"\nUser-Password = "${long}"`)
			assert.match(wrong.output, /Received Access-Reject/)
			assert.match(home.accessDetail(), new RegExp(`User-Password = "${long}"\n`))
		}
	})

	test('CHAP whose challenge is the Request Authenticator (RFC 2865 §5.3)', async () => {
		const login = await auth(`User-Name = "bob"\nCHAP-Password = "${password}"`)
		assert.match(login.output, /Received Access-Accept/)
		const wrong = await auth('User-Name = "bob"\nCHAP-Password = "wrong"')
		assert.match(wrong.output, /Received Access-Reject/)
	})

	test('CHAP with a CHAP-Challenge of its own, which stays as it is', async () => {
		const challenge = '0x0102030405060708090a0b0c0d0e0f1011'
		const login = await auth(
			`User-Name = "bob"\nCHAP-Password = "${password}"\nCHAP-Challenge = ${challenge}`,
		)
		assert.match(login.output, /Received Access-Accept/)
		assert.match(home.accessDetail(), new RegExp(`CHAP-Challenge = ${challenge}\n`))
	})

	test("MS-CHAPv2 with RFC 2759 §9.2's example; its keys are those of RFC 3079 §3.5.3", async () => {
		const authenticatorChallenge = '5B5D7C7D7B3F2F3E3C2C602132262628'
		const peerChallenge = '21402324255E262A28295F2B3A337C7E'
		const ntResponse = '82309ECD8D708B5EA08FAA3981CD83544233114A3D85D6DF'
		const login = await auth(
			[
				'User-Name = "User"',
				`MS-CHAP-Challenge = 0x${authenticatorChallenge}`,
				`MS-CHAP2-Response = 0x0100${peerChallenge}${'00'.repeat(8)}${ntResponse}`,
			].join('\n'),
		)
		const success = Buffer.from('\x01S=407A5589115FD0D6209F510FE9C04566932CDA56').toString('hex')
		assert.match(login.output, /Received Access-Accept/)
		assert.match(login.output, `MS-CHAP2-Success = 0x${success}`)
		assert.match(login.output, 'MS-MPPE-Send-Key = 0x8b7cdc149b993a1ba118cb153f56dccb')
		assert.match(login.output, /MS-MPPE-Recv-Key = 0x[0-9a-f]{32}\n/)
	})

	test('Tunnel-Password arrives decrypted, each with its tag (RFC 2868 §3.5)', async () => {
		const login = await auth(`User-Name = "tunnel"\nUser-Password = "${password}"`)
		const long = `Tunnel-Password:1 = "a tunnel's secret, longer than one block of MD5"`
		assert.match(login.output, long)
		assert.match(login.output, 'Tunnel-Password:2 = "second"')
		assert.match(login.output, 'Tunnel-Password:0 = "untagged"')
		assert.match(login.output, 'Tunnel-Type:1 = L2TP')
		assert.match(login.output, 'Tunnel-Type:2 = GRE')
	})

	test("the salt-encrypted attributes of Juniper's ERX arrive decrypted", async () => {
		const login = await auth(`User-Name = "tunnel"\nUser-Password = "${password}"`)
		assert.match(login.output, 'ERX-LI-Action = on')
		assert.match(login.output, 'ERX-Med-Dev-Handle = 0x0102030405060708')
		assert.match(login.output, 'ERX-Med-Ip-Address = 192.0.2.7')
		assert.match(login.output, 'ERX-Med-Port-Number = 6514')
	})

	test('no password and no secret stands in the journal', () => {
		const recorded = JSON.stringify(relay.events())
		assert.ok(recorded.includes('"user":"bob"'))
		for (const secret of [password, wapSecret, upstreamSecret, 'clientPass', 'xxxxxxxxxxxxxxx']) {
			assert.not.ok(recorded.includes(secret), secret)
		}
	})
}

test.run()
