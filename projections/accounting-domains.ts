/**
 * The two accounting domains of one subscriber side by side: what access points account for by
 * RADIUS (Acct-Session-Id of theirs), and what SRC accounts for (a session of its own for as long
 * as the address is taken). Nothing but time, address and Class connects the two, so each pair
 * says by what it was matched, and in what it differs. Where SRC writes RADIUS accounting as well,
 * its records come by as a third kind: they are recognised by SRC's session id.
 */
import type { EventData, RecordedEvent } from '../domain/event.ts'
import type { AccountingRow } from './views/subscriber-tables.ts'

/** An access point's session. Times in milliseconds since 1970, octets as decimal text. */
export type WapAccounting = {
	/** Acct-Session-Id; undefined where the access point sends none. */
	readonly session: string | undefined
	readonly multiSession: string | undefined
	readonly wap: string
	readonly startedAt: number
	/** The newest record of it. */
	heardAt: number
	/** When its Stop came. */
	stoppedAt: number | undefined
	/** Where no Stop came: when and why the subscriber's session was over for the relay. */
	terminatedAt: number | undefined
	terminatedBy: EventData<'SubscriberTerminated'>['cause'] | undefined
	user: string | undefined
	class: string | undefined
	framedAddress: string | undefined
	inputOctets: string | undefined
	outputOctets: string | undefined
	/** Acct-Session-Time. */
	sessionSeconds: number | undefined
	/** Acct-Terminate-Cause as number. */
	terminateCause: number | undefined
}

/** SRC's session. */
export type SrcAccounting = {
	/** Undefined where SRC never answered. */
	readonly session: string | undefined
	readonly address: string
	/** When the address was taken. */
	readonly since: number
	endedAt: number | undefined
	cause: EventData<'SrcSessionClosed'>['cause'] | undefined
	/** Why SRC has no end of it. */
	unanswered: EventData<'SrcSessionClosed'>['unanswered']
	sessionSeconds: number | undefined
	user: string | undefined
	/** Class of the subscriber's Access-Accept. */
	class: string | undefined
	service: string | undefined
	/** Class of the service's definition, which SRC's records carry. */
	serviceClass: string | undefined
	/** Who answered for SRC. */
	server: string | undefined
}

export type SubscriberAccounting = {
	readonly wap: WapAccounting[]
	readonly src: SrcAccounting[]
	/** Sessions of either kind that were dropped because there were too many. */
	dropped: number
}

/** Sessions of each kind that are kept of one subscriber: the newest. */
export const accountingSessionLimit = 256

export function newSubscriberAccounting(): SubscriberAccounting {
	return { wap: [], src: [], dropped: 0 }
}

/** Folds an event of one subscriber's stream; those that are not about accounting change nothing. */
export function foldAccounting(state: SubscriberAccounting, event: RecordedEvent): void {
	switch (event.type) {
		case 'AccountingStarted':
		case 'AccountingUpdated':
			wapHeard(state, event.data, event.at)
			return
		case 'AccountingStopped': {
			const session = wapHeard(state, event.data, event.at)
			// A repeated Stop moves no end.
			session.stoppedAt ??= event.at
			session.terminateCause ??= event.data.terminateCause
			return
		}
		case 'SubscriberTerminated':
			for (const session of state.wap) {
				if (endOf(session) !== undefined) continue
				session.terminatedAt = event.at
				session.terminatedBy = event.data.cause
			}
			return
		case 'SrcSessionOpened':
			keep(state, state.src, srcOf(event.data))
			return
		case 'SrcSessionClosed':
			srcClosed(state, event.data)
			return
		default:
	}
}

function wapHeard(
	state: SubscriberAccounting,
	data: EventData<'AccountingUpdated'>,
	at: number,
): WapAccounting {
	const sentAt = at - (data.delaySeconds ?? 0) * 1000
	let session = state.wap.findLast(
		known => known.session === data.session && known.wap === data.wap && !isReused(known, data),
	)
	if (session === undefined) {
		session = {
			session: data.session,
			multiSession: data.multiSession,
			wap: data.wap,
			// Where the Start was lost, Acct-Session-Time says when it must have been.
			startedAt: sentAt - (data.sessionSeconds ?? 0) * 1000,
			heardAt: at,
			stoppedAt: undefined,
			terminatedAt: undefined,
			terminatedBy: undefined,
			user: undefined,
			class: undefined,
			framedAddress: undefined,
			inputOctets: undefined,
			outputOctets: undefined,
			sessionSeconds: undefined,
			terminateCause: undefined,
		}
		keep(state, state.wap, session)
	}
	session.heardAt = at
	session.user = data.user ?? session.user
	session.class = data.class ?? session.class
	session.framedAddress = data.framedAddress ?? session.framedAddress
	// What it may have counted is from before all else.
	if (data.late) return session
	session.inputOctets = data.inputOctets ?? session.inputOctets
	session.outputOctets = data.outputOctets ?? session.outputOctets
	session.sessionSeconds = data.sessionSeconds ?? session.sessionSeconds
	return session
}

