/** Follows a journal in small commits and says each position, until it is killed. */
import { openReader } from '../adapters/journal/reader.ts'
import { viewsFile } from '../adapters/views/database.ts'
import { openViewFollower } from '../src/view-follower.ts'

const folder = process.argv[2]!
const reader = openReader(folder)
const follower = openViewFollower({
	reader,
	file: viewsFile(folder),
	onWarning: sentence => console.error(sentence),
	eventsPerCommit: Number(process.argv[3]),
})
while (follower.step() > 0) process.stdout.write(`${follower.position()}\n`)
follower.close()
reader.close()
