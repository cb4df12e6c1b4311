/** What an operator asks of the running relay, carried out: the shell's commands end here. */
import { arch, platform } from 'node:os'
import type { ViewReader } from '../adapters/views/reader.ts'
import { formatIpv4, parseIpv4 } from '../domain/address.ts'
import type { Configuration, VirtualRouter } from '../domain/configuration.ts'
import { decide } from '../domain/decide.ts'
import { type NewEvent, relayStream, subscriberStream } from '../domain/event.ts'
import type {
	BaselineScope,
	Change,
	DhcpServerKind,
	Operator,
	Show,
} from '../domain/junose/operator.ts'
import { upstreamServersTable } from '../domain/junose/tables.ts'
import { isTaken, type Lease, leaseAt, shadowPool, takenAddresses } from '../domain/lease-state.ts'
import { type MirrorState, mirrorsText } from '../domain/mirror.ts'
import { srcSource } from '../domain/sae/source.ts'
import { routerState } from '../domain/state.ts'
import type { DhcpStatistics } from '../projections/dhcp-statistics.ts'
import { bindingsText, poolsText } from '../projections/dhcp-text.ts'
import type { DynamicRequestStatistics } from '../projections/dynamic-request-statistics.ts'
import type { Erasures } from '../projections/erasures.ts'
import { retentionText } from '../projections/erasures-text.ts'
import type { Following } from '../projections/follow.ts'
import { leasesOf, leasesOfMac } from '../projections/leases.ts'
import type { Pools } from '../projections/pools.ts'
import { subscribersText, subscriberText } from '../projections/sessions-text.ts'
import type { SrcRecord } from '../projections/src-statistics.ts'
import { type SrcQuery, srcInfoText, srcStatisticsText } from '../projections/src-text.ts'
import type { RelayStatistics } from '../projections/statistics.ts'
import type { UpstreamStatistics } from '../projections/upstream-statistics.ts'
import { showAccountingDomains } from './accounting-domains.ts'
import { recordDurably } from './engine/commit.ts'
import { configure } from './engine/configure.ts'
import type { Engine } from './engine/engine.ts'
import { presentTime } from './engine/record.ts'
import type { Eraser } from './eraser.ts'
import { retentionLines } from './erasing.ts'
import type { Horizon } from './horizon.ts'
import { integrityLines } from './integrity.ts'
import { poolSizesIn } from './pool-sizes.ts'
import { release } from './release.ts'
import { type ShowAt, showAt } from './show-at.ts'
import { statisticsLines, statisticsNow } from './shown-statistics.ts'
import { newRulesFault } from './src-client.ts'

export type Operated = {
	readonly engine: Engine
	readonly configurationFile: string
	/** The data folder, where the past is looked up; a simulation has none. */
	readonly folder?: string
	/** Puts the configuration into that file, whole or not at all; throws the file system's error. */
	readonly save: (configuration: Configuration) => void
	readonly relayStatistics: Following<RelayStatistics>
	readonly upstreamStatistics: Following<UpstreamStatistics>
	readonly pools: Following<Pools>
	readonly dhcpStatistics: Following<DhcpStatistics>
	readonly dynamicRequestStatistics: Following<DynamicRequestStatistics>
	readonly srcStatistics: Following<SrcRecord>
	readonly erasures: Following<Erasures>
	/** Copies of the history outside this machine. */
	readonly mirrors: () => readonly MirrorState[]
	/**
	 * The read models, behind the journal by what their thread has not folded yet; undefined where
	 * none are kept.
	 */
	readonly viewReader: (() => ViewReader | undefined) | undefined
	/** How far the journal in the folder is on disk. */
	readonly horizon?: Horizon
	/** Who erases in the folder; a simulated relay has nobody. */
	readonly eraser?: Eraser
	/** Wall-clock milliseconds. */
	readonly startedAt: number
}

export function openOperator(operated: Operated): Operator {
	// One change after the other: each is in force, saved and recorded before the next begins.
	let changes: Promise<unknown> = Promise.resolve()
	return {
		configuration: () => operated.engine.configuration,
		configure(next, change) {
			const done = changes.then(() => orSentence(changeConfiguration(operated, next, change)))
			changes = done.catch(() => undefined)
			return done
		},
		hasInterface(name) {
			const interfaces = operated.engine.parts.dhcp?.interfaces()
			return interfaces?.some(each => each.name === name) ?? true
		},
		baseline: (virtualRouter, scope) => orSentence(setBaseline(operated, virtualRouter, scope)),
		clearBindings: (virtualRouter, server, address) =>
			orSentence(clearBindings(operated, virtualRouter, server, address)),
		eraseSubscriber: async (mac, reason) =>
			(await operated.eraser?.erase(mac, reason)) ?? { refused: noFolder },
		applyRetention: () => applyRetention(operated),
		clearSubscriber: (virtualRouter, mac) =>
			orSentence(clearSubscriber(operated, virtualRouter, mac)),
		async restartSrc(virtualRouter) {
			const bridge = operated.engine.src.get(virtualRouter)
			if (bridge === undefined) return 'SRC is not on; "sscc enable" turns it on.'
			bridge.client.restart()
			return undefined
		},
		async show(virtualRouter, what) {
			if ('at' in what && what.at !== undefined) {
				return showPast(operated, virtualRouter, { ...what, at: what.at })
			}
			if (isOfState(what)) {
				// The live state is ahead of the disk by the batch that waits to be written: what is shown
				// is on disk once that is.
				const failed = await orSentence(recordDurably(operated.engine, []).then(() => undefined))
				if (failed !== undefined) return [`% ${failed}`]
			}
			if (what.kind === 'accounting-domains') {
				const { journal, clock } = operated.engine.parts
				const from = { journal, viewReader: operated.viewReader, now: clock.wall() }
				return showAccountingDomains(from, virtualRouter, what.mac)
			}
			return show(operated, virtualRouter, what)
		},
	}
}

