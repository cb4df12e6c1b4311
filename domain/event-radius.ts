/** The part of the catalogue (`event.ts`) that RADIUS is recorded in: access, accounting, sessions, servers. */
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

const discardReason = t.union([
	t.literal('duplicate'),
	t.literal('malformed'),
	t.literal('bad-authenticator'),
	t.literal('unknown-client'),
	t.literal('queue-full'),
	t.literal('invalid'),
])

/** Why a datagram that should have been an answer was ignored. */
export const responseDiscardReason = t.union([
	t.literal('malformed'),
	t.literal('bad-authenticator'),
	/** Nothing was pending under that identifier: too late, or foreign. */
	t.literal('unknown'),
	/** A code that does not answer the request. */
	t.literal('unexpected-code'),
])

const upstreamState = t.union([
	t.literal('okay'),
	t.literal('suspect'),
	t.literal('down'),
	t.literal('reopen'),
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
		/** A Start that was sent before the Stop of its session came, and comes after it. */
		late: t.literal(true),
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

export const radiusEvents = {
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
				/** As the request says where the subscriber is: NAS-Port-Id, else NAS-Port. */
				nasPort: t.number,
				nasPortId: t.string,
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
		personal: ['replyMessage'],
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
