/**
 * The histories of all relays, followed as they are written: a catch-up subscription to `$all` that
 * begins again, after the last event that came, whenever it breaks.
 */
import type { Position } from '@eventstore/db-client'
import { type Mirrored, mirroredEvent, type ReadEvent } from './envelope.ts'
import { type Target, TargetFailure } from './target.ts'

/** A place in `$all` as text; empty: its beginning. */
export type Place = string

export type HistoryFollowing = {
	/** Empty where nothing is wrong, else a sentence. */
	trouble(): string
	close(): Promise<void>
}

const firstPauseMs = 250
const longestPauseMs = 30_000

/** `take` is given events one after the other, each with its place, and the next when it resolves. */
export function followHistory(
	target: Target,
	from: Place,
	take: (mirrored: Mirrored, place: Place) => Promise<void> | undefined,
	onTrouble: (sentence: string) => void,
): HistoryFollowing {
	let place = from
	let trouble = ''
	const end = new AbortController()
	let wake = () => {}
	const ended = run()

	return {
		trouble: () => trouble,
		async close() {
			end.abort()
			wake()
			await target.reset()
			await ended
		},
	}

	async function run(): Promise<void> {
		let pauseMs = firstPauseMs
		const begun = () => {
			trouble = ''
			pauseMs = firstPauseMs
		}
		while (!end.signal.aborted) {
			try {
				const events = target.subscribe(positionOf(place), end.signal, begun)
				for await (const { event } of events) {
					if (event === undefined) continue
					const { position } = event
					const after = position === undefined ? place : `${position.commit}/${position.prepare}`
					const mirrored = mirroredEvent(event as ReadEvent)
					if (mirrored !== undefined) await take(mirrored, after)
					place = after
				}
			} catch (error) {
				if (!(error instanceof TargetFailure)) throw error
				if (end.signal.aborted) return
				if (trouble === '') onTrouble(error.message)
				trouble = error.message
				await target.reset()
			}
			if (!end.signal.aborted) await pause(pauseMs)
			pauseMs = Math.min(2 * pauseMs, longestPauseMs)
		}
	}

	function pause(ms: number): Promise<void> {
		return new Promise(resolve => {
			const timer = setTimeout(resolve, ms)
			wake = () => {
				clearTimeout(timer)
				resolve()
			}
		})
	}
}

function positionOf(place: Place): Position | undefined {
	const [commit, prepare] = place.split('/')
	if (!commit || !prepare) return undefined
	return { commit: BigInt(commit), prepare: BigInt(prepare) }
}
