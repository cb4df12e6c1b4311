/**
 * Keeps the read models up to a journal: reads on from their checkpoint, folds, and commits rows and
 * checkpoint together. Works over any reader of a journal, in whatever thread or process it is.
 */
import { openViewStore, type ViewStore } from '../adapters/views/store.ts'
import type { RecordedEvent } from '../domain/event.ts'
import type { JournalReader } from '../domain/journal.ts'
import type { Row, Table, ViewChanges } from '../domain/view.ts'
import { type RelayStatistics, relayStatistics } from '../projections/statistics.ts'
import { foldViews } from '../projections/views/fold.ts'
import { statisticsSnapshot } from '../projections/views/network-tables.ts'
import { viewSchema } from '../projections/views/schema.ts'

/** Events of one commit at most, and of one reading of the journal. */
export const eventsPerCommit = 16_384
const eventsPerReading = 4_096
/** The relay's statistics are saved at multiples of this position: a second of folding. */
const eventsPerSnapshot = 2 ** 19

export type ViewFollower = {
	/**
	 * Folds and commits what comes next, a bounded number of events; tells how many: 0, none, or
	 * that another process has written meanwhile, from whose position it goes on.
	 */
	step(): number
	position(): number
	close(): void
}

export type ViewFollowerSettings = {
	readonly reader: JournalReader & { readonly id: string }
	/** Position that is folded up to, of an event that is on disk; the journal's newest unless told. */
	readonly last?: () => number
	/** The database; `:memory:` for one that nobody else reads. */
	readonly file: string
	readonly onWarning: (sentence: string) => void
	/** Fewer events than usual in a commit, and between snapshots, for tests. */
	readonly eventsPerCommit?: number
	readonly eventsPerSnapshot?: number
}

/** Opens the read models and goes on from their checkpoint. Throws ViewFailure with a sentence. */
export function openViewFollower(settings: ViewFollowerSettings): ViewFollower {
	const { reader, file, onWarning, last = reader.last } = settings
	const perCommit = settings.eventsPerCommit ?? eventsPerCommit
	const perSnapshot = settings.eventsPerSnapshot ?? eventsPerSnapshot
	let store = open()
	let folding = foldViews(store.lookup, store.position() === 0)
	let statistics = statisticsAt(store, reader, store.position())
	/** A commit that failed is tried again with the same rows. */
	let waiting:
		| { readonly position: number; readonly at: number; readonly count: number }
		| undefined

	return {
		step() {
			if (!store.isInPlace()) begin()
			waiting ??= folded()
			if (waiting === undefined) return 0
			const { position, at, count } = waiting
			const changes = folding.changes()
			const isDue = position % perSnapshot === 0
			const rows = isDue ? withSnapshot(changes, statistics, position, at) : changes
			if (!store.commit(rows, position, at)) {
				reset()
				return 0
			}
			folding.committed()
			waiting = undefined
			return count
		},
		position: () => store.position(),
		close: () => store.close(),
	}

	function open(): ViewStore {
		const journal = { id: reader.id, last: reader.last() }
		return openViewStore({ file, schema: viewSchema, journal, onWarning })
	}

	/** The file was deleted: everything begins from the journal's first event. */
	function begin(): void {
		onWarning(`The read models in ${file} were deleted and are built anew.`)
		store.close()
		store = open()
		reset()
	}

	/** What was folded halfway when something failed is forgotten, and folded anew the next time. */
	function folded(): typeof waiting {
		try {
			return foldNext()
		} catch (error) {
			reset()
			throw error
		}
	}

	function reset(): void {
		folding = foldViews(store.lookup, store.position() === 0)
		statistics = statisticsAt(store, reader, store.position())
		waiting = undefined
	}

	function foldNext(): typeof waiting {
		const begin = store.position()
		// A commit ends where a snapshot is due: where it is does not depend on how events arrived.
		const due = (Math.floor(begin / perSnapshot) + 1) * perSnapshot
		const end = Math.min(begin + perCommit, due, last())
		let position = begin
		let at = 0
		while (position < end) {
			const events = reader.read(position + 1, Math.min(end - position, eventsPerReading))
			if (events.length === 0) break
			for (const event of events) {
				if (event.position > end) break
				foldOne(event, position + 1)
				position = event.position
				at = event.at
			}
		}
		return position === begin ? undefined : { position, at, count: position - begin }
	}

	function foldOne(event: RecordedEvent, expected: number): void {
		if (event.position !== expected) {
			throw new Error(
				`The read models stand at position ${expected - 1} and were given event ${event.position}: the journal has a gap. Check it with verify.`,
			)
		}
		folding.fold(event)
		statistics = relayStatistics.fold(statistics, event)
	}
}

function withSnapshot(
	changes: ViewChanges,
	statistics: RelayStatistics,
	position: number,
	at: number,
): ViewChanges {
	const row = {
		id: position,
		at,
		version: relayStatistics.version,
		state: JSON.stringify(statistics),
	}
	const inserted = new Map<Table, Iterable<Row>>(changes.inserted)
	return { ...changes, inserted: inserted.set(statisticsSnapshot, [row]) }
}

/** The relay's statistics at a position: the newest snapshot before it, and the events since then. */
function statisticsAt(store: ViewStore, reader: JournalReader, position: number): RelayStatistics {
	const [row] = store.lookup('statistics-snapshot', position, relayStatistics.version)
	let state =
		row === undefined
			? relayStatistics.initial()
			: (JSON.parse(String(row['state'])) as RelayStatistics)
	for (let next = Number(row?.['id'] ?? 0) + 1; next <= position; ) {
		for (const event of reader.read(next, Math.min(eventsPerReading, position - next + 1))) {
			next = event.position + 1
			if (event.position <= position) state = relayStatistics.fold(state, event)
		}
	}
	return state
}
