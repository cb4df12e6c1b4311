/** One more socket to an upstream server, while packets pass. */
import type { Engine } from './engine.ts'
import type { Upstream } from './exchange.ts'
import { openUpstreamSocket } from './upstream-link.ts'

/** After a socket could not be opened the next attempt waits this long. */
const openAgainMs = 5000

export async function addSocket(engine: Engine, upstream: Upstream): Promise<void> {
	upstream.opening = true
	try {
		const socket = await openUpstreamSocket(engine.parts.transport, upstream)
		if (upstream.retired || engine.stopped) {
			socket.socket.close()
			return
		}
		upstream.sockets.push(socket)
		engine.sockets.set(socket.socket, socket)
		upstream.ready = true
	} catch (error) {
		upstream.openAgainAt = engine.now + openAgainMs
		engine.parts.log.warn(
			'upstream-socket-failed',
			{ server: upstream.name, error: String(error) },
			`No socket for the server ${upstream.name} could be opened; the relay tries again.`,
		)
	} finally {
		upstream.opening = false
	}
}
