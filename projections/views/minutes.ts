/** Folds every event into the counts of its minute. */
import type { EventType, RecordedEvent } from '../../domain/event.ts'
import { type Folding, insert, touch } from './folding.ts'
import { type MinuteRow, minute } from './network-tables.ts'

type Count = Exclude<
	keyof MinuteRow,
	'at' | 'virtual_router' | 'first_position' | 'events' | 'server_us' | 'server_us_max'
>

/** The column that an event of this type counts in, by one or by its own count; null: in none. */
const columns: Readonly<Record<EventType, Count | null>> = {
	AccessRequested: 'access_requests',
	AccessChallenged: 'access_challenges',
	AccessAccepted: 'access_accepts',
	AccessRejected: 'access_rejects',
	AccessUnanswered: 'access_unanswered',
	AccountingStarted: 'accounting_starts',
	AccountingUpdated: 'accounting_interims',
	AccountingStopped: 'accounting_stops',
	AccountingTurnedOn: 'accounting_others',
	AccountingTurnedOff: 'accounting_others',
	AccountingAnswered: 'accounting_responses',
	AccountingUnanswered: 'accounting_unanswered',
	SubscriberTerminated: 'sessions_ended',
	DisconnectRequested: 'disconnects',
	DisconnectAnswered: null,
	DynamicRequestsDiscarded: 'requests_discarded',
	DisconnectAnswersDiscarded: 'responses_discarded',
	PoolRequested: 'pools_requested',
	PoolSelected: 'pools_selected',
	LeaseOffered: 'leases_offered',
	LeaseGranted: 'leases_granted',
	LeaseRenewed: 'leases_renewed',
	/** `leases_renewed` where it is a renewal. */
	LeaseObserved: 'leases_granted',
	LeaseRefused: 'leases_refused',
	LeaseDeclined: 'leases_ended',
	LeaseReleased: 'leases_ended',
	LeaseExpired: 'leases_ended',
	PoolWarningChanged: null,
	DhcpDiscarded: null,
	DhcpForwarded: null,
	ClockStepped: null,
	RelayStarted: null,
	RelayStopped: null,
	SubscriberErased: null,
	RetentionApplied: null,
	ConfigurationChanged: null,
	BaselineSet: null,
	UpstreamChanged: null,
	MessageAuthenticatorSeen: null,
	RequestsDiscarded: 'requests_discarded',
	AnswersRepeated: 'answers_repeated',
	ResponsesDiscarded: 'responses_discarded',
	SrcSessionOpened: 'src_opened',
	SrcSessionClosed: 'src_closed',
	SrcServerChanged: null,
	SrcAnswersDiscarded: 'responses_discarded',
}

const minuteMs = 60_000

export function countInMinute(folding: Folding, event: RecordedEvent): MinuteRow {
	const row = minuteOf(folding, event)
	row.events++
	const { data } = event
	const column = 'renewed' in data ? 'leases_renewed' : columns[event.type]
	if (column !== null) row[column] += 'count' in data ? data.count : 1
	if ('roundTripUs' in data) {
		row.server_answers++
		row.server_us += data.roundTripUs
		if (data.roundTripUs > row.server_us_max) row.server_us_max = data.roundTripUs
	}
	touch(folding, minute, row)
	return row
}

function minuteOf(folding: Folding, { position, at, stream }: RecordedEvent): MinuteRow {
	const begin = at - (((at % minuteMs) + minuteMs) % minuteMs)
	const virtualRouter = folding.virtualRouterOf(stream)
	const newest = folding.minute
	if (newest?.at === begin && newest.virtual_router === virtualRouter) return newest
	folding.minute = keptMinute(folding, begin, virtualRouter, position)
	return folding.minute
}

function keptMinute(
	folding: Folding,
	begin: number,
	virtualRouter: string,
	position: number,
): MinuteRow {
	const key = `${begin} ${virtualRouter}`
	const known = folding.minutes.get(key)
	if (known !== undefined) return known
	const [stored] = folding.lookup('minute', begin, virtualRouter)
	const row =
		(stored as MinuteRow | undefined) ??
		insert(folding, minute, newMinute(begin, virtualRouter, position))
	folding.minutes.set(key, row)
	return row
}

function newMinute(at: number, virtualRouter: string, position: number): MinuteRow {
	return {
		at,
		virtual_router: virtualRouter,
		first_position: position,
		events: 0,
		access_requests: 0,
		access_accepts: 0,
		access_rejects: 0,
		access_challenges: 0,
		access_unanswered: 0,
		accounting_starts: 0,
		accounting_interims: 0,
		accounting_stops: 0,
		accounting_others: 0,
		accounting_responses: 0,
		accounting_unanswered: 0,
		requests_discarded: 0,
		responses_discarded: 0,
		answers_repeated: 0,
		server_answers: 0,
		server_us: 0,
		server_us_max: 0,
		sessions_begun: 0,
		sessions_ended: 0,
		pools_requested: 0,
		pools_selected: 0,
		leases_offered: 0,
		leases_granted: 0,
		leases_renewed: 0,
		leases_refused: 0,
		leases_ended: 0,
		disconnects: 0,
		src_opened: 0,
		src_closed: 0,
	}
}
