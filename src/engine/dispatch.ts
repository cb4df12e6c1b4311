/** Requests to upstream servers: which one, the forwarded packet, and giving a request up. */
import { decide, type Tries } from '../../domain/decide.ts'
import type { UnansweredReason } from '../../domain/event.ts'
import { forwardAccessRequest, forwardAccountingRequest } from '../../domain/forward.ts'
import { attribute } from '../../domain/radius/attribute.ts'
import type { Md5Key } from '../../domain/radius/md5.ts'
import { chooseUpstream, nextStart } from '../../domain/upstream.ts'
import { addSocket } from './add-socket.ts'
import { countDiscard } from './discards.ts'
import { type Engine, nextAuthenticator, type Router } from './engine.ts'
import {
	type Exchange,
	type Peer,
	pendingLimit,
	type Upstream,
	type UpstreamSocket,
} from './exchange.ts'
import { record, touchUpstream } from './record.ts'
import {
	freeSlot,
	needsSocket,
	quarantineSlot,
	sendSlot,
	socketWithFreeSlot,
	takeSlot,
} from './upstream-link.ts'

/**
 * The server for a new request: undefined when there is none to ask, `full` when the request was
 * dropped (and counted) because every queue is full.
 */
export function chooseServer(
	engine: Engine,
	router: Router,
	peer: Peer,
	bytes: Uint8Array,
): Upstream | undefined | 'full' {
	const { service } = peer.listener
	const upstreams = router.upstreams[service]
	let chosen = serverOfConversation(engine, router, bytes)
	let full = false
	if (chosen === undefined) {
		// Only a request that is free to go anywhere takes a turn.
		const turn = router.turns[service]++
		const start = nextStart(router.settings.algorithm, turn, upstreams.length)
		const choice = chooseUpstream(upstreams, start, [])
		if (choice === -1) return undefined
		full = choice === -2
		chosen = upstreams[choice]
	}
	full ||= peer.listener.pending >= pendingLimit
	if (full || chosen === undefined || socketWithFreeSlot(chosen) === undefined) {
		countDiscard(router.discards, service, 'queue-full', peer.address)
		return 'full'
	}
	return chosen
}

/** RFC 3579 §2.1: an EAP conversation stays on the server whose State [24] the request carries. */
function serverOfConversation(
	engine: Engine,
	router: Router,
	bytes: Uint8Array,
): Upstream | undefined {
	const stateAt = engine.index.first[attribute.state]!
	if (stateAt === 0) return undefined
	const conversation = router.conversations.get(stateText(bytes, stateAt))
	if (conversation === undefined) return undefined
	const { upstream } = conversation
	const usable =
		upstream.ready &&
		!upstream.retired &&
		upstream.inFlight < upstream.maxSessions &&
		upstream.watchdog.state !== 'down'
	return usable ? upstream : undefined
}

/** The value of the State attribute at `at`, one character for each octet. */
export function stateText(bytes: Uint8Array, at: number): string {
	let text = ''
	for (let i = at + 2; i < at + bytes[at + 1]!; i++) text += String.fromCharCode(bytes[i]!)
	return text
}

/**
 * Writes the request in `bytes` (described by the engine's index, hidden with `fromKey`) into a slot
 * of the server and queues it. The exchange is pending.
 */
export function forward(
	engine: Engine,
	exchange: Exchange,
	upstream: Upstream,
	bytes: Uint8Array,
	length: number,
	fromKey: Md5Key,
): void {
	const socket = socketWithFreeSlot(upstream)
	if (socket === undefined) {
		release(engine, exchange, 'queue-full')
		return
	}
	const slot = takeSlot(socket, 1)
	const packet = socket.packets[slot]!
	const written =
		exchange.status === undefined
			? forwardAccessRequest(
					bytes,
					length,
					engine.index,
					fromKey,
					packet,
					slot,
					upstream.key,
					nextAuthenticator(engine),
					0,
				)
			: forwardAccountingRequest(
					bytes,
					length,
					engine.index,
					packet,
					slot,
					upstream.key,
					socket.socket.address,
				)
	exchange.upstream = upstream
	exchange.socket = socket
	exchange.slot = slot
	exchange.sentAt = engine.now
	exchange.deadline = engine.now + upstream.settings.timeoutSeconds * 1000
	exchange.transmissions = 0
	upstream.inFlight++
	socket.exchanges[slot] = exchange
	if (written === 0) {
		release(engine, exchange, 'too-long')
		return
	}
	socket.lengths[slot] = written
	transmit(engine, exchange, socket)
	if (needsSocket(upstream, engine.now)) void addSocket(engine, upstream)
}

export function transmit(engine: Engine, exchange: Exchange, socket: UpstreamSocket): void {
	exchange.transmissions++
	sendSlot(socket, exchange.slot)
	touchUpstream(engine, socket)
}

/** Takes the exchange off its server; a slot that was sent from waits out late answers. */
export function detach(engine: Engine, exchange: Exchange): void {
	const { socket, upstream } = exchange
	if (socket !== undefined && upstream !== undefined) {
		if (exchange.transmissions > 0) quarantineSlot(socket, exchange.slot, engine.now)
		else freeSlot(socket, exchange.slot)
		upstream.inFlight--
	}
	exchange.socket = undefined
	exchange.upstream = undefined
}

/** The exchange is over: it is no longer pending at its client. */
export function settle(exchange: Exchange, state: 'idle' | 'answered'): void {
	exchange.state = state
	exchange.peer.pending--
	exchange.peer.listener.pending--
}

/** The servers that were tried, unless it was one plain transmission. */
export function triesOf(exchange: Exchange): Tries | undefined {
	const { upstream, tried } = exchange
	if (tried.length === 0 && exchange.transmissions === 1) return undefined
	const tries: [string, number][] = tried.map(({ upstream: { name }, transmissions }) => [
		name,
		transmissions,
	])
	if (upstream !== undefined && exchange.transmissions > 0) {
		tries.push([upstream.name, exchange.transmissions])
	}
	return tries
}

/** Gives a pending exchange up without an answer, and records why. */
export function release(engine: Engine, exchange: Exchange, reason: UnansweredReason): void {
	const tries = triesOf(exchange)
	detach(engine, exchange)
	settle(exchange, 'idle')
	const decision = decide(engine.state, {
		kind: 'unanswered',
		at: engine.at,
		exchange: exchange.position,
		stream: exchange.stream,
		client: exchange.peer.addressText,
		status: exchange.status,
		reason,
		tries,
	})
	record(engine, decision.events)
}
