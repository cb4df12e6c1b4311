import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Service } from '../domain/configuration.ts'
import {
	type AccountingStatus,
	type DiscardReason,
	type EventData,
	type NewEvent,
	type RecordedEvent,
	relayStream,
	subscriberStream,
	type UnansweredReason,
	wapStream,
} from '../domain/event.ts'
import {
	clientLimit,
	discardedClientLimit,
	type RelayStatistics,
	relayStatistics,
	routerStatistics,
} from '../projections/statistics.ts'
import { relayStatisticsText, routerDate } from '../projections/statistics-text.ts'

const mac = '02-00-00-00-00-01'
const wap = '02-00-00-00-aa-01'
const server = '192.0.2.1'
const baselineAt = Date.UTC(2004, 3, 2, 19, 1, 52)

type Place = { router?: string; client?: string }

function subscriber(
	{ router = 'default', client = '10.10.8.15' }: Place,
	of: (stream: string, client: string) => NewEvent,
): NewEvent {
	return of(subscriberStream(router, mac), client)
}

function accessRequested(place: Place = {}): NewEvent {
	return subscriber(place, (stream, client) => {
		const data = { client, mac, wap, server }
		return { stream, type: 'AccessRequested', v: 1, at: 0, data }
	})
}

function accessAnswered(
	type: 'AccessAccepted' | 'AccessChallenged' | 'AccessRejected',
	place: Place = {},
): NewEvent {
	return subscriber(place, (stream, client) => {
		const data = { exchange: 1, client, server, roundTripUs: 1500, mac, wap }
		return { stream, type, v: 1, at: 0, data }
	})
}

function accessUnanswered(reason: UnansweredReason, place: Place = {}): NewEvent {
	return subscriber(place, (stream, client) => {
		const data = { exchange: 1, client, reason }
		return { stream, type: 'AccessUnanswered', v: 1, at: 0, data }
	})
}

function accountingRequested(status: AccountingStatus, place: Place = {}): NewEvent {
	const { router = 'default', client = '10.10.8.15' } = place
	const access = { stream: wapStream(router, wap), v: 1, at: 0, data: { client, wap, server } }
	const station = {
		stream: subscriberStream(router, mac),
		v: 1,
		at: 0,
		data: { ...access.data, mac },
	}
	switch (status) {
		case 'start':
			return { ...station, type: 'AccountingStarted' }
		case 'interim':
			return { ...station, type: 'AccountingUpdated' }
		case 'stop':
			return { ...station, type: 'AccountingStopped' }
		case 'on':
			return { ...access, type: 'AccountingTurnedOn' }
		case 'off':
			return { ...access, type: 'AccountingTurnedOff' }
		default:
			return status satisfies never
	}
}

function accountingAnswered(status: AccountingStatus, place: Place = {}): NewEvent {
	const { router = 'default', client = '10.10.8.15' } = place
	const data = { exchange: 1, client, server, roundTripUs: 900, status }
	const on = status === 'on' || status === 'off'
	const stream = on ? wapStream(router, wap) : subscriberStream(router, mac)
	return { stream, type: 'AccountingAnswered', v: 1, at: 0, data }
}

function accountingUnanswered(status: AccountingStatus): NewEvent {
	const data = { exchange: 1, client: '10.10.8.15', status, reason: 'timeout' } as const
	return {
		stream: subscriberStream('default', mac),
		type: 'AccountingUnanswered',
		v: 1,
		at: 0,
		data,
	}
}

function discarded(
	service: Service,
	reason: DiscardReason,
	count: number,
	{ router = 'default', client = '10.10.8.15' }: Place = {},
): NewEvent {
	const data: EventData<'RequestsDiscarded'> = { service, client, reason, count }
	return { stream: relayStream(router), type: 'RequestsDiscarded', v: 1, at: 0, data }
}

function relayStarted(router = 'default'): NewEvent {
	const data = { release: '0.1.0', configuration: [] }
	return { stream: relayStream(router), type: 'RelayStarted', v: 1, at: 0, data }
}

function baselineSet(scope: 'radius relay' | 'radius', router = 'default'): NewEvent {
	const stream = relayStream(router)
	return { stream, type: 'BaselineSet', v: 1, at: baselineAt, data: { scope } }
}

