/** Which events are "up to a time", with a clock that was set back. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { openJournal } from '../adapters/journal/journal.ts'
import { openDurably, openReader } from '../adapters/journal/reader.ts'
import { viewsFile } from '../adapters/views/database.ts'
import { openViewReader } from '../adapters/views/reader.ts'
import { firstFrom, lastUpTo, type Times } from '../domain/clock-epochs.ts'
import { type NewEvent, relayStream, subscriberStream } from '../domain/event.ts'
import { viewSchema } from '../projections/views/schema.ts'
import { openFolderSource } from '../src/history-source.ts'
import { newHorizon } from '../src/horizon.ts'
import { clockEpochs, positionAt } from '../src/position-at.ts'
import { stateProjection } from '../src/recover.ts'
import { answer } from '../src/replay.ts'
import { openSnapshooter } from '../src/snapshot.ts'
import { numberedEvent, numberedEvents } from './journal-events.ts'
import { followed } from './view-database.ts'

const base = mkdtempSync(join(tmpdir(), 'radledger-epochs-'))
process.on('exit', () => rmSync(base, { recursive: true, force: true }))

test('the last event up to a time and the first from it, whatever the clock did', () => {
	const epoch = fc.array(fc.nat(20), { minLength: 1, maxLength: 6 })
	const journal = fc.array(fc.tuple(fc.nat(60), epoch), { maxLength: 6 })
	const property = fc.property(journal, fc.nat(90), (parts, ms) => {
		const at: number[] = []
		const epochs: number[] = []
		for (const [begin, differences] of parts) {
			if (at.length > 0) epochs.push(at.length + 1)
			let now = begin
			for (const difference of differences) {
				now += difference
				at.push(now)
			}
		}
		const times: Times = { last: at.length, at: position => at[position - 1]!, epochs }
		assert.is(lastUpTo(times, ms), at.findLastIndex(one => one <= ms) + 1)
		const first = at.findIndex(one => one >= ms)
		assert.is(firstFrom(times, ms), first === -1 ? at.length + 1 : first + 1)
	})
	fc.assert(property, { numRuns: 2000 })
})

const mac = '02-00-00-00-00-07'
const stream = subscriberStream('default', mac)
const minute = 60_000
const seen = { client: '192.0.2.1', mac, wap: '0A-00-00-00-00-01', user: 'u', server: '' }
const accepted = (at: number): NewEvent => ({
	...{ stream, type: 'AccessAccepted', v: 1, at: at * minute },
	data: { exchange: 1, roundTripUs: 1, ...seen },
})
const terminated = (at: number, since: number): NewEvent => ({
	...{ stream, type: 'SubscriberTerminated', v: 1, at: at * minute },
	data: { mac, wap: seen.wap, cause: 'operator', since: since * minute },
})
const stepped = (at: number, byMinutes: number): NewEvent => ({
	...{ stream: relayStream('default'), type: 'ClockStepped', v: 1, at: at * minute },
	data: { byMs: byMinutes * minute, reason: 'step' },
})
/** On the network from 10 to 30; then the clock goes back to 5, and at 20 he is there again. */
const story = [
	...[accepted(10), terminated(30, 10), stepped(5, -25)],
	...[accepted(20), terminated(40, 20)],
]

for (const views of [false, true]) {
	test(`a clock that was set back, ${views ? 'with' : 'without'} read models`, () => {
		const folder = join(base, `stepped-${views}`)
		const journal = openJournal({ folder })
		journal.append(story)
		journal.close()
		if (views) {
			const reader = openReader(folder)
			followed(reader, viewsFile(folder))
			reader.close()
		}
		const source = openFolderSource(folder)
		const stateAt = (at: number) => {
			const question = { kind: 'subscriber', value: mac, virtualRouter: undefined } as const
			const whole = { ...question, from: 0, to: 100 * minute }
			const settings = { question: whole, at: at * minute, wantsEvents: false, limit: 10 }
			const { states } = answer(source, { ...settings, json: false, data: folder }, () => {})
			return states[0]?.session === undefined ? 'away' : 'there'
		}
		// 7 and 15 were shown twice: the second time he was away, and had been there before.
		assert.equal([7, 15, 19].map(stateAt), ['away', 'away', 'away'])
		assert.equal([20, 25, 39, 40, 50].map(stateAt), ['there', 'there', 'there', 'away', 'away'])
		assert.equal(
			[4, 5, 19, 20, 30, 40].map(at => source.positionAt(at * minute)),
			[0, 3, 3, 4, 4, 5],
		)
		source.close()
	})
}

