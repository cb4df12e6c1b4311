/**
 * What a datagram from a client is, before anything is believed or recorded about it, and what an
 * accepted one says. The order of the checks is the rule: a shape that cannot be, a code that is
 * not for this server, a signature, and only then what the request must contain.
 */
import { formatIpv4 } from './address.ts'
import type { Client } from './client.ts'
import type { Service } from './configuration.ts'
import type { AccountingStatus, EventData } from './event.ts'
import { attribute } from './radius/attribute.ts'
import { maximumLength, minimumLength } from './radius/attribute-rules.ts'
import { verifyAccountingRequest, verifyMessageAuthenticator } from './radius/authenticator.ts'
import {
	checkPacket,
	codes,
	headerLength,
	packetLength,
	readText,
	readTextOrHex,
	readUint32,
} from './radius/packet.ts'
import { normaliseMac, parseCalledStation } from './radius/station-id.ts'

/** Where each attribute type first stands in a packet; 0: nowhere. Reused from packet to packet. */
export type AttributeIndex = {
	readonly first: Uint16Array
	readonly types: Uint8Array
	typeCount: number
	/** Whether more than one Message-Authenticator or User-Password was seen. */
	repeated: boolean
}

export function createAttributeIndex(): AttributeIndex {
	return {
		first: new Uint16Array(256),
		types: new Uint8Array(256),
		typeCount: 0,
		repeated: false,
	}
}

/**
 * Notes where each attribute of a packet of `length` octets begins. False when an attribute has a
 * length that its type cannot have. The packet has passed `checkPacket`.
 */
export function indexAttributes(index: AttributeIndex, bytes: Uint8Array, length: number): boolean {
	const { first, types } = index
	for (let i = 0; i < index.typeCount; i++) first[types[i]!] = 0
	index.typeCount = 0
	index.repeated = false
	let possible = true
	for (let at = headerLength; at < length; at += bytes[at + 1]!) {
		const type = bytes[at]!
		const size = bytes[at + 1]!
		if (size < minimumLength[type]! || size > maximumLength[type]!) possible = false
		if (first[type] === 0) {
			first[type] = at
			types[index.typeCount++] = type
		} else if (
			type === attribute.messageAuthenticator ||
			type === attribute.userPassword ||
			type === attribute.chapPassword
		) {
			index.repeated = true
		}
	}
	return possible
}

/** How strictly Access-Requests of a client are held to carry Message-Authenticator. */
export type MessageAuthenticatorRule = 'required' | 'limit-proxy-state' | 'optional'

export type Verdict =
	| 'request'
	| 'status-server'
	| 'malformed'
	| 'bad-authenticator'
	| 'invalid'
	| 'invalid-no-message-authenticator'

/** Judges a datagram of `length` octets; `index` describes it afterwards. */
export function examineRequest(
	service: Service,
	bytes: Uint8Array,
	datagramLength: number,
	client: Client,
	rule: MessageAuthenticatorRule,
	index: AttributeIndex,
): Verdict {
	if (checkPacket(bytes, datagramLength) !== 'ok') return 'malformed'
	const length = packetLength(bytes)
	if (!indexAttributes(index, bytes, length)) return 'malformed'
	if (index.repeated) return 'malformed'
	const code = bytes[0]
	if (code === codes.statusServer) return examineStatusServer(bytes, length, client, index)
	if (service === 'accounting') {
		if (code !== codes.accountingRequest) return 'invalid'
		return examineAccountingRequest(bytes, length, client, index)
	}
	if (code !== codes.accessRequest) return 'invalid'
	return examineAccessRequest(bytes, length, client, rule, index)
}

