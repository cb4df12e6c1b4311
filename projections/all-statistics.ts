/** The statistics that can be asked for at any time, folded together and saved as one. */
import type { EventType, RecordedEvent } from '../domain/event.ts'
import { type DhcpStatistics, dhcpStatistics } from './dhcp-statistics.ts'
import {
	type DynamicRequestStatistics,
	dynamicRequestStatistics,
} from './dynamic-request-statistics.ts'
import type { Projection } from './follow.ts'
import { type RelayStatistics, relayStatistics } from './statistics.ts'
import {
	dhcpStatisticsRows,
	dynamicStatisticsRows,
	relayStatisticsRows,
	type Statistic,
	type StatisticsSelection,
	type StatisticsSubject,
	upstreamStatisticsRows,
} from './statistics-rows.ts'
import { type UpstreamStatistics, upstreamStatistics } from './upstream-statistics.ts'

export type AllStatistics = {
	relay: RelayStatistics
	upstream: UpstreamStatistics
	dhcp: DhcpStatistics
	dynamicRequest: DynamicRequestStatistics
}

const parts = {
	relay: relayStatistics,
	upstream: upstreamStatistics,
	dhcp: dhcpStatistics,
	dynamicRequest: dynamicRequestStatistics,
} satisfies { [Part in keyof AllStatistics]: Projection<AllStatistics[Part]> }
const names = Object.keys(parts) as (keyof AllStatistics)[]

/** The parts that fold an event of that type. */
const foldedBy = new Map<EventType, (keyof AllStatistics)[]>()
for (const name of names) {
	for (const type of parts[name].types!) {
		foldedBy.set(type, [...(foldedBy.get(type) ?? []), name])
	}
}

export const allStatistics: Projection<AllStatistics> = {
	name: 'all-statistics',
	// Another number whenever one of the parts has another.
	version: names.reduce((sum, name) => 100 * sum + parts[name].version, 0),
	initial: () => ({
		relay: relayStatistics.initial(),
		upstream: upstreamStatistics.initial(),
		dhcp: dhcpStatistics.initial(),
		dynamicRequest: dynamicRequestStatistics.initial(),
	}),
	types: [...foldedBy.keys()],
	fold(state, event) {
		for (const name of foldedBy.get(event.type) ?? []) foldPart(state, name, event)
		return state
	},
}

function foldPart<Part extends keyof AllStatistics>(
	state: AllStatistics,
	name: Part,
	event: RecordedEvent,
): void {
	const part = parts[name] as unknown as Projection<AllStatistics[Part]>
	state[name] = part.fold(state[name], event)
}

export function statisticsRows(
	state: AllStatistics,
	of: StatisticsSubject,
	selection: StatisticsSelection,
): Statistic[] {
	switch (of) {
		case 'relay':
			return relayStatisticsRows(state.relay, selection)
		case 'upstream':
			return upstreamStatisticsRows(state.upstream, selection)
		case 'dhcp':
			return dhcpStatisticsRows(state.dhcp, selection)
		case 'dynamic-request':
			return dynamicStatisticsRows(state.dynamicRequest, selection)
		default:
			return of satisfies never
	}
}
