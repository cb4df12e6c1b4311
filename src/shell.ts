/** `radledger shell`: the JunosE shell of a running relay, on a terminal or from a pipe. */
import { ShellError } from '../adapters/shell/protocol.ts'
import { interactive } from '../adapters/shell/terminal.ts'
import { dataFolder, readFlags } from './settings.ts'

const usage = `radledger shell --data DIR
  --data DIR   the data folder of a running relay   RADLEDGER_DATA
In the shell, ? says what can follow, and "exit" leaves it.
Exit code 1 after a command from a file or a pipe that is refused, 2 where no relay runs, where it
goes away, or where it gives no sign of life for 15 seconds.`

export async function shell(args: readonly string[]): Promise<number> {
	if (args.includes('--help')) {
		console.log(usage)
		return 0
	}
	const { data } = readFlags(args, { data: { type: 'string' } })
	const folder = dataFolder(data, process.env)
	try {
		return await interactive(folder, process.stdin, process.stdout)
	} catch (error) {
		if (!(error instanceof ShellError)) throw error
		console.error(error.message)
		return 2
	}
}
