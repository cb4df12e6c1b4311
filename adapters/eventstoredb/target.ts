/**
 * One EventStoreDB database as the mirror and the restoration need it: every call with a deadline of
 * its own, because the client leaves appends and reads of a server that stalls pending for ever, and
 * every failure with a kind that says what to do. One target a process or worker thread: the
 * client's table of pending appends is shared by all clients of a thread.
 */
import {
	type AllStreamResolvedEvent,
	type AppendExpectedRevision,
	BACKWARDS,
	END,
	EventStoreDBClient,
	FORWARDS,
	NO_STREAM,
	type Position,
	START,
	streamNameFilter,
} from '@eventstore/db-client'
import { type Proposal, type ReadEvent, streamPrefixes } from './envelope.ts'

export type FailureKind =
	/** Not reachable, not the leader, too slow, too busy: try again. */
	| 'away'
	/** The stream is at another revision than was expected. */
	| 'wrong-revision'
	/** The stream has a tombstone. */
	| 'deleted'
	/** The credentials do not suffice. */
	| 'denied'

export class TargetFailure extends Error {
	override readonly name = 'TargetFailure'
	readonly kind: FailureKind
	/** The stream's newest revision; -1 where it is not there. */
	readonly actual: bigint | undefined

	constructor(kind: FailureKind, message: string, actual?: bigint) {
		super(message)
		this.kind = kind
		this.actual = actual
	}
}

export type Target = {
	/** Host names and ports, without credentials. */
	readonly name: string
	/** Appends after the event with revision `after` (-1: the stream must be new). */
	append(stream: string, after: bigint, events: readonly Proposal[]): Promise<void>
	/** Of a stream the newest events first, at most `limit`; none where there is no such stream. */
	newest(stream: string, limit: number): Promise<readonly ReadEvent[]>
	/** Of a stream the oldest events, beginning with that of revision `from`, or the first. */
	oldest(stream: string, limit: number, from?: bigint): Promise<readonly ReadEvent[]>
	/** Every event of the database in the order of `$all`, from a position on, that one included. */
	readAll(from: Position | undefined): AsyncIterable<AllStreamResolvedEvent>
	/**
	 * The same for events that relays write, after a position, and then as they come. `onBegun`: the
	 * server has said that they will, which is all that it says while nothing is written.
	 */
	subscribe(
		after: Position | undefined,
		end: AbortSignal,
		onBegun: () => void,
	): AsyncIterable<AllStreamResolvedEvent>
	/** Lets a stream keep so many events only. */
	keepNewest(stream: string, events: number): Promise<void>
	/** Lets a stream begin with the event of that revision: the ones before it are as good as gone. */
	cutOff(stream: string, before: bigint): Promise<void>
	/** Gives up what is pending; the next call connects anew. */
	reset(): Promise<void>
}

/**
 * The server counts the client's deadline from its own clock, so a relay whose clock is wrong would
 * have all its appends refused: it is told a year, and the deadline is kept here.
 */
const serverDeadlineMs = 365 * 24 * 3600_000
const resetMs = 2_000
const leader = { requiresLeader: true }

/** Throws TargetFailure where the connection string is not one. Does not connect yet. */
export function openTarget(url: string, deadlineMs: number): Target {
	const client = openClient(url)
	const name = targetName(url)

	return { name, append, newest, oldest, readAll, subscribe, keepNewest, cutOff, reset }

	async function append(stream: string, after: bigint, events: readonly Proposal[]) {
		const expectedRevision: AppendExpectedRevision = after < 0n ? NO_STREAM : after
		const options = { expectedRevision, deadline: serverDeadlineMs, ...leader }
		const appended = client.appendToStream(stream, events as Proposal[], options)
		await inTime(appended.catch(error => Promise.reject(tooLarge(error, name, events) ?? error)))
	}

	async function newest(stream: string, limit: number) {
		return read(stream, { direction: BACKWARDS, fromRevision: END, maxCount: limit })
	}

	async function oldest(stream: string, limit: number, from = 0n) {
		return read(stream, { direction: FORWARDS, fromRevision: from, maxCount: limit })
	}

	async function read(stream: string, options: Parameters<typeof client.readStream>[1]) {
		const reading = client.readStream(stream, { ...options, ...leader })
		const found: ReadEvent[] = []
		const timer = setTimeout(() => reading.destroy(late(name)), deadlineMs)
		try {
			for await (const { event } of reading) {
				if (event !== undefined) found.push(event as ReadEvent)
			}
		} catch (error) {
			if (typeOf(error) !== 'stream-not-found') throw failureOf(error, name)
		} finally {
			clearTimeout(timer)
		}
		return found
	}

	/** The deadline is for each event: a whole database takes as long as it takes. */
	async function* readAll(from: Position | undefined) {
		const reading = client.readAll({ fromPosition: from ?? START, ...leader })
		let heardAt = performance.now()
		const timer = setInterval(() => {
			// A slow reader is not a silent server: what has arrived counts.
			if (reading.readableLength > 0) heardAt = performance.now()
			if (performance.now() - heardAt > deadlineMs) reading.destroy(late(name))
		}, 250)
		try {
			for await (const resolved of reading) {
				heardAt = performance.now()
				yield resolved
			}
		} catch (error) {
			throw failureOf(error, name)
		} finally {
			clearInterval(timer)
		}
	}

	async function* subscribe(after: Position | undefined, end: AbortSignal, onBegun: () => void) {
		const filter = streamNameFilter({ prefixes: [...streamPrefixes] })
		const subscription = client.subscribeToAll({ fromPosition: after ?? START, filter })
		const timer = setTimeout(() => subscription.destroy(late(name)), deadlineMs)
		subscription.once('confirmation', () => {
			clearTimeout(timer)
			onBegun()
		})
		const over = () => subscription.destroy()
		end.addEventListener('abort', over)
		try {
			for await (const resolved of subscription) yield resolved
		} catch (error) {
			throw failureOf(error, name)
		} finally {
			clearTimeout(timer)
			end.removeEventListener('abort', over)
			void subscription.unsubscribe().catch(() => {})
		}
	}

	async function keepNewest(stream: string, events: number) {
		await inTime(client.setStreamMetadata(stream, { maxCount: events }, leader))
	}

	async function cutOff(stream: string, before: bigint) {
		// What else the metadata says, such as who may read, is to stay.
		const { metadata = {} } = await inTime(client.getStreamMetadata(stream, leader))
		const changed = { ...metadata, truncateBefore: Number(before) }
		await inTime(client.setStreamMetadata(stream, changed, leader))
	}

	function inTime<Answer>(answer: Promise<Answer>): Promise<Answer> {
		return new Promise((resolve, reject) => {
			const timer = setTimeout(() => reject(late(name)), deadlineMs)
			answer
				.then(resolve, error => reject(failureOf(error, name)))
				.finally(() => {
					clearTimeout(timer)
				})
		})
	}

	async function reset(): Promise<void> {
		const limit = new Promise<void>(resolve => setTimeout(resolve, resetMs).unref())
		// Cancelling its streams makes the client close the channel and look for the leader again.
		await Promise.race([client.dispose().catch(() => {}), limit])
	}
}

