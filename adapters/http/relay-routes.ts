/** What the running relay says about itself: its servers, statistics, and whom it speaks to. */
import { lastUpTo } from '../../domain/clock-epochs.ts'
import { type Service, services } from '../../domain/configuration.ts'
import { timesOf } from './event-routes.ts'
import type { RelayStatus } from './live.ts'
import { statisticsSubjects } from './live.ts'
import {
	countColumn,
	countOrNull,
	differenceOrNull,
	flagColumn,
	historyRoute,
	objectColumn,
	optional,
	otherwise,
	relayRoute,
	textColumn,
	textOrNull,
	textsColumn,
	timeColumn,
	timeOrNull,
	wordColumn,
	wordOrNull,
} from './route.ts'
import { choice, text, time } from './value.ts'

/** A virtual router by its name. */
export const vr = optional(text(64), 'One virtual router; all where it is left out')
const peerKinds = ['src', 'eventstore', 'nats'] as const
const upstreamStates = ['okay', 'suspect', 'down', 'reopen', 'unused'] as const

export const ofRouter =
	(virtualRouter: string | undefined) => (row: { virtualRouter: string | null }) =>
		virtualRouter === undefined || row.virtualRouter === virtualRouter

export const relayRoutes = [
	relayRoute({
		operation: 'getRelay',
		path: '/api/v1/relay',
		tag: 'Relay',
		summary: 'The relay itself',
		gives: 'item',
		row: 'Relay',
		columns: {
			release: textColumn('Release of radledger'),
			hostname: textColumn('As configured'),
			follows: textOrNull('The history that this is a copy of; null: it is the relay itself'),
			fleet: {
				schema: {
					type: 'array',
					items: {
						type: 'object',
						required: ['name', 'port'],
						properties: { name: { type: 'string' }, port: { type: 'integer' } },
						additionalProperties: false,
					},
				},
				description: 'Other relays whose histories are served beside this one, at their own ports',
			},
			startedAt: timeColumn('When this process began'),
			journal: textColumn('What names the journal for ever'),
			position: countColumn('Position of the newest event that is on disk'),
			failure: textOrNull('Why it answers nobody any more'),
			transport: textColumn('How it does its sockets'),
			virtualRouters: textsColumn('Their names'),
			sessions: countColumn('Subscribers on the network'),
		},
		parameters: {},
		async ask(live) {
			const status = await live.status()
			const virtualRouters = status.virtualRouters.map(({ name }) => name)
			const sessions = status.virtualRouters.reduce((sum, router) => sum + router.sessions, 0)
			const follows = status.follows?.name ?? null
			const fleet = status.follows?.fleet ?? []
			return { kind: 'item', row: { ...status, follows, fleet, virtualRouters, sessions } }
		},
	}),
	relayRoute({
		operation: 'listUpstreams',
		path: '/api/v1/upstreams',
		tag: 'Relay',
		summary: 'RADIUS servers behind the relay, and their state',
		gives: 'page',
		row: 'Upstream',
		columns: {
			virtualRouter: textColumn('Virtual router'),
			service: wordColumn(services, 'Service'),
			server: textColumn('Address or name, as configured'),
			udpPort: countColumn('Its port'),
			state: wordColumn(upstreamStates, 'As RFC 3539 has it; `unused` without key or address'),
			pending: countOrNull('Requests that await its answer; null in a copy of the history'),
		},
		parameters: { vr, service: optional(choice(services), 'One service') },
		async ask(live, { vr, service }) {
			const { upstreams } = await live.status()
			const isWanted = (row: { service: Service }) =>
				service === undefined || row.service === service
			return { kind: 'page', rows: upstreams.filter(ofRouter(vr)).filter(isWanted) }
		},
	}),
	relayRoute({
		operation: 'listPeers',
		path: '/api/v1/peers',
		tag: 'Relay',
		summary: 'SRC servers that are asked for pools, and the mirrors of the journal',
		gives: 'page',
		row: 'Peer',
		columns: {
			kind: wordColumn(peerKinds, 'What it is'),
			virtualRouter: textOrNull('Whose it is; null: of the whole relay'),
			name: textColumn('Its address, without any password'),
			state: textColumn('In one word'),
			position: countOrNull('Up to which position it has the journal'),
			behind: countOrNull('Events that it has still to get'),
			trouble: textOrNull('What is wrong, in a sentence'),
			figures: objectColumn('Counters by name'),
		},
		parameters: { kind: optional(choice(peerKinds), 'One kind') },
		async ask(live, { kind }) {
			const status = await live.status()
			const rows = status.peers
				.filter(peer => kind === undefined || peer.kind === kind)
				.map(peer => ({ ...peer, behind: behindOf(status, peer.position) }))
			return { kind: 'page', rows }
		},
	}),
	historyRoute({
		operation: 'getIntegrity',
		path: '/api/v1/integrity',
		tag: 'Relay',
		summary: 'How far the journal is sealed against tampering',
		description:
			'What is sealed is proved by `radledger verify` and `radledger prove`, not by this answer.',
		gives: 'item',
		row: 'Integrity',
		columns: {
			state: wordColumn(
				['signed', 'sealed', 'behind', 'off'],
				'`signed`: a checkpoint covers every event; `sealed`: the next one will; `behind`: some are not in the tree yet; `off`: nothing is sealed',
			),
			position: countColumn('Position of the newest event'),
			sealed: countColumn('Events in the tree'),
			signed: countColumn('Events that the newest signed checkpoint covers'),
			signedAt: timeOrNull('When it was signed'),
			checkpoint: textOrNull('That checkpoint, a signed note: keep it elsewhere'),
			key: textOrNull('The public key that it is verified with'),
		},
		parameters: {},
		query({ last, integrity }) {
			const position = last()
			const found = integrity()
			if (found === undefined) {
				return { kind: 'item', row: { state: 'off', position, sealed: 0, signed: 0 } }
			}
			const sealed = found.sealed >= position ? 'sealed' : 'behind'
			const state = found.signed >= position ? 'signed' : sealed
			return { kind: 'item', row: { ...found, state, position } }
		},
	}),
	relayRoute({
		operation: 'listStatistics',
		path: '/api/v1/statistics',
		tag: 'Statistics',
		summary: 'Counters, in total and since the baseline',
		description:
			'With `at` as they stood at that instant. One row a counter, named as the shell’s `show radius relay statistics`, `show radius statistics`, `show ip dhcp-local statistics` and `show radius dynamic-request statistics` name them.',
		gives: 'page',
		row: 'Statistic',
		columns: {
			of: wordColumn(statisticsSubjects, 'What is counted'),
			virtualRouter: textColumn('Virtual router'),
			service: wordOrNull(services, 'Service, where it belongs to one'),
			peer: textOrNull('The client or server that it is of; null: all of them'),
			statistic: textColumn('Name of the counter'),
			label: textColumn('The same as the shell prints it'),
			gauge: flagColumn('Whether it stands for itself, so that a baseline changes nothing in it'),
			total: countColumn('Counted since the journal’s first event'),
			delta: differenceOrNull('Counted since the baseline; the total where none was set'),
			baselineAt: timeOrNull('When the baseline was set'),
		},
		parameters: {
			of: otherwise(choice(statisticsSubjects), 'relay', 'What is counted'),
			vr,
			service: optional(choice(services), 'One service'),
			peer: optional(text(253), 'One client of the relay, or one server'),
			at: optional(time, 'How they stood at that instant'),
		},
		async ask(live, { of, vr, service, peer }) {
			const rows = await live.statistics({ of, virtualRouter: vr, service, peer })
			return { kind: 'page', rows }
		},
		query(sources, { of, vr, service, peer, at }) {
			const position = at === undefined ? sources.last() : lastUpTo(timesOf(sources), at)
			return {
				kind: 'page',
				rows: sources.statisticsAt(position, of, { virtualRouter: vr, service, peer }),
			}
		},
	}),
]

function behindOf({ position }: RelayStatus, reached: number | null): number | null {
	return reached === null ? null : Math.max(position - reached, 0)
}
