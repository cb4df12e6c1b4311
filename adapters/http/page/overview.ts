/** The first view: how much is going on, what it comes to, and how everything around stands. */
import { get, getAll } from './api.ts'
import { badge, type Child, element, section, table } from './element.ts'
import { age, count } from './format.ts'
import type { Minute, Peer, Pool, Relay, Statistic, Upstream } from './model.ts'
import { type Line, type Plot, plot } from './plot.ts'
import { byMinute, newRates } from './rates.ts'
import { update } from './update.ts'
import { attempt, loading, nothing, repeat, type View } from './view.ts'

const liveMs = 2000
const slowMs = 10_000
const liveSeconds = 300
const hourSeconds = 3600

type Counted = Line & { readonly of: readonly [service: string, statistic: string] }

const liveLines: readonly Counted[] = [
	{ label: 'accepts', tone: 'good', of: ['authentication', 'accepts'] },
	{ label: 'rejects', tone: 'bad', of: ['authentication', 'rejects'] },
	{ label: 'challenges', tone: 'second', of: ['authentication', 'challenges'] },
	{ label: 'accounting', tone: 'third', of: ['accounting', 'responses'] },
]

type Summed = Line & { readonly of: string }

const hourly: readonly { title: string; unit: string; lines: readonly Summed[] }[] = [
	{
		title: 'Logins',
		unit: '',
		lines: [
			{ label: 'accepted', tone: 'good', of: 'accessAccepts' },
			{ label: 'rejected', tone: 'bad', of: 'accessRejects' },
			{ label: 'unanswered', tone: 'warn', of: 'accessUnanswered' },
		],
	},
	{
		title: 'Accounting',
		unit: '',
		lines: [
			{ label: 'starts', tone: 'good', of: 'accountingStarts' },
			{ label: 'updates', tone: 'third', of: 'accountingInterims' },
			{ label: 'stops', tone: 'second', of: 'accountingStops' },
			{ label: 'unanswered', tone: 'warn', of: 'accountingUnanswered' },
		],
	},
	{
		title: 'Sessions and addresses',
		unit: '',
		lines: [
			{ label: 'begun', tone: 'good', of: 'sessionsBegun' },
			{ label: 'ended', tone: 'second', of: 'sessionsEnded' },
			{ label: 'leases', tone: 'third', of: 'leasesGranted' },
		],
	},
	{
		title: 'Servers’ answer time',
		unit: ' ms',
		lines: [
			{ label: 'mean', tone: 'third', of: 'serverMs' },
			{ label: 'longest', tone: 'warn', of: 'serverMsMax' },
		],
	},
]

export const overviewView: View = {
	title: 'Overview',
	async show(main, _, signal) {
		const figures = element('div', { class: 'figures' }, loading())
		const live = plot(
			{ title: 'Requests answered', lines: liveLines, unit: '/s', span: liveSeconds },
			signal,
		)
		const hours = hourly.map(settings => plot({ ...settings, span: hourSeconds }, signal))
		const now = section('Now', live.place)
		const hour = section(
			'Last hour, by minute',
			element('div', { class: 'plots' }, ...hours.map(({ place }) => place)),
		)
		const around = element('div', { class: 'around' })
		const fleet = element('div', {})
		main.append(fleet, figures, now, hour, around)
		const rates = newRates(liveLines.length, liveSeconds * 1000)
		repeat(
			() => attempt(figures, () => lookLive(figures, fleet, live, rates, signal)),
			liveMs,
			signal,
		)
		repeat(() => attempt(hour, () => lookHour(hours, signal)), slowMs, signal)
		repeat(() => attempt(around, () => lookAround(around, signal)), liveMs, signal)
	},
}

async function lookHour(plots: readonly Plot[], signal: AbortSignal): Promise<void> {
	const items = await getAll<Minute>('statistics/series', {}, signal)
	const now = Date.now()
	for (const [i, { lines }] of hourly.entries()) {
		const names = lines.map(({ of }) => of)
		const { seconds, values } = byMinute(items, names, now)
		plots[i]!.set(now / 1000, seconds, values)
	}
}

