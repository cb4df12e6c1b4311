/** The relay's process in a simulation: how it starts, turns, crashes and stops. */
import type { PassingDatagram, Watch } from '../../adapters/dhcp/watch.ts'
import { batchSize } from '../../adapters/radius/transport.ts'
import {
	openSimulatedTransport,
	type SentDatagram,
	type SimulatedTransport,
} from '../../adapters/radius/transport-simulated.ts'
import { parseIpv4 } from '../../domain/address.ts'
import { clientMac, decodeDhcp, messageTypes } from '../../domain/dhcp/packet.ts'
import { relayStream } from '../../domain/event.ts'
import { configurationText } from '../../domain/junose/configuration-text.ts'
import type { Operator } from '../../domain/junose/operator.ts'
import { leaseAt } from '../../domain/lease-state.ts'
import { routerState } from '../../domain/state.ts'
import { dhcpStatistics } from '../../projections/dhcp-statistics.ts'
import { dynamicRequestStatistics } from '../../projections/dynamic-request-statistics.ts'
import { erasures } from '../../projections/erasures.ts'
import { catchUpTogether, type Following, follow, tellTogether } from '../../projections/follow.ts'
import { pools } from '../../projections/pools.ts'
import { srcStatistics } from '../../projections/src-statistics.ts'
import { relayStatistics } from '../../projections/statistics.ts'
import { upstreamStatistics } from '../../projections/upstream-statistics.ts'
import { recordDurably } from '../../src/engine/commit.ts'
import { presentTime } from '../../src/engine/record.ts'
import { stopEngine } from '../../src/engine/stop.ts'
import { openOperator } from '../../src/operate.ts'
import { followState, recoverState, saveState } from '../../src/recover.ts'
import { type SimulatedRelay, simulatedRelay } from '../simulated-relay.ts'
import { links, ownAddresses, places } from './configuration.ts'
import { faults } from './disk.ts'
import { readJournal, recovered } from './history.ts'
import { broadcast, type Datagram, send } from './network.ts'
import { openSrcFor } from './src-servers.ts'
import { judgeTold } from './told.ts'
import { after, breaks, count, ip, type World } from './world.ts'

export type Running = {
	relay: SimulatedRelay
	operator: Operator
	views: readonly Following<never>[]
	readonly transport: SimulatedTransport
	/** False from the moment of a crash on: nothing that the code still does has any effect. */
	alive: boolean
	/** While DHCP messages that pass are watched. */
	watching: Watching | undefined
	/** Truth at which the next turn is due. */
	wakeAt: number
	stopping: boolean
	/** Position of the last event of the process before. */
	beganAt: number
}

type Watching = {
	readonly deliver: (datagram: PassingDatagram) => void
	readonly delivered: () => void
	lost: number
}

/** Probability of a crash at each write, at each datagram that leaves, and at the end of a turn. */
const chances = { write: 0.004, datagram: 0.001, turn: 0.0005 } as const

/** Lets work of the relay run that waits for nothing but itself. */
export function settle(world: World, work: Promise<unknown>): void {
	world.unsettled++
	const done = () => {
		world.unsettled--
	}
	work.then(done, (error: unknown) => {
		done()
		breaks(world, `The relay threw: ${error instanceof Error ? error.stack : String(error)}`)
	})
}

