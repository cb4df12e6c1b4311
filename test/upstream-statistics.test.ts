import { test } from 'uvu'
import * as assert from 'uvu/assert'
import {
	newVirtualRouter,
	type Service,
	upstreamServerDefaults,
	type VirtualRouter,
} from '../domain/configuration.ts'
import {
	type AccountingStatus,
	type NewEvent,
	type RecordedEvent,
	type ResponseDiscardReason,
	relayStream,
	subscriberStream,
	type UnansweredReason,
	wapStream,
} from '../domain/event.ts'
import { upstreamStatisticsText } from '../projections/statistics-text.ts'
import {
	authenticationServerRow,
	serverLimit,
	type UpstreamStatistics,
	upstreamStatistics,
} from '../projections/upstream-statistics.ts'

const client = '10.10.8.15'
const mac = '02-00-00-00-00-01'
const wap = '02-00-00-00-aa-01'
const [one, two, three] = ['192.0.2.1', '192.0.2.2', 'home.example'] as const

type Tries = [server: string, transmissions: number][]

function access(server: string, router = 'default'): NewEvent {
	const data = { client, mac, wap, server }
	return { stream: subscriberStream(router, mac), type: 'AccessRequested', v: 1, at: 0, data }
}

function answer(
	type: 'AccessAccepted' | 'AccessChallenged' | 'AccessRejected',
	exchange: number,
	server: string,
	{ tries, roundTripUs = 0 }: { tries?: Tries; roundTripUs?: number } = {},
	router = 'default',
): NewEvent {
	const plain = { exchange, client, server, roundTripUs, mac, wap }
	const data = tries === undefined ? plain : { ...plain, tries }
	return { stream: subscriberStream(router, mac), type, v: 1, at: 0, data }
}

function unanswered(exchange: number, reason: UnansweredReason, tries?: Tries): NewEvent {
	const plain = { exchange, client, reason }
	const data = tries === undefined ? plain : { ...plain, tries }
	return { stream: subscriberStream('default', mac), type: 'AccessUnanswered', v: 1, at: 0, data }
}

function accounting(status: AccountingStatus, server: string): NewEvent {
	const rest = { v: 1, at: 0 }
	const subscriber = {
		...rest,
		stream: subscriberStream('default', mac),
		data: { client, mac, wap, server },
	}
	const station = { ...rest, stream: wapStream('default', wap), data: { client, wap, server } }
	switch (status) {
		case 'start':
			return { ...subscriber, type: 'AccountingStarted' }
		case 'interim':
			return { ...subscriber, type: 'AccountingUpdated' }
		case 'stop':
			return { ...subscriber, type: 'AccountingStopped' }
		case 'on':
			return { ...station, type: 'AccountingTurnedOn' }
		case 'off':
			return { ...station, type: 'AccountingTurnedOff' }
		default:
			return status satisfies never
	}
}

function accountingAnswer(
	status: AccountingStatus,
	exchange: number,
	server: string,
	tries?: Tries,
): NewEvent {
	const plain = { exchange, client, server, roundTripUs: 24_000, status }
	const data = tries === undefined ? plain : { ...plain, tries }
	const stream = subscriberStream('default', mac)
	return { stream, type: 'AccountingAnswered', v: 1, at: 0, data }
}

function discarded(
	service: Service,
	server: string,
	reason: ResponseDiscardReason,
	count: number,
): NewEvent {
	const data = { service, server, reason, count }
	return { stream: relayStream('default'), type: 'ResponsesDiscarded', v: 1, at: 0, data }
}

function relayStarted(router = 'default'): NewEvent {
	const data = { release: '0.1.0', configuration: [] }
	return { stream: relayStream(router), type: 'RelayStarted', v: 1, at: 0, data }
}

function baselineSet(scope: 'radius relay' | 'radius', router = 'default'): NewEvent {
	const at = Date.UTC(2004, 3, 2, 19, 1, 52)
	return { stream: relayStream(router), type: 'BaselineSet', v: 1, at, data: { scope } }
}

/** Folds the events; the first has position `from`. */
function given(
	events: readonly NewEvent[],
	from = 1,
	state = upstreamStatistics.initial(),
): UpstreamStatistics {
	let position = from
	for (const event of events) {
		upstreamStatistics.fold(state, { ...event, position: position++ } as RecordedEvent)
	}
	return state
}

