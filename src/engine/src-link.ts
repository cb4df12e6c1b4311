/** The SRC client of a virtual router, and all that changes about it while it runs. */
import type { SrcSettings } from '../../domain/configuration.ts'
import type { SrcClient, SrcInfo } from '../../domain/sae/client.ts'
import type { SrcLogin } from '../../domain/sae/logins.ts'
import { newQueue, type Queue } from './queue.ts'

/** Opens the SRC client of a virtual router, or says why it cannot be. */
export type OpenSrc = (
	router: string,
	settings: SrcSettings,
	/** The address that connections come from; undefined: as routed. */
	source: string | undefined,
	/** Told whenever another server is asked, or none. */
	onChange: (info: SrcInfo) => void,
) => Promise<SrcClient | { readonly refused: string }>

export type SrcBridge = {
	readonly router: string
	settings: SrcSettings
	/** The address that its connections come from; undefined: as routed. */
	readonly source: string | undefined
	readonly client: SrcClient
	/** Whom the last `SrcServerChanged` named; empty: nobody. */
	server: string
	/** Monotonic milliseconds of the latest question about each MAC. */
	readonly askedAt: Map<string, number>
	readonly telling: Telling
	/** What has been recorded of the client's counts. */
	readonly recorded: Record<IgnoredReason, number>
	/** What each upstream server was reproached with. */
	readonly missed: Map<string, Set<string>>
}

type IgnoredReason = 'late' | 'malformed' | 'foreign'

export type Telling = {
	/** Keys of logins whose report or deletion is under way. */
	readonly underWay: Set<string>
	/** Logins to be reported; some may have ended by now. */
	readonly reports: Queue<SrcLogin>
	/** Those whose report SRC would not take, and when that was in monotonic milliseconds. */
	readonly refused: Queue<{ readonly login: SrcLogin; readonly at: number }>
	/** So many of them, from the oldest on, another server may take: they need not wait. */
	again: number
	/** How many of them may be told again in this second. */
	retellsLeft: number
	/** Monotonic milliseconds before which SRC is told nothing more; it did not answer. */
	retryAt: number
	pauseMs: number
	/** What has yet to go into the log. */
	unlogged: { refused: number; givenUp: number; why: string }
}

export const firstPauseMs = 1000

export const retellsPerSecond = 100

export function newTelling(): Telling {
	return {
		underWay: new Set(),
		reports: newQueue(),
		refused: newQueue(),
		again: 0,
		retellsLeft: retellsPerSecond,
		retryAt: 0,
		pauseMs: firstPauseMs,
		unlogged: { refused: 0, givenUp: 0, why: '' },
	}
}
