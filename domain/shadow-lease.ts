/**
 * Shadow leases: what the relay knows of leases that an external DHCP server gives (`service
 * dhcp-external`). The server alone decides; these rules say what follows from its answers and from
 * its clients' messages, wherever they were seen. A shadow lease ends by its own timer (`dueLeases`
 * in `lease.ts`), with the session, by the client's DHCPRELEASE or DHCPDECLINE, and when the server
 * refuses it. All of it is pure; times are as in `lease.ts`.
 */
import { formatIpv4 } from './address.ts'
import { type EventData, type NewEvent, subscriberStream } from './event.ts'
import { everyLease, type Lease, leaseAt, leasesOfMac, shadowPool } from './lease-state.ts'
import type { RouterState } from './state.ts'

export type ShadowContext = {
	/** The virtual router's name; its state may know nothing yet, not even that. */
	readonly name: string
	readonly router: RouterState
	/** Wall-clock milliseconds of now. */
	readonly at: number
	/** SRC is on: it is told of every address. */
	readonly tellsSrc: boolean
}

/** A client's message; addresses are unsigned numbers, 0 for none. */
export type ClientMessage = {
	readonly message: 'discover' | 'request' | 'decline' | 'release' | 'inform'
	readonly mac: string
	/** As `clientKey` gives it. */
	readonly client: string
	/** What it asks for or has: Requested IP Address [50], else `ciaddr`. */
	readonly address: number
	readonly giaddr: number
	readonly interface: string
	readonly hostname: string | undefined
}

/** A server's answer, together with the message that it answers where that was seen. */
export type ServerMessage = {
	readonly message: 'offer' | 'ack' | 'nak'
	readonly mac: string
	readonly client: string
	/** `yiaddr`. */
	readonly address: number
	/** IP Address Lease Time [51]; undefined in an answer to a DHCPINFORM. */
	readonly leaseSeconds: number | undefined
	readonly giaddr: number
	readonly server: number
	/** The interface that the client is on; empty where nothing tells. */
	readonly interface: string
	readonly asked: Pick<ClientMessage, 'address' | 'hostname'> | undefined
	/** Milliseconds since that message. */
	readonly askedMsAgo?: number
}

/** The reason of a refusal that is not ours. */
export const externalServer = 'external-server'

/** RFC 2131 §3.3. */
const infiniteSeconds = 0xffff_ffff

/** What follows from a client's message: it may give up an address. */
export function decideClientMessage(context: ShadowContext, asked: ClientMessage): NewEvent[] {
	switch (asked.message) {
		case 'release':
		case 'decline': {
			const lease = shadowOf(context.router, asked.mac, asked.address)
			if (lease === undefined || isElsewhere(lease, asked.interface)) return []
			const cause = asked.message === 'release' ? 'client' : 'declined'
			return [ended(context, lease, cause)]
		}
		case 'discover':
		case 'request':
		case 'inform':
			return []
		default:
			return asked.message satisfies never
	}
}

/** What follows from a server's answer. */
export function decideServerMessage(context: ShadowContext, answer: ServerMessage): NewEvent[] {
	switch (answer.message) {
		case 'offer':
			return []
		case 'ack':
			return acknowledged(context, answer)
		case 'nak':
			return refused(context, answer)
		default:
			return answer.message satisfies never
	}
}

/** A bound shadow lease of that client. */
function shadowOf(router: RouterState, mac: string, address: number): Lease | undefined {
	const lease = leaseAt(router.leases, address)
	if (lease?.status !== 'bound' || lease.pool !== shadowPool) return undefined
	return lease.mac === mac ? lease : undefined
}

/** Whether both interfaces are known and differ. */
function isElsewhere(lease: Lease, name: string): boolean {
	return name !== '' && lease.interface !== '' && lease.interface !== name
}

