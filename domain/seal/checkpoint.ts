/** Checkpoints of a log (c2sp.org/tlog-checkpoint): origin, tree size, root hash. */
import { hashOctets } from './merkle.ts'
import { fromBase64, toBase64 } from './octets.ts'

export type Checkpoint = {
	readonly origin: string
	readonly size: number
	readonly root: Uint8Array
}

/** The name of the log of a journal, and of its key: a URL without scheme, as is recommended. */
export function originOf(journalId: string): string {
	return `radledger/${journalId}`
}

/** The text that is signed. */
export function checkpointText({ origin, size, root }: Checkpoint): string {
	return `${origin}\n${size}\n${toBase64(root)}\n`
}

/** Undefined where the text is no checkpoint. Extension lines are allowed and ignored. */
export function parseCheckpoint(text: string): Checkpoint | undefined {
	const [origin, size, root, ...rest] = text.split('\n')
	// The text ends with a newline, and no line is empty.
	if (rest.pop() !== '' || rest.includes('') || origin === undefined || origin === '') {
		return undefined
	}
	if (!/^(0|[1-9][0-9]{0,15})$/.test(size!) || !Number.isSafeInteger(Number(size))) return undefined
	const octets = fromBase64(root!)
	if (octets?.length !== hashOctets) return undefined
	return { origin, size: Number(size), root: octets }
}
