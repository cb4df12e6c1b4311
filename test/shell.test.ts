import { once } from 'node:events'
import { chmodSync, mkdtempSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer, connect as netConnect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { stripVTControlCharacters } from 'node:util'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { connect, exec } from '../adapters/shell/client.ts'
import { linesOf, ShellError } from '../adapters/shell/protocol.ts'
import { type ShellServer, type ShellServerOptions, serveShell } from '../adapters/shell/server.ts'
import { interactive, type Output } from '../adapters/shell/terminal.ts'
import { type FakeOperator, fakeOperator } from './fake-operator.ts'

type Fixture = { folder: string; operator: FakeOperator; server: ShellServer; errors: unknown[] }

const shell = suite<Fixture>('shell')

/** A test at whose end the relay has met no error that was not provoked. */
function test(name: string, body: (context: Fixture) => Promise<void>): void {
	shell(name, async context => {
		await body(context)
		assert.equal(context.errors, [])
	})
}

async function start(context: Fixture, options: ShellServerOptions = {}): Promise<void> {
	const onError = (error: unknown) => context.errors.push(error)
	context.server = await serveShell(context.folder, context.operator, { onError, ...options })
}

shell.before.each(async context => {
	context.folder = mkdtempSync(join(tmpdir(), 'radledger-shell-'))
	context.operator = fakeOperator()
	context.errors = []
	await start(context)
})
shell.after.each(async context => {
	await context.server.close()
	rmSync(context.folder, { recursive: true })
})

async function sentence(promise: Promise<unknown>): Promise<string> {
	try {
		await promise
	} catch (error) {
		assert.instance(error, ShellError)
		return (error as Error).message
	}
	return ''
}

// ---- exec ----

test('exec prints what a command prints, filtered', async ({ folder, operator }) => {
	operator.output = ['Access Requests 10', 'Access Accepts 9']
	assert.equal(await exec(folder, 'show radius relay statistics delta | include Accepts'), {
		output: 'Access Accepts 9\n',
		exitCode: 0,
	})
})

test('exec keeps mode and virtual router from command to command', async ({ folder, operator }) => {
	const commands = ['conf t', 'radius relay auth server\nkey 10.0.0.0 255.0.0.0 "a b"', 'end']
	assert.equal(await exec(folder, commands), { output: '', exitCode: 0 })
	assert.is(operator.changes.length, 2)
})

test('exec ends with 1 at the first % error, and shows what the mark points at', async ({
	folder,
	operator,
}) => {
	assert.equal(await exec(folder, ['conf t', 'radius rely', 'hostname x']), {
		output: `radledger(config)#radius rely
                         ^
% Invalid input detected at '^' marker.
`,
		exitCode: 1,
	})
	assert.is(operator.changes.length, 0)
	operator.refusal = 'No.'
	assert.equal(await exec(folder, 'baseline radius'), { output: '% No.\n', exitCode: 1 })
	// Of several commands it must be plain which one failed.
	assert.equal(await exec(folder, ['conf t', 'radius authentication server']), {
		output: 'radledger(config)#radius authentication server\n% Incomplete command.\n',
		exitCode: 1,
	})
})

test('exec answers a question mark that stands alone', async ({ folder }) => {
	const { output } = await exec(folder, 'show radius relay statistics ?')
	assert.match(output, 'delta     Count from the baseline on\n')
})

test('a relay that fails at a command says so and goes on', async context => {
	context.operator.show = () => Promise.reject(new Error('The journal is closed.'))
	const { output, exitCode } = await exec(context.folder, 'show version')
	assert.is(output, '% The relay failed to carry the command out: The journal is closed.\n')
	assert.is(exitCode, 1)
	assert.is(context.errors.splice(0).length, 1)
	assert.is((await exec(context.folder, 'show radius relay servers')).exitCode, 0)
})

test('commands of several shells are executed one after the other', async ({
	folder,
	operator,
}) => {
	let inside = 0
	const { configure } = operator
	operator.configure = async (next, change) => {
		assert.is(++inside, 1)
		for (let turn = 0; turn < 50; turn++) await new Promise(setImmediate)
		inside--
		return configure.call(operator, next, change)
	}
	const servers = Array.from({ length: 8 }, (_, i) => `radius accounting server 10.0.0.${i + 1}`)
	const results = await Promise.all(servers.map(line => exec(folder, ['conf t', line])))
	assert.equal([...new Set(results.map(({ exitCode }) => exitCode))], [0])
	assert.is(operator.configuration().virtualRouters[0]?.upstream.accounting.length, 8)
})

// ---- The socket ----

test('the socket is for its owner alone, from the start and with any umask', async ({ server }) => {
	assert.is(statSync(server.path).mode & 0o777, 0o600)
})

test('listening leaves the umask of the process as it was', async context => {
	const before = process.umask(0o022)
	await context.server.close()
	await start(context)
	assert.is(process.umask(before), 0o022)
})

test('a socket that nobody answers on is replaced; one that somebody answers on is not', async context => {
	const { folder, operator } = context
	const why = await sentence(serveShell(folder, operator))
	assert.match(why, 'another relay answers there')
	assert.is((await exec(folder, 'show radius relay servers')).exitCode, 0)
	await context.server.close()
	// What a killed relay leaves behind: a bound socket whose owner is gone.
	const path = join(folder, 'shell.sock')
	const dead = createServer().listen(join(folder, 'other'))
	await once(dead, 'listening')
	renameSync(join(folder, 'other'), path)
	dead.close()
	await once(dead, 'close')
	assert.ok(statSync(path).isSocket())
	assert.match((await exec(folder, 'show version')).output, 'nobody answers')
	await start(context)
	assert.is((await exec(folder, 'show radius relay servers')).exitCode, 0)
})

test('what is no socket is left alone', async context => {
	await context.server.close()
	const path = join(context.folder, 'shell.sock')
	writeFileSync(path, 'precious')
	assert.match(await sentence(serveShell(context.folder, context.operator)), 'is no socket')
	rmSync(path)
	await start(context)
})

test('a path that the system would cut off is refused', async ({ operator }) => {
	const long = `/tmp/${'x'.repeat(120)}`
	assert.match(await sentence(serveShell(long, operator)), 'at most 107')
	assert.match((await exec(long, 'show version')).output, 'at most 107')
})

test('no relay, no folder and no permission are told apart', async context => {
	const { folder } = context
	assert.match((await exec(join(folder, 'none'), 'show version')).output, 'No relay is running in')
	if (process.getuid?.() !== 0) {
		chmodSync(context.server.path, 0)
		assert.match((await exec(folder, 'show version')).output, 'You may not use')
	}
	await context.server.close()
	assert.is((await exec(folder, 'show version')).exitCode, 2)
	await start(context)
})

/** Sends raw octets and gives back all that the relay says until it hangs up. */
async function raw(path: string, ...chunks: (string | Buffer)[]): Promise<string> {
	const socket = netConnect(path)
	socket.on('error', () => {})
	let said = ''
	socket.on('data', data => {
		said += data
	})
	for (const chunk of chunks) socket.write(chunk)
	await once(socket, 'close')
	return said
}

const hello = '{"op":"hello","protocol":2,"level":"user"}\n'

test('requests that cannot be read end the session, not the relay', async ({ folder, server }) => {
	for (const chunk of [
		...['nonsense\n', '{}\n', '[]\n', '{"op":"execute","line":"enable"}\n', '\xff\xfe\n'],
		...[`${hello}${hello}`, `${hello}{"op":"execute"}\n`, `${hello}{"op":"execute","line":1}\n`],
	]) {
		assert.match(await raw(server.path, chunk), 'cannot be read', chunk)
	}
	assert.is((await exec(folder, 'show radius relay servers')).exitCode, 0)
})

test('a request without end is cut off', async ({ server }) => {
	const said = await raw(server.path, hello, 'x'.repeat(20_000))
	assert.match(said, 'more than 16384 octets')
})

test('a request in many pieces is read as one', async ({ server }) => {
	const socket = netConnect(server.path)
	for (const character of hello) socket.write(character)
	const [said] = (await once(socket, 'data')) as [Buffer]
	assert.match(said.toString(), '"prompt":"radledger>"')
	socket.destroy()
})

test('a connection that never says hello is closed', async context => {
	await context.server.close()
	await start(context, { helloTimeoutMs: 20 })
	assert.is(await raw(context.server.path), '')
})

test('more sessions than allowed are turned away', async context => {
	await context.server.close()
	await start(context, { maximumSessions: 2 })
	const open = [await connect(context.folder, 'user'), await connect(context.folder, 'user')]
	assert.equal(await exec(context.folder, 'show version'), {
		output: 'Too many shells are open; close one of them first.\n',
		exitCode: 2,
	})
	for (const connection of open) {
		connection.close()
		await connection.closed
	}
	let result = await exec(context.folder, 'show version')
	while (result.exitCode === 2) result = await exec(context.folder, 'show version')
	assert.is(result.exitCode, 0)
})

test('versions that do not match are told on both sides', async ({ folder, server }) => {
	const said = await raw(server.path, '{"op":"hello","protocol":7,"level":"user"}\n')
	assert.match(said, 'another release')
	await server.close()
	const other = createServer((socket: Socket) => socket.end('{"protocol":7,"new":true}\n'))
	other.listen(join(folder, 'shell.sock'))
	await once(other, 'listening')
	assert.match((await exec(folder, 'show version')).output, /version 7 .* this shell version 2/)
	other.close()
})

test('output without measure is refused, not sent', async ({ folder, operator }) => {
	operator.output = Array.from({ length: 17 }, () => 'x'.repeat(2 ** 20))
	const { output, exitCode } = await exec(folder, 'show version')
	assert.is(output, '% The output is too long for a shell; narrow it down with a filter.\n')
	assert.is(exitCode, 1)
	assert.is((await exec(folder, 'show version | exclude x')).exitCode, 0)
})

// ---- Signs of life ----

test('while a command runs, and while it waits for another, the relay gives signs of life', async context => {
	await context.server.close()
	await start(context, { signMs: 1 })
	const { promise: goOn, resolve } = Promise.withResolvers<void>()
	context.operator.show = () => goOn.then(() => ['done'])
	const shells = ['running', 'waiting'].map(() => {
		const socket = netConnect(context.server.path)
		socket.write(`${hello}{"op":"execute","line":"show version"}\n`)
		return { socket, lines: linesOf(socket, 1000) }
	})
	const impatience = setTimeout(() => {
		for (const { socket } of shells) socket.destroy()
	}, 5000)
	const next = async (lines: AsyncGenerator<string>) => {
		const { done, value } = await lines.next()
		if (done) throw new Error('No sign of life came.')
		return value
	}
	for (const { lines } of shells) {
		for (let signs = 0; signs < 3; ) if ((await next(lines)) === '') signs++
	}
	resolve()
	for (const { socket, lines } of shells) {
		let line = await next(lines)
		while (!line.includes('"done"')) line = await next(lines)
		socket.destroy()
	}
	clearTimeout(impatience)
})

test('a command takes as long as it takes while the relay gives signs of life', async context => {
	await context.server.close()
	await start(context, { signMs: 5 })
	const silenceMs = 75
	context.operator.show = async () => {
		const end = performance.now() + 4 * silenceMs
		while (performance.now() < end) await new Promise(resolve => setTimeout(resolve, 5))
		return ['done']
	}
	assert.equal(await exec(context.folder, 'show version', { silenceMs }), {
		output: 'done\n',
		exitCode: 0,
	})
})

/** Speaks for a relay: the greeting, then what `answer` does about a command. */
async function pretend(
	{ folder, server, operator }: Fixture,
	answer: (socket: Socket, reply: string) => void,
): Promise<{ close(): Promise<void> }> {
	const greeting = (await raw(server.path, `${hello}{"op":"execute","line":"exit"}\n`)).split('\n')
	await server.close()
	const open = new Set<Socket>()
	const relay = createServer(async socket => {
		open.add(socket)
		const lines = linesOf(socket, 1000)
		await lines.next()
		socket.write(`${greeting[0]}\n`)
		await lines.next()
		answer(socket, JSON.stringify({ ...JSON.parse(greeting[0]!), lines: operator.output }))
	})
	relay.listen(join(folder, 'shell.sock'))
	await once(relay, 'listening')
	return {
		async close() {
			for (const socket of open) socket.destroy()
			relay.close()
			await once(relay, 'close')
		},
	}
}

test('a relay that falls silent in a command is given up, and the shell says what that means', async context => {
	const { folder } = context
	const relay = await pretend(context, () => {})
	const { output, exitCode, absent } = await exec(folder, 'show version', { silenceMs: 15 })
	assert.is(exitCode, 2)
	assert.is(absent, undefined)
	assert.is(
		output,
		`The relay in ${folder} has given no sign of life for 0.015 seconds: its process is stopped, or its machine stands still. Let it go on ("kill -CONT" with its process id) or restart it; when it goes on it may still carry out what it was asked last, so look before you ask again.\n`,
	)
	const input = new PassThrough()
	const screen = new PassThrough()
	input.write('enable\n')
	assert.is(await interactive(folder, input, screen, { silenceMs: 15 }), 2)
	assert.match(screen.read().toString(), 'no sign of life')
	await relay.close()
	await start(context)
})

test('a shell that was stopped itself hears what came meanwhile before it judges', async context => {
	const { folder, operator } = context
	operator.output = ['done']
	const silenceMs = 60
	const relay = await pretend(context, (socket, reply) => {
		socket.write(`${reply}\n`)
		// As if the shell's process were stopped now: three times as long as it has patience.
		Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 3 * silenceMs)
	})
	assert.equal(await exec(folder, 'show version', { silenceMs }), { output: 'done\n', exitCode: 0 })
	await relay.close()
	await start(context)
})

