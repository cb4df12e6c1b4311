/** What must hold of a simulated relay after every step, whatever has happened to it. */
import * as assert from 'uvu/assert'
import type { RecordedEvent } from '../domain/event.ts'
import { verifyMessageAuthenticator, verifyResponse } from '../domain/radius/authenticator.ts'
import { askLimit, type Disconnector } from '../src/engine/disconnector.ts'
import type { Exchange, Listener, Peer, Upstream, UpstreamSocket } from '../src/engine/exchange.ts'
import { purpose } from '../src/engine/upstream-link.ts'
import { attributesOf, homeSecret, key, type SimulatedRelay } from './simulated-relay.ts'

/** Lets sockets that are being opened, and names that are being resolved, come to an end. */
export async function settled(): Promise<void> {
	for (let i = 0; i < 20; i++) await Promise.resolve()
}

export function ofType<T extends RecordedEvent['type']>(
	relay: SimulatedRelay,
	type: T,
): Extract<RecordedEvent, { type: T }>[] {
	return relay.events().filter(event => event.type === type) as never
}

/** The reasons and counts of gathered discards of requests, once they are recorded. */
export function discardsOf(relay: SimulatedRelay): Record<string, number> {
	const counts: Record<string, number> = {}
	for (const { data } of ofType(relay, 'RequestsDiscarded')) {
		counts[data.reason] = (counts[data.reason] ?? 0) + data.count
	}
	return counts
}

/** The same of answers that were thrown away. */
export function responseDiscardsOf(relay: SimulatedRelay): Record<string, number> {
	const counts: Record<string, number> = {}
	for (const { data } of ofType(relay, 'ResponsesDiscarded')) {
		counts[data.reason] = (counts[data.reason] ?? 0) + data.count
	}
	return counts
}

/** A forwarded Access-Request is signed first of all, with the server's secret. */
export function assertSignedFirst(bytes: Uint8Array, secret = homeSecret): void {
	assert.is(bytes[20], 80, 'Message-Authenticator is the first attribute')
	assert.is(attributesOf(bytes).filter(([type]) => type === 80).length, 1, 'and the only one')
	assert.ok(verifyMessageAuthenticator(bytes.slice(), bytes.length, key(secret), 22))
}

/** An answer answers that request, signed with that secret. */
export function assertAnswers(answer: Uint8Array, request: Uint8Array, secret: string): void {
	assert.is(answer[1], request[1], 'the identifier comes back')
	assert.ok(verifyResponse(answer.slice(), answer.length, request, 4, key(secret)))
	const signature = attributesOf(answer).findIndex(([type]) => type === 80)
	if (answer[0] === 5) return
	assert.is(signature, 0, 'Message-Authenticator is the first attribute')
	const asSigned = answer.slice()
	asSigned.set(request.subarray(4, 20), 4)
	assert.ok(verifyMessageAuthenticator(asSigned, asSigned.length, key(secret), 22))
}

function exchangesOf(peer: Peer): Exchange[] {
	return peer.exchanges.filter(exchange => exchange !== undefined)
}

/** Called after every step of a simulation: it asserts what is wrong, and nothing else. */
function assertSlots(upstream: Upstream, socket: UpstreamSocket): number {
	const { purposes, exchanges, free, freeAt, freeCount } = socket
	const isFree = new Uint8Array(256)
	for (let i = 0; i < freeCount; i++) {
		const slot = free[(freeAt + i) & 255]!
		if (isFree[slot] === 1) assert.unreachable(`slot ${slot} is free twice`)
		isFree[slot] = 1
	}
	let used = 0
	let requests = 0
	for (let slot = 0; slot < 256; slot++) {
		const use = purposes[slot]
		const exchange = exchanges[slot]
		if (use !== purpose.free) used++
		if ((isFree[slot] === 1) !== (use === purpose.free)) {
			assert.unreachable(`slot ${slot} is free, or is not: its purpose is ${use}`)
		}
		if ((exchange !== undefined) !== (use === purpose.request)) {
			assert.unreachable(`slot ${slot} has an exchange, or has none: its purpose is ${use}`)
		}
		if (exchange === undefined) continue
		requests++
		assert.is(exchange.state, 'pending')
		assert.is(exchange.slot, slot)
		assert.ok(exchange.socket === socket && exchange.upstream === upstream)
	}
	assert.is(freeCount + used, 256, 'every slot is free or used')
	return requests
}

function assertListener(listener: Listener): void {
	let pending = 0
	for (const peer of listener.peers.values()) {
		const waiting = exchangesOf(peer).filter(exchange => exchange.state === 'pending')
		assert.is(peer.pending, waiting.length, 'a peer knows how many of its exchanges wait')
		pending += waiting.length
		for (const exchange of waiting) {
			assert.ok(exchange.socket?.exchanges[exchange.slot] === exchange, 'and each has its slot')
		}
	}
	assert.is(listener.pending, pending, 'a listener knows how many of its exchanges wait')
}

function assertDisconnector({ asks, links, freeSlots }: Disconnector): void {
	const slots = new Set([...freeSlots, ...[...asks].map(({ slot }) => slot)])
	assert.is(slots.size, askLimit, 'every slot is free or used')
	assert.is(freeSlots.length + asks.size, askLimit, 'and none is both')
	const linked = [...links.values()].flatMap(link => [...link.asks.values()])
	assert.equal(new Set(linked), asks, 'each question has its identifier')
	for (const { exchange } of asks) assert.is(exchange.state, 'pending')
}

export function assertInvariants({ engine }: SimulatedRelay): void {
	const routers = [...engine.routers.values()]
	const upstreams = routers.flatMap(router => Object.values(router.upstreams).flat())
	const listeners = routers.flatMap(router => Object.values(router.listeners))
	for (const retiring of engine.retiring) {
		if ('peers' in retiring) listeners.push(retiring)
		else upstreams.push(retiring)
	}
	for (const upstream of upstreams) {
		const requests = upstream.sockets.map(socket => assertSlots(upstream, socket))
		const sum = requests.reduce((a, b) => a + b, 0)
		assert.is(upstream.inFlight, sum, 'a server knows how many requests it has')
	}
	for (const listener of listeners) assertListener(listener)
	const { disconnectors, retiring } = engine.dynamic
	for (const disconnector of [...disconnectors.values(), ...retiring]) {
		assertDisconnector(disconnector)
	}
	assert.is(engine.state.position, engine.parts.journal.last() + engine.batch.length)
}
