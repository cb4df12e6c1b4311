/** The web page of a running relay, in a browser without a window. */
import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Browser, Page } from 'playwright-core'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { openBrowser } from '../../infra/browser.ts'
import { type Campus, sees, startCampus } from './page-traffic.ts'
import { aloud, canRun, endAll, temporaryFolder, until } from './processes.ts'

const limitMs = 15_000
const first = '00-11-22-33-44-01'
const second = '00-11-22-33-44-02'
const alice = { user: 'alice@example.org', mac: '02-00-00-00-0A-01' }
const bob = { user: 'bob', mac: '02-00-00-00-0B-01' }
const wrong = { user: 'wrong-one', mac: '02-00-00-00-0C-01' }
const hostile = {
	user: `<img src=x onerror="document.title='taken'">`,
	mac: '02-00-00-00-0D-01',
}
const views = ['/', '/sessions', '/statistics', '/events', '/integrity'] as const

let campus: Campus
const others: Campus[] = []
let browser: Browser
let address: string
/** What must never be seen: errors in the console, and requests to anybody else. */
let faults: string[] = []

type Looks = { colorScheme?: 'dark' | 'light'; viewport?: { width: number; height: number } }

/** A page at a view, whose faults are kept. `isExpected`: faults that the test is about. */
async function open(
	view: string,
	looks: Looks = {},
	base = campus.base,
	isExpected = (_: string) => false,
): Promise<Page> {
	const page = await browser.newPage({ viewport: { width: 1280, height: 900 }, ...looks })
	page.setDefaultTimeout(limitMs)
	const fault = (text: string) => isExpected(text) || faults.push(`${view}: ${text}`)
	page.on('console', message => {
		if (['error', 'warning'].includes(message.type())) fault(message.text())
	})
	page.on('pageerror', error => fault(String(error)))
	page.on('request', request => {
		const url = request.url()
		if (!url.startsWith(`${base}/`) && !url.startsWith('data:')) fault(`asked ${url}`)
	})
	await page.goto(`${base}/#${view}`)
	return page
}

const textOf = (page: Page, selector: string) => page.locator(selector).innerText()

