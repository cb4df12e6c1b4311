/**
 * How things stood at a time, for the shell: `show radius relay statistics at T`, `show subscribers
 * at T`. Answered by a thread of its own, which reads the read models and folds what is missing
 * between them and that time, so that no packet waits.
 */
import { setPriority } from 'node:os'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { openDurably, openReader, type Reader } from '../adapters/journal/reader.ts'
import { openViewReader, type ViewReader } from '../adapters/views/reader.ts'
import type { VirtualRouter } from '../domain/configuration.ts'
import { subscriberStream } from '../domain/event.ts'
import type { JournalReader } from '../domain/journal.ts'
import type { Show } from '../domain/junose/operator.ts'
import { parsePointInTime, pointInTimeText } from '../domain/point-in-time.ts'
import type { Row } from '../domain/view.ts'
import { stateText, subscriberState } from '../projections/history/state.ts'
import {
	type PastSession,
	subscriberLimit,
	subscribersAtText,
} from '../projections/sessions-text.ts'
import { viewSchema } from '../projections/views/schema.ts'
import { foldStreams } from './history.ts'
import { openFolderSource } from './history-source.ts'
import { durableUpTo, type Horizon } from './horizon.ts'
import { positionAt } from './position-at.ts'
import { type ShowStatistics, statisticsLines } from './shown-statistics.ts'
import { savedStatisticsAt, statisticsAt } from './statistics-at.ts'
import { viewsRemedy } from './views.ts'

export type ShowAt = (ShowStatistics | Extract<Show, { kind: 'subscribers' }>) & {
	readonly at: string
}

type Asked = {
	readonly showAtOf: string
	/** Undefined where no relay tells what is on disk. */
	readonly horizon: Horizon | undefined
	/** The virtual router, as it is configured now. */
	readonly settings: VirtualRouter
	readonly what: ShowAt
	readonly now: number
}

/** Threads at a time, and how long one may take. */
const threadsMax = 2
const limitMs = 60_000
/** Events that are folded at most beyond a snapshot: where there are more, there is no snapshot yet. */
const foldedMax = 3_000_000

let threads = 0

/** The lines that the command prints; a sentence with `%` where it cannot say. */
export async function showAt(
	folder: string,
	horizon: Horizon | undefined,
	settings: VirtualRouter,
	what: ShowAt,
	now: number,
): Promise<readonly string[]> {
	if (threads >= threadsMax) {
		return [`% ${threadsMax} questions about the past are being answered already: ask again later.`]
	}
	threads++
	const asked: Asked = { showAtOf: folder, horizon, settings, what, now }
	const worker = new Worker(new URL(import.meta.url), { workerData: asked, execArgv: [] })
	const { promise, resolve } = Promise.withResolvers<readonly string[]>()
	const timer = setTimeout(
		() => resolve([`% That takes more than ${limitMs / 1000} seconds: ask "radledger replay".`]),
		limitMs,
	)
	worker.on('message', (lines: readonly string[]) => resolve(lines))
	worker.on('error', error => resolve([`% ${error.message}`]))
	worker.on('exit', () => resolve(['% The question about the past was not answered.']))
	try {
		return await promise
	} finally {
		clearTimeout(timer)
		threads--
		await worker.terminate()
	}
}

/** Answers in this thread. */
export function linesAt(asked: Asked): readonly string[] {
	const { showAtOf: folder, horizon, settings, what, now } = asked
	const at = parsePointInTime(what.at, now)
	if (at === undefined) return [`% ${what.at} is no time.`]
	if (at > now) return [`% ${pointInTimeText(at)} has not come yet.`]
	const reader =
		horizon === undefined ? openDurably(folder) : openReader(folder, durableUpTo(horizon))
	const found = openViewReader(folder, viewSchema.version)
	const views = found?.journal === reader.id ? found : undefined
	try {
		return what.kind === 'subscribers'
			? subscribersAt(folder, reader, views, settings.name, what.mac, at)
			: statisticsTextAt(folder, reader, views, settings, what, at)
	} finally {
		found?.close()
		reader.close()
	}
}

