/** The thread that answers questions about history, from the journal and from DIR/views.db. */
import { setPriority } from 'node:os'
import { parentPort, workerData } from 'node:worker_threads'
import { answerFromHistory, type Question } from '../adapters/http/history.ts'
import { ProblemError } from '../adapters/http/problem.ts'
import type { Sources } from '../adapters/http/route.ts'
import { rowRoutes } from '../adapters/http/routes.ts'
import { openReader } from '../adapters/journal/reader.ts'
import { newestOnDisk } from './http-messages.ts'
import { type QueryThreadData, tooSlowDetail } from './query-pool.ts'

if ((workerData as QueryThreadData | null)?.queryThread === true) {
	try {
		// On Linux 0 is this thread, not the process: packets go first.
		setPriority(0, 10)
	} catch {
		// A matter of speed only.
	}
	serve(workerData as QueryThreadData)
}

function serve({ folder, horizon, limitMs }: QueryThreadData): void {
	const journal = openReader(folder)
	let endAt = Number.POSITIVE_INFINITY
	const checkTime = () => {
		if (performance.now() < endAt) return
		throw new ProblemError({ kind: 'too-slow', detail: tooSlowDetail(limitMs) })
	}
	const sources: Sources = {
		journal,
		views: () => {
			throw new ProblemError({ kind: 'not-ready', detail: 'There are no read models yet.' })
		},
		last: newestOnDisk(journal, horizon),
		now: Date.now,
		checkTime,
		statisticsAt: () => [],
	}
	parentPort!.on('message', (question: Question) => {
		endAt = performance.now() + limitMs
		parentPort!.postMessage(answerFromHistory(rowRoutes, sources, question))
	})
}
