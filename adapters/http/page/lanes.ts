/** A subscriber's history drawn: lanes of spans and marks over one time axis. */
import { abridged, scale, ticks } from './axis.ts'
import { svg } from './element.ts'
import type { Lane, Span } from './history.ts'

const laneHeight = 34
const axisHeight = 26

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
		...drawTicks(begin, end, x, height),
		...lanes.map((lane, index) => drawLane(lane, index * laneHeight, x, width)),
		svg('line', { id: 'instant', y1: 0, y2: height - axisHeight, class: 'instant' }),
	)
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

function drawSpan(span: Span, top: number, x: (at: number) => number): SVGGElement {
	const from = x(span.begin)
	const width = Math.max(x(span.end ?? Number.POSITIVE_INFINITY) - from, 2)
	const text = abridged(span.label, width - 8)
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

function drawTicks(
	begin: number,
	end: number,
	x: (at: number) => number,
	height: number,
): SVGElement[] {
	return ticks(begin, end).flatMap(({ at, text }) => [
		svg('line', { x1: x(at), x2: x(at), y1: 0, y2: height - axisHeight, class: 'rule' }),
		svg('text', { x: x(at), y: height - 9, class: 'tick' }, text),
	])
}
