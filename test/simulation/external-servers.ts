/**
 * DHCP servers that are not the relay's own (RFC 2131 §4.3): each has its part of every network, gives
 * leases of varied length, and is silent, slow, of another opinion, or forgetful for a while. All that
 * they and their clients say to each other goes through the relay's machine, by its socket or past it.
 */
import { formatIpv4 } from '../../domain/address.ts'
import { encodeOption, options } from '../../domain/dhcp/option.ts'
import {
	clientKey,
	clientMac,
	type DhcpPacket,
	decodeDhcp,
	messageTypes,
	operations,
	readIp,
	serverPort,
} from '../../domain/dhcp/packet.ts'
import { encodeDhcp, replyTo } from '../../domain/dhcp/reply.ts'
import { links, places } from './configuration.ts'
import { type Datagram, send } from './network.ts'
import { passes } from './relay.ts'
import { after, count, ip, type World } from './world.ts'

export type ExternalServer = {
	readonly address: number
	/** `repeats`: each answer comes once more, later; `slow` and `refuses` speak for themselves. */
	readonly mode: { now: 'answers' | 'silent' | 'slow' | 'refuses' | 'repeats' }
	/** Host numbers that it gives, in every network. */
	readonly from: number
	readonly to: number
	/** By address. */
	readonly leases: Map<number, ServerLease>
	/** What it gave to somebody and then forgot. */
	readonly forgotten: Set<number>
}

type ServerLease = {
	/** As `clientKey` has it; empty: nobody's, because somebody declined it. */
	readonly client: string
	/** Truth. */
	readonly until: number
	readonly offered: boolean
}

const modes = ['answers', 'silent', 'slow', 'refuses', 'repeats', 'repeats'] as const

export type Acknowledged = {
	/** Every lease time that was said, in seconds, 0 for ever. */
	readonly seconds: Set<number>
	/** Truth of the latest, and how long nothing had happened by then. */
	at: number
	standstill: number
}

/** What a relay agent may change, as it reached the relay. */
export type Heard = { readonly giaddr: number; readonly hops: number }

export type External = {
	readonly servers: readonly ExternalServer[]
	/** Octets of every answer, as text. */
	readonly said: Set<string>
	/** By the octets of what clients said, as text, without what a relay agent may change. */
	readonly heard: Map<string, Heard[]>
	/** By MAC and address. */
	readonly acknowledged: Map<string, Acknowledged>
}

export function createExternal(): External {
	const server = (address: string, from: number): ExternalServer => {
		const range = { from, to: from + 5 }
		return {
			address: ip(address),
			mode: { now: 'answers' },
			...range,
			leases: new Map(),
			forgotten: new Set(),
		}
	}
	const [first, second] = places.dhcpServers
	return {
		servers: [server(first, 2), server(second, 8)],
		said: new Set(),
		heard: new Map(),
		acknowledged: new Map(),
	}
}

/** Who has an address instead of this client, by what the servers have said; undefined: nobody. */
export function givenElsewhere(
	{ external, clock }: World,
	address: number,
	client: string,
): string | undefined {
	for (const { leases, forgotten } of external.servers) {
		const lease = leases.get(address)
		if (lease === undefined || lease.until <= clock.truth()) continue
		const { client: holder, offered } = lease
		if (!offered && holder !== '' && holder !== client && !forgotten.has(address)) return holder
	}
	return undefined
}

export function openExternalServers(world: World): void {
	for (const server of world.external.servers) {
		world.network.hosts.set(server.address, datagram => {
			// What comes from the clients' side has the relay's machine as its router.
			if (datagram.link === links.cable) passes(world, { ...datagram, link: 0 }, links.cable)
			else hears(world, server, datagram)
		})
	}
}

export function changeServer(world: World): void {
	const { chance, external } = world
	const { mode, leases, forgotten } = chance.pick(external.servers)
	mode.now = chance.pick(modes)
	count(world, `dhcp server ${mode.now}`)
	after(world, chance.within(1000, 60_000), 'dhcp server recovers', () => {
		mode.now = 'answers'
	})
	if (leases.size === 0 || !chance.happens(0.3)) return
	// It is set up anew from an old copy: somebody's address is free, as far as it knows.
	const address = chance.pick([...leases.keys()])
	leases.delete(address)
	forgotten.add(address)
	count(world, 'dhcp server forgets')
}

/** What nobody but a relay agent changes: hops and giaddr are left out. */
export function octetsText(bytes: Uint8Array): string {
	const kept = bytes.slice()
	if (kept[0] === operations.request) {
		kept[3] = 0
		kept.fill(0, 24, 28)
	}
	return Buffer.from(kept.buffer, kept.byteOffset, kept.length).toString('latin1')
}

function hears(world: World, server: ExternalServer, { bytes }: Datagram): void {
	const { chance } = world
	const mode = world.quiet ? 'answers' : server.mode.now
	if (mode === 'silent') return
	const packet = decodeDhcp(bytes, bytes.length)
	if (typeof packet === 'string') return
	const client = clientKey(packet)
	if (client === undefined) return
	const ms = mode === 'slow' ? chance.within(500, 6000) : chance.within(0.1, 10)
	after(world, ms, 'dhcp server decides', () => decide(world, server, packet, client, mode))
}

type Mode = ExternalServer['mode']['now']