function openClient(url: string) {
	const port = impossiblePort(url)
	if (port !== undefined) {
		throw new TargetFailure(
			'away',
			`The EventStoreDB address has port ${port}, and ports end at 65535. EventStoreDB's own is 2113.`,
		)
	}
	try {
		return EventStoreDBClient.connectionString(url)
	} catch (error) {
		// The client's own sentence may repeat the password.
		const at = error instanceof Error ? /at position \d+, expected .*/.exec(error.message) : null
		const why = at === null ? '' : ` ${at[0].replace(/\.+$/, '')}`
		throw new TargetFailure(
			'away',
			`The EventStoreDB address is not a connection string${why}. Give one like esdb://host:2113?tls=false or esdb+discover://user:password@host:2113.`,
		)
	}
}

/** The client would try such a port again and again. */
function impossiblePort(url: string): string | undefined {
	const ports = targetName(url).matchAll(/:([0-9]+)(?=,|$)/g)
	return [...ports].map(([, port]) => port!).find(port => Number(port) > 65535 || Number(port) < 1)
}

/** Scheme and hosts of a connection string, without credentials and options. */
export function targetName(url: string): string {
	const hosts = /^[^:]+:\/\/(?:[^@]*@)?([^/?]*)/.exec(url.trim())
	return hosts?.[1] ?? '(unnamed)'
}

function late(name: string): TargetFailure {
	return new TargetFailure('away', `EventStoreDB at ${name} does not answer in time.`)
}

/** EventStoreDB takes 1 MiB in one append unless told otherwise (`MaxAppendSize`). */
function tooLarge(error: unknown, name: string, events: readonly Proposal[]) {
	if (typeOf(error) !== 'maximum-append-size-exceeded') return undefined
	const { maxAppendSize } = error as { maxAppendSize?: number }
	const [{ type, data, metadata }] = events as readonly [Proposal]
	const octets = Buffer.byteLength(JSON.stringify(data) + JSON.stringify(metadata))
	// A server may refuse everything that is under way with it: then it need not be this one.
	const isThis = events.length === 1 && octets + type.length * 2 > (maxAppendSize ?? 0)
	const what = isThis ? `The next event is a ${type} of ${octets} octets` : 'An event is too large'
	return new TargetFailure(
		'away',
		`${what}: EventStoreDB at ${name} takes ${maxAppendSize} at once. Raise its setting MaxAppendSize, and the mirror goes on.`,
	)
}

function typeOf(error: unknown): string {
	const type = error instanceof Error && 'type' in error ? error.type : undefined
	return typeof type === 'string' ? type : ''
}

function failureOf(error: unknown, name: string): TargetFailure {
	if (error instanceof TargetFailure) return error
	const why = error instanceof Error ? error.message : String(error)
	switch (typeOf(error)) {
		case 'wrong-expected-version': {
			const { actualVersion } = error as { actualVersion?: bigint | 'no_stream' }
			const actual = typeof actualVersion === 'bigint' ? actualVersion : -1n
			return new TargetFailure('wrong-revision', why, actual)
		}
		case 'stream-deleted':
			return new TargetFailure('deleted', why)
		case 'access-denied':
			return new TargetFailure(
				'denied',
				`EventStoreDB at ${name} refuses access: give the connection string a user who may read and write streams.`,
			)
		default:
			return new TargetFailure(
				'away',
				// gRPC's sentence ends with a note that is empty.
				`EventStoreDB at ${name} is away: ${why.replace(/ Resolution note: $/, '')}`,
			)
	}
}
