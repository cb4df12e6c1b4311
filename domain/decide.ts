/**
 * What follows from what came in: `decide(state, input)` gives the events to record and what the
 * relay does next. It is pure; time and everything from outside are in the input. An effect named
 * here is carried out by the engine: `forward` at once, `answer` when the events are on disk.
 */
import {
	type AccountingStatus,
	type EventData,
	type NewEvent,
	relayStream,
	subscriberStream,
	type UnansweredReason,
	wapStream,
} from './event.ts'
import { isSrcAccounting } from './sae/logins.ts'
import {
	idleSessions,
	isReauthentication,
	sessionStoppedBy,
	sessionsAt,
	terminate,
} from './session.ts'
import { routerState, type State } from './state.ts'

export type Tries = readonly (readonly [server: string, transmissions: number])[]

/** How an exchange went, for its outcome. `tries` is left out for the one plain transmission. */
type Outcome = {
	/** Position of the event that opened the exchange. */
	readonly exchange: number
	/** Stream of that event. */
	readonly stream: string
	readonly client: string
	readonly tries: Tries | undefined
}
type Answered = Outcome & { readonly server: string; readonly roundTripUs: number }

type AcceptFacts = Omit<
	EventData<'AccessAccepted'>,
	'exchange' | 'client' | 'server' | 'roundTripUs' | 'tries' | 'mac' | 'wap' | 'reauthentication'
>

export type Input =
	| {
			readonly kind: 'access-request'
			readonly at: number
			readonly router: string
			readonly station: Omit<EventData<'AccessRequested'>, 'server' | 'reauthentication'>
			/** Empty when no server can be asked. */
			readonly server: string
			/** Set when this is the first valid Message-Authenticator under the policy `auto`. */
			readonly firstMessageAuthenticator: boolean
	  }
	| {
			readonly kind: 'accounting-request'
			readonly at: number
			readonly router: string
			readonly status: 'start' | 'interim' | 'stop'
			readonly accounting: Omit<EventData<'AccountingStarted'>, 'server'>
			readonly server: string
	  }
	| {
			readonly kind: 'access-point-request'
			readonly at: number
			readonly router: string
			readonly status: 'on' | 'off'
			readonly accessPoint: Omit<EventData<'AccountingTurnedOn'>, 'server'>
			readonly server: string
	  }
	| (Answered & {
			readonly kind: 'accept'
			readonly at: number
			readonly router: string
			readonly mac: string
			readonly wap: string
			readonly facts: AcceptFacts
	  })
	| (Answered & {
			readonly kind: 'reject'
			readonly at: number
			readonly replyMessage: string | undefined
	  })
	| (Answered & { readonly kind: 'challenge'; readonly at: number })
	| (Answered & {
			readonly kind: 'accounting-response'
			readonly at: number
			readonly status: AccountingStatus
	  })
	| (Outcome & {
			readonly kind: 'unanswered'
			readonly at: number
			/** Undefined for an Access-Request. */
			readonly status: AccountingStatus | undefined
			readonly reason: UnansweredReason
	  })
	| {
			readonly kind: 'clock'
			readonly at: number
			readonly router: string
			readonly idleTimeoutMs: number
	  }
	/** `clear subscriber`. */
	| {
			readonly kind: 'clear-subscriber'
			readonly at: number
			readonly router: string
			readonly mac: string
	  }

export type Effect = 'forward' | 'answer'
export type Decision = { readonly events: readonly NewEvent[]; readonly effect: Effect | undefined }

/** Sessions that one tick of the clock ends at most; the next tick ends more. */
const idleLimit = 1000

export function decide(state: State, input: Input): Decision {
	switch (input.kind) {
		case 'access-request':
			return accessRequest(state, input)
		case 'accounting-request':
			return accountingRequest(state, input)
		case 'access-point-request':
			return accessPointRequest(state, input)
		case 'accept':
			return accept(state, input)
		case 'reject':
			return reject(input)
		case 'challenge':
			return answer({
				stream: input.stream,
				type: 'AccessChallenged',
				v: 1,
				at: input.at,
				data: answered(input),
			})
		case 'accounting-response':
			return answer({
				stream: input.stream,
				type: 'AccountingAnswered',
				v: 1,
				at: input.at,
				data: { ...answered(input), status: input.status },
			})
		case 'unanswered':
			return unanswered(input)
		case 'clock': {
			const router = routerState(state, input.router)
			const idle = idleSessions(router, input.at, input.idleTimeoutMs, idleLimit)
			const events = idle.map(session => terminate(router, session, 'idle-timeout', input.at))
			return { events, effect: undefined }
		}
		case 'clear-subscriber': {
			const router = routerState(state, input.router)
			const session = router.sessions.get(input.mac)
			if (session === undefined) return { events: [], effect: undefined }
			return { events: [terminate(router, session, 'operator', input.at)], effect: undefined }
		}
		default:
			return input satisfies never
	}
}

type InputOf<K extends Input['kind']> = Extract<Input, { kind: K }>

function answer(event: NewEvent): Decision {
	return { events: [event], effect: 'answer' }
}

