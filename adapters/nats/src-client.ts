/**
 * The relay's side of the SRC protocol over NATS. Each configured server is a NATS address of its
 * own; `domain/sae/servers.ts` says which one is asked. A question is repeated while it is open,
 * because the copy of the adapter that has it may have died with it, and it is asked again where
 * the server changes. After its limit it fails, and whatever comes then is counted and ignored.
 */
import { randomUUID } from 'node:crypto'
import { createInbox, type Msg, type NatsConnection } from 'nats'
import {
	countAnswered,
	countSent,
	noStatistics,
	type SrcClient,
	type SrcFailure,
	type SrcInfo,
	type SrcOutcome,
} from '../../domain/sae/client.ts'
import {
	type Answers,
	decodeAnswer,
	encodeMessage,
	isRefusal,
	maximumMessageLength,
	type QuestionKind,
	type Questions,
	subjectOf,
} from '../../domain/sae/protocol.ts'
import {
	newRotation,
	type RotationInput,
	rotate,
	type SrcServer,
	tryMs,
} from '../../domain/sae/servers.ts'
import { connect } from './connect.ts'
import { connectionOptions, type NatsSecurity } from './connection.ts'
import {
	type Copy,
	closedFailure,
	type Link,
	noConnection,
	type OpenQuestion,
} from './src-question.ts'

export type SrcClientSettings = {
	/** Primary, secondary, tertiary: those that are configured. */
	readonly servers: readonly SrcServer[]
	/** `sscc retryTimer`, in milliseconds. */
	readonly retryMs: number
	readonly security?: NatsSecurity
	/** The address of this machine that connections come from; undefined: as it is routed. */
	readonly localAddress?: string
	/** What the NATS server calls this connection. */
	readonly name?: string
	/** How long a question may take in all, and after how long it is repeated. */
	readonly limitMs?: number
	readonly repeatMs?: number
	/** Questions that may be open at once. */
	readonly maximumOpen?: number
	/** Told whenever another server is asked, or none. */
	readonly onChange?: (info: SrcInfo) => void
	/** Told why a server cannot be used, once until that changes. */
	readonly onTrouble?: (server: string, sentence: string) => void
}

const usual = { limitMs: 2000, repeatMs: 500, maximumOpen: 1000 } as const
const tickMs = 25
const noResponders = 503

