/** What a whole run has measured, as plain data, and the figures drawn from it. */
import { clientsAtOnce, type DhcpSample, type DhcpServer } from './dhcp.ts'
import type { EventStoreFigures } from './eventstore.ts'
import type { FeedFigures } from './feed.ts'
import type { HttpRound } from './http.ts'
import type { JournalFigures } from './journal.ts'
import type { Measurement } from './load.ts'
import type { PageFigures, Times } from './page.ts'
import type { Kind, RelayName } from './relays.ts'
import type { ScaleFigures } from './scale.ts'
import type { QuestionRates } from './src-questions.ts'
import type { VerifyFigures } from './verify.ts'
import { type ViewFigures, viewEvents } from './views.ts'

/** What is measured beside the relays, from quick to slow. */
export const partNames = [
	'journal',
	'feed',
	'src',
	'verify',
	'eventstore',
	'http',
	'page',
	'dhcp',
	'scale',
	'views',
] as const
export type PartName = (typeof partNames)[number]

/** `none`: the load generator and the home server alone, which is what the machine can do. */
export type Subject = RelayName | 'none'

export type Case = { readonly name: string; readonly kind: Kind } & (
	| { readonly type: 'window'; readonly window: number }
	| { readonly type: 'steady'; readonly rate: number }
)

/** Requests a second of the steady load. */
export const steadyRate = 10_000

export const windowCases: readonly Case[] = [
	{ name: 'eap-64', type: 'window', kind: 'eap', window: 64 },
	{ name: 'eap-200', type: 'window', kind: 'eap', window: 200 },
	{ name: 'accounting-64', type: 'window', kind: 'accounting', window: 64 },
	{ name: 'accounting-200', type: 'window', kind: 'accounting', window: 200 },
]

export const steadyCases: readonly Case[] = [
	{ name: 'steady-eap', type: 'steady', kind: 'eap', rate: steadyRate },
	{ name: 'steady-accounting', type: 'steady', kind: 'accounting', rate: steadyRate },
]

export type Sample = {
	readonly subject: Subject
	readonly case: Case
	readonly round: number
	readonly measurement: Measurement
}

/** What a run has measured; a part that was left out is empty or undefined. */
export type Measured = {
	readonly samples: readonly Sample[]
	readonly journal: JournalFigures | undefined
	readonly dhcp: readonly DhcpSample[]
	readonly questions: readonly QuestionRates[]
	readonly scale: ScaleFigures | undefined
	readonly http: readonly HttpRound[]
	readonly page: PageFigures | undefined
	readonly views: ViewFigures | undefined
	readonly verify: VerifyFigures | undefined
	readonly eventStore: EventStoreFigures | undefined
	readonly feed: FeedFigures | undefined
	/** Of the relay under its loads: shares of its processor time by thread, the greatest first. */
	readonly threads: readonly ThreadShare[]
}

export type ThreadShare = { readonly name: string; readonly share: number }

export const nothingMeasured: Measured = {
	...{ samples: [], dhcp: [], questions: [], http: [], threads: [] },
	...{ journal: undefined, scale: undefined, views: undefined },
	...{ page: undefined, verify: undefined, eventStore: undefined, feed: undefined },
}

/** The name for `--only` of everything that has figures. */
export function measuredParts(measured: Measured): string[] {
	const cases = new Set(measured.samples.map(sample => sample.case.name))
	const parts: Readonly<Record<PartName, boolean>> = {
		journal: measured.journal !== undefined,
		feed: measured.feed !== undefined,
		src: measured.questions.length > 0,
		verify: measured.verify !== undefined,
		eventstore: measured.eventStore !== undefined,
		http: measured.http.length > 0,
		page: measured.page !== undefined,
		dhcp: measured.dhcp.length > 0,
		scale: measured.scale !== undefined,
		views: measured.views !== undefined,
	}
	return [...cases, ...partNames.filter(name => parts[name])]
}

export type Target = Verdict & {
	/** The case or part that it is about, by its name for `--only`. */
	readonly part: string
}

