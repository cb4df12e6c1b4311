/**
 * `npm run demo`: the relay between simulated access points and a sample home server, over real
 * UDP on this machine.
 *
 *   npm run demo [-- [--seconds N] [--data DIR] [--eventstore URL]]
 */
import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { openReader, type Reader } from '../adapters/journal/reader.ts'
import { routerState } from '../domain/state.ts'
import { type AccessPoint, openAccessPoint, planAccessPoints } from './demo/access-points.ts'
import { type DhcpAgent, openDhcpAgent } from './demo/dhcp-agent.ts'
import {
	type Disconnector,
	type DisconnectPort,
	openDisconnector,
	openDisconnectPort,
} from './demo/disconnect.ts'
import { type EventStore, startEventStore } from './demo/event-store.ts'
import { startHomeServer } from './demo/home-server.ts'
import {
	catchUp,
	type JournalView,
	newJournalView,
	usedAgain,
	whoIsWhere,
} from './demo/journal-view.ts'
import { runCampus } from './demo/life.ts'
import {
	DemoError,
	dataFolder,
	type Relay,
	type RelayPlan,
	relayPorts,
	root,
	startRelay,
} from './demo/relay.ts'
import { intervalMs, openScreen, type Sight, summary } from './demo/screen.ts'
import { type SrcSystem, startSrcSystem } from './demo/src-system.ts'
import { subscribers } from './demo/subscribers.ts'
import { fail, missingOutcomes, newTraffic, type Traffic } from './demo/traffic.ts'

const help = `Runs the relay between simulated access points and a sample home server.

  --seconds N        end after N seconds (until Ctrl-C without it)
  --data DIR         the relay's data folder (data/demo); a further run continues its journal
  --eventstore URL   an EventStoreDB that gets all events, instead of a stand-in on this machine
`

const homeServerSecret = 'secret-of-the-home-server'

type Options = {
	readonly data: string
	readonly seconds: number | undefined
	readonly eventStore: string | undefined
}

/** What runs, and what has been seen of it. */
type Running = {
	readonly relay: Relay
	readonly points: readonly AccessPoint[]
	readonly agents: readonly DhcpAgent[]
	readonly disconnector: Disconnector
	readonly traffic: Traffic
	readonly reader: Reader
	readonly view: JournalView
	/** Position of the run's first event, which says that the relay has started. */
	readonly firstPosition: number
	readonly startedAt: number
}

function readOptions(): Options | 'help' {
	const { values } = parseArgs({
		options: {
			seconds: { type: 'string' },
			data: { type: 'string', default: join(root, 'data/demo') },
			eventstore: { type: 'string' },
			help: { type: 'boolean', default: false },
		},
	})
	if (values.help) return 'help'
	const seconds = values.seconds === undefined ? undefined : Number(values.seconds)
	if (seconds !== undefined && !(seconds >= 1 && seconds <= 86_400)) {
		throw new DemoError(`--seconds ${values.seconds}: must be a number from 1 to 86400.`)
	}
	return { data: values.data, seconds, eventStore: values.eventstore }
}

/** Resolves to the exit code: 0 when everything went as it was to go. */
async function demo(options: Options, ending: AbortController): Promise<number> {
	const data = dataFolder(options.data)
	const traffic = newTraffic()
	const plans = await planAccessPoints()
	const homeServer = await startHomeServer({
		address: '127.0.0.1',
		secret: homeServerSecret,
		subscribers,
	})
	const points: AccessPoint[] = []
	const agents: DhcpAgent[] = []
	const disconnectPorts: DisconnectPort[] = []
	let disconnector: Disconnector | undefined
	let src: SrcSystem | undefined
	let eventStore: EventStore | undefined
	let relay: Relay | undefined
	try {
		src = await startSrcSystem(data)
		eventStore = await startEventStore(options.eventStore)
		const ports = await relayPorts()
		for (const plan of plans) disconnectPorts.push(await openDisconnectPort(plan))
		const accessPoints = plans.map((plan, i) => ({
			...plan,
			disconnectPort: disconnectPorts[i]!.port,
		}))
		disconnector = await openDisconnector(ports.dynamic, homeServerSecret)
		// Read before it starts: what it records at once may be more than one event.
		const firstPosition = lastPosition(data) + 1
		relay = await startRelay({
			...{ data, ports, homeServer, homeServerSecret, accessPoints },
			...{ src: src.lines, flags: [...src.flags, ...eventStore.flags] },
		})
		for (const plan of plans) {
			points.push(await openAccessPoint(plan, ports, traffic))
			agents.push(await openDhcpAgent(plan, ports.dhcp, traffic))
		}
		const reader = openReader(resolve(root, data))
		try {
			const view = newJournalView()
			const startedAt = Date.now()
			const running = {
				relay,
				points,
				agents,
				disconnector,
				traffic,
				reader,
				view,
				firstPosition,
				startedAt,
			}
			for (const text of introduction(data, ports, [src.title, eventStore.title], running))
				console.log(text)
			return await run(running, options, ending)
		} finally {
			reader.close()
		}
	} finally {
		// Whatever went wrong: no process and no socket stays behind.
		for (const each of [...points, ...agents, ...disconnectPorts]) each.close()
		disconnector?.close()
		await relay?.stop()
		await src?.close()
		await eventStore?.close()
		homeServer.close()
	}
}

