/**
 * What the journal must say. Two states are folded beside the relay's: `durable` from what is on disk,
 * and `ahead` from that and what waits to be written. The relay's own must be the same as `ahead`
 * after every step, and as `durable` after every start. Each event is judged by the state before it.
 */
import { type NewEvent, type RecordedEvent, virtualRouterOf } from '../../domain/event.ts'
import { decodeEvents, encodeEvents } from '../../domain/event-text.ts'
import {
	evolve,
	initialState,
	type RouterState,
	routerState,
	type State,
} from '../../domain/state.ts'
import { stoppedMeanwhile } from '../../domain/steady.ts'
import { canonical, difference } from './canonical.ts'
import { idleTimeoutSeconds } from './configuration.ts'
import { forgetAsked, judgeDisconnects, judgePlaces } from './disconnects.ts'
import { leaseEnded, leaseGranted } from './holders.ts'
import { judgeGivenUp, judgeHolder, judgeObserved, judgeRefused, observedKey } from './leases.ts'
import type { Running } from './relay.ts'
import { judgeDue, judgeSession, judgeUnchanged, sessionOf } from './sessions.ts'
import { followSrc } from './src-ledger.ts'
import { breaks, count, type World } from './world.ts'

export type History = {
	durable: State
	ahead: State
	aheadText: string
	/** Positions of the events that opened an exchange, by what identifies the request. */
	readonly opened: Map<string, number[]>
	/** Exchanges of the present process, the oldest first: position, and truth without what nobody was awake in. */
	pending: {
		readonly position: number
		readonly at: number
		readonly type: RecordedEvent['type']
	}[]
	/** What ended an exchange, by the position of the event that opened it: a type, or an answer. */
	readonly outcomes: Map<number, string>
	/** Refusals and answers that were recorded, for those whose datagrams say nothing more. */
	readonly refusals: Map<string, number>
	/** Steady time of the latest event, and the truth when it was read. */
	steadyAt: number
	truthAt: number
	/** How long nothing had happened when the last two commits were read. */
	standstillAt: readonly [before: number, latest: number]
	/** By how much the clock had been set when the relay was stopped; undefined after a crash. */
	stoppedSkew: number | undefined
	/** A process has started and has not said so yet. */
	starting: boolean
	/** Position of the latest offer and grant of an address to a MAC. */
	readonly leased: Map<string, number>
	/** Position of the first event of the latest commit. */
	batchFrom: number
	/** Monotonic time at which a DHCP service was first seen. */
	readonly servedSince: WeakMap<object, number>
	/** Truth of the last recorded accounting of each subscriber. */
	readonly heardAt: Map<string, number>
}

export function createHistory(): History {
	return {
		durable: initialState(),
		ahead: initialState(),
		aheadText: '',
		opened: new Map(),
		pending: [],
		outcomes: new Map(),
		refusals: new Map(),
		leased: new Map(),
		steadyAt: 0,
		truthAt: 0,
		standstillAt: [0, 0],
		stoppedSkew: undefined,
		starting: true,
		batchFrom: 0,
		servedSince: new WeakMap(),
		heardAt: new Map(),
	}
}

/** Reads what has got onto the disk. */
export function readJournal(world: World): void {
	const { history, disk } = world
	if (history.durable.position < disk.journal.last()) {
		history.batchFrom = history.durable.position + 1
	} else return
	while (history.durable.position < disk.journal.last()) {
		const events = disk.journal.read(history.durable.position + 1, 4096)
		for (const event of events) {
			judge(world, event)
			// Where nothing has a deadline, time that the relay did not see is not recorded.
			const timeless = stoppedMeanwhile(history.durable, Number.MAX_SAFE_INTEGER) === undefined
			const before = sessionOf(world, event)
			evolve(history.durable, event)
			judgeDisconnects(world, event)
			followSrc(world, event)
			if (event.type === 'ConfigurationChanged') world.inForce = world.disk.proposed
			judgeUnchanged(world, event, before)
			judgeSteadyTime(world, event, timeless)
		}
	}
	history.standstillAt = [history.standstillAt[1], world.clock.standstill()]
	judgeDue(world)
	judgePlaces(world)
}

/** A stop that was orderly has taken note of every step of the clock before it. */
function judgeStopped(world: World, byMs: number, truthMs: number): void {
	const { history, clock } = world
	const { stoppedSkew } = history
	history.stoppedSkew = undefined
	if (stoppedSkew === undefined) return
	const setMs = clock.skew() - stoppedSkew
	if (Math.abs(byMs - truthMs - setMs) <= steadyToleranceMs) return
	breaks(
		world,
		`A stop of ${truthMs} ms, with the clock set by ${setMs}, was recorded as ${byMs} ms.`,
	)
}

