/**
 * The rules of the DHCP local server (RFC 2131): what follows from a client's message, and from time.
 * `decideLease` is pure; it gives the events to record and the reply that may leave when they are on
 * disk. Who may be served at all:
 *
 * - `equal-access`, `standalone authenticate`: subscribers with a live session. A subscriber is a MAC
 *   and has one address, whatever client identifier is sent (a boot loader's differs from its system's).
 * - `standalone`: everybody; a client is its MAC and its client identifier.
 *
 * Time is steady time throughout (`lease-state.ts`). A lease ends by a `LeaseExpired` in the journal,
 * never by a look at the clock alone.
 */
import { formatIpv4 } from './address.ts'
import type { DhcpLocal } from './configuration.ts'
import type { RequestKind } from './dhcp/packet.ts'
import { type EventData, type NewEvent, relayStream, subscriberStream } from './event.ts'
import {
	addressesEndingIn,
	firstSlice,
	type Lease,
	leaseAt,
	leasesOfMac,
	sliceOf,
} from './lease-state.ts'
import {
	choosePool,
	isFreeFor,
	isTaken,
	linkedPools,
	nextFree,
	type Pool,
	type PoolChoice,
	type Pools,
	poolAround,
	poolFor,
} from './pool.ts'
import { reasonWithSrc, type SrcReply, srcPart } from './sae/bridge.ts'
import type { SrcDecision } from './sae/logins.ts'
import type { Session } from './session-table.ts'
import type { RouterState } from './state.ts'

/** An offer keeps its address this long; clients choose within seconds. */
export const offerMs = 60_000
/** An offer that has more than this left is repeated as it is, without another event. */
const offerRepeatMs = 30_000
/** Somebody uses an address who does not have it: nobody gets it for a day. */
export const declineHoldMs = 24 * 3600 * 1000
/** Whoever had an address within this time finds it without a ping. */
const seenLatelyMs = 24 * 3600 * 1000
/** A lease is held this much longer than the client was told: steady time is not exact. */
export const expiryMarginMs = 2000
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
	/** `message`: for Message [56]. */
	| { readonly kind: 'nak'; readonly message: string }

