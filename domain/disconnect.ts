/**
 * RADIUS-initiated disconnect and change of authorization (RFC 5176): which session a request
 * means, whether it may have its way, and what is recorded of it. Where the session's access point
 * takes Disconnect-Requests itself, it is asked first and its answer decides.
 */
import { parseIpv4 } from './address.ts'
import {
	type DynamicRequest,
	type EventData,
	type NewEvent,
	relayStream,
	subscriberStream,
} from './event.ts'
import { leasesOfMac } from './lease-state.ts'
import { terminate } from './session.ts'
import { macsUnder, type Session } from './session-table.ts'
import { type RouterState, routerState, type State } from './state.ts'

/** RFC 5176 §3.5. */
export const errorCause = {
	unsupportedAttribute: 401,
	missingAttribute: 402,
	nasIdentificationMismatch: 403,
	invalidRequest: 404,
	unsupportedService: 405,
	administrativelyProhibited: 501,
	sessionContextNotFound: 503,
	sessionContextNotRemovable: 504,
	resourcesUnavailable: 506,
	multipleSessions: 508,
} as const

/** What a request names a session by; whatever is there must match (RFC 5176 §3). */
export type Identification = {
	readonly session?: string
	readonly multiSession?: string
	readonly user?: string
	readonly mac?: string
	readonly wap?: string
	/** Framed-IP-Address [8], dotted. */
	readonly address?: string
	readonly nasAddress?: string
	readonly nasIdentifier?: string
}

/** Who asks, and for what. */
type Asker = { readonly at: number; readonly router: string; readonly server: string }

export type DynamicRequestInput = Asker & {
	readonly request: DynamicRequest
	readonly asked: Identification
	/** Error-Cause of what is wrong with the request itself. */
	readonly fault: number | undefined
	/** `subscriber disconnect` or `authorization change` is configured for the server. */
	readonly allowed: boolean
	/** Addresses that the relay itself may be known by, dotted. */
	readonly own: readonly string[]
	/** Addresses of the access points that take Disconnect-Requests. */
	readonly disconnectClients: { has(address: string): boolean }
}

/** A session as its access point knows it. */
export type DisconnectTarget = {
	/** The session itself: as long as the state has this very object, it has not ended. */
	readonly session: Session
	readonly mac: string
	readonly wap: string
	/** The access point's address. */
	readonly client: string
	/** Its Acct-Session-Id for the session, where it has given one. */
	readonly accounting: string | undefined
}

export type Verdict =
	| { readonly accepted: true }
	| { readonly accepted: false; readonly errorCause: number }

/** What the server is told when the events are on disk, or which access point is asked first. */
export type DisconnectDecision = { readonly events: readonly NewEvent[] } & (
	| { readonly kind: 'answer'; readonly verdict: Verdict }
	| { readonly kind: 'ask'; readonly target: DisconnectTarget }
)

/** Candidates that are looked at; more sessions than that under one name are several for sure. */
const candidateLimit = 1000

export function decideDynamicRequest(state: State, input: DynamicRequestInput): DisconnectDecision {
	const { at, request, asked } = input
	const router = routerState(state, input.router)
	const found = input.allowed
		? (input.fault ?? findSession(router, asked, input.own))
		: errorCause.administrativelyProhibited
	const session = typeof found === 'number' ? undefined : found
	const requested = disconnectRequested(input, session?.mac ?? asked.mac)
	const exchange = state.position + 1
	const opened = { ...input, exchange, stream: requested.stream }
	if (typeof found === 'number') return refuse([requested], opened, found)
	if (request === 'change-of-authorization') {
		// It asks for nothing but what is so already: everything else has been refused as unsupported.
		const verdict = { accepted: true } as const
		return { kind: 'answer', events: [requested, disconnectAnswered(opened, verdict)], verdict }
	}
	const client = router.accessPoints.get(found.wap)?.client ?? ''
	if (input.disconnectClients.has(client)) {
		return { kind: 'ask', events: [requested], target: targetOf(found, client) }
	}
	const terminated = terminate(router, found, 'disconnect', at)
	const verdict = { accepted: true } as const
	const answered = disconnectAnswered(opened, verdict)
	return { kind: 'answer', events: [requested, terminated, answered], verdict }
}

function targetOf(session: Session, client: string): DisconnectTarget {
	const { mac, wap } = session
	// An Acct-Session-Id of the access point that was left behind means nothing to this one.
	const accounting = session.accountingWap === wap ? session.accounting : undefined
	return { session, mac, wap, client, accounting }
}

/** The session that all of the identification agrees on, or an Error-Cause. */
function findSession(
	router: RouterState,
	asked: Identification,
	own: readonly string[],
): Session | number {
	const matching: Session[] = []
	let elsewhere = false
	let seen = 0
	for (const mac of candidates(router, asked)) {
		if (++seen > candidateLimit) return errorCause.multipleSessions
		const session = router.sessions.get(mac)
		if (session === undefined || !matches(session, asked)) continue
		if (asked.address !== undefined && !hasAddress(router, mac, asked.address)) continue
		if (isElsewhere(router, session, asked, own)) elsewhere = true
		else matching.push(session)
		if (matching.length > 1) return errorCause.multipleSessions
	}
	const [session] = matching
	if (session !== undefined) return session
	return elsewhere ? errorCause.nasIdentificationMismatch : errorCause.sessionContextNotFound
}