function configured(
	authentication: readonly string[],
	more: readonly string[] = [],
): VirtualRouter {
	const of = (service: Service, addresses: readonly string[]) =>
		addresses.map(address => ({ ...upstreamServerDefaults[service], address }))
	return {
		...newVirtualRouter('default'),
		upstream: {
			authentication: of('authentication', authentication),
			accounting: of('accounting', more),
		},
	}
}

type Show = { service?: Service; delta?: boolean; virtualRouter?: string }

function show(state: UpstreamStatistics, configuration: VirtualRouter, query: Show = {}): string[] {
	const defaults = { virtualRouter: 'default', delta: false }
	return upstreamStatisticsText(state, { ...defaults, ...query, configuration })
}

/** What one server's rows say, `Label value`, without the zero ones and the port. */
function rows(
	state: UpstreamStatistics,
	service: Service,
	server: string,
	query: Show = {},
): string[] {
	const configuration = configured([server], [server])
	return show(state, configuration, { ...query, service })
		.slice(5)
		.map(line => line.replace(/ {2,}/, ' '))
		.filter(line => / [1-9-]\d*$/.test(line))
}

test('a thousand logins and accounting starts, as the router prints them', () => {
	const state = upstreamStatistics.initial()
	for (let i = 0; i < 1000; i++) {
		const exchange = i * 4 + 1
		const events = [
			access(one),
			accounting('start', one),
			answer('AccessAccepted', exchange, one, { roundTripUs: 14_999 }),
			accountingAnswer('start', exchange + 1, one),
		]
		given(events, exchange, state)
	}
	assert.equal(show(state, configured([one, three], [one])), [
		'RADIUS Authentication Statistics',
		'--------------------------------',
		'Statistic            192.0.2.1  home.example',
		'-------------------  ---------  ------------',
		'UDP Port             1812       1812',
		'Round Trip Time      1          0',
		'Access Requests      1000       0',
		'Rollover Requests    0          0',
		'Retransmissions      0          0',
		'Access Accepts       1000       0',
		'Access Rejects       0          0',
		'Access Challenges    0          0',
		'Malformed Responses  0          0',
		'Bad Authenticators   0          0',
		'Requests Pending     0          0',
		'Request Timeouts     0          0',
		'Unknown Responses    0          0',
		'Packets Dropped      0          0',
		'',
		'RADIUS Accounting Statistics',
		'----------------------------',
		'Statistic            192.0.2.1',
		'-------------------  ---------',
		'UDP Port             1813',
		'Round Trip Time      2',
		'Requests             1000',
		'Start Requests       1000',
		'Interim Requests     0',
		'Stop Requests        0',
		'Reject Requests      0',
		'Rollover Requests    0',
		'Retransmissions      0',
		'Responses            1000',
		'Start Responses      1000',
		'Interim Responses    0',
		'Stop Responses       0',
		'Reject Responses     0',
		'Malformed Responses  0',
		'Bad Authenticators   0',
		'Requests Pending     0',
		'Request Timeouts     0',
		'Unknown Responses    0',
		'Packets Dropped      0',
	])
	assert.equal(state.pages, [])
})

test('accepts, rejects and challenges, and what is still open', () => {
	const state = given([
		...Array.from({ length: 8 }, () => access(one)),
		answer('AccessAccepted', 1, one),
		answer('AccessChallenged', 2, one),
		answer('AccessChallenged', 3, one),
		answer('AccessRejected', 4, one),
		answer('AccessRejected', 5, one),
		answer('AccessRejected', 6, one, { roundTripUs: 3_000_000 }),
	])
	assert.equal(rows(state, 'authentication', one), [
		'Round Trip Time 300',
		'Access Requests 8',
		'Access Accepts 1',
		'Access Rejects 3',
		'Access Challenges 2',
		'Requests Pending 2',
	])
})

test('a retransmission is a time-out, and the answered transmission is none', () => {
	const state = given([access(one), answer('AccessAccepted', 1, one, { tries: [[one, 3]] })])
	assert.equal(rows(state, 'authentication', one), [
		'Access Requests 1',
		'Retransmissions 2',
		'Access Accepts 1',
		'Request Timeouts 2',
	])
})

