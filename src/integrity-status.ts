/** How far the journal of a data folder is sealed, as its seal says. */
import type { IntegrityStatus } from '../adapters/http/live.ts'
import {
	newestCheckpoint,
	openSealToRead,
	sealedSize,
	verifierKeyIn,
} from '../adapters/journal/seal-store.ts'

/** Undefined where nothing is sealed. */
export function integrityOf(folder: string, journalId: string): IntegrityStatus | undefined {
	const seal = openSealToRead(folder, journalId)
	if (seal === undefined) return undefined
	try {
		const newest = newestCheckpoint(seal)
		return {
			sealed: sealedSize(seal),
			signed: newest?.size ?? 0,
			signedAt: newest?.at ?? null,
			checkpoint: newest?.note ?? null,
			key: verifierKeyIn(seal) ?? null,
		}
	} finally {
		seal.close()
	}
}
