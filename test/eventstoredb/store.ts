/**
 * What an EventStoreDB database keeps, as its documentation and its source have it: streams with
 * revisions, the order of `$all`, expected revisions, idempotent appends, soft deletion, tombstones
 * and truncation. Nothing of it knows of gRPC or of radledger.
 */

/** Without `position` and `revision` it is what a client proposes. */
export type Proposed = {
	readonly id: string
	readonly type: string
	readonly contentType: string
	readonly data: Uint8Array
	readonly metadata: Uint8Array
}
export type Stored = Proposed & {
	readonly stream: string
	readonly revision: number
	/** Commit and prepare position: where it begins in the log. */
	readonly position: number
	readonly createdAt: number
}

/** -1: the stream must not be there; otherwise the revision of its newest event. */
export type Expected = number | 'any' | 'stream-exists'
export type Appended =
	| { readonly kind: 'appended'; readonly revision: number; readonly position: number }
	/** `current`: -1 where the stream is not there. */
	| { readonly kind: 'wrong-revision'; readonly current: number }
	| { readonly kind: 'deleted' }

export type Store = {
	append(stream: string, expected: Expected, events: readonly Proposed[]): Appended
	/** Soft: the stream may be written again, and goes on counting. */
	delete(stream: string): Appended
	/** Hard: never again. */
	tombstone(stream: string): Appended
	/** What can be read of a stream, oldest first; `not-found` and `deleted` as a reader is told. */
	read(stream: string): readonly Stored[] | 'not-found' | 'deleted'
	/** Every event in the order in which it was written, those of deleted streams too. */
	all(): readonly Stored[]
	/** Removes for good what can no longer be read, but for the newest event of each stream. */
	scavenge(): void
	/** Calls back after every append; returns what ends that. */
	watch(changed: () => void): () => void
}

const softDeleted = 2 ** 63 - 1

type Kept = { events: Stored[]; tombstoned: boolean }

/** `newest`: about so many events are kept, and the newest of each stream; the others are forgotten. */
export function newStore(newest = Number.POSITIVE_INFINITY): Store {
	const streams = new Map<string, Kept>()
	let log: Stored[] = []
	let position = 0
	const watchers = new Set<() => void>()

	const lastRevision = (stream: string) => streams.get(stream)?.events.at(-1)?.revision ?? -1

	return { append, delete: softDelete, tombstone, read, all: () => log, scavenge, watch }

	function append(stream: string, expected: Expected, events: readonly Proposed[]): Appended {
		const kept = streams.get(stream)
		if (kept?.tombstoned) return { kind: 'deleted' }
		const current = lastRevision(stream)
		const checked = check(stream, kept?.events ?? [], current, expected, events)
		if (checked !== 'write') return checked
		// A deleted stream that is written again shows what comes from now on only.
		if (isSoftDeleted(stream)) setMetadata(stream, { ...metadataOf(stream), $tb: current + 1 })
		return write(stream, events)
	}

	/** The documented rules of idempotence: by id, and by place where the expected revision tells it. */
	function check(
		stream: string,
		known: readonly Stored[],
		current: number,
		expected: Expected,
		events: readonly Proposed[],
	): Appended | 'write' {
		const wrong: Appended = { kind: 'wrong-revision', current }
		if (expected === 'stream-exists') {
			if (isSoftDeleted(stream)) return { kind: 'deleted' }
			if (current < 0) return wrong
		}
		if (typeof expected === 'string') {
			const places = events.map(({ id }) => known.find(event => event.id === id))
			if (places.length === 0 || places[0] === undefined) return 'write'
			return places.every(place => place !== undefined) ? done(places.at(-1)!) : wrong
		}
		if (expected > current) return wrong
		if (expected === current) return 'write'
		for (const [index, { id }] of events.entries()) {
			const there = known.find(({ revision }) => revision === expected + 1 + index)
			if (there?.id === id) continue
			return index === 0 && expected === -1 && isSoftDeleted(stream) ? 'write' : wrong
		}
		if (events.length === 0) return wrong
		return done(known.find(({ revision }) => revision === expected + events.length)!)
	}

	function done(last: Stored): Appended {
		return { kind: 'appended', revision: last.revision, position: last.position }
	}

	function write(stream: string, events: readonly Proposed[]): Appended {
		let revision = lastRevision(stream)
		const kept = streams.get(stream) ?? { events: [], tombstoned: false }
		streams.set(stream, kept)
		for (const event of events) {
			const stored = { ...event, stream, revision: ++revision, position, createdAt: Date.now() }
			kept.events.push(stored)
			log.push(stored)
			position += 64 + event.data.length + event.metadata.length
		}
		if (log.length > 2 * newest) forget()
		for (const changed of watchers) changed()
		return { kind: 'appended', revision, position: log.at(-1)?.position ?? 0 }
	}

	function forget(): void {
		const from = log.at(-newest)!.position
		for (const kept of streams.values()) {
			const last = kept.events.at(-1)
			kept.events = kept.events.filter(event => event.position >= from || event === last)
		}
		log = log.filter(
			event => event.position >= from || event === streams.get(event.stream)?.events.at(-1),
		)
	}

	function metadataOf(stream: string): Readonly<Record<string, unknown>> {
		const newest = streams.get(`$$${stream}`)?.events.at(-1)
		return newest === undefined ? {} : JSON.parse(Buffer.from(newest.data).toString())
	}

	function setMetadata(stream: string, metadata: object): Appended {
		return write(`$$${stream}`, [
			{
				id: crypto.randomUUID(),
				type: '$metadata',
				contentType: 'application/json',
				data: Buffer.from(JSON.stringify(metadata)),
				metadata: new Uint8Array(),
			},
		])
	}

	function isSoftDeleted(stream: string): boolean {
		return Number(metadataOf(stream)['$tb'] ?? 0) >= softDeleted
	}

	function softDelete(stream: string): Appended {
		if (streams.get(stream)?.tombstoned) return { kind: 'deleted' }
		return setMetadata(stream, { ...metadataOf(stream), $tb: softDeleted })
	}

	function tombstone(stream: string): Appended {
		if (streams.get(stream)?.tombstoned) return { kind: 'deleted' }
		const written = write(stream, [
			{
				id: crypto.randomUUID(),
				type: '$streamDeleted',
				contentType: 'application/json',
				data: new Uint8Array(),
				metadata: new Uint8Array(),
			},
		])
		streams.get(stream)!.tombstoned = true
		return written
	}

	function read(stream: string): readonly Stored[] | 'not-found' | 'deleted' {
		const kept = streams.get(stream)
		if (kept === undefined) return 'not-found'
		if (kept.tombstoned) return 'deleted'
		if (isSoftDeleted(stream)) return 'not-found'
		const first = firstReadable(stream)
		return first === 0 ? kept.events : kept.events.filter(({ revision }) => revision >= first)
	}

	function firstReadable(stream: string): number {
		const { $tb = 0, $maxCount = Number.POSITIVE_INFINITY } = metadataOf(stream)
		return Math.max(Number($tb), lastRevision(stream) + 1 - Number($maxCount), 0)
	}

	function scavenge(): void {
		const stays = ({ stream, revision }: Stored) =>
			stream.startsWith('$$') ||
			revision === lastRevision(stream) ||
			(!streams.get(stream)!.tombstoned && revision >= firstReadable(stream))
		log = log.filter(stays)
		for (const kept of streams.values()) kept.events = kept.events.filter(stays)
	}

	function watch(changed: () => void): () => void {
		watchers.add(changed)
		return () => watchers.delete(changed)
	}
}
