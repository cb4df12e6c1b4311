/** The tables of a run, as Markdown that reads well in a terminal too, and their place in the README. */
import { readFileSync, writeFileSync } from 'node:fs'
import { cpus, release, totalmem } from 'node:os'
import { clientsAtOnce, type DhcpSample, dhcpServers, offeredRates } from './dhcp.ts'
import type { HttpRound } from './http.ts'
import type { JournalFigures } from './journal.ts'
import type { Measurement } from './load.ts'
import { relayNames, relayTitles } from './relays.ts'
import {
	type Case,
	caseTitle,
	type Measured,
	median,
	pairedRatios,
	type Sample,
	type Subject,
	samplesOf,
	steadyCases,
	type Target,
	targets,
	thousands,
	windowCases,
} from './results.ts'
import type { ScaleFigures } from './scale.ts'
import type { QuestionRates } from './src-questions.ts'
import type { ViewFigures } from './views.ts'

export type Run = Measured & {
	readonly rounds: number
	/** Names and versions of what radledger is compared with. */
	readonly peers: readonly string[]
	/** Milliseconds since 1970. */
	readonly at: number
}

const beginMarker = '<!-- bench -->'
const endMarker = '<!-- /bench -->'

/** The whole report: targets first, then every figure, then where it was measured. */
export function report(run: Run): string {
	const parts = [targetTable(targets(run))]
	if (run.samples.length > 0) parts.push(figureTable(run.samples), loggingNote(run.samples))
	if (run.dhcp.length > 0) parts.push(dhcpTable(run.dhcp))
	if (run.questions.length > 0) parts.push(questionTable(run.questions))
	if (run.scale !== undefined) parts.push(scaleTable(run.scale))
	if (run.http.length > 0) parts.push(httpTable(run.http))
	if (run.journal !== undefined) parts.push(journalTable(run.journal))
	if (run.views !== undefined) parts.push(viewTable(run.views))
	parts.push(conditions(run))
	return parts.filter(part => part !== '').join('\n\n')
}

/** Puts the report between the markers of the README. Throws where they are missing. */
export function writeReadme(path: string, text: string): void {
	const readme = readFileSync(path, 'utf8')
	const begin = readme.indexOf(beginMarker)
	const end = readme.indexOf(endMarker)
	if (begin < 0 || end < begin) {
		throw new Error(
			`${path} has no place for the table: put the lines ${beginMarker} and ${endMarker} where it belongs.`,
		)
	}
	const head = readme.slice(0, begin + beginMarker.length)
	writeFileSync(path, `${head}\n${text}\n${readme.slice(end)}`)
}

function targetTable(all: readonly Target[]): string {
	const verdict = (reached: boolean | undefined) =>
		reached === undefined ? '-' : reached ? 'reached' : '**not reached**'
	return table(
		['Target (radledger with its journal on)', 'Measured', ''],
		all.map(({ text, measured, reached }) => [text, measured, verdict(reached)]),
	)
}

