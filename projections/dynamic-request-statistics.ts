/**
 * Statistics of RADIUS-initiated disconnect: what each dynamic-request server asked and was told.
 * A counter is a number in an array, and its index is its row in `show radius dynamic-request
 * statistics`.
 */
import type { EventData, RecordedEvent } from '../domain/event.ts'
import type { Projection } from './follow.ts'
import { createVirtualRouterReader } from './virtual-router.ts'

export const dynamicRow = {
	disconnectRequests: 0,
	disconnectAccepts: 1,
	/** Whatever the reason, a missing session id included. */
	disconnectRejects: 2,
	disconnectNoSessionIds: 3,
	disconnectBadAuthenticators: 4,
	disconnectDropped: 5,
	changeRequests: 6,
	changeAccepts: 7,
	changeRejects: 8,
	changeNoSessionIds: 9,
	changeBadAuthenticators: 10,
	changeDropped: 11,
	/** Neither a Disconnect-Request nor a CoA-Request. */
	unknownRequests: 12,
} as const

const rows = Object.keys(dynamicRow).length
/** From the rows of disconnect to those of change of authorization. */
const changeOffset = dynamicRow.changeRequests - dynamicRow.disconnectRequests
/** RFC 5176 §3.5: Missing Attribute. */
const missingAttribute = 402

type Counted = {
	/** By the server's address as dotted text. */
	servers: Record<string, number[]>
	/** Datagrams from addresses that no server has. */
	unknownClients: number
}

export type DynamicRouterStatistics = Counted & {
	virtualRouter: string
	/** The counters at the last baseline and when it was set, in milliseconds. */
	baseline: (Counted & { at: number }) | null
}

export type DynamicRequestStatistics = { routers: DynamicRouterStatistics[] }

/** Servers counted in one virtual router; only configured ones can come in. */
const serverLimit = 1024

export const dynamicRequestStatistics: Projection<DynamicRequestStatistics> = {
	name: 'dynamic-request-statistics',
	version: 1,
	initial: () => ({ routers: [] }),
	types: ['DisconnectRequested', 'DisconnectAnswered', 'DynamicRequestsDiscarded', 'BaselineSet'],
	fold: foldDynamicRequests,
}

const virtualRouterOf = createVirtualRouterReader()

export function dynamicRouterStatistics(
	state: DynamicRequestStatistics,
	virtualRouter: string,
): DynamicRouterStatistics | undefined {
	return state.routers.find(router => router.virtualRouter === virtualRouter)
}

function routerOf(state: DynamicRequestStatistics, stream: string): DynamicRouterStatistics {
	const virtualRouter = virtualRouterOf(stream)
	const known = dynamicRouterStatistics(state, virtualRouter)
	if (known !== undefined) return known
	const router = { virtualRouter, servers: {}, unknownClients: 0, baseline: null }
	state.routers.push(router)
	return router
}

/** The counters of a server; a spare array where there are too many. */
function countersOf(router: DynamicRouterStatistics, server: string): number[] {
	const known = router.servers[server]
	if (known !== undefined) return known
	const counters = new Array<number>(rows).fill(0)
	if (Object.keys(router.servers).length < serverLimit) router.servers[server] = counters
	return counters
}

function add(counters: number[], request: 'disconnect' | 'change-of-authorization', row: number) {
	counters[request === 'disconnect' ? row : row + changeOffset]!++
}

function answered(counters: number[], data: EventData<'DisconnectAnswered'>): void {
	const { request, accepted, errorCause } = data
	add(counters, request, accepted ? dynamicRow.disconnectAccepts : dynamicRow.disconnectRejects)
	if (errorCause === missingAttribute) add(counters, request, dynamicRow.disconnectNoSessionIds)
}

function discarded(
	router: DynamicRouterStatistics,
	{ server, request, reason, count }: EventData<'DynamicRequestsDiscarded'>,
): void {
	if (reason === 'unknown-client') {
		router.unknownClients += count
		return
	}
	// It got its answer again, and nothing was lost.
	if (reason === 'repeated' || server === '') return
	const counters = countersOf(router, server)
	if (request === 'other') {
		counters[dynamicRow.unknownRequests]! += count
		return
	}
	const forged = reason === 'bad-authenticator'
	const row = forged ? dynamicRow.disconnectBadAuthenticators : dynamicRow.disconnectDropped
	counters[request === 'disconnect' ? row : row + changeOffset]! += count
}

function foldDynamicRequests(
	state: DynamicRequestStatistics,
	event: RecordedEvent,
): DynamicRequestStatistics {
	switch (event.type) {
		case 'DisconnectRequested': {
			const counters = countersOf(routerOf(state, event.stream), event.data.server)
			add(counters, event.data.request, dynamicRow.disconnectRequests)
			break
		}
		case 'DisconnectAnswered':
			answered(countersOf(routerOf(state, event.stream), event.data.server), event.data)
			break
		case 'DynamicRequestsDiscarded':
			discarded(routerOf(state, event.stream), event.data)
			break
		case 'BaselineSet':
			if (event.data.scope === 'radius dynamic-request') {
				const router = routerOf(state, event.stream)
				const { servers, unknownClients } = router
				router.baseline = { at: event.at, servers: structuredClone(servers), unknownClients }
			}
			break
		// Everything else is no dynamic request.
		default:
			break
	}
	return state
}
