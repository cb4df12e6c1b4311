/** ICMP echo (RFC 792): is an address in use? One socket, opened when the first question comes. */
import { formatIpv4 } from '../../domain/address.ts'

export type Pinger = {
	/** Resolves to whether somebody answered within `timeoutMs`. Rejects where pinging is not possible. */
	ping(address: number, timeoutMs: number): Promise<boolean>
	close(): void
}

type Koffi = typeof import('koffi').default

const AF_INET = 2
const SOCK_RAW = 3
const nonBlocking = 0x800 | 0x80000
const IPPROTO_ICMP = 1
const echoReply = 0
const echoRequest = 8

type Waiting = { readonly sequence: number; readonly answered: () => void }

export function openPinger(koffi: Koffi): Pinger {
	const library = koffi.load(null)
	const calls = {
		socket: library.func('socket', 'int', ['int', 'int', 'int']),
		sendto: library.func('sendto', 'long', ['int', 'void *', 'size_t', 'int', 'void *', 'uint32']),
		recv: library.func('recv', 'long', ['int', 'void *', 'size_t', 'int']),
		close: library.func('close', 'int', ['int']),
	}
	const waiting = new Map<number, Waiting>()
	const received = new Uint8Array(1500)
	const identifier = process.pid & 0xffff
	let socket: { readonly fd: number; readonly watcher: { close(): void } } | undefined
	let sequence = 0

	function open(): number {
		if (socket !== undefined) return socket.fd
		// A raw socket's answers have their IP header, which tells who answered.
		const fd = calls.socket(AF_INET, SOCK_RAW | nonBlocking, IPPROTO_ICMP)
		if (fd < 0) throw new Error('pinging needs root or CAP_NET_RAW')
		socket = { fd, watcher: koffi.node.poll(fd, { readable: true }, receive) }
		return fd
	}

	function receive(): void {
		if (socket === undefined) return
		for (;;) {
			const length = Number(calls.recv(socket.fd, received, received.length, 0))
			if (length < 0) return
			const header = (received[0]! & 15) * 4
			if (length < header + 8 || received[header] !== echoReply) continue
			const view = new DataView(received.buffer, header)
			const from = waiting.get(new DataView(received.buffer).getUint32(12))
			if (view.getUint16(4) !== identifier || view.getUint16(6) !== from?.sequence) continue
			from.answered()
		}
	}

	return {
		async ping(address, timeoutMs) {
			const fd = open()
			sequence = (sequence + 1) & 0xffff
			const { promise, resolve } = Promise.withResolvers<boolean>()
			const timer = setTimeout(() => resolve(false), timeoutMs)
			waiting.set(address, { sequence, answered: () => resolve(true) })
			const message = echo(identifier, sequence)
			calls.sendto(fd, message, message.length, 0, socketAddress(address), 16)
			const answered = await promise
			clearTimeout(timer)
			waiting.delete(address)
			return answered
		},
		close() {
			socket?.watcher.close()
			if (socket !== undefined) calls.close(socket.fd)
			socket = undefined
		},
	}
}

function socketAddress(address: number): Uint8Array {
	const bytes = new Uint8Array(16)
	bytes[0] = AF_INET
	bytes.set(formatIpv4(address).split('.').map(Number), 4)
	return bytes
}

function echo(identifier: number, sequence: number): Uint8Array {
	const bytes = new Uint8Array(16)
	const view = new DataView(bytes.buffer)
	view.setUint8(0, echoRequest)
	view.setUint16(4, identifier)
	view.setUint16(6, sequence)
	view.setUint16(2, checksum(view))
	return bytes
}

/** RFC 1071 over an even number of octets. */
function checksum(view: DataView): number {
	let sum = 0
	for (let at = 0; at < view.byteLength; at += 2) sum += view.getUint16(at)
	while (sum > 0xffff) sum = (sum & 0xffff) + (sum >>> 16)
	return ~sum & 0xffff
}
