/**
 * Metrics in the text format of Prometheus 0.0.4. Counters come from the statistics that the shell
 * shows, so that both agree. No label names a subscriber: labels are virtual routers, services,
 * servers, pools and routes, of which a configuration has few.
 */
import { readdirSync } from 'node:fs'
import type { Guard } from './access.ts'
import type { IntegrityStatus, RelayStatus, Statistic } from './live.ts'
import type { LiveEventsCounts } from './live-events.ts'
import type { Health } from './readiness.ts'
import type { HttpCounts } from './server.ts'

export type Measured = Health & {
	readonly integrity: IntegrityStatus | undefined
	readonly statistics: readonly Statistic[]
	readonly http: HttpCounts
	readonly refused: Guard['counts']
	readonly events: LiveEventsCounts
	readonly queries: {
		readonly waiting: number
		readonly tooSlow: number
		readonly threadsLost: number
	}
}

type Labels = Readonly<Record<string, string>>
type Sample = readonly [labels: Labels, value: number]
type Family = {
	readonly type: 'counter' | 'gauge'
	readonly help: string
	readonly samples: Sample[]
}

export function metricsText(measured: Measured): string {
	const families = new Map<string, Family>()
	const put = (type: Family['type'], name: string, help: string, ...samples: Sample[]) => {
		const family = families.get(name) ?? { type, help, samples: [] }
		family.samples.push(...samples)
		families.set(name, family)
	}
	const { status } = measured
	// A copy of a history cannot tell whether its relay is up.
	const isRelay = status === undefined || status.follows === null
	if (isRelay) {
		put('gauge', 'radledger_relay_up', 'Whether the relay answers this server', [
			{},
			status === undefined ? 0 : 1,
		])
	}
	if (status !== undefined) relayFamilies(put, status)
	for (const statistic of measured.statistics) statisticFamily(put, statistic)
	followerFamilies(put, measured)
	httpFamilies(put, measured)
	processFamilies(put)
	const text = [...families].map(([name, family]) => familyText(name, family)).join('')
	return status === undefined || !isRelay ? text : `${text}${commitHistogram(status)}`
}

type Put = (type: Family['type'], name: string, help: string, ...samples: Sample[]) => void

function relayFamilies(put: Put, status: RelayStatus): void {
	const { release, transport, startedAt, position, failure } = status
	put('gauge', 'radledger_build_info', 'Release and sockets', [{ release, transport }, 1])
	put('gauge', 'radledger_start_time_seconds', 'When the relay began', [{}, startedAt / 1000])
	put('counter', 'radledger_journal_events_total', 'Events in the journal', [{}, position])
	if (status.follows === null) {
		put(
			'gauge',
			'radledger_journal_failed',
			'Whether the journal has failed, and with it the relay',
			[{}, failure === null ? 0 : 1],
		)
	}
	for (const { name, sessions } of status.virtualRouters) {
		put('gauge', 'radledger_sessions', 'Subscribers on the network', [
			{ virtual_router: name },
			sessions,
		])
	}
	for (const [queue, length] of Object.entries(status.queues)) {
		put('gauge', 'radledger_queue_length', 'What waits inside the relay', [{ queue }, length])
	}
	for (const { virtualRouter, service, server, state, pending } of status.upstreams) {
		const labels = { virtual_router: virtualRouter, service, server }
		const states = ['okay', 'suspect', 'down', 'reopen', 'unused'] as const
		put(
			'gauge',
			'radledger_upstream_state',
			'1 for the state that a RADIUS server is in (RFC 3539)',
			...states.map((one): Sample => [{ ...labels, state: one }, one === state ? 1 : 0]),
		)
		if (pending !== null) {
			put('gauge', 'radledger_upstream_in_flight', 'Requests that await its answer', [
				labels,
				pending,
			])
		}
	}
	for (const { virtualRouter, pool, size, bound, highWater } of status.pools) {
		const labels = { virtual_router: virtualRouter, pool }
		put('gauge', 'radledger_pool_addresses', 'Addresses for clients', [labels, size])
		put('gauge', 'radledger_pool_bound_addresses', 'Addresses that somebody has', [labels, bound])
		if (highWater === null) continue
		put('gauge', 'radledger_pool_bound_addresses_max', 'The most there ever were', [
			labels,
			highWater,
		])
	}
	for (const { kind, name, virtualRouter, state, position: reached, figures } of status.peers) {
		const labels = { kind, name, virtual_router: virtualRouter ?? '' }
		put('gauge', 'radledger_peer_state', '1 for the state that it is in', [{ ...labels, state }, 1])
		if (reached !== null) {
			put('gauge', 'radledger_peer_behind_events', 'Events that a mirror has still to get', [
				labels,
				Math.max(position - reached, 0),
			])
		}
		for (const [figure, value] of Object.entries(figures)) {
			const own = `radledger_${kind}_${snakeCase(figure)}`
			const help = 'What the client of it counts'
			if (isGauge.test(figure)) put('gauge', own, help, [labels, value])
			else put('counter', `${own}_total`, help, [labels, value])
		}
	}
}

/** Figures of a peer that go down again. */
const isGauge = /^(active|waiting)/

