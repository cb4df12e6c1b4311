/** `radledger erase`: takes one subscriber's personal data out of a journal. */

import { planErasure } from '../adapters/journal/erasure.ts'
import { JournalFailure } from '../adapters/journal/failure.ts'
import { openJournal } from '../adapters/journal/journal.ts'
import { openReader } from '../adapters/journal/reader.ts'
import { exec } from '../adapters/shell/client.ts'
import { whyNotErasable } from '../domain/erasure-state.ts'
import { macAddress, printableText } from '../domain/junose/parameter.ts'
import {
	carryOut,
	completeErasures,
	erasureEvent,
	erasureLines,
	newPseudonymFor,
	portionsOf,
} from './erasing.ts'
import { recoverState, saveState } from './recover.ts'
import { dataFolder, readFlags, UsageError } from './settings.ts'

const usage = `radledger erase --data DIR --subscriber MAC --reason TEXT
  A running relay is asked to do it; a stopped one's folder is changed at once.`

export async function erase(args: readonly string[]): Promise<number> {
	if (args.includes('--help')) {
		console.log(usage)
		return 0
	}
	const flags = readFlags(args, {
		data: { type: 'string' },
		subscriber: { type: 'string' },
		reason: { type: 'string' },
	}) as Record<string, string | undefined>
	const folder = dataFolder(flags['data'], process.env)
	const mac = read(macAddress, 'subscriber', flags['subscriber'])
	const reason = read(printableText(200, 'A reason'), 'reason', flags['reason'])
	const asked = await exec(folder, `erase subscriber ${mac} reason ${JSON.stringify(reason)}`)
	// 2: there is no relay to ask.
	if (asked.exitCode !== 2) {
		process.stdout.write(asked.output)
		return asked.exitCode
	}
	const done = await eraseStopped({ folder, mac, reason, now: Date.now })
	if ('refused' in done) throw new UsageError(done.refused)
	for (const line of done.lines) console.log(line)
	return 0
}

function read<T>(
	parameter: { read(text: string): { readonly value: T } | { readonly why: string } },
	name: string,
	text: string | undefined,
): T {
	if (text === undefined) throw new UsageError(`--${name} is missing.\n${usage}`)
	const found = parameter.read(text)
	if ('value' in found) return found.value
	throw new UsageError(`--${name}: ${found.why}`)
}

export type Erasing = {
	readonly folder: string
	readonly mac: string
	readonly reason: string
	readonly now: () => number
}

/** On a folder that no relay owns. Completes first what was interrupted there. */
export async function eraseStopped({
	folder,
	mac,
	reason,
	now,
}: Erasing): Promise<{ readonly lines: readonly string[] } | { readonly refused: string }> {
	// A folder that is not there is a mistake, and not one to be made.
	openReader(folder).close()
	const warnings: string[] = []
	const onWarning = (sentence: string) => warnings.push(sentence)
	const journal = openJournal({ folder, reserveLog: false, onWarning })
	try {
		const completed = await completeErasures(journal, now)
		const lines = completed.flatMap(erasureLines)
		const state = recoverState(journal, journal, onWarning)
		const refused = whyNotErasable(state, mac, now())
		if (refused !== undefined) return { refused }
		const plan = planErasure(folder, newPseudonymFor(mac), reason)
		if (plan === undefined) {
			if (completed.some(({ what }) => what.kind === 'subscriber' && what.mac === mac))
				return { lines: [...lines, ...warnings] }
			return { refused: `There is nothing of ${mac} in ${folder}.` }
		}
		journal.append([erasureEvent(plan, 'default', now())])
		await carryOut(journal, plan, portionsOf(folder, plan))
		saveState(journal, recoverState(journal, journal, onWarning))
		return { lines: [...lines, ...erasureLines(plan), ...warnings] }
	} catch (error) {
		if (error instanceof JournalFailure) throw error
		throw new JournalFailure(
			`The erasure is not complete: ${(error as Error).message} Run the command once more to go on.`,
			{ cause: error },
		)
	} finally {
		journal.close()
	}
}
