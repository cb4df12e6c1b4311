/**
 * Erasing a subscriber, step by step (adapters/journal/erasure.ts): on a folder that no relay owns, on
 * a running relay, and after either was interrupted. Only the owner of the folder writes to the journal.
 */
import { randomBytes } from 'node:crypto'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import {
	finishErasure,
	openPlans,
	type Plan,
	planErasure,
	type RewrittenBatch,
	rewrittenBatches,
} from '../adapters/journal/erasure.ts'
import type { SqliteJournal } from '../adapters/journal/journal.ts'
import { openReader } from '../adapters/journal/reader.ts'
import { planRetention, type RetentionPlan } from '../adapters/journal/retention.ts'
import { openSnapshots } from '../adapters/journal/snapshots.ts'
import type { Configuration, VirtualRouter } from '../domain/configuration.ts'
import { counted } from '../domain/count-text.ts'
import type { Erased } from '../domain/erasure.ts'
import { newErased, restsFrom, whyNotErasable } from '../domain/erasure-state.ts'
import { type NewEvent, relayStream } from '../domain/event.ts'
import type { JournalReader } from '../domain/journal.ts'
import { boundsOf } from '../domain/retention.ts'
import { standstill } from '../domain/steady.ts'
import { recoverState } from './recover.ts'

/** Batches that one commit rewrites on a running relay: well below a millisecond. */
const batchesPerCommit = 4
const pauseMs = 5
/** A reader that needs the log as it is gives way soon; one that does not is told of. */
const scrubTries = 100
const scrubRetryMs = 50

export function newPseudonymFor(mac: string): Erased {
	return newErased(mac, randomBytes(5))
}

/** The event that records an erasure. */
export function erasureEvent(plan: Plan, virtualRouter: string, at: number): NewEvent {
	const { name, what, upTo, events, byType, digest } = plan
	const stream = relayStream(virtualRouter)
	const rest = { upTo, events, byType, digest }
	if (what.kind === 'retention') {
		const data = { run: name, subscribers: what.subscribers, ...rest }
		return { stream, type: 'RetentionApplied', v: 1, at, data }
	}
	const data = { pseudonym: name, reason: what.reason, ...rest }
	return { stream, type: 'SubscriberErased', v: 1, at, data }
}

/** What was done, and what could not be reached. */
export function erasureLines(plan: Plan): string[] {
	const { what } = plan
	if (what.kind === 'retention') {
		return retentionLines(withPlan(nothingRetained, plan))
	}
	return [
		`${counted(plan.events, 'event')} up to position ${plan.upTo} ${plan.events === 1 ? 'has' : 'have'} ${plan.name} in the place of the MAC, and nothing personal: ${typesText(plan.byType)}.`,
		'Snapshots of the state, read models and the index by stream are made anew without it.',
		'Not reached:',
		...keptLines(plan),
		` - EventStoreDB, where the relay mirrors to it: radledger erase-mirror --subscriber ${what.mac} --from URL --data DIR. Folders of serve-views: delete them after that and the scavenge, and they are filled anew.`,
		...elsewhereLines,
		` - Copies and backups of the folder: radledger erase --subscriber ${what.mac} --reason R --data COPY, or delete them.`,
		" - The program's log, and the configuration file: what names the MAC there comes back with the next start.",
	]
}

const namedMax = 20

function keptLines({ kept }: Plan): string[] {
	if (kept === undefined) return []
	const { addresses, commands } = kept
	const lines: string[] = []
	if (addresses.length > 0) {
		lines.push(
			` - Addresses in lease events, now under the pseudonym; they were lent to others, too, and leases cannot be folded without: ${someOf(addresses)}.`,
		)
	}
	if (commands.length > 0) {
		const where = commands.length === 1 ? 'position' : 'positions'
		lines.push(
			` - Commands with a word that is also the user name, and may mean something else, at ${where} ${someOf(commands)}.`,
		)
	}
	return lines
}

function someOf(all: readonly (string | number)[]): string {
	const more = all.length > namedMax ? ` and ${all.length - namedMax} more` : ''
	return `${all.slice(0, namedMax).join(', ')}${more}`
}

/** Where nothing of the relay can take anything back. */
const elsewhereLines = [
	' - NATS JetStream: its stream keeps what was published until its limits let go of it, or "nats stream purge" empties it.',
	' - Exports, replays, proofs and what SQL was asked for: delete them, and make them anew.',
]

function typesText(byType: Readonly<Record<string, number>>): string {
	return Object.entries(byType)
		.map(([type, count]) => `${count} ${type}`)
		.join(', ')
}