function examineAccessRequest(
	bytes: Uint8Array,
	length: number,
	client: Client,
	rule: MessageAuthenticatorRule,
	index: AttributeIndex,
): Verdict {
	const { first } = index
	const hasEap = first[attribute.eapMessage] !== 0
	const passwordAt = first[attribute.userPassword]!
	const hasPassword = passwordAt !== 0
	const hasChap = first[attribute.chapPassword] !== 0
	// RFC 2865 §4.1: one kind of password at most; RFC 3579 §3.1: none beside EAP-Message.
	if (hasPassword && hasChap) return 'malformed'
	if (hasEap && (hasPassword || hasChap)) return 'malformed'
	// RFC 2865 §5.2: whole blocks of 16 octets; no other value could be hidden for the next hop.
	if (hasPassword && (bytes[passwordAt + 1]! - 2) % 16 !== 0) return 'malformed'
	const signatureAt = first[attribute.messageAuthenticator]!
	if (signatureAt !== 0) {
		if (!verifyMessageAuthenticator(bytes, length, client.key, signatureAt + 2)) {
			return 'bad-authenticator'
		}
	} else if (
		hasEap ||
		rule === 'required' ||
		// CVE-2024-3596: Proxy-State is what lets an attacker shape a colliding answer.
		(rule === 'limit-proxy-state' && first[attribute.proxyState] !== 0)
	) {
		// RFC 3579 §3.1 for EAP-Message.
		return 'invalid-no-message-authenticator'
	}
	if (first[attribute.calledStationId] === 0 || first[attribute.callingStationId] === 0) {
		return 'invalid'
	}
	return 'request'
}

function examineAccountingRequest(
	bytes: Uint8Array,
	length: number,
	client: Client,
	index: AttributeIndex,
): Verdict {
	const { first } = index
	// RFC 2866 §4.1: these four MUST NOT be present.
	if (
		first[attribute.userPassword] !== 0 ||
		first[attribute.chapPassword] !== 0 ||
		first[attribute.replyMessage] !== 0 ||
		first[attribute.state] !== 0
	) {
		return 'malformed'
	}
	if (!verifyAccountingRequest(bytes, length, client.key)) return 'bad-authenticator'
	const signatureAt = first[attribute.messageAuthenticator]!
	if (
		signatureAt !== 0 &&
		!verifyMessageAuthenticator(bytes, length, client.key, signatureAt + 2)
	) {
		return 'bad-authenticator'
	}
	const status = accountingStatus(bytes, index)
	if (status === undefined || first[attribute.calledStationId] === 0) return 'invalid'
	const aboutSubscriber = status !== 'on' && status !== 'off'
	if (aboutSubscriber && first[attribute.callingStationId] === 0) return 'invalid'
	return 'request'
}

/** RFC 5997 §3: Status-Server must be signed; one that is not is silently discarded. */
function examineStatusServer(
	bytes: Uint8Array,
	length: number,
	client: Client,
	index: AttributeIndex,
): Verdict {
	const signatureAt = index.first[attribute.messageAuthenticator]!
	if (signatureAt === 0) return 'invalid-no-message-authenticator'
	return verifyMessageAuthenticator(bytes, length, client.key, signatureAt + 2)
		? 'status-server'
		: 'bad-authenticator'
}

/** Acct-Status-Type [40] of the five kinds that are relayed (RFC 2866 §5.1). */
export function accountingStatus(
	bytes: Uint8Array,
	index: AttributeIndex,
): AccountingStatus | undefined {
	const at = index.first[attribute.acctStatusType]!
	if (at === 0) return undefined
	switch (readUint32(bytes, at + 2)) {
		case 1:
			return 'start'
		case 2:
			return 'stop'
		case 3:
			return 'interim'
		case 7:
			return 'on'
		case 8:
			return 'off'
		default:
			return undefined
	}
}

type Writable<T> = { -readonly [K in keyof T]: T[K] }
type StationFacts = Omit<Writable<EventData<'AccessRequested'>>, 'server' | 'reauthentication'>
type AccountingFacts = Omit<Writable<EventData<'AccountingStarted'>>, 'server'>
type AccessPointFacts = Omit<Writable<EventData<'AccountingTurnedOn'>>, 'server'>

function textAt(bytes: Uint8Array, at: number): string {
	return readText(bytes, at + 2, bytes[at + 1]! - 2)
}

/** Who and where: undefined when Calling-Station-Id holds no MAC address. */
export function readStation(
	bytes: Uint8Array,
	index: AttributeIndex,
	client: string,
): StationFacts | undefined {
	const { first } = index
	const callingAt = first[attribute.callingStationId]!
	const mac = normaliseMac(bytes, callingAt + 2, bytes[callingAt + 1]! - 2)
	if (mac === undefined) return undefined
	const calledAt = first[attribute.calledStationId]!
	const called = parseCalledStation(bytes, calledAt + 2, bytes[calledAt + 1]! - 2)
	const facts: StationFacts = { client, mac, wap: called.wap }
	if (called.ssid !== undefined) facts.ssid = called.ssid
	const userAt = first[attribute.userName]!
	if (userAt !== 0) facts.user = textAt(bytes, userAt)
	readNas(bytes, index, facts)
	const portAt = first[attribute.nasPort]!
	if (portAt !== 0) facts.nasPort = readUint32(bytes, portAt + 2)
	const portIdAt = first[attribute.nasPortId]!
	if (portIdAt !== 0) facts.nasPortId = textAt(bytes, portIdAt)
	return facts
}

