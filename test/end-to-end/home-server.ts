/** A small home server whose every answer the test decides, and which keeps what it was sent. */
import { createSocket } from 'node:dgram'
import { type Attribute, answer, code, decode, type Packet, type, valuesOf } from './wire.ts'

export type Answer = { readonly code: number; readonly attributes: readonly Attribute[] }

export type HomeServer = {
	readonly port: number
	/** Requests in the order in which they came, without Status-Server. */
	readonly requests: readonly Packet[]
	readonly watchdogs: readonly Packet[]
	close(): Promise<void>
}

/** Accepts and acknowledges everything, and gives Proxy-State back (RFC 2865 §5.33). */
export function acceptAll(request: Packet): Answer {
	const attributes = valuesOf(request, type.proxyState).map(value => ({
		type: type.proxyState,
		value,
	}))
	const accounting = request.code === code.accountingRequest
	return { code: accounting ? code.accountingResponse : code.accessAccept, attributes }
}

/** `respond` may return undefined: the request stays unanswered. */
export async function startHomeServer(
	secret: string,
	respond: (request: Packet) => Answer | undefined = acceptAll,
	address = '127.0.0.1',
	port = 0,
): Promise<HomeServer> {
	const socket = createSocket({ type: 'udp4', recvBufferSize: 1 << 20 }).unref()
	const requests: Packet[] = []
	const watchdogs: Packet[] = []
	socket.on('message', (bytes, from) => {
		const request = decode(bytes)
		const watchdog = request.code === code.statusServer
		;(watchdog ? watchdogs : requests).push(request)
		const response = watchdog ? { code: code.accessAccept, attributes: [] } : respond(request)
		if (!response) return
		socket.send(
			answer(request, response.code, response.attributes, secret),
			from.port,
			from.address,
		)
	})
	await new Promise<void>((resolve, reject) => {
		socket.once('error', reject)
		socket.bind(port, address, resolve)
	})
	return {
		port: socket.address().port,
		requests,
		watchdogs,
		close: () => new Promise<void>(resolve => socket.close(() => resolve())),
	}
}
