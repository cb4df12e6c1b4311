/** Folds accounting sessions, and adds up what they counted in the session that they belong to. */
import type { EventData } from '../../domain/event.ts'
import {
	type Folding,
	insert,
	keepAccounting,
	type Subscriber,
	sessionById,
	touch,
} from './folding.ts'
import { type AccountingRow, accounting, type SessionRow, session } from './subscriber-tables.ts'

type Accounted = EventData<'AccountingStarted'>
type Kind = 'start' | 'interim' | 'stop'

/**
 * Folds a record of a WAP. The session is what it is after the event. Records may overtake each
 * other: of the time, too, the greatest counts.
 */
export function accounted(
	folding: Folding,
	subscriber: Subscriber,
	position: number,
	at: number,
	kind: Kind,
	data: Accounted,
): void {
	const row = recordedIn(folding, subscriber, position, at, kind, data)
	row.heard_at = at
	row.last_position = position
	row.user ??= data.user ?? null
	row.class ??= data.class ?? null
	row.address = data.framedAddress ?? row.address
	row.multi_session ??= data.multiSession ?? null
	if (data.sessionSeconds !== undefined) {
		row.seconds = Math.max(row.seconds ?? 0, data.sessionSeconds)
	}
	if (kind === 'interim') row.updates++
	if (kind === 'stop') stopped(row, at, data)
	count(folding, subscriber, row, data)
	touch(folding, accounting, row)
}

/** SRC began a session of its own for the subscriber. */
export function srcSessionOpened(
	folding: Folding,
	subscriber: Subscriber,
	position: number,
	at: number,
	data: EventData<'SrcSessionOpened'>,
): void {
	const row = insert(folding, accounting, newSrcSession(subscriber, position, at, data))
	keepAccounting(subscriber, accountingKey('src', row.accounting_session), row)
}

export function srcSessionClosed(
	folding: Folding,
	subscriber: Subscriber,
	position: number,
	at: number,
	data: EventData<'SrcSessionClosed'>,
): void {
	const row =
		openSrcSession(folding, subscriber, data.session) ??
		insert(folding, accounting, newSrcSession(subscriber, position, at, data))
	row.ended_at = data.endedAt
	row.cause = data.cause
	row.stopped = data.server === undefined ? 0 : 1
	row.seconds = data.sessionSeconds ?? null
	row.heard_at = at
	row.last_position = position
	touch(folding, accounting, row)
}

function openSrcSession(
	folding: Folding,
	subscriber: Subscriber,
	name: string | undefined,
): AccountingRow | undefined {
	if (name === undefined) return undefined
	const key = accountingKey('src', name)
	const known = subscriber.accounting?.get(key)
	if (known !== undefined) return known
	const { mac, virtual_router: virtualRouter } = subscriber.row
	const [row] = folding.lookup('accounting-src', mac, name, virtualRouter) as AccountingRow[]
	if (row !== undefined) keepAccounting(subscriber, key, row)
	return row
}

function newSrcSession(
	subscriber: Subscriber,
	position: number,
	at: number,
	data: EventData<'SrcSessionOpened'> | EventData<'SrcSessionClosed'>,
): AccountingRow {
	return {
		id: position,
		virtual_router: subscriber.row.virtual_router,
		mac: data.mac,
		domain: 'src',
		session: subscriber.session?.id ?? null,
		accounting_session: data.session ?? '',
		multi_session: null,
		wap: data.wap ?? null,
		server: data.server ?? null,
		user: data.user ?? null,
		class: data.serviceClass ?? null,
		service: data.service ?? null,
		address: data.address,
		began_at: data.since,
		ended_at: null,
		stopped: 0,
		cause: null,
		heard_at: at,
		last_position: position,
		updates: 0,
		seconds: null,
		input_octets: 0,
		output_octets: 0,
		input_packets: 0,
		output_packets: 0,
	}
}

/** The session ended without a Stop: what the WAP has counted so far is all there is. */
export function closeAccounting(
	folding: Folding,
	subscriber: Subscriber,
	{ id }: SessionRow,
	at: number,
): void {
	for (const row of folding.lookup('accounting-open', id) as AccountingRow[]) {
		const key = accountingKey(row.wap, row.accounting_session)
		if (!subscriber.accounting?.has(key)) keepAccounting(subscriber, key, row)
	}
	for (const row of subscriber.accounting?.values() ?? []) {
		if (row.session !== id || row.ended_at !== null || row.domain !== 'wap') continue
		row.ended_at = at
		touch(folding, accounting, row)
	}
}

