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
import {
	createReplyForm,
	filledLength,
	fillForm,
	type ReplyForm,
} from '../../domain/dhcp/plain-reply.ts'
import { encodeDhcp, replyDestination, replyTo } from '../../domain/dhcp/reply.ts'
import type { LeaseReply } from '../../domain/lease-message.ts'
import { type Pool, poolAround } from '../../domain/pool.ts'
import { decodeOctets } from '../../domain/sae/dhcp-options.ts'
import type { SrcDecision } from '../../domain/sae/logins.ts'
import type { Addressing } from '../../domain/session-table.ts'
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

function optionsOf({ packet, serverIdentifier }: Asked, reply: LeaseReply): DhcpOption[] {
	const server = encodeOption(options.serverIdentifier, serverIdentifier)
	switch (reply.kind) {
		case 'nak':
			return [server, encodeOption(options.message, reply.message)]
		case 'inform':
			return [server, ...configured(packet, reply)]
		case 'offer':
		case 'ack':
			return [server, ...times(reply.leaseSeconds), ...configured(packet, reply)]
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

type Configured = Exclude<LeaseReply, { kind: 'nak' }>

/** What the client asked for of the pool's options; where RADIUS or SRC says something else, that. */
function configured(packet: DhcpPacket, reply: Configured): DhcpOption[] {
	const { pool, session, decision } = reply
	const requested = readOctets(packet, options.parameterRequestList)
	const addressing = session?.addressing
	const address = reply.kind === 'inform' ? packet.ciaddr : reply.address
	const all =
		addressing === undefined ? optionsMadeOf(pool).list : overridden(pool, addressing, address)
	const raw = addressing?.dhcpOptions
	// Given to everybody, asked for or not.
	const own: DhcpOption[] = raw === undefined ? [] : notOurs(readOptions(hexOctets(raw)))
	if (decision !== undefined) own.push(...decidedOptions(decision))
	const list = own.length === 0 ? all : mergeOptions(all, own)
	return requested === undefined ? [...list] : askedFor(list, requested, own)
}

/**
 * The options that the client asks for, the mask and `own`. RFC 2132 §9.8: in the order in which it
 * asks, which is its preference where there is not room for all; §3.3: the mask before the routers,
 * and it goes to everybody: without it an address is of no use. What it did not ask for comes last.
 */
function askedFor(
	list: readonly DhcpOption[],
	requested: Uint8Array,
	own: readonly DhcpOption[],
): DhcpOption[] {
	const mask = options.subnetMask.code
	const ordered = list.filter(({ code }) => code === mask)
	for (let i = 0; i < requested.length; i++) {
		const code = requested[i]!
		if (code === mask) continue
		const option = list.find(one => one.code === code)
		// A client may well ask for the same twice.
		if (option !== undefined && !ordered.includes(option)) ordered.push(option)
	}
	for (const { code } of own) {
		const option = list.find(one => one.code === code)
		if (option !== undefined && !ordered.includes(option)) ordered.push(option)
	}
	return ordered
}

/** What only the server itself can say: nobody else's word for it reaches a client. */
const ownOptions: readonly number[] = [
	options.leaseTime.code,
	options.overload.code,
	options.messageType.code,
	options.serverIdentifier.code,
	options.renewalTime.code,
	options.rebindingTime.code,
	options.clientIdentifier.code,
	options.relayAgentInformation.code,
]

function notOurs(given: readonly DhcpOption[]): DhcpOption[] {
	return given.filter(({ code }) => !ownOptions.includes(code))
}

/** SRC's options, and the boot server and file as options 66 and 67 beside their header fields. */
function decidedOptions({ dhcpOptions, bootServer, bootFile }: SrcDecision): DhcpOption[] {
	const list: DhcpOption[] = []
	if (bootServer !== undefined) list.push(encodeOption(options.tftpServerName, bootServer))
	if (bootFile !== undefined) list.push(encodeOption(options.bootfileName, bootFile))
	const own = Object.entries(dhcpOptions ?? {}).map(([code, text]) => ({
		code: Number(code),
		value: decodeOctets(text),
	}))
	return mergeOptions(list, notOurs(own))
}

/** A form, and what it depends on beside the pool. */
type UsualForm = {
	readonly serverIdentifier: number
	/** Undefined without a lease. */
	readonly leaseSeconds: number | undefined
	/** Parameter Request List [55]; undefined without it. */
	readonly requested: Uint8Array | undefined
	readonly form: ReplyForm
}

/** A pool's own options, and the forms used lately. The next one goes in at `next`. */
type PoolOptions = {
	readonly list: readonly DhcpOption[]
	readonly forms: UsualForm[]
	next: number
}

/** Few kinds of clients make up most of a network, and each asks for the same every time. */
const formsLimit = 16
/** Pools' settings do not change: with others there is another pool. */
const madeOf = new WeakMap<Pool, PoolOptions>()

/**
 * The form of a reply that says what the pool says and no more. Undefined where RADIUS or SRC have a
 * word in it, with a DHCPNAK, and with options in several instances, the list perhaps among them.
 */
function usualForm(asked: Asked, reply: LeaseReply): ReplyForm | undefined {
	const { packet, serverIdentifier } = asked
	if (reply.kind === 'nak' || packet.repeats || isSpecial(reply)) return undefined
	const leaseSeconds = reply.kind === 'inform' ? undefined : reply.leaseSeconds
	const made = optionsMadeOf(reply.pool)
	for (const usual of made.forms) {
		if (
			usual.leaseSeconds === leaseSeconds &&
			usual.serverIdentifier === serverIdentifier &&
			isRequested(packet, usual.requested)
		) {
			return usual.form
		}
	}
	const requested = readOctets(packet, options.parameterRequestList)?.slice()
	const form = createReplyForm(optionsOf(asked, reply))
	made.forms[made.next] = { serverIdentifier, leaseSeconds, requested, form }
	made.next = (made.next + 1) % formsLimit
	return form
}

/** Whether RADIUS or SRC says something about the options or the header's fields. */
function isSpecial({ session, decision }: Configured): boolean {
	const addressing = session?.addressing
	return (
		(addressing !== undefined &&
			(addressing.framedNetmask !== undefined ||
				addressing.dns !== undefined ||
				addressing.wins !== undefined ||
				addressing.dhcpOptions !== undefined)) ||
		(decision !== undefined &&
			(decision.dhcpOptions !== undefined ||
				decision.bootServer !== undefined ||
				decision.bootFile !== undefined))
	)
}

/** Whether the message's Parameter Request List, in one instance, is that one. */
function isRequested({ bytes, offsets }: DhcpPacket, list: Uint8Array | undefined): boolean {
	const at = offsets[options.parameterRequestList.code]!
	if (at === 0 || list === undefined) return at === 0 && list === undefined
	if (bytes[at + 1] !== list.length) return false
	for (let i = 0; i < list.length; i++) if (bytes[at + 2 + i] !== list[i]) return false
	return true
}

function optionsMadeOf(pool: Pool): PoolOptions {
	const known = madeOf.get(pool)
	if (known !== undefined) return known
	const made: PoolOptions = { list: poolOptions(pool), forms: [], next: 0 }
	madeOf.set(pool, made)
	return made
}

function poolOptions({ settings, mask, last }: Pool): DhcpOption[] {
	const list: DhcpOption[] = []
	if (mask !== 0) list.push(encodeOption(options.subnetMask, mask))
	addAddresses(list, options.router, settings.defaultRouters)
	addAddresses(list, options.domainNameServer, settings.dnsServers)
	if (settings.domainName) list.push(encodeOption(options.domainName, settings.domainName))
	if (mask !== 0) list.push(encodeOption(options.broadcastAddress, last))
	addAddresses(list, options.netbiosNameServer, settings.netbiosNameServers)
	list.push(encodeOption(options.netbiosNodeType, nodeTypes[settings.netbiosNodeType]))
	return list
}

function overridden(
	pool: Pool,
	{ framedNetmask, dns, wins }: Addressing,
	address: number,
): readonly DhcpOption[] {
	const list: DhcpOption[] = []
	const mask = framedNetmask === undefined ? 0 : (parseIpv4(framedNetmask) ?? 0)
	if (isMask(mask)) {
		list.push(encodeOption(options.subnetMask, mask))
		// The pool's own is that of another network then.
		list.push(encodeOption(options.broadcastAddress, (address | ~mask) >>> 0))
	}
	addAddresses(list, options.domainNameServer, dns ?? [])
	addAddresses(list, options.netbiosNameServer, wins ?? [])
	const own = optionsMadeOf(pool).list
	return list.length === 0 ? own : mergeOptions(own, list)
}

/** Ones, then zeros; no ones at all are none. */
function isMask(mask: number): boolean {
	const zeros = ~mask >>> 0
	return mask !== 0 && (zeros & (zeros + 1)) === 0
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
