/**
 * Datagrams through `recvmmsg` and `sendmmsg`: up to 64 for one system call. All sockets share one
 * ring to receive into; each has its own headers to send from, which point into the caller's memory.
 */
import {
	AF_INET,
	datagramNonBlocking,
	EAGAIN,
	EPOLL_CLOEXEC,
	EPOLL_CTL_ADD,
	EPOLLIN,
	epollEvent,
	errorName,
	loadLinux,
} from './linux-calls.ts'
import { createLoop } from './linux-loop.ts'
import type { NativeMemory } from './linux-queue.ts'
import {
	askChecksums,
	createRing,
	createSocket,
	type Host,
	openBound,
	openConnected,
} from './linux-socket.ts'
import type { DatagramSocket, Memory, Transport } from './transport.ts'
import { batchSize } from './transport.ts'

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
