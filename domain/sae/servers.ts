/**
 * Which SRC server is asked: the primary while it can be, else the secondary, else the tertiary,
 * and back again. Time comes in with every input, in monotonic milliseconds; what is to be done
 * with connections comes out.
 *
 * A server is left when its connection fails or breaks, when nobody listens there, or when three
 * questions in a row stayed without an answer. When all have failed one after the other there is
 * no connection, and a new round begins after a pause that doubles up to the retry timer. While
 * another than the primary is asked, a better one is tried each time the retry timer has run out:
 * it gets copies of the questions, and its first answer brings the return, so that a server that
 * accepts connections and never answers takes nothing away.
 */

export type ServerRole = 'primary' | 'secondary' | 'tertiary'
export const serverRoles: readonly ServerRole[] = ['primary', 'secondary', 'tertiary']

export type SrcServer = {
	readonly role: ServerRole
	/** An IPv4 address or a name. */
	readonly address: string
	readonly port: number
}

/** As `show sscc info` prints them. */
export type ConnectionState = 'NoConnection' | 'trying' | 'connected'

/** `sscc retryTimer`, in seconds. */
export const retryTimer = { minimum: 5, maximum: 300, usual: 90 } as const

/** How long one server may take to accept a connection. */
export const tryMs = 5000
/** The pause after the first round in vain. */
export const firstPauseMs = 250
/** Questions in a row without an answer after which a server is left. */
export const unansweredLimit = 3

export type Rotation = {
	/** In the order of their roles. Servers are named by their index here; -1 is none. */
	readonly servers: readonly SrcServer[]
	readonly retryMs: number
	readonly state: ConnectionState
	/** The server that is tried or asked. */
	readonly current: number
	/** A better server that is tried while `current` is asked. */
	readonly probe: number
	readonly probeConnected: boolean
	/** When the try, the pause, or the wait for the next return is over. */
	readonly timerAt: number
	readonly connectedAt: number
	/** Whether `current` has answered since it was connected. */
	readonly answered: boolean
	/** Servers that failed one after the other. */
	readonly failures: number
	readonly pauseMs: number
	readonly unanswered: number
}

export type RotationInput =
	| { readonly kind: 'start' | 'stop' | 'tick' }
	| { readonly kind: 'connected' | 'failed' | 'answered'; readonly server: number }
	/** `nobody`: NATS says that no adapter listens there; else there was silence. */
	| { readonly kind: 'unanswered'; readonly server: number; readonly nobody: boolean }

export type RotationEffect = { readonly kind: 'connect' | 'close'; readonly server: number }
export type RotationStep = {
	readonly rotation: Rotation
	readonly effects: readonly RotationEffect[]
}

export function newRotation(servers: readonly SrcServer[], retryMs: number): Rotation {
	return {
		servers,
		retryMs,
		state: 'NoConnection',
		current: -1,
		probe: -1,
		probeConnected: false,
		timerAt: Number.POSITIVE_INFINITY,
		connectedAt: 0,
		answered: false,
		failures: 0,
		pauseMs: firstPauseMs,
		unanswered: 0,
	}
}

export function rotate(rotation: Rotation, input: RotationInput, now: number): RotationStep {
	switch (input.kind) {
		case 'start':
			return restart(rotation, now)
		case 'stop':
			return {
				rotation: newRotation(rotation.servers, rotation.retryMs),
				effects: closeAll(rotation),
			}
		case 'tick':
			return now < rotation.timerAt ? unchanged(rotation) : timeIsUp(rotation, now)
		case 'connected':
			return connected(rotation, input.server, now)
		case 'failed':
			return failed(rotation, input.server, now)
		case 'answered':
			return answered(rotation, input.server, now)
		case 'unanswered':
			return unanswered(rotation, input.server, input.nobody, now)
		default:
			return input satisfies never
	}
}

function unchanged(rotation: Rotation): RotationStep {
	return { rotation, effects: [] }
}

function closeAll({ current, probe }: Rotation): RotationEffect[] {
	return [current, probe].flatMap(server => (server < 0 ? [] : [{ kind: 'close', server }]))
}

function restart(rotation: Rotation, now: number): RotationStep {
	const effects = closeAll(rotation)
	const fresh = newRotation(rotation.servers, rotation.retryMs)
	if (fresh.servers.length === 0) return { rotation: fresh, effects }
	return tryServer(fresh, 0, now, effects)
}

function tryServer(
	rotation: Rotation,
	server: number,
	now: number,
	effects: readonly RotationEffect[],
): RotationStep {
	return {
		rotation: {
			...rotation,
			state: 'trying',
			current: server,
			probe: -1,
			probeConnected: false,
			timerAt: now + tryMs,
			answered: false,
			unanswered: 0,
		},
		effects: [...effects, { kind: 'connect', server }],
	}
}

