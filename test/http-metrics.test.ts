/** Metrics by Prometheus's conventions, readiness with its reasons, and the dashboard that shows them. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { type Measured, metricsText } from '../adapters/http/metrics.ts'
import { readinessOf } from '../adapters/http/readiness.ts'
import type { NewEvent, RecordedEvent } from '../domain/event.ts'
import { dhcpStatistics } from '../projections/dhcp-statistics.ts'
import { relayStatistics } from '../projections/statistics.ts'
import {
	dhcpStatisticsRows,
	relayStatisticsRows,
	upstreamStatisticsRows,
} from '../projections/statistics-rows.ts'
import { upstreamStatistics } from '../projections/upstream-statistics.ts'
import { status } from './http-server.ts'
import { lifeEvents } from './view-database.ts'

function folded<S>(
	projection: { initial(): S; fold(state: S, event: RecordedEvent): S },
	events: readonly NewEvent[],
): S {
	let state = projection.initial()
	events.forEach((event, i) => {
		state = projection.fold(state, { ...event, position: i + 1 } as RecordedEvent)
	})
	return state
}

const events = lifeEvents(2000)
const measured: Measured = {
	status: { ...status, position: 2000 },
	last: 2000,
	views: { position: 1500, secondsBehind: 2.5 },
	integrity: { sealed: 1900, signed: 1800, signedAt: 0, checkpoint: '', key: 'k' },
	statistics: [
		...relayStatisticsRows(folded(relayStatistics, events), {}),
		...upstreamStatisticsRows(folded(upstreamStatistics, events), {}),
		...dhcpStatisticsRows(folded(dhcpStatistics, events), {}),
	],
	http: {
		answered: new Map([['/api/v1/leases 200', 3]]),
		seconds: new Map([['/api/v1/leases', 0.25]]),
		inFlight: 1,
		turnedAway: 2,
	},
	refused: { unauthorized: 1, 'misdirected-host': 0, 'foreign-origin': 0 },
	events: { consumers: 1, dropped: 2, sent: 3 },
	queries: { waiting: 0, tooSlow: 1, threadsLost: 0 },
}
const text = metricsText(measured)

/** The text format 0.0.4, read strictly: families with their type, and every sample. */
function read(exposed: string) {
	const families = new Map<string, string>()
	const samples: { name: string; labels: Record<string, string>; value: number }[] = []
	for (const line of exposed.split('\n')) {
		if (line === '' || line.startsWith('# HELP ')) continue
		const type = /^# TYPE (\w+) (counter|gauge|histogram)$/.exec(line)
		if (type !== null) {
			assert.not(families.has(type[1]!), `${type[1]} is there twice`)
			families.set(type[1]!, type[2]!)
			continue
		}
		const sample = /^([a-z_]+)(?:\{(.*)\})? (-?[\d.e+-]+)$/.exec(line)
		assert.ok(sample, `no sample: ${line}`)
		const labels: Record<string, string> = {}
		for (const [, name, value] of (sample![2] ?? '').matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)) {
			labels[name!] = value!
		}
		samples.push({ name: sample![1]!, labels, value: Number(sample![3]) })
	}
	return { families, samples }
}

test('the text is as Prometheus reads it, and names keep its conventions', () => {
	const { families, samples } = read(text)
	assert.ok(samples.length > 50)
	for (const [name, type] of families) {
		assert.match(name, /^(radledger|process)_[a-z_]+$/)
		assert.is(name.endsWith('_total'), type === 'counter', `${name} is a ${type}`)
	}
	const seen = new Set<string>()
	for (const { name, labels } of samples) {
		const family = name.replace(/_(bucket|sum|count)$/, '')
		assert.ok(families.has(name) || families.get(family) === 'histogram', name)
		const key = name + JSON.stringify(labels)
		assert.not(seen.has(key), `${key} is there twice`)
		seen.add(key)
	}
})

test('figures are those of the statistics, the journal and the relay', () => {
	const { samples } = read(text)
	const value = (name: string, labels: Record<string, string> = {}) =>
		samples.find(
			sample =>
				sample.name === name &&
				Object.entries(labels).every(([label, text]) => sample.labels[label] === text),
		)?.value
	const count = (type: string) => events.filter(event => event.type === type).length
	assert.is(
		value('radledger_relay_accepts_total', { service: 'authentication' }),
		count('AccessAccepted'),
	)
	assert.is(value('radledger_relay_start_requests_total'), count('AccountingStarted'))
	assert.is(value('radledger_dhcp_acks_total'), count('LeaseGranted') + count('LeaseRenewed'))
	assert.is(value('radledger_journal_events_total'), 2000)
	assert.is(value('radledger_views_behind_events'), 500)
	assert.is(value('radledger_upstream_state', { server: '192.0.2.20', state: 'okay' }), 1)
	assert.is(value('radledger_upstream_state', { server: '192.0.2.20', state: 'down' }), 0)
	assert.is(value('radledger_peer_behind_events', { kind: 'nats' }), 2000)
	assert.is(value('radledger_journal_commit_duration_seconds_bucket', { le: '0.01' }), 4)
	assert.is(value('radledger_journal_commit_duration_seconds_bucket', { le: '+Inf' }), 5)
	assert.is(value('radledger_http_requests_total', { route: '/api/v1/leases', status: '200' }), 3)
	assert.is(value('radledger_relay_up'), 1)
	assert.is(value('radledger_signed_events'), 1800)
})

