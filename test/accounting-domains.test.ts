/** The two accounting domains of a subscriber: sessions, pairs, differences, double counting. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { EventData, NewEvent } from '../domain/event.ts'
import {
	accountingPairs,
	accountingSessionLimit,
	foldAccounting,
	newSubscriberAccounting,
} from '../projections/accounting-domains.ts'
import {
	accountingDomainsList,
	accountingDomainsText,
} from '../projections/accounting-domains-text.ts'

const mac = '0200.0000.0001'
const stream = `subscriber-default.${mac}`
const minute = 60_000
const begin = Date.UTC(2027, 0, 15, 8)
const later = begin + 600 * minute

type Accounting = EventData<'AccountingStarted'>

function record(
	type: 'AccountingStarted' | 'AccountingUpdated' | 'AccountingStopped',
	at: number,
	data: Partial<Accounting> = {},
): NewEvent {
	const base = { client: '10.0.0.1', mac, wap: '0a00.0000.0001', server: '10.9.0.1' }
	return { stream, type, v: 1, at, data: { ...base, session: 'w1', ...data } }
}

function opened(at: number, data: Partial<EventData<'SrcSessionOpened'>> = {}): NewEvent {
	const base = { mac, address: '10.20.0.5', since: at, session: 's1', server: '10.8.0.1:4222' }
	return {
		stream,
		type: 'SrcSessionOpened',
		v: 1,
		at,
		data: { ...base, authenticated: true, ...data },
	}
}

function closed(at: number, data: Partial<EventData<'SrcSessionClosed'>> = {}): NewEvent {
	const base = { mac, address: '10.20.0.5', since: begin, session: 's1', server: '10.8.0.1:4222' }
	const event = { ...base, cause: 'User-Request' as const, endedAt: at, ...data }
	return { stream, type: 'SrcSessionClosed', v: 1, at, data: event }
}

function terminated(at: number): NewEvent {
	const data = { mac, wap: '0a00.0000.0001', cause: 'idle-timeout' as const, since: begin }
	return { stream, type: 'SubscriberTerminated', v: 1, at, data }
}

function folded(...events: NewEvent[]) {
	const state = newSubscriberAccounting()
	for (const [index, event] of events.entries()) {
		foldAccounting(state, { ...event, position: index + 1 })
	}
	return state
}

test('sessions of both domains at the same time are a pair, matched by what they share', () => {
	const byTime = accountingPairs(folded(record('AccountingStarted', begin), opened(begin)), later)
	assert.is(byTime.length, 1)
	assert.is(byTime[0]!.matchedBy, 'time')
	assert.equal(byTime[0]!.differences, [])
	const [byAddress] = accountingPairs(
		folded(record('AccountingStarted', begin, { framedAddress: '10.20.0.5' }), opened(begin)),
		later,
	)
	assert.is(byAddress!.matchedBy, 'address')
	const [byClass] = accountingPairs(
		folded(record('AccountingStarted', begin, { class: 'gold' }), opened(begin, { class: 'gold' })),
		later,
	)
	assert.is(byClass!.matchedBy, 'class')
})

test('sessions one after the other are no pair', () => {
	const pairs = accountingPairs(
		folded(
			record('AccountingStarted', begin),
			record('AccountingStopped', begin + 10 * minute),
			opened(begin + 30 * minute),
		),
		later,
	)
	assert.equal(
		pairs.map(({ wap, src, matchedBy }) => [wap?.session, src?.session, matchedBy]),
		[
			['w1', undefined, undefined],
			[undefined, 's1', undefined],
		],
	)
})

test('a session without a Stop ends with the subscriber, and is no pair of what comes after', () => {
	const state = folded(
		record('AccountingStarted', begin),
		terminated(begin + 10 * minute),
		opened(begin + 30 * minute),
	)
	assert.is(accountingPairs(state, later).length, 2)
	assert.is(state.wap[0]!.terminatedBy, 'idle-timeout')
	assert.ok(accountingDomainsText(mac, state, later).some(line => line.includes('(no Stop)')))
})

test('who roams has several access points beside one session of SRC', () => {
	const pairs = accountingPairs(
		folded(
			record('AccountingStarted', begin),
			opened(begin),
			record('AccountingStarted', begin + 10 * minute, { session: 'w2', wap: '0a00.0000.0002' }),
			record('AccountingStopped', begin + 11 * minute),
		),
		later,
	)
	assert.equal(
		pairs.map(({ wap, src }) => [wap?.session, src?.session]),
		[
			['w1', 's1'],
			['w2', 's1'],
		],
	)
})

test('what both say differently is named', () => {
	const [pair] = accountingPairs(
		folded(
			record('AccountingStarted', begin, { user: 'anna', framedAddress: '10.20.0.9' }),
			opened(begin + 5 * minute, { user: 'anna@example.com' }),
			record('AccountingStopped', begin + 20 * minute, { terminateCause: 4 }),
			closed(begin + 30 * minute, { since: begin + 5 * minute }),
		),
		later,
	)
	assert.equal(
		pair!.differences.map(({ field, wap, src }) => [field, wap, src]),
		[
			['user', 'anna', 'anna@example.com'],
			['address', '10.20.0.9', '10.20.0.5'],
			['start', '2027-01-15T08:00:00.000Z', '2027-01-15T08:05:00.000Z'],
			['stop', '2027-01-15T08:20:00.000Z', '2027-01-15T08:30:00.000Z'],
			['cause', 'Idle-Timeout', 'User-Request'],
		],
	)
})

test("SRC's own RADIUS accounting is found by its session id, and named as counted twice", () => {
	const state = folded(
		record('AccountingStarted', begin),
		// Its record may come by before SRC's answer does.
		record('AccountingStarted', begin, { session: 's1', client: '10.8.0.1' }),
		opened(begin),
	)
	const pairs = accountingPairs(state, later)
	assert.is(pairs.length, 1)
	assert.is(pairs[0]!.wap!.session, 'w1')
	assert.is(pairs[0]!.countedTwice!.session, 's1')
	const text = accountingDomainsText(mac, state, later)
	assert.ok(text.some(line => line.startsWith('Counted twice: SRC wrote session s1')))
})

test('a lost Start is made up for, a repeated Stop moves no end, octets are the newest', () => {
	const state = folded(
		record('AccountingUpdated', begin, { sessionSeconds: 300, inputOctets: '10' }),
		record('AccountingStopped', begin + minute, { sessionSeconds: 360, inputOctets: '5000000000' }),
		record('AccountingStopped', begin + 9 * minute, { sessionSeconds: 360 }),
	)
	assert.is(state.wap.length, 1)
	assert.is(state.wap[0]!.startedAt, begin - 5 * minute)
	assert.is(state.wap[0]!.stoppedAt, begin + minute)
	assert.is(state.wap[0]!.inputOctets, '5000000000')
})

test('Acct-Delay-Time moves a beginning back', () => {
	const state = folded(record('AccountingStarted', begin, { delaySeconds: 30 }))
	assert.is(state.wap[0]!.startedAt, begin - 30_000)
})

test('an Acct-Session-Id that begins to count anew after its Stop is another session', () => {
	const state = folded(
		record('AccountingStarted', begin),
		record('AccountingStopped', begin + 9 * minute, { sessionSeconds: 540 }),
		record('AccountingStarted', begin + 20 * minute, { sessionSeconds: 0 }),
	)
	assert.is(state.wap.length, 2)
})

test('a Start that comes after its Stop is no other session', () => {
	const state = folded(
		record('AccountingStarted', begin),
		record('AccountingStopped', begin + 9 * minute, { sessionSeconds: 540, inputOctets: '7' }),
		record('AccountingStarted', begin + 10 * minute, {
			...{ delaySeconds: 600, late: true },
			...{ sessionSeconds: 0, inputOctets: '0' },
		}),
	)
	assert.is(state.wap.length, 1)
	const { stoppedAt, sessionSeconds, inputOctets } = state.wap[0]!
	assert.equal(
		[stoppedAt, sessionSeconds, inputOctets],
		[begin + 9 * minute, 540, '7'],
		'what was counted stays',
	)
})

test('a close without an open is a session all the same, with the reason for the missing answer', () => {
	const { server, session, ...data } = closed(begin + minute).data as EventData<'SrcSessionClosed'>
	const event = { stream, type: 'SrcSessionClosed', v: 1, at: begin + minute } as const
	const state = folded({ ...event, data: { ...data, unanswered: 'refused' } })
	assert.is(state.src[0]!.endedAt, begin + minute)
	assert.ok(
		accountingDomainsText(mac, state, later).some(line => /^Cause .*User-Request/.test(line)),
	)
})

test('a subscriber has a limit of sessions, and the dropped ones are counted', () => {
	const events = Array.from({ length: accountingSessionLimit + 3 }, (_, i) =>
		record('AccountingStarted', begin + i * minute, { session: `w${i}` }),
	)
	const state = folded(...events)
	assert.is(state.wap.length, accountingSessionLimit)
	assert.is(state.wap[0]!.session, 'w3')
	assert.is(state.dropped, 3)
})

test('the list is made of rows of the read model, one line for each pair', () => {
	const row = {
		...{ mac, wap: '0a00.0000.0001', server: '', user: 'anna', address: null, service: null },
		...{ began_at: begin, ended_at: null, heard_at: begin },
	}
	const lines = accountingDomainsList(
		[
			{ ...row, domain: 'wap', accounting_session: 's1' },
			{ ...row, domain: 'src', accounting_session: 's1', address: '10.20.0.5' },
			{ ...row, domain: 'wap', accounting_session: 'w1' },
			{ ...row, domain: 'wap', accounting_session: 'x1', mac: '0200.0000.0002', ended_at: later },
		],
		later,
	)
	assert.ok(
		lines.some(line => /^0200\.0000\.0001 +anna +w1 open +s1 open +counted twice$/.test(line)),
	)
	assert.ok(lines.some(line => /^0200\.0000\.0002 +anna +x1 closed +-/.test(line)))
	assert.is(lines.at(-1), 'Pairs: 2, counted twice: 1')
	assert.is(accountingDomainsList([], later).at(-1), 'Nobody has been accounted for.')
})

test('text from outside cannot move the cursor', () => {
	const state = folded(record('AccountingStarted', begin, { user: 'a\u001b[2Jb' }))
	assert.not.ok(accountingDomainsText(mac, state, later).join('\n').includes('\u001b'))
})

test.run()
