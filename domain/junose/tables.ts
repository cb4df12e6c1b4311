/** Tables that follow from the configuration alone. */
import {
	type ClientNetwork,
	type DynamicRequestServer,
	type RelayServer,
	relayServerDefaults,
	type Service,
	services,
	type UpstreamServer,
	type VirtualRouter,
} from '../configuration.ts'
import { addressNumber } from './parameter.ts'

const titles: Readonly<Record<Service, string>> = {
	authentication: 'Authentication',
	accounting: 'Accounting',
}

/** `show radius relay [authentication | accounting] servers`. */
export function relayServersTable(router: VirtualRouter, only?: Service): readonly string[] {
	const blocks = services
		.filter(service => only === undefined || service === only)
		.flatMap(service => {
			const server = router.relay[service]
			return server === undefined ? [] : [relayServerBlock(service, server)]
		})
	if (blocks.length > 0) return joinBlocks(blocks)
	return [`No RADIUS relay ${only === undefined ? '' : `${only} `}server is configured.`]
}

function relayServerBlock(service: Service, server: RelayServer): readonly string[] {
	const rows = [...server.clients].sort(byMaskThenAddress).map(c => [c.address, c.mask, c.secret])
	const defaults = relayServerDefaults[service]
	return [
		`RADIUS Relay ${titles[service]} Server Configuration`,
		'',
		...columns(rows),
		`Udp Port: ${server.udpPort}`,
		...(server.listenAddress === defaults.listenAddress
			? []
			: [`Listen Address: ${server.listenAddress}`]),
		...(server.messageAuthenticator === defaults.messageAuthenticator
			? []
			: [`Message Authenticator: ${server.messageAuthenticator}`]),
	]
}

function byMaskThenAddress(a: ClientNetwork, b: ClientNetwork): number {
	return (
		addressNumber(a.mask)! - addressNumber(b.mask)! ||
		addressNumber(a.address)! - addressNumber(b.address)!
	)
}

const upstreamHeadings: readonly string[] = [
	'IP Address',
	'Udp Port',
	'Retry Count',
	'Timeout',
	'Maximum Sessions',
	'Dead Time',
	'Secret',
]

/**
 * `show radius servers`: the upstream servers in the order in which they are asked. `state`, where
 * it is given, adds a column with what the relay knows about each server now.
 */
export function upstreamServersTable(
	router: VirtualRouter,
	state?: (service: Service, server: UpstreamServer) => string,
): readonly string[] {
	const blocks = services.flatMap(service => {
		const servers = router.upstream[service]
		return servers.length === 0 ? [] : [upstreamBlock(service, servers, state)]
	})
	if (blocks.length === 0) return ['No RADIUS server is configured.']
	return [...joinBlocks(blocks), '', `Algorithm: ${router.algorithm}`, ...sourceLine(router)]
}

function sourceLine(router: VirtualRouter): readonly string[] {
	const address = router.updateSourceAddress
	return address === undefined ? [] : [`Update Source Address: ${address}`]
}

function upstreamBlock(
	service: Service,
	servers: readonly UpstreamServer[],
	state: ((service: Service, server: UpstreamServer) => string) | undefined,
): readonly string[] {
	const title = `RADIUS ${titles[service]} Configuration`
	const headings = state === undefined ? upstreamHeadings : [...upstreamHeadings, 'State']
	const rows = servers.map(server => [
		server.address,
		String(server.udpPort),
		String(server.retransmit),
		String(server.timeoutSeconds),
		String(server.maxSessions),
		String(server.deadtimeMinutes),
		server.key ?? '<none>',
		...(state === undefined ? [] : [state(service, server)]),
	])
	const widths = columnWidths([headings, ...rows])
	const rule = widths.map(width => '-'.repeat(width))
	return [title, '-'.repeat(title.length), ...columns([headings, rule, ...rows])]
}

/** `show radius dynamic-request servers`. */
export function dynamicRequestServersTable(
	servers: readonly DynamicRequestServer[],
): readonly string[] {
	if (servers.length === 0) return ['No RADIUS dynamic-request server is configured.']
	const title = 'RADIUS Request Configuration'
	const headings = ['IP Address', 'Udp Port', 'Disconnect', 'Change of Authorization', 'Secret']
	const state = (on: boolean) => (on ? 'enabled' : 'disabled')
	const rows = servers.map(server => [
		server.address,
		String(server.udpPort),
		state(server.subscriberDisconnect),
		state(server.authorizationChange),
		server.key ?? '<none>',
	])
	const widths = columnWidths([headings, ...rows])
	const rule = widths.map(width => '-'.repeat(width))
	return [title, '-'.repeat(title.length), ...columns([headings, rule, ...rows])]
}

function joinBlocks(blocks: readonly (readonly string[])[]): readonly string[] {
	return blocks.flatMap((block, index) => (index === 0 ? block : ['', ...block]))
}

/** Rows as lines, their columns two spaces apart. */
function columns(rows: readonly (readonly string[])[]): readonly string[] {
	const widths = columnWidths(rows)
	return rows.map(row =>
		row
			.map((cell, at) => pad(cell, widths[at]!))
			.join('  ')
			.trimEnd(),
	)
}

function columnWidths(rows: readonly (readonly string[])[]): readonly number[] {
	const count = Math.max(0, ...rows.map(row => row.length))
	return Array.from({ length: count }, (_, at) =>
		rows.reduce((width, row) => Math.max(width, [...(row[at] ?? '')].length), 0),
	)
}

function pad(cell: string, width: number): string {
	return cell + ' '.repeat(width - [...cell].length)
}
