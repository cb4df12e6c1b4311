/** `radledger restore`: the journal of a lost relay, made anew from what EventStoreDB mirrors. */
import { checkpointPosition } from '../adapters/eventstoredb/checkpoint.ts'
import { mirroredEvent } from '../adapters/eventstoredb/envelope.ts'
import { readHistory } from '../adapters/eventstoredb/history.ts'
import { openTarget, type Target } from '../adapters/eventstoredb/target.ts'
import { type Gap, openRebuild, type Rebuild } from '../adapters/journal/rebuild.ts'
import { counted } from '../domain/count-text.ts'
import { relayStream, virtualRouterOf } from '../domain/event.ts'
import { readFlags, UsageError } from './settings.ts'

export const restoreUsage = `radledger restore --from URL --data DIR
  --from URL               EventStoreDB that mirrors the journal, e.g. esdb://HOST:2113
                           (or RADLEDGER_EVENTSTORE)
  --data DIR               the data folder to be made; not there yet, or empty
  --virtual-router NAME    of several relays the one with this virtual router
  --journal ID             of several relays the one with this journal
  --up-to POSITION         ends with this event, where later ones are missing`

/** What is wrong with the history that was found, as sentences. */
export class RestoreFailure extends Error {
	override readonly name = 'RestoreFailure'
}

export type RestoreSettings = {
	readonly url: string
	readonly folder: string
	readonly virtualRouter?: string
	readonly journal?: string
	readonly upTo?: number
	/** So long it is waited for an answer, in milliseconds, and after so long that is said. */
	readonly patienceMs?: number
	readonly silenceMs?: number
}

export type Restored = { readonly journal: string; readonly events: number }

const deadlineMs = 10_000
const progressMs = 5_000
const usualPatience = { patienceMs: 30_000, silenceMs: 2_000 }
const namedGaps = 10

export async function restoreCommand(args: readonly string[]): Promise<number> {
	const note = (line: string) => process.stderr.write(`${line}\n`)
	const settings = restoreSettings(args, process.env)
	const { journal, events } = await restore(settings, note)
	console.log(
		`The journal ${journal} has its ${counted(events, 'event')} again, in ${settings.folder}. Check it with "radledger verify", and let no other relay with this journal run.`,
	)
	// The client's channel would keep the process.
	process.exit(0)
}

function restoreSettings(
	args: readonly string[],
	environment: Readonly<Record<string, string | undefined>>,
): RestoreSettings {
	const flags = readFlags(args, {
		from: { type: 'string' },
		data: { type: 'string' },
		'virtual-router': { type: 'string' },
		journal: { type: 'string' },
		'up-to': { type: 'string' },
	}) as Readonly<Record<string, string | undefined>>
	const url = flags['from'] ?? environment['RADLEDGER_EVENTSTORE']
	const folder = flags['data'] ?? environment['RADLEDGER_DATA']
	if (!url || !folder) throw new UsageError(`--from and --data must be given.\n${restoreUsage}`)
	const upTo = flags['up-to']
	if (upTo !== undefined && !/^[1-9]\d{0,14}$/.test(upTo)) {
		throw new UsageError(`--up-to ${upTo} is no position: give a number from 1 on.`)
	}
	const { journal, 'virtual-router': virtualRouter } = flags
	return {
		url,
		folder,
		...(virtualRouter === undefined ? {} : { virtualRouter }),
		...(journal === undefined ? {} : { journal }),
		...(upTo === undefined ? {} : { upTo: Number(upTo) }),
	}
}

/** Throws RestoreFailure, JournalFailure or TargetFailure with a sentence; then there is no folder. */
export async function restore(
	settings: RestoreSettings,
	note: (line: string) => void,
): Promise<Restored> {
	const target = openTarget(settings.url, deadlineMs)
	const waiting = waitingNote(target.name, settings, note)
	try {
		return await restoreFrom(target, settings, note, waiting)
	} finally {
		waiting.end()
		await target.reset()
	}
}

async function restoreFrom(
	target: Target,
	settings: RestoreSettings,
	note: (line: string) => void,
	waiting: Waiting,
): Promise<Restored> {
	const wanted = settings.journal ?? (await journalOf(target, settings.virtualRouter))
	waiting.heard()
	const rebuild = openRebuild(settings.folder)
	try {
		const journal = await collect(target, rebuild, wanted, note, waiting, settings.patienceMs)
		const complete = await checkpointPosition(target, journal)
		const last = settings.upTo ?? Math.max(rebuild.last(), complete)
		refuseGaps(rebuild, last)
		rebuild.finish(journal, last)
		return { journal, events: last }
	} catch (error) {
		rebuild.discard()
		throw error
	}
}

