/**
 * A sample home server: what stands behind the relay at an ISP. It knows EAP-MD5, PAP and CHAP,
 * takes accounting, and answers Status-Server. Its secret is not the access points'.
 */
import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { attribute, erx } from '../../domain/radius/attribute.ts'
import {
	verifyAccountingRequest,
	verifyMessageAuthenticator,
} from '../../domain/radius/authenticator.ts'
import { chapResponse, verifyChapPassword } from '../../domain/radius/chap.ts'
import { revealUserPassword } from '../../domain/radius/hidden.ts'
import { createMd5Key, type Md5Key } from '../../domain/radius/md5.ts'
import { checkPacket, codes, packetLength } from '../../domain/radius/packet.ts'
import {
	decodeEap,
	decodeMd5Value,
	type Eap,
	eapCodes,
	eapTypes,
	encodeEap,
	encodeMd5Value,
} from './eap.ts'
import {
	addErxText,
	addNumber,
	addOctets,
	addText,
	authenticatorOf,
	eapMessageOf,
	newMessage,
	octetsOf,
	signatureAt,
	signedAnswer,
	textOf,
} from './message.ts'
import type { Subscriber } from './subscribers.ts'

export type HomeServerOptions = {
	readonly address: string
	readonly secret: string
	readonly subscribers: readonly Subscriber[]
}

export type HomeServer = {
	/** UDP ports. */
	readonly authentication: number
	readonly accounting: number
	close(): void
}

/** An EAP conversation that waits for the answer to a challenge. */
type Conversation = {
	readonly subscriber: Subscriber | undefined
	readonly identifier: number
	readonly challenge: Uint8Array
}

type Server = {
	readonly key: Md5Key
	readonly subscribers: ReadonlyMap<string, Subscriber>
	/** By State, the oldest first. A repeated request must find its conversation again. */
	readonly conversations: Map<string, Conversation>
}

const conversationLimit = 1000
const sessionTimeoutSeconds = 3600
const idleTimeoutSeconds = 600

/** Serves on free ports of the address until it is closed. */
export async function startHomeServer(options: HomeServerOptions): Promise<HomeServer> {
	const server: Server = {
		key: createMd5Key(Buffer.from(options.secret)),
		subscribers: new Map(options.subscribers.map(known => [known.name, known])),
		conversations: new Map(),
	}
	const authentication = await open(options.address, request => answerAccess(server, request))
	const accounting = await open(options.address, request => answerAccounting(server, request))
	return {
		authentication: authentication.address().port,
		accounting: accounting.address().port,
		close() {
			authentication.close()
			accounting.close()
		},
	}
}

async function open(
	address: string,
	answer: (request: Uint8Array) => Uint8Array | undefined,
): Promise<Socket> {
	const socket = createSocket('udp4')
	socket.bind(0, address)
	await once(socket, 'listening')
	socket.on('error', () => {}) // the relay's port may be gone: nobody to answer then
	socket.on('message', (datagram, from) => {
		if (checkPacket(datagram, datagram.length) !== 'ok') return
		const response = answer(datagram.subarray(0, packetLength(datagram)))
		if (response !== undefined) socket.send(response, from.port, from.address)
	})
	return socket
}

/** Undefined: what is not signed, or signed wrongly, gets no answer (RFC 3579 §3.2). */
function answerAccess(server: Server, request: Uint8Array): Uint8Array | undefined {
	const at = signatureAt(request, request.length)
	if (at === -1 || !verifyMessageAuthenticator(request, request.length, server.key, at)) {
		return undefined
	}
	if (request[0] === codes.statusServer) {
		return signedAnswer(newMessage(codes.accessAccept, request[1]!, true), request, server.key)
	}
	if (request[0] !== codes.accessRequest) return undefined
	const eapMessage = eapMessageOf(request)
	if (eapMessage !== undefined) return answerEap(server, request, decodeEap(eapMessage))
	const subscriber = server.subscribers.get(textOf(request, attribute.userName) ?? '')
	return subscriber !== undefined && knowsPassword(server, request, subscriber)
		? accept(server, request, subscriber)
		: reject(server, request)
}

function answerAccounting(server: Server, request: Uint8Array): Uint8Array | undefined {
	const { key } = server
	const answer = newMessage(codes.accountingResponse, request[1]!, false)
	if (request[0] === codes.statusServer) {
		const at = signatureAt(request, request.length)
		if (at === -1 || !verifyMessageAuthenticator(request, request.length, key, at)) return undefined
		return signedAnswer(answer, request, key)
	}
	if (request[0] !== codes.accountingRequest) return undefined
	if (!verifyAccountingRequest(request, request.length, key)) return undefined
	return signedAnswer(answer, request, key)
}

