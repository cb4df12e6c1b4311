/**
 * A history straight out of EventStoreDB, for `replay`: the journal is rebuilt in a temporary folder
 * first. Whoever asks often has `serve-views` keep such a folder up to date.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type HistorySource, openFolderSource } from './history-source.ts'
import { restore } from './restore.ts'

/** Throws what `restore` throws; then nothing is left behind. */
export async function openEventStoreSource(
	url: string,
	virtualRouter: string | undefined,
	note: (line: string) => void,
): Promise<HistorySource> {
	const parent = mkdtempSync(join(tmpdir(), 'radledger-history-'))
	const remove = () => rmSync(parent, { recursive: true, force: true })
	// Also where the process ends on the way: what is in it is about persons.
	process.once('exit', remove)
	try {
		const folder = join(parent, 'data')
		await restore({ url, folder, ...(virtualRouter === undefined ? {} : { virtualRouter }) }, note)
		const source = openFolderSource(folder)
		return {
			...source,
			close() {
				source.close()
				remove()
			},
		}
	} catch (error) {
		remove()
		throw error
	}
}
