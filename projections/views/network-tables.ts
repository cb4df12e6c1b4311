/** The tables about addresses, pools, minutes and the relay itself. */
import { fixed, integer, maybe, type RowOf, table, text } from '../../domain/view.ts'

const virtualRouter = fixed(text('Virtual router.'))
const mac = fixed(text('MAC address of the subscriber, such as 02-00-00-00-00-01.'))
const client = fixed(
	text('DHCP client identity (RFC 2131 §4.2): id: or hw: and hexadecimal digits.'),
)

export const lease = table(
	'lease',
	'One row for each holding of an address, and for each offer that nobody took (granted_at is NULL then).',
	{
		id: fixed(integer('Position in the journal of the offer, or of the grant without one.')),
		virtual_router: virtualRouter,
		address: fixed(text('IPv4 address.')),
		mac,
		client,
		pool: fixed(text('Pool that the address is from; empty where an external server gave it.')),
		offered_at: fixed(maybe(integer('Time of the offer.'))),
		granted_at: maybe(integer('Time from which on the subscriber held it; NULL: never.')),
		expires_at: integer('When it ends unless renewed; 0: never.'),
		renewed_at: maybe(integer('Time of the newest renewal.')),
		renewals: integer('Renewals.'),
		ended_at: maybe(integer('Time at which it ended; NULL: held (or offered) still.')),
		end_position: maybe(integer('Position of the event that ended it.')),
		cause: maybe(
			text(
				'Why it ended: expired, client (DHCPRELEASE), session (its session ended), operator, moved (the client took another), declined, lapsed (an offer that was not taken), replaced.',
			),
		),
		held_until: maybe(
			integer('Kept back until then: for its last holder, or, declined, from all.'),
		),
		session: maybe(integer('The session it was granted in: session.id.')),
		hostname: maybe(text('Host name that the client gave.')),
		giaddr: fixed(maybe(text('Relay agent; NULL: attached directly.'))),
		interface: fixed(maybe(text('Interface that the client is reached by.'))),
	},
	['id'],
	[
		{ columns: ['address', 'granted_at'] },
		{ columns: ['mac', 'id'] },
		{ columns: ['address', 'virtual_router'], where: 'ended_at IS NULL' },
	],
)

export const poolDecision = table(
	'pool_decision',
	'One row for each choice of an address pool: by whom, and why.',
	{
		id: fixed(integer('Position of the event.')),
		virtual_router: virtualRouter,
		mac,
		client,
		at: fixed(integer('Time of the event.')),
		chosen_by: fixed(text('src, framed-address, pool-name, domain-name, giaddr or interface.')),
		pool: fixed(text('Name of the pool.')),
		reason: fixed(text('The reason of the choice.')),
		address: fixed(maybe(text('Address that was asked for by name.'))),
		request: fixed(maybe(integer('Position of the question to SRC; NULL: SRC was not asked.'))),
		server: fixed(maybe(text('SRC server that decided; local: the rules in the relay.'))),
		failure: fixed(
			maybe(
				text(
					'Why SRC decided nothing: no-connection, timeout, too-many-questions, refused, closed.',
				),
			),
		),
		session: fixed(maybe(integer('The live session at that time: session.id.'))),
	},
	['id'],
	[{ columns: ['mac', 'id'] }],
)

const count = (what: string) => integer(`${what} in this minute.`)

export const minute = table(
	'minute',
	'One row for each minute in which anything happened, by virtual router.',
	{
		at: fixed(integer('Beginning of the minute.')),
		virtual_router: virtualRouter,
		first_position: fixed(integer('Position of its first event.')),
		events: count('Events'),
		access_requests: count('Access-Requests relayed'),
		access_accepts: count('Access-Accepts'),
		access_rejects: count('Access-Rejects'),
		access_challenges: count('Access-Challenges'),
		access_unanswered: count('Access-Requests that nobody answered'),
		accounting_starts: count('Accounting-Requests: Start'),
		accounting_interims: count('Accounting-Requests: Interim-Update'),
		accounting_stops: count('Accounting-Requests: Stop'),
		accounting_others: count('Accounting-Requests: Accounting-On and -Off'),
		accounting_responses: count('Accounting-Responses'),
		accounting_unanswered: count('Accounting-Requests that nobody answered'),
		requests_discarded: count('Requests discarded, whatever the reason'),
		responses_discarded: count('Answers of home servers discarded'),
		answers_repeated: count('Answers sent once more to a repeated request'),
		server_answers: count('Answers of home servers'),
		server_us: count('Microseconds that home servers took, summed up,'),
		server_us_max: count('Microseconds of the slowest answer of a home server'),
		sessions_begun: count('Sessions begun'),
		sessions_ended: count('Sessions ended'),
		pools_requested: count('Pools that SRC was asked for'),
		pools_selected: count('Pools chosen'),
		leases_offered: count('Leases offered'),
		leases_granted: count('Leases granted'),
		leases_renewed: count('Leases renewed'),
		leases_refused: count('Leases refused'),
		leases_ended: count('Leases released, expired or declined'),
		disconnects: count('Disconnect- and CoA-Requests'),
		src_opened: count('SRC sessions opened'),
		src_closed: count('SRC sessions closed'),
	},
	['at', 'virtual_router'],
)

export const relayEvent = table(
	'relay_event',
	'What happened to the relay itself: starts, configuration, upstream servers, pool warnings, WAPs turned on or off.',
	{
		id: fixed(integer('Position of the event.')),
		virtual_router: virtualRouter,
		at: fixed(integer('Time of the event.')),
		type: fixed(text('Type of the event.')),
		data: fixed(text('Its data, as JSON.')),
	},
	['id'],
)

export const statisticsSnapshot = table(
	'statistics_snapshot',
	'The statistics at some positions, from which those of any time are counted. For the program, not for queries.',
	{
		id: fixed(integer('Position that the statistics stand at.')),
		at: fixed(integer('Time of the event there.')),
		version: fixed(integer('Version of the folding.')),
		state: fixed(text('The state, as JSON.')),
	},
	['id'],
)

export const statisticsNewest = table(
	'statistics_newest',
	'The newest statistics that were saved, from which the program goes on after a start. Not for queries.',
	{
		slot: fixed(integer('Always 1.')),
		id: integer('Position that the statistics stand at.'),
		at: integer('Time of the event there.'),
		version: integer('Version of the folding.'),
		state: text('The state, as JSON.'),
	},
	['slot'],
)

export type LeaseRow = RowOf<typeof lease>
export type PoolDecisionRow = RowOf<typeof poolDecision>
export type MinuteRow = RowOf<typeof minute>
export type RelayEventRow = RowOf<typeof relayEvent>
