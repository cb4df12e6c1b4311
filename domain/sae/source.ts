/**
 * Where the SRC client's connections come from: `sscc sourceAddress` names the address, or `sscc
 * transportRouter` the virtual router whose address it is. That one's address towards servers is what
 * `radius update-source-addr` says: virtual routers share the system's interfaces and routes, so an
 * address is all of it that a connection can have.
 */
import type { Configuration, VirtualRouter } from '../configuration.ts'

/** The address that connections of the virtual router's SRC client come from; undefined: as routed. */
export function srcSource(
	{ virtualRouters }: Configuration,
	{ src }: VirtualRouter,
): string | undefined {
	const { sourceAddress, transportRouter } = src
	if (transportRouter === undefined) return sourceAddress
	return virtualRouters.find(({ name }) => name === transportRouter)?.updateSourceAddress
}

/** A sentence about the first transport router that cannot be one; undefined: all can. */
export function srcSourceConflict(configuration: Configuration): string | undefined {
	for (const router of configuration.virtualRouters) {
		const { name, src } = router
		const { transportRouter: transport, sourceAddress } = src
		if (transport === undefined) continue
		const there = configuration.virtualRouters.some(each => each.name === transport)
		const where = `The SRC client of virtual router ${name}`
		if (!there) {
			return `${where} would connect from virtual router ${transport}, which does not exist; make it with "virtual-router ${transport}" first, or take "sscc transportRouter" back.`
		}
		const address = srcSource(configuration, router)
		if (address === undefined) {
			return `${where} would connect from virtual router ${transport}, which has no address of its own; give it one with "radius update-source-addr" there first, or take "sscc transportRouter" back.`
		}
		if (sourceAddress !== undefined && sourceAddress !== address) {
			return `${where} would connect from ${sourceAddress}, and from virtual router ${transport}, whose address is ${address}; take "sscc sourceAddress" or "sscc transportRouter" back.`
		}
	}
	return undefined
}
