/** Runs a world, step by step, and checks after each of them what must always hold. */
import { assertInvariants } from '../relay-invariants.ts'
import { openAccessPoints } from './access-points.ts'
import { ownAddresses } from './configuration.ts'
import { openDynamicServers } from './dynamic-server.ts'
import { openExternalServers } from './external-servers.ts'
import { judgePending, judgeState } from './history.ts'
import { judgeUse } from './holders.ts'
import { openHomeServers } from './home-servers.ts'
import { detach, openHosts } from './hosts.ts'
import { judgeEnded, judgeOverdue } from './leases.ts'
import { openMischief } from './mischief.ts'
import type { Datagram } from './network.ts'
import { arrives, bury, settle, startRelay, wake } from './relay.ts'
import { isStill, judgeLongRest, judgeRest } from './rest.ts'
import { judgeIdle } from './sessions.ts'
import { openSqliteDisk } from './sqlite-disk.ts'
import { gone, openSubscribers } from './subscribers.ts'
import { breaks, createWorld, ip, type World } from './world.ts'

export type Outcome = {
	readonly seed: number
	/** Steps taken until the end, or until a rule was broken. */
	readonly steps: number
	/** Which rule, in a sentence; undefined: none. */
	readonly broken: string | undefined
	readonly hash: string
	readonly counts: Readonly<Record<string, number>>
	/** Milliseconds of simulated time. */
	readonly simulatedMs: number
}

export type SimulationSettings = {
	readonly seed: number
	readonly steps: number
	/** Is given a line for everything that happens. */
	readonly print?: (line: string) => void
}

const minute = 60_000

export async function simulate(
	{ seed, steps, print }: SimulationSettings,
	world = createWorld(seed, print),
): Promise<Outcome> {
	open(world)
	let taken = 0
	const run = async (until: () => boolean) => {
		while (world.broken === undefined && !until() && (await step(world))) taken++
	}
	const rest = async () => {
		await quieten(world)
		const restAt = world.clock.truth() + 5 * minute
		await run(() => world.clock.truth() >= restAt)
		// Sessions end as idle at any time: what follows from that is not left over.
		await run(() => isStill(world) || world.clock.truth() >= restAt + minute)
		if (world.broken === undefined) judgeRest(world)
		world.idle = true
		const endAt = world.clock.truth() + 40 * minute
		await run(() => world.clock.truth() >= endAt)
		if (world.broken === undefined) judgeLongRest(world)
	}
	await run(() => taken >= steps)
	await rest()
	// After a night without anybody there is a morning.
	awaken(world)
	const evening = taken + steps / 8
	await run(() => taken >= evening)
	await rest()
	return {
		seed,
		steps: taken,
		broken: world.broken,
		hash: world.trace.hash(),
		counts: world.counts,
		simulatedMs: world.clock.truth(),
	}
}

/** The same with the real journal, on the real disk. */
export async function simulateOnSqlite(settings: SimulationSettings): Promise<Outcome> {
	const { journal, remove } = openSqliteDisk(settings.seed)
	try {
		return await simulate(settings, createWorld(settings.seed, settings.print, journal))
	} finally {
		remove()
	}
}

function open(world: World): void {
	const { network } = world
	for (const own of Object.values(ownAddresses)) {
		network.hosts.set(ip(own), datagram => arrives(world, datagram))
	}
	openHomeServers(world)
	openAccessPoints(world)
	openDynamicServers(world)
	openExternalServers(world)
	openHosts(world)
	for (const [link, hears] of [...network.links]) {
		const both = (datagram: Datagram) =>
			datagram.toPort === 67 ? arrives(world, datagram) : hears(datagram)
		network.links.set(link, both)
	}
	openSubscribers(world)
	openMischief(world)
	settle(world, startRelay(world))
}

/** Everybody stops beginning things, the network calms down, and the relay gets going again. */
async function quieten(world: World): Promise<void> {
	world.quiet = true
	world.network.calm = true
	for (const server of world.homeServers) server.mode = 'answers'
}

/** They begin again, all from nothing. */
function awaken(world: World): void {
	if (world.broken !== undefined) return
	world.quiet = false
	world.idle = false
	world.network.calm = false
	for (const host of world.hosts) detach(world, host, false)
	for (const subscriber of world.subscribers) gone(subscriber)
	openSubscribers(world)
	openMischief(world)
	wake(world, 1000)
}

/** One step: what is due next happens, and then everything is looked at. False: nothing is due. */
async function step(world: World): Promise<boolean> {
	const next = world.agenda.take()
	if (next === undefined) return false
	world.clock.advanceTo(next.at)
	world.trace.note(`${next.at} ${next.what}`)
	try {
		next.work()
		await settled(world)
		check(world)
	} catch (error) {
		breaks(world, error instanceof Error ? `${error.stack}` : String(error))
	}
	bury(world)
	return true
}

/** Work that waits for nothing but itself is done within the step. */
async function settled(world: World): Promise<void> {
	for (let i = 0; i < 10 || (world.unsettled > 0 && i < 10_000); i++) await Promise.resolve()
	if (world.unsettled > 0) breaks(world, 'Work of the relay does not come to its end.')
}

function check(world: World): void {
	const { running } = world
	judgeUse(world)
	if (running === undefined) return
	const { relay, alive } = running
	if (!alive || relay.failures.length > 0) return
	// Work beside the turns records, too; the next turn commits it.
	if (relay.engine.batch.length > 0) wake(world, 50)
	judgeState(world, running)
	assertInvariants(relay)
	judgeEnded(world, relay.state)
	judgeOverdue(world, running)
	judgeIdle(world, running)
	judgePending(world, running)
}
