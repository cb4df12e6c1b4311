/** `radledger serve`: the relay. The only place where its parts are put together. */
import { randomFillSync } from 'node:crypto'
import { lookup } from 'node:dns/promises'
import { readFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { setFlagsFromString } from 'node:v8'
import { openDhcpSystem } from '../adapters/dhcp/system.ts'
import { openJournal } from '../adapters/journal/journal.ts'
import { openSealer } from '../adapters/journal/sealer.ts'
import { openTransport } from '../adapters/radius/open-transport.ts'
import { serveShell } from '../adapters/shell/server.ts'
import { formatIpv4, parseIpv4 } from '../domain/address.ts'
import { type Configuration, services } from '../domain/configuration.ts'
import { type NewEvent, relayStream } from '../domain/event.ts'
import { hostnameLines, virtualRouterLines } from '../domain/junose/configuration-text.ts'
import {
	builtInDictionary,
	type Dictionary,
	extendDictionary,
	hiddenAttributes,
} from '../domain/radius/dictionary.ts'
import { parseDictionary } from '../domain/radius/dictionary-file.ts'
import { dhcpStatistics } from '../projections/dhcp-statistics.ts'
import { dynamicRequestStatistics } from '../projections/dynamic-request-statistics.ts'
import { erasures } from '../projections/erasures.ts'
import { catchUpTogether, follow, tellTogether } from '../projections/follow.ts'
import { pools } from '../projections/pools.ts'
import { srcStatistics } from '../projections/src-statistics.ts'
import { relayStatistics } from '../projections/statistics.ts'
import { upstreamStatistics } from '../projections/upstream-statistics.ts'
import { timed } from './commit-times.ts'
import { loadConfiguration, saveConfiguration, whyExposed } from './configuration-file.ts'
import { recordDurably } from './engine/commit.ts'
import { configure, resolveUpstreams } from './engine/configure.ts'
import { createEngine } from './engine/create-engine.ts'
import type { Engine, EngineLog } from './engine/engine.ts'
import { presentTime } from './engine/record.ts'
import { closeSrc } from './engine/src-bridge.ts'
import { stopEngine } from './engine/stop.ts'
import { tickMs } from './engine/timers.ts'
import { turn } from './engine/turn.ts'
import { type Eraser, openEraser } from './eraser.ts'
import { completeErasures } from './erasing.ts'
import { type Horizon, moveHorizon, newHorizon } from './horizon.ts'
import { type Http, openHttp } from './http.ts'
import { openLog } from './log.ts'
import type { MirrorThread } from './mirror-thread.ts'
import { type Operated, openOperator } from './operate.ts'
import { followState, saveState } from './recover.ts'
import { liveRelay, type StatusSettings } from './relay-status.ts'
import { release } from './release.ts'
import { type ServeSettings, UsageError } from './settings.ts'
import { openSnapshooter } from './snapshot.ts'
import { srcOpener } from './src-client.ts'
import { openViewReading, openViews } from './views.ts'

/** How often names of upstream servers are looked up anew, and projections are saved. */
const resolveMs = 60_000
const saveMs = 60_000
/** How often the sealer hears how far the journal is: in bursts it would keep packets waiting. */
const sealMs = 100
/** How often `retention` is looked after: days end at midnight (UTC). */
const retainMs = 3_600_000

/**
 * Young garbage is collected by the thread that made it: V8's helpers, of which there are more than
 * small machines have processors, cost a DHCP exchange a third of its CPU, and kept packets waiting
 * for whichever of them got no processor.
 */
setFlagsFromString('--no-parallel-scavenge')

/** Runs the relay until it is told to stop; resolves to the process's exit code. */
export async function serve(settings: ServeSettings): Promise<number> {
	const log = openLog(settings.logLevel)
	const loaded = loadConfiguration(settings.config)
	if ('refused' in loaded) throw new UsageError(loaded.refused)
	const exposed = whyExposed(settings.config, loaded.configuration)
	if (exposed !== undefined) log.warn('configuration-file', { file: settings.config }, exposed)
	const hidden = hiddenAttributes(loadDictionaries(settings.dictionaries))
	const mirroring = await loadMirroring(settings)
	const onWarning = (sentence: string) => log.warn('data-folder', {}, sentence)

	const journal = openJournal({ folder: settings.data, onWarning })
	const startedAt = Date.now()
	for (const plan of await completeErasures(journal, Date.now)) {
		log.info('erased', { name: plan.name }, 'An erasure that was interrupted is complete.')
	}
	const recovering = followState(journal, journal, onWarning)
	const views = [
		follow({ reader: journal, snapshots: journal, projection: relayStatistics, onWarning }),
		follow({ reader: journal, snapshots: journal, projection: upstreamStatistics, onWarning }),
		follow({ reader: journal, snapshots: journal, projection: pools, onWarning }),
		follow({ reader: journal, snapshots: journal, projection: dhcpStatistics, onWarning }),
		follow({
			reader: journal,
			snapshots: journal,
			projection: dynamicRequestStatistics,
			onWarning,
		}),
		follow({ reader: journal, snapshots: journal, projection: srcStatistics, onWarning }),
		follow({ reader: journal, snapshots: journal, projection: erasures, onWarning }),
	] as const
	catchUpTogether(journal, [recovering, ...views])
	const tellViews = tellTogether(views)
	const state = recovering.state()

	const { transport, reason } = await openTransport(
		settings.transport === 'auto' ? {} : { force: settings.transport },
	)
	// Without the FFI the DHCP server is refused with the reason as soon as it is configured.
	const dhcp = transport.kind === 'linux' ? await openDhcpSystem() : undefined
	const ended = Promise.withResolvers<number>()
	const timing = timed(journal, () => performance.now())
	const horizon = newHorizon(journal.last())
	let mirror: MirrorThread | undefined
	const engine = createEngine(
		{
			transport,
			journal: { ...journal, append: timing.append },
			clock: { wall: Date.now, monotonic: () => performance.now() },
			entropy: { fill: randomFillSync, random: Math.random },
			log,
			resolve: resolveName,
			committed(first, events) {
				moveHorizon(horizon, first + events.length - 1)
				tellViews(first, events)
			},
			failed(error) {
				const sentence = `${error.message} Nothing is answered any more.`
				log.fatal('journal-failed', { folder: settings.data }, sentence)
				ended.resolve(1)
			},
			watchdogSeconds: settings.watchdogSeconds,
			hidden,
			...(dhcp === undefined ? {} : { dhcp }),
			dhcpPort: settings.dhcpPort,
			openSrc: srcOpener(settings.config, settings.natsSecurity, log),
			soon: setImmediate,
		},
		state,
		{ hostname: loaded.configuration.hostname, virtualRouters: [] },
	)
	const refused = await configure(engine, loaded.configuration)
	if (refused !== undefined) {
		await closeSrc(engine)
		transport.close()
		journal.close()
		throw new UsageError(`${settings.config}: ${refused}`)
	}
	const feed = await startFeed(settings, horizon, log)
	mirror = mirroring?.openEventStoreMirror({
		url: settings.eventStore!,
		folder: settings.data,
		horizon,
		log,
		intruder(sentence) {
			log.fatal('second-relay', { folder: settings.data }, `The relay stops. ${sentence}`)
			const over = () => ended.resolve(1)
			stopEngine(engine, 'another relay has its virtual router').then(over, over)
		},
	})
	await recordDurably(engine, started(loaded.configuration, presentTime(engine)))

	const snapshooter = openSnapshooter(settings.data, journal.last(), horizon, onWarning)
	const eraser = openEraser({ engine, journal, snapshooter: () => snapshooter })
	const viewReading = settings.views ? openViewReading(settings.data) : undefined
	const operated: Operated = {
		engine,
		configurationFile: settings.config,
		folder: settings.data,
		save: configuration => saveConfiguration(settings.config, configuration),
		relayStatistics: views[0],
		upstreamStatistics: views[1],
		pools: views[2],
		dhcpStatistics: views[3],
		dynamicRequestStatistics: views[4],
		srcStatistics: views[5],
		erasures: views[6],
		mirrors: () => [mirror, feed].flatMap(each => (each === undefined ? [] : [each.state()])),
		viewReader: viewReading?.reader,
		horizon,
		eraser,
		startedAt,
	}
	const operator = openOperator(operated)
	const shell = await serveShell(settings.data, operator, {
		onError: error => log.warn('shell', { error: String(error) }, 'A shell session failed.'),
	})
	const http = await startHttp(settings, horizon, log, {
		operated,
		operator,
		commitTimes: timing.times,
	}).catch(async error => {
		await stopEngine(engine, 'the HTTP server cannot listen')
		await closeSrc(engine)
		await Promise.all([shell.close(), mirror?.close(), feed?.close()])
		viewReading?.close()
		transport.close()
		journal.close()
		throw error
	})
	const sealer = settings.seal
		? openSealer({ folder: settings.data, keyFile: settings.sealKey, onWarning })
		: undefined
	const readModels = settings.views ? openViews(settings.data, horizon, onWarning) : undefined
	const timers = [
		setInterval(() => sealer?.at(journal.last()), sealMs),
		setInterval(() => void retain(eraser, log), retainMs),
		setInterval(() => void resolveUpstreams(engine), resolveMs),
		setInterval(() => {
			for (const view of views) view.save()
			snapshooter.at(journal.last())
		}, saveMs),
	]
	let stopping = false
	const stop = (signal: string) => {
		if (stopping) return
		stopping = true
		log.info('stopping', { signal }, `The relay stops: ${signal}.`)
		stopEngine(engine, signal).then(
			() => ended.resolve(0),
			// The journal failed meanwhile: that was told, and is the exit code.
			() => ended.resolve(1),
		)
	}
	process.once('SIGINT', stop).once('SIGTERM', stop)
	transport.run(ready => turn(engine, ready), tickMs)
	const served = http === undefined ? {} : { http: `${settings.http!.listening.host}:${http.port}` }
	const ready = { ...readiness(engine, settings, reason), ...served }
	log.info('ready', ready, 'The relay is ready.')

	const code = await ended.promise
	for (const timer of timers) clearInterval(timer)
	transport.stop()
	await closeSrc(engine)
	await shell.close()
	await http?.close()
	viewReading?.close()
	await snapshooter.close()
	await sealer?.close(journal.last())
	await mirror?.close()
	await feed?.close()
	await readModels?.close()
	if (code === 0) {
		for (const view of views) view.save()
		// Everything in it is on disk: the engine has stopped with its last commit.
		saveState(journal, state)
	}
	transport.close()
	engine.dhcp.watch?.close()
	dhcp?.close()
	journal.close()
	return code
}

/** The HTTP server, where one is wanted; it reads what the journal has on disk. */
async function startHttp(
	{ http, data }: ServeSettings,
	horizon: Horizon,
	log: EngineLog,
	status: StatusSettings,
): Promise<Http | undefined> {
	if (http === undefined) return undefined
	return openHttp({
		folder: data,
		release,
		...http,
		horizon,
		live: liveRelay(status),
		onTrouble: error => log.warn('http', { error }, 'The HTTP server has trouble.'),
	})
}

/** The client package is loaded by those who use it. */
async function startFeed(
	{ feed, data }: ServeSettings,
	horizon: Horizon,
	log: EngineLog,
): Promise<MirrorThread | undefined> {
	if (feed === undefined) return undefined
	const { openEventFeed } = await import('./event-feed.ts')
	return openEventFeed({ nats: feed, folder: data, horizon, log })
}

/** The client package is loaded by those who use it; a wrong address is refused before anything runs. */
async function loadMirroring({ eventStore }: ServeSettings) {
	if (eventStore === undefined) return undefined
	const mirroring = await import('./eventstore-mirror.ts')
	mirroring.checkAddress(eventStore)
	return mirroring
}

async function retain(eraser: Eraser, log: EngineLog): Promise<void> {
	try {
		const { events } = await eraser.retain()
		if (events > 0) log.info('retention', { events }, 'Personal data were taken out of old events.')
	} catch (error) {
		// An engine that has stopped has said why; anything else is tried again in an hour.
		log.warn('retention', { error: String(error) }, 'Old events could not be looked through.')
	}
}

function started(configuration: Configuration, at: number): NewEvent[] {
	return configuration.virtualRouters.map(({ name }) => {
		// What belongs to no virtual router stands before the one that is always there.
		const head = name === 'default' ? hostnameLines(configuration) : []
		const lines = [...head, ...virtualRouterLines(configuration, name, 'hidden')]
		const data = { release, configuration: lines }
		return { stream: relayStream(name), type: 'RelayStarted', v: 1, at, data }
	})
}

function readiness(engine: Engine, settings: ServeSettings, reason: string) {
	const listening = [...engine.routers.values()].flatMap(router =>
		services.flatMap(service => {
			const listener = router.listeners[service]
			if (listener === undefined) return []
			const { listenAddress, udpPort } = listener.settings
			return [`${router.name} ${service} ${listenAddress}:${udpPort}`]
		}),
	)
	for (const port of engine.dynamic.listeners.keys()) {
		listening.push(`dynamic-request 0.0.0.0:${port}`)
	}
	if (engine.dhcp.listener !== undefined) {
		const { address, port } = engine.dhcp.listener.socket
		const kind = engine.dhcp.services.size > 0 ? 'dhcp-local' : 'dhcp-external'
		listening.push(`${kind} ${formatIpv4(address)}:${port}`)
	}
	const { config, data } = settings
	return { release, config, data, position: engine.state.position, listening, transport: reason }
}

async function resolveName(name: string): Promise<readonly number[]> {
	const found = await lookup(name, { family: 4, all: true })
	return found.map(({ address }) => parseIpv4(address)!)
}

function loadDictionaries(files: readonly string[]): Dictionary {
	let dictionary = builtInDictionary
	for (const file of files) {
		const read = (name: string, from: string) => readDictionary(resolve(dirname(from), name))
		const text = readDictionary(file)
		if (text === undefined) {
			throw new UsageError(`The dictionary ${file} cannot be read: name a file that is there.`)
		}
		const parsed = parseDictionary(text, read, dictionary)
		if ('errors' in parsed) throw new UsageError(parsed.errors.join('\n'))
		dictionary = extendDictionary(dictionary, parsed.additions)
	}
	return dictionary
}

function readDictionary(file: string): { file: string; text: string } | undefined {
	try {
		return { file, text: readFileSync(file, 'utf8') }
	} catch {
		return undefined
	}
}
