/**
 * How fast the event feed ships a journal to a real `nats-server` with JetStream, which keeps its
 * streams in files: the feed alone, with nothing else to do. Run by itself it prints JSON.
 *
 *   node infra/bench/feed.ts FOLDER [EVENTS]
 */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { openReader } from '../../adapters/journal/reader.ts'
import { openFeed } from '../../adapters/nats/feed.ts'
import { openFeedCheckpoint } from '../../adapters/nats/feed-checkpoint.ts'
import { writeSampleJournal } from './journal.ts'
import { startNatsServer } from './nats-server.ts'
import { openWorkplace } from './processes.ts'

export type FeedFigures = {
	readonly events: number
	/** Acknowledged by JetStream. */
	readonly eventsPerSecond: number
	/** Of the feed's process alone. */
	readonly cpuUsPerEvent: number
}

/** Measures in a new folder below `parent`, which it deletes again. Throws where the feed stops. */
export async function measureFeed(parent: string, events = 100_000): Promise<FeedFigures> {
	const workplace = openWorkplace(parent)
	try {
		const store = join(workplace.folder, 'jetstream')
		const port = await startNatsServer(workplace, ['-js', '-sd', store])
		const folder = join(workplace.folder, 'data')
		mkdirSync(folder)
		return await ship(folder, writeSampleJournal(folder, events), port)
	} finally {
		await workplace.close()
	}
}

async function ship(folder: string, events: number, port: number): Promise<FeedFigures> {
	const reader = openReader(folder)
	const cpu = process.cpuUsage()
	const begin = performance.now()
	const feed = openFeed({
		source: { journal: reader.id, durable: () => events, read: reader.readStored },
		servers: [`127.0.0.1:${port}`],
		security: {},
		checkpoint: openFeedCheckpoint(join(folder, 'feed.json')),
	})
	while (feed.state().position < events) {
		const { state, reason } = feed.state()
		if (state === 'stopped' || state === 'waiting') throw new Error(`The feed: ${reason}`)
		await sleep(10)
	}
	const seconds = (performance.now() - begin) / 1000
	const { user, system } = process.cpuUsage(cpu)
	await feed.close()
	reader.close()
	return {
		events,
		eventsPerSecond: Math.round(events / seconds),
		cpuUsPerEvent: Math.round((user + system) / events),
	}
}

if (import.meta.main) {
	const [parent = '.', events] = process.argv.slice(2)
	const figures = await measureFeed(parent, events === undefined ? undefined : Number(events))
	console.log(JSON.stringify(figures, undefined, '\t'))
}
