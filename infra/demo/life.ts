/**
 * What subscribers and access points do all day: log in, stay, reauthenticate, roam, log off. The
 * order of a subscriber's steps is fixed and begins at a different one for each, so that a run of
 * a few seconds has seen them all.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { attribute } from '../../domain/radius/attribute.ts'
import { chapResponse } from '../../domain/radius/chap.ts'
import { codeNames, codes } from '../../domain/radius/packet.ts'
import type { AccessPoint } from './access-points.ts'
import type { DhcpAgent, Held } from './dhcp-agent.ts'
import type { Disconnector } from './disconnect.ts'
import { decodeEap, decodeMd5Value, eapCodes, eapTypes, encodeEap, encodeMd5Value } from './eap.ts'
import { eapMessageOf, octetsOf } from './message.ts'
import {
	type Accounting,
	accessPointRequest,
	accountingRequest,
	acctStatus,
	chapRequest,
	eapRequest,
	papRequest,
	statusServerRequest,
	terminateCause,
} from './requests.ts'
import { type Subscriber, wrongPassword } from './subscribers.ts'
import { fail, type Traffic } from './traffic.ts'

export type Campus = {
	readonly points: readonly AccessPoint[]
	/** The relay agent of each access point; none where the relay serves no addresses. */
	readonly agents: readonly DhcpAgent[]
	/** Ends sessions as a home server may. */
	readonly disconnector: Disconnector
	readonly traffic: Traffic
	/** Aborted when the demo is to end: nobody begins a further step. */
	readonly ending: AbortSignal
	readonly startedAt: number
}

/** A subscriber who is on, and where. */
type Stay = { point: number; accounting: Accounting; held: Held | undefined }

const steps = [
	'interim',
	'reauthenticate',
	'renew',
	'interim',
	'roam',
	'interim',
	'reauthenticate',
	'interim',
	'log-off',
] as const

/** Everything happens quickly at first, and at a pace that can run for hours afterwards. */
const hurryMs = 10_000
const statusIntervalMs = 3000

let sessionCount = 0

function pauseMs(campus: Campus): number {
	const hurried = Date.now() - campus.startedAt < hurryMs
	return hurried ? 500 + 800 * Math.random() : 2000 + 3000 * Math.random()
}

/** Waits, or returns at once when the demo is to end. */
async function pause(campus: Campus, ms: number): Promise<void> {
	await sleep(ms, undefined, { signal: campus.ending }).catch(() => {})
}

/** Runs until the demo is to end. Nothing is sent any more when it has resolved. */
export async function runCampus(campus: Campus, everybody: readonly Subscriber[]): Promise<void> {
	await Promise.all(campus.points.map(point => turn(campus, point, 'on')))
	await Promise.all([
		...everybody.map((subscriber, i) => live(campus, subscriber, i)),
		...campus.points.map(point => watch(campus, point)),
	])
	await Promise.all(campus.points.map(point => turn(campus, point, 'off')))
}

/** Accounting-On and -Off: either way, whoever was at that access point no longer is. */
async function turn(campus: Campus, point: AccessPoint, to: 'on' | 'off'): Promise<void> {
	const request = accessPointRequest(point, acctStatus[to])
	const answer = await point.ask('accounting', undefined, request)
	expect(campus, answer, codes.accountingResponse, `Accounting-${to} of ${point.name}`)
}

/** Asks the relay now and then whether it is there (RFC 5997). */
async function watch(campus: Campus, point: AccessPoint): Promise<void> {
	while (!campus.ending.aborted) {
		const answer = await point.ask('authentication', undefined, statusServerRequest())
		expect(campus, answer, codes.accessAccept, `Status-Server of ${point.name}`)
		await pause(campus, statusIntervalMs)
	}
}

async function live(campus: Campus, subscriber: Subscriber, index: number): Promise<void> {
	const { ending, points } = campus
	const home = index % points.length
	let step = index
	let stay: Stay | undefined
	await pause(campus, index * 15)
	while (!ending.aborted) {
		if (stay === undefined) stay = await logIn(campus, subscriber, home)
		else stay = await carryOut(campus, subscriber, stay, steps[step++ % steps.length]!)
		await pause(campus, pauseMs(campus))
	}
}

