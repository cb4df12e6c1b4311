/** Whether the relay does its work, and in sentences what keeps it from that. */
import type { RelayStatus } from './live.ts'

export type Health = {
	/** Undefined where the relay did not answer in time. */
	readonly status: RelayStatus | undefined
	/** Position of the newest event on disk. */
	readonly last: number
	/** How far the read models are; undefined where there are none. */
	readonly views: { readonly position: number; readonly secondsBehind: number } | undefined
}

/** Read models that are this far behind give answers that are too old. */
const behindSecondsAtMost = 60

export type Readiness = {
	readonly ready: boolean
	readonly reasons: readonly string[]
}

export function readinessOf({ status, views }: Health): Readiness {
	const reasons = [...relayReasons(status), ...viewsReasons(views)]
	return { ready: reasons.length === 0, reasons }
}

function relayReasons(status: RelayStatus | undefined): string[] {
	if (status === undefined) return ['The relay does not answer: it is busy, or has ended.']
	if (status.failure !== null) return [`The relay has stopped answering: ${status.failure}`]
	if (status.follows !== null)
		return status.follows.trouble === null ? [] : [status.follows.trouble]
	return status.virtualRouters.flatMap(({ name, relays }) =>
		relays.flatMap(service => {
			const servers = status.upstreams.filter(
				upstream => upstream.virtualRouter === name && upstream.service === service,
			)
			if (servers.some(({ state }) => state !== 'down' && state !== 'unused')) return []
			const why = servers.length === 0 ? 'none is configured' : 'all are down or unused'
			return [`Virtual router ${name} has no ${service} server to ask: ${why}.`]
		}),
	)
}

function viewsReasons(views: Health['views']): string[] {
	if (views === undefined) return ['The read models are not there yet.']
	if (views.secondsBehind <= behindSecondsAtMost) return []
	const seconds = Math.round(views.secondsBehind)
	return [`The read models are ${seconds} s behind: queries of history give what was then.`]
}
