/** Addresses: leases, pools and how they were chosen; and what was counted minute by minute. */

import { ofRouter, vr } from './relay-routes.ts'
import {
	type Columns,
	countColumn,
	countOrNull,
	type Found,
	historyRoute,
	numberOrNull,
	objectColumn,
	optional,
	otherwise,
	relayRoute,
	textColumn,
	textOrNull,
	timeColumn,
	timeOrNull,
	wordColumn,
	wordOrNull,
} from './route.ts'
import { during, type Expressions, lasting, overlapping, search, where } from './search.ts'
import {
	addressParameter,
	atParameter,
	fromParameter,
	macParameter,
	refuseState,
	toParameter,
} from './subscriber-routes.ts'
import { choice, text, time } from './value.ts'

const leaseCauses = [
	...['expired', 'client', 'session', 'operator', 'moved'],
	...['declined', 'lapsed', 'replaced', 'external'],
]

export const leaseColumns: Columns = {
	id: countColumn('Position of the offer, or of the grant without one'),
	virtualRouter: textColumn('Virtual router'),
	address: textColumn('IPv4 address'),
	mac: textColumn('The subscriber’s MAC address'),
	client: textColumn('DHCP client identity (RFC 2131 §4.2): `id:` or `hw:` and hexadecimal digits'),
	pool: textColumn('Pool'),
	state: wordColumn(['offered', 'bound', 'ended'], 'How it stands'),
	offeredAt: timeOrNull('Offer'),
	grantedAt: timeOrNull('From when on the subscriber held it; null: never'),
	expiresAt: timeOrNull('When it ends unless renewed; null: never'),
	renewedAt: timeOrNull('Newest renewal'),
	renewals: countOrNull('Renewals'),
	endedAt: timeOrNull('When it ended'),
	cause: wordOrNull(leaseCauses, 'Why it ended'),
	heldUntil: timeOrNull('Until when the address is kept back'),
	session: countOrNull('The session that it was granted in'),
	hostname: textOrNull('Host name that the client gave'),
	giaddr: textOrNull('Relay agent; null: attached directly'),
	interface: textOrNull('Interface that the client is reached by'),
	endPosition: countOrNull('Position of the event that ended it'),
}

export function leaseExpressions(at: number | undefined): Expressions {
	const expiresAt = 'nullif(expires_at, 0)'
	if (at !== undefined) {
		const unknown = ['expiresAt', 'renewedAt', 'renewals', 'endedAt', 'cause', 'heldUntil']
		return {
			state: "'bound'",
			...Object.fromEntries([...unknown, 'endPosition'].map(name => [name, 'NULL'])),
		}
	}
	return {
		expiresAt,
		state:
			"CASE WHEN ended_at IS NOT NULL THEN 'ended' WHEN granted_at IS NULL THEN 'offered' ELSE 'bound' END",
	}
}

const selectors = [
	...['src', 'framed-address', 'pool-name', 'domain-name', 'giaddr', 'interface'],
] as const

const decisionColumns: Columns = {
	id: countColumn('Position of the event'),
	virtualRouter: textColumn('Virtual router'),
	at: timeColumn('When'),
	mac: textColumn('The subscriber’s MAC address'),
	client: textColumn('DHCP client identity'),
	chosenBy: textColumn('Who chose: src, framed-address, pool-name, domain-name, giaddr, interface'),
	pool: textColumn('The pool'),
	reason: textColumn('Why'),
	address: textOrNull('Address that was asked for by name'),
	request: countOrNull('Position of the question to SRC; null: SRC was not asked'),
	server: textOrNull('SRC server that decided; local: the rules in the relay'),
	failure: textOrNull('Why SRC decided nothing'),
	session: countOrNull('The live session at that time'),
}

const poolColumns: Columns = {
	virtualRouter: textColumn('Virtual router'),
	pool: textColumn('Name'),
	size: countOrNull('Addresses that can be leased; null with `at`'),
	bound: countColumn('Addresses that somebody has'),
	highWater: countOrNull(
		'The most that were ever bound at once; null with `at`, and in a copy of the history',
	),
	highWaterAt: timeOrNull('When that was'),
	usedPercent: numberOrNull('Bound addresses in per cent of the size; null with `at`'),
	warningAt: countOrNull('Per cent at which a warning is given; null with `at`'),
}

const relayEventColumns: Columns = {
	id: countColumn('Position of the event'),
	virtualRouter: textColumn('Virtual router'),
	at: timeColumn('When'),
	type: textColumn('What happened'),
	data: objectColumn('What the catalogue of events has for it'),
}