test('a shell that nobody types in does not wait for anything', async ({ folder }) => {
	const connection = await connect(folder, 'user', { silenceMs: 1 })
	for (let turn = 0; turn < 50; turn++) await new Promise(resolve => setTimeout(resolve, 1))
	assert.ok((await connection.request({ op: 'execute', line: 'enable' })).ok)
	connection.close()
})

// ---- The interactive shell ----

type Terminal = {
	type(text: string): void
	/** Waits until the screen shows a text behind what was awaited before. */
	shows(text: string): Promise<void>
	/** Everything printed so far, without control sequences. */
	screen(): string
	readonly exit: Promise<number>
}

function openTerminal(folder: string, size: { rows?: number; columns?: number } = {}): Terminal {
	const input = new PassThrough()
	const output: PassThrough & Output = Object.assign(
		new PassThrough(),
		{ rows: 24, columns: 80 },
		size,
	)
	let printed = ''
	let seen = 0
	let wake = () => {}
	output.on('data', data => {
		printed += data
		wake()
	})
	const exit = interactive(folder, input, output, { terminal: true })
	return {
		type: text => void input.write(text),
		screen: () => stripVTControlCharacters(printed),
		exit,
		async shows(text) {
			for (;;) {
				const at = stripVTControlCharacters(printed).indexOf(text, seen)
				if (at >= 0) {
					seen = at + text.length
					return
				}
				await new Promise<void>((resolve, reject) => {
					const give = () => reject(new Error(`"${text}" was not shown:\n${printed}`))
					const timer = setTimeout(give, 5000)
					wake = () => {
						clearTimeout(timer)
						resolve()
					}
				})
			}
		},
	}
}

