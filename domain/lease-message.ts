/**
 * What the rules of the DHCP local server share: a client's message as facts, what is known of the client,
 * and the events and replies that follow.
 */
import { formatIpv4 } from './address.ts'
import type { DhcpLocal } from './configuration.ts'
import type { RequestKind } from './dhcp/packet.ts'
import { type EventData, type NewEvent, subscriberStream } from './event.ts'
import { isTaken, type Lease, leaseAt, leasesOfMac, otherAddressesOf } from './lease-state.ts'
import { choosePool, type Pool, type PoolChoice, type Pools } from './pool.ts'
import type { SrcReply } from './sae/bridge.ts'
import type { SrcDecision } from './sae/logins.ts'
import type { Session } from './session-table.ts'
import type { RouterState } from './state.ts'

/** Somebody uses an address who does not have it: nobody gets it for a day. */
export const declineHoldMs = 24 * 3600 * 1000
/** Addresses that one MAC can have at once with several client identifiers (`standalone`). */
const leasesPerMac = 8

/** What the rules go by. `pools` are in step with `router.leases`. */
export type LeaseContext = {
	/** The virtual router's name; its state may know nothing yet, not even that. */
	readonly name: string
	readonly router: RouterState
	readonly service: NonNullable<DhcpLocal['service']>
	readonly settings: DhcpLocal
	readonly pools: Pools
	/** Wall-clock milliseconds of now, for events; and the same in steady time. */
	readonly at: number
	readonly steadyAt: number
	/** Addresses that wait for the answer to a ping: nobody else is offered them meanwhile. */
	readonly pinging: ReadonlySet<number>
	/** `sscc enable`: SRC is asked for the pools of subscribers, and told of their addresses. */
	readonly asksSrc: boolean
}

/** A client's message as facts; addresses are unsigned numbers, 0 for none. */
export type DhcpRequest = {
	readonly message: 'discover' | 'request' | 'decline' | 'release' | 'inform'
	/** Of a DHCPREQUEST; `invalid` elsewhere. */
	readonly kind: RequestKind
	readonly mac: string
	/** As `clientKey` gives it. */
	readonly client: string
	/** Requested IP Address [50]. */
	readonly requested: number
	readonly ciaddr: number
	readonly giaddr: number
	/** The relay's word for the client's network where it is not giaddr (RFC 3527), else giaddr. */
	readonly link: number
	/** Whether Server Identifier [54] is absent or names this server. */
	readonly forUs: boolean
	readonly interface: string
	/** The receiving interface's own address. */
	readonly interfaceAddress: number
	readonly hostname: string | undefined
	/** What became of the question to SRC; a DHCPDISCOVER is put off until it is there. */
	readonly src?: SrcReply
	/** An address that was pinged for this client, and nobody answered. */
	readonly silent?: number
}

/** What the client is told; `session` and `decision` have what RADIUS and SRC said about its options. */
export type LeaseReply =
	| {
			readonly kind: 'offer' | 'ack'
			readonly address: number
			readonly pool: Pool
			/** 0: infinite. */
			readonly leaseSeconds: number
			readonly session: Session | undefined
			readonly decision: SrcDecision | undefined
	  }
	/** To a DHCPINFORM: options without a lease. */
	| {
			readonly kind: 'inform'
			readonly pool: Pool
			readonly session: Session | undefined
			readonly decision: SrcDecision | undefined
	  }
	/**
	 * `message`: for Message [56]. `here`: the client is on the interface that its message came by,
	 * whatever network its address is of.
	 */
	| { readonly kind: 'nak'; readonly message: string; readonly here: boolean }

export type LeaseDecision = {
	readonly events: readonly NewEvent[]
	readonly reply?: LeaseReply
	/** Why nothing comes of the message, for the gathered count. */
	readonly discard?: string
	/** This address is to be pinged before the message is decided again. */
	readonly ping?: number
	/** The address was offered to somebody who has not taken it: no other was left. */
	readonly reclaimed?: true
	/** SRC is to be asked about this subscriber before the message is decided again. */
	readonly ask?: Session
}

