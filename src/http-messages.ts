/** What the relay's thread and the HTTP server's say to each other. */
import type { Listening } from '../adapters/http/access.ts'
import type { RelayStatus, Statistic, StatisticsQuery } from '../adapters/http/live.ts'
import type { JournalReader } from '../domain/journal.ts'
import type { BaselineScope } from '../domain/junose/operator.ts'

/** One number in shared memory: the position of the newest event that is on disk. */
export type Horizon = BigInt64Array<SharedArrayBuffer>

export type HttpThreadData = {
	readonly httpThread: true
	readonly folder: string
	readonly release: string
	readonly listening: Listening
	readonly token: string | undefined
	readonly horizon: Horizon
}

/** What the thread asks of the relay, and the answer to each kind of question. */
export type RelayQuestion =
	| { readonly kind: 'status' }
	| { readonly kind: 'statistics'; readonly query: StatisticsQuery }
	| { readonly kind: 'baseline'; readonly virtualRouter: string; readonly scope: BaselineScope }
export type RelayAnswers = {
	readonly status: RelayStatus
	readonly statistics: readonly Statistic[]
	/** A sentence where it was refused. */
	readonly baseline: string | undefined
}

export type FromThread =
	| { readonly kind: 'listening'; readonly port: number }
	| { readonly kind: 'failed'; readonly sentence: string }
	| { readonly kind: 'trouble'; readonly error: string }
	| { readonly kind: 'closed' }
	| { readonly kind: 'ask'; readonly id: number; readonly question: RelayQuestion }
export type ToThread =
	| { readonly kind: 'answer'; readonly id: number; readonly answer: unknown }
	| { readonly kind: 'close' }

/**
 * Another thread may see a commit in the journal a moment before it is durable; the relay says here
 * when it is.
 */
export function newHorizon(position: number): Horizon {
	const horizon = new BigInt64Array(new SharedArrayBuffer(8))
	moveHorizon(horizon, position)
	return horizon
}

export function moveHorizon(horizon: Horizon, position: number): void {
	Atomics.store(horizon, 0, BigInt(position))
}

/** Position of the newest event on disk; where no relay tells, of the newest one to be read. */
export function newestOnDisk(journal: JournalReader, horizon: Horizon | undefined): () => number {
	return horizon === undefined ? journal.last : () => Number(Atomics.load(horizon, 0))
}
