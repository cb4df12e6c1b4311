/** What happens because time has passed: retransmission, fail-over, watchdogs, gathered counts. */
import { services } from '../../domain/configuration.ts'
import { decide } from '../../domain/decide.ts'
import { type NewEvent, relayStream } from '../../domain/event.ts'
import { radiusClientAddressSize } from '../../domain/forward.ts'
import { packetLength } from '../../domain/radius/packet.ts'
import { indexAttributes } from '../../domain/request.ts'
import { chooseUpstream, watchdogSilence, watchdogTimer } from '../../domain/upstream.ts'
import { addSocket } from './add-socket.ts'
import { closeRetired } from './configure.ts'
import { tickDynamicRequests } from './configure-dynamic.ts'
import { tickDhcp } from './dhcp.ts'
import { countDiscard, otherClients, takeDiscards } from './discards.ts'
import { detach, forward, release, transmit } from './dispatch.ts'
import type { Engine, Router } from './engine.ts'
import type { Exchange, Upstream, UpstreamSocket } from './exchange.ts'
import { forgetPeers } from './listener.ts'
import { record } from './record.ts'
import { tickSrc } from './src-bridge.ts'
import { freeSlot, needsSocket, purpose, quarantineSlot } from './upstream-link.ts'
import { followWatchdog, watchdogSettings } from './watchdog.ts'

/** How often deadlines are looked at. */
export const tickMs = 50
/** An unanswered Status-Server gives its slot back after this long. */
const statusServerLifeMs = 10_000
/** Client ports and EAP conversations are forgotten after this long without a packet. */
const forgetMs = 60_000

export function tick(engine: Engine): void {
	engine.nextTickAt = engine.now + tickMs
	const everySecond = engine.now >= engine.nextSecondAt
	if (everySecond) engine.nextSecondAt = engine.now + 1000
	for (const router of engine.routers.values()) {
		for (const upstream of router.upstreams.authentication) tickUpstream(engine, router, upstream)
		for (const upstream of router.upstreams.accounting) tickUpstream(engine, router, upstream)
		if (everySecond) tickRouter(engine, router)
	}
	for (const retiring of engine.retiring) {
		const router = engine.routers.get(retiring.router)
		if ('watchdog' in retiring && router !== undefined) tickSlots(engine, router, retiring)
	}
	tickDynamicRequests(engine, everySecond)
	if (everySecond) tickDhcp(engine)
	if (everySecond) tickSrc(engine)
	// Last: what a virtual router counted is recorded before it goes.
	if (everySecond) closeRetired(engine)
}

function tickRouter(engine: Engine, router: Router): void {
	for (const listener of Object.values(router.listeners)) {
		// The kernel's queues are the first and the last of ours that can be full.
		const lost = listener.socket.takeOverflowed() + listener.socket.takeUnsent()
		if (lost === 0) continue
		countDiscard(router.discards, listener.service, 'queue-full', otherClients, lost)
	}
	record(engine, takeDiscards(router.discards, router.name, engine.at))
	record(engine, takeResponseDiscards(engine, router))
	const idleTimeoutMs = router.settings.idleTimeoutSeconds * 1000
	const clock = { kind: 'clock', at: engine.at, router: router.name, idleTimeoutMs } as const
	record(engine, decide(engine.state, clock).events)
	for (const listener of Object.values(router.listeners)) {
		forgetPeers(listener, engine.now - forgetMs)
	}
	for (const [state, { at }] of router.conversations) {
		// In order of time: the first that is young enough ends the search.
		if (engine.now - at < forgetMs) break
		router.conversations.delete(state)
	}
}

function takeResponseDiscards({ at, retiring }: Engine, router: Router): NewEvent[] {
	const events: NewEvent[] = []
	const stream = relayStream(router.name)
	const take = ({ service, name, discarded }: Upstream) => {
		for (const [reason, count] of discarded) {
			const data = { service, server: name, reason, count }
			events.push({ stream, type: 'ResponsesDiscarded', v: 1, at, data })
		}
		discarded.clear()
	}
	for (const service of services) router.upstreams[service].forEach(take)
	for (const each of retiring) {
		if ('watchdog' in each && each.router === router.name) take(each)
	}
	return events
}

