/** The running relay as the thread of the HTTP server knows it: asked by messages, within limits. */
import type { MessagePort } from 'node:worker_threads'
import type { Live } from '../adapters/http/live.ts'
import { ProblemError } from '../adapters/http/problem.ts'
import type { FromThread, RelayAnswers, RelayQuestion, ToThread } from './http-messages.ts'

/** How long the relay may take to answer, and how old an answer may be that is given again. */
const answerLimitMs = 2_000
const statusKeptMs = 1_000

const silentDetail =
	'The relay did not answer within two seconds: it is very busy, or about to end. Ask again in a moment.'

/** Never more than once a second for its status. `clock`: monotonic milliseconds. */
export function openAskedRelay(port: MessagePort, clock: () => number): Live {
	const open = new Map<number, (answer: unknown) => void>()
	let number = 0
	let kept: { at: number; status: Promise<RelayAnswers['status']> } | undefined
	port.on('message', (message: ToThread) => {
		if (message.kind !== 'answer') return
		open.get(message.id)?.(message.answer)
		open.delete(message.id)
	})

	return {
		status() {
			const now = clock()
			// One that is not answered in time is older than that when it is known.
			if (kept === undefined || now - kept.at > statusKeptMs) {
				kept = { at: now, status: ask('status', { kind: 'status' }) }
			}
			return kept.status
		},
		statistics: query => ask('statistics', { kind: 'statistics', query }),
		setBaseline: (virtualRouter, scope) =>
			ask('baseline', { kind: 'baseline', virtualRouter, scope }),
	}

	function ask<K extends RelayQuestion['kind']>(
		_kind: K,
		question: Extract<RelayQuestion, { kind: K }>,
	): Promise<RelayAnswers[K]> {
		const id = ++number
		return new Promise((resolve, reject) => {
			const limit = setTimeout(() => {
				open.delete(id)
				reject(new ProblemError({ kind: 'not-ready', detail: silentDetail }))
			}, answerLimitMs)
			open.set(id, answer => {
				clearTimeout(limit)
				resolve(answer as RelayAnswers[K])
			})
			port.postMessage({ kind: 'ask', id, question } satisfies FromThread)
		})
	}
}
