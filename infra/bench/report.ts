/** The tables of a run. */
import { cpus, release, totalmem } from 'node:os'
import { clientsAtOnce, type DhcpSample, dhcpServers, offeredRates } from './dhcp.ts'
import type { EventStoreFigures } from './eventstore.ts'
import type { FeedFigures } from './feed.ts'
import type { HttpRound } from './http.ts'
import type { JournalFigures } from './journal.ts'
import type { Measurement } from './load.ts'
import type { PageFigures } from './page.ts'
import { relayNames, relayTitles } from './relays.ts'
import {
	type Case,
	caseTitle,
	type Measured,
	measuredParts,
	median,
	pairedRatios,
	type Sample,
	type Subject,
	samplesOf,
	steadyCases,
	type Target,
	type ThreadShare,
	targets,
	thousands,
	windowCases,
} from './results.ts'
import type { ScaleFigures } from './scale.ts'
import { type Section, type Table, type TableName, type TargetRow, tableNames } from './section.ts'
import type { QuestionRates } from './src-questions.ts'
import type { VerifyFigures } from './verify.ts'
import type { ViewFigures } from './views.ts'

export type Run = Measured & {
	/** Share of all processors' time that other programs took, by part. */
	readonly others: ReadonlyMap<string, number>
	/** Names and versions of what radledger is compared with. */
	readonly peers: readonly string[]
	/** Milliseconds since 1970. */
	readonly at: number
}

/** Targets first, then every figure, then where it was measured. */
export function sectionOf(run: Run): Section {
	const { samples, dhcp, questions, scale, http, page, journal, views, verify, eventStore, feed } =
		run
	const tables: Readonly<Record<TableName, Table | undefined>> = {
		relays: samples.length === 0 ? undefined : figureTable(samples),
		unsealed: unsealedTable(samples),
		logging: loggingTable(samples),
		threads: run.threads.length === 0 ? undefined : threadTable(run.threads),
		dhcp: dhcp.length === 0 ? undefined : dhcpTable(dhcp),
		src: questions.length === 0 ? undefined : questionTable(questions),
		scale: scale && scaleTable(scale),
		views: views && viewTable(views),
		http: http.length === 0 ? undefined : httpTable(http),
		page: page && pageTable(page),
		journal: journal && journalTable(journal),
		verify: verify && verifyTable(verify),
		eventstore:
			eventStore && mirrorTable('an EventStoreDB node (the loopback one of the tests)', eventStore),
		feed: feed && mirrorTable('JetStream of a nats-server', feed),
	}
	const date = new Date(run.at).toISOString().slice(0, 10)
	const parts = measuredParts(run).map(name => {
		return [name, { date, others: Math.round((run.others.get(name) ?? 0) * 100) }] as const
	})
	return {
		targets: targets(run).map(targetRow),
		tables: new Map(tableNames.flatMap(name => (tables[name] ? [[name, tables[name]]] : []))),
		parts: new Map(parts),
		conditions: conditionsOf(run.peers),
	}
}

function targetRow({ text, measured, reached, part }: Target): TargetRow {
	const verdict = reached === undefined ? '-' : reached ? 'reached' : '**not reached**'
	return { text, measured, verdict, part }
}

function figureTable(samples: readonly Sample[]): Table {
	const subjects: readonly Subject[] = [...relayNames, 'none']
	const rows = [...windowCases, ...steadyCases].flatMap(of =>
		subjects.flatMap(subject => figureRow(samples, of, subject)),
	)
	const heads = ['Load', 'Relay', 'requests/s', 'CPU us/request', 'p50 ms', 'p99 ms', 'p99.9 ms']
	return table([...heads, 'lost'], rows, 2)
}

/** One row, or none where nothing was measured. */
function figureRow(samples: readonly Sample[], of: Case, subject: Subject): string[][] {
	const measured = samplesOf(samples, of, subject)
	if (measured.length === 0) return []
	const ms = (values: readonly number[]) => (median(values) / 1000).toFixed(2)
	const cpuUs = median(measured.map(one => one.cpuUsPerRequest))
	const lost = measured.reduce((sum, one) => sum + one.lost + one.bad, 0)
	return [
		[
			caseTitle(of),
			subject === 'none' ? 'none: server alone' : relayTitles[subject],
			thousands(median(measured.map(one => one.requestsPerSecond))),
			subject === 'none' ? '-' : cpuUs.toFixed(1),
			ms(measured.map(one => one.p50Us)),
			ms(measured.map(one => one.p99Us)),
			ms(measured.map(one => one.p999Us)),
			thousands(lost),
		],
	]
}

