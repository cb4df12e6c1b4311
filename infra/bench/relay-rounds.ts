/** The relays beside each other: in turns at windows, round by round, and at a steady rate. */
import { join } from 'node:path'
import { installPackages } from './install.ts'
import { buildGenerator, type Load, type Measurement, measure } from './load.ts'
import type { Options } from './options.ts'
import type { Workplace } from './processes.ts'
import { readThreadTimes } from './processor-time.ts'
import {
	emptyLogs,
	kinds,
	logBytes,
	type Ports,
	type Relay,
	type RelayName,
	startRelays,
	startSinks,
} from './relays.ts'
import type { Case, Sample, Subject, ThreadShare } from './results.ts'

/** Everything that stands ready to be measured. */
type Bench = {
	readonly options: Options
	readonly radload: string
	readonly sinks: Ports & { readonly pids: readonly number[] }
	readonly relays: readonly Relay[]
	readonly note: (text: string) => void
}

/** At a steady rate the window must never be what limits it. */
const steadyWindow = 4096
const warmupSeconds = 0.2
/** Relays that no target is about: measured in every second round only. */
const bystanders: readonly RelayName[] = ['radsecproxy-logging', 'freeradius']

/** Measures in the workplace's folder; a relay that cannot run is left out with a note. */
export async function measureRelays(
	workplace: Workplace,
	options: Options,
	note: (text: string) => void,
): Promise<{ samples: Sample[]; threads: ThreadShare[] }> {
	const bench = await prepare(workplace, options, note)
	const own = bench.relays.find(({ name }) => name === 'radledger')
	const before = own && readThreadTimes(own.pid)
	const samples: Sample[] = []
	await measureWindows(bench, samples)
	await measureSteadily(bench, samples)
	const threads = own && before ? sharesBetween(before, readThreadTimes(own.pid)) : []
	return { samples, threads }
}

function sharesBetween(
	before: ReadonlyMap<string, number>,
	after: ReadonlyMap<string, number>,
): ThreadShare[] {
	const spent = [...after].map(([name, ns]) => ({ name, ns: ns - (before.get(name) ?? 0) }))
	const whole = spent.reduce((sum, { ns }) => sum + ns, 0)
	return spent
		.map(({ name, ns }) => ({ name, share: ns / whole }))
		.sort((a, b) => b.share - a.share)
}

async function prepare(
	workplace: Workplace,
	options: Options,
	note: (text: string) => void,
): Promise<Bench> {
	const missing = installPackages()
	if (missing !== '') note(missing)
	const radload = await buildGenerator(join(workplace.folder, '..'), 'radload')
	const sinks = await startSinks(workplace, radload)
	const relays: Relay[] = []
	for (const relay of await startRelays(workplace, sinks, options.relays)) {
		if ('reason' in relay) note(`Left out: ${relay.name}. ${relay.reason}`)
		else relays.push(relay)
	}
	const working = await warmUp(radload, sinks.pids, relays, note)
	return { options, radload, sinks, relays: working, note }
}

/** Lets just-in-time compilers finish, and leaves out what does not relay at all. */
async function warmUp(
	radload: string,
	helpers: readonly number[],
	relays: readonly Relay[],
	note: (text: string) => void,
): Promise<Relay[]> {
	const working: Relay[] = []
	for (const relay of relays) {
		let answered = true
		for (const kind of kinds) {
			// Only one of them has a compiler to warm.
			const seconds = relay.name.startsWith('radledger') ? 2 : 0.5
			const load: Load = { kind, window: 64, seconds, warmupSeconds: 0 }
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
		bench.note(`Windows, round ${round + 1} of ${bench.options.rounds}`)
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
		bench.note(`Steady load: ${of.name}`)
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
	const loud = loudness(relay.name, measurement, logBytes(relay) - bytesBefore)
	if (loud !== undefined) bench.note(loud)
	return { subject: relay.name, case: of, round, measurement }
}

function loadOf(of: Case, seconds: number): Load {
	const { kind } = of
	if (of.type === 'window') return { kind, window: of.window, seconds, warmupSeconds }
	return { kind, window: steadyWindow, rate: of.rate, seconds, warmupSeconds: 1 }
}

/** The comparison that counts is with a radsecproxy that writes nothing for a request. */
function loudness(name: Subject, { answered }: Measurement, bytes: number): string | undefined {
	// A line for each request takes 150 bytes and more; a few warnings are no such thing.
	if (name !== 'radsecproxy' || bytes < answered * 40) return undefined
	return `radsecproxy wrote ${bytes} bytes of log for ${answered} requests: this is not its best.`
}
