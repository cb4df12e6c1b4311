/**
 * A recorded event as EventStoreDB holds it, and back. Type and data are the event's own; metadata
 * has what is needed to put it back in its place: journal, position, version and time.
 */
import { hash } from 'node:crypto'
import { isLeft } from 'fp-ts/lib/Either.js'
import * as t from 'io-ts'
import { catalogue, type EventType, virtualRouterOf } from '../../domain/event.ts'
import type { PlacedEvent } from '../../domain/upcast.ts'

export type Proposal = {
	readonly id: string
	readonly type: string
	readonly contentType: 'application/json'
	readonly data: Record<string, unknown>
	readonly metadata: Record<string, unknown>
}

/** RFC 9562 §4: a journal's id. It names a folder where the event is kept, so it may be nothing else. */
const journalId = t.refinement(t.string, text =>
	/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(text),
)
const position = t.refinement(t.number, number => Number.isSafeInteger(number) && number > 0)

const sharedStream = t.refinement(t.string, text => text.startsWith('relay-'))

const metadata = t.intersection([
	t.type({
		journal: journalId,
		position,
		v: t.number,
		/** Milliseconds since 1970-01-01 UTC. */
		at: t.number,
	}),
	/** The journal's stream, where the copy keeps the event in another one. */
	t.partial({ stream: sharedStream }),
])

/** Streams that a relay's events are in, by the beginning of their names. */
export const streamPrefixes = ['subscriber-', 'wap-', 'relay-', 'aside-'] as const

/** A MAC in any of its spellings. */
const macText = /(?:[0-9a-f]{2}[-:]){5}[0-9a-f]{2}|(?:[0-9a-f]{4}\.){2}[0-9a-f]{4}|[0-9a-f]{12}/i

/**
 * The stream in which the copy keeps an event: the journal's, except for what names a person among
 * events of the relay. EventStoreDB forgets no single event, only what a stream begins with, so
 * each of these has a stream of its own.
 */
export function copyStreamOf(event: PlacedEvent): string {
	const { stream, type, data, position } = event
	if (!stream.startsWith('relay-') || !mayName(type, data)) return stream
	return asideStream(stream, position)
}

export function asideStream(stream: string, position: number): string {
	return `aside-${virtualRouterOf(stream)}.${position}`
}

function mayName(type: string, data: unknown): boolean {
	// Its pseudonym looks like a MAC.
	if (type === 'SubscriberErased') return false
	const known = catalogue[type as EventType]
	return known === undefined || known.personal.length > 0 || macText.test(JSON.stringify(data))
}

/**
 * The event's id: RFC 9562 §5.5 (UUIDv5) with the journal's id as name space and the position as
 * name. The same event always gets the same id, so that sending it again does no harm.
 */
export function eventId(journal: string, position: number | string): string {
	const space = Buffer.from(journal.replaceAll('-', ''), 'hex')
	const digest = hash('sha1', Buffer.concat([space, Buffer.from(String(position))]), 'buffer')
	digest[6] = (digest[6]! & 0x0f) | 0x50
	digest[8] = (digest[8]! & 0x3f) | 0x80
	const digits = digest.toString('hex', 0, 16)
	return `${digits.slice(0, 8)}-${digits.slice(8, 12)}-${digits.slice(12, 16)}-${digits.slice(16, 20)}-${digits.slice(20)}`
}

export function proposalOf(
	journal: string,
	event: PlacedEvent,
	isAside = copyStreamOf(event) !== event.stream,
): Proposal {
	const { position, type, v, at } = event
	const data = event.data as Record<string, unknown>
	const id = eventId(journal, position)
	// Everything about one exchange names the event that opened it, which is also its cause.
	const opened = data['exchange']
	const cause = typeof opened === 'number' && opened !== position ? eventId(journal, opened) : id
	const causation = cause === id ? {} : { $causationId: cause }
	const home = isAside ? { stream: event.stream } : {}
	return {
		id,
		type,
		contentType: 'application/json',
		data,
		metadata: { $correlationId: cause, ...causation, journal, position, v, at, ...home },
	}
}

/** What the client hands out of an event that was read. */
export type ReadEvent = {
	readonly streamId: string
	readonly id: string
	readonly revision: bigint
	readonly type: string
	readonly data: unknown
	readonly metadata?: unknown
}

export type Mirrored = { readonly journal: string; readonly event: PlacedEvent }

/** Undefined where it was not a relay that wrote the event. */
export function mirroredEvent({ streamId, type, data, metadata: found }: ReadEvent) {
	const checked = metadata.decode(found)
	if (isLeft(checked) || typeof data !== 'object' || data === null) return undefined
	const { journal, position, v, at, stream = streamId } = checked.right
	const mirrored: Mirrored = { journal, event: { position, stream, type, v, at, data } }
	return mirrored
}

/**
 * Takes the place of a stream's events that were erased: a database keeps the newest event of each
 * stream for ever, and this one says nothing of anybody.
 */
const erasedMark = 'StreamErased'

export function erasedMarkOf(journal: string): Proposal {
	return {
		id: crypto.randomUUID(),
		type: erasedMark,
		contentType: 'application/json',
		data: {},
		metadata: { journal },
	}
}

export function isErasedMark({ type, metadata: found }: ReadEvent): boolean {
	return type === erasedMark && t.type({ journal: journalId }).is(found)
}
