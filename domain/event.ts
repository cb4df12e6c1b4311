/**
 * The catalogue of events: what can have happened, version by version. Events are facts, not
 * packets: MAC addresses are normalised (`02-00-00-00-00-01`), octet counts are joined to 64 bits
 * and written as decimal text, IPv4 addresses are dotted text. No secret and no password is ever
 * part of one. A journal holds every version that was ever written; `upcast` is the one place that
 * turns an old one into today's.
 */
import * as t from 'io-ts'

const optional = t.partial
const service = t.union([t.literal('authentication'), t.literal('accounting')])
const accountingStatus = t.union([
	t.literal('start'),
	t.literal('stop'),
	t.literal('interim'),
	t.literal('on'),
	t.literal('off'),
])
export type AccountingStatus = t.TypeOf<typeof accountingStatus>

/** `[server, transmissions]` for each server that was tried, in order. */
const tries = t.array(t.tuple([t.string, t.number]))

/** What the outcome of an exchange says about it: every outcome carries these. */
const outcome = {
	/** Position of the event that opened the exchange: its correlation id. */
	exchange: t.number,
	/** The WAP's address. */
	client: t.string,
}
const answered = { ...outcome, server: t.string, roundTripUs: t.number }

const unansweredReason = t.union([
	/** Every server that could be asked stayed silent. */
	t.literal('timeout'),
	/** No server is configured, or none is usable. */
	t.literal('no-server'),
	/** The client used the identifier for another request (RFC 5080 §2.2.2). */
	t.literal('superseded'),
	/** The upstream queue was full. */
	t.literal('queue-full'),
	/** The relay was stopped in the meantime. */
	t.literal('stopped'),
	/** With what the relay adds the packet would exceed 4,096 octets (RFC 2865 §3). */
	t.literal('too-long'),
])
export type UnansweredReason = t.TypeOf<typeof unansweredReason>

const discardReason = t.union([
	t.literal('duplicate'),
	t.literal('malformed'),
	t.literal('bad-authenticator'),
	t.literal('unknown-client'),
	t.literal('queue-full'),
	t.literal('invalid'),
])
export type DiscardReason = t.TypeOf<typeof discardReason>

const responseDiscardReason = t.union([
	t.literal('malformed'),
	t.literal('bad-authenticator'),
	/** Nothing was pending under that identifier: too late, or foreign. */
	t.literal('unknown'),
	/** A code that does not answer the request. */
	t.literal('unexpected-code'),
])
export type ResponseDiscardReason = t.TypeOf<typeof responseDiscardReason>

const upstreamState = t.union([
	t.literal('okay'),
	t.literal('suspect'),
	t.literal('down'),
	t.literal('reopen'),
])

const disconnectRequest = t.union([t.literal('disconnect'), t.literal('change-of-authorization')])
export type DynamicRequest = t.TypeOf<typeof disconnectRequest>

const dynamicDiscardReason = t.union([
	/** A repeat of a request whose answer is still to come. */
	t.literal('duplicate'),
	/** A repeat of an answered request: it was given the same answer again (RFC 5080 §2.2.2). */
	t.literal('repeated'),
	t.literal('malformed'),
	t.literal('bad-authenticator'),
	/** From an address that no `radius dynamic-request server` has. */
	t.literal('unknown-client'),
	/** The server has no key. */
	t.literal('no-key'),
	/** A code other than Disconnect-Request and CoA-Request. */
	t.literal('invalid'),
	/** Event-Timestamp is too far from now: perhaps a replay (RFC 5176 §6.3). */
	t.literal('stale'),
	t.literal('queue-full'),
])
export type DynamicDiscardReason = t.TypeOf<typeof dynamicDiscardReason>

/** Who chose a pool, in JunosE's order of preference; `standalone` servers use the last two only. */
const poolSelector = t.union([
	t.literal('src'),
	t.literal('framed-address'),
	t.literal('pool-name'),
	t.literal('domain-name'),
	t.literal('giaddr'),
	t.literal('interface'),
])
export type PoolSelector = t.TypeOf<typeof poolSelector>

