/** What the access points have sent and received, counted for the screen and for the summary. */

export type Traffic = {
	requests: number
	retransmissions: number
	/** Requests that nobody answered. */
	unanswered: number
	/** Answers that were signed wrongly, and are ignored as an access point would. */
	forged: number
	answers: number
	latencySumMs: number
	latencyMaxMs: number
	accepts: number
	rejects: number
	challenges: number
	accountingResponses: number
	statusAnswers: number
	reauthentications: number
	roamings: number
	/** Addresses got, kept and given back by DHCP. */
	leases: number
	renewals: number
	releases: number
	/** Sessions that the home server had ended. */
	disconnects: number
	/** How often each outcome was received: what the journal must have as well. */
	readonly received: Map<string, number>
	/** What did not go as it was to go: the first few as sentences, and how many in all. */
	readonly failures: string[]
	failureCount: number
}

const keptFailures = 10

export function newTraffic(): Traffic {
	return {
		requests: 0,
		retransmissions: 0,
		unanswered: 0,
		forged: 0,
		answers: 0,
		latencySumMs: 0,
		latencyMaxMs: 0,
		accepts: 0,
		rejects: 0,
		challenges: 0,
		accountingResponses: 0,
		statusAnswers: 0,
		reauthentications: 0,
		roamings: 0,
		leases: 0,
		renewals: 0,
		releases: 0,
		disconnects: 0,
		received: new Map(),
		failures: [],
		failureCount: 0,
	}
}

export function fail(traffic: Traffic, sentence: string): void {
	traffic.failureCount++
	if (traffic.failures.length < keptFailures) traffic.failures.push(sentence)
}

/** Names one kind of outcome: the access point's address, the event's stream and its type. */
export function outcomeKey(client: string, stream: string, type: string): string {
	return `${client} ${stream} ${type}`
}

export function countOutcome(outcomes: Map<string, number>, key: string): void {
	outcomes.set(key, (outcomes.get(key) ?? 0) + 1)
}

/** How many of the received outcomes were not recorded. */
export function missingOutcomes(
	received: ReadonlyMap<string, number>,
	recorded: ReadonlyMap<string, number>,
): number {
	let missing = 0
	for (const [key, count] of received) missing += Math.max(0, count - (recorded.get(key) ?? 0))
	return missing
}
