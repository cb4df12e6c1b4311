/** Brings the configuration of dynamic requests into force, and closes what it left behind. */
import type { DatagramSocket } from '../../adapters/radius/transport.ts'
import { parseIpv4 } from '../../domain/address.ts'
import type { Configuration, VirtualRouter } from '../../domain/configuration.ts'
import { dynamicRequestPorts } from '../../domain/junose/conflicts.ts'
import { createMd5Key, type Md5Key } from '../../domain/radius/md5.ts'
import { linkKey, tickDisconnector } from './disconnect-client.ts'
import { type Disconnector, type Link, newDisconnector, newLink } from './disconnector.ts'
import { countDynamicDiscard, takeDynamicDiscards } from './dynamic-discards.ts'
import type { DynamicListener, DynamicServer } from './dynamic-listener.ts'
import { forgetExchanges } from './dynamic-requests.ts'
import type { Engine } from './engine.ts'
import { record } from './record.ts'
import { bindFailure, closeSocket } from './sockets.ts'

/** Opens the sockets that are needed; what follows from it is put off into `plan`. */
export async function planDynamicRequests(
	engine: Engine,
	next: Configuration,
	plan: (() => void)[],
	opened: DatagramSocket[],
): Promise<string | undefined> {
	const { listeners, disconnectors } = engine.dynamic
	const sockets = new Map<number, DatagramSocket>()
	const ports = dynamicRequestPorts(next)
	for (const port of ports) {
		if (listeners.has(port)) continue
		const bound = await bind(engine, 0, port, opened)
		if (typeof bound === 'string') {
			return `Dynamic requests cannot be expected on UDP port ${port}: ${bound}`
		}
		sockets.set(port, bound)
	}
	const senders = new Map<string, DatagramSocket>()
	for (const settings of next.virtualRouters) {
		const source = sourceOf(settings)
		const current = disconnectors.get(settings.name)
		if (settings.disconnectClients.length === 0 || current?.source === source) continue
		const bound = await bind(engine, source, 0, opened)
		if (typeof bound === 'string') {
			return `Disconnect-Requests cannot be sent from ${settings.updateSourceAddress}: ${bound}`
		}
		senders.set(settings.name, bound)
	}
	plan.push(() => {
		applyListeners(engine, next, ports, sockets)
		applyDisconnectors(engine, next, senders)
	})
	return undefined
}

function sourceOf(settings: VirtualRouter): number {
	return parseIpv4(settings.updateSourceAddress ?? '') ?? 0
}

async function bind(
	engine: Engine,
	address: number,
	port: number,
	opened: DatagramSocket[],
): Promise<DatagramSocket | string> {
	try {
		const socket = await engine.parts.transport.bind(address, port)
		opened.push(socket)
		return socket
	} catch (error) {
		return bindFailure(error)
	}
}

function keyOf(secret: string): Md5Key {
	return createMd5Key(new TextEncoder().encode(secret))
}

function applyListeners(
	engine: Engine,
	next: Configuration,
	ports: readonly number[],
	sockets: ReadonlyMap<number, DatagramSocket>,
): void {
	const { listeners } = engine.dynamic
	for (const [port, listener] of listeners) listener.retired = !ports.includes(port)
	for (const port of ports) {
		const listener = listeners.get(port) ?? addListener(engine, port, sockets.get(port)!)
		const servers = serversAt(next, port, listener)
		listener.servers = servers
		listener.router = [...servers.values()][0]!.router
	}
}

function addListener(engine: Engine, port: number, socket: DatagramSocket): DynamicListener {
	const servers = new Map<number, DynamicServer>()
	const listener = { socket, servers, router: '', retired: false, touched: false }
	engine.dynamic.listeners.set(port, listener)
	engine.sockets.set(socket, listener)
	return listener
}

