/** How many addresses a configuration's pools have for clients, whether or not it is in force. */
import type { DhcpLocal, DhcpPool, VirtualRouter } from '../domain/configuration.ts'
import { newLeaseTable } from '../domain/lease-state.ts'
import { createPools } from '../domain/pool.ts'
import type { Engine } from './engine/engine.ts'

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

/** Sizes of the pools of a relay: of those that run, else as they would be. */
export function poolSizesIn(
	{ dhcp }: Engine,
	{ name, dhcpLocal }: VirtualRouter,
): (pool: DhcpPool) => number {
	const running = dhcp.services.get(name)?.pools.byName
	const sizes = running === undefined ? poolSizes(dhcpLocal) : undefined
	return pool => running?.get(pool.name)?.size ?? sizes?.get(pool.name) ?? 0
}
