/** The end of a run: whatever was counted or is in flight is on record before the process goes. */
import { type NewEvent, relayStream } from '../../domain/event.ts'
import { recordDurably } from './commit.ts'
import { releaseAll } from './configure.ts'
import type { Engine } from './engine.ts'
import { presentTime } from './record.ts'
import { tick } from './timers.ts'

/** Gives up what is in flight and records the end; rejects when the journal fails. */
export async function stopEngine(engine: Engine, reason: string): Promise<void> {
	if (engine.stopped) {
		if (engine.failure !== undefined) throw engine.failure
		return
	}
	presentTime(engine)
	// What is gathered for up to a second, discarded requests above all, is recorded now.
	engine.nextSecondAt = engine.now
	tick(engine)
	releaseAll(engine)
	const { at } = engine
	const events = [...engine.routers.values()].map(
		({ name }): NewEvent => ({
			stream: relayStream(name),
			type: 'RelayStopped',
			v: 1,
			at,
			data: { reason },
		}),
	)
	await recordDurably(engine, events)
	engine.stopped = true
}
