/** Where in a journal a time is (domain/clock-epochs.ts). */
import type { ViewReader } from '../adapters/views/reader.ts'
import { epochTypes, lastUpTo, type Times } from '../domain/clock-epochs.ts'
import { relayStream } from '../domain/event.ts'
import type { JournalReader } from '../domain/journal.ts'

const eventsPerReading = 4096

/** Positions at which the clock may have been set; the read models know most of them by heart. */
export function clockEpochs(
	reader: JournalReader,
	views: Pick<ViewReader, 'query' | 'checkpoint'> | undefined,
): number[] {
	// Asked first: what a commit brings between the two questions is read from the journal.
	const begin = views?.checkpoint().position ?? 0
	const names = epochTypes.map(type => `'${type}'`).join(', ')
	const known = `SELECT id FROM relay_event WHERE id <= ? AND type IN (${names}) ORDER BY id`
	const epochs = views?.query(known, begin).map(row => Number(row['id'])) ?? []
	const wanted: readonly string[] = epochTypes
	const take = (events: readonly { readonly position: number; readonly type: string }[]) => {
		for (const { type, position } of events) if (wanted.includes(type)) epochs.push(position)
	}
	const last = reader.last()
	// Without read models the stream of the virtual router that is always there has all of them.
	const isFar = last - begin > 4 * eventsPerReading
	for (let next = begin + 1; next <= last; ) {
		const events = isFar
			? reader.readStream(relayStream('default'), next, eventsPerReading)
			: reader.read(next, Math.min(eventsPerReading, last - next + 1))
		if (events.length === 0) break
		take(events.filter(({ position }) => position <= last))
		next = events.at(-1)!.position + 1
	}
	return epochs
}

export function timesOf(reader: JournalReader, epochs: readonly number[]): Times {
	return {
		last: reader.last(),
		at: position => reader.read(position, 1)[0]!.at,
		epochs,
	}
}

/** Position of the last event that is not later than `at`; 0: there is none. */
export function positionAt(
	reader: JournalReader,
	views: Pick<ViewReader, 'query' | 'checkpoint'> | undefined,
	at: number,
): number {
	return lastUpTo(timesOf(reader, clockEpochs(reader, views)), at)
}
