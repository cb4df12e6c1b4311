/** What `show radius dynamic-request statistics` prints. */
import type { VirtualRouter } from '../domain/configuration.ts'
import {
	type DynamicRequestStatistics,
	dynamicRouterStatistics,
} from './dynamic-request-statistics.ts'
import { baselineText, heading, table } from './statistics-text.ts'

/** In the order of `dynamicRow`. */
export const dynamicLabels: readonly string[] = [
	'Disconnect Requests',
	'Disconnect Accepts',
	'Disconnect Rejects',
	'Disconnect No Session ID',
	'Disconnect Bad Authenticators',
	'Disconnect Packets Dropped',
	'CoA Requests',
	'CoA Accepts',
	'CoA Rejects',
	'CoA No Session ID',
	'CoA Bad Authenticators',
	'CoA Packets Dropped',
	'Unknown Requests',
]

/** A column for each configured server, and who else has sent something. */
export function dynamicRequestStatisticsText(
	state: DynamicRequestStatistics,
	configuration: VirtualRouter,
	delta: boolean,
): string[] {
	const servers = configuration.dynamicRequest
	const router = dynamicRouterStatistics(state, configuration.name)
	const baseline = delta ? router?.baseline : undefined
	const figure = (address: string, row: number) =>
		(router?.servers[address]?.[row] ?? 0) - (baseline?.servers[address]?.[row] ?? 0)
	const title = 'RADIUS Request Statistics'
	const lines =
		servers.length === 0
			? [...heading(title), 'No RADIUS dynamic-request server is configured']
			: table(
					title,
					['Statistic', ...servers.map(({ address }) => address)],
					[
						['UDP Port', ...servers.map(({ udpPort }) => `${udpPort}`)],
						...dynamicLabels.map((label, row) => [
							label,
							...servers.map(({ address }) => `${figure(address, row)}`),
						]),
					],
				)
	const unknown = (router?.unknownClients ?? 0) - (baseline?.unknownClients ?? 0)
	lines.push('', `Requests from Unknown Clients: ${unknown}`)
	if (delta) lines.push('', baselineText(router?.baseline?.at))
	return lines
}
