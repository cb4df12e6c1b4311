/**
 * The DHCP external server in the turn loop: requests go on to the servers as a relay agent sends
 * them, answers return to the client's interface, and what was routed past the relay is watched. What
 * follows from it all for the shadow leases is decided in `domain/shadow-lease.ts`. A DHCPACK reaches
 * the client when its LeaseObserved is on disk; requests leave at once.
 */
import type { PassingDatagram } from '../../adapters/dhcp/watch.ts'
import { options } from '../../domain/dhcp/option.ts'
import {
	broadcastFlag,
	clientKey,
	clientMac,
	clientPort,
	type DhcpPacket,
	decodeDhcp,
	messageTypes,
	operations,
	readIp,
	readNumber,
	readText,
	serverPort,
} from '../../domain/dhcp/packet.ts'
import { relayReply, relayRequest } from '../../domain/dhcp/relay-agent.ts'
import type { NewEvent } from '../../domain/event.ts'
import { dueLeases } from '../../domain/lease-end.ts'
import type { Pools } from '../../domain/pool.ts'
import {
	type ClientMessage,
	decideClientMessage,
	decideServerMessage,
	type ServerMessage,
	type ShadowContext,
} from '../../domain/shadow-lease.ts'
import { routerState } from '../../domain/state.ts'
import { reserve } from './answer-cache.ts'
import { endTurn } from './commit.ts'
import {
	type Awaited,
	countDhcp,
	countForwarded,
	type Dhcp,
	type DhcpInterface,
	type DhcpListener,
	type ExternalService,
	isExternal,
	ownerOf,
	takeDhcpDiscards,
	takeForwarded,
} from './dhcp-service.ts'
import type { Engine } from './engine.ts'
import { presentTime, queueAnswer, record, touchListener } from './record.ts'

/** Requests that are remembered until their answers come, and how long (RFC 2131 §4.1: 64 s at most). */
const awaitedLimit = 65_536
const awaitedMs = 120_000
/** Client identifiers of one MAC that are told apart. */
const awaitedOfMac = 8
/** Refusals with an event of their own in one second; the rest is only counted. */
const refusalLimit = 100
/** Leases that one tick ends at most; the next one ends more. */
const expiryLimit = 1000
const hostnameLimit = 63
const broadcastAddress = 0xffff_ffff
const noPools: Pools = { byName: new Map(), byNetwork: [], excluded: [] }

const clientMessages: Readonly<Record<number, ClientMessage['message']>> = {
	[messageTypes.discover]: 'discover',
	[messageTypes.request]: 'request',
	[messageTypes.decline]: 'decline',
	[messageTypes.release]: 'release',
	[messageTypes.inform]: 'inform',
}
const serverMessages: Readonly<Record<number, ServerMessage['message']>> = {
	[messageTypes.offer]: 'offer',
	[messageTypes.ack]: 'ack',
	[messageTypes.nak]: 'nak',
}

function contextOf(engine: Engine, { router: name }: ExternalService): ShadowContext {
	const tellsSrc = engine.src.has(name)
	return { name, router: routerState(engine.state, name), at: engine.at, tellsSrc }
}

// ---- From clients ----

/** Passes a request on to every server. `local`: the address that it came to, 0 where unknown. */
export function receiveFromClient(
	engine: Engine,
	listener: DhcpListener,
	service: ExternalService,
	packet: DhcpPacket,
	from: DhcpInterface,
	local: number,
): void {
	const asked = readClientMessage(packet, from.name)
	if (typeof asked === 'string') {
		countDhcp(service, 'other', asked)
		return
	}
	if (service.servers.length === 0) {
		countDhcp(service, asked.message, 'no-server')
		return
	}
	const interfaceAddress = from.addresses.includes(local) ? local : from.addresses[0]!
	const trusted = service.settings.trustAll
	const agent = { interfaceAddress, own: engine.dhcp.own, trusted }
	const length = relayRequest(engine.scratch, packet, agent)
	if (typeof length === 'string') {
		countDhcp(service, asked.message, length)
		return
	}
	heardFromClient(engine, service, packet, asked)
	countForwarded(service, asked.message, false)
	const at = keepOctets(engine, length)
	for (const server of service.servers) {
		const { memory } = engine.answerCache
		listener.socket.send(memory, at, length, server, serverPort, interfaceAddress, 0)
	}
	touchListener(engine, listener)
}

function readClientMessage(packet: DhcpPacket, name: string): ClientMessage | string {
	const message = clientMessages[packet.messageType]
	if (message === undefined) return 'message-type'
	const mac = clientMac(packet)
	const client = clientKey(packet)
	if (mac === undefined || client === undefined) return 'hardware'
	const { ciaddr, giaddr } = packet
	const requested = readIp(packet, options.requestedAddress) ?? 0
	// RFC 2131 table 5: what is released is in ciaddr.
	const address = message === 'release' || requested === 0 ? ciaddr : requested
	const hostname = readText(packet, options.hostName)?.slice(0, hostnameLimit)
	return { message, mac, client, address, giaddr, interface: name, hostname }
}