/** Why the read models do not tell, and what would help. */
function notThere(folder: string, views: ViewReader | undefined): readonly string[] {
	const why =
		views === undefined
			? 'There are no read models (views.db) here.'
			: 'The read models do not reach that time yet: ask again in a moment, or, where none are kept:'
	return [`% ${why} ${viewsRemedy(folder)}`]
}

function statisticsTextAt(
	folder: string,
	reader: JournalReader,
	views: ViewReader | undefined,
	settings: VirtualRouter,
	what: ShowStatistics,
	at: number,
): readonly string[] {
	const end = positionAt(reader, views, at)
	const ask = views?.query ?? (() => [])
	if (end - savedStatisticsAt(ask, end) > foldedMax) return notThere(folder, views)
	const lines = statisticsLines(statisticsAt(ask, reader, end), what, settings)
	return [...lines, '', `As of ${pointInTimeText(at)}, position ${end}.`]
}

/** ?1 is the virtual router, ?2 the position, ?3 the most rows. */
const pastSessions = `
	SELECT s.mac, s.user, s.ssid, s.began_at, s.ended_at,
		coalesce((SELECT v.wap FROM session_wap AS v WHERE v.session = s.id AND v.id <= ?2
			ORDER BY v.id DESC LIMIT 1), s.wap) AS wap,
		(SELECT a.accounting_session FROM accounting AS a WHERE a.session = s.id
			AND a.domain = 'wap' AND a.id <= ?2 ORDER BY a.id DESC LIMIT 1) AS accounting
	FROM session AS s
	WHERE s.virtual_router = ?1 AND s.id <= ?2 AND (s.end_position IS NULL OR s.end_position > ?2)
	ORDER BY s.mac LIMIT ?3`
const pastCount = `
	SELECT count(*) AS n FROM session
	WHERE virtual_router = ?1 AND id <= ?2 AND (end_position IS NULL OR end_position > ?2)`

function subscribersAt(
	folder: string,
	reader: Reader,
	views: ViewReader | undefined,
	virtualRouter: string,
	mac: string | undefined,
	at: number,
): readonly string[] {
	if (mac !== undefined) return subscriberAt(folder, reader, virtualRouter, mac, at)
	const position = positionAt(reader, views, at)
	if (views === undefined || views.checkpoint().position < position) return notThere(folder, views)
	return views.snapshot(() => {
		const rows = views.query(pastSessions, virtualRouter, position, subscriberLimit)
		const [counted] = views.query(pastCount, virtualRouter, position)
		return subscribersAtText(rows.map(pastSession), Number(counted!['n']), at)
	})
}

function pastSession(row: Row): PastSession {
	const text = (column: string) => (row[column] === null ? undefined : String(row[column]))
	return {
		mac: String(row['mac']),
		user: text('user'),
		wap: String(row['wap']),
		ssid: text('ssid'),
		since: Number(row['began_at']),
		until: row['ended_at'] === null ? undefined : Number(row['ended_at']),
		accounting: text('accounting'),
	}
}

function subscriberAt(
	folder: string,
	reader: Reader,
	router: string,
	mac: string,
	at: number,
): readonly string[] {
	// Whoever opened the reader closes it.
	const source = openFolderSource(folder, { ...reader, close: () => {} })
	const store = foldStreams(source, [subscriberStream(router, mac)], source.positionAt(at))
	const lines = stateText(subscriberState(store.query, router, mac))
	store.close()
	source.close()
	return [`Subscriber ${mac} at ${pointInTimeText(at)}`, ...lines]
}

// Last, because it runs at once and needs what is above.
if (!isMainThread && typeof workerData?.showAtOf === 'string') {
	try {
		// On Linux 0 is this thread, not the process: packets go before whatever is done here.
		setPriority(0, 19)
	} catch {
		// A matter of speed only.
	}
	parentPort?.postMessage(linesAt(workerData as Asked))
}
