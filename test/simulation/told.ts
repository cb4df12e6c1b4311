/**
 * Told means durable: every answer is judged in the moment in which it leaves, by what the journal
 * says then.
 */

import type { SentDatagram } from '../../adapters/radius/transport-simulated.ts'
import { formatIpv4 } from '../../domain/address.ts'
import { options } from '../../domain/dhcp/option.ts'
import {
	clientMac,
	type DhcpPacket,
	decodeDhcp,
	messageTypes,
	operations,
	readNumber,
} from '../../domain/dhcp/packet.ts'
import { leaseAt } from '../../domain/lease-state.ts'
import { verifyResponse } from '../../domain/radius/authenticator.ts'
import type { Md5Key } from '../../domain/radius/md5.ts'
import { routerState } from '../../domain/state.ts'
import { links, places } from './configuration.ts'
import { type DynamicAsk, judgeAsked, judgeVerdict } from './disconnects.ts'
import { type Heard, octetsText } from './external-servers.ts'
import { readJournal } from './history.ts'
import { promised, whoIs } from './holders.ts'
import { breaks, count, ip, type World } from './world.ts'

/** A request that somebody has sent to the relay and may be answered. */
export type Asked = {
	readonly bytes: Uint8Array
	readonly key: Md5Key
	/** As `History.opened` has it; undefined where no event is due (Status-Server). */
	readonly opened: string | undefined
	/** Of a RADIUS server that asks for a disconnect or a change of authorization. */
	readonly ask?: DynamicAsk
}

export type Told = {
	/** By sender and identifier; the latest last. */
	readonly asked: Map<string, Asked[]>
	/** How often something was told that is recorded each time. */
	readonly tallies: Map<string, number>
}

export function createTold(): Told {
	return { asked: new Map(), tallies: new Map() }
}

/** Requests under one identifier that an answer can still come for. */
const remembered = 8

export function remember(world: World, from: number, port: number, asked: Asked): void {
	const key = `${from}:${port}:${asked.bytes[1]}`
	const list = world.told.asked.get(key) ?? []
	list.push(asked)
	if (list.length > remembered) list.shift()
	world.told.asked.set(key, list)
}

/** RFC 5176 §2.1: of access points. */
const disconnectPort = 3799
const answerPorts: ReadonlySet<number> = new Set([1812, 1813, 11812, 11813, 21812, 21813])

export function judgeTold(world: World, datagram: SentDatagram): void {
	const { port } = datagram.socket
	readJournal(world)
	if (datagram.port === disconnectPort) judgeAsked(world, datagram)
	else if (answerPorts.has(port) || port === 1700) judgeAnswer(world, datagram)
	else if (port === 67) judgeDhcp(world, datagram)
}

/** The event that each code rests on. */
const restsOn: Readonly<Record<number, string>> = {
	2: 'AccessAccepted',
	3: 'AccessRejected',
	5: 'AccountingAnswered',
	11: 'AccessChallenged',
	41: 'DisconnectAnswered true',
	42: 'DisconnectAnswered false',
	44: 'DisconnectAnswered true',
	45: 'DisconnectAnswered false',
}

function judgeAnswer(world: World, { address, port, bytes }: SentDatagram): void {
	const to = `${formatIpv4(address)}:${port}`
	const list = world.told.asked.get(`${address}:${port}:${bytes[1]}`) ?? []
	const asked = list.find(({ bytes: request, key }) =>
		verifyResponse(bytes.slice(), bytes.length, request, 4, key),
	)
	if (asked === undefined) {
		breaks(world, `An answer of code ${bytes[0]} to ${to} answers nothing that was asked.`)
		return
	}
	if (asked.opened === undefined) return
	count(world, `told ${bytes[0]}`)
	const { opened, outcomes } = world.history
	const wanted = restsOn[bytes[0]!]
	const found = (opened.get(asked.opened) ?? []).map(position => outcomes.get(position))
	if (wanted !== undefined && found.includes(wanted)) {
		if (asked.ask !== undefined) judgeVerdict(world, asked.ask, bytes)
		return
	}
	breaks(
		world,
		`${to} was told ${wanted} about ${asked.opened}; on disk is ${found.join(', ') || 'nothing'}.`,
	)
}

