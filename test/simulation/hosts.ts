/** DHCP clients (RFC 2131 §4.4), as far as a server can tell them apart. */
import { formatIpv4 } from '../../domain/address.ts'
import { encodeOption, options } from '../../domain/dhcp/option.ts'
import { decodeDhcp, messageTypes, readIp, readNumber } from '../../domain/dhcp/packet.ts'
import { type ClientMessage, dhcpMessage } from '../dhcp-client.ts'
import type { AccessPoint } from './access-points.ts'
import { links, ownAddresses, places } from './configuration.ts'
import { octetsText } from './external-servers.ts'
import { isRevoked } from './holders.ts'
import { broadcast, type Datagram, longestDelayMs, send } from './network.ts'
import { passes } from './relay.ts'
import type { Subscriber } from './subscribers.ts'
import { after, count, ip, type World } from './world.ts'

export type Host = {
	readonly name: string
	/** In normal form, and its last octet. */
	readonly mac: string
	readonly number: number
	/** Client identifier; undefined: none is sent. */
	readonly identifier: Uint8Array | undefined
	wap: AccessPoint | undefined
	phase: 'off' | 'selecting' | 'requesting' | 'rebooting' | 'bound'
	xid: number
	/** What it uses, as it was told; `revoked`: the relay took it back, and it does not know. */
	holding: Holding | undefined
	/** Its last address, which it asks for again. */
	last: number
	/** Truth at which the present DHCPREQUEST was first sent: the lease counts from there. */
	requestedAt: number
	life: number
}

export type Holding = {
	readonly address: number
	readonly server: number
	/** Truth at which it must not be used any more. */
	until: number
	revoked: boolean
}

/** One for each subscriber; in the branch and behind the cable two MACs have two. */
export function createHosts(subscribers: readonly Subscriber[]): Host[] {
	const host = (number: number, name: string, identifier?: Uint8Array): Host => ({
		name,
		mac: `02-00-00-00-00-${number.toString(16).toUpperCase().padStart(2, '0')}`,
		number,
		identifier,
		wap: undefined,
		phase: 'off',
		xid: 0,
		holding: undefined,
		last: 0,
		requestedAt: 0,
		life: 0,
	})
	const hosts = subscribers.map(({ number }) => host(number, `host ${number}`))
	const of = (name: string) => subscribers.filter(({ router }) => router === name)
	for (const { number } of [...of('branch').slice(0, 2), ...of('cable').slice(0, 2)]) {
		hosts.push(host(number, `host ${number} twice`, Uint8Array.of(0, 7, number)))
	}
	return hosts
}

function later(world: World, host: Host, ms: number, what: string, work: () => void): void {
	const { life } = host
	after(world, ms, what, () => {
		if (host.life === life && !world.quiet) work()
	})
}

/** The subscriber has come to an access point, perhaps with an address from another one. */
export function attach(world: World, host: Host, wap: AccessPoint): void {
	const { chance } = world
	const moved = host.wap !== undefined && host.wap.relayAgent !== wap.relayAgent
	host.wap = wap
	if (host.phase === 'bound' && !moved && chance.happens(0.6)) return
	host.life++
	// It asks whether it may keep its address, and does not use it until then.
	host.holding = undefined
	const remembers = host.last !== 0 && chance.happens(0.5)
	later(world, host, chance.within(1, 3000), 'joins', () =>
		remembers ? reboot(world, host) : discover(world, host, 1),
	)
}

/** The subscriber has gone; a well-behaved one gives its address back. */
export function detach(world: World, host: Host, orderly: boolean): void {
	if (orderly && host.holding !== undefined && world.chance.happens(0.5)) release(world, host)
	host.holding = undefined
	host.phase = 'off'
	host.wap = undefined
	host.life++
}

function transmit(world: World, host: Host, message: ClientMessage): void {
	const { wap } = host
	if (wap === undefined) return
	const { unicast } = message
	const isExternal = wap.link === links.cable
	const relayed = wap.relayAgent !== 0 && unicast !== true
	const identifier =
		host.identifier === undefined ? [] : [encodeOption(options.clientIdentifier, host.identifier)]
	const bytes = dhcpMessage({
		...message,
		who: host.number,
		xid: host.xid,
		options: identifier,
		...(relayed ? { giaddr: formatIpv4(wap.relayAgent) } : {}),
	})
	if (isExternal) passedOn(world, bytes, relayed)
	const own = isExternal ? externalServer(world, host, unicast) : ip(ownAddresses[wap.link]!)
	const from = relayed ? wap.relayAgent : (host.holding?.address ?? 0)
	const to = unicast === true || relayed ? own : broadcast
	const fromPort = relayed ? 67 : 68
	const datagram = { from, fromPort, to, toPort: 67, bytes, link: wap.link }
	send(world, datagram)
	// A network with two paths: what the client has said long ago is heard once more.
	if (world.quiet || message.type !== 'request' || !world.chance.happens(0.1)) return
	after(world, world.chance.within(0, 2 * longestDelayMs), 'a request is doubled', () =>
		send(world, datagram),
	)
}

