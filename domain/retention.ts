/**
 * How long what is personal stays in events. Each class of events has its days. After them the events
 * lose every personal field but those that tell which subscriber it was; when the last class has let
 * a subscriber go, of whom nothing newer is there, the MAC goes, too (erasure.ts).
 */
import type { RetentionClass, VirtualRouter } from './configuration.ts'
import { blankOf, isRequired, isSrcSession } from './erasure.ts'
import { catalogue, type EventType } from './event.ts'

export const retentionDaysMax = 36_500
const dayMs = 86_400_000

/** Undefined: an event with nothing personal but its subscriber. */
export function retentionClassOf(type: string): RetentionClass | undefined {
	if (type.startsWith('Access') || type.startsWith('Disconnect')) return 'authentication'
	if (type.startsWith('Accounting')) return 'accounting'
	if (/^(Lease|Pool|Src)/.test(type)) return 'lease'
	return undefined
}

/** Milliseconds: what is older goes. Whole days (UTC); minus infinity where it is kept for ever. */
export function keptSince(days: number | undefined, now: number): number {
	if (days === undefined) return Number.NEGATIVE_INFINITY
	return Math.floor(now / dayMs) * dayMs - days * dayMs
}

export type Bounds = Readonly<Record<RetentionClass, number>> & {
	/** Of the class that keeps longest: older than that, nothing holds the subscriber's name. */
	readonly longest: number
}

export function boundsOf(
	{ retentionDays = {} }: Pick<VirtualRouter, 'retentionDays'>,
	now: number,
): Bounds {
	const authentication = keptSince(retentionDays.authentication, now)
	const accounting = keptSince(retentionDays.accounting, now)
	const lease = keptSince(retentionDays.lease, now)
	return { authentication, accounting, lease, longest: Math.min(authentication, accounting, lease) }
}

/**
 * The data without the personal fields that may be missing, and without texts that may say anything;
 * undefined where there are none. `srcSessions`: SRC's ids of its sessions.
 */
export function aged(
	type: string,
	data: Readonly<Record<string, unknown>>,
	srcSessions: Pick<Set<string>, 'has'> = new Set(),
): Record<string, unknown> | undefined {
	const known = catalogue[type as EventType]
	if (known === undefined) return undefined
	const left: Record<string, unknown> = {}
	let isChanged = false
	for (const [field, value] of Object.entries(data)) {
		const personal = field !== 'mac' && (known.personal as readonly string[]).includes(field)
		if (!personal || isSrcSession(field, value, srcSessions)) {
			left[field] = value
		} else if (isRequired(known.data, field)) {
			left[field] = blankOf(field) ?? value
			isChanged ||= JSON.stringify(left[field]) !== JSON.stringify(value)
		} else isChanged = true
	}
	return isChanged ? left : undefined
}
