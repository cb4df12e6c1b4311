/** The page: which view is shown follows from what stands behind `#` in its address. */
import { ApiError, get } from './api.ts'
import { element, fill } from './element.ts'
import { eventsView } from './events.ts'
import { count } from './format.ts'
import { integrityView } from './integrity.ts'
import type { Relay } from './model.ts'
import { overviewView } from './overview.ts'
import { sessionsView } from './sessions.ts'
import { statisticsView } from './statistics.ts'
import { subscriberView } from './subscriber.ts'
import { openTheme } from './theme.ts'
import { openToken } from './token.ts'
import { repeat, type View } from './view.ts'

const views: Readonly<Record<string, View>> = {
	'': overviewView,
	sessions: sessionsView,
	subscriber: subscriberView,
	statistics: statisticsView,
	events: eventsView,
	integrity: integrityView,
}
const inNavigation = ['', 'sessions', 'statistics', 'events', 'integrity']
const standingMs = 2000

const main = document.querySelector<HTMLElement>('#main')!
const navigation = document.querySelector<HTMLElement>('#views')!
const standing = document.querySelector<HTMLElement>('#standing')!
let leaving = new AbortController()

function address(): { name: string; parameters: URLSearchParams } {
	const [path = '', query = ''] = location.hash.replace(/^#\/?/, '').split('?')
	return { name: path in views ? path : '', parameters: new URLSearchParams(query) }
}

function navigate(isFirst: boolean): void {
	leaving.abort()
	leaving = new AbortController()
	const { name, parameters } = address()
	const view = views[name]!
	document.title = `${view.title} · radledger`
	const current = name === 'subscriber' ? 'sessions' : name
	fill(
		navigation,
		...inNavigation.map(each =>
			element(
				'a',
				{ href: `#/${each}`, 'aria-current': each === current ? 'page' : undefined },
				views[each]!.title,
			),
		),
	)
	fill(main, element('h1', {}, view.title))
	void view.show(main, parameters, leaving.signal)
	if (!isFirst) {
		scrollTo(0, 0)
		main.focus({ preventScroll: true })
	}
}

let said = ''
const moods = { running: 'good', stopped: 'bad', 'history only': '' } as const

/** A server that only follows a history cannot tell whether the relay runs. */
function stateOf({ follows, failure }: Relay): keyof typeof moods {
	if (follows !== null) return 'history only'
	return failure === null ? 'running' : 'stopped'
}

/** How the relay is doing, in a few words: told aloud only when it changes. */
async function stand(): Promise<void> {
	let text: string
	try {
		const relay = await get<Relay>('relay')
		text = `${relay.hostname}: ${stateOf(relay)}`
		standing.title = `radledger ${relay.release}, journal at ${count(relay.position)}`
		standing.className = `standing ${moods[stateOf(relay)]}`
	} catch (error) {
		text = 'Relay not reached'
		standing.title = error instanceof ApiError ? error.message : ''
		standing.className = 'standing bad'
	}
	if (text === said) return
	said = text
	standing.textContent = text
}

// The link past the navigation names no view.
document.querySelector('.skip')!.addEventListener('click', event => {
	event.preventDefault()
	main.focus()
})
openToken(() => {
	navigate(false)
	void stand()
})
openTheme(document.querySelector<HTMLButtonElement>('#theme')!)
addEventListener('hashchange', () => navigate(false))
navigate(true)
repeat(stand, standingMs, new AbortController().signal)
