/** What must be left when everybody is quiet: nothing in flight, nothing forgotten, nothing kept. */
import { everyLease, isTaken, shadowPool } from '../../domain/lease-state.ts'
import { createPools, type Pool } from '../../domain/pool.ts'
import { routerState } from '../../domain/state.ts'
import type { Engine } from '../../src/engine/engine.ts'
import { isIdle } from '../../src/engine/upstream-link.ts'
import { judgeToldSrc } from './src-ledger.ts'
import { breaks, type World } from './world.ts'

/** After two minutes without a packet. */
export function judgeRest(world: World): void {
	const { running } = world
	if (running === undefined) {
		breaks(world, 'At rest no relay is running.')
		return
	}
	const { engine } = running.relay
	for (const [what, left] of Object.entries(leftOver(engine))) {
		if (left > 0) breaks(world, `At rest there are still ${left} ${what}.`)
	}
	judgeSockets(world, engine)
	judgePools(world, engine)
	judgeExchanges(world)
	judgeToldSrc(world)
}

/** Whether nothing is under way in this very moment. */
export function isStill(world: World): boolean {
	const { running, srcLedger } = world
	if (running === undefined || srcLedger.owed.size > 0) return false
	return Object.values(leftOver(running.relay.engine)).every(left => left === 0)
}

function leftOver(engine: Engine): Record<string, number> {
	const { dynamic, dhcp } = engine
	const routers = [...engine.routers.values()]
	const listeners = routers.flatMap(({ listeners }) => Object.values(listeners))
	const upstreams = routers.flatMap(({ upstreams }) => Object.values(upstreams).flat())
	const sum = (numbers: number[]) => numbers.reduce((a, b) => a + b, 0)
	const services = [...dhcp.services.values()]
	const external = [...dhcp.external.values()]
	return {
		'pending requests': sum(listeners.map(({ pending }) => pending)),
		'client ports': sum(listeners.map(({ peers }) => peers.size)),
		'requests in flight': sum(upstreams.map(({ inFlight }) => inFlight)),
		conversations: sum(routers.map(({ conversations }) => conversations.size)),
		'retiring sockets': engine.retiring.size + dynamic.retiring.size,
		'retired listeners': [...dynamic.listeners.values()].filter(({ retired }) => retired).length,
		'questions to access points': sum([...dynamic.disconnectors.values()].map(d => d.asks.size)),
		'dynamic requests': sum(
			[...dynamic.listeners.values()].flatMap(({ servers }) =>
				[...servers.values()].map(({ exchanges }) => exchanges.size),
			),
		),
		'addresses being tried': sum(services.map(({ pinging }) => pinging.size)),
		'clients waiting for a ping': sum(services.map(({ waiting }) => waiting.size)),
		'discards not recorded':
			dynamic.discards.size +
			sum([...services, ...external].map(({ discards }) => discards.size)) +
			routers.filter(({ discards }) => discards.any).length,
		'questions to SRC': sum([...engine.src.values()].map(({ telling }) => telling.underWay.size)),
		'messages not recorded': sum(external.map(({ forwarded }) => forwarded.size)),
		'messages whose answer is awaited': sum(external.map(({ awaited }) => awaited.size)),
		'questions to SRC remembered': sum([...engine.src.values()].map(({ askedAt }) => askedAt.size)),
		'commands waiting': engine.waiting.length,
		'answers queued': engine.answersQueued,
		'sockets to flush': engine.touchedListeners.length + engine.touchedUpstreams.length,
		'slots in use': sum(
			upstreams.flatMap(({ sockets }) =>
				// A Status-Server may be out at any time.
				sockets.map(socket => socket.purposes.filter(use => use === 1 || use === 3).length),
			),
		),
	}
}

/** Every open socket belongs to something that is configured. */
function judgeSockets(world: World, engine: Engine): void {
	const routers = [...engine.routers.values()]
	const wanted = new Set([
		...routers.flatMap(({ listeners }) => Object.values(listeners).map(({ socket }) => socket)),
		...routers.flatMap(({ upstreams }) =>
			Object.values(upstreams)
				.flat()
				.flatMap(({ sockets }) => sockets.map(({ socket }) => socket)),
		),
		...[...engine.dynamic.listeners.values()].map(({ socket }) => socket),
		...[...engine.dynamic.disconnectors.values()].map(({ socket }) => socket),
		...(engine.dhcp.listener === undefined ? [] : [engine.dhcp.listener.socket]),
	])
	const open = [...world.running!.transport.sockets.values()]
	for (const socket of open) {
		if (!wanted.has(socket)) breaks(world, `Port ${socket.port} is open for nobody.`)
		if (!engine.sockets.has(socket)) breaks(world, `Port ${socket.port} is heard by nobody.`)
	}
	if (engine.sockets.size !== open.length)
		breaks(world, 'The engine knows sockets that are closed.')
}

