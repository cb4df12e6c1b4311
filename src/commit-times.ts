/** How long the disk takes for commits, as a histogram. */
import type { CommitTimes } from '../adapters/http/live.ts'
import type { Journal } from '../domain/journal.ts'

/** Upper bounds of the buckets in seconds. */
const bounds = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1]

/** A journal whose appends are timed; `now` in monotonic milliseconds. */
export function timed(
	journal: Journal,
	now: () => number,
): { readonly append: Journal['append']; times(): CommitTimes } {
	const counts = new Float64Array(bounds.length)
	let count = 0
	let sumSeconds = 0
	let events = 0
	return {
		append(batch) {
			const begin = now()
			const first = journal.append(batch)
			const seconds = (now() - begin) / 1000
			count++
			sumSeconds += seconds
			events += batch.length
			// Counted where it belongs, and summed up to what Prometheus wants when asked.
			for (let i = 0; i < bounds.length; i++) {
				if (seconds > bounds[i]!) continue
				counts[i]!++
				break
			}
			return first
		},
		times() {
			let sum = 0
			const cumulative = Array.from(counts, number => {
				sum += number
				return sum
			})
			return { bounds, counts: cumulative, count, sumSeconds, events }
		},
	}
}
