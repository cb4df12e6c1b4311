/** A relay server's socket and the clients that talk to it. */
import type { DatagramSocket } from '../../adapters/radius/transport.ts'
import { formatIpv4 } from '../../domain/address.ts'
import { clientsOf } from '../../domain/client.ts'
import type { RelayServer, Service } from '../../domain/configuration.ts'
import { type Listener, newPeer, type Peer } from './exchange.ts'

/** Client ports that are remembered at once; more than that are turned away. */
export const peerLimit = 65_536

export function newListener(
	router: string,
	service: Service,
	settings: RelayServer,
	socket: DatagramSocket,
): Listener {
	return {
		router,
		service,
		settings,
		clients: clientsOf(settings.clients),
		socket,
		peers: new Map(),
		pending: 0,
		retired: false,
		touched: false,
	}
}

/** The peer at an address and port; undefined when there are too many. */
export function findPeer(listener: Listener, address: number, port: number): Peer | undefined {
	const key = address * 65_536 + port
	const known = listener.peers.get(key)
	if (known !== undefined) return known
	if (listener.peers.size >= peerLimit) return undefined
	const peer = newPeer(listener, address, formatIpv4(address), port)
	listener.peers.set(key, peer)
	return peer
}

/** Forgets client ports that have been silent since `before` (monotonic milliseconds). */
export function forgetPeers(listener: Listener, before: number): void {
	for (const [key, peer] of listener.peers) {
		if (peer.pending === 0 && peer.heardAt < before) listener.peers.delete(key)
	}
}
