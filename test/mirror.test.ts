/** The mirror against a loopback EventStoreDB that does what networks and nodes do. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { checkpointStream } from '../adapters/eventstoredb/checkpoint.ts'
import { eventId, mirroredEvent } from '../adapters/eventstoredb/envelope.ts'
import { type Mirror, type MirrorLimits, openMirror } from '../adapters/eventstoredb/mirror.ts'
import { openTarget } from '../adapters/eventstoredb/target.ts'
import { type MemoryJournal, openMemoryJournal } from '../adapters/journal/memory.ts'
import { type NewEvent, relayStream, subscriberStream } from '../domain/event.ts'
import { type MirrorState, mirrorLag, mirrorsText } from '../domain/mirror.ts'
import { type EventStoreNode, startEventStoreNode } from './eventstoredb/server.ts'
import { newStore, type Store } from './eventstoredb/store.ts'
import { macOf, numberedEvent } from './journal-events.ts'

const journalId = '6f1a0c9e-52d1-4c3b-9a55-0e7d2c1b4a10'
/** Longer than a busy machine takes, and shorter than patience where a server stalls. */
const deadlineMs = 20_000
const shortMs = 500
const limits: Partial<MirrorLimits> = {
	checkpointEvents: 64,
	checkpointMs: 50,
	idleMs: 2,
	firstPauseMs: 5,
	longestPauseMs: 50,
}
const open: { close(): void | Promise<void> }[] = []

test.after.each(async () => {
	for (const one of open.splice(0).toReversed()) await one.close()
})

// The client leaves a promise behind that nobody awaits when a connection breaks while it writes.
process.on('unhandledRejection', () => {})

async function startNode(options: Parameters<typeof startEventStoreNode>[0] = {}) {
	const node = await startEventStoreNode(options)
	open.push({ close: () => node.stop() })
	return node
}

function address(...nodes: EventStoreNode[]): string {
	return `esdb://${nodes.map(({ port }) => `127.0.0.1:${port}`).join(',')}?tls=false`
}

function mirrorOf(
	journal: MemoryJournal,
	url: string,
	more: Partial<MirrorLimits> = {},
	callMs = deadlineMs,
): Mirror {
	const target = openTarget(url, callMs)
	const { id, last, read } = journal
	const mirror = openMirror({
		source: { journal: id, durable: last, read },
		target,
		run: crypto.randomUUID(),
		limits: { ...limits, ...more },
	})
	open.push({
		async close() {
			await mirror.close()
			await target.reset()
		},
	})
	return mirror
}

/** Events of twenty subscribers and the relay, in a disorder that is always the same. */
function traffic(count: number, from = 0): NewEvent[] {
	return Array.from({ length: count }, (_, index) => {
		const number = from + index
		if (number % 50 === 0) {
			const data = { reason: `number ${number}` }
			return { stream: relayStream('default'), type: 'RelayStopped', v: 1, at: number, data }
		}
		return numberedEvent(number, macOf((number * 7 + (number >> 3)) % 20))
	})
}

async function until(what: string, isSo: () => boolean, limitMs = 25_000): Promise<void> {
	const end = performance.now() + limitMs
	while (!isSo()) {
		if (performance.now() > end) throw new Error(`${what}: not within ${limitMs} ms`)
		await new Promise(resolve => setTimeout(resolve, 5))
	}
}

/** Every event of the journal is in the store once, in its stream, in order, with its metadata. */
function assertMirrored(store: Store, journal: MemoryJournal): void {
	const expected = new Map<string, unknown[]>()
	for (const { stream, ...event } of journal.read(1, Number.POSITIVE_INFINITY)) {
		expected.set(stream, [...(expected.get(stream) ?? []), event])
	}
	const found = new Map<string, unknown[]>()
	for (const { stream, type, id, data, metadata } of store.all()) {
		if (stream.startsWith('mirror-') || stream.startsWith('$')) continue
		const {
			journal: of,
			position,
			v,
			at,
			$correlationId,
		} = JSON.parse(String(Buffer.from(metadata)))
		assert.is(of, journal.id)
		assert.is(id, eventId(journal.id, position))
		assert.is.not($correlationId, undefined)
		const event = { position, type, v, at, data: JSON.parse(String(Buffer.from(data))) }
		found.set(stream, [...(found.get(stream) ?? []), event])
	}
	assert.equal(Object.fromEntries(found), Object.fromEntries(expected))
}

