/** The leases as they are saved, and put back. */

import { addDeadline } from './lease-deadlines.ts'
import {
	addRow,
	firstRowOfNumber,
	nameNumber,
	noStatus,
	numberOfMac,
	rowOf,
	setClient,
	setFirstRow,
} from './lease-rows.ts'
import {
	bound,
	countBound,
	declined,
	type Lease,
	type LeaseTable,
	leaseIn,
	sessionFlag,
	shadowFlag,
	statuses,
} from './lease-state.ts'

/** Leases as JSON values, some at a time: a row each, with pools and interfaces named once. */
export type SavedLeases = {
	readonly names: readonly string[]
	readonly leases: readonly SavedLease[]
}
type SavedLease = readonly [
	address: number,
	mac: string,
	client: string,
	pool: number,
	/** Its index, 4 more where the lease is for a session, 8 more where it is a shadow. */
	status: number,
	until: number,
	changedAt: number,
	since: number,
	leaseSeconds: number,
	giaddr: number,
	on: number,
	hostname?: string,
]

/** The leases in parts of `size`, by address: the order of rows depends on how the table came to be. */
export function* savedLeases({ rows }: LeaseTable, size: number): Generator<SavedLeases> {
	const addresses = new Uint32Array(rows.byAddress.count)
	let n = 0
	for (let row = 0; row < rows.used; row++) {
		if (rows.status[row] !== noStatus) addresses[n++] = rows.address[row]!
	}
	addresses.sort()
	for (let from = 0; from < n; from += size) {
		const names = new Map<string, number>()
		const indexOf = (name: string) => {
			const known = names.get(name)
			if (known !== undefined) return known
			names.set(name, names.size)
			return names.size - 1
		}
		const leases: SavedLease[] = []
		for (const address of addresses.subarray(from, from + size)) {
			leases.push(savedLease(leaseIn(rows, rowOf(rows, address)), indexOf))
		}
		yield { names: [...names.keys()], leases }
	}
}

function savedLease(lease: Lease, indexOf: (name: string) => number): SavedLease {
	const { address, mac, client, until, changedAt, since, leaseSeconds, giaddr, hostname } = lease
	const pool = indexOf(lease.server ?? lease.pool)
	const session = lease.forSession ? statuses.length : 0
	const shadow = lease.server === undefined ? 0 : 2 * statuses.length
	const status = statuses.indexOf(lease.status) + session + shadow
	const from = indexOf(lease.interface)
	const facts = [address, mac, client, pool, status, until, changedAt, since] as const
	const saved = [...facts, leaseSeconds, giaddr, from] as const
	return hostname === undefined ? saved : [...saved, hostname]
}

/** Puts a part of what `savedLeases` gave into a table. */
export function restoreLeases(table: LeaseTable, { names, leases }: SavedLeases): void {
	const { rows } = table
	for (const lease of leases) {
		const [address, mac, client, pool, status, until, changedAt, since] = lease
		const row = addRow(rows, address)
		rows.mac[row] = numberOfMac(rows, mac)
		const session = Math.floor(status / statuses.length) % 2 === 1 ? sessionFlag : 0
		rows.flags[row] = session | (status >= 2 * statuses.length ? shadowFlag : 0)
		setClient(rows, row, client)
		rows.pool[row] = nameNumber(rows, names[pool]!)
		rows.status[row] = status % statuses.length
		rows.until[row] = until
		rows.changedAt[row] = changedAt
		rows.since[row] = since
		rows.leaseSeconds[row] = lease[8]
		rows.giaddr[row] = lease[9]
		rows.interface[row] = nameNumber(rows, names[lease[10]]!)
		rows.hostname[row] = lease[11]
		if (rows.status[row] !== declined) {
			rows.sameMac[row] = firstRowOfNumber(rows, rows.mac[row]!)
			setFirstRow(rows, rows.mac[row]!, row)
		}
		addDeadline(table, row)
		if (rows.status[row] === bound) countBound(table, row, 1, 0)
	}
}
