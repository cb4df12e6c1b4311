/**
 * Statistics of the upstream side: what the relay asked each RADIUS server and what came back, as
 * the client MIBs define it (RFC 4668, RFC 4670). A counter is a number in an array, and its index
 * is its row in `show radius statistics`, below `UDP Port`, which the configuration knows.
 *
 * An outcome says little about the servers when everything went well, so the requests that are
 * still open are kept: position of the request → server that it was sent to.
 */
import type { Service } from '../domain/configuration.ts'
import type { AccountingStatus, EventData, RecordedEvent } from '../domain/event.ts'
import type { Projection } from './follow.ts'
import type { Counters } from './statistics.ts'
import { createVirtualRouterReader } from './virtual-router.ts'

export const authenticationServerRow = {
	/** A gauge: of the last answer, in hundredths of a second (TimeTicks, RFC 4668 §4). */
	roundTrip: 0,
	requests: 1,
	rollovers: 2,
	retransmissions: 3,
	accepts: 4,
	rejects: 5,
	challenges: 6,
	malformed: 7,
	badAuthenticators: 8,
	/** A gauge: requests that were first sent to this server and have no outcome yet. */
	pending: 9,
	timeouts: 10,
	unknown: 11,
	dropped: 12,
} as const

export const accountingServerRow = {
	roundTrip: 0,
	requests: 1,
	startRequests: 2,
	interimRequests: 3,
	stopRequests: 4,
	/** Acct-Status-Type Tunnel-Reject and Tunnel-Link-Reject: WAPs send none. */
	rejectRequests: 5,
	rollovers: 6,
	retransmissions: 7,
	responses: 8,
	startResponses: 9,
	interimResponses: 10,
	stopResponses: 11,
	rejectResponses: 12,
	malformed: 13,
	badAuthenticators: 14,
	pending: 15,
	timeouts: 16,
	unknown: 17,
	dropped: 18,
} as const

/** Rows that both services have. */
const commonRow = { authentication: authenticationServerRow, accounting: accountingServerRow }

export type ServerStatistics = {
	/** Its place in `servers`, counted from 1. */
	number: number
	virtualRouter: string
	service: Service
	/** As configured: an address as dotted text, or a host name. */
	address: string
	now: Counters
	/** The counters at the last baseline; null: all zero. */
	baseline: Counters | null
}

/** Open exchanges among `pageSize` positions: the number of each one's server; 0: none. */
type Page = { index: number; open: number; servers: number[] }

export type UpstreamStatistics = {
	servers: ServerStatistics[]
	/** When each virtual router's baseline was set, in milliseconds. */
	baselines: { virtualRouter: string; at: number }[]
	/**
	 * By index, ascending; a page without an open exchange is dropped. The relay bounds the requests
	 * in flight, and with them the pages. (An object with a key for each exchange is far slower.)
	 */
	pages: Page[]
	/** Times something was not counted, because there were too many servers. */
	uncounted: number
}

export const serverLimit = 1_024
const pageSize = 1_024

/** The projection: folds events into the statistics of every upstream server. */
export const upstreamStatistics: Projection<UpstreamStatistics> = {
	name: 'upstream-statistics',
	version: 1,
	initial: () => ({ servers: [], baselines: [], pages: [], uncounted: 0 }),
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
		'ResponsesDiscarded',
		'RelayStarted',
		'BaselineSet',
	],
	fold: foldUpstreamStatistics,
}

/** The statistics of one server; undefined when it was never asked. */
export function serverStatistics(
	state: UpstreamStatistics,
	virtualRouter: string,
	service: Service,
	address: string,
): ServerStatistics | undefined {
	return state.servers.find(
		server =>
			server.service === service &&
			server.address === address &&
			server.virtualRouter === virtualRouter,
	)
}

/** The server that was found last: the next request often goes there too. Never saved. */
const last: { state: UpstreamStatistics | undefined; server: ServerStatistics | undefined } = {
	state: undefined,
	server: undefined,
}

const virtualRouterOf = createVirtualRouterReader()

/** The server's entry, made if need be; undefined for no server, or for one too many. */
function findServer(
	state: UpstreamStatistics,
	stream: string,
	service: Service,
	address: string,
): ServerStatistics | undefined {
	if (address === '') return undefined
	const virtualRouter = virtualRouterOf(stream)
	const recent = last.server
	if (
		recent !== undefined &&
		last.state === state &&
		recent.service === service &&
		recent.address === address &&
		recent.virtualRouter === virtualRouter
	) {
		return recent
	}
	const server =
		serverStatistics(state, virtualRouter, service, address) ??
		addServer(state, virtualRouter, service, address)
	last.state = state
	last.server = server
	return server
}

function addServer(
	state: UpstreamStatistics,
	virtualRouter: string,
	service: Service,
	address: string,
): ServerStatistics | undefined {
	if (state.servers.length >= serverLimit) {
		state.uncounted++
		return undefined
	}
	const rows = Object.keys(commonRow[service]).length
	const now = new Array<number>(rows).fill(0)
	const number = state.servers.length + 1
	const server = { number, virtualRouter, service, address, now, baseline: null }
	state.servers.push(server)
	return server
}