/** Clocks may differ by a second without that being recorded; a turn may come late by a few. */
const steadyToleranceMs = 8000

/** Steady time goes on with the truth or stands still, whatever becomes of the wall clock. */
function judgeSteadyTime(world: World, event: RecordedEvent, timeless: boolean): void {
	const { history, clock } = world
	const steadyAt = event.at - history.durable.clockShiftMs
	const truthAt = clock.truth()
	const passedMs = steadyAt - history.steadyAt
	const truthMs = truthAt - history.truthAt
	// An event may be from before a stall, and the commit that tells of it from behind that.
	const stoodMs = clock.standstill() - history.standstillAt[0]
	const longest = truthMs + stoodMs + steadyToleranceMs
	// What lies between two processes does not count.
	const shortest = history.starting ? -1100 : truthMs - stoodMs - steadyToleranceMs
	if (!timeless && (passedMs < Math.max(shortest, -1100) || passedMs > longest)) {
		breaks(
			world,
			`Steady time went on by ${passedMs} ms in ${truthMs} with ${event.type} at ${event.position}.`,
		)
	}
	if (event.type === 'RelayStarted') history.starting = false
	if (event.type === 'ClockStepped' && event.data.reason === 'stopped') {
		judgeStopped(world, event.data.byMs, truthMs)
	}
	history.steadyAt = steadyAt
	history.truthAt = truthAt
}

/** A state was recovered at a start: it must be what the journal says. */
export function recovered(world: World, state: State): void {
	readJournal(world)
	forgetAsked(world)
	world.inForce = world.disk.saved
	const { history } = world
	const found = canonical(state)
	const wanted = canonical(history.durable)
	if (found !== wanted) {
		breaks(world, `A start recovered another state.\n${difference(found, wanted)}`)
	}
	// What had been decided and was not written is forgotten.
	history.ahead = structuredClone(history.durable)
	history.aheadText = ''
	history.starting = true
	// What was in flight is lost.
	history.pending = []
}

/** The relay's state must be what its events make of it. */
export function judgeState(world: World, { relay }: Running): void {
	const { history, disk } = world
	const { engine } = relay
	readJournal(world)
	const last = disk.journal.last()
	const { ahead } = history
	const from = ahead.position
	if (from < last) foldInto(ahead, disk.journal.read(from + 1, last - from))
	const waiting = engine.batch.slice(ahead.position - last)
	if (waiting.length > 0) foldInto(ahead, decodeEvents(encodeEvents(waiting), ahead.position + 1))
	if (ahead.position !== from || history.aheadText === '') history.aheadText = canonical(ahead)
	const live = canonical(engine.state)
	if (live !== history.aheadText) {
		breaks(world, `The state is not what its events make.\n${difference(live, history.aheadText)}`)
	}
	if (engine.batch.length === 0 && ahead.position !== from) {
		const durable = canonical(history.durable)
		if (durable !== history.aheadText) {
			breaks(world, `The journal has something else.\n${difference(live, durable)}`)
		}
	}
}

function foldInto(state: State, events: readonly NewEvent[]): void {
	for (const event of events) evolve(state, event)
}

/** What a station's request is known by in events: NAS-Port is another in each request. */
export function stationKey(data: { readonly nasPort?: number }): string {
	return `port ${data.nasPort}`
}

