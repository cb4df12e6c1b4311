/**
 * Events as text, the one form in which they are stored: a JSON array with one event a line,
 * `[`, then for every event a newline and `{"stream":…,"type":…,"v":…,"at":…,"data":{…}}`, joined by
 * commas, then a newline and `]`. JSON never has a raw newline inside a value, so an event can be
 * cut out by its line without parsing the others. All of it is ASCII: anything else is escaped,
 * which keeps lone surrogates whole and reading fast.
 */
import type { NewEvent, RecordedEvent } from './event.ts'
import { type StoredEvent, upcast } from './upcast.ts'

const quote = 0x22
const comma = 0x2c
const colon = 0x3a
const newline = 0x0a
const openBracket = 0x5b
const closeBracket = 0x5d
const openBrace = 0x7b
const closeBrace = 0x7d

/** 1 for every character that stands for itself in a JSON string. */
const plain = new Uint8Array(128).fill(1, 0x20)
plain[quote] = 0
plain[0x5c] = 0

/**
 * An encoder with a buffer of its own. What it returns is a view into that buffer: good until the
 * next call. Writing bytes takes two thirds of the time of JSON.stringify and spares the database
 * the conversion from UTF-16.
 */
export function eventEncoder(): (events: readonly NewEvent[]) => Uint8Array {
	let out = new Uint8Array(64 * 1024)

	return events => {
		// A store beyond the end of a typed array is ignored, so nothing checks for room on the way:
		// a batch that did not fit is written once more into a bigger buffer.
		let length = writeEvents(out, events)
		while (length > out.length) {
			out = new Uint8Array(2 * length)
			length = writeEvents(out, events)
		}
		return out.subarray(0, length)
	}
}

/** The same as text, for whoever needs no speed. */
export function encodeEvents(events: readonly NewEvent[]): string {
	return new TextDecoder().decode(eventEncoder()(events))
}

/**
 * The events of a stored batch whose first has position `first`, brought to today's versions.
 * Throws a sentence on an event that this release does not know.
 */
export function decodeEvents(text: string, first: number): RecordedEvent[] {
	const stored: StoredEvent[] = JSON.parse(text)
	const events: RecordedEvent[] = new Array(stored.length)
	for (let index = 0; index < stored.length; index++) {
		events[index] = upcast(stored[index]!, first + index)
	}
	return events
}

/**
 * Cuts single events out of the octets of a stored batch by their lines; `index` counts from 0. It
 * remembers where the last one was: a batch may have a thousand lines, and is gone through once.
 */
export function eventCutter(text: Uint8Array, first: number): (index: number) => RecordedEvent {
	const beginning = text.indexOf(newline)
	let at = 0
	let begin = beginning
	return index => {
		if (index < at) {
			at = 0
			begin = beginning
		}
		for (; at < index && begin !== -1; at++) begin = text.indexOf(newline, begin + 1)
		const end = begin === -1 ? -1 : text.indexOf(newline, begin + 1)
		if (end === -1) throw new Error(`The batch at position ${first} has no event ${first + index}.`)
		const last = text[end - 1] === comma ? end - 1 : end
		return upcast(JSON.parse(lines.decode(text.subarray(begin + 1, last))), first + index)
	}
}

const lines = new TextDecoder()

function writeEvents(out: Uint8Array, events: readonly NewEvent[]): number {
	let at = 0
	out[at++] = openBracket
	for (let index = 0; index < events.length; index++) {
		const event = events[index]!
		if (index > 0) out[at++] = comma
		out[at++] = newline
		at = writeAscii(out, at, '{"stream":')
		at = writeString(out, at, event.stream)
		at = writeAscii(out, at, ',"type":')
		at = writeName(out, at, event.type)
		at = writeAscii(out, at, ',"v":')
		at = writeNumber(out, at, event.v)
		at = writeAscii(out, at, ',"at":')
		at = writeNumber(out, at, event.at)
		at = writeAscii(out, at, ',"data":')
		at = writeObject(out, at, event.data)
		out[at++] = closeBrace
	}
	out[at++] = newline
	out[at++] = closeBracket
	return at
}

