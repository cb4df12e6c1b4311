/**
 * RADIUS-initiated disconnect (RFC 5176): the home server has the relay end a session, and the relay
 * has the access point disconnect the subscriber first. Both ends that are not the relay's.
 */
import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { attribute } from '../../domain/radius/attribute.ts'
import { verifyAccountingRequest, verifyResponse } from '../../domain/radius/authenticator.ts'
import { createMd5Key, type Md5Key } from '../../domain/radius/md5.ts'
import { checkPacket, codes, packetLength } from '../../domain/radius/packet.ts'
import type { AccessPoint } from './access-points.ts'
import { addText, newMessage, signedAnswer, signedRequest } from './message.ts'

export type Disconnector = {
	/** Whether the relay answered that the session of that Acct-Session-Id has ended. */
	disconnect(session: string): Promise<boolean>
	/** Gives up whatever is unanswered. May be called again. */
	close(): void
}

const retransmitMs = 3000
const transmissionLimit = 4
const address = '127.0.0.1'

/** Asks the relay's dynamic-request server at `port` of this machine. */
export async function openDisconnector(port: number, secret: string): Promise<Disconnector> {
	const key = createMd5Key(Buffer.from(secret))
	const waiting = new Map<number, { request: Uint8Array; settle(ended: boolean): void }>()
	let identifier = 0
	let closed = false
	const socket = await open(address, answer => {
		const asked = waiting.get(answer[1]!)
		if (asked === undefined || !verifyResponse(answer, answer.length, asked.request, 4, key)) return
		asked.settle(answer[0] === codes.disconnectAck)
	})
	return {
		disconnect(session) {
			if (closed) return Promise.resolve(false)
			identifier = (identifier + 1) & 255
			const message = newMessage(codes.disconnectRequest, identifier, false)
			addText(message, attribute.acctSessionId, session)
			const request = signedRequest(message, key)
			return new Promise(resolve => {
				const own = identifier
				let transmissions = 1
				const timer = setInterval(() => {
					if (transmissions++ < transmissionLimit) socket.send(request, port, address)
					else waiting.get(own)?.settle(false)
				}, retransmitMs)
				waiting.get(own)?.settle(false)
				waiting.set(own, {
					request,
					settle(ended) {
						clearInterval(timer)
						waiting.delete(own)
						resolve(ended)
					},
				})
				socket.send(request, port, address)
			})
		},
		close() {
			if (closed) return
			closed = true
			for (const { settle } of [...waiting.values()]) settle(false)
			socket.close()
		},
	}
}

/** The port at which an access point lets subscribers be disconnected. */
export type DisconnectPort = { readonly port: number; close(): void }

/** It agrees to every request that is signed with its secret. */
export async function openDisconnectPort(
	plan: Pick<AccessPoint, 'address' | 'secret'>,
): Promise<DisconnectPort> {
	const key: Md5Key = createMd5Key(Buffer.from(plan.secret))
	const socket = await open(plan.address, (request, reply) => {
		if (request[0] !== codes.disconnectRequest) return
		if (!verifyAccountingRequest(request, request.length, key)) return
		reply(signedAnswer(newMessage(codes.disconnectAck, request[1]!, false), request, key))
	})
	return { port: socket.address().port, close: () => socket.close() }
}

async function open(
	at: string,
	receive: (packet: Uint8Array, reply: (answer: Uint8Array) => void) => void,
): Promise<Socket> {
	const socket = createSocket('udp4')
	socket.bind(0, at)
	await once(socket, 'listening')
	socket.on('error', () => {}) // a relay that is gone shows as requests without an answer
	socket.on('message', (datagram, from) => {
		if (checkPacket(datagram, datagram.length) !== 'ok') return
		receive(datagram.subarray(0, packetLength(datagram)), answer =>
			socket.send(answer, from.port, from.address),
		)
	})
	return socket
}