async function quit(terminal: Terminal): Promise<void> {
	terminal.type('\x03\x1a')
	await terminal.shows('^Z')
	terminal.type('exit\r')
	assert.is(await terminal.exit, 0)
}

test('a command is typed, executed and shown', async ({ folder }) => {
	const terminal = openTerminal(folder)
	await terminal.shows('radledger>')
	terminal.type('enable\r')
	await terminal.shows('radledger#')
	terminal.type('show radius relay servers\r')
	await terminal.shows('No RADIUS relay server is configured.')
	await terminal.shows('radledger#')
	await quit(terminal)
})

test('a question mark acts at once and leaves the line as it is', async ({ folder }) => {
	const terminal = openTerminal(folder)
	terminal.type('enable\rshow ra?')
	await terminal.shows(
		'show ra?\r\nradius   RADIUS servers and the RADIUS relay\r\nradledger#show ra',
	)
	terminal.type('dius relay ?')
	await terminal.shows('udp-checksum')
	await terminal.shows('radledger#show radius relay ')
	await quit(terminal)
})

test('within quotes, after Ctrl-V and in a paste, a question mark is text', async ({
	folder,
	operator,
}) => {
	const terminal = openTerminal(folder)
	terminal.type('enable\rconf t\rradius relay auth server\r')
	terminal.type('key 10.0.0.0 255.0.0.0 "a?b"\r')
	terminal.type('key 11.0.0.0 255.0.0.0 a\x16?b\r')
	terminal.type('\x1b[200~key 12.0.0.0 255.0.0.0 a?b\r\x1b[201~')
	terminal.type('end\rshow version\r')
	await terminal.shows('radledger#show version')
	await quit(terminal)
	const clients = operator.configuration().virtualRouters[0]?.relay.authentication?.clients
	assert.equal(
		clients?.map(c => c.secret),
		['a?b', 'a?b', 'a?b'],
	)
})

