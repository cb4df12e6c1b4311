/** An engine at rest, with the state that the journal gave. */
import type { Configuration } from '../../domain/configuration.ts'
import { createAttributeIndex } from '../../domain/request.ts'
import type { State } from '../../domain/state.ts'
import { stoppedMeanwhile } from '../../domain/steady.ts'
import { answerCacheOctets, createAnswerCache } from './answer-cache.ts'
import { newDhcp } from './dhcp-service.ts'
import { newDynamicRequests } from './dynamic-service.ts'
import { type Engine, type EngineParts, radiusSharing } from './engine.ts'
import { recordStep } from './record.ts'

export function createEngine(
	parts: EngineParts,
	state: State,
	configuration: Configuration,
): Engine {
	const at = parts.clock.wall()
	const now = parts.clock.monotonic()
	const engine: Engine = {
		parts,
		state,
		configuration,
		routers: new Map(),
		sockets: new Map(),
		retiring: new Set(),
		dynamic: newDynamicRequests(),
		dhcp: newDhcp(),
		src: new Map(),
		at,
		now,
		anchor: { wall: at, monotonic: now },
		batch: [],
		batchDue: 0,
		answersQueued: 0,
		answersDue: 0,
		sharing: radiusSharing,
		committedAt: Number.NEGATIVE_INFINITY,
		touchedListeners: [],
		touchedUpstreams: [],
		waiting: [],
		answerCache: createAnswerCache(parts.transport, parts.answerCacheOctets ?? answerCacheOctets),
		stoppedSessions: new Map(),
		index: createAttributeIndex(),
		scratch: new Uint8Array(4096),
		authenticator: new Uint8Array(16),
		entropy: new Uint8Array(8192),
		entropyAt: 8192,
		nextTickAt: 0,
		nextSecondAt: 0,
		nextSlowReportAt: 0,
		ending: false,
		stopped: false,
		failure: undefined,
	}
	const stopped = stoppedMeanwhile(state, at)
	if (stopped !== undefined) recordStep(engine, stopped)
	return engine
}
