/** Sockets that were opened for the engine, or could not be. */
import type { DatagramSocket } from '../../adapters/radius/transport.ts'
import type { Engine } from './engine.ts'

export function closeSocket(engine: Engine, socket: DatagramSocket): void {
	engine.sockets.delete(socket)
	socket.close()
}

export function bindFailure(error: unknown): string {
	const { code, message } = error as NodeJS.ErrnoException
	switch (code) {
		case 'EADDRINUSE':
			return 'another program or virtual router has that port. Choose another udp-port or listen-address.'
		case 'EADDRNOTAVAIL':
			return 'this machine does not have that address. Choose one that it has, or 0.0.0.0.'
		case 'EACCES':
			return 'ports below 1024 need root or CAP_NET_BIND_SERVICE. Choose another udp-port or grant it.'
		default:
			return message
	}
}
