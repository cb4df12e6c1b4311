/** Plots over time, drawn by uPlot in the colours of the page. */
import uPlot from '/uplot.js'
import { element } from './element.ts'
import { clock, compact } from './format.ts'
import type { Values } from './rates.ts'
import { colour, onTheme } from './theme.ts'

/** `tone`: a colour of the style sheet. */
export type Line = {
	readonly label: string
	readonly tone: 'good' | 'bad' | 'warn' | 'second' | 'third'
}

export type Plot = {
	readonly place: HTMLElement
	/** Seconds since 1970, and one list of values for each line. `end`: where the time axis ends. */
	set(end: number, seconds: readonly number[], values: readonly Values[]): void
}

export type PlotSettings = {
	readonly title: string
	readonly lines: readonly Line[]
	/** Stands behind values. */
	readonly unit: string
	/** Seconds from one end of the time axis to the other. */
	readonly span: number
}

const height = 150
const axisHeight = 26

/** Lives until `signal`. */
export function plot({ title, lines, unit, span }: PlotSettings, signal: AbortSignal): Plot {
	const canvas = element('div', { class: 'canvas', 'aria-hidden': true })
	const told = element('p', { class: 'latest' })
	const caption = element('figcaption', {}, title)
	let data: uPlot.AlignedData = [[], ...lines.map(() => [])]
	let end = Date.now() / 1000
	let drawn: uPlot | undefined
	/** The values below the pointer, else the newest. */
	const tell = () => {
		const index = drawn?.cursor.idx ?? undefined
		const at = index === undefined ? undefined : data[0][index]
		caption.textContent = at === undefined ? title : `${title} · ${clock(new Date(at * 1000))}`
		told.replaceChildren(
			...lines.map(({ label, tone }, i) => {
				const value = index === undefined ? data[i + 1]!.at(-1) : data[i + 1]![index]
				const text = value === null || value === undefined ? '–' : compact(value)
				const key = element('i', { class: `key ${tone}` })
				return element('span', {}, key, `${label} `, element('b', {}, text), unit)
			}),
		)
	}
	const draw = () => {
		drawn?.destroy()
		const asked = options(lines, canvas.clientWidth || 300, () => [end - span, end])
		drawn = new uPlot({ ...asked, hooks: { setCursor: [tell] } }, data, canvas)
	}
	const sizes = new ResizeObserver(() => {
		if (drawn === undefined) draw()
		else if (canvas.clientWidth > 0) drawn.setSize({ width: canvas.clientWidth, height })
	})
	sizes.observe(canvas)
	onTheme(draw, signal)
	signal.addEventListener('abort', () => {
		sizes.disconnect()
		drawn?.destroy()
	})
	tell()
	return {
		place: element('figure', { class: 'plot' }, caption, told, canvas),
		set(until, seconds, values) {
			end = until
			data = [[...seconds], ...values.map(list => [...list])] as uPlot.AlignedData
			drawn?.setData(data)
			tell()
		},
	}
}

function options(
	lines: readonly Line[],
	width: number,
	range: () => [begin: number, end: number],
): uPlot.Options {
	const axis = { stroke: colour('--faint'), font: '11px system-ui' }
	const grid = { stroke: colour('--line'), width: 1 }
	return {
		width,
		height,
		padding: [6, 14, 0, 0],
		legend: { show: false },
		cursor: { drag: { x: false, y: false }, points: { size: 6 } },
		scales: {
			x: { range },
			y: { range: (_, __, most) => [0, Math.max((most ?? 0) * 1.1, 1)] },
		},
		axes: [
			{
				...axis,
				grid: { show: false },
				ticks: { ...grid, size: 4 },
				size: axisHeight,
				gap: 3,
				space: 60,
				values: (_, marks) => marks.map(timeMark),
			},
			{
				...axis,
				grid,
				ticks: { show: false },
				size: 44,
				space: 32,
				values: (_, marks) => marks.map(mark => compact(mark)),
			},
		],
		series: [
			{},
			...lines.map(line => ({
				label: line.label,
				stroke: colour(`--${line.tone}`),
				width: 1.5,
				// One value alone would be no line.
				points: { show: (self: uPlot) => self.data[0].length < 3, size: 4 },
			})),
		],
	}
}

/** `14:02`, and with seconds where it is no whole minute. */
function timeMark(seconds: number): string {
	const text = clock(new Date(seconds * 1000))
	return text.endsWith(':00') ? text.slice(0, 5) : text
}
