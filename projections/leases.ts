/**
 * Who has which address, as people ask it: out of the leases of the folded state, which are there
 * once. Whoever asks a running relay waits first until its last batch is on disk, so that nothing is
 * shown that is not recorded.
 */
import { formatIpv4, parseIpv4 } from '../domain/address.ts'
import {
	leasesOfMac as allOfMac,
	everyLease,
	type Lease as LeaseRow,
	type LeaseStatus,
	type LeaseTable,
	leaseAt,
} from '../domain/lease-state.ts'
import type { State } from '../domain/state.ts'

/** `held`: kept for its last holder (grace period). `declined`: somebody else was found there. */
export type LeaseState = LeaseStatus

/** A lease as people read it. Times in milliseconds since 1970. */
export type Lease = {
	readonly address: string
	readonly mac: string
	/** The DHCP client identity (RFC 2131 §4.2), as hexadecimal digits. */
	readonly client: string
	readonly pool: string
	readonly state: LeaseState
	/** When the state ends by itself; 0: never. */
	readonly until: number
	/** When the client got the address; of an offer, when it was made. */
	readonly since: number
	/** 0: infinite. */
	readonly leaseSeconds: number
	readonly giaddr: string | undefined
	readonly interface: string | undefined
	readonly hostname: string | undefined
	/** The external server that gave it; undefined where this relay did. */
	readonly server: string | undefined
}

/** What the leases are read from. */
export type Leases = Pick<State, 'routers' | 'clockShiftMs'>

/** The leases of one virtual router; wall-clock time is their time and `shiftMs`. */
export type RouterLeases = { readonly table: LeaseTable; readonly shiftMs: number }

/** The leases of one virtual router; undefined where there never was one. */
export function leasesOf(state: Leases, virtualRouter: string): RouterLeases | undefined {
	const router = state.routers.get(virtualRouter)
	return router && { table: router.leases, shiftMs: state.clockShiftMs }
}

/** The lease of an address; undefined where nobody has it at `now`. */
export function leaseOf(
	{ table, shiftMs }: RouterLeases,
	address: string,
	now: number,
): Lease | undefined {
	const lease = leaseAt(table, parseIpv4(address) ?? -1)
	return lease === undefined || isOver(lease, now - shiftMs) ? undefined : shown(lease, shiftMs)
}

/** The leases of a client, by address. */
export function leasesOfMac({ table, shiftMs }: RouterLeases, mac: string, now: number): Lease[] {
	return allOfMac(table, mac)
		.filter(lease => !isOver(lease, now - shiftMs))
		.sort((a, b) => a.address - b.address)
		.map(lease => shown(lease, shiftMs))
}

/**
 * All leases, or those of one kind, by address: at most `limit` of them, and how many there are.
 * Looks at every one.
 */
export function allLeases(
	{ table, shiftMs }: RouterLeases,
	now: number,
	limit: number,
	givenBy?: 'local' | 'external',
): { readonly leases: readonly Lease[]; readonly count: number } {
	const addresses: number[] = []
	for (const lease of everyLease(table)) {
		const kind = lease.server === undefined ? 'local' : 'external'
		if (givenBy !== undefined && kind !== givenBy) continue
		if (!isOver(lease, now - shiftMs)) addresses.push(lease.address)
	}
	const listed = Float64Array.from(addresses).sort().subarray(0, limit)
	const leases = Array.from(listed, address => shown(leaseAt(table, address)!, shiftMs))
	return { leases, count: addresses.length }
}

export type PoolUse = {
	readonly offered: number
	readonly bound: number
	readonly held: number
	readonly declined: number
	/** The most addresses bound at once, and since when it is that many; 0: never any. */
	readonly highWater: number
	readonly highWaterAt: number
}

/** How the pools are used at `now`, by name. Looks at every lease. */
export function poolUse(
	{ table, shiftMs }: RouterLeases,
	now: number,
): ReadonlyMap<string, PoolUse> {
	const uses = new Map<string, { -readonly [K in keyof PoolUse]: PoolUse[K] }>()
	const useOf = (pool: string) => {
		const known = uses.get(pool)
		if (known !== undefined) return known
		const use = { offered: 0, bound: 0, held: 0, declined: 0, highWater: 0, highWaterAt: 0 }
		uses.set(pool, use)
		return use
	}
	for (const lease of everyLease(table)) {
		if (lease.server !== undefined) continue
		if (!isOver(lease, now - shiftMs)) useOf(lease.pool)[lease.status]++
	}
	for (const [pool, { highWater, highWaterAt }] of table.boundIn) {
		Object.assign(useOf(pool), { highWater, highWaterAt })
	}
	return uses
}

/**
 * Nothing is written when an offer lapses or a time of waiting is over; those stay until the address
 * is used again. The end of a lease is an event of its own.
 */
function isOver({ status, until }: LeaseRow, steadyNow: number): boolean {
	return status !== 'bound' && until <= steadyNow
}

function shown(lease: LeaseRow, shiftMs: number): Lease {
	const { mac, client, pool, status, until, since, leaseSeconds, giaddr, hostname } = lease
	return {
		address: formatIpv4(lease.address),
		mac,
		client,
		pool,
		state: status,
		until: until === 0 ? 0 : until + shiftMs,
		since: since + shiftMs,
		leaseSeconds,
		giaddr: giaddr === 0 ? undefined : formatIpv4(giaddr),
		interface: lease.interface || undefined,
		hostname: hostname || undefined,
		server: lease.server,
	}
}
