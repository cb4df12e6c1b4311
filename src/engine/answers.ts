/** Answers from upstream servers: whose are they, are they genuine, and then back to the client. */
import type { Received } from '../../adapters/radius/transport.ts'
import { formatIpv4 } from '../../domain/address.ts'
import { type Decision, decide } from '../../domain/decide.ts'
import { checkOptions } from '../../domain/dhcp/option.ts'
import { examineAnswer, relayAnswer } from '../../domain/forward.ts'
import { attribute, erx, vendor } from '../../domain/radius/attribute.ts'
import {
	codes,
	findVendorAttribute,
	packetLength,
	readText,
	readTextOrHex,
	readUint32,
} from '../../domain/radius/packet.ts'
import { watchdogHeard } from '../../domain/upstream.ts'
import { reserve } from './answer-cache.ts'
import { warnOfOptions } from './dhcp-log.ts'
import { settle, stateText, triesOf } from './dispatch.ts'
import { type Engine, nextAuthenticator } from './engine.ts'
import { type Exchange, type UpstreamSocket, writeAuthenticator } from './exchange.ts'
import { queueAnswer, record } from './record.ts'
import { bridgeFor, missProfile } from './src-bridge.ts'
import { countDiscarded, freeSlot, purpose } from './upstream-link.ts'
import { followWatchdog, watchdogSettings } from './watchdog.ts'

/** EAP conversations remembered at once, in each virtual router; the oldest are forgotten first. */
const conversationLimit = 65_536

export function receiveAnswers(engine: Engine, socket: UpstreamSocket, received: Received): void {
	for (let i = 0; i < received.count; i++) {
		receiveAnswer(engine, socket, received.buffers[i]!, received.lengths[i]!)
	}
}

function receiveAnswer(
	engine: Engine,
	socket: UpstreamSocket,
	bytes: Uint8Array,
	datagramLength: number,
): void {
	const { upstream } = socket
	const slot = bytes[1]!
	const use = socket.purposes[slot]!
	if (datagramLength < 20) {
		countDiscarded(upstream, 'malformed')
		return
	}
	if (use === purpose.free) {
		countDiscarded(upstream, 'unknown')
		return
	}
	const verdict = examineAnswer(
		upstream.service,
		bytes,
		datagramLength,
		socket.packets[slot]!,
		upstream.key,
		upstream.messageAuthenticatorSeen,
		engine.index,
	)
	if (verdict !== 'answer') {
		countDiscarded(upstream, verdict)
		return
	}
	const toStatusServer = socket.packets[slot]![0] === codes.statusServer
	const { first } = engine.index
	if (
		first[attribute.messageAuthenticator] !== 0 &&
		// These are signed by servers that sign nothing else (RFC 3579 §3.1, RFC 5997 §3).
		first[attribute.eapMessage] === 0 &&
		!toStatusServer
	) {
		upstream.messageAuthenticatorSeen = true
	}
	const random = engine.parts.entropy.random()
	const settings = watchdogSettings(engine, upstream)
	followWatchdog(
		engine,
		upstream,
		watchdogHeard(upstream.watchdog, engine.now, settings, random, toStatusServer),
	)
	if (use === purpose.quarantine) {
		// Too late: the exchange was given up. The server lives all the same.
		countDiscarded(upstream, 'unknown')
		freeSlot(socket, slot)
		return
	}
	const exchange = socket.exchanges[slot]
	if (toStatusServer) freeSlot(socket, slot)
	else if (exchange !== undefined) relay(engine, exchange, socket, slot, bytes)
}