function figureTable(samples: readonly Sample[]): string {
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

/** radsecproxy as it is usually run writes a line for each request: the easier comparison. */
function loggingNote(samples: readonly Sample[]): string {
	const ratios = windowCases.flatMap(of => {
		const peer = 'radsecproxy-logging'
		const cpu = median(pairedRatios(samples, of, 'radledger', peer, 'cpuUsPerRequest'))
		const rate = median(pairedRatios(samples, of, 'radledger', peer, 'requestsPerSecond'))
		if (Number.isNaN(cpu)) return []
		return [`${caseTitle(of)} ${cpu.toFixed(2)} x CPU, ${rate.toFixed(2)} x requests/s`]
	})
	return ratios.length === 0 ? '' : `Against radsecproxy with its log on: ${ratios.join('; ')}.`
}

function journalTable({ appends, latency, replay, stream, eventBytes }: JournalFigures): string {
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

function viewTable({ events, follow, size, history }: ViewFigures): string {
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
	kea: 'Kea, memfile',
} as const

function dhcpTable(samples: readonly DhcpSample[]): string {
	const rows = offeredRates.flatMap(offered =>
		dhcpServers.flatMap(server => {
			const own = samples.filter(one => one.offered === offered && one.server === server)
			if (own.length === 0) return []
			const done = median(own.map(one => one.exchangesPerSecond))
			const cpuUs = median(own.map(one => one.cpuUsPerExchange)).toFixed(0)
			const lost = own.reduce((sum, one) => sum + one.lost, 0)
			const load = offered === 0 ? `${clientsAtOnce} clients at once` : `${thousands(offered)}/s`
			return [[load, dhcpTitles[server], thousands(done), cpuUs, thousands(lost)]]
		}),
	)
	return table(['DHCP load', 'Server', 'exchanges/s', 'CPU us/exchange', 'lost'], rows, 2)
}

function questionTable(rates: readonly QuestionRates[]): string {
	const ms = (us: number) => (us / 1000).toFixed(2)
	const rows = rates.map(({ name, questions, failed, p50Us, p99Us, p999Us }) => [
		...[name, thousands(questions), ms(p50Us), ms(p99Us), ms(p999Us), thousands(failed)],
	])
	return table(['SRC', 'questions', 'p50 ms', 'p99 ms', 'p99.9 ms', 'unanswered'], rows, 1)
}

function scaleTable(scale: ScaleFigures): string {
	const gib = (bytes: number) => `${(bytes / 2 ** 30).toFixed(2)} GiB`
	return table(
		[`${thousands(scale.subscribers)} live sessions with leases`, ''],
		[
			['Memory of the process, once it serves', gib(scale.readyBytes)],
			['Most of it, from the start until read models are at work', gib(scale.peakBytes)],
			[
				'Start from a snapshot',
				`${scale.restartSeconds.toFixed(1)} s (${scale.restartCpuSeconds.toFixed(1)} s CPU)`,
			],
			['Start from the whole journal', `${scale.rebuildSeconds.toFixed(1)} s`],
		],
	)
}

function httpTable(rounds: readonly HttpRound[]): string {
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

function conditions(run: Run): string {
	const { model } = cpus()[0] ?? { model: 'unknown processor' }
	const memory = `${Math.round(totalmem() / 2 ** 30)} GiB`
	const machine = `${model.trim()}, ${cpus().length} cores, ${memory}, Linux ${release()}`
	const versions = [`Node ${process.versions.node}`, ...run.peers].join(', ')
	const date = new Date(run.at).toISOString().slice(0, 10)
	const measured = `Measured ${date} on ${machine}; ${versions}.`
	return run.samples.length === 0 ? measured : `${measured}\n${method(run)}`
}

function method({ samples, rounds }: Run): string {
	const elsewhere = median(samples.map(sample => sample.measurement.elsewhere))
	const percent = Math.round(elsewhere * 100)
	return [
		'Load generator, relay and home server share the machine, over loopback.',
		`The relays take turns in ${rounds === 1 ? 'one round' : `${rounds} rounds`}: figures are medians; ratios are medians (and ranges) of the ratios within a round.`,
		'CPU is that of the whole relay process, with what it puts off until after the load.',
		`Meanwhile ${percent} % of the processors' time went to other things (median).`,
	].join('\n')
}

/** A Markdown table with its columns aligned; from column `numbersFrom` on, to the right. */
function table(
	heads: readonly string[],
	rows: readonly (readonly string[])[],
	numbersFrom = heads.length,
): string {
	const widths = heads.map((head, i) =>
		Math.max(3, head.length, ...rows.map(row => row[i]?.length ?? 0)),
	)
	const line = (cells: readonly string[]) =>
		`| ${widths.map((width, i) => (i < numbersFrom ? (cells[i] ?? '').padEnd(width) : (cells[i] ?? '').padStart(width))).join(' | ')} |`
	const rule = widths.map((width, i) =>
		i < numbersFrom ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`,
	)
	return [line(heads), line(rule), ...rows.map(line)].join('\n')
}
