/** Questions about history, answered from a data folder: its journal and its read models. */
import { type Answer, answerFromHistory, type Question } from '../adapters/http/history.ts'
import { ProblemError } from '../adapters/http/problem.ts'
import type { Sources, Views } from '../adapters/http/route.ts'
import { rowRoutes } from '../adapters/http/routes.ts'
import { openReader } from '../adapters/journal/reader.ts'
import type { ViewReader } from '../adapters/views/reader.ts'
import { statisticsRows } from '../projections/all-statistics.ts'
import { durableUpTo, type Horizon, newestOnDisk } from './horizon.ts'
import { integrityOf } from './integrity-status.ts'
import { clockEpochs } from './position-at.ts'
import { tooSlowDetail } from './query-pool.ts'
import { type Ask, statisticsAt } from './statistics-at.ts'
import { openViewReading } from './views.ts'

export type History = {
	answer(question: Question): Answer
	close(): void
}

export type HistorySettings = {
	readonly folder: string
	readonly horizon: Horizon | undefined
	/** Time that a question has, in milliseconds. */
	readonly limitMs: number
	/** Monotonic and wall-clock milliseconds. */
	readonly clock: () => number
	readonly now: () => number
}

export function openHistory({ folder, horizon, limitMs, clock, now }: HistorySettings): History {
	const journal = openReader(folder, durableUpTo(horizon))
	let endAt = Number.POSITIVE_INFINITY
	const checkTime = () => {
		if (clock() < endAt) return
		throw new ProblemError({ kind: 'too-slow', detail: tooSlowDetail(limitMs) })
	}
	const reading = openViewReading(folder, {
		within_time() {
			checkTime()
			return 1
		},
	})
	const sources: Sources = {
		journal,
		views: () => viewsOf(reading.reader()),
		last: newestOnDisk(journal, horizon),
		clockEpochs: () => clockEpochs(journal, reading.reader()),
		now,
		checkTime,
		integrity: () => integrityOf(folder, journal.id),
		statisticsAt(position, of, selection) {
			const ask = sources.views().select
			const state = statisticsAt(ask as Ask, journal, position, checkTime)
			return statisticsRows(state, of, selection)
		},
	}
	return {
		answer(question) {
			endAt = clock() + limitMs
			const answer = () => answerFromHistory(rowRoutes, sources, question)
			// One state of the read models for all that a question looks up.
			const reader = reading.reader()
			return reader === undefined ? answer() : reader.snapshot(answer)
		},
		close() {
			reading.close()
			journal.close()
		},
	}
}

/** Selects from the read models; refuses where they are not there, which they are in a moment. */
function viewsOf(reader: ViewReader | undefined): Views {
	if (reader === undefined) {
		throw new ProblemError({
			kind: 'not-ready',
			detail: 'The read models are being built: ask again in a moment.',
		})
	}
	return {
		position: () => reader.checkpoint().position,
		select: (sql, ...parameters) => reader.query(sql, ...parameters),
	}
}
