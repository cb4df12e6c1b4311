/** `retention`: what is old loses what is personal; sessions, leases and statistics stay as they were. */
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { openJournal } from '../adapters/journal/journal.ts'
import { openReader } from '../adapters/journal/reader.ts'
import { openRetentionTally } from '../adapters/journal/retention-tally.ts'
import type { RetentionDays } from '../domain/configuration.ts'
import { isPseudonym } from '../domain/erasure.ts'
import { renameInState } from '../domain/erasure-state.ts'
import { type NewEvent, relayStream, subscriberStream } from '../domain/event.ts'
import { execute, newSession } from '../domain/junose/session.ts'
import { aged, keptSince } from '../domain/retention.ts'
import { evolve, initialState, type State } from '../domain/state.ts'
import { stateDifference } from '../domain/state-difference.ts'
import { relayStatistics } from '../projections/statistics.ts'
import { carryOut, erasureEvent, portionsOf, retentionNow } from '../src/erasing.ts'
import { recoverState } from '../src/recover.ts'
import { fakeOperator } from './fake-operator.ts'
import { record, seal, temporaryFolder, verified } from './sealed-folder.ts'

const base = temporaryFolder()
test.after(() => rmSync(base, { recursive: true, force: true }))
let folders = 0

const day = 86_400_000
const now = 1000 * day + 5_000_000
const macOf = (who: number) => `02-00-00-00-00-0${who}`

type Visit = { readonly who: number; readonly daysAgo: number; readonly kind: number }

function visit({ who, daysAgo, kind }: Visit, index: number): NewEvent[] {
	const mac = macOf(who)
	const stream = subscriberStream('default', mac)
	const at = now - daysAgo * day + index
	const client = '192.0.2.1'
	const server = '198.51.100.1:1812'
	const seen = { client, mac, wap: `0A-00-00-00-00-0${who % 2}`, user: `user-${who}`, server }
	const lease = {
		mac,
		client: `id:${who}${index}`,
		pool: 'students',
		address: `10.0.0.${(who + index) % 4}`,
	}
	const granted = { ...lease, leaseSeconds: 600, expiresAt: at + 600_000, hostname: `host-${who}` }
	const accepted = {
		exchange: 1,
		client,
		server,
		roundTripUs: 9,
		mac,
		wap: seen.wap,
		user: seen.user,
	}
	const all: NewEvent[] = [
		{ stream, type: 'AccessRequested', v: 1, at, data: seen },
		{ stream, type: 'AccessAccepted', v: 1, at, data: accepted },
		{
			stream,
			type: 'AccountingStarted',
			v: 1,
			at,
			data: { ...seen, session: `s${index}`, nasAddress: `192.0.2.${index % 9}` },
		},
		{ stream, type: 'LeaseGranted', v: 1, at, data: granted },
		{
			stream,
			type: 'SubscriberTerminated',
			v: 1,
			at: at + 5,
			data: { mac, wap: seen.wap, cause: 'operator', since: at },
		},
		{
			stream,
			type: 'LeaseReleased',
			v: 1,
			at: at + 6,
			data: { ...lease, cause: 'session', heldUntil: at + 60_000 },
		},
	]
	// Some are still on the network, with or without an address; some were only offered one.
	if (kind === 1) return all.slice(0, 4)
	if (kind === 2) return all.slice(0, 3)
	if (kind === 3) return [{ ...all[3]!, type: 'LeaseOffered' } as NewEvent]
	return all
}

function folded(events: readonly NewEvent[]): State {
	const state = initialState()
	for (const event of events) evolve(state, event)
	return state
}

/** Records the visits, lets go of what is old, and gives what is to be compared. */
async function retained(visits: readonly Visit[], retentionDays: RetentionDays) {
	const folder = join(base, String(++folders))
	const events = [...visits].sort((a, b) => b.daysAgo - a.daysAgo).flatMap(visit)
	record(folder, events, false)
	if (events.length > 2) seal(folder, events.length - 2)
	const lived = folded(events)
	const found = retentionNow(folder, [{ name: 'default', retentionDays }], now)
	if (found === undefined) return { folder, events, lived, found }
	const journal = openJournal({ folder, reserveLog: false })
	const event = erasureEvent(found.plan, 'default', now)
	journal.append([event])
	evolve(lived, event)
	for (const [mac, pseudonym] of found.renamed) renameInState(lived, { mac, pseudonym })
	await carryOut(journal, found.plan, portionsOf(folder, found.plan))
	journal.close()
	return { folder, events, lived, found }
}

