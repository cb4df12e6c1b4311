/** What `show sscc info` and `show sscc statistics` print. */
import type { SrcSettings } from '../domain/configuration.ts'
import type { SrcInfo, SrcStatistics } from '../domain/sae/client.ts'
import { serverRoles } from '../domain/sae/servers.ts'
import { type SrcRecord, srcRouterStatistics } from './src-statistics.ts'
import { heading, routerDate } from './statistics-text.ts'

/** What only the running client knows; undefined where SRC is off. */
export type LiveSrc = { readonly info: SrcInfo; readonly statistics: SrcStatistics }

export type SrcQuery = {
	readonly virtualRouter: string
	readonly settings: SrcSettings
	readonly live: LiveSrc | undefined
	/** The address that connections come from; undefined: as routed. */
	readonly source: string | undefined
	/** Name of the interface that has an address; undefined: none has. */
	readonly interfaceWith: (address: string) => string | undefined
}

const indent = '        '

/** JunosE's layout; what it has no words for stands below the statistics. */
export function srcInfoText(state: SrcRecord, query: SrcQuery): string[] {
	const { settings, live } = query
	const { info } = live ?? {}
	const capital = (word: string) => word[0]!.toUpperCase() + word.slice(1)
	const servers = serverRoles.map(role => {
		const { address = '0.0.0.0', port = 0 } = settings.servers[role] ?? {}
		return `${indent}${capital(role)}: ${address}:${port}`
	})
	const connected = info?.state === 'connected'
	const local =
		settings.localRules === undefined ? [] : [`${indent}Local Rules: ${settings.localRules}`]
	return [
		`The SSC Client is currently ${connected ? `connected to ${asked(info)}` : 'unconnected'}`,
		'The SSC Client configured servers are:',
		...servers,
		...local,
		`${indent}${localSource(query)}`,
		`${indent}The configured transport router is: ${settings.transportRouter ?? query.virtualRouter}`,
		`${indent}The configured retry timer is (seconds): ${settings.retrySeconds}`,
		`${indent}The connection state is: ${info?.state ?? 'NoConnection'}`,
		` SSC Client Statistics:`,
		...rows(state, query).map(line => `${indent}${line}`),
		...footnote,
	]
}

function asked({ server, role }: SrcInfo): string {
	return role === undefined ? `${server}` : `the ${role} server ${server}`
}

function localSource({ source, interfaceWith }: SrcQuery): string {
	if (source === undefined) return 'Local Source: as routed, Local Source Address: as routed'
	return `Local Source: ${interfaceWith(source) ?? 'no interface'}, Local Source Address: ${source}`
}

export function srcStatisticsText(state: SrcRecord, query: SrcQuery): string[] {
	return [...heading('SSC Client Statistics'), ...rows(state, query), ...footnote]
}

const footnote: readonly string[] = [
	'',
	'* Of the client as it is now: not recorded, and counted from its start.',
]

/** JunosE's rows, then what is counted beside. */
function rows(state: SrcRecord, { virtualRouter, live }: SrcQuery): string[] {
	const recorded = srcRouterStatistics(state, virtualRouter)
	const now = (figure: keyof SrcStatistics): string => `${live?.statistics[figure] ?? 0} *`
	const sum = (counts: Readonly<Record<string, number>> | undefined) =>
		Object.values(counts ?? {}).reduce((a, b) => a + b, 0)
	const { accepted = 0, refused = 0, sessionsOpened = 0, sessionsClosed = 0 } = recorded ?? {}
	const list: [string, string | number][] = [
		['Connection attempts', now('connectionAttempts')],
		['Open requests', now('openRequests')],
		['Open completed', now('openCompleted')],
		['Closed sent', now('closedSent')],
		['Closed remotely', now('closedRemotely')],
		['Discovers Seen', recorded?.discovers ?? 0],
		['Active Discovers', now('activeDiscovers')],
		['Discover Transitions', accepted + refused],
		['Discover Creates Sent', now('discoverCreatesSent')],
		['Discover Deletes Sent', now('discoverDeletesSent')],
		['Active Addresses', recorded?.sessionsOpen ?? 0],
		['Address Transitions', sessionsOpened + sessionsClosed],
		['Create Addresses Sent', now('createAddressesSent')],
		['Delete Addresses Sent', now('deleteAddressesSent')],
		['Internal Errors', now('internalErrors')],
		['Communication Errors', now('communicationErrors')],
		['Discovers Accepted', accepted],
		['Discovers Accepted, Pool Chosen Here', recorded?.chosenHere ?? 0],
		['Discovers Refused', refused],
		['Discovers Unanswered', sum(recorded?.unanswered)],
		...Object.entries(recorded?.unanswered ?? {}).map(([why, count]): [string, number] => [
			`Discovers Unanswered, ${why}`,
			count,
		]),
		['Sessions Opened', sessionsOpened],
		['Sessions Closed', sessionsClosed],
		['Sessions Given Up', recorded?.sessionsGivenUp ?? 0],
		['Late Answers', recorded?.ignored.late ?? 0],
		['Malformed Answers', recorded?.ignored.malformed ?? 0],
		['Foreign Answers', recorded?.ignored.foreign ?? 0],
		['Server Changes', recorded?.serverChanges ?? 0],
	]
	const server = recorded?.server
	if (server) list.push(['Server Since', `${server.name}, ${routerDate(server.at)}`])
	return list.map(([label, figure]) => `${`${label}:`.padEnd(38)}${figure}`)
}