test('a commit of the read models while they are asked hides no step of the clock', () => {
	const folder = mkdtempSync(join(base, 'j'))
	const journal = openJournal({ folder })
	journal.append([accepted(10), stepped(5, -5), accepted(20), stepped(15, -5)])
	const epochs = [2, 4]
	let position = 2
	const commits = <A>(result: A): A => {
		position = 4
		return result
	}
	const views = {
		checkpoint: () => commits({ position, at: 0 }),
		query: (_sql: string, end?: unknown) =>
			commits(
				epochs.filter(id => id <= Math.min(position, Number(end ?? position))).map(id => ({ id })),
			),
	}
	assert.equal(clockEpochs(journal, views), epochs)
	journal.close()
})

test('the read models know the steps, and what they do not have yet is looked for', () => {
	const folder = join(base, 'known')
	const journal = openJournal({ folder })
	journal.append(story)
	followed(journal, viewsFile(folder))
	journal.append([...numberedEvents(0, 50), stepped(60, 2), numberedEvent(51)])
	const views = openViewReader(folder, viewSchema.version)!
	assert.equal(clockEpochs(journal, views), [3, 56])
	assert.equal(clockEpochs(journal, undefined), [3, 56])
	assert.is(positionAt(journal, views, 61 * minute), 57)
	views.close()
	journal.close()
})

test('a reader beside a relay shows only what is on disk', () => {
	const folder = join(base, 'durable')
	const journal = openJournal({ folder })
	journal.append(numberedEvents(0, 10))
	let durable = 7
	const reader = openReader(folder, () => durable)
	const of = subscriberStream('default', '02-00-00-00-00-01')
	const counts = () => [
		reader.last(),
		reader.read(1, 100).length,
		reader.readStored(5, 100).length,
		reader.readStream(of, 1, 100).length,
	]
	assert.equal(counts(), [7, 7, 3, 7])
	durable = 9
	assert.equal(counts(), [9, 9, 5, 9])
	reader.close()
	journal.close()
})

test('a snapshot beside a relay has nothing in it that is not on disk', async () => {
	const folder = join(base, 'snapshot')
	const journal = openJournal({ folder })
	journal.append(numberedEvents(0, 10))
	const snapshooter = openSnapshooter(folder, 0, newHorizon(6), assert.unreachable)
	await snapshooter.anew()
	await snapshooter.close()
	const { name, version } = stateProjection
	assert.is(journal.load(name, version)?.position, 6)
	journal.close()
})

test('another process syncs what it shows first, and shows nothing that comes later', () => {
	const folder = join(base, 'process')
	const journal = openJournal({ folder })
	journal.append(numberedEvents(0, 3))
	let synced = 0
	const reader = openDurably(folder, of => {
		assert.is(of, folder)
		synced++
		// Comes while the log is synced, so perhaps after it.
		journal.append(numberedEvents(3, 1))
	})
	assert.is(synced, 1)
	assert.equal([reader.last(), reader.read(1, 100).length], [3, 3])
	journal.append(numberedEvents(4, 5))
	assert.equal([reader.last(), reader.read(1, 100).length], [3, 3])
	reader.close()
	const broken = () =>
		openDurably(folder, () => {
			throw new Error('the disk is gone')
		})
	assert.throws(broken, /cannot be synced: the disk is gone/)
	const readOnly = openDurably(folder, () => {
		throw Object.assign(new Error('read-only file system'), { code: 'EROFS' })
	})
	assert.is(readOnly.last(), 9)
	readOnly.close()
	const real = openDurably(folder)
	assert.is(real.last(), 9)
	real.close()
	journal.close()
})

test.run()
