/** What the journal says of SRC, given events, and what SRC is asked and told because of it. */
import fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { whyNotErasable } from '../domain/erasure-state.ts'
import type { EventData, NewEvent } from '../domain/event.ts'
import {
	addressDeletion,
	addressReport,
	discoverQuestion,
	givenUp,
	poolRequested,
	reasonWithSrc,
	serverChanged,
	sessionClosed,
	srcReply,
} from '../domain/sae/bridge.ts'
import { restoreSrc, savedSrc } from '../domain/sae/login-snapshot.ts'
import { loginKey, newSrcTable, type SrcTable } from '../domain/sae/logins.ts'
import { decodeQuestion, encodeMessage } from '../domain/sae/protocol.ts'
import { evolve, initialState, routerState, type State } from '../domain/state.ts'

const mac = '02-00-00-00-00-01'
const client = 'hw:01020000000001'
const begin = 1_800_000_000_000

type Told = { readonly at?: number; readonly who?: string }

function event<T extends NewEvent['type']>(
	type: T,
	data: EventData<T>,
	{ at = begin, who = mac }: Told = {},
): NewEvent {
	return { stream: `subscriber-default.${who}`, type, v: 1, at, data } as NewEvent
}

const accepted = (who = mac) =>
	event(
		'AccessAccepted',
		{
			...{ exchange: 1, client: '10.0.0.1', server: 'a', roundTripUs: 1, mac: who },
			...{ wap: '00-11-22-33-44-55', ssid: 'campus', user: 'alice', class: 'staff' },
		},
		{ who },
	)
const requested = (options = { 12: 'bGFwdG9w' }) =>
	event('PoolRequested', { mac, client, interface: 'eth0', dhcpOptions: options })
const decided = (decision: EventData<'PoolSelected'>['decision']) =>
	event('PoolSelected', {
		...{ mac, client, by: 'src', pool: 'staff', reason: 'Because.', request: 2 },
		...(decision === undefined ? { srcFailure: 'timeout' } : { srcServer: 'local', decision }),
	} as EventData<'PoolSelected'>)
const lease = (address = '10.2.0.1', who = mac) => ({
	...{ mac: who, client, pool: 'staff', address, leaseSeconds: 600, expiresAt: 0 },
	...{ interface: 'eth0', session: true as const, src: true as const },
})
const granted = (at = begin, address?: string) => event('LeaseGranted', lease(address), { at })
const released = (cause: EventData<'LeaseReleased'>['cause'], at = begin + 5000) =>
	event(
		'LeaseReleased',
		{ mac, client, pool: 'staff', address: '10.2.0.1', cause, heldUntil: at },
		{ at },
	)
const terminated = (cause: EventData<'SubscriberTerminated'>['cause']) =>
	event('SubscriberTerminated', { mac, wap: '00-11-22-33-44-55', cause, since: begin })
const opened = (since = begin) =>
	event('SrcSessionOpened', {
		...{ mac, address: '10.2.0.1', since, session: 'SAE-1', server: 'local' },
		...{ authenticated: true, service: 'gold', serviceClass: 'gold-2026' },
	})
const stopped = (terminateCause?: number) =>
	event('AccountingStopped', {
		...{ client: '10.0.0.1', mac, wap: '00-11-22-33-44-55', server: 'a' },
		...(terminateCause === undefined ? {} : { terminateCause }),
	})

function given(...events: readonly NewEvent[]): { state: State; src: SrcTable } {
	const state = initialState()
	for (const each of events) evolve(state, each)
	return { state, src: routerState(state, 'default').src }
}

test('given a decision and an address that was taken, then its report says what SRC decided', () => {
	const decision = { user: 'alice@example.org', serviceBundle: 'gold' }
	const { src } = given(accepted(), requested(), decided(decision), granted(begin + 7))
	assert.equal([...src.unreported.keys()], [`${mac} 10.2.0.1 ${begin + 7}`])
	assert.equal(addressReport('default', src.subscribers.get(mac)!.logins[0]!), {
		macAddress: mac,
		virtualRouterName: 'default',
		ipAddress: '10.2.0.1',
		interfaceName: 'eth0',
		wap: '00-11-22-33-44-55',
		ssid: 'campus',
		dhcpOptions: { 12: 'bGFwdG9w' },
		event: 'AUTHADDR',
		at: begin + 7,
		poolName: 'staff',
		leaseTime: 600,
		userName: 'alice@example.org',
		radiusClass: 'staff',
		serviceBundle: 'gold',
	})
})

