/**
 * Ports for servers that are about to be started. They lie below those that Linux gives to sockets that ask
 * for none (ip_local_port_range, from 32,768 on): otherwise a client somewhere has one before its server is there.
 */
import { randomInt } from 'node:crypto'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { createServer } from 'node:net'

const lowest = 20_000
const end = 32_768
const given = new Set<number>()

/** Port numbers that nobody uses on any address of this machine, by UDP or TCP, all different. */
export async function freePorts(count: number): Promise<number[]> {
	const ports: number[] = []
	while (ports.length < count) {
		const port = randomInt(lowest, end)
		if (given.has(port) || !(await isFree(port))) continue
		given.add(port)
		ports.push(port)
	}
	return ports
}

/** Whether nobody has the port, on any address, by UDP or TCP. */
export async function isFree(port: number): Promise<boolean> {
	const socket = createSocket('udp4')
	const server = createServer()
	try {
		socket.bind(port, '0.0.0.0')
		await once(socket, 'listening')
		server.listen(port, '0.0.0.0')
		await once(server, 'listening')
		return true
	} catch {
		return false
	} finally {
		socket.close()
		await new Promise<void>(resolve => server.close(() => resolve()))
	}
}
