/**
 * What the folding of the read models has in memory: the rows that it works on. A subscriber's rows
 * are looked up when the subscriber is first heard of and kept until there are too many; what a
 * commit finds in memory it writes, so nothing here outlives what is in the database.
 *
 * The rows must not depend on where commits fall. Therefore a row that was changed stays in memory
 * until the commit has written it, whether or not it is of use any longer.
 */
import { subscriberStream } from '../../domain/event.ts'
import type { Row, Table, ViewChanges, ViewLookup } from '../../domain/view.ts'
import { createVirtualRouterReader } from '../virtual-router.ts'
import type { LeaseRow, MinuteRow } from './network-tables.ts'
import type {
	AccountingRow,
	AttemptRow,
	SessionRow,
	SessionWapRow,
	SubscriberRow,
} from './subscriber-tables.ts'
import * as tables from './subscriber-tables.ts'

/** A subscriber's rows that are in use. */
export type Subscriber = {
	readonly row: SubscriberRow
	/** The newest attempt; undefined: not looked up yet, or none. */
	latest: AttemptRow | undefined
	/**
	 * Attempts that wait for an answer, by the position of their newest request. Most subscribers in
	 * memory have nothing here at a time, nor in the others: there are no Maps for that.
	 */
	pending: Map<number, AttemptRow> | undefined
	session: SessionRow | undefined
	/** The visit of the live session at a WAP; undefined: not looked up yet. */
	visit: SessionWapRow | undefined
	/** Sessions that have ended since the last commit, by id. */
	ended: Map<number, SessionRow> | undefined
	/** By `accountingKey`. */
	accounting: Map<string, AccountingRow> | undefined
}

type Dirty = { readonly inserted: Set<Row>; readonly updated: Set<Row> }

export type Folding = {
	readonly lookup: ViewLookup
	/** By stream. */
	readonly subscribers: Map<string, Subscriber>
	/** Subscribers whose rows have changed since the last commit. */
	readonly touched: Set<Subscriber>
	/** The open lease of an address, by `leaseKey`; null: there is none. */
	readonly leases: Map<string, LeaseRow | null>
	readonly minutes: Map<string, MinuteRow>
	/** The one that an event was counted in last, which is mostly that of the next event too. */
	minute: MinuteRow | undefined
	/** Whether who is not in memory is not in the database either. */
	hasAllSubscribers: boolean
	hasAllLeases: boolean
	readonly dirty: Map<Table, Dirty>
	readonly virtualRouterOf: (stream: string) => string
}

/** `isNew`: there are no rows yet. */
export function newFolding(lookup: ViewLookup, isNew: boolean): Folding {
	return {
		lookup,
		subscribers: new Map(),
		touched: new Set(),
		leases: new Map(),
		minutes: new Map(),
		minute: undefined,
		hasAllSubscribers: isNew,
		hasAllLeases: isNew,
		dirty: new Map(),
		virtualRouterOf: createVirtualRouterReader(),
	}
}

export function insert<R extends Row>(folding: Folding, table: Table, row: R): R {
	dirtyOf(folding, table).inserted.add(row)
	return row
}

/** Notes that a row has changed. */
export function touch(folding: Folding, table: Table, row: Row): void {
	const { inserted, updated } = dirtyOf(folding, table)
	if (!inserted.has(row)) updated.add(row)
}

function dirtyOf({ dirty }: Folding, table: Table): Dirty {
	let own = dirty.get(table)
	if (own === undefined) {
		own = { inserted: new Set(), updated: new Set() }
		dirty.set(table, own)
	}
	return own
}

/** The subscriber of a stream, made with the event where there was none. */
export function subscriberOf(
	folding: Folding,
	stream: string,
	position: number,
	at: number,
): Subscriber {
	const known = folding.subscribers.get(stream) ?? loaded(folding, stream)
	if (known !== undefined) {
		known.row.last_at = at
		known.row.last_position = position
		touch(folding, tables.subscriber, known.row)
		folding.touched.add(known)
		return known
	}
	const virtualRouter = folding.virtualRouterOf(stream)
	const row: SubscriberRow = {
		id: position,
		virtual_router: virtualRouter,
		mac: macOf(stream, virtualRouter),
		first_at: at,
		last_at: at,
		last_position: position,
		user: null,
		wap: null,
		ssid: null,
		attempt: null,
		session: null,
	}
	const subscriber = withRow(insert(folding, tables.subscriber, row), undefined)
	folding.subscribers.set(stream, subscriber)
	folding.touched.add(subscriber)
	return subscriber
}

