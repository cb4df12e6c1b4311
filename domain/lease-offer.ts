/** DHCPDISCOVER: whether a client is offered an address, from which pool, and which one. */
import { formatIpv4 } from './address.ts'
import { type EventData, type NewEvent, subscriberStream } from './event.ts'
import {
	admit,
	choiceFor,
	type DhcpRequest,
	decisionFor,
	declined,
	declineHoldMs,
	discard,
	hasTooMany,
	isLater,
	isOverLimit,
	type LeaseContext,
	type LeaseDecision,
	type LeaseReply,
	leaseData,
	leaseSecondsOf,
	leasesOfClient,
	ownLease,
	refuse,
} from './lease-message.ts'
import { isAddressTaken, isTaken, type Lease, leaseAt } from './lease-state.ts'
import { linkedPools, nextFree, type Pool, type PoolChoice, poolAround, poolFor } from './pool.ts'
import { reasonWithSrc, type SrcReply, srcPart } from './sae/bridge.ts'
import type { Session } from './session-table.ts'

/** An offer keeps its address this long; clients choose within seconds. */
export const offerMs = 60_000
/** An offer that has more than this left is repeated as it is, without another event. */
const offerRepeatMs = 30_000
/**
 * Where no address is left, one whose offer is older than this goes to who asks now: whoever meant to
 * take it has done so by then (RFC 2131 §3.1 does not bind the server to an offer).
 */
export const reclaimAfterMs = 10_000
/** Offers that are looked at for that. */
const reclaimLookups = 16
/** Whoever had an address within this time finds it without a ping. */
const seenLatelyMs = 24 * 3600 * 1000

/** RFC 2131 §4.3.1; also when it is decided again, with what SRC or a ping has said. */
export function discover(context: LeaseContext, request: DhcpRequest): LeaseDecision {
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
	// What was offered to somebody else was tried then.
	if (!found.reclaimed && needsPing(context, request, found.address))
		return { events: [], ping: found.address }
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

type Found = { readonly address: number; readonly pool: Pool; readonly reclaimed?: true }

/**
 * JunosE's order within a pool and those it is linked to: the reserved address, the one asked for,
 * the one that the client had last, the next free one. What the client has now, or was offered just
 * now, goes before what it asks for, and stays where it is in a linked pool when the first one has
 * room again (RFC 2131 §4.3.1).
 */
function findAddress(
	context: LeaseContext,
	request: DhcpRequest,
	choice: PoolChoice,
	own: readonly Lease[],
): Found | undefined {
	const { pools, router, steadyAt, pinging } = context
	const chain = linkedPools(pools, choice.pool)
	const usable = (address: number) =>
		(address === request.silent || !pinging.has(address)) &&
		(!isAddressTaken(router.leases, address, steadyAt) || leaseOf(own, address) !== undefined)
	const first = (pool: Pool, addresses: readonly number[]): Found | undefined => {
		const address = addresses.find(
			each => each !== 0 && usable(each) && poolFor(pools, each, request.mac) === pool,
		)
		return address === undefined ? undefined : { address, pool }
	}
	const present = current(own, steadyAt)
	for (const pool of chain) {
		const reserved = pool.reservedFor.get(request.mac) ?? 0
		const found = first(pool, [reserved, choice.address ?? 0, ...present])
		if (found !== undefined) return found
	}
	const former = own.map(({ address }) => address)
	for (const pool of chain) {
		const found = first(pool, [request.requested, ...former])
		if (found !== undefined) return found
		const next = nextFree(pool, usable)
		if (next !== undefined) return { address: next, pool }
	}
	return abandonedOffer(context, request, chain)
}

/** The oldest offer that nobody has taken, once it is old enough. */
function abandonedOffer(
	{ pools, router, steadyAt, pinging }: LeaseContext,
	{ mac }: DhcpRequest,
	chain: readonly Pool[],
): Found | undefined {
	for (const pool of chain) {
		let lookups = 0
		for (const address of pool.offered) {
			const lease = leaseAt(router.leases, address)
			const isOffer = lease?.status === 'offered' && lease.pool === pool.name
			if (++lookups > reclaimLookups) break
			if (isOffer && steadyAt - lease.changedAt < reclaimAfterMs) break
			if (!isOffer || pinging.has(address) || poolFor(pools, address, mac) !== pool) continue
			return { address, pool, reclaimed: true }
		}
	}
	return undefined
}

/** The one of the client's leases that is of that address. */
function leaseOf(own: readonly Lease[], address: number): Lease | undefined {
	return own.find(lease => lease.address === address)
}

/** What the client has or was offered just now. */
function current(own: readonly Lease[], steadyAt: number): number[] {
	if (own.length === 0) return []
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
	{ address, pool, reclaimed }: Found,
): LeaseDecision {
	const { at, name, pools } = context
	const decision = session && decisionFor(context, request)
	const leaseSeconds = leaseSecondsOf(pool, session, decision)
	const reply: LeaseReply = { kind: 'offer', address, pool, leaseSeconds, session, decision }
	const there = leaseOf(own, address)
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
	return { events, reply, ...(reclaimed && { reclaimed }) }
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