/** The relay alone: tamper evidence is computed by a thread that may as well run another time. */
function unsealedTable(samples: readonly Sample[]): Table | undefined {
	const rows = windowCases.flatMap(of => {
		const own = 'radledger-unsealed'
		const cpu = median(pairedRatios(samples, of, own, 'radsecproxy', 'cpuUsPerRequest'))
		const rate = median(pairedRatios(samples, of, own, 'radsecproxy', 'requestsPerSecond'))
		return Number.isNaN(cpu) ? [] : [[caseTitle(of), `${cpu.toFixed(2)} x`, `${rate.toFixed(2)} x`]]
	})
	if (rows.length === 0) return undefined
	return table(['With --no-seal, against radsecproxy', 'CPU per request', 'requests/s'], rows, 1)
}

/** radsecproxy as it is usually run writes a line for each request: the easier comparison. */
function loggingTable(samples: readonly Sample[]): Table | undefined {
	const rows = windowCases.flatMap(of => {
		const peer = 'radsecproxy-logging'
		const cpu = median(pairedRatios(samples, of, 'radledger', peer, 'cpuUsPerRequest'))
		const rate = median(pairedRatios(samples, of, 'radledger', peer, 'requestsPerSecond'))
		return Number.isNaN(cpu) ? [] : [[caseTitle(of), `${cpu.toFixed(2)} x`, `${rate.toFixed(2)} x`]]
	})
	if (rows.length === 0) return undefined
	return table(['Against radsecproxy, a log line each', 'CPU per request', 'requests/s'], rows, 1)
}

/** As it runs with no further options; threads that had nothing to do are left out. */
function threadTable(threads: readonly ThreadShare[]): Table {
	const rows = threads.flatMap(({ name, share }) => {
		const percent = `${(share * 100).toFixed(1)} %`
		return percent === '0.0 %' ? [] : [[threadTitles[name] ?? name, percent]]
	})
	return table(["radledger's threads under these loads", 'processor time'], rows, 1)
}

const threadTitles: Readonly<Record<string, string>> = {
	MainThread: 'packets and journal',
	'journal-keeper': 'index and checkpoints of the journal',
	sealer: 'seal',
	views: 'read models',
	V8Worker: 'V8: collecting garbage, compiling',
}

function verifyTable({ events, seal, verify }: VerifyFigures): Table {
	const row = (name: string, { eventsPerSecond, cpuUsPerEvent }: VerifyFigures['seal']) => [
		...[name, thousands(eventsPerSecond), `${cpuUsPerEvent}`],
	]
	const heads = [`A journal of ${thousands(events)} events`, 'events/s', 'CPU us/event']
	return table(heads, [row('Sealed', seal), row('Verified', verify)], 1)
}

function mirrorTable(name: string, figures: EventStoreFigures | FeedFigures): Table {
	const { events, eventsPerSecond, cpuUsPerEvent } = figures
	const row = [name, thousands(events), thousands(eventsPerSecond), `${cpuUsPerEvent}`]
	return table(['Shipped to', 'events', 'events/s', 'CPU us/event'], [row], 1)
}

function journalTable({ appends, latency, replay, stream, eventBytes }: JournalFigures): Table {
	const append = `${appends.cpuUsPerEvent} us CPU each, ${appends.processCpuUsPerEvent} us with index and checkpoints`
	return table(
		['Journal alone', ''],
		[
			[
				`Appends, batches of 64, ${eventBytes} bytes each`,
				`${thousands(appends.eventsPerSecond)}/s (${append})`,
			],
			['Replay', `${thousands(replay.eventsPerSecond)}/s (${replay.cpuUsPerEvent} us CPU each)`],
			[
				`A durable batch of 10, ${thousands(latency.appendsPerSecond)} times a second`,
				`p50 ${latency.p50} ms, p99 ${latency.p99} ms, p99.9 ${latency.p999} ms`,
			],
			[`Reading a stream of ${stream.events} events`, `${stream.p50} ms`],
		],
	)
}

function pageTable({ events, firstView, subscriber }: PageFigures): Table {
	return table(
		[`Web page among ${thousands(events)} events, in Chromium`, 'p50 ms', 'longest ms'],
		[
			['first view, nothing cached', `${firstView.p50}`, `${firstView.longest}`],
			['a subscriber’s page', `${subscriber.p50}`, `${subscriber.longest}`],
		],
		1,
	)
}

