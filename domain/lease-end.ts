/** What ends leases without a client's message: time, and the end of a session; and what becomes of pools. */
import { formatIpv4 } from './address.ts'
import { type NewEvent, relayStream, subscriberStream } from './event.ts'
import { addressesEndingIn, firstSlice, sliceOf } from './lease-deadlines.ts'
import { type LeaseContext, released } from './lease-message.ts'
import { type Lease, leaseAt, leasesOfMac } from './lease-state.ts'
import type { Pools } from './pool.ts'
import type { RouterState } from './state.ts'

/** A lease is held this much longer than the client was told: steady time is not exact. */
export const expiryMarginMs = 2000

/** A session ended: so does what was leased for it. */
export function releaseOfSession(router: RouterState, mac: string, at: number): NewEvent[] {
	return leasesOfMac(router.leases, mac)
		.filter(({ status, forSession }) => forSession && (status === 'bound' || status === 'offered'))
		.map(lease => released(router.name, lease, 'session', at))
}

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
