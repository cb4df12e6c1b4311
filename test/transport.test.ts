/** One suite for both transports; what only one of them can do says so where it is left out. */

import { execFile } from 'node:child_process'
import { stat } from 'node:fs/promises'
import { suite, test } from 'uvu'
import * as assert from 'uvu/assert'
import { openTransport } from '../adapters/radius/open-transport.ts'
import type { DatagramSocket, Memory, Transport } from '../adapters/radius/transport.ts'
import { batchSize, bufferSize, sendQueueLimit } from '../adapters/radius/transport.ts'
import { formatIpv4 } from '../domain/address.ts'

const loopback = 0x7f000001
/** Nothing here takes long; this only bounds a failure. */
const patienceMs = 10_000

type Datagram = {
	readonly bytes: Uint8Array
	readonly length: number
	readonly address: number
	readonly port: number
	readonly local: number
}

/** One `receive` as datagrams that stay valid. */
function take(socket: DatagramSocket): Datagram[] {
	const received = socket.receive()
	return Array.from({ length: received.count }, (_, i) => ({
		bytes: received.buffers[i]!.slice(0, received.lengths[i]!),
		length: received.lengths[i]!,
		address: received.addresses[i]!,
		port: received.ports[i]!,
		local: received.locals[i]!,
	}))
}

/** Runs turns until `turn` says that it is done. */
async function runUntil(
	transport: Transport,
	turn: (ready: readonly DatagramSocket[]) => boolean,
	tickMs = 60_000, // past anyone's patience: what the tests wait for must make a socket ready
): Promise<void> {
	const { promise, resolve, reject } = Promise.withResolvers<void>()
	const late = setTimeout(() => reject(new Error('waited too long')), patienceMs)
	transport.run(ready => {
		try {
			if (turn(ready)) resolve()
		} catch (error) {
			reject(error)
		}
	}, tickMs)
	try {
		await promise
	} finally {
		clearTimeout(late)
		transport.stop()
	}
}

async function collect(
	transport: Transport,
	socket: DatagramSocket,
	count: number,
): Promise<Datagram[]> {
	const datagrams: Datagram[] = []
	await runUntil(transport, ready => {
		if (ready.includes(socket)) datagrams.push(...take(socket))
		return datagrams.length >= count
	})
	return datagrams
}

function number32(memory: Memory, offset: number, value: number): void {
	new DataView(memory.bytes.buffer, memory.bytes.byteOffset).setUint32(offset, value)
}
const read32 = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset).getUint32(0)

function failure(promise: Promise<unknown>): Promise<Error & { code?: string }> {
	return promise.then(
		() => assert.unreachable('it should have failed'),
		error => error,
	) as Promise<Error & { code?: string }>
}

type Context = { transport: Transport }

