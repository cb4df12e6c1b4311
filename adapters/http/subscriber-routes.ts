/** Subscribers: their sessions, attempts, accounting, and each one's whole history. */

import { refuse } from './problem.ts'
import { vr } from './relay-routes.ts'
import {
	type Columns,
	countColumn,
	countOrNull,
	flagColumn,
	historyRoute,
	numberOrNull,
	optional,
	otherwise,
	textColumn,
	textOrNull,
	timeColumn,
	timeOrNull,
	wordColumn,
	wordOrNull,
} from './route.ts'
import {
	type Condition,
	during,
	type Expressions,
	lasting,
	overlapping,
	search,
	where,
} from './search.ts'
import { accessPoint, choice, choices, ipv4, mac, text, time } from './value.ts'

export const macParameter = optional(mac, 'One subscriber’s MAC address')
export const userParameter = optional(text(253), 'One user name, in small or capital letters')
export const wapParameter = optional(accessPoint, 'One access point')
export const addressParameter = optional(ipv4, 'One IPv4 address')
export const fromParameter = optional(time, 'Only what lasts until after this time')
export const toParameter = optional(time, 'Only what begins before this time')
export const atParameter = optional(
	time,
	'The state at that instant: only what lasted then, as it was then',
)
const beginsFrom = optional(time, 'Only what begins at this time or after it')

const causes = [
	'accounting-stop',
	'accounting-on',
	'accounting-off',
	'idle-timeout',
	'disconnect',
	'operator',
] as const

export const sessionColumns: Columns = {
	id: countColumn('Position of the event that began the session: names it for ever'),
	virtualRouter: textColumn('Virtual router'),
	mac: textColumn('The subscriber’s MAC address'),
	user: textOrNull('User name as accepted, else as accounted'),
	state: wordColumn(['live', 'ended'], 'Whether the subscriber is on the network'),
	beganAt: timeColumn('When it began'),
	beganBy: wordColumn(['access', 'accounting'], 'By an Access-Accept, or a Start without one'),
	endedAt: timeOrNull('When it ended'),
	cause: wordOrNull(causes, 'Why it ended'),
	wap: textOrNull('Access point where the subscriber is, or was last'),
	ssid: textOrNull('SSID at the beginning'),
	client: textOrNull('Address of that access point'),
	waps: countOrNull('Visits at access points: more than 1 means that the subscriber roamed'),
	attempts: countOrNull('Accepted attempts: more than 1 means reauthentication'),
	server: textOrNull('RADIUS server that accepted'),
	class: textOrNull('Class [25]'),
	serviceBundle: textOrNull('Service-Bundle [26-31]'),
	accountingSession: textOrNull('Acct-Session-Id'),
	multiSession: textOrNull('Acct-Multi-Session-Id'),
	framedAddress: textOrNull('Framed-IP-Address'),
	address: textOrNull('Address that was leased last during the session'),
	pool: textOrNull('Pool of that address'),
	heardAt: timeOrNull('Newest accounting, which is the idle clock'),
	inputOctets: countOrNull('Octets from the subscriber'),
	outputOctets: countOrNull('Octets to the subscriber'),
	inputPackets: countOrNull('Packets from the subscriber'),
	outputPackets: countOrNull('Packets to the subscriber'),
	endPosition: countOrNull('Position of the event that ended it'),
}

/** A session as it was at `at`: what came later is not known, and what was counted not either. */
export function sessionExpressions(at: number | undefined): Expressions {
	const state = "CASE WHEN ended_at IS NULL THEN 'live' ELSE 'ended' END"
	if (at === undefined) return { state }
	const visit = (column: string) => ({
		sql: `(SELECT v.${column} FROM session_wap v WHERE v.session = session.id AND v.from_at <= ? AND (v.to_at IS NULL OR v.to_at > ?) ORDER BY v.id DESC LIMIT 1)`,
		values: [at, at],
	})
	const leased = (column: string) => ({
		sql: `(SELECT l.${column} FROM lease l WHERE l.mac = session.mac AND l.virtual_router = session.virtual_router AND l.granted_at <= ? AND (l.ended_at IS NULL OR l.ended_at > ?) ORDER BY l.id DESC LIMIT 1)`,
		values: [at, at],
	})
	const accounted = (column: string) => ({
		sql: `(SELECT a.${column} FROM accounting a WHERE a.session = session.id AND a.domain = 'wap' AND a.began_at <= ? ORDER BY a.id DESC LIMIT 1)`,
		values: [at],
	})
	const unknown = [
		...['endedAt', 'cause', 'endPosition', 'waps', 'attempts', 'heardAt'],
		...['inputOctets', 'outputOctets', 'inputPackets', 'outputPackets'],
	]
	return {
		state: "'live'",
		wap: visit('wap'),
		client: visit('client'),
		address: leased('address'),
		pool: leased('pool'),
		accountingSession: accounted('accounting_session'),
		multiSession: accounted('multi_session'),
		...Object.fromEntries(unknown.map(name => [name, 'NULL'])),
	}
}

