/** An event as a sentence for people: what happened, to whom, who said so and why. */
import type { EventData, RecordedEvent } from '../../domain/event.ts'
import { pointInTimeText } from '../../domain/point-in-time.ts'
import { clockText } from '../../domain/steady.ts'
import { printable } from '../printable.ts'

/** One line without control characters: what a subscriber or a server sent cannot break it. */
export function eventLine(event: RecordedEvent): string {
	return printable(sentence(event))
}

function sentence(event: RecordedEvent): string {
	switch (event.type) {
		case 'AccessRequested': {
			const { user, reauthentication } = event.data
			const again = reauthentication === true ? ' (reauthentication)' : ''
			return `asks for access${as(user)} ${place(event.data)}${again}; asked: ${server(event.data.server)}`
		}
		case 'AccessChallenged':
			return `is challenged by ${answered(event.data)}`
		case 'AccessAccepted':
			return `is accepted${as(event.data.user)} by ${answered(event.data)}${acceptFacts(event.data)}`
		case 'AccessRejected':
			return `is rejected by ${answered(event.data)}${because(event.data.replyMessage)}`
		case 'AccessUnanswered':
			return `gets no answer: ${event.data.reason}${tried(event.data)}`
		case 'AccountingStarted':
			return `${startOf(event.data)} ${place(event.data)}${counted(event.data)}`
		case 'AccountingUpdated':
			return `accounting goes on ${place(event.data)}${counted(event.data)}`
		case 'AccountingStopped':
			return `accounting stops ${place(event.data)}${counted(event.data)}`
		case 'AccountingTurnedOn':
			return `WAP ${event.data.wap} (${event.data.client}) says that it was turned on`
		case 'AccountingTurnedOff':
			return `WAP ${event.data.wap} (${event.data.client}) says that it is turned off`
		case 'AccountingAnswered':
			return `accounting (${event.data.status}) is acknowledged by ${answered(event.data)}`
		case 'AccountingUnanswered':
			return `accounting (${event.data.status}) is not acknowledged: ${event.data.reason}${tried(event.data)}`
		case 'SubscriberTerminated':
			return `session ends: ${event.data.cause}; it began ${pointInTimeText(event.data.since)}`
		case 'DisconnectRequested':
		case 'DisconnectAnswered':
			return disconnectSentence(event)
		case 'PoolRequested':
		case 'PoolSelected':
		case 'SrcSessionOpened':
		case 'SrcSessionClosed':
			return srcSentence(event)
		case 'LeaseOffered':
		case 'LeaseGranted':
		case 'LeaseRenewed':
		case 'LeaseObserved':
		case 'LeaseRefused':
		case 'LeaseDeclined':
		case 'LeaseReleased':
		case 'LeaseExpired':
			return leaseSentence(event)
		case 'ClockStepped':
			return clockText(event.data)
		case 'PoolWarningChanged':
		case 'DhcpDiscarded':
		case 'DhcpForwarded':
		case 'RelayStarted':
		case 'RelayStopped':
		case 'SubscriberErased':
		case 'RetentionApplied':
		case 'ConfigurationChanged':
		case 'BaselineSet':
		case 'UpstreamChanged':
		case 'MessageAuthenticatorSeen':
		case 'RequestsDiscarded':
		case 'AnswersRepeated':
		case 'ResponsesDiscarded':
		case 'DynamicRequestsDiscarded':
		case 'DisconnectAnswersDiscarded':
		case 'SrcServerChanged':
		case 'SrcAnswersDiscarded':
			return `${event.type} ${JSON.stringify(event.data)}`
		default:
			return event satisfies never
	}
}

type Of<T extends RecordedEvent['type']> = Extract<RecordedEvent, { type: T }>

function disconnectSentence(event: Of<'DisconnectRequested' | 'DisconnectAnswered'>): string {
	const { data } = event
	const what = data.request === 'disconnect' ? 'disconnected' : 'given another authorization'
	if (event.type === 'DisconnectRequested') return `is to be ${what}, says ${data.server}`
	const { accepted, errorCause, accessPoint } = event.data
	const wap = accessPoint === undefined ? '' : `; its WAP: ${accessPoint}`
	if (accepted) return `${data.server} is told that it was done${wap}`
	return `${data.server} is refused with Error-Cause ${errorCause ?? 'unknown'}${wap}`
}

