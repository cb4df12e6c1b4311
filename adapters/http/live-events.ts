/**
 * Events as they are recorded, by Server-Sent Events. Nobody has a queue here: a consumer has a
 * position in the journal, from which it is given what it can take. One that takes nothing for too
 * long is let go, and counted; it may come back with the position that it has reached.
 */
import type { ServerResponse } from 'node:http'
import type { EventType, RecordedEvent } from '../../domain/event.ts'
import type { JournalReader } from '../../domain/journal.ts'
import { eventColumns } from './event-routes.ts'
import { type RawRow, shaped } from './route.ts'

export type LiveEventsSettings = {
	readonly journal: JournalReader
	/** Position of the newest event that is on disk. */
	readonly last: () => number
	/** Monotonic milliseconds. */
	readonly clock: () => number
	readonly consumersAtMost?: number
	/** A consumer that takes nothing for so long is let go. */
	readonly patienceMs?: number
	readonly onTrouble?: (error: unknown) => void
}

export type Subscription = {
	/** Position after which it begins. */
	readonly after: number
	readonly types: readonly EventType[] | undefined
	readonly stream: string | undefined
	/** Whether events may be left out when there are more than can be shown. */
	readonly gaps: boolean
}

export type LiveEvents = {
	/** False where there are as many consumers as may be. */
	hasRoom(): boolean
	/** Takes a response over whose head is written. */
	serve(subscription: Subscription, response: ServerResponse): void
	counts(): LiveEventsCounts
	close(): void
}

export type LiveEventsCounts = {
	readonly consumers: number
	/** Consumers that were let go because they were too slow, and events sent, since the start. */
	readonly dropped: number
	readonly sent: number
}

const pollMs = 50
const readAtOnce = 500
/** What is read for one consumer in one round: others get their turn, and packets the processor. */
const readsPerRound = 4
/** A consumer that allows gaps and is further behind than this goes on near the end. */
const gapFrom = 5_000
const gapTo = 200
/** So often a consumer is told where it stands, even if nothing happens that it asked for. */
const tellEveryMs = 5_000

type Consumer = {
	readonly subscription: Subscription
	readonly response: ServerResponse
	position: number
	/** When it was last told of its position, and since when it takes nothing; Infinity: it does. */
	toldAt: number
	blockedAt: number
}

export function openLiveEvents(settings: LiveEventsSettings): LiveEvents {
	const { journal, last, clock } = settings
	const { consumersAtMost = 64, patienceMs = 10_000 } = settings
	const consumers = new Set<Consumer>()
	let dropped = 0
	let sent = 0
	let timer: NodeJS.Timeout | undefined

	return {
		hasRoom: () => consumers.size < consumersAtMost,
		serve(subscription, response) {
			const consumer: Consumer = {
				subscription,
				response,
				position: subscription.after,
				toldAt: Number.NEGATIVE_INFINITY,
				blockedAt: Number.POSITIVE_INFINITY,
			}
			consumers.add(consumer)
			response.on('close', () => leave(consumer)).on('error', () => leave(consumer))
			response.on('drain', () => {
				consumer.blockedAt = Number.POSITIVE_INFINITY
			})
			write(consumer, 'retry: 2000\n\n')
			timer ??= setInterval(round, pollMs)
		},
		counts: () => ({ consumers: consumers.size, dropped, sent }),
		close() {
			for (const consumer of consumers) consumer.response.end()
			consumers.clear()
			clearInterval(timer)
		},
	}

	function leave(consumer: Consumer): void {
		consumers.delete(consumer)
		if (consumers.size > 0) return
		clearInterval(timer)
		timer = undefined
	}

	function round(): void {
		const newest = last()
		// Consumers at the end read the same events: they are read once.
		const slices = new Map<number, readonly RecordedEvent[]>()
		for (const consumer of consumers) {
			try {
				serveRound(consumer, newest, slices)
			} catch (error) {
				settings.onTrouble?.(error)
				consumer.response.destroy()
				leave(consumer)
			}
		}
	}

	function serveRound(
		consumer: Consumer,
		newest: number,
		slices: Map<number, readonly RecordedEvent[]>,
	): void {
		const now = clock()
		if (now - consumer.blockedAt > patienceMs) {
			dropped++
			consumer.response.destroy()
			leave(consumer)
			return
		}
		skipGap(consumer, newest)
		for (let reads = 0; reads < readsPerRound; reads++) {
			if (consumer.position >= newest || consumer.blockedAt !== Number.POSITIVE_INFINITY) break
			give(consumer, newest, slices)
		}
		if (now - consumer.toldAt < tellEveryMs || consumer.blockedAt !== Number.POSITIVE_INFINITY) {
			return
		}
		consumer.toldAt = now
		const { position } = consumer
		write(consumer, named('position', position, { position, last: newest }))
	}

	function skipGap(consumer: Consumer, newest: number): void {
		const from = consumer.position + 1
		if (!consumer.subscription.gaps || newest - consumer.position <= gapFrom) return
		consumer.position = newest - gapTo
		write(consumer, named('gap', consumer.position, { from, to: consumer.position }))
	}

	/** Sends what comes next and moves the position past all that was looked at. */
	function give(
		consumer: Consumer,
		newest: number,
		slices: Map<number, readonly RecordedEvent[]>,
	): void {
		const { stream, types } = consumer.subscription
		const next = consumer.position + 1
		const events =
			stream === undefined
				? (slices.get(next) ?? journal.read(next, Math.min(readAtOnce, newest - next + 1)))
				: journal.readStream(stream, next, readAtOnce)
		if (stream === undefined) slices.set(next, events)
		let text = ''
		let reached = stream !== undefined && events.length < readAtOnce ? newest : consumer.position
		for (const event of events) {
			if (event.position > newest) break
			reached = Math.max(reached, event.position)
			if (types !== undefined && !types.includes(event.type)) continue
			text += message(event)
			sent++
		}
		consumer.position = reached
		if (text !== '') write(consumer, text)
	}

	function write(consumer: Consumer, text: string): void {
		if (!consumer.response.write(text)) consumer.blockedAt = clock()
	}
}

/** JSON has no raw newline, so that each is one line of data. */
function message(event: RecordedEvent): string {
	const row = shaped(eventColumns, event as unknown as RawRow)
	return `id: ${event.position}\ndata: ${JSON.stringify(row)}\n\n`
}

function named(name: string, id: number, data: object): string {
	return `event: ${name}\nid: ${id}\ndata: ${JSON.stringify(data)}\n\n`
}
