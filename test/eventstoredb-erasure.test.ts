/** Erasing a subscriber in EventStoreDB: the erased forms are there, the first ones are not. */
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { mirroredEvent, proposalOf } from '../adapters/eventstoredb/envelope.ts'
import { eraseShared, eraseStream } from '../adapters/eventstoredb/erasure.ts'
import { readHistory } from '../adapters/eventstoredb/history.ts'
import { openMirror } from '../adapters/eventstoredb/mirror.ts'
import { openTarget, type Target, TargetFailure } from '../adapters/eventstoredb/target.ts'
import { openMemoryJournal } from '../adapters/journal/memory.ts'
import { spellingsOf } from '../domain/erasure.ts'
import { type NewEvent, relayStream, subscriberStream, wapStream } from '../domain/event.ts'
import type { PlacedEvent } from '../domain/upcast.ts'
import { awaitPosition } from '../src/erase-mirror.ts'
import { type EventStoreNode, startEventStoreNode } from './eventstoredb/server.ts'
import { macOf, numberedEvent } from './journal-events.ts'

const journalId = '6f1a0c9e-52d1-4c3b-9a55-0e7d2c1b4a10'
const erased = subscriberStream('default', macOf(1))
const pseudonym = subscriberStream('default', 'erased-1')
const other = subscriberStream('default', macOf(2))
const count = 300
let node: EventStoreNode
let target: Target

test.before.each(async () => {
	node = await startEventStoreNode()
	target = openTarget(`esdb://127.0.0.1:${node.port}?tls=false`, 20_000)
})
test.after.each(async () => {
	await target.reset()
	node.stop()
})
process.on('unhandledRejection', () => {})

/** Every event has the address of a person; two of three are about the one who is erased. */
function events(address: string, isErased: boolean): NewEvent[] {
	return Array.from({ length: count }, (_, number) => {
		const event = numberedEvent(number, macOf(number % 3 === 0 ? 2 : 1)) as NewEvent & {
			data: object
		}
		if (!isErased || event.stream !== erased) {
			return { ...event, data: { ...event.data, client: address } } as NewEvent
		}
		return { ...event, stream: pseudonym, data: { ...event.data, client: '' } } as NewEvent
	})
}

async function mirrored(): Promise<void> {
	const journal = openMemoryJournal({ id: journalId })
	journal.append(events('192.0.2.77', false))
	const source = { journal: journalId, durable: journal.last, read: journal.read }
	const mirror = openMirror({ source, target, run: 'a', limits: { idleMs: 2 } })
	while (mirror.state().position < count) await new Promise(resolve => setTimeout(resolve, 5))
	await mirror.close()
}

/** The journal after the erasure. */
function ownJournal() {
	const journal = openMemoryJournal({ id: journalId })
	journal.append(events('192.0.2.77', true))
	const own = { journal: journalId, durable: journal.last, read: journal.read }
	return { journal, own }
}

async function streamOf(stream: string): Promise<PlacedEvent[]> {
	const found = await target.oldest(stream, 10_000)
	return found.flatMap(event => mirroredEvent(event)?.event ?? [])
}

test('the stream has the erased forms in their order, and other streams are as they were', async () => {
	await mirrored()
	const before = await streamOf(other)
	const { journal, own } = ownJournal()
	assert.equal(await eraseStream(target, own, erased), { events: 200, left: 0 })
	const expected = journal.read(1, count).filter(({ stream }) => stream === pseudonym)
	assert.equal(await streamOf(pseudonym), expected)
	assert.equal(await streamOf(erased), [])
	assert.equal(await streamOf(other), before)
})

test('after a scavenge nothing of it is left but one event', async () => {
	await mirrored()
	await eraseStream(target, ownJournal().own, erased)
	const about = () => node.store.all().filter(({ stream }) => stream === erased)
	assert.is(about().length, 200 + 1)
	node.store.scavenge()
	// A database keeps the newest event of each stream, so that it goes on counting.
	assert.equal(
		about().map(({ type, data }) => [type, String(Buffer.from(data))]),
		[['StreamErased', '{}']],
	)
})

test('whoever reads the history gets the erased forms last', async () => {
	await mirrored()
	const { journal, own } = ownJournal()
	await eraseStream(target, own, erased)
	const found = new Map<number, PlacedEvent>()
	for await (const { event } of readHistory(target)) found.set(event.position, event)
	for (const event of journal.read(1, count)) assert.equal(found.get(event.position), event)
})

