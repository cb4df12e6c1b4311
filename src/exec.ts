/** `radledger exec`: commands of the JunosE shell, without a terminal. */
import { exec as execute } from '../adapters/shell/client.ts'
import { dataFolder, readArguments, UsageError } from './settings.ts'

const usage = `radledger exec --data DIR "COMMAND" ["COMMAND" ...]
  --data DIR   the data folder of a running relay                  RADLEDGER_DATA
  COMMAND      as typed in "radledger shell", in quotes; several are one session, in privileged
               mode from the start: "configure terminal" "hostname campus"
Exit code 1 after a command that is refused, 2 where no relay runs or where
it gives no sign of life for 15 seconds.`

export async function exec(args: readonly string[]): Promise<number> {
	if (args.includes('--help')) {
		console.log(usage)
		return 0
	}
	const { values, positionals } = readArguments(args, { data: { type: 'string' } }, true)
	if (positionals.length === 0) {
		throw new UsageError('exec needs a command: radledger exec --data DIR "show version"')
	}
	const { output, exitCode } = await execute(dataFolder(values['data'], process.env), positionals)
	process.stdout.write(output)
	return exitCode
}
