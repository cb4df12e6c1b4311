/** Where RADIUS servers send Disconnect- and CoA-Requests, and what is in flight there. */
import type { DatagramSocket } from '../../adapters/radius/transport.ts'
import type { DynamicRequestServer } from '../../domain/configuration.ts'
import type { Verdict } from '../../domain/disconnect.ts'
import { writeDynamicAnswer } from '../../domain/dynamic-request.ts'
import type { Md5Key } from '../../domain/radius/md5.ts'
import { reserve } from './answer-cache.ts'
import type { Disconnector } from './disconnect-client.ts'
import type { DynamicDiscards } from './dynamic-discards.ts'
import { type Engine, queueAnswer } from './engine.ts'

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

/** All of this subject that changes while the engine runs. */
export type DynamicRequests = {
	/** By port. */
	readonly listeners: Map<number, DynamicListener>
	/** By virtual router. */
	readonly disconnectors: Map<string, Disconnector>
	/** No longer configured, but access points still owe answers. */
	readonly retiring: Set<Disconnector>
	readonly discards: DynamicDiscards
}

/** Writes the answer to where it is kept and queues it: it leaves when its events are on disk. */
export function answerDynamicRequest(
	engine: Engine,
	exchange: DynamicExchange,
	verdict: Verdict,
): void {
	const { answerCache, scratch } = engine
	const length = writeDynamicAnswer(exchange.request, scratch, verdict, exchange.key)
	const at = reserve(answerCache, length)
	answerCache.memory.bytes.set(scratch.subarray(0, length), at)
	exchange.state = 'answered'
	exchange.answerAt = at
	exchange.answerLength = length
	exchange.answerMark = answerCache.written
	exchange.answeredAt = engine.now
	sendAnswer(engine, exchange)
	queueAnswer(engine, exchange.listener)
}

export function sendAnswer(engine: Engine, exchange: DynamicExchange): void {
	const { listener, answerAt, answerLength, address, port, local } = exchange
	listener.socket.send(engine.answerCache.memory, answerAt, answerLength, address, port, local)
}
