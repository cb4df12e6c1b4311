/** Requests from clients: who sends it, is it valid, was it seen before, and then on to dispatch. */
import type { Received } from '../../adapters/radius/transport.ts'
import { type Client, findClient } from '../../domain/client.ts'
import { decide } from '../../domain/decide.ts'
import { answerStatusServer } from '../../domain/forward.ts'
import { attribute } from '../../domain/radius/attribute.ts'
import { packetLength } from '../../domain/radius/packet.ts'
import {
	accountingStatus,
	examineRequest,
	type MessageAuthenticatorRule,
	readAccessPoint,
	readAccounting,
	readStation,
} from '../../domain/request.ts'
import { routerState } from '../../domain/state.ts'
import { isKept, reserve } from './answer-cache.ts'
import { countDiscard } from './discards.ts'
import { chooseServer, forward, release } from './dispatch.ts'
import type { Engine, Router } from './engine.ts'
import {
	type Exchange,
	keepAuthenticator,
	type Listener,
	newExchange,
	sameAuthenticator,
} from './exchange.ts'
import { findPeer } from './listener.ts'
import { record, touchListener } from './record.ts'
import { forgetStops, isLateStart, noteStop } from './stopped-sessions.ts'

/** RFC 5080 §2.2.2: how long a repeat gets the same answer again. */
const answerLifeMs = 30_000

export function receiveRequests(engine: Engine, listener: Listener, received: Received): void {
	const router = engine.routers.get(listener.router)
	if (router === undefined || listener.retired) return
	for (let i = 0; i < received.count; i++) receiveRequest(engine, router, listener, received, i)
}

function receiveRequest(
	engine: Engine,
	router: Router,
	listener: Listener,
	received: Received,
	i: number,
): void {
	const { service } = listener
	const address = received.addresses[i]!
	const client = findClient(listener.clients, address)
	if (client === undefined) {
		countDiscard(router.discards, service, 'unknown-client', address)
		return
	}
	const bytes = received.buffers[i]!
	const rule = messageAuthenticatorRule(engine, listener, client, address)
	const verdict = examineRequest(service, bytes, received.lengths[i]!, client, rule, engine.index)
	switch (verdict) {
		case 'malformed':
		case 'bad-authenticator':
		case 'invalid':
			countDiscard(router.discards, service, verdict, address)
			return
		case 'invalid-no-message-authenticator':
			countDiscard(router.discards, service, 'invalid', address)
			return
		case 'status-server':
			answerStatus(engine, listener, received, i, client)
			return
		case 'request':
			break
		default:
			verdict satisfies never
			return
	}
	const exchange = findExchange(engine, router, listener, received, i, client)
	if (exchange === undefined) return
	if (!takeRequest(engine, router, exchange, bytes, rule, client, received.locals[i]!)) {
		countDiscard(router.discards, service, 'invalid', address)
	}
}

function messageAuthenticatorRule(
	engine: Engine,
	listener: Listener,
	client: Client,
	address: number,
): MessageAuthenticatorRule {
	switch (listener.settings.messageAuthenticator) {
		case 'require':
			return 'required'
		case 'optional':
			return 'optional'
		case 'auto': {
			if (!client.singleHost) return 'limit-proxy-state'
			const seen = routerState(engine.state, listener.router).messageAuthenticatorSeen
			return seen.has(address) ? 'required' : 'limit-proxy-state'
		}
		default:
			return listener.settings.messageAuthenticator satisfies never
	}
}

/** RFC 5997 §3: answered by the relay itself, and no part of the standard statistics. */
function answerStatus(
	engine: Engine,
	listener: Listener,
	received: Received,
	i: number,
	client: Client,
): void {
	const request = received.buffers[i]!
	for (let k = 0; k < 16; k++) engine.authenticator[k] = request[4 + k]!
	const hop = { key: client.key, identifier: request[1]!, authenticator: engine.authenticator }
	const length = answerStatusServer(listener.service, request, engine.scratch, hop)
	if (length === 0) return
	const { answerCache } = engine
	const at = reserve(answerCache, length)
	answerCache.memory.bytes.set(engine.scratch.subarray(0, length), at)
	const { addresses, ports, locals } = received
	listener.socket.send(answerCache.memory, at, length, addresses[i]!, ports[i]!, locals[i]!)
	touchListener(engine, listener)
}

/**
 * The exchange for a valid request, or undefined when it is a repeat: dropped while the first is
 * pending, answered from the cache afterwards (RFC 5080 §2.2.2).
 */
function findExchange(
	engine: Engine,
	router: Router,
	listener: Listener,
	received: Received,
	i: number,
	client: Client,
): Exchange | undefined {
	const bytes = received.buffers[i]!
	const address = received.addresses[i]!
	const identifier = bytes[1]!
	const peer = findPeer(listener, address, received.ports[i]!)
	if (peer === undefined) {
		countDiscard(router.discards, listener.service, 'queue-full', address)
		return undefined
	}
	peer.heardAt = engine.now
	let exchange = peer.exchanges[identifier]
	if (exchange === undefined) {
		exchange = newExchange(peer, identifier, client)
		peer.exchanges[identifier] = exchange
	} else if (exchange.state !== 'idle' && sameAuthenticator(exchange, bytes)) {
		if (isRepeat(engine, router, exchange)) return undefined
	}
	return exchange
}

/** A new request under this identifier is valid: it retires the old one, if there is one. */
function renew(engine: Engine, exchange: Exchange, client: Client, local: number): void {
	if (exchange.state === 'pending') release(engine, exchange, 'superseded')
	exchange.state = 'idle'
	exchange.client = client
	exchange.local = local
}

