/**
 * Snapshots: one file a name, written aside and renamed, so that there is the old one or the new
 * one. A line of JSON says what it is and has a checksum over the rest, the state. Nothing about a
 * snapshot is ever fatal: an unusable one is told of and ignored, and the journal read instead.
 */
import { createHash } from 'node:crypto'
import {
	closeSync,
	existsSync,
	fsyncSync,
	mkdirSync,
	openSync,
	readFileSync,
	renameSync,
	writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import * as t from 'io-ts'
import type { Snapshots } from '../../domain/journal.ts'
import { reason } from './failure.ts'

const header = t.type({
	format: t.literal(1),
	name: t.string,
	version: t.number,
	journal: t.string,
	position: t.number,
	sha256: t.string,
})

export type SnapshotSettings = {
	/** The data folder; the files are in its folder `snapshots`. */
	readonly folder: string
	readonly journalId: string
	/** Position of the journal's newest event: a snapshot cannot be of a later one. */
	readonly last: () => number
	readonly onWarning: (sentence: string) => void
}

export function openSnapshots(settings: SnapshotSettings): Snapshots {
	const folder = join(settings.folder, 'snapshots')

	return {
		load(name, version) {
			const file = snapshotFile(folder, name)
			try {
				if (!existsSync(file)) return undefined
				return read(file, name, version)
			} catch (error) {
				settings.onWarning(
					`The snapshot ${file} is ignored and the journal read instead: ${reason(error)}.`,
				)
				return undefined
			}
		},
		save(name, version, position, state) {
			const file = snapshotFile(folder, name)
			try {
				const body = JSON.stringify(state)
				const { journalId: journal } = settings
				const sha256 = checksum(journal, version, position, body)
				const head = { format: 1, name, version, journal, position, sha256 }
				writeAtomically(folder, file, `${JSON.stringify(head)}\n${body}\n`)
			} catch (error) {
				settings.onWarning(
					`The snapshot ${file} could not be written: ${reason(error)}. The next start takes longer.`,
				)
			}
		},
	}

	function read(file: string, name: string, version: number) {
		const text = readFileSync(file, 'utf8')
		const end = text.indexOf('\n')
		if (end === -1) throw new Error('it is cut off')
		const head: unknown = JSON.parse(text.slice(0, end))
		if (!header.is(head)) throw new Error('its first line is of no known form')
		if (head.name !== name) throw new Error(`it is one of ${head.name}`)
		if (head.version !== version) {
			throw new Error(`it has version ${head.version}, and version ${version} is needed`)
		}
		if (head.journal !== settings.journalId) throw new Error('it belongs to another journal')
		const last = settings.last()
		if (!Number.isSafeInteger(head.position) || head.position < 0 || head.position > last) {
			throw new Error(`it is of position ${head.position}, and the journal ends at ${last}`)
		}
		const body = text.slice(end + 1, -1)
		if (checksum(head.journal, version, head.position, body) !== head.sha256) {
			throw new Error('its checksum does not match')
		}
		return { position: head.position, state: JSON.parse(body) as unknown }
	}
}

/** Names go into file names: the program's own, lower case and dashes. */
function snapshotFile(folder: string, name: string): string {
	if (!/^[a-z0-9][a-z0-9-]{0,63}$/.test(name)) {
		throw new Error(`A snapshot cannot be named ${JSON.stringify(name)}: use a-z, 0-9 and dashes.`)
	}
	return join(folder, `${name}.json`)
}

function checksum(journal: string, version: number, position: number, body: string): string {
	return createHash('sha256')
		.update(`${journal} ${version} ${position}\n`)
		.update(body)
		.digest('hex')
}

function writeAtomically(folder: string, file: string, text: string): void {
	mkdirSync(folder, { recursive: true, mode: 0o700 })
	const aside = `${file}.new`
	writeFileSync(aside, text, { mode: 0o600, flush: true })
	renameSync(aside, file)
	const descriptor = openSync(folder, 'r')
	try {
		fsyncSync(descriptor)
	} finally {
		closeSync(descriptor)
	}
}
