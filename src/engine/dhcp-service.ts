/** DHCP while it runs: one socket, and a service for each virtual router, local or external. */
import type { PassingDatagram, Watch } from '../../adapters/dhcp/watch.ts'
import type { DatagramSocket } from '../../adapters/radius/transport.ts'
import type { DhcpExternal, DhcpLocal } from '../../domain/configuration.ts'
import { createDhcpPacket, type DhcpPacket } from '../../domain/dhcp/packet.ts'
import { type NewEvent, relayStream } from '../../domain/event.ts'
import type { DhcpRequest } from '../../domain/lease-message.ts'
import { type Pools, poolAround } from '../../domain/pool.ts'
import type { ClientMessage } from '../../domain/shadow-lease.ts'
import type { Declines } from './decline-limit.ts'
import type { Backlog } from './dhcp-backlog.ts'

export type DhcpInterface = {
	readonly index: number
	readonly name: string
	readonly addresses: readonly number[]
	/** What the operator calls it. */
	readonly alias?: string
	/** What the system makes of it: kind and name. */
	readonly description?: string
}

/** What the server asks of the machine; a simulation has its own. */
export type DhcpSystem = {
	/** Interfaces that have an IPv4 address, with the index that datagrams come with. */
	interfaces(): readonly DhcpInterface[]
	/** Whether somebody answers at an address; rejects where that cannot be found out. */
	ping(address: number, timeoutMs: number): Promise<boolean>
	/** Watches DHCP messages that the machine routes; throws an Error where it may not. */
	watch?(deliver: (datagram: PassingDatagram) => void, delivered: () => void): Watch
}

export type DhcpListener = {
	readonly socket: DatagramSocket
	readonly dhcp: Dhcp
	touched: boolean
	/** DHCPDISCOVERs that wait; made when for the first time more have come than one batch. */
	backlog: Backlog | undefined
}

/** A message, and what its reply needs to know of its way. */
export type Asked = {
	readonly packet: DhcpPacket
	readonly request: DhcpRequest
	/** Address for Server Identifier [54]. */
	readonly serverIdentifier: number
	/** The address to answer from, and the interface to broadcast on. */
	readonly local: number
	readonly interfaceIndex: number
	/** The UDP port that the message came from. */
	readonly sourcePort: number
}

export type DhcpService = {
	readonly router: string
	settings: DhcpLocal & { readonly service: NonNullable<DhcpLocal['service']> }
	pools: Pools
	/** Deadlines before this slice have been seen to. */
	nextSlice: number
	readonly discards: Map<string, Discard>
	/** Addresses that wait for the answer to a ping, and the MACs that they are for. */
	readonly pinging: Set<number>
	readonly waiting: Set<string>
	/** Refusals recorded in this second. */
	refusals: number
	readonly declines: Declines
}

/** A request that was passed on or seen, and is remembered for a while. */
export type Awaited = {
	readonly asked: ClientMessage
	readonly xid: number
	/** Monotonic milliseconds: of its latest transmission and of the first one. */
	readonly at: number
	readonly since: number
	/** A server has acknowledged or refused it: whatever comes after that is late, or doubled. */
	answered: boolean
}

export type ExternalService = {
	readonly router: string
	settings: DhcpExternal
	/** `settings.servers` as numbers. */
	servers: readonly number[]
	/** Deadlines before this slice have been seen to. */
	nextSlice: number
	readonly discards: Map<string, Discard>
	/** Messages passed on or seen in this second. */
	readonly forwarded: Map<string, Forwarded>
	/** The latest of each client identifier, by MAC, the oldest first. */
	readonly awaited: Map<string, readonly Awaited[]>
	/** Refusals recorded in this second. */
	refusals: number
}
type Forwarded = { readonly message: string; readonly seen: boolean; count: number }
type Discard = { readonly message: string; readonly reason: string; count: number }

