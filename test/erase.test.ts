/** Erasing a subscriber: nothing of him is left in any file, and everything else is as it was. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { finishErasure, planErasure, rewrittenBatches } from '../adapters/journal/erasure.ts'
import { openJournal } from '../adapters/journal/journal.ts'
import { openReader } from '../adapters/journal/reader.ts'
import { initialConfiguration, newDhcpPool } from '../domain/configuration.ts'
import { eraseFrom, isPseudonym, pseudonymFrom, spellingsOf } from '../domain/erasure.ts'
import { renameInState } from '../domain/erasure-state.ts'
import { catalogue, type NewEvent, relayStream, subscriberStream } from '../domain/event.ts'
import { evolve, initialState, type State } from '../domain/state.ts'
import { stateDifference } from '../domain/state-difference.ts'
import type { StoredEvent } from '../domain/upcast.ts'
import { eraseStopped } from '../src/erase.ts'
import { whyConfigured } from '../src/eraser.ts'
import { erasureEvent, newPseudonymFor } from '../src/erasing.ts'
import { proofFrom } from '../src/prove.ts'
import { verifyFolder } from '../src/verify.ts'
import { record, seal, tamper, temporaryFolder, verified } from './sealed-folder.ts'

const base = temporaryFolder()
test.after(() => rmSync(base, { recursive: true, force: true }))
let folders = 0
const newFolder = () => join(base, String(++folders))

const mac = '02-AB-CD-EF-01-23'
const bystander = '02-00-00-00-00-99'
/** What must not be found afterwards: the MAC however written, the name, session id, host name. */
const traces = [
	...spellingsOf(mac),
	'erika.mustermann',
	'sess-0815',
	'erikas-telefon',
	'class-of-erika',
]

function visit(who: string, number: number, user: string): NewEvent[] {
	const stream = subscriberStream('default', who)
	const at = 1_000_000 + 10_000 * number
	const client = '192.0.2.1'
	const server = '198.51.100.1:1812'
	const answered = { exchange: 1, client, server, roundTripUs: 900 }
	const seen = { client, mac: who, wap: '0A-00-00-00-00-01', user, server }
	const own = who === mac
	const accounting = {
		...seen,
		session: `${own ? 'sess-0815' : 'sess'}-${number}`,
		class: own ? 'class-of-erika' : 'class',
	}
	const lease = {
		mac: who,
		client: `hw:01${who.replaceAll('-', '').toLowerCase()}`,
		pool: 'students',
		address: `10.0.0.${number % 5}`,
		leaseSeconds: 600,
		expiresAt: at + 600_000,
		hostname: own ? 'erikas-telefon' : 'telefon',
	}
	const { leaseSeconds: _, expiresAt: __, hostname: ___, ...ended } = lease
	return [
		{ stream, type: 'AccessRequested', v: 1, at, data: seen },
		{
			stream,
			type: 'AccessAccepted',
			v: 1,
			at,
			data: { ...answered, mac: who, wap: seen.wap, user },
		},
		{ stream, type: 'AccountingStarted', v: 1, at, data: accounting },
		{ stream, type: 'LeaseGranted', v: 1, at, data: lease },
		{ stream, type: 'AccountingStopped', v: 1, at: at + 5, data: accounting },
		{
			stream,
			type: 'SubscriberTerminated',
			v: 1,
			at: at + 5,
			data: { mac: who, wap: seen.wap, cause: 'accounting-stop', since: at },
		},
		{
			stream,
			type: 'LeaseReleased',
			v: 1,
			at: at + 6,
			data: { ...ended, cause: 'session', heldUntil: at + 60_000 },
		},
	]
}

function history(visits: number): NewEvent[] {
	const events: NewEvent[] = []
	for (let number = 0; number < visits; number++) {
		events.push(
			...visit(
				number % 3 === 0 ? mac : bystander,
				number,
				number % 3 === 0 ? 'erika.mustermann' : 'somebody',
			),
		)
	}
	events.push(
		{
			stream: relayStream('default'),
			type: 'ConfigurationChanged',
			v: 1,
			at: 9_000_000,
			data: { context: '', command: `note ${mac.toLowerCase()}` },
		},
		{
			stream: relayStream('default'),
			type: 'DisconnectRequested',
			v: 1,
			at: 9_000_001,
			data: { server: '198.51.100.9', request: 'disconnect', mac, user: 'erika.mustermann' },
		},
	)
	return events
}

const erasing = (folder: string) => ({ folder, mac, reason: 'asked for it', now: () => 10_000_000 })

