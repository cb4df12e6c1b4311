/**
 * The leases in columns: an object for each of a million would take several times the memory, and
 * hold the garbage collector up. A row stays where it is until it is given back.
 */
import { ethernetKey, macNumber, macText } from './mac.ts'
import { enterRow, findRow, newRowIndex, noRow, type RowIndex, removeRow } from './row-index.ts'

export type LeaseRows = {
	/** Rows that were ever used; those given back are chained through `sameMac`, from `unused` on. */
	used: number
	unused: number
	address: Uint32Array
	/** As `numberOfMac` has it. */
	mac: Float64Array
	/** undefined: what a client of Ethernet without an identifier of its own has. */
	readonly client: (string | undefined)[]
	readonly hostname: (string | undefined)[]
	/** Indices of `names`. */
	pool: Uint32Array
	interface: Uint32Array
	/** Index of the status; `noStatus` for a row that was given back. */
	status: Uint8Array
	/** 1: leased for a session. 2: the client's identity is `id:`, where it is the usual one. */
	flags: Uint8Array
	until: Float64Array
	changedAt: Float64Array
	since: Float64Array
	leaseSeconds: Uint32Array
	giaddr: Uint32Array
	/** The next row of the same MAC; `noRow` at the end. */
	sameMac: Int32Array
	/** The rows before and after it in the same slice of deadlines. */
	earlier: Int32Array
	later: Int32Array
	readonly byAddress: RowIndex
	/** The first row of each MAC. */
	readonly byMac: RowIndex
	/** Pools and interfaces, each once. */
	readonly names: string[]
	readonly nameIndex: Map<string, number>
	/** What should be a MAC and is none. */
	readonly oddMacs: string[]
}

export const noStatus = 255
/** Numbers from here on stand for what should be a MAC and is none. */
const oddMac = 2 ** 48
const fewestRows = 16

export function newLeaseRows(): LeaseRows {
	return {
		used: 0,
		unused: noRow,
		address: new Uint32Array(fewestRows),
		mac: new Float64Array(fewestRows),
		client: [],
		hostname: [],
		pool: new Uint32Array(fewestRows),
		interface: new Uint32Array(fewestRows),
		status: new Uint8Array(fewestRows),
		flags: new Uint8Array(fewestRows),
		until: new Float64Array(fewestRows),
		changedAt: new Float64Array(fewestRows),
		since: new Float64Array(fewestRows),
		leaseSeconds: new Uint32Array(fewestRows),
		giaddr: new Uint32Array(fewestRows),
		sameMac: new Int32Array(fewestRows),
		earlier: new Int32Array(fewestRows),
		later: new Int32Array(fewestRows),
		byAddress: newRowIndex(),
		byMac: newRowIndex(),
		names: [],
		nameIndex: new Map(),
		oddMacs: [],
	}
}

/** A row for an address that has none; everything else in it is as another left it. */
export function addRow(rows: LeaseRows, address: number): number {
	let row = rows.unused
	if (row !== noRow) rows.unused = rows.sameMac[row]!
	else {
		if (rows.used === rows.address.length) grow(rows)
		row = rows.used++
		rows.client.push(undefined)
		rows.hostname.push(undefined)
	}
	rows.address[row] = address
	rows.since[row] = 0
	rows.leaseSeconds[row] = 0
	rows.sameMac[row] = noRow
	rows.earlier[row] = noRow
	rows.later[row] = noRow
	enterRow(rows.byAddress, rows.address, row)
	return row
}

/** Gives a row back. It must be in no chain and no slice any more. */
export function giveBack(rows: LeaseRows, row: number): void {
	removeRow(rows.byAddress, rows.address, rows.address[row]!)
	rows.status[row] = noStatus
	rows.client[row] = undefined
	rows.hostname[row] = undefined
	rows.sameMac[row] = rows.unused
	rows.unused = row
}

function grow(rows: LeaseRows): void {
	const size = 2 * rows.address.length
	rows.address = longer(rows.address, new Uint32Array(size))
	rows.mac = longer(rows.mac, new Float64Array(size))
	rows.pool = longer(rows.pool, new Uint32Array(size))
	rows.interface = longer(rows.interface, new Uint32Array(size))
	rows.status = longer(rows.status, new Uint8Array(size))
	rows.flags = longer(rows.flags, new Uint8Array(size))
	rows.until = longer(rows.until, new Float64Array(size))
	rows.changedAt = longer(rows.changedAt, new Float64Array(size))
	rows.since = longer(rows.since, new Float64Array(size))
	rows.leaseSeconds = longer(rows.leaseSeconds, new Uint32Array(size))
	rows.giaddr = longer(rows.giaddr, new Uint32Array(size))
	rows.sameMac = longer(rows.sameMac, new Int32Array(size))
	rows.earlier = longer(rows.earlier, new Int32Array(size))
	rows.later = longer(rows.later, new Int32Array(size))
}

function longer<T extends { set(from: T): void }>(from: T, to: T): T {
	to.set(from)
	return to
}

/** The row of an address; `noRow` without one. */
export function rowOf(rows: LeaseRows, address: number): number {
	return findRow(rows.byAddress, rows.address, address)
}

/** The first row of a MAC; `sameMac` leads to the others. */
export function firstRowOf(rows: LeaseRows, mac: string): number {
	const number = macNumber(mac)
	if (number >= 0) return findRow(rows.byMac, rows.mac, number)
	const odd = rows.oddMacs.indexOf(mac)
	return odd === -1 ? noRow : findRow(rows.byMac, rows.mac, oddMac + odd)
}

/** The same of a MAC as a number. */
export function firstRowOfNumber(rows: LeaseRows, mac: number): number {
	return findRow(rows.byMac, rows.mac, mac)
}

/** Puts a row first, or last of none, among those of its MAC. */
export function setFirstRow(rows: LeaseRows, mac: number, row: number): void {
	if (row === noRow) removeRow(rows.byMac, rows.mac, mac)
	else enterRow(rows.byMac, rows.mac, row)
}

export function nameNumber(rows: LeaseRows, name: string): number {
	const known = rows.nameIndex.get(name)
	if (known !== undefined) return known
	const number = rows.names.push(name) - 1
	rows.nameIndex.set(name, number)
	return number
}

// ---- MACs, and the client's identity, which nearly always is its MAC with the hardware type before it

/** A MAC in normal form as a number; any other text as a number above those. */
export function numberOfMac(rows: LeaseRows, mac: string): number {
	const number = macNumber(mac)
	if (number >= 0) return number
	const known = rows.oddMacs.indexOf(mac)
	return oddMac + (known === -1 ? rows.oddMacs.push(mac) - 1 : known)
}

/** The MAC that has that number. */
export function macOf(rows: LeaseRows, number: number): string {
	return number >= oddMac ? rows.oddMacs[number - oddMac]! : macText(number)
}

const identifierFlag = 2

export function setClient(rows: LeaseRows, row: number, client: string): void {
	const mac = rows.mac[row]!
	const hasIdentifier = client.startsWith('id:')
	const usual = mac < oddMac && client === ethernetKey(hasIdentifier ? 'id' : 'hw', mac)
	rows.client[row] = usual ? undefined : client
	if (hasIdentifier) rows.flags[row]! |= identifierFlag
	else rows.flags[row]! &= ~identifierFlag
}

export function clientOf(rows: LeaseRows, row: number): string {
	const identifier = (rows.flags[row]! & identifierFlag) !== 0
	return rows.client[row] ?? ethernetKey(identifier ? 'id' : 'hw', rows.mac[row]!)
}
