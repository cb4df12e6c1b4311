/**
 * The thread that the HTTP server runs in: it reads the journal and the read models by itself, and
 * asks the relay, which carries packets in another thread, only for what is nowhere else.
 */
import { createRequire } from 'node:module'
import { setPriority } from 'node:os'
import { dirname, join } from 'node:path'
import { type MessagePort, parentPort, workerData } from 'node:worker_threads'
import { newGuard } from '../adapters/http/access.ts'
import { type Live, statisticsSubjects } from '../adapters/http/live.ts'
import { openLiveEvents } from '../adapters/http/live-events.ts'
import { metricsText } from '../adapters/http/metrics.ts'
import { openPage } from '../adapters/http/page.ts'
import { type Health, readinessOf } from '../adapters/http/readiness.ts'
import { createServer, type HttpCounts } from '../adapters/http/server.ts'
import { openReader } from '../adapters/journal/reader.ts'
import type { ViewReader } from '../adapters/views/reader.ts'
import type { JournalReader } from '../domain/journal.ts'
import { openAskedRelay } from './asked-relay.ts'
import { durableUpTo, newestOnDisk } from './horizon.ts'
import type { FromThread, HttpThreadData, ToThread } from './http-messages.ts'
import { integrityOf } from './integrity-status.ts'
import { openQueryPool } from './query-pool.ts'
import { openViewReading } from './views.ts'

const pageFolder = join(import.meta.dirname, '../adapters/http/page')
const plotFolder = dirname(createRequire(import.meta.url).resolve('uplot'))

if ((workerData as HttpThreadData | null)?.httpThread === true) {
	await run(parentPort!, workerData as HttpThreadData)
}

async function run(port: MessagePort, data: HttpThreadData): Promise<void> {
	const { folder, release, listening, token, horizon } = data
	const tell = (message: FromThread) => port.postMessage(message)
	const onTrouble = (error: string) => tell({ kind: 'trouble', error })
	const journal = openReader(folder, durableUpTo(horizon))
	const last = newestOnDisk(journal, horizon)
	const live = openAskedRelay(port, () => performance.now())
	const reading = openViewReading(folder)
	const pool = openQueryPool({ folder, horizon, onTrouble })
	const events = openLiveEvents({
		journal,
		last,
		clock: () => performance.now(),
		onTrouble: error => onTrouble(String(error)),
	})
	const guard = newGuard(token)
	const health = async (): Promise<Health> => ({
		status: await orUndefined(live.status()),
		last: last(),
		views: viewsHealth(reading.reader(), journal, last()),
	})
	const app = createServer({
		release,
		guard,
		history: pool,
		live,
		events,
		last,
		readiness: async () => readinessOf(await health()),
		metrics: async (http: HttpCounts) =>
			metricsText({
				...(await health()),
				integrity: integrityOf(folder, journal.id),
				statistics: await allStatistics(live),
				http,
				refused: guard.counts,
				events: events.counts(),
				queries: pool.counts(),
			}),
		page: openPage(pageFolder, {
			'/uplot.js': join(plotFolder, 'uPlot.esm.js'),
			'/uplot.css': join(plotFolder, 'uPlot.min.css'),
		}),
		onTrouble,
	})
	port.on('message', (message: ToThread) => {
		if (message.kind !== 'close') return
		events.close()
		void Promise.allSettled([app.close(), pool.close()]).then(() => {
			reading.close()
			journal.close()
			tell({ kind: 'closed' })
		})
	})
	try {
		await app.listen({ host: listening.host, port: listening.port })
		stepBack()
		const address = app.server.address()
		tell({ kind: 'listening', port: typeof address === 'object' ? (address?.port ?? 0) : 0 })
	} catch (error) {
		const why = (error as Error).message
		tell({
			kind: 'failed',
			sentence: `--http ${listening.host}:${listening.port} cannot be listened on: ${why}. Name another port, or end what uses it.`,
		})
	}
}

function viewsHealth(
	views: ViewReader | undefined,
	journal: JournalReader,
	last: number,
): Health['views'] {
	if (views === undefined) return undefined
	const { position, at } = views.checkpoint()
	if (position >= last) return { position, secondsBehind: 0 }
	const newest = journal.read(last, 1)[0]
	return { position, secondsBehind: Math.max((newest?.at ?? at) - at, 0) / 1000 }
}

/** Packets go first, from the moment on when the relay need not wait for this thread any more. */
function stepBack(): void {
	try {
		// On Linux 0 is this thread, not the process.
		setPriority(0, 15)
	} catch {
		// A matter of speed only.
	}
}

/** What a promise gives; undefined where it fails. */
function orUndefined<T>(promise: Promise<T>): Promise<T | undefined> {
	return promise.catch(() => undefined)
}

/** Every counter but those of single clients. */
async function allStatistics(live: Live) {
	const subjects = statisticsSubjects.map(of => orUndefined(live.statistics({ of })))
	return (await Promise.all(subjects)).flatMap(found => found ?? [])
}
