/**
 * DHCP messages that this machine routes: a renewal goes from the client straight to its server, and
 * a relay reads none of it at its own socket. A packet socket shows them all; a filter in the kernel
 * (BPF) lets only UDP to ports 67 and 68 through, so that nothing else costs anything.
 */

export type PassingDatagram = {
	/** The UDP payload, good until the call that hands it over returns. */
	readonly bytes: Uint8Array
	readonly source: number
	readonly destination: number
	readonly destinationPort: number
	/** The interface that it came in by. */
	readonly interfaceIndex: number
}

export type Watch = {
	/** Datagrams that came and were dropped because the queue was full, since the last call. */
	takeLost(): number
	close(): void
}

type Koffi = typeof import('koffi').default

const AF_PACKET = 17
/** SOCK_DGRAM, SOCK_NONBLOCK, SOCK_CLOEXEC: packets begin with their IP header. */
const cookedNonBlocking = 2 | 0x800 | 0x80000
/** ETH_P_IP in network byte order. */
const ipv4Protocol = 0x0008
const SOL_SOCKET = 1
const SO_ATTACH_FILTER = 26
const SOL_PACKET = 263
const PACKET_STATISTICS = 6

/**
 * `code, jump if true, jump if false, k` for each instruction (the kernel's `filter.txt`). Own
 * packets on their way out, other hosts' frames and fragments are left out.
 */
const filter: readonly (readonly [code: number, jt: number, jf: number, k: number])[] = [
	[0x28, 0, 0, 0xffff_f004], // ldh: type of the packet (SKF_AD_PKTTYPE)
	[0x15, 0, 9, 0], // PACKET_HOST, else drop
	[0x30, 0, 0, 9], // ldb: protocol
	[0x15, 0, 7, 17], // UDP
	[0x28, 0, 0, 6], // ldh: flags and fragment offset
	[0x45, 5, 0, 0x3fff], // a fragment
	[0xb1, 0, 0, 0], // ldxb: length of the IP header
	[0x48, 0, 0, 2], // ldh: destination port
	[0x15, 1, 0, 67],
	[0x15, 0, 1, 68],
	[0x06, 0, 0, 0xffff], // take it
	[0x06, 0, 0, 0],
]

/** Datagrams taken in one turn of the loop; more make the socket ready again. */
const batchSize = 64
const bufferSize = 4096

/**
 * Calls `deliver` for every datagram until it is closed, and `delivered` after each batch. Throws an
 * Error that says why that cannot be.
 */
export function openWatch(
	koffi: Koffi,
	deliver: (datagram: PassingDatagram) => void,
	delivered: () => void,
): Watch {
	const library = koffi.load(null)
	const calls = {
		socket: library.func('socket', 'int', ['int', 'int', 'int']),
		setsockopt: library.func('setsockopt', 'int', ['int', 'int', 'int', 'void *', 'uint32']),
		getsockopt: library.func('getsockopt', 'int', ['int', 'int', 'int', 'void *', 'void *']),
		recvfrom: library.func('recvfrom', 'long', [
			...['int', 'void *', 'size_t', 'int'],
			...['void *', 'void *'],
		]),
		close: library.func('close', 'int', ['int']),
	}
	const fd = calls.socket(AF_PACKET, cookedNonBlocking, ipv4Protocol)
	if (fd < 0) throw new Error('watching DHCP messages that pass needs root or CAP_NET_RAW')
	if (!attachFilter(koffi, calls.setsockopt, fd)) {
		calls.close(fd)
		throw new Error('the kernel refuses the filter for DHCP messages that pass')
	}
	const packet = new Uint8Array(bufferSize)
	/** `struct sockaddr_ll`: the interface's index at 4. */
	const from = new Uint8Array(20)
	const fromLength = new Uint32Array(1)
	const statistics = new Uint32Array(2)

	function receive(): void {
		for (let n = 0; n < batchSize; n++) {
			fromLength[0] = from.length
			const length = Number(calls.recvfrom(fd, packet, packet.length, 0, from, fromLength))
			if (length < 0) break
			const index = new DataView(from.buffer).getInt32(4, true)
			const datagram = readDatagram(packet, length, index)
			if (datagram !== undefined) deliver(datagram)
		}
		delivered()
	}

	const watcher = koffi.node.poll(fd, { readable: true }, receive)
	return {
		takeLost() {
			const size = Uint32Array.of(statistics.byteLength)
			if (calls.getsockopt(fd, SOL_PACKET, PACKET_STATISTICS, statistics, size) < 0) return 0
			return statistics[1]!
		},
		close() {
			watcher.close()
			calls.close(fd)
		},
	}
}

type SetOption = (fd: number, level: number, option: number, value: unknown, size: number) => number

/** `struct sock_fprog`: the number of instructions, and at 8 where they are. */
function attachFilter(koffi: Koffi, setsockopt: SetOption, fd: number): boolean {
	const program = new DataView(new ArrayBuffer(filter.length * 8))
	for (const [i, [code, jt, jf, k]] of filter.entries()) {
		program.setUint16(i * 8, code, true)
		program.setUint8(i * 8 + 2, jt)
		program.setUint8(i * 8 + 3, jf)
		program.setUint32(i * 8 + 4, k, true)
	}
	const header = new DataView(new ArrayBuffer(16))
	header.setUint16(0, filter.length, true)
	header.setBigUint64(8, BigInt(koffi.address(program.buffer)), true)
	return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, new Uint8Array(header.buffer), 16) === 0
}

/** Undefined where the lengths of IP and UDP do not fit the packet. */
export function readDatagram(
	packet: Uint8Array,
	length: number,
	interfaceIndex: number,
): PassingDatagram | undefined {
	if (length < 28) return undefined
	const view = new DataView(packet.buffer, packet.byteOffset, length)
	const header = (view.getUint8(0) & 15) * 4
	const total = view.getUint16(2)
	if (header < 20 || total > length || header + 8 > total) return undefined
	const udpLength = view.getUint16(header + 4)
	if (udpLength < 8 || header + udpLength > total) return undefined
	return {
		bytes: packet.subarray(header + 8, header + udpLength),
		source: view.getUint32(12),
		destination: view.getUint32(16),
		destinationPort: view.getUint16(header + 2),
		interfaceIndex,
	}
}
