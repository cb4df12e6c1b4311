/**
 * What the read models can do on this machine: how fast they follow a journal, and how long the
 * history of a subscriber, a user and an address takes among all its events. Run by itself it prints
 * JSON; `npm run bench` calls it too.
 *
 *   node infra/bench/views.ts FOLDER [EVENTS]
 */
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
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

/** Measures in a new folder within `parent`, which it deletes again. */
export function measureViews(parent: string, events: number): ViewFigures {
	const folder = mkdtempSync(join(parent, 'radledger-views-'))
	try {
		writeJournal(folder, events)
		const follow = measureFollow(folder)
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

function writeJournal(folder: string, events: number): void {
	const journal = openJournal({ folder })
	const source = lives({ subscribers, live: 20_000, beginMs: Date.UTC(2027, 0, 5) })
	for (let count = 0; count < events; count += batchEvents) {
		const batch: NewEvent[] = []
		while (batch.length < Math.min(batchEvents, events - count))
			batch.push(source.next().value as NewEvent)
		journal.append(batch)
	}
	journal.close()
}

function measureFollow(folder: string): ViewFigures['follow'] {
	const reader = openReader(folder)
	const onWarning = (sentence: string) => process.stderr.write(`${sentence}\n`)
	const follower = openViewFollower({ reader, file: viewsFile(folder), onWarning })
	const cpu = process.threadCpuUsage()
	const begin = performance.now()
	while (follower.step() > 0);
	const seconds = (performance.now() - begin) / 1000
	const { user, system } = process.threadCpuUsage(cpu)
	const count = follower.position()
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

if (import.meta.main) {
	const [parent = '.', events] = process.argv.slice(2)
	const figures = measureViews(parent, Number(events ?? viewEvents))
	console.log(JSON.stringify(figures, null, '\t'))
}