/** What runs of `retention` did, all together. */
export type Retained = {
	readonly events: number
	readonly byType: Readonly<Record<string, number>>
	readonly subscribers: number
	readonly upTo: number
	/** Whether any class has a limit. */
	readonly isAsked: boolean
	/** Somebody came back while his events were looked through: the next run does the rest. */
	readonly isBroken: boolean
}

export const nothingRetained: Retained = {
	events: 0,
	byType: {},
	subscribers: 0,
	upTo: 0,
	isAsked: true,
	isBroken: false,
}

export function withPlan(retained: Retained, { what, events, byType, upTo }: Plan): Retained {
	const sums: Record<string, number> = { ...retained.byType }
	for (const [type, count] of Object.entries(byType)) sums[type] = (sums[type] ?? 0) + count
	const subscribers = retained.subscribers + (what.kind === 'retention' ? what.subscribers : 0)
	return { ...retained, events: retained.events + events, byType: sums, subscribers, upTo }
}

export function retentionLines(retained: Retained): string[] {
	const { events, byType, subscribers, upTo, isAsked, isBroken } = retained
	if (!isAsked && events === 0) {
		return ['No class of events has a limit: "retention CLASS days N" sets one.']
	}
	const rest = isBroken
		? ['A subscriber came back meanwhile; the rest is done with the next run, within the hour.']
		: []
	if (events === 0) {
		return ['Nothing that may go is older than its days; nothing was changed.', ...rest]
	}
	return [
		`${counted(events, 'event')} up to position ${upTo} lost what is personal and older than its days: ${typesText(byType)}.`,
		`Of ${counted(subscribers, 'subscriber')} nothing is left but a pseudonym.`,
		'Kept: events that live sessions, and addresses that are held or remembered, rest on.',
		...rest,
		'Not reached:',
		' - EventStoreDB: give its streams a $maxAge, and scavenge; erase-mirror is for single subscribers.',
		...elsewhereLines,
		' - Copies and backups of the folder: radledger retain --data COPY --config FILE, or delete them.',
		" - Addresses of pools in lease events, the program's log, and the configuration.",
	]
}

/** The limits of each virtual router; undefined where none has any. */
export function retentionOf({ virtualRouters }: Configuration): readonly Router[] | undefined {
	const routers = virtualRouters.map(({ name, retentionDays = {} }) => ({ name, retentionDays }))
	const isAsked = routers.some(({ retentionDays }) => Object.keys(retentionDays).length > 0)
	return isAsked ? routers : undefined
}

/** The newest event's time, in wall-clock milliseconds. */
function lastAt(journal: JournalReader): number | undefined {
	const last = journal.last()
	return last === 0 ? undefined : journal.read(last, 1)[0]!.at
}

/** Records events without a relay: what passed since the newest one was seen by nobody. */
export function appendStopped(
	journal: SqliteJournal,
	events: readonly NewEvent[],
	at: number,
): void {
	const before = lastAt(journal)
	const passed = before === undefined ? undefined : standstill(before, at)
	journal.append(passed === undefined ? events : [passed, ...events])
}

/** Does all that a plan on disk still asks for. Nobody may append meanwhile but through `journal`. */
export async function carryOut(
	journal: SqliteJournal,
	plan: Plan,
	batches: AsyncIterable<readonly RewrittenBatch[]>,
): Promise<void> {
	for await (const portion of batches) journal.rewrite(portion)
	finishErasure(journal.folder, journal.id, plan)
	for (let tries = 1; !journal.scrub(); tries++) {
		if (tries === scrubTries) {
			throw new Error(
				'A program keeps reading an old state of the journal, so its log cannot be emptied: end it, then erase once more.',
			)
		}
		await pause(scrubRetryMs)
	}
}

function pause(ms: number): Promise<void> {
	return new Promise(resolve => setTimeout(resolve, ms))
}

export async function* portionsOf(folder: string, plan: Plan): AsyncGenerator<RewrittenBatch[]> {
	for (const batch of rewrittenBatches(folder, plan)) yield [batch]
}

/**
 * Completes what was interrupted, before the state is recovered: a start does so, and the command on
 * a stopped folder.
 */
export async function completeErasures(
	journal: SqliteJournal,
	now: () => number,
): Promise<readonly Plan[]> {
	const plans = openPlans(journal.folder, journal.id)
	for (const plan of plans) {
		if (!isRecorded(journal, plan)) {
			appendStopped(journal, [erasureEvent(plan, 'default', now())], now())
		}
		await carryOut(journal, plan, portionsOf(journal.folder, plan))
	}
	return plans
}

