/** `sscc local rules FILE`: the SRC side inside the relay's own process, without NATS. */
import {
	countAnswered,
	countSent,
	noStatistics,
	type SrcClient,
	type SrcOutcome,
} from './client.ts'
import type { QuestionKind } from './protocol.ts'
import type { Rules } from './rules.ts'
import { closeSession, discover, newService, openSession, type SessionRecord } from './service.ts'

export type LocalSrcParts = {
	/** The rules in force: asked with every question, so that a reload leaves no gap. */
	readonly rules: () => Rules
	/** Milliseconds since 1970. */
	readonly now: () => number
	/** Told of every session that begins and ends. */
	readonly onRecord?: (record: SessionRecord) => void
}

/** Answers the same questions as an adapter behind NATS, with the same rules. */
export function createLocalSrc(parts: LocalSrcParts): SrcClient {
	let service = newService()
	let closed = false
	const statistics = noStatistics()

	async function answer<A>(kind: QuestionKind, decide: () => A): Promise<SrcOutcome<A>> {
		if (closed) return { failure: 'closed', why: 'The local SRC service was closed.' }
		if (kind === 'discover') statistics.discoversSeen++
		countSent(statistics, kind)
		const answer = decide()
		countAnswered(statistics, kind)
		return { answer, server: 'local' }
	}
	function record<T extends { readonly record?: SessionRecord }>(step: T): T {
		if (step.record !== undefined) parts.onRecord?.(step.record)
		return step
	}

	return {
		discover: request =>
			answer('discover', () => discover(service, parts.rules(), request, parts.now())),
		address: report =>
			answer('address', () => record(openSession(service, parts.rules(), report)).answer),
		delete: deletion => answer('delete', () => record(closeSession(service, deletion)).answer),
		info: () => (closed ? { state: 'NoConnection' } : { state: 'connected', server: 'local' }),
		statistics: () => ({ ...statistics }),
		restart() {
			service = newService()
		},
		async close() {
			closed = true
		},
	}
}
