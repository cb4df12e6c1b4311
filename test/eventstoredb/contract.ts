/**
 * What the mirror relies on, asked of any EventStoreDB: `npm run test:eventstore -- "esdb://..."`.
 * Writes streams with names of their own and deletes them (softly) at the end; what was in them stays
 * in `$all` until the database is scavenged, and `restore` and `serve-views` take it for relays' until
 * then. The user in the connection string must be allowed to read `$all`.
 */
import { EventStoreDBClient } from '@eventstore/db-client'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { checkpointStream } from '../../adapters/eventstoredb/checkpoint.ts'
import { mirroredEvent, type Proposal, proposalOf } from '../../adapters/eventstoredb/envelope.ts'
import { type Mirror, openMirror } from '../../adapters/eventstoredb/mirror.ts'
import { openTarget, type TargetFailure } from '../../adapters/eventstoredb/target.ts'
import { type MemoryJournal, openMemoryJournal } from '../../adapters/journal/memory.ts'
import { type NewEvent, relayStream, subscriberStream } from '../../domain/event.ts'
import { macOf, numberedEvent } from '../journal-events.ts'

const deadlineMs = 10_000

/** The contract as a suite, still to be run. */
export function contractOf(url: string) {
	const test = suite('EventStoreDB as the mirror relies on it')
	const router = `contract${Date.now().toString(36)}`
	const target = openTarget(url, deadlineMs)
	const client = EventStoreDBClient.connectionString(url)
	const written = new Set<string>()
	let numbered = 0

	function newStream(): string {
		const stream = subscriberStream(router, macOf(numbered++))
		written.add(stream)
		return stream
	}

	const journal = crypto.randomUUID()
	function proposals(from: number, count: number): Proposal[] {
		return Array.from({ length: count }, (_, index) =>
			proposalOf(journal, { position: from + index, ...numberedEvent(from + index) }),
		)
	}

	async function refused(work: Promise<unknown>): Promise<TargetFailure> {
		try {
			await work
		} catch (error) {
			return error as TargetFailure
		}
		throw new Error('It was not refused.')
	}

	async function positions(stream: string): Promise<number[]> {
		const events = await target.oldest(stream, 1000)
		return events.map(event => mirroredEvent(event)!.event.position)
	}

	test.after(async () => {
		for (const stream of written) await client.deleteStream(stream).catch(() => {})
		await client.dispose()
		await target.reset()
	})

	test('a stream that is not there has no newest event', async () => {
		assert.equal(await target.newest(newStream(), 1), [])
	})

	test('a new stream is written once, however often it is sent', async () => {
		const stream = newStream()
		await target.append(stream, -1n, proposals(1, 3))
		await target.append(stream, -1n, proposals(1, 3))
		assert.equal(await positions(stream), [1, 2, 3])
		const [newest] = await target.newest(stream, 1)
		assert.is(newest?.revision, 2n)
	})

	test('other events where a new stream is expected are refused with the revision', async () => {
		const stream = newStream()
		await target.append(stream, -1n, proposals(1, 3))
		const failure = await refused(target.append(stream, -1n, proposals(7, 1)))
		assert.is(failure.kind, 'wrong-revision')
		assert.is(failure.actual, 2n)
		assert.equal(await positions(stream), [1, 2, 3])
	})

	test('an append after an explicit revision is idempotent, also when more has followed', async () => {
		const stream = newStream()
		await target.append(stream, -1n, proposals(1, 2))
		await target.append(stream, 1n, proposals(3, 2))
		await target.append(stream, 3n, proposals(5, 1))
		await target.append(stream, 1n, proposals(3, 2))
		assert.equal(await positions(stream), [1, 2, 3, 4, 5])
	})

	test('an append after a revision that is not the newest, or not there, is refused', async () => {
		const stream = newStream()
		await target.append(stream, -1n, proposals(1, 2))
		assert.is((await refused(target.append(stream, 0n, proposals(9, 1)))).kind, 'wrong-revision')
		assert.is((await refused(target.append(stream, 5n, proposals(9, 1)))).kind, 'wrong-revision')
		const missing = newStream()
		const failure = await refused(target.append(missing, 0n, proposals(9, 1)))
		assert.is(failure.kind, 'wrong-revision')
		assert.equal(await positions(stream), [1, 2])
	})

	test('an append of which only the beginning is there is refused as a whole', async () => {
		const stream = newStream()
		await target.append(stream, -1n, proposals(1, 2))
		assert.is((await refused(target.append(stream, -1n, proposals(1, 3)))).kind, 'wrong-revision')
		assert.equal(await positions(stream), [1, 2])
	})

	test('many appends to one stream may be under way: they are written in their order', async () => {
		const stream = newStream()
		const appends = Array.from({ length: 40 }, (_, index) =>
			target.append(stream, BigInt(index - 1), proposals(index + 1, 1)),
		)
		await Promise.all(appends)
		assert.equal(
			await positions(stream),
			Array.from({ length: 40 }, (_, index) => index + 1),
		)
	})

	test('a stream that was deleted softly may be written again and goes on counting', async () => {
		const stream = newStream()
		await target.append(stream, -1n, proposals(1, 3))
		await client.deleteStream(stream)
		assert.equal(await target.newest(stream, 1), [])
		await target.append(stream, -1n, proposals(4, 1))
		const [newest] = await target.newest(stream, 1)
		assert.is(newest?.revision, 3n)
		assert.equal(await positions(stream), [4])
	})

	test('a stream with a tombstone refuses to be read and to be written', async () => {
		const stream = newStream()
		await target.append(stream, -1n, proposals(1, 1))
		await client.tombstoneStream(stream)
		assert.is((await refused(target.newest(stream, 1))).kind, 'deleted')
		assert.is((await refused(target.append(stream, 0n, proposals(2, 1)))).kind, 'deleted')
		written.delete(stream)
	})

	test('a stream keeps as many events as its metadata says', async () => {
		const stream = newStream()
		await target.append(stream, -1n, proposals(1, 9))
		await target.keepNewest(stream, 4)
		assert.equal(await positions(stream), [6, 7, 8, 9])
		await target.append(stream, 8n, proposals(10, 1))
		assert.equal(await positions(stream), [7, 8, 9, 10])
	})

	test('the mirror ships a journal, goes on after a restart, and everything can be read back', async () => {
		const own = openMemoryJournal({ id: crypto.randomUUID() })
		own.append(traffic(router, 1500, 0))
		await mirrorAll(own)
		own.append(traffic(router, 500, 1500))
		await mirrorAll(own)
		const found = new Map<number, unknown>()
		for await (const { event } of target.readAll(undefined)) {
			const mirrored = event === undefined ? undefined : mirroredEvent(event as never)
			if (mirrored?.journal !== own.id) continue
			assert.not.ok(found.has(mirrored.event.position), 'an event is there twice')
			found.set(mirrored.event.position, mirrored.event)
		}
		assert.is(found.size, 2000)
		for (const event of own.read(1, 2000)) assert.equal(found.get(event.position), event)
	})

	test('a second relay with the same virtual router is found out', async () => {
		const second = openMemoryJournal({ id: crypto.randomUUID() })
		second.append(traffic(router, 10, 0))
		const mirror = start(second)
		await mirror.ended
		assert.is(mirror.stopped()?.kind, 'second-relay')
	})

	return test

	function start(own: MemoryJournal): Mirror {
		written.add(checkpointStream(own.id))
		for (const { stream } of own.read(1, Number.POSITIVE_INFINITY)) written.add(stream)
		const source = { journal: own.id, durable: own.last, read: own.read }
		return openMirror({ source, target, run: crypto.randomUUID() })
	}

	async function mirrorAll(own: MemoryJournal): Promise<void> {
		const mirror = start(own)
		const end = performance.now() + 60_000
		while (mirror.state().position < own.last() && performance.now() < end) {
			await new Promise(resolve => setTimeout(resolve, 20))
		}
		await mirror.close()
		assert.is(mirror.state().position, own.last(), mirror.state().reason)
	}
}

