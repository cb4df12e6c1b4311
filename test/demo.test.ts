import { type ChildProcess, spawn } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { attribute } from '../domain/radius/attribute.ts'
import { verifyResponse } from '../domain/radius/authenticator.ts'
import { hideUserPassword } from '../domain/radius/hidden.ts'
import { createMd5Key } from '../domain/radius/md5.ts'
import { codes } from '../domain/radius/packet.ts'
import { startHomeServer } from '../infra/demo/home-server.ts'
import {
	addOctets,
	addText,
	authenticatorOf,
	type Message,
	newMessage,
	signedRequest,
} from '../infra/demo/message.ts'
import { subscribers, wrongPassword } from '../infra/demo/subscribers.ts'
import { missingOutcomes } from '../infra/demo/traffic.ts'

const root = resolve(import.meta.dirname, '..')
const folder = mkdtempSync(join(tmpdir(), 'radledger-demo-'))
const data = join(folder, 'demo')
const children = new Set<ChildProcess>()
process.on('exit', () => {
	for (const child of children) child.kill('SIGTERM')
	rmSync(folder, { recursive: true, force: true })
})

type Run = { readonly code: number; readonly output: string }

/** `onOutput` may act on what the demo has printed so far. */
async function demo(
	args: readonly string[],
	onOutput: (child: ChildProcess, output: string) => void = () => {},
): Promise<Run> {
	const child = spawn(process.execPath, ['infra/demo.ts', ...args], {
		cwd: root,
		stdio: ['ignore', 'pipe', 'pipe'],
	})
	children.add(child)
	const closed = once(child, 'close')
	let output = ''
	const take = (text: Buffer) => {
		output += text
		onOutput(child, output)
	}
	child.stdout.on('data', take)
	child.stderr.on('data', take)
	const [code] = await closed
	children.delete(child)
	return { code, output }
}

type Row = { readonly stream: string; readonly type: string; readonly data: string }

function events(): Row[] {
	const journal = new DatabaseSync(join(data, 'journal.db'), { readOnly: true })
	try {
		return journal.prepare('SELECT stream, type, data FROM event ORDER BY position').all() as Row[]
	} finally {
		journal.close()
	}
}

function relayIsGone(): boolean {
	try {
		process.kill(Number(readFileSync(join(data, 'owner.pid'), 'utf8')), 0)
		return false
	} catch {
		return true
	}
}

let firstRun: Row[] = []

test('ends by itself with a summary, exit code 0 and no process left behind', async () => {
	const { code, output } = await demo(['--seconds', '6', '--data', data])
	assert.is(code, 0, output)
	const [, requests, answers] = output.match(/: ([\d,]+) requests, ([\d,]+) answers, mean/) ?? []
	assert.ok(Number(requests?.replaceAll(',', '')) > 150, output)
	assert.is(answers, requests)
	assert.match(
		output,
		/^Each of the [\d,]+ answers that rest on an event is in the journal\.$/m,
		output,
	)
	assert.ok(output.includes(`npm run -s radledger -- shell --data ${data}\n`), output)
	assert.ok(relayIsGone())
	const leased = /^([\d,]+) addresses leased, ([\d,]+) of them once more; /m.exec(output) ?? []
	firstRun = events()
	const granted = firstRun.filter(({ type }) => type === 'LeaseGranted')
	const addresses = new Set(granted.map(event => JSON.parse(event.data).address))
	assert.equal(leased.slice(1), [`${granted.length}`, `${granted.length - addresses.size}`], output)
})

test('what happened is in the journal', () => {
	const of = (type: string) => firstRun.filter(event => event.type === type)
	const accepted = of('AccessAccepted').map(event => JSON.parse(event.data))
	assert.is(new Set(accepted.map(({ user }) => user)).size, subscribers.length)
	assert.ok(accepted.some(({ reauthentication }) => reauthentication === true))
	for (const accept of accepted) {
		assert.match(accept.class, /^plan=(gold|silver)$/)
		assert.match(accept.serviceBundle, /^(gold|silver)-services$/)
		assert.is(accept.sessionTimeoutSeconds, 3600)
		assert.match(accept.framedPool, /^(gold|silver)-pool$/)
	}
	const expected = ['AccessRejected', 'AccountingUpdated', 'AccountingStopped']
	const accessPoints = ['AccountingTurnedOn', 'AccountingTurnedOff']
	for (const type of [...expected, ...accessPoints]) assert.ok(of(type).length > 0, type)
	assert.ok(of('AccountingUpdated').some(({ data: d }) => JSON.parse(d).outputOctets > 2 ** 32))
	const places = new Map<string, Set<string>>()
	for (const { stream, data: text } of of('AccountingStarted')) {
		const { wap } = JSON.parse(text)
		places.set(stream, (places.get(stream) ?? new Set()).add(wap))
	}
	assert.ok(
		[...places.values()].some(waps => waps.size > 1),
		'nobody roamed',
	)
	for (const type of ['AccessUnanswered', 'AccountingUnanswered', 'RequestsDiscarded']) {
		assert.is(of(type).length, 0, type)
	}
})

