/** Where in a journal a time is. */
import type { JournalReader } from '../domain/journal.ts'

/**
 * Position of the last event that is not later than `at`; 0: there is none. Events are in order of
 * time but for steps of the clock; around one of those the order of recording decides.
 */
export function positionAt(reader: JournalReader, at: number): number {
	let low = 0
	let high = reader.last()
	while (low < high) {
		const middle = Math.ceil((low + high) / 2)
		const event = reader.read(middle, 1).find(({ position }) => position === middle)
		if (event !== undefined && event.at <= at) low = middle
		else high = middle - 1
	}
	return low
}
