/** Shells of a relay whose process is stopped, as a debugger or a machine that sleeps stops it. */
import { readFileSync } from 'node:fs'
import { connect as netConnect, type Socket } from 'node:net'
import { join, resolve } from 'node:path'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { connect, exec } from '../../adapters/shell/client.ts'
import { aloud, endAll, run, until } from './processes.ts'
import { type RelayProcess, startRelay } from './relay-process.ts'

const main = resolve(import.meta.dirname, '../../src/main.ts')
let relay: RelayProcess

test.before(
	aloud(async () => {
		relay = await startRelay({ servers: [] })
	}),
)
test.after(endAll)

/** Behind the program's name in parentheses stands its state. */
function isStopped(pid: number): boolean {
	return /\) T /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
}

async function whileStopped(body: () => Promise<void>): Promise<void> {
	const { pid } = relay.program()
	process.kill(pid, 'SIGSTOP')
	try {
		await until('the relay stands still', 5000, () => isStopped(pid))
		await body()
	} finally {
		process.kill(pid, 'SIGCONT')
	}
}

test('exec gives a stopped relay up before it has told it anything', async () => {
	await whileStopped(async () => {
		const { output, exitCode, absent } = await exec(
			relay.data,
			['configure terminal', 'hostname never'],
			{ silenceMs: 300 },
		)
		assert.is(exitCode, 2)
		assert.is(absent, undefined)
		assert.match(output, `The relay in ${relay.data} has given no sign of life for 0.3 seconds`)
		assert.match(output, 'no command has reached it')
	})
	assert.is((await relay.exec('show configuration')).match(/hostname .*/)?.[0], 'hostname test')
})

test('a relay that is stopped for less than that is waited for', async () => {
	const connection = await connect(relay.data, 'privileged', { silenceMs: 60_000 })
	let answer: Promise<{ readonly ok: boolean }> | undefined
	await whileStopped(async () => {
		answer = connection.request({ op: 'execute', line: 'show version' })
	})
	assert.ok((await answer)?.ok)
	connection.close()
})

test('what a relay was asked before it fell silent is carried out when it goes on', async () => {
	const connection = await connect(relay.data, 'privileged', { silenceMs: 300 })
	assert.ok((await connection.request({ op: 'execute', line: 'configure terminal' })).ok)
	await whileStopped(async () => {
		const why = await connection
			.request({ op: 'execute', line: 'hostname woken' })
			.then(String, (error: Error) => error.message)
		assert.match(why, 'it may still carry out what it was asked last')
	})
	await until('the command is carried out', 5000, async () =>
		(await relay.exec('show configuration')).includes('hostname woken'),
	)
})

test('a stopped relay whose waiting room is full is told from one that is not there', async () => {
	const sockets: Socket[] = []
	await whileStopped(async () => {
		await new Promise<void>(resolve => {
			const more = () => {
				if (sockets.length > 5000) return resolve()
				const socket = netConnect(join(relay.data, 'shell.sock'))
				sockets.push(socket)
				socket.once('connect', more).once('error', () => resolve())
			}
			more()
		})
		const { output, exitCode } = await exec(relay.data, 'show version', { silenceMs: 300 })
		for (const socket of sockets) socket.destroy()
		assert.is(exitCode, 2)
		assert.match(output, 'takes no connection, because too many wait')
	})
	await until('the relay has emptied it', 10_000, async () => {
		const { exitCode } = await exec(relay.data, 'show version')
		return exitCode === 0
	})
})

test('every program that asks a relay gives a stopped one up, with exit code 2', async () => {
	const subscriber = ['--subscriber', '02-00-00-00-00-01', '--reason', 'asked']
	const asking = [['exec', 'show version'], ['shell'], ['erase', ...subscriber], ['retain']]
	await whileStopped(async () => {
		const given = asking.map(([command, ...rest]) =>
			run(process.execPath, [main, command!, '--data', relay.data, ...rest], {
				input: 'show version\n',
				limitMs: 60_000,
			}),
		)
		for (const [i, { code, output }] of (await Promise.all(given)).entries()) {
			assert.match(output, 'no sign of life for 15 seconds', asking[i]![0])
			assert.is(code, 2, asking[i]![0])
		}
	})
	assert.match(await relay.exec('show version'), 'radledger')
})

test.run()
