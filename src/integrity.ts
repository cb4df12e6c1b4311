/** How far the history of a relay is sealed: for the shell, and for whoever else shows it. */

import { newestCheckpoint, openSealToRead, sealedSize } from '../adapters/journal/seal-store.ts'
import { counted } from '../domain/count-text.ts'
import type { Journal } from '../domain/journal.ts'

export type SealStatus = {
	/** Number of events, of those that are leaves of the tree, and of those under a signature. */
	readonly events: number
	readonly sealed: number
	readonly signed: number
	/** Milliseconds; undefined before the first checkpoint. */
	readonly signedAt: number | undefined
	readonly erasuresOpen: number
}

/** Reads a row or two; undefined where nothing has been sealed. Throws where the seal is unusable. */
export function sealStatus(
	journal: Pick<Journal, 'id' | 'last'>,
	folder: string,
): SealStatus | undefined {
	const seal = openSealToRead(folder, journal.id)
	if (seal === undefined) return undefined
	try {
		const newest = newestCheckpoint(seal)
		const open = seal.prepare('SELECT count(*) AS n FROM erasure WHERE plan IS NOT NULL').get()
		return {
			events: journal.last(),
			sealed: sealedSize(seal),
			signed: newest?.size ?? 0,
			signedAt: newest?.at,
			erasuresOpen: Number(open!['n']),
		}
	} finally {
		seal.close()
	}
}

export function integrityLines(
	journal: Pick<Journal, 'id' | 'last'>,
	folder: string,
	now: number,
): string[] {
	let status: SealStatus | undefined
	try {
		status = sealStatus(journal, folder)
	} catch (error) {
		return [`% ${(error as Error).message}`]
	}
	if (status === undefined) return ['Nothing has been sealed yet.']
	const { events, sealed, signed, signedAt, erasuresOpen } = status
	const row = (name: string, value: string | number) => `${name.padEnd(22)}${value}`
	const lines = [
		row('Events', events),
		row('Events sealed', `${sealed} (${events - sealed} to follow)`),
		row('Events signed for', `${signed} (${events - signed} to follow)`),
		row('Last checkpoint', signedAt === undefined ? 'none' : checkpointText(signedAt, now)),
	]
	if (erasuresOpen > 0) lines.push(row('Erasures under way', erasuresOpen))
	return lines
}

function checkpointText(at: number, now: number): string {
	const seconds = Math.max(0, Math.round((now - at) / 1000))
	return `${new Date(at).toISOString()}, ${counted(seconds, 'second')} ago`
}
