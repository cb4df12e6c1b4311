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
	/** The interface that it was to leave by; 0: whichever. */
	readonly interfaceIndex: number
}

/** Where a datagram arrives: what IP_PKTINFO tells of one. */
export type Arrival = {
	readonly interfaceIndex: number
	readonly local: number
	readonly destination: number
}
type Arrived = { address: number; port: number; bytes: Uint8Array; arrival: Arrival }
const unknownArrival: Arrival = { interfaceIndex: 0, local: 0, destination: 0 }

export type SimulatedTransport = Transport & {
	/** Datagrams that were flushed, in order; whoever looks at them takes them out. */
	readonly sent: SentDatagram[]
	/** Lets a datagram arrive at a socket. */
	deliver(
		socket: DatagramSocket,
		address: number,
		port: number,
		bytes: Uint8Array,
		arrival?: Arrival,
	): void
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

/**
 * `left` is told of every datagram at the moment in which it leaves; what it throws ends the flush.
 * With a small `batch` a few datagrams are as many as thousands are to a real one.
 */
export function openSimulatedTransport(
	left: (datagram: SentDatagram) => void = () => {},
	batch = batchSize,
): SimulatedTransport {
	const sent: SentDatagram[] = []
	const sockets = new Map<number, DatagramSocket>()
	const arrived = new Map<DatagramSocket, Arrived[]>()
	const peers = new Map<DatagramSocket, { address: number; port: number }>()
	const refusals = new Map<DatagramSocket, number>()
	const overflows = new Map<DatagramSocket, number>()
	const received: Received = {
		count: 0,
		buffers: Array.from({ length: batch }, () => new Uint8Array(bufferSize)),
		lengths: new Uint32Array(batch),
		addresses: new Uint32Array(batch),
		ports: new Uint16Array(batch),
		locals: new Uint32Array(batch),
		destinations: new Uint32Array(batch),
		interfaces: new Uint32Array(batch),
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
			interfaceIndex: number
		}[] = []
		const socket: DatagramSocket = {
			address,
			port,
			receive() {
				const waiting = (arrived.get(socket) ?? []).splice(0, batch)
				received.count = waiting.length
				for (const [i, datagram] of waiting.entries()) {
					received.buffers[i]!.set(datagram.bytes.subarray(0, bufferSize))
					received.lengths[i] = Math.min(datagram.bytes.length, bufferSize)
					received.addresses[i] = datagram.address
					received.ports[i] = datagram.port
					received.locals[i] = datagram.arrival.local
					received.destinations[i] = datagram.arrival.destination
					received.interfaces[i] = datagram.arrival.interfaceIndex
				}
				return received
			},
			send(memory: Memory, offset, length, toAddress, toPort, _local, interfaceIndex = 0) {
				if (sockets.get(port) !== socket) return
				const to = peer ?? { address: toAddress, port: toPort }
				queued.push({ ...to, memory, offset, length, interfaceIndex })
			},
			flush() {
				// Taken from memory only now, as the real ones do: whoever changes it before is found out.
				for (const { memory, offset, length, ...to } of queued.splice(0)) {
					const datagram = { socket, ...to, bytes: memory.bytes.slice(offset, offset + length) }
					sent.push(datagram)
					left(datagram)
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
				peers.delete(socket)
			},
		}
		sockets.set(port, socket)
		arrived.set(socket, [])
		if (peer !== undefined) peers.set(socket, peer)
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
		deliver(socket, address, port, bytes, arrival = unknownArrival) {
			const peer = peers.get(socket)
			// A connected socket hears nobody else.
			if (peer !== undefined && (peer.address !== address || peer.port !== port)) return
			arrived.get(socket)?.push({ address, port, bytes: bytes.slice(), arrival })
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
