/**
 * Simulated access points (WAPs): a socket each for authentication and for accounting, which send,
 * repeat, and check the answers as a RADIUS client does.
 */
import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { subscriberStream, wapStream } from '../../domain/event.ts'
import {
	verifyResponse,
	verifyResponseMessageAuthenticator,
} from '../../domain/radius/authenticator.ts'
import { createMd5Key, type Md5Key } from '../../domain/radius/md5.ts'
import { checkPacket, codes, headerLength, packetLength } from '../../domain/radius/packet.ts'
import { signatureAt } from './message.ts'
import { macOf } from './subscribers.ts'
import { countOutcome, outcomeKey, type Traffic } from './traffic.ts'

/** How a vendor writes a MAC address in normal form. */
export type Spelling = (mac: string) => string

/** A request of an access point: `identifier` and key go in, the octets come out. */
export type BuildRequest = (identifier: number, key: Md5Key) => Uint8Array

export type AccessPoint = {
	readonly name: string
	/** In normal form. */
	readonly mac: string
	/** Called-Station-Id [30]. */
	readonly calledStation: string
	readonly spell: Spelling
	/** Where it sends from, and the secret that it shares with the relay. */
	readonly address: string
	readonly secret: string
	/**
	 * Sends a request to the relay and resolves to the answer, or to undefined when none came.
	 * `subscriber` is the MAC address that it is about; undefined: the access point itself.
	 */
	ask(
		service: 'authentication' | 'accounting',
		subscriber: string | undefined,
		build: BuildRequest,
	): Promise<Uint8Array | undefined>
	/** Gives up whatever is unanswered; nothing is sent any more. May be called again. */
	close(): void
}

export type RelayPorts = { readonly authentication: number; readonly accounting: number }

type Plan = Pick<AccessPoint, 'name' | 'mac' | 'calledStation' | 'spell' | 'address' | 'secret'>

type Pending = {
	readonly request: Uint8Array
	readonly stream: string
	readonly sentAt: number
	transmissions: number
	timer: NodeJS.Timeout
	readonly settle: (answer: Uint8Array | undefined) => void
}

/** One socket, and what awaits an answer on it by identifier. */
type Channel = {
	readonly socket: Socket
	readonly key: Md5Key
	readonly plan: Plan
	readonly port: number
	readonly traffic: Traffic
	readonly pending: Map<number, Pending>
	nextIdentifier: number
	closed: boolean
}

const relayAddress = '127.0.0.1'
const retransmitMs = 2000
const transmissionLimit = 4

const hyphens: Spelling = mac => mac
const colons: Spelling = mac => mac.toLowerCase().replaceAll('-', ':')
const bare: Spelling = mac => mac.toLowerCase().replaceAll('-', '')
const dots: Spelling = mac => bare(mac).replace(/(.{4})(.{4})(.{4})/, '$1.$2.$3')

const models: readonly { name: string; spell: Spelling; ssid: string }[] = [
	{ name: 'lobby', spell: hyphens, ssid: ':campus' },
	{ name: 'library', spell: colons, ssid: ':campus' },
	{ name: 'cafe', spell: dots, ssid: ':campus' },
	{ name: 'hall', spell: bare, ssid: ':campus' },
	{ name: 'roof', spell: hyphens, ssid: '' },
]

/**
 * The access points: each with an address and a secret of its own where the whole of 127.0.0.0/8
 * is this machine (Linux), else all with 127.0.0.1 and one secret.
 */
export async function planAccessPoints(): Promise<readonly Plan[]> {
	const separate = await canBind('127.0.1.1')
	return models.map(({ name, spell, ssid }, i) => {
		const mac = macOf(0x20, i + 1)
		const address = separate ? `127.0.1.${i + 1}` : relayAddress
		const secret = separate ? `secret-of-the-wap-${name}` : 'secret-of-the-waps'
		return { name, mac, spell, calledStation: spell(mac) + ssid, address, secret }
	})
}

async function canBind(address: string): Promise<boolean> {
	const socket = createSocket('udp4')
	try {
		socket.bind(0, address)
		await once(socket, 'listening')
		return true
	} catch {
		return false
	} finally {
		socket.close()
	}
}

export async function openAccessPoint(
	plan: Plan,
	relay: RelayPorts,
	traffic: Traffic,
): Promise<AccessPoint> {
	const channels = {
		authentication: await openChannel(plan, relay.authentication, traffic),
		accounting: await openChannel(plan, relay.accounting, traffic),
	}
	return {
		...plan,
		ask(service, subscriber, build) {
			const stream =
				subscriber === undefined
					? wapStream('default', plan.mac)
					: subscriberStream('default', subscriber)
			return ask(channels[service], stream, build)
		},
		close() {
			for (const channel of Object.values(channels)) closeChannel(channel)
		},
	}
}