test('a rollover is a request of the further server; each silent one timed out', () => {
	const tries: Tries = [
		[one, 4],
		[two, 1],
		[three, 2],
	]
	const state = given([access(one), answer('AccessAccepted', 1, three, { tries })])
	assert.equal(rows(state, 'authentication', one), [
		'Access Requests 1',
		'Retransmissions 3',
		'Request Timeouts 4',
	])
	assert.equal(rows(state, 'authentication', two), [
		'Access Requests 1',
		'Rollover Requests 1',
		'Request Timeouts 1',
	])
	assert.equal(rows(state, 'authentication', three), [
		'Access Requests 1',
		'Rollover Requests 1',
		'Retransmissions 1',
		'Access Accepts 1',
		'Request Timeouts 1',
	])
})

test('an answer that comes from the first server after the rollover belongs to the first', () => {
	const tries: Tries = [
		[one, 2],
		[two, 1],
	]
	const state = given([access(one), answer('AccessRejected', 1, one, { tries })])
	assert.equal(rows(state, 'authentication', one), [
		'Access Requests 1',
		'Retransmissions 1',
		'Access Rejects 1',
		'Request Timeouts 1',
	])
	assert.equal(rows(state, 'authentication', two), [
		'Access Requests 1',
		'Rollover Requests 1',
		'Request Timeouts 1',
	])
})

test('an accounting request that rolls over keeps its status', () => {
	const tries: Tries = [
		[one, 1],
		[two, 1],
	]
	const state = given([accounting('stop', one), accountingAnswer('stop', 1, two, tries)])
	assert.equal(rows(state, 'accounting', two), [
		'Round Trip Time 2',
		'Requests 1',
		'Stop Requests 1',
		'Rollover Requests 1',
		'Responses 1',
		'Stop Responses 1',
	])
})

test('accounting by status; on and off are in the totals only', () => {
	const statuses = ['start', 'interim', 'interim', 'stop', 'on', 'off'] as const
	const state = given([
		...statuses.map(status => accounting(status, one)),
		...statuses.map((status, i) => accountingAnswer(status, i + 1, one)),
	])
	assert.equal(rows(state, 'accounting', one), [
		'Round Trip Time 2',
		'Requests 6',
		'Start Requests 1',
		'Interim Requests 2',
		'Stop Requests 1',
		'Responses 6',
		'Start Responses 1',
		'Interim Responses 2',
		'Stop Responses 1',
	])
})

test('a request that nobody answers is found again by its exchange', () => {
	const state = given([
		access(one),
		access(two),
		access(''),
		unanswered(3, 'no-server'),
		unanswered(2, 'timeout'),
		unanswered(1, 'timeout', [
			[one, 4],
			[two, 4],
		]),
	])
	assert.equal(rows(state, 'authentication', one), [
		'Access Requests 1',
		'Retransmissions 3',
		'Request Timeouts 4',
	])
	assert.equal(rows(state, 'authentication', two), [
		'Access Requests 2',
		'Rollover Requests 1',
		'Retransmissions 3',
		'Request Timeouts 5',
	])
})

test('a request that was given up early did not time out again', () => {
	const state = given([
		access(one),
		access(one),
		unanswered(1, 'superseded'),
		unanswered(2, 'stopped', [[one, 3]]),
	])
	assert.equal(rows(state, 'authentication', one), [
		'Access Requests 2',
		'Retransmissions 2',
		'Request Timeouts 2',
	])
})

test('a request that could not be sent was dropped', () => {
	const state = given([
		...Array.from({ length: 4 }, () => access(one)),
		unanswered(1, 'queue-full'),
		unanswered(2, 'queue-full', []),
		unanswered(3, 'too-long', []),
		unanswered(4, 'queue-full', [
			[one, 1],
			[two, 0],
		]),
	])
	assert.equal(rows(state, 'authentication', one), [
		'Access Requests 4',
		'Request Timeouts 1',
		'Packets Dropped 3',
	])
	assert.equal(rows(state, 'authentication', two), ['Packets Dropped 1'])
})

test('datagrams that answer nothing, by reason', () => {
	const state = given([
		discarded('accounting', one, 'malformed', 1),
		discarded('accounting', one, 'bad-authenticator', 2),
		discarded('accounting', one, 'unexpected-code', 3),
		discarded('accounting', one, 'unknown', 4),
	])
	assert.equal(rows(state, 'accounting', one), [
		'Malformed Responses 1',
		'Bad Authenticators 2',
		'Unknown Responses 3',
		'Packets Dropped 4',
	])
	assert.equal(rows(state, 'authentication', one), [])
})

