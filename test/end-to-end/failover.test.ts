/** Two home servers, one crashed or hung: requests go on being answered, and it is taken up again. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { certificateFolder, type FreeRadius, password, startFreeRadius } from './freeradius.ts'
import { aloud, canRun, endAll, until } from './processes.ts'
import { type RelayProcess, startRelay, upstreamSecret, wapSecret } from './relay-process.ts'
import { eapolTest, openWap, subscriber, type Wap } from './wap.ts'
import {
	accessRequest,
	accountingRequest,
	attribute,
	emptyMessageAuthenticator,
	type,
} from './wire.ts'

let first: FreeRadius
let second: FreeRadius
let relay: RelayProcess
let wap: Wap
let accountingWap: Wap
let sent = 0

/** One login (rejected: the user is unknown) and one Accounting-Start; both must be answered. */
async function askBoth(): Promise<void> {
	sent++
	const station = subscriber(sent)
	const access = accessRequest(wapSecret, sent & 255, [emptyMessageAuthenticator, ...station])
	const start = [attribute(type.acctStatusType, 1), attribute(type.acctSessionId, `${sent}`)]
	const accounting = accountingRequest(wapSecret, sent & 255, [...start, ...station])
	const answers = await Promise.all([
		wap.ask(access.bytes, 8000),
		accountingWap.ask(accounting.bytes, 8000),
	])
	assert.ok(answers[0], `Access-Request ${sent} was not answered`)
	assert.ok(answers[1], `Accounting-Request ${sent} was not answered`)
}

/** Goes on asking until the server is in that state for both services. */
async function askUntil(server: FreeRadius, state: string, limitMs: number): Promise<void> {
	await until(`${server.address} is ${state}`, limitMs, async () => {
		await askBoth()
		const changes = relay
			.events('UpstreamChanged')
			.filter(event => String(event.data['server']).startsWith(server.address))
		return ['authentication', 'accounting'].every(
			service => changes.findLast(e => e.data['service'] === service)?.data['to'] === state,
		)
	})
}

if (canRun('fail-over', 'freeradius', 'eapol_test', 'openssl')) {
	test.before(
		aloud(async () => {
			first = await startFreeRadius(upstreamSecret, '127.0.0.1')
			second = await startFreeRadius(upstreamSecret, '127.0.0.2')
			const upstream = ['timeout 1', 'retransmit 1']
			const flags = ['--watchdog-seconds', '6']
			relay = await startRelay({ servers: [first, second], upstream, flags })
			wap = await openWap(relay.authentication)
			accountingWap = await openWap(relay.accounting)
		}),
	)
	test.after(endAll)

	test('the first server gets everything while it answers', async () => {
		for (let i = 0; i < 5; i++) await askBoth()
		assert.is(first.accessDetail().match(/Access-Request/g)?.length, 5)
		assert.is(second.accessDetail(), '')
	})

	test('it is killed: every request is answered by the second', async () => {
		await first.stop('SIGKILL')
		for (let i = 0; i < 10; i++) await askBoth()
		await askUntil(first, 'down', 90_000)
		assert.ok(second.accountingDetail().includes('Acct-Session-Id = "15"'))
		assert.match(await relay.exec('show radius servers'), /down/i)
	})

	test('it is revived: the watchdog takes it up again (RFC 3539 §3.4)', async () => {
		await first.revive()
		await askUntil(first, 'okay', 120_000)
		await askBoth()
		assert.ok(first.accountingDetail().includes(`Acct-Session-Id = "${sent}"`))
	})

	test('a server that hangs is left out, and used again when it goes on', async () => {
		process.kill(first.pid(), 'SIGSTOP')
		for (let i = 0; i < 3; i++) await askBoth()
		process.kill(first.pid(), 'SIGCONT')
		await askUntil(first, 'okay', 120_000)
	})

	test('round-robin keeps an EAP conversation on the server that began it', async () => {
		const shared = await startRelay({
			servers: [first, second],
			global: ['radius algorithm round-robin'],
		})
		const network = `eap=PEAP\nidentity="bob"\npassword="${password}"\nca_cert="${certificateFolder()}/ca.pem"\nphase2="auth=MSCHAPV2"`
		for (const mac of ['02:00:00:00:00:0a', '02:00:00:00:00:0b']) {
			const login = await eapolTest(shared.authentication, wapSecret, network, { mac })
			assert.ok(login.success && login.keysMatch, login.output.slice(-2000))
		}
		const asked = shared.events('AccessRequested')
		const serversOf = (mac: string) => [
			...new Set(asked.filter(e => e.data['mac'] === mac).map(e => e.data['server'])),
		]
		const [one, other] = [serversOf('02-00-00-00-00-0A'), serversOf('02-00-00-00-00-0B')]
		assert.is(one.length, 1)
		assert.is(other.length, 1)
		assert.not.equal(one, other)
		await shared.stop()
	})
}

test.run()
