/**
 * The folded state: what the journal says, and nothing else. `evolve` is the only writer; folding
 * the journal from its first event gives the same state as living through it did. What belongs to a
 * packet in flight is not here but in `exchange.ts`.
 */
import { parseIpv4 } from './address.ts'
import { type NewEvent, virtualRouterOf } from './event.ts'
import { foldLease, type LeaseTable, newLeaseTable } from './lease-state.ts'
import { foldSrc, isSrcAccounting, newSrcTable, type SrcTable } from './sae/logins.ts'
import {
	foldSession,
	forgetAccounting,
	newSessionTable,
	type SessionTable,
	shiftIdleClocks,
} from './session-table.ts'

export type RouterState = SessionTable & {
	readonly name: string
	/** Addresses of clients whose Access-Requests must carry Message-Authenticator from now on. */
	readonly messageAuthenticatorSeen: Set<number>
	readonly leases: LeaseTable
	readonly src: SrcTable
}

export type State = {
	/** Position of the last event folded in. */
	position: number
	/** Wall-clock milliseconds of that event. */
	lastAt: number
	/** The sum of the recorded steps of the wall clock: `at - clockShiftMs` is steady time. */
	clockShiftMs: number
	readonly routers: Map<string, RouterState>
}

export function initialState(): State {
	return { position: 0, lastAt: 0, clockShiftMs: 0, routers: new Map() }
}

function newRouterState(name: string): RouterState {
	return {
		name,
		...newSessionTable(true),
		messageAuthenticatorSeen: new Set(),
		leases: newLeaseTable(),
		src: newSrcTable(),
	}
}

/** Of a virtual router that no event has said anything about. Nothing is ever put into it. */
const blank = newRouterState('')

/** What is known of a virtual router, to be read only: looking at it must leave no trace. */
export function routerState(state: State, name: string): RouterState {
	return state.routers.get(name) ?? blank
}

/** The same for `evolve`, which writes to it. */
export function ownRouterState(state: State, name: string): RouterState {
	let router = state.routers.get(name)
	if (router === undefined) {
		router = newRouterState(name)
		state.routers.set(name, router)
	}
	return router
}

/** Folds the next event into the state. */
export function evolve(state: State, event: NewEvent): void {
	state.position++
	state.lastAt = event.at
	switch (event.type) {
		case 'AccessAccepted':
			foldSession(ownRouterState(state, virtualRouterOf(event.stream)), event)
			return
		case 'AccountingStarted':
		case 'AccountingUpdated': {
			const router = ownRouterState(state, virtualRouterOf(event.stream))
			if (!isSrcAccounting(router.src, event.data)) foldSession(router, event)
			return
		}
		case 'SubscriberTerminated': {
			const router = ownRouterState(state, virtualRouterOf(event.stream))
			foldSession(router, event)
			foldSrc(router.src, event, undefined)
			return
		}
		case 'MessageAuthenticatorSeen':
			ownRouterState(state, virtualRouterOf(event.stream)).messageAuthenticatorSeen.add(
				parseIpv4(event.data.client) ?? 0,
			)
			return
		case 'LeaseOffered':
		case 'PoolWarningChanged': {
			const { leases } = ownRouterState(state, virtualRouterOf(event.stream))
			foldLease(leases, event, state.clockShiftMs)
			return
		}
		case 'LeaseGranted':
		case 'LeaseRenewed':
		case 'LeaseObserved':
		case 'LeaseDeclined':
		case 'LeaseReleased':
		case 'LeaseExpired': {
			const router = ownRouterState(state, virtualRouterOf(event.stream))
			foldLease(router.leases, event, state.clockShiftMs)
			foldSrc(router.src, event, router.sessions.get(event.data.mac))
			return
		}
		case 'PoolRequested':
		case 'PoolSelected': {
			const router = ownRouterState(state, virtualRouterOf(event.stream))
			foldSrc(router.src, event, router.sessions.get(event.data.mac))
			return
		}
		case 'LeaseRefused':
		case 'AccountingStopped':
		case 'SrcSessionClosed':
			foldSrc(ownRouterState(state, virtualRouterOf(event.stream)).src, event, undefined)
			return
		case 'SrcSessionOpened': {
			const router = ownRouterState(state, virtualRouterOf(event.stream))
			foldSrc(router.src, event, undefined)
			// SRC's accounting may have come before its answer did.
			forgetAccounting(router, event.data.mac, event.data.session)
			return
		}
		case 'ClockStepped':
			state.clockShiftMs += event.data.byMs
			for (const router of state.routers.values()) shiftIdleClocks(router, event.data.byMs)
			return
		case 'DhcpDiscarded':
		case 'DhcpForwarded':
		case 'AccessRequested':
		case 'AccessChallenged':
		case 'AccessRejected':
		case 'AccessUnanswered':
		case 'AccountingTurnedOn':
		case 'AccountingTurnedOff':
		case 'AccountingAnswered':
		case 'AccountingUnanswered':
		case 'RelayStarted':
		case 'RelayStopped':
		case 'SubscriberErased':
		case 'RetentionApplied':
		case 'ConfigurationChanged':
		case 'BaselineSet':
		case 'UpstreamChanged':
		case 'RequestsDiscarded':
		case 'AnswersRepeated':
		case 'ResponsesDiscarded':
		case 'SrcServerChanged':
		case 'SrcAnswersDiscarded':
		case 'DisconnectRequested':
		case 'DisconnectAnswered':
		case 'DynamicRequestsDiscarded':
		case 'DisconnectAnswersDiscarded':
			return
		default:
			event satisfies never
	}
}