function eventsOf(folder: string) {
	const reader = openReader(folder)
	const events = reader.read(1, 100_000)
	reader.close()
	return events
}

test('each class loses what is personal after its days, and the MAC after the last', async () => {
	const visits = [
		{ who: 1, daysAgo: 100, kind: 0 },
		{ who: 2, daysAgo: 100, kind: 0 },
		{ who: 2, daysAgo: 20, kind: 0 },
		{ who: 3, daysAgo: 100, kind: 1 },
	]
	const { folder } = await retained(visits, { authentication: 10, accounting: 30, lease: 60 })
	const events = eventsOf(folder)
	const of = (index: number) => JSON.stringify(events.slice(6 * index, 6 * index + 6))
	assert.not.match(of(0), /user-1|host-1|02-00-00-00-00-01|"s0"/)
	assert.match(of(0), /subscriber-default\.F3-/)
	assert.not.match(of(1), /user-2|host-2|"s1"/)
	assert.match(of(1), /02-00-00-00-00-02/)
	assert.match(JSON.stringify(events.slice(12, 16)), /user-3.*host-3/, 'still on the network')
	const recent = events.slice(16, 22)
	assert.not.match(JSON.stringify(recent.slice(0, 2)), /user-2/, 'authentication is over')
	assert.match(JSON.stringify(recent[2]), /user-2.*"s3"|"s3".*user-2/, 'accounting is not')
	assert.match(JSON.stringify(recent[3]), /host-2/)
	const { faults, lines } = await verified(folder)
	assert.equal(faults, [])
	assert.match(lines.join('\n'), /Erased: \d+ events\./)
	assert.is(events.at(-1)!.type, 'RetentionApplied')
})

test('texts that may say anything and names without a MAC age, SRC keeps its sessions apart', () => {
	const data = { server: 's', request: 'disconnect', user: 'erika' }
	assert.equal(aged('DisconnectRequested', data), { server: 's', request: 'disconnect' })
	const chosen = { mac: macOf(1), client: 'id:1', by: 'src', pool: 'p', reason: 'rule for erika' }
	const left = aged('PoolSelected', chosen)
	assert.equal(left, { ...chosen, reason: 'erased' })
	assert.is(aged('PoolSelected', left!), undefined, 'once')
	const heard = { mac: macOf(1), session: 'src-17', user: 'erika' }
	assert.equal(aged('AccountingStarted', heard, new Set(['src-17'])), {
		mac: macOf(1),
		session: 'src-17',
	})
	assert.equal(aged('AccountingStarted', heard), { mac: macOf(1) })
})

test('a request that names somebody without a MAC ages with the journal', () => {
	const folder = join(base, String(++folders))
	const data = { server: '198.51.100.9', request: 'disconnect', user: 'erika' } as const
	const events = [100, 1].map((daysAgo): NewEvent => {
		const at = now - daysAgo * day
		return { stream: relayStream('default'), type: 'DisconnectRequested', v: 1, at, data }
	})
	record(folder, events, false)
	const routers = [{ name: 'default', retentionDays: { authentication: 10 } }]
	assert.equal(retentionNow(folder, routers, now)?.plan.byType, { DisconnectRequested: 1 })
})

test('without a setting, and once it is done, there is nothing to do', async () => {
	const visits = [{ who: 1, daysAgo: 100, kind: 0 }]
	assert.is((await retained(visits, {})).found, undefined)
	const { folder, found } = await retained(visits, { authentication: 1, accounting: 1, lease: 1 })
	assert.is(found?.plan.events, 6)
	const again = retentionNow(
		folder,
		[{ name: 'default', retentionDays: { authentication: 1, accounting: 1, lease: 1 } }],
		now,
	)
	assert.is(again, undefined)
})

test('whole days, counted from midnight', () => {
	assert.is(keptSince(1, 10 * day), 9 * day)
	assert.is(keptSince(1, 10 * day + day - 1), 9 * day)
	assert.is(keptSince(undefined, now), Number.NEGATIVE_INFINITY)
})

