/** An operator behind the commands that keeps everything in memory and notes what it was told. */
import { type Configuration, initialConfiguration } from '../domain/configuration.ts'
import type { Change, Operator, Show } from '../domain/junose/operator.ts'
import {
	type Executed,
	execute,
	newSession,
	prompt,
	type Session,
} from '../domain/junose/session.ts'

export type FakeOperator = Operator & {
	readonly changes: Change[]
	readonly baselines: string[]
	readonly shown: [string, Show][]
	readonly cleared: string[]
	/** When set, the next changes and baselines are refused with it. */
	refusal: string | undefined
	/** What `show` prints. */
	output: readonly string[]
}

export function fakeOperator(start: Configuration = initialConfiguration()): FakeOperator {
	let configuration = start
	return {
		changes: [],
		baselines: [],
		shown: [],
		cleared: [],
		refusal: undefined,
		output: [],
		configuration: () => configuration,
		async configure(next, change) {
			if (this.refusal !== undefined) return this.refusal
			configuration = next
			this.changes.push(change)
			return undefined
		},
		hasInterface: () => true,
		async baseline(virtualRouter, scope) {
			if (this.refusal !== undefined) return this.refusal
			this.baselines.push(`${virtualRouter}: ${scope}`)
			return undefined
		},
		async clearBindings(virtualRouter, server, address) {
			if (this.refusal !== undefined) return this.refusal
			this.cleared.push(`${virtualRouter}: ${server} ${address ?? 'all'}`)
			return undefined
		},
		async eraseSubscriber() {
			return { refused: 'not here' }
		},
		async applyRetention() {
			return { refused: 'not here' }
		},
		async clearSubscriber(virtualRouter, mac) {
			if (this.refusal !== undefined) return this.refusal
			this.cleared.push(`${virtualRouter}: ${mac}`)
			return undefined
		},
		async restartSrc(virtualRouter) {
			if (this.refusal !== undefined) return this.refusal
			this.cleared.push(`${virtualRouter}: sscc`)
			return undefined
		},
		async show(virtualRouter, what) {
			this.shown.push([virtualRouter, what])
			return this.output
		},
	}
}

/** Types lines one after the other; what the screen shows, and the session that is left. */
export async function typeLines(
	operator: Operator,
	lines: readonly string[],
	start: Session = newSession('privileged'),
): Promise<{
	readonly screen: readonly string[]
	readonly session: Session
	readonly last: Executed
}> {
	const screen: string[] = []
	let session = start
	let last: Executed = { session, lines: [], ok: true, marked: false }
	for (const line of lines) {
		screen.push(prompt(session, operator.configuration()) + line)
		last = await execute(session, line, operator)
		screen.push(...last.lines)
		session = last.session
	}
	return { screen, session, last }
}

export async function screenOf(operator: Operator, ...lines: string[]): Promise<string> {
	return (await typeLines(operator, lines)).screen.join('\n')
}
