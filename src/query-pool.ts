/**
 * Threads that answer questions about history, so that neither packets nor other requests wait for
 * a query. Each answers one question at a time. A query ends itself when it has had its time; a
 * thread in which it does not is given up, and another takes its place.
 */
import { Worker } from 'node:worker_threads'
import type { Answer, Question } from '../adapters/http/history.ts'
import type { Horizon } from './horizon.ts'

export type QueryThreadData = {
	readonly queryThread: true
	readonly folder: string
	/** Position of the newest event on disk, told by the relay; undefined where none runs beside. */
	readonly horizon: Horizon | undefined
	readonly limitMs: number
}

export type QueryPool = {
	ask(question: Question): Promise<Answer>
	counts(): { readonly waiting: number; readonly tooSlow: number; readonly threadsLost: number }
	close(): Promise<void>
}

export type QueryPoolSettings = {
	readonly folder: string
	readonly horizon: Horizon | undefined
	readonly onTrouble: (error: string) => void
	readonly threads?: number
	/** Time that a query has. */
	readonly limitMs?: number
}

type Task = {
	readonly question: Question
	readonly done: (answer: Answer) => void
}
type Thread = {
	readonly worker: Worker
	task: Task | undefined
	deadline: NodeJS.Timeout | undefined
}

/** A thread that does not even end its query within so much more is given up. */
const graceMs = 2_000

export function openQueryPool(settings: QueryPoolSettings): QueryPool {
	const { threads: most = 2, limitMs = 5_000 } = settings
	const threads = new Set<Thread>()
	const waiting: Task[] = []
	let tooSlow = 0
	let threadsLost = 0
	let closed = false

	return {
		ask: question =>
			new Promise(done => {
				waiting.push({ question, done })
				next()
			}),
		counts: () => ({ waiting: waiting.length, tooSlow, threadsLost }),
		async close() {
			closed = true
			await Promise.all([...threads].map(({ worker }) => worker.terminate()))
		},
	}

	function next(): void {
		if (waiting.length === 0 || closed) return
		const idle = [...threads].find(({ task }) => task === undefined)
		const thread = idle ?? (threads.size < most ? startThread() : undefined)
		if (thread === undefined) return
		const task = waiting.shift()!
		thread.task = task
		thread.deadline = setTimeout(() => lose(thread, 'a query that did not end'), limitMs + graceMs)
		thread.worker.postMessage(task.question)
	}

	function startThread(): Thread {
		const { folder, horizon } = settings
		const workerData: QueryThreadData = { queryThread: true, folder, horizon, limitMs }
		const worker = new Worker(new URL('./query-thread.ts', import.meta.url), { workerData })
		const thread: Thread = { worker, task: undefined, deadline: undefined }
		threads.add(thread)
		worker.on('message', (answer: Answer) => finish(thread, answer))
		worker.on('error', error => lose(thread, String(error)))
		worker.on('exit', code => lose(thread, `exit code ${code}`))
		return thread
	}

	function finish(thread: Thread, answer: Answer): void {
		if (answer.kind === 'problem' && answer.problem.kind === 'too-slow') tooSlow++
		clearTimeout(thread.deadline)
		const { task } = thread
		thread.task = undefined
		task?.done(answer)
		next()
	}

	function lose(thread: Thread, why: string): void {
		if (!threads.delete(thread) || closed) return
		threadsLost++
		settings.onTrouble(`A thread for queries was given up (${why}).`)
		void thread.worker.terminate()
		finish(thread, {
			kind: 'problem',
			problem: { kind: 'too-slow', detail: tooSlowDetail(limitMs) },
		})
	}
}

export function tooSlowDetail(limitMs: number): string {
	return `The query was ended after ${limitMs / 1000} s. Ask for less: a shorter time (from, to), one subscriber (mac), or a smaller limit.`
}
