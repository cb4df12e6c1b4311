/** `radledger erase`: takes one subscriber's personal data out of a journal. */

import { planErasure } from '../adapters/journal/erasure.ts'
import { JournalFailure } from '../adapters/journal/failure.ts'
import { openJournal, type SqliteJournal } from '../adapters/journal/journal.ts'
import { openReader } from '../adapters/journal/reader.ts'
import { exec } from '../adapters/shell/client.ts'
import { endingsOf, endingText, whyNotErasable } from '../domain/erasure-state.ts'
import { macAddress, printableText } from '../domain/junose/parameter.ts'
import type { State } from '../domain/state.ts'
import type { Following } from '../projections/follow.ts'
import {
	appendStopped,
	carryOut,
	completeErasures,
	erasureEvent,
	erasureLines,
	newPseudonymFor,
	portionsOf,
} from './erasing.ts'
import { followState, recoverState, saveState } from './recover.ts'
import { dataFolder, readFlags, UsageError } from './settings.ts'

const usage = `radledger erase --data DIR --subscriber MAC --reason TEXT [--end]
  --data DIR           the relay's data folder                     RADLEDGER_DATA
  --subscriber MAC     whose data go, from every virtual router
  --reason TEXT        why; it is recorded, and stays: name nobody in it
  --end                without a relay: ends the session, takes addresses back, and gives SRC's
                       sessions up, of which SRC is not told
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
		end: { type: 'boolean', default: false },
	})
	const folder = dataFolder(flags['data'], process.env)
	const mac = read(macAddress, 'subscriber', flags['subscriber'])
	const reason = read(printableText(200, 'A reason'), 'reason', flags['reason'])
	const asked = await exec(folder, `erase subscriber ${mac} reason ${JSON.stringify(reason)}`)
	if (asked.absent === undefined) {
		process.stdout.write(asked.output)
		if (asked.exitCode !== 0 && flags['end'] === true) {
			console.log('--end is for a folder without a relay: stop it first.')
		}
		return asked.exitCode
	}
	const isEnding = flags['end'] === true
	const done = await eraseStopped({ folder, mac, reason, isEnding, now: Date.now })
	if ('refused' in done) throw new UsageError(done.refused)
	for (const line of done.lines) console.log(line)
	return 0
}

function read<T>(
	parameter: { read(text: string): { readonly value: T } | { readonly why: string } },
	name: string,
	text: unknown,
): T {
	if (typeof text !== 'string') throw new UsageError(`--${name} is missing.\n${usage}`)
	const found = parameter.read(text)
	if ('value' in found) return found.value
	throw new UsageError(`--${name}: ${found.why}`)
}

export type Erasing = {
	readonly folder: string
	readonly mac: string
	readonly reason: string
	/** Ends what the subscriber still has. */
	readonly isEnding?: boolean
	readonly now: () => number
}

/** On a folder that no relay owns. Completes first what was interrupted there. */
export async function eraseStopped({
	folder,
	mac,
	reason,
	isEnding = false,
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
		const following = followState(journal, journal, onWarning)
		following.catchUp()
		if (isEnding) lines.push(...endAll(journal, following, mac, now()))
		const refused = whyNotErasable(following.state(), mac, now())
		if (refused !== undefined) {
			return {
				refused: isEnding ? refused : `${refused} No relay runs here: --end does that, too.`,
			}
		}
		const plan = planErasure(folder, newPseudonymFor(mac), reason)
		if (plan === undefined) {
			if (completed.some(({ what }) => what.kind === 'subscriber' && what.mac === mac))
				return { lines: [...lines, ...warnings] }
			return { refused: `There is nothing of ${mac} in ${folder}.` }
		}
		appendStopped(journal, [erasureEvent(plan, 'default', now())], now())
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

/** Ends what a subscriber still has, one thing after the other, and says what that was. */
function endAll(
	journal: SqliteJournal,
	following: Following<State>,
	mac: string,
	at: number,
): string[] {
	const lines: string[] = []
	for (;;) {
		const events = endingsOf(following.state(), mac, at)
		if (events.length === 0) return lines
		appendStopped(journal, events, at)
		following.catchUp()
		lines.push(...events.map(endingText))
	}
}
