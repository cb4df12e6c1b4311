/**
 * Datagrams through `recvmmsg` and `sendmmsg`: up to 64 for one system call. All sockets share one
 * ring to receive into; each has its own headers to send from, which point into the caller's memory.
 *
 * One epoll descriptor knows which sockets are ready, so that idle ones cost nothing, and Node's own
 * loop watches that descriptor: nothing blocks, no thread takes part, and timers, the shell and
 * messages of workers have their turn as ever. A turn runs as an immediate because the watcher's
 * callback is outside Node's own bookkeeping: a promise resolved there would wait for another event.
 */

import type { Linux } from './linux-calls.ts'
import {
	AF_INET,
	datagramNonBlocking,
	EAGAIN,
	ECONNREFUSED,
	EINTR,
	ENOBUFS,
	EPOLL_CLOEXEC,
	EPOLL_CTL_ADD,
	EPOLLIN,
	epollEvent,
	errorName,
	IP_MTU_DISCOVER,
	IP_PKTINFO,
	IP_PMTUDISC_DONT,
	IPPROTO_IP,
	loadLinux,
	meminfoDrops,
	meminfoWords,
	POLLIN,
	SO_BROADCAST,
	SO_MEMINFO,
	SO_NO_CHECK,
	SO_RCVBUF,
	SO_RCVBUFFORCE,
	SO_SNDBUF,
	SO_SNDBUFFORCE,
	SOL_SOCKET,
	swap16,
	swap32,
} from './linux-calls.ts'
import type { BlockUse, MessageBlock } from './message-block.ts'
import {
	createBlock,
	headerOctets,
	lengthOf,
	peerAddressOf,
	peerPortOf,
	setData,
	setPeer,
	setSource,
	takePacketInfo,
} from './message-block.ts'
import type { BindOptions, DatagramSocket, Memory, Received, Transport } from './transport.ts'
import {
	assertWithin,
	batchSize,
	bufferSize,
	sendQueueLimit,
	socketBufferOctets,
	socketError,
	type Turn,
} from './transport.ts'

type NativeMemory = Memory & { readonly pointer: number }

/** Ready sockets taken from epoll at once; where there are more, the next turn has the others. */
const eventLimit = 256
/** Buffers start on cache lines, and not at the same place of every page. */
const bufferStride = 4160
/** Pending errors that one `receive` passes over before it leaves the rest to the next turn. */
const errorLimit = 8

/** Since they were last taken; `DatagramSocket` says of what. */
type Counts = { unsent: number; refused: number }

/** What every socket of a transport works with. */
type Host = {
	readonly linux: Linux
	readonly ring: Ring
	/** A few words of memory for the arguments of system calls. */
	readonly scratch: Uint32Array
	readonly scratchPointer: number
}

type Ring = {
	readonly received: Received
	/** Headers for sockets bound to one address, and for those that must ask which it was. */
	readonly plain: MessageBlock
	readonly packetInfo: MessageBlock
}

/** Throws an Error with the reason where the FFI or a system call is missing. */
export async function openLinuxTransport(): Promise<Transport> {
	const linux = await loadLinux()
	const scratchBuffer = new ArrayBuffer(256)
	const host: Host = {
		linux,
		ring: createRing(linux),
		scratch: new Uint32Array(scratchBuffer),
		scratchPointer: linux.addressOf(scratchBuffer),
	}
	checkCalls(host)
	const epoll = linux.calls.epoll_create1(EPOLL_CLOEXEC)
	if (epoll < 0) throw new Error(`epoll_create1: ${errorName(linux.errno())}`)
	return createTransport(host, epoll)
}

function createRing(linux: Linux): Ring {
	const buffer = new ArrayBuffer(batchSize * bufferStride)
	const pointer = linux.addressOf(buffer)
	const ring: Ring = {
		received: {
			count: 0,
			buffers: Array.from(
				{ length: batchSize },
				(_, i) => new Uint8Array(buffer, i * bufferStride, bufferSize),
			),
			lengths: new Uint32Array(batchSize),
			addresses: new Uint32Array(batchSize),
			ports: new Uint16Array(batchSize),
			locals: new Uint32Array(batchSize),
			destinations: new Uint32Array(batchSize),
			interfaces: new Uint32Array(batchSize),
		},
		plain: createBlock(linux, { named: true, packetInfo: false }),
		packetInfo: createBlock(linux, { named: true, packetInfo: true }),
	}
	for (let i = 0; i < batchSize; i++) {
		setData(ring.plain, i, pointer + i * bufferStride, bufferSize)
		setData(ring.packetInfo, i, pointer + i * bufferStride, bufferSize)
	}
	return ring
}