function times(count: number, ...events: NewEvent[]): NewEvent[] {
	return Array.from({ length: count }, () => events).flat()
}

function given(events: readonly NewEvent[], state = relayStatistics.initial()): RelayStatistics {
	let position = 0
	for (const event of events) {
		relayStatistics.fold(state, { ...event, position: ++position } as RecordedEvent)
	}
	return state
}

type Show = { service?: Service; client?: string; router?: string; delta?: boolean }

function show(state: RelayStatistics, query: Show = {}): string[] {
	const { router = 'default', delta = false, ...rest } = query
	return relayStatisticsText(state, { virtualRouter: router, delta, ...rest })
}

/** The rows of one service that are not zero, `Label value`. */
function rows(state: RelayStatistics, service: Service, query: Show = {}): string[] {
	return show(state, { ...query, service })
		.slice(4)
		.map(line => line.replace(/ {2,}(?=\d)/, ' '))
		.filter(line => / [1-9-]\d*$/.test(line) && !line.startsWith('Statistics'))
}

const thousand = [
	...times(1000, accessRequested(), accessAnswered('AccessAccepted')),
	...times(1000, accountingRequested('start'), accountingAnswered('start')),
]

test('the sample of the documentation: a thousand logins and accounting starts', () => {
	const before = times(7, accessRequested(), accessAnswered('AccessRejected'))
	const state = given([...before, baselineSet('radius relay'), ...thousand])
	assert.equal(show(state, { delta: true }), [
		'RADIUS Relay Authentication Server Statistics',
		'---------------------------------------------',
		'Statistic           Total',
		'------------------  -----',
		'Access Requests     1000',
		'Access Accepts      1000',
		'Access Challenges   0',
		'Access Rejects      0',
		'Pending Requests    0',
		'Duplicate Requests  0',
		'Malformed Requests  0',
		'Bad Authenticators  0',
		'Unknown Requests    0',
		'Dropped Packets     0',
		'Invalid Requests    0',
		'',
		'Statistics baseline set FRI APR 02 2004 19:01:52 UTC',
		'',
		'RADIUS Relay Accounting Server Statistics',
		'-----------------------------------------',
		'Statistic             Total',
		'--------------------  -----',
		'Accounting Requests   1000',
		'  Start               1000',
		'  Stop                0',
		'  Interim             0',
		'Accounting Responses  1000',
		'  Start               1000',
		'  Stop                0',
		'  Interim             0',
		'Pending Requests      0',
		'Duplicate Requests    0',
		'Malformed Requests    0',
		'Bad Authenticators    0',
		'Unknown Requests      0',
		'Dropped Packets       0',
		'Invalid Requests      0',
		'',
		'Statistics baseline set FRI APR 02 2004 19:01:52 UTC',
	])
})

test('without delta the totals are shown and no baseline is mentioned', () => {
	const state = given([accessRequested(), baselineSet('radius relay'), accessRequested()])
	assert.equal(rows(state, 'authentication'), ['Access Requests 2', 'Pending Requests 2'])
	assert.is(show(state).filter(line => line.includes('baseline')).length, 0)
})

test('delta before any baseline shows the totals and says so', () => {
	const state = given([accessRequested(), baselineSet('radius'), baselineSet('radius relay', 'b')])
	assert.equal(rows(state, 'authentication', { delta: true }), [
		'Access Requests 1',
		'Pending Requests 1',
	])
	assert.is(show(state, { delta: true }).at(-1), 'Statistics baseline not set')
})

test('every outcome has its row and ends the wait', () => {
	const state = given([
		...times(9, accessRequested()),
		accessAnswered('AccessAccepted'),
		...times(2, accessAnswered('AccessChallenged')),
		...times(3, accessAnswered('AccessRejected')),
		accessUnanswered('timeout'),
		accessUnanswered('no-server'),
	])
	assert.equal(rows(state, 'authentication'), [
		'Access Requests 9',
		'Access Accepts 1',
		'Access Challenges 2',
		'Access Rejects 3',
		'Pending Requests 1',
	])
	assert.equal(rows(state, 'accounting'), [])
})

