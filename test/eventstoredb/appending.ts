/** The node's writing calls: batch append, append, delete and tombstone. */

import shared from '@eventstore/db-client/generated/shared_pb.js'
import status from '@eventstore/db-client/generated/status_pb.js'
import type * as Pb from '@eventstore/db-client/generated/streams_pb.js'
import pb from '@eventstore/db-client/generated/streams_pb.js'
import type * as grpc from '@grpc/grpc-js'
import type { Message } from 'google-protobuf'
import any from 'google-protobuf/google/protobuf/any_pb.js'
import empty from 'google-protobuf/google/protobuf/empty_pb.js'
import { type EventStoreNode, notLeader } from './server.ts'
import type { Appended, Expected, Proposed } from './store.ts'

type BatchCall = grpc.ServerDuplexStream<Pb.BatchAppendReq, Pb.BatchAppendResp>
type AppendCall = grpc.ServerReadableStream<Pb.AppendReq, Pb.AppendResp>
type Unary<Request, Answer> = (
	call: grpc.ServerUnaryCall<Request, Answer>,
	callback: grpc.sendUnaryData<Answer>,
) => void

type Pending = { readonly stream: string; readonly expected: Expected; events: Proposed[] }

export function appending(node: EventStoreNode) {
	return {
		batchAppend: (call: BatchCall) => batchAppend(node, call),
		append: (call: AppendCall, callback: grpc.sendUnaryData<Pb.AppendResp>) =>
			append(node, call, callback),
		delete: deleting(node, stream => node.store.delete(stream), new pb.DeleteResp()),
		tombstone: deleting(node, stream => node.store.tombstone(stream), new pb.TombstoneResp()),
	}
}

function batchAppend(node: EventStoreNode, call: BatchCall): void {
	node.seen.appendStreams++
	const pending = new Map<string, Pending>()
	call.on('error', () => {})
	call.on('end', () => call.end())
	call.on('data', (request: Pb.BatchAppendReq) => {
		const refused = notLeader(node, call.metadata)
		if (refused !== undefined) {
			call.emit('error', refused)
			return
		}
		const id = request.getCorrelationId()!.getString()
		const options = request.getOptions()
		if (options !== undefined) {
			const stream = streamName(options.getStreamIdentifier())
			pending.set(id, { stream, expected: expectedOf(options), events: [] })
		}
		const write = pending.get(id)
		if (write === undefined) return
		write.events.push(...request.getProposedMessagesList().map(proposed))
		if (!request.getIsFinal()) return
		pending.delete(id)
		finish(node, call, write, new pb.BatchAppendResp().setCorrelationId(request.getCorrelationId()))
	})
}

function finish(
	{ store, faults, seen, settings }: EventStoreNode,
	call: BatchCall,
	{ stream, expected, events }: Pending,
	answer: Pb.BatchAppendResp,
): void {
	seen.appends++
	if (faults.stall) return
	if (faults.dropAppends > 0) {
		faults.dropAppends--
		breakOff(call)
		return
	}
	answer.setStreamIdentifier(new shared.StreamIdentifier().setStreamName(Buffer.from(stream)))
	if (faults.busy > 0) {
		faults.busy--
		call.write(
			answer.setError(problem('Server Is Busy', 'google.protobuf.Empty', new empty.Empty())),
		)
		return
	}
	if (sizeOf(events) > settings.maxAppendSize) {
		const details = new shared.MaximumAppendSizeExceeded().setMaxappendsize(settings.maxAppendSize)
		const name = 'event_store.client.MaximumAppendSizeExceeded'
		call.write(answer.setError(problem('Maximum Append Size Exceeded', name, details)))
		return
	}
	const appended = store.append(stream, expected, events)
	if (faults.loseAnswers > 0) {
		faults.loseAnswers--
		breakOff(call)
		return
	}
	call.write(answered(answer, appended, expected))
}

/** As EventStoreDB counts it: data, metadata, and the type in UTF-16. */
function sizeOf(events: readonly Proposed[]): number {
	return events.reduce(
		(sum, { data, metadata, type }) => sum + data.length + metadata.length + 2 * type.length,
		0,
	)
}

function breakOff(call: BatchCall): void {
	call.emit('error', { code: 14, details: 'The connection broke.' })
}

