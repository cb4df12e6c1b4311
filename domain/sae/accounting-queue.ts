/**
 * Records on their way to an accounting server: sent until it answers (RFC 2866 §2), each time
 * with the delay so far and therefore as a new packet (§5.2). Time comes in, in monotonic
 * milliseconds; packets come out.
 */
import { verifyResponse } from '../radius/authenticator.ts'
import type { Md5Key } from '../radius/md5.ts'
import { checkPacket, codes, packetLength } from '../radius/packet.ts'
import { accountingPacket } from './accounting-packet.ts'
import type { SessionRecord } from './service.ts'

/** Records that may wait; what comes beyond them is lost, and counted. */
export const queueLimit = 10_000
/** Records under way at once: well below the 256 identifiers, of which repeats need new ones. */
const windowSize = 64
const firstRepeatMs = 3000
const longestRepeatMs = 60_000
export const giveUpMs = 3_600_000
const authenticatorAt = 4
const authenticatorLength = 16

type Item = {
	readonly record: SessionRecord
	/** When it was handed over: Acct-Delay-Time counts from there. */
	readonly since: number
	sendAt: number
	repeatMs: number
	done: boolean
}

/** One transmission: what an answer with its identifier is verified with. */
type Transmission = { readonly item: Item; readonly authenticator: Uint8Array }

export type AccountingQueue = {
	readonly key: Md5Key
	readonly nasIdentifier: string
	readonly waiting: Item[]
	readonly underWay: Set<Item>
	readonly transmissions: (Transmission | undefined)[]
	nextIdentifier: number
	readonly counts: AccountingCounts
}

export type AccountingCounts = {
	/** Records handed over, answered, and given up or turned away. */
	records: number
	answered: number
	lost: number
	packets: number
	repeats: number
	/** Datagrams that answered nothing. */
	ignored: number
}

export function newAccountingQueue(key: Md5Key, nasIdentifier: string): AccountingQueue {
	return {
		key,
		nasIdentifier,
		waiting: [],
		underWay: new Set(),
		transmissions: new Array(256).fill(undefined),
		nextIdentifier: 0,
		counts: { records: 0, answered: 0, lost: 0, packets: 0, repeats: 0, ignored: 0 },
	}
}

/** Records that have not been answered yet. */
export function unanswered(queue: AccountingQueue): number {
	return queue.waiting.length + queue.underWay.size
}

/** Takes a record; false where the queue is full and the record is lost. */
export function offerRecord(queue: AccountingQueue, record: SessionRecord, now: number): boolean {
	queue.counts.records++
	if (unanswered(queue) >= queueLimit) {
		queue.counts.lost++
		return false
	}
	const item = { record, since: now, sendAt: now, repeatMs: firstRepeatMs, done: false }
	queue.waiting.push(item)
	return true
}

/** Packets to send now. */
export function duePackets(queue: AccountingQueue, now: number): Uint8Array[] {
	const { waiting, underWay, counts } = queue
	const packets: Uint8Array[] = []
	for (const item of underWay) {
		if (now - item.since >= giveUpMs) {
			underWay.delete(item)
			item.done = true
			counts.lost++
		} else if (now >= item.sendAt) {
			counts.repeats++
			packets.push(transmit(queue, item, now))
		}
	}
	const room = Math.min(windowSize - underWay.size, waiting.length)
	for (const item of waiting.splice(0, room)) {
		underWay.add(item)
		packets.push(transmit(queue, item, now))
	}
	return packets
}

function transmit(queue: AccountingQueue, item: Item, now: number): Uint8Array {
	const packet = accountingPacket(item.record, {
		identifier: takeIdentifier(queue),
		nasIdentifier: queue.nasIdentifier,
		delaySeconds: Math.round((now - item.since) / 1000),
		key: queue.key,
	})
	const authenticator = packet.slice(authenticatorAt, authenticatorAt + authenticatorLength)
	queue.transmissions[packet[1]!] = { item, authenticator }
	queue.counts.packets++
	item.sendAt = now + item.repeatMs
	item.repeatMs = Math.min(item.repeatMs * 2, longestRepeatMs)
	return packet
}

/**
 * The identifier that was used longest ago. An earlier transmission of a record under way may lose
 * its own by that; the window leaves each of them three more.
 */
function takeIdentifier(queue: AccountingQueue): number {
	const identifier = queue.nextIdentifier
	queue.nextIdentifier = (identifier + 1) & 0xff
	return identifier
}

/** A datagram came: an answer to any transmission of a record settles it. */
export function heardAnswer(queue: AccountingQueue, bytes: Uint8Array): boolean {
	const transmission = checkPacket(bytes, bytes.length) === 'ok' ? find(queue, bytes) : undefined
	if (transmission === undefined || transmission.item.done) {
		queue.counts.ignored++
		return false
	}
	transmission.item.done = true
	queue.underWay.delete(transmission.item)
	queue.counts.answered++
	return true
}

function find(queue: AccountingQueue, bytes: Uint8Array): Transmission | undefined {
	const transmission = queue.transmissions[bytes[1]!]
	if (transmission === undefined || bytes[0] !== codes.accountingResponse) return undefined
	const { authenticator } = transmission
	const genuine = verifyResponse(bytes, packetLength(bytes), authenticator, 0, queue.key)
	return genuine ? transmission : undefined
}