/** What has become of a client's message when it is heard at the relay, by way of other agents or of none. */
function passedOn({ chance, external }: World, bytes: Uint8Array, relayed: boolean): void {
	const octets = new DataView(bytes.buffer, bytes.byteOffset)
	if (relayed) {
		// Mostly one agent; several in line, or in a circle; and one that has taken the relay's address.
		bytes[3] = chance.happens(0.9) ? 1 : chance.pick([2, 3, 16, 17])
		if (chance.happens(0.02)) octets.setUint32(24, ip(places.relayOnCable))
	}
	const text = octetsText(bytes)
	const heard = { giaddr: octets.getUint32(24), hops: bytes[3]! }
	const before = external.heard.get(text)
	if (before === undefined) external.heard.set(text, [heard])
	else before.push(heard)
}

/** Where DHCP goes to where the server is elsewhere: the server, or the relay as an agent's next hop. */
function externalServer(
	{ chance, external }: World,
	{ holding }: Host,
	unicast: boolean | undefined,
): number {
	if (unicast === true) return holding?.server ?? external.servers[0]!.address
	return chance.happens(0.3) ? chance.pick(external.servers).address : ip(places.relayOnCable)
}

function newTransaction(world: World, host: Host, phase: Host['phase']): void {
	host.life++
	host.phase = phase
	host.xid = world.chance.between(1, 2 ** 31)
}

function discover(world: World, host: Host, attempt: number): void {
	const { chance } = world
	newTransaction(world, host, 'selecting')
	host.holding = undefined
	const asksFor = host.last !== 0 && chance.happens(0.5)
	transmit(world, host, {
		type: 'discover',
		...(asksFor ? { requested: formatIpv4(host.last) } : {}),
	})
	later(world, host, attempt < 4 ? attempt * 2000 : 30_000, 'discovers again', () =>
		discover(world, host, attempt < 4 ? attempt + 1 : 1),
	)
}

/** INIT-REBOOT: the address that it had, by broadcast. */
function reboot(world: World, host: Host): void {
	newTransaction(world, host, 'rebooting')
	host.requestedAt = world.clock.truth()
	const message: ClientMessage = { type: 'request', requested: formatIpv4(host.last) }
	transmit(world, host, message)
	later(world, host, 2000, 'reboots again', () => transmit(world, host, message))
	later(world, host, 4500, 'discovers', () => discover(world, host, 1))
}

function request(world: World, host: Host, address: number, server: number): void {
	host.life++
	host.phase = 'requesting'
	host.requestedAt = world.clock.truth()
	const message: ClientMessage = {
		type: 'request',
		requested: formatIpv4(address),
		server: formatIpv4(server),
	}
	transmit(world, host, message)
	later(world, host, 2000, 'requests again', () => transmit(world, host, message))
	later(world, host, 5000, 'discovers', () => discover(world, host, 1))
}

export function hostHears(world: World, host: Host, { bytes }: Datagram): void {
	const packet = decodeDhcp(bytes, bytes.length)
	if (typeof packet === 'string' || packet.xid !== host.xid) return
	const { phase } = host
	const server = readIp(packet, options.serverIdentifier) ?? 0
	switch (packet.messageType) {
		case messageTypes.offer:
			if (phase === 'selecting') request(world, host, packet.yiaddr, server)
			return
		case messageTypes.nak:
			if (phase === 'selecting' || phase === 'off') return
			host.holding = undefined
			host.last = 0
			host.life++
			host.phase = 'off'
			later(world, host, world.chance.within(100, 2000), 'discovers', () =>
				discover(world, host, 1),
			)
			return
		case messageTypes.ack: {
			if (phase === 'selecting' || phase === 'off' || packet.yiaddr === 0) return
			const seconds = readNumber(packet, options.leaseTime) ?? 0
			bind(world, host, packet.yiaddr, server, seconds)
			return
		}
		default:
			return
	}
}

