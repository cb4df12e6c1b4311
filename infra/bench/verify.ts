/**
 * How fast a journal is sealed and verified on this machine: everything re-computed from the first
 * event, the seal in one thread and the projections in another. Run by itself it prints JSON.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { openJournal } from '../../adapters/journal/journal.ts'
import { openSealing } from '../../adapters/journal/sealing.ts'
import { verifyFolder } from '../../src/verify.ts'
import { sampleEvents } from './journal.ts'

export type VerifyFigures = {
	readonly events: number
	/** The sealer, in a thread of its own beside the relay. */
	readonly seal: { readonly eventsPerSecond: number; readonly cpuUsPerEvent: number }
	/** `radledger verify`, start to end. The target is 200,000 events/s. */
	readonly verify: { readonly eventsPerSecond: number; readonly cpuUsPerEvent: number }
}

/** Measures in a new folder within `parent`, which it deletes again. Throws where verify finds a fault. */
export async function measureVerify(
	parent: string,
	events = 500_000,
	note: (text: string) => void = () => undefined,
): Promise<VerifyFigures> {
	note('verify')
	const folder = mkdtempSync(join(parent, 'radledger-bench-'))
	try {
		const journal = openJournal({ folder })
		for (let at = 0; at < events; at += 64) journal.append(sampleEvents(at, 64))
		const recorded = journal.last()
		journal.close()
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
	console.log(JSON.stringify(await measureVerify(process.argv[2] ?? '.'), null, '\t'))
}
