import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { countsOf, type DhcpSample } from '../infra/bench/dhcp.ts'
import type { Measurement } from '../infra/bench/load.ts'
import { readOptions } from '../infra/bench/options.ts'
import { processorUsBetween, readProcessorTime } from '../infra/bench/processor-time.ts'
import { sectionOf } from '../infra/bench/report.ts'
import {
	bestOfRounds,
	type Measured,
	median,
	nothingMeasured,
	pairedRatios,
	partNames,
	type Sample,
	type Subject,
	steadyCases,
	targets,
	windowCases,
} from '../infra/bench/results.ts'
import { checkReadme, readSection, sectionText, writeReadme } from '../infra/bench/section.ts'
import { measureViews } from '../infra/bench/views.ts'

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
	return reachedBy({ samples }, text)
}

function ran(measured: Partial<Measured>, more: Partial<Parameters<typeof sectionOf>[0]> = {}) {
	return { ...nothingMeasured, others: new Map(), peers: [], at: 0, ...measured, ...more }
}

function printed(measured: Partial<Measured>): string {
	return sectionText(sectionOf(ran(measured)), false)
}

function reachedBy(measured: Partial<Measured>, text: string): boolean | undefined {
	const all = targets({ ...nothingMeasured, ...measured })
	const target = all.find(one => one.text.startsWith(text))
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

function dhcp(
	server: DhcpSample['server'],
	round: number,
	offered: number,
	exchangesPerSecond: number,
	cpuUsPerExchange: number,
): DhcpSample {
	return { server, round, offered, exchangesPerSecond, cpuUsPerExchange, lost: 0 }
}

test("DHCP servers are compared at each one's best, round by round", () => {
	const samples = [
		dhcp('kea', 0, 1000, 1000, 300),
		dhcp('kea', 0, 4000, 3000, 200),
		dhcp('kea', 0, 8000, 2000, 900),
		dhcp('radledger', 0, 4000, 4000, 150),
		dhcp('radledger', 0, 8000, 6000, 100),
		dhcp('radledger', 1, 8000, 9000, 1),
	]
	assert.equal(
		bestOfRounds(samples, 'kea').map(({ offered }) => offered),
		[4000],
	)
	assert.is(reachedBy({ dhcp: samples }, 'DHCP by perfdhcp: exchanges/s at least 2 x'), true)
	assert.is(reachedBy({ dhcp: samples }, 'DHCP by perfdhcp: CPU per exchange at most 0.5 x'), true)
	const worse = [...samples, dhcp('kea', 0, 16_000, 3001, 199)]
	assert.is(reachedBy({ dhcp: worse }, 'DHCP by perfdhcp: exchanges/s'), false)
	assert.is(reachedBy({ dhcp: worse }, 'DHCP by perfdhcp: CPU'), false)
	assert.is(reachedBy({ dhcp: samples.slice(0, 3) }, 'DHCP by perfdhcp: CPU'), undefined)
	const clients = [...samples, dhcp('kea', 0, 0, 1, 1), dhcp('radledger', 0, 0, 9000, 0.6)]
	assert.is(reachedBy({ dhcp: clients }, 'DHCP by perfdhcp: CPU'), true)
	assert.is(reachedBy({ dhcp: clients }, 'DHCP, 64 clients at once: exchanges/s'), true)
	assert.is(reachedBy({ dhcp: clients }, 'DHCP, 64 clients at once: CPU'), false)
})

test('what perfdhcp counts', () => {
	const output = [
		...['***Rate statistics***', 'Rate: 4 4-way exchanges/second, expected rate: 1000', ''],
		...['***Statistics for: DISCOVER-OFFER***', 'sent packets: 11999', 'received packets: 8214'],
		...['drops: 3785', '', '***Statistics for: REQUEST-ACK***', 'sent packets: 8214'],
		...['received packets: 6301', 'drops: 1913'],
	].join('\n')
	assert.equal(countsOf(output), { begun: 11_999, acknowledged: 6301 })
	assert.is(countsOf('Failed to bind'), undefined)
})

const question = { name: 'pool questions, NATS', questions: 9, p50Us: 1, p999Us: 9000 }
const million = {
	...{ subscribers: 1_000_000, rebuildSeconds: 60, restartSeconds: 20, restartCpuSeconds: 8 },
	...{ readyBytes: 2 ** 30, peakBytes: 1.5 * 2 ** 30 },
}

test('a question that nobody answered reaches no target, however quick the others were', () => {
	const target = 'Pool question over NATS'
	const asked = (p99Us: number, failed: number) =>
		reachedBy({ questions: [{ ...question, p99Us, failed }] }, target)
	assert.is(asked(1999, 0), true)
	assert.is(asked(2000, 0), false)
	assert.is(asked(100, 1), false)
	const local = { ...question, name: 'pool questions, local', p99Us: 1, failed: 0 }
	assert.is(reachedBy({ questions: [local] }, target), undefined)
})

test('memory and restart are judged with a million sessions, by the most memory there was', () => {
	const of = (more: object, text: string) => reachedBy({ scale: { ...million, ...more } }, text)
	const memory = '1,000,000 live sessions with leases: at most 1.5 GiB'
	const restart = '1,000,000 live sessions with leases: restart'
	assert.equal([of({}, memory), of({}, restart)], [true, true])
	assert.is(of({ peakBytes: 1.51 * 2 ** 30 }, memory), false)
	assert.is(of({ restartSeconds: 20.1 }, restart), false)
	assert.is(of({ subscribers: 999_999 }, memory), undefined)
})

test('the report has a table for each part that was measured, and none for what was left out', () => {
	const empty = printed({})
	assert.not.match(empty, 'CPU us/exchange')
	const questions = [{ ...question, p99Us: 1500, failed: 0 }]
	const samples = [
		dhcp('kea', 0, 0, 5000, 200),
		dhcp('kea', 0, 4000, 3999.6, 300.4),
		dhcp('radledger', 0, 4000, 4000, 99),
	]
	const whole = printed({ dhcp: samples, questions, scale: million })
	const lines = whole.split('\n').map(line => line.replace(/ +/g, ' '))
	for (const line of [
		'| perfdhcp, 4,000/s | radledger, everything durable | 4,000 | 99 | 0 |',
		'| perfdhcp, 4,000/s | Kea, memfile | 4,000 | 300 | 0 |',
		'| 64 clients at once | Kea, memfile | 5,000 | 200 | 0 |',
		'| pool questions, NATS | 9 | 0.00 | 1.50 | 9.00 | 0 |',
		'| Start from a snapshot | 20.0 s (8.0 s CPU) |',
		'| Start from the whole journal | 60.0 s |',
	]) {
		assert.ok(lines.includes(line), `${line} in ${whole}`)
	}
})

function inReadme(text: string, check: (path: string) => void): void {
	const folder = mkdtempSync(join(tmpdir(), 'radledger-bench-'))
	try {
		const readme = join(folder, 'README.md')
		writeFileSync(readme, text)
		check(readme)
	} finally {
		rmSync(folder, { recursive: true })
	}
}

const markers = 'before\n<!-- bench -->\nold\n<!-- /bench -->\nafter\n'

test('the tables go between the markers, and nowhere else', () => {
	const section = sectionOf(ran({ dhcp: [dhcp('kea', 0, 4000, 1, 1)] }))
	inReadme(markers, readme => {
		writeReadme(readme, section)
		const text = `\n${sectionText(section, true)}\n`
		const expected = `before\n<!-- bench -->${text}<!-- /bench -->\nafter\n`
		assert.is(readFileSync(readme, 'utf8'), expected)
		writeReadme(readme, section)
		assert.is(readFileSync(readme, 'utf8'), expected)
	})
	inReadme('no markers', readme => {
		assert.throws(() => writeReadme(readme, section), /has no place for the table/)
		assert.is(readFileSync(readme, 'utf8'), 'no markers')
	})
})

const journal: Measured['journal'] = {
	appends: { eventsPerSecond: 160_000, cpuUsPerEvent: 3, processCpuUsPerEvent: 4 },
	latency: { appendsPerSecond: 2000, p50: 1, p99: 2, p999: 3, max: 4 },
	disk: { p50: 1, p99: 2, p999: 3, max: 4 },
	replay: { eventsPerSecond: 400_000, cpuUsPerEvent: 2 },
	stream: { events: 72, p50: 4, max: 5 },
	eventBytes: 249,
}
const feed = { events: 100, eventsPerSecond: 20_000, cpuUsPerEvent: 40 }

test('every part has a target, and a table where it was measured', () => {
	const section = sectionOf(ran({ journal, feed }))
	const of = (part: string) => section.targets.filter(row => row.part === part)
	assert.equal(
		of('journal').map(({ verdict }) => verdict),
		['reached', '**not reached**'],
	)
	assert.equal(
		of('feed').map(({ measured, verdict }) => [measured, verdict]),
		[['20,000', 'reached']],
	)
	for (const name of partNames) assert.ok(of(name).length > 0, name)
	assert.equal(
		of('verify').map(({ measured, verdict }) => [measured, verdict]),
		[['not measured', '-']],
	)
	assert.equal([...section.tables.keys()], ['journal', 'feed'])
	assert.equal([...section.parts.keys()], ['journal', 'feed'])
})

test('a run of some parts leaves the others in the README as they are, with their dates', () => {
	const first = ran({ journal, feed }, { others: new Map([['feed', 0.12]]) })
	const second = ran({ feed: { ...feed, eventsPerSecond: 19_999 } }, { at: 5 * 86_400_000 })
	inReadme(markers, readme => {
		writeReadme(readme, sectionOf(first))
		const before = readSection(readFileSync(readme, 'utf8').split('<!-- bench -->\n')[1]!)
		assert.equal([...before.parts], [...sectionOf(first).parts])
		writeReadme(readme, sectionOf(second))
		const lines = readFileSync(readme, 'utf8')
			.split('\n')
			.map(line => line.replace(/ +/g, ' '))
		for (const line of [
			'| Journal: appends/s at least 150,000 | 160,000 | reached |',
			'| JetStream feed: events/s at least 20,000 | 19,999 | **not reached** |',
			'| Reading a stream of 72 events | 4 ms |',
			'| JetStream of a nats-server | 100 | 19,999 | 40 |',
			'Measured: 1970-01-06 feed; 1970-01-01 journal.',
		]) {
			assert.ok(lines.includes(line), `${line} in ${lines.join('\n')}`)
		}
		assert.not.match(lines.join('\n'), '20,000 | 20,000')
	})
})

test('a load that was measured anew has nothing of an earlier run', () => {
	const other = windowCases[1]!
	const fast = { requestsPerSecond: 200, cpuUsPerRequest: 5 }
	const both = [
		...[sample('radledger', 0, {}), sample('radsecproxy', 0, {})],
		...[sample('radledger', 0, fast, other), sample('radsecproxy', 0, fast, other)],
	]
	inReadme(markers, readme => {
		writeReadme(readme, sectionOf(ran({ samples: both })))
		writeReadme(
			readme,
			sectionOf(ran({ samples: [sample('radledger', 0, fast)] }, { at: 86_400_000 })),
		)
		const lines = readFileSync(readme, 'utf8').split('\n')
		const rows = (text: string) => lines.filter(line => line.startsWith(`| ${text}`))
		assert.is(rows('EAP, window 64 ').length, 1)
		assert.match(rows('EAP, window 64 ')[0]!, /radledger.* 200 /)
		assert.is(rows('EAP, window 200 ').length, 2)
		// Its peer was not there this time: a ratio of two runs would be no ratio.
		assert.match(rows('EAP, window 64: CPU')[0]!, 'not measured')
		assert.match(rows('EAP, window 200: CPU')[0]!, '1.00 x')
		assert.ok(lines.includes('Measured: 1970-01-02 eap-64; 1970-01-01 eap-200.'))
	})
})

test('what other programs took meanwhile is told, and kept', () => {
	const busy = sectionOf(ran({ feed }, { others: new Map([['feed', 0.12]]) }))
	assert.match(sectionText(busy, false), 'Measured: 1970-01-01 feed (meanwhile 12 %).')
	assert.equal([...readSection(sectionText(busy, true)).parts], [...busy.parts])
	const quiet = sectionOf(ran({ feed }, { others: new Map([['feed', 0.02]]) }))
	assert.not.match(sectionText(quiet, false), /eanwhile/)
})

test('figures of different machines do not get into one table', () => {
	inReadme(markers, readme => {
		writeReadme(readme, sectionOf(ran({ journal, feed }, { peers: ['Kea 2.2.0'] })))
		const before = readFileSync(readme, 'utf8')
		const elsewhere = sectionOf(ran({ feed }, { peers: ['Kea 2.4.1'] }))
		assert.throws(() => writeReadme(readme, elsewhere), /journal was measured on .*Kea 2\.2\.0/)
		assert.throws(() => checkReadme(readme, elsewhere.conditions, ['feed']), /in one run/)
		checkReadme(readme, elsewhere.conditions, ['feed', 'journal'])
		assert.is(readFileSync(readme, 'utf8'), before)
		// One peer more than then is no other machine.
		const more = sectionOf(ran({ feed }, { peers: ['Kea 2.2.0', 'radsecproxy 1.9.2'] }))
		checkReadme(readme, more.conditions, ['feed'])
	})
})

test('what is measured: names of relays, loads and parts', () => {
	const of = (...args: string[]) => {
		const options = readOptions(args)
		if (options === 'help') throw new Error('help')
		const cases = options.cases.map(({ name }) => name)
		return [options.relays.size, cases.length, [...options.parts]] as const
	}
	assert.equal(of(), [6, 6, [...partNames]])
	assert.equal(of('--only', 'feed', '--only', 'journal'), [6, 0, ['journal', 'feed']])
	assert.equal(of('--only', 'eap-64'), [6, 1, []])
	assert.equal(of('--only', 'radledger', '--only', 'dhcp'), [1, 6, ['dhcp']])
	assert.throws(() => of('--only', 'nothing'), /no such relay or part/)
})

test('the README tells of nothing that was smaller than its target', () => {
	const refused = (...args: string[]) => readOptions(['--write-readme', ...args])
	assert.throws(() => refused('--view-events', '1000'), /needs --view-events 10000000/)
	assert.throws(() => refused('--subscribers', '1000'), /needs --subscribers 1000000/)
	assert.throws(() => refused('--only', 'radledger'), /needs all relays/)
	refused('--view-events', '1000', '--only', 'feed')
})

test("shares of the relay's threads", () => {
	const threads = [
		{ name: 'MainThread', share: 0.875 },
		{ name: 'views', share: 0.1249 },
		{ name: 'SignalInspector', share: 0.0001 },
	]
	const text = sectionText(sectionOf(ran({ threads })), false).replace(/ +/g, ' ')
	assert.match(text, '| packets and journal | 87.5 % |\n| read models | 12.5 % |')
	assert.not.match(text, 'SignalInspector')
})

test('analysts are compared with the run beside them', () => {
	const round = (asked: number, without: number) => ({
		asked: sample('radledger', 0, { requestsPerSecond: asked }).measurement,
		without: sample('radledger', 0, { requestsPerSecond: without }).measurement,
		...{ answersPerSecond: 100, failed: 0 },
	})
	const text = 'EAP, window 64, HTTP API at full load'
	assert.is(reachedBy({ http: [] }, text), undefined)
	assert.is(reachedBy({ http: [round(96, 100), round(190, 200), round(99, 100)] }, text), true)
	assert.is(reachedBy({ http: [round(94, 100)] }, text), false)
})

test('the read models are measured, and what is found is a history', () => {
	const folder = mkdtempSync(join(tmpdir(), 'radledger-bench-'))
	const { events, follow, history } = measureViews(folder, 6400)
	rmSync(folder, { recursive: true })
	assert.is(events, 6400)
	assert.ok(follow.eventsPerSecond > 0 && follow.cpuUsPerEvent > 0)
	for (const { events: found, p50 } of Object.values(history)) assert.ok(found >= 3 && p50 > 0)
	const of = { events: 40, p50: 6, p99: 9 }
	const views = {
		events,
		follow: { eventsPerSecond: 60_000, cpuUsPerEvent: 9 },
		size: 0.5,
		history: { subscriber: of, user: of, address: of },
	}
	const found = targets({ ...nothingMeasured, views }).filter(({ text }) =>
		/^Read models|^History/.test(text),
	)
	assert.equal(
		found.map(({ measured, reached: is }) => [measured, is]),
		[
			['60,000', true],
			['6 ms (p99 9 ms)', false],
		],
	)
	const text = printed({ views })
	assert.match(text, /\| History of an address, 40 events +\| p50 6 ms, p99 9 ms/)
})

test('the web page is judged among a million events only', () => {
	const times = { p50: 999, longest: 2000 }
	const page = { events: 1_000_000, firstView: times, subscriber: { p50: 300, longest: 301 } }
	const [first, subscriber] = ['first view', 'a subscriber’s page'].map(
		what => `Web page among 1,000,000 events: ${what}`,
	) as [string, string]
	assert.is(reachedBy({ page }, first), true)
	assert.is(reachedBy({ page }, subscriber), false)
	assert.is(reachedBy({ page: { ...page, events: 999_999 } }, first), undefined)
	assert.match(printed({ page }), /\| first view, nothing cached +\| +999 \| +2000 \|/)
})

test.run()
