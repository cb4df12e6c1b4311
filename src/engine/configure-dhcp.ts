/** Brings the configuration of the DHCP servers into force: one socket for all virtual routers. */
import type { DatagramSocket } from '../../adapters/radius/transport.ts'
import { parseIpv4 } from '../../domain/address.ts'
import type { Configuration, DhcpExternal, DhcpLocal } from '../../domain/configuration.ts'
import { serverPort } from '../../domain/dhcp/packet.ts'
import { firstSlice, sliceOf } from '../../domain/lease-deadlines.ts'
import { endShadows } from '../../domain/shadow-lease.ts'
import { routerState } from '../../domain/state.ts'
import { makePools, readInterfaces } from './dhcp.ts'
import { watchPassing } from './dhcp-external.ts'
import {
	type Dhcp,
	type DhcpService,
	type ExternalService,
	takeDhcpDiscards,
	takeForwarded,
} from './dhcp-service.ts'
import type { Engine } from './engine.ts'
import { record } from './record.ts'
import { bindFailure, closeSocket } from './sockets.ts'

type Served = { readonly name: string; readonly settings: DhcpService['settings'] }
type Watched = { readonly name: string; readonly settings: DhcpExternal }

/** Opens the sockets that are needed; what follows from it is put off into `plan`. */
export async function planDhcp(
	engine: Engine,
	next: Configuration,
	plan: (() => void)[],
	opened: DatagramSocket[],
): Promise<string | undefined> {
	const served = next.virtualRouters.flatMap(({ name, dhcpLocal }) =>
		isServed(dhcpLocal) ? [{ name, settings: dhcpLocal }] : [],
	)
	const watched = next.virtualRouters.flatMap(({ name, dhcpExternal }) =>
		dhcpExternal.enabled ? [{ name, settings: dhcpExternal }] : [],
	)
	let socket = engine.dhcp.listener?.socket
	if (served.length + watched.length > 0 && socket === undefined) {
		const which = served.length > 0 ? 'DHCP local server' : 'relay to the DHCP external server'
		const port = engine.parts.dhcpPort ?? serverPort
		try {
			socket = await engine.parts.transport.bind(0, port, { broadcast: true })
			opened.push(socket)
		} catch (error) {
			return `The ${which} cannot listen on UDP port ${port}: ${bindFailure(error)}`
		}
	}
	if (watched.length > 0) {
		try {
			watchPassing(engine)
		} catch (error) {
			return `The DHCP external server cannot be watched: ${(error as Error).message}.`
		}
	}
	plan.push(() => apply(engine, served, watched, socket))
	return undefined
}

/** After a refused change: nothing is watched that was not watched before. */
export function unwatchRefused({ dhcp }: Engine): void {
	if (dhcp.external.size === 0) endWatch(dhcp)
}

function endWatch(dhcp: Dhcp): void {
	dhcp.watch?.close()
	dhcp.watch = undefined
}

function isServed(local: DhcpLocal): local is DhcpService['settings'] {
	return local.service !== undefined
}

function apply(
	engine: Engine,
	served: readonly Served[],
	watched: readonly Watched[],
	socket: DatagramSocket | undefined,
): void {
	const { dhcp } = engine
	for (const [name, service] of dhcp.services) {
		if (served.some(each => each.name === name)) continue
		record(engine, takeDhcpDiscards(service, engine.at))
		dhcp.services.delete(name)
	}
	for (const [name, service] of dhcp.external) {
		if (!watched.some(each => each.name === name)) endWatching(engine, service)
	}
	if (watched.length === 0) endWatch(dhcp)
	if (served.length + watched.length === 0) {
		if (dhcp.listener !== undefined) closeSocket(engine, dhcp.listener.socket)
		dhcp.listener = undefined
		return
	}
	if (dhcp.listener === undefined && socket !== undefined) {
		dhcp.listener = { socket, dhcp, touched: false, backlog: undefined }
		engine.sockets.set(socket, dhcp.listener)
	}
	readInterfaces(engine)
	for (const { name, settings } of served) serve(engine, name, settings)
	for (const { name, settings } of watched) watch(engine, name, settings)
}

function watch(engine: Engine, name: string, settings: DhcpExternal): void {
	const { external } = engine.dhcp
	const servers = settings.servers.map(address => parseIpv4(address) ?? 0)
	const service = external.get(name)
	if (service !== undefined) {
		service.settings = settings
		service.servers = servers
		return
	}
	external.set(name, {
		router: name,
		settings,
		servers,
		nextSlice: startSlice(engine, name),
		discards: new Map(),
		forwarded: new Map(),
		awaited: new Map(),
		refusals: 0,
	})
}

/** Nobody sees any more what becomes of the leases: their shadows end with the service. */
function endWatching(engine: Engine, service: ExternalService): void {
	const { router: name } = service
	engine.dhcp.external.delete(name)
	record(engine, takeForwarded(service, engine.at))
	record(engine, takeDhcpDiscards(service, engine.at))
	const router = routerState(engine.state, name)
	const context = { name, router, at: engine.at, tellsSrc: engine.src.has(name) }
	record(engine, endShadows(context))
}

function serve(engine: Engine, name: string, settings: DhcpService['settings']): void {
	const service = engine.dhcp.services.get(name)
	if (service?.settings === settings) return
	if (service !== undefined) {
		service.settings = settings
		makePools(engine, service)
		return
	}
	const made: DhcpService = {
		router: name,
		settings,
		pools: { byName: new Map(), byNetwork: [], excluded: [] },
		nextSlice: startSlice(engine, name),
		discards: new Map(),
		pinging: new Set(),
		waiting: new Set(),
		refusals: 0,
		declines: new Map(),
	}
	engine.dhcp.services.set(name, made)
	makePools(engine, made)
}

function startSlice({ state, at }: Engine, name: string): number {
	const now = sliceOf(at - state.clockShiftMs)
	// What is over already comes first; what is leased from now on may be over before all others.
	return Math.min(now, firstSlice(routerState(state, name).leases, 0) ?? now)
}
