/** What people are shown of sessions and of dynamic requests, and the ways in which sessions end. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { decide } from '../domain/decide.ts'
import type { EventData, RecordedEvent } from '../domain/event.ts'
import { evolve, initialState } from '../domain/state.ts'
import { dynamicRequestStatistics } from '../projections/dynamic-request-statistics.ts'
import { dynamicRequestStatisticsText } from '../projections/dynamic-request-text.ts'
import { subscriberLimit, subscribersText, subscriberText } from '../projections/sessions-text.ts'
import { ofType } from './relay-invariants.ts'
import {
	accountingRequest,
	configurationOf,
	oneServer,
	relayServers,
	type SimulatedRelay,
	simulatedRelay,
} from './simulated-relay.ts'

const mac = '02-00-00-00-00-01'
const wap = '00-11-22-33-44-55'
const start = 1_800_000_000_000

function started(about: Partial<EventData<'AccountingStarted'>> = {}, at = start): RecordedEvent {
	const data = { client: '10.0.0.1', mac, wap, ssid: 'campus', server: 'a', ...about }
	const stream = `subscriber-default.${data.mac}`
	return { position: 1, stream, type: 'AccountingStarted', v: 1, at, data }
}

function viewOf(events: readonly RecordedEvent[]) {
	const state = initialState()
	for (const event of events) evolve(state, event)
	return state.routers
}

test('show subscribers is a table by MAC with times, and a number below', () => {
	const view = viewOf([
		started({ mac: '02-00-00-00-00-02', user: 'bob', session: 's2' }, start + 61_000),
		started({ user: 'alice@example.org', session: 's1' }),
		{ ...started({ user: 'alice' }, start + 120_000), type: 'AccountingUpdated' } as RecordedEvent,
	])
	assert.is(
		subscribersText(view, 'default').join('\n'),
		`Subscribers
-----------
MAC Address        User               Access Point       SSID    Since                Last Heard           Acct-Session-Id
-----------------  -----------------  -----------------  ------  -------------------  -------------------  ---------------
02-00-00-00-00-01  alice@example.org  00-11-22-33-44-55  campus  2027-01-15 08:00:00  2027-01-15 08:02:00  s1
02-00-00-00-00-02  bob                00-11-22-33-44-55  campus  2027-01-15 08:01:01  2027-01-15 08:01:01  s2

Subscribers: 2`,
	)
	assert.equal(subscribersText(view, 'other').at(-1), 'No subscriber is on the network.')
})

test('names are cut, and cannot write over the terminal', () => {
	const view = viewOf([
		started({ user: '\u001b[2J\u202ealice', ssid: 'x'.repeat(32), session: '…' }),
	])
	const line = subscribersText(view, 'default')[4]!
	assert.match(line, /\uFFFD\[2J\uFFFDalice/)
	assert.match(line, / x{15}… /)
	assert.not.match(subscriberText(view, 'default', mac, []).join('\n'), /[\u001b\u202e]/)
})

test('one subscriber is shown whole', () => {
	const view = viewOf([
		started({
			user: 'alice',
			session: 's1',
			multiSession: 'm1',
			class: 'gold',
			client: '10.0.0.9',
		}),
	])
	assert.is(
		subscriberText(view, 'default', mac, ['10.1.0.5']).join('\n'),
		`Subscriber 02-00-00-00-00-01
----------------------------
MAC Address:           02-00-00-00-00-01
User:                  alice
Access Point:          00-11-22-33-44-55
Access Point Address:  10.0.0.9
SSID:                  campus
Since:                 FRI JAN 15 2027 08:00:00 UTC
Last Heard:            FRI JAN 15 2027 08:00:00 UTC
Acct-Session-Id:       s1
Acct-Multi-Session-Id: m1
Class:                 gold
Address:               10.1.0.5`,
	)
	const nobody = subscriberText(view, 'default', '02-00-00-00-00-09', [])
	assert.equal(nobody, ['% 02-00-00-00-00-09 has no session.'])
})

test('a table too long for a reply says how many it leaves out', () => {
	const state = initialState()
	for (let n = 0; n <= subscriberLimit; n++) {
		const digits = n.toString(16).toUpperCase().padStart(6, '0')
		const who = `02-00-00-${digits.replace(/(..)(..)(..)/, '$1-$2-$3')}`
		evolve(state, started({ mac: who, user: 'ü'.repeat(24), session: 'x'.repeat(20) }))
	}
	const lines = subscribersText(state.routers, 'default')
	const listed = lines.filter(line => line.startsWith('02-')).length
	assert.is(lines.at(-2), `Subscribers: ${subscriberLimit + 1}`)
	assert.match(lines.at(-1)!, new RegExp(`^${subscriberLimit + 1 - listed} of them are not listed`))
	const octets = new TextEncoder().encode(JSON.stringify(lines)).length
	assert.ok(octets < 15 * 2 ** 20 && listed > 10_000, `${listed} lines in ${octets} octets`)
})

function on(relay: SimulatedRelay): number {
	return relay.state.routers.get('default')?.sessions.size ?? 0
}

test('the idle timeout is what is configured, from the next second on', async () => {
	const text = oneServer + relayServers
	const relay = await simulatedRelay(`${text}radius relay idle-timeout 60\n`)
	relay.fromWap(accountingRequest('start'))
	relay.pass(40_000)
	relay.fromWap(accountingRequest('interim', { identifier: 2, nonce: 2 }))
	relay.pass(59_000)
	assert.is(on(relay), 1, 'the clock counts recorded accounting')
	relay.pass(3000)
	assert.is(on(relay), 0)
	assert.is(ofType(relay, 'SubscriberTerminated')[0]!.data.cause, 'idle-timeout')

	relay.fromWap(accountingRequest('start', { identifier: 3, nonce: 3 }))
	await relay.configure(text)
	relay.pass(120_000)
	assert.is(on(relay), 1, '24 hours again')
	await relay.configure(`${text}radius relay idle-timeout 100\n`)
	relay.pass(2000)
	assert.is(on(relay), 0)
})

test("an operator's command ends a session once, and who is not there is not ended", () => {
	const state = initialState()
	evolve(state, started())
	const clear = { kind: 'clear-subscriber', at: start + 5, router: 'default', mac } as const
	const { events } = decide(state, clear)
	assert.equal(events, [
		{
			stream: `subscriber-default.${mac}`,
			type: 'SubscriberTerminated',
			v: 1,
			at: start + 5,
			data: { mac, wap, cause: 'operator', since: start },
		},
	])
	for (const event of events) evolve(state, event)
	assert.equal(decide(state, clear).events, [])
	assert.equal(decide(state, { ...clear, router: 'other' }).events, [])
})

test('dynamic requests are counted for each server, from a baseline on as well', () => {
	const state = dynamicRequestStatistics.initial()
	const stream = 'relay-default'
	const server = '192.0.2.9'
	const fold = (type: string, data: object) =>
		dynamicRequestStatistics.fold(state, {
			position: 1,
			stream,
			type,
			v: 1,
			at: start,
			data,
		} as unknown as RecordedEvent)
	const asked = (request: string, more: object) => {
		fold('DisconnectRequested', { server, request })
		fold('DisconnectAnswered', { exchange: 1, server, request, ...more })
	}
	const discarded = (request: string, reason: string, count: number, from = server) =>
		fold('DynamicRequestsDiscarded', { server: from, request, reason, count })
	asked('disconnect', { accepted: true })
	asked('disconnect', { accepted: false, errorCause: 402 })
	asked('disconnect', { accepted: false, errorCause: 503 })
	asked('change-of-authorization', { accepted: true })
	asked('change-of-authorization', { accepted: false, errorCause: 402 })
	discarded('disconnect', 'bad-authenticator', 7)
	discarded('change-of-authorization', 'stale', 2)
	discarded('disconnect', 'duplicate', 3)
	discarded('disconnect', 'repeated', 50)
	discarded('other', 'malformed', 4)
	discarded('disconnect', 'unknown-client', 9, '198.51.100.1')
	fold('BaselineSet', { scope: 'radius dynamic-request' })
	fold('BaselineSet', { scope: 'radius' })
	asked('disconnect', { accepted: true })
	discarded('disconnect', 'unknown-client', 1, '198.51.100.2')
	const [router] = configurationOf(
		`radius dynamic-request server ${server}\nradius dynamic-request server 192.0.2.10\n`,
	).virtualRouters
	const thawed = JSON.parse(JSON.stringify(state)) as typeof state
	assert.is(
		dynamicRequestStatisticsText(thawed, router!, false).join('\n'),
		`RADIUS Request Statistics
-------------------------
Statistic                      192.0.2.9  192.0.2.10
-----------------------------  ---------  ----------
UDP Port                       1700       1700
Disconnect Requests            4          0
Disconnect Accepts             2          0
Disconnect Rejects             2          0
Disconnect No Session ID       1          0
Disconnect Bad Authenticators  7          0
Disconnect Packets Dropped     3          0
CoA Requests                   2          0
CoA Accepts                    1          0
CoA Rejects                    1          0
CoA No Session ID              1          0
CoA Bad Authenticators         0          0
CoA Packets Dropped            2          0
Unknown Requests               4          0

Requests from Unknown Clients: 10`,
	)
	const delta = dynamicRequestStatisticsText(thawed, router!, true)
	assert.ok(delta.includes('Disconnect Requests            1          0'))
	assert.ok(delta.includes('Disconnect Bad Authenticators  0          0'))
	assert.ok(delta.includes('Requests from Unknown Clients: 1'))
	assert.is(delta.at(-1), 'Statistics baseline set FRI JAN 15 2027 08:00:00 UTC')
})

test.run()
