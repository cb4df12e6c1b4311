/**
 * What is left of an event when a subscriber is erased: that it happened, when, and everything in it
 * that is about nobody. The MAC becomes a pseudonym, the same in all events of one erasure, so that
 * folding them gives what it gave before, and statistics stay as they are.
 */
import * as t from 'io-ts'
import { catalogue, type EventData, type EventType } from './event.ts'
import type { StoredEvent } from './upcast.ts'

/**
 * A pseudonym looks like a MAC, with the group bit set: no station can send from one (IEEE 802
 * §8.2.2), so that an erased subscriber can be told from every other for ever.
 */
export function pseudonymFrom(random: Uint8Array): string {
	const octets = [0xf3, ...random.subarray(0, 5)]
	return octets.map(octet => octet.toString(16).toUpperCase().padStart(2, '0')).join('-')
}

export function isPseudonym(mac: string): boolean {
	return mac.startsWith('F3-') && mac.length === 17
}

export type Erased = {
	/** In normal form. */
	readonly mac: string
	readonly pseudonym: string
}

/** The ways in which a MAC is written, the one of our own first. */
export function spellingsOf(mac: string): string[] {
	const bare = mac.replaceAll('-', '')
	const colons = mac.replaceAll('-', ':')
	const dots = `${bare.slice(0, 4)}.${bare.slice(4, 8)}.${bare.slice(8)}`
	const upper = [mac, bare, colons, dots]
	return [...upper, ...upper.map(text => text.toLowerCase())]
}

/** What a subscriber's own events call him, by which he is named in events without his MAC. */
export type Names = {
	readonly users: Set<string>
	/** Acct-Session-Id and Acct-Multi-Session-Id. */
	readonly sessions: Set<string>
	/** SRC's own ids of his sessions. */
	readonly srcSessions: Set<string>
}

/** The same to look up in. */
export type KnownNames = Omit<Names, 'srcSessions'> & {
	readonly srcSessions: Pick<Set<string>, 'has'>
}

export function noNames(): Names {
	return { users: new Set(), sessions: new Set(), srcSessions: new Set() }
}

/** Adds what an event of the subscriber says; any other adds nothing. */
export function learnNames(names: Names, stored: StoredEvent, mac: string): void {
	if (!isAbout(stored, mac)) return
	const data = stored.data as Readonly<Record<string, unknown>>
	const put = (set: Set<string>, value: unknown) => {
		if (typeof value === 'string' && value !== '') set.add(value)
	}
	put(names.users, data['user'])
	put(names.users, (data['decision'] as { user?: string } | undefined)?.user)
	const isSrc = stored.type === 'SrcSessionOpened'
	put(isSrc ? names.srcSessions : names.sessions, data['session'])
	put(names.sessions, data['multiSession'])
}

/** Whether a text, or one of the texts in a value, has one of the names as a word of its own. */
export function mentions(value: unknown, names: ReadonlySet<string>): boolean {
	if (names.size === 0) return false
	if (typeof value === 'string') return [...names].some(name => placeOf(value, name) !== -1)
	if (typeof value !== 'object' || value === null) return false
	return Object.values(value).some(part => mentions(part, names))
}

/** The text with the pseudonym in the place of the MAC, however written, and of the names. */
export function withoutNames(text: string, { mac, pseudonym }: Erased, { users }: Names): string {
	let left = replaced(text, spellingsOf(mac), pseudonym) as string
	for (const user of users) {
		for (let at = placeOf(left, user); at !== -1; at = placeOf(left, user)) {
			left = left.slice(0, at) + pseudonym + left.slice(at + user.length)
		}
	}
	return left
}

/** Where a name stands in a text as a word of its own; -1: nowhere. */
function placeOf(text: string, name: string): number {
	const isPart = (character: string | undefined) =>
		character !== undefined && /[\p{L}\p{N}_.@-]/u.test(character)
	for (let at = text.indexOf(name); at !== -1; at = text.indexOf(name, at + 1)) {
		const after = text[at + name.length]
		// A full stop may end the sentence.
		const isInside = after === '.' ? isPart(text[at + name.length + 1]) : isPart(after)
		if (!isPart(text[at - 1]) && !isInside) return at
	}
	return -1
}

function isAbout({ stream, data }: StoredEvent, mac: string): boolean {
	const ownStream = stream.startsWith('subscriber-') && stream.endsWith(`.${mac}`)
	return ownStream || (data as { mac?: unknown }).mac === mac
}

