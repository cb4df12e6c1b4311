/** A lost journal made anew from EventStoreDB: the same positions, the same events, the same id. */
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { checkpointStream } from '../adapters/eventstoredb/checkpoint.ts'
import { proposalOf } from '../adapters/eventstoredb/envelope.ts'
import { openMirror } from '../adapters/eventstoredb/mirror.ts'
import { openTarget } from '../adapters/eventstoredb/target.ts'
import { checkPositions } from '../adapters/journal/check.ts'
import { type MemoryJournal, openMemoryJournal } from '../adapters/journal/memory.ts'
import { openReader } from '../adapters/journal/reader.ts'
import { type NewEvent, relayStream } from '../domain/event.ts'
import { RestoreFailure, type RestoreSettings, restore } from '../src/restore.ts'
import { type EventStoreNode, startEventStoreNode } from './eventstoredb/server.ts'
import { macOf, numberedEvent } from './journal-events.ts'

const journalId = '6f1a0c9e-52d1-4c3b-9a55-0e7d2c1b4a10'
const otherId = 'c1a3a3d4-0c5e-4f0a-8e42-7d6f3b1e9a02'
const parent = mkdtempSync(join(tmpdir(), 'radledger-restore-'))
const folder = join(parent, 'data')
let node: EventStoreNode

test.before.each(async () => {
	node = await startEventStoreNode()
	rmSync(folder, { recursive: true, force: true })
})
test.after.each(() => node.stop())
test.after(() => rmSync(parent, { recursive: true }))
process.on('unhandledRejection', () => {})

const url = () => `esdb://127.0.0.1:${node.port}?tls=false`

function journalWith(count: number, id = journalId, router = 'default'): MemoryJournal {
	const journal = openMemoryJournal({ id })
	const events = Array.from({ length: count }, (_, number): NewEvent => {
		if (number % 40 > 0) return numberedEvent(number, macOf((number * 7) % 20))
		const data = { release: '0', configuration: [`number ${number}`, 'ü "quoted"'] }
		return { stream: relayStream(router), type: 'RelayStarted', v: 1, at: number, data }
	})
	journal.append(events)
	return journal
}

async function mirrored(journal: MemoryJournal): Promise<MemoryJournal> {
	const target = openTarget(url(), 2000)
	const source = { journal: journal.id, durable: journal.last, read: journal.read }
	const mirror = openMirror({ source, target, run: 'a', limits: { idleMs: 2 } })
	while (mirror.state().position < journal.last()) {
		await new Promise(resolve => setTimeout(resolve, 5))
	}
	await mirror.close()
	await target.reset()
	return journal
}

/** Puts events into the store as a mirror would have, in the order that is given. */
function put(journal: MemoryJournal, positions: readonly number[]): void {
	for (const position of positions) {
		const event = journal.read(position, 1)[0]!
		const { data, metadata, ...proposal } = proposalOf(journal.id, event)
		const stored = {
			...proposal,
			data: Buffer.from(JSON.stringify(data)),
			metadata: Buffer.from(JSON.stringify(metadata)),
		}
		node.store.append(event.stream, 'any', [stored])
	}
}

function restored(more: Partial<RestoreSettings> = {}) {
	return restore({ url: url(), folder, ...more }, () => {})
}

async function refusal(more: Partial<RestoreSettings> = {}): Promise<string> {
	try {
		await restored(more)
	} catch (error) {
		assert.ok(error instanceof RestoreFailure, String(error))
		assert.not.ok(existsSync(folder), 'no folder is left')
		assert.equal(readdirSync(parent), [])
		return error.message
	}
	throw new Error('It was not refused.')
}

function assertSame(journal: MemoryJournal, last = journal.last()): void {
	const reader = openReader(folder)
	assert.is(reader.id, journal.id)
	assert.is(reader.last(), last)
	assert.equal(reader.read(1, last), journal.read(1, last).slice(0, last))
	reader.close()
	assert.equal(checkPositions(folder).faults, [])
}

test('the restored journal is the one that was mirrored', async () => {
	const journal = await mirrored(journalWith(1000))
	assert.equal(await restored(), { journal: journalId, events: 1000 })
	assertSame(journal)
	assert.equal(
		readdirSync(folder).filter(name => name.includes('sorting')),
		[],
	)
})

test('the order in which events came does not matter, nor that some came twice', async () => {
	const journal = journalWith(9)
	put(journal, [1, 3, 2, 9, 5, 4, 8, 7, 6])
	const twice = openMemoryJournal({ id: journalId })
	twice.append(journal.read(1, 9))
	put(twice, [4])
	await restored()
	assertSame(journal)
})

