/** The `show ... statistics` commands out of folded statistics, of now or of a time. */
import type { VirtualRouter } from '../domain/configuration.ts'
import type { Show } from '../domain/junose/operator.ts'
import type { AllStatistics } from '../projections/all-statistics.ts'
import { dhcpExternalStatisticsText, dhcpStatisticsText } from '../projections/dhcp-text.ts'
import { dynamicRequestStatisticsText } from '../projections/dynamic-request-text.ts'
import { relayStatisticsText, upstreamStatisticsText } from '../projections/statistics-text.ts'

export type ShowStatistics = Extract<
	Show,
	{
		kind:
			| 'relay-statistics'
			| 'radius-statistics'
			| 'dhcp-statistics'
			| 'dynamic-request-statistics'
	}
>

/** `settings`: the virtual router's, as it is configured now. */
export function statisticsLines(
	state: AllStatistics,
	what: ShowStatistics,
	settings: VirtualRouter,
): readonly string[] {
	const virtualRouter = settings.name
	const { delta } = what
	switch (what.kind) {
		case 'relay-statistics': {
			const { service, client } = what
			return relayStatisticsText(state.relay, { virtualRouter, service, client, delta })
		}
		case 'radius-statistics': {
			const query = { virtualRouter, configuration: settings, delta }
			return upstreamStatisticsText(state.upstream, query)
		}
		case 'dhcp-statistics': {
			const text = what.server === 'external' ? dhcpExternalStatisticsText : dhcpStatisticsText
			return text(state.dhcp, { virtualRouter, delta })
		}
		case 'dynamic-request-statistics':
			return dynamicRequestStatisticsText(state.dynamicRequest, settings, delta)
		default:
			return what satisfies never
	}
}

/** What the statistics that a relay's history gives are folded into. */
export type FoldedStatistics = {
	readonly relayStatistics: Folded<'relay'>
	readonly upstreamStatistics: Folded<'upstream'>
	readonly dhcpStatistics: Folded<'dhcp'>
	readonly dynamicRequestStatistics: Folded<'dynamicRequest'>
}
type Folded<Part extends keyof AllStatistics> = { state(): AllStatistics[Part] }

export function statisticsNow(operated: FoldedStatistics): AllStatistics {
	return {
		relay: operated.relayStatistics.state(),
		upstream: operated.upstreamStatistics.state(),
		dhcp: operated.dhcpStatistics.state(),
		dynamicRequest: operated.dynamicRequestStatistics.state(),
	}
}
