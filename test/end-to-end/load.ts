/** A load of logins and accounting that notes which requests were answered. */
import { openWap, subscriber } from './wap.ts'
import {
	accessRequest,
	accountingRequest,
	attribute,
	emptyMessageAuthenticator,
	faultOf,
	type Packet,
	type,
} from './wire.ts'

export type Load = {
	/** Numbers `n` of the requests that got a good answer: `user<n>`, or Acct-Session-Id `<n>`. */
	readonly accepted: ReadonlySet<number>
	readonly accounted: ReadonlySet<number>
	/** Resolves at the very moment when the `count`th answer has come. */
	answers(count: number): Promise<void>
	stop(): void
}

/**
 * Keeps `window` requests in flight, half of them logins and half Accounting-Starts. A request
 * that gets no answer is never sent again, so the load dies down when the relay does.
 */
export async function startLoad(
	relay: { authentication: number; accounting: number },
	secret: string,
	window: number,
): Promise<Load> {
	const accepted = new Set<number>()
	const accounted = new Set<number>()
	let sequence = 0
	let stopped = false
	let awaited = { count: Number.POSITIVE_INFINITY, reached: () => {} }

	async function worker(accounting: boolean): Promise<void> {
		const wap = await openWap(accounting ? relay.accounting : relay.authentication)
		for (let identifier = 0; !stopped; identifier = (identifier + 1) & 255) {
			const n = ++sequence
			const request = accounting ? start(n, identifier) : login(n, identifier)
			const answer = await wap.ask(request.bytes, 1000)
			if (!answer) break
			if (faultOf(answer, request, secret) !== undefined) throw new Error('a forged answer')
			;(accounting ? accounted : accepted).add(n)
			if (accepted.size + accounted.size >= awaited.count) awaited.reached()
		}
		wap.close()
	}

	function login(n: number, identifier: number): Packet {
		return accessRequest(secret, identifier, [emptyMessageAuthenticator, ...subscriber(n)])
	}

	function start(n: number, identifier: number): Packet {
		return accountingRequest(secret, identifier, [
			attribute(type.acctStatusType, 1),
			attribute(type.acctSessionId, String(n)),
			...subscriber(n),
		])
	}

	for (let i = 0; i < window; i++) void worker(i % 2 === 1)
	return {
		accepted,
		accounted,
		answers: count =>
			new Promise(reached => {
				awaited = { count, reached }
			}),
		stop: () => {
			stopped = true
		},
	}
}
