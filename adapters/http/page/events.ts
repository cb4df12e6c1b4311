/** The journal itself: looked through from any place, or followed while it grows. */
import { apiPath, get, getNext } from './api.ts'
import { type Child, element, fill, table } from './element.ts'
import { followEvents } from './follow.ts'
import { count, instant, summary } from './format.ts'
import type { Page, RecordedEvent } from './model.ts'
import { attempt, link, loading, nothing, subscriberLink, type View } from './view.ts'

const perPage = 100
/** Rows that a live tail keeps, and how often it shows what has come. */
const tailed = 200
const showMs = 250

export const eventsView: View = {
	title: 'Events',
	show(main, parameters, signal) {
		const field = (name: string, label: string, placeholder: string) => {
			const input = element('input', {
				id: `filter-${name}`,
				value: parameters.get(name) ?? '',
				placeholder,
				autocomplete: 'off',
				spellcheck: 'false',
				maxlength: 256,
			})
			return { input, shown: element('label', {}, label, input) }
		}
		const position = field('position', 'From position', 'the newest')
		position.input.inputMode = 'numeric'
		const type = field('type', 'Types', 'AccessRejected, LeaseGranted')
		const stream = field('stream', 'Stream', 'subscriber-default.02-00-…')
		const live = element('button', { type: 'button', 'aria-pressed': 'false' }, 'Live')
		const said = element('p', { class: 'note', role: 'status' })
		const place = element('div', {}, loading())
		const form = element(
			'form',
			{ class: 'row filters', role: 'search' },
			position.shown,
			type.shown,
			stream.shown,
			element('button', {}, 'Show'),
			live,
		)
		main.append(form, said, place)
		const filters = () => ({
			type: type.input.value.replaceAll(' ', ''),
			stream: stream.input.value.trim(),
		})
		let tail: AbortController | undefined
		const endTail = () => {
			tail?.abort()
			tail = undefined
			live.setAttribute('aria-pressed', 'false')
			said.textContent = ''
		}
		const look = () => {
			endTail()
			const from = position.input.value.trim()
			const query =
				from === '' ? { ...filters(), order: 'newest' } : { ...filters(), from, order: 'oldest' }
			return attempt(place, () => showPage(place, query, signal))
		}
		form.addEventListener('submit', event => {
			event.preventDefault()
			void look()
		})
		live.addEventListener('click', () => {
			if (tail !== undefined) {
				endTail()
				return
			}
			tail = new AbortController()
			live.setAttribute('aria-pressed', 'true')
			follow(place, said, filters(), AbortSignal.any([signal, tail.signal]))
		})
		void look()
	},
}

const header = ['Position', 'Time', 'Event', 'Whose', 'What it says']

function row({ position, at, type, stream, data }: RecordedEvent): Child[] {
	return [
		link(`${position}`, 'events', { position: `${position}` }),
		instant(at),
		type,
		whose(stream),
		element('span', { class: 'data' }, summary(data)),
	]
}

/** Streams are `subscriber-<router>.<mac>`, `wap-<router>.<station>` and `relay-<router>`. */
function whose(stream: string): HTMLElement {
	const begin = stream.indexOf('-') + 1
	const dot = stream.lastIndexOf('.')
	if (stream.startsWith('subscriber-')) {
		return subscriberLink(stream.slice(dot + 1), stream.slice(begin, dot))
	}
	return element('span', {}, stream)
}

async function showPage(
	place: HTMLElement,
	query: Readonly<Record<string, string>>,
	signal: AbortSignal,
): Promise<void> {
	let page = await get<Page<RecordedEvent>>('events', { ...query, limit: perPage }, signal)
	if (page.items.length === 0) {
		fill(place, nothing('No event is like that.'))
		return
	}
	const shown = table('Events', header, page.items.map(row), [0])
	const button = element('button', { type: 'button' }, 'Further events')
	button.hidden = page.next === null
	button.addEventListener('click', () =>
		attempt(place, async () => {
			if (page.next === null) return
			page = await getNext<RecordedEvent>(page.next, signal)
			const rows = table('Events', header, page.items.map(row), [0])
			shown.querySelector('tbody')!.append(...rows.querySelectorAll('tbody tr'))
			button.hidden = page.next === null
		}),
	)
	fill(place, shown, button)
}

/** The newest events on top, until `signal`. */
function follow(
	place: HTMLElement,
	said: HTMLElement,
	filters: Readonly<Record<string, string>>,
	signal: AbortSignal,
): void {
	const shown = table('Events as they are recorded', header, [], [0])
	const body = shown.querySelector('tbody')!
	fill(place, shown)
	let waiting: RecordedEvent[] = []
	let left = 0
	const say = (text: string) => {
		if (said.textContent !== text) said.textContent = text
	}
	void followEvents(
		apiPath('events/live', { ...filters, gaps: true }),
		{
			event(event) {
				waiting.push(event)
				if (waiting.length <= tailed) return
				waiting.shift()
				left++
			},
			gap(events) {
				left += events
			},
			state: trouble => say(trouble ?? 'Following the journal.'),
		},
		signal,
	)
	const timer = setInterval(() => {
		if (waiting.length === 0) return
		const rows = table('', header, waiting.map(row).reverse(), [0])
		body.prepend(...rows.querySelectorAll('tbody tr'))
		while (body.children.length > tailed) body.lastElementChild!.remove()
		waiting = []
		if (left > 0) say(`Following the journal; ${count(left)} events came too fast to be shown.`)
	}, showMs)
	signal.addEventListener('abort', () => clearInterval(timer))
}
