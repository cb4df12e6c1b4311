/** Replies of the DHCP local server, and the way they go (RFC 2131 §4.1). */
import { parseIpv4 } from '../../domain/address.ts'
import { type DhcpPacket, messageTypes } from '../../domain/dhcp/packet.ts'
import { encodeDhcp, replyDestination, replyTo } from '../../domain/dhcp/reply.ts'
import { filledLength, fillForm } from '../../domain/dhcp/reply-form.ts'
import type { LeaseReply } from '../../domain/lease-message.ts'
import { poolAround } from '../../domain/pool.ts'
import { reserve } from './answer-cache.ts'
import { optionsOf, usualForm } from './dhcp-reply-options.ts'
import type { Asked, DhcpListener, DhcpService } from './dhcp-service.ts'
import type { Engine } from './engine.ts'

const clientPort = 68
const broadcastAddress = 0xffff_ffff

/** Writes the reply into memory of the answer cache and queues it at the socket. */
export function sendReply(
	engine: Engine,
	listener: DhcpListener,
	service: DhcpService,
	asked: Asked,
	reply: LeaseReply,
): void {
	const messageType = messageTypeOf(reply)
	const yiaddr = reply.kind === 'offer' || reply.kind === 'ack' ? reply.address : 0
	const length = writeReply(engine, asked, reply, messageType, yiaddr)
	const to = destinationOf(service, asked, reply, messageType, yiaddr)
	const { memory, next } = engine.answerCache
	const at = next - length
	listener.socket.send(memory, at, length, to.address, to.port, asked.local, to.interfaceIndex)
}

/** Puts the reply where the answer cache's next octets are, and returns its length. */
function writeReply(
	{ answerCache, scratch }: Engine,
	asked: Asked,
	reply: LeaseReply,
	messageType: number,
	yiaddr: number,
): number {
	const { packet } = asked
	const { bytes } = answerCache.memory
	const form = usualForm(asked, reply)
	const filled = form === undefined ? 0 : filledLength(form, packet)
	if (form !== undefined && filled > 0) {
		fillForm(bytes, reserve(answerCache, filled), form, packet, { messageType, yiaddr })
		return filled
	}
	const content = { messageType, yiaddr, options: optionsOf(asked, reply), ...bootFields(reply) }
	const length = encodeDhcp(scratch, replyTo(packet, content))
	bytes.set(scratch.subarray(0, length), reserve(answerCache, length))
	return length
}

/** Where to boot from, as SRC says: a boot loader reads the header (RFC 2131 §2, table 1). */
function bootFields(reply: LeaseReply): { siaddr?: number; sname?: string; file?: string } {
	if (reply.kind === 'nak' || reply.decision === undefined) return {}
	const { bootServer, bootFile } = reply.decision
	const siaddr = bootServer === undefined ? undefined : parseIpv4(bootServer)
	return {
		...(bootServer === undefined ? {} : { sname: bootServer }),
		...(siaddr === undefined ? {} : { siaddr }),
		...(bootFile === undefined ? {} : { file: bootFile }),
	}
}

function messageTypeOf(reply: LeaseReply): number {
	switch (reply.kind) {
		case 'offer':
			return messageTypes.offer
		case 'ack':
		case 'inform':
			return messageTypes.ack
		case 'nak':
			return messageTypes.nak
		default:
			return reply satisfies never
	}
}

type Destination = {
	readonly address: number
	readonly port: number
	/** 0: as the routing table has it. */
	readonly interfaceIndex: number
}

function destinationOf(
	service: DhcpService,
	{ packet, request, interfaceIndex, sourcePort }: Asked,
	reply: LeaseReply,
	messageType: number,
	yiaddr: number,
): Destination {
	const to = replyDestination(packet, { messageType, yiaddr }, sourcePort)
	switch (to.kind) {
		case 'relay':
			return { address: to.address, port: to.port, interfaceIndex: 0 }
		case 'unicast':
			return { address: to.address, port: clientPort, interfaceIndex: 0 }
		case 'broadcast':
			if (
				reply.kind === 'nak' &&
				!reply.here &&
				isRemote(service, packet, request.interfaceAddress)
			) {
				return { address: packet.ciaddr, port: clientPort, interfaceIndex: 0 }
			}
			return { address: broadcastAddress, port: clientPort, interfaceIndex }
		case 'link-unicast':
			// No ARP answer can be had before the client has its address: RFC 2131 §4.1 lets it be broadcast.
			return { address: broadcastAddress, port: clientPort, interfaceIndex }
		default:
			return to satisfies never
	}
}

/** A client that renews across routers: a broadcast on the receiving interface would not reach it. */
function isRemote(
	{ pools }: DhcpService,
	{ ciaddr }: DhcpPacket,
	interfaceAddress: number,
): boolean {
	const pool = ciaddr === 0 ? undefined : poolAround(pools, ciaddr)
	return pool !== undefined && pool !== poolAround(pools, interfaceAddress)
}