function macOf(stream: string, virtualRouter: string): string {
	return stream.slice(subscriberStream(virtualRouter, '').length)
}

function withRow(row: SubscriberRow, session: SessionRow | undefined): Subscriber {
	return {
		row,
		latest: undefined,
		pending: undefined,
		session,
		visit: undefined,
		ended: undefined,
		accounting: undefined,
	}
}

function loaded(folding: Folding, stream: string): Subscriber | undefined {
	if (folding.hasAllSubscribers) return undefined
	const virtualRouter = folding.virtualRouterOf(stream)
	const [row] = folding.lookup('subscriber', macOf(stream, virtualRouter), virtualRouter)
	if (row === undefined) return undefined
	const found = row as SubscriberRow
	const [session] = found.session === null ? [] : folding.lookup('session', found.session)
	const subscriber = withRow(found, session as SessionRow | undefined)
	folding.subscribers.set(stream, subscriber)
	return subscriber
}

/** A session of the subscriber by its id, live or ended. */
export function sessionById(
	folding: Folding,
	subscriber: Subscriber,
	id: number,
): SessionRow | undefined {
	if (subscriber.session?.id === id) return subscriber.session
	const known = subscriber.ended?.get(id)
	if (known !== undefined) return known
	const [row] = folding.lookup('session', id)
	if (row === undefined) return undefined
	keepEnded(subscriber, row as SessionRow)
	return row as SessionRow
}

export function keepEnded(subscriber: Subscriber, row: SessionRow): void {
	subscriber.ended ??= new Map()
	subscriber.ended.set(row.id, row)
}

export function keepPending(subscriber: Subscriber, exchange: number, row: AttemptRow): void {
	subscriber.pending ??= new Map()
	subscriber.pending.set(exchange, row)
}

/** `key`: `accountingKey`. */
export function keepAccounting(subscriber: Subscriber, key: string, row: AccountingRow): void {
	subscriber.accounting ??= new Map()
	subscriber.accounting.set(key, row)
}

/** What is to be written, for the commit. */
export function changesOf({ dirty }: Folding): ViewChanges {
	const inserted = new Map<Table, Iterable<Row>>()
	const updated = new Map<Table, Iterable<Row>>()
	for (const [table, rows] of dirty) {
		if (rows.inserted.size > 0) inserted.set(table, rows.inserted)
		if (rows.updated.size > 0) updated.set(table, rows.updated)
	}
	return { inserted, updated }
}

/** Rows of so many subscribers and addresses stay in memory from one commit to the next. */
const subscribersKept = 100_000
const leasesKept = 100_000
const minutesKept = 1_000

/** To be called when everything is written: forgets what is of no more use, and what is too much. */
export function committed(folding: Folding): void {
	folding.dirty.clear()
	for (const subscriber of folding.touched) forgetEnded(subscriber)
	folding.touched.clear()
	if (folding.subscribers.size > subscribersKept) {
		folding.subscribers.clear()
		folding.hasAllSubscribers = false
	}
	if (folding.leases.size > leasesKept) {
		folding.leases.clear()
		folding.hasAllLeases = false
	}
	if (folding.minutes.size > minutesKept) {
		folding.minutes.clear()
		folding.minute = undefined
	}
}

function forgetEnded(subscriber: Subscriber): void {
	const { pending, accounting } = subscriber
	subscriber.ended = undefined
	if (pending !== undefined) {
		for (const [exchange, { outcome, exchange: newest }] of pending) {
			if (outcome !== null || newest !== exchange) pending.delete(exchange)
		}
		if (pending.size === 0) subscriber.pending = undefined
	}
	if (accounting === undefined) return
	for (const [key, { ended_at: endedAt }] of accounting) {
		if (endedAt !== null) accounting.delete(key)
	}
	if (accounting.size === 0) subscriber.accounting = undefined
}
