/** Everything that a simulation consists of. What changes while it runs is here and nowhere else. */
import type { MemoryJournal } from '../../adapters/journal/memory.ts'
import { parseIpv4 } from '../../domain/address.ts'
import { type AccessPoint, createAccessPoints } from './access-points.ts'
import { type Agenda, createAgenda } from './agenda.ts'
import { type Chance, createChance } from './chance.ts'
import { createClock, type SimulatedClock } from './clock.ts'
import { startingVariant, type Variant } from './configuration.ts'
import { createDisconnects, type Disconnects } from './disconnects.ts'
import { createDisk, type Disk } from './disk.ts'
import { createExternal, type External } from './external-servers.ts'
import { createHistory, type History } from './history.ts'
import { createHolders, type Holders } from './holders.ts'
import { createHomeServers, type HomeServer } from './home-servers.ts'
import { createHosts, type Host } from './hosts.ts'
import { createNetwork, type Network } from './network.ts'
import type { Running } from './relay.ts'
import { createSessionHistory, type SessionHistory } from './sessions.ts'
import { createSrcLedger, type SrcLedger } from './src-ledger.ts'
import type { SrcMode } from './src-servers.ts'
import { createSubscribers, type Subscriber } from './subscribers.ts'
import { createTold, type Told } from './told.ts'
import { createTrace, type Trace } from './trace.ts'

export type World = {
	readonly seed: number
	readonly chance: Chance
	readonly clock: SimulatedClock
	readonly agenda: Agenda
	readonly trace: Trace
	readonly network: Network
	readonly disk: Disk
	/** The configuration that the relay goes by, as far as the journal has been read. */
	inForce: Variant
	/** The relay's process; undefined while there is none. */
	running: Running | undefined
	readonly history: History
	readonly sessionHistory: SessionHistory
	readonly disconnects: Disconnects
	readonly srcLedger: SrcLedger
	readonly told: Told
	readonly holders: Holders
	readonly homeServers: readonly HomeServer[]
	readonly external: External
	readonly accessPoints: readonly AccessPoint[]
	readonly subscribers: readonly Subscriber[]
	readonly hosts: readonly Host[]
	/** Nobody begins anything new, and nothing goes wrong any more. */
	quiet: boolean
	/** Nothing is going on at all: the relay need not look at its deadlines often. */
	idle: boolean
	srcMode: SrcMode
	/** RADIUS requests made so far: numbers that tell them apart. */
	requests: number
	/** Work of the relay that has not come to its end and waits for nothing outside. */
	unsettled: number
	/** The first rule that was broken, as a sentence. */
	broken: string | undefined
	readonly counts: Record<string, number>
}

/** `journal`: one in memory unless told. */
export function createWorld(
	seed: number,
	print?: (line: string) => void,
	journal?: MemoryJournal,
): World {
	const chance = createChance(seed)
	const subscribers = createSubscribers(chance.happens(0.35) ? 'cable' : 'campus')
	const variant = startingVariant(chance)
	const world: World = {
		seed,
		chance,
		clock: createClock(),
		agenda: createAgenda(),
		trace: createTrace(print),
		network: createNetwork(),
		disk: createDisk(variant, journal),
		inForce: variant,
		running: undefined,
		history: createHistory(),
		sessionHistory: createSessionHistory(),
		disconnects: createDisconnects(),
		srcLedger: createSrcLedger(),
		told: createTold(),
		holders: createHolders(),
		homeServers: createHomeServers(),
		external: createExternal(),
		accessPoints: createAccessPoints(),
		subscribers,
		hosts: createHosts(subscribers),
		srcMode: 'answers',
		quiet: false,
		idle: false,
		requests: 0,
		unsettled: 0,
		broken: undefined,
		counts: {},
	}
	return world
}

/** A rule is broken. The first one is told; what follows is mostly its consequence. */
export function breaks(world: World, sentence: string): void {
	world.broken ??= sentence
}

export function count(world: World, what: string): void {
	world.counts[what] = (world.counts[what] ?? 0) + 1
}

/** Does work after so many milliseconds of truth. */
export function after(world: World, ms: number, what: string, work: () => void): void {
	world.agenda.add(world.clock.truth() + ms, what, work)
}

export function ip(text: string): number {
	return parseIpv4(text)!
}
