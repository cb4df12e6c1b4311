/** Sessions, and the search for subscribers by what is known of them. */
import { get, getNext, type Page, type Session, type Subscriber } from './api.ts'
import { badge, type Child, element, fill, table } from './element.ts'
import { age, instant, octets } from './format.ts'
import { attempt, link, loading, nothing, repeat, subscriberLink, type View } from './view.ts'

const refreshMs = 5000
const typingMs = 250
const perPage = 100

export const sessionsView: View = {
	title: 'Sessions',
	show(main, parameters, signal) {
		const found = element('div', { 'aria-live': 'polite' }, loading())
		const input = element('input', {
			type: 'search',
			id: 'search',
			value: parameters.get('q') ?? '',
			placeholder: 'MAC, user name, IPv4 address or access point',
			autocomplete: 'off',
			spellcheck: false,
			maxlength: 128,
		})
		const ended = element('input', { type: 'checkbox', id: 'ended' })
		main.append(
			element(
				'form',
				{ role: 'search', class: 'row' },
				element('label', { for: 'search', class: 'unseen' }, 'Search subscribers'),
				input,
				element('label', { class: 'check' }, ended, 'Ended ones, too'),
			),
			found,
		)
		let looking = new AbortController()
		let typing: ReturnType<typeof setTimeout> | undefined
		const look = async () => {
			looking.abort()
			looking = new AbortController()
			const both = AbortSignal.any([looking.signal, signal])
			const q = input.value.trim()
			await attempt(found, () =>
				q === '' ? showSessions(found, ended.checked, both) : showSubscribers(found, q, both),
			)
		}
		main.querySelector('form')!.addEventListener('submit', event => {
			event.preventDefault()
			void look()
		})
		ended.addEventListener('change', () => void look())
		input.addEventListener('input', () => {
			clearTimeout(typing)
			typing = setTimeout(() => {
				const query = input.value.trim()
				history.replaceState(
					null,
					'',
					query === '' ? '#/sessions' : `#/sessions?q=${encodeURIComponent(query)}`,
				)
				void look()
			}, typingMs)
		})
		// Whoever reads on is not thrown back to the first page.
		repeat(
			async () => {
				if (found.dataset['further'] === undefined && input.value.trim() === '') await look()
				else if (found.textContent === 'Loading …') await look()
			},
			refreshMs,
			signal,
		)
	},
}

const header = [
	'MAC address',
	'User',
	'Address',
	'Access point',
	'SSID',
	'State',
	'Since',
	'In',
	'Out',
]

async function showSessions(found: HTMLElement, all: boolean, signal: AbortSignal): Promise<void> {
	const state = all ? 'all' : 'live'
	const page = await get<Page<Session>>('sessions', { state, limit: perPage }, signal)
	delete found.dataset['further']
	if (page.items.length === 0) {
		fill(found, nothing('Nobody is on the network.'))
		return
	}
	const shown = table('Sessions', header, page.items.map(sessionRow), [7, 8])
	fill(found, shown)
	if (page.next !== null) found.append(more(found, shown, page.next, signal))
}

function sessionRow(session: Session): Child[] {
	const { mac, virtualRouter, user, address, framedAddress, wap, ssid } = session
	return [
		subscriberLink(mac, virtualRouter),
		user,
		address ?? framedAddress,
		link(wap, 'sessions', { q: wap }),
		ssid,
		session.state === 'live' ? badge('live', 'good') : badge(session.cause ?? 'ended', 'calm'),
		element(
			'time',
			{ datetime: session.beganAt, title: instant(session.beganAt) },
			age(session.beganAt),
		),
		octets(session.inputOctets),
		octets(session.outputOctets),
	]
}

function more(
	found: HTMLElement,
	shown: HTMLElement,
	next: string,
	signal: AbortSignal,
): HTMLElement {
	const button = element('button', { type: 'button' }, 'Further sessions')
	let follows: string | null = next
	button.addEventListener('click', () =>
		attempt(found, async () => {
			if (follows === null) return
			const page: Page<Session> = await getNext<Session>(follows, signal)
			found.dataset['further'] = 'true'
			const rows = table('Sessions', header, page.items.map(sessionRow), [7, 8])
			shown.querySelector('tbody')!.append(...rows.querySelectorAll('tbody tr'))
			follows = page.next
			if (follows === null) button.remove()
		}),
	)
	return button
}

async function showSubscribers(found: HTMLElement, q: string, signal: AbortSignal): Promise<void> {
	const { items, next } = await get<Page<Subscriber>>('subscribers', { q, limit: perPage }, signal)
	delete found.dataset['further']
	if (items.length === 0) {
		fill(found, nothing(`Nobody is known by “${q}”. A search finds what begins with it.`))
		return
	}
	fill(
		found,
		table(
			'Subscribers that were found',
			['MAC address', 'User', 'Access point', 'SSID', 'State', 'First seen', 'Last seen'],
			items.map(({ mac, virtualRouter, user, wap, ssid, session, firstAt, lastAt }): Child[] => [
				subscriberLink(mac, virtualRouter),
				user,
				wap,
				ssid,
				session === null ? badge('off', 'calm') : badge('live', 'good'),
				instant(firstAt),
				instant(lastAt),
			]),
		),
	)
	if (next !== null)
		found.append(nothing(`These are the newest ${items.length}: search for more of the name.`))
}
