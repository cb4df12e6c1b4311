/**
 * Datagrams in batches. Two implementations carry them: system calls through an FFI
 * (`transport-linux.ts`) and Node's own `dgram` (`transport-dgram.ts`); both pass the same tests,
 * and the simulation has a third. IPv4 addresses are unsigned 32-bit numbers in host byte order.
 */

/** Memory that can be sent from without a copy. `bytes` stays valid until the transport closes. */
export type Memory = { readonly bytes: Uint8Array }

/** RFC 2865 §3: 4,096 octets at most; one more makes an oversized datagram visible. */
export const bufferSize = 4097
export const batchSize = 64

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
}

export type DatagramSocket = {
	readonly address: number
	readonly port: number
	/** Takes up to `batchSize` waiting datagrams, without blocking. */
	receive(): Received
	/**
	 * Queues a datagram, taken from `memory` at `flush`, so it must not change before. A connected
	 * socket ignores `address` and `port`. `local`, where not 0, is the source address to use.
	 */
	send(
		memory: Memory,
		offset: number,
		length: number,
		address: number,
		port: number,
		local: number,
	): void
	/** Sends what was queued, in as few system calls as it takes. */
	flush(): void
	/** Times the peer's host refused a datagram (ICMP port unreachable), since the last call. */
	takeRefused(): number
	/** Datagrams that could not be sent because the socket's queue was full, since the last call. */
	takeUnsent(): number
	close(): void
}

export type Transport = {
	readonly kind: 'linux' | 'dgram' | 'simulated'
	allocate(octets: number): Memory
	/** A socket bound to a local address; throws an Error with `code` such as EADDRINUSE. */
	bind(address: number, port: number): Promise<DatagramSocket>
	/** A connected socket on a free port; `source` 0 lets the kernel choose the local address. */
	connect(address: number, port: number, source: number): Promise<DatagramSocket>
	/**
	 * Calls `turn` whenever a socket may have something, and at least every `tickMs`. `ready` are the
	 * sockets to receive from. Goes on until `stop`.
	 */
	run(turn: (ready: readonly DatagramSocket[]) => void, tickMs: number): void
	stop(): void
	close(): void
	/** What the kernel does with UDP checksums of datagrams sent: really asked of a socket. */
	udpChecksums(): 'enabled' | 'disabled' | 'unknown'
}