/** `radledger_relay_access_requests_total` and so on; the time of an answer in seconds. */
function statisticFamily(put: Put, statistic: Statistic): void {
	const { of, virtualRouter, service, peer, label, gauge, total } = statistic
	const subject = of.replace('-', '_')
	const name = snakeCase(statistic.statistic)
	const labels: Labels = {
		virtual_router: virtualRouter,
		...(service === null ? {} : { service }),
		...(peer === null ? {} : { server: peer }),
	}
	if (name === 'round_trip') {
		const help = 'What the last answer took'
		put('gauge', 'radledger_upstream_round_trip_seconds', help, [labels, total / 100])
		return
	}
	const full = `radledger_${subject}_${name}${gauge ? '' : '_total'}`
	put(gauge ? 'gauge' : 'counter', full, label, [labels, total])
}

function snakeCase(name: string): string {
	return name.replace(/[A-Z]/g, letter => `_${letter.toLowerCase()}`)
}

function followerFamilies(put: Put, { views, last, integrity }: Measured): void {
	if (integrity !== undefined) {
		const { signed } = integrity
		put('gauge', 'radledger_signed_events', 'Events that a signed checkpoint covers', [{}, signed])
	}
	if (views === undefined) return
	put('gauge', 'radledger_views_position', 'Event up to which the read models are', [
		{},
		views.position,
	])
	put('gauge', 'radledger_views_behind_events', 'Events that are not in the read models yet', [
		{},
		Math.max(last - views.position, 0),
	])
	put('gauge', 'radledger_views_behind_seconds', 'Age of what is not in the read models yet', [
		{},
		views.secondsBehind,
	])
}

function httpFamilies(put: Put, { http, refused, events, queries }: Measured): void {
	const count = 'radledger_http_requests_total'
	for (const [key, value] of http.answered) {
		const [route = '', status = ''] = key.split(' ')
		put('counter', count, 'Requests that were answered', [{ route, status }, value])
	}
	const seconds = 'radledger_http_request_seconds_total'
	for (const [route, value] of http.seconds) {
		put('counter', seconds, 'Seconds that answering them took', [{ route }, value])
	}
	put('gauge', 'radledger_http_requests_in_flight', 'Requests that are being answered', [
		{},
		http.inFlight,
	])
	put('counter', 'radledger_http_turned_away_total', 'Requests that found too many others', [
		{},
		http.turnedAway,
	])
	for (const [reason, value] of Object.entries(refused)) {
		const help = 'Requests refused for who sent them'
		put('counter', 'radledger_http_refused_total', help, [{ reason }, value])
	}
	put('gauge', 'radledger_http_event_consumers', 'Who follows the events', [{}, events.consumers])
	put('counter', 'radledger_http_event_consumers_dropped_total', 'Those who were too slow', [
		{},
		events.dropped,
	])
	put('counter', 'radledger_http_events_sent_total', 'Events sent to followers', [{}, events.sent])
	put('gauge', 'radledger_http_queries_waiting', 'Queries that wait for a thread', [
		{},
		queries.waiting,
	])
	put('counter', 'radledger_http_queries_too_slow_total', 'Queries that had had their time', [
		{},
		queries.tooSlow,
	])
	put('counter', 'radledger_http_query_threads_lost_total', 'Threads that had to be given up', [
		{},
		queries.threadsLost,
	])
}

/** Of the whole process: packets, read models and this server together. */
function processFamilies(put: Put): void {
	const { user, system } = process.cpuUsage()
	put('counter', 'process_cpu_seconds_total', 'Processor time', [{}, (user + system) / 1e6])
	put('gauge', 'process_resident_memory_bytes', 'Memory', [{}, process.memoryUsage.rss()])
	put('gauge', 'process_start_time_seconds', 'When the process began', [
		{},
		Math.round(Date.now() / 1000 - process.uptime()),
	])
	try {
		const descriptors = readdirSync('/proc/self/fd').length
		put('gauge', 'process_open_fds', 'Open file descriptors', [{}, descriptors])
	} catch {
		// There is no /proc: then nobody knows.
	}
}

function commitHistogram({ commits }: RelayStatus): string {
	const name = 'radledger_journal_commit_duration_seconds'
	const lines = commits.bounds.map(
		(bound, i) => `${name}_bucket{le="${bound}"} ${commits.counts[i] ?? 0}`,
	)
	return [
		`# HELP ${name} What the disk took for a commit`,
		`# TYPE ${name} histogram`,
		...lines,
		`${name}_bucket{le="+Inf"} ${commits.count}`,
		`${name}_sum ${commits.sumSeconds}`,
		`${name}_count ${commits.count}`,
		'',
	].join('\n')
}

function familyText(name: string, { type, help, samples }: Family): string {
	const lines = samples.map(([labels, value]) => `${name}${labelsText(labels)} ${value}`)
	return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${lines.join('\n')}\n`
}

function labelsText(labels: Labels): string {
	const parts = Object.entries(labels).map(([name, value]) => `${name}="${escaped(value)}"`)
	return parts.length === 0 ? '' : `{${parts.join(',')}}`
}

/** Names of routers, pools and servers are what somebody typed. */
function escaped(value: string): string {
	return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
}
