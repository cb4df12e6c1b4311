/** The web page and HTTP API of `serve-views`, which has a relay's history and no relay. */
import { join, resolve } from 'node:path'
import type { Browser, Page } from 'playwright-core'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { openMirror } from '../../adapters/eventstoredb/mirror.ts'
import { openTarget } from '../../adapters/eventstoredb/target.ts'
import { openMemoryJournal } from '../../adapters/journal/memory.ts'
import { relayStream } from '../../domain/event.ts'
import { openBrowser } from '../../infra/browser.ts'
import { type EventStoreNode, startEventStoreNode } from '../eventstoredb/server.ts'
import { type Campus, sees, startCampus } from './page-traffic.ts'
import { aloud, canRun, endAll, start, temporaryFolder, until } from './processes.ts'

const limitMs = 20_000
const main = resolve(import.meta.dirname, '../../src/main.ts')
const wap = '00-11-22-33-44-01'
const alice = { user: 'alice@example.org', mac: '02-00-00-00-0A-01' }
let node: EventStoreNode
let campus: Campus
let base: string
let browser: Browser
const faults: string[] = []

async function open(view: string, isExpected = (_: string) => false): Promise<Page> {
	const page = await browser.newPage({ viewport: { width: 360, height: 740 } })
	page.setDefaultTimeout(limitMs)
	const fault = (text: string) => isExpected(text) || faults.push(`${view}: ${text}`)
	page.on('pageerror', error => fault(String(error)))
	page.on('console', message => {
		if (['error', 'warning'].includes(message.type())) fault(message.text())
	})
	await page.goto(`${base}/#${view}`)
	return page
}

/** A second relay's history, as its mirror would have written it. */
async function mirrorAnother(router: string): Promise<void> {
	const journal = openMemoryJournal({ id: crypto.randomUUID() })
	const configuration = ['hostname annex', `virtual-router ${router}`]
	const data = { release: '0', configuration }
	journal.append([{ stream: relayStream(router), type: 'RelayStarted', v: 1, at: 1, data }])
	const target = openTarget(`esdb://127.0.0.1:${node.port}?tls=false`, limitMs)
	const source = { journal: journal.id, durable: journal.last, read: journal.read }
	const mirror = openMirror({ source, target, run: 'a' })
	await until('it is mirrored', limitMs, () => mirror.state().position === 1)
	await mirror.close()
	await target.reset()
}

if (canRun('the web page of a history', 'chromium')) {
	test.before(
		aloud(async () => {
			node = await startEventStoreNode()
			const url = `esdb://127.0.0.1:${node.port}?tls=false`
			;[campus, browser] = await Promise.all([startCampus(['--eventstore', url]), openBrowser()])
			await campus.login(alice, wap)
			await campus.accounting(alice, wap, 'start')
			await campus.lease(alice)
			const data = join(temporaryFolder('copy'), 'copy')
			const args = ['serve-views', '--from', url, '--data', data, '--http', '127.0.0.1:0']
			const copy = start(process.execPath, [main, ...args])
			const port = () => /"port":(\d+)/.exec(copy.output())?.[1]
			await until('the relay is followed', limitMs, () => port() !== undefined)
			base = `http://127.0.0.1:${port()}`
			await until('the session is there', limitMs, async () => {
				const answer = await fetch(`${base}/api/v1/sessions?state=live`)
				return (await answer.text()).includes(alice.mac)
			})
		}),
	)
	test.after(async () => {
		await browser?.close()
		await campus?.close()
		await endAll()
		node?.stop()
	})
	test.after.each(async () => {
		for (const context of browser.contexts()) await context.close()
		assert.equal(faults.splice(0), [])
	})

	test('the overview says what the history says, and that it is no more than that', async () => {
		const page = await open('/')
		await sees(page, '#standing', /^test: history only$/)
		await sees(page, '.figures', /1\nSubscribers on.*1\nAccepted.*Following for/s)
		await sees(page, '.around', /127\.0\.0\.1:\d+\s+authentication\s+okay\s+–/)
		await sees(page, '.around', /SRC\s+local\s+connected.*EventStoreDB\s+\S+\s+following/s)
		await sees(page, '.around', /campus\s+1\s+253\s+–/)
	})

	test('the relay’s own page shows how far its mirror is, and how far behind', async () => {
		const page = await open('/')
		await page.goto(`${campus.base}/`)
		await sees(page, '#standing', /^test: running$/)
		await sees(page, '.around', /EventStoreDB\s+\S+\s+following\s+[1-9]\d*\s+\d+\s/)
	})

	test('a subscriber is shown as at the relay, and what only the relay can do is explained', async () => {
		const page = await open(`/subscriber?mac=${alice.mac}`, text => text.includes('409'))
		await sees(page, '.state', /live.*Address\s+10\.20\.3\.\d+.*session-1/s)
		await page.goto(`${base}/#/statistics`)
		await sees(page, 'main', /Access Accepts\s+1\s+1/)
		await page.getByRole('button', { name: 'Set baseline' }).click()
		await sees(page, 'main', /Baselines are set at the relay itself/)
		await page.goto(`${base}/#/integrity`)
		await sees(page, 'main', /Nothing is sealed here/)
		await page.goto(`${base}/#/events`)
		await page.getByRole('button', { name: 'Live' }).click()
		await sees(page, 'main [role=status]', /Following the journal/)
		await campus.login({ user: 'bob', mac: '02-00-00-00-0B-01' }, wap)
		await sees(page, 'tbody', /AccessAccepted/)
	})

	test('the relays of a fleet lead to each other', async () => {
		await mirrorAnother('library')
		const page = await open('/')
		await sees(page, 'nav[aria-label="Other relays"]', /^annex: default, library$/)
		await page.getByRole('link', { name: 'annex: default, library' }).click()
		await sees(page, '#standing', /^annex: history only$/)
		await sees(page, 'nav[aria-label="Other relays"]', /^test: default$/)
		assert.is.not(new URL(page.url()).port, new URL(base).port)
	})

	test('machines are told the same: nothing is said about a relay that is not here', async () => {
		const metrics = await (await fetch(`${base}/metrics`)).text()
		assert.match(metrics, /^radledger_sessions\{virtual_router="default"\} \d/m)
		assert.match(metrics, /^radledger_pool_bound_addresses\{.*pool="campus"\} 1$/m)
		assert.not.match(metrics, /radledger_relay_up|journal_failed|commit_duration/)
		assert.not.match(metrics, /null|undefined|NaN/)
		assert.is((await fetch(`${base}/readyz`)).status, 200)
	})

	test('EventStoreDB goes away: the page and readyz say so, and what is known stays', async () => {
		node.stop()
		const page = await open('/')
		await sees(page, '.around', /EventStoreDB\s+\S+\s+waiting\s+.*is away/s)
		await sees(page, '.figures', /Subscribers on/)
		const cut = await page.evaluate<number>(
			`Math.max(...[...document.querySelectorAll('.around .note')].map(
				each => each.getBoundingClientRect().right - innerWidth))`,
		)
		assert.ok(cut <= 0, 'the whole sentence can be read on a narrow screen')
		await until('it is not ready', limitMs, async () => {
			const answer = await fetch(`${base}/readyz`)
			return answer.status === 503 && /is away/.test(await answer.text())
		})
		await node.start()
		await sees(page, '.around', /EventStoreDB\s+\S+\s+following/s)
		assert.is((await fetch(`${base}/readyz`)).status, 200)
	})
}

test.run()
