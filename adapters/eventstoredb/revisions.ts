/** What the target has of each stream that is written in a session: asked once, then kept up to date. */
import type { PlacedEvent } from '../../domain/upcast.ts'
import { copyStreamOf } from './envelope.ts'
import { compareWithOwn, type Finding, newestOf, type OwnJournal } from './findings.ts'
import type { Target } from './target.ts'

export type Revisions = {
	/** Finds out about the streams of these events. Throws MirrorStop where one is somebody else's. */
	lookUp(events: readonly PlacedEvent[]): Promise<void>
	get(stream: string): Finding
	set(stream: string, finding: Finding): void
	/** Whether there are more streams than may be remembered. */
	isFull(): boolean
	/** Only while nothing is in flight: what a stream has then is what it is asked for next. */
	forget(): void
}

const lookupsAtOnce = 32

export function openRevisions(parts: {
	readonly source: OwnJournal
	readonly target: Target
	/** Nothing of this journal was ever there: subscribers' streams need not be asked for. */
	readonly isNew: boolean
	readonly streamsMax: number
	/** Revisions that no event tells: of streams that are there and have nothing to read. */
	readonly unreadable: ReadonlyMap<string, bigint>
	/** Is told of a stream with nothing but events that no relay wrote. */
	readonly foreign: (stream: string) => void
}): Revisions {
	const { source, target, streamsMax, unreadable, foreign } = parts
	const known = new Map<string, Finding>()
	let isNew = parts.isNew

	return {
		lookUp,
		get: stream => known.get(stream)!,
		set: (stream, finding) => void known.set(stream, finding),
		isFull: () => known.size > streamsMax,
		forget() {
			known.clear()
			isNew = false
		},
	}

	async function lookUp(events: readonly PlacedEvent[]): Promise<void> {
		// What is aside goes out only when the relay's own stream is known to be its own.
		const streams = events.flatMap(event => [event.stream, copyStreamOf(event)])
		const unknown = [...new Set(streams)].filter(stream => !known.has(stream))
		// The relay's own streams first: they tell whether it is new.
		await ask(unknown.filter(stream => !isSubscriber(stream)))
		const subscribers = unknown.filter(isSubscriber)
		if (!isNew) return ask(subscribers)
		for (const stream of subscribers) known.set(stream, { revision: -1n })
	}

	async function ask(streams: readonly string[]): Promise<void> {
		for (let i = 0; i < streams.length; i += lookupsAtOnce) {
			const some = streams.slice(i, i + lookupsAtOnce)
			const found = await Promise.all(some.map(stream => newestOf(target, stream)))
			for (const [index, finding] of found.entries()) learn(some[index]!, finding)
		}
	}

	function learn(stream: string, finding: Finding): void {
		const { revision, newest, isErased } = finding
		if (revision >= 0n) isNew = false
		if (newest !== undefined) compareWithOwn(source, stream, newest)
		else if (revision >= 0n && !isErased) foreign(stream)
		const hidden = revision < 0n ? unreadable.get(stream) : undefined
		known.set(stream, hidden === undefined ? finding : { ...finding, revision: hidden })
	}
}

function isSubscriber(stream: string): boolean {
	return stream.startsWith('subscriber-')
}
