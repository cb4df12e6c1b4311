/** The folded state of a relay while a subscriber is erased from its journal. */
import type { RetentionClass } from './configuration.ts'
import { decide } from './decide.ts'
import { type Erased, pseudonymFrom } from './erasure.ts'
import type { EventOf, NewEvent } from './event.ts'
import { released } from './lease-message.ts'
import { firstRowOf, noStatus, numberOfMac, setClient, setFirstRow } from './lease-rows.ts'
import { type LeaseTable, leasesOfMac } from './lease-state.ts'
import { noRow } from './row-index.ts'
import { sessionClosed } from './sae/bridge.ts'
import type { State } from './state.ts'

/**
 * Why a subscriber cannot be erased now, as a sentence. Who is on the network is not ended by the
 * way: that is for an operator to decide, and the next request would begin a new history at once.
 */
export function whyNotErasable(state: State, mac: string, wallNow: number): string | undefined {
	const steadyNow = wallNow - state.clockShiftMs
	for (const { name, sessions, leases, src } of state.routers.values()) {
		const where = state.routers.size > 1 ? ` in virtual router ${name}` : ''
		if (sessions.has(mac)) {
			return `${mac} is on the network${where}; end the session with "clear subscriber ${mac}" first, and see that it stays away.`
		}
		const live = leasesOfMac(leases, mac).find(
			({ status, until }) => status === 'bound' || (status === 'offered' && until > steadyNow),
		)
		if (live !== undefined) {
			return `${mac} has an address${where}; take it back with "clear ip dhcp-local binding" first, and see that it stays away.`
		}
		const debts = [...src.debts.values()].some(({ login }) => login.mac === mac)
		if (src.subscribers.has(mac) || debts) {
			return `SRC has not answered yet that ${mac} is gone${where}; try again later. Where it never will, stop the relay and let "radledger erase --end" give its session up.`
		}
	}
	return undefined
}

/**
 * What ends next of a subscriber whom no relay can end any more, because none runs: session, then
 * addresses, then SRC's sessions, which SRC is not told of. Empty when nothing is left: fold what
 * was returned before, and ask again.
 */
export function endingsOf(state: State, mac: string, at: number): readonly NewEvent[] {
	for (const [router, { sessions, leases, src }] of state.routers) {
		if (sessions.has(mac))
			return decide(state, { kind: 'clear-subscriber', at, router, mac }).events
		const held = leasesOfMac(leases, mac).filter(
			({ status, until }) =>
				status === 'bound' || (status === 'offered' && until > at - state.clockShiftMs),
		)
		if (held.length > 0) return held.map(lease => released(router, lease, 'operator', at))
		const debts = [...src.debts.values()].filter(({ login }) => login.mac === mac)
		if (debts.length > 0) return debts.map(debt => sessionClosed(router, debt, 'operator', at))
	}
	return []
}

/** What became of a subscriber's session, addresses and SRC sessions, as a sentence. */
export function endingText(event: NewEvent): string {
	switch (event.type) {
		case 'SubscriberTerminated':
			return 'Ended: the session.'
		case 'LeaseReleased':
			return `Taken back: the address ${event.data.address}; a client that still uses it is not told.`
		case 'SrcSessionClosed':
			return srcEndingText(event)
		default:
			throw new Error(`${event.type} ends nothing of a subscriber.`)
	}
}

function srcEndingText({ data }: EventOf<'SrcSessionClosed'>): string {
	const { session, address } = data
	const which = session === undefined ? `its login for ${address}` : `its session ${session}`
	return `Given up: SRC is not told that ${which} has ended; end it there.`
}

/**
 * From when on the state rests on events of a subscriber, in wall-clock milliseconds: of a live
 * session, and of addresses that are held or remembered. Infinity: on none of that class.
 */
export function restsFrom(state: State, mac: string, kind: RetentionClass): number {
	let from = Number.POSITIVE_INFINITY
	for (const { sessions, leases, src } of state.routers.values()) {
		const debts = [...src.debts.values()].some(({ login }) => login.mac === mac)
		if (src.subscribers.has(mac) || debts) return Number.NEGATIVE_INFINITY
		const session = sessions.get(mac)?.since ?? from
		from = Math.min(from, session, session + state.clockShiftMs)
		if (kind !== 'lease') continue
		for (const { since } of leasesOfMac(leases, mac)) {
			// The clock may have been set since: on the safe side of both times.
			from = Math.min(from, since, since + state.clockShiftMs)
		}
	}
	return from
}

/**
 * Gives what the state remembers of a subscriber who is gone to the pseudonym: the same that folding
 * the erased journal gives.
 */
export function renameInState(state: State, { mac, pseudonym }: Erased): void {
	for (const { leases } of state.routers.values()) renameLeases(leases, mac, pseudonym)
}

function renameLeases({ rows }: LeaseTable, mac: string, pseudonym: string): void {
	const from = numberOfMac(rows, mac)
	const to = numberOfMac(rows, pseudonym)
	const first = firstRowOf(rows, mac)
	if (first !== noRow) setFirstRow(rows, from, noRow)
	const client = `hw:01${pseudonym.replaceAll('-', '').toLowerCase()}`
	// Declined addresses are in no chain, so all rows are looked at.
	for (let row = 0; row < rows.used; row++) {
		if (rows.status[row] === noStatus || rows.mac[row] !== from) continue
		rows.mac[row] = to
		setClient(rows, row, client)
		rows.hostname[row] = undefined
	}
	if (first !== noRow) setFirstRow(rows, to, first)
}

export function newErased(mac: string, random: Uint8Array): Erased {
	return { mac, pseudonym: pseudonymFrom(random) }
}
