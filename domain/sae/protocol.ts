/**
 * The open SRC protocol: what a relay asks an SRC adapter, and what it is answered, as JSON over
 * NATS request and reply. There are three questions: which pool a subscriber gets (`discover`),
 * that it has taken an address (`address`), and that it has left (`delete`). Every message carries
 * the protocol's version `v`, and an `id` that ties the answer to its question. A question may be
 * repeated, to another copy of the adapter too: none of the three does anything twice.
 * `infra/src-protocol.md` shows an example of every message, and a test holds it against this file.
 */
import { isLeft } from 'fp-ts/lib/Either.js'
import * as t from 'io-ts'
import { parseIpv4 } from '../address.ts'
import { type DhcpOptions, isDhcpOptions } from './dhcp-options.ts'

/** Raised with every change that an older side would misunderstand. Unknown fields are passed over. */
export const protocolVersion = 1
/** Characters of a message; DHCP options make up most of a long one. */
export const maximumMessageLength = 16 * 1024
const maximumTextLength = 1024
const maximumIdLength = 64

/** Copies of an adapter share the questions as members of this NATS queue group. */
export const queueGroup = 'radledger-src'

export const questionKinds = ['discover', 'address', 'delete'] as const
export type QuestionKind = (typeof questionKinds)[number]

/** A codec whose name finishes the sentence `Field "x" must be ...`. */
function field<A>(name: string, is: (value: unknown) => value is A): t.Type<A, A, unknown> {
	return new t.Type(name, is, (u, c) => (is(u) ? t.success(u) : t.failure(u, c)), t.identity)
}

const macForm = /^[0-9A-F]{2}(?:-[0-9A-F]{2}){5}$/

const mac = field(
	'a MAC address such as 02-00-00-00-00-01',
	(u): u is string => typeof u === 'string' && macForm.test(u),
)
const address = field(
	'an IPv4 address such as 10.1.0.9',
	(u): u is string => typeof u === 'string' && parseIpv4(u) !== undefined,
)
const text = field(
	`text of 1 to ${maximumTextLength} characters`,
	(u): u is string => typeof u === 'string' && u !== '' && u.length <= maximumTextLength,
)
const identifier = field(
	`text of 1 to ${maximumIdLength} characters`,
	(u): u is string => typeof u === 'string' && u !== '' && u.length <= maximumIdLength,
)
const seconds = field(
	'a whole number of seconds below 2^32',
	(u): u is number => Number.isInteger(u) && (u as number) >= 0 && (u as number) < 2 ** 32,
)
const milliseconds = field(
	'a time in whole milliseconds since 1970-01-01 UTC',
	(u): u is number => Number.isSafeInteger(u) && (u as number) >= 0,
)
const flag = field('true or false', (u): u is boolean => typeof u === 'boolean')
const dhcpOptions = field<DhcpOptions>(
	'an object from DHCP option numbers (1 to 254) to base64 text',
	isDhcpOptions,
)

function oneOf<const W extends string>(...words: readonly W[]): t.Type<W, W, unknown> {
	const list = `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`
	return field(`one of ${list}`, (u): u is W => words.includes(u as W))
}

/** What is known of an authenticated subscriber (RFC 2865 §5.1, §5.25; vendor 4874, 31). */
const profile = { userName: text, radiusClass: text, serviceBundle: text }

/** Where and as whom a subscriber asks for an address: what the rules look at. */
const subject = {
	needed: { interfaceName: text, macAddress: mac, virtualRouterName: text, dhcpOptions },
	more: {
		...profile,
		ifAlias: text,
		ifDesc: text,
		nasPortId: text,
		/** The access point's MAC address in normal form, or its name. */
		wap: text,
		ssid: text,
		/** Address of the DHCP relay agent that the question came through (RFC 2131 §2). */
		giaddr: address,
	},
}