export function createSrcClient(settings: SrcClientSettings): SrcClient {
	const { limitMs = usual.limitMs, repeatMs = usual.repeatMs } = settings
	const { maximumOpen = usual.maximumOpen, security = {}, name = 'radledger' } = settings
	const { localAddress } = settings
	const statistics = noStatistics()
	/** In the order of their numbers, and so of their limits. */
	const open = new Map<number, OpenQuestion>()
	/** The same of copies that the server which is tried still has: its answer brings the return. */
	const copies = new Map<number, Copy>()
	const links = new Map<number, Link>()
	/** What each server failed of last. */
	const troubles = new Map<number, string>()
	const idPrefix = randomUUID().slice(0, 13)
	let rotation = newRotation(settings.servers, settings.retryMs)
	let nextNumber = 0
	let closed = false

	function info(): SrcInfo {
		const server = rotation.servers[rotation.current]
		if (server === undefined) return { state: rotation.state }
		return { state: rotation.state, server: addressOf(server), role: server.role }
	}

	function step(input: RotationInput): void {
		const before = rotation
		const { rotation: after, effects } = rotate(before, input, performance.now())
		rotation = after
		for (const { kind, server } of effects) {
			if (kind === 'connect') void openLink(server)
			else closeLink(server)
		}
		if (before.state === after.state && before.current === after.current) return
		settings.onChange?.(info())
		if (after.state === 'connected') for (const question of open.values()) askOnce(question)
		else failHopeless()
	}

	async function openLink(server: number): Promise<void> {
		const { address, port } = settings.servers[server]!
		const link: Link = { server, inbox: createInbox(), connection: undefined, closed: false }
		links.set(server, link)
		statistics.connectionAttempts++
		let connection: NatsConnection
		try {
			connection = await connect({
				...connectionOptions(name, security),
				servers: hostAndPort(address, port),
				timeout: tryMs,
				// What comes next is the rotation's decision.
				reconnect: false,
				...(localAddress === undefined ? {} : { localAddress }),
			})
		} catch (error) {
			if (!link.closed) connectionFailed(link, error)
			return
		}
		statistics.openRequests++
		if (link.closed) {
			await connection.close()
			return
		}
		statistics.openCompleted++
		troubles.delete(server)
		link.connection = connection
		connection.subscribe(`${link.inbox}.*`, {
			callback: (error, message) => {
				if (error === null && !link.closed) receive(link, message)
			},
		})
		void connection.closed().then(() => lost(link))
		step({ kind: 'connected', server })
	}

	function connectionFailed(link: Link, error: unknown): void {
		link.closed = true
		links.delete(link.server)
		const code = (error as { code?: string } | undefined)?.code
		if (code !== 'CONNECTION_REFUSED' && code !== 'TIMEOUT') statistics.openRequests++
		statistics.communicationErrors++
		tellTrouble(link.server, error as Error)
		step({ kind: 'failed', server: link.server })
	}

	function tellTrouble(server: number, { message }: Error): void {
		if (troubles.get(server) === message) return
		troubles.set(server, message)
		const name = addressOf(settings.servers[server]!)
		settings.onTrouble?.(name, `The SRC server ${name} cannot be used: ${message}.`)
	}

	function lost(link: Link): void {
		if (link.closed) return
		link.closed = true
		links.delete(link.server)
		statistics.closedRemotely++
		statistics.communicationErrors++
		step({ kind: 'failed', server: link.server })
	}

	function closeLink(server: number): void {
		const link = links.get(server)
		if (link === undefined) return
		links.delete(server)
		link.closed = true
		if (link.connection === undefined) return
		statistics.closedSent++
		void link.connection.close()
	}

	/** Asks the server that is asked from now on, unless it has the question since it was tried. */
	function askOnce(question: OpenQuestion): void {
		if (question.askedProbe !== rotation.current) {
			ask(question)
			return
		}
		question.askedServer = question.askedProbe
		question.askedProbe = -1
	}

	function ask(question: OpenQuestion): void {
		question.repeatAt = performance.now() + repeatMs
		if (rotation.state !== 'connected') return
		question.askedServer = rotation.current
		send(question, rotation.current)
		// A copy to the server that might be returned to: this question changes nothing there.
		if (!rotation.probeConnected || question.kind !== 'discover') return
		question.askedProbe = rotation.probe
		send(question, rotation.probe)
	}

	function send(question: OpenQuestion, server: number): void {
		const link = links.get(server)
		// It may be closing: then the rotation hears of it next.
		if (link?.connection === undefined || link.connection.isClosed()) return
		const reply = `${link.inbox}.${question.number}`
		link.connection.publish(question.subject, question.payload, { reply })
		countSent(statistics, question.kind)
	}

	function receive(link: Link, message: Msg): void {
		const number = Number(message.subject.slice(link.inbox.length + 1))
		const question = open.get(number)
		const code = message.headers?.code
		const copy = copies.get(number)
		const isCopy = copy?.server === link.server
		if (isCopy) copies.delete(number)
		if (code === noResponders && message.data.length === 0) {
			if (question !== undefined || isCopy) {
				step({ kind: 'unanswered', server: link.server, nobody: true })
			}
			return
		}
		const asked = question ?? (isCopy ? copy : undefined)
		if (asked === undefined) {
			const ours = Number.isInteger(number) && number >= 0 && number < nextNumber
			if (ours) statistics.lateAnswers++
			else statistics.foreignAnswers++
			return
		}
		// Of UTF-8, so octets are at least as many as characters.
		const tooLong = message.data.length > 4 * maximumMessageLength
		const answer = tooLong ? { why: 'long' } : decodeAnswer(asked.kind, message.string())
		if ('why' in answer) {
			statistics.malformedAnswers++
			return
		}
		if (answer.id !== asked.id) {
			statistics.foreignAnswers++
			return
		}
		if (question !== undefined) settleWith(question, link, answer)
		step({ kind: 'answered', server: link.server })
	}

	function settleWith(
		question: OpenQuestion,
		link: Link,
		answer: Exclude<ReturnType<typeof decodeAnswer>, { why: string }>,
	): void {
		const { number, kind, id, limitAt, askedProbe } = question
		if (askedProbe >= 0 && askedProbe !== link.server) {
			copies.set(number, { kind, id, limitAt, server: askedProbe })
		}
		if (isRefusal(answer.body)) {
			statistics.refusals++
			end(question, { failure: 'refused', why: answer.body.refused })
		} else {
			countAnswered(statistics, question.kind)
			end(question, { answer: answer.body, server: addressOf(settings.servers[link.server]!) })
		}
	}

	function end(question: OpenQuestion, outcome: SrcOutcome<Answers[QuestionKind]>): void {
		if (!open.delete(question.number)) return
		if (question.kind === 'discover') statistics.activeDiscovers--
		question.settle(outcome)
	}

	/** Questions that will be over before the next connection is tried. */
	function failHopeless(): void {
		if (rotation.state !== 'NoConnection') return
		for (const question of open.values()) {
			if (question.limitAt > rotation.timerAt) continue
			statistics.communicationErrors++
			end(question, noConnection)
		}
	}

	function tick(): void {
		const now = performance.now()
		step({ kind: 'tick' })
		for (const [number, { limitAt }] of copies) {
			if (now < limitAt && copies.size <= maximumOpen) break
			copies.delete(number)
		}
		for (const question of [...open.values()]) {
			if (now >= question.limitAt) giveUp(question)
			else if (now >= question.repeatAt) repeat(question)
		}
	}

	function noteSilence(question: OpenQuestion): void {
		const { askedServer, askedProbe } = question
		question.askedServer = -1
		question.askedProbe = -1
		if (askedProbe >= 0) step({ kind: 'unanswered', server: askedProbe, nobody: false })
		if (askedServer >= 0) step({ kind: 'unanswered', server: askedServer, nobody: false })
	}

	function repeat(question: OpenQuestion): void {
		noteSilence(question)
		if (open.has(question.number)) ask(question)
	}

	function giveUp(question: OpenQuestion): void {
		statistics.communicationErrors++
		const why = `No SRC server answered within ${limitMs} ms.`
		end(question, { failure: 'timeout', why })
		noteSilence(question)
	}

	function question<K extends QuestionKind>(
		kind: K,
		body: Questions[K],
	): Promise<SrcOutcome<Answers[K]>> {
		if (kind === 'discover') statistics.discoversSeen++
		const number = nextNumber++
		const id = `${idPrefix}-${number}`
		const json = encodeMessage(id, body)
		const now = performance.now()
		const refused = refusal(json, now + limitMs)
		if (refused !== undefined) return Promise.resolve(refused)
		return new Promise(resolve => {
			const asked: OpenQuestion = {
				kind,
				number,
				id,
				subject: subjectOf(kind, body.virtualRouterName),
				payload: new TextEncoder().encode(json),
				limitAt: now + limitMs,
				repeatAt: now + repeatMs,
				askedServer: -1,
				askedProbe: -1,
				settle: outcome => resolve(outcome as SrcOutcome<Answers[K]>),
			}
			open.set(number, asked)
			if (kind === 'discover') statistics.activeDiscovers++
			ask(asked)
		})
	}

	/** Why a question cannot be asked at all. */
	function refusal(json: string, limitAt: number): SrcFailure | undefined {
		if (closed) return closedFailure
		if (json.length > maximumMessageLength) {
			statistics.internalErrors++
			const why = `The question has more than ${maximumMessageLength} characters.`
			return { failure: 'refused', why }
		}
		if (open.size >= maximumOpen) {
			statistics.internalErrors++
			const why = `${maximumOpen} questions await their answers already.`
			return { failure: 'too-many-questions', why }
		}
		if (rotation.state !== 'NoConnection' || rotation.timerAt < limitAt) return undefined
		statistics.communicationErrors++
		return noConnection
	}

	const timer = setInterval(tick, tickMs)
	step({ kind: 'start' })
	return {
		discover: request => question('discover', request),
		address: report => question('address', report),
		delete: deletion => question('delete', deletion),
		info,
		statistics: () => ({ ...statistics }),
		restart: () => step({ kind: 'start' }),
		async close() {
			if (closed) return
			closed = true
			clearInterval(timer)
			const connections = [...links.values()].map(link => link.connection?.closed())
			step({ kind: 'stop' })
			for (const question of [...open.values()]) end(question, closedFailure)
			await Promise.all(connections)
		},
	}
}

function addressOf({ address, port }: SrcServer): string {
	return `${address}:${port}`
}

function hostAndPort(address: string, port: number): string {
	return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`
}
