/** Sockets: how they are opened, what they receive into, and what the kernel says of them. */
import type { Linux } from './linux-calls.ts'
import {
	AF_INET,
	datagramNonBlocking,
	EAGAIN,
	EINTR,
	errorName,
	IP_MTU_DISCOVER,
	IP_PKTINFO,
	IP_PMTUDISC_DONT,
	IPPROTO_IP,
	meminfoDrops,
	meminfoWords,
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
import { type Counts, createQueue, type NativeMemory } from './linux-queue.ts'
import type { BlockUse, MessageBlock } from './message-block.ts'
import {
	createBlock,
	lengthOf,
	peerAddressOf,
	peerPortOf,
	setData,
	takePacketInfo,
} from './message-block.ts'
import type { BindOptions, DatagramSocket, Received } from './transport.ts'
import { batchSize, bufferSize, socketBufferOctets, socketError } from './transport.ts'

/** Buffers start on cache lines, and not at the same place of every page. */
const bufferStride = 4160
/** Pending errors that one `receive` passes over before it leaves the rest to the next turn. */
const errorLimit = 8

/** What every socket of a transport works with. */
export type Host = {
	readonly linux: Linux
	readonly ring: Ring
	/** A few words of memory for the arguments of system calls. */
	readonly scratch: Uint32Array
	readonly scratchPointer: number
}

export type Ring = {
	readonly received: Received
	/** Headers for sockets bound to one address, and for those that must ask which it was. */
	readonly plain: MessageBlock
	readonly packetInfo: MessageBlock
}

export function createRing(linux: Linux): Ring {
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

export function openBound(
	host: Host,
	address: number,
	port: number,
	options?: BindOptions,
): number {
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

export function openConnected(host: Host, address: number, port: number, source: number): number {
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

export function askChecksums(host: Host): 'enabled' | 'disabled' | 'unknown' {
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

export function createSocket(
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

function takeCount(counts: Counts, name: keyof Counts): number {
	const taken = counts[name]
	counts[name] = 0
	return taken
}
