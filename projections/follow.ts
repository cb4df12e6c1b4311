/**
 * The one loop of every projection: read the journal, fold, and save the view together with the
 * position it stands at, in one snapshot. Without a snapshot it folds from the first event on, to
 * the same view.
 */
import { catalogue, type EventType, type NewEvent, type RecordedEvent } from '../domain/event.ts'
import type { JournalReader, Snapshots } from '../domain/journal.ts'

export type Projection<State> = {
	/** Names the snapshot: a-z, 0-9 and dashes. */
	readonly name: string
	/** To be raised whenever the view or the folding changes: older snapshots are ignored then. */
	readonly version: number
	initial(): State
	/** The events that `fold` does anything with; all where it is left out. */
	readonly types?: readonly EventType[]
	/** May change `state` itself. Must depend on nothing but its arguments. */
	fold(state: State, event: RecordedEvent): State
	/** The view as plain JSON, in pieces of moderate size; left out where it is that already, and small. */
	freeze?(state: State): Iterable<unknown>
	/** The view out of what `freeze` gave. May throw a sentence: the snapshot is ignored then. */
	thaw?(pieces: Iterable<unknown>): State
}

export type Following<State> = {
	state(): State
	/** Position of the newest event that was folded; 0 before the first. */
	position(): number
	/**
	 * Told of a batch that this process has just committed, with the position of its first event:
	 * folds it as it is when it comes next, and reads the journal when something is missing.
	 */
	committed(first: number, events: readonly NewEvent[]): void
	/** For `tellTogether`: the events that `foldNext` is to be given, and where those are skipped to. */
	readonly types: readonly EventType[] | undefined
	foldNext(event: RecordedEvent): void
	skipTo(position: number): void
	/** Folds what the journal has beyond `position`, at most about `limit` events; tells how many. */
	catchUp(limit?: number): number
	/** Saves view and position together, unless they are saved already. */
	save(): void
}

export type FollowSettings<State> = {
	readonly reader: JournalReader
	readonly snapshots: Snapshots
	readonly projection: Projection<State>
	/** Is told, in a sentence, of a snapshot that is not used. */
	readonly onWarning?: (sentence: string) => void
}

/** Events that one reading of the journal fetches. */
const readingSize = 4096

/** Begins with the newest usable snapshot. Reads no events yet: `catchUp` does. */
export function follow<State>(settings: FollowSettings<State>): Following<State> {
	const { reader, snapshots, projection } = settings
	let { state, position } = restored(settings) ?? { state: projection.initial(), position: 0 }
	let saved = position
	const types = projection.types === undefined ? undefined : new Set(projection.types)

	return {
		state: () => state,
		position: () => position,
		committed,
		types: projection.types,
		foldNext(event) {
			state = projection.fold(state, event)
		},
		skipTo(next) {
			position = next
		},
		catchUp,
		save() {
			if (saved === position) return
			const pieces = projection.freeze === undefined ? [state] : projection.freeze(state)
			snapshots.save(projection.name, projection.version, position, pieces)
			saved = position
		},
	}

	function committed(first: number, events: readonly NewEvent[]): void {
		if (first > position + 1) {
			catchUp()
			return
		}
		for (let index = position + 1 - first; index < events.length; index++) {
			const event = events[index]!
			fold('position' in event ? (event as RecordedEvent) : recorded(event, first + index))
		}
	}

	function catchUp(limit = Number.POSITIVE_INFINITY): number {
		const begin = position
		while (position - begin < limit) {
			const wanted = Math.min(readingSize, limit - (position - begin))
			const events = reader.read(position + 1, wanted)
			if (events.length === 0) break
			for (const event of events) fold(event)
		}
		return position - begin
	}

	function fold(event: RecordedEvent): void {
		if (event.position !== position + 1) {
			throw new Error(
				`The projection ${projection.name} stands at position ${position} and was given ` +
					`event ${event.position}: the journal has a gap. Check it with verify.`,
			)
		}
		if (types?.has(event.type) !== false) state = projection.fold(state, event)
		position = event.position
	}
}

/** Folds what the journal has into all of them, and reads it once for that. */
export function catchUpTogether(
	reader: JournalReader,
	followings: readonly Pick<Following<unknown>, 'position' | 'committed'>[],
): void {
	let position = Math.min(...followings.map(following => following.position()))
	for (;;) {
		const events = reader.read(position + 1, readingSize)
		if (events.length === 0) return
		for (const following of followings) following.committed(position + 1, events)
		position += events.length
	}
}

/**
 * Tells several followings of what this process commits, each event only those that fold its type:
 * they stand in a table that is made once. What it gives is `committed` of all of them.
 */
export function tellTogether(
	followings: readonly Following<unknown>[],
): (first: number, events: readonly NewEvent[]) => void {
	const foldersOf = new Map(
		(Object.keys(catalogue) as EventType[]).map(type => [
			type,
			followings.filter(({ types }) => types === undefined || types.includes(type)),
		]),
	)

	return (first, events) => {
		if (followings.some(following => following.position() !== first - 1)) {
			const all = withPositions(first, events)
			for (const following of followings) following.committed(first, all)
			return
		}
		for (let index = 0; index < events.length; index++) {
			const folders = foldersOf.get(events[index]!.type)!
			if (folders.length === 0) continue
			const event = recorded(events[index]!, first + index)
			for (const following of folders) following.foldNext(event)
		}
		for (const following of followings) following.skipTo(first + events.length - 1)
	}
}

function restored<State>({ snapshots, projection, onWarning }: FollowSettings<State>) {
	const snapshot = snapshots.load(projection.name, projection.version)
	if (snapshot === undefined) return undefined
	const { position, pieces } = snapshot
	try {
		return { position, state: projection.thaw?.(pieces) ?? onlyPiece<State>(pieces) }
	} catch (error) {
		const why = error instanceof Error ? error.message : String(error)
		onWarning?.(
			`The snapshot of ${projection.name} is ignored and the journal read instead: ${why}`,
		)
		return undefined
	}
}

function onlyPiece<State>(pieces: Iterable<unknown>): State {
	const [state, ...more] = pieces
	if (state === undefined || more.length > 0) throw new Error('it is not one piece.')
	return state as State
}

/** A batch with its positions, made once where several projections are told of it. */
export function withPositions(first: number, events: readonly NewEvent[]): RecordedEvent[] {
	return events.map((event, index) => recorded(event, first + index))
}

/** The shape and the order of fields that reading the journal gives, so that folding stays fast. */
function recorded(event: NewEvent, position: number): RecordedEvent {
	const { stream, type, v, at, data } = event
	return { position, stream, type, v, at, data } as RecordedEvent
}
