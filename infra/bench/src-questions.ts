/**
 * Pool questions at a steady rate: over a real NATS server to two copies of `radledger src-adapter`,
 * and answered within the process. A question's time is what it adds to an exchange: from the call
 * to its outcome. The rate does not wait for answers.
 *
 *   node infra/bench/src-questions.ts [--rate N] [--seconds N] [--rounds N]
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { setFlagsFromString } from 'node:v8'
import { createSrcClient } from '../../adapters/nats/src-client.ts'
import type { SrcClient } from '../../domain/sae/client.ts'
import { createLocalSrc } from '../../domain/sae/local.ts'
import type { DiscoverRequest } from '../../domain/sae/protocol.ts'
import { parseRules } from '../../domain/sae/rules-text.ts'
import { installed } from '../install-test-peers.ts'
import { startNatsServer } from './nats-server.ts'
import { openWorkplace, start } from './processes.ts'

export type QuestionRates = {
	readonly name: string
	/** Of the middle run by p99; `failed`, without an answer, of all runs. */
	readonly questions: number
	readonly failed: number
	readonly p50Us: number
	readonly p99Us: number
	readonly p999Us: number
}

const warmupQuestions = 2000
const turnMs = 1
const copies = 2
const main = join(import.meta.dirname, '../../src/main.ts')

/** Twenty rules of every kind, of which the last ones decide. */
const rulesText = `${Array.from(
	{ length: 20 },
	(_, i) => `rule r${i}
  match realm realm-${i}.example.org
  match ssid campus-*
  match mac-prefix 02-0${i % 10}
  pool pool-${i} weight 3
  pool other-${i}
  service gold
`,
).join('')}rule hours
  match user /^guest[0-9]+@/
  match time mon-sun 00:00-24:00 Europe/Berlin
  pool hours
default
  pool guests
  lease 3600
`

function request(i: number): DiscoverRequest {
	const digits = (i & 0xffffff).toString(16).toUpperCase().padStart(6, '0')
	return {
		interfaceName: 'FastEthernet 0/0',
		macAddress: `02-00-00-${digits.slice(0, 2)}-${digits.slice(2, 4)}-${digits.slice(4)}`,
		virtualRouterName: 'default',
		dhcpOptions: { 12: 'bGFwdG9w', 55: 'AQMGDw==', 61: 'AQIAAAAAAQ==', 82: 'AQV2bGFuNw==' },
		userName: `user${i}@realm-${i % 40}.example.org`,
		radiusClass: 'staff',
		serviceBundle: 'gold',
		wap: '02-AA-00-00-00-07',
		ssid: 'campus-5g',
		giaddr: '10.1.0.1',
	}
}

/** Asks at `rate` a second, whatever the answers do. */
async function measureClient(
	name: string,
	client: SrcClient,
	rate: number,
	seconds: number,
): Promise<QuestionRates> {
	for (let i = 0; i < warmupQuestions; i += 20) {
		await Promise.all(Array.from({ length: 20 }, (_, k) => client.discover(request(i + k))))
	}
	const total = Math.round(rate * seconds)
	const times = new Float64Array(total)
	const answers: Promise<void>[] = []
	let failed = 0
	const begin = performance.now()
	for (let next = 0; next < total; ) {
		const due = Math.min(total, Math.floor(((performance.now() - begin) / 1000) * rate) + 1)
		for (; next < due; next++) {
			const index = next
			const askedAt = performance.now()
			const answered = client.discover(request(index)).then(outcome => {
				times[index] = performance.now() - askedAt
				if ('failure' in outcome) failed++
			})
			answers.push(answered)
		}
		await sleep(turnMs)
	}
	await Promise.all(answers)
	times.sort()
	const at = (share: number) => Math.round(times[Math.ceil(total * share) - 1]! * 1000)
	return {
		name,
		questions: total,
		failed,
		p50Us: at(0.5),
		p99Us: at(0.99),
		p999Us: at(0.999),
	}
}

/** The middle one of several runs: whatever else the machine does is in single ones. */
async function middleRun(
	measure: () => Promise<QuestionRates>,
	rounds: number,
): Promise<QuestionRates> {
	const runs: QuestionRates[] = []
	for (let round = 0; round < rounds; round++) runs.push(await measure())
	runs.sort((a, b) => a.p99Us - b.p99Us)
	const failed = runs.reduce((sum, run) => sum + run.failed, 0)
	return { ...runs[Math.floor(rounds / 2)]!, failed }
}

/** Rates over NATS (where a `nats-server` is installed) and within the process. */
export async function measureSrcQuestions(
	parent: string,
	options: { readonly rate: number; readonly seconds: number; readonly rounds: number },
): Promise<QuestionRates[]> {
	const { rate, seconds, rounds } = options
	const middle = (name: string, client: SrcClient) =>
		middleRun(() => measureClient(name, client, rate, seconds), rounds)
	// As the relay has it.
	setFlagsFromString('--no-parallel-scavenge')
	const parsed = parseRules(rulesText)
	if ('errors' in parsed) throw new Error(parsed.errors[0]!.message)
	const local = createLocalSrc({ rules: () => parsed.rules, now: Date.now })
	const results = [await middle('pool questions, local', local)]
	if (!installed('nats-server')) return results
	const workplace = openWorkplace(parent)
	try {
		const port = await startNatsServer(workplace)
		const rules = join(workplace.folder, 'bench.rules')
		writeFileSync(rules, rulesText)
		const flags = ['src-adapter', '--rules', rules, '--nats', `nats://127.0.0.1:${port}`]
		for (let i = 0; i < copies; i++) start(workplace, process.execPath, [main, ...flags])
		const client = createSrcClient({
			servers: [{ role: 'primary', address: '127.0.0.1', port }],
			retryMs: 5000,
		})
		await untilAnswered(client)
		results.push(await middle('pool questions, NATS', client))
		await client.close()
	} finally {
		await workplace.close()
	}
	return results
}

async function untilAnswered(client: SrcClient): Promise<void> {
	for (let attempt = 0; attempt < 100; attempt++) {
		if (!('failure' in (await client.discover(request(0))))) return
		await sleep(100)
	}
	throw new Error('No SRC adapter answers.')
}

if (import.meta.main) {
	const { values } = parseArgs({
		options: {
			rate: { type: 'string', default: '2000' },
			seconds: { type: 'string', default: '5' },
			rounds: { type: 'string', default: '1' },
		},
	})
	const rates = await measureSrcQuestions(join(import.meta.dirname, 'build'), {
		rate: Number(values.rate),
		seconds: Number(values.seconds),
		rounds: Number(values.rounds),
	})
	for (const { name, questions, failed, p50Us, p99Us, p999Us } of rates) {
		console.log(
			`${name}: ${questions} questions, ${failed} failed, p50 ${p50Us} us, p99 ${p99Us} us, p99.9 ${p999Us} us`,
		)
	}
}