function accountingKey(wap: string | null, accountingSession: string): string {
	return `${wap} ${accountingSession}`
}

/** The row that the record belongs to, made where there is none. */
function recordedIn(
	folding: Folding,
	subscriber: Subscriber,
	position: number,
	at: number,
	kind: Kind,
	data: Accounted,
): AccountingRow {
	const name = data.session ?? ''
	const key = accountingKey(data.wap, name)
	const { mac, virtual_router: virtualRouter } = subscriber.row
	const known =
		subscriber.accounting?.get(key) ??
		(folding.lookup('accounting', mac, name, virtualRouter, data.wap)[0] as
			| AccountingRow
			| undefined)
	const live = subscriber.session?.id ?? null
	if (known !== undefined && (kind !== 'start' || data.late || isRepeat(known, live))) {
		keepAccounting(subscriber, key, known)
		return known
	}
	const row = insert(folding, accounting, newAccounting(virtualRouter, live, position, at, data))
	if (known?.ended_at === null) {
		// A WAP that counts its sessions from one again after a restart gives an id twice.
		known.ended_at = at
		touch(folding, accounting, known)
	}
	keepAccounting(subscriber, key, row)
	return row
}

/** A Start that came twice, for instance because its answer was lost. */
function isRepeat({ ended_at: endedAt, session: of }: AccountingRow, live: number | null): boolean {
	return endedAt === null && of === live
}

function newAccounting(
	virtualRouter: string,
	live: number | null,
	position: number,
	at: number,
	data: Accounted,
): AccountingRow {
	return {
		id: position,
		virtual_router: virtualRouter,
		mac: data.mac,
		domain: 'wap',
		session: live,
		accounting_session: data.session ?? '',
		multi_session: data.multiSession ?? null,
		wap: data.wap,
		server: data.server === '' ? null : data.server,
		user: data.user ?? null,
		class: data.class ?? null,
		service: null,
		address: data.framedAddress ?? null,
		began_at: at - 1000 * ((data.delaySeconds ?? 0) + (data.sessionSeconds ?? 0)),
		ended_at: null,
		stopped: 0,
		cause: null,
		heard_at: at,
		last_position: position,
		updates: 0,
		seconds: data.sessionSeconds ?? null,
		input_octets: 0,
		output_octets: 0,
		input_packets: 0,
		output_packets: 0,
	}
}

function stopped(row: AccountingRow, at: number, data: Accounted): void {
	row.ended_at ??= at
	row.stopped = 1
	row.cause ??= data.terminateCause === undefined ? null : String(data.terminateCause)
}

/** Records may overtake each other, and a counter never runs backwards: the greatest counts. */
function count(
	folding: Folding,
	subscriber: Subscriber,
	row: AccountingRow,
	data: Accounted,
): void {
	const inputOctets = Math.max(row.input_octets, octets(data.inputOctets))
	const outputOctets = Math.max(row.output_octets, octets(data.outputOctets))
	const inputPackets = Math.max(row.input_packets, data.inputPackets ?? 0)
	const outputPackets = Math.max(row.output_packets, data.outputPackets ?? 0)
	const of = row.session === null ? undefined : sessionById(folding, subscriber, row.session)
	if (of !== undefined) {
		of.framed_address ??= data.framedAddress ?? null
		of.input_octets = sum(of.input_octets, inputOctets - row.input_octets)
		of.output_octets = sum(of.output_octets, outputOctets - row.output_octets)
		of.input_packets += inputPackets - row.input_packets
		of.output_packets += outputPackets - row.output_packets
		touch(folding, session, of)
	}
	row.input_octets = inputOctets
	row.output_octets = outputOctets
	row.input_packets = inputPackets
	row.output_packets = outputPackets
}

/** A 64-bit count as a number that is exact; more than 2^53 octets are as many as can be said. */
function octets(text: string | undefined): number {
	return text === undefined ? 0 : Math.min(Number(text), Number.MAX_SAFE_INTEGER)
}

function sum(a: number, b: number): number {
	return Math.min(a + b, Number.MAX_SAFE_INTEGER)
}