function readNas(
	bytes: Uint8Array,
	index: AttributeIndex,
	facts: { nasAddress?: string; nasIdentifier?: string },
): void {
	const addressAt = index.first[attribute.nasIpAddress]!
	if (addressAt !== 0) facts.nasAddress = formatIpv4(readUint32(bytes, addressAt + 2))
	const identifierAt = index.first[attribute.nasIdentifier]!
	if (identifierAt !== 0) facts.nasIdentifier = textAt(bytes, identifierAt)
}

/** What a Start, Interim-Update or Stop says. */
export function readAccounting(
	bytes: Uint8Array,
	index: AttributeIndex,
	client: string,
): AccountingFacts | undefined {
	const facts: AccountingFacts | undefined = readStation(bytes, index, client)
	if (facts === undefined) return undefined
	const { first } = index
	let at = first[attribute.acctSessionId]!
	if (at !== 0) facts.session = readTextOrHex(bytes, at + 2, bytes[at + 1]! - 2)
	at = first[attribute.acctMultiSessionId]!
	if (at !== 0) facts.multiSession = readTextOrHex(bytes, at + 2, bytes[at + 1]! - 2)
	at = first[attribute.acctInputOctets]!
	if (at !== 0) facts.inputOctets = octets64(bytes, at, first[attribute.acctInputGigawords]!)
	at = first[attribute.acctOutputOctets]!
	if (at !== 0) facts.outputOctets = octets64(bytes, at, first[attribute.acctOutputGigawords]!)
	at = first[attribute.acctInputPackets]!
	if (at !== 0) facts.inputPackets = readUint32(bytes, at + 2)
	at = first[attribute.acctOutputPackets]!
	if (at !== 0) facts.outputPackets = readUint32(bytes, at + 2)
	at = first[attribute.acctSessionTime]!
	if (at !== 0) facts.sessionSeconds = readUint32(bytes, at + 2)
	at = first[attribute.acctDelayTime]!
	if (at !== 0) facts.delaySeconds = readUint32(bytes, at + 2)
	at = first[attribute.acctTerminateCause]!
	if (at !== 0) facts.terminateCause = readUint32(bytes, at + 2)
	at = first[attribute.class]!
	if (at !== 0) facts.class = readTextOrHex(bytes, at + 2, bytes[at + 1]! - 2)
	at = first[attribute.framedIpAddress]!
	if (at !== 0) facts.framedAddress = formatIpv4(readUint32(bytes, at + 2))
	return facts
}

/** What an Accounting-On or -Off says: its scope is the whole access point. */
export function readAccessPoint(
	bytes: Uint8Array,
	index: AttributeIndex,
	client: string,
): AccessPointFacts {
	const { first } = index
	const calledAt = first[attribute.calledStationId]!
	const called = parseCalledStation(bytes, calledAt + 2, bytes[calledAt + 1]! - 2)
	const facts: AccessPointFacts = { client, wap: called.wap }
	if (called.ssid !== undefined) facts.ssid = called.ssid
	readNas(bytes, index, facts)
	const sessionAt = first[attribute.acctSessionId]!
	if (sessionAt !== 0) {
		facts.session = readTextOrHex(bytes, sessionAt + 2, bytes[sessionAt + 1]! - 2)
	}
	return facts
}

/** RFC 2869 §5.1, §5.2: the Gigawords attribute counts how often the 32 bits wrapped around. */
function octets64(bytes: Uint8Array, at: number, gigawordsAt: number): string {
	const low = readUint32(bytes, at + 2)
	if (gigawordsAt === 0) return String(low)
	const high = readUint32(bytes, gigawordsAt + 2)
	if (high < 0x200000) return String(high * 0x1_0000_0000 + low)
	return String(BigInt(high) * 0x1_0000_0000n + BigInt(low))
}