function decide(
	world: World,
	server: ExternalServer,
	packet: DhcpPacket,
	client: string,
	mode: Mode,
): void {
	switch (packet.messageType) {
		case messageTypes.discover: {
			const address = choose(world, server, packet, client)
			if (address === undefined) return
			// RFC 2131 §4.3.1: reserved until the client has chosen.
			if (holderOf(world, server, address) !== client)
				keep(world, server, address, client, 60, true)
			answer(world, server, packet, messageTypes.offer, address, leaseSeconds(world))
			return
		}
		case messageTypes.request:
			decideRequest(world, server, packet, client, mode)
			return
		case messageTypes.release:
			if (holderOf(world, server, packet.ciaddr) === client) server.leases.delete(packet.ciaddr)
			return
		case messageTypes.decline: {
			const address = readIp(packet, options.requestedAddress) ?? 0
			if (holderOf(world, server, address) === client) keep(world, server, address, '', 60)
			return
		}
		case messageTypes.inform:
			answer(world, server, packet, messageTypes.ack, 0, undefined)
			return
		default:
			return
	}
}

/** RFC 2131 §4.3.2. */
function decideRequest(
	world: World,
	server: ExternalServer,
	packet: DhcpPacket,
	client: string,
	mode: Mode,
): void {
	const named = readIp(packet, options.serverIdentifier)
	if (named !== undefined && named !== server.address) return
	const address = readIp(packet, options.requestedAddress) ?? packet.ciaddr
	const holder = holderOf(world, server, address)
	const isHere = packet.giaddr === 0 || networkOf(packet.giaddr) === networkOf(address)
	if (!isHere || (isOwn(server, address) && (mode === 'refuses' || holder !== client))) {
		// Of a client that it has no record of it says nothing, unless it was chosen.
		if (isHere && holder === undefined && named === undefined) return
		answer(world, server, packet, messageTypes.nak, 0, undefined)
		return
	}
	if (!isOwn(server, address)) return
	const seconds = leaseSeconds(world)
	keep(world, server, address, client, seconds === 0 ? 1e9 : seconds)
	remember(world, packet, address, seconds)
	answer(world, server, packet, messageTypes.ack, address, seconds)
}

function remember(world: World, packet: DhcpPacket, address: number, seconds: number): void {
	const key = `${clientMac(packet)} ${formatIpv4(address)}`
	const { acknowledged } = world.external
	const said = acknowledged.get(key) ?? { seconds: new Set(), at: 0, standstill: 0 }
	said.seconds.add(seconds)
	said.at = world.clock.truth()
	said.standstill = world.clock.standstill()
	acknowledged.set(key, said)
}

/** Seconds; 0 for ever. */
function leaseSeconds({ chance }: World): number {
	if (chance.happens(0.1)) return 900
	return chance.happens(0.02) ? 0 : chance.between(10, 120)
}

const networkOf = (address: number) => address >>> 8

function isOwn({ from, to }: ExternalServer, address: number): boolean {
	const number = address & 255
	return number >= from && number <= to
}

/** Undefined: nobody's. */
function holderOf(
	{ clock }: World,
	{ leases }: ExternalServer,
	address: number,
): string | undefined {
	const lease = leases.get(address)
	return lease !== undefined && lease.until > clock.truth() ? lease.client : undefined
}

function keep(
	{ clock }: World,
	{ leases }: ExternalServer,
	address: number,
	client: string,
	seconds: number,
	offered = false,
): void {
	leases.set(address, { client, until: clock.truth() + seconds * 1000, offered })
}

/** The client's address in its network, or the first free one. */
function choose(
	world: World,
	server: ExternalServer,
	{ giaddr }: DhcpPacket,
	client: string,
): number | undefined {
	const base = networkOf(giaddr) * 256
	let free: number | undefined
	for (let number = server.from; number <= server.to; number++) {
		const holder = holderOf(world, server, base + number)
		if (holder === client) return base + number
		if (holder === undefined) free ??= base + number
	}
	return free
}

function answer(
	world: World,
	server: ExternalServer,
	request: DhcpPacket,
	messageType: number,
	yiaddr: number,
	seconds: number | undefined,
): void {
	const list = [encodeOption(options.serverIdentifier, server.address)]
	if (seconds !== undefined) list.push(encodeOption(options.leaseTime, seconds || 0xffff_ffff))
	const target = new Uint8Array(1500)
	const length = encodeDhcp(target, replyTo(request, { messageType, yiaddr, options: list }))
	const bytes = target.slice(0, length)
	const { giaddr, ciaddr } = request
	// RFC 2131 §4.3.2: broadcast on its own link, where no client is.
	if (giaddr === 0 && messageType === messageTypes.nak) {
		count(world, 'dhcp server refuses unheard')
		return
	}
	world.external.said.add(octetsText(bytes))
	count(world, `dhcp server says ${messageType}`)
	const [to, toPort] = giaddr === 0 ? [ciaddr, 68] : [giaddr, serverPort]
	const from = { from: server.address, fromPort: serverPort }
	const say = () => send(world, { ...from, to, toPort, bytes, link: 0 })
	say()
	if (world.quiet || server.mode.now !== 'repeats') return
	after(world, world.chance.within(1, 30_000), 'dhcp server repeats', say)
}
