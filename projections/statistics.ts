/**
 * Statistics of the relay servers: what clients asked and what they were told, for each virtual
 * router and service, overall and per client address. A counter is a number in an array, and its
 * index is its row in `show radius relay statistics`.
 *
 * Everything here runs once for each event on the thread that carries the packets: it allocates
 * nothing unless a client is new, and remembers where the last event was counted.
 */
import type { Service } from '../domain/configuration.ts'
import type { DiscardReason, EventData, RecordedEvent } from '../domain/event.ts'
import type { Projection } from './follow.ts'
import { createVirtualRouterReader } from './virtual-router.ts'

export type Counters = number[]

export const authenticationRow = {
	requests: 0,
	accepts: 1,
	challenges: 2,
	rejects: 3,
	/** A gauge: requests that wait for a response. */
	pending: 4,
	duplicates: 5,
	malformed: 6,
	badAuthenticators: 7,
	unknown: 8,
	dropped: 9,
	invalid: 10,
} as const

export const accountingRow = {
	/** Includes Accounting-On and -Off, which have no row of their own; so do the responses. */
	requests: 0,
	startRequests: 1,
	stopRequests: 2,
	interimRequests: 3,
	responses: 4,
	startResponses: 5,
	stopResponses: 6,
	interimResponses: 7,
	pending: 8,
	duplicates: 9,
	malformed: 10,
	badAuthenticators: 11,
	unknown: 12,
	dropped: 13,
	invalid: 14,
} as const

export const pendingRow: Readonly<Record<Service, number>> = {
	authentication: authenticationRow.pending,
	accounting: accountingRow.pending,
}

/** The rows for discarded requests follow the gauge in both services, in the same order. */
const discardRow: Readonly<Record<DiscardReason, number>> = {
	duplicate: 1,
	malformed: 2,
	'bad-authenticator': 3,
	'unknown-client': 4,
	'queue-full': 5,
	invalid: 6,
}

export type ServiceCounters = { authentication: Counters; accounting: Counters }

export type ClientStatistics = {
	now: ServiceCounters
	/** The counters when baseline number `baselines` was set; null: all zero. */
	baseline: ServiceCounters | null
	baselines: number
}

export type RouterStatistics = {
	virtualRouter: string
	total: ServiceCounters
	/** The counters at the last baseline and when it was set, in milliseconds. */
	baseline: { at: number; total: ServiceCounters } | null
	/** Baselines set so far. A client that stands at another number is unchanged since then. */
	baselines: number
	/** By address as dotted text. */
	clients: Record<string, ClientStatistics>
	clientCount: number
	/** Clients that came into the table by a discarded request. */
	discardedClientCount: number
	/** Times something was counted overall only, because the table of clients was full. */
	uncounted: number
}

export type RelayStatistics = { routers: RouterStatistics[] }

export const clientLimit = 65_536
/** Anybody can forge a request that is discarded: forgeries must not fill the table. */
export const discardedClientLimit = 4_096

/** The projection: folds events into the statistics of every virtual router. */
export const relayStatistics: Projection<RelayStatistics> = {
	name: 'relay-statistics',
	version: 1,
	initial: () => ({ routers: [] }),
	types: [
		'AccessRequested',
		'AccessAccepted',
		'AccessChallenged',
		'AccessRejected',
		'AccessUnanswered',
		'AccountingStarted',
		'AccountingUpdated',
		'AccountingStopped',
		'AccountingTurnedOn',
		'AccountingTurnedOff',
		'AccountingAnswered',
		'AccountingUnanswered',
		'RequestsDiscarded',
		'RelayStarted',
		'BaselineSet',
	],
	fold: foldRelayStatistics,
}

/** The statistics of one virtual router; undefined when nothing has happened there. */
export function routerStatistics(
	state: RelayStatistics,
	virtualRouter: string,
): RouterStatistics | undefined {
	return state.routers.find(router => router.virtualRouter === virtualRouter)
}

/** The counters that a client's figures are taken from under `delta`; undefined: all zero. */
export function clientBaseline(
	router: RouterStatistics,
	client: ClientStatistics,
): ServiceCounters | undefined {
	if (client.baselines !== router.baselines) return client.now
	return client.baseline ?? undefined
}

/** Where the last event was counted: the next one often belongs there too. Never saved. */
const place: {
	state: RelayStatistics | undefined
	router: RouterStatistics
	address: string
	client: ClientStatistics | undefined
} = { state: undefined, router: newRouter(''), address: '', client: undefined }