const outcomes = ['accepted', 'rejected', 'unanswered', 'challenged'] as const

export const attemptColumns: Columns = {
	id: countColumn('Position of the first Access-Request'),
	virtualRouter: textColumn('Virtual router'),
	mac: textColumn('The subscriber’s MAC address'),
	user: textOrNull('User name of the answer, else of the request'),
	beganAt: timeColumn('First Access-Request'),
	wap: textColumn('Access point'),
	ssid: textOrNull('SSID'),
	client: textColumn('Address that the request came from'),
	reauthentication: flagColumn('Whether the subscriber had a live session already'),
	rounds: countColumn('Access-Requests: more than one where the server challenged (EAP)'),
	outcome: wordOrNull(outcomes, 'What came of it; null while a server is asked'),
	reason: textOrNull('Reply-Message of a rejection; why nothing was answered'),
	server: textOrNull('RADIUS server that answered last, else the one that was asked'),
	transmissions: countColumn('Packets sent to servers: more than rounds means repeats'),
	serverMs: numberOrNull('Milliseconds that servers took for their answers'),
	endedAt: timeOrNull('Newest answer'),
	durationMs: countOrNull('Milliseconds from the first request to the newest answer'),
	session: countOrNull('The session that it began or renewed'),
	endPosition: countOrNull('Position of the newest answer'),
}

/** An attempt as it was at `at`: an answer that came later is not known. */
export function attemptExpressions(at: number | undefined): Expressions {
	const serverMs = 'server_us / 1000.0'
	if (at === undefined) return { serverMs }
	const known = (sql: string) => ({ sql: `CASE WHEN ended_at <= ? THEN ${sql} END`, values: [at] })
	return {
		serverMs: known(serverMs),
		outcome: known('outcome'),
		reason: known('reason'),
		endedAt: known('ended_at'),
		durationMs: known('duration_ms'),
		session: known('session'),
		endPosition: known('end_position'),
	}
}

export const accountingColumns: Columns = {
	id: countColumn('Position of its first event'),
	virtualRouter: textColumn('Virtual router'),
	mac: textColumn('The subscriber’s MAC address'),
	domain: wordColumn(['wap', 'src'], 'Who counted: access points, or the SRC system'),
	session: countOrNull('The session that it belongs to'),
	accountingSession: textColumn('Acct-Session-Id, or the id of the SRC session'),
	multiSession: textOrNull('Acct-Multi-Session-Id'),
	user: textOrNull('User name'),
	class: textOrNull('Class of the Access-Accept, or of the SRC service'),
	service: textOrNull('SRC service'),
	wap: textOrNull('Access point that counted'),
	server: textOrNull('RADIUS server that was told, or SRC server'),
	address: textOrNull('Address that was accounted for'),
	beganAt: timeColumn('Start'),
	endedAt: timeOrNull('Stop, or the end of the session without one'),
	stopped: flagColumn('Whether a Stop came'),
	cause: textOrNull('Acct-Terminate-Cause as number; of the SRC system why it closed'),
	heardAt: timeOrNull('Newest record'),
	updates: countOrNull('Interim-Updates'),
	seconds: countOrNull('Acct-Session-Time'),
	inputOctets: countOrNull('Octets from the subscriber'),
	outputOctets: countOrNull('Octets to the subscriber'),
	inputPackets: countOrNull('Packets from the subscriber'),
	outputPackets: countOrNull('Packets to the subscriber'),
	lastPosition: countOrNull('Position of the newest record'),
}

export function accountingExpressions(at: number | undefined): Expressions {
	if (at === undefined) return {}
	const unknown = [
		...['endedAt', 'cause', 'heardAt', 'updates', 'seconds', 'lastPosition'],
		...['inputOctets', 'outputOctets', 'inputPackets', 'outputPackets'],
	]
	return { stopped: '0', ...Object.fromEntries(unknown.map(name => [name, 'NULL'])) }
}

/** Sessions that held the address, by a lease of that instant or of any, or as accounted. */
function holding(address: string | undefined, at: number | undefined): Condition[] {
	if (address === undefined) return []
	const held = [...where('address = ?', address), ...lasting('granted_at', 'ended_at', at)]
	// What is accounted for has no time of its own: where there are leases, they say when.
	const unleased = at === undefined ? '' : ' AND address IS NULL'
	const tests = ['granted_at IS NOT NULL', ...held.map(({ sql }) => sql)].join(' AND ')
	return [
		{
			sql: `(framed_address = ?${unleased} OR id IN (SELECT session FROM lease WHERE ${tests}))`,
			values: [address, ...held.flatMap(({ values }) => values)],
		},
	]
}

