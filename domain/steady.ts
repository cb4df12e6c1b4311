/**
 * Steady time: the wall clock less its recorded steps. Leases and the idle clock of sessions count it,
 * so that a clock which is set forwards ends nothing early, and one that is set back keeps nothing
 * for longer. What passed while the relay was not running does not count either: nobody could renew
 * a lease, no accounting was recorded, and whether the wall clock is right after a boot nobody knows.
 * An address may thereby be kept for longer than it need be, never for less.
 */
import { type EventData, type EventOf, relayStream } from './event.ts'
import type { State } from './state.ts'

type Stepped = EventOf<'ClockStepped'>

/** Differences up to this are the clocks' own inexactness. */
export const clockToleranceMs = 1000

/**
 * `driftMs`: by how much the wall clock has gone ahead of the monotonic one since they were last
 * compared. An event where that is a step.
 */
export function clockStepped(driftMs: number, at: number): Stepped | undefined {
	if (Math.abs(driftMs) <= clockToleranceMs) return undefined
	return stepped(driftMs, 'step', at)
}

/** The time since the last event, as it was when the relay started; `at` is the time of that. */
export function stoppedMeanwhile(state: State, at: number): Stepped | undefined {
	return hasDeadlines(state) ? standstill(state.lastAt, at) : undefined
}

/**
 * The same for what is recorded without a relay: before an event at `at`, or the time since
 * `lastAt`, of the newest event, would count as seen.
 */
export function standstill(lastAt: number, at: number): Stepped | undefined {
	const byMs = at - lastAt
	return Math.abs(byMs) <= clockToleranceMs ? undefined : stepped(byMs, 'stopped', at)
}

function hasDeadlines({ routers }: State): boolean {
	for (const { sessions, leases } of routers.values()) {
		if (sessions.size > 0 || leases.deadlines.size > 0) return true
	}
	return false
}

/** A `ClockStepped` as a sentence. */
export function clockText({ byMs, reason }: EventData<'ClockStepped'>): string {
	const seconds = `${(Math.abs(byMs) / 1000).toFixed(1)} s`
	if (reason === 'step') {
		const way = byMs > 0 ? 'forward' : 'back'
		return `The clock was set ${way} by ${seconds}: leases and sessions last as long as without that.`
	}
	return byMs > 0
		? `For ${seconds} no relay ran: that time does not count for leases and sessions.`
		: `The clock is ${seconds} behind the newest event: leases and sessions go on from there.`
}

function stepped(byMs: number, reason: 'step' | 'stopped', at: number): Stepped {
	const data = { byMs: Math.round(byMs), reason } as const
	// The machine has one clock: the virtual router that is always there tells of it.
	return { stream: relayStream('default'), type: 'ClockStepped', v: 1, at, data }
}