/** What follows from a client's message, and what its answer will be matched with. */
function heardFromClient(
	engine: Engine,
	service: ExternalService,
	{ xid }: DhcpPacket,
	asked: ClientMessage,
): void {
	record(engine, decideClientMessage(contextOf(engine, service), asked))
	const { awaited } = service
	// What the client asked before is of no interest any more.
	const all = awaited.get(asked.mac) ?? []
	const others = all.filter(other => other.asked.client !== asked.client)
	const first = all.find(other => other.xid === xid && other.asked.message === asked.message)
	// Taken out first: the table is in order of time.
	awaited.delete(asked.mac)
	const gaveUp = asked.message === 'release' || asked.message === 'decline'
	const at = engine.now
	const now = gaveUp ? [] : [{ asked, xid, at, since: first?.since ?? at, answered: false }]
	const left = [...others, ...now].slice(-awaitedOfMac)
	if (left.length === 0) return
	if (awaited.size >= awaitedLimit) {
		const oldest = awaited.keys().next().value
		if (oldest !== undefined) awaited.delete(oldest)
		countDhcp(service, 'other', 'awaited-limit')
	}
	awaited.set(asked.mac, left)
}

/** Copies the scratch memory to where it can be sent from. */
function keepOctets(engine: Engine, length: number): number {
	const { answerCache } = engine
	const at = reserve(answerCache, length)
	answerCache.memory.bytes.set(engine.scratch.subarray(0, length), at)
	return at
}

// ---- From servers ----

/**
 * Passes a reply on to the interface that giaddr names (RFC 1542 §4.1.2). False where no external
 * server is configured that it could come from.
 */
export function receiveFromServer(
	engine: Engine,
	listener: DhcpListener,
	packet: DhcpPacket,
	source: number,
): boolean {
	const { dhcp } = engine
	const to = interfaceOf(dhcp, packet.giaddr)
	const owner = to === undefined ? undefined : ownerOf(dhcp, to.name)
	if (to === undefined || owner === undefined || !isExternal(owner)) {
		const service = servedBy(dhcp, source)
		if (service === undefined) return false
		countDhcp(service, 'other', 'giaddr-unknown')
		return true
	}
	if (!owner.servers.includes(source)) {
		countDhcp(owner, 'other', 'server-unknown')
		return true
	}
	const answer = readServerMessage(engine, owner, packet, source, to.name)
	if (typeof answer === 'string') {
		countDhcp(owner, 'other', answer)
		return true
	}
	const fault = unexpected(owner, packet, answer)
	if (fault !== undefined) {
		countDhcp(owner, answer.message, fault)
		return true
	}
	const length = relayReply(engine.scratch, packet)
	if (typeof length === 'string') {
		countDhcp(owner, 'other', length)
		return true
	}
	const told = heardFromServer(engine, owner, answer)
	countForwarded(owner, answer.message, false)
	const at = keepOctets(engine, length)
	const address = replyAddress(packet)
	const { memory } = engine.answerCache
	listener.socket.send(memory, at, length, address, clientPort, packet.giaddr, to.index)
	if (told) queueAnswer(engine, listener)
	else touchListener(engine, listener)
	return true
}

function interfaceOf({ interfaces }: Dhcp, address: number): DhcpInterface | undefined {
	if (address === 0) return undefined
	for (const each of interfaces.values()) if (each.addresses.includes(address)) return each
	return undefined
}

/** The first virtual router that has the address as its server. */
function servedBy({ external }: Dhcp, server: number): ExternalService | undefined {
	for (const service of external.values()) if (service.servers.includes(server)) return service
	return undefined
}

/**
 * A client that has an address is told there, unless it is refused or wants a broadcast. Others do
 * not answer ARP yet: RFC 2131 §4.1 lets their replies be broadcast.
 */
function replyAddress({ ciaddr, flags, messageType }: DhcpPacket): number {
	const everybody = (flags & broadcastFlag) !== 0 || messageType === messageTypes.nak
	return everybody || ciaddr === 0 ? broadcastAddress : ciaddr
}

/** `name`: the client's interface where giaddr tells it, else empty. */
function readServerMessage(
	engine: Engine,
	service: ExternalService,
	packet: DhcpPacket,
	source: number,
	name: string,
): ServerMessage | string {
	const message = serverMessages[packet.messageType]
	if (message === undefined) return 'message-type'
	const mac = clientMac(packet)
	if (mac === undefined) return 'hardware'
	const awaited = awaitedFor(service, packet, mac)
	// RFC 6842 lets a server repeat the client identifier; older ones leave it out.
	const client = awaited?.asked.client ?? clientKey(packet)
	if (client === undefined) return 'hardware'
	return {
		message,
		mac,
		client,
		address: packet.yiaddr,
		leaseSeconds: readNumber(packet, options.leaseTime),
		giaddr: packet.giaddr,
		server: readIp(packet, options.serverIdentifier) ?? source,
		interface: name || (awaited?.asked.interface ?? ''),
		asked: awaited?.asked,
		askedMsAgo: awaited === undefined ? 0 : Math.floor(engine.now - awaited.since),
	}
}

