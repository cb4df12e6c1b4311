/** Plots over time, drawn by uPlot in the colours of the page. */
import uPlot from '/uplot.js'
import { element } from './element.ts'
import { compact } from './format.ts'
import { colour, onTheme } from './theme.ts'

export type Line = { readonly label: string; readonly colour: string }

export type Plot = {
	readonly place: HTMLElement
	/** Seconds since 1970, and one list of values for each line. */
	set(seconds: readonly number[], values: readonly (readonly (number | null)[])[]): void
}

const height = 150

/** `unit` stands behind values in the legend. Lives until `signal`. */
export function plot(
	title: string,
	lines: readonly Line[],
	unit: string,
	signal: AbortSignal,
): Plot {
	const canvas = element('div', { class: 'canvas' })
	const latest = element('p', { class: 'latest' })
	const place = element(
		'figure',
		{ class: 'plot' },
		element('figcaption', {}, title),
		latest,
		canvas,
	)
	let data: uPlot.AlignedData = [[], ...lines.map(() => [])]
	let drawn: uPlot | undefined
	const draw = () => {
		drawn?.destroy()
		drawn = new uPlot(options(lines, canvas.clientWidth || 300), data, canvas)
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
	return {
		place,
		set(seconds, values) {
			data = [[...seconds], ...values.map(list => [...list])] as uPlot.AlignedData
			drawn?.setData(data)
			latest.replaceChildren(
				...lines.flatMap((line, i) => {
					const value = values[i]?.at(-1)
					const text = value === null || value === undefined ? '–' : compact(value)
					const key = element('i', { class: 'key' })
					key.style.background = `var(${line.colour})`
					return [element('span', {}, key, `${line.label} `, element('b', {}, text), unit)]
				}),
			)
		},
	}
}

function options(lines: readonly Line[], width: number): uPlot.Options {
	const axis = { stroke: colour('--faint'), font: '11px system-ui' }
	const grid = { stroke: colour('--line'), width: 1 }
	return {
		width,
		height,
		legend: { show: false },
		cursor: { drag: { x: false, y: false } },
		scales: { y: { range: (_, __, most) => [0, Math.max(most * 1.1, 1)] } },
		axes: [
			{ ...axis, grid: { show: false }, ticks: { ...grid, size: 4 }, space: 70 },
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
				stroke: colour(line.colour),
				width: 1.5,
				points: { show: false },
			})),
		],
	}
}
