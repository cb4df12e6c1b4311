/** The pools follow the leases that events make and end. */
import { parseIpv4 } from '../../domain/address.ts'
import { type NewEvent, virtualRouterOf } from '../../domain/event.ts'
import { otherAddressesOf } from '../../domain/lease-state.ts'
import { followLease } from '../../domain/pool.ts'
import { routerState } from '../../domain/state.ts'
import type { Engine } from './engine.ts'

/**
 * Addresses that an event may make the state forget, together with the deadline by which the pools
 * would have heard of it: whoever gets another address has no use for one that has lapsed.
 */
export function formerAddresses(engine: Engine, event: NewEvent): readonly number[] | undefined {
	if (event.type !== 'LeaseOffered' && event.type !== 'LeaseGranted') return undefined
	const { leases } = routerState(engine.state, virtualRouterOf(event.stream))
	return otherAddressesOf(leases, event.data.mac, parseIpv4(event.data.address) ?? 0)
}

/** Keeps the pools in step with a lease: called for every event, once it is folded. */
export function followLeaseEvent(
	engine: Engine,
	event: NewEvent,
	former: readonly number[] = [],
): void {
	switch (event.type) {
		case 'LeaseOffered':
		case 'LeaseGranted':
		case 'LeaseRenewed':
		case 'LeaseDeclined':
		case 'LeaseReleased':
		case 'LeaseExpired': {
			const name = virtualRouterOf(event.stream)
			const service = engine.dhcp.services.get(name)
			if (service === undefined) return
			const { leases } = routerState(engine.state, name)
			const steadyAt = event.at - engine.state.clockShiftMs
			followLease(service.pools, leases, parseIpv4(event.data.address) ?? 0, steadyAt)
			for (const address of former) followLease(service.pools, leases, address, steadyAt)
			return
		}
		default:
			return
	}
}
