/**
 * The folded state: what the journal says, and nothing else. `evolve` is the only writer; folding
 * the journal from its first event gives the same state as living through it did. What belongs to a
 * packet in flight is not here but in `exchange.ts`.
 */
import { parseIpv4 } from './address.ts'
import { type EventData, type NewEvent, virtualRouterOf } from './event.ts'

/** A subscriber who is on the network. */
export type Session = {
	readonly mac: string
	/** Milliseconds: when the session began. */
	readonly since: number
	/** The access point that the subscriber is at; roaming changes it, nothing else here. */
	wap: string
	/** Acct-Session-Id of the session's latest Start. */
	accounting: string | undefined
	/** Milliseconds of the last recorded accounting: the idle clock. */
	heardAt: number
	readonly user: string | undefined
	readonly ssid: string | undefined
	readonly class: string | undefined
	readonly serviceBundle: string | undefined
}

export type RouterState = {
	readonly name: string
	/** By MAC, the session that has been silent longest first. */
	readonly sessions: Map<string, Session>
	/** MACs of the sessions at each access point. */
	readonly subscribersByWap: Map<string, Set<string>>
	/** Addresses of clients whose Access-Requests must carry Message-Authenticator from now on. */
	readonly messageAuthenticatorSeen: Set<number>
}

export type State = {
	/** Position of the last event folded in. */
	position: number
	readonly routers: Map<string, RouterState>
}

/** Raise it when a snapshot of the old shape cannot be read as the new one. */
export const stateVersion = 1

export function initialState(): State {
	return { position: 0, routers: new Map() }
}

function newRouterState(name: string): RouterState {
	return {
		name,
		sessions: new Map(),
		subscribersByWap: new Map(),
		messageAuthenticatorSeen: new Set(),
	}
}

/** Of a virtual router that no event has said anything about. Nothing is ever put into it. */
const blank = newRouterState('')

/** What is known of a virtual router, to be read only: looking at it must leave no trace. */
export function routerState(state: State, name: string): RouterState {
	return state.routers.get(name) ?? blank
}

/** The same for `evolve`, which writes to it. */
function ownRouterState(state: State, name: string): RouterState {
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
	switch (event.type) {
		case 'AccessAccepted':
			accessAccepted(ownRouterState(state, virtualRouterOf(event.stream)), event.data, event.at)
			return
		case 'AccountingStarted':
			accountingStarted(ownRouterState(state, virtualRouterOf(event.stream)), event.data, event.at)
			return
		case 'AccountingUpdated': {
			const router = ownRouterState(state, virtualRouterOf(event.stream))
			const session = router.sessions.get(event.data.mac)
			// A late Interim-Update resurrects nothing.
			if (session !== undefined) heard(router, session, event.at)
			return
		}
		case 'SubscriberTerminated':
			terminated(ownRouterState(state, virtualRouterOf(event.stream)), event.data.mac)
			return
		case 'MessageAuthenticatorSeen':
			ownRouterState(state, virtualRouterOf(event.stream)).messageAuthenticatorSeen.add(
				parseIpv4(event.data.client) ?? 0,
			)
			return
		case 'AccessRequested':
		case 'AccessChallenged':
		case 'AccessRejected':
		case 'AccessUnanswered':
		case 'AccountingStopped':
		case 'AccountingTurnedOn':
		case 'AccountingTurnedOff':
		case 'AccountingAnswered':
		case 'AccountingUnanswered':
		case 'RelayStarted':
		case 'RelayStopped':
		case 'ConfigurationChanged':
		case 'BaselineSet':
		case 'UpstreamChanged':
		case 'RequestsDiscarded':
		case 'AnswersRepeated':
		case 'ResponsesDiscarded':
			return
		default:
			event satisfies never
	}
}

function accessAccepted(router: RouterState, data: EventData<'AccessAccepted'>, at: number): void {
	const session = router.sessions.get(data.mac)
	if (session === undefined) {
		open(router, {
			mac: data.mac,
			since: at,
			wap: data.wap,
			accounting: undefined,
			heardAt: at,
			user: data.user,
			ssid: data.ssid,
			class: data.class,
			serviceBundle: data.serviceBundle,
		})
		return
	}
	// A reauthentication changes nothing in the session but the place where the subscriber is.
	move(router, session, data.wap)
}

function accountingStarted(
	router: RouterState,
	data: EventData<'AccountingStarted'>,
	at: number,
): void {
	const session = router.sessions.get(data.mac)
	if (session === undefined) {
		// Authenticated before this relay was there: the WAP says that the subscriber is on.
		open(router, {
			mac: data.mac,
			since: at,
			wap: data.wap,
			accounting: data.session,
			heardAt: at,
			user: data.user,
			ssid: data.ssid,
			class: data.class,
			serviceBundle: undefined,
		})
		return
	}
	session.accounting = data.session
	move(router, session, data.wap)
	heard(router, session, at)
}

function open(router: RouterState, session: Session): void {
	router.sessions.set(session.mac, session)
	subscribersAt(router, session.wap).add(session.mac)
}

function subscribersAt(router: RouterState, wap: string): Set<string> {
	let subscribers = router.subscribersByWap.get(wap)
	if (subscribers === undefined) {
		subscribers = new Set()
		router.subscribersByWap.set(wap, subscribers)
	}
	return subscribers
}

function leave(router: RouterState, session: Session): void {
	const subscribers = router.subscribersByWap.get(session.wap)
	if (subscribers === undefined) return
	subscribers.delete(session.mac)
	if (subscribers.size === 0) router.subscribersByWap.delete(session.wap)
}

function move(router: RouterState, session: Session, wap: string): void {
	if (session.wap === wap) return
	leave(router, session)
	session.wap = wap
	subscribersAt(router, wap).add(session.mac)
}

function heard(router: RouterState, session: Session, at: number): void {
	session.heardAt = at
	// Map keeps the order of insertion: the longest silent session stays first.
	router.sessions.delete(session.mac)
	router.sessions.set(session.mac, session)
}

function terminated(router: RouterState, mac: string): void {
	const session = router.sessions.get(mac)
	if (session === undefined) return
	leave(router, session)
	router.sessions.delete(mac)
}

/** The state as JSON values, for a snapshot. */
export function stateToJson(state: State): unknown {
	return {
		position: state.position,
		routers: [...state.routers.values()].map(router => ({
			name: router.name,
			sessions: [...router.sessions.values()],
			messageAuthenticatorSeen: [...router.messageAuthenticatorSeen],
		})),
	}
}

/** The state from what `stateToJson` gave; a snapshot is a cache of ours, so its shape is known. */
export function stateFromJson(json: unknown): State {
	type Saved = {
		position: number
		routers: { name: string; sessions: Session[]; messageAuthenticatorSeen: number[] }[]
	}
	const saved = json as Saved
	const state = initialState()
	state.position = saved.position
	for (const { name, sessions, messageAuthenticatorSeen } of saved.routers) {
		const router = ownRouterState(state, name)
		for (const session of sessions) open(router, restored(session))
		for (const client of messageAuthenticatorSeen) router.messageAuthenticatorSeen.add(client)
	}
	return state
}

/** JSON leaves out what is undefined; sessions keep one shape all the same. */
function restored(session: Session): Session {
	return {
		mac: session.mac,
		since: session.since,
		wap: session.wap,
		accounting: session.accounting,
		heardAt: session.heardAt,
		user: session.user,
		ssid: session.ssid,
		class: session.class,
		serviceBundle: session.serviceBundle,
	}
}