type Waiting = { heard(): void; end(): void }

/** Says after a while that nothing has come yet, and until when it is waited for. */
function waitingNote(
	name: string,
	settings: RestoreSettings,
	note: (line: string) => void,
): Waiting {
	const { patienceMs, silenceMs } = { ...usualPatience, ...settings }
	let heardAt = performance.now()
	let told = false
	const timer = setInterval(() => {
		const silent = performance.now() - heardAt
		if (told || silent < silenceMs) return
		told = true
		const until = new Date(Date.now() + patienceMs - silent).toISOString().slice(11, 19)
		note(`EventStoreDB at ${name} does not answer yet; it is waited for until ${until} UTC.`)
	}, silenceMs / 4)
	return {
		heard() {
			heardAt = performance.now()
			told = false
		},
		end: () => clearInterval(timer),
	}
}

async function journalOf(target: Target, router: string | undefined): Promise<string | undefined> {
	if (router === undefined) return undefined
	const [first] = await target.oldest(relayStream(router), 1)
	const mirrored = first === undefined ? undefined : mirroredEvent(first)
	if (mirrored !== undefined) return mirrored.journal
	throw new RestoreFailure(
		`EventStoreDB at ${target.name} has no events of a virtual router ${router}: its stream would be ${relayStream(router)}.`,
	)
}

/** Keeps the events of one journal and returns its id; refuses to choose among several. */
async function collect(
	target: Target,
	rebuild: Rebuild,
	wanted: string | undefined,
	note: (line: string) => void,
	waiting: Waiting,
	patienceMs: number | undefined,
): Promise<string> {
	const relays = new Map<string, Set<string>>()
	let chosen = wanted
	let kept = 0
	let noteAt = performance.now() + progressMs
	for await (const { journal, event } of readHistory(target, patienceMs)) {
		waiting.heard()
		const routers = relays.get(journal) ?? new Set()
		relays.set(journal, routers)
		if (event.stream.startsWith('relay-')) routers.add(virtualRouterOf(event.stream))
		chosen ??= journal
		if (journal !== chosen) continue
		rebuild.put(event)
		kept++
		if (performance.now() < noteAt) continue
		noteAt = performance.now() + progressMs
		note(`${counted(kept, 'event')} so far, position ${event.position}`)
	}
	if (wanted === undefined && relays.size > 1) throw several(target, relays)
	if (chosen !== undefined && relays.has(chosen)) return chosen
	throw new RestoreFailure(
		wanted === undefined
			? `EventStoreDB at ${target.name} has no events of any relay.`
			: `EventStoreDB at ${target.name} has no events of the journal ${wanted}.${list(relays)}`,
	)
}

function several(target: Target, relays: ReadonlyMap<string, Set<string>>): RestoreFailure {
	return new RestoreFailure(
		`EventStoreDB at ${target.name} has the journals of ${relays.size} relays: choose one with --virtual-router or --journal.${list(relays)}`,
	)
}

function list(relays: ReadonlyMap<string, Set<string>>): string {
	return [...relays]
		.map(([journal, routers]) => `\n  ${journal}  ${[...routers].sort().join(', ')}`)
		.join('')
}

function refuseGaps(rebuild: Rebuild, last: number): void {
	const found = rebuild.last()
	const gaps = rebuild.gaps(namedGaps + 1).filter(({ from }) => from <= last)
	if (last > found) gaps.push({ from: found + 1, to: last })
	const [first] = gaps
	if (first === undefined) return
	const named = gaps.slice(0, namedGaps).map(gapText).join(', ')
	const more = gaps.length > namedGaps ? ', and more' : ''
	const remedy =
		first.from > 1
			? ` A journal that ends before the first of them can be had with --up-to ${first.from - 1}.`
			: ''
	throw new RestoreFailure(
		`Events are missing in EventStoreDB: ${named}${more}. The journal cannot be what it was, so nothing was written.${remedy}`,
	)
}

function gapText({ from, to }: Gap): string {
	return from === to ? `position ${from}` : `positions ${from} to ${to}`
}