test('subscribers had addresses from pools that SRC chose, and used them one after the other', () => {
	const of = (type: string) =>
		firstRun.filter(event => event.type === type).map(event => JSON.parse(event.data))
	const chosen = of('PoolSelected')
	const pools = new Set(chosen.map(({ by, pool }) => `${by} ${pool}`))
	for (const pool of ['gold-pool', 'silver-pool', 'things-pool']) {
		assert.ok(pools.has(`src ${pool}`), `${[...pools]}`)
	}
	// No address had two holders: it is granted only after it was given back.
	const holder = new Map<string, string>()
	const again = new Set<string>()
	const past = new Set<string>()
	for (const { type, data: text } of firstRun) {
		const { address, mac } = JSON.parse(text)
		if (type === 'LeaseGranted') {
			assert.is(holder.get(address) ?? mac, mac)
			if (past.has(address)) again.add(address)
			holder.set(address, mac)
			past.add(address)
		} else if (type === 'LeaseReleased' || type === 'LeaseExpired') holder.delete(address)
	}
	assert.ok(again.size > 0, 'no address was used again')
	assert.is(holder.size, 0, 'the access points were turned off')
	const disconnected = of('SubscriberTerminated').filter(({ cause }) => cause === 'disconnect')
	assert.ok(disconnected.length > 0)
	const opened = of('SrcSessionOpened').map(({ session }) => session)
	const closed = of('SrcSessionClosed').map(({ session }) => session)
	assert.ok(opened.length > 50)
	assert.equal(closed.sort(), opened.sort(), 'the demo waits until SRC has heard of every end')
})

test('no secret and no password is in any event', () => {
	const configuration = readFileSync(join(data, 'demo.conf'), 'utf8')
	const secrets = [...configuration.matchAll(/^ key (?:[\d.]+ [\d.]+ )?(\S+)$/gm)].map(m => m[1]!)
	assert.ok(new Set(secrets).size >= 2, 'the home server has a secret of its own')
	const passwords = [wrongPassword, ...subscribers.map(({ password }) => password)]
	const whole = firstRun.map(event => event.data).join('\n')
	for (const hidden of [...secrets, ...passwords]) {
		assert.not.ok(whole.includes(hidden), hidden)
		assert.not.ok(whole.includes(Buffer.from(hidden).toString('hex')), hidden)
	}
})

test('a further run continues the journal, and Ctrl-C ends it cleanly', async () => {
	let interrupted = false
	const { code, output } = await demo(['--data', data], (child, soFar) => {
		if (interrupted || !soFar.includes(' requests/s ')) return
		interrupted = true
		child.kill('SIGINT')
		child.kill('SIGINT')
	})
	assert.is(code, 0, output)
	assert.ok(output.includes(`continued from position ${firstRun.length + 1};`), output)
	assert.match(
		output,
		/^Each of the [\d,]+ answers that rest on an event is in the journal\.$/m,
		output,
	)
	const all = events()
	assert.ok(all.length > firstRun.length)
	assert.is(all.at(-1)!.type, 'RelayStopped')
	assert.ok(relayIsGone())
})

test('EventStoreDB gets the events, too', async () => {
	const own = join(folder, 'mirrored')
	const mirrors = async () => {
		const exec = ['src/main.ts', 'exec', '--data', own, 'show radius relay mirrors']
		const child = spawn(process.execPath, exec, { cwd: root, stdio: ['ignore', 'pipe', 'ignore'] })
		const [text] = await Promise.all([
			child.stdout.setEncoding('utf8').toArray(),
			once(child, 'close'),
		])
		return text.join('')
	}
	let told = ''
	let asking = false
	const { code, output } = await demo(['--seconds', '60', '--data', own], async (child, soFar) => {
		if (asking || !soFar.includes(' requests/s ')) return
		asking = true
		const until = performance.now() + 30_000
		do told = await mirrors()
		while (!/Mirrored Position +[1-9]/.test(told) && performance.now() < until)
		child.kill('SIGINT')
	})
	assert.match(told, /^EventStoreDB 127\.0\.0\.1:\d+\n +State +(following|catching up)\n/, told)
	assert.match(told, /Mirrored Position +[1-9]/, told)
	assert.is(code, 0, output)
})

test('a relay that ends in the middle is told, and makes the exit code 1', async () => {
	let killed = false
	const { code, output } = await demo(['--seconds', '20', '--data', data], (_, soFar) => {
		if (killed || !soFar.includes(' requests/s ')) return
		killed = true
		process.kill(Number(readFileSync(join(data, 'owner.pid'), 'utf8')), 'SIGKILL')
	})
	assert.is(code, 1)
	assert.match(output, /The relay ended with SIGKILL\./, output)
	// What had been answered until then is there all the same.
	assert.match(
		output,
		/^Each of the [\d,]+ answers that rest on an event is in the journal\.$/m,
		output,
	)
})

