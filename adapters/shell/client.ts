/** The shell's end of the socket: connecting, asking, and `exec`. */
import { once } from 'node:events'
import { connect as netConnect, type Socket } from 'node:net'
import { isQuoteOpen } from '../../domain/junose/quotation.ts'
import {
	decode,
	linesOf,
	maximumReplyBytes,
	NoRelay,
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
	/** One at a time. Throws NoRelay when the relay goes away, or gives no sign of life. */
	request(request: Request): Promise<Reply>
	/** Resolves when the relay has closed the connection. */
	readonly closed: Promise<void>
	close(): void
}

export type ConnectOptions = {
	/** Milliseconds without a sign of life from the relay until it is given up; 15,000 unless told. */
	readonly silenceMs?: number
}

/** Connects to the relay of a data folder. Throws a ShellError with a sentence where it cannot. */
export async function connect(
	dataFolder: string,
	level: 'user' | 'privileged',
	options: ConnectOptions = {},
): Promise<Connection> {
	return greet(await reach(dataFolder), dataFolder, level, options)
}

async function reach(dataFolder: string): Promise<Socket> {
	const socket = netConnect(socketPath(dataFolder))
	await once(socket, 'connect').catch(error => {
		throw new NoRelay(connectSentence(error as NodeJS.ErrnoException, dataFolder))
	})
	return socket
}

async function greet(
	socket: Socket,
	dataFolder: string,
	level: 'user' | 'privileged',
	{ silenceMs = 15_000 }: ConnectOptions,
): Promise<Connection> {
	// A reset shows as the end of the replies; nobody needs to hear of it twice.
	socket.on('error', () => {})
	const closed = once(socket, 'close').then(() => {})
	let greeted = false
	const nextLine = readReplies(socket, silenceMs, () =>
		silenceSentence(dataFolder, silenceMs, greeted),
	)
	const request = async (next: Request) => {
		socket.write(`${JSON.stringify(next)}\n`)
		return readReply(await nextLine())
	}
	try {
		const greeting = await request({ op: 'hello', protocol: protocolVersion, level })
		if (!greeting.ok) throw new NoRelay(greeting.lines.join('\n').replace(/^% /, ''))
		greeted = true
		return { greeting, request, closed, close: () => socket.destroy() }
	} catch (error) {
		socket.destroy()
		throw error
	}
}

const goneSentence =
	'The relay closed the connection before it answered; see its log for the reason.'

/** What is wrong, and what it means for what was asked. */
function silenceSentence(dataFolder: string, silenceMs: number, greeted: boolean): string {
	const silent = `The relay in ${dataFolder} has given no sign of life for ${silenceMs / 1000} seconds: its process is stopped, or its machine stands still. Let it go on ("kill -CONT" with its process id) or restart it`
	if (!greeted) return `${silent}, then try again; no command has reached it.`
	return `${silent}; when it goes on it may still carry out what it was asked last, so look before you ask again.`
}

/** Reads all the time, so that a relay that goes away is noticed while nobody asks anything. */
function readReplies(
	socket: Socket,
	silenceMs: number,
	whySilent: () => string,
): () => Promise<string> {
	const waiting: PromiseWithResolvers<string>[] = []
	let ended: Error | undefined
	const end = (error: unknown) => {
		silence.stop()
		ended ??= new NoRelay(error instanceof ShellError ? error.message : goneSentence)
		for (const { reject } of waiting.splice(0)) reject(ended)
		socket.destroy()
	}
	const silence = listenForSilence(silenceMs, () => end(new NoRelay(whySilent())))
	const read = async () => {
		for await (const line of linesOf(heard(socket, silence.interrupt), maximumReplyBytes)) {
			// A sign of life.
			if (line === '') continue
			const first = waiting.shift()
			if (first === undefined) throw new ShellError('The relay answered what nobody had asked.')
			if (waiting.length === 0) silence.stop()
			first.resolve(line)
		}
	}
	read().then(end, end)
	return () => {
		if (ended !== undefined) return Promise.reject(ended)
		const next = Promise.withResolvers<string>()
		waiting.push(next)
		silence.start()
		return next.promise
	}
}

async function* heard(socket: Socket, tell: () => void): AsyncGenerator<Uint8Array> {
	for await (const chunk of socket) {
		tell()
		yield chunk
	}
}

/** In how many parts a silence is counted. */
const silentParts = 15

/**
 * Silence is counted in parts and not by the clock: a shell that was stopped itself (Ctrl-Z, a
 * machine that slept) counts one of them when it goes on, and reads what came meanwhile.
 */
function listenForSilence(
	silenceMs: number,
	onSilent: () => void,
): { readonly start: () => void; readonly interrupt: () => void; readonly stop: () => void } {
	let parts = 0
	let timer: NodeJS.Timeout | undefined
	const interrupt = () => {
		parts = 0
	}
	return {
		interrupt,
		start() {
			interrupt()
			timer ??= setInterval(() => {
				parts++
				if (parts >= silentParts) onSilent()
			}, silenceMs / silentParts)
		},
		stop() {
			clearInterval(timer)
			timer = undefined
		},
	}
}

function readReply(line: string): Reply {
	const version = versionOf(line)
	if (version !== undefined && version !== protocolVersion) {
		throw new NoRelay(versionSentence(version))
	}
	const reply = decode(replyCodec, line)
	if (reply !== undefined) return reply
	throw new NoRelay('What answers on the socket is no radledger relay; check the data folder.')
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
		case 'EAGAIN':
			return `The relay in ${dataFolder} takes no connection, because too many wait for it already: its process is stopped, or its machine stands still. Let it go on ("kill -CONT" with its process id) or restart it.`
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
	/** 0; 1 when a command failed with `%`; 2 when there is no relay to ask, or none that answers. */
	readonly exitCode: number
	/** Nobody listens there at all. */
	readonly absent?: true
}

/**
 * Executes commands in Privileged Exec mode, one after the other in the same session, up to the
 * first that fails. Several may stand in one text, a line each.
 */
export async function exec(
	dataFolder: string,
	commands: string | readonly string[],
	options: ConnectOptions = {},
): Promise<ExecResult> {
	const lines = (typeof commands === 'string' ? [commands] : commands).flatMap(c => c.split('\n'))
	const output: string[] = []
	const result = (exitCode: number) => ({ output: output.map(l => `${l}\n`).join(''), exitCode })
	let socket: Socket | undefined
	try {
		socket = await reach(dataFolder)
		const connection = await greet(socket, dataFolder, 'privileged', options)
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
		return socket === undefined ? { ...result(2), absent: true } : result(2)
	} finally {
		socket?.destroy()
	}
}
