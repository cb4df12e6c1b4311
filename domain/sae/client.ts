/**
 * What the relay knows of the SRC side: three questions, each answered in bounded time by an answer
 * or by a failure that says why. `adapters/nats` asks over NATS, `local.ts` answers in the process.
 */
import type { Answers, QuestionKind, Questions } from './protocol.ts'
import type { ConnectionState, ServerRole } from './servers.ts'

export type SrcFailure = {
	readonly failure: /** No server is connected, and none is being tried. */
		| 'no-connection'
		/** No usable answer came within the limit. */
		| 'timeout'
		/** As many questions as are allowed await their answers. */
		| 'too-many-questions'
		/** The adapter could not take the question. */
		| 'refused'
		/** The client was closed. */
		| 'closed'
	/** A sentence. */
	readonly why: string
}

/** `server` is who answered, for the record: `10.10.2.2:4222`, or `local`. */
export type SrcAnswer<A> = { readonly answer: A; readonly server: string }
export type SrcOutcome<A> = SrcAnswer<A> | SrcFailure

export type SrcClient = {
	[K in QuestionKind]: (question: Questions[K]) => Promise<SrcOutcome<Answers[K]>>
} & {
	info(): SrcInfo
	statistics(): SrcStatistics
	/** `sscc restart`: lets go of the servers and begins with the primary again. */
	restart(): void
	/** Ends open questions with the failure `closed`. */
	close(): Promise<void>
}

/** For `show sscc info`. */
export type SrcInfo = {
	readonly state: ConnectionState
	/** Who is asked at present. */
	readonly server?: string
	readonly role?: ServerRole
}

/** The rows of `show sscc statistics`, and below them what this project counts beside. */
export type SrcStatistics = {
	connectionAttempts: number
	/** Attempts that reached a server's port. */
	openRequests: number
	/** Attempts that ended in a usable connection. */
	openCompleted: number
	closedSent: number
	closedRemotely: number
	discoversSeen: number
	activeDiscovers: number
	/** Discover questions that were decided. */
	discoverTransitions: number
	/** Discover questions sent, repeats included. */
	discoverCreatesSent: number
	/** Always 0: nothing is kept of a discover question, so that none has to be taken back. */
	discoverDeletesSent: number
	activeAddresses: number
	/** Address reports and deletions that were answered. */
	addressTransitions: number
	createAddressesSent: number
	deleteAddressesSent: number
	/** Questions that were turned away here because too many were open. */
	internalErrors: number
	/** Questions that nobody answered in time or at all, and connections that failed or broke. */
	communicationErrors: number
	/** Answers that were ignored: after their question was over, unreadable, or to nothing asked. */
	lateAnswers: number
	malformedAnswers: number
	foreignAnswers: number
	refusals: number
}

export function noStatistics(): SrcStatistics {
	return {
		connectionAttempts: 0,
		openRequests: 0,
		openCompleted: 0,
		closedSent: 0,
		closedRemotely: 0,
		discoversSeen: 0,
		activeDiscovers: 0,
		discoverTransitions: 0,
		discoverCreatesSent: 0,
		discoverDeletesSent: 0,
		activeAddresses: 0,
		addressTransitions: 0,
		createAddressesSent: 0,
		deleteAddressesSent: 0,
		internalErrors: 0,
		communicationErrors: 0,
		lateAnswers: 0,
		malformedAnswers: 0,
		foreignAnswers: 0,
		refusals: 0,
	}
}

/** Counts an answered question. */
export function countAnswered(statistics: SrcStatistics, kind: QuestionKind): void {
	switch (kind) {
		case 'discover':
			statistics.discoverTransitions++
			return
		case 'address':
			statistics.addressTransitions++
			statistics.activeAddresses++
			return
		case 'delete':
			statistics.addressTransitions++
			// A deletion may close a session that was opened before this process began.
			statistics.activeAddresses = Math.max(0, statistics.activeAddresses - 1)
			return
		default:
			kind satisfies never
	}
}

/** Counts a question that leaves, or leaves once more. */
export function countSent(statistics: SrcStatistics, kind: QuestionKind): void {
	switch (kind) {
		case 'discover':
			statistics.discoverCreatesSent++
			return
		case 'address':
			statistics.createAddressesSent++
			return
		case 'delete':
			statistics.deleteAddressesSent++
			return
		default:
			kind satisfies never
	}
}

/** A client that breaks is as good as one that does not answer. */
export function brokenClient(error: unknown): SrcFailure {
	return { failure: 'refused', why: `The SRC client failed: ${String(error)}.` }
}
