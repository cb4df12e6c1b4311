/** What is on the relay's disk: it outlives every process. And what can become of a write. */
import {
	type AppendFault,
	type MemoryJournal,
	openMemoryJournal,
} from '../../adapters/journal/memory.ts'
import { configurationText, firstVariant, type Variant } from './configuration.ts'

export type Disk = {
	/** The journal as the present process has it open, or the last one had. */
	journal: MemoryJournal
	configuration: string
	variant: Variant
}

export function createDisk(journal: MemoryJournal = openMemoryJournal()): Disk {
	return {
		journal,
		configuration: configurationText(firstVariant),
		variant: firstVariant,
	}
}

export const faults: readonly AppendFault[] = ['lost', 'torn', 'unacknowledged']
