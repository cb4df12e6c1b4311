/** `radledger shell`: the JunosE shell of a running relay, on a terminal or from a pipe. */
import { interactive } from '../adapters/shell/terminal.ts'
import { dataFolder, readFlags } from './settings.ts'

export async function shell(args: readonly string[]): Promise<number> {
	const { data } = readFlags(args, { data: { type: 'string' } })
	return interactive(dataFolder(data, process.env), process.stdin, process.stdout)
}