export const addressRoutes = [
	historyRoute({
		operation: 'listLeases',
		path: '/api/v1/leases',
		tag: 'Addresses',
		summary: 'Leases of addresses, the newest first',
		description:
			'“Who held 10.20.3.7 then?” is `address=10.20.3.7&at=TIME`. With `at` only leases that somebody held then.',
		gives: 'page',
		row: 'Lease',
		columns: leaseColumns,
		parameters: {
			address: addressParameter,
			mac: macParameter,
			pool: optional(text(64), 'One pool'),
			vr,
			state: otherwise(choice(['offered', 'bound', 'ended', 'all']), 'all', 'How they stand'),
			from: fromParameter,
			to: toParameter,
			at: atParameter,
		},
		query(sources, values, page) {
			const { at, state } = values
			if (at !== undefined && state !== 'all' && state !== 'bound') refuseState('bound')
			const stands = {
				all: [],
				offered: [{ sql: 'ended_at IS NULL AND granted_at IS NULL', values: [] }],
				bound: [{ sql: 'ended_at IS NULL AND granted_at IS NOT NULL', values: [] }],
				ended: [{ sql: 'ended_at IS NOT NULL', values: [] }],
			}[at === undefined ? state : 'all']
			return search(sources, page, {
				from: 'lease',
				id: 'id',
				columns: leaseColumns,
				expressions: leaseExpressions(values.at),
				conditions: [
					...where('address = ?', values.address),
					...where('mac = ?', values.mac),
					...where('pool = ?', values.pool),
					...where('virtual_router = ?', values.vr),
					...stands,
					...overlapping('coalesce(granted_at, offered_at)', 'ended_at', values.from, values.to),
					...lasting('granted_at', 'ended_at', values.at),
				],
			})
		},
	}),
	historyRoute({
		operation: 'listPoolDecisions',
		path: '/api/v1/pool-decisions',
		tag: 'Addresses',
		summary: 'Which pool was chosen for whom, by whom, and why',
		gives: 'page',
		row: 'PoolDecision',
		columns: decisionColumns,
		parameters: {
			mac: macParameter,
			pool: optional(text(64), 'One pool'),
			by: optional(choice(selectors), 'Who chose'),
			vr,
			from: optional(time, 'At this time or after it'),
			to: optional(time, 'Before this time'),
		},
		query(sources, values, page) {
			return search(sources, page, {
				from: 'pool_decision',
				id: 'id',
				columns: decisionColumns,
				conditions: [
					...where('mac = ?', values.mac),
					...where('pool = ?', values.pool),
					...where('chosen_by = ?', values.by),
					...where('virtual_router = ?', values.vr),
					...during('id', 'at', values.from, values.to),
				],
			})
		},
	}),
	relayRoute({
		operation: 'listPools',
		path: '/api/v1/pools',
		tag: 'Addresses',
		summary: 'Pools, and how full they are',
		description: 'With `at` how many addresses of each pool somebody had at that instant.',
		gives: 'page',
		row: 'Pool',
		columns: poolColumns,
		parameters: { vr, pool: optional(text(64), 'One pool'), at: atParameter },
		async ask(live, { vr, pool }) {
			const { pools } = await live.status()
			const rows = pools
				.filter(ofRouter(vr))
				.filter(row => pool === undefined || row.pool === pool)
				.map(row => ({
					...row,
					highWaterAt: row.highWaterAt === 0 ? null : row.highWaterAt,
					usedPercent: row.size === 0 ? null : Math.round((1000 * row.bound) / row.size) / 10,
				}))
			return { kind: 'page', rows }
		},
		query(sources, { vr, pool, at }): Found {
			const instant = at ?? sources.now()
			const conditions = [
				...where('virtual_router = ?', vr),
				...where('pool = ?', pool),
				...lasting('granted_at', 'ended_at', instant),
			]
			const rows = sources.views().select(
				`SELECT virtual_router AS virtualRouter, pool, count(*) AS bound
				FROM lease WHERE within_time(id) AND ${conditions.map(({ sql }) => sql).join(' AND ')}
				GROUP BY 1, 2 ORDER BY 1, 2`,
				...conditions.flatMap(({ values }) => values),
			)
			return { kind: 'page', rows }
		},
	}),
	historyRoute({
		operation: 'listRelayEvents',
		path: '/api/v1/relay-events',
		tag: 'Relay',
		summary: 'What happened to the relay itself, the newest first',
		description:
			'Starts, configuration, baselines, upstream servers, warnings of pools, access points turned on or off.',
		gives: 'page',
		row: 'RelayEvent',
		columns: relayEventColumns,
		parameters: {
			type: optional(text(64), 'One type of event'),
			vr,
			from: optional(time, 'At this time or after it'),
			to: optional(time, 'Before this time'),
		},
		query(sources, values, page) {
			const found = search(sources, page, {
				from: 'relay_event',
				id: 'id',
				columns: relayEventColumns,
				conditions: [
					...where('type = ?', values.type),
					...where('virtual_router = ?', values.vr),
					...during('id', 'at', values.from, values.to),
				],
			})
			if (found.kind === 'item') return found
			const rows = found.rows.map(row => ({ ...row, data: JSON.parse(String(row['data'])) }))
			return { ...found, rows }
		},
	}),
]