function judgeDhcp(world: World, sent: SentDatagram): void {
	const { bytes } = sent
	const packet = decodeDhcp(bytes, bytes.length)
	if (typeof packet === 'string') {
		breaks(world, `A DHCP reply cannot be read: ${packet}.`)
		return
	}
	if (packet.op === operations.request) {
		judgePassedOn(world, packet, sent)
		return
	}
	const mac = clientMac(packet)!
	const address = packet.yiaddr
	if (sent.interfaceIndex === links.cable) {
		judgeReturned(world, packet, mac)
		return
	}
	if (packet.messageType === messageTypes.nak) {
		judgeTally(world, `nak ${mac}`)
		return
	}
	// To a DHCPINFORM: nothing is promised.
	if (address === 0) return
	const routers = world.history.durable.routers
	const name = [...routers.keys()].find(router => {
		const lease = leaseAt(routerState(world.history.durable, router).leases, address)
		return lease?.mac === mac
	})
	const what = packet.messageType === messageTypes.ack ? 'DHCPACK' : 'DHCPOFFER'
	count(world, `told ${what}`)
	if (name === undefined) {
		breaks(world, `${mac} was told ${what} for ${formatIpv4(address)}; on disk is no such lease.`)
		return
	}
	const lease = leaseAt(routerState(world.history.durable, name).leases, address)!
	const stands = lease.status === 'bound' || (what === 'DHCPOFFER' && lease.status === 'offered')
	// It may have ended with the very commit that the answer waited for.
	if (!stands && !isFresh(world, mac, formatIpv4(address), what)) {
		breaks(world, `${mac} was told ${what} for ${formatIpv4(address)}, which is ${lease.status}.`)
	}
	if (what === 'DHCPOFFER') return
	const seconds = readNumber(packet, options.leaseTime) ?? 0
	const leaseSeconds = seconds === 0xffff_ffff ? 0 : seconds
	if (lease.until !== 0 && leaseSeconds === 0) {
		breaks(world, `${mac} was told an infinite lease of ${formatIpv4(address)}; on disk it ends.`)
	}
	promised(world, whoIs(name, mac, lease.client), address, leaseSeconds, !stands)
}

function isFresh({ history }: World, mac: string, address: string, what: string): boolean {
	const types = what === 'DHCPOFFER' ? ['LeaseOffered'] : ['LeaseGranted', 'LeaseRenewed']
	return types.some(
		type => (history.leased.get(`${type} ${mac} ${address}`) ?? 0) >= history.batchFrom,
	)
}

/** So many were told, so many are recorded at least. */
function judgeTally(world: World, key: string): void {
	const told = (world.told.tallies.get(key) ?? 0) + 1
	world.told.tallies.set(key, told)
	count(world, `told ${key.split(' ')[0]}`)
	const recorded = world.history.refusals.get(key) ?? 0
	if (told > recorded)
		breaks(world, `${key} was told ${told} times and recorded ${recorded} times.`)
}

/**
 * RFC 1542 §4.1.1: giaddr is the relay's where it was zero, and stays where another relay agent has set
 * it; hops grow by one, up to a limit. Whoever says that it comes from here does not.
 */
function mayPassOn(by: Heard, { giaddr, hops }: DhcpPacket): boolean {
	const own = ip(places.relayOnCable)
	const wanted = by.giaddr === 0 ? own : by.giaddr
	return giaddr === wanted && by.giaddr !== own && by.hops <= 16 && hops === by.hops + 1
}

/** A request goes on to a DHCP server as its client sent it, but for hops and giaddr. */
function judgePassedOn(world: World, packet: DhcpPacket, { address, port, bytes }: SentDatagram) {
	const { servers, heard } = world.external
	count(world, 'passed on')
	if (port !== 67 || !servers.some(server => server.address === address)) {
		breaks(world, `A DHCP request was passed on to ${formatIpv4(address)}:${port}.`)
	}
	const from = heard.get(octetsText(bytes)) ?? []
	if (from.length === 0) breaks(world, 'A DHCP request was passed on that nobody made.')
	const { giaddr, hops } = packet
	if (from.some(by => mayPassOn(by, packet))) return
	const came = from.map(by => `${formatIpv4(by.giaddr)} and ${by.hops}`).join(', ')
	breaks(
		world,
		`A DHCP request was passed on with giaddr ${formatIpv4(giaddr)} and ${hops} hops; it came with ${came}.`,
	)
}

/** A reply reaches the client octet for octet, and when what it says is on disk. */
function judgeReturned(world: World, packet: DhcpPacket, mac: string): void {
	const { bytes, length, messageType, yiaddr } = packet
	if (!world.external.said.has(octetsText(bytes.subarray(0, length)))) {
		breaks(world, `${mac} was told of an external server what none has said.`)
	}
	if (messageType === messageTypes.nak) judgeTally(world, `nak ${mac}`)
	if (messageType !== messageTypes.ack || yiaddr === 0) return
	count(world, 'told an external DHCPACK')
	const address = formatIpv4(yiaddr)
	const told = readNumber(packet, options.leaseTime) ?? 0
	const seconds = told === 0xffff_ffff ? 0 : told
	const lease = leaseAt(routerState(world.history.durable, 'cable').leases, yiaddr)
	const stands = lease?.mac === mac && lease.status === 'bound' && lease.leaseSeconds === seconds
	// It may have ended, or been renewed, with the very commit that the answer waited for.
	const { leased, batchFrom } = world.history
	if (stands || (leased.get(`LeaseObserved ${mac} ${address} ${seconds}`) ?? 0) >= batchFrom) return
	breaks(world, `${mac} was told ${seconds} s for ${address}; on disk is no such shadow lease.`)
}
