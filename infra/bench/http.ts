/**
 * What analysts cost the relay: EAP logins at a window, without and with an HTTP API that is asked
 * for all it can give, in turns. Analysts are a process of their own, of the lowest priority: what
 * they cost is not what the API costs.
 */
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Load, type Measurement, measure } from './load.ts'
import { type Output, run, type Workplace } from './processes.ts'
import { type Ports, startRadledger } from './relays.ts'

export type HttpRound = {
	readonly without: Measurement
	readonly asked: Measurement
	/** Answers that the API gave in a second meanwhile, and those that were none. */
	readonly answersPerSecond: number
	readonly failed: number
}

export type HttpBench = {
	readonly workplace: Workplace
	readonly radload: string
	readonly sinks: Ports & { readonly pids: readonly number[] }
	readonly rounds: number
	readonly seconds: number
	readonly note: (text: string) => void
}

const program = join(import.meta.dirname, 'analysts.ts')
const window = 64
/** They begin before the load and end after it. */
const aheadMs = 1_000
const fillSeconds = 3

/** Empty, with a note why, where the relay does not start. */
export async function measureHttp(bench: HttpBench): Promise<HttpRound[]> {
	const { workplace, radload, sinks, rounds, seconds, note } = bench
	const port = await freeTcpPort()
	const flags = ['--http', `127.0.0.1:${port}`]
	const relay = await startRadledger(workplace, sinks, 'radledger-http', flags)
	if ('reason' in relay) {
		note(`Left out: the HTTP API. ${relay.reason}`)
		return []
	}
	const load: Load = { kind: 'eap', window, seconds, warmupSeconds: 0.2 }
	const loaded = (of: Load) => measure(radload, relay.ports.eap, of, relay.pid, sinks.pids)
	// There is something to ask for, and compilers have finished.
	await loaded({ ...load, seconds: fillSeconds })
	const measured: HttpRound[] = []
	for (let round = 0; round < rounds; round++) {
		note(`HTTP API, round ${round + 1} of ${rounds}`)
		const plain = round % 2 === 0 ? await loaded(load) : undefined
		const analysts = ask(port, seconds + 2)
		await sleep(aheadMs)
		const asked = await loaded(load)
		const { answers, failed, lasted } = read(await analysts)
		const without = plain ?? (await loaded(load))
		measured.push({ without, asked, answersPerSecond: answers / lasted, failed })
	}
	return measured
}

function ask(port: number, seconds: number): Promise<Output> {
	const args = ['-n', '19', process.execPath, program, `${port}`, `${seconds}`]
	return run('nice', args, (seconds + 20) * 1000)
}

function read({ code, stdout, stderr }: Output) {
	if (code === 0) {
		return JSON.parse(stdout) as { answers: number; failed: number; lasted: number }
	}
	throw new Error(`The analysts of the bench failed: ${stderr.trim() || `exit code ${code}`}`)
}

function freeTcpPort(): Promise<number> {
	return new Promise(resolve => {
		const server = createServer().listen(0, '127.0.0.1', () => {
			const { port } = server.address() as { port: number }
			server.close(() => resolve(port))
		})
	})
}
