/** `radledger seal-key` and `radledger checkpoint`: what an auditor keeps outside of the data folder. */
import { openReader } from '../adapters/journal/reader.ts'
import { newestCheckpoint, openSealToRead, verifierKeyIn } from '../adapters/journal/seal-store.ts'
import { dataFolder, readFlags, UsageError } from './settings.ts'

const dataOption =
	'  --data DIR   the data folder of a relay, running or not, or a copy   RADLEDGER_DATA'

const sealKeyUsage = `radledger seal-key --data DIR
${dataOption}
Prints the verifier key, which is public: verify --key needs it. Keep it outside of the folder.`

const checkpointUsage = `radledger checkpoint --data DIR
${dataOption}
Prints the newest signed checkpoint. Keep it outside of the folder: verify --checkpoint then tells
whether the journal still leads to it, and verify --proof needs it.`

export function sealKey(args: readonly string[]): number {
	return print(args, sealKeyUsage, sealKeyText)
}

/** The verifier key of a folder's seal. Throws UsageError where nothing is sealed. */
export function sealKeyText(folder: string): string {
	return inSeal(folder, verifierKeyIn)
}

export function checkpoint(args: readonly string[]): number {
	return print(args, checkpointUsage, folder =>
		inSeal(folder, seal => newestCheckpoint(seal)?.note.trimEnd()),
	)
}

function print(args: readonly string[], usage: string, text: (folder: string) => string): number {
	if (args.includes('--help')) {
		console.log(usage)
		return 0
	}
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
