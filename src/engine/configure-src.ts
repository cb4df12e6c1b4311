/** Brings the configuration of the SRC clients into force. */
import type { Configuration, SrcSettings } from '../../domain/configuration.ts'
import { srcSource } from '../../domain/sae/source.ts'
import type { Engine } from './engine.ts'
import { record } from './record.ts'
import { newBridge, noteServer, takeIgnored } from './src-bridge.ts'
import type { SrcBridge } from './src-link.ts'
import { takeUpReports } from './src-telling.ts'

/** Opens the clients that are needed; what follows from it is put off into `plan`. */
export async function planSrc(
	engine: Engine,
	next: Configuration,
	plan: (() => void)[],
	opened: SrcBridge[],
): Promise<string | undefined> {
	const kept = new Map<string, SrcBridge>()
	for (const router of next.virtualRouters) {
		const { name, src } = router
		if (!src.enabled) continue
		const there = engine.src.get(name)
		const source = srcSource(next, router)
		if (there !== undefined && there.source === source && sameClient(there.settings, src)) {
			kept.set(name, there)
			plan.push(() => {
				there.settings = src
			})
			continue
		}
		const bridge = await newBridge(engine, name, src, source)
		if ('refused' in bridge) return bridge.refused
		opened.push(bridge)
		kept.set(name, bridge)
	}
	plan.push(() => apply(engine, kept))
	return undefined
}

/** Beside where its connections come from. */
function sameClient(a: SrcSettings, b: SrcSettings): boolean {
	const facts = ({ servers, retrySeconds, localRules }: SrcSettings) =>
		JSON.stringify([servers, retrySeconds, localRules])
	return facts(a) === facts(b)
}

function apply(engine: Engine, next: ReadonlyMap<string, SrcBridge>): void {
	for (const [name, bridge] of engine.src) {
		if (next.get(name) === bridge) continue
		engine.src.delete(name)
		record(engine, takeIgnored(bridge, engine.at))
		const successor = next.get(name)
		if (successor === undefined) noteServer(engine, bridge, { state: 'NoConnection' })
		else successor.server = bridge.server
		void bridge.client.close()
	}
	for (const [name, bridge] of next) {
		if (engine.src.get(name) === bridge) continue
		engine.src.set(name, bridge)
		takeUpReports(engine, bridge)
		noteServer(engine, bridge, bridge.client.info())
	}
}
