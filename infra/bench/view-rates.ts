/** The read models by themselves, measured by `views.ts` in a process of its own. */
import { join } from 'node:path'
import { run } from './processes.ts'
import type { ViewFigures } from './views.ts'

const program = join(import.meta.dirname, 'views.ts')
const limitMs = 900_000

/** Measures on the disk of `folder`. undefined, with a note why, where that fails. */
export async function measureViewRates(
	folder: string,
	events: number,
	note: (text: string) => void,
): Promise<ViewFigures | undefined> {
	note(`Read models of ${events} events`)
	const args = [program, folder, String(events)]
	const { code, stdout, stderr } = await run(process.execPath, args, limitMs)
	if (code === 0) return JSON.parse(stdout) as ViewFigures
	note(`Left out: the read models. ${program} ended with ${code}: ${stderr.trim()}`)
	return undefined
}
