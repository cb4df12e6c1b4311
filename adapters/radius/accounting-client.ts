/** Sends records of sessions to an accounting server: a few a second, so on Node's own sockets. */
import { createSocket } from 'node:dgram'
import { createMd5Key } from '../../domain/radius/md5.ts'
import {
	type AccountingCounts,
	duePackets,
	heardAnswer,
	newAccountingQueue,
	offerRecord,
	unanswered,
} from '../../domain/sae/accounting-queue.ts'
import type { SessionRecord } from '../../domain/sae/service.ts'

export type AccountingClientSettings = {
	/** IPv4 address or name; a name is looked up anew with every packet. */
	readonly host: string
	readonly port: number
	readonly secret: Uint8Array
	readonly nasIdentifier: string
}

export type AccountingClient = {
	/** Hands a record over; false where too many wait already, and it is lost. */
	offer(record: SessionRecord): boolean
	counts(): Readonly<AccountingCounts>
	/** Waits until all are answered, at most `limitMs`; closes; returns how many were not. */
	close(limitMs: number): Promise<number>
}

const tickMs = 100

export function openAccountingClient(settings: AccountingClientSettings): AccountingClient {
	const queue = newAccountingQueue(createMd5Key(settings.secret), settings.nasIdentifier)
	const socket = createSocket('udp4')
	let answered: (() => void) | undefined
	const send = () => {
		for (const packet of duePackets(queue, performance.now())) {
			// What cannot be sent is sent again later, as what is lost on the way.
			socket.send(packet, settings.port, settings.host, () => {})
		}
	}
	socket.on('error', () => {})
	socket.on('message', datagram => {
		if (!heardAnswer(queue, datagram)) return
		send()
		if (unanswered(queue) === 0) answered?.()
	})
	socket.bind(0)
	const timer = setInterval(send, tickMs)
	return {
		offer(record) {
			const taken = offerRecord(queue, record, performance.now())
			if (taken) send()
			return taken
		},
		counts: () => ({ ...queue.counts }),
		async close(limitMs) {
			if (unanswered(queue) > 0) {
				await new Promise<void>(resolve => {
					answered = resolve
					setTimeout(resolve, limitMs)
				})
			}
			clearInterval(timer)
			await new Promise<void>(resolve => socket.close(resolve))
			return unanswered(queue)
		},
	}
}
