/**
 * Replies that differ from others in what they take from the request, and in nothing else: a form has
 * the rest as octets. They are written straight into the memory that they leave from, without anything
 * made on the way, and are octet for octet what `encodeDhcp` writes for `replyTo`: all that takes more
 * is left to these.
 */

import { writeUint32 } from '../radius/value.ts'
import { type DhcpOption, end, options as known } from './option.ts'
import { type DhcpPacket, layout, magicCookie, messageTypes, operations } from './packet.ts'
import {
	isOwn,
	maximumReplyLength,
	minimumLength,
	sizeOfOptions,
	writeOption,
	writeOptions,
} from './reply.ts'

/** A reply without what it takes from the request; behind the options there is only padding. */
export type ReplyForm = {
	readonly octets: Uint8Array
	/** Where the options end. */
	readonly optionsEnd: number
}

/**
 * The form of DHCPOFFERs and DHCPACKs with these options, in the order in which they matter. Client
 * Identifier is not among them: a reply has the client's own.
 */
export function createReplyForm(given: readonly DhcpOption[]): ReplyForm {
	// Message type before them.
	const size = layout.options + 3 + sizeOfOptions(given)
	const octets = new Uint8Array(Math.max(size, minimumLength))
	octets[0] = operations.reply
	writeUint32(magicCookie, octets, layout.cookie)
	const at = writeOption(octets, layout.options, known.messageType.code, [0])
	const list = given.filter(({ code }) => !isOwn(code))
	return { octets, optionsEnd: writeOptions(octets, at, list) }
}

/**
 * Octets of the reply to a request by a form. 0: it must be put together by `replyTo`, as options of
 * the request have several instances (RFC 3396), or there is not room for everything.
 */
export function filledLength({ optionsEnd }: ReplyForm, request: DhcpPacket): number {
	if (request.repeats) return 0
	const echoed =
		sizeInRequest(request, known.clientIdentifier.code) +
		sizeInRequest(request, known.relayAgentInformation.code)
	const length = optionsEnd + echoed + 1
	return length > maximumReplyLength(request) ? 0 : Math.max(length, minimumLength)
}

function sizeInRequest({ bytes, offsets }: DhcpPacket, code: number): number {
	const at = offsets[code]!
	return at === 0 ? 0 : bytes[at + 1]! + 2
}

/**
 * Writes the reply to a request by a form. From `offset` on, `target` has the octets that
 * `filledLength` says.
 */
export function fillForm(
	target: Uint8Array,
	offset: number,
	form: ReplyForm,
	request: DhcpPacket,
	{ messageType, yiaddr }: { readonly messageType: number; readonly yiaddr: number },
): void {
	target.set(form.octets, offset)
	target[offset + 1] = request.htype
	target[offset + 2] = request.hlen
	writeUint32(request.xid, target, offset + 4)
	target[offset + 10] = request.flags >>> 8
	target[offset + 11] = request.flags
	// RFC 2131 §4.3.1, table 3.
	if (messageType === messageTypes.ack) writeUint32(request.ciaddr, target, offset + 12)
	writeUint32(yiaddr, target, offset + 16)
	writeUint32(request.giaddr, target, offset + 24)
	const { bytes, hlen } = request
	for (let i = layout.chaddr; i < layout.chaddr + hlen; i++) target[offset + i] = bytes[i]!
	target[offset + layout.options + 2] = messageType
	// RFC 6842 §3, then RFC 3046 §2.2: both unchanged.
	let at = echo(target, offset + form.optionsEnd, request, known.clientIdentifier.code)
	at = echo(target, at, request, known.relayAgentInformation.code)
	target[at] = end
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
