/**
 * What SRC is told: the logins that it has not heard of, and the ends of those that it has. All of
 * them are folded state, and so a crash loses none; here is whose turn it is. A turn of the loop has
 * the same work with it however many wait.
 */
import {
	addressDeletion,
	addressReport,
	sessionClosed,
	sessionOpened,
} from '../../domain/sae/bridge.ts'
import { brokenClient } from '../../domain/sae/client.ts'
import { loginKey, loginWith, type SrcDebt, type SrcLogin } from '../../domain/sae/logins.ts'
import { routerState } from '../../domain/state.ts'
import { interfaceWords } from './dhcp-service.ts'
import type { Engine } from './engine.ts'
import { dequeue, enqueue, firstOf, queueSize } from './queue.ts'
import { presentTime, record } from './record.ts'
import { firstPauseMs, retellsPerSecond, type SrcBridge, type Telling } from './src-link.ts'

/** Reports and deletions under way at once: questions for pools need the room. */
const underWayLimit = 64
/** Logins that one turn looks at. */
const looksPerTurn = 256
const longestPauseMs = 30_000
/** A refused report is told again after this long: rules are mended behind the same server. */
const refusedRestMs = 600_000
/** Refused reports that are remembered; beyond it the oldest are given up. */
const refusedLimit = 100_000

/** Takes up what was owed before this client was there. */
export function takeUpReports(engine: Engine, { router, telling }: SrcBridge): void {
	for (const login of routerState(engine.state, router).src.unreported.values()) {
		enqueue(telling.reports, login)
	}
}

/** Another server is asked: what failed with the last one may be told it. */
export function tellAnother({ telling }: SrcBridge): void {
	telling.retryAt = 0
	telling.pauseMs = firstPauseMs
	telling.again = queueSize(telling.refused)
}

/**
 * Tells SRC what it is owed, as much as may be under way at once. Called when everything that is
 * folded is on disk: told means durable.
 */
export function tellSrc(engine: Engine): void {
	for (const bridge of engine.src.values()) {
		const { underWay, retryAt } = bridge.telling
		if (engine.now < retryAt || underWay.size >= underWayLimit) continue
		// In order: those under way are the first ones, so few are passed over.
		for (const [key, debt] of routerState(engine.state, bridge.router).src.debts) {
			if (underWay.size >= underWayLimit) break
			if (!underWay.has(key)) void tellEnd(engine, bridge, key, debt)
		}
		for (let looks = 0; looks < looksPerTurn && underWay.size < underWayLimit; looks++) {
			const login = dequeue(bridge.telling.reports) ?? retold(engine, bridge.telling)
			if (login === undefined) break
			const key = loginKey(login)
			const { unreported } = routerState(engine.state, bridge.router).src
			// It may have ended, and may be told of already.
			if (unreported.get(key) !== login || underWay.has(key)) continue
			void tellLogin(engine, bridge, key, login)
		}
	}
}

/** A login whose report was refused, and that is told again now. */
function retold({ now }: Engine, telling: Telling): SrcLogin | undefined {
	const oldest = firstOf(telling.refused)
	if (oldest === undefined || telling.retellsLeft === 0) return undefined
	if (telling.again === 0 && now - oldest.at < refusedRestMs) return undefined
	dequeue(telling.refused)
	telling.again = Math.max(0, telling.again - 1)
	telling.retellsLeft--
	return oldest.login
}

async function tellLogin(
	engine: Engine,
	bridge: SrcBridge,
	key: string,
	login: SrcLogin,
): Promise<void> {
	const { router, client, telling } = bridge
	telling.underWay.add(key)
	const report = addressReport(router, login, interfaceWords(engine.dhcp, login.interface))
	const outcome = await client.address(report).catch(brokenClient)
	telling.underWay.delete(key)
	if (engine.stopped) return
	presentTime(engine)
	if ('failure' in outcome) {
		if (outcome.failure === 'refused') return refuseLogin(engine, bridge, login, outcome.why)
		enqueue(telling.reports, login)
		return pause(engine, bridge)
	}
	telling.pauseMs = firstPauseMs
	const { src } = routerState(engine.state, router)
	const now = loginWith(src, login.mac, key)
	// Its end may have been told and answered by another client meanwhile.
	if (now === undefined || now.session !== undefined) return
	record(engine, [sessionOpened(router, now, outcome, engine.at)])
}

function refuseLogin({ now }: Engine, { telling }: SrcBridge, login: SrcLogin, why: string): void {
	const { refused, unlogged } = telling
	enqueue(refused, { login, at: now })
	unlogged.refused++
	unlogged.why = why
	if (queueSize(refused) <= refusedLimit) return
	dequeue(refused)
	telling.again = Math.max(0, telling.again - 1)
	unlogged.givenUp++
}

async function tellEnd(
	engine: Engine,
	bridge: SrcBridge,
	key: string,
	debt: SrcDebt,
): Promise<void> {
	const { router, client, telling } = bridge
	telling.underWay.add(key)
	const outcome = await client.delete(addressDeletion(router, debt)).catch(brokenClient)
	telling.underWay.delete(key)
	if (engine.stopped) return
	presentTime(engine)
	const refused = 'failure' in outcome && outcome.failure === 'refused'
	if ('failure' in outcome && !refused) return pause(engine, bridge)
	telling.pauseMs = firstPauseMs
	const owed = routerState(engine.state, router).src.debts.get(key)
	if (owed === undefined) return
	const how = 'failure' in outcome ? ('refused' as const) : outcome
	record(engine, [sessionClosed(router, owed, how, engine.at)])
}

/** Nobody answers: those that wait are not asked one by one. */
function pause({ now }: Engine, { telling }: SrcBridge): void {
	if (now < telling.retryAt) return
	telling.retryAt = now + telling.pauseMs
	telling.pauseMs = Math.min(telling.pauseMs * 2, longestPauseMs)
}

/** Every second: the next retells, and what was refused goes into the log, gathered. */
export function tickTelling(engine: Engine, { router, server, telling }: SrcBridge): void {
	telling.retellsLeft = retellsPerSecond
	const { refused, givenUp, why } = telling.unlogged
	if (refused === 0) return
	telling.unlogged = { refused: 0, givenUp: 0, why: '' }
	const sentence = `SRC does not take the reports of addresses (${refused} in this second): ${why} They are told again after ten minutes, or when another server is connected.`
	engine.parts.log.warn('src-refused', { router, server, refused, givenUp }, sentence)
}
