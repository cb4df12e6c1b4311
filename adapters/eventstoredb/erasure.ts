/**
 * Erasing a subscriber in the copy. EventStoreDB deletes no single event, so the stream's events are
 * written once more in their erased form, and everything before is cut off. What is cut off is read
 * no more as part of the stream; it leaves the database's files, and `$all`, when every node is
 * scavenged.
 */
import type { PlacedEvent } from '../../domain/upcast.ts'
import { eventId, mirroredEvent, proposalOf, type ReadEvent } from './envelope.ts'
import { compareWithOwn, type OwnJournal } from './findings.ts'
import type { Target } from './target.ts'

export type Erased = {
	/** Events that were written once more. */
	readonly events: number
	/** What this could not reach, as a sentence. */
	readonly notReached: string
}

const eventsPerAppend = 64
const eventsPerReading = 512

/**
 * Makes the copy of a stream what the journal, in which the subscriber is erased already, has at the
 * same positions. May be begun again after any failure: what is there already is not written again.
 * Nothing else may write to the stream meanwhile.
 */
export async function eraseStream(
	target: Target,
	own: OwnJournal,
	stream: string,
): Promise<Erased> {
	const there = await readWhole(target, stream)
	const newest = there.at(-1)
	if (newest === undefined) return { events: 0, notReached: notReached(target, stream) }
	const { firstErased, originals } = divide(there, own)
	const last = originals.at(-1)
	if (last !== undefined) compareOwner(own, stream, last)
	const written = firstErased === undefined ? 0 : there.length - there.indexOf(firstErased)
	const missing = originals.slice(written)
	let revision = newest.revision
	for (let i = 0; i < missing.length; i += eventsPerAppend) {
		const proposals = missing.slice(i, i + eventsPerAppend).map(event => erasedForm(own, event))
		await target.append(stream, revision, proposals)
		revision += BigInt(proposals.length)
	}
	if (originals.length > 0) {
		await target.cutOff(stream, firstErased?.revision ?? newest.revision + 1n)
	}
	return { events: missing.length, notReached: notReached(target, stream) }
}

async function readWhole(target: Target, stream: string): Promise<ReadEvent[]> {
	const found: ReadEvent[] = []
	for (;;) {
		const from = found.at(-1)?.revision
		const page = await target.oldest(stream, eventsPerReading, from === undefined ? 0n : from + 1n)
		found.push(...page)
		if (page.length < eventsPerReading) return found
	}
}

/** The events that are there in their first form, and the first that is there in its erased one. */
function divide(there: readonly ReadEvent[], { journal }: OwnJournal) {
	const isErased = (event: ReadEvent) => {
		const mirrored = mirroredEvent(event)
		return mirrored !== undefined && event.id === erasedId(journal, mirrored.event.position)
	}
	const firstErased = there.find(isErased)
	const originals = there.filter(event => mirroredEvent(event) !== undefined && !isErased(event))
	return { firstErased, originals }
}

function compareOwner(own: OwnJournal, stream: string, event: ReadEvent): void {
	const mirrored = mirroredEvent(event)
	if (mirrored !== undefined) compareWithOwn(own, stream, mirrored)
}

function erasedForm(own: OwnJournal, event: ReadEvent) {
	const { position } = mirroredEvent(event)!.event
	const erased: PlacedEvent = own.read(position, 1)[0]!
	return { ...proposalOf(own.journal, erased), id: erasedId(own.journal, position) }
}

/** Another id than the first form's, which would be taken for a repetition. */
function erasedId(journal: string, position: number): string {
	return eventId(journal, `${position} erased`)
}

function notReached(target: Target, stream: string): string {
	return `What ${stream} was in EventStoreDB at ${target.name} stays in the files of its nodes, and can be read in $all, until each node has been scavenged; backups, and copies that others have made from there, keep it.`
}