/** Names of files that still have one of the traces. */
function found(folder: string): string[] {
	return readdirSync(folder, { recursive: true, withFileTypes: true }).flatMap(entry => {
		if (!entry.isFile()) return []
		const octets = readFileSync(join(entry.parentPath, entry.name))
		return traces.filter(trace => octets.includes(trace)).map(trace => `${entry.name}: ${trace}`)
	})
}

test('nothing is left in any file, everything else is as it was, and verify says what is erased', async () => {
	const folder = newFolder()
	record(folder, history(300))
	seal(folder, 1900)
	writeFileSync(join(folder, 'views.db'), `read models with ${mac}`)
	writeFileSync(join(folder, 'retention.tmp'), `left behind with ${mac}`)
	assert.ok(found(folder).length > 0)
	const before = eventsOf(folder)
	const done = await eraseStopped(erasing(folder))
	assert.ok('lines' in done, JSON.stringify(done))
	assert.match(done.lines[0]!, /^702 events up to position 2102 have F3-/)
	assert.match(
		done.lines.join('\n'),
		/Not reached:\n - Addresses in lease events, now under the pseudonym.*: 10\.0\.0\.0, 10\.0\.0\.3.*\n - EventStoreDB.*erase-mirror --subscriber 02-AB/,
	)
	assert.equal(found(folder), [])

	const after = eventsOf(folder)
	// ClockStepped, for nobody saw what passed since; and SubscriberErased.
	assert.is(after.length, before.length + 2)
	for (const [index, event] of before.entries()) {
		const left = after[index]!
		assert.equal(
			[left.position, left.type, left.v, left.at],
			[event.position, event.type, event.v, event.at],
		)
		if (!JSON.stringify(event).includes(mac)) continue
		assert.is.not(JSON.stringify(left), JSON.stringify(event))
	}
	const last = after.at(-1)!
	assert.is(last.type, 'SubscriberErased')
	const { pseudonym } = last.data as { pseudonym: string }
	assert.ok(isPseudonym(pseudonym))
	const reader = openReader(folder)
	assert.is(reader.readStream(subscriberStream('default', mac), 1, 10).length, 0)
	assert.is(reader.readStream(subscriberStream('default', pseudonym), 1, 9999).length, 700)
	reader.close()

	const { faults, lines } = await verified(folder)
	assert.equal(faults, [])
	assert.match(lines.join('\n'), /Erased: \d+ events\./)
	const proof = proofFrom(folder, { position: 1, to: undefined })
	assert.ok(proof.kind === 'inclusion' && 'leaf' in proof.entry, 'its place in the tree is proven')
	assert.match(JSON.stringify(await eraseStopped(erasing(folder))), /There is nothing of 02-AB/)
})

/** A visit with everything in it that may say anything, through SRC and an external DHCP server. */
function talkative(): NewEvent[] {
	const stream = subscriberStream('default', mac)
	const relay = relayStream('default')
	const at = 2_000_000
	const user = 'erika.mustermann'
	const name = { mac, client: `hw:01${mac.replaceAll('-', '').toLowerCase()}` }
	const server = '198.51.100.1:1812'
	const client = '192.0.2.1'
	const rejected = { exchange: 1, client, server, roundTripUs: 900 }
	const login = { mac, address: '10.0.0.1', since: at, user, class: 'class-of-erika' }
	const taken = {
		leaseSeconds: 600,
		expiresAt: at + 600_000,
		src: true,
		hostname: 'erikas-telefon',
	}
	const heard = { client, mac, wap: '', user, server, session: 'src-17' }
	return [
		['AccessRejected', stream, { ...rejected, replyMessage: `No, ${user}.` }],
		[
			'PoolRequested',
			stream,
			{ ...name, interface: 'eth0', dhcpOptions: { '12': 'ZXJpa2FzLXRlbGVmb24=' }, user },
		],
		['LeaseRefused', stream, { ...name, reason: 'src-refused', request: 2, why: `${user} owes` }],
		[
			'PoolSelected',
			stream,
			{ ...name, by: 'src', pool: 'p', reason: `rule for ${user}`, request: 2, decision: { user } },
		],
		['LeaseGranted', stream, { ...name, pool: 'p', address: '10.0.0.1', ...taken }],
		['SrcSessionOpened', stream, { ...login, session: 'src-17', server, authenticated: true }],
		['AccountingStarted', stream, heard],
		[
			'LeaseReleased',
			stream,
			{ ...name, pool: 'p', address: '10.0.0.1', cause: 'client', heldUntil: at },
		],
		['AccountingStopped', stream, heard],
		['SrcSessionClosed', stream, { ...login, cause: 'User-Request', endedAt: at, server }],
		[
			'LeaseObserved',
			stream,
			{
				...name,
				address: '10.9.0.1',
				server,
				...taken,
				src: undefined,
			},
		],
		['LeaseExpired', stream, { ...name, pool: '', address: '10.9.0.1', heldUntil: at }],
		['SubscriberTerminated', stream, { mac, wap: '', cause: 'operator', since: at }],
		['DisconnectRequested', relay, { server, request: 'disconnect', user }],
		['DisconnectRequested', relay, { server, request: 'disconnect', session: 'src-17' }],
		['DisconnectRequested', relay, { server, request: 'disconnect', user: 'somebody' }],
	].map(([type, of, data]) => {
		return { stream: of, type, v: 1, at, data: JSON.parse(JSON.stringify(data)) } as NewEvent
	})
}

