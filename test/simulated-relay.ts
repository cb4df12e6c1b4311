/**
 * A relay without a network, a disk or a clock: the engine on a simulated transport, a journal in
 * memory and a hand-turned clock, with WAPs and home servers that a test speaks for.
 */
import { type MemoryJournal, openMemoryJournal } from '../adapters/journal/memory.ts'
import type { DatagramSocket } from '../adapters/radius/transport.ts'
import {
	openSimulatedTransport,
	type SimulatedTransport,
} from '../adapters/radius/transport-simulated.ts'
import { formatIpv4, parseIpv4 } from '../domain/address.ts'
import type { RecordedEvent } from '../domain/event.ts'
import { parseConfiguration } from '../domain/junose/configuration-text.ts'
import {
	signAccessRequest,
	signAccountingRequest,
	signResponse,
} from '../domain/radius/authenticator.ts'
import { builtInHidden } from '../domain/radius/dictionary.ts'
import { createMd5Key } from '../domain/radius/md5.ts'
import { initialState, type State } from '../domain/state.ts'
import { configure } from '../src/engine/configure.ts'
import { createEngine } from '../src/engine/create-engine.ts'
import type { DhcpSystem } from '../src/engine/dhcp-service.ts'
import type { Clock, Engine, EngineParts, Entropy } from '../src/engine/engine.ts'
import type { OpenSrc } from '../src/engine/src-link.ts'
import { turn } from '../src/engine/turn.ts'

/** An attribute: its type and its value, text or octets. */
export type TestAttribute = readonly [type: number, value: string | Uint8Array | number[]]

export type PacketOptions = {
	readonly code: number
	readonly identifier?: number
	readonly attributes?: readonly TestAttribute[]
	readonly secret?: string
	/** Where a Message-Authenticator goes; last unless told. */
	readonly messageAuthenticator?: 'first' | 'last' | 'none'
	/** First octet of the Request Authenticator, to tell requests apart. */
	readonly nonce?: number
	/** The whole Request Authenticator of an Access-Request. */
	readonly authenticator?: Uint8Array
}

export const wapSecret = 'wap-secret'
export const homeSecret = 'home-secret'
export const wapAddress = '10.0.0.1'

export function key(secret: string) {
	return createMd5Key(new TextEncoder().encode(secret))
}

export function u32(value: number): Uint8Array {
	return Uint8Array.of(value >>> 24, value >>> 16, value >>> 8, value)
}

function octets(value: TestAttribute[1]): Uint8Array {
	return typeof value === 'string' ? new TextEncoder().encode(value) : Uint8Array.from(value)
}

/** The attributes of a packet, as type and octets. */
export function attributesOf(bytes: Uint8Array): [number, Uint8Array][] {
	const found: [number, Uint8Array][] = []
	for (let at = 20; at < bytes.length; at += bytes[at + 1]!) {
		found.push([bytes[at]!, bytes.slice(at + 2, at + bytes[at + 1]!)])
	}
	return found
}

function assemble(options: PacketOptions): { bytes: Uint8Array; signatureAt: number } {
	const where = options.messageAuthenticator ?? (options.code === 4 ? 'none' : 'last')
	const list = [...(options.attributes ?? [])]
	const signature: TestAttribute = [80, new Uint8Array(16)]
	if (where === 'first') list.unshift(signature)
	if (where === 'last') list.push(signature)
	const parts: number[] = []
	let signatureAt = -1
	for (const attribute of list) {
		const value = octets(attribute[1])
		if (attribute === signature) signatureAt = 20 + parts.length + 2
		parts.push(attribute[0], value.length + 2, ...value)
	}
	const bytes = new Uint8Array(20 + parts.length)
	bytes[0] = options.code
	bytes[1] = options.identifier ?? 1
	bytes[2] = bytes.length >>> 8
	bytes[3] = bytes.length & 255
	bytes.fill(0x5a, 4, 20)
	bytes[4] = options.nonce ?? 0
	if (options.authenticator !== undefined) bytes.set(options.authenticator, 4)
	bytes.set(parts, 20)
	return { bytes, signatureAt }
}

/** A request as a WAP makes it. */
export function requestPacket(options: PacketOptions): Uint8Array {
	const { bytes, signatureAt } = assemble(options)
	const md5Key = key(options.secret ?? wapSecret)
	// Accounting-, Disconnect- and CoA-Requests.
	const signed = options.code === 4 || options.code === 40 || options.code === 43
	if (signed) signAccountingRequest(bytes, bytes.length, md5Key, signatureAt)
	else if (signatureAt >= 0) signAccessRequest(bytes, bytes.length, md5Key, signatureAt)
	return bytes
}

