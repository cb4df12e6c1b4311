import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { openMemoryJournal } from '../adapters/journal/memory.ts'
import type { NewEvent } from '../domain/event.ts'
import type { JournalReader } from '../domain/journal.ts'
import {
	catchUpTogether,
	type Following,
	follow,
	type Projection,
	tellTogether,
} from '../projections/follow.ts'
import { macOf, numberedEvent, numberedEvents } from './journal-events.ts'

/** Counts events by stream, in a Map that it changes in place, and remembers every position. */
type Counts = { streams: Map<string, number>; positions: number[] }

const counts: Projection<Counts> = {
	name: 'counts',
	version: 3,
	initial: () => ({ streams: new Map(), positions: [] }),
	fold(state, event) {
		state.streams.set(event.stream, (state.streams.get(event.stream) ?? 0) + 1)
		state.positions.push(event.position)
		return state
	},
	freeze: ({ streams, positions }) => [{ streams: [...streams] }, ...positions],
	thaw(pieces) {
		const [head, ...positions] = pieces as [{ streams: [string, number][] }, ...number[]]
		const { streams } = head
		if (!Array.isArray(streams)) throw new Error('it has no streams.')
		return { streams: new Map(streams), positions }
	},
}

function upTo(position: number): number[] {
	return Array.from({ length: position }, (_, index) => index + 1)
}

function view(following: Following<Counts>) {
	return structuredClone(following.state())
}

test('folds from the first event on, each event once and in order', () => {
	const journal = openMemoryJournal()
	for (let batch = 0; batch < 5; batch++) journal.append(numberedEvents(batch * 3000, 3000))
	const following = follow({ reader: journal, snapshots: journal, projection: counts })
	assert.is(following.position(), 0)
	assert.is(following.catchUp(), 15_000)
	assert.equal(following.state().positions, upTo(15_000))
	assert.is(following.catchUp(), 0)
})

test('catches up in parts', () => {
	const journal = openMemoryJournal()
	for (let batch = 0; batch < 10; batch++) journal.append(numberedEvents(batch, 10))
	const following = follow({ reader: journal, snapshots: journal, projection: counts })
	assert.is(following.catchUp(20), 20)
	assert.is(following.position(), 20)
	assert.is(following.catchUp(), 80)
	assert.equal(following.state().positions, upTo(100))
})

test('a batch told of is folded without reading, and only what is new of it', () => {
	const journal = openMemoryJournal()
	let readings = 0
	const reader: JournalReader = {
		...journal,
		read(from, limit) {
			readings++
			return journal.read(from, limit)
		},
	}
	const following = follow({ reader, snapshots: journal, projection: counts })
	const first = numberedEvents(1, 4)
	following.committed(journal.append(first), first)
	following.committed(1, first)
	following.committed(3, [...numberedEvents(3, 2), ...numberedEvents(5, 2)])
	assert.is(readings, 0)
	assert.equal(following.state().positions, upTo(6))
})

test('a batch told of too early makes it read the journal', () => {
	for (const missed of [1, 2, 5]) {
		const journal = openMemoryJournal()
		journal.append(numberedEvents(1, missed))
		const events = numberedEvents(6, 2)
		const first = journal.append(events)
		const following = follow({ reader: journal, snapshots: journal, projection: counts })
		following.committed(first, events)
		assert.equal(following.state().positions, upTo(missed + 2))
	}
})

test('told together, each folds its own events, and all stand at the last one', () => {
	const journal = openMemoryJournal()
	const others: Projection<Counts> = { ...counts, name: 'others', types: ['RelayStopped'] }
	const following = (projection: Projection<Counts>) =>
		follow({ reader: journal, snapshots: journal, projection })
	const [all, few] = [following(counts), following(others)]
	const tell = tellTogether([all, few])
	const stopped = (at: number) => ({ ...numberedEvent(at), type: 'RelayStopped' }) as NewEvent
	const batches = [numberedEvents(1, 3), [stopped(4), ...numberedEvents(5, 2)], [stopped(7)]]
	for (const events of batches) {
		tell(journal.append(events), events)
		assert.is(few.position(), journal.last())
	}
	assert.equal(all.state().positions, upTo(7))
	assert.equal(few.state().positions, [4, 7])
	// One that is behind reads what it has missed; of a batch that is told of twice nothing is folded.
	const late = following(others)
	const both = tellTogether([all, late])
	const events = [stopped(8)]
	both(journal.append(events), events)
	both(8, events)
	assert.equal(all.state().positions, upTo(8))
	assert.equal(late.state().positions, [4, 7, 8])
	assert.is(late.position(), 8)
})