test('texts that may say anything go, too, and names where no MAC is', async () => {
	const folder = newFolder()
	const events = talkative()
	record(folder, events)
	const lived = folded(events)
	const done = await eraseStopped(erasing(folder))
	assert.ok('lines' in done, JSON.stringify(done))
	const left = eventsOf(folder)
	assert.equal(found(folder), [])
	const text = JSON.stringify(left)
	assert.not.match(text, /ZXJpa2|erika/)
	assert.match(text, /"user":"somebody"/, 'who is not meant stays')
	assert.match(text, /"by":"src","pool":"p","reason":"erased"/)
	const { pseudonym } = left.at(-1)!.data as { pseudonym: string }
	renameInState(lived, { mac, pseudonym })
	const again = folded(left.slice(0, -2))
	assert.is(stateDifference(lived, again), undefined)
	assert.is(again.routers.get('default')!.sessions.size, 0, "SRC's accounting is no session")
	for (const event of left) {
		assert.is(catalogue[event.type].data.decode(event.data)._tag, 'Right', event.type)
	}
	assert.equal((await verified(folder)).faults, [])
})

test('who is on the network is not erased', async () => {
	const folder = newFolder()
	record(folder, [...history(3), ...visit(mac, 4, 'erika.mustermann').slice(0, 2)])
	assert.match(
		JSON.stringify(await eraseStopped(erasing(folder))),
		/is on the network; end the session/,
	)
	const leased = newFolder()
	record(leased, [...history(3), ...visit(mac, 4, 'erika.mustermann').slice(3, 4)])
	assert.match(JSON.stringify(await eraseStopped(erasing(leased))), /has an address; take it back/)
})

/** He is on the network, has an address, and SRC has a session for him. */
function lingering(): NewEvent[] {
	const stream = subscriberStream('default', mac)
	const login = { mac, address: '10.0.0.1', since: 1_000_001 }
	const data = {
		...{ mac, client: 'hw:01', pool: 'p', address: '10.0.0.1', leaseSeconds: 600 },
		...{ expiresAt: 1_600_000, session: true, src: true },
	}
	return [
		...visit(mac, 0, 'erika.mustermann').slice(0, 3),
		{ stream, type: 'LeaseGranted', v: 1, at: 1_000_001, data },
		{
			...{ stream, type: 'SrcSessionOpened', v: 1, at: 1_000_002 },
			data: { ...login, session: 'src-17', server: 'nats', authenticated: true },
		},
	] as NewEvent[]
}

test('without a relay, --end ends what he has, so that nothing is waited for for ever', async () => {
	const folder = newFolder()
	record(folder, lingering())
	const refused = await eraseStopped(erasing(folder))
	assert.match('refused' in refused ? refused.refused : '', /on the network.*--end does that/)
	const done = await eraseStopped({ ...erasing(folder), isEnding: true })
	assert.ok('lines' in done, JSON.stringify(done))
	assert.equal(done.lines.slice(0, 3), [
		'Ended: the session.',
		'Taken back: the address 10.0.0.1; a client that still uses it is not told.',
		'Given up: SRC is not told that its session src-17 has ended; end it there.',
	])
	assert.equal(found(folder), [])
	const { src } = folded(eventsOf(folder)).routers.get('default')!
	assert.is(src.subscribers.size + src.debts.size, 0)
	assert.equal((await verified(folder)).faults, [])
})

test('an erasure without a relay does not make time pass for others', async () => {
	const folder = newFolder()
	const events = [...visit(mac, 0, 'erika.mustermann'), ...visit(bystander, 1, 'x').slice(0, 4)]
	record(folder, events)
	const before = folded(events)
	const day = 86_400_000
	const now = () => before.lastAt + day
	assert.ok('lines' in (await eraseStopped({ ...erasing(folder), now })))
	const after = folded(eventsOf(folder))
	assert.is(after.lastAt - after.clockShiftMs, before.lastAt - before.clockShiftMs)
})