function srcSentence(
	event: Of<'PoolRequested' | 'PoolSelected' | 'SrcSessionOpened' | 'SrcSessionClosed'>,
): string {
	switch (event.type) {
		case 'PoolRequested':
			return `SRC is asked for a pool${as(event.data.user)}, interface ${event.data.interface}`
		case 'PoolSelected': {
			const { pool, by, reason, srcServer, srcFailure, address } = event.data
			const whom = srcServer === undefined ? by : `${by} (${srcServer})`
			const wanted = address === undefined ? '' : `, address ${address}`
			const failed = srcFailure === undefined ? '' : `; SRC decided nothing: ${srcFailure}`
			return `pool ${pool} is chosen by ${whom}${wanted}: ${reason}${failed}`
		}
		case 'SrcSessionOpened': {
			const { session, server: by, address, service } = event.data
			const what = service === undefined ? '' : `, service ${service}`
			return `SRC session ${session} opens at ${by}: ${address}${what}`
		}
		case 'SrcSessionClosed': {
			const { session, cause, unanswered } = event.data
			const told = unanswered === undefined ? '' : `; SRC did not hear of it: ${unanswered}`
			return `SRC session ${session ?? '(never opened)'} closes: ${cause}${told}`
		}
		default:
			return event satisfies never
	}
}

type LeaseEvent = Of<
	| 'LeaseOffered'
	| 'LeaseGranted'
	| 'LeaseRenewed'
	| 'LeaseObserved'
	| 'LeaseRefused'
	| 'LeaseDeclined'
	| 'LeaseReleased'
	| 'LeaseExpired'
>

function leaseSentence(event: LeaseEvent): string {
	switch (event.type) {
		case 'LeaseOffered':
			return `is offered ${leased(event.data)}`
		case 'LeaseGranted':
			return `gets ${leased(event.data)}`
		case 'LeaseRenewed':
			return `keeps ${leased(event.data)}`
		case 'LeaseObserved': {
			const verb = event.data.renewed === true ? 'keeps' : 'gets'
			return `${verb} ${held(event.data, `server ${event.data.server}`)}`
		}
		case 'LeaseRefused': {
			const { address, reason, silent } = event.data
			const what = address === undefined ? 'an address' : address
			return `is refused ${what}${silent === true ? ' (without an answer)' : ''}: ${reason}`
		}
		case 'LeaseDeclined': {
			const { address, ping, until } = event.data
			const who = ping === true ? 'answers a ping' : 'is declined by the client: somebody has it'
			return `${address} ${who}; it rests until ${pointInTimeText(until)}`
		}
		case 'LeaseReleased':
			return `gives ${event.data.address} back: ${event.data.cause}`
		case 'LeaseExpired':
			return `${event.data.address} expires`
		default:
			return event satisfies never
	}
}

function as(user: string | undefined): string {
	return user === undefined ? '' : ` as ${user}`
}

function because(text: string | undefined): string {
	return text === undefined ? '' : `: ${text}`
}

function server(name: string): string {
	return name === '' ? 'no server' : name
}

function place({
	wap,
	ssid,
	client,
}: EventData<'AccessRequested'> | EventData<'AccountingStarted'>) {
	return `at WAP ${wap} (${client})${ssid === undefined ? '' : `, SSID ${ssid}`}`
}

type Answered = {
	readonly server: string
	readonly roundTripUs: number
	readonly tries?: [string, number][]
}

function answered(data: Answered): string {
	return `${server(data.server)} after ${(data.roundTripUs / 1000).toFixed(1)} ms${tried(data)}`
}

function tried({ tries }: { readonly tries?: [string, number][] }): string {
	if (tries === undefined) return ''
	return ` (tried: ${tries.map(([name, times]) => `${name} ${times}x`).join(', ')})`
}

function acceptFacts(data: EventData<'AccessAccepted'>): string {
	const facts: [string, string | number | undefined][] = [
		['class', data.class],
		['service bundle', data.serviceBundle],
		['address', data.framedAddress],
		['pool', data.framedPool ?? data.addressPool],
		['session timeout', data.sessionTimeoutSeconds && `${data.sessionTimeoutSeconds} s`],
	]
	return listed(facts)
}

function startOf({ late }: EventData<'AccountingStarted'>): string {
	return late ? 'the start of accounting that is over comes late' : 'accounting starts'
}

function counted(data: EventData<'AccountingStarted'>): string {
	return listed([
		['Acct-Session-Id', data.session],
		['address', data.framedAddress],
		['seconds', data.sessionSeconds],
		['octets in', data.inputOctets],
		['out', data.outputOctets],
		['Acct-Terminate-Cause', data.terminateCause],
	])
}

function listed(facts: readonly (readonly [string, string | number | undefined])[]): string {
	const known = facts.filter(([, value]) => value !== undefined)
	if (known.length === 0) return ''
	return `; ${known.map(([name, value]) => `${name} ${value}`).join(', ')}`
}

function leased(data: EventData<'LeaseGranted'>): string {
	return held(data, `pool ${data.pool}`)
}

type Held = Pick<EventData<'LeaseGranted'>, 'address' | 'leaseSeconds' | 'expiresAt' | 'giaddr'>

function held({ address, leaseSeconds, expiresAt, giaddr }: Held, from: string): string {
	const until = leaseSeconds === 0 ? 'for ever' : `until ${pointInTimeText(expiresAt)}`
	return `${address} from ${from} ${until}${giaddr === undefined ? '' : `, by relay agent ${giaddr}`}`
}
