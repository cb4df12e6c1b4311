/** The relay of the demo: its data folder, its configuration and its process. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { dirname, join, relative, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { ownFolder } from '../../adapters/journal/owner.ts'
import { freePorts } from '../free-ports.ts'
import type { AccessPoint } from './access-points.ts'

/** What keeps the demo from starting, as a sentence. */
export class DemoError extends Error {
	override readonly name = 'DemoError'
}

export const root = resolve(import.meta.dirname, '../..')

/** Tells a folder of the demo from one that holds a real relay's journal. */
const configurationName = 'demo.conf'
const startLimitMs = 20_000
const stopLimitMs = 10_000

export type RelayPlan = {
	/** As `dataFolder` gave it. */
	readonly data: string
	readonly ports: {
		readonly authentication: number
		readonly accounting: number
		readonly dhcp: number
		readonly dynamic: number
		/** TCP. */
		readonly http: number
	}
	readonly homeServer: { readonly authentication: number; readonly accounting: number }
	readonly homeServerSecret: string
	/** Commands about SRC. */
	readonly src: readonly string[]
	/** Further flags of `serve`. */
	readonly flags: readonly string[]
	readonly accessPoints: readonly (Pick<AccessPoint, 'address' | 'secret'> & {
		/** UDP port at which it disconnects subscribers. */
		readonly disconnectPort: number
	})[]
}

export type Relay = {
	/** Resolves when the process has ended: undefined after exit code 0, else the reason. */
	readonly ended: Promise<string | undefined>
	/** Has it end, and waits for that. */
	stop(): Promise<string | undefined>
}

/**
 * The folder as seen from this checkout, where `npm run` begins; absolute when it lies outside.
 * Makes it where it is missing; throws when it is not for the demo, or in use.
 */
export function dataFolder(folder: string): string {
	const path = resolve(folder)
	const inside = relative(root, path)
	const shown = inside === '' || inside.startsWith('..') ? path : inside
	if (existsSync(join(path, 'journal.db')) && !existsSync(join(path, configurationName))) {
		throw new DemoError(
			`${shown} holds a journal that is not the demo's: name an empty folder with --data.`,
		)
	}
	try {
		makeMissing(path)
	} catch (error) {
		const why = (error as Error).message
		throw new DemoError(`${shown} cannot be made (${why}): name another folder with --data.`)
	}
	// Before its configuration is replaced: a running demo or relay keeps what it has.
	ownFolder(path).release()
	return shown
}

/** One by one: `recursive` never returns where /proc refuses. */
function makeMissing(folder: string): void {
	if (statSync(folder, { throwIfNoEntry: false })?.isDirectory()) return
	makeMissing(dirname(folder))
	mkdirSync(folder, { mode: 0o700 })
}

/** Three pools. Leases are short, so that addresses are given back, and used again, within a minute. */
const dhcpLines = [
	'service dhcp-local equal-access',
	'ip dhcp-local pool gold-pool',
	' network 10.77.1.0 255.255.255.0',
	' default-router 10.77.1.1',
	' lease 0 0 30',
	'exit',
	'ip dhcp-local pool silver-pool',
	' network 10.77.2.0 255.255.255.192',
	' default-router 10.77.2.1',
	' lease 0 0 10',
	'exit',
	'ip dhcp-local pool things-pool',
	' network 10.77.3.0 255.255.255.240',
	' default-router 10.77.3.1',
	' lease 0 0 30',
	'exit',
]

/** The configuration that this run begins with; the shell may change it while the relay runs. */
function configurationText(plan: RelayPlan): string {
	const { ports, homeServer, homeServerSecret, accessPoints } = plan
	const secrets = new Map(accessPoints.map(({ address, secret }) => [address, secret]))
	const lines = ['hostname demo']
	for (const service of ['authentication', 'accounting'] as const) {
		lines.push(`radius ${service} server 127.0.0.1`, ` key ${homeServerSecret}`)
		lines.push(` udp-port ${homeServer[service]}`, 'exit')
	}
	for (const service of ['authentication', 'accounting'] as const) {
		lines.push(`radius relay ${service} server`, ' listen-address 127.0.0.1')
		lines.push(` udp-port ${ports[service]}`)
		for (const [address, secret] of secrets) lines.push(` key ${address} 255.255.255.255 ${secret}`)
		lines.push('exit')
	}
	lines.push('radius dynamic-request server 127.0.0.1', ` key ${homeServerSecret}`)
	lines.push(` udp-port ${ports.dynamic}`, ' subscriber disconnect', 'exit')
	// Where all have one address, one of them would be asked for all: none is then.
	if (secrets.size === accessPoints.length) {
		for (const { address, secret, disconnectPort } of accessPoints) {
			const port = `udp-port ${disconnectPort}`
			lines.push(`radius relay disconnect-client ${address} key ${secret} ${port}`)
		}
	}
	lines.push(...dhcpLines, ...plan.src)
	return `${lines.join('\n')}\n`
}

