/** The first view: how much is going on, what it comes to, and how everything around stands. */
import {
	get,
	type Minute,
	type Page,
	type Peer,
	type Pool,
	type Relay,
	type Statistic,
	type Upstream,
} from './api.ts'
import { badge, type Child, element, fill, section, table } from './element.ts'
import { age, count } from './format.ts'
import { plot } from './plot.ts'
import { attempt, loading, nothing, repeat, type View } from './view.ts'

const liveMs = 2000
const slowMs = 10_000
/** Two seconds apart: five minutes. */
const liveKept = 150

export const overviewView: View = {
	title: 'Overview',
	async show(main, _, signal) {
		const figures = element('div', { class: 'figures' })
		const around = element('div', { class: 'around' }, loading())
		const live = plot(
			'Requests answered',
			[
				{ label: 'accepts', colour: '--good' },
				{ label: 'rejects', colour: '--bad' },
				{ label: 'challenges', colour: '--second' },
				{ label: 'accounting', colour: '--third' },
			],
			'/s',
			signal,
		)
		const [logins, accounting, sessions, servers] = hourPlots(signal)
		main.append(
			figures,
			section('Now', live.place),
			section(
				'Last hour, by minute',
				element(
					'div',
					{ class: 'plots' },
					logins.place,
					accounting.place,
					sessions.place,
					servers.place,
				),
			),
			around,
		)
		const rates = newRates()
		repeat(() => attempt(main, () => lookLive(figures, live, rates, signal)), liveMs, signal)
		repeat(
			() => attempt(main, () => lookHour([logins, accounting, sessions, servers], signal)),
			slowMs,
			signal,
		)
		repeat(() => attempt(around, () => lookAround(around, signal)), liveMs, signal)
	},
}

type Plots = ReturnType<typeof hourPlots>

function hourPlots(signal: AbortSignal) {
	return [
		plot(
			'Logins',
			[
				{ label: 'accepted', colour: '--good' },
				{ label: 'rejected', colour: '--bad' },
				{ label: 'unanswered', colour: '--warn' },
			],
			'',
			signal,
		),
		plot(
			'Accounting',
			[
				{ label: 'starts', colour: '--good' },
				{ label: 'updates', colour: '--third' },
				{ label: 'stops', colour: '--second' },
				{ label: 'unanswered', colour: '--warn' },
			],
			'',
			signal,
		),
		plot(
			'Sessions and addresses',
			[
				{ label: 'begun', colour: '--good' },
				{ label: 'ended', colour: '--second' },
				{ label: 'leases', colour: '--third' },
			],
			'',
			signal,
		),
		plot(
			'Servers’ answer time',
			[
				{ label: 'mean', colour: '--third' },
				{ label: 'longest', colour: '--warn' },
			],
			' ms',
			signal,
		),
	] as const
}

const shown: readonly (readonly string[])[] = [
	['accessAccepts', 'accessRejects', 'accessUnanswered'],
	['accountingStarts', 'accountingInterims', 'accountingStops', 'accountingUnanswered'],
	['sessionsBegun', 'sessionsEnded', 'leasesGranted'],
	['serverMs', 'serverMsMax'],
]

async function lookHour(plots: Plots, signal: AbortSignal): Promise<void> {
	const { items } = await get<Page<Minute>>('statistics/series', { limit: 1000 }, signal)
	// One row for each virtual router: their counts belong together, their times do not add up.
	const minutes = new Map<number, Minute[]>()
	for (const minute of items) {
		const at = Date.parse(minute.at) / 1000
		minutes.set(at, [...(minutes.get(at) ?? []), minute])
	}
	const seconds = [...minutes.keys()].sort((a, b) => a - b)
	for (const [i, names] of shown.entries()) {
		const values = names.map(name =>
			seconds.map(at => {
				const parts = minutes.get(at)!.map(minute => Number(minute[name] ?? 0))
				return name.startsWith('serverMs') ? Math.max(...parts) : parts.reduce((a, b) => a + b, 0)
			}),
		)
		plots[i]!.set(seconds, values)
	}
}

