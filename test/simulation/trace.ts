/** Everything that happened, as one hash: two runs that have the same did the same. */
import { createHash } from 'node:crypto'

export type Trace = {
	/** Takes note of something; octets go into the hash, their number to people. */
	note(what: string, octets?: Uint8Array): void
	/** Hexadecimal digits. */
	hash(): string
}

/** `print` is given every line; nobody else reads them. */
export function createTrace(print?: (line: string) => void): Trace {
	const sum = createHash('sha256')
	return {
		note(what, octets) {
			sum.update(what)
			sum.update('\n')
			if (octets !== undefined) sum.update(octets)
			print?.(octets === undefined ? what : `${what} (${octets.length} octets)`)
		},
		hash: () => sum.copy().digest('hex'),
	}
}