function answered(answer: Pb.BatchAppendResp, appended: Appended, expected: Expected) {
	switch (appended.kind) {
		case 'appended': {
			const at = String(appended.position)
			const position = new shared.AllStreamPosition().setCommitPosition(at).setPreparePosition(at)
			return answer.setSuccess(
				new pb.BatchAppendResp.Success()
					.setCurrentRevision(String(appended.revision))
					.setPosition(position),
			)
		}
		case 'wrong-revision': {
			const details = new shared.WrongExpectedVersion()
			if (appended.current < 0) details.setCurrentNoStream(new empty.Empty())
			else details.setCurrentStreamRevision(String(appended.current))
			if (expected === 'any') details.setExpectedAny(new empty.Empty())
			else if (expected === 'stream-exists') details.setExpectedStreamExists(new empty.Empty())
			else if (expected < 0) details.setExpectedNoStream(new empty.Empty())
			else details.setExpectedStreamPosition(String(expected))
			const name = 'event_store.client.WrongExpectedVersion'
			return answer.setError(problem('Wrong expected version', name, details))
		}
		case 'deleted': {
			const details = new shared.StreamDeleted()
			return answer.setError(problem('Deleted', 'event_store.client.StreamDeleted', details))
		}
		default:
			return appended satisfies never
	}
}

function problem(message: string, type: string, details: Message) {
	const packed = new any.Any()
	packed.pack(details.serializeBinary(), type)
	return new status.Status().setMessage(message).setDetails(packed)
}

/** The slow path of clients that give credentials with the call. */
function append(
	node: EventStoreNode,
	call: AppendCall,
	callback: grpc.sendUnaryData<Pb.AppendResp>,
): void {
	let write: Pending | undefined
	call.on('data', (request: Pb.AppendReq) => {
		const options = request.getOptions()
		if (options === undefined) {
			write?.events.push(proposed(request.getProposedMessage()!))
			return
		}
		const expected = options.hasRevision()
			? Number(options.getRevision())
			: expectedWord(options.hasNoStream(), options.hasStreamExists())
		write = { stream: streamName(options.getStreamIdentifier()), expected, events: [] }
	})
	call.on('end', () => {
		const refused = notLeader(node, call.metadata)
		if (refused !== undefined) return callback(refused)
		if (write === undefined || node.faults.stall) return
		const appended = node.store.append(write.stream, write.expected, write.events)
		if (appended.kind === 'appended') {
			const success = new pb.AppendResp.Success().setCurrentRevision(String(appended.revision))
			return callback(null, new pb.AppendResp().setSuccess(success))
		}
		const current = appended.kind === 'wrong-revision' ? appended.current : -1
		const wrong = new pb.AppendResp.WrongExpectedVersion()
		if (current >= 0) wrong.setCurrentRevision(String(current))
		callback(null, new pb.AppendResp().setWrongExpectedVersion(wrong))
	})
}

function deleting<Request extends Pb.DeleteReq | Pb.TombstoneReq, Answer>(
	node: EventStoreNode,
	remove: (stream: string) => Appended,
	answer: Answer,
): Unary<Request, Answer> {
	return (call, callback) => {
		const refused = notLeader(node, call.metadata)
		if (refused !== undefined) return callback(refused)
		if (node.faults.stall) return
		remove(streamName(call.request.getOptions()?.getStreamIdentifier()))
		callback(null, answer)
	}
}

function streamName(identifier: { getStreamName_asU8(): Uint8Array } | undefined): string {
	return Buffer.from(identifier!.getStreamName_asU8()).toString()
}

function expectedOf(options: Pb.BatchAppendReq.Options): Expected {
	if (options.hasStreamPosition()) return Number(options.getStreamPosition())
	return expectedWord(options.hasNoStream(), options.hasStreamExists())
}

function expectedWord(noStream: boolean, exists: boolean): Expected {
	if (noStream) return -1
	return exists ? 'stream-exists' : 'any'
}

function proposed(
	message: Pb.BatchAppendReq.ProposedMessage | Pb.AppendReq.ProposedMessage,
): Proposed {
	const metadata = message.getMetadataMap()
	return {
		id: uuidText(message.getId()!),
		type: metadata.get('type') ?? '',
		contentType: metadata.get('content-type') ?? '',
		data: message.getData_asU8(),
		metadata: message.getCustomMetadata_asU8(),
	}
}

/** A UUID as text, also where the client sent it as two numbers. */
function uuidText(id: InstanceType<typeof shared.UUID>): string {
	const structured = id.getStructured()
	if (structured === undefined) return id.getString()
	const half = (text: string) => BigInt.asUintN(64, BigInt(text)).toString(16).padStart(16, '0')
	const digits =
		half(structured.getMostSignificantBits()) + half(structured.getLeastSignificantBits())
	return digits.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}
