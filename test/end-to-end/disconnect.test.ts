/** Disconnect and CoA by FreeRADIUS' `radclient`, with an access point that agrees or does not. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { freePorts } from '../../infra/free-ports.ts'
import { type Answer, type HomeServer, startHomeServer } from './home-server.ts'
import { aloud, canRun, endAll, until } from './processes.ts'
import {
	figureIn,
	type RelayProcess,
	startRelay,
	upstreamSecret,
	wapSecret,
} from './relay-process.ts'
import { calledStation, openWap, radclient, subscriber } from './wap.ts'
import { accountingRequest, attribute, type Packet, signedFirst, type, valuesOf } from './wire.ts'

const serverSecret = 'secret-of-the-dynamic-server'
const portSecret = 'secret-of-the-disconnect-port'
const disconnectAck = 41
const disconnectNak = 42
const errorCause = 101

let home: HomeServer
let accessPoint: HomeServer
let relay: RelayProcess
let port: number
/** What the access point says to the next Disconnect-Request. */
let says: (request: Packet) => Answer | undefined = () => undefined

const mac = (n: number) => `02-00-00-00-00-0${n}`

/** Starts a session at the access point that takes Disconnect-Requests: 127.0.0.1. */
async function begin(n: number): Promise<void> {
	const text = [
		'Acct-Status-Type = Start',
		`User-Name = "user${n}"`,
		`Acct-Session-Id = "session-${n}"`,
		`Calling-Station-Id = "${mac(n)}"`,
		`Called-Station-Id = "${calledStation}"`,
	]
	const { output } = await radclient(relay.accounting, 'acct', wapSecret, text.join('\n'))
	assert.match(output, /Received Accounting-Response/)
}

const tell = (command: 'disconnect' | 'coa', attributes: string[], options: string[] = []) =>
	radclient(port, command, serverSecret, attributes.join('\n'), options)

const answers = () => relay.events('DisconnectAnswered').map(({ data }) => data)