/** The servers of a port. Those that stay keep what they have in flight. */
function serversAt(
	next: Configuration,
	port: number,
	listener: DynamicListener,
): Map<number, DynamicServer> {
	const servers = new Map<number, DynamicServer>()
	for (const { name, dynamicRequest } of next.virtualRouters) {
		for (const settings of dynamicRequest) {
			if (settings.udpPort !== port) continue
			const address = parseIpv4(settings.address)!
			// Two virtual routers may name it; only one of them has a key for it.
			if (settings.key === undefined && servers.has(address)) continue
			const old = listener.servers.get(address)
			const key = settings.key === undefined ? undefined : keyOf(settings.key)
			const exchanges = old?.router === name ? old.exchanges : new Map()
			servers.set(address, { router: name, address: settings.address, settings, key, exchanges })
		}
	}
	return servers
}

function applyDisconnectors(
	engine: Engine,
	next: Configuration,
	senders: ReadonlyMap<string, DatagramSocket>,
): void {
	const { disconnectors, retiring } = engine.dynamic
	const wanted = new Map(
		next.virtualRouters
			.filter(({ disconnectClients }) => disconnectClients.length > 0)
			.map(settings => [settings.name, settings]),
	)
	for (const [name, disconnector] of disconnectors) {
		if (wanted.has(name) && !senders.has(name)) continue
		disconnectors.delete(name)
		retiring.add(disconnector)
	}
	for (const [name, settings] of wanted) {
		let disconnector = disconnectors.get(name)
		if (disconnector === undefined) {
			const socket = senders.get(name)!
			disconnector = newDisconnector(engine.parts.transport, name, socket, sourceOf(settings))
			disconnectors.set(name, disconnector)
			engine.sockets.set(socket, disconnector)
		}
		applyClients(disconnector, settings)
	}
}

function applyClients(disconnector: Disconnector, settings: VirtualRouter): void {
	const clients = new Map<string, Link>()
	for (const { address, key, udpPort } of settings.disconnectClients) {
		const number = parseIpv4(address)!
		const place = linkKey(number, udpPort)
		const link = disconnector.links.get(place) ?? newLink(number, udpPort, keyOf(key))
		link.key = keyOf(key)
		disconnector.links.set(place, link)
		clients.set(address, link)
	}
	const kept = new Set(clients.values())
	for (const [place, link] of disconnector.links) {
		if (!kept.has(link) && link.asks.size === 0) disconnector.links.delete(place)
	}
	disconnector.clients = clients
}

/** What happens because time has passed. */
export function tickDynamicRequests(engine: Engine, everySecond: boolean): void {
	const { listeners, disconnectors, retiring, discards } = engine.dynamic
	for (const disconnector of disconnectors.values()) tickDisconnector(engine, disconnector)
	for (const disconnector of retiring) tickDisconnector(engine, disconnector)
	if (!everySecond) return
	for (const listener of listeners.values()) {
		const lost = listener.socket.takeOverflowed() + listener.socket.takeUnsent()
		const kind = { request: 'other', reason: 'queue-full' } as const
		if (lost > 0) countDynamicDiscard(discards, listener.router, '', kind, lost)
		for (const server of listener.servers.values()) forgetExchanges(server, engine.now)
	}
	record(engine, takeDynamicDiscards(discards, engine.at))
	closeLeftBehind(engine)
}

function closeLeftBehind(engine: Engine): void {
	const { listeners, disconnectors, retiring } = engine.dynamic
	const awaited = new Set<DynamicListener>()
	for (const disconnector of [...disconnectors.values(), ...retiring]) {
		for (const ask of disconnector.asks) awaited.add(ask.exchange.listener)
	}
	for (const [port, listener] of listeners) {
		if (!listener.retired || awaited.has(listener)) continue
		closeSocket(engine, listener.socket)
		listeners.delete(port)
	}
	for (const disconnector of retiring) {
		if (disconnector.asks.size > 0) continue
		closeSocket(engine, disconnector.socket)
		retiring.delete(disconnector)
	}
}
