/** Replies of the DHCP local server: their options, and the way they go (RFC 2131 §4.1, §4.3.1). */
import { parseIpv4 } from '../../domain/address.ts'
import {
	type DhcpOption,
	encodeOption,
	mergeOptions,
	options,
	readOptions,
} from '../../domain/dhcp/option.ts'
import { type DhcpPacket, messageTypes, readOctets } from '../../domain/dhcp/packet.ts'
import { encodeDhcp, replyDestination, replyTo } from '../../domain/dhcp/reply.ts'
import type { LeaseReply } from '../../domain/lease.ts'
import { type Pool, poolAround } from '../../domain/pool.ts'
import type { Addressing, Session } from '../../domain/session-table.ts'
import { reserve } from './answer-cache.ts'
import type { Asked, DhcpListener, DhcpService } from './dhcp-service.ts'
import type { Engine } from './engine.ts'

const clientPort = 68
const broadcastAddress = 0xffff_ffff
/** RFC 2131 §3.3. */
const infiniteSeconds = 0xffff_ffff

/** RFC 2132 §8.7. */
const nodeTypes = { 'b-node': 1, 'p-node': 2, 'm-node': 4, 'h-node': 8 } as const

/** Writes the reply into memory of the answer cache and queues it at the socket. */
export function sendReply(
	engine: Engine,
	listener: DhcpListener,
	service: DhcpService,
	asked: Asked,
	reply: LeaseReply,
): void {
	const { packet } = asked
	const messageType = messageTypeOf(reply)
	const yiaddr = reply.kind === 'offer' || reply.kind === 'ack' ? reply.address : 0
	const message = replyTo(packet, { messageType, yiaddr, options: optionsOf(asked, reply) })
	const length = encodeDhcp(engine.scratch, message)
	const { answerCache } = engine
	const at = reserve(answerCache, length)
	answerCache.memory.bytes.set(engine.scratch.subarray(0, length), at)
	const to = destinationOf(service, asked, reply, messageType, yiaddr)
	const { memory } = answerCache
	listener.socket.send(memory, at, length, to.address, to.port, asked.local, to.interfaceIndex)
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
			if (reply.kind === 'nak' && isRemote(service, packet, request.interfaceAddress)) {
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

function optionsOf({ packet, serverIdentifier }: Asked, reply: LeaseReply): DhcpOption[] {
	const server = encodeOption(options.serverIdentifier, serverIdentifier)
	switch (reply.kind) {
		case 'nak':
			return [server, encodeOption(options.message, reply.message)]
		case 'inform':
			return [server, ...configured(packet, reply.pool, reply.session)]
		case 'offer':
		case 'ack':
			return [
				server,
				...times(reply.leaseSeconds),
				...configured(packet, reply.pool, reply.session),
			]
		default:
			return reply satisfies never
	}
}

/** RFC 2131 §4.4.5: T1 at half of the lease, T2 at seven eighths. */
function times(leaseSeconds: number): DhcpOption[] {
	if (leaseSeconds === 0) return [encodeOption(options.leaseTime, infiniteSeconds)]
	return [
		encodeOption(options.leaseTime, leaseSeconds),
		encodeOption(options.renewalTime, Math.floor(leaseSeconds / 2)),
		encodeOption(options.rebindingTime, Math.floor((leaseSeconds * 7) / 8)),
	]
}

/** What the client asked for of the pool's options; where RADIUS says something else, that. */
function configured(packet: DhcpPacket, pool: Pool, session: Session | undefined): DhcpOption[] {
	const requested = readOctets(packet, options.parameterRequestList)
	const addressing = session?.addressing
	const all = addressing === undefined ? poolOptions(pool) : overridden(pool, addressing)
	// The mask goes to everybody: without it an address is of no use.
	const wanted = all.filter(
		({ code }) =>
			requested === undefined || requested.includes(code) || code === options.subnetMask.code,
	)
	if (addressing?.dhcpOptions === undefined) return wanted
	return mergeOptions(wanted, readOptions(hexOctets(addressing.dhcpOptions)))
}

const made = new WeakMap<Pool, DhcpOption[]>()

function poolOptions(pool: Pool): DhcpOption[] {
	const known = made.get(pool)
	if (known !== undefined) return known
	const { settings, mask, last } = pool
	const list: DhcpOption[] = []
	if (mask !== 0) list.push(encodeOption(options.subnetMask, mask))
	addAddresses(list, options.router, settings.defaultRouters)
	addAddresses(list, options.domainNameServer, settings.dnsServers)
	if (settings.domainName) list.push(encodeOption(options.domainName, settings.domainName))
	if (mask !== 0) list.push(encodeOption(options.broadcastAddress, last))
	addAddresses(list, options.netbiosNameServer, settings.netbiosNameServers)
	list.push(encodeOption(options.netbiosNodeType, nodeTypes[settings.netbiosNodeType]))
	made.set(pool, list)
	return list
}

function overridden(pool: Pool, { framedNetmask, dns, wins }: Addressing): DhcpOption[] {
	const list: DhcpOption[] = []
	const mask = framedNetmask === undefined ? undefined : parseIpv4(framedNetmask)
	if (mask !== undefined) list.push(encodeOption(options.subnetMask, mask))
	addAddresses(list, options.domainNameServer, dns ?? [])
	addAddresses(list, options.netbiosNameServer, wins ?? [])
	return list.length === 0 ? poolOptions(pool) : mergeOptions(poolOptions(pool), list)
}

type AddressList = typeof options.router | typeof options.domainNameServer

function addAddresses(
	list: DhcpOption[],
	option: AddressList | typeof options.netbiosNameServer,
	texts: readonly string[],
): void {
	if (texts.length === 0) return
	list.push(
		encodeOption(
			option,
			texts.map(text => parseIpv4(text) ?? 0),
		),
	)
}

function hexOctets(digits: string): Uint8Array {
	const octets = new Uint8Array(digits.length >>> 1)
	for (let i = 0; i < octets.length; i++) {
		octets[i] = Number.parseInt(digits.slice(i * 2, i * 2 + 2), 16)
	}
	return octets
}
