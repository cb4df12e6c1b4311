/**
 * How far the event feed has come, in a file of the data folder. It only saves time: without it
 * the journal is read from its beginning, and what the streams have is passed over.
 */
import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import { isLeft } from 'fp-ts/lib/Either.js'
import * as t from 'io-ts'

const fedStream = t.type({
	name: t.string,
	/** When it was made, which tells it from a later one. */
	created: t.string,
	/** Of the newest message that it acknowledged: a server may lose what it had not synced. */
	sequence: t.number,
})
export type FedStream = t.TypeOf<typeof fedStream>
const fed = t.type({
	journal: t.string,
	/** Every event up to here was acknowledged. */
	position: t.number,
	/** By virtual router. */
	streams: t.record(t.string, fedStream),
})
export type Fed = t.TypeOf<typeof fed>

export type FeedCheckpoint = {
	/** Undefined where there is none of that journal. */
	load(journal: string): Fed | undefined
	save(fed: Fed): void
}

export function openFeedCheckpoint(file: string): FeedCheckpoint {
	return {
		load(journal) {
			const checked = fed.decode(readJson(file))
			return isLeft(checked) || checked.right.journal !== journal ? undefined : checked.right
		},
		save(state) {
			writeFileSync(`${file}.new`, JSON.stringify(state), { mode: 0o600 })
			renameSync(`${file}.new`, file)
		},
	}
}

function readJson(file: string): unknown {
	try {
		return JSON.parse(readFileSync(file, 'utf8'))
	} catch {
		return undefined
	}
}