/** Where the page is in `pages`, or -1; looked for from the newest, where it mostly is. */
function pageAt(pages: readonly Page[], index: number): number {
	let at = pages.length - 1
	while (at >= 0 && pages[at]!.index > index) at--
	return at >= 0 && pages[at]!.index === index ? at : -1
}

/**
 * The slots of a page that was closed, all 0 again, for the next: with few requests in flight pages
 * come and go with each of them. Never saved.
 */
let spareSlots: number[] | undefined

function freeSlots(): number[] {
	const slots = spareSlots ?? new Array<number>(pageSize).fill(0)
	spareSlots = undefined
	return slots
}

function openExchange(state: UpstreamStatistics, position: number, number: number): void {
	const { pages } = state
	const index = Math.floor(position / pageSize)
	const at = pageAt(pages, index)
	const page = at >= 0 ? pages[at]! : { index, open: 0, servers: freeSlots() }
	// Positions ascend, so a new page is always the last.
	if (at < 0) pages.push(page)
	page.servers[position - index * pageSize] = number
	page.open++
}

/** The server that an exchange was opened with, and closes it; undefined: none is open there. */
function closeExchange(state: UpstreamStatistics, position: number): ServerStatistics | undefined {
	const { pages } = state
	const index = Math.floor(position / pageSize)
	const at = pageAt(pages, index)
	if (at < 0) return undefined
	const page = pages[at]!
	const slot = position - index * pageSize
	const number = page.servers[slot]!
	if (number === 0) return undefined
	page.servers[slot] = 0
	if (--page.open === 0) {
		pages.splice(at, 1)
		spareSlots = page.servers
	}
	const server = state.servers[number - 1]!
	server.now[commonRow[server.service].pending]!--
	return server
}

type Opening = EventData<'AccessRequested'> | EventData<'AccountingTurnedOn'>

/** `statusRow` counts the request beside the total; 0 for none. */
function open(
	state: UpstreamStatistics,
	event: RecordedEvent & { data: Opening },
	service: Service,
	statusRow: number,
): void {
	const server = findServer(state, event.stream, service, event.data.server)
	if (server === undefined) return
	const row = commonRow[service]
	server.now[row.requests]!++
	server.now[row.pending]!++
	if (statusRow !== 0) server.now[statusRow]!++
	openExchange(state, event.position, server.number)
}

type Answer = { exchange: number; server: string; roundTripUs: number; tries?: Tries }
type Tries = [server: string, transmissions: number][]

/** Counts an answer in `answerRow`; `statusRow` as for `open`, for requests that rolled over. */
function answered(
	state: UpstreamStatistics,
	stream: string,
	service: Service,
	data: Answer,
	answerRow: number,
	statusRow: number,
): ServerStatistics | undefined {
	const requested = closeExchange(state, data.exchange)
	const plain = data.tries === undefined && requested !== undefined
	const server = plain ? requested : findServer(state, stream, service, data.server)
	if (data.tries !== undefined) {
		// Every transmission but the answered one ran into its time-out.
		countTries(state, stream, service, data.tries, requested, statusRow)
		const tried = data.tries.some(([address]) => address === data.server)
		if (tried && server !== undefined) server.now[commonRow[service].timeouts]!--
	}
	if (server === undefined) return undefined
	server.now[answerRow]!++
	server.now[commonRow[service].roundTrip] = Math.round(data.roundTripUs / 10_000)
	return server
}

/**
 * A request that goes to a further server is a request and a rollover there (RFC 4668 §4: sending
 * to another server counts as a request as well as a time-out). A server that was never sent
 * anything is left out. Each transmission is counted as timed out.
 */
function countTries(
	state: UpstreamStatistics,
	stream: string,
	service: Service,
	tries: Tries,
	requested: ServerStatistics | undefined,
	statusRow: number,
): void {
	const row = commonRow[service]
	for (let i = 0; i < tries.length; i++) {
		const [address, transmissions] = tries[i]!
		const server = findServer(state, stream, service, address)
		if (server === undefined || transmissions === 0) continue
		const first = requested === undefined ? i === 0 : i === 0 && server === requested
		if (!first) {
			server.now[row.requests]!++
			server.now[row.rollovers]!++
			if (statusRow !== 0) server.now[statusRow]!++
		}
		server.now[row.retransmissions]! += transmissions - 1
		server.now[row.timeouts]! += transmissions
	}
}

