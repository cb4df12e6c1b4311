/** What was taken out of the history so far: erasures of subscribers, and runs of `retention`. */
import type { RecordedEvent } from '../domain/event.ts'
import type { Projection } from './follow.ts'

export type Erasures = {
	/** Number of SubscriberErased, and milliseconds of the newest; 0 before the first. */
	erasures: number
	erasedAt: number
	/** Number of RetentionApplied, and over all of them events and subscribers. */
	runs: number
	events: number
	subscribers: number
	/** The newest run: milliseconds, 0 before the first, and the events that it changed. */
	appliedAt: number
	appliedEvents: number
}

export const erasures: Projection<Erasures> = {
	name: 'erasures',
	version: 1,
	initial: () => ({
		erasures: 0,
		erasedAt: 0,
		runs: 0,
		events: 0,
		subscribers: 0,
		appliedAt: 0,
		appliedEvents: 0,
	}),
	types: ['SubscriberErased', 'RetentionApplied'],
	fold: foldErasures,
}

function foldErasures(state: Erasures, event: RecordedEvent): Erasures {
	if (event.type === 'SubscriberErased') {
		state.erasures++
		state.erasedAt = event.at
	} else if (event.type === 'RetentionApplied') {
		state.runs++
		state.events += event.data.events
		state.subscribers += event.data.subscribers
		state.appliedAt = event.at
		state.appliedEvents = event.data.events
	}
	return state
}