/** When an access point's session was over, by its Stop or without one; undefined while it is not. */
export function endOf(session: WapAccounting): number | undefined {
	return session.stoppedAt ?? session.terminatedAt
}

/** Without an Acct-Session-Id, and after its end, the next record that counts from anew is another. */
function isReused(known: WapAccounting, data: EventData<'AccountingUpdated'>): boolean {
	if (known.stoppedAt === undefined || data.late) return false
	return (data.sessionSeconds ?? 0) < (known.sessionSeconds ?? 0)
}

function srcOf(data: EventData<'SrcSessionOpened'> | EventData<'SrcSessionClosed'>): SrcAccounting {
	return {
		session: data.session,
		address: data.address,
		since: data.since,
		endedAt: undefined,
		cause: undefined,
		unanswered: undefined,
		sessionSeconds: undefined,
		user: data.user,
		class: data.class,
		service: data.service,
		serviceClass: data.serviceClass,
		server: data.server,
	}
}

function srcClosed(state: SubscriberAccounting, data: EventData<'SrcSessionClosed'>): void {
	let session = state.src.findLast(
		known => known.address === data.address && known.since === data.since,
	)
	if (session === undefined) {
		session = srcOf(data)
		keep(state, state.src, session)
	}
	session.endedAt = data.endedAt
	session.cause = data.cause
	session.sessionSeconds = data.sessionSeconds
	session.unanswered = data.unanswered
}

function keep<S>(state: SubscriberAccounting, sessions: S[], session: S): void {
	sessions.push(session)
	if (sessions.length <= accountingSessionLimit) return
	sessions.shift()
	state.dropped++
}

export type MatchedBy = 'address' | 'class' | 'time'

/** What both domains say, and differently. */
export type Difference = {
	readonly field: 'user' | 'address' | 'class' | 'start' | 'stop' | 'cause'
	readonly wap: string
	readonly src: string
}

export type AccountingPair = {
	readonly wap: WapAccounting | undefined
	readonly src: SrcAccounting | undefined
	/** Undefined where one side is missing. */
	readonly matchedBy: MatchedBy | undefined
	readonly differences: readonly Difference[]
	/** SRC's session as SRC wrote it to RADIUS: the subscriber's time is counted twice there. */
	readonly countedTwice: WapAccounting | undefined
}

/** Ends and beginnings so far apart are told: an address takes a while to be got and given back. */
export const toleranceMs = 60_000

/**
 * The sessions of both domains by time. A session of SRC stands beside every access point's session
 * that it belongs to (who roams has several), and the other way round.
 */
export function accountingPairs(accounting: SubscriberAccounting, now: number): AccountingPair[] {
	const ids = new Set(accounting.src.map(({ session }) => session).filter(id => id !== undefined))
	const bySrc = new Map<string, WapAccounting>()
	const access: WapAccounting[] = []
	for (const session of accounting.wap) {
		if (session.session !== undefined && ids.has(session.session))
			bySrc.set(session.session, session)
		else access.push(session)
	}
	const matched = new Set<WapAccounting>()
	const pairs: AccountingPair[] = []
	for (const src of accounting.src) {
		const countedTwice = src.session === undefined ? undefined : bySrc.get(src.session)
		let found = false
		for (const wap of access) {
			const matchedBy = matchOf(wap, src, now)
			if (matchedBy === undefined) continue
			found = true
			matched.add(wap)
			const differences = differencesOf(wap, src, now)
			pairs.push({ wap, src, matchedBy, differences, countedTwice })
		}
		if (found) continue
		pairs.push({ wap: undefined, src, matchedBy: undefined, differences: [], countedTwice })
	}
	for (const wap of access) {
		if (matched.has(wap)) continue
		pairs.push({
			wap,
			src: undefined,
			matchedBy: undefined,
			differences: [],
			countedTwice: undefined,
		})
	}
	return pairs.sort((a, b) => beginOf(a) - beginOf(b))
}

function beginOf({ wap, src }: AccountingPair): number {
	return Math.min(wap?.startedAt ?? Infinity, src?.since ?? Infinity)
}

/** By what two sessions of one subscriber belong together; undefined where they do not. */
function matchOf(wap: WapAccounting, src: SrcAccounting, now: number): MatchedBy | undefined {
	const begin = Math.max(wap.startedAt, src.since)
	const end = Math.min(endOf(wap) ?? now, src.endedAt ?? now)
	if (end - begin < -toleranceMs) return undefined
	if (wap.framedAddress !== undefined && wap.framedAddress === src.address) return 'address'
	// Another address than SRC's is a contradiction only where the two merely touch.
	if (end <= begin) return undefined
	if (wap.class !== undefined && wap.class === src.class) return 'class'
	return 'time'
}