function traffic(router: string, count: number, from: number): NewEvent[] {
	return Array.from({ length: count }, (_, index) => {
		const number = from + index
		const stream = subscriberStream(router, macOf(100 + ((number * 7) % 50)))
		if (number > 0) return { ...numberedEvent(number), stream }
		const data = { release: '0', configuration: [] }
		return { stream: relayStream(router), type: 'RelayStarted', v: 1, at: number, data }
	})
}

if (import.meta.main) {
	const url = process.argv[2]
	if (url === undefined) {
		console.error('Name the database: npm run test:eventstore -- "esdb://HOST:2113?tls=false"')
		process.exit(1)
	}
	// The client leaves promises behind that nobody awaits when a connection breaks while it writes.
	process.on('unhandledRejection', () => {})
	await reach(url)
	const test = contractOf(url)
	test.after(() => {
		console.log(
			'What this wrote stays in $all until the database is scavenged: until then restore and serve-views see its relays, too.',
		)
	})
	test.run()
}

/** Twelve tests that all say that nobody is there would help nobody. */
async function reach(url: string): Promise<void> {
	try {
		const target = openTarget(url, deadlineMs)
		await target.newest('radledger-contract', 1)
		await target.reset()
	} catch (error) {
		console.error((error as Error).message)
		process.exit(1)
	}
}