test('an event folds to the same whether told of or read', () => {
	const journal = openMemoryJournal()
	const seen: string[] = []
	const projection: Projection<null> = {
		name: 'seen',
		version: 1,
		initial: () => null,
		fold(state, event) {
			seen.push(JSON.stringify(event))
			return state
		},
	}
	const events = numberedEvents(1, 1)
	const told = follow({ reader: journal, snapshots: journal, projection })
	told.committed(journal.append(events), events)
	follow({ reader: journal, snapshots: journal, projection }).catchUp()
	assert.is(seen.length, 2)
	assert.is(seen[0], seen[1])
})

test('view and position are saved together; without the snapshot it folds to the same view', () => {
	const journal = openMemoryJournal()
	const start = () => follow({ reader: journal, snapshots: journal, projection: counts })
	const following = start()
	for (let number = 0; number < 20; number++) {
		const events = [numberedEvent(number, macOf(number % 3)), numberedEvent(number)]
		following.committed(journal.append(events), events)
		if (number === 11) following.save()
	}
	const restored = start()
	assert.is(restored.position(), 24)
	assert.equal(restored.state().positions, upTo(24))
	restored.catchUp()
	assert.equal(view(restored), view(following))

	journal.forgetSnapshots()
	const anew = start()
	assert.is(anew.position(), 0)
	anew.catchUp()
	assert.equal(view(anew), view(following))
})

test('what is saved does not change with the view', () => {
	const journal = openMemoryJournal()
	const following = follow({ reader: journal, snapshots: journal, projection: counts })
	journal.append(numberedEvents(1, 2))
	following.catchUp()
	following.save()
	journal.append(numberedEvents(3, 2))
	following.catchUp()
	assert.equal(journal.load('counts', 3)?.position, 2)
	const restored = follow({ reader: journal, snapshots: journal, projection: counts })
	assert.equal(restored.state().positions, [1, 2])
})

test('a snapshot is written once for a position', () => {
	const journal = openMemoryJournal()
	let saves = 0
	const snapshots = { load: journal.load, save: () => void saves++ }
	const following = follow({ reader: journal, snapshots, projection: counts })
	following.save()
	journal.append(numberedEvents(1, 1))
	following.catchUp()
	following.save()
	following.save()
	assert.is(saves, 1)
})

test('a snapshot of another version or that cannot be thawed is ignored', () => {
	const journal = openMemoryJournal()
	journal.append(numberedEvents(1, 3))
	const warnings: string[] = []
	const start = () =>
		follow({
			reader: journal,
			snapshots: journal,
			projection: counts,
			onWarning: sentence => warnings.push(sentence),
		})
	journal.save('counts', 2, 3, [{ streams: [] }, 1, 2, 3])
	assert.is(start().position(), 0)
	journal.save('counts', 3, 3, [{}, 1, 2, 3])
	assert.is(start().position(), 0)
	assert.equal(warnings, [
		'The snapshot of counts is ignored and the journal read instead: it has no streams.',
	])
})

test('several views catch up together: the journal is read once, and none folds an event twice', () => {
	const journal = openMemoryJournal()
	for (let batch = 0; batch < 4; batch++) journal.append(numberedEvents(batch * 3000, 3000))
	let read = 0
	const reader: JournalReader = {
		...journal,
		read(from, limit) {
			const events = journal.read(from, limit)
			read += events.length
			return events
		},
	}
	const views = [0, 2999, 7000, 12_000].map(position => {
		const view = follow({ reader: journal, snapshots: journal, projection: counts })
		view.catchUp(position)
		return view
	})
	catchUpTogether(reader, views)
	for (const view of views) assert.equal(view.state().positions, upTo(12_000))
	assert.is(read, 12_000)
})

test('a gap in what the journal gives is not folded over', () => {
	const journal = openMemoryJournal()
	journal.append(numberedEvents(1, 3))
	const reader = { ...journal, read: () => journal.read(2, 10) }
	const following = follow({ reader, snapshots: journal, projection: counts })
	assert.throws(() => following.catchUp(), /stands at position 0 and was given event 2/)
})

test.run()