const discoverRequest = t.exact(t.intersection([t.type(subject.needed), t.partial(subject.more)]))
export type DiscoverRequest = t.TypeOf<typeof discoverRequest>

const decision = t.exact(
	t.intersection([
		/** False: the subscriber is offered no address. */
		t.type({ accept: flag }),
		t.partial({
			...profile,
			poolName: text,
			ipAddress: address,
			/** Options to send to the client beside, or in place of, those of the pool. */
			dhcpOptions,
			bootServerName: text,
			bootFileName: text,
			virtualRouter: text,
			localInterface: text,
			/** Seconds. */
			leaseTime: seconds,
			/** Which rule decided, or why the subscriber is turned away. */
			reason: text,
		}),
	]),
)
export type Decision = t.TypeOf<typeof decision>

/**
 * The client has taken its address. User name, class and service bundle are those of the discover
 * decision where it named them, else those of the Access-Accept.
 */
const addressReport = t.exact(
	t.intersection([
		t.type({
			...subject.needed,
			/** A login without (`ADDR`) or with (`AUTHADDR`) authentication. */
			event: oneOf('ADDR', 'AUTHADDR'),
			ipAddress: address,
			/** When the client took the address. */
			at: milliseconds,
		}),
		t.partial({ ...subject.more, poolName: text, leaseTime: seconds }),
	]),
)
export type AddressReport = t.TypeOf<typeof addressReport>

const addressAnswer = t.exact(
	t.intersection([
		t.type({ sessionId: text }),
		/** `radiusClass` is the class of the service's definition. */
		t.partial({ service: text, radiusClass: text }),
	]),
)
export type AddressAnswer = t.TypeOf<typeof addressAnswer>

const closeCause = oneOf(
	'User-Request',
	'Lost-Carrier',
	'Idle-Timeout',
	'Session-Timeout',
	'Admin-Reset',
)
export type CloseCause = t.TypeOf<typeof closeCause>

/**
 * The address is given back. It carries what the address report was answered, so that any copy of
 * the adapter can close a session that another one opened.
 */
const addressDeletion = t.exact(
	t.intersection([
		t.type({
			macAddress: mac,
			virtualRouterName: text,
			ipAddress: address,
			cause: closeCause,
			/** `at` of the address report, and when the address was given back. */
			since: milliseconds,
			at: milliseconds,
		}),
		t.partial({
			/** Left out where the address report was never answered. */
			sessionId: text,
			service: text,
			radiusClass: text,
			userName: text,
			interfaceName: text,
			wap: text,
			ssid: text,
		}),
	]),
)
export type AddressDeletion = t.TypeOf<typeof addressDeletion>

const deletionAnswer = t.exact(t.type({ sessionId: text, sessionSeconds: seconds }))
export type DeletionAnswer = t.TypeOf<typeof deletionAnswer>

/** What takes the place of an answer where the adapter could not take the question. */
const refusal = t.exact(t.type({ refused: text }))

export type Questions = {
	readonly discover: DiscoverRequest
	readonly address: AddressReport
	readonly delete: AddressDeletion
}
export type Answers = {
	readonly discover: Decision
	readonly address: AddressAnswer
	readonly delete: DeletionAnswer
}
type Codecs<A> = { readonly [K in keyof A]: t.Type<A[K], unknown, unknown> }

const questions: Codecs<Questions> = {
	discover: discoverRequest,
	address: addressReport,
	delete: addressDeletion,
}
const answers: Codecs<Answers> = {
	discover: decision,
	address: addressAnswer,
	delete: deletionAnswer,
}

export type Refusal = { readonly refused: string }

/** `why` is a sentence; `id` is there where at least that could be read. */
export type Unreadable = { readonly why: string; readonly id?: string }

/** A message as JSON. Throws nothing: what it is given has been checked by its type. */
export function encodeMessage(id: string, body: object): string {
	return JSON.stringify({ v: protocolVersion, id, ...body })
}