test('an erasure that broke off is begun again and ends the same', async () => {
	await mirrored()
	const { journal, own } = ownJournal()
	let appends = 0
	const breaking: Target = {
		...target,
		append: (...given) =>
			++appends > 2 ? Promise.reject(new Error('It broke.')) : target.append(...given),
	}
	await eraseStream(breaking, own, erased).then(
		() => assert.unreachable('it broke'),
		() => {},
	)
	assert.is((await eraseStream(target, own, erased)).events, 200 - 128)
	const expected = journal.read(1, count).filter(({ stream }) => stream === pseudonym)
	assert.equal(await streamOf(pseudonym), expected)
	assert.is((await eraseStream(target, own, erased)).events, 0)
	assert.equal(await streamOf(pseudonym), expected)
	assert.equal(await streamOf(erased), [])
})

test('a mirror goes on after an erasure', async () => {
	await mirrored()
	const { journal, own } = ownJournal()
	await eraseStream(target, own, erased)
	journal.append([numberedEvent(count, macOf(1)), numberedEvent(count + 1, macOf(2))])
	const source = { journal: journalId, durable: journal.last, read: journal.read }
	const mirror = openMirror({ source, target, run: 'b', limits: { idleMs: 2 } })
	while (mirror.state().position < count + 2) await new Promise(resolve => setTimeout(resolve, 5))
	await mirror.close()
	assert.equal(
		(await streamOf(erased)).map(({ position }) => position),
		[count + 1],
	)
	assert.equal(await eraseStream(target, own, erased), { events: 0, left: 1 })
})

test('what else the metadata of a stream says stays', async () => {
	await mirrored()
	await target.keepNewest(erased, 1000)
	await eraseStream(target, ownJournal().own, erased)
	const metadata = node.store.read(`$$${erased}`)
	assert.ok(Array.isArray(metadata))
	const newest = JSON.parse(String(Buffer.from(metadata.at(-1).data)))
	assert.equal(newest, { $maxCount: 1000, $tb: 200 })
})

test('a mirror that looks at an erased stream again warns of nothing', async () => {
	await mirrored()
	const { journal, own } = ownJournal()
	await eraseStream(target, own, erased)
	journal.append([numberedEvent(count, macOf(1))])
	const warnings: string[] = []
	const source = { ...own, durable: journal.last }
	const warn = (sentence: string) => warnings.push(sentence)
	const mirror = openMirror({ source, target, run: 'b', limits: { idleMs: 2 }, warn })
	while (mirror.state().position <= count) await new Promise(resolve => setTimeout(resolve, 5))
	await mirror.close()
	assert.equal(warnings, [])
})

// ---- Events that are in no subscriber's stream

const wap = '0A-00-00-00-00-01'
/** Of the relay and of an access point; `named`: the MAC or what stands for it. */
function shared(named: string, user: string | undefined): NewEvent[] {
	const relay = { stream: relayStream('default'), v: 1 as const }
	const point = { client: '192.0.2.1', wap, server: '' }
	const at = 2_000_000
	const request = { server: '198.51.100.9', request: 'disconnect' as const }
	return [
		{
			...{ ...relay, at, type: 'RelayStarted' },
			data: { release: '0.3.0', configuration: ['service dhcp-local'] },
		},
		{
			...{ ...relay, at: at + 1, type: 'ConfigurationChanged' },
			data: { context: 'ip dhcp-local pool a', command: `reserve 10.0.0.9 ${named}` },
		},
		{
			...{ ...relay, at: at + 2, type: 'DisconnectRequested' },
			data: user === undefined ? request : { ...request, user },
		},
		{ ...{ ...relay, at: at + 3, type: 'BaselineSet' }, data: { scope: 'radius' } },
		{
			...{ stream: wapStream('default', wap), v: 1, at: at + 4, type: 'AccountingTurnedOn' },
			data: { ...point, nasIdentifier: 'roof' },
		},
		{
			...{ stream: wapStream('default', wap), v: 1, at: at + 5, type: 'AccountingTurnedOff' },
			data: { ...point, session: `on-${named}` },
		},
	] as NewEvent[]
}

async function mirroredShared(): Promise<void> {
	const journal = openMemoryJournal({ id: journalId })
	journal.append(shared(macOf(1), 'erika'))
	const source = { journal: journalId, durable: journal.last, read: journal.read }
	const mirror = openMirror({ source, target, run: 'a', limits: { idleMs: 2 } })
	while (mirror.state().position < journal.last()) await new Promise(r => setTimeout(r, 5))
	await mirror.close()
}

