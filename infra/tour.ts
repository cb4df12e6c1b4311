/**
 * `npm run tour`: makes a data folder with a made-up morning of a small campus, to try out the
 * commands of the README's tours on. The same morning every time.
 */
import { existsSync } from 'node:fs'
import { openJournal } from '../adapters/journal/journal.ts'
import { openReader } from '../adapters/journal/reader.ts'
import { openSealing } from '../adapters/journal/sealing.ts'
import { viewsFile } from '../adapters/views/database.ts'
import { openViewFollower } from '../src/view-follower.ts'
import { lives } from './bench/lives.ts'

const events = 20_000
const settings = { subscribers: 300, live: 120, beginMs: Date.UTC(2027, 0, 5, 8) }

/** Writes the journal, its seal and its read models into a new folder. */
export function makeTour(folder: string): void {
	const journal = openJournal({ folder })
	const source = lives(settings).take(events).toArray()
	for (let from = 0; from < events; from += 100) journal.append(source.slice(from, from + 100))
	journal.close()
	const sealing = openSealing({ folder, now: () => settings.beginMs })
	while (sealing.size() < events) sealing.step(events)
	sealing.checkpoint(true)
	sealing.close()
	const reader = openReader(folder)
	const onWarning = (sentence: string) => console.error(sentence)
	const follower = openViewFollower({ reader, file: viewsFile(folder), onWarning })
	while (follower.step() > 0);
	follower.close()
	reader.close()
}

if (import.meta.main) {
	const folder = process.argv[2] ?? 'tour'
	if (folder.startsWith('-')) {
		console.error('npm run -s tour [-- FOLDER] makes FOLDER (tour), with a made-up morning in it.')
		process.exitCode = 1
	} else if (existsSync(folder)) {
		console.error(`${folder} is there already: delete it, or name another folder.`)
		process.exitCode = 1
	} else {
		makeTour(folder)
		console.log(
			`${folder} has the journal of a made-up morning, ${events} events, its seal and its read models.`,
		)
	}
}