export async function startRelay(world: World): Promise<void> {
	const { disk, clock, chance } = world
	// Two messages that come at the same time are more than a batch: DHCPDISCOVERs wait.
	const batch = chance.happens(0.5) ? 1 : batchSize
	const transport = openSimulatedTransport(datagram => leaves(world, running, datagram), batch)
	const running = { transport, alive: true, wakeAt: Number.POSITIVE_INFINITY } as Running
	// Snapshots are a cache: somebody may delete them.
	if (chance.happens(0.05)) disk.journal.forgetSnapshots()
	const journal = disk.journal.restart({ appendFault: () => writeFault(world, running) })
	disk.journal = journal
	running.beganAt = journal.last()
	const warn = (sentence: string) => breaks(world, `At a start: ${sentence}`)
	const settings = { reader: journal, snapshots: journal, onWarning: warn }
	const views = [
		follow({ ...settings, projection: relayStatistics }),
		follow({ ...settings, projection: upstreamStatistics }),
		follow({ ...settings, projection: pools }),
		follow({ ...settings, projection: dhcpStatistics }),
		follow({ ...settings, projection: dynamicRequestStatistics }),
		follow({ ...settings, projection: srcStatistics }),
		follow({ ...settings, projection: erasures }),
	] as const
	const recovering = followState(journal, journal, warn)
	catchUpTogether(journal, [recovering, ...views])
	const state = recovering.state()
	recovered(world, state)
	running.views = views as unknown as Running['views']
	const relay = await simulatedRelay(disk.configuration, {
		transport,
		clock,
		entropy: chance,
		journal,
		state,
		committed: tellTogether(views),
		openSrc: openSrcFor(world, running),
		dhcp: {
			interfaces,
			ping: address => ping(world, running, address),
			watch: (deliver, delivered) => watch(running, { deliver, delivered, lost: 0 }),
		},
		answerCacheOctets: 1 << 16,
	})
	running.relay = relay
	world.running = running
	running.operator = openOperator({
		engine: relay.engine,
		configurationFile: 'configuration',
		save: next => saved(world, running, configurationText(next)),
		relayStatistics: views[0],
		upstreamStatistics: views[1],
		pools: views[2],
		dhcpStatistics: views[3],
		dynamicRequestStatistics: views[4],
		srcStatistics: views[5],
		erasures: views[6],
		mirrors: () => [],
		viewReader: () => undefined,
		startedAt: clock.wall(),
	})
	count(world, 'starts')
	try {
		await recordDurably(
			relay.engine,
			[...relay.engine.routers.keys()].map(name => ({
				stream: relayStream(name),
				type: 'RelayStarted' as const,
				v: 1,
				at: presentTime(relay.engine),
				data: { release: 'simulated', configuration: [] },
			})),
		)
	} catch {
		// The disk failed at once: the process ends as it does whenever that happens.
	}
	wake(world, 50)
}

const interfaces = () => [
	{ index: links.campus, name: 'eth0', addresses: [ip(places.relay)] },
	{ index: links.branch, name: 'eth1', addresses: [ip(places.relayOnBranch)] },
	{ index: links.cable, name: 'eth2', addresses: [ip(places.relayOnCable)] },
]

/** Somebody who uses the address answers, mostly; and now and then somebody else does. */
function ping(world: World, running: Running, address: number): Promise<boolean> {
	const { chance, clock } = world
	const answered = Promise.withResolvers<boolean>()
	after(world, chance.within(1, 500), 'ping ends', () => {
		// A dead process hears of nothing.
		if (world.running !== running || !running.alive) return
		const used = world.hosts.some(
			({ holding }) => holding?.address === address && clock.truth() < holding.until,
		)
		answered.resolve(used || (!world.quiet && chance.happens(0.05)))
	})
	return answered.promise
}

function writeFault(world: World, running: Running) {
	if (!running.alive) return 'lost'
	// A disk takes its time.
	if (world.chance.happens(0.02)) world.clock.advance(world.chance.within(0, 300))
	if (world.quiet || !world.chance.happens(chances.write)) return undefined
	const fault = world.chance.pick(faults)
	count(world, `write ${fault}`)
	world.trace.note(`write ${fault}`)
	return fault
}

function saved(world: World, running: Running, text: string): void {
	const { chance, disk } = world
	if (!running.alive) return
	const dies = !world.quiet && chance.happens(0.03)
	if (dies) die(world, running, 'at the configuration file')
	if (dies && chance.happens(0.5)) return
	disk.configuration = text
	disk.saved = disk.proposed
}

/** The process is gone from here on, whatever its code goes on to do. */
function die(world: World, running: Running, where: string): void {
	running.alive = false
	count(world, `crash ${where}`)
	world.trace.note(`crash ${where}`)
}

/** A datagram leaves the relay: judged before anything else can happen. */
function leaves(world: World, running: Running, datagram: SentDatagram): void {
	if (!running.alive) return
	const { socket, address, port, bytes, interfaceIndex } = datagram
	if (running.relay?.failures.length > 0) {
		breaks(world, `A datagram left port ${socket.port} after the journal had failed.`)
	}
	world.trace.note(`leaves ${socket.port}`, bytes)
	judgeTold(world, datagram)
	const link = interfaceIndex
	const from = ip(ownAddresses[link] ?? places.relay)
	send(world, { from, fromPort: socket.port, to: address, toPort: port, bytes, link })
	if (!world.quiet && world.chance.happens(chances.datagram)) {
		die(world, running, 'between datagrams')
	}
}

/** A datagram reaches the relay's machine. */
export function arrives(world: World, datagram: Datagram): void {
	const { running } = world
	const socket = running?.transport.sockets.get(datagram.toPort)
	if (running === undefined || socket === undefined) return
	const { from, fromPort, to, bytes, link } = datagram
	const interfaceIndex = link === 0 ? links.campus : link
	const own = ip(ownAddresses[interfaceIndex]!)
	const destination = to === broadcast ? broadcast : to
	running.transport.deliver(socket, from, fromPort, bytes, {
		interfaceIndex,
		local: to === broadcast ? own : to,
		destination,
	})
	// Some turns have several datagrams to take.
	wake(world, world.chance.happens(0.5) ? 0 : world.chance.within(0, 1))
}

