/** How many addresses a configuration's pools have for clients, whether or not it is in force. */
import type { DhcpLocal } from '../domain/configuration.ts'
import { newLeaseTable } from '../domain/lease-state.ts'
import { createPools } from '../domain/pool.ts'

/** Counted once for a configuration. */
const known = new WeakMap<DhcpLocal, ReadonlyMap<string, number>>()

export function poolSizes(local: DhcpLocal): ReadonlyMap<string, number> {
	const found = known.get(local)
	if (found !== undefined) return found
	const { byName } = createPools(local, [], newLeaseTable(), 0)
	const sizes = new Map([...byName].map(([name, { size }]) => [name, size]))
	known.set(local, sizes)
	return sizes
}
