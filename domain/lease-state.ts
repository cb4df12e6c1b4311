/**
 * The leases as the events tell them: who holds which address, and until when. One row for each
 * address that was ever given out; it outlives its lease, so that a client finds its last address
 * again. What may be leased to whom is decided in `lease.ts`.
 *
 * Times here are steady milliseconds: wall-clock time less the steps of the clock that were recorded
 * (`ClockStepped`). A clock that is set forwards or backwards therefore moves no deadline.
 */
import { parseIpv4 } from './address.ts'
import type { EventData, NewEvent } from './event.ts'
import { addDeadline, removeDeadline } from './lease-deadlines.ts'
import {
	addRow,
	clientOf,
	firstRowOf,
	firstRowOfNumber,
	giveBack,
	type LeaseRows,
	macOf,
	nameNumber,
	newLeaseRows,
	noStatus,
	numberOfMac,
	rowOf,
	setClient,
	setFirstRow,
} from './lease-rows.ts'
import { noRow } from './row-index.ts'

/**
 * `bound`: the client has it. `offered`: reserved for a client until the offer lapses. `held`: given
 * up or expired; until then only its last holder may have it. `declined`: until then nobody may.
 */
export type LeaseStatus = 'offered' | 'bound' | 'held' | 'declined'

/** A row of the table as it is now, made when somebody asks. */
export type Lease = {
	readonly address: number
	readonly mac: string
	/** The DHCP client identity, as `clientKey` gives it. */
	readonly client: string
	/** The pool that the address was taken from; `shadowPool` where an external server gave it. */
	readonly pool: string
	/** That external server; undefined where this relay gave the address. */
	readonly server: string | undefined
	readonly status: LeaseStatus
	/** Steady milliseconds at which the status ends; 0: never. */
	readonly until: number
	/** Steady milliseconds of the event that it was last changed by. */
	readonly changedAt: number
	/** Steady milliseconds since which its holder has the address, or has been offered it. */
	readonly since: number
	/** As the client was told; 0: infinite. */
	readonly leaseSeconds: number
	/** Relay agent; 0: attached directly. */
	readonly giaddr: number
	/** Name of the interface that the client's messages came from. */
	readonly interface: string
	readonly hostname: string | undefined
	/** Leased for a session, with which it ends. */
	readonly forSession: boolean
}

/** Stands for the pool of a lease that only an external server knows of. */
export const shadowPool = ''

/** How many of a pool's addresses are bound, and the most there ever were, and since when (wall clock). */
export type PoolBound = { bound: number; highWater: number; highWaterAt: number }

export type LeaseTable = {
	readonly rows: LeaseRows
	/** The first row of those whose status ends in the same slice of time (`lease-deadlines.ts`). */
	readonly deadlines: Map<number, number>
	/** Bound clients on each interface. */
	readonly boundOn: Map<string, number>
	readonly boundIn: Map<string, PoolBound>
	/** Pools whose use is above their warning threshold. */
	readonly warned: Set<string>
}

/** The lease of an address, as it is now. */
export function leaseAt({ rows }: LeaseTable, address: number): Lease | undefined {
	const row = rowOf(rows, address)
	return row === noRow ? undefined : leaseIn(rows, row)
}

/** Every lease, in no order that means anything. */
export function* everyLease({ rows }: LeaseTable): Generator<Lease> {
	for (let row = 0; row < rows.used; row++) {
		if (rows.status[row] !== noStatus) yield leaseIn(rows, row)
	}
}

export function leaseCount({ rows }: LeaseTable): number {
	return rows.byAddress.count
}

/** What a MAC has and had, the latest first. */
export function leasesOfMac({ rows }: LeaseTable, mac: string): Lease[] {
	const found: Lease[] = []
	for (let row = firstRowOf(rows, mac); row !== noRow; row = rows.sameMac[row]!) {
		found.push(leaseIn(rows, row))
	}
	if (found.length < 2) return found
	return found.sort((a, b) => b.changedAt - a.changedAt || a.address - b.address)
}

const none: readonly number[] = []

/** Addresses that a MAC has and had beside that one; nearly always none. */
export function otherAddressesOf(
	{ rows }: LeaseTable,
	mac: string,
	address: number,
): readonly number[] {
	let others: number[] | undefined
	for (let row = firstRowOf(rows, mac); row !== noRow; row = rows.sameMac[row]!) {
		if (rows.address[row] === address) continue
		others ??= []
		others.push(rows.address[row]!)
	}
	return others ?? none
}

/** Addresses that somebody has at a time, so that nobody else can get them. */
export function* takenAddresses({ rows }: LeaseTable, steadyAt: number): Generator<number> {
	for (let row = 0; row < rows.used; row++) {
		if (rows.status[row] !== noStatus && isRowTaken(rows, row, steadyAt)) yield rows.address[row]!
	}
}

