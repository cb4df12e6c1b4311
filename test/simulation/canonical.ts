/** States as text, to be compared. */
import { addressesEndingIn } from '../../domain/lease-deadlines.ts'
import { everyLease, type LeaseTable, leaseAt, leasesOfMac } from '../../domain/lease-state.ts'
import type { State } from '../../domain/state.ts'

/** Two states as text, where they begin to differ. */
export function difference(found: string, wanted: string): string {
	let at = 0
	while (found[at] === wanted[at] && at < found.length) at++
	const around = (text: string) => text.slice(Math.max(0, at - 160), at + 160)
	return `found  ...${around(found)}...\nwanted ...${around(wanted)}...`
}

/** All of a state, indexes included, as text; what has no order is put into one. */
export function canonical(state: State): string {
	const routers = [...state.routers.values()].map(router => ({
		...router,
		sessions: [...router.sessions.values()],
		subscribersByWap: sorted(router.subscribersByWap, macs => [...macs].sort()),
		accessPoints: sorted(router.accessPoints, one => one),
		byAccounting: sorted(router.byAccounting, macs => [...macs].sort().join()),
		byMultiSession: sorted(router.byMultiSession, macs => [...macs].sort().join()),
		messageAuthenticatorSeen: [...router.messageAuthenticatorSeen].sort(),
		leases: leasesText(router.leases),
		src: {
			subscribers: sorted(router.src.subscribers, one => one),
			unreported: sorted(router.src.unreported, login => login),
			debts: sorted(router.src.debts, debt => debt),
		},
	}))
	return JSON.stringify({ ...state, routers })
}

function sorted<K, V, T>(map: ReadonlyMap<K, V>, value: (of: V) => T): [K, T][] {
	return [...map].map(([key, of]): [K, T] => [key, value(of)]).sort(([a], [b]) => (a < b ? -1 : 1))
}

function leasesText(table: LeaseTable) {
	const leases = [...everyLease(table)].sort((a, b) => a.address - b.address)
	const macs = [...new Set(leases.map(({ mac }) => mac))].sort()
	const slices = [...table.deadlines.keys()].sort()
	return {
		leases,
		byAddress: leases.map(({ address }) => leaseAt(table, address)?.mac),
		byMac: macs.map(mac =>
			leasesOfMac(table, mac)
				.map(({ address }) => address)
				.sort(),
		),
		deadlines: slices.map(slice => [slice, addressesEndingIn(table, slice).sort()]),
		boundOn: sorted(table.boundOn, clients => clients),
		boundIn: sorted(table.boundIn, bound => bound),
		warned: [...table.warned].sort(),
	}
}
