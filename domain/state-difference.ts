/** Whether two folded states say the same, whatever order they keep things in. */
import { everyLease, leaseAt, leaseCount } from './lease-state.ts'
import type { RouterState, State } from './state.ts'

/** Where they differ first, in words; undefined: nowhere. */
export function stateDifference(a: State, b: State): string | undefined {
	if (a.position !== b.position) return `position ${a.position} and ${b.position}`
	if (a.clockShiftMs !== b.clockShiftMs) return 'the steps of the clock'
	if (a.lastAt !== b.lastAt) return 'the time of the last event'
	for (const name of new Set([...a.routers.keys(), ...b.routers.keys()])) {
		const [left, right] = [a.routers.get(name), b.routers.get(name)]
		if (left === undefined || right === undefined) return `the virtual router ${name}`
		const found = routerDifference(left, right)
		if (found !== undefined) return `virtual router ${name}, ${found}`
	}
	return undefined
}

function routerDifference(a: RouterState, b: RouterState): string | undefined {
	return (
		mapDifference('the session of', a.sessions, b.sessions) ??
		mapDifference('the access point', a.accessPoints, b.accessPoints) ??
		leaseDifference(a, b) ??
		mapDifference('the pool', a.leases.boundIn, b.leases.boundIn) ??
		setDifference('the warning of pool', a.leases.warned, b.leases.warned) ??
		mapDifference("SRC's view of", a.src.subscribers, b.src.subscribers) ??
		mapDifference('what SRC is to be told:', a.src.debts, b.src.debts) ??
		setDifference('the signing client', a.messageAuthenticatorSeen, b.messageAuthenticatorSeen)
	)
}

function leaseDifference({ leases: a }: RouterState, { leases: b }: RouterState) {
	for (const lease of everyLease(a)) {
		const other = leaseAt(b, lease.address)
		if (!isSame(lease, other)) return `the lease of address ${lease.address} (${lease.pool})`
	}
	return leaseCount(a) === leaseCount(b) ? undefined : 'the number of leases'
}

function mapDifference(
	what: string,
	a: ReadonlyMap<unknown, unknown>,
	b: ReadonlyMap<unknown, unknown>,
): string | undefined {
	for (const [key, value] of a) if (!isSame(value, b.get(key))) return `${what} ${key}`
	for (const key of b.keys()) if (!a.has(key)) return `${what} ${key}`
	return undefined
}

function setDifference(
	what: string,
	a: ReadonlySet<unknown>,
	b: ReadonlySet<unknown>,
): string | undefined {
	for (const value of a) if (!b.has(value)) return `${what} ${value}`
	for (const value of b) if (!a.has(value)) return `${what} ${value}`
	return undefined
}

/** Equal as JSON values; the order of fields and fields that are undefined do not count. */
function isSame(a: unknown, b: unknown): boolean {
	if (a === b) return true
	if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false
	const left = a as Record<string, unknown>
	const right = b as Record<string, unknown>
	for (const key in left) if (!isSame(left[key], right[key])) return false
	for (const key in right) if (left[key] === undefined && right[key] !== undefined) return false
	return true
}