test('a relay that is killed with the demo is not left behind', async () => {
	const { code } = await demo(['--data', data], (child, soFar) => {
		if (soFar.includes(' requests/s ')) child.kill('SIGKILL')
	})
	assert.is(code, null)
	const limit = performance.now() + 10_000
	while (!relayIsGone() && performance.now() < limit) {
		await new Promise(resolve => setTimeout(resolve, 50))
	}
	assert.ok(relayIsGone())
})

test('over several runs, every outcome names the event that opened its exchange', () => {
	const all = events()
	const opening =
		/^(AccessRequested|DisconnectRequested|Accounting(Started|Updated|Stopped|TurnedOn|TurnedOff))$/
	const stray = all.filter(({ stream, data: text }) => {
		const { exchange } = JSON.parse(text)
		if (exchange === undefined) return false
		const opened = all[exchange - 1]
		return opened === undefined || opened.stream !== stream || !opening.test(opened.type)
	})
	assert.is(stray.length, 0, `first: ${JSON.stringify(stray[0])}`)
})

test('says in a sentence why it cannot start', async () => {
	const foreign = mkdtempSync(join(folder, 'foreign-'))
	writeFileSync(join(foreign, 'journal.db'), '')
	const inTheWay = join(folder, 'file')
	writeFileSync(inTheWay, '')
	const cases: [string[], RegExp][] = [
		[['--data', foreign], /holds a journal that is not the demo's: name an empty folder/],
		[['--data', join(inTheWay, 'demo')], /cannot be made \(E(NOTDIR|EXIST).*name another folder/],
		[['--seconds', 'ten'], /--seconds ten: must be a number from 1 to 86400/],
	]
	for (const [args, sentence] of cases) {
		const { code, output } = await demo(args)
		assert.is(code, 1)
		assert.match(output.trim(), sentence)
		assert.not.match(output, /\n\s+at /)
	}
	assert.not.ok(existsSync(join(foreign, 'demo.conf')))
})

test('an answer without its event is missed', () => {
	const received = new Map([
		['a', 2],
		['b', 1],
	])
	assert.is(missingOutcomes(received, new Map([['a', 2]])), 1)
	assert.is(missingOutcomes(received, new Map([['a', 1]])), 2)
	assert.is(missingOutcomes(new Map([['a', 1]]), new Map([['a', 2]])), 0)
})

const key = createMd5Key(Buffer.from('a secret of the test'))
const printer = subscribers.find(({ method }) => method === 'pap')!

/** The home server's answer to a request; undefined when none comes before a Status-Server's. */
async function ask(port: number, request: Uint8Array): Promise<Uint8Array | undefined> {
	const socket = createSocket('udp4')
	try {
		const status = signedRequest(newMessage(codes.statusServer, request[1]! ^ 1, true), key)
		socket.send(request, port, '127.0.0.1')
		socket.send(status, port, '127.0.0.1')
		const [first] = (await once(socket, 'message')) as [Uint8Array]
		if (first[1] !== request[1]) {
			assert.ok(verifyResponse(first, first.length, status, 4, key))
			return undefined
		}
		assert.ok(verifyResponse(first, first.length, request, 4, key))
		return first
	} finally {
		socket.close()
	}
}

function papRequest(password: string, user = printer.name, signed = true): Uint8Array {
	const message: Message = newMessage(codes.accessRequest, 7, signed)
	addText(message, attribute.userName, user)
	const hidden = hideUserPassword(Buffer.from(password), key, authenticatorOf(message.bytes))
	addOctets(message, attribute.userPassword, hidden)
	return signedRequest(message, key)
}

test('the home server knows right from wrong, and answers only what is signed', async () => {
	const options = { address: '127.0.0.1', secret: 'a secret of the test', subscribers }
	const server = await startHomeServer(options)
	try {
		const { authentication, accounting } = server
		const code = async (request: Uint8Array) => (await ask(authentication, request))?.[0]
		assert.is(await code(papRequest(printer.password)), codes.accessAccept)
		assert.is(await code(papRequest(wrongPassword)), codes.accessReject)
		assert.is(await code(papRequest(printer.password, 'nobody')), codes.accessReject)
		assert.is(await code(papRequest(printer.password, printer.name, false)), undefined)
		const forged = papRequest(printer.password)
		forged[forged.length - 1]! ^= 1
		assert.is(await code(forged), undefined)
		const stop = newMessage(codes.accountingRequest, 9, false)
		const accounted = await ask(accounting, signedRequest(stop, key))
		assert.is(accounted?.[0], codes.accountingResponse)
		const badlySigned = signedRequest(newMessage(codes.accountingRequest, 9, false), key)
		badlySigned[5]! ^= 1
		assert.is(await ask(accounting, badlySigned), undefined)
		const status = newMessage(codes.statusServer, 11, true)
		assert.is((await ask(accounting, signedRequest(status, key)))?.[0], codes.accountingResponse)
		assert.is(await code(signedRequest(newMessage(codes.statusServer, 12, true), key)), 2)
	} finally {
		server.close()
	}
})

test.run()
