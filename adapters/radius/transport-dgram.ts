/**
 * Datagrams through Node's `dgram`, for machines where the system calls cannot be made directly:
 * slower, blind to the local address on a socket bound to 0.0.0.0, otherwise the same.
 */

import { createSocket, type Socket } from 'node:dgram'
import { formatIpv4, parseIpv4 } from '../../domain/address.ts'
import type { DatagramSocket, Memory, Received, Transport } from './transport.ts'
import {
	assertWithin,
	batchSize,
	bufferSize,
	sendQueueLimit,
	socketBufferOctets,
	socketError,
	type Turn,
} from './transport.ts'

/** Datagrams that wait for `receive`; beyond them they are dropped, as a kernel's queue would. */
const receiveQueueLimit = 4096

type Arrived = { readonly bytes: Uint8Array; readonly address: number; readonly port: number }

type Queued = {
	readonly memory: Memory
	readonly offset: number
	readonly length: number
	readonly address: number
	readonly port: number
}

/** What a socket tells the loop. */
type Host = {
	readonly received: Received
	arrived(socket: DatagramSocket): void
	emptied(socket: DatagramSocket): void
	closed(socket: DatagramSocket): void
}

export function openDgramTransport(): Transport {
	const sockets = new Set<DatagramSocket>()
	const loop = createLoop()
	const host: Host = {
		received: createReceived(),
		arrived: loop.arrived,
		emptied: loop.forget,
		closed(socket) {
			sockets.delete(socket)
			loop.forget(socket)
		},
	}
	let closed = false

	async function open(opening: Promise<Opening>): Promise<DatagramSocket> {
		const socket = createDatagramSocket(host, await opening)
		sockets.add(socket)
		if (closed) socket.close()
		return socket
	}
	function assertOpen(): void {
		if (closed) throw new Error('the transport is closed')
	}

	return {
		kind: 'dgram',
		allocate(octets) {
			assertOpen()
			return { bytes: new Uint8Array(octets) }
		},
		async bind(address, port, options) {
			assertOpen()
			if (options?.broadcast) {
				const message = 'Node itself does not tell by which interface a datagram came'
				throw Object.assign(new Error(message), { code: 'EOPNOTSUPP' })
			}
			return open(openBound(address, port))
		},
		async connect(address, port, source) {
			assertOpen()
			return open(openConnected(address, port, source))
		},
		run(turn, tickMs) {
			assertOpen()
			loop.run(turn, tickMs)
		},
		stop: loop.stop,
		close() {
			closed = true
			loop.stop()
			for (const socket of [...sockets]) socket.close()
		},
		udpChecksums: () => 'unknown',
	}
}

function createReceived(): Received {
	return {
		count: 0,
		buffers: Array.from({ length: batchSize }, () => new Uint8Array(bufferSize)),
		lengths: new Uint32Array(batchSize),
		addresses: new Uint32Array(batchSize),
		ports: new Uint16Array(batchSize),
		locals: new Uint32Array(batchSize),
		destinations: new Uint32Array(batchSize),
		interfaces: new Uint32Array(batchSize),
	}
}

// ---- the loop

function createLoop() {
	const waiting = new Set<DatagramSocket>()
	const ready: DatagramSocket[] = []
	let running: { turn: Turn; ticker: NodeJS.Timeout } | undefined
	let pending: NodeJS.Immediate | undefined
	/** The last turn asked for another one, whether or not anything arrives. */
	let asked = false

	function runTurn(): void {
		pending = undefined
		if (waiting.size > 0 || asked) tick()
	}

	function tick(): void {
		if (running === undefined) return
		ready.length = 0
		for (const socket of waiting) ready.push(socket)
		asked = running.turn(ready) !== undefined
		wake()
	}

	function wake(): void {
		if (running === undefined || (waiting.size === 0 && !asked)) return
		pending ??= setImmediate(runTurn)
	}

	return {
		arrived(socket: DatagramSocket): void {
			waiting.add(socket)
			wake()
		},
		forget(socket: DatagramSocket): void {
			waiting.delete(socket)
		},
		run(turn: Turn, tickMs: number): void {
			if (running !== undefined) throw new Error('the transport runs already')
			running = { turn, ticker: setInterval(tick, tickMs) }
			wake()
		},
		stop(): void {
			if (running === undefined) return
			clearInterval(running.ticker)
			clearImmediate(pending)
			pending = undefined
			running = undefined
		},
	}
}

// ---- sockets

type Opening = { readonly handle: Socket; readonly connected: boolean }

async function openBound(address: number, port: number): Promise<Opening> {
	const handle = createHandle()
	await settle(handle, 'bind', address, port, done => {
		handle.bind({ address: formatIpv4(address), port, exclusive: true }, done)
	})
	enlarge(handle)
	return { handle, connected: false }
}

async function openConnected(address: number, port: number, source: number): Promise<Opening> {
	const handle = createHandle()
	await settle(handle, 'bind', source, 0, done => {
		handle.bind({ address: formatIpv4(source), port: 0, exclusive: true }, done)
	})
	await settle(handle, 'connect', address, port, done => {
		handle.connect(port, formatIpv4(address), done)
	})
	enlarge(handle)
	return { handle, connected: true }
}

/** A handle that, as on Linux, keeps no process alive: only `run` does. */
function createHandle(): Socket {
	const handle = createSocket({
		type: 'udp4',
		// Addresses are numbers already; without this every datagram would wait for a resolver.
		lookup: (name, _options, callback) => callback(null, name, 4),
	})
	return handle.unref()
}

