/**
 * How soon the web page shows what it is asked for, in a browser beside a relay with a long history:
 * the first view of a browser that knows nothing yet, and a subscriber's page from within the page.
 * Run by itself it prints JSON; `npm run bench` calls it.
 *
 *   node infra/bench/page.ts FOLDER EVENTS
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Browser } from 'playwright-core'
import { openJournal } from '../../adapters/journal/journal.ts'
import type { NewEvent } from '../../domain/event.ts'
import { openBrowser } from '../browser.ts'
import { type LivesSettings, lives } from './lives.ts'
import { openWorkplace, start, type Workplace, waitUntil } from './processes.ts'
import { configuration } from './scale.ts'

export type PageFigures = {
	readonly events: number
	/** Milliseconds, from the request for the page until everything in the view is there. */
	readonly firstView: Times
	readonly subscriber: Times
}

export type Times = { readonly p50: number; readonly longest: number }

const main = join(import.meta.dirname, '../../src/main.ts')
const startLimitMs = 300_000
const subscribers = 20_000
const live = 2_000
const firstViews = 7
const subscriberPages = 40
const perBatch = 512

/** Measures with a relay of its own, whose journal is in a new folder within `parent`. */
export async function measurePage(parent: string, events: number): Promise<PageFigures> {
	const workplace = openWorkplace(parent)
	const browser = await openBrowser()
	try {
		const data = join(workplace.folder, 'data')
		writeJournal(data, events)
		const base = await serve(workplace, data)
		await untilFollowed(base, events)
		const firstView = await measureFirstViews(browser, base)
		return { events, firstView, subscriber: await measureSubscribers(browser, base) }
	} finally {
		await browser.close()
		await workplace.close()
	}
}

/** A history that ends about now, so that the plots of the last hour have something to show. */
function writeJournal(folder: string, events: number): void {
	const settings: LivesSettings = { subscribers, live, beginMs: 0 }
	let lastAt = 0
	let count = 0
	for (const { at } of lives(settings)) {
		lastAt = at
		if (++count === events) break
	}
	const journal = openJournal({ folder })
	let batch: NewEvent[] = []
	for (const event of lives({ ...settings, beginMs: Date.now() - lastAt })) {
		batch.push(event)
		const rest = events - journal.last() - batch.length
		if (batch.length < perBatch && rest > 0) continue
		journal.append(batch)
		batch = []
		if (rest === 0) break
	}
	journal.close()
}

/** Resolves to where its page is. */
async function serve(workplace: Workplace, data: string): Promise<string> {
	const config = join(workplace.folder, 'radledger.conf')
	writeFileSync(config, await configuration())
	const args = [main, 'serve', '--config', config, '--data', data, '--http', '127.0.0.1:0']
	const child = start(workplace, process.execPath, args, 'pipe')
	let address: string | undefined
	let ended = false
	let lastLine = ''
	createInterface({ input: child.stderr! }).on('line', line => {
		lastLine = line
		address ??= /"http":"(127\.0\.0\.1:\d+)"/.exec(line)?.[1]
	})
	child.once('exit', () => {
		ended = true
	})
	await waitUntil(() => address !== undefined || ended, startLimitMs)
	if (address === undefined) throw new Error(`The relay did not start. It said: ${lastLine}`)
	return `http://${address}`
}

/** Until the read models are at the end of the journal. */
async function untilFollowed(base: string, events: number): Promise<void> {
	const end = performance.now() + startLimitMs
	while (performance.now() < end) {
		const answer = await fetch(`${base}/api/v1/sessions?limit=1`)
		const position = Number(answer.headers.get('radledger-position'))
		if (answer.ok && position >= events) return
		await new Promise(resolve => setTimeout(resolve, 200))
	}
	throw new Error(`The read models were not built within ${startLimitMs / 1000} s.`)
}

/** Script: figures, all plots with their values, and everything around. */
const overviewIsThere = `document.querySelectorAll('.figure').length === 5 &&
	document.querySelectorAll('.plots canvas').length === 4 &&
	!document.querySelector('.plots .latest').textContent.includes('–') &&
	document.querySelectorAll('.around section').length === 3`

async function measureFirstViews(browser: Browser, base: string): Promise<Times> {
	const times: number[] = []
	// The first one warms the relay up, and does not count.
	for (let i = 0; i <= firstViews; i++) {
		const page = await browser.newPage()
		await page.goto(`${base}/`, { waitUntil: 'commit' })
		// Since the page was asked for.
		const ms = await page.evaluate<number>(once(overviewIsThere, 'performance.now()'))
		if (i > 0) times.push(ms)
		await page.close()
	}
	return timesOf(times)
}

async function measureSubscribers(browser: Browser, base: string): Promise<Times> {
	const answer = await fetch(`${base}/api/v1/sessions?limit=1000`)
	const { items } = (await answer.json()) as { items: { mac: string }[] }
	const step = Math.max(Math.floor(items.length / subscriberPages), 1)
	const macs = items.filter((_, i) => i % step === 0).slice(0, subscriberPages)
	const page = await browser.newPage()
	await page.goto(`${base}/#/sessions`)
	await page.waitForSelector('tbody tr')
	const times: number[] = []
	for (const { mac } of macs) times.push(await page.evaluate<number>(openSubscriber(mac)))
	await page.close()
	return timesOf(times.slice(1))
}

/** Script: history, state and events of the subscriber are there. */
function openSubscriber(mac: string): string {
	const isThere = `document.querySelector('h1').textContent.startsWith('${mac}') &&
		document.querySelector('.lanes rect') &&
		document.querySelectorAll('.state .card').length === 5 &&
		document.querySelector('main tbody tr')`
	return `(() => {
		const began = performance.now()
		location.hash = '#/subscriber?mac=${mac}'
		return ${once(isThere, 'performance.now() - began')}
	})()`
}

/** Script: the value of `result` in the first frame in which the condition holds. */
function once(condition: string, result: string): string {
	return `new Promise(resolve => {
		const look = () => ${condition} ? resolve(${result}) : requestAnimationFrame(look)
		look()
	})`
}

function timesOf(times: readonly number[]): Times {
	const sorted = times.toSorted((a, b) => a - b)
	return {
		p50: Math.round(sorted[Math.floor(sorted.length / 2)]!),
		longest: Math.round(sorted.at(-1)!),
	}
}

if (import.meta.main) {
	const [folder, events] = process.argv.slice(2)
	if (folder === undefined || !(Number(events) > 0)) {
		process.stderr.write('usage: node infra/bench/page.ts FOLDER EVENTS\n')
		process.exit(2)
	}
	process.stdout.write(`${JSON.stringify(await measurePage(folder, Number(events)))}\n`)
}
