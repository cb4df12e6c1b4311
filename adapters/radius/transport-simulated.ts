/**
 * Datagrams without a network: what is sent is kept to be looked at, what arrives is handed in. For
 * tests and simulations, where nothing may depend on time or on the machine.
 */
import {
	batchSize,
	bufferSize,
	type DatagramSocket,
	type Memory,
	type Received,
	type Transport,
} from './transport.ts'

export type SentDatagram = {
	readonly socket: DatagramSocket
	readonly address: number
	readonly port: number
	readonly bytes: Uint8Array
}

export type SimulatedTransport = Transport & {
	/** Datagrams that were flushed, in order; whoever looks at them takes them out. */
	readonly sent: SentDatagram[]
	/** Lets a datagram arrive at a socket. */
	deliver(socket: DatagramSocket, address: number, port: number, bytes: Uint8Array): void
	/** Sockets that have something to receive. */
	ready(): DatagramSocket[]
	/** Open sockets by local port. */
	readonly sockets: ReadonlyMap<number, DatagramSocket>
	/** The next answer of this socket's host is "port unreachable". */
	refuse(socket: DatagramSocket): void
	/** Datagrams that a full receive queue lost. */
	overflow(socket: DatagramSocket, count: number): void
}

const loopback = 0x7f000001
const firstFreePort = 40_000

export function openSimulatedTransport(): SimulatedTransport {
	const sent: SentDatagram[] = []
	const sockets = new Map<number, DatagramSocket>()
	const arrived = new Map<DatagramSocket, { address: number; port: number; bytes: Uint8Array }[]>()
	const refusals = new Map<DatagramSocket, number>()
	const overflows = new Map<DatagramSocket, number>()
	const received: Received = {
		count: 0,
		buffers: Array.from({ length: batchSize }, () => new Uint8Array(bufferSize)),
		lengths: new Uint32Array(batchSize),
		addresses: new Uint32Array(batchSize),
		ports: new Uint16Array(batchSize),
		locals: new Uint32Array(batchSize),
	}
	let nextPort = firstFreePort

	function open(
		address: number,
		port: number,
		peer?: { address: number; port: number },
	): DatagramSocket {
		const queued: {
			address: number
			port: number
			memory: Memory
			offset: number
			length: number
		}[] = []
		const socket: DatagramSocket = {
			address,
			port,
			receive() {
				const waiting = (arrived.get(socket) ?? []).splice(0, batchSize)
				received.count = waiting.length
				for (const [i, datagram] of waiting.entries()) {
					received.buffers[i]!.set(datagram.bytes.subarray(0, bufferSize))
					received.lengths[i] = Math.min(datagram.bytes.length, bufferSize)
					received.addresses[i] = datagram.address
					received.ports[i] = datagram.port
					received.locals[i] = 0
				}
				return received
			},
			send(memory: Memory, offset, length, toAddress, toPort) {
				const to = peer ?? { address: toAddress, port: toPort }
				queued.push({ ...to, memory, offset, length })
			},
			flush() {
				// Taken from memory only now, as the real ones do: whoever changes it before is found out.
				for (const { memory, offset, length, ...to } of queued.splice(0)) {
					sent.push({ socket, ...to, bytes: memory.bytes.slice(offset, offset + length) })
				}
			},
			takeRefused() {
				const count = refusals.get(socket) ?? 0
				refusals.delete(socket)
				return count
			},
			takeUnsent: () => 0,
			takeOverflowed() {
				const count = overflows.get(socket) ?? 0
				overflows.delete(socket)
				return count
			},
			close() {
				queued.length = 0
				sockets.delete(port)
				arrived.delete(socket)
			},
		}
		sockets.set(port, socket)
		arrived.set(socket, [])
		return socket
	}

	return {
		kind: 'simulated',
		sent,
		sockets,
		allocate: octets => ({ bytes: new Uint8Array(octets) }),
		async bind(address, wantedPort) {
			const port = wantedPort === 0 ? nextPort++ : wantedPort
			if (sockets.has(port)) {
				throw Object.assign(new Error(`Port ${port} is taken.`), { code: 'EADDRINUSE' })
			}
			return open(address, port)
		},
		async connect(address, port, source) {
			return open(source === 0 ? loopback : source, nextPort++, { address, port })
		},
		deliver(socket, address, port, bytes) {
			arrived.get(socket)?.push({ address, port, bytes: bytes.slice() })
		},
		ready: () => [...arrived].filter(([, waiting]) => waiting.length > 0).map(([s]) => s),
		refuse(socket) {
			refusals.set(socket, (refusals.get(socket) ?? 0) + 1)
		},
		overflow(socket, count) {
			overflows.set(socket, (overflows.get(socket) ?? 0) + count)
		},
		run() {},
		stop() {},
		close() {
			sockets.clear()
			arrived.clear()
		},
		udpChecksums: () => 'unknown',
	}
}
