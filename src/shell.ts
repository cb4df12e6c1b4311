/** `radledger shell`: the JunosE shell of a running relay, on a terminal or from a pipe. */
import { interactive } from '../adapters/shell/terminal.ts'
import { dataFolder, readFlags } from './settings.ts'

const usage = `radledger shell --data DIR
  --data DIR   the data folder of a running relay   RADLEDGER_DATA
In the shell, ? says what can follow, and "exit" leaves it.`

export async function shell(args: readonly string[]): Promise<number> {
	if (args.includes('--help')) {
		console.log(usage)
		return 0
	}
	const { data } = readFlags(args, { data: { type: 'string' } })
	return interactive(dataFolder(data, process.env), process.stdin, process.stdout)
}
