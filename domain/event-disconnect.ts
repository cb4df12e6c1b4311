/** The part of the catalogue (`event.ts`) about requests of RADIUS servers: Disconnect and CoA (RFC 5176). */
import * as t from 'io-ts'
import { responseDiscardReason } from './event-radius.ts'

const optional = t.partial

const disconnectRequest = t.union([t.literal('disconnect'), t.literal('change-of-authorization')])

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

export const disconnectEvents = {
	/** A RADIUS server asks to end a session or to change its authorization (RFC 5176). */
	DisconnectRequested: {
		version: 1,
		personal: ['mac', 'user', 'session', 'multiSession'],
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
} as const
