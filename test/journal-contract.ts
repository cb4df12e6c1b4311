/** What every journal does, whatever keeps it. Call it for each kind, then `test.run()`. */
import type { Test } from 'uvu'
import * as assert from 'uvu/assert'
import type { NewEvent } from '../domain/event.ts'
import type { Journal, Snapshots } from '../domain/journal.ts'
import { macOf, numberedEvent, numberedEvents } from './journal-events.ts'

export type JournalUnderTest = {
	readonly journal: Journal & Snapshots
	/** Ends this journal and opens it again as a new process would. */
	reopen(): JournalUnderTest
	close(): void
}

export function journalContract(test: Test, kind: string, open: () => JournalUnderTest): void {
	function rule(
		name: string,
		check: (subject: JournalUnderTest) => JournalUnderTest | undefined,
	): void {
		test(`${kind}: ${name}`, () => {
			let subject = open()
			try {
				subject = check(subject) ?? subject
			} finally {
				subject.close()
			}
		})
	}

	rule('is empty at first', ({ journal }) => {
		assert.is(journal.last(), 0)
		assert.equal(journal.read(1, 10), [])
		assert.equal(journal.readStream('relay-default', 1, 10), [])
		assert.ok(journal.id.length > 0)
	})

	rule('numbers events from 1 on without gaps', ({ journal }) => {
		assert.is(journal.append(numberedEvents(1, 3)), 1)
		assert.is(journal.append(numberedEvents(4, 1)), 4)
		assert.is(journal.append(numberedEvents(5, 2)), 5)
		assert.is(journal.last(), 6)
		const positions = journal.read(1, 100).map(event => event.position)
		assert.equal(positions, [1, 2, 3, 4, 5, 6])
	})

	rule('writes nothing for an empty batch', ({ journal }) => {
		journal.append(numberedEvents(1, 2))
		assert.is(journal.append([]), 3)
		assert.is(journal.last(), 2)
		assert.is(journal.append(numberedEvents(3, 1)), 3)
	})

	rule('gives back what was appended', ({ journal }) => {
		const events = oddEvents()
		journal.append(events)
		const expected = events.map((event, index) => ({ position: index + 1, ...event }))
		assert.equal(journal.read(1, 100), JSON.parse(JSON.stringify(expected)))
	})

	rule('reads from within a batch, and at least one event', ({ journal }) => {
		for (let batch = 0; batch < 10; batch++) journal.append(numberedEvents(10 * batch + 1, 10))
		for (const from of [-1, 0, 1, 5, 10, 11, 99, 100]) {
			const events = journal.read(from, 1)
			assert.is(events[0]!.position, Math.max(from, 1))
			assert.ok(events.length >= 1 && events.length <= 10, 'about the limit')
			assert.is(events[0]!.at, 1_000_000 + Math.max(from, 1))
		}
		assert.equal(journal.read(101, 10), [])
		assert.is(journal.read(1, 1000).length, 100)
	})

	rule('reads one stream, in order', ({ journal }) => {
		for (let number = 1; number <= 60; number += 3) {
			const events = [number, number + 1, number + 2]
			journal.append(events.map(event => numberedEvent(event, macOf(event % 7))))
		}
		const stream = numberedEvent(0, macOf(3)).stream
		const positions = (from: number, limit: number) =>
			journal.readStream(stream, from, limit).map(event => event.position)
		assert.equal(positions(1, 100), [3, 10, 17, 24, 31, 38, 45, 52, 59])
		assert.equal(positions(11, 2), [17, 24])
		assert.equal(positions(17, 1), [17])
		assert.equal(positions(60, 5), [])
		assert.equal(journal.readStream('subscriber-default.none', 1, 5), [])
	})

	rule('keeps id, events and snapshots over a restart', subject => {
		const { id } = subject.journal
		subject.journal.append(numberedEvents(1, 5))
		subject.journal.save('view', 1, 4, [{ online: ['é', 2] }, null, 'x'])
		const next = subject.reopen()
		assert.is(next.journal.id, id)
		assert.is(next.journal.last(), 5)
		assert.is(next.journal.append(numberedEvents(6, 1)), 6)
		assert.is(next.journal.read(1, 100).length, 6)
		const pieces = [{ online: ['é', 2] }, null, 'x']
		assert.equal(loaded(next.journal, 'view', 1), { position: 4, pieces })
		return next
	})

	rule('loads a snapshot of the wanted name and version only', ({ journal }) => {
		journal.append(numberedEvents(1, 5))
		assert.is(journal.load('view', 1), undefined)
		journal.save('view', 2, 3, [1])
		journal.save('view', 2, 5, [2])
		assert.equal(loaded(journal, 'view', 2), { position: 5, pieces: [2] })
		assert.is(journal.load('view', 1), undefined)
		assert.is(journal.load('other', 2), undefined)
	})

	rule('keeps the old snapshot where the new one comes to no end', ({ journal }) => {
		journal.append(numberedEvents(1, 5))
		journal.save('view', 1, 3, [1])
		const broken = function* () {
			yield 2
			throw new Error('out of pieces')
		}
		try {
			journal.save('view', 1, 5, broken())
		} catch {
			// A journal on disk tells of it instead.
		}
		assert.equal(loaded(journal, 'view', 1), { position: 3, pieces: [1] })
	})

	rule('ignores a snapshot of a position that it does not have', ({ journal }) => {
		journal.append(numberedEvents(1, 5))
		journal.save('view', 1, 6, [])
		assert.is(journal.load('view', 1), undefined)
	})

	rule('is unchanged by what the caller does to its events later', ({ journal }) => {
		const tries: [string, number][] = [['192.0.2.2', 1]]
		const event = numberedEvent(1)
		journal.append([{ ...event, data: { ...event.data, tries } } as NewEvent])
		tries.push(['192.0.2.3', 2])
		assert.is(JSON.stringify(journal.read(1, 1)).includes('192.0.2.3'), false)
	})
}

function loaded(journal: Snapshots, name: string, version: number) {
	const snapshot = journal.load(name, version)
	return snapshot && { position: snapshot.position, pieces: [...snapshot.pieces] }
}

function oddEvents(): NewEvent[] {
	const reply = numberedEvent(1)
	return [
		{
			...reply,
			data: { ...reply.data, replyMessage: 'quote " and \\ and \n and \u0000' },
		} as NewEvent,
		{ ...reply, data: { ...reply.data, replyMessage: 'żółw 🐢 \ud800 alone' } } as NewEvent,
		{
			stream: 'relay-default',
			type: 'RelayStarted',
			v: 1,
			at: 0,
			data: { release: '', configuration: ['hostname "relay"', ''] },
		},
		{
			stream: 'relay-é',
			type: 'RelayStopped',
			v: 1,
			at: 1.5,
			data: { reason: 'x'.repeat(200_000) },
		},
	]
}