/** Pools that were kept up to date are the same as pools made anew. */
function judgePools(world: World, engine: Engine): void {
	const steadyAt = engine.at - engine.state.clockShiftMs
	for (const { router, settings, pools } of engine.dhcp.services.values()) {
		const { leases } = routerState(engine.state, router)
		// What lapsed within the last seconds may not have been looked at yet.
		const fresh = [...everyLease(leases)].some(
			lease => isTaken(lease, steadyAt - 10_000) && !isTaken(lease, steadyAt),
		)
		if (fresh) continue
		const made = createPools(settings, [...engine.dhcp.own], leases, steadyAt)
		for (const [name, pool] of made.byName) {
			const found = poolText(pools.byName.get(name)!)
			const wanted = poolText(pool)
			if (found !== wanted) {
				breaks(world, `The pool ${name} is out of step: ${found}, anew it would be ${wanted}.`)
			}
		}
	}
}

function poolText({ inUse, size, free, reservedInUse }: Pool): string {
	const members = [...free.levels[0]!].join()
	return `${inUse} of ${size} in use, free ${members}, reserved ${[...reservedInUse].sort().join()}`
}

/** Whatever the present process has begun has ended: only crashes leave something open. */
function judgeExchanges(world: World): void {
	const { opened, outcomes } = world.history
	const since = world.running!.beganAt
	for (const [key, positions] of opened) {
		for (const position of positions) {
			if (position <= since || outcomes.has(position)) continue
			breaks(world, `What ${key} asked at ${position} was never brought to an end.`)
		}
	}
}

/** After longer than any session or lease can last: all of them are over. */
export function judgeLongRest(world: World): void {
	judgeRest(world)
	const { running } = world
	if (running === undefined) return
	const { state } = running.relay
	const steadyAt = running.relay.engine.at - state.clockShiftMs
	for (const [
		name,
		{ sessions, leases, src, subscribersByWap, accessPoints, ...indexes },
	] of state.routers) {
		if (!running.relay.engine.routers.has(name)) continue
		if (sessions.size > 0)
			breaks(world, `After forty minutes ${name} has ${sessions.size} sessions.`)
		// What a server gave for ever ends with its session, or not at all.
		const forEver = [...everyLease(leases)].filter(
			({ pool, status, until }) => pool === shadowPool && status === 'bound' && until === 0,
		)
		const isMeant = (mac: string) => !forEver.some(lease => lease.mac === mac)
		const known = [...src.subscribers.keys()].filter(isMeant)
		const unreported = [...src.unreported.values()].filter(({ mac }) => isMeant(mac))
		const owed = unreported.length + src.debts.size + known.length
		const told = running.relay.engine.src.has(name)
		if (told && owed > 0) breaks(world, `After forty minutes SRC is owed ${owed} words of ${name}.`)
		const more = subscribersByWap.size + accessPoints.size
		if (more > 0) breaks(world, `After forty minutes ${name} remembers ${more} places of nobody.`)
		if (indexes.byAccounting.size > 0)
			breaks(world, 'After forty minutes names of sessions are left.')
		for (const lease of everyLease(leases)) {
			if (lease.pool !== shadowPool || lease.status !== 'bound' || lease.until === 0) continue
			breaks(world, `After forty minutes ${lease.mac} has a shadow lease still.`)
		}
		if (!running.relay.engine.dhcp.services.has(name)) continue
		for (const lease of everyLease(leases)) {
			// What was declined rests for a day.
			if (lease.status !== 'declined' && (lease.status === 'bound' || isTaken(lease, steadyAt))) {
				breaks(world, `After forty minutes ${lease.mac} has an address still (${lease.status}).`)
			}
		}
		if (leases.boundOn.size > 0)
			breaks(world, `After forty minutes ${name} counts clients on interfaces.`)
	}
	for (const { upstreams } of running.relay.engine.routers.values()) {
		for (const { sockets } of Object.values(upstreams).flat()) {
			for (const socket of sockets) {
				if (socket.retired && isIdle(socket)) breaks(world, 'A retired socket is idle and open.')
			}
		}
	}
}
