/** What a user meets who does not know the commands: help everywhere, and errors that say what to do. */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { openTarget } from '../adapters/eventstoredb/target.ts'
import { record, seal } from './sealed-folder.ts'

const program = resolve(import.meta.dirname, '../src/main.ts')
const base = mkdtempSync(join(tmpdir(), 'radledger-command-line-'))
test.after(() => rmSync(base, { recursive: true, force: true }))

function run(...args: readonly string[]) {
	const env = { PATH: process.env['PATH'] }
	const found = spawnSync(process.execPath, [program, ...args], {
		encoding: 'utf8',
		cwd: base,
		env,
	})
	return { status: found.status, out: found.stdout, error: found.stderr }
}

test('every command of the usage text has its own', () => {
	const usage = run('--help').out
	const commands = [...usage.matchAll(/^ {2}([a-z-]+) /gm)].map(([, name]) => name!)
	assert.ok(commands.length >= 15, usage)
	for (const command of commands) {
		const { status, out, error } = run(command, '--help')
		assert.is(status, 0, `${command}: ${error}`)
		assert.ok(out.startsWith(`radledger ${command} `), `${command}: ${out}`)
	}
})

test('an option that is not there leads to the help', () => {
	const { status, error } = run('verify', '--nonsense')
	assert.is(status, 1)
	assert.is(error, "Unknown option '--nonsense'. With --help the command lists its options.\n")
})

test('erase makes no journal where there is none', () => {
	const subscriber = ['--subscriber', '02-00-00-00-00-01', '--reason', 'asked']
	const { status, error } = run('erase', '--data', 'nowhere', ...subscriber)
	assert.is(status, 1)
	assert.match(error, 'There is no journal in nowhere')
	assert.not(existsSync(join(base, 'nowhere')))
})

test('retain asks for no configuration where there is no journal', () => {
	const { status, error } = run('retain', '--data', 'nowhere')
	assert.is(status, 1)
	assert.match(error, 'There is no journal in nowhere')
	assert.not.match(error, '--config')
})

test('a folder that may not be read is not called one without a journal', () => {
	const folder = join(base, 'a'.repeat(300))
	const { status, error } = run('verify', '--data', folder)
	assert.is(status, 1)
	assert.match(error, 'cannot be seen: ')
	assert.not.match(error, 'There is no journal')
})

test('verify blames no journal for a file that is no checkpoint, or for a key that is none', () => {
	const folder = join(base, 'sealed')
	const at = 1_000_000
	const data = { release: '0', configuration: [] }
	record(folder, [{ stream: 'relay-default', type: 'RelayStarted', v: 1, at, data }], false)
	seal(folder, 1)
	const other = join(base, 'other.txt')
	writeFileSync(other, 'no\ncheckpoint\n')
	const unlike = run('verify', '--data', folder, '--checkpoint', other)
	assert.is(unlike.status, 1)
	assert.is(
		unlike.error,
		`${other} is no checkpoint: radledger checkpoint --data DIR prints one.\n`,
	)
	assert.match(run('verify', '--data', folder, '--key', 'junk').error, 'neither a verifier key nor')
	const unwritten = run('prove', '--data', folder, '--position', '1', '--out', 'none/proof')
	assert.is(unwritten.status, 1)
	assert.ok(unwritten.error.startsWith('The proof cannot be written: '), unwritten.error)
	assert.is(unwritten.error.split('\n').length, 2)
})

test('a sentence ends with one full stop', () => {
	assert.throws(
		() => openTarget('http://history.example.org', 1000),
		(error: Error) => !error.message.includes('..') && error.message.includes('Give one like'),
	)
})

test.run()
