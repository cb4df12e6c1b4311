/**
 * How fast a journal is sealed and verified on this machine: everything re-computed from the first
 * event, the seal in one thread and the projections in another. Run by itself it prints JSON.
 *
 *   node infra/bench/verify.ts FOLDER [EVENTS]
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { openSealing } from '../../adapters/journal/sealing.ts'
import { verifyFolder } from '../../src/verify.ts'
import { writeSampleJournal } from './journal.ts'

export type VerifyFigures = {
	readonly events: number
	/** The sealer, in a thread of its own beside the relay. */
	readonly seal: { readonly eventsPerSecond: number; readonly cpuUsPerEvent: number }
	/** `radledger verify`, start to end. The target is 200,000 events/s. */
	readonly verify: { readonly eventsPerSecond: number; readonly cpuUsPerEvent: number }
}

/** Measures in a new folder within `parent`, which it deletes again. Throws where verify finds a fault. */
export async function measureVerify(parent: string, events = 500_000): Promise<VerifyFigures> {
	const folder = mkdtempSync(join(parent, 'radledger-bench-'))
	try {
		const recorded = writeSampleJournal(folder, events)
		const seal = await timed(recorded, async () => sealAll(folder, recorded))
		const verify = await timed(recorded, async () => {
			const { faults } = await verifyFolder({
				folder,
				key: undefined,
				kept: undefined,
				progress: () => undefined,
			})
			if (faults.length > 0) throw new Error(`verify found a fault: ${faults[0]!.sentence}`)
		})
		return { events: recorded, seal, verify }
	} finally {
		rmSync(folder, { recursive: true })
	}
}

function sealAll(folder: string, upTo: number): void {
	const sealing = openSealing({ folder, now: Date.now })
	while (sealing.step(upTo) > 0) sealing.checkpoint(false)
	sealing.checkpoint(true)
	sealing.close()
}

async function timed(events: number, work: () => Promise<void>) {
	const cpu = process.cpuUsage()
	const begun = performance.now()
	await work()
	const seconds = (performance.now() - begun) / 1000
	const { user, system } = process.cpuUsage(cpu)
	return {
		eventsPerSecond: Math.round(events / seconds),
		cpuUsPerEvent: Number(((user + system) / events).toFixed(2)),
	}
}

if (import.meta.main) {
	const [parent = '.', events] = process.argv.slice(2)
	const figures = await measureVerify(parent, events === undefined ? undefined : Number(events))
	console.log(JSON.stringify(figures, null, '\t'))
}
