/**
 * Erasing a subscriber in the copy. EventStoreDB deletes no single event, so the stream's events are
 * written once more in their erased form, to the stream that the journal has them in by now, and the
 * old one is deleted. What is deleted is no longer part of a stream; it leaves the database's files,
 * and `$all`, when every node is scavenged.
 */
import type { PlacedEvent } from '../../domain/upcast.ts'
import { eventId, mirroredEvent, proposalOf, type ReadEvent } from './envelope.ts'
import { compareWithOwn, type OwnJournal } from './findings.ts'
import type { Target } from './target.ts'

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
	if (cut !== undefined) await target.cutOff(stream, cut)
	return { events, left }
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
	let revision = there.at(-1)?.revision ?? -1n
	for (let i = 0; i < missing.length; i += eventsPerAppend) {
		const proposals = missing.slice(i, i + eventsPerAppend).map(event => erasedForm(own, event))
		await target.append(stream, revision, proposals)
		revision += BigInt(proposals.length)
	}
	return missing.length
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
function erasedForm({ journal }: OwnJournal, event: PlacedEvent) {
	return { ...proposalOf(journal, event), id: eventId(journal, `${event.position} erased`) }
}
