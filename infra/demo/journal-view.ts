/** What the journal says of this run, folded as the relay itself folds it: committed events only. */
import type { Reader } from '../../adapters/journal/reader.ts'
import type { RecordedEvent } from '../../domain/event.ts'
import { evolve, initialState, routerState, type State } from '../../domain/state.ts'
import { countOutcome, outcomeKey } from './traffic.ts'

export type JournalView = {
	readonly state: State
	/** Events of this run. */
	events: number
	/** Answers of this run, by `outcomeKey`. */
	readonly outcomes: Map<string, number>
	/** Addresses of this run: how many were granted, for which pools SRC decided, and which they were. */
	granted: number
	chosenBySrc: number
	readonly addresses: Set<string>
	/** Sessions of SRC's accounting domain. */
	srcOpened: number
	srcClosed: number
	/** Sessions that ended, by cause. */
	readonly ends: Map<string, number>
}

const batchSize = 1000

/** Nothing yet. `catchUp` reads the journal from its first event on: sessions outlive a run. */
export function newJournalView(): JournalView {
	return {
		...{ state: initialState(), events: 0, outcomes: new Map() },
		...{ granted: 0, chosenBySrc: 0, addresses: new Set() },
		...{ srcOpened: 0, srcClosed: 0, ends: new Map() },
	}
}

export function catchUp(view: JournalView, reader: Reader, firstPosition: number): void {
	for (;;) {
		const events = reader.read(view.state.position + 1, batchSize)
		if (events.length === 0) return
		for (const event of events) take(view, event, firstPosition)
	}
}

function take(view: JournalView, event: RecordedEvent, firstPosition: number): void {
	evolve(view.state, event)
	if (event.position < firstPosition) return
	view.events++
	switch (event.type) {
		case 'AccessAccepted':
		case 'AccessRejected':
		case 'AccessChallenged':
		case 'AccountingAnswered':
			countOutcome(view.outcomes, outcomeKey(event.data.client, event.stream, event.type))
			return
		case 'PoolSelected':
			if (event.data.by === 'src') view.chosenBySrc++
			return
		case 'LeaseGranted':
			view.granted++
			view.addresses.add(event.data.address)
			return
		case 'SrcSessionOpened':
			view.srcOpened++
			return
		case 'SrcSessionClosed':
			view.srcClosed++
			return
		case 'SubscriberTerminated':
			countOutcome(view.ends, event.data.cause)
			return
		default:
	}
}

/** Leases of addresses that had been leased in this run and given back. */
export function usedAgain(view: JournalView): number {
	return view.granted - view.addresses.size
}

/** Names of the subscribers at each access point, by its MAC address. */
export function whoIsWhere(view: JournalView): ReadonlyMap<string, readonly string[]> {
	const { sessions, subscribersByWap } = routerState(view.state, 'default')
	const names = (macs: ReadonlySet<string>) =>
		[...macs].map(mac => sessions.get(mac)?.user ?? mac).sort()
	return new Map([...subscribersByWap].map(([wap, macs]) => [wap, names(macs)]))
}
