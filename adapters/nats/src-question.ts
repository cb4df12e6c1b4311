/** What the SRC client over NATS keeps of its connections and of its open questions. */
import type { NatsConnection } from 'nats'
import type { SrcFailure, SrcOutcome } from '../../domain/sae/client.ts'
import type { Answers, QuestionKind } from '../../domain/sae/protocol.ts'

/** A connection in the making, in use, or closed by us. */
export type Link = {
	readonly server: number
	readonly inbox: string
	connection: NatsConnection | undefined
	closed: boolean
}

export type OpenQuestion = {
	readonly kind: QuestionKind
	readonly number: number
	readonly id: string
	readonly subject: string
	readonly payload: Uint8Array
	readonly limitAt: number
	repeatAt: number
	/** Servers that have it unanswered; -1 for none. */
	askedServer: number
	askedProbe: number
	readonly settle: (outcome: SrcOutcome<Answers[QuestionKind]>) => void
}

/** A copy of a question for the better server that is tried, which another one has answered meanwhile. */
export type Copy = Pick<OpenQuestion, 'kind' | 'id' | 'limitAt'> & { readonly server: number }

export const closedFailure: SrcFailure = { failure: 'closed', why: 'The SRC client was closed.' }
export const noConnection: SrcFailure = {
	failure: 'no-connection',
	why: 'No SRC server is connected.',
}
