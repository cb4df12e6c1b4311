/** The `radledger` program: one command each, in the file of its name. */
import { databaseSentence } from '../adapters/journal/failure.ts'
import { release } from './release.ts'
import { UsageError } from './settings.ts'

const major = Number(process.versions.node.split('.')[0])
if (major < 24) {
	console.error(
		`radledger needs Node 24 or newer and this is ${process.version}. Start it with npm, which brings its own: npm start -- --config FILE --data DIR`,
	)
	process.exit(1)
}

const usage = `Usage: radledger COMMAND

  serve --config FILE --data DIR    run the relay
  shell --data DIR                  the JunosE shell of a running relay
  exec --data DIR "COMMAND"         one command of that shell; exit code 1 when it is refused
  verify --data DIR                 whether the journal is what was recorded and sealed
  prove --position P --data DIR     a proof that verify --proof checks without the journal
  erase --subscriber MAC --reason R --data DIR   takes a subscriber's data out of the journal
  retain --data DIR --config FILE   takes out what is older than its retention says
  seal-key --data DIR               the public key that its checkpoints are verified with
  checkpoint --data DIR             the newest signed checkpoint, to be kept elsewhere
  restore --from URL --data DIR     a lost relay's journal, from its EventStoreDB mirror
  erase-mirror --subscriber MAC --from URL --data DIR    an erasure, in EventStoreDB too
  serve-views --from URL --data DIR    the read side of a fleet of relays, from EventStoreDB
  replay --subscriber MAC --data DIR   what happened, and how things stood at a time
  export --data DIR --format F --out FILE    events as NDJSON, CSV or Parquet
  views --data DIR                  DIR/views.db for SQL, up to date, without a running relay
  src-adapter --rules FILE --nats URL    answers a relay's questions about address pools

"radledger COMMAND --help" tells all about one of them.`

async function main(args: readonly string[]): Promise<number> {
	const [command, ...rest] = args
	switch (command) {
		case 'serve': {
			const { serve } = await import('./serve.ts')
			const { serveSettings, serveUsage } = await import('./settings.ts')
			if (rest.includes('--help')) {
				console.log(serveUsage)
				return 0
			}
			return serve(serveSettings(rest, process.env))
		}
		case 'shell': {
			const { shell } = await import('./shell.ts')
			return shell(rest)
		}
		case 'exec': {
			const { exec } = await import('./exec.ts')
			return exec(rest)
		}
		case 'verify': {
			const { verify } = await import('./verify.ts')
			return verify(rest)
		}
		case 'seal-key': {
			const { sealKey } = await import('./seal-key.ts')
			return sealKey(rest)
		}
		case 'checkpoint': {
			const { checkpoint } = await import('./seal-key.ts')
			return checkpoint(rest)
		}
		case 'prove': {
			const { prove } = await import('./prove.ts')
			return prove(rest)
		}
		case 'erase': {
			const { erase } = await import('./erase.ts')
			return erase(rest)
		}
		case 'retain': {
			const { retain } = await import('./retain.ts')
			return retain(rest)
		}
		case 'restore': {
			const { restoreCommand, restoreUsage } = await import('./restore.ts')
			if (rest.includes('--help')) {
				console.log(restoreUsage)
				return 0
			}
			return restoreCommand(rest)
		}
		case 'erase-mirror': {
			const { eraseMirrorCommand, eraseMirrorUsage } = await import('./erase-mirror.ts')
			if (rest.includes('--help')) {
				console.log(eraseMirrorUsage)
				return 0
			}
			return eraseMirrorCommand(rest)
		}
		case 'serve-views': {
			const { serveViewsCommand, serveViewsUsage } = await import('./serve-views.ts')
			if (rest.includes('--help')) {
				console.log(serveViewsUsage)
				return 0
			}
			return serveViewsCommand(rest)
		}
		case 'replay': {
			const { replay } = await import('./replay.ts')
			return replay(rest)
		}
		case 'export': {
			const { exportJournal } = await import('./export.ts')
			return exportJournal(rest)
		}
		case 'views': {
			const { views } = await import('./views-command.ts')
			return views(rest)
		}
		case 'src-adapter': {
			const { srcAdapter } = await import('./src-adapter.ts')
			const { srcAdapterSettings, srcAdapterUsage } = await import('./src-adapter-settings.ts')
			if (rest.includes('--help')) {
				console.log(srcAdapterUsage)
				return 0
			}
			return srcAdapter(srcAdapterSettings(rest, process.env))
		}
		case 'help':
		case '--help':
			console.log(usage)
			return 0
		case '--version':
			console.log(`radledger ${release}`)
			return 0
		default:
			throw new UsageError(
				command === undefined ? usage : `There is no command "${command}".\n${usage}`,
			)
	}
}

const userErrors = [
	...['UsageError', 'JournalFailure', 'ViewFailure', 'ShellError'],
	...['TargetFailure', 'RestoreFailure'],
]

function isForUser(error: unknown): error is Error {
	if (!(error instanceof Error)) return false
	const parsing = (error as NodeJS.ErrnoException).code?.startsWith('ERR_PARSE_ARGS') === true
	return parsing || userErrors.includes(error.name)
}

try {
	process.exitCode = await main(process.argv.slice(2))
} catch (error) {
	// A sentence for what the user can mend; the whole stack for what only we can.
	console.error(isForUser(error) ? error.message : (databaseSentence(error) ?? error))
	process.exitCode = 1
}