test('commands: the MAC goes, what may be a user name is told of, and a reason names nobody', async () => {
	const folder = newFolder()
	const command = (text: string): NewEvent => ({
		...{ stream: relayStream('default'), type: 'ConfigurationChanged', v: 1, at: 9_000_000 },
		data: { context: '', command: text },
	})
	const named = ['ip dhcp-local pool erika.mustermann', `reserve 10.0.0.1 ${mac}`, 'hostname x']
	record(folder, [...visit(mac, 0, 'erika.mustermann'), ...named.map(command)])
	const reason = `Letter of erika.mustermann. She has ${mac.toLowerCase()}`
	const done = await eraseStopped({ ...erasing(folder), reason })
	assert.ok('lines' in done)
	assert.match(done.lines.join('\n'), /a word that is also the user name,.* at position 8\.\n/)
	const left = eventsOf(folder)
	assert.match(JSON.stringify(left[8]), /reserve 10\.0\.0\.1 F3-/)
	const { pseudonym, reason: told } = left.at(-1)!.data as Record<string, string>
	assert.is(told, `Letter of ${pseudonym}. She has ${pseudonym}`)
})

test('a command in force that names the MAC has to go first: every start records it', () => {
	const pool = { name: 'a', reservations: [{ address: '10.0.0.9', mac }] }
	const empty = initialConfiguration()
	const [router] = empty.virtualRouters
	const dhcpLocal = { ...router!.dhcpLocal, pools: [{ ...newDhcpPool('a'), ...pool }] }
	const configuration = { ...empty, virtualRouters: [{ ...router!, dhcpLocal }] }
	assert.is(whyConfigured(empty, mac), undefined)
	assert.match(
		whyConfigured(configuration, mac)!,
		/has "reserve 10\.0\.0\.9 02-AB.*"no reserve 10\.0\.0\.9"/i,
	)
	assert.is(whyConfigured(configuration, bystander), undefined)
})

test('what is left of an erased event cannot be changed either', async () => {
	const folder = newFolder()
	record(folder, history(30))
	seal(folder, 210)
	await eraseStopped(erasing(folder))
	const copy = (change: (to: string) => void) => {
		const to = newFolder()
		cpSync(folder, to, { recursive: true })
		change(to)
		return verified(to)
	}
	const text = await copy(to => changeLine(to, 1, line => line.replace('0A-00', '0B-00')))
	assert.is(text.faults[0]?.position, 1)
	// With the hashes made to fit, the digest that the event has does not.
	const digest = await copy(to =>
		tamper(
			to,
			'journal',
			'UPDATE batch SET events = replace(events, \'"digest":"\', \'"digest":"0\')',
		),
	)
	assert.ok(digest.faults.length > 0)
	const unrecorded = await copy(to => {
		const db = new DatabaseSync(join(to, 'journal.db'))
		db.exec('DELETE FROM batch WHERE first = (SELECT max(first) FROM batch)')
		db.close()
		rmSync(join(to, 'snapshots'), { recursive: true })
	})
	assert.match(unrecorded.faults[0]!.sentence, /no event says so/)
	assert.is(unrecorded.faults[0]!.position, 1)
	// What an earlier erasure had left at the same position does not count any more.
	const twice = await copy(to =>
		tamper(
			to,
			'seal',
			'INSERT INTO rewritten SELECT position, 0, zeroblob(16), zeroblob(32), NULL FROM rewritten',
		),
	)
	assert.equal(twice.faults, [])
})

test('killed at any moment, an erasure is completed by the next, and verify never finds a fault', async () => {
	const whole = newFolder()
	record(whole, history(200))
	seal(whole, 1200)
	const program = `
		import { eraseStopped } from ${JSON.stringify(join(import.meta.dirname, '../src/erase.ts'))}
		process.send('erasing')
		await eraseStopped({ folder: process.argv[1], mac: '${mac}', reason: 'asked', now: () => 10_000_000 })
		process.send('done')
	`
	for (let round = 0; round < 6; round++) {
		const folder = newFolder()
		cpSync(whole, folder, { recursive: true })
		const child = spawn(process.execPath, ['--input-type=module', '-e', program, folder], {
			stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
		})
		await once(child, 'message')
		await new Promise(resolve => setTimeout(resolve, 5 + 25 * round))
		child.kill('SIGKILL')
		await once(child, 'exit')
		const between = await verified(folder)
		assert.equal(between.faults, [], `round ${round}`)
		const done = await eraseStopped(erasing(folder))
		assert.ok('lines' in done || /nothing of/.test(done.refused), JSON.stringify(done))
		assert.equal(found(folder), [], `round ${round}`)
		assert.equal((await verified(folder)).faults, [])
		assert.is(eventsOf(folder).filter(({ type }) => type === 'SubscriberErased').length, 1)
	}
})

