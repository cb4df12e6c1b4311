/** Counts discarded requests until they are recorded, gathered: a flood cannot flood the journal. */
import { formatIpv4 } from '../../domain/address.ts'
import { type Service, services } from '../../domain/configuration.ts'
import { type DiscardReason, type NewEvent, relayStream } from '../../domain/event.ts'

type Reason = DiscardReason | 'repeated'
const reasons: readonly Reason[] = [
	'duplicate',
	'malformed',
	'bad-authenticator',
	'unknown-client',
	'queue-full',
	'invalid',
	'repeated',
]

/** Clients told apart in one gathering; what comes from further ones is counted without a name. */
const clientLimit = 1024
export const otherClients = -1

export type Discards = {
	/** Counts by client address, for each service and reason. */
	readonly counts: Readonly<Record<Service, Readonly<Record<Reason, Map<number, number>>>>>
	any: boolean
}

export function createDiscards(): Discards {
	const maps = () =>
		Object.fromEntries(reasons.map(reason => [reason, new Map<number, number>()])) as Record<
			Reason,
			Map<number, number>
		>
	return { counts: { authentication: maps(), accounting: maps() }, any: false }
}

export function countDiscard(
	discards: Discards,
	service: Service,
	reason: Reason,
	client: number,
	times = 1,
): void {
	const counts = discards.counts[service][reason]
	const count = counts.get(client)
	discards.any = true
	if (count !== undefined) counts.set(client, count + times)
	else if (counts.size < clientLimit) counts.set(client, times)
	else counts.set(otherClients, (counts.get(otherClients) ?? 0) + times)
}

/** The events for what was counted since the last call. */
export function takeDiscards(discards: Discards, router: string, at: number): NewEvent[] {
	const events: NewEvent[] = []
	if (!discards.any) return events
	discards.any = false
	const stream = relayStream(router)
	for (const service of services) {
		for (const reason of reasons) {
			const counts = discards.counts[service][reason]
			for (const [address, count] of counts) {
				const client = address === otherClients ? '' : formatIpv4(address)
				events.push(
					reason === 'repeated'
						? { stream, type: 'AnswersRepeated', v: 1, at, data: { service, client, count } }
						: {
								stream,
								type: 'RequestsDiscarded',
								v: 1,
								at,
								data: { service, client, reason, count },
							},
				)
			}
			counts.clear()
		}
	}
	return events
}
