/** The thread that answers questions about history. */
import { setPriority } from 'node:os'
import { parentPort, workerData } from 'node:worker_threads'
import type { Question } from '../adapters/http/history.ts'
import { openHistory } from './http-history.ts'
import type { QueryThreadData } from './query-pool.ts'

if ((workerData as QueryThreadData | null)?.queryThread === true) {
	try {
		// On Linux 0 is this thread, not the process: packets go first.
		setPriority(0, 19)
	} catch {
		// A matter of speed only.
	}
	const { folder, horizon, limitMs } = workerData as QueryThreadData
	const clock = () => performance.now()
	const history = openHistory({ folder, horizon, limitMs, clock, now: Date.now })
	parentPort!.on('message', (question: Question) => {
		parentPort!.postMessage(history.answer(question))
	})
}
