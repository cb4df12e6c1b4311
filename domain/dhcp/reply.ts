/**
 * DHCP messages to send: made from the request that they answer, encoded in one pass, with the
 * place where they go (RFC 2131 §4.1).
 */

import { writeUint32 } from '../radius/value.ts'
import { type DhcpOption, end, options as known, pad, subOptions } from './option.ts'
import {
	broadcastFlag,
	clientPort,
	type DhcpPacket,
	hardwareAddress,
	layout,
	magicCookie,
	messageTypes,
	operations,
	readNumber,
	readOctets,
	readSubOption,
	serverPort,
} from './packet.ts'

/** What a BOOTP relay agent lets pass: a BOOTP message has 300 octets (RFC 1542 §2.1). */
export const minimumLength = 300
/** Headers of IP and UDP, which Maximum DHCP Message Size counts. */
const datagramHeaders = 28
/** RFC 2132 §9.10: the smallest legal size, and the one of clients that name none. */
const defaultMessageSize = 576
/** An Ethernet frame's datagram: replies are not sent in fragments. */
const largestMessageSize = 1500

/** A message to be encoded; addresses are unsigned numbers, 0 for none. */
export type DhcpMessage = {
	readonly op: number
	readonly htype: number
	readonly hops: number
	readonly xid: number
	readonly secs: number
	readonly flags: number
	readonly ciaddr: number
	readonly yiaddr: number
	readonly siaddr: number
	readonly giaddr: number
	/** At most 16 octets; their number is `hlen`. */
	readonly chaddr: Uint8Array
	/** Text to cut at 63 and 127 octets. Where one is empty, options may go into its field. */
	readonly sname: string
	readonly file: string
	readonly messageType: number
	/**
	 * In the order in which they matter, each code once. Overload, message type and Relay Agent
	 * Information among them are passed over.
	 */
	readonly options: readonly DhcpOption[]
	/** Option 82, written last. */
	readonly relayAgentInformation?: Uint8Array
	/** Octets that the message may have, without headers of IP and UDP. */
	readonly maximumLength: number
}

export type ReplyContent = {
	readonly messageType: number
	readonly yiaddr: number
	readonly siaddr?: number
	readonly sname?: string
	readonly file?: string
	readonly options: readonly DhcpOption[]
}

/**
 * The reply to a request (RFC 2131 §4.3.1, table 3). What identifies the exchange is taken from the
 * request, with views into it: encode the reply before the request's buffer is reused.
 */
export function replyTo(request: DhcpPacket, content: ReplyContent): DhcpMessage {
	const { messageType } = content
	const refused = messageType === messageTypes.nak
	const information = readOctets(request, known.relayAgentInformation)
	return {
		op: operations.reply,
		htype: request.htype,
		hops: 0,
		xid: request.xid,
		secs: 0,
		// RFC 2131 §4.3.2: the relay agent broadcasts a NAK, as the client's address may be wrong.
		flags: refused && request.giaddr !== 0 ? request.flags | broadcastFlag : request.flags,
		ciaddr: messageType === messageTypes.ack ? request.ciaddr : 0,
		yiaddr: refused ? 0 : content.yiaddr,
		siaddr: refused ? 0 : (content.siaddr ?? 0),
		giaddr: request.giaddr,
		chaddr: hardwareAddress(request),
		sname: refused ? '' : (content.sname ?? ''),
		file: refused ? '' : (content.file ?? ''),
		messageType,
		options: withClientIdentifier(request, content.options),
		// RFC 3046 §2.2: unchanged, in every reply.
		...(information === undefined ? {} : { relayAgentInformation: information }),
		maximumLength: maximumReplyLength(request),
	}
}

/** RFC 6842 §3: every reply carries the client identifier that the request had. */
function withClientIdentifier(
	request: DhcpPacket,
	given: readonly DhcpOption[],
): readonly DhcpOption[] {
	const { code } = known.clientIdentifier
	const value = readOctets(request, known.clientIdentifier)
	if (value === undefined) return given
	// Last: whatever its length, it takes no room from the server's own options.
	return [...given.filter(option => option.code !== code), { code, value }]
}

/** Octets that a reply may have: Maximum DHCP Message Size [57], within 576 and 1500, - 28. */
export function maximumReplyLength(request: DhcpPacket): number {
	const size = readNumber(request, known.maximumMessageSize) ?? defaultMessageSize
	return Math.min(Math.max(size, defaultMessageSize), largestMessageSize) - datagramHeaders
}

const encoder = new TextEncoder()

/**
 * Writes a message and returns its length. Values of more than 255 octets are split (RFC 3396);
 * options that exceed `maximumLength` go into `file` and `sname` (RFC 2131 §4.1), and what finds no
 * room there either is left out: `omittedOptions` tells. `maximumLength` is 300 at least, `target`
 * as long as that.
 */
