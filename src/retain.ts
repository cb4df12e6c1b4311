/** `radledger retain`: does what `retention` says, now, on a running relay or a stopped one's folder. */
import { JournalFailure } from '../adapters/journal/failure.ts'
import { openJournal } from '../adapters/journal/journal.ts'
import { openReader } from '../adapters/journal/reader.ts'
import { exec } from '../adapters/shell/client.ts'
import type { Configuration } from '../domain/configuration.ts'
import { loadConfiguration } from './configuration-file.ts'
import {
	appendStopped,
	carryOut,
	completeErasures,
	erasureEvent,
	erasureLines,
	nothingRetained,
	portionsOf,
	retentionLines,
	retentionNow,
	retentionOf,
	withPlan,
} from './erasing.ts'
import { recoverState, saveState } from './recover.ts'
import { dataFolder, readFlags, UsageError } from './settings.ts'

const usage = `radledger retain --data DIR [--config FILE]
  A running relay is asked to do it, by its own configuration; a stopped one's folder, or a copy,
  is changed at once, by the "retention" commands of FILE.`

export async function retain(args: readonly string[]): Promise<number> {
	if (args.includes('--help')) {
		console.log(usage)
		return 0
	}
	const flags = readFlags(args, {
		data: { type: 'string' },
		config: { type: 'string' },
	}) as Record<string, string | undefined>
	const folder = dataFolder(flags['data'], process.env)
	// A folder that is not there is a mistake, and not one without a relay.
	openReader(folder).close()
	const asked = await exec(folder, 'retention apply')
	if (asked.absent === undefined) {
		process.stdout.write(asked.output)
		return asked.exitCode
	}
	const file = flags['config'] ?? process.env['RADLEDGER_CONFIG']
	if (file === undefined) {
		throw new UsageError(
			`No relay runs on ${folder}, so --config must say what its retention is.\n${usage}`,
		)
	}
	const loaded = loadConfiguration(file)
	if ('refused' in loaded) throw new UsageError(loaded.refused)
	const { configuration } = loaded
	for (const line of await retainStopped({ folder, configuration, now: Date.now })) {
		console.log(line)
	}
	return 0
}

export type Retaining = {
	readonly folder: string
	readonly configuration: Configuration
	/** Wall-clock milliseconds. */
	readonly now: () => number
}

/** On a folder that no relay owns. Completes first what was interrupted there. */
export async function retainStopped({
	folder,
	configuration,
	now,
}: Retaining): Promise<readonly string[]> {
	const routers = retentionOf(configuration)
	if (routers === undefined) return retentionLines({ ...nothingRetained, isAsked: false })
	// A folder that is not there is a mistake, and not one to be made.
	openReader(folder).close()
	const warnings: string[] = []
	const onWarning = (sentence: string) => warnings.push(sentence)
	const journal = openJournal({ folder, reserveLog: false, onWarning })
	try {
		const completed = await completeErasures(journal, now)
		let retained = nothingRetained
		for (;;) {
			const found = retentionNow(folder, routers, now())
			if (found === undefined) break
			const { plan, more } = found
			appendStopped(journal, [erasureEvent(plan, routers[0]!.name, now())], now())
			await carryOut(journal, plan, portionsOf(folder, plan))
			retained = withPlan(retained, plan)
			if (!more) break
		}
		if (retained.events > 0) saveState(journal, recoverState(journal, journal, onWarning))
		return [...completed.flatMap(erasureLines), ...retentionLines(retained), ...warnings]
	} catch (error) {
		if (error instanceof JournalFailure) throw error
		throw new JournalFailure(
			`The journal is not without what is old: ${(error as Error).message} Run the command once more to go on.`,
			{ cause: error },
		)
	} finally {
		journal.close()
	}
}