function enlarge(handle: Socket): void {
	try {
		handle.setRecvBufferSize(socketBufferOctets)
		handle.setSendBufferSize(socketBufferOctets)
	} catch {
		// Some systems refuse more than their limit instead of granting it: the default stays.
	}
}

/** Waits for one step of opening; closes the handle where it fails. */
async function settle(
	handle: Socket,
	action: 'bind' | 'connect',
	address: number,
	port: number,
	step: (done: (error?: Error) => void) => void,
): Promise<void> {
	const { promise, resolve, reject } = Promise.withResolvers<void>()
	handle.once('error', reject)
	// An unreferenced handle would let the process end before the step is done.
	const alive = setInterval(() => {}, 1000)
	try {
		step(error => (error ? reject(error) : resolve()))
		await promise
	} catch (error) {
		handle.close()
		const code = (error as NodeJS.ErrnoException).code ?? 'EIO'
		throw socketError(action, code, address, port)
	} finally {
		clearInterval(alive)
		handle.removeListener('error', reject)
	}
}

function createDatagramSocket(host: Host, { handle, connected }: Opening): DatagramSocket {
	const bound = handle.address()
	const address = parseIpv4(bound.address) ?? 0
	const arrived = createArrivals()
	const outgoing = createOutgoing(handle, connected, () => !closed, arrive)
	let closed = false
	function arrive(): void {
		if (!closed) host.arrived(socket)
	}
	const socket: DatagramSocket = {
		address,
		port: bound.port,
		receive() {
			arrived.take(host.received, address)
			if (arrived.size() === 0) host.emptied(socket)
			return host.received
		},
		send(memory, offset, length, toAddress, toPort) {
			if (!closed) outgoing.add({ memory, offset, length, address: toAddress, port: toPort })
		},
		flush() {
			if (!closed) outgoing.flush()
		},
		takeRefused: outgoing.takeRefused,
		takeUnsent: outgoing.takeUnsent,
		takeOverflowed: arrived.takeOverflowed,
		close() {
			if (closed) return
			closed = true
			arrived.clear()
			handle.close()
			host.closed(socket)
		},
	}
	handle.on('message', (bytes, from) => {
		arrived.add({ bytes, address: parseIpv4(from.address) ?? 0, port: from.port })
		arrive()
	})
	// On a connected socket ICMP's refusals come here; nothing that comes here may end the process.
	handle.on('error', outgoing.failed)
	return socket
}

function createArrivals() {
	let queue: Arrived[] = []
	let next = 0
	let overflowed = 0
	const size = () => queue.length - next
	return {
		size,
		add(datagram: Arrived): void {
			if (size() < receiveQueueLimit) queue.push(datagram)
			else overflowed++
		},
		take(received: Received, local: number): void {
			const count = Math.min(batchSize, size())
			for (let i = 0; i < count; i++) {
				const datagram = queue[next + i]!
				const length = Math.min(datagram.bytes.length, bufferSize)
				received.buffers[i]!.set(datagram.bytes.subarray(0, length))
				received.lengths[i] = length
				received.addresses[i] = datagram.address
				received.ports[i] = datagram.port
				received.locals[i] = local
				received.destinations[i] = local
				received.interfaces[i] = 0
			}
			received.count = count
			next += count
			if (next < queue.length && next < receiveQueueLimit) return
			queue = queue.slice(next)
			next = 0
		},
		clear(): void {
			queue = []
			next = 0
		},
		takeOverflowed(): number {
			const taken = overflowed
			overflowed = 0
			return taken
		},
	}
}

/** `refusal` is called at each, as soon as it is known. */
function createOutgoing(
	handle: Socket,
	connected: boolean,
	isOpen: () => boolean,
	refusal: () => void,
) {
	let queue: Queued[] = []
	let refused = 0
	let unsent = 0

	/** Told by `send` or, on a connected socket, by ICMP. */
	function failed(error: Error | null): void {
		if (error === null) return
		if (!isRefusal(error)) unsent++
		else {
			refused++
			refusal()
		}
	}

	function transmit({ memory, offset, length, address, port }: Queued): void {
		// `dgram` sends when it likes: it gets a copy, so that the memory is free after `flush`.
		const bytes = Buffer.from(memory.bytes.subarray(offset, offset + length))
		if (!connected) {
			handle.send(bytes, port, formatIpv4(address), failed)
			return
		}
		// A refusal told here belongs to an earlier datagram, and this one has not left: once more.
		handle.send(bytes, error => {
			failed(error)
			if (isRefusal(error) && isOpen()) handle.send(bytes, failed)
		})
	}

	return {
		failed,
		add(datagram: Queued): void {
			assertWithin(datagram.memory, datagram.offset, datagram.length)
			// Port 0 comes with forged datagrams; nobody can be there.
			const impossible = !connected && datagram.port === 0
			const full = queue.length + handle.getSendQueueCount() >= sendQueueLimit
			if (impossible || full) unsent++
			else queue.push(datagram)
		},
		flush(): void {
			const datagrams = queue
			queue = []
			for (const datagram of datagrams) transmit(datagram)
		},
		takeRefused(): number {
			const taken = refused
			refused = 0
			return taken
		},
		takeUnsent(): number {
			const taken = unsent
			unsent = 0
			return taken
		},
	}
}

function isRefusal(error: Error | null): boolean {
	return (error as NodeJS.ErrnoException | null)?.code === 'ECONNREFUSED'
}