function relay(
	engine: Engine,
	exchange: Exchange,
	socket: UpstreamSocket,
	slot: number,
	bytes: Uint8Array,
): void {
	const { upstream } = socket
	const { scratch, answerCache } = engine
	const { peer } = exchange
	const length = packetLength(bytes)
	const entropy = nextAuthenticator(engine)
	const salt = (entropy[0]! << 8) | entropy[1]!
	writeAuthenticator(exchange, engine.authenticator)
	const written = relayAnswer(
		bytes,
		length,
		socket.packets[slot]!,
		exchange.hasProxyState,
		upstream.key,
		scratch,
		{
			key: exchange.client.key,
			identifier: exchange.identifier,
			authenticator: engine.authenticator,
		},
		engine.parts.hidden,
		salt,
	)
	if (written === 0) {
		countDiscarded(upstream, 'malformed')
		return
	}
	const decision = decideAnswer(engine, exchange, bytes, length)
	if (engine.src.size > 0) checkProfile(engine, exchange, decision)
	record(engine, decision.events)
	if (bytes[0] === codes.accessChallenge) rememberConversation(engine, exchange, bytes)
	freeSlot(socket, slot)
	upstream.inFlight--
	exchange.upstream = undefined
	exchange.socket = undefined
	settle(exchange, 'answered')

	const at = reserve(answerCache, written)
	answerCache.memory.bytes.set(scratch.subarray(0, written), at)
	exchange.answerAt = at
	exchange.answerLength = written
	exchange.answerMark = answerCache.written
	exchange.answeredAt = engine.now
	const { listener } = peer
	// Leaves when the turn's events are on disk (told means durable).
	listener.socket.send(answerCache.memory, at, written, peer.address, peer.port, exchange.local)
	queueAnswer(engine, listener)
}

function decideAnswer(
	engine: Engine,
	exchange: Exchange,
	bytes: Uint8Array,
	length: number,
): Decision {
	const { state, at } = engine
	const answered = {
		at,
		exchange: exchange.position,
		stream: exchange.stream,
		client: exchange.peer.addressText,
		server: exchange.upstream!.name,
		roundTripUs: Math.round((engine.now - exchange.sentAt) * 1000),
		tries: triesOf(exchange),
	}
	if (exchange.status !== undefined) {
		return decide(state, { kind: 'accounting-response', ...answered, status: exchange.status })
	}
	switch (bytes[0]) {
		case codes.accessAccept:
			return decide(state, {
				kind: 'accept',
				...answered,
				router: exchange.peer.listener.router,
				mac: exchange.mac,
				wap: exchange.wap,
				facts: acceptFacts(engine, exchange, bytes, length),
			})
		case codes.accessReject: {
			const messageAt = engine.index.first[attribute.replyMessage]!
			const replyMessage =
				messageAt === 0 ? undefined : readText(bytes, messageAt + 2, bytes[messageAt + 1]! - 2)
			return decide(state, { kind: 'reject', ...answered, replyMessage })
		}
		default:
			return decide(state, { kind: 'challenge', ...answered })
	}
}

/** Where SRC is on, upstream servers are told on that leave out what it goes by. */
function checkProfile(engine: Engine, exchange: Exchange, { events }: Decision): void {
	const event = events[0]
	if (event?.type !== 'AccessAccepted') return
	const bridge = bridgeFor(engine, event)
	if (bridge === undefined) return
	const { class: radiusClass, serviceBundle } = event.data
	missProfile(engine, bridge, exchange.upstream!.name, {
		'User-Name': engine.index.first[attribute.userName] !== 0,
		Class: radiusClass !== undefined,
		'Service-Bundle': serviceBundle !== undefined,
	})
}

type AcceptFacts = Extract<Parameters<typeof decide>[1], { kind: 'accept' }>['facts']