if (canRun('disconnect', 'radclient')) {
	test.before(
		aloud(async () => {
			const [dynamic] = await freePorts(1)
			port = dynamic!
			home = await startHomeServer(upstreamSecret)
			accessPoint = await startHomeServer(portSecret, request => says(request))
			const server = { address: '127.0.0.1', authentication: home.port, accounting: home.port }
			relay = await startRelay({
				servers: [server],
				clients: '127.0.0.0 255.0.0.0',
				global: [
					`radius relay disconnect-client 127.0.0.1 key ${portSecret} udp-port ${accessPoint.port}`,
					'radius dynamic-request server 127.0.0.1',
					` key ${serverSecret}`,
					` udp-port ${port}`,
					' subscriber disconnect',
					' authorization change',
					'exit',
				],
			})
		}),
	)
	test.after(endAll)

	test('the access point agrees: the session has ended when radclient hears of it', async () => {
		await begin(1)
		says = () => ({ code: disconnectAck, attributes: [] })
		const { output } = await tell('disconnect', ['Acct-Session-Id = "session-1"'])
		assert.match(output, /Received Disconnect-ACK/)
		const [asked] = accessPoint.requests
		assert.is(asked!.code, 40)
		assert.ok(signedFirst({ ...asked!, bytes: zeroed(asked!.bytes) }, portSecret))
		assert.equal(valuesOf(asked!, type.callingStationId).map(String), [mac(1)])
		assert.equal(valuesOf(asked!, type.acctSessionId).map(String), ['session-1'])
		const [terminated] = relay.events('SubscriberTerminated')
		assert.is(terminated!.data['cause'], 'disconnect')
		assert.equal(answers().at(-1)!['accessPoint'], 'ack')
	})

	test('it refuses: its Error-Cause arrives, and the subscriber stays', async () => {
		await begin(2)
		says = () => ({ code: disconnectNak, attributes: [attribute(errorCause, 506)] })
		const { output } = await tell('disconnect', [
			'User-Name = "user2"',
			'Acct-Session-Id = "session-2"',
		])
		assert.match(output, /Received Disconnect-NAK/)
		assert.match(output, /Error-Cause = Resources-Unavailable/)
		assert.match(await relay.exec('show subscribers'), new RegExp(mac(2)))
	})

	test('it is silent: radclient is told so after three transmissions', async () => {
		const before = accessPoint.requests.length
		says = () => undefined
		const patience = ['-r', '1', '-t', '15']
		const { output } = await tell('disconnect', ['Acct-Session-Id = "session-2"'], patience)
		assert.match(output, /Received Disconnect-NAK/)
		assert.match(output, /Error-Cause = Resources-Unavailable/)
		assert.is(accessPoint.requests.length - before, 3)
		assert.equal(answers().at(-1)!['accessPoint'], 'silent')
		assert.match(await relay.exec(`show subscribers mac ${mac(2)}`), /Acct-Session-Id: +session-2/)
	})

	test('an access point without a Disconnect port is not asked', async () => {
		const wap = await openWap(relay.accounting, '127.0.0.2')
		const before = accessPoint.requests.length
		const attributes = [
			attribute(type.acctStatusType, 1),
			...subscriber(3).filter(({ type: number }) => number !== type.calledStationId),
			attribute(type.calledStationId, '00-11-22-33-44-77:campus'),
			attribute(type.acctSessionId, 'session-3'),
		]
		assert.ok(await wap.ask(accountingRequest(wapSecret, 1, attributes).bytes))
		const { output } = await tell('disconnect', ['Acct-Session-Id = "session-3"'])
		wap.close()
		assert.match(output, /Received Disconnect-ACK/)
		assert.is(accessPoint.requests.length, before)
	})

	test('what is missing, unknown or asked too much is refused by name', async () => {
		const refusals: readonly (readonly ['disconnect' | 'coa', string, RegExp])[] = [
			['disconnect', 'User-Name = "user2"', /NAK[\s\S]*Error-Cause = Missing-Attribute/],
			[
				'disconnect',
				'Acct-Session-Id = "none"',
				/NAK[\s\S]*Error-Cause = Session-Context-Not-Found/,
			],
			[
				'disconnect',
				'Acct-Session-Id = "session-2"\nUser-Name = "user9"',
				/NAK[\s\S]*Error-Cause = Session-Context-Not-Found/,
			],
			[
				'coa',
				'Acct-Session-Id = "session-2"\nSession-Timeout = 60',
				/CoA-NAK[\s\S]*Error-Cause = Unsupported-Attribute/,
			],
			['coa', 'Acct-Session-Id = "session-2"', /CoA-ACK/],
			['disconnect', 'Acct-Session-Id = "session-2"\nNAS-Port = 7', /Error-Cause = Unsupp/],
		]
		for (const [command, text, expected] of refusals) {
			const { output } = await tell(command, [text])
			assert.match(output, expected, text)
		}
	})

	test('a wrong secret gets no answer, and the statistics tell all of it', async () => {
		const wrong = await radclient(port, 'disconnect', 'wrong', 'Acct-Session-Id = "x"', [
			...['-r', '1', '-t', '0.3'],
		])
		assert.match(wrong.output, /No reply from server/)
		const statistics = await until('the discard is counted', 5000, async () => {
			const output = await relay.exec('show radius dynamic-request statistics')
			return figureIn(output, 'Disconnect Bad Authenticators') > 0 ? output : undefined
		})
		const rows: [string, number][] = [
			['Disconnect Requests', 8],
			['Disconnect Accepts', 2],
			['Disconnect Rejects', 6],
			['Disconnect No Session ID', 1],
			['Disconnect Bad Authenticators', 1],
			['CoA Requests', 2],
			['CoA Accepts', 1],
			['CoA Rejects', 1],
		]
		for (const [label, figure] of rows) assert.is(figureIn(statistics, label), figure, label)
		await relay.exec('baseline radius dynamic-request')
		const delta = await relay.exec('show radius dynamic-request statistics delta')
		assert.is(figureIn(delta, 'Disconnect Requests'), 0)
		assert.match(delta, /Statistics baseline set/)
	})

	test('`kill -9` while the access point is asked: the server, told nothing, asks again', async () => {
		says = () => undefined
		const before = accessPoint.requests.length
		const patience = ['-r', '10', '-t', '1']
		const told = tell('disconnect', ['Acct-Session-Id = "session-2"'], patience)
		await until('the access point is asked', 5000, () => accessPoint.requests.length > before)
		await relay.kill()
		assert.is(relay.events('SubscriberTerminated').length, 2, 'nothing has ended by being asked')
		says = () => ({ code: disconnectAck, attributes: [] })
		await relay.restart()
		const { output } = await told
		assert.match(output, /Received Disconnect-ACK/)
		assert.is(relay.events('SubscriberTerminated').length, 3)
	})

	test('an operator sees subscribers and ends their sessions', async () => {
		await begin(4)
		const shown = await relay.exec('show subscribers | include user4')
		assert.match(shown, /02-00-00-00-00-04 +user4 +00-11-22-33-44-55 +campus +\d{4}-/)
		await relay.exec('clear subscriber 0200.0000.0004')
		const terminated = relay.events('SubscriberTerminated').at(-1)!
		assert.equal([terminated.data['mac'], terminated.data['cause']], [mac(4), 'operator'])
		assert.match(await relay.exec('show subscribers'), /No subscriber is on the network/)
		assert.is(await relay.exec(`clear subscriber ${mac(4)}`).catch(() => 'refused'), 'refused')
	})
}

/** RFC 5176 §3.4: the Message-Authenticator is computed over 16 zero octets in the field's place. */
function zeroed(bytes: Buffer): Buffer {
	const copy = Buffer.from(bytes)
	copy.fill(0, 4, 20)
	return copy
}

test.run()