function watch(running: Running, watching: Watching): Watch {
	running.watching = watching
	return {
		takeLost() {
			const { lost } = watching
			watching.lost = 0
			return lost
		},
		close() {
			running.watching = undefined
		},
	}
}

/** Who was seen to give his address back has it no more. */
function judgeReleased(world: World, { relay }: Running, { bytes, to }: Datagram): void {
	const packet = decodeDhcp(bytes, bytes.length)
	if (typeof packet === 'string' || packet.messageType !== messageTypes.release) return
	// What goes to a server that is not configured is none of the relay's business.
	if (!relay.engine.dhcp.external.get('cable')?.servers.includes(to)) return
	const lease = leaseAt(routerState(relay.state, 'cable').leases, packet.ciaddr)
	if (lease?.status !== 'bound' || lease.mac !== clientMac(packet)) return
	breaks(world, `${lease.mac} has released an address, and its shadow lease lasts.`)
}

/** The relay's machine routes a datagram that came by an interface; its packet socket shows it. */
export function passes(world: World, datagram: Datagram, interfaceIndex: number): void {
	const { running, chance } = world
	const watching = running?.watching
	if (running?.alive && running.relay?.failures.length === 0 && watching !== undefined) {
		if (!world.quiet && chance.happens(0.02)) watching.lost++
		else {
			const { bytes, from: source, to: destination, toPort: destinationPort } = datagram
			count(world, 'seen in passing')
			watching.deliver({ bytes, source, destination, destinationPort, interfaceIndex })
			watching.delivered()
			judgeReleased(world, running, datagram)
			wake(world, 50)
		}
	}
	send(world, datagram)
}

/** A turn after so many milliseconds, unless one comes sooner. */
export function wake(world: World, ms: number): void {
	const { running, clock } = world
	const at = clock.truth() + ms
	if (running === undefined || running.wakeAt <= at) return
	running.wakeAt = at
	world.agenda.add(at, 'turn', () => {
		if (world.running === running && running.wakeAt === at) turn(world, running)
	})
}

function turn(world: World, running: Running): void {
	const { chance } = world
	const { relay } = running
	running.wakeAt = Number.POSITIVE_INFINITY
	relay.turn()
	if (!world.quiet && running.alive && chance.happens(chances.turn)) {
		die(world, running, 'after a turn')
	}
	const { engine } = relay
	const busy = engine.batch.length > 0 || engine.answersQueued > 0
	if (busy || (!world.quiet && chance.happens(0.3))) wake(world, 50)
	else wake(world, chance.within(50, world.idle ? 60_000 : 1000))
}

/** Takes away a process that has crashed or failed, and starts the next one after a while. */
export function bury(world: World): void {
	const { running, chance } = world
	if (running === undefined || (running.alive && running.relay.failures.length === 0)) return
	running.alive = false
	world.history.stoppedSkew = undefined
	// What a failed write has left on the disk was recorded now, and not when it is found.
	readJournal(world)
	end(world)
	const down = chance.happens(0.5) ? chance.within(1, 1000) : chance.within(1000, 120_000)
	after(world, down, 'start', () => settle(world, startRelay(world)))
}

function end(world: World): void {
	world.running = undefined
	// Nobody else may write to it now.
	world.disk.journal.close()
}

/** An orderly stop, as of SIGTERM, and the next start. */
export async function restartRelay(world: World): Promise<void> {
	const { running, chance, disk } = world
	if (running === undefined || running.stopping) return
	running.stopping = true
	try {
		await stopEngine(running.relay.engine, 'SIGTERM')
	} catch {
		return
	}
	if (!running.alive || running.relay.failures.length > 0) return
	for (const view of running.views) view.save()
	saveState(disk.journal, running.relay.state)
	count(world, 'orderly stops')
	readJournal(world)
	world.history.stoppedSkew = world.clock.skew()
	running.alive = false
	end(world)
	after(world, chance.within(100, 30_000), 'start', () => settle(world, startRelay(world)))
}

/** Folds the journal beside the relay and saves what comes of it, as the snapshooter does. */
export function snapshot({ disk }: World): void {
	const { journal } = disk
	saveState(
		journal,
		recoverState(journal, journal, () => undefined),
	)
}

export function address(text: string): number {
	return parseIpv4(text) ?? 0
}
