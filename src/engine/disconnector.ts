/** Disconnect-Requests of a virtual router that wait for access points. */
import type { DatagramSocket, Memory, Transport } from '../../adapters/radius/transport.ts'
import type { DisconnectTarget } from '../../domain/disconnect.ts'
import { disconnectRequestOctets } from '../../domain/dynamic-request.ts'
import type { Md5Key } from '../../domain/radius/md5.ts'
import type { DynamicExchange } from './dynamic-listener.ts'

/** Requests that may await an access point at once, in each virtual router. */
export const askLimit = 256

export type Disconnector = {
	readonly router: string
	readonly socket: DatagramSocket
	/** Address that requests are sent from; 0 where the kernel chooses. */
	readonly source: number
	/** The configured access points by address. */
	clients: ReadonlyMap<string, Link>
	/** By address and port, those included that are no longer configured but owe an answer. */
	readonly links: Map<number, Link>
	readonly asks: Set<Ask>
	/** A request is sent from its slot, and sent again. */
	readonly memory: Memory
	readonly freeSlots: number[]
	/** It is in the engine's list of sockets to flush. */
	touched: boolean
}

/** The way to one access point. */
export type Link = {
	readonly address: number
	readonly port: number
	key: Md5Key
	/** By identifier. */
	readonly asks: Map<number, Ask>
	nextIdentifier: number
}

/** The request of a RADIUS server that waits for an access point. */
export type Waiting = {
	readonly exchange: DynamicExchange
	/** Position and stream of its DisconnectRequested. */
	readonly position: number
	readonly stream: string
	readonly target: DisconnectTarget
}

export type Ask = Waiting & {
	readonly link: Link
	readonly key: Md5Key
	readonly identifier: number
	readonly slot: number
	readonly length: number
	transmissions: number
	/** Monotonic milliseconds. */
	deadline: number
}

export function newDisconnector(
	transport: Transport,
	router: string,
	socket: DatagramSocket,
	source: number,
): Disconnector {
	return {
		router,
		socket,
		source,
		clients: new Map(),
		links: new Map(),
		asks: new Set(),
		memory: transport.allocate(askLimit * disconnectRequestOctets),
		freeSlots: Array.from({ length: askLimit }, (_, slot) => slot),
		touched: false,
	}
}

export function newLink(address: number, port: number, key: Md5Key): Link {
	return { address, port, key, asks: new Map(), nextIdentifier: 0 }
}
