/** RADIUS-initiated disconnect while it runs. */
import type { Disconnector } from './disconnector.ts'
import type { DynamicDiscards } from './dynamic-discards.ts'
import type { DynamicListener } from './dynamic-listener.ts'

/** All of this subject that changes while the engine runs. */
export type DynamicRequests = {
	/** By port. */
	readonly listeners: Map<number, DynamicListener>
	/** By virtual router. */
	readonly disconnectors: Map<string, Disconnector>
	/** No longer configured, but access points still owe answers. */
	readonly retiring: Set<Disconnector>
	readonly discards: DynamicDiscards
}

export function newDynamicRequests(): DynamicRequests {
	return {
		listeners: new Map(),
		disconnectors: new Map(),
		retiring: new Set(),
		discards: new Map(),
	}
}
