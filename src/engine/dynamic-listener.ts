/** Where RADIUS servers send Disconnect- and CoA-Requests, and what is in flight there. */
import type { DatagramSocket } from '../../adapters/radius/transport.ts'
import type { DynamicRequestServer } from '../../domain/configuration.ts'
import type { Md5Key } from '../../domain/radius/md5.ts'

/** A port, on all addresses; servers of every virtual router that use it share it. */
export type DynamicListener = {
	readonly socket: DatagramSocket
	/** By address. */
	servers: ReadonlyMap<number, DynamicServer>
	/** The virtual router that unknown senders are counted in: the first that uses the port. */
	router: string
	/** No longer configured: it is closed when nothing waits for an access point any more. */
	retired: boolean
	/** It is in the engine's list of sockets to flush. */
	touched: boolean
}

export type DynamicServer = {
	readonly router: string
	/** Dotted text. */
	readonly address: string
	settings: DynamicRequestServer
	/** Undefined: its requests are dropped. */
	key: Md5Key | undefined
	/** By source port and identifier. */
	readonly exchanges: Map<number, DynamicExchange>
}

/** A request that was taken, kept so that a repeat of it can be told. */
export type DynamicExchange = {
	readonly server: DynamicServer
	readonly listener: DynamicListener
	readonly key: Md5Key
	readonly address: number
	readonly port: number
	/** The local address that was asked. */
	readonly local: number
	readonly request: Uint8Array
	state: 'pending' | 'answered'
	/** The answer in the answer cache. */
	answerAt: number
	answerLength: number
	answerMark: number
	/** Monotonic milliseconds. */
	answeredAt: number
}