const virtualRouterOf = createVirtualRouterReader()

function newCounters(): ServiceCounters {
	return {
		authentication: new Array<number>(Object.keys(authenticationRow).length).fill(0),
		accounting: new Array<number>(Object.keys(accountingRow).length).fill(0),
	}
}

function copyCounters({ authentication, accounting }: ServiceCounters): ServiceCounters {
	return { authentication: authentication.slice(), accounting: accounting.slice() }
}

function newRouter(virtualRouter: string): RouterStatistics {
	return {
		virtualRouter,
		total: newCounters(),
		baseline: null,
		baselines: 0,
		clients: {},
		clientCount: 0,
		discardedClientCount: 0,
		uncounted: 0,
	}
}

function findRouter(state: RelayStatistics, stream: string): RouterStatistics {
	const name = virtualRouterOf(stream)
	if (place.state === state && place.router.virtualRouter === name) return place.router
	const known = routerStatistics(state, name)
	const router = known ?? newRouter(name)
	if (known === undefined) state.routers.push(router)
	place.state = state
	place.router = router
	place.address = ''
	place.client = undefined
	return router
}

/** The client's entry, made if need be; undefined where it is counted overall only. */
function findClient(
	router: RouterStatistics,
	address: string,
	discarded: boolean,
): ClientStatistics | undefined {
	if (place.address === address && place.client !== undefined) return place.client
	if (address === '') return undefined
	const client = router.clients[address] ?? addClient(router, address, discarded)
	if (client === undefined) return undefined
	if (client.baselines !== router.baselines) {
		// Copied when a client first moves after a baseline: setting one takes no time, however
		// many clients there are.
		client.baseline = copyCounters(client.now)
		client.baselines = router.baselines
	}
	place.address = address
	place.client = client
	return client
}

function addClient(
	router: RouterStatistics,
	address: string,
	discarded: boolean,
): ClientStatistics | undefined {
	const full = discarded && router.discardedClientCount >= discardedClientLimit
	if (full || router.clientCount >= clientLimit) {
		router.uncounted++
		return undefined
	}
	const client = { now: newCounters(), baseline: null, baselines: router.baselines }
	router.clients[address] = client
	router.clientCount++
	if (discarded) router.discardedClientCount++
	return client
}

function accessRequested(counters: Counters): void {
	counters[authenticationRow.requests]!++
	counters[authenticationRow.pending]!++
}

function accountingRequested(counters: Counters, row: number): void {
	counters[accountingRow.requests]!++
	counters[accountingRow.pending]!++
	if (row !== accountingRow.requests) counters[row]!++
}

function accountingAnswered(counters: Counters, row: number): void {
	counters[accountingRow.responses]!++
	if (row !== accountingRow.responses) counters[row]!++
	ended(counters, accountingRow.pending)
}

function ended(counters: Counters, row: number): void {
	if (counters[row]! > 0) counters[row]!--
}

function openAccess(state: RelayStatistics, stream: string, address: string): void {
	const router = findRouter(state, stream)
	const client = findClient(router, address, false)
	accessRequested(router.total.authentication)
	if (client !== undefined) accessRequested(client.now.authentication)
}

function closeAccess(state: RelayStatistics, stream: string, address: string, row: number): void {
	const router = findRouter(state, stream)
	const client = findClient(router, address, false)
	const total = router.total.authentication
	total[row]!++
	ended(total, authenticationRow.pending)
	if (client === undefined) return
	const own = client.now.authentication
	own[row]!++
	ended(own, authenticationRow.pending)
}

function openAccounting(
	state: RelayStatistics,
	stream: string,
	address: string,
	row: number,
): void {
	const router = findRouter(state, stream)
	const client = findClient(router, address, false)
	accountingRequested(router.total.accounting, row)
	if (client !== undefined) accountingRequested(client.now.accounting, row)
}

function closeAccounting(
	state: RelayStatistics,
	stream: string,
	address: string,
	row: number,
): void {
	const router = findRouter(state, stream)
	const client = findClient(router, address, false)
	accountingAnswered(router.total.accounting, row)
	if (client !== undefined) accountingAnswered(client.now.accounting, row)
}

function responseRow(status: EventData<'AccountingAnswered'>['status']): number {
	switch (status) {
		case 'start':
			return accountingRow.startResponses
		case 'stop':
			return accountingRow.stopResponses
		case 'interim':
			return accountingRow.interimResponses
		case 'on':
		case 'off':
			return accountingRow.responses
		default:
			return status satisfies never
	}
}

