/**
 * DHCP messages that were received (RFC 2131 §2), read where they lie: one reusable object with the
 * header's fields and the options' offsets, and what the protocol says about the client behind them.
 * A message's first octet is at 0. No datagram makes anything throw.
 */

import { ethernetKey, macText, readMac } from '../mac.ts'
import { readUint32 } from '../radius/packet.ts'
import {
	end,
	findSubOption,
	options as known,
	type OptionDefinition,
	pad,
	readableText,
} from './option.ts'

export const operations = { request: 1, reply: 2 } as const

/** RFC 2132 §9.6. */
export const messageTypes = {
	discover: 1,
	offer: 2,
	request: 3,
	decline: 4,
	ack: 5,
	nak: 6,
	release: 7,
	inform: 8,
} as const

/** The standard's names of the message types. */
export const messageTypeNames: Readonly<Record<number, string>> = {
	[messageTypes.discover]: 'DHCPDISCOVER',
	[messageTypes.offer]: 'DHCPOFFER',
	[messageTypes.request]: 'DHCPREQUEST',
	[messageTypes.decline]: 'DHCPDECLINE',
	[messageTypes.ack]: 'DHCPACK',
	[messageTypes.nak]: 'DHCPNAK',
	[messageTypes.release]: 'DHCPRELEASE',
	[messageTypes.inform]: 'DHCPINFORM',
}

export const serverPort = 67
export const clientPort = 68
/** The flags' highest bit: answer by broadcast. */
export const broadcastFlag = 0x8000

/** Offsets and sizes of the header's fields (RFC 2131 §2, figure 1). */
export const layout = {
	chaddr: 28,
	sname: 44,
	file: 108,
	cookie: 236,
	options: 240,
	chaddrLength: 16,
	snameLength: 64,
	fileLength: 128,
} as const

/** RFC 2131 §3: 99, 130, 83, 99. */
export const magicCookie = 0x63825363

/**
 * A message, and where in `bytes` its options are. It is good until either is reused: `keepPacket`
 * makes one that lasts. Addresses are unsigned numbers, 0 for none.
 */
export type DhcpPacket = {
	bytes: Uint8Array
	length: number
	op: number
	htype: number
	hlen: number
	hops: number
	xid: number
	secs: number
	flags: number
	ciaddr: number
	yiaddr: number
	siaddr: number
	giaddr: number
	messageType: number
	/** Option overload [52]: 1 `file` holds options, 2 `sname` does, 3 both. */
	overload: number
	/** Whether some option has several instances (RFC 3396). */
	repeats: boolean
	/** For each option the offset of its first instance's code; 0 where it is absent. */
	readonly offsets: Uint16Array
}

/**
 * Why octets are no DHCP message. `bootp`: plain BOOTP, without the magic cookie or without a
 * message type (RFC 1534 §2). `options`: one ends after its field. `overload`, `message-type`:
 * these options are not what RFC 2132 says.
 */
export type DhcpFault =
	| 'short'
	| 'long'
	| 'bootp'
	| 'op'
	| 'hlen'
	| 'options'
	| 'overload'
	| 'message-type'

export function createDhcpPacket(): DhcpPacket {
	return {
		bytes: new Uint8Array(0),
		length: 0,
		op: 0,
		htype: 0,
		hlen: 0,
		hops: 0,
		xid: 0,
		secs: 0,
		flags: 0,
		ciaddr: 0,
		yiaddr: 0,
		siaddr: 0,
		giaddr: 0,
		messageType: 0,
		overload: 0,
		repeats: false,
		offsets: new Uint16Array(256),
	}
}

/** A copy that shares nothing with the receive buffer. */
export function keepPacket(packet: DhcpPacket): DhcpPacket {
	return {
		...packet,
		bytes: packet.bytes.slice(0, packet.length),
		offsets: packet.offsets.slice(),
	}
}

/**
 * Decodes a datagram of `length` octets into `packet`, which it returns, or says why it is none;
 * `packet` is then worth nothing. Octets behind End are padding, and a missing End is forgiven.
 */
export function decodeDhcp(
	bytes: Uint8Array,
	length: number,
	packet: DhcpPacket = createDhcpPacket(),
): DhcpPacket | DhcpFault {
	if (length < layout.options || length > bytes.length) return 'short'
	if (length > 0xffff) return 'long'
	if (readUint32(bytes, layout.cookie) !== magicCookie) return 'bootp'
	packet.bytes = bytes
	packet.length = length
	packet.op = bytes[0]!
	packet.htype = bytes[1]!
	packet.hlen = bytes[2]!
	packet.hops = bytes[3]!
	if (packet.op !== operations.request && packet.op !== operations.reply) return 'op'
	if (packet.hlen > layout.chaddrLength) return 'hlen'
	packet.xid = readUint32(bytes, 4)
	packet.secs = (bytes[8]! << 8) | bytes[9]!
	packet.flags = (bytes[10]! << 8) | bytes[11]!
	packet.ciaddr = readUint32(bytes, 12)
	packet.yiaddr = readUint32(bytes, 16)
	packet.siaddr = readUint32(bytes, 20)
	packet.giaddr = readUint32(bytes, 24)
	return indexOptions(packet) ?? packet
}