test('a lease of a relay where SRC was off is none of its business', () => {
	const { src: _, ...unsaid } = lease()
	const { src } = given(accepted(), event('LeaseGranted', unsaid), released('client'))
	assert.equal([src.subscribers.size, src.unreported.size, src.debts.size], [0, 0, 0])
})

test('a renewal changes nothing; a refused question and a failed one take the decision back', () => {
	const begun = [accepted(), requested(), decided({ leaseSeconds: 60 }), granted()]
	const { src } = given(...begun, event('LeaseRenewed', lease(), { at: begin + 300_000 }))
	assert.is(src.subscribers.get(mac)!.logins[0]!.since, begin)
	const refused = event('LeaseRefused', { mac, client, reason: 'src-refused', request: 9 })
	assert.is(given(...begun, refused).src.subscribers.get(mac)!.decision, undefined)
	assert.is(given(...begun, decided(undefined)).src.subscribers.get(mac)!.decision, undefined)
	const elsewhere = event('LeaseRefused', { mac, client, reason: 'not-yours' })
	assert.equal(given(...begun, elsewhere).src.subscribers.get(mac)!.decision, { leaseSeconds: 60 })
})

test('given an end, then it is owed with its cause until it is answered', () => {
	const cases: readonly (readonly [readonly NewEvent[], string])[] = [
		[[released('client')], 'User-Request'],
		[[released('moved')], 'User-Request'],
		[[released('operator')], 'Admin-Reset'],
		[
			[
				event('LeaseExpired', {
					...{ mac, client, pool: 'staff', address: '10.2.0.1', heldUntil: 0 },
				}),
			],
			'Lost-Carrier',
		],
		[
			[event('LeaseDeclined', { mac, client, pool: 'staff', address: '10.2.0.1', until: 0 })],
			'User-Request',
		],
		[[stopped(), terminated('accounting-stop'), released('session')], 'User-Request'],
		[[stopped(1), terminated('accounting-stop'), released('session')], 'User-Request'],
		[[stopped(2), terminated('accounting-stop'), released('session')], 'Lost-Carrier'],
		[[stopped(4), terminated('accounting-stop'), released('session')], 'Idle-Timeout'],
		[[stopped(5), terminated('accounting-stop'), released('session')], 'Session-Timeout'],
		[[stopped(6), terminated('accounting-stop'), released('session')], 'Admin-Reset'],
		// Of an access point that was left behind: it says nothing about the end that comes later.
		[[stopped(6), stopped(), terminated('accounting-stop'), released('session')], 'User-Request'],
		[[stopped(6), released('client')], 'User-Request'],
		[[terminated('accounting-on'), released('session')], 'Lost-Carrier'],
		[[terminated('accounting-off'), released('session')], 'Lost-Carrier'],
		[[terminated('idle-timeout'), released('session')], 'Idle-Timeout'],
		[[terminated('disconnect'), released('session')], 'Admin-Reset'],
		[[terminated('operator'), released('session')], 'Admin-Reset'],
	]
	for (const [end, cause] of cases) {
		const { src, state } = given(accepted(), requested(), decided({}), granted(), opened(), ...end)
		const debt = [...src.debts.values()][0]!
		assert.is(debt?.cause, cause)
		assert.is(src.debts.size, 1)
		const deletion = addressDeletion('default', debt)
		assert.equal([deletion.sessionId, deletion.radiusClass], ['SAE-1', 'gold-2026'])
		const how = { answer: { sessionId: 'SAE-1', sessionSeconds: 5 }, server: 'local' }
		evolve(state, sessionClosed('default', debt, how, begin + 9))
		assert.is(src.debts.size, 0)
	}
})

