/**
 * A process for the journal's tests: owns the data folder given to it and appends batches as fast as
 * it can, until it is killed. Prints a line for every batch: the position of its last event, when the
 * journal has acknowledged it.
 */
import { writeSync } from 'node:fs'
import { openJournal } from '../adapters/journal/journal.ts'
import { numberedEvents } from './journal-events.ts'

const [folder, logBytesMax] = process.argv.slice(2)
const journal = openJournal({ folder: folder!, logBytesMax: Number(logBytesMax) })
// Ends by itself should nobody kill it.
const batchesMax = 20_000
for (let batch = 0; batch < batchesMax; batch++) {
	const count = 1 + (batch % 23)
	const first = journal.append(numberedEvents(journal.last() + 1, count))
	acknowledge(`${first + count - 1}\n`)
}

/** Writes at once, also where the pipe is full and does not block. */
function acknowledge(line: string): void {
	for (;;) {
		try {
			writeSync(1, line)
			return
		} catch (error) {
			if (!(error instanceof Error && 'code' in error && error.code === 'EAGAIN')) throw error
		}
	}
}
