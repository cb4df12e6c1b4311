/** Disconnect- and CoA-Requests from RADIUS servers: genuine, new, and then what follows. */
import type { Received } from '../../adapters/radius/transport.ts'
import { formatIpv4 } from '../../domain/address.ts'
import { type DynamicRequestInput, decideDynamicRequest } from '../../domain/disconnect.ts'
import {
	examineDynamicRequest,
	type GenuineRequest,
	requestOf,
} from '../../domain/dynamic-request.ts'
import type { DynamicDiscardReason } from '../../domain/event.ts'
import type { Md5Key } from '../../domain/radius/md5.ts'
import { packetLength } from '../../domain/radius/packet.ts'
import { isKept } from './answer-cache.ts'
import { askAccessPoint } from './disconnect-client.ts'
import { answerDynamicRequest, sendAnswer } from './dynamic-answers.ts'
import { countDynamicDiscard } from './dynamic-discards.ts'
import type { DynamicExchange, DynamicListener, DynamicServer } from './dynamic-listener.ts'
import type { Engine } from './engine.ts'
import { record, touchListener } from './record.ts'

/** RFC 5080 §2.2.2: how long a repeat gets the same answer again. */
const answerLifeMs = 30_000
/** Requests of one server that are remembered at once. */
const exchangeLimit = 4096

export function receiveDynamicRequests(
	engine: Engine,
	listener: DynamicListener,
	received: Received,
): void {
	if (listener.retired) return
	for (let i = 0; i < received.count; i++) receiveDynamicRequest(engine, listener, received, i)
}

function receiveDynamicRequest(
	engine: Engine,
	listener: DynamicListener,
	received: Received,
	i: number,
): void {
	const address = received.addresses[i]!
	const server = listener.servers.get(address)
	const reason = takeDatagram(engine, listener, server, received, i)
	if (reason === undefined) return
	const router = server?.router ?? listener.router
	const request = received.lengths[i]! > 0 ? requestOf(received.buffers[i]![0]!) : 'other'
	const kind = { request, reason }
	countDynamicDiscard(engine.dynamic.discards, router, formatIpv4(address), kind)
}

/** Takes a datagram; the reason why nothing comes of it. */
function takeDatagram(
	engine: Engine,
	listener: DynamicListener,
	server: DynamicServer | undefined,
	received: Received,
	i: number,
): DynamicDiscardReason | undefined {
	if (server === undefined) return 'unknown-client'
	if (server.key === undefined) return 'no-key'
	const bytes = received.buffers[i]!
	const examined = examineDynamicRequest(bytes, received.lengths[i]!, server.key, engine.at)
	if (examined.kind === 'discard') return examined.reason
	const port = received.ports[i]!
	const known = server.exchanges.get(port * 256 + bytes[1]!)
	const repeat = known === undefined ? undefined : repeatOf(engine, known, bytes)
	if (repeat !== undefined) return repeat
	if (!makeRoom(engine, server)) return 'queue-full'
	const { addresses, locals } = received
	const exchange = newExchange(server, server.key, listener, {
		address: addresses[i]!,
		port,
		local: locals[i]!,
		request: bytes.slice(0, packetLength(bytes)),
	})
	server.exchanges.set(port * 256 + bytes[1]!, exchange)
	takeRequest(engine, exchange, examined)
	return undefined
}

/** Deals with a repeat of a known request; undefined when it is not one, or can only be new. */
function repeatOf(
	engine: Engine,
	known: DynamicExchange,
	bytes: Uint8Array,
): 'duplicate' | 'repeated' | undefined {
	for (let at = 4; at < 20; at++) if (known.request[at] !== bytes[at]) return undefined
	if (known.state === 'pending') return 'duplicate'
	if (engine.now - known.answeredAt > answerLifeMs) return undefined
	if (!isKept(engine.answerCache, known.answerMark, known.answerLength)) return undefined
	sendAnswer(engine, known)
	touchListener(engine, known.listener)
	return 'repeated'
}

function makeRoom(engine: Engine, server: DynamicServer): boolean {
	if (server.exchanges.size < exchangeLimit) return true
	forgetExchanges(server, engine.now)
	return server.exchanges.size < exchangeLimit
}

/** Forgets requests whose answer is too old to be repeated. */
export function forgetExchanges(server: DynamicServer, now: number): void {
	for (const [key, exchange] of server.exchanges) {
		const old = exchange.state === 'answered' && now - exchange.answeredAt > answerLifeMs
		if (old) server.exchanges.delete(key)
	}
}

function newExchange(
	server: DynamicServer,
	key: Md5Key,
	listener: DynamicListener,
	datagram: Pick<DynamicExchange, 'address' | 'port' | 'local' | 'request'>,
): DynamicExchange {
	return {
		server,
		listener,
		key,
		...datagram,
		state: 'pending',
		answerAt: 0,
		answerLength: 0,
		answerMark: 0,
		answeredAt: 0,
	}
}

function takeRequest(engine: Engine, exchange: DynamicExchange, genuine: GenuineRequest): void {
	const { server } = exchange
	const { request, asked, fault } = genuine
	const { subscriberDisconnect, authorizationChange } = server.settings
	const disconnector = engine.dynamic.disconnectors.get(server.router)
	const source = engine.routers.get(server.router)?.settings.updateSourceAddress
	const local = formatIpv4(exchange.local)
	const input: DynamicRequestInput = {
		at: engine.at,
		router: server.router,
		server: server.address,
		request,
		asked,
		fault,
		allowed: request === 'disconnect' ? subscriberDisconnect : authorizationChange,
		own: source === undefined ? [local] : [local, source],
		disconnectClients: disconnector?.clients ?? new Set(),
	}
	const position = engine.state.position + 1
	const decision = decideDynamicRequest(engine.state, input)
	record(engine, decision.events)
	if (decision.kind === 'answer') {
		answerDynamicRequest(engine, exchange, decision.verdict)
		return
	}
	const { stream } = decision.events[0]!
	askAccessPoint(engine, disconnector!, { exchange, position, stream, target: decision.target })
}