for (const kind of ['linux', 'dgram'] as const) {
	const of = suite<Context>(kind)
	of.before.each(async context => {
		context.transport = (await openTransport({ force: kind })).transport
	})
	of.after.each(context => context.transport.close())

	of('carries many datagrams there and back, in order', async ({ transport }) => {
		const server = await transport.bind(loopback, 0)
		const client = await transport.connect(loopback, server.port, 0)
		const memory = transport.allocate(8 * batchSize)
		const answers = transport.allocate(8 * batchSize)
		const total = 2000
		let asked = 0
		const heard: number[] = []
		const ask = () => {
			for (let i = 0; i < 50; i++) {
				number32(memory, i * 8, asked++)
				client.send(memory, i * 8, 8, 0, 0, 0)
			}
			client.flush()
		}
		ask()
		await runUntil(transport, ready => {
			if (ready.includes(server)) {
				for (const [i, datagram] of take(server).entries()) {
					assert.is(datagram.address, loopback)
					assert.is(datagram.port, client.port)
					assert.is(datagram.local, loopback)
					answers.bytes.set(datagram.bytes, i * 8)
					server.send(answers, i * 8, 8, datagram.address, datagram.port, 0)
				}
				server.flush()
			}
			if (ready.includes(client)) {
				for (const { bytes, address, port } of take(client)) {
					assert.is(`${formatIpv4(address)}:${port}`, `127.0.0.1:${server.port}`)
					heard.push(read32(bytes))
				}
				if (heard.length === asked && asked < total) ask()
			}
			return heard.length === total
		})
		assert.equal(
			heard,
			Array.from({ length: total }, (_, i) => i),
		)
		assert.is(client.takeUnsent() + server.takeUnsent(), 0)
	})

	of('shows lengths as they are, and oversized ones as oversized', async ({ transport }) => {
		const server = await transport.bind(loopback, 0)
		const client = await transport.connect(loopback, server.port, 0)
		const memory = transport.allocate(65_507)
		for (let i = 0; i < memory.bytes.length; i++) memory.bytes[i] = i * 7
		const lengths = [0, 1, 4096, 4097, 65_507, 20]
		for (const length of lengths) client.send(memory, 0, length, 0, 0, 0)
		client.flush()
		const datagrams = await collect(transport, server, lengths.length)
		assert.equal(
			datagrams.map(({ length }) => length),
			lengths.map(length => Math.min(length, bufferSize)),
		)
		for (const { bytes, length } of datagrams) {
			assert.equal(bytes, memory.bytes.slice(0, length))
		}
	})

	of('counts refusals and goes on', async ({ transport }) => {
		const gone = await transport.bind(loopback, 0)
		gone.close()
		const client = await transport.connect(loopback, gone.port, 0)
		const memory = transport.allocate(4)
		client.send(memory, 0, 4, 0, 0, 0)
		client.flush()
		let refused = 0
		await runUntil(transport, ready => {
			for (const socket of ready) socket.receive()
			refused += client.takeRefused()
			return refused > 0
		})
		assert.is(refused, 1)
		assert.is(client.takeRefused(), 0)
		// Ten at once: a refusal belongs to an earlier datagram, and costs no later one.
		for (let i = 0; i < 10; i++) client.send(memory, 0, 4, 0, 0, 0)
		client.flush()
		await runUntil(transport, ready => {
			for (const socket of ready) socket.receive()
			refused += client.takeRefused()
			return refused > 1
		})
		// A refusal that is still to be told when the port is back costs no datagram either.
		client.send(memory, 0, 4, 0, 0, 0)
		client.flush()
		const back = await transport.bind(loopback, gone.port)
		client.send(memory, 0, 4, 0, 0, 0)
		client.flush()
		assert.is((await collect(transport, back, 1)).length, 1)
		assert.is(client.takeUnsent(), 0)
	})

	of('answers from the address that was asked', async ({ transport }) => {
		const server = await transport.bind(0, 0)
		const other = 0x7f000002
		const client = await transport.connect(other, server.port, 0)
		const memory = transport.allocate(4)
		client.send(memory, 0, 4, 0, 0, 0)
		client.flush()
		const [asked] = await collect(transport, server, 1)
		if (kind === 'dgram') {
			console.log('(dgram: left out, Node does not tell the local address of a datagram)')
			assert.is(asked!.local, 0)
			return
		}
		assert.is(formatIpv4(asked!.local), '127.0.0.2')
		// The client is connected: the kernel gives it nothing that comes from another address.
		number32(memory, 0, 1)
		server.send(memory, 0, 4, asked!.address, asked!.port, loopback)
		server.flush()
		number32(memory, 0, 2)
		server.send(memory, 0, 4, asked!.address, asked!.port, asked!.local)
		server.flush()
		const answers = await collect(transport, client, 1)
		assert.equal(
			answers.map(({ bytes }) => read32(bytes)),
			[2],
		)
	})

	of('takes octets from memory at flush, neither before nor after', async ({ transport }) => {
		const server = await transport.bind(loopback, 0)
		const client = await transport.bind(loopback, 0)
		const memory = transport.allocate(64)
		number32(memory, 32, 1)
		client.send(memory, 32, 4, loopback, server.port, 0)
		number32(memory, 32, 2)
		client.flush()
		number32(memory, 32, 3)
		client.flush()
		client.send(memory, 32, 4, loopback, server.port, 0)
		client.flush()
		const datagrams = await collect(transport, server, 2)
		assert.equal(
			datagrams.map(({ bytes }) => read32(bytes)),
			[2, 3],
		)
	})

	of('flushes 1,000 queued datagrams', async ({ transport }) => {
		const client = await transport.bind(loopback, 0)
		const servers = await Promise.all(Array.from({ length: 10 }, () => transport.bind(loopback, 0)))
		const memory = transport.allocate(4000)
		for (let i = 0; i < 1000; i++) {
			number32(memory, i * 4, i)
			client.send(memory, i * 4, 4, loopback, servers[i % 10]!.port, 0)
		}
		client.flush()
		const heard = servers.map((): number[] => [])
		await runUntil(transport, ready => {
			for (const socket of ready) {
				heard[servers.indexOf(socket)]!.push(...take(socket).map(({ bytes }) => read32(bytes)))
			}
			return heard.flat().length === 1000
		})
		for (const [s, numbers] of heard.entries()) {
			assert.equal(
				numbers,
				Array.from({ length: 100 }, (_, i) => i * 10 + s),
			)
		}
		assert.is(client.takeUnsent(), 0)
	})

	of('limits what is queued, and counts the rest', async ({ transport }) => {
		const client = await transport.bind(loopback, 0)
		const memory = transport.allocate(1)
		for (let i = 0; i < sendQueueLimit + 5; i++) client.send(memory, 0, 1, loopback, 9, 0)
		assert.is(client.takeUnsent(), 5)
		assert.is(client.takeUnsent(), 0)
	})

	of('passes over a datagram that nobody could get', async ({ transport }) => {
		const server = await transport.bind(loopback, 0)
		const client = await transport.bind(loopback, 0)
		const memory = transport.allocate(4)
		client.send(memory, 0, 4, loopback, 0, 0)
		client.send(memory, 0, 4, loopback, server.port, 0)
		client.flush()
		assert.is((await collect(transport, server, 1)).length, 1)
		assert.is(client.takeUnsent(), 1)
	})

	of('sends nothing from outside the memory', async ({ transport }) => {
		const client = await transport.bind(loopback, 0)
		const memory = transport.allocate(100_000)
		const send = (offset: number, length: number) => () =>
			client.send(memory, offset, length, loopback, 9, 0)
		for (const wrong of [send(99_990, 11), send(-1, 4), send(0, -4), send(0, Number.NaN)]) {
			assert.throws(wrong, /cannot send/)
		}
		assert.throws(send(0, 65_508), /cannot send 65508 octets at 0 of 100000/)
	})

	of('tells of every socket, however many are ready', async ({ transport }) => {
		const client = await transport.bind(loopback, 0)
		const memory = transport.allocate(4)
		const waiting = new Set<DatagramSocket>()
		for (let i = 0; i < 300; i++) {
			const server = await transport.bind(loopback, 0)
			waiting.add(server)
			client.send(memory, 0, 4, loopback, server.port, 0)
		}
		client.flush()
		await runUntil(transport, ready => {
			for (const socket of ready) if (socket.receive().count > 0) waiting.delete(socket)
			return waiting.size === 0
		})
	})

	of('keeps what came before it ran, and more than one batch', async ({ transport }) => {
		const server = await transport.bind(loopback, 0)
		const client = await transport.connect(loopback, server.port, 0)
		const memory = transport.allocate(4)
		const count = batchSize * 2 + 3
		for (let i = 0; i < count; i++) client.send(memory, 0, 4, 0, 0, 0)
		client.flush()
		const batches: number[] = []
		await runUntil(transport, ready => {
			if (ready.includes(server)) batches.push(server.receive().count)
			return batches.reduce((sum, batch) => sum + batch, 0) === count
		})
		assert.ok(batches.every(batch => batch <= batchSize))
	})

	of('brings back a socket that a turn left alone', async ({ transport }) => {
		const server = await transport.bind(loopback, 0)
		const client = await transport.connect(loopback, server.port, 0)
		const memory = transport.allocate(4)
		client.send(memory, 0, 4, 0, 0, 0)
		client.flush()
		let turns = 0
		await runUntil(transport, ready => ready.includes(server) && ++turns === 3)
		assert.is(server.receive().count, 1)
	})

	of('closes sockets in the middle of traffic', async ({ transport }) => {
		const client = await transport.bind(loopback, 0)
		const first = await transport.bind(loopback, 0)
		const second = await transport.bind(loopback, 0)
		const memory = transport.allocate(4)
		const sendBoth = () => {
			client.send(memory, 0, 4, loopback, first.port, 0)
			client.send(memory, 0, 4, loopback, second.port, 0)
			client.flush()
		}
		sendBoth()
		let heard = 0
		await runUntil(transport, ready => {
			if (!ready.includes(second)) return false
			first.close()
			first.close()
			assert.is(first.receive().count, 0)
			first.send(memory, 0, 4, loopback, second.port, 0)
			first.flush()
			assert.is(first.takeOverflowed(), 0)
			heard += second.receive().count
			if (heard < 5) sendBoth()
			return heard === 5
		})
		// Its place is free for another socket, which gets nothing of the old one's.
		const next = await transport.bind(loopback, first.port)
		assert.is(next.receive().count, 0)
	})

	of('names what is in the way of a socket', async ({ transport }) => {
		const { port } = await transport.bind(loopback, 0)
		const taken = await failure(transport.bind(loopback, port))
		assert.is(taken.code, 'EADDRINUSE')
		assert.match(taken.message, `127.0.0.1:${port}`)
		const foreign = await failure(transport.bind(0xc0000201, port)) // RFC 5737
		assert.is(foreign.code, 'EADDRNOTAVAIL')
		assert.match(foreign.message, `192.0.2.1:${port}`)
		const source = await failure(transport.connect(loopback, port, 0xc0000201))
		assert.is(source.code, 'EADDRNOTAVAIL')
		const sourced = await transport.connect(loopback, port, 0x7f000003)
		assert.is(formatIpv4(sourced.address), '127.0.0.3')
	})

	of('ticks when nothing comes', async ({ transport }) => {
		await transport.bind(loopback, 0)
		let ticks = 0
		await runUntil(
			transport,
			ready => {
				assert.is(ready.length, 0)
				return ++ticks === 3
			},
			2,
		)
		assert.is(ticks, 3)
	})

	of('lets timers, promises and files have their turn in traffic', async ({ transport }) => {
		const one = await transport.bind(loopback, 0)
		const two = await transport.connect(loopback, one.port, 0)
		const memory = transport.allocate(4)
		let rounds = 0
		let events = 0
		const event = () => {
			events++
		}
		two.send(memory, 0, 4, 0, 0, 0)
		two.flush()
		await runUntil(transport, ready => {
			if (rounds++ === 0) {
				setTimeout(event, 1)
				stat('.').then(event)
				Promise.resolve().then(event)
			}
			for (const socket of ready) {
				for (const { address, port } of take(socket)) socket.send(memory, 0, 4, address, port, 0)
				socket.flush()
			}
			assert.ok(rounds < 500_000, 'the loop starves the others')
			return events === 3
		})
	})

	of('stops, runs again, and refuses what makes no sense', async ({ transport }) => {
		await runUntil(transport, () => true, 1)
		await runUntil(transport, () => true, 1)
		transport.run(() => {}, 1000)
		assert.throws(() => transport.run(() => {}, 1000), /runs already/)
		transport.close()
		transport.close()
		transport.stop()
		assert.throws(() => transport.run(() => {}, 1000), /closed/)
		assert.match((await failure(transport.bind(loopback, 0))).message, /closed/)
	})

	of('lets the process end', async () => {
		const ended = await child(
			kind,
			`
			const socket = await transport.bind(0x7f000001, 0)
			const memory = transport.allocate(4)
			transport.run(ready => {
				if (ready.length === 0) return
				const { count } = socket.receive()
				transport.stop()
				Promise.resolve().then(() => console.log('received', count))
			}, 1000)
			socket.send(memory, 0, 4, socket.address, socket.port, 0)
			socket.flush()`,
		)
		assert.equal(ended, { code: 0, output: 'received 1\n', errors: '' })
	})

	of('lets an error of a turn end the process', async () => {
		const ended = await child(kind, `transport.run(() => { throw new Error('no disk') }, 1)`)
		assert.is(ended.code, 1)
		assert.match(ended.errors, /no disk/)
	})

	of.run()
}

