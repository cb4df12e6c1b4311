/** An SRC client that a test answers for: questions wait until it says what becomes of them. */
import {
	noStatistics,
	type SrcClient,
	type SrcFailure,
	type SrcInfo,
	type SrcOutcome,
	type SrcStatistics,
} from '../domain/sae/client.ts'
import type { Answers, QuestionKind, Questions } from '../domain/sae/protocol.ts'
import type { OpenSrc } from '../src/engine/src-link.ts'
import { settled } from './relay-invariants.ts'

export type Question = {
	[K in QuestionKind]: {
		readonly kind: K
		readonly body: Questions[K]
		/** Lets the answer, or the failure, arrive. */
		answer(outcome: Answers[K] | SrcFailure['failure']): Promise<void>
	}
}[QuestionKind]

export type SimulatedSrc = {
	readonly openSrc: OpenSrc
	/** What was asked and has no answer yet, in order. */
	readonly open: Question[]
	/** How many clients were opened and closed. */
	opened: number
	closed: number
	/** Where the connections of the latest one come from. */
	source: string | undefined
	restarts: number
	readonly statistics: SrcStatistics
	/** The next question, which must be of that kind. */
	next<K extends QuestionKind>(kind: K): Extract<Question, { kind: K }>
	/** Another server is connected, or none. */
	change(info: SrcInfo): void
}

export function simulatedSrc(refused?: string): SimulatedSrc {
	const statistics = noStatistics()
	const open: Question[] = []
	let told: ((info: SrcInfo) => void) | undefined
	let info: SrcInfo = { state: 'connected', server: '10.10.2.2:4222', role: 'primary' }

	function ask<K extends QuestionKind>(
		kind: K,
		body: Questions[K],
	): Promise<SrcOutcome<Answers[K]>> {
		return new Promise(resolve => {
			const answer = (outcome: Answers[K] | SrcFailure['failure']) => {
				open.splice(open.indexOf(question), 1)
				const server = info.server ?? ''
				const failed = typeof outcome === 'string'
				resolve(
					failed ? { failure: outcome, why: `It is ${outcome}.` } : { answer: outcome, server },
				)
				return settled()
			}
			const question = { kind, body, answer } as unknown as Question
			open.push(question)
		})
	}

	const simulated: SimulatedSrc = {
		open,
		opened: 0,
		closed: 0,
		source: undefined,
		restarts: 0,
		statistics,
		async openSrc(_router, _settings, source, onChange) {
			if (refused !== undefined) return { refused }
			simulated.opened++
			simulated.source = source
			told = onChange
			const client: SrcClient = {
				discover: body => ask('discover', body),
				address: body => ask('address', body),
				delete: body => ask('delete', body),
				info: () => info,
				statistics: () => ({ ...statistics }),
				restart() {
					simulated.restarts++
				},
				async close() {
					simulated.closed++
					for (const question of [...open]) void question.answer('closed')
				},
			}
			return client
		},
		next(kind) {
			const [question] = open
			if (question?.kind !== kind) throw new Error(`not ${kind} but ${question?.kind} is open`)
			return question as never
		},
		change(next) {
			info = next
			told?.(next)
		},
	}
	return simulated
}
