import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import type { Measurement } from '../infra/bench/load.ts'
import { processorUsBetween, readProcessorTime } from '../infra/bench/processor-time.ts'
import { writeReadme } from '../infra/bench/report.ts'
import {
	median,
	pairedRatios,
	type Sample,
	type Subject,
	steadyCases,
	targets,
	windowCases,
} from '../infra/bench/results.ts'

const window64 = windowCases[0]!
const steady = steadyCases[0]!

function sample(
	subject: Subject,
	round: number,
	figures: Partial<Measurement>,
	of = window64,
): Sample {
	const nothing = { requestsPerSecond: 1, cpuUsPerRequest: 1, p50Us: 0, p99Us: 0, p999Us: 0 }
	const counts = { sent: 1, answered: 1, retransmits: 0, lost: 0, bad: 0, elsewhere: 0 }
	return { subject, case: of, round, measurement: { ...nothing, ...counts, ...figures } }
}

function reached(samples: readonly Sample[], text: string): boolean | undefined {
	const target = targets(samples, undefined).find(one => one.text.startsWith(text))
	if (target === undefined) throw new Error(`no target begins with "${text}"`)
	return target.reached
}

test('processor time is the sum over threads, new ones included', () => {
	const before = { threadsNs: new Map([['1', 5_000]]), totalUs: 0 }
	const after = {
		threadsNs: new Map([
			['1', 9_000],
			['2', 3_000],
		]),
		totalUs: 10_000,
	}
	assert.is(processorUsBetween(before, after), 7)
})

test("an ended thread's processor time is not lost", () => {
	const before = {
		threadsNs: new Map([
			['1', 5_000],
			['2', 8_000_000],
		]),
		totalUs: 10_000,
	}
	const after = { threadsNs: new Map([['1', 6_000]]), totalUs: 40_000 }
	assert.is(processorUsBetween(before, after), 30_000)
})

test('a process can read its own processor time', () => {
	if (process.platform !== 'linux') return
	const before = readProcessorTime(process.pid)
	let spent = 0
	while (spent === 0) spent = processorUsBetween(before, readProcessorTime(process.pid))
	assert.ok(spent > 0)
})

test('medians of odd and even counts, and of nothing', () => {
	assert.is(median([3, 1, 2]), 2)
	assert.is(median([4, 1, 2, 3]), 2.5)
	assert.ok(Number.isNaN(median([])))
})

test('ratios compare runs of the same round and load only', () => {
	const samples = [
		sample('radledger', 0, { cpuUsPerRequest: 10 }),
		sample('radsecproxy', 0, { cpuUsPerRequest: 20 }),
		sample('radsecproxy', 1, { cpuUsPerRequest: 40 }),
		sample('radledger', 1, { cpuUsPerRequest: 30 }),
		sample('radledger', 2, { cpuUsPerRequest: 99 }),
		sample('radsecproxy', 2, { cpuUsPerRequest: 1 }, steady),
	]
	const ratios = pairedRatios(samples, window64, 'radledger', 'radsecproxy', 'cpuUsPerRequest')
	assert.equal(ratios, [0.5, 0.75])
})

test('a ratio exactly on its limit is reached, one beyond is not', () => {
	const peer = sample('radsecproxy', 0, { cpuUsPerRequest: 10, requestsPerSecond: 100 })
	const onTheLimit = sample('radledger', 0, { cpuUsPerRequest: 8, requestsPerSecond: 100 })
	const beyond = sample('radledger', 0, { cpuUsPerRequest: 8.1, requestsPerSecond: 99 })
	for (const text of ['EAP, window 64: CPU', 'EAP, window 64: requests/s at least 1 x']) {
		assert.is(reached([peer, onTheLimit], text), true)
		assert.is(reached([peer, beyond], text), false)
		assert.is(reached([peer], text), undefined)
	}
})

test('latencies at a rate that was not held reach no target', () => {
	const good = { p99Us: 2_000, p999Us: 9_000 }
	const held = sample('radledger', 0, { ...good, requestsPerSecond: 9_990 }, steady)
	const fellBehind = sample('radledger', 0, { ...good, requestsPerSecond: 9_000 }, steady)
	const tooSlow = sample('radledger', 0, { p99Us: 3_000, requestsPerSecond: 10_000 }, steady)
	assert.is(reached([held], 'EAP, steady 10,000/s: p99 '), true)
	assert.is(reached([fellBehind], 'EAP, steady 10,000/s: p99 '), false)
	assert.is(reached([tooSlow], 'EAP, steady 10,000/s: p99 '), false)
})

test('the table goes between the markers, and nowhere else', () => {
	const folder = mkdtempSync(join(tmpdir(), 'radledger-bench-'))
	try {
		const readme = join(folder, 'README.md')
		writeFileSync(readme, 'before\n<!-- bench -->\nold\n<!-- /bench -->\nafter\n')
		writeReadme(readme, 'new $& text')
		const expected = 'before\n<!-- bench -->\nnew $& text\n<!-- /bench -->\nafter\n'
		assert.is(readFileSync(readme, 'utf8'), expected)
		writeFileSync(readme, 'no markers')
		assert.throws(() => writeReadme(readme, 'new'), /has no place for the table/)
		assert.is(readFileSync(readme, 'utf8'), 'no markers')
	} finally {
		rmSync(folder, { recursive: true })
	}
})

test.run()
