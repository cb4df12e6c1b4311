/** What access points ask: the attributes of 802.1X over RADIUS (RFC 3580) and of its accounting. */
import { parseIpv4 } from '../../domain/address.ts'
import { attribute } from '../../domain/radius/attribute.ts'
import { chapResponse } from '../../domain/radius/chap.ts'
import { hideUserPassword } from '../../domain/radius/hidden.ts'
import { codes } from '../../domain/radius/packet.ts'
import type { AccessPoint, BuildRequest } from './access-points.ts'
import {
	addNumber,
	addOctets,
	addText,
	authenticatorOf,
	type Message,
	newMessage,
	signedRequest,
} from './message.ts'
import type { Subscriber } from './subscribers.ts'

/** Attributes that the relay itself never looks at (RFC 2865 §5.12, §5.41; RFC 2866 §5.6). */
const framedMtu = 12
const nasPortType = { number: 61, wireless80211: 19 } as const
const acctAuthentic = { number: 45, radius: 1 } as const

/** RFC 2866 §5.1, §5.10. */
export const acctStatus = { start: 1, stop: 2, interim: 3, on: 7, off: 8 } as const
export const terminateCause = { userRequest: 1, lostCarrier: 2 } as const

/** An EAP packet in an Access-Request; `state` as the challenge had it. */
export function eapRequest(
	point: AccessPoint,
	subscriber: Subscriber,
	eap: Uint8Array,
	state: Uint8Array | undefined,
): BuildRequest {
	return (identifier, key) => {
		const message = accessRequest(point, subscriber, identifier)
		addNumber(message, framedMtu, 1400)
		addOctets(message, attribute.eapMessage, eap)
		if (state !== undefined) addOctets(message, attribute.state, state)
		return signedRequest(message, key)
	}
}

export function papRequest(
	point: AccessPoint,
	subscriber: Subscriber,
	password: string,
): BuildRequest {
	return (identifier, key) => {
		const message = accessRequest(point, subscriber, identifier)
		const hidden = hideUserPassword(Buffer.from(password), key, authenticatorOf(message.bytes))
		addOctets(message, attribute.userPassword, hidden)
		return signedRequest(message, key)
	}
}

/** The challenge is the Request Authenticator, which the relay has to replace by CHAP-Challenge. */
export function chapRequest(
	point: AccessPoint,
	subscriber: Subscriber,
	password: string,
): BuildRequest {
	return (identifier, key) => {
		const message = accessRequest(point, subscriber, identifier)
		const challenge = authenticatorOf(message.bytes)
		const response = chapResponse(identifier, Buffer.from(password), challenge)
		addOctets(message, attribute.chapPassword, Uint8Array.of(identifier, ...response))
		return signedRequest(message, key)
	}
}

function accessRequest(point: AccessPoint, subscriber: Subscriber, identifier: number): Message {
	const message = newMessage(codes.accessRequest, identifier, true)
	addStation(message, point, subscriber)
	return message
}

function addStation(message: Message, point: AccessPoint, subscriber: Subscriber): void {
	addText(message, attribute.userName, subscriber.name)
	addText(message, attribute.callingStationId, point.spell(subscriber.mac))
	addAccessPoint(message, point)
	addNumber(message, nasPortType.number, nasPortType.wireless80211)
}

function addAccessPoint(message: Message, point: AccessPoint): void {
	addText(message, attribute.calledStationId, point.calledStation)
	addNumber(message, attribute.nasIpAddress, parseIpv4(point.address)!)
	addText(message, attribute.nasIdentifier, point.name)
}

/** A session as its access point accounts for it. */
export type Accounting = {
	readonly session: string
	/** The same wherever the subscriber roams to. */
	readonly multiSession: string
	/** What the Access-Accept brought (RFC 2865 §5.25). */
	readonly class: Uint8Array | undefined
	readonly startedAt: number
	inputOctets: number
	outputOctets: number
}

/** Start, Interim-Update or Stop; `cause` of a Stop is its Acct-Terminate-Cause. */
export function accountingRequest(
	point: AccessPoint,
	subscriber: Subscriber,
	status: number,
	accounting: Accounting,
	cause?: number,
): BuildRequest {
	return (identifier, key) => {
		const message = newMessage(codes.accountingRequest, identifier, false)
		addNumber(message, attribute.acctStatusType, status)
		addStation(message, point, subscriber)
		addText(message, attribute.acctSessionId, accounting.session)
		addText(message, attribute.acctMultiSessionId, accounting.multiSession)
		addNumber(message, acctAuthentic.number, acctAuthentic.radius)
		if (accounting.class !== undefined) addOctets(message, attribute.class, accounting.class)
		if (status !== acctStatus.start) addUsage(message, accounting)
		if (cause !== undefined) addNumber(message, attribute.acctTerminateCause, cause)
		return signedRequest(message, key)
	}
}

function addUsage(message: Message, accounting: Accounting): void {
	const { inputOctets, outputOctets, startedAt } = accounting
	addNumber(message, attribute.acctSessionTime, Math.floor((Date.now() - startedAt) / 1000))
	addNumber(message, attribute.acctInputOctets, inputOctets % 2 ** 32)
	addNumber(message, attribute.acctInputGigawords, Math.floor(inputOctets / 2 ** 32))
	addNumber(message, attribute.acctOutputOctets, outputOctets % 2 ** 32)
	addNumber(message, attribute.acctOutputGigawords, Math.floor(outputOctets / 2 ** 32))
	addNumber(message, attribute.acctInputPackets, Math.ceil(inputOctets / 700))
	addNumber(message, attribute.acctOutputPackets, Math.ceil(outputOctets / 1100))
}

/** Accounting-On or -Off: it concerns the whole access point (RFC 2866 §5.1). */
export function accessPointRequest(point: AccessPoint, status: number): BuildRequest {
	return (identifier, key) => {
		const message = newMessage(codes.accountingRequest, identifier, false)
		addNumber(message, attribute.acctStatusType, status)
		addAccessPoint(message, point)
		// RFC 2866 §5.5: every Accounting-Request has one, even where there is no session.
		addText(message, attribute.acctSessionId, '00000000')
		return signedRequest(message, key)
	}
}

export function statusServerRequest(): BuildRequest {
	return (identifier, key) => signedRequest(newMessage(codes.statusServer, identifier, true), key)
}
