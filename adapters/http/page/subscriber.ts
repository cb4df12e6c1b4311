/** One subscriber: the history drawn, the state at any instant, and every event. */
import { get, getNext } from './api.ts'
import { badge, element, facts, fill, section, table } from './element.ts'
import { instant, octets, summary } from './format.ts'
import type { History } from './history.ts'
import { instantControl } from './instant.ts'
import type {
	Accounting,
	Attempt,
	Lease,
	Page,
	RecordedEvent,
	Session,
	SubscriberState,
} from './model.ts'
import { update } from './update.ts'
import { attempt, link, loading, nothing, repeat, type View } from './view.ts'

/** So many of each kind are drawn, the newest ones. */
const drawn = 300
const eventsPerPage = 100
const refreshMs = 5000

export const subscriberView: View = {
	title: 'Subscriber',
	show(main, parameters, signal) {
		const mac = parameters.get('mac') ?? ''
		const vr = parameters.get('vr') ?? 'default'
		const state = element('div', { class: 'state' }, loading())
		const events = element('div', {}, loading())
		const heading = element('h1', {}, mac)
		let looking = new AbortController()
		/** State as of an instant in milliseconds, or at present. */
		const lookAt = (at: number | undefined) => {
			looking.abort()
			looking = new AbortController()
			const both = AbortSignal.any([signal, looking.signal])
			return attempt(state, async () => {
				const query = at === undefined ? { vr } : { vr, at: new Date(at).toISOString() }
				showState(state, await get<SubscriberState>(`subscribers/${mac}`, query, both))
			})
		}
		const control = instantControl(lookAt, signal)
		const look = async () => {
			if (!control.isNow()) return
			await attempt(state, async () => {
				const [history, now] = await Promise.all([
					historyOf(mac, vr, signal),
					get<SubscriberState>(`subscribers/${mac}`, { vr }, signal),
				])
				if (!control.isNow()) return
				heading.textContent = now.user === null ? mac : `${mac} · ${now.user}`
				control.set(history, Date.parse(now.firstAt), Date.now())
				showState(state, now)
			})
		}
		fill(
			main,
			heading,
			section('History', control.place),
			section('State', state),
			section('Events', events),
		)
		repeat(look, refreshMs, signal)
		void attempt(events, () => showEvents(events, mac, vr, signal))
	},
}

async function historyOf(mac: string, vr: string, signal: AbortSignal): Promise<History> {
	const query = { mac, vr, limit: drawn }
	const [sessions, attempts, leases, accounting] = await Promise.all([
		get<Page<Session>>('sessions', { ...query, state: 'all' }, signal),
		get<Page<Attempt>>('attempts', query, signal),
		get<Page<Lease>>('leases', query, signal),
		get<Page<Accounting>>('accounting-domains', query, signal),
	])
	return {
		sessions: sessions.items,
		attempts: attempts.items,
		leases: leases.items,
		accounting: accounting.items,
		isWhole: [sessions, attempts, leases, accounting].every(({ next }) => next === null),
	}
}

const outcomeMoods: Readonly<Record<string, 'good' | 'bad' | 'warn'>> = {
	accepted: 'good',
	rejected: 'bad',
	unanswered: 'warn',
}

function showState(state: HTMLElement, found: SubscriberState): void {
	const { live, attempt: last, leases, accounting } = found
	update(
		state,
		element(
			'div',
			{ class: 'cards' },
			card(
				'Session',
				live === null
					? nothing('Not on the network.')
					: facts([
							['State', badge('live', 'good')],
							['User', live.user],
							['Access point', link(live.wap, 'sessions', { q: live.wap })],
							['SSID', live.ssid],
							['Since', instant(live.beganAt)],
							['Class', live.class],
							['Service bundle', live.serviceBundle],
						]),
			),
			card(
				'Address',
				...(leases.length === 0 ? [nothing('No address.')] : []),
				...leases.map(lease =>
					facts([
						['Address', lease.address],
						['Pool', lease.pool],
						['State', lease.state],
						['Granted', instant(lease.grantedAt)],
						['Until', lease.expiresAt === null ? 'for ever' : instant(lease.expiresAt)],
					]),
				),
			),
			...(['wap', 'src'] as const).map(domain =>
				card(
					domain === 'wap' ? 'Accounting by access points' : 'Accounting by SRC',
					...accountingOf(accounting.filter(each => each.domain === domain)),
				),
			),
			card(
				'Last login',
				last === null
					? nothing('None yet.')
					: facts([
							['At', instant(last.beganAt)],
							[
								'Outcome',
								badge(last.outcome ?? 'open', outcomeMoods[last.outcome ?? ''] ?? 'calm'),
							],
							['Reason', last.reason],
							['Server', last.server],
							['Access point', last.wap],
						]),
			),
		),
	)
}

function accountingOf(accounting: readonly Accounting[]): HTMLElement[] {
	if (accounting.length === 0) return [nothing('Nothing open.')]
	return accounting.map(each =>
		facts([
			['Session', each.accountingSession],
			['Since', instant(each.beganAt)],
			['User', each.user],
			['Class', each.class],
			['Service', each.service],
			['Address', each.address],
			['In', each.domain === 'wap' ? octets(each.inputOctets) : null],
			['Out', each.domain === 'wap' ? octets(each.outputOctets) : null],
		]),
	)
}

function card(title: string, ...children: HTMLElement[]): HTMLElement {
	return element('article', { class: 'card' }, element('h3', {}, title), ...children)
}

async function showEvents(
	place: HTMLElement,
	mac: string,
	vr: string,
	signal: AbortSignal,
): Promise<void> {
	const path = `subscribers/${mac}/timeline`
	const query = { vr, order: 'newest', limit: eventsPerPage }
	let page = await get<Page<RecordedEvent>>(path, query, signal)
	const rows = (items: readonly RecordedEvent[]) =>
		table(
			'Events of the subscriber, the newest first',
			['Position', 'Time', 'Event', 'What it says'],
			items.map(({ position, at, type, data }) => [
				link(`${position}`, 'events', { position: `${position}` }),
				instant(at),
				type,
				element('span', { class: 'data' }, summary(data)),
			]),
			[0],
		)
	const shown = rows(page.items)
	const button = element('button', { type: 'button' }, 'Earlier ones')
	button.hidden = page.next === null
	button.addEventListener('click', () =>
		attempt(place, async () => {
			if (page.next === null) return
			page = await getNext<RecordedEvent>(page.next, signal)
			shown.querySelector('tbody')!.append(...rows(page.items).querySelectorAll('tbody tr'))
			button.hidden = page.next === null
		}),
	)
	fill(place, shown, button)
}
