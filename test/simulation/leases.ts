/** What the history must say of leases: whose an address is, how long, and that its end comes. */
import { parseIpv4 } from '../../domain/address.ts'
import type { RecordedEvent } from '../../domain/event.ts'
import { reclaimAfterMs } from '../../domain/lease-offer.ts'
import { everyLease, isTaken, leaseAt } from '../../domain/lease-state.ts'
import { externalServer } from '../../domain/shadow-lease.ts'
import { type RouterState, routerState, type State } from '../../domain/state.ts'
import { givenElsewhere } from './external-servers.ts'
import { longestDelayMs } from './network.ts'
import type { Running } from './relay.ts'
import { breaks, type World } from './world.ts'

type Leased = Extract<RecordedEvent, { type: 'LeaseOffered' | 'LeaseGranted' | 'LeaseRenewed' }>

/** Nobody is given what somebody else has. */
export function judgeHolder(world: World, router: RouterState, event: Leased): void {
	const { mac, address } = event.data
	const lease = leaseAt(router.leases, parseIpv4(address)!)
	const steadyAt = event.at - world.history.durable.clockShiftMs
	if (lease === undefined || !isTaken(lease, steadyAt)) return
	// An offer that nobody has taken goes to somebody else where no address is left.
	const abandoned = event.type === 'LeaseOffered' && steadyAt - lease.changedAt >= reclaimAfterMs
	if (lease.status === 'offered' && abandoned) return
	if (lease.status === 'declined') breaks(world, `${event.type}: ${address} was declined.`)
	else if (lease.mac !== mac)
		breaks(world, `${event.type}: ${lease.mac} has ${address}, not ${mac}.`)
}

type Observed = Extract<RecordedEvent, { type: 'LeaseObserved' }>

/** Whom a server refuses an address has it no longer when that is told. */
export function judgeRefused(
	{ sessionHistory }: World,
	{ name, leases }: RouterState,
	{ data }: Extract<RecordedEvent, { type: 'LeaseRefused' }>,
): void {
	if (data.reason !== externalServer || data.address === undefined) return
	const address = parseIpv4(data.address)!
	const lease = leaseAt(leases, address)
	if (lease?.status !== 'bound' || lease.mac !== data.mac) return
	const { mac, since } = lease
	sessionHistory.dueLeases.set(`${name} ${address}`, { router: name, address, mac, since })
}

export function observedKey({ type, data }: Observed): string {
	return `${type} ${data.mac} ${data.address} ${data.leaseSeconds}`
}

/** The relay may have heard a later copy of the request only; and what lies between event and commit. */
const shadowToleranceMs = 3 * longestDelayMs + 1000
/** A server takes so long to answer at most. */
const longestAnswerMs = 40_000

/** A shadow is as long as the server said, and nobody else's is in its way. */
export function judgeObserved(world: World, router: RouterState, { at, data }: Observed): void {
	const { mac, address, leaseSeconds, expiresAt, client, giaddr } = data
	// The servers give addresses of the network that giaddr is in, and agents have one each.
	if (giaddr !== undefined && giaddr.slice(0, 5) !== address.slice(0, 5)) {
		breaks(world, `${address} was observed for ${mac} behind ${giaddr}.`)
	}
	const other = givenElsewhere(world, parseIpv4(address)!, client)
	if (other !== undefined) {
		breaks(world, `${address} was observed for ${mac}, but the server has given it to ${other}.`)
	}
	const said = world.external.acknowledged.get(`${mac} ${address}`)
	if (!said?.seconds.has(leaseSeconds)) {
		breaks(world, `${mac} is said to have ${address} for ${leaseSeconds} s; no server said so.`)
	}
	const stoodMs = world.clock.standstill() - (said?.standstill ?? 0)
	const sinceMs = world.clock.truth() - (said?.at ?? 0) - stoodMs
	const longerMs = sinceMs + (expiresAt - at) - leaseSeconds * 1000
	const isRight = leaseSeconds === 0 ? expiresAt === 0 : longerMs < shadowToleranceMs
	if (!isRight) breaks(world, `The shadow of ${address} outlives its lease by ${longerMs} ms.`)
	if (leaseSeconds > 0 && expiresAt - at < leaseSeconds * 1000 - longestAnswerMs - stoodMs) {
		breaks(world, `The shadow lease of ${address} ends ${expiresAt - at} ms from now.`)
	}
	const there = leaseAt(router.leases, parseIpv4(address)!)
	if (there?.status === 'bound' && there.mac !== mac) {
		breaks(world, `${address} was observed for ${mac}, and ${there.mac} has it still.`)
	}
}

type GivenUp = Extract<RecordedEvent, { type: 'LeaseReleased' | 'LeaseExpired' | 'LeaseDeclined' }>

export function judgeGivenUp(world: World, router: RouterState, event: GivenUp): void {
	const { mac, address } = event.data
	const lease = leaseAt(router.leases, parseIpv4(address)!)
	if (event.type === 'LeaseDeclined' && event.data.ping === true) return
	const cleared = event.type === 'LeaseReleased' && event.data.cause === 'operator'
	if (lease?.mac === mac || (cleared && lease?.status === 'declined')) return
	breaks(world, `${event.type}: ${address} is not ${mac}'s but ${lease?.mac ?? 'nobody'}'s.`)
}

/** Slices of time that deadlines are looked at in, the margin, and turns that come late. */
const overdueMs = { busy: 12_000, idle: 75_000 } as const

/** What is over ends: no lease stays bound for long behind its time. */
export function judgeOverdue(world: World, { relay }: Running): void {
	const { engine } = relay
	const steadyAt = engine.at - engine.state.clockShiftMs
	const longest = world.idle ? overdueMs.idle : overdueMs.busy
	// A stall has ended with something else than a turn: the deadlines are looked at in the next one.
	if (engine.now >= engine.nextSecondAt) return
	for (const service of [...engine.dhcp.services.values(), ...engine.dhcp.external.values()]) {
		const { servedSince } = world.history
		const since = servedSince.get(service) ?? engine.now
		servedSince.set(service, since)
		// A service looks at its deadlines once a second, and first when it has been there for one.
		if (engine.now - since < 1200) continue
		for (const lease of everyLease(routerState(engine.state, service.router).leases)) {
			if (lease.status !== 'bound' || lease.until === 0) continue
			const overMs = steadyAt - lease.until
			if (overMs <= longest) continue
			breaks(world, `The lease of ${lease.mac} is bound ${overMs} ms after its end.`)
		}
	}
}

/** Those whose session has ended have no address that was leased for it. */
export function judgeEnded(world: World, state: State): void {
	for (const { leases, sessions } of state.routers.values()) {
		for (const lease of everyLease(leases)) {
			const live = lease.status === 'bound' || lease.status === 'offered'
			if (!live || !lease.forSession || sessions.has(lease.mac)) continue
			breaks(world, `${lease.mac} has no session but an address (${lease.status}).`)
		}
	}
}
