/** `radledger exec`: commands of the JunosE shell, without a terminal. */
import { parseArgs } from 'node:util'
import { exec as execute } from '../adapters/shell/client.ts'
import { dataFolder, UsageError } from './settings.ts'

export async function exec(args: readonly string[]): Promise<number> {
	const { values, positionals } = parseArgs({
		args: [...args],
		options: { data: { type: 'string' } },
		allowPositionals: true,
	})
	if (positionals.length === 0) {
		throw new UsageError('exec needs a command: radledger exec --data DIR "show version"')
	}
	const { output, exitCode } = await execute(dataFolder(values.data, process.env), positionals)
	process.stdout.write(output)
	return exitCode
}
