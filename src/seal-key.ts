/** `radledger seal-key` and `radledger checkpoint`: what an auditor keeps outside of the data folder. */
import { openReader } from '../adapters/journal/reader.ts'
import { newestCheckpoint, openSealToRead, verifierKeyIn } from '../adapters/journal/seal-store.ts'
import { dataFolder, readFlags, UsageError } from './settings.ts'

export function sealKey(args: readonly string[]): number {
	return print(args, folder => inSeal(folder, verifierKeyIn))
}

export function checkpoint(args: readonly string[]): number {
	return print(args, folder => inSeal(folder, seal => newestCheckpoint(seal)?.note.trimEnd()))
}

function print(args: readonly string[], text: (folder: string) => string): number {
	const flags = readFlags(args, { data: { type: 'string' } })
	console.log(text(dataFolder(flags['data'], process.env)))
	return 0
}

type Seal = NonNullable<ReturnType<typeof openSealToRead>>

function inSeal(folder: string, ask: (seal: Seal) => string | undefined): string {
	const reader = openReader(folder)
	const { id } = reader
	reader.close()
	const seal = openSealToRead(folder, id)
	const found = seal === undefined ? undefined : ask(seal)
	seal?.close()
	if (found !== undefined) return found
	throw new UsageError(
		`Nothing has been sealed in ${folder} yet: a relay does so within a second of its start.`,
	)
}
