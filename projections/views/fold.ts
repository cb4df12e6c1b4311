/** Folds events into the rows of the read models: each event's part in every table. */
import { catalogue, type RecordedEvent } from '../../domain/event.ts'
import { shadowPool } from '../../domain/lease-state.ts'
import type { ViewChanges, ViewLookup } from '../../domain/view.ts'
import { accounted, srcSessionClosed, srcSessionOpened } from './accounting.ts'
import { accessRequested, attemptAnswered } from './attempts.ts'
import {
	changesOf,
	committed,
	type Folding,
	insert,
	newFolding,
	type Subscriber,
	subscriberOf,
} from './folding.ts'
import { leaseEnded, leaseGranted, leaseOffered, leaseRenewed, poolSelected } from './leases.ts'
import { countInMinute } from './minutes.ts'
import { relayEvent } from './network-tables.ts'
import { sessionAccepted, sessionEnded, sessionHeard, sessionStarted } from './sessions.ts'

export type ViewFolding = {
	/** Folds the next event. What it changes waits in memory for the commit. */
	fold(event: RecordedEvent): void
	/** What the next commit has to write. */
	changes(): ViewChanges
	/** Tells that all changes are written, together with the position of the last event. */
	committed(): void
}

/** Folds on from what the database has; `lookup` finds rows there. `isNew`: it has none yet. */
export function foldViews(lookup: ViewLookup, isNew = false): ViewFolding {
	const folding = newFolding(lookup, isNew)
	return {
		fold: event => foldEvent(folding, event),
		changes: () => changesOf(folding),
		committed: () => committed(folding),
	}
}

function foldEvent(folding: Folding, event: RecordedEvent): void {
	const { position, at, stream } = event
	const minute = countInMinute(folding, event)
	if (!stream.startsWith('subscriber-')) {
		foldRelayEvent(folding, event)
		return
	}
	const subscriber = subscriberOf(folding, stream, position, at)
	const before = subscriber.session
	foldSubscriberEvent(folding, subscriber, event)
	if (subscriber.session !== undefined && subscriber.session !== before) minute.sessions_begun++
}

function foldSubscriberEvent(folding: Folding, of: Subscriber, event: RecordedEvent): void {
	const { position, at } = event
	switch (event.type) {
		case 'AccessRequested':
			accessRequested(folding, of, position, at, event.data)
			return
		case 'AccessChallenged':
			attemptAnswered(folding, of, position, at, 'challenged', event.data)
			return
		case 'AccessAccepted': {
			const attempt = attemptAnswered(folding, of, position, at, 'accepted', event.data)
			sessionAccepted(folding, of, position, at, event.data, attempt)
			return
		}
		case 'AccessRejected': {
			const attempt = attemptAnswered(folding, of, position, at, 'rejected', event.data)
			if (attempt !== undefined) attempt.reason = event.data.replyMessage ?? null
			return
		}
		case 'AccessUnanswered': {
			const attempt = attemptAnswered(folding, of, position, at, 'unanswered', event.data)
			if (attempt !== undefined) attempt.reason = event.data.reason
			return
		}
		case 'AccountingStarted':
			sessionStarted(folding, of, position, at, event.data)
			accounted(folding, of, position, at, 'start', event.data)
			return
		case 'AccountingUpdated':
			sessionHeard(folding, of, at, event.data, false)
			accounted(folding, of, position, at, 'interim', event.data)
			return
		case 'AccountingStopped':
			sessionHeard(folding, of, at, event.data, true)
			accounted(folding, of, position, at, 'stop', event.data)
			return
		case 'SubscriberTerminated':
			sessionEnded(folding, of, position, at, event.data.cause)
			return
		case 'PoolSelected':
			poolSelected(folding, of, position, at, event.data)
			return
		case 'LeaseOffered':
			leaseOffered(folding, of, position, at, event.data)
			return
		case 'LeaseGranted':
			leaseGranted(folding, of, position, at, event.data)
			return
		case 'LeaseRenewed':
			leaseRenewed(folding, of, position, at, event.data)
			return
		case 'LeaseObserved': {
			const data = { ...event.data, pool: shadowPool }
			if (event.data.renewed) leaseRenewed(folding, of, position, at, data)
			else leaseGranted(folding, of, position, at, data)
			return
		}
		case 'LeaseDeclined':
			leaseEnded(folding, of, position, at, event.data, 'declined', event.data.until)
			return
		case 'LeaseReleased':
			leaseEnded(folding, of, position, at, event.data, event.data.cause, event.data.heldUntil)
			return
		case 'LeaseExpired':
			leaseEnded(folding, of, position, at, event.data, 'expired', event.data.heldUntil)
			return
		case 'SrcSessionOpened':
			srcSessionOpened(folding, of, position, at, event.data)
			return
		case 'SrcSessionClosed':
			srcSessionClosed(folding, of, position, at, event.data)
			return
		// These are counted by the minute, and read in the journal.
		case 'AccountingAnswered':
		case 'AccountingUnanswered':
		case 'LeaseRefused':
		case 'PoolRequested':
		case 'SrcServerChanged':
		case 'SrcAnswersDiscarded':
		case 'DisconnectRequested':
		case 'DisconnectAnswered':
		case 'DynamicRequestsDiscarded':
		case 'DisconnectAnswersDiscarded':
		case 'AccountingTurnedOn':
		case 'AccountingTurnedOff':
		case 'PoolWarningChanged':
		case 'DhcpDiscarded':
		case 'DhcpForwarded':
		case 'ClockStepped':
		case 'RelayStarted':
		case 'RelayStopped':
		case 'SubscriberErased':
		case 'RetentionApplied':
		case 'ConfigurationChanged':
		case 'BaselineSet':
		case 'UpstreamChanged':
		case 'MessageAuthenticatorSeen':
		case 'RequestsDiscarded':
		case 'AnswersRepeated':
		case 'ResponsesDiscarded':
			return
		default:
			event satisfies never
	}
}

/** What is gathered and counted tells nothing by itself, and nothing about persons is kept here. */
function foldRelayEvent(folding: Folding, event: RecordedEvent): void {
	const { position, at, stream, type, data } = event
	if ('count' in data || 'exchange' in data || catalogue[type].personal.length > 0) return
	insert(folding, relayEvent, {
		id: position,
		virtual_router: folding.virtualRouterOf(stream),
		at,
		type,
		data: JSON.stringify(data),
	})
}