type Verdict = {
	readonly text: string
	readonly measured: string
	/** undefined: not measured. */
	readonly reached: boolean | undefined
}

/** A field of the measurements, from which a median is taken. */
type Figure = keyof Measurement

export function samplesOf(samples: readonly Sample[], of: Case, subject: Subject): Measurement[] {
	return samples
		.filter(sample => sample.case.name === of.name && sample.subject === subject)
		.map(sample => sample.measurement)
}

export function median(values: readonly number[]): number {
	const sorted = values.toSorted((a, b) => a - b)
	const middle = Math.floor(sorted.length / 2)
	if (sorted.length % 2 === 1) return sorted[middle]!
	return sorted.length === 0 ? Number.NaN : (sorted[middle - 1]! + sorted[middle]!) / 2
}

/**
 * Ratios of neighbouring runs, round by round: the machine's speed drifts by more than relays
 * differ, and neighbours drift together. Empty where nothing can be compared.
 */
export function pairedRatios(
	samples: readonly Sample[],
	of: Case,
	subject: Subject,
	peer: Subject,
	figure: Figure,
): number[] {
	const ratios: number[] = []
	for (const one of samples) {
		if (one.case.name !== of.name || one.subject !== subject) continue
		const other = samples.find(
			sample =>
				sample.case.name === of.name && sample.subject === peer && sample.round === one.round,
		)
		if (other !== undefined) ratios.push(one.measurement[figure] / other.measurement[figure])
	}
	return ratios
}

/** Every target, in the order in which they are printed, with what came of it. */
export function targets(measured: Measured): Target[] {
	const { journal, dhcp, views, verify, eventStore, feed } = measured
	const of = (part: PartName, ...all: readonly Verdict[]) => all.map(one => ({ part, ...one }))
	return [
		...relayTargets(measured.samples),
		...of(
			'journal',
			rateTarget('Journal: appends/s', 150_000, journal?.appends.eventsPerSecond),
			rateTarget('Journal: replayed events/s', 500_000, journal?.replay.eventsPerSecond),
		),
		...of(
			'dhcp',
			...dhcpTargets(
				'DHCP by perfdhcp',
				dhcp.filter(({ offered }) => offered > 0),
			),
			...dhcpTargets(
				`DHCP, ${clientsAtOnce} clients at once`,
				dhcp.filter(({ offered }) => offered === 0),
			),
		),
		...of('src', questionTarget(measured.questions)),
		...of('scale', ...scaleTargets(measured.scale)),
		...of(
			'views',
			rateTarget('Read models: events/s followed', 50_000, views?.follow.eventsPerSecond),
			historyTarget(views),
		),
		...of('http', httpTarget(measured.http)),
		...of('page', ...pageTargets(measured.page)),
		...of('verify', rateTarget('Verify: events/s', 200_000, verify?.verify.eventsPerSecond)),
		...of(
			'eventstore',
			rateTarget('EventStoreDB mirror: events/s', 5_000, eventStore?.eventsPerSecond),
		),
		...of('feed', rateTarget('JetStream feed: events/s', 20_000, feed?.eventsPerSecond)),
	]
}

function relayTargets(samples: readonly Sample[]): Target[] {
	const about = (of: Case, ...all: readonly Verdict[]) =>
		all.map(one => ({ part: of.name, ...one }))
	return [
		...windowCases.flatMap(of =>
			about(
				of,
				ratioTarget(samples, of, 'cpuUsPerRequest', 'radsecproxy', 'at most', 0.8),
				ratioTarget(samples, of, 'requestsPerSecond', 'radsecproxy', 'at least', 1),
			),
		),
		...windowCases.flatMap(of =>
			about(of, ratioTarget(samples, of, 'requestsPerSecond', 'freeradius-detail', 'at least', 4)),
		),
		...steadyCases.flatMap(of =>
			about(
				of,
				latencyTarget(samples, of, 'p99Us', 'p99', 3),
				latencyTarget(samples, of, 'p999Us', 'p99.9', 15),
			),
		),
	]
}