const srcFailure = t.union([
	/** No SRC server is connected. */
	t.literal('no-connection'),
	t.literal('timeout'),
	/** As many questions as may be open were open. */
	t.literal('too-many-questions'),
	/** The adapter could not take the question. */
	t.literal('refused'),
	/** SRC was turned off meanwhile. */
	t.literal('closed'),
])

/** DHCP options from number to base64 text, as in the SRC protocol. */
const dhcpOptions = t.record(t.string, t.string)

/** What is known of an authenticated subscriber; Class and Service-Bundle as in `AccessAccepted`. */
const profile = { user: t.string, class: t.string, serviceBundle: t.string }

/** What SRC said beside the pool and the address; user, class and bundle take the place of RADIUS'. */
const srcDecision = optional({
	...profile,
	pool: t.string,
	address: t.string,
	leaseSeconds: t.number,
	dhcpOptions,
	bootServer: t.string,
	bootFile: t.string,
	virtualRouter: t.string,
	localInterface: t.string,
	/** Which of its rules decided. */
	reason: t.string,
})

/** The part that SRC had in a choice: `request` is the position of the `PoolRequested`. */
const srcPart = {
	request: t.number,
	/** Who decided: `10.10.2.2:4222`, or `local`. */
	srcServer: t.string,
	decision: srcDecision,
	/** Why there is no decision. */
	srcFailure,
}

/** A session of the second accounting domain: SRC's. `since`, ms: when the address was taken. */
const srcSession = [
	t.type({ mac: t.string, address: t.string, since: t.number }),
	optional({
		...profile,
		/** The service that SRC activated; `serviceClass` is the class of its definition. */
		service: t.string,
		serviceClass: t.string,
		wap: t.string,
		ssid: t.string,
		interface: t.string,
	}),
] as const

/**
 * `client`: the DHCP client identity (RFC 2131 §4.2): `id:` or `hw:` and hexadecimal digits. Of an
 * offer, `expiresAt` is when it lapses, and `leaseSeconds` what is offered. Times in ms.
 */
const lease = t.intersection([
	t.type({
		mac: t.string,
		client: t.string,
		pool: t.string,
		address: t.string,
		/** 0: infinite. */
		leaseSeconds: t.number,
		/** 0: never. */
		expiresAt: t.number,
	}),
	optional({
		giaddr: t.string,
		interface: t.string,
		hostname: t.string,
		/** Leased for the subscriber's live session, with which it ends. */
		session: t.literal(true),
		/** SRC is told of it. */
		src: t.literal(true),
	}),
])

/** Where and as whom a subscriber is seen. `wap` is Called-Station-Id's MAC, `ssid` what follows. */
const station = t.intersection([
	t.type({ client: t.string, mac: t.string, wap: t.string }),
	optional({
		ssid: t.string,
		user: t.string,
		nasAddress: t.string,
		nasIdentifier: t.string,
		nasPort: t.number,
		nasPortId: t.string,
	}),
])

const accounting = t.intersection([
	station,
	t.type({ server: t.string }),
	optional({
		/** Acct-Session-Id and Acct-Multi-Session-Id. */
		session: t.string,
		multiSession: t.string,
		/** RFC 2866 §5.3 joined with RFC 2869 §5.1: decimal text of up to 64 bits. */
		inputOctets: t.string,
		outputOctets: t.string,
		inputPackets: t.number,
		outputPackets: t.number,
		sessionSeconds: t.number,
		delaySeconds: t.number,
		/** Acct-Terminate-Cause as number. */
		terminateCause: t.number,
		class: t.string,
		framedAddress: t.string,
	}),
])

const accessPoint = t.intersection([
	t.type({ client: t.string, wap: t.string, server: t.string }),
	optional({ ssid: t.string, session: t.string, nasAddress: t.string, nasIdentifier: t.string }),
])

/** Texts of RADIUS that may have anything in them: session ids with the MAC, a class with the name. */
const marks = ['session', 'multiSession', 'class'] as const

/**
 * Every event type: today's version, its data, and which of its fields identify a person
 * (erasure and retention build on that). `server` is empty where none could be chosen.
 */
