/**
 * The relay's end of the shell: a Unix socket in the data folder that only its owner may use.
 * Every connection is a session of its own; their commands are executed one after the other, so
 * that two operators cannot undo each other's change by accident.
 */
import { once } from 'node:events'
import { lstat, unlink } from 'node:fs/promises'
import { createServer, connect as netConnect, type Server, type Socket } from 'node:net'
import { resolve } from 'node:path'
import type { Operator } from '../../domain/junose/operator.ts'
import {
	complete,
	execute,
	help,
	leaveConfiguration,
	newSession,
	prompt,
	type Session,
} from '../../domain/junose/session.ts'
import {
	decode,
	linesOf,
	maximumReplyBytes,
	maximumRequestBytes,
	protocolVersion,
	type Reply,
	type Request,
	requestCodec,
	ShellError,
	signMs,
	socketPath,
} from './protocol.ts'

export type ShellServer = { readonly path: string; close(): Promise<void> }

export type ShellServerOptions = {
	/** Connections at once; 32 unless told. */
	readonly maximumSessions?: number
	/** Milliseconds within which a connection must say hello; 10,000 unless told. */
	readonly helloTimeoutMs?: number
	/** Milliseconds between signs of life while a reply is prepared; 1000 unless told. */
	readonly signMs?: number
	/** Told of errors that are no operator's fault. */
	readonly onError?: (error: unknown) => void
}

/** Listens on `DIR/shell.sock`. Throws a ShellError with a sentence where it cannot. */
export async function serveShell(
	dataFolder: string,
	operator: Operator,
	options: ShellServerOptions = {},
): Promise<ShellServer> {
	const path = socketPath(dataFolder)
	await removeStaleSocket(path, dataFolder)
	const sockets = new Set<Socket>()
	const inTurn = queue()
	const server = createServer(socket => {
		sockets.add(socket)
		// Whoever reads or writes at that moment is told as well; here nobody needs to be.
		socket.on('error', () => {})
		socket.once('close', () => sockets.delete(socket))
		const full = sockets.size > (options.maximumSessions ?? 32)
		const served = full ? refuse(socket) : serve(socket, operator, inTurn, options)
		served.catch(error => {
			socket.destroy()
			if (!isHangup(error)) options.onError?.(error)
		})
	})
	await listen(server, path)
	server.on('error', error => options.onError?.(error))
	return { path, close: () => close(server, sockets) }
}

/** The socket has its mode from the moment it exists on: `listen` binds before it returns. */
async function listen(server: Server, path: string): Promise<void> {
	const before = process.umask(0o177)
	try {
		server.listen(path)
	} finally {
		process.umask(before)
	}
	await once(server, 'listening').catch(error => {
		throw new ShellError(`The shell cannot listen on ${resolve(path)}: ${error.message}.`)
	})
}

async function close(server: Server, sockets: ReadonlySet<Socket>): Promise<void> {
	const closed = once(server, 'close')
	server.close()
	for (const socket of sockets) socket.destroy()
	await closed
}

/** A killed relay leaves its socket behind: it is removed when nobody answers there. */
async function removeStaleSocket(path: string, dataFolder: string): Promise<void> {
	const found = await lstat(path).catch(() => undefined)
	if (found === undefined) return
	if (!found.isSocket()) {
		throw new ShellError(`${resolve(path)} is no socket; move it away, then start again.`)
	}
	const answer = await probe(path)
	if (answer === 'ECONNREFUSED') return await unlink(path)
	if (answer === 'ENOENT') return
	const why = answer === undefined ? 'another relay answers there' : `it cannot be tried: ${answer}`
	throw new ShellError(
		`${resolve(path)} is in use (${why}); stop that relay, or give this one a data folder other than ${dataFolder}.`,
	)
}

/** Undefined where somebody answers, otherwise the error's code. */
async function probe(path: string): Promise<string | undefined> {
	const socket = netConnect(path)
	try {
		await once(socket, 'connect')
		return undefined
	} catch (error) {
		return (error as NodeJS.ErrnoException).code ?? String(error)
	} finally {
		socket.destroy()
	}
}

type InTurn = <T>(task: () => Promise<T>) => Promise<T>

function queue(): InTurn {
	let last: Promise<unknown> = Promise.resolve()
	return task => {
		const result = last.then(task)
		last = result.catch(() => {})
		return result
	}
}

function isHangup(error: unknown): boolean {
	const code = (error as NodeJS.ErrnoException).code
	return code === 'ECONNRESET' || code === 'EPIPE' || code === 'ERR_STREAM_PREMATURE_CLOSE'
}

async function refuse(socket: Socket): Promise<void> {
	hangUp(socket, farewell('Too many shells are open; close one of them first.'))
}

/** Says a last word and closes, at the latest after a second. */
function hangUp(socket: Socket, reply?: Reply): void {
	if (reply !== undefined) socket.write(frame(reply))
	socket.end()
	socket.resume()
	const timer = setTimeout(() => socket.destroy(), 1000)
	socket.once('close', () => clearTimeout(timer))
}

