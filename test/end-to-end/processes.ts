/**
 * Programs that the end-to-end tests run beside themselves: started, waited for, and ended one by
 * one by their own process id. Whatever is still there when the test file ends goes with it.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { installed } from '../../infra/install-test-peers.ts'

export type Exit = { readonly code: number | null; readonly signal: NodeJS.Signals | null }

export type Program = {
	readonly pid: number
	/** Everything that it has written so far, to standard output and standard error. */
	output(): string
	/** Whether it is still there. */
	running(): boolean
	/** Resolves when it has ended. */
	readonly exited: Promise<Exit>
	/** Sends the signal and waits for the end; a program that ignores it is killed after 10 s. */
	end(signal?: NodeJS.Signals): Promise<Exit>
}

const children = new Set<ChildProcess>()
const folders: string[] = []
process.on('exit', () => {
	for (const child of children) child.kill('SIGKILL')
	for (const folder of folders) rmSync(folder, { recursive: true, force: true, maxRetries: 3 })
})

/** A folder of its own below the system's temporary folder, removed when the test file ends. */
export function temporaryFolder(name: string): string {
	const folder = mkdtempSync(join(tmpdir(), `radledger-${name}-`))
	folders.push(folder)
	return folder
}

export function start(command: string, args: readonly string[], input?: string): Program {
	const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'] })
	let output = ''
	const keep = (text: Buffer) => {
		output += text.toString()
	}
	child.stdout.on('data', keep)
	child.stderr.on('data', keep)
	child.stdin.on('error', () => {}) // it may end without having read everything
	child.stdin.end(input ?? '')
	children.add(child)
	const exited = new Promise<Exit>(resolve => {
		child.on('error', error => {
			output += `${error.message}\n`
			children.delete(child)
			resolve({ code: 127, signal: null })
		})
		child.on('close', (code, signal) => {
			children.delete(child)
			resolve({ code, signal })
		})
	})
	return {
		pid: child.pid ?? 0,
		output: () => output,
		running: () => children.has(child),
		exited,
		async end(signal = 'SIGTERM') {
			child.kill(signal)
			const impatience = setTimeout(() => child.kill('SIGKILL'), 10_000)
			const exit = await exited
			clearTimeout(impatience)
			return exit
		},
	}
}

/** Ends whatever this test file started and has not ended: its `after` hook. */
export async function endAll(): Promise<void> {
	for (const child of children) {
		const ended = new Promise(resolve => child.once('close', resolve))
		child.kill('SIGCONT') // a stopped one could not end
		child.kill('SIGTERM')
		const impatience = setTimeout(() => child.kill('SIGKILL'), 10_000)
		await ended
		clearTimeout(impatience)
	}
}

/** Runs a program to its end, or kills it after `limitMs`. */
export async function run(
	command: string,
	args: readonly string[],
	options: { input?: string; limitMs?: number } = {},
): Promise<{ code: number | null; output: string }> {
	const program = start(command, args, options.input)
	const limit = setTimeout(() => program.end('SIGKILL'), options.limitMs ?? 30_000)
	const { code } = await program.exited
	clearTimeout(limit)
	return { code, output: program.output() }
}

/** Polls until `attempt` gives a value that is neither undefined nor false; throws after `limitMs`. */
export async function until<T>(
	what: string,
	limitMs: number,
	attempt: () => T | undefined | false | Promise<T | undefined | false>,
): Promise<T> {
	const end = performance.now() + limitMs
	for (;;) {
		const value = await attempt()
		if (value !== undefined && value !== false) return value
		if (performance.now() > end) throw new Error(`${what}: not within ${limitMs} ms`)
		await pause(50)
	}
}

export function pause(ms: number): Promise<void> {
	return new Promise(resolve => setTimeout(resolve, ms))
}

/** uvu keeps what a `before` hook throws to itself: this prints it. */
export function aloud(prepare: () => Promise<void>): () => Promise<void> {
	return () =>
		prepare().catch(error => {
			console.error(error)
			throw error
		})
}

/**
 * True when all these commands are installed. Otherwise prints the line `left out: ...`, which
 * the test runner passes on: a test must not vanish in silence.
 */
export function canRun(what: string, ...commands: string[]): boolean {
	const missing = commands.filter(command => !installed(command))
	if (missing.length > 0) leaveOut(what, `${missing.join(', ')} not installed`)
	return missing.length === 0
}

export function leaveOut(what: string, reason: string): void {
	console.log(`left out: ${what}: ${reason}`)
}