test('accounting is broken down by status; on and off are in the total only', () => {
	const state = given([
		...times(4, accountingRequested('start')),
		...times(3, accountingRequested('stop')),
		...times(2, accountingRequested('interim')),
		accountingRequested('on'),
		accountingRequested('off'),
		...times(3, accountingAnswered('start')),
		...times(2, accountingAnswered('stop')),
		accountingAnswered('interim'),
		accountingAnswered('on'),
		accountingUnanswered('start'),
	])
	assert.equal(rows(state, 'accounting'), [
		'Accounting Requests 11',
		'  Start 4',
		'  Stop 3',
		'  Interim 2',
		'Accounting Responses 7',
		'  Start 3',
		'  Stop 2',
		'  Interim 1',
		'Pending Requests 3',
	])
	assert.equal(rows(state, 'authentication'), [])
})

test('each reason for a discard has its row, in both services', () => {
	for (const service of ['authentication', 'accounting'] as const) {
		const state = given([
			discarded(service, 'duplicate', 1),
			discarded(service, 'malformed', 2),
			discarded(service, 'bad-authenticator', 3),
			discarded(service, 'unknown-client', 4),
			discarded(service, 'queue-full', 5),
			discarded(service, 'invalid', 6),
			discarded(service, 'invalid', 10, { client: '' }),
		])
		const common = [
			'Duplicate Requests 1',
			'Malformed Requests 2',
			'Bad Authenticators 3',
			'Unknown Requests 4',
			'Dropped Packets 5',
		]
		assert.equal(rows(state, service), [...common, 'Invalid Requests 16'])
		assert.equal(rows(state, service, { client: '10.10.8.15' }), [...common, 'Invalid Requests 6'])
	}
})

test('a start of the relay forgets what was pending, there only, and the baseline stays', () => {
	const state = given([
		accessRequested(),
		accountingRequested('start'),
		accessRequested({ router: 'b' }),
		baselineSet('radius relay'),
		...times(2, accessRequested()),
		relayStarted(),
		accessRequested(),
	])
	const expected = ['Access Requests 3', 'Pending Requests 1']
	assert.equal(rows(state, 'authentication', { delta: true }), expected)
	assert.equal(rows(state, 'authentication', { delta: true, client: '10.10.8.15' }), expected)
	assert.equal(rows(state, 'accounting'), ['Accounting Requests 1', '  Start 1'])
	assert.equal(rows(state, 'authentication', { router: 'b' }), [
		'Access Requests 1',
		'Pending Requests 1',
	])
})

test('pending requests are a gauge: a baseline takes nothing off', () => {
	const state = given([...times(5, accessRequested()), baselineSet('radius relay')])
	assert.equal(rows(state, 'authentication', { delta: true }), ['Pending Requests 5'])
	given([accessAnswered('AccessAccepted')], state)
	assert.equal(rows(state, 'authentication', { delta: true }), [
		'Access Accepts 1',
		'Pending Requests 4',
	])
})

test('a client has its own figures and its own share of the baseline', () => {
	const [a, b, c] = ['10.0.0.1', '10.0.0.2', '10.0.0.3'] as const
	const state = given([
		...times(3, accessRequested({ client: a }), accessAnswered('AccessAccepted', { client: a })),
		accessRequested({ client: b }),
		baselineSet('radius relay'),
		...times(2, accessRequested({ client: a }), accessAnswered('AccessRejected', { client: a })),
		accessRequested({ client: c }),
	])
	assert.equal(rows(state, 'authentication', { client: a }), [
		'Access Requests 5',
		'Access Accepts 3',
		'Access Rejects 2',
	])
	const changed = (client: string): string[] =>
		rows(state, 'authentication', { client, delta: true })
	assert.equal(changed(a), ['Access Requests 2', 'Access Rejects 2'])
	assert.equal(changed(b), ['Pending Requests 1'])
	assert.equal(changed(c), ['Access Requests 1', 'Pending Requests 1'])
	assert.equal(rows(state, 'authentication', { delta: true }), [
		'Access Requests 3',
		'Access Rejects 2',
		'Pending Requests 2',
	])
})

test('several baselines pass over a client that is quiet in between', () => {
	const [a, b] = ['10.0.0.1', '10.0.0.2'] as const
	const state = given([
		accessRequested({ client: a }),
		baselineSet('radius relay'),
		accessRequested({ client: a }),
		baselineSet('radius relay'),
		accessRequested({ client: b }),
		baselineSet('radius relay'),
		...times(4, accessRequested({ client: a })),
	])
	const changed = (): string[] => rows(state, 'authentication', { client: a, delta: true })
	assert.equal(changed(), ['Access Requests 4', 'Pending Requests 6'])
	given([baselineSet('radius relay'), accessRequested({ client: a })], state)
	assert.equal(changed(), ['Access Requests 1', 'Pending Requests 7'])
})

