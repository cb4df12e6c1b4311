/** Counts what came to nothing at the dynamic-request ports until it is recorded, gathered. */
import {
	type DynamicDiscardReason,
	type DynamicRequest,
	type NewEvent,
	type ResponseDiscardReason,
	relayStream,
} from '../../domain/event.ts'

type Kind =
	| { readonly request: DynamicRequest | 'other'; readonly reason: DynamicDiscardReason }
	/** An answer of an access point. */
	| { readonly request: undefined; readonly reason: ResponseDiscardReason }

type Counted = Kind & { readonly router: string; readonly address: string; count: number }

/** By everything that tells one count from another. */
export type DynamicDiscards = Map<string, Counted>

/** Counts told apart in one gathering; what comes from further addresses is counted without one. */
const limit = 1024

/** `address`: of the sender, as dotted text. */
export function countDynamicDiscard(
	discards: DynamicDiscards,
	router: string,
	address: string,
	kind: Kind,
	times = 1,
): void {
	const key = `${router} ${kind.request} ${kind.reason} ${address}`
	const counted = discards.get(key)
	if (counted !== undefined) counted.count += times
	else if (discards.size < limit || address === '') {
		discards.set(key, { ...kind, router, address, count: times })
	} else countDynamicDiscard(discards, router, '', kind, times)
}

/** The events for what was counted since the last call. */
export function takeDynamicDiscards(discards: DynamicDiscards, at: number): NewEvent[] {
	const events = [...discards.values()].map((counted): NewEvent => {
		const { router, address, count } = counted
		const stream = relayStream(router)
		if (counted.request === undefined) {
			const data = { client: address, reason: counted.reason, count }
			return { stream, type: 'DisconnectAnswersDiscarded', v: 1, at, data }
		}
		const { request, reason } = counted
		const data = { server: address, request, reason, count }
		return { stream, type: 'DynamicRequestsDiscarded', v: 1, at, data }
	})
	discards.clear()
	return events
}
