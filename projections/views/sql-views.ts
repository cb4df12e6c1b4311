/** The SQL views: questions that come up often, put together from the tables. */
import type { SqlView } from '../../domain/view.ts'

const liveSession: SqlView = {
	name: 'live_session',
	doc: 'Subscribers who are on the network.',
	columns: {
		id: 'session.id',
		virtual_router: 'Virtual router.',
		mac: 'MAC address.',
		user: 'User-Name.',
		wap: 'WAP where the subscriber is.',
		ssid: 'SSID (name of the wireless network).',
		address: 'Leased address, else as accounted.',
		pool: 'Pool of the leased address.',
		began_at: 'Since when.',
		heard_at: 'Newest recorded accounting.',
		input_octets: 'Octets from the subscriber.',
		output_octets: 'Octets to the subscriber.',
	},
	select: `SELECT id, virtual_router, mac, user, wap, ssid, coalesce(address, framed_address) AS address,
		pool, began_at, heard_at, input_octets, output_octets
		FROM session WHERE ended_at IS NULL`,
}

const failedAttempt: SqlView = {
	name: 'failed_attempt',
	doc: 'Attempts that did not get a subscriber onto the network.',
	columns: {
		id: 'attempt.id',
		virtual_router: 'Virtual router.',
		mac: 'MAC address.',
		user: 'User-Name.',
		wap: 'WAP where it was made.',
		began_at: 'Time.',
		outcome: 'rejected, unanswered, or challenged: the subscriber gave up.',
		reason: 'Reply-Message, or why nothing was answered.',
		server: 'Home server.',
	},
	select: `SELECT id, virtual_router, mac, user, wap, began_at, outcome, reason, server
		FROM attempt WHERE outcome IN ('rejected', 'unanswered', 'challenged')`,
}

const addressHolder: SqlView = {
	name: 'address_holder',
	doc: 'Who had which address from when to when: by lease, or as a WAP accounted for it.',
	columns: {
		virtual_router: 'Virtual router.',
		address: 'IPv4 address.',
		mac: 'MAC address.',
		user: "The session's User-Name.",
		from_at: 'Since when.',
		to_at: 'Until when; NULL: still.',
		source: 'lease, or accounting: the address came from elsewhere.',
		cause: 'Why it ended.',
		session: 'session.id',
		from_position: 'Position of the first event about it.',
		to_position: 'Position of the event that ended it; NULL: still held.',
	},
	select: `SELECT l.virtual_router, l.address, l.mac, s.user, l.granted_at AS from_at,
			l.ended_at AS to_at, 'lease' AS source, l.cause, l.session,
			l.id AS from_position, l.end_position AS to_position
		FROM lease AS l LEFT JOIN session AS s ON s.id = l.session
		WHERE l.granted_at IS NOT NULL
		UNION ALL
		SELECT a.virtual_router, a.address, a.mac, coalesce(a.user, s.user), a.began_at, a.ended_at,
			'accounting', a.cause, a.session, a.id,
			CASE WHEN a.ended_at IS NOT NULL THEN a.last_position END
		FROM accounting AS a LEFT JOIN session AS s ON s.id = a.session
		WHERE a.address IS NOT NULL AND a.domain = 'wap'`,
}

const accountingDomain: SqlView = {
	name: 'accounting_domain',
	doc: 'Each session with what both accounting domains say of it, side by side.',
	columns: {
		session: 'session.id',
		virtual_router: 'Virtual router.',
		mac: 'MAC address.',
		user: 'User-Name.',
		began_at: 'Beginning of the session.',
		ended_at: 'End of the session.',
		wap_sessions: 'Accounting sessions of WAPs: one for each visit.',
		wap_began_at: 'Their first Start.',
		wap_ended_at: 'Their last Stop; NULL while one is open.',
		wap_input_octets: 'Octets from the subscriber, as WAPs counted.',
		wap_output_octets: 'Octets to the subscriber, as WAPs counted.',
		src_sessions: 'Sessions of the SRC system.',
		src_began_at: 'The first of them.',
		src_ended_at: 'The end of the last; NULL while one is open.',
		src_cause: 'Why SRC closed the last.',
		src_class: 'Class of the SRC service.',
	},
	select: `SELECT s.id AS session, s.virtual_router, s.mac, s.user, s.began_at, s.ended_at,
			count(*) FILTER (WHERE a.domain = 'wap') AS wap_sessions,
			min(a.began_at) FILTER (WHERE a.domain = 'wap') AS wap_began_at,
			CASE WHEN count(*) FILTER (WHERE a.domain = 'wap' AND a.ended_at IS NULL) = 0
				THEN max(a.ended_at) FILTER (WHERE a.domain = 'wap') END AS wap_ended_at,
			sum(a.input_octets) FILTER (WHERE a.domain = 'wap') AS wap_input_octets,
			sum(a.output_octets) FILTER (WHERE a.domain = 'wap') AS wap_output_octets,
			count(*) FILTER (WHERE a.domain = 'src') AS src_sessions,
			min(a.began_at) FILTER (WHERE a.domain = 'src') AS src_began_at,
			CASE WHEN count(*) FILTER (WHERE a.domain = 'src' AND a.ended_at IS NULL) = 0
				THEN max(a.ended_at) FILTER (WHERE a.domain = 'src') END AS src_ended_at,
			max(a.cause) FILTER (WHERE a.domain = 'src') AS src_cause,
			max(a.class) FILTER (WHERE a.domain = 'src') AS src_class
		FROM session AS s LEFT JOIN accounting AS a ON a.session = s.id
		GROUP BY s.id, s.virtual_router, s.mac, s.user, s.began_at, s.ended_at`,
}

const poolUse: SqlView = {
	name: 'pool_use',
	doc: 'How many addresses of each pool are held now.',
	columns: {
		virtual_router: 'Virtual router.',
		pool: 'Pool.',
		held: 'Addresses that somebody holds.',
		offered: 'Addresses that are offered.',
	},
	select: `SELECT virtual_router, pool, count(granted_at) AS held, count(*) - count(granted_at) AS offered
		FROM lease WHERE ended_at IS NULL GROUP BY virtual_router, pool`,
}

export const sqlViews: readonly SqlView[] = [
	liveSession,
	failedAttempt,
	addressHolder,
	accountingDomain,
	poolUse,
]
