/**
 * Which events are those "up to T", where the clock was set back. Events are in order of time
 * between two steps of the clock only. How things stood at T is what the last event left that was
 * recorded while the clock showed T or less: of two times that the clock showed T the later one,
 * because a clock is set back when it was wrong before.
 */
import type { EventType } from './event.ts'

/** Times may run backwards at these events, and elsewhere by no more than the clocks' inexactness. */
export const epochTypes: readonly EventType[] = ['ClockStepped', 'RelayStarted']

export type Times = {
	/** Position of the newest event; 0: there is none. */
	readonly last: number
	/** Time of an event. */
	at(position: number): number
	/** Positions of events of `epochTypes`, in order. */
	readonly epochs: readonly number[]
}

/** Position of the last event that is not later than `ms`; 0: there is none. */
export function lastUpTo({ last, at, epochs }: Times, ms: number): number {
	for (let index = epochs.length; index >= 0; index--) {
		const first = index === 0 ? 1 : epochs[index - 1]!
		const end = epochs[index] === undefined ? last : Math.min(epochs[index]! - 1, last)
		if (first > end || at(first) > ms) continue
		let low = first
		for (let high = end; low < high; ) {
			const middle = Math.ceil((low + high) / 2)
			if (at(middle) <= ms) low = middle
			else high = middle - 1
		}
		return low
	}
	return 0
}

/** Position of the first event that is not earlier than `ms`; behind the last where there is none. */
export function firstFrom({ last, at, epochs }: Times, ms: number): number {
	for (let index = 0; index <= epochs.length; index++) {
		const first = index === 0 ? 1 : epochs[index - 1]!
		const end = epochs[index] === undefined ? last : Math.min(epochs[index]! - 1, last)
		if (first > end || at(end) < ms) continue
		let high = end
		for (let low = first; low < high; ) {
			const middle = Math.floor((low + high) / 2)
			if (at(middle) >= ms) high = middle
			else low = middle + 1
		}
		return high
	}
	return last + 1
}