/** The runs of one round at which a server did most exchanges: its limit, round by round. */
export function bestOfRounds(samples: readonly DhcpSample[], server: DhcpServer): DhcpSample[] {
	const best: DhcpSample[] = []
	for (const sample of samples) {
		if (sample.server !== server) continue
		const known = best[sample.round]
		if (known === undefined || sample.exchangesPerSecond > known.exchangesPerSecond) {
			best[sample.round] = sample
		}
	}
	return best
}

/** perfdhcp and the clients of our own generator are different loads: neither speaks for the other. */
function dhcpTargets(load: string, samples: readonly DhcpSample[]): readonly Verdict[] {
	return [
		dhcpTarget(load, samples, 'exchangesPerSecond', 'at least', 2),
		dhcpTarget(load, samples, 'cpuUsPerExchange', 'at most', 0.5),
	]
}

function dhcpTarget(
	load: string,
	samples: readonly DhcpSample[],
	figure: 'exchangesPerSecond' | 'cpuUsPerExchange',
	bound: 'at most' | 'at least',
	limit: number,
): Verdict {
	const what = figure === 'cpuUsPerExchange' ? 'CPU per exchange' : 'exchanges/s'
	const text = `${load}: ${what} ${bound} ${limit} x Kea, memfile`
	const peers = bestOfRounds(samples, 'kea')
	const ratios = bestOfRounds(samples, 'radledger').flatMap((own, round) => {
		const peer = peers[round]
		return peer === undefined ? [] : [own[figure] / peer[figure]]
	})
	return ratioOf(text, ratios, bound, limit)
}

/** The rate at which questions are asked of SRC, and what one may add to an exchange. */
export const questionRate = 2000
const questionLimitMs = 2

function questionTarget(rates: readonly QuestionRates[]): Verdict {
	const text = `Pool question over NATS, ${thousands(questionRate)}/s: adds less than ${questionLimitMs} ms at p99`
	const over = rates.find(({ name }) => name.endsWith('NATS'))
	if (over === undefined) return { text, measured: 'not measured', reached: undefined }
	const ms = over.p99Us / 1000
	const note = over.failed === 0 ? '' : `, but ${over.failed} unanswered`
	return {
		text,
		measured: `${ms.toFixed(2)} ms${note}`,
		reached: over.failed === 0 && ms < questionLimitMs,
	}
}

/** What analysts may take of the relay's rate. */
const analystsShare = 0.05

function httpTarget(rounds: readonly HttpRound[]): Verdict {
	const limit = 1 - analystsShare
	const text = `EAP, window 64, HTTP API at full load: at least ${limit} x the requests/s without`
	const ratios = rounds.map(
		({ asked, without }) => asked.requestsPerSecond / without.requestsPerSecond,
	)
	return ratioOf(text, ratios, 'at least', limit)
}

const memoryLimitGib = 1.5
const restartLimitSeconds = 20
/** What the two targets are about; fewer show nothing. */
export const scaleSubscribers = 1_000_000

function scaleTargets(scale: ScaleFigures | undefined): Verdict[] {
	const many = `${thousands(scaleSubscribers)} live sessions with leases`
	const memory = `${many}: at most ${memoryLimitGib} GiB of memory`
	const restart = `${many}: restart within ${restartLimitSeconds} s`
	if (scale === undefined || scale.subscribers < scaleSubscribers) {
		return [memory, restart].map(text => ({ text, measured: 'not measured', reached: undefined }))
	}
	const gib = scale.peakBytes / 2 ** 30
	const seconds = scale.restartSeconds
	return [
		{ text: memory, measured: `${gib.toFixed(2)} GiB`, reached: gib <= memoryLimitGib },
		{ text: restart, measured: `${seconds.toFixed(1)} s`, reached: seconds <= restartLimitSeconds },
	]
}

const peerNames = {
	radsecproxy: 'radsecproxy, not logging',
	'freeradius-detail': 'FreeRADIUS with detail files',
} as const

