/**
 * What is left of an event when a subscriber is erased: that it happened, when, and everything in it
 * that is about nobody. The MAC becomes a pseudonym, the same in all events of one erasure, so that
 * folding them gives what it gave before, and statistics stay as they are.
 */
import * as t from 'io-ts'
import { catalogue, type EventType } from './event.ts'
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

/**
 * The event without what identifies the subscriber; undefined where it has nothing of the kind.
 * Events of the subscriber lose what the catalogue calls personal, others only the MAC.
 */
export function eraseFrom(stored: StoredEvent, erased: Erased): StoredEvent | undefined {
	const { mac, pseudonym } = erased
	const data = stored.data as Readonly<Record<string, unknown>>
	const ownStream = stored.stream.startsWith('subscriber-') && stored.stream.endsWith(`.${mac}`)
	const isOwn = ownStream || data['mac'] === mac
	const stripped = isOwn ? strip(stored.type, data, erased) : data
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
): Record<string, unknown> {
	const left: Record<string, unknown> = {}
	const known = catalogue[type as EventType]
	const personal: readonly string[] = known?.personal ?? Object.keys(data)
	for (const [field, value] of Object.entries(data)) {
		if (!personal.includes(field)) left[field] = value
		else if (known !== undefined && !isRequired(known.data, field)) continue
		else left[field] = substitute(field, value, pseudonym)
	}
	return left
}

/** What a field that must be there says instead. */
function substitute(field: string, value: unknown, pseudonym: string): unknown {
	if (field === 'client') return `hw:01${pseudonym.replaceAll('-', '').toLowerCase()}`
	// An address was lent to others before and after: without it the leases could not be folded, and
	// without the MAC it says about nobody that he had it.
	if (field === 'address') return value
	return typeof value === 'string' ? pseudonym : value
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