/** What is shown from the folded state itself: there is no second table of what can be a million. */
function isOfState({ kind }: Show): boolean {
	return kind === 'subscribers' || kind === 'dhcp-bindings' || kind === 'dhcp-pools'
}

const noFolder = 'This relay keeps no history on disk.'

/** The sentence of a journal that fails: the shell says why before the relay is gone. */
async function orSentence(work: Promise<string | undefined>): Promise<string | undefined> {
	try {
		return await work
	} catch (error) {
		if (operationFailed(error)) return error.message
		throw error
	}
}

function operationFailed(error: unknown): error is Error {
	return error instanceof Error && error.name === 'JournalFailure'
}

async function applyRetention({
	eraser,
}: Operated): Promise<{ readonly lines: readonly string[] } | { readonly refused: string }> {
	if (eraser === undefined) return { refused: noFolder }
	try {
		return { lines: retentionLines(await eraser.retain()) }
	} catch (error) {
		return {
			refused: `Old events could not be looked through: ${(error as Error).message} What was begun is completed when the relay starts the next time.`,
		}
	}
}

async function changeConfiguration(
	operated: Operated,
	next: Configuration,
	change: Change,
): Promise<string | undefined> {
	const { engine, configurationFile, save } = operated
	const before = engine.configuration
	const refused = newRulesFault(configurationFile, before, next) ?? (await configure(engine, next))
	if (refused !== undefined) return refused
	try {
		save(next)
	} catch (error) {
		await configure(engine, before)
		return `The configuration file ${configurationFile} cannot be written, so nothing was changed: ${(error as Error).message}.`
	}
	const { virtualRouter, context, command } = change
	await recordDurably(engine, [
		{
			stream: relayStream(virtualRouter),
			type: 'ConfigurationChanged',
			v: 1,
			at: presentTime(engine),
			data: { context, command },
		},
	])
	return undefined
}

async function setBaseline(
	operated: Operated,
	virtualRouter: string,
	scope: BaselineScope,
): Promise<string | undefined> {
	const { engine } = operated
	const event: NewEvent = {
		stream: relayStream(virtualRouter),
		type: 'BaselineSet',
		v: 1,
		at: presentTime(engine),
		data: { scope },
	}
	await recordDurably(engine, [event])
	return undefined
}

/** So many leases end in one commit: others are served between them. */
const clearedPerCommit = 1024

async function clearBindings(
	{ engine }: Operated,
	virtualRouter: string,
	server: DhcpServerKind,
	address: string | undefined,
): Promise<string | undefined> {
	const { leases } = routerState(engine.state, virtualRouter)
	const steadyNow = () => presentTime(engine) - engine.state.clockShiftMs
	const named =
		address === undefined ? [...takenAddresses(leases, steadyNow())] : [parseIpv4(address) ?? 0]
	const isMeant = (lease: Lease | undefined): lease is Lease =>
		isTaken(lease, steadyNow()) && (lease?.pool === shadowPool) === (server === 'external')
	if (address !== undefined && !isMeant(leaseAt(leases, named[0]!))) {
		return `Nobody has ${address}; "show ip dhcp-${server} binding" lists the addresses in use.`
	}
	for (let i = 0; i < named.length; i += clearedPerCommit) {
		const at = presentTime(engine)
		const events = named.slice(i, i + clearedPerCommit).flatMap((number): NewEvent[] => {
			const lease = leaseAt(leases, number)
			return isMeant(lease) ? [cleared(virtualRouter, lease, at)] : []
		})
		if (events.length > 0) await recordDurably(engine, events)
	}
	return undefined
}

function cleared(virtualRouter: string, lease: Lease, at: number): NewEvent {
	const { mac, client, pool } = lease
	const address = formatIpv4(lease.address)
	return {
		stream: subscriberStream(virtualRouter, mac),
		type: 'LeaseReleased',
		v: 1,
		at,
		data: { mac, client, pool, address, cause: 'operator', heldUntil: at },
	}
}

/** What is shown at once, out of memory. */
type AtOnce = Exclude<Show, { kind: 'accounting-domains' }>

