/**
 * Accounting sessions that access points have stopped lately. An access point that was not answered repeats
 * its Start with a new identifier, perhaps when the Stop is long recorded: such a Start must begin nothing.
 * Transient: a repeat that comes after a restart of the relay is taken for a new session.
 */
import type { EventData } from '../../domain/event.ts'

type Accounting = Omit<EventData<'AccountingStarted'>, 'server'>

/** By virtual router and access point, by subscriber and Acct-Session-Id: when the Stop came. */
export type StoppedSessions = Map<string, Map<string, number>>

/** Access points that are remembered, and sessions of each; the oldest are forgotten. */
export const stoppedLimits = { accessPoints: 8192, sessions: 64 } as const
/** Nobody repeats a Start for longer than this. Monotonic milliseconds, as all times here. */
const rememberedMs = 3600_000

export function noteStop(
	stopped: StoppedSessions,
	router: string,
	{ mac, wap, session }: Accounting,
	now: number,
): void {
	if (session === undefined) return
	const at = placeKey(router, wap)
	const there = stopped.get(at) ?? new Map<string, number>()
	// Taken out first: the maps are in order of time.
	stopped.delete(at)
	stopped.set(at, there)
	forgetOldest(stopped, stoppedLimits.accessPoints)
	const key = sessionKey(mac, session)
	there.delete(key)
	there.set(key, now)
	forgetOldest(there, stoppedLimits.sessions)
}

/**
 * Whether a Start was sent before its session's Stop came, by its Acct-Delay-Time. Without that nothing
 * tells it from a new session to which the access point has given the name again: it begins one.
 */
export function isLateStart(
	stopped: StoppedSessions,
	router: string,
	{ mac, wap, session, delaySeconds }: Accounting,
	now: number,
): boolean {
	if (session === undefined || !delaySeconds) return false
	const stoppedAt = stopped.get(placeKey(router, wap))?.get(sessionKey(mac, session))
	if (stoppedAt === undefined || now - stoppedAt > rememberedMs) return false
	return now - delaySeconds * 1000 <= stoppedAt
}

/** An access point that was turned on counts its sessions from one again. */
export function forgetStops(stopped: StoppedSessions, router: string, wap: string): void {
	stopped.delete(placeKey(router, wap))
}

function placeKey(router: string, wap: string): string {
	return `${wap} ${router}`
}

function sessionKey(mac: string, session: string): string {
	return `${mac} ${session}`
}

function forgetOldest(map: Map<string, unknown>, limit: number): void {
	if (map.size <= limit) return
	const oldest = map.keys().next().value
	if (oldest !== undefined) map.delete(oldest)
}