function answered(input: Answered): {
	exchange: number
	client: string
	server: string
	roundTripUs: number
	tries?: [string, number][]
} {
	const { exchange, client, server, roundTripUs, tries } = input
	if (tries === undefined) return { exchange, client, server, roundTripUs }
	return { exchange, client, server, roundTripUs, tries: mutable(tries) }
}

function mutable(tries: Tries): [string, number][] {
	return tries.map(([server, transmissions]) => [server, transmissions])
}

function forwardOrGiveUp(events: NewEvent[], server: string, giveUp: () => NewEvent): Decision {
	if (server !== '') return { events, effect: 'forward' }
	events.push(giveUp())
	return { events, effect: undefined }
}

function accessRequest(state: State, input: InputOf<'access-request'>): Decision {
	const { at, station, server } = input
	const router = routerState(state, input.router)
	const stream = subscriberStream(input.router, station.mac)
	const data: EventData<'AccessRequested'> = isReauthentication(router, station.mac)
		? { ...station, server, reauthentication: true }
		: { ...station, server }
	const events: NewEvent[] = []
	if (input.firstMessageAuthenticator) {
		events.push({
			stream: relayStream(input.router),
			type: 'MessageAuthenticatorSeen',
			v: 1,
			at,
			data: { client: station.client },
		})
	}
	const exchange = state.position + events.length + 1
	events.push({ stream, type: 'AccessRequested', v: 1, at, data })
	return forwardOrGiveUp(events, server, () => ({
		stream,
		type: 'AccessUnanswered',
		v: 1,
		at,
		data: { exchange, client: station.client, reason: 'no-server' },
	}))
}

function accountingRequest(state: State, input: InputOf<'accounting-request'>): Decision {
	const { at, accounting, server, status } = input
	const router = routerState(state, input.router)
	const stream = subscriberStream(input.router, accounting.mac)
	const data = { ...accounting, server }
	const events: NewEvent[] = []
	switch (status) {
		case 'start':
			events.push({ stream, type: 'AccountingStarted', v: 1, at, data })
			break
		case 'interim':
			events.push({ stream, type: 'AccountingUpdated', v: 1, at, data })
			break
		case 'stop': {
			events.push({ stream, type: 'AccountingStopped', v: 1, at, data })
			const isSrc = isSrcAccounting(router.src, data)
			const session = isSrc ? undefined : sessionStoppedBy(router, data)
			if (session !== undefined) events.push(terminate(router, session, 'accounting-stop', at))
			break
		}
		default:
			status satisfies never
	}
	return forwardOrGiveUp(events, server, () =>
		accountingWithoutServer(stream, at, state.position + 1, accounting.client, status),
	)
}

function accessPointRequest(state: State, input: InputOf<'access-point-request'>): Decision {
	const { at, accessPoint, server, status } = input
	const router = routerState(state, input.router)
	const stream = wapStream(input.router, accessPoint.wap)
	const type = status === 'on' ? 'AccountingTurnedOn' : 'AccountingTurnedOff'
	const events: NewEvent[] = [{ stream, type, v: 1, at, data: { ...accessPoint, server } }]
	const cause = status === 'on' ? 'accounting-on' : 'accounting-off'
	for (const session of sessionsAt(router, accessPoint.wap)) {
		events.push(terminate(router, session, cause, at))
	}
	return forwardOrGiveUp(events, server, () =>
		accountingWithoutServer(stream, at, state.position + 1, accessPoint.client, status),
	)
}

function accountingWithoutServer(
	stream: string,
	at: number,
	exchange: number,
	client: string,
	status: AccountingStatus,
): NewEvent {
	const data = { exchange, client, status, reason: 'no-server' } as const
	return { stream, type: 'AccountingUnanswered', v: 1, at, data }
}

function accept(state: State, input: InputOf<'accept'>): Decision {
	const router = routerState(state, input.router)
	const data: EventData<'AccessAccepted'> = {
		...answered(input),
		mac: input.mac,
		wap: input.wap,
		...input.facts,
	}
	if (isReauthentication(router, input.mac)) data.reauthentication = true
	return answer({ stream: input.stream, type: 'AccessAccepted', v: 1, at: input.at, data })
}

function reject(input: InputOf<'reject'>): Decision {
	const data: EventData<'AccessRejected'> = answered(input)
	if (input.replyMessage !== undefined) data.replyMessage = input.replyMessage
	return answer({ stream: input.stream, type: 'AccessRejected', v: 1, at: input.at, data })
}

function unanswered(input: InputOf<'unanswered'>): Decision {
	const { stream, at, exchange, client, reason, tries, status } = input
	const data = {
		exchange,
		client,
		reason,
		...(tries === undefined ? {} : { tries: mutable(tries) }),
	}
	const event: NewEvent =
		status === undefined
			? { stream, type: 'AccessUnanswered', v: 1, at, data }
			: { stream, type: 'AccountingUnanswered', v: 1, at, data: { ...data, status } }
	return { events: [event], effect: undefined }
}