/** Whether somebody has the address, so that nobody else can get it now. */
export function isTaken(lease: Lease | undefined, steadyAt: number): boolean {
	if (lease === undefined) return false
	const { status, until, changedAt } = lease
	return status === 'bound' || isKept(until, changedAt, steadyAt)
}

/** The same of an address, whose lease need not be made for that. */
export function isAddressTaken({ rows }: LeaseTable, address: number, steadyAt: number): boolean {
	const row = rowOf(rows, address)
	return row !== noRow && isRowTaken(rows, row, steadyAt)
}

/** Whether an address is offered to somebody who has not taken it yet. */
export function isAddressOffered({ rows }: LeaseTable, address: number, steadyAt: number): boolean {
	const row = rowOf(rows, address)
	return row !== noRow && rows.status[row] === offered && isRowTaken(rows, row, steadyAt)
}

function isRowTaken(rows: LeaseRows, row: number, steadyAt: number): boolean {
	return rows.status[row] === bound || isKept(rows.until[row]!, rows.changedAt[row]!, steadyAt)
}

/** A hold that was over when it began stays so, also where the clocks have gone back a little. */
function isKept(until: number, changedAt: number, steadyAt: number): boolean {
	return until > steadyAt && until > changedAt
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

export const statuses: readonly LeaseStatus[] = ['offered', 'bound', 'held', 'declined']
const offered = statuses.indexOf('offered')
export const bound = statuses.indexOf('bound')
const held = statuses.indexOf('held')
export const declined = statuses.indexOf('declined')
export const sessionFlag = 1
/** A shadow: its column `pool` names the external server. (2 is `lease-rows.ts`' own.) */
export const shadowFlag = 4

export function newLeaseTable(): LeaseTable {
	return {
		rows: newLeaseRows(),
		deadlines: new Map(),
		boundOn: new Map(),
		boundIn: new Map(),
		warned: new Set(),
	}
}

export function leaseIn(rows: LeaseRows, row: number): Lease {
	const shadow = isShadow(rows, row)
	const givenBy = rows.names[rows.pool[row]!]!
	return {
		address: rows.address[row]!,
		mac: macOf(rows, rows.mac[row]!),
		client: clientOf(rows, row),
		pool: shadow ? shadowPool : givenBy,
		server: shadow ? givenBy : undefined,
		status: statuses[rows.status[row]!]!,
		until: rows.until[row]!,
		changedAt: rows.changedAt[row]!,
		since: rows.since[row]!,
		leaseSeconds: rows.leaseSeconds[row]!,
		giaddr: rows.giaddr[row]!,
		interface: rows.names[rows.interface[row]!]!,
		hostname: rows.hostname[row],
		forSession: (rows.flags[row]! & sessionFlag) !== 0,
	}
}

function isShadow(rows: LeaseRows, row: number): boolean {
	return (rows.flags[row]! & shadowFlag) !== 0
}

/** Folds an event of the table's virtual router; `shiftMs`: the sum of the recorded clock steps. */
export function foldLease(table: LeaseTable, event: LeaseEvent, shiftMs: number): void {
	switch (event.type) {
		case 'LeaseOffered':
			offer(table, event.data, event.at, shiftMs)
			return
		case 'LeaseGranted':
		case 'LeaseRenewed':
			grant(table, event.data, event.at, shiftMs)
			return
		case 'LeaseObserved':
			grant(table, { ...event.data, pool: shadowPool }, event.at, shiftMs)
			return
		case 'LeaseDeclined':
			decline(table, event.data, event.at, shiftMs)
			return
		case 'LeaseReleased':
		case 'LeaseExpired':
			end(table, event.data, event.at, shiftMs)
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

function offer(
	table: LeaseTable,
	data: EventData<'LeaseOffered'>,
	at: number,
	shiftMs: number,
): void {
	const { rows } = table
	const there = rowOf(rows, addressOf(data))
	// A client that asks anew is offered what it has: it still has it.
	if (isBoundTo(rows, there, data.mac)) return
	const row = take(table, there, data, at - shiftMs)
	rows.since[row] = at - shiftMs
	setStatus(table, row, offered, steady(data.expiresAt, shiftMs))
}

function grant(
	table: LeaseTable,
	data: EventData<'LeaseGranted'> & { readonly server?: string },
	at: number,
	shiftMs: number,
): void {
	const { rows } = table
	const there = rowOf(rows, addressOf(data))
	const again = isBoundTo(rows, there, data.mac)
	const row = take(table, there, data, at - shiftMs)
	if (!again) rows.since[row] = at - shiftMs
	setStatus(table, row, bound, steady(data.expiresAt, shiftMs))
	countBound(table, row, 1, at)
}

function decline(
	table: LeaseTable,
	data: EventData<'LeaseDeclined'>,
	at: number,
	shiftMs: number,
): void {
	const { rows } = table
	const row = take(table, rowOf(rows, addressOf(data)), data, at - shiftMs)
	rows.since[row] = at - shiftMs
	// It is nobody's now: who has declined it must not find it as its last address.
	unchain(rows, row)
	setStatus(table, row, declined, steady(data.until, shiftMs))
}

function end(
	table: LeaseTable,
	data: EventData<'LeaseReleased'> | EventData<'LeaseExpired'>,
	at: number,
	shiftMs: number,
): void {
	const { rows } = table
	const row = rowOf(rows, addressOf(data))
	if (row === noRow || rows.mac[row] !== numberOfMac(rows, data.mac)) return
	if (rows.status[row] === declined) {
		// It has no last holder who could come back for it.
		removeDeadline(table, row)
		giveBack(rows, row)
		return
	}
	if (rows.status[row] === bound) countBound(table, row, -1, at)
	rows.changedAt[row] = at - shiftMs
	setStatus(table, row, held, steady(data.heldUntil, shiftMs))
}

function isBoundTo(rows: LeaseRows, row: number, mac: string): boolean {
	return row !== noRow && rows.status[row] === bound && rows.mac[row] === numberOfMac(rows, mac)
}

type Holder = Pick<EventData<'LeaseGranted'>, 'mac' | 'client' | 'pool' | 'address'> & {
	readonly server?: string
} & Partial<
		Pick<
			EventData<'LeaseGranted'>,
			'giaddr' | 'interface' | 'hostname' | 'session' | 'leaseSeconds'
		>
	>

/** The address' row, made over to its new holder. */
function take(table: LeaseTable, there: number, data: Holder, steadyAt: number): number {
	const { rows } = table
	const mac = numberOfMac(rows, data.mac)
	const row = there === noRow ? addRow(rows, addressOf(data)) : there
	if (there === noRow) {
		rows.status[row] = held
		rows.until[row] = 0
	} else if (rows.status[row] === bound) countBound(table, row, -1, steadyAt)
	if (there === noRow || rows.mac[row] !== mac || rows.status[row] === declined) {
		if (there !== noRow) unchain(rows, row)
		rows.mac[row] = mac
		chain(table, row, steadyAt)
	}
	const shadow = data.server === undefined ? 0 : shadowFlag
	rows.flags[row] = (data.session === true ? sessionFlag : 0) | shadow
	setClient(rows, row, data.client)
	rows.pool[row] = nameNumber(rows, data.server ?? data.pool)
	rows.changedAt[row] = steadyAt
	if (data.leaseSeconds !== undefined) rows.leaseSeconds[row] = data.leaseSeconds
	rows.giaddr[row] = data.giaddr === undefined ? 0 : (parseIpv4(data.giaddr) ?? 0)
	rows.interface[row] = nameNumber(rows, data.interface ?? '')
	rows.hostname[row] = data.hostname
	return row
}

/** Puts a lease among those of its MAC, and forgets of these what has ended: one last address is enough. */
function chain(table: LeaseTable, row: number, steadyAt: number): void {
	const { rows } = table
	const mac = rows.mac[row]!
	let kept = noRow
	for (let other = firstRowOfNumber(rows, mac); other !== noRow; ) {
		const next = rows.sameMac[other]!
		if (rows.status[other] === bound || rows.until[other]! > steadyAt) {
			rows.sameMac[other] = kept
			kept = other
		} else {
			removeDeadline(table, other)
			giveBack(rows, other)
		}
		other = next
	}
	rows.sameMac[row] = kept
	setFirstRow(rows, mac, row)
}

function unchain(rows: LeaseRows, row: number): void {
	const mac = rows.mac[row]!
	const first = firstRowOfNumber(rows, mac)
	if (first === row) setFirstRow(rows, mac, rows.sameMac[row]!)
	else {
		for (let other = first; other !== noRow; other = rows.sameMac[other]!) {
			if (rows.sameMac[other] === row) rows.sameMac[other] = rows.sameMac[row]!
		}
	}
	rows.sameMac[row] = noRow
}

function setStatus(table: LeaseTable, row: number, status: number, until: number): void {
	removeDeadline(table, row)
	table.rows.status[row] = status
	table.rows.until[row] = until
	addDeadline(table, row)
}

/** A lease is bound from now on, or no more; `at`: wall-clock milliseconds. */
export function countBound(table: LeaseTable, row: number, by: 1 | -1, at: number): void {
	const { rows, boundOn, boundIn } = table
	const from = rows.names[rows.interface[row]!]!
	const clients = (boundOn.get(from) ?? 0) + by
	if (clients === 0) boundOn.delete(from)
	else boundOn.set(from, clients)
	if (isShadow(rows, row)) return
	const pool = rows.names[rows.pool[row]!]!
	let count = boundIn.get(pool)
	if (count === undefined) {
		count = { bound: 0, highWater: 0, highWaterAt: 0 }
		boundIn.set(pool, count)
	}
	count.bound += by
	if (count.bound <= count.highWater) return
	count.highWater = count.bound
	count.highWaterAt = at
}
