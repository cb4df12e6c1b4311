/**
 * What a relay agent may change of a message that it passes on: hops and giaddr, and nothing else
 * (RFC 1542 §4.1, RFC 2131 §4.1). Every other octet stays as it came, Relay Agent Information [82]
 * of an agent nearer to the client among them (RFC 3046 §2.1).
 */
import { writeUint32 } from '../radius/value.ts'
import { options } from './option.ts'
import { type DhcpPacket, hasOption, layout } from './packet.ts'

/** RFC 1542 §4.1.1: a request that has passed more relay agents than this goes round in circles. */
export const hopLimit = 16

const hopsOffset = 3
const giaddrOffset = 24

/**
 * Why a request is not passed on. `hops`: too many. `giaddr-own`: it claims to have been here, or to
 * come from an agent with this machine's address. `untrusted-information`: it has option 82 of
 * somebody who is no relay agent, on a circuit that is not trusted (RFC 3046 §2.1).
 */
export type RelayFault = 'hops' | 'giaddr-own' | 'untrusted-information' | 'long'

export type RelayAgent = {
	/** Of the interface that the request came by: where its answers are to return. */
	readonly interfaceAddress: number
	/** All addresses of this machine. */
	readonly own: ReadonlySet<number>
	/** Whether equipment between client and relay agent may add option 82. */
	readonly trusted: boolean
}

/** Copies a client's request to `target` as it goes on to a server; its length, or why it does not. */
export function relayRequest(
	target: Uint8Array,
	packet: DhcpPacket,
	{ interfaceAddress, own, trusted }: RelayAgent,
): number | RelayFault {
	const { giaddr, hops } = packet
	if (hops > hopLimit) return 'hops'
	if (giaddr !== 0 && own.has(giaddr)) return 'giaddr-own'
	if (giaddr === 0 && !trusted && hasOption(packet, options.relayAgentInformation)) {
		return 'untrusted-information'
	}
	const length = relayReply(target, packet)
	if (typeof length === 'string') return length
	target[hopsOffset] = Math.min(hops + 1, 255)
	// RFC 1542 §4.1.1: the agent that is nearest to the client has the say, those behind it keep it.
	if (giaddr === 0) writeUint32(interfaceAddress, target, giaddrOffset)
	return length
}

/** Copies a server's reply to `target` as it goes on to the client: nothing in it changes. */
export function relayReply(target: Uint8Array, { bytes, length }: DhcpPacket): number | 'long' {
	if (length > target.length || length < layout.options) return 'long'
	target.set(bytes.subarray(0, length))
	return length
}
