/**
 * Replies whose options are there as octets already and fit into the field `options` as a whole. They
 * are written straight into the memory that they leave from, without anything made on the way, and
 * are octet for octet what `encodeDhcp` writes for `replyTo`: all that takes more is left to these.
 */

import { writeUint32 } from '../radius/value.ts'
import { type DhcpOption, end, options as known } from './option.ts'
import { type DhcpPacket, layout, magicCookie, messageTypes, operations } from './packet.ts'
import { isOwn, maximumReplyLength, minimumLength, sizeOfOptions, writeOptions } from './reply.ts'

/** What a DHCPOFFER or DHCPACK says; a DHCPNAK is not plain. `options` as `encodeOptions` has them. */
export type PlainReply = {
	readonly messageType: number
	readonly yiaddr: number
	readonly options: Uint8Array
}

/**
 * Options in a row, as they stand in the field `options`. Client Identifier must not be among them:
 * a reply has the client's own. What `encodeDhcp` passes over is passed over.
 */
export function encodeOptions(given: readonly DhcpOption[]): Uint8Array {
	const octets = new Uint8Array(sizeOfOptions(given))
	const list = given.filter(({ code }) => !isOwn(code))
	writeOptions(octets, 0, list)
	return octets
}

/**
 * Octets of the plain reply with these options. 0: it must be put together by `replyTo`, as options of
 * the request have several instances (RFC 3396), or there is not room for everything.
 */
export function plainReplyLength(request: DhcpPacket, options: Uint8Array): number {
	if (request.repeats) return 0
	const echoed =
		sizeInRequest(request, known.clientIdentifier.code) +
		sizeInRequest(request, known.relayAgentInformation.code)
	// Message type before them, End behind them.
	const length = layout.options + 3 + options.length + echoed + 1
	return length > maximumReplyLength(request) ? 0 : Math.max(length, minimumLength)
}

function sizeInRequest({ bytes, offsets }: DhcpPacket, code: number): number {
	const at = offsets[code]!
	return at === 0 ? 0 : bytes[at + 1]! + 2
}

/** Writes a reply at an offset; `target` has the octets there that `plainReplyLength` says. */
export function writePlainReply(
	target: Uint8Array,
	offset: number,
	request: DhcpPacket,
	reply: PlainReply,
): void {
	// Behind these octets there is no padding.
	target.fill(0, offset, offset + minimumLength)
	writeHeader(target, offset, request, reply)
	let at = offset + layout.options
	target[at] = known.messageType.code
	target[at + 1] = 1
	target[at + 2] = reply.messageType
	target.set(reply.options, at + 3)
	at += 3 + reply.options.length
	// RFC 6842 §3, and RFC 3046 §2.2: unchanged, in this order.
	at = echo(target, at, request, known.clientIdentifier.code)
	at = echo(target, at, request, known.relayAgentInformation.code)
	target[at] = end
}

/** RFC 2131 §4.3.1, table 3; the header's other octets are 0. */
function writeHeader(
	target: Uint8Array,
	offset: number,
	request: DhcpPacket,
	{ messageType, yiaddr }: PlainReply,
): void {
	target[offset] = operations.reply
	target[offset + 1] = request.htype
	target[offset + 2] = request.hlen
	writeUint32(request.xid, target, offset + 4)
	target[offset + 10] = request.flags >>> 8
	target[offset + 11] = request.flags
	if (messageType === messageTypes.ack) writeUint32(request.ciaddr, target, offset + 12)
	writeUint32(yiaddr, target, offset + 16)
	writeUint32(request.giaddr, target, offset + 24)
	const { bytes, hlen } = request
	for (let i = layout.chaddr; i < layout.chaddr + hlen; i++) target[offset + i] = bytes[i]!
	writeUint32(magicCookie, target, offset + layout.cookie)
}

function echo(
	target: Uint8Array,
	offset: number,
	{ bytes, offsets }: DhcpPacket,
	code: number,
): number {
	const from = offsets[code]!
	if (from === 0) return offset
	const size = bytes[from + 1]! + 2
	for (let i = 0; i < size; i++) target[offset + i] = bytes[from + i]!
	return offset + size
}