function viewTable({ events, follow, size, history }: ViewFigures): Table {
	const kinds = ['subscriber', 'user', 'address'] as const
	return table(
		[`Read models of ${thousands(events)} events`, ''],
		[
			[
				'Followed',
				`${thousands(follow.eventsPerSecond)}/s (${follow.cpuUsPerEvent} us CPU each), ${size} x the journal's size`,
			],
			...kinds.map(kind => {
				const { events: count, p50, p99 } = history[kind]
				return [
					`History of ${kind === 'address' ? 'an' : 'a'} ${kind}, ${count} events`,
					`p50 ${p50} ms, p99 ${p99} ms`,
				]
			}),
		],
	)
}

const dhcpTitles = {
	radledger: 'radledger, everything durable',
	'radledger-unsealed': 'radledger, to be sealed later',
	kea: 'Kea, memfile',
} as const

function dhcpTable(samples: readonly DhcpSample[]): Table {
	const rows = offeredRates.flatMap(offered =>
		dhcpServers.flatMap(server => {
			const own = samples.filter(one => one.offered === offered && one.server === server)
			if (own.length === 0) return []
			const done = median(own.map(one => one.exchangesPerSecond))
			const cpuUs = median(own.map(one => one.cpuUsPerExchange)).toFixed(0)
			const lost = own.reduce((sum, one) => sum + one.lost, 0)
			const load =
				offered === 0 ? `${clientsAtOnce} clients at once` : `perfdhcp, ${thousands(offered)}/s`
			return [[load, dhcpTitles[server], thousands(done), cpuUs, thousands(lost)]]
		}),
	)
	return table(['DHCP load', 'Server', 'exchanges/s', 'CPU us/exchange', 'lost'], rows, 2)
}

function questionTable(rates: readonly QuestionRates[]): Table {
	const ms = (us: number) => (us / 1000).toFixed(2)
	const rows = rates.map(({ name, questions, failed, p50Us, p99Us, p999Us }) => [
		...[name, thousands(questions), ms(p50Us), ms(p99Us), ms(p999Us), thousands(failed)],
	])
	return table(['SRC', 'questions', 'p50 ms', 'p99 ms', 'p99.9 ms', 'unanswered'], rows, 1)
}

function scaleTable(scale: ScaleFigures): Table {
	const gib = (bytes: number) => `${(bytes / 2 ** 30).toFixed(2)} GiB`
	return table(
		[`${thousands(scale.subscribers)} live sessions with leases`, ''],
		[
			['Memory of the process, once it serves', gib(scale.readyBytes)],
			['Most of it, until five seconds after that', gib(scale.peakBytes)],
			[
				'Start from a snapshot',
				`${scale.restartSeconds.toFixed(1)} s (${scale.restartCpuSeconds.toFixed(1)} s CPU)`,
			],
			['Start from the whole journal', `${scale.rebuildSeconds.toFixed(1)} s`],
		],
	)
}

function httpTable(rounds: readonly HttpRound[]): Table {
	const row = (name: string, measured: readonly Measurement[], answers: string) => [
		...[name, thousands(median(measured.map(one => one.requestsPerSecond)))],
		...[(median(measured.map(one => one.p99Us)) / 1000).toFixed(2), answers],
	]
	const answers = median(rounds.map(round => round.answersPerSecond))
	const failed = rounds.reduce((sum, round) => sum + round.failed, 0)
	const meanwhile = `${thousands(answers)}${failed === 0 ? '' : `, ${failed} failed`}`
	const without = rounds.map(round => round.without)
	const asked = rounds.map(round => round.asked)
	return table(
		['EAP, window 64', 'requests/s', 'p99 ms', 'answers of the API/s'],
		[
			row('nobody asks the HTTP API', without, '-'),
			row('six analysts and a follower', asked, meanwhile),
		],
		1,
	)
}

/** The machine, and what was compared on it. */
export function conditionsOf(peers: readonly string[]): string {
	const { model } = cpus()[0] ?? { model: 'unknown processor' }
	const memory = `${Math.round(totalmem() / 2 ** 30)} GiB`
	const machine = `${model.trim()}, ${cpus().length} cores, ${memory}, Linux ${release()}`
	return `${machine}; ${[`Node ${process.versions.node}`, ...peers].join(', ')}`
}

function table(
	heads: readonly string[],
	rows: readonly (readonly string[])[],
	numbersFrom = heads.length,
): Table {
	return { heads, rows, numbersFrom }
}