function writeValue(out: Uint8Array, at: number, value: unknown): number {
	if (typeof value === 'string') return writeString(out, at, value)
	if (typeof value === 'number') return writeNumber(out, at, value)
	if (Array.isArray(value)) return writeArray(out, at, value)
	if (typeof value === 'object' && value !== null) return writeObject(out, at, value)
	return writeAscii(out, at, typeof value === 'boolean' ? String(value) : 'null')
}

function writeObject(out: Uint8Array, start: number, object: object): number {
	let at = start
	out[at++] = openBrace
	for (const key in object) {
		const value = (object as Record<string, unknown>)[key]
		if (value === undefined) continue
		if (at > start + 1) out[at++] = comma
		at = writeName(out, at, key)
		out[at++] = colon
		at = writeValue(out, at, value)
	}
	out[at++] = closeBrace
	return at
}

function writeArray(out: Uint8Array, start: number, array: readonly unknown[]): number {
	let at = start
	out[at++] = openBracket
	for (let index = 0; index < array.length; index++) {
		if (index > 0) out[at++] = comma
		at = writeValue(out, at, array[index])
	}
	out[at++] = closeBracket
	return at
}

function writeAscii(out: Uint8Array, start: number, text: string): number {
	let at = start
	for (let index = 0; index < text.length; index++) out[at++] = text.charCodeAt(index)
	return at
}

function writeString(out: Uint8Array, start: number, text: string): number {
	let at = start
	out[at++] = quote
	for (let index = 0; index < text.length; index++) {
		const unit = text.charCodeAt(index)
		if (unit >= 128 || plain[unit] === 0) return writeEscaped(out, start, text)
		out[at++] = unit
	}
	out[at] = quote
	return at + 1
}

function writeEscaped(out: Uint8Array, start: number, text: string): number {
	let at = start
	out[at++] = quote
	for (let index = 0; index < text.length; index++) {
		const unit = text.charCodeAt(index)
		if (unit < 128 && plain[unit] === 1) out[at++] = unit
		else at = writeAscii(out, at, escaped(unit))
	}
	out[at++] = quote
	return at
}

/** For names out of the catalogue, which need no escaping: event types and field names. */
function writeName(out: Uint8Array, start: number, text: string): number {
	let at = start
	out[at++] = quote
	for (let index = 0; index < text.length; index++) out[at++] = text.charCodeAt(index)
	out[at++] = quote
	return at
}

/** RFC 8259 §7: any UTF-16 code unit may be written as `\u` and four digits, alone or in a pair. */
function escaped(unit: number): string {
	if (unit === quote) return '\\"'
	if (unit === 0x5c) return '\\\\'
	return `\\u${unit.toString(16).padStart(4, '0')}`
}

function writeNumber(out: Uint8Array, at: number, value: number): number {
	// As JSON.stringify has it: -0 is 0, and what JSON cannot say is null.
	if (Number.isSafeInteger(value) && value >= 0) return writeInteger(out, at, value)
	return writeAscii(out, at, Number.isFinite(value) ? String(value) : 'null')
}

/** Writes a whole number from 0 to 2^53 - 1 in decimal digits, and returns where they end. */
export function writeInteger(out: Uint8Array, at: number, value: number): number {
	if (value < 1e9) return writeSmallInteger(out, at, value)
	// Six digits at a time keep the divisions within 32 bits, which is several times faster.
	const high = Math.floor(value / 1e6)
	const end = writeInteger(out, at, high) + 6
	let rest = value - high * 1e6
	for (let place = end - 1; place >= end - 6; place--) {
		const tenth = (rest / 10) | 0
		out[place] = 0x30 + rest - tenth * 10
		rest = tenth
	}
	return end
}

function writeSmallInteger(out: Uint8Array, at: number, value: number): number {
	let end = at + 1
	for (let power = 10; power <= value; power *= 10) end++
	let rest = value | 0
	for (let place = end - 1; place >= at; place--) {
		const tenth = (rest / 10) | 0
		out[place] = 0x30 + rest - tenth * 10
		rest = tenth
	}
	return end
}
