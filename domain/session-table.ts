/**
 * The live sessions as the events tell them: what begins one, moves it and takes it away. The
 * relay's own state and the view that people are shown fold the same events here. What ends a
 * session, and why, is decided in `session.ts`.
 */
import type { EventData, NewEvent } from './event.ts'
import { sharedText } from './shared-text.ts'

/** A subscriber who is on the network. */
export type Session = {
	readonly mac: string
	/** Milliseconds: when the session began. */
	readonly since: number
	/** The access point that the subscriber is at; roaming changes it, nothing else here. */
	wap: string
	/** Where at that access point: NAS-Port-Id, else the number NAS-Port. */
	port: string | number | undefined
	/** Acct-Session-Id and Acct-Multi-Session-Id of the latest Start, and who gave them. */
	accounting: string | undefined
	multiSession: string | undefined
	accountingWap: string | undefined
	/** Milliseconds of the last recorded accounting: the idle clock. */
	heardAt: number
	/** As the Access-Accept says; where it says nothing, as the first Start does. */
	user: string | undefined
	readonly ssid: string | undefined
	readonly class: string | undefined
	readonly serviceBundle: string | undefined
	/** What the Access-Accept says about the subscriber's address; undefined: nothing. */
	readonly addressing: Addressing | undefined
}

type AddressingField =
	| 'framedAddress'
	| 'framedNetmask'
	| 'framedPool'
	| 'addressPool'
	| 'sessionTimeoutSeconds'
	| 'dns'
	| 'wins'
	| 'dhcpOptions'
/** As in the event; the DHCP server goes by it. */
export type Addressing = Readonly<Pick<EventData<'AccessAccepted'>, AddressingField>>

/** What is known of an access point while it has subscribers. */
export type AccessPoint = {
	/** Address that its latest packet came from. */
	client: string
	nasAddress: string | undefined
	nasIdentifier: string | undefined
}

/** MACs under a key: nearly always one, for which a set would be wasted. */
export type MacIndex = Map<string, string | Set<string>>

export type SessionTable = {
	/** By MAC, the session that has been silent longest first. */
	readonly sessions: Map<string, Session>
	/** MACs of the sessions at each access point. */
	readonly subscribersByWap: Map<string, Set<string>>
	readonly accessPoints: Map<string, AccessPoint>
	/** Whether the two that follow are kept: a view that nobody searches by name does without. */
	readonly indexed: boolean
	/** By Acct-Session-Id: two access points may well have given the same. */
	readonly byAccounting: MacIndex
	readonly byMultiSession: MacIndex
}

type SessionEventType =
	| 'AccessAccepted'
	| 'AccountingStarted'
	| 'AccountingUpdated'
	| 'SubscriberTerminated'
export type SessionEvent = Extract<NewEvent, { type: SessionEventType }>

export function newSessionTable(indexed: boolean): SessionTable {
	return {
		indexed,
		sessions: new Map(),
		subscribersByWap: new Map(),
		accessPoints: new Map(),
		byAccounting: new Map(),
		byMultiSession: new Map(),
	}
}

/** Folds an event of the table's virtual router into it. */
export function foldSession(table: SessionTable, event: SessionEvent): void {
	switch (event.type) {
		case 'AccessAccepted':
			accessAccepted(table, event.data, event.at)
			return
		case 'AccountingStarted':
			accountingStarted(table, event.data, event.at)
			return
		case 'AccountingUpdated':
			accountingUpdated(table, event.data, event.at)
			return
		case 'SubscriberTerminated':
			terminated(table, event.data.mac)
			return
		default:
			event satisfies never
	}
}

function accessAccepted(table: SessionTable, data: EventData<'AccessAccepted'>, at: number): void {
	const session = table.sessions.get(data.mac)
	if (session !== undefined) {
		// A reauthentication changes nothing in the session but the place where the subscriber is.
		move(table, session, data)
	} else {
		open(table, {
			mac: data.mac,
			since: at,
			wap: sharedText(data.wap),
			port: portOf(data),
			accounting: undefined,
			multiSession: undefined,
			accountingWap: undefined,
			heardAt: at,
			user: data.user,
			ssid: sharedText(data.ssid),
			class: sharedText(data.class),
			serviceBundle: sharedText(data.serviceBundle),
			addressing: addressingOf(data),
		})
	}
	table.accessPoints.get(data.wap)!.client = data.client
}

const addressingFields: readonly AddressingField[] = [
	'framedAddress',
	'framedNetmask',
	'framedPool',
	'addressPool',
	'sessionTimeoutSeconds',
	'dns',
	'wins',
	'dhcpOptions',
]

function addressingOf(data: EventData<'AccessAccepted'>): Addressing | undefined {
	let addressing: Record<string, unknown> | undefined
	for (const field of addressingFields) {
		if (data[field] === undefined) continue
		addressing ??= {}
		addressing[field] = data[field]
	}
	return addressing
}

function accountingStarted(
	table: SessionTable,
	data: EventData<'AccountingStarted'>,
	at: number,
): void {
	// It begins nothing, and is no name of a session that has begun since.
	if (data.late) return
	const session = table.sessions.get(data.mac)
	if (session === undefined) {
		// Authenticated before this relay was there: the WAP says that the subscriber is on.
		open(table, {
			mac: data.mac,
			since: at,
			wap: sharedText(data.wap),
			port: portOf(data),
			accounting: data.session,
			multiSession: data.multiSession,
			accountingWap: sharedText(data.wap),
			heardAt: at,
			user: data.user,
			ssid: sharedText(data.ssid),
			class: sharedText(data.class),
			serviceBundle: undefined,
			addressing: undefined,
		})
	} else {
		identify(table, session, data)
		session.user ??= data.user
		move(table, session, data)
		heard(table, session, at)
	}
	noteAccessPoint(table, data)
}