test('a baseline of the scope radius is taken off, but not from the gauges', () => {
	const state = given([
		access(one),
		access(one),
		answer('AccessAccepted', 1, one, { roundTripUs: 70_000 }),
		baselineSet('radius'),
		baselineSet('radius', 'b'),
		access(one),
		access(two),
	])
	const delta = { delta: true }
	assert.equal(rows(state, 'authentication', one, delta), [
		'Round Trip Time 7',
		'Access Requests 1',
		'Requests Pending 2',
	])
	assert.equal(rows(state, 'authentication', two, delta), [
		'Access Requests 1',
		'Requests Pending 1',
	])
	const lines = show(state, configured([one]), delta)
	const line = 'Statistics baseline set FRI APR 02 2004 19:01:52 UTC'
	assert.equal(
		lines.filter(text => text.startsWith('Statistics ')),
		[line, line],
	)
	assert.equal(show(state, configured([]), { service: 'accounting', delta: true }), [
		'RADIUS Accounting Statistics',
		'----------------------------',
		'No RADIUS accounting server is configured',
		'',
		line,
	])
})

test('the baseline of the relay changes nothing here', () => {
	const state = given([access(one), baselineSet('radius relay')])
	const lines = show(state, configured([one]), { service: 'authentication', delta: true })
	assert.is(lines.at(-1), 'Statistics baseline not set')
	assert.is(rows(state, 'authentication', one, { delta: true })[0], 'Access Requests 1')
})

test('a start of the relay forgets what was open in its virtual router', () => {
	const state = given([
		access(one),
		access(one, 'b'),
		relayStarted(),
		access(one),
		answer('AccessAccepted', 4, one),
		answer('AccessAccepted', 2, one, {}, 'b'),
	])
	assert.equal(rows(state, 'authentication', one), ['Access Requests 2', 'Access Accepts 1'])
	assert.equal(rows(state, 'authentication', one, { virtualRouter: 'b' }), [
		'Access Requests 1',
		'Access Accepts 1',
	])
	assert.equal(state.pages, [])
})

test('servers that are configured no more are not shown', () => {
	const state = given([access(one), access(two)])
	const lines = show(state, configured([two]), { service: 'authentication' })
	assert.is(lines[2], 'Statistic            192.0.2.2')
})

test('requests stay open over any number of events', () => {
	const state = given([access(two)], 5)
	for (let at = 10; at < 20_000; at += 2) {
		given([access(one), answer('AccessAccepted', at, one)], at, state)
	}
	assert.is(state.pages.length, 1)
	given([unanswered(5, 'timeout')], 20_000, state)
	assert.equal(rows(state, 'authentication', two), ['Access Requests 1', 'Request Timeouts 1'])
	assert.equal(state.pages, [])
})

test('the number of servers has a limit', () => {
	const servers = Array.from({ length: serverLimit + 3 }, (_, i) => access(`home${i}.example`))
	const state = given(servers)
	assert.is(state.servers.length, serverLimit)
	assert.is(state.uncounted, 3)
})

test('a state that was saved and loaded goes on like one that was not', () => {
	const events = [
		access(one),
		accounting('start', two),
		access(two),
		baselineSet('radius'),
		answer('AccessAccepted', 3, one, {
			tries: [
				[two, 2],
				[one, 1],
			],
		}),
		discarded('authentication', one, 'unknown', 2),
		unanswered(1, 'timeout'),
		access(three),
		baselineSet('radius'),
		accountingAnswer('start', 2, two),
		access(one),
	]
	const straight = given(events)
	for (let cut = 0; cut <= events.length; cut++) {
		const text = JSON.stringify(given(events.slice(0, cut)))
		const saved = JSON.parse(text) as UpstreamStatistics
		assert.equal(given(events.slice(cut), cut + 1, saved), straight)
	}
})

test('an answer that comes twice closes nothing that was opened since', () => {
	const state = upstreamStatistics.initial()
	// A page of open requests comes and goes, and its place in memory is taken by the next one.
	const events = [access(one), answer('AccessAccepted', 1, one), access(one)]
	for (const [index, event] of [...events, answer('AccessAccepted', 1, one)].entries()) {
		upstreamStatistics.fold(state, { ...event, position: index + 1 } as RecordedEvent)
	}
	assert.is(state.servers[0]!.now[authenticationServerRow.pending], 1)
	assert.equal(
		state.pages.map(({ open, servers }) => [open, servers.indexOf(1), servers.lastIndexOf(1)]),
		[[1, 3, 3]],
	)
})

test.run()