function connected(rotation: Rotation, server: number, now: number): RotationStep {
	if (server === rotation.current && rotation.state === 'trying') {
		return unchanged(asked(rotation, server, now))
	}
	if (server === rotation.probe) {
		// It now waits for a question to answer, however long none comes.
		const timerAt = Number.POSITIVE_INFINITY
		return unchanged({ ...rotation, probeConnected: true, timerAt })
	}
	return unchanged(rotation)
}

/** `server` is connected and gets the questions from now on. */
function asked(rotation: Rotation, server: number, now: number): Rotation {
	return {
		...rotation,
		state: 'connected',
		current: server,
		probe: -1,
		probeConnected: false,
		// Nothing is better than the primary: no return is to be tried.
		timerAt: server === 0 ? Number.POSITIVE_INFINITY : now + rotation.retryMs,
		connectedAt: now,
		answered: false,
		unanswered: 0,
	}
}

function failed(rotation: Rotation, server: number, now: number): RotationStep {
	if (server === rotation.current) return leaveCurrent(rotation, now, [])
	if (server === rotation.probe) return probeFailed(rotation, now, [])
	return unchanged(rotation)
}

function leaveCurrent(
	rotation: Rotation,
	now: number,
	effects: readonly RotationEffect[],
): RotationStep {
	const { servers, current, probe } = rotation
	const lasted = rotation.state === 'connected' && now - rotation.connectedAt >= rotation.retryMs
	const left: Rotation = {
		...rotation,
		// A server that did answer was no failure: the round begins behind it.
		failures: rotation.answered ? 0 : rotation.failures + 1,
		pauseMs: lasted ? firstPauseMs : rotation.pauseMs,
	}
	if (probe >= 0) {
		const next: Rotation = rotation.probeConnected
			? asked(left, probe, now)
			: tryServer(left, probe, now, []).rotation
		return { rotation: next, effects }
	}
	if (left.failures < servers.length) {
		return tryServer(left, (current + 1) % servers.length, now, effects)
	}
	return {
		rotation: {
			...left,
			state: 'NoConnection',
			current: -1,
			timerAt: now + left.pauseMs,
			pauseMs: Math.min(left.pauseMs * 2, rotation.retryMs),
			failures: 0,
			answered: false,
			unanswered: 0,
		},
		effects,
	}
}

function answered(rotation: Rotation, server: number, now: number): RotationStep {
	if (server === rotation.probe && rotation.probeConnected) {
		const returned = asked(rotation, server, now)
		return {
			rotation: { ...returned, answered: true, failures: 0, pauseMs: firstPauseMs },
			effects: [{ kind: 'close', server: rotation.current }],
		}
	}
	if (server !== rotation.current || rotation.state !== 'connected') return unchanged(rotation)
	// The usual case, a thousand times a second: nothing changes.
	if (rotation.answered && rotation.unanswered === 0) return unchanged(rotation)
	return unchanged({
		...rotation,
		answered: true,
		unanswered: 0,
		failures: 0,
		pauseMs: firstPauseMs,
	})
}

function unanswered(
	rotation: Rotation,
	server: number,
	nobody: boolean,
	now: number,
): RotationStep {
	if (server === rotation.probe) {
		return probeFailed(rotation, now, [{ kind: 'close', server }])
	}
	if (server !== rotation.current || rotation.state !== 'connected') return unchanged(rotation)
	const count = rotation.unanswered + 1
	if (!nobody && count < unansweredLimit) return unchanged({ ...rotation, unanswered: count })
	return leaveCurrent(rotation, now, [{ kind: 'close', server }])
}

function timeIsUp(rotation: Rotation, now: number): RotationStep {
	switch (rotation.state) {
		case 'NoConnection':
			return tryServer(rotation, 0, now, [])
		case 'trying':
			return leaveCurrent(rotation, now, [{ kind: 'close', server: rotation.current }])
		case 'connected':
			return probeTimeIsUp(rotation, now)
		default:
			return rotation.state satisfies never
	}
}

function probeTimeIsUp(rotation: Rotation, now: number): RotationStep {
	if (rotation.probe >= 0) {
		return probeFailed(rotation, now, [{ kind: 'close', server: rotation.probe }])
	}
	return tryProbe(rotation, 0, now, [])
}

function tryProbe(
	rotation: Rotation,
	probe: number,
	now: number,
	effects: readonly RotationEffect[],
): RotationStep {
	return {
		rotation: { ...rotation, probe, probeConnected: false, timerAt: now + tryMs },
		effects: [...effects, { kind: 'connect', server: probe }],
	}
}

/** Where the primary stays away, the tertiary may still return to the secondary. */
function probeFailed(
	rotation: Rotation,
	now: number,
	effects: readonly RotationEffect[],
): RotationStep {
	const next = rotation.probe + 1
	if (next < rotation.current) return tryProbe(rotation, next, now, effects)
	const timerAt = now + rotation.retryMs
	return { rotation: { ...rotation, probe: -1, probeConnected: false, timerAt }, effects }
}
