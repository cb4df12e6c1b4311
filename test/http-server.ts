/** An HTTP server for tests: over a journal in memory, with a relay that says what it is told to. */
import type { FastifyInstance } from 'fastify'
import { newGuard } from '../adapters/http/access.ts'
import { answerFromHistory } from '../adapters/http/history.ts'
import type { Live, RelayStatus, Statistic } from '../adapters/http/live.ts'
import { type LiveEvents, openLiveEvents } from '../adapters/http/live-events.ts'
import type { PageFile } from '../adapters/http/page.ts'
import { ProblemError } from '../adapters/http/problem.ts'
import type { Sources, Views } from '../adapters/http/route.ts'
import { rowRoutes } from '../adapters/http/routes.ts'
import { createServer, type HttpSettings } from '../adapters/http/server.ts'
import { type MemoryJournal, openMemoryJournal } from '../adapters/journal/memory.ts'

export const status: RelayStatus = {
	release: '1.2.3',
	hostname: 'test',
	follows: null,
	startedAt: Date.UTC(2027, 0, 15, 8),
	journal: 'memory',
	position: 0,
	failure: null,
	transport: 'simulated',
	virtualRouters: [{ name: 'default', sessions: 3, relays: ['authentication'] }],
	upstreams: [
		{
			virtualRouter: 'default',
			service: 'authentication',
			server: '192.0.2.20',
			udpPort: 1812,
			state: 'okay',
			pending: 0,
		},
	],
	peers: [
		{
			kind: 'nats',
			virtualRouter: null,
			name: '127.0.0.1:4222',
			state: 'connected',
			position: 0,
			trouble: null,
			figures: { published: 7 },
		},
	],
	pools: [
		{
			virtualRouter: 'default',
			pool: 'one',
			size: 200,
			bound: 50,
			highWater: 60,
			highWaterAt: Date.UTC(2027, 0, 15, 8),
			warningAt: 85,
		},
	],
	commits: { bounds: [0.001, 0.01], counts: [3, 4], count: 5, sumSeconds: 0.05, events: 9 },
	queues: { 'requests-pending': 0 },
}

export const statistic: Statistic = {
	of: 'relay',
	virtualRouter: 'default',
	service: 'authentication',
	peer: null,
	statistic: 'requests',
	label: 'Access Requests',
	gauge: false,
	total: 9,
	delta: 4,
	baselineAt: Date.UTC(2027, 0, 15, 8),
}

export type TestServer = {
	readonly app: FastifyInstance
	readonly journal: MemoryJournal
	readonly events: LiveEvents
	/** Baselines that were set. */
	readonly baselines: [virtualRouter: string, scope: string][]
	/** Faults of our own that were reported. */
	readonly troubles: string[]
}

export type TestServerOptions = Partial<HttpSettings> & {
	readonly token?: string
	readonly views?: Views
	readonly relay?: Partial<RelayStatus>
	readonly checkTime?: () => void
	readonly files?: ReadonlyMap<string, PageFile>
	readonly consumersAtMost?: number
	readonly patienceMs?: number
}

export const testNow = Date.UTC(2027, 0, 15, 12)

export function testServer(options: TestServerOptions = {}): TestServer {
	const journal = openMemoryJournal()
	const baselines: [string, string][] = []
	const troubles: string[] = []
	const live: Live = {
		status: async () => ({ ...status, ...options.relay, position: journal.last() }),
		statistics: async () => [statistic],
		async setBaseline(virtualRouter, scope) {
			baselines.push([virtualRouter, scope])
			return virtualRouter === 'default'
				? undefined
				: `There is no virtual router ${virtualRouter}.`
		},
	}
	const sources: Sources = {
		journal,
		views() {
			if (options.views !== undefined) return options.views
			throw new ProblemError({ kind: 'not-ready', detail: 'There are no read models yet.' })
		},
		last: journal.last,
		clockEpochs: () => [],
		now: () => testNow,
		checkTime: options.checkTime ?? (() => {}),
		integrity: () => undefined,
		statisticsAt: () => [statistic],
	}
	const { consumersAtMost, patienceMs } = options
	const events = openLiveEvents({
		journal,
		last: journal.last,
		clock: () => performance.now(),
		...(consumersAtMost === undefined ? {} : { consumersAtMost }),
		...(patienceMs === undefined ? {} : { patienceMs }),
	})
	const app = createServer({
		release: '1.2.3',
		guard: newGuard(options.token),
		history: { ask: async question => answerFromHistory(rowRoutes, sources, question) },
		live,
		events,
		last: journal.last,
		readiness: async () => ({ ready: true, reasons: [] }),
		metrics: async () => '',
		page: options.files ?? new Map(),
		onTrouble: error => troubles.push(error),
		...options,
	})
	return { app, journal, events, baselines, troubles }
}