test('virtual routers are apart, also where one name begins with the other', () => {
	const state = given([
		accessRequested({ router: 'a' }),
		accessRequested({ router: 'a.b' }),
		accessRequested({ router: 'a' }),
		accountingRequested('on', { router: 'a.b' }),
		accessRequested({ router: 'constructor' }),
	])
	assert.equal(rows(state, 'authentication', { router: 'a' })[0], 'Access Requests 2')
	assert.equal(rows(state, 'authentication', { router: 'a.b' })[0], 'Access Requests 1')
	assert.equal(rows(state, 'accounting', { router: 'a.b' })[0], 'Accounting Requests 1')
	assert.equal(rows(state, 'authentication', { router: 'constructor' })[0], 'Access Requests 1')
	assert.equal(rows(state, 'authentication', { router: 'never' }), [])
})

test('a client that sent nothing has a sentence instead of figures', () => {
	const sentence = '% No statistics for client 10.0.0.9: it has sent nothing'
	const state = given([accessRequested()])
	assert.equal(show(state, { client: '10.0.0.9' }), [sentence])
	assert.equal(show(given([]), { client: '10.0.0.9' }), [sentence])
	assert.is(show(state, { client: 'constructor' }).length, 1)
})

test('only one service where one is asked for', () => {
	const lines = show(given([]), { service: 'accounting' })
	assert.is(lines[0], 'RADIUS Relay Accounting Server Statistics')
	assert.is(lines.length, 19)
})

test('forged senders cannot fill the table; all are counted overall', () => {
	const state = relayStatistics.initial()
	const sender = (i: number): string => `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`
	for (let i = 0; i < discardedClientLimit + 10; i++) {
		given([discarded('authentication', 'unknown-client', 1, { client: sender(i) })], state)
	}
	const router = routerStatistics(state, 'default')!
	assert.is(router.clientCount, discardedClientLimit)
	assert.is(router.uncounted, 10)
	const total = `Unknown Requests ${discardedClientLimit + 10}`
	assert.equal(rows(state, 'authentication'), [total])
	given([accessRequested({ client: '192.0.2.9' })], state)
	assert.equal(rows(state, 'authentication', { client: '192.0.2.9' })[0], 'Access Requests 1')
})

test('beyond the limit clients are counted overall only', () => {
	const state = relayStatistics.initial()
	const sender = (i: number): string => `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`
	for (let i = 0; i < clientLimit + 2; i++) given([accessRequested({ client: sender(i) })], state)
	assert.is(Object.keys(routerStatistics(state, 'default')!.clients).length, clientLimit)
	assert.is(rows(state, 'authentication')[0], `Access Requests ${clientLimit + 2}`)
	assert.equal(show(state, { client: sender(clientLimit) }), [
		`% No statistics for client ${sender(clientLimit)}: it has sent nothing, or came when 65536 clients were counted already`,
	])
})

test('a state that was saved and loaded goes on like one that was not', () => {
	const events = [
		...thousand.slice(0, 50),
		discarded('accounting', 'duplicate', 3),
		baselineSet('radius relay'),
		...times(3, accessRequested({ client: '10.0.0.1' }), accountingRequested('interim')),
		accessAnswered('AccessRejected', { client: '10.0.0.1' }),
		baselineSet('radius relay'),
		accessRequested({ client: '10.0.0.2', router: 'b' }),
		accessRequested({ client: '10.0.0.1' }),
	]
	const straight = given(events)
	for (let cut = 0; cut <= events.length; cut += 3) {
		const saved = JSON.parse(JSON.stringify(given(events.slice(0, cut)))) as RelayStatistics
		assert.equal(given(events.slice(cut), saved), straight)
	}
})

test('dates are written in UTC as the router writes them', () => {
	assert.is(routerDate(baselineAt), 'FRI APR 02 2004 19:01:52 UTC')
	assert.is(routerDate(Date.UTC(2031, 11, 31, 23, 59, 59, 999)), 'WED DEC 31 2031 23:59:59 UTC')
})

test.run()