type Totals = { readonly at: number; readonly values: readonly number[] }

function newRates() {
	const seconds: number[] = []
	const values: number[][] = [[], [], [], []]
	let before: Totals | undefined
	return {
		seconds,
		values,
		add(now: Totals): void {
			const elapsed = before === undefined ? 0 : (now.at - before.at) / 1000
			if (before !== undefined && elapsed > 0) {
				seconds.push(now.at / 1000)
				for (const [i, list] of values.entries()) {
					// Totals only fall where the relay began anew.
					list.push(Math.max(0, (now.values[i]! - before.values[i]!) / elapsed))
				}
			}
			before = now
			if (seconds.length <= liveKept) return
			seconds.shift()
			for (const list of values) list.shift()
		},
	}
}

const liveRows: readonly (readonly [service: string, statistic: string])[] = [
	['authentication', 'accepts'],
	['authentication', 'rejects'],
	['authentication', 'challenges'],
	['accounting', 'responses'],
]

async function lookLive(
	figures: Element,
	live: ReturnType<typeof plot>,
	rates: ReturnType<typeof newRates>,
	signal: AbortSignal,
): Promise<void> {
	const [relay, { items }] = await Promise.all([
		get<Relay>('relay', {}, signal),
		get<Page<Statistic>>('statistics', { of: 'relay', limit: 10_000 }, signal),
	])
	const total = (service: string, statistic: string) =>
		items
			.filter(row => row.peer === null && row.service === service && row.statistic === statistic)
			.reduce((sum, row) => sum + row.total, 0)
	rates.add({ at: Date.now(), values: liveRows.map(row => total(...row)) })
	live.set(rates.seconds, rates.values)
	fill(
		figures,
		figure('Subscribers on', count(relay.sessions)),
		figure('Accepted', count(total('authentication', 'accepts'))),
		figure('Rejected', count(total('authentication', 'rejects'))),
		figure('Events recorded', count(relay.position)),
		figure('Running for', age(relay.startedAt)),
	)
}

function figure(label: string, value: string): HTMLElement {
	return element('div', { class: 'figure' }, element('b', {}, value), element('span', {}, label))
}

async function lookAround(around: Element, signal: AbortSignal): Promise<void> {
	const [upstreams, peers, pools] = await Promise.all([
		get<Page<Upstream>>('upstreams', { limit: 1000 }, signal),
		get<Page<Peer>>('peers', { limit: 1000 }, signal),
		get<Page<Pool>>('pools', { limit: 1000 }, signal),
	])
	fill(
		around,
		section('RADIUS servers', upstreamTable(upstreams.items)),
		section('SRC and mirrors', peerTable(peers.items)),
		section('Address pools', poolTable(pools.items)),
	)
}

const upstreamMoods = { okay: 'good', suspect: 'warn', down: 'bad' } as const

function upstreamTable(upstreams: readonly Upstream[]): HTMLElement {
	if (upstreams.length === 0) return nothing('No RADIUS server is configured.')
	return table(
		'RADIUS servers',
		['Server', 'Service', 'State', 'In flight'],
		upstreams.map(({ server, udpPort, service, state, pending }) => [
			`${server}:${udpPort}`,
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
	return table(
		'SRC and mirrors',
		['Kind', 'Name', 'State', 'Position'],
		peers.map(({ kind, name, state, position, trouble }): Child[] => [
			peerKinds[kind],
			name,
			element('span', { title: trouble ?? undefined }, badge(state, peerMood(state))),
			position === null ? '' : count(position),
		]),
		[3],
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
		pools.map(({ pool, usedPercent, warningAt, bound, size, highWater }): Child[] => [
			pool,
			element('meter', {
				min: 0,
				max: 100,
				high: warningAt,
				optimum: 0,
				value: usedPercent,
				title: `${usedPercent} %`,
				'aria-label': `${pool}: ${usedPercent} % leased`,
			}),
			count(bound),
			count(size),
			count(highWater),
		]),
		[2, 3, 4],
	)
}
