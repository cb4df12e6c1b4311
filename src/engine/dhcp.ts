/**
 * The DHCP local server in the turn loop: a message is decoded where it lies, decided by the rules in
 * `domain/lease.ts`, and its reply leaves with the commit of the events that it rests on.
 *
 * A DHCPDISCOVER may be put off and decided again when more is known: when SRC has named a pool, and
 * when a ping is through.
 */
import type { Received } from '../../adapters/radius/transport.ts'
import { options, subOptions } from '../../domain/dhcp/option.ts'
import {
	clientKey,
	clientMac,
	type DhcpPacket,
	decodeDhcp,
	keepPacket,
	messageTypes,
	operations,
	readIp,
	readSubOption,
	readText,
	requestKind,
} from '../../domain/dhcp/packet.ts'
import { decideLease } from '../../domain/lease.ts'
import { dueLeases, poolWarnings } from '../../domain/lease-end.ts'
import type { DhcpRequest, LeaseContext } from '../../domain/lease-message.ts'
import { pingAnswered } from '../../domain/lease-offer.ts'
import { createPools, followLease } from '../../domain/pool.ts'
import { readUint32 } from '../../domain/radius/packet.ts'
import type { Session } from '../../domain/session-table.ts'
import { routerState } from '../../domain/state.ts'
import { endTurnSoon } from './commit.ts'
import { mayDecline } from './decline-limit.ts'
import { receiveFromClient, receiveFromServer, tickExternal } from './dhcp-external.ts'
import { logPoolWarnings } from './dhcp-log.ts'
import { sendReply } from './dhcp-reply.ts'
import {
	type Asked,
	addressFacing,
	countDhcp,
	type DhcpInterface,
	type DhcpListener,
	type DhcpService,
	firstServer,
	isExternal,
	ownerOf,
	takeDhcpDiscards,
} from './dhcp-service.ts'
import type { CommitSharing, Engine } from './engine.ts'
import { presentTime, queueAnswer, record, touchListener } from './record.ts'
import { askSrc, wasJustAsked } from './src-bridge.ts'

/**
 * Commits for DHCP alone keep this distance: to make one message durable costs several times what
 * all else about it does, and a client that gets its address waits for two of them at most.
 */
const commitSharing: CommitSharing = { spacingMs: 2, enough: 64 }
/** How long an address is listened for, and how many are at once. */
const pingMs = 500
const pingLimit = 256
/** Refusals with an event of their own in one second; a flood of them is only counted. */
const refusalLimit = 100
/** Leases that one tick ends at most; the next one ends more. */
const expiryLimit = 1000
/** Interfaces are looked at anew this often, and sooner when a datagram comes by an unknown one. */
const interfacesMs = 5000
const unknownInterfaceMs = 500
/** A client's host name is kept up to this length (RFC 1035 §2.3.4 for one label). */
const hostnameLimit = 63

type MessageName = DhcpRequest['message']
const names: Readonly<Record<number, MessageName>> = {
	[messageTypes.discover]: 'discover',
	[messageTypes.request]: 'request',
	[messageTypes.decline]: 'decline',
	[messageTypes.release]: 'release',
	[messageTypes.inform]: 'inform',
}

/** Answers datagram `i` of a batch, or counts why not. */
export function receiveMessage(
	engine: Engine,
	listener: DhcpListener,
	received: Received,
	i: number,
): void {
	const { dhcp } = engine
	const from = interfaceAt(engine, received.interfaces[i]!)
	const service = from === undefined ? undefined : ownerOf(dhcp, from.name)
	if (from === undefined) return
	const packet = decodeDhcp(received.buffers[i]!, received.lengths[i]!, dhcp.packet)
	if (dhcp.external.size > 0 && typeof packet !== 'string' && packet.op === operations.reply) {
		// Servers may be behind an interface that no service has.
		if (receiveFromServer(engine, listener, packet, received.addresses[i]!)) return
	}
	if (service === undefined) return
	if (typeof packet === 'string') {
		countDhcp(service, 'other', packet)
		return
	}
	if (isExternal(service)) {
		if (packet.op !== operations.request) countDhcp(service, 'other', 'server-unknown')
		else receiveFromClient(engine, listener, service, packet, from, received.locals[i]!)
		return
	}
	const message = names[packet.messageType]
	if (message === undefined || packet.op !== operations.request) {
		countDhcp(service, 'other', 'message-type')
		return
	}
	const local = received.locals[i]!
	const isBroadcast = received.destinations[i] !== local
	const way = { from, local, isBroadcast, sourcePort: received.ports[i]! }
	const asked = readAsked(engine, service, packet, message, way)
	if (typeof asked === 'string') countDhcp(service, message, asked)
	else answer(engine, listener, service, asked)
}