test('live sessions, leases and statistics never change because of it', async () => {
	const visits = fc.array(
		fc.record({
			who: fc.integer({ min: 1, max: 5 }),
			daysAgo: fc.integer({ min: 0, max: 40 }),
			kind: fc.integer({ min: 0, max: 4 }),
		}),
		{ maxLength: 25 },
	)
	const days = fc.option(fc.integer({ min: 1, max: 30 }), { nil: undefined })
	await fc.assert(
		fc.asyncProperty(visits, days, days, days, async (drawn, authentication, accounting, lease) => {
			const given = Object.entries({ authentication, accounting, lease }).filter(
				([, n]) => n !== undefined,
			)
			const { folder, events, lived } = await retained(drawn, Object.fromEntries(given))
			const left = eventsOf(folder)
			assert.is(stateDifference(lived, folded(left)), undefined)
			const count = (all: readonly NewEvent[]) => {
				let statistics = relayStatistics.initial()
				for (const [index, event] of all.entries()) {
					statistics = relayStatistics.fold(statistics, { ...event, position: index + 1 })
				}
				return statistics
			}
			assert.equal(count(left.slice(0, events.length)), count(events))
			for (const [index, event] of events.entries()) {
				const live = lived.routers.get('default')?.sessions.has(macOf(Number(event.stream.at(-1))))
				if (live) assert.not(isPseudonym(left[index]!.stream.slice(-17)))
			}
			if (left.length > 0) assert.equal((await verified(folder)).faults, [])
			rmSync(folder, { recursive: true, force: true })
		}),
		{ numRuns: 25 },
	)
})

test('what is noted of subscribers and SRC is the same, however little memory it may take', () => {
	const seen = fc.tuple(fc.nat(12), fc.boolean())
	const property = fc.property(fc.array(seen), fc.array(fc.nat(9)), (events, ids) => {
		const folder = join(base, String(++folders))
		mkdirSync(folder)
		const found = [2, 1000].map(most => {
			const tally = openRetentionTally(folder, most)
			for (const [who, isKept] of events) tally.saw(`mac ${who}`, isKept)
			for (const id of ids) tally.sawSrcSession(`src ${id}`)
			const known = [...Array(10).keys()].map(id => tally.srcSessions.has(`src ${id}`))
			const quiet = [...tally.quiet()]
			tally.close()
			return { quiet, known }
		})
		assert.equal(found[0], found[1])
		assert.equal(
			found[0]!.known,
			[...Array(10).keys()].map(id => ids.includes(id)),
		)
		const counts = new Map<string, number>()
		for (const [who] of events) counts.set(`mac ${who}`, (counts.get(`mac ${who}`) ?? 0) + 1)
		for (const [who, isKept] of events) if (isKept) counts.delete(`mac ${who}`)
		assert.equal(new Map(found[0]!.quiet), counts)
		assert.equal(readdirSync(folder), [])
	})
	fc.assert(property, { numRuns: 60 })
})

test('what a run that was killed left behind goes with the next', async () => {
	const folder = join(base, String(++folders))
	mkdirSync(folder)
	writeFileSync(join(folder, 'retention.tmp'), 'half of it')
	openRetentionTally(folder).close()
	assert.equal(readdirSync(folder), [])
})

test('what it says about a folder is recovered by a start', async () => {
	const { folder, lived } = await retained(
		[
			{ who: 1, daysAgo: 9, kind: 0 },
			{ who: 2, daysAgo: 8, kind: 1 },
		],
		{ authentication: 2, accounting: 2, lease: 2 },
	)
	const journal = openJournal({ folder, reserveLog: false })
	assert.is(
		stateDifference(
			recoverState(journal, journal, () => undefined),
			lived,
		),
		undefined,
	)
	journal.close()
})

test('the commands', async () => {
	const operator = fakeOperator()
	let session = newSession('privileged')
	const type = async (line: string) => {
		const done = await execute(session, line, operator)
		session = done.session
		return done
	}
	await type('configure terminal')
	assert.ok((await type('retention accounting days 90')).ok)
	assert.ok((await type('retention lease days 365')).ok)
	assert.equal(operator.configuration().virtualRouters[0]!.retentionDays, {
		accounting: 90,
		lease: 365,
	})
	const shown = (await type('show configuration')).lines.join('\n')
	assert.match(shown, /retention accounting days 90\nretention lease days 365/)
	assert.ok((await type('no retention accounting')).ok)
	assert.equal(operator.configuration().virtualRouters[0]!.retentionDays, { lease: 365 })
	assert.ok((await type('no retention lease days')).ok)
	assert.equal(operator.configuration().virtualRouters[0]!.retentionDays, {})
	assert.not((await type('retention lease days 0')).ok)
	assert.not((await type('retention everything days 1')).ok)
})

test.run()
