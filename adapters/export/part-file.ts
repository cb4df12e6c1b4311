/**
 * A file that is only there when it is whole. It grows as FILE.part; FILE.part.state says up to which
 * octet that is on disk and what comes next, so that a later process goes on exactly there.
 */
import {
	closeSync,
	existsSync,
	fdatasyncSync,
	fstatSync,
	fsyncSync,
	ftruncateSync,
	openSync,
	readFileSync,
	renameSync,
	rmSync,
	writeFileSync,
	writeSync,
} from 'node:fs'
import { dirname } from 'node:path'

export type PartFile = {
	/** What `save` was given last; undefined: the file begins. */
	readonly resumed: string | undefined
	write(bytes: Uint8Array): void
	/** Octets written so far. */
	size(): number
	/** Makes everything written durable, together with `state`. */
	save(state: string): void
	/** The file is whole and gets its name. */
	finish(): void
	/** Ends without finishing: another process may go on. */
	close(): void
}

type Saved = { readonly size: number; readonly state: string }

/** Opens FILE.part, at the place that was saved last. Throws a sentence where FILE is there already. */
export function openPartFile(file: string): PartFile {
	const part = `${file}.part`
	const stateFile = `${part}.state`
	if (existsSync(file)) {
		throw new Error(`${file} is there already: name another file, or delete it first.`)
	}
	const descriptor = openSync(part, existsSync(part) ? 'r+' : 'wx+', 0o600)
	const saved = readSaved(stateFile, fstatSync(descriptor).size)
	let size = saved?.size ?? 0
	ftruncateSync(descriptor, size)

	return {
		resumed: saved?.state,
		write(bytes) {
			for (let at = 0; at < bytes.length; ) {
				at += writeSync(descriptor, bytes, at, bytes.length - at, size + at)
			}
			size += bytes.length
		},
		size: () => size,
		save(state) {
			fdatasyncSync(descriptor)
			const text = JSON.stringify({ size, state } satisfies Saved)
			writeFileSync(`${stateFile}.new`, text, { mode: 0o600, flush: true })
			renameSync(`${stateFile}.new`, stateFile)
		},
		finish() {
			fsyncSync(descriptor)
			closeSync(descriptor)
			// The state first: a part without one begins anew, but a state must not outlive its part.
			rmSync(stateFile, { force: true })
			renameSync(part, file)
			syncFolder(dirname(file))
		},
		close: () => closeSync(descriptor),
	}
}

function readSaved(stateFile: string, sizeOnDisk: number): Saved | undefined {
	if (!existsSync(stateFile)) return undefined
	const saved = JSON.parse(readFileSync(stateFile, 'utf8')) as Saved
	return saved.size <= sizeOnDisk ? saved : undefined
}

function syncFolder(folder: string): void {
	const descriptor = openSync(folder, 'r')
	try {
		fsyncSync(descriptor)
	} finally {
		closeSync(descriptor)
	}
}