/** Sandboxes refuse some of these calls: better to learn it now than at the first datagram. */
function checkCalls(host: Host): void {
	const { calls, errno } = host.linux
	const fd = calls.socket(AF_INET, datagramNonBlocking, 0)
	if (fd < 0) throw new Error(`socket: ${errorName(errno())}`)
	const received = calls.recvmmsg(fd, host.ring.plain.address, batchSize, 0, 0)
	const receiveError = received < 0 ? errno() : 0
	const sent = calls.sendmmsg(fd, host.ring.plain.address, 0, 0)
	const sendError = sent < 0 ? errno() : 0
	calls.close(fd)
	if (receiveError !== EAGAIN) throw new Error(`recvmmsg: ${errorName(receiveError)}`)
	if (sendError !== 0) throw new Error(`sendmmsg: ${errorName(sendError)}`)
}

function createTransport(host: Host, epoll: number): Transport {
	const sockets = new Map<number, DatagramSocket>()
	// What was allocated is kept until the transport goes: queued headers point into it.
	const memories: Memory[] = []
	const loop = createLoop(host.linux, epoll, sockets)
	let closed = false

	function adopt(fd: number, connected: boolean): DatagramSocket {
		const socket = createSocket(host, fd, connected, () => sockets.delete(fd))
		const { scratch, scratchPointer, linux } = host
		scratch.fill(0)
		scratch[0] = EPOLLIN
		scratch[epollEvent.data / 4] = fd
		sockets.set(fd, socket)
		if (linux.calls.epoll_ctl(epoll, EPOLL_CTL_ADD, fd, scratchPointer) === 0) return socket
		const code = errorName(linux.errno())
		socket.close()
		throw new Error(`epoll_ctl: ${code}`)
	}

	function assertOpen(): void {
		if (closed) throw new Error('the transport is closed')
	}

	return {
		kind: 'linux',
		allocate(octets) {
			assertOpen()
			const bytes = new Uint8Array(new ArrayBuffer(octets))
			const memory: NativeMemory = { bytes, pointer: host.linux.addressOf(bytes.buffer) }
			memories.push(memory)
			return memory
		},
		async bind(address, port, options) {
			assertOpen()
			return adopt(openBound(host, address, port, options), false)
		},
		async connect(address, port, source) {
			assertOpen()
			return adopt(openConnected(host, address, port, source), true)
		},
		run(turn, tickMs) {
			assertOpen()
			loop.run(turn, tickMs)
		},
		stop: loop.stop,
		close() {
			if (closed) return
			closed = true
			loop.stop()
			for (const socket of [...sockets.values()]) socket.close()
			host.linux.calls.close(epoll)
			memories.length = 0
		},
		udpChecksums: () => askChecksums(host),
	}
}

// ---- the loop

/** Turns that follow each other before Node's loop has its turn again. */
const turnsAtOnce = 4
/** Node's loop stands still while a turn waits for datagrams. */
const waitUsLimit = 1000

function createLoop(linux: Linux, epoll: number, sockets: ReadonlyMap<number, DatagramSocket>) {
	const buffer = new ArrayBuffer(eventLimit * epollEvent.size)
	const events = new Uint32Array(buffer)
	const eventsPointer = linux.addressOf(buffer)
	const ready: DatagramSocket[] = []
	let running: { turn: Turn; watcher: { close(): void }; ticker: NodeJS.Timeout } | undefined
	let pending: NodeJS.Immediate | undefined
	/** The last turn wants another one within so many microseconds, even if nothing arrives. */
	let asked: number | undefined
	// A `struct timespec` and behind it a `struct pollfd`; the view keeps the memory of both.
	const waiting = new BigInt64Array(new ArrayBuffer(24))
	const waitingPointer = linux.addressOf(waiting.buffer)
	new Int32Array(waiting.buffer)[4] = epoll
	new Int16Array(waiting.buffer)[10] = POLLIN

	/** Waits for up to that many microseconds; the finest that epoll_wait can is a millisecond. */
	function findReady(waitUs: number): void {
		if (waitUs > 0) {
			waiting[1] = BigInt(Math.round(Math.min(waitUs, waitUsLimit) * 1000))
			linux.calls.ppoll(waitingPointer + 16, 1, waitingPointer, 0)
		}
		const count = linux.calls.epoll_wait(epoll, eventsPointer, eventLimit, 0)
		ready.length = 0
		for (let i = 0; i < count; i++) {
			const socket = sockets.get(events[(i * epollEvent.size + epollEvent.data) >>> 2]!)
			if (socket !== undefined) ready.push(socket)
		}
	}

	function runTurn(): void {
		pending = undefined
		for (let i = 0; i < turnsAtOnce; i++) {
			if (running === undefined) return
			findReady(asked ?? 0)
			if (ready.length === 0 && asked === undefined) return
			asked = running.turn(ready)
			if (asked === undefined) return
		}
		wake()
	}

	function tick(): void {
		if (running === undefined) return
		findReady(0)
		asked = running.turn(ready)
		if (asked !== undefined) wake()
	}

	function wake(): void {
		pending ??= setImmediate(runTurn)
	}

	return {
		run(turn: Turn, tickMs: number): void {
			if (running !== undefined) throw new Error('the transport runs already')
			running = { turn, watcher: linux.watch(epoll, wake), ticker: setInterval(tick, tickMs) }
		},
		stop(): void {
			if (running === undefined) return
			running.watcher.close()
			clearInterval(running.ticker)
			clearImmediate(pending)
			pending = undefined
			running = undefined
		},
	}
}

