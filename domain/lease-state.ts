/**
 * The leases as the events tell them: who holds which address, and until when. One record for each
 * address that was ever given out; it outlives its lease, so that a client finds its last address
 * again. What may be leased to whom is decided in `lease.ts`.
 *
 * Times here are steady milliseconds: wall-clock time less the steps of the clock that were recorded
 * (`ClockStepped`). A clock that is set forwards or backwards therefore moves no deadline.
 */
import { parseIpv4 } from './address.ts'
import type { EventData, NewEvent } from './event.ts'

/**
 * `bound`: the client has it. `offered`: reserved for a client until the offer lapses. `held`: given
 * up or expired; until then only its last holder may have it. `declined`: until then nobody may.
 */
export type LeaseStatus = 'offered' | 'bound' | 'held' | 'declined'

export type Lease = {
	readonly address: number
	mac: string
	/** The DHCP client identity, as `clientKey` gives it. */
	client: string
	/** The pool that the address was taken from; `shadowPool` where an external server gave it. */
	pool: string
	status: LeaseStatus
	/** Steady milliseconds at which the status ends; 0: never. */
	until: number
	/** Steady milliseconds of the event that it was last changed by. */
	changedAt: number
	/** Relay agent; 0: attached directly. */
	giaddr: number
	/** Name of the interface that the client's messages came from. */
	interface: string
	hostname: string | undefined
	/** Leased for a session, with which it ends. */
	forSession: boolean
	/** Another address that the same MAC has or had. */
	sameMac: Lease | undefined
}

/** Stands for the pool of a lease that only an external server knows of. */
export const shadowPool = ''

export type LeaseTable = {
	readonly byAddress: Map<number, Lease>
	/** The first of the leases of each MAC; `sameMac` leads to the others. */
	readonly byMac: Map<string, Lease>
	/** Addresses by the time their status ends, in slices of `sliceMs`. */
	readonly deadlines: Map<number, Set<number>>
	/** Bound clients on each interface. */
	readonly boundOn: Map<string, number>
	/** Pools whose use is above their warning threshold. */
	readonly warned: Set<string>
}

const sliceMs = 4096

/** The slice of `deadlines` that a steady time is in. */
export function sliceOf(steadyMs: number): number {
	return Math.floor(steadyMs / sliceMs)
}

/** The first slice, not before `from`, that has a deadline; undefined without any. */
export function firstSlice({ deadlines }: LeaseTable, from: number): number | undefined {
	let first: number | undefined
	for (const slice of deadlines.keys()) {
		if (slice >= from && (first === undefined || slice < first)) first = slice
	}
	return first
}

type LeaseEventType =
	| 'LeaseOffered'
	| 'LeaseGranted'
	| 'LeaseRenewed'
	| 'LeaseObserved'
	| 'LeaseDeclined'
	| 'LeaseReleased'
	| 'LeaseExpired'
	| 'PoolWarningChanged'
export type LeaseEvent = Extract<NewEvent, { type: LeaseEventType }>

export function newLeaseTable(): LeaseTable {
	return {
		byAddress: new Map(),
		byMac: new Map(),
		deadlines: new Map(),
		boundOn: new Map(),
		warned: new Set(),
	}
}

/** Folds an event of the table's virtual router; `shiftMs`: the sum of the recorded clock steps. */
export function foldLease(table: LeaseTable, event: LeaseEvent, shiftMs: number): void {
	const steadyAt = event.at - shiftMs
	switch (event.type) {
		case 'LeaseOffered':
			offered(table, event.data, steadyAt, shiftMs)
			return
		case 'LeaseGranted':
		case 'LeaseRenewed':
			bound(table, event.data, steadyAt, shiftMs)
			return
		case 'LeaseObserved':
			bound(table, { ...event.data, pool: shadowPool }, steadyAt, shiftMs)
			return
		case 'LeaseDeclined':
			declined(table, event.data, steadyAt, shiftMs)
			return
		case 'LeaseReleased':
		case 'LeaseExpired':
			ended(table, event.data, steadyAt, shiftMs)
			return
		case 'PoolWarningChanged':
			if (event.data.high) table.warned.add(event.data.pool)
			else table.warned.delete(event.data.pool)
			return
		default:
			event satisfies never
	}
}

