/** `radledger views`: builds the read models of a data folder, or brings them up to date, and ends. */
import { openDurably, type Reader } from '../adapters/journal/reader.ts'
import { viewsFile } from '../adapters/views/database.ts'
import { dataFolder, readFlags } from './settings.ts'
import { openViewFollower } from './view-follower.ts'

const usage = `radledger views --data DIR
  --data DIR   the data folder of a relay, running or not, or a copy: DIR/views.db, in
               which sqlite3 and replay find things, gets what the journal has by now`

const progressMs = 2_000

export async function views(args: readonly string[]): Promise<number> {
	if (args.includes('--help')) {
		console.log(usage)
		return 0
	}
	const flags = readFlags(args, { data: { type: 'string' } })
	const folder = dataFolder(flags['data'], process.env)
	const reader = openDurably(folder)
	try {
		const position = buildViews(folder, reader, sentence => console.error(sentence))
		console.log(
			`${viewsFile(folder)} has all ${position.toLocaleString('en-US')} ${position === 1 ? 'event' : 'events'}.`,
		)
		return 0
	} finally {
		reader.close()
	}
}

/**
 * Folds what the journal has when this begins, so that it ends beside a busy relay too; tells the
 * position that the read models stand at. Throws ViewFailure with a sentence.
 */
export function buildViews(
	folder: string,
	reader: Reader,
	onNotice: (sentence: string) => void,
): number {
	const target = reader.last()
	const follower = openViewFollower({ reader, file: viewsFile(folder), onWarning: onNotice })
	try {
		let toldAt = performance.now()
		while (follower.position() < target) {
			follower.step()
			if (performance.now() - toldAt < progressMs) continue
			toldAt = performance.now()
			const [done, all] = [follower.position(), target].map(n => n.toLocaleString('en-US'))
			onNotice(`${done} of ${all} events.`)
		}
		return follower.position()
	} finally {
		follower.close()
	}
}
