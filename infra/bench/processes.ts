/**
 * The processes of a run, and its folder: started here, ended by their pids, whatever happens. Ends
 * are asked for politely first. Should this process be killed outright, a small shell that waits
 * for the end of its standard input does the same in its place.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

export type Workplace = {
	/** A fresh folder; gone when the workplace is closed. */
	readonly folder: string
	/** Has this process ended when the workplace is closed. */
	readonly watch: (pid: number) => void
	/** Ends every watched process and removes the folder. May be called more than once. */
	readonly close: () => Promise<void>
}

export type Output = { readonly code: number; readonly stdout: string; readonly stderr: string }

const guardScript = `trap '' INT TERM HUP
pids=
while read -r pid; do [ "$pid" = done ] && exit; pids="$pids $pid"; done
kill -TERM $pids; sleep 2; kill -KILL $pids; rm -rf "$1"`

export function openWorkplace(parent: string): Workplace {
	mkdirSync(parent, { recursive: true })
	const folder = mkdtempSync(join(parent, 'run-'))
	const guard = spawn('/bin/sh', ['-c', guardScript, 'sh', folder], {
		detached: true,
		stdio: ['pipe', 'ignore', 'ignore'],
	})
	guard.unref()
	const pids: number[] = []
	let closing: Promise<void> | undefined
	const close = async () => {
		await Promise.all(pids.map(end))
		rmSync(folder, { recursive: true, force: true })
		guard.stdin.end('done\n')
	}
	return {
		folder,
		watch: pid => {
			pids.push(pid)
			guard.stdin.write(`${pid}\n`)
		},
		close: () => {
			closing ??= close()
			return closing
		},
	}
}

/** Starts a process of the workplace. Its standard error may be read; it has no other streams. */
export function start(
	workplace: Workplace,
	command: string,
	args: readonly string[],
	stderr: 'pipe' | 'ignore' = 'ignore',
): ChildProcess & { pid: number } {
	const child = spawn(command, args, { stdio: ['ignore', 'ignore', stderr] })
	child.once('error', () => {}) // told below, and by what the process does not do
	if (child.pid === undefined) throw new Error(`${command} could not be started. Is it installed?`)
	workplace.watch(child.pid)
	return Object.assign(child, { pid: child.pid })
}

const running = new Set<ChildProcess>()

/** Ends what `run` waits for, where this process is told to end. */
export function endRunning(): void {
	for (const child of running) child.kill('SIGTERM')
}

/** Runs a command to its end, within `limitMs`. `code` is -1 where it could not run or was ended. */
export function run(command: string, args: readonly string[], limitMs: number): Promise<Output> {
	return new Promise(resolve => {
		const options = { timeout: limitMs, killSignal: 'SIGKILL', maxBuffer: 16 << 20 } as const
		const child = execFile(command, args, options, (error, stdout, stderr) => {
			running.delete(child)
			const code = error === null ? 0 : typeof error.code === 'number' ? error.code : -1
			resolve({ code, stdout, stderr: stderr || (error?.message ?? '') })
		})
		running.add(child)
	})
}

/** Waits until `done` says yes, asking again every few milliseconds; false after `limitMs`. */
export async function waitUntil(done: () => boolean, limitMs: number): Promise<boolean> {
	const end = performance.now() + limitMs
	while (!done()) {
		if (performance.now() > end) return false
		await sleep(20)
	}
	return true
}

/** Whether a process listens on this UDP port of 127.0.0.1. */
export function udpPortIsBound(port: number): boolean {
	const address = `0100007F:${port.toString(16).toUpperCase().padStart(4, '0')}`
	return readFileSync('/proc/net/udp', 'latin1').includes(` ${address} `)
}

async function end(pid: number): Promise<void> {
	if (!signal(pid, 'SIGTERM')) return
	if (await waitUntil(() => !signal(pid, 0), 3000)) return
	signal(pid, 'SIGKILL')
	await waitUntil(() => !signal(pid, 0), 1000)
}

/** False where there is no such process any more. */
function signal(pid: number, name: 'SIGTERM' | 'SIGKILL' | 0): boolean {
	try {
		return process.kill(pid, name)
	} catch {
		return false
	}
}