test('nobody can be found in the metrics', () => {
	for (const event of events) {
		const { mac, user } = event.data as { mac?: string; user?: string }
		if (mac !== undefined) assert.not(text.includes(mac), mac)
		if (user !== undefined) assert.not(text.includes(`"${user}"`), user)
	}
})

test('what a peer counts is a counter, and what goes down again is none', () => {
	const figures = { reconnects: 3, activeAddresses: 7 }
	const peers = [{ ...status.peers[0]!, kind: 'src' as const, figures }]
	const { families } = read(metricsText({ ...measured, status: { ...status, peers } }))
	assert.is(families.get('radledger_src_reconnects_total'), 'counter')
	assert.is(families.get('radledger_src_active_addresses'), 'gauge')
})

test('names that somebody typed cannot break a line', () => {
	const pool = 'a"b\\c\nd'
	const exposed = metricsText({
		...measured,
		status: { ...status, pools: [{ ...status.pools[0]!, pool }] },
	})
	const { samples } = read(exposed)
	const found = samples.find(({ name }) => name === 'radledger_pool_addresses')
	assert.is(JSON.parse(`"${found!.labels['pool']}"`), pool)
})

test('a relay that does not answer leaves the rest, and is said to be down', () => {
	const { samples } = read(metricsText({ ...measured, status: undefined, statistics: [] }))
	assert.is(samples.find(({ name }) => name === 'radledger_relay_up')?.value, 0)
	assert.ok(samples.some(({ name }) => name === 'process_cpu_seconds_total'))
})

test('ready: the relay answers, has somebody to ask, and the read models are not far behind', () => {
	const healthy = { status, last: 10, views: { position: 10, secondsBehind: 0 } }
	assert.equal(readinessOf(healthy), { ready: true, reasons: [] })
	const reason = (change: Partial<Parameters<typeof readinessOf>[0]>) => {
		const { ready, reasons } = readinessOf({ ...healthy, ...change })
		assert.is(ready, false)
		assert.is(reasons.length, 1)
		return reasons[0]!
	}
	const [upstream] = status.upstreams
	assert.match(reason({ status: undefined }), /does not answer/)
	assert.match(reason({ status: { ...status, failure: 'The disk is full.' } }), /The disk is full/)
	assert.match(reason({ status: { ...status, upstreams: [] } }), /none is configured/)
	assert.match(
		reason({ status: { ...status, upstreams: [{ ...upstream!, state: 'down' }] } }),
		/all are down/,
	)
	assert.match(reason({ views: undefined }), /not there yet/)
	const copy = { ...status, upstreams: [], follows: { name: 'x:2113', trouble: null, fleet: [] } }
	assert.ok(readinessOf({ ...healthy, status: copy }).ready, 'it asks no RADIUS server')
	const away = { ...copy, follows: { ...copy.follows, trouble: 'x:2113 is away.' } }
	assert.match(reason({ status: away }), /x:2113 is away/)
	assert.match(reason({ views: { position: 1, secondsBehind: 61 } }), /61 s behind/)
	const suspect = { ...status, upstreams: [{ ...upstream!, state: 'suspect' as const }] }
	assert.ok(readinessOf({ ...healthy, status: suspect }).ready)
})

test('the Grafana dashboard asks for metrics that there are', () => {
	const file = join(import.meta.dirname, '../infra/grafana/radledger.json')
	const dashboard = JSON.parse(readFileSync(file, 'utf8')) as {
		panels: { title: string; targets?: { expr: string }[] }[]
	}
	const { families } = read(text)
	const queries = dashboard.panels.flatMap(({ title, targets = [] }) =>
		targets.map(({ expr }) => ({ title, expr })),
	)
	assert.ok(queries.length >= 15)
	for (const { title, expr } of queries) {
		const names = expr.match(/\b(?:radledger|process)_[a-z_]+/g) ?? []
		assert.ok(names.length > 0, title)
		for (const name of names) {
			const family = name.replace(/_(bucket|sum|count)$/, '')
			assert.ok(families.has(name) || families.get(family) === 'histogram', `${title}: ${name}`)
			const type = families.get(name)
			if (type === 'counter') assert.match(expr, /\b(rate|increase)\(/, `${title}: ${expr}`)
		}
	}
})

test.run()