/** The interface of that index; they are looked at anew where it is not known. */
export function interfaceAt(engine: Engine, index: number): DhcpInterface | undefined {
	const known = engine.dhcp.interfaces.get(index)
	if (known !== undefined) return known
	if (engine.now - engine.dhcp.interfacesAt < unknownInterfaceMs) return undefined
	readInterfaces(engine)
	return engine.dhcp.interfaces.get(index)
}

/** Looks at the machine's interfaces. Pools are made anew where its own addresses have changed. */
export function readInterfaces(engine: Engine): void {
	const { dhcp, parts } = engine
	const interfaces = parts.dhcp?.interfaces() ?? []
	dhcp.interfacesAt = engine.now
	dhcp.interfaces = new Map(interfaces.map(each => [each.index, each]))
	dhcp.interfacesByName = new Map(interfaces.map(each => [each.name, each]))
	const own = new Set(interfaces.flatMap(({ addresses }) => addresses))
	const same = own.size === dhcp.own.size && [...own].every(address => dhcp.own.has(address))
	if (same) return
	dhcp.own = own
	for (const service of dhcp.services.values()) makePools(engine, service)
}

export function makePools(engine: Engine, service: DhcpService): void {
	const { leases } = routerState(engine.state, service.router)
	const own = [...engine.dhcp.own]
	service.pools = createPools(service.settings, own, leases, steadyNow(engine))
}

function steadyNow(engine: Engine): number {
	return engine.at - engine.state.clockShiftMs
}

/** How a message came: `local` is the address that it came to, or the interface's first one. */
type Way = {
	readonly from: DhcpInterface
	readonly local: number
	readonly isBroadcast: boolean
	readonly sourcePort: number
}

/** The message as facts, or why nothing can come of it. */
function readAsked(
	engine: Engine,
	service: DhcpService,
	packet: DhcpPacket,
	message: MessageName,
	{ from, local, isBroadcast, sourcePort }: Way,
): Asked | string {
	const mac = clientMac(packet)
	const client = clientKey(packet)
	if (mac === undefined || client === undefined) return 'hardware'
	const interfaceAddress = addressFacing(service, from, local)
	const answering = isBroadcast || local === 0 ? interfaceAddress : local
	const override = subOptionAddress(packet, subOptions.serverIdentifierOverride)
	const named = readIp(packet, options.serverIdentifier)
	const hostname = readText(packet, options.hostName)?.slice(0, hostnameLimit)
	const { ciaddr, giaddr } = packet
	const request: DhcpRequest = {
		message,
		kind: message === 'request' ? requestKind(packet, isBroadcast) : 'invalid',
		mac,
		client,
		requested: readIp(packet, options.requestedAddress) ?? 0,
		ciaddr,
		giaddr,
		link: giaddr === 0 ? 0 : (subOptionAddress(packet, subOptions.linkSelection) ?? giaddr),
		forUs: named === undefined || named === override || engine.dhcp.own.has(named),
		interface: from.name,
		interfaceAddress,
		hostname,
	}
	return {
		packet,
		request,
		serverIdentifier: override ?? answering,
		local: answering,
		interfaceIndex: from.index,
		sourcePort,
	}
}

function subOptionAddress(packet: DhcpPacket, code: number): number | undefined {
	if (packet.giaddr === 0) return undefined
	const value = readSubOption(packet, code)
	return value?.length === 4 ? readUint32(value, 0) : undefined
}

function contextOf(engine: Engine, service: DhcpService): LeaseContext {
	return {
		router: routerState(engine.state, service.router),
		name: service.router,
		service: service.settings.service,
		settings: service.settings,
		pools: service.pools,
		at: engine.at,
		steadyAt: steadyNow(engine),
		pinging: service.pinging,
		asksSrc: engine.src.has(service.router),
	}
}