export function encodeDhcp(target: Uint8Array, message: DhcpMessage): number {
	const limit = message.maximumLength
	if (limit < minimumLength || target.length < limit) {
		throw new RangeError(
			`A DHCP message of up to ${limit} octets cannot be encoded into ${target.length}: ` +
				`allow for ${minimumLength} at least, and give a buffer that holds them.`,
		)
	}
	target.fill(0, 0, minimumLength)
	writeHeader(target, message)
	let at = writeOption(target, layout.options, known.messageType.code, [message.messageType])
	// One octet is End's.
	const room = optionsRoom(limit, message)
	if (sizeOfOptions(message.options) <= room) {
		for (const { code, value } of message.options) {
			if (isOwn(code)) continue
			at = writeOption(target, at, code, value)
		}
	} else {
		at = writeOverloaded(target, at, placeOptions(message, room))
	}
	const information = message.relayAgentInformation
	if (information !== undefined && fitsRelayAgentInformation(limit, information)) {
		at = writeOption(target, at, known.relayAgentInformation.code, information)
	}
	target[at++] = end
	return Math.max(at, minimumLength)
}

function writeHeader(target: Uint8Array, message: DhcpMessage): void {
	const { chaddr } = message
	target[0] = message.op
	target[1] = message.htype
	target[2] = chaddr.length
	target[3] = message.hops
	writeUint32(message.xid, target, 4)
	target[8] = message.secs >>> 8
	target[9] = message.secs
	target[10] = message.flags >>> 8
	target[11] = message.flags
	writeUint32(message.ciaddr, target, 12)
	writeUint32(message.yiaddr, target, 16)
	writeUint32(message.siaddr, target, 20)
	writeUint32(message.giaddr, target, 24)
	for (let i = 0; i < chaddr.length && i < layout.chaddrLength; i++)
		target[layout.chaddr + i] = chaddr[i]!
	// Both fields end in NUL (RFC 2131 §2).
	if (message.sname !== '') {
		encoder.encodeInto(
			message.sname,
			target.subarray(layout.sname, layout.sname + layout.snameLength - 1),
		)
	}
	if (message.file !== '') {
		encoder.encodeInto(
			message.file,
			target.subarray(layout.file, layout.file + layout.fileLength - 1),
		)
	}
	writeUint32(magicCookie, target, layout.cookie)
}

/** Options that `encodeDhcp` writes itself. */
export function isOwn(code: number): boolean {
	switch (code) {
		case pad:
		case known.overload.code:
		case known.messageType.code:
		case known.relayAgentInformation.code:
		case end:
			return true
		default:
			return false
	}
}

/** Octets of an option with the headers of all its instances (RFC 3396). */
function sizeOfOption(length: number): number {
	return length <= 255 ? length + 2 : length + 2 * Math.ceil(length / 255)
}

/** Octets of the field `options` that these take; what `encodeDhcp` writes itself is not counted. */
export function sizeOfOptions(options: readonly DhcpOption[]): number {
	let size = 0
	for (const { code, value } of options) if (!isOwn(code)) size += sizeOfOption(value.length)
	return size
}

/** Octets of the field `options` that are left for the caller's: between message type and 82. */
function optionsRoom(limit: number, message: DhcpMessage): number {
	const fixed = layout.options + sizeOfOption(1) + 1
	const information = message.relayAgentInformation
	if (information === undefined || !fitsRelayAgentInformation(limit, information)) {
		return limit - fixed
	}
	return limit - fixed - sizeOfOption(information.length)
}

/** It must stand in the field `options`, so that relay agents find it (RFC 3046 §2.1). */
function fitsRelayAgentInformation(limit: number, information: Uint8Array): boolean {
	return layout.options + sizeOfOption(1) + sizeOfOption(information.length) + 1 <= limit
}

export function writeOption(
	target: Uint8Array,
	offset: number,
	code: number,
	value: ArrayLike<number>,
): number {
	let at = offset
	let done = 0
	do {
		const size = Math.min(value.length - done, 255)
		target[at] = code
		target[at + 1] = size
		for (let i = 0; i < size; i++) target[at + 2 + i] = value[done + i]!
		at += 2 + size
		done += size
	} while (done < value.length)
	return at
}

/** One of the three fields, with what goes into it. */
type Field = { readonly overload: 0 | 1 | 2; room: number; readonly options: DhcpOption[] }

/** In the order in which RFC 3396 §5 puts the parts of a value together. */
type Placement = { readonly fields: readonly Field[]; readonly omitted: DhcpOption[] }

