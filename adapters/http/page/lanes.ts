/** A subscriber's history drawn: lanes of spans and marks over one time axis. */
import { svg } from './element.ts'
import { clock, day } from './format.ts'

export type Span = {
	readonly begin: number
	/** Undefined: it still lasts. */
	readonly end: number | undefined
	readonly label: string
	readonly title: string
	/** A class of the style sheet: the page's policy allows no style in an attribute. */
	readonly tone: string
}

export type Mark = { readonly at: number; readonly title: string; readonly tone: string }

export type Lane = {
	readonly name: string
	readonly spans: readonly Span[]
	readonly marks: readonly Mark[]
}

const laneHeight = 34
const nameWidth = 108
const axisHeight = 26
const ticksAtMost = 8
const stepsMs = [1, 2, 5, 10, 30]
	.map(seconds => seconds * 1000)
	.concat(
		[1, 2, 5, 10, 30, 60, 120, 360, 720, 1440, 2880, 10_080, 43_200].map(
			minutes => minutes * 60_000,
		),
	)

/** `begin` and `end` in milliseconds; `width` in pixels. The line of the instant is `#instant`. */
export function drawLanes(
	lanes: readonly Lane[],
	begin: number,
	end: number,
	width: number,
): SVGSVGElement {
	const height = lanes.length * laneHeight + axisHeight
	const x = scale(begin, end, width)
	return svg(
		'svg',
		{ class: 'lanes', width, height, viewBox: `0 0 ${width} ${height}`, role: 'img' },
		svg(
			'title',
			{},
			`History in ${lanes.length} lanes: ${lanes.map(({ name }) => name).join(', ')}`,
		),
		...ticks(begin, end, x, height),
		...lanes.map((lane, index) => drawLane(lane, index * laneHeight, x, width)),
		svg('line', { id: 'instant', y1: 0, y2: height - axisHeight, class: 'instant' }),
	)
}

/** Where an instant is in a drawing of that width. */
export function scale(begin: number, end: number, width: number): (at: number) => number {
	const room = width - nameWidth - 8
	return at =>
		nameWidth + ((Math.min(Math.max(at, begin), end) - begin) / (end - begin || 1)) * room
}

function drawLane(
	{ name, spans, marks }: Lane,
	top: number,
	x: (at: number) => number,
	width: number,
): SVGGElement {
	const middle = top + laneHeight / 2
	return svg(
		'g',
		{},
		svg('line', { x1: 0, x2: width, y1: top + laneHeight, y2: top + laneHeight, class: 'rule' }),
		svg('text', { x: 0, y: middle + 4, class: 'name' }, name),
		...spans.map(span => drawSpan(span, top + 7, x)),
		...marks.map(({ at, title, tone }) =>
			svg('circle', { cx: x(at), cy: middle, r: 4, class: tone }, svg('title', {}, title)),
		),
	)
}

/** Enough of a label that some of it can be read, in pixels for each character. */
const characterWidth = 6.6

function drawSpan(span: Span, top: number, x: (at: number) => number): SVGGElement {
	const from = x(span.begin)
	const width = Math.max(x(span.end ?? Number.POSITIVE_INFINITY) - from, 2)
	const room = Math.floor((width - 8) / characterWidth)
	const { label } = span
	const text = room >= label.length ? label : room >= 4 ? `${label.slice(0, room - 1)}…` : ''
	return svg(
		'g',
		{},
		svg('title', {}, span.title),
		svg('rect', {
			...{ x: from, y: top, width, height: laneHeight - 14, rx: 3 },
			class: `span ${span.tone}`,
		}),
		text === '' ? null : svg('text', { x: from + 5, y: top + 14, class: 'label' }, text),
	)
}

function ticks(
	begin: number,
	end: number,
	x: (at: number) => number,
	height: number,
): SVGElement[] {
	const step = stepsMs.find(ms => (end - begin) / ms <= ticksAtMost) ?? stepsMs.at(-1)!
	const made: SVGElement[] = []
	// Marks on whole hours and days of local time.
	const shift = new Date(begin).getTimezoneOffset() * 60_000
	for (let at = Math.ceil((begin - shift) / step) * step + shift; at <= end; at += step) {
		const date = new Date(at)
		const text =
			step >= 86_400_000 ? day(date).slice(5) : clock(date).slice(0, step < 60_000 ? 8 : 5)
		const left = x(at)
		if (made.length / 2 > 2 * ticksAtMost) break
		made.push(
			svg('line', { x1: left, x2: left, y1: 0, y2: height - axisHeight, class: 'rule' }),
			svg('text', { x: left, y: height - 9, class: 'tick' }, text),
		)
	}
	return made
}