function differencesOf(wap: WapAccounting, src: SrcAccounting, now: number): Difference[] {
	const differences: Difference[] = []
	const compare = (field: Difference['field'], a: string | undefined, b: string | undefined) => {
		if (a !== undefined && b !== undefined && a !== b) differences.push({ field, wap: a, src: b })
	}
	compare('user', wap.user, src.user)
	compare('address', wap.framedAddress, src.address)
	compare('class', wap.class, src.class)
	if (Math.abs(wap.startedAt - src.since) > toleranceMs) {
		differences.push({ field: 'start', wap: instant(wap.startedAt), src: instant(src.since) })
	}
	if (Math.abs((endOf(wap) ?? now) - (src.endedAt ?? now)) > toleranceMs) {
		differences.push({ field: 'stop', wap: instant(endOf(wap)), src: instant(src.endedAt) })
	}
	if (wap.terminateCause !== undefined && src.cause !== undefined) {
		compare('cause', causeName(wap.terminateCause), src.cause)
	}
	return differences
}

function instant(ms: number | undefined): string {
	return ms === undefined ? 'open' : new Date(ms).toISOString()
}

/** Acct-Terminate-Cause as text; the number of one that has no name. */
export function causeName(number: number): string {
	return terminateCauseNames[number] ?? `${number}`
}

/** RFC 2866 §5.10 and RFC 3580 §3.1, by number. */
const terminateCauseNames: Readonly<Record<number, string>> = {
	1: 'User-Request',
	2: 'Lost-Carrier',
	3: 'Lost-Service',
	4: 'Idle-Timeout',
	5: 'Session-Timeout',
	6: 'Admin-Reset',
	7: 'Admin-Reboot',
	8: 'Port-Error',
	9: 'NAS-Error',
	10: 'NAS-Request',
	11: 'NAS-Reboot',
	12: 'Port-Unneeded',
	13: 'Port-Preempted',
	14: 'Port-Suspended',
	15: 'Service-Unavailable',
	16: 'Callback',
	17: 'User-Error',
	18: 'Host-Request',
	19: 'Supplicant-Restart',
	20: 'Reauthentication-Failure',
	21: 'Port-Reinitialized',
	22: 'Port-Disabled',
}

/** Rows of the read model `accounting`, from which the same pairs are made for many subscribers. */
export type AccountingRowFacts = Pick<
	AccountingRow,
	| 'mac'
	| 'domain'
	| 'accounting_session'
	| 'wap'
	| 'server'
	| 'user'
	| 'address'
	| 'service'
	| 'began_at'
	| 'ended_at'
	| 'heard_at'
>

/** The subscribers of some rows, in the order of their first ones, with their sessions. */
export function accountingOfRows(
	rows: readonly AccountingRowFacts[],
): ReadonlyMap<string, SubscriberAccounting> {
	const subscribers = new Map<string, SubscriberAccounting>()
	for (const row of rows) {
		let subscriber = subscribers.get(row.mac)
		if (subscriber === undefined) {
			subscriber = newSubscriberAccounting()
			subscribers.set(row.mac, subscriber)
		}
		if (row.domain === 'wap') subscriber.wap.unshift(wapOfRow(row))
		else subscriber.src.unshift(srcOfRow(row))
	}
	return subscribers
}

function wapOfRow(row: AccountingRowFacts): WapAccounting {
	return {
		session: row.accounting_session === '' ? undefined : row.accounting_session,
		multiSession: undefined,
		wap: row.wap ?? '',
		startedAt: row.began_at,
		heardAt: row.heard_at,
		stoppedAt: row.ended_at ?? undefined,
		terminatedAt: undefined,
		terminatedBy: undefined,
		user: row.user ?? undefined,
		class: undefined,
		framedAddress: row.address ?? undefined,
		inputOctets: undefined,
		outputOctets: undefined,
		sessionSeconds: undefined,
		terminateCause: undefined,
	}
}

function srcOfRow(row: AccountingRowFacts): SrcAccounting {
	return {
		session: row.accounting_session === '' ? undefined : row.accounting_session,
		address: row.address ?? '',
		since: row.began_at,
		endedAt: row.ended_at ?? undefined,
		cause: undefined,
		unanswered: undefined,
		sessionSeconds: undefined,
		user: row.user ?? undefined,
		class: undefined,
		service: row.service ?? undefined,
		serviceClass: undefined,
		server: row.server ?? undefined,
	}
}