const positions = (store: Store) =>
	store
		.all()
		.filter(({ stream }) => !stream.startsWith('mirror-') && !stream.startsWith('$'))
		.map(({ metadata }) => JSON.parse(String(Buffer.from(metadata))).position as number)

test('event ids follow from journal and position, as RFC 9562 has it', () => {
	// Made by Python's uuid.uuid5(uuid.UUID('6ba7b810-9dad-11d1-80b4-00c04fd430c8'), '1').
	const space = '6ba7b810-9dad-11d1-80b4-00c04fd430c8'
	assert.is(eventId(space, 1), 'b04965e6-a9bb-591f-8f8a-1adcb2c8dc39')
	assert.is.not(eventId(space, 2), eventId(space, 1))
	assert.is.not(eventId(journalId, 1), eventId(space, 1))
})

test('ships everything once, in the order of the journal, and follows', async () => {
	const node = await startNode()
	const journal = openMemoryJournal({ id: journalId })
	journal.append(traffic(700))
	const mirror = mirrorOf(journal, address(node))
	await until('the first events are there', () => mirror.state().position === 700)
	journal.append(traffic(41, 700))
	await until('the later ones are there', () => mirror.state().position === 741)
	await until('it follows', () => mirror.state().state === 'following')
	assertMirrored(node.store, journal)
	assert.equal(
		positions(node.store),
		Array.from({ length: 741 }, (_, index) => index + 1),
	)
	assert.is(mirror.state().events, 741)
	assert.is(mirror.state().retries, 0)
})

test('an exchange is found by its correlation id and its cause', async () => {
	const node = await startNode()
	const journal = openMemoryJournal({ id: journalId })
	journal.append([numberedEvent(1), numberedEvent(1)])
	const mirror = mirrorOf(journal, address(node))
	await until('both are there', () => mirror.state().position === 2)
	const metadata = node.store
		.all()
		.filter(({ stream }) => stream.startsWith('subscriber-'))
		.map(event => JSON.parse(String(Buffer.from(event.metadata))))
	assert.equal(metadata, [
		{ $correlationId: eventId(journalId, 1), journal: journalId, position: 1, v: 1, at: 1_000_001 },
		{
			$correlationId: eventId(journalId, 1),
			$causationId: eventId(journalId, 1),
			journal: journalId,
			position: 2,
			v: 1,
			at: 1_000_001,
		},
	])
})

test('a restarted mirror goes on where the target says, without a local file', async () => {
	const node = await startNode()
	const journal = openMemoryJournal({ id: journalId })
	journal.append(traffic(300))
	const first = mirrorOf(journal, address(node))
	await until('the events are there', () => first.state().position === 300)
	await first.close()
	const appends = node.seen.appends
	journal.append(traffic(5, 300))
	const second = mirrorOf(journal, address(node))
	await until('the rest is there', () => second.state().position === 305)
	assertMirrored(node.store, journal)
	assert.is(second.state().events, 5)
	assert.ok(node.seen.appends - appends <= 5 + 3, 'nothing was sent again')
})

test('with the checkpoints deleted it finds out from the streams what is there', async () => {
	const node = await startNode()
	const journal = openMemoryJournal({ id: journalId })
	journal.append(traffic(300))
	const first = mirrorOf(journal, address(node))
	await until('the events are there', () => first.state().position === 300)
	await first.close()
	node.store.delete(checkpointStream(journalId))
	journal.append(traffic(20, 300))
	const second = mirrorOf(journal, address(node))
	await until('the rest is there', () => second.state().position === 320)
	assertMirrored(node.store, journal)
	assert.is(second.state().events, 20)
})

test('a server that is away at the start and comes later', async () => {
	const node = await startNode()
	node.stop()
	const journal = openMemoryJournal({ id: journalId })
	journal.append(traffic(120))
	const mirror = mirrorOf(journal, address(node))
	await until('it waits', () => mirror.state().state === 'waiting')
	assert.match(mirror.state().reason, /is away/)
	await node.start()
	await until('everything is there', () => mirror.state().position === 120)
	assert.is(mirror.state().reason, '')
	assertMirrored(node.store, journal)
})