/** An answer as a home server makes it to the request that it received. */
export function answerPacket(request: Uint8Array, options: PacketOptions): Uint8Array {
	const none = options.code === 5 ? 'none' : 'first'
	const { bytes, signatureAt } = assemble({
		...options,
		identifier: options.identifier ?? request[1]!,
		messageAuthenticator: options.messageAuthenticator ?? none,
	})
	signResponse(bytes, bytes.length, request, 4, key(options.secret ?? homeSecret), signatureAt)
	return bytes
}

export const called: TestAttribute = [30, '00-11-22-33-44-55:campus']
export const calling: TestAttribute = [31, '02-00-00-00-00-01']
export const user: TestAttribute = [1, 'alice@example.org']

/** An Access-Request with what the relay demands, and more. */
export function accessRequest(options: Partial<PacketOptions> = {}): Uint8Array {
	const { attributes = [], ...rest } = options
	return requestPacket({ code: 1, ...rest, attributes: [user, called, calling, ...attributes] })
}

export const acctStatus = { start: 1, stop: 2, interim: 3, on: 7, off: 8 } as const

export function accountingRequest(
	status: keyof typeof acctStatus,
	options: Partial<PacketOptions> = {},
): Uint8Array {
	const { attributes = [], ...rest } = options
	const about: TestAttribute[] =
		status === 'on' || status === 'off' ? [called] : [user, called, calling]
	return requestPacket({
		code: 4,
		...rest,
		attributes: [[40, u32(acctStatus[status])], ...about, ...attributes],
	})
}

/** Something that left the relay, as a test looks at it. */
export type Left = {
	readonly from: number
	readonly to: string
	readonly bytes: Uint8Array
	readonly code: number
	/** The interface that it was to leave by; 0: whichever. */
	readonly interfaceIndex: number
}

export type SimulatedRelay = {
	readonly engine: Engine
	readonly journal: MemoryJournal
	readonly state: State
	/** Set when the journal failed. */
	readonly failures: Error[]
	readonly warnings: string[]
	/** Lets a datagram from a WAP arrive and turns once; what left the relay. */
	fromWap(bytes: Uint8Array, at?: { address?: string; port?: number; to?: number }): Left[]
	/** Lets an answer arrive at the socket that `forwarded` left from, and turns once. */
	fromHome(forwarded: Left, bytes: Uint8Array): Left[]
	/** Lets milliseconds pass, a tick at a time; what left the relay meanwhile. */
	pass(ms: number): Left[]
	/** Sets the wall clock. */
	setClock(byMs: number): void
	/** One turn, with whatever has arrived, and those that it asks for. */
	turn(): Left[]
	/** Everything recorded so far, on disk or in the batch. */
	events(): RecordedEvent[]
	/** Sockets that requests to a home server leave from. */
	upstreamSockets(): DatagramSocket[]
	readonly transport: ReturnType<typeof openSimulatedTransport>
	configure(text: string): Promise<string | undefined>
}

export const oneServer = `
radius authentication server 192.0.2.1
 key ${homeSecret}
exit
radius accounting server 192.0.2.1
 key ${homeSecret}
exit
`
export const twoServers = `${oneServer}
radius authentication server 192.0.2.2
 key ${homeSecret}
exit
radius accounting server 192.0.2.2
 key ${homeSecret}
exit
`
export const relayServers = `
radius relay authentication server
 key ${wapAddress} 255.255.255.255 ${wapSecret}
 key 10.1.0.0 255.255.0.0 ${wapSecret}
exit
radius relay accounting server
 key ${wapAddress} 255.255.255.255 ${wapSecret}
 key 10.1.0.0 255.255.0.0 ${wapSecret}
exit
`

export function configurationOf(text: string) {
	const parsed = parseConfiguration(text, 'test')
	if ('errors' in parsed) throw new Error(JSON.stringify(parsed.errors))
	return parsed.configuration
}

/** A clock that a test turns: time passes, and the wall clock can be set besides. */
export type HandTurnedClock = Clock & {
	advance(ms: number): void
	set(byMs: number): void
}

export function handTurnedClock(): HandTurnedClock {
	let monotonic = 1000
	let skew = 0
	const epoch = 1_800_000_000_000
	return {
		wall: () => epoch + monotonic + skew,
		monotonic: () => monotonic,
		advance(ms) {
			monotonic += ms
		},
		set(byMs) {
			skew += byMs
		},
	}
}

