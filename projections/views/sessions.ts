/**
 * Folds sessions and their visits at WAPs, by the rules of `domain/session-table.ts`; what is ended
 * keeps its row.
 */
import type { EventData } from '../../domain/event.ts'
import { closeAccounting } from './accounting.ts'
import { type Folding, insert, keepEnded, type Subscriber, touch } from './folding.ts'
import { type AttemptRow, type SessionRow, session, sessionWap } from './subscriber-tables.ts'

/** Begins a session, or notes the reauthentication of the live one. */
export function sessionAccepted(
	folding: Folding,
	subscriber: Subscriber,
	position: number,
	at: number,
	data: EventData<'AccessAccepted'>,
	attempt: AttemptRow | undefined,
): void {
	subscriber.row.user = data.user ?? subscriber.row.user
	const live = subscriber.session
	if (live !== undefined) {
		live.attempts++
		touch(folding, session, live)
		move(folding, subscriber, live, position, at, data)
	} else {
		begin(folding, subscriber, position, at, {
			...data,
			by: 'access',
			ssid: data.ssid ?? attempt?.ssid ?? undefined,
		})
	}
	if (attempt === undefined) return
	attempt.session = subscriber.session?.id ?? null
	attempt.user = data.user ?? attempt.user
}

/** An Accounting-Start: names the session, moves it, or begins it. */
export function sessionStarted(
	folding: Folding,
	subscriber: Subscriber,
	position: number,
	at: number,
	data: EventData<'AccountingStarted'>,
): void {
	noteStation(subscriber, data)
	if (data.late) return
	const live =
		subscriber.session ?? begin(folding, subscriber, position, at, { ...data, by: 'accounting' })
	identify(live, data)
	live.user ??= data.user ?? null
	move(folding, subscriber, live, position, at, data)
	live.heard_at = at
	touch(folding, session, live)
}

/** An Interim-Update or a Stop. */
export function sessionHeard(
	folding: Folding,
	subscriber: Subscriber,
	at: number,
	data: EventData<'AccountingUpdated'>,
	isStop: boolean,
): void {
	noteStation(subscriber, data)
	const live = subscriber.session
	if (live === undefined || isStop) return
	live.heard_at = at
	if (live.wap === data.wap && live.accounting_wap !== data.wap) identify(live, data)
	touch(folding, session, live)
}

export function sessionEnded(
	folding: Folding,
	subscriber: Subscriber,
	position: number,
	at: number,
	cause: string,
): void {
	const live = subscriber.session
	if (live === undefined) return
	live.ended_at = at
	live.end_position = position
	live.cause = cause
	touch(folding, session, live)
	leave(folding, subscriber, live, position, at)
	closeAccounting(folding, subscriber, live, at)
	keepEnded(subscriber, live)
	subscriber.session = undefined
	subscriber.row.session = null
}

type Place = { readonly wap: string; readonly client: string }
type Beginning = Place & {
	readonly by: 'access' | 'accounting'
	readonly mac: string
	readonly ssid?: string | undefined
	readonly user?: string
	readonly class?: string
	readonly serviceBundle?: string
	readonly server: string
	readonly framedAddress?: string
}

function begin(
	folding: Folding,
	subscriber: Subscriber,
	position: number,
	at: number,
	data: Beginning,
): SessionRow {
	const row: SessionRow = {
		id: position,
		virtual_router: subscriber.row.virtual_router,
		mac: data.mac,
		began_at: at,
		began_by: data.by,
		ended_at: null,
		end_position: null,
		cause: null,
		user: data.user ?? null,
		wap: data.wap,
		ssid: data.ssid ?? null,
		client: data.client,
		waps: 0,
		attempts: data.by === 'access' ? 1 : 0,
		class: data.class ?? null,
		service_bundle: data.serviceBundle ?? null,
		server: data.by === 'access' ? data.server : null,
		accounting_session: null,
		multi_session: null,
		accounting_wap: null,
		framed_address: data.framedAddress ?? null,
		address: null,
		pool: null,
		heard_at: at,
		input_octets: 0,
		output_octets: 0,
		input_packets: 0,
		output_packets: 0,
	}
	insert(folding, session, row)
	subscriber.session = row
	subscriber.row.session = position
	arrive(folding, subscriber, row, position, at, data)
	return row
}

function identify(live: SessionRow, data: EventData<'AccountingStarted'>): void {
	live.accounting_session = data.session ?? null
	live.multi_session = data.multiSession ?? null
	live.accounting_wap = data.wap
}

function noteStation({ row }: Subscriber, data: EventData<'AccountingStarted'>): void {
	row.wap = data.wap
	row.ssid = data.ssid ?? row.ssid
	row.user = data.user ?? row.user
}

function move(
	folding: Folding,
	subscriber: Subscriber,
	live: SessionRow,
	position: number,
	at: number,
	to: Place,
): void {
	subscriber.row.wap = to.wap
	if (live.wap === to.wap) return
	leave(folding, subscriber, live, position, at)
	arrive(folding, subscriber, live, position, at, to)
	live.wap = to.wap
	live.client = to.client
	touch(folding, session, live)
}

function arrive(
	folding: Folding,
	subscriber: Subscriber,
	live: SessionRow,
	position: number,
	at: number,
	{ wap, client }: Place,
): void {
	live.waps++
	subscriber.row.wap = wap
	subscriber.visit = insert(folding, sessionWap, {
		id: position,
		session: live.id,
		virtual_router: live.virtual_router,
		mac: live.mac,
		wap,
		client,
		from_at: at,
		to_at: null,
		to_position: null,
	})
}

function leave(
	folding: Folding,
	subscriber: Subscriber,
	live: SessionRow,
	position: number,
	at: number,
): void {
	const found = subscriber.visit ?? folding.lookup('visit', live.id)[0]
	subscriber.visit = undefined
	if (found === undefined) return
	found['to_at'] = at
	found['to_position'] = position
	touch(folding, sessionWap, found)
}
