/**
 * Brings a configuration into force while packets are in flight. Sockets that stay the same stay
 * open; what is no longer configured answers what it has begun and is closed then.
 */

import type { DatagramSocket } from '../../adapters/radius/transport.ts'
import { parseIpv4 } from '../../domain/address.ts'
import { clientsOf } from '../../domain/client.ts'
import {
	type Configuration,
	type RelayServer,
	type Service,
	services,
	type UpstreamServer,
	type VirtualRouter,
} from '../../domain/configuration.ts'
import { addSocket } from './add-socket.ts'
import { endTurn } from './commit.ts'
import { planDhcp, unwatchRefused } from './configure-dhcp.ts'
import { planDynamicRequests } from './configure-dynamic.ts'
import { planSrc } from './configure-src.ts'
import { createDiscards } from './discards.ts'
import { release } from './dispatch.ts'
import type { Engine, Router } from './engine.ts'
import type { Listener, Upstream } from './exchange.ts'
import { newListener } from './listener.ts'
import { presentTime } from './record.ts'
import { bindFailure, closeSocket } from './sockets.ts'
import type { SrcBridge } from './src-link.ts'
import { isIdle, newUpstream } from './upstream-link.ts'

/** A listener whose socket had to be closed for a new one at the same port. */
type Displaced = { readonly listener: Listener; readonly closed: DatagramSocket }

/** Brings `next` into force; a sentence when it cannot be, and then everything is as before. */
export async function configure(engine: Engine, next: Configuration): Promise<string | undefined> {
	const opened: DatagramSocket[] = []
	const displaced: Displaced[] = []
	const plan: (() => void)[] = []
	for (const settings of next.virtualRouters) {
		const router = engine.routers.get(settings.name)
		for (const service of services) {
			const refused = await planListener(engine, router, settings, service, plan, opened, displaced)
			if (refused !== undefined) return takeBack(engine, refused, opened, displaced)
		}
	}
	const bridges: SrcBridge[] = []
	const refused =
		(await planDynamicRequests(engine, next, plan, opened)) ??
		(await planDhcp(engine, next, plan, opened)) ??
		(await planSrc(engine, next, plan, bridges))
	if (refused !== undefined) {
		for (const { client } of bridges) void client.close()
		unwatchRefused(engine)
		return takeBack(engine, refused, opened, displaced)
	}
	// Sockets and clients took their time to open.
	presentTime(engine)
	for (const settings of next.virtualRouters) applyRouter(engine, settings)
	for (const step of plan) step()
	for (const [name, router] of engine.routers) {
		if (next.virtualRouters.some(settings => settings.name === name)) continue
		for (const service of services) {
			const listener = router.listeners[service]
			if (listener !== undefined) retireListener(engine, router, listener)
			for (const upstream of router.upstreams[service]) retireUpstream(engine, upstream)
			router.upstreams[service] = []
		}
	}
	engine.configuration = next
	await resolveUpstreams(engine)
	return undefined
}

async function takeBack(
	engine: Engine,
	refused: string,
	opened: readonly DatagramSocket[],
	displaced: readonly Displaced[],
): Promise<string> {
	for (const socket of opened) closeSocket(engine, socket)
	await restore(engine, displaced)
	return refused
}

function routerOf(engine: Engine, settings: VirtualRouter): Router {
	let router = engine.routers.get(settings.name)
	if (router === undefined) {
		router = {
			name: settings.name,
			settings,
			listeners: {},
			upstreams: { authentication: [], accounting: [] },
			discards: createDiscards(),
			turns: { authentication: 0, accounting: 0 },
			conversations: new Map(),
		}
		engine.routers.set(settings.name, router)
	}
	return router
}