/** Deals with a repeat of a request that is known; false when its answer is too old to be kept. */
function isRepeat(engine: Engine, router: Router, exchange: Exchange): boolean {
	const { peer } = exchange
	const { listener } = peer
	if (exchange.state === 'pending') {
		countDiscard(router.discards, listener.service, 'duplicate', peer.address)
		return true
	}
	const { answerCache } = engine
	if (engine.now - exchange.answeredAt > answerLifeMs) return false
	if (!isKept(answerCache, exchange.answerMark, exchange.answerLength)) return false
	countDiscard(router.discards, listener.service, 'repeated', peer.address)
	listener.socket.send(
		answerCache.memory,
		exchange.answerAt,
		exchange.answerLength,
		peer.address,
		peer.port,
		exchange.local,
	)
	touchListener(engine, listener)
	return true
}

/** Records a new request and forwards it; false when it lacks what identifies a subscriber. */
function takeRequest(
	engine: Engine,
	router: Router,
	exchange: Exchange,
	bytes: Uint8Array,
	rule: MessageAuthenticatorRule,
	client: Client,
	local: number,
): boolean {
	const { peer } = exchange
	return peer.listener.service === 'authentication'
		? takeAccessRequest(engine, router, exchange, bytes, rule, client, local)
		: takeAccountingRequest(engine, router, exchange, bytes, client, local)
}

function takeAccessRequest(
	engine: Engine,
	router: Router,
	exchange: Exchange,
	bytes: Uint8Array,
	rule: MessageAuthenticatorRule,
	client: Client,
	local: number,
): boolean {
	const { index, state } = engine
	const { listener, addressText } = exchange.peer
	const station = readStation(bytes, index, addressText)
	if (station === undefined) return false
	renew(engine, exchange, client, local)
	const server = chooseServer(engine, router, exchange.peer, bytes)
	if (server === 'full') return true
	const firstMessageAuthenticator =
		rule === 'limit-proxy-state' &&
		listener.settings.messageAuthenticator === 'auto' &&
		exchange.client.singleHost &&
		index.first[attribute.messageAuthenticator] !== 0
	const decision = decide(state, {
		kind: 'access-request',
		at: engine.at,
		router: router.name,
		station,
		server: server?.name ?? '',
		firstMessageAuthenticator,
	})
	exchange.position = state.position + (firstMessageAuthenticator ? 2 : 1)
	exchange.status = undefined
	exchange.mac = station.mac
	exchange.wap = station.wap
	exchange.ssid = station.ssid
	exchange.nasPort = station.nasPort
	exchange.nasPortId = station.nasPortId
	exchange.user = station.user
	exchange.stream = decision.events[firstMessageAuthenticator ? 1 : 0]!.stream
	record(engine, decision.events)
	if (decision.effect === 'forward' && server !== undefined) {
		begin(exchange, bytes, index.first[attribute.proxyState] !== 0)
		forward(engine, exchange, server, bytes, packetLength(bytes), exchange.client.key)
	}
	return true
}

function takeAccountingRequest(
	engine: Engine,
	router: Router,
	exchange: Exchange,
	bytes: Uint8Array,
	client: Client,
	local: number,
): boolean {
	const { index, state, at } = engine
	const { addressText } = exchange.peer
	const status = accountingStatus(bytes, index)
	if (status === undefined) return false
	const aboutAccessPoint = status === 'on' || status === 'off'
	const accounting = aboutAccessPoint ? undefined : readAccounting(bytes, index, addressText)
	if (!aboutAccessPoint && accounting === undefined) return false
	renew(engine, exchange, client, local)
	const upstream = chooseServer(engine, router, exchange.peer, bytes)
	if (upstream === 'full') return true
	const server = upstream?.name ?? ''
	const { stoppedSessions } = engine
	if (status === 'stop') noteStop(stoppedSessions, router.name, accounting!, engine.now)
	if (status === 'start' && isLateStart(stoppedSessions, router.name, accounting!, engine.now)) {
		accounting!.late = true
	}
	const decision =
		status === 'on' || status === 'off'
			? decide(state, {
					kind: 'access-point-request',
					at,
					router: router.name,
					status,
					accessPoint: readAccessPoint(bytes, index, addressText),
					server,
				})
			: decide(state, {
					kind: 'accounting-request',
					at,
					router: router.name,
					status,
					accounting: accounting!,
					server,
				})
	exchange.position = state.position + 1
	exchange.status = status
	exchange.mac = accounting?.mac ?? ''
	exchange.wap = accounting?.wap ?? ''
	exchange.stream = decision.events[0]!.stream
	const [opening] = decision.events
	if (opening?.type === 'AccountingTurnedOn') {
		forgetStops(stoppedSessions, router.name, opening.data.wap)
	}
	record(engine, decision.events)
	if (decision.effect === 'forward' && upstream !== undefined) {
		begin(exchange, bytes, index.first[attribute.proxyState] !== 0)
		forward(engine, exchange, upstream, bytes, packetLength(bytes), exchange.client.key)
	}
	return true
}

function begin(exchange: Exchange, bytes: Uint8Array, hasProxyState: boolean): void {
	keepAuthenticator(exchange, bytes)
	exchange.state = 'pending'
	exchange.hasProxyState = hasProxyState
	exchange.tried = exchange.tried.length === 0 ? exchange.tried : []
	exchange.peer.pending++
	exchange.peer.listener.pending++
}
