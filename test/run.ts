/**
 * `npm test`: every test file in a process of its own, unit tests two at a time, end-to-end tests
 * one after another. `node test/run.ts NAME...` runs the files whose path contains a NAME.
 * The last line is `N passed, N failed`; the exit code is 1 when anything failed.
 */
import { spawn } from 'node:child_process'
import { globSync } from 'node:fs'
import { resolve } from 'node:path'
import { stripVTControlCharacters } from 'node:util'
import { installTestPeers } from '../infra/install-test-peers.ts'

type Result = { readonly passed: number; readonly failed: number }

const root = resolve(import.meta.dirname, '..')
const limitSeconds = { unit: 120, endToEnd: 420 }
const running = new Set<number>()

/** Ends a test file and every program that it started: they share its process group. */
function killGroup(pid: number): void {
	try {
		process.kill(-pid, 'SIGKILL')
	} catch {
		// It has ended already.
	}
}

function runFile(file: string, limit: number): Promise<{ output: string; problem?: string }> {
	return new Promise(done => {
		const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', file], {
			cwd: root,
			detached: true,
			stdio: ['ignore', 'pipe', 'pipe'],
			env: { ...process.env, FORCE_COLOR: '0' },
		})
		const pid = child.pid!
		running.add(pid)
		let output = ''
		let late = false
		const keep = (text: Buffer) => {
			output += text.toString()
		}
		child.stdout.on('data', keep)
		child.stderr.on('data', keep)
		const timer = setTimeout(() => {
			late = true
			killGroup(pid)
		}, limit * 1000)
		child.on('exit', () => killGroup(pid)) // what it left behind must not disturb the next one
		child.on('close', (code, signal) => {
			clearTimeout(timer)
			running.delete(pid)
			const text = stripVTControlCharacters(output)
			if (late) done({ output: text, problem: `killed: not done within ${limit} s` })
			else if (code !== 0) done({ output: text, problem: `ended with ${signal ?? `code ${code}`}` })
			else done({ output: text })
		})
	})
}

/** A number of uvu's summary; undefined without one. */
function summary(output: string, name: 'Total' | 'Passed' | 'Skipped'): number | undefined {
	const figure = output.match(new RegExp(`^\\s*${name}:\\s+(\\d+)`, 'm'))?.[1]
	return figure === undefined ? undefined : Number(figure)
}

function judge(output: string, problem: string | undefined): Result & { verdict?: string } {
	const total = summary(output, 'Total')
	const passed = summary(output, 'Passed') ?? 0
	const leftOut = /^left out: /m.test(output)
	if (total !== undefined && passed < total)
		return { passed, failed: total - passed, verdict: problem ?? 'failed' }
	if (problem) return { passed, failed: 1, verdict: problem }
	if (total === undefined)
		return { passed, failed: 1, verdict: 'no summary of tests: is `test.run()` missing?' }
	if (total === 0 && !leftOut)
		return { passed, failed: 1, verdict: 'ran no test: is `test.run()` missing?' }
	if (summary(output, 'Skipped') && !leftOut)
		return { passed, failed: 1, verdict: 'skipped a test without a line `left out: ... why`' }
	return { passed, failed: 0 }
}

async function report(file: string, limit: number): Promise<Result> {
	const begin = performance.now()
	const { output, problem } = await runFile(file, limit)
	const seconds = ((performance.now() - begin) / 1000).toFixed(1)
	const { passed, failed, verdict } = judge(output, problem)
	if (verdict) console.log(`FAILED  ${file}  ${verdict}\n${output.trimEnd()}\n`)
	else console.log(`ok      ${file}  ${passed} passed, ${seconds} s`)
	for (const line of output.split('\n')) {
		if (!verdict && line.startsWith('left out: ')) console.log(`        ${line}`)
	}
	return { passed, failed }
}

/** Runs files, `width` at a time. */
async function runAll(files: readonly string[], width: number, limit: number): Promise<Result[]> {
	const queue = [...files]
	const results: Result[] = []
	async function worker(): Promise<void> {
		for (let file = queue.shift(); file !== undefined; file = queue.shift()) {
			results.push(await report(file, limit))
		}
	}
	await Promise.all(Array.from({ length: width }, worker))
	return results
}

async function main(names: readonly string[]): Promise<number> {
	if (Number.parseInt(process.versions.node, 10) < 24) {
		console.log(
			`Node ${process.versions.node} is too old for radledger: run \`npm test\`, which uses the Node 24 that \`npm ci\` installed.`,
		)
		return 1
	}
	const files = globSync('test/**/*.test.ts', { cwd: root })
		.filter(file => names.length === 0 || names.some(name => file.includes(name)))
		.sort()
	const endToEnd = files.filter(file => file.includes('end-to-end'))
	const units = files.filter(file => !file.includes('end-to-end'))
	if (endToEnd.length > 0) installTestPeers()
	const results = [
		...(await runAll(units, 2, limitSeconds.unit)),
		...(await runAll(endToEnd, 1, limitSeconds.endToEnd)),
	]
	if (files.length === 0) console.log(`No test file's path contains ${names.join(' or ')}.`)
	const passed = results.reduce((sum, result) => sum + result.passed, 0)
	const failed = results.reduce((sum, result) => sum + result.failed, 0)
	console.log(`${passed} passed, ${failed} failed`)
	return failed > 0 || files.length === 0 ? 1 : 0
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
	process.on(signal, () => {
		for (const pid of running) killGroup(pid)
		process.exit(1)
	})
}
process.exitCode = await main(process.argv.slice(2))
