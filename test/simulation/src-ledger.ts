/**
 * What SRC is owed and what it has been told, kept twice beside the relay: by the journal's leases, and
 * by what SRC itself has heard. Every address that SRC is told of begins a session there, and SRC is told
 * of its end, with the cause that it had, or it would bill that subscriber for ever.
 */
import { type EventData, type RecordedEvent, virtualRouterOf } from '../../domain/event.ts'
import type { Questions } from '../../domain/sae/protocol.ts'
import { breaks, count, type World } from './world.ts'

type CloseCause = Questions['delete']['cause']

export type Login = {
	readonly router: string
	readonly mac: string
	readonly address: string
	/** Milliseconds of the event that began it. */
	readonly since: number
	/** Why it ended; undefined: it lasts. */
	cause: CloseCause | undefined
	/** SRC has heard of its beginning, and of its end. */
	reported: boolean
	deleted: boolean
}

export type SrcLedger = {
	/** By virtual router, MAC and address: those that last. */
	readonly lasting: Map<string, Login>
	/** By the same and the beginning: those whose `SrcSessionClosed` is still to come. */
	readonly owed: Map<string, Login>
	/** Why the latest session of each subscriber ended, by virtual router and MAC. */
	readonly causes: Map<string, EventData<'SubscriberTerminated'>['cause']>
}

export function createSrcLedger(): SrcLedger {
	return { lasting: new Map(), owed: new Map(), causes: new Map() }
}

type Address = { readonly mac: string; readonly address: string }

function leaseKey(router: string, { mac, address }: Address): string {
	return `${router} ${mac} ${address}`
}

function loginKey(router: string, login: Address & { readonly since: number }): string {
	return `${leaseKey(router, login)} ${login.since}`
}

/** Reads what is on disk. */
export function followSrc(world: World, event: RecordedEvent): void {
	const { causes, owed } = world.srcLedger
	const router = virtualRouterOf(event.stream)
	switch (event.type) {
		case 'LeaseGranted':
		case 'LeaseRenewed':
		case 'LeaseObserved':
			taken(world, router, event)
			return
		case 'LeaseReleased':
			given(
				world,
				event,
				causeOfRelease(event.data.cause, causes.get(`${router} ${event.data.mac}`)),
			)
			return
		case 'LeaseExpired':
			given(world, event, 'Lost-Carrier')
			return
		case 'LeaseDeclined':
			given(world, event, 'User-Request')
			return
		case 'SubscriberTerminated':
			causes.set(`${router} ${event.data.mac}`, event.data.cause)
			return
		case 'SrcSessionClosed': {
			const key = loginKey(router, event.data)
			const login = owed.get(key)
			owed.delete(key)
			if (login?.deleted && login.cause === event.data.cause) return
			const { mac, address, cause } = event.data
			breaks(world, `SRC is said to know the end of ${mac} at ${address} (${cause}), and does not.`)
			return
		}
		default:
			return
	}
}

type Taken = Extract<RecordedEvent, { type: 'LeaseGranted' | 'LeaseRenewed' | 'LeaseObserved' }>

/** While SRC is on, it is told of every address. */
function taken(world: World, router: string, { type, at, data }: Taken): void {
	const { lasting } = world.srcLedger
	if ((data.src === true) !== isOn(world, router)) {
		breaks(world, `${type} of ${data.address} to ${data.mac}: SRC is ${data.src ? 'off' : 'on'}.`)
	}
	const key = leaseKey(router, data)
	if (!data.src || lasting.has(key)) return
	const { mac, address } = data
	const end = { cause: undefined, reported: false, deleted: false }
	lasting.set(key, { router, mac, address, since: at, ...end })
}

/** Whether SRC is configured for a virtual router. */
function isOn({ inForce }: World, router: string): boolean {
	if (router === 'cable') return inForce.cable && inForce.cableSrc
	return router === 'default' && inForce.src
}

type Given = Extract<RecordedEvent, { type: 'LeaseReleased' | 'LeaseExpired' | 'LeaseDeclined' }>

function given(world: World, { stream, data }: Given, cause: CloseCause): void {
	const { lasting, owed } = world.srcLedger
	const router = virtualRouterOf(stream)
	const key = leaseKey(router, data)
	const login = lasting.get(key)
	if (login === undefined) return
	login.cause = cause
	lasting.delete(key)
	owed.set(loginKey(router, login), login)
	count(world, `src is owed ${cause}`)
}

/** The words that SRC has for it (RFC 2866 §5.10). */
function causeOfRelease(
	cause: EventData<'LeaseReleased'>['cause'],
	ended: EventData<'SubscriberTerminated'>['cause'] | undefined,
): CloseCause {
	switch (cause) {
		case 'client':
		case 'declined':
		case 'moved':
			return 'User-Request'
		case 'server':
			return 'Lost-Carrier'
		case 'operator':
			return 'Admin-Reset'
		case 'session':
			if (ended === 'idle-timeout') return 'Idle-Timeout'
			if (ended === 'disconnect' || ended === 'operator') return 'Admin-Reset'
			return ended === 'accounting-stop' ? 'User-Request' : 'Lost-Carrier'
		default:
			return cause satisfies never
	}
}

/** SRC is told of an address when that is on disk, and not before; the login that it is told of. */
export function judgeReport(
	world: World,
	router: string,
	{ macAddress: mac, ipAddress: address, at }: Questions['address'],
): Login | undefined {
	const login = world.srcLedger.lasting.get(leaseKey(router, { mac, address }))
	if (login?.since === at) return login
	breaks(world, `SRC was told of ${address}; on disk ${mac} has no such login.`)
	return undefined
}

/** The same of an end, and why it came. */
export function judgeDeletion(
	world: World,
	router: string,
	{ macAddress: mac, ipAddress: address, since, cause }: Questions['delete'],
): Login | undefined {
	const login = world.srcLedger.owed.get(loginKey(router, { mac, address, since }))
	if (login === undefined) {
		breaks(world, `SRC was told of the end of ${address}, which nobody owes it.`)
	} else if (login.cause !== cause) {
		breaks(world, `SRC was told that ${address} ended by ${cause}, which was ${login.cause}.`)
	}
	return login
}

/** SRC answers, and everybody has been quiet: it knows of every login, and of the end of all that ended. */
export function judgeToldSrc(world: World): void {
	const { lasting, owed } = world.srcLedger
	for (const { router, mac, address, cause } of owed.values()) {
		if (!isOn(world, router)) continue
		breaks(world, `SRC was never told that ${mac} has lost ${address} (${cause}).`)
	}
	for (const { router, mac, address, reported } of lasting.values()) {
		if (!isOn(world, router) || reported) continue
		breaks(world, `SRC was never told that ${mac} has ${address}.`)
	}
}