function ownShared() {
	const journal = openMemoryJournal({ id: journalId })
	journal.append(shared('F3-00-00-00-00-01', undefined))
	return { journal, own: { journal: journalId, durable: journal.last, read: journal.read } }
}

test('what names somebody among the events of the relay is kept aside, and the rest as it is', async () => {
	await mirroredShared()
	const types = (events: readonly PlacedEvent[]) => events.map(({ type }) => type)
	assert.equal(types(await streamOf(relayStream('default'))), ['RelayStarted', 'BaselineSet'])
	assert.equal(types(await streamOf(wapStream('default', wap))), [
		'AccountingTurnedOn',
		'AccountingTurnedOff',
	])
	const [command] = await streamOf('aside-default.2')
	assert.is(command!.stream, relayStream('default'))
	assert.equal(types(await streamOf('aside-default.3')), ['DisconnectRequested'])
})

test('erased outside the streams of subscribers: nothing is left after a scavenge, and the history is the same', async () => {
	await mirroredShared()
	const { journal, own } = ownShared()
	const foldingOf = async () => {
		const found = new Map<number, PlacedEvent>()
		for await (const { event } of readHistory(target)) found.set(event.position, event)
		return [...found.values()].sort((a, b) => a.position - b.position)
	}
	assert.equal(
		await foldingOf(),
		shared(macOf(1), 'erika').map((e, i) => ({ ...e, position: i + 1 })),
	)
	assert.equal(await eraseShared(target, own, [2, 3, 6]), { events: 3, stay: [] })
	assert.equal(await foldingOf(), journal.read(1, 10))
	assert.equal(await eraseShared(target, own, [2, 3, 6]), { events: 0, stay: [] })
	node.store.scavenge()
	const left = node.store.all().map(({ stream, data }) => `${stream} ${Buffer.from(data)}`)
	for (const text of [...spellingsOf(macOf(1)), 'erika']) {
		assert.equal(
			left.filter(one => one.includes(text)),
			[],
		)
	}
	assert.equal(await foldingOf(), journal.read(1, 10))
})

test('an access point goes on after its stream was written once more', async () => {
	await mirroredShared()
	const { journal, own } = ownShared()
	await eraseShared(target, own, [2, 3, 6])
	journal.append(shared(macOf(2), 'otto'))
	const source = { ...own, durable: journal.last }
	const mirror = openMirror({ source, target, run: 'b', limits: { idleMs: 2 } })
	while (mirror.state().position < journal.last()) await new Promise(r => setTimeout(r, 5))
	await mirror.close()
	assert.equal(
		(await streamOf(wapStream('default', wap))).map(({ position }) => position),
		[5, 6, 11, 12],
	)
})

test('a stream that somebody else writes to as well is left, and that is said', async () => {
	await mirroredShared()
	const stream = wapStream('default', wap)
	const note = { type: 'Note', contentType: 'application/json' as const, data: {}, metadata: {} }
	await target.append(stream, 1n, [{ id: crypto.randomUUID(), ...note }])
	const { events, stay } = await eraseShared(target, ownShared().own, [6])
	assert.is(events, 0)
	assert.match(stay[0]!, /wap-default\.0A-00-00-00-00-01 has events that no relay wrote/)
})

test('checkpoints name nobody', async () => {
	await mirrored()
	const checkpoints = node.store.all().filter(({ stream }) => stream.startsWith('mirror-'))
	assert.ok(checkpoints.length > 0)
	for (const { data } of checkpoints) assert.not.match(String(Buffer.from(data)), /subscriber-/)
})

test('a mirror that comes upon a stream of an erased subscriber goes on', async () => {
	await mirrored()
	const { journal, own } = ownJournal()
	journal.append([numberedEvent(count, macOf(1))])
	const source = { ...own, durable: journal.last }
	const mirror = openMirror({ source, target, run: 'b', limits: { idleMs: 2 } })
	while (mirror.state().position <= count) await new Promise(resolve => setTimeout(resolve, 5))
	await mirror.close()
	assert.is((await streamOf(erased)).length, 201)
	assert.equal(await eraseStream(target, own, erased), { events: 200, left: 1 })
	assert.equal(
		(await target.oldest(erased, 10)).map(({ revision }) => revision),
		[200n],
		'what came after the erasure stays, without a mark behind it',
	)
})

