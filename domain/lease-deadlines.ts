/**
 * The deadlines of leases: rows whose status ends at about the same time form a list, so that the end of
 * a slice of time costs what ends in it. Times are steady milliseconds.
 */
import type { LeaseRows } from './lease-rows.ts'
import { noRow } from './row-index.ts'

/** The part of the lease table that this is about; `deadlines` has the first row of each slice. */
type Deadlines = { readonly rows: LeaseRows; readonly deadlines: Map<number, number> }

const sliceMs = 4096

/** The slice of `deadlines` that a steady time is in. */
export function sliceOf(steadyMs: number): number {
	return Math.floor(steadyMs / sliceMs)
}

/** The first slice, not before `from`, that has a deadline; undefined without any. */
export function firstSlice({ deadlines }: Deadlines, from: number): number | undefined {
	let first: number | undefined
	for (const slice of deadlines.keys()) {
		if (slice >= from && (first === undefined || slice < first)) first = slice
	}
	return first
}

/** Addresses of the leases whose status ends in a slice. */
export function addressesEndingIn({ rows, deadlines }: Deadlines, slice: number): number[] {
	const addresses: number[] = []
	for (let row = deadlines.get(slice) ?? noRow; row !== noRow; row = rows.later[row]!) {
		addresses.push(rows.address[row]!)
	}
	return addresses
}

/** Puts a row into the slice in which its status ends. */
export function addDeadline({ rows, deadlines }: Deadlines, row: number): void {
	const until = rows.until[row]!
	// Never, or over already: nothing is to happen any more.
	if (until <= rows.changedAt[row]!) return
	const slice = sliceOf(until)
	const first = deadlines.get(slice) ?? noRow
	rows.earlier[row] = row
	rows.later[row] = first
	if (first !== noRow) rows.earlier[first] = row
	deadlines.set(slice, row)
}

/** A row that is in a slice has one before it; the first of a slice has itself. */
export function removeDeadline({ rows, deadlines }: Deadlines, row: number): void {
	const earlier = rows.earlier[row]!
	if (earlier === noRow) return
	const later = rows.later[row]!
	if (earlier !== row) rows.later[earlier] = later
	else if (later === noRow) deadlines.delete(sliceOf(rows.until[row]!))
	else deadlines.set(sliceOf(rows.until[row]!), later)
	if (later !== noRow) rows.earlier[later] = earlier === row ? later : earlier
	rows.earlier[row] = noRow
	rows.later[row] = noRow
}
