/**
 * `npm run bench`: radledger with its journal on, radsecproxy and FreeRADIUS side by side on this
 * machine, Kea beside its DHCP server, and everything else that this project has set itself a target
 * for. One part after the other, from quick to slow; what a part wrote is gone before the next begins.
 *
 *   npm run bench [-- [--seconds N] [--rounds N] [--only NAME ...] [--write-readme]]
 */
import { existsSync, mkdirSync, statfsSync } from 'node:fs'
import { join } from 'node:path'
import { measureDhcp } from './bench/dhcp.ts'
import type { EventStoreFigures } from './bench/eventstore.ts'
import type { FeedFigures } from './bench/feed.ts'
import { measureHttp } from './bench/http.ts'
import { installPackages } from './bench/install.ts'
import type { JournalFigures } from './bench/journal.ts'
import { buildGenerator } from './bench/load.ts'
import { help, type Options, readOptions } from './bench/options.ts'
import type { PageFigures } from './bench/page.ts'
import { endRunning, openWorkplace, type Workplace } from './bench/processes.ts'
import { othersShare } from './bench/processor-time.ts'
import { measureRelays } from './bench/relay-rounds.ts'
import { peerVersions, startSinks } from './bench/relays.ts'
import { conditionsOf, sectionOf } from './bench/report.ts'
import {
	type Measured,
	measuredParts,
	median,
	nothingMeasured,
	type PartName,
	partNames,
	questionRate,
} from './bench/results.ts'
import { measureScale } from './bench/scale.ts'
import { checkReadme, sectionText, writeReadme } from './bench/section.ts'
import { separately } from './bench/separate.ts'
import { measureSrcQuestions } from './bench/src-questions.ts'
import type { VerifyFigures } from './bench/verify.ts'
import type { ViewFigures } from './bench/views.ts'
import { installed } from './install-test-peers.ts'

const buildFolder = join(import.meta.dirname, 'bench/build')
const readme = join(import.meta.dirname, '../README.md')

const dhcpRounds = 3
const questionRounds = 3
const dhcpSeconds = 2
const httpRounds = 3
const httpSeconds = 2
const questionSeconds = 5
/** A run writes up to this much below its folder. */
const neededBytes = 8e9
const tmpfsMagic = 0x01021994
/** A machine that does less than this is idle; for the rest is waited, but not for long. */
const idleShare = 0.05
const idleLimitMs = 15_000

/** Figures, or a sentence on what is missing for them. */
type Outcome = Partial<Measured> | string

/** `relays` come before the parts that write most. */
type Step = PartName | 'relays'
const steps: readonly Step[] = partNames.flatMap((name): Step[] =>
	name === 'scale' ? ['relays', name] : [name],
)

function note(text: string): void {
	process.stderr.write(`${text}\n`)
}

async function measureStep(step: Step, workplace: Workplace, options: Options): Promise<Outcome> {
	const { folder } = workplace
	switch (step) {
		case 'journal':
			return { journal: await separately<JournalFigures>('journal', [folder], 120_000) }
		case 'feed':
			if (!installed('nats-server')) return 'There is no nats-server.'
			return { feed: await separately<FeedFigures>('feed', [folder], 120_000) }
		case 'src':
			return await measureQuestions(options)
		case 'verify':
			return { verify: await separately<VerifyFigures>('verify', [folder], 120_000) }
		case 'eventstore':
			return { eventStore: await separately<EventStoreFigures>('eventstore', [folder], 120_000) }
		case 'http':
			return await measureAnalysts(workplace, options)
		case 'page': {
			if (!installed('chromium')) return 'There is no chromium.'
			const args = [folder, `${options.pageEvents}`]
			return { page: await separately<PageFigures>('page', args, 600_000) }
		}
		case 'dhcp':
			return await measureDhcpBesideKea(options)
		case 'relays':
			return await measureRelays(workplace, options, note)
		case 'scale':
			return { scale: await measureScale(workplace, options.subscribers, note) }
		case 'views': {
			const args = [folder, `${options.viewEvents}`]
			return { views: await separately<ViewFigures>('views', args, 900_000) }
		}
		default:
			return step satisfies never
	}
}

async function measureAnalysts(workplace: Workplace, options: Options): Promise<Outcome> {
	const radload = await buildGenerator(buildFolder, 'radload')
	const sinks = await startSinks(workplace, radload)
	const rounds = Math.min(options.rounds, httpRounds)
	const bench = { workplace, radload, sinks, rounds, seconds: httpSeconds, note }
	return { http: await measureHttp(bench) }
}