function indexOptions(packet: DhcpPacket): DhcpFault | undefined {
	const { bytes, offsets } = packet
	offsets.fill(0)
	packet.repeats = false
	packet.overload = 0
	if (!indexField(packet, layout.options, packet.length)) return 'options'
	const overloadAt = offsets[known.overload.code]!
	if (overloadAt !== 0) {
		packet.overload = bytes[overloadAt + 2]!
		if (bytes[overloadAt + 1] !== 1 || packet.overload < 1 || packet.overload > 3) return 'overload'
		// RFC 2131 §4.1: `file` first, then `sname`.
		if ((packet.overload & 1) !== 0 && !indexField(packet, layout.file, layout.cookie))
			return 'options'
		if ((packet.overload & 2) !== 0 && !indexField(packet, layout.sname, layout.file))
			return 'options'
	}
	const typeAt = offsets[known.messageType.code]!
	if (typeAt === 0) return 'bootp'
	packet.messageType = bytes[typeAt + 2]!
	return bytes[typeAt + 1] === 1 && packet.messageType !== 0 ? undefined : 'message-type'
}

/** False when an option ends after its field. */
function indexField(packet: DhcpPacket, from: number, limit: number): boolean {
	const { bytes, offsets } = packet
	let at = from
	while (at < limit) {
		const code = bytes[at]!
		if (code === end) return true
		if (code === pad) {
			at++
			continue
		}
		if (at + 2 > limit) return false
		const next = at + 2 + bytes[at + 1]!
		if (next > limit) return false
		if (offsets[code] === 0) offsets[code] = at
		else packet.repeats = true
		at = next
	}
	return true
}

/** Whether the message has the option, whatever its value. */
export function hasOption(packet: DhcpPacket, option: { readonly code: number }): boolean {
	return packet.offsets[option.code] !== 0
}

/**
 * The option's value: a view, or where several instances make one value (RFC 3396 §5) a copy.
 * Undefined without the option.
 */
export function readOctets(
	packet: DhcpPacket,
	option: { readonly code: number },
): Uint8Array | undefined {
	const at = packet.offsets[option.code]!
	if (at === 0) return undefined
	if (packet.repeats) return joinInstances(packet, option.code)
	return packet.bytes.subarray(at + 2, at + 2 + packet.bytes[at + 1]!)
}

function joinInstances(packet: DhcpPacket, code: number): Uint8Array {
	const value = new Uint8Array(packet.length)
	let size = joinField(packet, code, layout.options, packet.length, value, 0)
	if ((packet.overload & 1) !== 0)
		size = joinField(packet, code, layout.file, layout.cookie, value, size)
	if ((packet.overload & 2) !== 0)
		size = joinField(packet, code, layout.sname, layout.file, value, size)
	return value.subarray(0, size)
}

/** Appends what a field has of an option, and returns the new size. */
function joinField(
	{ bytes }: DhcpPacket,
	code: number,
	from: number,
	limit: number,
	value: Uint8Array,
	size: number,
): number {
	let filled = size
	let at = from
	while (at < limit && bytes[at] !== end) {
		if (bytes[at] === pad) {
			at++
			continue
		}
		const next = at + 2 + bytes[at + 1]!
		if (bytes[at] === code) {
			value.set(bytes.subarray(at + 2, next), filled)
			filled += next - at - 2
		}
		at = next
	}
	return filled
}

type NumberOption = OptionDefinition<number> & { readonly list: false }

/** The number in an option's first instance; undefined without it or when its length is wrong. */
export function readNumber(packet: DhcpPacket, option: NumberOption): number | undefined {
	const at = packet.offsets[option.code]!
	if (at === 0) return undefined
	const decoded = option.codec.decode(packet.bytes, at + 2, packet.bytes[at + 1]!)
	return 'error' in decoded ? undefined : decoded.value
}

/** The address in an option's first instance; undefined without it or when its length is not 4. */
export function readIp(
	packet: DhcpPacket,
	option: NumberOption & { readonly type: 'ip' },
): number | undefined {
	const at = packet.offsets[option.code]!
	if (at === 0 || packet.bytes[at + 1] !== 4) return undefined
	return readUint32(packet.bytes, at + 2)
}

/** The option as text for people: what is not printable comes as `0x` and digits. */
export function readText(
	packet: DhcpPacket,
	option: { readonly code: number },
): string | undefined {
	const value = readOctets(packet, option)
	return value === undefined ? undefined : readableText(value)
}

