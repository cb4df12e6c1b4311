/** A time axis: where instants stand, and which of them are marked. */
import { clock, day } from './format.ts'

/** Pixels left of the axis for names, and right of it. */
const nameWidth = 108
const rightWidth = 8
const ticksAtMost = 8
/** Pixels that a character takes. */
const characterWidth = 6.6
const dayMs = 86_400_000
const stepsMs = [
	...[1, 2, 5, 10, 30].map(seconds => seconds * 1000),
	...[1, 2, 5, 10, 30, 60, 120, 360, 720].map(minutes => minutes * 60_000),
	...[1, 2, 7, 30, 90, 365, 1000, 3650].map(days => days * dayMs),
]

/** Where an instant is in a drawing of that width, in pixels; those outside are at its ends. */
export function scale(begin: number, end: number, width: number): (at: number) => number {
	const room = width - nameWidth - rightWidth
	return at =>
		nameWidth + ((Math.min(Math.max(at, begin), end) - begin) / (end - begin || 1)) * room
}

/** The instant at a place in a drawing of that width: the other way round. */
export function instantAt(begin: number, end: number, width: number, x: number): number {
	const part = (x - nameWidth) / (width - nameWidth - rightWidth)
	return begin + Math.min(Math.max(part, 0), 1) * (end - begin)
}

export type Tick = { readonly at: number; readonly text: string }

/**
 * A handful of instants between `begin` and `end` (milliseconds), on whole seconds, minutes, hours
 * or days of local time, with what is written below them.
 */
export function ticks(begin: number, end: number): Tick[] {
	const step = stepsMs.find(ms => (end - begin) / ms <= ticksAtMost) ?? stepsMs.at(-1)!
	const shift = new Date(begin).getTimezoneOffset() * 60_000
	const made: Tick[] = []
	for (let at = Math.ceil((begin - shift) / step) * step + shift; at <= end; at += step) {
		if (made.length > ticksAtMost) break
		made.push({ at, text: tickText(new Date(at), step) })
	}
	return made
}

function tickText(date: Date, step: number): string {
	if (step >= 90 * dayMs) return day(date)
	if (step >= dayMs) return day(date).slice(5)
	return clock(date).slice(0, step < 60_000 ? 8 : 5)
}

/** As much of a label as has room, if that can be read at all. */
export function abridged(label: string, pixels: number): string {
	const room = Math.floor(pixels / characterWidth)
	if (room >= label.length) return label
	return room >= 8 ? `${label.slice(0, room - 1)}…` : ''
}
