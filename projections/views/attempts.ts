/** Folds requests and answers into attempts: an EAP conversation of many rounds is one attempt. */
import type { EventData } from '../../domain/event.ts'
import { type Folding, insert, keepPending, type Subscriber, touch } from './folding.ts'
import { type AttemptRow, attempt } from './subscriber-tables.ts'

/** A challenged subscriber who asks again later than this begins another attempt. */
const pauseMsMax = 60_000

type Requested = EventData<'AccessRequested'>

export function accessRequested(
	folding: Folding,
	subscriber: Subscriber,
	position: number,
	at: number,
	data: Requested,
): void {
	const { row } = subscriber
	row.wap = data.wap
	row.ssid = data.ssid ?? null
	row.user = data.user ?? row.user
	const latest = latestAttempt(folding, subscriber)
	if (latest !== undefined && continues(latest, at, data)) {
		latest.rounds++
		latest.exchange = position
		latest.outcome = null
		latest.server = data.server === '' ? latest.server : data.server
		touch(folding, attempt, latest)
		keepPending(subscriber, position, latest)
		return
	}
	const begun = insert(folding, attempt, newAttempt(row.virtual_router, position, at, data))
	row.attempt = position
	subscriber.latest = begun
	keepPending(subscriber, position, begun)
}

function newAttempt(
	virtualRouter: string,
	position: number,
	at: number,
	data: Requested,
): AttemptRow {
	return {
		id: position,
		virtual_router: virtualRouter,
		mac: data.mac,
		began_at: at,
		wap: data.wap,
		ssid: data.ssid ?? null,
		client: data.client,
		user: data.user ?? null,
		reauthentication: data.reauthentication === true ? 1 : 0,
		rounds: 1,
		exchange: position,
		outcome: null,
		reason: null,
		server: data.server === '' ? null : data.server,
		server_us: 0,
		transmissions: 0,
		ended_at: null,
		end_position: null,
		duration_ms: null,
		session: null,
	}
}

function continues(latest: AttemptRow, at: number, data: Requested): boolean {
	if (latest.outcome !== 'challenged' || latest.ended_at === null) return false
	if (latest.client !== data.client || latest.wap !== data.wap) return false
	return Math.abs(at - latest.ended_at) <= pauseMsMax
}

function latestAttempt(folding: Folding, subscriber: Subscriber): AttemptRow | undefined {
	if (subscriber.latest !== undefined || subscriber.row.attempt === null) return subscriber.latest
	const [row] = folding.lookup('attempt', subscriber.row.attempt)
	subscriber.latest = row as AttemptRow | undefined
	return subscriber.latest
}

type Answer = {
	readonly exchange: number
	readonly tries?: EventData<'AccessUnanswered'>['tries']
	readonly server?: string
	readonly roundTripUs?: number
}

/** Notes an answer, or that there is none. Undefined where the request is not in the journal. */
export function attemptAnswered(
	folding: Folding,
	subscriber: Subscriber,
	position: number,
	at: number,
	outcome: 'accepted' | 'rejected' | 'challenged' | 'unanswered',
	data: Answer,
): AttemptRow | undefined {
	const found = pendingAttempt(folding, subscriber, data.exchange)
	if (found === undefined) return undefined
	found.outcome = outcome
	found.server = data.server ?? found.server
	found.server_us += data.roundTripUs ?? 0
	found.transmissions += transmissionsOf(data)
	found.ended_at = at
	found.end_position = position
	found.duration_ms = at - found.began_at
	touch(folding, attempt, found)
	return found
}

function pendingAttempt(
	folding: Folding,
	subscriber: Subscriber,
	exchange: number,
): AttemptRow | undefined {
	const known = subscriber.pending?.get(exchange) ?? latestAttempt(folding, subscriber)
	if (known?.exchange === exchange) return known
	// Another request came before this one was answered: two attempts at once.
	const { mac, virtual_router: virtualRouter } = subscriber.row
	const [row] = folding.lookup('attempt-by-exchange', mac, virtualRouter, exchange)
	const found = row as AttemptRow | undefined
	if (found === undefined || found.id === known?.id) return undefined
	keepPending(subscriber, exchange, found)
	return found
}

function transmissionsOf({ tries, server }: Answer): number {
	if (tries === undefined) return server === undefined ? 0 : 1
	let sum = 0
	for (const [, transmissions] of tries) sum += transmissions
	return sum
}