export type Dhcp = {
	listener: DhcpListener | undefined
	readonly services: Map<string, DhcpService>
	readonly external: Map<string, ExternalService>
	/** Open while there is an external server. */
	watch: Watch | undefined
	/** By index. */
	interfaces: ReadonlyMap<number, DhcpInterface>
	interfacesByName: ReadonlyMap<string, DhcpInterface>
	/** This machine's own addresses. */
	own: ReadonlySet<number>
	/** Monotonic milliseconds at which the interfaces were last looked at. */
	interfacesAt: number
	/** Every message is decoded into this one. */
	readonly packet: DhcpPacket
	/** Virtual routers and upstream servers whose DHCP-Options [26-55] were useless, and told of. */
	readonly reproached: Set<string>
}

export function newDhcp(): Dhcp {
	return {
		listener: undefined,
		services: new Map(),
		external: new Map(),
		watch: undefined,
		interfaces: new Map(),
		interfacesByName: new Map(),
		own: new Set(),
		interfacesAt: Number.NEGATIVE_INFINITY,
		packet: createDhcpPacket(),
		reproached: new Set(),
	}
}

/** What an interface is called beside its name; nothing where there is none of that name. */
export function interfaceWords(
	{ interfacesByName }: Dhcp,
	name: string | undefined,
): Pick<DhcpInterface, 'alias' | 'description'> {
	return (name === undefined ? undefined : interfacesByName.get(name)) ?? {}
}

/** The service whose interface it is: one that names it, or else the one that names none. */
export function ownerOf(dhcp: Dhcp, name: string): DhcpService | ExternalService | undefined {
	let everywhere: DhcpService | ExternalService | undefined
	for (const services of [dhcp.services, dhcp.external]) {
		for (const service of services.values()) {
			if (service.settings.interfaces.includes(name)) return service
			if (service.settings.interfaces.length === 0) everywhere = service
		}
	}
	return everywhere
}

/** The first of all servers: it tells of what the socket lost, which is one for all of them. */
export function firstServer(dhcp: Dhcp): DhcpService | ExternalService | undefined {
	const [first] = [...dhcp.services.values(), ...dhcp.external.values()]
	return first
}

/**
 * The address of the receiving interface that pools go by: the one that was spoken to, else the first one,
 * and where no pool has that one's network, the first that has a pool. Whoever sends to another
 * interface's address still comes by this one.
 */
export function addressFacing(service: DhcpService, from: DhcpInterface, local: number): number {
	const { addresses } = from
	const usual = addresses.includes(local) ? local : addresses[0]!
	const { pools } = service
	if (addresses.length === 1 || poolAround(pools, usual) !== undefined) return usual
	return addresses.find(address => poolAround(pools, address) !== undefined) ?? usual
}

export function isExternal(service: DhcpService | ExternalService): service is ExternalService {
	return 'servers' in service
}

/** Counts a message that leaves no event of its own. */
export function countDhcp(
	service: DhcpService | ExternalService,
	message: string,
	reason: string,
	times = 1,
): void {
	const key = `${message} ${reason}`
	const counted = service.discards.get(key)
	if (counted === undefined) service.discards.set(key, { message, reason, count: times })
	else counted.count += times
}

/** The events for what was counted since the last call. */
export function takeDhcpDiscards(service: DhcpService | ExternalService, at: number): NewEvent[] {
	const { discards, router } = service
	const stream = relayStream(router)
	const external = isExternal(service) ? { external: true as const } : {}
	const events = [...discards.values()].map((discard): NewEvent => {
		return { stream, type: 'DhcpDiscarded', v: 1, at, data: { ...discard, ...external } }
	})
	discards.clear()
	return events
}

/** Counts a message between a client and the external server; `seen`: it was not passed on here. */
export function countForwarded(
	{ forwarded }: ExternalService,
	message: string,
	seen: boolean,
): void {
	const key = `${message} ${seen}`
	const counted = forwarded.get(key)
	if (counted === undefined) forwarded.set(key, { message, seen, count: 1 })
	else counted.count++
}

/** The events for what was passed on and seen since the last call. */
export function takeForwarded({ forwarded, router }: ExternalService, at: number): NewEvent[] {
	const stream = relayStream(router)
	const events = [...forwarded.values()].map(({ message, seen, count }): NewEvent => {
		const data = { message, count, ...(seen ? { seen: true as const } : {}) }
		return { stream, type: 'DhcpForwarded', v: 1, at, data }
	})
	forwarded.clear()
	return events
}
