/** What a user meets who does not know the commands: help everywhere, and errors that say what to do. */
import { spawnSync } from 'node:child_process'
import {
	chmodSync,
	existsSync,
	mkdirSync,
	mkdtempSync,
	readdirSync,
	readFileSync,
	rmSync,
	writeFileSync,
} from 'node:fs'
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

test('--version says which release this is', () => {
	const { status, out } = run('--version')
	assert.is(status, 0)
	assert.match(out, /^radledger \d+\.\d+\.\d+\n$/)
})

test('exec and shell say what is wrong in one sentence', () => {
	const typo = run('exec', '--dta', 'x', 'show version')
	assert.is(typo.status, 1)
	assert.is(typo.error, "Unknown option '--dta'. With --help the command lists its options.\n")
	const shell = run('shell', '--data', 'nowhere')
	assert.is(shell.status, 2)
	assert.ok(shell.error.startsWith('No relay is running in nowhere; '), shell.error)
	assert.is(shell.error.split('\n').length, 2)
})

test('a journal with damaged pages is said to be so, without a stack', () => {
	const folder = join(base, 'damaged')
	const at = 1_000_000
	const told = Array.from({ length: 4000 }, (_, n) => ({
		stream: 'relay-default' as const,
		type: 'ConfigurationChanged' as const,
		v: 1 as const,
		at,
		data: { context: '', command: `hostname r${n}` },
	}))
	record(folder, told, false)
	const file = join(folder, 'journal.db')
	const bytes = readFileSync(file)
	bytes.fill(0, 3 * 4096)
	writeFileSync(file, bytes)
	for (const args of [['verify'], ['export', '--format', 'ndjson', '--out', 'damaged.ndjson']]) {
		const { status, error } = run(...args, '--data', folder)
		assert.is(status, 1, args[0])
		assert.match(error, 'Restore the folder from a copy.')
		assert.not.match(error, '    at ')
	}
})

test('a data folder of somebody else is refused in a sentence', () => {
	const folder = join(base, 'theirs')
	mkdirSync(join(folder, 'owner.pid'), { recursive: true })
	writeFileSync(join(base, 'empty.conf'), '')
	const { status, error } = run('serve', '--config', 'empty.conf', '--data', folder)
	assert.is(status, 1)
	assert.match(error, `The data folder ${folder} cannot be written to: `)
	assert.not.match(error, '    at ')
})

test('a sealed copy that cannot be written to is verified', () => {
	const folder = join(base, 'locked')
	const at = 1_000_000
	const data = { release: '0', configuration: [] }
	record(folder, [{ stream: 'relay-default', type: 'RelayStarted', v: 1, at, data }], false)
	seal(folder, 1)
	chmodSync(base, 0o755)
	for (const name of readdirSync(folder)) chmodSync(join(folder, name), 0o444)
	chmodSync(folder, 0o555)
	// Modes do not bind root, so nobody asks.
	const nobody = process.getuid?.() === 0 ? { uid: 65534, gid: 65534 } : {}
	const { status, stdout, stderr } = spawnSync(
		process.execPath,
		[program, 'verify', '--data', folder],
		{ encoding: 'utf8', cwd: '/', ...nobody },
	)
	chmodSync(folder, 0o755)
	assert.is(status, 0, stderr)
	assert.match(stdout, '1 event sealed')
})

test('replay says once that it has to look everything through', () => {
	const folder = join(base, 'unread')
	const data = { release: '0', configuration: [] }
	const event = { stream: 'relay-default', type: 'RelayStarted', v: 1, at: 1, data } as const
	record(folder, [event], false)
	const { status, error } = run('replay', '--address', '10.0.0.1', '--data', folder)
	assert.is(status, 0, error)
	assert.is(error.split('every event is looked through').length, 2, error)
})

test('src-adapter wants the files of its login before it waits for a server', () => {
	writeFileSync(join(base, 'short.rules'), 'default\n pool campus\n')
	const server = ['--rules', 'short.rules', '--nats', 'nats://127.0.0.1:1']
	for (const flags of [['--nats-credentials'], ['--nats-user', 'a', '--nats-password-file']]) {
		const { status, error } = run('src-adapter', ...server, ...flags, 'nowhere.creds')
		assert.is(status, 1)
		assert.match(error, /^nowhere\.creds, for NATS, cannot be read: .*Name a file that can\.\n$/)
	}
})

test('erase-mirror says which of its flags is wrong', () => {
	const from = ['--from', 'esdb://127.0.0.1:1?tls=false', '--data', 'nowhere']
	const { status, error } = run('erase-mirror', '--subscriber', 'zz', ...from)
	assert.is(status, 1)
	assert.match(error, '--subscriber cannot be "zz". A MAC address is ')
})

test('a port that cannot be is refused at once', () => {
	for (const url of ['esdb://a:70000', 'esdb://u:1@a:2113,b:99999?tls=false', 'esdb://a:0']) {
		assert.throws(() => openTarget(url, 1000), /has port \d+, and ports end at 65535/)
	}
})

test('the tour makes no folder of a flag', () => {
	const tour = resolve(import.meta.dirname, '../infra/tour.ts')
	const { status, stderr } = spawnSync(process.execPath, [tour, '--help'], {
		encoding: 'utf8',
		cwd: base,
	})
	assert.is(status, 1)
	assert.match(stderr, 'npm run -s tour')
	assert.not(existsSync(join(base, '--help')))
})

test('a sentence ends with one full stop', () => {
	assert.throws(
		() => openTarget('http://history.example.org', 1000),
		(error: Error) => !error.message.includes('..') && error.message.includes('Give one like'),
	)
})

test.run()
