/** What the relay's thread and the HTTP server's say to each other. */
import type { Listening } from '../adapters/http/access.ts'
import type { RelayStatus, Statistic, StatisticsQuery } from '../adapters/http/live.ts'
import type { BaselineScope } from '../domain/junose/operator.ts'
import type { Horizon } from './horizon.ts'

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
