/** The load generator: building it, and one measured run of it against a relay. */
import { existsSync, statSync } from 'node:fs'
import { cpus } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { run } from './processes.ts'
import { processorUsBetween, readMachineBusyUs, readProcessorTime } from './processor-time.ts'
import type { Kind } from './relays.ts'

export type Load = {
	readonly kind: Kind
	/** Requests outstanding at once; with a rate, the most that may be. */
	readonly window: number
	readonly seconds: number
	/** Sent before, like the rest, but not measured. */
	readonly warmupSeconds: number
	/** Requests a second; without it, as many as the window allows. */
	readonly rate?: number
}

/** One run. Latencies in microseconds, from sending a request to its verified answer. */
export type Measurement = {
	readonly requestsPerSecond: number
	/** Of the whole relay process, what it put off until after the load included. */
	readonly cpuUsPerRequest: number
	readonly p50Us: number
	readonly p99Us: number
	readonly p999Us: number
	readonly sent: number
	readonly answered: number
	readonly retransmits: number
	readonly lost: number
	/** Answers that were wrong, or to nothing that was asked. */
	readonly bad: number
	/** Share of all processors' time that went elsewhere meanwhile: what blurs the figures. */
	readonly elsewhere: number
}

type Report = Readonly<
	Record<
		| 'sent'
		| 'ok'
		| 'per_s'
		| 'retransmits'
		| 'lost'
		| 'bad'
		| 'p50_us'
		| 'p99_us'
		| 'p999_us'
		| 'cpu_us',
		number
	>
>

/** Compiles a load generator of this folder where it is not newer than its source. Returns its path. */
export async function buildGenerator(
	folder: string,
	name: 'radload' | 'dhcpload',
): Promise<string> {
	const source = join(import.meta.dirname, `${name}.c`)
	const target = join(folder, name)
	if (existsSync(target) && statSync(target).mtimeMs > statSync(source).mtimeMs) return target
	const args = ['-O2', '-Wall', '-Wextra', '-o', target, source, '-lcrypto']
	const { code, stderr } = await run('cc', args, 60_000)
	if (code === 0) return target
	throw new Error(
		`The load generator could not be built from ${source}: ${stderr.trim()}\n` +
			'It needs a C compiler and OpenSSL (Debian: apt-get install gcc libssl-dev).',
	)
}

/**
 * Puts a load on a relay. Its processor time is counted from before the load until it rests again,
 * so that work which is only put off is not work saved. `helpers`: the home servers' pids.
 */
export async function measure(
	radload: string,
	port: number,
	load: Load,
	relayPid: number | undefined,
	helpers: readonly number[],
): Promise<Measurement> {
	const began = performance.now()
	const busyBefore = readMachineBusyUs()
	const helpersBefore = helpers.map(readProcessorTime)
	const before = relayPid === undefined ? undefined : readProcessorTime(relayPid)
	const report = await generate(radload, port, load)
	let relayUs = 0
	if (relayPid !== undefined && before !== undefined) {
		await rest(relayPid)
		relayUs = processorUsBetween(before, readProcessorTime(relayPid))
	}
	let ours = relayUs + report.cpu_us
	helpers.forEach((pid, i) => {
		ours += processorUsBetween(helpersBefore[i]!, readProcessorTime(pid))
	})
	const elsewhereUs = Math.max(0, readMachineBusyUs() - busyBefore - ours)
	return {
		requestsPerSecond: report.per_s,
		cpuUsPerRequest: report.ok === 0 ? Number.NaN : relayUs / report.ok,
		p50Us: report.p50_us,
		p99Us: report.p99_us,
		p999Us: report.p999_us,
		sent: report.sent,
		answered: report.ok,
		retransmits: report.retransmits,
		lost: report.lost,
		bad: report.bad,
		elsewhere: elsewhereUs / ((performance.now() - began) * 1000 * cpus().length),
	}
}

async function generate(radload: string, port: number, load: Load): Promise<Report> {
	const args = [
		...['--port', `${port}`, '--mode', load.kind === 'eap' ? 'eap' : 'acct'],
		...['--window', `${load.window}`, '--seconds', `${load.seconds}`],
		...['--warmup', `${load.warmupSeconds}`],
		...(load.rate === undefined ? [] : ['--rate', `${load.rate}`]),
	]
	const limitMs = (load.seconds + load.warmupSeconds + 10) * 1000
	const { stdout, stderr } = await run(radload, args, limitMs)
	// It exits with 1 when something was lost, but reports all the same.
	if (!stdout.startsWith('{')) throw new Error(`The load generator failed: ${stderr.trim()}`)
	return JSON.parse(stdout) as Report
}

/** Waits until a process hardly uses a processor any more, 5 s at most. */
export async function rest(pid: number): Promise<void> {
	let last = readProcessorTime(pid)
	for (let i = 0; i < 50; i++) {
		await sleep(100)
		const now = readProcessorTime(pid)
		if (processorUsBetween(last, now) < 3000) return
		last = now
	}
}
