/** Brings the configuration of the DHCP local server into force: one socket for all virtual routers. */
import type { DatagramSocket } from '../../adapters/radius/transport.ts'
import type { Configuration, DhcpLocal } from '../../domain/configuration.ts'
import { serverPort } from '../../domain/dhcp/packet.ts'
import { firstSlice, sliceOf } from '../../domain/lease-state.ts'
import { routerState } from '../../domain/state.ts'
import { bindFailure, closeSocket } from './configure.ts'
import { makePools, readInterfaces } from './dhcp.ts'
import { type DhcpService, takeDhcpDiscards } from './dhcp-service.ts'
import { type Engine, record } from './engine.ts'

type Served = { readonly name: string; readonly settings: DhcpService['settings'] }

/** Opens the socket if it is needed; what follows from it is put off into `plan`. */
export async function planDhcp(
	engine: Engine,
	next: Configuration,
	plan: (() => void)[],
	opened: DatagramSocket[],
): Promise<string | undefined> {
	const served = next.virtualRouters.flatMap(({ name, dhcpLocal }) =>
		isServed(dhcpLocal) ? [{ name, settings: dhcpLocal }] : [],
	)
	let socket = engine.dhcp.listener?.socket
	if (served.length > 0 && socket === undefined) {
		const port = engine.parts.dhcpPort ?? serverPort
		try {
			socket = await engine.parts.transport.bind(0, port, { broadcast: true })
			opened.push(socket)
		} catch (error) {
			return `The DHCP local server cannot listen on UDP port ${port}: ${bindFailure(error)}`
		}
	}
	plan.push(() => apply(engine, served, socket))
	return undefined
}

function isServed(local: DhcpLocal): local is DhcpService['settings'] {
	return local.service !== undefined
}

function apply(
	engine: Engine,
	served: readonly Served[],
	socket: DatagramSocket | undefined,
): void {
	const { dhcp } = engine
	for (const [name, service] of dhcp.services) {
		if (served.some(each => each.name === name)) continue
		record(engine, takeDhcpDiscards(service, engine.at))
		dhcp.services.delete(name)
	}
	if (served.length === 0) {
		if (dhcp.listener !== undefined) closeSocket(engine, dhcp.listener.socket)
		dhcp.listener = undefined
		return
	}
	if (dhcp.listener === undefined && socket !== undefined) {
		dhcp.listener = { socket, dhcp, touched: false }
		engine.sockets.set(socket, dhcp.listener)
	}
	readInterfaces(engine)
	for (const { name, settings } of served) serve(engine, name, settings)
}

function serve(engine: Engine, name: string, settings: DhcpService['settings']): void {
	const service = engine.dhcp.services.get(name)
	if (service?.settings === settings) return
	if (service !== undefined) {
		service.settings = settings
		makePools(engine, service)
		return
	}
	const { leases } = routerState(engine.state, name)
	const now = sliceOf(engine.at - engine.state.clockShiftMs)
	const made: DhcpService = {
		router: name,
		settings,
		pools: { byName: new Map(), byNetwork: [], excluded: [] },
		// What is over already comes first; what is leased from now on may be over before all others.
		nextSlice: Math.min(now, firstSlice(leases, 0) ?? now),
		discards: new Map(),
		pinging: new Set(),
		waiting: new Set(),
		refusals: 0,
	}
	engine.dhcp.services.set(name, made)
	makePools(engine, made)
}