/** An address as a number: events have it as text that was made from one. */
function addressOf(data: { readonly address: string }): number {
	return parseIpv4(data.address) ?? 0
}

/** A time of an event in steady milliseconds; 0 stays "never". */
function steady(wallMs: number, shiftMs: number): number {
	return wallMs === 0 ? 0 : wallMs - shiftMs
}

function offered(
	table: LeaseTable,
	data: EventData<'LeaseOffered'>,
	steadyAt: number,
	shiftMs: number,
): void {
	const address = addressOf(data)
	const there = table.byAddress.get(address)
	// A client that asks anew is offered what it has: it still has it.
	if (there?.status === 'bound' && there.mac === data.mac) return
	const lease = take(table, there, address, data, steadyAt)
	setStatus(table, lease, 'offered', steady(data.expiresAt, shiftMs))
}

function bound(
	table: LeaseTable,
	data: EventData<'LeaseGranted'>,
	steadyAt: number,
	shiftMs: number,
): void {
	const address = addressOf(data)
	const there = table.byAddress.get(address)
	const lease = take(table, there, address, data, steadyAt)
	setStatus(table, lease, 'bound', steady(data.expiresAt, shiftMs))
	count(table, lease.interface, 1)
}

function declined(
	table: LeaseTable,
	data: EventData<'LeaseDeclined'>,
	steadyAt: number,
	shiftMs: number,
): void {
	const address = addressOf(data)
	const there = table.byAddress.get(address)
	const lease = take(table, there, address, data, steadyAt)
	// It is nobody's now: who has declined it must not find it as its last address.
	unchain(table, lease)
	setStatus(table, lease, 'declined', steady(data.until, shiftMs))
}

function ended(
	table: LeaseTable,
	data: EventData<'LeaseReleased'> | EventData<'LeaseExpired'>,
	steadyAt: number,
	shiftMs: number,
): void {
	const lease = table.byAddress.get(addressOf(data))
	if (lease === undefined) return
	if (lease.status === 'declined') {
		// It has no last holder who could come back for it.
		removeDeadline(table, lease)
		table.byAddress.delete(lease.address)
		return
	}
	if (lease.status === 'bound') count(table, lease.interface, -1)
	lease.changedAt = steadyAt
	setStatus(table, lease, 'held', steady(data.heldUntil, shiftMs))
}

type Holder = Pick<EventData<'LeaseGranted'>, 'mac' | 'client' | 'pool'> &
	Partial<Pick<EventData<'LeaseGranted'>, 'giaddr' | 'interface' | 'hostname' | 'session'>>

/** The address' record, made over to its new holder. */
function take(
	table: LeaseTable,
	there: Lease | undefined,
	address: number,
	data: Holder,
	steadyAt: number,
): Lease {
	const giaddr = data.giaddr === undefined ? 0 : (parseIpv4(data.giaddr) ?? 0)
	if (there === undefined) {
		const lease: Lease = {
			address,
			mac: data.mac,
			client: data.client,
			pool: data.pool,
			status: 'held',
			until: 0,
			changedAt: steadyAt,
			giaddr,
			interface: data.interface ?? '',
			hostname: data.hostname,
			forSession: data.session === true,
			sameMac: undefined,
		}
		table.byAddress.set(address, lease)
		chain(table, lease, steadyAt)
		return lease
	}
	if (there.status === 'bound') count(table, there.interface, -1)
	if (there.mac !== data.mac || there.status === 'declined') {
		unchain(table, there)
		there.mac = data.mac
		chain(table, there, steadyAt)
	}
	there.client = data.client
	there.pool = data.pool
	there.changedAt = steadyAt
	there.giaddr = giaddr
	there.interface = data.interface ?? ''
	there.hostname = data.hostname
	there.forSession = data.session === true
	return there
}

/** Puts a lease among those of its MAC, and forgets of these what has ended: one last address is enough. */
function chain(table: LeaseTable, lease: Lease, steadyAt: number): void {
	let kept: Lease | undefined
	for (let other = table.byMac.get(lease.mac); other !== undefined; ) {
		const next: Lease | undefined = other.sameMac
		if (other.status === 'bound' || other.until > steadyAt) {
			other.sameMac = kept
			kept = other
		} else {
			other.sameMac = undefined
			removeDeadline(table, other)
			table.byAddress.delete(other.address)
		}
		other = next
	}
	lease.sameMac = kept
	table.byMac.set(lease.mac, lease)
}

