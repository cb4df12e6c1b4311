/** Pool questions over a real NATS server: copies, crashes, late answers, reloads, accounting. */
import { createSocket, type Socket } from 'node:dgram'
import { readFileSync, writeFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { createServer as createTlsServer } from 'node:tls'
import { connect, nkeys } from 'nats'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { createSrcClient, type SrcClientSettings } from '../../adapters/nats/src-client.ts'
import { describeAttributes } from '../../domain/radius/attribute-text.ts'
import { signResponse, verifyAccountingRequest } from '../../domain/radius/authenticator.ts'
import { builtInDictionary } from '../../domain/radius/dictionary.ts'
import { createMd5Key } from '../../domain/radius/md5.ts'
import type { SrcClient, SrcInfo, SrcOutcome } from '../../domain/sae/client.ts'
import type { Decision } from '../../domain/sae/protocol.ts'
import { type SrcServer, serverRoles } from '../../domain/sae/servers.ts'
import { freePorts } from '../../infra/free-ports.ts'
import { selfSigned } from './credentials.ts'
import { type Adapter, type NatsServer, onlyPool, startAdapter, startNats } from './nats.ts'
import { aloud, canRun, run, start, temporaryFolder, until } from './processes.ts'
import { type RelayProcess, startRelay } from './relay-process.ts'

const main = join(import.meta.dirname, '../../src/main.ts')

const document = readFileSync(join(import.meta.dirname, '../../infra/src-protocol.md'), 'utf8')

let nats: NatsServer
let first: Adapter
let second: Adapter
const clients: SrcClient[] = []

function openClient(
	ports: readonly number[],
	settings: Partial<SrcClientSettings> = {},
): SrcClient & { changes: SrcInfo[] } {
	const servers: SrcServer[] = ports.map((port, i) => ({
		role: serverRoles[i]!,
		address: '127.0.0.1',
		port,
	}))
	const changes: SrcInfo[] = []
	const onChange = (info: SrcInfo) => changes.push(info)
	const client = createSrcClient({ servers, retryMs: 5000, onChange, ...settings })
	clients.push(client)
	return { ...client, changes }
}

function connected(client: SrcClient, limitMs = 5000): Promise<unknown> {
	return until('the SRC client is connected', limitMs, () => client.info().state === 'connected')
}

let asked = 0
function ask(client: SrcClient, virtualRouterName = 'default'): Promise<SrcOutcome<Decision>> {
	const digits = (++asked).toString(16).toUpperCase().padStart(4, '0')
	return client.discover({
		interfaceName: 'eth0',
		macAddress: `02-00-00-00-${digits.slice(0, 2)}-${digits.slice(2)}`,
		virtualRouterName,
		dhcpOptions: { 12: 'bGFwdG9w' },
		userName: 'alice@example.org',
	})
}

function poolOf(outcome: SrcOutcome<Decision>): string {
	if ('failure' in outcome) return `${outcome.failure}: ${outcome.why}`
	return outcome.answer.poolName ?? 'none'
}

/** Asks with that many questions open at once until told to stop; gives all outcomes in order. */
function keepAsking(client: SrcClient, width: number) {
	const outcomes: string[] = []
	let going = true
	const worker = async () => {
		while (going) outcomes.push(poolOf(await ask(client)))
	}
	const workers = Array.from({ length: width }, worker)
	return {
		outcomes,
		async stop() {
			going = false
			await Promise.all(workers)
			return outcomes
		},
	}
}

/** Where each connection comes from, by the connection's name, as the server itself sees it. */
async function connectionsAt(monitor: number): Promise<[name: string, address: string][]> {
	const answer = await fetch(`http://127.0.0.1:${monitor}/connz`)
	const { connections } = (await answer.json()) as { connections: { name: string; ip: string }[] }
	return connections.map(({ name, ip }) => [name, ip])
}

/** Types lines into the shell's Global Configuration mode, and gives what the screen shows. */
async function typed(relay: RelayProcess, ...lines: readonly string[]): Promise<string> {
	const shell = [main, 'shell', '--data', relay.data]
	const text = ['enable', 'configure terminal', ...lines, ''].join('\n')
	const program = start(process.execPath, shell, text)
	await program.exited
	return program.output()
}

if (canRun('the SRC bridge', 'nats-server')) {
	test.before(
		aloud(async () => {
			nats = await startNats()
			;[first, second] = await Promise.all([
				startAdapter(nats.port, onlyPool('a')),
				startAdapter(nats.port, onlyPool('b')),
			])
		}),
	)
	test.after.each(async () => {
		for (const client of clients.splice(0)) await client.close()
	})
	test.after(async () => {
		for (const { program } of [first, second]) await program?.end()
		await nats?.program().end()
	})

	test('two copies share the questions', async () => {
		const client = openClient([nats.port])
		const outcomes = await Promise.all(Array.from({ length: 200 }, () => ask(client)))
		const pools = outcomes.map(poolOf)
		assert.equal([...new Set(pools)].sort(), ['a', 'b'])
		assert.ok(
			outcomes.every(outcome => 'server' in outcome && outcome.server.endsWith(`${nats.port}`)),
		)
		const statistics = client.statistics()
		assert.is(statistics.discoversSeen, 200)
		assert.is(statistics.discoverTransitions, 200)
		assert.is(statistics.activeDiscovers, 0)
		assert.is(statistics.openCompleted, 1)
	})

	test('a subscriber logs in at one copy and out at another', async () => {
		const client = openClient([nats.port])
		const subscriber = {
			macAddress: '02-00-00-00-00-01',
			ipAddress: '10.1.0.9',
			virtualRouterName: 'default',
		}
		for (let round = 0; round < 8; round++) {
			const at = 1_767_261_600_000 + round
			const opened = await client.address({
				...subscriber,
				event: 'AUTHADDR',
				at,
				interfaceName: 'eth0',
				dhcpOptions: {},
				serviceBundle: 'gold',
			})
			if ('failure' in opened) throw new Error(opened.why)
			assert.is(opened.answer.service, 'gold')
			const deletion = { ...subscriber, cause: 'User-Request', since: at, at: at + 9000 } as const
			const closed = await client.delete(deletion)
			if ('failure' in closed) throw new Error(closed.why)
			assert.equal(closed.answer, { sessionId: opened.answer.sessionId, sessionSeconds: 9 })
		}
		assert.is(client.statistics().activeAddresses, 0)
		assert.is(client.statistics().addressTransitions, 16)
	})

	test('questions that cannot be taken are told why', async () => {
		const client = openClient([nats.port])
		const outcome = await client.discover({
			interfaceName: 'eth0',
			macAddress: 'nonsense',
			virtualRouterName: 'default',
			dhcpOptions: {},
		})
		assert.is('failure' in outcome && outcome.failure, 'refused')
		assert.match('failure' in outcome ? outcome.why : '', 'Field "macAddress" must be')
		assert.is(client.statistics().refusals, 1)
	})

	test('a bounded number of questions is open at once', async () => {
		const client = openClient([nats.port], { maximumOpen: 10 })
		const outcomes = await Promise.all(Array.from({ length: 15 }, () => ask(client)))
		const refused = outcomes.filter(o => 'failure' in o && o.failure === 'too-many-questions')
		assert.is(refused.length, 5)
		assert.is(client.statistics().internalErrors, 5)
	})

	test('an answer after the limit is counted and ignored', async () => {
		const client = openClient([nats.port], { limitMs: 300, repeatMs: 1000 })
		await connected(client)
		for (const { program } of [first, second]) process.kill(program.pid, 'SIGSTOP')
		const outcome = await ask(client)
		for (const { program } of [first, second]) process.kill(program.pid, 'SIGCONT')
		assert.is('failure' in outcome && outcome.failure, 'timeout')
		await until('the late answer', 5000, () => client.statistics().lateAnswers === 1)
		assert.match(poolOf(await ask(client)), /^[ab]$/)
		assert.is(client.statistics().closedSent, 0)
	})

	test('answers that cannot be read, or answer another question, are counted and ignored', async () => {
		const strange = await connect({ servers: `127.0.0.1:${nats.port}` })
		const accept = { v: 1, accept: true, poolName: 'x' }
		strange.subscribe('radledger.src.strange.discover', {
			callback: (_, message) => {
				const { id } = JSON.parse(message.string())
				message.respond('{')
				message.respond(JSON.stringify({ ...accept, id, accept: 'yes' }))
				message.respond(JSON.stringify({ ...accept, id: 'another' }))
				strange.publish(message.reply!.replace(/[^.]*$/, '999999'), 'x')
				setTimeout(() => message.respond(JSON.stringify({ ...accept, id })), 50)
			},
		})
		const strangeOnly = openClient([nats.port])
		await strange.flush()
		// The adapters answer for all virtual routers: they must not be the ones that do here.
		for (const { program } of [first, second]) process.kill(program.pid, 'SIGSTOP')
		const outcome = await ask(strangeOnly, 'strange')
		for (const { program } of [first, second]) process.kill(program.pid, 'SIGCONT')
		await strange.close()
		assert.is(poolOf(outcome), 'x')
		const { malformedAnswers, foreignAnswers } = strangeOnly.statistics()
		assert.equal([malformedAnswers, foreignAnswers], [2, 2])
	})

	test('the copy that has a question dies: another one gets it', async () => {
		const doomed = await startAdapter(nats.port, onlyPool('doomed'))
		const client = openClient([nats.port], { repeatMs: 200 })
		await connected(client)
		process.kill(doomed.program.pid, 'SIGSTOP')
		const questions = Array.from({ length: 30 }, () => ask(client))
		// Its share of the questions is with it by now, or on its way there.
		await doomed.program.end('SIGKILL')
		for (const outcome of await Promise.all(questions)) assert.match(poolOf(outcome), /^[ab]$/)
	})

	test('rules are reloaded under load, and bad ones refused, without a failed question', async () => {
		await second.program.end()
		const client = openClient([nats.port])
		const load = keepAsking(client, 8)
		const sees = (pool: string) =>
			until(`answers from pool ${pool}`, 10_000, () => load.outcomes.at(-1) === pool)
		await sees('a')
		first.writeRules(onlyPool('changed'))
		await sees('changed')
		first.writeRules('rule x\n  match realm a\n  pol x\n')
		process.kill(first.program.pid, 'SIGHUP')
		await until('the bad rules are refused', 10_000, () =>
			first.program.output().includes('src.rules:3:3: A rule has no \\"pol\\"'),
		)
		first.writeRules(onlyPool('a'))
		process.kill(first.program.pid, 'SIGHUP')
		await sees('a')
		const outcomes = await load.stop()
		const turns = outcomes.filter((pool, i) => pool !== outcomes[i - 1])
		// Eight questions are open at once: around a change their answers may cross.
		assert.equal([...new Set(turns)], ['a', 'changed'])
		assert.is(client.statistics().communicationErrors, 0)
		second = await startAdapter(nats.port, onlyPool('b'))
	})

	test('a copy that stops answers what it has', async () => {
		const client = openClient([nats.port], { repeatMs: 5000, limitMs: 4000 })
		const load = keepAsking(client, 8)
		await until('both answer', 5000, () => new Set(load.outcomes).size === 2)
		const { code } = await second.program.end('SIGTERM')
		assert.is(code, 0)
		const outcomes = await load.stop()
		assert.equal([...new Set(outcomes)].sort(), ['a', 'b'])
		second = await startAdapter(nats.port, onlyPool('b'))
	})

	test('the NATS server is killed amid questions and revived', async () => {
		const client = openClient([nats.port], { limitMs: 1000 })
		const load = keepAsking(client, 4)
		await until('answers', 5000, () => load.outcomes.length > 50)
		await nats.program().end('SIGKILL')
		await until('a failure', 5000, () => load.outcomes.some(pool => pool.includes(': ')))
		assert.not.equal(client.info().state, 'connected')
		await nats.revive()
		await until('answers again', 20_000, () => /^[ab]$/.test(load.outcomes.at(-1) ?? ''))
		const failures = (await load.stop()).filter(pool => !/^[ab]$/.test(pool))
		assert.ok(
			failures.every(why => /^(no-connection|timeout): /.test(why)),
			failures[0],
		)
		assert.is(client.info().state, 'connected')
		assert.is(client.statistics().activeDiscovers, 0)
		assert.ok(client.statistics().closedRemotely >= 1)
	})

	test('a primary where nobody listens: the secondary answers the same question; then the return', async () => {
		const primary = await startNats()
		const client = openClient([primary.port, nats.port], { retryMs: 300 })
		assert.match(poolOf(await ask(client)), /^[ab]$/)
		assert.is(client.info().role, 'secondary')
		const better = await startAdapter(primary.port, onlyPool('better'))
		const load = keepAsking(client, 1)
		await until('the return', 10_000, () => client.info().role === 'primary')
		await until('its answers', 5000, () => load.outcomes.at(-1) === 'better')
		// A server that hangs: NATS itself answers nothing any more.
		process.kill(primary.program().pid, 'SIGSTOP')
		await until('the secondary again', 10_000, () => client.info().role === 'secondary')
		await until('its answers', 5000, () => /^[ab]$/.test(load.outcomes.at(-1)!))
		const outcomes = await load.stop()
		process.kill(primary.program().pid, 'SIGCONT')
		assert.equal(
			[...new Set(outcomes)].filter(pool => pool.includes(': ')),
			[],
		)
		await better.program.end()
		await primary.program().end()
	})

	test('the primary returns although the secondary is always quicker', async () => {
		const slow = await startNats()
		const client = openClient([slow.port, nats.port], { retryMs: 300 })
		assert.match(poolOf(await ask(client)), /^[ab]$/)
		const connection = await connect({ servers: `127.0.0.1:${slow.port}` })
		connection.subscribe('radledger.src.default.discover', {
			callback: (_, message) => {
				const { v, id } = JSON.parse(message.string())
				const answer = JSON.stringify({ v, id, accept: true, poolName: 'slow' })
				setTimeout(() => message.respond(answer), 50)
			},
		})
		await until('the return', 5000, async () => {
			await ask(client)
			return client.info().role === 'primary'
		})
		assert.is(poolOf(await ask(client)), 'slow')
		const { lateAnswers, foreignAnswers } = client.statistics()
		assert.equal([lateAnswers, foreignAnswers], [0, 0])
		await connection.close()
		await slow.program().end()
	})

	test('its sessions become RADIUS accounting when that is asked for', async () => {
		const secret = 'secret-of-the-accounting-server'
		const secretFile = join(temporaryFolder('secret'), 'secret')
		writeFileSync(secretFile, `${secret}\n`)
		const key = createMd5Key(new TextEncoder().encode(secret))
		const received: string[] = []
		const server: Socket = createSocket('udp4')
		server.on('message', (packet, { port, address }) => {
			assert.ok(verifyAccountingRequest(packet, packet.length, key))
			received.push(describeAttributes(builtInDictionary, packet, 20, packet.length).join('\n'))
			// The first is lost: it must come again.
			if (received.length === 1) return
			const answer = Buffer.from([5, packet[1]!, 0, 20, ...new Uint8Array(16)])
			signResponse(answer, 20, packet, 4, key)
			server.send(answer, port, address)
		})
		await new Promise<void>(resolve => server.bind(0, '127.0.0.1', resolve))
		const rules = 'service gold\n  class gold-2026\ndefault\n  service gold\n'
		const adapter = await startAdapter(nats.port, rules, {
			flags: [
				...['--virtual-router', 'accounted'],
				...['--radius-accounting', `127.0.0.1:${server.address().port}`],
				...['--radius-secret-file', secretFile],
			],
		})
		for (const { program } of [first, second]) await program.end()
		const client = openClient([nats.port])
		const subscriber = {
			macAddress: '02-00-00-00-00-01',
			ipAddress: '10.1.0.9',
			virtualRouterName: 'accounted',
		}
		const at = Date.now()
		const opened = await client.address({
			...subscriber,
			event: 'ADDR',
			at,
			interfaceName: 'eth0',
			dhcpOptions: {},
		})
		if ('failure' in opened) throw new Error(opened.why)
		await until('the Start comes again', 10_000, () => received.length === 2)
		assert.match(received[0]!, /Acct-Delay-Time = 0/)
		assert.match(received[1]!, /Acct-Delay-Time = 3/)
		assert.match(received[1]!, `Acct-Session-Id = ${opened.answer.sessionId}`)
		assert.match(received[1]!, `Class = 0x${Buffer.from('gold-2026').toString('hex')}`)
		await client.delete({
			...subscriber,
			...opened.answer,
			cause: 'Lost-Carrier',
			since: at,
			at: at + 60_000,
		})
		await adapter.program.end()
		assert.is(received.length, 3)
		assert.match(received[2]!, /Acct-Status-Type = Stop/)
		assert.match(received[2]!, /Acct-Terminate-Cause = Lost-Carrier/)
		assert.match(received[2]!, /Acct-Session-Time = 60/)
		await new Promise<void>(resolve => server.close(() => resolve()))
		;[first, second] = await Promise.all([
			startAdapter(nats.port, onlyPool('a')),
			startAdapter(nats.port, onlyPool('b')),
		])
	})

	test('TLS and an NKEY', async () => {
		if (!canRun('TLS to NATS', 'openssl')) return
		const { certificate, keyFile } = await selfSigned()
		const seedFile = join(temporaryFolder('nkey'), 'seed')
		const user = nkeys.createUser()
		writeFileSync(seedFile, Buffer.from(user.getSeed()))
		const secured = await startNats(
			`tls { cert_file: "${certificate}", key_file: "${keyFile}" }\nauthorization { users: [ { nkey: ${user.getPublicKey()} } ] }\n`,
		)
		const url = ['--nats', `tls://127.0.0.1:${secured.port}`]
		const flags = [...url, '--nats-ca', certificate, '--nats-nkey', seedFile]
		const adapter = await startAdapter(secured.port, onlyPool('secured'), { flags })
		const security = { nkeySeedFile: seedFile, tls: { caFile: certificate } }
		assert.is(poolOf(await ask(openClient([secured.port], { security }))), 'secured')
		const nobody = await startAdapter(secured.port, onlyPool('x'), {
			flags: [...url, '--nats-ca', certificate],
			wait: false,
		})
		const { code } = await nobody.program.exited
		assert.is(code, 1)
		assert.match(nobody.program.output(), 'NATS cannot be used at 127.0.0.1')
		await adapter.program.end()
		await secured.program().end()
	})

	test('a certificate for another address is none for this one, nor is one for localhost', async () => {
		if (!canRun('TLS to NATS', 'openssl')) return
		const { certificate, keyFile } = await selfSigned('127.0.0.9', 'localhost')
		const other = await startNats(`tls { cert_file: "${certificate}", key_file: "${keyFile}" }`)
		const told = Promise.withResolvers<string>()
		const security = { tls: { caFile: certificate } }
		const client = openClient([other.port], {
			security,
			onTrouble: (_, sentence) => told.resolve(sentence),
		})
		assert.match(await told.promise, "127.0.0.1 is not in the cert's list: 127.0.0.9.")
		assert.is.not(client.info().state, 'connected')
		await other.program().end()
	})

	test('connections come from the source address, with TLS as well', async () => {
		if (!canRun('TLS to NATS', 'openssl')) return
		const [monitor, securedMonitor] = (await freePorts(2)) as [number, number]
		const { certificate, keyFile } = await selfSigned()
		const plain = await startNats(`http: "127.0.0.1:${monitor}"`)
		const secured = await startNats(
			`http: "127.0.0.1:${securedMonitor}"
			tls { cert_file: "${certificate}", key_file: "${keyFile}" }`,
		)
		const tls = { caFile: certificate }
		const localAddress = '127.0.0.2'
		openClient([plain.port], { name: 'from-2', localAddress })
		// What the other one does with its connections changes nothing here.
		openClient([plain.port], { name: 'as-routed' })
		openClient([secured.port], { name: 'secured', localAddress, security: { tls } })
		await Promise.all(clients.map(client => connected(client)))
		const seen = [...(await connectionsAt(monitor)), ...(await connectionsAt(securedMonitor))]
		assert.equal(Object.fromEntries(seen), {
			'from-2': '127.0.0.2',
			'as-routed': '127.0.0.1',
			secured: '127.0.0.2',
		})
		await Promise.all([plain.program().end(), secured.program().end()])
		// Not every nats-server has `handshake_first`: whoever takes the connection sees its address.
		const [key, cert] = [readFileSync(keyFile), readFileSync(certificate)]
		const seenFrom = Promise.withResolvers<string | undefined>()
		const first = createTlsServer({ key, cert }, socket => {
			seenFrom.resolve(socket.remoteAddress)
			socket.destroy()
		}).listen(0, '127.0.0.1')
		await new Promise(resolve => first.once('listening', resolve))
		const { port } = first.address() as AddressInfo
		const handshakeFirst = { tls: { ...tls, handshakeFirst: true } }
		openClient([port], { localAddress, security: handshakeFirst })
		assert.is(await seenFrom.promise, localAddress)
		first.close()
	})

	test('sscc sourceAddress: the server sees it, the shell shows it, and a foreign one is refused', async () => {
		const [monitor] = (await freePorts(1)) as [number]
		const server = await startNats(`http: "127.0.0.1:${monitor}"`)
		const sscc = [`sscc primary address 127.0.0.1 port ${server.port}`, 'sscc enable']
		const global = ['sscc sourceAddress 127.0.0.2', ...sscc]
		const relay = await startRelay({ servers: [], global })
		const from = async (address: string) => {
			await until(`the server sees ${address}`, 5000, async () => {
				const [only, ...others] = await connectionsAt(monitor)
				return others.length === 0 && only?.[1] === address
			})
		}
		await from('127.0.0.2')
		const shown = 'Local Source: lo, Local Source Address: 127.0.0.2'
		assert.match(await relay.exec('show sscc info'), shown)
		await typed(relay, 'sscc sourceAddress 127.0.0.3')
		await from('127.0.0.3')
		const refusal = await typed(relay, 'sscc sourceAddress 192.0.2.1')
		assert.match(
			refusal,
			'SRC cannot be asked from 192.0.2.1: this machine does not have that address.',
		)
		await typed(relay, 'no sscc sourceAddress')
		await from('127.0.0.1')
		await typed(relay, 'virtual-router mgmt', 'radius update-source-addr 127.0.0.4', 'exit')
		assert.match(await typed(relay, 'sscc transportRouter nowhere'), 'which does not exist')
		await typed(relay, 'sscc transportRouter mgmt')
		await from('127.0.0.4')
		const info = await relay.exec('show sscc info')
		assert.match(info, 'Local Source Address: 127.0.0.4')
		assert.match(info, 'The configured transport router is: mgmt')
		// The configuration file that the relay wrote names a virtual router further down.
		await relay.stop()
		await relay.restart()
		await from('127.0.0.4')
		await relay.stop()
		await server.program().end()
	})

	test('a user with a password: from a file, of the relay and of the adapter', async () => {
		const password = 'sesame-7f3a'
		const server = await startNats(
			// As infra/src-protocol.md has it.
			document.match(/```nats\n(.*?)```/s)![1]!.replaceAll('...', password),
		)
		const folder = temporaryFolder('password')
		const [passwordFile, wrongFile] = [join(folder, 'right'), join(folder, 'wrong')]
		writeFileSync(passwordFile, `${password}\n`)
		writeFileSync(wrongFile, 'open-up\n')
		const login = (user: string, file: string) => {
			return ['--nats-user', user, '--nats-password-file', file]
		}
		const flags = login('adapter', passwordFile)
		const adapter = await startAdapter(server.port, onlyPool('known'), { flags })
		const security = { user: 'relay', passwordFile }
		assert.is(poolOf(await ask(openClient([server.port], { security }))), 'known')

		const global = [`sscc primary address 127.0.0.1 port ${server.port}`, 'sscc enable']
		const relay = await startRelay({ servers: [], global, flags: login('relay', wrongFile) })
		const sentence = `The SRC server 127.0.0.1:${server.port} cannot be used: 'Authorization Violation'.`
		await until('the relay says why it is refused', 5000, () => relay.log().includes(sentence))
		assert.match(await relay.exec('show sscc info'), 'connection state is: NoConnection')
		// The file is read anew with every connection.
		writeFileSync(wrongFile, `${password}\n`)
		await until('the relay is connected', 10_000, () => relay.events('SrcServerChanged').length > 0)
		const told = relay.log() + JSON.stringify(relay.events()) + readFileSync(relay.config, 'utf8')
		assert.not.match(told + (await relay.exec('show configuration')), /sesame|open-up/)
		await Promise.all([relay.stop(), adapter.program.end(), server.program().end()])
	})

	test('an adapter waits for its NATS server, and can be stopped while it does', async () => {
		const away = await startNats()
		await away.program().end('SIGKILL')
		const waiting = await startAdapter(away.port, onlyPool('a'), { wait: false })
		await until('it says so', 10_000, () =>
			waiting.program.output().includes('No NATS server can be reached'),
		)
		await away.revive()
		await until('it is ready', 10_000, () => waiting.program.output().includes('"id":"ready"'))
		await away.program().end('SIGKILL')
		await until('it has noticed', 10_000, () => waiting.program.output().includes('is gone'))
		assert.is((await waiting.program.end('SIGTERM')).code, 0)
		const other = await startAdapter(away.port, onlyPool('a'), { wait: false })
		await until('it waits', 10_000, () => other.program.output().includes('can be reached'))
		assert.is((await other.program.end('SIGTERM')).code, 0)
	})

	test('bad rules, a missing file and bad flags: nothing starts', async () => {
		const bad = await startAdapter(nats.port, 'default\n  pol x\n', { wait: false })
		assert.is((await bad.program.exited).code, 1)
		assert.match(bad.program.output(), /src\.rules:2:3: A rule has no "pol"; write match, pool/)
		const refused: readonly (readonly [readonly string[], RegExp])[] = [
			[['--rules', '/nonexistent', '--nats', 'nats://127.0.0.1'], /There is no rules file/],
			[['--nats', 'nats://127.0.0.1'], /--rules \(or RADLEDGER_RULES\) is missing/],
			[['--rules', bad.rulesFile], /--nats \(or RADLEDGER_NATS\) is missing/],
			[['--rules', bad.rulesFile, '--nats', 'http://a:secret@b'], /must be a URL such as nats:/],
			[['--rules', 'x', '--nats', 'nats://a', '--radius-accounting', 'a:0'], /must be HOST:PORT/],
			[
				['--rules', 'x', '--nats', 'nats://a', '--radius-accounting', 'a:1'],
				/--radius-secret-file .* is missing/,
			],
		]
		for (const [flags, why] of refused) {
			const { code, output } = await run(process.execPath, [main, 'src-adapter', ...flags])
			assert.is(code, 1)
			assert.match(output, why)
			assert.not.match(output, /secret@/)
		}
	})
}

test.run()
