/**
 * What the journal can do on this machine: appends in batches, appends at a steady pace, replay and
 * look-up of a stream. Run by itself it prints JSON; `npm run bench` calls it too.
 */
import {
	closeSync,
	fdatasyncSync,
	fsyncSync,
	mkdtempSync,
	openSync,
	rmSync,
	writeSync,
} from 'node:fs'
import { join } from 'node:path'
import { openJournal, type SqliteJournal } from '../../adapters/journal/journal.ts'
import { openReader } from '../../adapters/journal/reader.ts'
import { type NewEvent, subscriberStream } from '../../domain/event.ts'

export type JournalFigures = {
	/** Batches of 64 as fast as they go, everything durable. */
	readonly appends: {
		readonly eventsPerSecond: number
		/** The thread that appends; and the whole process, with checkpoints and index. */
		readonly cpuUsPerEvent: number
		readonly processCpuUsPerEvent: number
	}
	/** Batches of 10 at a steady pace: how long an append takes. */
	readonly latency: Milliseconds & { readonly appendsPerSecond: number }
	/** Writing 8 KiB in place and fdatasync, at the same pace: what the disk takes by itself. */
	readonly disk: Milliseconds
	readonly replay: { readonly eventsPerSecond: number; readonly cpuUsPerEvent: number }
	/** Reading all events of a stream, in milliseconds. */
	readonly stream: { readonly events: number; readonly p50: number; readonly max: number }
	readonly eventBytes: number
}

export type Milliseconds = {
	readonly p50: number
	readonly p99: number
	readonly p999: number
	readonly max: number
}

export type JournalLoad = {
	readonly events: number
	readonly paceSeconds: number
	readonly pacePerSecond: number
}

/** Measures in a new folder within `parent` (on the disk that matters), which it deletes again. */
export function measureJournal(
	parent: string,
	load: JournalLoad = { events: 500_000, paceSeconds: 3, pacePerSecond: 2_000 },
): JournalFigures {
	const folder = mkdtempSync(join(parent, 'radledger-bench-'))
	try {
		const journal = openJournal({ folder })
		try {
			const appends = measureAppends(journal, load.events)
			const latency = measureLatency(journal, load)
			const disk = measureDisk(folder, load)
			const stream = measureStream(journal)
			return { appends, latency, disk, stream, ...measureReplay(folder) }
		} finally {
			journal.close()
		}
	} finally {
		rmSync(folder, { recursive: true })
	}
}

/** Writes so many of `sampleEvents` (rounded up to a batch) and returns the position of the last. */
export function writeSampleJournal(folder: string, events: number): number {
	const journal = openJournal({ folder })
	try {
		for (let from = 0; from < events; from += 256) journal.append(sampleEvents(from, 256))
		return journal.last()
	} finally {
		journal.close()
	}
}

/** Pairs of request and answer of 20,000 subscribers, some 250 bytes each. */
export function sampleEvents(from: number, count: number): NewEvent[] {
	return Array.from({ length: count }, (_, index) => sampleEvent(from + index))
}

const subscribers = 20_000

function sampleEvent(number: number): NewEvent {
	const subscriber = (number >>> 1) % subscribers
	const digits = subscriber.toString(16).padStart(4, '0').toUpperCase()
	const mac = `02-00-00-00-${digits.slice(0, 2)}-${digits.slice(2)}`
	const envelope = {
		stream: subscriberStream('default', mac),
		v: 1,
		at: 1_700_000_000_000 + number,
	}
	const client = '127.0.0.1'
	const server = '127.0.0.1:1812'
	if (number % 2 === 0) {
		const wap = '02-11-22-33-44-55'
		const user = `user${subscriber}@example.net`
		const data = { client, mac, wap, ssid: 'campus', user, nasAddress: '10.1.2.3', server }
		return { ...envelope, type: 'AccessRequested', data }
	}
	const data = { exchange: number, client, server, roundTripUs: 800 + (number % 500) }
	return { ...envelope, type: 'AccessChallenged', data: { ...data, tries: [[server, 1]] } }
}