/** A question of that kind, checked and without fields that this version does not know. */
export function decodeQuestion<K extends QuestionKind>(
	kind: K,
	json: string,
): { readonly id: string; readonly body: Questions[K] } | Unreadable {
	return decode(questions[kind], json)
}

/** An answer to a question of that kind; the adapter's refusal counts as one. */
export function decodeAnswer<K extends QuestionKind>(
	kind: K,
	json: string,
): { readonly id: string; readonly body: Answers[K] | Refusal } | Unreadable {
	const envelope = readEnvelope(json)
	if ('why' in envelope) return envelope
	if ('refused' in envelope.value) return check(envelope, refusal)
	return check(envelope, answers[kind])
}

export function isRefusal(answer: object): answer is Refusal {
	return 'refused' in answer
}

type Envelope = { readonly id: string; readonly value: Readonly<Record<string, unknown>> }

function decode<A>(codec: t.Type<A, unknown, unknown>, json: string) {
	const envelope = readEnvelope(json)
	return 'why' in envelope ? envelope : check(envelope, codec)
}

function readEnvelope(json: string): Envelope | Unreadable {
	if (json.length > maximumMessageLength) {
		return { why: `The message has more than ${maximumMessageLength} characters; shorten it.` }
	}
	let value: unknown
	try {
		value = JSON.parse(json)
	} catch {
		return { why: 'The message is no JSON.' }
	}
	if (typeof value !== 'object' || value === null || Array.isArray(value)) {
		return { why: 'The message is no JSON object.' }
	}
	const { id, v } = value as Readonly<Record<string, unknown>>
	if (!identifier.is(id)) return { why: sentence('id', identifier.name, id) }
	if (v !== protocolVersion) {
		const why = `Field "v" is ${shown(v)} and this side speaks version ${protocolVersion}; bring both sides to one version.`
		return { why, id }
	}
	return { id, value: value as Readonly<Record<string, unknown>> }
}

function check<A>(
	envelope: Envelope,
	codec: t.Type<A, unknown, unknown>,
): { id: string; body: A } | Unreadable {
	const checked = codec.decode(envelope.value)
	if (isLeft(checked)) return { why: describe(checked.left), id: envelope.id }
	return { id: envelope.id, body: checked.right }
}

/** What is wrong first. */
function describe(errors: t.Errors): string {
	const { context, value } = errors[0]!
	const place = context.at(-1)!
	const path = context.flatMap(({ key }) => (/^\d*$/.test(key) ? [] : [key])).join('.')
	return sentence(path, place.type.name, value)
}

function sentence(path: string, expected: string, value: unknown): string {
	if (value === undefined) return `Field "${path}" is missing; it must be ${expected}.`
	return `Field "${path}" must be ${expected}, not ${shown(value)}.`
}

/** A value in an error's sentence, short enough for a log. */
function shown(value: unknown): string {
	if (value === undefined) return 'missing'
	const json = JSON.stringify(value)
	return json.length > 60 ? `${json.slice(0, 57)}...` : json
}

const plainToken = /^[A-Za-z0-9_-]+$/

/**
 * A virtual router's name as one token of a NATS subject: octets of UTF-8 other than letters,
 * digits, `_` and `-` become `%` and two hexadecimal digits, so that no name reaches elsewhere.
 */
export function subjectToken(virtualRouter: string): string {
	if (plainToken.test(virtualRouter)) return virtualRouter
	let token = ''
	for (const octet of new TextEncoder().encode(virtualRouter)) {
		const character = String.fromCharCode(octet)
		token += plainToken.test(character)
			? character
			: `%${octet.toString(16).toUpperCase().padStart(2, '0')}`
	}
	return token
}

/** `radledger.src.default.discover`; without a virtual router, the subject of all of them. */
export function subjectOf(kind: QuestionKind, virtualRouter?: string): string {
	const token = virtualRouter === undefined ? '*' : subjectToken(virtualRouter)
	return `radledger.src.${token}.${kind}`
}
