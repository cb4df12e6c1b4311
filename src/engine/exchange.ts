/**
 * What is in flight between a client and an upstream server. Transient: a crash loses it by design,
 * and nothing durable rests on it. One exchange object serves a client's identifier for as long as
 * the client is heard, so that steady traffic allocates none.
 */
import type { Client } from '../../domain/client.ts'
import type { AccountingStatus } from '../../domain/event.ts'
import type { Listener } from './listener.ts'
import type { Upstream, UpstreamSocket } from './upstream-link.ts'

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
