/** The shell's end of the socket: connecting, asking, and `exec`. */
import { once } from 'node:events'
import { connect as netConnect, type Socket } from 'node:net'
import { isQuoteOpen } from '../../domain/junose/quotation.ts'
import {
	decode,
	linesOf,
	maximumReplyBytes,
	protocolVersion,
	type Reply,
	type Request,
	replyCodec,
	ShellError,
	socketPath,
} from './protocol.ts'

export type Connection = {
	/** The first prompt and what comes with it. */
	readonly greeting: Reply
	/** One at a time. Throws a ShellError when the relay goes away. */
	request(request: Request): Promise<Reply>
	/** Resolves when the relay has closed the connection. */
	readonly closed: Promise<void>
	close(): void
}

/** Connects to the relay of a data folder. Throws a ShellError with a sentence where it cannot. */
export async function connect(
	dataFolder: string,
	level: 'user' | 'privileged',
): Promise<Connection> {
	const socket = netConnect(socketPath(dataFolder))
	await once(socket, 'connect').catch(error => {
		throw new ShellError(connectSentence(error as NodeJS.ErrnoException, dataFolder))
	})
	// A reset shows as the end of the replies; nobody needs to hear of it twice.
	socket.on('error', () => {})
	const closed = once(socket, 'close').then(() => {})
	const nextLine = readReplies(socket)
	const request = async (next: Request) => {
		socket.write(`${JSON.stringify(next)}\n`)
		return readReply(await nextLine())
	}
	try {
		const greeting = await request({ op: 'hello', protocol: protocolVersion, level })
		if (!greeting.ok) throw new ShellError(greeting.lines.join('\n').replace(/^% /, ''))
		return { greeting, request, closed, close: () => socket.destroy() }
	} catch (error) {
		socket.destroy()
		throw error
	}
}

const goneSentence =
	'The relay closed the connection before it answered; see its log for the reason.'

/** Reads all the time, so that a relay that goes away is noticed while nobody asks anything. */
function readReplies(socket: Socket): () => Promise<string> {
	const waiting: PromiseWithResolvers<string>[] = []
	let ended: Error | undefined
	const read = async () => {
		for await (const line of linesOf(socket, maximumReplyBytes)) {
			const first = waiting.shift()
			if (first === undefined) throw new ShellError('The relay answered what nobody had asked.')
			first.resolve(line)
		}
	}
	const end = (error: unknown) => {
		ended = error instanceof ShellError ? error : new ShellError(goneSentence)
		for (const { reject } of waiting.splice(0)) reject(ended)
		socket.destroy()
	}
	read().then(end, end)
	return () => {
		if (ended !== undefined) return Promise.reject(ended)
		const next = Promise.withResolvers<string>()
		waiting.push(next)
		return next.promise
	}
}

function readReply(line: string): Reply {
	const version = versionOf(line)
	if (version !== undefined && version !== protocolVersion) {
		throw new ShellError(versionSentence(version))
	}
	const reply = decode(replyCodec, line)
	if (reply !== undefined) return reply
	throw new ShellError('What answers on the socket is no radledger relay; check the data folder.')
}

function versionOf(line: string): number | undefined {
	try {
		const value: unknown = JSON.parse(line)
		if (typeof value !== 'object' || value === null || !('protocol' in value)) return undefined
		return typeof value.protocol === 'number' ? value.protocol : undefined
	} catch {
		return undefined
	}
}

function versionSentence(version: number): string {
	return `The relay speaks version ${version} of the shell's protocol and this shell version ${protocolVersion}; use the shell of the release that the relay runs, or restart the relay with this one.`
}

function connectSentence(error: NodeJS.ErrnoException, dataFolder: string): string {
	switch (error.code) {
		case 'ENOENT':
		case 'ENOTDIR':
			return `No relay is running in ${dataFolder}; start one there, or name the data folder of the one that you mean.`
		case 'ECONNREFUSED':
			return `No relay is running in ${dataFolder}: one has left its socket behind, and nobody answers. Start the relay anew.`
		case 'EACCES':
		case 'EPERM':
			return `You may not use the relay in ${dataFolder}; only the user that runs it may. Become that user.`
		default:
			return `The relay in ${dataFolder} cannot be reached: ${error.message}.`
	}
}

/** Executes a line that came without a terminal. A `?` that stands alone at its end asks for help. */
export async function send(connection: Connection, line: string): Promise<Reply> {
	const typed = line.replace(/\r$/, '')
	const asked = /^(?:(.*[ \t])?)\?[ \t]*$/.exec(typed)
	if (asked === null || isQuoteOpen(asked[1] ?? '')) {
		return await connection.request({ op: 'execute', line: typed })
	}
	return await connection.request({ op: 'help', line: asked[1] ?? '' })
}

export type ExecResult = {
	readonly output: string
	/** 0; 1 when a command failed with `%`; 2 when there is no relay to ask. */
	readonly exitCode: number
}

/**
 * Executes commands in Privileged Exec mode, one after the other in the same session, up to the
 * first that fails. Several may stand in one text, a line each.
 */
export async function exec(
	dataFolder: string,
	commands: string | readonly string[],
): Promise<ExecResult> {
	const lines = (typeof commands === 'string' ? [commands] : commands).flatMap(c => c.split('\n'))
	const output: string[] = []
	const result = (exitCode: number) => ({ output: output.map(l => `${l}\n`).join(''), exitCode })
	let connection: Connection | undefined
	try {
		connection = await connect(dataFolder, 'privileged')
		let { prompt, open } = connection.greeting
		for (const line of lines) {
			if (!open) break
			const reply = await send(connection, line)
			// The mark stands below the command, and of several the one that failed must be known.
			if (reply.marked || (!reply.ok && lines.length > 1)) output.push(prompt + line)
			output.push(...reply.lines)
			if (!reply.ok) return result(1)
			;({ prompt, open } = reply)
		}
		return result(0)
	} catch (error) {
		if (!(error instanceof ShellError)) throw error
		output.push(error.message)
		return result(2)
	} finally {
		connection?.close()
	}
}
