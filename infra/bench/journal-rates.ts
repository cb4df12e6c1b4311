/** The journal by itself, measured by `journal.ts` in a process of its own. */
import { join } from 'node:path'
import type { JournalFigures } from './journal.ts'
import { run } from './processes.ts'

const program = join(import.meta.dirname, 'journal.ts')
const limitMs = 120_000

/** Measures on the disk of `folder`. undefined, with a note why, where that fails. */
export async function measureJournal(
	folder: string,
	note: (text: string) => void,
): Promise<JournalFigures | undefined> {
	note('Journal')
	const { code, stdout, stderr } = await run(process.execPath, [program, folder], limitMs)
	if (code === 0) return JSON.parse(stdout) as JournalFigures
	note(`Left out: the journal. ${program} ended with ${code}: ${stderr.trim()}`)
	return undefined
}
