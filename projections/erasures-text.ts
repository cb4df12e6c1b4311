/** `show retention`. */
import { type RetentionDays, retentionClasses } from '../domain/configuration.ts'
import { counted } from '../domain/count-text.ts'
import { keptSince } from '../domain/retention.ts'
import type { Erasures } from './erasures.ts'

export type RetentionQuery = {
	readonly virtualRouter: string
	readonly retentionDays: RetentionDays | undefined
	/** When all events were last looked through, in milliseconds; undefined: not since the start. */
	readonly lookedAt: number | undefined
	readonly now: number
}

export function retentionText(
	state: Erasures,
	{ virtualRouter, retentionDays = {}, lookedAt, now }: RetentionQuery,
): string[] {
	const row = (name: string, value: string | number) => `${name.padEnd(26)}${value}`
	const time = (at: number | undefined) =>
		at === undefined || at === 0 ? 'never' : new Date(at).toISOString()
	const classes = retentionClasses.map(kind => {
		const days = retentionDays[kind]
		if (days === undefined) return row(`  ${kind}`, 'kept for ever')
		return row(`  ${kind}`, `${counted(days, 'day')}: since ${time(keptSince(days, now))}`)
	})
	return [
		`Personal data in events of virtual router ${virtualRouter}`,
		...classes,
		'Taken out of the whole journal',
		row('  Last applied', time(state.appliedAt)),
		row('  Events then', state.appliedEvents),
		row('  Runs', state.runs),
		row('  Events', state.events),
		row('  Subscribers', `${state.subscribers} of whom only a pseudonym is left`),
		row('  Subscribers erased', `${state.erasures}, the last: ${time(state.erasedAt)}`),
		row('Last looked through', lookedAt === undefined ? 'not since the start' : time(lookedAt)),
	]
}
