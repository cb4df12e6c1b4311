/** The part of the catalogue (`event.ts`) about SRC, and who chose a pool. */
import * as t from 'io-ts'

const optional = t.partial

/** Who chose a pool, in JunosE's order of preference; `standalone` servers use the last two only. */
const poolSelector = t.union([
	t.literal('src'),
	t.literal('framed-address'),
	t.literal('pool-name'),
	t.literal('domain-name'),
	t.literal('giaddr'),
	t.literal('interface'),
])

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

export const srcEvents = {
	/** SRC is asked for the pool of a subscriber, who waits for an offer. */
	PoolRequested: {
		version: 1,
		personal: ['mac', 'client', 'user', 'class', 'dhcpOptions', 'nasPortId'],
		data: t.intersection([
			t.type({ mac: t.string, client: t.string, interface: t.string, dhcpOptions }),
			optional({
				...profile,
				wap: t.string,
				ssid: t.string,
				/** NAS-Port-Id or NAS-Port of the access point, else option 82's circuit. */
				nasPortId: t.string,
				giaddr: t.string,
			}),
		]),
	},
	/** The pool for a subscriber's address was chosen: by whom, and why. */
	PoolSelected: {
		version: 1,
		personal: ['mac', 'address', 'decision', 'reason'],
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
	/** SRC began a session for a subscriber who took an address. */
	SrcSessionOpened: {
		version: 1,
		personal: ['mac', 'address', 'user', 'class'],
		data: t.intersection([
			...srcSession,
			/** `session` is SRC's own id; `server` is who gave it. */
			t.type({ session: t.string, server: t.string, authenticated: t.boolean }),
		]),
	},
	/** SRC was told that the address was given back, and why; or it is told no more. */
	SrcSessionClosed: {
		version: 1,
		personal: ['mac', 'address', 'user', 'class'],
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
			/** Without `server` nobody answered: SRC would not hear of it, too many were owed, or an operator ended the wait. */
			optional({
				session: t.string,
				sessionSeconds: t.number,
				server: t.string,
				/** Its beginning is on record as `SrcSessionOpened`. */
				reported: t.literal(true),
				unanswered: t.union([t.literal('refused'), t.literal('too-many'), t.literal('operator')]),
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
} as const