// ---- sockets

function openBound(host: Host, address: number, port: number, options?: BindOptions): number {
	const { calls, errno } = host.linux
	const fd = openDatagram(host, 'bind', address, port)
	if (options?.broadcast) setOption(host, fd, SOL_SOCKET, SO_BROADCAST, 1)
	if (calls.bind(fd, writeAddress(host, address, port), 16) === 0) {
		if (address === 0) setOption(host, fd, IPPROTO_IP, IP_PKTINFO, 1)
		return fd
	}
	const code = errorName(errno())
	calls.close(fd)
	throw socketError('bind', code, address, port)
}

function openConnected(host: Host, address: number, port: number, source: number): number {
	const { calls, errno } = host.linux
	const fd = openDatagram(host, 'connect', address, port)
	const sourced = source === 0 || calls.bind(fd, writeAddress(host, source, 0), 16) === 0
	if (sourced && calls.connect(fd, writeAddress(host, address, port), 16) === 0) return fd
	const code = errorName(errno())
	calls.close(fd)
	if (!sourced) throw socketError('bind', code, source, 0)
	throw socketError('connect', code, address, port)
}

function openDatagram(
	host: Host,
	action: 'bind' | 'connect',
	address: number,
	port: number,
): number {
	const fd = host.linux.calls.socket(AF_INET, datagramNonBlocking, 0)
	if (fd < 0) throw socketError(action, errorName(host.linux.errno()), address, port)
	// FORCE needs CAP_NET_ADMIN; without it the kernel grants up to net.core.rmem_max.
	if (!setOption(host, fd, SOL_SOCKET, SO_RCVBUFFORCE, socketBufferOctets)) {
		setOption(host, fd, SOL_SOCKET, SO_RCVBUF, socketBufferOctets)
	}
	if (!setOption(host, fd, SOL_SOCKET, SO_SNDBUFFORCE, socketBufferOctets)) {
		setOption(host, fd, SOL_SOCKET, SO_SNDBUF, socketBufferOctets)
	}
	// An answer with certificates exceeds the MTU: let it be fragmented instead of refused.
	setOption(host, fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT)
	return fd
}

function setOption(host: Host, fd: number, level: number, option: number, value: number): boolean {
	host.scratch[0] = value
	return host.linux.calls.setsockopt(fd, level, option, host.scratchPointer, 4) === 0
}

/** Puts a `sockaddr_in` into the scratch memory and returns its address. */
function writeAddress(host: Host, address: number, port: number): number {
	host.scratch[0] = AF_INET | (swap16(port) << 16)
	host.scratch[1] = swap32(address)
	host.scratch[2] = 0
	host.scratch[3] = 0
	return host.scratchPointer
}

function askLocal(host: Host, fd: number): { address: number; port: number } {
	const { scratch, scratchPointer, linux } = host
	scratch[4] = 16
	linux.calls.getsockname(fd, scratchPointer, scratchPointer + 16)
	return { address: swap32(scratch[1]!), port: swap16(scratch[0]! >>> 16) }
}

function askChecksums(host: Host): 'enabled' | 'disabled' | 'unknown' {
	const { scratch, scratchPointer, linux } = host
	const fd = linux.calls.socket(AF_INET, datagramNonBlocking, 0)
	if (fd < 0) return 'unknown'
	scratch[1] = 4
	const pointer = scratchPointer
	const failed = linux.calls.getsockopt(fd, SOL_SOCKET, SO_NO_CHECK, pointer, pointer + 4) !== 0
	linux.calls.close(fd)
	if (failed) return 'unknown'
	return scratch[0] === 0 ? 'enabled' : 'disabled'
}

/** Datagrams that the kernel has dropped at this socket since it was made (modulo 2^32). */
function askDrops(host: Host, fd: number): number {
	const { scratch, scratchPointer, linux } = host
	const sizeAt = meminfoWords
	scratch[meminfoDrops] = 0
	scratch[sizeAt] = meminfoWords * 4
	linux.calls.getsockopt(fd, SOL_SOCKET, SO_MEMINFO, scratchPointer, scratchPointer + sizeAt * 4)
	return scratch[meminfoDrops]!
}

