/**
 * Disconnect-Requests to access points: one socket for each virtual router, and 256 identifiers for
 * each access point. An answer is bound to its request by the authenticator, so an identifier may be
 * used again at once. Transient: what is in flight at a crash is lost, and the RADIUS server, which
 * was told nothing, asks again.
 */
import type { Received } from '../../adapters/radius/transport.ts'
import { formatIpv4 } from '../../domain/address.ts'
import { type AccessPointAnswer, decideAccessPointAnswer } from '../../domain/disconnect.ts'
import {
	disconnectRequestOctets,
	examineDisconnectAnswer,
	writeDisconnectRequest,
} from '../../domain/dynamic-request.ts'
import type { ResponseDiscardReason } from '../../domain/event.ts'
import type { Ask, Disconnector, Link, Waiting } from './disconnector.ts'
import { answerDynamicRequest } from './dynamic-answers.ts'
import { countDynamicDiscard } from './dynamic-discards.ts'
import type { Engine } from './engine.ts'
import { record, touchUpstream } from './record.ts'

/** RFC 5176 leaves it to the sender: the relay's own values for home servers. */
const timeoutMs = 3000
const transmissionLimit = 3

/** Sends the Disconnect-Request at once: it rests on nothing that must be on disk. */
export function askAccessPoint(engine: Engine, disconnector: Disconnector, waiting: Waiting): void {
	const { target } = waiting
	const link = disconnector.clients.get(target.client)
	const identifier = link === undefined ? undefined : freeIdentifier(link)
	const slot = identifier === undefined ? undefined : disconnector.freeSlots.pop()
	if (link === undefined || identifier === undefined || slot === undefined) {
		settle(engine, waiting, { kind: 'unasked' })
		return
	}
	const { key } = link
	const packet = packetOf(disconnector, slot)
	const length = writeDisconnectRequest(packet, identifier, target, engine.at, key)
	const ask = { ...waiting, link, key, identifier, slot, length, transmissions: 0, deadline: 0 }
	link.asks.set(identifier, ask)
	disconnector.asks.add(ask)
	transmit(engine, disconnector, ask)
}

function freeIdentifier(link: Link): number | undefined {
	if (link.asks.size === 256) return undefined
	while (link.asks.has(link.nextIdentifier)) link.nextIdentifier = (link.nextIdentifier + 1) & 255
	const identifier = link.nextIdentifier
	link.nextIdentifier = (identifier + 1) & 255
	return identifier
}

function packetOf(disconnector: Disconnector, slot: number): Uint8Array {
	const begin = slot * disconnectRequestOctets
	return disconnector.memory.bytes.subarray(begin, begin + disconnectRequestOctets)
}

function transmit(engine: Engine, disconnector: Disconnector, ask: Ask): void {
	const { link, slot, length } = ask
	ask.transmissions++
	ask.deadline = engine.now + timeoutMs
	const at = slot * disconnectRequestOctets
	disconnector.socket.send(disconnector.memory, at, length, link.address, link.port, 0)
	touchUpstream(engine, disconnector)
}

export function receiveDisconnectAnswers(
	engine: Engine,
	disconnector: Disconnector,
	received: Received,
): void {
	for (let i = 0; i < received.count; i++) {
		const address = received.addresses[i]!
		const bytes = received.buffers[i]!
		const link = disconnector.links.get(linkKey(address, received.ports[i]!))
		const ask = link?.asks.get(bytes[1]!)
		const reason = receiveAnswer(engine, disconnector, ask, bytes, received.lengths[i]!)
		if (reason === undefined) continue
		const { discards } = engine.dynamic
		const sender = formatIpv4(address)
		countDynamicDiscard(discards, disconnector.router, sender, { request: undefined, reason })
	}
}

/** Takes an answer; the reason why it is none. */
function receiveAnswer(
	engine: Engine,
	disconnector: Disconnector,
	ask: Ask | undefined,
	bytes: Uint8Array,
	datagramLength: number,
): ResponseDiscardReason | undefined {
	if (datagramLength < 20) return 'malformed'
	if (ask === undefined) return 'unknown'
	const request = packetOf(disconnector, ask.slot)
	const answer = examineDisconnectAnswer(bytes, datagramLength, request, ask.key)
	if (answer.kind === 'discard') return answer.reason
	end(disconnector, ask)
	settle(engine, ask, answer)
	return undefined
}

export function linkKey(address: number, port: number): number {
	return address * 65_536 + port
}

/** What an access point has not answered is sent again, and given up in the end. */
export function tickDisconnector(engine: Engine, disconnector: Disconnector): void {
	for (const ask of disconnector.asks) {
		if (engine.now < ask.deadline) continue
		if (ask.transmissions < transmissionLimit) transmit(engine, disconnector, ask)
		else {
			end(disconnector, ask)
			settle(engine, ask, { kind: 'silent' })
		}
	}
}

function end(disconnector: Disconnector, ask: Ask): void {
	const { link, identifier, slot } = ask
	disconnector.asks.delete(ask)
	disconnector.freeSlots.push(slot)
	link.asks.delete(identifier)
	const configured = disconnector.clients.get(formatIpv4(link.address)) === link
	if (!configured && link.asks.size === 0) {
		disconnector.links.delete(linkKey(link.address, link.port))
	}
}

/** Records what the access point said, and answers the RADIUS server. */
function settle(engine: Engine, waiting: Waiting, answer: AccessPointAnswer): void {
	const { exchange, position, stream, target } = waiting
	const { server } = exchange
	const decision = decideAccessPointAnswer(engine.state, {
		at: engine.at,
		router: server.router,
		server: server.address,
		exchange: position,
		stream,
		target,
		answer,
	})
	record(engine, decision.events)
	answerDynamicRequest(engine, exchange, decision.verdict)
}
