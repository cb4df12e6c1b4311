/**
 * What a network of subscribers leaves in a journal, made up: they authenticate with EAP, get an
 * address, are accounted for, roam, go and come again. The same settings give the same events.
 */
import {
	type EventData,
	type EventType,
	type NewEvent,
	relayStream,
	subscriberStream,
} from '../../domain/event.ts'

export type LivesSettings = {
	readonly subscribers: number
	/** Sessions that are live at a time, about. */
	readonly live: number
	/** Time of the first event. */
	readonly beginMs: number
}

type Step = {
	readonly afterMs: number
	/** `exchange`: position of the subscriber's newest request. */
	readonly events: (life: Life) => readonly Fact[]
}
type Fact = { [T in EventType]: { readonly type: T; readonly data: EventData<T> } }[EventType]

type Life = {
	readonly number: number
	readonly stream: string
	readonly mac: string
	readonly user: string
	readonly address: string
	readonly steps: readonly Step[]
	step: number
	at: number
	exchange: number
	/** Position of the question to SRC. */
	asked: number
	since: number
}

const server = '192.0.2.20:1812'
const accountingServer = '192.0.2.20:1813'
const wapOf = (number: number) => `02-11-22-33-44-${hex(number % 200)}`
const clientOf = (number: number) => `10.1.0.${(number % 200) + 1}`

function hex(number: number): string {
	return number.toString(16).toUpperCase().padStart(2, '0')
}

function station(life: Life, wap = life.number) {
	const { mac, user } = life
	return { client: clientOf(wap), mac, wap: wapOf(wap), ssid: 'campus', user }
}

function answer(life: Life) {
	const { exchange, number } = life
	return { exchange, client: clientOf(number), server, roundTripUs: 700 + (number % 900) }
}

const request: Step = {
	afterMs: 30,
	events: life => [{ type: 'AccessRequested', data: { ...station(life), server } }],
}
const challenge: Step = {
	afterMs: 3,
	events: life => [{ type: 'AccessChallenged', data: answer(life) }],
}
const accept: Step = {
	afterMs: 4,
	events: life => {
		const { mac, user, number } = life
		const data = { ...answer(life), mac, wap: wapOf(number), ssid: 'campus', user }
		return [{ type: 'AccessAccepted', data: { ...data, class: 'plan=gold' } }]
	},
}
const reject: Step = {
	afterMs: 4,
	events: life => [
		{ type: 'AccessRejected', data: { ...answer(life), replyMessage: 'Wrong password' } },
	],
}

function lease(life: Life, seconds: number) {
	const { mac, address, at } = life
	const client = `hw:01${mac.replaceAll('-', '').toLowerCase()}`
	const expiresAt = at + seconds * 1000
	return { mac, client, pool: 'campus', address, leaseSeconds: seconds, expiresAt }
}

const question: Step = {
	afterMs: 200,
	events: life => {
		const { client, mac } = lease(life, 60)
		const data = { mac, client, interface: 'eth1', user: life.user, class: 'plan=gold' }
		return [{ type: 'PoolRequested', data: { ...data, dhcpOptions: {} } }]
	},
}
const offer: Step = {
	afterMs: 2,
	events: life => {
		const { client, mac } = lease(life, 60)
		const reason = 'rule gold, line 3: Class is plan=gold'
		const src = { request: life.asked, srcServer: 'local' }
		const chosen = { mac, client, by: 'src', pool: 'campus', reason, ...src } as const
		return [
			{ type: 'PoolSelected', data: chosen },
			{ type: 'LeaseOffered', data: lease(life, 60) },
		]
	},
}
const grant: Step = {
	afterMs: 20,
	events: life => [{ type: 'LeaseGranted', data: lease(life, 600) }],
}
const srcOpening: Step = {
	afterMs: 3,
	events: life => {
		const opened = { ...srcSession(life), server: 'local', authenticated: true }
		return [{ type: 'SrcSessionOpened', data: opened }]
	},
}
const srcClosing: Step = {
	afterMs: 3,
	events: life => {
		const { at, number } = life
		// Some go out of reach: SRC learns it from the lease that is not renewed.
		const cause = number % 11 === 4 ? 'Lost-Carrier' : 'User-Request'
		const closed = { ...srcSession(life), server: 'local', cause, endedAt: at } as const
		return [{ type: 'SrcSessionClosed', data: closed }]
	},
}

function srcSession({ mac, address, number, user, at }: Life) {
	const service = { service: 'gold-services', serviceClass: 'plan=gold' }
	return { mac, address, since: at, session: `src-${number}`, user, ...service }
}
const renewal: Step = {
	afterMs: 5_000,
	events: life => [{ type: 'LeaseRenewed', data: lease(life, 600) }],
}

