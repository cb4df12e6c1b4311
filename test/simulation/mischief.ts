/** What goes wrong in the world, and what its people take it into their heads to do. */
import { restartAccessPoint } from './access-points.ts'
import { askDynamically } from './dynamic-server.ts'
import { changeServer } from './external-servers.ts'
import { changeMode } from './home-servers.ts'
import { operate } from './operator.ts'
import { restartRelay, settle, snapshot } from './relay.ts'
import { changeSrc } from './src-servers.ts'
import { after, count, type World } from './world.ts'

type Kind = {
	/** Truth between two of them, on average. */
	readonly everyMs: number
	readonly work: (world: World) => void
}

const day = 24 * 3600 * 1000

const kinds: Readonly<Record<string, Kind>> = {
	'clock jumps': { everyMs: 20_000, work: jump },
	suspension: { everyMs: 120_000, work: suspend },
	stall: { everyMs: 45_000, work: stall },
	'home server': { everyMs: 60_000, work: w => changeMode(w, w.chance.pick(w.homeServers)) },
	src: { everyMs: 60_000, work: changeSrc },
	'dhcp server': { everyMs: 20_000, work: changeServer },
	outage: { everyMs: 400_000, work: outage },
	refusal: { everyMs: 60_000, work: refuse },
	overflow: { everyMs: 300_000, work: overflow },
	'access point': { everyMs: 100_000, work: restartOne },
	operator: { everyMs: 10_000, work: operate },
	'dynamic request': { everyMs: 10_000, work: askDynamically },
	snapshot: { everyMs: 60_000, work: snapshot },
	restart: { everyMs: 60_000, work: w => settle(w, restartRelay(w)) },
}

export function openMischief(world: World): void {
	for (const [what, kind] of Object.entries(kinds)) plan(world, what, kind)
}

function plan(world: World, what: string, kind: Kind): void {
	after(world, world.chance.within(0, 2 * kind.everyMs), what, () => {
		if (world.quiet) return
		count(world, what)
		kind.work(world)
		plan(world, what, kind)
	})
}

/** Somebody sets the clock: a little, or by days, forwards or backwards. */
function jump(world: World): void {
	const { clock, chance, trace } = world
	const most = chance.pick([500, 5000, 600_000, 3 * day])
	const byMs = Math.round(chance.within(-most, most))
	trace.note(`clock set by ${byMs}`)
	clock.set(byMs)
	// Before the relay has had a turn to notice.
	if (chance.happens(0.3)) operate(world)
	else if (chance.happens(0.25)) settle(world, restartRelay(world))
}

/** The process does not run, and time goes on: mostly a little, now and then for long. */
function stall({ clock, chance }: World): void {
	clock.advance(chance.within(1, chance.happens(0.15) ? 60_000 : 5000))
}

function suspend({ clock, chance, trace }: World): void {
	const ms = chance.within(1000, chance.happens(0.3) ? 600_000 : 20_000)
	trace.note(`suspended for ${ms}`)
	clock.suspend(ms)
}

/** No home server answers. */
function outage(world: World): void {
	for (const server of world.homeServers) changeMode(world, server, 'silent')
}

function refuse({ running, chance }: World): void {
	const sockets = [...(running?.transport.sockets.values() ?? [])].filter(s => s.port >= 40_000)
	if (sockets.length > 0) running?.transport.refuse(chance.pick(sockets))
}

function overflow({ running, chance }: World): void {
	const sockets = [...(running?.transport.sockets.values() ?? [])]
	if (sockets.length > 0) running?.transport.overflow(chance.pick(sockets), 3)
}

function restartOne(world: World): void {
	const wap = world.chance.pick(world.accessPoints)
	const gone = world.subscribers.filter(subscriber => subscriber.wap === wap)
	restartAccessPoint(world, wap, gone)
}