type Trouble = (node: EventStoreNode) => void | Promise<void>
const troubles: readonly (readonly [what: string, make: Trouble])[] = [
	['restarts', node => node.drop()],
	[
		'stalls for longer than the deadline',
		async ({ faults }) => {
			faults.stall = true
			await new Promise(resolve => setTimeout(resolve, 2 * shortMs))
			faults.stall = false
		},
	],
	['is busy', ({ faults }) => void Object.assign(faults, { busy: 3 })],
	[
		'loses answers of what it wrote',
		({ faults }) => void Object.assign(faults, { loseAnswers: 2 }),
	],
	['loses what it was sent', ({ faults }) => void Object.assign(faults, { dropAppends: 2 })],
]

for (const [trouble, make] of troubles) {
	test(`no event is lost and none is doubled when the server ${trouble}`, async () => {
		const node = await startNode()
		const journal = openMemoryJournal({ id: journalId })
		const callMs = trouble.startsWith('stalls') ? shortMs : deadlineMs
		const mirror = mirrorOf(journal, address(node), { windowEvents: 96 }, callMs)
		let written = 0
		for (let round = 0; round < 2; round++) {
			journal.append(traffic(150, written))
			written += 150
			await until('some are there', () => mirror.state().position > written - 140)
			await make(node)
		}
		journal.append(traffic(10, written))
		await until('everything is there', () => mirror.state().position === written + 10)
		assertMirrored(node.store, journal)
		assert.ok(mirror.state().retries > 0, 'there was trouble')
	})
}

test('the leader changes: the mirror goes to the new one', async () => {
	const store = newStore()
	const nodes: EventStoreNode[] = []
	for (let i = 0; i < 3; i++) nodes.push(await startNode({ store, cluster: () => nodes }))
	const lead = (leader: number) => {
		for (const [index, { faults }] of nodes.entries()) {
			faults.leader = index === leader ? undefined : nodes[leader]!.port
		}
	}
	lead(0)
	const journal = openMemoryJournal({ id: journalId })
	journal.append(traffic(100))
	const mirror = mirrorOf(journal, address(...nodes))
	await until('the first are there', () => mirror.state().position === 100)
	assert.ok(nodes[0]!.seen.appends > 0)
	lead(2)
	journal.append(traffic(100, 100))
	await until('the next are there', () => mirror.state().position === 200)
	assert.ok(nodes[2]!.seen.appends > 0)
	nodes[2]!.stop()
	lead(1)
	journal.append(traffic(100, 200))
	await until('the last are there', () => mirror.state().position === 300)
	assertMirrored(store, journal)
})

test('one address of a cluster is enough: a follower names its leader', async () => {
	const store = newStore()
	const leader = await startNode({ store })
	const follower = await startNode({ store })
	follower.faults.leader = leader.port
	const journal = openMemoryJournal({ id: journalId })
	journal.append(traffic(60))
	const mirror = mirrorOf(journal, address(follower))
	await until('everything is there', () => mirror.state().position === 60)
	assert.is(follower.seen.appends, 0)
	assertMirrored(store, journal)
})

test('large events are sent by themselves, and one that is too large says what to do', async () => {
	const node = await startNode()
	const journal = openMemoryJournal()
	// The relay's own stream takes them: a configuration is the largest event there is.
	const started = (octets: number): NewEvent => {
		const data = { release: '0', configuration: ['x'.repeat(octets)] }
		return { stream: relayStream('default'), type: 'RelayStarted', v: 1, at: 1, data }
	}
	journal.append(Array.from({ length: 40 }, () => started(100_000)))
	const mirror = mirrorOf(journal, address(node))
	await until('4 MB are mirrored', () => mirror.state().position === 40)
	journal.append([started(2 ** 20), started(1)])
	await until('it waits', () => mirror.state().state === 'waiting')
	const { reason } = mirror.state()
	assert.match(reason, /RelayStarted of 10\d{5} octets.* takes 1048576 .*MaxAppendSize/)
	assert.is(mirror.state().position, 40)
	node.settings.maxAppendSize = 2 ** 21
	await until('it goes on', () => mirror.state().position === 42)
	assertMirrored(node.store, journal)
})

test('never more events in flight than the window', async () => {
	const node = await startNode()
	const journal = openMemoryJournal({ id: journalId })
	const inTurn = (count: number) =>
		Array.from({ length: count }, (_, number) => numberedEvent(number, macOf(number % 2)))
	journal.append(inTurn(2))
	const mirror = mirrorOf(journal, address(node), { windowEvents: 40 }, shortMs)
	await until('the first are there', () => mirror.state().position === 2)
	node.faults.stall = true
	const before = node.seen.appends
	journal.append(inTurn(2000))
	await until('it has sent what it may', () => node.seen.appends > before)
	await new Promise(resolve => setTimeout(resolve, shortMs / 2))
	assert.ok(node.seen.appends - before <= 40 + 1, `${node.seen.appends - before} appends`)
	node.faults.stall = false
	await until('everything is there', () => mirror.state().position === 2002)
	assertMirrored(node.store, journal)
})

