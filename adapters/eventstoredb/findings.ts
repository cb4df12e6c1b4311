/** What the target says about a stream, and whether the relay may go on writing to it. */
import type { PlacedEvent } from '../../domain/upcast.ts'
import { isErasedMark, type Mirrored, mirroredEvent } from './envelope.ts'
import { type Target, TargetFailure } from './target.ts'

export type Finding = {
	/** The stream's newest revision; -1 where there is none. */
	readonly revision: bigint
	/** The newest event that a relay wrote. */
	readonly newest?: Mirrored
	/** What it had was erased. */
	readonly isErased?: true
}

export type StopKind =
	/** Another journal writes to the same virtual router's streams. */
	| 'second-relay'
	/** Another process mirrors a journal with the same id: a copy of the data folder. */
	| 'copied-journal'
	/** The target has more of this journal than there is here: an old copy of the data folder. */
	| 'old-journal'
	/** The stream can never be written again. */
	| 'tombstone'

/** The mirror stops for good: somebody has to decide. */
export class MirrorStop extends Error {
	override readonly name = 'MirrorStop'
	readonly kind: StopKind

	constructor(kind: StopKind, message: string) {
		super(message)
		this.kind = kind
	}

	static tombstone(stream: string, target: string): MirrorStop {
		return new MirrorStop(
			'tombstone',
			`The stream ${stream} has a tombstone in EventStoreDB at ${target}: nothing can be written to it ever again. Mirror to another database, and remove streams there by soft deletion only.`,
		)
	}
}

/** How far back an event of a relay is looked for among events of others. */
const searchedEvents = 64

export async function newestOf(target: Target, stream: string): Promise<Finding> {
	try {
		const [last] = await target.newest(stream, 1)
		if (last === undefined) return { revision: -1n }
		const newest = mirroredEvent(last)
		if (newest !== undefined) return { revision: last.revision, newest }
		if (isErasedMark(last)) return { revision: last.revision, isErased: true }
		const earlier = await target.newest(stream, searchedEvents)
		const found = earlier.map(mirroredEvent).find(mirrored => mirrored !== undefined)
		return { revision: last.revision, ...(found === undefined ? {} : { newest: found }) }
	} catch (error) {
		if (error instanceof TargetFailure && error.kind === 'deleted') {
			throw MirrorStop.tombstone(stream, target.name)
		}
		throw error
	}
}

export type OwnJournal = {
	readonly journal: string
	durable(): number
	read(from: number, limit: number): readonly PlacedEvent[]
}

/** Throws a MirrorStop where the event that was found is not one of this journal's own. */
export function compareWithOwn(own: OwnJournal, stream: string, found: Mirrored): void {
	const { position, type, at } = found.event
	if (found.journal !== own.journal) {
		throw new MirrorStop(
			'second-relay',
			`The stream ${stream} in EventStoreDB belongs to another relay, whose journal is ${found.journal} (this relay's is ${own.journal}): two relays have the same virtual router. Give one of them another virtual router; or, if that relay is lost and this one takes its place, rebuild its journal with "radledger restore" first.`,
		)
	}
	if (position > own.durable()) {
		throw new MirrorStop(
			'old-journal',
			`EventStoreDB has event ${position} of this journal in ${stream}, and the journal here ends at ${own.durable()}: the data folder is an old copy. Rebuild it with "radledger restore".`,
		)
	}
	const [event] = own.read(position, 1)
	// Not the stream: here it may have a pseudonym in the MAC's place, after an erasure.
	if (event !== undefined && event.type === type && event.at === at) return
	throw new MirrorStop(
		'copied-journal',
		`Event ${position} in ${stream} is another one in EventStoreDB than in this journal, which has the same id ${own.journal}: two relays run with copies of one data folder. Stop one of them, and rebuild the journal of the other with "radledger restore".`,
	)
}