async function carryOut(
	campus: Campus,
	subscriber: Subscriber,
	stay: Stay,
	step: (typeof steps)[number],
): Promise<Stay | undefined> {
	switch (step) {
		case 'interim':
			await account(campus, subscriber, stay, acctStatus.interim)
			return stay
		case 'reauthenticate':
			campus.traffic.reauthentications++
			await authenticate(campus, subscriber, stay.point, subscriber.password)
			return stay
		case 'renew':
			return { ...stay, held: await renew(campus, subscriber, stay) }
		case 'roam':
			return await roam(campus, subscriber, stay)
		case 'log-off':
			if (subscriber.expelled) return await expel(campus, subscriber, stay)
			// Most clients just go away: the end of the session gives the address back.
			if (subscriber.method !== 'eap-md5') release(campus, subscriber, stay)
			await account(campus, subscriber, stay, acctStatus.stop, terminateCause.userRequest)
			return undefined
		default:
			return step satisfies never
	}
}

async function logIn(
	campus: Campus,
	subscriber: Subscriber,
	point: number,
): Promise<Stay | undefined> {
	if (subscriber.mistypes) {
		await authenticate(campus, subscriber, point, wrongPassword)
		await pause(campus, pauseMs(campus) / 2)
		if (campus.ending.aborted) return undefined
	}
	const accepted = await authenticate(campus, subscriber, point, subscriber.password)
	if (accepted === undefined) return undefined
	const session = newSession()
	const accounting = newAccounting(subscriber, accepted, session, `m${session}`)
	const stay: Stay = { point, accounting, held: undefined }
	await account(campus, subscriber, stay, acctStatus.start)
	stay.held = await obtain(campus, subscriber, point)
	return stay
}

/** The home server has the session ended; the access point has nothing more to say of it. */
async function expel(
	{ disconnector, traffic, ending }: Campus,
	{ name }: Subscriber,
	stay: Stay,
): Promise<Stay | undefined> {
	if (await disconnector.disconnect(stay.accounting.session)) {
		traffic.disconnects++
		return undefined
	}
	if (!ending.aborted) fail(traffic, `The session of ${name} could not be disconnected.`)
	return stay
}

async function obtain(
	{ agents, traffic, ending }: Campus,
	{ mac, name }: Subscriber,
	point: number,
): Promise<Held | undefined> {
	const agent = agents[point]
	if (agent === undefined) return undefined
	const held = await agent.obtain(mac)
	if (held !== undefined) traffic.leases++
	else if (!ending.aborted) fail(traffic, `DHCP: ${name} got no address.`)
	return held
}

async function renew(
	{ agents, traffic, ending }: Campus,
	{ mac, name }: Subscriber,
	{ point, held }: Stay,
): Promise<Held | undefined> {
	const agent = agents[point]
	if (agent === undefined || held === undefined) return held
	const renewed = await agent.renew(mac, held)
	if (renewed !== undefined) traffic.renewals++
	else if (!ending.aborted) fail(traffic, `DHCP: ${name} could not renew ${held.address}.`)
	return renewed
}

function release({ agents, traffic }: Campus, { mac }: Subscriber, { point, held }: Stay): void {
	if (held === undefined) return
	agents[point]?.release(mac, held)
	traffic.releases++
}

/** The new access point reports the subscriber before the old one notices that it is gone. */
async function roam(campus: Campus, subscriber: Subscriber, from: Stay): Promise<Stay> {
	const point = (from.point + 1) % campus.points.length
	const accepted = await authenticate(campus, subscriber, point, subscriber.password)
	if (accepted === undefined) return from
	const { multiSession } = from.accounting
	const accounting = newAccounting(subscriber, accepted, newSession(), multiSession)
	const to = { point, accounting, held: from.held }
	campus.traffic.roamings++
	await account(campus, subscriber, to, acctStatus.start)
	await account(campus, subscriber, from, acctStatus.stop, terminateCause.lostCarrier)
	return to
}

function newSession(): string {
	return (++sessionCount).toString(16).toUpperCase().padStart(8, '0')
}

