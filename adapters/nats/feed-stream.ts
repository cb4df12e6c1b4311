/** The JetStream streams of the event feed: their names, their making, and what their last message tells. */
import { setTimeout as sleep } from 'node:timers/promises'
import {
	type JetStreamManager,
	type Msg,
	RetentionPolicy,
	StorageType,
	type StreamInfo,
} from 'nats'
import { subjectToken } from '../../domain/sae/protocol.ts'
import type { PlacedEvent } from '../../domain/upcast.ts'

/** Error codes of JetStream. */
const streamNotFound = 10059
const messageNotFound = 10037
/** The stream's last message is another one. */
const wrongLastSequence = 10071

/** Nothing in a stream's name may be `.`, `*`, `>`, a blank or a separator of paths. */
export function streamName(router: string): string {
	return `radledger-event-${subjectToken(router)}`
}

/**
 * `Nats-Msg-Id`: a message that comes twice within the server's window is stored once. `again`: an
 * id of its own, for a message that the server wrongly takes for one that it has.
 */
export function messageId(journal: string, position: number, again: boolean): string {
	return `${journal}:${position}${again ? againMark : ''}`
}

const againMark = ':again'

/** The position in an id of that journal; undefined in any other text. */
export function positionIn(journal: string, id: string): number | undefined {
	if (!id.startsWith(`${journal}:`)) return undefined
	const position = Number(id.slice(journal.length + 1).replace(againMark, ''))
	return Number.isSafeInteger(position) && position > 0 ? position : undefined
}

/** A stream for a subject: made where it is missing, with 3 copies, or 1 where there is no cluster. */
export async function ensureStream(
	manager: JetStreamManager,
	name: string,
	subject: string,
	replicas: number | undefined,
): Promise<StreamInfo> {
	try {
		return await manager.streams.info(name)
	} catch (error) {
		if (errorCode(error) !== streamNotFound) throw error
	}
	const copies = replicas === undefined ? [3, 1] : [replicas]
	for (const [index, count] of copies.entries()) {
		try {
			return await manager.streams.add({
				name,
				subjects: [subject],
				retention: RetentionPolicy.Limits,
				storage: StorageType.File,
				num_replicas: count,
			})
		} catch (error) {
			// A server alone, or a cluster that is too small, keeps one copy.
			if (index === copies.length - 1) throw error
		}
	}
	throw new Error(`the stream ${name} could not be made`)
}

/** `Nats-Msg-Id` of the last message, empty where it has none; undefined where the message is gone. */
export async function lastMessage(
	manager: JetStreamManager,
	name: string,
	sequence: number,
): Promise<string | undefined> {
	for (let attempt = 0; ; attempt++) {
		try {
			const { header } = await manager.streams.getMessage(name, { seq: sequence })
			return header.get('Nats-Msg-Id')
		} catch (error) {
			if (errorCode(error) === messageNotFound) return undefined
			// A stream that has just got a leader may not answer the first time.
			if (attempt === 2) throw error
			await sleep(200)
		}
	}
}

function errorCode(error: unknown): number | undefined {
	const { api_error: api } = error as { api_error?: { err_code?: number } }
	return api?.err_code
}

/** More than the headers of a message ever have; the server counts them, too. */
const headerOctets = 512

/** An event as a message of at most so many octets. Throws a sentence where it is larger. */
export function payloadOf(event: PlacedEvent, octetsMax = Number.POSITIVE_INFINITY): Uint8Array {
	const payload = new TextEncoder().encode(JSON.stringify(event))
	if (payload.length + headerOctets <= octetsMax) return payload
	throw new Error(
		`event ${event.position} is a ${event.type} of ${payload.length} octets, and this NATS server takes messages of ${octetsMax}; raise its setting max_payload, and the feed goes on`,
	)
}

const noResponders = 503

/** Why a message was not taken; undefined: it was. */
export function refusalOf(message: Msg): Error | undefined {
	if (message.headers?.code === noResponders) return new Error('the stream has no leader')
	const { error } = message.json<{ error?: { err_code: number; description: string } }>()
	if (error === undefined) return undefined
	if (error.err_code !== wrongLastSequence) return new Error(error.description)
	return new Error('a message was lost or is there already: the feed looks again')
}