/** The option as its type has it; undefined without it or when it does not fit. */
export function readOption<T>(packet: DhcpPacket, option: OptionDefinition<T>): T | undefined {
	const value = readOctets(packet, option)
	if (value === undefined) return undefined
	const decoded = option.codec.decode(value, 0, value.length)
	return 'error' in decoded ? undefined : decoded.value
}

/** A sub-option of Relay Agent Information [82], as a view. */
export function readSubOption(packet: DhcpPacket, code: number): Uint8Array | undefined {
	const information = readOctets(packet, known.relayAgentInformation)
	return information === undefined ? undefined : findSubOption(information, code)
}

/** The codes of the options in a message, in ascending order. */
export function optionCodes(packet: DhcpPacket): number[] {
	const codes: number[] = []
	for (let code = pad + 1; code < end; code++) if (packet.offsets[code] !== 0) codes.push(code)
	return codes
}

/** The client's hardware address as a view. */
export function hardwareAddress(packet: DhcpPacket): Uint8Array {
	return packet.bytes.subarray(layout.chaddr, layout.chaddr + packet.hlen)
}

/** The text in `sname` or `file`; empty where options are in it. */
export function readServerName(packet: DhcpPacket): string {
	return (packet.overload & 2) !== 0 ? '' : textField(packet, layout.sname, layout.snameLength)
}

export function readFileName(packet: DhcpPacket): string {
	return (packet.overload & 1) !== 0 ? '' : textField(packet, layout.file, layout.fileLength)
}

function textField({ bytes }: DhcpPacket, at: number, length: number): string {
	let size = 0
	while (size < length && bytes[at + size] !== 0) size++
	return readableText(bytes.subarray(at, at + size))
}

const hexPairs = Array.from({ length: 256 }, (_, octet) => octet.toString(16).padStart(2, '0'))

/**
 * Who a client is to a server (RFC 2131 §4.2): `id:` and the client identifier, else `hw:`,
 * hardware type and address, in hexadecimal digits. Undefined when a message names neither. A
 * client identifier of less than two octets is none (RFC 2132 §9.14).
 */
export function clientKey(packet: DhcpPacket): string | undefined {
	const at = packet.offsets[known.clientIdentifier.code]!
	if (at !== 0 && packet.repeats) {
		const identifier = joinInstances(packet, known.clientIdentifier.code)
		if (identifier.length >= 2) return `id:${hexadecimal(identifier, 0, identifier.length)}`
	} else if (at !== 0 && packet.bytes[at + 1]! >= 2) {
		return `id:${hexadecimal(packet.bytes, at + 2, packet.bytes[at + 1]!)}`
	}
	if (packet.hlen === 0) return undefined
	if (isEthernet(packet)) return ethernetKey('hw', readMac(packet.bytes, layout.chaddr))
	return `hw:${hexPairs[packet.htype]}${hexadecimal(packet.bytes, layout.chaddr, packet.hlen)}`
}

function hexadecimal(bytes: Uint8Array, offset: number, length: number): string {
	let text = ''
	for (let at = offset; at < offset + length; at++) text += hexPairs[bytes[at]!]
	return text
}

/**
 * The subscriber's MAC address in normal form (`02-00-00-00-00-01`), as RADIUS has it in
 * Calling-Station-Id; undefined for hardware that is not Ethernet's, and for what no station has as
 * its address (IEEE 802.3): all zeros, or that of a group.
 */
export function clientMac(packet: DhcpPacket): string | undefined {
	if (!isEthernet(packet)) return undefined
	const mac = readMac(packet.bytes, layout.chaddr)
	const isGroup = (packet.bytes[layout.chaddr]! & 1) !== 0
	return isGroup || mac === 0 ? undefined : macText(mac)
}

function isEthernet({ htype, hlen }: DhcpPacket): boolean {
	return htype === 1 && hlen === 6
}

export type RequestKind = 'selecting' | 'init-reboot' | 'renewing' | 'rebinding' | 'invalid'

/**
 * The client's state behind a DHCPREQUEST (RFC 2131 §4.3.2 and table 4). `broadcast`: whether the
 * datagram came to a broadcast address; what a relay agent passes on was broadcast to it. A
 * requested address that repeats `ciaddr` contradicts nothing and is passed over.
 */
export function requestKind(packet: DhcpPacket, broadcast: boolean): RequestKind {
	const { ciaddr } = packet
	const requested = readIp(packet, known.requestedAddress)
	if (hasOption(packet, known.requestedAddress) && !requested) return 'invalid'
	if (ciaddr !== 0 && requested !== undefined && requested !== ciaddr) return 'invalid'
	if (hasOption(packet, known.serverIdentifier)) {
		const named = readIp(packet, known.serverIdentifier) !== undefined
		return named && requested !== undefined ? 'selecting' : 'invalid'
	}
	if (ciaddr !== 0) return broadcast || packet.giaddr !== 0 ? 'rebinding' : 'renewing'
	return requested !== undefined ? 'init-reboot' : 'invalid'
}
