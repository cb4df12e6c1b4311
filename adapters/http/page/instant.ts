/** The drawing of a history with a slider over it, which chooses the instant to look at. */
import { instantAt, scale } from './axis.ts'
import { element, fill } from './element.ts'
import { instant } from './format.ts'
import { beginnings, changesOf, type History, lanesOf } from './history.ts'
import { drawLanes } from './lanes.ts'

export type InstantControl = {
	readonly place: HTMLElement
	isNow(): boolean
	/** Draws a history that began at `first` as it is `now`; milliseconds. */
	set(history: History, first: number, now: number): void
}

/** While the slider moves, the state is looked up when it rests for so long. */
const settleMs = 120
const leastWidth = 280
const hourMs = 3_600_000
const spans = [
	{ label: 'everything', ms: Number.POSITIVE_INFINITY },
	{ label: 'last hour', ms: hourMs },
	{ label: 'last day', ms: 24 * hourMs },
	{ label: 'last week', ms: 7 * 24 * hourMs },
] as const

/** `lookAt`: shows the state at an instant in milliseconds, undefined for now. Until `signal`. */
export function instantControl(
	lookAt: (at: number | undefined) => Promise<void>,
	signal: AbortSignal,
): InstantControl {
	const parts = controls()
	const { picture, slider, shown, older, span } = parts
	let drawn: History = { sessions: [], attempts: [], leases: [], accounting: [], isWhole: true }
	let first = 0
	let begin = 0
	let end = 0
	let at: number | undefined
	let settling: ReturnType<typeof setTimeout> | undefined

	const draw = () => {
		if (end === 0) return
		begin = Math.max(first, end - spans[span.selectedIndex]!.ms)
		if (at !== undefined && at < begin) at = begin
		slider.min = `${begin}`
		slider.max = `${end}`
		fill(picture, drawLanes(lanesOf(drawn), begin, end, width(picture)))
		older.hidden = drawn.isWhole
		place()
	}
	const place = () => {
		const where = at ?? end
		slider.value = `${where}`
		const line = picture.querySelector('#instant')
		const x = scale(begin, end, width(picture))(where)
		for (const name of ['x1', 'x2']) line?.setAttribute(name, `${x}`)
		const text = at === undefined ? 'Now' : instant(at)
		slider.setAttribute('aria-valuetext', text)
		shown.textContent = text
	}
	const move = (to: number | undefined, ms: number) => {
		at = to === undefined || to >= end ? undefined : to
		place()
		clearTimeout(settling)
		settling = setTimeout(() => void lookAt(at), ms)
	}
	slider.addEventListener('input', () => move(Number(slider.value), settleMs))
	picture.addEventListener('click', ({ clientX }) =>
		move(instantAt(begin, end, width(picture), clientX - picture.getBoundingClientRect().left), 0),
	)
	span.addEventListener('change', draw)
	parts.toNow.addEventListener('click', () => move(undefined, 0))
	parts.previous.addEventListener('click', () =>
		move(changesOf(drawn, begin, end).findLast(each => each < (at ?? end)) ?? at, 0),
	)
	parts.next.addEventListener('click', () =>
		move(
			changesOf(drawn, begin, end).find(each => each > (at ?? end)),
			0,
		),
	)
	const sizes = new ResizeObserver(draw)
	sizes.observe(picture)
	signal.addEventListener('abort', () => {
		sizes.disconnect()
		clearTimeout(settling)
	})
	return {
		place: parts.place,
		isNow: () => at === undefined,
		set(history, since, now) {
			drawn = history
			// A clock that was set back must not turn the axis around.
			end = now
			first = Math.min(since, end - 1000, ...beginnings(history))
			draw()
		},
	}
}

function width(picture: Element): number {
	return Math.max(picture.clientWidth, leastWidth)
}

function controls() {
	const picture = element('div', { class: 'picture' })
	const slider = element('input', {
		...{ type: 'range', id: 'slider', step: 'any', 'aria-label': 'Instant whose state is shown' },
	})
	const button = (text: string, label: string) =>
		element('button', { type: 'button', 'aria-label': label }, text)
	const previous = button('‹ Change', 'To the change before')
	const next = button('Change ›', 'To the next change')
	const toNow = button('Now', 'To now')
	const shown = element('output', { for: 'slider' }, 'Now')
	const span = element(
		'select',
		{ id: 'span' },
		...spans.map(({ label }) => element('option', {}, label)),
	)
	const older = element('p', { class: 'note', hidden: true }, 'The newest of each are drawn.')
	const place = element(
		'div',
		{},
		picture,
		slider,
		element(
			'div',
			{ class: 'row' },
			...[previous, next, toNow, shown],
			element('label', { class: 'check last' }, 'Drawn:', span),
		),
		older,
	)
	return { place, picture, slider, previous, next, toNow, shown, span, older }
}
