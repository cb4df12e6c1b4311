/**
 * What the journal says about SRC: what it decided on a subscriber, which sessions it began, and
 * which of them it has yet to be told the end of. `state.ts` folds it; a crash therefore loses
 * nothing that SRC is owed.
 */
import type { EventData, NewEvent } from '../event.ts'
import { shadowPool } from '../lease-state.ts'
import type { Session } from '../session-table.ts'
import { sharedText } from '../shared-text.ts'
import type { CloseCause } from './protocol.ts'

export type SrcDecision = NonNullable<EventData<'PoolSelected'>['decision']>

/** An address that a subscriber took, and SRC is told of. */
export type SrcLogin = {
	readonly mac: string
	readonly address: string
	/** Milliseconds of the event: it names the session, whenever and however often it is told. */
	readonly since: number
	/** As SRC decided, else as RADIUS said. */
	readonly user: string | undefined
	readonly class: string | undefined
	readonly serviceBundle: string | undefined
	readonly wap: string | undefined
	readonly ssid: string | undefined
	readonly port: Session['port']
	readonly interface: string | undefined
	readonly giaddr: string | undefined
	/** `shadowPool` where an external server gave the address. */
	readonly pool: string
	readonly leaseSeconds: number
	readonly authenticated: boolean
	/** Of the question, as far as the report carries them; given up once it is answered. */
	dhcpOptions: Readonly<Record<string, string>> | undefined
	/** What SRC answered: its session's id, the service, and the class of that one's definition. */
	session: string | undefined
	service: string | undefined
	serviceClass: string | undefined
	/** What the latest accounting Stop said, and why the subscriber's latest session ended. */
	stop: CloseCause | undefined
	cause: CloseCause | undefined
}

export type SrcDebt = {
	readonly login: SrcLogin
	readonly cause: CloseCause
	/** When the address was given back, in milliseconds. */
	readonly endedAt: number
}

export type SrcSubscriber = {
	/** The latest decision; it stands until the next one, or until the subscriber's session ends. */
	decision: SrcDecision | undefined
	/** Of the latest question, for the report of the address that follows it. */
	dhcpOptions: Readonly<Record<string, string>> | undefined
	/** Nearly always one: an external server may give a MAC an address for each client identifier. */
	logins: readonly SrcLogin[]
}

export type SrcTable = {
	readonly subscribers: Map<string, SrcSubscriber>
	/** Logins that SRC has not answered the report of, by their keys, the oldest first. */
	readonly unreported: Map<string, SrcLogin>
	/** Logins that ended and whose deletion nobody has answered, the oldest first. */
	readonly debts: Map<string, SrcDebt>
}

type SrcEventType =
	| 'PoolRequested'
	| 'PoolSelected'
	| 'LeaseRefused'
	| 'LeaseGranted'
	| 'LeaseRenewed'
	| 'LeaseObserved'
	| 'LeaseDeclined'
	| 'LeaseReleased'
	| 'LeaseExpired'
	| 'AccountingStopped'
	| 'SubscriberTerminated'
	| 'SrcSessionOpened'
	| 'SrcSessionClosed'
type SrcEvent = Extract<NewEvent, { type: SrcEventType }>

export function newSrcTable(): SrcTable {
	return { subscribers: new Map(), unreported: new Map(), debts: new Map() }
}

/** What a login is known by, while it lasts and while its end is owed. */
export function loginKey({ mac, address, since }: LoginName): string {
	return `${mac} ${address} ${since}`
}
type LoginName = Pick<SrcLogin, 'mac' | 'address' | 'since'>