/** What an Access-Accept says about the session that may follow. */
function acceptFacts(
	engine: Engine,
	exchange: Exchange,
	bytes: Uint8Array,
	length: number,
): AcceptFacts {
	const facts: { -readonly [K in keyof AcceptFacts]: AcceptFacts[K] } = {}
	const { first } = engine.index
	if (exchange.ssid !== undefined) facts.ssid = exchange.ssid
	if (exchange.nasPortId !== undefined) facts.nasPortId = exchange.nasPortId
	else if (exchange.nasPort !== undefined) facts.nasPort = exchange.nasPort
	let at = first[attribute.userName]!
	const user = at === 0 ? exchange.user : readText(bytes, at + 2, bytes[at + 1]! - 2)
	if (user !== undefined) facts.user = user
	at = first[attribute.class]!
	if (at !== 0) facts.class = readTextOrHex(bytes, at + 2, bytes[at + 1]! - 2)
	at = first[attribute.sessionTimeout]!
	if (at !== 0) facts.sessionTimeoutSeconds = readUint32(bytes, at + 2)
	at = first[attribute.idleTimeout]!
	if (at !== 0) facts.idleTimeoutSeconds = readUint32(bytes, at + 2)
	at = first[attribute.framedIpAddress]!
	if (at !== 0) facts.framedAddress = formatIpv4(readUint32(bytes, at + 2))
	at = first[attribute.framedIpNetmask]!
	if (at !== 0) facts.framedNetmask = formatIpv4(readUint32(bytes, at + 2))
	at = first[attribute.framedPool]!
	if (at !== 0) facts.framedPool = readText(bytes, at + 2, bytes[at + 1]! - 2)
	const vendorFrom = first[attribute.vendorSpecific]!
	if (vendorFrom === 0) return facts
	at = findVendorAttribute(bytes, length, vendor.juniperErx, erx.serviceBundle, vendorFrom)
	if (at >= 0) facts.serviceBundle = readTextOrHex(bytes, at + 2, bytes[at + 1]! - 2)
	at = findVendorAttribute(bytes, length, vendor.juniperErx, erx.addressPool, vendorFrom)
	if (at >= 0) facts.addressPool = readText(bytes, at + 2, bytes[at + 1]! - 2)
	const dns = vendorAddresses(bytes, length, vendorFrom, erx.primaryDns, erx.secondaryDns)
	if (dns.length > 0) facts.dns = dns
	const wins = vendorAddresses(bytes, length, vendorFrom, erx.primaryWins, erx.secondaryWins)
	if (wins.length > 0) facts.wins = wins
	const raw = dhcpOptionsIn(bytes, length, vendorFrom)
	if (raw.length === 0) return facts
	const checked = checkOptions(raw)
	if (checked === true) facts.dhcpOptions = Buffer.from(raw).toString('hex')
	else warnOfOptions(engine, exchange.peer.listener.router, exchange.upstream!.name, checked)
	return facts
}

function vendorAddresses(
	bytes: Uint8Array,
	length: number,
	from: number,
	...types: readonly number[]
): string[] {
	const found = types.map(type => findVendorAttribute(bytes, length, vendor.juniperErx, type, from))
	return found
		.filter(at => at >= 0 && bytes[at + 1] === 6)
		.map(at => formatIpv4(readUint32(bytes, at + 2)))
}

/** All of DHCP-Options [26-55] in a row. */
function dhcpOptionsIn(bytes: Uint8Array, length: number, from: number): Uint8Array {
	const octets: number[] = []
	const find = (after: number) =>
		findVendorAttribute(bytes, length, vendor.juniperErx, erx.dhcpOptions, after)
	for (let at = find(from); at >= 0; at = find(at + 1)) {
		octets.push(...bytes.subarray(at + 2, at + bytes[at + 1]!))
	}
	return Uint8Array.from(octets)
}

/** The next request of this conversation carries the State that the server gives here. */
function rememberConversation(engine: Engine, exchange: Exchange, bytes: Uint8Array): void {
	const stateAt = engine.index.first[attribute.state]!
	const router = engine.routers.get(exchange.peer.listener.router)
	if (stateAt === 0 || router === undefined || exchange.upstream === undefined) return
	// With one server there is nothing to choose.
	if (router.upstreams.authentication.length < 2) return
	const { conversations } = router
	if (conversations.size >= conversationLimit) {
		const oldest = conversations.keys().next().value
		if (oldest !== undefined) conversations.delete(oldest)
	}
	conversations.set(stateText(bytes, stateAt), { upstream: exchange.upstream, at: engine.now })
}
