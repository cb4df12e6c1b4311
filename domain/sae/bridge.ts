/**
 * The relay's side of the SRC bridge, as rules: what is asked when a subscriber wants an address, what
 * follows from the answer, and what SRC is told of a login and of its end. Nothing here waits: the
 * engine asks, and comes back with what was answered or why nothing was.
 */
import { formatIpv4 } from '../address.ts'
import { type EventData, type NewEvent, relayStream, subscriberStream } from '../event.ts'
import { shadowPool } from '../lease-state.ts'
import type { PoolChoice } from '../pool.ts'
import type { Session } from '../session-table.ts'
import type { SrcAnswer, SrcFailure, SrcInfo, SrcOutcome } from './client.ts'
import { type DhcpOptions, relayAgent, relayAgentText, reportable } from './dhcp-options.ts'
import type { SrcDebt, SrcDecision, SrcLogin, SrcTable } from './logins.ts'
import type {
	AddressAnswer,
	AddressDeletion,
	AddressReport,
	Decision,
	DeletionAnswer,
	DiscoverRequest,
} from './protocol.ts'

/** Ends that SRC has not been told of; beyond it the oldest are given up. */
export const debtLimit = 100_000

/** Without the fields that are undefined: no event and no message has such. */
function known<T extends object>(fields: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
	const kept: { [K in keyof T]?: Exclude<T[K], undefined> } = {}
	// Several times for each question: a loop takes a quarter of the time of lists of entries.
	for (const name in fields) {
		const value = fields[name]
		if (value !== undefined) kept[name] = value as Exclude<T[typeof name], undefined>
	}
	return kept
}

// ---- the question

/** Who asks for an address, and where; `giaddr` is 0 without a relay agent. */
export type Asker = {
	readonly mac: string
	readonly client: string
	readonly interface: string
	readonly giaddr: number
}

export function poolRequested(
	router: string,
	{ mac, client, interface: on, giaddr }: Asker,
	session: Session,
	dhcpOptions: DhcpOptions,
	at: number,
): Extract<NewEvent, { type: 'PoolRequested' }> {
	const { user, class: radiusClass, serviceBundle, wap, ssid, port } = session
	const data = {
		mac,
		client,
		interface: on,
		dhcpOptions,
		...known({ user, class: radiusClass, serviceBundle, wap: wap || undefined, ssid }),
		...known({ nasPortId: portIdentifier(port, dhcpOptions) }),
		...(giaddr === 0 ? {} : { giaddr: formatIpv4(giaddr) }),
	}
	return { stream: subscriberStream(router, mac), type: 'PoolRequested', v: 1, at, data }
}

/**
 * Where a subscriber is attached, as text: what the access point calls its port, else the circuit that
 * the DHCP relay agent names (RFC 3046 §3.1).
 */
function portIdentifier(port: Session['port'], dhcpOptions: DhcpOptions): string | undefined {
	const text = port === undefined ? relayAgentText(dhcpOptions, relayAgent.circuitId) : `${port}`
	return text || undefined
}

/** What an interface is called: by the operator (RFC 2863 ifAlias), and by the system (ifDescr). */
export type InterfaceWords = { readonly alias?: string; readonly description?: string }

function interfaceWords({ alias, description }: InterfaceWords) {
	return known({ ifAlias: alias, ifDesc: description })
}

/** The question that the event says was asked. */
export function discoverQuestion(
	router: string,
	data: EventData<'PoolRequested'>,
	words: InterfaceWords,
): DiscoverRequest {
	const { mac, interface: on, dhcpOptions, user, class: radiusClass, serviceBundle } = data
	const { wap, ssid, giaddr, nasPortId } = data
	return {
		macAddress: mac,
		virtualRouterName: router,
		interfaceName: on,
		dhcpOptions,
		...known({ userName: user, radiusClass, serviceBundle, wap, ssid, giaddr, nasPortId }),
		...interfaceWords(words),
	}
}

// ---- the decision

/** What became of the question that was recorded at `request`. */
export type SrcReply = { readonly request: number } & (
	| { readonly accept: true; readonly server: string; readonly decision: SrcDecision }
	| { readonly accept: false; readonly server: string; readonly why: string | undefined }
	/** Nobody decided: the pool is chosen here. */
	| {
			readonly accept: undefined
			readonly failure: SrcFailure['failure']
			readonly why: string
	  }
)

export function srcReply(request: number, outcome: SrcOutcome<Decision>): SrcReply {
	if ('failure' in outcome) {
		return { request, accept: undefined, failure: outcome.failure, why: outcome.why }
	}
	const { answer, server } = outcome
	if (!answer.accept) return { request, accept: false, server, why: answer.reason }
	return { request, accept: true, server, decision: recordedDecision(answer) }
}

function recordedDecision(answer: Decision): SrcDecision {
	const { userName, radiusClass, poolName, ipAddress, leaseTime, serviceBundle } = answer
	const { bootServerName, bootFileName, dhcpOptions, virtualRouter, localInterface } = answer
	return known({
		user: userName,
		serviceBundle,
		class: radiusClass,
		pool: poolName,
		address: ipAddress,
		leaseSeconds: leaseTime,
		dhcpOptions,
		bootServer: bootServerName,
		bootFile: bootFileName,
		virtualRouter,
		localInterface,
		reason: answer.reason,
	})
}

