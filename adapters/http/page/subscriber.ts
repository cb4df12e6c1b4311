/** One subscriber: the history drawn, the state at any instant, and every event. */
import {
	type Accounting,
	type Attempt,
	get,
	getNext,
	type Lease,
	type Page,
	type RecordedEvent,
	type Session,
	type SubscriberState,
} from './api.ts'
import { badge, element, facts, fill, section, table } from './element.ts'
import { instant, octets, summary } from './format.ts'
import { drawLanes, type Lane, scale } from './lanes.ts'
import { attempt, link, loading, nothing, type View } from './view.ts'

const drawn = 300
const eventsPerPage = 100
const settleMs = 120

type History = {
	readonly sessions: readonly Session[]
	readonly attempts: readonly Attempt[]
	readonly leases: readonly Lease[]
	readonly accounting: readonly Accounting[]
}

export const subscriberView: View = {
	title: 'Subscriber',
	async show(main, parameters, signal) {
		const mac = parameters.get('mac') ?? ''
		const vr = parameters.get('vr') ?? 'default'
		const state = element('div', { class: 'state' }, loading())
		const picture = element('div', { class: 'picture' })
		const events = element('div', {})
		fill(main, element('h1', {}, mac))
		main.append(
			section('History', picture, element('div', { id: 'when' })),
			section('State', state),
			section('Events', events),
		)
		await attempt(main, async () => {
			const [history, now] = await Promise.all([
				historyOf(mac, vr, signal),
				get<SubscriberState>(`subscribers/${mac}`, { vr }, signal),
			])
			main.querySelector('h1')!.append(now.user === null ? '' : ` · ${now.user}`)
			openInstant(main, picture, state, history, now, signal)
		})
		await attempt(events, () => showEvents(events, mac, vr, signal))
	},
}

async function historyOf(mac: string, vr: string, signal: AbortSignal): Promise<History> {
	const query = { mac, vr, limit: drawn }
	const [sessions, attempts, leases, accounting] = await Promise.all([
		get<Page<Session>>('sessions', query, signal),
		get<Page<Attempt>>('attempts', query, signal),
		get<Page<Lease>>('leases', query, signal),
		get<Page<Accounting>>('accounting-domains', query, signal),
	])
	return {
		sessions: sessions.items,
		attempts: attempts.items,
		leases: leases.items,
		accounting: accounting.items,
	}
}

/** The drawing with its slider, and the state that belongs to where the slider stands. */
function openInstant(
	main: HTMLElement,
	picture: HTMLElement,
	state: HTMLElement,
	history: History,
	now: SubscriberState,
	signal: AbortSignal,
): void {
	const lanes = lanesOf(history)
	const end = Date.now()
	const begin = Math.min(Date.parse(now.firstAt), end - 1000, ...beginnings(history))
	const slider = element('input', {
		...{ type: 'range', id: 'slider', min: begin, max: end, step: 'any', value: end },
		'aria-label': 'Instant whose state is shown',
	})
	const shown = element('output', { for: 'slider' })
	const toNow = element('button', { type: 'button' }, 'Now')
	const previous = element('button', { type: 'button' }, '‹ Change')
	const next = element('button', { type: 'button' }, 'Change ›')
	main
		.querySelector('#when')!
		.append(slider, element('div', { class: 'row' }, previous, next, toNow, shown))
	const draw = () => {
		fill(picture, drawLanes(lanes, begin, end, Math.max(picture.clientWidth, 280)))
		place()
	}
	const place = () => {
		const line = picture.querySelector('#instant')
		const at = scale(begin, end, Math.max(picture.clientWidth, 280))(Number(slider.value))
		line?.setAttribute('x1', `${at}`)
		line?.setAttribute('x2', `${at}`)
	}
	let settling: ReturnType<typeof setTimeout> | undefined
	let looking = new AbortController()
	const move = (at: number, ms: number) => {
		slider.value = `${at}`
		const isNow = Number(slider.value) >= end
		const text = isNow ? 'Now' : instant(at)
		slider.setAttribute('aria-valuetext', text)
		shown.textContent = text
		place()
		clearTimeout(settling)
		looking.abort()
		looking = new AbortController()
		const both = AbortSignal.any([signal, looking.signal])
		settling = setTimeout(() => {
			void attempt(state, async () => {
				const { mac, virtualRouter: vr } = now
				const query = isNow ? { vr } : { vr, at: new Date(at).toISOString() }
				const found = await get<SubscriberState>(`subscribers/${mac}`, query, both)
				showState(state, found)
			})
		}, ms)
	}
	const changes = changesOf(history, begin, end)
	slider.addEventListener('input', () => move(Number(slider.value), settleMs))
	toNow.addEventListener('click', () => move(end, 0))
	previous.addEventListener('click', () => {
		const at = changes.findLast(each => each < Number(slider.value) - 1)
		if (at !== undefined) move(at, 0)
	})
	next.addEventListener('click', () =>
		move(changes.find(each => each > Number(slider.value) + 1) ?? end, 0),
	)
	const sizes = new ResizeObserver(draw)
	sizes.observe(picture)
	signal.addEventListener('abort', () => sizes.disconnect())
	shown.textContent = 'Now'
	showState(state, now)
}

