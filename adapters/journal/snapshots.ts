/**
 * Snapshots: one file a name, written aside and renamed, so that there is the old one or the new
 * one. A line of JSON says what it is; each line after it is a piece of the state, behind a checksum
 * over the piece and all that is before it; the last line says that nothing is missing. It is
 * written and read a piece at a time. Nothing about a snapshot is ever fatal: an unusable one is told
 * of and ignored, and the journal read instead.
 */
import { createHash } from 'node:crypto'
import {
	closeSync,
	existsSync,
	fsyncSync,
	mkdirSync,
	openSync,
	readSync,
	renameSync,
	rmSync,
	writeSync,
} from 'node:fs'
import { join } from 'node:path'
import * as t from 'io-ts'
import type { LoadedSnapshot, Snapshots } from '../../domain/journal.ts'
import { reason } from './failure.ts'

const header = t.type({
	format: t.literal(2),
	name: t.string,
	version: t.number,
	journal: t.string,
	position: t.number,
})
type Header = t.TypeOf<typeof header>

export type SnapshotSettings = {
	/** The data folder; the files are in its folder `snapshots`. */
	readonly folder: string
	readonly journalId: string
	/** Position of the journal's newest event: a snapshot cannot be of a later one. */
	readonly last: () => number
	readonly onWarning: (sentence: string) => void
}

/** What stands in the last line in the place of a piece; no JSON is that. */
const end = 'end'
const sumLength = 64
const blockOctets = 2 ** 20
/** A line longer than this is none of ours: V8 could not hold much more as one text. */
const lineOctetsMax = 2 ** 28

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
		save(name, version, position, pieces) {
			const file = snapshotFile(folder, name)
			try {
				const head: Header = { format: 2, name, version, journal: settings.journalId, position }
				writeAtomically(folder, file, linesOf(head, pieces))
			} catch (error) {
				settings.onWarning(
					`The snapshot ${file} could not be written: ${reason(error)}. The next start takes longer.`,
				)
			}
		},
	}

	function read(file: string, name: string, version: number): LoadedSnapshot {
		const lines = readLines(file)
		const first = lines.next()
		if (first.done === true) throw new Error('it is empty')
		try {
			const { position } = checkedHeader(first.value, name, version)
			return { position, pieces: readPieces(file, first.value, lines) }
		} catch (error) {
			lines.return()
			throw error
		}
	}

	function checkedHeader(line: string, name: string, version: number): Header {
		const head: unknown = JSON.parse(line)
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
		return head
	}
}

/** Names go into file names: the program's own, lower case and dashes. */
function snapshotFile(folder: string, name: string): string {
	if (!/^[a-z0-9][a-z0-9-]{0,63}$/.test(name)) {
		throw new Error(`A snapshot cannot be named ${JSON.stringify(name)}: use a-z, 0-9 and dashes.`)
	}
	return join(folder, `${name}.json`)
}

/** Each checksum covers the one before: a piece that is missing or elsewhere does not match. */
function checksum(before: string, text: string): string {
	return createHash('sha256').update(before).update(text).digest('hex')
}

function* linesOf(head: Header, pieces: Iterable<unknown>): Generator<string> {
	const first = JSON.stringify(head)
	let sum = checksum('', first)
	yield first
	for (const piece of pieces) {
		const text = JSON.stringify(piece)
		sum = checksum(sum, text)
		yield `${sum} ${text}`
	}
	yield `${checksum(sum, end)} ${end}`
}

/** Throws at the first piece that is not what was written. */
function* readPieces(file: string, first: string, lines: Iterable<string>): Generator<unknown> {
	let sum = checksum('', first)
	for (const line of lines) {
		const text = line.slice(sumLength + 1)
		sum = checksum(sum, text)
		if (line.slice(0, sumLength) !== sum) throw new Error(`a checksum in ${file} does not match.`)
		if (text === end) return
		yield JSON.parse(text)
	}
	throw new Error(`${file} is cut off.`)
}

function* readLines(file: string): Generator<string, void, void> {
	const descriptor = openSync(file, 'r')
	const block = Buffer.allocUnsafe(blockOctets)
	try {
		let parts: Buffer[] = []
		let octets = 0
		for (
			let length = readSync(descriptor, block);
			length > 0;
			length = readSync(descriptor, block)
		) {
			let from = 0
			for (let at = block.indexOf(10); at >= 0 && at < length; at = block.indexOf(10, from)) {
				yield Buffer.concat([...parts, block.subarray(from, at)]).toString('utf8')
				parts = []
				octets = 0
				from = at + 1
			}
			parts.push(Buffer.from(block.subarray(from, length)))
			octets += length - from
			if (octets > lineOctetsMax) throw new Error(`${file} has a line without an end.`)
		}
		if (octets > 0) yield Buffer.concat(parts).toString('utf8')
	} finally {
		closeSync(descriptor)
	}
}

function writeAtomically(folder: string, file: string, lines: Iterable<string>): void {
	mkdirSync(folder, { recursive: true, mode: 0o700 })
	const aside = `${file}.new`
	const descriptor = openSync(aside, 'w', 0o600)
	try {
		for (const line of lines) writeWhole(descriptor, Buffer.from(`${line}\n`))
		fsyncSync(descriptor)
	} catch (error) {
		rmSync(aside, { force: true })
		throw error
	} finally {
		closeSync(descriptor)
	}
	renameSync(aside, file)
	const folderDescriptor = openSync(folder, 'r')
	try {
		fsyncSync(folderDescriptor)
	} finally {
		closeSync(folderDescriptor)
	}
}

function writeWhole(descriptor: number, octets: Buffer): void {
	for (let at = 0; at < octets.length; ) at += writeSync(descriptor, octets, at)
}
