/**
 * Keeps the read models up to a journal: reads on from their checkpoint, folds, and commits rows and
 * checkpoint together. Works over any reader of a journal, in whatever thread or process it is.
 */
import { openViewStore, type ViewStore } from '../adapters/views/store.ts'
import type { RecordedEvent } from '../domain/event.ts'
import type { JournalReader } from '../domain/journal.ts'
import type { Row, Table, ViewChanges } from '../domain/view.ts'
import { type AllStatistics, allStatistics } from '../projections/all-statistics.ts'
import { foldViews } from '../projections/views/fold.ts'
import { statisticsNewest, statisticsSnapshot } from '../projections/views/network-tables.ts'
import { viewSchema } from '../projections/views/schema.ts'
import { savedStatisticsAt, statisticsAt } from './statistics-at.ts'

/** Events of one commit at most, and of one reading of the journal. */
export const eventsPerCommit = 16_384
const eventsPerReading = 4_096
/** The statistics are saved at multiples of this position, for questions: a second of folding. */
const eventsPerSnapshot = 2 ** 19
/** And more often, in one place, for the next start, which has to fold the events since then. */
const eventsPerSaving = 2 ** 16

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
	readonly eventsPerSaving?: number
}

/** Opens the read models and goes on from their checkpoint. Throws ViewFailure with a sentence. */
export function openViewFollower(settings: ViewFollowerSettings): ViewFollower {
	const { reader, file, onWarning, last = reader.last } = settings
	const perCommit = settings.eventsPerCommit ?? eventsPerCommit
	const perSnapshot = settings.eventsPerSnapshot ?? eventsPerSnapshot
	const perSaving = settings.eventsPerSaving ?? eventsPerSaving
	let store = open()
	let folding = foldViews(store.lookup, store.position() === 0)
	let statistics = statisticsAt(store.query, reader, store.position())
	let savedAt = savedStatisticsAt(store.query, store.position())
	/** Where this follower's own last commit ended. */
	let committed = { position: 0, at: 0 }
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
			const isSaving = position - savedAt >= perSaving
			const rows = isDue ? withSnapshot(changes, statistics, position, at) : changes
			if (!store.commit(isSaving ? withNewest(rows, position, at) : rows, position, at)) {
				reset()
				return 0
			}
			if (isSaving) savedAt = position
			committed = { position, at }
			folding.committed()
			waiting = undefined
			return count
		},
		position: () => store.position(),
		close() {
			save()
			store.close()
		},
	}

	/** Before the end, so that the next start folds nothing twice. */
	function save(): void {
		const { position, at } = committed
		if (waiting !== undefined || position !== store.position() || savedAt === position) return
		if (file === ':memory:' || !store.isInPlace()) return
		try {
			store.commit(withNewest(noChanges, position, at), position, at)
		} catch (error) {
			// The next start has more to fold, and that is all.
			onWarning((error as Error).message)
		}
	}

	function withNewest(changes: ViewChanges, position: number, at: number): ViewChanges {
		const { version } = allStatistics
		const row = { slot: 1, id: position, at, version, state: JSON.stringify(statistics) }
		const isThere = store.query('SELECT 1 FROM statistics_newest').length > 0
		const kind = isThere ? 'updated' : 'inserted'
		const rows = new Map<Table, Iterable<Row>>(changes[kind])
		return { ...changes, [kind]: rows.set(statisticsNewest, [row]) }
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
		statistics = statisticsAt(store.query, reader, store.position())
		savedAt = savedStatisticsAt(store.query, store.position())
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
		statistics = allStatistics.fold(statistics, event)
	}
}

const noChanges: ViewChanges = { inserted: new Map(), updated: new Map() }

function withSnapshot(
	changes: ViewChanges,
	statistics: AllStatistics,
	position: number,
	at: number,
): ViewChanges {
	const row = {
		id: position,
		at,
		version: allStatistics.version,
		state: JSON.stringify(statistics),
	}
	const inserted = new Map<Table, Iterable<Row>>(changes.inserted)
	return { ...changes, inserted: inserted.set(statisticsSnapshot, [row]) }
}
