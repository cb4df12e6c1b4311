/**
 * What shell and relay say to each other over the Unix socket: one JSON object a line, a request
 * from the shell, then its reply. Both sides check what they read, and both bound its size. For as
 * long as a reply is being prepared the relay sends an empty line every second, its sign of life.
 */
import { relative, resolve } from 'node:path'
import * as t from 'io-ts'

/** Raised with every change that an older side would misunderstand. */
export const protocolVersion = 2
export const maximumRequestBytes = 16 * 1024
export const maximumReplyBytes = 16 * 2 ** 20
/** Milliseconds between signs of life. */
export const signMs = 1000

const hello = t.type({
	op: t.literal('hello'),
	protocol: t.number,
	/** Whether the session begins in User Exec or in Privileged Exec mode. */
	level: t.union([t.literal('user'), t.literal('privileged')]),
})
const lineRequest = t.type({
	op: t.union([t.literal('execute'), t.literal('help'), t.literal('complete')]),
	line: t.string,
})
/** Ctrl-Z. */
const endRequest = t.type({ op: t.literal('end') })
export const requestCodec = t.union([hello, lineRequest, endRequest])
export type Request = t.TypeOf<typeof requestCodec>

export const replyCodec = t.type({
	protocol: t.number,
	/** What the next command is typed behind. */
	prompt: t.string,
	/** False when the session has ended. */
	open: t.boolean,
	ok: t.boolean,
	/** `lines` begins with a `^` that stands below the prompt and the command. */
	marked: t.boolean,
	/** Output, or what Tab could complete to. */
	lines: t.array(t.string),
	/** Rows of a page, 0 for no paging, null for the terminal's own height. */
	pageLength: t.union([t.number, t.null]),
	/** The line after Tab. */
	completed: t.union([t.string, t.null]),
})
export type Reply = t.TypeOf<typeof replyCodec>

/** Its message is a sentence for the operator. */
export class ShellError extends Error {
	override readonly name = 'ShellError'
}

/** There is no relay to ask, or none that answers: the command may have been carried out or not. */
export class NoRelay extends ShellError {}

/**
 * The socket's path. It is the shorter of absolute and relative, because the system cuts a path
 * off at 107 octets without a word (sun_path in unix(7)).
 */
export function socketPath(dataFolder: string): string {
	const absolute = resolve(dataFolder, 'shell.sock')
	const fromHere = relative(process.cwd(), absolute)
	const path = fromHere.length < absolute.length ? fromHere : absolute
	const octets = Buffer.byteLength(path)
	if (octets <= 107) return path
	throw new ShellError(
		`The path ${absolute} has ${octets} octets; a Unix socket's has at most 107. Use a data folder with a shorter path.`,
	)
}

/** Takes a stream apart into lines; throws a ShellError where one is longer than allowed. */
export async function* linesOf(
	stream: AsyncIterable<Uint8Array | string>,
	maximumBytes: number,
): AsyncGenerator<string> {
	let pieces: Buffer[] = []
	let size = 0
	const take = (piece: Buffer) => {
		size += piece.length
		if (size > maximumBytes) {
			throw new ShellError(`A line has more than ${maximumBytes} octets; it was not read.`)
		}
		pieces.push(piece)
	}
	for await (const chunk of stream) {
		let rest = Buffer.from(chunk as Uint8Array)
		for (let end = rest.indexOf(10); end >= 0; end = rest.indexOf(10)) {
			take(rest.subarray(0, end))
			yield Buffer.concat(pieces).toString()
			pieces = []
			size = 0
			rest = rest.subarray(end + 1)
		}
		take(rest)
	}
	if (size > 0) yield Buffer.concat(pieces).toString()
}

/** A line as a value of the codec, or undefined where it is none. */
export function decode<T>(codec: t.Type<T, unknown>, line: string): T | undefined {
	let value: unknown
	try {
		value = JSON.parse(line)
	} catch {
		return undefined
	}
	return codec.is(value) ? value : undefined
}
