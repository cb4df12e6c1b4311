/**
 * Subscribers' DHCP clients, and the access point in front of them as their relay agent (RFC 3046):
 * with an address of this machine and any UDP port (RFC 8357), so that no privilege is needed.
 */
import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { formatIpv4, parseIpv4 } from '../../domain/address.ts'
import { type DhcpOption, encodeOption, options, subOptions } from '../../domain/dhcp/option.ts'
import {
	type DhcpPacket,
	decodeDhcp,
	messageTypes,
	operations,
	readIp,
	readNumber,
} from '../../domain/dhcp/packet.ts'
import { encodeDhcp } from '../../domain/dhcp/reply.ts'
import type { AccessPoint } from './access-points.ts'
import { fail, type Traffic } from './traffic.ts'

/** What a client got. */
export type Held = {
	readonly address: string
	readonly server: number
	/** Milliseconds since 1970. */
	readonly until: number
}

export type DhcpAgent = {
	/** DISCOVER, OFFER, REQUEST, ACK; undefined when nothing was offered, or no answer came. */
	obtain(mac: string): Promise<Held | undefined>
	/** REQUEST in the state REBINDING (RFC 2131 §4.4.5); undefined when it was refused. */
	renew(mac: string, held: Held): Promise<Held | undefined>
	/** RELEASE, which nobody answers. */
	release(mac: string, held: Held): void
	close(): void
}

type Waiting = { readonly settle: (answer: DhcpPacket | undefined) => void }

type Agent = {
	readonly socket: Socket
	readonly giaddr: number
	readonly circuit: string
	readonly port: number
	readonly traffic: Traffic
	/** By transaction id. */
	readonly waiting: Map<number, Waiting>
	closed: boolean
}

const relayAddress = '127.0.0.1'
const retransmitMs = 2000
const transmissionLimit = 4
const maximumMessage = 1472
let transactions = Math.floor(Math.random() * 2 ** 31)

/** The agent of an access point; `port` is where the relay's DHCP server listens. */
export async function openDhcpAgent(
	{ name, address }: Pick<AccessPoint, 'name' | 'address'>,
	port: number,
	traffic: Traffic,
): Promise<DhcpAgent> {
	const socket = createSocket('udp4')
	socket.bind(0, address)
	await once(socket, 'listening')
	const giaddr = parseIpv4(address)!
	const waiting = new Map<number, Waiting>()
	const agent: Agent = { socket, giaddr, circuit: name, port, traffic, waiting, closed: false }
	socket.on('error', () => {}) // a relay that is gone shows as requests without an answer
	socket.on('message', datagram => receive(agent, datagram))
	return {
		obtain: mac => obtain(agent, mac),
		renew: (mac, held) => renew(agent, mac, held),
		release: (mac, held) => release(agent, mac, held),
		close: () => close(agent),
	}
}

async function obtain(agent: Agent, mac: string): Promise<Held | undefined> {
	const offer = await ask(agent, mac, 'discover', 0, [])
	if (offer === undefined) return undefined
	const server = readIp(offer, options.serverIdentifier) ?? 0
	const ack = await ask(agent, mac, 'request', 0, [
		encodeOption(options.requestedAddress, offer.yiaddr),
		encodeOption(options.serverIdentifier, server),
	])
	if (ack === undefined) return undefined
	if (ack.messageType === messageTypes.ack) return heldBy(ack, server)
	fail(agent.traffic, `DHCP: ${mac} was offered ${formatIpv4(offer.yiaddr)}, and then refused it.`)
	return undefined
}

async function renew(agent: Agent, mac: string, held: Held): Promise<Held | undefined> {
	const answer = await ask(agent, mac, 'request', parseIpv4(held.address)!, [])
	return answer?.messageType === messageTypes.ack ? heldBy(answer, held.server) : undefined
}

function release(agent: Agent, mac: string, { address, server }: Held): void {
	const list = [encodeOption(options.serverIdentifier, server)]
	if (!agent.closed) send(agent, message(agent, mac, 'release', parseIpv4(address)!, list, next()))
}

function heldBy(ack: DhcpPacket, server: number): Held {
	const leaseSeconds = readNumber(ack, options.leaseTime) ?? 0
	return { address: formatIpv4(ack.yiaddr), server, until: Date.now() + leaseSeconds * 1000 }
}

function next(): number {
	transactions = (transactions + 1) % 2 ** 32
	return transactions
}

type RequestType = 'discover' | 'request' | 'release'

/** Sends until there is an answer, as a client does (RFC 2131 §4.1). */
function ask(
	agent: Agent,
	mac: string,
	type: RequestType,
	ciaddr: number,
	list: readonly DhcpOption[],
): Promise<DhcpPacket | undefined> {
	if (agent.closed) return Promise.resolve(undefined)
	const xid = next()
	const bytes = message(agent, mac, type, ciaddr, list, xid)
	let transmissions = 1
	const { promise, resolve } = Promise.withResolvers<DhcpPacket | undefined>()
	const timer = setInterval(() => {
		if (transmissions++ < transmissionLimit) send(agent, bytes)
		else agent.waiting.get(xid)?.settle(undefined)
	}, retransmitMs)
	agent.waiting.set(xid, {
		settle(answer) {
			clearInterval(timer)
			agent.waiting.delete(xid)
			resolve(answer)
		},
	})
	send(agent, bytes)
	return promise
}

function message(
	{ giaddr, circuit }: Agent,
	mac: string,
	type: RequestType,
	ciaddr: number,
	list: readonly DhcpOption[],
	xid: number,
): Uint8Array {
	const bytes = new Uint8Array(maximumMessage)
	const circuitId = Buffer.from(circuit)
	const length = encodeDhcp(bytes, {
		...{ op: operations.request, htype: 1, hops: 1, xid, secs: 0, flags: 0 },
		...{ ciaddr, yiaddr: 0, siaddr: 0, giaddr, sname: '', file: '' },
		chaddr: Buffer.from(mac.replaceAll('-', ''), 'hex'),
		messageType: messageTypes[type],
		options: list,
		relayAgentInformation: Uint8Array.of(
			...[subOptions.circuitId, circuitId.length, ...circuitId],
			...[subOptions.relaySourcePort, 0],
		),
		maximumLength: maximumMessage,
	})
	return bytes.subarray(0, length)
}

function send({ socket, port }: Agent, bytes: Uint8Array): void {
	socket.send(bytes, port, relayAddress)
}

function receive(agent: Agent, datagram: Uint8Array): void {
	const packet = decodeDhcp(datagram, datagram.length)
	if (typeof packet === 'string' || packet.op !== operations.reply) return
	agent.waiting.get(packet.xid)?.settle(packet)
}

function close(agent: Agent): void {
	if (agent.closed) return
	agent.closed = true
	for (const { settle } of [...agent.waiting.values()]) settle(undefined)
	agent.socket.close()
}
