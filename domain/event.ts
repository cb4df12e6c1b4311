/**
 * The catalogue of events: what can have happened, version by version. Events are facts, not
 * packets: MAC addresses are normalised (`02-00-00-00-00-01`), octet counts are joined to 64 bits
 * and written as decimal text, IPv4 addresses are dotted text. No secret and no password is ever
 * part of one. A journal holds every version that was ever written; `upcast` is the one place that
 * turns an old one into today's.
 */
import type * as t from 'io-ts'
import { dhcpEvents } from './event-dhcp.ts'
import { disconnectEvents } from './event-disconnect.ts'
import { radiusEvents } from './event-radius.ts'
import { relayEvents } from './event-relay.ts'
import { srcEvents } from './event-src.ts'

/**
 * Every event type: today's version, its data, and which of its fields identify a person
 * (erasure and retention build on that). `server` is empty where none could be chosen.
 */
export const catalogue = {
	...radiusEvents,
	...disconnectEvents,
	...srcEvents,
	...dhcpEvents,
	...relayEvents,
} as const

export type EventType = keyof typeof catalogue
export type EventData<T extends EventType> = t.TypeOf<(typeof catalogue)[T]['data']>

/** Names for what fields may say. */
export type AccountingStatus = EventData<'AccountingAnswered'>['status']
export type UnansweredReason = EventData<'AccessUnanswered'>['reason']
export type DiscardReason = EventData<'RequestsDiscarded'>['reason']
export type ResponseDiscardReason = EventData<'ResponsesDiscarded'>['reason']
export type DynamicRequest = EventData<'DisconnectRequested'>['request']
export type DynamicDiscardReason = EventData<'DynamicRequestsDiscarded'>['reason']
export type PoolSelector = EventData<'PoolSelected'>['by']

/** An event before it has a position. `at`: milliseconds since 1970-01-01 UTC. */
export type EventOf<T extends EventType> = {
	readonly stream: string
	readonly type: T
	readonly v: number
	readonly at: number
	readonly data: EventData<T>
}
export type NewEvent = { [T in EventType]: EventOf<T> }[EventType]

/** An event in the journal. Positions have no gaps and begin at 1. */
export type RecordedEvent = NewEvent & { readonly position: number }

/**
 * The stream that was named or asked for last, with its virtual router: an event is folded by several in
 * a row, right after its stream was made, and each of them asks.
 */
let latest = { stream: '', router: '' }

export function subscriberStream(virtualRouter: string, mac: string): string {
	const stream = `subscriber-${virtualRouter}.${mac}`
	latest = { stream, router: virtualRouter }
	return stream
}

export function wapStream(virtualRouter: string, calledStation: string): string {
	return `wap-${virtualRouter}.${calledStation}`
}

export function relayStream(virtualRouter: string): string {
	return `relay-${virtualRouter}`
}

/** The virtual router that a stream belongs to. */
export function virtualRouterOf(stream: string): string {
	if (stream !== latest.stream) latest = { stream, router: routerIn(stream) }
	return latest.router
}

function routerIn(stream: string): string {
	const begin = stream.indexOf('-') + 1
	if (stream.startsWith('relay-')) return stream.slice(begin)
	// Neither a normalised MAC nor a Called-Station-Id's MAC has a dot; a virtual router's name may.
	return stream.slice(begin, stream.lastIndexOf('.'))
}
