/**
 * The way to one upstream server: its sockets, and in each of them 256 slots, one for each
 * identifier. A slot's memory holds the request as it was forwarded, to be sent from and to be sent
 * again; it is not given out anew while a late answer could still arrive for it.
 */
import type { Transport } from '../../adapters/radius/transport.ts'
import { parseIpv4 } from '../../domain/address.ts'
import type { Service, UpstreamServer } from '../../domain/configuration.ts'
import type { ResponseDiscardReason } from '../../domain/event.ts'
import { createMd5Key } from '../../domain/radius/md5.ts'
import { newWatchdog, type WatchdogSettings } from '../../domain/upstream.ts'
import type { Exchange, Upstream, UpstreamSocket } from './exchange.ts'

const slotOctets = 4096
const slotCount = 256

/** A late answer may come this long after the last transmission. */
const quarantineMs = 10_000

export const purpose = { free: 0, request: 1, statusServer: 2, quarantine: 3 } as const

export function newUpstream(
	router: string,
	service: Service,
	settings: UpstreamServer,
	source: number,
	now: number,
	watchdogSettings: WatchdogSettings,
	random: number,
): Upstream {
	return {
		router,
		service,
		name: settings.address,
		settings,
		key: createMd5Key(new TextEncoder().encode(settings.key ?? '')),
		address: parseIpv4(settings.address) ?? 0,
		source,
		sockets: [],
		watchdog: newWatchdog(now, watchdogSettings, random),
		ready: false,
		inFlight: 0,
		maxSessions: settings.maxSessions,
		messageAuthenticatorSeen: false,
		opening: false,
		openAgainAt: 0,
		retired: false,
		discarded: new Map(),
	}
}

export async function openUpstreamSocket(
	transport: Transport,
	upstream: Upstream,
): Promise<UpstreamSocket> {
	const socket = await transport.connect(
		upstream.address,
		upstream.settings.udpPort,
		upstream.source,
	)
	const memory = transport.allocate(slotOctets * slotCount)
	const packets: Uint8Array[] = []
	const free = new Uint8Array(slotCount)
	for (let i = 0; i < slotCount; i++) {
		packets.push(memory.bytes.subarray(i * slotOctets, (i + 1) * slotOctets))
		free[i] = i
	}
	return {
		upstream,
		socket,
		memory,
		packets,
		lengths: new Uint16Array(slotCount),
		purposes: new Uint8Array(slotCount),
		exchanges: new Array<Exchange | undefined>(slotCount).fill(undefined),
		until: new Float64Array(slotCount),
		free,
		freeAt: 0,
		freeCount: slotCount,
		retired: false,
		touched: false,
	}
}

/** A socket of the server with a free slot. */
export function socketWithFreeSlot(upstream: Upstream): UpstreamSocket | undefined {
	for (const socket of upstream.sockets) {
		if (socket.freeCount > 0 && !socket.retired) return socket
	}
	return undefined
}

/** Whether a further socket should be opened: late answers of a silent server hold slots, too. */
export function needsSocket(upstream: Upstream, now: number): boolean {
	if (upstream.opening || upstream.retired || upstream.address === 0) return false
	if (now < upstream.openAgainAt) return false
	// JunosE: without a key a server is not used.
	if (upstream.settings.key === undefined) return false
	let free = 0
	let count = 0
	for (const socket of upstream.sockets) {
		if (socket.retired) continue
		free += socket.freeCount
		count++
	}
	// A turn can take a whole socket's worth of requests, and a new socket is there after the turn.
	const wanted = Math.min(slotCount, upstream.maxSessions - upstream.inFlight)
	return free < wanted && count * slotCount < upstream.maxSessions * 4 + slotCount
}

export function takeSlot(socket: UpstreamSocket, use: 1 | 2): number {
	const slot = socket.free[socket.freeAt]!
	socket.freeAt = (socket.freeAt + 1) & 255
	socket.freeCount--
	socket.purposes[slot] = use
	return slot
}

export function freeSlot(socket: UpstreamSocket, slot: number): void {
	socket.purposes[slot] = purpose.free
	socket.exchanges[slot] = undefined
	socket.free[(socket.freeAt + socket.freeCount) & 255] = slot
	socket.freeCount++
}

/** Keeps a slot whose request was given up until no late answer can be mistaken for another's. */
export function quarantineSlot(socket: UpstreamSocket, slot: number, now: number): void {
	socket.purposes[slot] = purpose.quarantine
	socket.exchanges[slot] = undefined
	socket.until[slot] = now + quarantineMs
}

export function isIdle(socket: UpstreamSocket): boolean {
	return socket.freeCount === slotCount
}

export function sendSlot(socket: UpstreamSocket, slot: number): void {
	socket.socket.send(socket.memory, slot * slotOctets, socket.lengths[slot]!, 0, 0, 0)
}

export function countDiscarded(upstream: Upstream, reason: ResponseDiscardReason): void {
	upstream.discarded.set(reason, (upstream.discarded.get(reason) ?? 0) + 1)
}