/** Where options go that exceed the field `options`. */
function placeOptions(message: DhcpMessage, room: number): Placement {
	const fields: Field[] = [{ overload: 0, room: room - sizeOfOption(1), options: [] }]
	// An octet of each is End's.
	if (message.file === '') fields.push({ overload: 1, room: layout.fileLength - 1, options: [] })
	if (message.sname === '') fields.push({ overload: 2, room: layout.snameLength - 1, options: [] })
	const omitted: DhcpOption[] = []
	for (const option of message.options) {
		if (isOwn(option.code)) continue
		const size = sizeOfOption(option.value.length)
		const field = fields.find(candidate => candidate.room >= size)
		if (field === undefined) {
			if (!splitOverFields(fields, option)) omitted.push(option)
			continue
		}
		field.options.push(option)
		field.room -= size
	}
	return { fields, omitted }
}

/** Splits an option that fits no field as a whole; false when all of them are too small for it. */
function splitOverFields(fields: readonly Field[], option: DhcpOption): boolean {
	const { code, value } = option
	const room = fields.reduce((sum, field) => sum + valueRoom(field.room), 0)
	if (value.length === 0 || room < value.length) return false
	let done = 0
	for (const field of fields) {
		const size = Math.min(valueRoom(field.room), value.length - done)
		if (size === 0) continue
		field.options.push({ code, value: value.subarray(done, done + size) })
		field.room -= sizeOfOption(size)
		done += size
	}
	return true
}

/** The longest value whose instances fit into so many octets. */
function valueRoom(room: number): number {
	if (room <= 2) return 0
	return room - 2 * Math.ceil(room / 257)
}

function writeOverloaded(target: Uint8Array, offset: number, placement: Placement): number {
	let at = offset
	let overload = 0
	for (const field of placement.fields) {
		if (field.options.length > 0) overload |= field.overload
	}
	if (overload !== 0) at = writeOption(target, at, known.overload.code, [overload])
	for (const field of placement.fields) {
		if (field.overload === 0) at = writeOptions(target, at, field.options)
		else if (field.options.length > 0) {
			const from = field.overload === 1 ? layout.file : layout.sname
			target[writeOptions(target, from, field.options)] = end
		}
	}
	return at
}

/** Writes options in a row, long ones in several instances (RFC 3396), and returns where they end. */
export function writeOptions(
	target: Uint8Array,
	offset: number,
	given: readonly DhcpOption[],
): number {
	let at = offset
	for (const { code, value } of given) at = writeOption(target, at, code, value)
	return at
}

/** The codes of options that `encodeDhcp` leaves out for want of room; usually none. */
export function omittedOptions(message: DhcpMessage): number[] {
	const limit = message.maximumLength
	const room = optionsRoom(limit, message)
	const omitted =
		sizeOfOptions(message.options) <= room
			? []
			: placeOptions(message, room).omitted.map(option => option.code)
	const information = message.relayAgentInformation
	if (information !== undefined && !fitsRelayAgentInformation(limit, information)) {
		omitted.push(known.relayAgentInformation.code)
	}
	return omitted
}

/** Where a reply goes; addresses are unsigned numbers. Broadcasts go to the client's port 68. */
export type ReplyDestination =
	| { readonly kind: 'relay'; readonly address: number; readonly port: number }
	| { readonly kind: 'unicast'; readonly address: number; readonly port: 68 }
	| { readonly kind: 'broadcast' }
	/** To an address that the client does not answer ARP for yet: the frame needs its `chaddr`. */
	| { readonly kind: 'link-unicast'; readonly address: number }

/** RFC 2131 §4.1. `sourcePort` is the port that the request came from. */
export function replyDestination(
	request: DhcpPacket,
	reply: { readonly messageType: number; readonly yiaddr: number },
	sourcePort: number,
): ReplyDestination {
	const { ciaddr, giaddr } = request
	// RFC 2131 §4.3.5: an INFORM is answered to the address that the client has.
	if (request.messageType === messageTypes.inform && ciaddr !== 0) {
		return { kind: 'unicast', address: ciaddr, port: clientPort }
	}
	if (giaddr !== 0) {
		// RFC 8357 §5.2: a relay agent whose port is not 67 says so.
		const named = readSubOption(request, subOptions.relaySourcePort) !== undefined
		return { kind: 'relay', address: giaddr, port: named ? sourcePort : serverPort }
	}
	if (reply.messageType === messageTypes.nak) return { kind: 'broadcast' }
	if (ciaddr !== 0) return { kind: 'unicast', address: ciaddr, port: clientPort }
	if ((request.flags & broadcastFlag) !== 0) return { kind: 'broadcast' }
	// No frame can be addressed to other hardware, and none to no address.
	if (request.htype !== 1 || request.hlen !== 6 || reply.yiaddr === 0) return { kind: 'broadcast' }
	return { kind: 'link-unicast', address: reply.yiaddr }
}