/** Folds an event of the table's virtual router. `session`: the subscriber's, as it is by now. */
export function foldSrc(table: SrcTable, event: SrcEvent, session: Session | undefined): void {
	switch (event.type) {
		case 'PoolRequested':
			// A question is about a session, and what is known of it ends with that.
			if (session === undefined) return
			subscriberOf(table, event.data.mac).dhcpOptions = event.data.dhcpOptions
			return
		case 'PoolSelected':
			// Without a question to SRC the decision that stands goes on standing.
			if (session === undefined || event.data.request === undefined) return
			subscriberOf(table, event.data.mac).decision = event.data.decision
			return
		case 'LeaseRefused': {
			const subscriber = table.subscribers.get(event.data.mac)
			if (subscriber === undefined || event.data.request === undefined) return
			subscriber.decision = undefined
			return
		}
		case 'LeaseGranted':
		case 'LeaseRenewed':
			if (event.data.src) addressTaken(table, event.data, event.at, session)
			return
		case 'LeaseObserved':
			if (event.data.src) {
				addressTaken(table, { ...event.data, pool: shadowPool }, event.at, session)
			}
			return
		case 'LeaseDeclined':
			if (table.subscribers.size > 0) addressGiven(table, event.data, 'User-Request', event.at)
			return
		case 'LeaseReleased':
			if (table.subscribers.size === 0) return
			addressGiven(table, event.data, causeOfRelease(event.data.cause), event.at)
			return
		case 'LeaseExpired':
			// SRC has no cause of its own for it: the connection to the subscriber is gone.
			if (table.subscribers.size > 0) addressGiven(table, event.data, 'Lost-Carrier', event.at)
			return
		case 'AccountingStopped':
			stopped(table, event.data)
			return
		case 'SubscriberTerminated':
			terminated(table, event.data)
			return
		case 'SrcSessionOpened':
			opened(table, event.data)
			return
		case 'SrcSessionClosed':
			table.debts.delete(loginKey(event.data))
			return
		default:
			event satisfies never
	}
}

/**
 * Whether an accounting record is SRC's own, of the session that it has for the subscriber: where
 * SRC writes RADIUS accounting through this relay, its records say nothing of the access point's
 * session.
 */
export function isSrcAccounting(
	table: SrcTable,
	{ mac, session }: Pick<EventData<'AccountingStarted'>, 'mac' | 'session'>,
): boolean {
	if (session === undefined || table.subscribers.size === 0) return false
	const logins = table.subscribers.get(mac)?.logins ?? []
	return logins.some(login => login.session === session)
}

function subscriberOf(table: SrcTable, mac: string): SrcSubscriber {
	const known = table.subscribers.get(mac)
	if (known !== undefined) return known
	const made = { decision: undefined, dhcpOptions: undefined, logins: [] }
	table.subscribers.set(mac, made)
	return made
}

/** A renewal of a login that is known changes nothing; of one from before SRC was on, it begins one. */
function addressTaken(
	table: SrcTable,
	data: EventData<'LeaseGranted'>,
	at: number,
	session: Session | undefined,
): void {
	const subscriber = subscriberOf(table, data.mac)
	const { decision } = subscriber
	if (subscriber.logins.some(({ address }) => address === data.address)) return
	const login: SrcLogin = {
		mac: data.mac,
		address: data.address,
		since: at,
		user: decision?.user ?? session?.user,
		class: sharedText(decision?.class) ?? session?.class,
		serviceBundle: sharedText(decision?.serviceBundle) ?? session?.serviceBundle,
		wap: session?.wap,
		ssid: session?.ssid,
		port: session?.port,
		interface: sharedText(data.interface),
		giaddr: data.giaddr,
		pool: sharedText(data.pool),
		leaseSeconds: data.leaseSeconds,
		authenticated: session !== undefined,
		dhcpOptions: subscriber.dhcpOptions,
		session: undefined,
		service: undefined,
		serviceClass: undefined,
		stop: undefined,
		cause: undefined,
	}
	subscriber.logins = [...subscriber.logins, login]
	subscriber.dhcpOptions = undefined
	table.unreported.set(loginKey(login), login)
}

