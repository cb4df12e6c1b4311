/** `radledger prove`: writes a proof that somebody can check without the journal. */

import { writeFileSync } from 'node:fs'
import type { DatabaseSync } from 'node:sqlite'
import { canonicalText } from '../adapters/journal/commitment.ts'
import { storedLine } from '../adapters/journal/reader.ts'
import { openToRead } from '../adapters/journal/schema.ts'
import {
	checkpointOf,
	isErased,
	leafAt,
	newestCheckpoint,
	openSealToRead,
	type StoredCheckpoint,
	subtreesOf,
} from '../adapters/journal/seal-store.ts'
import { counted } from '../domain/count-text.ts'
import { consistencyProof, inclusionProof } from '../domain/seal/merkle.ts'
import { type Proof, proofText } from '../domain/seal/proof.ts'
import { dataFolder, readFlags, UsageError } from './settings.ts'
import { checkpointIn } from './verify.ts'

const usage = `radledger prove --data DIR --position P [--checkpoint FILE] [--out FILE]
radledger prove --data DIR --from-checkpoint FILE [--checkpoint FILE] [--out FILE]
  --position P            that this event is in the tree of the newest checkpoint
  --from-checkpoint FILE  that the tree of this older checkpoint has only been added to
  --checkpoint FILE       another checkpoint of the log than the newest`

export function prove(args: readonly string[]): number {
	if (args.includes('--help')) {
		console.log(usage)
		return 0
	}
	const flags = readFlags(args, {
		data: { type: 'string' },
		position: { type: 'string' },
		'from-checkpoint': { type: 'string' },
		checkpoint: { type: 'string' },
		out: { type: 'string' },
	}) as Record<string, string | undefined>
	const folder = dataFolder(flags['data'], process.env)
	const { position, 'from-checkpoint': from } = flags
	if ((position === undefined) === (from === undefined)) {
		throw new UsageError(`Name either --position or --from-checkpoint.\n${usage}`)
	}
	const asked = {
		to: flags['checkpoint'] === undefined ? undefined : checkpointIn(flags['checkpoint']).size,
		...(from === undefined
			? { position: positionOf(position!) }
			: { from: checkpointIn(from).size }),
	}
	const text = proofText(proofFrom(folder, asked))
	if (flags['out'] === undefined) process.stdout.write(text)
	else write(flags['out'], text)
	return 0
}

function write(file: string, text: string): void {
	try {
		writeFileSync(file, text, { mode: 0o600 })
	} catch (error) {
		throw new UsageError(`The proof cannot be written: ${(error as Error).message}.`)
	}
	console.log(`${file} has the proof: radledger verify --proof checks it.`)
}

export type Asked = ({ readonly position: number } | { readonly from: number }) & {
	/** Size of the checkpoint to prove against; the newest unless told. */
	readonly to: number | undefined
}

/** Makes a proof from a live or copied folder. Throws UsageError where there is none. */
export function proofFrom(folder: string, asked: Asked): Proof {
	const { db: journal, id } = openToRead(folder)
	const seal = openSealToRead(folder, id)
	try {
		const checkpoint =
			seal === undefined
				? undefined
				: asked.to === undefined
					? newestCheckpoint(seal)
					: checkpointOf(seal, asked.to)
		if (seal === undefined || checkpoint === undefined) {
			throw new UsageError(
				asked.to === undefined
					? `Nothing has been signed in ${folder} yet: a relay does so within a second of its start.`
					: `The log in ${folder} has no checkpoint of ${counted(asked.to, 'event')}.`,
			)
		}
		if ('from' in asked) return consistency(seal, checkpoint, asked.from)
		return inclusion(journal, seal, checkpoint, asked.position)
	} finally {
		seal?.close()
		journal.close()
	}
}

function consistency(seal: DatabaseSync, { size, note }: StoredCheckpoint, from: number): Proof {
	if (from < 1 || from > size) {
		throw new UsageError(
			`A checkpoint of ${counted(from, 'event')} is not older than one of ${size}.`,
		)
	}
	const hashes = consistencyProof(from, size, subtreesOf(seal))
	return { kind: 'consistency', fromSize: from, treeSize: size, hashes, checkpoint: note }
}

function inclusion(
	journal: DatabaseSync,
	seal: DatabaseSync,
	{ size, note }: StoredCheckpoint,
	position: number,
): Proof {
	const line = storedLine(journal, position)
	const sealed = leafAt(seal, position)
	if (line === undefined) throw new UsageError(`There is no event at position ${position}.`)
	if (sealed === undefined || position > size) {
		throw new UsageError(
			`Position ${position} is not under the checkpoint of ${counted(size, 'event')}; the next one is signed within a minute.`,
		)
	}
	const entry = isErased(seal, position)
		? { leaf: sealed.leaf }
		: { salt: sealed.salt, event: canonicalText(position, line) }
	const hashes = inclusionProof(position - 1, size, subtreesOf(seal))
	return {
		kind: 'inclusion',
		leafIndex: position - 1,
		treeSize: size,
		entry,
		hashes,
		checkpoint: note,
	}
}

function positionOf(text: string): number {
	const position = Number(text)
	if (Number.isSafeInteger(position) && position >= 1) return position
	throw new UsageError(`--position ${text} is no position: they begin at 1.`)
}
