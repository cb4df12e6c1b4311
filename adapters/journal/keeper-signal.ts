/**
 * How the writer and its keeper (keeper.ts) speak while neither may wait for a message: a few
 * numbers in shared memory. The writer alone moves `checkpoint` from done to asked, the keeper alone
 * back; what it found stands in `logFrames`, `checkpointedFrames` and `checkpointUs` before it says done.
 */
export type KeeperSignal = Int32Array<SharedArrayBuffer>

export const wakeups = 0
export const checkpoint = 1
export const logFrames = 2
export const checkpointedFrames = 3
export const stop = 4
export const stopped = 5
/** 1: the index is to be built anew, because streams have other names now. */
export const reindex = 6
/** How long the last checkpoint took, in microseconds. */
export const checkpointUs = 7
const slots = 8

export const checkpointDone = 0
export const checkpointAsked = 1

export type KeeperData = { readonly folder: string; readonly signal: KeeperSignal }

/** What the keeper posts: a sentence for the log. Nothing of it stops the journal. */
export type KeeperWarning = { readonly warning: string }

export function newKeeperSignal(): KeeperSignal {
	return new Int32Array(new SharedArrayBuffer(4 * slots))
}

export function wake(signal: KeeperSignal): void {
	Atomics.add(signal, wakeups, 1)
	Atomics.notify(signal, wakeups)
}