test('Tab completes, and lists when there is a choice', async ({ folder }) => {
	const terminal = openTerminal(folder)
	terminal.type('ena\t\r')
	await terminal.shows('radledger#')
	terminal.type('sh\tra\t')
	await terminal.shows('show radius ')
	terminal.type('relay s\t')
	await terminal.shows('servers     statistics\r\nradledger#show radius relay s')
	await quit(terminal)
})

test('a line is edited in the middle, and taken from the history', async ({ folder, operator }) => {
	const terminal = openTerminal(folder)
	terminal.type('enable\rconf t\r')
	terminal.type('hxst\x1b[D\x1b[D\x7fo\x05name  first\x17second\r')
	await terminal.shows('second(config)#')
	terminal.type('\x1b[A\x1b[D\x1b[D\x1b[Dxx\r')
	await terminal.shows('secxxond(config)#')
	terminal.type('garbage\x15\x10\x10\x01\x0b\x0e\x0e\r')
	terminal.type('\x1b[A\x1b[A\x1b[B\r')
	await quit(terminal)
	assert.equal(
		operator.changes.map(change => change.command),
		['hostname second', 'hostname secxxond'],
	)
})

test('Ctrl-C gives a line up, Ctrl-Z leaves configuration, Ctrl-D ends', async ({ folder }) => {
	const terminal = openTerminal(folder)
	terminal.type('enable\rconf t\rhostname x\x03')
	await terminal.shows('hostname x^C\r\nradledger(config)#')
	terminal.type('hostname y\x1a')
	await terminal.shows('hostname y^Z\r\nradledger#')
	terminal.type('\x04')
	assert.is(await terminal.exit, 0)
})

