/**
 * The SRC client of each virtual router while it runs: the questions that put a DHCPDISCOVER off, which
 * server is asked, and what is counted. What SRC is told of logins is in `src-telling.ts`, the rules are
 * in `domain/sae`; the client itself is handed in, over NATS or in this process.
 */
import type { SrcSettings } from '../../domain/configuration.ts'
import { options } from '../../domain/dhcp/option.ts'
import { type DhcpPacket, optionCodes, readOctets } from '../../domain/dhcp/packet.ts'
import { type NewEvent, relayStream, virtualRouterOf } from '../../domain/event.ts'
import {
	debtLimit,
	discoverQuestion,
	givenUp,
	poolRequested,
	type SrcReply,
	serverChanged,
	srcReply,
} from '../../domain/sae/bridge.ts'
import { brokenClient, type SrcInfo } from '../../domain/sae/client.ts'
import { type DhcpOptions, encodeOctets } from '../../domain/sae/dhcp-options.ts'
import type { Session } from '../../domain/session-table.ts'
import { routerState } from '../../domain/state.ts'
import { type Asked, interfaceWords } from './dhcp-service.ts'
import type { Engine } from './engine.ts'
import { presentTime, record } from './record.ts'
import { newTelling, type SrcBridge } from './src-link.ts'
import { tellAnother, tickTelling } from './src-telling.ts'

/** SRC is asked about one subscriber this often at most: clients repeat themselves after seconds. */
const askAgainMs = 1000
const missedLimit = 1000

export async function newBridge(
	engine: Engine,
	router: string,
	settings: SrcSettings,
	source: string | undefined,
): Promise<SrcBridge | { readonly refused: string }> {
	const { openSrc } = engine.parts
	if (openSrc === undefined) return { refused: 'This relay has no SRC client.' }
	// The client may speak before it is handed over.
	let bridge: SrcBridge | undefined
	const client = await openSrc(router, settings, source, info => {
		if (bridge === undefined || engine.src.get(router) !== bridge) return
		presentTime(engine)
		noteServer(engine, bridge, info)
	})
	if ('refused' in client) return client
	bridge = {
		router,
		settings,
		source,
		client,
		server: '',
		askedAt: new Map(),
		telling: newTelling(),
		recorded: { late: 0, malformed: 0, foreign: 0 },
		missed: new Map(),
	}
	return bridge
}

/** Records who is asked from now on. */
export function noteServer(engine: Engine, bridge: SrcBridge, info: SrcInfo): void {
	if (engine.stopped) return
	const changed = serverChanged(bridge.router, bridge.server, info, engine.at)
	if (changed === undefined) return
	bridge.server = changed.data.to
	record(engine, [changed])
	const { log } = engine.parts
	const fields = { router: bridge.router, ...changed.data }
	if (bridge.server === '') {
		log.warn('src-server', fields, 'No SRC server is asked any more: pools are chosen here.')
		return
	}
	log.info('src-server', fields, `SRC is asked at ${bridge.server} now.`)
	tellAnother(bridge)
}

// ---- questions

/** Whether SRC was asked about the subscriber only just now. */
export function wasJustAsked(engine: Engine, bridge: SrcBridge, mac: string): boolean {
	const last = bridge.askedAt.get(mac)
	return last !== undefined && engine.now - last < askAgainMs
}

/** Records the question, asks it, and comes back with what became of it; never rejects. */
export async function askSrc(
	engine: Engine,
	bridge: SrcBridge,
	{ packet, request }: Asked,
	session: Session,
): Promise<SrcReply> {
	const { router, client } = bridge
	// Taken out first: the table is in order of time.
	bridge.askedAt.delete(request.mac)
	bridge.askedAt.set(request.mac, engine.now)
	const event = poolRequested(router, request, session, questionOptions(packet), engine.at)
	record(engine, [event])
	const position = engine.state.position
	const question = discoverQuestion(
		router,
		event.data,
		interfaceWords(engine.dhcp, request.interface),
	)
	return srcReply(position, await client.discover(question).catch(brokenClient))
}

function questionOptions(packet: DhcpPacket): DhcpOptions {
	const found: Record<string, string> = {}
	for (const code of optionCodes(packet)) {
		if (code === options.messageType.code || code === options.overload.code) continue
		found[code] = encodeOctets(readOctets(packet, { code })!)
	}
	return found
}

// ---- time, and what is counted

/** Every second: what was ignored goes on record, and what is owed too long is given up. */
export function tickSrc(engine: Engine): void {
	for (const bridge of engine.src.values()) {
		record(engine, takeIgnored(bridge, engine.at))
		tickTelling(engine, bridge)
		const { src } = routerState(engine.state, bridge.router)
		if (src.debts.size > debtLimit) {
			record(engine, givenUp(bridge.router, src, debtLimit, engine.at))
		}
		for (const [mac, at] of bridge.askedAt) {
			// In order of time: the first that is young enough ends the search.
			if (engine.now - at < askAgainMs) break
			bridge.askedAt.delete(mac)
		}
	}
}

/** The events for what the client ignored since the last call. */
export function takeIgnored(bridge: SrcBridge, at: number): NewEvent[] {
	const { lateAnswers, malformedAnswers, foreignAnswers } = bridge.client.statistics()
	const counts = { late: lateAnswers, malformed: malformedAnswers, foreign: foreignAnswers }
	const stream = relayStream(bridge.router)
	const events: NewEvent[] = []
	for (const reason of ['late', 'malformed', 'foreign'] as const) {
		const count = counts[reason] - bridge.recorded[reason]
		if (count <= 0) continue
		bridge.recorded[reason] = counts[reason]
		events.push({ stream, type: 'SrcAnswersDiscarded', v: 1, at, data: { reason, count } })
	}
	return events
}

/** Attributes of an Access-Accept that SRC classifies by; false where the server left one out. */
export type Profile = {
	readonly 'User-Name': boolean
	readonly Class: boolean
	readonly 'Service-Bundle': boolean
}

/** Says which upstream server leaves out what SRC goes by, once for each server and attribute. */
export function missProfile(
	engine: Engine,
	bridge: SrcBridge,
	server: string,
	profile: Profile,
): void {
	let missed = bridge.missed.get(server)
	const absent = (Object.keys(profile) as (keyof Profile)[]).filter(
		name => !profile[name] && !missed?.has(name),
	)
	if (absent.length === 0) return
	if (missed === undefined) {
		if (bridge.missed.size >= missedLimit) return
		missed = new Set()
		bridge.missed.set(server, missed)
	}
	for (const name of absent) missed.add(name)
	const sentence = `The Access-Accepts of ${server} lack ${absent.join(' and ')}, by which SRC classifies; add that there.`
	engine.parts.log.warn('src-profile', { router: bridge.router, server, absent }, sentence)
}

/** Closes every client: nothing more is asked or told. */
export async function closeSrc(engine: Engine): Promise<void> {
	await Promise.all([...engine.src.values()].map(({ client }) => client.close()))
}

/** The bridge of the virtual router that an event is about. */
export function bridgeFor(engine: Engine, { stream }: NewEvent): SrcBridge | undefined {
	return engine.src.size === 0 ? undefined : engine.src.get(virtualRouterOf(stream))
}