function bind(
	world: World,
	host: Host,
	address: number,
	server: number,
	leaseSeconds: number,
): void {
	const { chance } = world
	// A repeat of the answer that it has taken already.
	if (host.phase === 'bound' && host.requestedAt === 0) return
	const until = host.requestedAt + leaseSeconds * 1000
	host.requestedAt = 0
	host.life++
	host.phase = 'bound'
	host.last = address
	count(world, 'bound')
	const revoked = isRevoked(world, host.mac, address)
	host.holding = { address, server, until, revoked }
	const lastingMs = until - world.clock.truth()
	if (lastingMs <= 0) {
		discover(world, host, 1)
		return
	}
	if (chance.happens(0.03)) {
		later(world, host, chance.within(0, 50), 'declines', () => decline(world, host))
		return
	}
	later(world, host, lastingMs, 'lease is over', () => {
		host.holding = undefined
		discover(world, host, 1)
	})
	// It thinks better of it, while what it sent may still be on its way.
	if (chance.happens(0.15)) {
		// SRC is asked once a second, and may have another pool then.
		later(world, host, chance.within(900, 2000), 'begins anew', () => discover(world, host, 1))
	}
	if (chance.happens(0.05)) later(world, host, lastingMs * 0.3, 'asks', () => inform(world, host))
	const what = chance.random()
	if (what < 0.1)
		later(world, host, lastingMs * chance.random(), 'releases', () => leave(world, host))
	else if (what < 0.2) {
		later(world, host, lastingMs * chance.random(), 'reboots', () => {
			host.holding = undefined
			if (chance.happens(0.5)) reboot(world, host)
			else discover(world, host, 1)
		})
	} else if (what < 0.9) {
		// T1, and once more at T2 where nobody has answered.
		later(world, host, lastingMs * 0.5, 'renews', () => renew(world, host, true))
		later(world, host, lastingMs * 0.875, 'rebinds', () => renew(world, host, false))
	}
}

function renew(world: World, host: Host, unicast: boolean): void {
	const { holding } = host
	if (holding === undefined) return
	host.xid = world.chance.between(1, 2 ** 31)
	host.requestedAt = world.clock.truth()
	transmit(world, host, { type: 'request', ciaddr: formatIpv4(holding.address), unicast })
}

/** RFC 2131 §4.4.3: it has an address and wants to know the rest. */
function inform(world: World, host: Host): void {
	const { holding } = host
	if (holding === undefined) return
	host.xid = world.chance.between(1, 2 ** 31)
	transmit(world, host, { type: 'inform', ciaddr: formatIpv4(holding.address), unicast: true })
}

function decline(world: World, host: Host): void {
	const { holding } = host
	if (holding === undefined) return
	transmit(world, host, {
		type: 'decline',
		requested: formatIpv4(holding.address),
		server: formatIpv4(holding.server),
	})
	host.holding = undefined
	host.last = 0
	host.life++
	// RFC 2131 §3.1: ten seconds at least.
	later(world, host, 10_000, 'discovers', () => discover(world, host, 1))
}

function release(world: World, host: Host): void {
	const { holding } = host
	if (holding === undefined) return
	count(world, 'releases')
	transmit(world, host, {
		type: 'release',
		ciaddr: formatIpv4(holding.address),
		server: formatIpv4(holding.server),
		unicast: true,
	})
	host.holding = undefined
}

function leave(world: World, host: Host): void {
	release(world, host)
	host.phase = 'off'
	host.life++
	// Not before the DHCPRELEASE has arrived for certain: nothing tells it from a later one.
	const ms = longestDelayMs + world.chance.within(0, 20_000)
	later(world, host, ms, 'discovers', () => discover(world, host, 1))
}

const networks = ['10.0.0.0', '10.1.0.0', '10.2.0.0', '10.3.0.0', '10.4.0.0', '10.5.0.0']
const behindCable: ReadonlySet<number> = new Set([ip('10.4.0.0') >>> 8, ip('10.5.0.0') >>> 8])

/** Whoever is behind the cable is reached from elsewhere by way of the relay's machine. */
function reachable(world: World, address: number, hears: (datagram: Datagram) => void): void {
	const isBehind = behindCable.has(address >>> 8)
	world.network.hosts.set(address, datagram => {
		if (!isBehind || datagram.link === links.cable) hears(datagram)
		else passes(world, { ...datagram, link: links.cable }, links.campus)
	})
}

export function openHosts(world: World): void {
	const { network, hosts } = world
	const heard = (wanted: (host: Host) => boolean) => (datagram: Datagram) => {
		for (const host of hosts) if (wanted(host)) hostHears(world, host, datagram)
	}
	for (const link of Object.values(links)) {
		network.links.set(
			link,
			heard(({ wap }) => wap?.link === link && wap.relayAgent === 0),
		)
	}
	for (const agent of [ip(places.relayAgent), ip(places.cableAgent)]) {
		reachable(
			world,
			agent,
			heard(({ wap }) => wap?.relayAgent === agent),
		)
	}
	for (const network of networks) {
		for (let n = 2; n < 16; n++) {
			const address = ip(network) + n
			reachable(
				world,
				address,
				heard(({ holding }) => holding?.address === address),
			)
		}
	}
}