function tickUpstream(engine: Engine, router: Router, upstream: Upstream): void {
	noticeRefusals(engine, router, upstream)
	tickSlots(engine, router, upstream)
	const { watchdog } = upstream
	if (engine.now >= watchdog.timerAt && upstream.sockets.length > 0) {
		const random = engine.parts.entropy.random()
		const settings = watchdogSettings(engine, upstream)
		followWatchdog(engine, upstream, watchdogTimer(watchdog, engine.now, settings, random))
	}
	if (needsSocket(upstream, engine.now)) void addSocket(engine, upstream)
}

/** ICMP said that nobody listens there: as good as silence, and sooner known. */
function noticeRefusals(engine: Engine, router: Router, upstream: Upstream): void {
	let refused = 0
	for (const { socket, retired } of upstream.sockets) {
		const count = socket.takeRefused()
		// Of an address that the server's name no longer has: it says nothing about the server.
		if (!retired) refused += count
	}
	if (refused === 0) return
	const { watchdog } = upstream
	const random = engine.parts.entropy.random()
	const settings = watchdogSettings(engine, upstream)
	const reason = 'Its host refuses the port.'
	followWatchdog(engine, upstream, watchdogSilence(watchdog, engine.now, settings, random, reason))
	const others = router.upstreams[upstream.service].filter(
		other => other !== upstream && other.ready && other.watchdog.state === 'okay',
	)
	if (others.length === 0) return
	// What awaits an answer there is worth another server at once. Without one it keeps its time: a
	// server that is being restarted refuses for seconds, and transmitting at once wins nothing.
	for (const socket of upstream.sockets) {
		for (const exchange of socket.exchanges) {
			if (exchange === undefined) continue
			const untried = others.some(other => exchange.tried.every(t => t.upstream !== other))
			if (untried) exchange.deadline = Math.min(exchange.deadline, engine.now)
		}
	}
}

function tickSlots(engine: Engine, router: Router, upstream: Upstream): void {
	for (const socket of upstream.sockets) {
		if (socket.freeCount === 256) continue
		for (let slot = 0; slot < 256; slot++) {
			switch (socket.purposes[slot]) {
				case purpose.request: {
					const exchange = socket.exchanges[slot]
					if (exchange !== undefined && engine.now >= exchange.deadline) {
						overdue(engine, router, exchange, upstream, socket)
					}
					break
				}
				case purpose.statusServer:
					if (engine.now - socket.until[slot]! >= statusServerLifeMs) {
						quarantineSlot(socket, slot, engine.now)
					}
					break
				case purpose.quarantine:
					if (engine.now >= socket.until[slot]!) freeSlot(socket, slot)
					break
				default:
					break
			}
		}
	}
}

/** The server has not answered in time: once more, or another server, or nobody. */
function overdue(
	engine: Engine,
	router: Router,
	exchange: Exchange,
	upstream: Upstream,
	socket: UpstreamSocket,
): void {
	const { settings, watchdog } = upstream
	const others = router.upstreams[upstream.service]
	const tried = exchange.tried.map(t => others.indexOf(t.upstream))
	tried.push(others.indexOf(upstream))
	const next = others[chooseUpstream(others, 0, tried)]
	const usedUp = exchange.transmissions > settings.retransmit
	// A server that is known to be silent is not asked again while another one would answer.
	const leave = watchdog.state !== 'okay' && next !== undefined && next.watchdog.state === 'okay'
	if (!usedUp && !leave) {
		exchange.deadline = engine.now + settings.timeoutSeconds * 1000
		transmit(engine, exchange, socket)
		return
	}
	if (usedUp) {
		const random = engine.parts.entropy.random()
		const step = watchdogSilence(
			watchdog,
			engine.now,
			watchdogSettings(engine, upstream),
			random,
			'It did not answer a request.',
		)
		followWatchdog(engine, upstream, step)
	}
	if (next === undefined) {
		release(engine, exchange, 'timeout')
		return
	}
	rollOver(engine, exchange, upstream, socket, next)
}

function rollOver(
	engine: Engine,
	exchange: Exchange,
	from: Upstream,
	socket: UpstreamSocket,
	to: Upstream,
): void {
	const packet = socket.packets[exchange.slot]!
	// Radius-Client-Address is made anew: another address may face the next server.
	const added = exchange.status === undefined ? 0 : radiusClientAddressSize
	const length = packetLength(packet) - added
	exchange.tried.push({ upstream: from, transmissions: exchange.transmissions })
	detach(engine, exchange)
	indexAttributes(engine.index, packet, length)
	forward(engine, exchange, to, packet, length, from.key)
}