export type LeaseDecision = {
	readonly events: readonly NewEvent[]
	readonly reply?: LeaseReply
	/** Why nothing comes of the message, for the gathered count. */
	readonly discard?: string
	/** This address is to be pinged before the message is decided again. */
	readonly ping?: number
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

export function decideLease(context: LeaseContext, request: DhcpRequest): LeaseDecision {
	switch (request.message) {
		case 'discover':
			return discover(context, request)
		case 'request':
			return requestAddress(context, request)
		case 'decline':
			return decline(context, request)
		case 'release':
			return release(context, request)
		case 'inform':
			return inform(context, request)
		default:
			return request.message satisfies never
	}
}

function requestAddress(context: LeaseContext, request: DhcpRequest): LeaseDecision {
	switch (request.kind) {
		case 'selecting':
			return select(context, request)
		case 'init-reboot':
			return reboot(context, request)
		case 'renewing':
		case 'rebinding':
			return renew(context, request)
		case 'invalid':
			return discard('invalid')
		default:
			return request.kind satisfies never
	}
}

// ---- who asks, and what they have

function discard(reason: string): LeaseDecision {
	return { events: [], discard: reason }
}

/** The session that the client is served for; undefined: it is not served. */
function admit(
	{ router, service }: LeaseContext,
	{ mac }: DhcpRequest,
): { readonly session: Session | undefined } | undefined {
	if (service === 'standalone') return { session: undefined }
	const session = router.sessions.get(mac)
	return session === undefined ? undefined : { session }
}

/** Whether a lease is this client's. */
function isClients({ service }: LeaseContext, request: DhcpRequest, lease: Lease): boolean {
	if (lease.mac !== request.mac || lease.status === 'declined') return false
	// Behind `id:` and `hw:`: an identifier of hardware type and address is the same as none at all.
	return service !== 'standalone' || lease.client.slice(3) === request.client.slice(3)
}

/** What the client has and had, the latest first. */
function leasesOfClient(context: LeaseContext, request: DhcpRequest): Lease[] {
	const all = leasesOfMac(context.router.leases, request.mac)
	return all.filter(lease => isClients(context, request, lease))
}

/** The lease of an address, where it is this client's. */
function ownLease(context: LeaseContext, request: DhcpRequest, address: number): Lease | undefined {
	const lease = leaseAt(context.router.leases, address)
	return lease !== undefined && isClients(context, request, lease) ? lease : undefined
}

/** What SRC says: to this very question, else what it said last and what stands therefore. */
function decisionFor({ router }: LeaseContext, request: DhcpRequest): SrcDecision | undefined {
	if (request.src !== undefined) return request.src.accept ? request.src.decision : undefined
	return router.src.subscribers.get(request.mac)?.decision
}

function choiceFor(
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
function leaseSecondsOf(
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
function isOverLimit({ settings, router }: LeaseContext, request: DhcpRequest): boolean {
	const { limitPerInterface } = settings
	if (limitPerInterface === undefined) return false
	return (router.leases.boundOn.get(request.interface) ?? 0) >= limitPerInterface
}

/** More client identifiers than one MAC may hold addresses under. */
function hasTooMany({ router, steadyAt }: LeaseContext, request: DhcpRequest): boolean {
	const all = leasesOfMac(router.leases, request.mac)
	return all.filter(lease => isTaken(lease, steadyAt)).length >= leasesPerMac
}

// ---- events

function leaseData(
	{ service }: LeaseContext,
	request: DhcpRequest,
	address: number,
	pool: Pool,
	leaseSeconds: number,
	expiresAt: number,
	giaddr: number,
): EventData<'LeaseGranted'> {
	const { mac, client, hostname } = request
	return {
		mac,
		client,
		pool: pool.name,
		address: formatIpv4(address),
		leaseSeconds,
		expiresAt,
		interface: request.interface,
		...(service === 'standalone' ? {} : { session: true as const }),
		...(giaddr === 0 ? {} : { giaddr: formatIpv4(giaddr) }),
		...(hostname === undefined ? {} : { hostname }),
	}
}

/** What is leased is told to SRC, where it is on and serves subscribers. */
function toldToSrc({ asksSrc, service }: LeaseContext): { src?: true } {
	return asksSrc && service !== 'standalone' ? { src: true } : {}
}

function refuse(
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
	return { events: [event], reply: { kind: 'nak', message: refusals[reason] } }
}

function released(
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

/** A session ended: so does what was leased for it. */
export function releaseOfSession(router: RouterState, mac: string, at: number): NewEvent[] {
	return leasesOfMac(router.leases, mac)
		.filter(({ status, forSession }) => forSession && (status === 'bound' || status === 'offered'))
		.map(lease => released(router.name, lease, 'session', at))
}

// ---- DHCPDISCOVER

function discover(context: LeaseContext, request: DhcpRequest): LeaseDecision {
	const admitted = admit(context, request)
	if (admitted === undefined) return discard('no-session')
	const { session } = admitted
	const own = leasesOfClient(context, request)
	if (context.asksSrc && session !== undefined && request.src === undefined) {
		return repeatedOffer(context, request, session, own) ?? { events: [], ask: session }
	}
	if (request.src?.accept === false) return turnAway(context, request, request.src)
	const choice = choiceFor(context, request, session)
	if (choice === undefined) return refuse(context, request, 'no-pool', 0, 'silent')
	const isBound = own.some(lease => lease.status === 'bound')
	if (!isBound && isOverLimit(context, request)) {
		return refuse(context, request, 'limit', 0, 'silent')
	}
	if (own.length === 0 && hasTooMany(context, request)) {
		return refuse(context, request, 'too-many-identifiers', 0, 'silent')
	}
	const found = findAddress(context, request, choice, own)
	if (found === undefined) {
		return refuse(context, request, 'no-address', 0, 'silent', choice.pool.name)
	}
	if (needsPing(context, request, found.address)) return { events: [], ping: found.address }
	return offer(context, request, session, choice, own, found)
}

/** `accept=false`: no offer. */
function turnAway(
	context: LeaseContext,
	{ mac, client }: DhcpRequest,
	{ request, server, why }: Extract<SrcReply, { accept: false }>,
): LeaseDecision {
	const data: EventData<'LeaseRefused'> = {
		...{ mac, client, reason: 'src-refused', silent: true, request, srcServer: server },
		...(why === undefined ? {} : { why }),
	}
	const stream = subscriberStream(context.name, mac)
	return { events: [{ stream, type: 'LeaseRefused', v: 1, at: context.at, data }] }
}

/** An offer that stands is not asked about once more. */
function repeatedOffer(
	context: LeaseContext,
	request: DhcpRequest,
	session: Session,
	own: readonly Lease[],
): LeaseDecision | undefined {
	const there = own.find(lease => offerStands(context, request, lease))
	const pool = there && poolFor(context.pools, there.address, request.mac)
	if (there === undefined || pool === undefined) return undefined
	const decision = decisionFor(context, request)
	const leaseSeconds = leaseSecondsOf(pool, session, decision)
	const { address } = there
	return { events: [], reply: { kind: 'offer', address, pool, leaseSeconds, session, decision } }
}

function offerStands(
	{ steadyAt }: LeaseContext,
	request: DhcpRequest,
	{ status, until, client, giaddr, interface: on }: Lease,
): boolean {
	return (
		status === 'offered' &&
		until - steadyAt > offerRepeatMs &&
		client === request.client &&
		giaddr === request.giaddr &&
		on === request.interface
	)
}

type Found = { readonly address: number; readonly pool: Pool }

/**
 * JunosE's order within a pool and those it is linked to: the reserved address, the one asked for,
 * the one that the client had last, the next free one. What the client has now, or was offered just
 * now, goes before what it asks for (RFC 2131 §4.3.1).
 */
function findAddress(
	context: LeaseContext,
	request: DhcpRequest,
	choice: PoolChoice,
	own: readonly Lease[],
): Found | undefined {
	const { pools, router, steadyAt, pinging } = context
	const { leases } = router
	const chain = linkedPools(pools, choice.pool)
	const usable = (address: number) =>
		(address === request.silent || !pinging.has(address)) &&
		isFreeFor(leaseAt(leases, address), lease => isClients(context, request, lease), steadyAt)
	const wanted = [choice.address ?? 0, ...current(own, steadyAt), request.requested]
	const former = own.map(({ address }) => address)
	for (const pool of chain) {
		const reserved = pool.reservedFor.get(request.mac) ?? 0
		for (const address of [reserved, ...wanted, ...former]) {
			if (address === 0 || !usable(address)) continue
			if (poolFor(pools, address, request.mac) === pool) return { address, pool }
		}
		const next = nextFree(pool, usable)
		if (next !== undefined) return { address: next, pool }
	}
	return undefined
}

/** What the client has or was offered just now. */
function current(own: readonly Lease[], steadyAt: number): number[] {
	const bound = own.filter(({ status }) => status === 'bound')
	const offered = own.filter(({ status, until }) => status === 'offered' && until > steadyAt)
	return [...bound, ...offered].map(({ address }) => address)
}

function needsPing(context: LeaseContext, request: DhcpRequest, address: number): boolean {
	if (!context.settings.ping || request.silent === address) return false
	const lease = ownLease(context, request, address)
	if (lease?.status === 'bound') return false
	return lease === undefined || context.steadyAt - lease.changedAt > seenLatelyMs
}

function offer(
	context: LeaseContext,
	request: DhcpRequest,
	session: Session | undefined,
	choice: PoolChoice,
	own: readonly Lease[],
	{ address, pool }: Found,
): LeaseDecision {
	const { at, name, pools } = context
	const decision = session && decisionFor(context, request)
	const leaseSeconds = leaseSecondsOf(pool, session, decision)
	const reply: LeaseReply = { kind: 'offer', address, pool, leaseSeconds, session, decision }
	const there = own.find(lease => lease.address === address)
	// An offer from before the client took what it has is made anew, or its answer would seem late.
	const stands =
		there !== undefined &&
		offerStands(context, request, there) &&
		!own.some(lease => lease !== there && isLater(lease, there))
	if (stands && request.src === undefined) return { events: [], reply }
	const stream = subscriberStream(name, request.mac)
	const events: NewEvent[] = []
	const chain = linkedPools(pools, choice.pool)
	const isNew = !own.some(lease => chain.some(pool => pool.name === lease.pool))
	if (isNew || request.src !== undefined) {
		events.push({ stream, type: 'PoolSelected', v: 1, at, data: selection(request, choice) })
	}
	const { giaddr } = request
	const expiresAt = at + offerMs
	const data = leaseData(context, request, address, pool, leaseSeconds, expiresAt, giaddr)
	events.push({ stream, type: 'LeaseOffered', v: 1, at, data })
	return { events, reply }
}

function selection(request: DhcpRequest, choice: PoolChoice): EventData<'PoolSelected'> {
	const { mac, client, src } = request
	const { by, pool, address } = choice
	const reason = reasonWithSrc(choice, src)
	const data = { mac, client, by, pool: pool.name, reason, ...srcPart(src) }
	return address === undefined ? data : { ...data, address: formatIpv4(address) }
}

/** Somebody answered the ping: the address is taken out of use, and another one looked for. */
export function pingAnswered(
	context: LeaseContext,
	request: DhcpRequest,
	address: number,
): NewEvent[] {
	const { at, pools, router } = context
	const pool = poolAround(pools, address)
	const lease = leaseAt(router.leases, address)
	// Given to somebody else in the meantime: of course it answers.
	if (pool === undefined || isTaken(lease, context.steadyAt)) return []
	return [declined(context, request, pool.name, address, at + declineHoldMs, true)]
}

function declined(
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

// ---- DHCPREQUEST

/** RFC 2131 §4.3.2, SELECTING: the client answers an offer. */
function select(context: LeaseContext, request: DhcpRequest): LeaseDecision {
	const { requested } = request
	// It chose another server's offer; ours lapses.
	if (!request.forUs) return discard('other-server')
	const admitted = admit(context, request)
	if (admitted === undefined) return refuse(context, request, 'no-session', requested, 'nak')
	if (ownLease(context, request, requested) === undefined) {
		return refuse(context, request, 'not-offered', requested, 'nak')
	}
	return grant(context, request, admitted.session, requested, request.link)
}

/** INIT-REBOOT: the client remembers an address. Silent where nothing is known of it. */
function reboot(context: LeaseContext, request: DhcpRequest): LeaseDecision {
	const { requested, link } = request
	const admitted = admit(context, request)
	if (admitted === undefined) return discard('no-session')
	const choice = choiceFor(context, request, admitted.session)
	if (choice === undefined) return discard('no-pool')
	if (ownLease(context, request, requested) !== undefined) {
		return grant(context, request, admitted.session, requested, link)
	}
	const pool = poolFor(context.pools, requested, request.mac)
	if (pool === undefined || !linkedPools(context.pools, choice.pool).includes(pool)) {
		return refuse(context, request, 'other-network', requested, 'nak')
	}
	if (isTaken(leaseAt(context.router.leases, requested), context.steadyAt)) {
		return refuse(context, request, 'not-yours', requested, 'nak')
	}
	return discard('unknown-lease')
}

/** RENEWING and REBINDING: the client has the address in `ciaddr` and wants to keep it. */
function renew(context: LeaseContext, request: DhcpRequest): LeaseDecision {
	const address = request.ciaddr
	const admitted = admit(context, request)
	const known = poolAround(context.pools, address) !== undefined
	const lease = ownLease(context, request, address)
	if (lease === undefined && !known && request.kind === 'rebinding') {
		// Broadcast to every server, and of an address that is not ours: another one's client.
		return discard('unknown-lease')
	}
	if (admitted === undefined) return refuse(context, request, 'no-session', address, 'nak')
	if (lease === undefined) {
		const reason = known ? 'unknown-lease' : 'outside-pools'
		return refuse(context, request, reason, address, 'nak')
	}
	const unrelayed = request.giaddr === 0
	if (unrelayed && lease.giaddr === 0 && lease.interface !== request.interface) {
		return refuse(context, request, 'other-interface', address, 'nak')
	}
	// A client behind a relay agent renews without it: only its address tells where it is.
	const link = unrelayed && lease.giaddr !== 0 ? address : request.link
	return grant(context, request, admitted.session, address, link)
}

/** Whether the client has taken an address after the last that is known of another one of its. */
function isLater(taken: Lease, other: Lease): boolean {
	return taken.status === 'bound' && taken.changedAt > other.changedAt
}

/** Gives the client an address that it was offered, has, or had; or refuses it. */
function grant(
	context: LeaseContext,
	request: DhcpRequest,
	session: Session | undefined,
	address: number,
	link: number,
): LeaseDecision {
	const { at, name, router, pools, steadyAt } = context
	const lease = leaseAt(router.leases, address)
	const pool = poolFor(pools, address, request.mac)
	if (pool === undefined) return refuse(context, request, 'outside-pools', address, 'nak')
	const isOwn = (other: Lease) => isClients(context, request, other)
	if (!isFreeFor(lease, isOwn, steadyAt) || context.pinging.has(address)) {
		return refuse(context, request, 'not-yours', address, 'nak')
	}
	const choice = choiceFor(context, request, session, link)
	if (choice === undefined || !linkedPools(pools, choice.pool).includes(pool)) {
		return refuse(context, request, 'other-network', address, 'nak')
	}
	const renewed = lease?.status === 'bound'
	const others = leasesOfClient(context, request).filter(
		other => other.address !== address && other.status === 'bound',
	)
	// It has taken another address since: this message is from before that, late or doubled.
	if (lease !== undefined && others.some(other => isLater(other, lease))) return discard('late')
	if (!renewed && others.length === 0 && isOverLimit(context, request)) {
		return refuse(context, request, 'limit', address, 'nak')
	}
	const decision = session && decisionFor(context, request)
	const leaseSeconds = leaseSecondsOf(pool, session, decision)
	const expiresAt = leaseSeconds === 0 ? 0 : at + leaseSeconds * 1000
	const giaddr = request.kind === 'renewing' ? (lease?.giaddr ?? 0) : request.giaddr
	const data = {
		...leaseData(context, request, address, pool, leaseSeconds, expiresAt, giaddr),
		...toldToSrc(context),
	}
	if (data.hostname === undefined && lease?.hostname !== undefined) data.hostname = lease.hostname
	const stream = subscriberStream(name, request.mac)
	const type = renewed ? 'LeaseRenewed' : 'LeaseGranted'
	const events: NewEvent[] = [
		...others.map(other => released(context.name, other, 'moved', at)),
		{ stream, type, v: 1, at, data },
	]
	return { events, reply: { kind: 'ack', address, pool, leaseSeconds, session, decision } }
}

// ---- DHCPDECLINE, DHCPRELEASE, DHCPINFORM

function decline(context: LeaseContext, request: DhcpRequest): LeaseDecision {
	const { requested } = request
	if (!request.forUs) return discard('other-server')
	const lease = ownLease(context, request, requested)
	// Only who has an address, or had the offer, can have tried it.
	if (lease === undefined || (lease.status !== 'bound' && lease.status !== 'offered')) {
		return discard('unknown-lease')
	}
	const until = context.at + declineHoldMs
	return { events: [declined(context, request, lease.pool, requested, until, false)] }
}

function release(context: LeaseContext, request: DhcpRequest): LeaseDecision {
	if (!request.forUs) return discard('other-server')
	const lease = ownLease(context, request, request.ciaddr)
	if (lease?.status !== 'bound') return discard('unknown-lease')
	return { events: [released(context.name, lease, 'client', context.at)] }
}

/** RFC 2131 §4.3.5: options for an address that the client has from elsewhere. */
function inform(context: LeaseContext, request: DhcpRequest): LeaseDecision {
	const { ciaddr } = request
	if (ciaddr === 0) return discard('invalid')
	const admitted = admit(context, request)
	if (admitted === undefined) return discard('no-session')
	const { session } = admitted
	const pool = poolAround(context.pools, ciaddr) ?? choiceFor(context, request, session)?.pool
	if (pool === undefined) return discard('no-pool')
	const decision = session && decisionFor(context, request)
	return { events: [], reply: { kind: 'inform', pool, session, decision } }
}

// ---- time

/**
 * Looks at the deadlines between two steady times, in whole slices; `from` is where the last look
 * ended. Offers and holds that are over need no event: `lapsed` are the addresses to take note of.
 */
export function dueLeases(
	context: Pick<LeaseContext, 'name' | 'router' | 'at' | 'steadyAt' | 'pools'>,
	from: number,
	limit: number,
): { readonly expired: NewEvent[]; readonly lapsed: number[]; readonly next: number } {
	const { router, at, steadyAt, pools } = context
	const { deadlines } = router.leases
	const expired: NewEvent[] = []
	const lapsed: number[] = []
	const end = sliceOf(steadyAt - expiryMarginMs)
	// Looking for the first one costs as much as there are slices: less than a walk through empty ones.
	const far = end - from > deadlines.size + 1
	// Not beyond the end: what is leased next may be over before the first deadline of now.
	let slice = far ? Math.min(end, firstSlice(router.leases, from) ?? end) : from
	for (; slice < end && expired.length < limit; slice++) {
		for (const address of addressesEndingIn(router.leases, slice)) {
			const lease = leaseAt(router.leases, address)!
			if (lease.status !== 'bound') {
				lapsed.push(address)
				continue
			}
			expired.push(expiry(context.name, lease, pools, at))
			if (expired.length >= limit) return { expired, lapsed, next: slice }
		}
	}
	return { expired, lapsed, next: slice }
}

function expiry(name: string, lease: Lease, pools: Pools, at: number): NewEvent {
	const { mac, client, pool } = lease
	const grace = pools.byName.get(pool)?.settings.gracePeriodSeconds ?? 0
	const data = {
		mac,
		client,
		pool,
		address: formatIpv4(lease.address),
		heldUntil: at + grace * 1000,
	}
	return { stream: subscriberStream(name, mac), type: 'LeaseExpired', v: 1, at, data }
}

/** A warning for each pool whose use has crossed a threshold since the last one (JunosE: 85, 75 %). */
export function poolWarnings({ name: virtualRouter, router, pools, at }: LeaseContext): NewEvent[] {
	const events: NewEvent[] = []
	for (const { name, settings, inUse, size } of pools.byName.values()) {
		if (size === 0) continue
		const warned = router.leases.warned.has(name)
		const percent = (100 * inUse) / size
		const high = warned ? percent >= settings.warningAbated : percent >= settings.warningHigh
		if (high === warned) continue
		const stream = relayStream(virtualRouter)
		const data = { pool: name, high, inUse, size }
		events.push({ stream, type: 'PoolWarningChanged', v: 1, at, data })
	}
	return events
}