/** Runs `script` with an open `transport` in a process of its own. */
function child(kind: string, script: string) {
	const open = new URL('../adapters/radius/open-transport.ts', import.meta.url)
	const code = `
		import { openTransport } from '${open}'
		const { transport } = await openTransport({ force: '${kind}' })
		${script}`
	const { promise, resolve } = Promise.withResolvers<{
		code: unknown
		output: string
		errors: string
	}>()
	execFile(
		process.execPath,
		['--input-type=module', '-e', code],
		{ timeout: patienceMs },
		(error, output, errors) =>
			resolve({ code: error === null ? 0 : (error.code ?? error.signal), output, errors }),
	)
	return promise
}

test('linux counts every datagram that the kernel drops', async () => {
	const { transport } = await openTransport({ force: 'linux' })
	const server = await transport.bind(loopback, 0)
	const client = await transport.connect(loopback, server.port, 0)
	const memory = transport.allocate(65_507)
	// Some 3 MB at a time, without a turn: more than the kernel keeps for a socket.
	let sent = 0
	while (server.takeOverflowed() === 0 && sent < 10_000) {
		for (let i = 0; i < 50; i++) client.send(memory, 0, 65_507, 0, 0, 0)
		client.flush()
		sent += 50
	}
	assert.ok(sent < 10_000, 'nothing was dropped')
	transport.close()
})

test('linux knows what the kernel does with checksums', async () => {
	const linux = (await openTransport({ force: 'linux' })).transport
	assert.is(linux.udpChecksums(), 'enabled')
	linux.close()
	const dgram = (await openTransport({ force: 'dgram' })).transport
	assert.is(dgram.udpChecksums(), 'unknown')
	dgram.close()
})

test('falls back to dgram with the reason, unless system calls were asked for', async () => {
	const opened = await openTransport()
	assert.is(opened.transport.kind, 'linux')
	opened.transport.close()
	const arch = Object.getOwnPropertyDescriptor(process, 'arch')!
	Object.defineProperty(process, 'arch', { ...arch, value: 'mips' })
	try {
		const { transport, reason } = await openTransport()
		assert.is(transport.kind, 'dgram')
		assert.match(reason, /mips/)
		transport.close()
		assert.match((await failure(openTransport({ force: 'linux' }))).message, /mips/)
	} finally {
		Object.defineProperty(process, 'arch', arch)
	}
})

test.run()