function createSocket(
	host: Host,
	fd: number,
	connected: boolean,
	forget: () => void,
): DatagramSocket {
	const { address, port } = askLocal(host, fd)
	const anyAddress = !connected && address === 0
	const counts: Counts = { unsent: 0, refused: 0 }
	const use: BlockUse = { named: !connected, packetInfo: anyAddress }
	const queue = createQueue(host.linux, fd, use, counts)
	const received = host.ring.received
	let drops = 0
	let closed = false
	return {
		address,
		port,
		receive() {
			received.count = 0
			if (closed) return received
			const block = anyAddress ? host.ring.packetInfo : host.ring.plain
			counts.refused += receiveBatch(host.linux, fd, block, received)
			describe(received, block, anyAddress, address)
			return received
		},
		send(memory, offset, length, toAddress, toPort, local, interfaceIndex = 0) {
			if (closed) return
			const native = memory as NativeMemory
			queue.add(native, offset, length, toAddress, toPort, local, interfaceIndex)
		},
		flush() {
			if (!closed) queue.flush()
		},
		takeRefused: () => takeCount(counts, 'refused'),
		takeUnsent: () => takeCount(counts, 'unsent'),
		takeOverflowed() {
			if (closed) return 0
			const before = drops
			drops = askDrops(host, fd)
			return (drops - before) >>> 0
		},
		close() {
			if (closed) return
			closed = true
			forget()
			host.linux.calls.close(fd) // and with it its place in epoll
		},
	}
}

/** One batch into the ring; returns how many refusals were pending in front of it. */
function receiveBatch(linux: Linux, fd: number, block: MessageBlock, received: Received): number {
	let refused = 0
	for (let errors = 0; errors < errorLimit; errors++) {
		const count = linux.calls.recvmmsg(fd, block.address, batchSize, 0, 0)
		if (count >= 0) {
			received.count = count
			return refused
		}
		const errno = linux.errno()
		if (errno === EAGAIN) return refused
		// What is left are errors that ICMP brought to a connected socket; reading clears them.
		if (errno !== EINTR) refused++
	}
	return refused
}

function describe(received: Received, block: MessageBlock, any: boolean, address: number): void {
	const { count, lengths, addresses, ports, locals, destinations, interfaces } = received
	for (let i = 0; i < count; i++) {
		lengths[i] = lengthOf(block, i)
		addresses[i] = peerAddressOf(block, i)
		ports[i] = peerPortOf(block, i)
		if (any) {
			takePacketInfo(block, i, received)
			continue
		}
		locals[i] = address
		destinations[i] = address
		interfaces[i] = 0
	}
}

/** What a socket is to send: blocks of headers, made as they are needed and used again. */
function createQueue(linux: Linux, fd: number, use: BlockUse, counts: Counts) {
	const blocks: MessageBlock[] = []
	let queued = 0

	function add(
		memory: NativeMemory,
		offset: number,
		length: number,
		address: number,
		port: number,
		local: number,
		interfaceIndex: number,
	): void {
		assertWithin(memory, offset, length)
		if (memory.pointer === undefined) throw new TypeError('this memory is not of this transport')
		if (queued === sendQueueLimit) {
			counts.unsent++
			return
		}
		const at = queued % batchSize
		const index = (queued - at) / batchSize
		if (index === blocks.length) blocks.push(createBlock(linux, use))
		const block = blocks[index]!
		setData(block, at, memory.pointer + offset, length)
		if (use.named) setPeer(block, at, address, port)
		if (use.packetInfo) setSource(block, at, local, interfaceIndex)
		queued++
	}

	function flush(): void {
		let sent = 0
		let failed = -1
		while (sent < queued) {
			const at = sent % batchSize
			const block = blocks[(sent - at) / batchSize]!
			const count = Math.min(batchSize - at, queued - sent)
			const done = linux.calls.sendmmsg(fd, block.address + at * headerOctets, count, 0)
			if (done > 0) {
				sent += done
				continue
			}
			const errno = linux.errno()
			if (errno === EINTR) continue
			if (errno === EAGAIN || errno === ENOBUFS) {
				counts.unsent += queued - sent
				break
			}
			if (errno === ECONNREFUSED) counts.refused++
			// An error may belong to an earlier datagram, and telling it has cleared it: try again.
			if (failed !== sent) failed = sent
			else {
				counts.unsent++
				sent++
			}
		}
		queued = 0
	}

	return { add, flush }
}

function takeCount(counts: Counts, name: keyof Counts): number {
	const taken = counts[name]
	counts[name] = 0
	return taken
}
