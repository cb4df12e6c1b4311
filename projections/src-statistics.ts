/**
 * What the journal says of the SRC bridge: questions and what became of them, sessions of SRC's, and
 * which server is asked. The rest of `show sscc statistics` only the client itself knows.
 */
import type { EventData, RecordedEvent } from '../domain/event.ts'
import type { Projection } from './follow.ts'
import { createVirtualRouterReader } from './virtual-router.ts'

type Failure = NonNullable<EventData<'PoolSelected'>['srcFailure']>
type Ignored = EventData<'SrcAnswersDiscarded'>['reason']

export type SrcRouterStatistics = {
	virtualRouter: string
	discovers: number
	/** Decisions with `accept=true` that led to an offer. */
	accepted: number
	/** Of these, those that left the pool to the relay, or named one that there is not. */
	chosenHere: number
	refused: number
	/** Questions without a decision, by why there is none. */
	unanswered: Partial<Record<Failure, number>>
	sessionsOpened: number
	sessionsClosed: number
	/** Ended without SRC having taken note of it. */
	sessionsGivenUp: number
	/** Sessions that SRC has opened and not closed. */
	sessionsOpen: number
	ignored: Partial<Record<Ignored, number>>
	serverChanges: number
	/** Who is asked, and since when in milliseconds; null: nobody. */
	server: { name: string; role: string | null; at: number } | null
}

export type SrcRecord = { routers: SrcRouterStatistics[] }

export const srcStatistics: Projection<SrcRecord> = {
	name: 'src-statistics',
	version: 1,
	initial: () => ({ routers: [] }),
	types: [
		'PoolRequested',
		'PoolSelected',
		'LeaseRefused',
		'SrcSessionOpened',
		'SrcSessionClosed',
		'SrcServerChanged',
		'SrcAnswersDiscarded',
		'RelayStarted',
	],
	fold: foldSrcStatistics,
}

const virtualRouterOf = createVirtualRouterReader()

export function srcRouterStatistics(
	state: SrcRecord,
	virtualRouter: string,
): SrcRouterStatistics | undefined {
	return state.routers.find(router => router.virtualRouter === virtualRouter)
}

function routerOf(state: SrcRecord, stream: string): SrcRouterStatistics {
	const virtualRouter = virtualRouterOf(stream)
	const known = srcRouterStatistics(state, virtualRouter)
	if (known !== undefined) return known
	const made = {
		virtualRouter,
		...{ discovers: 0, accepted: 0, chosenHere: 0, refused: 0, unanswered: {} },
		...{ sessionsOpened: 0, sessionsClosed: 0, sessionsGivenUp: 0, sessionsOpen: 0 },
		...{ ignored: {}, serverChanges: 0, server: null },
	}
	state.routers.push(made)
	return made
}

function selected(router: SrcRouterStatistics, data: EventData<'PoolSelected'>): void {
	if (data.srcFailure !== undefined) {
		router.unanswered[data.srcFailure] = (router.unanswered[data.srcFailure] ?? 0) + 1
		return
	}
	router.accepted++
	if (data.by !== 'src') router.chosenHere++
}

function closed(router: SrcRouterStatistics, data: EventData<'SrcSessionClosed'>): void {
	if (data.unanswered === undefined) router.sessionsClosed++
	else router.sessionsGivenUp++
	if (data.reported) router.sessionsOpen--
}

function foldSrcStatistics(state: SrcRecord, event: RecordedEvent): SrcRecord {
	switch (event.type) {
		case 'PoolRequested':
			routerOf(state, event.stream).discovers++
			break
		case 'PoolSelected':
			if (event.data.request !== undefined) selected(routerOf(state, event.stream), event.data)
			break
		case 'LeaseRefused':
			if (event.data.reason === 'src-refused') routerOf(state, event.stream).refused++
			break
		case 'SrcSessionOpened': {
			const router = routerOf(state, event.stream)
			router.sessionsOpened++
			router.sessionsOpen++
			break
		}
		case 'SrcSessionClosed':
			closed(routerOf(state, event.stream), event.data)
			break
		case 'SrcServerChanged': {
			const router = routerOf(state, event.stream)
			const { to, role = null } = event.data
			router.serverChanges++
			router.server = to === '' ? null : { name: to, role, at: event.at }
			break
		}
		case 'SrcAnswersDiscarded': {
			const { ignored } = routerOf(state, event.stream)
			ignored[event.data.reason] = (ignored[event.data.reason] ?? 0) + event.data.count
			break
		}
		// Whoever was asked before the relay stopped is not asked by the one that starts.
		case 'RelayStarted': {
			const router = srcRouterStatistics(state, virtualRouterOf(event.stream))
			if (router !== undefined) router.server = null
			break
		}
		// Everything else is no matter of SRC's.
		default:
			break
	}
	return state
}
