/**
 * The demo's EventStoreDB: the one that the tests have on loopback, in a process of its own, as npm
 * installs none. It forgets what is old, and everything when the demo ends.
 */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { startEventStoreNode } from '../../test/eventstoredb/server.ts'
import { newStore } from '../../test/eventstoredb/store.ts'
import { DemoError, guard } from './relay.ts'

export type EventStore = {
	/** In words, for whoever looks on. */
	readonly title: string
	/** Further flags of the relay's `serve`. */
	readonly flags: readonly string[]
	close(): Promise<void>
}

const nodeArgument = 'demo-event-store'
/** Some tens of megabytes, however long the demo runs. */
const eventsKept = 20_000

/** `url`: of a real one that is to be used instead. */
export async function startEventStore(url: string | undefined): Promise<EventStore> {
	if (url !== undefined) {
		const title = 'EventStoreDB, which gets all events: the one that you have named'
		return { title, flags: ['--eventstore', url], close: async () => {} }
	}
	// A process group of its own: Ctrl-C must not end it before the relay.
	const child = fork(import.meta.filename, [nodeArgument], { execArgv: [], detached: true })
	const dismiss = guard(child)
	child.once('exit', dismiss)
	const close = async () => {
		if (child.exitCode !== null || child.signalCode !== null) return
		const exit = once(child, 'exit')
		child.kill('SIGTERM')
		await exit
	}
	const failed = once(child, 'exit').then(([code]) => {
		throw new DemoError(`The stand-in for EventStoreDB ended with ${code} before it was ready.`)
	})
	failed.catch(() => {})
	const [port] = await Promise.race([once(child, 'message'), failed])
	return {
		title: `A stand-in for EventStoreDB at 127.0.0.1:${port} gets all events, too (--eventstore URL names a real one)`,
		flags: ['--eventstore', `esdb://127.0.0.1:${port}?tls=false`],
		close,
	}
}

if (process.argv[2] === nodeArgument) {
	const node = await startEventStoreNode({ store: newStore(eventsKept) })
	process.send?.(node.port)
	process.on('disconnect', () => process.exit(0))
}
