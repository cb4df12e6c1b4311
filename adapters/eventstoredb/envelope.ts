/**
 * A recorded event as EventStoreDB holds it, and back. Type and data are the event's own; metadata
 * has what is needed to put it back in its place: journal, position, version and time.
 */
import { hash } from 'node:crypto'
import { isLeft } from 'fp-ts/lib/Either.js'
import * as t from 'io-ts'
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

const metadata = t.type({
	journal: journalId,
	position,
	v: t.number,
	/** Milliseconds since 1970-01-01 UTC. */
	at: t.number,
})

/** Streams that a relay's events are in, by the beginning of their names. */
export const streamPrefixes = ['subscriber-', 'wap-', 'relay-'] as const

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

export function proposalOf(journal: string, event: PlacedEvent): Proposal {
	const { position, type, v, at } = event
	const data = event.data as Record<string, unknown>
	const id = eventId(journal, position)
	// Everything about one exchange names the event that opened it, which is also its cause.
	const opened = data['exchange']
	const cause = typeof opened === 'number' && opened !== position ? eventId(journal, opened) : id
	const causation = cause === id ? {} : { $causationId: cause }
	return {
		id,
		type,
		contentType: 'application/json',
		data,
		metadata: { $correlationId: cause, ...causation, journal, position, v, at },
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
	const { journal, position, v, at } = checked.right
	const mirrored: Mirrored = { journal, event: { position, stream: streamId, type, v, at, data } }
	return mirrored
}