function ended(
	{ name, at }: ShadowContext,
	lease: Lease,
	cause: EventData<'LeaseReleased'>['cause'],
): NewEvent {
	const { mac, client, pool } = lease
	const address = formatIpv4(lease.address)
	const data = { mac, client, pool, address, cause, heldUntil: at }
	return { stream: subscriberStream(name, mac), type: 'LeaseReleased', v: 1, at, data }
}

/** Without an address or a time it answers a DHCPINFORM (RFC 2131 §4.3.5): no lease. */
function acknowledged(context: ShadowContext, answer: ServerMessage): NewEvent[] {
	const { router, name, at } = context
	const { mac, client, address } = answer
	if (address === 0 || !answer.leaseSeconds) return []
	const lease = leaseAt(router.leases, address)
	const there = lease?.status === 'bound' ? lease : undefined
	const own = there?.mac === mac ? there : undefined
	const moved = own !== undefined && isElsewhere(own, answer.interface)
	const events: NewEvent[] = []
	// The server gives nobody what somebody has: it knows that the other has it no more.
	if (there !== undefined && own === undefined) events.push(ended(context, there, 'server'))
	if (own !== undefined && moved) events.push(ended(context, own, 'moved'))
	for (const other of otherLeases(router, answer)) events.push(ended(context, other, 'moved'))
	const leaseSeconds = answer.leaseSeconds === infiniteSeconds ? 0 : answer.leaseSeconds
	// RFC 2131 §4.4.1: the client counts from its request on, and no server counts from before that.
	const expiresAt = Math.max(at + leaseSeconds * 1000 - (answer.askedMsAgo ?? 0), at + 1)
	const data: EventData<'LeaseObserved'> = {
		mac,
		client,
		address: formatIpv4(address),
		leaseSeconds,
		expiresAt: leaseSeconds === 0 ? 0 : expiresAt,
		server: formatIpv4(answer.server),
	}
	const from = answer.interface || own?.interface
	// Renewals pass the relay agent by: its client it is all the same (RFC 2131 §4.3.2).
	const giaddr = answer.giaddr || own?.giaddr
	const hostname = answer.asked?.hostname ?? own?.hostname
	if (from) data.interface = from
	if (giaddr) data.giaddr = formatIpv4(giaddr)
	if (hostname !== undefined) data.hostname = hostname
	if (router.sessions.has(mac)) data.session = true
	if (own !== undefined && !moved) data.renewed = true
	if (context.tellsSrc) data.src = true
	events.push({ stream: subscriberStream(name, mac), type: 'LeaseObserved', v: 1, at, data })
	return events
}

/** What the same client had before, elsewhere; several client identifiers are several clients. */
function otherLeases({ leases }: RouterState, { mac, client, address }: ServerMessage): Lease[] {
	return leasesOfMac(leases, mac).filter(lease => {
		// Behind `id:` and `hw:`: an identifier of hardware type and address is the same as none at all.
		const same = lease.client.slice(3) === client.slice(3)
		return same && lease.status === 'bound' && lease.address !== address
	})
}

/** RFC 2131 §3.2: who is sent a DHCPNAK may use the address no longer. */
function refused(context: ShadowContext, answer: ServerMessage): NewEvent[] {
	const { name, at, router } = context
	const { mac, client, asked } = answer
	const data: EventData<'LeaseRefused'> = { mac, client, reason: externalServer }
	if (asked !== undefined && asked.address !== 0) data.address = formatIpv4(asked.address)
	const event: NewEvent = {
		stream: subscriberStream(name, mac),
		type: 'LeaseRefused',
		v: 1,
		at,
		data,
	}
	const lease = asked && shadowOf(router, mac, asked.address)
	return lease === undefined ? [event] : [event, ended(context, lease, 'server')]
}

/** The end of all shadow leases of the virtual router: nobody watches any more. */
export function endShadows(context: ShadowContext): NewEvent[] {
	const events: NewEvent[] = []
	for (const lease of everyLease(context.router.leases)) {
		const isShadow = lease.status === 'bound' && lease.pool === shadowPool
		if (isShadow) events.push(ended(context, lease, 'operator'))
	}
	return events
}
