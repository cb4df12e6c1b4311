/**
 * What a datagram costs on each transport: a bare relay (client -> relay -> responder and back, four
 * datagrams per request) with no RADIUS in it, each part a process of its own on loopback.
 *
 *   node infra/bench/transport.ts [--seconds 3] [--window 64] [--octets 160] [--transport linux|dgram]
 */

import { type ChildProcess, fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { openTransport } from '../../adapters/radius/open-transport.ts'
import type { Memory, Received, Transport } from '../../adapters/radius/transport.ts'

const loopback = 0x7f000001
const slotLimit = 4096
/** Every datagram starts with the client's slot, as a RADIUS packet has its identifier. */
const slotOf = (bytes: Uint8Array) => bytes[0]! * 256 + bytes[1]!

type Usage = { readonly cpuMicros: number; readonly requests: number; readonly turns: number }

/** Memory for the datagrams that leave within one turn. */
function createOutgoing(transport: Transport) {
	const memory = transport.allocate(slotLimit * 512)
	let next = 0
	return {
		memory,
		copy(received: Received, i: number): number {
			const offset = (next++ % slotLimit) * 512
			memory.bytes.set(received.buffers[i]!.subarray(0, received.lengths[i]!), offset)
			return offset
		},
	}
}

async function respond(transport: Transport): Promise<number> {
	const socket = await transport.bind(loopback, 0)
	const outgoing = createOutgoing(transport)
	transport.run(ready => {
		if (ready.length === 0) return
		const received = socket.receive()
		for (let i = 0; i < received.count; i++) {
			const offset = outgoing.copy(received, i)
			const { lengths, addresses, ports } = received
			socket.send(outgoing.memory, offset, lengths[i]!, addresses[i]!, ports[i]!, 0)
		}
		socket.flush()
	}, 1000)
	return socket.port
}

async function relay(
	transport: Transport,
	upstreamPort: number,
	usage: { turns: number; requests: number },
) {
	const downstream = await transport.bind(0, 0)
	const upstream = await transport.connect(loopback, upstreamPort, 0)
	const outgoing = createOutgoing(transport)
	const clientAddresses = new Uint32Array(slotLimit)
	const clientPorts = new Uint16Array(slotLimit)
	const clientLocals = new Uint32Array(slotLimit)
	transport.run(ready => {
		usage.turns++
		for (const socket of ready) {
			const received = socket.receive()
			for (let i = 0; i < received.count; i++) {
				const offset = outgoing.copy(received, i)
				const slot = slotOf(received.buffers[i]!)
				const length = received.lengths[i]!
				if (socket === downstream) {
					clientAddresses[slot] = received.addresses[i]!
					clientPorts[slot] = received.ports[i]!
					clientLocals[slot] = received.locals[i]!
					upstream.send(outgoing.memory, offset, length, 0, 0, 0)
				} else {
					const address = clientAddresses[slot]!
					const local = clientLocals[slot]!
					downstream.send(outgoing.memory, offset, length, address, clientPorts[slot]!, local)
					usage.requests++
				}
			}
		}
		upstream.flush()
		downstream.flush()
	}, 20)
	return downstream.port
}

type Load = {
	readonly port: number
	readonly seconds: number
	readonly window: number
	readonly octets: number
}

/** Keeps `window` requests in flight; those lost are given up after 200 ms of silence. */
async function generate(transport: Transport, load: Load): Promise<number> {
	const socket = await transport.connect(loopback, load.port, 0)
	const memory: Memory = transport.allocate(slotLimit * 512)
	const sendSlot = (slot: number) => {
		memory.bytes[slot * 512] = slot >> 8
		memory.bytes[slot * 512 + 1] = slot & 255
		socket.send(memory, slot * 512, load.octets, 0, 0, 0)
	}
	const sendAll = () => {
		for (let slot = 0; slot < load.window; slot++) sendSlot(slot)
		socket.flush()
	}
	const end = performance.now() + load.seconds * 1000
	let heard = performance.now()
	let answers = 0
	const { promise, resolve } = Promise.withResolvers<number>()
	transport.run(ready => {
		const now = performance.now()
		if (now >= end) {
			transport.stop()
			resolve(answers)
			return undefined
		}
		if (ready.length === 0) {
			if (now - heard < 200) return undefined
			heard = now
			sendAll()
			return undefined
		}
		heard = now
		const received = socket.receive()
		answers += received.count
		for (let i = 0; i < received.count; i++) sendSlot(slotOf(received.buffers[i]!))
		socket.flush()
		return undefined
	}, 100)
	sendAll()
	return promise
}

// ---- the processes

async function serveRole(
	role: string,
	kind: 'linux' | 'dgram',
	upstreamPort: number,
): Promise<void> {
	const { transport } = await openTransport({ force: kind })
	const usage = { requests: 0, turns: 0 }
	const port =
		role === 'relay' ? await relay(transport, upstreamPort, usage) : await respond(transport)
	// Also when the bench itself has died: nothing of it stays behind.
	process.on('disconnect', () => transport.close())
	process.on('message', message => {
		if (message === 'stop') return process.disconnect()
		const { user, system } = process.cpuUsage()
		process.send!({ cpuMicros: user + system, ...usage })
	})
	process.send!({ port })
}

function start(role: string, kind: string, port: number): ChildProcess {
	return fork(fileURLToPath(import.meta.url), [
		'--role',
		role,
		'--transport',
		kind,
		'--port',
		`${port}`,
	])
}

function reply<Message>(child: ChildProcess, ask?: string): Promise<Message> {
	const { promise, resolve, reject } = Promise.withResolvers<Message>()
	child.once('message', message => resolve(message as Message))
	child.once('exit', code => reject(new Error(`a process of the bench ended with code ${code}`)))
	if (ask !== undefined) child.send(ask)
	return promise
}

async function measure(kind: 'linux' | 'dgram', load: Omit<Load, 'port'>): Promise<void> {
	const responder = start('respond', 'linux', 0)
	const { port: upstreamPort } = await reply<{ port: number }>(responder)
	const relaying = start('relay', kind, upstreamPort)
	const { port } = await reply<{ port: number }>(relaying)
	const { transport } = await openTransport({ force: 'linux' })
	await generate(transport, { ...load, port, seconds: 1 }) // until the JIT has compiled all parts
	const before = await reply<Usage>(relaying, 'usage')
	await generate(transport, { ...load, port })
	const after = await reply<Usage>(relaying, 'usage')
	transport.close()
	responder.send('stop')
	relaying.send('stop')
	const requests = after.requests - before.requests
	const micros = (after.cpuMicros - before.cpuMicros) / requests
	const perTurn = requests / (after.turns - before.turns)
	const rate = Math.round(requests / load.seconds)
	console.log(
		`${kind.padEnd(6)} window ${load.window}: ${rate} requests/s, ${micros.toFixed(2)} us CPU per ` +
			`request, ${(micros / 4).toFixed(2)} per datagram, ${perTurn.toFixed(1)} requests per turn`,
	)
}

const { values } = parseArgs({
	options: {
		role: { type: 'string' },
		port: { type: 'string', default: '0' },
		transport: { type: 'string' },
		seconds: { type: 'string', default: '3' },
		window: { type: 'string', default: '64' },
		octets: { type: 'string', default: '160' },
	},
})
const kinds = values.transport === undefined ? ['linux', 'dgram'] : [values.transport]
for (const kind of kinds) {
	if (kind !== 'linux' && kind !== 'dgram') throw new Error('--transport is linux or dgram')
	if (values.role !== undefined) {
		await serveRole(values.role, kind, Number(values.port))
		continue
	}
	const window = Math.min(Number(values.window), slotLimit)
	const octets = Math.min(Math.max(Number(values.octets), 2), 512)
	await measure(kind, { seconds: Number(values.seconds), window, octets })
}
