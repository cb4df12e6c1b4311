/** The rules of a subscriber's session: when it is live, and what ends it. */
import { type EventData, type NewEvent, subscriberStream } from './event.ts'
import type { RouterState, Session } from './state.ts'

/** Without accounting for this long a session ends (RADIUS relay of JunosE: 24 hours). */
export const idleTimeoutMs = 24 * 3600 * 1000

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
	const otherSession =
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

/** Sessions whose accounting has been silent for too long, at most `limit` of them. */
export function idleSessions(router: RouterState, at: number, limit: number): Session[] {
	const idle: Session[] = []
	for (const session of router.sessions.values()) {
		if (at - session.heardAt <= idleTimeoutMs || idle.length >= limit) break
		idle.push(session)
	}
	return idle
}
