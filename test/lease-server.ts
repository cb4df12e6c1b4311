/** The rules of the DHCP local server with a state, pools and clocks around them, and nothing else. */
import { parseIpv4 } from '../domain/address.ts'
import type { DhcpLocal } from '../domain/configuration.ts'
import type { NewEvent } from '../domain/event.ts'
import { decodeEvents, encodeEvents } from '../domain/event-text.ts'
import { decideLease } from '../domain/lease.ts'
import { firstSlice, sliceOf } from '../domain/lease-deadlines.ts'
import { dueLeases, poolWarnings, releaseOfSession } from '../domain/lease-end.ts'
import type { DhcpRequest, LeaseContext, LeaseDecision } from '../domain/lease-message.ts'
import { createPools, followLease, type Pools } from '../domain/pool.ts'
import type { Addressing } from '../domain/session-table.ts'
import { evolve, initialState, routerState, type State } from '../domain/state.ts'
import { clockStepped, stoppedMeanwhile } from '../domain/steady.ts'

export type LeaseServer = {
	/** Everything recorded so far. */
	readonly events: NewEvent[]
	state(): State
	pools(): Pools
	/** Milliseconds that have really passed, and what the wall clock says. */
	truth(): number
	wall(): number
	ask(request: Partial<DhcpRequest> & Pick<DhcpRequest, 'message' | 'mac'>): LeaseDecision
	login(mac: string, addressing?: Addressing & { user?: string }): void
	logout(mac: string): void
	/** Lets time pass; deadlines are seen to at the end. */
	pass(ms: number): void
	/** Sets the wall clock. */
	setClock(byMs: number): void
	configure(settings: DhcpLocal): void
	/** Stops for so long, while the wall clock is set by so much, and folds its journal again. */
	restart(stoppedMs: number, clockSetMs: number): void
}

export const epoch = 1_800_000_000_000
const router = 'default'

export function createLeaseServer(initial: DhcpLocal): LeaseServer {
	let settings = initial
	let state = initialState()
	let truth = 0
	let skew = 0
	let anchor = 0
	let nextSlice = sliceOf(epoch)
	const events: NewEvent[] = []
	const wall = () => epoch + truth + skew
	const steady = () => wall() - state.clockShiftMs
	const leases = () => routerState(state, router).leases
	const makePools = () => createPools(settings, [], leases(), steady())
	let pools = makePools()

	function record(recorded: readonly NewEvent[]): void {
		for (const event of recorded) {
			events.push(event)
			evolve(state, event)
			if (event.type === 'SubscriberTerminated') {
				record(releaseOfSession(routerState(state, router), event.data.mac, event.at))
			}
			if (!('address' in event.data) || event.type === 'PoolSelected') continue
			const address = parseIpv4(event.data.address ?? '') ?? 0
			followLease(pools, leases(), address, steady())
		}
	}
	/** What a turn of the engine begins with. */
	function compareClocks(): void {
		const step = clockStepped(skew - anchor, wall())
		if (step === undefined) return
		anchor = skew
		record([step])
	}
	function context(): LeaseContext {
		return {
			name: router,
			router: routerState(state, router),
			service: settings.service!,
			settings,
			pools,
			at: wall(),
			steadyAt: steady(),
			pinging: new Set(),
			asksSrc: false,
		}
	}
	function tick(): void {
		compareClocks()
		const due = dueLeases(context(), nextSlice, 1000)
		nextSlice = due.next
		record(due.expired)
		for (const address of due.lapsed) {
			followLease(pools, leases(), address, steady())
		}
		record(poolWarnings(context()))
	}
	return {
		events,
		state: () => state,
		pools: () => pools,
		truth: () => truth,
		wall,
		ask(request) {
			compareClocks()
			const client = `hw:01${request.mac.replaceAll('-', '').toLowerCase()}`
			const decision = decideLease(context(), {
				...{ kind: 'invalid', client, requested: 0, ciaddr: 0, giaddr: 0, forUs: true },
				...{ interface: 'eth0', interfaceAddress: 0x0a000001, hostname: undefined },
				link: request.giaddr ?? 0,
				...request,
			})
			record(decision.events)
			return decision
		},
		login(mac, addressing = {}) {
			compareClocks()
			const stream = `subscriber-${router}.${mac}`
			const answered = { exchange: 1, client: '10.9.9.9', server: 'a', roundTripUs: 1 }
			const data = { ...answered, mac, wap: '00-11-22-33-44-55', ...addressing }
			record([{ stream, type: 'AccessAccepted', v: 1, at: wall(), data } as NewEvent])
		},
		logout(mac) {
			compareClocks()
			const session = routerState(state, router).sessions.get(mac)
			if (session === undefined) return
			const { wap, since } = session
			const data = { mac, wap, cause: 'accounting-stop', since } as const
			const stream = `subscriber-${router}.${mac}`
			record([{ stream, type: 'SubscriberTerminated', v: 1, at: wall(), data }])
		},
		pass(ms) {
			truth += ms
			tick()
		},
		setClock(byMs) {
			skew += byMs
		},
		configure(next) {
			settings = next
			pools = makePools()
		},
		restart(stoppedMs, clockSetMs) {
			truth += stoppedMs
			skew += clockSetMs
			state = initialState()
			for (const event of decodeEvents(encodeEvents(events), 1)) evolve(state, event)
			anchor = skew
			const stopped = stoppedMeanwhile(state, wall())
			if (stopped !== undefined) record([stopped])
			nextSlice = Math.min(sliceOf(steady()), firstSlice(leases(), 0) ?? sliceOf(steady()))
			pools = makePools()
		},
	}
}
