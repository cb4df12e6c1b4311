/** Sessions, and the search for subscribers by what is known of them. */
import { get, getNext } from './api.ts'
import { badge, type Child, element, table } from './element.ts'
import { age, instant, octets } from './format.ts'
import type { Page, Session, Subscriber } from './model.ts'
import { update } from './update.ts'
import { attempt, link, loading, nothing, repeat, subscriberLink, type View } from './view.ts'

const refreshMs = 5000
const typingMs = 250
const perPage = 100

export const sessionsView: View = {
	title: 'Sessions',
	show(main, parameters, signal) {
		const said = element('p', { class: 'note', role: 'status' })
		const rows = element('div', {}, loading())
		const further = element('button', { type: 'button', hidden: true }, 'Further sessions')
		const shown: Shown = { rows, said, further, next: null, turned: false }
		const input = element('input', {
			type: 'search',
			id: 'search',
			value: parameters.get('q') ?? '',
			placeholder: 'MAC, user name, IPv4 address or access point',
			autocomplete: 'off',
			spellcheck: 'false',
			maxlength: 128,
		})
		const ended = element('input', { type: 'checkbox', id: 'ended' })
		const form = element(
			'form',
			{ role: 'search', class: 'row' },
			element('label', { for: 'search', class: 'unseen' }, 'Search subscribers'),
			input,
			element('label', { class: 'check' }, ended, 'Ended ones, too'),
		)
		main.append(form, said, rows, further)
		let looking = new AbortController()
		const look = async () => {
			looking.abort()
			looking = new AbortController()
			const both = AbortSignal.any([looking.signal, signal])
			const q = input.value.trim()
			await attempt(rows, () =>
				q === '' ? showSessions(shown, ended.checked, both) : showSubscribers(shown, q, both),
			)
		}
		let typing: ReturnType<typeof setTimeout> | undefined
		const lookAnew = () => {
			clearTimeout(typing)
			const q = input.value.trim()
			const hash = q === '' ? '#/sessions' : `#/sessions?q=${encodeURIComponent(q)}`
			history.replaceState(null, '', hash)
			shown.turned = false
			void look()
		}
		form.addEventListener('submit', event => {
			event.preventDefault()
			lookAnew()
		})
		ended.addEventListener('change', lookAnew)
		input.addEventListener('input', () => {
			clearTimeout(typing)
			typing = setTimeout(lookAnew, typingMs)
		})
		further.addEventListener('click', () => attempt(rows, () => showFurther(shown, signal)))
		// Whoever reads on is not thrown back to the first page.
		repeat(async () => (shown.turned ? undefined : look()), refreshMs, signal)
	},
}

type Shown = {
	readonly rows: HTMLElement
	readonly said: HTMLElement
	readonly further: HTMLButtonElement
	next: string | null
	/** Whether further pages are shown. */
	turned: boolean
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

async function showSessions(shown: Shown, all: boolean, signal: AbortSignal): Promise<void> {
	const state = all ? 'all' : 'live'
	const page = await get<Page<Session>>('sessions', { state, limit: perPage }, signal)
	shown.said.textContent = ''
	turnTo(shown, page.next)
	const { items } = page
	const none = nothing(all ? 'Nobody was on the network yet.' : 'Nobody is on the network.')
	update(shown.rows, items.length === 0 ? none : sessionTable(items))
}

function turnTo(shown: Shown, next: string | null): void {
	shown.next = next
	shown.further.hidden = next === null
}

function sessionTable(items: readonly Session[]): HTMLElement {
	return table('Sessions', header, items.map(sessionRow), [7, 8])
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

async function showFurther(shown: Shown, signal: AbortSignal): Promise<void> {
	if (shown.next === null) return
	shown.turned = true
	const page = await getNext<Session>(shown.next, signal)
	const rows = sessionTable(page.items).querySelectorAll('tbody tr')
	shown.rows.querySelector('tbody')?.append(...rows)
	turnTo(shown, page.next)
}

async function showSubscribers(shown: Shown, q: string, signal: AbortSignal): Promise<void> {
	const { items, next } = await get<Page<Subscriber>>('subscribers', { q, limit: perPage }, signal)
	turnTo(shown, null)
	shown.said.textContent = foundText(q, items.length, next !== null)
	if (items.length === 0) {
		update(shown.rows)
		return
	}
	update(
		shown.rows,
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
}

/** What is told aloud of a search. */
function foundText(q: string, count: number, more: boolean): string {
	if (count === 0) return `Nobody is known by “${q}”. A search finds what begins with it.`
	if (more) return `More than ${count} subscribers: search for more of the name.`
	return count === 1 ? 'One subscriber.' : `${count} subscribers.`
}
