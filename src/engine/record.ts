/**
 * How events come into the batch, and answers that rest on them into the queue. Nothing is on disk yet
 * when these return: that is `commit.ts`.
 */
import { type EventOf, type NewEvent, virtualRouterOf } from '../../domain/event.ts'
import { releaseOfSession } from '../../domain/lease-end.ts'
import { evolve, routerState } from '../../domain/state.ts'
import { clockStepped, clockText } from '../../domain/steady.ts'
import { type Engine, type Flushable, radiusSharing } from './engine.ts'
import { followLeaseEvent, formerAddresses } from './follow-lease.ts'
import { followLogin } from './follow-login.ts'

/**
 * Events that nobody outside waits for may stay unwritten this long, so that a request and its
 * answer share one commit where the upstream server is quick.
 */
const commitDelayMs = 5
/** However many datagrams come, an answer waits no longer than this for others. */
const answerDelayMs = 2

/** Folds events into the state and puts them into the batch. */
export function record(engine: Engine, events: readonly NewEvent[]): void {
	if (events.length === 0) return
	if (engine.batch.length === 0) engine.batchDue = engine.now + commitDelayMs
	const { state, batch } = engine
	const ended: NewEvent[] = []
	for (let i = 0; i < events.length; i++) {
		const event = events[i]!
		const former = formerAddresses(engine, event)
		evolve(state, event)
		batch.push(event)
		followLeaseEvent(engine, event, former)
		if (engine.src.size > 0) followLogin(engine, event)
		if (event.type !== 'SubscriberTerminated') continue
		// Whatever ended the session: its address goes back into the pool with it.
		const router = routerState(state, virtualRouterOf(event.stream))
		ended.push(...releaseOfSession(router, event.data.mac, event.at))
	}
	record(engine, ended)
}

/** An answer was queued that rests on the events of this turn. */
export function queueAnswer(engine: Engine, listener: Flushable, sharing = radiusSharing): void {
	if (engine.answersQueued === 0) {
		engine.answersDue = engine.now + answerDelayMs
		engine.sharing = sharing
	} else if (sharing.spacingMs < engine.sharing.spacingMs) engine.sharing = sharing
	engine.answersQueued++
	touchListener(engine, listener)
}

export function touchListener(engine: Engine, listener: Flushable): void {
	if (listener.touched) return
	listener.touched = true
	engine.touchedListeners.push(listener)
}

export function touchUpstream(engine: Engine, socket: Flushable): void {
	if (socket.touched) return
	socket.touched = true
	engine.touchedUpstreams.push(socket)
}

/**
 * Reads the clocks, and tells the wall clock's milliseconds. Whatever decides or records outside of a
 * turn begins with it: a clock that was set must not look like time that has passed.
 */
export function presentTime(engine: Engine): number {
	engine.at = engine.parts.clock.wall()
	engine.now = engine.parts.clock.monotonic()
	compareClocks(engine)
	return engine.at
}

function compareClocks(engine: Engine): void {
	const { anchor, at, now } = engine
	const step = clockStepped(at - anchor.wall - (now - anchor.monotonic), at)
	if (step === undefined) return
	anchor.wall = at
	anchor.monotonic = now
	recordStep(engine, step)
}

export function recordStep(engine: Engine, step: EventOf<'ClockStepped'>): void {
	record(engine, [step])
	const { byMs, reason } = step.data
	const { log } = engine.parts
	if (reason === 'step') log.warn('clock-stepped', { byMs }, clockText(step.data))
	else log.info('clock-stepped', { byMs }, clockText(step.data))
}
