/**
 * `npm run bench`: radledger with its journal on, radsecproxy and FreeRADIUS side by side on this
 * machine, Kea beside its DHCP server, questions to SRC, a million sessions, and the journal by itself,
 * against the targets that this project has set itself.
 *
 *   npm run bench [-- [--seconds N] [--rounds N] [--only NAME ...] [--write-readme]]
 */
import { existsSync, statfsSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { measureDhcp } from './bench/dhcp.ts'
import { measureHttp } from './bench/http.ts'
import { installPackages } from './bench/install.ts'
import { measureJournal } from './bench/journal-rates.ts'
import { buildGenerator, type Load, type Measurement, measure } from './bench/load.ts'
import { openWorkplace, type Workplace } from './bench/processes.ts'
import {
	emptyLogs,
	kinds,
	logBytes,
	type Ports,
	peerVersions,
	type Relay,
	type RelayName,
	relayNames,
	startRelays,
	startSinks,
} from './bench/relays.ts'
import { report, writeReadme } from './bench/report.ts'
import {
	type Case,
	questionRate,
	type Sample,
	type Subject,
	scaleSubscribers,
	steadyCases,
	windowCases,
} from './bench/results.ts'
import { measureScale } from './bench/scale.ts'
import { measureSrcQuestions } from './bench/src-questions.ts'
import { measureVerify } from './bench/verify.ts'
import { measureViewRates } from './bench/view-rates.ts'
import { viewEvents } from './bench/views.ts'

/** What is measured beside the relays. */
const partNames = ['dhcp', 'src', 'scale', 'http', 'journal', 'views', 'verify'] as const
type Part = (typeof partNames)[number]

type Options = {
	/** Measured seconds of one run at a window, and at the steady rate. */
	readonly seconds: number
	readonly steadySeconds: number
	readonly rounds: number
	readonly relays: ReadonlySet<RelayName>
	readonly cases: readonly Case[]
	readonly parts: ReadonlySet<Part>
	readonly subscribers: number
	readonly viewEvents: number
	readonly writeReadme: boolean
}

/** Everything that stands ready to be measured. */
type Bench = {
	readonly options: Options
	readonly radload: string
	readonly sinks: Ports & { readonly pids: readonly number[] }
	readonly relays: readonly Relay[]
}

const infra = import.meta.dirname
const buildFolder = join(infra, 'bench/build')
const readme = join(infra, '../README.md')

const help = `Measures radledger, radsecproxy and FreeRADIUS side by side; as a DHCP server beside Kea; what a
question to SRC costs, what a million sessions take, what analysts cost, and the journal by itself.

  --seconds N         measured seconds of each run at a window (0.8)
  --steady-seconds N  measured seconds of each run at the steady rate (10)
  --rounds N          rounds at the windows, of which medians are taken (6)
  --only NAME         only this relay or part; may be given several times
  --subscribers N     live sessions of the part scale (1000000)
  --view-events N     events of the part views (10000000)
  --write-readme      puts the tables into README.md

Relays: ${relayNames.join(', ')}
Parts:  ${[...windowCases, ...steadyCases].map(({ name }) => name).join(', ')}, ${partNames.join(', ')}
`

/** At a steady rate the window must never be what limits it. */
const steadyWindow = 4096
const warmupSeconds = 0.2
/** Relays that no target is about: measured in every second round only. */
const bystanders: readonly RelayName[] = ['radsecproxy-logging', 'freeradius']
const dhcpRounds = 3
const dhcpSeconds = 3
/** A run writes up to this much below its folder. */
const neededBytes = 6e9
const tmpfsMagic = 0x01021994

function readOptions(): Options | 'help' {
	const { values } = parseArgs({
		options: {
			seconds: { type: 'string', default: '0.8' },
			'steady-seconds': { type: 'string', default: '10' },
			rounds: { type: 'string', default: '6' },
			only: { type: 'string', multiple: true, default: [] },
			subscribers: { type: 'string', default: `${scaleSubscribers}` },
			'view-events': { type: 'string', default: `${viewEvents}` },
			'write-readme': { type: 'boolean', default: false },
			help: { type: 'boolean', default: false },
		},
	})
	if (values.help) return 'help'
	const chosenRelays = relayNames.filter(name => values.only.includes(name))
	const allCases = [...windowCases, ...steadyCases]
	const chosenCases = allCases.filter(({ name }) => values.only.includes(name))
	const known: string[] = [...relayNames, ...allCases.map(({ name }) => name), ...partNames]
	const unknown = values.only.find(name => !known.includes(name))
	if (unknown !== undefined) {
		throw new Error(`--only ${unknown}: there is no such relay or part. Known: ${known.join(', ')}`)
	}
	const chosenParts = partNames.filter(name => values.only.includes(name))
	const onlyParts = values.only.length > 0 && chosenParts.length === values.only.length
	return {
		seconds: readNumber('--seconds', values.seconds, 0.1, 60),
		steadySeconds: readNumber('--steady-seconds', values['steady-seconds'], 0.1, 60),
		rounds: Math.round(readNumber('--rounds', values.rounds, 1, 20)),
		relays: new Set(chosenRelays.length > 0 ? chosenRelays : relayNames),
		cases: chosenCases.length > 0 ? chosenCases : onlyParts ? [] : allCases,
		parts: new Set(values.only.length === 0 ? partNames : chosenParts),
		subscribers: Math.round(readNumber('--subscribers', values.subscribers, 1, 1_048_573)),
		viewEvents: Math.round(readNumber('--view-events', values['view-events'], 1_000, 100_000_000)),
		writeReadme: values['write-readme'],
	}
}

function readNumber(option: string, text: string, least: number, most: number): number {
	const value = Number(text)
	if (value >= least && value <= most) return value
	throw new Error(`${option} ${text}: must be a number from ${least} to ${most}.`)
}

function note(text: string): void {
	process.stderr.write(`${text}\n`)
}

async function prepare(workplace: Workplace, options: Options): Promise<Bench> {
	const missing = installPackages()
	if (missing !== '') note(missing)
	const radload = await buildGenerator(buildFolder, 'radload')
	const sinks = await startSinks(workplace, radload)
	const relays: Relay[] = []
	for (const relay of await startRelays(workplace, sinks, options.relays)) {
		if ('reason' in relay) note(`Left out: ${relay.name}. ${relay.reason}`)
		else relays.push(relay)
	}
	return { options, radload, sinks, relays: await warmUp(radload, sinks.pids, relays) }
}

/** Lets just-in-time compilers finish, and leaves out what does not relay at all. */
async function warmUp(
	radload: string,
	helpers: readonly number[],
	relays: readonly Relay[],
): Promise<Relay[]> {
	const working: Relay[] = []
	for (const relay of relays) {
		let answered = true
		for (const kind of kinds) {
			const load: Load = { kind, window: 64, seconds: 2, warmupSeconds: 0 }
			const result = await measure(radload, relay.ports[kind], load, relay.pid, helpers)
			if (result.answered === 0) answered = false
		}
		if (answered) working.push(relay)
		else note(`Left out: ${relay.name}. It answered nothing.`)
	}
	return working
}

async function measureWindows(bench: Bench, samples: Sample[]): Promise<void> {
	const cases = bench.options.cases.filter(({ type }) => type === 'window')
	if (cases.length === 0) return
	for (let round = 0; round < bench.options.rounds; round++) {
		note(`Windows, round ${round + 1} of ${bench.options.rounds}`)
		for (const of of cases) {
			if (round === 0) samples.push(await measureAlone(bench, of, bench.options.seconds / 2))
			for (const relay of turnsOf(bench.relays, round)) {
				samples.push(await measureRelay(bench, relay, of, bench.options.seconds, round))
			}
		}
		for (const relay of bench.relays) emptyLogs(relay)
	}
}

/** There and back again, so that a machine that slows down favours nobody. */
function turnsOf(relays: readonly Relay[], round: number): readonly Relay[] {
	if (round % 2 === 0) return relays
	return relays.filter(({ name }) => !bystanders.includes(name)).toReversed()
}

async function measureSteadily(bench: Bench, samples: Sample[]): Promise<void> {
	const { steadySeconds } = bench.options
	for (const of of bench.options.cases) {
		if (of.type !== 'steady') continue
		note(`Steady load: ${of.name}`)
		samples.push(await measureAlone(bench, of, steadySeconds / 4))
		for (const relay of bench.relays) {
			if (relay.name !== 'radledger' && relay.name !== 'radsecproxy') continue
			samples.push(await measureRelay(bench, relay, of, steadySeconds, 0))
		}
	}
}

/** The load generator against the home server, with no relay between them. */
async function measureAlone(bench: Bench, of: Case, seconds: number): Promise<Sample> {
	const load = loadOf(of, seconds)
	const { radload, sinks } = bench
	const measurement = await measure(radload, sinks[of.kind], load, undefined, sinks.pids)
	return { subject: 'none', case: of, round: 0, measurement }
}

async function measureRelay(
	bench: Bench,
	relay: Relay,
	of: Case,
	seconds: number,
	round: number,
): Promise<Sample> {
	const load = loadOf(of, seconds)
	const bytesBefore = logBytes(relay)
	const port = relay.ports[of.kind]
	const measurement = await measure(bench.radload, port, load, relay.pid, bench.sinks.pids)
	checkQuiet(relay.name, measurement, logBytes(relay) - bytesBefore)
	return { subject: relay.name, case: of, round, measurement }
}

function loadOf(of: Case, seconds: number): Load {
	const { kind } = of
	if (of.type === 'window') return { kind, window: of.window, seconds, warmupSeconds }
	return { kind, window: steadyWindow, rate: of.rate, seconds, warmupSeconds: 1 }
}

/** The comparison that counts is with a radsecproxy that writes nothing for a request. */
function checkQuiet(name: Subject, { answered }: Measurement, bytes: number): void {
	// A line for each request takes 150 bytes and more; a few warnings are no such thing.
	if (name !== 'radsecproxy' || bytes < answered * 40) return
	note(`radsecproxy wrote ${bytes} bytes of log for ${answered} requests: this is not its best.`)
}

function checkDisk(): void {
	const { type, bavail, bsize } = statfsSync(buildFolder)
	if (type === tmpfsMagic) {
		note(`${buildFolder} is in memory: what it costs to be durable is not in these figures.`)
	}
	if (bavail * bsize > neededBytes) return
	throw new Error(`${buildFolder} has less than ${neededBytes / 1e9} GB free. Make room there.`)
}

/** One after the other: what a part has started is gone before the next begins. */
async function measureParts(workplace: Workplace, options: Options) {
	const { parts, rounds, subscribers } = options
	return {
		dhcp: parts.has('dhcp') ? await dhcpSamples(rounds) : [],
		questions: parts.has('src') ? await questionRates(options) : [],
		scale: parts.has('scale') ? await measureScale(workplace, subscribers, note) : undefined,
		http: parts.has('http') ? await httpRounds(workplace, options) : [],
		journal: parts.has('journal') ? await measureJournal(workplace.folder, note) : undefined,
		views: parts.has('views')
			? await measureViewRates(workplace.folder, options.viewEvents, note)
			: undefined,
		verify: parts.has('verify')
			? await measureVerify(workplace.folder, undefined, note)
			: undefined,
	}
}

async function httpRounds(workplace: Workplace, { rounds, seconds }: Options) {
	const radload = await buildGenerator(buildFolder, 'radload')
	const sinks = await startSinks(workplace, radload)
	return measureHttp({ workplace, radload, sinks, rounds, seconds: Math.max(seconds, 2), note })
}

async function dhcpSamples(rounds: number) {
	const missing = installPackages()
	if (missing !== '') note(missing)
	const measured = await measureDhcp(buildFolder, Math.min(rounds, dhcpRounds), dhcpSeconds, note)
	if (typeof measured !== 'string') return measured
	note(`Left out: DHCP. ${measured}`)
	return []
}

async function questionRates({ steadySeconds }: Options) {
	note('Questions to SRC')
	const rates = await measureSrcQuestions(buildFolder, {
		rate: questionRate,
		seconds: steadySeconds,
	})
	if (rates.length < 2) note('Left out: questions over NATS. There is no nats-server.')
	return rates
}

async function main(): Promise<void> {
	const options = readOptions()
	if (options === 'help') {
		process.stdout.write(help)
		return
	}
	if (options.writeReadme && !existsSync(readme)) throw new Error(`There is no ${readme}.`)
	const workplace = openWorkplace(buildFolder)
	for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
		process.once(signal, () => void workplace.close().then(() => process.exit(130)))
	}
	try {
		checkDisk()
		const samples: Sample[] = []
		if (options.cases.length > 0) {
			const bench = await prepare(workplace, options)
			await measureWindows(bench, samples)
			await measureSteadily(bench, samples)
		}
		const parts = await measureParts(workplace, options)
		const { rounds } = options
		const text = report({ samples, ...parts, rounds, peers: peerVersions(), at: Date.now() })
		process.stdout.write(`${text}\n`)
		if (options.writeReadme) writeReadme(readme, text)
	} finally {
		await workplace.close()
	}
}

main().catch(error => {
	note(`bench: ${error instanceof Error ? error.message : error}`)
	process.exitCode = 1
})
