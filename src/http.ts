/**
 * The HTTP server beside a running relay: it has a thread of its own, which is started, answered
 * when it asks something of the relay, and closed here.
 */
import { Worker } from 'node:worker_threads'
import type { Listening } from '../adapters/http/access.ts'
import type { Live } from '../adapters/http/live.ts'
import type { Horizon } from './horizon.ts'
import type { FromThread, HttpThreadData, RelayQuestion, ToThread } from './http-messages.ts'
import { UsageError } from './settings.ts'

export type Http = {
	/** The port that it listens on. */
	readonly port: number
	/** Resolves when nobody is being answered any more. */
	close(): Promise<void>
}

export type HttpSettings = {
	readonly folder: string
	readonly release: string
	readonly listening: Listening
	readonly token: string | undefined
	readonly horizon: Horizon
	readonly live: Live
	/** Told of what stops nobody but is wrong. */
	readonly onTrouble: (error: string) => void
}

/** Starts the thread. Rejects with a UsageError where it cannot listen. */
export function openHttp(settings: HttpSettings): Promise<Http> {
	const { folder, release, listening, token, horizon, onTrouble } = settings
	const workerData: HttpThreadData = {
		httpThread: true,
		folder,
		release,
		listening,
		token,
		horizon,
	}
	const worker = new Worker(new URL('./http-thread.ts', import.meta.url), {
		name: 'http',
		workerData,
	})
	const ended = Promise.withResolvers<void>()
	const ready = Promise.withResolvers<Http>()
	const send = (message: ToThread) => worker.postMessage(message)
	let closing = false
	worker.on('message', (message: FromThread) => {
		switch (message.kind) {
			case 'listening':
				ready.resolve({ port: message.port, close })
				return
			case 'failed':
				closing = true
				void worker.terminate()
				ready.reject(new UsageError(message.sentence))
				return
			case 'trouble':
				onTrouble(message.error)
				return
			case 'closed':
				ended.resolve()
				return
			case 'ask':
				answer(settings.live, message.question).then(
					answer => send({ kind: 'answer', id: message.id, answer }),
					error => onTrouble(`The HTTP server's question failed: ${error}`),
				)
				return
			default:
				message satisfies never
		}
	})
	worker.on('error', error => onTrouble(`The HTTP server ended: ${error.stack ?? error}`))
	worker.on('exit', () => {
		ended.resolve()
		ready.reject(new UsageError('The HTTP server could not be started; the log says why.'))
		if (!closing) onTrouble('The HTTP server has ended. The relay goes on without it.')
	})
	return ready.promise

	async function close(): Promise<void> {
		closing = true
		send({ kind: 'close' })
		await ended.promise
		await worker.terminate()
	}
}

function answer(live: Live, question: RelayQuestion): Promise<unknown> {
	switch (question.kind) {
		case 'status':
			return live.status()
		case 'statistics':
			return live.statistics(question.query)
		case 'baseline':
			return live.setBaseline(question.virtualRouter, question.scope)
		default:
			return question satisfies never
	}
}
