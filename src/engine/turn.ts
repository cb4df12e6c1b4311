/** One turn: what has arrived is given to whom it is for, and time passes. */
import type { DatagramSocket } from '../../adapters/radius/transport.ts'
import { receiveAnswers } from './answers.ts'
import { endTurn, flushUpstreams } from './commit.ts'
import { discoversWait, receiveDhcp } from './dhcp-intake.ts'
import { receiveDisconnectAnswers } from './disconnect-client.ts'
import { receiveDynamicRequests } from './dynamic-requests.ts'
import { answersPerCommit, type Engine } from './engine.ts'
import { presentTime } from './record.ts'
import { receiveRequests } from './requests.ts'
import { tick } from './timers.ts'

/** When nothing has come for so long, nobody is about to send: all wait for the queued answers. */
const quietMs = 0.4

/** Datagrams taken from one socket in one turn, in batches: the others get their turn, too. */
const batchesPerSocket = 4

/**
 * One turn of the loop: `ready` are the sockets that have something. A number when another turn
 * should follow, after that many microseconds at most: answers wait for a commit that takes in what
 * arrives meanwhile.
 */
export function turn(engine: Engine, ready: readonly DatagramSocket[]): number | undefined {
	if (engine.stopped) return undefined
	presentTime(engine)
	let received = 0
	if (discoversWait(engine)) received += receiveDespiteQuiet(engine, ready)
	for (let i = 0; i < ready.length; i++) received += receive(engine, ready[i]!)
	if (engine.now >= engine.nextTickAt) tick(engine)
	const pressed = discoversWait(engine)
	const waitUs = commitWaitUs(engine, received > 0 || pressed)
	if (waitUs === undefined) endTurn(engine)
	else flushUpstreams(engine)
	return pressed ? 0 : waitUs
}

/** How long queued answers wait for others to share a commit with; undefined: not at all. */
function commitWaitUs(engine: Engine, busy: boolean): number | undefined {
	const { answersQueued, now } = engine
	if (answersQueued === 0 || answersQueued >= answersPerCommit || now >= engine.answersDue) {
		return undefined
	}
	const { spacingMs, enough } = engine.sharing
	const pauseMs = engine.committedAt + spacingMs - now
	if (pauseMs <= 0 || answersQueued >= enough) return busy ? 0 : undefined
	if (pauseMs <= quietMs) return pauseMs * 1000
	return busy ? quietMs * 1000 : undefined
}

/** DHCPDISCOVERs that wait have their share also when nothing has come to their socket. */
function receiveDespiteQuiet(engine: Engine, ready: readonly DatagramSocket[]): number {
	const { listener } = engine.dhcp
	if (listener === undefined || ready.includes(listener.socket)) return 0
	return receiveDhcp(engine, listener)
}

/** Takes what a socket has, and tells how many datagrams that was. */
function receive(engine: Engine, socket: DatagramSocket): number {
	const owner = engine.sockets.get(socket)
	if (owner === undefined) return 0
	if ('dhcp' in owner) return receiveDhcp(engine, owner)
	let taken = 0
	for (let n = 0; n < batchesPerSocket; n++) {
		const received = socket.receive()
		taken += received.count
		if (received.count === 0) break
		if ('upstream' in owner) receiveAnswers(engine, owner, received)
		else if ('peers' in owner) receiveRequests(engine, owner, received)
		else if ('servers' in owner) receiveDynamicRequests(engine, owner, received)
		else receiveDisconnectAnswers(engine, owner, received)
		if (received.count < received.buffers.length) break
	}
	return taken
}