function ratioTarget(
	samples: readonly Sample[],
	of: Case,
	figure: 'cpuUsPerRequest' | 'requestsPerSecond',
	peer: keyof typeof peerNames,
	bound: 'at most' | 'at least',
	limit: number,
): Verdict {
	const ratios = pairedRatios(samples, of, 'radledger', peer, figure)
	const what = figure === 'cpuUsPerRequest' ? 'CPU per request' : 'requests/s'
	const text = `${caseTitle(of)}: ${what} ${bound} ${limit} x ${peerNames[peer]}`
	return ratioOf(text, ratios, bound, limit)
}

function ratioOf(
	text: string,
	ratios: readonly number[],
	bound: 'at most' | 'at least',
	limit: number,
): Verdict {
	if (ratios.length === 0) return { text, measured: 'not measured', reached: undefined }
	const ratio = median(ratios)
	const range = `${Math.min(...ratios).toFixed(2)} to ${Math.max(...ratios).toFixed(2)}`
	const reached = bound === 'at most' ? ratio <= limit : ratio >= limit
	return { text, measured: `${ratio.toFixed(2)} x (${range})`, reached }
}

function latencyTarget(
	samples: readonly Sample[],
	of: Case,
	figure: 'p99Us' | 'p999Us',
	name: string,
	limitMs: number,
): Verdict {
	const text = `${caseTitle(of)}: ${name} under ${limitMs} ms`
	const measured = samplesOf(samples, of, 'radledger')
	if (measured.length === 0) return { text, measured: 'not measured', reached: undefined }
	const ms = median(measured.map(measurement => measurement[figure])) / 1000
	const perSecond = median(measured.map(measurement => measurement.requestsPerSecond))
	// A quantile of a load that was not there says nothing.
	const held = perSecond >= steadyRate * 0.98
	const note = held ? '' : `, but only ${Math.round(perSecond)}/s`
	return { text, measured: `${ms.toFixed(2)} ms${note}`, reached: held && ms < limitMs }
}

function rateTarget(name: string, limit: number, rate: number | undefined): Verdict {
	const text = `${name} at least ${thousands(limit)}`
	if (rate === undefined) return { text, measured: 'not measured', reached: undefined }
	return { text, measured: thousands(rate), reached: rate >= limit }
}

function historyTarget(views: ViewFigures | undefined): Verdict {
	const limitMs = 5
	const text = `History of a subscriber among ${thousands(views?.events ?? viewEvents)} events: under ${limitMs} ms`
	const { p50, p99 } = views?.history.subscriber ?? { p50: undefined, p99: undefined }
	if (p50 === undefined) return { text, measured: 'not measured', reached: undefined }
	return { text, measured: `${p50} ms (p99 ${p99} ms)`, reached: p50 < limitMs }
}

/** What the two targets are about; fewer show nothing. */
export const pageEvents = 1_000_000

function pageTargets(page: PageFigures | undefined): Verdict[] {
	const verdict = (what: string, limitMs: number, times: Times | undefined): Verdict => {
		const text = `Web page among ${thousands(pageEvents)} events: ${what} under ${limitMs} ms`
		if (times === undefined) return { text, measured: 'not measured', reached: undefined }
		const { p50, longest } = times
		return { text, measured: `${p50} ms (longest ${longest} ms)`, reached: p50 < limitMs }
	}
	const whole = page !== undefined && page.events >= pageEvents ? page : undefined
	return [
		verdict('first view', 1000, whole?.firstView),
		verdict('a subscriber’s page', 300, whole?.subscriber),
	]
}

export function caseTitle(of: Case): string {
	const kind = of.kind === 'eap' ? 'EAP' : 'Accounting'
	if (of.type === 'window') return `${kind}, window ${of.window}`
	return `${kind}, steady ${thousands(of.rate)}/s`
}

export function thousands(value: number): string {
	return Math.round(value).toLocaleString('en-US')
}