/**
 * Why nothing follows from an answer that comes when its client has gone on: it has asked for something
 * else, has given its address back, or has taken an earlier answer (RFC 2131 §4.4.1). A server may have
 * given the address to somebody else by then. Offers bind nobody.
 */
function unexpected(
	service: ExternalService,
	packet: DhcpPacket,
	{ message, mac }: ServerMessage,
): 'unmatched' | 'repeated' | undefined {
	if (message === 'offer') return undefined
	const awaited = awaitedFor(service, packet, mac)
	if (awaited === undefined) return 'unmatched'
	if (awaited.answered) return 'repeated'
	awaited.answered = true
	return undefined
}

function awaitedFor(
	{ awaited }: ExternalService,
	{ xid }: DhcpPacket,
	mac: string,
): Awaited | undefined {
	return awaited.get(mac)?.find(each => each.xid === xid)
}

/** Whether something was recorded that the client may not be told of before it is on disk. */
function heardFromServer(engine: Engine, service: ExternalService, answer: ServerMessage): boolean {
	let events: readonly NewEvent[] = decideServerMessage(contextOf(engine, service), answer)
	if (events[0]?.type === 'LeaseRefused' && ++service.refusals > refusalLimit) {
		countDhcp(service, 'other', 'refusal-limit')
		events = events.slice(1)
	}
	record(engine, events)
	return events.length > 0
}

// ---- Past the relay ----

/**
 * A message that this machine routed between a client and its server. Nothing of it is held back: it
 * is on its way already. What is addressed to this machine comes by the socket.
 */
export function receivePassing(engine: Engine, datagram: PassingDatagram): void {
	const { dhcp } = engine
	const { bytes, source, destination, destinationPort, interfaceIndex } = datagram
	if (engine.stopped || destination === broadcastAddress || dhcp.own.has(destination)) return
	const packet = decodeDhcp(bytes, bytes.length, dhcp.packet)
	if (typeof packet === 'string') return
	if (packet.op === operations.request) {
		if (destinationPort !== serverPort) return
		passingRequest(engine, packet, destination, interfaceIndex)
	} else passingReply(engine, packet, source)
}

function passingRequest(
	engine: Engine,
	packet: DhcpPacket,
	server: number,
	interfaceIndex: number,
): void {
	const { dhcp } = engine
	const from = dhcp.interfaces.get(interfaceIndex)
	const service = from === undefined ? undefined : ownerOf(dhcp, from.name)
	// Whatever else has DHCP across this machine is none of the relay's business.
	if (from === undefined || service === undefined || !isExternal(service)) return
	if (!service.servers.includes(server)) return
	const asked = readClientMessage(packet, from.name)
	if (typeof asked === 'string') {
		countDhcp(service, 'other', asked)
		return
	}
	countForwarded(service, asked.message, true)
	heardFromClient(engine, service, packet, asked)
}

/** Only the answer to a message that was seen says something: anybody could send one. */
function passingReply(engine: Engine, packet: DhcpPacket, source: number): void {
	const mac = clientMac(packet)
	if (mac === undefined) return
	for (const service of engine.dhcp.external.values()) {
		if (!service.servers.includes(source)) continue
		if (awaitedFor(service, packet, mac) === undefined) continue
		const answer = readServerMessage(engine, service, packet, source, '')
		if (typeof answer === 'string') continue
		countForwarded(service, answer.message, true)
		const fault = unexpected(service, packet, answer)
		if (fault === undefined) heardFromServer(engine, service, answer)
		else countDhcp(service, answer.message, fault)
		return
	}
	const service = servedBy(engine.dhcp, source)
	if (service !== undefined) countDhcp(service, 'other', 'unmatched')
}

/** Begins to watch. Throws an Error where this machine does not let it. */
export function watchPassing(engine: Engine): void {
	const { dhcp, parts } = engine
	if (dhcp.watch !== undefined || parts.dhcp?.watch === undefined) return
	let began = false
	dhcp.watch = parts.dhcp.watch(
		datagram => {
			if (!began) presentTime(engine)
			began = true
			receivePassing(engine, datagram)
		},
		() => {
			if (began && !engine.stopped) endTurn(engine)
			began = false
		},
	)
}

// ---- Time ----

/** What time brings: shadow leases end, requests are forgotten, counts are recorded. */
export function tickExternal(engine: Engine, service: ExternalService): void {
	const { router: name, awaited } = service
	service.refusals = 0
	for (const [mac, requests] of awaited) {
		// In order of time, but for a client that gave up beside others: the first young one ends the search.
		if (requests.some(({ at }) => engine.now - at < awaitedMs)) break
		awaited.delete(mac)
	}
	const router = routerState(engine.state, name)
	const steadyAt = engine.at - engine.state.clockShiftMs
	const context = { name, router, at: engine.at, steadyAt, pools: noPools }
	const due = dueLeases(context, service.nextSlice, expiryLimit)
	service.nextSlice = due.next
	record(engine, due.expired)
	record(engine, takeForwarded(service, engine.at))
	record(engine, takeDhcpDiscards(service, engine.at))
}