/** At an instant a session lasts if it did then, whatever became of it. */
function standing(state: 'live' | 'ended' | 'all', at: number | undefined): Condition[] {
	if (at !== undefined && state === 'ended') refuseState('live')
	if (at !== undefined || state === 'all') return []
	return [{ sql: `ended_at IS ${state === 'live' ? '' : 'NOT '}NULL`, values: [] }]
}

/** Refuses a state that nothing has of what is given for an instant. */
export function refuseState(only: string): never {
	return refuse(
		'invalid-parameter',
		`With at only what was ${only} then is given: leave state out, or ask with from and to.`,
		'state',
	)
}

/** Sessions that were at the access point, at that instant or ever. */
function visited(wap: string | undefined, at: number | undefined): Condition[] {
	if (wap === undefined) return []
	const there = [...where('wap = ?', wap), ...lasting('from_at', 'to_at', at)]
	const tests = there.map(({ sql }) => sql).join(' AND ')
	return [
		{
			sql: `id IN (SELECT session FROM session_wap WHERE ${tests})`,
			values: there.flatMap(({ values }) => values),
		},
	]
}

export const subscriberRoutes = [
	historyRoute({
		operation: 'listSessions',
		path: '/api/v1/sessions',
		tag: 'Subscribers',
		summary: 'Sessions, live and ended, the newest first',
		description:
			'With `at` only sessions that were live then, with access point and address of that instant; what was counted later is null.',
		gives: 'page',
		row: 'Session',
		columns: sessionColumns,
		parameters: {
			mac: macParameter,
			user: userParameter,
			address: optional(ipv4, 'Sessions that held this address, by lease or Framed-IP-Address'),
			wap: optional(accessPoint, 'Sessions that were at this access point'),
			vr,
			state: otherwise(choice(['live', 'ended', 'all']), 'all', 'Whether they last'),
			from: fromParameter,
			to: toParameter,
			at: atParameter,
		},
		query(sources, values, page) {
			const { at, state, wap, address } = values
			return search(sources, page, {
				from: 'session',
				id: 'id',
				columns: sessionColumns,
				expressions: sessionExpressions(at),
				conditions: [
					...where('mac = ?', values.mac),
					...where('user COLLATE NOCASE = ?', values.user),
					...where('virtual_router = ?', values.vr),
					...holding(address, at),
					...visited(wap, at),
					...standing(state, at),
					...overlapping('began_at', 'ended_at', values.from, values.to),
					...lasting('began_at', 'ended_at', at),
				],
			})
		},
	}),
	historyRoute({
		operation: 'listAttempts',
		path: '/api/v1/attempts',
		tag: 'Subscribers',
		summary: 'Attempts to get onto the network, the newest first',
		gives: 'page',
		row: 'Attempt',
		columns: attemptColumns,
		parameters: {
			mac: macParameter,
			user: userParameter,
			wap: wapParameter,
			client: optional(ipv4, 'Address that requests came from'),
			server: optional(text(253), 'RADIUS server, as configured'),
			vr,
			outcome: optional(choices(outcomes), 'What came of them'),
			from: beginsFrom,
			to: toParameter,
		},
		query(sources, values, page) {
			const { outcome } = values
			return search(sources, page, {
				from: 'attempt',
				id: 'id',
				columns: attemptColumns,
				expressions: attemptExpressions(undefined),
				conditions: [
					...where('mac = ?', values.mac),
					...where('user COLLATE NOCASE = ?', values.user),
					...where('wap = ?', values.wap),
					...where('client = ?', values.client),
					...where('server = ?', values.server),
					...where('virtual_router = ?', values.vr),
					...(outcome === undefined
						? []
						: [{ sql: `outcome IN (${outcome.map(() => '?').join(', ')})`, values: outcome }]),
					...during('id', 'began_at', values.from, values.to),
				],
			})
		},
	}),
	historyRoute({
		operation: 'listAccountingDomains',
		path: '/api/v1/accounting-domains',
		tag: 'Subscribers',
		summary: 'What was accounted for, by access points and by the SRC system',
		description: 'With `at` only what lasted then; what was counted until then is in the events.',
		gives: 'page',
		row: 'Accounting',
		columns: accountingColumns,
		parameters: {
			domain: optional(choice(['wap', 'src']), 'Who counted'),
			mac: macParameter,
			user: userParameter,
			wap: wapParameter,
			address: addressParameter,
			vr,
			from: fromParameter,
			to: toParameter,
			at: atParameter,
		},
		query(sources, values, page) {
			return search(sources, page, {
				from: 'accounting',
				id: 'id',
				columns: accountingColumns,
				expressions: accountingExpressions(values.at),
				conditions: [
					...where('domain = ?', values.domain),
					...where('mac = ?', values.mac),
					...where('user COLLATE NOCASE = ?', values.user),
					...where('wap = ?', values.wap),
					...where('address = ?', values.address),
					...where('virtual_router = ?', values.vr),
					...overlapping('began_at', 'ended_at', values.from, values.to),
					...lasting('began_at', 'ended_at', values.at),
				],
			})
		},
	}),
]
