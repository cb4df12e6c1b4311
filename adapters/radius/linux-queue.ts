/** Datagrams that a socket is to send, in the form in which `sendmmsg` takes up to 64 of them. */
import type { Linux } from './linux-calls.ts'
import { EAGAIN, ECONNREFUSED, EINTR, ENOBUFS } from './linux-calls.ts'
import type { BlockUse, MessageBlock } from './message-block.ts'
import { createBlock, headerOctets, setData, setPeer, setSource } from './message-block.ts'
import type { Memory } from './transport.ts'
import { assertWithin, batchSize, sendQueueLimit } from './transport.ts'

export type NativeMemory = Memory & { readonly pointer: number }

/** Since they were last taken; `DatagramSocket` says of what. */
export type Counts = { unsent: number; refused: number }

/** What a socket is to send: blocks of headers, made as they are needed and used again. */
export function createQueue(linux: Linux, fd: number, use: BlockUse, counts: Counts) {
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
