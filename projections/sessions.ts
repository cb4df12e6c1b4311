/**
 * Who is on the network: the live sessions as far as they are on disk. What an event does to a
 * session is said once, in `domain/session-table.ts`; here it is only followed.
 */
import type { NewEvent } from '../domain/event.ts'
import {
	foldSession,
	newSessionTable,
	restoreSessions,
	type SavedSessions,
	type SessionTable,
	sessionsToJson,
	shiftIdleClocks,
} from '../domain/session-table.ts'
import type { Projection } from './follow.ts'
import { createVirtualRouterReader } from './virtual-router.ts'

/** The sessions of each virtual router that has had any. */
export type Sessions = Map<string, SessionTable>

type Saved = { readonly routers: readonly (SavedSessions & { readonly name: string })[] }

/** Its frozen form is a part of the folded state's, so that it can begin with a copy of that. */
export const sessions: Projection<Sessions> = {
	name: 'sessions',
	version: 1,
	initial: () => new Map(),
	fold: foldSessions,
	freeze: state => ({
		routers: [...state].map(([name, table]) => ({ name, ...sessionsToJson(table) })),
	}),
	thaw(frozen) {
		const state: Sessions = new Map()
		for (const saved of (frozen as Saved).routers)
			restoreSessions(tableOf(state, saved.name), saved)
		return state
	},
}

const virtualRouterOf = createVirtualRouterReader()

function tableOf(state: Sessions, virtualRouter: string): SessionTable {
	let table = state.get(virtualRouter)
	if (table === undefined) {
		table = newSessionTable(false)
		state.set(virtualRouter, table)
	}
	return table
}

function foldSessions(state: Sessions, event: NewEvent): Sessions {
	switch (event.type) {
		case 'AccessAccepted':
		case 'AccountingStarted':
		case 'AccountingUpdated':
		case 'SubscriberTerminated':
			foldSession(tableOf(state, virtualRouterOf(event.stream)), event)
			break
		case 'ClockStepped':
			for (const table of state.values()) shiftIdleClocks(table, event.data.byMs)
			break
		// Whatever else happens touches no session.
		default:
			break
	}
	return state
}