/** An accounting record of a WAP, and its answer. */
function record(
	type: 'AccountingStarted' | 'AccountingUpdated' | 'AccountingStopped',
	afterMs: number,
	seconds: number,
	roams = 0,
): Step[] {
	const status =
		type === 'AccountingStarted' ? 'start' : type === 'AccountingStopped' ? 'stop' : 'interim'
	const events = (life: Life): Fact[] => {
		const octets = String(seconds * (1000 + (life.number % 5000)))
		const counts =
			seconds === 0 ? {} : { inputOctets: octets, outputOctets: octets, sessionSeconds: seconds }
		const session = `${hex(life.number)}-${life.number}-${roams}`
		const where = station(life, life.number + roams)
		const data = { ...where, server: accountingServer, session, framedAddress: life.address }
		return [{ type, data: { ...data, ...counts } }]
	}
	const answered = (life: Life): Fact[] => [
		{ type: 'AccountingAnswered', data: { ...answer(life), server: accountingServer, status } },
	]
	return [
		{ afterMs, events },
		{ afterMs: 2, events: answered },
	]
}

const termination: Step = {
	afterMs: 0,
	events: ({ mac, number, since, address, at }) => {
		const client = `hw:01${mac.replaceAll('-', '').toLowerCase()}`
		const ended = { mac, wap: wapOf(number), cause: 'accounting-stop', since } as const
		const released = { mac, client, pool: 'campus', address, cause: 'session' } as const
		return [
			{ type: 'SubscriberTerminated', data: ended },
			{ type: 'LeaseReleased', data: { ...released, heldUntil: at } },
		]
	},
}

const sessionMs = 900_000
const rounds = [request, challenge, request, challenge, request, challenge, request]
const refused: readonly Step[] = [...rounds, reject]
const ordinary: readonly Step[] = [
	...rounds,
	accept,
	question,
	offer,
	grant,
	srcOpening,
	...record('AccountingStarted', 100, 0),
	...record('AccountingUpdated', 300_000, 300),
	renewal,
	...record('AccountingUpdated', 295_000, 600),
	...record('AccountingStopped', 290_000, 890).slice(0, 1),
	termination,
	...record('AccountingStopped', 0, 890).slice(1),
	srcClosing,
]
const roaming: readonly Step[] = [
	...ordinary.slice(0, 16),
	...record('AccountingStarted', 30_000, 0, 1),
	...record('AccountingStopped', 1_000, 330),
	...record('AccountingStarted', 200_000, 0, 0),
	...record('AccountingStopped', 1_000, 200, 1),
	...ordinary.slice(16),
]

function newLife(number: number, at: number, settings: LivesSettings): Life {
	const who = number % settings.subscribers
	const mac = `02-00-${hex(who >>> 24)}-${hex((who >>> 16) & 255)}-${hex((who >>> 8) & 255)}-${hex(who & 255)}`
	// One address for each subscriber: nobody is given an address that somebody holds.
	const address = `10.${32 + ((who >>> 16) & 63)}.${(who >>> 8) & 255}.${who & 255}`
	const steps = number % 17 === 5 ? refused : number % 7 === 3 ? roaming : ordinary
	const user = `user${who}@example.net`
	const stream = subscriberStream('default', mac)
	return {
		number,
		stream,
		mac,
		user,
		address,
		steps,
		step: 0,
		at,
		exchange: 0,
		asked: 0,
		since: at,
	}
}

/** Events without end, in order of time; the first has position 1. */
export function* lives(settings: LivesSettings): Generator<NewEvent> {
	const spacingMs = sessionMs / settings.live
	const queue: Life[] = []
	let position = 1
	let number = 0
	let nextAt = settings.beginMs
	const release = '0.0.0'
	yield event(relayStream('default'), nextAt, {
		type: 'RelayStarted',
		data: { release, configuration: [] },
	})
	for (;;) {
		while (queue.length === 0 || queue[0]!.at >= nextAt) {
			push(queue, newLife(number++, Math.round(nextAt), settings))
			nextAt = settings.beginMs + number * spacingMs
		}
		const life = pop(queue)
		for (const fact of life.steps[life.step]!.events(life)) {
			position++
			const { type } = fact
			if (
				type === 'AccessRequested' ||
				type.startsWith('AccountingS') ||
				type === 'AccountingUpdated'
			) {
				life.exchange = position
			}
			if (type === 'PoolRequested') life.asked = position
			if (type === 'AccessAccepted') life.since = life.at
			yield event(life.stream, life.at, fact)
		}
		life.step++
		if (life.step === life.steps.length) continue
		life.at += life.steps[life.step]!.afterMs
		push(queue, life)
	}
}

function event(stream: string, at: number, { type, data }: Fact): NewEvent {
	return { stream, type, v: 1, at, data } as NewEvent
}

/** A binary heap by time, then by number. */
function push(heap: Life[], life: Life): void {
	let at = heap.length
	heap.push(life)
	while (at > 0) {
		const above = (at - 1) >>> 1
		if (!isBefore(life, heap[above]!)) break
		heap[at] = heap[above]!
		at = above
	}
	heap[at] = life
}

function pop(heap: Life[]): Life {
	const first = heap[0]!
	const last = heap.pop()!
	if (heap.length === 0) return first
	let at = 0
	for (;;) {
		let below = 2 * at + 1
		if (below >= heap.length) break
		if (below + 1 < heap.length && isBefore(heap[below + 1]!, heap[below]!)) below++
		if (!isBefore(heap[below]!, last)) break
		heap[at] = heap[below]!
		at = below
	}
	heap[at] = last
	return first
}

function isBefore(a: Life, b: Life): boolean {
	return a.at < b.at || (a.at === b.at && a.number < b.number)
}