function candidates(router: RouterState, asked: Identification): Iterable<string> {
	const { mac, session, multiSession } = asked
	if (mac !== undefined) return [mac]
	if (session !== undefined) return macsUnder(router.byAccounting, session)
	return multiSession === undefined ? [] : macsUnder(router.byMultiSession, multiSession)
}

function matches(session: Session, asked: Identification): boolean {
	return (
		agree(asked.session, session.accounting) &&
		agree(asked.multiSession, session.multiSession) &&
		agree(asked.user, session.user) &&
		agree(asked.wap, session.wap)
	)
}

function agree(asked: string | undefined, known: string | undefined): boolean {
	return asked === undefined || asked === known
}

/** The subscriber has that very address by DHCP. */
function hasAddress(router: RouterState, mac: string, text: string): boolean {
	const address = parseIpv4(text)
	const leases = leasesOfMac(router.leases, mac)
	return leases.some(lease => lease.status === 'bound' && lease.address === address)
}

/**
 * RFC 5176 §3: a NAS that is named must be the session's. An access point that never said who it is
 * goes by the address that its packets come from; its RADIUS server may also take the relay for it.
 */
function isElsewhere(
	router: RouterState,
	{ wap }: Session,
	{ nasAddress, nasIdentifier }: Identification,
	own: readonly string[],
): boolean {
	const accessPoint = router.accessPoints.get(wap)
	const said = accessPoint?.nasAddress
	const addresses = said === undefined ? [accessPoint?.client, ...own] : [said]
	if (nasAddress !== undefined && !addresses.includes(nasAddress)) return true
	const named = accessPoint?.nasIdentifier
	return nasIdentifier !== undefined && named !== undefined && nasIdentifier !== named
}

export type AccessPointAnswer =
	| { readonly kind: 'ack' }
	/** Undefined where the access point gave no Error-Cause. */
	| { readonly kind: 'nak'; readonly errorCause: number | undefined }
	| { readonly kind: 'silent' }
	/** It could not be asked, because too many are being asked. */
	| { readonly kind: 'unasked' }

export type AccessPointInput = Asker & {
	/** Position and stream of the DisconnectRequested. */
	readonly exchange: number
	readonly stream: string
	readonly target: DisconnectTarget
	readonly answer: AccessPointAnswer
}

/** What follows from an access point's answer, or from its silence. */
export function decideAccessPointAnswer(
	state: State,
	input: AccessPointInput,
): DisconnectDecision & { readonly kind: 'answer' } {
	const { target, answer } = input
	const router = routerState(state, input.router)
	const current = router.sessions.get(target.mac)
	const opened = { ...input, request: 'disconnect' } as const
	// Its Stop has mostly overtaken the answer: the session that was meant has ended already.
	const ended = current !== target.session
	const cause = ended ? undefined : refusal(current, target, answer)
	if (cause !== undefined) return refuse([], opened, cause, answer.kind)
	const verdict = { accepted: true } as const
	const events = ended ? [] : [terminate(router, current, 'disconnect', input.at)]
	events.push(disconnectAnswered(opened, verdict, answer.kind))
	return { kind: 'answer', events, verdict }
}

function refusal(
	current: Session,
	target: DisconnectTarget,
	answer: AccessPointAnswer,
): number | undefined {
	switch (answer.kind) {
		case 'ack':
			// It roamed in the meantime, and is still on the network at another access point.
			return current.wap === target.wap ? undefined : errorCause.sessionContextNotRemovable
		case 'nak':
			return answer.errorCause ?? errorCause.sessionContextNotRemovable
		case 'silent':
		case 'unasked':
			return errorCause.resourcesUnavailable
		default:
			return answer satisfies never
	}
}

type Opened = Asker & {
	readonly exchange: number
	readonly stream: string
	readonly request: DynamicRequest
}

function refuse(
	before: readonly NewEvent[],
	opened: Opened,
	cause: number,
	accessPoint?: AccessPointAnswer['kind'],
): DisconnectDecision & { readonly kind: 'answer' } {
	const verdict = { accepted: false, errorCause: cause } as const
	const events = [...before, disconnectAnswered(opened, verdict, accessPoint)]
	return { kind: 'answer', events, verdict }
}

function disconnectRequested(input: DynamicRequestInput, mac: string | undefined): NewEvent {
	const { at, server, request, asked } = input
	const data: EventData<'DisconnectRequested'> = { server, request }
	if (mac !== undefined) data.mac = mac
	if (asked.session !== undefined) data.session = asked.session
	if (asked.multiSession !== undefined) data.multiSession = asked.multiSession
	if (asked.user !== undefined) data.user = asked.user
	// A request that names nobody who is known belongs to no subscriber's history.
	const stream = mac === undefined ? relayStream(input.router) : subscriberStream(input.router, mac)
	return { stream, type: 'DisconnectRequested', v: 1, at, data }
}

function disconnectAnswered(
	{ at, server, exchange, stream, request }: Opened,
	verdict: Verdict,
	accessPoint?: AccessPointAnswer['kind'],
): NewEvent {
	const data: EventData<'DisconnectAnswered'> = {
		exchange,
		server,
		request,
		accepted: verdict.accepted,
	}
	if (!verdict.accepted) data.errorCause = verdict.errorCause
	if (accessPoint !== undefined && accessPoint !== 'unasked') data.accessPoint = accessPoint
	return { stream, type: 'DisconnectAnswered', v: 1, at, data }
}
