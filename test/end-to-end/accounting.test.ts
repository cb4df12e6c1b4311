/** Accounting and Status-Server by `radclient`; FreeRADIUS' detail file shows what arrived. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { type FreeRadius, startFreeRadius } from './freeradius.ts'
import { aloud, canRun, endAll } from './processes.ts'
import { type RelayProcess, startRelay, upstreamSecret, wapSecret } from './relay-process.ts'
import { calledStation, radclient } from './wap.ts'

let home: FreeRadius
let relay: RelayProcess

const subscriberSession = [
	'User-Name = "bob"',
	'Acct-Session-Id = "00000001"',
	'Calling-Station-Id = "0200.0000.0001"',
	`Called-Station-Id = "${calledStation}"`,
	'NAS-IP-Address = 192.0.2.1',
]
const account = (...attributes: string[]) =>
	radclient(relay.accounting, 'acct', wapSecret, attributes.join('\n'))

if (canRun('accounting', 'freeradius', 'radclient', 'openssl')) {
	test.before(
		aloud(async () => {
			home = await startFreeRadius(upstreamSecret)
			relay = await startRelay({ servers: [home] })
		}),
	)
	test.after(endAll)

	test('On, Start, Interim-Update, Stop and Off are relayed and answered', async () => {
		const counters = ['Acct-Input-Octets = 5', 'Acct-Input-Gigawords = 2']
		const sent = [
			await account('Acct-Status-Type = Accounting-On', subscriberSession[3]!),
			await account('Acct-Status-Type = Start', ...subscriberSession),
			await account('Acct-Status-Type = Interim-Update', ...subscriberSession, ...counters),
			await account('Acct-Status-Type = Stop', ...subscriberSession, ...counters),
			await account('Acct-Status-Type = Accounting-Off', subscriberSession[3]!),
		]
		for (const { output } of sent) assert.match(output, /Received Accounting-Response/)
		const kinds = [...home.accountingDetail().matchAll(/Acct-Status-Type = (\S+)/g)]
		const expected = ['Accounting-On', 'Start', 'Interim-Update', 'Stop', 'Accounting-Off']
		assert.equal(
			kinds.map(kind => kind[1]),
			expected,
		)
	})

	test("each carries Radius-Client-Address [26-52], the relay's own address", () => {
		const addresses = home.accountingDetail().match(/ERX-Radius-Client-Address = 127\.0\.0\.1\n/g)
		assert.is(addresses?.length, 5)
	})

	test('the journal holds facts: a normal MAC, octets joined to 64 bits, an answer for each', () => {
		const [stopped] = relay.events('AccountingStopped')
		assert.is(stopped?.stream, 'subscriber-default.02-00-00-00-00-01')
		assert.is(stopped?.data['inputOctets'], String(2n * 2n ** 32n + 5n))
		assert.is(stopped?.data['session'], '00000001')
		assert.is(relay.events('AccountingTurnedOn')[0]?.stream, 'wap-default.00-11-22-33-44-55')
		const opened = relay.events(
			'AccountingTurnedOn',
			'AccountingStarted',
			'AccountingUpdated',
			'AccountingStopped',
			'AccountingTurnedOff',
		)
		const answered = relay.events('AccountingAnswered')
		assert.equal(
			answered.map(event => event.data['exchange']),
			opened.map(event => event.position),
		)
	})

	test('the statistics count each kind, requests and responses', async () => {
		await relay.expectFigure('accounting', 'Accounting Requests', 5)
		await relay.expectFigure('accounting', 'Accounting Responses', 5)
		for (const kind of ['Start', 'Stop', 'Interim']) {
			await relay.expectFigure('accounting', kind, 1)
		}
	})

	test('`radius update-source-addr` decides what 26-52 says and where requests come from', async () => {
		const other = await startRelay({
			servers: [home],
			global: ['radius update-source-addr 127.0.0.9'],
		})
		const text = ['Acct-Status-Type = Start', ...subscriberSession].join('\n')
		await radclient(other.accounting, 'acct', wapSecret, text)
		await other.stop()
		assert.match(home.accountingDetail(), /ERX-Radius-Client-Address = 127\.0\.0\.9\n/)
	})

	test('Status-Server is answered on both ports by the relay itself (RFC 5997 §4.2)', async () => {
		const ask = (port: number) =>
			radclient(port, 'status', wapSecret, 'Message-Authenticator = 0x00')
		assert.match((await ask(relay.authentication)).output, /Received Access-Accept/)
		assert.match((await ask(relay.accounting)).output, /Received Accounting-Response/)
		await relay.expectFigure('accounting', 'Accounting Requests', 5)
		await relay.expectFigure('authentication', 'Access Requests', 0)
	})

	test('`show radius relay udp-checksum` asks the kernel', async () => {
		const output = await relay.exec('show radius relay udp-checksum')
		assert.is(output.trim(), 'udp-checksums enabled')
	})
}

test.run()
