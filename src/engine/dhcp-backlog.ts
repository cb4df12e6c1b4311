/**
 * DHCPDISCOVERs that wait because more DHCP has come than can be answered: a ring of slots, copied out
 * of the receive buffers, in the order in which they came. It has the form of a batch received, so
 * that what waited is read like what has just come.
 *
 * Where it is full the one that waits longest makes room. Its client is the next to repeat (RFC 2131
 * §4.1: after 4 s), and what is answered is as fresh as can be: under a lasting flood it has waited
 * for as long as the ring takes to come in, not for as long as it takes to be answered. The price is a
 * copy of some 300 octets for each that is dropped, a tenth of what it cost to receive it.
 */
import type { Received } from '../../adapters/radius/transport.ts'
import { end, options, pad } from '../../domain/dhcp/option.ts'
import { layout, magicCookie, messageTypes, operations } from '../../domain/dhcp/packet.ts'
import { readUint32 } from '../../domain/radius/packet.ts'

/**
 * At 10,000 exchanges a second the last of them waits for 0.4 s, a tenth of the time after which a client
 * repeats; and a site whose clients all come back with the power is not sent away.
 */
export const backlogLimit = 8192
/** A longer DHCPDISCOVER is answered at once: hardly a client sends more than 576 octets. */
export const slotOctets = 768

/** `count` messages wait, in slots from `first` on, around the end. */
export type Backlog = Received & {
	first: number
	/** Dropped and not yet counted, by interface index. */
	readonly dropped: Map<number, number>
}

/** Takes its memory, some 6 MiB, once and for all. */
export function createBacklog(): Backlog {
	const memory = new Uint8Array(backlogLimit * slotOctets)
	const slot = (_: unknown, i: number) => memory.subarray(i * slotOctets, (i + 1) * slotOctets)
	return {
		count: 0,
		first: 0,
		dropped: new Map(),
		buffers: Array.from({ length: backlogLimit }, slot),
		lengths: new Uint32Array(backlogLimit),
		addresses: new Uint32Array(backlogLimit),
		ports: new Uint16Array(backlogLimit),
		locals: new Uint32Array(backlogLimit),
		destinations: new Uint32Array(backlogLimit),
		interfaces: new Uint32Array(backlogLimit),
	}
}

/** Copies datagram `i`, of `slotOctets` at most, behind all that wait. */
export function keepBehind(backlog: Backlog, received: Received, i: number): void {
	if (backlog.count === backlogLimit) {
		const index = backlog.interfaces[takeFirst(backlog)]!
		backlog.dropped.set(index, (backlog.dropped.get(index) ?? 0) + 1)
	}
	const slot = (backlog.first + backlog.count) % backlogLimit
	const length = received.lengths[i]!
	backlog.buffers[slot]!.set(received.buffers[i]!.subarray(0, length))
	backlog.lengths[slot] = length
	backlog.addresses[slot] = received.addresses[i]!
	backlog.ports[slot] = received.ports[i]!
	backlog.locals[slot] = received.locals[i]!
	backlog.destinations[slot] = received.destinations[i]!
	backlog.interfaces[slot] = received.interfaces[i]!
	backlog.count++
}

/** The slot of the one that waits longest, who waits no more: good until another is kept. */
export function takeFirst(backlog: Backlog): number {
	const slot = backlog.first
	backlog.first = (slot + 1) % backlogLimit
	backlog.count--
	return slot
}

/**
 * Whether a datagram is a DHCPDISCOVER that fits a slot, by a glance. Whether all else about it is
 * right is found out when it is decoded; one whose type is in `file` or `sname` is not noticed.
 */
export function isKeepable(bytes: Uint8Array, length: number): boolean {
	if (length < layout.options || length > slotOctets) return false
	if (bytes[0] !== operations.request || readUint32(bytes, layout.cookie) !== magicCookie)
		return false
	let at: number = layout.options
	while (at + 2 < length) {
		const code = bytes[at]!
		// The first one, which is the one that decodeDhcp goes by, and in most messages the first of all.
		if (code === options.messageType.code) {
			return bytes[at + 1] === 1 && bytes[at + 2] === messageTypes.discover
		}
		if (code === end) return false
		at += code === pad ? 1 : 2 + bytes[at + 1]!
	}
	return false
}
