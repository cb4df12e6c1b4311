/**
 * Which upstream server a request goes to, and when a server counts as gone: JunosE's two
 * algorithms over the watchdog of RFC 3539 §3.4.2 with Status-Server (RFC 5997) as its question.
 */
import type { Algorithm } from './configuration.ts'
import type { EventData } from './event.ts'

export type UpstreamState = EventData<'UpstreamChanged'>['from']

export type Watchdog = {
	state: UpstreamState
	/** Monotonic milliseconds at which the watchdog timer expires. */
	timerAt: number
	/** A Status-Server is out and has not been answered. */
	pending: boolean
	/** Answers in state `reopen` (RFC 3539 calls it NumDWA). */
	answers: number
	/** The server has answered a Status-Server: only then does silence towards one mean anything. */
	answersStatusServer: boolean
	/** Monotonic milliseconds until which a server that is down is left alone (deadtime). */
	leaveAloneUntil: number
}

/** RFC 3539 §3.4.1: Tw is 30 s, never below 6 s, with up to 2 s of jitter either way. */
export const watchdogSeconds = 30
export const watchdogSecondsMinimum = 6
const jitterMs = 2000

export type WatchdogSettings = {
	readonly intervalMs: number
	readonly deadtimeMs: number
}

export type WatchdogStep = {
	readonly sendStatusServer: boolean
	readonly change: { from: UpstreamState; to: UpstreamState; reason: string } | undefined
}
const nothing: WatchdogStep = { sendStatusServer: false, change: undefined }
const ask: WatchdogStep = { sendStatusServer: true, change: undefined }

/** `random` is in [0, 1). */
function setTimer(w: Watchdog, now: number, settings: WatchdogSettings, random: number): void {
	w.timerAt = now + settings.intervalMs + (random * 2 - 1) * jitterMs
}

export function newWatchdog(now: number, settings: WatchdogSettings, random: number): Watchdog {
	const w: Watchdog = {
		state: 'okay',
		timerAt: 0,
		pending: false,
		answers: 0,
		answersStatusServer: false,
		leaveAloneUntil: 0,
	}
	setTimer(w, now, settings, random)
	return w
}

function change(
	w: Watchdog,
	to: UpstreamState,
	reason: string,
	sendStatusServer: boolean,
): WatchdogStep {
	const from = w.state
	w.state = to
	w.pending = sendStatusServer
	return { sendStatusServer, change: { from, to, reason } }
}

/** A verified answer came from the server; `toStatusServer` when it answers the watchdog. */
export function watchdogHeard(
	w: Watchdog,
	now: number,
	settings: WatchdogSettings,
	random: number,
	toStatusServer: boolean,
): WatchdogStep {
	if (toStatusServer) {
		w.pending = false
		w.answersStatusServer = true
	}
	switch (w.state) {
		case 'okay':
			// Any answer shows that it lives: a Status-Server lost on the way must not count later.
			w.pending = false
			setTimer(w, now, settings, random)
			return nothing
		case 'suspect':
			setTimer(w, now, settings, random)
			return change(w, 'okay', 'It answers again.', false)
		case 'down':
			// Contact: RFC 3539's "connection up".
			setTimer(w, now, settings, random)
			w.answers = toStatusServer ? 1 : 0
			return change(w, 'reopen', 'It was heard again.', !toStatusServer)
		case 'reopen':
			// Other answers are thrown away here: three Status-Server in a row must be answered.
			if (!toStatusServer) return nothing
			setTimer(w, now, settings, random)
			w.answers = Math.max(w.answers, 0) + 1
			if (w.answers < 3) return nothing
			return change(w, 'okay', 'It answered three times.', false)
		default:
			return w.state satisfies never
	}
}

/** The watchdog timer has expired. */
export function watchdogTimer(
	w: Watchdog,
	now: number,
	settings: WatchdogSettings,
	random: number,
): WatchdogStep {
	setTimer(w, now, settings, random)
	switch (w.state) {
		case 'okay':
			if (w.pending && w.answersStatusServer) {
				// Unlike RFC 3539's connections, UDP may have lost that one: a second decides.
				return change(w, 'suspect', 'It does not answer Status-Server.', true)
			}
			w.pending = true
			return ask
		case 'suspect':
			return down(w, now, settings, 'It stayed silent.')
		case 'down':
			if (now < w.leaveAloneUntil) return nothing
			if (!w.answersStatusServer) {
				// Nothing tells whether it is back but a request: it gets the next one.
				return change(w, 'okay', 'It is tried again; it never answered Status-Server.', false)
			}
			w.pending = true
			return ask
		case 'reopen':
			if (!w.pending) {
				w.pending = true
				return ask
			}
			if (w.answers >= 0) {
				w.answers = -1
				return ask
			}
			return down(w, now, settings, 'It fell silent again.')
		default:
			return w.state satisfies never
	}
}

function down(w: Watchdog, now: number, settings: WatchdogSettings, reason: string): WatchdogStep {
	w.leaveAloneUntil = now + settings.deadtimeMs
	return change(w, 'down', reason, false)
}

/** A request used up its transmissions, or the server's host refused it. */
export function watchdogSilence(
	w: Watchdog,
	now: number,
	settings: WatchdogSettings,
	random: number,
	reason: string,
): WatchdogStep {
	if (w.state !== 'okay') return nothing
	setTimer(w, now, settings, random)
	return change(w, 'suspect', reason, true)
}

/** What choosing needs to know of a server. */
export type Candidate = {
	readonly watchdog: Watchdog
	/** It has a key and an address. */
	readonly ready: boolean
	readonly inFlight: number
	readonly maxSessions: number
}

/** In this order servers are taken back when none is okay ("all are restored"). */
const ranks: readonly UpstreamState[] = ['okay', 'suspect', 'reopen', 'down']

/**
 * The index of the server for a new request: -1 when none is ready, -2 when every one that could
 * be asked has its limit of requests in flight. `start` is where the search begins: 0 for `direct`,
 * the turn for `round-robin`. `except` are indices tried before.
 */
export function chooseUpstream(
	candidates: readonly Candidate[],
	start: number,
	except: readonly number[],
): number {
	let full = false
	for (const rank of ranks) {
		for (let i = 0; i < candidates.length; i++) {
			const n = (start + i) % candidates.length
			const candidate = candidates[n]!
			if (!candidate.ready || candidate.watchdog.state !== rank || except.includes(n)) continue
			if (candidate.inFlight < candidate.maxSessions) return n
			full = true
		}
		// A full okay server is waited for: one that is down would only swallow the request.
		if (full) return -2
	}
	return -1
}

/** Where the search for the next request begins. */
export function nextStart(algorithm: Algorithm, turn: number, count: number): number {
	return algorithm === 'direct' || count === 0 ? 0 : turn % count
}
