/**
 * What the read models can do on this machine: how fast they follow a journal, and how long the
 * history of a subscriber, a user and an address takes among all its events. Run by itself it prints
 * JSON; `npm run bench` calls it too.
 *
 *   node infra/bench/views.ts FOLDER [EVENTS]
 */
import { mkdtempSync, rmSync, statSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { isMainThread, Worker, workerData } from 'node:worker_threads'
import { openJournal } from '../../adapters/journal/journal.ts'
import { openReader } from '../../adapters/journal/reader.ts'
import { viewsFile } from '../../adapters/views/database.ts'
import type { NewEvent } from '../../domain/event.ts'
import type { QuestionKind } from '../../projections/history/question.ts'
import { readHistory } from '../../src/history.ts'
import { openFolderSource } from '../../src/history-source.ts'
import { openViewFollower } from '../../src/view-follower.ts'
import { lives } from './lives.ts'

export type ViewFigures = {
	readonly events: number
	readonly follow: { readonly eventsPerSecond: number; readonly cpuUsPerEvent: number }
	/** Octets of the read models for each octet of the journal. */
	readonly size: number
	readonly history: Readonly<Record<Exclude<QuestionKind, 'wap'>, Lookups>>
}

/** Milliseconds to find and read a history of so many events (a median). */
export type Lookups = {
	readonly events: number
	readonly p50: number
	readonly p99: number
}

export const viewEvents = 10_000_000
const subscribers = 200_000
const lookups = 300
const batchEvents = 1024
/** Of the events at the journal's end: followed with nothing beside, which is what is measured. */
const aloneShare = 0.2
const leastAlone = 100_000
const failed = -1

/** Measures in a new folder within `parent`, which it deletes again. */
export function measureViews(parent: string, events: number): ViewFigures {
	const folder = mkdtempSync(join(parent, 'radledger-views-'))
	try {
		const follow = measureFollow(folder, startWriter(folder, events), events)
		const size = statSync(viewsFile(folder)).size / statSync(join(folder, 'journal.db')).size
		const live = Math.min(subscribers, sessionsOf(events))
		const history = {
			subscriber: measureHistory(folder, 'subscriber', live),
			user: measureHistory(folder, 'user', live),
			address: measureHistory(folder, 'address', live),
		}
		return { events, follow, size: round(size), history }
	} finally {
		rmSync(folder, { recursive: true })
	}
}

/** A session leaves some thirty events. */
function sessionsOf(events: number): number {
	return Math.max(Math.floor(events / 40), 1)
}

type Writing = { readonly views: 'writer'; readonly folder: string; readonly events: number } & {
	/** How many events are written, or `failed`. */
	readonly written: Int32Array
}

/** Writes in a thread of its own, so that read models can follow meanwhile: with both a run takes half the time. */
function startWriter(folder: string, events: number): Int32Array {
	const written = new Int32Array(new SharedArrayBuffer(4))
	const data: Writing = { views: 'writer', folder, events, written }
	new Worker(new URL(import.meta.url), { workerData: data, execArgv: [] }).unref()
	return written
}

/** Throws where the writer failed. */
function untilWritten(written: Int32Array, events: number): void {
	for (let seen = Atomics.load(written, 0); seen < events; seen = Atomics.load(written, 0)) {
		if (seen === failed) throw new Error('The journal could not be written.')
		Atomics.wait(written, 0, seen, 1000)
	}
}

function writeJournal({ folder, events, written }: Writing): void {
	const journal = openJournal({ folder })
	const source = lives({ subscribers, live: 20_000, beginMs: Date.UTC(2027, 0, 5) })
	for (let count = 0; count < events; count += batchEvents) {
		const batch: NewEvent[] = []
		while (batch.length < Math.min(batchEvents, events - count))
			batch.push(source.next().value as NewEvent)
		journal.append(batch)
		// Told after the journal is closed: whoever hears of the last event may have the folder removed.
		if (count + batch.length === events) journal.close()
		Atomics.store(written, 0, count + batch.length)
		Atomics.notify(written, 0)
	}
}

/** The rate over the last of the events, when the read models are as large as they get. */
function measureFollow(folder: string, written: Int32Array, events: number): ViewFigures['follow'] {
	const before = Math.max(events - Math.max(events * aloneShare, leastAlone), 0)
	untilWritten(written, Math.min(events, batchEvents))

	const reader = openReader(folder)
	const onWarning = (sentence: string) => process.stderr.write(`${sentence}\n`)
	const follower = openViewFollower({ reader, file: viewsFile(folder), onWarning })
	while (follower.position() < before) {
		if (follower.step() === 0) untilWritten(written, Math.min(follower.position() + 1, events))
	}
	untilWritten(written, events)
	const first = follower.position()
	const cpu = process.threadCpuUsage()
	const begin = performance.now()
	while (follower.step() > 0);
	const seconds = (performance.now() - begin) / 1000
	const { user, system } = process.threadCpuUsage(cpu)
	const count = follower.position() - first
	follower.close()
	reader.close()
	return {
		eventsPerSecond: Math.round(count / seconds),
		cpuUsPerEvent: round((user + system) / count),
	}
}

/** The whole history of subscribers all over the journal. */
function measureHistory(folder: string, kind: keyof ViewFigures['history'], live: number): Lookups {
	const source = openFolderSource(folder)
	const times: number[] = []
	const counts: number[] = []
	for (let index = 0; index < lookups; index++) {
		const who = (index * 7919) % live
		const question = {
			kind,
			value: valueFor(kind, who),
			virtualRouter: undefined,
			from: Number.MIN_SAFE_INTEGER,
			to: Number.MAX_SAFE_INTEGER,
		}
		const begin = performance.now()
		const { events } = readHistory(source, question, 10_000, sentence => {
			throw new Error(sentence)
		})
		times.push(performance.now() - begin)
		counts.push(events.length)
	}
	source.close()
	const sorted = (numbers: number[]) => numbers.sort((a, b) => a - b)
	const at = (numbers: number[], part: number) =>
		sorted(numbers)[Math.floor((numbers.length - 1) * part)]!
	return { events: at(counts, 0.5), p50: round(at(times, 0.5)), p99: round(at(times, 0.99)) }
}

function valueFor(kind: keyof ViewFigures['history'], who: number): string {
	const octets = [who >>> 24, (who >>> 16) & 255, (who >>> 8) & 255, who & 255]
	switch (kind) {
		case 'subscriber':
			return `02-00-${octets.map(octet => octet.toString(16).toUpperCase().padStart(2, '0')).join('-')}`
		case 'user':
			return `user${who}@example.net`
		case 'address':
			return `10.${32 + (octets[1]! & 63)}.${octets[2]}.${octets[3]}`
		default:
			return kind satisfies never
	}
}

function round(value: number): number {
	return Math.round(value * 100) / 100
}

if (!isMainThread && workerData?.views === 'writer') {
	const { written } = workerData as Writing
	try {
		writeJournal(workerData as Writing)
	} catch (error) {
		// Not by the other thread, which waits.
		writeSync(2, `${error}\n`)
		Atomics.store(written, 0, failed)
		Atomics.notify(written, 0)
	}
} else if (import.meta.main) {
	const [parent = '.', events] = process.argv.slice(2)
	const figures = measureViews(parent, Number(events ?? viewEvents))
	console.log(JSON.stringify(figures, null, '\t'))
}
