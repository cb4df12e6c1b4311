/**
 * `radledger serve-views`: the read side of a whole fleet of relays, on another machine than any of
 * them, out of the EventStoreDB that they mirror to. Each relay has a folder named for its journal.
 */
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { isLeft } from 'fp-ts/lib/Either.js'
import * as t from 'io-ts'
import type { Mirrored } from '../adapters/eventstoredb/envelope.ts'
import {
	followHistory,
	type HistoryFollowing,
	type Place,
} from '../adapters/eventstoredb/following.ts'
import { openTarget } from '../adapters/eventstoredb/target.ts'
import { openLog } from './log.ts'
import { openReplica, type Replica } from './replica.ts'
import { httpSettings, readFlags, type ServeSettings, UsageError } from './settings.ts'

export const serveViewsUsage = `radledger serve-views --from URL --data DIR
  --from URL               EventStoreDB that relays mirror to, e.g. esdb://HOST:2113
                           (or RADLEDGER_EVENTSTORE)
  --data DIR               a folder of its own, with one for each relay in it
  --http ADDRESS:PORT      web page and HTTP API of the first relay, of the next
                           one at the next port, and so on
  --http-token-file FILE   whoever asks must have the token in its first line`

export type ServeViewsSettings = {
	readonly url: string
	readonly folder: string
	readonly http: ServeSettings['http']
}

const deadlineMs = 10_000
/** Events are committed together; so are they when none came for a moment. */
const eventsPerCommit = 512
const commitMs = 50
const saveMs = 2_000
/** A mirror has at most so many under way: more that wait mean that one is missing. */
const waitingMax = 20_000

export async function serveViewsCommand(args: readonly string[]): Promise<number> {
	const flags = readFlags(args, {
		from: { type: 'string' },
		data: { type: 'string' },
		http: { type: 'string' },
		'http-token-file': { type: 'string' },
	}) as Readonly<Record<string, string | undefined>>
	const url = flags['from'] ?? process.env['RADLEDGER_EVENTSTORE']
	const folder = flags['data'] ?? process.env['RADLEDGER_DATA']
	if (!url || !folder) throw new UsageError(`--from and --data must be given.\n${serveViewsUsage}`)
	const http = httpSettings(flags['http'], flags['http-token-file'])
	const ended = Promise.withResolvers<void>()
	process.once('SIGINT', () => ended.resolve()).once('SIGTERM', () => ended.resolve())
	await serveViews({ url, folder, http }, ended.promise)
	// The client's channel would keep the process.
	process.exit(0)
}

async function serveViews(settings: ServeViewsSettings, ended: Promise<void>): Promise<void> {
	const log = openLog('info')
	// The client leaves promises that nobody awaits where a connection breaks.
	process.on('unhandledRejection', error => log.warn('eventstore', { error: String(error) }, ''))
	const target = openTarget(settings.url, deadlineMs)
	mkdirSync(settings.folder, { recursive: true, mode: 0o700 })
	const replicas = new Map<string, Replica>()
	const fleet = readFleet(settings.folder)
	let { place } = fleet
	let safe = place
	let uncommitted = 0
	let following: HistoryFollowing | undefined
	const failed = Promise.withResolvers<never>()

	for (const journal of fleet.relays) await open(journal)
	following = followHistory(target, place, take, sentence =>
		log.warn('eventstore-waiting', {}, sentence),
	)
	const timers = [setInterval(commit, commitMs), setInterval(save, saveMs)]
	log.info('ready', { from: target.name, data: settings.folder }, 'The read side is ready.')
	try {
		await Promise.race([ended, failed.promise])
	} finally {
		for (const timer of timers) clearInterval(timer)
		await following.close()
		commit()
		save()
		for (const replica of replicas.values()) await replica.close()
	}

	async function take({ journal, event }: Mirrored, after: Place): Promise<void> {
		const replica = replicas.get(journal) ?? (await open(journal).catch(failed.reject))
		if (replica === undefined) return
		replica.take(event)
		place = after
		if (++uncommitted >= eventsPerCommit) commit()
		if (replica.waiting() < waitingMax) return
		const sentence = `Event ${replica.last() + 1} of the journal ${journal} is missing in EventStoreDB: what follows it cannot be shown. Mirror that relay to another database, or delete the folder and begin anew.`
		log.fatal('missing-event', { journal }, sentence)
		failed.reject(new UsageError(sentence))
	}

	async function open(journal: string): Promise<Replica> {
		const replica = await openReplica({
			folder: join(settings.folder, journal),
			journal,
			http: httpOf(settings.http, replicas.size),
			log,
			source: () => ({
				name: target.name,
				trouble: following?.trouble() || null,
				fleet: fleetBut(journal),
			}),
		})
		replicas.set(journal, replica)
		if (replicas.size > fleet.relays.length) save()
		const { port } = replica
		log.info('relay', { journal, ...(port === undefined ? {} : { port }) }, 'A relay is followed.')
		return replica
	}

	/** Everybody but that one. */
	function fleetBut(journal: string) {
		return [...replicas.values()].flatMap(one => {
			const { port } = one
			return one.journal === journal || port === undefined ? [] : [{ name: one.name(), port }]
		})
	}

	function commit(): void {
		uncommitted = 0
		try {
			for (const replica of replicas.values()) replica.flush()
		} catch (error) {
			failed.reject(error)
		}
	}

	/** A place from which nothing is missing on disk: where some wait, an earlier one stays. */
	function save(): void {
		commit()
		const whole = [...replicas.values()].every(replica => replica.waiting() === 0)
		if (whole) safe = place
		writeFleet(settings.folder, { place: safe, relays: [...replicas.keys()] })
	}
}

function httpOf(http: ServeSettings['http'], number: number): ServeSettings['http'] {
	if (http === undefined || http.listening.port === 0) return http
	return { ...http, listening: { ...http.listening, port: http.listening.port + number } }
}

/** Where the subscription goes on, and the relays in the order in which they got their ports. */
const fleetCodec = t.type({ place: t.string, relays: t.array(t.string) })
type Fleet = t.TypeOf<typeof fleetCodec>

const fleetFile = (folder: string) => join(folder, 'fleet.json')

/** Lost, it begins at the beginning, and finds what is there. */
function readFleet(folder: string): Fleet {
	try {
		const fleet = fleetCodec.decode(JSON.parse(readFileSync(fleetFile(folder), 'utf8')))
		if (!isLeft(fleet))
			return isWhole(folder, fleet.right) ? fleet.right : { ...fleet.right, place: '' }
	} catch {
		// Not there yet, or not whole.
	}
	return { place: '', relays: [] }
}

/** A relay's folder that was deleted is filled again from the beginning. */
function isWhole(folder: string, { relays }: Fleet): boolean {
	return relays.every(journal => existsSync(join(folder, journal, 'journal.db')))
}

function writeFleet(folder: string, fleet: Fleet): void {
	const file = fleetFile(folder)
	writeFileSync(`${file}.new`, `${JSON.stringify(fleet)}\n`)
	renameSync(`${file}.new`, file)
}
