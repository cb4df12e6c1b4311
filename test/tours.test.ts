/** The README's tours: every command in them is run, and must print what is printed there. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { makeTour } from '../infra/tour.ts'

const root = resolve(import.meta.dirname, '..')
const folder = mkdtempSync(join(tmpdir(), 'radledger-tours-'))
process.on('exit', () => rmSync(folder, { recursive: true, force: true }))
makeTour(join(folder, 'tour'))

type Step = { readonly command: string; readonly printed: string }

/** A command of a tour may go on over several lines, as long as a quotation mark is open. */
function stepsOf(tour: string): Step[] {
	const readme = readFileSync(join(root, 'README.md'), 'utf8')
	const begin = readme.indexOf(`<!-- tour: ${tour} -->`)
	const end = readme.indexOf('<!-- /tour -->', begin)
	assert.ok(begin >= 0 && end > begin, `README.md has no tour ${tour}`)
	const steps: Step[] = []
	for (const [, block] of readme.slice(begin, end).matchAll(/^```console\n([\s\S]*?)^```$/gm)) {
		for (const part of block!.split(/^\$ /m).slice(1)) steps.push(stepOf(part))
	}
	return steps
}

function stepOf(part: string): Step {
	const lines = part.trimEnd().split('\n')
	let length = 1
	const isOpen = () => lines.slice(0, length).join('\n').split('"').length % 2 === 0
	while (isOpen() && length < lines.length) length++
	return { command: lines.slice(0, length).join('\n'), printed: lines.slice(length).join('\n') }
}

const program = `'${process.execPath}' --disable-warning=ExperimentalWarning '${join(root, 'src/main.ts')}'`

function output({ command }: Step): string {
	const sql = /^sqlite3 -readonly tour\/views\.db "([^"]*)"$/.exec(command)?.[1]
	if (sql !== undefined) return asSqlitePrints(sql)
	const line = command.replaceAll('npm run -s radledger --', program)
	const { stdout, stderr } = spawnSync('sh', ['-c', line], { cwd: folder, encoding: 'utf8' })
	// A slow machine is told how far `verify` is.
	return `${stdout}${stderr.replace(/^\d+ of \d+ events\n/gm, '')}`.trimEnd()
}

/** The shell of SQLite need not be there: its list mode has a row a line, cells parted by `|`. */
function asSqlitePrints(sql: string): string {
	const db = new DatabaseSync(join(folder, 'tour/views.db'), { readOnly: true })
	try {
		const rows = db.prepare(sql).all()
		return rows.map(row => Object.values(row).map(text).join('|')).join('\n')
	} finally {
		db.close()
	}
}

function text(cell: unknown): string {
	if (typeof cell !== 'number' || Number.isInteger(cell)) return String(cell ?? '')
	return String(cell)
}

for (const [tour, least] of [
	['auditor', 5],
	['integrity', 8],
	['analyst', 10],
] as const) {
	const steps = stepsOf(tour)
	test(`the ${tour}'s tour has its steps`, () =>
		assert.ok(steps.length >= least, `${steps.length}`))
	for (const step of steps) {
		test(`${tour}: ${step.command.slice(0, 100)}`, () => {
			assert.is(output(step), step.printed)
		})
	}
}

test("SQLite's own shell prints the same", () => {
	const [step] = stepsOf('analyst').filter(({ command }) => command.startsWith('sqlite3'))
	const { error, stdout } = spawnSync('sh', ['-c', step!.command], {
		cwd: folder,
		encoding: 'utf8',
	})
	const missing = error !== undefined || spawnSync('sh', ['-c', 'command -v sqlite3']).status !== 0
	if (missing) console.log("left out: SQLite's own shell, why: there is no sqlite3 here")
	else assert.is(stdout.trimEnd(), step!.printed)
})

test.run()