test('a lease that outlives the session ends with its own cause, not with that of the session', () => {
	const expired = event('LeaseExpired', {
		...{ mac, client, pool: 'staff', address: '10.2.0.1', heldUntil: 0 },
	})
	for (const [end, cause] of [
		[expired, 'Lost-Carrier'],
		[released('client'), 'User-Request'],
		[released('moved'), 'User-Request'],
		[released('server'), 'Lost-Carrier'],
		[released('operator'), 'Admin-Reset'],
	] as const) {
		const session = [accepted(), stopped(4), terminated('accounting-stop')]
		const { src } = given(granted(), ...session, end)
		assert.is([...src.debts.values()][0]!.cause, cause)
		// Another session in the meantime, and its end takes the address along.
		const later = [accepted(), terminated('disconnect'), released('session')]
		const second = given(granted(), ...session, ...later).src
		assert.is([...second.debts.values()][0]!.cause, 'Admin-Reset')
	}
})

test('of a subscriber without a session nothing stays when the address is gone and SRC knows', () => {
	const question = [requested(), decided({ user: 'alice@example.org' })]
	assert.is(given(...question).src.subscribers.size, 0, 'an offer that is never taken')
	const refused = event('LeaseRefused', { mac, client, reason: 'src-refused', request: 1 })
	assert.is(given(requested(), refused).src.subscribers.size, 0)
	const ended = [accepted(), requested(), terminated('operator'), decided({ pool: 'staff' })]
	assert.is(given(...ended).src.subscribers.size, 0, 'a decision that comes too late')
	const { src, state } = given(...question, granted(), released('client'))
	assert.equal([src.subscribers.size, src.debts.size], [0, 1])
	const why = () => whyNotErasable(state, mac, begin + 10_000)
	assert.match(why() ?? '', 'SRC has not answered yet')
	const how = { answer: { sessionId: 'SAE-1', sessionSeconds: 5 }, server: 'local' }
	evolve(state, sessionClosed('default', [...src.debts.values()][0]!, how, begin + 9))
	assert.is(why(), undefined)
})

test('the wrong address, and an end of somebody else, end nothing', () => {
	const other = event('LeaseExpired', {
		...{ mac, client, pool: 'staff', address: '10.2.0.9', heldUntil: 0 },
	})
	assert.is(given(accepted(), granted(), other).src.debts.size, 0)
})

test('a MAC with two addresses has two logins, each with its own end', () => {
	const second = granted(begin, '10.2.0.2')
	const { src, state } = given(accepted(), granted(), second, opened())
	const addresses = () => src.subscribers.get(mac)!.logins.map(({ address }) => address)
	assert.equal(addresses(), ['10.2.0.1', '10.2.0.2'])
	assert.equal(
		[...src.unreported.values()].map(({ address }) => address),
		['10.2.0.2'],
	)
	for (const address of ['10.2.0.1', '10.2.0.2', '10.2.0.1']) {
		evolve(state, event('LeaseRenewed', lease(address), { at: begin + 9 }))
	}
	assert.is(src.debts.size, 0, 'renewals by turns end nothing')
	evolve(state, released('client'))
	assert.equal(addresses(), ['10.2.0.2'])
	assert.equal(
		[...src.debts.values()].map(({ login }) => login.address),
		['10.2.0.1'],
	)
	evolve(state, terminated('operator'))
	assert.is(src.subscribers.get(mac)!.logins[0]!.cause, 'Admin-Reset')
})

test('an answer that comes after the end is kept for the deletion; one to nothing changes nothing', () => {
	const { src } = given(accepted(), granted(), released('client'), opened())
	assert.is([...src.debts.values()][0]!.login.session, 'SAE-1')
	const strange = given(accepted(), granted(), opened(begin + 1)).src
	assert.is(strange.subscribers.get(mac)!.logins[0]!.session, undefined)
	assert.is(strange.unreported.size, 1)
})