function addressGiven(
	table: SrcTable,
	{ mac, address }: { readonly mac: string; readonly address: string },
	/** Undefined: why the session ended, which took the address along. */
	cause: CloseCause | undefined,
	at: number,
): void {
	const subscriber = table.subscribers.get(mac)
	const login = subscriber?.logins.find(each => each.address === address)
	if (subscriber === undefined || login === undefined) return
	owe(table, login, cause ?? login.cause ?? 'User-Request', at)
	subscriber.logins = subscriber.logins.filter(each => each !== login)
	forgetIdle(table, mac, subscriber)
}

function owe(table: SrcTable, login: SrcLogin, cause: CloseCause, at: number): void {
	const key = loginKey(login)
	table.debts.set(key, { login, cause, endedAt: at })
	table.unreported.delete(key)
}

function forgetIdle(table: SrcTable, mac: string, subscriber: SrcSubscriber): void {
	const { decision, dhcpOptions, logins } = subscriber
	const idle = decision === undefined && dhcpOptions === undefined && logins.length === 0
	if (idle) table.subscribers.delete(mac)
}

/** Undefined: the session's end says why. An address may also outlive a session. */
function causeOfRelease(cause: EventData<'LeaseReleased'>['cause']): CloseCause | undefined {
	switch (cause) {
		case 'client':
		case 'declined':
		case 'moved':
			return 'User-Request'
		case 'session':
			return undefined
		case 'server':
			return 'Lost-Carrier'
		case 'operator':
			return 'Admin-Reset'
		default:
			return cause satisfies never
	}
}

/** Acct-Terminate-Cause (RFC 2866 §5.10) of the Stop that is about to end the session. */
const terminateCauses: Readonly<Record<number, CloseCause>> = {
	1: 'User-Request',
	2: 'Lost-Carrier',
	3: 'Lost-Carrier',
	4: 'Idle-Timeout',
	5: 'Session-Timeout',
	6: 'Admin-Reset',
	7: 'Admin-Reset',
}

function stopped(table: SrcTable, data: EventData<'AccountingStopped'>): void {
	const { terminateCause } = data
	if (isSrcAccounting(table, data)) return
	for (const login of table.subscribers.get(data.mac)?.logins ?? []) {
		// It only counts where this very Stop ends the session: the next event then says so.
		login.stop = terminateCause === undefined ? undefined : terminateCauses[terminateCause]
	}
}

function terminated(
	table: SrcTable,
	{ mac, cause }: { readonly mac: string; readonly cause: SessionCause },
): void {
	const subscriber = table.subscribers.get(mac)
	if (subscriber === undefined) return
	subscriber.decision = undefined
	subscriber.dhcpOptions = undefined
	for (const login of subscriber.logins) login.cause = causeOfEnd(cause, login.stop)
	forgetIdle(table, mac, subscriber)
}

type SessionCause = EventData<'SubscriberTerminated'>['cause']

function causeOfEnd(cause: SessionCause, stop: CloseCause | undefined): CloseCause {
	switch (cause) {
		case 'accounting-stop':
			return stop ?? 'User-Request'
		case 'accounting-on':
		case 'accounting-off':
			return 'Lost-Carrier'
		case 'idle-timeout':
			return 'Idle-Timeout'
		case 'disconnect':
		case 'operator':
			return 'Admin-Reset'
		default:
			return cause satisfies never
	}
}

/** A login as it is by now, whether it lasts or its end is owed. */
export function loginWith(table: SrcTable, mac: string, key: string): SrcLogin | undefined {
	const logins = table.subscribers.get(mac)?.logins
	return logins?.find(login => loginKey(login) === key) ?? table.debts.get(key)?.login
}

/** The answer may come after the login has ended: then its end is owed with what it says. */
function opened(table: SrcTable, data: EventData<'SrcSessionOpened'>): void {
	const key = loginKey(data)
	const login = loginWith(table, data.mac, key)
	if (login === undefined) return
	table.unreported.delete(key)
	login.session = data.session
	login.service = sharedText(data.service)
	login.serviceClass = sharedText(data.serviceClass)
	login.dhcpOptions = undefined
}