/** PAP (RFC 2865 §5.2) or CHAP (§5.3). */
function knowsPassword(server: Server, request: Uint8Array, { password }: Subscriber): boolean {
	const expected = Buffer.from(password)
	const hidden = octetsOf(request, attribute.userPassword)
	if (hidden !== undefined) {
		const typed = revealUserPassword(hidden, server.key, authenticatorOf(request))
		return typed !== undefined && expected.equals(typed)
	}
	const chapPassword = octetsOf(request, attribute.chapPassword)
	if (chapPassword === undefined) return false
	const challenge = octetsOf(request, attribute.chapChallenge) ?? authenticatorOf(request)
	return verifyChapPassword(chapPassword, expected, challenge)
}

function answerEap(
	server: Server,
	request: Uint8Array,
	eap: Eap | undefined,
): Uint8Array | undefined {
	if (eap === undefined || eap.code !== eapCodes.response) return undefined
	switch (eap.type) {
		case eapTypes.identity:
			return challenge(server, request, eap)
		case eapTypes.md5Challenge:
			return judge(server, request, eap)
		default:
			return reject(server, request, eap.identifier)
	}
}

/** Whoever is unknown is challenged as well, so that nobody learns who is known. */
function challenge(server: Server, request: Uint8Array, eap: Eap): Uint8Array {
	const identifier = (eap.identifier + 1) & 255
	const value = crypto.getRandomValues(new Uint8Array(16))
	const state = crypto.getRandomValues(new Uint8Array(16))
	const subscriber = server.subscribers.get(new TextDecoder().decode(eap.data))
	server.conversations.set(conversationKey(state), { subscriber, identifier, challenge: value })
	for (const oldest of server.conversations.keys()) {
		if (server.conversations.size <= conversationLimit) break
		server.conversations.delete(oldest)
	}
	const answer = newMessage(codes.accessChallenge, request[1]!, true)
	const data = encodeMd5Value(value)
	const packet = encodeEap(eapCodes.request, identifier, eapTypes.md5Challenge, data)
	addOctets(answer, attribute.eapMessage, packet)
	addOctets(answer, attribute.state, state)
	return signedAnswer(answer, request, server.key)
}

/** RFC 3748 §5.4: the response is CHAP's. */
function judge(server: Server, request: Uint8Array, eap: Eap): Uint8Array {
	const state = octetsOf(request, attribute.state)
	const conversation = server.conversations.get(conversationKey(state))
	const given = decodeMd5Value(eap.data)
	const subscriber = conversation?.subscriber
	if (conversation === undefined || subscriber === undefined || given === undefined) {
		return reject(server, request, eap.identifier)
	}
	const password = Buffer.from(subscriber.password)
	const expected = chapResponse(conversation.identifier, password, conversation.challenge)
	return eap.identifier === conversation.identifier && Buffer.compare(expected, given) === 0
		? accept(server, request, subscriber, eap.identifier)
		: reject(server, request, eap.identifier)
}

function accept(
	server: Server,
	request: Uint8Array,
	{ name, plan }: Subscriber,
	eapIdentifier?: number,
): Uint8Array {
	const answer = newMessage(codes.accessAccept, request[1]!, true)
	if (eapIdentifier !== undefined) {
		addOctets(answer, attribute.eapMessage, encodeEap(eapCodes.success, eapIdentifier))
	}
	addText(answer, attribute.userName, name)
	addText(answer, attribute.class, `plan=${plan}`)
	addErxText(answer, erx.serviceBundle, `${plan}-services`)
	addNumber(answer, attribute.sessionTimeout, sessionTimeoutSeconds)
	addNumber(answer, attribute.idleTimeout, idleTimeoutSeconds)
	addText(answer, attribute.framedPool, `${plan}-pool`)
	return signedAnswer(answer, request, server.key)
}

function reject(server: Server, request: Uint8Array, eapIdentifier?: number): Uint8Array {
	const answer = newMessage(codes.accessReject, request[1]!, true)
	// RFC 3579 §2.6.5: no Reply-Message beside EAP-Message.
	if (eapIdentifier === undefined) addText(answer, attribute.replyMessage, 'Wrong password.')
	else addOctets(answer, attribute.eapMessage, encodeEap(eapCodes.failure, eapIdentifier))
	return signedAnswer(answer, request, server.key)
}

function conversationKey(state: Uint8Array = new Uint8Array(0)): string {
	return Buffer.from(state).toString('hex')
}