async function serve(
	socket: Socket,
	operator: Operator,
	inTurn: InTurn,
	options: ShellServerOptions,
): Promise<void> {
	const timer = setTimeout(() => socket.destroy(), options.helloTimeoutMs ?? 10_000)
	socket.once('close', () => clearTimeout(timer))
	let session: Session | undefined
	try {
		// The socket outlives the loop: the last reply still has to leave.
		const chunks = socket.iterator({ destroyOnReturn: false })
		for await (const line of linesOf(chunks, maximumRequestBytes)) {
			const request = decode(requestCodec, line)
			const fault = requestFault(request, session)
			if (request === undefined || fault !== undefined) return hangUp(socket, farewell(fault ?? ''))
			clearTimeout(timer)
			const before: Session | undefined = session
			const answered: Answer = await aliveUntil(
				inTurn(() => answer(before, request, operator, options)),
				socket,
				options.signMs ?? signMs,
			)
			session = answered.session
			if (!socket.write(frame(answered.reply))) await drained(socket)
			if (!session.open) break
		}
		hangUp(socket)
	} catch (error) {
		if (!(error instanceof ShellError)) throw error
		hangUp(socket, farewell(error.message))
	}
}

/** Signs of life until the reply is there: a shell that hears nothing takes the relay for frozen. */
async function aliveUntil<T>(reply: Promise<T>, socket: Socket, everyMs: number): Promise<T> {
	const timer = setInterval(() => {
		// Who does not read needs no more of them.
		if (!socket.writableNeedDrain) socket.write('\n')
	}, everyMs)
	try {
		return await reply
	} finally {
		clearInterval(timer)
	}
}

function requestFault(
	request: Request | undefined,
	session: Session | undefined,
): string | undefined {
	// The first request says hello, and no other does.
	if (request === undefined || (session === undefined) !== (request.op === 'hello')) {
		return 'The shell sent a request that cannot be read.'
	}
	if (request.op === 'hello' && request.protocol !== protocolVersion) {
		return 'The shell is of another release than the relay.'
	}
	return undefined
}

/** Until a slow reader has caught up, or is gone. */
async function drained(socket: Socket): Promise<void> {
	await new Promise<void>(resolve => {
		socket.once('drain', resolve)
		socket.once('close', resolve)
	})
}

type Answer = { readonly session: Session; readonly reply: Reply }

async function answer(
	before: Session | undefined,
	request: Request,
	operator: Operator,
	options: ShellServerOptions,
): Promise<Answer> {
	const session = before ?? newSession(request.op === 'hello' ? request.level : 'user')
	try {
		return await carryOut(session, request, operator)
	} catch (error) {
		options.onError?.(error)
		const why = error instanceof Error ? error.message : String(error)
		const lines = [`% The relay failed to carry the command out: ${why}`]
		return { session, reply: { ...plainReply(session, operator), ok: false, lines } }
	}
}

async function carryOut(session: Session, request: Request, operator: Operator): Promise<Answer> {
	const same = (reply: Partial<Reply>) => ({
		session,
		reply: { ...plainReply(session, operator), ...reply },
	})
	switch (request.op) {
		case 'hello':
			return same({})
		case 'help':
			return same({ lines: [...help(session, request.line, operator.configuration())] })
		case 'complete': {
			const { line, candidates } = complete(session, request.line, operator.configuration())
			return same({ completed: line, lines: [...candidates] })
		}
		case 'end': {
			const next = leaveConfiguration(session)
			return { session: next, reply: plainReply(next, operator) }
		}
		case 'execute': {
			const { session: next, ok, marked, lines } = await execute(session, request.line, operator)
			return {
				session: next,
				reply: { ...plainReply(next, operator), ok, marked, lines: [...lines] },
			}
		}
		default:
			return request satisfies never
	}
}

function plainReply(session: Session, operator: Operator): Reply {
	return {
		protocol: protocolVersion,
		prompt: prompt(session, operator.configuration()),
		open: session.open,
		ok: true,
		marked: false,
		lines: [],
		pageLength: session.pageLength ?? null,
		completed: null,
	}
}

/** The last reply on a connection, whatever the shell's version. */
function farewell(why: string): Reply {
	return {
		protocol: protocolVersion,
		prompt: '',
		open: false,
		ok: false,
		marked: false,
		lines: [`% ${why}`],
		pageLength: null,
		completed: null,
	}
}

function frame(reply: Reply): string {
	const text = `${JSON.stringify(reply)}\n`
	if (Buffer.byteLength(text) <= maximumReplyBytes) return text
	const why = '% The output is too long for a shell; narrow it down with a filter.'
	return `${JSON.stringify({ ...reply, ok: false, marked: false, lines: [why] })}\n`
}
