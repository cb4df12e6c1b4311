/**
 * What befell the pools of the DHCP local server: how they were chosen, warnings, and requests for
 * which no address was left. How full a pool is follows from its leases (`leases.ts`), and how big
 * it is from the configuration.
 */
import type { PoolSelector, RecordedEvent } from '../domain/event.ts'
import type { Projection } from './follow.ts'
import { createVirtualRouterReader } from './virtual-router.ts'

export type PoolHistory = {
	pool: string
	/** Times the pool was chosen, by whom. */
	selected: Partial<Record<PoolSelector, number>>
	/** Times its use rose to the warning threshold. */
	warnings: number
	/** The warning that was given last; null once it was taken back. */
	warning: { at: number; inUse: number; size: number } | null
	/** Requests for which neither it nor the pools it is linked to had an address left. */
	noAddresses: number
	/** Addresses at which a client found somebody else. */
	declined: number
}

export type Pools = { routers: { virtualRouter: string; pools: PoolHistory[] }[] }

export const pools: Projection<Pools> = {
	name: 'pools',
	version: 1,
	initial: () => ({ routers: [] }),
	types: ['PoolSelected', 'PoolWarningChanged', 'LeaseRefused', 'LeaseDeclined'],
	fold: foldPools,
}

/** What befell a pool; undefined: nothing yet. */
export function poolHistory(
	state: Pools,
	virtualRouter: string,
	pool: string,
): PoolHistory | undefined {
	const router = state.routers.find(one => one.virtualRouter === virtualRouter)
	return router?.pools.find(one => one.pool === pool)
}

const virtualRouterOf = createVirtualRouterReader()

/** Pools are few, and the one that was used last is often used next. */
const place: { state: Pools | undefined; virtualRouter: string; history: PoolHistory } = {
	state: undefined,
	virtualRouter: '',
	history: newHistory(''),
}

function newHistory(pool: string): PoolHistory {
	return { pool, selected: {}, warnings: 0, warning: null, noAddresses: 0, declined: 0 }
}

function historyFor(state: Pools, stream: string, pool: string): PoolHistory {
	const virtualRouter = virtualRouterOf(stream)
	const same = place.state === state && place.virtualRouter === virtualRouter
	if (same && place.history.pool === pool) return place.history
	const known = poolHistory(state, virtualRouter, pool)
	const history = known ?? newHistory(pool)
	if (known === undefined) {
		const router = state.routers.find(one => one.virtualRouter === virtualRouter)
		if (router === undefined) state.routers.push({ virtualRouter, pools: [history] })
		else router.pools.push(history)
	}
	place.state = state
	place.virtualRouter = virtualRouter
	place.history = history
	return history
}

function foldPools(state: Pools, event: RecordedEvent): Pools {
	switch (event.type) {
		case 'PoolSelected': {
			const { selected } = historyFor(state, event.stream, event.data.pool)
			selected[event.data.by] = (selected[event.data.by] ?? 0) + 1
			break
		}
		case 'PoolWarningChanged': {
			const { pool, high, inUse, size } = event.data
			const history = historyFor(state, event.stream, pool)
			if (high) history.warnings++
			history.warning = high ? { at: event.at, inUse, size } : null
			break
		}
		case 'LeaseRefused':
			if (event.data.pool === undefined) break
			historyFor(state, event.stream, event.data.pool).noAddresses++
			break
		case 'LeaseDeclined':
			historyFor(state, event.stream, event.data.pool).declined++
			break
		case 'LeaseOffered':
		case 'LeaseGranted':
		case 'LeaseRenewed':
		case 'LeaseReleased':
		case 'LeaseExpired':
		case 'AccessRequested':
		case 'AccessChallenged':
		case 'AccessAccepted':
		case 'AccessRejected':
		case 'AccessUnanswered':
		case 'AccountingStarted':
		case 'AccountingUpdated':
		case 'AccountingStopped':
		case 'AccountingTurnedOn':
		case 'AccountingTurnedOff':
		case 'AccountingAnswered':
		case 'AccountingUnanswered':
		case 'SubscriberTerminated':
		case 'PoolRequested':
		case 'SrcSessionOpened':
		case 'SrcSessionClosed':
		case 'SrcServerChanged':
		case 'SrcAnswersDiscarded':
		case 'DisconnectRequested':
		case 'DisconnectAnswered':
		case 'DynamicRequestsDiscarded':
		case 'DisconnectAnswersDiscarded':
		case 'ClockStepped':
		case 'RelayStarted':
		case 'RelayStopped':
		case 'SubscriberErased':
		case 'RetentionApplied':
		case 'ConfigurationChanged':
		case 'BaselineSet':
		case 'UpstreamChanged':
		case 'MessageAuthenticatorSeen':
		case 'RequestsDiscarded':
		case 'AnswersRepeated':
		case 'ResponsesDiscarded':
		case 'DhcpDiscarded':
		case 'DhcpForwarded':
		case 'LeaseObserved':
			break
		default:
			event satisfies never
	}
	return state
}