/** A request that nobody answers waits no longer, and has no other row. */
function giveUp(state: RelayStatistics, stream: string, address: string, service: Service): void {
	const router = findRouter(state, stream)
	const client = findClient(router, address, false)
	const row = pendingRow[service]
	ended(router.total[service], row)
	if (client !== undefined) ended(client.now[service], row)
}

function discard(
	state: RelayStatistics,
	stream: string,
	{ service, client: address, reason, count }: EventData<'RequestsDiscarded'>,
): void {
	const router = findRouter(state, stream)
	const client = findClient(router, address, true)
	const row = pendingRow[service] + discardRow[reason]
	router.total[service][row]! += count
	if (client !== undefined) client.now[service][row]! += count
}

/** What was pending belonged to packets in flight, and those ended with the last run. */
function forgetPending(router: RouterStatistics): void {
	forgetPendingOf(router.total)
	for (const address in router.clients) forgetPendingOf(router.clients[address]!.now)
}

function forgetPendingOf({ authentication, accounting }: ServiceCounters): void {
	authentication[authenticationRow.pending] = 0
	accounting[accountingRow.pending] = 0
}

function setBaseline(router: RouterStatistics, at: number): void {
	router.baseline = { at, total: copyCounters(router.total) }
	router.baselines++
	place.client = undefined
}

function foldRelayStatistics(state: RelayStatistics, event: RecordedEvent): RelayStatistics {
	const { stream } = event
	switch (event.type) {
		case 'AccessRequested':
			openAccess(state, stream, event.data.client)
			break
		case 'AccessAccepted':
			closeAccess(state, stream, event.data.client, authenticationRow.accepts)
			break
		case 'AccessChallenged':
			closeAccess(state, stream, event.data.client, authenticationRow.challenges)
			break
		case 'AccessRejected':
			closeAccess(state, stream, event.data.client, authenticationRow.rejects)
			break
		case 'AccessUnanswered':
			giveUp(state, stream, event.data.client, 'authentication')
			break
		case 'AccountingStarted':
			openAccounting(state, stream, event.data.client, accountingRow.startRequests)
			break
		case 'AccountingUpdated':
			openAccounting(state, stream, event.data.client, accountingRow.interimRequests)
			break
		case 'AccountingStopped':
			openAccounting(state, stream, event.data.client, accountingRow.stopRequests)
			break
		case 'AccountingTurnedOn':
		case 'AccountingTurnedOff':
			openAccounting(state, stream, event.data.client, accountingRow.requests)
			break
		case 'AccountingAnswered':
			closeAccounting(state, stream, event.data.client, responseRow(event.data.status))
			break
		case 'AccountingUnanswered':
			giveUp(state, stream, event.data.client, 'accounting')
			break
		case 'RequestsDiscarded':
			discard(state, stream, event.data)
			break
		case 'RelayStarted':
			forgetPending(findRouter(state, stream))
			break
		case 'BaselineSet':
			if (event.data.scope === 'radius relay') setBaseline(findRouter(state, stream), event.at)
			break
		// A cached answer that went out once more is no duplicate in the sense of Table 7: that is a
		// repeat which came while its request was still pending.
		case 'AnswersRepeated':
		case 'ResponsesDiscarded':
		case 'UpstreamChanged':
		case 'SubscriberTerminated':
		case 'RelayStopped':
		case 'SubscriberErased':
		case 'RetentionApplied':
		case 'ConfigurationChanged':
		case 'MessageAuthenticatorSeen':
		case 'PoolRequested':
		case 'SrcSessionOpened':
		case 'SrcSessionClosed':
		case 'SrcServerChanged':
		case 'SrcAnswersDiscarded':
		case 'DisconnectRequested':
		case 'DisconnectAnswered':
		case 'DynamicRequestsDiscarded':
		case 'DisconnectAnswersDiscarded':
		case 'PoolSelected':
		case 'LeaseOffered':
		case 'LeaseGranted':
		case 'LeaseRenewed':
		case 'LeaseRefused':
		case 'LeaseDeclined':
		case 'LeaseReleased':
		case 'LeaseExpired':
		case 'PoolWarningChanged':
		case 'DhcpDiscarded':
		case 'DhcpForwarded':
		case 'LeaseObserved':
		case 'ClockStepped':
			break
		default:
			event satisfies never
	}
	return state
}