async function clearSubscriber(
	{ engine }: Operated,
	router: string,
	mac: string,
): Promise<string | undefined> {
	const at = presentTime(engine)
	const { events } = decide(engine.state, { kind: 'clear-subscriber', at, router, mac })
	if (events.length === 0) return `${mac} has no session.`
	await recordDurably(engine, events)
	return undefined
}

async function showPast(
	{ engine, folder, horizon }: Operated,
	virtualRouter: string,
	what: ShowAt,
): Promise<readonly string[]> {
	const settings = engine.configuration.virtualRouters.find(({ name }) => name === virtualRouter)
	if (settings === undefined) return [`% There is no virtual router ${virtualRouter}.`]
	if (folder === undefined) return ['% There is no data folder to look the past up in.']
	return showAt(folder, horizon, settings, what, engine.parts.clock.wall())
}

function show(operated: Operated, virtualRouter: string, what: AtOnce): readonly string[] {
	const { engine } = operated
	const settings = engine.configuration.virtualRouters.find(({ name }) => name === virtualRouter)
	if (settings === undefined) return [`% There is no virtual router ${virtualRouter}.`]
	switch (what.kind) {
		case 'relay-statistics':
		case 'radius-statistics':
		case 'dhcp-statistics':
		case 'dynamic-request-statistics':
			return statisticsLines(statisticsNow(operated), what, settings)
		case 'mirrors':
			return mirrorsText(operated.mirrors(), engine.parts.journal.last())
		case 'udp-checksum':
			return [`udp-checksums ${engine.parts.transport.udpChecksums()}`]
		case 'radius-servers': {
			const router = engine.routers.get(virtualRouter)
			return upstreamServersTable(settings, (service, server) => {
				const upstream = router?.upstreams[service].find(u => u.name === server.address)
				if (upstream === undefined || !upstream.ready) return 'unused'
				return upstream.watchdog.state
			})
		}
		case 'dhcp-bindings': {
			const { server, address, mac } = what
			const query = { virtualRouter, server, address, mac, now: engine.parts.clock.wall() }
			return bindingsText(engine.state, query)
		}
		case 'dhcp-pools':
			return poolsText(engine.state, operated.pools.state(), {
				virtualRouter,
				pools: settings.dhcpLocal.pools,
				sizeOf: poolSizesIn(engine, settings),
				pool: what.pool,
				now: engine.parts.clock.wall(),
			})
		case 'subscribers': {
			const sessions = engine.state.routers
			if (what.mac === undefined) return subscribersText(sessions, virtualRouter)
			const addresses = addressesOf(operated, virtualRouter, what.mac)
			return subscriberText(sessions, virtualRouter, what.mac, addresses)
		}
		case 'sscc-info':
			return srcInfoText(operated.srcStatistics.state(), srcQuery(engine, settings))
		case 'sscc-statistics':
			return srcStatisticsText(operated.srcStatistics.state(), srcQuery(engine, settings))
		case 'integrity': {
			const { journal, clock } = engine.parts
			if (operated.folder === undefined) return [`% ${noFolder}`]
			return integrityLines(journal, operated.folder, clock.wall())
		}
		case 'retention': {
			const { retentionDays } = settings
			const lookedAt = operated.eraser?.lookedAt()
			const query = { virtualRouter, retentionDays, lookedAt, now: engine.parts.clock.wall() }
			return retentionText(operated.erasures.state(), query)
		}
		case 'version':
			return version(operated)
		default:
			return what satisfies never
	}
}

function srcQuery(engine: Engine, router: VirtualRouter): SrcQuery {
	const { name, src } = router
	const client = engine.src.get(name)?.client
	const live = client && { info: client.info(), statistics: client.statistics() }
	const interfaceWith = (address: string) => {
		// Of the loopback network every address is there, and only the first is listed.
		const wanted = address.startsWith('127.') ? '127.0.0.1' : address
		const number = parseIpv4(wanted) ?? 0
		const all = engine.parts.dhcp?.interfaces() ?? []
		return all.find(({ addresses }) => addresses.includes(number))?.name
	}
	const source = srcSource(engine.configuration, router)
	return { virtualRouter: name, settings: src, live, source, interfaceWith }
}

function addressesOf(operated: Operated, virtualRouter: string, mac: string): string[] {
	const leases = leasesOf(operated.engine.state, virtualRouter)
	if (leases === undefined) return []
	const found = leasesOfMac(leases, mac, operated.engine.parts.clock.wall())
	return found.filter(({ state }) => state === 'bound').map(({ address }) => address)
}

function version({ engine, startedAt }: Operated): string[] {
	const { transport, journal, clock } = engine.parts
	const minutes = Math.floor((clock.wall() - startedAt) / 60_000)
	const uptime = `${Math.floor(minutes / 1440)} days, ${Math.floor(minutes / 60) % 24} hours, ${minutes % 60} minutes`
	return [
		`radledger ${release}`,
		`Node ${process.version} on ${platform()} ${arch()}, transport ${transport.kind}`,
		`Journal ${journal.id}, position ${journal.last()}`,
		`Uptime ${uptime}`,
	]
}