test('where a position is there twice, what was written later counts', async () => {
	const journal = journalWith(5)
	put(journal, [1, 2, 3, 4, 5])
	const erased = { ...journal.read(3, 1)[0]!, data: { erased: true } }
	const { metadata, ...proposal } = proposalOf(journalId, erased as never)
	const event = {
		...proposal,
		id: crypto.randomUUID(),
		data: Buffer.from(JSON.stringify(erased.data)),
		metadata: Buffer.from(JSON.stringify(metadata)),
	}
	node.store.append(erased.stream, 'any', [event])
	await restored()
	const reader = openReader(folder)
	assert.equal(reader.readStored(3, 1)[0]?.data, { erased: true })
	reader.close()
})

test('gaps are named, and the journal before them can be had', async () => {
	const journal = journalWith(20)
	put(journal, [1, 2, 3, 4, 5, 6, 7, 8, 12, 13, 14, 16, 17, 18, 19, 20])
	const message = await refusal()
	assert.match(message, /positions 9 to 11, position 15\./)
	assert.match(message, /--up-to 8/)
	assert.equal(await restored({ upTo: 8 }), { journal: journalId, events: 8 })
	assertSame(journal, 8)
})

test('what the checkpoint promises and nobody finds is a gap too', async () => {
	const journal = journalWith(30)
	put(
		journal,
		Array.from({ length: 20 }, (_, index) => index + 1),
	)
	const checkpoint = {
		id: crypto.randomUUID(),
		type: 'MirrorCheckpoint',
		contentType: 'application/json',
		data: Buffer.from(JSON.stringify({ position: 30, run: 'a' })),
		metadata: new Uint8Array(),
	}
	node.store.append(checkpointStream(journalId), 'any', [checkpoint])
	assert.match(await refusal(), /positions 21 to 30\..*--up-to 20/)
})

test('of several relays one must be chosen, by journal or by virtual router', async () => {
	const first = await mirrored(journalWith(50))
	const second = openMemoryJournal({ id: otherId })
	second.append([
		{
			stream: relayStream('campus'),
			type: 'RelayStarted',
			v: 1,
			at: 1,
			data: { release: '0', configuration: [] },
		},
	])
	await mirrored(second)
	const message = await refusal()
	assert.match(message, new RegExp(`${journalId} {2}default\n {2}${otherId} {2}campus`))
	assert.equal(await restored({ virtualRouter: 'campus' }), { journal: otherId, events: 1 })
	assertSame(second)
	rmSync(folder, { recursive: true })
	assert.equal(await restored({ journal: journalId }), { journal: journalId, events: 50 })
	assertSame(first)
})

test('a folder that has anything in it is left as it is', async () => {
	await mirrored(journalWith(5))
	mkdirSync(folder)
	writeFileSync(join(folder, 'notes.txt'), 'mine')
	let message = ''
	await restored().catch(error => {
		message = error.message
	})
	assert.match(message, /is not empty \(it has notes\.txt\)/)
	assert.equal(readdirSync(folder), ['notes.txt'])
})

test('an empty folder is taken', async () => {
	const journal = await mirrored(journalWith(5))
	mkdirSync(folder)
	await restored()
	assertSame(journal)
})

test('a database without a relay says so', async () => {
	assert.match(await refusal(), /has no events of any relay/)
	assert.match(await refusal({ virtualRouter: 'x' }), /no events of a virtual router x/)
	assert.match(await refusal({ journal: otherId }), /no events of the journal/)
})

test('a server that does not answer is waited for, which is said, and then no more', async () => {
	node.stop()
	const notes: string[] = []
	const waited = performance.now()
	const limits = { silenceMs: 100, patienceMs: 1500 }
	await restore({ url: url(), folder, ...limits }, line => notes.push(line)).then(
		() => assert.unreachable(),
		error => assert.match(error.message, /is away/),
	)
	assert.ok(performance.now() - waited < 15_000)
	assert.is(notes.length, 1)
	assert.match(
		notes[0]!,
		/^EventStoreDB at 127\.0\.0\.1:\d+ does not answer yet; it is waited for until \d\d:\d\d:\d\d UTC\.$/,
	)
	assert.not.ok(existsSync(folder))
})

test('a connection that breaks on the way is taken up again', async () => {
	const journal = await mirrored(journalWith(3000))
	const reads = node.seen.reads
	const working = restored()
	while (node.seen.reads === reads) await new Promise(resolve => setTimeout(resolve, 1))
	await node.drop()
	await working
	assert.ok(node.seen.reads > reads + 2, 'it was read again')
	assertSame(journal)
})

test.run()