test('a mirror that writes before the mark is there keeps what it wrote', async () => {
	await mirrored()
	const { journal, own } = ownJournal()
	const late = journal.append([numberedEvent(count, macOf(1))])
	const overtaken: Target = {
		...target,
		async append(stream, after, proposals) {
			if (proposals[0]!.type === 'StreamErased') {
				const [event] = journal.read(late, 1)
				await target.append(stream, after, [proposalOf(journalId, event!, false)])
			}
			return target.append(stream, after, proposals)
		},
	}
	assert.equal(await eraseStream(overtaken, own, erased), { events: 200, left: 0 })
	assert.equal(
		(await streamOf(erased)).map(({ position }) => position),
		[late],
	)
})

test('a stream is moved whole, however long it is, and each event gets another id', async () => {
	const length = 1100
	const about = (mac: string) => Array.from({ length }, (_, number) => numberedEvent(number, mac))
	const journal = openMemoryJournal({ id: journalId })
	journal.append(about(macOf(1)))
	const source = { journal: journalId, durable: journal.last, read: journal.read }
	const mirror = openMirror({ source, target, run: 'a', limits: { idleMs: 2 } })
	while (mirror.state().position < length) await new Promise(resolve => setTimeout(resolve, 5))
	await mirror.close()
	const after = openMemoryJournal({ id: journalId })
	after.append(about(macOf(1)).map(event => ({ ...event, stream: pseudonym }) as NewEvent))
	const own = { journal: journalId, durable: after.last, read: after.read }
	assert.equal(await eraseStream(target, own, erased), { events: length, left: 0 })
	assert.equal(await streamOf(pseudonym), after.read(1, length))
	assert.equal(await streamOf(erased), [])
	const ids = node.store.all().filter(({ stream }) => stream === erased || stream === pseudonym)
	assert.is(new Set(ids.map(({ id }) => String(id))).size, 2 * length + 1, 'and the mark')
})

test('an erased event after one that is not is no erasure: nothing is moved', async () => {
	await mirrored()
	const { own } = ownJournal()
	const before = openMemoryJournal({ id: journalId })
	before.append(events('192.0.2.77', false))
	const mixed = {
		...own,
		read: (from: number, n: number) => (from === 5 ? before : own).read(from, n),
	}
	await eraseStream(target, mixed, erased).then(
		() => assert.unreachable('it is refused'),
		error => assert.match(error.message, /^Event 6 in .* is erased and one before it is not/),
	)
	assert.is((await streamOf(erased)).length, 200)
	assert.equal(await streamOf(pseudonym), [])
})

test('a stream that a mirror goes on with is read anew, five times at most', async () => {
	await mirroredShared()
	const { journal, own } = ownShared()
	const stream = wapStream('default', wap)
	let refusals = 0
	const overtaken = (times: number): Target => ({
		...target,
		append: (to, after, proposals) =>
			to === stream && refusals++ < times
				? Promise.reject(new TargetFailure('wrong-revision', 'Somebody was quicker.'))
				: target.append(to, after, proposals),
	})
	await eraseShared(overtaken(Number.POSITIVE_INFINITY), own, [6]).then(
		() => assert.unreachable('it gives up'),
		error => assert.match(error.message, /Somebody was quicker/),
	)
	assert.is(refusals, 5)
	refusals = 0
	assert.equal(await eraseShared(overtaken(4), own, [6]), { events: 1, stay: [] })
	assert.equal(await streamOf(stream), journal.read(5, 2))
})

test("another relay's stream is left alone", async () => {
	await mirrored()
	const { own } = ownJournal()
	const foreign = { ...own, journal: 'c1a3a3d4-0c5e-4f0a-8e42-7d6f3b1e9a02' }
	let refused = ''
	await eraseStream(target, foreign, erased).catch(error => {
		refused = error.message
	})
	assert.match(refused, /belongs to another relay/)
	assert.is((await streamOf(erased)).length, 200)
})

test('a mirror that is on its way is waited for, five seconds at most', async () => {
	const waited = async (wanted: number, positionAt: (ms: number) => number) => {
		let now = 1000
		const pause = async (ms: number) => {
			now += ms
		}
		const tell = async () => positionAt(now - 1000)
		const position = await awaitPosition(tell, wanted, pause, () => now)
		return [position, now - 1000]
	}
	assert.equal(await waited(7, () => 7), [7, 0])
	assert.equal(await waited(7, ms => (ms < 2100 ? 6 : 9)), [9, 2200])
	assert.equal(await waited(7, ms => (ms < 5000 ? 0 : 6)), [6, 5000])
})

test('a stream that is not there needs nothing', async () => {
	assert.is((await eraseStream(target, ownJournal().own, erased)).events, 0)
	assert.is(node.store.all().length, 0)
})

test.run()