if (canRun('the web page', 'chromium')) {
	test.before(
		aloud(async () => {
			;[campus, browser] = await Promise.all([startCampus(), openBrowser()])
			await campus.login(alice, first)
			await campus.accounting(alice, first, 'start')
			await campus.accounting(alice, first, 'stop')
			await campus.login(alice, second)
			address = await campus.lease(alice)
			await campus.accounting(alice, second, 'start')
			await campus.accounting(alice, second, 'interim')
			await campus.login(bob, first)
			await campus.login(wrong, first)
			await campus.login(hostile, first)
			// The read models follow a moment later.
			await until('the read models are there', limitMs, async () => {
				const rows = await fetch(`${campus.base}/api/v1/sessions?user=bob`)
				return rows.ok && (await rows.text()).includes(bob.mac)
			})
		}),
	)
	test.after(async () => {
		await browser?.close()
		for (const each of [...others, campus]) await each?.close()
		await endAll()
	})
	test.before.each(() => {
		faults = []
	})
	test.after.each(async () => {
		for (const context of browser.contexts()) await context.close()
		assert.equal(faults, [])
	})

	test('the overview has rates, outcomes, servers, SRC, and the fill of pools', async () => {
		const page = await open('/')
		await sees(page, '.figures', /3\nSubscribers on/)
		await sees(page, '.figures', /4\nAccepted\n1\nRejected/)
		await sees(page, '.around', /127\.0\.0\.1:\d+\s+authentication\s+okay/)
		await sees(page, '.around', /SRC\s+local\s+connected/)
		await sees(page, '.around', /campus\s+1\s+253\s+1/)
		assert.is(await page.locator('.around meter').getAttribute('value'), '0.4')
		await sees(page, '.plots', /accepted 4.*rejected 1.*starts 2.*updates 1.*stops 1/s)
		await campus.login(bob, first)
		await sees(page, '.plot >> nth=0', /accepts 0\.\d.*rejects 0/s)
		assert.is(await page.locator('.plot canvas').count(), 5)
	})

	test('sessions: who is on, and who was', async () => {
		const page = await open('/sessions')
		await sees(
			page,
			'tbody',
			new RegExp(`${alice.mac}\\s+${alice.user}\\s+${address}\\s+${second}`),
		)
		assert.is(await page.locator('tbody tr').count(), 3)
		await page.getByLabel('Ended ones, too').check()
		await sees(page, 'tbody', new RegExp(`${alice.user}[^\n]*\\s+${first}`))
		assert.is(await page.locator('tbody tr').count(), 4)
	})

	for (const [what, asked, found] of [
		['MAC address', '0200.0000.0a01', [alice]],
		['beginning of a user name', 'ALI', [alice]],
		['address', () => address, [alice]],
		['access point', first, [alice, bob, hostile]],
	] as const) {
		test(`search by ${what}`, async () => {
			const page = await open('/sessions')
			await page.getByLabel('Search subscribers').fill(typeof asked === 'string' ? asked : asked())
			await sees(page, 'main [role=status]', /subscriber/)
			const cells = await page.locator('tbody td:first-child').allInnerTexts()
			assert.equal(cells.sort(), found.map(({ mac }) => mac).sort())
		})
	}

	test('a search for nobody says so, and the address keeps what was searched', async () => {
		const page = await open('/sessions?q=nobody-at-all')
		await sees(page, 'main [role=status]', /Nobody is known by “nobody-at-all”/)
		assert.is(await page.locator('tbody tr').count(), 0)
		await page.getByLabel('Search subscribers').fill('bo')
		await sees(page, 'tbody', /bob/)
		await page.reload()
		await sees(page, 'tbody', /bob/)
	})

	test('a subscriber: the history drawn, and the state now and earlier', async () => {
		const page = await open(`/subscriber?mac=${alice.mac}&vr=default`)
		await sees(page, 'h1', new RegExp(`${alice.mac} · ${alice.user}`))
		const state = '.state'
		await sees(page, state, new RegExp(`Session.*live.*${second}`, 's'))
		await sees(page, state, new RegExp(`Address\\s+${address}\\s+Pool\\s+campus`))
		await sees(page, state, /Accounting by access points.*session-2.*1\.5 kB.*2\.5 MB/s)
		await sees(page, state, /Accounting by SRC.*basic/s)
		assert.is(await page.locator('.lanes circle').count(), 2, 'logins')
		for (const [tone, count] of Object.entries({ good: 2, third: 1, second: 2, fourth: 1 })) {
			assert.is(await page.locator(`.lanes rect.${tone}`).count(), count, tone)
		}
		await sees(page, 'main', /Events.*LeaseGranted.*AccessRequested/s)

		const slider = page.getByRole('slider')
		assert.is(await slider.getAttribute('aria-valuetext'), 'Now')
		// At the first access point there was no address yet.
		const past = async () => {
			await page.getByRole('button', { name: 'To the change before' }).click()
			await page.waitForLoadState('networkidle')
			return (await textOf(page, state)).includes(first)
		}
		await until('the state at the first access point', limitMs, past)
		await sees(page, state, /No address\./)
		assert.match((await slider.getAttribute('aria-valuetext'))!, /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/)
		await page.getByRole('button', { name: 'To now' }).click()
		await sees(page, state, new RegExp(address))

		await slider.focus()
		await page.keyboard.press('Home')
		await sees(page, state, /Not on the network\.|Last login.*open/s)
		assert.not.match(await textOf(page, state), new RegExp(address))
		await page.keyboard.press('End')
		await sees(page, state, new RegExp(address))
		const box = (await page.locator('.picture').boundingBox())!
		await page.mouse.click(box.x + 110, box.y + 60)
		await until('a click chose an instant', limitMs, async () => {
			return (await slider.getAttribute('aria-valuetext')) !== 'Now'
		})
	})

	test('a subscriber whom nobody knows', async () => {
		const page = await open('/subscriber?mac=02-00-00-00-FF-FF', {}, campus.base, text =>
			text.includes('404'),
		)
		await sees(page, '.error', /02-00-00-00-FF-FF/)
		await until('nothing is being waited for', limitMs, async () => {
			return !/Loading/.test(await textOf(page, 'main'))
		})
	})

	test('statistics: a baseline, and what was counted since', async () => {
		const page = await open('/statistics')
		const row = (label: string) =>
			`section:has(h2:text-is("authentication")) tr:has-text("${label}")`
		await sees(page, row('Access Accepts'), /Access Accepts\s+(\d+)\s+\1$/)
		await page.getByRole('button', { name: 'Set baseline' }).click()
		await sees(page, row('Access Accepts'), /Access Accepts\s+\d+\s+0$/)
		await sees(page, 'main', /Baseline of \d{4}-/)
		await campus.login(bob, first)
		await sees(page, row('Access Accepts'), /Access Accepts\s+\d+\s+1$/)
		assert.match(await campus.relay.exec('show radius relay statistics delta'), /baseline set/)
		for (const [tab, pattern] of [
			['RADIUS servers', /authentication · 127\.0\.0\.1.*Round Trip Time/s],
			['DHCP', /grant|ack/i],
		] as const) {
			await page.getByRole('link', { name: tab, exact: true }).click()
			await sees(page, 'main', pattern)
		}
	})

	test('events: from the newest, from a position, by type, and as they come', async () => {
		const page = await open('/events')
		await sees(page, 'tbody', /AccessAccepted/)
		await page.getByLabel('Types').fill('AccessRejected')
		await page.getByRole('button', { name: 'Show' }).click()
		await sees(page, 'tbody', /^(.*AccessRejected.*Not today.*\n?)+$/)
		assert.is(await page.locator('tbody tr').count(), 1)
		await page.getByLabel('Types').fill('')
		await page.getByLabel('From position').fill('2')
		await page.getByRole('button', { name: 'Show' }).click()
		await sees(page, 'tbody tr >> nth=0', /^2\s/)

		const live = page.getByRole('button', { name: 'Live' })
		await live.click()
		await sees(page, 'main [role=status]', /Following the journal/)
		assert.is(await live.getAttribute('aria-pressed'), 'true')
		await until('it has begun anew', limitMs, async () => {
			return (await page.locator('tbody tr').count()) === 0
		})
		await campus.login(wrong, second)
		await sees(page, 'tbody tr >> nth=0', new RegExp(`AccessRejected\\s+${wrong.mac}.*Not today`))
		await sees(page, 'tbody tr >> nth=1', /AccessRequested/)
		await live.click()
		assert.is(await live.getAttribute('aria-pressed'), 'false')
	})

	test('a filter that is wrong is explained, and typing goes on', async () => {
		const page = await open('/events', {}, campus.base, text => text.includes('400'))
		await page.getByLabel('Types').fill('NoSuchEvent')
		await page.keyboard.press('Enter')
		await sees(page, '.error', /type/)
		await page.getByLabel('Types').fill('AccessRejected')
		await page.keyboard.press('Enter')
		await until('the error is gone', limitMs, async () => {
			return (await page.locator('.error').count()) === 0
		})
		await sees(page, 'tbody', /Not today/)
	})

	test('integrity: what is sealed and signed', async () => {
		const page = await open('/integrity')
		await sees(page, 'main', /State\s+(signed|sealed|behind)/)
		await until('it is sealed', limitMs, async () =>
			/In the tree\s+[1-9]/.test(await textOf(page, 'main')),
		)
	})

	test('a user name with markup is text', async () => {
		for (const view of ['/sessions', `/subscriber?mac=${hostile.mac}`, '/events']) {
			const page = await open(view)
			await sees(page, 'main', /<img src=x onerror=/)
			assert.is(await page.locator('main img').count(), 0)
			assert.match(await page.title(), /radledger/)
		}
	})

	test('everything by keyboard alone', async () => {
		const page = await open('/')
		const focused = () => page.evaluate<string>(`document.activeElement?.textContent ?? ''`)
		const press = (key: string) => page.keyboard.press(key)
		const tabTo = async (wanted: RegExp) => {
			for (let i = 0; i < 30; i++) {
				await press('Tab')
				const label = await page.evaluate<string>(
					`document.activeElement?.getAttribute('aria-label') ?? ''`,
				)
				if (wanted.test(label || (await focused()))) return
			}
			throw new Error(`No way by Tab to ${wanted}.`)
		}
		await press('Tab')
		assert.is(await focused(), 'Skip to content')
		assert.ok((await page.locator('.skip').boundingBox())!.x >= 0, 'it can be seen')
		await tabTo(/^Sessions$/)
		await press('Enter')
		await sees(page, 'h1', /Sessions/)
		assert.is(await page.evaluate('document.activeElement?.id'), 'main')
		await press('Tab')
		await page.keyboard.type('alice')
		await sees(page, 'main [role=status]', /One subscriber/)
		await tabTo(new RegExp(`^${alice.mac}$`))
		const outline = await page.evaluate('getComputedStyle(document.activeElement).outlineStyle')
		assert.is(outline, 'solid', 'where the focus is can be seen')
		await press('Enter')
		await sees(page, 'h1', /alice/)
		await sees(page, '.state', /live/)
		await tabTo(/^Instant whose state is shown$/)
		await press('ArrowLeft')
		await until('the instant is another one', limitMs, async () => {
			return (await page.getByRole('slider').getAttribute('aria-valuetext')) !== 'Now'
		})
		await tabTo(/^To now$/)
		await press('Space')
		assert.is(await page.getByRole('slider').getAttribute('aria-valuetext'), 'Now')
	})

	test('a refresh leaves the focus where it is, also when rows come before it', async () => {
		const page = await open('/sessions')
		await page.getByRole('link', { name: bob.mac }).focus()
		const carol = { user: 'carol', mac: '02-00-00-00-0E-01' }
		await campus.login(carol, first)
		await sees(page, 'tbody', /carol/)
		assert.is(await page.evaluate('document.activeElement?.textContent'), bob.mac)
	})

	test('light and dark: as the system has it, and as was chosen', async () => {
		const brightness = async (page: Page) => {
			const colour = await page.evaluate<string>('getComputedStyle(document.body).backgroundColor')
			const [r, g, b] = colour.match(/\d+/g)!.map(Number)
			return (r! + g! + b!) / 3
		}
		const page = await open('/', { colorScheme: 'dark' })
		assert.ok((await brightness(page)) < 60)
		const button = page.getByRole('button', { name: /Colours/ })
		await button.click()
		assert.ok((await brightness(page)) > 200, 'light was chosen')
		await page.reload()
		assert.ok((await brightness(page)) > 200, 'and is kept')
		await button.click()
		assert.ok((await brightness(page)) < 60)
		assert.ok((await brightness(await open('/', { colorScheme: 'light' }))) > 200)
	})

	test('on a narrow screen nothing is wider than the screen', async () => {
		const subscriber = `/subscriber?mac=${alice.mac}`
		for (const view of [...views, subscriber]) {
			const page = await open(view, { viewport: { width: 360, height: 740 } })
			await page.waitForLoadState('networkidle').catch(() => {})
			await sees(page, 'main', /\w{3}/)
			const wider = await page.evaluate(
				'document.documentElement.scrollWidth - document.documentElement.clientWidth',
			)
			assert.is(wider, 0, view)
			// Events are blocks there, and tables scroll by themselves.
			const scrolled = await page.evaluate<number>(
				`Math.max(0, ...[...document.querySelectorAll('.scroll:has(.data)')]
					.map(each => each.scrollWidth - each.clientWidth))`,
			)
			assert.is(scrolled, 0, view)
			await page.close()
		}
	})

	test('where a token is demanded, the page asks for it', async () => {
		const file = join(temporaryFolder('token'), 'token')
		writeFileSync(file, 'a-token-of-some-length\n')
		chmodSync(file, 0o600)
		const guarded = await startCampus(['--http-token-file', file])
		others.push(guarded)
		const page = await open('/', {}, guarded.base, text => text.includes('401'))
		await page.getByLabel('Token', { exact: true }).fill('not-the-token-at-all')
		await page.keyboard.press('Enter')
		await sees(page, 'dialog', /That was not the token/)
		await page.getByLabel('Token', { exact: true }).fill('a-token-of-some-length')
		await page.keyboard.press('Enter')
		await sees(page, '.figures', /0\nSubscribers on/)
		assert.is(await page.locator('dialog').count(), 0)
		await page.goto(`${guarded.base}/#/events`)
		await page.getByRole('button', { name: 'Live' }).click()
		await sees(page, 'main [role=status]', /Following the journal/)
	})

	test('a relay that goes away and comes back: the page says so, and goes on', async () => {
		const page = await open('/', {}, campus.base, text => /ERR_|Failed to load/.test(text))
		await sees(page, '#standing', /test: running/)
		await campus.relay.stop()
		await sees(page, '#standing', /Relay not reached/)
		await sees(page, '.figures .error', /cannot be reached/)
		await campus.relay.restart()
		await sees(page, '#standing', /test: running/)
		await sees(page, '.figures', /Subscribers on/)
		await until(
			'the error is gone',
			limitMs,
			async () => (await page.locator('.error').count()) === 0,
		)
	})
}

test.run()
