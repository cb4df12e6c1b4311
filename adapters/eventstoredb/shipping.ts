/**
 * Appends under way: many at once, sent in the order of the journal, each with the revision that the
 * ones before it will have made. The copy is complete up to the last event before which everything
 * is acknowledged; the first failure ends the session, whatever else is under way.
 */
import type { PlacedEvent } from '../../domain/upcast.ts'
import { copyStreamOf, proposalOf } from './envelope.ts'
import type { Finding } from './findings.ts'
import type { Revisions } from './revisions.ts'
import type { Target } from './target.ts'

/** Consecutive events of one stream: one append. */
type Run = { readonly last: number; done: boolean }

export type Shipping = {
	/** Sends consecutive events of one stream as soon as the window has room for them. */
	ship(events: readonly PlacedEvent[]): Promise<void>
	/** Waits until everything is acknowledged. Throws what failed. */
	drained(): Promise<void>
	isEmpty(): boolean
	failed(): boolean
}

export function openShipping(parts: {
	readonly journal: string
	readonly target: Target
	readonly revisions: Revisions
	readonly windowEvents: number
	/** The copy is complete up to this position; so many events more were shipped. */
	readonly moved: (position: number, events: number) => void
	/** Something happened: whoever pauses looks again. */
	readonly stirred: () => void
	/** What an append's failure means. */
	readonly explain: (error: unknown, stream: string, there: Finding) => Promise<unknown>
}): Shipping {
	const { journal, target, revisions, windowEvents } = parts
	const pending: Run[] = []
	let inFlight = 0
	let shipped = 0
	let failing = false
	let failure: { readonly error: unknown } | undefined
	let wake = () => {}

	return {
		ship,
		drained: () => settled(() => pending.length === 0),
		isEmpty: () => pending.length === 0,
		failed: () => failure !== undefined,
	}

	async function ship(events: readonly PlacedEvent[]): Promise<void> {
		const home = events[0]!.stream
		const stream = copyStreamOf(events[0]!)
		const there = revisions.get(stream)
		const done = there.newest?.event.position ?? 0
		const fresh = events.filter(({ position }) => position > done)
		const run: Run = { last: events.at(-1)!.position, done: fresh.length === 0 }
		// The first event in a virtual router's stream claims it: nothing else goes out before.
		const isClaim = home.startsWith('relay-') && revisions.get(home).revision < 0n
		await settled(() => (isClaim ? inFlight === 0 : inFlight < windowEvents))
		pending.push(run)
		if (fresh.length > 0) append(stream, there, fresh, run)
		else advance()
		if (isClaim) await settled(() => inFlight === 0)
	}

	function append(stream: string, there: Finding, events: readonly PlacedEvent[], run: Run): void {
		inFlight += events.length
		const proposals = events.map(event => proposalOf(journal, event))
		const sent = target.append(stream, there.revision, proposals)
		const newest = { journal, event: events.at(-1)! }
		revisions.set(stream, { revision: there.revision + BigInt(events.length), newest })
		sent.then(
			() => {
				inFlight -= events.length
				shipped += events.length
				run.done = true
				advance()
			},
			error => fail(error, stream, there),
		)
	}

	/** The first failure is the cause; what follows in the same stream is its consequence. */
	async function fail(error: unknown, stream: string, there: Finding): Promise<void> {
		if (failing) return
		failing = true
		failure = { error: await parts.explain(error, stream, there) }
		stir()
	}

	function advance(): void {
		let position: number | undefined
		while (pending[0]?.done) position = pending.shift()!.last
		// After a failure the session is over, and the next one has its own account.
		if (position !== undefined && failure === undefined) {
			parts.moved(position, shipped)
			shipped = 0
		}
		stir()
	}

	function stir(): void {
		wake()
		parts.stirred()
	}

	async function settled(isSo: () => boolean): Promise<void> {
		while (failure === undefined && !isSo()) {
			await new Promise<void>(resolve => {
				wake = resolve
			})
		}
		if (failure !== undefined) throw failure.error
	}
}