/** What a `PoolSelected` says of the part that SRC had in it. */
export function srcPart(
	reply: SrcReply | undefined,
): Pick<EventData<'PoolSelected'>, 'request' | 'srcServer' | 'decision' | 'srcFailure'> {
	if (reply === undefined || reply.accept === false) return {}
	const { request } = reply
	if (reply.accept === undefined) return { request, srcFailure: reply.failure }
	return { request, srcServer: reply.server, decision: reply.decision }
}

/** Why the pool was chosen, with what SRC had to say before. */
export function reasonWithSrc(choice: PoolChoice, reply: SrcReply | undefined): string {
	const { by } = choice
	const reason = choice.reason()
	if (reply === undefined || reply.accept === false || by === 'src') return reason
	if (reply.accept === undefined) return `${reply.why} ${reason}`
	const { pool, address } = reply.decision
	if (address !== undefined && by !== 'framed-address') {
		return `SRC gives ${address}, which is in no pool. ${reason}`
	}
	if (pool === undefined) return `SRC leaves the choice open. ${reason}`
	if (by === 'framed-address') return `SRC names ${pool}, but an address goes first. ${reason}`
	return `SRC names ${pool}, and there is no such pool. ${reason}`
}

// ---- logins

function shared({ mac, address, interface: on, wap, ssid }: SrcLogin, router: string) {
	return {
		macAddress: mac,
		virtualRouterName: router,
		ipAddress: address,
		...known({ interfaceName: on, wap, ssid }),
	}
}

/** Told again it names the same session: MAC, address and time are the login's own. */
export function addressReport(
	router: string,
	login: SrcLogin,
	words: InterfaceWords = {},
): AddressReport {
	const { user, class: radiusClass, serviceBundle, giaddr, pool, leaseSeconds } = login
	const { dhcpOptions = {} } = login
	return {
		...shared(login, router),
		interfaceName: login.interface ?? 'unknown',
		dhcpOptions: reportable(dhcpOptions),
		event: login.authenticated ? 'AUTHADDR' : 'ADDR',
		at: login.since,
		leaseTime: leaseSeconds,
		...known({ poolName: pool === shadowPool ? undefined : pool }),
		...known({ userName: user, radiusClass, serviceBundle, giaddr }),
		...known({ nasPortId: portIdentifier(login.port, dhcpOptions) }),
		...interfaceWords(words),
	}
}

export function addressDeletion(
	router: string,
	{ login, cause, endedAt }: SrcDebt,
): AddressDeletion {
	const { session, service, serviceClass, user, since } = login
	return {
		...shared(login, router),
		cause,
		since,
		at: endedAt,
		...known({ sessionId: session, service, radiusClass: serviceClass, userName: user }),
	}
}

function sessionData(login: SrcLogin) {
	const { mac, address, since, user, class: radiusClass, serviceBundle } = login
	const { service, serviceClass, wap, ssid, interface: on } = login
	return {
		mac,
		address,
		since,
		...known({ user, class: radiusClass, serviceBundle, service, serviceClass }),
		...known({ wap, ssid, interface: on }),
	}
}

export function sessionOpened(
	router: string,
	login: SrcLogin,
	{ answer, server }: SrcAnswer<AddressAnswer>,
	at: number,
): NewEvent {
	const { sessionId, service, radiusClass } = answer
	const data: EventData<'SrcSessionOpened'> = {
		...sessionData(login),
		...known({ service, serviceClass: radiusClass }),
		session: sessionId,
		server,
		authenticated: login.authenticated,
	}
	return { stream: subscriberStream(router, login.mac), type: 'SrcSessionOpened', v: 1, at, data }
}

/** The end of a debt: SRC has answered the deletion, or it is told no more. */
export function sessionClosed(
	router: string,
	{ login, cause, endedAt }: SrcDebt,
	how: SrcAnswer<DeletionAnswer> | NonNullable<EventData<'SrcSessionClosed'>['unanswered']>,
	at: number,
): NewEvent {
	const closing =
		typeof how === 'string'
			? { ...known({ session: login.session }), unanswered: how }
			: {
					session: how.answer.sessionId,
					sessionSeconds: how.answer.sessionSeconds,
					server: how.server,
				}
	const data: EventData<'SrcSessionClosed'> = {
		...sessionData(login),
		cause,
		endedAt,
		...closing,
		...(login.session === undefined ? {} : { reported: true }),
	}
	return { stream: subscriberStream(router, login.mac), type: 'SrcSessionClosed', v: 1, at, data }
}

/** So many ends are owed that the oldest are given up. */
export function givenUp(
	router: string,
	{ debts }: SrcTable,
	limit: number,
	at: number,
): NewEvent[] {
	const events: NewEvent[] = []
	let over = debts.size - limit
	for (const debt of debts.values()) {
		if (over-- <= 0) break
		events.push(sessionClosed(router, debt, 'too-many', at))
	}
	return events
}

// ---- servers

/** Who is asked from now on; undefined: the same as before. `from` is empty for nobody. */
export function serverChanged(
	router: string,
	from: string,
	info: SrcInfo,
	at: number,
): Extract<NewEvent, { type: 'SrcServerChanged' }> | undefined {
	const to = info.state === 'connected' ? (info.server ?? '') : ''
	if (to === from) return undefined
	const role = info.role === undefined || to === '' ? {} : { role: info.role }
	const stream = relayStream(router)
	return { stream, type: 'SrcServerChanged', v: 1, at, data: { from, to, ...role } }
}