/** A request of a RADIUS server that names somebody by user name or session, whose MAC was not found. */
function isNamed(
	{ type, data }: StoredEvent,
	{ users, sessions, srcSessions }: KnownNames,
): boolean {
	if (type !== 'DisconnectRequested') return false
	const { mac, user, session, multiSession } = data as EventData<'DisconnectRequested'>
	if (mac !== undefined) return false
	const isOwn = (id: string | undefined) =>
		id !== undefined && (sessions.has(id) || srcSessions.has(id))
	return (user !== undefined && users.has(user)) || isOwn(session) || isOwn(multiSession)
}

/**
 * The event without what identifies the subscriber; undefined where it has nothing of the kind.
 * Events of the subscriber lose what the catalogue calls personal, others only the MAC. `names`: what
 * all events of the journal call him.
 */
export function eraseFrom(
	stored: StoredEvent,
	erased: Erased,
	names: KnownNames = noNames(),
): StoredEvent | undefined {
	const { mac, pseudonym } = erased
	const data = stored.data as Readonly<Record<string, unknown>>
	const isOwn = isAbout(stored, mac) || isNamed(stored, names)
	const stripped = isOwn ? strip(stored.type, data, erased, names) : data
	const rest = replaced({ stream: stored.stream, data: stripped }, spellingsOf(mac), pseudonym)
	const { stream, data: left } = rest as { stream: string; data: unknown }
	const { type, v, at } = stored
	const result = { stream, type, v, at, data: left }
	return isOwn || stream !== stored.stream || !isSameText(left, data) ? result : undefined
}

function isSameText(a: unknown, b: unknown): boolean {
	return JSON.stringify(a) === JSON.stringify(b)
}

function strip(
	type: string,
	data: Readonly<Record<string, unknown>>,
	{ pseudonym }: Erased,
	{ srcSessions }: KnownNames,
): Record<string, unknown> {
	const left: Record<string, unknown> = {}
	const known = catalogue[type as EventType]
	const personal: readonly string[] = known?.personal ?? Object.keys(data)
	for (const [field, value] of Object.entries(data)) {
		if (!personal.includes(field) || isSrcSession(field, value, srcSessions)) left[field] = value
		else if (known !== undefined && !isRequired(known.data, field)) continue
		else left[field] = substitute(field, value, pseudonym)
	}
	return left
}

/**
 * SRC's accounting is told from an access point's by the id of SRC's session. SRC made that up, and
 * without it the fold would take the record for a session of its own.
 */
export function isSrcSession(
	field: string,
	value: unknown,
	srcSessions: Pick<Set<string>, 'has'>,
): boolean {
	return field === 'session' && srcSessions.has(value as string)
}

/** What stands for texts and options of which nobody knows what they say; undefined: no such field. */
export function blankOf(field: string): unknown {
	if (field === 'reason') return 'erased'
	return field === 'dhcpOptions' ? {} : undefined
}

/** What a field that must be there says instead. */
function substitute(field: string, value: unknown, pseudonym: string): unknown {
	if (field === 'client') return `hw:01${pseudonym.replaceAll('-', '').toLowerCase()}`
	// An address was lent to others before and after: without it the leases could not be folded, and
	// without the MAC it says about nobody that he had it.
	if (field === 'address') return value
	return blankOf(field) ?? (typeof value === 'string' ? pseudonym : value)
}

/** Whether a codec of the catalogue demands the field. */
export function isRequired(codec: t.Mixed, field: string): boolean {
	if (codec instanceof t.IntersectionType) {
		return (codec.types as t.Mixed[]).some(part => isRequired(part, field))
	}
	return codec instanceof t.InterfaceType && field in codec.props
}

/** The same value with every spelling of the MAC replaced in all its texts. */
function replaced(value: unknown, spellings: readonly string[], pseudonym: string): unknown {
	if (typeof value === 'string') {
		let text = value
		for (const spelling of spellings) {
			if (text.includes(spelling)) text = text.replaceAll(spelling, pseudonym)
		}
		return text
	}
	if (Array.isArray(value)) return value.map(one => replaced(one, spellings, pseudonym))
	if (typeof value !== 'object' || value === null) return value
	const entries = Object.entries(value).map(([key, one]) => [
		key,
		replaced(one, spellings, pseudonym),
	])
	return Object.fromEntries(entries)
}