test('only what is on disk is shown outside', async () => {
	const node = await startNode()
	const journal = openMemoryJournal({ id: journalId })
	journal.append(traffic(50))
	const target = openTarget(address(node), deadlineMs)
	const source = { journal: journalId, durable: () => 30, read: journal.read }
	const mirror = openMirror({ source, target, run: 'a', limits })
	open.push(mirror)
	await until('the durable ones are there', () => mirror.state().position === 30)
	await until('it rests', () => mirror.state().state === 'following')
	assert.is(Math.max(...positions(node.store)), 30)
})

test('a second relay with the same virtual router is found out before it writes anything', async () => {
	const node = await startNode()
	const first = openMemoryJournal({ id: journalId })
	first.append(traffic(60))
	const mirror = mirrorOf(first, address(node))
	await until('the first is there', () => mirror.state().position === 60)
	const second = openMemoryJournal({ id: 'c1a3a3d4-0c5e-4f0a-8e42-7d6f3b1e9a02' })
	second.append(traffic(60))
	const before = positions(node.store).length
	const intruder = mirrorOf(second, address(node))
	await intruder.ended
	assert.is(intruder.state().state, 'stopped')
	assert.is(intruder.stopped()?.kind, 'second-relay')
	assert.match(intruder.state().reason, /relay-default.*another relay.*same virtual router/)
	assert.is(positions(node.store).length, before)
	first.append(traffic(10, 60))
	await until('the first one goes on', () => mirror.state().position === 70)
})

test('another relay that wrote first while this one ran is found out by its revision', async () => {
	const node = await startNode()
	const journal = openMemoryJournal({ id: journalId })
	journal.append([numberedEvent(1)])
	const mirror = mirrorOf(journal, address(node))
	await until('the first is there', () => mirror.state().position === 1)
	const another = 'c1a3a3d4-0c5e-4f0a-8e42-7d6f3b1e9a02'
	const metadata = { journal: another, position: 9, v: 1, at: 9 }
	const event = {
		id: crypto.randomUUID(),
		type: 'AccessRejected',
		contentType: 'application/json',
		data: Buffer.from('{}'),
		metadata: Buffer.from(JSON.stringify(metadata)),
	}
	node.store.append(subscriberStream('default', macOf(1)), 'any', [event])
	journal.append([numberedEvent(2)])
	await mirror.ended
	assert.is(mirror.stopped()?.kind, 'second-relay')
	assert.is(mirror.state().position, 1)
})

test('an event that no relay wrote is passed over', async () => {
	const node = await startNode()
	const journal = openMemoryJournal({ id: journalId })
	journal.append([numberedEvent(1)])
	const mirror = mirrorOf(journal, address(node))
	await until('the first is there', () => mirror.state().position === 1)
	const note = {
		id: crypto.randomUUID(),
		type: 'Note',
		contentType: 'application/json',
		data: Buffer.from('{}'),
		metadata: new Uint8Array(),
	}
	node.store.append(subscriberStream('default', macOf(1)), 'any', [note])
	journal.append([numberedEvent(2)])
	await until('the second is there', () => mirror.state().position === 2)
	const types = node.store.read(subscriberStream('default', macOf(1)))
	assert.ok(Array.isArray(types))
	assert.equal(
		types.map(({ type }) => type),
		['AccessRejected', 'Note', 'AccessRejected'],
	)
})

test('a copy of the data folder that goes on by itself is found out', async () => {
	const node = await startNode()
	const journal = openMemoryJournal({ id: journalId })
	journal.append(traffic(60))
	const mirror = mirrorOf(journal, address(node))
	await until('all is there', () => mirror.state().position === 60)
	const copy = openMemoryJournal({ id: journalId })
	copy.append(traffic(59))
	copy.append([{ ...traffic(1, 59)[0]!, at: 77 }])
	const other = mirrorOf(copy, address(node))
	await other.ended
	assert.is(other.stopped()?.kind, 'copied-journal')
	const old = openMemoryJournal({ id: journalId })
	old.append(traffic(40))
	const third = mirrorOf(old, address(node))
	await third.ended
	assert.is(third.stopped()?.kind, 'old-journal')
})

