/**
 * The adapter's side of the SRC protocol over NATS: questions are shared among all copies that are
 * members of the queue group, checked, answered, and while the service stops, answered to the end.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Msg, NatsConnection } from 'nats'
import {
	type Answers,
	decodeQuestion,
	encodeMessage,
	maximumMessageLength,
	type QuestionKind,
	type Questions,
	questionKinds,
	queueGroup,
	subjectOf,
	subjectToken,
} from '../../domain/sae/protocol.ts'
import { connect } from './connect.ts'
import { connectionOptions, type NatsSecurity } from './connection.ts'

export type SrcAnswerer = { readonly [K in QuestionKind]: (question: Questions[K]) => Answers[K] }

export type SrcServiceSettings = {
	/** `host:port` of the servers of one NATS cluster. */
	readonly servers: readonly string[]
	readonly security?: NatsSecurity
	readonly name?: string
	/** Whose questions are answered; without any, those of all virtual routers. */
	readonly virtualRouters: readonly string[]
	readonly answer: SrcAnswerer
	/** `sentence` says what happened to the connection, or what a question failed of. */
	readonly onTrouble: (what: 'connection' | 'question', sentence: string) => void
}

export type SrcServiceCounts = {
	answered: number
	/** Questions that were told why they could not be answered. */
	refused: number
	/** What was no question, or had nobody to answer to. */
	ignored: number
}

export type SrcService = {
	counts(): Readonly<SrcServiceCounts>
	/** Resolves when the connection is over for good: with the reason, where it was not asked for. */
	readonly ended: Promise<string | undefined>
	/** Takes no more questions, answers those that are here, and closes. */
	stop(): Promise<void>
}

const reconnectMs = 500
const attemptMs = 5000
/** How long questions that are here may take to be answered at the end. */
const drainMs = 5000
/** What a server that is not there yet looks like; everything else waits for somebody's mend. */
const passing: readonly string[] = [
	'CONNECTION_REFUSED',
	'CONNECTION_CLOSED',
	'DISCONNECT',
	'TIMEOUT',
	'ECONNRESET',
	'EHOSTUNREACH',
	'ENETUNREACH',
	'ENOTFOUND',
	'EAI_AGAIN',
]

/**
 * Resolves when connected; a server that is not there yet is waited for, until `signal` aborts.
 * Rejects with what has to be mended: a login that is refused, a certificate, a file.
 */
export async function startSrcService(
	settings: SrcServiceSettings,
	signal: AbortSignal,
): Promise<SrcService | undefined> {
	const { security = {}, name = 'radledger src-adapter', servers } = settings
	const aborted = new Promise<undefined>(resolve => {
		signal.addEventListener('abort', () => resolve(undefined), { once: true })
	})
	for (let attempt = 1; !signal.aborted; attempt++) {
		const connecting = connect({
			...connectionOptions(name, security),
			servers: [...servers],
			timeout: attemptMs,
			maxReconnectAttempts: -1,
			reconnectTimeWait: reconnectMs,
		})
		try {
			const connection = await Promise.race([connecting, aborted])
			if (connection !== undefined) return serve(connection, settings)
			connecting.then(late => late.close()).catch(() => {})
		} catch (error) {
			const { code, message } = error as NodeJS.ErrnoException
			if (code === undefined || !passing.includes(code)) throw error
			const sentence = `No NATS server can be reached (${message}); they are tried again.`
			if (attempt === 1) settings.onTrouble('connection', sentence)
			await Promise.race([sleep(reconnectMs), aborted])
		}
	}
	return undefined
}

function serve(connection: NatsConnection, settings: SrcServiceSettings): SrcService {
	const counts: SrcServiceCounts = { answered: 0, refused: 0, ignored: 0 }
	const routers = settings.virtualRouters.length > 0 ? settings.virtualRouters : [undefined]
	for (const kind of questionKinds) {
		for (const router of routers) {
			connection.subscribe(subjectOf(kind, router), {
				queue: queueGroup,
				callback: (error, message) => {
					if (error !== null) settings.onTrouble('connection', `${error.message}.`)
					else answerMessage(kind, message, settings, counts)
				},
			})
		}
	}
	const state = { connected: true }
	void watchStatus(connection, state, settings)
	return {
		counts: () => ({ ...counts }),
		ended: connection.closed().then(error => (error ? error.message : undefined)),
		async stop() {
			// Without a connection there is nothing to drain, and draining would wait for one.
			if (state.connected) {
				const drained = connection.drain().catch(() => {})
				await Promise.race([drained, sleep(drainMs, undefined, { ref: false })])
			}
			await connection.close()
		},
	}
}

async function watchStatus(
	connection: NatsConnection,
	state: { connected: boolean },
	{ onTrouble }: SrcServiceSettings,
): Promise<void> {
	for await (const { type, data } of connection.status()) {
		switch (type) {
			case 'disconnect':
				state.connected = false
				onTrouble('connection', `The NATS server ${data} is gone; it is tried again.`)
				break
			case 'reconnect':
				state.connected = true
				onTrouble('connection', `The NATS server ${data} is connected again.`)
				break
			case 'error':
				onTrouble('connection', `The NATS server says: ${data}.`)
				break
			default:
		}
	}
}

function answerMessage<K extends QuestionKind>(
	kind: K,
	message: Msg,
	settings: SrcServiceSettings,
	counts: SrcServiceCounts,
): void {
	if (!message.reply || message.data.length > 4 * maximumMessageLength) {
		counts.ignored++
		return
	}
	const question = decodeQuestion(kind, message.string())
	if ('why' in question) {
		if (question.id === undefined) counts.ignored++
		else refuse(message, question.id, question.why, counts)
		return
	}
	const { id, body } = question
	const token = message.subject.split('.')[2]
	if (token !== subjectToken(body.virtualRouterName)) {
		const why = `Field "virtualRouterName" does not belong to the subject ${message.subject}.`
		refuse(message, id, why, counts)
		return
	}
	let answer: Answers[K]
	try {
		answer = settings.answer[kind](body)
	} catch (error) {
		settings.onTrouble('question', `A ${kind} question failed: ${error}`)
		refuse(message, id, 'The adapter failed to answer; its log says why.', counts)
		return
	}
	message.respond(encodeMessage(id, answer))
	counts.answered++
}

function refuse(message: Msg, id: string, why: string, counts: SrcServiceCounts): void {
	message.respond(encodeMessage(id, { refused: why }))
	counts.refused++
}
