/** Reads the history that a question is about: the events themselves, found by the read models. */
import { openViewStore, type ViewStore } from '../adapters/views/store.ts'
import { counted } from '../domain/count-text.ts'
import {
	type RecordedEvent,
	subscriberStream,
	virtualRouterOf,
	wapStream,
} from '../domain/event.ts'
import { isNamedIn, type Question, type Span, spansOf } from '../projections/history/question.ts'
import { foldViews } from '../projections/views/fold.ts'
import { viewSchema } from '../projections/views/schema.ts'
import type { HistorySource } from './history-source.ts'

export type History = {
	/** In order of position. */
	readonly events: readonly RecordedEvent[]
	/** Whether there are more than the limit. */
	readonly hasMore: boolean
	readonly spans: readonly Span[]
}

/** Is told, in a sentence, that something takes long and why. */
export type OnNotice = (sentence: string) => void

/** Events of the journal beyond the read models that are looked through without a word. */
const silentScan = 100_000
const eventsPerReading = 512

/** The events that a question is about, at most `limit`, those at the beginning. */
export function readHistory(
	source: HistorySource,
	question: Question,
	limit: number,
	onNotice: OnNotice,
): History {
	const spans = findSpans(source, question, onNotice)
	const parts = [...spans.map(partOf), ...wapParts(question, spans)]
	parts.sort((a, b) => a.first - b.first)
	source.prepare(new Set(parts.map(({ stream }) => stream)))
	let events: RecordedEvent[] = []
	let end = Number.POSITIVE_INFINITY
	for (const part of parts) {
		// Enough events are known before the end of what is known: nothing later is wanted.
		if (part.first > end) break
		readPart(source, { ...part, last: Math.min(part.last, end) }, question, limit, events)
		if (events.length <= 4 * limit) continue
		events = firstOf(events, limit + 1)
		end = events.at(-1)!.position
	}
	events = firstOf(events, limit + 1)
	return { events: events.slice(0, limit), hasMore: events.length > limit, spans }
}

type Part = { readonly stream: string; readonly first: number; readonly last: number }

function firstOf(events: RecordedEvent[], count: number): RecordedEvent[] {
	const sorted = events.sort((a, b) => a.position - b.position)
	return sorted
		.filter((event, index) => event.position !== sorted[index - 1]?.position)
		.slice(0, count)
}

function partOf({ virtualRouter, mac, first, last }: Span): Part {
	return { stream: subscriberStream(virtualRouter, mac), first, last }
}

/** What a WAP says of itself is in a stream of its own. */
function wapParts({ kind, value, virtualRouter }: Question, spans: readonly Span[]): Part[] {
	if (kind !== 'wap') return []
	const routers = new Set(spans.map(span => span.virtualRouter)).add(virtualRouter ?? 'default')
	const last = Number.POSITIVE_INFINITY
	return [...routers].map(router => ({ stream: wapStream(router, value), first: 1, last }))
}

/** Events of the stream behind the part among which answers to its requests are looked for. */
const lookAhead = 8

function answersWithin({ data }: RecordedEvent, first: number, last: number): boolean {
	return 'exchange' in data && data.exchange >= first && data.exchange <= last
}

function readPart(
	source: HistorySource,
	{ stream, first, last }: Part,
	{ from, to }: Question,
	limit: number,
	events: RecordedEvent[],
): void {
	let found = 0
	let beyond = 0
	for (let next = first; ; ) {
		const size = Math.min(eventsPerReading, limit + 1)
		const read = source.readStream(stream, next, size)
		for (const event of read) {
			next = event.position + 1
			if (event.position > last && !answersWithin(event, first, last)) {
				if (++beyond > lookAhead) return
				continue
			}
			if (found > limit) return
			if (event.at < from || event.at > to) continue
			events.push(event)
			found++
		}
		if (read.length < size) return
	}
}

/** By the read models; what they do not have yet is looked for in the journal itself. */
export function findSpans(source: HistorySource, question: Question, onNotice: OnNotice): Span[] {
	const { views } = source
	const known = views === undefined ? [] : spansOf(views.query, question)
	const position = views?.checkpoint().position ?? 0
	const behind = source.last() - position
	if (views !== undefined && behind <= 0) return known
	if (question.kind === 'subscriber' && question.virtualRouter !== undefined) {
		return [wholeStream(question.virtualRouter, question.value)]
	}
	if (!source.isExport && (views === undefined || behind > silentScan)) {
		onNotice(
			views === undefined
				? 'There are no read models (views.db) here that can be read: every event is looked through. "radledger views --data DIR" makes them.'
				: `The read models are ${counted(behind, 'event')} behind: what is missing is looked through. "radledger views --data DIR" brings them up to date.`,
		)
	}
	return [...known, ...spansByScan(source, question, position + 1)].filter(isFirst)
}

function isFirst(span: Span, index: number, all: readonly Span[]): boolean {
	return (
		index ===
		all.findIndex(
			({ mac, virtualRouter, last, first }) =>
				mac === span.mac &&
				virtualRouter === span.virtualRouter &&
				last >= span.last &&
				first <= span.first,
		)
	)
}

function wholeStream(virtualRouter: string, mac: string): Span {
	return { virtualRouter, mac, first: 1, last: Number.POSITIVE_INFINITY }
}

/**
 * Subscribers whom events from a position on name with what is asked for; their whole history is
 * folded then, as the read models would.
 */
function spansByScan(source: HistorySource, question: Question, from: number): Span[] {
	const streams = new Set<string>()
	source.scan(from, event => {
		if (isNamedIn(question, event)) streams.add(event.stream)
		return true
	})
	if (question.kind === 'subscriber') {
		return [...streams].map(stream => wholeStream(virtualRouterOf(stream), question.value))
	}
	if (streams.size === 0) return []
	source.prepare(streams)
	const store = foldStreams(source, streams, Number.POSITIVE_INFINITY)
	const spans = spansOf(store.query, question)
	store.close()
	return spans
}

/**
 * The read models of some subscribers alone, in memory, up to a position. The caller closes them.
 */
export function foldStreams(
	source: HistorySource,
	streams: Iterable<string>,
	until: number,
): ViewStore {
	const events: RecordedEvent[] = []
	for (const stream of streams) {
		for (const event of streamEvents(source, stream)) {
			if (event.position > until) break
			events.push(event)
		}
	}
	// Addresses pass from one subscriber to another.
	events.sort((a, b) => a.position - b.position)
	const store = openViewStore({
		file: ':memory:',
		schema: viewSchema,
		journal: { id: '', last: Number.MAX_SAFE_INTEGER },
		onWarning: () => {},
	})
	const folding = foldViews(store.lookup, true)
	for (const event of events) folding.fold(event)
	store.commit(folding.changes(), events.at(-1)?.position ?? 0, events.at(-1)?.at ?? 0)
	return store
}

function* streamEvents(source: HistorySource, stream: string): Generator<RecordedEvent> {
	for (let next = 1; ; ) {
		const events = source.readStream(stream, next, eventsPerReading)
		yield* events
		if (events.length < eventsPerReading) return
		next = events.at(-1)!.position + 1
	}
}