export const catalogue = {
	AccessRequested: {
		version: 1,
		personal: ['mac', 'user'],
		data: t.intersection([
			station,
			t.type({ server: t.string }),
			/** Set when the subscriber has a live session already (802.1X reauthentication). */
			optional({ reauthentication: t.literal(true) }),
		]),
	},
	AccessChallenged: {
		version: 1,
		personal: [],
		data: t.intersection([t.type(answered), optional({ tries })]),
	},
	AccessAccepted: {
		version: 1,
		personal: ['mac', 'user', 'framedAddress', ...marks],
		data: t.intersection([
			t.type({ ...answered, mac: t.string, wap: t.string }),
			optional({
				tries,
				ssid: t.string,
				/** User-Name of the answer (RFC 2865 §5.1), else of the request. */
				user: t.string,
				reauthentication: t.literal(true),
				/** Class [25] and Service-Bundle [26-31]: text, or `0x` and hexadecimal digits. */
				class: t.string,
				serviceBundle: t.string,
				sessionTimeoutSeconds: t.number,
				idleTimeoutSeconds: t.number,
				framedAddress: t.string,
				framedNetmask: t.string,
				framedPool: t.string,
				/** Address-Pool [26-2]. */
				addressPool: t.string,
				/** Primary and secondary DNS [26-4, 26-5] and WINS [26-6, 26-7]. */
				dns: t.array(t.string),
				wins: t.array(t.string),
				/** DHCP-Options [26-55]: DHCP options as they are sent, in hexadecimal digits. */
				dhcpOptions: t.string,
			}),
		]),
	},
	AccessRejected: {
		version: 1,
		personal: [],
		data: t.intersection([t.type(answered), optional({ tries, replyMessage: t.string })]),
	},
	AccessUnanswered: {
		version: 1,
		personal: [],
		data: t.intersection([t.type({ ...outcome, reason: unansweredReason }), optional({ tries })]),
	},
	AccountingStarted: {
		version: 1,
		personal: ['mac', 'user', 'framedAddress', ...marks],
		data: accounting,
	},
	AccountingUpdated: {
		version: 1,
		personal: ['mac', 'user', 'framedAddress', ...marks],
		data: accounting,
	},
	AccountingStopped: {
		version: 1,
		personal: ['mac', 'user', 'framedAddress', ...marks],
		data: accounting,
	},
	AccountingTurnedOn: { version: 1, personal: [], data: accessPoint },
	AccountingTurnedOff: { version: 1, personal: [], data: accessPoint },
	AccountingAnswered: {
		version: 1,
		personal: [],
		data: t.intersection([t.type({ ...answered, status: accountingStatus }), optional({ tries })]),
	},
	AccountingUnanswered: {
		version: 1,
		personal: [],
		data: t.intersection([
			t.type({ ...outcome, status: accountingStatus, reason: unansweredReason }),
			optional({ tries }),
		]),
	},
	SubscriberTerminated: {
		version: 1,
		personal: ['mac'],
		data: t.type({
			mac: t.string,
			wap: t.string,
			cause: t.union([
				t.literal('accounting-stop'),
				t.literal('accounting-on'),
				t.literal('accounting-off'),
				t.literal('idle-timeout'),
				/** A RADIUS server asked for it (RFC 5176). */
				t.literal('disconnect'),
				/** `clear subscriber`. */
				t.literal('operator'),
			]),
			/** When the session began, in milliseconds. */
			since: t.number,
		}),
	},
	/** A RADIUS server asks to end a session or to change its authorization (RFC 5176). */
	DisconnectRequested: {
		version: 1,
		personal: ['mac', 'user'],
		data: t.intersection([
			t.type({ server: t.string, request: disconnectRequest }),
			/** What it names the session by; `mac` also where the session was found otherwise. */
			optional({ mac: t.string, session: t.string, multiSession: t.string, user: t.string }),
		]),
	},
	/** What it was told, and what the WAP said where it was asked first. */
	DisconnectAnswered: {
		version: 1,
		personal: [],
		data: t.intersection([
			t.type({
				exchange: t.number,
				server: t.string,
				request: disconnectRequest,
				accepted: t.boolean,
			}),
			/** RFC 5176 §3.5 of a refusal; `accessPoint`: `ack`, `nak` or `silent`. */
			optional({ errorCause: t.number, accessPoint: t.string }),
		]),
	},
	/** Gathered for up to a second; `server` is empty where too many addresses shared the second. */
	DynamicRequestsDiscarded: {
		version: 1,
		personal: [],
		data: t.type({
			server: t.string,
			request: t.union([disconnectRequest, t.literal('other')]),
			reason: dynamicDiscardReason,
			count: t.number,
		}),
	},
	/** Datagrams from the Disconnect port of a WAP that answered nothing, gathered. */
	DisconnectAnswersDiscarded: {
		version: 1,
		personal: [],
		data: t.type({ client: t.string, reason: responseDiscardReason, count: t.number }),
	},
	/** SRC is asked for the pool of a subscriber, who waits for an offer. */
	PoolRequested: {
		version: 1,
		personal: ['mac', 'client', 'user', 'dhcpOptions'],
		data: t.intersection([
			t.type({ mac: t.string, client: t.string, interface: t.string, dhcpOptions }),
			optional({
				...profile,
				wap: t.string,
				ssid: t.string,
				nasPortId: t.string,
				giaddr: t.string,
			}),
		]),
	},
	/** The pool for a subscriber's address was chosen: by whom, and why. */
	PoolSelected: {
		version: 1,
		personal: ['mac', 'address', 'decision'],
		data: t.intersection([
			t.type({
				mac: t.string,
				client: t.string,
				by: poolSelector,
				pool: t.string,
				reason: t.string,
			}),
			/** `address`: one that was asked for by name rather than taken as the next free one. */
			optional({ address: t.string, ...srcPart }),
		]),
	},
	LeaseOffered: { version: 1, personal: ['mac', 'address', 'client', 'hostname'], data: lease },
	/** From here on nobody else may have the address until `expiresAt`. */
	LeaseGranted: { version: 1, personal: ['mac', 'address', 'client', 'hostname'], data: lease },
	LeaseRenewed: { version: 1, personal: ['mac', 'address', 'client', 'hostname'], data: lease },
	/** A DHCPREQUEST got a DHCPNAK, or, where `silent`, a DHCPDISCOVER got no offer. */
	LeaseRefused: {
		version: 1,
		personal: ['mac', 'address', 'client'],
		data: t.intersection([
			t.type({ mac: t.string, client: t.string, reason: t.string }),
			optional({
				address: t.string,
				silent: t.literal(true),
				/** The pool that had no address left, where that is the reason. */
				pool: t.string,
				/** What SRC had to do with it; `why` is its reason. */
				request: t.number,
				srcServer: t.string,
				why: t.string,
			}),
		]),
	},
	/** The client found somebody else at the address: nobody gets it until `until`. */
	LeaseDeclined: {
		version: 1,
		personal: ['mac', 'address', 'client'],
		data: t.intersection([
			t.type({
				mac: t.string,
				client: t.string,
				pool: t.string,
				address: t.string,
				until: t.number,
			}),
			/** The server itself found somebody there, before it offered the address to this client. */
			optional({ ping: t.literal(true) }),
		]),
	},
	/**
	 * The external DHCP server gave or extended a lease, as its DHCPACK said: the shadow of that lease.
	 * No pool of this relay's has the address.
	 */
	LeaseObserved: {
		version: 1,
		personal: ['mac', 'address', 'client'],
		data: t.intersection([
			t.type({
				mac: t.string,
				client: t.string,
				address: t.string,
				/** 0: infinite. */
				leaseSeconds: t.number,
				/** 0: never. */
				expiresAt: t.number,
				/** Server Identifier [54], else where the DHCPACK came from. */
				server: t.string,
			}),
			optional({
				interface: t.string,
				giaddr: t.string,
				hostname: t.string,
				/** The subscriber has a live session, with which the lease ends. */
				session: t.literal(true),
				/** The client had the address already. */
				renewed: t.literal(true),
				/** SRC is on, and is told of the address. */
				src: t.literal(true),
			}),
		]),
	},
	LeaseReleased: {
		version: 1,
		personal: ['mac', 'address', 'client'],
		data: t.type({
			mac: t.string,
			client: t.string,
			/** Empty for the shadow of an external server's lease. */
			pool: t.string,
			address: t.string,
			cause: t.union([
				/** DHCPRELEASE. */
				t.literal('client'),
				/** The session ended. */
				t.literal('session'),
				t.literal('operator'),
				/** The client took another address, or has it on another interface now. */
				t.literal('moved'),
				/** The external server refused it to the client, or gave it to somebody else. */
				t.literal('server'),
				/** The client of an external server found somebody else at the address. */
				t.literal('declined'),
			]),
			/** Held back until then for its last holder (grace period); milliseconds. */
			heldUntil: t.number,
		}),
	},
	LeaseExpired: {
		version: 1,
		personal: ['mac', 'address', 'client'],
		data: t.type({
			mac: t.string,
			client: t.string,
			pool: t.string,
			address: t.string,
			heldUntil: t.number,
		}),
	},
	/** A pool's use crossed its warning threshold (`high`), or fell below the lower one again. */
	PoolWarningChanged: {
		version: 1,
		personal: [],
		data: t.type({ pool: t.string, high: t.boolean, inUse: t.number, size: t.number }),
	},
	/**
	 * DHCP messages that left no event of their own, gathered by message and reason. Most were
	 * ignored; `repeated` is a DHCPDISCOVER that was given the same offer again, `answered` a
	 * DHCPINFORM that got its options.
	 */
	DhcpDiscarded: {
		version: 1,
		personal: [],
		data: t.intersection([
			t.type({ message: t.string, reason: t.string, count: t.number }),
			/** It was on its way between a client and the external server. */
			optional({ external: t.literal(true) }),
		]),
	},
	/**
	 * DHCP messages between clients and the external server, gathered by message: passed on, or, where
	 * `seen`, routed past the relay.
	 */
	DhcpForwarded: {
		version: 1,
		personal: [],
		data: t.intersection([
			t.type({ message: t.string, count: t.number }),
			optional({ seen: t.literal(true) }),
		]),
	},
	/** SRC began a session for a subscriber who took an address. */
	SrcSessionOpened: {
		version: 1,
		personal: ['mac', 'address', 'user'],
		data: t.intersection([
			...srcSession,
			/** `session` is SRC's own id; `server` is who gave it. */
			t.type({ session: t.string, server: t.string, authenticated: t.boolean }),
		]),
	},
	/** SRC was told that the address was given back, and why; or it is told no more. */
	SrcSessionClosed: {
		version: 1,
		personal: ['mac', 'address', 'user'],
		data: t.intersection([
			...srcSession,
			t.type({
				cause: t.union([
					t.literal('User-Request'),
					t.literal('Lost-Carrier'),
					t.literal('Idle-Timeout'),
					t.literal('Session-Timeout'),
					t.literal('Admin-Reset'),
				]),
				/** When the address was given back, in milliseconds. */
				endedAt: t.number,
			}),
			/** Without `server` nobody answered: SRC would not hear of it, or too many were owed. */
			optional({
				session: t.string,
				sessionSeconds: t.number,
				server: t.string,
				/** Its beginning is on record as `SrcSessionOpened`. */
				reported: t.literal(true),
				unanswered: t.union([t.literal('refused'), t.literal('too-many')]),
			}),
		]),
	},
	/** Another SRC server is asked from now on; empty: none is connected. */
	SrcServerChanged: {
		version: 1,
		personal: [],
		data: t.intersection([
			t.type({ from: t.string, to: t.string }),
			optional({
				role: t.union([t.literal('primary'), t.literal('secondary'), t.literal('tertiary')]),
			}),
		]),
	},
	/** Answers of SRC that were ignored, gathered: to a question that was over, unreadable, or to none. */
	SrcAnswersDiscarded: {
		version: 1,
		personal: [],
		data: t.type({
			reason: t.union([t.literal('late'), t.literal('malformed'), t.literal('foreign')]),
			count: t.number,
		}),
	},
	/**
	 * The wall clock moved by this much without time having passed, or the relay was not there to see
	 * it pass (`stopped`): deadlines move with it, so that nothing ends early.
	 */
	ClockStepped: {
		version: 1,
		personal: [],
		data: t.type({ byMs: t.number, reason: t.union([t.literal('step'), t.literal('stopped')]) }),
	},
	RelayStarted: {
		version: 1,
		personal: [],
		/** `configuration`: the commands in force, every secret replaced by `<secret>`. */
		data: t.type({ release: t.string, configuration: t.array(t.string) }),
	},
	RelayStopped: { version: 1, personal: [], data: t.type({ reason: t.string }) },
	ConfigurationChanged: {
		version: 1,
		personal: [],
		/** `context`: the configuration mode's path, e.g. `radius relay authentication server`. */
		data: t.type({ context: t.string, command: t.string }),
	},
	BaselineSet: {
		version: 1,
		personal: [],
		data: t.type({
			scope: t.union([
				t.literal('radius relay'),
				t.literal('radius'),
				t.literal('radius dynamic-request'),
				t.literal('ip dhcp-local'),
				t.literal('ip dhcp-external'),
			]),
		}),
	},
	UpstreamChanged: {
		version: 1,
		personal: [],
		data: t.type({
			service,
			server: t.string,
			from: upstreamState,
			to: upstreamState,
			reason: t.string,
		}),
	},
	/** From now on this client's Access-Requests must carry Message-Authenticator. */
	MessageAuthenticatorSeen: { version: 1, personal: [], data: t.type({ client: t.string }) },
	/**
	 * Personal data of one subscriber was taken out of the journal's events up to `upTo`, and a
	 * pseudonym put in the MAC's place. `digest`: SHA-256 over the leaf hashes of what is left of them.
	 */
	SubscriberErased: {
		version: 1,
		personal: [],
		data: t.type({
			pseudonym: t.string,
			reason: t.string,
			upTo: t.number,
			events: t.number,
			byType: t.record(t.string, t.number),
			digest: t.string,
		}),
	},
	/**
	 * `retention` took personal data out of events up to `upTo`; of so many `subscribers` nothing is
	 * left but a pseudonym. `run` names it; `digest` as in SubscriberErased.
	 */
	RetentionApplied: {
		version: 1,
		personal: [],
		data: t.type({
			run: t.string,
			upTo: t.number,
			events: t.number,
			byType: t.record(t.string, t.number),
			subscribers: t.number,
			digest: t.string,
		}),
	},
	/** Gathered for up to a second: `client` is empty where too many clients shared the second. */
	RequestsDiscarded: {
		version: 1,
		personal: [],
		data: t.type({ service, client: t.string, reason: discardReason, count: t.number }),
	},
	/** Cached answers sent once more to a repeated request (RFC 5080 §2.2.2), gathered. */
	AnswersRepeated: {
		version: 1,
		personal: [],
		data: t.type({ service, client: t.string, count: t.number }),
	},
	/** Datagrams from an upstream server that answered nothing, gathered. */
	ResponsesDiscarded: {
		version: 1,
		personal: [],
		data: t.type({ service, server: t.string, reason: responseDiscardReason, count: t.number }),
	},
} as const

