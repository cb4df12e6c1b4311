/**
 * The rules of a subscriber's session: what ends it. Each way ends it by one `SubscriberTerminated`
 * with its cause; what the events then make of the sessions is folded in `session-table.ts`.
 */
import { type EventData, type NewEvent, subscriberStream } from './event.ts'
import type { Session } from './session-table.ts'
import type { RouterState } from './state.ts'

type Cause = EventData<'SubscriberTerminated'>['cause']

/** An Access-Request of a subscriber with a live session is a reauthentication. */
export function isReauthentication(router: RouterState, mac: string): boolean {
	return router.sessions.has(mac)
}

export function terminate(
	router: RouterState,
	session: Session,
	cause: Cause,
	at: number,
): NewEvent {
	return {
		stream: subscriberStream(router.name, session.mac),
		type: 'SubscriberTerminated',
		v: 1,
		at,
		data: { mac: session.mac, wap: session.wap, cause, since: session.since },
	}
}

/**
 * The session that an Acct-Stop ends. A subscriber who has roamed is stopped by the access point
 * that is left behind, with that one's Acct-Session-Id: such a Stop ends nothing.
 */
export function sessionStoppedBy(
	router: RouterState,
	stop: EventData<'AccountingStopped'>,
): Session | undefined {
	const session = router.sessions.get(stop.mac)
	if (session === undefined || session.wap !== stop.wap) return undefined
	// Where this access point's Start was lost, its Stop names a session that is not known by that.
	const otherSession =
		session.accountingWap === session.wap &&
		session.accounting !== undefined &&
		stop.session !== undefined &&
		session.accounting !== stop.session
	return otherSession ? undefined : session
}

/** Sessions at an access point that was turned on or off. */
export function sessionsAt(router: RouterState, wap: string): Session[] {
	const subscribers = router.subscribersByWap.get(wap)
	if (subscribers === undefined) return []
	return [...subscribers].map(mac => router.sessions.get(mac)!)
}

/**
 * Sessions without recorded accounting for more than `timeoutMs`, at most `limit` of them. JunosE
 * has 24 hours; `radius relay idle-timeout` sets it.
 */
export function idleSessions(
	router: RouterState,
	at: number,
	timeoutMs: number,
	limit: number,
): Session[] {
	const idle: Session[] = []
	for (const session of router.sessions.values()) {
		if (at - session.heardAt <= timeoutMs || idle.length >= limit) break
		idle.push(session)
	}
	return idle
}
