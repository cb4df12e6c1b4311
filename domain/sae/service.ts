/**
 * The SRC side: classifies subscribers, and keeps their sessions. These are the second of the two
 * accounting domains: the first is what access points report through the relay, this one begins
 * when a subscriber takes its address and ends when it is given back. Octets are not known here.
 *
 * Copies of an adapter share the questions among them, and a question may come twice. So the
 * session's name is made from what the report says, any copy can close a session that another one
 * opened, and what is kept here only serves to find repeats and may be forgotten.
 */
import { hash32 } from './hash.ts'
import type {
	AddressAnswer,
	AddressDeletion,
	AddressReport,
	CloseCause,
	Decision,
	DeletionAnswer,
	DiscoverRequest,
} from './protocol.ts'
import { decide, type Rules } from './rules.ts'

/** What the second accounting domain says of a session; times in milliseconds since 1970. */
export type SessionRecord = {
	readonly sessionId: string
	readonly mac: string
	readonly ipAddress: string
	readonly virtualRouter: string
	readonly since: number
	/** Whether the subscriber was authenticated; not known of a session that is closed. */
	readonly authenticated?: boolean
	readonly userName?: string
	readonly service?: string
	/** Class of the service's definition, or of the subscriber where that has none. */
	readonly radiusClass?: string
	readonly interfaceName?: string
	readonly wap?: string
	readonly ssid?: string
} & (
	| { readonly kind: 'start' }
	| {
			readonly kind: 'stop'
			readonly at: number
			readonly cause: CloseCause
			readonly sessionSeconds: number
	  }
)

export type Service = {
	/** What is known of each session, the one that was touched last at the end. */
	readonly sessions: Map<string, 'open' | 'closed'>
	readonly counts: ServiceCounts
}

export type ServiceCounts = {
	discovers: number
	rejects: number
	opened: number
	closed: number
	/** Reports and deletions that had been seen before. */
	repeated: number
}

/** Repeats come within seconds: older sessions may be forgotten. */
export const rememberedSessions = 65_536

export function newService(): Service {
	return {
		sessions: new Map(),
		counts: { discovers: 0, rejects: 0, opened: 0, closed: 0, repeated: 0 },
	}
}

export function discover(
	service: Service,
	rules: Rules,
	request: DiscoverRequest,
	nowMs: number,
): Decision {
	const decision = decide(rules, request, nowMs)
	service.counts.discovers++
	if (!decision.accept) service.counts.rejects++
	return decision
}

export type Opened = { readonly answer: AddressAnswer; readonly record?: SessionRecord }

/** A subscriber has taken its address: its session begins. A repeat is answered alike. */
export function openSession(service: Service, rules: Rules, report: AddressReport): Opened {
	const sessionId = sessionIdOf(report.virtualRouterName, report.macAddress, report)
	const profile = profileOf(rules, report)
	const answer: AddressAnswer = { sessionId, ...profile }
	if (service.sessions.has(sessionId)) {
		service.counts.repeated++
		return { answer }
	}
	remember(service, sessionId, 'open')
	service.counts.opened++
	const { userName, interfaceName, wap, ssid } = report
	const record: SessionRecord = {
		kind: 'start',
		...whoseOf(report),
		sessionId,
		since: report.at,
		authenticated: report.event === 'AUTHADDR',
		...profile,
		...known({ userName, interfaceName, wap, ssid }),
	}
	return { answer, record }
}

export type Closed = { readonly answer: DeletionAnswer; readonly record?: SessionRecord }

/** The address was given back: the session ends, whichever copy it began in. */
export function closeSession(service: Service, deletion: AddressDeletion): Closed {
	const { virtualRouterName, macAddress, ipAddress, since, at, cause } = deletion
	const sessionId =
		deletion.sessionId ?? sessionIdOf(virtualRouterName, macAddress, { ipAddress, at: since })
	// A clock that was set back must not make a session last for ever.
	const sessionSeconds = Math.min(Math.max(0, Math.round((at - since) / 1000)), 2 ** 32 - 1)
	const answer = { sessionId, sessionSeconds }
	if (service.sessions.get(sessionId) === 'closed') {
		service.counts.repeated++
		return { answer }
	}
	remember(service, sessionId, 'closed')
	service.counts.closed++
	const { userName, radiusClass, interfaceName, wap, ssid } = deletion
	const record: SessionRecord = {
		kind: 'stop',
		...whoseOf(deletion),
		sessionId,
		since,
		at,
		cause,
		sessionSeconds,
		...known({ userName, service: deletion.service, radiusClass, interfaceName, wap, ssid }),
	}
	return { answer, record }
}

function whoseOf(message: AddressReport | AddressDeletion) {
	return {
		mac: message.macAddress,
		ipAddress: message.ipAddress,
		virtualRouter: message.virtualRouterName,
	}
}

/**
 * The service that the report names, else the one that the rules give it: a relay that could not
 * ask when the pool was chosen has none to name. With the class of the service's definition.
 */
function profileOf(
	rules: Rules,
	report: AddressReport,
): { service?: string; radiusClass?: string } {
	const classified = report.serviceBundle === undefined ? decide(rules, report, report.at) : report
	const service = classified.serviceBundle
	const defined = service === undefined ? undefined : rules.services.get(service)
	return known({ service, radiusClass: defined ?? classified.radiusClass ?? report.radiusClass })
}

function remember(service: Service, sessionId: string, state: 'open' | 'closed'): void {
	const { sessions } = service
	sessions.delete(sessionId)
	sessions.set(sessionId, state)
	if (sessions.size <= rememberedSessions) return
	for (const oldest of sessions.keys()) {
		sessions.delete(oldest)
		return
	}
}

const otherBasis = 0x9747b28c

/**
 * `SAE-` and 24 hexadecimal digits: seconds since 1970 of the login, then a hash of virtual router,
 * MAC address, IPv4 address and the login's time. Every copy names a session alike.
 */
export function sessionIdOf(
	virtualRouter: string,
	mac: string,
	{ ipAddress, at }: { readonly ipAddress: string; readonly at: number },
): string {
	const seconds = Math.floor(at / 1000) % 2 ** 32
	const identity = `${virtualRouter}\n${mac}\n${ipAddress}\n${at}`
	const digits = [seconds, hash32(identity), hash32(identity, otherBasis)].map(word =>
		word.toString(16).toUpperCase().padStart(8, '0'),
	)
	return `SAE-${digits.join('')}`
}

/** Without the fields that are undefined. */
function known<T extends object>(fields: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
	const kept: { [K in keyof T]?: Exclude<T[K], undefined> } = {}
	// Several times for each question: a loop takes a quarter of the time of lists of entries.
	for (const name in fields) {
		const value = fields[name]
		if (value !== undefined) kept[name] = value as Exclude<T[typeof name], undefined>
	}
	return kept
}
