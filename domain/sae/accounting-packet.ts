/** A session's record as an Accounting-Request (RFC 2866). */
import { parseIpv4 } from '../address.ts'
import { attribute, erx, vendor } from '../radius/attribute.ts'
import { signAccountingRequest } from '../radius/authenticator.ts'
import type { Md5Key } from '../radius/md5.ts'
import {
	appendAttribute,
	codes,
	headerLength,
	maximumLength,
	maximumValueLength,
} from '../radius/packet.ts'
import { writeUint32 } from '../radius/value.ts'
import { classOctets } from './class.ts'
import type { CloseCause } from './protocol.ts'
import type { SessionRecord } from './service.ts'

/** RFC 2866 §5.10. */
export const terminateCauses: Readonly<Record<CloseCause, number>> = {
	'User-Request': 1,
	'Lost-Carrier': 2,
	'Idle-Timeout': 4,
	'Session-Timeout': 5,
	'Admin-Reset': 6,
}

/** RFC 2866 §5.1, §5.6. */
const statusTypes = { start: 1, stop: 2 } as const
const authenticatedBy = { radius: 1, local: 2 } as const

export type AccountingPacket = {
	readonly identifier: number
	/** NAS-Identifier [32]: an Accounting-Request must say whom it is from (RFC 2866 §4.1). */
	readonly nasIdentifier: string
	readonly delaySeconds: number
	readonly key: Md5Key
}

type Writer = { readonly bytes: Uint8Array; at: number }

/** The signed packet. */
export function accountingPacket(record: SessionRecord, packet: AccountingPacket): Uint8Array {
	const writer: Writer = { bytes: new Uint8Array(maximumLength), at: headerLength }
	writeNumber(writer, attribute.acctStatusType, statusTypes[record.kind])
	writeText(writer, attribute.acctSessionId, record.sessionId)
	writeText(writer, attribute.userName, record.userName ?? record.mac)
	writeText(writer, attribute.nasIdentifier, packet.nasIdentifier)
	writeText(writer, attribute.nasPortId, record.interfaceName)
	writeText(writer, attribute.callingStationId, record.mac)
	writeText(writer, attribute.calledStationId, calledStation(record))
	writeNumber(writer, attribute.framedIpAddress, parseIpv4(record.ipAddress)!)
	writeClass(writer, record.radiusClass)
	writeServiceName(writer, record.service)
	writeEvent(writer, record)
	writeNumber(writer, attribute.acctDelayTime, packet.delaySeconds)
	const bytes = writer.bytes.subarray(0, writer.at)
	bytes[0] = codes.accountingRequest
	bytes[1] = packet.identifier
	bytes[2] = bytes.length >>> 8
	bytes[3] = bytes.length & 0xff
	signAccountingRequest(bytes, bytes.length, packet.key)
	return bytes
}

/** What distinguishes a Start from a Stop. Octets are not known, so none are claimed. */
function writeEvent(writer: Writer, record: SessionRecord): void {
	switch (record.kind) {
		case 'start':
			writeNumber(writer, attribute.eventTimestamp, secondsOf(record.since))
			if (record.authenticated !== undefined) {
				const how = record.authenticated ? authenticatedBy.radius : authenticatedBy.local
				writeNumber(writer, attribute.acctAuthentic, how)
			}
			return
		case 'stop':
			writeNumber(writer, attribute.eventTimestamp, secondsOf(record.at))
			writeNumber(writer, attribute.acctSessionTime, record.sessionSeconds)
			writeNumber(writer, attribute.acctTerminateCause, terminateCauses[record.cause])
			return
		default:
			record satisfies never
	}
}

function secondsOf(milliseconds: number): number {
	return Math.floor(milliseconds / 1000) % 2 ** 32
}

/** RFC 3580 §3.20. */
function calledStation({ wap, ssid }: SessionRecord): string | undefined {
	if (wap === undefined) return undefined
	return ssid === undefined ? wap : `${wap}:${ssid}`
}

function writeNumber(writer: Writer, type: number, value: number): void {
	const octets = new Uint8Array(4)
	writeUint32(value, octets, 0)
	writeOctets(writer, type, octets)
}

/** Text that is too long for an attribute is cut, between two characters. */
function writeText(writer: Writer, type: number, text: string | undefined): void {
	if (text === undefined) return
	const octets = new Uint8Array(maximumValueLength)
	const { written } = new TextEncoder().encodeInto(text, octets)
	writeOctets(writer, type, octets.subarray(0, written))
}

/** A Class that was cut would be another one: one that does not fit is left out. */
function writeClass(writer: Writer, text: string | undefined): void {
	if (text === undefined) return
	const octets = classOctets(text)
	if (octets.length <= maximumValueLength) writeOctets(writer, attribute.class, octets)
}

/** SDX-Service-Name [26-49]. */
function writeServiceName(writer: Writer, service: string | undefined): void {
	if (service === undefined) return
	const octets = new Uint8Array(maximumValueLength)
	const { written } = new TextEncoder().encodeInto(service, octets.subarray(6))
	writeUint32(vendor.juniperErx, octets, 0)
	octets[4] = erx.sdxServiceName
	octets[5] = written + 2
	writeOctets(writer, attribute.vendorSpecific, octets.subarray(0, 6 + written))
}

function writeOctets(writer: Writer, type: number, octets: Uint8Array): void {
	writer.at = appendAttribute(writer.bytes, writer.at, type, octets, 0, octets.length)
}
