/**
 * When a turn of the relay runs. One epoll descriptor knows which sockets are ready, so that idle ones
 * cost nothing, and Node's own loop watches that descriptor: nothing blocks, no thread takes part, and
 * timers, the shell and messages of workers have their turn as ever. A turn runs as an immediate
 * because the watcher's callback is outside Node's own bookkeeping: a promise resolved there would
 * wait for another event.
 */
import type { Linux } from './linux-calls.ts'
import { epollEvent, POLLIN } from './linux-calls.ts'
import type { DatagramSocket, Turn } from './transport.ts'

/** Ready sockets taken from epoll at once; where there are more, the next turn has the others. */
const eventLimit = 256

/** Turns that follow each other before Node's loop has its turn again. */
const turnsAtOnce = 4
/** Node's loop stands still while a turn waits for datagrams. */
const waitUsLimit = 1000

export function createLoop(
	linux: Linux,
	epoll: number,
	sockets: ReadonlyMap<number, DatagramSocket>,
) {
	const buffer = new ArrayBuffer(eventLimit * epollEvent.size)
	const events = new Uint32Array(buffer)
	const eventsPointer = linux.addressOf(buffer)
	const ready: DatagramSocket[] = []
	let running: { turn: Turn; watcher: { close(): void }; ticker: NodeJS.Timeout } | undefined
	let pending: NodeJS.Immediate | undefined
	/** The last turn wants another one within so many microseconds, even if nothing arrives. */
	let asked: number | undefined
	// A `struct timespec` and behind it a `struct pollfd`; the view keeps the memory of both.
	const waiting = new BigInt64Array(new ArrayBuffer(24))
	const waitingPointer = linux.addressOf(waiting.buffer)
	new Int32Array(waiting.buffer)[4] = epoll
	new Int16Array(waiting.buffer)[10] = POLLIN

	/** Waits for up to that many microseconds; the finest that epoll_wait can is a millisecond. */
	function findReady(waitUs: number): void {
		if (waitUs > 0) {
			waiting[1] = BigInt(Math.round(Math.min(waitUs, waitUsLimit) * 1000))
			linux.calls.ppoll(waitingPointer + 16, 1, waitingPointer, 0)
		}
		const count = linux.calls.epoll_wait(epoll, eventsPointer, eventLimit, 0)
		ready.length = 0
		for (let i = 0; i < count; i++) {
			const socket = sockets.get(events[(i * epollEvent.size + epollEvent.data) >>> 2]!)
			if (socket !== undefined) ready.push(socket)
		}
	}

	function runTurn(): void {
		pending = undefined
		for (let i = 0; i < turnsAtOnce; i++) {
			if (running === undefined) return
			findReady(asked ?? 0)
			if (ready.length === 0 && asked === undefined) return
			asked = running.turn(ready)
			if (asked === undefined) return
		}
		wake()
	}

	function tick(): void {
		if (running === undefined) return
		findReady(0)
		asked = running.turn(ready)
		if (asked !== undefined) wake()
	}

	function wake(): void {
		pending ??= setImmediate(runTurn)
	}

	return {
		run(turn: Turn, tickMs: number): void {
			if (running !== undefined) throw new Error('the transport runs already')
			running = { turn, watcher: linux.watch(epoll, wake), ticker: setInterval(tick, tickMs) }
		},
		stop(): void {
			if (running === undefined) return
			running.watcher.close()
			clearInterval(running.ticker)
			clearImmediate(pending)
			pending = undefined
			running = undefined
		},
	}
}