function judge(world: World, event: RecordedEvent): void {
	const { history } = world
	const router = routerState(history.durable, virtualRouterOf(event.stream))
	count(world, event.type)
	judgeSession(world, router, event)
	switch (event.type) {
		case 'AccessRequested':
			opens(world, stationKey(event.data), event)
			return
		case 'AccountingStarted':
		case 'AccountingUpdated':
		case 'AccountingStopped':
			opens(world, stationKey(event.data), event)
			// The Stop of an access point that was left behind is no sign of life.
			if (event.type === 'AccountingStopped') return
			history.heardAt.set(`${router.name} ${event.data.mac}`, world.clock.truth())
			return
		case 'AccountingTurnedOn':
		case 'AccountingTurnedOff':
			opens(world, `session ${event.data.session}`, event)
			return
		case 'AccessAccepted':
			if (!router.sessions.has(event.data.mac)) {
				const name = virtualRouterOf(event.stream)
				history.heardAt.set(`${name} ${event.data.mac}`, world.clock.truth())
			}
			ends(world, event)
			return
		case 'AccessRejected':
		case 'AccessChallenged':
		case 'AccessUnanswered':
		case 'AccountingAnswered':
		case 'AccountingUnanswered':
			ends(world, event)
			return
		case 'DisconnectRequested':
			opens(world, `dynamic ${event.data.session}`, event)
			return
		case 'DisconnectAnswered':
			ends(world, event)
			tally(history, `dynamic ${event.data.request} ${event.data.accepted}`)
			return
		case 'RelayStopped':
			judgeStop(world)
			return
		case 'LeaseRefused':
			judgeRefused(world, router, event)
			if (event.data.silent === undefined) tally(history, `nak ${event.data.mac}`)
			return
		case 'SubscriberTerminated':
			judgeEnd(world, router, event)
			return
		case 'LeaseOffered':
		case 'LeaseGranted':
		case 'LeaseRenewed':
			judgeHolder(world, router, event)
			history.leased.set(`${event.type} ${event.data.mac} ${event.data.address}`, event.position)
			if (event.type !== 'LeaseOffered') leaseGranted(world, router.name, event)
			return
		case 'LeaseObserved':
			judgeObserved(world, router, event)
			history.leased.set(observedKey(event), event.position)
			return
		case 'LeaseReleased':
		case 'LeaseExpired':
		case 'LeaseDeclined':
			judgeGivenUp(world, router, event)
			leaseEnded(world, event)
			return
		default:
			return
	}
}

function opens({ history, clock }: World, key: string, { position, type }: RecordedEvent): void {
	history.pending.push({ position, at: clock.truth() - clock.standstill(), type })
	const positions = history.opened.get(key)
	if (positions === undefined) history.opened.set(key, [position])
	else positions.push(position)
}

function tally({ refusals }: History, key: string): void {
	refusals.set(key, (refusals.get(key) ?? 0) + 1)
}

function outcomeOf({ type, data }: RecordedEvent): string {
	return 'accepted' in data ? `${type} ${data.accepted}` : type
}

/** Longer than all servers, with all retransmissions, and the access point that is asked first. */
const exchangeMs = 15_000

/** Every exchange ends in time, also one that another request takes the place of. */
export function judgePending(world: World, { relay: { engine } }: Running): void {
	const { history, clock } = world
	// After a stall the deadlines are looked at in the next turn.
	if (engine.now >= engine.nextTickAt) return
	const { pending, outcomes } = history
	while (pending.length > 0 && outcomes.has(pending[0]!.position)) pending.shift()
	const oldest = pending[0]
	if (oldest === undefined || clock.truth() - clock.standstill() - oldest.at < exchangeMs) return
	breaks(world, `What was asked at ${oldest.position} has had no outcome for too long.`)
}

/** What is in flight at an orderly stop is given up, but for what access points were asked. */
function judgeStop(world: World): void {
	const { history } = world
	for (const { position, type } of history.pending) {
		if (type === 'DisconnectRequested' || history.outcomes.has(position)) continue
		breaks(world, `What was asked at ${position} had no outcome when the relay stopped.`)
	}
}

/** An exchange ends once, and only one that was opened. */
function ends(world: World, event: RecordedEvent & { data: { exchange: number } }): void {
	const { outcomes } = world.history
	const { exchange } = event.data
	if ('reason' in event.data) count(world, `unanswered: ${event.data.reason}`)
	const before = outcomes.get(exchange)
	if (before !== undefined) {
		breaks(world, `Exchange ${exchange} ended twice: ${before}, then ${event.type}.`)
	}
	if (exchange >= event.position || exchange < 1) {
		breaks(world, `${event.type} at ${event.position} ends exchange ${exchange}.`)
	}
	outcomes.set(exchange, outcomeOf(event))
}

type Terminated = Extract<RecordedEvent, { type: 'SubscriberTerminated' }>

function judgeEnd(world: World, router: RouterState, { data, position }: Terminated): void {
	const session = router.sessions.get(data.mac)
	if (session === undefined) {
		breaks(world, `The session of ${data.mac} ended at ${position}, but there was none.`)
		return
	}
	if (data.cause !== 'idle-timeout') return
	const heardAt = world.history.heardAt.get(`${router.name} ${data.mac}`) ?? 0
	const silentMs = world.clock.truth() - heardAt
	// What clocks may differ without being found out, and what lies between an event and its commit.
	if (silentMs < idleTimeoutSeconds * 1000 - 5000) {
		breaks(world, `The session of ${data.mac} ended as idle after ${silentMs} ms.`)
	}
}