test('output is paged by the height of the terminal', async ({ folder, operator }) => {
	operator.output = Array.from({ length: 20 }, (_, i) => `line ${i + 1}.`)
	const terminal = openTerminal(folder, { rows: 6 })
	terminal.type('show version\r')
	await terminal.shows('line 5.\r\n--More--')
	terminal.type('\r')
	await terminal.shows('line 6.\r\n--More--')
	terminal.type('x ')
	await terminal.shows('line 11.\r\n--More--')
	terminal.type('q')
	await terminal.shows('radledger>')
	assert.not.match(terminal.screen(), 'line 12.')
	terminal.type('terminal length 0\rshow version\r')
	await terminal.shows('line 20.\r\nradledger>')
	terminal.type('terminal length 10\rshow version\r')
	await terminal.shows('line 9.\r\n--More--')
	terminal.type('q')
	await quit(terminal)
})

test('a terminal that does not know its size, as a serial line, is taken for 24 rows of 80', async ({
	folder,
	operator,
}) => {
	operator.output = Array.from({ length: 30 }, (_, i) => `line ${i + 1}.`)
	const terminal = openTerminal(folder, { rows: 0, columns: 0 })
	terminal.type('show versiom\x7fn\r')
	await terminal.shows('line 23.\r\n--More--')
	terminal.type('q')
	await quit(terminal)
	assert.not.match(terminal.screen(), 'Infinity')
})

test('lines longer than the terminal is wide take several rows of a page', async ({
	folder,
	operator,
}) => {
	operator.output = Array.from({ length: 6 }, (_, i) => `${i}${'x'.repeat(24)}.`)
	const terminal = openTerminal(folder, { rows: 6, columns: 20 })
	terminal.type('show version\r')
	await terminal.shows('1xxxxxxxxxxxxxxxxxxxxxxxx.\r\n--More--')
	terminal.type('q')
	await quit(terminal)
})

test('a line longer than the terminal is wide can be typed and edited', async ({
	folder,
	operator,
}) => {
	const terminal = openTerminal(folder, { columns: 20 })
	terminal.type(`enable\rconf t\rhostname ${'a'.repeat(40)}`)
	terminal.type(`\x01${'\x1b[C'.repeat(9)}b\r`)
	await terminal.shows(`b${'a'.repeat(40)}(config)#`)
	await quit(terminal)
	assert.is(operator.configuration().hostname, `b${'a'.repeat(40)}`)
})

test('the end of input and the end of the relay end the shell', async context => {
	const terminal = openTerminal(context.folder)
	await terminal.shows('radledger>')
	await context.server.close()
	assert.is(await terminal.exit, 2)
	assert.match(terminal.screen(), 'The relay has ended the session.')
	await start(context)
	const input = new PassThrough()
	const ended = interactive(context.folder, input, new PassThrough(), { terminal: true })
	input.end()
	assert.is(await ended, 0)
})

test('a piped session reads like that of a router', async ({ folder }) => {
	const input = new PassThrough()
	const output = new PassThrough()
	input.end(
		'enable\r\nconf t\nhostname host1\nhost ?\nudp-port 5\nend\nshow conf | inc host\nexit\nx\n',
	)
	assert.is(await interactive(folder, input, output), 1)
	assert.is(
		output.read().toString(),
		`radledger>enable
radledger#conf t
radledger(config)#hostname host1
host1(config)#host ?
WORD   Name of this system
host1(config)#udp-port 5
              ^
% Invalid input detected at '^' marker.
host1(config)#end
host1#show conf | inc host
hostname host1
host1#exit
`,
	)
})

shell.run()