test('of two processes with the same journal the first one stops', async () => {
	const node = await startNode()
	const journal = openMemoryJournal({ id: journalId })
	journal.append(traffic(60))
	const first = mirrorOf(journal, address(node))
	await until('all is there', () => first.state().position === 60)
	const second = mirrorOf(journal, address(node))
	await until('the second is there', () => second.state().position === 60)
	journal.append(traffic(60, 60))
	await first.ended
	assert.is(first.stopped()?.kind, 'copied-journal')
	await until('the second goes on', () => second.state().position === 120)
	assertMirrored(node.store, journal)
})

test('a stream with a tombstone stops the mirror with its name', async () => {
	const node = await startNode()
	const journal = openMemoryJournal({ id: journalId })
	journal.append([numberedEvent(1)])
	const mirror = mirrorOf(journal, address(node))
	await until('the first is there', () => mirror.state().position === 1)
	node.store.tombstone(subscriberStream('default', macOf(1)))
	journal.append([numberedEvent(2)])
	await mirror.ended
	assert.is(mirror.stopped()?.kind, 'tombstone')
	assert.match(mirror.state().reason, /subscriber-default\.02-00-00-00-00-01/)
})

test('a stream that was deleted softly goes on', async () => {
	const node = await startNode()
	const journal = openMemoryJournal({ id: journalId })
	journal.append([numberedEvent(1), numberedEvent(2)])
	const mirror = mirrorOf(journal, address(node))
	await until('the first are there', () => mirror.state().position === 2)
	node.store.delete(subscriberStream('default', macOf(1)))
	journal.append([numberedEvent(3)])
	await until('the third is there', () => mirror.state().position === 3)
	journal.append([numberedEvent(4)])
	await until('the fourth is there', () => mirror.state().position === 4)
})

test('what is read back is the event that was written', async () => {
	const node = await startNode()
	const journal = openMemoryJournal({ id: journalId })
	const data = { exchange: 1, client: '192.0.2.1', server: 'ü \ud83d\ude00 "', roundTripUs: 0 }
	journal.append([{ ...numberedEvent(1), data } as NewEvent])
	const mirror = mirrorOf(journal, address(node))
	await until('it is there', () => mirror.state().position === 1)
	const target = openTarget(address(node), deadlineMs)
	open.push({ close: () => target.reset() })
	const [event] = await target.newest(subscriberStream('default', macOf(1)), 1)
	assert.equal(mirroredEvent(event!), { journal: journalId, event: journal.read(1, 1)[0] })
})

test('an event whose journal is no id, or whose position is none, was written by no relay', () => {
	const read = (journal: string, position: number) =>
		mirroredEvent({
			...{ streamId: 'relay-default', id: crypto.randomUUID(), revision: 0n },
			...{ type: 'RelayStopped', data: {}, metadata: { journal, position, v: 1, at: 1 } },
		})
	assert.is(read(journalId, 1)?.journal, journalId)
	for (const journal of ['../../etc', '', '.', `${journalId}/..`, `${journalId}\n`]) {
		assert.is(read(journal, 1), undefined, journal)
	}
	for (const position of [0, -1, 1.5, 2 ** 53]) assert.is(read(journalId, position), undefined)
})

test('what the shell shows of a mirror', () => {
	assert.equal(mirrorsText([], 5), [
		'No mirror is configured: start the relay with --eventstore or --nats to have one.',
	])
	const mirror: MirrorState = {
		...{ store: 'EventStoreDB', target: 'history.example.org:2113', state: 'waiting' },
		...{ position: 70, events: 10, retries: 3, reason: 'It is away.' },
	}
	assert.is(mirrorLag(mirror, 100), 30)
	assert.equal(mirrorsText([mirror], 100), [
		'EventStoreDB history.example.org:2113',
		'  State                waiting',
		'  Journal Position     100',
		'  Mirrored Position    70',
		'  Lag                  30 events',
		'  Events Shipped       10',
		'  Connection Retries   3',
		'  Reason               It is away.',
	])
})

test('a wrong connection string is refused without its password', () => {
	assert.throws(
		() => openTarget('http://user:geheim@host', deadlineMs),
		(error: Error) => /connection string/.test(error.message) && !error.message.includes('geheim'),
	)
})

test.run()
