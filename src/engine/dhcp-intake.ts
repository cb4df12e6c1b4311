/**
 * DHCP's part of a turn. Usually messages are answered as they come. Where more of them wait than one
 * batch, exchanges are ended before others are begun: DHCPDISCOVERs are put aside, so that the socket
 * is soon empty and everything else is answered at once, and then comes their share. An offer whose
 * DHCPREQUEST is not heard in time was work for nothing, and holds an address besides.
 *
 * So a DHCPDISCOVER may be answered after what its client has sent later. UDP promises no order either,
 * and the rules stand by the lease, not by the order: who has been given an address meanwhile is
 * offered that one; who has released or declined one is made an offer, which lapses if nobody takes
 * it; and one that was sent twice is given the same offer twice.
 */
import type { Received } from '../../adapters/radius/transport.ts'
import { interfaceAt, receiveMessage } from './dhcp.ts'
import { createBacklog, isKeepable, keepBehind, takeFirst } from './dhcp-backlog.ts'
import { countDhcp, type DhcpListener, firstServer, isExternal, ownerOf } from './dhcp-service.ts'
import type { Engine } from './engine.ts'

/**
 * Messages answered in one turn, so that RADIUS waits for no more than these: others at most, and
 * DHCPDISCOVERs that wait, at most and whatever else has come. Few of these, so that a DHCPREQUEST that
 * comes meanwhile waits for few.
 */
const othersPerTurn = 192
const discoversPerTurn = 64
/** Batches read in one turn. To put a message aside costs a tenth of what it costs to answer it. */
const batchesPerTurn = 32

/** Whether DHCPDISCOVERs wait for the next turn. */
export function discoversWait({ dhcp }: Engine): boolean {
	const backlog = dhcp.listener?.backlog
	return backlog !== undefined && backlog.count > 0
}

/** Takes what has come and answers it, or what waits; tells how many datagrams have come. */
export function receiveDhcp(engine: Engine, listener: DhcpListener): number {
	let taken = 0
	let served = 0
	for (let n = 0; n < batchesPerTurn; n++) {
		const received = listener.socket.receive()
		const { count, buffers } = received
		if (count === 0) break
		taken += count
		const isFull = count === buffers.length
		if (isFull || discoversWait(engine)) served += serveOthers(engine, listener, received)
		else {
			for (let i = 0; i < count; i++) receiveMessage(engine, listener, received, i)
			served += count
		}
		if (!isFull || served + buffers.length > othersPerTurn) break
	}
	const { backlog } = listener
	if (backlog === undefined) return taken
	for (let n = 0; n < discoversPerTurn && backlog.count > 0; n++) {
		receiveMessage(engine, listener, backlog, takeFirst(backlog))
	}
	countDropped(engine, listener)
	return taken
}

/** Answers everything but DHCPDISCOVERs to local servers, which are put aside; tells how many. */
function serveOthers(engine: Engine, listener: DhcpListener, received: Received): number {
	let served = 0
	let index = -1
	let isLocal = false
	for (let i = 0; i < received.count; i++) {
		if (isKeepable(received.buffers[i]!, received.lengths[i]!)) {
			if (received.interfaces[i] !== index) {
				index = received.interfaces[i]!
				isLocal = hasLocalServer(engine, index)
			}
			if (isLocal) {
				listener.backlog ??= createBacklog()
				keepBehind(listener.backlog, received, i)
				continue
			}
		}
		receiveMessage(engine, listener, received, i)
		served++
	}
	return served
}

/**
 * What is for an external server goes on at once: that waits for no disk, and what is too much is that
 * server's to say. What is for nobody needs no room.
 */
function hasLocalServer(engine: Engine, index: number): boolean {
	const from = interfaceAt(engine, index)
	const service = from === undefined ? undefined : ownerOf(engine.dhcp, from.name)
	return service !== undefined && !isExternal(service)
}

/** Those without a server, as it went while they waited, are told of by the first one. */
function countDropped({ dhcp }: Engine, { backlog }: DhcpListener): void {
	if (backlog === undefined || backlog.dropped.size === 0) return
	for (const [index, count] of backlog.dropped) {
		const from = dhcp.interfaces.get(index)
		const owner = from === undefined ? undefined : ownerOf(dhcp, from.name)
		const service = owner ?? firstServer(dhcp)
		if (service !== undefined) countDhcp(service, 'discover', 'queue-full', count)
	}
	backlog.dropped.clear()
}
