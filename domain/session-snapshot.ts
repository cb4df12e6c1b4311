/** The sessions as they are saved, and put back; their indexes are made anew. */
import {
	type AccessPoint,
	type Addressing,
	open,
	type Session,
	type SessionTable,
} from './session-table.ts'
import { sharedText } from './shared-text.ts'

/** Sessions as JSON values, some at a time: a row each, with texts that many have named once. */
export type SavedSessions = {
	readonly names: readonly string[]
	readonly sessions: readonly SavedSession[]
}
/** null: undefined. Numbers without another meaning are indices of `names`. */
type SavedSession = readonly [
	mac: string,
	since: number,
	wap: number,
	accounting: string | null,
	multiSession: string | null,
	accountingWap: number | null,
	heardAt: number,
	user: string | null,
	ssid: number | null,
	radiusClass: number | null,
	serviceBundle: number | null,
	addressing?: Addressing | null,
	/** As in the session: the number is NAS-Port itself. */
	port?: string | number,
]

export type SavedAccessPoints = readonly (readonly [wap: string, accessPoint: AccessPoint])[]

/** The sessions in parts of `size`, in the order in which they were heard. */
export function* savedSessions(table: SessionTable, size: number): Generator<SavedSessions> {
	let names = new Map<string, number>()
	let sessions: SavedSession[] = []
	const indexOf = (name: string | undefined): number | null => {
		if (name === undefined) return null
		const known = names.get(name)
		if (known !== undefined) return known
		names.set(name, names.size)
		return names.size - 1
	}
	for (const session of table.sessions.values()) {
		sessions.push(savedSession(session, indexOf))
		if (sessions.length < size) continue
		yield { names: [...names.keys()], sessions }
		names = new Map()
		sessions = []
	}
	if (sessions.length > 0) yield { names: [...names.keys()], sessions }
}

function savedSession(
	session: Session,
	indexOf: (name: string | undefined) => number | null,
): SavedSession {
	const { mac, since, accounting, multiSession, heardAt, user, addressing, port } = session
	const row = [
		mac,
		since,
		indexOf(session.wap)!,
		accounting ?? null,
		multiSession ?? null,
		indexOf(session.accountingWap),
		heardAt,
		user ?? null,
		indexOf(session.ssid),
		indexOf(session.class),
		indexOf(session.serviceBundle),
	] as const
	if (port !== undefined) return [...row, addressing ?? null, port]
	return addressing === undefined ? row : [...row, addressing]
}

/** Puts a part of what `savedSessions` gave into a table. */
export function restoreSessions(table: SessionTable, { names, sessions }: SavedSessions): void {
	const texts = names.map(name => sharedText(name))
	const textAt = (index: number | null) => (index === null ? undefined : texts[index]!)
	for (const row of sessions) {
		open(table, {
			mac: row[0],
			since: row[1],
			wap: texts[row[2]]!,
			port: typeof row[12] === 'string' ? sharedText(row[12]) : row[12],
			accounting: row[3] ?? undefined,
			multiSession: row[4] ?? undefined,
			accountingWap: textAt(row[5]),
			heardAt: row[6],
			user: row[7] ?? undefined,
			ssid: textAt(row[8]),
			class: textAt(row[9]),
			serviceBundle: textAt(row[10]),
			addressing: row[11] ?? undefined,
		})
	}
}

/** In an order of their own: the map's depends on how the table came to be. */
export function savedAccessPoints(table: SessionTable): SavedAccessPoints {
	return [...table.accessPoints].sort(([a], [b]) => (a < b ? -1 : 1))
}

/** To be called after the sessions are back. */
export function restoreAccessPoints(table: SessionTable, saved: SavedAccessPoints): void {
	for (const [wap, { client, nasAddress, nasIdentifier }] of saved) {
		// JSON leaves out what is undefined; access points keep one shape all the same.
		table.accessPoints.set(sharedText(wap), { client, nasAddress, nasIdentifier })
	}
}
