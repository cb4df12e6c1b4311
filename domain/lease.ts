/**
 * The rules of the DHCP local server (RFC 2131): what follows from a client's message. Those about
 * DHCPDISCOVER are in `lease-offer.ts`, and what time brings is in `lease-end.ts`.
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
import { type NewEvent, subscriberStream } from './event.ts'
import {
	admit,
	choiceFor,
	type DhcpRequest,
	decisionFor,
	declined,
	declineHoldMs,
	discard,
	isLater,
	isOverLimit,
	isToldToSrc,
	type LeaseContext,
	type LeaseDecision,
	leaseData,
	leaseSecondsOf,
	otherBoundLeases,
	ownLease,
	refuse,
	released,
} from './lease-message.ts'
import { discover } from './lease-offer.ts'
import { isAddressTaken, type Lease } from './lease-state.ts'
import { linkedPools, poolAround, poolFor } from './pool.ts'
import type { Session } from './session-table.ts'

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

// ---- DHCPREQUEST

/** RFC 2131 §4.3.2, SELECTING: the client answers an offer. */
function select(context: LeaseContext, request: DhcpRequest): LeaseDecision {
	const { requested } = request
	// It chose another server's offer; ours lapses.
	if (!request.forUs) return discard('other-server')
	const admitted = admit(context, request)
	if (admitted === undefined) return refuse(context, request, 'no-session', requested, 'nak')
	const lease = ownLease(context, request, requested)
	if (lease === undefined) return refuse(context, request, 'not-offered', requested, 'nak')
	return grant(context, request, admitted.session, lease, request.link)
}

/** INIT-REBOOT: the client remembers an address. Silent where nothing is known of it. */
function reboot(context: LeaseContext, request: DhcpRequest): LeaseDecision {
	const { requested, link } = request
	const admitted = admit(context, request)
	if (admitted === undefined) return discard('no-session')
	const choice = choiceFor(context, request, admitted.session)
	if (choice === undefined) return discard('no-pool')
	const lease = ownLease(context, request, requested)
	if (lease !== undefined) return grant(context, request, admitted.session, lease, link)
	const pool = poolFor(context.pools, requested, request.mac)
	if (pool === undefined || !linkedPools(context.pools, choice.pool).includes(pool)) {
		return refuse(context, request, 'other-network', requested, 'nak')
	}
	if (isAddressTaken(context.router.leases, requested, context.steadyAt)) {
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
	return grant(context, request, admitted.session, lease, link)
}

/** Gives the client an address that it was offered, has, or had, as `lease` says; or refuses it. */
function grant(
	context: LeaseContext,
	request: DhcpRequest,
	session: Session | undefined,
	lease: Lease,
	link: number,
): LeaseDecision {
	const { at, name, pools } = context
	const { address } = lease
	const pool = poolFor(pools, address, request.mac)
	if (pool === undefined) return refuse(context, request, 'outside-pools', address, 'nak')
	if (context.pinging.has(address)) {
		return refuse(context, request, 'not-yours', address, 'nak')
	}
	const choice = choiceFor(context, request, session, link)
	if (choice === undefined || !linkedPools(pools, choice.pool).includes(pool)) {
		return refuse(context, request, 'other-network', address, 'nak')
	}
	const renewed = lease.status === 'bound'
	const others = otherBoundLeases(context, request, address)
	// It has taken another address since: this message is from before that, late or doubled.
	if (others.some(other => isLater(other, lease))) {
		if (request.kind === 'selecting') return discard('late')
		// A client that means it begins anew; to one that has gone on it is of an old transaction.
		return refuse(context, request, 'unknown-lease', address, 'nak')
	}
	if (!renewed && others.length === 0 && isOverLimit(context, request)) {
		return refuse(context, request, 'limit', address, 'nak')
	}
	const decision = session && decisionFor(context, request)
	const leaseSeconds = leaseSecondsOf(pool, session, decision)
	const expiresAt = leaseSeconds === 0 ? 0 : at + leaseSeconds * 1000
	const giaddr = request.kind === 'renewing' ? lease.giaddr : request.giaddr
	const data = leaseData(context, request, address, pool, leaseSeconds, expiresAt, giaddr)
	if (isToldToSrc(context)) data.src = true
	if (data.hostname === undefined && lease.hostname !== undefined) data.hostname = lease.hostname
	const stream = subscriberStream(name, request.mac)
	const type = renewed ? 'LeaseRenewed' : 'LeaseGranted'
	const events: NewEvent[] = others.map(other => released(context.name, other, 'moved', at))
	events.push({ stream, type, v: 1, at, data })
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