async function openChannel(plan: Plan, port: number, traffic: Traffic): Promise<Channel> {
	const socket = createSocket('udp4')
	socket.bind(0, plan.address)
	await once(socket, 'listening')
	const key = createMd5Key(Buffer.from(plan.secret))
	const pending = new Map<number, Pending>()
	const channel = { socket, key, plan, port, traffic, pending, nextIdentifier: 0, closed: false }
	socket.on('error', () => {}) // a relay that is gone shows as requests without an answer
	socket.on('message', datagram => receive(channel, datagram))
	return channel
}

function closeChannel(channel: Channel): void {
	if (channel.closed) return
	channel.closed = true
	for (const { timer, settle } of channel.pending.values()) {
		clearInterval(timer)
		settle(undefined)
	}
	channel.pending.clear()
	channel.socket.close()
}

function ask(
	channel: Channel,
	stream: string,
	build: BuildRequest,
): Promise<Uint8Array | undefined> {
	const { pending, traffic } = channel
	if (channel.closed) return Promise.resolve(undefined)
	while (pending.has(channel.nextIdentifier)) {
		if (pending.size === 256) throw new Error('An access point has all its identifiers in use.')
		channel.nextIdentifier = (channel.nextIdentifier + 1) & 255
	}
	const identifier = channel.nextIdentifier
	channel.nextIdentifier = (identifier + 1) & 255
	const request = build(identifier, channel.key)
	traffic.requests++
	return new Promise(settle => {
		const timer = setInterval(() => retransmit(channel, identifier), retransmitMs)
		const sentAt = performance.now()
		pending.set(identifier, { request, stream, sentAt, transmissions: 1, timer, settle })
		channel.socket.send(request, channel.port, relayAddress)
	})
}

/** Sends the same octets again, or gives up. */
function retransmit(channel: Channel, identifier: number): void {
	const { pending, traffic, socket, port } = channel
	const waiting = pending.get(identifier)
	if (waiting === undefined) return
	if (waiting.transmissions < transmissionLimit) {
		waiting.transmissions++
		traffic.retransmissions++
		socket.send(waiting.request, port, relayAddress)
		return
	}
	clearInterval(waiting.timer)
	pending.delete(identifier)
	traffic.unanswered++
	waiting.settle(undefined)
}

function receive(channel: Channel, datagram: Uint8Array): void {
	const { pending, traffic } = channel
	if (checkPacket(datagram, datagram.length) !== 'ok') return
	const answer = datagram.subarray(0, packetLength(datagram))
	const waiting = pending.get(answer[1]!)
	if (waiting === undefined) return
	if (!isGenuine(answer, waiting.request, channel.key)) {
		traffic.forged++
		return
	}
	clearInterval(waiting.timer)
	pending.delete(answer[1]!)
	const latencyMs = performance.now() - waiting.sentAt
	traffic.answers++
	traffic.latencySumMs += latencyMs
	traffic.latencyMaxMs = Math.max(traffic.latencyMaxMs, latencyMs)
	countAnswer(channel, waiting, answer)
	waiting.settle(answer)
}

/** Both signatures; every answer about access must begin with a Message-Authenticator. */
function isGenuine(answer: Uint8Array, request: Uint8Array, key: Md5Key): boolean {
	const { length } = answer
	if (!verifyResponse(answer, length, request, 4, key)) return false
	const at = signatureAt(answer, length)
	// CVE-2024-3596: what comes before Message-Authenticator could have been chosen by an attacker.
	if (at !== -1)
		return (
			at === headerLength + 2 &&
			verifyResponseMessageAuthenticator(answer, length, request, 4, key, at)
		)
	return answer[0] === codes.accountingResponse
}

function countAnswer(channel: Channel, { request, stream }: Pending, answer: Uint8Array): void {
	const { traffic, plan } = channel
	// The relay answers Status-Server itself and records nothing of it (RFC 5997 §4.2).
	if (request[0] === codes.statusServer) {
		traffic.statusAnswers++
		return
	}
	const count = (type: string) =>
		countOutcome(traffic.received, outcomeKey(plan.address, stream, type))
	switch (answer[0]) {
		case codes.accessAccept:
			traffic.accepts++
			count('AccessAccepted')
			return
		case codes.accessReject:
			traffic.rejects++
			count('AccessRejected')
			return
		case codes.accessChallenge:
			traffic.challenges++
			count('AccessChallenged')
			return
		case codes.accountingResponse:
			traffic.accountingResponses++
			count('AccountingAnswered')
			return
		default:
			count(`a packet with code ${answer[0]}`)
	}
}