/** Why a client is refused; sentences for the DHCPNAK. */
const refusals = {
	'no-session': 'You are not logged in.',
	'no-pool': 'There is no address pool for you.',
	'no-address': 'No address is left.',
	limit: 'Too many clients are on your interface.',
	'too-many-identifiers': 'You have too many addresses under other client identifiers.',
	'other-network': 'That address is not of the network where you are.',
	'other-interface': 'You have moved to another interface.',
	'not-offered': 'That address was not offered to you.',
	'not-yours': 'Somebody else has that address.',
	'unknown-lease': 'You do not have that address.',
	'outside-pools': 'That address is given to nobody any more.',
} as const
type Refusal = keyof typeof refusals

// ---- who asks, and what they have

/** Nothing comes of the message. */
export function discard(reason: string): LeaseDecision {
	return { events: [], discard: reason }
}

/** The session that the client is served for; undefined: it is not served. */
export function admit(
	{ router, service }: LeaseContext,
	{ mac }: DhcpRequest,
): { readonly session: Session | undefined } | undefined {
	if (service === 'standalone') return { session: undefined }
	const session = router.sessions.get(mac)
	return session === undefined ? undefined : { session }
}

/** Whether a lease is this client's. */
export function isClients({ service }: LeaseContext, request: DhcpRequest, lease: Lease): boolean {
	if (lease.mac !== request.mac || lease.status === 'declined') return false
	if (service !== 'standalone' || lease.client === request.client) return true
	// Behind `id:` and `hw:`: an identifier of hardware type and address is the same as none at all.
	return lease.client.slice(3) === request.client.slice(3)
}

/** What the client has and had, the latest first. */
export function leasesOfClient(context: LeaseContext, request: DhcpRequest): Lease[] {
	const all = leasesOfMac(context.router.leases, request.mac)
	return all.length === 0 ? all : all.filter(lease => isClients(context, request, lease))
}

/** What the client has bound beside that address; nearly always nothing. */
export function otherBoundLeases(
	context: LeaseContext,
	request: DhcpRequest,
	address: number,
): readonly Lease[] {
	if (otherAddressesOf(context.router.leases, request.mac, address).length === 0) return []
	return leasesOfClient(context, request).filter(
		lease => lease.address !== address && lease.status === 'bound',
	)
}

/** The lease of an address, where it is this client's. */
export function ownLease(
	context: LeaseContext,
	request: DhcpRequest,
	address: number,
): Lease | undefined {
	const lease = leaseAt(context.router.leases, address)
	return lease !== undefined && isClients(context, request, lease) ? lease : undefined
}

/** What SRC says: to this very question, else what it said last and what stands therefore. */
export function decisionFor(
	{ router }: LeaseContext,
	request: DhcpRequest,
): SrcDecision | undefined {
	if (request.src !== undefined) return request.src.accept ? request.src.decision : undefined
	return router.src.subscribers.get(request.mac)?.decision
}

/** The pool for a client at a place; `link` as in the request, unless it is known better. */
export function choiceFor(
	context: LeaseContext,
	request: DhcpRequest,
	session: Session | undefined,
	link = request.link,
): PoolChoice | undefined {
	const src = session && decisionFor(context, request)
	const wishes = session && { user: session.user, ...session.addressing, src }
	return choosePool(context.pools, wishes, link, request.interfaceAddress)
}

/** The lease's length: RFC 2865 §5.27's Session-Timeout bounds what SRC or the pool gives. */
export function leaseSecondsOf(
	pool: Pool,
	session: Session | undefined,
	decision: SrcDecision | undefined,
): number {
	const leaseSeconds = decision?.leaseSeconds ?? pool.settings.leaseSeconds
	const limit = session?.addressing?.sessionTimeoutSeconds
	if (limit === undefined || limit === 0) return leaseSeconds
	return leaseSeconds === 0 ? limit : Math.min(leaseSeconds, limit)
}

