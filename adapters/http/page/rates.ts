/** What the plots show: rates out of totals, and counts by minute. */
import type { Minute } from './model.ts'

/** One value for each instant; null: not known. */
export type Values = readonly (number | null)[]

export type Series = { readonly seconds: readonly number[]; readonly values: readonly Values[] }

export type Totals = { readonly at: number; readonly values: readonly number[] }

/**
 * Rates by the second between one look at the totals and the next, so that they are right at any
 * load and whenever the looks were. `at` in milliseconds; keeps what is younger than `keptMs`.
 */
export function newRates(count: number, keptMs: number) {
	const seconds: number[] = []
	const values: (number | null)[][] = Array.from({ length: count }, () => [])
	let before: Totals | undefined
	return {
		series: { seconds, values } satisfies Series,
		add(now: Totals): void {
			const last = before
			before = now
			if (last === undefined || now.at <= last.at) return
			seconds.push(now.at / 1000)
			for (const [i, list] of values.entries()) {
				// Totals only fall where it is another journal.
				const rate = ((now.values[i]! - last.values[i]!) / (now.at - last.at)) * 1000
				list.push(rate < 0 ? null : rate)
			}
			while (seconds[0]! < (now.at - keptMs) / 1000) {
				seconds.shift()
				for (const list of values) list.shift()
			}
		},
	}
}

const minuteMs = 60_000

/**
 * One list for each name over the minutes from the first item to the last whole one; the minute
 * that is not over is left out, because it would look like a dip. Virtual routers are added up, but
 * the slowest of times is taken. In a minute without an item nothing was counted. `now` in
 * milliseconds.
 */
export function byMinute(items: readonly Minute[], names: readonly string[], now: number): Series {
	const minutes = new Map<number, Minute[]>()
	for (const item of items) {
		const at = Date.parse(item.at)
		minutes.set(at, [...(minutes.get(at) ?? []), item])
	}
	const first = Math.min(...minutes.keys())
	const running = Math.floor(now / minuteMs) * minuteMs
	// Where there is no other, the running one is better than nothing.
	const last = Math.max(running - minuteMs, first)
	const seconds: number[] = []
	const values: (number | null)[][] = names.map(() => [])
	for (let at = first; at <= last && minutes.size > 0; at += minuteMs) {
		seconds.push(at / 1000)
		for (const [i, name] of names.entries()) values[i]!.push(together(minutes.get(at), name))
	}
	return { seconds, values }
}

function together(items: readonly Minute[] | undefined, name: string): number | null {
	const values = (items ?? []).map(item => item[name]).filter(value => typeof value === 'number')
	if (!name.startsWith('serverMs')) return values.reduce((sum, value) => sum + value, 0)
	return values.length === 0 ? null : Math.max(...values)
}