function beginnings({ sessions, attempts, leases, accounting }: History): number[] {
	return [
		...[...sessions, ...attempts, ...accounting].map(({ beganAt }) => Date.parse(beganAt)),
		...leases.map(({ offeredAt }) => Date.parse(offeredAt)),
	]
}

/** Instants at which something began or ended, in order. */
function changesOf(history: History, begin: number, end: number): number[] {
	const { sessions, attempts, leases, accounting } = history
	const ends = [...sessions, ...attempts, ...leases, ...accounting].flatMap(({ endedAt }) =>
		endedAt === null ? [] : [Date.parse(endedAt)],
	)
	const all = [...beginnings(history), ...ends].filter(at => at >= begin && at <= end)
	return [...new Set(all)].sort((a, b) => a - b)
}

const outcomeTones: Readonly<Record<string, string>> = {
	accepted: 'good',
	rejected: 'bad',
	unanswered: 'warn',
}

function lanesOf({ sessions, attempts, leases, accounting }: History): Lane[] {
	const domain = (which: Accounting['domain'], tone: string) =>
		accounting
			.filter(each => each.domain === which)
			.map(each => ({
				...spanOf(each.beganAt, each.endedAt),
				label: each.accountingSession,
				title: `${each.accountingSession} ${period(each.beganAt, each.endedAt)} ${each.cause ?? ''}`,
				tone,
			}))
	return [
		{
			name: 'Logins',
			spans: [],
			marks: attempts.map(({ beganAt, outcome, reason, server }) => ({
				at: Date.parse(beganAt),
				title: `${instant(beganAt)} ${outcome ?? 'open'} ${reason ?? ''} by ${server ?? 'nobody'}`,
				tone: outcomeTones[outcome ?? ''] ?? 'faint',
			})),
		},
		{
			name: 'Session',
			spans: sessions.map(({ beganAt, endedAt, wap, cause }) => ({
				...spanOf(beganAt, endedAt),
				label: wap,
				title: `At ${wap} ${period(beganAt, endedAt)} ${cause ?? ''}`,
				tone: 'good',
			})),
			marks: [],
		},
		{
			name: 'Address',
			spans: leases.map(({ grantedAt, offeredAt, endedAt, address, pool, cause }) => ({
				...spanOf(grantedAt ?? offeredAt, endedAt),
				label: address,
				title: `${address} from ${pool} ${period(grantedAt ?? offeredAt, endedAt)} ${cause ?? ''}`,
				tone: 'third',
			})),
			marks: [],
		},
		{ name: 'WAP accounting', spans: domain('wap', 'second'), marks: [] },
		{ name: 'SRC accounting', spans: domain('src', 'fourth'), marks: [] },
	]
}

function spanOf(begin: string, end: string | null) {
	return { begin: Date.parse(begin), end: end === null ? undefined : Date.parse(end) }
}

function period(begin: string, end: string | null): string {
	return `from ${instant(begin)} to ${end === null ? 'now' : instant(end)}.`
}

function showState(state: HTMLElement, found: SubscriberState): void {
	const { live, attempt: last, leases, accounting } = found
	fill(
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
								badge(last.outcome ?? 'open', last.outcome === 'accepted' ? 'good' : 'warn'),
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