export function measureAppends(journal: SqliteJournal, events: number): JournalFigures['appends'] {
	const batches = Array.from({ length: 500 }, (_, index) => sampleEvents(index * 64, 64))
	const rounds = Math.ceil(events / 64)
	const begin = startMeasuring()
	for (let round = 0; round < rounds; round++) journal.append(batches[round % batches.length]!)
	const { seconds, threadUs, processUs } = begin()
	const count = rounds * 64
	return {
		eventsPerSecond: Math.round(count / seconds),
		cpuUsPerEvent: round(threadUs / count),
		processCpuUsPerEvent: round(processUs / count),
	}
}

export function measureLatency(journal: SqliteJournal, load: Pace): JournalFigures['latency'] {
	const batches = Array.from({ length: 500 }, (_, index) => sampleEvents(index * 10, 10))
	const begin = performance.now()
	const times = timesAtPace(load, index => journal.append(batches[index % batches.length]!))
	const seconds = (performance.now() - begin) / 1000
	return { appendsPerSecond: Math.round(times.length / seconds), ...quantiles(times) }
}

type Pace = Pick<JournalLoad, 'paceSeconds' | 'pacePerSecond'>

/** Measured for at most a second, beside the latency, because other users of a disk slow both. */
export function measureDisk(folder: string, load: Pace): Milliseconds {
	const block = Buffer.alloc(8192)
	const blocks = 512
	const descriptor = openSync(join(folder, 'disk'), 'w')
	try {
		writeSync(descriptor, Buffer.alloc(blocks * block.length))
		fsyncSync(descriptor)
		const paceSeconds = Math.min(load.paceSeconds, 1)
		const times = timesAtPace({ ...load, paceSeconds }, index => {
			writeSync(descriptor, block, 0, block.length, (index % blocks) * block.length)
			fdatasyncSync(descriptor)
		})
		return quantiles(times)
	} finally {
		closeSync(descriptor)
	}
}

function timesAtPace({ paceSeconds, pacePerSecond }: Pace, work: (index: number) => void) {
	const times = new Float64Array(Math.ceil(paceSeconds * pacePerSecond))
	const alarm = new Int32Array(new SharedArrayBuffer(4))
	const begin = performance.now()
	for (let index = 0; index < times.length; index++) {
		const early = begin + (index * 1000) / pacePerSecond - performance.now()
		if (early > 0) Atomics.wait(alarm, 0, 0, early)
		const start = performance.now()
		work(index)
		times[index] = performance.now() - start
	}
	return times
}

function quantiles(times: Float64Array): Milliseconds {
	times.sort()
	const quantile = (part: number) => round(times[Math.floor((times.length - 1) * part)]!)
	return { p50: quantile(0.5), p99: quantile(0.99), p999: quantile(0.999), max: quantile(1) }
}

export function measureReplay(folder: string): Pick<JournalFigures, 'replay' | 'eventBytes'> {
	const reader = openReader(folder)
	const sample = sampleEvents(0, 1000)
	const eventBytes = Math.round(JSON.stringify(sample).length / sample.length)
	const begin = startMeasuring()
	let count = 0
	for (;;) {
		const events = reader.read(count + 1, 4096)
		if (events.length === 0) break
		count += events.length
	}
	const { seconds, threadUs } = begin()
	reader.close()
	return {
		replay: {
			eventsPerSecond: Math.round(count / seconds),
			cpuUsPerEvent: round(threadUs / count),
		},
		eventBytes,
	}
}

export function measureStream(journal: SqliteJournal): JournalFigures['stream'] {
	let events = 0
	const times = Array.from({ length: 21 }, (_, index) => {
		const { stream } = sampleEvent(2 * index * 17)
		const start = performance.now()
		events = journal.readStream(stream, 1, 10_000).length
		return performance.now() - start
	}).sort((a, b) => a - b)
	return { events, p50: round(times[10]!), max: round(times[20]!) }
}

function startMeasuring() {
	const start = performance.now()
	const thread = process.threadCpuUsage()
	const whole = process.cpuUsage()
	return () => {
		const threadUsed = process.threadCpuUsage(thread)
		const wholeUsed = process.cpuUsage(whole)
		return {
			seconds: (performance.now() - start) / 1000,
			threadUs: threadUsed.user + threadUsed.system,
			processUs: wholeUsed.user + wholeUsed.system,
		}
	}
}

function round(value: number): number {
	return Math.round(value * 100) / 100
}

if (import.meta.main)
	console.log(JSON.stringify(measureJournal(process.argv[2] ?? '.'), null, '\t'))
