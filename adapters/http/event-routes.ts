/** Events as the journal has them: from a position or a time on, one stream or certain types. */
import { firstFrom, lastUpTo, type Times } from '../../domain/clock-epochs.ts'
import { catalogue, type EventType, type RecordedEvent } from '../../domain/event.ts'
import { refuse } from './problem.ts'
import {
	type Columns,
	countColumn,
	type Found,
	historyRoute,
	inPath,
	objectColumn,
	optional,
	otherwise,
	type Page,
	type RawRow,
	type Sources,
	textColumn,
	timeColumn,
} from './route.ts'
import { choice, choices, integer, position, text, time } from './value.ts'

export const eventTypes = Object.keys(catalogue) as readonly EventType[]

export const eventColumns: Columns = {
	position: countColumn('Place in the journal; positions have no gaps and begin at 1'),
	stream: textColumn('`subscriber-<vr>.<mac>`, `wap-<vr>.<access point>` or `relay-<vr>`'),
	type: textColumn('What happened'),
	v: countColumn('Version of the type'),
	at: timeColumn('When, by the relay’s clock'),
	data: objectColumn('What the catalogue of events has for the type; times in milliseconds'),
}

export const streamParameter = optional(
	text(256),
	'One stream, such as `subscriber-default.02-00-00-00-00-01`',
)
export const typeParameter = optional(
	choices(eventTypes),
	'One or more types of event, separated by commas',
)

/** Events that one request looks through for those that are asked for; the next page goes on. */
const scannedAtMost = 50_000
const readAtOnce = 2_000

export const eventRoutes = [
	historyRoute({
		operation: 'listEvents',
		path: '/api/v1/events',
		tag: 'Events',
		summary: 'Events from a position or a time on',
		description:
			'A page may have fewer events than asked for, even none, and still a next one: a request looks through a bounded part of the journal.',
		gives: 'page',
		row: 'Event',
		columns: eventColumns,
		parameters: {
			from: optional(position, 'Position of the first event that may be given'),
			since: optional(time, 'Only events at this time or after it'),
			until: optional(time, 'Only events before this time'),
			stream: streamParameter,
			type: typeParameter,
			order: otherwise(
				choice(['oldest', 'newest']),
				'oldest',
				'Which comes first. With `newest` pages go back in time, and `from` and `since` end them.',
			),
		},
		query: listEvents,
	}),
	historyRoute({
		operation: 'getEvent',
		path: '/api/v1/events/{position}',
		tag: 'Events',
		summary: 'One event',
		gives: 'item',
		row: 'Event',
		columns: eventColumns,
		mayBeMissing: true,
		parameters: { position: inPath(integer(1, Number.MAX_SAFE_INTEGER), 'Its position') },
		query({ journal, last }, { position }) {
			const event = position > last() ? undefined : journal.read(position, 1)[0]
			if (event?.position === position) return { kind: 'item', row: event as unknown as RawRow }
			return refuse(
				'not-found',
				`There is no event ${position}: the newest one has position ${last()}.`,
			)
		},
	}),
]

type Wanted = {
	readonly from?: number | undefined
	readonly since?: number | undefined
	readonly until?: number | undefined
	readonly stream?: string | undefined
	readonly type?: readonly EventType[] | undefined
	readonly order: 'oldest' | 'newest'
}

export function listEvents(sources: Sources, wanted: Wanted, page: Page): Found {
	const last = sources.last()
	const { from = 1, since, until } = wanted
	const first = Math.max(from, since === undefined ? 1 : firstFrom(timesOf(sources), since))
	const end = until === undefined ? last : lastUpTo(timesOf(sources), until - 1)
	const key = page.after?.[0]
	if (key !== undefined && typeof key !== 'number') {
		return refuse('invalid-cursor', 'Use a cursor as an earlier answer gave it.', 'cursor')
	}
	return wanted.order === 'oldest'
		? ascending(sources, wanted, key === undefined ? first : key + 1, end, page.limit)
		: descending(sources, wanted, first, key === undefined ? end : key - 1, page.limit)
}

function isWanted({ type: of, at }: RecordedEvent, { type, since, until }: Wanted): boolean {
	// Among the positions between the times are others where the clock was set back.
	if ((since !== undefined && at < since) || (until !== undefined && at >= until)) return false
	return type === undefined || type.includes(of)
}

function ascending(
	{ journal, checkTime }: Sources,
	wanted: Wanted,
	first: number,
	end: number,
	limit: number,
): Found {
	const rows: RecordedEvent[] = []
	let at = first
	for (let scanned = 0; at <= end && rows.length < limit && scanned < scannedAtMost; ) {
		checkTime()
		const events =
			wanted.stream === undefined
				? journal.read(at, Math.min(readAtOnce, end - at + 1))
				: journal.readStream(wanted.stream, at, Math.min(readAtOnce, limit))
		scanned += events.length
		if (events.length === 0) {
			at = end + 1
			break
		}
		for (const event of events) {
			if (rows.length === limit || event.position > end) break
			at = event.position + 1
			if (isWanted(event, wanted)) rows.push(event)
		}
		if (events.at(-1)!.position > end) break
	}
	const more = at <= end && (rows.length === limit || wanted.stream === undefined || at > first)
	return { kind: 'page', rows: rows as unknown as RawRow[], ...(more ? { next: [at - 1] } : {}) }
}

/** Reads windows back in time; for a stream, which is thin, ever larger ones. */
function descending(
	{ journal, checkTime }: Sources,
	wanted: Wanted,
	first: number,
	end: number,
	limit: number,
): Found {
	const rows: RecordedEvent[] = []
	let below = end + 1
	let window = wanted.stream === undefined ? readAtOnce : 16 * readAtOnce
	for (let scanned = 0; below > first && rows.length < limit && scanned < scannedAtMost; ) {
		checkTime()
		const begin = Math.max(first, below - window)
		const events =
			wanted.stream === undefined
				? journal.read(begin, below - begin)
				: journal.readStream(wanted.stream, begin, scannedAtMost)
		scanned += wanted.stream === undefined ? below - begin : events.length
		for (let i = events.length - 1; i >= 0 && rows.length < limit; i--) {
			const event = events[i]!
			if (event.position < below && isWanted(event, wanted)) rows.push(event)
		}
		below = rows.length === limit ? rows.at(-1)!.position : begin
		if (wanted.stream !== undefined) window *= 4
	}
	const more = below > first
	return { kind: 'page', rows: rows as unknown as RawRow[], ...(more ? { next: [below] } : {}) }
}

/** The order of events and their times, for `lastUpTo` and `firstFrom`. */
export function timesOf({ journal, last, clockEpochs }: Sources): Times {
	return {
		last: last(),
		at: position => journal.read(position, 1)[0]!.at,
		epochs: clockEpochs(),
	}
}