function unanswered(
	state: UpstreamStatistics,
	stream: string,
	service: Service,
	data: EventData<'AccessUnanswered'>,
	statusRow: number,
): void {
	const { reason, tries } = data
	const row = commonRow[service]
	const requested = closeExchange(state, data.exchange)
	if (tries !== undefined) countTries(state, stream, service, tries, requested, statusRow)
	const lastTry = tries?.at(-1)
	const final = lastTry === undefined ? requested : findServer(state, stream, service, lastTry[0])
	if (final === undefined) return
	switch (reason) {
		case 'timeout':
			if (tries === undefined) final.now[row.timeouts]!++
			return
		case 'superseded':
		case 'stopped':
			// Given up before the last transmission could time out.
			if (lastTry !== undefined && lastTry[1] > 0) final.now[row.timeouts]!--
			return
		// Never sent to that server: without this the server's rows would not add up.
		case 'queue-full':
		case 'too-long':
			final.now[row.dropped]!++
			return
		case 'no-server':
			return
		default:
			reason satisfies never
	}
}

function requestRow(status: AccountingStatus): number {
	switch (status) {
		case 'start':
			return accountingServerRow.startRequests
		case 'interim':
			return accountingServerRow.interimRequests
		case 'stop':
			return accountingServerRow.stopRequests
		case 'on':
		case 'off':
			return 0
		default:
			return status satisfies never
	}
}

/** The rows of responses stand in the order of the rows of requests. */
const responseOffset = accountingServerRow.startResponses - accountingServerRow.startRequests

function accountingAnswered(
	state: UpstreamStatistics,
	stream: string,
	data: EventData<'AccountingAnswered'>,
): void {
	const statusRow = requestRow(data.status)
	const { responses } = accountingServerRow
	const server = answered(state, stream, 'accounting', data, responses, statusRow)
	if (server !== undefined && statusRow !== 0) server.now[statusRow + responseOffset]!++
}

function discardResponses(
	state: UpstreamStatistics,
	stream: string,
	{ service, server: address, reason, count }: EventData<'ResponsesDiscarded'>,
): void {
	const server = findServer(state, stream, service, address)
	if (server === undefined) return
	const row = commonRow[service]
	switch (reason) {
		case 'malformed':
			server.now[row.malformed]! += count
			return
		case 'bad-authenticator':
			server.now[row.badAuthenticators]! += count
			return
		case 'unexpected-code':
			server.now[row.unknown]! += count
			return
		case 'unknown':
			// RFC 4668 §4: a type that is none is unknown; a late or foreign answer is dropped
			// for some other reason.
			server.now[row.dropped]! += count
			return
		default:
			reason satisfies never
	}
}

/** What was pending belonged to packets in flight, and those ended with the last run. */
function forgetPending(state: UpstreamStatistics, virtualRouter: string): void {
	for (const page of state.pages) {
		for (let slot = 0; slot < pageSize; slot++) {
			const number = page.servers[slot]!
			if (number === 0 || state.servers[number - 1]!.virtualRouter !== virtualRouter) continue
			page.servers[slot] = 0
			page.open--
		}
	}
	state.pages = state.pages.filter(page => page.open > 0)
	for (const server of state.servers) {
		if (server.virtualRouter === virtualRouter) server.now[commonRow[server.service].pending] = 0
	}
}

function setBaseline(state: UpstreamStatistics, virtualRouter: string, at: number): void {
	state.baselines = state.baselines.filter(baseline => baseline.virtualRouter !== virtualRouter)
	state.baselines.push({ virtualRouter, at })
	for (const server of state.servers) {
		if (server.virtualRouter === virtualRouter) server.baseline = server.now.slice()
	}
}

function foldUpstreamStatistics(
	state: UpstreamStatistics,
	event: RecordedEvent,
): UpstreamStatistics {
	const { stream } = event
	switch (event.type) {
		case 'AccessRequested':
			open(state, event, 'authentication', 0)
			break
		case 'AccessAccepted':
			answered(state, stream, 'authentication', event.data, authenticationServerRow.accepts, 0)
			break
		case 'AccessChallenged':
			answered(state, stream, 'authentication', event.data, authenticationServerRow.challenges, 0)
			break
		case 'AccessRejected':
			answered(state, stream, 'authentication', event.data, authenticationServerRow.rejects, 0)
			break
		case 'AccessUnanswered':
			unanswered(state, stream, 'authentication', event.data, 0)
			break
		case 'AccountingStarted':
			open(state, event, 'accounting', accountingServerRow.startRequests)
			break
		case 'AccountingUpdated':
			open(state, event, 'accounting', accountingServerRow.interimRequests)
			break
		case 'AccountingStopped':
			open(state, event, 'accounting', accountingServerRow.stopRequests)
			break
		case 'AccountingTurnedOn':
		case 'AccountingTurnedOff':
			open(state, event, 'accounting', 0)
			break
		case 'AccountingAnswered':
			accountingAnswered(state, stream, event.data)
			break
		case 'AccountingUnanswered':
			unanswered(state, stream, 'accounting', event.data, requestRow(event.data.status))
			break
		case 'ResponsesDiscarded':
			discardResponses(state, stream, event.data)
			break
		case 'RelayStarted':
			forgetPending(state, virtualRouterOf(stream))
			break
		case 'BaselineSet':
			if (event.data.scope === 'radius') setBaseline(state, virtualRouterOf(stream), event.at)
			break
		case 'RequestsDiscarded':
		case 'AnswersRepeated':
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