function unchain(table: LeaseTable, lease: Lease): void {
	const first = table.byMac.get(lease.mac)
	if (first === lease) {
		if (lease.sameMac === undefined) table.byMac.delete(lease.mac)
		else table.byMac.set(lease.mac, lease.sameMac)
	} else {
		for (let other = first; other !== undefined; other = other.sameMac) {
			if (other.sameMac === lease) other.sameMac = lease.sameMac
		}
	}
	lease.sameMac = undefined
}

function setStatus(table: LeaseTable, lease: Lease, status: LeaseStatus, until: number): void {
	removeDeadline(table, lease)
	lease.status = status
	lease.until = until
	addDeadline(table, lease)
}

function addDeadline(table: LeaseTable, lease: Lease): void {
	// Never, or over already: nothing is to happen any more.
	if (lease.until <= lease.changedAt) return
	const slice = sliceOf(lease.until)
	const addresses = table.deadlines.get(slice)
	if (addresses === undefined) table.deadlines.set(slice, new Set([lease.address]))
	else addresses.add(lease.address)
}

function removeDeadline(table: LeaseTable, lease: Lease): void {
	const slice = sliceOf(lease.until)
	const addresses = table.deadlines.get(slice)
	if (addresses === undefined) return
	addresses.delete(lease.address)
	if (addresses.size === 0) table.deadlines.delete(slice)
}

function count(table: LeaseTable, name: string, by: 1 | -1): void {
	const clients = (table.boundOn.get(name) ?? 0) + by
	if (clients === 0) table.boundOn.delete(name)
	else table.boundOn.set(name, clients)
}

/** Leases as JSON values: a row each, with pools and interfaces named once. */
export type SavedLeases = {
	readonly names: readonly string[]
	readonly leases: readonly SavedLease[]
	readonly warned: readonly string[]
}
type SavedLease = readonly [
	address: number,
	mac: string,
	client: string,
	pool: number,
	/** Its index, and as many more where the lease is for a session. */
	status: number,
	until: number,
	changedAt: number,
	giaddr: number,
	on: number,
	hostname?: string,
]

const statuses: readonly LeaseStatus[] = ['offered', 'bound', 'held', 'declined']

export function leasesToJson(table: LeaseTable): SavedLeases {
	const names = new Map<string, number>()
	const indexOf = (name: string) => {
		const known = names.get(name)
		if (known !== undefined) return known
		names.set(name, names.size)
		return names.size - 1
	}
	const leases = [...table.byAddress.values()].map((lease): SavedLease => {
		const { address, mac, client, until, changedAt, giaddr, hostname } = lease
		const pool = indexOf(lease.pool)
		const status = statuses.indexOf(lease.status) + (lease.forSession ? statuses.length : 0)
		const from = indexOf(lease.interface)
		return hostname === undefined
			? [address, mac, client, pool, status, until, changedAt, giaddr, from]
			: [address, mac, client, pool, status, until, changedAt, giaddr, from, hostname]
	})
	return { names: [...names.keys()], leases, warned: [...table.warned] }
}

/** Puts what `leasesToJson` gave into an empty table. */
export function restoreLeases(table: LeaseTable, { names, leases, warned }: SavedLeases): void {
	for (const [address, mac, client, pool, status, until, changedAt, giaddr, from, name] of leases) {
		const lease: Lease = {
			address,
			mac,
			client,
			pool: names[pool]!,
			status: statuses[status % statuses.length]!,
			until,
			changedAt,
			giaddr,
			interface: names[from]!,
			hostname: name,
			forSession: status >= statuses.length,
			sameMac: undefined,
		}
		table.byAddress.set(address, lease)
		if (lease.status !== 'declined') {
			lease.sameMac = table.byMac.get(mac)
			table.byMac.set(mac, lease)
		}
		addDeadline(table, lease)
		if (lease.status === 'bound') count(table, lease.interface, 1)
	}
	for (const pool of warned) table.warned.add(pool)
}