function newAccounting(
	subscriber: Subscriber,
	accepted: Uint8Array,
	session: string,
	multiSession: string,
): Accounting {
	// Those who pay for more use more: their counts need 64 bits (RFC 2869 §5.1).
	const before = subscriber.plan === 'gold' ? 2 ** 32 : 0
	return {
		session,
		multiSession,
		class: octetsOf(accepted, attribute.class)?.slice(),
		startedAt: Date.now(),
		inputOctets: 0,
		outputOctets: before,
	}
}

/** Start, Interim-Update or Stop. */
async function account(
	campus: Campus,
	subscriber: Subscriber,
	{ point, accounting }: Stay,
	status: number,
	cause?: number,
): Promise<void> {
	const at = campus.points[point]!
	if (status !== acctStatus.start) {
		accounting.inputOctets += Math.floor(1e6 * Math.random())
		accounting.outputOctets += Math.floor(1e7 * Math.random())
	}
	const request = accountingRequest(at, subscriber, status, accounting, cause)
	const answer = await at.ask('accounting', subscriber.mac, request)
	expect(campus, answer, codes.accountingResponse, `Accounting of ${subscriber.name} at ${at.name}`)
}

/** The Access-Accept; undefined after an Access-Reject or no answer. */
async function authenticate(
	campus: Campus,
	subscriber: Subscriber,
	point: number,
	password: string,
): Promise<Uint8Array | undefined> {
	const at = campus.points[point]!
	const answer = await answerTo(campus, subscriber, at, password)
	if (answer === 'failed') return undefined
	const expected = password === subscriber.password ? codes.accessAccept : codes.accessReject
	expect(campus, answer, expected, `Login of ${subscriber.name} at ${at.name}`)
	return answer?.[0] === codes.accessAccept ? answer : undefined
}

async function answerTo(
	campus: Campus,
	subscriber: Subscriber,
	at: AccessPoint,
	password: string,
): Promise<Uint8Array | 'failed' | undefined> {
	const { mac, method } = subscriber
	switch (method) {
		case 'pap':
			return await at.ask('authentication', mac, papRequest(at, subscriber, password))
		case 'chap':
			return await at.ask('authentication', mac, chapRequest(at, subscriber, password))
		case 'eap-md5':
			return await converse(campus, subscriber, at, password)
		default:
			return method satisfies never
	}
}

/** EAP-MD5: the identity, the challenge, the response (RFC 3748 §5.4, RFC 3579 §2). */
async function converse(
	campus: Campus,
	subscriber: Subscriber,
	at: AccessPoint,
	password: string,
): Promise<Uint8Array | 'failed' | undefined> {
	const name = Buffer.from(subscriber.name)
	const identity = encodeEap(eapCodes.response, 0, eapTypes.identity, name)
	const first = eapRequest(at, subscriber, identity, undefined)
	const challenged = await at.ask('authentication', subscriber.mac, first)
	const what = `EAP identity of ${subscriber.name} at ${at.name}`
	if (!expect(campus, challenged, codes.accessChallenge, what)) return 'failed'
	const request = decodeEap(eapMessageOf(challenged) ?? new Uint8Array(0))
	const challenge = request === undefined ? undefined : decodeMd5Value(request.data)
	if (request === undefined || challenge === undefined) {
		fail(campus.traffic, `${what}: the Access-Challenge has no MD5-Challenge.`)
		return 'failed'
	}
	const value = chapResponse(request.identifier, Buffer.from(password), challenge)
	const data = encodeMd5Value(value)
	const response = encodeEap(eapCodes.response, request.identifier, eapTypes.md5Challenge, data)
	const state = octetsOf(challenged, attribute.state)
	const second = eapRequest(at, subscriber, response, state)
	return await at.ask('authentication', subscriber.mac, second)
}

/** Whether the answer is the one that had to come; if not, that is a failure of the demo. */
function expect(
	campus: Campus,
	answer: Uint8Array | undefined,
	code: number,
	what: string,
): answer is Uint8Array {
	if (answer?.[0] === code) return true
	const came = answer === undefined ? 'no answer' : (codeNames[answer[0]!] ?? `code ${answer[0]}`)
	fail(campus.traffic, `${what}: ${came} instead of ${codeNames[code]}.`)
	return false
}
