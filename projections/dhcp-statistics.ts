/**
 * Statistics of the DHCP servers: of the local one its messages, as far as they left an event, of an
 * external one what was passed on, and its leases. A counter is a number in an array, and its index
 * is its row in `show ip dhcp-local statistics` or `show ip dhcp-external statistics`.
 */
import type { EventData, RecordedEvent } from '../domain/event.ts'
import { shadowPool } from '../domain/lease-state.ts'
import { externalServer } from '../domain/shadow-lease.ts'
import type { Projection } from './follow.ts'
import { createVirtualRouterReader } from './virtual-router.ts'

export const dhcpRow = {
	discovers: 0,
	requests: 1,
	declines: 2,
	releases: 3,
	informs: 4,
	/** Received, and of none of these types. */
	others: 5,
	offers: 6,
	acks: 7,
	naks: 8,
	expired: 9,
	/** Bindings that ended with the session or by an operator's command. */
	terminated: 10,
	noAddresses: 11,
	discarded: 12,
} as const

/** The same of the external server: messages on their way, and what became of its leases. */
export const dhcpExternalRow = {
	discovers: 0,
	requests: 1,
	declines: 2,
	releases: 3,
	informs: 4,
	offers: 5,
	acks: 6,
	naks: 7,
	/** Messages of any type that were routed past the relay. */
	seen: 8,
	granted: 9,
	renewed: 10,
	/** By the client: released, declined, or given up for another address. */
	released: 11,
	/** By the server. */
	refused: 12,
	expired: 13,
	/** With the session, or by an operator's command. */
	terminated: 14,
	discarded: 15,
} as const

const localRows = Object.keys(dhcpRow).length
const externalRows = Object.keys(dhcpExternalRow).length

/** Messages that nothing came of, by reason. */
export type DhcpDiscard = { readonly reason: string; count: number }

type Counted = { counters: number[]; discards: DhcpDiscard[] }

export type DhcpRouterStatistics = Counted & {
	virtualRouter: string
	/** The counters at the last baseline and when it was set, in milliseconds. */
	baseline: (Counted & { at: number }) | null
}

export type DhcpStatistics = {
	/** Of the local server. */
	routers: DhcpRouterStatistics[]
	external: DhcpRouterStatistics[]
}

/** Reasons come from the program; more of them than this are counted together. */
const reasonLimit = 64
const otherReasons = 'other'

export const dhcpStatistics: Projection<DhcpStatistics> = {
	name: 'dhcp-statistics',
	version: 2,
	initial: () => ({ routers: [], external: [] }),
	types: [
		'LeaseOffered',
		'LeaseGranted',
		'LeaseRenewed',
		'LeaseRefused',
		'LeaseDeclined',
		'LeaseReleased',
		'LeaseObserved',
		'LeaseExpired',
		'DhcpForwarded',
		'DhcpDiscarded',
		'BaselineSet',
	],
	fold: foldDhcpStatistics,
}

/** The statistics of one virtual router; those of one where nothing has happened are all zero. */
export function dhcpStatisticsOf(
	state: DhcpStatistics,
	virtualRouter: string,
): DhcpRouterStatistics {
	const found = state.routers.find(router => router.virtualRouter === virtualRouter)
	return found ?? newRouter(virtualRouter, localRows)
}

/** The same of its external server, by `dhcpExternalRow`. */
export function dhcpExternalStatisticsOf(
	state: DhcpStatistics,
	virtualRouter: string,
): DhcpRouterStatistics {
	const found = state.external.find(router => router.virtualRouter === virtualRouter)
	return found ?? newRouter(virtualRouter, externalRows)
}

const virtualRouterOf = createVirtualRouterReader()

function newRouter(virtualRouter: string, rows: number): DhcpRouterStatistics {
	return { virtualRouter, counters: new Array<number>(rows).fill(0), discards: [], baseline: null }
}

function externalFor(state: DhcpStatistics, stream: string): DhcpRouterStatistics {
	const name = virtualRouterOf(stream)
	for (const router of state.external) if (router.virtualRouter === name) return router
	const router = newRouter(name, externalRows)
	state.external.push(router)
	return router
}

function routerFor(state: DhcpStatistics, stream: string): DhcpRouterStatistics {
	const name = virtualRouterOf(stream)
	for (const router of state.routers) if (router.virtualRouter === name) return router
	const router = newRouter(name, localRows)
	state.routers.push(router)
	return router
}

function count(state: DhcpStatistics, stream: string, received: number, sent?: number): void {
	const { counters } = routerFor(state, stream)
	counters[received]!++
	if (sent !== undefined) counters[sent]!++
}

function refused(state: DhcpStatistics, stream: string, data: EventData<'LeaseRefused'>): void {
	// The external server's refusal is counted with what it was told by, and with the lease.
	if (data.reason === externalServer) return
	const { counters } = routerFor(state, stream)
	counters[data.silent ? dhcpRow.discovers : dhcpRow.requests]!++
	if (data.silent === undefined) counters[dhcpRow.naks]!++
	if (data.reason === 'no-address') counters[dhcpRow.noAddresses]!++
}

function receivedRow(message: string): number {
	switch (message) {
		case 'discover':
			return dhcpRow.discovers
		case 'request':
			return dhcpRow.requests
		case 'decline':
			return dhcpRow.declines
		case 'release':
			return dhcpRow.releases
		case 'inform':
			return dhcpRow.informs
		default:
			return dhcpRow.others
	}
}