function fixedEntropy(): Entropy {
	let seed = 1
	return {
		fill: bytes => {
			for (let i = 0; i < bytes.length; i++) {
				seed = (seed * 75 + 74) % 65_537
				bytes[i] = seed & 255
			}
		},
		random: () => 0.5,
	}
}

export async function simulatedRelay(
	text: string = oneServer + relayServers,
	options: {
		readonly transport?: SimulatedTransport
		readonly clock?: HandTurnedClock
		readonly entropy?: Entropy
		readonly committed?: EngineParts['committed']
		readonly journal?: MemoryJournal
		readonly state?: State
		readonly watchdogSeconds?: number
		readonly answerCacheOctets?: number
		readonly resolve?: (name: string) => Promise<readonly number[]>
		readonly dhcp?: DhcpSystem
		readonly openSrc?: OpenSrc
	} = {},
): Promise<SimulatedRelay> {
	const transport = options.transport ?? openSimulatedTransport()
	const journal = options.journal ?? openMemoryJournal()
	const clock = options.clock ?? handTurnedClock()
	const failures: Error[] = []
	const warnings: string[] = []
	const engine = createEngine(
		{
			transport,
			journal,
			clock,
			entropy: options.entropy ?? fixedEntropy(),
			log: {
				info() {},
				warn: (_id, _fields, message) => warnings.push(message),
				fatal() {},
			},
			resolve: options.resolve ?? (async () => []),
			committed: options.committed ?? (() => {}),
			failed: error => failures.push(error),
			watchdogSeconds: options.watchdogSeconds ?? 30,
			hidden: builtInHidden,
			...(options.dhcp === undefined ? {} : { dhcp: options.dhcp }),
			...(options.openSrc === undefined ? {} : { openSrc: options.openSrc }),
			answerCacheOctets: options.answerCacheOctets ?? 1 << 20,
		},
		options.state ?? initialState(),
		{ hostname: 'test', virtualRouters: [] },
	)
	const configureFrom = (next: string) => configure(engine, configurationOf(next))
	const refused = await configureFrom(text)
	if (refused !== undefined) throw new Error(refused)

	const takeSent = (): Left[] =>
		transport.sent.splice(0).map(({ socket, address, port, bytes, interfaceIndex }) => ({
			from: socket.port,
			to: `${formatIpv4(address)}:${port}`,
			bytes,
			code: bytes[0]!,
			interfaceIndex,
		}))
	const oneTurn = (): Left[] => {
		// As a transport does: again while answers wait for what else arrives to share their commit.
		for (;;) {
			const waitUs = turn(engine, transport.ready())
			if (waitUs === undefined) break
			const before = clock.monotonic()
			clock.advance(waitUs / 1000)
			// However little that is, time passes: a sum of large and small may be the large one.
			if (waitUs > 0 && clock.monotonic() === before) clock.advance(0.001)
		}
		return takeSent()
	}
	return {
		engine,
		journal,
		state: engine.state,
		failures,
		warnings,
		transport,
		configure: configureFrom,
		turn: oneTurn,
		setClock: clock.set,
		fromWap(bytes, { address = wapAddress, port = 5000, to } = {}) {
			const toPort = to ?? (bytes[0] === 4 ? 1813 : 1812)
			const socket = transport.sockets.get(toPort)
			if (socket === undefined) throw new Error(`Nothing listens on port ${toPort}.`)
			transport.deliver(socket, parseIpv4(address)!, port, bytes)
			return oneTurn()
		},
		fromHome(forwarded, bytes) {
			const socket = transport.sockets.get(forwarded.from)
			if (socket === undefined) throw new Error(`Port ${forwarded.from} is closed.`)
			const [address, port] = forwarded.to.split(':')
			transport.deliver(socket, parseIpv4(address!)!, Number(port), bytes)
			return oneTurn()
		},
		pass(ms) {
			const left: Left[] = []
			for (const end = clock.monotonic() + ms; clock.monotonic() < end; ) {
				clock.advance(Math.min(end - clock.monotonic(), 50))
				left.push(...oneTurn())
			}
			return left
		},
		events() {
			const recorded = journal.read(1, 1_000_000)
			const first = journal.last() + 1
			return [...recorded, ...engine.batch.map((event, i) => ({ ...event, position: first + i }))]
		},
		upstreamSockets: () => [...transport.sockets.values()].filter(s => s.port >= 40_000),
	}
}
