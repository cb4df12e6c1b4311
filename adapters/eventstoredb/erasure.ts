/**
 * Erasing a subscriber in the copy. EventStoreDB deletes no single event, so the stream's events are
 * written once more in their erased form, to the stream that the journal has them in by now, and the
 * old one is deleted. What is deleted is no longer part of a stream; it leaves the database's files,
 * and `$all`, when every node is scavenged.
 */
import type { PlacedEvent } from '../../domain/upcast.ts'
import {
	asideStream,
	erasedMarkOf,
	eventId,
	type Mirrored,
	mirroredEvent,
	proposalOf,
	type ReadEvent,
} from './envelope.ts'
import { compareWithOwn, type OwnJournal } from './findings.ts'
import { type Target, TargetFailure } from './target.ts'

export type StreamErasure = {
	/** Events that were written once more. */
	readonly events: number
	/** Events of the stream that the journal has not erased, or that came later: they stay. */
	readonly left: number
}

const eventsPerAppend = 64
const eventsPerReading = 512

/**
 * Moves the events of a stream to where the journal, in which the subscriber is erased already, has
 * them. May be begun again after any failure: what is there already is not written again.
 */
export async function eraseStream(
	target: Target,
	own: OwnJournal,
	stream: string,
): Promise<StreamErasure> {
	const there = await readWhole(target, stream)
	const erased: PlacedEvent[] = []
	let left = 0
	let cut: bigint | undefined
	for (const event of there) {
		const mirrored = mirroredEvent(event)
		if (mirrored === undefined) continue
		compareWithOwn(own, stream, mirrored)
		const now = own.read(mirrored.event.position, 1)[0]!
		if (now.stream === stream) {
			left++
			continue
		}
		// One that is not erased before one that is: the order of the journal has no such thing.
		if (left > 0)
			throw new Error(`Event ${now.position} in ${stream} is erased and one before it is not.`)
		erased.push(now)
		cut = event.revision + 1n
	}
	let events = 0
	for (const [to, moved] of Map.groupBy(erased, event => event.stream)) {
		events += await moveTo(target, own, to, moved)
	}
	// What came after the erasure, when the subscriber was back, begins the stream anew.
	if (cut !== undefined) {
		const isWhole = left === 0 && (await markErased(target, own, stream, there.at(-1)!.revision))
		await target.cutOff(stream, isWhole ? there.at(-1)!.revision + 1n : cut)
	}
	return { events, left }
}

/** Puts the mark behind the stream's last event; false where the mirror was quicker. */
async function markErased(target: Target, own: OwnJournal, stream: string, after: bigint) {
	try {
		await target.append(stream, after, [erasedMarkOf(own.journal)])
		return true
	} catch (error) {
		if (error instanceof TargetFailure && error.kind === 'wrong-revision') return false
		throw error
	}
}

export type SharedErasure = {
	/** Events that were written once more. */
	readonly events: number
	/** Events that stay as they were, with the reason. */
	readonly stay: readonly string[]
}

/**
 * The same for events that are in no subscriber's stream: each in its own stream aside, or among
 * others of an access point, whose stream is then written once more as a whole. `positions`: of
 * events that were erased in the journal.
 */
export async function eraseShared(
	target: Target,
	own: OwnJournal,
	positions: Iterable<number>,
): Promise<SharedErasure> {
	const streams = new Map<string, Set<number>>()
	for (const position of positions) {
		const event = own.read(position, 1)[0]
		if (event === undefined || event.stream.startsWith('subscriber-')) continue
		const isAside = event.stream.startsWith('relay-')
		const stream = isAside ? asideStream(event.stream, position) : event.stream
		const wanted = streams.get(stream) ?? new Set()
		streams.set(stream, wanted.add(position))
	}
	let events = 0
	const stay: string[] = []
	for (const [stream, wanted] of streams) {
		const written = await rewrite(target, own, stream, wanted)
		if (typeof written === 'string') stay.push(written)
		else events += written
	}
	return { events, stay }
}

const rewritings = 5

/** Writes what a stream has once more behind it, the erased forms among it, and cuts the first off. */
async function rewrite(
	target: Target,
	own: OwnJournal,
	stream: string,
	wanted: ReadonlySet<number>,
): Promise<number | string> {
	for (let tries = 1; ; tries++) {
		const there = await readWhole(target, stream)
		const known = new Map<number, Mirrored>()
		let isForeign = false
		let hasFirstForm = false
		for (const event of there) {
			const mirrored = mirroredEvent(event)
			isForeign ||= mirrored === undefined
			if (mirrored === undefined) continue
			compareWithOwn(own, stream, mirrored)
			const { position, data } = mirrored.event
			known.set(position, mirrored)
			const now = own.read(position, 1)[0]!
			hasFirstForm ||= wanted.has(position) && JSON.stringify(now.data) !== JSON.stringify(data)
		}
		if (!hasFirstForm) return 0
		if (isForeign) {
			return `${stream} has events that no relay wrote among those of the relay, so it is not written once more.`
		}
		const positions = [...known.keys()].sort((a, b) => a - b)
		const events = positions.map(position => own.read(position, 1)[0]!)
		const last = there.at(-1)!.revision
		try {
			await appendAll(target, own, stream, last, events)
			await target.cutOff(stream, last + 1n)
			return positions.filter(position => wanted.has(position)).length
		} catch (error) {
			const isOvertaken = error instanceof TargetFailure && error.kind === 'wrong-revision'
			if (!isOvertaken || tries === rewritings) throw error
		}
	}
}

/** Appends what is not there yet, in the order of the journal, and tells how many events that were. */
async function moveTo(
	target: Target,
	own: OwnJournal,
	stream: string,
	events: readonly PlacedEvent[],
): Promise<number> {
	const there = await readWhole(target, stream)
	const known = new Set(there.map(event => mirroredEvent(event)?.event.position))
	const missing = events.filter(({ position }) => !known.has(position))
	await appendAll(target, own, stream, there.at(-1)?.revision ?? -1n, missing)
	return missing.length
}

async function appendAll(
	target: Target,
	own: OwnJournal,
	stream: string,
	after: bigint,
	events: readonly PlacedEvent[],
): Promise<void> {
	let revision = after
	for (let i = 0; i < events.length; i += eventsPerAppend) {
		const some = events.slice(i, i + eventsPerAppend)
		const proposals = some.map(event => erasedForm(own, event, stream !== event.stream))
		await target.append(stream, revision, proposals)
		revision += BigInt(proposals.length)
	}
}

async function readWhole(target: Target, stream: string): Promise<ReadEvent[]> {
	const found: ReadEvent[] = []
	for (;;) {
		const newest = found.at(-1)
		const from = newest === undefined ? 0n : newest.revision + 1n
		const page = await target.oldest(stream, eventsPerReading, from)
		found.push(...page)
		if (page.length < eventsPerReading) return found
	}
}

/** Another id than the first form's, by which the two can be told apart. */
function erasedForm({ journal }: OwnJournal, event: PlacedEvent, isAside: boolean) {
	return {
		...proposalOf(journal, event, isAside),
		id: eventId(journal, `${event.position} erased`),
	}
}