function accountingUpdated(
	table: SessionTable,
	data: EventData<'AccountingUpdated'>,
	at: number,
): void {
	const session = table.sessions.get(data.mac)
	// A late Interim-Update resurrects nothing.
	if (session === undefined) return
	heard(table, session, at)
	if (session.wap !== data.wap) return
	// The Start was lost, or came before this relay: the session has its name from here.
	if (session.accountingWap !== data.wap) identify(table, session, data)
	noteAccessPoint(table, data)
}

function noteAccessPoint(table: SessionTable, data: EventData<'AccountingStarted'>): void {
	const accessPoint = table.accessPoints.get(data.wap)
	if (accessPoint === undefined) return
	accessPoint.client = data.client
	accessPoint.nasAddress = data.nasAddress
	accessPoint.nasIdentifier = data.nasIdentifier
}

/** Puts a session into the table that is in none. */
export function open(table: SessionTable, session: Session): void {
	table.sessions.set(session.mac, session)
	enter(table, session)
	if (!table.indexed) return
	addTo(table.byAccounting, session.accounting, session.mac)
	addTo(table.byMultiSession, session.multiSession, session.mac)
}

/** Gives a session the names by which accounting knows it. */
function identify(
	table: SessionTable,
	session: Session,
	data: EventData<'AccountingStarted'>,
): void {
	if (table.indexed && session.accounting !== data.session) {
		removeFrom(table.byAccounting, session.accounting, session.mac)
		addTo(table.byAccounting, data.session, session.mac)
	}
	if (table.indexed && session.multiSession !== data.multiSession) {
		removeFrom(table.byMultiSession, session.multiSession, session.mac)
		addTo(table.byMultiSession, data.multiSession, session.mac)
	}
	session.accounting = data.session
	session.multiSession = data.multiSession
	session.accountingWap = data.wap === session.wap ? session.wap : sharedText(data.wap)
}

/** The session is not known by that Acct-Session-Id, which is not its access point's. */
export function forgetAccounting(table: SessionTable, mac: string, accounting: string): void {
	const session = table.sessions.get(mac)
	if (session === undefined || session.accounting !== accounting) return
	if (table.indexed) removeFrom(table.byAccounting, accounting, mac)
	session.accounting = undefined
	session.accountingWap = undefined
}

function enter(table: SessionTable, session: Session): void {
	const subscribers = table.subscribersByWap.get(session.wap)
	if (subscribers !== undefined) {
		subscribers.add(session.mac)
		return
	}
	table.subscribersByWap.set(session.wap, new Set([session.mac]))
	const unknown = { client: '', nasAddress: undefined, nasIdentifier: undefined }
	table.accessPoints.set(session.wap, unknown)
}

function leave(table: SessionTable, session: Session): void {
	const subscribers = table.subscribersByWap.get(session.wap)
	if (subscribers === undefined) return
	subscribers.delete(session.mac)
	if (subscribers.size > 0) return
	table.subscribersByWap.delete(session.wap)
	table.accessPoints.delete(session.wap)
}

type Place = Pick<EventData<'AccountingStarted'>, 'wap' | 'nasPort' | 'nasPortId'>

function portOf({ nasPort, nasPortId }: Place): string | number | undefined {
	return nasPortId === undefined ? nasPort : sharedText(nasPortId)
}

function move(table: SessionTable, session: Session, place: Place): void {
	const { wap } = place
	const port = portOf(place)
	if (session.wap === wap) {
		// A packet that does not name the port takes nothing back; another access point has others.
		if (port !== undefined) session.port = port
		return
	}
	session.port = port
	leave(table, session)
	session.wap = sharedText(wap)
	enter(table, session)
}

function heard(table: SessionTable, session: Session, at: number): void {
	session.heardAt = at
	// Map keeps the order of insertion: the longest silent session stays first.
	table.sessions.delete(session.mac)
	table.sessions.set(session.mac, session)
}

/** The wall clock was set: what was heard before it keeps its age. */
export function shiftIdleClocks(table: SessionTable, byMs: number): void {
	for (const session of table.sessions.values()) session.heardAt += byMs
}

function terminated(table: SessionTable, mac: string): void {
	const session = table.sessions.get(mac)
	if (session === undefined) return
	leave(table, session)
	removeFrom(table.byAccounting, session.accounting, mac)
	removeFrom(table.byMultiSession, session.multiSession, mac)
	table.sessions.delete(mac)
}

function addTo(index: MacIndex, key: string | undefined, mac: string): void {
	if (key === undefined) return
	const there = index.get(key)
	if (there === undefined) index.set(key, mac)
	else if (typeof there === 'string') index.set(key, new Set([there, mac]))
	else there.add(mac)
}

function removeFrom(index: MacIndex, key: string | undefined, mac: string): void {
	if (key === undefined) return
	const there = index.get(key)
	if (typeof there !== 'object') {
		index.delete(key)
		return
	}
	there.delete(mac)
	if (there.size === 0) index.delete(key)
}

/** The MACs under a key. */
export function macsUnder(index: MacIndex, key: string): Iterable<string> {
	const there = index.get(key)
	return typeof there === 'string' ? [there] : (there ?? [])
}