/** Opens the socket that a relay server needs; what follows from it is put off into `plan`. */
async function planListener(
	engine: Engine,
	router: Router | undefined,
	settings: VirtualRouter,
	service: Service,
	plan: (() => void)[],
	opened: DatagramSocket[],
	displaced: Displaced[],
): Promise<string | undefined> {
	// Without a client network nothing could be answered: the port stays free.
	const configured = settings.relay[service]
	const server = configured?.clients.length === 0 ? undefined : configured
	const listener = router?.listeners[service]
	if (server === undefined) {
		if (router !== undefined && listener !== undefined) {
			plan.push(() => retireListener(engine, router, listener))
		}
		return undefined
	}
	const same =
		listener !== undefined &&
		listener.settings.listenAddress === server.listenAddress &&
		listener.settings.udpPort === server.udpPort
	if (same) {
		plan.push(() => {
			listener.settings = server
			listener.clients = clientsOf(server.clients)
		})
		return undefined
	}
	const address = parseIpv4(server.listenAddress)
	if (address === undefined) return `${server.listenAddress} is not an IPv4 address.`
	const bound = await bindListener(engine, listener, server, address, displaced)
	if (typeof bound === 'string') {
		return `The ${service} relay server cannot listen on ${server.listenAddress} port ${server.udpPort}: ${bound}`
	}
	if (!engine.sockets.has(bound)) opened.push(bound)
	plan.push(() => {
		const owner = routerOf(engine, settings)
		if (listener !== undefined) retireListener(engine, owner, listener)
		const made = newListener(settings.name, service, server, bound)
		owner.listeners[service] = made
		engine.sockets.set(bound, made)
	})
	return undefined
}

/** A socket at the address, or the reason why there is none. */
async function bindListener(
	engine: Engine,
	old: Listener | undefined,
	server: RelayServer,
	address: number,
	displaced: Displaced[],
): Promise<DatagramSocket | string> {
	const { transport } = engine.parts
	const retired = [...engine.retiring].filter(each => 'peers' in each)
	const there = (old === undefined ? retired : [old, ...retired]).filter(
		({ socket }) => socket.port === server.udpPort,
	)
	// Removed a moment ago and configured again: the socket is open still, and two cannot be.
	const same = there.find(({ socket }) => socket.address === address)
	if (same !== undefined) return same.socket
	try {
		return await transport.bind(address, server.udpPort)
	} catch (error) {
		const taken = (error as NodeJS.ErrnoException).code === 'EADDRINUSE'
		if (!taken || there.length === 0) return bindFailure(error)
	}
	// The relay's own socket is in the way (0.0.0.0 overlaps every address): it goes first, and
	// answers in flight leave through the new one.
	endTurn(engine)
	for (const { socket } of there) closeSocket(engine, socket)
	displaced.push(...there.map(listener => ({ listener, closed: listener.socket })))
	try {
		const socket = await transport.bind(address, server.udpPort)
		for (const listener of there) listener.socket = socket
		return socket
	} catch (error) {
		return bindFailure(error)
	}
}

/** After a refused change: listeners whose socket had to go get one at their old place. */
async function restore(engine: Engine, displaced: readonly Displaced[]): Promise<void> {
	const successors = new Map<DatagramSocket, DatagramSocket>()
	for (const { listener, closed } of displaced) {
		let socket = successors.get(closed)
		if (socket === undefined) {
			socket = await engine.parts.transport.bind(closed.address, closed.port)
			engine.sockets.set(socket, listener)
			successors.set(closed, socket)
		}
		listener.socket = socket
	}
}

function applyRouter(engine: Engine, settings: VirtualRouter): void {
	const router = routerOf(engine, settings)
	const sourceChanged = router.settings.updateSourceAddress !== settings.updateSourceAddress
	router.settings = settings
	const source = parseIpv4(settings.updateSourceAddress ?? '') ?? 0
	for (const service of services) {
		const old = router.upstreams[service]
		const kept = new Set<Upstream>()
		router.upstreams[service] = settings.upstream[service].map(server => {
			const upstream = old.find(u => !sourceChanged && sameServer(u.settings, server))
			if (upstream === undefined) return addUpstream(engine, router, service, server, source)
			kept.add(upstream)
			upstream.settings = server
			upstream.maxSessions = server.maxSessions
			return upstream
		})
		for (const upstream of old) if (!kept.has(upstream)) retireUpstream(engine, upstream)
	}
}

function sameServer(a: UpstreamServer, b: UpstreamServer): boolean {
	return a.address === b.address && a.udpPort === b.udpPort && a.key === b.key
}

function addUpstream(
	engine: Engine,
	router: Router,
	service: Service,
	server: UpstreamServer,
	source: number,
): Upstream {
	const { parts, now } = engine
	return newUpstream(
		router.name,
		service,
		server,
		source,
		now,
		{
			intervalMs: parts.watchdogSeconds * 1000,
			deadtimeMs: server.deadtimeMinutes * 60_000,
		},
		parts.entropy.random(),
	)
}

/** Opens sockets for servers that have none, and looks names up anew. */
export async function resolveUpstreams(engine: Engine): Promise<void> {
	const work: Promise<void>[] = []
	for (const router of engine.routers.values()) {
		for (const service of services) {
			for (const upstream of router.upstreams[service]) work.push(resolve(engine, upstream))
		}
	}
	await Promise.all(work)
}

