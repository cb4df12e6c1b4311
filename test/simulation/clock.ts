/**
 * Time in a simulation. `truth` is what really passes. The wall clock can be set to anything, and the
 * monotonic clock stands still while the machine is suspended.
 */
import type { HandTurnedClock } from '../simulated-relay.ts'

export type SimulatedClock = HandTurnedClock & {
	/** Milliseconds since the simulation began. */
	truth(): number
	/** Truth goes on to this time. */
	advanceTo(truth: number): void
	/** Truth and the wall clock go on, the monotonic clock does not. */
	suspend(ms: number): void
	/** Milliseconds of it in which nothing happened: the machine was suspended, or the relay stalled. */
	standstill(): number
	/** By how much the wall clock was set in all. */
	skew(): number
	/** What a clock shows that nobody sets: that of the machines around the relay. */
	elsewhere(): number
}

const epoch = 1_800_000_000_000

export function createClock(): SimulatedClock {
	let truth = 0
	let skew = 0
	let suspended = 0
	let stalled = 0
	return {
		truth: () => truth,
		skew: () => skew,
		standstill: () => suspended + stalled,
		elsewhere: () => epoch + Math.floor(truth),
		// Whole milliseconds, as Date.now has them.
		wall: () => epoch + Math.floor(truth + skew),
		monotonic: () => 1000 + truth - suspended,
		advance(ms) {
			truth += ms
			stalled += ms
		},
		advanceTo(next) {
			truth = Math.max(truth, next)
		},
		set(byMs) {
			skew += byMs
		},
		suspend(ms) {
			truth += ms
			suspended += ms
		},
	}
}
