/**
 * Runs the check of the seal beside the folding of the projections: in a thread of its own, or at
 * once where the journal is so small that a thread would take longer to start.
 */
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { type SealCheck, type SealVerification, verifySeal } from './verify-seal.ts'

type ThreadData = { readonly verification: SealVerification }
type Message =
	| { readonly kind: 'at'; readonly position: number }
	| { readonly kind: 'done'; readonly check: SealCheck }
	| { readonly kind: 'failed'; readonly error: Error }

export type SealThread = {
	/** Position up to which everything was right so far. */
	position(): number
	readonly done: Promise<SealCheck>
}

export function startSealCheck(verification: SealVerification, inThread: boolean): SealThread {
	if (!inThread) {
		const check = wholeCheck(verification, () => undefined)
		return { position: () => check.events, done: Promise.resolve(check) }
	}
	const data: ThreadData = { verification }
	const worker = new Worker(new URL(import.meta.url), { workerData: data })
	const done = Promise.withResolvers<SealCheck>()
	let at = 0
	worker.on('message', (message: Message) => {
		if (message.kind === 'at') at = message.position
		else if (message.kind === 'done') done.resolve(message.check)
		else done.reject(message.error)
	})
	worker.on('error', done.reject)
	return { position: () => at, done: done.promise }
}

function post(message: Message): void {
	parentPort!.postMessage(message)
}

if (!isMainThread && (workerData as Partial<ThreadData> | null)?.verification !== undefined) {
	try {
		const { verification } = workerData as ThreadData
		const check = wholeCheck(verification, position => post({ kind: 'at', position }))
		post({ kind: 'done', check })
	} catch (error) {
		post({ kind: 'failed', error: error as Error })
	}
}

function wholeCheck(verification: SealVerification, at: (position: number) => void): SealCheck {
	const check = verifySeal(verification)
	for (;;) {
		const next = check.next()
		if (next.done === true) return next.value
		at(next.value)
	}
}