async function lookLive(
	figures: Element,
	fleet: Element,
	live: Plot,
	rates: ReturnType<typeof newRates>,
	signal: AbortSignal,
): Promise<void> {
	const [relay, items] = await Promise.all([
		get<Relay>('relay', {}, signal),
		getAll<Statistic>('statistics', { of: 'relay' }, signal),
	])
	const total = ([service, statistic]: Counted['of']) =>
		items
			.filter(row => row.peer === null && row.service === service && row.statistic === statistic)
			.reduce((sum, row) => sum + row.total, 0)
	const now = Date.now()
	rates.add({ at: now, values: liveLines.map(({ of }) => total(of)) })
	live.set(now / 1000, rates.series.seconds, rates.series.values)
	update(
		figures,
		figure('Subscribers on', count(relay.sessions)),
		figure('Accepted', count(total(['authentication', 'accepts']))),
		figure('Rejected', count(total(['authentication', 'rejects']))),
		figure('Events recorded', count(relay.position)),
		figure(relay.follows === null ? 'Running for' : 'Following for', age(relay.startedAt)),
	)
	update(fleet, ...(relay.fleet.length === 0 ? [] : [fleetLinks(relay.fleet)]))
}

/** The others are at other ports of the host that this page is from. */
function fleetLinks(fleet: Relay['fleet']): HTMLElement {
	const links = fleet.map(({ name, port }) => {
		const { protocol, hostname } = location
		return element('a', { href: `${protocol}//${hostname}:${port}/` }, name)
	})
	return element('nav', { class: 'row tabs', 'aria-label': 'Other relays' }, ...links)
}

function figure(label: string, value: string): HTMLElement {
	return element('div', { class: 'figure' }, element('b', {}, value), element('span', {}, label))
}

async function lookAround(around: Element, signal: AbortSignal): Promise<void> {
	const [upstreams, peers, pools] = await Promise.all([
		getAll<Upstream>('upstreams', {}, signal),
		getAll<Peer>('peers', {}, signal),
		getAll<Pool>('pools', {}, signal),
	])
	update(
		around,
		section('RADIUS servers', upstreamTable(upstreams)),
		section('SRC and mirrors', peerTable(peers)),
		section('Address pools', poolTable(pools)),
	)
}

/** Most have the virtual router `default` alone: only another one is named. */
function ofRouter(virtualRouter: string | null): string {
	return virtualRouter === null || virtualRouter === 'default' ? '' : ` · ${virtualRouter}`
}

const upstreamMoods = { okay: 'good', suspect: 'warn', down: 'bad' } as const

function upstreamTable(upstreams: readonly Upstream[]): HTMLElement {
	if (upstreams.length === 0) return nothing('No RADIUS server is configured.')
	return table(
		'RADIUS servers',
		['Server', 'Service', 'State', 'In flight'],
		upstreams.map(({ virtualRouter, server, udpPort, service, state, pending }) => [
			`${server}:${udpPort}${ofRouter(virtualRouter)}`,
			service,
			badge(state, upstreamMoods[state as keyof typeof upstreamMoods] ?? 'calm'),
			count(pending),
		]),
		[3],
	)
}

const peerKinds = { src: 'SRC', eventstore: 'EventStoreDB', nats: 'JetStream' } as const
const goodPeers = ['connected', 'following', 'local']

function peerTable(peers: readonly Peer[]): HTMLElement {
	if (peers.length === 0) return nothing('Neither SRC nor a mirror is configured.')
	// Sentences are too long for a cell.
	const troubles = peers.flatMap(({ trouble }) => (trouble === null ? [] : [trouble]))
	return element(
		'div',
		{},
		table(
			'SRC and mirrors',
			['Kind', 'Name', 'State', 'Position', 'Behind'],
			peers.map(({ kind, virtualRouter, name, state, position, behind }): Child[] => [
				peerKinds[kind] + ofRouter(virtualRouter),
				name === '' ? 'none' : name,
				badge(state, peerMood(state)),
				position === null ? '' : count(position),
				behind === null ? '' : count(behind),
			]),
			[3, 4],
		),
		...troubles.map(trouble => element('p', { class: 'note' }, trouble)),
	)
}

function peerMood(state: string): 'good' | 'warn' | 'bad' {
	if (goodPeers.includes(state)) return 'good'
	return state === 'stopped' ? 'bad' : 'warn'
}

function poolTable(pools: readonly Pool[]): HTMLElement {
	if (pools.length === 0) return nothing('No address pool is configured.')
	return table(
		'Address pools',
		['Pool', 'Fill', 'Leased', 'Size', 'Most ever'],
		pools.map(
			({ virtualRouter, pool, usedPercent, warningAt, bound, size, highWater }): Child[] => [
				pool + ofRouter(virtualRouter),
				usedPercent === null ? '–' : meter(pool, usedPercent, warningAt),
				count(bound),
				count(size),
				count(highWater),
			],
		),
		[2, 3, 4],
	)
}

function meter(pool: string, percent: number, high: number): HTMLElement {
	return element('meter', {
		...{ min: 0, max: 100, high, optimum: 0, value: percent },
		title: `${percent} %`,
		'aria-label': `${pool}: ${percent} % leased`,
	})
}