function isRecorded(journal: SqliteJournal, { upTo, name }: Plan): boolean {
	for (let next = upTo + 1; ; ) {
		const events = journal.read(next, 4096)
		if (events.length === 0) return false
		const found = events.some(
			event =>
				(event.type === 'SubscriberErased' && event.data.pseudonym === name) ||
				(event.type === 'RetentionApplied' && event.data.run === name),
		)
		if (found) return true
		next = events.at(-1)!.position + 1
	}
}

// ---- On a running relay the looking through and the preparing are done by a thread

type Asked =
	| {
			readonly erasing: 'plan'
			readonly folder: string
			readonly erased: Erased
			readonly reason: string
	  }
	| {
			readonly erasing: 'retain'
			readonly folder: string
			readonly routers: readonly Router[]
			readonly at: number
	  }
	| { readonly erasing: 'prepare'; readonly folder: string; readonly plan: Plan }
type Router = Pick<VirtualRouter, 'name' | 'retentionDays'>
type Told = {
	readonly retention?: RetentionPlan | undefined
	readonly plan?: Plan | undefined
	readonly batches?: RewrittenBatch[]
	readonly error?: Error
}

export async function planBeside(
	folder: string,
	erased: Erased,
	reason: string,
): Promise<Plan | undefined> {
	for await (const { plan } of thread({ erasing: 'plan', folder, erased, reason })) return plan
	return undefined
}

/** What `retention` lets go of now. */
export async function retentionBeside(
	folder: string,
	routers: readonly Router[],
	at: number,
): Promise<RetentionPlan | undefined> {
	const asked = { erasing: 'retain', folder, routers, at } as const
	for await (const { retention } of thread(asked)) return retention
	return undefined
}

/** The same in this thread. */
export function retentionNow(
	folder: string,
	routers: readonly Router[],
	at: number,
): RetentionPlan | undefined {
	const reader = openReader(folder)
	const onWarning = () => undefined
	const snapshots = openSnapshots({ folder, journalId: reader.id, last: reader.last, onWarning })
	const state = recoverState(reader, snapshots, onWarning)
	reader.close()
	return planRetention({
		folder,
		name: `retention-${randomBytes(6).toString('hex')}`,
		bounds: new Map(routers.map(router => [router.name, boundsOf(router, at)])),
		keepFrom: (mac, kind) => restsFrom(state, mac, kind),
		isLive: mac => whyNotErasable(state, mac, at) !== undefined,
		pseudonym: mac => newPseudonymFor(mac).pseudonym,
	})
}

export async function* portionsBeside(
	folder: string,
	plan: Plan,
): AsyncGenerator<RewrittenBatch[]> {
	for await (const { batches } of thread({ erasing: 'prepare', folder, plan })) {
		yield batches ?? []
		// Packets go before.
		await pause(pauseMs)
	}
}

/** What the thread tells, one thing after the other: it waits until the last was taken. */
async function* thread(workerData: Asked): AsyncGenerator<Told> {
	const worker = new Worker(new URL(import.meta.url), { workerData })
	const ended = new Promise<undefined>(resolve => worker.on('exit', () => resolve(undefined)))
	try {
		for (;;) {
			const told = await Promise.race([nextMessage(worker), ended])
			if (told === undefined) return
			if (told.error !== undefined) throw told.error
			yield told
			worker.postMessage('next')
		}
	} finally {
		await worker.terminate()
	}
}

function nextMessage(worker: Worker): Promise<Told> {
	return new Promise((resolve, reject) => {
		worker.once('message', resolve)
		worker.once('error', reject)
	})
}

if (!isMainThread && (workerData as Partial<Asked> | null)?.erasing !== undefined) {
	const port = parentPort!
	const tell = (told: Told) => {
		const taken = new Promise<void>(resolve => port.once('message', () => resolve()))
		port.postMessage(told)
		return taken
	}
	const asked = workerData as Asked
	try {
		if (asked.erasing === 'plan') {
			await tell({ plan: planErasure(asked.folder, asked.erased, asked.reason) })
		} else if (asked.erasing === 'retain') {
			await tell({ retention: retentionNow(asked.folder, asked.routers, asked.at) })
		} else {
			let portion: RewrittenBatch[] = []
			for (const batch of rewrittenBatches(asked.folder, asked.plan)) {
				portion.push(batch)
				if (portion.length < batchesPerCommit) continue
				await tell({ batches: portion })
				portion = []
			}
			if (portion.length > 0) await tell({ batches: portion })
		}
	} catch (error) {
		await tell({ error: error as Error })
	}
	port.close()
}
