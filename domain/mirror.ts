/** Copies of the history outside this machine: what the relay shows of each. */

import { counted } from './count-text.ts'

export type MirrorState = {
	readonly store: 'EventStoreDB' | 'NATS JetStream'
	/** Host names and ports, without credentials. */
	readonly target: string
	readonly state:
		| 'connecting'
		| 'catching up'
		/** Everything is there but for what was recorded in the last moments. */
		| 'following'
		/** Not reachable: tried again by itself. */
		| 'waiting'
		/** For good, with a reason that somebody has to deal with. */
		| 'stopped'
	/** Everything up to this position of the journal is there. */
	readonly position: number
	/** Events shipped, and connections tried again, since this process began. */
	readonly events: number
	readonly retries: number
	/** A sentence where something is wrong, otherwise empty. */
	readonly reason: string
}

/** Events that are recorded here and are not known to be there. */
export function mirrorLag({ position }: MirrorState, last: number): number {
	return Math.max(last - position, 0)
}

/** `show radius relay mirrors`; `last`: the position of the journal's newest event. */
export function mirrorsText(mirrors: readonly MirrorState[], last: number): string[] {
	if (mirrors.length === 0) {
		return ['No mirror is configured: start the relay with --eventstore or --nats to have one.']
	}
	return mirrors.flatMap((mirror, index) => [
		...(index === 0 ? [] : ['']),
		`${mirror.store} ${mirror.target}`,
		`  State                ${mirror.state}`,
		`  Journal Position     ${last}`,
		`  Mirrored Position    ${mirror.position}`,
		`  Lag                  ${counted(mirrorLag(mirror, last), 'event')}`,
		`  Events Shipped       ${mirror.events}`,
		`  Connection Retries   ${mirror.retries}`,
		...(mirror.reason === '' ? [] : [`  Reason               ${mirror.reason}`]),
	])
}
