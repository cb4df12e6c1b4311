/**
 * Datagrams in batches. Two implementations carry them: system calls through an FFI
 * (`transport-linux.ts`) and Node's own `dgram` (`transport-dgram.ts`); both pass the same tests,
 * and the simulation has a third. IPv4 only: addresses are unsigned 32-bit numbers in host byte
 * order, and 0 is 0.0.0.0.
 */

import { formatIpv4 } from '../../domain/address.ts'

/** Memory that can be sent from without a copy. `bytes` stays valid until the transport closes. */
export type Memory = { readonly bytes: Uint8Array }

/** RFC 2865 §3: 4,096 octets at most; one more makes an oversized datagram visible. */
export const bufferSize = 4097
export const batchSize = 64

/** Datagrams that one socket keeps until `flush`; what is queued beyond them counts as unsent. */
export const sendQueueLimit = 16_384

/** RFC 768 with an IPv4 header: 65,535 - 20 - 8. */
export const datagramLimit = 65_507

/** Asked of the kernel for each socket; what it grants without privileges is often less. */
export const socketBufferOctets = 8 << 20

/** What one `receive` took from a socket; valid until the next `receive` of any socket. */
export type Received = {
	count: number
	/** `batchSize` buffers of `bufferSize` octets; only the first `lengths[i]` octets count. */
	readonly buffers: readonly Uint8Array[]
	/** Octets of datagram `i` in its buffer (cut off at `bufferSize`). */
	readonly lengths: Uint32Array
	readonly addresses: Uint32Array
	readonly ports: Uint16Array
	/** The local address that datagram `i` was sent to; 0 where that is not known. */
	readonly locals: Uint32Array
	/** The destination that its header has, a broadcast address perhaps; 0 where that is not known. */
	readonly destinations: Uint32Array
	/** Index of the interface that it came in by; 0 where that is not known. */
	readonly interfaces: Uint32Array
}

export type BindOptions = {
	/** The socket may send to broadcast addresses, and is told by which interface datagrams came. */
	readonly broadcast?: boolean
}

export type DatagramSocket = {
	readonly address: number
	readonly port: number
	/** Takes up to `batchSize` waiting datagrams, without blocking; none once it is closed. */
	receive(): Received
	/**
	 * Queues a datagram, taken from `memory` at `flush`, so it must not change before. A connected
	 * socket ignores `address` and `port`. `local`, where not 0, is the source address to use; only
	 * a socket bound to 0.0.0.0 has the choice. It also has the choice of the interface to send by, as
	 * its index; without one the routing table has. A closed socket sends nothing.
	 */
	send(
		memory: Memory,
		offset: number,
		length: number,
		address: number,
		port: number,
		local: number,
		interfaceIndex?: number,
	): void
	/** Sends what was queued, in as few system calls as it takes. */
	flush(): void
	/** Times the peer's host refused a datagram (ICMP port unreachable), since the last call. */
	takeRefused(): number
	/** Datagrams that could not be sent because the socket's queue was full, since the last call. */
	takeUnsent(): number
	/** Datagrams that came and were dropped because the receive queue was full, since the last call. */
	takeOverflowed(): number
	/** Drops what was queued and not flushed. */
	close(): void
}

export type Turn = (ready: readonly DatagramSocket[]) => number | undefined

export type Transport = {
	readonly kind: 'linux' | 'dgram' | 'simulated'
	allocate(octets: number): Memory
	/** A socket bound to a local address; throws an Error with `code` such as EADDRINUSE. */
	bind(address: number, port: number, options?: BindOptions): Promise<DatagramSocket>
	/** A connected socket on a free port; `source` 0 lets the kernel choose the local address. */
	connect(address: number, port: number, source: number): Promise<DatagramSocket>
	/**
	 * Calls `turn` whenever a socket may have something, and at least every `tickMs`. `ready` are the
	 * sockets to receive from, those with a refusal among them: valid during the turn, empty on a
	 * tick. What a turn leaves in a socket makes it ready again. A turn that returns a number wants
	 * another one even if nothing arrives: after at most that many microseconds. Goes on until `stop`.
	 */
	run(turn: Turn, tickMs: number): void
	stop(): void
	close(): void
	/** What the kernel does with UDP checksums of datagrams sent: really asked of a socket. */
	udpChecksums(): 'enabled' | 'disabled' | 'unknown'
}

/**
 * Throws a RangeError where a datagram is not within its memory: the kernel reads what it is told to,
 * and a wrong length would send a stranger's secrets.
 */
export function assertWithin(memory: Memory, offset: number, length: number): void {
	const limit = Math.min(memory.bytes.length - offset, datagramLimit)
	if (offset >= 0 && length >= 0 && length <= limit) return
	throw new RangeError(`cannot send ${length} octets at ${offset} of ${memory.bytes.length}`)
}

/** An Error that says what to do, for a socket that could not be made; `code` as in `EADDRINUSE`. */
export function socketError(
	action: 'bind' | 'connect',
	code: string,
	address: number,
	port: number,
): Error & { code: string } {
	const to = action === 'bind' ? 'bind a UDP socket to' : 'connect a UDP socket to'
	const message = `cannot ${to} ${formatIpv4(address)}:${port}: ${code}, ${mend(action, code)}`
	return Object.assign(new Error(message), { code })
}

function mend(action: 'bind' | 'connect', code: string): string {
	switch (code) {
		case 'EADDRINUSE':
			return 'another socket has this address and port; stop it or choose another port'
		case 'EADDRNOTAVAIL':
			return 'the source address is not one of this machine; configure one that is'
		case 'EACCES':
			return action === 'bind'
				? 'ports below 1024 need root or CAP_NET_BIND_SERVICE'
				: 'this address cannot be sent to; broadcast addresses are not supported'
		case 'ENETUNREACH':
			return 'no route leads there; check the address and the routing table'
		case 'EMFILE':
			return 'the process has too many open files; raise its limit (ulimit -n)'
		default:
			return 'check the address and the limits of this machine'
	}
}
