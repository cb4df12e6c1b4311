/** The DHCP local server while it runs: one socket, and a service for each virtual router. */
import type { DatagramSocket } from '../../adapters/radius/transport.ts'
import type { DhcpLocal } from '../../domain/configuration.ts'
import { createDhcpPacket, type DhcpPacket } from '../../domain/dhcp/packet.ts'
import { type NewEvent, relayStream } from '../../domain/event.ts'
import type { DhcpRequest } from '../../domain/lease.ts'
import type { Pools } from '../../domain/pool.ts'

export type DhcpInterface = {
	readonly index: number
	readonly name: string
	readonly addresses: readonly number[]
	/** What the operator calls it. */
	readonly alias?: string
}

/** What the server asks of the machine; a simulation has its own. */
export type DhcpSystem = {
	/** Interfaces that have an IPv4 address, with the index that datagrams come with. */
	interfaces(): readonly DhcpInterface[]
	/** Whether somebody answers at an address; rejects where that cannot be found out. */
	ping(address: number, timeoutMs: number): Promise<boolean>
}

export type DhcpListener = {
	readonly socket: DatagramSocket
	readonly dhcp: Dhcp
	touched: boolean
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
}
type Discard = { readonly message: string; readonly reason: string; count: number }

export type Dhcp = {
	listener: DhcpListener | undefined
	readonly services: Map<string, DhcpService>
	/** By index. */
	interfaces: ReadonlyMap<number, DhcpInterface>
	/** This machine's own addresses. */
	own: ReadonlySet<number>
	/** Monotonic milliseconds at which the interfaces were last looked at. */
	interfacesAt: number
	/** Every message is decoded into this one. */
	readonly packet: DhcpPacket
}

export function newDhcp(): Dhcp {
	return {
		listener: undefined,
		services: new Map(),
		interfaces: new Map(),
		own: new Set(),
		interfacesAt: Number.NEGATIVE_INFINITY,
		packet: createDhcpPacket(),
	}
}

/** The service whose interface it is: one that names it, or else the one that names none. */
export function serviceOn(dhcp: Dhcp, name: string): DhcpService | undefined {
	let everywhere: DhcpService | undefined
	for (const service of dhcp.services.values()) {
		if (service.settings.interfaces.includes(name)) return service
		if (service.settings.interfaces.length === 0) everywhere = service
	}
	return everywhere
}

/** Counts a message that leaves no event of its own. */
export function countDhcp(service: DhcpService, message: string, reason: string, times = 1): void {
	const key = `${message} ${reason}`
	const counted = service.discards.get(key)
	if (counted === undefined) service.discards.set(key, { message, reason, count: times })
	else counted.count += times
}

/** The events for what was counted since the last call. */
export function takeDhcpDiscards({ discards, router }: DhcpService, at: number): NewEvent[] {
	const stream = relayStream(router)
	const events = [...discards.values()].map(
		(data): NewEvent => ({ stream, type: 'DhcpDiscarded', v: 1, at, data }),
	)
	discards.clear()
	return events
}
