/**
 * What the history must say of sessions: what ends one, what must end one, and what changes nothing in
 * one. An end that is due comes with the commit that it is due in.
 */
import { formatIpv4 } from '../../domain/address.ts'
import { type RecordedEvent, virtualRouterOf } from '../../domain/event.ts'
import { leaseAt } from '../../domain/lease-state.ts'
import type { Session } from '../../domain/session-table.ts'
import { type RouterState, routerState } from '../../domain/state.ts'
import type { Running } from './relay.ts'
import { breaks, type World } from './world.ts'

type DueLease = {
	readonly router: string
	readonly address: number
	readonly mac: string
	readonly since: number
}

export type SessionHistory = {
	/** Sessions that must be over at the end of the commit, by virtual router and MAC: since when they lasted. */
	readonly due: Map<
		string,
		{ readonly router: string; readonly mac: string; readonly since: number }
	>
	/** The same of leases that a server has refused. */
	readonly dueLeases: Map<string, DueLease>
	/** The last access point of a virtual router that was turned on or off, and the last that was heard of a MAC. */
	readonly turned: Map<string, string>
	readonly stopped: Map<string, string>
	/** Monotonic time at which the relay was first seen to serve a virtual router. */
	readonly servedSince: WeakMap<object, number>
}

export function createSessionHistory(): SessionHistory {
	return {
		due: new Map(),
		dueLeases: new Map(),
		turned: new Map(),
		stopped: new Map(),
		servedSince: new WeakMap(),
	}
}

/** An event, by the state before it. */
export function judgeSession(world: World, router: RouterState, event: RecordedEvent): void {
	const { turned, stopped } = world.sessionHistory
	switch (event.type) {
		case 'AccountingTurnedOn':
		case 'AccountingTurnedOff':
			turned.set(router.name, event.data.wap)
			for (const session of router.sessions.values()) {
				if (session.wap === event.data.wap) mustEnd(world, router, session)
			}
			return
		case 'AccountingStopped': {
			const { mac, wap, session: name } = event.data
			stopped.set(`${router.name} ${mac}`, wap)
			const session = router.sessions.get(mac)
			const isMeant = session?.wap === wap && session.accountingWap === wap
			if (isMeant && session.accounting === name) mustEnd(world, router, session)
			return
		}
		case 'SubscriberTerminated':
			judgeCause(world, router, event)
			return
		case 'LeaseReleased':
			if (event.data.cause !== 'session' || !router.sessions.has(event.data.mac)) return
			breaks(world, `The address of ${event.data.mac} ended with a session that lasts.`)
			return
		default:
			return
	}
}

function mustEnd({ sessionHistory }: World, { name }: RouterState, session: Session): void {
	const { mac, since } = session
	sessionHistory.due.set(`${name} ${mac}`, { router: name, mac, since })
}

/** A commit has been read: what was due has come. */
export function judgeDue(world: World): void {
	const { due } = world.sessionHistory
	for (const { router, mac, since } of due.values()) {
		const session = routerState(world.history.durable, router).sessions.get(mac)
		if (session?.since === since) breaks(world, `The session of ${mac} should have ended.`)
	}
	due.clear()
	const { dueLeases } = world.sessionHistory
	for (const { router, address, mac, since } of dueLeases.values()) {
		const lease = leaseAt(routerState(world.history.durable, router).leases, address)
		const lasts = lease?.status === 'bound' && lease.mac === mac && lease.since === since
		if (lasts) breaks(world, `${formatIpv4(address)} was refused to ${mac}, who has it still.`)
	}
	dueLeases.clear()
}

type Terminated = Extract<RecordedEvent, { type: 'SubscriberTerminated' }>

function judgeCause(world: World, router: RouterState, { data }: Terminated): void {
	const { turned, stopped } = world.sessionHistory
	const { mac, cause } = data
	const wap = router.sessions.get(mac)?.wap
	const isOf: Partial<Record<typeof cause, string | undefined>> = {
		'accounting-on': turned.get(router.name),
		'accounting-off': turned.get(router.name),
		'accounting-stop': stopped.get(`${router.name} ${mac}`),
	}
	if (!(cause in isOf) || isOf[cause] === wap) return
	breaks(world, `${cause} of ${isOf[cause]} ended the session of ${mac}, who is at ${wap}.`)
}

/** What a session was, and what an event has made of it. */
export function judgeUnchanged(
	world: World,
	event: RecordedEvent,
	before: Readonly<Session> | undefined,
): void {
	const router = routerState(world.history.durable, virtualRouterOf(event.stream))
	switch (event.type) {
		case 'AccessAccepted': {
			const after = router.sessions.get(event.data.mac)
			if (after?.wap !== event.data.wap)
				breaks(world, `${event.data.mac} is not where it was accepted.`)
			if (before === undefined || after === undefined) return
			const same = (
				['since', 'user', 'class', 'serviceBundle', 'addressing', 'accounting'] as const
			).every(field => before[field] === after[field])
			if (!same) breaks(world, `A reauthentication has changed the session of ${event.data.mac}.`)
			return
		}
		case 'AccountingUpdated':
		case 'AccountingStopped': {
			const after = router.sessions.get(event.data.mac)
			if (before === undefined && after !== undefined) {
				breaks(world, `${event.type} has brought back the session of ${event.data.mac}.`)
			}
			return
		}
		default:
			return
	}
}

/** The session that an event is about, as it is now. */
export function sessionOf({ history }: World, event: RecordedEvent): Session | undefined {
	if (!('mac' in event.data) || typeof event.data.mac !== 'string') return undefined
	const router = routerState(history.durable, virtualRouterOf(event.stream))
	const session = router.sessions.get(event.data.mac)
	return session === undefined ? undefined : { ...session }
}

/** Sessions of which nobody has heard for too long are over, a second later at most. */
export function judgeIdle(world: World, { relay }: Running): void {
	const { engine } = relay
	if (engine.now >= engine.nextSecondAt) return
	for (const [name, router] of engine.routers) {
		const { servedSince } = world.sessionHistory
		const since = servedSince.get(router) ?? engine.now
		servedSince.set(router, since)
		if (engine.now - since < 1200) continue
		const longestMs = router.settings.idleTimeoutSeconds * 1000 + 2000
		for (const { mac, heardAt } of routerState(engine.state, name).sessions.values()) {
			const silentMs = engine.at - heardAt
			if (silentMs > longestMs) breaks(world, `${mac} was silent for ${silentMs} ms and lasts.`)
		}
	}
}
