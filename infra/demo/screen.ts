/** The demo's output: figures redrawn in place on a terminal, else a line every few seconds. */
import type { Traffic } from './traffic.ts'

/** What the figures are made of, at one moment. */
export type Sight = {
	readonly elapsedMs: number
	readonly traffic: Traffic
	readonly position: number
	readonly events: number
	/** What the journal says of addresses, of SRC, and of how sessions ended. */
	readonly addresses: Addresses
	readonly places: readonly { readonly name: string; readonly subscribers: readonly string[] }[]
}

export type Addresses = {
	readonly granted: number
	readonly chosenBySrc: number
	/** Addresses that several subscribers have had, one after the other. */
	readonly usedAgain: number
	readonly srcOpened: number
	readonly srcClosed: number
	readonly ends: ReadonlyMap<string, number>
}

export type Screen = { show(sight: Sight): void }

const number = new Intl.NumberFormat('en')

/** Milliseconds between two figures. */
export function intervalMs(output: NodeJS.WriteStream): number {
	return output.isTTY ? 500 : 2000
}

export function openScreen(output: NodeJS.WriteStream): Screen {
	let before: Sight | undefined
	let drawn = 0
	return {
		show(sight) {
			const rates = ratesSince(before, sight)
			before = { ...sight, traffic: { ...sight.traffic } }
			if (!output.isTTY) {
				output.write(`${line(sight, rates)}\n`)
				return
			}
			// A terminal that does not know its size says 0.
			const columns = output.columns || 80
			const rows = output.rows || 24
			// What has scrolled off the top cannot be drawn again, nor a line that takes two rows.
			const lines = table(sight, rates).slice(0, rows - 1)
			const text = lines.map(row => `${row.slice(0, columns - 1)}\x1b[K\n`).join('')
			output.write(`${drawn > 0 ? `\x1b[${drawn}A` : ''}${text}\x1b[J`)
			drawn = lines.length
		},
	}
}

type Rates = { readonly requestsPerSecond: number; readonly latencyMs: number }

function ratesSince(before: Sight | undefined, now: Sight): Rates {
	const seconds = (now.elapsedMs - (before?.elapsedMs ?? 0)) / 1000
	const requests = now.traffic.requests - (before?.traffic.requests ?? 0)
	const answers = now.traffic.answers - (before?.traffic.answers ?? 0)
	const latency = now.traffic.latencySumMs - (before?.traffic.latencySumMs ?? 0)
	return {
		requestsPerSecond: seconds > 0 ? requests / seconds : 0,
		latencyMs: answers > 0 ? latency / answers : 0,
	}
}

function line({ elapsedMs, traffic, position, places }: Sight, rates: Rates): string {
	const online = places.map(({ name, subscribers }) => `${name} ${subscribers.length}`).join(', ')
	return [
		`${(elapsedMs / 1000).toFixed(0).padStart(4)} s`,
		`${rates.requestsPerSecond.toFixed(0)} requests/s`,
		`${rates.latencyMs.toFixed(1)} ms`,
		`${number.format(traffic.answers)} answers`,
		`journal at ${number.format(position)}`,
		online,
	].join('  ')
}

function table(sight: Sight, rates: Rates): string[] {
	const { elapsedMs, traffic, position, events, places, addresses } = sight
	const count = (label: string, value: number) => `${label} ${number.format(value)}`
	return [
		[
			`${(elapsedMs / 1000).toFixed(0)} s`,
			`${rates.requestsPerSecond.toFixed(0)} requests/s`,
			`${rates.latencyMs.toFixed(1)} ms`,
			`journal at ${number.format(position)} (${number.format(events)} events of this run)`,
		].join('   '),
		'',
		[
			count('Requests', traffic.requests),
			count('answers', traffic.answers),
			count('sent again', traffic.retransmissions),
			count('unanswered', traffic.unanswered),
		].join('   '),
		[
			count('Accepts', traffic.accepts),
			count('challenges', traffic.challenges),
			count('rejects', traffic.rejects),
			count('accounting', traffic.accountingResponses),
		].join('   '),
		[
			count('Reauthentications', traffic.reauthentications),
			count('roamings', traffic.roamings),
			count('disconnects', traffic.disconnects),
			count('failures', traffic.failureCount),
		].join('   '),
		[
			count('Addresses leased', addresses.granted),
			count('chosen by SRC', addresses.chosenBySrc),
			count('used again', addresses.usedAgain),
			count('renewals', traffic.renewals),
			count('releases', traffic.releases),
		].join('   '),
		[
			count('SRC sessions', addresses.srcOpened),
			count('ended', addresses.srcClosed),
			count('accounting sessions ended', sum(addresses.ends)),
		].join('   '),
		'',
		'Who is where, as the journal says:',
		...places.map(({ name, subscribers }) =>
			`  ${name.padEnd(8)} ${String(subscribers.length).padStart(2)}  ${subscribers.join(' ')}`.trimEnd(),
		),
	]
}

/** A run in figures, when it is over. */
export function summary(sight: Sight, firstPosition: number, missing: number): string[] {
	const { elapsedMs, traffic, position, events, addresses } = sight
	const mean = traffic.answers > 0 ? traffic.latencySumMs / traffic.answers : 0
	const journaled = traffic.answers - traffic.statusAnswers
	const n = (value: number) => number.format(value)
	return [
		`${(elapsedMs / 1000).toFixed(1)} s: ${n(traffic.requests)} requests, ${n(traffic.answers)} answers, mean latency ${mean.toFixed(1)} ms (longest ${traffic.latencyMaxMs.toFixed(0)} ms).`,
		`${n(traffic.accepts)} accepts, ${n(traffic.challenges)} challenges, ${n(traffic.rejects)} rejects (wrong passwords), ${n(traffic.accountingResponses)} accounting responses, ${n(traffic.statusAnswers)} answers to Status-Server; ${n(traffic.reauthentications)} reauthentications, ${n(traffic.roamings)} roamings.`,
		`${n(addresses.granted)} addresses leased, ${n(addresses.usedAgain)} of them once more; ${n(addresses.chosenBySrc)} pools chosen by SRC, ${n(traffic.renewals)} renewals, ${n(traffic.releases)} releases.`,
		`${n(sum(addresses.ends))} sessions ended (${causes(addresses.ends)}); SRC accounted for ${n(addresses.srcOpened)} sessions and ended ${n(addresses.srcClosed)}.`,
		`${n(events)} events recorded, positions ${n(firstPosition)} to ${n(position)}.`,
		missing === 0
			? `Each of the ${n(journaled)} answers that rest on an event is in the journal.`
			: `${n(missing)} of ${n(journaled)} answers that rest on an event are NOT in the journal.`,
	]
}

function sum(counts: ReadonlyMap<string, number>): number {
	return counts.values().reduce((total, count) => total + count, 0)
}

function causes(ends: ReadonlyMap<string, number>): string {
	return [...ends].map(([cause, count]) => `${cause} ${number.format(count)}`).join(', ') || 'none'
}
