/** What the DHCP local server tells its operator in the log. */
import type { NewEvent } from '../../domain/event.ts'
import type { DhcpService } from './dhcp-service.ts'
import type { Engine } from './engine.ts'

/** Upstream servers that are remembered as told of. */
const reproachedLimit = 1000

/** JunosE's trap for a pool that fills up, and the one for when there is room again. */
export function logPoolWarnings(
	engine: Engine,
	{ router, pools }: DhcpService,
	events: readonly NewEvent[],
): void {
	const { log } = engine.parts
	for (const event of events) {
		if (event.type !== 'PoolWarningChanged') continue
		const { pool, high, inUse, size } = event.data
		const fields = { router, pool, inUse, size }
		const { warningHigh, warningAbated } = pools.byName.get(pool)!.settings
		const use = `The pool ${pool} has ${inUse} of its ${size} addresses in use`
		if (high) log.warn('pool-high', fields, `${use}; it warns from ${warningHigh} % on.`)
		else log.info('pool-abated', fields, `${use}; the warning ends below ${warningAbated} %.`)
	}
}

/** Says which upstream server sends DHCP-Options [26-55] that no client can be sent, once for each. */
export function warnOfOptions(engine: Engine, router: string, server: string, fault: string): void {
	const { services, reproached } = engine.dhcp
	const key = `${router} ${server}`
	if (!services.has(router) || reproached.has(key) || reproached.size >= reproachedLimit) return
	reproached.add(key)
	const sentence = `DHCP-Options [26-55] of ${server} are left out, which must be mended there: ${fault}.`
	engine.parts.log.warn('dhcp-options', { router, server }, sentence)
}
