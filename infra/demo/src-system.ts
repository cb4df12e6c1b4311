/**
 * The demo's SRC system: a NATS server and two copies of the SRC adapter as processes of their own
 * where a `nats-server` is installed, and otherwise the same rules inside the relay. The server has
 * JetStream, too, to which the relay gives its events.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { installed } from '../install-test-peers.ts'
import { DemoError, guard, root } from './relay.ts'

export type SrcSystem = {
	/** In words, for whoever looks on. */
	readonly title: string
	/** The relay's configuration. */
	readonly lines: readonly string[]
	/** Further flags of `serve`. */
	readonly flags: readonly string[]
	close(): Promise<void>
}

const rules = 'infra/demo/src.rules'
const startLimitMs = 15_000

/** `data`: the relay's folder, in which JetStream gets one of its own. */
export async function startSrcSystem(data: string): Promise<SrcSystem> {
	if (!installed('nats-server')) {
		return {
			title: 'SRC: rules inside the relay, as no nats-server is installed here',
			lines: [`sscc local rules ${join(root, rules)}`, 'sscc enable'],
			flags: [],
			close: async () => {},
		}
	}
	const children: ChildProcess[] = []
	const close = async () => {
		for (const child of children.splice(0).reverse()) await end(child)
	}
	try {
		const server = ['nats-server', '-a', '127.0.0.1', '-p', '-1']
		server.push('-js', '-sd', resolve(root, data, 'jetstream'))
		const listening = /connections on 127\.0\.0\.1:(\d+)[\s\S]*Server is ready/
		const [, port] = await launch(children, server, listening)
		const adapter = [process.execPath, '--disable-warning=ExperimentalWarning', 'src/main.ts']
		adapter.push('src-adapter', '--rules', rules, '--nats', `nats://127.0.0.1:${port}`)
		for (let copy = 0; copy < 2; copy++) await launch(children, adapter, /"id":"ready"/)
		return {
			title: `SRC: two adapters behind a NATS server at 127.0.0.1:${port}, which gets all events, too`,
			lines: [`sscc primary address 127.0.0.1 port ${port}`, 'sscc enable'],
			flags: ['--nats', `nats://127.0.0.1:${port}`],
			close,
		}
	} catch (error) {
		await close()
		throw error
	}
}

/** Resolves when what the program has printed matches. */
async function launch(
	children: ChildProcess[],
	[command, ...args]: readonly string[],
	ready: RegExp,
): Promise<RegExpExecArray> {
	// A process group of its own: Ctrl-C must not end it before the relay has said good-bye.
	const child = spawn(command!, args, {
		cwd: root,
		detached: true,
		stdio: ['ignore', 'ignore', 'pipe'],
	})
	children.push(child)
	const dismiss = guard(child)
	child.once('exit', dismiss)
	const { promise, resolve, reject } = Promise.withResolvers<RegExpExecArray>()
	const words: string[] = []
	const fail = (why: string) =>
		reject(new DemoError(`${command} ${why}. ${words.slice(-5).join('\n')}`))
	child.once('error', error => fail(`cannot be started: ${error.message}`))
	child.once('exit', code => fail(`ended with ${code}`))
	const timer = setTimeout(() => fail('does not get ready'), startLimitMs)
	createInterface({ input: child.stderr! }).on('line', line => {
		if (words.length < 200) words.push(line)
		const match = ready.exec(words.join('\n'))
		if (match !== null) resolve(match)
	})
	return await promise.finally(() => clearTimeout(timer))
}

async function end(child: ChildProcess): Promise<void> {
	if (child.exitCode !== null || child.signalCode !== null || child.pid === undefined) return
	const ended = once(child, 'exit')
	child.kill('SIGTERM')
	const impatience = setTimeout(() => child.kill('SIGKILL'), 5000)
	await ended
	clearTimeout(impatience)
}
