/** Finds what `retention` lets go of, in the whole journal, and puts the plan of it on disk. */
import type { DatabaseSync } from 'node:sqlite'
import type { RetentionClass } from '../../domain/configuration.ts'
import { eraseFrom, noNames } from '../../domain/erasure.ts'
import { virtualRouterOf } from '../../domain/event.ts'
import { aged, type Bounds, retentionClassOf } from '../../domain/retention.ts'
import type { StoredEvent } from '../../domain/upcast.ts'
import { type Change, lineOf, linesOf, type Plan, savePlan } from './erasure.ts'
import { openRetentionTally, type RetentionTally } from './retention-tally.ts'
import { lastPosition, openToRead } from './schema.ts'
import { openSealToWrite } from './seal-store.ts'

export type Retention = {
	readonly folder: string
	/** Names the run. */
	readonly name: string
	/** By virtual router; of one that is not here everything is kept. */
	readonly bounds: ReadonlyMap<string, Bounds>
	/** Milliseconds: events of the subscriber from then on are what the state rests on. */
	readonly keepFrom: (mac: string, kind: RetentionClass) => number
	/** Whether the subscriber is on the network. */
	readonly isLive: (mac: string) => boolean
	readonly pseudonym: (mac: string) => string
}

/** One run changes so many events at most; the next goes on. */
const changesMax = 100_000

/** `renamed`: subscribers of whom nothing is left, with their pseudonyms. */
export type RetentionPlan = {
	readonly plan: Plan
	readonly renamed: readonly (readonly [mac: string, pseudonym: string])[]
	/** There was more than one run may change. */
	readonly more: boolean
}

/** Undefined where everything is as it should be. */
export function planRetention(retention: Retention): RetentionPlan | undefined {
	const { db: journal, id } = openToRead(retention.folder)
	const seal = openSealToWrite(retention.folder, id)
	const tally = openRetentionTally(retention.folder)
	try {
		const upTo = lastPosition(journal)()
		const quiet = quietSubscribers(journal, upTo, retention, tally)
		const changes: Change[] = []
		let more = quiet.more
		for (const change of changesIn(journal, upTo, retention, quiet)) {
			// Subscribers of whom nothing is left are renamed as a whole, or the fold would be another.
			if (change.renamed || changes.length < changesMax) changes.push(change)
			else more = true
		}
		if (changes.length === 0) return undefined
		const what = { kind: 'retention', subscribers: quiet.pseudonyms.size } as const
		const plan = savePlan(seal, { name: retention.name, what, upTo }, changes)
		return { plan, renamed: [...quiet.pseudonyms], more }
	} finally {
		tally.close()
		seal.close()
		journal.close()
	}
}

function* eventsUpTo(
	journal: DatabaseSync,
	upTo: number,
): Generator<{ readonly position: number; readonly stored: StoredEvent; readonly line: string }> {
	const rows = journal.prepare(
		'SELECT first, count, events FROM batch WHERE first >= ? AND first <= ? ORDER BY first LIMIT 64',
	)
	for (let next = 1; next <= upTo; ) {
		const found = rows.all(next, upTo) as { first: number; count: number; events: string }[]
		if (found.length === 0) return
		for (const { first, count, events } of found) {
			next = first + count
			for (const [index, line] of linesOf(events).entries()) {
				yield { position: first + index, stored: JSON.parse(line) as StoredEvent, line }
			}
		}
	}
}

/** The subscriber that an event is about; undefined: nobody, or one who has a pseudonym already. */
function subscriberOf({ stream, data }: StoredEvent): string | undefined {
	const named = (data as Readonly<Record<string, unknown>>)['mac']
	const mac = stream.startsWith('subscriber-')
		? stream.slice(stream.lastIndexOf('.') + 1)
		: typeof named === 'string'
			? named
			: undefined
	return mac === undefined || mac.startsWith('F3-') ? undefined : mac
}

type Quiet = {
	/** By MAC. */
	readonly pseudonyms: ReadonlyMap<string, string>
	/** There are more than one run may change. */
	readonly more: boolean
	/** SRC's ids of its sessions, of all subscribers. */
	readonly srcSessions: { has(id: string): boolean }
}

/**
 * Those of whom every event is older than the class that keeps longest, and whom the state does not
 * rest on: at most so many that their events are about what one run changes.
 */
function quietSubscribers(
	journal: DatabaseSync,
	upTo: number,
	{ bounds, isLive, pseudonym }: Retention,
	tally: RetentionTally,
): Quiet {
	const { srcSessions } = tally
	for (const { stored } of eventsUpTo(journal, upTo)) {
		if (stored.type === 'SrcSessionOpened') {
			tally.sawSrcSession(String((stored.data as { session?: unknown }).session))
		}
		const mac = subscriberOf(stored)
		if (mac === undefined) continue
		const bound = bounds.get(virtualRouterOf(stored.stream))?.longest ?? Number.NEGATIVE_INFINITY
		tally.saw(mac, stored.at >= bound)
	}
	const pseudonyms = new Map<string, string>()
	let events = 0
	for (const [mac, count] of tally.quiet()) {
		if (isLive(mac)) continue
		if (events >= changesMax) return { pseudonyms, more: true, srcSessions }
		pseudonyms.set(mac, pseudonym(mac))
		events += count
	}
	return { pseudonyms, more: false, srcSessions }
}

function* changesIn(
	journal: DatabaseSync,
	upTo: number,
	{ bounds, keepFrom }: Retention,
	{ pseudonyms, srcSessions }: Quiet,
): Generator<Change & { readonly renamed: boolean }> {
	for (const { position, stored } of eventsUpTo(journal, upTo)) {
		const mac = subscriberOf(stored)
		const pseudonym = mac === undefined ? undefined : pseudonyms.get(mac)
		if (mac !== undefined && pseudonym !== undefined) {
			const left = eraseFrom(stored, { mac, pseudonym }, { ...noNames(), srcSessions })
			if (left === undefined) continue
			yield { position, type: stored.type, line: lineOf(left), renamed: true }
			continue
		}
		const kind = retentionClassOf(stored.type)
		const bound = bounds.get(virtualRouterOf(stored.stream))
		if (kind === undefined || bound === undefined) continue
		if (stored.at >= bound[kind]) continue
		// Events without a MAC may name somebody all the same; no session rests on them.
		if (mac !== undefined && stored.at >= keepFrom(mac, kind)) continue
		const known = stored.data as Readonly<Record<string, unknown>>
		const data = aged(stored.type, known, srcSessions)
		if (data === undefined) continue
		yield { position, type: stored.type, line: lineOf({ ...stored, data }), renamed: false }
	}
}
