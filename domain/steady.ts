/**
 * Steady time: the wall clock less its recorded steps. Leases and the idle clock of sessions count it,
 * so that a clock which is set forwards ends nothing early, and one that is set back keeps nothing
 * for longer. What passed while the relay was not running does not count either: nobody could renew
 * a lease, no accounting was recorded, and whether the wall clock is right after a boot nobody knows.
 * An address may thereby be kept for longer than it need be, never for less.
 */
import { type NewEvent, relayStream } from './event.ts'
import type { State } from './state.ts'

/** Differences up to this are the clocks' own inexactness. */
export const clockToleranceMs = 1000

/**
 * `driftMs`: by how much the wall clock has gone ahead of the monotonic one since they were last
 * compared. An event where that is a step.
 */
export function clockStepped(driftMs: number, at: number): NewEvent | undefined {
	if (Math.abs(driftMs) <= clockToleranceMs) return undefined
	return stepped(driftMs, 'step', at)
}

/** The time since the last event, as it was when the relay started; `at` is the time of that. */
export function stoppedMeanwhile(state: State, at: number): NewEvent | undefined {
	return hasDeadlines(state) ? standstill(state.lastAt, at) : undefined
}

/**
 * The same for what is recorded without a relay: before an event at `at`, or the time since
 * `lastAt`, of the newest event, would count as seen.
 */
export function standstill(lastAt: number, at: number): NewEvent | undefined {
	const byMs = at - lastAt
	return Math.abs(byMs) <= clockToleranceMs ? undefined : stepped(byMs, 'stopped', at)
}

function hasDeadlines({ routers }: State): boolean {
	for (const { sessions, leases } of routers.values()) {
		if (sessions.size > 0 || leases.deadlines.size > 0) return true
	}
	return false
}

function stepped(byMs: number, reason: 'step' | 'stopped', at: number): NewEvent {
	const data = { byMs: Math.round(byMs), reason }
	// The machine has one clock: the virtual router that is always there tells of it.
	return { stream: relayStream('default'), type: 'ClockStepped', v: 1, at, data }
}
