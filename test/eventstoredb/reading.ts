/** The node's reading call: streams and `$all`, in both directions, and subscriptions. */

import shared from '@eventstore/db-client/generated/shared_pb.js'
import type * as Pb from '@eventstore/db-client/generated/streams_pb.js'
import pb from '@eventstore/db-client/generated/streams_pb.js'
import * as grpc from '@grpc/grpc-js'
import { type EventStoreNode, notLeader } from './server.ts'
import type { Stored } from './store.ts'

type ReadCall = grpc.ServerWritableStream<Pb.ReadReq, Pb.ReadResp>

/** Filtered subscriptions tell how far they are after so many events that did not pass. */
const checkpointEvents = 32

export function reading(node: EventStoreNode) {
	return {
		read(call: ReadCall) {
			node.seen.reads++
			const refused = notLeader(node, call.metadata)
			if (refused !== undefined) {
				call.emit('error', refused)
				return
			}
			if (node.faults.stall) return
			const options = call.request.getOptions()!
			if (options.hasSubscription()) subscribe(node, call, options)
			else readOnce(node, call, options)
		},
	}
}

function readOnce(node: EventStoreNode, call: ReadCall, options: Pb.ReadReq.Options): void {
	const count = Number(options.getCount())
	const backwards = options.getReadDirection() === pb.ReadReq.Options.ReadDirection.BACKWARDS
	const found = options.hasAll() ? node.store.all() : readStream(node, call, options)
	if (found === undefined) return
	const chosen = found.filter(event => isWithin(event, options, backwards))
	if (backwards) chosen.reverse()
	void send(call, chosen.slice(0, count)).then(() => call.end())
}

/** Undefined when the reader was told why there is nothing. */
function readStream(
	node: EventStoreNode,
	call: ReadCall,
	options: Pb.ReadReq.Options,
): readonly Stored[] | undefined {
	const identifier = options.getStream()!.getStreamIdentifier()!
	const stream = Buffer.from(identifier.getStreamName_asU8()).toString()
	const found = node.store.read(stream)
	if (found === 'not-found') {
		const missing = new pb.ReadResp.StreamNotFound().setStreamIdentifier(identifier)
		call.write(new pb.ReadResp().setStreamNotFound(missing))
		call.end()
		return undefined
	}
	if (found === 'deleted') {
		const trailers = new grpc.Metadata()
		trailers.set('exception', 'stream-deleted')
		trailers.set('stream-name', stream)
		const details = `Event stream '${stream}' is deleted.`
		call.emit('error', { code: grpc.status.FAILED_PRECONDITION, details, metadata: trailers })
		return undefined
	}
	return found
}

/** Reading begins with the event at the given place; a subscription begins after it. */
function isWithin(event: Stored, options: Pb.ReadReq.Options, backwards: boolean): boolean {
	const from = startOf(options)
	if (from === 'start') return !backwards
	if (from === 'end') return backwards
	const place = options.hasAll() ? event.position : event.revision
	return backwards ? place <= from : place >= from
}

function startOf(options: Pb.ReadReq.Options): number | 'start' | 'end' {
	const all = options.getAll()
	const stream = options.getStream()
	if (all?.hasStart() || stream?.hasStart()) return 'start'
	if (all?.hasEnd() || stream?.hasEnd()) return 'end'
	if (all !== undefined) return Number(all.getPosition()!.getCommitPosition())
	return Number(stream!.getRevision())
}

function subscribe(node: EventStoreNode, call: ReadCall, options: Pb.ReadReq.Options): void {
	const passes = filterOf(options)
	const from = startOf(options)
	const isAfter = (event: Stored) =>
		typeof from === 'number'
			? (options.hasAll() ? event.position : event.revision) > from
			: from === 'start'
	let next = from === 'end' ? node.store.all().length : 0
	let unseen = 0
	let live = false
	let ended = false
	let sending = Promise.resolve()
	const unwatch = node.store.watch(pump)
	const end = () => {
		ended = true
		unwatch()
	}
	call.on('cancelled', end).on('close', end).on('error', end)
	call.write(
		new pb.ReadResp().setConfirmation(
			new pb.ReadResp.SubscriptionConfirmation().setSubscriptionId(crypto.randomUUID()),
		),
	)
	pump()

	function pump(): void {
		sending = sending.then(async () => {
			if (ended || node.faults.stall) return
			const log = node.store.all()
			for (; next < log.length && !ended; next++) {
				const event = log[next]!
				if (!isAfter(event)) continue
				if (passes(event)) await send(call, [event])
				else if (++unseen % checkpointEvents === 0) call.write(checkpoint(event))
			}
			if (!live && !ended) call.write(new pb.ReadResp().setCaughtUp(new pb.ReadResp.CaughtUp()))
			live = true
		})
	}
}

function checkpoint({ position }: Stored) {
	const at = String(position)
	return new pb.ReadResp().setCheckpoint(
		new pb.ReadResp.Checkpoint().setCommitPosition(at).setPreparePosition(at),
	)
}

function filterOf(options: Pb.ReadReq.Options): (event: Stored) => boolean {
	const identifier = options.getStream()?.getStreamIdentifier()
	if (identifier !== undefined) {
		const stream = Buffer.from(identifier.getStreamName_asU8()).toString()
		return event => event.stream === stream
	}
	const filter = options.getFilter()
	if (filter === undefined) return () => true
	const byStream = filter.getStreamIdentifier()
	const expression = byStream ?? filter.getEventType()!
	const prefixes = expression.getPrefixList()
	const pattern = new RegExp(expression.getRegex())
	return event => {
		const name = byStream === undefined ? event.type : event.stream
		return prefixes.length > 0
			? prefixes.some(prefix => name.startsWith(prefix))
			: pattern.test(name)
	}
}

/** Waits where the reader is slower: a node does not keep everything in memory for it. */
async function send(call: ReadCall, events: readonly Stored[]): Promise<void> {
	for (const event of events) {
		if (call.cancelled) return
		const at = String(event.position)
		const recorded = new pb.ReadResp.ReadEvent.RecordedEvent()
			.setId(new shared.UUID().setString(event.id))
			.setStreamIdentifier(new shared.StreamIdentifier().setStreamName(Buffer.from(event.stream)))
			.setStreamRevision(String(event.revision))
			.setCommitPosition(at)
			.setPreparePosition(at)
			.setData(event.data)
			.setCustomMetadata(event.metadata)
		recorded
			.getMetadataMap()
			.set('type', event.type)
			.set('content-type', event.contentType)
			// .NET ticks since 1970: a tenth of a microsecond each.
			.set('created', `${event.createdAt}0000`)
		const resolved = new pb.ReadResp.ReadEvent().setEvent(recorded).setCommitPosition(at)
		if (call.write(new pb.ReadResp().setEvent(resolved))) continue
		await new Promise<void>(resolve => {
			const goOn = () => {
				call.off('drain', goOn).off('cancelled', goOn)
				resolve()
			}
			call.once('drain', goOn).once('cancelled', goOn)
		})
	}
}
