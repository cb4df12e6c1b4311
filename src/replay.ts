/** `radledger replay`: the history of a subscriber, a user, an address or an access point. */
import { type RecordedEvent, subscriberStream, virtualRouterOf } from '../domain/event.ts'
import { pointInTimeText } from '../domain/point-in-time.ts'
import { isSameName } from '../domain/user-name.ts'
import {
	eventsAnswer,
	type Holding,
	holderAnswer,
	holdingLines,
	holdingsOf,
	stateAnswer,
} from '../projections/history/answer.ts'
import { eventLine } from '../projections/history/event-line.ts'
import type { Question, Span } from '../projections/history/question.ts'
import { type SubscriberState, stateText, subscriberState } from '../projections/history/state.ts'
import { findSpans, foldStreams, type OnNotice, readHistory } from './history.ts'
import { type HistorySource, openExportSource, openFolderSource } from './history-source.ts'
import { type ReplaySettings, replaySettings, replayUsage } from './replay-settings.ts'

export type Replayed = {
	/** One line that says it. */
	readonly answer: string
	readonly holdings: readonly Holding[] | undefined
	readonly states: readonly SubscriberState[]
	readonly events: readonly RecordedEvent[]
	readonly hasMore: boolean
}

/** Subscribers whose state is shown at most. */
const statesMax = 200

export async function replay(args: readonly string[]): Promise<number> {
	if (args.includes('--help')) {
		console.log(replayUsage)
		return 0
	}
	const settings = replaySettings(args, process.env, Date.now())
	const source = await openSource(settings)
	try {
		const said = new Set<string>()
		const replayed = answer(source, settings, sentence => {
			if (!said.has(sentence)) console.error(sentence)
			said.add(sentence)
		})
		print(settings.json ? [json(settings, replayed)] : text(settings, replayed))
		return 0
	} finally {
		source.close()
	}
}

async function openSource(settings: ReplaySettings): Promise<HistorySource> {
	if ('data' in settings) return openFolderSource(settings.data)
	if ('export' in settings) return openExportSource(settings.export)
	const { openEventStoreSource } = await import('./eventstore-source.ts')
	const note = (line: string) => console.error(line)
	return openEventStoreSource(settings.eventStore, settings.question.virtualRouter, note)
}

/** Lines go out together: a reader that closes early (`| head`) is no error. */
function print(lines: readonly string[]): void {
	process.stdout.on('error', () => process.exit(0))
	process.stdout.write(`${lines.join('\n')}\n`)
}

/** Answers a question from a source. */
export function answer(
	source: HistorySource,
	settings: ReplaySettings,
	onNotice: OnNotice,
): Replayed {
	const { question, at, wantsEvents, limit } = settings
	const holdings =
		question.kind === 'address' ? findHoldings(source, settings, onNotice) : undefined
	const states = at === undefined ? [] : statesAt(source, question, holdings, at, onNotice)
	const { events, hasMore } = wantsEvents
		? readHistory(source, question, limit, onNotice)
		: { events: [], hasMore: false }
	return { answer: firstLine(), holdings, states, events, hasMore }

	function firstLine(): string {
		if (at === undefined) return eventsAnswer(question, events, hasMore, holdings)
		if (holdings !== undefined) return holderAnswer(question.value, holdings, at)
		return stateAnswer(question, states, at)
	}
}

/** With an instant, all holdings: who came before and after is a part of the answer. */
function findHoldings(
	source: HistorySource,
	{ question, at }: ReplaySettings,
	onNotice: OnNotice,
): Holding[] {
	const always = { from: Number.MIN_SAFE_INTEGER, to: Number.MAX_SAFE_INTEGER }
	const wanted = at === undefined ? question : { ...question, ...always }
	const { views } = source
	if (views !== undefined && source.last() <= views.checkpoint().position) {
		return holdingsOf(views.query, wanted)
	}
	const store = foldStreams(source, streamsOf(findSpans(source, wanted, onNotice)), Infinity)
	const holdings = holdingsOf(store.query, wanted)
	store.close()
	return holdings
}

function streamsOf(spans: readonly Span[]): Set<string> {
	return new Set(spans.map(({ virtualRouter, mac }) => subscriberStream(virtualRouter, mac)))
}

function statesAt(
	source: HistorySource,
	question: Question,
	holdings: readonly Holding[] | undefined,
	at: number,
	onNotice: OnNotice,
): SubscriberState[] {
	const spans = findSpans(source, { ...question, from: at, to: at }, () => {})
	const holders = holdings?.filter(({ fromAt, toAt }) => fromAt <= at && at < toAt)
	const named = holders?.map(one => subscriberStream(one.virtualRouter, one.mac)) ?? [
		...streamsOf(spans),
	]
	const streams = [...new Set(named)]
	if (streams.length > statesMax) {
		onNotice(`${streams.length} subscribers are in question; the first ${statesMax} are shown.`)
	}
	const shown = streams.slice(0, statesMax)
	source.prepare(new Set(shown))
	const store = foldStreams(source, shown, source.positionAt(at))
	const states = shown.map(stream => {
		const router = virtualRouterOf(stream)
		return subscriberState(store.query, router, stream.slice(subscriberStream(router, '').length))
	})
	store.close()
	return states.filter(state => isMeant(question, state))
}

/** Of a user or a WAP only those are meant who were there at that instant. */
function isMeant({ kind, value }: Question, { session }: SubscriberState): boolean {
	if (kind === 'user') return isSameName(session?.['user'], value)
	if (kind === 'wap') return session?.['wap'] === value
	return true
}

function text({ at }: ReplaySettings, replayed: Replayed): string[] {
	const { answer: line, holdings, states, events, hasMore } = replayed
	const lines = [line]
	if (at === undefined && holdings !== undefined) lines.push(...holdingLines(holdings))
	for (const state of states) {
		lines.push('', `${state.mac} on ${pointInTimeText(at!)}:`, ...stateText(state))
	}
	if (events.length > 0) lines.push('', ...timeLine(events))
	if (hasMore) lines.push('... and more: narrow it down with --from and --to, or raise --limit.')
	return lines
}

/** One event a line: position, time, what happened; who it was where there are several. */
function timeLine(events: readonly RecordedEvent[]): string[] {
	const several = events.some(({ stream }) => stream !== events[0]!.stream)
	const width = String(events.at(-1)!.position).length
	return events.map(event => {
		const who = several ? `${event.stream.slice(event.stream.lastIndexOf('.') + 1)}  ` : ''
		const at = new Date(event.at).toISOString()
		return `${String(event.position).padStart(width)}  ${at}  ${who}${eventLine(event)}`
	})
}

function json({ question, at }: ReplaySettings, replayed: Replayed): string {
	const { kind, value } = question
	return JSON.stringify({ question: { [kind]: value, at }, ...replayed }, null, '\t')
}
