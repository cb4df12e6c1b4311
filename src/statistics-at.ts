/** The statistics as an event left them: the newest saved ones before it, and the events since then. */
import type { JournalReader } from '../domain/journal.ts'
import type { Cell, Row } from '../domain/view.ts'
import { type AllStatistics, allStatistics } from '../projections/all-statistics.ts'

const eventsPerReading = 4_096

/** Where in the read models the newest saved statistics up to a position are. */
const savedUpTo = `
	SELECT id, state FROM (
		SELECT id, version, state FROM statistics_snapshot
		UNION ALL SELECT id, version, state FROM statistics_newest
	) WHERE id <= ?1 AND version = ?2 ORDER BY id DESC LIMIT 1`

export type Ask = (sql: string, ...parameters: readonly Cell[]) => readonly Row[]

/** Position that saved statistics stand at; 0: there are none. */
export function savedStatisticsAt(ask: Ask, position: number): number {
	return Number(ask(savedUpTo, position, allStatistics.version)[0]?.['id'] ?? 0)
}

/** `checkTime` throws when whoever asks has waited long enough. */
export function statisticsAt(
	ask: Ask,
	journal: Pick<JournalReader, 'read'>,
	position: number,
	checkTime = () => {},
): AllStatistics {
	const [saved] = ask(savedUpTo, position, allStatistics.version)
	let state =
		saved === undefined
			? allStatistics.initial()
			: (JSON.parse(String(saved['state'])) as AllStatistics)
	for (let next = Number(saved?.['id'] ?? 0) + 1; next <= position; ) {
		checkTime()
		const events = journal.read(next, Math.min(eventsPerReading, position - next + 1))
		if (events.length === 0) return state
		for (const event of events) {
			if (event.position > position) return state
			state = allStatistics.fold(state, event)
			next = event.position + 1
		}
	}
	return state
}
