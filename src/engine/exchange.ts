/**
 * What is in flight between a client and an upstream server. Transient: a crash loses it by design,
 * and nothing durable rests on it. One exchange object serves a client's identifier for as long as
 * the client is heard, so that steady traffic allocates none.
 */
import type { DatagramSocket, Memory } from '../../adapters/radius/transport.ts'
import type { Client, Clients } from '../../domain/client.ts'
import type { RelayServer, Service, UpstreamServer } from '../../domain/configuration.ts'
import type { AccountingStatus, ResponseDiscardReason } from '../../domain/event.ts'
import type { Md5Key } from '../../domain/radius/md5.ts'
import type { Watchdog } from '../../domain/upstream.ts'

/** Requests that may await an answer at once, in all. */
export const pendingLimit = 65_536

export type Exchange = {
	state: 'idle' | 'pending' | 'answered'
	readonly peer: Peer
	readonly identifier: number
	client: Client
	/** The client's Request Authenticator as four words. */
	authenticator0: number
	authenticator1: number
	authenticator2: number
	authenticator3: number
	/** The local address that was asked; 0 where the socket has just one. */
	local: number
	hasProxyState: boolean

	/** Position and stream of the event that opened the exchange. */
	position: number
	stream: string
	mac: string
	wap: string
	ssid: string | undefined
	nasPort: number | undefined
	nasPortId: string | undefined
	/** User-Name of the request. */
	user: string | undefined
	/** Undefined for an Access-Request. */
	status: AccountingStatus | undefined

	upstream: Upstream | undefined
	socket: UpstreamSocket | undefined
	slot: number
	/** Monotonic milliseconds: of the first transmission to the present server, and the next step. */
	sentAt: number
	deadline: number
	transmissions: number
	/** Servers tried before the present one, with their transmissions. */
	tried: { readonly upstream: Upstream; readonly transmissions: number }[]

	/** The answer in the answer cache. */
	answerAt: number
	answerLength: number
	answerMark: number
	answeredAt: number
}

/** A client's UDP port: the duplicates of RFC 5080 §2.2.2 are looked for among its identifiers. */
export type Peer = {
	readonly listener: Listener
	readonly address: number
	readonly addressText: string
	readonly port: number
	readonly exchanges: (Exchange | undefined)[]
	pending: number
	/** Monotonic milliseconds. */
	heardAt: number
}

/** A relay server: its socket and the clients that talk to it. */
export type Listener = {
	readonly router: string
	readonly service: Service
	settings: RelayServer
	clients: Clients
	socket: DatagramSocket
	/** By source address and port. */
	readonly peers: Map<number, Peer>
	/** Exchanges that await an answer. */
	pending: number
	/** Removed from the configuration: it answers what is in flight, and takes nothing new. */
	retired: boolean
	/** It is in the engine's list of sockets to flush. */
	touched: boolean
}

/** 256 slots of an upstream server, one for each identifier. */
export type UpstreamSocket = {
	readonly upstream: Upstream
	readonly socket: DatagramSocket
	readonly memory: Memory
	readonly packets: readonly Uint8Array[]
	readonly lengths: Uint16Array
	readonly purposes: Uint8Array
	readonly exchanges: (Exchange | undefined)[]
	/** Monotonic milliseconds: the end of a quarantine, or when a Status-Server was sent. */
	readonly until: Float64Array
	/** Free identifiers, the one that has been free longest first. */
	readonly free: Uint8Array
	freeAt: number
	freeCount: number
	/** The server has moved to another address: what is in flight may still be answered. */
	retired: boolean
	touched: boolean
}

export type Upstream = {
	readonly router: string
	readonly service: Service
	readonly name: string
	settings: UpstreamServer
	readonly key: Md5Key
	/** Resolved address; 0 while there is none. */
	address: number
	/** Address that requests are sent from; 0 where the kernel chooses. */
	readonly source: number
	readonly sockets: UpstreamSocket[]
	readonly watchdog: Watchdog
	ready: boolean
	inFlight: number
	maxSessions: number
	/** It has signed an answer that it need not have signed: from then on it must. */
	messageAuthenticatorSeen: boolean
	/** A further socket is being opened. */
	opening: boolean
	/** Monotonic milliseconds before which none is, because the last attempt failed. */
	openAgainAt: number
	retired: boolean
	readonly discarded: Map<ResponseDiscardReason, number>
}

export function newPeer(
	listener: Listener,
	address: number,
	addressText: string,
	port: number,
): Peer {
	const exchanges = new Array<Exchange | undefined>(256).fill(undefined)
	return { listener, address, addressText, port, exchanges, pending: 0, heardAt: 0 }
}

export function newExchange(peer: Peer, identifier: number, client: Client): Exchange {
	return {
		state: 'idle',
		peer,
		identifier,
		client,
		authenticator0: 0,
		authenticator1: 0,
		authenticator2: 0,
		authenticator3: 0,
		local: 0,
		hasProxyState: false,
		position: 0,
		stream: '',
		mac: '',
		wap: '',
		ssid: undefined,
		nasPort: undefined,
		nasPortId: undefined,
		user: undefined,
		status: undefined,
		upstream: undefined,
		socket: undefined,
		slot: 0,
		sentAt: 0,
		deadline: 0,
		transmissions: 0,
		tried: [],
		answerAt: 0,
		answerLength: 0,
		answerMark: 0,
		answeredAt: 0,
	}
}

function word(bytes: Uint8Array, at: number): number {
	return (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!
}

/** Whether the request in `bytes` has the Request Authenticator of this exchange. */
export function sameAuthenticator(exchange: Exchange, bytes: Uint8Array): boolean {
	return (
		exchange.authenticator0 === word(bytes, 4) &&
		exchange.authenticator1 === word(bytes, 8) &&
		exchange.authenticator2 === word(bytes, 12) &&
		exchange.authenticator3 === word(bytes, 16)
	)
}

export function keepAuthenticator(exchange: Exchange, bytes: Uint8Array): void {
	exchange.authenticator0 = word(bytes, 4)
	exchange.authenticator1 = word(bytes, 8)
	exchange.authenticator2 = word(bytes, 12)
	exchange.authenticator3 = word(bytes, 16)
}

/** The client's Request Authenticator as 16 octets. */
export function writeAuthenticator(exchange: Exchange, target: Uint8Array): void {
	writeWord(target, 0, exchange.authenticator0)
	writeWord(target, 4, exchange.authenticator1)
	writeWord(target, 8, exchange.authenticator2)
	writeWord(target, 12, exchange.authenticator3)
}

function writeWord(target: Uint8Array, at: number, value: number): void {
	target[at] = value >>> 24
	target[at + 1] = (value >>> 16) & 255
	target[at + 2] = (value >>> 8) & 255
	target[at + 3] = value & 255
}