function answer(engine: Engine, listener: DhcpListener, service: DhcpService, asked: Asked): void {
	const { request } = asked
	if (request.message === 'discover' && service.waiting.has(request.mac)) {
		countDhcp(service, request.message, 'waiting')
		return
	}
	const { events, reply, discard, ping, ask, reclaimed } = decideLease(
		contextOf(engine, service),
		request,
	)
	if (discard !== undefined) countDhcp(service, request.message, discard)
	if (reclaimed) countDhcp(service, request.message, 'offer-reclaimed')
	if (ping !== undefined) {
		void pingFirst(engine, service, asked, ping)
		return
	}
	if (ask !== undefined) {
		void askFirst(engine, service, asked, ask)
		return
	}
	if (events[0]?.type === 'LeaseRefused' && ++service.refusals > refusalLimit) {
		countDhcp(service, request.message, events[0].data.reason)
		return
	}
	if (
		events[0]?.type === 'LeaseDeclined' &&
		!mayDecline(service.declines, request.mac, engine.now)
	) {
		// The address stays the client's until its lease or offer is over: nobody else gets it.
		countDhcp(service, request.message, 'too-many-declines')
		return
	}
	record(engine, events)
	if (reply === undefined) return
	sendReply(engine, listener, service, asked, reply)
	if (events.length > 0) {
		queueAnswer(engine, listener, commitSharing)
		return
	}
	// It rests on nothing new, or on what leaves with this turn.
	countDhcp(service, request.message, reply.kind === 'inform' ? 'answered' : 'repeated')
	touchListener(engine, listener)
}

/** Asks whether somebody uses the address; decides again when that is known. */
async function pingFirst(
	engine: Engine,
	service: DhcpService,
	asked: Asked,
	address: number,
): Promise<void> {
	const { request } = asked
	const { dhcp } = engine.parts
	if (dhcp === undefined || service.pinging.size >= pingLimit) {
		countDhcp(service, request.message, 'ping-limit')
		return
	}
	// The receive buffer is used again while this waits.
	const kept = { ...asked, packet: keepPacket(asked.packet) }
	service.pinging.add(address)
	service.waiting.add(request.mac)
	let answered = false
	try {
		answered = await dhcp.ping(address, pingMs)
	} catch (error) {
		const sentence = `No address can be tried before it is offered: ${(error as Error).message}.`
		engine.parts.log.warn('ping', { address, error: String(error) }, sentence)
	}
	service.pinging.delete(address)
	service.waiting.delete(request.mac)
	resume(engine, service, () => {
		if (answered) record(engine, pingAnswered(contextOf(engine, service), request, address))
		return { ...kept, request: answered ? request : { ...request, silent: address } }
	})
}

/** Asks SRC for the subscriber's pool; decides again when it has answered, or has not in time. */
async function askFirst(
	engine: Engine,
	service: DhcpService,
	asked: Asked,
	session: Session,
): Promise<void> {
	const { request } = asked
	const bridge = engine.src.get(service.router)
	if (bridge === undefined || wasJustAsked(engine, bridge, request.mac)) {
		countDhcp(service, request.message, 'src-repeated')
		return
	}
	// The receive buffer is used again while this waits.
	const kept = { ...asked, packet: keepPacket(asked.packet) }
	service.waiting.add(request.mac)
	const src = await askSrc(engine, bridge, kept, session)
	service.waiting.delete(request.mac)
	resume(engine, service, () => ({ ...kept, request: { ...request, src } }))
}

/** Decides a message that was put off, in a turn that takes in what else has come by now. */
function resume(engine: Engine, service: DhcpService, again: () => Asked): void {
	const { listener, services } = engine.dhcp
	if (engine.stopped || listener === undefined || services.get(service.router) !== service) return
	presentTime(engine)
	answer(engine, listener, service, again())
	endTurnSoon(engine)
}

/** What time brings: leases end, offers and holds lapse, pools fill and empty. */
export function tickDhcp(engine: Engine): void {
	const { dhcp } = engine
	if (dhcp.listener === undefined) return
	if (engine.now - dhcp.interfacesAt >= interfacesMs) readInterfaces(engine)
	const lost = dhcp.listener.socket.takeOverflowed() + dhcp.listener.socket.takeUnsent()
	const first = firstServer(dhcp)
	if (lost > 0 && first !== undefined) countDhcp(first, 'other', 'queue-full', lost)
	const [watching] = dhcp.external.values()
	const missed = dhcp.watch?.takeLost() ?? 0
	if (missed > 0 && watching !== undefined) countDhcp(watching, 'other', 'watch-full', missed)
	for (const service of dhcp.external.values()) tickExternal(engine, service)
	for (const service of dhcp.services.values()) {
		service.refusals = 0
		const context = contextOf(engine, service)
		const due = dueLeases(context, service.nextSlice, expiryLimit)
		service.nextSlice = due.next
		record(engine, due.expired)
		const { leases } = routerState(engine.state, service.router)
		for (const address of due.lapsed) {
			followLease(service.pools, leases, address, context.steadyAt)
		}
		const warnings = poolWarnings(contextOf(engine, service))
		record(engine, warnings)
		logPoolWarnings(engine, service, warnings)
		record(engine, takeDhcpDiscards(service, engine.at))
	}
}
