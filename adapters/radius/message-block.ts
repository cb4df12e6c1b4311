/**
 * Message headers for `recvmmsg` and `sendmmsg`, laid out once so that a datagram costs a few
 * stores. One ArrayBuffer holds 64 `mmsghdr`, then their `iovec`, `sockaddr_in` and control
 * messages; everything is reached as 32-bit words, little-endian on x64 and arm64.
 *
 *   mmsghdr 64 octets: name 0, namelen 8, iov 16, iovlen 24, control 32, controllen 40, flags 48, len 56
 *   iovec 16: base 0, len 8       sockaddr_in 16: family 0, port 2, address 4
 *   cmsghdr 16 + in_pktinfo 12:   len 0, level 8, type 12; ifindex 16, spec_dst 20, addr 24
 */

import type { Linux } from './linux-calls.ts'
import { AF_INET, IP_PKTINFO, IPPROTO_IP, swap16, swap32 } from './linux-calls.ts'
import { batchSize, type Received } from './transport.ts'

export const headerOctets = 64
const headerWords = 16
const vectorsAt = batchSize * headerWords
const namesAt = vectorsAt + batchSize * 4
const controlsAt = namesAt + batchSize * 4
const totalWords = controlsAt + batchSize * 8

const nameOctets = 16
/** CMSG_LEN and CMSG_SPACE of an `in_pktinfo`. */
const controlLength = 28
const controlSpace = 32

export type MessageBlock = {
	readonly words: Uint32Array
	/** Where the first header is, for the system call. */
	readonly address: number
}

/** What the headers refer to: the peer's address, and the local one as IP_PKTINFO. */
export type BlockUse = { readonly named: boolean; readonly packetInfo: boolean }

/** A block whose headers point at their vector, name and control message. */
export function createBlock(linux: Linux, use: BlockUse): MessageBlock {
	const buffer = new ArrayBuffer(totalWords * 4)
	const words = new Uint32Array(buffer)
	const address = linux.addressOf(buffer)
	for (let i = 0; i < batchSize; i++) {
		const header = i * headerWords
		if (use.named) {
			storePointer(words, header, address + (namesAt + i * 4) * 4)
			words[header + 2] = nameOctets
		}
		storePointer(words, header + 4, address + (vectorsAt + i * 4) * 4)
		words[header + 6] = 1
		if (use.packetInfo) {
			storePointer(words, header + 8, address + (controlsAt + i * 8) * 4)
			words[header + 10] = controlSpace
		}
		words[namesAt + i * 4] = AF_INET
		const control = controlsAt + i * 8
		words[control] = controlLength
		words[control + 2] = IPPROTO_IP
		words[control + 3] = IP_PKTINFO
	}
	return { words, address }
}

/** Points message `i` at `length` octets of memory. */
export function setData(block: MessageBlock, i: number, pointer: number, length: number): void {
	const vector = vectorsAt + i * 4
	storePointer(block.words, vector, pointer)
	block.words[vector + 2] = length
}

export function setPeer(block: MessageBlock, i: number, address: number, port: number): void {
	const name = namesAt + i * 4
	block.words[name] = AF_INET | (swap16(port) << 16)
	block.words[name + 1] = swap32(address)
}

/** The source address and the interface of message `i`; with 0 the kernel chooses. */
export function setSource(
	block: MessageBlock,
	i: number,
	local: number,
	interfaceIndex: number,
): void {
	const { words } = block
	words[i * headerWords + 10] = local === 0 && interfaceIndex === 0 ? 0 : controlSpace
	words[controlsAt + i * 8 + 4] = interfaceIndex
	words[controlsAt + i * 8 + 5] = swap32(local)
}

export function lengthOf(block: MessageBlock, i: number): number {
	return block.words[i * headerWords + 14]!
}

export function peerAddressOf(block: MessageBlock, i: number): number {
	return swap32(block.words[namesAt + i * 4 + 1]!)
}

export function peerPortOf(block: MessageBlock, i: number): number {
	return swap16(block.words[namesAt + i * 4]! >>> 16)
}

/** Where message `i` was sent to and came in by (0 if the kernel did not say); once per message. */
export function takePacketInfo(block: MessageBlock, i: number, received: Received): void {
	const { words } = block
	const header = i * headerWords
	const control = controlsAt + i * 8
	const told = words[header + 10]! >= controlLength && words[control + 3] === IP_PKTINFO
	words[header + 10] = controlSpace // the kernel left the length used here: make room again
	received.interfaces[i] = told ? words[control + 4]! : 0
	// spec_dst: for a broadcast it is the interface's own address, fit to answer from; addr is not.
	received.locals[i] = told ? swap32(words[control + 5]!) : 0
	received.destinations[i] = told ? swap32(words[control + 6]!) : 0
}

function storePointer(words: Uint32Array, at: number, pointer: number): void {
	words[at] = pointer >>> 0 // ToUint32 takes the value modulo 2^32
	words[at + 1] = pointer / 0x1_0000_0000
}
