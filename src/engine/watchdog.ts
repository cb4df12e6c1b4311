/** Carries out what the watchdog of an upstream server decides (RFC 3539 §3.4.1). */
import { relayStream } from '../../domain/event.ts'
import { writeStatusServer } from '../../domain/forward.ts'
import type { WatchdogSettings, WatchdogStep } from '../../domain/upstream.ts'
import { type Engine, nextAuthenticator } from './engine.ts'
import type { Upstream } from './exchange.ts'
import { record, touchUpstream } from './record.ts'
import { sendSlot, socketWithFreeSlot, takeSlot } from './upstream-link.ts'

export function watchdogSettings(engine: Engine, upstream: Upstream): WatchdogSettings {
	return {
		intervalMs: engine.parts.watchdogSeconds * 1000,
		deadtimeMs: upstream.settings.deadtimeMinutes * 60_000,
	}
}

export function followWatchdog(engine: Engine, upstream: Upstream, step: WatchdogStep): void {
	const { change } = step
	if (change !== undefined) {
		const { router, service, name } = upstream
		record(engine, [
			{
				stream: relayStream(router),
				type: 'UpstreamChanged',
				v: 1,
				at: engine.at,
				data: { service, server: name, ...change },
			},
		])
		const fields = { router, service, server: name, ...change }
		const message = `The ${service} server ${name} is ${change.to} now. ${change.reason}`
		if (change.to === 'okay') engine.parts.log.info('upstream-changed', fields, message)
		else engine.parts.log.warn('upstream-changed', fields, message)
	}
	if (step.sendStatusServer) sendStatusServer(engine, upstream)
}

/** RFC 5997 §2.1: each Status-Server is a new one, never a retransmission. */
function sendStatusServer(engine: Engine, upstream: Upstream): void {
	const socket = socketWithFreeSlot(upstream)
	if (socket === undefined) return
	const slot = takeSlot(socket, 2)
	const authenticator = nextAuthenticator(engine)
	const packet = socket.packets[slot]!
	socket.lengths[slot] = writeStatusServer(packet, slot, upstream.key, authenticator, 0)
	socket.until[slot] = engine.now
	sendSlot(socket, slot)
	touchUpstream(engine, socket)
}
