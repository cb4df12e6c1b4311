/**
 * A relay with a great many live sessions and their leases: the memory of its process, and how long
 * it takes to start with them, from a snapshot and without one.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePorts } from '../free-ports.ts'
import { run, start, type Workplace, waitUntil } from './processes.ts'
import { readProcessorTime } from './processor-time.ts'

export type ScaleFigures = {
	readonly subscribers: number
	/** Seconds from the program's start until it serves: from the whole journal, from a snapshot. */
	readonly rebuildSeconds: number
	readonly restartSeconds: number
	/** Processor time of the start from a snapshot, which a busy machine blurs less. */
	readonly restartCpuSeconds: number
	/** Resident memory of the process after the restart: when it serves, and the most until then and a while after. */
	readonly readyBytes: number
	readonly peakBytes: number
}

const program = join(import.meta.dirname, 'subscribers.ts')
const main = join(import.meta.dirname, '../../src/main.ts')
const buildLimitMs = 300_000
const startLimitMs = 600_000
const stopLimitMs = 120_000
const watchMs = 5_000

/** undefined, with a note why, where it fails. */
export async function measureScale(
	workplace: Workplace,
	subscribers: number,
	note: (text: string) => void,
): Promise<ScaleFigures | undefined> {
	if (!existsSync('/proc/self/status')) {
		note("Left out: memory and restart. A process's memory is read from Linux's /proc.")
		return undefined
	}
	note(`Memory and restart with ${subscribers} subscribers`)
	const folder = join(workplace.folder, 'scale')
	mkdirSync(folder)
	const data = join(folder, 'data')
	const built = await run(process.execPath, [program, data, `${subscribers}`], buildLimitMs)
	if (built.code !== 0) {
		note(`Left out: memory and restart. No journal could be made: ${built.stderr.trim()}`)
		return undefined
	}
	const config = join(folder, 'radledger.conf')
	writeFileSync(config, await configuration())
	const first = await serve(workplace, config, data)
	await stop(first)
	const second = await serve(workplace, config, data)
	const restartCpuSeconds = readProcessorTime(second.pid).totalUs / 1e6
	const readyBytes = memoryOf(second.pid, 'VmRSS')
	await sleep(watchMs)
	const peakBytes = memoryOf(second.pid, 'VmHWM')
	await stop(second)
	return {
		subscribers,
		rebuildSeconds: first.seconds,
		restartSeconds: second.seconds,
		restartCpuSeconds,
		readyBytes,
		peakBytes,
	}
}

/** The least that serves: nobody asks it anything. */
export async function configuration(): Promise<string> {
	return [
		'radius authentication server 127.0.0.1',
		' key testing123',
		` udp-port ${(await freePorts(1))[0]!}`,
		'exit',
		'radius relay authentication server',
		' key 127.0.0.0 255.0.0.0 testing123',
		' listen-address 127.0.0.1',
		` udp-port ${(await freePorts(1))[0]!}`,
		'exit',
		'',
	].join('\n')
}

type Served = { readonly pid: number; readonly seconds: number; readonly ended: () => boolean }

async function serve(workplace: Workplace, config: string, data: string): Promise<Served> {
	const began = performance.now()
	const args = [main, 'serve', '--config', config, '--data', data]
	const child = start(workplace, process.execPath, args, 'pipe')
	let ready = false
	let ended = false
	let lastLine = ''
	createInterface({ input: child.stderr! }).on('line', line => {
		lastLine = line
		if (line.includes('"id":"ready"')) ready = true
	})
	child.once('exit', () => {
		ended = true
	})
	await waitUntil(() => ready || ended, startLimitMs)
	if (!ready) throw new Error(`The relay did not get ready. Its last line: ${lastLine}`)
	const seconds = (performance.now() - began) / 1000
	return { pid: child.pid, seconds, ended: () => ended }
}

async function stop({ pid, ended }: Served): Promise<void> {
	process.kill(pid, 'SIGTERM')
	if (!(await waitUntil(ended, stopLimitMs))) throw new Error('The relay did not stop.')
}

function memoryOf(pid: number, field: 'VmRSS' | 'VmHWM'): number {
	const text = readFileSync(`/proc/${pid}/status`, 'latin1')
	return Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(text)?.[1]) * 1024
}