export type EventType = keyof typeof catalogue
export type EventData<T extends EventType> = t.TypeOf<(typeof catalogue)[T]['data']>

/** An event before it has a position. `at`: milliseconds since 1970-01-01 UTC. */
export type EventOf<T extends EventType> = {
	readonly stream: string
	readonly type: T
	readonly v: number
	readonly at: number
	readonly data: EventData<T>
}
export type NewEvent = { [T in EventType]: EventOf<T> }[EventType]

/** An event in the journal. Positions have no gaps and begin at 1. */
export type RecordedEvent = NewEvent & { readonly position: number }

export function subscriberStream(virtualRouter: string, mac: string): string {
	return `subscriber-${virtualRouter}.${mac}`
}

export function wapStream(virtualRouter: string, calledStation: string): string {
	return `wap-${virtualRouter}.${calledStation}`
}

export function relayStream(virtualRouter: string): string {
	return `relay-${virtualRouter}`
}

/** The virtual router that a stream belongs to. */
export function virtualRouterOf(stream: string): string {
	const begin = stream.indexOf('-') + 1
	if (stream.startsWith('relay-')) return stream.slice(begin)
	// Neither a normalised MAC nor a Called-Station-Id's MAC has a dot; a virtual router's name may.
	return stream.slice(begin, stream.lastIndexOf('.'))
}
