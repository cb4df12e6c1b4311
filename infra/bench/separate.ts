/** A part of the bench in a process of its own: nothing of the bench shares its processor time or heap. */
import { join } from 'node:path'
import { run } from './processes.ts'

type Program = 'journal' | 'feed' | 'verify' | 'eventstore' | 'page' | 'views'

/**
 * Runs `PROGRAM.ts ARGS...` of this folder, which prints its figures as JSON. Throws with its last
 * words where it fails or takes longer than `limitMs`.
 */
export async function separately<Figures>(
	program: Program,
	args: readonly string[],
	limitMs: number,
): Promise<Figures> {
	const file = join(import.meta.dirname, `${program}.ts`)
	const { code, stdout, stderr } = await run(process.execPath, [file, ...args], limitMs)
	if (code === 0) return JSON.parse(stdout) as Figures
	throw new Error(`${file} ended with ${code}: ${stderr.trim().slice(-500)}`)
}
