/**
 * How fast the EventStoreDB mirror ships a journal to the loopback node, which runs in a process of
 * its own: events of 20,000 subscribers in turn, so that nearly each is an append of its own, the
 * first 40,000 of them to streams that are new. Run by itself it prints JSON.
 *
 *   node infra/bench/eventstore.ts FOLDER [EVENTS]
 */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openMirror } from '../../adapters/eventstoredb/mirror.ts'
import { openTarget } from '../../adapters/eventstoredb/target.ts'
import { openReader } from '../../adapters/journal/reader.ts'
import { startEventStoreNode } from '../../test/eventstoredb/server.ts'
import { writeSampleJournal } from './journal.ts'

export type EventStoreFigures = {
	readonly events: number
	readonly eventsPerSecond: number
	/** Of the mirror's process alone. */
	readonly cpuUsPerEvent: number
}

const nodeArgument = 'eventstore-node'
const deadlineMs = 30_000

/** Measures in a new folder within `parent`, which it deletes again. */
export async function measureEventStore(
	parent: string = tmpdir(),
	events = 50_000,
): Promise<EventStoreFigures> {
	const folder = mkdtempSync(join(parent, 'radledger-bench-'))
	const node = fork(import.meta.filename, [nodeArgument], { execArgv: [] })
	try {
		const [port] = await once(node, 'message')
		const recorded = writeSampleJournal(folder, events)
		return await ship(folder, `esdb://127.0.0.1:${port}?tls=false`, recorded)
	} finally {
		await ended(node)
		rmSync(folder, { recursive: true })
	}
}

async function ship(folder: string, url: string, events: number): Promise<EventStoreFigures> {
	const reader = openReader(folder)
	const target = openTarget(url, deadlineMs)
	const begin = performance.now()
	const cpu = process.cpuUsage()
	const source = { journal: reader.id, durable: () => events, read: reader.readStored }
	const mirror = openMirror({ source, target, run: 'bench' })
	while (mirror.state().position < events) {
		const { state, reason } = mirror.state()
		if (state === 'stopped' || state === 'waiting') throw new Error(`The mirror: ${reason}`)
		await new Promise(resolve => setTimeout(resolve, 10))
	}
	const seconds = (performance.now() - begin) / 1000
	const { user, system } = process.cpuUsage(cpu)
	await mirror.close()
	await target.reset()
	reader.close()
	return {
		events,
		eventsPerSecond: Math.round(events / seconds),
		cpuUsPerEvent: Math.round((user + system) / events),
	}
}

async function ended(node: ChildProcess): Promise<void> {
	const exit = once(node, 'exit')
	node.kill()
	await exit
}

if (process.argv[2] === nodeArgument) {
	const node = await startEventStoreNode()
	process.send?.(node.port)
	// Without its parent nobody needs it.
	process.on('disconnect', () => process.exit(0))
} else if (import.meta.main) {
	const [parent, events] = process.argv.slice(2)
	const figures = await measureEventStore(parent, events === undefined ? undefined : Number(events))
	console.log(JSON.stringify(figures, undefined, '\t'))
	process.exit(0)
}