/** Of the journal that an earlier run has left. */
function lastPosition(data: string): number {
	const folder = resolve(root, data)
	if (!existsSync(join(folder, 'journal.db'))) return 0
	const reader = openReader(folder)
	try {
		return reader.last()
	} finally {
		reader.close()
	}
}

async function run(
	running: Running,
	{ seconds }: Options,
	ending: AbortController,
): Promise<number> {
	const { relay, points, agents, disconnector, traffic, startedAt } = running
	const timer = seconds === undefined ? undefined : setTimeout(() => ending.abort(), seconds * 1000)
	let stopping = false
	let endedEarly = false
	relay.ended.then(why => {
		if (stopping) return
		endedEarly = true
		fail(traffic, why ?? 'The relay has ended by itself.')
		ending.abort()
		// Nobody answers any more: waiting would be in vain.
		for (const each of [...points, ...agents, disconnector]) each.close()
	})
	const shown = showFigures(running, ending.signal).catch(error => {
		fail(traffic, (error as Error).message)
		ending.abort()
	})
	try {
		await runCampus(
			{ points, agents, disconnector, traffic, ending: ending.signal, startedAt },
			subscribers,
		)
	} finally {
		clearTimeout(timer)
		ending.abort()
		await shown
		if (!endedEarly) await srcHasHeard(running)
		stopping = true
	}
	const why = await relay.stop()
	if (why !== undefined && !endedEarly) fail(traffic, why)
	return conclude(running)
}

/** SRC is told of a session's end once that is on disk, a moment after the access point is answered. */
async function srcHasHeard({ reader, view, firstPosition }: Running): Promise<void> {
	for (let waits = 0; waits < 30; waits++) {
		catchUp(view, reader, firstPosition)
		if (routerState(view.state, 'default').src.debts.size === 0) return
		await sleep(100)
	}
}

async function showFigures(running: Running, ending: AbortSignal): Promise<void> {
	const screen = openScreen(process.stdout)
	for (;;) {
		await sleep(intervalMs(process.stdout), undefined, { signal: ending }).catch(() => {})
		if (ending.aborted) return
		screen.show(look(running))
	}
}

function look({ points, traffic, reader, view, firstPosition, startedAt }: Running): Sight {
	catchUp(view, reader, firstPosition)
	const names = whoIsWhere(view)
	return {
		elapsedMs: Date.now() - startedAt,
		traffic,
		position: view.state.position,
		events: view.events,
		addresses: { ...view, usedAgain: usedAgain(view) },
		places: points.map(({ name, mac }) => ({ name, subscribers: names.get(mac) ?? [] })),
	}
}

function conclude(running: Running): number {
	const { traffic, view, firstPosition } = running
	const sight = look(running)
	const missing = missingOutcomes(traffic.received, view.outcomes)
	console.log('')
	for (const text of summary(sight, firstPosition, missing)) console.log(text)
	if (traffic.forged > 0) fail(traffic, `${traffic.forged} answers were signed wrongly.`)
	if (traffic.failureCount > 0) {
		console.log(`${traffic.failureCount} things did not go as they were to go, among them:`)
		for (const sentence of traffic.failures) console.log(`  ${sentence}`)
	}
	return missing === 0 && traffic.failureCount === 0 ? 0 : 1
}

function introduction(
	data: string,
	ports: RelayPlan['ports'],
	titles: readonly string[],
	{ points, firstPosition }: Running,
): string[] {
	const folder = shellWord(data)
	const radledger = 'npm run -s radledger --'
	const past = firstPosition > 1 ? `continued from position ${firstPosition}` : 'new'
	return [
		`The relay listens on 127.0.0.1, UDP ports ${ports.authentication} and ${ports.accounting}, between ${points.length} access points`,
		`with ${subscribers.length} subscribers and a home server; addresses by DHCP, port ${ports.dhcp}.`,
		...titles.map(title => `${title}.`),
		`Its web page and HTTP API: http://127.0.0.1:${ports.http}/`,
		'',
		"Its shell, from another terminal in this checkout's folder:",
		`  ${radledger} shell --data ${folder}`,
		'or one command at a time:',
		`  ${radledger} exec --data ${folder} "show radius relay statistics"`,
		`  ${radledger} exec --data ${folder} "show radius relay accounting-domains"`,
		`  ${radledger} exec --data ${folder} "show ip dhcp-local binding"`,
		`Its journal is ${data}/journal.db (${past}; delete the folder to begin anew):`,
		`  sqlite3 -readonly ${folder}/journal.db "SELECT type, count(*) FROM event GROUP BY type"`,
		'',
	]
}

/** A word as a shell must be given it. */
function shellWord(text: string): string {
	return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`
}

async function main(): Promise<number> {
	const options = readOptions()
	if (options === 'help') {
		process.stdout.write(help)
		return 0
	}
	const ending = new AbortController()
	// npm passes a signal on that the terminal sent as well: further ones change nothing.
	for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
		process.on(signal, () => ending.abort())
	}
	process.stdout.on('error', () => ending.abort()) // its reader has gone (`| head`)
	return await demo(options, ending)
}

function isForUser(error: unknown): error is Error {
	if (!(error instanceof Error)) return false
	const { code } = error as NodeJS.ErrnoException
	return (
		['DemoError', 'JournalFailure'].includes(error.name) || code?.startsWith('ERR_PARSE') === true
	)
}

try {
	process.exitCode = await main()
} catch (error) {
	console.error(isForUser(error) ? error.message : error)
	process.exitCode = 1
}