test('an erasure while verify reads is no fault', async () => {
	const folder = newFolder()
	record(folder, history(800))
	seal(folder, 5000)
	let erasures = 0
	const progress = (position: number) => {
		if (erasures++ > 0) return
		assert.ok(position > 0 && position < 5602, 'in the midst of it')
		const journal = openJournal({ folder, reserveLog: false })
		const plan = planErasure(folder, newPseudonymFor(mac), 'asked for it')!
		journal.append([erasureEvent(plan, 'default', 10_000_000)])
		for (const batch of rewrittenBatches(folder, plan)) journal.rewrite([batch])
		finishErasure(folder, journal.id, plan)
		journal.close()
	}
	const { faults } = await verifyFolder({ folder, key: undefined, kept: undefined, progress })
	assert.ok(erasures > 1)
	assert.equal(faults, [])
	changeLine(folder, 2, line => line.replace('0A-00', '0B-00'))
	assert.is((await verified(folder)).faults[0]?.position, 2, 'what is wrong stays wrong')
})

test('what is half erased is no fault, wherever it ends', async () => {
	const folder = newFolder()
	record(folder, history(60))
	seal(folder, 300)
	const journal = openJournal({ folder, reserveLog: false })
	const plan = planErasure(folder, newPseudonymFor(mac), 'asked for it')!
	journal.append([erasureEvent(plan, 'default', 10_000_000)])
	let batches = 0
	for (const batch of rewrittenBatches(folder, plan)) {
		journal.rewrite([batch])
		// One visit is in several batches: between some of them it has two names.
		if (batches++ > 12) break
		const { faults, lines } = await verified(folder)
		assert.equal(faults, [], `after ${batches} batches`)
		assert.match(lines.join('\n'), /An erasure is not complete/)
	}
	assert.ok(batches > 12)
	journal.close()
})

test('the state of a relay that goes on is what the erased journal folds to', () => {
	const visits = fc.array(
		fc.record({
			who: fc.integer({ min: 0, max: 3 }),
			address: fc.integer({ min: 0, max: 4 }),
			kind: fc.integer({ min: 0, max: 4 }),
		}),
		{ maxLength: 40 },
	)
	fc.assert(
		fc.property(visits, drawn => {
			const events = drawn.flatMap(({ who, address, kind }, index) => {
				const own = who === 0 ? mac : `02-00-00-00-00-0${who}`
				const all = visit(own, 5 * index + address, `user-${who}`)
				if (kind === 0) return [...all.slice(0, 3), all[4]!, all[5]!]
				if (kind === 1) return [{ ...all[3]!, type: 'LeaseOffered' } as NewEvent]
				return all
			})
			const erased = { mac, pseudonym: pseudonymFrom(Uint8Array.of(1, 2, 3, 4, 5)) }
			const lived = folded(events)
			renameInState(lived, erased)
			const left = events.map(
				event => (eraseFrom(event as StoredEvent, erased) ?? event) as NewEvent,
			)
			assert.is(stateDifference(lived, folded(left)), undefined)
			for (const event of left)
				assert.is(catalogue[event.type].data.decode(event.data)._tag, 'Right')
		}),
		{ numRuns: 60 },
	)
})

function folded(events: readonly NewEvent[]): State {
	const state = initialState()
	for (const event of events) evolve(state, event)
	return state
}

function eventsOf(folder: string) {
	const reader = openReader(folder)
	const events = reader.read(1, 100_000)
	reader.close()
	return events
}

function changeLine(folder: string, position: number, change: (line: string) => string): void {
	const db = new DatabaseSync(join(folder, 'journal.db'))
	const { first, events } = db
		.prepare('SELECT first, events FROM batch WHERE first <= ? ORDER BY first DESC LIMIT 1')
		.get(position) as { first: number; events: string }
	const lines = events.split('\n')
	lines[position - first + 1] = change(lines[position - first + 1]!)
	db.prepare('UPDATE batch SET events = ? WHERE first = ?').run(lines.join('\n'), first)
	db.close()
}

test.run()
