/** What is on the relay's disk: it outlives every process. And what can become of a write. */
import {
	type AppendFault,
	type MemoryJournal,
	openMemoryJournal,
} from '../../adapters/journal/memory.ts'
import { configurationText, type Variant } from './configuration.ts'

export type Disk = {
	/** The journal as the present process has it open, or the last one had. */
	journal: MemoryJournal
	configuration: string
	/** What the configuration says, and what the operator's latest command would make of it. */
	saved: Variant
	proposed: Variant
}

export function createDisk(variant: Variant, journal: MemoryJournal = openMemoryJournal()): Disk {
	return {
		journal,
		configuration: configurationText(variant),
		saved: variant,
		proposed: variant,
	}
}

export const faults: readonly AppendFault[] = ['lost', 'torn', 'unacknowledged']