async function measureDhcpBesideKea({ rounds }: Options): Promise<Outcome> {
	const measured = await measureDhcp(buildFolder, Math.min(rounds, dhcpRounds), dhcpSeconds, note)
	return typeof measured === 'string' ? measured : { dhcp: measured }
}

async function measureQuestions({ rounds }: Options): Promise<Outcome> {
	const questions = await measureSrcQuestions(buildFolder, {
		rate: questionRate,
		seconds: questionSeconds,
		rounds: Math.min(rounds, questionRounds),
	})
	if (questions.length < 2) note('Left out: questions over NATS. There is no nats-server.')
	return { questions }
}

type Run = { measured: Measured; readonly others: Map<string, number>; failed: boolean }

/** In a workplace of its own, which is gone afterwards. What fails or cannot be is left out, with the reason. */
async function take(step: Step, options: Options, run: Run): Promise<void> {
	const before = await idle()
	const began = performance.now()
	note(
		`${step}${before > idleShare ? `. Meanwhile ${percent(before)} of the processors' time goes to other programs.` : ''}`,
	)
	const workplace = openWorkplace(buildFolder)
	open = workplace
	try {
		const outcome = await measureStep(step, workplace, options)
		if (typeof outcome === 'string') note(`Left out: ${step}. ${outcome}`)
		else run.measured = { ...run.measured, ...outcome }
	} catch (error) {
		run.failed = true
		note(`Left out: ${step}. ${error instanceof Error ? error.message : error}`)
	} finally {
		await workplace.close()
	}
	run.others.set(step, before)
	note(`${step} took ${seconds(began)}`)
}

/** Waits until the machine is idle, but not for long. Resolves to what share of it is not. */
async function idle(): Promise<number> {
	const end = performance.now() + idleLimitMs
	for (;;) {
		const share = await othersShare()
		if (share <= idleShare || performance.now() > end) return share
	}
}

/** By part and load: at the relays' loads it was measured all the time, elsewhere just before. */
function othersOf({ measured, others }: Run): Map<string, number> {
	const byName = new Map(others)
	for (const { name } of new Set(measured.samples.map(sample => sample.case))) {
		const own = measured.samples.filter(sample => sample.case.name === name)
		byName.set(name, median(own.map(({ measurement }) => measurement.elsewhere)))
	}
	return byName
}

function checkDisk(): void {
	const { type, bavail, bsize } = statfsSync(buildFolder)
	if (type === tmpfsMagic) {
		note(`${buildFolder} is in memory: what it costs to be durable is not in these figures.`)
	}
	if (bavail * bsize > neededBytes) return
	throw new Error(`${buildFolder} has less than ${neededBytes / 1e9} GB free. Make room there.`)
}

function percent(share: number): string {
	return `${Math.round(share * 100)} %`
}

function seconds(since: number): string {
	return `${((performance.now() - since) / 1000).toFixed(0)} s`
}

/** The workplace of the part that is being measured. */
let open: Workplace | undefined

async function main(): Promise<void> {
	const options = readOptions(process.argv.slice(2))
	if (options === 'help') {
		process.stdout.write(help)
		return
	}
	const began = performance.now()
	mkdirSync(buildFolder, { recursive: true })
	checkDisk()
	const missing = installPackages()
	if (missing !== '') note(missing)
	const peers = peerVersions()
	const wanted: string[] = [...options.cases.map(({ name }) => name), ...options.parts]
	if (options.writeReadme) {
		if (!existsSync(readme)) throw new Error(`There is no ${readme}.`)
		checkReadme(readme, conditionsOf(peers), wanted)
	}
	for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
		process.once(signal, () => {
			endRunning()
			void Promise.resolve(open?.close()).then(() => process.exit(130))
		})
	}
	const run: Run = { measured: nothingMeasured, others: new Map(), failed: false }
	for (const step of steps) {
		if (step === 'relays' ? options.cases.length > 0 : options.parts.has(step)) {
			await take(step, options, run)
		}
	}
	const section = sectionOf({ ...run.measured, others: othersOf(run), peers, at: Date.now() })
	// What nobody asked for is no news; what could not be measured is.
	const asked = section.targets.filter(({ part }) => part !== undefined && wanted.includes(part))
	process.stdout.write(`${sectionText({ ...section, targets: asked }, false)}\n`)
	if (options.writeReadme && measuredParts(run.measured).length > 0) writeReadme(readme, section)
	note(`The bench took ${seconds(began)}.`)
	if (run.failed) process.exitCode = 1
}

main().catch(error => {
	note(`bench: ${error instanceof Error ? error.message : error}`)
	process.exitCode = 1
})
