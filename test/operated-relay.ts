/** A relay with an operator in front of it, whose commands are typed one by one. */
import { type Executed, execute, newSession, type Session } from '../domain/junose/session.ts'
import { dhcpStatistics } from '../projections/dhcp-statistics.ts'
import { dynamicRequestStatistics } from '../projections/dynamic-request-statistics.ts'
import { erasures } from '../projections/erasures.ts'
import { follow, type Projection } from '../projections/follow.ts'
import { pools } from '../projections/pools.ts'
import { srcStatistics } from '../projections/src-statistics.ts'
import { relayStatistics } from '../projections/statistics.ts'
import { upstreamStatistics } from '../projections/upstream-statistics.ts'
import { openOperator } from '../src/operate.ts'
import { start } from './dhcp-events.ts'
import { simulatedRelay } from './simulated-relay.ts'

export type OperatedRelay = Awaited<ReturnType<typeof operatedRelay>>

/** `configurationFile`: where it would be saved; files that it names are looked for beside it. */
export async function operatedRelay(
	text: string,
	options: Parameters<typeof simulatedRelay>[1] & { readonly configurationFile?: string } = {},
) {
	const relay = await simulatedRelay(text, options)
	const { engine, journal } = relay
	const following = <State>(projection: Projection<State>) => {
		const view = follow({ reader: journal, snapshots: journal, projection })
		const state = () => {
			view.catchUp()
			return view.state()
		}
		return { ...view, state }
	}
	const operator = openOperator({
		engine,
		configurationFile: options.configurationFile ?? '/nowhere',
		folder: '/nowhere',
		save() {},
		relayStatistics: following(relayStatistics),
		upstreamStatistics: following(upstreamStatistics),
		pools: following(pools),
		dhcpStatistics: following(dhcpStatistics),
		dynamicRequestStatistics: following(dynamicRequestStatistics),
		srcStatistics: following(srcStatistics),
		erasures: following(erasures),
		mirrors: () => [],
		viewReader: () => undefined,
		startedAt: start,
	})
	const type = async (...lines: readonly [string, ...string[]]) => {
		let session: Session = newSession('privileged')
		let last: Executed | undefined
		for (const line of lines) {
			last = await execute(session, line, operator)
			session = last.session
		}
		return last!
	}
	return { ...relay, type }
}