/** What left no event of its own and was answered all the same. */
function answerRow(reason: string): number | undefined {
	if (reason === 'repeated') return dhcpRow.offers
	return reason === 'answered' ? dhcpRow.acks : undefined
}

function discarded(state: DhcpStatistics, stream: string, data: EventData<'DhcpDiscarded'>): void {
	if (data.external) {
		const router = externalFor(state, stream)
		router.counters[dhcpExternalRow.discarded]! += data.count
		countReason(router.discards, data)
		return
	}
	const { counters, discards } = routerFor(state, stream)
	counters[receivedRow(data.message)]! += data.count
	const answer = answerRow(data.reason)
	if (answer !== undefined) {
		counters[answer]! += data.count
		return
	}
	counters[dhcpRow.discarded]! += data.count
	if (data.reason === 'no-address') counters[dhcpRow.noAddresses]! += data.count
	countReason(discards, data)
}

function countReason(discards: DhcpDiscard[], data: EventData<'DhcpDiscarded'>): void {
	const reason = discards.length < reasonLimit ? data.reason : otherReasons
	const known =
		discards.find(one => one.reason === data.reason) ?? discards.find(one => one.reason === reason)
	if (known === undefined) discards.push({ reason, count: data.count })
	else known.count += data.count
}

function forwardedRow(message: string): number {
	switch (message) {
		case 'offer':
			return dhcpExternalRow.offers
		case 'ack':
			return dhcpExternalRow.acks
		case 'nak':
			return dhcpExternalRow.naks
		case 'discover':
			return dhcpExternalRow.discovers
		case 'request':
			return dhcpExternalRow.requests
		case 'decline':
			return dhcpExternalRow.declines
		case 'release':
			return dhcpExternalRow.releases
		default:
			return dhcpExternalRow.informs
	}
}

function forwarded(state: DhcpStatistics, stream: string, data: EventData<'DhcpForwarded'>): void {
	const { counters } = externalFor(state, stream)
	counters[data.seen ? dhcpExternalRow.seen : forwardedRow(data.message)]! += data.count
}

/** How the shadow of a lease ended. */
function endedRow(cause: EventData<'LeaseReleased'>['cause']): number {
	switch (cause) {
		case 'client':
		case 'declined':
		case 'moved':
			return dhcpExternalRow.released
		case 'server':
			return dhcpExternalRow.refused
		case 'session':
		case 'operator':
			return dhcpExternalRow.terminated
		default:
			return cause satisfies never
	}
}

function released(state: DhcpStatistics, stream: string, data: EventData<'LeaseReleased'>): void {
	if (data.pool === shadowPool) {
		externalFor(state, stream).counters[endedRow(data.cause)]!++
		return
	}
	switch (data.cause) {
		case 'client':
			count(state, stream, dhcpRow.releases)
			return
		case 'session':
		case 'operator':
			count(state, stream, dhcpRow.terminated)
			return
		// The client asked for another address: that is counted with what it was given.
		case 'moved':
		case 'server':
		case 'declined':
			return
		default:
			data.cause satisfies never
	}
}

function setBaseline(router: DhcpRouterStatistics, at: number): void {
	const { counters, discards } = router
	router.baseline = { at, counters: counters.slice(), discards: structuredClone(discards) }
}

function foldDhcpStatistics(state: DhcpStatistics, event: RecordedEvent): DhcpStatistics {
	const { stream } = event
	switch (event.type) {
		case 'LeaseOffered':
			count(state, stream, dhcpRow.discovers, dhcpRow.offers)
			break
		case 'LeaseGranted':
		case 'LeaseRenewed':
			count(state, stream, dhcpRow.requests, dhcpRow.acks)
			break
		case 'LeaseRefused':
			refused(state, stream, event.data)
			break
		case 'LeaseDeclined':
			// A ping that was answered is no message of a client's.
			if (event.data.ping === undefined) count(state, stream, dhcpRow.declines)
			break
		case 'LeaseReleased':
			released(state, stream, event.data)
			break
		case 'LeaseObserved': {
			const row = event.data.renewed ? dhcpExternalRow.renewed : dhcpExternalRow.granted
			externalFor(state, stream).counters[row]!++
			break
		}
		case 'LeaseExpired':
			if (event.data.pool !== shadowPool) count(state, stream, dhcpRow.expired)
			else externalFor(state, stream).counters[dhcpExternalRow.expired]!++
			break
		case 'DhcpForwarded':
			forwarded(state, stream, event.data)
			break
		case 'DhcpDiscarded':
			discarded(state, stream, event.data)
			break
		case 'BaselineSet':
			if (event.data.scope === 'ip dhcp-local') setBaseline(routerFor(state, stream), event.at)
			if (event.data.scope === 'ip dhcp-external') setBaseline(externalFor(state, stream), event.at)
			break
		case 'PoolSelected':
		case 'PoolWarningChanged':
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
		case 'UpstreamChanged':
		case 'MessageAuthenticatorSeen':
		case 'RequestsDiscarded':
		case 'AnswersRepeated':
		case 'ResponsesDiscarded':
			break
		default:
			event satisfies never
	}
	return state
}