/** Resolves when the relay is ready; throws a DemoError with its own words when it cannot start. */
export async function startRelay(plan: RelayPlan): Promise<Relay> {
	const config = join(plan.data, configurationName)
	writeFileSync(resolve(root, config), configurationText(plan), { mode: 0o600 })
	const args = ['src/main.ts', 'serve', '--config', config, '--data', plan.data]
	args.push('--dhcp-port', String(plan.ports.dhcp))
	args.push('--http', `127.0.0.1:${plan.ports.http}`, ...plan.flags)
	// A process group of its own: Ctrl-C must reach the access points first, then the relay.
	const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', ...args], {
		cwd: root,
		detached: true,
		stdio: ['ignore', 'ignore', 'pipe'],
	})
	const dismissGuard = guard(child)
	const ended = endOf(child).finally(dismissGuard)
	const log = readLog(child)
	const late = Promise.withResolvers<'late'>()
	const timer = setTimeout(() => late.resolve('late'), startLimitMs)
	const first = await Promise.race([log.ready, ended, late.promise])
	clearTimeout(timer)
	if (first !== 'ready') {
		child.kill('SIGKILL')
		await ended
		throw new DemoError(`The relay did not start. ${log.lastWords() || 'It left no reason.'}`)
	}
	const reason = ended.then(why =>
		why === undefined ? undefined : `${why} ${log.lastWords()}`.trim(),
	)
	return {
		ended: reason,
		async stop() {
			child.kill('SIGTERM')
			const impatience = setTimeout(() => child.kill('SIGKILL'), stopLimitMs)
			await ended
			clearTimeout(impatience)
			return await reason
		},
	}
}

/** Ends a child even when this process is killed outright: the guard's input ends with it. */
export function guard(child: ChildProcess): () => void {
	const script = `trap '' INT TERM HUP; read -r word; [ "$word" = done ] || kill -TERM "$1"`
	const watching = spawn('/bin/sh', ['-c', script, 'sh', String(child.pid)], {
		detached: true,
		stdio: ['pipe', 'ignore', 'ignore'],
	})
	watching.on('error', () => {}) // no shell, no guard
	watching.stdin.on('error', () => {})
	watching.unref()
	return () => watching.stdin.end('done\n')
}

async function endOf(child: ChildProcess): Promise<string | undefined> {
	const [code, signal] = (await once(child, 'close').catch(error => [error.message, null])) as [
		number | string | null,
		NodeJS.Signals | null,
	]
	if (code === 0) return undefined
	return `The relay ended with ${signal ?? `exit code ${code}`}.`
}

/** Follows the relay's log: when it is ready, and what it said last that mattered. */
function readLog(child: ChildProcess): { ready: Promise<'ready'>; lastWords(): string } {
	const ready = Promise.withResolvers<'ready'>()
	let words: string[] = []
	createInterface({ input: child.stderr! }).on('line', line => {
		const entry = logEntry(line)
		if (entry.id === 'ready') ready.resolve('ready')
		if (entry.level >= warning) words = [...words, entry.msg].slice(-5)
	})
	return { ready: ready.promise, lastWords: () => words.join('\n') }
}

const warning = 40

/** A line of the log; what is no JSON is a sentence for the user. */
function logEntry(line: string): { id: string; level: number; msg: string } {
	const sentence = { id: '', level: warning, msg: line }
	try {
		return { ...sentence, ...JSON.parse(line) }
	} catch {
		return sentence
	}
}

/** Ports that nobody has, all different. */
export async function relayPorts(): Promise<RelayPlan['ports']> {
	const ports = (await freePorts(5)) as [number, number, number, number, number]
	const [authentication, accounting, dhcp, dynamic, other] = ports
	return { http: await pagePort(other), authentication, accounting, dhcp, dynamic }
}

/** The usual one for a web page that is being looked at, or another where that is taken. */
async function pagePort(other: number): Promise<number> {
	const server = createServer()
	const isFree = await new Promise<boolean>(resolve => {
		server.once('error', () => resolve(false))
		server.listen(8080, '127.0.0.1', () => resolve(true))
	})
	await new Promise<void>(done => server.close(() => done()))
	return isFree ? 8080 : other
}
