/**
 * How far the copy is complete, kept in the target itself in the stream `mirror-<journal id>`: it
 * cannot be lost without the copy, nor be older or newer than it. The explicit revision makes it a
 * fence too: of two processes that mirror the same journal, the one that was first stops.
 */
import { isLeft } from 'fp-ts/lib/Either.js'
import * as t from 'io-ts'
import { compareWithOwn, MirrorStop, type OwnJournal } from './findings.ts'
import { type Target, TargetFailure } from './target.ts'

const checkpointData = t.intersection([
	t.type({ position: t.number, run: t.string }),
	/** The event at that position, by which a diverged copy of the journal is told. Its stream names a person. */
	t.partial({ type: t.string, at: t.number }),
])
type CheckpointData = t.TypeOf<typeof checkpointData>

/** Of the checkpoints only the newest few are kept. */
const keptCheckpoints = 16

export type Checkpoint = {
	/** Position of the newest one that is known to be there. */
	position(): number
	/**
	 * Claims the journal's copy for this run and returns the position up to which it is complete;
	 * undefined where nobody ever began with it, as far as the target can tell.
	 */
	resume(): Promise<number | undefined>
	save(position: number): Promise<void>
}

export function checkpointStream(journal: string): string {
	return `mirror-${journal}`
}

/** Up to which position the target has everything of a journal; 0 where nothing says so. */
export async function checkpointPosition(target: Target, journal: string): Promise<number> {
	const newest = await newestCheckpoint(target, checkpointStream(journal))
	return newest?.data.position ?? 0
}

async function newestCheckpoint(
	target: Target,
	stream: string,
): Promise<{ data: CheckpointData; revision: bigint } | undefined> {
	const [newest] = await target.newest(stream, 1)
	if (newest === undefined) return undefined
	const data = checkpointData.decode(newest.data)
	if (isLeft(data)) {
		throw new TargetFailure('away', `${stream} in EventStoreDB has an event that is no checkpoint.`)
	}
	return { data: data.right, revision: newest.revision }
}

export function openCheckpoint(parts: {
	readonly source: OwnJournal
	readonly target: Target
	readonly run: string
}): Checkpoint {
	const { source, target, run } = parts
	const stream = checkpointStream(source.journal)
	let saved = 0
	let revision = -1n
	let claimed = false

	return {
		position: () => saved,
		async resume() {
			const newest = await newestCheckpoint(target, stream)
			if (newest === undefined) {
				revision = -1n
				saved = 0
			} else {
				if (claimed && newest.data.run !== run) throw superseded()
				compare(newest.data)
				revision = newest.revision
				saved = newest.data.position
			}
			await write(saved)
			if (newest === undefined) await target.keepNewest(stream, keptCheckpoints).catch(denied)
			claimed = true
			return newest === undefined ? undefined : saved
		},
		save: write,
	}

	function compare({ position, type, at }: CheckpointData): void {
		if (position === 0 || type === undefined || at === undefined) return
		const event = { position, stream, type, v: 1, at, data: {} }
		compareWithOwn(source, stream, { journal: source.journal, event })
	}

	async function write(position: number): Promise<void> {
		const event = position === 0 ? undefined : source.read(position, 1)[0]
		const place = event && { type: event.type, at: event.at }
		const data: CheckpointData = { position, run, ...place }
		const proposal = {
			id: crypto.randomUUID(),
			type: 'MirrorCheckpoint',
			contentType: 'application/json' as const,
			data,
			metadata: { journal: source.journal },
		}
		try {
			await target.append(stream, revision, [proposal])
		} catch (error) {
			if (!(error instanceof TargetFailure) || error.kind !== 'wrong-revision') throw error
			// Either an attempt whose answer was lost, or somebody else: the next session looks.
			if (claimed && (await newestCheckpoint(target, stream))?.data.run !== run) throw superseded()
			throw new TargetFailure('away', `${stream} was written to meanwhile: the mirror looks again.`)
		}
		revision++
		saved = position
	}

	function superseded(): MirrorStop {
		return new MirrorStop(
			'copied-journal',
			`Another process has begun to mirror a journal with the same id ${source.journal}: two relays run with copies of one data folder. Stop one of them, and rebuild the journal of the other with "radledger restore".`,
		)
	}
}

/** Without the right to set metadata the stream keeps all its checkpoints: that is harmless. */
function denied(error: unknown): void {
	if (!(error instanceof TargetFailure) || error.kind !== 'denied') throw error
}
