/** Events of the DHCP local server for tests, and the views folded from them. */
import {
	type EventData,
	type NewEvent,
	type RecordedEvent,
	relayStream,
	subscriberStream,
} from '../domain/event.ts'
import type { Projection } from '../projections/follow.ts'

export const start = Date.UTC(2004, 3, 2, 19, 1, 52)
export const alice = '02-00-00-00-00-01'
export const bob = '02-00-00-00-00-02'

type Common = {
	readonly mac?: string
	readonly address?: string
	readonly pool?: string
	/** Seconds after `start`. */
	readonly at?: number
	readonly router?: string
}

function place({ mac = alice, at = 0, router = 'default' }: Common) {
	return { stream: subscriberStream(router, mac), v: 1, at: start + at * 1000 }
}

function who({ mac = alice, address = '10.1.0.9', pool = 'campus' }: Common) {
	return { mac, client: `hw:01${mac.replaceAll('-', '').toLowerCase()}`, address, pool }
}

type LeaseFacts = Common & {
	/** Seconds; 0: infinite. Of an offer, how long it stands. */
	readonly lease?: number
} & Pick<EventData<'LeaseGranted'>, 'giaddr' | 'interface' | 'hostname'>

export function leased(
	type: 'LeaseOffered' | 'LeaseGranted' | 'LeaseRenewed',
	facts: LeaseFacts = {},
): NewEvent {
	const { lease = 3600, giaddr, interface: from, hostname } = facts
	const { at } = place(facts)
	const data: EventData<'LeaseGranted'> = {
		...who(facts),
		leaseSeconds: lease,
		expiresAt: lease === 0 ? 0 : at + lease * 1000,
		...(giaddr === undefined ? {} : { giaddr }),
		...(from === undefined ? {} : { interface: from }),
		...(hostname === undefined ? {} : { hostname }),
	}
	return { ...place(facts), type, data }
}

/** `held`: seconds of grace. */
export function expired(facts: Common & { readonly held?: number } = {}): NewEvent {
	const heldUntil = place(facts).at + (facts.held ?? 0) * 1000
	return { ...place(facts), type: 'LeaseExpired', data: { ...who(facts), heldUntil } }
}

export function released(
	cause: EventData<'LeaseReleased'>['cause'],
	facts: Common & { readonly held?: number } = {},
): NewEvent {
	const heldUntil = place(facts).at + (facts.held ?? 0) * 1000
	return { ...place(facts), type: 'LeaseReleased', data: { ...who(facts), cause, heldUntil } }
}

/** `wait`: seconds for which nobody gets the address. `ping`: the server found somebody there. */
export function declined(
	facts: Common & { readonly wait?: number; readonly ping?: true } = {},
): NewEvent {
	const until = place(facts).at + (facts.wait ?? 600) * 1000
	const data: EventData<'LeaseDeclined'> = { ...who(facts), until }
	if (facts.ping) data.ping = true
	return { ...place(facts), type: 'LeaseDeclined', data }
}

export function refused(reason: string, facts: Common & { readonly silent?: true } = {}): NewEvent {
	const { mac, client } = who(facts)
	const { silent, pool, address } = facts
	const data: EventData<'LeaseRefused'> = { mac, client, reason }
	if (silent) data.silent = silent
	if (pool !== undefined) data.pool = pool
	if (address !== undefined) data.address = address
	return { ...place(facts), type: 'LeaseRefused', data }
}

export function poolSelected(by: EventData<'PoolSelected'>['by'], facts: Common = {}): NewEvent {
	const { address: _, ...data } = who(facts)
	return { ...place(facts), type: 'PoolSelected', data: { ...data, by, reason: 'Because.' } }
}

export function warningChanged(high: boolean, inUse: number, facts: Common = {}): NewEvent {
	const { pool = 'campus', router = 'default' } = facts
	const { at } = place(facts)
	const data = { pool, high, inUse, size: 254 }
	return { stream: relayStream(router), type: 'PoolWarningChanged', v: 1, at, data }
}

export function discarded(
	message: string,
	reason: string,
	count: number,
	router = 'default',
): NewEvent {
	const data = { message, reason, count }
	return { stream: relayStream(router), type: 'DhcpDiscarded', v: 1, at: start, data }
}

export function baselineSet(
	scope: EventData<'BaselineSet'>['scope'],
	{ at = 0, router = 'default' }: Common = {},
): NewEvent {
	const stream = relayStream(router)
	return { stream, type: 'BaselineSet', v: 1, at: start + at * 1000, data: { scope } }
}

/** Seconds by which the clock was set forwards (or back, below 0). */
export function clockStepped(seconds: number, at = 0): NewEvent {
	return {
		stream: relayStream('default'),
		type: 'ClockStepped',
		v: 1,
		at: start + at * 1000,
		data: { byMs: seconds * 1000, reason: 'step' },
	}
}

export function given<State>(
	projection: Projection<State>,
	events: readonly NewEvent[],
	state = projection.initial(),
): State {
	let folded = state
	let position = 0
	for (const event of events) {
		folded = projection.fold(folded, { ...event, position: ++position } as RecordedEvent)
	}
	return folded
}

/** The state as it comes back from a snapshot. */
export function savedAndLoaded<State>(projection: Projection<State>, state: State): State {
	const frozen = projection.freeze === undefined ? [state] : [...projection.freeze(state)]
	const loaded = JSON.parse(JSON.stringify(frozen)) as unknown[]
	return projection.thaw === undefined ? (loaded[0] as State) : projection.thaw(loaded)
}
