/** Folds leases: one row for each holding of an address, from the offer to the end. */
import type { EventData } from '../../domain/event.ts'
import { type Folding, insert, type Subscriber, touch } from './folding.ts'
import { type LeaseRow, lease, poolDecision } from './network-tables.ts'
import { session } from './subscriber-tables.ts'

type Leased = EventData<'LeaseGranted'>

export function leaseOffered(
	folding: Folding,
	subscriber: Subscriber,
	position: number,
	at: number,
	data: Leased,
): void {
	const open = openLease(folding, subscriber, data.address)
	// Who asks anew is offered what it has, and still has it.
	if (open !== undefined && open.granted_at !== null && open.mac === data.mac) return
	if (open !== undefined) end(folding, open, position, at, 'replaced')
	const offered = newLease(subscriber, position, data)
	offered.offered_at = at
	keep(folding, offered)
}

export function leaseGranted(
	folding: Folding,
	subscriber: Subscriber,
	position: number,
	at: number,
	data: Leased,
): void {
	const open = openLease(folding, subscriber, data.address)
	const own = open?.mac === data.mac && open.client === data.client ? open : undefined
	if (open !== undefined && own === undefined) end(folding, open, position, at, 'replaced')
	const held = own ?? keep(folding, newLease(subscriber, position, data))
	if (held.granted_at === null) held.granted_at = at
	else noteRenewal(held, at)
	bind(folding, subscriber, held, data)
}

export function leaseRenewed(
	folding: Folding,
	subscriber: Subscriber,
	position: number,
	at: number,
	data: Leased,
): void {
	const open = openLease(folding, subscriber, data.address)
	if (open === undefined || open.mac !== data.mac || open.granted_at === null) {
		leaseGranted(folding, subscriber, position, at, data)
		return
	}
	noteRenewal(open, at)
	bind(folding, subscriber, open, data)
}

/** A release, an expiry or a decline. */
export function leaseEnded(
	folding: Folding,
	subscriber: Subscriber,
	position: number,
	at: number,
	data: { readonly address: string; readonly mac: string },
	cause: string,
	heldUntil: number,
): void {
	const open = openLease(folding, subscriber, data.address)
	if (open === undefined || open.mac !== data.mac) return
	open.held_until = heldUntil > at ? heldUntil : null
	end(folding, open, position, at, cause)
}

export function poolSelected(
	folding: Folding,
	subscriber: Subscriber,
	position: number,
	at: number,
	data: EventData<'PoolSelected'>,
): void {
	insert(folding, poolDecision, {
		id: position,
		virtual_router: subscriber.row.virtual_router,
		mac: data.mac,
		client: data.client,
		at,
		chosen_by: data.by,
		pool: data.pool,
		reason: data.reason,
		address: data.address ?? null,
		request: data.request ?? null,
		server: data.srcServer ?? null,
		failure: data.srcFailure ?? null,
		session: subscriber.session?.id ?? null,
	})
}

function newLease(subscriber: Subscriber, position: number, data: Leased): LeaseRow {
	return {
		id: position,
		virtual_router: subscriber.row.virtual_router,
		address: data.address,
		mac: data.mac,
		client: data.client,
		pool: data.pool,
		offered_at: null,
		granted_at: null,
		expires_at: data.expiresAt,
		renewed_at: null,
		renewals: 0,
		ended_at: null,
		end_position: null,
		cause: null,
		held_until: null,
		session: null,
		hostname: data.hostname ?? null,
		giaddr: data.giaddr ?? null,
		interface: data.interface ?? null,
	}
}

function noteRenewal(row: LeaseRow, at: number): void {
	row.renewals++
	row.renewed_at = at
}

function bind(folding: Folding, subscriber: Subscriber, row: LeaseRow, data: Leased): void {
	row.expires_at = data.expiresAt
	row.hostname = data.hostname ?? row.hostname
	const live = subscriber.session
	row.session ??= live?.id ?? null
	touch(folding, lease, row)
	if (live === undefined || live.address === row.address) return
	live.address = row.address
	live.pool = row.pool === '' ? null : row.pool
	touch(folding, session, live)
}

function end(folding: Folding, row: LeaseRow, position: number, at: number, cause: string): void {
	// An offer that nobody took ended when it lapsed, whatever came afterwards.
	const lapsed = row.granted_at === null && (cause === 'replaced' || cause === 'expired')
	row.ended_at = lapsed ? Math.min(at, row.expires_at) : at
	row.end_position = position
	row.cause = lapsed ? 'lapsed' : cause
	touch(folding, lease, row)
	folding.leases.set(leaseKey(row.virtual_router, row.address), null)
}

function keep(folding: Folding, row: LeaseRow): LeaseRow {
	folding.leases.set(leaseKey(row.virtual_router, row.address), row)
	return insert(folding, lease, row)
}

function leaseKey(virtualRouter: string, address: string): string {
	return `${virtualRouter} ${address}`
}

/** The lease or offer of an address that has not ended. */
function openLease(
	folding: Folding,
	{ row: { virtual_router: virtualRouter } }: Subscriber,
	address: string,
): LeaseRow | undefined {
	const key = leaseKey(virtualRouter, address)
	const known = folding.leases.get(key)
	if (known !== undefined) return known ?? undefined
	if (folding.hasAllLeases) return undefined
	const [row] = folding.lookup('lease-open', address, virtualRouter)
	folding.leases.set(key, (row as LeaseRow | undefined) ?? null)
	return row as LeaseRow | undefined
}