test('what is saved is put back: decisions, logins, what is owed', () => {
	const others = Array.from({ length: 5 }, (_, n) => {
		const who = `02-00-00-00-00-1${n}`
		return [
			accepted(who),
			event('LeaseGranted', lease(`10.2.0.1${n}`, who), { who, at: begin + n }),
		]
	}).flat()
	const { src } = given(accepted(), requested(), decided({ pool: 'x' }), granted(), ...others)
	const full = given(
		...[accepted(), requested(), decided({ pool: 'x' }), granted(), opened(), ...others],
		...[released('client'), requested()],
	).src
	for (const table of [src, full]) {
		const back = newSrcTable()
		for (const part of savedSrc(table, 2)) restoreSrc(back, JSON.parse(JSON.stringify(part)))
		assert.equal(back, table)
	}
})

test('every question is one that the adapter takes', () => {
	const text = fc.string({ minLength: 1, maxLength: 253 })
	const maybe = fc.option(text, { nil: undefined })
	const session = fc.record({ user: maybe, class: maybe, serviceBundle: maybe, ssid: maybe })
	fc.assert(
		fc.property(session, fc.constantFrom('', '00-11-22-33-44-55'), maybe, (facts, wap, alias) => {
			const asker = { mac, client, interface: 'eth0', giaddr: 0x0a010001 }
			const whole = { mac, since: 0, heardAt: 0, ...facts, wap } as never
			const asked = poolRequested('default', asker, whole, { 12: 'bGFwdG9w' }, begin)
			const question = discoverQuestion('default', asked.data, alias === undefined ? {} : { alias })
			const read = decodeQuestion('discover', encodeMessage('1', question))
			assert.ok('body' in read, 'why' in read ? read.why : '')
			assert.equal(read.body, question)
		}),
	)
	const { src } = given(accepted(), granted(), released('client'))
	const debt = [...src.debts.values()][0]!
	const report = encodeMessage('1', addressReport('default', debt.login))
	assert.ok('body' in decodeQuestion('address', report))
	assert.ok(
		'body' in decodeQuestion('delete', encodeMessage('2', addressDeletion('default', debt))),
	)
})

test('what SRC has to do with a choice is said, whoever made it', () => {
	const pool = { name: 'near' } as never
	const place = { by: 'interface', pool, reason: () => 'R.' } as const
	const reply = (decision: object) =>
		srcReply(1, { answer: { accept: true, ...decision }, server: 's' })
	assert.is(reasonWithSrc(place, undefined), 'R.')
	assert.is(reasonWithSrc(place, srcReply(1, { failure: 'timeout', why: 'W.' })), 'W. R.')
	assert.match(reasonWithSrc(place, reply({})), 'SRC leaves the choice open. R.')
	assert.match(reasonWithSrc(place, reply({ poolName: 'x' })), 'there is no such pool')
	assert.match(reasonWithSrc(place, reply({ ipAddress: '10.9.9.9' })), 'which is in no pool')
	const framed = { ...place, by: 'framed-address' } as const
	assert.match(reasonWithSrc(framed, reply({ poolName: 'x' })), 'an address goes first')
	assert.is(reasonWithSrc({ ...place, by: 'src' }, reply({ poolName: 'near' })), 'R.')
})

test('of ends that are owed beyond the limit the oldest are given up', () => {
	const { src } = given(accepted(), granted(), released('client'))
	const [debt] = [...src.debts.values()]
	const newer = { ...debt!, login: { ...debt!.login, since: begin + 1 } }
	src.debts.set(loginKey(newer.login), newer)
	assert.equal(givenUp('default', src, 2, begin), [])
	const [closed, ...more] = givenUp('default', src, 1, begin)
	assert.is(more.length, 0)
	assert.is(closed?.type === 'SrcSessionClosed' && closed.data.since, begin)
})

test('a change of the server is one, and a try is none', () => {
	const changed = (from: string, info: Parameters<typeof serverChanged>[2]) =>
		serverChanged('default', from, info, begin)?.data
	assert.is(changed('', { state: 'trying', server: 'a:1', role: 'primary' }), undefined)
	assert.is(changed('a:1', { state: 'connected', server: 'a:1', role: 'primary' }), undefined)
	assert.equal(changed('a:1', { state: 'trying', server: 'b:1', role: 'secondary' }), {
		...{ from: 'a:1', to: '' },
	})
	assert.equal(changed('', { state: 'connected', server: 'local' }), { from: '', to: 'local' })
})

test.run()
