/**
 * The system calls of Linux that `transport-linux.ts` makes, through koffi, with the constants and
 * structure layouts they need. x64 and arm64 agree on all of them but `epoll_event`.
 *
 * Pointers go in as numbers: user addresses fit in 48 bits, and koffi passes a number in a third of
 * the time that a bigint or a typed array takes. Memory is an ordinary ArrayBuffer, whose store does
 * not move: garbage collection frees it, and no view can outlive it.
 */

import { getSystemErrorName } from 'node:util'

/** Signatures follow the manual pages; `pointer`s are addresses, and 0 is NULL. */
export type Calls = {
	socket(domain: number, type: number, protocol: number): number
	bind(fd: number, address: number, length: number): number
	connect(fd: number, address: number, length: number): number
	getsockname(fd: number, address: number, length: number): number
	setsockopt(fd: number, level: number, option: number, value: number, length: number): number
	getsockopt(fd: number, level: number, option: number, value: number, length: number): number
	recvmmsg(fd: number, messages: number, count: number, flags: number, timeout: number): number
	sendmmsg(fd: number, messages: number, count: number, flags: number): number
	epoll_create1(flags: number): number
	epoll_ctl(epoll: number, operation: number, fd: number, event: number): number
	epoll_wait(epoll: number, events: number, count: number, timeoutMs: number): number
	/** `timeout` is the address of a `struct timespec`: finer than the milliseconds of epoll_wait. */
	ppoll(descriptors: number, count: number, timeout: number, signals: number): number
	close(fd: number): number
}

export type Linux = {
	readonly calls: Calls
	/** `errno` of the call just made. */
	errno(): number
	/** The address of an ArrayBuffer's store. */
	addressOf(buffer: ArrayBuffer): number
	/** Calls `ready` in every turn of Node's loop in which `fd` is readable, until `close`. */
	watch(fd: number, ready: () => void): { close(): void }
}

export const AF_INET = 2
/** SOCK_DGRAM, SOCK_NONBLOCK, SOCK_CLOEXEC. */
export const datagramNonBlocking = 0x2 | 0x800 | 0x80000
export const EPOLL_CLOEXEC = 0x80000
export const EPOLL_CTL_ADD = 1
export const EPOLLIN = 1
export const POLLIN = 1

export const SOL_SOCKET = 1
export const SO_BROADCAST = 6
export const SO_SNDBUF = 7
export const SO_RCVBUF = 8
export const SO_NO_CHECK = 11
export const SO_SNDBUFFORCE = 32
export const SO_RCVBUFFORCE = 33
export const SO_MEMINFO = 55
/** Which of the 32-bit words of SO_MEMINFO counts dropped datagrams, and how many words there are. */
export const meminfoDrops = 8
export const meminfoWords = 9
export const IPPROTO_IP = 0
export const IP_PKTINFO = 8
export const IP_MTU_DISCOVER = 10
export const IP_PMTUDISC_DONT = 0

export const EINTR = 4
export const EAGAIN = 11
export const ENOBUFS = 105
export const ECONNREFUSED = 111

/** `struct epoll_event` is packed on x64 only; offsets in octets. */
export const epollEvent =
	process.arch === 'x64' ? { size: 12, data: 4 } : ({ size: 16, data: 8 } as const)

/** The name of an error number: `EADDRINUSE`. */
export function errorName(errno: number): string {
	return getSystemErrorName(-errno)
}

/** 16-bit and 32-bit numbers between host byte order (little-endian) and network byte order. */
export function swap16(value: number): number {
	return ((value & 0xff) << 8) | ((value >>> 8) & 0xff)
}
export function swap32(value: number): number {
	return (swap16(value & 0xffff) * 0x10000 + swap16(value >>> 16)) >>> 0
}

/** Loads koffi and the C library; throws an Error that says why that cannot be. */
export async function loadLinux(): Promise<Linux> {
	if (process.platform !== 'linux') throw new Error(`the platform is ${process.platform}`)
	if (process.arch !== 'x64' && process.arch !== 'arm64') {
		throw new Error(`structure layouts are known for x64 and arm64, not for ${process.arch}`)
	}
	const { default: koffi } = await import('koffi')
	// Not in koffi's manual: its version is pinned, and what is missing must show here.
	if (typeof koffi.node?.poll !== 'function') throw new Error('koffi has no node.poll')
	const library = koffi.load(null)
	const call = (name: string, parameters: string) =>
		library.func(
			name,
			'int',
			[...parameters].map(letter => (letter === 'p' ? 'uintptr_t' : 'int')),
		)
	return {
		calls: {
			socket: call('socket', 'iii'),
			bind: call('bind', 'ipi'),
			connect: call('connect', 'ipi'),
			getsockname: call('getsockname', 'ipp'),
			setsockopt: call('setsockopt', 'iiipi'),
			getsockopt: call('getsockopt', 'iiipp'),
			recvmmsg: call('recvmmsg', 'ipiip'),
			sendmmsg: call('sendmmsg', 'ipii'),
			epoll_create1: call('epoll_create1', 'i'),
			epoll_ctl: call('epoll_ctl', 'iiip'),
			epoll_wait: call('epoll_wait', 'ipii'),
			ppoll: call('ppoll', 'pipp'),
			close: call('close', 'i'),
		},
		errno: () => koffi.errno(),
		addressOf: buffer => Number(koffi.address(buffer)),
		watch: (fd, ready) => koffi.node.poll(fd, { readable: true }, ready),
	}
}