/** One client more than the interface may have. */
export function isOverLimit({ settings, router }: LeaseContext, request: DhcpRequest): boolean {
	const { limitPerInterface } = settings
	if (limitPerInterface === undefined) return false
	return (router.leases.boundOn.get(request.interface) ?? 0) >= limitPerInterface
}

/** More client identifiers than one MAC may hold addresses under. */
export function hasTooMany({ router, steadyAt }: LeaseContext, request: DhcpRequest): boolean {
	const all = leasesOfMac(router.leases, request.mac)
	return all.filter(lease => isTaken(lease, steadyAt)).length >= leasesPerMac
}

/** Whether the client has taken an address after the last that is known of another one of its. */
export function isLater(taken: Lease, other: Lease): boolean {
	if (taken.status !== 'bound') return false
	// The one that it left behind for this one was given up in the same moment.
	const leftBehind = other.status === 'held' && taken.changedAt === other.changedAt
	return taken.changedAt > other.changedAt || leftBehind
}

// ---- events

/** The facts of a lease or an offer; `giaddr` is 0 for a client that is attached directly. */
export function leaseData(
	{ service }: LeaseContext,
	request: DhcpRequest,
	address: number,
	pool: Pool,
	leaseSeconds: number,
	expiresAt: number,
	giaddr: number,
): EventData<'LeaseGranted'> {
	const { mac, client, hostname } = request
	const data: EventData<'LeaseGranted'> = {
		mac,
		client,
		pool: pool.name,
		address: formatIpv4(address),
		leaseSeconds,
		expiresAt,
		interface: request.interface,
	}
	if (service !== 'standalone') data.session = true
	if (giaddr !== 0) data.giaddr = formatIpv4(giaddr)
	if (hostname !== undefined) data.hostname = hostname
	return data
}

/** What is leased is told to SRC, where it is on and serves subscribers. */
export function isToldToSrc({ asksSrc, service }: LeaseContext): boolean {
	return asksSrc && service !== 'standalone'
}

/** A refusal: `nak` tells the client, `silent` does not; `address` is 0 where it names none. */
export function refuse(
	context: LeaseContext,
	request: DhcpRequest,
	reason: Refusal,
	address: number,
	answer: 'nak' | 'silent',
	pool?: string,
): LeaseDecision {
	const { mac, client } = request
	const data: EventData<'LeaseRefused'> = { mac, client, reason }
	if (address !== 0) data.address = formatIpv4(address)
	if (answer === 'silent') data.silent = true
	if (pool !== undefined) data.pool = pool
	if (request.src !== undefined) data.request = request.src.request
	const stream = subscriberStream(context.name, mac)
	const event: NewEvent = { stream, type: 'LeaseRefused', v: 1, at: context.at, data }
	if (answer === 'silent') return { events: [event] }
	// What was broadcast without a relay agent comes from this very link.
	const here = reason === 'other-interface' || request.kind !== 'renewing'
	return { events: [event], reply: { kind: 'nak', message: refusals[reason], here } }
}

/** The end of a lease by other means than time; the address is free at once. */
export function released(
	name: string,
	lease: Lease,
	cause: EventData<'LeaseReleased'>['cause'],
	at: number,
): NewEvent {
	const { mac, client, pool } = lease
	const stream = subscriberStream(name, mac)
	const address = formatIpv4(lease.address)
	const data = { mac, client, pool, address, cause, heldUntil: at }
	return { stream, type: 'LeaseReleased', v: 1, at, data }
}

/** An address is taken out of use until `until` (wall clock); `ping`: the server found that out itself. */
export function declined(
	{ name, at }: LeaseContext,
	{ mac, client }: DhcpRequest,
	pool: string,
	address: number,
	until: number,
	ping: boolean,
): NewEvent {
	const facts = { mac, client, pool, address: formatIpv4(address), until }
	const data: EventData<'LeaseDeclined'> = ping ? { ...facts, ping } : facts
	return { stream: subscriberStream(name, mac), type: 'LeaseDeclined', v: 1, at, data }
}