async function resolve(engine: Engine, upstream: Upstream): Promise<void> {
	// JunosE: without a key a server is not used.
	if (upstream.settings.key === undefined || upstream.retired || upstream.opening) return
	if (parseIpv4(upstream.name) === undefined) {
		const address = await lookUp(engine, upstream)
		if (address !== undefined && address !== upstream.address) {
			await moveUpstream(engine, upstream, address)
			return
		}
	}
	const open = upstream.sockets.some(socket => !socket.retired)
	if (upstream.address !== 0 && !open) await addSocket(engine, upstream)
}

/** The server's name has another address: the old one serves until there is a socket to the new. */
async function moveUpstream(engine: Engine, upstream: Upstream, address: number): Promise<void> {
	const old = { address: upstream.address, sockets: [...upstream.sockets] }
	upstream.address = address
	await addSocket(engine, upstream)
	const opened = upstream.sockets.some(socket => !old.sockets.includes(socket))
	if (opened) for (const socket of old.sockets) socket.retired = true
	else if (old.address !== 0) upstream.address = old.address
}

async function lookUp(engine: Engine, upstream: Upstream): Promise<number | undefined> {
	try {
		const addresses = await engine.parts.resolve(upstream.name)
		// An address that still serves is kept while the name has it.
		return addresses.includes(upstream.address) ? upstream.address : addresses[0]
	} catch (error) {
		engine.parts.log.warn(
			'name-unresolved',
			{ server: upstream.name, error: String(error) },
			`The name ${upstream.name} has no IPv4 address now; the relay goes on with the last one it had, if any, and asks again.`,
		)
		return undefined
	}
}

function retireListener(engine: Engine, router: Router, listener: Listener): void {
	listener.retired = true
	engine.retiring.add(listener)
	if (router.listeners[listener.service] === listener) delete router.listeners[listener.service]
}

function retireUpstream(engine: Engine, upstream: Upstream): void {
	upstream.retired = true
	upstream.ready = false
	engine.retiring.add(upstream)
}

/** Closes what is retired and has nothing in flight any more. */
export function closeRetired(engine: Engine): void {
	for (const retiring of engine.retiring) {
		if ('peers' in retiring) {
			if (retiring.pending > 0) continue
			leaveSocket(engine, retiring)
		} else {
			if (retiring.inFlight > 0) continue
			for (const socket of retiring.sockets) closeSocket(engine, socket.socket)
			retiring.sockets.length = 0
		}
		engine.retiring.delete(retiring)
	}
	for (const router of engine.routers.values()) {
		for (const service of services) closeMovedSockets(engine, router.upstreams[service])
		const configured = engine.configuration.virtualRouters.some(vr => vr.name === router.name)
		const busy = [...engine.retiring].some(retiring => retiring.router === router.name)
		if (!configured && !busy) engine.routers.delete(router.name)
	}
}

/** Closes a retired listener's socket, unless another listener at the same place needs it. */
function leaveSocket(engine: Engine, retired: Listener): void {
	const { socket } = retired
	if (engine.sockets.get(socket) !== retired) return
	const heir = [...engine.retiring].find(
		other => other !== retired && 'peers' in other && other.socket === socket,
	)
	if (heir !== undefined && 'peers' in heir) engine.sockets.set(socket, heir)
	else closeSocket(engine, socket)
}

/** Sockets to an address that the server's name no longer has. */
function closeMovedSockets(engine: Engine, upstreams: readonly Upstream[]): void {
	for (const upstream of upstreams) {
		for (const socket of upstream.sockets.filter(s => s.retired && isIdle(s))) {
			closeSocket(engine, socket.socket)
			upstream.sockets.splice(upstream.sockets.indexOf(socket), 1)
		}
	}
}

/** Gives up everything in flight: the relay stops. */
export function releaseAll(engine: Engine): void {
	const upstreams = [...engine.routers.values()].flatMap(router =>
		services.flatMap(service => router.upstreams[service]),
	)
	const retiring = [...engine.retiring].filter(r => 'watchdog' in r)
	for (const upstream of [...upstreams, ...retiring]) {
		for (const socket of upstream.sockets) {
			for (const exchange of socket.exchanges) {
				if (exchange !== undefined) release(engine, exchange, 'stopped')
			}
		}
	}
}
